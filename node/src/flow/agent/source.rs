//! Who reads, from where, under which right: what patient and facility have in common when they list and fetch.

use karute_consent::id::RequestId;
use karute_consent::party::Identity;
use karute_consent::request::Request;
use karute_consent::statement::Verified;
use karute_protocol::hpke::{Entropy, Sealed};
use karute_protocol::particulars::ActingPerson;

use crate::agent::error::{AgentError, Missing, Obstacle};
use crate::agent::link::VaultLink;
use crate::agent::view::VaultView;
use crate::ambient::Ambient;
use crate::flow::agent::reach::Wanted;
use crate::flow::agent::session::Session;

/// Whether a copy that a power cut takes can be fetched again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copies {
    /// Any time.
    Repeatable,
    /// Each fetch costs a use: every file is synced before the next.
    Counted,
}

/// A reader of one vault.
pub(super) struct Source<'a> {
    pub(super) link: &'a VaultLink,
    pub(super) view: &'a VaultView,
    pub(super) ambient: &'a Ambient,
    pub(super) signer: &'a Identity,
    /// Who sits at the desk, and why; sealed to the vault's audit key.
    pub(super) acting: Option<&'a ActingPerson>,
    pub(super) copies: Copies,
}

/// A signed request with what goes beside it.
pub(super) struct Signed {
    pub(super) request: Verified<Request>,
    pub(super) acting: Option<Sealed>,
}

impl Source<'_> {
    /// Signs a request of this session.
    pub(super) fn request(&self, session: &mut Session, wanted: &Wanted) -> Result<Signed, AgentError> {
        let Some(person) = self.acting else {
            let request = session.request(self.ambient, self.signer, self.view, wanted, None)?;
            return Ok(Signed { request, acting: None });
        };
        let id = RequestId::from_bytes(self.ambient.entropy());
        let authority = self.view.state()?.authority().ok_or(AgentError::Unknown(Missing::Vault))?;
        let audit = &authority.payload().audit;
        let sealed = person.seal(audit, self.view.vault(), id, Entropy::new(self.ambient.entropy()));
        let sealed = sealed.map_err(|_| AgentError::Impossible(Obstacle::Value))?;
        let request = session.request(self.ambient, self.signer, self.view, wanted, Some((id, &sealed)))?;
        Ok(Signed { request, acting: Some(sealed) })
    }
}
