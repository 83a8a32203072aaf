//! A timeline: a row for the fault, one for all guards together, and one for each guard alone.
//!
//! Each row is a picture whose places are parts of its width, so that one picture fits every screen
//! and its letters stay as large as they are.

use std::time::Duration;

use maud::{Markup, html};

use super::axis::TimeAxis;
use crate::adapters::report::visible::{isolated, plain};
use crate::drill::{Detection, DetectionRow, IncidentMoment};
use crate::event::{IncidentChange, Severity};

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Page,
    PagedAgain,
    Warning,
    Resolved,
    ByWindow,
}

impl Shape {
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Page, "the operator is paged"),
        (Self::PagedAgain, "paged again: it grew"),
        (Self::Warning, "a warning that pages nobody"),
        (Self::Resolved, "the incident is resolved"),
        (
            Self::ByWindow,
            "a window exceeds its threshold, by arithmetic",
        ),
    ];

    fn of(moment: &IncidentMoment) -> Self {
        match (moment.change, moment.severity) {
            (IncidentChange::Ended, _) => Self::Resolved,
            (IncidentChange::Grew, Severity::Page) => Self::PagedAgain,
            (_, Severity::Page) => Self::Page,
            _ => Self::Warning,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Page => "m-page",
            Self::PagedAgain => "m-again",
            Self::Warning => "m-warning",
            Self::Resolved => "m-resolved",
            Self::ByWindow => "m-window",
        }
    }

    /// Its outline around the middle.
    fn path(self) -> &'static str {
        match self {
            Self::Page => "M-7 0A7 7 0 1 1 7 0A7 7 0 1 1 -7 0Z",
            Self::PagedAgain => "M-4 0A4 4 0 1 1 4 0A4 4 0 1 1 -4 0Z",
            Self::Warning => "M0 -6L6.5 5H-6.5Z",
            Self::Resolved => "M-5.5 -5.5H5.5V5.5H-5.5Z",
            Self::ByWindow => "M0 -7L6 0L0 7L-6 0Z",
        }
    }
}

/// A mark for the legend.
pub(super) fn sample(shape: Shape) -> Markup {
    html! {
        svg.sample width="20" height="18" aria-hidden="true" focusable="false" {
            svg.at x="10" y="9" { path class=(shape.class()) d=(shape.path()) {} }
        }
    }
}

/// The timeline of a fault.
pub(super) fn timeline(row: &DetectionRow, guards: &[String], axis: &TimeAxis) -> Markup {
    let lasts = row.lasts.map_or(1_000, |lasts| axis.place(lasts));
    let until = row
        .lasts
        .map_or("to the end of the drill".to_owned(), |lasts| {
            format!("for {}", words(lasts))
        });
    let fault = html! {
        rect.span x="0" y="12%" width=(percent(lasts)) height="76%" {}
        (note(0, 8, "on-span", &until))
    };
    let seen = &row.together;
    html! {
        div.timeline {
            (strip(&html! { "the fault" }, None, axis, &fault))
            @if let Some(time) = row.by_window {
                @let bound = mark(axis.place(time), Shape::ByWindow);
                (strip(&html! { "by arithmetic" }, Some(time), axis, &bound))
            }
            (strip(&html! { "all guards" }, paged(seen), axis, &marks(seen, axis)))
            @for (guard, alone) in guards.iter().zip(&row.alone) {
                @let name = html! { (isolated(guard)) " alone" };
                (strip(&name, paged(alone), axis, &marks(alone, axis)))
            }
            (scale(axis))
        }
    }
}

/// The first page alone.
pub(super) fn first_page(row: &DetectionRow, axis: &TimeAxis) -> Markup {
    let seen = &row.together;
    picture(
        axis,
        &html! {
            @match (seen.time_to_page, &seen.blind) {
                (Some(time), None) => {
                    (mark(axis.place(time), Shape::Page))
                    (beside(axis.place(time), &by(seen, time)))
                },
                (_, Some(_)) => (note(0, 8, "none", "proves nothing")),
                (None, None) => (note(0, 8, "none", "no page")),
            }
        },
    )
}

/// The times below a timeline, and the limit.
pub(super) fn scale(axis: &TimeAxis) -> Markup {
    html! {
        div.strip.scale {
            span.who { "after the fault" }
            span.room {
                svg.plot aria-hidden="true" focusable="false" {
                    @for (place, time) in axis.ticks() {
                        (label(place, "", &words(time)))
                    }
                    (label(axis.limit(), "limit", &format!("limit {}", words(axis.limit_time()))))
                }
            }
        }
    }
}

/// A row: what it is of, when that came first, and the picture.
fn strip(name: &Markup, time: Option<Duration>, axis: &TimeAxis, content: &Markup) -> Markup {
    html! {
        div.strip {
            span.who {
                span.name { (name) } " "
                @if let Some(time) = time { strong { (words(time)) } }
            }
            (picture(axis, content))
        }
    }
}

fn picture(axis: &TimeAxis, content: &Markup) -> Markup {
    html! {
        span.room {
            svg.plot aria-hidden="true" focusable="false" {
                @if let Some(fold) = axis.fold() {
                    rect.later x=(percent(fold)) y="0" width=(percent(1_000 - fold)) height="100%" {}
                }
                line.rule x1="0" x2="100%" y1="50%" y2="50%" {}
                @for (place, _) in axis.ticks() { (upright(place, "tick")) }
                (upright(axis.limit(), "limit"))
                (content)
            }
        }
    }
}

/// What was told in one run.
fn marks(seen: &Detection, axis: &TimeAxis) -> Markup {
    let told = seen.moments.iter();
    let mut marks: Vec<_> = told
        .map(|moment| (axis.place(moment.after), Shape::of(moment)))
        .collect();
    if let Some(time) = seen.time_to_page {
        if !marks.iter().any(|(_, shape)| *shape == Shape::Page) {
            marks.push((axis.place(time), Shape::Page));
        }
    }
    html! {
        @if seen.blind.is_some() { (note(0, 8, "none", "proves nothing")) }
        @else {
            @if seen.time_to_page.is_none() { (note(0, 8, "none", "no page")) }
            // What was told last is drawn first: the first page lies above all.
            @for (place, shape) in marks.iter().rev() { (mark(*place, *shape)) }
        }
    }
}

/// When the first page came; a drill that proves nothing has none that counts.
fn paged(seen: &Detection) -> Option<Duration> {
    seen.time_to_page.filter(|_| seen.blind.is_none())
}

/// The time, and the guard that paged.
fn by(seen: &Detection, time: Duration) -> String {
    match &seen.paged_by {
        Some(guard) => format!("{} {}", words(time), plain(guard)),
        None => words(time),
    }
}

fn mark(place: u64, shape: Shape) -> Markup {
    html! {
        svg.at x=(percent(place)) y="50%" { path class=(shape.class()) d=(shape.path()) {} }
    }
}

/// A text beside a mark, on the side that has more room.
fn beside(place: u64, text: &str) -> Markup {
    if place <= 650 {
        return note(place, 13, "", text);
    }
    html! {
        text x=(percent(place)) dx="-13" y="50%" dy="4" text-anchor="end" { (text) }
    }
}

fn note(place: u64, away: u64, class: &str, text: &str) -> Markup {
    html! { text class=(class) x=(percent(place)) dx=(away) y="50%" dy="4" { (text) } }
}

/// A text below a place, within the picture.
fn label(place: u64, class: &str, text: &str) -> Markup {
    let anchor = match place {
        0..=20 => "start",
        980.. => "end",
        _ => "middle",
    };
    html! { text class=(class) x=(percent(place)) y="14" text-anchor=(anchor) { (text) } }
}

fn upright(place: u64, class: &str) -> Markup {
    let x = percent(place);
    html! { line class=(class) x1=(x) x2=(x) y1="0" y2="100%" {} }
}

fn percent(thousandths: u64) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// `3m 50s`, `7 days`.
pub(super) fn words(time: Duration) -> String {
    let mut words = humantime::format_duration(time).to_string();
    for unit in ["day", "month", "year"] {
        words = words.replace(unit, &format!(" {unit}"));
    }
    words
}
