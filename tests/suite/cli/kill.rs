//! The node is killed (SIGKILL) while deposits run: everything that was acknowledged is there afterwards.
//!
//! `KARUTE_KILLS=n` plays more rounds than the few of every day.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use karute_consent::encoding::from_bytes;
use karute_protocol::trail::{EventKind, Receipt};

use super::program::Stage;

#[test]
fn a_node_killed_again_and_again_has_every_acknowledged_record() {
    let rounds: u64 = std::env::var("KARUTE_KILLS").ok().map_or(ROUNDS, |text| text.parse().unwrap());
    let mut stage = Stage::new();
    let link = stage.patient("p", "lab");
    stage.facility("a");
    stage.grants("p", "a", "deposit", "lab");
    let mut acknowledged = BTreeSet::new();
    for round in 0..rounds {
        let folder = format!("files-{round}");
        std::fs::create_dir(stage.path(&folder)).unwrap();
        for number in 0..FILES {
            // Some of them go in pieces.
            let size = if number % 10 == 9 { 150_000 } else { 300 };
            let text = format!("{round}/{number} ").repeat(size / 6);
            std::fs::write(stage.path(&folder).join(format!("{number}.txt")), text).unwrap();
        }
        let words = ["facility", "deposit", &folder, "--vault", &link, "--category", "lab", "--json"];
        let deposit = stage.command("a", words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Each round is cut somewhere else: before, in the middle of, and after what the deposit does.
        std::thread::sleep(Duration::from_millis(WAIT_MS + round * 197 % SPREAD_MS));
        stage.kills_node();
        stage.starts_node();
        // The agent tries again by itself; whatever it says is stored must be.
        let done = deposit.wait_with_output().unwrap();
        if done.status.success() {
            let stored: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
            let records = stored["records"].as_array().unwrap();
            acknowledged.extend(records.iter().map(|line| line["record"].as_str().unwrap().to_owned()));
        }
    }
    acknowledged.extend(records_of_receipts(&stage.path("a")));
    assert!(acknowledged.len() > FILES, "{} acknowledged", acknowledged.len());
    let listed = stage.as_of("p", ["patient", "records", "--json"]).json();
    assert_eq!(listed["complete"], true);
    let there: BTreeSet<String> =
        listed["records"].as_array().unwrap().iter().map(|line| line["record"].as_str().unwrap().to_owned()).collect();
    let lost: Vec<&String> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged records are lost: {lost:?}", lost.len(), acknowledged.len());
    let trail = stage.as_of("p", ["patient", "trail", "--json"]).json();
    assert_eq!((&trail["checks"]["gapless"], &trail["checks"]["receipts_missing"]), (&true.into(), &0.into()));
    // And all of it opens.
    let some = acknowledged.iter().next_back().unwrap();
    let shown = stage.as_of("p", ["patient", "show", some, "--out", "shown"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(!stage.node_said().contains("panicked"), "{}", stage.node_said());
}

/// Records that the agent holds a receipt of: the node said of each that it is stored.
fn records_of_receipts(home: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(home.join("receipts")) else { return Vec::new() };
    let receipts = entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    // The agent itself may be ended while it writes one; here only the node is.
    let receipts = receipts.map(|bytes| from_bytes::<Receipt>(&bytes, bytes.len()).unwrap());
    let deposits = receipts.filter(|receipt| receipt.event.kind == EventKind::Deposit);
    deposits.flat_map(|receipt| receipt.event.records).map(|record| record.to_string()).collect()
}

const ROUNDS: u64 = 8;
/// Files of one round.
const FILES: usize = 25;
/// The program needs this long to open its keys.
const WAIT_MS: u64 = 150;
const SPREAD_MS: u64 = 900;
