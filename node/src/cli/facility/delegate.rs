//! `karute facility delegate`: a holder passes a part of its grant on, as far as the patient allowed.

use clap::Args;
use karute_consent::scope::Action;
use karute_consent::time::Month;

use super::query::VaultArgs;
use crate::cli::agent::{card, json, kinds_text, network, open_facility, record, span};
use crate::cli::frame::Frame;
use crate::cli::values::{Kinds, by_prefix, kinds, month, month_range, words};
use crate::failure::Failure;
use crate::flow::agent::delegate::{Delegate, delegate};
use crate::flow::agent::sync::sync_facility;

/// Pass a part of a grant on to another party, never more than one has
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  karute facility delegate --grant 1a2b3c4d --to specialist.card --record 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --days 7")]
pub(super) struct DelegateArgs {
    #[command(flatten)]
    vault: VaultArgs,
    /// The grant to pass on, or the beginning of its id
    #[arg(long, value_name = "GRANT")]
    grant: String,
    /// Who gets it: a card file, or karute:card:...
    #[arg(long, value_name = "CARD")]
    to: String,
    /// Only these kinds of data
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    category: Vec<Kinds>,
    /// Only these actions
    #[arg(long, value_delimiter = ',', value_parser = words!(Action))]
    action: Vec<Action>,
    /// Only what is deposited in this month or later
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    from: Option<Month>,
    /// Only what is deposited in this month or earlier
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    until: Option<Month>,
    /// Only this record; may be repeated
    #[arg(long, value_name = "RECORD")]
    record: Vec<String>,
    /// For so many days, at most as long as the grant itself
    #[arg(long)]
    days: Option<u32>,
    /// So many uses at most
    #[arg(long, value_name = "N")]
    uses: Option<u32>,
    /// How deeply that party may pass it on in turn
    #[arg(long, value_name = "N")]
    delegate: Option<u8>,
    /// Words for the patient and for that party
    #[arg(long, default_value = "")]
    note: String,
}

impl DelegateArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let card = card(&self.to)?;
        let records = self.record.iter().map(|typed| record(typed)).collect::<Result<Vec<_>, _>>()?;
        let months = month_range(self.from, self.until)?;
        let mut facility = open_facility(frame)?;
        let vault = self.vault.find(&mut facility)?;
        let text = match self.note.is_empty() {
            true => format!("Passed on by {}.", facility.name()),
            false => self.note,
        };
        let granted = frame.run(async {
            let mut reach = network(&facility.transport())?;
            let sync = sync_facility(&mut facility, &mut reach, vault).await?;
            let known: Vec<_> = sync.grants.iter().map(|line| line.grant).collect();
            let wanted = Delegate {
                parent: by_prefix(&self.grant, &known, "grant")?,
                card,
                actions: self.action,
                kinds: kinds(&self.category),
                months,
                records,
                days: self.days,
                uses: self.uses,
                depth: self.delegate,
                language: "en".to_owned(),
                text,
            };
            Ok(delegate(&mut facility, &mut reach, vault, wanted).await?)
        })?;
        frame.show(&json(&granted)?, || {
            format!(
                "grant  {}\nto     {}  {}\nkinds  {}\nfrom   {}",
                granted.grant,
                granted.holder_name,
                granted.holder,
                kinds_text(&granted.kinds),
                span(granted.not_before, granted.not_after)
            )
        })
    }
}
