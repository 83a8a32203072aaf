//! The lower part of the page: each fault with its numbers, its timeline, and what was told.

use std::time::Duration;

use maud::{Markup, html};

use super::axis::TimeAxis;
use super::chart::{timeline, words};
use crate::adapters::report::numbers::count;
use crate::adapters::report::visible::isolated;
use crate::drill::{DetectionMatrix, DetectionRow, IncidentMoment};

/// Whether a fault was known in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Blind,
    InTime,
    Late,
    Never,
}

impl Known {
    pub(super) fn of(row: &DetectionRow, limit: Duration) -> Self {
        match (&row.together.blind, row.together.time_to_page) {
            (Some(_), _) => Self::Blind,
            (None, Some(time)) if time <= limit => Self::InTime,
            (None, Some(_)) => Self::Late,
            (None, None) => Self::Never,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Blind => "proves nothing",
            Self::InTime => "in time",
            Self::Late => "too late",
            Self::Never => "no page",
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Blind => "caution",
            Self::InTime => "calm",
            Self::Late | Self::Never => "alarm",
        }
    }
}

pub(super) fn faults(matrix: &DetectionMatrix, limit: Duration, axis: &TimeAxis) -> Markup {
    html! {
        section aria-labelledby="faults" {
            h2 #faults { "Fault by fault" }
            @if matrix.rows().is_empty() { p { "None." } }
            div.faults {
                @for (number, row) in (1_usize..).zip(matrix.rows()) {
                    @let known = Known::of(row, limit);
                    article.fault.(known.class()) id={ "f" (number) } {
                        h3 { (isolated(&row.fault)) " " span.tone { (known.words()) } }
                        (numbers(row))
                        (timeline(row, matrix.guards(), axis))
                        (told(&row.together.moments))
                    }
                }
            }
        }
    }
}

fn numbers(row: &DetectionRow) -> Markup {
    let seen = &row.together;
    html! {
        @if !row.size.is_empty() { p.facts { "Size: " (isolated(&row.size)) } }
        @if let Some(blind) = &seen.blind {
            p { "It proves nothing: " (isolated(blind)) "." }
        } @else {
            dl.pairs {
                div { dt { "paged after" } dd { (seen.time_to_page.map_or("never".to_owned(), words)) } }
                @if let Some(guard) = &seen.paged_by { div { dt { "by" } dd { (isolated(guard)) } } }
                div {
                    dt { "by arithmetic" }
                    dd { (row.by_window.map_or("no bound".to_owned(), words)) }
                }
                div {
                    dt {
                        @if seen.time_to_page.is_some() { "documents before the page" }
                        @else { "documents that it met" }
                    }
                    dd { (count(seen.documents_before_page)) }
                }
            }
        }
    }
}

/// What the marks of all guards together stand for, in words.
fn told(moments: &[IncidentMoment]) -> Markup {
    html! {
        @if !moments.is_empty() {
            details {
                summary { "What all guards together told (" (count(moments.len())) ")" }
                ul.told {
                    @for moment in moments {
                        li {
                            strong { (words(moment.after)) } " " (isolated(&moment.guard)) ", "
                            (moment.severity) ", incident " (moment.change) ": "
                            (isolated(&moment.text))
                        }
                    }
                }
            }
        }
    }
}
