//! What is sealed: the seals themselves, and the plaintexts in them, which this end seals to a key of its own so that the
//! input comes to the decoder behind the seal.

use std::sync::LazyLock;

use karute_consent::card::Card;
use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::{AskId, AuthorityNumber, Digest, PartyKey, RequestId, RotationSequence, VaultId};
use karute_consent::sealing::SealingKey;
use karute_consent::statement::Verified;
use karute_protocol::hpke::{Sealed, SealingSecret, seal};
use karute_protocol::limits::SEAL_PLAIN_LEN_MAX;
use karute_protocol::package::{CoreDigest, Package, RootPackageList};
use karute_protocol::particulars::{ActingPerson, Particulars, Reader, SealedParticulars, letter_hash, open_ask};

use super::source::Source;
use crate::vectors::cast::{entropy, key, seal_info, sealing_secret};
use crate::vectors::forge::hash;

/// A seal as it arrives.
pub fn sealed(data: &[u8]) {
    let Ok(sealed) = from_bytes::<Sealed>(data, data.len()) else { return };
    assert_eq!(to_bytes(&sealed).as_deref(), Ok(data), "one spelling");
    for secret in [&*CLINIC, &*PHONE] {
        assert!(karute_protocol::hpke::open(secret, b"", &sealed).is_err(), "nobody sealed it to this key");
    }
}

/// A sealing key as it arrives, and what is sealed to it.
pub fn sealing_key(data: &[u8]) {
    let Ok(key) = from_bytes::<SealingKey>(data, data.len()) else { return };
    assert_eq!(to_bytes(&key).as_deref(), Ok(data), "one spelling");
    if let Ok(made) = seal(&key, b"info", b"plaintext", entropy("fuzz")) {
        assert!(to_bytes(&made).is_ok_and(|bytes| from_bytes::<Sealed>(&bytes, bytes.len()) == Ok(made)));
    }
}

/// The plaintext of a key package.
pub fn package(data: &[u8]) {
    let (core, rotation) = (CoreDigest(Digest::from_bytes([1; 32])), RotationSequence(3));
    let info = seal_info("package", &[&[1; 32], &3u32.to_be_bytes()]);
    let Some(sealed) = seal_to_clinic(&info, data) else { return };
    let Ok(package) = Package::open(&sealed, &CLINIC, core, rotation) else { return };
    let again = package.seal(&CLINIC.public(), core, rotation, entropy("fuzz")).expect("it was within its limits");
    assert_eq!(again, sealed, "one spelling");
    let other = Package::open(&sealed, &CLINIC, core, RotationSequence(4));
    assert!(other.is_err(), "a package opens where it stands and nowhere else");
}

/// The plaintext of a root package, in a list of one.
pub fn roots(data: &[u8]) {
    let vault = VaultId::from_bytes([2; 32]);
    let receiver = hash(&[&to_bytes(&CLINIC.public()).expect("a key can be encoded")]);
    let info = seal_info("roots", &[&[2; 32], &5u32.to_be_bytes(), &receiver]);
    let Some(sealed) = seal_to_clinic(&info, data) else { return };
    let sealed = crate::vectors::cbor::Cbor::decode(&to_bytes(&sealed).expect("a seal can be encoded"));
    let list = crate::list![crate::map! { 1 => receiver, 2 => sealed }].encode();
    let list = RootPackageList::from_attachment(&list, &[CLINIC.public()]).expect("a list of one");
    let Ok(roots) = list.open(&CLINIC, vault, AuthorityNumber(5)) else { return };
    assert!(roots.iter().enumerate().all(|(at, root)| root.number().0 as usize == at));
    let again = RootPackageList::seal(&[CLINIC.public()], roots, vault, AuthorityNumber(5), || entropy("fuzz"));
    assert_eq!(again.as_ref(), Ok(&list), "one spelling");
}

/// A list of root packages as it arrives.
pub fn root_list(data: &[u8]) {
    let receivers = [PHONE.public(), CLINIC.public()];
    if let Ok(list) = RootPackageList::from_attachment(data, &receivers) {
        assert_eq!(list.to_attachment().as_deref(), Ok(data), "one spelling");
        assert_eq!(list.packages().len(), receivers.len());
        assert!(list.open(&CLINIC, VaultId::from_bytes([2; 32]), AuthorityNumber(0)).is_err());
    }
}

/// The plaintext of a grant's particulars; and both seals as they arrive.
pub fn particulars(data: &[u8]) {
    if let Ok(both) = SealedParticulars::from_attachment(data) {
        assert_eq!(both.to_attachment().as_deref(), Ok(data), "one spelling");
    }
    let core = CoreDigest(Digest::from_bytes([1; 32]));
    let holder = PartyKey::from_bytes(key("hospital"));
    let Some(for_holder) = seal_to_clinic(&seal_info("particulars", &[&[1; 32], &[1]]), data) else { return };
    let Some(for_patient) = seal_to_clinic(&seal_info("particulars", &[&[1; 32], &[2]]), data) else { return };
    let both = SealedParticulars { holder: for_holder, patient: for_patient };
    let opened = both.open(Reader::Holder, &CLINIC, core, holder);
    let by_patient = both.open(Reader::Patient, &CLINIC, core, holder);
    assert_eq!(opened.is_ok(), by_patient.is_ok(), "both readers read the same");
    let Ok((particulars, card)) = opened else { return };
    let card: Verified<Card> = card;
    assert_eq!(card.signer(), holder);
    assert_eq!(to_bytes::<Particulars>(&particulars).as_deref(), Ok(data), "one spelling");
}

/// The plaintexts of letters to the patient: who acts, and an ask in the mailbox.
pub fn letter(data: &[u8]) {
    let vault = VaultId::from_bytes([2; 32]);
    let request = RequestId::from_bytes([3; 16]);
    if let Some(sealed) = seal_to_clinic(&seal_info("acting", &[&[2; 32], &[3; 16]]), data)
        && let Ok(person) = ActingPerson::open(&sealed, &CLINIC, vault, request)
    {
        assert_eq!(to_bytes(&person).as_deref(), Ok(data), "one spelling");
        let again = person.seal(&CLINIC.public(), vault, request, entropy("fuzz")).expect("it was within its limits");
        assert_eq!(letter_hash(&again), letter_hash(&sealed));
    }
    if let Some(sealed) = seal_to_clinic(&seal_info("ask", &[&[2; 32], &[3; 16]]), data) {
        let ask = open_ask(&sealed, &CLINIC, vault, AskId::from_bytes([3; 16])).expect("it was sealed for this place");
        if let Ok(ask) = ask.verify() {
            assert_eq!(ask.bytes(), data);
        }
    }
}

/// Two packages of the input behind one another: the first opens under no other label than its own.
pub fn label(data: &[u8]) {
    let mut source = Source::new(data);
    let labels = ["package", "roots", "particulars", "run", "re-wrap", "acting", "ask"];
    let (one, other) = (source.name(&labels), source.name(&labels));
    let (context, elsewhere) = (source.take(16), source.take(16));
    let plain = source.rest();
    let (info, other_info) = (seal_info(one, &[context]), seal_info(other, &[elsewhere]));
    let Some(sealed) = seal_to_clinic(&info, plain) else { return };
    let opened = karute_protocol::hpke::open(&CLINIC, &info, &sealed).expect("the same label and context");
    assert_eq!(&opened[..], plain);
    if info != other_info {
        assert!(karute_protocol::hpke::open(&CLINIC, &other_info, &sealed).is_err(), "P-01");
    }
}

fn seal_to_clinic(info: &[u8], plain: &[u8]) -> Option<Sealed> {
    let fits = plain.len() <= SEAL_PLAIN_LEN_MAX;
    fits.then(|| seal(&CLINIC.public(), info, plain, entropy("fuzz")).expect("a good key and a short plaintext"))
}

/// A key of suite 1: the cheaper one.
static CLINIC: LazyLock<SealingSecret> = LazyLock::new(|| sealing_secret(1, "clinic"));
/// A key of suite 2.
static PHONE: LazyLock<SealingSecret> = LazyLock::new(|| sealing_secret(2, "phone"));
