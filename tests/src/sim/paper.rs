//! What the patient signs: the vault's first items, grants, revocations and new keys.

use std::collections::BTreeSet;

use karute_consent::directory::{CollectionLeaf, CollectionLeaves, Directory};
use karute_consent::grant::{Grant, GrantCore};
use karute_consent::id::{
    AuthorityNumber, Digest, DirectoryNumber, Generation, PartyKey, RootNumber, RotationSequence, Salt, StatementId,
    VaultId,
};
use karute_consent::ledger::{Entry, EntryKind, Item, LedgerState, View, body_hash};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::revocation::{RotatedCollection, Rotation};
use karute_consent::scope::{Action, Scope};
use karute_consent::sealing::{SealingKey, Suite};
use karute_consent::statement::{Statement, Verified, sign};
use karute_consent::time::{Month, Timestamp, Validity};
use karute_consent::tree::digest_of;
use karute_consent::vault::{Authority, Charter, Device, Host, HostRole, Nonce, WitnessSet, commit_to_next};
use serde_bytes::ByteBuf;

use super::START;
use super::cast::{CAST, DEPOSITOR, LATE_DEPOSITOR, PATIENT, READER, collection};

/// Stands for what is sealed: nobody opens anything in these histories.
const SEALED: &[u8] = b"sealed";

/// Makes an item that follows `state`, signed by the patient's device unless somebody else is named.
pub(super) fn item<T: Statement>(
    state: Option<&LedgerState>,
    kind: EntryKind,
    body: &Verified<T>,
    attachments: &[&[u8]],
    (signer, time): (&Identity, Timestamp),
) -> Item {
    let salt = Salt::from_bytes(*digest_of(&[b"salt", body.bytes()]).as_bytes());
    let vault = state.map_or(VaultId::from_bytes(*body.id().as_bytes()), LedgerState::vault);
    let or = |own, other| if own { body.id() } else { other };
    let entry = Entry {
        vault,
        seq: state.map_or(Default::default(), LedgerState::next_seq),
        prev: state.map_or(StatementId::NONE, LedgerState::last),
        kind,
        body_hash: body_hash(&salt, body.bytes()),
        directory: or(kind == EntryKind::Directory, state.map_or(StatementId::NONE, LedgerState::directory_id)),
        authority: or(kind == EntryKind::Authority, state.map_or(StatementId::NONE, LedgerState::authority_id)),
        time: state.map_or(time, |state| time.max(state.time())),
    };
    let entry = sign(entry, signer).expect("a well-formed entry").to_unverified();
    let attachments: Vec<_> = attachments.iter().map(|bytes| ByteBuf::from(*bytes)).collect();
    let attachments = Some(attachments).filter(|all| !all.is_empty());
    Item { entry, salt: Some(salt), body: Some(body.bytes().to_vec()), attachments }
}

/// Charter, authority, directory, and a grant for each hospital.
pub(super) fn first_items(quorum: u8) -> Vec<Item> {
    let set = CAST.witness_set(quorum);
    let charter = sign(charter(set), &CAST.identity).expect("a well-formed charter");
    let by_identity = (&CAST.identity, START);
    let mut items = vec![item(None, EntryKind::Charter, &charter, &[], by_identity)];
    let mut state = LedgerState::begin(&items[0]).expect("a charter begins");
    let mut push = |state: &mut LedgerState, item: Item| {
        state.apply(&item, View::Append).expect("the first items follow one another");
        items.push(item);
    };
    let authority = sign(authority(state.vault()), &CAST.identity).expect("a well-formed authority");
    let next = item(Some(&state), EntryKind::Authority, &authority, &[SEALED], by_identity);
    push(&mut state, next);
    let next = directory_item(&state, Generation(1), START);
    push(&mut state, next);
    for (holder, actions) in
        [(DEPOSITOR, &[Action::Deposit][..]), (LATE_DEPOSITOR, &[Action::Deposit]), (READER, &[Action::Read])]
    {
        let next = grant_item(&state, CAST.key(holder), actions, START, [holder as u8; 16]);
        push(&mut state, next);
    }
    items
}

fn sealing_key(number: u8) -> SealingKey {
    SealingKey::new(Suite::XWing, vec![number; 1216]).expect("the length of an X-Wing key")
}

fn charter(set: WitnessSet) -> Charter {
    Charter {
        identity: CAST.identity.key(),
        next: commit_to_next(CAST.next.key()),
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        witnesses: set.witnesses,
        quorum: set.quorum,
        created: START,
        nonce: Nonce::from_bytes([7; 16]),
    }
}

fn authority(vault: VaultId) -> Authority {
    let device = Device { key: CAST.key(PATIENT), sealing_key: sealing_key(4), added: START };
    Authority {
        vault,
        number: AuthorityNumber(0),
        identity: CAST.identity.key(),
        next: commit_to_next(CAST.next.key()),
        devices: vec![device],
        hosts: vec![Host { node: CAST.node(), role: HostRole::Home, addresses: Vec::new() }],
        inbox: sealing_key(1),
        audit: sealing_key(2),
        recovery: sealing_key(3),
        root_number: RootNumber(0),
        roots: digest_of(&[SEALED]),
        witness_set: None,
    }
}

/// A directory in which the collection has this generation.
fn directory_item(state: &LedgerState, generation: Generation, now: Timestamp) -> Item {
    let leaf = CollectionLeaf {
        collection: collection(),
        generation,
        first_month: Month(682),
        months: 24,
        keys_root: Digest::from_bytes([generation.0 as u8; 32]),
        root_number: RootNumber(0),
    };
    let leaves = CollectionLeaves::new(vec![leaf]).expect("one leaf");
    let before = state.directory().map(|directory| directory.statement.payload().number);
    let directory = Directory {
        vault: state.vault(),
        number: before.map_or(DirectoryNumber::FIRST, |number| DirectoryNumber(number.0 + 1)),
        root: leaves.root().expect("it encodes"),
        count: 1,
        issued: now,
    };
    let device = &CAST.parties[PATIENT];
    let directory = sign(directory, device).expect("a well-formed directory");
    let attachment = leaves.to_attachment().expect("it encodes");
    item(Some(state), EntryKind::Directory, &directory, &[&attachment], (device, now))
}

/// A grant to a party over the one collection, for a year.
pub(super) fn grant_item(
    state: &LedgerState,
    holder: PartyKey,
    actions: &[Action],
    now: Timestamp,
    nonce: [u8; 16],
) -> Item {
    let core = GrantCore {
        vault: state.vault(),
        holder,
        scope: Scope {
            actions: actions.iter().copied().collect(),
            collections: BTreeSet::from([collection()]),
            months: None,
            records: None,
            depositors: None,
        },
        purposes: BTreeSet::from([Purpose::Treatment]),
        validity: Validity::new(now.minus_secs(3600), now.plus_secs(360 * 86_400)).expect("not empty"),
        uses: None,
        depth: 0,
        parent: None,
        nonce: Nonce::from_bytes(nonce),
    };
    let grant = Grant { core, sealed_hash: digest_of(&[SEALED]), package_hash: None };
    let device = &CAST.parties[PATIENT];
    let grant = sign(grant, device).expect("a well-formed grant");
    item(Some(state), EntryKind::Grant, &grant, &[SEALED], (device, now))
}

/// New keys for a pending collection: a directory with the next generation, and the rotation that says why.
pub(super) fn rotation_items(state: &LedgerState, cause: StatementId, now: Timestamp) -> Option<Vec<Item>> {
    let generation = Generation(state.leaf(collection())?.generation.0 + 1);
    let first = directory_item(state, generation, now);
    let mut after = state.clone();
    after.apply(&first, View::Append).ok()?;
    let rotated = RotatedCollection { collection: collection(), generation, root_number: RootNumber(0) };
    let rotation = Rotation {
        vault: state.vault(),
        cause,
        sequence: RotationSequence(state.rotation().0 + 1),
        collections: vec![rotated],
        packages: Vec::new(),
    };
    let device = &CAST.parties[PATIENT];
    let rotation = sign(rotation, device).ok()?;
    Some(vec![first, item(Some(&after), EntryKind::Rotation, &rotation, &[], (device, now))])
}
