//! Some bytes of one record's file: every byte written was verified against the header's root, and the rest is never sent.
//!
//! Which sealed bytes hold the wanted ones is known only with the record's header and description. So the first request asks
//! for one byte and is given these; the second goes on with it, which costs no further use of a grant. A part has no proof
//! beside it: the digest in the description is that of the whole file.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use karute_consent::id::{RecordId, VaultId};
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_protocol::bao::{BodyHasher, RangeVerifier};
use karute_protocol::message::{ByteRange, Fetch, Message, RecordAnswer};
use karute_protocol::record::keys::RecordKeys;
use karute_protocol::record::{FileOpener, FileRange, Meta};
use karute_protocol::trail::Receipt;
use karute_protocol::wire::ByteCount;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::agent::error::{AgentError, Missing, Obstacle, Unproven};
use crate::agent::facility::Facility;
use crate::agent::keyring::Keyring;
use crate::agent::patient::Patient;
use crate::failure::Failure;
use crate::flow::agent::download::PARTIAL_ENDING;
use crate::flow::agent::fetch::{Query, choose, wanted};
use crate::flow::agent::holding::holder_keyring;
use crate::flow::agent::lines::{Destination, Step, Watch, text};
use crate::flow::agent::reach::{Reach, Wanted};
use crate::flow::agent::reading::{Reader, ShownRecord, explained, permitted};
use crate::flow::agent::receipt::keep_receipt;
use crate::flow::agent::roots::device_keyring;
use crate::flow::agent::session::{Incoming, Pending, Session};
use crate::flow::agent::source::{Copies, Source};
use crate::flow::agent::sync::{refresh_facility, refresh_patient};

/// Bytes of a file, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub from: u64,
    /// The byte after the last; the file's end if absent.
    pub to: Option<u64>,
}

/// A part of a record that was fetched.
#[derive(Clone, Debug, Serialize)]
pub struct FetchedPart {
    /// The record.
    #[serde(serialize_with = "text")]
    pub record: RecordId,
    /// Its title.
    pub title: String,
    /// The file that was written.
    pub path: PathBuf,
    /// The first byte of the record's file that stands in it.
    pub from: u64,
    /// The byte after the last.
    pub to: u64,
    /// Bytes of the whole file.
    pub length: u64,
}

/// A facility fetches a part of one record; the query must name just this record.
pub async fn fetch_range(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    query: Query,
    part: Part,
    to: Destination,
    watch: Watch<'_>,
) -> Result<FetchedPart, AgentError> {
    refresh_facility(facility, reach, vault).await?;
    let grant = choose(facility, vault, &query, Action::Read)?;
    let keyring = holder_keyring(facility, vault, None)?;
    let known = facility.known(vault)?;
    let source = Source {
        link: known.link(),
        view: known.view(),
        ambient: facility.ambient(),
        signer: &facility.identity,
        acting: query.acting.as_ref(),
        copies: Copies::Repeatable,
    };
    let mut parting = Parting::new(source, keyring, wanted(&grant, &query, Action::Read)?)?;
    let fetched = parting.run(reach, part, &to, watch).await;
    for receipt in std::mem::take(&mut parting.receipts) {
        keep_receipt(&mut facility.keep, &receipt)?;
    }
    fetched
}

/// The patient fetches a part of a record of the own vault.
pub async fn show_range(
    patient: &mut Patient,
    reach: &mut Reach,
    record: RecordId,
    part: Part,
    to: Destination,
    watch: Watch<'_>,
) -> Result<FetchedPart, AgentError> {
    refresh_patient(patient, reach).await?;
    let keyring = device_keyring(patient)?;
    let source = Source {
        link: patient.link().ok_or(AgentError::Unknown(Missing::Vault))?,
        view: patient.view()?,
        ambient: patient.ambient(),
        signer: &patient.device,
        acting: None,
        copies: Copies::Repeatable,
    };
    let selector = Selector { records: Some([record].into()), ..Selector::default() };
    let mut parting = Parting::new(source, keyring, Wanted { selector, ..Wanted::own(Action::Read) })?;
    let fetched = parting.run(reach, part, &to, watch).await;
    for receipt in std::mem::take(&mut parting.receipts) {
        keep_receipt(&mut patient.keep, &receipt)?;
    }
    fetched
}

/// A part on its way.
struct Parting<'a> {
    source: Source<'a>,
    keyring: Keyring,
    /// Names one record; resumes the first request once that was permitted.
    wanted: Wanted,
    receipts: Vec<Receipt>,
}

/// A record that was judged and whose keys are at hand.
struct Opened {
    shown: ShownRecord,
    meta: Meta,
    keys: RecordKeys,
}

impl<'a> Parting<'a> {
    fn new(source: Source<'a>, keyring: Keyring, wanted: Wanted) -> Result<Self, AgentError> {
        let one = wanted.selector.records.as_ref().is_some_and(|named| named.len() == 1);
        if !one {
            return Err(AgentError::Impossible(Obstacle::Range));
        }
        Ok(Self { source, keyring, wanted, receipts: Vec::new() })
    }

    async fn run(
        &mut self,
        reach: &mut Reach,
        part: Part,
        to: &Destination,
        watch: Watch<'_>,
    ) -> Result<FetchedPart, AgentError> {
        let session = reach.host(self.source.link, self.source.view).await?;
        let (pending, answer) = self.request(session, 0..1).await?;
        drop(pending); // the one byte's proof is not needed
        let opened = self.open(&answer)?;
        let length = opened.meta.length.0;
        let bytes = part.from..part.to.unwrap_or(length);
        if bytes.is_empty() || bytes.end > length {
            return Err(AgentError::Impossible(Obstacle::Range));
        }
        watch(Step::Total { bytes: bytes.end - bytes.start });
        let mut file = PartFile::begin(target(to, &opened, &bytes), bytes.clone())?;
        match answer.body {
            Some(body) => file.write(&opened.cut_inline(&body, &bytes)?)?,
            None => self.receive(reach, &opened, &mut file, watch).await?,
        }
        let path = file.finish()?;
        watch(Step::Record { path: path.clone() });
        let record = opened.shown.header.payload().record;
        Ok(FetchedPart { record, title: opened.meta.title, path, from: bytes.start, to: bytes.end, length })
    }

    /// One request for a range of the sealed body, up to its record answer.
    async fn request(
        &mut self,
        session: &mut Session,
        range: Range<u64>,
    ) -> Result<(Pending, RecordAnswer), AgentError> {
        let signed = self.source.request(session, &self.wanted)?;
        let range = Some(ByteRange { from: ByteCount(range.start), to: ByteCount(range.end) });
        let fetch = Fetch { request: signed.request.to_unverified(), acting: signed.acting.clone(), range };
        let node = session.node();
        let mut pending = session.start(fetch).await?;
        let permitted = permitted(pending.message().await?, self.source.view, signed.request.payload(), node)?;
        self.wanted.resumes.get_or_insert(signed.request.payload().id);
        self.receipts.push(permitted.receipt);
        match pending.message().await? {
            Message::RecordAnswer(answer) => Ok((pending, *answer)),
            Message::Tombstone(gone) => {
                explained(self.source.view, &gone)?;
                Err(AgentError::Unknown(Missing::Record))
            }
            Message::End(_) => Err(AgentError::Unknown(Missing::Record)),
            _ => Err(AgentError::Malformed("answer to a fetch")),
        }
    }

    fn open(&mut self, answer: &RecordAnswer) -> Result<Opened, AgentError> {
        let shown = Reader::default().judge(self.source.view, answer)?;
        let asked = self.wanted.selector.records.as_ref();
        if !asked.is_some_and(|named| named.contains(&shown.header.payload().record)) {
            return Err(AgentError::unproven(Unproven::Record));
        }
        let opened = shown.open(&mut self.keyring);
        let Some((meta, keys @ RecordKeys { body: Some(_), .. })) = opened else {
            return Err(AgentError::Unknown(Missing::Key));
        };
        let fits = keys.body.as_ref().is_some_and(|key| key.opens_body_of(shown.header.payload()));
        if fits { Ok(Opened { shown, meta, keys }) } else { Err(AgentError::unproven(Unproven::Package)) } // P-09
    }

    /// Receives what is missing of the part, and goes on after a cut.
    async fn receive(
        &mut self,
        reach: &mut Reach,
        opened: &Opened,
        file: &mut PartFile,
        watch: Watch<'_>,
    ) -> Result<(), AgentError> {
        let mut tries_in_vain = 0;
        while !file.left.is_empty() {
            let before = file.left.start;
            match self.go_on(reach, opened, file, watch).await {
                Err(error @ AgentError::Unreachable(_)) => {
                    tries_in_vain = if file.left.start == before { tries_in_vain + 1 } else { 0 };
                    if tries_in_vain >= TRIES_IN_VAIN_MAX {
                        return Err(error);
                    }
                    reach.hang_up();
                    tokio::time::sleep(PAUSE * (tries_in_vain + 1)).await;
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn go_on(
        &mut self,
        reach: &mut Reach,
        opened: &Opened,
        file: &mut PartFile,
        watch: Watch<'_>,
    ) -> Result<(), AgentError> {
        let unproven = || AgentError::unproven(Unproven::Body);
        let header = opened.shown.header.payload();
        let range = opened.range(file.left.clone())?.sealed();
        let mut verifier = RangeVerifier::new(&header.body(), range.clone()).map_err(|_| unproven())?;
        let session = reach.host(self.source.link, self.source.view).await?;
        let (mut pending, answer) = self.request(session, range).await?;
        let again = Reader::default().judge(self.source.view, &answer)?;
        if again.header.id() != opened.shown.header.id() || answer.body.is_some() {
            return Err(AgentError::unproven(Unproven::Record));
        }
        let whole = file.whole;
        let (mut to_come, mut sealed) = (answer.encoded_len.0, Vec::new());
        while to_come > 0 {
            let Incoming::Piece(piece) = pending.next().await? else {
                return Err(AgentError::Malformed("pieces of a body"));
            };
            to_come = to_come.checked_sub(piece.len() as u64).ok_or(AgentError::Malformed("pieces of a body"))?;
            let mut encoded = &piece[..];
            while let Some(verified) = verifier.next_piece(&mut encoded).map_err(|_| unproven())? {
                sealed.extend_from_slice(verified.bytes);
            }
            opened.open_windows(&mut sealed, file)?;
            watch(Step::Bytes { done: whole - (file.left.end - file.left.start) });
        }
        verifier.finish().map_err(|_| unproven())?;
        if file.left.is_empty() { Ok(()) } else { Err(unproven()) }
    }
}

impl Opened {
    fn range(&self, bytes: Range<u64>) -> Result<FileRange, AgentError> {
        FileRange::new(self.shown.header.payload(), &self.meta, bytes).map_err(|_| AgentError::unproven(Unproven::Meta))
    }

    /// Opens and writes as many windows as are whole in the verified bytes, and leaves the rest.
    fn open_windows(&self, sealed: &mut Vec<u8>, file: &mut PartFile) -> Result<(), AgentError> {
        let unproven = || AgentError::unproven(Unproven::Body);
        let key = self.keys.body.as_ref().ok_or_else(unproven)?;
        let mut used = 0;
        while !file.left.is_empty() {
            let window_end = (file.left.start / WINDOW_BYTES + 1) * WINDOW_BYTES;
            let range = self.range(file.left.start..window_end.min(file.left.end))?;
            let needed = (range.sealed().end - range.sealed().start) as usize;
            let Some(window) = sealed.get(used..used + needed) else { break };
            let plain = range.open(self.shown.header.payload(), key, window).map_err(|_| unproven())?;
            file.write(&Zeroizing::new(plain))?;
            used += needed;
        }
        sealed.drain(..used);
        Ok(())
    }

    /// The part of a body that came whole, because it is small.
    fn cut_inline(&self, sealed: &[u8], bytes: &Range<u64>) -> Result<Zeroizing<Vec<u8>>, AgentError> {
        let unproven = || AgentError::unproven(Unproven::Body);
        let header = self.shown.header.payload();
        let mut hasher = BodyHasher::new();
        hasher.update(sealed);
        if hasher.finish() != header.body() {
            return Err(unproven());
        }
        let key = self.keys.body.as_ref().ok_or_else(unproven)?;
        let mut opener = FileOpener::new(header, &self.meta, key).map_err(|_| AgentError::unproven(Unproven::Meta))?;
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
        opener.push(sealed, &mut plain).map_err(|_| unproven())?;
        opener.finish().map_err(|_| unproven())?;
        let part = plain.get(bytes.start as usize..bytes.end as usize).ok_or_else(unproven)?;
        Ok(Zeroizing::new(part.to_vec()))
    }
}

/// Where a part goes: the record, its own name and the bytes are in its name, so that nobody takes it for the whole.
fn target(to: &Destination, opened: &Opened, bytes: &Range<u64>) -> PathBuf {
    let folder = match to {
        Destination::File(path) => return path.clone(),
        Destination::Folder(folder) => folder,
    };
    let id = opened.shown.header.payload().record.to_hex();
    let named = opened.meta.file_name.as_deref().filter(|name| !name.starts_with('.'));
    let name = named.map_or(String::new(), |name| format!("-{name}"));
    folder.join(format!("{}{name}.bytes-{}-{}", &id[..8], bytes.start, bytes.end))
}

/// The file of a part while it is being written.
struct PartFile {
    target: PathBuf,
    partial: PathBuf,
    file: File,
    /// What is still to come, in bytes of the record's file.
    left: Range<u64>,
    /// Bytes of the part.
    whole: u64,
}

impl PartFile {
    fn begin(target: PathBuf, bytes: Range<u64>) -> Result<Self, AgentError> {
        let mut partial = target.as_os_str().to_owned();
        partial.push(PARTIAL_ENDING);
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600); // a health record is its reader's alone
        let file = options.open(&partial).map_err(|e| Failure::io("making", &partial, e))?;
        Ok(Self { target, partial, file, whole: bytes.end - bytes.start, left: bytes })
    }

    fn write(&mut self, plain: &[u8]) -> Result<(), AgentError> {
        self.file.write_all(plain).map_err(|e| Failure::io("writing", &self.partial, e))?;
        self.left.start += plain.len() as u64;
        Ok(())
    }

    fn finish(self) -> Result<PathBuf, AgentError> {
        let failed = |at: &Path, e| Failure::io("writing", at, e);
        self.file.sync_all().map_err(|e| failed(&self.partial, e))?;
        fs::rename(&self.partial, &self.target).map_err(|e| failed(&self.target, e))?;
        Ok(self.target.clone())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // After a finished file there is nothing of this name; an unfinished one must not stay in the clear.
        let _ = fs::remove_file(&self.partial);
    }
}

/// Bytes of a file that are opened at a time: a multiple of the chunk, so that windows meet where chunks do.
const WINDOW_BYTES: u64 = 1024 * 1024;
/// Tries in a row without any progress before a part is given up.
const TRIES_IN_VAIN_MAX: u32 = 5;
/// Pause before the next try; after tries in vain it is longer.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
