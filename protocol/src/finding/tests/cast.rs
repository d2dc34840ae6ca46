//! Who takes part: a host with its trail, a device, facilities, a witness; and one finding of each kind.

use std::collections::BTreeSet;

use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::{
    Challenge, CollectionId, Digest, Generation, NodeId, RecordId, RequestId, Salt, Seq, StatementId, VaultId,
};
use karute_consent::ledger::{Entry, EntryKind, Item, body_hash};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::request::{Head, Request, Selector};
use karute_consent::revocation::{Revocation, RevocationReason};
use karute_consent::scope::{Action, Scope};
use karute_consent::statement::{Statement, Unverified, Verified, sign};
use karute_consent::time::{Timestamp, Validity};
use karute_consent::vault::Nonce;

use super::super::{Finding, SignedHead};
use crate::cosignature::{WitnessKey, cosign};
use crate::merkle::{Place, TreeHash, TreeHead, prove_consistency, prove_inclusion, root_of};
use crate::record::RecordNumber;
use crate::trail::*;
use crate::wire::Octets;

pub(super) const VAULT: VaultId = VaultId::from_bytes([1; 32]);
pub(super) const OTHER_VAULT: VaultId = VaultId::from_bytes([9; 32]);

pub(super) fn host() -> Identity {
    Identity::from_seed(&[2; 32])
}

pub(super) fn node() -> NodeId {
    NodeId::from_bytes(*host().key().as_bytes())
}

pub(super) fn device() -> Identity {
    Identity::from_seed(&[3; 32])
}

/// The holder of the grants.
pub(super) fn clinic() -> Identity {
    Identity::from_seed(&[4; 32])
}

pub(super) fn witness() -> (Identity, WitnessKey) {
    let identity = Identity::from_seed(&[5; 32]);
    let key = WitnessKey { name: "witness.example/1".parse().unwrap(), party: identity.party() };
    (identity, key)
}

pub(super) fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_795_000_000 + secs)
}

pub(super) fn header(number: u8) -> StatementId {
    StatementId::from_bytes([number; 32])
}

/// A host's trail. Cloned and gone on with differently, it is a fork.
#[derive(Clone)]
pub(super) struct Diary {
    pub(super) entries: Vec<(Leaf, Salt, Event)>,
    hashes: Vec<TreeHash>,
}

impl Diary {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), hashes: Vec::new() }
    }

    /// The clinic read so many times, once every ten seconds from 0 on.
    pub(super) fn of_reads(count: u64) -> Self {
        let mut diary = Self::new();
        for number in 0..count {
            diary.write(VAULT, 10 * number, read(10 * number));
        }
        diary
    }

    /// Appends an event; its index.
    pub(super) fn write(&mut self, vault: VaultId, secs: u64, event: Event) -> usize {
        let number = self.count(vault) + 1;
        self.write_as(vault, number, secs, event)
    }

    /// Appends an event under a number that may be wrong.
    pub(super) fn write_as(&mut self, vault: VaultId, number: u64, secs: u64, event: Event) -> usize {
        let salt = Salt::from_bytes([self.entries.len() as u8; 32]);
        let leaf = Leaf::new(vault, TrailNumber(number), at(secs), &event, &salt).unwrap();
        self.hashes.push(leaf.hash().unwrap());
        self.entries.push((leaf, salt, event));
        self.entries.len() - 1
    }

    pub(super) fn count(&self, vault: VaultId) -> u64 {
        self.entries.iter().filter(|(leaf, ..)| leaf.vault == vault).count() as u64
    }

    fn stored(&self) -> impl Fn(Place) -> Option<TreeHash> {
        |place| {
            let (start, len) = ((place.index as usize) << place.level, 1 << place.level);
            self.hashes.get(start..start + len).map(root_of)
        }
    }

    pub(super) fn size(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn head_at(&self, size: usize) -> TreeHead {
        TreeHead { size: size as u64, root: root_of(&self.hashes[..size]) }
    }

    pub(super) fn checkpoint_at(&self, size: usize) -> CheckpointText {
        CheckpointText::sign(Log::Trail, self.head_at(size), &host())
    }

    pub(super) fn checkpoint(&self) -> CheckpointText {
        self.checkpoint_at(self.size())
    }

    pub(super) fn receipt_at(&self, index: usize, size: usize) -> Receipt {
        let (leaf, salt, event) = self.entries[index].clone();
        let proof = prove_inclusion(index as u64, size as u64, self.stored()).unwrap();
        let checkpoint = self.checkpoint_at(size);
        Receipt { leaf, salt, event, index: TrailIndex(index as u64), proof, checkpoint }
    }

    pub(super) fn receipt(&self, index: usize) -> Receipt {
        self.receipt_at(index, self.size())
    }

    pub(super) fn tree_head(&self, secs: u64) -> Unverified<SignedTreeHead> {
        tree_head_of(Log::Trail, self.head_at(self.size()), secs)
    }

    pub(super) fn audit_answer(&self, secs: u64) -> Verified<AuditAnswer> {
        let TreeHead { size, root } = self.head_at(self.size());
        let count = TrailNumber(self.count(VAULT));
        sign(AuditAnswer { vault: VAULT, request: header(8), count, time: at(secs), size, root }, &host()).unwrap()
    }

    pub(super) fn consistency(&self, from: usize, to: usize) -> Vec<TreeHash> {
        if from == 0 { Vec::new() } else { prove_consistency(from as u64, to as u64, self.stored()).unwrap() }
    }
}

pub(super) fn tree_head_of(log: Log, head: TreeHead, secs: u64) -> Unverified<SignedTreeHead> {
    let nonce = HeadNonce::from_bytes([secs as u8; 32]);
    SignedTreeHead::sign(log, head, at(secs), nonce, &host()).unwrap().to_unverified()
}

pub(super) fn request(of: &Identity, action: Action, chain: Vec<StatementId>, secs: u64) -> Request {
    let purpose = if chain.is_empty() { Purpose::PatientRequest } else { Purpose::Treatment };
    Request {
        id: RequestId::from_bytes([of.key().as_bytes()[0] ^ secs as u8; 16]),
        vault: VAULT,
        chain,
        action,
        selector: Selector::default(),
        purpose,
        acting_hash: None,
        challenge: Challenge::from_bytes([6; 32]),
        sequence: secs,
        node: node(),
        peer: vec![7; 38],
        head: None,
        time: at(secs),
        resumes: None,
    }
}

/// An event that nobody asked for.
pub(super) fn plain(kind: EventKind, party: &Identity) -> Event {
    Event {
        kind,
        party: party.key(),
        peer: Some(Octets(vec![7; 38])),
        request: None,
        chain: Vec::new(),
        action: None,
        purpose: None,
        records: Vec::new(),
        count: 0,
        outcome: Outcome(0),
        acting: None,
        head: Head { size: 3, root: Digest::from_bytes([3; 32]) },
        subject: None,
        place: None,
        request_statement: None,
    }
}

/// The event that answers a request.
pub(super) fn answering(kind: EventKind, asked: Request, by: &Identity) -> Event {
    let signed = sign(asked, by).unwrap();
    let of = signed.payload();
    Event {
        request: Some(of.id),
        chain: of.chain.clone(),
        action: Some(of.action),
        purpose: Some(of.purpose),
        request_statement: Some(signed.to_unverified()),
        ..plain(kind, by)
    }
}

/// The clinic reads under its grant.
pub(super) fn read(secs: u64) -> Event {
    answering(EventKind::Read, request(&clinic(), Action::Read, vec![grant().id()], secs), &clinic())
}

/// The clinic stores the record with this header.
pub(super) fn deposit(number: u8) -> Event {
    Event {
        chain: vec![grant().id()],
        action: Some(Action::Deposit),
        purpose: Some(Purpose::Treatment),
        records: vec![RecordId::from_bytes([number; 16])],
        count: 1,
        subject: Some(header(number)),
        place: Some(EventPlace {
            collection: CollectionId::from_bytes([1; 16]),
            generation: Generation(1),
            number: RecordNumber(u64::from(number)),
        }),
        ..plain(EventKind::Deposit, &clinic())
    }
}

/// Read, list and deposit for the clinic, from second 0 to second 1000.
pub(super) fn grant_core() -> GrantCore {
    GrantCore {
        vault: VAULT,
        holder: clinic().key(),
        scope: Scope {
            actions: BTreeSet::from([Action::Deposit, Action::List, Action::Read]),
            collections: BTreeSet::from([CollectionId::from_bytes([1; 16])]),
            months: None,
            records: None,
            depositors: None,
        },
        purposes: BTreeSet::from([Purpose::Treatment]),
        validity: Validity::new(at(0), at(1000)).unwrap(),
        uses: None,
        depth: 1,
        parent: None,
        nonce: Nonce::from_bytes([1; 16]),
    }
}

pub(super) fn signed_grant(core: GrantCore, by: &Identity) -> Verified<Grant> {
    sign(Grant { core, sealed_hash: Digest::from_bytes([1; 32]), package_hash: None }, by).unwrap()
}

pub(super) fn grant() -> Verified<Grant> {
    signed_grant(grant_core(), &device())
}

pub(super) fn revocation_of(grant: StatementId) -> Verified<Revocation> {
    let reason = RevocationReason::ALL[0];
    sign(Revocation { vault: VAULT, grant, reason, issued: at(100) }, &device()).unwrap()
}

/// A ledger item with its body, and the id of its entry.
pub(super) fn item<T: Statement>(vault: VaultId, kind: EntryKind, body: &Verified<T>) -> (StatementId, Item) {
    let salt = Salt::from_bytes([4; 32]);
    let entry = Entry {
        vault,
        seq: Seq(5),
        prev: header(1),
        kind,
        body_hash: body_hash(&salt, body.bytes()),
        directory: StatementId::NONE,
        authority: header(2),
        time: at(0),
    };
    let entry = sign(entry, &device()).unwrap();
    let body = Some(body.bytes().to_vec());
    (entry.id(), Item { entry: entry.to_unverified(), salt: Some(salt), body, attachments: None })
}

/// The trail notes that an entry was appended.
pub(super) fn appended(entry: StatementId) -> Event {
    Event { subject: Some(entry), ..plain(EventKind::LedgerAppend, &device()) }
}

/// A whole list, as a device asked for it: request, signed answer, ids.
pub(super) fn whole_list(
    secs: u64,
    ids: Vec<StatementId>,
) -> (Unverified<Request>, Verified<ListAnswer>, Vec<StatementId>) {
    let asked = sign(request(&device(), Action::List, Vec::new(), secs), &device()).unwrap();
    let answer = list_answer(secs, asked.id(), &ids);
    (asked.to_unverified(), answer, ids)
}

pub(super) fn list_answer(secs: u64, request: StatementId, ids: &[StatementId]) -> Verified<ListAnswer> {
    let mut digest = ListDigest::new();
    ids.iter().for_each(|id| digest.record(*id));
    let answer = ListAnswer { vault: VAULT, request, counts: Vec::new(), time: at(secs), digest: digest.finish() };
    sign(answer, &host()).unwrap()
}

pub(super) fn cosigned(checkpoint: &CheckpointText) -> CheckpointText {
    let (identity, key) = witness();
    let line = cosign(&checkpoint.body().unwrap(), &key.name, &identity, at(1));
    checkpoint.with_lines(&line, &key).unwrap()
}

pub(super) fn checkpoint(text: CheckpointText) -> SignedHead {
    SignedHead::Checkpoint(text)
}

/// Two trails that part after four events: the fork's fifth event is a deposit.
pub(super) fn forked() -> (Diary, Diary) {
    let mut fork = Diary::of_reads(4);
    fork.write(VAULT, 40, deposit(7));
    (Diary::of_reads(8), fork)
}

/// One finding of each kind, by number.
pub(super) fn every_kind() -> Vec<Finding> {
    let (trail, fork) = forked();
    let wrong = vec![TreeHash([1; 32])];
    let mut served = Diary::of_reads(2);
    let (entry, revocation) = item(VAULT, EntryKind::Revocation, &revocation_of(grant().id()));
    let revoked = served.write(VAULT, 20, appended(entry));
    let after = served.write(VAULT, 200, read(200));
    let late = served.write(VAULT, 1060, read(1060));
    let back = served.write(VAULT, 30, read(30));
    let unasked = served.write(VAULT, 1060, Event { request_statement: None, ..read(1060) });
    let stored = served.write(VAULT, 1070, deposit(3));
    let (asked, answer, ids) = whole_list(2000, vec![header(1), StatementId::NONE]);
    let grants = vec![item(VAULT, EntryKind::Grant, &grant()).1];
    let (at_four, at_five) = (trail.checkpoint_at(5), fork.checkpoint());
    let findings = [
        Finding::equivocation(node(), checkpoint(at_four.clone()), checkpoint(at_five.clone())),
        Finding::inconsistency(node(), checkpoint(at_five.clone()), checkpoint(trail.checkpoint()), wrong),
        Finding::rollback(node(), trail.tree_head(100), fork.tree_head(101)),
        Finding::rewritten_entry(node(), trail.receipt(4), fork.receipt(4)),
        Finding::missing_entry(node(), trail.receipt(6), &fork.audit_answer(121)),
        Finding::dropped_deposit(node(), served.receipt(stored), asked, &answer, ids),
        Finding::served_after_revocation(node(), served.receipt(revoked), served.receipt(after), revocation),
        Finding::beyond_grant(node(), served.receipt(late), grants),
        Finding::time_runs_back(node(), served.receipt(late), served.receipt(back)),
        Finding::witness_equivocation(&witness().1, cosigned(&at_four), cosigned(&at_five)),
        Finding::forged_entry(node(), served.receipt(unasked)),
    ];
    findings.map(Result::unwrap).into()
}
