//! Fetches and lists from a host that is damaged, or lies: the reader notices, and keeps nothing that it did not verify.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use karute_consent::id::RecordId;
use karute_node::agent::error::AgentError;
use karute_node::frame::{Frame, FrameKind};
use karute_protocol::message::Message;
use karute_tests::world::wanted;

use super::middle::rewriting;
use super::scene::{Scene, files_below, lab, noise};

/// A has deposited these, B may read them.
async fn scene_with(seed: u64, sizes: &[usize]) -> (Scene, Vec<RecordId>) {
    let mut scene = Scene::new(seed).await;
    scene.lets_read("B", &[lab()]).await;
    let mut records = Vec::new();
    for (salt, size) in sizes.iter().enumerate() {
        records.push(scene.has_lab(&noise(*size, salt as u64)).await);
    }
    (scene, records)
}

/// B's next session runs through `change`.
fn through(scene: &mut Scene, change: impl FnMut(Frame) -> Vec<Frame> + Send + 'static) {
    let transport = scene.world.facility("B").agent.transport();
    let reach = rewriting(&scene.world, &transport, change);
    scene.world.facility("B").reach = reach;
}

/// B fetches everything into a folder; gives what came of it and what is in the folder then.
async fn fetched(scene: &mut Scene) -> (Result<usize, AgentError>, Vec<PathBuf>) {
    let (vault, to) = (scene.vault, scene.world.folder().join("to"));
    let done = scene.world.facility("B").fetches_to(vault, wanted(&[]), &to).await;
    (done.map(|lines| lines.len()), files_below(&to))
}

/// Changes the messages of the host.
fn messages(mut change: impl FnMut(Message) -> Option<Message> + Send) -> impl FnMut(Frame) -> Vec<Frame> + Send {
    move |frame| match (frame.kind, Message::decode(&frame.payload)) {
        (FrameKind::Message, Ok(message)) => {
            let changed = change(message).map(|message| message.encode().unwrap());
            changed.map(|payload| Frame { payload: payload.into(), ..frame }).into_iter().collect()
        }
        _ => vec![frame],
    }
}

#[tokio::test]
async fn a_body_that_is_damaged_on_the_hosts_disk_is_not_sent_as_good() {
    // At the beginning, in the middle, in the last group, and in the tree beside the body.
    for (case, place) in [Some(0.0), Some(0.5), Some(1.0), None].into_iter().enumerate() {
        let (mut scene, records) = scene_with(60 + case as u64, &[1_300_000]).await;
        let folder = scene.world.home().folder().join("bodies");
        let wanted_file = |path: &PathBuf| path.extension().is_none() == place.is_some();
        let path = files_below(&folder).into_iter().find(wanted_file).unwrap();
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let at = ((file.metadata().unwrap().len() - 1) as f64 * place.unwrap_or(0.0)) as u64;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        let (done, left) = fetched(&mut scene).await;
        assert!(done.is_err(), "byte {at} of {}: {done:?}", path.display());
        assert!(left.is_empty(), "nothing unverified and nothing half stays: {left:?}");
        // The node keeps serving what is not damaged.
        let other = scene.has_lab(b"another record").await;
        assert_eq!(scene.hanako().reads(other).await.unwrap(), b"another record");
        assert!(scene.hanako().reads(records[0]).await.is_err());
    }
}

#[tokio::test]
async fn a_body_that_the_host_changes_on_the_way_is_noticed() {
    let (mut scene, _) = scene_with(65, &[1_300_000]).await;
    let mut pieces = 0;
    through(&mut scene, move |frame| {
        let mut payload = frame.payload.to_vec();
        if frame.kind == FrameKind::Piece {
            pieces += 1;
            if pieces == 2 {
                payload[1000] ^= 1;
            }
        }
        vec![Frame { payload: payload.into(), ..frame }]
    });
    let (done, left) = fetched(&mut scene).await;
    assert!(matches!(done, Err(AgentError::VerificationFailed { .. })), "{done:?}");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_short_body_that_is_another_records_is_noticed() {
    let (mut scene, _) = scene_with(66, &[700, 701]).await;
    let mut first = None;
    through(
        &mut scene,
        messages(move |message| match message {
            Message::RecordAnswer(mut answer) => {
                let own = answer.body.clone();
                if let Some(other) = first.replace(own) {
                    answer.body = other;
                }
                Some(Message::RecordAnswer(answer))
            }
            other => Some(other),
        }),
    );
    let (done, left) = fetched(&mut scene).await;
    assert!(matches!(done, Err(AgentError::VerificationFailed { .. })), "{done:?}");
    assert_eq!(left.len(), 2, "the first record was good and stays, with its proof: {left:?}");
}

#[tokio::test]
async fn a_record_that_the_host_leaves_out_of_a_fetch_is_noticed() {
    for honest_end in [true, false] {
        let (mut scene, _) = scene_with(67, &[700, 701, 702]).await;
        let mut seen = 0;
        through(
            &mut scene,
            messages(move |message| match message {
                Message::RecordAnswer(answer) => {
                    seen += 1;
                    (seen != 2).then_some(Message::RecordAnswer(answer))
                }
                Message::Permitted(mut permitted) if !honest_end => {
                    permitted.count -= 1;
                    Some(Message::Permitted(permitted))
                }
                Message::End(mut end) if !honest_end => {
                    end.count -= 1;
                    Some(Message::End(end))
                }
                other => Some(other),
            }),
        );
        let (done, _) = fetched(&mut scene).await;
        assert!(done.is_err(), "the receipt says three records, two came (end honest: {honest_end}): {done:?}");
    }
}

#[tokio::test]
async fn a_record_or_tombstone_that_the_host_leaves_out_of_a_list_is_noticed() {
    let (mut scene, records) = scene_with(68, &[700, 701, 702]).await;
    let vault = scene.vault;
    scene.hanako().erases(&records[1..2]).await.unwrap();
    let honest = scene.world.facility("B").lists(vault, wanted(&[])).await.unwrap();
    assert_eq!((honest.records.len(), honest.gone.len(), honest.complete), (2, 1, true));
    for left_out in ["first record", "last record", "tombstone"] {
        let mut seen = 0;
        through(
            &mut scene,
            messages(move |message| {
                seen += u32::from(matches!(message, Message::RecordAnswer(_)));
                let dropped = match &message {
                    Message::RecordAnswer(_) => {
                        (left_out, seen) == ("first record", 1) || (left_out, seen) == ("last record", 2)
                    }
                    Message::Tombstone(_) => left_out == "tombstone",
                    _ => false,
                };
                (!dropped).then_some(message)
            }),
        );
        let listed = scene.world.facility("B").lists(vault, wanted(&[])).await;
        let complete = listed.as_ref().is_ok_and(|listed| listed.complete);
        assert!(!complete, "without the {left_out} the list is taken as whole: {listed:?}");
    }
}

#[tokio::test]
async fn a_record_shown_under_another_number_is_noticed() {
    let (mut scene, _) = scene_with(69, &[700, 701]).await;
    let vault = scene.vault;
    through(
        &mut scene,
        messages(|message| match message {
            Message::RecordAnswer(mut answer) => {
                answer.number.0 = 3 - answer.number.0;
                Some(Message::RecordAnswer(answer))
            }
            other => Some(other),
        }),
    );
    let listed = scene.world.facility("B").lists(vault, wanted(&[])).await;
    assert!(!listed.as_ref().is_ok_and(|listed| listed.complete), "{listed:?}");
}
