//! HTTP in front of the desk: C2SP tlog-witness, the admission of vaults, and a word on whether it lives.
//!
//! `POST /add-checkpoint`, `GET /<origin hash>/checkpoint`, `POST /karute/admit`, `GET /health`. There is no TLS: what is
//! said is signed, and an operator puts a proxy in front where privacy of the path matters. Nothing about who asks or
//! which vault is asked for is logged.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use karute_consent::id::parse_hex;
use karute_protocol::witness::{AddCheckpoint, Admission, AdmissionError, WitnessRefusal};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use super::desk::{Desk, DeskEnding, Refusal};
use super::limits::{ADD_BYTES_MAX, ADMIT_BYTES_MAX, ADMITTING_MAX, CLOSING};
use super::socket::Gate;

/// A witness that listens.
pub struct Witness {
    listener: TcpListener,
    desk: Desk,
    ending: DeskEnding,
}

/// Why a witness ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was told to.
    Asked,
    /// Its store failed.
    StoreStopped,
}

/// What every request is answered with.
#[derive(Clone)]
struct Counter {
    desk: Desk,
    /// Bounds the memory of requests to admit.
    admitting: Arc<Semaphore>,
}

impl Witness {
    /// Begins to listen; port 0 takes a free one.
    pub async fn bind(address: &str, desk: Desk, ending: DeskEnding) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, desk, ending })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is told to end or the store fails; then what is under way is finished, for a short while.
    pub async fn run(self, told_to_end: impl Future<Output = ()> + Send + 'static) -> Ending {
        let desk = self.desk.clone();
        let router = router(self.desk);
        let (closing, closed) = oneshot::channel();
        let watched = desk.clone();
        let end = async move {
            tokio::select! {
                () = told_to_end => {}
                () = watched.until_stopped() => {}
            }
            let _ = closing.send(()); // nobody waits when serving has ended by itself
        };
        let serving = axum::serve(Gate::new(self.listener), router).with_graceful_shutdown(end).into_future();
        tokio::select! {
            _ = serving => {}
            () = async { let _ = closed.await; tokio::time::sleep(CLOSING).await; } => {}
        }
        let ending = if desk.is_stopped() { Ending::StoreStopped } else { Ending::Asked };
        drop(desk);
        // Connections that were cut off may hold the desk a little longer; what they asked for is durable or was never signed.
        let joined = tokio::task::spawn_blocking(|| self.ending.join());
        let _ = tokio::time::timeout(CLOSING, joined).await;
        ending
    }
}

fn router(desk: Desk) -> Router {
    let counter = Counter { desk, admitting: Arc::new(Semaphore::new(ADMITTING_MAX)) };
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(checkpoint))
        .route("/karute/admit", post(admit))
        .route("/health", get(health))
        .with_state(counter)
}

async fn add_checkpoint(State(counter): State<Counter>, body: Body) -> Response {
    let Ok(body) = to_bytes(body, ADD_BYTES_MAX).await else {
        return refused(Refusal::Judged(WitnessRefusal::BadRequest));
    };
    let request = match AddCheckpoint::from_bytes(&body) {
        Ok(request) => request,
        Err(refusal) => return refused(Refusal::Judged(refusal)),
    };
    match counter.desk.add(request).await {
        Ok(line) => text(StatusCode::OK, line),
        Err(refusal) => refused(refusal),
    }
}

async fn checkpoint(State(counter): State<Counter>, Path(origin): Path<String>) -> Response {
    let Ok(origin) = parse_hex(&origin) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // One short read of a file that the page cache mostly holds.
    match counter.desk.newest(origin) {
        Ok(Some(checkpoint)) => text(StatusCode::OK, checkpoint.0),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(cause = %error, "a stored checkpoint could not be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn admit(State(counter): State<Counter>, body: Body) -> Response {
    let Ok(_room) = counter.admitting.try_acquire() else {
        return refused(Refusal::Busy);
    };
    let Ok(body) = to_bytes(body, ADMIT_BYTES_MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let verify = move || Admission::from_bytes(&body).and_then(|admission| admission.verify());
    let verified = tokio::task::spawn_blocking(verify).await;
    match verified {
        Err(_panicked) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Ok(Err(error)) => status(AdmissionError::status(error)).into_response(),
        Ok(Ok(admitted)) => match counter.desk.admit(admitted).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(refusal) => refused(refusal),
        },
    }
}

async fn health(State(counter): State<Counter>) -> Response {
    if counter.desk.is_stopped() { refused(Refusal::Stopped) } else { text(StatusCode::OK, "ok\n".to_owned()) }
}

/// The status, and after a conflict the size that was signed last.
fn refused(refusal: Refusal) -> Response {
    let status = status(refusal.status());
    match refusal {
        Refusal::Judged(WitnessRefusal::Conflict { size }) => {
            (status, [(CONTENT_TYPE, SIZE_TYPE)], format!("{size}\n")).into_response()
        }
        _ => status.into_response(),
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn text(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, TEXT_TYPE)], text).into_response()
}

/// What tlog-witness asks for.
const SIZE_TYPE: &str = "text/x.tlog.size";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

#[cfg(test)]
mod tests;
