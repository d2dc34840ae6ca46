//! `karute facility card`: what a patient needs to give this party a grant.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::agent::{card_text, open_facility};
use crate::cli::frame::Frame;
use crate::cli::picture::{self, Draw};
use crate::failure::Failure;
use crate::home::write_atomic;

/// Show this party's card, which patients need for a grant
///
/// Bring it to the patient by any way: it is no secret and carries no right, but the patient should make sure whose it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  karute facility card --out hospital-a.card\n  karute facility card --qr")]
pub(super) struct CardArgs {
    /// Write the card into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draw its QR picture, however wide the terminal is
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
        frame.show(&shown, || {
            let mut lines = format!("party  {}\nname   {}\n", facility.party(), facility.name());
            if self.qr || self.out.is_none() {
                lines.push_str(&picture::block(&text, Draw::of_flag(self.qr)));
            }
            match &self.out {
                Some(path) => lines.push_str(&format!("card   {}", path.display())),
                None => lines.push_str(&format!("\n{text}")),
            }
            lines
        })
    }
}
