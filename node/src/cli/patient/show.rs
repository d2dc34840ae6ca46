//! `karute patient show`: one's own record, opened into a file.

use std::path::PathBuf;

use clap::Args;

use crate::cli::agent::{Follow, json, network, open_patient, record};
use crate::cli::facility::part_text;
use crate::cli::frame::Frame;
use crate::cli::output::size;
use crate::cli::values::part;
use crate::failure::Failure;
use crate::flow::agent::fetch_range::{Part, show_range};
use crate::flow::agent::lines::Destination;
use crate::flow::agent::show::show;

/// Open one record and write it into a file
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient show 0a1b2c3d4e5f60718293a4b5c6d7e8f9
  karute patient show 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --out ct.dcm
  karute patient show 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --range 0-132 --out head.bin")]
pub(super) struct ShowArgs {
    /// The record, as the list shows it
    record: String,
    /// File to write, or an existing folder [default: this folder, under the record's own file name]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Only these bytes of the file, counted from 0, TO not included; FROM- for all the rest
    #[arg(long, value_name = "FROM-TO", value_parser = part)]
    range: Option<Part>,
}

impl ShowArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let wanted = record(&self.record)?;
        let to = match self.out {
            None => Destination::Folder(PathBuf::from(".")),
            Some(path) if path.is_dir() => Destination::Folder(path),
            Some(path) => Destination::File(path),
        };
        let mut patient = open_patient(frame)?;
        let mut follow = Follow::new(frame.bars(), "opening");
        if let Some(range) = self.range {
            let part = frame.run(async {
                let mut reach = network(&patient.transport())?;
                Ok(show_range(&mut patient, &mut reach, wanted, range, to, &mut |step| follow.step(step)).await?)
            });
            follow.finish();
            let part = part?;
            return frame.show(&json(&part)?, || part_text(&part));
        }
        let fetched = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(show(&mut patient, &mut reach, wanted, to, &mut |step| follow.step(step)).await?)
        });
        follow.finish();
        let fetched = fetched?;
        frame.show(&json(&fetched)?, || {
            format!(
                "{}  {}  {}\nproof  {}",
                fetched.path.display(),
                size(fetched.length),
                fetched.title,
                fetched.proof.display()
            )
        })
    }
}
