//! Which vault, which records, what for, who is acting: the flags that list and fetch share.

use clap::Args;
use karute_consent::id::{StatementId, VaultId};
use karute_consent::purpose::Purpose;
use karute_consent::time::Month;

use crate::agent::facility::Facility;
use crate::agent::link::VaultLink;
use crate::cli::agent::record;
use crate::cli::values::{Kinds, by_prefix, kinds, month, month_range, text_or_file, words};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::fetch::Query;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::sync::sync_facility;
use karute_protocol::particulars::ActingPerson;

/// A vault by its link, or one known already by the beginning of its id.
#[derive(Debug, Args)]
pub(super) struct VaultArgs {
    /// The vault: its link karute:vault:..., a file with it, or the beginning of the id of one known here; not needed if
    /// only one is known
    #[arg(long, value_name = "VAULT", env = "KARUTE_VAULT", hide_env_values = true)]
    vault: Option<String>,
}

impl VaultArgs {
    /// Whether one is named.
    pub(super) fn is_named(&self) -> bool {
        self.vault.is_some()
    }

    /// Finds the vault and remembers its link.
    pub(super) fn find(&self, facility: &mut Facility) -> Result<VaultId, Failure> {
        let known: Vec<VaultId> = facility.links().map(VaultLink::vault).collect();
        let Some(typed) = &self.vault else {
            return match known.as_slice() {
                [one] => Ok(*one),
                [] => Err(Failure::new(FailureKind::Usage, "no vault is known here")
                    .hint("give the patient's link with --vault")),
                _ => Err(Failure::new(FailureKind::Usage, "which vault?")
                    .hint("name it with --vault; karute facility status lists them")),
            };
        };
        if !typed.is_empty() && typed.bytes().all(|b| b.is_ascii_hexdigit()) {
            return by_prefix(typed, &known, "vault");
        }
        let link: VaultLink = text_or_file(typed, "karute:vault:")?.parse().map_err(|e| {
            Failure::new(FailureKind::InvalidInput, e)
                .during("reading the vault's link")
                .hint("copy it whole: it begins with karute:vault:")
        })?;
        Ok(facility.learn(&link)?)
    }
}

/// What is asked for, and in whose name.
#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    /// Only these kinds of data: prescription, imaging, lab/sensitive ...
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    category: Vec<Kinds>,
    /// Only what was deposited in this month or later
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    from: Option<Month>,
    /// Only what was deposited in this month or earlier
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    until: Option<Month>,
    /// Only this record, by its id; may be repeated
    #[arg(long, value_name = "RECORD")]
    record: Vec<String>,
    /// What the records are for [default: the grant's purpose]
    #[arg(long, value_parser = words!(Purpose))]
    purpose: Option<Purpose>,
    /// Under this grant, by its id [default: one that fits]
    #[arg(long, value_name = "GRANT")]
    grant: Option<String>,
    /// Name of the person who acts; only the patient can read it
    #[arg(long, value_name = "NAME")]
    acting: Option<String>,
    /// Role of that person
    #[arg(long, requires = "acting", default_value = "-")]
    role: String,
    /// Reason that person gives
    #[arg(long, requires = "acting", default_value = "-")]
    reason: String,
}

impl QueryArgs {
    /// The query, the grant named among those known.
    pub(super) fn query(self, grants: &[StatementId]) -> Result<Query, Failure> {
        let grant = match &self.grant {
            Some(typed) => Some(by_prefix(typed, grants, "grant")?),
            None => None,
        };
        Ok(Query {
            kinds: kinds(&self.category),
            months: month_range(self.from, self.until)?,
            records: self.record.iter().map(|typed| record(typed)).collect::<Result<Vec<_>, _>>()?,
            purpose: self.purpose,
            grant,
            acting: self.acting.map(|name| ActingPerson { name, role: self.role, reason: self.reason }),
        })
    }

    /// The grants that one of them may be named among; asked for only when one is named.
    pub(super) async fn known_grants(
        &self,
        facility: &mut Facility,
        reach: &mut Reach,
        vault: VaultId,
    ) -> Result<Vec<StatementId>, Failure> {
        if self.grant.is_none() {
            return Ok(Vec::new());
        }
        Ok(sync_facility(facility, reach, vault).await?.grants.iter().map(|line| line.grant).collect())
    }

    /// Whether just one record is named.
    pub(super) fn names_one_record(&self) -> bool {
        self.record.len() == 1
    }
}

/// Says what is missing where a party that holds no grant at all was refused or found nothing.
pub(super) fn without_grant(failure: Failure, facility: &Facility, vault: VaultId) -> Failure {
    let holds_one = facility
        .known(vault)
        .is_ok_and(|known| known.view().state().is_ok_and(|state| state.is_holder(facility.party())));
    match failure.kind() {
        FailureKind::Refused | FailureKind::NotFound if !holds_one => no_grant_yet(failure.kind()),
        _ => failure,
    }
}

fn no_grant_yet(kind: FailureKind) -> Failure {
    Failure::new(kind, "there is no grant for this vault yet").hint(
        "ask the patient for one: karute facility request --send --category KIND, or hand over the card that karute facility \
         card shows",
    )
}
