//! Kinds of protocol/SPEC.md sections 1 to 5, 9 and 10: keys, seals, directories, packages, letters, messages.

use karute_consent::category::{Category, Kind, Sensitivity};
use karute_consent::directory::CollectionLeaf;
use karute_consent::encoding::{EncodingError, Fault, from_bytes, to_bytes};
use karute_consent::id::{
    CollectionId, Digest, Generation, PartyKey, RootNumber, RotationSequence, StatementId, VaultId,
};
use karute_consent::sealing::SealingKey;
use karute_consent::time::{Month, MonthRange};
use karute_consent::tree::digest_of;
use karute_consent::vault::Authority;
use karute_protocol::directory::{EpochKey, KeyLeaves, KeyLeavesError, KeyProof, KeyProofError};
use karute_protocol::hpke::{Sealed, SealingSecret, Suite, open};
use karute_protocol::keys::{NodeName, Root, cover};
use karute_protocol::message::{Message, MessageError};
use karute_protocol::package::{CoreDigest, Package, PackageError, PackageItem, RootPackageList, RootsError};
use karute_protocol::particulars::{ParticularsError, Reader, SealedParticulars, check_letter};
use karute_protocol::recovery::RecoveryCode;
use karute_tests::map;
use karute_tests::vectors::cast::{seal_info, secret_of};
use karute_tests::vectors::cbor::Cbor;
use karute_tests::vectors::keys::expand;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::consent::stage_name;
use super::{Check, Outcome, bytes, fixed, hex, number, small, unhex};

pub(super) const CHECKS: &[(&str, Check)] = &[
    ("expand", expanded),
    ("schedule", schedule),
    ("cover", covered),
    ("recovery", recovery),
    ("unseal", unseal),
    ("letter", letter),
    ("key_proof", key_proof),
    ("key_leaves", key_leaves),
    ("package", package),
    ("roots", roots),
    ("particulars", particulars),
    ("message", message),
];

/// Where a fault in an encoding is noticed, when values have a stage of their own.
pub(super) fn stage_of(error: EncodingError, values: &'static str) -> &'static str {
    match error.fault {
        Fault::BadValue | Fault::NotCanonical => values,
        _ => "encoding",
    }
}

/// Decodes a field of an input.
pub(super) fn decode<T: Serialize + DeserializeOwned>(
    input: &Value,
    field: &str,
    values: &'static str,
) -> Result<T, &'static str> {
    let bytes = bytes(input, field);
    from_bytes(&bytes, bytes.len()).map_err(|error| stage_of(error, values))
}

/// The private key of a field, of the suite of what it has to open.
pub(super) fn secret(input: &Value, suite: Suite) -> SealingSecret {
    secret_of(suite.number().into(), fixed(input, "secret"))
}

fn encoded<T: Serialize>(value: &T) -> Value {
    hex(to_bytes(value).expect("it was decoded"))
}

/// The crate keeps its derivation to itself; `schedule` compares what comes of it, this one the derivation of the generator.
fn expanded(input: &Value) -> Outcome {
    assert_eq!(number(input, "length"), 32);
    let label = input["label"].as_str().expect("a label");
    Ok(Some(hex(expand(&fixed(input, "key"), label, &bytes(input, "context")))))
}

fn schedule(input: &Value) -> Outcome {
    let root = Root::new(RootNumber(0), Zeroizing::new(fixed(input, "root")));
    let vault = VaultId::from_bytes(fixed(input, "vault"));
    let kind = Kind {
        category: Category::from_number(small(input, "category")).expect("known"),
        sensitivity: Sensitivity::from_number(small(input, "sensitivity")).expect("known"),
    };
    let collection = root.collection_id(vault, kind).expect("root 0");
    let top = root.collection_root(vault, collection, Generation(small(input, "generation")));
    let month = Month(small(input, "month"));
    let leaf = top.descend(NodeName::new(16, month.0).expect("a month")).expect("below the top");
    let epoch = top.epoch_secret(month).expect("below the top");
    Ok(Some(json!({
        "inbox": hex(&root.inbox_secret().bytes()[..]), "audit": hex(&root.audit_secret().bytes()[..]),
        "collection": hex(collection.as_bytes()), "collection_root": hex(&top.seed()[..]), "leaf": hex(&leaf.seed()[..]),
        "epoch": hex(&epoch.bytes()[..]), "epoch_public_sha256": hex(Sha256::digest(epoch.public().key())),
    })))
}

fn covered(input: &Value) -> Outcome {
    let months = MonthRange::new(Month(small(input, "from")), Month(small(input, "to"))).expect("not empty");
    let nodes = cover(&months).into_iter().map(|node| json!([node.depth(), node.prefix()]));
    Ok(Some(nodes.collect::<Vec<_>>().into()))
}

fn recovery(input: &Value) -> Outcome {
    let text = input["text"].as_str().expect("a text");
    let code = RecoveryCode::from_text(text).map_err(|_| "encoding")?;
    // The code comes out only as text; what is derived from it is compared as well.
    let bytes = unhex_code(&code.to_text());
    assert_eq!(expand(&bytes, "recovery-seal", b""), **code.sealing_secret().bytes());
    assert_eq!(expand(&bytes, "recovery-identity", b""), *code.next_identity().to_seed());
    Ok(Some(json!({ "code": hex(bytes) })))
}

fn unhex_code(text: &str) -> [u8; 32] {
    let letters = text["karute-recovery-1-".len()..].bytes().filter(|letter| *letter != b'-');
    let value = |letter: u8| if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'a' };
    let bits: Vec<u8> = letters.flat_map(|letter| (0..5).map(move |n| value(letter) >> (4 - n) & 1)).collect();
    std::array::from_fn(|at| bits[8 * at..8 * at + 8].iter().fold(0, |byte, bit| byte << 1 | bit))
}

fn unseal(input: &Value) -> Outcome {
    let sealed: Sealed = decode(input, "sealed", "seal")?;
    let info = seal_info(input["label"].as_str().expect("a label"), &[&bytes(input, "context")]);
    let plain = open(&secret(input, sealed.suite()), &info, &sealed).map_err(|_| "open")?;
    Ok(Some(hex(&plain[..])))
}

fn letter(input: &Value) -> Outcome {
    let sealed: Sealed = decode(input, "sealed", "seal")?;
    check_letter(Some(Digest::from_bytes(fixed(input, "hash"))), Some(&sealed)).map_err(|_| "open")?;
    unseal(input)
}

fn key_proof(input: &Value) -> Outcome {
    let proof: KeyProof = decode(input, "proof", "directory")?;
    let directory = StatementId::from_bytes(fixed(input, "directory"));
    let collection = CollectionId::from_bytes(fixed(input, "collection"));
    match proof.verify(directory, collection, Month(small(input, "month"))) {
        Ok(found) => Ok(Some(json!({ "key": encoded(&found.key) }))),
        Err(KeyProofError::Directory(error)) => Err(stage_name(error.stage())),
        Err(_) => Err("directory"),
    }
}

fn key_leaves(input: &Value) -> Outcome {
    let leaf: CollectionLeaf = decode(input, "leaf", "directory")?;
    let leaves = input["leaves"].as_array().expect("leaves").iter();
    let leaves = leaves.map(|leaf| Cbor::Bytes(unhex(leaf.as_str().expect("hex")))).collect();
    let judged = KeyLeaves::from_attachment(&Cbor::List(leaves).encode()).and_then(|leaves| leaves.belong_to(&leaf));
    judged.map(|()| None).map_err(|error| match error {
        KeyLeavesError::Encoding(error) => stage_of(error, "directory"),
        _ => "directory",
    })
}

fn core(input: &Value) -> CoreDigest {
    CoreDigest(digest_of(&[&bytes(input, "core")]))
}

fn package_stage(error: PackageError) -> &'static str {
    match error {
        PackageError::Open(_) => "open",
        PackageError::Encoding(error) => stage_of(error, "package"),
        _ => "package",
    }
}

fn package(input: &Value) -> Outcome {
    let sealed: Sealed = decode(input, "sealed", "seal")?;
    let rotation = RotationSequence(small(input, "rotation"));
    let package =
        Package::open(&sealed, &secret(input, sealed.suite()), core(input), rotation).map_err(package_stage)?;
    let first = package.items().first();
    if let (Some(PackageItem::Node { collection, generation, .. }), Some(_)) = (first, input.get("key")) {
        let key: SealingKey = decode(input, "key", "package")?;
        let month = Month(small(input, "month"));
        let proven = EpochKey { collection: *collection, generation: *generation, month, key };
        package.check_epoch(&proven).map_err(package_stage)?;
    }
    Ok(Some(hex(map! { 1 => package.items().iter().map(item).collect::<Vec<_>>() }.encode())))
}

/// An item as it stood in the package.
fn item(item: &PackageItem) -> Cbor {
    match item {
        PackageItem::Node { collection, generation, node } => map! {
            1 => 1, 2 => *collection.as_bytes(), 3 => u64::from(generation.0), 4 => u64::from(node.name().depth()),
            5 => u64::from(node.name().prefix()), 6 => **node.seed(),
        },
        PackageItem::Record { record, keys } => {
            let meta = map! { 1 => 2, 7 => *record.as_bytes(), 8 => **keys.meta.bytes() };
            keys.body.as_ref().map_or(meta.clone(), |key| meta.with(9, **key.bytes()))
        }
        PackageItem::Root(root) => map! { 1 => 3, 6 => **root.seed(), 10 => u64::from(root.number().0) },
    }
}

fn roots(input: &Value) -> Outcome {
    let authority: Authority = decode(input, "authority", "payload")?;
    let stage = |error| match error {
        RootsError::Open(_) => "open",
        RootsError::Encoding(error) => stage_of(error, "package"),
        RootsError::Package(error) => package_stage(error),
        _ => "package",
    };
    let receivers: Vec<SealingKey> =
        authority.devices.iter().map(|device| device.sealing_key.clone()).chain([authority.recovery.clone()]).collect();
    let list = RootPackageList::from_attachment(&bytes(input, "list"), &receivers).map_err(stage)?;
    let suite = Suite::from_number(small(input, "suite")).expect("known");
    let vault = VaultId::from_bytes(fixed(input, "vault"));
    let roots = list.open(&secret(input, suite), vault, authority.number).map_err(stage)?;
    if roots.len() as u64 != u64::from(authority.root_number.0) + 1 {
        return Err("package"); // all roots from 0 to the root number
    }
    Ok(Some(roots.iter().map(|root| hex(&root.seed()[..])).collect::<Vec<_>>().into()))
}

fn particulars(input: &Value) -> Outcome {
    let sealed: SealedParticulars = decode(input, "sealed_part", "package")?;
    let (reader, part) = match number(input, "who") {
        1 => (Reader::Holder, &sealed.holder),
        _ => (Reader::Patient, &sealed.patient),
    };
    let holder = PartyKey::from_bytes(fixed(input, "holder"));
    match sealed.open(reader, &secret(input, part.suite()), core(input), holder) {
        Ok((particulars, _)) => Ok(Some(json!({ "template": particulars.template }))),
        Err(ParticularsError::Open(_)) => Err("open"),
        Err(ParticularsError::Encoding(error)) => Err(stage_of(error, "payload")),
        Err(_) => Err("payload"),
    }
}

fn message(input: &Value) -> Outcome {
    match Message::decode(&bytes(input, "payload")) {
        Ok(message) => Ok(Some(json!({ "tag": message.tag() }))),
        Err(MessageError::Encoding(_)) => Err("encoding"),
        Err(_) => Err("message"),
    }
}
