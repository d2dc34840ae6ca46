//! Runs sealed, signed, opened and re-wrapped, and those that must be refused.

use karute_consent::party::Identity;
use karute_consent::statement::{StatementError, sign};
use proptest::prelude::*;

use super::*;
use crate::hpke::{ENTROPY_LEN, SealingSecret as Secret, Suite};

fn identity(byte: u8) -> Identity {
    Identity::from_seed(&[byte; 32])
}

fn facts() -> RunFacts {
    RunFacts {
        run: RunId::from_bytes([1; 16]),
        vault: VaultId::from_bytes([2; 32]),
        collection: CollectionId::from_bytes([3; 16]),
        generation: Generation(1),
        epoch: Month(682),
        depositor: identity(4).key(),
        grant: Some(StatementId::from_bytes([5; 32])),
        head: Head { size: 3, root: Digest::from_bytes([6; 32]) },
    }
}

fn secret() -> RunSecret {
    RunSecret::new(Zeroizing::new([7; 32]))
}

fn entropy() -> Entropy {
    Entropy::new([8; ENTROPY_LEN])
}

fn epoch_secret(byte: u8) -> Secret {
    Secret::new(Suite::XWing, Zeroizing::new([byte; 32]))
}

fn run() -> Run {
    facts().seal(&secret(), &epoch_secret(9).public(), entropy()).unwrap()
}

#[cfg(feature = "open")]
fn re_wrap(run: &Verified<Run>) -> ReWrap {
    let of = run.payload();
    let facts = ReWrapFacts {
        run: of.run,
        vault: of.vault,
        collection: of.collection,
        generation: Generation(2),
        epoch: of.epoch,
        depositor: of.depositor,
        replaces: run.id(),
    };
    facts.seal(&secret(), &epoch_secret(10).public(), entropy()).unwrap()
}

/// P-12
#[test]
fn a_run_is_signed_by_its_depositor() {
    assert!(sign(run(), &identity(4)).unwrap().to_unverified().verify().is_ok());
    assert_eq!(sign(run(), &identity(5)).err(), Some(StatementError::Rule(Malformed::Signer)));
}

/// P-12
#[test]
fn only_a_device_deposits_without_a_grant() {
    let without = Run { grant: None, ..run() };
    assert_eq!(without.check_grant(Depositor::Device), Ok(()));
    assert_eq!(without.check_grant(Depositor::Other), Err(RunError::NoGrant));
    assert_eq!(run().check_grant(Depositor::Other), Ok(()));
}

/// P-13
#[test]
fn a_month_is_open_a_day_before_it_begins_and_a_day_after_it_ends() {
    let start = Month(682).start();
    let end = Month(683).start();
    for now in [start.minus_secs(86_400), start, end.minus_secs(1), end.plus_secs(86_399)] {
        assert_eq!(run().check_epoch(now), Ok(()), "{now:?}");
    }
    for now in [start.minus_secs(86_401), end.plus_secs(86_400)] {
        assert_eq!(run().check_epoch(now), Err(RunError::OtherMonth), "{now:?}");
    }
}

#[cfg(feature = "open")]
#[test]
fn a_run_opens_for_its_epoch_key_and_its_own_facts_only() {
    let good = run();
    assert_eq!(*good.open(&epoch_secret(9)).unwrap().0, *secret().0);
    assert_eq!(good.open(&epoch_secret(10)).err(), Some(RunError::Open(OpenError::Refused)));
    let changes: [&dyn Fn(&mut Run); 6] = [
        &|run| run.run = RunId::from_bytes([0; 16]),
        &|run| run.vault = VaultId::from_bytes([0; 32]),
        &|run| run.generation = Generation(2),
        &|run| run.epoch = Month(683),
        &|run| run.grant = None,
        &|run| run.head.size = 4,
    ];
    for change in changes {
        let mut bent = good.clone();
        change(&mut bent);
        assert_eq!(bent.open(&epoch_secret(9)).err(), Some(RunError::Open(OpenError::Refused)));
    }
}

#[cfg(feature = "open")]
#[test]
fn what_was_sealed_must_be_a_secret() {
    let info = context_of("run", &facts()).unwrap();
    let short = seal(&epoch_secret(9).public(), &info, &[1; 31], entropy()).unwrap();
    assert_eq!(Run::join(facts(), short).open(&epoch_secret(9)).err(), Some(RunError::NotASecret));
}

/// P-14
#[cfg(feature = "open")]
#[test]
fn a_re_wrap_gives_the_same_secret_under_another_key() {
    let run = sign(run(), &identity(4)).unwrap();
    let re_wrap = re_wrap(&run);
    assert_eq!(*re_wrap.open(&epoch_secret(10)).unwrap().0, *secret().0);
    assert_eq!(re_wrap.check_replaces(&run, run.id()), Ok(()));
    let newer = StatementId::from_bytes([1; 32]);
    assert_eq!(re_wrap.check_replaces(&run, newer), Err(RunError::NotInForce));
    let other = ReWrap { depositor: identity(9).key(), ..re_wrap.clone() };
    assert_eq!(other.check_replaces(&run, run.id()), Err(RunError::OtherRun));
    let later = ReWrap { epoch: Month(683), ..re_wrap.clone() };
    assert_eq!(later.check_replaces(&run, run.id()), Err(RunError::OtherMonth));
    let inbox = ReWrap { collection: CollectionId::INBOX, ..re_wrap };
    assert_eq!(sign(inbox, &identity(1)).err(), Some(StatementError::Rule(Malformed::Inbox)));
}

/// The label differs, so the seal of a run is none of a re-wrap with the same fields.
#[cfg(feature = "open")]
#[test]
fn a_re_wrap_is_sealed_under_a_label_of_its_own() {
    let run = sign(run(), &identity(4)).unwrap();
    let re_wrap = re_wrap(&run);
    let as_run = open(&epoch_secret(10), &context_of("run", &re_wrap.facts()).unwrap(), &re_wrap.seal);
    assert_eq!(as_run.err(), Some(OpenError::Refused));
}

#[test]
fn record_ids_differ_by_file_vault_and_depositor_and_repeat() {
    let name = |secret: u8, vault: u8, file: u8| {
        let secret = RecordSecret::new(Zeroizing::new([secret; 32]));
        secret.record_id(VaultId::from_bytes([vault; 32]), &Digest::from_bytes([file; 32]))
    };
    assert_eq!(name(1, 1, 1), name(1, 1, 1));
    assert!(![name(2, 1, 1), name(1, 2, 1), name(1, 1, 2)].contains(&name(1, 1, 1)));
}

proptest! {
    #[test]
    fn every_part_of_a_records_place_changes_its_keys(vault: [u8; 32], run: [u8; 16], party: [u8; 32], record: [u8; 16]) {
        let place = RecordPlace {
            vault: VaultId::from_bytes(vault),
            run: RunId::from_bytes(run),
            depositor: PartyKey::from_bytes(party),
            record: RecordId::from_bytes(record),
        };
        let keys = secret().record_keys(&place);
        prop_assert_ne!(keys.meta.bytes(), keys.body.as_ref().unwrap().bytes());
        let flipped = |byte: u8| byte ^ 1;
        let others = [
            RecordPlace { vault: VaultId::from_bytes(vault.map(flipped)), ..place },
            RecordPlace { run: RunId::from_bytes(run.map(flipped)), ..place },
            RecordPlace { depositor: PartyKey::from_bytes(party.map(flipped)), ..place },
            RecordPlace { record: RecordId::from_bytes(record.map(flipped)), ..place },
        ];
        for other in others {
            let other = secret().record_keys(&other);
            prop_assert_ne!(other.meta.bytes(), keys.meta.bytes());
        }
    }
}
