use karute_consent::id::{NodeId, VaultId};

use super::*;
use crate::merkle::{TreeHash, TreeHead};
use crate::trail::Log;

fn log() -> Identity {
    Identity::from_seed(&[5; 32])
}

fn checkpoint() -> CheckpointText {
    let head = TreeHead { size: 3, root: TreeHash([7; 32]) };
    CheckpointText::sign(Log::Ledger(VaultId::from_bytes([1; 32])), head, &log())
}

fn identity(number: u8) -> Identity {
    Identity::from_seed(&[100 + number; 32])
}

fn name(number: u8) -> KeyName {
    format!("witness.example/w{number}").parse().unwrap()
}

fn key(number: u8) -> WitnessKey {
    WitnessKey { name: name(number), party: identity(number).party() }
}

fn set(numbers: &[u8], quorum: u8) -> WitnessSet {
    WitnessSet { witnesses: numbers.iter().map(|number| Witness::from(&key(*number))).collect(), quorum }
}

fn line_of(number: u8, secs: u64) -> String {
    cosign(&checkpoint().body().unwrap(), &name(number), &identity(number), Timestamp::from_secs(secs))
}

fn cosigned(by: &[(u8, u64)]) -> CheckpointText {
    by.iter()
        .fold(checkpoint(), |text, (number, secs)| text.with_lines(&line_of(*number, *secs), &key(*number)).unwrap())
}

fn at(secs: u64) -> Option<Timestamp> {
    Some(Timestamp::from_secs(secs))
}

/// The bytes of a line after its key id, changed by `bend`.
fn bent(line: &str, bend: impl Fn(&mut Vec<u8>)) -> String {
    let mut line = read_lines(line).unwrap().remove(0);
    bend(&mut line.signature);
    line.to_string()
}

#[test]
fn a_cosignature_counts_for_its_witness_and_its_text_only() {
    let signed = cosigned(&[(1, 1_000)]);
    assert_eq!(signed.cosignature_of(&key(1)), Ok(at(1_000)));
    assert_eq!(signed.cosignature_of(&key(2)), Ok(None));
    let elsewhere = WitnessKey { name: name(2), party: identity(1).party() };
    assert_eq!(signed.cosignature_of(&elsewhere), Ok(None));
    let grown = CheckpointText(signed.0.replacen("\n3\n", "\n4\n", 1));
    assert_eq!(grown.cosignature_of(&key(1)), Err(CosignatureError::BadCosignature));
    let node = NodeId::from_bytes(*log().key().as_bytes());
    assert!(signed.verify(Log::Ledger(VaultId::from_bytes([1; 32])), node).is_ok());
    assert_eq!(signed.without_cosignatures(), Ok(checkpoint()));
}

#[test]
fn what_is_signed_is_spelled_as_the_format_says() {
    let text = checkpoint().body().unwrap();
    let line = read_lines(&line_of(1, 1_679_315_147)).unwrap().remove(0);
    let (time, signature) = line.signature.split_first_chunk::<8>().unwrap();
    assert_eq!(time, &1_679_315_147u64.to_be_bytes());
    let message = format!("cosignature/v1\ntime 1679315147\n{text}");
    let signature = Signature::from_slice(signature).unwrap();
    assert_eq!(identity(1).party().check(message.as_bytes(), &signature), Ok(()));
}

#[test]
fn a_bad_line_under_a_known_witness_refuses_the_checkpoint() {
    let good = line_of(1, 1_000);
    for line in [
        bent(&good, |bytes| bytes[7] ^= 1),
        bent(&good, |bytes| bytes[71] ^= 1),
        bent(&good, |bytes| bytes.truncate(71)),
        bent(&good, |bytes| bytes.push(0)),
        bent(&good, |bytes| bytes.truncate(3)),
    ] {
        let both = CheckpointText(cosigned(&[(1, 900)]).0 + &line);
        assert_eq!(both.cosignature_of(&key(1)), Err(CosignatureError::BadCosignature), "{line}");
        assert_eq!(witnessed(&both, &set(&[1, 2], 1)), Err(CosignatureError::BadCosignature));
        assert!(both.with_lines(&good, &key(1)).is_err());
        assert_eq!(checkpoint().with_lines(&line, &key(1)), Err(CosignatureError::BadCosignature));
        // To who does not know the witness it is a line of an unknown key.
        assert_eq!(both.cosignature_of(&key(2)), Ok(None));
    }
}

#[test]
fn a_time_beyond_the_format_is_refused() {
    let text = checkpoint().body().unwrap();
    for (secs, counts) in [(SECS_MAX, true), (SECS_MAX + 1, false)] {
        let signature = identity(1).sign(message(&text, secs).as_bytes());
        let signature = [&secs.to_be_bytes()[..], signature.as_bytes()].concat();
        let line = SignatureLine { name: name(1), id: key(1).id(), signature };
        let signed = CheckpointText(checkpoint().0 + &line.to_string());
        assert_eq!(signed.cosignature_of(&key(1)).is_ok(), counts, "{secs}");
    }
}

#[test]
fn the_newest_line_of_a_witness_is_the_one_that_stays() {
    for times in [[900, 1_000], [1_000, 900]] {
        let signed = cosigned(&times.map(|secs| (1, secs)));
        assert_eq!(signed.cosignature_of(&key(1)), Ok(at(1_000)));
        assert_eq!(signed.0.matches("witness.example/w1").count(), 1);
    }
    let lines = line_of(2, 5_000) + &line_of(1, 1_000) + &line_of(1, 2_000);
    let signed = checkpoint().with_lines(&lines, &key(1)).unwrap();
    assert_eq!(signed.cosignature_of(&key(1)), Ok(at(2_000)));
    assert_eq!(signed.cosignature_of(&key(2)), Ok(None), "lines of others are not taken over");
    let none = checkpoint().with_lines(&line_of(2, 5_000), &key(1));
    assert_eq!(none, Err(CosignatureError::Note(NoteError::NoSignature)));
}

#[test]
fn a_full_note_takes_no_further_witness_but_a_newer_time() {
    let most = u8::try_from(crate::limits::NOTE_SIGNATURES_MAX).unwrap() - 1;
    let by: Vec<_> = (0..most).map(|number| (number, 1_000)).collect();
    let full = cosigned(&by);
    assert!(full.with_lines(&line_of(0, 2_000), &key(0)).is_ok());
    let more = full.with_lines(&line_of(most, 1_000), &key(most));
    assert_eq!(more, Err(CosignatureError::Note(NoteError::TooLong)));
}

#[test]
fn the_quorum_stands_since_its_last_witness_saw_the_head() {
    let signed = cosigned(&[(1, 1_000), (2, 3_000), (3, 2_000)]);
    for (quorum, time) in [(0, None), (1, at(3_000)), (2, at(2_000)), (3, at(1_000)), (4, None), (255, None)] {
        assert_eq!(witnessed(&signed, &set(&[1, 2, 3], quorum)).unwrap().at, time, "{quorum}");
    }
    let some = witnessed(&signed, &set(&[2, 4], 2)).unwrap();
    assert_eq!(some.at, None);
    assert_eq!(some.each, [("witness.example/w2".into(), at(3_000)), ("witness.example/w4".into(), None)]);
}

#[test]
fn one_key_counts_once() {
    // Two lines of one witness; one key under two names in the set; one witness twice in the set.
    let twice = CheckpointText(cosigned(&[(1, 1_000)]).0 + &line_of(1, 1_001));
    assert_eq!(witnessed(&twice, &set(&[1, 2], 2)).unwrap().at, None);
    assert_eq!(witnessed(&twice, &set(&[1, 1], 2)).unwrap().at, None);
    let alias = Witness { name: "witness.example/alias".into(), key: identity(1).key() };
    let text = checkpoint().body().unwrap();
    let line = cosign(&text, &alias.name.parse().unwrap(), &identity(1), Timestamp::from_secs(4_000));
    let aliased = CheckpointText(twice.0 + &line);
    let mut both = set(&[1], 2);
    both.witnesses.push(alias);
    assert_eq!(witnessed(&aliased, &both).unwrap().at, None);
    both.quorum = 1;
    assert_eq!(witnessed(&aliased, &both).unwrap().at, at(4_000));
}

#[test]
fn a_witness_that_cannot_stand_in_a_note_has_not_signed() {
    let odd = Witness { name: "two words".into(), key: identity(1).key() };
    let no_key = Witness { name: "witness.example/w1".into(), key: PartyKey::from_bytes([0; 32]) };
    let counted = witnessed(&cosigned(&[(1, 1_000)]), &WitnessSet { witnesses: vec![odd, no_key], quorum: 1 }).unwrap();
    assert_eq!(counted.at, None);
}

#[test]
fn a_witness_key_has_one_spelling() {
    let vkey = key(1).to_string();
    assert_eq!(vkey.parse(), Ok(key(1)));
    let as_log = crate::note::NoteKey { name: name(1), party: identity(1).party() };
    assert_ne!(as_log.id(), key(1).id());
    assert_eq!(as_log.to_string().parse::<WitnessKey>(), Err(NoteError::BadKey));
    let hex = vkey.split('+').nth(1).unwrap();
    for bent in [vkey.replace(hex, &hex.to_uppercase()), vkey.replace(hex, "00000000"), format!("{vkey}=")] {
        assert_eq!(bent.parse::<WitnessKey>(), Err(NoteError::BadKey), "{bent}");
    }
}
