"""The second implementation meets the real program: node, patient and facilities are processes of `karute`."""

import base64
import functools
import json
import os
import socket
import subprocess
import time
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from second import Refused, cbor, consent, finding, peer, record, seal, trail

ROOT = Path(__file__).resolve().parents[2]
FAMILY, TREATMENT, GUARDIAN, FACILITY = 7, 1, 4, 2


def program(name):
    """A binary of the workspace; built here unless a step before did."""
    package = {"karute": "karute-node", "pipe": "karute-tests", "liar": "karute-tests"}[name]
    subprocess.run(["cargo", "build", "--quiet", "--locked", "-p", package, "--bin", name], cwd=ROOT, check=True)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / name)


def free_port():
    """A port that nothing listened on a moment ago."""
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


class Cast:
    def __init__(self, folder):
        self.folder, self.karute = folder, program("karute")
        (folder / "pass").write_text("correct horse battery staple\n")
        made = self.run("node", "node", "init", "--listen", f"/ip4/127.0.0.1/tcp/{free_port()}")
        self.starts(self.command("node", "node", "run"))
        self.run("patient", "patient", "init", "--name", "Hanako", "--node", self.address, "--code", made["registration_code"])
        status = self.run("patient", "patient", "status")
        self.link, self.vault = status["link"], bytes.fromhex(status["vault"])
        for name in ("a", "b"):
            self.run(name, "facility", "init", "--name", name)
            self.run(name, "facility", "card", "--out", str(folder / f"{name}.card"))
        self.small = folder / "note.txt"
        self.small.write_bytes("処方箋の控え\n".encode())
        self.large = folder / "scan.bin"
        self.large.write_bytes(os.urandom(300_001))

    def starts(self, command):
        self.node = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        first = self.node.stdout.readline()
        self.address = json.loads(first)["addresses"][0]

    def ends(self):
        self.node.terminate()
        self.node.wait(20)

    @functools.cached_property
    def pipe(self):
        return program("pipe")

    def command(self, home, *words):
        return [self.karute, "--json", "--home", str(self.folder / home), "--passphrase-file", str(self.folder / "pass"), *words]

    def run(self, home, *words):
        done = subprocess.run(self.command(home, *words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def grant(self, card, template, *more):
        done = self.run("patient", "patient", "grant", "--to", str(card), "--template", template, "--category", "document", *more)
        return bytes.fromhex(done["grant"])

    def session(self, party):
        return peer.Session(self.pipe, self.address, party.transport)


@pytest.fixture(scope="module")
def cast(tmp_path_factory):
    made = Cast(tmp_path_factory.mktemp("cast"))
    yield made
    made.ends()


@pytest.fixture(scope="module")
def guardian(cast):
    """A party that exists in Python alone, to whom the patient's program granted."""
    cast.grant(cast.folder / "a.card", "deposit")
    cast.run("a", "facility", "deposit", str(cast.small), str(cast.large), "--vault", cast.link, "--category", "document")
    party = peer.Party(GUARDIAN, "Aunt Python")
    card = cast.folder / "python.card"
    card.write_bytes(party.card)
    party.grant = cast.grant(card, "guardian")
    return party


def test_the_host_refuses_a_stranger(cast):
    stranger = peer.Party(FACILITY, "Stranger")
    session = cast.session(stranger)
    with pytest.raises(Refused, match="P-29"):
        stranger.sync(session, cast.vault)
    session.close()


def test_python_opens_what_rust_sealed(cast, guardian):
    session = cast.session(guardian)
    grants, packages, _, _ = guardian.sync(session, cast.vault)
    grant, (sealed_part, _) = grants[guardian.grant]
    core = consent.core_of(grant.payload)
    shown = record.open_particulars(guardian.secret, core, 1, sealed_part, guardian.key)
    assert shown[4] == 5 and shown[3][0][2] == 14
    items = guardian.items(grant, packages)
    found = peer.fetch(guardian, session, cast.vault, [grant.id], FAMILY, items)
    assert sorted(data for _, data in found) == sorted(p.read_bytes() for p in (cast.small, cast.large))
    session.close()


def test_python_compares_its_keys_with_the_directory(cast, guardian):
    session = cast.session(guardian)
    grants, packages, directory, _ = guardian.sync(session, cast.vault)
    grant = grants[guardian.grant][0]
    collection = grant.payload[3][2][0]
    month = (lambda t: (t.tm_year - 1970) * 12 + t.tm_mon - 1)(time.gmtime())
    asked = guardian.request(session, cast.vault, [grant.id], 3, FAMILY)
    answer = session.ask(13, {1: asked, 2: collection, 3: month}, 20)
    _, key = record.check_key_proof(answer[1], directory, collection, month)
    covering = [i for i in guardian.items(grant, packages) if i[1] == 1 and month >> (16 - i[4]) == i[5]]
    assert len(covering) == 1
    record.check_tree_item(covering[0], month, key)
    session.close()


def test_rust_reads_under_a_grant_that_python_made(cast, guardian):
    session = cast.session(guardian)
    grants, packages, _, _ = guardian.sync(session, cast.vault)
    grant = grants[guardian.grant][0]
    text = (cast.folder / "b.card").read_text().strip().removeprefix("karute:card:")
    card = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    child = peer.delegate(guardian, session, cast.vault, grant, guardian.items(grant, packages), card, int(time.time()))
    session.close()
    out = cast.folder / "out"
    cast.run("b", "facility", "fetch", "--vault", cast.link, "--purpose", "FAMRQT", "--out", str(out))
    for file in (cast.small, cast.large):
        assert (out / file.name).read_bytes() == file.read_bytes()
        proof = (out / f"{file.name}.proof").read_bytes()
        assert record.check_proof_file(proof, file.read_bytes())[9]
    assert child.hex() in {g["grant"] for g in cast.run("patient", "patient", "grants")}


def test_rust_opens_what_python_sealed(cast):
    party = peer.Party(FACILITY, "Clinic Python")
    card = cast.folder / "clinic.card"
    card.write_bytes(party.card)
    grant_id = cast.grant(card, "deposit")
    session = cast.session(party)
    grants, _, directory, head = party.sync(session, cast.vault)
    collection = grants[grant_id][0].payload[3][2][0]
    data = "アレルギー: なし\n".encode() * 40
    stored = peer.deposit(party, session, cast.vault, [grant_id], head, directory, collection, (14, 1), "From Python", data)
    assert stored[5] == 0
    session.close()
    listed = cast.run("patient", "patient", "records")
    line = next(r for r in listed["records"] if r["title"] == "From Python")
    out = cast.folder / "own"
    cast.run("patient", "patient", "show", line["record"], "--out", str(out))
    assert out.read_bytes() == data


def test_a_revoked_grant_is_refused_to_python_too(cast):
    party = peer.Party(FACILITY, "Clinic for a day")
    card = cast.folder / "day.card"
    card.write_bytes(party.card)
    grant_id = cast.grant(card, "first-visit")
    session = cast.session(party)
    grants, packages, _, _ = party.sync(session, cast.vault)
    items = party.items(grants[grant_id][0], packages)
    assert peer.fetch(party, session, cast.vault, [grant_id], TREATMENT, items)
    cast.run("patient", "patient", "revoke", grant_id.hex())
    with pytest.raises(Refused, match="P-29"):
        peer.fetch(party, session, cast.vault, [grant_id], TREATMENT, items)
    session.close()


def test_a_replayed_request_is_refused(cast, guardian):
    first = cast.session(guardian)
    request = guardian.request(first, cast.vault, [guardian.grant], 3, FAMILY)
    second = cast.session(guardian)
    for session in (second, first, first):
        session.send(21, {1: request})
        tag, _ = session.receive()
        if session is first and tag == 26:
            break
    assert tag == 26, "the first use in its own session is permitted"
    while first.frame()[2][0] != 30:
        pass
    first.send(21, {1: request})
    assert first.receive()[0] == 8, "the second use is refused"
    first.close()
    second.close()


def test_what_the_host_says_of_its_heads_follows_from_a_receipt(cast, guardian):
    session = cast.session(guardian)
    grants, packages, _, ledger = guardian.sync(session, cast.vault)
    items = guardian.items(grants[guardian.grant][0], packages)
    peer.fetch(guardian, session, cast.vault, [guardian.grant], FAMILY, items)
    given = session.receipt
    earlier = trail.check_checkpoint(given[6], "karute/trail/" + session.node.hex(), session.node)
    peer.fetch(guardian, session, cast.vault, [guardian.grant], FAMILY, items)
    newest, head = peer.heads(session, cast.vault, earlier)
    assert newest[0] > earlier[0] and head == (ledger[1], ledger[2])
    with pytest.raises(Refused, match="P-25"):
        peer.heads(session, cast.vault, (earlier[0], newest[1]))
    session.close()


def test_an_audit_holds_every_receipt_and_every_request(cast, guardian):
    session = cast.session(guardian)
    grants, packages, _, _ = guardian.sync(session, cast.vault)
    items = guardian.items(grants[guardian.grant][0], packages)
    peer.fetch(guardian, session, cast.vault, [guardian.grant], FAMILY, items)
    given = session.receipt
    events, said = peer.audit(guardian, session, cast.vault, [guardian.grant], FAMILY)
    assert said[3] == max(events) and events[max(events)][1] == 5
    read = events[given[1][2]]
    assert read == given[3]
    asked = consent.open_statement("request", read[15])
    assert (asked.signer, asked.payload[4]) == (guardian.key, 3)
    session.close()


def test_a_forged_reading_would_convict_the_host_in_both_implementations(cast, guardian):
    """A host of our own signs a receipt without a request; both sides say the same of it, and of an honest one."""
    session = cast.session(guardian)
    grants, packages, _, _ = guardian.sync(session, cast.vault)
    peer.fetch(guardian, session, cast.vault, [guardian.grant], FAMILY, guardian.items(grants[guardian.grant][0], packages))
    honest = session.receipt
    session.close()
    host = Ed25519PrivateKey.from_private_bytes(os.urandom(32))
    event = {key: value for key, value in honest[3].items() if key != 15}
    leaf = {**honest[1], 4: trail.event_hash(honest[2], cbor.encode(event))}
    forged = {1: leaf, 2: honest[2], 3: event, 4: 0, 5: [], 6: checkpoint_of(host, trail.leaf_hash(cbor.encode(leaf)))}
    lie = cbor.encode({1: 1, 2: 11, 3: host.public_key().public_bytes_raw(), 8: forged})
    assert finding.check_finding(lie) == (11, host.public_key().public_bytes_raw(), False)
    no_lie = cbor.encode({1: 1, 2: 11, 3: session.node, 8: honest})
    with pytest.raises(Refused, match="P-50"):
        finding.check_finding(no_lie)
    verify_finding(cast, lie, 0)
    verify_finding(cast, no_lie, 8)


def checkpoint_of(host, root):
    """A checkpoint over a trail of one leaf."""
    key = host.public_key().public_bytes_raw()
    origin = "karute/trail/" + key.hex()
    text = f"{origin}\n1\n{base64.b64encode(root).decode()}\n"
    line = sha256(origin.encode() + b"\n\x01" + key).digest()[:4] + host.sign(text.encode())
    return f"{text}\n\u2014 {origin} {base64.b64encode(line).decode()}\n"


def verify_finding(cast, data, code):
    """The real program must end with this code: 0 for a finding that holds, 8 for what is none."""
    file = cast.folder / "a.finding"
    file.write_bytes(data)
    done = subprocess.run(cast.command("judge", "verify", "finding", str(file)), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_the_program_judges_the_findings_of_the_vectors_as_python_does(cast):
    cases = json.loads((ROOT / "protocol/vectors/finding.json").read_text())
    kinds = set()
    for case in (case for case in cases if case["stage"] == "none"):
        if case["output"]["kind"] not in kinds:
            said = json.loads(verify_finding(cast, bytes.fromhex(case["input"]["finding"]), 0).stdout)
            assert said["accused"] == case["output"]["accused"]
            kinds.add(case["output"]["kind"])
    assert kinds == set(range(1, 12))


LIES = {"drops-a-deposit": 6, "tells-of-a-reading-without-request": 11, "dates-events-backwards": 9}


@pytest.mark.parametrize("lie", LIES)
def test_python_confirms_the_finding_that_the_program_made_of_a_lie(tmp_path, lie):
    """A node that lies takes the place of the real one; what the patient's program writes down convicts it here too."""
    cast = Cast(tmp_path)
    try:
        for name, template in (("a", "deposit"), ("b", "ongoing-care")):
            cast.grant(tmp_path / f"{name}.card", template)
        cast.run("a", "facility", "deposit", str(cast.small), "--vault", cast.link, "--category", "document")
        cast.run("b", "facility", "fetch", "--vault", cast.link, "--out", str(tmp_path / "got"))
        cast.run("patient", "patient", "audit")
        session = cast.session(peer.Party(FACILITY, "Somebody"))
        session.close()
        cast.ends()
        home, passphrase = str(tmp_path / "node"), str(tmp_path / "pass")
        cast.starts([program("liar"), "--home", home, "--passphrase-file", passphrase, "--lie", lie])
        done = subprocess.run(cast.command("patient", "patient", "audit"), capture_output=True, text=True, check=False)
        assert done.returncode == 8, done.stderr
        found = [finding.check_finding(file.read_bytes()) for file in (tmp_path / "patient/findings").iterdir()]
        assert LIES[lie] in {kind for kind, _, _ in found}
        assert {accused for _, accused, _ in found} == {session.node}
    finally:
        cast.ends()


def test_keys_of_one_implementation_are_keys_of_the_other():
    secret = os.urandom(32)
    assert len(seal.public_bytes(2, secret)) == 1216
