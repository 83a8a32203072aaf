//! The upper part of the page: how many faults were known in time, how often healthy traffic paged,
//! and every fault at a glance.

use std::time::Duration;

use maud::{Markup, html};

use super::axis::TimeAxis;
use super::chart::{Shape, first_page, sample, scale, words};
use super::faults::Known;
use crate::adapters::report::numbers::count;
use crate::adapters::report::review::{ReviewVerdict, VerdictTone, verdict};
use crate::adapters::report::visible::isolated;
use crate::drill::{DetectionMatrix, DetectionRow};

pub(super) fn summary(matrix: &DetectionMatrix, limit: Duration) -> Markup {
    html! {
        section #verdicts aria-label="Summary" {
            (in_time(matrix, limit))
            (false_pages(matrix))
        }
    }
}

fn in_time(matrix: &DetectionMatrix, limit: Duration) -> Markup {
    let unknown: Vec<_> = (1..)
        .zip(matrix.rows())
        .filter(|(_, row)| Known::of(row, limit) != Known::InTime)
        .collect();
    let (all, known) = (matrix.rows().len(), matrix.rows().len() - unknown.len());
    let tone = match (all, unknown.len()) {
        (0, _) => VerdictTone::Caution,
        (_, 0) => VerdictTone::Calm,
        _ => VerdictTone::Alarm,
    };
    let says = match all {
        0 => "No fault was drilled".to_owned(),
        _ => format!("{} of {} faults", count(known), count(all)),
    };
    let slowest = matrix.rows().iter();
    let slowest = slowest
        .filter(|row| Known::of(row, limit) == Known::InTime)
        .max_by_key(|row| row.together.time_to_page);
    verdict(
        &format!("Known within {}", words(limit)),
        &ReviewVerdict::new(tone, says),
        &html! {
            @if let Some(row) = slowest { (slowest_in_time(row)) }
            @if !unknown.is_empty() {
                p { "Not known in time:" }
                ul.unknown {
                    @for (number, row) in unknown {
                        li {
                            a href={ "#f" (number) } { (isolated(&row.fault)) }
                            ": " (Known::of(row, limit).words())
                        }
                    }
                }
            }
        },
    )
}

fn slowest_in_time(row: &DetectionRow) -> Markup {
    html! {
        @if let Some(time) = row.together.time_to_page {
            p {
                "The slowest of them after " strong { (words(time)) } ": " (isolated(&row.fault)) "."
            }
        }
    }
}

fn false_pages(matrix: &DetectionMatrix) -> Markup {
    let healthy = matrix.healthy();
    if healthy.is_zero() {
        let says = ReviewVerdict::new(VerdictTone::Caution, "Not measured")
            .meaning("No healthy traffic ran: a guard that always pages would see every fault.");
        return verdict("False pages", &says, &html! {});
    }
    let tone = match matrix.false_pages() {
        0 => VerdictTone::Calm,
        _ => VerdictTone::Alarm,
    };
    let says = format!("{:.2} a week", matrix.false_pages_a_week());
    let pages = count(matrix.false_pages());
    let meaning = format!(
        "The same traffic without a fault paged {pages} times in {}. A page that healthy traffic \
         brings as well counts for no fault.",
        words(healthy)
    );
    let says = ReviewVerdict::new(tone, says).meaning(meaning);
    verdict("False pages", &says, &html! {})
}

/// How to read the page.
pub(super) fn key(limit: Duration) -> Markup {
    html! {
        section.task aria-label="How to read this page" {
            p {
                "Each fault was injected into simulated traffic on a virtual clock. A timeline begins with "
                "the fault and shows who told of it and when; what lies left of the dashed line came within "
                "the limit of " (words(limit)) ". Time in the shaded part is compressed. "
                strong { "Alone" } " is the same pipeline with that guard only: what would be left if "
                "the others were taken away."
            }
            ul.key {
                @for (shape, words) in Shape::ALL { li { (sample(shape)) (words) } }
            }
        }
    }
}

pub(super) fn glance(matrix: &DetectionMatrix, limit: Duration, axis: &TimeAxis) -> Markup {
    html! {
        section.glance aria-labelledby="glance" {
            h2 #glance { "At a glance" }
            (scale(axis))
            ol {
                @for (number, row) in (1..).zip(matrix.rows()) {
                    li class={ "strip " (Known::of(row, limit).class()) } {
                        span.who { a href={ "#f" (number) } { (isolated(&row.fault)) } }
                        (first_page(row, axis))
                    }
                }
            }
        }
    }
}
