//! The page with the picture and the events.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{Frame, svg, title};
use super::course::{Course, Point};
use super::ticks::minute;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:60rem;\
color:#1f2328;background:#fff}\
h1{font-size:1.4rem;overflow-wrap:anywhere}\
h2{font-size:1.1rem}\
figure{margin:0}\
svg{display:block;width:100%;height:auto}\
.narrow{display:none}\
table{border-collapse:collapse;width:100%;font-size:.9rem}\
th,td{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;\
border-bottom:1px solid #d1d9e0}\
.time{white-space:nowrap}\
.text{overflow-wrap:anywhere}\
.page{color:#cf222e;font-weight:600}\
.warning{color:#bc4c00}\
@media (max-width:40rem){.wide,thead{display:none}.narrow,tr,.text{display:block}\
tr{padding:.5rem 0;border-bottom:1px solid #d1d9e0}td{padding:0 .6rem 0 0;border:0}}\
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#161b22}\
th,td,tr{border-color:#30363d}.page{color:#ff7b72}.warning{color:#f0883e}}";

pub(super) fn html(course: &Course) -> String {
    let title = title(course);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p { (summary(course)) }
                @if course.is_empty() {
                    p { "No data yet: no status, no event, no correction." }
                } @else {
                    figure.wide { (PreEscaped(svg(course, Frame::WidePage))) }
                    figure.narrow { (PreEscaped(svg(course, Frame::NarrowPage))) }
                }
                h2 { "Events" }
                (events(course))
            }
        }
    };
    page.into_string()
}

/// The latest status in a sentence.
fn summary(course: &Course) -> String {
    let Some(latest) = &course.latest else {
        return "No status yet.".to_owned();
    };
    let Point {
        at,
        state,
        threshold,
        ..
    } = latest;
    let mean = match latest.mean {
        Some(mean) => format!("mean {mean} over {} documents", latest.documents),
        None => "no documents in the window".to_owned(),
    };
    let baseline = match latest.baseline {
        Some(baseline) => format!("baseline {baseline}"),
        None => "no baseline".to_owned(),
    };
    let at = minute(*at);
    format!("{at} UTC: {state}; {mean}, {baseline}, acceptance threshold {threshold}.")
}

fn events(course: &Course) -> Markup {
    html! {
        @if course.events.is_empty() {
            p { "None." }
        } @else {
            table {
                thead {
                    tr { th { "no." } th { "time (UTC)" } th { "severity" } th { "event" } }
                }
                tbody {
                    @for (number, event) in (1..).zip(&course.events) {
                        tr {
                            td { (number) }
                            td.time { (minute(event.at)) }
                            td class=(event.severity) { (event.severity) }
                            td.text { (event.kind) }
                        }
                    }
                }
            }
        }
    }
}
