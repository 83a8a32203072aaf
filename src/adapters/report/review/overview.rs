//! The upper part of a review page: the verdicts, the numbers, the charts.

use maud::{Markup, html};

use super::bars;
use super::entries::PageEntries;
use super::summary::{Count, DivergenceRate, ReviewVerdict, Summary, VerdictTone};
use crate::adapters::report::numbers::{count, percent, ratio, thousandths};
use crate::adapters::report::ticks::minute;
use crate::adapters::report::visible::isolated;
use crate::shadow::BaselineNoise;

pub(super) fn overview(summary: &Summary, entries: &PageEntries<'_>, documents: usize) -> Markup {
    html! {
        section #verdicts aria-label="Verdicts" {
            @if let Some(corrections) = &summary.corrections {
                (verdict("What people's corrections say", &corrections.verdict, &html! {
                    (pairs(&corrections.counts))
                }))
            }
            (verdict("How often the versions diverge", &summary.verdict, &html! {
                (rate(summary, documents))
                (noise(summary.noise.as_ref()))
            }))
        }
        (acknowledgements(summary))
        section.columns aria-labelledby="numbers" {
            h2 #numbers { "The run in numbers" }
            (funnel(summary))
            (by_type(summary))
            (by_field(entries, documents))
        }
    }
}

/// A verdict with its tone, below a heading.
pub(in crate::adapters::report) fn verdict(
    heading: &str,
    verdict: &ReviewVerdict,
    more: &Markup,
) -> Markup {
    let (class, tone) = match verdict.tone {
        VerdictTone::Alarm => ("alarm", "Problem"),
        VerdictTone::Calm => ("calm", "Good"),
        VerdictTone::Caution => ("caution", "Look"),
    };
    html! {
        section class={ "verdict " (class) } {
            h2 { (heading) }
            p.words { span.tone { (tone) } " " strong { (isolated(&verdict.verdict)) } }
            @if !verdict.meaning.is_empty() { p { (isolated(&verdict.meaning)) } }
            @if !verdict.next_step.is_empty() {
                p { strong { "What to do: " } (isolated(&verdict.next_step)) }
            }
            (more)
        }
    }
}

fn rate(summary: &Summary, documents: usize) -> Markup {
    let documents = u64::try_from(documents).unwrap_or(u64::MAX);
    let missing = summary.rate.diverging.saturating_sub(documents);
    html! {
        p {
            (of(summary.rate)) " diverge. The threshold is "
            (ratio(summary.threshold)) "."
        }
        @if missing > 0 {
            p { strong { (count(missing)) } " of them were not kept and are not in this report." }
        }
    }
}

/// `8.2 % (41 of 500; 95 % interval 6.1 % to 10.9 %)`.
fn of(rate: DivergenceRate) -> Markup {
    html! {
        strong { (percent(rate.diverging, rate.compared)) }
        " (" (count(rate.diverging)) " of " (count(rate.compared)) " documents; 95 % interval "
        (ratio(rate.low)) " to " (ratio(rate.high)) ")"
    }
}

fn noise(noise: Option<&BaselineNoise>) -> Markup {
    html! {
        @if let Some(noise) = noise {
            p {
                strong { "Noise: " }
                "production diverges from itself on " (of_same(noise.baseline_diverging(), noise))
                "; the candidate diverges on " (of_same(noise.candidate_diverging(), noise))
                " of the same documents. The excess is " (excess(noise))
                @if noise.is_distinguishable() { ", more than chance explains" }
                @else { ", which chance may explain" }
                " (exact McNemar, one-sided p " (p_value(noise)) ")."
            }
        } @else {
            p {
                strong { "Noise: not measured. " }
                "Nobody ran production twice on the same document, so that some of the divergence may be the "
                "model's own variation."
            }
        }
    }
}

/// A rate on the documents on which production's version ran twice.
fn of_same(diverging: u64, noise: &BaselineNoise) -> Markup {
    let rate = DivergenceRate::of_part(diverging, noise.paired());
    html! { @if let Ok(rate) = rate { (of(rate)) } }
}

fn p_value(noise: &BaselineNoise) -> String {
    match noise.p_value() {
        p if p < 0.001 => "< 0.001".to_owned(),
        p => format!("= {p:.3}"),
    }
}

/// The difference of both rates in percentage points.
fn excess(noise: &BaselineNoise) -> String {
    let tenths =
        |diverging: u64| i64::try_from(thousandths(diverging, noise.paired())).unwrap_or(0);
    let tenths = tenths(noise.candidate_diverging()) - tenths(noise.baseline_diverging());
    let sign = if tenths < 0 { "-" } else { "" };
    let tenths = tenths.unsigned_abs();
    format!("{sign}{}.{} percentage points", tenths / 10, tenths % 10)
}

fn pairs(counts: &[Count]) -> Markup {
    html! {
        @if !counts.is_empty() {
            dl.pairs {
                @for Count { name, count: number } in counts {
                    div { dt { (isolated(name)) } dd { (count(*number)) } }
                }
            }
        }
    }
}

fn acknowledgements(summary: &Summary) -> Markup {
    html! {
        @if !summary.acknowledgements.is_empty() {
            section aria-labelledby="acknowledged" {
                h2 #acknowledged { "Acknowledged" }
                ul {
                    @for acknowledgement in &summary.acknowledgements {
                        li {
                            @if let Some(at) = acknowledgement.at { (minute(at)) " UTC, " }
                            strong { (isolated(&acknowledgement.who)) }
                            ": " (isolated(&acknowledgement.why))
                        }
                    }
                }
            }
        }
    }
}

fn funnel(summary: &Summary) -> Markup {
    let rows: Vec<_> = summary
        .funnel
        .iter()
        .map(|row| (&row.name[..], row.count))
        .collect();
    html! {
        figure {
            figcaption {
                strong { "Where every document ended" }
                " " (count(summary.eligible)) " eligible documents, each in one row."
            }
            (bars::counts(&rows, summary.eligible))
        }
    }
}

fn by_type(summary: &Summary) -> Markup {
    let rows: Vec<_> = summary
        .types
        .iter()
        .map(|row| (row.document_type.as_str(), row.rate))
        .collect();
    html! {
        figure {
            figcaption {
                strong { "Divergence by document type" }
                " The thin line is the 95 % interval, the upright one the threshold."
            }
            @if rows.is_empty() { p { "No document was compared." } }
            (bars::rates(&rows, summary.threshold))
            @if !summary.not_covered.is_empty() {
                p {
                    strong { "Not covered: " }
                    @for (place, document_type) in summary.not_covered.iter().enumerate() {
                        @if place > 0 { ", " }
                        (isolated(document_type.as_str()))
                    }
                    ". Nothing is known of the candidate on these types."
                }
            }
        }
    }
}

fn by_field(entries: &PageEntries<'_>, documents: usize) -> Markup {
    let mut fields = std::collections::BTreeMap::new();
    for of_field in entries.types.iter().flat_map(|of_type| &of_type.fields) {
        let count = u64::try_from(of_field.entries.len()).unwrap_or(u64::MAX);
        *fields.entry(of_field.name()).or_insert(0_u64) += count;
    }
    let mut rows: Vec<(&str, u64)> = fields.into_iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = rows.len().saturating_sub(MOST_FIELDS);
    rows.truncate(MOST_FIELDS);
    html! {
        figure {
            figcaption {
                strong { "Divergences by field" }
                " " (count(entries.shown)) " in " (count(documents)) " documents."
            }
            (bars::counts(&rows, 0))
            @if more > 0 { p { "And " (count(more)) " more fields." } }
        }
    }
}

/// The number of fields in the chart.
const MOST_FIELDS: usize = 15;
