//! What a finding shows, in numbers, for a script.

use karute_protocol::finding::Facts;
use serde_json::{Value, json};

use super::hex;

pub(super) fn facts_json(facts: &Facts) -> Value {
    match facts {
        Facts::TwoRoots { origin, size, root_a, root_b } => {
            json!({ "origin": origin.as_str(), "size": size, "root_a": hex(&root_a.0), "root_b": hex(&root_b.0) })
        }
        Facts::NotExtended { origin, head_a, head_b } => {
            json!({ "origin": origin.as_str(), "size_a": head_a.size, "size_b": head_b.size })
        }
        Facts::Shrunk { origin, size_a, time_a, size_b, time_b } => {
            json!({ "origin": origin.as_str(), "size_a": size_a, "time_a": time_a.secs(), "size_b": size_b, "time_b": time_b.secs() })
        }
        Facts::TwoLeavesAtIndex { index, a, b } => {
            json!({ "index": index.0, "vault_a": a.vault.to_string(), "number_a": a.number.0, "vault_b": b.vault.to_string(), "number_b": b.number.0 })
        }
        Facts::TwoLeavesOfNumber { vault, number, index_a, index_b } => {
            json!({ "vault": vault.to_string(), "number": number.0, "index_a": index_a.0, "index_b": index_b.0 })
        }
        Facts::NotCounted { vault, number, time, count, answered } => {
            json!({ "vault": vault.to_string(), "number": number.0, "time": time.secs(), "count": count.0, "answered": answered.secs() })
        }
        Facts::NotListed { vault, header, number, time, listed, answered } => {
            json!({ "vault": vault.to_string(), "header": header.to_string(), "number": number.0, "time": time.secs(), "listed": listed, "answered": answered.secs() })
        }
        Facts::ServedRevoked {
            vault,
            grant,
            revoked_index,
            revoked_time,
            served,
            party,
            served_index,
            served_time,
        } => {
            json!({ "vault": vault.to_string(), "grant": grant.to_string(), "revoked_index": revoked_index.0,
                "revoked_time": revoked_time.secs(), "served": served.word(), "party": party.to_string(),
                "served_index": served_index.0, "served_time": served_time.secs() })
        }
        Facts::Overstepped { vault, grant, overstep, served, party, number, time } => {
            json!({ "vault": vault.to_string(), "grant": grant.to_string(), "overstep": overstep.word(),
                "served": served.word(), "party": party.to_string(), "number": number.0, "time": time.secs() })
        }
        Facts::Backwards { index_a, time_a, index_b, time_b } => {
            json!({ "index_a": index_a.0, "time_a": time_a.secs(), "index_b": index_b.0, "time_b": time_b.secs() })
        }
        Facts::Unasked { vault, number, kind, party, time, why } => {
            json!({ "vault": vault.to_string(), "number": number.0, "kind": kind.word(), "party": party.to_string(),
                "time": time.secs(), "why": why.to_string() })
        }
    }
}
