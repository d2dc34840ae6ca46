//! The worked examples of both SPECs, walked through with the crates.

use std::fs;

use karute_consent::id::{Challenge, CollectionId, Digest, Generation, NodeId, RootNumber, RotationSequence, VaultId};
use karute_consent::ledger::{LedgerState, View};
use karute_consent::policy::{Clock, DenyReason, Memory, Session, decide};
use karute_consent::request::Request;
use karute_consent::statement::Verified;
use karute_consent::time::{Month, Timestamp};
use karute_consent::tree::{digest_of, root_of};
use karute_protocol::hpke::Suite;
use karute_protocol::keys::Root;
use karute_protocol::package::{CoreDigest, Package};
use karute_protocol::record::{FileOpener, Header, SealedMeta};
use karute_protocol::run::Run;
use karute_protocol::trail::Receipt;
use karute_protocol::wire::Octets;
use karute_tests::vectors::cast::secret_of;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::consent::{item, open};
use super::{bytes, fixed, hex, number, small, top, unhex};

fn example(folder: &str) -> Value {
    let text = fs::read_to_string(top().join(folder).join("vectors/example.json")).expect("the example");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_ledger_of_the_example_grows_and_the_request_is_denied_after_the_revocation() {
    let example = example("consent");
    let (mut state, mut entries, mut decisions) = (None::<LedgerState>, Vec::new(), Vec::new());
    for place in example["ledger"].as_array().expect("places") {
        let mut as_item = json!({ "entry": place["entry"], "salt": place["salt"], "body": place["statement"] });
        if let Some(leaves) = place.get("collection leaves") {
            as_item["leaves"] = leaves.clone();
        }
        let item = item(&as_item);
        match &mut state {
            None => state = Some(LedgerState::begin(&item).expect("a charter")),
            Some(state) => state.apply(&item, View::Whole).expect("it follows"),
        }
        let now = state.as_ref().expect("begun");
        entries.push(bytes(place, "entry"));
        assert_eq!(hex(now.last().as_bytes()), place["entry id"]);
        assert_eq!(now.size(), number(&place["head"], "size"));
        assert_eq!(hex(root_of(&entries).as_bytes()), place["head"]["root"]);
        decisions.push(decision(&example, now));
    }
    assert_eq!(decisions[3], Ok(()));
    assert_eq!(decisions[4], Err(DenyReason::Revoked));
    assert_eq!(DenyReason::Revoked.number(), 12);
}

fn decision(example: &Value, state: &LedgerState) -> Result<(), DenyReason> {
    let asked: Verified<Request> = open(bytes(&example["request"], "statement")).expect("a request");
    let session = &example["request"]["session"];
    let now = Timestamp::from_secs(number(session, "now"));
    let session = Session {
        node: NodeId::from_bytes(fixed(session, "node")),
        peer: bytes(session, "peer"),
        challenge: Challenge::from_bytes(fixed(session, "challenge")),
        sequence: None,
    };
    decide(&asked, state, &session, &Memory::default(), Clock { now, committed: now }).map(|_| ())
}

#[test]
fn the_record_of_the_example_opens_with_the_key_of_its_package() {
    let example = example("protocol");
    let (keys, packed) = (&example["keys"], &example["package"]);
    let root = Root::new(RootNumber(0), Zeroizing::new(fixed(keys, "root")));
    let collection = CollectionId::from_bytes(fixed(keys, "collection"));
    let vault = VaultId::from_bytes(fixed(keys, "vault"));
    let (generation, month) = (Generation(small(keys, "generation")), Month(small(keys, "month")));
    let derived = root.collection_root(vault, collection, generation).epoch_secret(month).expect("a month");
    let sealed = karute_consent::encoding::from_bytes(&bytes(packed, "package"), 65_536).expect("a sealed value");
    let secret = secret_of(1, fixed(packed, "holder's sealing secret"));
    let core = CoreDigest(digest_of(&[&bytes(packed, "core")]));
    let package = Package::open(&sealed, &secret, core, RotationSequence(0)).expect("it opens");
    let epoch = package.epoch_secret(collection, generation, month).expect("it holds the month");
    assert_eq!((epoch.suite(), epoch.public()), (Suite::XWing, derived.public()));

    let run: Verified<Run> = open(bytes(&example["run"], "statement")).expect("a run");
    let header: Verified<Header> = open(bytes(&example["record"], "header")).expect("a header");
    let run_secret = run.payload().open(&epoch).expect("the run opens");
    let record_keys = run_secret.record_keys(&Header::check_run(&header, &run).expect("of this run"));
    let sealed_meta = SealedMeta(Octets(bytes(&example["record"], "sealed meta")));
    let meta = sealed_meta.open(&record_keys.meta).expect("the meta opens");
    let key = record_keys.body.expect("the keys of a run hold both");
    let mut opener = FileOpener::new(header.payload(), &meta, &key).expect("its key");
    let mut file = Vec::new();
    opener.push(&bytes(&example["record"], "sealed body"), &mut file).expect("it opens");
    opener.finish().expect("it is the file");
    assert_eq!(file, unhex(example["record"]["file"].as_str().expect("hex")));

    let receipt = bytes(&example["receipt"], "receipt");
    let receipt: Receipt = karute_consent::encoding::from_bytes(&receipt, receipt.len()).expect("a receipt");
    receipt.verify(NodeId::from_bytes(fixed(&example["receipt"], "node"))).expect("good evidence");
    assert!(receipt.event.records.contains(&header.payload().record));
    assert_eq!(Digest::from_bytes(fixed(&example["record"], "digest")), meta.digest);
}
