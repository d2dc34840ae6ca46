//! The evidence of a finding as it is encoded, and which fields of it each kind has.

use karute_consent::id::{NodeId, PartyKey, StatementId};
use karute_consent::ledger::Item;
use karute_consent::request::Request;
use karute_consent::statement::{Statement, Unverified, Verified};
use karute_consent::vault::Witness;
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use super::{FindingKind, NotAFinding, VERSION};
use crate::merkle::TreeHash;
use crate::trail::{CheckpointText, Receipt, SignedTreeHead};
use crate::wire::Octets;

/// The map of SPEC section 16. Which fields a kind has stands in [`sets_of_fields`].
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub(super) struct Evidence {
    #[serde(index = 1)]
    pub(super) version: u8,
    #[serde(index = 2)]
    pub(super) kind: FindingKind,
    #[serde(index = 3)]
    pub(super) accused: PartyKey,
    #[serde(index = 4, skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint_a: Option<CheckpointText>,
    #[serde(index = 5, skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint_b: Option<CheckpointText>,
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub(super) tree_head_a: Option<Unverified<SignedTreeHead>>,
    #[serde(index = 7, skip_serializing_if = "Option::is_none")]
    pub(super) tree_head_b: Option<Unverified<SignedTreeHead>>,
    #[serde(index = 8, skip_serializing_if = "Option::is_none")]
    pub(super) receipt_a: Option<Receipt>,
    #[serde(index = 9, skip_serializing_if = "Option::is_none")]
    pub(super) receipt_b: Option<Receipt>,
    /// A list-answer or an audit-answer, by the kind.
    #[serde(index = 10, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Octets>,
    /// Header ids as a list answer sent them; zeros are a tombstone.
    #[serde(index = 11, skip_serializing_if = "Option::is_none")]
    pub(super) ids: Option<Vec<StatementId>>,
    #[serde(index = 12, skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<Unverified<Request>>,
    #[serde(index = 13, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Vec<Item>>,
    #[serde(index = 14, skip_serializing_if = "Option::is_none")]
    pub(super) proof: Option<Vec<TreeHash>>,
    #[serde(index = 15, skip_serializing_if = "Option::is_none")]
    pub(super) witness: Option<Witness>,
}

impl Evidence {
    /// Of nothing yet.
    pub(super) fn new(kind: FindingKind, accused: PartyKey) -> Self {
        Self {
            version: VERSION,
            kind,
            accused,
            checkpoint_a: None,
            checkpoint_b: None,
            tree_head_a: None,
            tree_head_b: None,
            receipt_a: None,
            receipt_b: None,
            answer: None,
            ids: None,
            request: None,
            items: None,
            proof: None,
            witness: None,
        }
    }

    /// Which of the fields 4 to 15 are there, as a set of [`field`]s.
    pub(super) fn fields(&self) -> u16 {
        let there = [
            (field::CHECKPOINT_A, self.checkpoint_a.is_some()),
            (field::CHECKPOINT_B, self.checkpoint_b.is_some()),
            (field::TREE_HEAD_A, self.tree_head_a.is_some()),
            (field::TREE_HEAD_B, self.tree_head_b.is_some()),
            (field::RECEIPT_A, self.receipt_a.is_some()),
            (field::RECEIPT_B, self.receipt_b.is_some()),
            (field::ANSWER, self.answer.is_some()),
            (field::IDS, self.ids.is_some()),
            (field::REQUEST, self.request.is_some()),
            (field::ITEMS, self.items.is_some()),
            (field::PROOF, self.proof.is_some()),
            (field::WITNESS, self.witness.is_some()),
        ];
        there.into_iter().filter(|(_, there)| *there).fold(0, |set, (field, _)| set | field)
    }

    /// The accused as a node, whose id is its key.
    pub(super) fn node(&self) -> NodeId {
        NodeId::from_bytes(*self.accused.as_bytes())
    }

    /// Receipt a, verified against the accused (P-24).
    pub(super) fn receipt_a(&self) -> Result<&Receipt, NotAFinding> {
        self.receipt(self.receipt_a.as_ref())
    }

    /// Receipt b, verified against the accused (P-24).
    pub(super) fn receipt_b(&self) -> Result<&Receipt, NotAFinding> {
        self.receipt(self.receipt_b.as_ref())
    }

    fn receipt<'a>(&self, receipt: Option<&'a Receipt>) -> Result<&'a Receipt, NotAFinding> {
        let receipt = receipt.ok_or(NotAFinding::Fields)?;
        receipt.verify(self.node()).map_err(NotAFinding::Receipt)?; // P-24
        Ok(receipt)
    }

    /// The answer, signed by the accused.
    pub(super) fn answer<T: Statement>(&self) -> Result<Verified<T>, NotAFinding> {
        let bytes = self.answer.clone().ok_or(NotAFinding::Fields)?.into_vec();
        Unverified::from_bytes(bytes).verify_by(self.accused).map_err(NotAFinding::Answer)
    }
}

/// The fields 4 to 15 as bits of a set.
mod field {
    pub(super) const CHECKPOINT_A: u16 = 1 << 4;
    pub(super) const CHECKPOINT_B: u16 = 1 << 5;
    pub(super) const TREE_HEAD_A: u16 = 1 << 6;
    pub(super) const TREE_HEAD_B: u16 = 1 << 7;
    pub(super) const RECEIPT_A: u16 = 1 << 8;
    pub(super) const RECEIPT_B: u16 = 1 << 9;
    pub(super) const ANSWER: u16 = 1 << 10;
    pub(super) const IDS: u16 = 1 << 11;
    pub(super) const REQUEST: u16 = 1 << 12;
    pub(super) const ITEMS: u16 = 1 << 13;
    pub(super) const PROOF: u16 = 1 << 14;
    pub(super) const WITNESS: u16 = 1 << 15;
}

/// The sets of fields that a finding of this kind may have: a head is a checkpoint or a tree-head (P-50).
pub(super) fn sets_of_fields(kind: FindingKind) -> &'static [u16] {
    use field::*;
    match kind {
        FindingKind::Equivocation => &[
            CHECKPOINT_A | CHECKPOINT_B,
            CHECKPOINT_A | TREE_HEAD_B,
            TREE_HEAD_A | CHECKPOINT_B,
            TREE_HEAD_A | TREE_HEAD_B,
        ],
        FindingKind::Inconsistency => &[
            CHECKPOINT_A | CHECKPOINT_B | PROOF,
            CHECKPOINT_A | TREE_HEAD_B | PROOF,
            TREE_HEAD_A | CHECKPOINT_B | PROOF,
            TREE_HEAD_A | TREE_HEAD_B | PROOF,
        ],
        FindingKind::Rollback => &[TREE_HEAD_A | TREE_HEAD_B, RECEIPT_A | TREE_HEAD_B],
        FindingKind::RewrittenEntry | FindingKind::TimeRunsBack => &[RECEIPT_A | RECEIPT_B],
        FindingKind::MissingEntry => &[RECEIPT_A | ANSWER],
        FindingKind::DroppedDeposit => &[RECEIPT_A | ANSWER | IDS | REQUEST],
        FindingKind::ServedAfterRevocation => &[RECEIPT_A | RECEIPT_B | ITEMS],
        FindingKind::BeyondGrant => &[RECEIPT_A | ITEMS],
        FindingKind::WitnessEquivocation => &[CHECKPOINT_A | CHECKPOINT_B | WITNESS],
        FindingKind::ForgedEntry => &[RECEIPT_A],
    }
}
