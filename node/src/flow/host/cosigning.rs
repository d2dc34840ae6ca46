//! Cosigning: witnesses are shown the logs of this host, so that it cannot show others something else.
//!
//! The trail is shown to the witnesses that the custodian chose, whenever it has grown and at least once an hour. A
//! ledger is shown to the vault's own witnesses when somebody asks for its heads and what there is is not fresh, and at
//! once after a revocation or an authority. A host without witnesses goes on as before; whoever reads its checkpoints
//! sees that nobody else saw them.
//!
//! One task ([`keep_cosigned`]) does what happens by itself; it ends when the host closes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use karute_consent::id::{PartyKey, Seq, VaultId};
use karute_consent::ledger::Subject;
use karute_consent::time::Timestamp;
use karute_consent::vault::WitnessSet;
use karute_protocol::cosignature::witnessed;
use karute_protocol::merkle::TreeHead;
use karute_protocol::trail::{CheckpointText, Log};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Host;
use super::answer::Turned;
use crate::cosign::{NotCosigned, Question, WitnessEnd, Witnesses};
use crate::vault::{Cosigned, KnownSize};

/// What a host needs to be cosigned.
pub(super) struct Cosigning {
    pub(super) witnesses: Arc<Witnesses>,
    /// Vaults whose witnesses are being asked, or were a moment ago. Locked for a look only.
    flights: Mutex<HashMap<VaultId, Arc<Flight>>>,
    /// Vaults to be cosigned without anybody waiting for it.
    soon: mpsc::Sender<VaultId>,
    /// The other end, until [`keep_cosigned`] takes it.
    taken: Mutex<Option<mpsc::Receiver<VaultId>>>,
}

/// Everybody who wants one ledger cosigned at a time.
struct Flight {
    under_way: AtomicBool,
    /// Times that the witnesses were asked to the end.
    done: watch::Sender<u64>,
}

/// A flight that has begun; it has ended when this is dropped.
struct UnderWay(Arc<Flight>);

/// A head that was the newest one at a time.
pub(super) struct Newest {
    /// When.
    pub(super) time: Timestamp,
    /// The head.
    pub(super) head: TreeHead,
    /// Its checkpoint with the cosignatures that there are.
    pub(super) text: CheckpointText,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.store(false, Ordering::Release);
        self.0.done.send_modify(|done| *done += 1);
    }
}

impl Cosigning {
    pub(super) fn new(witnesses: Witnesses) -> Self {
        let (soon, taken) = mpsc::channel(SOON_MAX);
        Self { witnesses: Arc::new(witnesses), flights: Mutex::default(), soon, taken: Mutex::new(Some(taken)) }
    }

    fn flight(&self, vault: VaultId) -> Arc<Flight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.len() >= FLIGHTS_MAX {
            flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        }
        let begun = || Arc::new(Flight { under_way: AtomicBool::new(false), done: watch::Sender::new(0) });
        flights.entry(vault).or_insert_with(begun).clone()
    }
}

impl Host {
    /// The witnesses of this host.
    pub fn witnesses(&self) -> &Witnesses {
        &self.cosigning.witnesses
    }

    /// Has a ledger cosigned without waiting for it. When too many wait, those who ask for the heads see to it.
    pub(super) fn cosign_soon(&self, vault: VaultId) {
        if self.cosigning.soon.try_send(vault).is_err() {
            tracing::debug!("a ledger is not cosigned in advance");
        }
    }

    /// The same, if something was appended from an entry on that others must not be kept from seeing.
    pub(super) fn cosign_what_binds(&self, vault: VaultId, from: u64) -> Result<(), Turned> {
        let state = self.store.ledger(vault)?.ok_or(Turned::Refused)?;
        let binds = |seq| matches!(state.subject(Seq(seq)), Some(Subject::Authority | Subject::Revocation(_)));
        if state.witness_set().quorum > 0 && (from..state.size()).any(binds) {
            self.cosign_soon(vault);
        }
        Ok(())
    }

    /// The checkpoint of a ledger with the cosignatures that exist for that very head.
    pub(super) fn checkpoint_of(&self, vault: VaultId, head: TreeHead) -> CheckpointText {
        let log = Log::Ledger(vault);
        match self.store.cosigned(log).filter(|cosigned| cosigned.head == head) {
            Some(cosigned) => cosigned.text.clone(),
            None => CheckpointText::sign(log, head, &self.log),
        }
    }

    /// The newest head of a ledger, cosigned by the quorum of the vault's witnesses lately ([`Pace`](crate::cosign::Pace)),
    /// if they answer within [`PATIENCE`]. Later answers are there for who asks then; all who ask share them.
    pub(super) async fn newest_of_ledger(self: &Arc<Self>, vault: VaultId) -> Result<Newest, Turned> {
        let (set, newest) = self.ledger_now(vault)?;
        if set.quorum == 0 || self.is_fresh(&set, &newest) {
            return Ok(newest);
        }
        let asking = async {
            // Witnesses that were being asked already may have been asked about an older head.
            for _ in 0..2 {
                self.join_flight(vault).await;
                if self.ledger_now(vault).is_ok_and(|(set, newest)| self.is_fresh(&set, &newest)) {
                    return;
                }
            }
        };
        let _ = timeout(PATIENCE, asking).await; // what is there when the time is over counts
        Ok(self.ledger_now(vault)?.1)
    }

    /// Waits until the witnesses of a vault have been asked; begins it if nobody does.
    async fn join_flight(self: &Arc<Self>, vault: VaultId) {
        let flight = self.cosigning.flight(vault);
        let mut done = flight.done.subscribe();
        if !flight.under_way.swap(true, Ordering::AcqRel) {
            let (host, under_way) = (Arc::clone(self), UnderWay(flight));
            let mut closing = host.closing.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    _ = closing.wait_for(|closing| *closing) => {}
                    () = host.ask_for_ledger(vault, &under_way.0) => {}
                }
                drop(under_way);
            });
        }
        // An error would mean that the flight is gone, which is held here or by its task.
        let _ = done.changed().await;
    }

    fn ledger_now(&self, vault: VaultId) -> Result<(WitnessSet, Newest), Turned> {
        let state = self.store.ledger(vault)?.ok_or(Turned::Refused)?;
        let (time, head) = self.at_one_time(|| self.store.ledger_head(vault));
        let head = head?;
        Ok((state.witness_set(), Newest { time, head, text: self.checkpoint_of(vault, head) }))
    }

    fn is_fresh(&self, set: &WitnessSet, newest: &Newest) -> bool {
        let counted = witnessed(&newest.text, set).ok();
        let at = counted.and_then(|witnessing| witnessing.at);
        let fresh_secs = self.cosigning.witnesses.pace().ledger_fresh_secs;
        at.is_some_and(|at| at.secs().saturating_add(fresh_secs) >= self.ambient.now().secs())
    }

    /// Asks those of the set whose cosignature of the newest head is not fresh, all at once. Who waits is told when the
    /// quorum stands; the others are then waited for a little, so that what they know is known here.
    async fn ask_for_ledger(&self, vault: VaultId, flight: &Flight) {
        let Ok((set, newest)) = self.ledger_now(vault) else { return };
        let Newest { time, head, text } = newest;
        let ends = set.witnesses.iter().filter_map(|witness| self.cosigning.witnesses.end_of(witness));
        let mut round = Round::new(self, Log::Ledger(vault), head, text);
        round.ask_all(ends, self.cosigning.witnesses.pace().ledger_fresh_secs);
        let enough = |text: &CheckpointText| self.is_fresh(&set, &Newest { time, head, text: text.clone() });
        let _ = timeout(ROUND_TIME, round.gather(enough)).await; // what is there when the time is over counts
        round.keep();
        flight.done.send_modify(|done| *done += 1);
        let _ = timeout(GRACE, round.gather(|_| false)).await;
        round.keep();
    }

    /// Has the newest head of the trail cosigned by those of the chosen witnesses that have not done so lately.
    async fn cosign_trail(&self) {
        let newest = self.store.trail_head();
        let head = TreeHead { size: newest.size, root: newest.root };
        let kept = self.store.cosigned(Log::Trail).filter(|kept| kept.head == head);
        let text = kept.map_or_else(|| newest.text.clone(), |kept| kept.text.clone());
        let mut round = Round::new(self, Log::Trail, head, text);
        round.ask_all(self.cosigning.witnesses.chosen().iter().cloned(), AGAIN_SECS);
        let _ = timeout(ROUND_TIME, round.gather(|_| false)).await;
        round.keep();
        if let Ok(notes) = serde_json::to_vec(&self.cosigning.witnesses.notes()) {
            self.store.keep_witness_notes(&notes);
        }
    }

    /// Whether a chosen witness has not cosigned the newest head of the trail, or only long ago.
    fn trail_is_due(&self) -> bool {
        let newest = self.store.trail_head();
        let chosen = self.cosigning.witnesses.chosen();
        if newest.size == 0 || chosen.is_empty() {
            return false;
        }
        let kept = self.store.cosigned(Log::Trail).filter(|kept| kept.head.size == newest.size);
        let now = self.ambient.now();
        chosen.iter().any(|end| kept.as_ref().is_none_or(|kept| is_due(&kept.text, end, AGAIN_SECS, now)))
    }
}

/// Whether a witness has not cosigned this text within so many seconds.
fn is_due(text: &CheckpointText, end: &WitnessEnd, secs: u64, now: Timestamp) -> bool {
    let time = text.cosignature_of(&end.key).ok().flatten();
    time.is_none_or(|time| time.secs().saturating_add(secs) < now.secs())
}

/// One head shown to several witnesses at once.
struct Round<'a> {
    host: &'a Host,
    log: Log,
    head: TreeHead,
    text: CheckpointText,
    known: HashMap<PartyKey, u64>,
    asking: JoinSet<(WitnessEnd, Result<CheckpointText, NotCosigned>)>,
    gained: bool,
}

impl<'a> Round<'a> {
    fn new(host: &'a Host, log: Log, head: TreeHead, text: CheckpointText) -> Self {
        let kept = host.store.cosigned(log);
        let known = kept.iter().flat_map(|kept| &kept.known).map(|known| (known.witness, known.size)).collect();
        Self { host, log, head, text, known, asking: JoinSet::new(), gained: false }
    }

    /// Asks each whose cosignature is older than `secs`.
    fn ask_all(&mut self, ends: impl Iterator<Item = WitnessEnd>, secs: u64) {
        let now = self.host.ambient.now();
        let plain = CheckpointText::sign(self.log, self.head, &self.host.log);
        for end in ends.filter(|end| is_due(&self.text, end, secs, now)) {
            let known = self.known.get(&end.key.party.key()).copied().unwrap_or(0);
            let store = self.host.store.clone();
            let question = Question { store, log: self.log, head: self.head, text: plain.clone() };
            let witnesses = Arc::clone(&self.host.cosigning.witnesses);
            self.asking.spawn(async move {
                let asked = witnesses.ask(&end, &question, known, now).await;
                (end, asked)
            });
        }
    }

    /// Takes answers as they come, until `enough` says so or nobody is left.
    async fn gather(&mut self, enough: impl Fn(&CheckpointText) -> bool) {
        while let Some(asked) = self.asking.join_next().await {
            let Ok((end, asked)) = asked else { continue };
            match asked {
                Ok(cosigned) => self.take(&end, &cosigned),
                Err(NotCosigned { error, held }) => {
                    tracing::debug!(%error, "a witness did not cosign");
                    if let Some(held) = held {
                        self.host.take_shown(&held);
                    }
                }
            }
            if enough(&self.text) {
                return;
            }
        }
    }

    fn take(&mut self, end: &WitnessEnd, cosigned: &CheckpointText) {
        let lines = cosigned.0.split_once("\n\n").map_or("", |(_, lines)| lines);
        match self.text.with_lines(lines, &end.key) {
            Ok(text) => self.text = text,
            Err(error) => return tracing::debug!(%error, "a cosignature does not fit to the checkpoint"),
        }
        self.known.insert(end.key.party.key(), self.head.size);
        self.gained = true;
    }

    /// Keeps what was gained, unless a newer head has been cosigned meanwhile.
    fn keep(&mut self) {
        let kept = self.host.store.cosigned(self.log);
        if !std::mem::take(&mut self.gained) || kept.is_some_and(|kept| kept.head.size > self.head.size) {
            return;
        }
        let known = self.known.iter().map(|(witness, size)| KnownSize { witness: *witness, size: *size });
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|known| known.witness);
        known.truncate(KNOWN_MAX);
        self.host.store.keep_cosigned(self.log, Cosigned { head: self.head, text: self.text.clone(), known });
    }
}

/// Keeps the trail cosigned, and ledgers that were changed; ends when the host closes.
pub async fn keep_cosigned(host: Arc<Host>) {
    let Some(soon) = host.cosigning.taken.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return tracing::error!("a host is kept cosigned twice");
    };
    let mut closing = host.closing.subscribe();
    tokio::select! {
        _ = closing.wait_for(|closing| *closing) => {}
        () = keep_trail(&host) => {}
        () = keep_ledgers(&host, soon) => {}
    }
}

async fn keep_trail(host: &Host) {
    let mut heads = host.store.trail_heads();
    loop {
        heads.mark_unchanged();
        if host.trail_is_due() {
            host.cosign_trail().await;
            sleep(host.cosigning.witnesses.pace().trail_every).await;
        } else {
            // An error would mean that the store is gone, which this task holds.
            let _ = timeout(LOOK_EVERY, heads.changed()).await;
        }
    }
}

async fn keep_ledgers(host: &Arc<Host>, mut soon: mpsc::Receiver<VaultId>) {
    let mut asking = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = asking.join_next(), if !asking.is_empty() => {}
            next = soon.recv(), if asking.len() < AT_ONCE_MAX => {
                let Some(vault) = next else { return };
                let host = Arc::clone(host);
                asking.spawn(async move { host.newest_of_ledger(vault).await.is_ok() });
            }
        }
    }
}

/// A head of the trail that does not change is cosigned again after this.
const AGAIN_SECS: u64 = 3600;
/// Longest wait for witnesses.
const ROUND_TIME: Duration = Duration::from_secs(10);
/// How long slower witnesses are waited for when the quorum stands.
const GRACE: Duration = Duration::from_millis(250);
/// Longest time that somebody who asks for heads waits for witnesses.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often is looked whether the trail is to be cosigned again although it did not grow.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Ledgers that are cosigned at a time without anybody waiting.
const AT_ONCE_MAX: usize = 16;
/// Ledgers that wait for that.
const SOON_MAX: usize = 1024;
/// Ledgers of which is known who asks.
const FLIGHTS_MAX: usize = 4096;
/// Witnesses of a log whose last size is kept.
const KNOWN_MAX: usize = 64;
