//! `karute patient requests`: who asks for access, for what, why and how long.

use clap::Args;
use karute_consent::category::Kind;

use super::approve::named;
use super::wording::purpose_words;
use crate::agent::patient::Patient;
use crate::cli::agent::{json, kinds_text, network, open_patient};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::cli::table::counted;
use crate::cli::values::{asked_id, text_or_file};
use crate::failure::Failure;
use crate::flow::agent::lines::{AskLine, RecordLine};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::records::{RecordFilter, records};
use crate::flow::agent::requests::{read_ask, requests};

/// Show who asks for access to the vault
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient requests
  karute patient requests --read karute:asked:0a1b2c3d4e5f60718293a4b5c6d7e8f9
  karute patient requests --read ask.txt")]
pub(super) struct RequestsArgs {
    /// Show only this request: the beginning of its id, karute:asked:..., its whole text karute:ask:..., or a file with that
    #[arg(long, value_name = "ASK")]
    read: Option<String>,
}

impl RequestsArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let id = self.read.as_deref().and_then(asked_id);
        let asks = match &self.read {
            Some(typed) if id.is_none() => vec![read_ask(&text_or_file(typed, "karute:ask:")?)?],
            _ => {
                let mut patient = open_patient(frame)?;
                frame.run(async {
                    let mut reach = network(&patient.transport())?;
                    let mut asks = requests(&mut patient, &mut reach).await?;
                    if let Some(id) = id {
                        asks = vec![named(id, asks)?];
                    }
                    count_records(&mut asks, &mut patient, &mut reach).await?;
                    Ok(asks)
                })?
            }
        };
        frame.show(&json(&asks)?, || match asks.is_empty() {
            true => "nobody asks".to_owned(),
            false => asks
                .iter()
                .map(|ask| ask_text(ask, self.read.as_deref().unwrap_or(&ask.ask.to_string()[..ID_DIGITS_SHOWN])))
                .collect::<Vec<_>>()
                .join("\n"),
        })
    }
}

/// How much is there already of what is asked for, where it is not known yet.
async fn count_records(asks: &mut [AskLine], patient: &mut Patient, reach: &mut Reach) -> Result<(), Failure> {
    if asks.iter().all(|ask| ask.already.is_some()) {
        return Ok(());
    }
    let all = records(patient, reach, RecordFilter::default()).await?.records;
    for ask in asks {
        let asked = |line: &&RecordLine| {
            let kind = Kind { category: line.category, sensitivity: line.sensitivity };
            ask.kinds.contains(&kind)
                && ask.from_month.is_none_or(|from| line.month >= from)
                && ask.to_month.is_none_or(|to| line.month < to)
        };
        let count = all.iter().filter(asked).count() as u64;
        ask.already.get_or_insert(count);
    }
    Ok(())
}

/// Who, what, why and how long, as the patient reads it before deciding; `name` is what approve takes.
fn ask_text(ask: &AskLine, name: &str) -> String {
    let actions: Vec<&str> = ask.actions.iter().map(|action| action.word()).collect();
    let months = match (ask.from_month, ask.to_month) {
        (None, None) => "whenever deposited".to_owned(),
        (from, to) => format!(
            "deposited from {} to {}",
            from.map_or("the beginning".to_owned(), |month| month.to_string()),
            to.and_then(|month| month.previous()).map_or("any later month".to_owned(), |month| month.to_string())
        ),
    };
    let already = ask
        .already
        .map_or(String::new(), |count| format!("already   {} of these kinds\n", counted(count as usize, "record")));
    let note = if ask.note.is_empty() {
        String::new()
    } else {
        format!("note      {}\n", ask.note.replace('\n', "\n          "))
    };
    format!(
        "request   {}   ({})\nwho       {} ({}) {}\n          the name is what that party says of itself: make sure of the key\nwhat      {} {}, {months}\nwhy       {}\nhow long  {}\n{already}{note}approve   karute patient approve {}\n",
        ask.ask,
        moment::minute(ask.issued),
        ask.name,
        ask.kind,
        ask.from,
        actions.join(", "),
        kinds_text(&ask.kinds),
        purpose_words(ask.purpose).0,
        counted(usize::from(ask.days), "day"),
        name,
    )
}

/// Digits of an id in the line that is to be typed.
const ID_DIGITS_SHOWN: usize = 12;
