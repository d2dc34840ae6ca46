"""Every vector of both SPECs, checked by the second implementation."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from second import Refused, cbor, consent, evidence, finding, record, seal, trail

ROOT = Path(__file__).resolve().parents[2]
RUST_ONLY = {"range"}
# Faults in the fields of messages that the second implementation does not read.
MESSAGES_OF_RUST = {"unknown-tag", "hello-with-nine-heads"}
unhex = bytes.fromhex


def cases():
    for folder in ("consent", "protocol"):
        for file in sorted((ROOT / folder / "vectors").glob("*.json")):
            if file.name != "example.json":
                by_name = {case["name"]: case for case in json.loads(file.read_text())}
                for case in by_name.values():
                    yield pytest.param(resolved(case, by_name), id=f"{folder}/{file.stem}/{case['name']}")


def resolved(case, by_name):
    """Puts the items of the case that `after` names before the items of this one."""
    if "after" not in case["input"]:
        return case
    before = resolved(by_name[case["input"]["after"]], by_name)["input"]["items"]
    return {**case, "input": {**case["input"], "items": before + case["input"]["items"]}}


def ledger_of(items):
    ledger = consent.Ledger()
    for item in items:
        leaves = [unhex(leaf) for leaf in item["leaves"]] if "leaves" in item else None
        ledger.apply({k: unhex(item[k]) for k in ("entry", "salt", "body")}, leaves)
    return ledger


def decide(i):
    ledger = ledger_of(i["items"])
    env = dict(i["env"])
    for name in ("node", "peer", "challenge"):
        env[name] = unhex(env[name])
    env["uses"] = {unhex(k): v for k, v in env["uses"].items()}
    env["askers"] = [unhex(k) for k in env["askers"]]
    if "earlier" in i:
        env["earlier"] = (consent.open_statement("request", unhex(i["earlier"]["request"])), i["earlier"]["permitted"])
    try:
        consent.decide(consent.open_statement("request", unhex(i["request"])), ledger, env)
    except consent.Denied as no:
        return no.reason
    return "permit"


def withdrawal(i):
    made = consent.open_statement("withdrawal", unhex(i["bytes"]))
    owners = {unhex(record): unhex(key) for record, key in i["depositors"].items()}
    consent.check_withdrawal(made, owners)


def schedule(i):
    root, vault = unhex(i["root"]), unhex(i["vault"])
    collection = seal.collection_id(root, vault, i["category"], i["sensitivity"])
    top = seal.collection_root(root, vault, collection, i["generation"])
    leaf = seal.descend(top, 0, i["month"])
    epoch = seal.epoch_secret(leaf)
    found = {
        "inbox": seal.inbox_secret(root), "audit": seal.audit_secret(root), "collection": collection,
        "collection_root": top, "leaf": leaf, "epoch": epoch,
        "epoch_public_sha256": sha256(seal.public_bytes(2, epoch)).digest(),
    }
    return {k: v.hex() for k, v in found.items()}


def package(i):
    items = record.open_package(unhex(i["secret"]), unhex(i["core"]), i["rotation"], cbor.decode(unhex(i["sealed"])))
    if "key" in i:
        record.check_tree_item(items[0], i["month"], cbor.decode(unhex(i["key"])))
    return cbor.encode({1: items}).hex()


def whole_record(i):
    made = [consent.open_statement(kind, unhex(i[kind])) for kind in ("run", "header")]
    meta, data = record.open_record(unhex(i["run_secret"]), *made, unhex(i["meta"]), unhex(i["body"]))
    return {"title": meta[1], "sha256": sha256(data).hexdigest()}


def statement(i):
    made = consent.open_statement(i["type"], unhex(i["bytes"]))
    return {"id": made.id.hex(), "signer": made.signer.hex()}


def ledger(i):
    made = ledger_of(i["items"])
    return {"size": made.size, "root": trail.root_of(made.entries).hex(), "pending": sorted(c.hex() for c in made.pending)}


def key_proof(i):
    _, key = record.check_key_proof(cbor.decode(unhex(i["proof"])), unhex(i["directory"]), unhex(i["collection"]), i["month"])
    return {"key": cbor.encode(key).hex()}


def checkpoint(i):
    size, root = trail.check_checkpoint(i["note"], i["origin"], unhex(i["node"]))
    return {"size": size, "root": root.hex()}


def cosigned(i):
    witnesses = [(witness["name"], unhex(witness["key"])) for witness in i["witnesses"]]
    at, each = trail.check_cosigned(i["note"], witnesses, i["quorum"])
    return {"at": at, "each": each}


def receipt(i):
    leaf, _ = trail.check_receipt(unhex(i["receipt"]), unhex(i["node"]))
    return {"vault": leaf[1].hex(), "number": leaf[2]}


def found_lie(i):
    kind, accused, refutable = finding.check_finding(unhex(i["finding"]))
    return {"kind": kind, "accused": accused.hex(), "refutable": refutable}


def opened(kind, i, opener):
    made = consent.open_statement(kind, unhex(i[kind.replace("-", "_")]))
    return opener(unhex(i["secret"]), made.payload).hex()


def body(i):
    plain = record.open_chunks(unhex(i["key"]), b"karute-v1/body", unhex(i["sealed"]))
    return {"length": len(plain), "sha256": sha256(plain).hexdigest()}


def message(i):
    evidence.check_message(unhex(i["payload"]))
    return {"tag": unhex(i["payload"])[0]}


def event(i):
    made = cbor.decode(unhex(i["event"]))
    trail.EVENT(made, "proof")
    request = evidence.check_request({1: unhex(i["vault"])}, made, unhex(i["node"]))
    return {"request": request and request.id.hex()}


def trail_item(i):
    node = unhex(i["node"])
    head = trail.check_checkpoint(i["checkpoint"], "karute/trail/" + node.hex(), node)
    item = cbor.decode(unhex(i["item"]))
    there = evidence.check_item(item, *head)
    return {"number": item[1][2], "erased": not there}


def tombstone(i):
    stone = cbor.decode(unhex(i["tombstone"]))
    made = evidence.check_tombstone(stone, unhex(i["vault"]))
    records = made and [one.hex() for one in made.payload[2]]
    return {"reason": stone[4], "signer": made and made.signer.hex(), "records": records}


def add_checkpoint(i):
    known = i["known"]["size"], unhex(i["known"]["root"])
    size, root = evidence.check_add_checkpoint(i["body"], i["origin"], unhex(i["node"]), *known)
    return {"size": size, "root": root.hex()}


def particulars(i):
    found = record.open_particulars(unhex(i["secret"]), unhex(i["core"]), i["who"], unhex(i["sealed_part"]), unhex(i["holder"]))
    return {"template": found[4]}


def key_leaves(i):
    record.check_key_leaves(cbor.decode(unhex(i["leaf"])), [unhex(one) for one in i["leaves"]])


def inclusion(i):
    proof = [unhex(h) for h in i["proof"]]
    trail.check_inclusion(trail.leaf_hash(unhex(i["leaf"])), i["index"], i["size"], proof, unhex(i["root"]))


def consistency(i):
    proof = [unhex(h) for h in i["proof"]]
    trail.check_consistency(i["old_size"], unhex(i["old_root"]), i["size"], unhex(i["root"]), proof)


def roots(i):
    authority = cbor.decode(unhex(i["authority"]))
    found = record.open_roots(unhex(i["secret"]), i["suite"], unhex(i["vault"]), authority[2], unhex(i["list"]), authority)
    return [root.hex() for root in found]


def meta(i):
    header = consent.open_statement("header", unhex(i["header"])).payload
    return {"title": record.open_meta(unhex(i["key"]), header, unhex(i["sealed"]))[1]}


def cbor_only(i):
    cbor.decode(unhex(i["bytes"]), i["limit"])


CHECKS = {
    "cbor": cbor_only, "statement": statement, "ledger": ledger, "decide": decide, "schedule": schedule, "package": package,
    "record": whole_record, "key_proof": key_proof, "key_leaves": key_leaves, "checkpoint": checkpoint, "receipt": receipt,
    "body": body, "message": message, "particulars": particulars, "inclusion": inclusion, "consistency": consistency,
    "roots": roots, "meta": meta, "cosigned": cosigned, "event": event,
    "trail_item": trail_item, "tombstone": tombstone, "add_checkpoint": add_checkpoint, "finding": found_lie, "withdrawal": withdrawal,
    "expand": lambda i: seal.expand(unhex(i["key"]), i["label"], unhex(i["context"]), i["length"]).hex(),
    "cover": lambda i: [list(node) for node in seal.cover(i["from"], i["to"])],
    "recovery": lambda i: {"code": seal.read_recovery(i["text"]).hex()},
    "unseal": lambda i: seal.unseal(unhex(i["secret"]), i["label"], unhex(i["context"]), cbor.decode(unhex(i["sealed"]))).hex(),
    "run": lambda i: opened("run", i, record.open_run),
    "re_wrap": lambda i: opened("re-wrap", i, record.open_re_wrap),
    "letter": lambda i: record.open_letter(unhex(i["secret"]), i["label"], unhex(i["context"]), unhex(i["sealed"]), unhex(i["hash"])).hex(),
    "supersedes": lambda i: record.supersedes(i["by"], i["device"], i["superseded"]),
    "proof_file": lambda i: {"title": record.check_proof_file(unhex(i["proof"]), unhex(i["file"]))[1]},
}


@pytest.mark.parametrize("case", list(cases()))
def test_vector(case):
    if case["kind"] in RUST_ONLY:
        pytest.skip("checked by Rust alone")
    if case["kind"] == "message" and case["name"] in MESSAGES_OF_RUST:
        pytest.skip("checked by Rust alone")
    try:
        found = CHECKS[case["kind"]](case["input"])
    except Refused as no:
        assert no.stage == case["stage"], no
        return
    if case["kind"] == "decide":
        assert found == case["output"]
        stage = "none" if found == "permit" else "chain" if found in (9, 10) else "decide"
        assert case["stage"] == stage
        return
    assert case["stage"] == "none", "accepted what must be refused"
    if "output" in case:
        assert found == case["output"]


def test_there_are_enough_vectors():
    negative = [case for case in (p.values[0] for p in cases()) if case["stage"] != "none"]
    assert len(negative) >= 120
    assert all(case["kind"] in CHECKS or case["kind"] in RUST_ONLY for case in negative)
