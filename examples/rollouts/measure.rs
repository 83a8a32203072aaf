//! Many runs of one setting, and their shares.

use std::fmt::Write;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

use fusebox::Error;

use crate::simulation::{Outcome, Verdict};

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_964;

/// One line of a table: a setting that is run many times.
pub(crate) struct Line {
    /// The values under the table's own headings.
    pub(crate) settings: Vec<String>,
    /// Whether the candidate is worse than tolerated; otherwise a rollback is wrong.
    pub(crate) is_worse: bool,
    pub(crate) run: Box<dyn Fn(u64) -> Result<Outcome, Error> + Sync>,
}

pub(crate) struct Table {
    pub(crate) title: String,
    /// The headings of the settings.
    pub(crate) headings: Vec<&'static str>,
    pub(crate) lines: Vec<Line>,
}

/// A table as Markdown, and how many documents were simulated.
pub(crate) fn markdown(table: &Table, runs: u32, seed: u64) -> Result<(String, u64), Error> {
    let headings = table.headings.join(" | ");
    let rules = "---|".repeat(table.headings.len() + 4);
    let mut text = format!(
        "### {}\n\n| {headings} | promoted | rolled back | escalated, no verdict | hours |\n|{rules}\n",
        table.title
    );
    let mut documents = 0;
    for line in &table.lines {
        let outcomes = outcomes(line, runs, seed)?;
        documents += outcomes
            .iter()
            .map(|outcome| u64::from(outcome.documents))
            .sum::<u64>();
        let of = |is: &dyn Fn(&Outcome) -> bool| count(outcomes.iter().filter(|one| is(one)));
        let promoted = of(&|outcome| outcome.verdict == Some(Verdict::Promoted));
        let rolled_back = of(&|outcome| outcome.verdict == Some(Verdict::RolledBack));
        let escalated = of(&|outcome| outcome.verdict.is_none() && outcome.was_escalated);
        let [promoted, rolled_back] = [(promoted, line.is_worse), (rolled_back, !line.is_worse)]
            .map(|(events, is_wrong)| {
                let share = share(events, runs);
                if is_wrong {
                    format!("**{share}**")
                } else {
                    share
                }
            });
        let settings = line.settings.join(" | ");
        let escalated = share(escalated, runs);
        let hours = median_hours(&outcomes);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {settings} | {promoted} | {rolled_back} | {escalated} | {hours} |"
        );
    }
    Ok((text, documents))
}

/// The runs with the seeds from this one on, on all cores; the order is that of the seeds.
fn outcomes(line: &Line, runs: u32, seed: u64) -> Result<Vec<Outcome>, Error> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let seeds: Vec<u64> = (0..runs)
        .map(|run| seed.wrapping_add(u64::from(run)))
        .collect();
    let share = seeds.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let chunks: Vec<_> = seeds
            .chunks(share)
            .map(|seeds| {
                scope.spawn(|| -> Result<Vec<Outcome>, Error> {
                    seeds.iter().map(|seed| (line.run)(*seed)).collect()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(seeds.len());
        for chunk in chunks {
            match chunk.join() {
                Ok(outcomes) => all.extend(outcomes?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// A share with its interval: `.025 (.014 to .045)`.
fn share(events: u32, runs: u32) -> String {
    let (low, high) = wilson(events, runs);
    let share = f64::from(events) / f64::from(runs);
    format!("{} ({} to {})", three(share), three(low), three(high))
}

fn three(share: f64) -> String {
    let text = format!("{share:.3}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}

/// The 95 % interval of a share (Wilson, "Probable Inference, the Law of Succession, and
/// Statistical Inference", 1927).
fn wilson(events: u32, runs: u32) -> (f64, f64) {
    let (n, p) = (f64::from(runs), f64::from(events) / f64::from(runs));
    let around = p + Z * Z / (2.0 * n);
    let width = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    let (low, high) = ((around - width) / whole, (around + width) / whole);
    (low.max(0.0), high.min(1.0))
}

/// The median time to the verdict, of the runs that have one.
fn median_hours(outcomes: &[Outcome]) -> String {
    let decided = outcomes.iter().filter(|outcome| outcome.verdict.is_some());
    let mut times: Vec<Duration> = decided.map(|outcome| outcome.after).collect();
    times.sort_unstable();
    times.get(times.len() / 2).map_or_else(
        || "-".to_owned(),
        |median| format!("{:.1}", median.as_secs_f64() / 3_600.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method
    /// 3: 81 of 263, 15 of 148, 0 of 20 and 1 of 29.
    #[test]
    fn the_interval_is_the_published_one() {
        for (events, runs, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (got_low, got_high) = wilson(events, runs);
            assert!(
                (got_low - low).abs() < 0.000_06,
                "{got_low}, expected {low}"
            );
            assert!(
                (got_high - high).abs() < 0.000_06,
                "{got_high}, expected {high}"
            );
        }
    }

    #[test]
    fn shares_are_written_short() {
        assert_eq!(share(0, 20), ".000 (.000 to .161)");
        assert_eq!(three(1.0), "1.000");
    }
}
