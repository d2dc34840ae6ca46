//! Cosignatures (P-44, P-46): C2SP tlog-cosignature, written out by hand, and the counting of a quorum.

use serde_json::{Value, json};

use super::case::{Case, Fault, hex};
use super::cast::{key, party, seed};
use super::forge::hash;
use super::notes::{base64, checkpoint_text, line, trail_origin};
use crate::faults;

/// A witness's line over a checkpoint's text.
fn cosigned(text: &str, name: &str, by: &str, secs: u64) -> String {
    let id = hash(&[name.as_bytes(), b"\n\x04", &key(by)]);
    let signature = party(by).sign(format!("cosignature/v1\ntime {secs}\n{text}").as_bytes());
    format!("\u{2014} {name} {}\n", base64(&[&id[..4], &secs.to_be_bytes(), signature.as_bytes()].concat()))
}

/// A cosigned checkpoint and the witness set that counts.
struct Cosigned {
    text: String,
    lines: String,
    /// Names and keys, in the order of the set.
    witnesses: Vec<(String, [u8; 32])>,
    quorum: u8,
}

const NAMES: [&str; 3] = ["witness one", "witness two", "witness three"];

fn name(of: &str) -> String {
    format!("{}.example", of.replace(' ', "-"))
}

impl Cosigned {
    /// All three of the set cosigned, at 1000, 3000 and 2000, and two have to.
    fn good() -> Self {
        let origin = trail_origin("home");
        let text = checkpoint_text(&origin, 9, &seed("a root"));
        let mut cosigned = Self { lines: line(&origin, &text, &party("home")), text, witnesses: Vec::new(), quorum: 2 };
        for (of, secs) in NAMES.into_iter().zip([1_000, 3_000, 2_000]) {
            cosigned.adds(of, secs);
            cosigned.witnesses.push((name(of), key(of)));
        }
        cosigned
    }

    /// The checkpoint with the lines of these alone.
    fn by(whom: &[(&str, u64)]) -> Self {
        let mut cosigned = Self::good();
        cosigned.lines = cosigned.lines.lines().take(1).map(|line| format!("{line}\n")).collect();
        whom.iter().for_each(|(of, secs)| cosigned.adds(of, *secs));
        cosigned
    }

    fn adds(&mut self, of: &str, secs: u64) {
        self.lines += &cosigned(&self.text, &name(of), of, secs);
    }

    fn input(&self) -> Value {
        let witness = |(name, key): &(String, [u8; 32])| json!({ "name": name, "key": hex(key) });
        let witnesses: Vec<Value> = self.witnesses.iter().map(witness).collect();
        json!({ "note": format!("{}\n{}", self.text, self.lines), "witnesses": witnesses, "quorum": self.quorum })
    }
}

/// The cases of `cosignature.json`.
pub fn cases() -> Vec<Case> {
    let mut cases = good();
    let faults = faults![fn(&mut Cosigned);
        "P-44" "checkpoint" a_flipped_bit_in_a_cosignature,
        "P-44" "checkpoint" another_time_than_was_signed,
        "P-44" "checkpoint" a_cosignature_of_a_smaller_checkpoint,
        "P-44" "checkpoint" a_time_beyond_the_format,
        "P-44" "checkpoint" a_cosignature_without_its_last_byte,
        "P-44" "checkpoint" a_plain_signature_under_the_id_of_a_witness,
        "P-44" "checkpoint" a_bad_line_beside_a_good_one,
    ];
    cases.extend(faults.into_iter().map(|Fault { name, rule, stage, put }| {
        let mut cosigned = Cosigned::good();
        put(&mut cosigned);
        Case::bad("cosigned", rule, stage, &name, cosigned.input())
    }));
    cases
}

fn good() -> Vec<Case> {
    let case = |rule, name: &str, cosigned: &Cosigned, at: Option<u64>, each: [Option<u64>; 3]| {
        Case::good("cosigned", rule, name, cosigned.input()).gives(json!({ "at": at, "each": each }))
    };
    let all = [Some(1_000), Some(3_000), Some(2_000)];
    let quorum = |quorum| Cosigned { quorum, ..Cosigned::good() };
    let mut cases = vec![
        case("P-44", "three-cosignatures", &Cosigned::good(), Some(2_000), all),
        case("P-46", "a-quorum-of-one-stands-since-the-newest", &quorum(1), Some(3_000), all),
        case("P-46", "a-quorum-of-all-stands-since-the-oldest", &quorum(3), Some(1_000), all),
        case("P-46", "a-quorum-of-none-is-never-witnessed", &quorum(0), None, all),
    ];
    let one = [Some(1_000), None, None];
    cases.push(case("P-46", "one-cosignature-where-two-have-to", &Cosigned::by(&[(NAMES[0], 1_000)]), None, one));
    let twice = Cosigned::by(&[(NAMES[0], 900), (NAMES[0], 1_000)]);
    cases.push(case("P-44", "two-lines-of-one-witness-count-once", &twice, None, one));
    let stranger = Cosigned::by(&[(NAMES[0], 1_000), ("mirror", 5_000)]);
    cases.push(case("P-44", "a-line-of-a-stranger-counts-for-nobody", &stranger, None, one));
    let mut renamed = Cosigned::by(&[(NAMES[0], 1_000)]);
    renamed.lines += &cosigned(&renamed.text, "other.example", NAMES[1], 5_000);
    cases.push(case("P-44", "a-witness-under-another-name-does-not-count", &renamed, None, one));
    let mut edge = Cosigned::by(&[(NAMES[0], 1_000)]);
    edge.quorum = 1;
    cases.push(case("P-46", "one-cosignature-where-one-has-to", &edge, Some(1_000), one));
    cases
}

/// Changes the bytes after the key id in the line of the first witness.
fn bend(of: &mut Cosigned, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = Vec::new();
    let origin = trail_origin("home");
    let secs = 1_000_u64;
    let signature = party(NAMES[0]).sign(format!("cosignature/v1\ntime {secs}\n{}", of.text).as_bytes());
    bytes.extend(secs.to_be_bytes());
    bytes.extend(signature.as_bytes());
    change(&mut bytes);
    let name = name(NAMES[0]);
    let id = hash(&[name.as_bytes(), b"\n\x04", &key(NAMES[0])]);
    let bent = format!("\u{2014} {name} {}\n", base64(&[&id[..4], &bytes].concat()));
    of.lines = format!("{}{bent}", line(&origin, &of.text, &party("home")));
}

fn a_flipped_bit_in_a_cosignature(of: &mut Cosigned) {
    bend(of, |bytes| bytes[40] ^= 1);
}

fn another_time_than_was_signed(of: &mut Cosigned) {
    bend(of, |bytes| bytes[7] ^= 1);
}

fn a_cosignature_of_a_smaller_checkpoint(of: &mut Cosigned) {
    let smaller = of.text.replace("\n9\n", "\n8\n");
    of.lines += &cosigned(&smaller, &name(NAMES[0]), NAMES[0], 1_001);
}

/// The signature verifies, and the time is 2^63.
fn a_time_beyond_the_format(of: &mut Cosigned) {
    *of = Cosigned::by(&[(NAMES[0], 1 << 63)]);
}

fn a_cosignature_without_its_last_byte(of: &mut Cosigned) {
    bend(of, |bytes| bytes.truncate(71));
}

/// What a log would sign, without time and header.
fn a_plain_signature_under_the_id_of_a_witness(of: &mut Cosigned) {
    let signature = party(NAMES[0]).sign(of.text.as_bytes());
    bend(of, |bytes| bytes[8..].copy_from_slice(signature.as_bytes()));
}

fn a_bad_line_beside_a_good_one(of: &mut Cosigned) {
    let good = Cosigned::good().lines;
    bend(of, |bytes| bytes[71] ^= 1);
    of.lines += good.split_once('\n').map_or("", |(_, rest)| rest);
}
