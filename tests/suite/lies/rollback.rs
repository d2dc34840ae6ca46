//! Roll back to every earlier position: after each deed of a history the node's folder is copied, and at its end everybody
//! is served from each of the copies in turn. Whoever saw more finds out; whoever never saw more is not sealed to old keys.

use std::sync::Arc;

use karute_consent::id::VaultId;
use karute_node::agent::error::{AgentError, Unproven};
use karute_node::flow::host::Host;
use karute_protocol::finding::FindingKind;
use karute_tests::world::{DAY, deposits_to, reads};

use super::stage::{Stage, anything, lab};

/// A copy of the host, and the sizes of its logs.
struct Position {
    host: Arc<Host>,
    trail: u64,
}

/// A history of deeds, with a position after each; the last is the present.
async fn history(stage: &mut Stage) -> Vec<Position> {
    let vault = stage.vault;
    let mut positions = Vec::new();
    for deed in 0..DEEDS {
        happens(stage, vault, deed).await;
        stage.world.passes(70);
        let host = stage.copies_host(None).await;
        positions.push(Position { trail: host.store().trail_head().size, host });
    }
    assert!(positions.windows(2).all(|pair| pair[0].trail < pair[1].trail), "each deed makes the trail longer");
    positions.pop(); // the present
    stage.world.patient("hanako").syncs().await.unwrap();
    stage.world.patient("hanako/tablet").syncs().await.unwrap();
    for name in ["A", "B", "guardian"] {
        stage.world.facility(name).syncs(vault).await.unwrap();
    }
    stage.world.passes(DAY + 1); // until then what the witnesses signed of older ledgers is fresh (P-47)
    positions
}

async fn happens(stage: &mut Stage, vault: VaultId, deed: u32) {
    match deed % 4 {
        0 => drop(stage.world.facility("A").deposits(vault, &deed.to_be_bytes(), lab()).await.unwrap()),
        1 => drop(stage.world.facility("B").fetches(vault, anything()).await.unwrap()),
        2 => {
            let card = stage.world.facility("E").learns(&stage.link);
            let new = if deed % 8 == 2 { reads(&card, &[lab()]) } else { deposits_to(&card, &[lab()]) };
            let grant = stage.world.patient("hanako").grants(new).await.unwrap();
            if deed % 8 == 2 {
                stage.world.patient("hanako").revokes(grant).await.unwrap();
            }
        }
        _ => drop(stage.world.patient("hanako/tablet").lists().await.unwrap()),
    }
}

/// What a party that saw more says of an older host: the log got shorter, or, where others made it longer since, another.
#[track_caller]
fn is_caught<T: std::fmt::Debug>(result: Result<T, AgentError>, who: &str, place: usize) {
    let caught = match &result {
        Err(AgentError::Lied { kind, .. }) => OF_LOG.contains(kind),
        Err(AgentError::VerificationFailed { what }) => {
            matches!(what, Unproven::OlderHead | Unproven::ShorterTrail)
        }
        _ => false,
    };
    assert!(caught, "{who} at {place}: {result:?}");
}

fn size_of(host: &Host, vault: VaultId) -> u64 {
    host.store().ledger_size(vault).unwrap()
}

#[tokio::test]
async fn rolls_back_to_every_earlier_position() {
    let mut stage = Stage::new(880).await;
    let vault = stage.vault;
    let positions = history(&mut stage).await;
    assert!(positions.len() >= 24);
    for (place, position) in positions.iter().enumerate() {
        stage.liar.shows(&position.host);
        for name in ["hanako", "hanako/tablet"] {
            let end = stage.world.patient(name);
            end.reach.hang_up();
            let before = end.agent.view().unwrap().size();
            is_caught(end.syncs().await, name, place);
            assert_eq!(end.agent.view().unwrap().size(), before, "nothing is forgotten");
        }
        for name in ["A", "B", "guardian"] {
            let end = stage.world.facility(name);
            end.reach.hang_up();
            is_caught(end.syncs(vault).await, name, place);
        }
        let a = stage.world.facility("A");
        a.reach.hang_up();
        is_caught(a.deposits(vault, b"nothing is sealed", lab()).await, "A deposits", place);
        // Who never saw more relies on the witnesses: an older ledger they sign no more.
        let ledger_is_old = size_of(&position.host, vault) < size_of(stage.world.host(), vault);
        let end = stage.world.facility("D");
        end.reach.hang_up();
        let deposited = end.deposits(vault, b"from one who never read", lab()).await;
        if ledger_is_old {
            let refused = matches!(deposited, Err(AgentError::NotFresh(_) | AgentError::Lied { .. }));
            assert!(refused, "D at {place}: {deposited:?}");
        }
    }
    for name in ["hanako", "hanako/tablet"] {
        let kept = stage.world.patient(name).agent.keep().findings().unwrap();
        assert!(!kept.is_empty(), "{name} has the proof");
    }
}

/// What a log that is not the one it was is found to be.
const OF_LOG: [FindingKind; 3] = [FindingKind::Rollback, FindingKind::Equivocation, FindingKind::Inconsistency];
/// Deeds of the history.
const DEEDS: u32 = 26;
