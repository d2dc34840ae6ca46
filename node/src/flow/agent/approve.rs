//! Answering an ask: granted as asked, granted narrower, or declined. The asker is told by a signed answer.

use std::collections::BTreeSet;

use karute_consent::ask::{Ask, AskAnswer, Outcome};
use karute_consent::category::Kind;
use karute_consent::id::{AskId, StatementId};
use karute_consent::scope::Action;
use karute_consent::statement::{Verified, sign};
use karute_consent::template::Template;
use karute_consent::time::MonthRange;
use karute_protocol::message::{Answer, Message};
use serde::Serialize;

use crate::agent::error::{AgentError, HostFault, Missing, Obstacle, Unproven};
use crate::agent::patient::Patient;
use crate::flow::agent::grant::{Plan, carry_out};
use crate::flow::agent::lines::{Granted, text};
use crate::flow::agent::reach::Reach;
use crate::flow::agent::requests::find;
use crate::flow::agent::sync::refresh_patient;

/// What is approved.
#[derive(Clone, Debug)]
pub struct Approve {
    /// The ask: its text, or its id if it waits in the mailbox.
    pub ask: String,
    /// Less than what was asked; all of it if absent.
    pub narrowed: Option<Narrow>,
    /// Language of the text, a BCP 47 tag.
    pub language: String,
    /// The consent text that was shown.
    pub text: String,
}

/// Less than what was asked, on any axis; an absent one stays as asked.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    /// Actions, all of them asked for.
    pub actions: Option<Vec<Action>>,
    /// Kinds of data, all of them asked for.
    pub kinds: Option<Vec<Kind>>,
    /// Months, inside those asked for.
    pub months: Option<MonthRange>,
    /// Days, not more than asked for.
    pub days: Option<u16>,
}

/// An ask that was declined.
#[derive(Clone, Debug, Serialize)]
pub struct Declined {
    /// The ask.
    #[serde(serialize_with = "text")]
    pub ask: AskId,
    /// Whether the host keeps the answer for the asker; of an ask that came as text the host knows nothing.
    pub told: bool,
}

/// Grants what was asked, or less, and tells the asker.
pub async fn approve(patient: &mut Patient, reach: &mut Reach, approve: Approve) -> Result<Granted, AgentError> {
    let ask = find(patient, reach, &approve.ask).await?;
    check_vault(patient, ask.payload())?;
    let outcome = if approve.narrowed.is_some() { Outcome::Narrower } else { Outcome::Granted };
    let plan = plan(&ask, approve)?;
    let granted = carry_out(patient, reach, plan).await?;
    answer(patient, reach, ask.payload().id, outcome, Some(granted.grant)).await?;
    Ok(granted)
}

/// Declines an ask, and tells the asker if the ask came through the mailbox.
pub async fn decline(patient: &mut Patient, reach: &mut Reach, ask: &str) -> Result<Declined, AgentError> {
    let ask = find(patient, reach, ask).await?;
    check_vault(patient, ask.payload())?;
    refresh_patient(patient, reach).await?;
    let told = answer(patient, reach, ask.payload().id, Outcome::Declined, None).await?;
    Ok(Declined { ask: ask.payload().id, told })
}

fn check_vault(patient: &Patient, ask: &Ask) -> Result<(), AgentError> {
    let own = patient.vault().ok_or(AgentError::Unknown(Missing::Vault))?;
    if ask.vault.is_none_or(|named| named == own) { Ok(()) } else { Err(AgentError::unproven(Unproven::Ask)) }
}

/// The ask in the terms of a grant, narrowed and never widened.
fn plan(ask: &Verified<Ask>, approve: Approve) -> Result<Plan, AgentError> {
    let asked = ask.payload();
    let narrow = approve.narrowed.unwrap_or_default();
    let actions: BTreeSet<Action> =
        narrow.actions.map_or_else(|| asked.actions.clone(), |some| some.into_iter().collect());
    let kinds: BTreeSet<Kind> =
        narrow.kinds.map_or_else(|| asked.categories.clone(), |some| some.into_iter().collect());
    let months = narrow.months.or(asked.months);
    let days = narrow.days.unwrap_or(asked.days);
    let months_fit = match (&months, &asked.months) {
        (Some(inner), Some(outer)) => inner.within(outer),
        (None, Some(_)) => false,
        (_, None) => true,
    };
    let narrower = actions.is_subset(&asked.actions) && kinds.is_subset(&asked.categories) && days <= asked.days;
    if !narrower || !months_fit || kinds.is_empty() {
        return Err(AgentError::Impossible(Obstacle::Scope));
    }
    let card = asked.card.clone().verify_by(ask.signer()).map_err(|_| AgentError::unproven(Unproven::Ask))?;
    let purposes = BTreeSet::from([asked.purpose]);
    Ok(Plan {
        card,
        template: template_of(&actions, asked.purpose, days),
        actions,
        kinds,
        months,
        records: BTreeSet::new(),
        depositors: BTreeSet::new(),
        purposes,
        days: u32::from(days),
        uses: None,
        depth: 0,
        obligations: BTreeSet::new(),
        language: approve.language,
        text: approve.text,
    })
}

/// The template that means exactly this, if one does.
fn template_of(actions: &BTreeSet<Action>, purpose: karute_consent::purpose::Purpose, days: u16) -> Option<Template> {
    let means = |template: &Template| {
        let terms = template.terms();
        actions.iter().eq(terms.actions)
            && terms.purpose == purpose
            && days <= terms.days_max
            && terms.uses.is_none()
            && terms.depth.contains(&0)
    };
    let by_collections = [Template::FirstVisit, Template::OngoingCare, Template::Study, Template::Deposit];
    by_collections.into_iter().find(means)
}

/// Leaves the answer at the host; whether it took it.
async fn answer(
    patient: &mut Patient,
    reach: &mut Reach,
    ask: AskId,
    outcome: Outcome,
    grant: Option<StatementId>,
) -> Result<bool, AgentError> {
    let vault = patient.view()?.vault();
    let answer = AskAnswer { vault, ask, outcome, grant, issued: patient.ambient().now() };
    let answer = sign(answer, &patient.device).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    let link = patient.link().cloned().ok_or(AgentError::Unknown(Missing::Vault))?;
    let session = reach.host(&link, patient.view()?).await?;
    match session.ask(Answer { answer: answer.to_unverified() }).await {
        Ok(Message::Done(_)) => Ok(true),
        // An ask that came as text is in no mailbox: the grant itself tells the asker.
        Err(AgentError::Refused | AgentError::Fault(HostFault::NotInForce)) => Ok(false),
        Ok(_) => Err(AgentError::Malformed("answer to an answer")),
        Err(error) => Err(error),
    }
}
