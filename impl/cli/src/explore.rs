//! `lockspace explore`: a model in the browser.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use lockspace_model::manifest::{Manifest, Run};

use serde_json::json;

use crate::exit::Exit;
use crate::output::{out, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A model of the manifest, by its name in `lockspace verify`
    model: String,
    /// The port on the loopback address; with 0 a free one is found
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Says where it is served as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> io::Result<Exit> {
    let manifest = Manifest::read();
    let Some(run) = manifest.run.iter().find(|run| run.name == args.model) else {
        let called = |run: &Run| format!("\n  {:<28} {}", run.name, run.bounds());
        let models: String = manifest.run.iter().map(called).collect();
        say(format_args!("no model is called {:?}. There are:{models}", args.model));
        return Ok(Exit::Failed);
    };
    let address = free_address(args.port)?;
    let mut out = out();
    let (name, bounds) = (&run.name, run.bounds());
    if args.json {
        let url = format!("http://{address}/");
        writeln!(out, "{}", json!({ "model": name, "bounds": bounds, "url": url }))?;
    } else {
        writeln!(out, "{name} ({bounds})")?;
        writeln!(out, "Explorer: http://{address}/   (Ctrl-C ends it)")?;
    }
    out.flush()?;
    drop(out);
    run.machine().serve(run.goals(), address);
    Ok(Exit::Done)
}

/// The address to serve at. The Explorer binds it itself and panics if it cannot, so it is tried
/// here first: an error is then an error and not a panic.
fn free_address(port: u16) -> io::Result<SocketAddr> {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("{wanted}: {error}"));
    TcpListener::bind(wanted).map_err(explain)?.local_addr()
}
