//! A host that lies. Everything in it is the real product: real hosts over real stores, with the node's own log key. What
//! makes it a liar is which of them it shows to whom ([`copy`]: an old disk, the other branch of a fork) and what it does
//! to the frames on their way (`relay`): it leaves out, reorders, tells another story and signs anew.
//!
//! An honest host that is shown a newer head of its own trail stops; a liar does not listen.

mod answers;
pub mod copy;
mod ledger;
mod lie;
mod relay;
mod story;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use karute_consent::party::Identity;
use karute_node::agent::connect::{Connect, MemoryConnect, MemoryInbound};
use karute_node::flow::agent::reach::Reach;
use karute_node::flow::host::Host;
use karute_node::flow::host::session::serve;
use karute_node::net::{PeerKey, TransportSeed};
use karute_protocol::message::Message;
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::sync::mpsc;

pub use lie::Lie;
use lie::telling;
use relay::{Heard, relay};

/// The liar in the place of a host. Copies of it are one liar.
#[derive(Clone)]
pub struct Liar(Arc<Mutex<Mind>>);

/// What it has in mind. Never locked across an await.
struct Mind {
    log: Identity,
    /// None while it is honest.
    lie: Option<Lie>,
    shown: Arc<Host>,
    /// Who is shown another host than the rest.
    shown_to: HashMap<PeerKey, Arc<Host>>,
    tape: Tape,
}

/// What it heard while it was honest, oldest first: what it can say again.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// What agents asked.
    pub asked: Vec<Message>,
    /// What the host answered.
    pub answered: Vec<Message>,
}

impl Liar {
    /// An honest one, with the log key of `host`.
    pub fn new(log: Identity, host: Arc<Host>) -> Self {
        let tape = Tape::default();
        Self(Arc::new(Mutex::new(Mind { log, lie: None, shown: host, shown_to: HashMap::new(), tape })))
    }

    /// Lies so in every session that begins from here on.
    pub fn lies(&self, lie: Lie) {
        self.mind().lie = Some(lie);
    }

    /// Tells the truth in every session that begins from here on.
    pub fn is_honest_again(&self) {
        self.mind().lie = None;
    }

    /// Shows this host to everybody.
    pub fn shows(&self, host: &Arc<Host>) {
        let mut mind = self.mind();
        mind.shown = host.clone();
        mind.shown_to.clear();
    }

    /// Shows this host to one party.
    pub fn shows_to(&self, transport: &TransportSeed, host: &Arc<Host>) {
        self.mind().shown_to.insert(transport.peer_key(), host.clone());
    }

    /// Shows this host to whoever comes with this transport key, as the network proved it.
    pub fn shows_to_peer(&self, peer: PeerKey, host: &Arc<Host>) {
        self.mind().shown_to.insert(peer, host.clone());
    }

    /// What it heard while it was honest.
    pub fn tape(&self) -> Tape {
        self.mind().tape.clone()
    }

    /// A way to it for an agent with this transport key, under the address of the world's host.
    pub fn reach(&self, transport: &TransportSeed) -> Reach {
        let (accept, mut arriving) = mpsc::channel::<MemoryInbound>(ARRIVING_MAX);
        let liar = self.clone();
        tokio::spawn(async move {
            while let Some(MemoryInbound { peer, stream }) = arriving.recv().await {
                let peer = PeerKey::from_bytes(&peer).expect("a world's peers have peer ids");
                tokio::spawn(liar.clone().serve(peer, stream));
            }
        });
        let peer = transport.peer_key().to_bytes();
        Reach::new(Connect::Memory(MemoryConnect::new(peer).with_host(crate::world::ADDRESS, accept)))
    }

    /// Serves a stream as a host does.
    pub async fn serve<S>(self, peer: PeerKey, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (host, telling) = {
            let mind = self.mind();
            let host = mind.shown_to.get(&peer).unwrap_or(&mind.shown).clone();
            (host, telling(mind.lie, &mind.log, &mind.tape))
        };
        let (ours, theirs) = duplex(STREAM_BYTES);
        let serving = tokio::spawn(serve(host, peer, theirs));
        let listening = Box::new(move |heard: Heard<'_>| self.hears(heard));
        relay(stream, ours, telling, listening).await;
        serving.abort();
    }

    fn hears(&self, heard: Heard<'_>) {
        let mut mind = self.mind();
        match heard {
            Heard::Asked(message) => mind.tape.asked.push(message.clone()),
            Heard::Answered(message) if mind.lie.is_none() => mind.tape.answered.push(message.clone()),
            Heard::Answered(_) => {}
        }
    }

    fn mind(&self) -> MutexGuard<'_, Mind> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Streams that wait to be served.
const ARRIVING_MAX: usize = 64;
/// Bytes on their way to the host before the writer waits.
const STREAM_BYTES: usize = 256 * 1024;
