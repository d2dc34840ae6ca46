//! A vault's witnesses: who they are, what they saw last, and how the patient replaces them.
//!
//! A set is only taken whose quorum is more than half of it: with fewer, one half of the witnesses could be shown one
//! ledger and the other half another, each with its quorum.

use karute_consent::limits::WITNESSES_MAX;
use karute_consent::time::Timestamp;
use karute_consent::vault::{Witness, WitnessSet};
use karute_protocol::cosignature::{WitnessKey, witnessed};
use serde::Serialize;
use thiserror::Error;
use tokio::time::sleep;

use crate::agent::error::{AgentError, Missing, Unproven};
use crate::agent::heads::Shown;
use crate::agent::keep::Keep;
use crate::agent::patient::Patient;
use crate::agent::view::VaultView;
use crate::flow::agent::device::change;
use crate::flow::agent::fresh::{GROWTHS_MAX, PAUSE};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::settle::tree_head;
use crate::flow::agent::sync::{refresh_patient, settle_patient};

/// What the witnesses of a vault said of its newest known head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Witnessing {
    /// How many have to sign; 0: there are no witnesses.
    pub quorum: u8,
    /// Since when the quorum stands, if it does.
    pub witnessed_at: Option<Timestamp>,
    /// Every witness in force.
    pub witnesses: Vec<WitnessLine>,
}

/// One witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WitnessLine {
    /// Its name.
    pub name: String,
    /// Its verifier key, as it was given.
    pub vkey: String,
    /// When it last signed the newest known head.
    pub seen: Option<Timestamp>,
}

/// A witness set that was replaced.
#[derive(Clone, Debug, Serialize)]
pub struct WitnessesChanged {
    /// Entries of the ledger.
    pub size: u64,
    /// The new set, and what it said already.
    pub now: Witnessing,
}

/// Why some witnesses make no set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetRefused {
    /// There are too many.
    #[error("a vault has at most {WITNESSES_MAX} witnesses")]
    TooMany,
    /// Two of them have one key.
    #[error("two of the witnesses have the same key: that is one witness")]
    Twice,
    /// Half of them, or fewer, would do.
    #[error("a quorum of {quorum} of {of} is no majority: each half of the witnesses could be shown another ledger")]
    NoMajority {
        /// How many should have to sign.
        quorum: u8,
        /// How many there are.
        of: usize,
    },
    /// More would have to sign than there are.
    #[error("a quorum of {quorum} is more than the {of} witnesses that there are")]
    TooFew {
        /// How many should have to sign.
        quorum: u8,
        /// How many there are.
        of: usize,
    },
}

impl Witnessing {
    /// Witnesses that signed the newest known head.
    pub fn count(&self) -> usize {
        self.witnesses.iter().filter(|line| line.seen.is_some()).count()
    }

    /// The newest of their times.
    pub fn newest(&self) -> Option<Timestamp> {
        self.witnesses.iter().filter_map(|line| line.seen).max()
    }
}

/// The set of these witnesses; without a quorum, the smallest majority has to sign.
pub fn witness_set(keys: &[WitnessKey], quorum: Option<u8>) -> Result<WitnessSet, SetRefused> {
    let of = keys.len();
    if of > WITNESSES_MAX {
        return Err(SetRefused::TooMany);
    }
    let majority = if of == 0 { 0 } else { of as u8 / 2 + 1 };
    let quorum = quorum.unwrap_or(majority);
    if usize::from(quorum) > of {
        return Err(SetRefused::TooFew { quorum, of });
    }
    if quorum < majority {
        return Err(SetRefused::NoMajority { quorum, of });
    }
    let mut witnesses: Vec<Witness> = keys.iter().map(Witness::from).collect();
    witnesses.sort_by_key(|witness| witness.key);
    if witnesses.windows(2).any(|pair| pair[0].key == pair[1].key) {
        return Err(SetRefused::Twice);
    }
    Ok(WitnessSet { witnesses, quorum })
}

/// What the witnesses in force said of the newest known head of a ledger, as far as it came here.
pub fn witnessing(keep: &Keep, view: &VaultView) -> Result<Witnessing, AgentError> {
    let set = view.state()?.witness_set();
    let head = tree_head(view.head().ok_or(AgentError::Unknown(Missing::Vault))?);
    let seen = keep.ledger_seen(view.vault())?;
    let cosigned = seen.checkpoint.as_ref().filter(|shown| shown.head() == head).map(Shown::text);
    let checkpoint = cosigned.or(view.checkpoint()).ok_or(Unproven::Checkpoint)?;
    let found = witnessed(checkpoint, &set).map_err(|_| AgentError::unproven(Unproven::Cosignature))?;
    let lines = set.witnesses.iter().zip(&found.each).map(|(witness, (name, seen))| WitnessLine {
        name: name.clone(),
        vkey: WitnessKey::try_from(witness).map_or_else(|_| witness.key.to_string(), |key| key.to_string()),
        seen: *seen,
    });
    Ok(Witnessing { quorum: set.quorum, witnessed_at: found.at, witnesses: lines.collect() })
}

/// Replaces the witnesses of the vault; needs the identity key (C-58).
pub async fn set_witnesses(
    patient: &mut Patient,
    reach: &mut Reach,
    set: WitnessSet,
) -> Result<WitnessesChanged, AgentError> {
    let changed = change(patient, reach, move |edited| {
        edited.witness_set = Some(set.clone());
        Ok(())
    })
    .await?;
    let now = until_witnessed(patient, reach).await?;
    Ok(WitnessesChanged { size: changed.size, now })
}

/// Asks the host until the quorum signed the newest head of the ledger, for as long as patience lasts. Without witnesses
/// there is nothing to wait for.
pub(super) async fn until_witnessed(patient: &mut Patient, reach: &mut Reach) -> Result<Witnessing, AgentError> {
    let patience = sleep(reach.patience());
    tokio::pin!(patience);
    let mut grew = 0;
    loop {
        if settle_patient(patient, reach).await?.grown && grew < GROWTHS_MAX {
            grew += 1;
            refresh_patient(patient, reach).await?;
            continue;
        }
        let found = witnessing(&patient.keep, patient.view()?)?;
        if found.quorum == 0 || found.witnessed_at.is_some() {
            return Ok(found);
        }
        tokio::select! {
            biased;
            () = &mut patience => return Ok(found),
            () = sleep(PAUSE) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use karute_consent::party::Identity;

    fn keys(n: u8) -> Vec<WitnessKey> {
        let key = |n: u8| WitnessKey {
            name: format!("w{n}").parse().unwrap(),
            party: Identity::from_seed(&[n + 1; 32]).party(),
        };
        (0..n).map(key).collect()
    }

    #[test]
    fn the_quorum_is_the_smallest_majority_unless_it_is_given() {
        for (of, quorum) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (8, 5)] {
            assert_eq!(witness_set(&keys(of), None).unwrap().quorum, quorum, "{of} witnesses");
        }
        assert_eq!(witness_set(&keys(3), Some(3)).unwrap().quorum, 3);
    }

    #[test]
    fn a_quorum_that_two_ledgers_could_have_is_refused() {
        assert_eq!(witness_set(&keys(4), Some(2)), Err(SetRefused::NoMajority { quorum: 2, of: 4 }));
        assert_eq!(witness_set(&keys(3), Some(0)), Err(SetRefused::NoMajority { quorum: 0, of: 3 }));
        assert_eq!(witness_set(&keys(3), Some(4)), Err(SetRefused::TooFew { quorum: 4, of: 3 }));
        assert_eq!(witness_set(&[], Some(1)), Err(SetRefused::TooFew { quorum: 1, of: 0 }));
        assert_eq!(witness_set(&keys(9), None), Err(SetRefused::TooMany));
        let twice = [keys(2), keys(1)].concat();
        assert_eq!(witness_set(&twice, None), Err(SetRefused::Twice));
    }

    #[test]
    fn a_set_is_ascending_by_key_whatever_the_order_given() {
        let mut given = keys(5);
        given.reverse();
        let set = witness_set(&given, None).unwrap();
        assert!(set.witnesses.windows(2).all(|pair| pair[0].key < pair[1].key));
    }
}
