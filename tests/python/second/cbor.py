"""Deterministic CBOR (consent/SPEC.md section 1): unsigned and negative integers, byte and text strings, arrays, maps, booleans."""

import re

from . import Refused, need

DEPTH = 16


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(n <= len(self.data) - self.at, "encoding", "C-05", "bytes end inside an item")
        out = self.data[self.at : self.at + n]
        self.at += n
        return out

    def argument(self, info):
        if info < 24:
            return info
        need(info != 31, "encoding", "C-01", "indefinite length")
        need(info <= 27, "encoding", "C-01", "reserved")
        width = 1 << (info - 24)
        value = int.from_bytes(self.take(width), "big")
        least = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[width]
        need(value >= least, "encoding", "C-01", "not shortest")
        return value

    def item(self, depth):
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            need(info in (20, 21), "encoding", "C-03" if info != 31 else "C-01")
            return info == 21
        need(major != 6, "encoding", "C-03", "tag")
        count = self.argument(info)
        if major == 0:
            return count
        if major == 1:
            return -1 - count
        if major == 2:
            return bytes(self.take(count))
        if major == 3:
            try:
                return self.take(count).decode("utf-8")
            except UnicodeDecodeError:
                raise Refused("encoding", "C-07", "not UTF-8") from None
        need(depth < DEPTH, "encoding", "C-05", "too deep")
        need(count <= (len(self.data) - self.at) // (1 if major == 4 else 2), "encoding", "C-05")
        if major == 4:
            return [self.item(depth + 1) for _ in range(count)]
        out, before = {}, None
        for _ in range(count):
            start = self.at
            key = self.item(depth + 1)
            raw = self.data[start : self.at]
            need(before is None or before < raw, "encoding", "C-02")
            before = raw
            need(not isinstance(key, (list, dict)), "encoding", "C-06")
            out[key] = self.item(depth + 1)
        return out


def decode(data, limit=None):
    need(limit is None or len(data) <= limit, "encoding", "C-07", "too long")
    reader = _Reader(bytes(data))
    value = reader.item(0)
    need(reader.at == len(reader.data), "encoding", "C-04")
    return value


def _head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << (8 * width):
            return bytes([major << 5 | info]) + n.to_bytes(width, "big")
    raise ValueError("integer out of range")


def encode(value):
    if value is True or value is False:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, (bytes, bytearray)):
        return _head(2, len(value)) + bytes(value)
    if isinstance(value, str):
        raw = value.encode()
        return _head(3, len(raw)) + raw
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(map(encode, value))
    pairs = sorted((encode(k), encode(v)) for k, v in value.items())
    return _head(5, len(pairs)) + b"".join(k + v for k, v in pairs)


# ---- shapes: what a field may hold. A shape is called with (value, stage) and returns nothing or raises.


def bstr(n=None, most=None, least=0):
    def check(v, stage):
        need(type(v) is bytes, "encoding", "C-06", "not a byte string")
        need(n is None or len(v) == n, "encoding", "C-06", "length")
        need(least <= len(v), stage, "C-07")
        need(most is None or len(v) <= most, stage, "C-07")

    return check


def uint(least=0, most=2**64 - 1, rule="C-06", stage_of=None):
    def check(v, stage):
        need(type(v) is int and v >= 0, "encoding", "C-06", "not an unsigned integer")
        need(least <= v <= most, stage_of or stage, rule)

    return check


def text(most, least=0, rule="C-07", lines=False):
    control = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]" if lines else r"[\x00-\x1f\x7f]")

    def check(v, stage):
        need(type(v) is str, "encoding", "C-06", "not a text")
        need(least <= len(v.encode()) <= most, stage, rule)
        need(not control.search(v), stage, "C-07", "control character")

    return check


def array(of, least=0, most=64, rule="C-07", key=None, order_rule="C-10"):
    """An array; with `key` its items ascend strictly by that key."""

    def check(v, stage):
        need(type(v) is list, "encoding", "C-06", "not an array")
        need(least <= len(v) <= most, stage, rule)
        for one in v:
            of(one, stage)
        if key is not None:
            keys = [key(one) for one in v]
            need(all(a < b for a, b in zip(keys, keys[1:])), stage, order_rule)

    return check


def a_set(of, least=0, most=64, rule="C-10"):
    return array(of, least, most, rule, key=lambda one: one)




def record(required, optional=None):
    """A map with exactly the required integer keys and any of the optional ones."""
    optional = optional or {}

    def check(v, stage):
        need(type(v) is dict, "encoding", "C-06", "not a map")
        need(set(required) <= set(v), "encoding", "C-06", "missing field")
        need(set(v) <= set(required) | set(optional), "encoding", "C-06", "unknown field")
        for k, shape in {**required, **optional}.items():
            if k in v:
                shape(v[k], stage)

    return check
