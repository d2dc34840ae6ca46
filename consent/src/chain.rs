//! Chains: the grants that a request rests on, root first, proven against the ledger.

use crate::grant::GrantCore;
use crate::id::{PartyKey, StatementId};
use crate::ledger::{LedgerGrant, LedgerState};
use crate::time::Timestamp;

/// Grants of the ledger, each the child of the one before and within it. Never empty. Says nothing of revocation or
/// time: those change.
#[derive(Clone, Debug)]
pub struct ProvenGrant<'a> {
    above: Vec<&'a LedgerGrant>,
    last: &'a LedgerGrant,
}

/// Why grants are no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No grant at all (C-42).
    #[error("no grant")]
    Empty,
    /// A grant that is not in the ledger (C-43).
    #[error("a grant of the chain is not in the ledger")]
    Unknown,
    /// The first has a parent, or one is not the child of the one before (C-44).
    #[error("a grant of the chain is not the child of the one before")]
    Broken,
}

impl<'a> ProvenGrant<'a> {
    /// Proves a chain: every grant is in the ledger (C-43), the first has no parent, each other one is the child of
    /// the one before, signed by its holder and within it (C-44, C-31, C-32).
    pub fn prove(state: &'a LedgerState, ids: &[StatementId]) -> Result<Self, ChainError> {
        let grants: Option<Vec<&LedgerGrant>> = ids.iter().map(|id| state.grant(*id)).collect();
        let grants = grants.ok_or(ChainError::Unknown)?;
        let (last, above) = grants.split_last().ok_or(ChainError::Empty)?;
        let rooted = grants.first().is_some_and(|root| root.core().parent.is_none());
        if !rooted || !grants.windows(2).all(|pair| is_child(pair[1], pair[0])) {
            return Err(ChainError::Broken);
        }
        Ok(Self { above: above.to_vec(), last })
    }

    /// What the last grant grants, which is no more than any above it grants.
    pub fn core(&self) -> &'a GrantCore {
        self.last.core()
    }

    /// Who may use it.
    pub fn holder(&self) -> PartyKey {
        self.last.holder()
    }

    /// The grants, root first.
    pub fn grants(&self) -> impl Iterator<Item = &'a LedgerGrant> {
        self.above.iter().copied().chain([self.last])
    }

    /// The earliest moment at which one of the grants is no longer valid.
    pub fn not_after(&self) -> Timestamp {
        let last = self.last.core().validity.not_after();
        self.above.iter().map(|grant| grant.core().validity.not_after()).fold(last, Timestamp::min)
    }
}

fn is_child(child: &LedgerGrant, parent: &LedgerGrant) -> bool {
    child.core().parent == Some(parent.statement.id())
        && child.issuer() == parent.holder()
        && child.core().lies_within(parent.core()).is_ok()
}
