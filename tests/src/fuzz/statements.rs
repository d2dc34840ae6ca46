//! CBOR, and every type of signed statement: as it arrives, as a payload that this end signs, and as an edit of a good one.

use karute_consent::ask::{Ask, AskAnswer, AskEnvelope};
use karute_consent::card::Card;
use karute_consent::directory::Directory;
use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::grant::Grant;
use karute_consent::ledger::Entry;
use karute_consent::limits::STATEMENT_BYTES_MAX;
use karute_consent::party::Identity;
use karute_consent::request::Request;
use karute_consent::revocation::{Erasure, Revocation, Rotation, Withdrawal};
use karute_consent::statement::{Statement, StatementError, Unverified, id_of, sign};
use karute_consent::vault::{Authority, Charter};
use karute_protocol::record::Header;
use karute_protocol::run::{ReWrap, Run};
use karute_protocol::trail::{AuditAnswer, ListAnswer, SignedTreeHead};

use super::edit::edit_some;
use super::good;
use super::source::Source;
use crate::vectors::cast::party;
use crate::vectors::cbor::Cbor;
use crate::vectors::forge::{self, Envelope};

/// What is tried with each type of statement.
pub(super) struct Kind {
    /// The type's name.
    pub(super) name: &'static str,
    verify: fn(&[u8]) -> bool,
    sign: fn(&[u8], &Identity),
}

macro_rules! kinds {
    ($($statement:ty),+ $(,)?) => {
        /// Every type of statement.
        pub(super) const KINDS: &[Kind] = &[$(Kind {
            name: <$statement>::TYPE,
            verify: verify::<$statement>,
            sign: sign_payload::<$statement>,
        }),+];
    };
}

kinds! {
    Card, Charter, Authority, Entry, Directory, Grant, Revocation, Rotation, Erasure, Withdrawal, Request, Ask,
    AskEnvelope, AskAnswer, Run, ReWrap, Header, ListAnswer, AuditAnswer, SignedTreeHead,
}

/// Who signs payloads: the parties of the vectors.
pub(super) const SIGNERS: [&str; 9] =
    ["phone", "patient", "hospital", "clinic", "home", "specialist", "guardian", "study", "pharmacy"];

/// The one door to CBOR, compared with a writer that knows nothing of it.
pub fn cbor(data: &[u8]) {
    if let Ok(item) = from_bytes::<Cbor>(data, STATEMENT_BYTES_MAX) {
        assert_eq!(to_bytes(&item).as_deref(), Ok(data), "one spelling");
        assert_eq!(item.encode(), data, "the spelling of an independent writer");
    }
}

/// A statement as it arrives: type, then its bytes.
pub fn statement(data: &[u8]) {
    let mut source = Source::new(data);
    let kind = source.one_of(KINDS);
    let other = source.one_of(KINDS);
    let bytes = source.rest();
    if (kind.verify)(bytes) && kind.name != other.name {
        assert!(!(other.verify)(bytes), "a {} is also a {}", kind.name, other.name); // C-13
    }
}

/// A payload that this end signs: type, signer, then the payload's bytes.
pub fn statement_payload(data: &[u8]) {
    let mut source = Source::new(data);
    let kind = source.one_of(KINDS);
    let by = party(source.name(&SIGNERS));
    (kind.sign)(source.rest(), &by);
}

/// A good statement whose payload is edited and signed again by the one who signed it, or by another.
pub fn statement_edits(data: &[u8]) {
    let mut source = Source::new(data);
    let (name, good) = source.one_of(&good::STATEMENTS);
    let kind = KINDS.iter().find(|kind| kind.name == *name).expect("every type of the vectors is known");
    let mut payload = forge::payload_of(good);
    let by = match source.byte() {
        0 => signer_of(good),
        _ => party(source.name(&SIGNERS)),
    };
    edit_some(&mut payload, &mut source, 4);
    let mut envelope = Envelope::sign(name, &payload, &by);
    if source.byte() == 1 {
        edit_some(&mut envelope.unprotected, &mut source, 1);
    }
    (kind.verify)(&envelope.join());
    (kind.sign)(&payload.encode(), &by);
}

/// The party that signed a good statement of the vectors; another one if it is none of those that are known here.
fn signer_of(statement: &[u8]) -> Identity {
    let Cbor::List(parts) = Cbor::decode(statement) else { return party(SIGNERS[0]) };
    let header = Cbor::decode(parts[0].bytes());
    let found = SIGNERS.iter().map(|name| party(name)).find(|it| it.key().as_bytes() == header.field(4).bytes());
    found.unwrap_or_else(|| party(SIGNERS[0]))
}

fn verify<T: Statement>(bytes: &[u8]) -> bool {
    let Ok(made) = Unverified::<T>::from_bytes(bytes.to_vec()).verify() else { return false };
    assert!(bytes.len() <= T::BYTES_MAX);
    assert_eq!(made.bytes(), bytes, "what arrived is what is kept"); // I-5
    assert_eq!(made.id(), id_of::<T>(bytes));
    let Cbor::List(parts) = Cbor::decode(bytes) else { panic!("an envelope is an array") };
    let [protected, _, payload, signature] = &parts[..] else { panic!("an envelope has four parts") };
    assert_eq!(to_bytes(made.payload()).as_deref(), Ok(payload.bytes()), "the payload has one spelling");
    let again = Envelope {
        protected: protected.bytes().to_vec(),
        unprotected: Cbor::Map(Vec::new()),
        payload: payload.bytes().to_vec(),
        signature: signature.bytes().to_vec(),
    };
    assert_eq!(again.join(), bytes, "the envelope has one spelling");
    assert!(made.to_unverified().verify_by(made.signer()).is_ok());
    true
}

fn sign_payload<T: Statement>(bytes: &[u8], by: &Identity) {
    let Ok(payload) = from_bytes::<T>(bytes, T::BYTES_MAX) else { return };
    assert_eq!(to_bytes(&payload).as_deref(), Ok(bytes), "one spelling");
    match sign(payload, by) {
        Ok(made) => {
            assert_eq!(made.signer(), by.key());
            assert!(verify::<T>(made.bytes()), "what is signed here verifies");
            let bent = Unverified::<T>::from_bytes(bend(made.bytes()));
            assert!(bent.verify().is_err(), "a bit of a statement does not count");
        }
        Err(StatementError::Rule(rule)) => {
            let forged = Envelope::sign_bytes(T::TYPE, bytes.to_vec(), by).join();
            if forged.len() <= T::BYTES_MAX {
                let refused = Unverified::<T>::from_bytes(forged).verify();
                assert_eq!(refused.err(), Some(StatementError::Rule(rule)), "both ends keep the same rules");
            }
        }
        Err(_) => {}
    }
}

/// The same statement with a bit of its payload or signature flipped.
fn bend(statement: &[u8]) -> Vec<u8> {
    let mut bent = statement.to_vec();
    let last = bent.len() - 1;
    bent[last - usize::from(statement[last] % 64)] ^= 1;
    bent
}
