//! A finding in words: who lied, how that shows, and whether it can be refuted.

mod numbers;

use karute_consent::id::{StatementId, VaultId};
use karute_protocol::finding::{Facts, FindingKind, Overstep, Verdict};
use karute_protocol::trail::{EventKind, ReceiptError};
use serde_json::{Value, json};

use super::moment;
use super::table::counted;
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::convict::{Complaint, FindingLine};

/// A verified finding for a person.
pub(super) fn told(verdict: &Verdict) -> String {
    let mut text = format!("{} lied: {}\n\n{}\n", accused(verdict), lie(verdict.kind), shown(&verdict.facts));
    text.push_str(&format!("\n{}\n", refutation(verdict)));
    text
}

/// A verified finding for a script.
pub(super) fn as_json(verdict: &Verdict) -> Value {
    json!({
        "kind": verdict.kind.word(),
        "number": verdict.kind.number(),
        "accused": hex(verdict.accused.as_bytes()),
        "refutable": verdict.refutable,
        "facts": numbers::facts_json(&verdict.facts),
        "text": told(verdict),
    })
}

/// Lies and complaints of a check for a person.
pub(super) fn lines_text(findings: &[FindingLine], complaints: &[Complaint]) -> String {
    if findings.is_empty() && complaints.is_empty() {
        return "nothing is wrong, as far as can be seen from here\n".to_owned();
    }
    let mut text = String::new();
    for line in findings {
        text.push_str(&told(&line.verdict));
        let file = line.file.as_ref().map(|file| format!("proof: {}\n", file.display()));
        text.push_str(&format!("{}\n", file.unwrap_or_default()));
    }
    if !complaints.is_empty() {
        let many = counted(complaints.len(), "thing");
        text.push_str(&format!("{many} not as it should be, without a proof for others:\n"));
        complaints.iter().for_each(|complaint| text.push_str(&format!("  {complaint}\n")));
    }
    text
}

/// The lies of a check for a script.
pub(super) fn lines_json(findings: &[FindingLine]) -> Value {
    let line = |line: &FindingLine| {
        let mut shown = as_json(&line.verdict);
        shown["file"] = json!(line.file.as_ref().map(|file| file.display().to_string()));
        shown
    };
    findings.iter().map(line).collect()
}

/// The complaints of a check for a script.
pub(super) fn complaints_json(complaints: &[Complaint]) -> Value {
    complaints.iter().map(|complaint| json!(complaint.to_string())).collect()
}

/// What a check ends with.
pub(super) fn outcome(findings: &[FindingLine], complaints: &[Complaint]) -> Result<(), Failure> {
    let (cause, hint) = match (findings.is_empty(), complaints.is_empty()) {
        (true, true) => return Ok(()),
        (false, _) => ("the node lied", "hand the files on: karute verify finding checks them for anybody"),
        (true, false) => ("something is not as it should be", "ask who runs the node, and check again"),
    };
    Err(Failure::new(FailureKind::Verification, cause).hint(hint))
}

fn accused(verdict: &Verdict) -> String {
    let key = hex(verdict.accused.as_bytes());
    match verdict.kind {
        FindingKind::WitnessEquivocation => format!("the witness with key {key}"),
        _ => format!("node {key}"),
    }
}

/// The lie in a few words.
pub(super) fn lie(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Equivocation => "it signed two different histories of one log",
        FindingKind::Inconsistency => "its log does not extend what it signed before",
        FindingKind::Rollback => "it took its log back to an earlier state",
        FindingKind::RewrittenEntry => "it changed an entry of its trail",
        FindingKind::MissingEntry => "it left out an entry of its trail",
        FindingKind::DroppedDeposit => "it confirmed a deposit and no longer has it",
        FindingKind::ServedAfterRevocation => "it went on serving under a grant after its revocation",
        FindingKind::BeyondGrant => "it did what the grants do not allow",
        FindingKind::TimeRunsBack => "it turned back the clock of its trail",
        FindingKind::WitnessEquivocation => "it cosigned two different histories of one log",
        FindingKind::ForgedEntry => "it wrote down something that nobody asked for",
    }
}

/// What the evidence shows.
fn shown(facts: &Facts) -> String {
    match facts {
        Facts::TwoRoots { origin, size, root_a, root_b } => format!(
            "For {origin}, which then had {size} entries, there are two signed roots:\n  {}\n  {}\n\
             A log has one history. Both signatures are the accused's own.",
            hex(&root_a.0),
            hex(&root_b.0)
        ),
        Facts::NotExtended { origin, head_a, head_b } => format!(
            "It signed {origin} with {} entries and later with {} entries, and gave no proof that the first are the \
             beginning of the second.",
            head_a.size, head_b.size
        ),
        Facts::Shrunk { origin, size_a, time_a, size_b, time_b } => format!(
            "At {} UTC {origin} had at least {size_a} entries; at {} UTC, which is later, it signed that there were \
             {size_b}.",
            moment::second(*time_a),
            moment::second(*time_b)
        ),
        Facts::TwoLeavesAtIndex { index, a, b } => format!(
            "At place {index} of its trail it confirmed two different entries: number {} of vault {}, and number {} of \
             vault {}.",
            a.number,
            vault(a.vault),
            b.number,
            vault(b.vault)
        ),
        Facts::TwoLeavesOfNumber { vault: of, number, index_a, index_b } => format!(
            "It confirmed two different entries with number {number} of vault {}, at the places {index_a} and \
             {index_b} of its trail.",
            vault(*of)
        ),
        Facts::NotCounted { vault: of, number, time, count, answered } => format!(
            "At {} UTC it confirmed entry {number} of vault {}; at {} UTC it signed that there were {count} entries.",
            moment::second(*time),
            vault(*of),
            moment::second(*answered)
        ),
        Facts::Backwards { index_a, time_a, index_b, time_b } => format!(
            "At place {index_a} of its trail is an entry of {} UTC, and behind it, at place {index_b}, one of {} UTC.",
            moment::second(*time_a),
            moment::second(*time_b)
        ),
        Facts::NotListed { .. } | Facts::ServedRevoked { .. } | Facts::Overstepped { .. } | Facts::Unasked { .. } => {
            shown_of_vault(facts)
        }
    }
}

/// What the evidence shows of one vault's records and grants.
fn shown_of_vault(facts: &Facts) -> String {
    match facts {
        Facts::NotListed { vault: of, header, time, listed, answered, .. } => format!(
            "At {} UTC it confirmed that it had stored the record with header {} in vault {}; at {} UTC it signed a \
             list of everything there, {listed} records and gaps, without it.",
            moment::second(*time),
            short(*header),
            vault(*of),
            moment::second(*answered)
        ),
        Facts::ServedRevoked {
            vault: of,
            grant,
            revoked_index,
            revoked_time,
            served,
            party,
            served_index,
            served_time,
        } => {
            format!(
                "It took the revocation of grant {} of vault {} into its trail at place {revoked_index} ({} UTC); behind it, \
                 at place {served_index} ({} UTC), stands that {party} {} under that grant.",
                short(*grant),
                vault(*of),
                moment::second(*revoked_time),
                moment::second(*served_time),
                done(*served)
            )
        }
        Facts::Overstepped { vault: of, grant, overstep, served, party, number, time } => format!(
            "Entry {number} of vault {} ({} UTC) says that {party} {} under grant {}, but {}.",
            vault(*of),
            moment::second(*time),
            done(*served),
            short(*grant),
            beyond(*overstep)
        ),
        Facts::Unasked { vault: of, number, kind, party, time, why } => format!(
            "Entry {number} of vault {} ({} UTC) says that {party} {}, but {}.",
            vault(*of),
            moment::second(*time),
            done(*kind),
            unasked(why)
        ),
        _ => String::new(),
    }
}

fn done(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Deposit => "deposited",
        EventKind::List => "listed records",
        EventKind::Read => "read records",
        EventKind::Audit => "read the trail",
        EventKind::Refusal => "was refused",
        EventKind::GrantSync => "looked for news in the ledger",
        EventKind::Export => "exported records",
        _ => "did something",
    }
}

fn beyond(overstep: Overstep) -> &'static str {
    match overstep {
        Overstep::Chain => "its grants do not belong together, or one of them exceeds the one above it",
        Overstep::Holder => "the grant is somebody else's",
        Overstep::NotYetValid => "a grant had not begun",
        Overstep::Expired => "a grant was over",
        Overstep::Action => "the grant does not allow this",
        Overstep::Purpose => "the grant is for another purpose",
    }
}

fn unasked(why: &ReceiptError) -> &'static str {
    match why {
        ReceiptError::NoRequest => "there is no request signed by that party beside it",
        ReceiptError::Request(_) => "the request beside it is not signed by that party",
        _ => "the request beside it says something else",
    }
}

fn refutation(verdict: &Verdict) -> &'static str {
    match (verdict.kind, verdict.refutable) {
        (FindingKind::Inconsistency, _) => {
            "The node may refute this by a consistency proof between the two sizes (RFC 6962). If it has none, it lied."
        }
        (FindingKind::DroppedDeposit, _) => {
            "The node may refute this by an erasure of the patient's, or a withdrawal of the depositor's, that names the record."
        }
        (_, true) => "The accused may refute this.",
        (_, false) => "Nothing refutes this: all of it is under the accused's own signature.",
    }
}

/// The beginning of a vault's id: enough to know it by.
fn vault(id: VaultId) -> String {
    format!("{}…", &id.to_hex()[..SHORT])
}

fn short(id: StatementId) -> String {
    format!("{}…", &id.to_hex()[..SHORT])
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Digits of a shortened id.
const SHORT: usize = 12;

#[cfg(test)]
mod tests {
    use karute_consent::id::PartyKey;
    use karute_consent::time::Timestamp;
    use karute_protocol::merkle::TreeHead;
    use karute_protocol::trail::{TrailIndex, TrailNumber};

    use super::*;

    fn verdict(kind: FindingKind, facts: Facts) -> Verdict {
        let refutable = matches!(kind, FindingKind::Inconsistency | FindingKind::DroppedDeposit);
        Verdict { kind, accused: PartyKey::from_bytes([0xab; 32]), refutable, facts }
    }

    fn served() -> Verdict {
        let facts = Facts::ServedRevoked {
            vault: VaultId::from_bytes([1; 32]),
            grant: StatementId::from_bytes([2; 32]),
            revoked_index: TrailIndex(40),
            revoked_time: Timestamp::from_secs(1_795_356_180),
            served: EventKind::Read,
            party: PartyKey::from_bytes([3; 32]),
            served_index: TrailIndex(44),
            served_time: Timestamp::from_secs(1_795_356_187),
        };
        verdict(FindingKind::ServedAfterRevocation, facts)
    }

    #[test]
    fn a_lie_is_told_with_who_when_and_what_refutes_it() {
        let text = told(&served());
        for part in [
            "node abab",
            "went on serving under a grant after its revocation",
            "grant 020202020202…",
            "place 40 (2026-11-22 14:03:00 UTC)",
            "place 44 (2026-11-22 14:03:07 UTC)",
            "read records",
            "Nothing refutes this",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let head = |size| TreeHead { size, root: karute_protocol::merkle::TreeHash([1; 32]) };
        let origin = "karute/trail/ab".parse().unwrap();
        let facts = Facts::NotExtended { origin, head_a: head(5), head_b: head(9) };
        let text = told(&verdict(FindingKind::Inconsistency, facts));
        assert!(text.contains("5 entries and later with 9") && text.contains("may refute"), "{text}");
        let facts = Facts::TwoRoots {
            origin: "karute/trail/ab".parse().unwrap(),
            size: 5,
            root_a: head(5).root,
            root_b: head(5).root,
        };
        assert!(told(&verdict(FindingKind::WitnessEquivocation, facts)).starts_with("the witness with key abab"));
    }

    #[test]
    fn a_script_gets_the_same_in_numbers() {
        let shown = as_json(&served());
        assert_eq!((&shown["kind"], &shown["number"]), (&json!("served-after-revocation"), &json!(7)));
        assert_eq!((&shown["refutable"], &shown["facts"]["served_index"]), (&json!(false), &json!(44)));
    }

    #[test]
    fn a_check_that_found_nothing_is_no_failure() {
        assert!(outcome(&[], &[]).is_ok());
        assert!(lines_text(&[], &[]).starts_with("nothing is wrong"));
        let complaint = Complaint::Revoked { number: TrailNumber(7) };
        assert!(lines_text(&[], &[complaint]).contains("entry 7 rests on a grant"));
        assert_eq!(outcome(&[], &[complaint]).map_err(|failure| failure.kind()), Err(FailureKind::Verification));
        let line = FindingLine { verdict: served(), file: Some("findings/x.finding".into()) };
        assert!(lines_text(std::slice::from_ref(&line), &[]).contains("proof: findings/x.finding"));
        assert_eq!(lines_json(std::slice::from_ref(&line))[0]["file"], json!("findings/x.finding"));
        assert!(outcome(&[line], &[]).is_err());
    }
}
