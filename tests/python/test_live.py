"""The second implementation meets the real program: node, patient and facilities are processes of `karute`."""

import base64
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from second import Refused, consent, peer, record, seal

ROOT = Path(__file__).resolve().parents[2]
FAMILY, TREATMENT, GUARDIAN, FACILITY = 7, 1, 4, 2


def program(name):
    """A binary of the workspace; built here unless a step before did."""
    package = {"karute": "karute-node", "pipe": "karute-tests"}[name]
    subprocess.run(["cargo", "build", "--quiet", "--locked", "-p", package, "--bin", name], cwd=ROOT, check=True)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / name)


class Cast:
    def __init__(self, folder):
        self.folder, self.karute, self.pipe = folder, program("karute"), program("pipe")
        (folder / "pass").write_text("correct horse battery staple\n")
        made = self.run("node", "node", "init", "--listen", "/ip4/127.0.0.1/tcp/0")
        self.node = subprocess.Popen(self.command("node", "node", "run"), stdout=subprocess.PIPE, text=True)
        self.address = json.loads(self.node.stdout.readline())["addresses"][0]
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
    made.node.terminate()
    made.node.wait(20)


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


def test_keys_of_one_implementation_are_keys_of_the_other():
    secret = os.urandom(32)
    assert len(seal.public_bytes(2, secret)) == 1216
