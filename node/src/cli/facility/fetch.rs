//! `karute facility fetch`: records out of a vault, under the patient's grant, each with its proof.

use std::path::PathBuf;

use clap::Args;

use super::query::{QueryArgs, VaultArgs, without_grant};
use crate::cli::agent::{Follow, json, network, open_facility};
use crate::cli::frame::Frame;
use crate::cli::output::size;
use crate::cli::table::{Table, counted};
use crate::cli::values::part;
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::fetch::fetch;
use crate::flow::agent::fetch_range::{FetchedPart, Part, fetch_range};
use crate::flow::agent::lines::{Destination, Fetched};
use crate::home::make_private_dir;

/// Fetch records into a folder, byte for byte as they were deposited, each with a .proof beside it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute facility fetch --vault karute:vault:... --out records/
  karute facility fetch --record 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --out records/ --acting 'Dr Sato' --reason 'surgery'
  karute facility fetch --record 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --range 0-132 --out records/")]
pub(super) struct FetchArgs {
    #[command(flatten)]
    vault: VaultArgs,
    /// Folder for the files; made if absent
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    query: QueryArgs,
    /// Only these bytes of one record's file, counted from 0, TO not included; FROM- for all the rest
    #[arg(long, value_name = "FROM-TO", value_parser = part, requires = "record")]
    range: Option<Part>,
}

impl FetchArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        if self.range.is_some() && !self.query.names_one_record() {
            return Err(
                Failure::new(FailureKind::Usage, "a range is of one record").hint("name just one with --record")
            );
        }
        if !self.out.is_dir() {
            make_private_dir(&self.out)?;
        }
        let mut facility = open_facility(frame)?;
        let vault = self.vault.find(&mut facility)?;
        let mut follow = Follow::new(frame.bars(), "fetching");
        let fetched = frame.run(async {
            let mut reach = network(&facility.transport())?;
            let grants = self.query.known_grants(&mut facility, &mut reach, vault).await?;
            let query = self.query.query(&grants)?;
            let mut watch = |step| follow.step(step);
            Ok(match self.range {
                None => Came::Whole(fetch(&mut facility, &mut reach, vault, query, &self.out, &mut watch).await?),
                Some(part) => {
                    let to = Destination::Folder(self.out.clone());
                    Came::Part(fetch_range(&mut facility, &mut reach, vault, query, part, to, &mut watch).await?)
                }
            })
        });
        follow.finish();
        match fetched.map_err(|failure| without_grant(failure, &facility, vault))? {
            Came::Whole(fetched) => frame.show(&json(&fetched)?, || fetched_text(&fetched)),
            Came::Part(part) => frame.show(&json(&part)?, || part_text(&part)),
        }
    }
}

/// What was fetched.
enum Came {
    Whole(Vec<Fetched>),
    Part(FetchedPart),
}

fn fetched_text(fetched: &[Fetched]) -> String {
    if fetched.is_empty() {
        return "no record fits".to_owned();
    }
    let mut table = Table::new(&["file", "size", "title", "sha-256"]);
    let mut bytes = 0;
    for line in fetched {
        bytes += line.length;
        table.row([
            line.path.display().to_string(),
            size(line.length),
            line.title.clone(),
            line.digest.to_string()[..16].to_owned(),
        ]);
    }
    format!("{}{}, {}; each has a .proof beside it", table.render(""), counted(fetched.len(), "record"), size(bytes))
}

/// What a part is, and what is known of it.
pub(in crate::cli) fn part_text(part: &FetchedPart) -> String {
    format!(
        "{}  bytes {} to {} of {}  {}\neach byte is verified against the record's signed header; a part has no .proof and no digest of its own",
        part.path.display(),
        part.from,
        part.to,
        part.length,
        part.title
    )
}
