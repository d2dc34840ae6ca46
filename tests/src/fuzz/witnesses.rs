//! What witnesses read and write: cosigned checkpoints, requests to cosign, admissions, and what is fresh by them.

use std::sync::LazyLock;

use karute_consent::category::Sensitivity;
use karute_consent::id::{NodeId, PartyKey};
use karute_consent::party::Identity;
use karute_consent::time::Timestamp;
use karute_consent::vault::{Witness, WitnessSet};
use karute_protocol::cosignature::{WitnessKey, cosign, witnessed};
use karute_protocol::freshness::{Question, judge};
use karute_protocol::merkle::{TreeHash, TreeHead, root_of};
use karute_protocol::note::KeyName;
use karute_protocol::trail::{CheckpointText, Log};
use karute_protocol::witness::{AddCheckpoint, Admission, Origin, log_key, read_conflict};

use super::edit::{change_bytes, edit_some};
use super::source::Source;
use crate::vectors::cast::{NOW, key, party};
use crate::vectors::cbor::Cbor;
use crate::vectors::forge::sign;
use crate::vectors::tree::consistency;
use crate::vectors::world::World;

/// A cosigned checkpoint as it arrives.
pub fn cosigned(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(key) = text.parse::<WitnessKey>() {
        assert_eq!(key.to_string(), text, "one spelling");
    }
    let arrived = CheckpointText(text.to_owned());
    let set = WitnessSet { witnesses: vec![witness(3)], quorum: 1 };
    if let Ok(seen) = witnessed(&arrived, &set) {
        assert!(seen.at.is_none(), "this witness signed nothing");
    }
    if let Ok(alone) = arrived.without_cosignatures() {
        assert_eq!(alone.body(), arrived.body());
        assert_eq!(alone.without_cosignatures().as_ref(), Ok(&alone));
    }
    let _ = read_conflict(text);
    let _ = text.parse::<KeyName>().map(|origin| Origin::of(&origin));
}

/// A checkpoint that witnesses cosigned at times of the input, then edited: no time counts that nobody signed.
pub fn cosignature_edits(data: &[u8]) {
    let mut source = Source::new(data);
    let head = TreeHead { size: 1 + u64::from(source.byte()), root: TreeHash(source.array()) };
    let mut checkpoint = CheckpointText::sign(Log::Trail, head, &HOME);
    let body = checkpoint.body().expect("a checkpoint that was signed here");
    let mut signed: Vec<(PartyKey, Timestamp)> = Vec::new();
    for _ in 0..source.place(6) {
        let who = source.place(NAMES.len());
        let time = Timestamp::from_secs(source.number());
        let line = cosign(&body, &name(who), &party(NAMES[who]), time);
        match checkpoint.with_lines(&line, &witness_key(who)) {
            Ok(with) => checkpoint = with,
            Err(_) => assert!(time.secs() >= 1 << 63, "a line that was signed here is taken"), // P-44
        }
        signed.push((witness(who).key, time));
    }
    assert_eq!(checkpoint.verify(Log::Trail, *NODE), Ok(head), "cosignatures leave a checkpoint what it was");
    let mut bytes = checkpoint.0.into_bytes();
    if source.byte() == 1 {
        change_bytes(&mut bytes, &mut source);
    }
    let Ok(text) = String::from_utf8(bytes) else { return };
    judge_set(&CheckpointText(text), &mut source, head, &signed);
}

fn judge_set(
    checkpoint: &CheckpointText,
    source: &mut Source<'_>,
    accepted: TreeHead,
    signed: &[(PartyKey, Timestamp)],
) {
    let witnesses: Vec<Witness> = (0..source.place(9)).map(|_| witness(source.place(NAMES.len()))).collect();
    let set = WitnessSet { quorum: source.byte() % 10, witnesses };
    let Ok(seen) = witnessed(checkpoint, &set) else { return };
    assert_eq!(seen.each.len(), set.witnesses.len());
    if let Some(at) = seen.at {
        let mut keys: Vec<PartyKey> = signed.iter().filter(|(_, time)| *time >= at).map(|(key, _)| *key).collect();
        keys.sort();
        keys.dedup();
        let quorum = usize::from(set.quorum);
        assert!(quorum > 0 && keys.len() >= quorum, "each key counts once, with a time that it signed"); // P-44, P-46
    }
    let sensitivity = if source.byte().is_multiple_of(2) { Sensitivity::Normal } else { Sensitivity::Sensitive };
    let now = Timestamp::from_secs(source.number());
    let question = Question { accepted, checkpoint, log: Log::Trail, node: *NODE, set: &set, sensitivity, now };
    if let Ok(fresh) = judge(&question, None) {
        assert_eq!(Some(fresh.at), seen.at, "fresh by what witnesses signed"); // P-47
        assert!(fresh.at.plus_secs(86_400) >= now);
    }
}

/// A request to cosign as it arrives.
pub fn add_checkpoint(data: &[u8]) {
    let Ok(request) = AddCheckpoint::from_bytes(data) else { return };
    assert_eq!(request.to_bytes(), data, "one spelling");
    let keys = log_key(Log::Trail, *NODE);
    assert!(request.judge(keys.as_slice(), None).is_err() || request.origin() == &keys.expect("a key").name);
}

/// A request of an honest log, edited: the witness cosigns nothing that does not extend what it cosigned last.
pub fn add_checkpoint_edits(data: &[u8]) {
    let mut source = Source::new(data);
    let (old, new) = (u64::from(source.byte() % 32), u64::from(source.byte() % 32));
    let (old, new) = (old.min(new), old.max(new));
    let leaves: Vec<[u8; 8]> = (0..new).map(u64::to_be_bytes).collect();
    let hashes: Vec<TreeHash> = leaves.iter().map(|leaf| TreeHash::leaf(leaf)).collect();
    let head = |size: u64| TreeHead { size, root: root_of(&hashes[..size as usize]) };
    let proof = if old == 0 { Vec::new() } else { consistency(old as usize, &leaves) };
    let checkpoint = CheckpointText::sign(Log::Trail, head(new), &HOME);
    let proof = proof.into_iter().map(TreeHash).collect();
    let request = AddCheckpoint::new(old, proof, &checkpoint).expect("an honest request");
    let keys = [log_key(Log::Trail, *NODE).expect("a key")];
    assert!(request.judge(&keys, Some(head(old))).is_ok(), "an honest log is cosigned");
    let mut bytes = request.to_bytes();
    if !source.byte().is_multiple_of(4) {
        change_bytes(&mut bytes, &mut source);
    }
    let known = match source.byte() % 3 {
        0 => None,
        1 => Some(head(old)),
        _ => Some(TreeHead { size: u64::from(source.byte() % 32), root: TreeHash(source.array()) }),
    };
    let Ok(request) = AddCheckpoint::from_bytes(&bytes) else { return };
    assert_eq!(request.to_bytes(), bytes, "one spelling");
    let Ok(admissible) = request.judge(&keys, known) else { return };
    assert_eq!(admissible.head(), head(new), "only what the log signed");
    let honest = known.is_none() || known.is_some_and(|known| known.size <= new && known == head(known.size));
    assert!(honest || known.is_some_and(|known| known.size == 0), "only what extends the head before"); // P-45
    let done = admissible.cosign(&name(0), &party(NAMES[0]), Timestamp::from_secs(NOW));
    assert_eq!(done.checkpoint.cosignature_of(&witness_key(0)), Ok(Some(Timestamp::from_secs(NOW))));
    assert_eq!(done.checkpoint.verify(Log::Trail, *NODE), Ok(head(new)));
}

/// An admission as it arrives, and one of the vectors' vault that is edited.
pub fn admission(data: &[u8]) {
    if let Ok(admission) = Admission::from_bytes(data) {
        assert_eq!(admission.to_bytes().ok().as_deref(), Some(data), "one spelling");
        let _ = admission.verify();
    }
    let mut source = Source::new(data);
    let (charter, mut authorities) = (ADMISSION.0.clone(), vec![ADMISSION.1.clone()]);
    for number in 1..=source.place(3) as u64 {
        let mut payload = ADMISSION.2.clone().with(2, number);
        edit_some(&mut payload, &mut source, 2);
        authorities.push(sign("authority", &payload, &party("patient")));
    }
    let authorities: Vec<Cbor> = authorities.into_iter().map(Cbor::Bytes).collect();
    let mut shown = crate::map! { 1 => charter, 2 => authorities };
    edit_some(&mut shown, &mut source, 2);
    let Ok(admission) = Admission::from_bytes(&shown.encode()) else { return };
    if let Ok(admitted) = admission.verify() {
        assert_eq!(admitted.vault.as_bytes(), &ADMISSION.3, "the vault is its charter");
        assert_eq!(admitted.number().0 as usize + 1, admission.authorities.len());
    }
}

fn name(who: usize) -> KeyName {
    format!("witness.example/w{}", who % NAMES.len()).parse().expect("a name")
}

fn witness_key(who: usize) -> WitnessKey {
    WitnessKey { name: name(who), party: party(NAMES[who]).party() }
}

fn witness(who: usize) -> Witness {
    Witness { name: name(who).to_string(), key: PartyKey::from_bytes(key(NAMES[who])) }
}

/// Witnesses by the names of their keys.
const NAMES: [&str; 4] = ["witness", "second witness", "third witness", "fourth witness"];

/// A good request to cosign, and a cosigned checkpoint.
pub(super) fn seeds() -> [Vec<u8>; 2] {
    let head = TreeHead { size: 1, root: root_of(&[TreeHash::leaf(b"leaf")]) };
    let checkpoint = CheckpointText::sign(Log::Trail, head, &HOME);
    let body = checkpoint.body().expect("a checkpoint that was signed here");
    let line = cosign(&body, &name(0), &party(NAMES[0]), Timestamp::from_secs(NOW));
    let cosigned = checkpoint.with_lines(&line, &witness_key(0)).expect("a line that was signed here");
    let request = AddCheckpoint::new(0, Vec::new(), &checkpoint).expect("an honest request");
    [request.to_bytes(), cosigned.0.into_bytes()]
}

static HOME: LazyLock<Identity> = LazyLock::new(|| party("home"));
static NODE: LazyLock<NodeId> = LazyLock::new(|| NodeId::from_bytes(*HOME.key().as_bytes()));

/// Charter and first authority of a vault, the payload of the latter, and the vault.
type Parts = (Vec<u8>, Vec<u8>, Cbor, [u8; 32]);

/// Those of the vectors' vault.
static ADMISSION: LazyLock<Parts> = LazyLock::new(|| {
    let world = World::new();
    let authority = world.authority();
    (world.charter.clone(), sign("authority", &authority, &party("patient")), authority, world.vault)
});
