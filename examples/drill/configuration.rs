//! A pipeline as a file: versions and guards, each with the settings that differ from the defaults.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use fusebox::pipeline::Builder;
use fusebox::rollout::WorseType;
use fusebox::{
    CanaryPolicy, Confidence, ConfidenceDriftMonitor, DocumentType, Error, ErrorRateBreaker,
    LineUp, Pipeline, Ratio, RouteLedger, ShadowComparator, TokenBudget, Version, VersionId,
};
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Configuration {
    stable: VersionTable,
    previous: Option<VersionTable>,
    token_budget: Option<BudgetTable>,
    error_rate: Option<BreakerTable>,
    confidence_drift: Option<DriftTable>,
    ledger: Option<LedgerTable>,
    canary: Option<CanaryTable>,
    shadow: Option<ShadowTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionTable {
    id: String,
    model: String,
    system_prompt_tokens: u64,
    reserved_answer_tokens: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetTable {
    limit_percent: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerTable {
    #[serde(default)]
    by_document_type: bool,
    threshold_percent: Option<u32>,
    #[serde(default, deserialize_with = "time")]
    window: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DriftTable {
    max_drop_percent: Option<u32>,
    review_capacity_percent: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerTable {
    #[serde(default, deserialize_with = "time")]
    max_open: Option<Duration>,
    #[serde(default, deserialize_with = "time")]
    review_within: Option<Duration>,
    /// Document types that must arrive, and how often.
    #[serde(default)]
    expect: BTreeMap<String, Time>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CanaryTable {
    /// The stages of the default plan where none stands.
    #[serde(default)]
    stages: Vec<StageTable>,
    when_one_type_is_worse: Option<WorseTypeWord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StageTable {
    share_percent: u32,
    at_least: Time,
    #[serde(default)]
    then_approval: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WorseTypeWord {
    Exclude,
    RollBack,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShadowTable {
    candidate: String,
}

/// A time such as `15m`.
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Some(Time::deserialize(deserializer)?.0))
}

impl VersionTable {
    fn version(&self) -> Result<Version, Error> {
        let version = Version::new(&self.id, &self.model)?;
        Ok(version
            .with_system_prompt_tokens(self.system_prompt_tokens)
            .with_reserved_answer_tokens(self.reserved_answer_tokens))
    }
}

impl Configuration {
    pub(crate) fn from_path(path: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// The pipeline that a service would build from the file.
    pub(crate) fn builder(&self) -> Result<Builder, Error> {
        let mut line_up = LineUp::new(self.stable.version()?);
        if let Some(previous) = &self.previous {
            line_up = line_up.with_previous(previous.version()?);
        }
        let budget = self.token_budget.as_ref().map(BudgetTable::guard);
        let breaker = self.error_rate.as_ref().map(BreakerTable::guard);
        let drift = self.confidence_drift.as_ref().map(DriftTable::guard);
        let ledger = self.ledger.as_ref().map(LedgerTable::guard);
        let canary = self.canary.as_ref().map(CanaryTable::guard);
        let shadow = self.shadow.as_ref().map(ShadowTable::guard);
        Ok(Pipeline::builder(line_up)
            .guard(budget.transpose()?)
            .guard(breaker.transpose()?)
            .guard(drift.transpose()?)
            .guard(ledger.transpose()?)
            .guard(canary.transpose()?)
            .guard(shadow.transpose()?))
    }
}

impl BudgetTable {
    fn guard(&self) -> Result<TokenBudget, Error> {
        let builder = TokenBudget::builder();
        match self.limit_percent {
            Some(percent) => builder.limit(Ratio::percent(percent)).build(),
            None => builder.build(),
        }
    }
}

impl BreakerTable {
    fn guard(&self) -> Result<ErrorRateBreaker, Error> {
        let mut builder = ErrorRateBreaker::builder().by_document_type(self.by_document_type);
        if let Some(percent) = self.threshold_percent {
            builder = builder.threshold(Ratio::percent(percent));
        }
        if let Some(window) = self.window {
            builder = builder.window(window);
        }
        builder.build()
    }
}

impl DriftTable {
    fn guard(&self) -> Result<ConfidenceDriftMonitor, Error> {
        let mut builder = ConfidenceDriftMonitor::builder();
        if let Some(percent) = self.max_drop_percent {
            builder = builder.max_drop(Confidence::percent(percent));
        }
        if let Some(percent) = self.review_capacity_percent {
            builder = builder.review_capacity(Ratio::percent(percent));
        }
        builder.build()
    }
}

impl LedgerTable {
    fn guard(&self) -> Result<RouteLedger, Error> {
        let mut builder = RouteLedger::builder();
        if let Some(time) = self.max_open {
            builder = builder.max_open(time);
        }
        if let Some(time) = self.review_within {
            builder = builder.review_within(time);
        }
        for (document_type, every) in &self.expect {
            builder = builder.expect(DocumentType::new(document_type)?, every.0);
        }
        builder.build()
    }
}

impl CanaryTable {
    fn guard(&self) -> Result<CanaryPolicy, Error> {
        if self.stages.is_empty() && self.when_one_type_is_worse.is_none() {
            return Ok(CanaryPolicy::default());
        }
        let mut builder = CanaryPolicy::builder();
        for stage in &self.stages {
            builder = builder.stage(Ratio::percent(stage.share_percent), stage.at_least.0);
            if stage.then_approval {
                builder = builder.then_approval();
            }
        }
        if let Some(then) = self.when_one_type_is_worse {
            builder = builder.when_one_type_is_worse(match then {
                WorseTypeWord::Exclude => WorseType::Exclude,
                WorseTypeWord::RollBack => WorseType::RollBack,
            });
        }
        builder.build()
    }
}

impl ShadowTable {
    fn guard(&self) -> Result<ShadowComparator, Error> {
        ShadowComparator::builder(VersionId::new(&self.candidate)?).build()
    }
}
