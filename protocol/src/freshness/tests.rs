use karute_consent::id::VaultId;
use karute_consent::party::Identity;
use karute_consent::vault::Witness;

use super::*;
use crate::cosignature::{WitnessKey, cosign};
use crate::merkle::TreeHash;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const LOG: Log = Log::Ledger(VaultId::from_bytes([1; 32]));
const HEAD: TreeHead = TreeHead { size: 3, root: TreeHash([7; 32]) };

fn log() -> Identity {
    Identity::from_seed(&[5; 32])
}

fn node() -> NodeId {
    NodeId::from_bytes(*log().key().as_bytes())
}

fn witness(number: u8) -> (Identity, WitnessKey) {
    let identity = Identity::from_seed(&[number; 32]);
    let name = format!("witness.example/w{number}").parse().unwrap();
    let key = WitnessKey { name, party: identity.party() };
    (identity, key)
}

fn set(quorum: u8) -> WitnessSet {
    WitnessSet { witnesses: [1, 2, 3].map(|number| Witness::from(&witness(number).1)).to_vec(), quorum }
}

/// The head, cosigned by w1, w2, … at these times.
fn shown(times: &[u64]) -> CheckpointText {
    let plain = CheckpointText::sign(LOG, HEAD, &log());
    let text = plain.body().unwrap();
    (1..).zip(times).fold(plain, |shown, (number, secs)| {
        let (identity, key) = witness(number);
        let line = cosign(&text, &key.name, &identity, Timestamp::from_secs(*secs));
        shown.with_lines(&line, &key).unwrap()
    })
}

fn question<'a>(checkpoint: &'a CheckpointText, set: &'a WitnessSet) -> Question<'a> {
    let sensitivity = Sensitivity::Normal;
    Question { accepted: HEAD, checkpoint, log: LOG, node: node(), set, sensitivity, now: NOW }
}

fn by_witnesses(secs: u64) -> Result<Fresh, Stale> {
    Ok(Fresh { at: Timestamp::from_secs(secs), by: Voucher::Witnesses })
}

#[test]
fn a_head_is_fresh_for_a_day_and_a_sensitive_one_for_a_quarter_of_an_hour() {
    let set = set(2);
    for (sensitivity, age_max) in [(Sensitivity::Normal, 86_400), (Sensitivity::Sensitive, 900)] {
        for (age, fresh) in [(0, true), (age_max, true), (age_max + 1, false)] {
            let secs = NOW.secs() - age;
            let shown = shown(&[secs, NOW.secs()]);
            let question = Question { sensitivity, ..question(&shown, &set) };
            let judged = judge(&question, None);
            assert_eq!(judged.is_ok(), fresh, "{sensitivity:?} {age}");
            if fresh {
                assert_eq!(judged, by_witnesses(secs));
            }
        }
    }
}

#[test]
fn too_few_witnesses_are_named_with_what_they_saw() {
    let (shown, set) = (shown(&[NOW.secs() - 5]), set(2));
    let seen = vec![
        ("witness.example/w1".to_owned(), Some(NOW.minus_secs(5))),
        ("witness.example/w2".to_owned(), None),
        ("witness.example/w3".to_owned(), None),
    ];
    let stale = Stale::NotWitnessed { quorum: 2, secs_max: 86_400, seen };
    // What the host says does not help where witnesses have to.
    let word = HostWord { head: HEAD, time: NOW };
    assert_eq!(judge(&question(&shown, &set), Some(word)), Err(stale));
    assert_eq!(judge(&question(&shown, &self::set(1)), None), by_witnesses(NOW.secs() - 5));
}

#[test]
fn a_witness_whose_clock_is_ahead_is_believed() {
    let (shown, set) = (shown(&[NOW.secs() + 500_000, NOW.secs() + 400_000]), set(2));
    assert_eq!(judge(&question(&shown, &set), None), by_witnesses(NOW.secs() + 400_000));
}

#[test]
fn another_head_than_the_highest_accepted_is_refused() {
    let (shown, set) = (shown(&[NOW.secs(), NOW.secs()]), set(2));
    for accepted in
        [TreeHead { size: 4, ..HEAD }, TreeHead { size: 2, ..HEAD }, TreeHead { root: TreeHash([8; 32]), ..HEAD }]
    {
        let judged = judge(&Question { accepted, ..question(&shown, &set) }, None);
        assert_eq!(judged, Err(Stale::OtherHead { shown: 3, accepted: accepted.size }));
    }
}

#[test]
fn a_checkpoint_of_another_log_or_node_or_with_a_bad_line_is_refused() {
    let (shown, set) = (shown(&[NOW.secs(), NOW.secs()]), set(2));
    let other = Question { log: Log::Ledger(VaultId::from_bytes([2; 32])), ..question(&shown, &set) };
    assert!(matches!(judge(&other, None), Err(Stale::Checkpoint(_))));
    let other = Question { node: NodeId::from_bytes(*witness(9).0.key().as_bytes()), ..question(&shown, &set) };
    assert!(matches!(judge(&other, None), Err(Stale::Checkpoint(_))));
    let (identity, key) = witness(3);
    let bad = CheckpointText(shown.0 + &cosign("other\n", &key.name, &identity, NOW));
    assert_eq!(judge(&question(&bad, &set), None), Err(Stale::Cosignature(CosignatureError::BadCosignature)));
}

#[test]
fn without_witnesses_the_host_has_to_give_its_word_and_the_verdict_says_so() {
    let (shown, set) = (shown(&[NOW.secs(), NOW.secs(), NOW.secs()]), set(0));
    let question = question(&shown, &set);
    assert_eq!(judge(&question, None), Err(Stale::NoHostWord));
    for (secs, fresh) in [(0, true), (120, true), (121, false)] {
        for time in [NOW.minus_secs(secs), NOW.plus_secs(secs)] {
            let judged = judge(&question, Some(HostWord { head: HEAD, time }));
            let expected =
                if fresh { Ok(Fresh { at: time, by: Voucher::HostOnly }) } else { Err(Stale::HostClock { secs }) };
            assert_eq!(judged, expected);
        }
    }
    let newer = HostWord { head: TreeHead { size: 4, ..HEAD }, time: NOW };
    assert_eq!(judge(&question, Some(newer)), Err(Stale::OtherHostWord { said: 4 }));
    let fork = HostWord { head: TreeHead { root: TreeHash([8; 32]), ..HEAD }, time: NOW };
    assert_eq!(judge(&question, Some(fork)), Err(Stale::OtherHostWord { said: 3 }));
}
