//! Creating a vault: charter, first authority, root packages and, if wanted, the first directory, as one append.

use std::collections::BTreeSet;

use karute_consent::category::Kind;
use karute_consent::id::{AuthorityNumber, RootNumber, VaultId};
use karute_consent::ledger::EntryKind;
use karute_consent::party::Identity;
use karute_consent::statement::sign;
use karute_consent::vault::{Authority, Charter, Device, Host, HostRole, Nonce, WitnessSet, commit_to_next};
use karute_protocol::keys::Root;
use karute_protocol::recovery::RecoveryCode;
use serde::Serialize;

use crate::agent::error::{AgentError, Obstacle};
use crate::agent::keep::Kept;
use crate::agent::link::VaultLink;
use crate::agent::patient::Patient;
use crate::ambient::Ambient;
use crate::flow::agent::append::{By, Draft, append};
use crate::flow::agent::collections::next_directory;
use crate::flow::agent::lines::text;
use crate::flow::agent::reach::Reach;
use crate::flow::agent::roots::root_packages;
use crate::flow::agent::sync::refresh_patient;

/// What a new vault is to be.
#[derive(Clone, Debug, Default)]
pub struct CreateVault {
    /// Address of the home host.
    pub host: String,
    /// Code that the host may ask for.
    pub registration: Option<String>,
    /// Kinds of data to make collections for at once; others are made when first needed.
    pub kinds: Vec<Kind>,
    /// Who witnesses its ledger; nobody, if the set is empty.
    pub witnesses: WitnessSet,
}

/// A vault that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Created {
    /// The vault.
    #[serde(serialize_with = "text")]
    pub vault: VaultId,
    /// Its link, for facilities and further devices.
    pub link: String,
    /// Entries of its ledger.
    pub size: u64,
}

/// A new recovery code. It is printed once and kept nowhere; the vault is lost without it when all devices are.
pub fn fresh_recovery_code(ambient: &Ambient) -> RecoveryCode {
    RecoveryCode::new(ambient.secret())
}

/// Creates the patient's vault at a host.
pub async fn create_vault(
    patient: &mut Patient,
    reach: &mut Reach,
    new: CreateVault,
    code: &RecoveryCode,
) -> Result<Created, AgentError> {
    if patient.vault().is_some() {
        // One whose making was cut off is given up only when the host says that it is not there.
        let unborn =
            patient.view()?.size() == 0 && matches!(refresh_patient(patient, reach).await, Err(AgentError::Refused));
        if !unborn {
            return Err(AgentError::Impossible(Obstacle::VaultExists));
        }
        patient.disown();
    }
    let node = reach.any(std::slice::from_ref(&new.host)).await?.node();
    let host = Host { node, role: HostRole::Home, addresses: vec![new.host.clone()] };
    let drafts = begin(patient, host, &new, code)?;
    let session = reach.any(std::slice::from_ref(&new.host)).await?;
    let appended = append(patient, session, drafts, new.registration).await.map(|_| ());
    let settled = match appended {
        // The host may have made the vault and its answer may be lost: looking tells.
        Err(AgentError::Unreachable(_)) => {
            reach.hang_up();
            refresh_patient(patient, reach).await.map(|_| ())
        }
        other => other,
    };
    match settled {
        Ok(()) => {
            let view = patient.view()?;
            let link = patient.link().map(ToString::to_string).unwrap_or_default();
            Ok(Created { vault: view.vault(), link, size: view.size() })
        }
        Err(error) => {
            // While nobody can say whether the vault exists, its keys stay here.
            if !matches!(error, AgentError::Unreachable(_)) {
                patient.disown();
                patient.save()?;
            }
            Err(error)
        }
    }
}

/// Makes keys and statements, and saves the keys before anything is sent.
fn begin(patient: &mut Patient, host: Host, new: &CreateVault, code: &RecoveryCode) -> Result<Vec<Draft>, AgentError> {
    let ambient = patient.ambient().clone();
    let now = ambient.now();
    let identity = Identity::from_seed(&ambient.secret());
    let root = Root::new(RootNumber(0), ambient.secret());
    let charter = Charter {
        identity: identity.key(),
        next: commit_to_next(code.next_identity().key()),
        inbox: root.inbox_secret().public(),
        audit: root.audit_secret().public(),
        recovery: code.sealing_secret().public(),
        witnesses: new.witnesses.witnesses.clone(),
        quorum: new.witnesses.quorum,
        created: now,
        nonce: Nonce::from_bytes(ambient.entropy()),
    };
    let invalid = |_| AgentError::Impossible(Obstacle::Value);
    let charter = sign(charter, &identity).map_err(invalid)?;
    let vault = charter.vault();
    patient.adopt(VaultLink::new(vault, vec![new.host.clone()]));
    patient.roots = vec![Kept::new(root.seed().clone())];
    let devices = vec![Device { key: patient.device(), sealing_key: patient.sealing.public(), added: now }];
    let (roots, list) = root_packages(patient, AuthorityNumber(0), &devices, &charter.payload().recovery)?;
    let authority = Authority {
        vault,
        number: AuthorityNumber(0),
        identity: identity.key(),
        next: charter.payload().next,
        devices,
        hosts: vec![host],
        inbox: charter.payload().inbox.clone(),
        audit: charter.payload().audit.clone(),
        recovery: charter.payload().recovery.clone(),
        root_number: RootNumber(0),
        roots,
        witness_set: None,
    };
    let authority = sign(authority, &identity).map_err(invalid)?;
    patient.identity = Some(identity);
    patient.save()?;
    let mut drafts = vec![
        Draft::new(EntryKind::Charter, &charter, Vec::new(), By::Identity),
        Draft::new(EntryKind::Authority, &authority, vec![list], By::Identity),
    ];
    if !new.kinds.is_empty() {
        drafts.push(next_directory(patient, &new.kinds, &BTreeSet::new())?.draft);
    }
    Ok(drafts)
}
