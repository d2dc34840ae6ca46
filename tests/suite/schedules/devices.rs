//! Devices that are removed while they read: when the authority without them is acknowledged, they are handed nothing more.

use std::collections::BTreeSet;
use std::time::Duration;

use karute_consent::id::{AuthorityNumber, RecordId, RootNumber};
use karute_consent::ledger::EntryKind;
use karute_consent::party::Identity;
use karute_consent::policy::DenyReason;
use karute_consent::scope::Action;
use karute_consent::sealing::{SealingKey, Suite};
use karute_consent::statement::sign;
use karute_consent::tree::digest_of;
use karute_consent::vault::{Authority, Device};
use karute_protocol::message::{Attach, Fetch, Message};
use karute_protocol::wire::Octets;
use karute_tests::world::{START, seed_of};
use tokio::time::timeout;

use super::ground::{Ground, Seat};
use super::plan::Dice;
use super::play::{End, acknowledged, end_of};
use super::stream::{Log, Pace};

/// What the roots are sealed in, for a host that cannot tell.
const ROOTS: &[u8] = b"roots";

fn device(seed: u64, number: usize) -> Identity {
    Identity::from_seed(&seed_of(seed, &format!("device {number}")))
}

fn sealing_key(seed: u64, of: &str) -> SealingKey {
    SealingKey::new(Suite::X25519, seed_of(seed, of).to_vec()).unwrap()
}

/// Appends an authority with the vault's own device and these; gives the stamp of the acknowledgement.
async fn appoints(ground: &Ground, seat: &mut Seat, seed: u64, devices: &[Identity]) -> u64 {
    let before = ground.state().authority().unwrap().payload().clone();
    let own = before.devices.iter().find(|device| device.key == ground.device().key()).cloned().unwrap();
    let more =
        devices.iter().map(|device| Device { key: device.key(), sealing_key: sealing_key(0, "any"), added: START });
    let mut devices: Vec<Device> = more.chain([own]).collect();
    devices.sort_by_key(|device| device.key);
    let removes = before.devices.iter().any(|old| !devices.iter().any(|device| device.key == old.key));
    let mut after =
        Authority { number: AuthorityNumber(before.number.0 + 1), devices, roots: digest_of(&[ROOTS]), ..before };
    if removes {
        after.root_number = RootNumber(after.root_number.0 + 1);
        after.inbox = sealing_key(seed, &format!("inbox {}", after.number.0));
        after.audit = sealing_key(seed, &format!("audit {}", after.number.0));
    }
    let body = sign(after, &ground.identity).unwrap();
    let _ = seat.wire.ask(Attach { bytes: Octets(ROOTS.to_vec()) }).await.unwrap();
    let append = ground.append(EntryKind::Authority, &body, &[ROOTS.to_vec()], &ground.identity);
    let number = seat.sends(append).await;
    let answered = seat.wire.answer_to(number).await.unwrap();
    assert!(matches!(answered.first(), Some(Message::Appended(_))), "{answered:?}");
    acknowledged(&seat.log, number)
}

/// Waits until the first reader was handed so many bytes, or for as long as a reader that stalls may take.
async fn moment(log: &Log, bytes: usize) {
    let _ = timeout(Duration::from_millis(100), log.reaches(log.len() + bytes)).await;
}

/// Some devices read, some of them are removed meanwhile; gives what was wrong, and how the removed ones ended.
async fn play(ground: &Ground, seed: u64) -> (Vec<String>, Vec<(Identity, End, bool)>) {
    let mut dice = Dice(seed);
    let count = 1 + dice.below(4);
    let devices: Vec<Identity> = (0..count).map(|number| device(seed, number)).collect();
    let remaining: Vec<Identity> = (dice.below(count)..count - 1).map(|number| device(seed, number)).collect();
    let mut revoker = ground.seat(&format!("identity {seed}"), 64 << 10, Pace::Fast).await;
    appoints(ground, &mut revoker, seed, &devices).await;
    let wanted: BTreeSet<RecordId> =
        (0..=dice.below(3)).map(|_| ground.records[dice.below(ground.records.len())].0).collect();
    let (mut seats, mut bytes) = (Vec::new(), 0);
    for (number, identity) in devices.iter().enumerate() {
        let pace = match dice.below(60) {
            0 if remaining.iter().all(|other| other.key() != identity.key()) => Pace::Stop(dice.below(100_000)),
            1..=12 => Pace::Stall(dice.below(200_000), 1 + dice.below(60) as u64),
            13..=24 => Pace::Slow(64 << 10),
            _ => Pace::Fast,
        };
        let pipe = dice.pick(&[256, 16 << 10, 64 << 10, 1 << 20]);
        let mut seat = ground.seat(&format!("device {seed} {number}"), pipe, pace).await;
        let request = ground.request(&mut seat, identity, Action::Read, &[], Some(wanted.clone()));
        let number = seat.sends(Fetch { request, acting: None, range: None }).await;
        bytes = ground.records.iter().filter(|(record, _)| wanted.contains(record)).map(|(_, size)| size).sum();
        let log = seat.log.clone();
        let reading = tokio::spawn(async move { seat.has_what_comes(number).await });
        seats.push((log, number, reading));
    }
    let after = if dice.once_in(8) { 0 } else { dice.below(bytes + bytes / 8 + 6_000) };
    moment(&seats[0].0, after).await;
    let acknowledged = appoints(ground, &mut revoker, seed, &remaining).await;
    let (mut wrong, mut removed) = (Vec::new(), Vec::new());
    for (identity, (log, number, reading)) in devices.into_iter().zip(seats) {
        reading.await.unwrap();
        let frames = log.answer(number);
        let end = end_of(&frames);
        if remaining.iter().any(|other| other.key() == identity.key()) {
            if end != End::Whole {
                wrong.push(format!("{seed}: a device that remains ended {end:?}"));
            }
            continue;
        }
        let behind = frames.iter().filter(|frame| frame.tag() != Some(8) && frame.done > acknowledged).count();
        if behind > 0 {
            wrong.push(format!("{seed}: {behind} frames behind the acknowledgement"));
        }
        let permitted = frames.first().is_some_and(|frame| frame.tag() == Some(26));
        removed.push((identity, end, permitted));
    }
    (wrong, removed)
}

#[test]
fn a_removed_device_is_handed_nothing_behind_the_acknowledgement() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (count, first) = (super::share(5) as u64, 6_000_000);
    let (mut wrong, mut ends) = (Vec::new(), [0; 3]);
    for from in (0..count).step_by(super::IN_ONE_WORLD) {
        runtime.block_on(async {
            let ground = Ground::new(first + from).await;
            let mut all = Vec::new();
            for seed in from..count.min(from + super::IN_ONE_WORLD as u64) {
                let (what, removed) = play(&ground, first + seed).await;
                wrong.extend(what);
                all.extend(removed);
            }
            let refusals = ground.refusals().await;
            for (identity, end, permitted) in all {
                ends[end as usize] += 1;
                let found = refusals.get(&identity.key()).copied();
                let wanted = Some((1, DenyReason::NoGrant.number()));
                let fits = match (end, permitted) {
                    (End::Whole, _) => found.is_none(),
                    (_, true) => found == wanted,
                    // Removed before it was permitted anything, it is a stranger; or its permission was never handed over.
                    (_, false) => found.is_none() || found == wanted,
                };
                if !fits {
                    wrong.push(format!("{}: {end:?}, and the trail has {found:?}", identity.key()));
                }
            }
        });
    }
    println!("{count} removals; of the removed devices' answers {ends:?} were whole, refused, cut off");
    assert!(count < 100 || ends[0] > 0 && ends[1] > 0, "{ends:?}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
}
