"""Findings (protocol/SPEC.md section 16): proof that a node or a witness lied, checked offline (P-50)."""

from hashlib import sha256

from . import Refused, consent, need
from .cbor import array, bstr, decode, encode, record, text, uint
from .evidence import check_request
from .trail import RECEIPT, check_checkpoint, check_consistency, check_cosigned, check_receipt

EMPTY = sha256(b"").digest()
SERVED = (2, 3, 4, 5)
COVER = 60

_bytes = bstr()
_item = record({1: _bytes, 2: bstr(32), 3: _bytes})
FINDING = record(
    {1: uint(), 2: uint(1, 11), 3: bstr(32)},
    {
        4: text(65536, lines=True), 5: text(65536, lines=True), 6: _bytes, 7: _bytes, 8: RECEIPT, 9: RECEIPT, 10: _bytes,
        11: array(bstr(32), 0, 2**20), 12: _bytes, 13: array(_item, 0, 64), 14: array(bstr(32), 0, 49),
        15: record({1: text(128, 1), 2: bstr(32)}),
    },
)
FIELDS = {
    1: ({4, 5}, {4, 7}, {6, 5}, {6, 7}),
    2: ({4, 5, 14}, {4, 7, 14}, {6, 5, 14}, {6, 7, 14}),
    3: ({6, 7}, {8, 7}), 4: ({8, 9},), 5: ({8, 10},), 6: ({8, 10, 11, 12},), 7: ({8, 9, 13},), 8: ({8, 13},), 9: ({8, 9},),
    10: ({4, 5, 15},), 11: ({8},),
}


def hold(condition, why=""):
    need(condition, "proof", "P-50", why)


def refused(check, *args):
    """Whether a check says no."""
    try:
        check(*args)
    except Refused:
        return True
    return False


def check_finding(data):
    """Returns (kind, accused, refutable) of a finding that holds."""
    f = decode(data, 4 * 1024 * 1024)
    FINDING(f, "proof")
    hold(f[1] == 1, "version")
    need(set(f) - {1, 2, 3} in FIELDS[f[2]], "encoding", "P-50", "not the fields of its kind")
    KINDS[f[2]](f)
    return f[2], f[3], f[2] in (2, 6)


def _origin_of(f, origin):
    ledger = origin.removeprefix("karute/ledger/")
    is_ledger = origin.startswith("karute/ledger/") and len(ledger) == 64 and set(ledger) <= set("0123456789abcdef")
    hold(origin == "karute/trail/" + f[3].hex() or is_ledger, "origin")


def _signed_by(f, kind, data):
    made = consent.open_statement(kind, data)
    need(made.signer == f[3], "statement", "P-50", "signer")
    return made.payload


def _tree_head(f, field):
    said = _signed_by(f, "tree-head", f[field])
    _origin_of(f, said[1])
    need(said[2] or said[3] == EMPTY, "payload", "P-23")
    return said[1], said[2], said[3], said[4]


def _head(f, checkpoint, tree_head):
    if checkpoint not in f:
        return _tree_head(f, tree_head)[:3]
    origin = f[checkpoint].split("\n")[0]
    _origin_of(f, origin)
    return origin, *check_checkpoint(f[checkpoint], origin, f[3])


def _receipt(f, field):
    r = f[field]
    check_receipt(encode(r), f[3])
    leaf, event = r[1], r[3]
    return leaf, event, r[4]


def _two_roots(a, b):
    hold(a[0] == b[0] and a[1] == b[1] and a[2] != b[2])


def equivocation(f):
    _two_roots(_head(f, 4, 6), _head(f, 5, 7))


def inconsistency(f):
    (origin, size, root), b = _head(f, 4, 6), _head(f, 5, 7)
    hold(origin == b[0] and size < b[1])
    hold((size, root) != (0, EMPTY))
    hold(refused(check_consistency, size, root, b[1], b[2], f[14]), "it is extended")


def rollback(f):
    origin, size, _, time = _tree_head(f, 7)
    if 8 in f:
        leaf, _, index = _receipt(f, 8)
        hold(origin == "karute/trail/" + f[3].hex() and index >= size and leaf[3] + COVER < time)
        return
    before = _tree_head(f, 6)
    hold(origin == before[0] and time > before[3] and size < before[1])


def rewritten_entry(f):
    (a, _, at), (b, _, other) = _receipt(f, 8), _receipt(f, 9)
    hold(a != b and (at == other or (a[1], a[2]) == (b[1], b[2])))


def missing_entry(f):
    leaf, _, _ = _receipt(f, 8)
    said = _signed_by(f, "audit-answer", f[10])
    hold(said[1] == leaf[1] and leaf[2] > said[3] and leaf[3] + COVER < said[4])


def dropped_deposit(f):
    leaf, event, _ = _receipt(f, 8)
    hold(event[1] == 2 and event[10] == 0 and 13 in event and 14 in event and len(event[8]) == 1, "a deposit")
    request = consent.open_statement("request", f[12])
    hold((request.payload[4], request.payload[3], request.payload[5]) == (2, [], {}), "a whole list")
    said = _signed_by(f, "list-answer", f[10])
    hold(said[2] == request.id and said[1] == leaf[1] == request.payload[2])
    hold(sha256(b"".join(f[11])).digest() == said[5], "ids")
    hold(event[13] not in f[11] and leaf[3] + COVER < said[4])


def _open_item(item, kind, vault):
    entry = consent.open_statement("entry", item[1])
    hold(entry.payload[4] == {"grant": 5, "revocation": 6}[kind], "kind of entry")
    body_hash = sha256(b"karute-v1/entry-body\0" + item[2] + item[3]).digest()
    hold(body_hash == entry.payload[5], "body of an entry")
    body = consent.open_statement(kind, item[3])
    hold(entry.payload[1] == body.payload[1] == vault)
    return entry, body


def served_after_revocation(f):
    (a, event, at), (b, served, after) = _receipt(f, 8), _receipt(f, 9)
    hold(len(f[13]) == 1)
    entry, revocation = _open_item(f[13][0], "revocation", a[1])
    hold(event[1] == 1 and event[10] == 0 and event.get(13) == entry.id, "the revocation's event")
    hold(b[1] == a[1] and served[1] in SERVED and served[10] == 0 and after > at)
    hold(revocation.payload[2] in served[5])


def beyond_grant(f):
    leaf, event, _ = _receipt(f, 8)
    hold(event[1] in SERVED and event[10] == 0 and event[5], "served under grants")
    grants = [_open_item(item, "grant", leaf[1])[1] for item in f[13]]
    hold([grant.id for grant in grants] == event[5])
    time, last = leaf[3], grants[-1].payload
    valid = all(g.payload[5][1] <= time + COVER and time < g.payload[5][2] + COVER for g in grants)
    action = event.get(6, {2: 1, 3: 2, 5: 4}.get(event[1]))
    chained = 8 not in grants[0].payload and all(
        child.payload.get(8) == parent.id
        and child.signer == parent.payload[2]
        and consent.child_within(child.payload, parent.payload)
        for parent, child in zip(grants, grants[1:])
    )
    permitted = (
        chained
        and event[2] == last[2]
        and valid
        and (action is None or action in last[3][1])
        and (7 not in event or event[7] in last[4])
    )
    hold(not permitted, "permitted")


def time_runs_back(f):
    (a, _, at), (b, _, after) = _receipt(f, 8), _receipt(f, 9)
    hold(at < after and a[3] > b[3])


def witness_equivocation(f):
    hold(f[15][2] == f[3])
    found = []
    for field in (4, 5):
        _, each = check_cosigned(f[field], [(f[15][1], f[15][2])], 1)
        hold(each[0] is not None, "not cosigned")
        found.append(f[field].split("\n")[:3])
    _two_roots(*found)


def forged_entry(f):
    leaf, event, _ = _receipt(f, 8)
    hold(refused(check_request, leaf, event, f[3]), "it was asked for")


KINDS = {
    1: equivocation, 2: inconsistency, 3: rollback, 4: rewritten_entry, 5: missing_entry, 6: dropped_deposit,
    7: served_after_revocation, 8: beyond_grant, 9: time_runs_back, 10: witness_equivocation, 11: forged_entry,
}
