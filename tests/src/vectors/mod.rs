//! Makes the vectors of both SPECs: `consent/vectors/*.json` and `protocol/vectors/*.json`.
//!
//! A vector has one fault or none. A good object is made from named seeds ([`cast`]), one small function puts the fault
//! in and is named after it, and the case says which stage must notice. What is made here is checked by the crates
//! (`suite/vectors.rs`) and by a second implementation (`python`); the form of the files is in `python/README.md`.

pub mod answers;
pub mod book;
pub mod case;
pub mod cast;
pub mod cbor;
pub mod cosignatures;
pub mod decide;
pub mod deposit;
pub mod directory;
pub mod encoding;
pub mod endings;
pub mod envelope;
pub mod events;
pub mod example;
pub mod findings;
pub mod forge;
pub mod grants;
pub mod keys;
pub mod ledger;
pub mod ledger_authority;
pub mod ledger_directory;
pub mod ledger_grant;
pub mod messages;
pub mod notes;
pub mod packages;
pub mod parties;
pub mod payload;
pub mod proof_files;
pub mod records;
pub mod remains;
pub mod requests;
pub mod resumes;
pub mod runs;
pub mod scene;
pub mod schedule;
pub mod seals;
pub mod trail;
pub mod trail_messages;
pub mod tree;
pub mod witness_requests;
pub mod world;

use case::Case;
use world::World;

/// The files: folder, name, text.
pub fn files() -> Vec<(&'static str, &'static str, String)> {
    let world = World::new();
    let consent = [
        ("encoding", encoding::cases()),
        ("statement", envelope::cases(&world)),
        ("card", parties::cards()),
        ("charter", parties::charters(&world)),
        ("authority", parties::authorities(&world)),
        ("grant", grants::cases(&world)),
        ("revocation", endings::cases(&world)),
        ("request", requests::requests(&world)),
        ("ask", requests::asks(&world)),
        ("ledger", ledger::cases(&world)),
        ("decide", decide::cases(&world)),
    ];
    let protocol = [
        ("schedule", schedule::cases()),
        ("seal", seals::cases(&world)),
        ("directory", directory::cases(&world)),
        ("package", packages::cases(&world)),
        ("run", runs::cases(&world)),
        ("record", records::cases(&world)),
        ("trail", trail::cases(&world)),
        ("event", events::cases(&world)),
        ("answer", answers::cases(&world)),
        ("cosignature", cosignatures::cases()),
        ("witness", witness_requests::cases()),
        ("finding", findings::cases()),
        ("proof", proof_files::cases(&world)),
        ("message", messages::messages(&world)),
        ("range", messages::ranges()),
    ];
    let file = |folder| move |(name, cases): (&'static str, Vec<Case>)| (folder, name, text(&cases));
    let mut files: Vec<_> = consent.into_iter().map(file("consent")).collect();
    files.extend(protocol.into_iter().map(file("protocol")));
    files.push(("consent", "example", format!("{:#}\n", example::consent())));
    files.push(("protocol", "example", format!("{:#}\n", example::protocol())));
    files
}

/// The text of a file of cases.
fn text(cases: &[Case]) -> String {
    let cases: Vec<String> = cases.iter().map(Case::text).collect();
    format!("[\n{}\n]\n", cases.join(",\n"))
}
