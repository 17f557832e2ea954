//! `lockspace top`: what stands in a store, again and again. On a terminal it has a screen of its own; for a
//! program it writes a line of JSON for each look.

use std::io::{self, IsTerminal, Write, stdin, stdout};
use std::time::{Duration, Instant};

use lockspace::store::Survey;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::age;
use crate::exit::Exit;
use crate::store::{self, StoreArgs, survey};
use crate::table::{Shown, Watched, as_json, counts, lines};

#[derive(clap::Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Seconds from one look to the next
    #[arg(long, default_value_t = 1.0)]
    every: f64,
    /// Ends after so many looks
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    looks: Option<u64>,
    /// Writes a line of JSON for each look, until Ctrl-C or until nobody reads on
    #[arg(long)]
    json: bool,
}

pub(crate) fn top(args: &TopArgs) -> io::Result<Exit> {
    let every = Duration::try_from_secs_f64(args.every).map_err(io::Error::other)?;
    let every = every.max(Duration::from_millis(100));
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
        ]));
        let screen = live.then(Screen::take).transpose()?;
        let mut quit = std::pin::pin!(quit(live));
        let mut watched = Watched::default();
        let mut seen = 0;
        loop {
            let found = survey(&store).await?;
            let now = begun.elapsed();
            watched.look(&found, now);
            let shown = Shown { today: age::now(), watched: Some((&watched, now)) };
            match &screen {
                Some(_) => show(&url, &found, shown)?,
                None => write(&found, shown, args.json)?,
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
    writeln!(out, "{url}: {held} held, {waiting} waiting, {sessions} sessions   (q leaves)\n")?;
    out.write_all(lines.join("\n").as_bytes())?;
    out.flush()
}

/// Until one of the signals comes that end this.
async fn end([mut interrupt, mut terminate, mut hangup]: [Signal; 3]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// Until the user wants no more, where there is a user.
async fn quit(live: bool) {
    if !live {
        return std::future::pending().await;
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
        // The terminal is gone, or its input has ended: look on until a signal comes.
        std::thread::park();
    });
    heard.recv().await;
}

/// A screen of its own, on which keys are heard at once; given back when it is dropped.
struct Screen(Termios);

impl Screen {
    fn take() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        write!(stdout(), "\x1b[?1049h\x1b[?25l")?;
        Ok(Self(before))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write!(stdout(), "\x1b[?25h\x1b[?1049l");
        let _ = stdout().flush();
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
