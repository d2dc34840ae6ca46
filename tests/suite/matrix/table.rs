//! What must come out of each cell, by hand, from the specifications: consent sections 9 to 13, protocol section 10.
//!
//! [`DENIALS`] has the rules of consent section 11 in their order, each as "this is wrong here"; [`PERMITS`] says for
//! each right who has it, and when. The two are written apart, and each cell must be in exactly one of them. A cell in
//! neither list is denied as well: there is no third way.

use karute_consent::scope::Action::{self, Audit, Deposit, Export, List, Read, Revoke, Sync};

use super::cell::{Cell, Moment, Operation, Role, State};

/// A rule, cited, and the cells that it is about.
pub(super) type Rule = (&'static str, fn(&Cell) -> bool);

/// Why a request is denied: the number of the reason is the place, from 1.
pub(super) const DENIALS: [Rule; 18] = [
    ("C-39 wrong vault", |c| c.moment == Moment::OtherVault),
    ("C-39 wrong node", |c| c.moment == Moment::OtherNode),
    ("C-39 wrong peer", |c| c.moment == Moment::OtherPeer),
    ("C-38 wrong challenge", |c| c.moment == Moment::OtherChallenge),
    ("C-38 replayed", |c| c.moment == Moment::Replayed),
    ("C-40 clock skew", |c| matches!(c.moment, Moment::Ahead121 | Moment::Late121)),
    ("C-41 clock behind; only sync is decided", |c| c.moment == Moment::Behind121 && c.action != Sync),
    ("C-42 no grant is a no", |c| c.state.names_no_grant() && !is_device(c) && !(c.action == Sync && has_own_part(c))),
    ("C-43 unknown grant", |c| names_g(c) && c.state.names_x()),
    ("C-44 broken chain", |c| names_g(c) && c.state == State::BrokenChain),
    ("C-45 not holder", |c| names_a_grant(c) && !holds_the_last(c)),
    ("C-35 revoked", |c| c.state == State::ParentRevoked && names_p(c) || c.state == State::Revoked && names_g(c)),
    ("C-46 not yet valid", |c| c.state == State::NotYetValid && names_g(c)),
    ("C-46 expired", |c| c.state == State::Expired && names_g(c) || c.moment == Moment::AtEnd && ends_at_the_end(c)),
    ("C-47 action not granted", |c| names_a_grant(c) && !granted_actions(c.role).contains(&c.action)),
    ("C-48 purpose not granted", |c| {
        names_a_grant(c) && c.state == State::OtherPurpose
            || is_device(c) && c.state == State::NoGrantOtherPurpose && c.action != Sync
    }),
    ("C-49 uses exhausted", |c| names_g(c) && c.state.has_one_use() && !resumes_in_time(c)),
    ("C-50 outside scope", |c| names_a_grant(c) && matches!(c.state, State::OtherCollection | State::OtherMonth)),
];

/// Who is permitted what.
pub(super) const PERMITS: [Rule; 7] = [
    ("section 11: a device, its own vault, for the patient", |c| {
        c.role == Role::Device && c.state == State::NoGrant && good_request(c)
    }),
    ("section 11: sync, any purpose, a device", |c| {
        c.role == Role::Device && c.state == State::NoGrantOtherPurpose && c.action == Sync && good_request(c)
    }),
    ("section 11: sync of one's own part, revoked or not", |c| {
        c.action == Sync && c.state.names_no_grant() && has_own_part(c) && good_request(c)
    }),
    ("G: deposit, list and read for treatment", |c| {
        c.role == Role::Holder
            && matches!(c.action, Deposit | List | Read)
            && (c.state == State::Valid || c.state == State::Resumed && c.action == List)
            && c.moment != Moment::AtEnd
            && good_request(c)
    }),
    ("D: list and read for treatment, as long as all above it holds", |c| {
        c.role == Role::Delegate
            && matches!(c.action, List | Read)
            && c.state == State::Valid
            && c.moment != Moment::AtEnd
            && good_request(c)
    }),
    ("P: outlasts G, and does not suffer with it", |c| {
        c.role == Role::Parent
            && matches!(c.action, Deposit | List | Read | Audit | Export)
            && leaves_own_grant_alone(c)
            && c.state != State::ParentRevoked
            && good_request(c)
    }),
    ("W: list, read, audit and revoke for the family", |c| {
        c.role == Role::Guardian
            && matches!(c.action, List | Read | Audit | Revoke)
            && leaves_own_grant_alone(c)
            && c.moment != Moment::AtEnd
            && good_request(c)
    }),
];

/// What comes out of a request: nothing for a permit, else the number of the reason.
pub(super) fn outcome(cell: &Cell) -> Option<u8> {
    let reason = DENIALS.iter().position(|(_, wrong)| wrong(cell)).map(|place| place as u8 + 1);
    if PERMITS.iter().any(|(_, right)| right(cell)) { None } else { Some(reason.unwrap_or(DEFAULT)) }
}

/// Denied, and no rule says why. The table has no such cell, which is tested.
pub(super) const DEFAULT: u8 = 0;

/// How often each cell stands in the two lists: among what is permitted, among what is denied.
pub(super) fn lists(cell: &Cell) -> (bool, bool) {
    (PERMITS.iter().any(|(_, right)| right(cell)), DENIALS.iter().any(|(_, wrong)| wrong(cell)))
}

/// C-38 to C-41
fn good_request(c: &Cell) -> bool {
    match c.moment {
        Moment::Middle | Moment::AtStart | Moment::LastSecond | Moment::AtEnd => true,
        Moment::Ahead120 | Moment::Late120 | Moment::Behind120 => true,
        Moment::Behind121 => c.action == Sync,
        _ => false,
    }
}

fn is_device(c: &Cell) -> bool {
    c.role == Role::Device
}

/// Section 11, below the table: the committed next identity key, every holder, whoever has an ask in the mailbox.
fn has_own_part(c: &Cell) -> bool {
    use Role::{Asker, Delegate, Guardian, Holder, NextIdentity, OtherHolder, Parent, ParentAsChild};
    matches!(c.role, NextIdentity | Holder | OtherHolder | Delegate | ParentAsChild | Parent | Guardian | Asker)
}

fn names_a_grant(c: &Cell) -> bool {
    !c.state.names_no_grant()
}

/// The chain leads to G or below it.
fn names_g(c: &Cell) -> bool {
    names_a_grant(c) && !matches!(c.role, Role::Parent | Role::Guardian)
}

/// The chain begins with P.
fn names_p(c: &Cell) -> bool {
    names_a_grant(c) && c.role != Role::Guardian
}

fn holds_the_last(c: &Cell) -> bool {
    matches!(c.role, Role::Holder | Role::Delegate | Role::Parent | Role::Guardian)
}

/// P lasts longer than the others.
fn ends_at_the_end(c: &Cell) -> bool {
    names_a_grant(c) && c.role != Role::Parent
}

fn granted_actions(role: Role) -> &'static [Action] {
    match role {
        Role::Parent => &[Deposit, List, Read, Audit, Export],
        Role::Guardian => &[List, Read, Audit, Revoke],
        Role::Delegate => &[List, Read],
        _ => &[Deposit, List, Read],
    }
}

/// C-49: only the holder of G made the earlier request, a list, and under this very chain.
fn resumes_in_time(c: &Cell) -> bool {
    c.role == Role::Holder && c.action == List && c.state == State::Resumed
}

/// The state is one of G alone, and the request asks for nothing else than its grant covers.
fn leaves_own_grant_alone(c: &Cell) -> bool {
    let asks_for_more = [State::OtherPurpose, State::OtherCollection, State::OtherMonth];
    !c.state.names_no_grant() && !asks_for_more.contains(&c.state)
}

/// How a peer's attempt must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is done, or what was asked for is given.
    Done,
    /// The one refusal, with the number of the reason where a request is denied.
    Refused(Option<u8>),
    /// Nothing is done: what has to come before it was refused.
    NotDone,
}

/// What must come of an operation in the middle of the validity.
pub(super) fn end_of(operation: Operation, role: Role, state: State) -> End {
    let ask = |action| outcome(&Cell { role, action, state, moment: Moment::Middle });
    let request = |action| ask(action).map_or(End::Done, |reason| End::Refused(Some(reason)));
    let may = |may: bool| if may { End::Done } else { End::Refused(None) };
    let device = role == Role::Device;
    match operation {
        Operation::List | Operation::KeyToRead => request(List),
        Operation::Fetch => request(Read),
        Operation::Export => request(Export),
        Operation::Audit => request(Audit),
        Operation::Sync => request(Sync),
        Operation::KeyToDeposit => request(Deposit),
        // Protocol section 10: sync by a device; to all others the mailbox is no part of their own.
        Operation::Asks if device || ask(Sync).is_some() => request(Sync),
        Operation::Asks => End::Refused(Some(8)),
        // P-12, P-13: in a session whose request for it was permitted.
        Operation::Run => may(ask(Deposit).is_none()),
        Operation::Put if ask(Deposit).is_some() => End::NotDone,
        Operation::Put => End::Done,
        // Section 13: everyone who knows the vault id. Section 12: a facility asks; it needs no right for it.
        Operation::Face | Operation::Ask => End::Done,
        // C-26: signed by a device in force.
        Operation::Erase | Operation::Directory => may(device),
        // C-37: the depositor of all the named records.
        Operation::Withdraw => may(role == Role::OtherHolder),
        // Protocol section 10: for a session whose device made a permitted request.
        Operation::ReWrap => may(device && ask(List).is_none()),
        // C-31: a grant without parent, by a device in force.
        Operation::Grant => may(device),
        // C-31, C-32: by the holder of a parent that is in the ledger and not revoked, within it on every axis.
        Operation::PassOn => may(role == Role::Holder && may_be_passed_on(state)),
        // Protocol section 10: the issuer of a child grant, after a permitted sync; to a revoked grant nothing is passed on.
        Operation::PackageOn if role == Role::Holder && matches!(state, State::Revoked | State::ParentRevoked) => {
            End::NotDone
        }
        Operation::PackageOn => may(role == Role::Holder && state != State::BelowDepthZero),
        // Whoever was shown a revocation could send it again: it says nothing new, and is answered in a session of its
        // signer alone, which this is not.
        Operation::Revoke if state == State::Revoked => may(false),
        // C-34: a device, the issuer, a holder in force with action revoke over all its collections.
        Operation::Revoke => may((device || matches!(role, Role::Parent | Role::ParentAsChild | Role::Guardian))
            && names_g_of_a_ledger(state)),
        // C-24: an entry is a device's; the home host alone may sign one for others.
        Operation::AppendRevocation => may(device && names_g_of_a_ledger(state)),
        // C-17, C-18: the identity key in force keeps identity and next; the committed next key takes their place.
        Operation::Authority => may(role == Role::Identity),
        Operation::Succession => may(role == Role::NextIdentity),
        // Section 12: signed by a device.
        Operation::Answer => may(device),
    }
}

/// C-34: it must name a grant of this ledger. Without a grant in the request the attempt names G.
fn names_g_of_a_ledger(state: State) -> bool {
    !state.names_x()
}

/// The child that is tried has the purpose, collection and months of the request, and one use where the parent has one.
fn may_be_passed_on(state: State) -> bool {
    let revoked = matches!(state, State::Revoked | State::ParentRevoked);
    let wider = matches!(state, State::OtherPurpose | State::OtherCollection | State::OtherMonth);
    // The child of a request that names no grant is for what the request is for: the patient's request, or treatment.
    let for_the_patient = state == State::NoGrant;
    !revoked && !wider && !for_the_patient && !state.names_x()
}
