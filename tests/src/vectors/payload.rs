//! From a good payload and faults in it: signed statements that have one fault each.

use serde_json::json;

use super::case::{Case, Fault, hex};
use super::cast::party;
use super::cbor::Cbor;
use super::forge::{id_of, sign};

/// Puts a fault into a payload.
pub type Put = fn(&mut Cbor);

/// A good statement of a type, and one for each fault in its payload. `by` signs all of them.
pub fn cases(kind: &'static str, by: &str, rule: &'static str, good: &Cbor, faults: Vec<Fault<Put>>) -> Vec<Case> {
    cases_of(kind, kind, by, rule, good, faults)
}

/// The same for one that is called `what` in the names of the cases.
pub fn cases_of(
    what: &str,
    kind: &'static str,
    by: &str,
    rule: &'static str,
    good: &Cbor,
    faults: Vec<Fault<Put>>,
) -> Vec<Case> {
    let statement = sign(kind, good, &party(by));
    let output = json!({ "id": hex(id_of(kind, &statement)), "signer": hex(party(by).key().as_bytes()) });
    let input = json!({ "type": kind, "bytes": hex(&statement) });
    let mut cases = vec![Case::good("statement", rule, &format!("{what}-as-it-should-be"), input).gives(output)];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut payload = good.clone();
        put(&mut payload);
        assert_ne!(&payload, good, "{name} changes the payload");
        let input = json!({ "type": kind, "bytes": hex(sign(kind, &payload, &party(by))) });
        Case::bad("statement", rule, stage, &name, input)
    }));
    cases
}
