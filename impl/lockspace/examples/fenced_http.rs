//! A service that cannot be written by a holder that was overtaken, and a client that was.
//!
//!     cargo run -p lockspace --example fenced_http

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use lockspace::{FencingToken, LockSpace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the lock protects: a text, and the greatest token that has written it.
#[derive(Default)]
struct Report {
    greatest: Option<FencingToken>,
    text: String,
}

/// Compares and writes under one lock of its own: in between, nobody can come.
async fn write(
    State(report): State<Arc<Mutex<Report>>>,
    headers: HeaderMap,
    text: String,
) -> StatusCode {
    let token = headers.get("fencing-token").and_then(|token| token.to_str().ok()?.parse().ok());
    let Some(token) = token else { return StatusCode::PRECONDITION_REQUIRED };
    let mut report = report.lock().unwrap();
    if Some(token) < report.greatest {
        return StatusCode::PRECONDITION_FAILED;
    }
    *report = Report { greatest: Some(token), text };
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = Arc::<Mutex<Report>>::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let service = listener.local_addr()?;
    let routes = Router::new().route("/report", put(write)).with_state(Arc::clone(&report));
    tokio::spawn(async { axum::serve(listener, routes).await });

    let space = LockSpace::new();
    let slow = space.acquire("report").await?;
    space.force_release("report")?; // An operator has lost patience. The slow one does not know.
    let quick = space.acquire("report").await?;

    println!("the quick one writes: {}", send(service, quick.fencing_token(), "good").await?);
    println!("the slow one writes: {}", send(service, slow.fencing_token(), "late").await?);
    println!("the report says: {}", report.lock().unwrap().text);
    Ok(())
}

/// Sends a text with a token, and answers with the status line.
async fn send(
    service: std::net::SocketAddr,
    token: FencingToken,
    text: &str,
) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(service).await?;
    let request = format!(
        "PUT /report HTTP/1.1\r\nhost: report\r\nconnection: close\r\nfencing-token: {token}\r\n\
         content-length: {}\r\n\r\n{text}",
        text.len(),
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().into())
}
