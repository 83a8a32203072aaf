//! The findings behind a decision, and the status of each type.

use super::coverage::REMEMBERED;
use super::decide::{View, Worse, compared_types};
use super::evidence::counts::{OUTCOME_MEASURES, Pair};
use super::evidence::review_delay::Age;
use super::status::{TypeStatus, TypeVerdict};
use super::thresholds::ln_bar;
use super::trial::Trial;
use crate::event::{Evidence, Findings, Maturity, Measure};
use crate::name::DocumentType;
use crate::time::Timestamp;

impl Trial {
    pub(super) fn findings(&self, view: &View<'_>, worse: Worse) -> Findings {
        let (document_type, evidence) = worse;
        Findings {
            document_type,
            evidence,
            maturity: self.maturity(view),
            only_old_enough: self.age_cutoff(view).is_some(),
            uncovered: self.uncovered(view),
            excluded: self.excluded.iter().cloned().collect(),
            not_serving: self.serving.not_serving(&self.stable, &self.candidate),
            max_ratio: view.plan.max_ratio,
            next_evaluation: None,
            by_operator: false,
        }
    }

    /// The share of the expected corrections that has arrived: by the number of reviewed answers,
    /// or by the share that usually arrives within the age of the answers, whichever is larger.
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of documents are far below 2^53"
    )]
    fn maturity(&self, view: &View<'_>) -> Maturity {
        let ages = self.ages(view);
        let mut sums = Pair::<[f64; 3]>::default();
        for (name, counts) in compared_types(&self.by_type, &self.excluded) {
            let share = view.review_delays.of(&name, view.now);
            for (stage, time_slice, pair) in counts.time_slices() {
                let age = ages.get(stage).and_then(|ages| ages.get(time_slice));
                let expected = share
                    .as_ref()
                    .zip(age)
                    .map_or(0.0, |(share, age)| share.at(*age));
                for (sums, arm) in [
                    (&mut sums.candidate, &pair.candidate),
                    (&mut sums.stable, &pair.stable),
                ] {
                    let answered = f64::from(arm.answered);
                    let [all, reviewed, usual] = sums;
                    *all += answered;
                    *reviewed += f64::from(arm.looked_at);
                    *usual += answered * expected;
                }
            }
        }
        let of = |[all, reviewed, usual]: [f64; 3]| {
            if all > 0.0 {
                reviewed.max(usual) / all
            } else {
                0.0
            }
        };
        Maturity::new(of(sums.candidate), of(sums.stable))
    }

    /// The age of the middle of each time slice of each stage.
    fn ages(&self, view: &View<'_>) -> Vec<Vec<Age>> {
        let stages = (0_u8..).zip(&self.began).map(|(number, began)| {
            let Some(stage) = view.plan.stage(number) else {
                return Vec::new();
            };
            let length = view.plan.time_slice_length(stage);
            let last = view.plan.time_slice(stage, view.now.since(*began));
            let ages = (0_u32..).take(last + 1).map(|time_slice| {
                let begin = *began + length.saturating_mul(time_slice);
                let passed = view.now.since(begin);
                Age::of(passed.saturating_sub(passed.min(length) / 2))
            });
            ages.collect()
        });
        stages.collect()
    }

    /// The expected types that the candidate has not answered often enough.
    pub(super) fn uncovered(&self, view: &View<'_>) -> Vec<DocumentType> {
        let Some(coverage) = &view.plan.coverage else {
            return Vec::new();
        };
        let mut expected: Vec<DocumentType> = if coverage.is_from_traffic() {
            let is_recent = |at: &Timestamp| view.now.since(*at) <= REMEMBERED;
            let recent = view.seen.iter().filter(|(_, at)| is_recent(at));
            recent.map(|(name, _)| name.clone()).collect()
        } else {
            coverage.expected.keys().cloned().collect()
        };
        expected.retain(|name| !self.excluded.contains(name) && !self.covers(view.plan, name));
        expected.sort();
        expected
    }

    /// The corrections of all types together, as of the last decision.
    pub(super) fn together(&self, view: &View<'_>) -> Evidence {
        view.ratio_test.evidence(Measure::Corrections, &self.all)
    }

    /// The status of every type by itself.
    pub(super) fn types(&mut self, view: &View<'_>) -> Vec<TypeStatus> {
        let types = self.compared();
        let age_cutoff = self.age_cutoff(view);
        let risk = view.plan.last_bar().risk;
        let mut all: Vec<_> = self
            .all_types()
            .map(|(document_type, counts)| {
                let evidence = view.type_evidence(counts, age_cutoff.as_ref());
                let bar = ln_bar(Measure::Corrections, types);
                let verdict = if evidence.exceeds && evidence.ln_e >= bar {
                    TypeVerdict::Worse
                } else if evidence.candidate.documents == 0 {
                    TypeVerdict::Unseen
                } else if evidence.p_exceeds <= risk {
                    TypeVerdict::NoWorse
                } else {
                    TypeVerdict::Unclear
                };
                TypeStatus {
                    document_type,
                    verdict,
                    evidence,
                }
            })
            .collect();
        for status in &mut all {
            if self.excluded.contains(&status.document_type) {
                status.verdict = TypeVerdict::Excluded;
            }
        }
        all.sort_by(|one, other| one.document_type.cmp(&other.document_type));
        all
    }

    /// The outcome measures, over all types.
    pub(super) fn at_once(&self, view: &View<'_>) -> Vec<Evidence> {
        let measures = OUTCOME_MEASURES.into_iter().map(|measure| {
            let by_type = compared_types(&self.by_type, &self.excluded);
            let likelihood = view
                .ratio_test
                .add_up(by_type.flat_map(|(_, counts)| counts.outcomes(measure)));
            view.ratio_test.evidence(measure, &likelihood)
        });
        measures.collect()
    }
}
