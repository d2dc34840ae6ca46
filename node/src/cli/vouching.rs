//! How the commands of patient and facility speak of who vouches for a vault's ledger.

use karute_consent::time::Timestamp;
use karute_consent::vault::WitnessSet;
use karute_protocol::cosignature::WitnessKey;

use super::table::counted;
use crate::agent::freshness::{Freshness, VouchedBy, span};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::witnesses::{Witnessing, witness_set};

/// The set that verifier keys and a quorum make.
pub(super) fn typed_set(vkeys: &[String], quorum: Option<u8>) -> Result<WitnessSet, Failure> {
    let keys: Result<Vec<WitnessKey>, Failure> = vkeys.iter().map(|vkey| typed_key(vkey)).collect();
    witness_set(&keys?, quorum).map_err(|refused| {
        Failure::new(FailureKind::InvalidInput, refused)
            .hint("without --quorum the smallest majority has to sign: 2 of 3, 3 of 4, 3 of 5")
    })
}

fn typed_key(vkey: &str) -> Result<WitnessKey, Failure> {
    vkey.trim().parse().map_err(|e| {
        Failure::new(FailureKind::InvalidInput, e)
            .during("reading a witness's verifier key")
            .hint("copy it whole, as karute witness prints it: name+hexadecimal+base64, of type 0x04")
    })
}

/// One line for a status.
pub(super) fn status_line(found: &Witnessing, now: Timestamp) -> String {
    if found.quorum == 0 {
        return format!("{NONE}: only the node's own word says that its ledger is the newest");
    }
    let age = found.newest().map_or_else(
        || "none of them has signed its newest state".to_owned(),
        |newest| format!("{} of them signed its newest state, last {} ago", found.count(), span(newest.abs_diff(now))),
    );
    format!(
        "{}, {} must sign; {age}",
        counted(found.witnesses.len(), "witness").replace("witnesss", "witnesses"),
        found.quorum
    )
}

/// What a deposit says of the keys that it sealed to.
pub(super) fn freshness_text(fresh: &Freshness, now: Timestamp) -> String {
    let age = span(fresh.witnessed_at.abs_diff(now));
    match fresh.by {
        VouchedBy::Witnesses => {
            format!("the keys were the newest {age} ago, as {} of the vault's witnesses signed\n", fresh.quorum)
        }
        VouchedBy::Host => format!(
            "{NONE}: that these are the newest keys, only the node says. A node that lies could have shown older ones,\n\
             which somebody whose grant was revoked may have. Its signed word is kept: it convicts the node later\n"
        ),
    }
}

/// What a status says of evidence that is kept; nothing where there is none.
pub(super) fn findings_line(count: u64) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{} in the folder findings: a node or a witness lied; karute verify finding FILE shows it",
            counted(count as usize, "finding")
        )
    })
}

/// How a vault without witnesses is called.
pub(super) const NONE: &str = "no witnesses";
