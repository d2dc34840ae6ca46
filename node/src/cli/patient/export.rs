//! The forms in which the trail and the grants are handed to other systems, and where they go.

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::output;
use crate::failure::{Failure, FailureKind};
use crate::home::write_atomic;

/// Forms of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TrailForm {
    /// A FHIR R4 Bundle of AuditEvents, after IHE BALP.
    Fhir,
}

/// Forms of the grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GrantForm {
    /// A FHIR R4 Bundle of Consents, after IHE PCF.
    Fhir,
    /// Consent receipts: Kantara 1.1 with fields of ISO/IEC TS 27560.
    Receipt,
}

/// Where an export went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// To stdout, where nothing else may stand.
    ToStdout,
    /// Into a file.
    ToFile,
}

/// Writes an export as JSON into a file, or to stdout for `-`.
pub(super) fn write_export<T: Serialize>(out: &Path, export: &T) -> Result<Went, Failure> {
    let text = serde_json::to_string_pretty(export)
        .map_err(|e| Failure::new(FailureKind::Internal, e).during("writing JSON"))?;
    if out == Path::new("-") {
        output::print(&text)?;
        return Ok(Went::ToStdout);
    }
    write_atomic(out, format!("{text}\n").as_bytes())?;
    Ok(Went::ToFile)
}
