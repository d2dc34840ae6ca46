//! What goes wrong at the command line: each failure has its exit code, says what happened and what to do, and is JSON when
//! JSON is asked for.

use std::path::Path;

use serde_json::Value;

use super::program::{Stage, free_port, run};

fn nowhere() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_wrong_missing_or_short_passphrase_is_exit_code_10() {
    let stage = Stage::new();
    stage.facility("a");
    let home = stage.path("a");
    let home = home.to_str().unwrap();
    let folder = stage.folder.path();
    let wrong = written(folder, "wrong", "another passphrase\n");
    let card = |pass: &str| run(folder, ["facility", "card", "--home", home, "--passphrase-file", pass]);
    card(&wrong).fails(10, &["passphrase", "hint:"]);
    card(&written(folder, "short", "abc\n")).fails(10, &["fewer than", "hint:"]);
    card(&written(folder, "empty", "")).fails(10, &["passphrase"]);
    card("absent.pass").fails(10, &["absent.pass", "does not exist", "hint:"]);
    let asked = run(folder, ["facility", "card", "--home", home]);
    asked.fails(10, &["passphrase", "--passphrase-file"]);
    assert_eq!(card(stage.pass().to_str().unwrap()).code, 0);
    let node = ["node", "run", "--home", stage.node_home.to_str().unwrap(), "--passphrase-file", &wrong];
    let node = run(folder, node);
    assert!(matches!(node.code, 10 | 11), "the node's folder is in use, or its passphrase is wrong: {node:?}");
}

#[test]
fn a_folder_that_is_not_there_is_said_with_what_to_do() {
    let folder = nowhere();
    let pass = written(folder.path(), "pass", "four unrelated words here\n");
    let at = |words: &[&str]| {
        let shared = ["--home", "absent", "--passphrase-file", &pass];
        let ran = run(folder.path(), words.iter().copied().chain(shared));
        ran.fails(6, &["absent", "hint:", "init"]);
        assert!(!Path::new("absent").exists(), "{words:?} made a folder");
    };
    at(&["node", "run"]);
    at(&["node", "status"]);
    at(&["patient", "status"]);
    at(&["patient", "records"]);
    at(&["patient", "trail"]);
    at(&["facility", "card"]);
    at(&["facility", "list"]);
}

#[test]
fn a_port_or_folder_in_use_is_exit_code_11() {
    let stage = Stage::new();
    let again = stage.as_of("node", ["node", "run"]);
    again.fails(11, &["hint:"]);
    let other = stage.path("other");
    let (folder, pass) = (stage.folder.path(), stage.pass());
    let listen = format!("/ip4/127.0.0.1/tcp/{}", stage.port);
    let shared = ["--home", other.to_str().unwrap(), "--passphrase-file", pass.to_str().unwrap()];
    let made = run(folder, ["node", "init", "--listen", &listen].into_iter().chain(shared));
    assert_eq!(made.code, 0, "{made:?}");
    let taken = run(folder, ["node", "run"].into_iter().chain(shared));
    taken.fails(11, &["in use", "--listen", "hint:"]);
    let twice = run(folder, ["node", "init"].into_iter().chain(shared));
    twice.fails(7, &["has keys already", "hint:"]);
    assert!(stage.node_said().is_empty() || !stage.node_said().contains("panicked"), "{}", stage.node_said());
}

#[test]
fn a_node_that_is_not_there_is_exit_code_4() {
    let stage = Stage::new();
    let peer = stage.address.rsplit('/').next().unwrap();
    let nobody = format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", free_port());
    let init = |home: &str, node: &str| {
        stage.as_of(home, ["patient", "init", "--name", "x", "--node", node, "--code", &stage.code])
    };
    init("p1", &nobody).fails(4, &["hint:", "node"]);
    // Somebody else's key at the right place is not the node.
    let other = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let wrong_peer = format!("/ip4/127.0.0.1/tcp/{}/p2p/{other}", stage.port);
    init("p2", &wrong_peer).fails(4, &["hint:"]);
    let unknown_name = format!("/dns4/no-such-host.invalid/tcp/7400/p2p/{peer}");
    init("p3", &unknown_name).fails(4, &["hint:"]);
    for nonsense in ["127.0.0.1:7400", "nonsense", ""] {
        let ran = init("p4", nonsense);
        assert!(matches!(ran.code, 2 | 4 | 7), "{nonsense:?}: {ran:?}");
        assert!(ran.err.contains("hint:") && !ran.err.contains("panicked"), "{nonsense:?}: {ran:?}");
    }
}

#[test]
fn a_wrong_registration_code_makes_no_vault() {
    let stage = Stage::new();
    let init = |code: &[&str]| {
        let words = ["patient", "init", "--name", "x", "--node", &stage.address, "--recovery-sheet", "sheet"];
        stage.as_of("p", words.into_iter().chain(code.iter().copied()))
    };
    init(&[]).fails(5, &["registration code", "hint:"]);
    init(&["--code", "wrong"]).fails(5, &["registration code", "hint:"]);
    // The command goes on where it stopped.
    assert_eq!(init(&["--code", &stage.code]).code, 0);
    init(&["--code", &stage.code]).fails(7, &["vault already", "hint:"]);
}

#[test]
fn refused_and_not_found_are_told_apart_and_a_file_that_cannot_be_read_is_named() {
    let stage = Stage::new();
    let link = stage.patient("p", "lab,imaging");
    stage.facility("a");
    stage.facility("b");
    stage.as_of("b", ["facility", "list", "--vault", &link]).fails(5, &["no grant", "hint:", "request"]);
    let absent = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    stage.as_of("p", ["patient", "show", absent, "--out", "x"]).fails(6, &[]);
    stage.as_of("p", ["patient", "show", "zz", "--out", "x"]).fails(2, &["zz", "hint:"]);
    let revoked = stage.as_of("p", ["patient", "revoke", &absent.repeat(2)]);
    assert!(matches!(revoked.code, 2 | 6), "{revoked:?}");
    stage.grants("p", "a", "deposit", "lab");
    let deposit = |what: &str| stage.as_of("a", ["facility", "deposit", what, "--vault", &link]);
    deposit("absent.txt").fails(6, &["absent.txt"]);
    std::fs::create_dir(stage.path("empty")).unwrap();
    deposit("empty").fails(7, &["no file"]);
    let file = stage.file("x", b"x");
    stage.as_of("a", ["facility", "deposit", &file, "--vault", "karute:vault:xyz"]).fails(7, &["hint:"]);
    let absent = ["patient", "grant", "--to", "absent.card", "--template", "deposit", "--category", "lab"];
    stage.as_of("p", absent).fails(6, &["absent.card", "hint:"]);
    let card = stage.file("bad.card", b"karute:card:AAAA");
    let bad = stage.as_of("p", ["patient", "grant", "--to", &card, "--template", "deposit", "--category", "lab"]);
    bad.fails(8, &["card", "hint:"]);
    unreadable(&stage, &link);
}

/// A file without permission; whoever is root may read everything, so it is skipped then, loudly.
fn unreadable(stage: &Stage, link: &str) {
    use std::os::unix::fs::PermissionsExt;
    let name = stage.file("secret.txt", b"x");
    std::fs::set_permissions(stage.path(&name), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(stage.path(&name)).is_ok() {
        eprintln!("SKIPPED: an unreadable file, because this user may read everything");
        return;
    }
    stage.as_of("a", ["facility", "deposit", &name, "--vault", link]).fails(9, &["secret.txt", "permission"]);
}

#[test]
fn a_wrong_line_in_a_configuration_is_named_with_its_line() {
    let stage = Stage::new();
    let folder = stage.folder.path();
    let run_with = |text: &str| {
        let config = written(folder, "c.toml", text);
        stage.as_of("node", ["node", "run", "--config", &config])
    };
    run_with("\nlisten_on = 'x'\n").fails(3, &["c.toml", "line 2", "listen_on", "hint:"]);
    run_with("[limits]\nuploads_max = 'many'\n").fails(3, &["c.toml", "line 2", "hint:"]);
    run_with("listen = [\n").fails(3, &["c.toml", "line", "hint:"]);
    stage.as_of("node", ["node", "run", "--config", "absent.toml"]).fails(3, &["absent.toml", "--config"]);
    let patient = written(folder, "p.toml", "nodes = 'x'\n");
    let words = ["patient", "init", "--name", "x", "--config", &patient];
    stage.as_of("p", words).fails(3, &["p.toml", "line 1", "nodes", "hint:"]);
}

#[test]
fn with_json_a_failure_is_one_json_object_with_its_exit_code() {
    let stage = Stage::new();
    let link = stage.patient("p", "lab");
    stage.facility("b");
    let folder = stage.folder.path();
    let cases = [
        (run(folder, ["--json", "nothing"]), 2, "usage"),
        (run(folder, ["--json", "patient", "grant"]), 2, "usage"),
        (stage.as_of("absent", ["patient", "status", "--json"]), 6, "not-found"),
        (stage.as_of("b", ["facility", "list", "--vault", &link, "--json"]), 5, "refused"),
        (stage.as_of("node", ["node", "run", "--json"]), 11, "busy"),
    ];
    for (ran, code, kind) in cases {
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(ran.out, "", "{ran:?}");
        let failure: Value = serde_json::from_str(ran.err.trim()).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        assert_eq!(failure["error"]["kind"], kind);
        assert_eq!(failure["error"]["exit_code"], code);
        assert!(failure["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}
