//! A facility asks for access: as text for a screen, or sealed into the vault's mailbox.

use std::collections::BTreeSet;

use karute_consent::ask::{Ask, AskEnvelope};
use karute_consent::category::Kind;
use karute_consent::id::{AskId, VaultId};
use karute_consent::purpose::Purpose;
use karute_consent::scope::Action;
use karute_consent::statement::{Verified, sign};
use karute_consent::time::MonthRange;
use karute_protocol::archive::ask_to_text;
use karute_protocol::hpke::Entropy;
use karute_protocol::message::{self, Message};
use karute_protocol::particulars::{letter_hash, seal_ask};
use serde::Serialize;

use crate::agent::error::{AgentError, Missing, Obstacle};
use crate::agent::facility::Facility;
use crate::flow::agent::lines::text;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::receipt::{accept_receipt, keep_receipt};
use crate::flow::agent::sync::meet;

/// What a facility wishes to be granted.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What to do.
    pub actions: Vec<Action>,
    /// With which kinds of data, 1 to 32.
    pub kinds: Vec<Kind>,
    /// Months of deposit; all if absent.
    pub months: Option<MonthRange>,
    /// What for.
    pub purpose: Purpose,
    /// For how many days, 1 to 366.
    pub days: u16,
    /// Words to the patient, at most 512 bytes.
    pub note: String,
}

/// An ask as text.
#[derive(Clone, Debug, Serialize)]
pub struct AskText {
    /// The ask.
    #[serde(serialize_with = "text")]
    pub ask: AskId,
    /// `karute:ask:…`, short enough for a QR code.
    pub text: String,
}

/// Makes an ask as text; the patient's agent reads it from a screen.
pub fn ask_text(facility: &Facility, wish: Wish) -> Result<AskText, AgentError> {
    let ask = signed(facility, None, wish)?;
    Ok(AskText { ask: ask.payload().id, text: ask_to_text(&ask) })
}

/// Puts an ask into the vault's mailbox, where only the patient can read it.
pub async fn ask(
    facility: &mut Facility,
    reach: &mut Reach,
    vault: VaultId,
    wish: Wish,
) -> Result<AskText, AgentError> {
    meet(facility, reach, vault).await?;
    let ask = signed(facility, Some(vault), wish)?;
    let known = facility.known(vault)?;
    let authority = known.view().state()?.authority().ok_or(AgentError::Unknown(Missing::Vault))?;
    let value = |_| AgentError::Impossible(Obstacle::Value);
    let entropy = Entropy::new(facility.ambient().entropy());
    let sealed = seal_ask(&ask, &authority.payload().audit, vault, entropy).map_err(value)?;
    let sealed_hash = letter_hash(&sealed).map_err(value)?;
    let envelope = AskEnvelope { id: ask.payload().id, vault, sealed_hash, issued: ask.payload().issued };
    let envelope = sign(envelope, &facility.identity).map_err(|_| AgentError::Impossible(Obstacle::Value))?;
    let session = reach.host(known.link(), known.view()).await?;
    let message = message::Ask { envelope: envelope.to_unverified(), sealed };
    let Message::Done(done) = session.ask(message).await? else {
        return Err(AgentError::Malformed("answer to an ask"));
    };
    let node = session.node();
    if let Some(receipt) = &done.receipt {
        accept_receipt(facility.known(vault)?.view(), receipt, node)?;
        keep_receipt(&mut facility.keep, receipt)?;
    }
    Ok(AskText { ask: ask.payload().id, text: ask_to_text(&ask) })
}

fn signed(facility: &Facility, vault: Option<VaultId>, wish: Wish) -> Result<Verified<Ask>, AgentError> {
    let ask = Ask {
        id: AskId::from_bytes(facility.ambient().entropy()),
        vault,
        actions: wish.actions.into_iter().collect::<BTreeSet<_>>(),
        categories: wish.kinds.into_iter().collect(),
        months: wish.months,
        purpose: wish.purpose,
        days: wish.days,
        card: facility.card().to_unverified(),
        issued: facility.ambient().now(),
        note: wish.note,
    };
    sign(ask, &facility.identity).map_err(|_| AgentError::Impossible(Obstacle::Value))
}
