//! The invariants, looked at after each operation: with requests made by hand, so that nothing of an agent's own caution
//! stands between the question and the host, and with every key that a holder was ever given.

use std::collections::BTreeSet;

use karute_consent::encoding::from_bytes;
use karute_consent::id::{PartyKey, RecordId, RequestId, StatementId, VaultId};
use karute_consent::purpose::Purpose;
use karute_consent::request::{Request, Selector};
use karute_consent::scope::Action;
use karute_consent::statement::Unverified;
use karute_node::agent::keyring::Keyring;
use karute_node::net::TransportSeed;
use karute_protocol::hpke::Sealed;
use karute_protocol::message::{self, Message, RecordAnswer};
use karute_protocol::package::{CoreDigest, Package};
use karute_tests::world::{Answered, Wire, World, seed_of};

use super::play::{FACILITIES, PATIENTS, Stage};
use super::reference::For;

type Wrong = Result<(), String>;

/// Who asks the host by hand.
pub(super) struct Asker {
    /// Whose key signs.
    pub(super) name: String,
    pub(super) key: PartyKey,
    pub(super) chain: Vec<StatementId>,
    pub(super) purpose: Purpose,
}

impl Asker {
    /// A request that is well-formed and of the present moment; the session's part is put in when it is signed.
    pub(super) fn request(
        &self,
        wire: &mut Wire,
        world: &World,
        vault: VaultId,
        action: Action,
    ) -> Unverified<Request> {
        let asked = Request {
            id: RequestId::from_bytes(world.host().ambient().entropy()),
            vault,
            chain: self.chain.clone(),
            action,
            selector: Selector::default(),
            purpose: self.purpose,
            acting_hash: None,
            challenge: wire.challenge,
            sequence: 0,
            node: wire.node,
            peer: Vec::new(),
            head: None,
            time: world.now(),
            resumes: None,
        };
        wire.request(&world.stolen_key(&self.name, self.key), asked, |_| ())
    }

    pub(super) async fn wire(&self, world: &World) -> Wire {
        world.wire_of(&TransportSeed::new(seed_of(7, &self.name))).await
    }

    async fn lists(&self, world: &World, vault: VaultId) -> Answered {
        let mut wire = self.wire(world).await;
        let request = self.request(&mut wire, world, vault, Action::List);
        wire.ask(message::List { request, acting: None }).await.expect("an answer")
    }
}

/// The records of an answer, or nothing when it is the refusal.
pub(super) fn records_of(answered: &Answered) -> Option<Vec<RecordAnswer>> {
    if answered.is_refusal() {
        return None;
    }
    let records = answered.messages().filter_map(|message| match message {
        Message::RecordAnswer(record) => Some(*record),
        _ => None,
    });
    Some(records.collect())
}

fn id_of(record: &RecordAnswer) -> RecordId {
    record.header.clone().verify().expect("a signed header").payload().record
}

impl Stage {
    pub(super) fn holder(&self, p: usize, place: usize) -> Asker {
        let shelf = &self.shelves[p];
        let grant = &shelf.grants[place];
        Asker {
            name: FACILITIES[usize::from(grant.holder)].to_owned(),
            key: self.parties[usize::from(grant.holder)],
            chain: shelf.chain(place).into_iter().map(|place| shelf.grants[place].id).collect(),
            purpose: Purpose::Treatment,
        }
    }

    /// Everything that must hold after each operation.
    pub(super) async fn look(&self) -> Wrong {
        for p in 0..PATIENTS.len() {
            for place in 0..self.shelves[p].grants.len() {
                self.look_at_grant(p, place).await?;
            }
            self.look_at_strangers(p).await?;
            self.look_at_keys(p).await?;
        }
        Ok(())
    }

    /// What the host lets a holder do is what the reference says, no more and no less.
    async fn look_at_grant(&self, p: usize, place: usize) -> Wrong {
        let (shelf, vault) = (&self.shelves[p], self.vaults[p]);
        let grant = &shelf.grants[place];
        let in_force = shelf.in_force(place, self.host_now());
        let asker = self.holder(p, place);
        let what = format!("grant {place} of {} to {} ({:?})", PATIENTS[p], asker.name, grant.what);
        let wanted: Option<BTreeSet<RecordId>> =
            in_force.then(|| shelf.readable(place).iter().map(|record| record.id).collect());
        let answered = match grant.what {
            For::Reading => asker.lists(&self.world, vault).await,
            // One that could be used is not used up by looking.
            For::Once if in_force => return Ok(()),
            For::Once => {
                let mut wire = asker.wire(&self.world).await;
                let request = asker.request(&mut wire, &self.world, vault, Action::Read);
                wire.ask(message::Fetch { request, acting: None, range: None }).await.expect("an answer")
            }
            For::Deposit => {
                let mut wire = asker.wire(&self.world).await;
                let request = asker.request(&mut wire, &self.world, vault, Action::Deposit);
                let (collection, month) = (self.collections[p][0], self.world.now().month());
                let answered = wire.ask(message::Key { request, collection, month }).await.expect("an answer");
                let refused = answered.is_refusal();
                return if refused == in_force {
                    Err(format!("{what}: in force {in_force}, refused {refused}"))
                } else {
                    Ok(())
                };
            }
        };
        let found = records_of(&answered).map(|records| records.iter().map(id_of).collect::<BTreeSet<_>>());
        if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:?}, wanted {wanted:?}")) }
    }

    /// Without a grant nobody is shown anything, nor with a device that was removed.
    async fn look_at_strangers(&self, p: usize) -> Wrong {
        let strangers = FACILITIES.iter().zip(&self.parties).map(|(name, key)| ((*name).to_owned(), *key));
        for (name, key) in strangers.chain(self.removed[p].iter().cloned()) {
            let asker = Asker { name, key, chain: Vec::new(), purpose: Purpose::PatientRequest };
            if !asker.lists(&self.world, self.vaults[p]).await.is_refusal() {
                return Err(format!("{} lists the vault of {} without a grant", asker.name, PATIENTS[p]));
            }
        }
        Ok(())
    }

    /// The patient sees every record and no other; and no key that a holder was ever given opens what it must not.
    async fn look_at_keys(&self, p: usize) -> Wrong {
        let (shelf, name) = (&self.shelves[p], PATIENTS[p]);
        let own =
            Asker { name: name.to_owned(), key: self.devices[p], chain: Vec::new(), purpose: Purpose::PatientRequest };
        let shown = records_of(&own.lists(&self.world, self.vaults[p]).await).ok_or("the patient is refused")?;
        let found: BTreeSet<RecordId> = shown.iter().map(id_of).collect();
        let wanted: BTreeSet<RecordId> = shelf.records.iter().filter(|held| !held.gone).map(|held| held.id).collect();
        if found != wanted {
            return Err(format!("{name} is shown {found:?}, not {wanted:?}"));
        }
        for (holder, who) in FACILITIES.into_iter().enumerate() {
            let mut keyring = self.keyring(p, holder);
            for record in &shown {
                let id = id_of(record);
                let held = shelf.records.iter().find(|held| held.id == id).expect("it is shown, so it is there");
                let opened = opens(&mut keyring, record);
                if opened && !shelf.may_open(holder as u8, held) {
                    return Err(format!("{who} opens {id} of {name} with a key that it must not have"));
                }
                if !opened && self.must_open(p, holder, held) {
                    return Err(format!("{who} may read {id} of {name}, and none of its keys opens it"));
                }
            }
        }
        Ok(())
    }

    /// A grant that is in force, and was at the latest moment of the history, comes with keys for all that it covers.
    fn must_open(&self, p: usize, holder: usize, held: &super::reference::Held) -> bool {
        let shelf = &self.shelves[p];
        let mut own = (0..shelf.grants.len()).filter(|place| usize::from(shelf.grants[*place].holder) == holder);
        own.any(|place| {
            shelf.grants[place].what != For::Deposit
                && shelf.in_force(place, self.host_now())
                && shelf.in_force(place, self.latest)
                && shelf.covers(place, held)
        })
    }

    /// Every key that a facility was ever given in a vault, opened with its own sealing key straight from the store.
    fn keyring(&self, p: usize, holder: usize) -> Keyring {
        let vault = self.vaults[p];
        let store = self.world.host().store();
        let ledger = store.ledger(vault).unwrap().unwrap();
        let mut keyring = Keyring::new(vault);
        for grant in ledger.grants().filter(|grant| grant.holder() == self.parties[holder]) {
            let core = CoreDigest(grant.core().digest().unwrap());
            for (rotation, bytes) in store.packages(vault, grant.statement.id()).unwrap() {
                let sealed: Sealed = from_bytes(&bytes, bytes.len()).unwrap();
                let package = Package::open(&sealed, &self.secrets[holder], core, rotation);
                keyring.add(package.expect("a package for this holder").into_items());
            }
        }
        keyring
    }
}

fn opens(keyring: &mut Keyring, record: &RecordAnswer) -> bool {
    let header = record.header.clone().verify().unwrap();
    let run = record.run.clone().verify().unwrap();
    let re_wrap = record.re_wrap.clone().map(|wrap| wrap.verify().unwrap());
    let keys = keyring.record_keys(header.payload(), &run, re_wrap.as_ref());
    keys.is_some_and(|keys| record.meta.open(&keys.meta).is_ok())
}
