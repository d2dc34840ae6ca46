"""Directory proofs, packages, runs, sealed records, side letters: protocol/SPEC.md sections 3 to 7, 9 and 11."""

import hmac
import re
from hashlib import sha256

import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from . import Refused, consent, need, trail
from .cbor import a_set, array, bstr, decode, encode, record, text, uint
from .seal import check_sealed, epoch_secret, descend, expand, public_bytes, unseal

CHUNK, TAG, PREFIX = 16384, 16, 56
H = lambda data: sha256(data).digest()

# ---- body: C2SP chunked-encryption, AES-256-GCM and SHA-512


def _chunk_keys(key, salt, context):
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    out = HKDFExpand(algorithm=hashes.SHA512(), length=76, info=info).derive(key)
    return AESGCM(out[:32]), out[32:44], out[44:]


def _nonce(base, n):
    return (int.from_bytes(base, "big") ^ n).to_bytes(12, "big")


def seal_chunks(key, salt, context, plain):
    aead, base, commitment = _chunk_keys(key, salt, context)
    pieces = [plain[i : i + CHUNK] for i in range(0, len(plain), CHUNK)]
    if not pieces or len(pieces[-1]) == CHUNK:
        pieces.append(b"")
    return salt + commitment + b"".join(aead.encrypt(_nonce(base, n), p, b"") for n, p in enumerate(pieces))


def open_chunks(key, context, sealed):
    need(len(sealed) >= PREFIX + TAG, "body", "P-18")
    aead, base, commitment = _chunk_keys(key, sealed[:24], context)
    need(hmac.compare_digest(commitment, sealed[24:56]), "body", "P-18", "commitment")
    rest = sealed[PREFIX:]
    pieces = [rest[i : i + CHUNK + TAG] for i in range(0, len(rest), CHUNK + TAG)]
    need(TAG <= len(pieces[-1]) < CHUNK + TAG, "body", "P-18", "last chunk")
    try:
        return b"".join(aead.decrypt(_nonce(base, n), p, b"") for n, p in enumerate(pieces))
    except InvalidTag:
        raise Refused("body", "P-18") from None


def padded(length):
    length = max(length, 256)
    e = length.bit_length() - 1
    s = e.bit_length()
    mask = (1 << (e - s)) - 1
    return (length + mask) & ~mask


def plaintext_length(body_length):
    """The plaintext length of a sealed body, or None if no plaintext has this sealed length."""
    rest = body_length - PREFIX
    full, last = divmod(rest, CHUNK + TAG)
    return full * CHUNK + last - TAG if rest >= TAG and last >= TAG else None


# ---- directory, section 3


_key_leaf = record({1: consent.month, 2: consent.sealing_key})


def check_key_proof(proof, directory_id, collection, month):
    record(
        {1: bstr(), 2: consent.collection_leaf, 3: uint(), 4: array(bstr(32), 0, 16), 5: _key_leaf, 6: array(bstr(32), 0, 16)}
    )(proof, "directory")
    said = consent.open_statement("directory", proof[1])
    need(said.id == directory_id, "directory", "P-05")
    leaf, key = proof[2], proof[5]
    need(leaf[1] == collection and key[1] == month, "directory", "P-05")
    need(0 <= month - leaf[3] < leaf[4], "directory", "P-05")
    try:
        trail.check_inclusion(trail.leaf_hash(encode(leaf)), proof[3], said.payload[4], proof[4], said.payload[3])
        trail.check_inclusion(trail.leaf_hash(encode(key)), month - leaf[3], leaf[4], proof[6], leaf[5])
    except Refused:
        raise Refused("directory", "P-05") from None
    return leaf, key[2]


def check_key_leaves(leaf, raw_leaves):
    need(len(raw_leaves) == leaf[4], "directory", "P-07")
    for n, raw in enumerate(raw_leaves):
        key = decode(raw)
        _key_leaf(key, "directory")
        need(key[1] == leaf[3] + n and key[2][1] == 2, "directory", "P-07")
    need(trail.root_of(raw_leaves) == leaf[5], "directory", "P-07")


# ---- packages, sections 4 and 5


def _item_order(item):
    by_kind = {1: lambda: (item[2], item[3], item[4], item[5]), 2: lambda: (item[7],), 3: lambda: (item[10],)}
    return (item[1], *by_kind[item[1]]())


def check_items(v, stage="package"):
    any_item = record(
        {1: uint(1, 3, "P-08")},
        {2: bstr(16), 3: uint(1), 4: uint(0, 16, "P-03"), 5: uint(), 6: bstr(32), 7: bstr(16), 8: bstr(32), 9: bstr(32), 10: uint()},
    )
    record({1: array(any_item, 1, 700)})(v, stage)
    need_of = {1: {1, 2, 3, 4, 5, 6}, 2: {1, 7, 8}, 3: {1, 6, 10}}
    for item in v[1]:
        need(set(item) - ({9} if item[1] == 2 else set()) == need_of[item[1]], stage, "P-08")
        if item[1] == 1:
            need(item[5] < 1 << item[4], stage, "P-03")
    keys = [_item_order(item) for item in v[1]]
    need(all(a < b for a, b in zip(keys, keys[1:])), stage, "P-08")


def open_package(secret, core, rotation, sealed):
    plain = unseal(secret, "package", H(core) + rotation.to_bytes(4, "big"), sealed)
    items = decode(plain)
    check_items(items)
    return items[1]


def check_tree_item(item, month, key):
    """P-09: the epoch key of `month` that the node derives is the directory's."""
    need(month >> (16 - item[4]) == item[5], "package", "P-09")
    secret = epoch_secret(descend(item[6], item[4], month))
    need(key == {1: 2, 2: public_bytes(2, secret)}, "package", "P-09")


def open_roots(secret, suite, vault, number, raw_list, authority):
    value = decode(raw_list)
    array(record({1: bstr(32), 2: check_sealed}), 1, 17, key=lambda one: one[1], order_rule="P-10")(value, "package")
    receivers = [d[2] for d in authority[5]] + [authority[9]]
    need([one[1] for one in value] == sorted(H(encode(key)) for key in receivers), "package", "P-10")
    mine = H(encode({1: suite, 2: public_bytes(suite, secret)}))
    sealed = next((one[2] for one in value if one[1] == mine), None)
    need(sealed is not None, "package", "P-10")
    items = decode(unseal(secret, "roots", vault + number.to_bytes(4, "big") + mine, sealed))
    check_items(items)
    need([i.get(10) for i in items[1]] == list(range(authority[10] + 1)), "package", "P-10")
    return [i[6] for i in items[1]]


def open_particulars(secret, core, who, sealed_part, holder):
    value = decode(sealed_part)
    record({1: check_sealed, 2: check_sealed})(value, "package")
    plain = decode(unseal(secret, "particulars", H(core) + bytes([who]), value[who]))
    record(
        {
            1: bstr(), 2: text(128), 3: array(record({1: bstr(16), 2: uint(1, 15), 3: uint(1, 2)}), 0, 64), 4: uint(0, 7),
            5: bstr(32), 6: text(35, 1), 7: a_set(uint(1, 3)), 8: text(4096, lines=True),
        }
    )(plain, "payload")
    need(H(plain[8].encode()) == plain[5], "payload", "P-11")
    need(consent.open_statement("card", plain[1]).signer == holder, "payload", "P-11")
    return plain


# ---- runs and records, sections 6 and 7

_run = record(
    {
        1: bstr(16), 2: bstr(32), 3: bstr(16), 4: uint(), 5: consent.month, 6: bstr(32), 8: consent.head, 9: check_sealed,
    },
    {7: bstr(32)},
)
_re_wrap = record(
    {1: bstr(16), 2: bstr(32), 3: bstr(16), 4: uint(), 5: consent.month, 6: bstr(32), 7: bstr(32), 8: check_sealed}
)


def _header(v, stage):
    record(
        {
            1: uint(), 2: uint(), 3: bstr(32), 4: bstr(16), 5: bstr(16), 6: uint(), 7: uint(), 8: bstr(32), 9: bstr(32), 10: bstr(32), 12: consent.stamp,
        },
        {11: bstr(16)},
    )(v, stage)
    need((v[1], v[2], v[6]) == (1, 1, 1), stage, "P-15")
    plain = plaintext_length(v[7])
    need(v[7] <= 1 << 40 and plain is not None and plain >= 256 and padded(plain) == plain, stage, "P-15")


def _list_answer(v, stage):
    count = record({1: bstr(16), 2: uint(), 3: uint()})
    record({1: bstr(32), 2: bstr(32), 3: array(count, 0, 4096, key=lambda c: (c[1], c[2])), 4: consent.stamp, 5: bstr(32)})(v, stage)


consent.STATEMENTS.update(
    {"run": (65536, _run), "re-wrap": (65536, _re_wrap), "header": (65536, _header), "list-answer": (262144, _list_answer)}
)
consent.MORE["run"] = lambda made: need(made.payload[6] == made.signer, "payload", "P-12")


def open_run(secret, run):
    context = encode({k: v for k, v in run.items() if k <= 8})
    plain = unseal(secret, "run", context, run[9])
    need(len(plain) == 32, "open", "P-01")
    return plain


def open_re_wrap(secret, wrap):
    plain = unseal(secret, "re-wrap", encode({k: v for k, v in wrap.items() if k <= 7}), wrap[8])
    need(len(plain) == 32, "open", "P-01")
    return plain


def record_id(secret, vault, file_digest):
    return hmac.new(secret, vault + file_digest, sha256).digest()[:16]


def record_keys(run_secret, vault, run_id, depositor, record):
    x = b"\1" + vault + run_id + depositor + record
    return expand(run_secret, "record-meta", x, 32), expand(run_secret, "record-body", x, 32)


def body_salt(body_key):
    return expand(body_key, "body-salt", b"", 24)


_meta = record(
    {
        1: text(256, 1), 2: uint(1, 15, "C-55"), 3: uint(1, 2, "C-55"), 4: text(256, 1), 7: a_set(text(64, 1), 0, 16),
        8: uint(), 9: bstr(32),
    },
    {5: text(10), 6: text(256), 10: text(255, 1)},
)


def open_meta(meta_key, header, sealed):
    need(len(sealed) <= 3584 and H(sealed) == header[10], "open", "P-17")
    try:
        plain = open_chunks(meta_key, b"karute-v1/meta", sealed)
    except Refused:
        raise Refused("open", "P-17") from None
    length = int.from_bytes(plain[:4], "big")
    need(len(plain) >= 4 and len(plain) == padded(4 + length) and not any(plain[4 + length :]), "open", "P-17")
    value = decode(plain[4 : 4 + length])
    _meta(value, "payload")
    need(5 not in value or re.fullmatch(r"\d{4}-\d\d-\d\d", value[5]), "payload", "P-17")
    name = value.get(10, "x")
    need(not re.search(r"[/\\\0]", name) and name not in (".", ".."), "payload", "P-17")
    return value


def open_body(body_key, header, meta, sealed):
    need(len(sealed) == header[7] and blake3.blake3(sealed).digest() == header[8], "range", "P-20")
    need(sealed[24:56] == header[9], "body", "P-18")
    plain = open_chunks(body_key, b"karute-v1/body", sealed)
    need(padded(meta[8]) == len(plain) and not any(plain[meta[8] :]), "body", "P-19")
    data = plain[: meta[8]]
    need(H(data) == meta[9], "body", "P-19")
    return data


def supersedes(by, device, superseded):
    """P-21: whether a record by one depositor may take the place of one by another."""
    return device or by == superseded


def open_record(run_secret, run_made, header_made, sealed_meta, sealed_body):
    run, header = run_made.payload, header_made.payload
    need(header_made.signer == run[6] and header[3] == run[2] and header[5] == run[1], "payload", "P-16")
    meta_key, body_key = record_keys(run_secret, run[2], run[1], run[6], header[4])
    meta = open_meta(meta_key, header, sealed_meta)
    return meta, open_body(body_key, header, meta, sealed_body)


# ---- side letters, section 9, and proof files, section 11


def open_letter(secret, label, context, sealed_bytes, expected_hash):
    need(H(sealed_bytes) == expected_hash, "open", "P-27")
    return unseal(secret, label, context, decode(sealed_bytes))


def check_proof_file(data, file_bytes):
    proof = decode(data)
    record(
        {1: uint(), 2: bstr(32), 3: bstr(), 4: bstr(), 5: bstr(32), 6: bstr(), 8: bstr(16), 9: uint(), 10: uint(1), 11: trail.RECEIPT, 12: bstr(), 13: bstr(32)},
        {7: bstr()},
    )(proof, "proof")
    need(proof[1] == 1, "proof", "P-33")
    header, run = consent.open_statement("header", proof[3]), consent.open_statement("run", proof[6])
    h, r = header.payload, run.payload
    need(h[3] == r[2] == proof[2] and h[5] == r[1] and header.signer == run.signer, "proof", "P-33")
    place = r
    if 7 in proof:
        wrap = consent.open_statement("re-wrap", proof[7]).payload
        need((wrap[1], wrap[2], wrap[6]) == (r[1], r[2], r[6]), "proof", "P-33")
        place = wrap
    need((place[3], place[4]) == (proof[8], proof[9]), "proof", "P-33")
    request = consent.open_statement("request", proof[12])
    need(request.payload[2] == proof[2] and request.payload[10] == proof[13], "proof", "P-33")
    leaf, event = trail.check_receipt(encode(proof[11]), proof[13])
    need(leaf[1] == proof[2] and event.get(4) == request.payload[1] and event[2] == request.signer, "proof", "P-33")
    need(event[1] in (4, 12) and event[10] == 0, "proof", "P-33")
    need(h[4] in event[8] or event[9] > 64, "proof", "P-33")
    try:
        meta = open_meta(proof[5], h, proof[4])
    except Refused:
        raise Refused("proof", "P-33") from None
    need(len(file_bytes) == meta[8] and H(file_bytes) == meta[9], "proof", "P-33")
    return meta
