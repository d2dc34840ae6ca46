//! The keys that open records: a device's, derived from the vault's roots, or a holder's, from the packages of its grants.
//!
//! Opened run secrets are kept while the keyring lives, since the records of one run share one.

use std::collections::HashMap;

use karute_consent::id::{CollectionId, Generation, RecordId, RootNumber, StatementId, VaultId};
use karute_consent::statement::Verified;
use karute_consent::time::Month;
use karute_protocol::hpke::SealingSecret;
use karute_protocol::keys::{Root, TreeNode};
use karute_protocol::package::PackageItem;
use karute_protocol::record::Header;
use karute_protocol::record::keys::{RecordKey, RecordKeys};
use karute_protocol::run::{ReWrap, RecordPlace, Run, RunSecret};

/// Keys for reading.
pub struct Keyring {
    vault: VaultId,
    nodes: HashMap<(CollectionId, Generation), Vec<TreeNode>>,
    inboxes: HashMap<Generation, SealingSecret>,
    records: HashMap<RecordId, RecordKeys>,
    /// Roots, and which root each generation's keys come from; empty for a holder.
    roots: Vec<Root>,
    generations: HashMap<(CollectionId, Generation), RootNumber>,
    /// Opened run secrets by the id of the run or re-wrap that was opened.
    opened: HashMap<StatementId, RunSecret>,
}

impl Keyring {
    /// No keys.
    pub fn new(vault: VaultId) -> Self {
        Self {
            vault,
            nodes: HashMap::new(),
            inboxes: HashMap::new(),
            records: HashMap::new(),
            roots: Vec::new(),
            generations: HashMap::new(),
            opened: HashMap::new(),
        }
    }

    /// A device's keys: everything that its roots lead to.
    pub fn of_roots(
        vault: VaultId,
        roots: Vec<Root>,
        generations: HashMap<(CollectionId, Generation), RootNumber>,
    ) -> Self {
        let inbox = |root: &Root| (Generation(root.number().0), root.inbox_secret());
        let inboxes = roots.iter().map(inbox).collect();
        Self { roots, generations, inboxes, ..Self::new(vault) }
    }

    /// Adds what a package gave.
    pub fn add(&mut self, items: Vec<PackageItem>) {
        for item in items {
            match item {
                PackageItem::Node { collection, generation, node } => {
                    self.nodes.entry((collection, generation)).or_default().push(node);
                }
                PackageItem::Record { record, keys } => drop(self.records.insert(record, keys)),
                PackageItem::Root(_) => {} // roots come with authorities and are a device's
            }
        }
    }

    /// The private epoch key of a month, if a node here leads to it.
    pub fn epoch_secret(
        &self,
        collection: CollectionId,
        generation: Generation,
        month: Month,
    ) -> Option<SealingSecret> {
        if let Some(number) = self.generations.get(&(collection, generation)) {
            let root = self.roots.iter().find(|root| root.number() == *number)?;
            return root.collection_root(self.vault, collection, generation).epoch_secret(month).ok();
        }
        let nodes = self.nodes.get(&(collection, generation))?;
        nodes.iter().find(|node| node.name().contains(month))?.epoch_secret(month).ok()
    }

    /// The secret of a run, opened through its re-wrap in force where there is one.
    pub fn run_secret(&mut self, run: &Verified<Run>, re_wrap: Option<&Verified<ReWrap>>) -> Option<&RunSecret> {
        let id = re_wrap.map_or(run.id(), Verified::id);
        if !self.opened.contains_key(&id) {
            let secret = match re_wrap.map(Verified::payload) {
                Some(wrap) => wrap.open(&self.epoch_secret(wrap.collection, wrap.generation, wrap.epoch)?).ok()?,
                None => self.open_run(run.payload())?,
            };
            if self.opened.len() >= OPENED_MAX {
                self.opened.clear();
            }
            self.opened.insert(id, secret);
        }
        self.opened.get(&id)
    }

    fn open_run(&self, run: &Run) -> Option<RunSecret> {
        if run.collection == CollectionId::INBOX {
            return run.open(self.inboxes.get(&run.generation)?).ok();
        }
        run.open(&self.epoch_secret(run.collection, run.generation, run.epoch)?).ok()
    }

    /// The keys of a record: its own, or those that its run's secret leads to.
    pub fn record_keys(
        &mut self,
        header: &Header,
        run: &Verified<Run>,
        re_wrap: Option<&Verified<ReWrap>>,
    ) -> Option<RecordKeys> {
        let of = RecordPlace {
            vault: self.vault,
            run: header.run,
            depositor: run.payload().depositor,
            record: header.record,
        };
        if let Some(secret) = self.run_secret(run, re_wrap) {
            return Some(secret.record_keys(&of));
        }
        let kept = self.records.get(&header.record)?;
        Some(RecordKeys { meta: kept.meta.copy(), body: kept.body.as_ref().map(RecordKey::copy) })
    }
}

/// Run secrets kept open at a time.
const OPENED_MAX: usize = 4096;
