//! What a peer sends for each operation: messages made by hand and signed with the role's own key.

use karute_consent::ask::{AskAnswer, AskEnvelope, Outcome};
use karute_consent::encoding::to_bytes;
use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::{
    AskId, AuthorityNumber, CollectionId, RecordId, RequestId, RootNumber, RotationSequence, RunId, StatementId,
};
use karute_consent::ledger::{EntryKind, Item, LedgerState};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::request::Head;
use karute_consent::revocation::{Erasure, ErasureReason, Withdrawal, WithdrawalReason};
use karute_consent::scope::Action;
use karute_consent::sealing::{SealingKey, Suite};
use karute_consent::statement::{Statement, Unverified, Verified, sign};
use karute_consent::tree::digest_of;
use karute_consent::vault::{Authority, Nonce, commit_to_next};
use karute_protocol::body::Salt;
use karute_protocol::hpke::{Entropy, Sealed};
use karute_protocol::message::{self, Append, AppendItem};
use karute_protocol::record::{Header, Meta, RecordSealer, body_facts};
use karute_protocol::run::{ReWrapFacts, RecordPlace, Run, RunFacts, RunSecret};
use karute_protocol::wire::{ByteCount, LedgerSize, Octets};
use karute_tests::world::{START, seed_of};
use zeroize::Zeroizing;

use super::cell::{Role, State};
use super::judge::chain;
use super::vault::{IMAGING, LAB, SEALED, Vault, directory, identity, item, named, noise_key, revocation};

/// The id of the ask that waits from the beginning.
pub(super) const WAITING: AskId = AskId::from_bytes([0xA5; 16]);

/// The grant that an attempt is about: the last of the chain down from P, whoever attempts it; G where no chain is named.
fn target(vault: &Vault, state: State) -> StatementId {
    chain(vault, Role::Holder, state).last().copied().unwrap_or(vault.g)
}

/// Items with entries, as they are appended to a ledger of this size.
pub(super) fn append(size: u64, vault: &Vault, items: Vec<Item>) -> Append {
    let items = items.into_iter().map(append_item).collect();
    Append { vault: vault.id(), size: LedgerSize(size), items, registration: None }
}

fn append_item(item: Item) -> AppendItem {
    let attachments = item.attachments.unwrap_or_default();
    AppendItem {
        entry: item.entry,
        salt: item.salt.unwrap(),
        body: Octets(item.body.unwrap()),
        attachments: attachments.iter().map(|bytes| digest_of(&[bytes])).collect(),
    }
}

/// One statement with the role's own entry over it.
fn appended<T: Statement>(
    vault: &Vault,
    ledger: &LedgerState,
    kind: EntryKind,
    body: &Verified<T>,
    with: &[Vec<u8>],
    signer: &Identity,
) -> Append {
    append(ledger.size(), vault, vec![item(Some(ledger), kind, body, with, signer)])
}

pub(super) fn revoke(vault: &Vault, role: Role, state: State) -> message::Revoke {
    message::Revoke { revocation: revocation(vault.id(), target(vault, state), &identity(role)).to_unverified() }
}

pub(super) fn append_revocation(vault: &Vault, ledger: &LedgerState, role: Role, state: State) -> Append {
    let body = revocation(vault.id(), target(vault, state), &identity(role));
    appended(vault, ledger, EntryKind::Revocation, &body, &[], &identity(role))
}

pub(super) fn erase(vault: &Vault, ledger: &LedgerState, role: Role) -> Append {
    let records = [record_id("to be erased")].into();
    let erasure = Erasure { vault: vault.id(), records, reason: ErasureReason::Wish, issued: START, events: None };
    let body = sign(erasure, &identity(role)).unwrap();
    appended(vault, ledger, EntryKind::Erasure, &body, &[], &identity(role))
}

pub(super) fn withdraw(vault: &Vault, role: Role) -> message::Withdraw {
    let records = [record_id("to be withdrawn")].into();
    let withdrawal = Withdrawal { vault: vault.id(), records, reason: WithdrawalReason::Misfiled, issued: START };
    message::Withdraw { withdrawal: sign(withdrawal, &identity(role)).unwrap().to_unverified() }
}

/// A grant without parent, by the role.
pub(super) fn grant(vault: &Vault, ledger: &LedgerState, role: Role) -> Append {
    let mut core = vault.state.grant(vault.w).unwrap().core().clone();
    core.holder = named("newcomer").key();
    core.nonce = nonce(role);
    let body = sign(with_seal(core), &identity(role)).unwrap();
    appended(vault, ledger, EntryKind::Grant, &body, &[SEALED.to_vec()], &identity(role))
}

/// A child of the last grant of the chain, with the purpose, collection and months of the request; the home host is
/// asked for the entry. Below depth 0 it is the child of the grant above.
pub(super) fn pass_on(vault: &Vault, role: Role, state: State) -> Append {
    let parent = if state == State::BelowDepthZero { vault.g } else { target(vault, state) };
    let mut core = vault.state.grant(vault.g).unwrap().core().clone();
    core.scope.actions = [Action::List, Action::Read].into();
    match state {
        State::OtherPurpose => core.purposes = [Purpose::Research].into(),
        State::NoGrant => core.purposes = [Purpose::PatientRequest].into(),
        State::OtherCollection => core.scope.collections = [IMAGING].into(),
        State::OtherMonth => core.scope.months = None,
        _ => {}
    }
    core.holder = named("newcomer").key();
    core.parent = Some(parent);
    core.depth = 0;
    core.nonce = nonce(role);
    let body = sign(with_seal(core), &identity(role)).unwrap();
    let mut item = item(Some(&vault.state), EntryKind::Grant, &body, &[SEALED.to_vec()], &identity(role));
    item.entry = Unverified::from_bytes(Vec::new());
    append(0, vault, vec![item])
}

/// Something sealed for the holder of D, as after the rotation of the ledger.
pub(super) fn package_on(vault: &Vault) -> message::PassOn {
    message::PassOn { grant: vault.d, rotation: RotationSequence(1), package: noise() }
}

fn with_seal(core: GrantCore) -> Grant {
    Grant { core, sealed_hash: digest_of(&[SEALED]), package_hash: None }
}

fn nonce(role: Role) -> Nonce {
    Nonce::from_bytes(short("nonce", &role.name()))
}

/// The next directory; the role signs the statement and the entry.
pub(super) fn new_directory(vault: &Vault, ledger: &LedgerState, role: Role) -> (Append, Vec<Vec<u8>>) {
    let (by_device, with) = directory(ledger, 4);
    let body = sign(by_device.payload().clone(), &identity(role)).unwrap();
    (appended(vault, ledger, EntryKind::Directory, &body, &with, &identity(role)), with)
}

/// An authority that takes a device in, as the identity key may make one.
pub(super) fn authority(vault: &Vault, ledger: &LedgerState, role: Role) -> Append {
    let before = ledger.authority().unwrap().payload().clone();
    let mut devices = before.devices.clone();
    let sealing_key = noise_key("new device");
    devices.push(karute_consent::vault::Device { key: named("new device").key(), sealing_key, added: START });
    devices.sort_by_key(|device| device.key);
    let after = Authority { number: AuthorityNumber(before.number.0 + 1), devices, ..before };
    let body = sign(after, &identity(role)).unwrap();
    appended(vault, ledger, EntryKind::Authority, &body, &[SEALED.to_vec()], &identity(role))
}

/// An authority in which the committed next identity key takes over, as after a recovery.
pub(super) fn succession(vault: &Vault, ledger: &LedgerState, role: Role) -> Append {
    let before = ledger.authority().unwrap().payload().clone();
    let after = Authority {
        number: AuthorityNumber(before.number.0 + 1),
        identity: identity(Role::NextIdentity).key(),
        next: commit_to_next(named("next after that").key()),
        inbox: noise_key("inbox of the next"),
        audit: noise_key("audit of the next"),
        recovery: noise_key("recovery of the next"),
        root_number: RootNumber(before.root_number.0 + 1),
        ..before
    };
    let body = sign(after, &identity(role)).unwrap();
    appended(vault, ledger, EntryKind::Authority, &body, &[SEALED.to_vec()], &identity(role))
}

pub(super) fn answer(vault: &Vault, role: Role) -> message::Answer {
    let answer = AskAnswer { vault: vault.id(), ask: WAITING, outcome: Outcome::Declined, grant: None, issued: START };
    message::Answer { answer: sign(answer, &identity(role)).unwrap().to_unverified() }
}

pub(super) fn ask(vault: &Vault, role: Role, id: AskId) -> message::Ask {
    let sealed = noise();
    let sealed_hash = digest_of(&[&to_bytes(&sealed).unwrap()]);
    let envelope = AskEnvelope { id, vault: vault.id(), sealed_hash, issued: START };
    message::Ask { envelope: sign(envelope, &identity(role)).unwrap().to_unverified(), sealed }
}

/// A run of the role in the collection of the chain's grants, under the last of them.
pub(super) fn run(vault: &Vault, role: Role, state: State, name: &str) -> Verified<Run> {
    let grant = chain(vault, role, state).last().copied();
    run_in(vault, role, grant, if state == State::OtherCollection { IMAGING } else { LAB }, name)
}

/// A run in a collection.
pub(super) fn run_in(
    vault: &Vault,
    role: Role,
    grant: Option<StatementId>,
    collection: CollectionId,
    name: &str,
) -> Verified<Run> {
    let signer = identity(role);
    let facts = RunFacts {
        run: RunId::from_bytes(short("run", name)),
        vault: vault.id(),
        collection,
        generation: vault.generation(),
        epoch: START.month(),
        depositor: signer.key(),
        grant,
        head: Head { size: 0, root: digest_of(&[]) }, // of the ledger before its first entry
    };
    let run = facts.seal(&run_secret(name), &some_key(), Entropy::new([7; 64])).unwrap();
    sign(run, &signer).unwrap()
}

/// A whole record of a run, its file the name itself.
pub(super) fn put(run: &Verified<Run>, role: Role, name: &str) -> message::Put {
    let of = run.payload();
    let place = RecordPlace { vault: of.vault, run: of.run, depositor: of.depositor, record: record_id(name) };
    let keys = run_secret(name).record_keys(&place);
    let (length, digest) = (ByteCount(name.len() as u64), digest_of(&[name.as_bytes()]));
    let mut body = Vec::new();
    let mut sealer = RecordSealer::new(keys.body.as_ref().unwrap(), length, digest).unwrap();
    sealer.push(name.as_bytes(), &mut body).unwrap();
    sealer.finish(&mut body).unwrap();
    let meta = Meta {
        title: name.to_owned(),
        category: karute_consent::category::Category::Lab,
        sensitivity: karute_consent::category::Sensitivity::Normal,
        media_type: "text/plain".to_owned(),
        service_date: None,
        author: None,
        labels: Vec::new(),
        length,
        digest,
        file_name: None,
    };
    let meta = meta.seal(&keys.meta, Salt([3; 24])).unwrap();
    let header = Header::new(&place, &body_facts(&body).unwrap(), &meta, None, START);
    let header = sign(header, &identity(role)).unwrap().to_unverified();
    message::Put { header, meta, body: Some(Octets(body)) }
}

/// The run of the record that is to be moved, filed in the other collection.
pub(super) fn re_wrap(vault: &Vault, role: Role) -> message::ReWraps {
    let run = run_in(vault, Role::Device, None, IMAGING, "to be moved");
    let of = run.payload();
    let facts = ReWrapFacts {
        run: of.run,
        vault: of.vault,
        collection: LAB,
        generation: vault.generation(),
        epoch: of.epoch,
        depositor: of.depositor,
        replaces: run.id(),
    };
    let re_wrap = facts.seal(&run_secret("to be moved"), &some_key(), Entropy::new([8; 64])).unwrap();
    message::ReWraps { re_wraps: vec![sign(re_wrap, &identity(role)).unwrap().to_unverified()] }
}

pub(super) fn record_id(name: &str) -> RecordId {
    RecordId::from_bytes(short("record", name))
}

/// The id of a request: one for each thing that is tried.
pub(super) fn request_id(name: &str) -> RequestId {
    RequestId::from_bytes(short("request", name))
}

pub(super) fn short(of: &str, name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&seed_of(0, &format!("{of}/{name}"))[..16]);
    short
}

fn run_secret(name: &str) -> RunSecret {
    RunSecret::new(Zeroizing::new(seed_of(0, name)))
}

fn noise() -> Sealed {
    Sealed::new(Suite::X25519, vec![1; 32], vec![2; 64]).unwrap()
}

/// A key that seals quickly; a host cannot tell whose it is.
fn some_key() -> SealingKey {
    SealingKey::new(Suite::X25519, vec![9; 32]).unwrap()
}
