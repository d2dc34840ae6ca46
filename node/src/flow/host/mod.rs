//! The host's deeds: what a node does for the vaults it keeps, blind to what is in them.
//!
//! One file, one deed, each in five steps: read, verify, decide, commit, answer. The peer is told nothing of why
//! something was refused; the trail keeps the reason (I-10). Nothing here can name a key that opens a record: this side
//! is built without the protocol's opening half (I-6).
//!
//! [`session::serve`] speaks with one peer over one stream, whether of the network or within the process;
//! [`run`] listens.

mod answer;
mod append;
mod ask;
mod attach;
mod audit;
mod chosen;
mod cosigning;
mod decide;
mod deposit;
mod evidence;
mod face;
mod fetch;
mod gossip;
mod heads;
mod hello;
mod key;
mod list;
mod pass_on;
mod pieces;
mod re_wrap;
mod revoke;
pub mod run;
pub mod session;
mod sync;
#[cfg(test)]
mod tests;
mod upload;
mod watch;
mod withdraw;
mod word;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use karute_consent::id::NodeId;
use karute_consent::party::Identity;
use karute_protocol::message::FaultCode;
use karute_protocol::trail::Receipt;
use subtle::ConstantTimeEq;
use tokio::sync::watch::Sender;

pub use cosigning::keep_cosigned;

use crate::ambient::Ambient;
use crate::cosign::Witnesses;
use crate::vault::{CommitError, Done, ReadError, Store};
use answer::Turned;
use cosigning::Cosigning;
use gossip::Gossip;
use word::WordTimes;

/// A node's host side: one store, one log key, many vaults.
pub struct Host {
    store: Store,
    /// Signs ledger entries that the home host makes, and list answers.
    log: Identity,
    ambient: Ambient,
    registration: Registration,
    /// Refusals of parties that no vault knows: counted, never recorded, so that strangers cannot fill a trail.
    strangers: AtomicU64,
    closing: Sender<bool>,
    cosigning: Cosigning,
    gossip: Gossip,
    word_times: WordTimes,
    /// Whether the store was shown to be an old copy (P-49).
    put_back: Sender<bool>,
}

/// Who may make a vault here.
pub enum Registration {
    /// Nobody.
    Closed,
    /// Whoever shows this code.
    Code(String),
    /// Everybody. For tests, and for a node that only its owner can reach.
    Open,
}

impl Registration {
    /// Whether what was shown is enough. Takes the same time for every wrong code of one length.
    fn admits(&self, shown: Option<&str>) -> bool {
        match self {
            Self::Closed => false,
            Self::Open => true,
            Self::Code(code) => shown.is_some_and(|shown| shown.as_bytes().ct_eq(code.as_bytes()).into()),
        }
    }
}

impl Host {
    /// A host over this store, whose log key must be the one the store signs checkpoints with. Nobody cosigns its trail.
    pub fn new(store: Store, log: Identity, registration: Registration, ambient: Ambient) -> Arc<Self> {
        Self::with_witnesses(store, log, registration, ambient, Witnesses::none())
    }

    /// The same, with witnesses; [`keep_cosigned`] has them asked.
    pub fn with_witnesses(
        store: Store,
        log: Identity,
        registration: Registration,
        ambient: Ambient,
        witnesses: Witnesses,
    ) -> Arc<Self> {
        let put_back = Sender::new(gossip::is_put_back(&store));
        let word_times = WordTimes::new(&store);
        Arc::new(Self {
            store,
            log,
            ambient,
            registration,
            strangers: AtomicU64::new(0),
            closing: Sender::new(false),
            cosigning: Cosigning::new(witnesses),
            gossip: Gossip::default(),
            word_times,
            put_back,
        })
    }

    /// The node id: the public half of the log key.
    pub fn node(&self) -> NodeId {
        NodeId::from_bytes(*self.log.key().as_bytes())
    }

    /// Clock and randomness.
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How many refusals were counted and not recorded since the start.
    pub fn strangers_refused(&self) -> u64 {
        self.strangers.load(Ordering::Relaxed)
    }

    /// Asks every session to end once its answers are given.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Whether sessions are being ended.
    pub fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }
}

impl Host {
    /// Looks something up that may take long, off the runtime's own threads.
    async fn blocking<T, E>(&self, look: impl FnOnce(&Store) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Turned> + Send + 'static,
    {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || look(&store)).await {
            Ok(found) => found,
            Err(_) => Err(E::from(Turned::Fault(FaultCode::Storage))),
        }
    }
}

/// The receipt of the last event of a commit.
fn last_receipt(done: Done) -> Result<Receipt, Turned> {
    done.receipts.into_iter().next_back().ok_or(Turned::Fault(FaultCode::Storage))
}

impl From<ReadError> for Turned {
    fn from(error: ReadError) -> Self {
        if matches!(error, ReadError::NotPermitted) {
            tracing::error!("the store was asked for what its permit does not reach");
            return Self::Refused;
        }
        if matches!(error, ReadError::EventErased) {
            return Self::Fault(FaultCode::Changed); // what was to be shown is no more
        }
        tracing::error!(%error, "the store cannot be read");
        Self::Fault(FaultCode::Storage)
    }
}

impl From<CommitError> for Turned {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Read(error) => error.into(),
            CommitError::Refused(_) => Self::Refused,
            CommitError::Item | CommitError::TooLarge | CommitError::Encoding(_) => Self::Fault(FaultCode::Malformed),
            CommitError::RecordExists | CommitError::OtherRun | CommitError::NoBody => Self::Fault(FaultCode::Changed),
            CommitError::AskExists => Self::Fault(FaultCode::Conflict),
            CommitError::Unknown => Self::Fault(FaultCode::NotInForce),
            CommitError::Journal(_) | CommitError::Incomplete => {
                tracing::error!(%error, "nothing was committed");
                Self::Fault(FaultCode::Storage)
            }
        }
    }
}

/// Refusals after which a session ends.
const REFUSALS_MAX: u32 = 64;
