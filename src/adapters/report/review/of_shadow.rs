//! The review of a shadow run, from its report.

use super::ReviewReport;
use super::builder::ReviewReportBuilder;
use super::item::ReviewItem;
use super::summary::{DivergenceRate, ReviewVerdict, VerdictTone};
use crate::error::Error;
use crate::name::VersionId;
use crate::shadow::{Bucket, JudgedReport, JudgedVerdict, ShadowReport, ShadowVerdict};

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
                let rate = DivergenceRate::of_part(counts.diverging(), counts.compared())?;
                builder = builder.type_rate(document_type.clone(), rate);
            }
        }
        if let Some(noise) = report.baseline {
            builder = builder.noise(noise);
        }
        if let Some(judged) = &report.judged {
            builder = builder.corrections(of_corrections(judged), pairs(judged));
        }
        for acknowledgement in &report.acknowledged {
            builder = builder.acknowledged(acknowledgement.clone());
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
