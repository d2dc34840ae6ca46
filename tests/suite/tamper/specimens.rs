//! A good statement of every type, and where each is used: the rule of the crates that says what may be in it and who
//! may sign it.

use karute_consent::ask::{Ask, AskAnswer, AskEnvelope};
use karute_consent::card::Card;
use karute_consent::id::{Challenge, NodeId, PartyKey};
use karute_consent::ledger::{Item, LedgerState, View};
use karute_consent::policy::{Clock, Memory, Session, decide};
use karute_consent::request::Request;
use karute_consent::revocation::Withdrawal;
use karute_consent::statement::{Statement, Unverified, Verified};
use karute_consent::time::Timestamp;
use karute_consent::vault::Charter;
use karute_protocol::record::Header;
use karute_protocol::run::{ReWrap, Run};
use karute_protocol::trail::{AuditAnswer, ListAnswer, SignedTreeHead};
use karute_tests::vectors::book::Draft;
use karute_tests::vectors::cast::{DAY, MONTH, NOW, card, id16, key, party, seed, signed_card};
use karute_tests::vectors::cbor::Cbor;
use karute_tests::vectors::deposit::Deposit;
use karute_tests::vectors::forge::{payload_of, sign};
use karute_tests::vectors::requests::peer;
use karute_tests::vectors::runs::re_wrap;
use karute_tests::vectors::scene::{Scene, opaque, records};
use karute_tests::vectors::world::World;
use karute_tests::vectors::{ledger, ledger_authority};
use karute_tests::{list, map};

use crate::vectors::consent::item;

/// A good statement, and another of the same type to take fields from.
pub(super) struct Specimen {
    pub(super) kind: &'static str,
    pub(super) payload: Cbor,
    pub(super) by: &'static str,
    pub(super) other: Cbor,
    pub(super) other_by: &'static str,
    /// Parties whose keys are good for something, and who may not sign this.
    pub(super) not_by: &'static [&'static str],
}

/// A vault in which everything is used.
pub(super) struct Uses {
    world: &'static World,
    scene: Scene<'static>,
    state: LedgerState,
    deposit: Deposit,
    other: Deposit,
}

impl Uses {
    pub(super) fn new() -> Self {
        let world: &'static World = Box::leak(Box::new(World::new()));
        let scene = Scene::new(world);
        let items: Vec<Item> = scene.book.items().iter().map(item).collect();
        let state = LedgerState::replay(&items, View::Whole).expect("a good ledger");
        let (deposit, other) = (Deposit::small(world), Deposit::of(world, b"another file"));
        Self { world, scene, state, deposit, other }
    }

    /// Whether these bytes are taken where a statement of this type is used.
    pub(super) fn takes(&self, kind: &str, bytes: &[u8]) -> bool {
        let bytes = bytes.to_vec();
        match kind {
            "charter" => opens::<Charter>(bytes).is_some(),
            "authority" => self.follows(self.scene.book.draft(kind, bytes).signed_by("phone")),
            "entry" => self.follows_as_entry(bytes),
            "directory" => {
                let leaves = Some(self.world.collection_leaves(2).iter().map(Cbor::encode).collect());
                self.follows(Draft { leaves, ..self.scene.book.draft(kind, bytes) })
            }
            "grant" | "revocation" | "rotation" | "erasure" => self.follows(self.scene.book.draft(kind, bytes)),
            "card" => by::<Card>(bytes, "hospital"),
            "ask" => by::<Ask>(bytes, "hospital"),
            "ask-envelope" => by::<AskEnvelope>(bytes, "hospital"),
            "list-answer" => by::<ListAnswer>(bytes, "home"),
            "audit-answer" => by::<AuditAnswer>(bytes, "home"),
            "tree-head" => by::<SignedTreeHead>(bytes, "home"),
            "ask-answer" => opens::<AskAnswer>(bytes).is_some_and(|answer| self.state.is_device(answer.signer())),
            "re-wrap" => opens::<ReWrap>(bytes).is_some_and(|re_wrap| self.state.is_device(re_wrap.signer())),
            "run" => opens::<Run>(bytes).is_some(),
            "header" => self.header(bytes),
            "withdrawal" => self.withdrawal(bytes),
            "request" => self.request(bytes),
            other => panic!("{other} is used nowhere"),
        }
    }

    fn follows(&self, draft: Draft) -> bool {
        self.state.clone().apply(&item(&draft.item()), View::Whole).is_ok()
    }

    /// The entry that arrived, with the body that it was made for.
    fn follows_as_entry(&self, entry: Vec<u8>) -> bool {
        let mut good = item(&self.new_grant().item());
        good.entry = Unverified::from_bytes(entry);
        self.state.clone().apply(&good, View::Whole).is_ok()
    }

    fn new_grant(&self) -> Draft {
        self.scene.grant(&opaque(self.world.core("dentist", list![2, 3], &[self.world.lab], 1)))
    }

    fn header(&self, bytes: Vec<u8>) -> bool {
        let run = opens::<Run>(self.deposit.signed_run()).expect("a good run");
        opens::<Header>(bytes).is_some_and(|header| Header::check_run(&header, &run).is_ok())
    }

    fn withdrawal(&self, bytes: Vec<u8>) -> bool {
        let clinic = PartyKey::from_bytes(key("clinic"));
        opens::<Withdrawal>(bytes).is_some_and(|it| it.payload().concerns_only(it.signer(), |_| Some(clinic)).is_ok())
    }

    fn request(&self, bytes: Vec<u8>) -> bool {
        let session = Session {
            node: NodeId::from_bytes(key("home")),
            peer: peer(),
            challenge: Challenge::from_bytes(seed("challenge")),
            sequence: Some(6),
        };
        let now = Timestamp::from_secs(NOW);
        let clock = Clock { now, committed: now };
        let request = opens::<Request>(bytes);
        request.is_some_and(|request| decide(&request, &self.state, &session, &Memory::default(), clock).is_ok())
    }

    pub(super) fn specimens(&self) -> Vec<Specimen> {
        [self.of_the_vault(), self.of_the_ledger(), self.of_parties(), self.of_deposits(), self.of_logs()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn of_the_vault(&self) -> Vec<Specimen> {
        let charter = self.world.charter();
        let other = charter.clone().with(1, key("next patient")).with(7, 0).with(8, NOW).with(9, id16("another nonce"));
        let authority = payload_of(&ledger_authority::device_added(&self.scene).body);
        let recovered = payload_of(&ledger_authority::recovered(&self.scene).body);
        let leaves = self.world.collection_leaves(2);
        let directory = self.world.directory(1, &leaves);
        let first = self.world.directory(0, &self.world.collection_leaves(1)).with(5, NOW);
        let holders = &["stranger", "hospital", "home", "phone", "clinic"];
        let not_devices = &["stranger", "hospital", "home", "mirror", "patient", "next patient", "guardian"];
        vec![
            specimen("charter", "patient", charter, other, holders).other_by("next patient"),
            specimen("authority", "patient", authority, recovered, holders).other_by("next patient"),
            specimen("directory", "phone", directory, first, not_devices),
        ]
    }

    fn of_the_ledger(&self) -> Vec<Specimen> {
        let vault = self.world.vault;
        let not_devices = &["stranger", "hospital", "home", "mirror", "patient", "next patient", "clinic", "tablet"];
        let entry = self.new_grant().entry;
        let other_entry = self.scene.revocation(self.scene.ward, "phone").entry.with(2, 3).with(8, NOW);
        let grant = payload_of(&self.new_grant().body);
        let study = payload_of(&ledger_grant_body(&self.scene));
        let revocation = |grant, reason: u64, at: u64| map! { 1 => vault, 2 => grant, 3 => reason, 4 => at };
        let rotation = ledger::rotation(&self.scene);
        let other = rotation.clone().with(2, seed("another cause")).with(3, 2);
        let erasure = |count, reason: u64, at: u64| {
            map! { 1 => vault, 2 => records(count), 3 => reason, 4 => at, 5 => list![count as u64, 9] }
        };
        vec![
            specimen("entry", "phone", entry, other_entry, not_devices),
            specimen("grant", "phone", grant, study, not_devices),
            specimen(
                "revocation",
                "phone",
                revocation(self.scene.ward, 1, NOW),
                revocation(self.scene.store, 3, NOW - 1),
                &["stranger", "hospital", "home", "patient", "clinic"],
            ),
            specimen("rotation", "phone", rotation, other, not_devices),
            specimen("erasure", "phone", erasure(2, 1, NOW), erasure(3, 3, NOW - 1), not_devices),
        ]
    }

    fn of_parties(&self) -> Vec<Specimen> {
        let vault = self.world.vault;
        let full = |name| card(name).with(5, name.as_bytes()).with(6, list![format!("/dns4/{name}.example")]);
        let request = map! {
            1 => id16("request"), 2 => vault, 3 => list![self.scene.ward], 4 => 3,
            5 => map! { 1 => list![self.world.lab], 2 => map! { 1 => MONTH, 2 => MONTH + 1 }, 3 => records(2) }, 6 => 1,
            7 => seed("acting person"), 8 => seed("challenge"), 9 => 7, 10 => key("home"), 11 => peer(),
            12 => map! { 1 => 9, 2 => seed("a root") }, 13 => NOW, 14 => id16("earlier request"),
        };
        let later =
            request.clone().with(1, id16("another request")).with(3, list![self.scene.study]).with(9, 8).with(6, 3);
        let kind = |category: u64| map! { 1 => category, 2 => 1 };
        let ask = |name: &str, n: u64| {
            map! {
                1 => id16(name), 2 => vault, 3 => list![2, 3], 4 => list![kind(n), kind(n + 1)],
                5 => map! { 1 => MONTH - n, 2 => MONTH }, 6 => 1, 7 => 30 * n, 8 => signed_card(name), 9 => NOW - n, 10 => name,
            }
        };
        let envelope = |n: &str| map! { 1 => id16(n), 2 => vault, 3 => seed(n), 4 => NOW };
        let answer = |n: &str, outcome: u64| map! { 1 => vault, 2 => id16(n), 3 => outcome, 4 => seed(n), 5 => NOW };
        let others = &["stranger", "phone", "home", "clinic", "patient", "specialist"];
        let not_devices = &["stranger", "hospital", "home", "patient", "next patient"];
        vec![
            specimen("card", "hospital", full("hospital"), full("clinic").with(4, NOW), others).other_by("clinic"),
            specimen("request", "hospital", request, later, others).other_by("study"),
            specimen("ask", "hospital", ask("hospital", 3), ask("clinic", 2), others).other_by("clinic"),
            specimen("ask-envelope", "hospital", envelope("one"), envelope("two").with(4, NOW - DAY), others),
            specimen("ask-answer", "phone", answer("one", 1), answer("two", 2), not_devices),
        ]
    }

    fn of_deposits(&self) -> Vec<Specimen> {
        let vault = self.world.vault;
        let run = self.deposit.run.clone();
        let other_run =
            run.clone().with(1, id16("another run")).with(4, 2).with(5, MONTH + 1).with(7, seed("another grant"));
        let wrap = re_wrap(self.world, &self.deposit);
        let other_wrap = wrap.clone().with(1, id16("another run")).with(4, 3).with(7, seed("another run"));
        let count = |n: u64| map! { 1 => self.world.lab, 2 => n, 3 => 10 * n };
        let answer =
            |n: u64| map! { 1 => vault, 2 => seed("request"), 3 => list![count(n)], 4 => NOW + n, 5 => seed("digest") };
        let withdrawal = |count, reason: u64| map! { 1 => vault, 2 => records(count), 3 => reason, 4 => NOW };
        let others = &["stranger", "hospital", "phone", "home", "patient"];
        let not_devices = &["stranger", "hospital", "clinic", "home", "patient"];
        vec![
            specimen("run", "clinic", run, other_run, others),
            specimen("header", "clinic", self.deposit.header().with(11, id16("older")), self.other.header(), others),
            specimen("re-wrap", "phone", wrap, other_wrap, not_devices),
            specimen(
                "list-answer",
                "home",
                answer(1),
                answer(2),
                &["stranger", "mirror", "phone", "hospital", "patient"],
            ),
            specimen("withdrawal", "clinic", withdrawal(2, 1), withdrawal(3, 2), others),
        ]
    }

    fn of_logs(&self) -> Vec<Specimen> {
        let others = &["stranger", "mirror", "phone", "hospital", "patient"];
        let audit = |n: u64| {
            map! { 1 => self.world.vault, 2 => seed("request"), 3 => n, 4 => NOW + n, 5 => 10 * n, 6 => seed("a root") }
        };
        let head = |log: &str, n: u64| {
            map! { 1 => format!("karute/{log}"), 2 => n, 3 => seed("a root"), 4 => NOW + n, 5 => seed("nonce") }
        };
        vec![
            specimen("audit-answer", "home", audit(1), audit(2), others),
            specimen("tree-head", "home", head("trail/00", 1), head("ledger/00", 2), others),
        ]
    }
}

/// The signed grant to the study's partner: another grant with something on every axis.
fn ledger_grant_body(scene: &Scene) -> Vec<u8> {
    karute_tests::vectors::ledger_grant::partner(scene).body
}

impl Specimen {
    fn other_by(mut self, by: &'static str) -> Self {
        self.other_by = by;
        self
    }
}

fn specimen(
    kind: &'static str,
    by: &'static str,
    payload: Cbor,
    other: Cbor,
    not_by: &'static [&'static str],
) -> Specimen {
    // Both are what they say: each opens under the key of who signs it.
    assert_ne!(payload, other, "{kind}: two statements");
    assert_eq!(payload_of(&sign(kind, &payload, &party(by))), payload);
    Specimen { kind, payload, by, other, other_by: by, not_by }
}

fn opens<T: Statement>(bytes: Vec<u8>) -> Option<Verified<T>> {
    Unverified::from_bytes(bytes).verify().ok()
}

/// Used as the statement of this party alone.
fn by<T: Statement>(bytes: Vec<u8>, name: &str) -> bool {
    Unverified::<T>::from_bytes(bytes).verify_by(PartyKey::from_bytes(key(name))).is_ok()
}
