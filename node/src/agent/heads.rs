//! The newest heads of logs that an agent saw, so that no host can go back behind one of them unnoticed (P-48).
//!
//! For each node: its last signed word on its trail, which is the greatest head that was proven to extend those before;
//! the greatest checkpoint proven so; and checkpoints that were only heard of, from others or in receipts, which have to
//! be proven when the node is next met. For each vault: the host's last word on the ledger and the cosigned checkpoint.
//! Trusted for rollback and equivocation being caught across restarts; its loss costs the evidence that it holds.

use karute_consent::id::NodeId;
use karute_consent::statement::Unverified;
use karute_consent::time::Timestamp;
use karute_protocol::finding::SignedHead;
use karute_protocol::limits::HEADS_MAX;
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::trail::{CheckpointText, SignedTreeHead};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

/// Heads of trails, of as many nodes as are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct SeenHeads {
    #[serde(index = 1)]
    trails: Vec<TrailSeen>,
}

/// What was seen of one node's trail.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct TrailSeen {
    #[serde(index = 1)]
    node: NodeId,
    /// Its newest answer to a nonce of this agent: the greatest head accepted.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    word: Option<Word>,
    /// The greatest checkpoint that `word` was proven to extend.
    #[serde(index = 3, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Shown>,
    /// Signed by the node, not yet proven.
    #[serde(index = 4)]
    heard: Vec<Shown>,
    /// When this node was last met or heard of.
    #[serde(index = 5)]
    at: Timestamp,
}

/// A tree head that a host signed for this agent.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Word {
    /// Leaves.
    #[serde(index = 1)]
    size: u64,
    #[serde(index = 2)]
    root: TreeHash,
    /// The host's time.
    #[serde(index = 3)]
    time: Timestamp,
    #[serde(index = 4)]
    statement: Unverified<SignedTreeHead>,
}

/// A checkpoint whose signature was checked.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct Shown {
    /// Leaves.
    #[serde(index = 1)]
    size: u64,
    #[serde(index = 2)]
    root: TreeHash,
    #[serde(index = 3)]
    text: CheckpointText,
}

/// What a vault's host and its witnesses said last about the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct LedgerSeen {
    /// The host's newest answer to a nonce of this agent.
    #[serde(index = 1, skip_serializing_if = "Option::is_none")]
    pub word: Option<Word>,
    /// The newest checkpoint with all cosignatures of the witnesses in force that came with it.
    #[serde(index = 2, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Shown>,
}

impl Word {
    /// What a verified tree head says.
    pub fn new(said: &SignedTreeHead, statement: Unverified<SignedTreeHead>) -> Self {
        Self { size: said.size, root: said.root, time: said.time, statement }
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }

    /// The host's time.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// As the host signed it.
    pub fn statement(&self) -> &Unverified<SignedTreeHead> {
        &self.statement
    }
}

impl Shown {
    /// A checkpoint that was verified to be of this head. One with very many cosignatures is kept without them.
    pub fn new(head: TreeHead, text: &CheckpointText) -> Self {
        let text = match text.0.len() > TEXT_LEN_MAX {
            true => text.without_cosignatures().unwrap_or_else(|_| text.clone()),
            false => text.clone(),
        };
        Self { size: head.size, root: head.root, text }
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }

    /// As it travels.
    pub fn text(&self) -> &CheckpointText {
        &self.text
    }
}

impl TrailSeen {
    /// The greatest head that was accepted.
    pub fn word(&self) -> Option<&Word> {
        self.word.as_ref()
    }

    /// The greatest checkpoint that was accepted.
    pub fn checkpoint(&self) -> Option<&Shown> {
        self.checkpoint.as_ref()
    }

    /// Checkpoints that have to be proven when the node is next met.
    pub fn heard(&self) -> &[Shown] {
        &self.heard
    }

    /// Every head that is held of this trail, as it was signed: the accepted ones first.
    pub fn signed(&self) -> impl Iterator<Item = (TreeHead, SignedHead)> {
        let word = self.word.iter().map(|word| (word.head(), SignedHead::TreeHead(word.statement.clone())));
        let shown = self.checkpoint.iter().chain(&self.heard);
        word.chain(shown.map(|shown| (shown.head(), SignedHead::Checkpoint(shown.text.clone()))))
    }

    /// A head held of the same size and another root, if there is one: then the node signed both.
    pub fn conflicting(&self, head: &TreeHead) -> Option<SignedHead> {
        self.signed().find(|(held, _)| held.size == head.size && held.root != head.root).map(|(_, signed)| signed)
    }

    /// The greatest checkpoint held, proven or not.
    fn greatest(&self) -> Option<&Shown> {
        self.checkpoint.iter().chain(&self.heard).max_by_key(|shown| shown.size)
    }
}

impl SeenHeads {
    /// What was seen of a node's trail.
    pub fn trail(&self, node: NodeId) -> Option<&TrailSeen> {
        self.trails.iter().find(|seen| seen.node == node)
    }

    /// Nodes that are remembered.
    pub fn len(&self) -> usize {
        self.trails.len()
    }

    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.trails.is_empty()
    }

    /// Notes a checkpoint that a node signed and that nobody proved to be in line with what is held.
    pub fn hear(&mut self, node: NodeId, shown: Shown, now: Timestamp) {
        let seen = self.trail_mut(node, now);
        if seen.checkpoint.iter().chain(&seen.heard).any(|held| held.head() == shown.head()) {
            return;
        }
        if seen.word.as_ref().is_some_and(|word| word.head() == shown.head()) {
            seen.checkpoint = Some(shown); // the same head as accepted, now as a checkpoint
            return;
        }
        seen.heard.push(shown);
        // What contradicts another head is kept before what does not, then the greatest.
        let all = seen.clone();
        seen.heard.sort_by_key(|shown| (all.conflicting(&shown.head()).is_none(), u64::MAX - shown.size));
        seen.heard.truncate(HEARD_MAX);
    }

    /// Takes a head as the greatest of a node's trail. The caller has checked that it extends every head held of it.
    pub fn accept(&mut self, node: NodeId, word: Word, checkpoint: Option<Shown>, now: Timestamp) {
        let seen = self.trail_mut(node, now);
        let proven = seen.heard.drain(..).chain(seen.checkpoint.take()).chain(checkpoint);
        seen.checkpoint = proven.max_by_key(|shown| shown.size);
        seen.word = Some(word);
    }

    /// What a hello tells: the greatest checkpoint of the host that is met, then of other nodes, the latest met first.
    pub fn gossip(&self, host: Option<NodeId>) -> Vec<CheckpointText> {
        let mut order: Vec<&TrailSeen> = self.trails.iter().collect();
        order.sort_by_key(|seen| (Some(seen.node) != host, u64::MAX - seen.at.secs()));
        let greatest = order.into_iter().filter_map(|seen| seen.greatest().map(|shown| shown.text.clone()));
        greatest.take(HEADS_MAX).collect()
    }

    fn trail_mut(&mut self, node: NodeId, now: Timestamp) -> &mut TrailSeen {
        let place = match self.trails.iter().position(|seen| seen.node == node) {
            Some(place) => place,
            None => {
                self.make_room();
                self.trails.push(TrailSeen { node, word: None, checkpoint: None, heard: Vec::new(), at: now });
                self.trails.len() - 1
            }
        };
        let seen = &mut self.trails[place];
        seen.at = seen.at.max(now);
        seen
    }

    /// Forgets the node that was heard of longest ago; one that was met only when there is no other.
    fn make_room(&mut self) {
        while self.trails.len() >= NODES_MAX {
            let oldest = self.trails.iter().enumerate().min_by_key(|(_, seen)| (seen.word.is_some(), seen.at));
            let Some((place, _)) = oldest else { return };
            self.trails.remove(place);
        }
    }
}

/// Nodes whose trails are remembered.
pub const NODES_MAX: usize = 256;
/// Checkpoints of one node that wait to be proven.
const HEARD_MAX: usize = 4;
/// Longest checkpoint that is kept with its cosignatures, in bytes: eight of them fit a hello.
const TEXT_LEN_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use karute_consent::party::Identity;
    use karute_protocol::trail::{HeadNonce, Log};

    fn head(size: u64, root: u8) -> TreeHead {
        TreeHead { size, root: TreeHash([root; 32]) }
    }

    fn node(seed: u8) -> (Identity, NodeId) {
        let identity = Identity::from_seed(&[seed; 32]);
        let node = NodeId::from_bytes(*identity.key().as_bytes());
        (identity, node)
    }

    fn shown(seed: u8, head: TreeHead) -> Shown {
        Shown::new(head, &CheckpointText::sign(Log::Trail, head, &node(seed).0))
    }

    fn word(seed: u8, head: TreeHead, time: u64) -> Word {
        let (nonce, time) = (HeadNonce::from_bytes([1; 32]), Timestamp::from_secs(time));
        let signed = SignedTreeHead::sign(Log::Trail, head, time, nonce, &node(seed).0).unwrap();
        Word::new(signed.payload(), signed.to_unverified())
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn what_was_heard_is_held_until_it_is_proven() {
        let (mut heads, (_, a)) = (SeenHeads::default(), node(1));
        heads.hear(a, shown(1, head(5, 5)), at(10));
        heads.hear(a, shown(1, head(5, 5)), at(11));
        assert_eq!(heads.trail(a).unwrap().heard().len(), 1, "the same head is held once");
        heads.accept(a, word(1, head(9, 9), 20), Some(shown(1, head(7, 7))), at(20));
        let seen = heads.trail(a).unwrap();
        assert_eq!(seen.word().unwrap().head(), head(9, 9));
        assert_eq!(seen.checkpoint().unwrap().head(), head(7, 7));
        assert!(seen.heard().is_empty());
        heads.accept(a, word(1, head(9, 9), 30), Some(shown(1, head(6, 6))), at(30));
        assert_eq!(heads.trail(a).unwrap().checkpoint().unwrap().head(), head(7, 7), "no smaller one takes its place");
    }

    #[test]
    fn another_root_of_a_size_that_is_held_is_found() {
        let (mut heads, (_, a)) = (SeenHeads::default(), node(1));
        heads.accept(a, word(1, head(9, 9), 20), None, at(20));
        heads.hear(a, shown(1, head(12, 12)), at(21));
        let seen = heads.trail(a).unwrap();
        for size in [9, 12] {
            assert!(seen.conflicting(&head(size, 77)).is_some());
            assert!(seen.conflicting(&head(size, size as u8)).is_none());
        }
        assert!(seen.conflicting(&head(10, 77)).is_none());
    }

    #[test]
    fn a_contradiction_is_not_pushed_out_by_what_is_heard_later() {
        let (mut heads, (_, a)) = (SeenHeads::default(), node(1));
        heads.accept(a, word(1, head(9, 9), 20), None, at(20));
        heads.hear(a, shown(1, head(9, 77)), at(21));
        for size in 10..30 {
            heads.hear(a, shown(1, head(size, size as u8)), at(22));
        }
        let seen = heads.trail(a).unwrap();
        assert_eq!(seen.heard().len(), HEARD_MAX);
        assert!(seen.heard().iter().any(|shown| shown.head() == head(9, 77)));
        assert!(seen.heard().iter().any(|shown| shown.head().size == 29), "the greatest is kept too");
    }

    #[test]
    fn the_host_comes_first_in_a_hello_and_others_after_it() {
        let mut heads = SeenHeads::default();
        for seed in 1..=12 {
            heads.hear(node(seed).1, shown(seed, head(u64::from(seed), seed)), at(u64::from(seed)));
        }
        let told = heads.gossip(Some(node(3).1));
        assert_eq!(told.len(), HEADS_MAX);
        assert_eq!(told[0].verify(Log::Trail, node(3).1).unwrap(), head(3, 3));
        assert_eq!(told[1].verify(Log::Trail, node(12).1).unwrap(), head(12, 12));
        heads.hear(node(3).1, shown(3, head(8, 8)), at(1));
        let told = heads.gossip(Some(node(3).1));
        assert_eq!(told[0].verify(Log::Trail, node(3).1).unwrap().size, 8, "the greatest, proven or not");
    }

    #[test]
    fn nodes_that_were_met_outlast_those_only_heard_of() {
        let mut heads = SeenHeads::default();
        let id = |n: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            NodeId::from_bytes(bytes)
        };
        let (text, one) = (shown(1, head(1, 1)), word(1, head(1, 1), 1));
        heads.accept(id(0), one, None, at(0));
        for n in 1..=2 * NODES_MAX as u32 {
            heads.hear(id(n), text.clone(), at(u64::from(n)));
        }
        assert_eq!(heads.len(), NODES_MAX);
        assert!(heads.trail(id(0)).is_some(), "met long ago, but met");
        assert!(heads.trail(id(1)).is_none());
        assert!(heads.trail(id(2 * NODES_MAX as u32)).is_some());
    }
}
