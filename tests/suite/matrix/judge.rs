//! Every cell through the decision itself: 12 roles, 7 actions, 17 states of a grant, 15 moments.

use karute_consent::id::{Challenge, NodeId, RequestId, StatementId, VaultId};
use karute_consent::policy::{Clock, DenyReason, Earlier, Memory, Permit, Right, Session, decide, recheck};
use karute_consent::purpose::Purpose;
use karute_consent::request::{Request, Selector};
use karute_consent::scope::Action;
use karute_consent::statement::{Verified, sign};
use karute_consent::time::{Month, MonthRange, Timestamp};
use karute_tests::world::START;

use super::cell::{ACTIONS, Cell, Moment, Role, State};
use super::table;
use super::vault::{FROM, IMAGING, LAB, TO, Vault, identity, named, revocation};

const PEER: [u8; 3] = [1, 2, 3];
const CHALLENGE: Challenge = Challenge::from_bytes([6; 32]);
/// The request that spent the one use.
pub(super) const EARLIER: RequestId = RequestId::from_bytes([0xEA; 16]);

pub(super) fn node() -> NodeId {
    NodeId::from_bytes(*named("host/log").key().as_bytes())
}

/// The grants that a role names in a state, root first.
pub(super) fn chain(vault: &Vault, role: Role, state: State) -> Vec<StatementId> {
    let Vault { p, g, d, w, x, .. } = vault;
    match (role, state) {
        (_, State::NoGrant | State::NoGrantOtherPurpose) => vec![],
        (Role::Guardian, _) => vec![*w],
        (Role::Parent, _) => vec![*p],
        (_, State::BelowDepthZero | State::Unregistered) => vec![*p, *g, x.id()],
        (Role::Delegate, State::BrokenChain) => vec![*p, *d],
        (_, State::BrokenChain) => vec![*g],
        (Role::Delegate, _) => vec![*p, *g, *d],
        _ => vec![*p, *g],
    }
}

/// What a role asks for in a state; what is of the session is the caller's.
pub(super) fn request(vault: &Vault, role: Role, action: Action, state: State) -> Request {
    let mut selector = Selector { collections: Some([LAB].into()), ..Selector::default() };
    match state {
        State::OtherCollection => selector.collections = Some([IMAGING].into()),
        State::OtherMonth => selector.months = MonthRange::new(Month(700), Month(702)).ok(),
        _ => {}
    }
    Request {
        id: RequestId::from_bytes([1; 16]),
        vault: vault.id(),
        chain: chain(vault, role, state),
        action,
        selector,
        purpose: match state {
            State::NoGrant => Purpose::PatientRequest,
            State::OtherPurpose => Purpose::Research,
            State::NoGrantOtherPurpose => Purpose::Treatment,
            _ if role == Role::Guardian => Purpose::FamilyRequest,
            _ => Purpose::Treatment,
        },
        acting_hash: None,
        challenge: CHALLENGE,
        sequence: 5,
        node: node(),
        peer: PEER.to_vec(),
        head: None,
        time: START,
        resumes: state.resumes().then_some(EARLIER),
    }
}

/// What the request named that spent the one use.
pub(super) fn spending(state: State) -> Selector {
    let months = if state == State::ResumedBeyond { MonthRange::new(Month(684), Month(685)).ok() } else { None };
    Selector { collections: Some([LAB].into()), months, records: None }
}

/// What the host's clock says, and what it said when it last committed.
fn clock(moment: Moment) -> Clock {
    let (now, behind) = match moment {
        Moment::AtStart => (FROM, 0),
        Moment::LastSecond => (TO.minus_secs(1), 0),
        Moment::AtEnd => (TO, 0),
        Moment::Behind120 => (START, 120),
        Moment::Behind121 => (START, 121),
        _ => (START, 0),
    };
    Clock { now, committed: now.plus_secs(behind) }
}

/// Spoils a request as the moment says.
fn at_moment(mut request: Request, moment: Moment, now: Timestamp) -> Request {
    request.time = match moment {
        Moment::Ahead120 => now.plus_secs(120),
        Moment::Ahead121 => now.plus_secs(121),
        Moment::Late120 => now.minus_secs(120),
        Moment::Late121 => now.minus_secs(121),
        _ => now,
    };
    match moment {
        Moment::OtherVault => request.vault = VaultId::from_bytes([9; 32]),
        Moment::OtherNode => request.node = NodeId::from_bytes([9; 32]),
        Moment::OtherPeer => request.peer = vec![9],
        Moment::OtherChallenge => request.challenge = Challenge::from_bytes([9; 32]),
        Moment::Replayed => request.sequence = 4,
        _ => {}
    }
    request
}

fn memory(vault: &Vault, cell: &Cell, now: Timestamp) -> Memory {
    let mut memory = Memory::default();
    if cell.state.has_one_use() {
        memory.spent.insert(vault.g, 1);
    }
    let ago = match cell.state {
        State::Resumed | State::ResumedBeyond => Some(24 * 3600),
        State::ResumedLate => Some(24 * 3600 + 1),
        _ => None,
    };
    memory.resumed = ago.map(|ago| Earlier {
        id: EARLIER,
        signer: identity(Role::Holder).key(),
        chain: vec![vault.p, vault.g],
        action: Action::List,
        selector: spending(cell.state),
        permitted: now.minus_secs(ago),
    });
    memory.asks_waiting = u32::from(cell.role == Role::Asker);
    memory
}

fn judged(vault: &Vault, cell: &Cell) -> Result<Permit, DenyReason> {
    let clock = clock(cell.moment);
    let asked = at_moment(request(vault, cell.role, cell.action, cell.state), cell.moment, clock.now);
    let asked: Verified<Request> = sign(asked, &identity(cell.role)).unwrap();
    let session = Session { node: node(), peer: PEER.to_vec(), challenge: CHALLENGE, sequence: Some(4) };
    decide(&asked, &vault.state, &session, &memory(vault, cell, clock.now), clock)
}

fn cells() -> impl Iterator<Item = Cell> {
    State::ALL.into_iter().flat_map(|state| {
        Role::ALL.into_iter().flat_map(move |role| {
            ACTIONS
                .into_iter()
                .flat_map(move |action| Moment::ALL.into_iter().map(move |moment| Cell { role, action, state, moment }))
        })
    })
}

#[test]
fn the_table_says_yes_or_no_to_every_cell_and_never_both() {
    let torn: Vec<Cell> = cells().filter(|cell| table::lists(cell).0 == table::lists(cell).1).collect();
    assert_eq!(torn, [], "cells in both lists of the table, or in none");
    let unused = |rules: &[table::Rule]| -> Vec<&'static str> {
        rules.iter().filter(|(_, holds)| !cells().any(|cell| holds(&cell))).map(|(cite, _)| *cite).collect()
    };
    assert_eq!(unused(&table::DENIALS), Vec::<&str>::new());
    assert_eq!(unused(&table::PERMITS), Vec::<&str>::new());
}

#[test]
fn every_cell_is_decided_as_the_specification_says() {
    let (mut permitted, mut denied, mut wrong) = (0, [0_u32; 19], Vec::new());
    let vaults: Vec<Vault> = State::ALL.into_iter().map(|state| Vault::new(node(), state, 0)).collect();
    for cell in cells() {
        let vault = &vaults[State::ALL.iter().position(|state| *state == cell.state).unwrap()];
        let (wanted, found) = (table::outcome(&cell), judged(vault, &cell));
        match &found {
            Ok(permit) => {
                permitted += 1;
                wrong.extend(not_rechecked(vault, &cell, permit));
            }
            Err(reason) => denied[usize::from(reason.number())] += 1,
        }
        if wanted != found.as_ref().err().map(|reason| reason.number()) {
            wrong.push(format!("{cell:?}: wanted {wanted:?}, found {:?}", found.err()));
        }
    }
    let total = permitted + denied.iter().sum::<u32>();
    println!("{total} cells decided: {permitted} permitted, denied by reason 1 to 18: {:?}", &denied[1..]);
    assert_eq!(total, 12 * 7 * 17 * 15);
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(denied[1..].iter().all(|cells| *cells > 0), "a reason that no cell has: {denied:?}");
}

/// C-52: a permit holds as long as what it rests on, and no longer. A sync rests on no grant.
fn not_rechecked(vault: &Vault, cell: &Cell, permit: &Permit) -> Option<String> {
    let now = clock(cell.moment).now;
    let mut revoked = vault.state.clone();
    let first = permit.chain().first().copied();
    if let Some(root) = first {
        revoked.refuse(&revocation(vault.id(), root, &identity(Role::Device)), now).unwrap();
    }
    let far = TO.plus_secs(400 * 24 * 3600);
    let rests_on_grants = matches!(permit.right(), Right::Chain(_));
    let denied = |reason| if rests_on_grants { Err(reason) } else { Ok(()) };
    let wanted = [Ok(()), denied(DenyReason::Revoked), denied(DenyReason::Expired)];
    let found = [
        recheck(permit, &vault.state, now),
        recheck(permit, &revoked, now),
        recheck(permit, &vault.state, permit.not_after().unwrap_or(far)),
    ];
    let ends = permit.not_after().is_some() == rests_on_grants;
    (wanted != found || !ends).then(|| format!("{cell:?}: rechecked as {found:?}"))
}

#[test]
fn a_device_that_is_removed_loses_what_it_was_permitted() {
    let vault = Vault::new(node(), State::NoGrant, 0);
    let cell = Cell { role: Role::Device, action: Action::Read, state: State::NoGrant, moment: Moment::Middle };
    let permit = judged(&vault, &cell).unwrap();
    let other = Vault::new(node(), State::NoGrant, 1);
    assert_eq!(recheck(&permit, &vault.state, START), Ok(()));
    assert_eq!(recheck(&permit, &other.state, START), Err(DenyReason::WrongVault));
    let before = karute_consent::ledger::LedgerState::replay(&vault.items[..3], karute_consent::ledger::View::Append);
    let before = before.unwrap();
    let session = Session { node: node(), peer: PEER.to_vec(), challenge: CHALLENGE, sequence: None };
    let asked =
        sign(request(&vault, Role::RemovedDevice, Action::Read, State::NoGrant), &identity(Role::RemovedDevice));
    let permit = decide(&asked.unwrap(), &before, &session, &Memory::default(), clock(Moment::Middle)).unwrap();
    assert_eq!(recheck(&permit, &before, START), Ok(()));
    assert_eq!(recheck(&permit, &vault.state, START), Err(DenyReason::NoGrant));
}
