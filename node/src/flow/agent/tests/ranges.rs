//! Parts of a file: every byte is the file's, a range beyond it is refused, and one use buys one part.

use karute_consent::template::Template;

use super::cast::*;
use crate::agent::error::{AgentError, Missing, Obstacle};
use crate::flow::agent::fetch::Query;
use crate::flow::agent::fetch_range::{Part, fetch_range, show_range};
use crate::flow::agent::grant::{NewGrant, grant};
use crate::flow::agent::lines::Destination;

fn part(from: u64, to: u64) -> Part {
    Part { from, to: Some(to) }
}

#[tokio::test]
async fn the_bytes_of_a_part_are_those_of_the_file() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    let (mut b, mut from_b) = world.facility("Hospital B", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    granted(&mut patient, &mut home, &b, Template::OngoingCare, &[IMAGING]).await;
    for (name, len) in [("large", 5_000_000), ("small", 700)] {
        let file = world.file(name, len, len as u64);
        let bytes = std::fs::read(&file).unwrap();
        let stored = put(&mut a, &mut from_a, vault, vec![record(&file, IMAGING)]).await.unwrap();
        let id = stored.records[0].record;
        let to = world.folder(&format!("parts of {name}"));
        std::fs::create_dir(&to).unwrap();
        let len = len as u64;
        let ends = [(0, 1), (0, len), (len - 1, len), (3, 700.min(len)), (len / 2 - 7, len / 2 + 7)];
        let windows = [(1024 * 1024 - 1, 1024 * 1024 + 1), (16 * 1024, 3_200_000), (1024 * 1024, 2 * 1024 * 1024)];
        for (from, end) in ends.into_iter().chain(windows).filter(|(_, end)| *end <= len) {
            let query = Query { records: vec![id], ..everything() };
            let to = Destination::Folder(to.clone());
            let got = fetch_range(&mut b, &mut from_b, vault, query, part(from, end), to, &mut |_| {}).await.unwrap();
            assert_eq!(std::fs::read(&got.path).unwrap(), bytes[from as usize..end as usize], "{name} {from}-{end}");
            assert_eq!((got.from, got.to, got.length), (from, end, len));
            assert!(got.path.to_string_lossy().ends_with(&format!("{name}.bytes-{from}-{end}")));
        }
        let own = Destination::File(world.folder("own part"));
        let rest = Part { from: len - 5, to: None };
        let got = show_range(&mut patient, &mut home, id, rest, own, &mut |_| {}).await.unwrap();
        assert_eq!(std::fs::read(got.path).unwrap(), bytes[bytes.len() - 5..]);
        for (from, end) in [(0, len + 1), (len, len), (5, 5), (u64::MAX - 1, u64::MAX)] {
            let query = Query { records: vec![id], ..everything() };
            let to = Destination::Folder(to.clone());
            let refused = fetch_range(&mut b, &mut from_b, vault, query, part(from, end), to, &mut |_| {}).await;
            assert!(matches!(refused, Err(AgentError::Impossible(Obstacle::Range))), "{from}-{end}");
        }
        let left = std::fs::read_dir(&to).unwrap();
        assert!(left.map(|file| file.unwrap().path()).all(|file| !file.to_string_lossy().ends_with(".partial")));
    }
    let to = Destination::File(world.folder("none"));
    let all = fetch_range(&mut b, &mut from_b, vault, everything(), part(0, 1), to, &mut |_| {}).await;
    assert!(matches!(all, Err(AgentError::Impossible(Obstacle::Range))), "a part of which record?");
}

#[tokio::test]
async fn a_part_costs_one_use_and_a_record_out_of_reach_is_no_part() {
    let world = World::new();
    let (mut patient, mut home, _) = world.patient().await;
    let vault = patient.vault().unwrap();
    let (mut a, mut from_a) = world.facility("Hospital A", &patient);
    granted(&mut patient, &mut home, &a, Template::Deposit, &[IMAGING]).await;
    let files = [world.file("one", 3_000_000, 1), world.file("two", 3_000_000, 2)];
    let stored = put(&mut a, &mut from_a, vault, files.iter().map(|f| record(f, IMAGING)).collect()).await.unwrap();
    let (mut b, mut from_b) = world.facility("Pharmacy B", &patient);
    let new = NewGrant { records: vec![stored.records[0].record], ..terms(&b, Template::Pharmacy, &[]) };
    grant(&mut patient, &mut home, new).await.unwrap();
    let to = || Destination::File(world.folder("part"));
    let other = Query { records: vec![stored.records[1].record], ..everything() };
    let refused = fetch_range(&mut b, &mut from_b, vault, other, part(0, 9), to(), &mut |_| {}).await;
    assert!(matches!(refused, Err(AgentError::Unknown(Missing::Grant))), "{refused:?}");
    let query = || Query { records: vec![stored.records[0].record], ..everything() };
    let got = fetch_range(&mut b, &mut from_b, vault, query(), part(2_000_000, 2_500_000), to(), &mut |_| {}).await;
    assert_eq!(std::fs::read(got.unwrap().path).unwrap(), std::fs::read(&files[0]).unwrap()[2_000_000..2_500_000]);
    let again = fetch_range(&mut b, &mut from_b, vault, query(), part(0, 9), to(), &mut |_| {}).await;
    assert!(matches!(again, Err(AgentError::Refused)), "{again:?}");
}
