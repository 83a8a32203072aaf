//! The page as a whole.

use std::time::Duration;

use maud::{DOCTYPE, html};

use super::axis::TimeAxis;
use super::faults::faults;
use super::summary::{glance, key, summary};
use crate::adapters::report::head::head;
use crate::adapters::report::visible::{isolated, plain};
use crate::drill::{DetectionMatrix, DetectionRow};

const STYLE: &str = concat!(include_str!("../base.css"), include_str!("page.css"));

pub(super) fn html(matrix: &DetectionMatrix, limit: Duration, name: &str) -> String {
    let mut title = "How soon each fault is known".to_owned();
    if !name.is_empty() {
        title = format!("{title}: {}", plain(name));
    }
    let end = matrix.watched().or_else(|| last(matrix.rows()));
    let axis = TimeAxis::new(limit, end.unwrap_or_default());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&title, STYLE, None))
            body {
                header {
                    h1 { "How soon each fault is known" }
                    @if !name.is_empty() { p.facts { (isolated(name)) } }
                }
                main {
                    (summary(matrix, limit))
                    (key(limit))
                    @if !matrix.rows().is_empty() { (glance(matrix, limit, &axis)) }
                    (faults(matrix, limit, &axis))
                }
                footer {
                    p {
                        "Guards and settings " code { (matrix.settings()) }
                        ". This page loads nothing and sends nothing."
                    }
                }
            }
        }
    };
    page.into_string()
}

/// The last time that anything was told, where the matrix does not say how long it was watched.
fn last(rows: &[DetectionRow]) -> Option<Duration> {
    let seen = rows
        .iter()
        .flat_map(|row| row.alone.iter().chain([&row.together]));
    let times = seen.flat_map(|seen| {
        let moments = seen.moments.iter().map(|moment| moment.after);
        moments.chain(seen.time_to_page)
    });
    times.max()
}
