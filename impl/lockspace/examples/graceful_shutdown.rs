//! A service that works on one invoice at a time and shuts down gracefully.
//!
//! `POST /invoice/{id}` books on an invoice; the body says how many milliseconds that takes. Bookings on
//! the same invoice wait for each other, for two seconds at most. `GET /health` says how the locks are.
//!
//! On SIGINT or SIGTERM the lockspace drains first, while the server still answers: newcomers and waiters
//! are told 503, and bookings under way may finish for ten seconds. Once the lockspace is closed, the
//! server stops, and the report is printed.
//!
//! ```text
//! cargo run -p lockspace --example graceful_shutdown -- 127.0.0.1:3000
//! curl -d 5000 http://127.0.0.1:3000/invoice/42
//! curl http://127.0.0.1:3000/health
//! ```

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use lockspace::{AcquireError, HealthLimits, LockSpace};

const WAIT_TIMEOUT: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(10);

type Answer = (StatusCode, String);

async fn book(State(space): State<LockSpace>, Path(id): Path<String>, body: String) -> Answer {
    let Ok(milliseconds) = body.trim().parse() else {
        return (StatusCode::BAD_REQUEST, "how many milliseconds?\n".into());
    };
    let name = format!("invoice/{id}");
    let request = space.acquire(&name).wait_timeout(WAIT_TIMEOUT).label("booking");
    let guard = match request.await {
        Ok(guard) => guard,
        Err(refused) => return (status_of(&refused), format!("{refused}\n")),
    };
    let token = guard.fencing_token();
    let work = tokio::time::sleep(Duration::from_millis(milliseconds));
    tokio::select! {
        () = work => (StatusCode::OK, format!("{name} booked under token {token}\n")),
        lost = guard.lost() => (StatusCode::SERVICE_UNAVAILABLE, format!("{lost}\n")),
    }
}

fn status_of(refused: &AcquireError) -> StatusCode {
    match refused {
        AcquireError::InvalidName(_) => StatusCode::BAD_REQUEST,
        AcquireError::TimedOut { .. } => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn health(State(space): State<LockSpace>) -> Answer {
    let health = space.health();
    if health.is_well() {
        let holds = space.snapshot().names.len();
        return (
            StatusCode::OK,
            format!("well: {holds} held, deepest queue {}\n", health.deepest_queue),
        );
    }
    let reasons = health.reasons.iter().map(|reason| format!("{reason}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, reasons)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".into());
    let space = LockSpace::builder()
        .max_waiters_per_name(100)
        .timing(true)
        .health_limits(HealthLimits::new().longest_hold(Duration::from_secs(60)))
        .build();
    let app = Router::new()
        .route("/invoice/{id}", post(book))
        .route("/health", get(health))
        .with_state(space.clone());

    let (draining, closing) = (space.clone(), space);
    let drained = tokio::spawn(async move { draining.shutdown_on_signals(GRACE).await });
    let closed = async move {
        closing.closed().await;
    };

    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(closed).await?;

    let report = drained.await??;
    println!(
        "shut down: {} released, {} cancelled, {} revoked",
        report.released, report.cancelled, report.revoked
    );
    Ok(())
}
