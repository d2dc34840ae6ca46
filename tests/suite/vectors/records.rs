//! Kinds of protocol/SPEC.md sections 6, 7 and 10: runs, re-wraps, bodies, metas, records, ranges.

use karute_consent::id::PartyKey;
use karute_consent::statement::Verified;
use karute_protocol::bao::{BodyRef, BodyRoot, RangeVerifier, encode_range, pairs_of};
use karute_protocol::body::{BodyKey, open_whole};
use karute_protocol::hpke::Suite;
use karute_protocol::record::keys::RecordKey;
use karute_protocol::record::{
    FileOpener, Header, HeaderError, Meta, MetaError, SealedMeta, body_facts, supersedes_counts,
};
use karute_protocol::run::{Depositor, ReWrap, Run, RunSecret};
use karute_protocol::wire::Octets;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::consent::open;
use super::protocol::{secret, stage_of};
use super::{Check, Outcome, bytes, fixed, hex, number};

pub(super) const CHECKS: &[(&str, Check)] = &[
    ("run", run),
    ("re_wrap", re_wrap),
    ("body", body),
    ("meta", meta),
    ("record", record),
    ("supersedes", supersedes),
    ("range", range),
];

fn run(input: &Value) -> Outcome {
    let run: Verified<Run> = open(bytes(input, "run"))?;
    let secret = run.payload().open(&secret(input, Suite::XWing)).map_err(|_| "open")?;
    Ok(Some(hex(&secret.bytes()[..])))
}

fn re_wrap(input: &Value) -> Outcome {
    let re_wrap: Verified<ReWrap> = open(bytes(input, "re_wrap"))?;
    let secret = re_wrap.payload().open(&secret(input, Suite::XWing)).map_err(|_| "open")?;
    Ok(Some(hex(&secret.bytes()[..])))
}

fn body(input: &Value) -> Outcome {
    let key = BodyKey::new(Zeroizing::new(fixed(input, "key")));
    let plain = open_whole(&key, b"karute-v1/body", &bytes(input, "sealed")).map_err(|_| "body")?;
    Ok(Some(json!({ "length": plain.len(), "sha256": hex(Sha256::digest(&plain)) })))
}

fn sealed_meta(input: &Value, field: &str) -> SealedMeta {
    SealedMeta(Octets(bytes(input, field)))
}

fn open_meta(header: &Header, sealed: &SealedMeta, key: &RecordKey) -> Result<Meta, &'static str> {
    header.check_meta(sealed).map_err(|_| "open")?;
    sealed.open(key).map_err(|error| match error {
        MetaError::Text(_) | MetaError::Labels | MetaError::ServiceDate | MetaError::FileName => "payload",
        MetaError::Encoding(error) => stage_of(error, "payload"),
        _ => "open",
    })
}

fn meta(input: &Value) -> Outcome {
    let header: Verified<Header> = open(bytes(input, "header"))?;
    let key = RecordKey::new(Zeroizing::new(fixed(input, "key")));
    let meta = open_meta(header.payload(), &sealed_meta(input, "sealed"), &key)?;
    Ok(Some(json!({ "title": meta.title })))
}

fn record(input: &Value) -> Outcome {
    let (run, header): (Verified<Run>, Verified<Header>) = (open(bytes(input, "run"))?, open(bytes(input, "header"))?);
    let place = Header::check_run(&header, &run).map_err(|_| "payload")?;
    let keys = RunSecret::new(Zeroizing::new(fixed(input, "run_secret"))).record_keys(&place);
    let meta = open_meta(header.payload(), &sealed_meta(input, "meta"), &keys.meta)?;
    let sealed = bytes(input, "body");
    let facts = body_facts(&sealed).ok_or("range")?;
    header.payload().check_body(&facts).map_err(|error| match error {
        HeaderError::OtherCommitment => "body",
        _ => "range",
    })?;
    let mut file = Vec::new();
    let key = keys.body.expect("the keys of a run hold both");
    let mut opener = FileOpener::new(header.payload(), &meta, &key).map_err(|_| "body")?;
    opener.push(&sealed, &mut file).and_then(|()| opener.finish()).map_err(|_| "body")?;
    Ok(Some(json!({ "title": meta.title, "sha256": hex(Sha256::digest(&file)) })))
}

fn supersedes(input: &Value) -> Outcome {
    let standing = if input["device"] == true { Depositor::Device } else { Depositor::Other };
    let key = |field| PartyKey::from_bytes(fixed(input, field));
    Ok(Some(supersedes_counts(key("by"), standing, key("superseded")).into()))
}

fn range(input: &Value) -> Outcome {
    let body = BodyRef { root: BodyRoot(fixed(input, "root")), len: number(input, "length") };
    let range = number(input, "from")..number(input, "to");
    let encoded = bytes(input, "encoded");
    let mut verifier = RangeVerifier::new(&body, range.clone()).map_err(|_| "range")?;
    let (mut rest, mut found) = (&encoded[..], Vec::new());
    while let Some(piece) = verifier.next_piece(&mut rest).map_err(|_| "range")? {
        assert_eq!(piece.offset, range.start + found.len() as u64);
        found.extend_from_slice(piece.bytes);
    }
    verifier.finish().map_err(|_| "range")?;
    if input.get("sealed").is_some() {
        let sealed = bytes(input, "sealed");
        let (body, pairs) = pairs_of(&sealed).expect("in memory");
        let mut made = Vec::new();
        encode_range(&body, &sealed[..], &pairs, &range, &mut made).expect("it is its own body");
        assert!(made == encoded, "another encoding of the range");
    }
    Ok(Some(hex(found)))
}
