//! `lockspace explore`: a model in the browser.

use std::io::{self, Write, stdout};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

use lockspace_model::manifest::Manifest;

use crate::output::FAILED;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A model of the manifest, by its name in `lockspace verify`
    model: String,
    /// The port on the loopback address; with 0 a free one is found
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let manifest = Manifest::read();
    let Some(run) = manifest.run.iter().find(|run| run.name == args.model) else {
        eprintln!("lockspace: no model is called {:?}. There are:", args.model);
        for run in &manifest.run {
            eprintln!("  {:<28} {}", run.name, run.bounds());
        }
        return Ok(ExitCode::from(FAILED));
    };
    let address = free_address(args.port)?;
    let mut out = stdout().lock();
    writeln!(out, "{} ({})", run.name, run.bounds())?;
    writeln!(out, "Explorer: http://{address}/   (Ctrl-C ends it)")?;
    out.flush()?;
    drop(out);
    run.machine().serve(run.goals(), address);
    Ok(ExitCode::SUCCESS)
}

/// The address to serve at. The Explorer binds it itself and panics if it cannot, so it is tried
/// here first: an error is then an error and not a panic.
fn free_address(port: u16) -> io::Result<SocketAddr> {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("{wanted}: {error}"));
    TcpListener::bind(wanted).map_err(explain)?.local_addr()
}
