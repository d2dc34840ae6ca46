"""RFC 6962 trees, checkpoints (C2SP tlog-checkpoint, signed-note), receipts: protocol/SPEC.md sections 3 and 8."""

import base64
import binascii
import re
from hashlib import sha256

from . import Refused, need


def leaf_hash(data):
    return sha256(b"\0" + data).digest()


def node_hash(left, right):
    return sha256(b"\1" + left + right).digest()


def _tree(hashes):
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(_tree(hashes[:k]), _tree(hashes[k:]))


def root_of(leaves):
    return _tree([leaf_hash(leaf) for leaf in leaves])


def check_inclusion(leaf, index, size, proof, root):
    """RFC 9162 section 2.1.3.2."""
    need(index < size, "proof", "P-24", "index beyond size")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        need(sn != 0, "proof", "P-24", "too many hashes")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and r == root, "proof", "P-24", "wrong root")


def check_consistency(old_size, old_root, size, root, proof):
    """RFC 9162 section 2.1.4.2; the empty tree is the beginning of every tree."""
    need(old_size <= size, "proof", "P-25")
    if old_size == 0:
        need(not proof and old_root == sha256(b"").digest(), "proof", "P-25")
        return
    if old_size == size:
        need(not proof and old_root == root, "proof", "P-25")
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    need(path, "proof", "P-25")
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        need(sn != 0, "proof", "P-25")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and fr == old_root and sr == root, "proof", "P-25")


def strict_base64(text, rule="P-23"):
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("checkpoint", rule) from None
    need(base64.b64encode(raw).decode() == text, "checkpoint", rule)
    return raw


def check_checkpoint(note, origin, node):
    """Returns (size, root) of a checkpoint that `node` signed for `origin`."""
    from .consent import verify_strict

    body, mark, signatures = note.partition("\n\n")
    need(mark and signatures.endswith("\n"), "checkpoint", "P-23")
    body += "\n"
    lines = body.split("\n")[:-1]
    need(len(lines) == 3 and all(lines), "checkpoint", "P-23")
    need(lines[0] == origin, "checkpoint", "P-23", "origin")
    need(re.fullmatch("0|[1-9][0-9]{0,19}", lines[1]) and int(lines[1]) <= 2**48, "checkpoint", "P-23")
    root = strict_base64(lines[2])
    need(len(root) == 32, "checkpoint", "P-23")
    need(lines[1] != "0" or root == sha256(b"").digest(), "checkpoint", "P-23")
    wanted = sha256(origin.encode() + b"\n\x01" + node).digest()[:4]
    found = False
    for line in signatures.split("\n")[:-1]:
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "—" and parts[1], "checkpoint", "P-23")
        raw = strict_base64(parts[2])
        need(len(raw) > 4, "checkpoint", "P-23")
        if parts[1] == origin and raw[:4] == wanted:
            need(len(raw) == 68 and not found, "checkpoint", "P-23")
            need(verify_strict(node, body.encode(), raw[4:]), "checkpoint", "P-23", "signature")
            found = True
    need(found, "checkpoint", "P-23", "not signed by the node")
    return int(lines[1]), root


def check_cosigned(note, witnesses, quorum):
    """Since when `quorum` of `witnesses` (name, key) cosigned a checkpoint, and the newest time of each (P-44, P-46)."""
    from .consent import verify_strict

    body, mark, signatures = note.partition("\n\n")
    need(mark and signatures.endswith("\n"), "checkpoint", "P-44")
    each = []
    for name, key in witnesses:
        wanted, newest = sha256(name.encode() + b"\n\x04" + key).digest()[:4], None
        for line in signatures.split("\n")[:-1]:
            parts = line.split(" ")
            need(len(parts) == 3 and parts[0] == "—", "checkpoint", "P-44")
            raw = strict_base64(parts[2], "P-44")
            if parts[1] != name or raw[:4] != wanted:
                continue
            need(len(raw) == 76, "checkpoint", "P-44")
            time = int.from_bytes(raw[4:12], "big")
            need(time < 2**63, "checkpoint", "P-44")
            signed = f"cosignature/v1\ntime {time}\n{body}\n"
            need(verify_strict(key, signed.encode(), raw[12:]), "checkpoint", "P-44", "signature")
            newest = max(newest or 0, time)
        each.append(newest)
    by_key = {}
    for (_, key), time in zip(witnesses, each):
        if time is not None:
            by_key[key] = max(by_key.get(key, 0), time)
    times = sorted(by_key.values(), reverse=True)
    return times[quorum - 1] if 0 < quorum <= len(times) else None, each


def event_hash(salt, event):
    return sha256(b"karute-v1/trail-event\0" + salt + event).digest()


def check_receipt(data, node):
    from .cbor import decode, encode

    receipt = decode(data)
    RECEIPT(receipt, "proof")
    leaf, event = receipt[1], receipt[3]
    need(event_hash(receipt[2], encode(event)) == leaf[4], "proof", "P-24")
    size, root = check_checkpoint(receipt[6], "karute/trail/" + node.hex(), node)
    check_inclusion(leaf_hash(encode(leaf)), receipt[4], size, receipt[5], root)
    return leaf, event


def RECEIPT(v, stage):
    from .cbor import array, bstr, record, text, uint

    leaf = record({1: bstr(32), 2: uint(1), 3: uint(), 4: bstr(32)})
    record({1: leaf, 2: bstr(32), 3: EVENT, 4: uint(), 5: array(bstr(32), 0, 64), 6: text(8192, lines=True)})(v, stage)


def EVENT(v, stage):
    from .cbor import array, bstr, record, uint

    head, place = record({1: uint(), 2: bstr(32)}), record({1: bstr(16), 2: uint(), 3: uint()})
    record(
        {1: uint(1, 13), 2: bstr(32), 5: array(bstr(32), 0, 5), 8: array(bstr(16), 0, 64), 9: uint(), 10: uint(0, 255), 12: head},
        {
            3: bstr(most=64, least=1), 4: bstr(16), 6: uint(1, 7), 7: uint(1, 7), 11: lambda v, s: None, 13: bstr(32),
            14: place, 15: bstr(most=32768),
        },
    )(v, stage)
