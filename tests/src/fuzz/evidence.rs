//! Evidence that others made: receipts, trail files, proof files, proofs of epoch keys. What verifies was signed.

use std::sync::LazyLock;

use karute_consent::directory::{CollectionLeaves, Directory};
use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::{CollectionId, DirectoryNumber, NodeId, PartyKey, StatementId, VaultId};
use karute_consent::limits::ATTACHMENT_BYTES_MAX;
use karute_consent::time::{Month, Timestamp};
use karute_consent::tree::root_of;
use karute_node::agent::trail_file::TrailFile;
use karute_protocol::archive::ProofFile;
use karute_protocol::directory::{KeyLeaves, KeyProof};
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::trail::{CheckpointText, Event, Leaf, Log, Receipt};
use karute_protocol::wire::ByteCount;
use serde_bytes::ByteBuf;
use serde_json::Value;

use super::edit::edit_some;
use super::good;
use super::source::Source;
use crate::map;
use crate::vectors::cast::{key, party, seed};
use crate::vectors::cbor::Cbor;
use crate::vectors::forge::hash;
use crate::vectors::tree::{inclusion, root_of as tree_root};

/// A receipt as it arrives, its leaf and its event.
pub fn receipt(data: &[u8]) {
    spelled_once::<Event>(data);
    spelled_once::<Leaf>(data);
    let Some(receipt) = spelled_once::<Receipt>(data) else { return };
    if receipt.verify(node()).is_ok() {
        let signed = |input: &Value| good::bytes(input, "receipt") == data;
        assert!(good::inputs("receipt").any(signed), "no host vouched for it");
    }
}

/// An event of the vectors, edited, in a trail that its host signs; then the receipt is edited.
pub fn receipt_edits(data: &[u8]) {
    let mut source = Source::new(data);
    let Some(mut shown) = trail(&mut source, 1).pop() else { return };
    let sound = shown.clone();
    edit_some(&mut shown, &mut source, 2);
    let bytes = shown.encode();
    let Ok(receipt) = from_bytes::<Receipt>(&bytes, bytes.len()) else { return };
    if receipt.verify(node()).is_ok() {
        assert!(receipt.event.check().is_ok());
        assert_eq!(shown, sound, "a changed receipt proves nothing"); // P-24
    }
}

/// A trail file as it arrives, or one of edited events that is edited itself.
pub fn trail_file(data: &[u8]) {
    if let Ok(file) = TrailFile::from_bytes(data) {
        assert_eq!(file.to_bytes().ok().as_deref(), Some(data), "one spelling");
        let _ = file.verify();
    }
    let mut source = Source::new(data);
    let receipts = trail(&mut source, 4);
    let Some(checkpoint) = receipts.first().map(|first| first.field(6).clone()) else { return };
    let vault = receipts[0].field(1).field(1).clone();
    let item = |receipt: &Cbor| {
        let part = |field| receipt.field(field).clone();
        map! { 1 => part(1), 2 => part(2), 3 => part(3), 4 => part(4), 5 => part(5) }
    };
    let items: Vec<Cbor> = receipts.iter().map(item).collect();
    let mut file = map! { 1 => 1, 2 => vault, 3 => key("home"), 4 => checkpoint, 5 => items };
    let sound = file.clone();
    edit_some(&mut file, &mut source, 2);
    let bytes = file.encode();
    let Ok(read) = TrailFile::from_bytes(&bytes) else { return };
    if read.verify().is_ok() {
        // What an editor may do: leave out the newest events, which who has a receipt or an audit answer sees, and the
        // content of one, which no erasure of the ledger names then (P-40).
        let without_content =
            |item: &Cbor| map! { 1 => item.field(1).clone(), 4 => item.field(4).clone(), 5 => item.field(5).clone() };
        let same = |(item, good): (&Cbor, &Cbor)| item == good || *item == without_content(good);
        assert!(items_of(&file).iter().zip(&items_of(&sound)).all(same), "an event is another one");
        assert!(read.items.len() <= receipts.len(), "an event that never was");
    }
}

fn items_of(file: &Cbor) -> Vec<Cbor> {
    let Cbor::List(items) = file.field(5) else { panic!("items are an array") };
    items.clone()
}

/// Receipts of up to `most` edited events, one after the other in a trail of a few leaves more, signed by the home host.
fn trail(source: &mut Source<'_>, most: usize) -> Vec<Cbor> {
    let Some(good) = source_receipt(source) else { return Vec::new() };
    let count = 1 + source.place(most);
    let (mut leaves, mut parts) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let mut event = good.field(3).clone();
        edit_some(&mut event, source, 3);
        let salt = seed(&format!("salt of event {number}"));
        let event_hash = hash(&[b"karute-v1/trail-event\0", &salt, &event.encode()]);
        let leaf = good.field(1).clone().with(2, number as u64).with(4, event_hash);
        leaves.push(leaf.encode());
        parts.push((leaf, salt, event));
    }
    leaves.extend((0..source.place(20)).map(|other| vec![other as u8]));
    let head = TreeHead { size: leaves.len() as u64, root: TreeHash(tree_root(&leaves)) };
    let checkpoint = CheckpointText::sign(Log::Trail, head, &party("home")).0;
    let receipt = |(index, (leaf, salt, event)): (usize, (Cbor, [u8; 32], Cbor))| {
        let proof: Vec<Cbor> = inclusion(index, &leaves).into_iter().map(Cbor::from).collect();
        map! { 1 => leaf, 2 => salt, 3 => event, 4 => index as u64, 5 => proof, 6 => checkpoint.clone() }
    };
    parts.into_iter().enumerate().map(receipt).collect()
}

fn source_receipt(source: &mut Source<'_>) -> Option<Cbor> {
    let good = RECEIPTS.get(source.place(RECEIPTS.len()))?;
    Some(Cbor::decode(good))
}

/// A proof file as it arrives, and one of the vectors that is edited.
pub fn proof_file(data: &[u8]) {
    let mut source = Source::new(data);
    judge_proof_file(data);
    if let Some(good) = PROOFS.get(source.place(PROOFS.len())) {
        let mut file = Cbor::decode(good);
        edit_some(&mut file, &mut source, 3);
        judge_proof_file(&file.encode());
    }
}

fn judge_proof_file(bytes: &[u8]) {
    let Ok(file) = ProofFile::from_bytes(bytes) else { return };
    assert_eq!(file.to_bytes().ok().as_deref().map(Vec::as_slice), Some(bytes), "one spelling");
    let Ok(proven) = file.verify() else { return };
    let (length, digest) = (proven.meta.length, proven.meta.digest);
    assert_eq!(proven.check_file(length, digest), Ok(()));
    assert!(proven.check_file(ByteCount(length.0 ^ 1), digest).is_err());
    // Collection, generation and number are the host's word at the time; the rest is signed.
    let known = |good: &Vec<u8>| {
        let (good, this) = (Cbor::decode(good), Cbor::decode(bytes));
        [2, 3, 4, 5, 6, 11, 12, 13].iter().all(|field| good.field(*field) == this.field(*field))
    };
    assert!(PROOFS.iter().any(known), "nobody signed it");
}

/// Leaves of a directory as they arrive, and proofs of epoch keys: as they arrive, and edited.
pub fn directory(data: &[u8]) {
    if let Ok(encoded) = from_bytes::<Vec<ByteBuf>>(data, ATTACHMENT_BYTES_MAX) {
        let directory = Directory {
            vault: VaultId::from_bytes([1; 32]),
            number: DirectoryNumber(0),
            root: root_of(&encoded),
            count: u8::try_from(encoded.len()).unwrap_or(u8::MAX),
            issued: Timestamp::from_secs(0),
        };
        if let Ok(leaves) = CollectionLeaves::from_attachment(data, &directory) {
            assert_eq!(leaves.to_attachment().as_deref(), Ok(data), "one spelling");
            assert_eq!(leaves.root(), Ok(directory.root));
        }
    }
    if let Ok(leaves) = KeyLeaves::from_attachment(data) {
        assert_eq!(leaves.to_attachment().as_deref(), Ok(data), "one spelling");
        let first = CollectionId::from_bytes([3; 16]);
        let leaf = leaves.collection_leaf(first, karute_consent::id::Generation(1), karute_consent::id::RootNumber(0));
        assert_eq!(leaf.map(|leaf| leaves.belong_to(&leaf)), Ok(Ok(())));
    }
    spelled_once::<KeyProof>(data);
    key_proof_edits(&mut Source::new(data));
}

fn key_proof_edits(source: &mut Source<'_>) {
    let Some(input) = KEY_PROOFS.get(source.place(KEY_PROOFS.len())) else { return };
    let mut proof = Cbor::decode(&good::bytes(input, "proof"));
    edit_some(&mut proof, source, 3);
    let bytes = proof.encode();
    let Ok(proof) = from_bytes::<KeyProof>(&bytes, bytes.len()) else { return };
    let in_force = StatementId::from_bytes(good::fixed(input, "directory"));
    let collection = CollectionId::from_bytes(good::fixed(input, "collection"));
    let month = Month(input["month"].as_u64().unwrap_or_default() as u16);
    let sound = Cbor::decode(&good::bytes(input, "proof"));
    if let Ok(proven) = proof.verify(in_force, collection, month) {
        let key = Cbor::decode(&to_bytes(&proven.key).expect("a key can be encoded"));
        assert_eq!(&key, sound.field(5).field(2), "no other key is proven"); // P-05
    }
}

/// Reads a value and compares its encoding with what it was read from.
pub(super) fn spelled_once<T: serde::Serialize + serde::de::DeserializeOwned>(data: &[u8]) -> Option<T> {
    let value: T = from_bytes(data, data.len()).ok()?;
    assert_eq!(to_bytes(&value).as_deref(), Ok(data), "one spelling");
    Some(value)
}

fn node() -> NodeId {
    NodeId::from_bytes(*PartyKey::from_bytes(key("home")).as_bytes())
}

/// The good receipts of the vectors, encoded.
static RECEIPTS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| good::inputs("receipt").map(|input| good::bytes(input, "receipt")).collect());
/// The good proof files of the vectors.
static PROOFS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| good::inputs("proof_file").map(|input| good::bytes(input, "proof")).collect());
/// The good proofs of epoch keys.
static KEY_PROOFS: LazyLock<Vec<&Value>> = LazyLock::new(|| good::inputs("key_proof").collect());
