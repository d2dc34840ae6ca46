//! One record from deposit to proof file, and proof files in which one thing is exchanged.

use karute_consent::category::{Category, Sensitivity};
use karute_consent::id::{Challenge, Digest, RecordId, RequestId, RunId, Salt, StatementId};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::request::{Head, Selector};
use karute_consent::scope::Action;
use karute_consent::sealing::SealingKey;
use karute_consent::statement::{StatementError, Verified, sign};
use karute_consent::time::{Month, Timestamp};
use karute_consent::tree::digest_of;

use super::*;
use crate::body::Salt as BodySalt;
use crate::hpke::{ENTROPY_LEN, Entropy, SealingSecret, Suite};
use crate::merkle::{TreeHead, root_of};
use crate::record::keys::RecordKeys;
use crate::record::{HeaderError, Meta, RecordSealer};
use crate::run::{ReWrapFacts, RecordPlace, RunFacts, RunSecret};
use crate::trail::{CheckpointText, Event, EventKind, Leaf, Log, Outcome, TrailIndex, TrailNumber};
use crate::wire::ByteCount;

const VAULT: VaultId = VaultId::from_bytes([1; 32]);
const FILE: &[u8] = b"what the laboratory found";

fn identity(byte: u8) -> Identity {
    Identity::from_seed(&[byte; 32])
}

fn node(byte: u8) -> NodeId {
    NodeId::from_bytes(*identity(byte).key().as_bytes())
}

const DEPOSITOR: u8 = 2;
const READER: u8 = 3;
const DEVICE: u8 = 4;
const HOST: u8 = 5;

fn collection() -> CollectionId {
    CollectionId::from_bytes([6; 16])
}

fn epoch_key() -> SealingKey {
    SealingSecret::new(Suite::XWing, Zeroizing::new([7; 32])).public()
}

fn entropy() -> Entropy {
    Entropy::new([8; ENTROPY_LEN])
}

fn secret() -> RunSecret {
    RunSecret::new(Zeroizing::new([9; 32]))
}

fn run() -> Verified<Run> {
    let facts = RunFacts {
        run: RunId::from_bytes([10; 16]),
        vault: VAULT,
        collection: CollectionId::INBOX,
        generation: Generation(0),
        epoch: Month(682),
        depositor: identity(DEPOSITOR).key(),
        grant: None,
        head: Head { size: 3, root: Digest::from_bytes([6; 32]) },
    };
    sign(facts.seal(&secret(), &epoch_key(), entropy()).unwrap(), &identity(DEPOSITOR)).unwrap()
}

fn re_wrap(run: &Verified<Run>) -> Verified<ReWrap> {
    let of = run.payload();
    let facts = ReWrapFacts {
        run: of.run,
        vault: VAULT,
        collection: collection(),
        generation: Generation(1),
        epoch: of.epoch,
        depositor: of.depositor,
        replaces: run.id(),
    };
    sign(facts.seal(&secret(), &epoch_key(), entropy()).unwrap(), &identity(DEVICE)).unwrap()
}

fn record_keys() -> (RecordPlace, RecordKeys) {
    let place = RecordPlace {
        vault: VAULT,
        run: RunId::from_bytes([10; 16]),
        depositor: identity(DEPOSITOR).key(),
        record: RecordId::from_bytes([11; 16]),
    };
    (place, secret().record_keys(&place))
}

fn header_and_meta() -> (Verified<Header>, SealedMeta) {
    let (place, keys) = record_keys();
    let length = ByteCount(FILE.len() as u64);
    let mut sealer = RecordSealer::new(&keys.body.unwrap(), length, digest_of(&[FILE])).unwrap();
    let mut body = Vec::new();
    sealer.push(FILE, &mut body).unwrap();
    let sealed = sealer.finish(&mut body).unwrap();
    let meta = Meta {
        title: "Findings".into(),
        category: Category::Lab,
        sensitivity: Sensitivity::Normal,
        media_type: "text/plain".into(),
        service_date: None,
        author: None,
        labels: vec![],
        length: sealed.length,
        digest: sealed.digest,
        file_name: None,
    };
    let meta = meta.seal(&keys.meta, BodySalt([12; 24])).unwrap();
    let header = Header::new(&place, &sealed.facts, &meta, None, Timestamp::from_secs(1_795_305_600));
    (sign(header, &identity(DEPOSITOR)).unwrap(), meta)
}

fn request() -> Verified<Request> {
    let request = Request {
        id: RequestId::from_bytes([13; 16]),
        vault: VAULT,
        chain: vec![StatementId::from_bytes([14; 32])],
        action: Action::Read,
        selector: Selector { collections: None, months: None, records: None },
        purpose: Purpose::Treatment,
        acting_hash: None,
        challenge: Challenge::from_bytes([15; 32]),
        sequence: 1,
        node: node(HOST),
        peer: vec![16; 38],
        head: None,
        time: Timestamp::from_secs(1_795_305_700),
        resumes: None,
    };
    sign(request, &identity(READER)).unwrap()
}

fn receipt(change: &dyn Fn(&mut Event)) -> Receipt {
    let mut event = Event {
        kind: EventKind::Read,
        party: identity(READER).key(),
        peer: None,
        request: Some(request().payload().id),
        chain: request().payload().chain.clone(),
        action: Some(Action::Read),
        purpose: Some(Purpose::Treatment),
        records: vec![RecordId::from_bytes([11; 16])],
        count: 1,
        outcome: Outcome(0),
        acting: None,
        head: Head { size: 3, root: Digest::from_bytes([8; 32]) },
        subject: None,
        place: None,
        request_statement: Some(request().to_unverified()),
    };
    change(&mut event);
    let salt = Salt::from_bytes([17; 32]);
    let leaf = Leaf::new(VAULT, TrailNumber(1), Timestamp::from_secs(1_795_305_700), &event, &salt).unwrap();
    let head = TreeHead { size: 1, root: root_of(&[leaf.hash().unwrap()]) };
    let checkpoint = CheckpointText::sign(Log::Trail, head, &identity(HOST));
    Receipt { leaf, salt, event, index: TrailIndex(0), proof: vec![], checkpoint }
}

fn proof() -> ProofFile {
    let (header, meta) = header_and_meta();
    let run = run();
    ProofFile {
        vault: VAULT,
        header: header.to_unverified(),
        meta,
        meta_key: record_keys().1.meta,
        re_wrap: Some(re_wrap(&run).to_unverified()),
        run: run.to_unverified(),
        collection: collection(),
        generation: Generation(1),
        number: RecordNumber(1),
        receipt: receipt(&|_| ()),
        request: request().to_unverified(),
        node: node(HOST),
    }
}

#[test]
fn a_proof_file_proves_its_file() {
    let bytes = proof().to_bytes().unwrap();
    let proven = ProofFile::from_bytes(&bytes).ok().unwrap().verify().ok().unwrap();
    assert_eq!(proven.header.signer(), identity(DEPOSITOR).key());
    assert_eq!(proven.meta.title, "Findings");
    let length = ByteCount(FILE.len() as u64);
    assert_eq!(proven.check_file(length, digest_of(&[FILE])), Ok(()));
    assert_eq!(proven.check_file(length, digest_of(&[b"other"])), Err(ProofError::OtherFile));
    assert_eq!(proven.check_file(ByteCount(1), digest_of(&[FILE])), Err(ProofError::OtherFile));
}

#[test]
fn a_proof_file_has_one_spelling_and_one_version() {
    let mut bytes = proof().to_bytes().unwrap().to_vec();
    assert_eq!(bytes[..3], [0xad, 0x01, 0x01]); // 13 fields, {1: 1
    bytes[2] = 2;
    assert_eq!(ProofFile::from_bytes(&bytes).err(), Some(ProofFileError::Version));
    bytes.push(0);
    assert!(matches!(ProofFile::from_bytes(&bytes).err(), Some(ProofFileError::Encoding(_))));
}

/// P-33
#[test]
fn a_proof_file_in_which_one_thing_is_exchanged_proves_nothing() {
    let refused = |change: &dyn Fn(&mut ProofFile)| {
        let mut bent = proof();
        change(&mut bent);
        bent.verify().err().unwrap()
    };
    let other_vault = VaultId::from_bytes([9; 32]);
    assert_eq!(refused(&|p| p.vault = other_vault), ProofError::OtherRecord);
    assert_eq!(refused(&|p| p.collection = CollectionId::INBOX), ProofError::OtherRecord);
    assert_eq!(refused(&|p| p.generation = Generation(2)), ProofError::OtherRecord);
    assert_eq!(refused(&|p| p.re_wrap = None), ProofError::OtherRecord);
    assert!(matches!(refused(&|p| p.node = node(READER)), ProofError::Receipt(_)));
    assert!(matches!(refused(&|p| p.receipt.event.count = 2), ProofError::Receipt(_)));
    let cut = Unverified::from_bytes(proof_header_bytes()[1..].to_vec());
    assert!(matches!(refused(&|p| p.header = cut.clone()), ProofError::Statement(StatementError::Envelope(_))));
    assert_eq!(refused(&|p| p.meta.0.0[60] ^= 1), ProofError::Header(HeaderError::OtherMeta));
    assert!(matches!(refused(&|p| p.meta_key = record_keys().1.body.unwrap()), ProofError::Meta(_)));
    let by_reader = sign(header_and_meta().0.into_payload(), &identity(READER)).unwrap();
    let other = by_reader.to_unverified();
    assert_eq!(refused(&|p| p.header = other.clone()), ProofError::Header(HeaderError::OtherDepositor));
}

fn proof_header_bytes() -> Vec<u8> {
    header_and_meta().0.bytes().to_vec()
}

/// P-33: the receipt is for this request, party, chain and record.
#[test]
fn a_receipt_for_something_else_proves_nothing() {
    let refused = |change: &dyn Fn(&mut Event)| {
        let mut bent = proof();
        bent.receipt = receipt(change);
        bent.verify().err()
    };
    assert_eq!(refused(&|_| ()), None);
    assert_eq!(refused(&|e| e.request = None), Some(ProofError::OtherRequest));
    assert_eq!(refused(&|e| e.kind = EventKind::List), Some(ProofError::OtherRequest), "seen in a list, not read");
    assert_eq!(refused(&|e| e.party = identity(9).key()), Some(ProofError::OtherRequest));
    assert_eq!(refused(&|e| e.chain.clear()), Some(ProofError::OtherRequest));
    assert_eq!(refused(&|e| e.outcome = Outcome(12)), Some(ProofError::OtherRecord));
    assert_eq!(refused(&|e| e.records = vec![RecordId::from_bytes([9; 16])]), Some(ProofError::OtherRecord));
    let acting = run().payload().seal.clone();
    assert!(matches!(refused(&|e| e.acting = Some(acting.clone())), Some(ProofError::Acting(_))));
    // A fetch of more records than an event names says of none that it was not among them.
    assert_eq!(refused(&|e| (e.records, e.count) = (vec![RecordId::from_bytes([9; 16])], 70)), None);
}
