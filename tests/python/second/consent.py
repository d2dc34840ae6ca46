"""Statements, ledger and decision of consent/SPEC.md."""

from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from . import Refused, need
from .cbor import a_set, array, bstr, decode, encode, record, text, uint
from .trail import root_of

ZERO32, INBOX = bytes(32), bytes(16)
STAMP_END = 253402300800
KEY_LENGTH = {1: 32, 2: 1216}
SKEW = 120
DAY = 86400
SYNC = 7
PATRQT = 6

# ---- section 1


def stamp(v, stage):
    uint(0, STAMP_END - 1, "C-07")(v, stage)


def _window(shape, rule="C-08"):
    def check(v, stage):
        record({1: shape, 2: shape})(v, stage)
        need(v[1] < v[2], stage, rule)

    return check


validity = _window(stamp)
month = uint(0, 65535, "C-06", "encoding")
months = _window(month)


def sealing_key(v, stage):
    record({1: uint(), 2: bstr()})(v, stage)
    need(KEY_LENGTH.get(v[1]) == len(v[2]), stage, "C-09")


head = record({1: uint(), 2: bstr(32)})

# ---- section 2

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SMALL_Y = None


def _decompress(raw):
    y, sign = int.from_bytes(raw, "little") & (2**255 - 1), raw[31] >> 7
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        return None
    return (x if x & 1 == sign else _P - x, y)


def _add(p, q):
    (x1, y1), (x2, y2) = p, q
    t = _D * x1 * x2 * y1 * y2 % _P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + t, _P - 2, _P) % _P,
        (y1 * y2 + x1 * x2) * pow(1 - t, _P - 2, _P) % _P,
    )


def _small_order(point):
    for _ in range(3):
        point = _add(point, point)
    return point == (0, 1)


def verify_strict(key, message, signature):
    """RFC 8032 with canonical R and S and no point of small order."""
    a, r = _decompress(key), _decompress(signature[:32])
    if a is None or r is None or _small_order(a) or _small_order(r):
        return False
    if int.from_bytes(signature[32:], "little") >= _L:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except InvalidSignature:
        return False


def statement_id(kind, data):
    return sha256(b"karute-v1/id/" + kind.encode() + b"\0" + data).digest()


class Statement:
    def __init__(self, kind, payload, signer, data, raw):
        self.kind, self.payload, self.signer, self.data, self.raw = kind, payload, signer, data, raw
        self.id = statement_id(kind, data)


def _message(kind, protected, payload):
    return encode(["Signature1", protected, b"karute-v1/ed25519/" + kind.encode(), payload])


def open_statement(kind, data):
    limit, shape = STATEMENTS[kind]
    outer = decode(data, limit)
    need(type(outer) is list and len(outer) == 4, "statement", "C-11")
    protected, unprotected, payload, signature = outer
    need(type(protected) is bytes and type(payload) is bytes, "statement", "C-11")
    need(type(signature) is bytes and len(signature) == 64 and unprotected == {}, "statement", "C-11")
    try:
        header = decode(protected)
    except Refused:
        raise Refused("statement", "C-11") from None
    need(type(header) is dict and set(header) == {1, 4} and header[1] == -8, "statement", "C-11")
    kid = header[4]
    need(type(kid) is bytes and len(kid) == 32, "statement", "C-11")
    need(verify_strict(kid, _message(kind, protected, payload), signature), "statement", "C-12")
    value = decode(payload, limit)
    shape(value, "payload")
    made = Statement(kind, value, kid, bytes(data), payload)
    extra = MORE.get(kind)
    if extra:
        extra(made)
    return made


def sign(kind, payload, seed):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    protected = encode({1: -8, 4: key.public_key().public_bytes_raw()})
    body = encode(payload)
    return encode([protected, {}, body, key.sign(_message(kind, protected, body))])


# ---- sections 3 to 12: payloads

party, vault, digest = bstr(32), bstr(32), bstr(32)
addresses = lambda least: array(text(256, 1), least, 4)
card = record(
    {1: uint(1, 5, "C-14"), 2: text(128, 1, "C-14"), 3: sealing_key, 4: stamp},
    {5: bstr(most=8192), 6: addresses(1)},
)


witnesses = array(record({1: text(128, 1), 2: party}), 0, 8, key=lambda w: w[2])


def witness_set(v, stage):
    record({1: witnesses, 2: uint()})(v, stage)
    need(v[2] <= len(v[1]), stage, "C-58")


def charter(v, stage):
    record(
        {
            1: party, 2: digest, 3: sealing_key, 4: sealing_key, 5: sealing_key,
            6: witnesses,
            7: uint(), 8: stamp, 9: bstr(16),
        }
    )(v, stage)
    need(v[7] <= len(v[6]), stage, "C-15")


def authority(v, stage):
    record(
        {
            1: vault, 2: uint(), 3: party, 4: digest,
            5: array(record({1: party, 2: sealing_key, 3: stamp}), 1, 16, key=lambda d: d[1], order_rule="C-16"),
            6: array(record({1: party, 2: uint(1, 2, "C-16"), 3: addresses(0)}), 1, 8, "C-16", key=lambda h: h[1], order_rule="C-16"),
            7: sealing_key, 8: sealing_key, 9: sealing_key, 10: uint(), 11: digest,
        },
        {12: witness_set},
    )(v, stage)
    need(sum(h[2] == 1 for h in v[6]) == 1, stage, "C-16")


ENTRY_KINDS = {1: "charter", 2: "authority", 4: "directory", 5: "grant", 6: "revocation", 7: "rotation", 8: "erasure"}


def entry(v, stage):
    record({1: vault, 2: uint(), 3: digest, 4: uint(), 5: digest, 6: digest, 7: digest, 8: stamp})(v, stage)
    need(v[4] in ENTRY_KINDS, stage, "C-22")


directory = record({1: vault, 2: uint(), 3: digest, 4: uint(0, 64, "C-27"), 5: stamp})
collection_leaf = record({1: bstr(16), 2: uint(1), 3: month, 4: uint(1, 24), 5: digest, 6: uint()})
ACTIONS = {"deposit": 1, "list": 2, "read": 3, "audit": 4, "revoke": 5, "export": 6}
DATA_ACTIONS = {1, 2, 3, 6}


def scope(v, stage):
    record(
        {1: a_set(uint(1, 6, "C-29"), 1, 6, "C-29"), 2: a_set(bstr(16), 0, 64)},
        {3: months, 4: a_set(bstr(16), 1, 512), 5: a_set(party, 1, 64)},
    )(v, stage)
    need(v[2] or not DATA_ACTIONS & set(v[1]), stage, "C-29")
    need(INBOX not in v[2], stage, "C-29")


def grant(v, stage):
    record(
        {
            1: vault, 2: party, 3: scope, 4: a_set(uint(1, 7, "C-30"), 1, 7, "C-30"), 5: validity,
            7: uint(0, 4, "C-30"), 9: bstr(16), 10: digest,
        },
        {6: uint(1, 1000000, "C-30"), 8: digest, 11: digest},
    )(v, stage)
    need(v[5][2] - v[5][1] <= 366 * DAY, stage, "C-30")


def core_of(payload):
    return encode({k: v for k, v in payload.items() if k <= 9})



peer = bstr(most=64, least=1)
revocation = record({1: vault, 2: digest, 3: uint(1, 5), 4: stamp})
rotation = record(
    {
        1: vault, 2: digest, 3: uint(1),
        4: array(record({1: bstr(16), 2: uint(1), 3: uint()}), 0, 64, key=lambda c: c[1]),
        5: array(record({1: digest, 2: digest}), 0, 256, key=lambda p: p[1]),
    }
)
withdrawal = record({1: vault, 2: a_set(bstr(16), 1, 256), 3: uint(1, 3), 4: stamp})


def erasure(v, stage):
    events = a_set(uint(1, rule="C-59"), 1, 256)
    record({1: vault, 2: a_set(bstr(16), 0, 256), 3: uint(1, 3), 4: stamp}, {5: events})(v, stage)
    need(v[2] or 5 in v, stage, "C-59")


request = record(
    {
        1: bstr(16), 2: vault, 3: array(digest, 0, 5), 4: uint(1, 7),
        5: record({}, {1: a_set(bstr(16)), 2: months, 3: a_set(bstr(16), 1, 512)}),
        6: uint(1, 7), 8: bstr(32), 9: uint(), 10: digest, 11: peer, 13: stamp,
    },
    {7: digest, 12: head, 14: bstr(16)},
)
wanted = record({1: uint(1, 15, "C-55"), 2: uint(1, 2, "C-55")})
ask = record(
    {
        1: bstr(16), 3: a_set(uint(1, 6), 1, 6),
        4: array(wanted, 1, 32, key=lambda c: (c[1], c[2])),
        6: uint(1, 7), 7: uint(1, 366), 8: bstr(most=16384), 9: stamp, 10: text(512, lines=True),
    },
    {2: vault, 5: months},
)
ask_envelope = record({1: bstr(16), 2: vault, 3: digest, 4: stamp})


def ask_answer(v, stage):
    record({1: vault, 2: bstr(16), 3: uint(1, 3), 5: stamp}, {4: digest})(v, stage)
    need((v[3] == 3) != (4 in v), stage, "C-54")


def _ask_more(made):
    try:
        shown = open_statement("card", made.payload[8])
    except Refused:
        raise Refused("payload", "C-54") from None
    need(shown.signer == made.signer, "payload", "C-54")


def _charter_more(made):
    need(made.payload[1] == made.signer, "payload", "C-15")


STATEMENTS = {
    "card": (16384, card), "charter": (65536, charter), "authority": (65536, authority), "entry": (1024, entry),
    "directory": (65536, directory), "grant": (65536, grant), "revocation": (1024, revocation),
    "rotation": (65536, rotation), "erasure": (65536, erasure), "withdrawal": (65536, withdrawal),
    "request": (32768, request), "ask": (16384, ask), "ask-envelope": (65536, ask_envelope), "ask-answer": (65536, ask_answer),
}
MORE = {"ask": _ask_more, "charter": _charter_more}



def check_withdrawal(made, owners):
    """C-37; `owners` says who deposited which record."""
    need(all(owners.get(one) == made.signer for one in made.payload[2]), "payload", "C-37")


# ---- section 7 and 8: within


def _axis(child, parent, key, inside):
    if key not in parent:
        return True
    return key in child and inside(child[key], parent[key])


def within(a, b):
    subset = lambda x, y: set(x) <= set(y)
    span = lambda x, y: y[1] <= x[1] and x[2] <= y[2]
    return (
        subset(a[1], b[1]) and subset(a[2], b[2]) and _axis(a, b, 3, span)
        and _axis(a, b, 4, subset) and _axis(a, b, 5, subset)
    )


def child_within(c, p):
    return (
        within(c[3], p[3]) and set(c[4]) <= set(p[4])
        and p[5][1] <= c[5][1] and c[5][2] <= p[5][2]
        and _axis(c, p, 6, lambda x, y: x <= y) and c[7] <= p[7] - 1
    )


# ---- section 5: ledger


class Ledger:
    """What is in force after the items that were applied."""

    def __init__(self):
        self.size, self.last, self.time = 0, ZERO32, 0
        self.vault = self.charter = self.authority = self.directory = None
        self.identity = self.next = None
        self.leaves, self.grants, self.revoked, self.pending = {}, {}, set(), set()
        self.rotation = 0
        self.entries = []
        self.witnesses, self.erased_events = ([], 0), set()

    def devices(self):
        return {d[1] for d in self.authority.payload[5]} if self.authority else set()

    def home(self):
        return next((h[1] for h in self.authority.payload[6] if h[2] == 1), None) if self.authority else None

    def chain_of(self, grant_id):
        while grant_id is not None:
            made = self.grants[grant_id]
            yield made
            grant_id = made.payload.get(8)

    def dead(self, grant_id):
        return any(g.id in self.revoked for g in self.chain_of(grant_id))

    def apply(self, item, leaves=None):
        made = open_statement("entry", item["entry"])
        e, body = made.payload, item["body"]
        need(e[2] == self.size and e[3] == self.last, "ledger", "C-21")
        need(self.vault is None or e[1] == self.vault, "ledger", "C-21")
        need(e[8] >= self.time, "ledger", "C-25")
        kind = ENTRY_KINDS[e[4]]
        kept_free = {"charter": 0, "authority": 0, "grant": 9216, "erasure": 9216}.get(kind, 1024)
        need(self.size < 65536 - kept_free, "ledger", "C-56")
        need(sha256(b"karute-v1/entry-body\0" + item["salt"] + body).digest() == e[5], "ledger", "C-22")
        need((kind == "charter") == (self.size == 0), "ledger", "C-22")
        need(self.size != 1 or kind == "authority", "ledger", "C-22")
        try:
            said = open_statement(kind, body)
        except Refused as no:
            raise no if no.stage == "payload" else Refused("ledger", "C-22") from None
        need((said.id if kind == "charter" else said.payload[1]) == e[1], "ledger", "C-21")
        self._signer(made, said, kind)
        directory_now = said.id if kind == "directory" else (self.directory.id if self.directory else ZERO32)
        authority_now = said.id if kind == "authority" else (self.authority.id if self.authority else ZERO32)
        need(e[6] == directory_now and e[7] == authority_now, "ledger", "C-23")
        getattr(self, "_" + kind)(said, e, leaves)
        self.vault = e[1]
        self.size, self.last, self.time = self.size + 1, made.id, e[8]
        self.entries.append(item["entry"])

    def _signer(self, made, said, kind):
        if self.size == 0:
            need(made.signer == said.payload[1], "ledger", "C-24")
            return
        if self.size == 1:
            need(made.signer == self.identity, "ledger", "C-24")
            return
        allowed = self.devices()
        if kind == "authority":
            allowed = allowed | {said.signer}
        if kind == "revocation" or (kind == "grant" and 8 in said.payload):
            allowed = allowed | {self.home()}
        need(made.signer in allowed, "ledger", "C-24")

    def _charter(self, said, e, leaves):
        self.charter, self.identity, self.next = said, said.payload[1], said.payload[2]
        self.witnesses = (said.payload[6], said.payload[7])

    def _authority(self, said, e, leaves):
        a, before = said.payload, self.authority.payload if self.authority else None
        committed = sha256(b"karute-v1/next-identity\0" + said.signer).digest() == self.next
        need(said.signer == self.identity or committed, "ledger", "C-17")
        by_next = committed and said.signer != self.identity
        if by_next:
            need(a[3] == said.signer and a[4] != self.next, "ledger", "C-18")
        else:
            need(a[3] == self.identity and a[4] == self.next, "ledger", "C-18")
        if before is None:
            c = self.charter.payload
            need(a[2] == 0 and a[10] == 0 and not by_next, "ledger", "C-19")
            need((a[7], a[8], a[9]) == (c[3], c[4], c[5]), "ledger", "C-20")
        else:
            need(a[2] == before[2] + 1, "ledger", "C-19")
            need(a[10] in (before[10], before[10] + 1), "ledger", "C-19")
            missing = {(d[1], encode(d[2])) for d in before[5]} - {(d[1], encode(d[2])) for d in a[5]}
            need(a[10] == before[10] + 1 or not (missing or by_next), "ledger", "C-19")
            same = (a[7] == before[7], a[8] == before[8])
            need(same == ((True, True) if a[10] == before[10] else (False, False)), "ledger", "C-20")
            need((a[9] == before[9]) == (not by_next), "ledger", "C-20")
            if a[10] != before[10]:
                self.pending |= set(self.leaves)
        self.authority, self.identity, self.next = said, a[3], a[4]
        if 12 in a:
            self.witnesses = (a[12][1], a[12][2])

    def _device_said(self, said):
        need(said.signer in self.devices(), "ledger", "C-26")

    def _directory(self, said, e, leaves):
        self._device_said(said)
        d = said.payload
        need(d[2] == (self.directory.payload[2] + 1 if self.directory else 0), "ledger", "C-27")
        raw = list(leaves or [])
        need(len(raw) == d[4] and root_of(raw) == d[3], "ledger", "C-27")
        new = [decode(leaf) for leaf in raw]
        for leaf in new:
            collection_leaf(leaf, "ledger")
            need(leaf[1] != INBOX, "ledger", "C-27")
        need(all(a[1] < b[1] for a, b in zip(new, new[1:])), "ledger", "C-27")
        by_id = {leaf[1]: leaf for leaf in new}
        for old in self.leaves.values():
            now = by_id.get(old[1])
            need(now is not None and now[2] >= old[2], "ledger", "C-28")
            need(now[2] > old[2] or now[6] == old[6], "ledger", "C-28")
            if now[2] > old[2]:
                self.pending.discard(old[1])
        for leaf in new:
            stays = leaf[1] in self.leaves and self.leaves[leaf[1]][2] == leaf[2]
            need(stays or leaf[6] == self.authority.payload[10], "ledger", "C-28")
        self.leaves, self.directory = by_id, said

    def _grant(self, said, e, leaves):
        g = said.payload
        if 8 in g:
            parent = self.grants.get(g[8])
            need(parent is not None and not self.dead(g[8]), "ledger", "C-31")
            need(said.signer == parent.payload[2], "ledger", "C-31")
            need(child_within(g, parent.payload), "ledger", "C-32")
            root = list(self.chain_of(g[8]))[-1].id
            beside = [o for o in self.grants.values() if 8 in o.payload and list(self.chain_of(o.id))[-1].id == root]
            need(len(beside) < 256, "ledger", "C-57")
        else:
            need(said.signer in self.devices(), "ledger", "C-31")
        need(said.id not in self.grants and g[2] not in self.devices(), "ledger", "C-33")
        self.grants[said.id] = said

    def _revocation(self, said, e, leaves):
        r = said.payload
        target = self.grants.get(r[2])
        need(target is not None, "ledger", "C-34")
        need(self._may_revoke(said.signer, target, e[8]), "ledger", "C-34")
        below = [g for g in self.grants.values() if any(x.id == target.id for x in self.chain_of(g.id))]
        for g in [] if self.dead(target.id) else below:
            s = g.payload[3]
            if set(s[1]) & {2, 3, 6} and 4 not in s:
                self.pending |= set(s[2])
        self.revoked.add(target.id)

    def _may_revoke(self, signer, target, now):
        if signer in self.devices() or (8 in target.payload and signer == target.signer):
            return True
        return any(
            g.payload[2] == signer and 5 in g.payload[3][1] and not self.dead(g.id)
            and g.payload[5][1] <= now < g.payload[5][2]
            and target.payload[3][2] and set(target.payload[3][2]) <= set(g.payload[3][2])
            for g in self.grants.values()
        )

    def _rotation(self, said, e, leaves):
        self._device_said(said)
        r = said.payload
        need(r[3] == self.rotation + 1, "ledger", "C-36")
        for c in r[4]:
            leaf = self.leaves.get(c[1])
            need(leaf is not None and (leaf[2], leaf[6]) == (c[2], c[3]), "ledger", "C-36")
        for p in r[5]:
            need(p[1] in self.grants and not self.dead(p[1]), "ledger", "C-36")
        self.rotation = r[3]

    def _erasure(self, said, e, leaves):
        self._device_said(said)
        self.erased_events |= set(said.payload.get(5, ()))


# ---- section 11: decision


def decide(made, ledger, env):
    """Returns the chain of the permit, or raises `Denied(reason number)`."""
    q = made.payload
    no = lambda bad, reason: (_ for _ in ()).throw(Denied(reason)) if bad else None
    no(q[2] != ledger.vault, 1)
    no(q[10] != env["node"], 2)
    no(q[11] != env["peer"], 3)
    no(q[8] != env["challenge"], 4)
    no(q[9] <= env["last_sequence"], 5)
    no(abs(q[13] - env["now"]) > SKEW, 6)
    no(q[4] != SYNC and env["now"] + SKEW < env["last_committed"], 7)
    device = made.signer in ledger.devices()
    if not q[3]:
        if q[4] == SYNC:
            committed = sha256(b"karute-v1/next-identity\0" + made.signer).digest() == ledger.next
            holder = any(g.payload[2] == made.signer for g in ledger.grants.values())
            no(not (device or committed or holder or made.signer in env["askers"]), 8)
            return []
        no(not device, 8)
        no(q[6] != PATRQT, 16)
        return []
    chain = []
    for one in q[3]:
        no(one not in ledger.grants, 9)
        chain.append(ledger.grants[one])
    no(8 in chain[0].payload, 10)
    for above, below in zip(chain, chain[1:]):
        no(below.payload.get(8) != above.id or below.signer != above.payload[2], 10)
        no(not child_within(below.payload, above.payload), 10)
    last = chain[-1].payload
    no(made.signer != last[2], 11)
    no(ledger.dead(chain[-1].id), 12)
    for g in chain:
        no(env["now"] < g.payload[5][1], 13)
        no(env["now"] >= g.payload[5][2], 14)
    no(q[4] not in last[3][1], 15)
    no(q[6] not in last[4], 16)
    for g in chain:
        no(6 in g.payload and env["uses"].get(g.id, 0) >= g.payload[6] and not _resumes(made, env), 17)
    s, want = last[3], q[5]
    no(1 in want and not set(want[1]) <= set(s[2]), 18)
    no(3 in want and 4 in s and not set(want[3]) <= set(s[4]), 18)
    no(2 in want and 3 in s and not (s[3][1] <= want[2][1] and want[2][2] <= s[3][2]), 18)
    return chain


def _resumes(made, env):
    """C-49: whether the request goes on with the one that `env` knows as permitted earlier."""
    if "earlier" not in env:
        return False
    (earlier, permitted), q = env["earlier"], made.payload
    e, subset = earlier.payload, lambda a, b: set(a) <= set(b)
    return (
        q.get(14) == e[1] and made.signer == earlier.signer and (q[3], q[4]) == (e[3], e[4])
        and 0 <= env["now"] - permitted <= DAY
        and _axis(q[5], e[5], 1, subset) and _axis(q[5], e[5], 3, subset)
        and _axis(q[5], e[5], 2, lambda a, b: b[1] <= a[1] and a[2] <= b[2])
    )


class Denied(Exception):
    def __init__(self, reason):
        super().__init__(f"deny reason {reason}")
        self.reason = reason
