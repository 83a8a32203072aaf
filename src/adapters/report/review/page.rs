//! The page as a whole.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::entries::{PageEntries, Subject};
use super::item::ReviewItem;
use super::list::list;
use super::overview::overview;
use super::summary::Summary;
use crate::adapters::report::head::head;
use crate::adapters::report::numbers::count;
use crate::adapters::report::ticks::minute;
use crate::adapters::report::visible::{escaped_json, isolated, plain};
use crate::name::VersionId;
use crate::shadow::IgnoreRule;

const STYLE: &str = concat!(include_str!("../base.css"), include_str!("page.css"));
const SCRIPT: &str = include_str!("page.js");

/// What the page's script gets.
#[derive(Serialize)]
struct Data<'a> {
    report: &'a str,
    production: &'a VersionId,
    candidate: &'a VersionId,
    entries: Vec<Subject<'a>>,
}

pub(super) fn html(summary: &Summary, items: &[ReviewItem], id: &str) -> String {
    let entries = PageEntries::of(items);
    let data = Data {
        report: id,
        production: &summary.production,
        candidate: &summary.candidate,
        entries: entries.subjects(),
    };
    // Names and numbers always have a JSON form.
    let data = escaped_json(&serde_json::to_string(&data).unwrap_or_default());
    let (production, candidate) = (summary.production.as_str(), summary.candidate.as_str());
    let mut title = format!("Review: {} beside {}", plain(candidate), plain(production));
    if !summary.name.is_empty() {
        title = format!("{title}, {}", plain(&summary.name));
    }
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&title, STYLE, Some(SCRIPT)))
            body {
                a.skip href="#divergences" { "Skip to the divergences" }
                (header(summary, &entries))
                main {
                    (overview(summary, &entries, items.len()))
                    (list(&entries))
                }
                footer {
                    p { "Report " code { (id) } ". This page loads nothing and sends nothing." }
                }
                script type="application/json" #data { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn header(summary: &Summary, entries: &PageEntries<'_>) -> Markup {
    html! {
        header {
            h1 {
                "Review: " (isolated(summary.candidate.as_str())) " beside "
                (isolated(summary.production.as_str()))
            }
            p.facts {
                (isolated(&summary.name))
                @if let (Some(from), Some(to)) = (summary.from, summary.to) {
                    @if !summary.name.is_empty() { " · " }
                    (minute(from)) " to " (minute(to)) " UTC"
                }
            }
            p.task {
                strong { "Accept" } " means that the difference is fine: differences of this kind in this field and "
                "document type do not count for " (IgnoreRule::LASTING_DAYS) " days, unless another "
                "of them is rejected. "
                strong { "Reject" } " means that the candidate is wrong: it is evidence against deploying "
                (isolated(summary.candidate.as_str())) ", and changes nothing by itself."
            }
            @if entries.shown > 0 {
                p.go {
                    a href="#divergences" { "Go to the " (count(entries.shown)) " divergences to mark" }
                }
            }
        }
    }
}
