//! `karute verify grant`: what a signed grant says, and who signed it.

use std::path::PathBuf;

use clap::Args;
use karute_consent::grant::Grant;
use karute_consent::id::PartyKey;
use karute_consent::limits::STATEMENT_BYTES_MAX;
use karute_consent::statement::Unverified;
use serde_json::json;

use super::{read, unproven};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::failure::{Failure, FailureKind};

/// Check the signature of a grant and show what it says
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  karute verify grant grants/1a2b3c4d....grant --issuer did:key:z6Mk...")]
pub(super) struct GrantArgs {
    /// The signed grant
    file: PathBuf,
    /// The device that must have signed it
    #[arg(long, value_name = "KEY")]
    issuer: Option<PartyKey>,
}

impl GrantArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let bytes = read(&self.file, STATEMENT_BYTES_MAX)?;
        let grant = Unverified::<Grant>::from_bytes(bytes).verify().map_err(|e| unproven(&self.file, e))?;
        if self.issuer.is_some_and(|issuer| issuer != grant.signer()) {
            return Err(Failure::new(FailureKind::Verification, format!("the grant is signed by {}", grant.signer())));
        }
        let core = &grant.payload().core;
        let actions: Vec<&str> = core.scope.actions.iter().map(|action| action.word()).collect();
        let purposes: Vec<&str> = core.purposes.iter().map(|purpose| purpose.word()).collect();
        let (from, until) = (core.validity.not_before(), core.validity.not_after());
        let in_time = core.validity.contains(frame.ambient().now());
        let shown = json!({ "good": true, "grant": grant.id().to_string(), "vault": core.vault.to_string(),
            "issuer": grant.signer().to_string(), "holder": core.holder.to_string(), "actions": actions, "purposes": purposes,
            "not_before": from.secs(), "not_after": until.secs(), "in_time": in_time, "uses": core.uses, "depth": core.depth,
            "collections": core.scope.collections.len(), "records": core.scope.records.as_ref().map(|records| records.len()) });
        frame.show(&shown, || {
            format!(
                "good: the signature holds\ngrant     {}\nvault     {}\nissuer    {}\nholder    {}\nmay       {}\npurpose   {}\ntime      {} to {} UTC{}\n\n\
                 Whether the issuer was a device of the vault, and whether the grant was revoked, is for the ledger to show.",
                grant.id(),
                core.vault,
                grant.signer(),
                core.holder,
                actions.join(", "),
                purposes.join(", "),
                moment::minute(from),
                moment::minute(until),
                if in_time { "" } else { " (not now)" },
            )
        })
    }
}
