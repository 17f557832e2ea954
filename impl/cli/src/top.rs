//! `lockspace top`: what stands in a store, again and again. On a terminal it has a screen of its own; for a
//! program it writes a line of JSON for each look.

use std::future::pending;
use std::io::{self, ErrorKind, IsTerminal, Write, stdin, stdout};
use std::time::{Duration, Instant};

use lockspace::store::Survey;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::age;
use crate::exit::Exit;
use crate::output::{counted, say};
use crate::span::Span;
use crate::store::{self, Problem, StoreArgs, survey};
use crate::table::{Shown, Watched, as_json, counts, lines};

#[derive(clap::Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The time from one look to the next
    #[arg(long, value_name = "TIME", default_value = "1s")]
    every: Span,
    /// Ends after so many looks
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    looks: Option<u64>,
    /// Writes a line of JSON for each look, until Ctrl-C or until nobody reads on
    #[arg(long)]
    json: bool,
}

pub(crate) fn top(args: &TopArgs) -> io::Result<Exit> {
    let every = args.every.duration().max(Duration::from_millis(100));
    let live = !args.json && stdout().is_terminal() && stdin().is_terminal();
    let looks = if live || args.json { args.looks } else { Some(args.looks.unwrap_or(1)) };
    let begun = Instant::now();
    store::run(async {
        let url = args.store.url()?.to_string();
        let store = args.store.open().await?;
        // Heard before the screen is taken: whatever ends this gives it back.
        let mut end = std::pin::pin!(end([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
        ]));
        let screen = live.then(Screen::take).transpose()?;
        let mut view = View { url, screen, json: args.json, begun, watched: Watched::default() };
        let mut quit = std::pin::pin!(quit(live));
        let mut seen = 0;
        loop {
            let found = survey(&store).await;
            // A store that was there may come back.
            let found = if seen == 0 { Ok(found?) } else { found };
            match view.show(found) {
                Err(unread) if unread.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Done),
                shown => shown?,
            }
            seen += 1;
            if looks == Some(seen) {
                return Ok(Exit::Done);
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = &mut end => return Ok(Exit::Done),
                () = &mut quit => return Ok(Exit::Done),
            }
        }
    })
}

/// What is shown of a store, and where.
struct View {
    url: String,
    screen: Option<Screen>,
    json: bool,
    begun: Instant,
    watched: Watched,
}

impl View {
    /// Shows what was found, or why nothing was.
    fn show(&mut self, found: Result<Survey, Problem>) -> io::Result<()> {
        let on_screen = self.screen.is_some();
        match found {
            Ok(found) => {
                let now = self.begun.elapsed();
                self.watched.look(&found, now);
                let shown = Shown { today: age::now(), watched: Some((&self.watched, now)) };
                if on_screen {
                    show(&self.url, &found, shown)
                } else {
                    write(&found, shown, self.json)
                }
            }
            Err(problem) if on_screen => show_problem(&self.url, &problem),
            Err(problem) => {
                say(problem);
                Ok(())
            }
        }
    }
}

/// For programs, or for a file.
fn write(found: &Survey, shown: Shown<'_>, json: bool) -> io::Result<()> {
    let mut out = stdout().lock();
    if json {
        return writeln!(out, "{}", as_json(found, shown));
    }
    lines(found, shown).iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// As much as the screen has room for.
fn show(url: &str, found: &Survey, shown: Shown<'_>) -> io::Result<()> {
    let (held, waiting, sessions) = counts(found);
    let mut lines = lines(found, shown);
    // A terminal that does not know its height says that it has none.
    let rows = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_row));
    let room = if rows == 0 { usize::MAX } else { rows.saturating_sub(3).max(1) };
    if lines.len() > room {
        let left_out = lines.len() - room + 1;
        lines.truncate(room - 1);
        lines.push(format!("… and {left_out} more"));
    }
    let mut out = stdout().lock();
    write!(out, "\x1b[H\x1b[J")?;
    let sessions = counted(sessions, "session");
    writeln!(out, "{url}: {held} held, {waiting} waiting, {sessions}   (q leaves)\n")?;
    out.write_all(lines.join("\n").as_bytes())?;
    out.flush()
}

/// Why nothing else is shown.
fn show_problem(url: &str, problem: &Problem) -> io::Result<()> {
    let mut out = stdout().lock();
    write!(out, "\x1b[H\x1b[J{url}: {problem}   (q leaves)")?;
    out.flush()
}

/// Until one of the signals comes that end this.
async fn end([mut interrupt, mut terminate, mut hangup, mut quit]: [Signal; 4]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        _ = quit.recv() => {}
    }
}

/// Until the user wants no more, where there is a user.
async fn quit(live: bool) {
    if !live {
        return pending().await;
    }
    let (pressed, mut heard) = tokio::sync::mpsc::channel::<()>(1);
    std::thread::spawn(move || {
        let mut key = [0];
        while let Ok(1) = io::Read::read(&mut stdin().lock(), &mut key) {
            if key[0] == b'q' {
                let _ = pressed.blocking_send(());
                return;
            }
        }
    });
    // Nothing is heard if the terminal is gone, or its input has ended: look on until a signal comes.
    if heard.recv().await.is_none() {
        pending::<()>().await;
    }
}

/// A screen of its own, on which keys are heard at once and long lines are cut off; given back when it is
/// dropped.
struct Screen(Termios);

impl Screen {
    fn take() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        // From here on it is given back, whatever fails.
        let screen = Self(before);
        write!(stdout(), "\x1b[?1049h\x1b[?25l\x1b[?7l")?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The keys first: who sees the old screen again may use them.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
        let _ = write!(stdout(), "\x1b[?7h\x1b[?25h\x1b[?1049l");
        let _ = stdout().flush();
    }
}
