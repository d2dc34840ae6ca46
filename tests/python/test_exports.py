"""What the program exports is read by models of FHIR that were not written here, and held against IHE's profiles.

A node, a patient and three facilities are processes of `karute`; they deposit, read, are refused, pass on, withdraw and
erase. Each AuditEvent is then tied to the node's signed checkpoint by the second implementation, and each Consent to the
signed grant inside it.
"""

import base64
import hashlib
import json
import re
import subprocess

import pytest
from fhir.resources.R4B.bundle import Bundle
from second import consent as second_consent
from second import trail as second_trail
from second.cbor import decode
from test_live import Cast

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
DCM = "http://dicom.nema.org/resources/ontology/DCM"
SECRETS = ["kanaria-title", "kanaria-reason", "kanaria-text", "kanaria.txt"]


class Scene(Cast):
    def __init__(self, folder):
        super().__init__(folder)
        self.run("c", "facility", "init", "--name", "Pharmacy C")
        self.run("c", "facility", "card", "--out", str(folder / "c.card"))
        self.deposits()
        self.reads()
        self.endings()
        self.events_file, self.consents_file = folder / "events.json", folder / "consents.json"
        self.run("patient", "patient", "trail", "--export", "fhir", "--out", str(self.events_file))
        self.run("patient", "patient", "grants", "--export", "fhir", "--out", str(self.consents_file))
        self.trail = self.run("patient", "patient", "trail")
        self.bundle = json.loads(self.events_file.read_text())
        self.consents = json.loads(self.consents_file.read_text())
        self.receipts = self.run("patient", "patient", "grants", "--export", "receipt", "--out", "-")
        self.grants = {line["grant"]: line for line in self.run("patient", "patient", "grants", "--all")}

    def give(self, who, template, *more):
        return self.run("patient", "patient", "grant", "--to", str(self.folder / f"{who}.card"), "--template", template, *more)["grant"]

    def code(self, home, *words):
        return subprocess.run(self.command(home, *words), capture_output=True, check=False).returncode

    def deposits(self):
        secret = self.folder / "kanaria.txt"
        secret.write_text("kanaria-text\n")
        extra = self.folder / "extra.txt"
        extra.write_text("to be erased\n")
        kinds = ["--category", "document", "--category", "lab", "--category", "lab/sensitive"]
        self.give("a", "deposit", *kinds)
        common = ["facility", "deposit"]
        self.run("a", *common, str(self.small), str(self.large), str(extra), "--vault", self.link, "--category", "document")
        self.run("a", *common, str(secret), "--category", "lab", "--sensitive", "--title", "kanaria-title")
        found = {line["file_name"]: line["record"] for line in self.run("patient", "patient", "records")["records"]}
        self.records = [found[name] for name in (self.small.name, self.large.name, extra.name, secret.name)]

    def reads(self):
        kinds = ["--category", "document", "--category", "lab/sensitive"]
        self.ongoing = self.give("b", "ongoing-care", *kinds, "--days", "30")
        self.run("b", "facility", "list", "--vault", self.link)
        person = ["--acting", "佐藤 医師", "--role", "doctor", "--reason", "kanaria-reason"]
        self.run("b", "facility", "fetch", "--out", str(self.folder / "all"), *person)
        self.run("b", "facility", "fetch", "--out", str(self.folder / "one"), "--record", self.records[0])
        self.referral = self.give("b", "referral", "--record", self.records[0], "--delegate", "1")
        self.run("b", "facility", "list")
        passed = self.run("b", "facility", "delegate", "--grant", self.referral, "--to", str(self.folder / "c.card"), "--days", "7")
        self.passed = passed["grant"]
        self.pharmacy = self.give("c", "pharmacy", "--record", self.records[1])

    def endings(self):
        for grant in (self.ongoing, self.referral):
            self.run("patient", "patient", "revoke", grant)
        assert self.code("b", "facility", "fetch", "--out", str(self.folder / "late"), "--grant", self.ongoing) == 5
        self.run("patient", "patient", "erase", self.records[2])
        self.run("a", "facility", "withdraw", self.records[1])
        lines = self.run("patient", "patient", "trail")["lines"]
        self.forgotten = next(line["number"] for line in lines if line["kind"] == "list")
        self.run("patient", "patient", "erase", "--event", str(self.forgotten))


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    made = Scene(tmp_path_factory.mktemp("exports"))
    yield made
    made.node.terminate()
    made.node.wait(20)


def resources(bundle):
    return [entry["resource"] for entry in bundle["entry"]]


def codes(concepts):
    return {coding["code"] for concept in concepts for coding in concept.get("coding", [concept])}


def of_type(parts, system, code):
    """The agents or entities of this type."""
    def coding(part):
        found = part.get("type", {})
        return found.get("coding", [found])[0]

    return [part for part in parts if (coding(part).get("system"), coding(part).get("code")) == (system, code)]


def details(event):
    """Words and values of the events's own proof, wherever they stand."""
    found = [detail for entity in event["entity"] for detail in entity.get("detail", [])]
    return {d["type"]: d.get("valueString") or base64.b64decode(d["valueBase64Binary"]) for d in found}


def profile(event):
    return event.get("meta", {}).get("profile", [""])[0].removeprefix(BALP)


def test_every_resource_is_read_by_models_that_were_not_written_here(scene):
    for bundle, kind in ((scene.bundle, "AuditEvent"), (scene.consents, "Consent")):
        read = Bundle.model_validate(bundle)
        assert read.type == "collection" and len(read.entry) == len(bundle["entry"]) >= 5
        assert {entry.resource.get_resource_type() for entry in read.entry} == {kind}
        assert json.loads(read.model_dump_json()) == bundle, "nothing is lost on the way"
        urls = [entry["fullUrl"] for entry in bundle["entry"]]
        assert len(set(urls)) == len(urls)
        assert all(entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}" for entry in bundle["entry"])


def test_a_model_refuses_what_is_no_audit_event(scene):
    for spoil in ({"agent": None}, {"verdict": "0"}, {"recorded": "yesterday"}, {"source": {}}, {"entity": [{"kind": 1}]}):
        event = {**resources(scene.bundle)[0], **spoil}
        with pytest.raises(ValueError):
            Bundle.model_validate({**scene.bundle, "entry": [{"resource": event}]})


def test_the_trail_is_there_event_by_event(scene):
    events = [event for event in resources(scene.bundle) if "action" in event]
    lines = [line for line in scene.trail["lines"] if line["number"] <= len(resources(scene.bundle))]
    assert [int(details(event)["number"]) for event in events] == [line["number"] for line in lines]
    assert [details(event)["kind"] for event in events] == [line["kind"] for line in lines]
    kinds = {details(event)["kind"] for event in events}
    assert {"deposit", "read", "list", "refusal", "erasure", "withdrawal", "ledger-append", "audit"} <= kinds


ROLES = {
    "PatientRead": ("R", "read", (DCM, "110152"), (DCM, "110153")),
    "PatientQuery": ("E", "search", (DCM, "110153"), (DCM, "110152")),
    "PatientCreate": ("C", "create", (DCM, "110153"), (DCM, "110152")),
    "PatientUpdate": ("U", "update", (DCM, "110153"), (DCM, "110152")),
    "PatientDelete": (
        "D", "delete", (DCM, "110150"), ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian"),
    ),
}
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
CONSENT_TYPE = ("http://hl7.org/fhir/resource-types", "Consent")


@pytest.mark.parametrize("name", ROLES)
def test_events_under_a_balp_profile_have_its_slices(scene, name):
    action, subtype, client_type, server_type = ROLES[name]
    events = [event for event in resources(scene.bundle) if profile(event) == name]
    assert events
    for event in events:
        assert (event["type"]["code"], event["action"], event["outcome"]) == ("rest", action, "0")
        assert subtype in codes(event["subtype"])
        (client,), (server,) = of_type(event["agent"], *client_type), of_type(event["agent"], *server_type)
        for agent in (client, server):
            assert agent["who"] and agent["network"]["address"] and agent["network"]["type"] == "5"
        assert re.fullmatch(r"/p2p/[1-9A-HJ-NP-Za-km-z]{40,}", client["network"]["address"])
        users = [agent for agent in event["agent"] if "network" not in agent]
        assert len(users) <= 1 and all(user["requestor"] and user["who"] for user in users)
        wanted = {"IRCP"} if name in ("PatientRead", "PatientQuery") else {"AUT", "INF", "CST"}
        assert all(codes([user["type"]]) <= wanted for user in users)
        assert sum(agent["requestor"] for agent in event["agent"]) == 1
        (patient,), (data,) = of_type(event["entity"], ENTITY, "1"), of_type(event["entity"], ENTITY, "2")
        assert patient["role"]["code"] == "1" and patient["what"]["type"] == "Patient"
        assert patient["what"]["identifier"]["value"] == scene.vault.hex()
        if name == "PatientQuery":
            assert data["role"]["code"] == "24" and not {"what", "lifecycle", "detail"} & set(data)
            assert second_consent.open_statement("request", base64.b64decode(data["query"]))
        else:
            assert data["role"]["code"] in ("3", "4", "20") and data["what"]


def test_the_acting_person_is_the_user_and_the_reason_stays_inside(scene):
    (event,) = [e for e in resources(scene.bundle) if "佐藤 医師" in json.dumps(e, ensure_ascii=False)]
    (user,) = of_type(event["agent"], "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
    assert (user["name"], user["role"], user["requestor"]) == ("佐藤 医師", [{"text": "doctor"}], True)
    assert codes(user["purposeOfUse"]) == codes(event["purposeOfEvent"]) == {"TREAT"}
    assert len(of_type(event["entity"], "http://hl7.org/fhir/resource-types", "DocumentReference")) == 4
    assert [used["what"]["identifier"]["value"] for used in of_type(event["entity"], *CONSENT_TYPE)] == [scene.ongoing]


def test_a_refusal_is_a_consent_decision(scene):
    (event,) = [event for event in resources(scene.bundle) if details(event).get("kind") == "refusal"]
    assert profile(event) == "AuthZconsent"
    assert (event["type"]["code"], event["subtype"][0]["code"]) == ("110113", "AuthZ-Consent")
    assert (event["action"], event["outcome"], event["outcomeDesc"]) == ("E", "8", "read refused: revoked")
    role = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
    (client,), (house,) = of_type(event["agent"], DCM, "110150"), of_type(event["agent"], role, "PROV")
    (user,) = of_type(event["agent"], "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
    (judge,) = of_type(event["agent"], "http://terminology.hl7.org/CodeSystem/extra-security-role-type", "authserver")
    assert client["network"] and not {"role", "altId", "name", "location", "purposeOfUse"} & set(client)
    assert not {"role", "name", "network"} & set(house) and not house["requestor"] and user["requestor"]
    assert judge["who"] == event["source"]["observer"] and not judge["requestor"]
    assert {entity["type"]["code"] for entity in event["entity"]} == {"1", "Consent"}, "a closed list"


def test_every_event_is_tied_to_the_checkpoint_that_the_node_signed(scene):
    for event in resources(scene.bundle):
        said = details(event)
        node = bytes.fromhex(event["source"]["observer"]["identifier"]["value"])
        size, root = second_trail.check_checkpoint(said["checkpoint"], event["source"]["site"], node)
        proof = said.get("inclusion-proof", b"")
        hashes = [proof[at : at + 32] for at in range(0, len(proof), 32)]
        leaf = decode(said["leaf"])
        second_trail.check_inclusion(second_trail.leaf_hash(said["leaf"]), int(said["leaf-index"]), size, hashes, root)
        if leaf[2] == scene.forgotten:
            continue
        assert (leaf[1], leaf[2]) == (scene.vault, int(said["number"]))
        assert second_trail.event_hash(said["salt"], said["event"]) == leaf[4]
        inside = decode(said["event"])
        assert said["ledger-root"] == inside[12][2] and int(said["ledger-size"]) == inside[12][1]
        used = [entity["what"]["identifier"]["value"] for entity in of_type(event["entity"], *CONSENT_TYPE)]
        assert used == [grant.hex() for grant in inside[5]]


def test_an_erased_event_is_there_and_says_nothing(scene):
    (event,) = [event for event in resources(scene.bundle) if "action" not in event]
    assert decode(details(event)["leaf"])[2] == scene.forgotten
    assert set(details(event)) <= {"leaf", "leaf-index", "inclusion-proof", "checkpoint"}
    assert not {"outcome", "purposeOfEvent", "subtype", "meta"} & set(event) and len(event["agent"]) == 1
    assert of_type(event["entity"], ENTITY, "4")[0]["description"].startswith("erased")


def test_a_filter_of_the_trail_is_a_filter_of_its_export(scene):
    one = scene.run("patient", "patient", "trail", "--refusals", "--export", "fhir", "--out", "-")
    assert [details(event)["kind"] for event in resources(one)] == ["refusal"]


def test_every_grant_is_a_consent_after_pcf(scene):
    found = {consent["identifier"][0]["value"]: consent for consent in resources(scene.consents)}
    assert set(found) == set(scene.grants) and len(found) == 5
    for grant, consent in found.items():
        assert consent["scope"]["coding"][0]["code"] == "patient-privacy"
        assert consent["category"] and consent["dateTime"] and consent["organization"] and consent["performer"]
        assert consent["patient"]["type"] == "Patient" and len(consent["policy"]) == 1 and consent["policy"][0]["uri"]
        assert "verification" not in consent and "policyRule" not in consent
        provision = consent["provision"]
        assert provision["type"] == "permit" and provision["period"] and provision["purpose"]
        assert not any("provision" in below for below in provision.get("provision", []))
        signed = base64.b64decode(consent["sourceAttachment"]["data"])
        statement = second_consent.open_statement("grant", signed)
        assert statement.id.hex() == grant
        digest = base64.urlsafe_b64encode(hashlib.sha256(signed).digest()).rstrip(b"=").decode()
        assert consent["identifier"][1]["value"] == f"ni:///sha-256;{digest}"
        words = re.sub("<[^>]+>", "", consent["text"]["div"])
        assert words, "the text that was agreed to"
        actor = provision["actor"][0]
        assert actor["reference"]["identifier"]["value"] == scene.grants[grant]["holder"]
        own = {code for code in codes(provision["action"]) if code in ("deposit", "list", "read", "audit", "revoke", "export")}
        assert own == set(scene.grants[grant]["actions"])
        role = codes([actor["role"]])
        assert role == ({"AUT"} if own == {"deposit"} else {"IRCP"})


def test_consents_say_how_they_stand(scene):
    found = {consent["identifier"][0]["value"]: consent for consent in resources(scene.consents)}

    def extension(consent, word):
        return [one for one in consent.get("extension", []) if one["url"] == f"urn:karute:consent-{word}"]

    for grant in (scene.ongoing, scene.referral, scene.passed):
        assert found[grant]["status"] == "inactive" and extension(found[grant], "revoked")[0]["valueDateTime"]
    assert found[scene.pharmacy]["status"] == "active" and not extension(found[scene.pharmacy], "revoked")
    parent = extension(found[scene.passed], "parent")[0]["valueReference"]
    assert parent["identifier"]["value"] == scene.referral
    assert parent["reference"] == f"urn:uuid:{found[scene.referral]['id']}"
    assert found[scene.passed]["performer"][0]["display"] == "b" and found[scene.referral]["performer"][0]["type"] == "Patient"
    assert extension(found[scene.passed], "revoked-with")[0]["valueReference"]["identifier"]["value"] == scene.referral
    assert found[scene.pharmacy]["modifierExtension"][0]["valuePositiveInt"] == 1


def test_consents_say_what_they_are_about(scene):
    found = {consent["identifier"][0]["value"]: consent["provision"] for consent in resources(scene.consents)}
    care = found[scene.ongoing]
    assert {code for code in codes(care["code"])} >= {"document", "lab"} and codes(care["securityLabel"]) == {"N", "R"}
    denied = {(codes(below["code"]) & {"document", "lab"}).pop(): codes(below["securityLabel"]) for below in care["provision"]}
    assert denied == {"document": {"R"}, "lab": {"N"}}, "sensitive documents and plain lab results are not in the grant"
    named = [data["reference"]["identifier"]["value"] for data in found[scene.referral]["data"] if data["meaning"] == "instance"]
    assert named == [scene.records[0]]


def test_each_grant_has_a_consent_receipt(scene):
    assert len(scene.receipts) == 5
    must = {
        "version", "jurisdiction", "consentTimestamp", "collectionMethod", "consentReceiptID", "language",
        "piiPrincipalId", "piiControllers", "policyUrl", "services", "sensitive", "spiCat",
    }
    for receipt in scene.receipts:
        assert must <= set(receipt) and receipt["version"] == "KI-CR-v1.1.0" and receipt["jurisdiction"] == "JP"
        assert type(receipt["consentTimestamp"]) is int
        for service in receipt["services"]:
            for purpose in service["purposes"]:
                assert {
                    "purpose", "purposeCategory", "consentType", "piiCategory", "primaryPurpose", "termination",
                    "thirdPartyDisclosure",
                } <= set(purpose)
        grant = receipt["record_id"].removeprefix("urn:karute:grant:")
        states = [event["event_state"] for event in receipt["event"]]
        assert states == (["given", "withdrawn"] if scene.grants[grant]["state"] == "revoked" else ["given"])
        assert receipt["sensitive"] == any(kind.endswith("/sensitive") for kind in scene.grants[grant]["kinds"])
    assert len({receipt["consentReceiptID"] for receipt in scene.receipts}) == 5


def test_nothing_that_a_record_says_is_exported(scene):
    texts = [json.dumps(part, ensure_ascii=False) for part in (scene.bundle, scene.consents, scene.receipts)]
    listed = json.dumps(scene.run("patient", "patient", "records"), ensure_ascii=False)
    assert "note.txt" in listed and "kanaria-title" in listed, "the search would find them"
    for secret in [*SECRETS, "note.txt", "処方箋"]:
        assert not any(secret in text for text in texts), secret
    for event in resources(scene.bundle):
        inside = b"".join(value for value in details(event).values() if type(value) is bytes)
        assert not any(secret.encode() in inside for secret in SECRETS)
