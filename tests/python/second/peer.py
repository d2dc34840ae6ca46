"""A peer of karute: frames and messages of protocol/SPEC.md section 10, over a plain pipe into a node."""

import os
import subprocess
import time
from hashlib import sha256

from . import Refused, consent, evidence, need, record, seal, trail
from .cbor import decode, encode

MESSAGE, PIECE = 0, 1
GROUP = 16384


class Session:
    """One stream to a host: hello, then messages with rising ids."""

    def __init__(self, pipe, address, transport_seed):
        self.process = subprocess.Popen([pipe, address, transport_seed.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.peer = bytes.fromhex(self.process.stdout.readline().decode().strip())
        self.next_id, self.sequence = 1, 0
        self.send(1, {1: [1], 2: []})
        tag, hello = self.receive()
        need(tag == 2 and hello[1] == 1, "message", "P-28")
        self.challenge, self.node = hello[2], hello[3]

    def send(self, tag, fields):
        message = bytes([MESSAGE]) + self.next_id.to_bytes(4, "big") + bytes([tag]) + encode(fields)
        self.process.stdin.write(len(message).to_bytes(4, "big") + message)
        self.process.stdin.flush()
        self.next_id += 1
        return self.next_id - 1

    def frame(self):
        head = self.process.stdout.read(4)
        need(len(head) == 4, "message", "P-28", "the host hung up")
        raw = self.process.stdout.read(int.from_bytes(head, "big"))
        return raw[0], int.from_bytes(raw[1:5], "big"), raw[5:]

    def receive(self):
        kind, _, payload = self.frame()
        need(kind == MESSAGE, "message", "P-28")
        return payload[0], decode(payload[1:], 262144)

    def ask(self, tag, fields, wanted):
        self.send(tag, fields)
        return self.expect(wanted)

    def expect(self, wanted):
        tag, fields = self.receive()
        if tag == 8:
            raise Refused("message", "P-29", "refused")
        need(tag == wanted, "message", "P-28", f"tag {tag} {fields}")
        return fields

    def pieces(self, length):
        out = bytearray()
        while len(out) < length:
            kind, _, payload = self.frame()
            need(kind == PIECE, "message", "P-28")
            out += payload
        return bytes(out)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Party:
    """A party with its own keys: facility or guardian."""

    def __init__(self, kind, name):
        self.seed, self.secret, self.transport = os.urandom(32), os.urandom(32), os.urandom(32)
        payload = {1: kind, 2: name, 3: seal.sealing_key(2, self.secret), 4: int(time.time())}
        self.card = consent.sign("card", payload, self.seed)
        self.key = consent.open_statement("card", self.card).signer

    def request(self, session, vault, chain, action, purpose, selector=None):
        session.sequence += 1
        payload = {
            1: os.urandom(16), 2: vault, 3: chain, 4: action, 5: selector or {}, 6: purpose, 8: session.challenge,
            9: session.sequence, 10: session.node, 11: session.peer, 13: int(time.time()),
        }
        return consent.sign("request", payload, self.seed)

    def sync(self, session, vault):
        """Own part of the ledger: (grants by id with attachments, packages by grant, directory id, head)."""
        session.send(11, {1: self.request(session, vault, [], consent.SYNC, 1), 2: 0})
        grants, packages, attachments, entries, last = {}, {}, [], [], consent.ZERO32
        while True:
            tag, m = session.receive()
            need(tag != 8, "message", "P-29", "refused")
            if tag == 40:
                attachments.append(m[1])
            elif tag == 12:
                made = consent.open_statement("entry", m[1])
                need(made.payload[1] == vault and made.payload[2] == len(entries), "ledger", "C-21")
                need(made.payload[3] == last, "ledger", "C-21")
                last, newest = made.id, made.payload
                entries.append(m[1])
                if 3 in m:
                    need(sha256(b"karute-v1/entry-body\0" + m[2] + m[3]).digest() == newest[5], "ledger", "C-22")
                    said = consent.open_statement(consent.ENTRY_KINDS[newest[4]], m[3])
                    if newest[4] == 5:
                        grants[said.id] = (said, m.get(4) or attachments)
                attachments = []
            elif tag == 16:
                packages.setdefault(m[1], []).append((m[2], m[3]))
            elif tag == 18:
                size, root = trail.check_checkpoint(m[1], "karute/ledger/" + vault.hex(), session.node)
                need(size == len(entries) and root == trail.root_of(entries), "proof", "P-25")
                return grants, packages, newest[6], {1: size, 2: root}
            else:
                raise Refused("message", "P-28", f"tag {tag}")

    def items(self, grant, packages):
        """Every key that the packages of a grant hold."""
        out = []
        for rotation, sealed in packages[grant.id]:
            out += record.open_package(self.secret, consent.core_of(grant.payload), rotation, sealed)
        return out


def decode_bao(encoded, length):
    """The bytes of a whole-body bao encoding; the caller checks their BLAKE3 hash."""
    at = 0

    def tree(size):
        nonlocal at
        if size <= GROUP:
            at += size
            return encoded[at - size : at]
        at += 64
        left = 1 << (size - 1).bit_length() - 1
        return tree(left) + tree(size - left)

    out = tree(length)
    need(at == len(encoded), "range", "P-32")
    return out


def fetch(party, session, vault, chain, purpose, items, selector=None):
    """Every record that the grant covers: [(meta, file bytes)]."""
    session.send(21, {1: party.request(session, vault, chain, 3, purpose, selector)})
    permitted = session.expect(26)
    session.receipt = permitted[1]
    leaf, event = trail.check_receipt(encode(permitted[1]), session.node)
    need(leaf[1] == vault and event[2] == party.key, "proof", "P-24")
    evidence.check_request(leaf, event, session.node)
    found = []
    while True:
        tag, m = session.receive()
        if tag == 30:
            need(m[1] == len(found) == permitted[2], "message", "P-26")
            return found
        need(tag == 28, "message", "P-28", f"tag {tag}")
        run, header = consent.open_statement("run", m[3]), consent.open_statement("header", m[1])
        body = m[9] if 9 in m else decode_bao(session.pieces(m[8]), header.payload[7])
        found.append(record.open_record(open_run(items, run, m.get(4)), run, header, m[2], body))


def audit(party, session, vault, chain, purpose):
    """The whole trail of a vault: (events by number, None for those that were erased; the audit-answer's payload)."""
    asked = party.request(session, vault, chain, 4, purpose)
    session.send(27, {1: asked, 2: 1})
    session.expect(26)
    items = []
    while True:
        tag, m = session.receive()
        if tag == 34:
            break
        need(tag == 36, "message", "P-28", f"tag {tag}")
        items.append(m)
    file = encode({1: 1, 2: vault, 3: session.node, 4: m[2], 5: items, 6: m[3]})
    numbers, _, answer = evidence.check_trail_file(file)
    need(numbers[0] == 1 and answer.payload[2] == consent.statement_id("request", asked), "proof", "P-41")
    return {item[1][2]: item.get(3) for item in items}, answer.payload


def heads(session, vault, earlier):
    """The newest head of the host's trail, proven to extend `earlier` (size, root), and that of a ledger."""
    nonce, trail_origin = os.urandom(32), "karute/trail/" + session.node.hex()
    sizes = [earlier[0]]
    m = session.ask(41, {1: nonce, 2: vault, 3: sizes}, 44)
    evidence.check_message(bytes([44]) + encode(m))
    size, root, _ = evidence.check_tree_head(m[1], trail_origin, session.node, nonce)
    need(len(m[3]) == len(sizes), "message", "P-28")
    trail.check_consistency(*earlier, size, root, m[3][0])
    trail.check_checkpoint(m[2], trail_origin, session.node)
    ledger_origin = "karute/ledger/" + vault.hex()
    ledger = evidence.check_tree_head(m[4], ledger_origin, session.node, nonce)[:2]
    need(trail.check_checkpoint(m[5], ledger_origin, session.node) == ledger, "proof", "P-23")
    return (size, root), ledger


def open_run(items, run, wrap_bytes):
    place, opener = run.payload, record.open_run
    if wrap_bytes is not None:
        place, opener = consent.open_statement("re-wrap", wrap_bytes).payload, record.open_re_wrap
    for item in items:
        if (item[1], item.get(2), item.get(3)) == (1, place[3], place[4]) and place[5] >> (16 - item[4]) == item[5]:
            return opener(seal.epoch_secret(seal.descend(item[6], item[4], place[5])), place)
    raise Refused("package", "P-09", "no key for this month")


def deposit(party, session, vault, chain, head, directory, collection, kind, title, data):
    """Seals one small record and stores it; returns the host's receipt."""
    month = (lambda t: (t.tm_year - 1970) * 12 + t.tm_mon - 1)(time.gmtime())
    answer = session.ask(13, {1: party.request(session, vault, chain, 1, 1), 2: collection, 3: month}, 20)
    leaf, key = record.check_key_proof(answer[1], directory, collection, month)
    run_secret, run_id = os.urandom(32), os.urandom(16)
    facts = {1: run_id, 2: vault, 3: collection, 4: leaf[2], 5: month, 6: party.key, 7: chain[-1], 8: head}
    run = consent.sign("run", {**facts, 9: seal.seal(key, "run", encode(facts), run_secret)}, party.seed)
    session.ask(15, {1: run}, 6)
    digest = sha256(data).digest()
    record_id = record.record_id(party.secret, vault, digest)
    meta_key, body_key = record.record_keys(run_secret, vault, run_id, party.key, record_id)
    body = record.seal_chunks(body_key, record.body_salt(body_key), b"karute-v1/body", data.ljust(record.padded(len(data)), b"\0"))
    meta = encode({1: title, 2: kind[0], 3: kind[1], 4: "text/plain", 7: [], 8: len(data), 9: digest})
    meta = len(meta).to_bytes(4, "big") + meta
    meta = record.seal_chunks(meta_key, os.urandom(24), b"karute-v1/meta", meta.ljust(record.padded(len(meta)), b"\0"))
    header = {
        1: 1, 2: 1, 3: vault, 4: record_id, 5: run_id, 6: 1, 7: len(body), 8: record.blake3.blake3(body).digest(), 9: body[24:56],
        10: sha256(meta).digest(), 12: int(time.time()),
    }
    stored = session.ask(19, {1: consent.sign("header", header, party.seed), 2: meta, 3: body}, 24)
    trail.check_receipt(encode(stored[1]), session.node)
    return stored


def delegate(party, session, vault, parent, items, card_bytes, now):
    """A narrower child grant for another card, sequenced by the home host; returns the grant's id."""
    card = consent.open_statement("card", card_bytes)
    scope = {**parent.payload[3], 1: [2, 3]}
    core = {
        1: vault, 2: card.signer, 3: scope, 4: parent.payload[4], 5: {1: now, 2: min(now + 86400, parent.payload[5][2])}, 7: 0,
        8: parent.id, 9: os.urandom(16),
    }
    raw = encode(core)
    text = "Passed on by the guardian."
    particulars = encode(
        {1: card_bytes, 2: "", 3: [], 4: 0, 5: sha256(text.encode()).digest(), 6: "en", 7: [], 8: text}
    )
    context = sha256(raw).digest()
    sealed = encode({n: seal.seal(card.payload[3], "particulars", context + bytes([n]), particulars) for n in (1, 2)})
    package = encode(seal.seal(card.payload[3], "package", context + bytes(4), encode({1: items})))
    hashes = [sha256(one).digest() for one in (sealed, package)]
    grant = consent.sign("grant", {**core, 10: hashes[0], 11: hashes[1]}, party.seed)
    for one in (sealed, package):
        session.ask(5, {1: one}, 6)
    session.ask(7, {1: vault, 2: 0, 3: [{1: b"", 2: os.urandom(32), 3: grant, 4: hashes}]}, 10)
    return consent.open_statement("grant", grant).id
