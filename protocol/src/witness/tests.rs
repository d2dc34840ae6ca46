use proptest::prelude::*;

use super::*;
use crate::cosignature::WitnessKey;
use crate::merkle::{Place, RightEdge, prove_consistency, root_of};

fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32])
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes(*identity(number).key().as_bytes())
}

fn log_keys() -> Vec<NoteKey> {
    vec![log_key(Log::Trail, node(5)).unwrap()]
}

/// A log with leaves; a branch has other leaves from some index on.
struct Tree {
    leaves: Vec<TreeHash>,
}

impl Tree {
    fn new(size: u64, branch_at: u64, branch: u8) -> Self {
        let leaf = |index: u64| {
            TreeHash::leaf(&[&index.to_be_bytes()[..], &[if index < branch_at { 0 } else { branch }]].concat())
        };
        Self { leaves: (0..size).map(leaf).collect() }
    }

    fn head(&self, size: u64) -> TreeHead {
        TreeHead { size, root: root_of(&self.leaves[..size as usize]) }
    }

    fn proof(&self, older: u64, newer: u64) -> Vec<TreeHash> {
        let mut stored = std::collections::HashMap::<Place, TreeHash>::new();
        let mut edge = RightEdge::of_empty_tree();
        for leaf in &self.leaves[..newer as usize] {
            edge.append(*leaf, |place, hash| {
                stored.insert(place, hash);
            })
            .unwrap();
        }
        prove_consistency(older, newer, |place| stored.get(&place).copied()).unwrap_or_default()
    }

    fn request(&self, older: u64, newer: u64) -> AddCheckpoint {
        let checkpoint = CheckpointText::sign(Log::Trail, self.head(newer), &identity(5));
        AddCheckpoint::new(older, self.proof(older, newer), &checkpoint).unwrap()
    }
}

fn tree() -> Tree {
    Tree::new(20, u64::MAX, 0)
}

#[test]
fn a_request_is_read_back_as_it_was_written() {
    for (older, newer) in [(0, 0), (0, 7), (7, 7), (7, 20)] {
        let request = tree().request(older, newer);
        assert_eq!(AddCheckpoint::from_bytes(&request.to_bytes()), Ok(request));
    }
}

#[test]
fn a_log_that_grows_is_cosigned() {
    let tree = tree();
    let mut known = None;
    for (older, newer) in [(0, 0), (0, 3), (3, 3), (3, 20)] {
        let judged = tree.request(older, newer).judge(&log_keys(), known).unwrap();
        assert_eq!(judged.head(), tree.head(newer));
        known = Some(judged.head());
        let name: KeyName = "witness.example/w1".parse().unwrap();
        let cosigned = judged.cosign(&name, &identity(6), Timestamp::from_secs(77));
        let checkpoint = cosigned.checkpoint.clone();
        let key = WitnessKey { name, party: identity(6).party() };
        assert_eq!(checkpoint.cosignature_of(&key), Ok(Some(Timestamp::from_secs(77))));
        assert_eq!(checkpoint.verify(Log::Trail, node(5)), Ok(tree.head(newer)));
        let joined = checkpoint.without_cosignatures().unwrap().with_lines(&cosigned.line, &key);
        assert_eq!(joined, Ok(checkpoint));
    }
}

#[test]
fn each_refusal_has_the_status_that_the_protocol_gives_it() {
    let (tree, other) = (tree(), Tree::new(20, 2, 1));
    let known = Some(tree.head(7));
    let judge = |request: AddCheckpoint| request.judge(&log_keys(), known).map(|judged| judged.head());
    let unproven = |older, newer| AddCheckpoint { proof: vec![], ..tree.request(older, newer) };
    let proven = |request: AddCheckpoint| AddCheckpoint { proof: tree.proof(3, 9), ..request };
    for (request, refusal) in [
        (AddCheckpoint { old: 8, ..tree.request(7, 7) }, WitnessRefusal::BadRequest),
        (tree.request(0, 20), WitnessRefusal::Conflict { size: 7 }),
        (tree.request(3, 5), WitnessRefusal::Conflict { size: 7 }),
        (tree.request(8, 20), WitnessRefusal::Conflict { size: 7 }),
        (other.request(7, 7), WitnessRefusal::Unprocessable),
        (other.request(7, 20), WitnessRefusal::Unprocessable),
        (unproven(7, 20), WitnessRefusal::Unprocessable),
        (proven(tree.request(7, 7)), WitnessRefusal::Unprocessable),
        (proven(tree.request(7, 20)), WitnessRefusal::Unprocessable),
    ] {
        assert_eq!(judge(request), Err(refusal));
    }
    assert_eq!(tree.request(7, 20).judge(&[], known), Err(WitnessRefusal::UnknownOrigin));
    let elsewhere = [log_key(Log::Trail, node(9)).unwrap()];
    assert_eq!(tree.request(7, 20).judge(&elsewhere, known), Err(WitnessRefusal::UnknownOrigin));
    let first = proven(tree.request(0, 20)).judge(&log_keys(), None);
    assert_eq!(first, Err(WitnessRefusal::Unprocessable));
    let statuses = [WitnessRefusal::BadRequest, WitnessRefusal::Forbidden, WitnessRefusal::UnknownOrigin];
    assert_eq!(statuses.map(WitnessRefusal::status), [400, 403, 404]);
    assert_eq!(
        [WitnessRefusal::Conflict { size: 7 }, WitnessRefusal::Unprocessable].map(WitnessRefusal::status),
        [409, 422]
    );
}

#[test]
fn an_empty_log_with_a_root_is_unprocessable() {
    let checkpoint =
        Checkpoint { origin: log_keys()[0].name.clone(), head: TreeHead { size: 0, root: TreeHash([1; 32]) } };
    let text = String::from_utf8(checkpoint.sign(&identity(5)).to_bytes()).unwrap();
    let request = AddCheckpoint::new(0, vec![], &CheckpointText(text)).unwrap();
    assert_eq!(request.judge(&log_keys(), None), Err(WitnessRefusal::Unprocessable));
}

#[test]
fn a_checkpoint_that_its_log_did_not_sign_is_forbidden() {
    let head = tree().head(7);
    let origin = log_keys()[0].name.clone();
    let note =
        |by: u8| Note::sign(Checkpoint { origin: origin.clone(), head }.text(), origin.clone(), &identity(by)).unwrap();
    let ask = |text: String| AddCheckpoint::new(0, vec![], &CheckpointText(text)).unwrap().judge(&log_keys(), None);
    assert!(ask(note(5).to_string()).is_ok());
    assert_eq!(ask(note(8).to_string()), Err(WitnessRefusal::Forbidden));
    let mut both = note(5);
    both.join(note(8)).unwrap();
    assert!(ask(both.to_string()).is_ok(), "lines of unknown keys are ignored");
    let good = note(5).to_string();
    let line = good.lines().last().unwrap();
    let at = line.len() - 10;
    let bent = format!("{}{}{}", &line[..at], if line.as_bytes()[at] == b'A' { 'B' } else { 'A' }, &line[at + 1..]);
    assert_eq!(
        ask(format!("{good}{bent}\n")),
        Err(WitnessRefusal::Forbidden),
        "a bad line under the log's name and id"
    );
}

#[test]
fn only_the_log_s_lines_and_the_witness_s_stand_in_what_is_given_out() {
    let head = tree().head(7);
    let mut note = Note::sign(
        Checkpoint { origin: log_keys()[0].name.clone(), head }.text(),
        log_keys()[0].name.clone(),
        &identity(5),
    )
    .unwrap();
    note.join(
        Note::sign(note.unverified_text().to_owned(), "stranger.example".parse().unwrap(), &identity(8)).unwrap(),
    )
    .unwrap();
    let request = AddCheckpoint::new(0, vec![], &CheckpointText(note.to_string())).unwrap();
    let judged = request.judge(&log_keys(), None).unwrap();
    let cosigned = judged.cosign(&"witness.example/w1".parse().unwrap(), &identity(6), Timestamp::from_secs(1));
    let text = cosigned.checkpoint.0;
    assert!(!text.contains("stranger") && text.ends_with(&cosigned.line), "{text}");
}

#[test]
fn two_keys_of_a_foreign_log_may_sign_while_it_changes_its_key() {
    let name: KeyName = "log.example/one".parse().unwrap();
    let keys = [5, 8].map(|number| NoteKey { name: name.clone(), party: identity(number).party() });
    for number in [5, 8] {
        let text = Checkpoint { origin: name.clone(), head: tree().head(7) }.sign(&identity(number)).to_bytes();
        let request = AddCheckpoint::new(0, vec![], &CheckpointText(String::from_utf8(text).unwrap())).unwrap();
        assert!(request.judge(&keys, None).is_ok());
    }
}

#[test]
fn extension_lines_are_for_logs_that_are_not_ours() {
    let extended = |name: &KeyName| {
        let text = Checkpoint { origin: name.clone(), head: tree().head(7) }.text() + "more\n";
        let note = Note::sign(text, name.clone(), &identity(5)).unwrap();
        AddCheckpoint::new(0, vec![], &CheckpointText(note.to_string())).unwrap()
    };
    let foreign: KeyName = "log.example/one".parse().unwrap();
    let key = NoteKey { name: foreign.clone(), party: identity(5).party() };
    assert!(extended(&foreign).judge(&[key], None).is_ok());
    let ours = extended(&log_keys()[0].name).judge(&log_keys(), None);
    assert_eq!(ours, Err(WitnessRefusal::BadRequest));
}

#[test]
fn what_is_not_exactly_a_request_is_refused() {
    let good = String::from_utf8(tree().request(7, 20).to_bytes()).unwrap();
    let hash = good.lines().nth(1).unwrap().to_owned();
    for bent in [
        good.replacen("old 7", "old 07", 1),
        good.replacen("old 7", "old  7", 1),
        good.replacen("old 7", "old -7", 1),
        good.replacen("old 7", "new 7", 1),
        good.replacen("old 7\n", "", 1),
        good.replacen(&hash, &hash[..43], 1),
        good.replacen(&hash, &format!("{hash}\n{}", "AAAA"), 1),
        good.replacen(&hash, &[&hash[..]; 70].join("\n"), 1),
        good.replacen("\n20\n", "\n020\n", 1),
        good.trim_end().to_owned(),
        good[..good.len() / 2].to_owned(),
        String::new(),
        format!("{good}\n"),
        "x".repeat(limits::ADD_CHECKPOINT_LEN_MAX + 1),
    ] {
        assert_eq!(AddCheckpoint::from_bytes(bent.as_bytes()), Err(WitnessRefusal::BadRequest), "{bent:.80}");
    }
    assert_eq!(AddCheckpoint::from_bytes(b"old 7\xff\n\n"), Err(WitnessRefusal::BadRequest));
    let spaced = good.replacen("\n\nkarute/", "\n\na log/", 1);
    assert_eq!(AddCheckpoint::from_bytes(spaced.as_bytes()), Err(WitnessRefusal::UnknownOrigin));
}

#[test]
fn an_origin_has_one_spelling() {
    let hex = node(5).to_string();
    let of = |text: &str| Origin::of(&text.parse().unwrap());
    assert_eq!(of(&format!("karute/trail/{hex}")), Origin::Trail(node(5)));
    assert_eq!(of(&format!("karute/ledger/{hex}")), Origin::Ledger(VaultId::from_bytes(*node(5).as_bytes())));
    for odd in [
        format!("karute/trail/{}", hex.to_uppercase()),
        format!("karute/trail/{hex}/"),
        "karute/".into(),
        "karute/x".into(),
    ] {
        assert_eq!(of(&odd), Origin::Unknown, "{odd}");
    }
    assert_eq!(of("log.example/karute/trail"), Origin::Foreign);
    assert!(log_key(Log::Trail, NodeId::from_bytes([0; 32])).is_none());
    assert_eq!(read_conflict("12\n"), Some(12));
    for odd in ["12", "012\n", "12\n\n", "", "a\n"] {
        assert_eq!(read_conflict(odd), None, "{odd:?}");
    }
}

/// What a witness is asked in the law test: a step to `newer` from `older`, on one of three branches, by who it says.
fn asks() -> impl Strategy<Value = Vec<(u64, u64, u8, bool)>> {
    prop::collection::vec((0..14u64, 0..14u64, 0..3u8, any::<bool>()), 1..40)
}

proptest! {
    /// P-45, whatever a log asks: forks, smaller trees, replays, another's key.
    #[test]
    fn no_sequence_of_requests_is_signed_twice_for_a_size_or_backwards(asks in asks()) {
        let mut known: Option<TreeHead> = None;
        let mut signed: Vec<TreeHead> = Vec::new();
        for (older, newer, branch, honest) in asks {
            let tree = Tree::new(14, 4 + u64::from(branch), branch);
            // Half of the asks name the size that the witness has, as a log does that wants to get through.
            let older = if honest { known.map_or(0, |head| head.size) } else { older };
            let Ok(judged) = tree.request(older.min(newer), newer).judge(&log_keys(), known) else { continue };
            known = Some(judged.head());
            signed.push(judged.head());
        }
        for pair in signed.windows(2) {
            prop_assert!(pair[0].size <= pair[1].size);
        }
        for (at, one) in signed.iter().enumerate() {
            prop_assert!(signed[..at].iter().all(|other| other.size != one.size || other.root == one.root));
        }
    }

    #[test]
    fn bytes_from_anywhere_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = AddCheckpoint::from_bytes(&bytes);
        let _ = Admission::from_bytes(&bytes);
    }
}
