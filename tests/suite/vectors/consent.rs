//! Kinds of consent/SPEC.md: spellings, statements, ledgers, decisions, withdrawals.

use std::collections::BTreeMap;

use karute_consent::ask::{Ask, AskAnswer, AskEnvelope};
use karute_consent::card::Card;
use karute_consent::directory::Directory;
use karute_consent::encoding::from_bytes;
use karute_consent::grant::Grant;
use karute_consent::id::{Challenge, NodeId, PartyKey, RecordId, Salt, StatementId};
use karute_consent::ledger::{Entry, Item, LedgerState, View};
use karute_consent::policy::{Clock, Earlier, Memory, Session, decide};
use karute_consent::request::Request;
use karute_consent::revocation::{Erasure, Revocation, Rotation, Withdrawal};
use karute_consent::statement::{Stage, Statement, StatementError, Unverified, Verified};
use karute_consent::time::Timestamp;
use karute_consent::tree::root_of;
use karute_consent::vault::{Authority, Charter};
use karute_protocol::record::Header;
use karute_protocol::run::{ReWrap, Run};
use karute_protocol::trail::{AuditAnswer, ListAnswer, SignedTreeHead};
use karute_tests::vectors::cbor::Cbor;
use serde_json::{Value, json};

use super::{Check, Outcome, bytes, fixed, hex, number, small, unhex};

pub(super) const CHECKS: &[(&str, Check)] =
    &[("cbor", cbor), ("statement", statement), ("ledger", ledger), ("decide", decided), ("withdrawal", withdrawal)];

pub(super) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Encoding => "encoding",
        Stage::Statement => "statement",
        Stage::Payload => "payload",
        Stage::Ledger => "ledger",
        Stage::Chain => "chain",
        Stage::Decide => "decide",
    }
}

/// Opens a statement, or says which stage refuses it.
pub(super) fn open<T: Statement>(bytes: Vec<u8>) -> Result<Verified<T>, &'static str> {
    Unverified::from_bytes(bytes).verify().map_err(|error: StatementError| stage_name(error.stage()))
}

fn cbor(input: &Value) -> Outcome {
    from_bytes::<Cbor>(&bytes(input, "bytes"), small(input, "limit")).map(|_| None).map_err(|_| "encoding")
}

fn statement(input: &Value) -> Outcome {
    fn judge<T: Statement>(bytes: Vec<u8>) -> Outcome {
        let made = open::<T>(bytes)?;
        Ok(Some(json!({ "id": hex(made.id().as_bytes()), "signer": hex(made.signer().as_bytes()) })))
    }
    let judge = match input["type"].as_str().expect("a type") {
        Card::TYPE => judge::<Card>,
        Charter::TYPE => judge::<Charter>,
        Authority::TYPE => judge::<Authority>,
        Entry::TYPE => judge::<Entry>,
        Directory::TYPE => judge::<Directory>,
        Grant::TYPE => judge::<Grant>,
        Revocation::TYPE => judge::<Revocation>,
        Rotation::TYPE => judge::<Rotation>,
        Erasure::TYPE => judge::<Erasure>,
        Withdrawal::TYPE => judge::<Withdrawal>,
        Request::TYPE => judge::<Request>,
        Ask::TYPE => judge::<Ask>,
        AskEnvelope::TYPE => judge::<AskEnvelope>,
        AskAnswer::TYPE => judge::<AskAnswer>,
        Run::TYPE => judge::<Run>,
        ReWrap::TYPE => judge::<ReWrap>,
        Header::TYPE => judge::<Header>,
        ListAnswer::TYPE => judge::<ListAnswer>,
        AuditAnswer::TYPE => judge::<AuditAnswer>,
        SignedTreeHead::TYPE => judge::<SignedTreeHead>,
        other => panic!("unknown type {other}"),
    };
    judge(bytes(input, "bytes"))
}

pub(crate) fn item(value: &Value) -> Item {
    let leaves = |leaves: &Value| -> Vec<u8> {
        let leaf = |leaf: &Value| Cbor::Bytes(unhex(leaf.as_str().expect("hex")));
        Cbor::List(leaves.as_array().expect("leaves").iter().map(leaf).collect()).encode()
    };
    Item {
        entry: Unverified::from_bytes(bytes(value, "entry")),
        salt: Some(Salt::from_bytes(fixed(value, "salt"))),
        body: Some(bytes(value, "body")),
        attachments: value.get("leaves").map(|all| vec![leaves(all).into()]),
    }
}

/// The state after all items but the last, which are good, and the last item.
fn replay(input: &Value) -> (Vec<Item>, Result<LedgerState, &'static str>) {
    let items: Vec<Item> = input["items"].as_array().expect("items").iter().map(item).collect();
    let (last, before) = items.split_last().expect("at least one item");
    let stage = |error: karute_consent::ledger::LedgerError| stage_name(error.stage());
    let state = if before.is_empty() {
        LedgerState::begin(last).map_err(stage)
    } else {
        let mut state = LedgerState::replay(before, View::Whole).expect("all items but the last are good");
        state.apply(last, View::Whole).map(|()| state).map_err(stage)
    };
    (items, state)
}

fn ledger(input: &Value) -> Outcome {
    let (items, state) = replay(input);
    let state = state?;
    let entry = |item: &Item| item.entry.clone().verify().expect("it was applied").bytes().to_vec();
    let root = root_of(&items.iter().map(entry).collect::<Vec<_>>());
    let pending: Vec<Value> = state.pending().map(|collection| hex(collection.as_bytes())).collect();
    Ok(Some(json!({ "size": state.size(), "root": hex(root.as_bytes()), "pending": pending })))
}

fn decided(input: &Value) -> Outcome {
    let state = replay(input).1.expect("all items are good");
    let request = open::<Request>(bytes(input, "request"))?;
    let env = &input["env"];
    let session = Session {
        node: NodeId::from_bytes(fixed(env, "node")),
        peer: bytes(env, "peer"),
        challenge: Challenge::from_bytes(fixed(env, "challenge")),
        sequence: Some(number(env, "last_sequence")),
    };
    let time = |field| Timestamp::from_secs(number(env, field));
    let clock = Clock { now: time("now"), committed: time("last_committed") };
    let id = |text: &String| StatementId::from_slice(&unhex(text)).expect("32 bytes");
    let uses = env["uses"].as_object().expect("uses by grant");
    let spent: BTreeMap<_, _> =
        uses.iter().map(|(grant, n)| (id(grant), n.as_u64().expect("a number") as u32)).collect();
    let asks = env["askers"].as_array().expect("keys").iter().filter(|key| **key == hex(request.signer().as_bytes()));
    let earlier = |it: &Value| {
        let earlier = open::<Request>(bytes(it, "request")).expect("it was permitted");
        let Request { id, chain, action, selector, .. } = earlier.payload().clone();
        let permitted = Timestamp::from_secs(number(it, "permitted"));
        Earlier { id, signer: earlier.signer(), chain, action, selector, permitted }
    };
    let resumed = input.get("earlier").map(earlier);
    let memory = Memory { spent, resumed, asks_waiting: asks.count() as u32 };
    Ok(Some(match decide(&request, &state, &session, &memory, clock) {
        Ok(_) => json!("permit"),
        Err(reason) => json!(reason.number()),
    }))
}

fn withdrawal(input: &Value) -> Outcome {
    let made = open::<Withdrawal>(bytes(input, "bytes"))?;
    let depositor_of = |record: RecordId| {
        let key = input["depositors"].get(hex(record.as_bytes()).as_str().expect("text"))?;
        PartyKey::from_slice(&unhex(key.as_str().expect("hex")))
    };
    made.payload().concerns_only(made.signer(), depositor_of).map(|()| None).map_err(|_| "payload")
}
