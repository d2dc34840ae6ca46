//! Messages of every kind, byte for byte where they are small, and what ends a session.

use std::collections::BTreeSet;

use karute_consent::encoding::Fault as EncodingFault;
use karute_consent::id::{
    Challenge, CollectionId, Digest, Generation, NodeId, PartyKey, RecordId, RotationSequence, RunId, Salt,
    StatementId, VaultId,
};
use karute_consent::party::Identity;
use karute_consent::request::Head;
use karute_consent::revocation::{Erasure, ErasureReason, Withdrawal, WithdrawalReason};
use karute_consent::sealing::Suite;
use karute_consent::statement::{Statement, Unverified, sign};
use karute_consent::time::{Month, Timestamp};
use proptest::prelude::*;
use serde_bytes::ByteBuf;

use super::*;
use crate::hpke::Sealed;
use crate::limits;
use crate::merkle::TreeHash;
use crate::record::{RecordNumber, SealedMeta};
use crate::trail::{
    CheckpointText, Event, EventKind, EventPlace, HeadNonce, Leaf, Outcome, Receipt, TrailIndex, TrailNumber,
};
use crate::wire::{ByteCount, LedgerSize, Octets};

const VAULT: VaultId = VaultId::from_bytes([1; 32]);

fn statement<T: Statement>() -> Unverified<T> {
    Unverified::from_bytes(vec![0x84, 0x40])
}

fn put() -> Put {
    Put { header: statement(), meta: SealedMeta(Octets(vec![2; 72])), body: Some(Octets(vec![3; 10])) }
}

fn record() -> RecordAnswer {
    RecordAnswer {
        header: statement(),
        meta: SealedMeta(Octets(vec![2; 72])),
        run: statement(),
        re_wrap: None,
        collection: CollectionId::from_bytes([4; 16]),
        generation: Generation(1),
        number: RecordNumber(1),
        encoded_len: ByteCount(0),
        body: None,
    }
}

fn append_item() -> AppendItem {
    AppendItem {
        entry: statement(),
        salt: Salt::from_bytes([5; 32]),
        body: Octets(vec![6]),
        attachments: vec![Digest::from_bytes([7; 32])],
    }
}

fn append() -> Append {
    Append { vault: VAULT, size: LedgerSize(2), items: vec![append_item()], registration: None }
}

fn text() -> CheckpointText {
    CheckpointText("karute/trail/00\n0\n\n".into())
}

fn sealed() -> Sealed {
    Sealed::new(Suite::X25519, vec![1; 32], vec![2; 16]).unwrap()
}

fn receipt() -> Receipt {
    let event = Event {
        kind: EventKind::Deposit,
        party: PartyKey::from_bytes([3; 32]),
        peer: None,
        request: None,
        chain: vec![],
        action: None,
        purpose: None,
        records: vec![],
        count: 0,
        outcome: Outcome(0),
        acting: Some(sealed()),
        head: Head { size: 2, root: Digest::from_bytes([4; 32]) },
        subject: Some(StatementId::from_bytes([4; 32])),
        place: Some(EventPlace {
            collection: CollectionId::from_bytes([4; 16]),
            generation: Generation(1),
            number: RecordNumber(1),
        }),
        request_statement: Some(statement()),
    };
    let salt = Salt::from_bytes([5; 32]);
    let leaf = Leaf::new(VAULT, TrailNumber(1), Timestamp::from_secs(7), &event, &salt).unwrap();
    Receipt { leaf, salt, event, index: TrailIndex(0), proof: vec![TreeHash([6; 32])], checkpoint: text() }
}

fn trail_item() -> TrailItem {
    let Receipt { leaf, salt, event, index, proof, .. } = receipt();
    TrailItem { leaf, salt: Some(salt), event: Some(event), index, proof }
}

/// The kinds that carry a receipt or something sealed.
fn samples_with_evidence() -> Vec<Message> {
    let package =
        GrantPackage { grant: StatementId::from_bytes([4; 32]), rotation: RotationSequence(0), package: sealed() };
    vec![
        Appended { checkpoint: text(), receipt: receipt() }.into(),
        package.into(),
        PassOn { grant: StatementId::from_bytes([4; 32]), rotation: RotationSequence(1), package: sealed() }.into(),
        stored().into(),
        Permitted { receipt: receipt(), count: 1 }.into(),
        Ask { envelope: statement(), sealed: sealed() }.into(),
        News { item: trail_item(), checkpoint: text() }.into(),
        trail_item().into(),
        WaitingAsk { envelope: statement(), sealed: sealed(), received: Timestamp::from_secs(7) }.into(),
    ]
}

fn stored() -> Stored {
    Stored {
        receipt: receipt(),
        collection: Some(CollectionId::from_bytes([4; 16])),
        generation: Some(Generation(1)),
        number: Some(RecordNumber(1)),
        existing: Existing::New,
    }
}

/// One message of every kind.
fn samples() -> Vec<Message> {
    let mut all = samples_without_evidence();
    all.extend(samples_with_evidence());
    all.sort_by_key(Message::tag);
    all
}

fn samples_without_evidence() -> Vec<Message> {
    let run = RunId::from_bytes([8; 16]);
    let item = Item { entry: statement(), salt: None, body: None, attachments: None };
    let place = (CollectionId::from_bytes([4; 16]), Generation(1), RecordNumber(1));
    vec![
        Hello { versions: vec![Version(1)], heads: vec![text()] }.into(),
        Welcome {
            version: Version(1),
            challenge: Challenge::from_bytes([9; 32]),
            node: NodeId::from_bytes([10; 32]),
            time: Timestamp::from_secs(7),
            heads: vec![],
        }
        .into(),
        Face { vault: VAULT }.into(),
        Faced { checkpoint: text(), size: LedgerSize(2), now: Timestamp::from_secs(7) }.into(),
        Attach { bytes: Octets(vec![1]) }.into(),
        Done { receipt: None }.into(),
        append().into(),
        Refusal {}.into(),
        Revoke { revocation: statement() }.into(),
        Sync { request: statement(), from: LedgerSize(0) }.into(),
        item.into(),
        Key { request: statement(), collection: place.0, month: Month(682) }.into(),
        AskAnswered { answer: statement() }.into(),
        OpenRun { run: statement() }.into(),
        Body { run, record: RecordId::from_bytes([2; 16]), length: ByteCount(72) }.into(),
        Synced { checkpoint: text(), size: LedgerSize(2), now: Timestamp::from_secs(7) }.into(),
        put().into(),
        KeyFound { proof: None, checkpoint: None }.into(),
        Fetch { request: statement(), acting: None, range: Some(ByteRange { from: ByteCount(0), to: ByteCount(9) }) }
            .into(),
        Offset { offset: ByteCount(0), receipt: None }.into(),
        List { request: statement(), acting: None }.into(),
        Withdraw { withdrawal: statement() }.into(),
        Audit { request: statement(), from: TrailNumber(1) }.into(),
        record().into(),
        End { count: 1 }.into(),
        Asks { request: statement() }.into(),
        tombstone(TombstoneReason::Erased, Some(Octets(vec![0x84, 0x40]))).into(),
        Answer { answer: statement() }.into(),
        Listed { answer: None, checkpoint: text(), audit: Some(statement()) }.into(),
        ReWraps { re_wraps: vec![statement()] }.into(),
        Close {}.into(),
        Attachment { bytes: Octets(vec![1]) }.into(),
        Fault { code: FaultCode::Conflict }.into(),
        heads().into(),
        Watch { request: statement(), from: TrailNumber(1) }.into(),
        heads_found().into(),
    ]
}

fn heads() -> Heads {
    Heads { nonce: HeadNonce::from_bytes([7; 32]), vault: Some(VAULT), sizes: [0, 3].into() }
}

fn heads_found() -> HeadsFound {
    HeadsFound {
        trail: statement(),
        trail_checkpoint: text(),
        proofs: vec![vec![], vec![TreeHash([6; 32])]],
        ledger: Some(statement()),
        ledger_checkpoint: Some(text()),
    }
}

fn tombstone(reason: TombstoneReason, statement: Option<Octets>) -> Tombstone {
    let (collection, generation) = (CollectionId::from_bytes([4; 16]), Generation(1));
    Tombstone { collection, generation, number: RecordNumber(1), reason, statement }
}

#[test]
fn every_kind_of_message_reads_back() {
    assert_eq!(samples().len(), 45);
    for message in samples() {
        let bytes = message.encode().unwrap();
        assert_eq!(bytes[0], message.tag());
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
}

#[test]
fn small_messages_are_these_bytes() {
    let cases: [(Message, &[u8]); 5] = [
        (Refusal {}.into(), &[8, 0xa0]),                                             // {}
        (Close {}.into(), &[37, 0xa0]),                                              // {}
        (Fault { code: FaultCode::Conflict }.into(), &[42, 0xa1, 0x01, 0x03]),       // {1: 3}
        (End { count: 24 }.into(), &[30, 0xa1, 0x01, 0x18, 0x18]),                   // {1: 24}
        (Attach { bytes: Octets(vec![9, 8]) }.into(), &[5, 0xa1, 0x01, 0x42, 9, 8]), // {1: h'0908'}
    ];
    for (message, bytes) in cases {
        assert_eq!(message.encode().unwrap(), bytes);
        assert_eq!(Message::decode(bytes), Ok(message));
    }
}

#[test]
fn odd_tags_go_to_the_host() {
    let for_host: Vec<u8> = samples().iter().filter(|m| m.is_for_host()).map(Message::tag).collect();
    assert_eq!(for_host, (1..=43).step_by(2).collect::<Vec<u8>>());
}

/// Every refusal is the same two bytes (P-29).
#[test]
fn a_refusal_says_nothing() {
    assert_eq!(Message::from(Refusal {}).encode().unwrap(), [8, 0xa0]);
    assert!(Message::decode(&[8, 0xa1, 0x01, 0x00]).is_err());
}

/// P-28
#[test]
fn what_is_no_message_is_refused() {
    assert_eq!(Message::decode(&[]), Err(MessageError::Empty));
    for tag in [0, 45, 48, 255] {
        assert_eq!(Message::decode(&[tag, 0xa0]), Err(MessageError::UnknownTag(tag)));
    }
    assert_eq!(Message::decode(&vec![5; MESSAGE_LEN_MAX + 1]), Err(MessageError::TooLong));
    let fault = |bytes: &[u8]| match Message::decode(bytes) {
        Err(MessageError::Encoding(error)) => error.fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(&[8]), EncodingFault::Truncated);
    assert_eq!(fault(&[8, 0xa0, 0x00]), EncodingFault::TrailingBytes);
    assert_eq!(fault(&[30, 0xa1, 0x01, 0x18, 0x01]), EncodingFault::NotShortest);
    assert_eq!(fault(&[30, 0xa1, 0x01, 0xf6]), EncodingFault::Simple); // null
    assert_eq!(fault(&[42, 0xa1, 0x01, 0x09]), EncodingFault::BadValue); // no such fault code
    assert_eq!(fault(&[30, 0xa0]), EncodingFault::WrongShape);
}

#[test]
fn lists_and_bytes_above_their_limits_are_refused() {
    let refused = |message: Message| {
        let encoded = message.encode();
        assert!(encoded.is_err(), "{message:?}");
        encoded.unwrap_err()
    };
    let long = limits::INLINE_BODY_LEN_MAX + 1;
    let above = MessageError::AboveLimit;
    assert_eq!(refused(Attach { bytes: Octets(vec![0; 65_537]) }.into()), above);
    assert_eq!(refused(Put { body: Some(Octets(vec![0; long])), ..put() }.into()), above);
    assert_eq!(refused(Put { meta: SealedMeta(Octets(vec![0; 3_585])), ..put() }.into()), above);
    assert_eq!(refused(RecordAnswer { body: Some(Octets(vec![0; long])), ..record() }.into()), above);
    assert_eq!(refused(Append { items: vec![append_item(); 17], ..append() }.into()), above);
    let attachments = vec![Digest::from_bytes([0; 32]); 67];
    let item = AppendItem { attachments, ..append_item() };
    assert_eq!(refused(Append { items: vec![item], ..append() }.into()), above);
    let half = AppendItem { attachments: vec![Digest::from_bytes([1; 32]); 34], ..append_item() };
    let again_and_again = Append { items: vec![half.clone(), half], ..append() };
    assert_eq!(refused(again_and_again.into()), above, "one attachment copied as often as it is named");
    assert_eq!(refused(Append { registration: Some(Registration("x".repeat(65))), ..append() }.into()), above);
    assert_eq!(refused(ReWraps { re_wraps: vec![statement(); 65] }.into()), above);
    assert_eq!(refused(Heads { sizes: (0..65).collect(), ..heads() }.into()), above);
    assert_eq!(refused(HeadsFound { proofs: vec![vec![]; 65], ..heads_found() }.into()), above);
    let proof = vec![TreeHash([6; 32]); limits::PROOF_LEN_MAX + 1];
    let news = News { item: TrailItem { proof, ..trail_item() }, checkpoint: text() };
    assert_eq!(refused(news.into()), above);
    assert_eq!(refused(Hello { versions: vec![Version(1)], heads: vec![text(); 9] }.into()), above);
    let huge = Item { entry: Unverified::from_bytes(vec![0; MESSAGE_LEN_MAX]), ..bare() };
    assert_eq!(refused(huge.into()), MessageError::TooLong);
}

fn bare() -> Item {
    Item { entry: statement(), salt: None, body: None, attachments: None }
}

#[test]
fn fields_that_do_not_belong_together_are_refused() {
    let salt = Some(Salt::from_bytes([0; 32]));
    let (item, audit) = (trail_item(), Some(statement()));
    let inconsistent: [Message; 15] = [
        TrailItem { salt: None, ..item.clone() }.into(),
        News { item: TrailItem { event: None, ..item }, checkpoint: text() }.into(),
        Listed { answer: Some(statement()), checkpoint: text(), audit }.into(),
        HeadsFound { ledger_checkpoint: None, ..heads_found() }.into(),
        tombstone(TombstoneReason::Withdrawn, None).into(),
        tombstone(TombstoneReason::Moved, Some(Octets(vec![0]))).into(),
        Stored { number: None, ..stored() }.into(),
        Item { salt, ..bare() }.into(),
        Item { body: Some(vec![0]), ..bare() }.into(),
        Item { attachments: Some(vec![ByteBuf::from(vec![0])]), ..bare() }.into(),
        KeyFound { proof: None, checkpoint: Some(text()) }.into(),
        Append { items: vec![], ..append() }.into(),
        ReWraps { re_wraps: vec![] }.into(),
        RecordAnswer { encoded_len: ByteCount(1), body: Some(Octets(vec![0])), ..record() }.into(),
        Fetch { request: statement(), acting: None, range: Some(ByteRange { from: ByteCount(9), to: ByteCount(9) }) }
            .into(),
    ];
    for message in inconsistent {
        assert_eq!(message.encode(), Err(MessageError::Inconsistent), "{message:?}");
    }
    let versions = vec![Version(2), Version(1)];
    assert_eq!(Message::from(Hello { versions, heads: vec![] }).encode(), Err(MessageError::NotASet));
    assert_eq!(Message::decode(&[35, 0xa1, 0x01, 0x80]), Err(MessageError::Inconsistent));
}

/// P-42
#[test]
fn a_tombstone_has_the_statement_that_took_its_record_away() {
    let (device, depositor) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
    let (records, issued) = (BTreeSet::from([RecordId::from_bytes([2; 16])]), Timestamp::from_secs(7));
    let erasure = |records| Erasure { vault: VAULT, records, reason: ErasureReason::Wish, issued, events: None };
    let erasure = sign(erasure(records.clone()), &device).unwrap();
    let withdrawal = Withdrawal { vault: VAULT, records, reason: WithdrawalReason::Misfiled, issued };
    let withdrawal = sign(withdrawal, &depositor).unwrap();
    let of = |bytes: &[u8]| Some(Octets(bytes.to_vec()));
    let erased = tombstone(TombstoneReason::Erased, of(erasure.bytes()));
    assert_eq!(erased.removal(VAULT), Ok(Removal::Erased(erasure.clone())));
    assert_eq!(erased.removal(VaultId::from_bytes([9; 32])), Err(TombstoneError::OtherRecord));
    let withdrawn = tombstone(TombstoneReason::Withdrawn, of(withdrawal.bytes()));
    assert_eq!(withdrawn.removal(VAULT), Ok(Removal::Withdrawn(withdrawal)));
    assert_eq!(tombstone(TombstoneReason::Moved, None).removal(VAULT), Ok(Removal::Moved));
    let refused = |reason, bytes| tombstone(reason, bytes).removal(VAULT).unwrap_err();
    assert_eq!(refused(TombstoneReason::Erased, None), TombstoneError::Missing);
    let other_kind = refused(TombstoneReason::Withdrawn, of(erasure.bytes()));
    assert!(matches!(other_kind, TombstoneError::Statement(_)));
    let events = Some(BTreeSet::from([TrailNumber(1)]));
    let of_events = Erasure { records: BTreeSet::new(), events, ..erasure.payload().clone() };
    let of_events = sign(of_events, &device).unwrap();
    assert_eq!(refused(TombstoneReason::Erased, of(of_events.bytes())), TombstoneError::OtherRecord);
}

/// A child grant is handed in for sequencing without an entry.
#[test]
fn an_append_item_may_have_an_empty_entry() {
    let item = AppendItem { entry: Unverified::from_bytes(vec![]), ..append_item() };
    let message = Message::from(Append { items: vec![item], ..append() });
    assert_eq!(Message::decode(&message.encode().unwrap()), Ok(message));
}

proptest! {
    #[test]
    fn bytes_that_are_accepted_are_the_bytes_that_would_be_written(
        sample in 0..45usize, at in any::<prop::sample::Index>(), with in any::<u8>(), cut: bool
    ) {
        let mut bytes = samples()[sample].encode().unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::decode(&bytes);
    }
}
