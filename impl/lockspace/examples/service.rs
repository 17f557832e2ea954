//! A service that can be operated: metrics, liveness, readiness, traces and a clean end.
//!
//! `POST /invoice/{id}` books on an invoice; the body says how many milliseconds that takes.
//!
//! - `GET /live` answers 200 while the process can answer at all. Locks never make it fail: restarting a
//!   service because somebody holds a name for too long would only lose what everybody else holds.
//! - `GET /ready` answers 200 while names are granted, and 503 otherwise, with the reasons.
//! - `GET /metrics` is for Prometheus.
//!
//! On SIGINT or SIGTERM it is no longer ready, bookings under way may finish for ten seconds, and then the
//! server stops. Metrics and probes are answered until the end.
//!
//! ```text
//! cargo run -p lockspace --features metrics,tracing --example service -- 127.0.0.1:3000
//! curl -d 5000 http://127.0.0.1:3000/invoice/42
//! curl http://127.0.0.1:3000/metrics
//! ```

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use lockspace::observe::{Metrics, Traces};
use lockspace::{HealthLevel, HealthLimits, LockSpace};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const WAIT_TIMEOUT: Duration = Duration::from_millis(500);
const GRACE: Duration = Duration::from_secs(10);
const LONGEST_HOLD: Duration = Duration::from_secs(1);

type Answer = (StatusCode, String);

#[derive(Clone)]
struct Service {
    space: LockSpace,
    metrics: Arc<Metrics>,
    exporter: PrometheusHandle,
}

impl Service {
    fn new() -> Result<(Self, Arc<Traces>), Box<dyn std::error::Error>> {
        // The exporter comes first: metrics belong to the one that is there when they are registered.
        let seconds = [0.001, 0.01, 0.1, 1.0, 10.0];
        let exporter = PrometheusBuilder::new().set_buckets(&seconds)?.install_recorder()?;
        // What is before the slash is the class of a name.
        let class = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
        let metrics = Arc::new(Metrics::new("billing").classify(class));
        let traces = Arc::new(Traces::new("billing").warn_after(LONGEST_HOLD));
        let limits = HealthLimits::new().longest_hold(LONGEST_HOLD).deepest_queue(100);
        let space = LockSpace::builder()
            .health_limits(limits)
            .recorder(metrics.clone())
            .traces(traces.clone())
            .build();
        Ok((Self { space, metrics, exporter }, traces))
    }
}

async fn book(State(service): State<Service>, Path(id): Path<String>, body: String) -> Answer {
    let Ok(milliseconds) = body.trim().parse() else {
        return (StatusCode::BAD_REQUEST, "how many milliseconds?\n".into());
    };
    let name = format!("invoice/{id}");
    let request = service.space.acquire(&name).wait_timeout(WAIT_TIMEOUT).label("booking");
    match request.await {
        Ok(guard) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            (StatusCode::OK, format!("booked under token {}\n", guard.fencing_token()))
        }
        Err(refused) => (StatusCode::SERVICE_UNAVAILABLE, format!("{refused}\n")),
    }
}

async fn ready(State(service): State<Service>) -> Answer {
    let health = service.space.health();
    let status = match health.level() {
        HealthLevel::Ok | HealthLevel::Degraded => StatusCode::OK,
        HealthLevel::Failing => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("{health}\n"))
}

async fn scrape(State(service): State<Service>) -> String {
    service.metrics.publish(&service.space);
    service.exporter.run_upkeep();
    service.exporter.render()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".into());
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let (service, traces) = Service::new()?;
    let app = Router::new()
        .route("/invoice/{id}", post(book))
        .route("/live", get(async || "alive\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(scrape))
        .with_state(service.clone());

    let watch = tokio::spawn(async move { traces.watch(Duration::from_millis(100)).await });
    let space = service.space;
    let closing = space.clone();
    let drained = tokio::spawn(async move { space.shutdown_on_signals(GRACE).await });
    let closed = async move {
        closing.closed().await;
    };

    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(closed).await?;

    let report = drained.await??;
    watch.abort();
    println!("shut down: {} released, {} revoked", report.released, report.revoked);
    Ok(())
}
