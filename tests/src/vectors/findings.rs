//! Findings (P-50, and P-39 through kind 11): what convicts a host, and what nearly does. Written out by hand.

use karute_consent::party::Identity;
use serde_json::json;

use super::book::body_hash;
use super::case::{Case, hex, hex_of};
use super::cast::{NOW, id16, key, party, seed};
use super::cbor::Cbor;
use super::forge::{hash, id_of, sign};
use super::notes::{base64, checkpoint, checkpoint_text, line, trail_origin};
use super::requests::peer;
use super::tree::{consistency, inclusion, root_of};
use crate::{list, map};

/// The cases of `finding.json`.
pub fn cases() -> Vec<Case> {
    let mut cases = heads();
    cases.extend(rollbacks());
    cases.extend(entries());
    cases.extend(deposits());
    cases.extend(revocations());
    cases.extend(grants());
    cases.extend(witnesses());
    cases
}

fn good(name: &str, finding: &Cbor) -> Case {
    let Cbor::Uint(kind) = *finding.field(2) else { panic!("a kind") };
    let output = json!({ "kind": kind, "accused": hex(finding.field(3).bytes()), "refutable": kind == 2 || kind == 6 });
    Case::good("finding", "P-50", name, json!({ "finding": hex_of(finding) })).gives(output)
}

/// About the request that an event must carry.
fn of_request(case: Case) -> Case {
    Case { rule: "P-39", ..case }
}

fn bad(name: &str, stage: &'static str, finding: &Cbor) -> Case {
    Case::bad("finding", "P-50", stage, name, json!({ "finding": hex_of(finding) }))
}

fn finding(kind: u64, fields: &[(u64, Cbor)]) -> Cbor {
    let empty = map! { 1 => 1, 2 => kind, 3 => key("home") };
    fields.iter().fold(empty, |finding, (field, value)| finding.with(*field, value.clone()))
}

fn vault() -> [u8; 32] {
    seed("a vault")
}

/// A trail of the home node; cloned and gone on with differently it is a fork.
#[derive(Clone, Default)]
struct Trail(Vec<([u8; 32], u64, u64, Cbor)>);

impl Trail {
    /// So many readings of the hospital's, ten seconds apart.
    fn of_reads(count: u64) -> Self {
        (0..count).fold(Self::default(), |trail, n| trail.and(10 * n, read(10 * n)))
    }

    fn and(mut self, secs: u64, event: Cbor) -> Self {
        let number = self.0.len() as u64 + 1;
        self.0.push((vault(), number, NOW + secs, event));
        self
    }

    fn leaf(&self, index: usize) -> Cbor {
        let (vault, number, time, event) = &self.0[index];
        let event = hash(&[b"karute-v1/trail-event", &[0], &seed("a salt"), &event.encode()]);
        map! { 1 => *vault, 2 => *number, 3 => *time, 4 => event }
    }

    fn leaves(&self, size: usize) -> Vec<Vec<u8>> {
        (0..size).map(|index| self.leaf(index).encode()).collect()
    }

    fn root(&self, size: usize) -> [u8; 32] {
        root_of(&self.leaves(size))
    }

    fn checkpoint(&self, size: usize) -> Cbor {
        checkpoint(&trail_origin("home"), size as u64, &self.root(size), &party("home")).into()
    }

    fn tree_head(&self, secs: u64) -> Cbor {
        self.tree_head_by(secs, &party("home"))
    }

    fn tree_head_by(&self, secs: u64, by: &Identity) -> Cbor {
        let (size, origin) = (self.0.len(), trail_origin("home"));
        let head = map! { 1 => origin, 2 => size as u64, 3 => self.root(size), 4 => NOW + secs, 5 => seed("a nonce") };
        sign("tree-head", &head, by).into()
    }

    fn audit_answer(&self, secs: u64) -> Cbor {
        self.audit_answer_of(vault(), secs)
    }

    fn audit_answer_of(&self, vault: [u8; 32], secs: u64) -> Cbor {
        let size = self.0.len();
        let said = map! { 1 => vault, 2 => seed("a request"), 3 => size as u64, 4 => NOW + secs, 5 => size as u64, 6 => self.root(size) };
        sign("audit-answer", &said, &party("home")).into()
    }

    fn receipt(&self, index: usize) -> Cbor {
        let proof: Vec<Cbor> = inclusion(index, &self.leaves(self.0.len())).into_iter().map(Cbor::from).collect();
        map! {
            1 => self.leaf(index), 2 => seed("a salt"), 3 => self.0[index].3.clone(), 4 => index as u64, 5 => proof,
            6 => self.checkpoint(self.0.len()),
        }
    }

    fn last(&self) -> Cbor {
        self.receipt(self.0.len() - 1)
    }
}

fn head() -> Cbor {
    map! { 1 => 9, 2 => seed("a root") }
}

fn request(by: &str, action: u64, chain: Cbor, purpose: u64, secs: u64) -> Vec<u8> {
    let request = map! {
        1 => id16("request"), 2 => vault(), 3 => chain, 4 => action, 5 => Cbor::Map(Vec::new()), 6 => purpose,
        8 => seed("challenge"), 9 => 7, 10 => key("home"), 11 => peer(), 13 => NOW + secs,
    };
    sign("request", &request, &party(by))
}

fn read(secs: u64) -> Cbor {
    read_under(&[grant_id()], "hospital", secs)
}

fn read_under(chain: &[[u8; 32]], by: &str, secs: u64) -> Cbor {
    let chain: Vec<Cbor> = chain.iter().map(|id| Cbor::from(*id)).collect();
    let asked = request(by, 3, Cbor::List(chain.clone()), 1, secs);
    map! {
        1 => 4, 2 => key(by), 3 => peer(), 4 => id16("request"), 5 => chain, 6 => 3, 7 => 1, 8 => list![], 9 => 0, 10 => 0,
        12 => head(), 15 => asked,
    }
}

fn deposit(header: &str) -> Cbor {
    map! {
        1 => 2, 2 => key("laboratory"), 3 => peer(), 5 => list![seed("a deposit grant")], 6 => 1, 7 => 1,
        8 => list![id16(header)], 9 => 1, 10 => 0, 12 => head(), 13 => seed(header),
        14 => map! { 1 => id16("a collection"), 2 => 1, 3 => 1 },
    }
}

/// The grant to the hospital: list and read for treatment, from [`NOW`] on for a thousand seconds.
fn grant_core(holder: &str, parent: Option<[u8; 32]>, depth: u64) -> Cbor {
    let scope = map! { 1 => list![2, 3], 2 => list![id16("a collection")] };
    let core = map! {
        1 => vault(), 2 => key(holder), 3 => scope, 4 => list![1], 5 => map! { 1 => NOW, 2 => NOW + 1_000 }, 7 => depth,
        9 => id16("a nonce"), 10 => seed("a sealed part"),
    };
    parent.map_or(core.clone(), |parent| core.with(8, parent))
}

fn grant() -> Vec<u8> {
    sign("grant", &grant_core("hospital", None, 1), &party("phone"))
}

fn grant_id() -> [u8; 32] {
    id_of("grant", &grant())
}

/// A ledger item, and the id of its entry.
fn item(kind: u64, body: &[u8]) -> ([u8; 32], Cbor) {
    let salt = seed("salt of an entry");
    let entry = map! {
        1 => vault(), 2 => 5, 3 => seed("an entry"), 4 => kind, 5 => body_hash(&salt, body), 6 => [0; 32],
        7 => seed("an authority"), 8 => NOW,
    };
    let entry = sign("entry", &entry, &party("phone"));
    (id_of("entry", &entry), map! { 1 => entry, 2 => salt, 3 => body.to_vec() })
}

fn heads() -> Vec<Case> {
    let (trail, fork) = (Trail::of_reads(8), Trail::of_reads(4).and(40, deposit("a header")));
    let two = |a: Cbor, b: Cbor| finding(1, &[(4, a), (5, b)]);
    let equivocation = two(trail.checkpoint(5), fork.checkpoint(5));
    let five = Trail::of_reads(5);
    let answered = finding(1, &[(6, five.tree_head(100)), (7, fork.tree_head(90))]);
    let mixed = finding(1, &[(4, trail.checkpoint(5)), (7, fork.tree_head(90))]);
    let by_mirror = finding(1, &[(6, five.tree_head_by(100, &party("mirror"))), (7, fork.tree_head(90))]);
    let foreign = checkpoint(&trail_origin("home"), 5, &trail.root(5), &party("mirror"));
    let elsewhere = checkpoint(&trail_origin("mirror"), 5, &trail.root(5), &party("mirror"));
    let mut without = equivocation.clone();
    without.leave_away(5);
    let grown = |a: Cbor, b: Cbor, proof: Vec<[u8; 32]>| {
        let proof: Vec<Cbor> = proof.into_iter().map(Cbor::from).collect();
        finding(2, &[(4, a), (5, b), (14, proof.into())])
    };
    let proof = consistency(5, &trail.leaves(8));
    vec![
        good("two-roots-of-one-size", &equivocation),
        good("two-answers-with-two-roots", &answered),
        good("a-checkpoint-and-an-answer-with-two-roots", &mixed),
        bad("one-root-twice", "proof", &two(trail.checkpoint(5), trail.checkpoint(5))),
        bad("roots-of-two-sizes", "proof", &two(trail.checkpoint(4), fork.checkpoint(5))),
        bad("a-head-that-another-node-answered", "statement", &by_mirror),
        bad("a-head-that-another-node-signed", "checkpoint", &two(foreign.into(), fork.checkpoint(5))),
        bad("a-head-of-another-node", "proof", &two(elsewhere.into(), fork.checkpoint(5))),
        bad("one-head-alone", "encoding", &without),
        bad("a-head-too-many", "encoding", &equivocation.clone().with(6, trail.tree_head(1))),
        bad("an-equivocation-of-version-two", "proof", &equivocation.clone().with(1, 2)),
        bad("an-equivocation-of-somebody-else", "proof", &equivocation.with(3, key("mirror"))),
        good("a-log-that-does-not-extend-its-fork", &grown(fork.checkpoint(5), trail.checkpoint(8), proof.clone())),
        bad("a-log-that-extends-itself", "proof", &grown(trail.checkpoint(5), trail.checkpoint(8), proof.clone())),
        bad("a-growth-backwards", "proof", &grown(trail.checkpoint(8), trail.checkpoint(5), proof.clone())),
        bad("a-growth-from-nothing", "proof", &grown(trail.checkpoint(0), trail.checkpoint(5), proof)),
    ]
}

fn rollbacks() -> Vec<Case> {
    let (long, short) = (Trail::of_reads(8), Trail::of_reads(5));
    let back = |a: Cbor, b: Cbor| finding(3, &[(6, a), (7, b)]);
    let receipt = |index, secs| finding(3, &[(8, long.receipt(index)), (7, short.tree_head(secs))]);
    vec![
        good("a-trail-that-is-shorter-later", &back(long.tree_head(100), short.tree_head(101))),
        bad("a-trail-that-was-shorter-at-the-same-time", "proof", &back(long.tree_head(100), short.tree_head(100))),
        bad("a-trail-that-grew", "proof", &back(short.tree_head(100), long.tree_head(101))),
        good("a-receipt-from-beyond-the-end", &receipt(5, 111)),
        bad("a-receipt-from-sixty-seconds-before", "proof", &receipt(5, 110)),
        bad("a-receipt-from-before-the-end", "proof", &receipt(4, 500)),
    ]
}

fn entries() -> Vec<Case> {
    let (trail, fork) = (Trail::of_reads(8), Trail::of_reads(4).and(40, deposit("a header")));
    let short = Trail::of_reads(5);
    let two = |kind, a: Cbor, b: Cbor| finding(kind, &[(8, a), (9, b)]);
    let mut doubled = Trail::of_reads(2).and(20, deposit("a header"));
    doubled.0[2].1 = 2;
    let missing = |index, answer: Cbor| finding(5, &[(8, trail.receipt(index)), (10, answer)]);
    let mut changed = trail.receipt(5);
    changed.field_mut(3).set(9, 1);
    let back = Trail::of_reads(3).and(19, read(19));
    let even = Trail::of_reads(3).and(20, read(20));
    let mut bare = read(0);
    bare.leave_away(15);
    let forged = |event: Cbor| finding(11, &[(8, Trail::default().and(0, event).last())]);
    vec![
        good("two-leaves-at-one-index", &two(4, trail.receipt(4), fork.receipt(4))),
        good("two-leaves-of-one-number", &two(4, doubled.receipt(1), doubled.receipt(2))),
        bad("one-leaf-under-two-checkpoints", "proof", &two(4, trail.receipt(3), fork.receipt(3))),
        bad("leaves-of-two-places", "proof", &two(4, trail.receipt(3), fork.receipt(4))),
        good("an-event-above-the-count", &missing(5, short.audit_answer(111))),
        bad("an-event-sixty-seconds-before-the-count", "proof", &missing(5, short.audit_answer(110))),
        bad("an-event-that-is-counted", "proof", &missing(4, short.audit_answer(500))),
        bad("a-count-of-another-vault", "proof", &missing(5, short.audit_answer_of(seed("another vault"), 500))),
        bad("an-event-that-was-changed", "proof", &finding(5, &[(8, changed), (10, short.audit_answer(500))])),
        good("an-event-older-than-the-one-before", &two(9, back.receipt(2), back.receipt(3))),
        bad("an-event-of-the-same-second", "proof", &two(9, even.receipt(2), even.receipt(3))),
        bad("an-older-event-before-a-younger-one", "proof", &two(9, even.receipt(1), even.receipt(2))),
        of_request(good("a-reading-without-a-request", &forged(bare.clone()))),
        of_request(good("a-reading-of-somebody-else-than-asked", &forged(read(0).with(2, key("laboratory"))))),
        of_request(good("a-reading-for-another-purpose-than-asked", &forged(read(0).with(7, 3)))),
        of_request(good("a-list-made-of-a-request-to-read", &forged(read(0).with(1, 3)))),
        of_request(bad("a-reading-with-its-request", "proof", &forged(read(0)))),
        of_request(bad("a-deposit-without-a-request", "proof", &forged(deposit("a header")))),
        of_request(bad("a-withdrawal-without-a-request", "proof", &forged(bare.with(1, 7).with(6, 1)))),
    ]
}

fn deposits() -> Vec<Case> {
    let stored = Trail::of_reads(2).and(20, deposit("a header")).last();
    let asked = |chain: Cbor| request("phone", 2, chain, 6, 81);
    let answer = |request: &[u8], secs: u64, ids: &[[u8; 32]]| {
        let digest = hash(&ids.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>());
        let said = map! { 1 => vault(), 2 => id_of("request", request), 3 => list![], 4 => NOW + secs, 5 => digest };
        sign("list-answer", &said, &party("home"))
    };
    let dropped = |receipt: &Cbor, request: Vec<u8>, answer: Vec<u8>, ids: &[[u8; 32]]| {
        let ids: Vec<Cbor> = ids.iter().map(|id| Cbor::from(*id)).collect();
        finding(6, &[(8, receipt.clone()), (10, answer.into()), (11, ids.into()), (12, request.into())])
    };
    let (whole, narrow) = (asked(list![]), asked(list![grant_id()]));
    let (ids, listed) = ([seed("another header"), [0; 32]], [seed("another header"), seed("a header")]);
    let at = |secs, ids: &[[u8; 32]]| dropped(&stored, whole.clone(), answer(&whole, secs, ids), ids);
    let other = dropped(&stored, whole.clone(), answer(&narrow, 81, &ids), &ids);
    let opened = Trail::of_reads(2).last();
    vec![
        good("a-deposit-that-the-list-lacks", &at(81, &ids)),
        bad("a-deposit-sixty-seconds-before-the-list", "proof", &at(80, &ids)),
        bad("a-deposit-in-the-list", "proof", &at(81, &listed)),
        bad("a-list-under-a-grant", "proof", &dropped(&stored, narrow.clone(), answer(&narrow, 81, &ids), &ids)),
        bad("a-list-that-answers-another-request", "proof", &other),
        bad("a-list-of-other-ids", "proof", &dropped(&stored, whole.clone(), answer(&whole, 81, &listed), &ids)),
        bad("a-reading-as-a-deposit", "proof", &dropped(&opened, whole.clone(), answer(&whole, 81, &ids), &ids)),
    ]
}

fn revocations() -> Vec<Case> {
    let revocation = |grant: [u8; 32]| {
        sign("revocation", &map! { 1 => vault(), 2 => grant, 3 => 1, 4 => NOW + 15 }, &party("phone"))
    };
    let (entry, revoked) = item(6, &revocation(grant_id()));
    let appended = |entry: [u8; 32]| {
        map! { 1 => 1, 2 => key("phone"), 3 => peer(), 5 => list![], 8 => list![], 9 => 0, 10 => 0, 12 => head(), 13 => entry }
    };
    let trail = |served: Cbor| Trail::of_reads(2).and(20, appended(entry)).and(30, served);
    let after = |trail: &Trail, b: usize, item: &Cbor| {
        finding(7, &[(8, trail.receipt(2)), (9, trail.receipt(b)), (13, list![item.clone()])])
    };
    let refused = read(30).with(1, 6).with(10, 12);
    let elsewhere = read_under(&[seed("another grant")], "hospital", 30);
    let (_, other) = item(6, &revocation(seed("another grant")));
    let served = trail(read(30));
    let two =
        finding(7, &[(8, served.receipt(2)), (9, served.receipt(3)), (13, list![revoked.clone(), revoked.clone()])]);
    vec![
        good("a-reading-after-the-revocation", &after(&served, 3, &revoked)),
        bad("a-reading-before-the-revocation", "proof", &after(&served, 1, &revoked)),
        bad("a-refusal-after-the-revocation", "proof", &after(&trail(refused), 3, &revoked)),
        bad("a-reading-under-another-grant", "proof", &after(&trail(elsewhere), 3, &revoked)),
        bad("a-revocation-that-was-not-appended", "proof", &after(&served, 3, &other)),
        bad("two-revocations", "proof", &two),
    ]
}

fn grants() -> Vec<Case> {
    let beyond = |event: Cbor, secs: u64, grants: &[&[u8]]| {
        let items: Vec<Cbor> = grants.iter().map(|grant| item(5, grant).1).collect();
        finding(8, &[(8, Trail::default().and(secs, event).last()), (13, items.into())])
    };
    let one = |event: Cbor, secs: u64| beyond(event, secs, &[&grant()]);
    let child = |depth| sign("grant", &grant_core("laboratory", Some(grant_id()), depth), &party("hospital"));
    let handed_on = |depth| {
        let child = child(depth);
        beyond(read_under(&[grant_id(), id_of("grant", &child)], "laboratory", 500), 500, &[&grant(), &child])
    };
    let turned =
        beyond(read_under(&[grant_id(), id_of("grant", &child(0))], "laboratory", 500), 500, &[&child(0), &grant()]);
    vec![
        good("a-reading-of-somebody-without-the-grant", &one(read_under(&[grant_id()], "laboratory", 500), 500)),
        good("a-reading-sixty-seconds-after-the-end", &one(read(1_060), 1_060)),
        good("an-export-where-reading-is-granted", &one(read(500).with(6, 6), 500)),
        good("a-reading-for-a-purpose-not-granted", &one(read(500).with(7, 3), 500)),
        good("a-child-as-deep-as-its-parent", &handed_on(1)),
        bad("a-child-within-its-parent", "proof", &handed_on(0)),
        bad("a-reading-within-its-grant", "proof", &one(read(500), 500)),
        bad("a-reading-just-after-the-end", "proof", &one(read(1_059), 1_059)),
        bad("a-refusal-beyond-the-grant", "proof", &one(read(5_000).with(1, 6).with(10, 14), 5_000)),
        bad("grants-in-another-order", "proof", &turned),
        bad("no-grants", "proof", &beyond(read(5_000), 5_000, &[])),
    ]
}

fn witnesses() -> Vec<Case> {
    let name = "witness-one.example";
    let cosigned = |root: &str| {
        let text = checkpoint_text(&trail_origin("home"), 9, &seed(root));
        let id = hash(&[name.as_bytes(), b"\n\x04", &key("witness one")]);
        let signature = party("witness one").sign(format!("cosignature/v1\ntime 1000\n{text}").as_bytes());
        let bytes = [&id[..4], &1_000_u64.to_be_bytes(), signature.as_bytes()].concat();
        let log = line(&trail_origin("home"), &text, &party("home"));
        format!("{text}\n{log}\u{2014} {name} {}\n", base64(&bytes))
    };
    let witness = map! { 1 => name, 2 => key("witness one") };
    let two = |a: String, b: String| {
        let finding = finding(10, &[(4, a.into()), (5, b.into()), (15, witness.clone())]);
        finding.with(3, key("witness one"))
    };
    let plain = checkpoint(&trail_origin("home"), 9, &seed("another root"), &party("home"));
    vec![
        good("a-witness-that-cosigned-two-roots", &two(cosigned("a root"), cosigned("another root"))),
        bad("a-witness-that-cosigned-one-root", "proof", &two(cosigned("a root"), cosigned("a root"))),
        bad("a-witness-that-cosigned-one-of-two", "proof", &two(cosigned("a root"), plain)),
        bad(
            "a-host-accused-of-its-witness",
            "proof",
            &two(cosigned("a root"), cosigned("another root")).with(3, key("home")),
        ),
    ]
}
