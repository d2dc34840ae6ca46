//! `karute patient grant`: a right to read, to deposit or to act for the patient, signed here.

use clap::Args;
use karute_consent::card::Card;
use karute_consent::id::PartyKey;
use karute_consent::statement::Unverified;
use karute_consent::template::{Keys, Template};
use karute_consent::time::Month;

use super::wording::{Agreed, Language};
use crate::agent::patient::Patient;
use crate::cli::agent::{card, json, kinds_text, network, open_patient, record, span};
use crate::cli::frame::Frame;
use crate::cli::values::{Kinds, kinds, month, month_range, words};
use crate::failure::{Failure, FailureKind};
use crate::flow::agent::grant::{NewGrant, grant};
use crate::flow::agent::lines::Granted;

/// Give a party a right to your records, or to deposit
///
/// Templates, with their days by default and at most: first-visit 1/2, ongoing-care 90/366, referral 30/90 (single records),
/// pharmacy 7/30 (single records, once), guardian 90/366 (may read the trail, revoke and pass on), study 90/366,
/// deposit 90/366 (no right to read). Each fixes what for: care, except guardian (family) and study (research).
/// The keys travel inside the grant: the node never has them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute patient grant --to hospital-a.card --template deposit --category all
  karute patient grant --to hospital-b.card --template ongoing-care --category prescription,imaging --from 2026-01
  karute patient grant --to pharmacy.card --template pharmacy --record 0a1b2c3d4e5f60718293a4b5c6d7e8f9 --days 3")]
pub(super) struct GrantArgs {
    /// Who gets it: a card file, or karute:card:...
    #[arg(long, value_name = "CARD")]
    to: String,
    /// What kind of grant
    #[arg(long, value_parser = words!(Template))]
    template: Template,
    /// Kinds of data: prescription, imaging, lab/sensitive ...; all for every normal one
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    category: Vec<Kinds>,
    /// Only what is deposited in this month or later
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    from: Option<Month>,
    /// Only what is deposited in this month or earlier
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    until: Option<Month>,
    /// One record, for templates of single records; may be repeated
    #[arg(long, value_name = "RECORD")]
    record: Vec<String>,
    /// Only records that this party deposited, by its key; may be repeated
    #[arg(long, value_name = "KEY")]
    depositor: Vec<PartyKey>,
    /// Days from now [default: the template's]
    #[arg(long)]
    days: Option<u32>,
    /// How deeply the holder may pass it on; only referral leaves a choice, 0 or 1 [default: the template's]
    #[arg(long, value_name = "N")]
    delegate: Option<u8>,
    /// Language of the consent text [default: the environment's]
    #[arg(long, value_enum)]
    language: Option<Language>,
}

impl GrantArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let card = card(&self.to)?;
        let mut patient = open_patient(frame)?;
        let wanted = self.wanted(card, &patient)?;
        let agreed = wanted.text.clone();
        let granted = frame.run(async {
            let mut reach = network(&patient.transport())?;
            Ok(grant(&mut patient, &mut reach, wanted).await?)
        })?;
        frame.show(&json(&granted)?, || granted_text(&granted, &agreed))
    }

    fn wanted(self, card: Vec<u8>, patient: &Patient) -> Result<NewGrant, Failure> {
        let terms = self.template.terms();
        let kinds = kinds(&self.category);
        if kinds.is_empty() && terms.keys != Keys::Records {
            return Err(Failure::new(FailureKind::Usage, "which kinds of data?")
                .hint("name them with --category prescription,imaging, or all of them with --category all"));
        }
        if self.record.is_empty() == (terms.keys == Keys::Records) {
            return Err(Failure::new(
                FailureKind::Usage,
                format!(
                    "the template {} {}",
                    self.template,
                    if self.record.is_empty() { "is for single records" } else { "takes no single records" }
                ),
            )
            .hint("single records are given with --record and the templates referral and pharmacy"));
        }
        let records = self.record.iter().map(|typed| record(typed)).collect::<Result<Vec<_>, _>>()?;
        let months = month_range(self.from, self.until)?;
        let holder = Unverified::<Card>::from_bytes(card.clone()).verify().map_err(|e| {
            Failure::new(FailureKind::Verification, e)
                .during("checking the card")
                .hint("ask the party for its card anew")
        })?;
        let language = self.language.unwrap_or_else(Language::of_environment);
        let text = language.text(&Agreed {
            patient: patient.name(),
            holder: &holder.payload().name,
            actions: terms.actions,
            kinds: &kinds,
            months: months.map(|range| (range.from(), range.to().previous().unwrap_or(range.from()))),
            records: records.len(),
            purposes: &[terms.purpose],
            days: self.days.unwrap_or_else(|| u32::from(terms.days_default)),
            uses: terms.uses,
        });
        Ok(NewGrant {
            card,
            template: self.template,
            actions: None,
            kinds,
            months,
            records,
            depositors: self.depositor,
            purposes: None,
            days: self.days,
            uses: None,
            depth: self.delegate,
            obligations: Vec::new(),
            language: language.tag().to_owned(),
            text,
        })
    }
}

/// What was granted, as the patient reads it afterwards.
pub(super) fn granted_text(granted: &Granted, agreed: &str) -> String {
    let actions: Vec<&str> = granted.actions.iter().map(|action| action.word()).collect();
    let uses = granted.uses.map_or(String::new(), |uses| format!("uses    {uses}\n"));
    format!(
        "grant   {}\nto      {}  {}\nmay     {}\nkinds   {}\nfrom    {}\n{uses}text    {}\nend it  karute patient revoke {}",
        granted.grant,
        granted.holder_name,
        granted.holder,
        actions.join(", "),
        kinds_text(&granted.kinds),
        span(granted.not_before, granted.not_after),
        agreed.replace('\n', "\n        "),
        &granted.grant.to_string()[..12],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_each_template_with_its_days() {
        let help = GrantArgs::augment_args(clap::Command::new("grant")).render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for template in Template::ALL {
            let terms = template.terms();
            let said = format!("{template} {}/{}", terms.days_default, terms.days_max);
            assert!(help.contains(&said), "{said}: {help}");
        }
    }
}
