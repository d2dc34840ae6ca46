"""Answers of a host, events with their requests, erased events, tombstones: protocol/SPEC.md sections 8, 10 and 15."""

from hashlib import sha256

from . import Refused, consent, need
from .cbor import a_set, array, bstr, decode, encode, record, text, uint
from .trail import EVENT, strict_base64, check_checkpoint, check_consistency, check_inclusion, event_hash, leaf_hash

EMPTY = sha256(b"").digest()
SIZE_MAX = 2**48
PROOF = array(bstr(32), 0, 49)
NOTE = text(65536, lines=True)
LEAF = record({1: bstr(32), 2: uint(), 3: consent.stamp, 4: bstr(32)})
ITEM = record({1: LEAF, 4: uint(), 5: PROOF}, {2: bstr(32), 3: EVENT})
TOMBSTONE = record({1: bstr(16), 2: uint(), 3: uint(), 4: uint(1, 3)}, {5: bstr()})


def _head(size, root, stage):
    need(size <= SIZE_MAX and (size > 0 or root == EMPTY), stage, "P-23")


def audit_answer(v, stage):
    record({1: bstr(32), 2: bstr(32), 3: uint(1), 4: consent.stamp, 5: uint(), 6: bstr(32)})(v, stage)
    _head(v[5], v[6], stage)
    need(v[3] <= v[5], stage, "C-07")


def tree_head(v, stage):
    record({1: text(256, 1), 2: uint(), 3: bstr(32), 4: consent.stamp, 5: bstr(32)})(v, stage)
    need(not any(c.isspace() or c == "+" for c in v[1]), stage, "P-23")
    _head(v[2], v[3], stage)


consent.STATEMENTS.update({"audit-answer": (65536, audit_answer), "tree-head": (65536, tree_head)})


def check_tree_head(data, origin, node, nonce):
    """Size, root and time that a node vouches for as the newest of one of its logs."""
    said = consent.open_statement("tree-head", data)
    need(said.signer == node and said.payload[1] == origin and said.payload[5] == nonce, "statement", "P-41")
    return said.payload[2], said.payload[3], said.payload[4]


# ---- events: what may be asked for by an event of a kind; deposits and refusals carry a request too

ACTIONS = {2: (1,), 3: (2,), 4: (3, 6), 5: (4,), 11: (7,), 12: (6,)}
ASKED = (3, 4, 5, 11, 12)


def check_request(leaf, event, node):
    """P-39; the request, if the event carries one."""
    if 15 not in event:
        need(event[1] not in ASKED and not (event[1] == 6 and 4 in event), "proof", "P-39")
        return None
    try:
        request = consent.open_statement("request", event[15])
    except Refused:
        raise Refused("proof", "P-39", "the request does not verify") from None
    r = request.payload
    need(request.signer == event[2], "proof", "P-39")
    same = (r[1], r[2], r[3], r[4], r[6]) == (event.get(4), leaf[1], event[5], event.get(6), event.get(7))
    need(same and event.get(3, r[11]) == r[11], "proof", "P-39")
    need(r[10] == node or event[1] == 6, "proof", "P-39")
    need(r[4] in ACTIONS.get(event[1], (r[4],)), "proof", "P-39")
    return request


def check_item(item, size, root):
    """An item of a trail under a head; whether its event is there (P-24, P-40)."""
    ITEM(item, "proof")
    leaf = item[1]
    need((2 in item) == (3 in item), "proof", "P-40")
    need(3 not in item or event_hash(item[2], encode(item[3])) == leaf[4], "proof", "P-24")
    need(leaf[2] >= 1, "proof", "P-24")
    check_inclusion(leaf_hash(encode(leaf)), item[4], size, item[5], root)
    return 3 in item


def check_trail_file(data, erased=None):
    """P-24, P-38, P-39 over a trail file; with `erased`, the numbers that erasures name, P-40 too.

    Returns its numbers, those of erased events, and the audit-answer."""
    f = decode(data, 1 << 30)
    record({1: uint(), 2: bstr(32), 3: bstr(32), 4: NOTE, 5: array(ITEM, 0, 2**24)}, {6: bstr()})(f, "proof")
    need(f[1] == 1, "proof", "P-24")
    size, root = check_checkpoint(f[4], "karute/trail/" + f[3].hex(), f[3])
    numbers, gone, time = [], set(), 0
    for item in f[5]:
        there, leaf = check_item(item, size, root), item[1]
        need(leaf[1] == f[2] and (not numbers or leaf[2] == numbers[-1] + 1), "proof", "P-24", "a gap")
        need(leaf[3] >= time, "proof", "P-38")
        time = leaf[3]
        numbers.append(leaf[2])
        if there:
            check_request(leaf, item[3], f[3])
        else:
            need(erased is None or leaf[2] in erased, "proof", "P-40")
            gone.add(leaf[2])
    answer = None
    if 6 in f:
        answer = consent.open_statement("audit-answer", f[6])
        said = answer.payload
        need(answer.signer == f[3] and said[1] == f[2], "statement", "P-41")
        need((said[5], said[6]) == (size, root) and said[3] == numbers[-1], "proof", "P-41", "the count")
    return numbers, gone, answer


# ---- tombstones


def _has_its_statement(tombstone):
    need((5 in tombstone) == (tombstone[4] != 3), "message", "P-42")


def check_tombstone(tombstone, vault):
    """P-42: the statement that took a record of this vault away, or None when it was moved."""
    TOMBSTONE(tombstone, "encoding")
    _has_its_statement(tombstone)
    if tombstone[4] == 3:
        return None
    made = consent.open_statement({1: "erasure", 2: "withdrawal"}[tombstone[4]], tombstone[5])
    need(made.payload[1] == vault and made.payload[2], "proof", "P-42")
    return made


# ---- messages about trail and heads. A number out of its range is no encoding of a message (P-28).


def _whole(item):
    need((2 in item) == (3 in item), "message", "P-28")
    need(len(item[5]) <= 49, "message", "P-28")


def _proofs(m):
    need((4 in m) == (5 in m), "message", "P-28")
    need(len(m[3]) <= 64 and all(len(proof) <= 49 for proof in m[3]), "message", "P-28")


_any_proof = array(bstr(32), 0, 2**16)
_item = record({1: LEAF, 4: uint(), 5: _any_proof}, {2: bstr(32), 3: EVENT})
_raw = bstr()
MESSAGES = {
    32: (TOMBSTONE, _has_its_statement),
    34: (record({2: NOTE}, {1: _raw, 3: _raw}), lambda m: need(not {1, 3} <= set(m), "message", "P-28")),
    36: (_item, _whole),
    41: (
        record({1: bstr(32), 3: a_set(uint(), 0, 2**16)}, {2: bstr(32)}),
        lambda m: need(len(m[3]) <= 64, "message", "P-28"),
    ),
    43: (record({1: _raw, 2: uint()}), lambda m: None),
    44: (record({1: _raw, 2: NOTE, 3: array(_any_proof, 0, 2**16)}, {4: _raw, 5: NOTE}), _proofs),
    46: (record({1: _item, 2: NOTE}), lambda m: _whole(m[1])),
}


def check_message(raw):
    """The form of a message; of those in MESSAGES also its fields."""
    need(len(raw) > 1, "message", "P-28")
    m = decode(raw[1:], 262144)
    if raw[0] in MESSAGES:
        shape, more = MESSAGES[raw[0]]
        shape(m, "encoding")
        more(m)
    return m


# ---- what a witness is asked (C2SP tlog-witness), section 15


def check_add_checkpoint(body, origin, node, known_size, known_root):
    """Judges a request to cosign as a witness does that knows one log; returns the new size and root."""
    head, mark, note = body.partition("\n\n")
    old, *hashes = head.split("\n")
    number = old.removeprefix("old ")
    need(mark and old.startswith("old ") and number.isdecimal() and str(int(number)) == number, "message", "P-45")
    need(len(hashes) <= 63, "message", "P-45")
    try:
        proof = [strict_base64(line) for line in hashes]
    except Refused:
        raise Refused("message", "P-45") from None
    need(all(len(one) == 32 for one in proof), "message", "P-45")
    lines = note.partition("\n\n")[0].split("\n")
    need(len(lines) >= 3, "message", "P-45")
    need(lines[0] == origin, "checkpoint", "P-45", "unknown origin")
    need(len(lines) == 3, "message", "P-23", "a line too many")
    size, root = check_checkpoint(note, origin, node)
    need(int(number) <= size, "message", "P-45")
    need(int(number) == known_size, "conflict", "P-45")
    check_consistency(known_size, known_root, size, root, proof)
    return size, root
