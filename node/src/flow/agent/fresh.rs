//! Freshness before anything is sealed: the ledger that names the key is the newest there is, and whoever has to vouches
//! for it (P-47). Nothing switches this off.
//!
//! A host that hides a revocation could otherwise have new records sealed to keys that the revoked holder has. Where the
//! quorum saw the head too long ago, the host is asked again for a while: it asks the witnesses.

use std::time::Duration;

use karute_consent::category::Sensitivity;
use karute_consent::id::VaultId;
use karute_consent::time::Timestamp;
use karute_protocol::freshness::{HostWord, Question, Stale, judge, secs_max};
use karute_protocol::limits::HOST_WORD_SECS_MAX;
use karute_protocol::trail::Log;
use tokio::time::sleep;

use crate::agent::error::{AgentError, HostFault, Unproven};
use crate::agent::facility::Facility;
use crate::agent::freshness::{Freshness, NotFresh, VouchedBy};
use crate::agent::heads::{Shown, Word};
use crate::agent::keep::Keep;
use crate::agent::link::VaultLink;
use crate::agent::view::VaultView;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::settle::{Accepted, settle, tree_head};
use crate::flow::agent::sync::{refresh_facility, settle_facility};

/// Brings the ledger up to date and makes sure that its head is fresh for this sensitivity.
pub(super) async fn vouched(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    sensitivity: Sensitivity,
) -> Result<Freshness, AgentError> {
    refresh_facility(facility, reach, vault).await?;
    match judged(facility, vault, sensitivity)? {
        Ok(fresh) if fresh.by == VouchedBy::Witnesses => return Ok(fresh),
        _ => {} // without witnesses the host is always asked: its word of just now is all there is
    }
    let patience = sleep(reach.patience());
    tokio::pin!(patience);
    let mut grew = 0;
    loop {
        if settle_facility(facility, reach, vault).await?.grown {
            grew += 1;
            if grew > GROWTHS_MAX {
                return Err(AgentError::Fault(HostFault::Busy));
            }
            refresh_facility(facility, reach, vault).await?;
            continue;
        }
        let stale = match judged(facility, vault, sensitivity)? {
            Ok(fresh) => return Ok(fresh),
            Err(stale) => stale,
        };
        let patient = may_change(&stale)
            && tokio::select! {
                biased;
                () = &mut patience => false,
                () = sleep(PAUSE) => true,
            };
        if !patient {
            let now = facility.ambient().now();
            return Err(AgentError::NotFresh(Box::new(NotFresh::new(stale, now))));
        }
    }
}

/// Whether a head that was vouched for before still is.
pub(super) fn still_fresh(fresh: &Freshness, sensitivity: Sensitivity, now: Timestamp) -> bool {
    let secs = match fresh.by {
        VouchedBy::Witnesses => secs_max(sensitivity),
        VouchedBy::Host => HOST_WORD_SECS_MAX,
    };
    fresh.witnessed_at.plus_secs(secs) >= now
}

/// Judges the ledger's head by what host and witnesses said last.
fn judged(
    facility: &Facility,
    vault: VaultId,
    sensitivity: Sensitivity,
) -> Result<Result<Freshness, Stale>, AgentError> {
    judged_view(&facility.keep, facility.known(vault)?.view(), sensitivity, facility.ambient().now())
}

fn judged_view(
    keep: &Keep,
    view: &VaultView,
    sensitivity: Sensitivity,
    now: Timestamp,
) -> Result<Result<Freshness, Stale>, AgentError> {
    let node = view.home().ok_or(Unproven::Ledger)?;
    let accepted = tree_head(view.head().ok_or(Unproven::Ledger)?);
    let seen = keep.ledger_seen(view.vault())?;
    let cosigned = seen.checkpoint.as_ref().filter(|shown| shown.head() == accepted).map(Shown::text);
    let checkpoint = cosigned.or(view.checkpoint()).ok_or(Unproven::Ledger)?;
    let set = view.state()?.witness_set();
    let log = Log::Ledger(view.vault());
    let question = Question { accepted, checkpoint, log, node, set: &set, sensitivity, now };
    let word = seen.word.as_ref().map(|word: &Word| HostWord { head: word.head(), time: word.time() });
    Ok(judge(&question, word).map(|fresh| Freshness::new(&fresh, set.quorum)))
}

/// Makes sure that a ledger which was just read, in the session that is open, is the newest there is: for who has no
/// memory of it, and would undo what an old one does not hold.
pub(super) async fn vouched_view(
    keep: &mut Keep,
    reach: &mut Reach,
    link: &VaultLink,
    view: &VaultView,
) -> Result<Freshness, AgentError> {
    let patience = sleep(reach.patience());
    tokio::pin!(patience);
    loop {
        let accepted = Accepted::of(view)?;
        if settle(reach.host(link, view).await?, keep, accepted.as_ref()).await?.grown {
            return Err(AgentError::Fault(HostFault::Conflict));
        }
        let now = keep.ambient().now();
        let stale = match judged_view(keep, view, Sensitivity::Normal, now)? {
            Ok(fresh) => return Ok(fresh),
            Err(stale) => stale,
        };
        let patient = may_change(&stale)
            && tokio::select! {
                biased;
                () = &mut patience => false,
                () = sleep(PAUSE) => true,
            };
        if !patient {
            return Err(AgentError::NotFresh(Box::new(NotFresh::new(stale, now))));
        }
    }
}

/// Whether asking again may bring what is missing.
fn may_change(stale: &Stale) -> bool {
    match stale {
        Stale::NotWitnessed { .. } | Stale::OtherHead { .. } | Stale::OtherHostWord { .. } | Stale::NoHostWord => true,
        Stale::Checkpoint(_) | Stale::Cosignature(_) | Stale::HostClock { .. } => false,
    }
}

/// Between two questions while witnesses are waited for.
pub(super) const PAUSE: Duration = Duration::from_millis(300);
/// Times that the ledger may grow meanwhile before a deed is given up.
pub(super) const GROWTHS_MAX: u32 = 3;
