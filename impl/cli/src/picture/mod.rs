//! Pictures of what happened: a history or a model's story as one page that needs nothing but itself.
//!
//! [`score`] says what is shown, [`history`] and [`story`] make it out of what happened, [`svg`] draws it
//! and [`page`] puts it on a page. Whatever comes from outside passes [`markup`], where it can only be text.
//!
//! What this module must not do: judge. It shows a verdict that somebody else has found.

mod history;
mod lives;
mod markup;
mod page;
mod score;
mod story;
mod svg;
mod words;

use std::fs;
use std::io;
use std::path::Path;

use lockspace_history::{History, Verdict};

pub(crate) use page::Told;

/// Writes the picture of a history and of what the judges said of it.
pub(crate) fn of_history(
    out: &Path,
    called: &str,
    history: &History,
    verdict: &Verdict,
) -> io::Result<()> {
    write(out, &page::of_history(called, history, verdict))
}

/// Writes the picture of stories.
pub(crate) fn of_stories(out: &Path, title: &str, stories: &[Told<'_>]) -> io::Result<()> {
    write(out, &page::of_stories(title, stories))
}

fn write(out: &Path, page: &str) -> io::Result<()> {
    let explain =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", out.display()));
    fs::write(out, page).map_err(explain)
}
