//! A depositor over raw frames: everything it sends is really sealed and signed, and may be spoiled before it is sent.

use karute_consent::category::Kind;
use karute_consent::id::{CollectionId, Digest, RecordId, RunId, StatementId, VaultId};
use karute_consent::party::Identity;
use karute_consent::request::{Head, Selector};
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, Verified, sign};
use karute_consent::time::Timestamp;
use karute_consent::tree::digest_of;
use karute_node::frame::FrameKind;
use karute_protocol::body::Salt;
use karute_protocol::directory::EpochKey;
use karute_protocol::hpke::Entropy;
use karute_protocol::message::{Body, FaultCode, Key, Message, Offset, OpenRun, Put};
use karute_protocol::record::{Header, Meta, RecordSealer, SealedMeta};
use karute_protocol::run::{RecordPlace, Run, RunFacts, RunSecret};
use karute_protocol::wire::{ByteCount, Octets};
use karute_tests::world::{Answered, Wire};

use super::scene::Scene;

/// A session that is about to deposit, and the key it was given.
pub(super) struct Depositor {
    pub(super) wire: Wire,
    pub(super) identity: Identity,
    pub(super) vault: VaultId,
    pub(super) grant: StatementId,
    key: EpochKey,
    head: Head,
    now: Timestamp,
}

/// A record ready to be sent.
pub(super) struct Sealed {
    pub(super) header: Header,
    pub(super) meta: SealedMeta,
    pub(super) body: Vec<u8>,
}

impl Depositor {
    /// A new session of A that was permitted to deposit into the collection of `kind`.
    pub(super) async fn new(scene: &mut Scene, kind: Kind, id: u8) -> Self {
        Self::of(scene, "A", kind, id).await
    }

    /// The same for another facility, which holds the scene's deposit grant.
    pub(super) async fn of(scene: &mut Scene, name: &str, kind: Kind, id: u8) -> Self {
        let collection = scene.collection_of(kind).await;
        let (mut wire, identity) = scene.raw(name).await;
        let selector = Selector { collections: Some([collection].into()), ..Selector::default() };
        let asked = scene.request(Action::Deposit, &[scene.deposit], id);
        let request = wire.request(&identity, asked, |request| request.selector = selector);
        let (now, vault) = (scene.world.now(), scene.vault);
        let answer = wire.ask(Key { request, collection, month: now.month() }).await.unwrap();
        let Some(Message::KeyFound(found)) = answer.first() else { panic!("{answer:?}") };
        let store = scene.world.host().store();
        let directory = store.ledger(vault).unwrap().unwrap().directory_id();
        let key = found.proof.unwrap().verify(directory, collection, now.month()).unwrap();
        let head = store.ledger_head(vault).unwrap();
        let head = Head { size: head.size, root: Digest::from_bytes(head.root.0) };
        Self { wire, identity, vault, grant: scene.deposit, key, head, now }
    }

    /// A run of this depositor, spoiled by `change` before it is sealed.
    pub(super) fn run(&self, number: u8, change: impl FnOnce(&mut RunFacts)) -> Verified<Run> {
        let mut facts = RunFacts {
            run: RunId::from_bytes([number; 16]),
            vault: self.vault,
            collection: self.key.collection,
            generation: self.key.generation,
            epoch: self.key.month,
            depositor: self.identity.key(),
            grant: Some(self.grant),
            head: self.head,
        };
        change(&mut facts);
        let sealed = facts.seal(&secret(number), &self.key.key, Entropy::new([number; 64])).unwrap();
        sign(sealed, &self.identity).unwrap()
    }

    /// Opens a run; gives the answer.
    pub(super) async fn opens(&mut self, run: Unverified<Run>) -> Answered {
        self.wire.ask(OpenRun { run }).await.unwrap()
    }

    /// Opens a good run.
    pub(super) async fn opens_good(&mut self, number: u8) -> Verified<Run> {
        let run = self.run(number, |_| ());
        let answer = self.opens(run.to_unverified()).await;
        assert!(matches!(answer.first(), Some(Message::Done(_))), "{answer:?}");
        run
    }

    /// Seals a file for a run.
    pub(super) fn seals(&self, run: &Verified<Run>, number: u8, file: &[u8]) -> Sealed {
        let of = run.payload();
        let record = RecordId::from_bytes([number; 16]);
        let place = RecordPlace { vault: of.vault, run: of.run, depositor: of.depositor, record };
        let keys = secret(of.run.as_bytes()[0]).record_keys(&place);
        let (length, digest) = (ByteCount(file.len() as u64), digest_of(&[file]));
        let mut sealer = RecordSealer::new(keys.body.as_ref().unwrap(), length, digest).unwrap();
        let mut body = Vec::new();
        sealer.push(file, &mut body).unwrap();
        let facts = sealer.finish(&mut body).unwrap().facts;
        let meta = Meta {
            title: "血液検査".to_owned(),
            category: karute_consent::category::Category::Lab,
            sensitivity: karute_consent::category::Sensitivity::Normal,
            media_type: "text/plain".to_owned(),
            service_date: None,
            author: None,
            labels: Vec::new(),
            length,
            digest,
            file_name: None,
        };
        let meta = meta.seal(&keys.meta, Salt([number; 24])).unwrap();
        Sealed { header: Header::new(&place, &facts, &meta, None, self.now), meta, body }
    }

    /// Puts a record whose body is short, or came before.
    pub(super) async fn puts(&mut self, sealed: &Sealed, body: Option<Vec<u8>>) -> Answered {
        let header = sign(sealed.header.clone(), &self.identity).unwrap().to_unverified();
        let put = Put { header, meta: sealed.meta.clone(), body: body.map(Octets) };
        self.wire.ask(put).await.unwrap()
    }

    /// Begins or resumes a body and sends `bytes` of it from where the host stands; gives where that was.
    pub(super) async fn sends(&mut self, sealed: &Sealed, bytes: impl FnOnce(usize) -> Vec<u8>) -> Offset {
        let of = &sealed.header;
        let begin = Message::from(Body { run: of.run, record: of.record, length: of.body_length });
        let number = self.wire.send(FrameKind::Message, begin.encode().unwrap()).await.unwrap();
        let answer = self.wire.answer_to(number).await.unwrap();
        let Some(Message::Offset(offset)) = answer.first() else { panic!("{answer:?}") };
        for piece in bytes(offset.offset.0 as usize).chunks(1 << 20) {
            self.wire.send(FrameKind::Piece, piece.to_vec()).await.unwrap();
        }
        *offset
    }
}

/// The fault that an answer is.
pub(super) fn fault(answer: &Answered) -> FaultCode {
    match answer.first() {
        Some(Message::Fault(fault)) => fault.code,
        other => panic!("no fault: {other:?}"),
    }
}

/// The secret of the run with this number.
fn secret(number: u8) -> RunSecret {
    RunSecret::new(zeroize::Zeroizing::new([number; 32]))
}

/// A collection that no directory names.
pub(super) const ELSEWHERE: CollectionId = CollectionId::from_bytes([77; 16]);
