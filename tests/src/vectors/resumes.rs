//! Requests that go on where an earlier one stopped: C-49.

use super::case::Fault;
use super::cast::{NOW, id16};
use super::decide::{Plea, Put, by_the_study};
use super::scene::{Scene, records};
use crate::{faults, list, map};

/// Resumes that cost no use.
pub fn permits() -> Vec<Fault<Put>> {
    faults![Put;
        "C-49" "none" resume_of_the_same_request,
        "C-49" "none" resume_of_a_part_of_the_request,
        "C-49" "none" resume_after_24_hours,
    ]
}

/// Resumes that would cost a use, with the reason of the denial.
pub fn denials() -> Vec<(u8, Fault<Put>)> {
    let faults = faults![Put;
        "C-49" "decide" resume_of_a_request_that_was_not_permitted,
        "C-49" "decide" resume_of_another_request,
        "C-49" "decide" resume_after_24_hours_and_a_second,
        "C-49" "decide" resume_with_another_action,
        "C-49" "decide" resume_under_another_chain,
        "C-49" "decide" resume_with_a_record_more,
        "C-49" "decide" resume_without_the_limit_on_records,
    ];
    faults.into_iter().map(|fault| (17, fault)).collect()
}

/// The study has spent its uses and asks to go on.
fn go_on(plea: &mut Plea, scene: &Scene) {
    by_the_study(plea, scene, 5);
    let earlier = plea.request.clone().with(1, id16("earlier request")).with(13, NOW - 3600);
    plea.request.set(14, id16("earlier request"));
    plea.earlier = Some((earlier, NOW - 3600));
}

fn earlier(plea: &mut Plea) -> &mut (crate::vectors::cbor::Cbor, u64) {
    plea.earlier.as_mut().expect("there was one")
}

fn resume_of_the_same_request(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
}

fn resume_of_a_part_of_the_request(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    let collections = list![scene.world.lab];
    earlier(plea).0.set(5, map! { 1 => collections, 3 => records(2) });
}

fn resume_after_24_hours(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    earlier(plea).1 = NOW - 86_400;
}

fn resume_of_a_request_that_was_not_permitted(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    plea.earlier = None;
}

fn resume_of_another_request(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    earlier(plea).0.set(1, id16("another request"));
}

fn resume_after_24_hours_and_a_second(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    earlier(plea).1 = NOW - 86_401;
}

fn resume_with_another_action(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    earlier(plea).0.set(4, 2);
}

fn resume_under_another_chain(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    earlier(plea).0.set(3, list![scene.ward]);
}

fn resume_with_a_record_more(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    let collections = list![scene.world.lab];
    plea.request.set(5, map! { 1 => collections, 3 => records(2) });
}

fn resume_without_the_limit_on_records(plea: &mut Plea, scene: &Scene) {
    go_on(plea, scene);
    let collections = list![scene.world.lab];
    plea.request.set(5, map! { 1 => collections });
}
