//! `karute patient records`: everything in the vault.

use clap::Args;
use karute_consent::time::Month;

use crate::cli::agent::{json, names_in, network, open_patient, records_text};
use crate::cli::frame::Frame;
use crate::cli::values::{Kinds, kinds, month, month_range};
use crate::failure::Failure;
use crate::flow::agent::grants::grants;
use crate::flow::agent::records::{RecordFilter, records};

/// List the records in the vault
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient records
  karute patient records --category lab,imaging --from 2026-01 --until 2026-06")]
pub(super) struct RecordsArgs {
    /// Only these kinds of data: prescription, lab, imaging/sensitive ...
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    category: Vec<Kinds>,
    /// Deposited in this month or later
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    from: Option<Month>,
    /// Deposited in this month or earlier
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    until: Option<Month>,
    /// Show records that a later one replaces too
    #[arg(long)]
    all: bool,
}

impl RecordsArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let filter = RecordFilter { kinds: kinds(&self.category), months: month_range(self.from, self.until)? };
        let mut patient = open_patient(frame)?;
        let found = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(records(&mut patient, &mut reach, filter).await?)
        })?;
        let names = names_in(&grants(&patient, frame.ambient().now())?);
        frame.show(&json(&found)?, || records_text(&found, &names, self.all))
    }
}
