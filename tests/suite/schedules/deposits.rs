//! Deposits while their grant is revoked: after the acknowledgement no piece is taken, nothing is stored, and no answer but
//! a refusal or a fault is given.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream::{StreamExt, iter};
use karute_consent::id::{RecordId, RunId, StatementId};
use karute_consent::ledger::EntryKind;
use karute_consent::party::Identity;
use karute_consent::policy::DenyReason;
use karute_consent::request::Head;
use karute_consent::scope::Action;
use karute_consent::sealing::Suite;
use karute_consent::statement::{Verified, sign};
use karute_consent::tree::digest_of;
use karute_node::frame::FrameId;
use karute_node::vault::upload_id;
use karute_protocol::body::SealedLen;
use karute_protocol::hpke::Sealed;
use karute_protocol::message::frame::FrameKind;
use karute_protocol::message::{self, Fault, FaultCode, Message, Revoke};
use karute_protocol::padding::padded_len;
use karute_protocol::record::{Header, SealedMeta, body_facts};
use karute_protocol::run::{RecordPlace, Run};
use karute_protocol::wire::{ByteCount, Octets};
use karute_tests::world::{START, seed_of};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::ground::{Ground, Seat};
use super::plan::Dice;
use super::play::acknowledged;
use super::stream::Pace;

/// One schedule of a deposit.
#[derive(Clone, Debug)]
struct Deposit {
    seed: u64,
    /// Grants in the chain; the last is the depositor's.
    levels: usize,
    revoked: usize,
    append: bool,
    /// Which body.
    body: usize,
    piece: usize,
    pipe: usize,
    /// Steps of the depositor before the revocation is sent: the key, the run, the offset, each piece, the put.
    steps: usize,
}

/// How far a depositor is.
#[derive(Default)]
struct Steps {
    done: AtomicUsize,
    one_more: Notify,
}

impl Steps {
    fn step(&self) {
        self.done.fetch_add(1, Ordering::SeqCst);
        self.one_more.notify_one();
    }

    async fn reach(&self, steps: usize) {
        while self.done.load(Ordering::SeqCst) < steps {
            self.one_more.notified().await;
        }
    }
}

/// Lengths of the plain bodies.
const BODIES: [u64; 4] = [900, 70_000, 300_000, 1_500_000];

impl Deposit {
    fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let levels = 1 + dice.below(2);
        let body = dice.below(BODIES.len());
        let piece = dice.pick(&[16 << 10, 64 << 10, 256 << 10, 1 << 20]);
        let pieces = if body == 0 { 0 } else { BODIES[body] as usize / piece + 1 };
        Self {
            seed,
            levels,
            revoked: dice.below(levels),
            append: dice.once_in(3),
            body,
            piece,
            pipe: dice.pick(&[4 << 10, 64 << 10, 1 << 20]),
            steps: dice.below(pieces + 6),
        }
    }

    fn holder(&self, level: usize) -> Identity {
        Identity::from_seed(&seed_of(self.seed, &format!("depositor {level}")))
    }

    fn record(&self) -> RecordId {
        RecordId::from_bytes(short(self.seed, "record"))
    }
}

fn short(seed: u64, of: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&seed_of(seed, of)[..16]);
    short
}

/// Sealed bodies as a host sees them: noise of a length that a sealed body may have.
fn bodies() -> Vec<Vec<u8>> {
    let sealed = |plain| SealedLen::of_plain(padded_len(plain)).unwrap().sealed();
    BODIES.iter().map(|plain| (0..sealed(*plain)).map(|at| (at as u8).wrapping_mul(31)).collect()).collect()
}

/// Deposits until it is stored or the host says no; gives the number of the put, if it came to that.
async fn deposits(
    ground: &Ground,
    plan: &Deposit,
    chain: &[StatementId],
    body: &[u8],
    seat: &mut Seat,
    steps: &Steps,
) -> Option<FrameId> {
    let signer = plan.holder(plan.levels - 1);
    let request = ground.request(seat, &signer, Action::Deposit, chain, None);
    let key = message::Key { request, collection: ground.collection, month: START.month() };
    steps.step();
    is_good(seat.wire.ask(key).await?.first())?;
    let run = Run {
        run: RunId::from_bytes(short(plan.seed, "run")),
        vault: ground.vault,
        collection: ground.collection,
        generation: ground.state().generation_in_force(ground.collection).expect("nothing of it is pending"),
        epoch: START.month(),
        depositor: signer.key(),
        grant: chain.last().copied(),
        head: Head { size: 0, root: digest_of(&[]) },
        seal: Sealed::new(Suite::X25519, vec![1; 32], vec![2; 48]).unwrap(),
    };
    let run = sign(run, &signer).unwrap();
    steps.step();
    is_good(seat.wire.ask(message::OpenRun { run: run.to_unverified() }).await?.first())?;
    let inline = plan.body == 0;
    if !inline {
        let length = ByteCount(body.len() as u64);
        let begin = message::Body { run: run.payload().run, record: plan.record(), length };
        steps.step();
        is_good(seat.wire.ask(begin).await?.first())?;
        for piece in body.chunks(plan.piece) {
            steps.step();
            seat.wire.send(FrameKind::Piece, piece.to_vec()).await?;
        }
    }
    let meta = SealedMeta(Octets(vec![3; 200]));
    let place =
        RecordPlace { vault: ground.vault, run: run.payload().run, depositor: signer.key(), record: plan.record() };
    let header = Header::new(&place, &body_facts(body).unwrap(), &meta, None, START);
    let header = sign(header, &signer).unwrap().to_unverified();
    let put = message::Put { header, meta, body: inline.then(|| Octets(body.to_vec())) };
    steps.step();
    let number = seat.sends(put).await;
    seat.wire.answer_to(number).await?;
    Some(number)
}

/// Nothing for a refusal or a fault.
fn is_good(answer: Option<Message>) -> Option<Message> {
    answer.filter(|message| !matches!(message, Message::Refusal(_) | Message::Fault(_)))
}

/// What the depositor had handed over of a body that is not whole, as it lies on disk.
fn taken(ground: &Ground, plan: &Deposit, body: &[u8]) -> Option<u64> {
    let id = upload_id(ground.vault, plan.holder(plan.levels - 1).key(), plan.record());
    let name: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let path: PathBuf = ground.world.folder().join("host/incoming").join(format!("{name}-{}", body.len()));
    std::fs::metadata(path).ok().map(|meta| meta.len())
}

/// Revokes after so many steps; gives the stamp of the acknowledgement and what was taken when it came.
async fn revokes(
    ground: &Ground,
    plan: &Deposit,
    chain: &[StatementId],
    body: &[u8],
    steps: &Steps,
) -> (u64, Option<u64>) {
    let mut seat = ground.seat(&format!("revoker {}", plan.seed), 64 << 10, Pace::Fast).await;
    let _ = timeout(Duration::from_millis(100), steps.reach(plan.steps)).await;
    loop {
        let revocation = ground.revocation(chain[plan.revoked], &ground.device());
        let message = match plan.append {
            true => Message::from(ground.append(EntryKind::Revocation, &revocation, &[], &ground.device())),
            false => Revoke { revocation: revocation.to_unverified() }.into(),
        };
        let number = seat.sends(message).await;
        match seat.wire.answer_to(number).await.expect("a revocation is answered").first() {
            Some(Message::Appended(_)) => return (acknowledged(&seat.log, number), taken(ground, plan, body)),
            Some(Message::Fault(fault)) if *fault == (Fault { code: FaultCode::Conflict }) => {}
            other => panic!("{plan:?}: {other:?}"),
        }
    }
}

/// Plays one; gives what was wrong, and whether the record was stored.
async fn play(ground: &Ground, plan: &Deposit, chain: &[StatementId], body: &[u8]) -> (Vec<String>, bool) {
    let steps = Steps::default();
    let mut seat = ground.seat(&format!("depositor {}", plan.seed), plan.pipe, Pace::Fast).await;
    let ((acknowledged, taken_then), put) = tokio::join!(
        revokes(ground, plan, chain, body, &steps),
        deposits(ground, plan, chain, body, &mut seat, &steps)
    );
    let mut wrong = Vec::new();
    let frames = seat.log.frames();
    let told = |frame: &&super::stream::Handed| frame.number > 1 && !matches!(frame.tag(), Some(REFUSAL | FAULT));
    let behind = frames.iter().filter(told).filter(|frame| frame.done > acknowledged).count();
    if behind > 0 {
        wrong.push(format!("{behind} answers behind the acknowledgement"));
    }
    let stored = put.is_some_and(|put| frames.iter().any(|f| f.number == put.0 && f.tag() == Some(STORED)));
    let there = ground.world.host().store().find(ground.vault, plan.record()).unwrap().is_some();
    if there != stored {
        wrong.push(format!("stored: {there}, and the depositor was told {stored}"));
    }
    match (taken_then, taken(ground, plan, body)) {
        (then, Some(now)) if then != Some(now) => wrong.push(format!("{then:?} bytes were taken, and then {now}")),
        _ => {}
    }
    (wrong.into_iter().map(|what| format!("{plan:?}: {what}")).collect(), stored)
}

async fn world_of(seeds: std::ops::Range<u64>, stored: &mut usize, wrong: &mut Vec<String>) {
    let ground = Ground::new(seeds.start).await;
    let bodies = bodies();
    let plans: Vec<Deposit> = seeds.map(Deposit::of).collect();
    let mut ended = Vec::new();
    for plans in plans.chunks(super::IN_ONE_APPEND) {
        let chains = chains_of(&ground, plans).await;
        let played = iter(plans.iter().zip(&chains)).map(async |(plan, chain)| {
            let (wrong, stored) = play(&ground, plan, chain, &bodies[plan.body]).await;
            (plan.holder(plan.levels - 1).key(), wrong, stored)
        });
        ended.extend(played.buffer_unordered(super::AT_ONCE).collect::<Vec<_>>().await);
    }
    let refusals = ground.refusals().await;
    for (party, what, was_stored) in ended {
        *stored += usize::from(was_stored);
        wrong.extend(what);
        let refused = refusals.get(&party).map(|(_, reason)| *reason);
        if refused != (!was_stored).then_some(DenyReason::Revoked.number()) {
            wrong.push(format!("{party}: stored {was_stored}, and the trail has {refused:?}"));
        }
    }
}

async fn chains_of(ground: &Ground, plans: &[Deposit]) -> Vec<Vec<StatementId>> {
    let mut chains: Vec<Vec<StatementId>> = vec![Vec::new(); plans.len()];
    for level in 0..2 {
        let mut grants: Vec<Verified<_>> = Vec::new();
        for (plan, chain) in plans.iter().zip(&mut chains).filter(|(plan, _)| plan.levels > level) {
            let parent = chain.last().map(|parent| (*parent, 0));
            let grant = ground.grant(plan.holder(level).key(), &[Action::Deposit], parent, 1);
            let issuer = if level == 0 { ground.device() } else { plan.holder(0) };
            let grant = sign(grant, &issuer).unwrap();
            chain.push(grant.id());
            grants.push(grant);
        }
        ground.appends_grants(&grants).await;
    }
    chains
}

#[test]
fn no_piece_and_no_record_is_taken_behind_the_acknowledgement() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (count, first) = (super::share(15), 5_000_000);
    let (mut stored, mut wrong) = (0, Vec::new());
    for from in (0..count).step_by(super::IN_ONE_WORLD) {
        let until = count.min(from + super::IN_ONE_WORLD);
        runtime.block_on(world_of(first + from as u64..first + until as u64, &mut stored, &mut wrong));
    }
    println!("{count} deposits, {stored} of them stored before the acknowledgement");
    assert!(count < 100 || (stored > 0 && stored < count));
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
}

const REFUSAL: u8 = 8;
const STORED: u8 = 24;
const FAULT: u8 = 42;
