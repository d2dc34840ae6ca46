//! Agreement with BLAKE3 and bao-tree, round trips of ranges, and encodings with one fault.

use bao_tree::io::BaoContentItem;
use proptest::prelude::*;

use super::*;

/// Bytes that differ from group to group.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 3 + at / 16_384) as u8).collect()
}

fn encode(data: &[u8], range: &Range<u64>) -> (BodyRef, Vec<u8>) {
    let (body, pairs) = pairs_of(data).unwrap();
    let mut encoded = Vec::new();
    encode_range(&body, data, &pairs, range, &mut encoded).unwrap();
    (body, encoded)
}

/// Feeds the encoding in steps and returns the verified bytes, which must come without gaps.
fn verified(body: &BodyRef, range: Range<u64>, encoded: &[u8], step: usize) -> Result<Vec<u8>, VerifyError> {
    let mut verifier = RangeVerifier::new(body, range.clone())?;
    let mut out = Vec::new();
    for mut frame in encoded.chunks(step) {
        while let Some(piece) = verifier.next_piece(&mut frame)? {
            assert_eq!(piece.offset, range.start + out.len() as u64);
            out.extend_from_slice(piece.bytes);
        }
    }
    verifier.finish()?;
    Ok(out)
}

const BORDERS: [usize; 9] = [0, 1, 1024, 16_383, 16_384, 16_385, 32_768, 100_000, 3 * 1024 * 1024 + 7];

#[test]
fn the_root_is_plain_blake3_whichever_way_it_is_found() {
    for len in BORDERS {
        let data = bytes(len);
        let (body, pairs) = pairs_of(&data).unwrap();
        assert_eq!(body.root.0, *blake3::hash(&data).as_bytes());
        assert_eq!(pairs.len() as u64, pairs_len(len as u64));
        let mut hasher = BodyHasher::new();
        data.chunks(777).for_each(|piece| hasher.update(piece));
        assert_eq!(hasher.finish(), body);
    }
}

#[test]
fn whole_bodies_of_every_border_length_are_verified_in_steps_of_any_size() {
    for len in BORDERS {
        let data = bytes(len);
        let whole = 0..len as u64;
        let (body, encoded) = encode(&data, &whole);
        assert_eq!(encoded.len() as u64, encoded_len(&body, &whole).unwrap());
        for step in [61, 16_384, 1 << 20] {
            assert!(verified(&body, whole.clone(), &encoded, step).unwrap() == data, "{len} {step}");
        }
    }
}

#[test]
fn bao_tree_decodes_what_the_verifier_accepts() {
    let data = bytes(300_000);
    let range = 50_000..150_000;
    let (body, encoded) = encode(&data, &range);
    let chunks = ChunkRanges::from(ChunkNum(48)..ChunkNum(160));
    let root = blake3::Hash::from_bytes(body.root.0);
    let theirs: Vec<u8> = sync::DecodeResponseIter::new(root, body.tree(), &encoded[..], &chunks)
        .filter_map(|item| match item.unwrap() {
            BaoContentItem::Leaf(leaf) => Some(leaf.data.to_vec()),
            BaoContentItem::Parent(_) => None,
        })
        .flatten()
        .collect();
    let start = 3 * GROUP_LEN as usize;
    assert!(theirs == data[start..start + theirs.len()]);
    assert!(verified(&body, range, &encoded, 1000).unwrap() == data[50_000..150_000]);
}

#[test]
fn every_flipped_bit_is_found() {
    let data = bytes(100_000);
    let range = 20_000..60_000;
    let (body, encoded) = encode(&data, &range);
    for at in (0..encoded.len()).step_by(61) {
        let mut bent = encoded.clone();
        bent[at] ^= 4;
        let refused = verified(&body, range.clone(), &bent, 5000);
        assert!(matches!(refused, Err(VerifyError::Forged { .. })), "byte {at}: {refused:?}");
    }
}

#[test]
fn only_bytes_before_the_fault_come_out() {
    let data = bytes(100_000);
    let (body, mut encoded) = encode(&data, &(0..100_000));
    let last = encoded.len() - 1;
    encoded[last] ^= 1;
    let mut verifier = RangeVerifier::new(&body, 0..100_000).unwrap();
    let mut input = &encoded[..];
    let mut seen = 0;
    let refused = loop {
        match verifier.next_piece(&mut input) {
            Ok(piece) => seen += piece.unwrap().bytes.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, VerifyError::Forged { offset: 98_304 });
    assert_eq!(seen, 98_304);
}

#[test]
fn truncated_and_extended_encodings_are_named() {
    let data = bytes(100_000);
    let range = 20_000..60_000;
    let (body, mut encoded) = encode(&data, &range);
    for keep in [0, 63, 64, 5000, encoded.len() - 1] {
        let refused = verified(&body, range.clone(), &encoded[..keep], 5000);
        assert_eq!(refused, Err(VerifyError::Truncated), "{keep}");
    }
    encoded.push(0);
    assert_eq!(verified(&body, range, &encoded, 5000), Err(VerifyError::Extended));
    let (empty, _) = encode(&[], &(0..0));
    assert_eq!(verified(&empty, 0..0, &[1], 5000), Err(VerifyError::Extended));
}

#[test]
fn another_body_another_range_and_another_length_are_refused() {
    let data = bytes(100_000);
    let (body, encoded) = encode(&data, &(0..16_384));
    let (other, _) = pairs_of(&bytes(99_999)).unwrap();
    let forged = Err(VerifyError::Forged { offset: 0 });
    assert_eq!(verified(&BodyRef { len: 100_000, ..other }, 0..16_384, &encoded, 5000), forged);
    assert!(verified(&body, 16_384..32_768, &encoded, 5000).is_err());
    let longer = BodyRef { len: 200_000, ..body };
    assert!(verified(&longer, 0..200_000, &encode(&data, &(0..100_000)).1, 5000).is_err());
    let not_empty = BodyRef { len: 0, ..body };
    assert_eq!(verified(&not_empty, 0..0, &[], 5000), forged);
}

#[test]
fn ranges_outside_of_the_body_are_refused() {
    let (body, pairs) = pairs_of(&bytes(1000)).unwrap();
    assert_eq!(RangeVerifier::new(&body, 0..1001).err(), Some(VerifyError::OutOfRange));
    let served = encode_range(&body, &bytes(1000)[..], &pairs, &(0..1001), &mut Vec::new());
    assert!(matches!(served, Err(ServeError::OutOfRange)));
    assert!(matches!(encoded_len(&body, &(5..1001)), Err(ServeError::OutOfRange)));
}

#[test]
fn a_host_finds_its_own_damage_before_it_sends_it() {
    let data = bytes(100_000);
    let (body, pairs) = pairs_of(&data).unwrap();
    let mut rotten = data.clone();
    rotten[70_000] ^= 1;
    let mut sent = Vec::new();
    let served = encode_range(&body, &rotten[..], &pairs, &(65_536..80_000), &mut sent);
    assert!(matches!(served, Err(ServeError::Damaged)));
    let mut bent = pairs.clone();
    bent[3] ^= 1;
    let served = encode_range(&body, &data[..], &bent, &(0..1), &mut sent);
    assert!(matches!(served, Err(ServeError::Damaged)));
    let served = encode_range(&body, &data[..50_000], &pairs, &(0..100_000), &mut sent);
    assert!(matches!(served, Err(ServeError::Io(_))));
}

/// Writes nothing down: a body of this size is only generated and only counted.
struct Generated(u64);

impl ReadAt for Generated {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
        let len = into.len().min((self.0 - offset.min(self.0)) as usize);
        for (at, byte) in into[..len].iter_mut().enumerate() {
            *byte = ((offset + at as u64) >> 10) as u8;
        }
        Ok(len)
    }
}

/// Gives the verifier everything that is written.
struct Check<'v> {
    verifier: &'v mut RangeVerifier,
    seen: u64,
}

impl Write for Check<'_> {
    fn write(&mut self, frame: &[u8]) -> std::io::Result<usize> {
        let mut input = frame;
        while let Some(piece) = self.verifier.next_piece(&mut input).unwrap() {
            assert_eq!(piece.offset, self.seen);
            self.seen += piece.bytes.len() as u64;
        }
        Ok(frame.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_large_body_streams_from_reader_to_verifier_and_is_never_held() {
    let len = 256 * 1024 * 1024 + 5;
    let data = Generated(len);
    let mut pairs = vec![0; pairs_len(len) as usize];
    let mut at = 0;
    let reader = std::iter::from_fn(|| {
        let mut buffer = vec![0; 65_536];
        let read = data.read_at(at, &mut buffer).unwrap();
        at += read as u64;
        buffer.truncate(read);
        (read > 0).then_some(buffer)
    });
    let mut reader = Chunks { inner: reader, left: Vec::new(), used: 0 };
    let body = write_pairs(&mut reader, len, &mut pairs).unwrap();
    let mut verifier = RangeVerifier::new(&body, 0..len).unwrap();
    let mut check = Check { verifier: &mut verifier, seen: 0 };
    encode_range(&body, &data, &pairs, &(0..len), &mut check).unwrap();
    assert_eq!(check.seen, len);
    verifier.finish().unwrap();
}

/// A reader over buffers.
struct Chunks<I> {
    inner: I,
    left: Vec<u8>,
    used: usize,
}

impl<I: Iterator<Item = Vec<u8>>> Read for Chunks<I> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.used == self.left.len() {
            self.left = self.inner.next().unwrap_or_default();
            self.used = 0;
        }
        let len = into.len().min(self.left.len() - self.used);
        into[..len].copy_from_slice(&self.left[self.used..self.used + len]);
        self.used += len;
        Ok(len)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_range_comes_out_as_it_is(
        len in 0usize..200_000, a in 0usize..200_001, b in 0usize..200_001, step in 1usize..40_000
    ) {
        let (start, end) = (a.min(b).min(len), a.max(b).min(len));
        let data = bytes(len);
        let range = start as u64..end as u64;
        let (body, encoded) = encode(&data, &range);
        prop_assert_eq!(encoded.len() as u64, encoded_len(&body, &range).unwrap());
        prop_assert!(verified(&body, range, &encoded, step).unwrap() == data[start..end]);
    }
}
