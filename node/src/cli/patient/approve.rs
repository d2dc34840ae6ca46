//! `karute patient approve`: an ask becomes a grant, as asked or narrower, or is declined.

use clap::Args;
use karute_consent::scope::Action;
use karute_consent::time::Month;

use super::grant::granted_text;
use super::wording::{Agreed, Language};
use crate::cli::agent::{json, network, open_patient};
use crate::cli::frame::Frame;
use crate::cli::values::{Kinds, asked_id, by_prefix, kinds, month, month_range, text_or_file, words};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::approve::{Approve, Narrow, approve, decline};
use crate::flow::agent::lines::AskLine;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::requests::{read_ask, requests};

/// Grant what a facility asks for, as asked or narrower, or decline it
///
/// Without further flags everything that was asked is granted. Each flag replaces one part by less.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient approve 0a1b2c3d
  karute patient approve 0a1b2c3d --category prescription --days 30
  karute patient approve karute:asked:0a1b2c3d4e5f60718293a4b5c6d7e8f9
  karute patient approve ask.txt
  karute patient approve 0a1b2c3d --decline")]
pub(super) struct ApproveArgs {
    /// The request: the beginning of its id, karute:asked:..., its whole text karute:ask:..., or a file with that
    ask: String,
    /// Only these of the kinds asked for
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    category: Vec<Kinds>,
    /// Only these of the actions asked for
    #[arg(long, value_delimiter = ',', value_parser = words!(Action))]
    action: Vec<Action>,
    /// Only what was deposited in this month or later
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    from: Option<Month>,
    /// Only what was deposited in this month or earlier
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    until: Option<Month>,
    /// For fewer days
    #[arg(long)]
    days: Option<u16>,
    /// Language of the consent text [default: the environment's]
    #[arg(long, value_enum)]
    language: Option<Language>,
    /// Say no; a facility whose request came through the mailbox is told
    #[arg(long, conflicts_with_all = ["category", "action", "from", "until", "days"])]
    decline: bool,
}

impl ApproveArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let mut patient = open_patient(frame)?;
        frame.run(async {
            let mut reach = network(&patient.transport())?;
            let ask = self.find(&mut patient, &mut reach).await?;
            if self.decline {
                let declined = decline(&mut patient, &mut reach, &ask.text).await?;
                return frame.show(&json(&declined)?, || declined_text(&ask.name, declined.told));
            }
            let wanted = self.wanted(&ask, patient.name())?;
            let agreed = wanted.text.clone();
            let granted = approve(&mut patient, &mut reach, wanted).await?;
            frame.show(&json(&granted)?, || granted_text(&granted, &agreed))
        })
    }

    async fn find(&self, patient: &mut crate::agent::patient::Patient, reach: &mut Reach) -> Result<AskLine, Failure> {
        match asked_id(&self.ask) {
            Some(id) => named(id, requests(patient, reach).await?),
            None => Ok(read_ask(&text_or_file(&self.ask, "karute:ask:")?)?),
        }
    }

    fn wanted(&self, ask: &AskLine, patient: &str) -> Result<Approve, Failure> {
        let actions = if self.action.is_empty() { ask.actions.clone() } else { self.action.clone() };
        let chosen = kinds(&self.category);
        let kinds = if chosen.is_empty() { ask.kinds.clone() } else { chosen };
        let (from, until) =
            (self.from.or(ask.from_month), self.until.or(ask.to_month.and_then(|month| month.previous())));
        let months = month_range(from, until)?;
        let days = self.days.unwrap_or(ask.days);
        let narrowed = !self.action.is_empty()
            || !self.category.is_empty()
            || self.from.is_some()
            || self.until.is_some()
            || self.days.is_some();
        let language = self.language.unwrap_or_else(Language::of_environment);
        let text = language.text(&Agreed {
            patient,
            holder: &ask.name,
            actions: &actions,
            kinds: &kinds,
            months: months.map(|range| (range.from(), range.to().previous().unwrap_or(range.from()))),
            records: 0,
            purposes: &[ask.purpose],
            days: u32::from(days),
            uses: None,
        });
        let narrowed =
            narrowed.then_some(Narrow { actions: Some(actions), kinds: Some(kinds), months, days: Some(days) });
        Ok(Approve { ask: ask.text.clone(), narrowed, language: language.tag().to_owned(), text })
    }
}

/// The one of these whose id begins so.
pub(super) fn named(id: &str, waiting: Vec<AskLine>) -> Result<AskLine, Failure> {
    let known: Vec<_> = waiting.iter().map(|line| line.ask).collect();
    let ask = by_prefix(id, &known, "request")?;
    let found = waiting.into_iter().find(|line| line.ask == ask);
    found.ok_or_else(|| Failure::new(FailureKind::NotFound, "no such request"))
}

fn declined_text(name: &str, told: bool) -> String {
    match told {
        true => format!("declined; {name} is told so at its next visit to the node"),
        false => {
            format!("declined: nothing is granted. The request did not come through the node, so {name} is not told")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asked_through_the_node_is_said_to_be_told() {
        assert!(declined_text("Hospital B", true).contains("is told so"));
        assert!(declined_text("Hospital B", false).contains("is not told"));
    }
}
