//! Particulars and letters for their readers, and those that must be refused.

use karute_consent::card::CardKind;
use karute_consent::party::Identity;
use karute_consent::statement::sign;
use karute_consent::time::Timestamp;

use super::letter::check_letter;
use super::*;
use crate::hpke::{ENTROPY_LEN, SealingSecret as Secret, Suite};
use karute_consent::id::{RequestId, VaultId};

const CORE: CoreDigest = CoreDigest(Digest::from_bytes([2; 32]));

fn holder() -> Identity {
    Identity::from_seed(&[3; 32])
}

fn secret(byte: u8) -> Secret {
    Secret::new(Suite::XWing, Zeroizing::new([byte; 32]))
}

fn entropy(byte: u8) -> Entropy {
    Entropy::new([byte; ENTROPY_LEN])
}

fn card(of: &Identity) -> Unverified<Card> {
    let card = Card {
        kind: CardKind::Facility,
        name: "Clinic A".into(),
        sealing_key: secret(1).public(),
        issued: Timestamp::from_secs(1_795_305_600),
        evidence: None,
        addresses: None,
    };
    sign(card, of).unwrap().to_unverified()
}

fn particulars() -> Particulars {
    let text = "Clinic A may read laboratory results\nuntil February.";
    let lab = NamedCollection {
        collection: CollectionId::from_bytes([4; 16]),
        category: Category::Lab,
        sensitivity: Sensitivity::Normal,
    };
    Particulars {
        holder_card: card(&holder()),
        patient_name: "Hanako".into(),
        collections: vec![lab],
        template: 2,
        text_hash: digest_of(&[text.as_bytes()]),
        language: "en-GB".into(),
        obligations: BTreeSet::from([Obligation::NoOnwardGiving]),
        text: text.into(),
    }
}

fn sealed() -> SealedParticulars {
    particulars().seal(CORE, holder().key(), &secret(2).public(), [entropy(1), entropy(2)]).unwrap()
}

#[test]
fn the_sealed_part_reads_back_from_its_attachment() {
    let attachment = sealed().to_attachment().unwrap();
    assert_eq!(SealedParticulars::from_attachment(&attachment), Ok(sealed()));
    assert_eq!(sealed().digest(), Ok(digest_of(&[&attachment])));
    assert!(SealedParticulars::from_attachment(&attachment[1..]).is_err());
}

#[cfg(feature = "open")]
#[test]
fn holder_and_patient_each_open_their_own_half() {
    let open = |reader, byte, core| sealed().open(reader, &secret(byte), core, holder().key());
    for (reader, byte) in [(Reader::Holder, 1), (Reader::Patient, 2)] {
        let (opened, card) = open(reader, byte, CORE).ok().unwrap();
        assert!(opened == particulars());
        assert_eq!(card.payload().name, "Clinic A");
    }
    let refused = Some(ParticularsError::Open(OpenError::Refused));
    assert_eq!(open(Reader::Holder, 2, CORE).err(), refused);
    assert_eq!(open(Reader::Patient, 1, CORE).err(), refused);
    assert_eq!(open(Reader::Holder, 1, CoreDigest(Digest::from_bytes([9; 32]))).err(), refused);
    // The halves are bound to their readers: exchanged, none opens.
    let turned = SealedParticulars { holder: sealed().patient, patient: sealed().holder };
    assert_eq!(turned.open(Reader::Holder, &secret(2), CORE, holder().key()).err(), refused);
}

/// P-11
#[test]
fn a_text_that_was_not_shown_or_a_card_of_somebody_else_is_refused() {
    let refused = |change: &dyn Fn(&mut Particulars)| {
        let mut bent = particulars();
        change(&mut bent);
        bent.check(holder().key()).err()
    };
    assert_eq!(refused(&|_| ()), None);
    assert_eq!(refused(&|p| p.text.push('.')), Some(ParticularsError::TextHash));
    assert_eq!(refused(&|p| p.text_hash = Digest::from_bytes([0; 32])), Some(ParticularsError::TextHash));
    let other = card(&Identity::from_seed(&[4; 32]));
    assert_eq!(refused(&|p| p.holder_card = other.clone()), Some(ParticularsError::Card(StatementError::OtherSigner)));
    assert_eq!(refused(&|p| p.patient_name.clear()), Some(ParticularsError::Text(Malformed::Text)));
    assert_eq!(refused(&|p| p.text = "x".repeat(4097)), Some(ParticularsError::Text(Malformed::Text)));
    assert_eq!(refused(&|p| p.language = "en GB".into()), Some(ParticularsError::Language));
    assert_eq!(refused(&|p| p.language = "e".into()), Some(ParticularsError::Language));
    assert_eq!(refused(&|p| p.collections.push(p.collections[0])), Some(ParticularsError::Collections));
}

fn person() -> ActingPerson {
    ActingPerson { name: "Dr. B".into(), role: "physician".into(), reason: "follow-up".into() }
}

const VAULT: VaultId = VaultId::from_bytes([1; 32]);
const REQUEST: RequestId = RequestId::from_bytes([6; 16]);

fn acting() -> Sealed {
    person().seal(&secret(2).public(), VAULT, REQUEST, entropy(3)).unwrap()
}

#[cfg(feature = "open")]
#[test]
fn an_acting_person_opens_for_its_own_request_only() {
    let open = |byte, request| ActingPerson::open(&acting(), &secret(byte), VAULT, request);
    assert!(open(2, REQUEST).ok() == Some(person()));
    let refused = Some(LetterError::Open(OpenError::Refused));
    assert_eq!(open(2, RequestId::from_bytes([7; 16])).err(), refused);
    assert_eq!(open(1, REQUEST).err(), refused);
}

#[test]
fn an_acting_person_without_a_reason_is_not_sealed() {
    let silent = ActingPerson { reason: String::new(), ..person() };
    let sealed = silent.seal(&secret(2).public(), VAULT, REQUEST, entropy(3));
    assert_eq!(sealed, Err(LetterError::Text(Malformed::Text)));
}

/// P-27
#[test]
fn a_letter_is_the_one_that_the_statement_names() {
    let named = Some(letter_hash(&acting()).unwrap());
    assert_eq!(check_letter(named, Some(&acting())), Ok(()));
    assert_eq!(check_letter(None, None), Ok(()));
    let other = person().seal(&secret(2).public(), VAULT, REQUEST, entropy(4)).unwrap();
    for (named, letter) in [(named, Some(&other)), (named, None), (None, Some(&other))] {
        assert_eq!(check_letter(named, letter), Err(LetterError::OtherLetter));
    }
}

#[cfg(feature = "open")]
#[test]
fn an_ask_opens_for_the_vault_that_it_was_sealed_for() {
    use karute_consent::ask::Ask;
    use karute_consent::category::Kind;
    use karute_consent::id::AskId;
    use karute_consent::purpose::Purpose;
    use karute_consent::scope::Action;

    let ask = Ask {
        id: AskId::from_bytes([8; 16]),
        vault: Some(VAULT),
        actions: BTreeSet::from([Action::Read]),
        categories: BTreeSet::from([Kind { category: Category::Lab, sensitivity: Sensitivity::Normal }]),
        months: None,
        purpose: Purpose::Treatment,
        days: 90,
        card: card(&holder()),
        issued: Timestamp::from_secs(1_795_305_600),
        note: "For Friday.\nThank you.".into(),
    };
    let ask = sign(ask, &holder()).unwrap();
    let sealed = seal_ask(&ask, &secret(2).public(), VAULT, entropy(5)).unwrap();
    let opened = open_ask(&sealed, &secret(2), VAULT, ask.payload().id).unwrap();
    assert_eq!(opened.verify().unwrap(), ask);
    let other = open_ask(&sealed, &secret(2), VaultId::from_bytes([9; 32]), ask.payload().id);
    assert_eq!(other.err(), Some(LetterError::Open(OpenError::Refused)));
    let text = crate::archive::ask_to_text(&ask);
    assert_eq!(crate::archive::ask_from_text(&text), Ok(ask.to_unverified()));
}
