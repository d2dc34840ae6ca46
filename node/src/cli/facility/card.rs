//! `karute facility card`: what a patient needs to give this party a grant.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::agent::{card_text, open_facility};
use crate::cli::frame::Frame;
use crate::cli::picture;
use crate::failure::Failure;
use crate::home::write_atomic;

/// Show this party's card, which patients need for a grant
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  karute facility card --out hospital-a.card\n  karute facility card --qr")]
pub(super) struct CardArgs {
    /// Write the card into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show it as a QR picture too
    #[arg(long)]
    qr: bool,
}

impl CardArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let facility = open_facility(frame)?;
        let text = card_text(facility.card_bytes());
        if let Some(path) = &self.out {
            write_atomic(path, text.as_bytes())?;
        }
        let shown =
            json!({ "party": facility.party().to_string(), "name": facility.name(), "card": text, "out": self.out });
        let picture = self.qr.then(|| picture::qr(&text)).flatten();
        if self.qr && picture.is_none() {
            frame.remark("the card is too long for one QR code: give it as a file with --out");
        }
        frame.show(&shown, || {
            let mut lines = format!("party  {}\nname   {}\n", facility.party(), facility.name());
            lines.push_str(&picture.unwrap_or_default());
            match &self.out {
                Some(path) => lines.push_str(&format!("card   {}", path.display())),
                None => lines.push_str(&format!("\n{text}")),
            }
            lines
        })
    }
}
