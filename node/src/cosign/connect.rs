//! How a witness is reached: over the network, or within one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::http;

/// The ways to witnesses. A bounded number of requests is on their way at a time.
pub struct Connect {
    way: Way,
    slots: Arc<Semaphore>,
}

enum Way {
    Network(http::Client),
    Memory(MemoryWitnesses),
}

/// Witnesses in this process, by the address under which they are known. A clone shares them.
#[derive(Clone, Default)]
pub struct MemoryWitnesses(Arc<Mutex<HashMap<String, mpsc::Sender<MemoryAsked>>>>);

/// A request that arrives at a witness in this process.
pub struct MemoryAsked {
    /// What follows the witness's own address, such as `/add-checkpoint`.
    pub path: String,
    /// The body; `None` for a request that only reads.
    pub body: Option<Vec<u8>>,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answered>,
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status code.
    pub status: u16,
    /// The body, of bounded length.
    pub body: Vec<u8>,
}

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoAnswer {
    /// Nobody is there.
    #[error("cannot be reached")]
    Unreachable,
    /// Not in time.
    #[error("did not answer in time")]
    TimedOut,
    /// What came is no answer, or above the limit.
    #[error("gave an answer that is none")]
    Malformed,
}

impl Connect {
    /// Over the network.
    pub fn network() -> Self {
        Self { way: Way::Network(http::Client::new()), slots: Arc::new(Semaphore::new(ASKED_MAX)) }
    }

    /// Within this process.
    pub fn memory(witnesses: MemoryWitnesses) -> Self {
        Self { way: Way::Memory(witnesses), slots: Arc::new(Semaphore::new(ASKED_MAX)) }
    }

    /// Sends `body` to `path` below the witness's address, and gives its answer.
    pub(super) async fn post(&self, url: &str, path: &str, body: Vec<u8>) -> Result<Answered, NoAnswer> {
        self.exchange(url, path, Some(body)).await
    }

    /// Reads `path` below the witness's address.
    pub(super) async fn get(&self, url: &str, path: &str) -> Result<Answered, NoAnswer> {
        self.exchange(url, path, None).await
    }

    async fn exchange(&self, url: &str, path: &str, body: Option<Vec<u8>>) -> Result<Answered, NoAnswer> {
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| NoAnswer::Unreachable)?;
        match &self.way {
            Way::Network(client) => {
                let (client, url) = (client.clone(), format!("{url}{path}"));
                let asking = tokio::task::spawn_blocking(move || {
                    let answered = client.exchange(&url, body);
                    drop(slot); // the request counts until it has ended, whoever still waits for it
                    answered
                });
                asking.await.unwrap_or(Err(NoAnswer::Unreachable))
            }
            Way::Memory(witnesses) => witnesses.exchange(url, path, body).await,
        }
    }
}

impl MemoryWitnesses {
    /// Puts a witness at an address; its own loop reads the other end of `asked`.
    pub fn put(&self, url: &str, asked: mpsc::Sender<MemoryAsked>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(url.to_owned(), asked);
    }

    /// Takes a witness away.
    pub fn remove(&self, url: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(url);
    }

    async fn exchange(&self, url: &str, path: &str, body: Option<Vec<u8>>) -> Result<Answered, NoAnswer> {
        let to = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        let (answer, answered) = oneshot::channel();
        let asked = MemoryAsked { path: path.to_owned(), body, answer };
        to.ok_or(NoAnswer::Unreachable)?.send(asked).await.map_err(|_| NoAnswer::Unreachable)?;
        match timeout(ANSWER_TIME, answered).await {
            Ok(Ok(answered)) => Ok(answered),
            Ok(Err(_)) => Err(NoAnswer::Unreachable),
            Err(_) => Err(NoAnswer::TimedOut),
        }
    }
}

/// Requests on their way at a time.
const ASKED_MAX: usize = 64;
/// Longest wait for a connection.
pub(super) const CONNECT_TIME: Duration = Duration::from_secs(2);
/// Longest wait for a whole answer.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Longest answer, in bytes: a checkpoint with many signatures.
pub(super) const ANSWER_BYTES_MAX: u64 = 64 * 1024;
