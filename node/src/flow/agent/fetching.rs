//! Fetching records to files: one request for many, each record judged, opened and named when it is whole, a proof beside it.
//!
//! After a cut a new request names the first one and goes on: first with the rest of the record that was cut, then with what is
//! still missing. That costs no further use of the grant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use karute_consent::id::{RecordId, RequestId};
use karute_consent::statement::Verified;
use karute_protocol::archive::ProofFile;
use karute_protocol::message::{ByteRange, Fetch, Message, Permitted, RecordAnswer};
use karute_protocol::record::keys::RecordKeys;
use karute_protocol::record::{FileOpener, Meta, RecordNumber};
use karute_protocol::trail::Receipt;
use karute_protocol::wire::ByteCount;

use crate::agent::error::{AgentError, Missing, Unproven};
use crate::agent::keyring::Keyring;
use crate::flow::agent::download::{PARTIAL_ENDING, Receiving};
use crate::flow::agent::file::in_thread;
use crate::flow::agent::lines::{Destination, Fetched, Step, Watch};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::{Reader, ShownRecord, explained, permitted};
use crate::flow::agent::session::{Incoming, Pending, Session};
use crate::flow::agent::source::{Copies, Signed, Source};
use crate::home::{read_bounded, write_atomic, write_private};

/// A fetch on its way.
pub(super) struct Fetching<'a> {
    source: Source<'a>,
    keyring: Keyring,
    wanted: Wanted,
    to: Destination,
    /// The first request that was permitted: later ones resume it.
    first: Option<RequestId>,
    /// What the first answer consists of, when its receipt names all of it: later requests ask for what is missing.
    coming: Option<BTreeSet<RecordId>>,
    done: BTreeMap<RecordId, Fetched>,
    /// Records that no key here opens.
    closed: BTreeSet<RecordId>,
    current: Option<Current>,
    receipts: Vec<Receipt>,
    bytes: u64,
}

/// The record whose body is arriving.
struct Current {
    shown: ShownRecord,
    meta: Meta,
    keys: RecordKeys,
    target: PathBuf,
    receiving: Receiving,
}

/// What a fetch came to.
pub(super) struct Fetches {
    pub(super) fetched: Vec<Fetched>,
    pub(super) receipts: Vec<Receipt>,
}

impl<'a> Fetching<'a> {
    /// A fetch of what `wanted` asks for.
    pub(super) fn new(source: Source<'a>, keyring: Keyring, wanted: Wanted, to: Destination) -> Self {
        Self {
            source,
            keyring,
            wanted,
            to,
            first: None,
            coming: None,
            done: BTreeMap::new(),
            closed: BTreeSet::new(),
            current: None,
            receipts: Vec::new(),
            bytes: 0,
        }
    }

    /// Runs to the end, over as many sessions as it takes.
    pub(super) async fn run(mut self, reach: &mut Reach, watch: Watch<'_>) -> Result<Fetches, AgentError> {
        let mut tries_in_vain = 0;
        loop {
            let before = self.mark();
            match self.go_on(reach, watch).await {
                Ok(()) => break,
                Err(error @ AgentError::Unreachable(_)) => {
                    tries_in_vain = if self.mark() == before { tries_in_vain + 1 } else { 0 };
                    if tries_in_vain >= TRIES_IN_VAIN_MAX {
                        return Err(error);
                    }
                    reach.hang_up();
                    tokio::time::sleep(PAUSE * (tries_in_vain + 1)).await;
                }
                Err(error) => return Err(error),
            }
        }
        if self.done.is_empty() {
            return Err(AgentError::Unknown(if self.closed.is_empty() { Missing::Record } else { Missing::Key }));
        }
        Ok(Fetches { fetched: self.done.into_values().collect(), receipts: self.receipts })
    }

    fn mark(&self) -> (usize, u64) {
        (self.done.len(), self.current.as_ref().map_or(0, |current| current.receiving.rest().start))
    }

    async fn go_on(&mut self, reach: &mut Reach, watch: Watch<'_>) -> Result<(), AgentError> {
        let session = reach.host(self.source.link, self.source.view).await?;
        if let Some(cut) = &self.current {
            let (record, rest) = (cut.shown.header.payload().record, cut.receiving.rest());
            let range = ByteRange { from: ByteCount(rest.start), to: ByteCount(rest.end) };
            self.request(session, Some(BTreeSet::from([record])), Some(range), watch).await?;
        }
        let named = self.wanted.selector.records.as_ref().or(self.coming.as_ref());
        let missing = |id: &RecordId| !self.done.contains_key(id) && !self.closed.contains(id);
        let rest = named.map(|all| all.iter().copied().filter(missing).collect::<BTreeSet<_>>());
        if rest.as_ref().is_some_and(BTreeSet::is_empty) {
            return Ok(());
        }
        self.request(session, rest, None, watch).await
    }

    /// One request and all of its answer.
    async fn request(
        &mut self,
        session: &mut Session,
        records: Option<BTreeSet<RecordId>>,
        range: Option<ByteRange>,
        watch: Watch<'_>,
    ) -> Result<(), AgentError> {
        let mut selector = self.wanted.selector.clone();
        selector.records = records;
        let (chain, purpose) = (self.wanted.chain.clone(), self.wanted.purpose);
        let wanted = Wanted { action: self.wanted.action, chain, selector, purpose, resumes: self.first };
        let signed = self.source.request(session, &wanted)?;
        let fetch = Fetch { request: signed.request.to_unverified(), acting: signed.acting.clone(), range };
        let node = session.node();
        let mut pending = session.start(fetch).await?;
        let permitted = permitted(pending.message().await?, self.source.view, signed.request.payload(), node)?;
        if self.first.is_none() {
            let event = &permitted.receipt.event;
            self.first = Some(signed.request.payload().id);
            self.coming = (event.count == event.records.len() as u64).then(|| event.records.iter().copied().collect());
        }
        self.receipts.push(permitted.receipt.clone());
        watch(Step::Files { count: permitted.count });
        let (mut reader, mut came) = (Reader::default(), 0);
        loop {
            match pending.message().await? {
                Message::RecordAnswer(answer) => {
                    came += 1;
                    self.take(&mut reader, *answer, range.is_some(), &mut pending, &signed, &permitted, node, watch)
                        .await?;
                }
                // Erased, withdrawn or moved meanwhile: it counts, and there is nothing to open.
                Message::Tombstone(gone) => {
                    explained(self.source.view, &gone)?;
                    came += 1;
                }
                Message::End(end) if end.count == came => return whole(&permitted, came),
                _ => return Err(AgentError::Malformed("answer to a fetch")),
            }
        }
    }

    /// One record of an answer, with its body.
    #[expect(clippy::too_many_arguments, reason = "the answer, what it answers, and where its pieces come from")]
    async fn take(
        &mut self,
        reader: &mut Reader,
        answer: RecordAnswer,
        resumed: bool,
        pending: &mut Pending,
        signed: &Signed,
        permitted: &Permitted,
        node: karute_consent::id::NodeId,
        watch: Watch<'_>,
    ) -> Result<(), AgentError> {
        let shown = reader.judge(self.source.view, &answer)?;
        let record = shown.header.payload().record;
        let goes_on = self.current.as_ref().is_some_and(|current| current.shown.header.id() == shown.header.id());
        if resumed && !goes_on {
            return Err(AgentError::unproven(Unproven::Record));
        }
        if !resumed {
            self.current = None;
            if self.done.contains_key(&record) || !self.begin(shown)? {
                return drain(pending, answer.encoded_len.0).await;
            }
        }
        let Some(current) = &mut self.current else { return Err(AgentError::unproven(Unproven::Record)) };
        match answer.body {
            Some(body) if !resumed => current.receiving.take_inline(&body)?,
            Some(_) => return Err(AgentError::Malformed("a whole body where a range was asked for")),
            None => receive(current, pending, answer.encoded_len.0, self.bytes, watch).await?,
        }
        let Some(current) = self.current.take() else { return Ok(()) };
        self.bytes += current.meta.length.0;
        let fetched = finish(current, signed, permitted, node, self.source.copies).await?;
        watch(Step::Bytes { done: self.bytes });
        watch(Step::Record { path: fetched.path.clone() });
        self.done.insert(record, fetched);
        Ok(())
    }

    /// Begins the file of a record; answers whether a key here opens it.
    fn begin(&mut self, shown: ShownRecord) -> Result<bool, AgentError> {
        let opened = shown.open(&mut self.keyring);
        let Some((meta, keys @ RecordKeys { body: Some(_), .. })) = opened else {
            self.closed.insert(shown.header.payload().record);
            return Ok(false);
        };
        let Some(body_key) = &keys.body else { return Ok(false) };
        let header = shown.header.payload();
        if !body_key.opens_body_of(header) {
            return Err(AgentError::unproven(Unproven::Package)); // P-09
        }
        let opener = FileOpener::new(header, &meta, body_key).map_err(|_| AgentError::unproven(Unproven::Meta))?;
        let target = self.target(&meta, header.record);
        let receiving = Receiving::begin(&target, header.body(), opener)?;
        self.current = Some(Current { shown, meta, keys, target, receiving });
        Ok(true)
    }

    /// Where a record's file goes: its own name, unless something else has it, in this fetch or on the disk.
    fn target(&self, meta: &Meta, record: RecordId) -> PathBuf {
        let folder = match &self.to {
            Destination::File(path) => return path.clone(),
            Destination::Folder(folder) => folder,
        };
        let id = record.to_hex();
        let named = meta.file_name.clone().filter(|name| !name.starts_with('.'));
        let plain = named.unwrap_or_else(|| id.clone());
        let target = folder.join(&plain);
        let of_ours = [PROOF_ENDING, PARTIAL_ENDING].iter().any(|ending| plain.ends_with(ending));
        let taken = self.done.values().any(|fetched| fetched.path == target);
        if of_ours || taken || is_something_else(&target, record) {
            return folder.join(format!("{}-{plain}", &id[..8]));
        }
        target
    }
}

/// Whether a file stands there that is not an earlier copy of this record, as the proof beside it tells.
fn is_something_else(target: &Path, record: RecordId) -> bool {
    if !target.exists() {
        return false;
    }
    let proof = read_bounded(&beside(target), PROOF_BYTES_MAX).ok().flatten();
    let header = proof.and_then(|bytes| ProofFile::from_bytes(&bytes).ok()?.header.verify().ok());
    header.is_none_or(|header| header.payload().record != record)
}

/// The path of the proof beside a file.
fn beside(target: &Path) -> PathBuf {
    let mut path = target.as_os_str().to_owned();
    path.push(PROOF_ENDING);
    PathBuf::from(path)
}

/// Refuses an answer that left something out: the receipt, which stands in the trail, counts what was to come.
fn whole(permitted: &Permitted, came: u64) -> Result<(), AgentError> {
    let counted = permitted.receipt.event.count;
    if came == permitted.count && came >= counted { Ok(()) } else { Err(AgentError::unproven(Unproven::Omission)) }
}

/// Hands the pieces of a body to its thread, as many bytes as were announced.
async fn receive(
    current: &mut Current,
    pending: &mut Pending,
    encoded_len: u64,
    before: u64,
    watch: Watch<'_>,
) -> Result<(), AgentError> {
    let (range, mut left, mut result) = (current.receiving.start()?, encoded_len, Ok(()));
    while left > 0 {
        match pending.next().await {
            Ok(Incoming::Piece(piece)) if piece.len() as u64 <= left => {
                left -= piece.len() as u64;
                if !range.give(piece).await {
                    break;
                }
                watch(Step::Bytes { done: before + (encoded_len - left).min(current.meta.length.0) });
            }
            Ok(_) => result = Err(AgentError::Malformed("pieces of a body")),
            Err(error) => result = Err(error),
        }
        if result.is_err() {
            break;
        }
    }
    let settled = current.receiving.settle(range).await;
    result.and(settled)
}

/// Reads past a body that is not wanted.
async fn drain(pending: &mut Pending, encoded_len: u64) -> Result<(), AgentError> {
    let mut left = encoded_len;
    while left > 0 {
        match pending.next().await? {
            Incoming::Piece(piece) if piece.len() as u64 <= left => left -= piece.len() as u64,
            _ => return Err(AgentError::Malformed("pieces of a body")),
        }
    }
    Ok(())
}

/// Gives the file its name and writes the proof beside it.
async fn finish(
    current: Current,
    signed: &Signed,
    permitted: &Permitted,
    node: karute_consent::id::NodeId,
    copies: Copies,
) -> Result<Fetched, AgentError> {
    let Current { shown, meta, keys, target, receiving } = current;
    let proof_path = beside(&target);
    let proof = ProofFile {
        vault: shown.header.payload().vault,
        header: shown.header.to_unverified(),
        meta: shown.meta.clone(),
        meta_key: keys.meta,
        run: shown.run.to_unverified(),
        re_wrap: shown.re_wrap.as_ref().map(Verified::to_unverified),
        collection: shown.collection,
        generation: shown.generation,
        number: RecordNumber(shown.number),
        receipt: permitted.receipt.clone(),
        request: signed.request.to_unverified(),
        node,
    };
    let bytes = proof.to_bytes().map_err(|_| AgentError::unproven(Unproven::Record))?;
    let fetched = Fetched {
        record: shown.header.payload().record,
        title: meta.title,
        path: target.clone(),
        proof: proof_path.clone(),
        length: meta.length.0,
        digest: meta.digest,
    };
    in_thread(move || {
        receiving.finish(&target, copies)?;
        match copies {
            Copies::Counted => write_atomic(&proof_path, &bytes)?,
            Copies::Repeatable => write_private(&proof_path, &bytes)?,
        }
        Ok(())
    })
    .await?;
    Ok(fetched)
}

/// How the name of a proof ends.
const PROOF_ENDING: &str = ".proof";
/// Largest proof that is looked into, in bytes.
const PROOF_BYTES_MAX: u64 = 1024 * 1024;
/// Tries in a row without any progress before a fetch is given up.
const TRIES_IN_VAIN_MAX: u32 = 5;
/// Pause before the next try; after tries in vain it is longer.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
