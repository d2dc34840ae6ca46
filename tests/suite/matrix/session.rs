//! Every operation, role and state through a real host: real frames, real signatures, real store.
//!
//! Each attempt has a session of its own. All refusals must be the same bytes, and the trail must have, for each refused
//! request of a party that the vault knows, the very reason that the table gives.

use std::collections::BTreeMap;

use karute_consent::id::RequestId;
use karute_consent::scope::Action;
use karute_consent::statement::Unverified;
use karute_node::net::TransportSeed;
use karute_protocol::message::{self, Message};
use karute_protocol::trail::{EventKind, TrailNumber};
use karute_protocol::wire::{LedgerSize, Octets};
use karute_tests::world::{Answered, START, Wire, World};

use super::cell::{Operation, Role, State};
use super::judge::{EARLIER, request, spending};
use super::operations::{self as make, WAITING, request_id, short};
use super::table::{End, end_of};
use super::vault::{IMAGING, LAB, SEALED, Vault, identity};

/// What came out of all the attempts.
#[derive(Default)]
struct Tally {
    done: u32,
    refused: u32,
    not_done: u32,
    /// Reasons that the trail had to have, and had.
    reasons: u32,
    /// The payloads of refusals, each once.
    refusals: Vec<Vec<u8>>,
    wrong: Vec<String>,
}

/// A vault at the host.
struct Stage<'w> {
    world: &'w World,
    vault: Vault,
    /// Requests that were sent, and what had to come of them.
    sent: BTreeMap<RequestId, (Role, Option<u8>)>,
}

impl<'w> Stage<'w> {
    /// Appends the whole ledger, and has the device and the other holder deposit what the operations need.
    async fn new(world: &'w World, state: State, number: u8) -> Self {
        let vault = Vault::new(world.node(), state, number);
        let stage = Self { world, vault, sent: BTreeMap::new() };
        let mut wire = stage.wire(Role::Device).await;
        let items = stage.vault.items.clone();
        for item in &items {
            for bytes in item.attachments.iter().flatten() {
                let _ = wire.ask(message::Attach { bytes: Octets(bytes.to_vec()) }).await.unwrap();
            }
            let size = item.entry.clone().verify().unwrap().payload().seq.0;
            // The charter and the first authority make the vault together.
            let some = match size {
                0 => items[..2].to_vec(),
                1 => continue,
                _ => vec![item.clone()],
            };
            if size == 0 {
                let _ = wire.ask(message::Attach { bytes: Octets(SEALED.to_vec()) }).await.unwrap();
            }
            let answered = wire.ask(make::append(size, &stage.vault, some)).await.unwrap();
            assert!(matches!(answered.first(), Some(Message::Appended(_))), "{state:?} {size}: {answered:?}");
        }
        stage
    }

    /// Deposits, the waiting ask, and the request that spends the one use.
    async fn furnish(&mut self, state: State) {
        for (role, collection, name) in [
            (Role::Device, LAB, "to be read"),
            (Role::Device, IMAGING, "to be moved"),
            (Role::Device, IMAGING, "to be erased"),
            (Role::OtherHolder, IMAGING, "to be withdrawn"),
        ] {
            self.deposit(role, collection, name).await;
        }
        let asked = make::ask(&self.vault, Role::Asker, WAITING);
        let answered = self.wire(Role::Asker).await.ask(asked).await.unwrap();
        assert!(matches!(answered.first(), Some(Message::Done(_))), "{answered:?}");
        if state.has_one_use() {
            let mut wire = self.wire(Role::Holder).await;
            let mut asked = request(&self.vault, Role::Holder, Action::List, State::Valid);
            (asked.id, asked.time, asked.selector) = (EARLIER, self.world.now(), spending(state));
            let request = wire.request(&identity(Role::Holder), asked, |_| ());
            let answered = wire.ask(message::List { request, acting: None }).await.unwrap();
            assert!(matches!(answered.first(), Some(Message::Permitted(_))), "{answered:?}");
        }
    }

    async fn deposit(&self, role: Role, collection: karute_consent::id::CollectionId, name: &str) {
        let state = if role == Role::Device { State::NoGrant } else { State::Valid };
        let mut wire = self.wire(role).await;
        let mut asked = request(&self.vault, role, Action::Deposit, state);
        asked.selector.collections = Some([collection].into());
        asked.time = self.world.now();
        asked.id = request_id(name);
        let grant = (role != Role::Device).then_some(self.vault.o);
        asked.chain = grant.into_iter().collect();
        let request = wire.request(&identity(role), asked, |_| ());
        let key = wire.ask(message::Key { request, collection, month: START.month() }).await.unwrap();
        let run = make::run_in(&self.vault, role, grant, collection, name);
        let opened = wire.ask(message::OpenRun { run: run.to_unverified() }).await.unwrap();
        let put = wire.ask(make::put(&run, role, name)).await.unwrap();
        let said = (key.first(), opened.first(), put.first());
        assert!(matches!(said.2, Some(Message::Stored(_))), "{name}: {said:?}");
    }

    /// A session of a role over its own transport key.
    async fn wire(&self, role: Role) -> Wire {
        self.world.wire_of(&TransportSeed::new(karute_tests::world::seed_of(1, &role.name()))).await
    }

    fn request(
        &mut self,
        wire: &mut Wire,
        (role, state): (Role, State),
        action: Action,
        end: End,
    ) -> Unverified<karute_consent::request::Request> {
        let mut asked = request(&self.vault, role, action, state);
        asked.id = request_id(&format!("{role:?}/{state:?}/{action:?}/{}", self.sent.len()));
        asked.time = self.world.now();
        let reason = if let End::Refused(reason) = end { reason } else { None };
        self.sent.insert(asked.id, (role, reason));
        wire.request(&identity(role), asked, |_| ())
    }

    /// Attempts one operation; gives what came for the last message of it.
    async fn attempt(&mut self, operation: Operation, role: Role, state: State) -> Option<Answered> {
        let mut wire = self.wire(role).await;
        let who = (role, state);
        let end = end_of(operation, role, state);
        let ledger = self.world.host().store().ledger(self.vault.id()).unwrap().unwrap();
        let vault = &self.vault;
        match operation {
            Operation::Face => wire.ask(message::Face { vault: vault.id() }).await,
            Operation::Revoke => wire.ask(make::revoke(vault, role, state)).await,
            Operation::AppendRevocation => wire.ask(make::append_revocation(vault, &ledger, role, state)).await,
            Operation::Erase => wire.ask(make::erase(vault, &ledger, role)).await,
            Operation::Withdraw => wire.ask(make::withdraw(vault, role)).await,
            Operation::Answer => wire.ask(make::answer(vault, role)).await,
            Operation::Ask => wire.ask(make::ask(vault, role, ask_id(role))).await,
            Operation::Directory => {
                let (append, with) = make::new_directory(vault, &ledger, role);
                attached(&mut wire, &with).await;
                wire.ask(append).await
            }
            Operation::Grant | Operation::PassOn | Operation::Authority | Operation::Succession => {
                attached(&mut wire, &[SEALED.to_vec()]).await;
                wire.ask(match operation {
                    Operation::Grant => make::grant(vault, &ledger, role),
                    Operation::PassOn => make::pass_on(vault, role, state),
                    Operation::Authority => make::authority(vault, &ledger, role),
                    _ => make::succession(vault, &ledger, role),
                })
                .await
            }
            Operation::Run | Operation::Put => self.deposits(&mut wire, operation, who).await,
            Operation::ReWrap => {
                let end = end_of(Operation::List, role, state);
                let request = self.request(&mut wire, who, Action::List, end);
                let _ = wire.ask(message::List { request, acting: None }).await;
                wire.ask(make::re_wrap(&self.vault, role)).await
            }
            Operation::PackageOn => {
                let end = end_of(Operation::Sync, role, State::NoGrant);
                let sync = self.requesting(&mut wire, Operation::Sync, (role, State::NoGrant), end);
                let _ = wire.ask(sync).await;
                wire.ask(make::package_on(&self.vault)).await
            }
            _ => {
                let message = self.requesting(&mut wire, operation, who, end);
                wire.ask(message).await
            }
        }
    }

    /// The message of an operation that is a request.
    fn requesting(&mut self, wire: &mut Wire, operation: Operation, who: (Role, State), end: End) -> Message {
        let action = match operation {
            Operation::List | Operation::KeyToRead => Action::List,
            Operation::Fetch => Action::Read,
            Operation::Export => Action::Export,
            Operation::Audit => Action::Audit,
            Operation::KeyToDeposit => Action::Deposit,
            _ => Action::Sync,
        };
        let request = self.request(wire, who, action, end);
        let collection = if who.1 == State::OtherCollection { IMAGING } else { LAB };
        match operation {
            Operation::List => message::List { request, acting: None }.into(),
            Operation::Fetch | Operation::Export => message::Fetch { request, acting: None, range: None }.into(),
            Operation::Audit => message::Audit { request, from: TrailNumber(1) }.into(),
            Operation::Asks => message::Asks { request }.into(),
            Operation::Sync => message::Sync { request, from: LedgerSize(0) }.into(),
            _ => message::Key { request, collection, month: START.month() }.into(),
        }
    }

    /// Asks for the key, begins a run, puts a record; whatever the answers are.
    async fn deposits(&mut self, wire: &mut Wire, operation: Operation, who: (Role, State)) -> Option<Answered> {
        let (role, state) = who;
        let end = end_of(Operation::KeyToDeposit, role, state);
        let key = self.requesting(wire, Operation::KeyToDeposit, who, end);
        let _ = wire.ask(key).await;
        let name = format!("{operation:?} of {role:?}");
        let run = make::run(&self.vault, role, state, &name);
        let opened = wire.ask(message::OpenRun { run: run.to_unverified() }).await;
        match operation {
            Operation::Run => opened,
            _ => wire.ask(make::put(&run, role, &name)).await,
        }
    }

    /// Compares the reasons in the trail with the table.
    async fn audit(&self, state: State, tally: &mut Tally) {
        let mut wire = self.wire(Role::Device).await;
        let mut asked = request(&self.vault, Role::Device, Action::Audit, State::NoGrant);
        (asked.id, asked.time) = (request_id("the audit"), self.world.now());
        let request = wire.request(&identity(Role::Device), asked, |_| ());
        let answered = wire.ask(message::Audit { request, from: TrailNumber(1) }).await.unwrap();
        let mut kept = BTreeMap::new();
        let mut next = 1;
        for message in answered.messages() {
            let Message::TrailItem(item) = message else { continue };
            assert_eq!(item.leaf.number.0, next, "the trail has a gap");
            next += 1;
            let event = item.event.unwrap();
            if let (EventKind::Refusal, Some(id)) = (event.kind, event.request) {
                kept.insert(id, (event.party, event.outcome.0));
            }
        }
        for (id, (role, reason)) in &self.sent {
            // P-22: the holder of a grant of the vault, or a device. Without D the delegate holds none.
            let nobody = [Role::RemovedDevice, Role::Identity, Role::NextIdentity, Role::Asker, Role::Stranger];
            let known = !nobody.contains(role) && (*role != Role::Delegate || state != State::BelowDepthZero);
            let wanted = reason.filter(|_| known).map(|reason| (identity(*role).key(), reason));
            tally.reasons += u32::from(wanted.is_some());
            if kept.get(id).copied() != wanted {
                tally.wrong.push(format!("{role:?}: the trail has {:?}, not {wanted:?}", kept.get(id)));
            }
        }
    }
}

async fn attached(wire: &mut Wire, with: &[Vec<u8>]) {
    for bytes in with {
        let _ = wire.ask(message::Attach { bytes: Octets(bytes.clone()) }).await;
    }
}

fn ask_id(role: Role) -> karute_consent::id::AskId {
    karute_consent::id::AskId::from_bytes(short("ask", &format!("{role:?}")))
}

/// How an attempt ended, as far as it can be seen on the wire.
fn ended(answered: &Option<Answered>) -> End {
    match answered {
        Some(answered) if answered.is_refusal() => End::Refused(None),
        Some(answered) if !answered.messages().any(|m| matches!(m, Message::Fault(_) | Message::Refusal(_))) => {
            End::Done
        }
        _ => End::NotDone,
    }
}

fn count(tally: &mut Tally, what: &str, wanted: End, answered: &Option<Answered>) {
    let found = ended(answered);
    match found {
        End::Done => tally.done += 1,
        End::Refused(_) => tally.refused += 1,
        End::NotDone => tally.not_done += 1,
    }
    let same = match (wanted, found) {
        (End::Refused(_), End::Refused(_)) => true,
        (wanted, found) => wanted == found,
    };
    if !same {
        let said = answered.as_ref().and_then(Answered::first);
        tally.wrong.push(format!("{what}: wanted {wanted:?}, found {found:?}: {said:?}"));
    }
    if let (End::Refused(_), Some(answered)) = (found, answered) {
        let payload = answered.frames[0].1.clone();
        if !tally.refusals.contains(&payload) {
            tally.refusals.push(payload);
        }
    }
}

async fn play(state: State, tally: &mut Tally) {
    let world = World::new(0).await; // whose host has the log key that `vault::named` gives
    if state == State::ResumedLate {
        world.is_now(START.minus_secs(24 * 3600 + 1));
    }
    let mut shared = Stage::new(&world, state, 0).await;
    shared.furnish(state).await;
    world.is_now(START);
    let mut number = 0;
    for operation in Operation::ALL {
        for role in Role::ALL {
            let what = format!("{operation:?} by {role:?} at {state:?}");
            let wanted = end_of(operation, role, state);
            let answered = if operation.needs_own_vault() && wanted == End::Done {
                number += 1;
                Stage::new(&world, state, number).await.attempt(operation, role, state).await
            } else {
                shared.attempt(operation, role, state).await
            };
            count(tally, &what, wanted, &answered);
        }
    }
    shared.audit(state, tally).await;
}

#[tokio::test]
async fn a_real_host_answers_and_refuses_as_the_specification_says() {
    let mut tally = Tally::default();
    for state in State::ALL {
        play(state, &mut tally).await;
    }
    let Tally { done, refused, not_done, reasons, refusals, wrong } = tally;
    let total = done + refused + not_done;
    println!(
        "{total} attempts over the wire: {done} done, {refused} refused, {not_done} came to nothing; {reasons} reasons in trails"
    );
    assert!(wrong.is_empty(), "{} of {total}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert_eq!(total, 24 * 12 * 17);
    assert_eq!(refusals, [vec![8, 0xA0]], "a peer can tell one refusal from another");
}
