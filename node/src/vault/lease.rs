//! Leases: what is on its way to a peer under a permit, so that a revocation can wait for it (P-43).
//!
//! Whoever answers under a permit takes a lease, and each of its frames rests on it. The writer of the stream *enters*
//! the lease before it hands a frame to the transport and leaves it when the transport took the frame. Who revokes
//! publishes the new ledger state first, then closes every lease whose permit does not hold in it: a closed lease is not
//! entered any more, so frames that wait in a queue are dropped there, and only who is inside is waited for. A peer that
//! does not read keeps the writer inside: then its stream is cut off, so that nobody can hold up a revocation.
//!
//! Why nothing slips through: a lease is entered in the list before the permit is looked at, and the list is read after
//! the new state is published. So either the list shows the lease to who revokes, or the look shows the new state.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use karute_consent::id::{StatementId, VaultId};
use karute_consent::ledger::LedgerState;
use karute_consent::policy::{DenyReason, Permit, recheck};
use karute_consent::time::Timestamp;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::store::{ReadError, Slot, Store};

/// Ends the writer of one stream, once. A clone is the same one.
#[derive(Clone, Default)]
pub struct Cut(Arc<Notify>);

/// The leases of one vault.
#[derive(Default)]
pub(super) struct Leases(Mutex<Listed>);

#[derive(Default)]
struct Listed {
    next: u64,
    held: BTreeMap<u64, Weak<Lease>>,
}

/// What one answer rests on.
pub struct Lease {
    slot: Arc<Slot>,
    /// Place in the slot's list.
    serial: u64,
    permit: Permit,
    /// A grant that must not be revoked either.
    beside: Option<StatementId>,
    /// [`CLOSED`], and [`ONE_INSIDE`] times how many are inside.
    gate: AtomicUsize,
    /// Frames that wait for the writer or are with it.
    waiting: AtomicUsize,
    /// A frame was dropped before the transport had taken all of it.
    lost: AtomicBool,
    changed: Notify,
    cut: Cut,
}

/// A frame that waits for the writer. It is lost if this is dropped before it was handed over.
pub struct OnItsWay {
    lease: Arc<Lease>,
    handed_over: bool,
}

/// Being inside a lease: who revokes waits until this is dropped.
pub struct Entered(Arc<Lease>);

impl Store {
    /// A lease for an answer under this permit, on a stream that `cut` ends; `None` if the vault is not here.
    /// `beside` names a grant that must stay in force too.
    pub fn lease(
        &self,
        permit: &Permit,
        beside: Option<StatementId>,
        cut: &Cut,
    ) -> Result<Option<Arc<Lease>>, ReadError> {
        let Some(slot) = self.slot(permit.vault())? else { return Ok(None) };
        let mut listed = slot.leases.listed();
        listed.next += 1;
        let serial = listed.next;
        let lease = Arc::new(Lease {
            slot: Arc::clone(&slot),
            serial,
            permit: permit.clone(),
            beside,
            gate: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
            changed: Notify::new(),
            cut: cut.clone(),
        });
        listed.held.insert(serial, Arc::downgrade(&lease));
        drop(listed);
        Ok(Some(lease))
    }

    /// Looks at a lease's permit again (C-52).
    pub fn holds(&self, lease: &Lease, now: Timestamp) -> Result<Result<(), DenyReason>, ReadError> {
        let state = self.ledger_of(lease.permit.vault(), &lease.slot)?.ok_or(ReadError::Damaged)?;
        Ok(lease.holds_in(&state, now))
    }

    /// Waits until nothing is on its way under a permit that does not hold in the ledger as it is now. Whoever is
    /// still inside after `patience` is cut off. Not to be called by who has the vault's turn.
    pub async fn settle(&self, vault: VaultId, now: Timestamp, patience: Duration) -> Result<(), ReadError> {
        let Some(slot) = self.slot(vault)? else { return Ok(()) };
        let Some(state) = self.ledger_of(vault, &slot)? else { return Ok(()) };
        let mut ended = slot.leases.all();
        ended.retain(|lease| lease.holds_in(&state, now).is_err());
        ended.iter().for_each(|lease| lease.close());
        let empty = async {
            for lease in &ended {
                lease.is_empty().await;
            }
        };
        if timeout(patience, empty).await.is_err() {
            ended.retain(|lease| lease.gate.load(Ordering::SeqCst) >= ONE_INSIDE);
            ended.iter().for_each(|lease| lease.cut.now());
            for lease in &ended {
                lease.is_empty().await;
            }
        }
        Ok(())
    }
}

impl Lease {
    /// The permit that it is for.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// A frame under this lease sets out. It can still be stopped until the writer enters.
    pub fn sets_out(self: &Arc<Self>) -> OnItsWay {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        OnItsWay { lease: Arc::clone(self), handed_over: false }
    }

    /// Enters; `None` once the lease is closed. The permit must be looked at after this or before each frame.
    pub fn enter(self: &Arc<Self>) -> Option<Entered> {
        let before = self.gate.fetch_add(ONE_INSIDE, Ordering::SeqCst);
        let entered = Entered(Arc::clone(self));
        (before & CLOSED == 0).then_some(entered)
    }

    /// Whether who revokes has closed it.
    pub fn is_closed(&self) -> bool {
        self.gate.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Waits until no frame is on its way; whether the transport took all of them.
    pub async fn arrives(&self) -> bool {
        self.until(|| self.waiting.load(Ordering::SeqCst) == 0).await;
        !self.lost.load(Ordering::SeqCst)
    }

    fn close(&self) {
        self.gate.fetch_or(CLOSED, Ordering::SeqCst);
    }

    async fn is_empty(&self) {
        self.until(|| self.gate.load(Ordering::SeqCst) < ONE_INSIDE).await;
    }

    async fn until(&self, so: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if so() {
                return;
            }
            changed.await;
        }
    }

    fn holds_in(&self, state: &LedgerState, now: Timestamp) -> Result<(), DenyReason> {
        recheck(&self.permit, state, now)?;
        match self.beside {
            Some(grant) if state.is_revoked(grant) => Err(DenyReason::Revoked),
            _ => Ok(()),
        }
    }
}

impl OnItsWay {
    /// The writer takes the frame up; `None` when it must not be written any more.
    pub fn enter(&self) -> Option<Entered> {
        self.lease.enter()
    }

    /// The transport took the frame.
    pub fn is_handed_over(mut self) {
        self.handed_over = true;
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        if !self.handed_over {
            self.lease.lost.store(true, Ordering::SeqCst);
        }
        if self.lease.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.lease.changed.notify_waiters();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.gate.fetch_sub(ONE_INSIDE, Ordering::SeqCst);
        if before & CLOSED != 0 {
            self.0.changed.notify_waiters();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.slot.leases.listed().held.remove(&self.serial);
    }
}

impl Leases {
    /// All that are held. Given out, so that none of them is dropped while the list is locked.
    fn all(&self) -> Vec<Arc<Lease>> {
        self.listed().held.values().filter_map(Weak::upgrade).collect()
    }

    /// Nothing in here panics while the lock is held.
    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cut {
    /// Cuts.
    pub fn now(&self) {
        self.0.notify_one();
    }

    /// Waits for the cut. Only one may wait.
    pub async fn comes(&self) {
        self.0.notified().await;
    }
}

/// Nobody enters any more.
const CLOSED: usize = 1;
/// What each who is inside adds to the gate.
const ONE_INSIDE: usize = 2;
