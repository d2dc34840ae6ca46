//! Grants: consent record, capability and key delivery in one signed object.
//!
//! The core says who may do what, for what, how long and how often; the sealed part and the key package are bound by
//! their digests. A child grant lies within its parent on every axis, or it is refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_indexed::{DeserializeIndexed, SerializeIndexed};

use crate::encoding::{EncodingError, to_bytes};
use crate::id::{Digest, PartyKey, StatementId, VaultId};
use crate::limits::{DELEGATION_DEPTH_MAX, USES_MAX, VALIDITY_SECS_MAX};
use crate::purpose::Purpose;
use crate::scope::{Scope, inside};
use crate::statement::{Malformed, Statement};
use crate::time::Validity;
use crate::tree::digest_of;
use crate::vault::Nonce;

/// What a grant grants: fields 1 to 9. What is sealed for the holder is sealed under this core's digest.
#[derive(Clone, Debug, PartialEq, Eq, SerializeIndexed, DeserializeIndexed)]
pub struct GrantCore {
    /// The vault.
    #[serde(index = 1)]
    pub vault: VaultId,
    /// Who may use the grant.
    #[serde(index = 2)]
    pub holder: PartyKey,
    /// What it is about.
    #[serde(index = 3)]
    pub scope: Scope,
    /// What for.
    #[serde(index = 4)]
    pub purposes: BTreeSet<Purpose>,
    /// How long.
    #[serde(index = 5)]
    pub validity: Validity,
    /// How often; absent is without limit.
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// How many grants may be chained below this one.
    #[serde(index = 7)]
    pub depth: u8,
    /// The grant that this one is a child of.
    #[serde(index = 8, skip_serializing_if = "Option::is_none")]
    pub parent: Option<StatementId>,
    /// Makes each grant another one.
    #[serde(index = 9)]
    pub nonce: Nonce,
}

/// A grant as it is signed: by a device, or by the holder of the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What is granted.
    pub core: GrantCore,
    /// Digest of the part that is sealed for holder and patient.
    pub sealed_hash: Digest,
    /// Digest of the first key package, if the grant comes with keys.
    pub package_hash: Option<Digest>,
}

/// The axis on which a child grant would exceed its parent (C-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Widening {
    /// Another vault.
    #[error("child grant is about another vault")]
    Vault,
    /// Actions, collections, months, records or depositors that the parent does not have.
    #[error("child's scope exceeds its parent's")]
    Scope,
    /// A purpose that the parent does not have.
    #[error("child has a purpose that its parent does not have")]
    Purposes,
    /// Valid before or after the parent.
    #[error("child is valid when its parent is not")]
    Validity,
    /// More uses than the parent.
    #[error("child has more uses than its parent")]
    Uses,
    /// More delegation than the parent leaves.
    #[error("child may be delegated more deeply than its parent leaves")]
    Depth,
}

impl GrantCore {
    /// Checks that this child lies within its parent on every axis (C-32).
    pub fn lies_within(&self, parent: &GrantCore) -> Result<(), Widening> {
        let axes = [
            (self.vault == parent.vault, Widening::Vault),
            (self.scope.within(&parent.scope), Widening::Scope),
            (self.purposes.is_subset(&parent.purposes), Widening::Purposes),
            (self.validity.within(&parent.validity), Widening::Validity),
            (inside(&self.uses, &parent.uses, u32::le), Widening::Uses),
            (self.depth < parent.depth, Widening::Depth),
        ];
        axes.into_iter().find(|(fits, _)| !fits).map_or(Ok(()), |(_, axis)| Err(axis))
    }

    /// Digest of the core's encoding, under which key package and particulars are sealed.
    pub fn digest(&self) -> Result<Digest, EncodingError> {
        Ok(digest_of(&[&to_bytes(self)?]))
    }

    /// Checks counts and rules C-29, C-30.
    pub fn check(&self) -> Result<(), Malformed> {
        self.scope.check()?;
        // C-30
        if self.purposes.is_empty() {
            return Err(Malformed::NoPurpose);
        }
        if self.validity.secs() > VALIDITY_SECS_MAX {
            return Err(Malformed::TooLong);
        }
        if self.uses.is_some_and(|uses| !(1..=USES_MAX).contains(&uses)) {
            return Err(Malformed::Uses);
        }
        if self.depth > DELEGATION_DEPTH_MAX { Err(Malformed::Depth) } else { Ok(()) }
    }
}

impl Statement for Grant {
    const TYPE: &'static str = "grant";

    fn check(&self, _: PartyKey) -> Result<(), Malformed> {
        self.core.check()
    }
}

/// A grant's fields as they stand on the wire, in one map.
#[derive(SerializeIndexed, DeserializeIndexed)]
struct Wire {
    #[serde(index = 1)]
    vault: VaultId,
    #[serde(index = 2)]
    holder: PartyKey,
    #[serde(index = 3)]
    scope: Scope,
    #[serde(index = 4)]
    purposes: BTreeSet<Purpose>,
    #[serde(index = 5)]
    validity: Validity,
    #[serde(index = 6, skip_serializing_if = "Option::is_none")]
    uses: Option<u32>,
    #[serde(index = 7)]
    depth: u8,
    #[serde(index = 8, skip_serializing_if = "Option::is_none")]
    parent: Option<StatementId>,
    #[serde(index = 9)]
    nonce: Nonce,
    #[serde(index = 10)]
    sealed_hash: Digest,
    #[serde(index = 11, skip_serializing_if = "Option::is_none")]
    package_hash: Option<Digest>,
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let GrantCore { vault, holder, scope, purposes, validity, uses, depth, parent, nonce } = self.core.clone();
        let (sealed_hash, package_hash) = (self.sealed_hash, self.package_hash);
        Wire { vault, holder, scope, purposes, validity, uses, depth, parent, nonce, sealed_hash, package_hash }
            .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Wire { vault, holder, scope, purposes, validity, uses, depth, parent, nonce, sealed_hash, package_hash } =
            Wire::deserialize(from)?;
        let core = GrantCore { vault, holder, scope, purposes, validity, uses, depth, parent, nonce };
        Ok(Self { core, sealed_hash, package_hash })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::from_bytes;
    use crate::testing::{cores, grant_core};
    use crate::time::Timestamp;

    proptest! {
        #[test]
        fn a_child_never_exceeds_its_parent_on_any_axis(parent in cores(), child in cores()) {
            if child.lies_within(&parent).is_ok() {
                prop_assert!(child.scope.within(&parent.scope));
                prop_assert!(child.purposes.is_subset(&parent.purposes));
                prop_assert!(child.validity.not_before() >= parent.validity.not_before());
                prop_assert!(child.validity.not_after() <= parent.validity.not_after());
                prop_assert!(child.depth < parent.depth);
                prop_assert!(child.uses.unwrap_or(u32::MAX) <= parent.uses.unwrap_or(u32::MAX));
            }
        }

        #[test]
        fn lying_within_goes_down_the_chain(a in cores(), b in cores(), c in cores()) {
            prop_assert!(!(a.lies_within(&b).is_ok() && b.lies_within(&c).is_ok()) || a.lies_within(&c).is_ok());
        }

        #[test]
        fn no_grant_lies_within_itself(a in cores()) {
            prop_assert_eq!(a.lies_within(&a), Err(Widening::Depth));
        }

        #[test]
        fn a_grant_reads_back(core in cores(), sealed in any::<[u8; 32]>(), package in any::<Option<[u8; 32]>>()) {
            let grant = Grant {
                core,
                sealed_hash: Digest::from_bytes(sealed),
                package_hash: package.map(Digest::from_bytes),
            };
            let bytes = to_bytes(&grant).expect("encodes");
            prop_assert_eq!(from_bytes::<Grant>(&bytes, bytes.len()), Ok(grant));
        }
    }

    #[test]
    fn each_axis_is_named_when_it_would_widen() {
        let parent = GrantCore { depth: 2, uses: Some(5), ..grant_core() };
        let child = GrantCore { depth: 1, ..parent.clone() };
        assert_eq!(child.lies_within(&parent), Ok(()));
        let widened = |change: &dyn Fn(&mut GrantCore)| {
            let mut child = child.clone();
            change(&mut child);
            child.lies_within(&parent).expect_err("must be refused")
        };
        let long = Validity::new(parent.validity.not_before(), Timestamp::LAST).expect("not empty");
        assert_eq!(widened(&|c| c.vault = VaultId::from_bytes([9; 32])), Widening::Vault);
        assert_eq!(widened(&|c| c.scope.months = None), Widening::Scope);
        assert_eq!(widened(&|c| c.purposes.extend([Purpose::Payment])), Widening::Purposes);
        assert_eq!(widened(&|c| c.validity = long), Widening::Validity);
        assert_eq!(widened(&|c| c.uses = None), Widening::Uses);
        assert_eq!(widened(&|c| c.uses = Some(6)), Widening::Uses);
        assert_eq!(widened(&|c| c.depth = 2), Widening::Depth);
    }

    #[test]
    fn a_grant_that_is_too_much_is_refused() {
        let refused = |change: &dyn Fn(&mut GrantCore)| {
            let mut core = grant_core();
            change(&mut core);
            core.check().expect_err("must be refused")
        };
        assert_eq!(grant_core().check(), Ok(()));
        assert_eq!(refused(&|c| c.purposes.clear()), Malformed::NoPurpose);
        assert_eq!(refused(&|c| c.uses = Some(0)), Malformed::Uses);
        assert_eq!(refused(&|c| c.uses = Some(USES_MAX + 1)), Malformed::Uses);
        assert_eq!(refused(&|c| c.depth = DELEGATION_DEPTH_MAX + 1), Malformed::Depth);
        let end = grant_core().validity.not_before().plus_secs(VALIDITY_SECS_MAX + 1);
        let long = Validity::new(grant_core().validity.not_before(), end).expect("not empty");
        assert_eq!(refused(&|c| c.validity = long), Malformed::TooLong);
    }
}
