"""Derivation and sealing: protocol/SPEC.md sections 1 and 2."""

import base64
import re
from hashlib import sha256, shake_256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from . import Refused, need
from .cbor import bstr, record, uint

ENC_LENGTH = {1: 32, 2: 1120}


def expand(key, label, context, n):
    info = b"karute-v1/" + label.encode() + b"\0" + context
    return HKDFExpand(algorithm=hashes.SHA256(), length=n, info=info).derive(key)


def suite_of(number):
    kem = {1: hpke.KEM.X25519, 2: hpke.KEM.MLKEM768_X25519}[number]
    return hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def private_key(suite, secret):
    if suite == 1:
        return X25519PrivateKey.from_private_bytes(secret)
    stretched = shake_256(secret).digest(96)
    return hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(stretched[:64]), X25519PrivateKey.from_private_bytes(stretched[64:])
    )


def public_bytes(suite, secret):
    if suite == 1:
        return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    stretched = shake_256(secret).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(stretched[:64]).public_key().public_bytes_raw()
    return mlkem + X25519PrivateKey.from_private_bytes(stretched[64:]).public_key().public_bytes_raw()


def sealing_key(suite, secret):
    return {1: suite, 2: public_bytes(suite, secret)}


def public_key(sealing):
    raw = sealing[2]
    if sealing[1] == 1:
        return X25519PublicKey.from_public_bytes(raw)
    return hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(raw[:1184]), X25519PublicKey.from_public_bytes(raw[1184:])
    )


def info_of(label, context):
    return b"karute-v1/hpke/" + label.encode() + b"\0" + context


def check_sealed(v, stage):
    record({1: uint(), 2: bstr(), 3: bstr(most=2**20)})(v, stage)
    need(ENC_LENGTH.get(v[1]) == len(v[2]) and len(v[3]) >= 16, stage, "P-01")


def seal(to, label, context, plaintext):
    suite = to[1]
    out = suite_of(suite).encrypt(plaintext, public_key(to), info_of(label, context))
    return {1: suite, 2: out[: ENC_LENGTH[suite]], 3: out[ENC_LENGTH[suite] :]}


def unseal(secret, label, context, sealed):
    check_sealed(sealed, "seal")
    try:
        return suite_of(sealed[1]).decrypt(sealed[2] + sealed[3], private_key(sealed[1], secret), info_of(label, context))
    except (InvalidTag, ValueError):
        raise Refused("open", "P-01") from None


# ---- section 2


def inbox_secret(root):
    return expand(root, "inbox", b"", 32)


def audit_secret(root):
    return expand(root, "audit", b"", 32)


def collection_id(root_0, vault, category, sensitivity):
    return expand(root_0, "collection-id", vault + bytes([category, sensitivity]), 16)


def collection_root(root, vault, collection, generation):
    return expand(root, "collection", vault + collection + generation.to_bytes(4, "big"), 32)


def descend(seed, depth, month):
    """The leaf of a month below a node at `depth`."""
    for level in range(depth, 16):
        seed = expand(seed, "tree-%d" % (month >> (15 - level) & 1), b"", 32)
    return seed


def node_at(root, depth, prefix):
    for level in range(depth):
        root = expand(root, "tree-%d" % (prefix >> (depth - 1 - level) & 1), b"", 32)
    return root


def epoch_secret(leaf):
    return expand(leaf, "epoch", b"", 32)


def cover(start, end):
    """The fewest nodes (depth, prefix) whose months all lie in [start, end)."""
    out, at = [], start
    while at < end:
        size = 0
        while size < 16 and at % (2 << size) == 0 and at + (2 << size) <= end:
            size += 1
        out.append((16 - size, at >> size))
        at += 1 << size
    return out


def recovery_text(code):
    check = sha256(b"karute-v1/recovery-check\0" + code).digest()[:4]
    raw = base64.b32encode(code + check).decode().lower().rstrip("=")
    return "karute-recovery-1-" + "-".join(raw[i : i + 4] for i in range(0, len(raw), 4))


def read_recovery(text):
    plain = re.sub(r"[\s-]", "", text).lower()
    need(plain.startswith("karuterecovery1"), "encoding", "P-04")
    body = plain[len("karuterecovery1") :]
    need(len(body) == 58, "encoding", "P-04")
    try:
        raw = base64.b32decode(body.upper() + "======")
    except ValueError:
        raise Refused("encoding", "P-04") from None
    need(base64.b32encode(raw).decode().lower().rstrip("=") == body, "encoding", "P-04")
    need(raw[32:] == sha256(b"karute-v1/recovery-check\0" + raw[:32]).digest()[:4], "encoding", "P-04")
    return raw[:32]
