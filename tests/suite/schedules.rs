//! A revocation is linearisable (P-43): when it is acknowledged, not one more byte that was permitted under the grant is
//! handed to the transport, whatever the readers do and wherever in their streams it lands.
//!
//! A schedule ([`plan`]) follows from a seed: which records are fetched, over chains of how many grants, by how many readers at
//! once, with which pipes and at which pace (some stall, some never read on), which grant is revoked, by whom, and when. It
//! is played ([`play`]) against a real host; the host's end of every stream notes when each byte was taken ([`stream`]).
//! Deposits ([`deposits`]) and the removal of devices ([`devices`]) have schedules of their own.
//!
//! `KARUTE_SCHEDULES` sets how many schedules all the tests of this file play together.

mod deposits;
mod devices;
mod ground;
mod plan;
mod play;
mod stream;

use std::collections::BTreeMap;

use futures::stream::{StreamExt, iter};
use karute_consent::id::{PartyKey, StatementId};
use karute_consent::policy::DenyReason;
use karute_consent::scope::Action;
use karute_consent::statement::{Verified, sign};

use ground::Ground;
use plan::Plan;
use play::{End, Outcome, holder, play};

/// Schedules of all tests together, unless the environment says otherwise.
const SCHEDULES: usize = 10_000;
/// Schedules that are played in one world.
const IN_ONE_WORLD: usize = 160;
/// Schedules whose grants are appended together.
const IN_ONE_APPEND: usize = 16;
/// Schedules that are played at the same time.
const AT_ONCE: usize = 16;

/// How many of the schedules a test plays that has so many parts in a hundred.
fn share(of_hundred: usize) -> usize {
    let all = std::env::var("KARUTE_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(SCHEDULES);
    all * of_hundred / 100
}

/// What the schedules of a test came to.
#[derive(Default, Debug)]
struct Tally {
    schedules: usize,
    /// Answers whose grant nobody revoked; all of them were whole.
    others: usize,
    /// Revoked answers that were whole before the acknowledgement, that ended with a refusal, and that were cut off.
    whole: usize,
    refused: usize,
    cut: usize,
    /// Bytes of revoked answers before the acknowledgement, and behind it.
    before: u64,
    behind: u64,
    wrong: Vec<String>,
}

impl Tally {
    /// Adds what came of schedules, against what the trail says was refused.
    fn add(&mut self, outcomes: &[Outcome], refusals: &BTreeMap<PartyKey, (u32, u8)>, reason: DenyReason) {
        let mut parties: BTreeMap<PartyKey, u32> = BTreeMap::new();
        for outcome in outcomes {
            self.schedules += 1;
            self.before += outcome.before;
            self.behind += outcome.behind;
            if !outcome.wrong.is_empty() {
                self.wrong.push(outcome.wrong.clone());
            }
            for ended in &outcome.ended {
                let counted = match ended.end {
                    _ if !ended.revoked => &mut self.others,
                    End::Whole => &mut self.whole,
                    End::Refused => &mut self.refused,
                    End::Cut => &mut self.cut,
                };
                *counted += 1;
                *parties.entry(ended.party).or_default() += u32::from(ended.end != End::Whole);
            }
        }
        for (party, wanted) in parties {
            let found = refusals.get(&party).copied().unwrap_or((0, reason.number()));
            if found != (wanted, reason.number()) {
                self.wrong.push(format!("{party}: the trail has {found:?} and not {wanted} refusals"));
            }
        }
    }

    fn judge(self) {
        println!("{self:?}");
        let Self { schedules, behind, wrong, .. } = self;
        assert_eq!(behind, 0, "bytes behind the acknowledgement in {schedules} schedules");
        assert!(wrong.is_empty(), "{} of {schedules}:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
    }
}

/// Plays the schedules with these seeds, some at a time, in a world of their own.
async fn world_of(seeds: std::ops::Range<u64>, tally: &mut Tally) {
    let ground = Ground::new(seeds.start).await;
    let sizes: Vec<usize> = ground.records.iter().map(|(_, size)| *size).collect();
    let plans: Vec<Plan> = seeds.map(|seed| Plan::of(seed, &sizes)).collect();
    let mut outcomes = Vec::new();
    for plans in plans.chunks(IN_ONE_APPEND) {
        let chains = chains_of(&ground, plans).await;
        let played = iter(plans.iter().zip(&chains)).map(|(plan, chain)| play(&ground, plan, chain));
        outcomes.extend(played.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
    }
    tally.add(&outcomes, &ground.refusals().await, DenyReason::Revoked);
}

/// Signs and appends the chains of some schedules, level by level.
async fn chains_of(ground: &Ground, plans: &[Plan]) -> Vec<Vec<StatementId>> {
    let mut chains: Vec<Vec<StatementId>> = vec![Vec::new(); plans.len()];
    for level in 0..3 {
        let mut grants: Vec<Verified<_>> = Vec::new();
        for (plan, chain) in plans.iter().zip(&mut chains).filter(|(plan, _)| plan.levels > level) {
            let parent = chain.last().map(|parent| (*parent, (2 - level) as u8));
            let grant = ground.grant(holder(plan, level).key(), &[Action::List, Action::Read], parent, 2);
            let issuer = if level == 0 { ground.device() } else { holder(plan, level - 1) };
            let grant = sign(grant, &issuer).unwrap();
            chain.push(grant.id());
            grants.push(grant);
        }
        ground.appends_grants(&grants).await;
    }
    chains
}

/// Plays this many schedules of readers, beginning with a seed.
fn play_readers(first: u64, count: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut tally = Tally::default();
    for from in (0..count).step_by(IN_ONE_WORLD) {
        let until = count.min(from + IN_ONE_WORLD);
        runtime.block_on(world_of(first + from as u64..first + until as u64, &mut tally));
    }
    assert_eq!(tally.schedules, count);
    assert!(count < 100 || (tally.whole > 0 && tally.refused > 0), "{tally:?}");
    tally.judge();
}

#[test]
fn no_byte_of_a_revoked_answer_comes_behind_the_acknowledgement_1() {
    play_readers(1_000_000, share(20));
}

#[test]
fn no_byte_of_a_revoked_answer_comes_behind_the_acknowledgement_2() {
    play_readers(2_000_000, share(20));
}

#[test]
fn no_byte_of_a_revoked_answer_comes_behind_the_acknowledgement_3() {
    play_readers(3_000_000, share(20));
}

#[test]
fn no_byte_of_a_revoked_answer_comes_behind_the_acknowledgement_4() {
    play_readers(4_000_000, share(20));
}
