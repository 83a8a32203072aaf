//! How soon each rule sees each change.

use std::fmt::Write;
use std::time::Duration;

use fusebox::Error;

use crate::args::Args;
use crate::law::{Change, Law};
use crate::rule::Rule;
use crate::runs;
use crate::share::Share;
use crate::stream::{MINUTE, Setting, Stream, WINDOW};

pub(crate) const TRAFFIC: [u32; 3] = [10, 50, 500];
/// What is not seen by then counts as not seen.
const HORIZON: Duration = Duration::from_secs(24 * 3_600);
/// How often a run begins anew because the rule was wrong before the change.
const ATTEMPTS: u64 = 1_000;

/// How long a rule took: its documents and its time.
#[derive(Clone, Copy, Debug)]
struct Delay {
    documents: u32,
    time: Duration,
}

/// The delay in one run; `None` if the change was not seen within a day.
fn delay(setting: Setting, change: Change, seed: u64) -> Result<Option<Delay>, Error> {
    for attempt in 0..ATTEMPTS {
        let mut stream = Stream::new(setting, seed ^ (attempt << 32))?;
        let changes_at = stream.now + WINDOW;
        while stream.now < changes_at && stream.found() == 0 {
            stream.step(Law::score)?;
        }
        if stream.found() > 0 {
            continue;
        }
        let (begins_at, mut documents) = (stream.now, 0);
        while stream.now.since(begins_at) < HORIZON {
            let is_document = stream.step(|law, chance| law.changed(change, chance))?;
            documents += u32::from(is_document);
            if stream.found() > 0 {
                let time = stream.now.since(begins_at);
                return Ok(Some(Delay { documents, time }));
            }
        }
        return Ok(None);
    }
    Ok(None)
}

/// Two tables: what each rule sees within 30 minutes, and how long it takes.
pub(crate) fn markdown(law: Law, args: &Args) -> Result<String, Error> {
    let rules = Rule::ALL.map(Rule::title).join(" | ");
    let head = format!(
        "| in 4 h | change | {rules} |\n|{}\n",
        "---|".repeat(Rule::ALL.len() + 2)
    );
    let title = law.title();
    let mut in_time = format!("### {title}: seen within 30 minutes\n\n{head}");
    let mut delays =
        format!("### {title}: delay in documents (minutes), median / 90th percentile\n\n{head}");
    for in_a_window in TRAFFIC {
        for change in Change::ALL {
            let (mut shares, mut cells) = (Vec::new(), Vec::new());
            for rule in Rule::ALL {
                let setting = Setting {
                    rule,
                    law,
                    in_a_window,
                    baseline: args.baseline,
                };
                let run = |seed| delay(setting, change, seed);
                let outcomes = runs::outcomes(args.runs, args.seed, run)?;
                let is_in_time =
                    |delay: &Option<Delay>| delay.is_some_and(|delay| delay.time <= 30 * MINUTE);
                shares.push(Share::of(&outcomes, is_in_time).to_string());
                cells.push(quantiles(&outcomes));
            }
            let line = format!("| {in_a_window} | {} |", change.title());
            // Writing to a string cannot fail.
            let _ = writeln!(in_time, "{line} {} |", shares.join(" | "));
            let _ = writeln!(delays, "{line} {} |", cells.join(" | "));
        }
    }
    Ok(format!("{in_time}\n{delays}"))
}

/// The median and the 90th percentile of the documents and of the minutes.
fn quantiles(outcomes: &[Option<Delay>]) -> String {
    let documents = at_quantiles(
        outcomes,
        |delay| delay.documents.to_string(),
        |delay| delay.documents,
    );
    let in_minutes = |delay: &Delay| format!("{:.0}", delay.time.as_secs_f64() / 60.0);
    let minutes = at_quantiles(outcomes, in_minutes, |delay| delay.time);
    if documents == ["never", "never"] {
        return "never".to_owned();
    }
    format!("{} ({})", documents.join(" / "), minutes.join(" / "))
}

/// What was not seen is later than all that was.
fn at_quantiles<K: Ord>(
    outcomes: &[Option<Delay>],
    text: impl Fn(&Delay) -> String,
    key: impl Fn(&Delay) -> K,
) -> [String; 2] {
    let mut sorted: Vec<&Delay> = outcomes.iter().flatten().collect();
    sorted.sort_by_key(|delay| key(delay));
    [50, 90].map(|percent| {
        let place = (outcomes.len() * percent).div_ceil(100).saturating_sub(1);
        sorted
            .get(place)
            .map_or_else(|| "never".to_owned(), |delay| text(delay))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(documents: u32) -> Delay {
        let time = documents * MINUTE;
        Delay { documents, time }
    }

    #[test]
    fn what_was_not_seen_is_later_than_all_that_was() {
        let of_ten = |seen_runs: u32| -> Vec<_> {
            (1..=10)
                .map(|n| (n <= seen_runs).then(|| seen(n)))
                .collect()
        };
        assert_eq!(quantiles(&of_ten(10)), "5 / 9 (5 / 9)");
        assert_eq!(quantiles(&of_ten(5)), "5 / never (5 / never)");
        assert_eq!(quantiles(&of_ten(4)), "never");
    }
}
