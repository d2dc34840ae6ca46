//! What the host keeps of the vault: the ledger by the crates' own rules, the trail by their own trees. A copy of it is
//! an older disk, or a second face for another visitor.

use std::sync::LazyLock;

use karute_consent::id::{Digest, PartyKey, Salt, StatementId, TrailNumber, VaultId};
use karute_consent::ledger::{Item, LedgerError, LedgerState, View};
use karute_consent::request::{Head, Request};
use karute_consent::statement::Verified;
use karute_consent::time::Timestamp;
use karute_protocol::merkle::{Place, TreeHash, TreeHead, prove_consistency, prove_inclusion, root_of};
use karute_protocol::message::TrailItem;
use karute_protocol::trail::{
    CheckpointText, Event, EventKind, EventPlace, HeadNonce, Leaf, Log, Outcome, ProofHashes, Receipt, SignedTreeHead,
    TrailIndex,
};

use super::cast::CAST;
use super::letters::Which;
use super::paper::first_items;

/// One event of the trail.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) leaf: Leaf,
    pub(super) salt: Salt,
    pub(super) event: Event,
}

#[derive(Clone)]
pub(super) struct Book {
    pub(super) items: Vec<Item>,
    pub(super) state: LedgerState,
    entries: Vec<TreeHash>,
    pub(super) trail: Vec<Written>,
    leaves: Vec<TreeHash>,
    /// Header ids in the order of their places.
    pub(super) records: Vec<(EventPlace, StatementId)>,
}

/// The vault as it is when a history begins: with witnesses, and without.
static BEGUN: LazyLock<[Book; 2]> = LazyLock::new(|| [Book::begin(0), Book::begin(2)]);

impl Book {
    /// A new vault with one collection, deposit grants for both depositors, and one for the reader.
    pub(super) fn begun(quorum: u8) -> Self {
        BEGUN[usize::from(quorum > 0)].clone()
    }

    fn begin(quorum: u8) -> Self {
        let items = first_items(quorum);
        let state = LedgerState::begin(&items[0]).expect("a charter begins");
        let mut book = Self {
            items: Vec::new(),
            state,
            entries: Vec::new(),
            trail: Vec::new(),
            leaves: Vec::new(),
            records: Vec::new(),
        };
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                book.state.apply(&item, View::Append).expect("the first items follow one another");
            }
            book.write_entry(item);
        }
        book
    }

    pub(super) fn vault(&self) -> VaultId {
        self.state.vault()
    }

    /// Appends items, all or none.
    pub(super) fn append(&mut self, items: &[Item]) -> Result<(), LedgerError> {
        let mut state = self.state.clone();
        items.iter().try_for_each(|item| state.apply(item, View::Append))?;
        self.state = state;
        items.iter().cloned().for_each(|item| self.write_entry(item));
        Ok(())
    }

    fn write_entry(&mut self, item: Item) {
        self.entries.push(TreeHash::leaf(item.entry.bytes()));
        self.items.push(item);
    }

    /// The last time in the trail; no event is older than one before it (P-38).
    pub(super) fn last_time(&self) -> Timestamp {
        self.trail.last().map_or(Timestamp::from_secs(0), |written| written.leaf.time)
    }

    /// Writes an event down, at exactly this time, and gives its place.
    pub(super) fn note(&mut self, event: Event, salt: Salt, time: Timestamp) -> usize {
        let number = TrailNumber(self.trail.len() as u64 + 1);
        let leaf = Leaf::new(self.vault(), number, time, &event, &salt).expect("an event that encodes");
        self.leaves.push(leaf.hash().expect("a leaf that encodes"));
        self.trail.push(Written { leaf, salt, event });
        self.trail.len() - 1
    }

    /// Puts another event in the place of the last one: what no honest host does.
    pub(super) fn rewrite_last(&mut self, change: impl FnOnce(&mut Event)) {
        let (Some(mut written), Some(_)) = (self.trail.pop(), self.leaves.pop()) else { return };
        change(&mut written.event);
        self.note(written.event, written.salt, written.leaf.time);
    }

    pub(super) fn head(&self, which: Which) -> TreeHead {
        let hashes = self.hashes(which);
        TreeHead { size: hashes.len() as u64, root: root_of(hashes) }
    }

    /// The root that the log had at an earlier size, if it was ever that long.
    pub(super) fn root_at(&self, which: Which, size: u64) -> Option<TreeHash> {
        usize::try_from(size).ok().and_then(|size| self.hashes(which).get(..size)).map(root_of)
    }

    fn hashes(&self, which: Which) -> &[TreeHash] {
        match which {
            Which::Trail => &self.leaves,
            Which::Ledger => &self.entries,
        }
    }

    pub(super) fn log(&self, which: Which) -> Log {
        match which {
            Which::Trail => Log::Trail,
            Which::Ledger => Log::Ledger(self.vault()),
        }
    }

    pub(super) fn checkpoint(&self, which: Which) -> CheckpointText {
        CheckpointText::sign(self.log(which), self.head(which), &CAST.host)
    }

    pub(super) fn tree_head(&self, which: Which, now: Timestamp, nonce: HeadNonce) -> Verified<SignedTreeHead> {
        let time = now.max(self.last_time());
        SignedTreeHead::sign(self.log(which), self.head(which), time, nonce, &CAST.host).expect("a head that encodes")
    }

    /// From an earlier size to the newest; empty where none is needed or possible.
    pub(super) fn consistency(&self, which: Which, older: u64) -> ProofHashes {
        let hashes = self.hashes(which);
        let newer = hashes.len() as u64;
        if older == 0 || older >= newer {
            return Vec::new();
        }
        prove_consistency(older, newer, |place| subtree(hashes, place)).expect("both sizes are of this log")
    }

    pub(super) fn receipt(&self, index: usize) -> Receipt {
        let Written { leaf, salt, event } = self.trail[index].clone();
        let (index, checkpoint) = (TrailIndex(index as u64), self.checkpoint(Which::Trail));
        Receipt { leaf, salt, event, index, proof: self.inclusion(index), checkpoint }
    }

    pub(super) fn item(&self, index: usize) -> TrailItem {
        let Written { leaf, salt, event } = self.trail[index].clone();
        let index = TrailIndex(index as u64);
        TrailItem { leaf, salt: Some(salt), event: Some(event), proof: self.inclusion(index), index }
    }

    fn inclusion(&self, index: TrailIndex) -> ProofHashes {
        let size = self.leaves.len() as u64;
        prove_inclusion(index.0, size, |place| subtree(&self.leaves, place)).expect("a leaf of this trail")
    }

    /// An event of a party, with nothing in it yet but who, and what the ledger was.
    pub(super) fn event(&self, kind: EventKind, party: PartyKey) -> Event {
        let head = self.head(Which::Ledger);
        Event {
            kind,
            party,
            peer: None,
            request: None,
            chain: Vec::new(),
            action: None,
            purpose: None,
            records: Vec::new(),
            count: 0,
            outcome: Outcome(0),
            acting: None,
            head: Head { size: head.size, root: Digest::from_bytes(head.root.0) },
            subject: None,
            place: None,
            request_statement: None,
        }
    }

    /// An event that answers a request.
    pub(super) fn event_of(&self, kind: EventKind, request: &Verified<Request>) -> Event {
        let asked = request.payload();
        Event {
            request: Some(asked.id),
            chain: asked.chain.clone(),
            action: Some(asked.action),
            purpose: Some(asked.purpose),
            request_statement: Some(request.to_unverified()),
            ..self.event(kind, request.signer())
        }
    }
}

/// The hash of a complete subtree over leaf hashes.
fn subtree(leaves: &[TreeHash], place: Place) -> Option<TreeHash> {
    let from = usize::try_from(place.index << place.level).ok()?;
    leaves.get(from..from + (1 << place.level)).map(root_of)
}
