//! What stands in a scenario file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::values::{Delay, Moment, Score, Scores, Share, Time};
use crate::call::{LineUp, Version};
use crate::drill::expectation::Expectation;
use crate::drill::fault::Fault;
use crate::drill::made_up::{USUAL_CONFIDENCE, USUAL_FIELD};
use crate::drill::replay::{Recording, RejectedRow};
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
    pub(super) pager: bool,
    #[serde(default)]
    pub(super) traffic: Vec<TrafficEntry>,
    #[serde(default)]
    pub(super) fault: Vec<FaultEntry>,
    pub(super) expect: ExpectTable,
}

#[derive(Deserialize)]
#[serde(try_from = "TrafficTable")]
pub(super) enum TrafficEntry {
    MadeUp(Traffic),
    Recorded(RecordingEntry),
}

/// A recording, whose file is still to be read.
pub(super) struct RecordingEntry {
    pub(super) file: Spanned<String>,
    repeating: bool,
    picked_up_after: Option<Delay>,
    compared_with: Option<ComparedTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrafficTable {
    of: Option<String>,
    per_hour: Option<u32>,
    recording: Option<Spanned<String>>,
    #[serde(default)]
    repeating: bool,
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
    confidences: Option<BTreeMap<Field, Scores>>,
    corrections: Option<CorrectionsTable>,
    picked_up_after: Option<Delay>,
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

    fn try_from(mut table: TrafficTable) -> Result<Self, Error> {
        match table.recording.take() {
            None => table.made_up().map(Self::MadeUp),
            Some(file) => table.recorded(file).map(Self::Recorded),
        }
    }
}

impl TrafficTable {
    fn made_up(self) -> Result<Traffic, Error> {
        let (Some(of), Some(per_hour)) = (self.of, self.per_hour) else {
            let allowed = "`of` and `per_hour`, or a `recording`";
            return Err(Error::invalid("[[traffic]]", "not both", allowed));
        };
        let mut traffic = Traffic::of(of, per_hour)?;
        if self.repeating {
            traffic = traffic.repeating();
        }
        if self.at_random {
            traffic = traffic.at_random();
        }
        if let Some(percent) = self.by_hour {
            traffic = traffic.by_hour(percent);
        }
        if let Some(Share(share)) = self.on_weekends {
            traffic = traffic.on_weekends(share);
        }
        if let Some(times) = self.at_month_end {
            traffic = traffic.at_month_end(times);
        }
        if let Some(tokens) = self.tokens {
            traffic = traffic.tokens(tokens);
        }
        if let Some(Delay(latency)) = self.latency {
            traffic = traffic.latency(latency);
        }
        if let Some(FailingTable { kind, share }) = self.failing {
            traffic = traffic.failing(kind, share.0);
        }
        for (field, scores) in confidences(self.field, self.confidence, self.confidences)? {
            traffic = traffic.confidence(field, scores.0);
        }
        if let Some(CorrectionsTable { share, after }) = self.corrections {
            traffic = traffic.corrections(share.0, after.0);
        }
        if let Some(Delay(delay)) = self.picked_up_after {
            traffic = traffic.picked_up_after(delay);
        }
        if let Some(ComparedTable { candidate, share }) = self.compared_with {
            traffic = traffic.compared_with(candidate, share.0);
        }
        traffic.check_settings()?;
        Ok(traffic)
    }

    /// A recording has its documents, types and times.
    fn recorded(self, file: Spanned<String>) -> Result<RecordingEntry, Error> {
        let others = [
            ("of", self.of.is_some()),
            ("per_hour", self.per_hour.is_some()),
            ("at_random", self.at_random),
            ("by_hour", self.by_hour.is_some()),
            ("on_weekends", self.on_weekends.is_some()),
            ("at_month_end", self.at_month_end.is_some()),
            ("tokens", self.tokens.is_some()),
            ("latency", self.latency.is_some()),
            ("failing", self.failing.is_some()),
            ("field", self.field.is_some()),
            ("confidence", self.confidence.is_some()),
            ("confidences", self.confidences.is_some()),
            ("corrections", self.corrections.is_some()),
        ];
        if let Some((key, _)) = others.iter().find(|(_, is_there)| *is_there) {
            let allowed = "no key but `repeating`, `picked_up_after` and `compared_with`";
            return Err(Error::invalid("key beside `recording`", key, allowed));
        }
        Ok(RecordingEntry {
            file,
            repeating: self.repeating,
            picked_up_after: self.picked_up_after,
            compared_with: self.compared_with,
        })
    }
}

/// The confidence of each field.
fn confidences(
    field: Option<Field>,
    scores: Option<Scores>,
    several: Option<BTreeMap<Field, Scores>>,
) -> Result<BTreeMap<Field, Scores>, Error> {
    let refuse = |got, allowed| Err(Error::invalid("confidences", got, allowed));
    match (field, scores, several) {
        (None, None, None) => Ok(BTreeMap::new()),
        (None, None, Some(several)) if several.is_empty() => refuse("none", "at least one field"),
        (None, None, Some(several)) => Ok(several),
        (_, _, Some(_)) => refuse(
            "beside one `field` or `confidence`",
            "either these, or all fields in `confidences`",
        ),
        (field, scores, None) => {
            let field = field.map_or_else(|| Field::new(USUAL_FIELD), Ok)?;
            let scores = scores.unwrap_or_else(|| Scores(USUAL_CONFIDENCE.into()));
            Ok(BTreeMap::from([(field, scores)]))
        }
    }
}

impl RecordingEntry {
    /// Reads its file, which lies in this folder. In contrast to a [`Recording`] that a program
    /// reads, it has no row that is rejected: nobody would look at them.
    pub(super) fn read(&self, folder: &Path) -> Result<Traffic, Error> {
        let path = folder.join(self.file.as_ref());
        let file = File::open(&path).map_err(|error| Error::file(path.display(), error))?;
        let recording = Recording::from_json_lines(BufReader::new(file));
        let recording = recording.map_err(|error| Error::file(path.display(), error))?;
        if let Some(RejectedRow { line, why }) = recording.rejected().first() {
            return Err(Error::file(format!("{}, line {line}", path.display()), why));
        }
        let traffic = Traffic::recorded(&recording);
        let mut traffic = traffic.map_err(|error| Error::file(path.display(), error))?;
        if self.repeating {
            traffic = traffic.repeating();
        }
        if let Some(Delay(delay)) = &self.picked_up_after {
            traffic = traffic.picked_up_after(delay.clone());
        }
        if let Some(ComparedTable { candidate, share }) = &self.compared_with {
            traffic = traffic.compared_with(candidate.clone(), share.0);
        }
        Ok(traffic)
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
    of_field: Option<Field>,
    of_type: Option<DocumentType>,
    of_version: Option<VersionId>,
    #[serde(default)]
    abandon: bool,
    add_tokens: Option<u64>,
    add_usage: Option<u64>,
    correct: Option<Share>,
    cut_prompts: Option<u64>,
    deploy: Option<LineUpTable>,
    diverge: Option<Share>,
    #[serde(default)]
    drop_facts: bool,
    fail: Option<FailureKind>,
    fix_confidence: Option<Score>,
    #[serde(default)]
    hang: bool,
    jump_clock_back: Option<Time>,
    jump_clock_forward: Option<Time>,
    #[serde(default)]
    lose_store: bool,
    lower_confidence: Option<Score>,
    #[serde(default)]
    omit_confidence: bool,
    #[serde(default)]
    pager_down: bool,
    #[serde(default)]
    restart: bool,
    #[serde(default)]
    restart_without_snapshot: bool,
    #[serde(default)]
    share_store: bool,
    #[serde(default)]
    silence: bool,
    #[serde(default)]
    sink_down: bool,
    #[serde(default)]
    sink_panics: bool,
    spread_confidence: Option<Score>,
    #[serde(default)]
    stop_feedback: bool,
    #[serde(default)]
    stop_ticks: bool,
    #[serde(default)]
    store_down: bool,
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
            table.add_usage.map(Fault::add_usage),
            table.correct.map(|share| Fault::correct(share.0)),
            table.cut_prompts.map(Fault::cut_prompts),
            line_up.map(Fault::deploy),
            table.diverge.map(|share| Fault::diverge(share.0)),
            table.drop_facts.then(Fault::drop_facts),
            table.fail.map(Fault::fail),
            table
                .fix_confidence
                .map(|score| Fault::fix_confidence(score.0)),
            table.hang.then(Fault::hang),
            table.jump_clock_back.map(|by| Fault::jump_clock_back(by.0)),
            table
                .jump_clock_forward
                .map(|by| Fault::jump_clock_forward(by.0)),
            table.lose_store.then(Fault::lose_store),
            table
                .lower_confidence
                .map(|by| Fault::lower_confidence(by.0)),
            table.omit_confidence.then(Fault::omit_confidence),
            table.pager_down.then(Fault::pager_down),
            table.restart.then(Fault::restart),
            table
                .restart_without_snapshot
                .then(Fault::restart_without_snapshot),
            table.share_store.then(Fault::share_store),
            table.silence.then(Fault::silence),
            table.sink_down.then(Fault::sink_down),
            table.sink_panics.then(Fault::sink_panics),
            table
                .spread_confidence
                .map(|by| Fault::spread_confidence(by.0)),
            table.stop_feedback.then(Fault::stop_feedback),
            table.stop_ticks.then(Fault::stop_ticks),
            table.store_down.then(Fault::store_down),
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
        if let Some(field) = table.of_field {
            fault = fault.of_field(field);
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

const FAULTS: [&str; 27] = [
    "abandon",
    "add_tokens",
    "add_usage",
    "correct",
    "cut_prompts",
    "deploy",
    "diverge",
    "drop_facts",
    "fail",
    "fix_confidence",
    "hang",
    "jump_clock_back",
    "jump_clock_forward",
    "lose_store",
    "lower_confidence",
    "omit_confidence",
    "pager_down",
    "restart",
    "restart_without_snapshot",
    "share_store",
    "silence",
    "sink_down",
    "sink_panics",
    "spread_confidence",
    "stop_feedback",
    "stop_ticks",
    "store_down",
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
    ended: Vec<String>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    incidents: Vec<String>,
    #[serde(default)]
    loses_nothing: bool,
    #[serde(default)]
    pub(super) must_fail_without: Vec<String>,
    #[serde(default)]
    no_page: bool,
    #[serde(default)]
    pages: Vec<String>,
    #[serde(default)]
    pages_with: Vec<String>,
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
        let with = self.pages_with.iter().cloned().map(Expectation::PagedWith);
        let incidents = self.incidents.iter().cloned().map(Expectation::Incident);
        let ended = self.ended.iter().cloned().map(Expectation::Ended);
        let events = self.events.iter().cloned().map(Expectation::Told);
        let serves = self.serves_from.clone().map(Expectation::ServedFrom);
        within
            .into_iter()
            .chain(self.no_page.then_some(Expectation::NoPage))
            .chain(pages)
            .chain(with)
            .chain(incidents)
            .chain(ended)
            .chain(events)
            .chain(self.loses_nothing.then_some(Expectation::LosesNothing))
            .chain(self.resolve.then_some(Expectation::Resolved))
            .chain(serves)
            .collect()
    }
}
