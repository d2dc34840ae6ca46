//! Records: metas, bodies, ranges, and a header that is edited and signed again.

use std::sync::LazyLock;

use karute_consent::statement::{Unverified, Verified};
use karute_protocol::bao::{BodyRef, BodyRoot, Piece, RangeVerifier, VerifyError, encode_range, encoded_len, pairs_of};
use karute_protocol::body::{
    BodyKey, BodyOpener, ChunkRange, PREFIX_LEN, Prefix, Salt, SealedLen, open_range, open_whole, seal_whole,
};
use karute_protocol::record::keys::RecordKey;
use karute_protocol::record::{FileOpener, FileRange, Header, SealedMeta, body_facts};
use karute_protocol::run::{Run, RunSecret};
use karute_protocol::wire::Octets;
use zeroize::Zeroizing;

use super::edit::{change_bytes, edit_some};
use super::good;
use super::source::Source;
use crate::vectors::cast::party;
use crate::vectors::forge::{payload_of, sign};

/// The plaintext of a meta, and a sealed meta as it arrives.
pub fn meta(data: &[u8]) {
    let key = RecordKey::new(Zeroizing::new([5; 32]));
    let arrived = SealedMeta(Octets(data.to_vec()));
    assert!(arrived.open(&key).is_err(), "nobody sealed it under this key");
    let salt = Salt([6; 24]);
    let sealed = seal_whole(&body_key(), salt, b"karute-v1/meta", data).expect("a short plaintext");
    let sealed = SealedMeta(Octets(sealed));
    let Ok(meta) = sealed.open(&key) else { return };
    let again = meta.seal(&key, salt).expect("it was within its limits");
    assert_eq!(again.as_bytes(), sealed.as_bytes(), "one spelling, one padding"); // P-17
}

/// A sealed body as it arrives, and one that is sealed here, then edited.
pub fn body(data: &[u8]) {
    let key = body_key();
    assert!(open_whole(&key, CONTEXT, data).is_err(), "nobody sealed it under this key");
    let mut source = Source::new(data);
    let (repeat, cut) = (usize::from(source.short()), 1 + usize::from(source.short()));
    let (from, to) = (source.short(), source.short());
    let mut edits = Source::new(source.take(8));
    let plain = [source.rest(), &vec![7; repeat]].concat();
    let sealed = seal_whole(&key, Salt([6; 24]), CONTEXT, &plain).expect("a short plaintext");
    let len = SealedLen::new(sealed.len() as u64).expect("it was sealed");
    assert_eq!((len.plain(), len), (plain.len() as u64, SealedLen::of_plain(plain.len() as u64).expect("short")));
    assert_eq!(open_in_pieces(&sealed, cut, len).as_ref(), Some(&plain), "the same, whatever the pieces");
    let range = u64::from(from.min(to))..u64::from(from.max(to));
    if let Ok(chunks) = ChunkRange::covering(&range, len) {
        let part = &sealed[chunks.sealed().start as usize..chunks.sealed().end as usize];
        let prefix = Prefix::from_bytes(sealed.first_chunk::<PREFIX_LEN>().expect("it has a prefix"));
        let opened = open_range(&key, CONTEXT, &prefix, len, range.clone(), part).expect("its own range");
        assert_eq!(opened, plain[range.start as usize..range.end as usize]);
    }
    let mut bent = sealed.clone();
    change_bytes(&mut bent, &mut edits);
    if bent != sealed {
        assert!(open_whole(&key, CONTEXT, &bent).is_err(), "a changed body does not open"); // P-18
        if let Some(given) = open_in_pieces(&bent, cut, len) {
            assert_eq!(given, plain, "nothing of a changed chunk is given out");
        }
    }
}

/// Opens a body piece by piece; what came out, if it came to its end.
fn open_in_pieces(sealed: &[u8], cut: usize, len: SealedLen) -> Option<Vec<u8>> {
    let key = body_key();
    let mut opener = BodyOpener::new(&key, CONTEXT, len);
    let mut out = Vec::new();
    sealed.chunks(cut).try_for_each(|piece| opener.open(piece, &mut out)).ok()?;
    opener.finish().ok().map(|()| out)
}

/// A record of the vectors whose header and body are edited and signed again: whatever opens is the file.
pub fn record(data: &[u8]) {
    let mut source = Source::new(data);
    let Some(input) = RECORDS.get(source.place(RECORDS.len())) else { return };
    let run: Verified<Run> = match Unverified::from_bytes(good::bytes(input, "run")).verify() {
        Ok(run) => run,
        Err(_) => return,
    };
    let mut payload = payload_of(&good::bytes(input, "header"));
    edit_some(&mut payload, &mut source, 3);
    let signed = sign("header", &payload, &party("clinic"));
    let Ok(header) = Unverified::<Header>::from_bytes(signed).verify() else { return };
    let Ok(place) = Header::check_run(&header, &run) else { return };
    let own = Unverified::<Header>::from_bytes(good::bytes(input, "header")).verify().expect("a good vector");
    let (header, own) = (header.payload(), own.payload());
    let keys = RunSecret::new(Zeroizing::new(good::fixed(input, "run_secret"))).record_keys(&place);
    let sealed_meta = SealedMeta(Octets(good::bytes(input, "meta")));
    if header.check_meta(&sealed_meta).is_err() {
        return;
    }
    let (Ok(meta), Some(key)) = (sealed_meta.open(&keys.meta), keys.body) else { return };
    let mut sealed = good::bytes(input, "body");
    if source.byte() == 1 {
        change_bytes(&mut sealed, &mut source);
    }
    let checked = body_facts(&sealed).is_some_and(|facts| header.check_body(&facts).is_ok());
    let range = u64::from(source.short())..u64::from(source.short());
    if let Ok(range) = FileRange::new(header, &meta, range) {
        let _ = range.open(header, &key, &sealed);
        assert!(range.sealed().end <= header.body_length.0);
    }
    let Ok(mut opener) = FileOpener::new(header, &meta, &key) else { return };
    let mut file = Vec::new();
    if opener.push(&sealed, &mut file).is_ok() && opener.finish().is_ok() {
        assert_eq!(file.len() as u64, meta.length.0); // P-19
        assert!(checked || header.body_root != own.body_root, "a changed body is not the file's");
    }
}

/// A range as it arrives, for a root and length of the input, and an honest range that is edited.
pub fn bao_range(data: &[u8]) {
    let mut source = Source::new(data);
    let range = u64::from(source.short())..u64::from(source.short());
    let wide = range.start * 2..range.end * 2;
    honest_range(wide, &mut source);
    let body = BodyRef { root: BodyRoot(source.array()), len: source.number() };
    let range = source.number()..source.number();
    let rest = source.rest();
    let given = verify(&body, &range, rest, 4096).0;
    // BLAKE3 of nothing is known to everybody.
    assert!(given.is_empty() || body.len == rest.len() as u64, "nobody knows a body with this root");
}

fn honest_range(range: std::ops::Range<u64>, source: &mut Source<'_>) {
    let (body, pairs) = &BODY.1;
    let mut encoded = Vec::new();
    let cut = 1 + usize::from(source.short());
    let mut edits = Source::new(source.take(8));
    match encode_range(body, &BODY.0[..], pairs, &range, &mut encoded) {
        Ok(()) => assert_eq!(encoded_len(body, &range).ok(), Some(encoded.len() as u64)),
        Err(_) => return assert_eq!(RangeVerifier::new(body, range).err(), Some(VerifyError::OutOfRange)),
    }
    let wanted = &BODY.0[range.start as usize..range.end as usize];
    assert_eq!(verify(body, &range, &encoded, cut), (wanted.to_vec(), true), "an honest range is taken");
    let mut bent = encoded.clone();
    change_bytes(&mut bent, &mut edits);
    let (given, whole) = verify(body, &range, &bent, cut);
    assert!(wanted.starts_with(&given), "nothing is given out that is not of the body"); // P-20
    assert!(!whole || bent == encoded);
}

/// What a verifier gives out, and whether the range came to its end.
fn verify(body: &BodyRef, range: &std::ops::Range<u64>, encoded: &[u8], cut: usize) -> (Vec<u8>, bool) {
    let Ok(mut verifier) = RangeVerifier::new(body, range.clone()) else { return (Vec::new(), false) };
    let mut given = Vec::new();
    for mut piece in encoded.chunks(cut) {
        loop {
            match verifier.next_piece(&mut piece) {
                Ok(Some(Piece { offset, bytes })) => {
                    assert_eq!(offset, range.start + given.len() as u64);
                    given.extend_from_slice(bytes);
                }
                Ok(None) => break,
                Err(_) => return (given, false),
            }
        }
    }
    let whole = verifier.finish().is_ok();
    (given, whole)
}

fn body_key() -> BodyKey {
    BodyKey::new(Zeroizing::new([5; 32]))
}

const CONTEXT: &[u8] = b"karute-v1/body";

static RECORDS: LazyLock<Vec<&serde_json::Value>> = LazyLock::new(|| good::inputs("record").collect());

/// A sealed body, with its root and pairs.
type Body = (Vec<u8>, (BodyRef, Vec<u8>));

/// One of a few groups.
static BODY: LazyLock<Body> = LazyLock::new(|| {
    let bytes: Vec<u8> = (0..81_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let pairs = pairs_of(&bytes).expect("in memory");
    (bytes, pairs)
});
