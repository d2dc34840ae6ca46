//! What a party does once it knows the ledger, and what it makes of the answers.

use karute_consent::id::{Generation, RecordId, StatementId};
use karute_consent::ledger::{Body, Item, LedgerState};
use karute_consent::revocation::{Revocation, RevocationReason};
use karute_consent::scope::Action;
use karute_consent::statement::sign;
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::trail::{CheckpointText, Log, Receipt};

use super::super::cast::{CAST, READER, collection};
use super::super::dice::Dice;
use super::super::host::Out;
use super::super::letters::{Ask, Told};
use super::super::paper::{grant_item, rotation_items};
use super::{Alarm, Party, SealedTo, Stage, Want, heads};
use karute_consent::request::Head;

impl Party {
    pub(super) fn is_told(&mut self, now: u64, told: Told, dice: &mut Dice, out: &mut Out) {
        match (self.stage, told) {
            // Another `from` is the answer to an earlier question.
            (Stage::Sync, Told::Synced { from, items, checkpoint }) if from == self.ledger().size => {
                self.is_synced(now, items, checkpoint, dice, out);
            }
            (Stage::Heads, Told::Heads(found)) => self.sees_heads(now, *found, dice, out),
            (Stage::Act, Told::Stored { receipt }) => self.is_stored(*receipt),
            (Stage::Act, Told::Permitted { receipt, frames }) => {
                let own = self.request.as_ref().map(|request| request.to_unverified());
                if receipt.event.request_statement != own {
                    self.alarm(Alarm::BadReceipt);
                }
                self.keeps(*receipt);
                self.frames = (0, frames);
            }
            (Stage::Act, Told::Frame(place)) if place == self.frames.0 => self.frames.0 += 1,
            (Stage::Act, Told::End) => {
                if self.frames.0 < self.frames.1 {
                    self.alarm(Alarm::Short);
                } else {
                    self.whole.insert(self.number);
                }
                self.stage = Stage::Idle;
            }
            (Stage::Act, Told::Appended { receipt, .. }) => self.is_appended(*receipt, out),
            (Stage::Act, Told::Audited { items, answer, checkpoint, receipt }) => {
                self.stage = Stage::Idle;
                self.keeps(*receipt);
                self.audits(&items, &answer, &checkpoint);
            }
            (Stage::Act, Told::Listed { ids, answer, receipt }) => {
                self.stage = Stage::Idle;
                self.keeps(*receipt);
                self.sees_list(ids, &answer);
            }
            (Stage::Act, Told::Refused | Told::Conflict) => self.stage = Stage::Idle,
            _ => {}
        }
    }

    fn is_synced(&mut self, now: u64, items: Vec<Item>, checkpoint: CheckpointText, dice: &mut Dice, out: &mut Out) {
        if !self.takes_entries(&items, checkpoint) {
            self.stage = Stage::Idle;
            return;
        }
        match self.want {
            Want::Deposit => self.asks_heads(true, dice, out),
            Want::Check => self.asks_heads(false, dice, out),
            _ => self.acts(now, dice, out),
        }
    }

    /// Takes what follows into the known ledger, if it follows and the host signed exactly that.
    fn takes_entries(&mut self, items: &[Item], checkpoint: CheckpointText) -> bool {
        let Ok(said) = checkpoint.verify(Log::Ledger(self.vault), CAST.node()) else {
            self.alarm(Alarm::BadHeads);
            return false;
        };
        let own = self.ledger();
        if said.size < own.size || (said.size == own.size && said.root != own.root) {
            self.sees_less(said, &checkpoint);
            return false;
        }
        let view = self.view();
        let mut state = self.state.clone();
        let mut entries = self.entries.clone();
        for item in items {
            let followed = match &mut state {
                Some(state) => state.apply(item, view),
                None => LedgerState::begin(item).map(|begun| state = Some(begun)),
            };
            if followed.is_err() {
                self.alarm(Alarm::BadLedger);
                return false;
            }
            entries.push(TreeHash::leaf(item.entry.bytes()));
        }
        if (said != TreeHead { size: entries.len() as u64, root: karute_protocol::merkle::root_of(&entries) }) {
            self.alarm(Alarm::BadLedger);
            return false;
        }
        (self.state, self.entries, self.checkpoint) = (state, entries, Some(checkpoint));
        items.iter().for_each(|item| self.notes_item(item));
        true
    }

    fn sees_less(&mut self, said: TreeHead, checkpoint: &CheckpointText) {
        self.alarm(Alarm::OlderLedger);
        let Some(own) = self.checkpoint.clone() else { return };
        if said.size == self.ledger().size {
            self.finds(heads::two_checkpoints(&own, checkpoint), Alarm::BadLedger);
        } else if self.ledger_root_at(said.size) != Some(said.root) {
            self.finds(heads::not_one_log(checkpoint, &own), Alarm::BadLedger);
        }
    }

    fn acts(&mut self, now: u64, dice: &mut Dice, out: &mut Out) {
        self.stage = Stage::Act;
        let Some(state) = self.state.clone() else { return };
        match self.want {
            Want::Fetch { stubborn } => match self.reading_grant(&state, stubborn) {
                Some(grant) => {
                    let request = self.signs(now, Action::Read, vec![grant], dice);
                    self.ask(Ask::Fetch { request }, out);
                }
                None => self.stage = Stage::Idle,
            },
            Want::Audit => {
                let request = self.signs(now, Action::Audit, Vec::new(), dice);
                self.ask(Ask::Audit { request }, out);
            }
            Want::List => {
                let request = self.signs(now, Action::List, Vec::new(), dice);
                self.ask(Ask::List { request }, out);
            }
            _ => self.changes_ledger(now, &state, dice, out),
        }
    }

    /// What only the patient does.
    fn changes_ledger(&mut self, now: u64, state: &LedgerState, dice: &mut Dice, out: &mut Out) {
        let (size, time) = (state.size(), self.now(now));
        let items = match self.want {
            Want::Revoke => match self.reading_grant(state, false) {
                Some(grant) => {
                    let (vault, reason) = (self.vault, RevocationReason::Wish);
                    let revocation = sign(Revocation { vault, grant, reason, issued: time }, &CAST.parties[self.me]);
                    let revocation = revocation.expect("a well-formed revocation").to_unverified();
                    self.ask(Ask::Revoke { revocation }, out);
                    return;
                }
                None => None,
            },
            Want::Rotate if state.is_pending(collection()) => rotation_items(state, StatementId::NONE, time),
            Want::Grant => {
                let item = grant_item(state, CAST.key(READER), &[Action::Read], time, dice.bytes());
                Some(vec![item])
            }
            _ => None,
        };
        match items {
            Some(items) => self.ask(Ask::Append { size, items }, out),
            None => self.stage = Stage::Idle,
        }
    }

    /// The reader's newest grant that is not revoked; the oldest one, revoked or not, for who is stubborn.
    fn reading_grant(&self, state: &LedgerState, stubborn: bool) -> Option<StatementId> {
        let reads = |grant: &&karute_consent::ledger::LedgerGrant| {
            grant.holder() == CAST.key(READER) && grant.core().scope.actions.contains(&Action::Read)
        };
        let mut grants: Vec<_> = state.grants().filter(reads).collect();
        grants.sort_by_key(|grant| grant.seq);
        if stubborn {
            return grants.first().map(|grant| grant.statement.id());
        }
        grants.iter().rev().map(|grant| grant.statement.id()).find(|grant| !state.is_revoked(*grant))
    }

    /// Seals a record to the key that the known directory has for the collection, or to the inbox.
    pub(super) fn seals(&mut self, now: u64, dice: &mut Dice, out: &mut Out) {
        let Some(state) = &self.state else { return };
        let generation = state.generation_in_force(collection()).unwrap_or(Generation(0));
        let ledger = self.ledger();
        self.sealed.push(SealedTo { at: now, generation, ledger });
        let (record, header) = (RecordId::from_bytes(dice.bytes()), StatementId::from_bytes(dice.bytes()));
        self.sealing = Some((record, header));
        self.stage = Stage::Act;
        let head = Head { size: ledger.size, root: ledger.root.into() };
        self.ask(Ask::Deposit { record, header, generation, head }, out);
    }

    fn is_stored(&mut self, receipt: Receipt) {
        self.stage = Stage::Idle;
        let event = &receipt.event;
        let ours = self.sealing.is_some_and(|(record, header)| {
            event.records == [record] && event.subject == Some(header) && event.place.is_some()
        });
        if !ours {
            self.alarm(Alarm::BadReceipt);
        }
        self.keeps(receipt);
    }

    fn is_appended(&mut self, receipt: Receipt, out: &mut Out) {
        self.keeps(receipt);
        if self.want == Want::Revoke {
            // New keys follow at once: first see what the ledger is now.
            (self.want, self.stage) = (Want::Rotate, Stage::Sync);
            self.ask(Ask::Sync { from: self.entries.len() as u64 }, out);
        } else {
            self.stage = Stage::Idle;
        }
    }

    /// Remembers what an item is about, if its body is shown.
    fn notes_item(&mut self, item: &Item) {
        let place = self.items.len();
        match item.open() {
            Ok((entry, Some(Body::Revocation(revocation)))) => {
                self.revocations.push((entry.id(), place, revocation.payload().grant));
            }
            Ok((_, Some(Body::Directory(_)))) => self.generations.push(place),
            _ => {}
        }
        self.items.push(item.clone());
    }
}
