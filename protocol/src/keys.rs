//! The key schedule: from a vault's root to the private key of one collection, generation and month (SPEC section 2).
//!
//! Each collection and generation has a binary tree over all months, 16 levels deep. Who holds a node can derive every
//! month below it and nothing else, so a range of months travels as few nodes. Devices derive from the root, holders from
//! the nodes of their packages; a host has neither. Losing a root loses the vault; losing a node loses its months.
//!
//! All secrets here are zeroised on drop and can be neither printed nor copied.

use karute_consent::category::Kind;
use karute_consent::id::{CollectionId, Generation, RootNumber, VaultId};
use karute_consent::time::{Month, MonthRange};
use zeroize::Zeroizing;

use crate::hpke::{SealingSecret, Suite};
use crate::label::{SECRET_LEN, expand};

/// A root of a vault: everything is derived from it. A fresh one is drawn at each device removal and each recovery.
pub struct Root {
    number: RootNumber,
    seed: Zeroizing<[u8; SECRET_LEN]>,
}

impl Root {
    /// Takes over 32 random bytes.
    pub fn new(number: RootNumber, seed: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self { number, seed }
    }

    /// Which root of the vault.
    pub fn number(&self) -> RootNumber {
        self.number
    }

    /// The 32 bytes, for a keystore that seals them again.
    pub fn seed(&self) -> &Zeroizing<[u8; SECRET_LEN]> {
        &self.seed
    }

    /// The private key of the inbox. Its context is empty: the vault id is the hash of a charter that holds the public key.
    pub fn inbox_secret(&self) -> SealingSecret {
        SealingSecret::new(Suite::XWing, expand(&self.seed, "inbox", &[]))
    }

    /// The private key that acting persons, asks and the patient's half of particulars are sealed to.
    pub fn audit_secret(&self) -> SealingSecret {
        SealingSecret::new(Suite::XWing, expand(&self.seed, "audit", &[]))
    }

    /// The id of the collection for a kind of data; it is derived from root 0 alone, so that it never changes.
    pub fn collection_id(&self, vault: VaultId, kind: Kind) -> Result<CollectionId, NotTheFirstRoot> {
        if self.number != RootNumber(0) {
            return Err(NotTheFirstRoot);
        }
        let kind = [kind.category.number(), kind.sensitivity.number()];
        let id = expand::<16>(&self.seed, "collection-id", &[vault.as_bytes(), &kind]);
        Ok(CollectionId::from_bytes(*id))
    }

    /// The root of a collection's time tree in one generation.
    pub fn collection_root(&self, vault: VaultId, collection: CollectionId, generation: Generation) -> TreeNode {
        let context: [&[u8]; 3] = [vault.as_bytes(), collection.as_bytes(), &generation.0.to_be_bytes()];
        TreeNode { name: NodeName::ROOT, seed: expand(&self.seed, "collection", &context) }
    }
}

/// A collection id was asked of a later root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("collection ids are derived from root 0")]
pub struct NotTheFirstRoot;

/// The place of a node in the time tree: `prefix` is the first `depth` bits of the months below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    /// 0 to 16.
    depth: u8,
    /// Below 2^depth.
    prefix: u16,
}

impl NodeName {
    /// The whole tree.
    pub const ROOT: Self = Self { depth: 0, prefix: 0 };

    /// Refuses a place that is not in the tree (P-03).
    pub fn new(depth: u8, prefix: u16) -> Result<Self, CoverError> {
        let in_tree = depth <= TREE_DEPTH && u32::from(prefix) < 1 << depth; // P-03
        if in_tree { Ok(Self { depth, prefix }) } else { Err(CoverError::NotInTree) }
    }

    /// Levels below the collection root.
    pub fn depth(self) -> u8 {
        self.depth
    }

    /// The first `depth` bits of the months below.
    pub fn prefix(self) -> u16 {
        self.prefix
    }

    /// First month below this node.
    pub fn first(self) -> Month {
        Month((u32::from(self.prefix) << (TREE_DEPTH - self.depth)) as u16)
    }

    /// Last month below this node.
    pub fn last(self) -> Month {
        Month(self.first().0 + (self.months() - 1) as u16)
    }

    /// Number of months below this node: a power of two up to 65536.
    pub fn months(self) -> u32 {
        1 << (TREE_DEPTH - self.depth)
    }

    /// Whether a month lies below this node.
    pub fn contains(self, month: Month) -> bool {
        (self.first()..=self.last()).contains(&month)
    }

    /// The child on the side of a month that lies below this node; nothing below a leaf.
    fn child(self, month: Month) -> Option<(Self, usize)> {
        let depth = self.depth.checked_add(1).filter(|depth| *depth <= TREE_DEPTH)?;
        let side = usize::from(month.0 >> (TREE_DEPTH - depth) & 1);
        Some((Self { depth, prefix: self.prefix << 1 | side as u16 }, side))
    }
}

/// A node of a time tree with its secret.
pub struct TreeNode {
    name: NodeName,
    seed: Zeroizing<[u8; SECRET_LEN]>,
}

impl TreeNode {
    /// Takes over the secret of a node, as it came in a package.
    pub fn new(name: NodeName, seed: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self { name, seed }
    }

    /// The place of this node.
    pub fn name(&self) -> NodeName {
        self.name
    }

    /// The 32 bytes, for a package or a keystore.
    pub fn seed(&self) -> &Zeroizing<[u8; SECRET_LEN]> {
        &self.seed
    }

    /// The node at a place that lies below this one, or is this one.
    pub fn descend(&self, to: NodeName) -> Result<TreeNode, CoverError> {
        if to.depth < self.name.depth || !self.name.contains(to.first()) {
            return Err(CoverError::NotBelow);
        }
        let mut node = TreeNode { name: self.name, seed: self.seed.clone() };
        while node.name.depth < to.depth {
            let (name, side) = node.name.child(to.first()).ok_or(CoverError::NotBelow)?;
            node = TreeNode { name, seed: expand(&node.seed, TREE_LABELS[side], &[]) };
        }
        Ok(node)
    }

    /// The fewest nodes that hold exactly the months of a range, which must lie below this node.
    pub fn cover(&self, months: &MonthRange) -> Result<Vec<TreeNode>, CoverError> {
        cover(months).into_iter().map(|name| self.descend(name)).collect()
    }

    /// The private key of a month that lies below this node.
    pub fn epoch_secret(&self, month: Month) -> Result<SealingSecret, CoverError> {
        let leaf = self.descend(NodeName { depth: TREE_DEPTH, prefix: month.0 })?;
        Ok(SealingSecret::new(Suite::XWing, expand(&leaf.seed, "epoch", &[])))
    }
}

/// The fewest nodes whose months all lie in the range, ascending by month.
pub fn cover(months: &MonthRange) -> Vec<NodeName> {
    let (mut at, end) = (u32::from(months.from().0), u32::from(months.to().0));
    let mut nodes = Vec::new();
    while at < end {
        // The largest node that begins here and does not reach beyond the end.
        let aligned = if at == 0 { u32::from(TREE_DEPTH) } else { at.trailing_zeros() };
        let height = aligned.min((end - at).ilog2()) as u8;
        let depth = TREE_DEPTH - height;
        nodes.push(NodeName { depth, prefix: (at >> height) as u16 });
        at += 1 << height;
    }
    nodes
}

/// Refuses nodes that are no cover of the range: each month must be in exactly one, and no other month in any.
pub fn check_cover(nodes: &[NodeName], months: &MonthRange) -> Result<(), CoverError> {
    let mut nodes = nodes.to_vec();
    nodes.sort_by_key(|node| node.first());
    let mut at = u32::from(months.from().0);
    for node in nodes {
        if u32::from(node.first().0) != at {
            return Err(CoverError::NotACover); // P-03
        }
        at += node.months();
    }
    if at == u32::from(months.to().0) { Ok(()) } else { Err(CoverError::NotACover) }
}

/// Why a node cannot be reached, or nodes are no cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoverError {
    /// Deeper than 16, or a prefix with more bits than its depth (P-03).
    #[error("no such place in a time tree")]
    NotInTree,
    /// The place does not lie below the node that it is asked of.
    #[error("place does not lie below this node")]
    NotBelow,
    /// A month of the range is in no node or in two, or a node holds other months (P-03).
    #[error("nodes do not cover exactly this range")]
    NotACover,
}

/// Levels of a time tree: the bits of a month.
pub const TREE_DEPTH: u8 = 16;

const TREE_LABELS: [&str; 2] = ["tree-0", "tree-1"];

#[cfg(test)]
mod tests {
    use karute_consent::category::{Category, Sensitivity};
    use proptest::prelude::*;

    use super::*;

    fn root(number: u32) -> Root {
        Root::new(RootNumber(number), Zeroizing::new([7; 32]))
    }

    fn tree() -> TreeNode {
        root(0).collection_root(VaultId::from_bytes([1; 32]), CollectionId::from_bytes([2; 16]), Generation(1))
    }

    fn range(from: u16, to: u16) -> MonthRange {
        MonthRange::new(Month(from), Month(to)).unwrap()
    }

    #[test]
    fn a_place_outside_of_the_tree_is_refused() {
        assert!(NodeName::new(0, 0).is_ok());
        assert!(NodeName::new(16, u16::MAX).is_ok());
        for (depth, prefix) in [(0, 1), (3, 8), (17, 0), (255, 0)] {
            assert_eq!(NodeName::new(depth, prefix), Err(CoverError::NotInTree), "{depth} {prefix}");
        }
    }

    #[test]
    fn a_node_derives_the_months_below_it_and_no_other() {
        let node = tree().descend(NodeName::new(14, 170).unwrap()).unwrap(); // months 680 to 683
        for month in 680..684 {
            let from_node = node.epoch_secret(Month(month)).unwrap();
            let from_root = tree().epoch_secret(Month(month)).unwrap();
            assert_eq!(**from_node.bytes(), **from_root.bytes());
        }
        for month in [0, 679, 684, u16::MAX] {
            assert_eq!(node.epoch_secret(Month(month)).err(), Some(CoverError::NotBelow));
        }
        assert_eq!(node.descend(NodeName::ROOT).err(), Some(CoverError::NotBelow));
    }

    #[test]
    fn months_generations_collections_and_vaults_have_keys_of_their_own() {
        let secret = |vault, collection, generation, month| {
            let (vault, collection) = (VaultId::from_bytes([vault; 32]), CollectionId::from_bytes([collection; 16]));
            let tree = root(0).collection_root(vault, collection, Generation(generation));
            **tree.epoch_secret(Month(month)).unwrap().bytes()
        };
        let all = [secret(1, 1, 1, 1), secret(2, 1, 1, 1), secret(1, 2, 1, 1), secret(1, 1, 2, 1), secret(1, 1, 1, 2)];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one));
        }
        assert_ne!(**root(0).inbox_secret().bytes(), **root(0).audit_secret().bytes());
    }

    #[test]
    fn collection_ids_come_from_the_first_root_alone() {
        let vault = VaultId::from_bytes([1; 32]);
        let kind = |sensitivity| Kind { category: Category::Lab, sensitivity };
        let normal = root(0).collection_id(vault, kind(Sensitivity::Normal)).unwrap();
        assert_ne!(Ok(normal), root(0).collection_id(vault, kind(Sensitivity::Sensitive)));
        assert_eq!(root(1).collection_id(vault, kind(Sensitivity::Normal)), Err(NotTheFirstRoot));
    }

    #[test]
    fn a_year_is_few_nodes() {
        let names: Vec<_> = cover(&range(672, 684)).into_iter().map(|node| (node.depth, node.prefix)).collect();
        assert_eq!(names, [(13, 84), (14, 170)]); // 672 to 679, 680 to 683
        assert_eq!(cover(&range(5, 6)), [NodeName { depth: 16, prefix: 5 }]);
        assert_eq!(cover(&range(0, 65535)).len(), 16);
    }

    #[test]
    fn what_is_no_cover_is_refused() {
        let months = range(680, 684);
        let node = |depth, prefix| NodeName::new(depth, prefix).unwrap();
        assert_eq!(check_cover(&[node(14, 170)], &months), Ok(()));
        assert_eq!(check_cover(&[node(15, 341), node(15, 340)], &months), Ok(()));
        for wrong in [vec![], vec![node(15, 340)], vec![node(13, 85)], vec![node(14, 170), node(16, 680)]] {
            assert_eq!(check_cover(&wrong, &months), Err(CoverError::NotACover), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_cover_holds_each_month_once_and_is_small(from in 0..60_000u16, span in 1..5_000u16, month in any::<u16>()) {
            let months = range(from, from + span);
            let nodes = cover(&months);
            prop_assert_eq!(check_cover(&nodes, &months), Ok(()));
            let holding = nodes.iter().filter(|node| node.contains(Month(month))).count();
            prop_assert_eq!(holding, usize::from(months.contains(Month(month))));
            prop_assert!(nodes.len() <= 2 * (span.ilog2() as usize + 1));
        }

        #[test]
        fn every_node_of_a_cover_leads_to_the_keys_of_the_tree(from in 0..60_000u16, span in 1..40u16, at in 0..40u16) {
            let month = Month(from + at % span);
            let nodes = tree().cover(&range(from, from + span)).unwrap();
            let node = nodes.iter().find(|node| node.name().contains(month)).unwrap();
            let secret = node.epoch_secret(month).unwrap();
            prop_assert_eq!(**secret.bytes(), **tree().epoch_secret(month).unwrap().bytes());
        }
    }
}
