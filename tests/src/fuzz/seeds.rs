//! Seeds: a few small inputs for every target, from the vectors and from real files. `scripts/fuzz --seed` writes them to
//! `fuzz/corpus`; a fuzzer that starts from them stands behind the first doors at once.

use std::fs;
use std::path::Path;

use super::ledgers::{items_seed, view_seed};
use super::statements::{KINDS, SIGNERS};
use super::{findings, good, journals, stores, witnesses};
use crate::vectors::cast::key;
use crate::vectors::cbor::Cbor;
use crate::vectors::forge::payload_of;
use crate::vectors::ledger::{BASE, REVOKED};

/// The seeds of a target. `data` is the folder of real files.
pub fn seeds(target: &str, data: &Path) -> Vec<Vec<u8>> {
    let made = match target {
        "cbor" => of("cbor", "bytes"),
        "statement" => statements(|kind, _, bytes| [&[kind, kind + 1], bytes].concat()),
        "statement_payload" => statements(|kind, by, bytes| [&[kind, by], &payload_of(bytes).encode()[..]].concat()),
        "message" => [of("message", "payload"), messages()].concat(),
        "frame" => vec![frames()],
        "ledger_items" => vec![items_seed(BASE, 0), items_seed(BASE, 3), items_seed(REVOKED, 9)],
        "note" | "checkpoint" => texts("checkpoint", "note"),
        "vkey" => vec![
            b"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".to_vec(),
            b"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".to_vec(),
        ],
        "receipt" => of("receipt", "receipt"),
        "proof_file" => of("proof_file", "proof"),
        "finding" => findings::seeds(),
        "cosigned" => [vec![witnesses::seeds()[1].clone(), WITNESS_KEY.to_vec()], texts("cosigned", "note")].concat(),
        "add_checkpoint" => vec![witnesses::seeds()[0].clone()],
        "directory" => [of("key_proof", "proof"), leaves()].concat(),
        "sealed" => of("unseal", "sealed"),
        "sealing_key" => vec![sealing_key(1), sealing_key(2)],
        "package" => vec![package(1), package(2), package(3)],
        "roots" => vec![crate::map! { 1 => crate::list![crate::map! { 1 => 3, 6 => [1; 32], 10 => 0 }] }.encode()],
        "root_list" => of("roots", "list"),
        "particulars" => {
            let world = crate::vectors::world::World::new();
            [vec![world.particulars().encode()], of("particulars", "sealed_part")].concat()
        }
        "letter" => [vec![crate::map! { 1 => "B", 2 => "nurse", 3 => "ward round" }.encode()], asks()].concat(),
        "meta" => metas(),
        "recovery_code" => texts("recovery", "text"),
        "text" => links(),
        "config" => vec![
            b"listen = ['/ip4/127.0.0.1/tcp/1']\nregistration = 'closed'\n[limits]\nuploads_max = 3\n".to_vec(),
            b"node = \"a:1#b\"\nname = 'x'\n".to_vec(),
        ],
        "agent_state" => vec![view_seed(BASE), view_seed(REVOKED)],
        "keystore" => vec![keystore()],
        "fhir" => files(data, "jp-clins"),
        "jahis" => files(data, "jahis"),
        "intake" => [files(data, "jp-clins"), files(data, "jahis")].concat(),
        "dicom" => vec![dicom()],
        "iso2022" => vec![
            b"\x07\xcb\xcf\xc0\xde^\x1b$B;3ED\x1b(J^\x1b$BB@O:".to_vec(),
            b"\x08\xb1\xe8\xc8\xf1".to_vec(),
            b"\x0a\x1b$B\x30\x21\x1b$(D\x30\x21\x1b(Bx".to_vec(),
        ],
        "pdf" => vec![
            b"/CreationDate (D:20240102)\n/Title (abc)".to_vec(),
            b"/Title <FEFF85AC>\n/CreationDate(D:20230301120000+09'00')".to_vec(),
        ],
        "witness_store" => [vec![stores::store_seed()], choices()].concat(),
        "journal" => vec![journals::segment_seed()],
        _ => choices(),
    };
    distinct(made)
}

/// Writes the seeds of every target below `corpus`; returns how many files and bytes that is.
pub fn write(corpus: &Path, data: &Path) -> std::io::Result<(usize, usize)> {
    let (mut count, mut bytes) = (0, 0);
    for (target, _) in super::TARGETS {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (at, seed) in seeds(target, data).iter().enumerate() {
            fs::write(folder.join(format!("seed-{at:02}")), seed)?;
            count += 1;
            bytes += seed.len();
        }
    }
    Ok((count, bytes))
}

/// The shortest of different inputs, few and small: a fuzzer starts faster from little.
fn distinct(mut seeds: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    seeds.sort_by_key(|seed| (seed.len(), seed.clone()));
    seeds.dedup();
    seeds.retain(|seed| seed.len() <= SEED_BYTES_MAX);
    let step = seeds.len().div_ceil(SEEDS_MAX).max(1);
    seeds.into_iter().step_by(step).collect()
}

/// Inputs of targets that read choices: none, all the first, and a walk through them.
fn choices() -> Vec<Vec<u8>> {
    let walk = |factor: u32| (0..96u32).map(|n| (n.wrapping_mul(factor) >> 8) as u8).collect();
    vec![vec![0; 4], vec![1; 64], walk(40_503), walk(2_654_435), walk(7_919_777)]
}

fn of(kind: &'static str, field: &str) -> Vec<Vec<u8>> {
    good::cases(kind).map(|case| good::bytes(&case["input"], field)).collect()
}

fn texts(kind: &'static str, field: &str) -> Vec<Vec<u8>> {
    good::cases(kind).filter_map(|case| case["input"][field].as_str()).map(|text| text.as_bytes().to_vec()).collect()
}

/// One seed for each type of statement: its number, its signer's number, its bytes.
fn statements(seed: impl Fn(u8, u8, &[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, kind) in (0u8..).zip(KINDS) {
        let Some((_, bytes)) = good::STATEMENTS.iter().find(|(name, _)| *name == kind.name) else { continue };
        let Cbor::List(parts) = Cbor::decode(bytes) else { continue };
        let header = Cbor::decode(parts[0].bytes());
        let by = (0u8..).zip(SIGNERS).find(|(_, name)| key(name) == header.field(4).bytes()).map_or(0, |(by, _)| by);
        seeds.push(seed(number, by, bytes));
    }
    seeds
}

/// Three frames behind eight cuts.
fn frames() -> Vec<u8> {
    use karute_protocol::message::frame::{FrameId, FrameKind, encode_frame};
    let frame = |kind, id, payload: &[u8]| encode_frame(kind, FrameId(id), payload).expect("a short payload");
    let (hello, piece) = (frame(FrameKind::Message, 1, b"\x08\xa0"), frame(FrameKind::Piece, 2, &[7; 40]));
    [&[0, 3, 30, 1, 0, 0, 9, 200][..], &hello, &piece, &frame(FrameKind::Message, 3, b"")].concat()
}

/// Messages that carry statements, receipts, proofs and items: tag and map.
fn messages() -> Vec<Vec<u8>> {
    use crate::{list, map};
    let statement =
        |kind| good::STATEMENTS.iter().find(|(name, _)| *name == kind).map_or(Vec::new(), |it| it.1.clone());
    let first = |kind: &'static str, field| Cbor::decode(&good::bytes(good::inputs(kind).next().expect("one"), field));
    let receipt = first("receipt", "receipt");
    let checkpoint = receipt.field(6).clone();
    let part = |field| receipt.field(field).clone();
    let item = map! { 1 => part(1), 2 => part(2), 3 => part(3), 4 => part(4), 5 => part(5) };
    let nonce = [9; 32];
    let ledger_item = || Cbor::decode(&items_seed(BASE, 8)).items_mut().remove(0);
    let message = |tag: u8, map: Cbor| [&[tag], &map.encode()[..]].concat();
    vec![
        message(6, map! { 1 => receipt.clone() }),
        message(12, ledger_item()),
        message(15, map! { 1 => statement("run") }),
        message(16, map! { 1 => [1; 32], 2 => 1, 3 => first("unseal", "sealed") }),
        message(20, map! { 1 => first("key_proof", "proof"), 2 => checkpoint.clone() }),
        message(21, map! { 1 => statement("request") }),
        message(32, map! { 1 => [1; 16], 2 => 1, 3 => 1, 4 => 1, 5 => statement("erasure") }),
        message(34, map! { 1 => statement("list-answer"), 2 => checkpoint.clone() }),
        message(36, item.clone()),
        message(41, map! { 1 => nonce, 3 => list![1, 2] }),
        message(43, map! { 1 => statement("request"), 2 => 1 }),
        message(44, map! { 1 => statement("tree-head"), 2 => checkpoint.clone(), 3 => list![list![nonce]] }),
        message(46, map! { 1 => item, 2 => checkpoint }),
    ]
}

fn leaves() -> Vec<Vec<u8>> {
    let world = crate::vectors::world::World::new();
    let list = |leaves: Vec<Vec<u8>>| Cbor::List(leaves.into_iter().map(Cbor::Bytes).collect()).encode();
    let collections = world.collection_leaves(1).iter().map(Cbor::encode).collect();
    vec![list(collections), list(world.key_leaves(&world.lab, 1))]
}

fn sealing_key(suite: u64) -> Vec<u8> {
    crate::vectors::cast::sealing_key(suite, "hospital").encode()
}

fn package(kind: u64) -> Vec<u8> {
    let item = match kind {
        1 => crate::map! { 1 => 1, 2 => [4; 16], 3 => 1, 4 => 14, 5 => 171, 6 => [5; 32] },
        2 => crate::map! { 1 => 2, 7 => [4; 16], 8 => [5; 32], 9 => [6; 32] },
        _ => crate::map! { 1 => 3, 6 => [5; 32], 10 => 1 },
    };
    crate::map! { 1 => crate::list![item] }.encode()
}

fn asks() -> Vec<Vec<u8>> {
    good::STATEMENTS.iter().filter(|(name, _)| *name == "ask").map(|(_, bytes)| bytes.clone()).collect()
}

fn metas() -> Vec<Vec<u8>> {
    let meta = crate::map! {
        1 => "血液検査", 2 => 3, 3 => 1, 4 => "application/fhir+json", 5 => "2027-01-14", 6 => "clinic",
        7 => crate::list!["a", "b"], 8 => 5, 9 => [1; 32], 10 => "a.json",
    };
    let encoding = meta.encode();
    vec![karute_protocol::padding::pad([&(encoding.len() as u32).to_be_bytes()[..], &encoding].concat())]
}

fn links() -> Vec<Vec<u8>> {
    use karute_consent::id::VaultId;
    let vault = VaultId::from_bytes([7; 32]);
    let link = karute_node::agent::link::VaultLink::new(vault, vec!["/dns4/node.example/tcp/4801".to_owned()]);
    let party = crate::vectors::cast::party("hospital").key();
    let mut links = vec![link.to_string(), vault.to_string(), party.to_string(), "2027-01".to_owned()];
    links.push("/ip4/192.0.2.1/tcp/7400/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN".to_owned());
    links.push("node.example:7400#12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN".to_owned());
    links.into_iter().map(String::into_bytes).collect()
}

/// A file of keys that asks for little.
fn keystore() -> Vec<u8> {
    let numbers = [8u32, 1, 1].map(u32::to_be_bytes).concat();
    [&b"karute-keys\x01"[..], &numbers, &[3; 16], &[4; 12], &[5; 40]].concat()
}

fn dicom() -> Vec<u8> {
    let mut file = Vec::new();
    for (tag, representation, value) in [
        ((0x0002u16, 0x0010u16), b"UI", &b"1.2.840.10008.1.2.1\0"[..]),
        ((0x0008, 0x0020), b"DA", b"20260310"),
        ((0x0008, 0x0060), b"CS", b"MR"),
        ((0x0008, 0x0080), b"LO", b"Hospital"),
        ((0x0018, 0x0015), b"CS", b"HEAD"),
    ] {
        file.extend([tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat());
        file.extend_from_slice(representation);
        file.extend((value.len() as u16).to_le_bytes());
        file.extend_from_slice(value);
    }
    file
}

fn files(data: &Path, folder: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(data.join(folder)) else { return Vec::new() };
    let read = |path: std::path::PathBuf| fs::read(path).ok();
    let name = |path: &Path| path.extension().is_some_and(|suffix| suffix == "json" || suffix == "txt");
    entries.flatten().map(|entry| entry.path()).filter(|path| name(path)).filter_map(read).collect()
}

/// A verifier key of a witness.
const WITNESS_KEY: &[u8] = b"witness.example/w1+623dffe5+BPsYLnYBDMZCSVoaxmdFKmcrrcPqgV5bU7LmrYzhSqEJ";
/// Seeds of one target, and bytes of one seed.
const SEEDS_MAX: usize = 28;
const SEED_BYTES_MAX: usize = 32 * 1024;
