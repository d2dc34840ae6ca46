//! Each reason to deny, the edges of time and use, and the laws of the decision.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::grant::GrantCore;
use crate::id::{CollectionId, RecordId, VaultId};
use crate::scope::Place;
use crate::statement::sign;
use crate::testing::book::{Book, nonce};
use crate::testing::{collection, home, identity};
use crate::time::Month;

const NOW: Timestamp = Timestamp::from_secs(2_500);
const CLOCK: Clock = Clock { now: NOW, committed: NOW };

fn at(secs: u64) -> Clock {
    let now = Timestamp::from_secs(secs);
    Clock { now, committed: now }
}

fn session() -> Session {
    Session { node: home(), peer: vec![1, 2, 3], challenge: Challenge::from_bytes([6; 32]), sequence: Some(4) }
}

fn asked(vault: VaultId, chain: Vec<StatementId>) -> Request {
    Request {
        id: RequestId::from_bytes([1; 16]),
        vault,
        chain,
        action: Action::Read,
        selector: Selector::default(),
        purpose: Purpose::Treatment,
        acting_hash: None,
        challenge: session().challenge,
        sequence: 5,
        node: home(),
        peer: session().peer,
        head: None,
        time: NOW,
        resumes: None,
    }
}

/// Party 5 holds the grant of `grant_core`: list and read collection 1 for treatment, seconds 2000 to 3000.
struct Case {
    book: Book,
    grant: StatementId,
}

impl Case {
    fn new(change: impl Fn(&mut GrantCore)) -> Self {
        let mut book = Book::new();
        let grant = book.grant(3, change).expect("granted");
        Self { book, grant }
    }

    fn ask(&self, signer: u8, change: impl Fn(&mut Request)) -> Result<Permit, DenyReason> {
        self.ask_at(signer, change, &Memory::default(), CLOCK)
    }

    fn ask_at(
        &self,
        signer: u8,
        change: impl Fn(&mut Request),
        memory: &Memory,
        clock: Clock,
    ) -> Result<Permit, DenyReason> {
        let mut request = asked(self.book.state.vault(), vec![self.grant]);
        change(&mut request);
        let request = sign(request, &identity(signer)).expect("well-formed");
        decide(&request, &self.book.state, &session(), memory, clock)
    }

    /// The holder's request with this id, permitted just now.
    fn earlier(&self, id: RequestId) -> Earlier {
        let Request { action, selector, chain, .. } = asked(self.book.state.vault(), vec![self.grant]);
        Earlier { id, signer: identity(5).key(), chain, action, selector, permitted: NOW }
    }
}

fn place(number: u8) -> Place {
    Place {
        collection: collection(number),
        month: Month(682),
        record: RecordId::from_bytes([1; 16]),
        depositor: identity(8).key(),
    }
}

#[test]
fn the_holder_reads_what_was_granted_and_no_more() {
    let permit = Case::new(|_| ()).ask(5, |_| ()).expect("permitted");
    assert!(permit.covers(&place(1)));
    assert!(!permit.covers(&place(2)));
    assert!(!permit.covers(&Place { month: Month(700), ..place(1) }));
    assert!(!permit.covers_deposit(&place(1)));
    assert_eq!(permit.not_after(), Some(Timestamp::from_secs(3_000)));
    assert_eq!(permit.cost(), Cost::Use);
}

#[test]
fn a_request_of_another_session_is_denied() {
    let case = Case::new(|_| ());
    let denied = |change: &dyn Fn(&mut Request)| case.ask(5, change).expect_err("must be denied");
    assert_eq!(denied(&|r| r.vault = VaultId::from_bytes([9; 32])), DenyReason::WrongVault);
    assert_eq!(denied(&|r| r.node = NodeId::from_bytes([9; 32])), DenyReason::WrongNode);
    assert_eq!(denied(&|r| r.peer = vec![9]), DenyReason::WrongPeer);
    assert_eq!(denied(&|r| r.challenge = Challenge::from_bytes([9; 32])), DenyReason::WrongChallenge);
    assert_eq!(denied(&|r| r.sequence = 4), DenyReason::Replayed);
    assert_eq!(denied(&|r| r.time = NOW.plus_secs(121)), DenyReason::ClockSkew);
    assert_eq!(denied(&|r| r.time = NOW.minus_secs(121)), DenyReason::ClockSkew);
    assert!(case.ask(5, |r| r.time = NOW.minus_secs(120)).is_ok());
}

#[test]
fn a_clock_that_is_behind_decides_nothing_but_sync() {
    let case = Case::new(|_| ());
    let clock = Clock { now: NOW, committed: NOW.plus_secs(121) };
    let read = case.ask_at(5, |_| (), &Memory::default(), clock);
    assert_eq!(read, Err(DenyReason::ClockBehind));
    let sync = |r: &mut Request| (r.action, r.chain) = (Action::Sync, Vec::new());
    assert!(case.ask_at(5, sync, &Memory::default(), clock).is_ok());
    let nearly = Clock { now: NOW, committed: NOW.plus_secs(120) };
    assert!(case.ask_at(5, |_| (), &Memory::default(), nearly).is_ok());
}

#[test]
fn no_grant_is_a_no() {
    let case = Case::new(|_| ());
    for signer in [1, 2, 4, 5, 9] {
        assert_eq!(case.ask(signer, |r| r.chain.clear()), Err(DenyReason::NoGrant), "party {signer}");
    }
}

#[test]
fn a_chain_is_made_of_grants_of_the_ledger_root_first() {
    let mut case = Case::new(|core| core.depth = 1);
    let root = case.grant;
    let below = |core: &mut GrantCore| {
        core.parent = Some(root);
        core.holder = identity(6).key();
    };
    let child = case.book.grant(5, below).expect("delegated");
    let denied = |chain: &[StatementId]| case.ask(6, |r| r.chain = chain.to_vec()).expect_err("must be denied");
    assert!(case.ask(6, |r| r.chain = vec![root, child]).is_ok());
    assert_eq!(denied(&[StatementId::NONE]), DenyReason::UnknownGrant);
    assert_eq!(denied(&[child]), DenyReason::BrokenChain);
    assert_eq!(denied(&[child, root]), DenyReason::BrokenChain);
    assert_eq!(denied(&[root, root]), DenyReason::BrokenChain);
    assert_eq!(denied(&[root]), DenyReason::NotHolder);
    case.book.revoke(3, root).expect("revoked");
    assert_eq!(case.ask(6, |r| r.chain = vec![root, child]), Err(DenyReason::Revoked));
}

#[test]
fn what_was_not_granted_is_denied() {
    let case = Case::new(|_| ());
    let denied = |change: &dyn Fn(&mut Request)| case.ask(5, change).expect_err("must be denied");
    assert_eq!(case.ask(6, |_| ()), Err(DenyReason::NotHolder));
    assert_eq!(denied(&|r| r.action = Action::Deposit), DenyReason::ActionNotGranted);
    assert_eq!(denied(&|r| r.action = Action::Sync), DenyReason::ActionNotGranted);
    assert_eq!(denied(&|r| r.purpose = Purpose::Research), DenyReason::PurposeNotGranted);
    let named = |number| Some(BTreeSet::from([collection(number)]));
    assert_eq!(denied(&|r| r.selector.collections = named(2)), DenyReason::OutsideScope);
    assert_eq!(denied(&|r| r.selector.months = MonthRange::new(Month(679), Month(690)).ok()), DenyReason::OutsideScope);
    assert!(case.ask(5, |r| r.selector.collections = named(1)).is_ok());
}

#[test]
fn single_records_are_all_that_a_record_grant_gives() {
    let record = |number| Some(BTreeSet::from([RecordId::from_bytes([number; 16])]));
    let case = Case::new(|core| core.scope.records = record(1));
    assert_eq!(case.ask(5, |r| r.selector.records = record(2)), Err(DenyReason::OutsideScope));
    let permit = case.ask(5, |r| r.selector.records = record(1)).expect("permitted");
    assert!(permit.covers(&place(1)));
    assert!(!permit.covers(&Place { record: RecordId::from_bytes([2; 16]), ..place(1) }));
}

#[test]
fn a_grant_is_valid_from_its_start_to_just_before_its_end() {
    let case = Case::new(|_| ());
    let ask = |secs| case.ask_at(5, |r| r.time = Timestamp::from_secs(secs), &Memory::default(), at(secs)).err();
    assert_eq!(ask(1_999), Some(DenyReason::NotYetValid));
    assert_eq!(ask(2_000), None);
    assert_eq!(ask(2_999), None);
    assert_eq!(ask(3_000), Some(DenyReason::Expired));
}

#[test]
fn uses_are_counted_and_a_resume_costs_none() {
    let case = Case::new(|core| core.uses = Some(1));
    let first = RequestId::from_bytes([1; 16]);
    let earlier = case.earlier(first);
    let spent = Memory { spent: [(case.grant, 1)].into(), ..Memory::default() };
    let resumed = Memory { resumed: Some(earlier.clone()), ..spent.clone() };
    let resume = |r: &mut Request| r.resumes = Some(first);
    assert_eq!(case.ask_at(5, |_| (), &spent, CLOCK), Err(DenyReason::UsesExhausted));
    assert_eq!(case.ask_at(5, resume, &spent, CLOCK), Err(DenyReason::UsesExhausted));
    assert_eq!(case.ask_at(5, |_| (), &resumed, CLOCK), Err(DenyReason::UsesExhausted));
    assert_eq!(case.ask_at(5, resume, &resumed, CLOCK).map(|permit| permit.cost()), Ok(Cost::Nothing));
    for spoiled in [
        Earlier { id: RequestId::from_bytes([2; 16]), ..earlier.clone() },
        Earlier { signer: identity(6).key(), ..earlier.clone() },
        Earlier { chain: Vec::new(), ..earlier.clone() },
        Earlier { permitted: NOW.plus_secs(1), ..earlier },
    ] {
        let memory = Memory { resumed: Some(spoiled), ..spent.clone() };
        assert_eq!(case.ask_at(5, resume, &memory, CLOCK), Err(DenyReason::UsesExhausted));
    }
}

#[test]
fn a_resume_has_the_action_of_its_request_and_names_nothing_beyond_it() {
    let case = Case::new(|core| {
        core.uses = Some(1);
        core.scope.actions = [Action::List, Action::Read].into();
    });
    let first = RequestId::from_bytes([1; 16]);
    let one: BTreeSet<_> = [RecordId::from_bytes([1; 16])].into();
    let of = |action, records: Option<&BTreeSet<RecordId>>| {
        let selector = Selector { records: records.cloned(), ..Selector::default() };
        Earlier { action, selector, ..case.earlier(first) }
    };
    let ask = |earlier: Earlier, records: Option<&BTreeSet<RecordId>>| {
        let memory = Memory { spent: [(case.grant, 1)].into(), resumed: Some(earlier), asks_waiting: 0 };
        let resume = |r: &mut Request| {
            (r.resumes, r.action) = (Some(first), Action::Read);
            r.selector = Selector { records: records.cloned(), ..Selector::default() };
        };
        case.ask_at(5, resume, &memory, CLOCK).map(|permit| permit.cost())
    };
    assert_eq!(ask(of(Action::Read, None), None), Ok(Cost::Nothing));
    assert_eq!(ask(of(Action::Read, None), Some(&one)), Ok(Cost::Nothing), "the rest of it");
    assert_eq!(ask(of(Action::List, None), None), Err(DenyReason::UsesExhausted), "a list pays for no read");
    assert_eq!(ask(of(Action::Read, Some(&one)), None), Err(DenyReason::UsesExhausted), "one record pays not for all");
}

#[test]
fn a_resume_ends_after_a_day() {
    let long = |core: &mut GrantCore| {
        core.uses = Some(1);
        core.validity = crate::time::Validity::new(NOW, NOW.plus_secs(2 * RESUME_SECS_MAX)).expect("not empty");
    };
    let case = Case::new(long);
    let id = RequestId::from_bytes([1; 16]);
    let earlier = case.earlier(id);
    let memory = Memory { spent: [(case.grant, 1)].into(), resumed: Some(earlier), asks_waiting: 0 };
    let ask = |secs: u64| {
        let now = NOW.plus_secs(secs);
        case.ask_at(5, |r| (r.resumes, r.time) = (Some(id), now), &memory, Clock { now, committed: now }).err()
    };
    assert_eq!(ask(RESUME_SECS_MAX), None);
    assert_eq!(ask(RESUME_SECS_MAX + 1), Some(DenyReason::UsesExhausted));
}

#[test]
fn a_device_may_do_everything_at_the_patients_request() {
    let case = Case::new(|_| ());
    let own =
        |action| move |r: &mut Request| (r.chain, r.action, r.purpose) = (Vec::new(), action, Purpose::PatientRequest);
    for action in Action::ALL {
        let permit = case.ask(3, own(*action)).expect("permitted");
        assert_eq!(permit.right(), &Right::Device);
        assert_eq!(permit.cost(), Cost::Nothing);
    }
    let read = case.ask(3, own(Action::Read)).expect("permitted");
    assert!(read.covers(&Place { collection: CollectionId::INBOX, ..place(1) }));
    assert_eq!(case.ask(3, |r| r.chain.clear()), Err(DenyReason::PurposeNotGranted));
}

#[test]
fn sync_is_for_who_has_a_part_in_the_vault() {
    let mut case = Case::new(|_| ());
    let sync = |r: &mut Request| (r.action, r.chain) = (Action::Sync, Vec::new());
    assert_eq!(case.ask(3, sync).map(|permit| permit.right().clone()), Ok(Right::Device));
    assert_eq!(case.ask(2, sync).map(|permit| permit.right().clone()), Ok(Right::OwnPart), "next identity");
    assert_eq!(case.ask(9, sync), Err(DenyReason::NoGrant));
    let asking = Memory { asks_waiting: 1, ..Memory::default() };
    assert!(case.ask_at(9, sync, &asking, CLOCK).is_ok());
    case.book.revoke(3, case.grant).expect("revoked");
    assert!(case.ask(5, sync).is_ok(), "a revoked holder learns that it is revoked");
}

#[test]
fn a_depositor_reaches_its_collections_and_the_inbox() {
    let case = Case::new(|core| core.scope.actions = BTreeSet::from([Action::Deposit]));
    let permit = case.ask(5, |r| r.action = Action::Deposit).expect("permitted");
    assert!(permit.covers_deposit(&place(1)));
    assert!(!permit.covers_deposit(&place(2)));
    assert!(permit.covers_deposit(&Place { collection: CollectionId::INBOX, ..place(1) }));
    assert!(!permit.covers_deposit(&Place { collection: CollectionId::INBOX, month: Month(1), ..place(1) }));
    assert!(!permit.covers(&place(1)));
}

#[test]
fn a_permit_ends_with_revocation_and_expiry() {
    let mut case = Case::new(|_| ());
    let permit = case.ask(5, |_| ()).expect("permitted");
    assert_eq!(recheck(&permit, &case.book.state, NOW), Ok(()));
    assert_eq!(recheck(&permit, &case.book.state, Timestamp::from_secs(3_000)), Err(DenyReason::Expired));
    case.book.revoke(3, case.grant).expect("revoked");
    assert_eq!(recheck(&permit, &case.book.state, NOW), Err(DenyReason::Revoked));
    assert_eq!(recheck(&permit, &Book::chartered().state, NOW), Err(DenyReason::UnknownGrant));
}

#[test]
fn a_permit_of_a_device_ends_when_it_is_no_longer_one() {
    let case = Case::new(|_| ());
    let own = |r: &mut Request| (r.chain, r.purpose) = (Vec::new(), Purpose::PatientRequest);
    let permit = case.ask(3, own).expect("permitted");
    assert_eq!(recheck(&permit, &case.book.state, NOW), Ok(()));
    assert_eq!(recheck(&permit, &Book::chartered().state, NOW), Err(DenyReason::NoGrant));
}

/// One small history: up to three root grants, a child below some, and requests by anybody for anything.
#[derive(Clone, Debug)]
struct Wish {
    signer: u8,
    chain: Vec<usize>,
    action: Action,
    purpose: Purpose,
    collection: Option<u8>,
    secs: u64,
}

fn wishes() -> impl Strategy<Value = Wish> {
    (
        3..9u8,
        proptest::collection::vec(0..4usize, 0..3),
        proptest::sample::select(Action::ALL),
        proptest::sample::select(vec![Purpose::Treatment, Purpose::Research, Purpose::PatientRequest]),
        proptest::option::of(1..3u8),
        1_900..3_100u64,
    )
        .prop_map(|(signer, chain, action, purpose, collection, secs)| Wish {
            signer,
            chain,
            action,
            purpose,
            collection,
            secs,
        })
}

fn history() -> (Book, Vec<StatementId>) {
    let mut book = Book::new();
    let hospital = book.grant(3, |core| core.depth = 1).expect("granted");
    let below = |core: &mut GrantCore| (core.parent, core.holder) = (Some(hospital), identity(6).key());
    let clinic = book.grant(5, below).expect("delegated");
    let study = |core: &mut GrantCore| {
        core.holder = identity(7).key();
        core.purposes = BTreeSet::from([Purpose::Research]);
        core.scope.collections = BTreeSet::from([collection(1), collection(2)]);
    };
    let study = book.grant(3, study).expect("granted");
    let again = book.grant(3, |core| core.nonce = nonce(9)).expect("granted");
    (book, vec![hospital, clinic, study, again])
}

fn judge(wish: &Wish, book: &Book, grants: &[StatementId]) -> Result<Permit, DenyReason> {
    let mut request = asked(book.state.vault(), wish.chain.iter().map(|index| grants[*index]).collect());
    (request.action, request.purpose) = (wish.action, wish.purpose);
    request.selector.collections = wish.collection.map(|number| BTreeSet::from([collection(number)]));
    request.time = Timestamp::from_secs(wish.secs);
    let request = sign(request, &identity(wish.signer)).expect("well-formed");
    decide(&request, &book.state, &session(), &Memory::default(), at(wish.secs))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn adding_a_revocation_never_permits_more(wish in wishes(), revoked in 0..4usize) {
        let (mut book, grants) = history();
        let before = judge(&wish, &book, &grants);
        book.revoke(3, grants[revoked]).expect("revoked");
        let after = judge(&wish, &book, &grants);
        prop_assert!(before.is_ok() || after.is_err(), "{before:?} then {after:?}");
        if let Ok(permit) = &after {
            prop_assert!(!permit.chain().contains(&grants[revoked]));
            prop_assert_eq!(before.as_ref(), Ok(permit));
        }
    }

    #[test]
    fn without_a_grant_only_a_device_reads(wish in wishes()) {
        let (book, grants) = history();
        let wish = Wish { chain: Vec::new(), ..wish };
        if wish.action != Action::Sync && judge(&wish, &book, &grants).is_ok() {
            prop_assert_eq!(wish.signer, 3);
        }
    }

    #[test]
    fn time_beyond_the_end_never_permits_again(wish in wishes(), more in 0..10_000u64) {
        let (book, grants) = history();
        let late = Wish { secs: 3_000 + more, ..wish };
        let judged = judge(&late, &book, &grants);
        prop_assert!(judged.is_err() || late.chain.is_empty());
    }

    #[test]
    fn a_permit_lies_within_the_last_grant(wish in wishes()) {
        let (book, grants) = history();
        if let (Ok(permit), Some(last)) = (judge(&wish, &book, &grants), wish.chain.last()) {
            let core = book.state.grant(grants[*last]).expect("granted").core();
            prop_assert!(core.scope.actions.contains(&permit.action()));
            prop_assert!(core.purposes.contains(&permit.purpose()));
            let reached = permit.reach().collections.as_ref().expect("a grant names collections");
            prop_assert!(reached.is_subset(&core.scope.collections));
            prop_assert_eq!(core.holder, permit.party());
            prop_assert_eq!(recheck(&permit, &book.state, Timestamp::from_secs(wish.secs)), Ok(()));
        }
    }
}
