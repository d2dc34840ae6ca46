//! Every tree of the index, what its keys and values are, and the version of that.
//!
//! A change of a format raises the version in the tree's name and in [`SCHEMA`]; an index of another schema is thrown
//! away and made again from the journal, which keeps its own versions. Numbers in keys are big-endian. "In pieces" means
//! that a value may be longer than an entry.

/// Names the set of tree formats; an index written under another name is rebuilt.
pub const SCHEMA: &str = "karute-index-2";

macro_rules! trees {
    ($($(#[$doc:meta])* $tree:ident = $name:literal,)+) => {
        /// A tree of the index.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Tree {
            $($(#[$doc])* $tree,)+
        }

        impl Tree {
            /// Every tree, in the order of the enum.
            pub const ALL: &[Tree] = &[$(Tree::$tree,)+];

            /// The name in the store.
            pub const fn name(self) -> &'static str {
                match self { $(Tree::$tree => $name,)+ }
            }
        }
    };
}

trees! {
    /// Schema name, mark of the last applied batch, size of the trail, newest committed time.
    Meta = "meta-v1",
    /// vault -> sizes of its ledger and its trail.
    Vaults = "vaults-v1",
    /// vault, seq -> signed entry and number of attachments.
    LedgerEntries = "ledger-entries-v1",
    /// vault, level, index -> hash of a complete subtree of the ledger's tree.
    LedgerNodes = "ledger-nodes-v1",
    /// vault, seq -> salt and body, in pieces.
    LedgerBodies = "ledger-bodies-v1",
    /// vault, seq, index -> attachment, in pieces.
    LedgerAttachments = "ledger-attachments-v1",
    /// vault, keys root -> seq and index of the attachment.
    KeyLeaves = "key-leaves-v1",
    /// vault, grant, rotation sequence -> seq and index of the attachment, or nothing if it was passed on.
    Packages = "packages-v1",
    /// vault, grant, rotation sequence -> package that was passed on, in pieces.
    PassedPackages = "passed-packages-v1",
    /// index in the trail -> leaf.
    TrailLeaves = "trail-leaves-v2",
    /// index in the trail -> salt and event, in pieces; gone when they are erased.
    TrailEvents = "trail-events-v2",
    /// index in the trail -> where salt and event stand in the journal; gone when they are.
    TrailPlaces = "trail-places-v1",
    /// level, index -> hash of a complete subtree of the trail's tree.
    TrailNodes = "trail-nodes-v1",
    /// vault, number -> index in the trail.
    TrailNumbers = "trail-numbers-v1",
    /// vault, record -> everything about it but its sealed bytes.
    Records = "records-v2",
    /// vault, record -> signed header, in pieces.
    Headers = "headers-v1",
    /// vault, record -> sealed meta, in pieces.
    Metas = "metas-v1",
    /// vault, record -> sealed body if it is short, in pieces.
    ShortBodies = "short-bodies-v1",
    /// vault, collection, generation -> highest number given out.
    PlaceCounts = "place-counts-v1",
    /// vault, collection, generation, number -> record or tombstone.
    Places = "places-v2",
    /// vault, statement -> signed erasure or withdrawal that took records away, in pieces.
    RemovalStatements = "removal-statements-v1",
    /// vault, run -> place, epoch, depositor, ids of the statements.
    Runs = "runs-v1",
    /// vault, run -> signed run, in pieces.
    RunStatements = "run-statements-v1",
    /// vault, run -> signed re-wrap in force, in pieces.
    ReWraps = "re-wraps-v1",
    /// vault, run, record -> nothing.
    RunRecords = "run-records-v1",
    /// body root, vault, record -> nothing.
    BodyNames = "body-names-v1",
    /// vault, signer, request -> signer, chain, time, index in the trail, action, selector; in pieces.
    Requests = "requests-v1",
    /// vault, grant -> number of uses.
    Uses = "uses-v1",
    /// vault, ask -> sender, time, envelope; only while it waits.
    Asks = "asks-v1",
    /// vault, ask -> sealed ask, in pieces; only while it waits.
    AskContents = "ask-contents-v1",
    /// vault, sender, ask -> signed answer, in pieces.
    AskAnswers = "ask-answers-v1",
}
