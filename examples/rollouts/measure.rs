//! Many runs of one setting, and their shares.

use std::fmt::Write;
use std::time::Duration;

use fusebox::Error;

use crate::runs;
use crate::simulation::share::Share;
use crate::simulation::{Outcome, Verdict};

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
        let outcomes = runs::outcomes(runs, seed, &line.run)?;
        documents += outcomes
            .iter()
            .map(|outcome| u64::from(outcome.documents))
            .sum::<u64>();
        let share = |is: fn(&Outcome) -> bool| Share::of(&outcomes, is);
        let promoted = share(|outcome| outcome.verdict == Some(Verdict::Promoted));
        let rolled_back = share(|outcome| outcome.verdict == Some(Verdict::RolledBack));
        let [promoted, rolled_back] = [(promoted, line.is_worse), (rolled_back, !line.is_worse)]
            .map(|(share, is_wrong)| {
                if is_wrong {
                    format!("**{share}**")
                } else {
                    share.to_string()
                }
            });
        let settings = line.settings.join(" | ");
        let escalated = share(|outcome| outcome.verdict.is_none() && outcome.was_escalated);
        let hours = median_hours(&outcomes);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {settings} | {promoted} | {rolled_back} | {escalated} | {hours} |"
        );
    }
    Ok((text, documents))
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
