//! A stage has one number, in texts, in JSON, on tickets and in the status.

use fusebox::CanaryPolicy;
use fusebox::rollout::RolloutState;
use serde_json::Value;

use super::{experience, hours, running};
use crate::operator::{pause, resume};
use crate::support::{Bench, line_up, minutes};

/// The stage that each event of the rollout has in its JSON and in its text.
fn stages(bench: &Bench) -> Vec<(String, u64)> {
    let events = bench.events().into_iter();
    let staged = events.filter_map(|event| {
        let written = serde_json::to_value(&event).unwrap();
        let stage = written.get("stage")?.as_u64()?;
        let text = event.to_string();
        let (_, after) = text.split_once(" stage ").unwrap();
        let number: String = after.chars().take_while(char::is_ascii_digit).collect();
        assert_eq!(number, stage.to_string(), "{text}");
        Some((event.kind.name().to_owned(), stage))
    });
    staged.collect()
}

fn in_status(canary: &CanaryPolicy) -> Value {
    serde_json::to_value(canary.status()).unwrap()["stage"].clone()
}

#[test]
fn the_first_stage_is_stage_1_and_the_second_stage_2() {
    let (bench, canary) = running();
    assert_eq!(stages(&bench), [("stage_started".to_owned(), 1)]);
    assert_eq!(in_status(&canary), 1);
    assert!(canary.status().to_string().contains(" at stage 1 "));
    assert_eq!(bench.permit("invoice").release().stage(), Some(1));
    experience(&bench, (30, 1_000), (570, 19_000));
    pause(&canary).unwrap();
    resume(&canary).unwrap();
    bench.tick_after(hours(2));
    let names = ["rollout_commanded", "rollout_commanded", "stage_started"];
    let expected = names.map(str::to_owned).into_iter().zip([1, 1, 2]);
    assert_eq!(stages(&bench), expected.collect::<Vec<_>>());
    assert_eq!(in_status(&canary), 2);
    assert!(canary.status().to_string().contains(" at stage 2 "));
    assert_eq!(bench.permit("invoice").release().stage(), Some(2));
    bench.tick_after(hours(4) + minutes(1));
    assert_eq!(canary.status().state, RolloutState::Promoted);
    assert_eq!(in_status(&canary), 2, "the last one");
}

#[test]
fn without_a_rollout_there_is_no_stage() {
    let (bench, canary) = running();
    bench.pipeline.deploy(line_up()).unwrap();
    bench.pipeline.tick();
    assert_eq!(in_status(&canary), 0);
    assert_eq!(bench.permit("invoice").release().stage(), None);
}
