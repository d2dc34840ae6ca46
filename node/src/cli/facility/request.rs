//! `karute facility request`: asks a patient for access, by QR code, text, or through the node.

use std::path::PathBuf;

use clap::Args;
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::time::Month;

use super::query::VaultArgs;
use crate::cli::agent::{json, network, open_facility};
use crate::cli::frame::Frame;
use crate::cli::picture::{self, Draw};
use crate::cli::values::{Kinds, asked_text, kinds, month, month_range, words};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::ask::{AskText, Wish, ask, ask_text};
use crate::home::write_atomic;

/// Ask a patient for access: as text, or with --send into the vault's mailbox
///
/// With --send a short text and a small QR picture name the request; the patient needs no more. Without it the whole request is
/// the text, whose QR picture is drawn where the terminal is wide enough.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute facility request --category prescription,allergy --days 2 --note 'First visit today'
  karute facility request --category imaging --send --vault karute:vault:...
  karute facility request --action deposit --category prescription,imaging --days 366 --out ask.txt")]
pub(super) struct RequestArgs {
    /// Kinds of data: prescription, imaging, lab/sensitive ...
    #[arg(long, value_name = "KIND", value_delimiter = ',', required = true)]
    category: Vec<Kinds>,
    /// What to do with them
    #[arg(long, value_delimiter = ',', default_value = "list,read", value_parser = words!(Action))]
    action: Vec<Action>,
    /// Only what is deposited in this month or later
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    from: Option<Month>,
    /// Only what is deposited in this month or earlier
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    until: Option<Month>,
    /// What for
    #[arg(long, default_value = "TREAT", value_parser = words!(Purpose))]
    purpose: Purpose,
    /// For how many days
    #[arg(long, default_value_t = 90)]
    days: u16,
    /// Why, in words for the patient
    #[arg(long, default_value = "")]
    note: String,
    /// Put it into the vault's mailbox at its node
    #[arg(long)]
    send: bool,
    #[command(flatten)]
    vault: VaultArgs,
    /// Write the whole request as text into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draw the QR picture of the whole request, however wide the terminal is
    #[arg(long, conflicts_with = "send")]
    qr: bool,
}

impl RequestArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut facility = open_facility(frame)?;
        let wish = Wish {
            actions: self.action,
            kinds: kinds(&self.category),
            months: month_range(self.from, self.until)?,
            purpose: self.purpose,
            days: self.days,
            note: self.note,
        };
        if !(1..=DAYS_MAX).contains(&wish.days) {
            return Err(Failure::new(FailureKind::Usage, format!("the days must be 1 to {DAYS_MAX}")));
        }
        let asked = match self.send {
            false => ask_text(&facility, wish)?,
            true => {
                let vault = self.vault.find(&mut facility)?;
                frame.run(async {
                    let mut reach = network(&facility.transport())?;
                    Ok(ask(&mut facility, &mut reach, vault, wish).await?)
                })?
            }
        };
        if let Some(path) = &self.out {
            write_atomic(path, asked.text.as_bytes())?;
        }
        let mut shown = json(&asked)?;
        if self.send {
            shown["asked"] = asked_text(asked.ask).into();
        }
        let draw = Draw::of_flag(self.qr);
        frame.show(&shown, || match (self.send, &self.out) {
            (true, _) => sent_text(&asked),
            (false, Some(path)) => format!("{}request {} is in {}", qr_if(draw, &asked), asked.ask, path.display()),
            (false, None) => format!(
                "{}{}\n\nrequest {}: the patient runs karute patient approve with this text",
                picture::block(&asked.text, draw),
                asked.text,
                asked.ask
            ),
        })
    }
}

fn sent_text(asked: &AskText) -> String {
    let short = asked_text(asked.ask);
    format!(
        "{}\n{short}\n\nThe request waits in the vault's mailbox. The patient sees it with karute patient requests and answers it\n\
         with karute patient approve {short}\nkarute facility status tells the answer.",
        picture::qr(&short).unwrap_or_default(),
    )
}

/// The picture beside a file only when it is asked for.
fn qr_if(draw: Draw, asked: &AskText) -> String {
    if draw == Draw::Asked { picture::block(&asked.text, draw) } else { String::new() }
}

/// Longest time that can be asked for.
const DAYS_MAX: u16 = 366;
