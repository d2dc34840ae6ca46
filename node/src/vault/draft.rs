//! Turning effects and notes into one batch of frames, with every check that keeps the index able to take them.

use karute_consent::encoding::{EncodingError, from_bytes, to_bytes};
use karute_consent::id::{Digest, RotationSequence, RunId, Seq, StatementId};
use karute_consent::ledger::{Body, Item, LedgerState, View};
use karute_consent::limits::ATTACHMENT_BYTES_MAX;
use karute_consent::time::Timestamp;
use karute_consent::tree::root_of;
use karute_protocol::record::RecordNumber;
use karute_protocol::trail::{EventKind, EventPlace, Leaf, Outcome, TrailNumber};
use karute_protocol::wire::{ByteCount, Octets};
use serde_bytes::ByteBuf;

use super::change::{
    AskAnswered, AskContent, AskReceived, Change, EventsErased, LedgerAttachment, LedgerBody, LedgerEntry, Name,
    PackagePassed, RecordContent, RecordStored, RecordsRemoved, RightUsed, RunBegun, RunReWrapped, TrailContent,
    TrailEntry,
};
use super::effect::{AskReply, Effect, Filed, NewAsk, NewReWrap, NewRecord, Note, RecordPlace, Removal};
use super::journal::{NewBatch, Position, VaultTag};
use super::pending::Handed;
use super::rows::{AskRow, Rows, RunRow, ask_key, place_key, read_position, run_key};
use super::schema::Tree;
use super::store::ReadError;
use super::turn::{CommitError, Turn};

/// Frames in the making.
pub(super) struct Draft<'a> {
    turn: &'a Turn,
    tag: VaultTag,
    pub(super) batch: NewBatch,
    /// Entries after the effects so far.
    ledger_size: u64,
    /// The ledger after the items so far; `None`: nothing is appended.
    pub(super) after: Option<LedgerState>,
    pub(super) filed: Vec<Filed>,
    /// The leaves so far, each with the place of its frame.
    pub(super) leaves: Leaves,
    /// What deposits bring.
    pub(super) brings: Handed,
}

/// Longest statement that is kept in one index entry, in bytes.
const SMALL_STATEMENT_MAX: usize = 2048;

impl<'a> Draft<'a> {
    pub(super) fn new(turn: &'a Turn) -> Draft<'a> {
        Draft {
            turn,
            tag: VaultTag(*turn.vault.as_bytes()),
            batch: NewBatch::default(),
            ledger_size: turn.row.ledger.0,
            after: None,
            filed: Vec::new(),
            leaves: Leaves { tag: VaultTag(*turn.vault.as_bytes()), leaves: Vec::new() },
            brings: Handed::default(),
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) -> Result<(), CommitError> {
        match effect {
            Effect::Append(item) => self.append(*item),
            Effect::Deposit(record) => self.deposit(*record),
            Effect::ReWrap(re_wrap) => self.re_wrap(re_wrap),
            Effect::Remove(removal) => self.remove(removal),
            Effect::EraseEvents(numbers) => self.erase_events(numbers),
            Effect::Use(used) => self.frame(&RightUsed {
                request: used.request,
                signer: used.signer,
                chain: used.chain,
                counted: used.counted,
                time: used.time,
                action: used.action,
                selector: used.selector,
            }),
            Effect::Ask(ask) => self.ask(ask),
            Effect::AnswerAsk(reply) => self.answer(reply),
            Effect::PassOn(passed) => self.frame(&PackagePassed {
                grant: passed.grant,
                rotation: passed.rotation,
                package: Octets(passed.package),
            }),
        }
    }

    fn frame(&mut self, change: &impl Change) -> Result<(), CommitError> {
        self.batch.frames.push(change.frame(self.tag)?);
        Ok(())
    }

    pub(super) fn note(&mut self, number: u64, note: &Note) -> Result<(), CommitError> {
        let number = TrailNumber(number);
        let leaf = Leaf::new(self.turn.vault, number, note.time, &note.event, &note.salt)?;
        self.leaves.leaves.push((self.batch.frames.len(), leaf));
        self.frame(&TrailEntry { leaf })?;
        self.frame(&TrailContent { number, salt: note.salt, event: Octets(to_bytes(&note.event)?) })
    }

    /// The events of deposits tell where their records are filed.
    pub(super) fn tell_places(&self, notes: &mut [Note]) {
        let deposits = notes.iter_mut().filter(|note| {
            note.event.kind == EventKind::Deposit && note.event.subject.is_some() && note.event.outcome == Outcome(0)
        });
        for (note, filed) in deposits.zip(&self.filed) {
            let RecordPlace { collection, generation } = filed.place;
            note.event.place = Some(EventPlace { collection, generation, number: filed.number });
        }
    }

    fn append(&mut self, item: Item) -> Result<(), CommitError> {
        let seq = Seq(self.ledger_size);
        if seq == Seq::FIRST {
            self.after = Some(LedgerState::begin(&item).map_err(CommitError::Refused)?);
        } else {
            let after = self.after.get_or_insert_with(|| LedgerState::clone(&self.turn.ledger));
            after.apply(&item, View::Append).map_err(CommitError::Refused)?;
        }
        let (entry, body) = item.open().map_err(|_| CommitError::Item)?;
        let body = body.ok_or(CommitError::Item)?;
        if entry.payload().vault != self.turn.vault || entry.payload().seq != seq {
            return Err(CommitError::Item);
        }
        let attachments = item.attachments.unwrap_or_default();
        let (Some(salt), Some(bytes)) = (item.salt, item.body) else { return Err(CommitError::Item) };
        if entry.bytes().len() > SMALL_STATEMENT_MAX {
            return Err(CommitError::TooLarge);
        }
        self.frame(&LedgerEntry {
            seq,
            entry: Octets(entry.bytes().to_vec()),
            attachments: u8::try_from(attachments.len()).map_err(|_| CommitError::TooLarge)?,
            names: names_of(&body, &attachments)?,
        })?;
        self.frame(&LedgerBody { seq, salt, body: Octets(bytes) })?;
        for (index, attachment) in (0_u8..).zip(attachments) {
            self.frame(&LedgerAttachment { seq, index, bytes: Octets(attachment.into_vec()) })?;
        }
        self.ledger_size += 1;
        Ok(())
    }

    fn deposit(&mut self, new: NewRecord) -> Result<(), CommitError> {
        let store = &self.turn.store;
        let twice = self.brings.records.contains(&new.record);
        if twice || store.find(self.turn.vault, new.record)?.is_some() {
            return Err(CommitError::RecordExists);
        }
        if new.inline.is_none() && !store.holds_body(new.body.root) {
            return Err(CommitError::NoBody);
        }
        let known = self.known_run(new.run.run)?;
        if known.is_some_and(|(id, _)| id != new.run.id) {
            return Err(CommitError::OtherRun);
        }
        let place = known.map_or(new.run.place, |(_, place)| place);
        if known.is_none() {
            self.frame(&RunBegun {
                run: new.run.run,
                id: new.run.id,
                statement: Octets(new.run.statement),
                collection: place.collection,
                generation: place.generation,
                epoch: new.run.epoch,
                depositor: new.run.depositor,
            })?;
            self.brings.runs.insert(new.run.run, (new.run.id, place));
        }
        self.brings.records.insert(new.record);
        let number = self.next_number(place)?;
        self.frame(&RecordStored {
            record: new.record,
            run: new.run.run,
            number,
            header_id: new.header_id,
            body_root: Digest::from_bytes(new.body.root.0),
            body_length: ByteCount(new.body.len),
        })?;
        self.filed.push(Filed { place, number });
        self.frame(&RecordContent {
            record: new.record,
            header: Octets(new.header),
            meta: Octets(new.meta),
            body: new.inline.map(Octets),
        })
    }

    fn next_number(&mut self, place: RecordPlace) -> Result<RecordNumber, CommitError> {
        let handed = self.brings.counts.get(&place).copied().or_else(|| self.turn.slot.pending.count(place));
        let stored = match handed {
            Some(count) => count,
            None => {
                let key = place_key(self.turn.vault, place);
                self.turn.store.inner.index.number(Tree::PlaceCounts, &key).map_err(ReadError::from)?
            }
        };
        self.brings.counts.insert(place, stored + 1);
        Ok(RecordNumber(stored + 1))
    }

    /// Statement and place of a run: begun in this batch, under way, or in the index, looked for in this order.
    fn known_run(&self, run: RunId) -> Result<Option<(StatementId, RecordPlace)>, CommitError> {
        let under_way = self.brings.runs.get(&run).copied().or_else(|| self.turn.slot.pending.run(run));
        match under_way {
            Some(known) => Ok(Some(known)),
            None => Ok(self.turn.store.run(self.turn.vault, run)?.map(|row| (row.id(), row.place()))),
        }
    }

    fn re_wrap(&mut self, new: NewReWrap) -> Result<(), CommitError> {
        let key = run_key(self.turn.vault, new.run);
        let known: Option<RunRow> = self.turn.store.inner.index.row(Tree::Runs, &key).map_err(ReadError::from)?;
        if known.is_none() {
            return Err(CommitError::Unknown);
        }
        self.frame(&RunReWrapped {
            run: new.run,
            id: new.id,
            statement: Octets(new.statement),
            collection: new.place.collection,
            generation: new.place.generation,
            epoch: new.epoch,
        })
    }

    fn remove(&mut self, removal: Removal) -> Result<(), CommitError> {
        for record in &removal.records {
            let row = self.turn.store.find(self.turn.vault, *record)?;
            self.erase(row.and_then(|row| row.content_position()));
        }
        self.frame(&RecordsRemoved {
            records: removal.records,
            reason: removal.reason,
            id: removal.id,
            statement: Octets(removal.statement),
        })
    }

    fn erase_events(&mut self, numbers: Vec<TrailNumber>) -> Result<(), CommitError> {
        let mut there = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(position) = self.turn.store.event_position(self.turn.vault, number)? {
                self.erase(Some(position));
                there.push(number);
            }
        }
        if there.is_empty() { Ok(()) } else { self.frame(&EventsErased { numbers: there }) }
    }

    fn erase(&mut self, content: Option<Position>) {
        if let Some(position) = content.filter(|position| !self.batch.erase.contains(position)) {
            self.batch.erase.push(position);
        }
    }

    fn ask(&mut self, new: NewAsk) -> Result<(), CommitError> {
        if new.envelope.len() > SMALL_STATEMENT_MAX {
            return Err(CommitError::TooLarge);
        }
        // Who asks chooses the id: another one's ask is not put out of its place by it.
        let key = ask_key(self.turn.vault, new.ask);
        if let Some(row) = self.turn.store.inner.index.row::<AskRow>(Tree::Asks, &key).map_err(ReadError::from)? {
            if row.sender != new.sender {
                return Err(CommitError::AskExists);
            }
            self.erase(row.content.as_ref().and_then(read_position));
        }
        self.frame(&AskReceived {
            ask: new.ask,
            sender: new.sender,
            envelope: Octets(new.envelope),
            received: new.received,
        })?;
        self.frame(&AskContent { ask: new.ask, sealed: Octets(new.sealed) })
    }

    fn answer(&mut self, reply: AskReply) -> Result<(), CommitError> {
        let key = ask_key(self.turn.vault, reply.ask);
        let row: Option<AskRow> = self.turn.store.inner.index.row(Tree::Asks, &key).map_err(ReadError::from)?;
        let row = row.ok_or(CommitError::Unknown)?;
        self.erase(row.content.as_ref().and_then(read_position));
        self.frame(&AskAnswered { ask: reply.ask, statement: Octets(reply.statement) })
    }
}

/// The leaves of a batch. Their times are set last, in the order in which batches go to the journal.
pub(super) struct Leaves {
    tag: VaultTag,
    leaves: Vec<(usize, Leaf)>,
}

impl Leaves {
    /// Moves times that are before `last`, the time of the trail's last leaf, up to it (P-38). Gives the time of the
    /// last leaf after these.
    pub(super) fn settle(self, batch: &mut NewBatch, last: Timestamp) -> Result<Timestamp, EncodingError> {
        let mut newest = last;
        for (place, leaf) in self.leaves {
            newest = newest.max(leaf.time);
            if leaf.time < newest {
                batch.frames[place] = TrailEntry { leaf: Leaf { time: newest, ..leaf } }.frame(self.tag)?;
            }
        }
        Ok(newest)
    }
}

/// What the attachments of an item can be asked for by.
fn names_of(body: &Body, attachments: &[ByteBuf]) -> Result<Vec<Name>, CommitError> {
    let package = |(index, (grant, sequence)): (u8, (StatementId, RotationSequence))| Name {
        kind: Name::PACKAGE,
        key: Digest::from_bytes(*grant.as_bytes()),
        sequence,
        index,
    };
    match body {
        Body::Grant(grant) if grant.payload().package_hash.is_some() => {
            Ok(vec![package((1, (grant.id(), RotationSequence::FIRST)))])
        }
        Body::Rotation(rotation) => {
            let sequence = rotation.payload().sequence;
            let packages = rotation.payload().packages.iter().map(|named| (named.grant, sequence));
            Ok((0_u8..).zip(packages).map(package).collect())
        }
        Body::Directory(_) => (1_u8..).zip(attachments.iter().skip(1)).map(key_leaves_name).collect(),
        _ => Ok(Vec::new()),
    }
}

fn key_leaves_name((index, attachment): (u8, &ByteBuf)) -> Result<Name, CommitError> {
    let leaves: Vec<ByteBuf> = from_bytes(attachment, ATTACHMENT_BYTES_MAX).map_err(|_| CommitError::Item)?;
    Ok(Name { kind: Name::KEY_LEAVES, key: root_of(&leaves), sequence: RotationSequence::FIRST, index })
}
