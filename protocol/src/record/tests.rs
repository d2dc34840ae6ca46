//! Records sealed, checked by a host without keys, and opened; and everything that must be noticed on the way.

use karute_consent::category::{Category, Sensitivity};
use karute_consent::id::{CollectionId, Generation, StatementId};
use karute_consent::party::Identity;
use karute_consent::request::Head;
use karute_consent::statement::{StatementError, sign};
use karute_consent::time::Month;
use zeroize::Zeroizing;

use super::keys::{RecordKey, RecordKeys};
use super::*;
use crate::body::Salt;
use crate::hpke::{ENTROPY_LEN, Entropy, SealingSecret, Suite};
use crate::run::{RunFacts, RunSecret};

const VAULT: VaultId = VaultId::from_bytes([2; 32]);

fn depositor() -> Identity {
    Identity::from_seed(&[4; 32])
}

fn run() -> Verified<Run> {
    let facts = RunFacts {
        run: RunId::from_bytes([1; 16]),
        vault: VAULT,
        collection: CollectionId::from_bytes([3; 16]),
        generation: Generation(1),
        epoch: Month(682),
        depositor: depositor().key(),
        grant: Some(StatementId::from_bytes([5; 32])),
        head: Head { size: 3, root: Digest::from_bytes([6; 32]) },
    };
    let epoch = SealingSecret::new(Suite::XWing, Zeroizing::new([9; 32])).public();
    let run = facts.seal(&secret(), &epoch, Entropy::new([8; ENTROPY_LEN])).unwrap();
    sign(run, &depositor()).unwrap()
}

fn secret() -> RunSecret {
    RunSecret::new(Zeroizing::new([7; 32]))
}

fn place() -> RecordPlace {
    let (run, record) = (RunId::from_bytes([1; 16]), RecordId::from_bytes([10; 16]));
    RecordPlace { vault: VAULT, run, depositor: depositor().key(), record }
}

fn keys() -> RecordKeys {
    secret().record_keys(&place())
}

fn body_key() -> RecordKey {
    keys().body.unwrap()
}

fn file(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

fn meta_of(file: &[u8]) -> Meta {
    Meta {
        title: "Blood count".into(),
        category: Category::Lab,
        sensitivity: Sensitivity::Normal,
        media_type: "application/fhir+json".into(),
        service_date: Some("2026-11-22".into()),
        author: Some("Clinic A".into()),
        labels: vec!["a".into(), "b".into()],
        length: ByteCount(file.len() as u64),
        digest: digest_of(&[file]),
        file_name: Some("count.json".into()),
    }
}

struct Sealed {
    header: Verified<Header>,
    meta: SealedMeta,
    body: Vec<u8>,
}

fn seal_body(file: &[u8]) -> (Vec<u8>, SealedBody) {
    let mut sealer = RecordSealer::new(&body_key(), ByteCount(file.len() as u64), digest_of(&[file])).unwrap();
    let mut body = Vec::new();
    for piece in file.chunks(5_000) {
        sealer.push(piece, &mut body).unwrap();
    }
    let sealed = sealer.finish(&mut body).unwrap();
    (body, sealed)
}

fn seal(file: &[u8]) -> Sealed {
    let (body, sealed) = seal_body(file);
    let meta = meta_of(file).seal(&keys().meta, Salt([11; 24])).unwrap();
    let header = Header::new(&place(), &sealed.facts, &meta, None, Timestamp::from_secs(1_795_305_600));
    Sealed { header: sign(header, &depositor()).unwrap(), meta, body }
}

#[test]
fn a_host_checks_a_record_without_any_key() {
    for len in [0, 1, 255, 256, 257, 16_384, 40_000] {
        let record = seal(&file(len));
        let header = record.header.payload();
        assert_eq!(Header::check_run(&record.header, &run()), Ok(place()));
        assert_eq!(header.check_meta(&record.meta), Ok(()));
        assert_eq!(header.check_body(&body_facts(&record.body).unwrap()), Ok(()));
        assert_eq!(RecordSealer::sealed_len(ByteCount(len as u64)), Ok(header.body_length));
        assert!(record.header.to_unverified().verify().is_ok());
    }
}

/// P-15
#[test]
fn a_header_of_another_version_or_with_an_impossible_length_is_refused() {
    let good = seal(b"file").header.into_payload();
    let refused = |change: &dyn Fn(&mut Header)| {
        let mut bent = good.clone();
        change(&mut bent);
        sign(bent, &depositor()).err()
    };
    let rule = Some(StatementError::Rule(Malformed::Range));
    assert_eq!(refused(&|_| ()), None);
    assert_eq!(refused(&|h| h.version = 2), rule);
    assert_eq!(refused(&|h| h.suite = 2), rule);
    assert_eq!(refused(&|h| h.padding_class = 2), rule);
    assert_eq!(refused(&|h| h.body_length = ByteCount(0)), rule);
    assert_eq!(refused(&|h| h.body_length = ByteCount(71)), rule); // less than prefix and tag
    assert_eq!(refused(&|h| h.body_length.0 -= 1), rule); // 255 bytes of plaintext
    assert_eq!(refused(&|h| h.body_length.0 += 1), rule); // 257 bytes of plaintext
    assert_eq!(refused(&|h| h.body_length = ByteCount((1 << 40) + 1)), rule);
}

/// P-16
#[test]
fn a_header_is_of_its_run_and_by_its_depositor() {
    let good = seal(b"file").header;
    let other = sign(good.payload().clone(), &Identity::from_seed(&[5; 32])).unwrap();
    assert_eq!(Header::check_run(&other, &run()), Err(HeaderError::OtherDepositor));
    let changed = |change: &dyn Fn(&mut Header)| {
        let mut header = good.payload().clone();
        change(&mut header);
        Header::check_run(&sign(header, &depositor()).unwrap(), &run())
    };
    assert_eq!(changed(&|h| h.run = RunId::from_bytes([0; 16])), Err(HeaderError::OtherRun));
    assert_eq!(changed(&|h| h.vault = VaultId::from_bytes([0; 32])), Err(HeaderError::OtherRun));
}

/// P-17, P-18: what a host can see.
#[test]
fn another_meta_or_body_than_the_headers_is_noticed() {
    let record = seal(&file(1_000));
    let header = record.header.payload();
    let mut meta = record.meta.clone();
    meta.0.0[60] ^= 1;
    assert_eq!(header.check_meta(&meta), Err(HeaderError::OtherMeta));
    assert_eq!(header.check_meta(&SealedMeta(Octets(vec![0; 3585]))), Err(HeaderError::MetaTooLong));
    let mut bent = record.body.clone();
    bent[500] ^= 1;
    assert_eq!(header.check_body(&body_facts(&bent).unwrap()), Err(HeaderError::OtherBody));
    let short = &record.body[..record.body.len() - 1];
    assert_eq!(header.check_body(&body_facts(short).unwrap()), Err(HeaderError::OtherBody));
    assert_eq!(body_facts(&record.body[..55]), None);
    let other = Header { commitment: Digest::from_bytes([0; 32]), ..header.clone() };
    assert_eq!(other.check_body(&body_facts(&record.body).unwrap()), Err(HeaderError::OtherCommitment));
}

#[test]
fn a_file_that_changed_while_it_was_sealed_is_refused() {
    let sealer = |length, digest| RecordSealer::new(&body_key(), ByteCount(length), digest).unwrap();
    let mut out = Vec::new();
    let mut longer = sealer(3, digest_of(&[b"abc"]));
    assert_eq!(longer.push(b"abcd", &mut out), Err(SealRecordError::FileChanged));
    let mut shorter = sealer(3, digest_of(&[b"abc"]));
    shorter.push(b"ab", &mut out).unwrap();
    assert_eq!(shorter.finish(&mut out), Err(SealRecordError::FileChanged));
    let mut other = sealer(3, digest_of(&[b"abc"]));
    other.push(b"abd", &mut out).unwrap();
    assert_eq!(other.finish(&mut out), Err(SealRecordError::FileChanged));
    let huge = RecordSealer::new(&body_key(), ByteCount(1 << 40), Digest::from_bytes([0; 32]));
    assert_eq!(huge.err(), Some(SealRecordError::TooLong));
}

#[test]
fn metas_that_break_a_rule_are_not_sealed() {
    let refused = |change: &dyn Fn(&mut Meta)| {
        let mut meta = meta_of(b"file");
        change(&mut meta);
        meta.seal(&keys().meta, Salt([0; 24])).err()
    };
    assert_eq!(refused(&|_| ()), None);
    assert_eq!(refused(&|m| m.title.clear()), Some(MetaError::Text(Malformed::Text)));
    assert_eq!(refused(&|m| m.title = "a\u{1b}[2J".into()), Some(MetaError::Text(Malformed::Text)));
    assert_eq!(refused(&|m| m.author = Some("x".repeat(257))), Some(MetaError::Text(Malformed::Text)));
    assert_eq!(refused(&|m| m.labels.reverse()), Some(MetaError::Labels));
    assert_eq!(refused(&|m| m.labels = (10..27).map(|n| n.to_string()).collect()), Some(MetaError::Labels));
    for date in ["2026-11-31", "2026-02-29", "2026-13-01", "2026-1-1", "2026/11/22", "", "2026-11-00", "+026-11-22"] {
        assert_eq!(refused(&|m| m.service_date = Some(date.into())), Some(MetaError::ServiceDate), "{date}");
    }
    assert_eq!(refused(&|m| m.service_date = Some("2028-02-29".into())), None);
    for name in ["..", ".", "a/b", "a\\b"] {
        assert_eq!(refused(&|m| m.file_name = Some(name.into())), Some(MetaError::FileName), "{name}");
    }
    assert_eq!(refused(&|m| m.file_name = Some("a\0".into())), Some(MetaError::Text(Malformed::Text)));
}

/// P-21
#[test]
fn only_the_same_depositor_or_a_device_supersedes() {
    let (one, other) = (depositor().key(), Identity::from_seed(&[5; 32]).key());
    assert!(supersedes_counts(one, Depositor::Other, one));
    assert!(supersedes_counts(other, Depositor::Device, one));
    assert!(!supersedes_counts(other, Depositor::Other, one));
}

#[cfg(feature = "open")]
mod open {
    use proptest::prelude::*;

    use super::*;
    use crate::body::{BodyError, seal_whole};
    use crate::padding::PaddingError;

    fn open_file(record: &Sealed, meta: &Meta, key: &RecordKey) -> Result<Vec<u8>, OpenRecordError> {
        let mut opener = FileOpener::new(record.header.payload(), meta, key)?;
        let mut out = Vec::new();
        for piece in record.body.chunks(7_000) {
            opener.push(piece, &mut out)?;
        }
        opener.finish()?;
        Ok(out)
    }

    #[test]
    fn a_record_opens_to_its_meta_and_its_file() {
        for len in [0, 1, 256, 300, 16_384, 50_000] {
            let file = file(len);
            let record = seal(&file);
            let meta = record.meta.open(&keys().meta).ok().unwrap();
            assert!(meta == meta_of(&file));
            assert_eq!(open_file(&record, &meta, &body_key()).unwrap(), file);
        }
    }

    /// P-17
    #[test]
    fn a_meta_that_is_not_strictly_made_does_not_open() {
        let seal_plain = |plain: &[u8]| {
            let sealed = seal_whole(&keys().meta.body_key(), Salt([0; 24]), META_CONTEXT, plain).unwrap();
            SealedMeta(Octets(sealed)).open(&keys().meta).err().unwrap()
        };
        let encoding = karute_consent::encoding::to_bytes(&meta_of(b"file")).unwrap();
        let length = (encoding.len() as u32).to_be_bytes();
        let mut padded = crate::padding::pad([&length[..], &encoding].concat());
        padded.push(0);
        assert!(matches!(seal_plain(&padded), MetaError::Padding(PaddingError::WrongLength { .. })));
        padded.pop();
        *padded.last_mut().unwrap() = 1;
        assert_eq!(seal_plain(&padded), MetaError::Padding(PaddingError::NotZero));
        let mut longer = crate::padding::pad([&length[..], &encoding].concat());
        longer[3] += 1; // one zero of the padding taken for encoding
        assert!(matches!(seal_plain(&longer), MetaError::Encoding(_)));
        longer[0] = 0xff;
        assert_eq!(seal_plain(&longer), MetaError::Length);
        assert_eq!(seal_plain(&[]), MetaError::Length);
        let other = seal(b"file").meta.open(&body_key()).err();
        assert_eq!(other, Some(MetaError::Body(BodyError::WrongCommitment)));
    }

    /// P-18
    #[test]
    fn a_body_that_was_touched_does_not_open() {
        let file = file(40_000);
        let record = seal(&file);
        let meta = meta_of(&file);
        let refused = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut body = record.body.clone();
            change(&mut body);
            let bent = Sealed { header: record.header.clone(), meta: record.meta.clone(), body };
            open_file(&bent, &meta, &body_key()).unwrap_err()
        };
        let commitment = OpenRecordError::Body(BodyError::WrongCommitment);
        assert_eq!(refused(&|b| b[0] ^= 1), commitment); // salt
        assert_eq!(refused(&|b| b[30] ^= 1), commitment);
        assert_eq!(refused(&|b| b[60] ^= 1), OpenRecordError::Body(BodyError::ForgedChunk(0)));
        assert_eq!(refused(&|b| b.truncate(39_000)), OpenRecordError::Body(BodyError::Truncated));
        assert_eq!(refused(&|b| b.push(0)), OpenRecordError::Body(BodyError::Extended));
        let other = Header { commitment: Digest::from_bytes([0; 32]), ..record.header.payload().clone() };
        assert_eq!(FileOpener::new(&other, &meta, &body_key()).err(), Some(commitment));
        assert_eq!(FileOpener::new(record.header.payload(), &meta, &keys().meta).err(), Some(commitment));
    }

    /// P-19
    #[test]
    fn a_meta_of_another_file_is_noticed() {
        let file = file(40_000);
        let record = seal(&file);
        let meta = Meta { digest: digest_of(&[b"other"]), ..meta_of(&file) };
        assert_eq!(open_file(&record, &meta, &body_key()), Err(OpenRecordError::OtherFile));
        let shorter = Meta { length: ByteCount(39_990), ..meta_of(&file) };
        assert_eq!(open_file(&record, &shorter, &body_key()), Err(OpenRecordError::Padding(PaddingError::NotZero)));
        let tiny = Meta { length: ByteCount(10), ..meta_of(&file) };
        let wrong = open_file(&record, &tiny, &body_key());
        assert!(matches!(wrong, Err(OpenRecordError::Padding(PaddingError::WrongLength { .. }))));
    }

    /// P-09: a record key is compared with the commitment of the record.
    #[test]
    fn a_body_key_is_known_from_the_header() {
        let record = seal(b"file");
        assert!(body_key().opens_body_of(record.header.payload()));
        assert!(!keys().meta.opens_body_of(record.header.payload()));
    }

    #[test]
    fn a_range_outside_of_the_file_is_refused() {
        let file = file(1_000);
        let record = seal(&file);
        let beyond = FileRange::new(record.header.payload(), &meta_of(&file), 0..1_001);
        assert_eq!(beyond, Err(OpenRecordError::Body(BodyError::OutOfRange)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_range_of_a_file_opens_alone(len in 1..60_000usize, from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
            let file = file(len);
            let record = seal(&file);
            let (from, to) = (from.index(len), to.index(len + 1));
            let (from, to) = (from.min(to), from.max(to));
            let header = record.header.payload();
            let range = FileRange::new(header, &meta_of(&file), from as u64..to as u64).unwrap();
            let sealed = range.sealed();
            let sealed = &record.body[sealed.start as usize..sealed.end as usize];
            prop_assert_eq!(range.open(header, &body_key(), sealed).unwrap(), &file[from..to]);
        }
    }
}
