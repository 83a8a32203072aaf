//! What stands in a scenario file.

use serde::Deserialize;

use super::values::{Delay, Moment, Score, Scores, Share, Time};
use crate::call::{LineUp, Version};
use crate::drill::expectation::Expectation;
use crate::drill::fault::Fault;
use crate::drill::traffic::Traffic;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::name::{DocumentType, Field, VersionId};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioTable {
    pub(super) name: Option<String>,
    pub(super) length: Time,
    pub(super) beginning_at: Option<Moment>,
    pub(super) seed: Option<u64>,
    #[serde(default)]
    pub(super) traffic: Vec<TrafficEntry>,
    #[serde(default)]
    pub(super) fault: Vec<FaultEntry>,
    pub(super) expect: ExpectTable,
}

#[derive(Deserialize)]
#[serde(try_from = "TrafficTable")]
pub(super) struct TrafficEntry(pub(super) Traffic);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrafficTable {
    of: String,
    per_hour: u32,
    #[serde(default)]
    at_random: bool,
    by_hour: Option<[u32; 24]>,
    on_weekends: Option<Share>,
    at_month_end: Option<u32>,
    tokens: Option<u64>,
    latency: Option<Delay>,
    failing: Option<FailingTable>,
    field: Option<Field>,
    confidence: Option<Scores>,
    corrections: Option<CorrectionsTable>,
    compared_with: Option<ComparedTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailingTable {
    kind: FailureKind,
    share: Share,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorrectionsTable {
    share: Share,
    after: Delay,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComparedTable {
    candidate: VersionId,
    share: Share,
}

impl TryFrom<TrafficTable> for TrafficEntry {
    type Error = Error;

    fn try_from(table: TrafficTable) -> Result<Self, Error> {
        let mut traffic = Traffic::of(table.of, table.per_hour)?;
        if table.at_random {
            traffic = traffic.at_random();
        }
        if let Some(percent) = table.by_hour {
            traffic = traffic.by_hour(percent);
        }
        if let Some(Share(share)) = table.on_weekends {
            traffic = traffic.on_weekends(share);
        }
        if let Some(times) = table.at_month_end {
            traffic = traffic.at_month_end(times);
        }
        if let Some(tokens) = table.tokens {
            traffic = traffic.tokens(tokens);
        }
        if let Some(Delay(latency)) = table.latency {
            traffic = traffic.latency(latency);
        }
        if let Some(FailingTable { kind, share }) = table.failing {
            traffic = traffic.failing(kind, share.0);
        }
        let field = table.field.unwrap_or_else(|| traffic.field.clone());
        let scores = table.confidence.map(|scores| scores.0);
        let scores = scores.unwrap_or_else(|| traffic.confidence.clone());
        traffic = traffic.confidence(field, scores);
        if let Some(CorrectionsTable { share, after }) = table.corrections {
            traffic = traffic.corrections(share.0, after.0);
        }
        if let Some(ComparedTable { candidate, share }) = table.compared_with {
            traffic = traffic.compared_with(candidate, share.0);
        }
        traffic.check()?;
        Ok(Self(traffic))
    }
}

/// A fault, and the time after which it begins.
#[derive(Deserialize)]
#[serde(try_from = "FaultTable")]
pub(super) struct FaultEntry {
    pub(super) after: Time,
    pub(super) fault: Fault,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the file, and one of them is given"
)]
struct FaultTable {
    after: Time,
    lasting: Option<Time>,
    share: Option<Share>,
    of_type: Option<DocumentType>,
    of_version: Option<VersionId>,
    #[serde(default)]
    abandon: bool,
    add_tokens: Option<u64>,
    correct: Option<Share>,
    deploy: Option<LineUpTable>,
    diverge: Option<Share>,
    fail: Option<FailureKind>,
    #[serde(default)]
    hang: bool,
    jump_clock_back: Option<Time>,
    jump_clock_forward: Option<Time>,
    lower_confidence: Option<Score>,
    #[serde(default)]
    silence: bool,
    #[serde(default)]
    sink_down: bool,
    spread_confidence: Option<Score>,
    #[serde(default)]
    stop_feedback: bool,
}

impl TryFrom<FaultTable> for FaultEntry {
    type Error = Error;

    fn try_from(table: FaultTable) -> Result<Self, Error> {
        let after = table.after;
        let line_up = table.deploy.map(LineUpTable::line_up).transpose()?;
        if table.share.is_some() && (table.correct.is_some() || table.diverge.is_some()) {
            let allowed = "no share: that of `correct` or `diverge` is the share";
            return Err(Error::invalid("share of a fault", "one more", allowed));
        }
        let faults = [
            table.abandon.then(Fault::abandon),
            table.add_tokens.map(Fault::add_tokens),
            table.correct.map(|share| Fault::correct(share.0)),
            line_up.map(Fault::deploy),
            table.diverge.map(|share| Fault::diverge(share.0)),
            table.fail.map(Fault::fail),
            table.hang.then(Fault::hang),
            table.jump_clock_back.map(|by| Fault::jump_clock_back(by.0)),
            table
                .jump_clock_forward
                .map(|by| Fault::jump_clock_forward(by.0)),
            table
                .lower_confidence
                .map(|by| Fault::lower_confidence(by.0)),
            table.silence.then(Fault::silence),
            table.sink_down.then(Fault::sink_down),
            table
                .spread_confidence
                .map(|by| Fault::spread_confidence(by.0)),
            table.stop_feedback.then(Fault::stop_feedback),
        ];
        let mut faults = faults.into_iter().flatten();
        let (Some(mut fault), None) = (faults.next(), faults.next()) else {
            let allowed = format!("one of {}", FAULTS.join(", "));
            return Err(Error::invalid(
                "what goes wrong",
                "none or several",
                allowed,
            ));
        };
        if let Some(Share(share)) = table.share {
            fault = fault.share(share);
        }
        if let Some(document_type) = table.of_type {
            fault = fault.of_type(document_type);
        }
        if let Some(version) = table.of_version {
            fault = fault.of_version(version);
        }
        if let Some(Time(time)) = table.lasting {
            fault = fault.lasting(time);
        }
        fault.check()?;
        Ok(Self { after, fault })
    }
}

const FAULTS: [&str; 14] = [
    "abandon",
    "add_tokens",
    "correct",
    "deploy",
    "diverge",
    "fail",
    "hang",
    "jump_clock_back",
    "jump_clock_forward",
    "lower_confidence",
    "silence",
    "sink_down",
    "spread_confidence",
    "stop_feedback",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineUpTable {
    stable: VersionTable,
    previous: Option<VersionTable>,
    candidate: Option<VersionTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionTable {
    id: String,
    model: String,
    #[serde(default)]
    system_prompt_tokens: u64,
    #[serde(default)]
    reserved_answer_tokens: u64,
}

impl LineUpTable {
    fn line_up(self) -> Result<LineUp, Error> {
        let mut line_up = LineUp::new(self.stable.version()?);
        if let Some(previous) = self.previous {
            line_up = line_up.with_previous(previous.version()?);
        }
        if let Some(candidate) = self.candidate {
            line_up = line_up.with_candidate(candidate.version()?);
        }
        Ok(line_up)
    }
}

impl VersionTable {
    fn version(self) -> Result<Version, Error> {
        let version = Version::new(self.id, self.model)?;
        Ok(version
            .with_system_prompt_tokens(self.system_prompt_tokens)
            .with_reserved_answer_tokens(self.reserved_answer_tokens))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectTable {
    detects_within: Option<Time>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    loses_nothing: bool,
    #[serde(default)]
    pub(super) must_fail_without: Vec<String>,
    #[serde(default)]
    no_page: bool,
    #[serde(default)]
    pages: Vec<String>,
    #[serde(default)]
    resolve: bool,
    serves_from: Option<VersionId>,
}

impl ExpectTable {
    pub(super) fn expectations(&self) -> Vec<Expectation> {
        let within = self
            .detects_within
            .map(|time| Expectation::Detected(time.0));
        let pages = self.pages.iter().cloned().map(Expectation::Page);
        let events = self.events.iter().cloned().map(Expectation::Told);
        let serves = self.serves_from.clone().map(Expectation::ServedFrom);
        within
            .into_iter()
            .chain(self.no_page.then_some(Expectation::NoPage))
            .chain(pages)
            .chain(events)
            .chain(self.loses_nothing.then_some(Expectation::LosesNothing))
            .chain(self.resolve.then_some(Expectation::Resolved))
            .chain(serves)
            .collect()
    }
}
