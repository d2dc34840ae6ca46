//! The way to a vault's home host: one session, opened when first needed and opened again after a cut.

use std::time::Duration;

use karute_consent::encoding::to_bytes;
use karute_consent::id::{NodeId, RequestId, StatementId};
use karute_consent::party::Identity;
use karute_consent::purpose::Purpose;
use karute_consent::request::{Request, Selector};
use karute_consent::scope::Action;
use karute_consent::statement::{Verified, sign};
use karute_consent::tree::digest_of;
use karute_protocol::hpke::Sealed;
use karute_protocol::trail::CheckpointText;

use crate::agent::connect::Connect;
use crate::agent::error::{AgentError, Obstacle, Unproven};
use crate::agent::link::VaultLink;
use crate::agent::view::VaultView;
use crate::ambient::Ambient;
use crate::flow::agent::session::Session;

/// The way to hosts. Holds at most one session.
pub struct Reach {
    connect: Connect,
    /// The addresses it was opened at, and the session.
    open: Option<(Vec<String>, Session)>,
    /// Heads of trails that the next hello tells.
    tells: Vec<CheckpointText>,
    /// How long to wait for witnesses.
    patience: Duration,
}

/// What a request asks for; the rest of it is of the session.
pub struct Wanted {
    /// What to do.
    pub action: Action,
    /// The grants, root first; none for one's own vault and for sync.
    pub chain: Vec<StatementId>,
    /// What it is about.
    pub selector: Selector,
    /// What for.
    pub purpose: Purpose,
    /// An earlier request that this one goes on with.
    pub resumes: Option<RequestId>,
}

impl Wanted {
    /// Reading one's own part of a ledger.
    pub fn sync() -> Self {
        Self::own(Action::Sync)
    }

    /// Anything that a device does with its own vault.
    pub fn own(action: Action) -> Self {
        Self {
            action,
            chain: Vec::new(),
            selector: Selector::default(),
            purpose: Purpose::PatientRequest,
            resumes: None,
        }
    }
}

impl Reach {
    /// A way to hosts; nothing is connected yet.
    pub fn new(connect: Connect) -> Self {
        Self { connect, open: None, tells: Vec::new(), patience: PATIENCE }
    }

    /// A second way to the same hosts, with a session of its own.
    pub(super) fn beside(&self) -> Self {
        Self { patience: self.patience, ..Self::new(self.connect.clone()) }
    }

    /// Waits for witnesses for no longer than this.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How long to wait for witnesses that have not seen the newest head yet.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Which heads the next hello tells.
    pub(super) fn tell(&mut self, heads: Vec<CheckpointText>) {
        self.tells = heads;
    }

    /// A session with whoever answers at these addresses.
    pub async fn any(&mut self, addresses: &[String]) -> Result<&mut Session, AgentError> {
        let reusable = self.open.as_ref().is_some_and(|(at, session)| at == addresses && session.is_open());
        if !reusable {
            self.open = None;
            let line = self.connect.open(addresses).await.map_err(AgentError::Unreachable)?;
            self.open = Some((addresses.to_vec(), Session::open(line, self.tells.clone()).await?));
        }
        match &mut self.open {
            Some((_, session)) => Ok(session),
            None => Err(AgentError::Unreachable(crate::agent::connect::ConnectError::Cut)),
        }
    }

    /// A session with a vault's host: once an authority is known, only the home node that it names will do.
    pub async fn host(&mut self, link: &VaultLink, view: &VaultView) -> Result<&mut Session, AgentError> {
        let home = view.home();
        let session = self.any(link.addresses()).await?;
        match home {
            Some(node) if node != session.host().node => Err(AgentError::unproven(Unproven::Node)),
            _ => Ok(session),
        }
    }

    /// Ends the session, so that the next one is new.
    pub fn hang_up(&mut self) {
        self.open = None;
    }
}

impl Session {
    /// The node at the other end.
    pub fn node(&self) -> NodeId {
        self.host().node
    }

    /// Signs a request of this session. `acting` is the sealed acting person that goes beside it.
    pub fn request(
        &mut self,
        ambient: &Ambient,
        signer: &Identity,
        view: &VaultView,
        wanted: &Wanted,
        acting: Option<(RequestId, &Sealed)>,
    ) -> Result<Verified<Request>, AgentError> {
        self.sequence += 1;
        let acting_hash = acting.map(|(_, sealed)| to_bytes(sealed).map(|bytes| digest_of(&[&bytes]))).transpose();
        let request = Request {
            id: acting.map_or_else(|| RequestId::from_bytes(ambient.entropy()), |(id, _)| id),
            vault: view.vault(),
            chain: wanted.chain.clone(),
            action: wanted.action,
            selector: wanted.selector.clone(),
            purpose: wanted.purpose,
            acting_hash: acting_hash.map_err(|_| AgentError::Impossible(Obstacle::Value))?,
            challenge: self.host().challenge,
            sequence: self.sequence,
            node: self.host().node,
            peer: self.peer().to_vec(),
            head: view.head(),
            time: ambient.now(),
            resumes: wanted.resumes,
        };
        sign(request, signer).map_err(|_| AgentError::Impossible(Obstacle::Value))
    }

    /// A request that reads one's own part of a ledger.
    pub fn sync_request(
        &mut self,
        ambient: &Ambient,
        signer: &Identity,
        view: &VaultView,
    ) -> Result<Verified<Request>, AgentError> {
        self.request(ambient, signer, view, &Wanted::sync(), None)
    }
}

/// How long a deed waits for witnesses that have not seen the newest head yet.
const PATIENCE: Duration = Duration::from_secs(10);
