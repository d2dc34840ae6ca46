//! Load on a running node, over the network: `load ADDRESS CODE PID RECORDS SECONDS`.
//!
//! Makes a vault with RECORDS records of 4 KB on the node, and 64 holders of a grant, each with a connection of its own.
//! Then it fetches single records for SECONDS with 1, 16 and 64 of them at once, and many records in one request, and
//! prints a line of a table for each. PID is the node's process, whose CPU time and memory are read from /proc.
//! What a holder does here is what the agent does up to the point where it would open and write the record.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use karute_consent::card::{Card, CardKind};
use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::id::{RecordId, StatementId, VaultId};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::request::Selector;
use karute_consent::scope::Action;
use karute_consent::sealing::Suite;
use karute_consent::statement::sign;
use karute_consent::template::Template;
use karute_node::agent::connect::Connect;
use karute_node::agent::facility::{Facility, NewFacility};
use karute_node::agent::patient::Patient;
use karute_node::agent::view::VaultView;
use karute_node::ambient::Ambient;
use karute_node::flow::agent::create::{CreateVault, create_vault, fresh_recovery_code};
use karute_node::flow::agent::deposit::{NewRecord, deposit};
use karute_node::flow::agent::grant::{NewGrant, grant};
use karute_node::flow::agent::reach::{Reach, Wanted};
use karute_node::flow::agent::session::{Incoming, Session};
use karute_node::net::{Dialer, TransportSeed};
use karute_protocol::hpke::SealingSecret;
use karute_protocol::message::{Fetch, Message};
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A holder of a grant with an open session.
struct Holder {
    identity: Identity,
    grant: StatementId,
    view: VaultView,
    session: Session,
    ambient: Ambient,
    /// State of a small generator that picks records.
    pick: u64,
}

/// What the node's process has used so far.
#[derive(Clone, Copy)]
struct Used {
    cpu_secs: f64,
    rss_mib: f64,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, code, pid, records, secs] = words.as_slice() else {
        eprintln!("usage: load ADDRESS CODE PID RECORDS SECONDS");
        return ExitCode::from(2);
    };
    let done =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Into::into).and_then(|runtime| {
            let (records, secs) = (records.parse()?, secs.parse()?);
            runtime.block_on(run(address, code, pid, records, Duration::from_secs(secs)))
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(address: &str, code: &str, pid: &str, records: usize, time: Duration) -> Outcome<()> {
    let ambient = Ambient::system();
    let mut patient = Patient::in_memory(&ambient, "bench");
    let mut reach = network(&patient.transport())?;
    let wanted = CreateVault {
        host: address.to_owned(),
        registration: Some(code.to_owned()),
        kinds: vec![LAB],
        witnesses: Default::default(),
    };
    let vault = create_vault(&mut patient, &mut reach, wanted, &fresh_recovery_code(&ambient)).await?.vault;
    let ids = fill(&mut patient, &mut reach, vault, records, pid).await?;
    let mut holders = Vec::new();
    for number in 0..HOLDERS {
        holders.push(holder(&mut patient, &mut reach, vault, address, number).await?);
    }
    println!("memory of the node with {records} records, {HOLDERS} connections: {:.0} MiB", used(pid)?.rss_mib);
    for clients in [1, 16, HOLDERS] {
        let some = holders.split_off(holders.len() - clients);
        holders.extend(singles(some, &ids, time, pid).await?);
    }
    let Some(one) = holders.first_mut() else { return Ok(()) };
    many(one, &ids, time, pid).await
}

fn network(seed: &TransportSeed) -> Outcome<Reach> {
    Ok(Reach::new(Connect::Network(Dialer::new(seed)?)))
}

/// Deposits records of 4096 random bytes.
async fn fill(
    patient: &mut Patient,
    reach: &mut Reach,
    vault: VaultId,
    records: usize,
    pid: &str,
) -> Outcome<Vec<RecordId>> {
    let ambient = Ambient::system();
    let new = NewFacility {
        kind: CardKind::Facility,
        name: "depositor".to_owned(),
        suite: Suite::XWing,
        addresses: Vec::new(),
        evidence: None,
    };
    let mut facility = Facility::in_memory(&ambient, new)?;
    let link = patient.link().ok_or("a vault has a link")?.clone();
    facility.learn(&link)?;
    grant(patient, reach, granting(facility.card_bytes().to_vec(), Template::Deposit)).await?;
    let mut way = network(&facility.transport())?;
    let (mut ids, before, start) = (Vec::with_capacity(records), used(pid)?, Instant::now());
    let mut depositing = Duration::ZERO;
    while ids.len() < records {
        let folder = tempfile::tempdir()?;
        let files =
            (ids.len()..records.min(ids.len() + BATCH)).map(|i| file(folder.path(), i)).collect::<Outcome<_>>()?;
        let begun = Instant::now();
        let deposited = deposit(&mut facility, &mut way, vault, files, &mut |_| ()).await?;
        depositing += begun.elapsed();
        ids.extend(deposited.records.iter().map(|line| line.record));
    }
    let cpu = used(pid)?.cpu_secs - before.cpu_secs;
    println!(
        "deposit of {records} records of 4 KB: {:.1} s ({:.1} s with making the files), {:.0} a second, node {:.2} CPU-ms each",
        depositing.as_secs_f64(),
        start.elapsed().as_secs_f64(),
        records as f64 / depositing.as_secs_f64(),
        cpu * 1000.0 / records as f64
    );
    Ok(ids)
}

fn file(folder: &Path, number: usize) -> Outcome<NewRecord> {
    let path = folder.join(format!("{number}.bin"));
    std::fs::write(&path, Ambient::system().entropy::<4096>())?;
    Ok(NewRecord {
        path,
        title: format!("record {number}"),
        category: LAB.category,
        sensitivity: LAB.sensitivity,
        media_type: "application/octet-stream".to_owned(),
        service_date: None,
        author: None,
        labels: Vec::new(),
        file_name: None,
        supersedes: None,
    })
}

fn granting(card: Vec<u8>, template: Template) -> NewGrant {
    NewGrant {
        card,
        template,
        actions: None,
        kinds: vec![LAB],
        months: None,
        records: Vec::new(),
        depositors: Vec::new(),
        purposes: None,
        days: None,
        uses: None,
        depth: None,
        obligations: Vec::new(),
        language: "en".to_owned(),
        text: "for measuring".to_owned(),
    }
}

/// A holder with a grant to read and a connection of its own.
async fn holder(
    patient: &mut Patient,
    reach: &mut Reach,
    vault: VaultId,
    address: &str,
    number: usize,
) -> Outcome<Holder> {
    let ambient = Ambient::system();
    let identity = Identity::from_seed(&ambient.entropy());
    let sealing = SealingSecret::new(Suite::X25519, ambient.entropy::<32>().into());
    let card = Card {
        kind: CardKind::Facility,
        name: format!("holder {number}"),
        sealing_key: sealing.public(),
        issued: ambient.now(),
        evidence: None,
        addresses: None,
    };
    let card = sign(card, &identity)?.bytes().to_vec();
    let grant = grant(patient, reach, granting(card, Template::OngoingCare)).await?.grant;
    let dialer = Dialer::new(&TransportSeed::new(ambient.entropy()))?;
    let line = Connect::Network(dialer).open(&[address.to_owned()]).await?;
    let session = Session::open(line, Vec::new()).await?;
    let pick = u64::from_be_bytes(ambient.entropy()) | 1;
    Ok(Holder { identity, grant, view: VaultView::new(vault), session, ambient, pick })
}

impl Holder {
    fn pick(&mut self, ids: &[RecordId]) -> RecordId {
        self.pick ^= self.pick << 13;
        self.pick ^= self.pick >> 7;
        self.pick ^= self.pick << 17;
        ids[(self.pick % ids.len() as u64) as usize]
    }

    /// One signed request, and everything that answers it; how many records came.
    async fn fetch(&mut self, records: BTreeSet<RecordId>) -> Outcome<u64> {
        let wanted = Wanted {
            action: Action::Read,
            chain: vec![self.grant],
            selector: Selector { collections: None, months: None, records: Some(records) },
            purpose: Purpose::Treatment,
            resumes: None,
        };
        let request = self.session.request(&self.ambient, &self.identity, &self.view, &wanted, None)?.to_unverified();
        let mut pending = self.session.start(Fetch { request, acting: None, range: None }).await?;
        let mut came = 0;
        loop {
            match pending.next().await? {
                Incoming::Message(Message::RecordAnswer(_)) => came += 1,
                Incoming::Message(Message::End(_)) => return Ok(came),
                Incoming::Message(_) | Incoming::Piece(_) => {}
            }
        }
    }
}

/// Single records, by some holders at once.
async fn singles(some: Vec<Holder>, ids: &[RecordId], time: Duration, pid: &str) -> Outcome<Vec<Holder>> {
    let (clients, before, start) = (some.len(), used(pid)?, Instant::now());
    let mut tasks = JoinSet::new();
    for mut holder in some {
        let ids = ids.to_vec();
        tasks.spawn(async move {
            let mut times = Vec::new();
            while start.elapsed() < time {
                let (begun, record) = (Instant::now(), holder.pick(&ids));
                if holder.fetch(BTreeSet::from([record])).await? != 1 {
                    return Err("the record did not come".into());
                }
                times.push(begun.elapsed());
            }
            Outcome::Ok((holder, times))
        });
    }
    let (mut holders, mut times) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (holder, took) = done??;
        holders.push(holder);
        times.extend(took);
    }
    let (elapsed, after) = (start.elapsed().as_secs_f64(), used(pid)?);
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    println!(
        "fetch of single records, {clients:2} clients: {:6.0} a second, p50 {:.2} ms, p99 {:.2} ms, node {:.2} CPU-ms each",
        times.len() as f64 / elapsed,
        at(0.5),
        at(0.99),
        (after.cpu_secs - before.cpu_secs) * 1000.0 / times.len() as f64
    );
    Ok(holders)
}

/// Many records in one request.
async fn many(holder: &mut Holder, ids: &[RecordId], time: Duration, pid: &str) -> Outcome<()> {
    let (before, start) = (used(pid)?, Instant::now());
    let (mut came, mut requests) = (0, 0);
    while start.elapsed() < time {
        let wanted = (0..IN_ONE_REQUEST).map(|_| holder.pick(ids)).collect();
        came += holder.fetch(wanted).await?;
        requests += 1;
    }
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), used(pid)?.cpu_secs - before.cpu_secs);
    println!(
        "fetch of up to {IN_ONE_REQUEST} records in one request, 1 client: {:.0} records a second ({requests} requests), node {:.3} CPU-ms each",
        came as f64 / elapsed,
        cpu * 1000.0 / came as f64
    );
    Ok(())
}

/// CPU time and resident memory of a process, from /proc.
fn used(pid: &str) -> Outcome<Used> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    let pages: u64 = fields[21].parse()?;
    Ok(Used { cpu_secs: ticks as f64 / TICKS_PER_SEC, rss_mib: pages as f64 * 4096.0 / 1048576.0 })
}

const LAB: Kind = Kind { category: Category::Lab, sensitivity: Sensitivity::Normal };
const HOLDERS: usize = 64;
/// Files of one deposit.
const BATCH: usize = 5000;
const IN_ONE_REQUEST: usize = 500;
/// What Linux counts CPU time in.
const TICKS_PER_SEC: f64 = 100.0;
