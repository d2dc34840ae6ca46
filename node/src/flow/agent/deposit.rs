//! Depositing files: read twice, sealed to the month's key, sent small ones many at a time and large ones in pieces.
//!
//! The same file twice is one record. After a cut the deed connects again and goes on where the host stands; after the end of
//! the process the kept run lets the next deposit of the same files go on likewise.

use std::collections::BTreeMap;
use std::path::PathBuf;

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::{CollectionId, Digest, Generation, RecordId, VaultId};
use karute_protocol::run::RecordSecret;
use serde::Serialize;

use crate::agent::error::{AgentError, HostFault, Obstacle};
use crate::agent::facility::Facility;
use crate::agent::freshness::Freshness;
use crate::flow::agent::file::{FileFacts, examine};
use crate::flow::agent::fresh::{still_fresh, vouched};
use crate::flow::agent::lines::{Step, Watch, text, text_if};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::run::{OpenedRun, open_run};
use crate::flow::agent::upload::{Progress, meta_of, upload};

/// A file that is to become a record.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// The file.
    pub path: PathBuf,
    /// Its title, 1 to 256 bytes.
    pub title: String,
    /// What it holds.
    pub category: Category,
    /// How careful to be with it.
    pub sensitivity: Sensitivity,
    /// Media type.
    pub media_type: String,
    /// `YYYY-MM-DD`.
    pub service_date: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Labels, in any order.
    pub labels: Vec<String>,
    /// The name it is to have at the reader's.
    pub file_name: Option<String>,
    /// The record of this facility whose place it takes.
    pub supersedes: Option<RecordId>,
}

/// One record of a deposit.
#[derive(Clone, Debug, Serialize)]
pub struct DepositLine {
    /// The file.
    pub path: PathBuf,
    /// The record.
    #[serde(serialize_with = "text")]
    pub record: RecordId,
    /// Whether the host had it before.
    pub existing: bool,
    /// Where it was filed; 16 zero bytes for the inbox, absent when the host only said that it has it.
    #[serde(serialize_with = "text_if")]
    pub collection: Option<CollectionId>,
    /// Of that collection.
    #[serde(serialize_with = "text_if")]
    pub generation: Option<Generation>,
    /// Running number there.
    pub number: Option<u64>,
    /// Whether it waits in the patient's inbox.
    pub inbox: bool,
    /// Under which name its receipt is kept.
    #[serde(serialize_with = "text")]
    pub receipt: Digest,
}

/// What a deposit did.
#[derive(Clone, Debug, Serialize)]
pub struct Deposited {
    /// In the order of the files; two files with the same bytes are one record twice.
    pub records: Vec<DepositLine>,
    /// Bytes of the files.
    pub bytes: u64,
    /// Who vouched that the keys they were sealed to are the newest; absent if nothing had to be sealed.
    pub freshness: Option<Freshness>,
}

/// A file after the first pass.
pub(super) struct Examined {
    pub(super) new: NewRecord,
    pub(super) facts: FileFacts,
    pub(super) record: RecordId,
}

/// Deposits files into a vault.
pub async fn deposit(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    files: Vec<NewRecord>,
    watch: Watch<'_>,
) -> Result<Deposited, AgentError> {
    let files = examine_all(facility, vault, files, watch).await?;
    let bytes = files.iter().map(|file| file.facts.len).sum();
    watch(Step::Total { bytes });
    let mut progress = Progress::new(files.len());
    let mut tries_in_vain = 0;
    let freshness = loop {
        let before = progress.mark();
        let error = match deposit_rest(facility, reach, vault, &files, &mut progress, watch).await {
            Ok(freshness) => break freshness,
            Err(error) => error,
        };
        tries_in_vain = if progress.mark() == before { tries_in_vain + 1 } else { 0 };
        if !worth_another_try(&error) || tries_in_vain >= TRIES_IN_VAIN_MAX {
            return Err(error);
        }
        reach.hang_up();
        tokio::time::sleep(PAUSE * (tries_in_vain + 1)).await;
    };
    facility.forget_runs(vault)?;
    facility.keep.save_heads()?;
    Ok(Deposited { records: progress.into_lines(&files)?, bytes, freshness })
}

/// Everything that is not stored yet, over one session. Before a run is opened the ledger is fresh: judged for the most
/// careful kind first, and again when that was too long ago (P-47).
async fn deposit_rest(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    files: &[Examined],
    progress: &mut Progress,
    watch: Watch<'_>,
) -> Result<Option<Freshness>, AgentError> {
    let mut by_kind: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    for (place, file) in files.iter().enumerate().filter(|(place, _)| !progress.is_done(*place)) {
        let kind = Kind { category: file.new.category, sensitivity: file.new.sensitivity };
        by_kind.entry(kind).or_default().push(place);
    }
    let strictest = by_kind.keys().map(|kind| kind.sensitivity).max();
    let mut fresh: Option<Freshness> = None;
    for (kind, places) in &by_kind {
        let now = facility.ambient().now();
        if !fresh.is_some_and(|fresh| still_fresh(&fresh, kind.sensitivity, now)) {
            fresh = Some(vouched(facility, reach, vault, strictest.unwrap_or(kind.sensitivity)).await?);
        }
        let known = facility.known(vault)?;
        let session = reach.host(known.link(), known.view()).await?;
        let run: OpenedRun = open_run(facility, session, vault, *kind).await?;
        let sent = upload(facility, session, vault, &run, files, places, progress, watch).await;
        if matches!(sent, Err(AgentError::Impossible(Obstacle::File))) {
            facility.forget_runs(vault)?; // P-36: a file changed while it was sealed
        }
        sent?;
    }
    Ok(fresh)
}

/// The first pass over all files.
async fn examine_all(
    facility: &Facility,
    vault: VaultId,
    files: Vec<NewRecord>,
    watch: Watch<'_>,
) -> Result<Vec<Examined>, AgentError> {
    facility.known(vault)?;
    watch(Step::Files { count: files.len() as u64 });
    let secret = RecordSecret::new(facility.record_secret.copy());
    let mut examined = Vec::with_capacity(files.len());
    for mut new in files {
        let facts = examine(&new.path).await?;
        if facts.len > karute_protocol::limits::BODY_LEN_MAX {
            return Err(AgentError::Impossible(Obstacle::File));
        }
        new.labels.sort();
        new.labels.dedup();
        let record = secret.record_id(vault, &facts.digest);
        let file = Examined { new, facts, record };
        meta_of(&file).check().map_err(|_| AgentError::Impossible(Obstacle::Value))?;
        examined.push(file);
    }
    Ok(examined)
}

/// Cuts, and keys or bodies that changed meanwhile: a new session starts from where the host stands.
fn worth_another_try(error: &AgentError) -> bool {
    match error {
        AgentError::Unreachable(_) => true,
        AgentError::Fault(fault) => matches!(fault, HostFault::NotInForce | HostFault::Busy | HostFault::Changed),
        _ => false,
    }
}

/// Tries in a row without any progress before a deposit is given up.
const TRIES_IN_VAIN_MAX: u32 = 5;
/// Pause before the next try; after tries in vain it is longer.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
