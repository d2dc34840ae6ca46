//! A thief: holds a stolen private key and everything that the host stores, and opens what it can. The host's operator who
//! colludes with a party whose right ended is exactly this.

use karute_consent::encoding::from_bytes;
use karute_consent::id::{CollectionId, Generation, RotationSequence, Seq, StatementId, VaultId};
use karute_consent::ledger::{Body, Item};
use karute_node::agent::keyring::Keyring;
use karute_node::vault::Store;
use karute_protocol::hpke::{Sealed, SealingSecret};
use karute_protocol::keys::Root;
use karute_protocol::message::{Fetch, Message, RecordAnswer};
use karute_protocol::package::{CoreDigest, Package, RootPackageList};
use karute_tests::world::World;

use super::scene::Scene;
use karute_consent::id::RecordId;
use karute_consent::request::Selector;
use karute_consent::scope::Action;

/// Keys that could be got at, to be tried on records.
pub(super) struct Loot {
    keyring: Keyring,
    /// Private keys of epochs and inboxes, to be tried on anything.
    pub(super) secrets: Vec<SealingSecret>,
}

impl Loot {
    /// What the sealing key of a holder opens: every package of every grant that the host stores.
    pub(super) fn of_holder(world: &World, vault: VaultId, sealing: &SealingSecret) -> Self {
        let store = world.host().store();
        let mut keyring = Keyring::new(vault);
        for (grant, core, first) in grants(store, vault) {
            let first = first.map(|bytes| (RotationSequence::FIRST, bytes));
            for (rotation, bytes) in store.packages(vault, grant).unwrap().into_iter().chain(first) {
                let sealed: Sealed = from_bytes(&bytes, bytes.len()).unwrap();
                if let Ok(package) = Package::open(&sealed, sealing, core, rotation) {
                    keyring.add(package.into_items());
                }
            }
        }
        Self { keyring, secrets: Vec::new() }.with_epochs(world, vault)
    }

    /// What the sealing key of a device, or of a recovery code, opens: every list of roots that the host stores.
    pub(super) fn of_device(world: &World, vault: VaultId, sealing: &SealingSecret) -> Self {
        let mut roots: Vec<Root> = Vec::new();
        for item in items(world.host().store(), vault) {
            let (_, Some(Body::Authority(authority))) = item.open().unwrap() else { continue };
            let authority = authority.payload();
            let mut receivers: Vec<_> = authority.devices.iter().map(|device| device.sealing_key.clone()).collect();
            receivers.push(authority.recovery.clone());
            let attachment = &item.attachments.as_ref().unwrap()[0];
            let list = RootPackageList::from_attachment(attachment, &receivers).unwrap();
            if let Ok(opened) = list.open(sealing, vault, authority.number) {
                roots = opened;
            }
        }
        let mut secrets: Vec<SealingSecret> = roots.iter().map(Root::inbox_secret).collect();
        for (collection, month) in places(world, vault) {
            for root in &roots {
                for generation in 1..=GENERATIONS_TRIED {
                    let tree = root.collection_root(vault, collection, Generation(generation));
                    secrets.extend(tree.epoch_secret(month).ok());
                }
            }
        }
        Self { keyring: Keyring::new(vault), secrets }
    }

    fn with_epochs(mut self, world: &World, vault: VaultId) -> Self {
        for (collection, month) in places(world, vault) {
            for generation in 1..=GENERATIONS_TRIED {
                self.secrets.extend(self.keyring.epoch_secret(collection, Generation(generation), month));
            }
        }
        self
    }

    /// Whether any of it opens this record's meta.
    pub(super) fn opens(&mut self, answer: &RecordAnswer) -> bool {
        let (header, run) = (answer.header.clone().verify().unwrap(), answer.run.clone().verify().unwrap());
        let re_wrap = answer.re_wrap.clone().map(|wrap| wrap.verify().unwrap());
        let keys = self.keyring.record_keys(header.payload(), &run, re_wrap.as_ref());
        if keys.is_some_and(|keys| answer.meta.open(&keys.meta).is_ok()) {
            return true;
        }
        let opened = |secret: &SealingSecret| {
            run.payload().open(secret).is_ok()
                || re_wrap.as_ref().is_some_and(|wrap| wrap.payload().open(secret).is_ok())
        };
        self.secrets.iter().any(opened)
    }
}

/// A record as it lies at the host, still sealed, taken by the patient's device over raw frames.
pub(super) async fn ciphertext(scene: &mut Scene, device: &str, record: RecordId) -> RecordAnswer {
    let (transport, key) = {
        let end = scene.world.patient(device);
        (end.agent.transport(), end.device())
    };
    let identity = scene.world.stolen_key(device, key);
    let mut wire = scene.world.wire_of(&transport).await;
    let selector = Selector { records: Some([record].into()), ..Selector::default() };
    let asked = scene.request(Action::Read, &[], 200);
    let request = wire.request(&identity, asked, |request| {
        request.selector = selector;
        request.purpose = karute_consent::purpose::Purpose::PatientRequest;
    });
    let answer = wire.ask(Fetch { request, acting: None, range: None }).await.unwrap();
    let found = answer.messages().find_map(|message| match message {
        Message::RecordAnswer(answer) => Some(*answer),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{answer:?}"))
}

fn items(store: &Store, vault: VaultId) -> Vec<Item> {
    let size = store.ledger_size(vault).unwrap();
    (0..size).map(|seq| store.item(vault, Seq(seq), usize::from(u8::MAX)).unwrap().unwrap()).collect()
}

/// Every grant with the digest of its core and its first package.
fn grants(store: &Store, vault: VaultId) -> Vec<(StatementId, CoreDigest, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for item in items(store, vault) {
        let (_, Some(Body::Grant(grant))) = item.open().unwrap() else { continue };
        let first = item.attachments.as_ref().and_then(|all| all.get(1)).map(|bytes| bytes.to_vec());
        found.push((grant.id(), CoreDigest(grant.payload().core.digest().unwrap()), first));
    }
    found
}

/// Every collection, in the month of the world.
fn places(world: &World, vault: VaultId) -> Vec<(CollectionId, karute_consent::time::Month)> {
    let state = world.host().store().ledger(vault).unwrap().unwrap();
    let month = world.now().month();
    let leaves = state.directory().unwrap().leaves.clone().unwrap();
    leaves.iter().map(|leaf| (leaf.collection, month)).collect()
}

/// Generations of a collection that are tried.
const GENERATIONS_TRIED: u32 = 6;
