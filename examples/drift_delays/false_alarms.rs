//! How often each rule finds a change where there is none.

use std::fmt::Write;
use std::time::Duration;

use fusebox::Error;

use crate::args::Args;
use crate::delays::TRAFFIC;
use crate::law::Law;
use crate::rule::Rule;
use crate::runs;
use crate::share::Share;
use crate::stream::{Setting, Stream, WINDOW};

const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The false alarms of a month, from the time when the first window is full.
fn of_a_month(setting: Setting, seed: u64) -> Result<u32, Error> {
    let mut stream = Stream::new(setting, seed)?;
    let begins_at = stream.now + WINDOW;
    let mut before = 0;
    while stream.now < begins_at + MONTH {
        stream.step(Law::score)?;
        if stream.now < begins_at {
            before = stream.found();
        }
    }
    Ok(stream.found() - before)
}

pub(crate) fn markdown(args: &Args) -> Result<String, Error> {
    let rules = Rule::ALL.map(Rule::title).join(" | ");
    let mut text = format!(
        "### False alarms of one field in 30 days: months with at least one; their mean number\n\n\
         | distribution | in 4 h | {rules} |\n|{}\n",
        "---|".repeat(Rule::ALL.len() + 2)
    );
    for law in Law::ALL {
        for in_a_window in TRAFFIC {
            let mut cells = Vec::new();
            for rule in Rule::ALL {
                let setting = Setting {
                    rule,
                    law,
                    in_a_window,
                    baseline: args.baseline,
                };
                let months =
                    runs::outcomes(args.months, args.seed, |seed| of_a_month(setting, seed))?;
                let share = Share::of(&months, |alarms| *alarms > 0);
                let mean = f64::from(months.iter().sum::<u32>()) / f64::from(args.months);
                cells.push(format!("{share}; {mean:.2}"));
            }
            let title = law.title();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {title} | {in_a_window} | {} |", cells.join(" | "));
        }
    }
    Ok(text)
}
