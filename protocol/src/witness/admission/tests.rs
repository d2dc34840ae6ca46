use karute_consent::id::{Digest, RootNumber};
use karute_consent::party::Identity;
use karute_consent::sealing::{SealingKey, Suite};
use karute_consent::statement::sign;
use karute_consent::time::Timestamp;
use karute_consent::vault::{Device, Host, HostRole, Nonce, commit_to_next};

use super::*;

/// 1 is the patient's identity, 2 the next one, 3 and 4 devices, from 5 on nodes.
fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32])
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes(*identity(number).key().as_bytes())
}

fn sealing_key(number: u8) -> SealingKey {
    SealingKey::new(Suite::X25519, vec![number; 32]).unwrap()
}

fn charter(nonce: u8) -> Verified<Charter> {
    let charter = Charter {
        identity: identity(1).key(),
        next: commit_to_next(identity(2).key()),
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        witnesses: Vec::new(),
        quorum: 0,
        created: Timestamp::from_secs(1_000),
        nonce: Nonce::from_bytes([nonce; 16]),
    };
    sign(charter, &identity(1)).unwrap()
}

/// The authority of this number, with the home at a node.
fn authority(number: u32, home: u8) -> Authority {
    let device = Device { key: identity(3).key(), sealing_key: sealing_key(4), added: Timestamp::from_secs(1_000) };
    Authority {
        vault: charter(7).vault(),
        number: AuthorityNumber(number),
        identity: identity(1).key(),
        next: commit_to_next(identity(2).key()),
        devices: vec![device],
        hosts: vec![Host { node: node(home), role: HostRole::Home, addresses: Vec::new() }],
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        root_number: RootNumber(0),
        roots: Digest::from_bytes([8; 32]),
        witness_set: None,
    }
}

fn admission(charter: &Verified<Charter>, authorities: Vec<(Authority, u8)>) -> Admission {
    let signed = |(authority, by): (Authority, u8)| Octets(sign(authority, &identity(by)).unwrap().bytes().to_vec());
    Admission { charter: Octets(charter.bytes().to_vec()), authorities: authorities.into_iter().map(signed).collect() }
}

fn good() -> Admission {
    admission(&charter(7), vec![(authority(0, 5), 1), (authority(1, 6), 1)])
}

#[test]
fn the_newest_authority_says_who_signs_for_the_ledger() {
    let read = Admission::from_bytes(&good().to_bytes().unwrap()).unwrap();
    let admitted = read.verify().unwrap();
    assert_eq!((admitted.vault, admitted.home, admitted.number()), (charter(7).vault(), node(6), AuthorityNumber(1)));
    let first = admission(&charter(7), vec![(authority(0, 5), 1)]).verify().unwrap();
    assert_eq!(first.home, node(5));
    assert!(!admitted.contradicts(first.number(), first.newest()));
    assert!(!first.contradicts(admitted.number(), admitted.newest()));
}

#[test]
fn another_authority_with_the_same_number_contradicts() {
    let known = good().verify().unwrap();
    let fork = admission(&charter(7), vec![(authority(0, 5), 1), (authority(1, 5), 1), (authority(2, 5), 1)]);
    assert!(fork.verify().unwrap().contradicts(known.number(), known.newest()));
}

#[test]
fn what_does_not_follow_is_refused() {
    let other = charter(9);
    let refused = |admission: Admission| admission.verify().unwrap_err();
    let succession = [
        (vec![(authority(0, 5), 3)], SuccessionError::Signer),
        (vec![(authority(1, 5), 1)], SuccessionError::Number),
        (vec![(authority(0, 5), 1), (authority(2, 6), 1)], SuccessionError::Number),
        (vec![(authority(0, 5), 1), (authority(1, 6), 2)], SuccessionError::Identity),
    ];
    for (authorities, error) in succession {
        assert_eq!(refused(admission(&charter(7), authorities)), AdmissionError::Succession(error));
    }
    assert_eq!(refused(admission(&other, vec![(authority(0, 5), 1)])), AdmissionError::OtherVault);
    let mut bent = good();
    bent.authorities[1].0[40] ^= 1;
    let error = refused(bent);
    assert!(matches!(error, AdmissionError::Statement(_)), "{error:?}");
    assert_eq!(error.status(), 403);
    let mut bent = good();
    let last = bent.charter.0.len() - 1;
    bent.charter.0[last] ^= 1;
    assert_eq!(refused(bent), AdmissionError::Statement(StatementError::Signature));
}

#[test]
fn what_is_no_admission_is_malformed() {
    let none = Admission { authorities: vec![], ..good() };
    assert_eq!(none.to_bytes(), Err(AdmissionError::Count));
    let many = Admission { authorities: vec![Octets(vec![0]); limits::ADMISSION_AUTHORITIES_MAX + 1], ..good() };
    assert_eq!(many.to_bytes(), Err(AdmissionError::Count));
    let bytes = to_bytes(&many).unwrap();
    assert_eq!(Admission::from_bytes(&bytes), Err(AdmissionError::Count));
    let good = good().to_bytes().unwrap();
    for bytes in [&good[..good.len() - 1], &[&good[..], &[0]].concat(), &vec![0; limits::ADMISSION_LEN_MAX + 1], &[]] {
        assert_eq!(Admission::from_bytes(bytes).map_err(AdmissionError::status), Err(400));
    }
}
