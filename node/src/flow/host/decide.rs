//! Verify and decide, the same for every message that carries a request.
//!
//! A request is admitted in the order of arrival (its sequence must rise, C-38) and decided while the vault's turn is
//! held, so that what was decided is still true when it is committed.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use karute_consent::id::{PartyKey, RecordId, StatementId, VaultId};
use karute_consent::ledger::LedgerState;
use karute_consent::policy::{self, Clock, Cost, DenyReason, Earlier, Memory, Permit, Right};
use karute_consent::request::Request;
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, Verified};
use karute_protocol::message::FaultCode;
use karute_protocol::trail::{Event, EventKind, Outcome};

use super::answer::{Answer, Turned};
use super::session::Session;
use super::{Host, REFUSALS_MAX, evidence};
use crate::net::limits;
use crate::vault::{Effect, Turn, Use};

/// What the requests of one session have shown so far. Locked for a look only.
#[derive(Default)]
pub(super) struct Admission(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    sequence: Option<u64>,
    refusals: u32,
    /// Parties that had a request permitted here.
    known: HashSet<(VaultId, PartyKey)>,
    /// Devices of vaults that had a request permitted here.
    devices: HashSet<(VaultId, PartyKey)>,
    /// The last permitted sync of each party.
    synced: HashMap<(VaultId, PartyKey), Permit>,
}

/// A request with a good signature, and the highest sequence before it.
pub(super) struct Admitted {
    pub(super) request: Verified<Request>,
    before: Option<u64>,
}

/// A permitted request. The vault stands still until the turn is committed or dropped.
pub(super) struct Decided {
    pub(super) permit: Permit,
    pub(super) turn: Turn,
    /// The use that it costs or that makes it resumable; to be committed with the event.
    pub(super) effects: Vec<Effect>,
}

impl Admission {
    /// Verifies a request and takes its sequence number. To be called in the order of arrival.
    pub(super) fn admit(&self, request: Unverified<Request>) -> Result<Admitted, Turned> {
        let request = request.verify().map_err(|_| Turned::Fault(FaultCode::Malformed))?;
        let mut seen = self.seen();
        let before = seen.sequence;
        seen.sequence = before.max(Some(request.payload().sequence));
        Ok(Admitted { request, before })
    }

    /// Whether this session was refused so often that it ends.
    pub(super) fn is_worn_out(&self) -> bool {
        self.seen().refusals >= REFUSALS_MAX
    }

    /// Whether this party had a request about this vault permitted in this session. A request carries the session's
    /// challenge; any other statement may be a copy in the hands of somebody else.
    pub(super) fn knows(&self, vault: VaultId, party: PartyKey) -> bool {
        self.seen().known.contains(&(vault, party))
    }

    /// Whether anybody had a request about this vault permitted in this session.
    pub(super) fn knows_vault(&self, vault: VaultId) -> bool {
        self.seen().known.iter().any(|(known, _)| *known == vault)
    }

    /// Whether this party, as a device of this vault, had a request permitted in this session.
    pub(super) fn knows_device(&self, vault: VaultId, party: PartyKey) -> bool {
        self.seen().devices.contains(&(vault, party))
    }

    /// The last sync of each vault and party that was permitted in this session.
    pub(super) fn synced(&self) -> Vec<Permit> {
        self.seen().synced.values().cloned().collect()
    }

    pub(super) fn refused(&self) {
        self.seen().refusals += 1;
    }

    fn permitted(&self, permit: &Permit) {
        let who = (permit.vault(), permit.party());
        let mut seen = self.seen();
        seen.known.insert(who);
        if *permit.right() == Right::Device {
            seen.devices.insert(who);
        }
        if permit.action() == Action::Sync {
            seen.synced.insert(who, permit.clone());
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    /// Takes the vault's turn and decides. `actions` are those that the message is for. A refusal is recorded here.
    pub(super) async fn decide(
        &self,
        session: &Session,
        admitted: &Admitted,
        actions: &[Action],
    ) -> Result<Decided, Turned> {
        let asked = admitted.request.payload();
        let turn = self.turn(session, asked.vault).await?;
        let memory = self.memory(&admitted.request)?;
        let here = policy::Session {
            node: self.node(),
            peer: session.peer.to_bytes(),
            challenge: session.challenge,
            sequence: admitted.before,
        };
        let clock = Clock { now: self.ambient.now(), committed: self.store.last_time() };
        let decision = policy::decide(&admitted.request, turn.ledger(), &here, &memory, clock);
        let decision = decision.and_then(|permit| match actions.contains(&permit.action()) {
            true => Ok(permit),
            false => Err(DenyReason::ActionNotGranted),
        });
        match decision {
            Ok(permit) => {
                session.admission.permitted(&permit);
                let effects = self.cost(&permit, asked, turn.ledger());
                Ok(Decided { permit, turn, effects })
            }
            // No request that names another node stands in a trail (P-39).
            Err(DenyReason::WrongNode) => Err(self.refuse_stranger(session)),
            Err(reason) => Err(self.refuse(session, turn, &admitted.request, reason).await),
        }
    }

    /// Gives what came of an answer under a permit, once the peer has it; if the permit came to an end meanwhile, that is
    /// recorded first.
    pub(super) async fn answered(
        &self,
        session: &Session,
        answer: &Answer,
        answered: Result<(), Turned>,
    ) -> Result<(), Turned> {
        match (answer.ended(answered).await, answer.permit()) {
            (Err(Turned::Lapsed(reason)), Some(permit)) => Err(self.refuse_permit(session, permit, reason).await),
            (ended, _) => ended,
        }
    }

    /// Gives what came of one deed under a permit; if that came to an end meanwhile, this is recorded first.
    pub(super) async fn noted<T>(
        &self,
        session: &Session,
        permit: &Permit,
        turned: Result<T, Turned>,
    ) -> Result<T, Turned> {
        match turned {
            Err(Turned::Lapsed(reason)) => Err(self.refuse_permit(session, permit, reason).await),
            turned => turned,
        }
    }

    /// Waits until nothing is on its way any more that what is in force now does not permit (P-43).
    pub(super) async fn settle(&self, vault: VaultId) -> Result<(), Turned> {
        Ok(self.store.settle(vault, self.now(), limits::HANDOVER_TIME).await?)
    }

    /// Refuses something that a party asked for under a permit of this session, or what is left of it.
    pub(super) async fn refuse_permit(&self, session: &Session, permit: &Permit, reason: DenyReason) -> Turned {
        match self.turn(session, permit.vault()).await {
            Ok(turn) => self.refuse_permit_at(session, turn, permit, reason).await,
            Err(turned) => turned,
        }
    }

    /// The same, for who has the vault's turn.
    pub(super) async fn refuse_permit_at(
        &self,
        session: &Session,
        turn: Turn,
        permit: &Permit,
        reason: DenyReason,
    ) -> Turned {
        let event = evidence::event(EventKind::Refusal, permit.party(), session, turn.ledger());
        let event = evidence::permitted(event, permit, None);
        // Who was permitted is known, though perhaps no device any more: how its answer ended is told in any case.
        self.write_refusal(session, turn, Event { outcome: Outcome(reason.number()), ..event }).await
    }

    /// The turn to deposit a record in a vault of this host.
    pub(super) async fn deposit_turn(
        &self,
        session: &Session,
        vault: VaultId,
        record: RecordId,
    ) -> Result<Turn, Turned> {
        match self.store.deposit_turn(vault, record).await? {
            Some(turn) => Ok(turn),
            None => Err(self.refuse_stranger(session)),
        }
    }

    /// The turn of a vault of this host; for any other vault the same refusal as for a vault without rights.
    pub(super) async fn turn(&self, session: &Session, vault: VaultId) -> Result<Turn, Turned> {
        match self.store.turn(vault).await? {
            Some(turn) => Ok(turn),
            None => Err(self.refuse_stranger(session)),
        }
    }

    /// Refuses a request.
    pub(super) async fn refuse(
        &self,
        session: &Session,
        turn: Turn,
        request: &Verified<Request>,
        reason: DenyReason,
    ) -> Turned {
        let event = evidence::refused(request, reason, session, turn.ledger());
        self.record_refusal(session, turn, event).await
    }

    /// Refuses a statement that needs no request, such as a withdrawal. Whoever was shown it can send it, so it is only
    /// counted unless its signer had a request permitted in this session.
    pub(super) async fn refuse_statement(
        &self,
        session: &Session,
        turn: Turn,
        signer: PartyKey,
        reason: DenyReason,
    ) -> Turned {
        if !session.admission.knows(turn.vault(), signer) {
            return self.refuse_stranger(session);
        }
        let event = evidence::event(EventKind::Refusal, signer, session, turn.ledger());
        self.record_refusal(session, turn, Event { outcome: Outcome(reason.number()), ..event }).await
    }

    /// Records a refusal if the party is known to the vault, else counts it (P-22). The answer waits for the disk in
    /// neither case: how long it takes must not tell whom the vault knows.
    async fn record_refusal(&self, session: &Session, turn: Turn, event: Event) -> Turned {
        let state = turn.ledger();
        if !state.is_device(event.party) && !state.is_holder(event.party) {
            return self.refuse_stranger(session);
        }
        self.write_refusal(session, turn, event).await
    }

    async fn write_refusal(&self, session: &Session, turn: Turn, event: Event) -> Turned {
        session.admission.refused();
        if let Err(error) = turn.note_down(self.note(event)).await {
            tracing::error!(%error, "a refusal is not recorded");
        }
        Turned::Refused
    }

    /// Counts a refusal of somebody no vault knows.
    pub(super) fn refuse_stranger(&self, session: &Session) -> Turned {
        session.admission.refused();
        self.strangers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Turned::Refused
    }

    fn memory(&self, request: &Verified<Request>) -> Result<Memory, Turned> {
        let asked = request.payload();
        let mut memory = Memory::default();
        for grant in &asked.chain {
            memory.spent.insert(*grant, self.store.uses(asked.vault, *grant)?);
        }
        if let Some(id) = asked.resumes {
            memory.resumed = self.store.request(asked.vault, request.signer(), id)?.map(|row| Earlier {
                id,
                signer: row.signer,
                chain: row.chain,
                action: row.action,
                selector: row.selector,
                permitted: row.time,
            });
        }
        memory.asks_waiting = self.store.asks_of(asked.vault, request.signer())?;
        Ok(memory)
    }

    /// A use is written down when it costs one; only such a request can be resumed later, and only for 24 hours.
    fn cost(&self, permit: &Permit, asked: &Request, state: &LedgerState) -> Vec<Effect> {
        if permit.cost() == Cost::Nothing {
            return Vec::new();
        }
        let limited = |id: &StatementId| state.grant(*id).is_some_and(|grant| grant.core().uses.is_some());
        vec![Effect::Use(Use {
            request: permit.request(),
            signer: permit.party(),
            chain: permit.chain().to_vec(),
            action: permit.action(),
            selector: asked.selector.clone(),
            counted: permit.chain().iter().copied().filter(limited).collect(),
            time: self.ambient.now(),
        })]
    }
}
