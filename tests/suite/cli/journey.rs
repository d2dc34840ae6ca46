//! The main job between processes: a node, a patient and two hospitals, each with a folder of its own, over TCP.

use super::program::{Stage, peak_memory, watched};

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(len).collect()
}

/// ```text
///   a ── deposits ──> node (blind) ── under a grant ──> b        花子 revokes, and reads who did what
/// ```
#[test]
fn a_patient_and_two_hospitals_do_the_main_job_in_separate_processes() {
    let stage = Stage::new();
    let link = stage.patient("p", "lab,imaging");
    stage.facility("a");
    stage.facility("b");
    stage.grants("p", "a", "deposit", "lab,imaging");
    let file = stage.file("結果.txt", "HbA1c 6.1".as_bytes());
    let deposit = ["facility", "deposit", &file, "--vault", &link, "--category", "lab", "--json"];
    let stored = stage.as_of("a", deposit).json();
    let record = stored["records"][0]["record"].as_str().unwrap().to_owned();
    let again = stage.as_of("a", deposit).json();
    assert_eq!(
        (&again["records"][0]["existing"], &again["records"][0]["record"]),
        (&true.into(), &record.as_str().into())
    );

    stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "got"]).fails(5, &["hint:"]);
    let grant = stage.grants("p", "b", "ongoing-care", "lab");
    let fetched = stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "got", "--json"]).json();
    assert_eq!(fetched[0]["record"], record.as_str());
    let path = stage.path(fetched[0]["path"].as_str().unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), "HbA1c 6.1".as_bytes());
    let verified = stage.as_of("b", ["verify", "record", path.to_str().unwrap(), "--json"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    std::fs::write(&path, "HbA1c 5.1").unwrap();
    stage.as_of("b", ["verify", "record", path.to_str().unwrap()]).fails(8, &[]);

    let revoked = stage.as_of("p", ["patient", "revoke", &grant[..12], "--json"]).json();
    assert_eq!(revoked["levels"]["resealed"], true, "{revoked}");
    let refused = stage.as_of("b", ["facility", "fetch", "--vault", &link, "--out", "got2"]);
    assert!(matches!(refused.code, 5 | 6), "{refused:?}");
    let trail = stage.as_of("p", ["patient", "trail", "--json"]).json();
    assert_eq!((&trail["checks"]["gapless"], &trail["checks"]["receipts_missing"]), (&true.into(), &0.into()));
    let text = stage.as_of("p", ["patient", "trail"]);
    assert_eq!(text.code, 0, "{text:?}");
    assert!(!stage.node_said().contains("panicked"), "{}", stage.node_said());
}

/// What a large body takes beyond what a small one takes. The figures of a release build are measured by scripts/bench.
#[test]
fn a_body_of_40_mib_goes_through_every_process_in_bounded_memory() {
    let stage = Stage::new();
    let link = stage.patient("p", "imaging");
    stage.facility("a");
    stage.facility("b");
    stage.grants("p", "a", "deposit", "imaging");
    stage.grants("p", "b", "ongoing-care", "imaging");
    let mut peaks = Vec::new();
    for (name, len) in [("small.bin", 1000), ("study.bin", 40 << 20)] {
        let bytes = noise(len);
        let file = stage.file(name, &bytes);
        let deposit = ["facility", "deposit", &file, "--vault", &link, "--category", "imaging", "--json"];
        let (stored, depositor) = watched(stage.command("a", deposit));
        let record = stored.json()["records"][0]["record"].as_str().unwrap().to_owned();
        let fetch = ["facility", "fetch", "--vault", &link, "--out", "got", "--record", &record];
        let (fetched, reader) = watched(stage.command("b", fetch));
        assert_eq!(fetched.code, 0, "{fetched:?}");
        assert!(std::fs::read(stage.path("got").join(name)).unwrap() == bytes);
        peaks.push([depositor, reader, peak_memory(stage.node.as_ref().unwrap().id())]);
    }
    for (who, place) in [("depositor", 0), ("reader", 1), ("node", 2)] {
        let (small, large) = (peaks[0][place], peaks[1][place]);
        assert!(large < small + GROWTH_MAX, "{who}: {} MiB, and {} MiB for a small body", large >> 20, small >> 20);
    }
}

#[test]
fn a_lost_machine_is_replaced_with_the_sheet_of_paper() {
    let stage = Stage::new();
    let link = stage.patient("p", "lab");
    stage.facility("a");
    stage.grants("p", "a", "deposit", "lab");
    let file = stage.file("result", b"HbA1c 6.1");
    stage.as_of("a", ["facility", "deposit", &file, "--vault", &link, "--category", "lab", "--json"]).json();
    let sheet = std::fs::read_to_string(stage.path("p.sheet")).unwrap();
    let code = sheet.split_whitespace().find(|word| word.starts_with("karute-recovery-1-"));
    assert!(code.is_some(), "the sheet holds the code: {sheet}");
    let recover = [
        "patient",
        "recover",
        "--vault",
        &link,
        "--code-file",
        "p.sheet",
        "--recovery-sheet",
        "new.sheet",
        "--name",
        "花子",
    ];
    let back = stage.as_of("p2", recover);
    assert_eq!(back.code, 0, "{back:?}");
    let records = stage.as_of("p2", ["patient", "records", "--json"]).json();
    assert_eq!(records["records"].as_array().map(Vec::len), Some(1), "{records}");
    stage.as_of("p", ["patient", "records"]).fails(5, &["hint:"]);
}

/// A process that streams holds a few pieces of 1 MiB, however long the body is.
const GROWTH_MAX: u64 = 24 << 20;
