//! Drills as files, for those who write no Rust.

mod file;
mod plain_pager;
mod values;

use std::path::Path;
use std::time::Duration;

use self::file::{ScenarioTable, TrafficEntry};
use self::plain_pager::plain_route;
use super::expectation::Expectation;
use super::proof::{Proof, fails_without};
use super::report::DrillReport;
use super::script::Script;
use crate::error::Error;
use crate::pipeline::Builder;

/// A drill that stands in a TOML file: what arrives, what breaks, and what is expected.
///
/// ```
/// use fusebox::drill::{DrillOutcome, Scenario};
/// use fusebox::{ErrorRateBreaker, LineUp, Pipeline, Version};
///
/// let scenario = Scenario::from_toml(r#"
///     name = "a fifth of the calls fails"
///     length = "2h"
///
///     [[traffic]]
///     of = "invoice"
///     per_hour = 600
///
///     [[fault]]
///     after = "1h"
///     fail = "server_error"
///     share = "20 %"
///
///     [expect]
///     detects_within = "30m"
///     pages = ["error-rate/failing"]
///     must_fail_without = ["error-rate"]
/// "#)?;
/// let production = || {
///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
///     Ok(Pipeline::builder(line_up).guard(ErrorRateBreaker::default()))
/// };
/// let report = scenario.run(production)?;
/// assert_eq!(report.outcome(), DrillOutcome::Passed, "{report}");
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// # What stands in it
///
/// A time is a text such as `"90s"` or `"1h 30m"`, a share one such as `"2.5 %"`, a confidence a
/// number from 0 to 1. A key that is not in this list is an error; so is a fault that cannot be, in
/// the words of the method of the same name in [`Drill`](crate::Drill),
/// [`Traffic`](super::Traffic) and [`Fault`](super::Fault).
///
/// | key | what it is |
/// |---|---|
/// | `name` | what the scenario is called; the name of the file by default |
/// | `length` | for how long it runs |
/// | `beginning_at` | when it begins, such as `"2026-01-30T00:00:00Z"` |
/// | `seed` | what is drawn |
/// | `pager` | `true` if a pager takes the pages, as with [`Drill::pager`](crate::Drill::pager); one of the drill's own |
/// | `[[traffic]]` | at least one |
/// | `recording` | a file of recorded documents, as JSON Lines ([`Recording`](super::Recording)), in the folder of the scenario; beside it only `repeating` and `compared_with` |
/// | `repeating` | `true` if the recording begins again where it ends |
/// | or `of`, `per_hour` | the document type, and how many documents come in an hour, with what follows |
/// | `at_random` | `true` if they do not come at even intervals |
/// | `by_hour` | 24 percentages of `per_hour`, from midnight in UTC |
/// | `on_weekends`, `at_month_end` | a share; how many times as many |
/// | `tokens` | the tokens of a document |
/// | `latency` | a time, `{ exponential = "20s" }`, or `{ median = "10s", p95 = "60s" }` |
/// | `failing` | `{ kind = "truncated", share = "1 %" }` |
/// | `field`, `confidence` | the field of each answer; a number, or `{ mean = 0.95, deviation = 0.03 }` |
/// | or `confidences` | those of several fields: `{ total = 0.95, vat_id = { mean = 0.9, deviation = 0.03 } }` |
/// | `corrections` | `{ share = "3 %", after = "1h" }`; `after` can be as `latency` |
/// | `picked_up_after` | the time until a person picks up what waits for one, as `latency` |
/// | `compared_with` | `{ candidate = "v8", share = "50 %" }` |
/// | `[[fault]]` | none or more |
/// | `after`, `lasting` | when it begins, and for how long it lasts |
/// | `share`, `of_type`, `of_version`, `of_field` | which documents it meets, and which field |
/// | one of `abandon`, `drop_facts`, `hang`, `lose_store`, `omit_confidence`, `pager_down`, `restart`, `restart_without_snapshot`, `share_store`, `silence`, `sink_down`, `sink_panics`, `stop_feedback`, `stop_ticks`, `store_down` | `true` |
/// | or one of `correct`, `diverge` | a share |
/// | or `fail` | a [`FailureKind`](crate::FailureKind), such as `"server_error"` |
/// | or one of `add_tokens`, `add_usage`, `cut_prompts` | a number |
/// | or one of `fix_confidence`, `lower_confidence`, `spread_confidence` | a number |
/// | or one of `jump_clock_back`, `jump_clock_forward` | a time |
/// | or `deploy` | `{ stable = { id = "v8", model = "gpt-4o", system_prompt_tokens = 1200, reserved_answer_tokens = 500 } }`, with `previous` and `candidate` alike |
/// | `[expect]` | at least one of the following |
/// | `detects_within` | a time |
/// | `pages`, `incidents`, `ended` | lists of incidents: that are paged for, that something is told of, that end |
/// | `pages_with`, `events` | lists of names of events: that come as a page, that come |
/// | `no_page`, `resolve`, `loses_nothing` | `true` |
/// | `serves_from` | the id of a version |
/// | `must_fail_without` | a list of guards |
#[derive(Clone, Debug)]
pub struct Scenario {
    name: String,
    script: Script,
    proof: Proof,
}

impl Scenario {
    /// Reads a file. The error names the file, the line where there is one to name, and what is
    /// allowed.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|error| Error::file(path.display(), error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &name, &path.display().to_string(), folder)
    }

    /// Reads the text of a file. The error names the line where there is one to name, and what is
    /// allowed. A recording is read from the folder that the program runs in.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        Self::parse(text, "scenario", "scenario", Path::new(""))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it expects, each as a sentence, as in [`Check::expected`](super::Check::expected) of its
    /// report.
    pub fn expected(&self) -> impl Iterator<Item = String> + '_ {
        let expectations = self.proof.expectations.iter().map(ToString::to_string);
        let guards = self.proof.guards.iter();
        expectations.chain(guards.map(|guard| fails_without(guard)))
    }

    pub(super) fn length(&self) -> Duration {
        self.script.length
    }

    /// Whether nothing breaks in it, and nobody must be paged.
    pub fn is_healthy(&self) -> bool {
        self.script.faults.is_empty() && self.proof.expectations.contains(&Expectation::NoPage)
    }

    /// Runs it against the pipelines that this function builds; see
    /// [`Drill::new`](crate::Drill::new) and [`Drill::run_for`](crate::Drill::run_for).
    pub fn run(
        &self,
        production: impl Fn() -> Result<Builder, Error>,
    ) -> Result<DrillReport, Error> {
        self.proof.of(&self.script, production)
    }

    fn parse(text: &str, name: &str, place: &str, folder: &Path) -> Result<Self, Error> {
        let in_line = |byte| format!("{place}, line {}", line_at(text, byte));
        let table: ScenarioTable = toml::from_str(text).map_err(|error| {
            let span = error.span();
            let place = span.map_or(place.to_owned(), |span| in_line(span.start));
            Error::file(place, error.message())
        })?;
        let traffic = table.traffic.into_iter().map(|entry| match entry {
            TrafficEntry::MadeUp(traffic) => Ok(traffic),
            TrafficEntry::Recorded(entry) => {
                let traffic = entry.read(folder);
                traffic.map_err(|error| Error::file(in_line(entry.file.span().start), error))
            }
        });
        let traffic = traffic.collect::<Result<_, _>>()?;
        let routes = table.pager.then(plain_route).transpose()?;
        let routes = routes.into_iter().collect();
        let defaults = Script::default();
        let scenario = Self {
            proof: Proof {
                expectations: table.expect.expectations(),
                guards: table.expect.must_fail_without,
            },
            script: Script {
                traffic,
                faults: table
                    .fault
                    .into_iter()
                    .map(|entry| (entry.after.0, entry.fault))
                    .collect(),
                length: table.length.0,
                commands: Vec::new(),
                routes,
                begin: table.beginning_at.map_or(defaults.begin, |begin| begin.0),
                seed: table.seed.unwrap_or(defaults.seed),
            },
            name: table.name.unwrap_or_else(|| name.to_owned()),
        };
        let allowed = scenario.check();
        allowed.map_err(|error| Error::file(place, error))?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), Error> {
        if self.proof.expectations.is_empty() {
            return Err(Error::invalid(
                "[expect]",
                "nothing",
                "something without which the drill fails, such as `detects_within`",
            ));
        }
        self.proof.check_faults(&self.script)?;
        self.script.check()
    }
}

/// The number of the line that a byte stands in.
fn line_at(text: &str, byte: usize) -> usize {
    let before = text.bytes().take(byte);
    before.filter(|byte| *byte == b'\n').count() + 1
}
