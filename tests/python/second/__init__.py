"""A second implementation of karute's formats, written from consent/SPEC.md and protocol/SPEC.md alone.

It shares no code with the Rust crates: its own strict CBOR, the HPKE and AES-GCM of `cryptography` (OpenSSL), BLAKE3 of `blake3`.
Every refusal is a `Refused(stage, rule)`, with the stages of the SPEC.
"""


class Refused(Exception):
    """Bytes or a demand that a rule of the SPEC refuses; `stage` is where that is noticed."""

    def __init__(self, stage, rule, why=""):
        super().__init__(f"{stage} {rule} {why}".strip())
        self.stage = stage
        self.rule = rule


def need(condition, stage, rule, why=""):
    if not condition:
        raise Refused(stage, rule, why)
