//! How many witnesses a node has and how they are, in words.

use karute_consent::time::Timestamp;

use crate::cli::moment;
use crate::cosign::{WitnessEnd, WitnessNote};

/// The witnesses' names, or what it means that there are none.
pub(super) fn witness_text(ends: &[WitnessEnd]) -> String {
    if ends.is_empty() {
        return NONE.to_owned();
    }
    let names: Vec<&str> = ends.iter().map(|end| end.key.name.as_str()).collect();
    format!("witnesses  {}: {}\n", names.len(), names.join(", "))
}

/// How each witness answered last, by what the node wrote down when it ran.
pub(super) fn note_text(note: &WitnessNote) -> String {
    let last =
        note.cosigned_at.map_or_else(|| "never yet".to_owned(), |secs| moment::minute(Timestamp::from_secs(secs)));
    let error = note.error.as_ref().map_or_else(String::new, |error| format!("; now: {error}"));
    format!("           {}  cosigned last {last}{error}\n", note.name)
}

const NONE: &str = "\
witnesses  none: nobody outside sees whether this node's logs only grow, and a put back
           or forked store is noticed only by those who saw the newer one
";
