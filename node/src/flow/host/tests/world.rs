//! A host with a store of its own, and a client that says exactly what it is told to say.

use std::sync::Arc;

use karute_consent::id::*;
use karute_consent::purpose::Purpose;
use karute_consent::request::{Request, Selector};
use karute_consent::scope::Action;
use karute_protocol::message::{self, Hello, Message, Version};
use tokio::io::{DuplexStream, ReadHalf, duplex, split};

use super::cast::{NOW, identity, key};
use crate::ambient::Ambient;
use crate::flow::host::session::serve;
use crate::flow::host::{Host, Registration};
use crate::frame::{FrameId, FrameKind, FrameReader, FrameWriter, Outbox};
use crate::net::TransportSeed;
use crate::vault::bodies::BodyLimits;
use crate::vault::{Store, StoreSettings};

/// A host with an empty store.
pub(super) struct World {
    pub(super) host: Arc<Host>,
    pub(super) ambient: Ambient,
    pub(super) folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Registration::Open)
    }

    pub(super) fn with(registration: Registration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ambient = Ambient::fixed(NOW, 7);
        let host = Host::new(open_store(folder.path()), identity(4), registration, ambient.clone());
        Self { host, ambient, folder }
    }

    /// A host whose journal asks `entropy` for every frame it writes: a test can make it wait there, or break it.
    pub(super) fn with_entropy(entropy: crate::vault::journal::Entropy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ambient = Ambient::fixed(NOW, 7);
        let settings = StoreSettings {
            folder: folder.path().to_owned(),
            log: identity(4),
            entropy,
            bodies: BodyLimits::default(),
        };
        let store = Store::open(settings, &mut |_| {}).unwrap().0;
        let host = Host::new(store, identity(4), Registration::Open, ambient.clone());
        Self { host, ambient, folder }
    }

    /// The same host after a restart.
    pub(super) fn restarted(self) -> Self {
        let Self { host, ambient, folder } = self;
        drop(host);
        let host = Host::new(open_store(folder.path()), identity(4), Registration::Open, ambient.clone());
        Self { host, ambient, folder }
    }

    /// A session of the transport end `peer`.
    pub(super) async fn client(&self, peer: u8) -> Client {
        Client::connect(self.host.clone(), peer).await
    }
}

fn open_store(folder: &std::path::Path) -> Store {
    let entropy = Arc::new(|bytes: &mut [u8]| getrandom::fill(bytes).unwrap());
    let settings =
        StoreSettings { folder: folder.to_owned(), log: identity(4), entropy, bodies: BodyLimits::default() };
    Store::open(settings, &mut |_| {}).unwrap().0
}

/// A client of one session.
pub(super) struct Client {
    reader: FrameReader<ReadHalf<DuplexStream>>,
    pub(super) outbox: Outbox,
    pub(super) next: u32,
    pub(super) challenge: Challenge,
    pub(super) sequence: u64,
    pub(super) peer: Vec<u8>,
}

/// What came in answer to one message.
#[derive(Default, Debug)]
pub(super) struct Answers {
    pub(super) messages: Vec<Message>,
    pub(super) pieces: Vec<u8>,
}

impl Answers {
    pub(super) fn last(&self) -> &Message {
        self.messages.last().expect("at least one answer")
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.last(), Message::Refusal(_))
    }

    pub(super) fn fault(&self) -> message::FaultCode {
        match self.last() {
            Message::Fault(fault) => fault.code,
            other => panic!("no fault but {other:?}"),
        }
    }
}

impl Client {
    /// A stream on which nothing has been said.
    pub(super) fn silent(host: Arc<Host>, peer: u8) -> Self {
        let (ours, theirs) = duplex(64 * 1024);
        let peer = TransportSeed::new([peer; 32]).peer_key();
        tokio::spawn(serve(host, peer, theirs));
        let (from, to) = split(ours);
        let (outbox, _) = Outbox::start(FrameWriter::new(to));
        let challenge = Challenge::from_bytes([0; 32]);
        Self { reader: FrameReader::new(from), outbox, next: 1, challenge, sequence: 0, peer: peer.to_bytes() }
    }

    async fn connect(host: Arc<Host>, peer: u8) -> Self {
        let mut client = Self::silent(host, peer);
        let answers = client.ask(Hello { versions: vec![Version(1)], heads: Vec::new() }).await;
        let Message::Welcome(welcome) = answers.last() else { panic!("{answers:?}") };
        client.challenge = welcome.challenge;
        client
    }

    /// Sends a message and does not wait.
    pub(super) async fn send(&mut self, message: impl Into<Message>) -> FrameId {
        let number = FrameId(self.next);
        self.next += 1;
        self.outbox.message(number, message.into().encode().unwrap()).await.unwrap();
        number
    }

    /// Sends a message and gathers its answer to the end.
    pub(super) async fn ask(&mut self, message: impl Into<Message>) -> Answers {
        let number = self.send(message).await;
        self.answers(number).await
    }

    /// Everything up to the last message of the answer to `number`.
    pub(super) async fn answers(&mut self, number: FrameId) -> Answers {
        let mut answers = Answers::default();
        while let Some((kind, id, payload)) = self.frame().await {
            assert_eq!(id, number);
            match kind {
                FrameKind::Piece => answers.pieces.extend_from_slice(&payload),
                FrameKind::Message => {
                    let message = Message::decode(&payload).unwrap();
                    let ends = [2, 4, 6, 8, 10, 18, 20, 22, 24, 30, 34, 42].contains(&message.tag());
                    answers.messages.push(message);
                    if ends {
                        return answers;
                    }
                }
            }
        }
        answers
    }

    /// The next frame; nothing when the host ended the session.
    pub(super) async fn frame(&mut self) -> Option<(FrameKind, FrameId, bytes::Bytes)> {
        let next = self.reader.next(std::time::Duration::from_secs(20)).await;
        assert!(!matches!(next, Err(crate::frame::ReadError::Idle)), "the host neither answers nor ends");
        next.ok().flatten().map(|frame| (frame.kind, frame.number, frame.payload))
    }

    /// A request of this session as it should be; tests bend it.
    pub(super) fn request(&mut self, vault: VaultId, action: Action, chain: &[StatementId]) -> Request {
        self.sequence += 1;
        Request {
            id: RequestId::from_bytes([
                self.sequence as u8,
                self.challenge.as_bytes()[0],
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
            ]),
            vault,
            chain: chain.to_vec(),
            action,
            selector: Selector::default(),
            purpose: if chain.is_empty() { Purpose::PatientRequest } else { Purpose::Treatment },
            acting_hash: None,
            challenge: self.challenge,
            sequence: self.sequence,
            node: NodeId::from_bytes(*key(4).as_bytes()),
            peer: self.peer.clone(),
            head: None,
            time: NOW,
            resumes: None,
        }
    }
}
