//! Envelopes laid out by hand, and every way to spoil one.

use super::*;
use crate::ask::{Ask, AskAnswer, AskEnvelope};
use crate::card::{Card, CardKind};
use crate::directory::Directory;
use crate::grant::Grant;
use crate::ledger::Entry;
use crate::request::Request;
use crate::revocation::{Erasure, Revocation, RevocationReason, Rotation, Withdrawal};
use crate::testing::{card, identity};
use crate::time::Timestamp;
use crate::vault::{Authority, Charter};

fn revocation() -> Revocation {
    Revocation {
        vault: crate::id::VaultId::from_bytes([0xaa; 32]),
        grant: StatementId::from_bytes([0xbb; 32]),
        reason: RevocationReason::Wish,
        issued: Timestamp::from_secs(5),
    }
}

fn signed() -> Vec<u8> {
    sign(revocation(), &identity(5)).expect("well-formed").bytes().to_vec()
}

fn verify(bytes: Vec<u8>) -> Result<Verified<Revocation>, StatementError> {
    Unverified::from_bytes(bytes).verify()
}

/// Puts an envelope together by hand, under a context of the test's choice.
fn envelope(protected: &[u8], unprotected: &[u8], payload: &[u8], context: &str) -> Vec<u8> {
    let aad = context.as_bytes();
    let parts = ("Signature1", Bytes::new(protected), Bytes::new(aad), Bytes::new(payload));
    let signature = identity(5).sign(&to_bytes(&parts).expect("encodes"));
    let bstr = |bytes: &[u8]| to_bytes(&Bytes::new(bytes)).expect("encodes");
    [&[0x84], &bstr(protected)[..], unprotected, &bstr(payload), &bstr(signature.as_bytes())].concat()
}

/// {1: alg, 4: kid}
fn protected(alg: u8, kid: &[u8; 32]) -> Vec<u8> {
    [&[0xa2, 0x01, alg, 0x04, 0x58, 0x20], &kid[..]].concat()
}

fn own_protected() -> Vec<u8> {
    protected(0x27, identity(5).key().as_bytes())
}

const CONTEXT: &str = "karute-v1/ed25519/revocation";

fn payload() -> Vec<u8> {
    to_bytes(&revocation()).expect("encodes")
}

#[test]
fn an_envelope_is_what_rfc_9052_says() {
    assert_eq!(signed(), envelope(&own_protected(), &[0xa0], &payload(), CONTEXT));
    let read = verify(signed()).expect("verifies");
    assert_eq!(read.payload(), &revocation());
    assert_eq!(read.signer(), identity(5).key());
    assert_eq!(read.bytes(), signed());
}

#[test]
fn the_id_is_the_digest_of_the_bytes_under_the_type() {
    let bytes = signed();
    let expected = Sha256::digest([b"karute-v1/id/revocation\0", &bytes[..]].concat());
    assert_eq!(verify(bytes).expect("verifies").id().as_bytes()[..], expected[..]);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = signed();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn every_truncation_and_every_byte_more_is_noticed() {
    let bytes = signed();
    for len in 0..bytes.len() {
        let error = verify(bytes[..len].to_vec()).expect_err("must be refused");
        assert_eq!(error.stage(), Stage::Encoding, "{len} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(verify(longer).map_err(|error| error.stage()), Err(Stage::Encoding));
}

#[test]
fn a_statement_of_one_type_is_none_of_another() {
    let other = envelope(&own_protected(), &[0xa0], &payload(), "karute-v1/ed25519/withdrawal");
    assert_eq!(verify(other), Err(StatementError::Signature));
}

#[test]
fn the_headers_are_exactly_as_they_have_to_be() {
    let stage = |protected: &[u8], unprotected: &[u8]| {
        verify(envelope(protected, unprotected, &payload(), CONTEXT)).map(|_| ()).map_err(|error| error.stage())
    };
    assert_eq!(stage(&own_protected(), &[0xa0]), Ok(()));
    assert_eq!(stage(&own_protected(), &[0xa1, 0x01, 0x01]), Err(Stage::Statement));
    assert_eq!(stage(&own_protected(), &[0x80]), Err(Stage::Statement));
    assert_eq!(stage(&protected(0x26, identity(5).key().as_bytes()), &[0xa0]), Err(Stage::Statement));
    assert_eq!(stage(&protected(0x27, identity(6).key().as_bytes()), &[0xa0]), Err(Stage::Statement));
    assert_eq!(stage(&protected(0x27, &[0; 32]), &[0xa0]), Err(Stage::Statement));
    assert_eq!(stage(&[0xa1, 0x01, 0x27], &[0xa0]), Err(Stage::Statement));
    assert_eq!(stage(&[], &[0xa0]), Err(Stage::Statement));
    let mut third = own_protected();
    third[0] = 0xa3;
    third.extend([0x05, 0x00]);
    assert_eq!(stage(&third, &[0xa0]), Err(Stage::Statement));
}

#[test]
fn a_payload_is_judged_after_its_signature() {
    let stage = |payload: &[u8]| {
        verify(envelope(&own_protected(), &[0xa0], payload, CONTEXT)).map(|_| ()).map_err(|error| error.stage())
    };
    assert_eq!(stage(&[0xa0]), Err(Stage::Encoding), "fields missing");
    assert_eq!(stage(&[0xa1]), Err(Stage::Encoding));
    let mut reason = payload();
    let at = reason.len() - 3;
    assert_eq!(reason[at - 1..], [0x03, 0x01, 0x04, 0x05]);
    reason[at] = 0x06;
    assert_eq!(stage(&reason), Err(Stage::Payload));
}

#[test]
fn a_set_out_of_order_is_noticed_in_the_payload() {
    let erasure = |records: [u8; 2]| {
        let records: Vec<u8> = records.iter().flat_map(|byte| [&[0x50], &[*byte; 16][..]].concat()).collect();
        let vault = [&[0x58, 0x20], &[0xaa; 32][..]].concat();
        let payload = [&[0xa4, 0x01], &vault[..], &[0x02, 0x82], &records, &[0x03, 0x01, 0x04, 0x05]].concat();
        let bytes = envelope(&own_protected(), &[0xa0], &payload, "karute-v1/ed25519/erasure");
        Unverified::<Erasure>::from_bytes(bytes).verify().map(|_| ()).map_err(|error| error.stage())
    };
    assert_eq!(erasure([1, 2]), Ok(()));
    assert_eq!(erasure([2, 1]), Err(Stage::Payload));
    assert_eq!(erasure([1, 1]), Err(Stage::Payload));
}

#[test]
fn a_statement_of_another_signer_is_refused_where_the_signer_is_known() {
    let unverified = Unverified::<Revocation>::from_bytes(signed());
    assert!(unverified.clone().verify_by(identity(5).key()).is_ok());
    assert_eq!(unverified.verify_by(identity(6).key()), Err(StatementError::OtherSigner));
}

#[test]
fn a_statement_above_its_size_is_neither_signed_nor_read() {
    let long = Card { evidence: Some(vec![0; 8192]), addresses: Some(vec!["a".repeat(256); 4]), ..card() };
    assert!(sign(long.clone(), &identity(5)).is_ok());
    let too_long = Card { evidence: Some(vec![0; 8193]), ..long };
    assert_eq!(sign(too_long, &identity(5)), Err(StatementError::Rule(Malformed::Bytes)));
    let bytes = vec![0x84; Revocation::BYTES_MAX + 1];
    let error = Fault::TooLong.at(Revocation::BYTES_MAX);
    assert_eq!(verify(bytes), Err(StatementError::Envelope(error)));
}

#[test]
fn a_card_keeps_its_rules() {
    let refused = |card: Card| sign(card, &identity(5)).map(|_| ());
    assert_eq!(refused(card()), Ok(()));
    for name in ["", "a\nb", &"あ".repeat(43)] {
        let named = Card { name: name.to_owned(), ..card() };
        assert_eq!(refused(named), Err(StatementError::Rule(Malformed::Text)));
    }
    for addresses in [vec![], vec!["a".to_owned(); 5]] {
        let addressed = Card { addresses: Some(addresses), ..card() };
        assert_eq!(refused(addressed), Err(StatementError::Rule(Malformed::Count)));
    }
    assert_eq!(CardKind::from_number(6), None);
}

#[test]
fn every_type_of_statement_has_a_context_of_its_own() {
    let types = [
        Card::TYPE,
        Charter::TYPE,
        Authority::TYPE,
        Entry::TYPE,
        Directory::TYPE,
        Grant::TYPE,
        Revocation::TYPE,
        Rotation::TYPE,
        Erasure::TYPE,
        Withdrawal::TYPE,
        Request::TYPE,
        Ask::TYPE,
        AskEnvelope::TYPE,
        AskAnswer::TYPE,
    ];
    let distinct: std::collections::BTreeSet<_> = types.into_iter().collect();
    assert_eq!(distinct.len(), types.len());
    // Kept free for the protocol's own statements.
    assert!(["run", "re-wrap", "header", "list-answer"].iter().all(|name| !distinct.contains(name)));
}
