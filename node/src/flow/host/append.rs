//! Append: the patient's statements enter the ledger, all or none, if it still has the size they were made for.
//!
//! No request is needed: every item is signed by who may sign it, and the ledger's rules judge it. An item without an
//! entry is a child grant that the home host is asked to put into the order (C-24).

use karute_consent::id::{Digest, PartyKey, VaultId};
use karute_consent::ledger::{Body, Entry, EntryKind, Item, LedgerState, View, body_hash};
use karute_consent::policy::DenyReason;
use karute_consent::request::Head;
use karute_consent::revocation::Erasure;
use karute_consent::statement::{Unverified, Verified, sign};
use karute_consent::tree::root_of;
use karute_protocol::directory::verify_attachments;
use karute_protocol::message::{Append, AppendItem, Appended, FaultCode};
use karute_protocol::trail::{Event, EventKind};
use serde_bytes::ByteBuf;

use super::answer::{Answer, Turned};
use super::attach::Attachments;
use super::session::{Context, Session};
use super::{Host, evidence};
use crate::vault::{Effect, Note, Removal, TombstoneReason};

/// Appends items, whose attachments came before in this session.
pub(super) async fn append(cx: Context, answer: Answer, message: Append) -> Result<(), Turned> {
    let (host, session) = (&cx.host, &cx.session);
    let Append { vault, size, items, registration } = message;
    // Read, verify.
    let named: Vec<Digest> = items.iter().flat_map(|item| item.attachments.iter().copied()).collect();
    let mut whole = Vec::with_capacity(items.len());
    for item in items {
        whole.push(with_attachments(item, &session.attachments)?);
    }
    // Decide, commit: the store judges each item by the rules of the ledger, within the vault's turn.
    let done = if size.0 == 0 && host.store.ledger(vault)?.is_none() {
        if !host.registration.admits(registration.as_ref().map(|code| code.0.as_str())) {
            return Err(Turned::Fault(FaultCode::RegistrationWanted));
        }
        let items: Vec<Item> = whole.into_iter().map(|(_, item)| item).collect();
        let (_, notes) = host.judge_first(session, vault, &items)?;
        host.store.begin(vault, items, notes).await?
    } else {
        let turn = host.turn(session, vault).await?;
        if turn.ledger().home() != Some(host.node()) {
            return Err(Turned::Fault(FaultCode::NotInForce));
        }
        let asks_home = whole.iter().all(|(entry, _)| *entry == Given::ByHome);
        if !asks_home && size.0 != turn.ledger().size() {
            return Err(Turned::Fault(FaultCode::Conflict));
        }
        match host.judge(session, turn.ledger(), whole) {
            Ok((effects, notes)) => turn.commit(effects, notes).await?,
            Err(Unfit::Turned(turned)) => return Err(turned),
            Err(Unfit::Refused(signer)) => {
                return Err(host.refuse_statement(session, turn, signer, DenyReason::ActionNotGranted).await);
            }
        }
    };
    // Answer, when nothing is on its way any more that was permitted only before (P-43).
    host.settle(vault).await?;
    session.attachments.forget(&named);
    host.cosign_what_binds(vault, size.0)?;
    let checkpoint = host.ledger_checkpoint(vault)?;
    answer.send(Appended { checkpoint, receipt: super::last_receipt(done)? }).await
}

/// Who makes the entry of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// It came with the item.
    ByClient,
    /// The home host makes it.
    ByHome,
}

/// Why items are not appended.
enum Unfit {
    /// The rules of the ledger refuse a statement of this party.
    Refused(PartyKey),
    /// Something else.
    Turned(Turned),
}

impl From<Turned> for Unfit {
    fn from(turned: Turned) -> Self {
        Self::Turned(turned)
    }
}

/// An item with the attachments it names; every one must have come in this session.
fn with_attachments(item: AppendItem, attached: &Attachments) -> Result<(Given, Item), Turned> {
    let AppendItem { entry, salt, body, attachments } = item;
    let found: Option<Vec<ByteBuf>> = attachments.iter().map(|hash| attached.find(hash)).collect();
    let found = found.ok_or(Turned::Fault(FaultCode::Malformed))?;
    let given = if entry == Unverified::from_bytes(Vec::new()) { Given::ByHome } else { Given::ByClient };
    let attachments = (!found.is_empty()).then_some(found);
    Ok((given, Item { entry, salt: Some(salt), body: Some(body.into_vec()), attachments }))
}

impl Host {
    /// Judges the items of a vault that is to be made here: its home must be this node.
    fn judge_first(
        &self,
        session: &Session,
        vault: VaultId,
        items: &[Item],
    ) -> Result<(LedgerState, Vec<Note>), Turned> {
        let (first, rest) = items.split_first().ok_or(Turned::Fault(FaultCode::Malformed))?;
        let refused = |_| Turned::Fault(FaultCode::Malformed);
        let mut state = LedgerState::begin(first).map_err(refused)?;
        let nothing = Head { size: 0, root: root_of::<[u8; 0]>(&[]) };
        let mut notes = vec![self.append_note(session, nothing, first)?];
        for item in rest {
            self.check_directory(&state, item)?;
            let head = state.head();
            state.apply(item, View::Append).map_err(refused)?;
            notes.push(self.append_note(session, head, item)?);
        }
        if state.vault() != vault || state.home() != Some(self.node()) {
            return Err(Turned::Fault(FaultCode::NotInForce));
        }
        Ok((state, notes))
    }

    /// Judges items one after the other; gives what to commit. The vault is as it was if one of them is refused.
    fn judge(
        &self,
        session: &Session,
        ledger: &LedgerState,
        items: Vec<(Given, Item)>,
    ) -> Result<(Vec<Effect>, Vec<Note>), Unfit> {
        check_first(ledger, &items)?;
        let mut state = ledger.clone();
        let (mut effects, mut notes) = (Vec::new(), Vec::new());
        for (given, mut item) in items {
            if given == Given::ByHome {
                item.entry = self.entry_for(&state, &item)?.to_unverified();
            }
            self.check_directory(&state, &item)?;
            let signer = signer_of(&item)?;
            let head = state.head();
            state.apply(&item, View::Append).map_err(|error| {
                tracing::debug!(%error, "an item was refused");
                Unfit::Refused(signer)
            })?;
            notes.push(self.append_note(session, head, &item)?);
            let erasure = erasure_of(&item)?;
            effects.push(Effect::Append(Box::new(item)));
            if let Some(erasure) = erasure {
                notes.push(self.note(erasure_event(session, &state, &erasure)));
                effects.extend(erased_by(erasure));
            }
        }
        Ok((effects, notes))
    }

    /// The entry that the home host makes for a statement that may come without one (C-24).
    fn entry_for(&self, state: &LedgerState, item: &Item) -> Result<Verified<Entry>, Turned> {
        let malformed = Turned::Fault(FaultCode::Malformed);
        let (Some(salt), Some(body)) = (&item.salt, &item.body) else { return Err(malformed) };
        Body::read(EntryKind::Grant, body.clone()).map_err(|_| malformed)?;
        self.home_entry(state, EntryKind::Grant, body_hash(salt, body))
    }

    /// The next entry of a ledger, made and signed by the home host.
    pub(super) fn home_entry(
        &self,
        state: &LedgerState,
        kind: EntryKind,
        body_hash: Digest,
    ) -> Result<Verified<Entry>, Turned> {
        let entry = Entry {
            vault: state.vault(),
            seq: state.next_seq(),
            prev: state.last(),
            kind,
            body_hash,
            directory: state.directory_id(),
            authority: state.authority_id(),
            time: self.ambient.now().max(state.time()),
        };
        sign(entry, &self.log).map_err(|_| Turned::Fault(FaultCode::Limit))
    }

    /// The key leaves that come with a directory must be those of its collections (P-07); the ledger's own rules see
    /// only the collection leaves.
    fn check_directory(&self, state: &LedgerState, item: &Item) -> Result<(), Turned> {
        let malformed = Turned::Fault(FaultCode::Malformed);
        let Ok((_, Some(Body::Directory(directory)))) = item.open() else { return Ok(()) };
        let before = state.directory().and_then(|before| before.leaves.as_ref());
        let attachments = item.attachments.as_deref().unwrap_or_default();
        verify_attachments(directory.payload(), before, attachments).map(|_| ()).map_err(|_| malformed)
    }

    /// The event of an item that is decided by a ledger with this head.
    fn append_note(&self, session: &Session, head: Head, item: &Item) -> Result<Note, Turned> {
        let (entry, _) = item.open().map_err(|_| Turned::Fault(FaultCode::Malformed))?;
        let party = signer_of(item)?;
        let event = evidence::event_at(EventKind::LedgerAppend, party, session, head);
        Ok(self.note(evidence::about(event, entry.id())))
    }
}

/// Sends strangers, and items that were made for another place, away before anything of the ledger is copied.
fn check_first(ledger: &LedgerState, items: &[(Given, Item)]) -> Result<(), Unfit> {
    let Some((given, item)) = items.first() else { return Ok(()) };
    let party = match given {
        Given::ByClient => signer_of(item)?,
        Given::ByHome => {
            let body = item.body.clone().ok_or(Turned::Fault(FaultCode::Malformed))?;
            let body = Body::read(EntryKind::Grant, body).map_err(|_| Turned::Fault(FaultCode::Malformed))?;
            body.signer()
        }
    };
    let identity = ledger.authority().is_some_and(|authority| authority.payload().identity == party);
    if !identity && !ledger.is_device(party) && !ledger.is_holder(party) && !ledger.is_next_identity(party) {
        return Err(Unfit::Refused(party));
    }
    match item.open() {
        Ok((entry, _)) if entry.payload().seq != ledger.next_seq() => Err(Unfit::Refused(party)),
        _ => Ok(()),
    }
}

/// Who signed the body of an item.
fn signer_of(item: &Item) -> Result<PartyKey, Turned> {
    match item.open() {
        Ok((_, Some(body))) => Ok(body.signer()),
        _ => Err(Turned::Fault(FaultCode::Malformed)),
    }
}

/// The erasure that an item brings, if it does.
fn erasure_of(item: &Item) -> Result<Option<Verified<Erasure>>, Turned> {
    match item.open() {
        Ok((_, Some(Body::Erasure(erasure)))) => Ok(Some(erasure)),
        Ok(_) => Ok(None),
        Err(_) => Err(Turned::Fault(FaultCode::Malformed)),
    }
}

/// What an erasure takes away.
fn erased_by(erasure: Verified<Erasure>) -> Vec<Effect> {
    let (id, statement) = (erasure.id(), erasure.bytes().to_vec());
    let Erasure { records, events, .. } = erasure.into_payload();
    let records: Vec<_> = records.into_iter().collect();
    let events = events.map(|events| Effect::EraseEvents(events.into_iter().collect()));
    let removal = Removal { records, reason: TombstoneReason::Erased, id, statement };
    let removal = (!removal.records.is_empty()).then_some(Effect::Remove(removal));
    removal.into_iter().chain(events).collect()
}

fn erasure_event(session: &Session, state: &LedgerState, erasure: &Verified<Erasure>) -> Event {
    let records: Vec<_> = erasure.payload().records.iter().copied().collect();
    let event = evidence::event(EventKind::Erasure, erasure.signer(), session, state);
    evidence::of_records(evidence::about(event, erasure.id()), &records)
}
