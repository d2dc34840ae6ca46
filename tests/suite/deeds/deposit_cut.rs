//! A deposit whose connection breaks, at every frame and inside of frames, in both directions: it goes on or leaves nothing,
//! and there is one record in the end.

use futures::future::join_all;

use super::middle::{Cut, cutting};
use super::scene::{Scene, files_below, lab, noise};

/// A whole piece of a body and some: two frames of type 1.
const FILE_BYTES: usize = 1_300_000;
/// Worlds that are played at the same time.
const AT_ONCE: usize = 6;

/// ```text
///   A ──── hello, sync, key, run, body, piece, piece, put ────x────> host
///     ──── again, from where the host stands ─────────────────────────────> host: one record, one receipt
/// ```
async fn cut_and_resumed(cut: Cut) {
    let mut scene = Scene::new(20).await;
    let (vault, file) = (scene.vault, noise(FILE_BYTES, 20));
    let transport = scene.world.facility("A").agent.transport();
    let (reach, _) = cutting(&scene.world, &transport, vec![cut]);
    scene.world.facility("A").reach = reach;
    let record = scene.has_lab(&file).await;
    assert_eq!(scene.records().await, (vec![record], true), "{cut:?}");
    assert_eq!(scene.hanako().reads(record).await.unwrap(), file, "{cut:?}");
    let kept = scene.world.host().store().find(vault, record).unwrap().unwrap();
    assert_eq!(kept.filed().number.0, 1, "{cut:?}");
    let folder = scene.world.home().folder().clone();
    assert_eq!(files_below(&folder.join("incoming")), Vec::<std::path::PathBuf>::new(), "{cut:?}");
    assert_eq!(files_below(&folder.join("bodies")).len(), 2, "{cut:?}: a body and its tree");
}

/// What a deposit without a cut sends and gets: where frames end, in both directions.
async fn frames() -> (Vec<usize>, Vec<usize>) {
    let mut scene = Scene::new(20).await;
    let transport = scene.world.facility("A").agent.transport();
    let (reach, passed) = cutting(&scene.world, &transport, Vec::new());
    scene.world.facility("A").reach = reach;
    scene.has_lab(&noise(FILE_BYTES, 20)).await;
    (passed.ends_up(), passed.ends_down())
}

async fn all(cuts: Vec<Cut>) {
    for some in cuts.chunks(AT_ONCE) {
        join_all(some.iter().map(|cut| cut_and_resumed(*cut))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_cut_between_any_two_frames_to_the_host_becomes_one_record() {
    let (up, _) = frames().await;
    assert!(up.len() >= 8, "hello, sync, key, run, body, two pieces, put: {up:?}");
    all(up.into_iter().map(Cut::Up).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_cut_inside_any_frame_to_the_host_becomes_one_record() {
    let (up, _) = frames().await;
    let begins = [0].into_iter().chain(up.iter().copied());
    let inside = begins.zip(up.iter().copied()).flat_map(|(from, to)| {
        // Inside of the head, in the middle, and one byte before the end.
        [from + 3, from + (to - from) / 2, to - 1]
    });
    all(inside.map(Cut::Up).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_whose_answers_are_cut_anywhere_becomes_one_record() {
    let (_, down) = frames().await;
    let around = down.iter().flat_map(|end| [*end, end - 1, end.saturating_sub(40)]);
    all(around.map(Cut::Down).collect()).await;
}

#[tokio::test]
async fn a_deposit_that_never_gets_through_leaves_nothing_that_counts() {
    let mut scene = Scene::new(21).await;
    let vault = scene.vault;
    let transport = scene.world.facility("A").agent.transport();
    // Each stream breaks in the middle of the first piece, and in the end nobody tries any more.
    let (reach, _) = cutting(&scene.world, &transport, vec![Cut::Up(9_000); 12]);
    scene.world.facility("A").reach = reach;
    let file = noise(FILE_BYTES, 21);
    let lost = scene.world.facility("A").deposits(vault, &file, lab()).await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(scene.records().await, (Vec::new(), true));
    let folder = scene.world.home().folder().clone();
    assert!(files_below(&folder.join("bodies")).is_empty());
    // The same file later, over a good connection.
    let reach = scene.world.reach(&transport);
    scene.world.facility("A").reach = reach;
    let record = scene.has_lab(&file).await;
    assert_eq!(scene.hanako().reads(record).await.unwrap(), file);
}

#[tokio::test]
async fn a_deposit_goes_on_after_the_host_was_ended_and_opened_again() {
    let mut scene = Scene::new(22).await;
    let file = noise(FILE_BYTES, 22);
    let transport = scene.world.facility("A").agent.transport();
    let (reach, passed) = cutting(&scene.world, &transport, vec![Cut::Up(900_000)]);
    scene.world.facility("A").reach = reach;
    let vault = scene.vault;
    let deposit = async { scene.world.facility("A").deposits(vault, &file, lab()).await };
    // The agent's own retries run while nothing else happens here, so the restart is played after a first, given up try.
    drop(tokio::time::timeout(std::time::Duration::from_millis(150), deposit).await);
    let sent = passed.up.lock().unwrap().len();
    scene.world.restarts_host().await;
    let (reach, passed) = cutting(&scene.world, &transport, Vec::new());
    scene.world.facility("A").reach = reach;
    let record = scene.has_lab(&file).await;
    assert_eq!(scene.hanako().reads(record).await.unwrap(), file);
    let sent_again = passed.up.lock().unwrap().len();
    assert!(sent + sent_again < 2 * FILE_BYTES, "it went on where the host stood: {sent} and {sent_again} bytes");
}
