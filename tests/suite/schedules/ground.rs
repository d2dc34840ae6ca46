//! Where schedules are played: a world with one vault, records of every size, a guardian who may revoke, and chains of
//! grants that are signed by hand, many in one append.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::{CollectionId, PartyKey, RecordId, RequestId, Salt, StatementId, VaultId};
use karute_consent::ledger::{Entry, EntryKind, LedgerState, body_hash};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::request::{Request, Selector};
use karute_consent::revocation::{Revocation, RevocationReason};
use karute_consent::scope::{Action, Scope};
use karute_consent::sealing::Suite;
use karute_consent::statement::{Statement, Unverified, Verified, sign};
use karute_consent::time::Validity;
use karute_consent::tree::digest_of;
use karute_consent::vault::Nonce;
use karute_node::agent::connect::Line;
use karute_node::flow::host::session::serve;
use karute_node::frame::FrameId;
use karute_node::net::TransportSeed;
use karute_protocol::hpke::Sealed;
use karute_protocol::message::frame::FrameKind;
use karute_protocol::message::{Append, AppendItem, Attach, Fetch, Message};
use karute_protocol::wire::{LedgerSize, Octets};
use karute_tests::world::{Answered, DAY, START, Wire, World, deposits_to, kind, seed_of};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::play::{End, end_of};
use super::stream::{Log, Pace, Paced, Stamped};

/// A vault and what stands in it while schedules are played.
pub(super) struct Ground {
    pub(super) world: World,
    pub(super) vault: VaultId,
    device: Identity,
    /// The key that signs authorities.
    pub(super) identity: Identity,
    pub(super) guardian: (Identity, StatementId),
    pub(super) collection: CollectionId,
    /// The records by size, the smallest first, and how many bytes the answer has for each.
    pub(super) records: Vec<(RecordId, usize)>,
    /// The frames with which a record is answered.
    frames: BTreeMap<RecordId, Vec<(FrameKind, Vec<u8>)>>,
}

/// A session over a stream on which the host's bytes are stamped.
pub(super) struct Seat {
    pub(super) wire: Wire,
    pub(super) log: Arc<Log>,
    /// To be set when the request is on its way: from then on the reader keeps its pace.
    pub(super) begun: Arc<AtomicBool>,
    /// Ends when the host has ended the session.
    pub(super) served: JoinHandle<()>,
}

/// What is sealed in a grant, for a host that cannot tell.
const SEALED: &[u8] = b"sealed";
/// Sizes of the files that are read.
const FILES: [usize; 8] = [300, 3_000, 12_000, 50_000, 80_000, 300_000, 1_200_000, 3_000_000];

/// A folder that costs no disk, where the system has one.
pub(super) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder for the world")
}

impl Ground {
    pub(super) async fn new(seed: u64) -> Self {
        let mut world = World::new_in(seed, &[], folder()).await;
        let lab = kind(karute_consent::category::Category::Lab);
        let vault = world.patient("hanako").creates_vault(&[lab]).await.unwrap();
        let link = world.patient("hanako").link();
        let card = world.facility("A").learns(&link);
        world.patient("hanako").grants(deposits_to(&card, &[lab])).await.unwrap();
        let mut records = Vec::new();
        for (number, len) in FILES.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..len).map(|at| (at as u8).wrapping_mul(31) ^ number as u8).collect();
            records.push((world.facility("A").deposits(vault, &bytes, lab).await.unwrap(), len));
        }
        let key = world.patient("hanako").device();
        let device = world.stolen_key("hanako", key);
        let state = world.host().store().ledger(vault).unwrap().unwrap();
        let identity = world.stolen_key("hanako", state.identity());
        let guardian = Identity::from_seed(&seed_of(seed, "guardian"));
        let collection = state.directory().unwrap().leaves.as_ref().unwrap().iter().next().unwrap().collection;
        let none = (guardian, StatementId::NONE);
        let mut ground =
            Self { world, vault, device, identity, guardian: none, collection, records, frames: BTreeMap::new() };
        let actions = [Action::List, Action::Read, Action::Audit, Action::Revoke];
        let grant = ground.grant(ground.guardian.0.key(), &actions, None, 0);
        let grant = sign(grant, &ground.device).unwrap();
        ground.guardian.1 = grant.id();
        ground.appends_grants(&[grant]).await;
        ground.frames = ground.whole_answer().await;
        ground
    }

    /// The key of the vault's device.
    pub(super) fn device(&self) -> Identity {
        Identity::from_seed(&self.device.to_seed())
    }

    pub(super) fn state(&self) -> Arc<LedgerState> {
        self.world.host().store().ledger(self.vault).unwrap().unwrap()
    }

    /// What the whole vault is answered with, record by record.
    async fn whole_answer(&self) -> BTreeMap<RecordId, Vec<(FrameKind, Vec<u8>)>> {
        let mut seat = self.seat("whole", 1 << 20, Pace::Fast).await;
        let request = self.request(&mut seat, &self.device, Action::Read, &[], None);
        let answered = seat.wire.ask(Fetch { request, acting: None, range: None }).await.unwrap();
        let mut frames: Vec<(RecordId, Vec<(FrameKind, Vec<u8>)>)> = Vec::new();
        for (kind, payload) in answered.frames {
            match (kind, payload.first()) {
                (FrameKind::Message, Some(28)) => {
                    let Ok(Message::RecordAnswer(record)) = Message::decode(&payload) else { panic!("no record") };
                    let record = record.header.clone().verify().unwrap().payload().record;
                    frames.push((record, vec![(kind, payload)]));
                }
                (FrameKind::Piece, _) => frames.last_mut().unwrap().1.push((kind, payload)),
                _ => {}
            }
        }
        assert_eq!(frames.len(), FILES.len());
        frames.into_iter().collect()
    }

    /// A grant over the collection; with `records`, over these single records.
    pub(super) fn grant(
        &self,
        holder: PartyKey,
        actions: &[Action],
        parent: Option<(StatementId, u8)>,
        depth: u8,
    ) -> Grant {
        let core = GrantCore {
            vault: self.vault,
            holder,
            scope: Scope {
                actions: actions.iter().copied().collect(),
                collections: BTreeSet::from([self.collection]),
                months: None,
                records: None,
                depositors: None,
            },
            purposes: BTreeSet::from([Purpose::Treatment]),
            validity: Validity::new(START.minus_secs(DAY), START.plus_secs(30 * DAY)).unwrap(),
            uses: None,
            depth: parent.map_or(depth, |(_, depth)| depth),
            parent: parent.map(|(parent, _)| parent),
            nonce: Nonce::from_bytes([depth; 16]),
        };
        Grant { core, sealed_hash: digest_of(&[SEALED]), package_hash: Some(digest_of(&[&package()])) }
    }

    /// Appends grants of one level, all in one: with entries by the device, or by the home host where they have parents.
    pub(super) async fn appends_grants(&self, grants: &[Verified<Grant>]) {
        let mut seat = self.seat("appends", 64 << 10, Pace::Fast).await;
        for some in grants.chunks(16) {
            for bytes in [SEALED.to_vec(), package()] {
                let _ = seat.wire.ask(Attach { bytes: Octets(bytes) }).await.unwrap();
            }
            let state = self.state();
            let mut last = (state.next_seq(), state.last());
            let mut items = Vec::new();
            for grant in some {
                let entry = match grant.payload().core.parent {
                    Some(_) => Unverified::from_bytes(Vec::new()),
                    None => {
                        let entry = self.entry(&state, EntryKind::Grant, grant.bytes(), last, &self.device);
                        last = (karute_consent::id::Seq(last.0.0 + 1), entry.id());
                        entry.to_unverified()
                    }
                };
                let attachments = vec![digest_of(&[SEALED]), digest_of(&[&package()])];
                items.push(AppendItem { entry, salt: salt(), body: Octets(grant.bytes().to_vec()), attachments });
            }
            let size = LedgerSize(state.size());
            let append = Append { vault: self.vault, size, items, registration: None };
            let answered = seat.wire.ask(append).await.unwrap();
            assert!(matches!(answered.first(), Some(Message::Appended(_))), "{answered:?}");
        }
    }

    /// One statement as an append with an entry of its own over the ledger as it is now.
    pub(super) fn append<T: Statement>(
        &self,
        kind: EntryKind,
        body: &Verified<T>,
        with: &[Vec<u8>],
        signer: &Identity,
    ) -> Append {
        let state = self.state();
        let id = if kind == EntryKind::Authority { Some(body.id()) } else { None };
        let mut entry = self.entry(&state, kind, body.bytes(), (state.next_seq(), state.last()), signer);
        if let Some(id) = id {
            entry = sign(Entry { authority: id, ..entry.payload().clone() }, signer).unwrap();
        }
        let attachments = with.iter().map(|bytes| digest_of(&[bytes])).collect();
        let item =
            AppendItem { entry: entry.to_unverified(), salt: salt(), body: Octets(body.bytes().to_vec()), attachments };
        Append { vault: self.vault, size: LedgerSize(state.size()), items: vec![item], registration: None }
    }

    fn entry(
        &self,
        state: &LedgerState,
        kind: EntryKind,
        body: &[u8],
        (seq, prev): (karute_consent::id::Seq, StatementId),
        signer: &Identity,
    ) -> Verified<Entry> {
        let entry = Entry {
            vault: self.vault,
            seq,
            prev,
            kind,
            body_hash: body_hash(&salt(), body),
            directory: state.directory_id(),
            authority: state.authority_id(),
            time: state.time(),
        };
        sign(entry, signer).unwrap()
    }

    pub(super) fn revocation(&self, grant: StatementId, by: &Identity) -> Verified<Revocation> {
        let issued = self.world.now();
        sign(Revocation { vault: self.vault, grant, reason: RevocationReason::Wish, issued }, by).unwrap()
    }

    /// A session of whoever has the transport key of this name.
    pub(super) async fn seat(&self, name: &str, pipe: usize, pace: Pace) -> Seat {
        let peer = TransportSeed::new(seed_of(1, name)).peer_key();
        let (near, far) = tokio::io::duplex(pipe);
        let log = Arc::new(Log::default());
        let stream = Stamped { stream: far, log: log.clone() };
        let served = tokio::spawn(serve(self.world.host().clone(), peer, stream));
        let paced = Paced::new(near, pace);
        let begun = paced.begun.clone();
        let wire = Wire::hello(Line { stream: Box::new(paced), peer: peer.to_bytes() }).await;
        Seat { wire, log, begun, served }
    }

    /// A signed request of a session.
    pub(super) fn request(
        &self,
        seat: &mut Seat,
        signer: &Identity,
        action: Action,
        chain: &[StatementId],
        records: Option<BTreeSet<RecordId>>,
    ) -> Unverified<Request> {
        let mut id = [0; RequestId::LEN];
        id.copy_from_slice(&seat.wire.challenge.as_bytes()[..RequestId::LEN]);
        let asked = Request {
            id: RequestId::from_bytes(id),
            vault: self.vault,
            chain: chain.to_vec(),
            action,
            selector: Selector { records, ..Selector::default() },
            purpose: if chain.is_empty() { Purpose::PatientRequest } else { Purpose::Treatment },
            acting_hash: None,
            challenge: seat.wire.challenge,
            sequence: 0,
            node: seat.wire.node,
            peer: Vec::new(),
            head: None,
            time: self.world.now(),
            resumes: None,
        };
        seat.wire.request(signer, asked, |_| ())
    }

    /// The frames of an answer to a fetch of these records, which comes in the order of their ids, between the
    /// permission and the end.
    pub(super) fn expected(&self, records: &BTreeSet<RecordId>) -> Vec<&(FrameKind, Vec<u8>)> {
        records.iter().flat_map(|record| &self.frames[record]).collect()
    }

    /// The refusals of the trail, by party: how many, and the number of the last reason.
    pub(super) async fn refusals(&self) -> BTreeMap<PartyKey, (u32, u8)> {
        let mut seat = self.seat("audits", 1 << 20, Pace::Fast).await;
        let request = self.request(&mut seat, &self.device, Action::Audit, &[], None);
        let from = karute_protocol::trail::TrailNumber(1);
        let answered = seat.wire.ask(karute_protocol::message::Audit { request, from }).await.unwrap();
        refusals_in(&answered)
    }
}

impl Seat {
    /// Sends a message and lets the reader keep its pace from here on.
    pub(super) async fn sends(&mut self, message: impl Into<Message>) -> FrameId {
        let payload = message.into().encode().unwrap();
        let number = self.wire.send(FrameKind::Message, payload).await.expect("the host reads");
        self.begun.store(true, Ordering::SeqCst);
        number
    }

    /// Reads until the answer is whole, or is as far as it will ever come.
    pub(super) async fn has_what_comes(&mut self, number: FrameId) {
        let Self { wire, log, served, .. } = self;
        let handed_over = async {
            // Only a reader that reads nothing more waits so long.
            while end_of(&log.answer(number)) == End::Cut {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            _ = wire.answer_to(number) => {}
            _ = served => {}
            () = handed_over => {}
        }
    }
}

fn refusals_in(answered: &Answered) -> BTreeMap<PartyKey, (u32, u8)> {
    let mut refusals: BTreeMap<PartyKey, (u32, u8)> = BTreeMap::new();
    for message in answered.messages() {
        let Message::TrailItem(item) = message else { continue };
        let Some(event) = item.event else { continue };
        if event.outcome.0 != 0 {
            let kept = refusals.entry(event.party).or_default();
            *kept = (kept.0 + 1, event.outcome.0);
        }
    }
    refusals
}

/// Something sealed for a holder, for a host that cannot tell.
fn package() -> Vec<u8> {
    let sealed = Sealed::new(Suite::X25519, vec![1; 32], vec![2; 64]).unwrap();
    karute_consent::encoding::to_bytes(&sealed).unwrap()
}

fn salt() -> Salt {
    Salt::from_bytes([6; 32])
}
