//! Kind 6: a record that a host took, and that its list of everything does not have.

use karute_consent::id::{NodeId, StatementId};
use karute_consent::request::{Request, Selector};
use karute_consent::revocation::{Erasure, Withdrawal};
use karute_consent::scope::Action;
use karute_consent::statement::{Unverified, Verified};

use super::{Evidence, Facts, Finding, FindingKind, NotAFinding, must_cover};
use crate::trail::{EventKind, ListAnswer, ListDigest, Outcome, Receipt};
use crate::wire::Octets;

impl Finding {
    /// Kind 6: `ids` are the header ids of a list of everything, zeros for a tombstone, in the order in which they came;
    /// the header of the deposit is not among them.
    pub fn dropped_deposit(
        node: NodeId,
        deposit: Receipt,
        request: Unverified<Request>,
        answer: &Verified<ListAnswer>,
        ids: Vec<StatementId>,
    ) -> Result<Self, NotAFinding> {
        let evidence = Evidence::new(FindingKind::DroppedDeposit, node.key());
        let answer = Some(Octets(answer.bytes().to_vec()));
        Self::proven(Evidence { receipt_a: Some(deposit), answer, ids: Some(ids), request: Some(request), ..evidence })
    }

    /// Whether this erasure refutes a finding of kind 6: it names the record. That a device of the vault signed it is to
    /// be seen in the ledger.
    pub fn is_refuted_by_erasure(&self, erasure: &Verified<Erasure>) -> bool {
        self.dropped_receipt().is_some_and(|deposit| {
            let of = erasure.payload();
            of.vault == deposit.leaf.vault && deposit.event.records.iter().any(|record| of.records.contains(record))
        })
    }

    /// Whether this withdrawal refutes a finding of kind 6: the depositor signed it, and it names the record.
    pub fn is_refuted_by_withdrawal(&self, withdrawal: &Verified<Withdrawal>) -> bool {
        self.dropped_receipt().is_some_and(|deposit| {
            let of = withdrawal.payload();
            of.vault == deposit.leaf.vault
                && withdrawal.signer() == deposit.event.party
                && deposit.event.records.iter().any(|record| of.records.contains(record))
        })
    }

    fn dropped_receipt(&self) -> Option<&Receipt> {
        self.evidence.receipt_a.as_ref().filter(|_| self.evidence.kind == FindingKind::DroppedDeposit)
    }
}

pub(super) fn dropped_deposit(evidence: &Evidence) -> Result<Facts, NotAFinding> {
    let a = evidence.receipt_a()?;
    let header = stored_header(a).ok_or(NotAFinding::NotADeposit)?;
    let request = evidence.request.clone().ok_or(NotAFinding::Fields)?.verify().map_err(NotAFinding::Request)?;
    let asked = request.payload();
    if asked.action != Action::List || !asked.chain.is_empty() || asked.selector != Selector::default() {
        return Err(NotAFinding::NotWhole);
    }
    let said = evidence.answer::<ListAnswer>()?.into_payload();
    if said.request != request.id() {
        return Err(NotAFinding::OtherRequest);
    }
    let vault = a.leaf.vault;
    if said.vault != vault || asked.vault != vault {
        return Err(NotAFinding::OtherVault);
    }
    let ids = evidence.ids.as_ref().ok_or(NotAFinding::Fields)?;
    let mut digest = ListDigest::new();
    ids.iter().for_each(|id| digest.record(*id)); // a tombstone is the id of zeros
    if digest.finish() != said.digest {
        return Err(NotAFinding::OtherIds);
    }
    if ids.contains(&header) {
        return Err(NotAFinding::Listed);
    }
    let (time, answered) = (a.leaf.time, said.time);
    if !must_cover(answered, time) {
        return Err(NotAFinding::NotLater);
    }
    Ok(Facts::NotListed { vault, header, number: a.leaf.number, time, listed: ids.len() as u64, answered })
}

/// The header id of the one record that this event stored: opening a deposit is an event too, and stores none.
fn stored_header(receipt: &Receipt) -> Option<StatementId> {
    let event = &receipt.event;
    let stored = event.kind == EventKind::Deposit
        && event.outcome == Outcome(0)
        && event.records.len() == 1
        && event.place.is_some();
    event.subject.filter(|header| stored && *header != StatementId::NONE)
}
