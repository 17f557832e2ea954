//! `lockspace ls`, `top` and `health`: what stands in a store, for people and programs that look.

use std::io::{self, IsTerminal, Write, stdin, stdout};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::output::coloured;
use crate::store::{self, Claimed, StoreArgs, Survey, survey};

#[derive(clap::Args)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Writes one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Seconds from one look to the next
    #[arg(long, default_value_t = 1.0)]
    every: f64,
}

pub(crate) fn ls(args: &LsArgs) -> io::Result<Exit> {
    let found = store::run(async { survey(&args.store.open().await?).await })?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{:#}", as_json(&found))?;
    } else {
        out.write_all(table(&found).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn as_json(found: &Survey) -> Value {
    let who = |session| match found.claimed(session) {
        Claimed::Session(label) => json!({ "session": session.to_string(), "label": label }),
        Claimed::Gone => json!({ "session": session.to_string(), "label": null }),
    };
    let names = found.names.iter().map(|named| {
        let waiting: Vec<Value> = named.queue.iter().map(|session| who(*session)).collect();
        json!({ "name": named.name, "token": named.token, "holder": who(named.holder), "waiting": waiting })
    });
    let unreadable =
        found.unreadable.iter().map(|(key, why)| json!({ "key": key, "problem": why }));
    json!({ "names": names.collect::<Value>(), "unreadable": unreadable.collect::<Value>() })
}

/// One line for each holder and each waiter. What is not seen in a name or a label is shown by its number.
fn table(found: &Survey) -> String {
    let mut rows = vec![["NAME", "TOKEN", "", "WHO"].map(str::to_owned)];
    let who = |session| match found.claimed(session) {
        Claimed::Session("") => "(no label)".to_owned(),
        Claimed::Session(label) => label.escape_debug().to_string(),
        Claimed::Gone => "(its session has ended)".to_owned(),
    };
    for named in &found.names {
        let name = named.name.escape_debug().to_string();
        rows.push([name.clone(), named.token.to_string(), "holds".to_owned(), who(named.holder)]);
        for (place, session) in named.queue.iter().enumerate() {
            rows.push([name.clone(), String::new(), format!("waits {}", place + 1), who(*session)]);
        }
    }
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [name, token, does, who] in &rows {
        text += &format!(
            "{name:<0$}  {token:>1$}  {does:<2$}  {who}\n",
            widths[0], widths[1], widths[2]
        );
    }
    for (key, why) in &found.unreadable {
        text += &format!("{}: {why}\n", key.escape_debug());
    }
    text
}

/// Looks again and again, until q or Ctrl-C. Without a terminal it looks once.
pub(crate) fn top(args: &TopArgs) -> io::Result<Exit> {
    if !(stdout().is_terminal() && stdin().is_terminal()) {
        return ls(&LsArgs { store: args.store.clone(), json: false });
    }
    let every = Duration::try_from_secs_f64(args.every).map_err(io::Error::other)?;
    let every = every.max(Duration::from_millis(100));
    let screen = Screen::take()?;
    let done = store::run(async {
        let store = args.store.open().await?;
        let mut left = std::pin::pin!(leaves());
        loop {
            let found = survey(&store).await?;
            show(&args.store.url()?.to_string(), &found)?;
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = &mut left => return Ok(Exit::Done),
            }
        }
    });
    drop(screen);
    done
}

fn show(url: &str, found: &Survey) -> io::Result<()> {
    let waiting: usize = found.names.iter().map(|named| named.queue.len()).sum();
    let mut out = stdout().lock();
    write!(out, "\x1b[H\x1b[J")?;
    let (held, sessions) = (found.names.len(), found.sessions.len());
    writeln!(out, "{url}: {held} held, {waiting} waiting, {sessions} sessions   (q leaves)\n")?;
    out.write_all(table(found).as_bytes())?;
    out.flush()
}

/// Until the user wants no more.
async fn leaves() {
    let (pressed, mut heard) = tokio::sync::mpsc::channel::<()>(1);
    std::thread::spawn(move || {
        let mut key = [0];
        while let Ok(1) = io::Read::read(&mut stdin().lock(), &mut key) {
            if key[0] == b'q' {
                let _ = pressed.blocking_send(());
                return;
            }
        }
        // The terminal is gone, or its input has ended: look on until Ctrl-C.
        std::thread::park();
    });
    tokio::select! {
        _ = heard.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
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

pub(crate) fn health(args: &LsArgs) -> io::Result<Exit> {
    let begun = Instant::now();
    let found = store::run(async { survey(&args.store.open().await?).await });
    let took = begun.elapsed();
    let (status, exit, problems) = match &found {
        Ok(found) if found.unreadable.is_empty() => ("ok", Exit::Done, Vec::new()),
        Ok(found) => {
            let problems = found.unreadable.iter().map(|(key, why)| format!("{key:?}: {why}"));
            ("degraded", Exit::Deviates, problems.collect())
        }
        Err(error) => ("failing", Exit::Failed, vec![error.to_string()]),
    };
    let counts = found.as_ref().ok().map(|found| {
        let waiting: usize = found.names.iter().map(|named| named.queue.len()).sum();
        (found.names.len(), waiting, found.sessions.len())
    });
    let mut out = stdout().lock();
    if args.json {
        let counts = counts.map(|(held, waiting, sessions)| {
            json!({ "held": held, "waiting": waiting, "sessions": sessions })
        });
        let report = json!({
            "status": status, "problems": problems, "counts": counts, "seconds": took.as_secs_f64(),
        });
        writeln!(out, "{report:#}")?;
        return Ok(exit);
    }
    writeln!(out, "{}", coloured(status, exit == Exit::Done))?;
    if let Some((held, waiting, sessions)) = counts {
        writeln!(out, "  {held} held, {waiting} waiting, {sessions} sessions; read in {took:.1?}")?;
    }
    problems.iter().try_for_each(|problem| writeln!(out, "  {problem}"))?;
    Ok(exit)
}
