//! Kinds 4, 5, 9 and 11: what receipts of one host say against it.

use karute_consent::id::NodeId;
use karute_consent::statement::Verified;

use super::verdict::LeafPlace;
use super::{Evidence, Facts, Finding, FindingKind, NotAFinding, must_cover};
use crate::trail::{AuditAnswer, Receipt};
use crate::wire::Octets;

impl Finding {
    /// Kind 4: two different leaves with one index, or with one number of one vault.
    pub fn rewritten_entry(node: NodeId, a: Receipt, b: Receipt) -> Result<Self, NotAFinding> {
        Self::proven(Evidence::of_receipts(FindingKind::RewrittenEntry, node, a, b))
    }

    /// Kind 5: the host said later that there are fewer events than it gave a receipt for.
    pub fn missing_entry(node: NodeId, a: Receipt, said: &Verified<AuditAnswer>) -> Result<Self, NotAFinding> {
        let evidence = Evidence::new(FindingKind::MissingEntry, node.key());
        let answer = Some(Octets(said.bytes().to_vec()));
        Self::proven(Evidence { receipt_a: Some(a), answer, ..evidence })
    }

    /// Kind 9: b stands after a in the trail and is older.
    pub fn time_runs_back(node: NodeId, a: Receipt, b: Receipt) -> Result<Self, NotAFinding> {
        Self::proven(Evidence::of_receipts(FindingKind::TimeRunsBack, node, a, b))
    }

    /// Kind 11: an event that does not carry the signed request that it must come from.
    pub fn forged_entry(node: NodeId, a: Receipt) -> Result<Self, NotAFinding> {
        let evidence = Evidence::new(FindingKind::ForgedEntry, node.key());
        Self::proven(Evidence { receipt_a: Some(a), ..evidence })
    }
}

pub(super) fn rewritten_entry(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let (a, b) = (evidence.receipt_a()?, evidence.receipt_b()?);
    if a.index == b.index {
        if a.leaf == b.leaf {
            return Err(NotAFinding::SameLeaf);
        }
        return Ok(Facts::TwoLeavesAtIndex { index: a.index, a: place(a), b: place(b) });
    }
    if place(a) != place(b) {
        return Err(NotAFinding::OtherPlace);
    }
    if a.leaf == b.leaf {
        return Err(NotAFinding::SameLeaf);
    }
    let LeafPlace { vault, number } = place(a);
    Ok(Facts::TwoLeavesOfNumber { vault, number, index_a: a.index, index_b: b.index })
}

pub(super) fn missing_entry(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let a = evidence.receipt_a()?;
    let said = evidence.answer::<AuditAnswer>()?.into_payload();
    let LeafPlace { vault, number } = place(a);
    if said.vault != vault {
        return Err(NotAFinding::OtherVault);
    }
    if number <= said.count {
        return Err(NotAFinding::Counted);
    }
    let (time, answered) = (a.leaf.time, said.time);
    if !must_cover(answered, time) {
        return Err(NotAFinding::NotLater);
    }
    Ok(Facts::NotCounted { vault, number, time, count: said.count, answered })
}

pub(super) fn time_runs_back(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let (a, b) = (evidence.receipt_a()?, evidence.receipt_b()?);
    if a.index >= b.index {
        return Err(NotAFinding::OtherPlace);
    }
    let (time_a, time_b) = (a.leaf.time, b.leaf.time);
    if time_a <= time_b {
        return Err(NotAFinding::InOrder); // P-38
    }
    Ok(Facts::Backwards { index_a: a.index, time_a, index_b: b.index, time_b })
}

pub(super) fn forged_entry(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let a = evidence.receipt_a()?;
    let Err(why) = a.event.check_request(a.leaf.vault, evidence.node()) else { return Err(NotAFinding::Asked) }; // P-39
    let LeafPlace { vault, number } = place(a);
    Ok(Facts::Unasked { vault, number, kind: a.event.kind, party: a.event.party, time: a.leaf.time, why })
}

impl Evidence {
    pub(super) fn of_receipts(kind: FindingKind, node: NodeId, a: Receipt, b: Receipt) -> Self {
        Self { receipt_a: Some(a), receipt_b: Some(b), ..Self::new(kind, node.key()) }
    }
}

fn place(receipt: &Receipt) -> LeafPlace {
    LeafPlace { vault: receipt.leaf.vault, number: receipt.leaf.number }
}
