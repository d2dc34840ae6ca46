//! Sending the records of one run: small ones inline and many at a time, large ones in pieces from where the host stands.

use std::collections::VecDeque;

use bytes::Bytes;
use karute_consent::id::{Digest, PartyKey, VaultId};
use karute_consent::statement::{Verified, sign};
use karute_protocol::body::Salt;
use karute_protocol::limits::INLINE_BODY_LEN_MAX;
use karute_protocol::message::{Body, Existing, Message, Put, Stored};
use karute_protocol::record::keys::RecordKeys;
use karute_protocol::record::{BodyFacts, Header, Meta, RecordSealer, SealedMeta};
use karute_protocol::run::RecordPlace;
use karute_protocol::trail::{EventKind, Receipt};
use karute_protocol::wire::{ByteCount, Octets};

use crate::agent::error::{AgentError, Obstacle, Unproven};
use crate::agent::facility::Facility;
use crate::agent::heads::Shown;
use crate::flow::agent::deposit::{DepositLine, Examined};
use crate::flow::agent::file;
use crate::flow::agent::lines::{Step, Watch};
use crate::flow::agent::receipt::{accept_receipt, keep_receipt};
use crate::flow::agent::run::OpenedRun;
use crate::flow::agent::session::{Pending, Session};

/// Which files are stored, and how far the others got.
pub(super) struct Progress {
    lines: Vec<Option<DepositLine>>,
    /// Bytes of files that are stored.
    stored: u64,
    /// Sum of the offsets from which bodies went on.
    resumed: u64,
}

impl Progress {
    /// Nothing of `count` files is stored.
    pub(super) fn new(count: usize) -> Self {
        Self { lines: (0..count).map(|_| None).collect(), stored: 0, resumed: 0 }
    }

    /// Whether the file at this place is stored.
    pub(super) fn is_done(&self, place: usize) -> bool {
        self.lines.get(place).is_some_and(Option::is_some)
    }

    /// Changes whenever the host has more than before.
    pub(super) fn mark(&self) -> (usize, u64) {
        (self.lines.iter().flatten().count(), self.resumed)
    }

    /// The lines in the order of the files.
    pub(super) fn into_lines(self, files: &[Examined]) -> Result<Vec<DepositLine>, AgentError> {
        let lines: Vec<DepositLine> = self.lines.into_iter().flatten().collect();
        if lines.len() == files.len() { Ok(lines) } else { Err(AgentError::Malformed("deposit ended early")) }
    }

    fn store(&mut self, place: usize, file: &Examined, line: DepositLine, watch: Watch<'_>) {
        self.stored += file.facts.len;
        watch(Step::Bytes { done: self.stored });
        watch(Step::Record { path: line.path.clone() });
        self.lines[place] = Some(line);
    }
}

/// Stores the files at these places as records of one run.
#[expect(clippy::too_many_arguments, reason = "who, where, what and how far are all different things")]
pub(super) async fn upload(
    facility: &mut Facility,
    session: &mut Session,
    vault: VaultId,
    run: &OpenedRun,
    files: &[Examined],
    places: &[usize],
    progress: &mut Progress,
    watch: Watch<'_>,
) -> Result<(), AgentError> {
    let mut waiting: VecDeque<(usize, Pending)> = VecDeque::new();
    for place in places.iter().copied() {
        let file = &files[place];
        let sealed_len = RecordSealer::sealed_len(ByteCount(file.facts.len)).map_err(|_| too_large())?;
        if sealed_len.0 > INLINE_BODY_LEN_MAX as u64 {
            let line = upload_large(facility, session, run, file, sealed_len, progress, watch).await?;
            progress.store(place, file, line, watch);
            continue;
        }
        let put = seal_small(facility, run, file).await?;
        waiting.push_back((place, session.start(put).await?));
        if waiting.len() >= PUTS_IN_FLIGHT {
            settle(facility, session, vault, files, &mut waiting, progress, watch).await?;
        }
    }
    while !waiting.is_empty() {
        settle(facility, session, vault, files, &mut waiting, progress, watch).await?;
    }
    Ok(())
}

/// Waits for the oldest put.
async fn settle(
    facility: &mut Facility,
    session: &Session,
    vault: VaultId,
    files: &[Examined],
    waiting: &mut VecDeque<(usize, Pending)>,
    progress: &mut Progress,
    watch: Watch<'_>,
) -> Result<(), AgentError> {
    let Some((place, mut pending)) = waiting.pop_front() else { return Ok(()) };
    let Message::Stored(stored) = pending.message().await? else {
        return Err(AgentError::Malformed("answer to a put"));
    };
    let line = accept(facility, session, vault, &files[place], *stored)?;
    progress.store(place, &files[place], line, watch);
    Ok(())
}

/// Reads and seals a small file whole.
async fn seal_small(facility: &Facility, run: &OpenedRun, file: &Examined) -> Result<Put, AgentError> {
    let keys = keys_of(run, file);
    let mut sealing = file::seal(file.new.path.clone(), sealer(&keys, file)?);
    let mut body = Vec::new();
    while let Some(piece) = sealing.next().await {
        body.extend_from_slice(&piece);
    }
    let sealed = sealing.finish().await?;
    let (header, meta) = head(facility, run, file, &keys, &sealed.facts)?;
    Ok(Put { header: header.to_unverified(), meta, body: Some(Octets(body)) })
}

/// Sends a large file from the host's offset on and commits it.
async fn upload_large(
    facility: &mut Facility,
    session: &mut Session,
    run: &OpenedRun,
    file: &Examined,
    length: ByteCount,
    progress: &mut Progress,
    watch: Watch<'_>,
) -> Result<DepositLine, AgentError> {
    let keys = keys_of(run, file);
    let (run_id, vault) = (run.run.payload().run, run.run.payload().vault);
    let mut pending = session.start(Body { run: run_id, record: file.record, length }).await?;
    let Message::Offset(at) = pending.message().await? else { return Err(AgentError::Malformed("answer to a body")) };
    if let Some(receipt) = at.receipt {
        return accept_known(facility, session, vault, file, &receipt);
    }
    if at.offset.0 > length.0 {
        return Err(AgentError::Malformed("offset behind the end"));
    }
    progress.resumed += at.offset.0;
    let (mut skip, mut done) = (at.offset.0, progress.stored);
    let mut sealing = file::seal(file.new.path.clone(), sealer(&keys, file)?);
    while let Some(piece) = sealing.next().await {
        let skipped = skip.min(piece.len() as u64);
        skip -= skipped;
        done = (done + piece.len() as u64).min(progress.stored + file.facts.len);
        let rest: Bytes = piece.slice(skipped as usize..);
        if !rest.is_empty() {
            session.piece(&pending, rest).await?;
            pending.interrupted()?;
        }
        watch(Step::Bytes { done });
    }
    let sealed = sealing.finish().await?;
    let (header, meta) = head(facility, run, file, &keys, &sealed.facts)?;
    match session.ask(Put { header: header.to_unverified(), meta, body: None }).await? {
        Message::Stored(stored) => accept(facility, session, vault, file, *stored),
        _ => Err(AgentError::Malformed("answer to a put")),
    }
}

fn keys_of(run: &OpenedRun, file: &Examined) -> RecordKeys {
    run.secret.record_keys(&place_of(run, file))
}

fn place_of(run: &OpenedRun, file: &Examined) -> RecordPlace {
    let of = run.run.payload();
    RecordPlace { vault: of.vault, run: of.run, depositor: of.depositor, record: file.record }
}

fn sealer(keys: &RecordKeys, file: &Examined) -> Result<RecordSealer, AgentError> {
    let key = keys.body.as_ref().ok_or(AgentError::Impossible(Obstacle::Value))?;
    RecordSealer::new(key, ByteCount(file.facts.len), file.facts.digest).map_err(|_| too_large())
}

/// The signed header and the sealed meta of a sealed file.
fn head(
    facility: &Facility,
    run: &OpenedRun,
    file: &Examined,
    keys: &RecordKeys,
    body: &BodyFacts,
) -> Result<(Verified<Header>, SealedMeta), AgentError> {
    let refused = |_| AgentError::Impossible(Obstacle::Value);
    let meta = meta_of(file).seal(&keys.meta, Salt(facility.ambient().entropy())).map_err(refused)?;
    let header = Header::new(&place_of(run, file), body, &meta, file.new.supersedes, facility.ambient().now());
    let header = sign(header, &facility.identity).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    Ok((header, meta))
}

/// What a file is, for who can open it.
pub(super) fn meta_of(file: &Examined) -> Meta {
    let new = &file.new;
    Meta {
        title: new.title.clone(),
        category: new.category,
        sensitivity: new.sensitivity,
        media_type: new.media_type.clone(),
        service_date: new.service_date.clone(),
        author: new.author.clone(),
        labels: new.labels.clone(),
        length: ByteCount(file.facts.len),
        digest: file.facts.digest,
        file_name: new.file_name.clone(),
    }
}

/// Believes that a record is stored when the receipt says so of this very record.
fn accept(
    facility: &mut Facility,
    session: &Session,
    vault: VaultId,
    file: &Examined,
    stored: Stored,
) -> Result<DepositLine, AgentError> {
    let mut line = accept_known(facility, session, vault, file, &stored.receipt)?;
    line.existing = stored.existing == Existing::Known;
    line.inbox = stored.collection == Some(karute_consent::id::CollectionId::INBOX);
    line.collection = stored.collection;
    line.generation = stored.generation;
    line.number = stored.number.map(|number| number.0);
    Ok(line)
}

fn accept_known(
    facility: &mut Facility,
    session: &Session,
    vault: VaultId,
    file: &Examined,
    receipt: &Receipt,
) -> Result<DepositLine, AgentError> {
    let head = accept_receipt(facility.known(vault)?.view(), receipt, session.node())?;
    let me: PartyKey = facility.party();
    let event = &receipt.event;
    if event.kind != EventKind::Deposit || event.party != me || event.records != [file.record] {
        return Err(AgentError::unproven(Unproven::Receipt));
    }
    let name = keep_receipt(&mut facility.keep, receipt)?;
    let now = facility.ambient().now();
    facility.keep.heads_mut().hear(session.node(), Shown::new(head, &receipt.checkpoint), now);
    Ok(DepositLine {
        path: file.new.path.clone(),
        record: file.record,
        existing: true,
        collection: None,
        generation: None,
        number: None,
        inbox: false,
        receipt: Digest::from_bytes(name),
    })
}

fn too_large() -> AgentError {
    AgentError::Impossible(Obstacle::File)
}

/// Puts that wait for their answer: below what a session allows, so that other messages find room.
const PUTS_IN_FLIGHT: usize = 48;
