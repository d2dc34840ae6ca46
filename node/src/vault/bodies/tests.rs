//! Uploads that are cut off, resumed, changed and swept, on real files.

use super::*;

const ID: UploadId = UploadId([5; 32]);

fn open(folder: &Path) -> Bodies {
    Bodies::open(folder, BodyLimits { body_bytes_max: 1 << 20, uploads_max: 2 }).unwrap()
}

fn body() -> Vec<u8> {
    (0..200_000_u32).map(|number| (number * 7 % 251) as u8).collect()
}

fn root(bytes: &[u8]) -> BodyRoot {
    BodyRoot(*blake3::hash(bytes).as_bytes())
}

#[test]
fn an_upload_resumes_where_it_was_cut_off_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = body();
    let total = bytes.len() as u64;
    let mut at = 0;
    for cut in [1, 4096, 70_001, 199_999, bytes.len()] {
        let bodies = open(folder.path());
        assert_eq!(bodies.open_partial(ID, total).unwrap(), at);
        at = bodies.append(ID, at, &bytes[at as usize..cut]).unwrap();
        assert_eq!(bodies.open_partial(ID, total).unwrap(), at);
    }
    let bodies = open(folder.path());
    assert_eq!(bodies.open_partial(ID, total).unwrap(), total);
    bodies.finish(ID, root(&bytes)).unwrap();
    let kept = bodies.read(root(&bytes)).unwrap();
    let mut found = vec![0; 1000];
    kept.data.read_exact_at(&mut found, 150_000).unwrap();
    assert_eq!(found, bytes[150_000..151_000]);
    assert_eq!(kept.len, total);
    let mut range = Vec::new();
    let whole = BodyRef { root: root(&bytes), len: total };
    karute_protocol::bao::encode_range(&whole, &kept.data, &kept.pairs, &(0..total), &mut range).unwrap();
    assert_eq!(range.len() as u64, karute_protocol::bao::encoded_len(&whole, &(0..total)).unwrap());
    assert!(files_in(&folder.path().join("incoming")).unwrap().is_empty());
}

#[test]
fn bytes_at_another_offset_or_beyond_the_length_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bodies = open(folder.path());
    assert!(matches!(bodies.append(ID, 0, b"x"), Err(UploadError::NotBegun)));
    bodies.open_partial(ID, 10).unwrap();
    bodies.append(ID, 0, b"12345").unwrap();
    assert!(matches!(bodies.append(ID, 4, b"5"), Err(UploadError::Offset { expected: 5 })));
    assert!(matches!(bodies.append(ID, 6, b"7"), Err(UploadError::Offset { expected: 5 })));
    assert!(matches!(bodies.append(ID, 5, b"678901"), Err(UploadError::Offset { expected: 5 })));
    assert!(matches!(bodies.finish(ID, root(b"12345")), Err(UploadError::Incomplete)));
    assert!(matches!(bodies.open_partial(ID, 0), Err(UploadError::Length)));
    assert!(matches!(bodies.open_partial(ID, 1 << 21), Err(UploadError::Length)));
}

#[test]
fn a_body_with_another_hash_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let bodies = open(folder.path());
    bodies.open_partial(ID, 5).unwrap();
    bodies.append(ID, 0, b"wrong").unwrap();
    assert!(matches!(bodies.finish(ID, root(b"right")), Err(UploadError::Changed)));
    assert!(!bodies.holds(root(b"right")) && !bodies.holds(root(b"wrong")));
    assert_eq!(bodies.open_partial(ID, 5).unwrap(), 0);
}

#[test]
fn uploads_are_counted_and_idle_ones_swept() {
    let folder = tempfile::tempdir().unwrap();
    let bodies = open(folder.path());
    bodies.open_partial(UploadId([1; 32]), 5).unwrap();
    bodies.open_partial(UploadId([2; 32]), 5).unwrap();
    assert!(matches!(bodies.open_partial(UploadId([3; 32]), 5), Err(UploadError::TooMany)));
    bodies.open_partial(UploadId([1; 32]), 5).unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(bodies.sweep_partials(SystemTime::now(), hour).unwrap(), 0);
    assert_eq!(bodies.sweep_partials(SystemTime::now() + hour * 2, hour).unwrap(), 2);
    assert!(matches!(bodies.append(UploadId([1; 32]), 0, b"x"), Err(UploadError::NotBegun)));
    bodies.open_partial(UploadId([3; 32]), 5).unwrap();
}

#[test]
fn bodies_that_nothing_names_are_swept_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let bodies = open(folder.path());
    for bytes in [b"named", b"stray"] {
        bodies.open_partial(ID, 5).unwrap();
        bodies.append(ID, 0, bytes).unwrap();
        bodies.finish(ID, root(bytes)).unwrap();
    }
    let later = SystemTime::now() + Duration::from_secs(100);
    let idle = Duration::from_secs(10);
    let swept = bodies.sweep_bodies(later, idle, &mut |found| Ok::<_, io::Error>(found == root(b"named"))).unwrap();
    assert_eq!(swept, 1);
    assert!(bodies.holds(root(b"named")) && !bodies.holds(root(b"stray")));
    bodies.remove(root(b"named")).unwrap();
    assert!(!bodies.holds(root(b"named")));
}
