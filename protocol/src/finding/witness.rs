//! Kind 10: a witness that cosigned two roots of one size.

use karute_consent::vault::Witness;

use super::heads::two_roots;
use super::{Evidence, Facts, Finding, FindingKind, NotAFinding};
use crate::checkpoint::Checkpoint;
use crate::cosignature::WitnessKey;
use crate::merkle::TreeHead;
use crate::note::KeyName;
use crate::trail::CheckpointText;

impl Finding {
    /// Kind 10: two checkpoints of one log and size with two roots, both cosigned by this witness.
    pub fn witness_equivocation(
        witness: &WitnessKey,
        a: CheckpointText,
        b: CheckpointText,
    ) -> Result<Self, NotAFinding> {
        let witness = Witness::from(witness);
        let evidence = Evidence::new(FindingKind::WitnessEquivocation, witness.key);
        Self::proven(Evidence { checkpoint_a: Some(a), checkpoint_b: Some(b), witness: Some(witness), ..evidence })
    }
}

pub(super) fn witness_equivocation(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let witness = evidence.witness.as_ref().ok_or(NotAFinding::Fields)?;
    if witness.key != evidence.accused {
        return Err(NotAFinding::Cosignature);
    }
    let key = WitnessKey::try_from(witness).map_err(NotAFinding::WitnessKey)?;
    let a = cosigned(&key, evidence.checkpoint_a.as_ref())?;
    let b = cosigned(&key, evidence.checkpoint_b.as_ref())?;
    two_roots(a, b)
}

/// What a witness put its name to. Whose log it is does not matter: the witness may not cosign both, whoever wrote them.
fn cosigned(key: &WitnessKey, checkpoint: Option<&CheckpointText>) -> Result<(KeyName, TreeHead), NotAFinding> {
    let checkpoint = checkpoint.ok_or(NotAFinding::Fields)?;
    let signed = checkpoint.cosignature_of(key).map_err(NotAFinding::Cosignatures)?;
    signed.ok_or(NotAFinding::Cosignature)?; // P-44
    let text = checkpoint.body().map_err(NotAFinding::Cosignatures)?;
    let (read, _) = Checkpoint::from_extended_text(&text).map_err(NotAFinding::CosignedText)?;
    Ok((read.origin, read.head))
}
