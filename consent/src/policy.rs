//! The decision: a request, the ledger, the session, the clock; a permit or a reason.
//!
//! Nothing else makes a [`Permit`], and whoever reads a vault needs one. No grant is a no. C-53: every rule here only
//! takes away when a revocation is added or time passes beyond an end; the tests state it as a law.

mod permit;
mod reason;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use permit::{Cost, Permit, Reach, Right};
pub use reason::DenyReason;

use crate::chain::{ChainError, ProvenGrant};
use crate::id::{Challenge, NodeId, PartyKey, RequestId, StatementId};
use crate::ledger::LedgerState;
use crate::limits::{RESUME_SECS_MAX, SKEW_SECS_MAX};
use crate::purpose::Purpose;
use crate::request::{Request, Selector};
use crate::scope::{Action, inside};
use crate::statement::Verified;
use crate::time::{MonthRange, Timestamp};

/// What the host knows of the session that a request came in.
#[derive(Clone, Debug)]
pub struct Session {
    /// The host itself.
    pub node: NodeId,
    /// The PeerId that the transport proved.
    pub peer: Vec<u8>,
    /// The challenge that the host drew for this session.
    pub challenge: Challenge,
    /// The highest sequence that a request of this session had.
    pub sequence: Option<u64>,
}

/// What the host's clock says, and what it said when it last committed.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Now.
    pub now: Timestamp,
    /// The last time that the host committed.
    pub committed: Timestamp,
}

/// What the host remembers of earlier requests and of its mailbox.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// How many uses of a grant are spent; a grant that is missing has none spent.
    pub spent: BTreeMap<StatementId, u32>,
    /// The permitted request that this one says it resumes, if the host knows it.
    pub resumed: Option<Earlier>,
    /// Number of asks of this signer that wait in the vault's mailbox.
    pub asks_waiting: u32,
}

/// A request that was permitted earlier.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// Its id.
    pub id: RequestId,
    /// Who signed it.
    pub signer: PartyKey,
    /// Its chain.
    pub chain: Vec<StatementId>,
    /// What it was for.
    pub action: Action,
    /// What it was narrowed to.
    pub selector: Selector,
    /// When it was permitted and cost a use.
    pub permitted: Timestamp,
}

/// Decides a request. The first no ends it, in the order of SPEC section 11.
pub fn decide(
    request: &Verified<Request>,
    state: &LedgerState,
    session: &Session,
    memory: &Memory,
    clock: Clock,
) -> Result<Permit, DenyReason> {
    let asked = request.payload();
    check_session(asked, state, session, clock)?;
    let party = request.signer();
    if asked.chain.is_empty() {
        let right = right_without_grant(asked, party, state, memory)?;
        return Ok(permit(request, (right, Reach::default(), Cost::Nothing), None));
    }
    let proven = ProvenGrant::prove(state, &asked.chain).map_err(|error| match error {
        ChainError::Empty => DenyReason::NoGrant,
        ChainError::Unknown => DenyReason::UnknownGrant,
        ChainError::Broken => DenyReason::BrokenChain,
    })?;
    // C-45
    if proven.holder() != party {
        return Err(DenyReason::NotHolder);
    }
    check_in_force(state, &asked.chain, clock.now.max(clock.committed))?; // a clock that was set back gives no time back
    let cost = check_granted(asked, &proven, party, memory, clock.now)?;
    let scope = &proven.core().scope;
    let reach = Reach {
        collections: Some(scope.collections.clone()),
        months: scope.months,
        records: scope.records.clone(),
        depositors: scope.depositors.clone(),
    };
    let right = Right::Chain(asked.chain.clone());
    Ok(permit(request, (right, reach, cost), Some(proven.not_after())))
}

/// Judges a permit again while it is answered: before each frame, by the state and time of that moment (C-52).
pub fn recheck(permit: &Permit, state: &LedgerState, now: Timestamp) -> Result<(), DenyReason> {
    match &permit.right {
        _ if permit.vault() != state.vault() => Err(DenyReason::WrongVault),
        Right::Device if state.is_device(permit.party()) => Ok(()),
        Right::Device => Err(DenyReason::NoGrant),
        Right::Chain(chain) => check_in_force(state, chain, now),
        Right::OwnPart => Ok(()),
    }
}

/// C-38 to C-41
fn check_session(asked: &Request, state: &LedgerState, session: &Session, clock: Clock) -> Result<(), DenyReason> {
    let behind = clock.now.plus_secs(SKEW_SECS_MAX) < clock.committed;
    let rules = [
        (asked.vault == state.vault(), DenyReason::WrongVault),
        (asked.node == session.node, DenyReason::WrongNode),
        (asked.peer == session.peer, DenyReason::WrongPeer),
        (asked.challenge == session.challenge, DenyReason::WrongChallenge),
        (session.sequence.is_none_or(|highest| asked.sequence > highest), DenyReason::Replayed),
        (asked.time.abs_diff(clock.now) <= SKEW_SECS_MAX, DenyReason::ClockSkew),
        (!behind || asked.action == Action::Sync, DenyReason::ClockBehind),
    ];
    first_no(rules)
}

/// C-42: who needs no grant, and for what.
fn right_without_grant(
    asked: &Request,
    party: PartyKey,
    state: &LedgerState,
    memory: &Memory,
) -> Result<Right, DenyReason> {
    let device = state.is_device(party);
    if asked.action == Action::Sync {
        let own_part = state.is_next_identity(party) || state.is_holder(party) || memory.asks_waiting > 0;
        return match (device, own_part) {
            (true, _) => Ok(Right::Device),
            (false, true) => Ok(Right::OwnPart),
            (false, false) => Err(DenyReason::NoGrant),
        };
    }
    match asked.purpose {
        _ if !device => Err(DenyReason::NoGrant),
        Purpose::PatientRequest => Ok(Right::Device),
        _ => Err(DenyReason::PurposeNotGranted),
    }
}

/// C-35, C-46: none of the chain is revoked, all are valid now.
fn check_in_force(state: &LedgerState, chain: &[StatementId], now: Timestamp) -> Result<(), DenyReason> {
    if chain.iter().any(|id| state.is_revoked(*id)) {
        return Err(DenyReason::Revoked);
    }
    let validities: Option<Vec<_>> = chain.iter().map(|id| Some(state.grant(*id)?.core().validity)).collect();
    let validities = validities.ok_or(DenyReason::UnknownGrant)?;
    first_no([
        (validities.iter().all(|validity| validity.not_before() <= now), DenyReason::NotYetValid),
        (validities.iter().all(|validity| now < validity.not_after()), DenyReason::Expired),
    ])
}

/// C-47 to C-50
fn check_granted(
    asked: &Request,
    proven: &ProvenGrant<'_>,
    party: PartyKey,
    memory: &Memory,
    now: Timestamp,
) -> Result<Cost, DenyReason> {
    let core = proven.core();
    let cost = if is_resumed(asked, party, memory, now) { Cost::Nothing } else { Cost::Use };
    let left = proven.grants().all(|grant| {
        let spent = memory.spent.get(&grant.statement.id()).copied().unwrap_or(0);
        grant.core().uses.is_none_or(|uses| spent < uses)
    });
    let Selector { collections, months, records } = &asked.selector;
    let named = collections.as_ref().is_none_or(|named| named.is_subset(&core.scope.collections))
        && (records.is_none() || inside(records, &core.scope.records, BTreeSet::is_subset))
        && (months.is_none() || inside(months, &core.scope.months, MonthRange::within));
    first_no([
        (core.scope.actions.contains(&asked.action), DenyReason::ActionNotGranted),
        (core.purposes.contains(&asked.purpose), DenyReason::PurposeNotGranted),
        (cost == Cost::Nothing || left, DenyReason::UsesExhausted),
        (named, DenyReason::OutsideScope),
    ])?;
    Ok(cost)
}

/// C-49: the same signer goes on with the same action under the same chain, with nothing more, soon enough.
fn is_resumed(asked: &Request, party: PartyKey, memory: &Memory, now: Timestamp) -> bool {
    memory.resumed.as_ref().is_some_and(|earlier| {
        asked.resumes == Some(earlier.id)
            && earlier.signer == party
            && earlier.chain == asked.chain
            && earlier.action == asked.action
            && asked.selector.is_within(&earlier.selector)
            && earlier.permitted <= now
            && now <= earlier.permitted.plus_secs(RESUME_SECS_MAX)
    })
}

fn permit(
    request: &Verified<Request>,
    (right, reach, cost): (Right, Reach, Cost),
    not_after: Option<Timestamp>,
) -> Permit {
    let reach = reach.narrowed(&request.payload().selector);
    Permit { request: Arc::new(request.clone()), right, reach, not_after, cost }
}

fn first_no<const N: usize>(rules: [(bool, DenyReason); N]) -> Result<(), DenyReason> {
    rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, reason)| Err(reason))
}
