//! Whole rollouts by chance: corrections in batches, and corrections that come hours later.

use std::collections::BTreeMap;
use std::sync::Arc;

use fusebox::Feedback;
use fusebox::rollout::RolloutState;
use fusebox::{CanaryPolicy, Field, Ratio, Report, Ticket};

use super::{hours, started};
use crate::chance::Chance;
use crate::support::{Bench, answered, minutes};

fn running(share: Ratio) -> (Bench, Arc<CanaryPolicy>) {
    let canary = CanaryPolicy::builder().stage(share, hours(2));
    let canary = canary.stage(Ratio::percent(80), hours(4));
    started(canary.build().unwrap())
}

/// Documents come all the time for two hours; each that is wrong is corrected after six hours in
/// the mean (exponential). 15 % of the corrections have come by then: enough of them to tell, at
/// these rates, and too few to go on.
#[test]
fn corrections_that_take_six_hours_promote_nothing_after_two() {
    for (run, rate) in (0..6).zip([0.1, 0.1, 0.2, 0.2, 0.3, 0.3]) {
        let (bench, canary) = running(Ratio::percent(25));
        let mut chance = Chance::new(run);
        let mut to_come: BTreeMap<u64, Vec<Ticket>> = BTreeMap::new();
        let mut most = 0.0_f64;
        for minute in 0..=120_u64 {
            for _ in 0..20 {
                let ticket = answered(bench.permit("invoice"), Report::new());
                if chance.uniform() < rate {
                    let delay = format!("{:.0}", -360.0 * chance.uniform().ln());
                    let due = minute + delay.parse::<u64>().unwrap();
                    to_come.entry(due).or_default().push(ticket);
                }
            }
            for ticket in to_come.remove(&minute).unwrap_or_default() {
                let field = Field::new("total").unwrap();
                bench.pipeline.observe(&ticket, Feedback::corrected(field));
            }
            let status = canary.status();
            most = most.max(status.evidence.information);
            assert_eq!(status.stage, 1, "run {run}, minute {minute}: {status}");
            assert_eq!(status.state, RolloutState::Running, "run {run}: {status}");
            bench.tick_after(minutes(1));
        }
        assert!(most > 3.0, "there was enough to tell: {most}");
    }
}
