//! Gossip: checkpoints of trails travel in hello and welcome, so that a host that shows different people different
//! trails is noticed by whoever meets both (P-49).
//!
//! A checkpoint of this host's own trail that it signed and does not lead to means that this store is not the one it
//! was: an old copy was put back. Going on would put two trails under one key, so the host stops serving, for good: what
//! it was shown is kept, and looked at again at every start.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use karute_consent::id::NodeId;
use karute_protocol::limits::HEADS_MAX;
use karute_protocol::merkle::TreeHead;
use karute_protocol::trail::{CheckpointText, Log};
use sha2::{Digest, Sha256};

use super::Host;
use crate::vault::{ReadError, Store};

/// Checkpoints of other trails, and what was looked at already. No lock is held across an await.
#[derive(Default)]
pub(super) struct Gossip(Mutex<Pool>);

#[derive(Default)]
struct Pool {
    trails: BTreeMap<NodeId, Met>,
    /// Hashes of what was looked at, and their order.
    seen: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
    /// Which checkpoint is handed out next.
    turn: usize,
    /// How many trails made room for others.
    gone: usize,
}

/// What clients brought of one trail.
struct Met {
    head: TreeHead,
    text: CheckpointText,
    /// Another checkpoint of the same size as one that was known, with another root; both are kept for good.
    forked: Option<[CheckpointText; 2]>,
}

impl Gossip {
    /// Whether this text was looked at before. It counts as looked at from now on.
    fn is_known(&self, text: &CheckpointText) -> bool {
        let hash: [u8; 32] = Sha256::digest(&text.0).into();
        let mut pool = self.pool();
        if !pool.seen.insert(hash) {
            return true;
        }
        pool.order.push_back(hash);
        if pool.order.len() > SEEN_MAX
            && let Some(oldest) = pool.order.pop_front()
        {
            pool.seen.remove(&oldest);
        }
        false
    }

    /// Takes a checkpoint of another trail, whose signature was checked.
    fn met(&self, node: NodeId, head: TreeHead, text: CheckpointText) {
        let mut pool = self.pool();
        if let Some(met) = pool.trails.get_mut(&node) {
            if head.size == met.head.size && head.root != met.head.root && met.forked.is_none() {
                tracing::warn!("another node signed two trails of one size");
                met.forked = Some([met.text.clone(), text]);
            } else if head.size > met.head.size {
                (met.head, met.text) = (head, text);
            }
            return;
        }
        if pool.trails.len() >= TRAILS_MAX {
            // Strangers can bring trails of their own making: what convicts somebody is not driven out by them.
            let plain: Vec<NodeId> =
                pool.trails.iter().filter(|(_, met)| met.forked.is_none()).map(|(node, _)| *node).collect();
            let Some(gone) = plain.get(pool.gone % plain.len().max(1)) else { return };
            pool.trails.remove(gone);
            pool.gone += 1;
        }
        pool.trails.insert(node, Met { head, text, forked: None });
    }

    /// Up to `max` checkpoints of other trails, others at each call.
    fn handed_out(&self, max: usize) -> Vec<CheckpointText> {
        let mut pool = self.pool();
        let all: Vec<CheckpointText> = pool.trails.values().flat_map(Met::texts).cloned().collect();
        let start = if all.len() <= max { 0 } else { pool.turn % all.len() };
        pool.turn = start + max.min(all.len());
        all.iter().cycle().skip(start).take(max.min(all.len())).cloned().collect()
    }

    fn pool(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Met {
    fn texts(&self) -> impl Iterator<Item = &CheckpointText> {
        let forked = self.forked.iter().flatten();
        let newest = self.forked.as_ref().is_none_or(|[one, other]| self.text != *one && self.text != *other);
        forked.chain(newest.then_some(&self.text))
    }
}

impl Host {
    /// The heads of a welcome: the own trail's, then others that clients brought.
    pub(super) fn heads_to_show(&self) -> Vec<CheckpointText> {
        let newest = self.store.trail_head();
        let mut heads = Vec::new();
        if newest.size > 0 {
            let cosigned = self.store.cosigned(Log::Trail).filter(|cosigned| cosigned.head.size == newest.size);
            heads.push(cosigned.map_or_else(|| newest.text.clone(), |cosigned| cosigned.text.clone()));
        }
        heads.extend(self.gossip.handed_out(HEADS_MAX - 1));
        heads
    }

    /// Looks at the heads of a hello. `false` when the host does not serve any more.
    pub(super) fn take_heads(&self, heads: &[CheckpointText]) -> bool {
        for text in heads.iter().take(HEADS_MAX) {
            self.take_shown(text);
        }
        !self.is_put_back()
    }

    /// Looks at a checkpoint that somebody brought; one that proves nothing is forgotten.
    pub(super) fn take_shown(&self, text: &CheckpointText) {
        if text.0.len() > SHOWN_BYTES_MAX || self.gossip.is_known(text) {
            return;
        }
        let Some(node) = node_named(text) else { return };
        let Ok(head) = text.verify(Log::Trail, node) else { return };
        // Lines of witnesses that nobody here knows would only take room.
        let Ok(text) = text.without_cosignatures() else { return };
        if node != self.node() {
            return self.gossip.met(node, head, text);
        }
        match leads_to(&self.store, head) {
            Ok(true) => {}
            Ok(false) => self.is_not_what_it_was(&text),
            Err(error) => tracing::error!(%error, "the trail cannot be compared with what was shown of it"),
        }
    }

    /// Whether this host was shown that its store is an old one; then it serves nobody.
    pub fn is_put_back(&self) -> bool {
        *self.put_back.borrow()
    }

    /// Waits until it is.
    pub async fn put_back(&self) {
        let mut put_back = self.put_back.subscribe();
        // An error would mean that the host is gone, which is held here.
        let _ = put_back.wait_for(|put_back| *put_back).await;
    }

    fn is_not_what_it_was(&self, shown: &CheckpointText) {
        tracing::error!(
            "this node signed a trail that its store does not lead to: the store is an old copy. The node stops \
             serving; bring back the newer folder"
        );
        if let Err(error) = self.store.keep_shown(shown) {
            tracing::error!(%error, "what was shown could not be kept; after a restart it must be shown again");
        }
        self.put_back.send_replace(true);
        self.close();
    }
}

/// Whether a store is older than something that its node signed, by what is kept in its folder.
pub(super) fn is_put_back(store: &Store) -> bool {
    let cosigned = store.cosigned(Log::Trail).map(|cosigned| cosigned.head);
    let shown = store.shown().and_then(|text| text.verify(Log::Trail, store.node()).ok());
    cosigned.into_iter().chain(shown).any(|head| !leads_to(store, head).unwrap_or(true)) // what cannot be read is found out elsewhere
}

/// Whether a store's trail had this head, or has it.
fn leads_to(store: &Store, head: TreeHead) -> Result<bool, ReadError> {
    Ok(store.trail_head_at(head.size)?.is_some_and(|own| own == head))
}

/// The node in the origin of a trail's checkpoint.
fn node_named(text: &CheckpointText) -> Option<NodeId> {
    let hex = text.0.lines().next()?.strip_prefix("karute/trail/")?;
    let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?;
    NodeId::from_slice(&bytes)
}

/// Trails of other nodes that are held.
const TRAILS_MAX: usize = 64;
/// Checkpoints of which is known that they were looked at.
const SEEN_MAX: usize = 4096;
/// Bytes of a checkpoint that is looked at: with as many cosignatures as a vault has witnesses, and more.
const SHOWN_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use karute_consent::party::Identity;
    use karute_protocol::merkle::TreeHash;

    fn met(gossip: &Gossip, number: u16, size: u64, root: u8) -> CheckpointText {
        let mut seed = [7; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        let (identity, head) = (Identity::from_seed(&seed), TreeHead { size, root: TreeHash([root; 32]) });
        let text = CheckpointText::sign(Log::Trail, head, &identity);
        gossip.met(NodeId::from_bytes(*identity.key().as_bytes()), head, text.clone());
        text
    }

    #[test]
    fn a_fork_is_not_driven_out_by_strangers_and_all_are_handed_out_in_turn() {
        let gossip = Gossip::default();
        let pair = [met(&gossip, 0, 9, 1), met(&gossip, 0, 9, 2)];
        let newer = met(&gossip, 0, 10, 3);
        for number in 1..200 {
            met(&gossip, number, 5, 0);
        }
        assert_eq!(gossip.pool().trails.len(), TRAILS_MAX);
        let mut seen = HashSet::new();
        for _ in 0..TRAILS_MAX {
            let out = gossip.handed_out(7);
            assert_eq!(out.len(), 7);
            seen.extend(out);
        }
        assert_eq!(seen.len(), TRAILS_MAX + 2);
        assert!(seen.contains(&pair[0]) && seen.contains(&pair[1]) && seen.contains(&newer));
    }

    #[test]
    fn what_was_looked_at_is_remembered_within_bounds() {
        let gossip = Gossip::default();
        let text = |number: usize| CheckpointText(number.to_string());
        assert!(!gossip.is_known(&text(0)) && gossip.is_known(&text(0)));
        (1..=SEEN_MAX).for_each(|number| assert!(!gossip.is_known(&text(number))));
        assert!(!gossip.is_known(&text(0)), "the oldest makes room");
        let pool = gossip.pool();
        assert_eq!((pool.seen.len(), pool.order.len()), (SEEN_MAX, SEEN_MAX));
    }
}
