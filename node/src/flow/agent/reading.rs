//! Records as a host shows them: judged before anything of them is used, then opened with the keys at hand.

use std::collections::HashMap;

use karute_consent::id::{CollectionId, Generation, RecordId, StatementId};
use karute_consent::request::Request;
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, Verified};
use karute_consent::tree::digest_of;
use karute_protocol::message::{List, Listed, Message, Permitted, RecordAnswer, Removal, Tombstone};
use karute_protocol::record::keys::RecordKeys;
use karute_protocol::record::{Header, Meta, SealedMeta};
use karute_protocol::run::{ReWrap, Run};

use crate::agent::error::{AgentError, Unproven};
use crate::agent::keyring::Keyring;
use crate::agent::view::VaultView;
use crate::flow::agent::lines::{GoneLine, RecordLine};
use crate::flow::agent::receipt::accept_receipt;
use crate::flow::agent::session::Session;

/// A record whose statements hold and belong together.
pub(super) struct ShownRecord {
    pub(super) header: Verified<Header>,
    pub(super) run: Verified<Run>,
    pub(super) re_wrap: Option<Verified<ReWrap>>,
    pub(super) meta: SealedMeta,
    pub(super) collection: CollectionId,
    pub(super) generation: Generation,
    pub(super) number: u64,
}

/// Judges records one after the other. Records of one run come together, so the last run is remembered.
#[derive(Default)]
pub(super) struct Reader {
    last_run: Option<(Unverified<Run>, Verified<Run>)>,
    last_wrap: Option<(Unverified<ReWrap>, Verified<ReWrap>)>,
}

impl Reader {
    /// Checks signatures, depositor, place and meta hash of a record (P-12, P-16, P-17).
    pub(super) fn judge(&mut self, view: &VaultView, answer: &RecordAnswer) -> Result<ShownRecord, AgentError> {
        let unproven = |_| AgentError::unproven(Unproven::Record);
        let header = answer.header.clone().verify().map_err(|_| AgentError::unproven(Unproven::Statement))?;
        let run = remembered(&mut self.last_run, &answer.run)?;
        let re_wrap = answer.re_wrap.as_ref().map(|wrap| remembered(&mut self.last_wrap, wrap)).transpose()?;
        let place = Header::check_run(&header, &run).map_err(|_| AgentError::unproven(Unproven::Record))?;
        header.payload().check_meta(&answer.meta).map_err(unproven)?;
        let by_device = view.was_device(place.depositor);
        let filed = match re_wrap.as_ref().map(|wrap| (wrap.signer(), wrap.payload())) {
            Some((signer, wrap)) => {
                let of_run = (wrap.run, wrap.vault, wrap.depositor) == (place.run, place.vault, place.depositor);
                if !of_run || !view.was_device(signer) {
                    return Err(AgentError::unproven(Unproven::Record));
                }
                (wrap.collection, wrap.generation)
            }
            None => (run.payload().collection, run.payload().generation),
        };
        let here = (answer.collection, answer.generation);
        let granted = by_device || may_deposit(view, run.payload());
        if place.vault != view.vault() || filed != here || !granted {
            return Err(AgentError::unproven(Unproven::Record));
        }
        Ok(ShownRecord {
            header,
            run,
            re_wrap,
            meta: answer.meta.clone(),
            collection: answer.collection,
            generation: answer.generation,
            number: answer.number.0,
        })
    }
}

/// Whether the grant of a run lets its depositor deposit. Who sees only a part of the ledger does not see that grant: for such
/// a reader the host vouches, and the patient's own reading finds a stranger's record out. A grant that came after this view
/// was read is known by the head that the depositor saw.
fn may_deposit(view: &VaultView, run: &Run) -> bool {
    let Some(id) = run.grant else { return false };
    match view.state().ok().and_then(|state| state.grant(id)) {
        Some(grant) => grant.holder() == run.depositor && grant.core().scope.actions.contains(&Action::Deposit),
        None => !view.is_whole() || run.head.size > view.size(),
    }
}

fn remembered<T: karute_consent::statement::Statement + Clone>(
    last: &mut Option<(Unverified<T>, Verified<T>)>,
    found: &Unverified<T>,
) -> Result<Verified<T>, AgentError> {
    if let Some((bytes, verified)) = last
        && bytes == found
    {
        return Ok(verified.clone());
    }
    let verified = found.clone().verify().map_err(|_| AgentError::unproven(Unproven::Statement))?;
    *last = Some((found.clone(), verified.clone()));
    Ok(verified)
}

impl ShownRecord {
    /// The meta and the keys, if a key here opens them.
    pub(super) fn open(&self, keyring: &mut Keyring) -> Option<(Meta, RecordKeys)> {
        let keys = keyring.record_keys(self.header.payload(), &self.run, self.re_wrap.as_ref())?;
        let meta = self.meta.open(&keys.meta).ok()?;
        Some((meta, keys))
    }

    /// The record as a line; `name_of` knows parties by their cards.
    pub(super) fn line(&self, meta: Meta, depositor_name: Option<String>) -> RecordLine {
        let wrap = self.re_wrap.as_ref().map(Verified::payload);
        RecordLine {
            record: self.header.payload().record,
            collection: self.collection,
            generation: self.generation,
            number: self.number,
            in_inbox: self.collection == CollectionId::INBOX,
            category: meta.category,
            sensitivity: meta.sensitivity,
            title: meta.title,
            media_type: meta.media_type,
            service_date: meta.service_date,
            author: meta.author,
            labels: meta.labels,
            length: meta.length.0,
            digest: meta.digest,
            file_name: meta.file_name,
            depositor: self.run.payload().depositor,
            depositor_name,
            deposited: self.header.payload().time,
            month: wrap.map_or(self.run.payload().epoch, |wrap| wrap.epoch),
            superseded_by: None,
        }
    }

    /// The record that this one takes the place of, and who says so (P-21).
    pub(super) fn supersedes(&self) -> Option<RecordId> {
        self.header.payload().supersedes
    }
}

/// What is done with each thing of a list.
pub(super) enum Shown {
    /// A judged record.
    Record(Box<ShownRecord>),
    /// A number whose record is gone.
    Gone(GoneLine),
}

/// Whether a list can be checked for omissions: only when the whole of each place was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Every number of each place is in reach.
    WholePlaces,
    /// Months, records or depositors are limited.
    Part,
}

/// Reads a list to its signed end and hands over each thing in it. Answers whether the counts show it to be complete (P-26).
pub(super) async fn read_list(
    session: &mut Session,
    view: &VaultView,
    list: List,
    request: &Verified<Request>,
    extent: Extent,
    mut each: impl FnMut(Shown) -> Result<(), AgentError>,
) -> Result<(bool, Permitted), AgentError> {
    let node = session.node();
    let mut pending = session.start(list).await?;
    let permitted = permitted(pending.message().await?, view, request.payload(), node)?;
    let (mut reader, mut counted) = (Reader::default(), Counted::default());
    loop {
        match pending.message().await? {
            Message::RecordAnswer(answer) => {
                let record = reader.judge(view, &answer)?;
                counted.note((record.collection, record.generation), record.number, record.header.id().as_bytes())?;
                each(Shown::Record(Box::new(record)))?;
            }
            Message::Tombstone(gone) => {
                explained(view, &gone)?;
                let Tombstone { collection, generation, number, reason, .. } = *gone;
                counted.note((collection, generation), number.0, &[0; 32])?;
                each(Shown::Gone(GoneLine { collection, generation, number: number.0, reason }))?;
            }
            Message::Listed(listed) => {
                let complete = counted.agree(view, *listed, request.id(), node, extent)?;
                return Ok((complete, permitted));
            }
            _ => return Err(AgentError::Malformed("answer to a list")),
        }
    }
}

/// The first answer to a list, fetch or audit: a receipt for this very request.
pub(super) fn permitted(
    answer: Message,
    view: &VaultView,
    request: &Request,
    node: karute_consent::id::NodeId,
) -> Result<Permitted, AgentError> {
    let Message::Permitted(permitted) = answer else { return Err(AgentError::Malformed("answer to a request")) };
    accept_receipt(view, &permitted.receipt, node)?;
    let event = &permitted.receipt.event;
    let asked = event.check_request(view.vault(), node).map_err(|_| AgentError::unproven(Unproven::Receipt))?; // P-39
    let same = asked.is_some_and(|asked| asked.payload() == request);
    if !same || event.outcome.0 != 0 {
        return Err(AgentError::unproven(Unproven::Receipt));
    }
    Ok(*permitted)
}

/// A record that is erased or withdrawn comes with the statement of who had that done (P-42): a device of the vault, or a
/// depositor. That it was this record's depositor is known to who has the receipt of its deposit.
pub(super) fn explained(view: &VaultView, gone: &Tombstone) -> Result<(), AgentError> {
    let removal = gone.removal(view.vault()).map_err(|_| AgentError::unproven(Unproven::Tombstone))?;
    match removal {
        Removal::Erased(erasure) if !view.was_device(erasure.signer()) => {
            Err(AgentError::unproven(Unproven::Tombstone))
        }
        Removal::Erased(_) | Removal::Withdrawn(_) | Removal::Moved => Ok(()),
    }
}

/// Numbers seen in each place, and the header ids in the order they came.
#[derive(Default)]
struct Counted {
    seen: HashMap<(CollectionId, Generation), Numbers>,
    ids: Vec<u8>,
}

#[derive(Default)]
struct Numbers {
    highest: u64,
    /// Numbers passed over on the way to the highest.
    missing: u64,
}

impl Counted {
    /// Numbers rise within a place.
    fn note(&mut self, place: (CollectionId, Generation), number: u64, id: &[u8; 32]) -> Result<(), AgentError> {
        let numbers = self.seen.entry(place).or_default();
        if number <= numbers.highest {
            return Err(AgentError::unproven(Unproven::Omission));
        }
        numbers.missing += number - numbers.highest - 1;
        numbers.highest = number;
        self.ids.extend_from_slice(id);
        Ok(())
    }

    /// Whether the host's signed counts are those of what came.
    fn agree(
        &self,
        view: &VaultView,
        listed: Listed,
        request: StatementId,
        node: karute_consent::id::NodeId,
        extent: Extent,
    ) -> Result<bool, AgentError> {
        let answer = listed.answer.ok_or(AgentError::Malformed("list without its signed end"))?;
        let answer = answer.verify_by(node.key()).map_err(|_| AgentError::unproven(Unproven::Statement))?;
        let answer = answer.payload();
        let same =
            answer.vault == view.vault() && answer.request == request && answer.digest == digest_of(&[&self.ids]);
        if !same {
            return Err(AgentError::unproven(Unproven::Omission));
        }
        if extent == Extent::Part {
            return Ok(false);
        }
        for count in &answer.counts {
            let seen = self.seen.get(&(count.collection, count.generation));
            let (highest, missing) = seen.map_or((0, 0), |numbers| (numbers.highest, numbers.missing));
            if highest != count.count || missing > 0 {
                return Err(AgentError::unproven(Unproven::Omission));
            }
        }
        let counted = |place| answer.counts.iter().any(|count| (count.collection, count.generation) == place);
        if self.seen.keys().all(|place| counted(*place)) {
            Ok(true)
        } else {
            Err(AgentError::unproven(Unproven::Omission))
        }
    }
}
