//! The patient's audit, and the list that is compared with it.

use std::collections::BTreeSet;

use karute_consent::id::StatementId;
use karute_consent::statement::Verified;
use karute_protocol::finding::Finding;
use karute_protocol::merkle::TreeHead;
use karute_protocol::message::TrailItem;
use karute_protocol::trail::{
    AuditAnswer, CheckpointText, EventKind, ListAnswer, ListDigest, Log, Outcome, Receipt, TrailNumber,
};

use super::super::cast::CAST;
use super::{Alarm, Party, heads};

impl Party {
    pub(super) fn audits(&mut self, items: &[TrailItem], answer: &Verified<AuditAnswer>, checkpoint: &CheckpointText) {
        let node = CAST.node();
        let Ok(head) = checkpoint.verify(Log::Trail, node) else { return self.alarm(Alarm::BadHeads) };
        let said = answer.payload();
        let whole = said.count == TrailNumber(items.len() as u64) && said.head() == head;
        let asked = self.request.as_ref().is_some_and(|request| request.id() == said.request);
        if answer.signer() != node.key() || !whole || !asked {
            return self.alarm(Alarm::Gap);
        }
        let mut told = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let numbered = item.leaf.number == TrailNumber(place as u64 + 1) && item.leaf.vault == self.vault;
            match item.verify(&head) {
                Ok(Some(_)) if numbered => told.extend(as_receipt(item, checkpoint)),
                _ => return self.alarm(Alarm::Gap),
            }
        }
        self.compares_trail(checkpoint, head);
        self.sees_times_and_requests(&told);
        self.sees_revoked(&told);
        for held in self.receipts.clone() {
            let place = usize::try_from(held.leaf.number.0 - 1).unwrap_or(usize::MAX);
            match told.get(place) {
                None => self.finds(Finding::missing_entry(node, held, answer), Alarm::Gap),
                Some(other) if other.leaf != held.leaf => {
                    self.finds(Finding::rewritten_entry(node, held, other.clone()), Alarm::Gap);
                }
                Some(_) => {}
            }
        }
        self.deposits = told.into_iter().filter(|receipt| receipt.event.kind == EventKind::Deposit).collect();
    }

    fn compares_trail(&mut self, checkpoint: &CheckpointText, head: TreeHead) {
        let Some((own, kept)) = self.trail.clone() else { return };
        if head.size < kept.size {
            self.alarm(Alarm::Shrunk);
        } else if head.size == kept.size && head.root != kept.root {
            self.finds(heads::two_checkpoints(&own, checkpoint), Alarm::BadHeads);
        }
    }

    fn sees_times_and_requests(&mut self, told: &[Receipt]) {
        let node = CAST.node();
        let mut requests = BTreeSet::new();
        for (place, receipt) in told.iter().enumerate() {
            if let Some(before) = place.checked_sub(1).and_then(|before| told.get(before))
                && before.leaf.time > receipt.leaf.time
            {
                let finding = Finding::time_runs_back(node, before.clone(), receipt.clone());
                self.finds(finding, Alarm::Gap);
            }
            let seen = (receipt.leaf.number, receipt.leaf.event_hash);
            if !self.audited.contains(&seen) && receipt.event.check_request(self.vault, node).is_ok() {
                self.audited.insert(seen);
            }
            if !self.audited.contains(&seen) {
                self.finds(Finding::forged_entry(node, receipt.clone()), Alarm::Gap);
            }
            let done = receipt.event.outcome == Outcome(0);
            if let Some(request) = receipt.event.request.filter(|_| done)
                && !requests.insert(request)
            {
                self.alarm(Alarm::Repeated);
            }
        }
    }

    fn sees_revoked(&mut self, told: &[Receipt]) {
        let node = CAST.node();
        let mut findings = Vec::new();
        for (entry, item, grant) in &self.revocations {
            let Some(place) = told.iter().position(|receipt| receipt.event.subject == Some(*entry)) else { continue };
            let item = &self.items[*item];
            let served = |receipt: &&Receipt| {
                let event = &receipt.event;
                event.outcome == Outcome(0) && event.kind == EventKind::Read && event.chain.contains(grant)
            };
            for later in told[place + 1..].iter().filter(served) {
                let revoked = told[place].clone();
                findings.push(Finding::served_after_revocation(node, revoked, later.clone(), item.clone()));
            }
        }
        findings.into_iter().for_each(|finding| self.finds(finding, Alarm::Gap));
    }

    pub(super) fn sees_list(&mut self, ids: Vec<StatementId>, answer: &Verified<ListAnswer>) {
        let mut digest = ListDigest::new();
        ids.iter().for_each(|header| digest.record(*header));
        let asked = self.request.clone().filter(|request| request.id() == answer.payload().request);
        let Some(request) = asked.filter(|_| digest.finish() == answer.payload().digest) else {
            return self.alarm(Alarm::BadReceipt);
        };
        for deposit in self.deposits.clone() {
            if deposit.event.subject.is_some_and(|header| !ids.contains(&header)) {
                let request = request.to_unverified();
                let finding = Finding::dropped_deposit(CAST.node(), deposit, request, answer, ids.clone());
                self.finds(finding, Alarm::Omission);
            }
        }
    }
}

/// An item of an audit as a receipt for its event.
fn as_receipt(item: &TrailItem, checkpoint: &CheckpointText) -> Option<Receipt> {
    let (salt, event) = (item.salt?, item.event.clone()?);
    let TrailItem { leaf, index, proof, .. } = item.clone();
    Some(Receipt { leaf, salt, event, index, proof, checkpoint: checkpoint.clone() })
}
