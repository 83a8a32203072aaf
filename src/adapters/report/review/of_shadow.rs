//! The review of a shadow run, from its report.

use super::ReviewReport;
use super::builder::ReviewReportBuilder;
use super::item::ReviewItem;
use super::summary::{Acknowledgement, BaselineNoise, DivergenceRate, ReviewVerdict, VerdictTone};
use crate::error::Error;
use crate::name::VersionId;
use crate::shadow::{
    Bucket, IntervalMethod, JudgedReport, JudgedVerdict, ShadowCounts, ShadowReport, ShadowVerdict,
};

impl TryFrom<&ShadowReport> for ReviewReportBuilder {
    type Error = Error;

    /// The review of a shadow run: its verdicts, its counts, and every document that it kept.
    ///
    /// An error if the report contradicts itself, as one that was made by hand can.
    fn try_from(report: &ShadowReport) -> Result<Self, Error> {
        let production = match &report.production {
            Some(production) => production.clone(),
            None => VersionId::new("(none yet)")?,
        };
        let (total, threshold) = (report.total, report.threshold);
        let rate = DivergenceRate::new(total.diverging(), total.compared(), report.interval)?;
        let candidate = &report.candidate;
        let verdict = of_divergence(report);
        let ended = Bucket::ALL.map(|bucket| (bucket.to_string(), total.of(bucket)));
        let in_flight = ("in flight".to_owned(), report.in_flight);
        let mut builder =
            ReviewReport::builder(production, candidate.clone(), verdict, rate, threshold)
                .name(report.experiment.clone())
                .not_covered(report.uncovered.iter().cloned())
                .funnel(report.offered(), ended.into_iter().chain([in_flight]));
        for (document_type, counts) in &report.types {
            if counts.compared() > 0 {
                builder = builder.type_rate(document_type.clone(), of_counts(counts)?);
            }
        }
        if let Some(noise) = &report.baseline {
            let raw = noise.only_candidate.saturating_add(noise.both);
            let own = noise.only_baseline.saturating_add(noise.both);
            let paired = noise.paired();
            let test = match noise.p_value() {
                p if p < 0.001 => "exact McNemar, one-sided p < 0.001".to_owned(),
                p => format!("exact McNemar, one-sided p = {p:.3}"),
            };
            let noise = BaselineNoise::new(of_part(raw, paired)?, of_part(own, paired)?)
                .tested(noise.is_distinguishable(), test);
            builder = builder.noise(noise);
        }
        if let Some(judged) = &report.judged {
            builder = builder.corrections(of_corrections(judged), pairs(judged));
        }
        for acknowledged in &report.acknowledged {
            if let Some(at) = acknowledged.at {
                let (who, why) = (&acknowledged.who, &acknowledged.why);
                builder = builder.acknowledged(Acknowledgement::new(who, at, why));
            }
        }
        let kept = report.divergences.iter();
        let times = kept.clone().map(|divergence| divergence.at);
        if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
            builder = builder.between(first, last);
        }
        Ok(builder.items(kept.map(|divergence| {
            let end = divergence.end.clone();
            ReviewItem::new(&divergence.ticket, candidate.clone(), end)
        })))
    }
}

fn of_counts(counts: &ShadowCounts) -> Result<DivergenceRate, Error> {
    of_part(counts.diverging(), counts.compared())
}

fn of_part(part: u64, whole: u64) -> Result<DivergenceRate, Error> {
    let interval = IntervalMethod::Wilson.interval(part, whole);
    DivergenceRate::new(part, whole, interval)
}

fn of_divergence(report: &ShadowReport) -> ReviewVerdict {
    let (diverging, compared) = (report.total.diverging(), report.total.compared());
    let (threshold, candidate) = (report.threshold, &report.candidate);
    let (_, high) = report.interval;
    match &report.verdict {
        ShadowVerdict::ReviewRequired => {
            let meaning = format!(
                "More than {threshold} of the compared documents diverged at an evaluation; by now \
                 {diverging} of {compared} do. That does not say which version is right."
            );
            let next = format!(
                "Mark each divergence below and save the marks; then acknowledge the review, and \
                 decide about {candidate}. Nothing is blocked."
            );
            ReviewVerdict::new(VerdictTone::Caution, "Review required")
                .meaning(meaning)
                .next_step(next)
        }
        ShadowVerdict::CertifiedBelow => {
            let meaning = format!(
                "{diverging} of {compared} documents diverge. The true rate is at most {threshold}, \
                 as far as chance can be excluded (95 %)."
            );
            ReviewVerdict::new(VerdictTone::Calm, format!("Below {threshold}"))
                .meaning(meaning)
                .next_step("Nothing has to be done. A look at the divergences below still helps.")
        }
        ShadowVerdict::NotShownBelow => {
            let meaning = format!(
                "{diverging} of {compared} documents diverge, which is not above {threshold}, but \
                 the true rate may be as high as {high}."
            );
            let verdict = format!("Not shown to be below {threshold}");
            ReviewVerdict::new(VerdictTone::Caution, verdict)
                .meaning(meaning)
                .next_step("Let the run go on if it is not over, and mark the divergences below.")
        }
        ShadowVerdict::Blind(why) => ReviewVerdict::new(VerdictTone::Alarm, "The run says nothing")
            .meaning(format!("It is blind: {why}."))
            .next_step("See in the counts below where the documents ended; mend that first."),
        other => ReviewVerdict::new(VerdictTone::Caution, "Too early to say")
            .meaning(format!("The run is {other}."))
            .next_step("Wait for its first evaluation."),
    }
}

fn of_corrections(judged: &JudgedReport) -> ReviewVerdict {
    let units = &judged.units;
    let meaning = format!(
        "Of {} documents that people looked at, {} answers of the candidate were wrong, and {} of \
         production's.",
        units.total(),
        units.candidate_wrong(),
        units.production_wrong()
    );
    match judged.verdict {
        JudgedVerdict::Worse => ReviewVerdict::new(VerdictTone::Alarm, "Worse than production")
            .meaning(meaning)
            .next_step("Do not deploy the candidate."),
        JudgedVerdict::NoWorse => ReviewVerdict::new(VerdictTone::Calm, "No worse than production")
            .meaning(meaning)
            .next_step("As far as corrections go, the candidate can be deployed."),
        JudgedVerdict::NotEnough { reason, needed } => {
            ReviewVerdict::new(VerdictTone::Caution, "Not enough corrections yet")
                .meaning(format!(
                    "{meaning} It is not enough for a verdict: {reason}."
                ))
                .next_step(format!("{needed}."))
        }
    }
}

fn pairs(judged: &JudgedReport) -> [(&'static str, u64); 7] {
    let JudgedReport { total, .. } = judged;
    let looked_at = &total.looked_at;
    [
        ("both right", looked_at.both_right),
        ("only production right", looked_at.only_production_right),
        ("only the candidate right", looked_at.only_candidate_right),
        ("both wrong", looked_at.both_wrong),
        ("the candidate's answer unknown", looked_at.unknown),
        ("corrected and not reviewed", total.corrected_only.total()),
        ("nobody looked at them", total.unreviewed),
    ]
}
