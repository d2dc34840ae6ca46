//! Plays a history with the real agents and the real host, and with the reference, step by step.

use karute_consent::category::{Category, Kind};
use karute_consent::id::{CollectionId, PartyKey, RecordId, VaultId};
use karute_consent::time::Timestamp;
use karute_protocol::hpke::SealingSecret;
use karute_protocol::trail::EventKind;
use karute_tests::world::{START, World, deposits_to, kind};

use super::op::Op;
use super::reference::{For, Held, Shelf};

pub(super) const PATIENTS: [&str; 2] = ["hanako", "taro"];
pub(super) const FACILITIES: [&str; 3] = ["A", "B", "C"];
/// The third has no collection at first, and deposit grants never name it.
pub(super) const KINDS: [Category; 3] = [Category::Lab, Category::Imaging, Category::Vital];

/// Everything of one history.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) vaults: Vec<VaultId>,
    /// Lab and imaging of each vault.
    pub(super) collections: Vec<[CollectionId; 2]>,
    pub(super) shelves: Vec<Shelf>,
    /// The first device of each patient.
    pub(super) devices: Vec<PartyKey>,
    pub(super) parties: Vec<PartyKey>,
    pub(super) secrets: Vec<SealingSecret>,
    /// Devices that were removed, by name and key.
    pub(super) removed: Vec<Vec<(String, PartyKey)>>,
    /// The latest moment so far.
    pub(super) latest: u64,
    pub(super) cards: Vec<Vec<u8>>,
    /// Requests that were made by hand: who sent them, and the bytes of the message.
    pub(super) kept: Vec<(usize, Vec<u8>)>,
    /// For each patient and facility the least and the most reads that the trail must have.
    pub(super) reads: [[(u64, u64); 3]; 2],
    pub(super) step: usize,
}

/// How much happened in histories.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) histories: usize,
    pub(super) operations: usize,
    pub(super) records: usize,
    pub(super) gone: usize,
    pub(super) grants: usize,
    pub(super) children: usize,
    pub(super) revoked: usize,
    pub(super) devices: u32,
    /// Reads that the trails were proven to have.
    pub(super) reads: u64,
}

impl Tally {
    /// With what happened in another history.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            histories: self.histories + other.histories,
            operations: self.operations + other.operations,
            records: self.records + other.records,
            gone: self.gone + other.gone,
            grants: self.grants + other.grants,
            children: self.children + other.children,
            revoked: self.revoked + other.revoked,
            devices: self.devices + other.devices,
            reads: self.reads + other.reads,
        }
    }
}

/// Plays a history; says what went wrong first.
pub(super) async fn play(seed: u64, ops: &[Op]) -> Result<Tally, String> {
    let mut stage = Stage::new(seed).await;
    for (p, f) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        stage.does(&Op::GrantDeposit { p, f }).await?;
    }
    for (step, op) in ops.iter().enumerate() {
        stage.step = step + 1;
        let place = |wrong| format!("seed {seed}, step {step}, {op:?}: {wrong}");
        stage.does(op).await.map_err(place)?;
        stage.look().await.map_err(place)?;
        if step % 8 == 7 || step + 1 == ops.len() {
            stage.audit().await.map_err(place)?;
        }
    }
    stage.reads_everything().await.map_err(|wrong| format!("seed {seed}, at the end: {wrong}"))?;
    Ok(stage.tally(ops.len()))
}

pub(super) fn of(kinds: u8) -> Vec<Kind> {
    let chosen = KINDS.iter().enumerate().filter(|(place, _)| kinds & (1 << place) != 0);
    chosen.map(|(_, category)| kind(*category)).collect()
}

pub(super) fn bytes_of(file: u8) -> Vec<u8> {
    // One is empty, one is above what stands inline, so that every way of a body is taken.
    let length = [0, 1, 300, 5_000, 90_000, 17][usize::from(file)];
    (0..length).map(|at: u32| (at % 251) as u8 ^ file).collect()
}

impl Stage {
    pub(super) async fn new(seed: u64) -> Self {
        let mut world = World::new(seed).await;
        let (mut vaults, mut links, mut collections, mut devices) = (vec![], vec![], vec![], vec![]);
        for name in PATIENTS {
            let first = [kind(KINDS[0]), kind(KINDS[1])];
            let vault = world.patient(name).creates_vault(&first).await.unwrap();
            let state = world.host().store().ledger(vault).unwrap().unwrap();
            let leaves = state.directory().unwrap().leaves.as_ref().unwrap();
            let ids: Vec<CollectionId> = leaves.iter().map(|leaf| leaf.collection).collect();
            collections.push([ids[0], ids[1]]);
            vaults.push(vault);
            links.push(world.patient(name).link());
            devices.push(world.patient(name).device());
        }
        let (mut parties, mut cards, mut secrets) = (vec![], vec![], vec![]);
        for name in FACILITIES {
            for link in &links {
                world.facility(name).learns(link);
            }
            parties.push(world.facility(name).party());
            cards.push(world.facility(name).card().to_vec());
            let public = world.facility(name).agent.card().payload().sealing_key.clone();
            secrets.push(world.stolen_sealing_key(name, &public));
        }
        Self {
            world,
            vaults,
            collections,
            shelves: vec![Shelf::default(), Shelf::default()],
            devices,
            parties,
            secrets,
            removed: vec![vec![], vec![]],
            latest: START.secs(),
            cards,
            kept: vec![],
            reads: Default::default(),
            step: 0,
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.world.now().secs()
    }

    /// What the host decides by: its clock, or the last time that it committed (P-38).
    pub(super) fn host_now(&self) -> u64 {
        self.now().max(self.world.host().store().last_time().secs())
    }

    pub(super) async fn does(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::GrantDeposit { p, f } => {
                let new = deposits_to(&self.cards[usize::from(f)], &of(0b011));
                self.grants(p, f, new, For::Deposit, 0b011, 90).await
            }
            Op::GrantRead { p, f, kinds, months, of: depositor, days } => {
                let new = self.reading(f, kinds, months, depositor, days);
                self.grants(p, f, new, For::Reading, kinds, u64::from(days)).await
            }
            Op::GrantOnce { p, f, which } => self.grants_records(p, f, which, 1, For::Once).await,
            Op::GrantRecords { p, f, which } => self.grants_records(p, f, which, 2, For::Reading).await,
            Op::Delegate { p, which, t } => self.delegates(p, which, t).await,
            Op::Revoke { p, which } => self.revokes(p, which).await,
            Op::RevokeOnly { p, which } => self.revokes_only(p, which).await,
            Op::Deposit { p, f, kind, file } => self.deposits(p, f, kind, file).await,
            Op::Fetch { p, which } => self.fetches(p, which).await,
            Op::RawFetch { p, which } => self.fetches_by_hand(p, which).await,
            Op::Replay { which } => self.replays(which).await,
            Op::RaceFetch { p, which } => self.races_fetch(p, which).await,
            Op::RaceDeposit { p, f, kind, file, which } => self.races_deposit(p, f, (kind, file), which).await,
            Op::Withdraw { p, f, which } => self.withdraws(p, f, which).await,
            Op::Erase { p, which } => self.erases(p, which).await,
            Op::AddDevice { p } => self.adds_device(p).await,
            Op::RemoveDevice { p } => self.removes_device(p).await,
            Op::Sync { p } => self.syncs(p).await,
            Op::Pass { hours } => {
                self.world.passes(u64::from(hours) * 3600);
                self.latest = self.latest.max(self.now());
                Ok(())
            }
            Op::Back { secs } => {
                // Never so far that the host would refuse to decide (C-41).
                let to = self.now().saturating_sub(u64::from(secs)).max(self.latest - 100);
                self.world.is_now(Timestamp::from_secs(to));
                Ok(())
            }
            Op::Restart => {
                self.world.restarts_host().await;
                let opened = self.world.home().opened().clone();
                if opened.journal_is_behind { Err(format!("{opened:?}")) } else { Ok(()) }
            }
        }
    }

    pub(super) async fn deposits(&mut self, p: u8, f: u8, of: u8, file: u8) -> Result<(), String> {
        // The agent looks for a grant by its own clock, which goes with the host's; the host never goes back.
        let shelf = &self.shelves[usize::from(p)];
        let may = shelf.may_deposit(f, self.now()) && shelf.may_deposit(f, self.host_now());
        let vault = self.vaults[usize::from(p)];
        let facility = self.world.facility(FACILITIES[usize::from(f)]);
        let files = vec![facility.writes(&bytes_of(file), kind(KINDS[usize::from(of)]))];
        match (facility.deposits_files(vault, files).await, may) {
            (Ok(done), true) => {
                let line = &done.records[0];
                let new = self.shelves[usize::from(p)].records.iter().all(|held| held.id != line.record);
                let in_inbox = of == 2 || self.shelves[usize::from(p)].pending.contains(&of);
                if line.existing == new || (new && line.inbox != in_inbox) {
                    return Err(format!("deposited as {line:?}"));
                }
                self.holds(p, f, of, file, line.record, line.inbox);
                Ok(())
            }
            (Err(_), false) => Ok(()),
            (Ok(_), false) => Err("deposited without a right".to_owned()),
            (Err(error), true) => Err(format!("depositing: {error}")),
        }
    }

    pub(super) fn holds(&mut self, p: u8, f: u8, of: u8, file: u8, id: RecordId, in_inbox: bool) {
        let month = self.world.now().month();
        let shelf = &mut self.shelves[usize::from(p)];
        if shelf.records.iter().all(|held| held.id != id) {
            let bytes = bytes_of(file);
            let filed = self.step;
            shelf.records.push(Held { id, bytes, kind: of, depositor: f, month, in_inbox, filed, gone: false });
        }
    }

    pub(super) fn chosen_record(&self, p: u8, which: u8) -> Option<usize> {
        let count = self.shelves[usize::from(p)].records.len();
        (count > 0).then(|| usize::from(which) % count)
    }

    pub(super) async fn withdraws(&mut self, p: u8, f: u8, which: u8) -> Result<(), String> {
        let Some(place) = self.chosen_record(p, which) else { return Ok(()) };
        let (vault, held) = (self.vaults[usize::from(p)], &self.shelves[usize::from(p)].records[place]);
        let (id, own, gone) = (held.id, held.depositor == f, held.gone);
        match self.world.facility(FACILITIES[usize::from(f)]).withdraws(vault, &[id]).await {
            Ok(()) if !own => Err("withdrew what another deposited".to_owned()),
            Err(error) if own && !gone => Err(format!("withdrawing: {error}")),
            Ok(()) => {
                self.shelves[usize::from(p)].records[place].gone = true;
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    pub(super) async fn erases(&mut self, p: u8, which: u8) -> Result<(), String> {
        let Some(place) = self.chosen_record(p, which) else { return Ok(()) };
        let held = &self.shelves[usize::from(p)].records[place];
        let (id, gone) = (held.id, held.gone);
        match self.world.patient(PATIENTS[usize::from(p)]).erases(&[id]).await {
            Err(error) if !gone => Err(format!("erasing: {error}")),
            _ => {
                self.shelves[usize::from(p)].records[place].gone = true;
                Ok(())
            }
        }
    }

    pub(super) async fn adds_device(&mut self, p: u8) -> Result<(), String> {
        let shelf = &mut self.shelves[usize::from(p)];
        if shelf.devices.len() >= 3 {
            return Ok(());
        }
        shelf.devices_ever += 1;
        shelf.devices.push(shelf.devices_ever);
        let name = device_name(p, shelf.devices_ever);
        let (first, new) = self.world.devices(PATIENTS[usize::from(p)], &name);
        first.takes_in(new).await.map_err(|error| format!("taking a device in: {error}"))?;
        self.shelves[usize::from(p)].files_inbox(self.step);
        Ok(())
    }

    pub(super) async fn removes_device(&mut self, p: u8) -> Result<(), String> {
        let Some(number) = self.shelves[usize::from(p)].devices.pop() else { return Ok(()) };
        let name = device_name(p, number);
        let key = self.world.patient(&name).device();
        let first = self.world.patient(PATIENTS[usize::from(p)]);
        first.removes(key).await.map_err(|error| format!("removing a device: {error}"))?;
        self.shelves[usize::from(p)].pending.clear();
        self.removed[usize::from(p)].push((name.clone(), key));
        match self.world.patient(&name).lists().await {
            Ok(_) => Err("a removed device lists".to_owned()),
            Err(_) => Ok(()),
        }
    }

    pub(super) async fn syncs(&mut self, p: u8) -> Result<(), String> {
        let newest = self.shelves[usize::from(p)].devices.last().filter(|_| self.step.is_multiple_of(2)).copied();
        let name = newest.map_or(PATIENTS[usize::from(p)].to_owned(), |number| device_name(p, number));
        let synced = self.world.patient(&name).syncs().await.map_err(|error| format!("syncing: {error}"))?;
        self.shelves[usize::from(p)].files_inbox(self.step);
        let listed = self.world.patient(&name).lists().await.map_err(|error| format!("listing: {error}"))?;
        let count = self.shelves[usize::from(p)].records.iter().filter(|held| !held.gone).count();
        let whole = listed.complete && listed.closed == 0 && listed.records.len() == count && synced.pending.is_empty();
        if whole { Ok(()) } else { Err(format!("{count} records, and listed are {listed:?}, {synced:?}")) }
    }

    fn tally(&self, operations: usize) -> Tally {
        let shelves = self.shelves.iter();
        let mut tally = Tally { histories: 1, operations, ..Tally::default() };
        for shelf in shelves {
            tally.records += shelf.records.len();
            tally.gone += shelf.records.iter().filter(|held| held.gone).count();
            tally.grants += shelf.grants.len();
            tally.children += shelf.grants.iter().filter(|grant| grant.parent.is_some()).count();
            tally.revoked += shelf.grants.iter().filter(|grant| grant.revoked.is_some()).count();
            tally.devices += shelf.devices_ever;
        }
        tally.reads = self.reads.iter().flatten().map(|(least, _)| least).sum();
        tally
    }

    /// The trail has no gap, its proofs hold, and every permitted reading is in it.
    pub(super) async fn audit(&mut self) -> Result<(), String> {
        for (p, name) in PATIENTS.into_iter().enumerate() {
            let trail = self.world.patient(name).audits().await.map_err(|error| format!("auditing: {error}"))?;
            let checks = &trail.checks;
            if !checks.gapless || !checks.proofs || !checks.not_shorter || checks.receipts_missing > 0 {
                return Err(format!("the trail of {name}: {checks:?}"));
            }
            for (f, party) in self.parties.iter().enumerate() {
                let read = |line: &&karute_node::flow::agent::audit::TrailLine| {
                    line.kind == EventKind::Read && line.party == *party && line.outcome == 0
                };
                let (found, (least, most)) = (trail.lines.iter().filter(read).count() as u64, self.reads[p][f]);
                if found < least || found > most {
                    return Err(format!(
                        "{found} reads of {} in the trail of {name}, not {least} to {most}",
                        FACILITIES[f]
                    ));
                }
            }
        }
        Ok(())
    }

    /// At the end every grant is used once with the real agent, and the patients read everything.
    pub(super) async fn reads_everything(&mut self) -> Result<(), String> {
        for (p, name) in PATIENTS.into_iter().enumerate() {
            for place in 0..self.shelves[p].grants.len() {
                self.fetches_under(p as u8, place).await.map_err(|wrong| format!("grant {place}: {wrong}"))?;
            }
            for at in 0..self.shelves[p].records.len() {
                let held = &self.shelves[p].records[at];
                let (id, gone) = (held.id, held.gone);
                match self.world.patient(name).reads(id).await {
                    Ok(_) if gone => return Err(format!("{id} is gone and was read")),
                    Ok(bytes) if bytes != self.shelves[p].records[at].bytes => {
                        return Err(format!("{id} has other bytes"));
                    }
                    Err(error) if !gone => return Err(format!("{id}: {error}")),
                    _ => {}
                }
            }
        }
        self.audit().await
    }
}

fn device_name(p: u8, number: u32) -> String {
    format!("{}/device-{number}", PATIENTS[usize::from(p)])
}
