//! The lower part of a review page: the divergences, and what a reviewer does with them.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::diff::{self, Side};
use super::entries::{Entry, OfField, PageEntries};
use crate::adapters::report::numbers::count;
use crate::adapters::report::ticks::minute;
use crate::adapters::report::visible::{isolated, plain};
use crate::call::{Comparison, Difference, ShadowEnd};

/// The characters of all values of a page together.
const ALL_VALUES: usize = 8_000_000;
/// The characters of one value.
const LONGEST_VALUE: usize = 4_000;
const LEAST_VALUE: usize = 400;
/// A value of more characters scrolls.
const TALL: usize = 1_200;

/// What the filters offer.
struct Choices<'a> {
    types: Vec<&'a str>,
    fields: Vec<&'a str>,
    kinds: Vec<&'a str>,
}

impl<'a> Choices<'a> {
    fn of(entries: &'a PageEntries<'_>) -> Self {
        let sorted = |all: BTreeSet<&'a str>| all.into_iter().collect();
        let types = entries.types.iter();
        let fields = entries.types.iter().flat_map(|of_type| &of_type.fields);
        Self {
            types: sorted(
                types
                    .map(|of_type| of_type.document_type.as_str())
                    .collect(),
            ),
            fields: sorted(fields.map(OfField::name).collect()),
            kinds: sorted(entries.iter().map(|entry| &entry.kind[..]).collect()),
        }
    }
}

fn place(names: &[&str], name: &str) -> usize {
    names.binary_search(&name).unwrap_or(names.len())
}

pub(super) fn list(entries: &PageEntries<'_>) -> Markup {
    let choices = Choices::of(entries);
    let values = entries.shown.max(1).saturating_mul(2);
    let longest = (ALL_VALUES / values).clamp(LEAST_VALUE, LONGEST_VALUE);
    html! {
        section #divergences tabindex="-1" aria-labelledby="divergences-heading" {
            h2 #divergences-heading { "The divergences" }
            @if entries.shown == 0 {
                p { "None: there is nothing to mark." }
            } @else {
                (tools(entries, &choices))
                @for of_type in &entries.types {
                    section.type {
                        h3 { "Type " (isolated(of_type.document_type.as_str()))
                            span.count { " " (count(of_type.count)) } }
                        @for of_field in &of_type.fields {
                            section.field {
                                h4 { (isolated(of_field.name()))
                                    span.count { " " (count(of_field.entries.len())) } }
                                @for entry in &of_field.entries {
                                    (article(entry, of_field, &choices, longest))
                                }
                            }
                        }
                    }
                }
                @if entries.left_out > 0 {
                    p { (count(entries.left_out)) " more divergences are only in the JSON Lines of this report." }
                }
            }
        }
    }
}

fn tools(entries: &PageEntries<'_>, choices: &Choices<'_>) -> Markup {
    html! {
        noscript { p.note { "Marks and filters need scripts; everything else on this page does not." } }
        form #tools.scripted autocomplete="off" {
            fieldset {
                legend { "Show" }
                (filter("type", "Type", "all types", &choices.types))
                (filter("field", "Field", "all fields", &choices.fields))
                (filter("kind", "Kind", "all kinds", &choices.kinds))
                label { "Mark "
                    select #filter-mark {
                        option value="" { "all" }
                        option value="none" { "not marked" }
                        option value="any" { "marked" }
                        option value="accept" { "accepted" }
                        option value="reject" { "rejected" }
                    }
                }
            }
            p.note {
                "Keys: " kbd { "j" } " next, " kbd { "k" } " previous, " kbd { "a" } " accept, "
                kbd { "r" } " reject, " kbd { "u" } " no mark, " kbd { "n" } " note. "
                label { input #keys type="checkbox" checked; " Keys on" }
            }
            p.note {
                label { "Continue with marks that you saved before: "
                    input #load type="file" accept=".json,application/json"; }
            }
        }
        div #bar.scripted role="group" aria-label="Progress and saving" {
            progress #done-bar max=(entries.shown) value="0" aria-labelledby="done" {}
            span #done role="status" { "0 of " (count(entries.shown)) " marked" }
            label { "Your name " input #reviewer type="text" maxlength="200" autocomplete="name"; }
            button #save type="button" { "Save marks" }
            span #message role="status" {}
        }
    }
}

fn filter(id: &str, name: &str, all: &str, choices: &[&str]) -> Markup {
    html! {
        label { (name) " "
            select id={ "filter-" (id) } {
                option value="" { (all) }
                @for (place, choice) in choices.iter().enumerate() {
                    option value=(place) { (plain(choice)) }
                }
            }
        }
    }
}

fn article(
    entry: &Entry<'_>,
    of_field: &OfField<'_>,
    choices: &Choices<'_>,
    longest: usize,
) -> Markup {
    let item = entry.item;
    let number = entry.number;
    html! {
        article.entry id={ "d" (number) } tabindex="-1" aria-labelledby={ "h" (number) }
            data-type=(place(&choices.types, item.document_type.as_str()))
            data-field=(place(&choices.fields, of_field.name()))
            data-kind=(place(&choices.kinds, &entry.kind))
        {
            h5 id={ "h" (number) } {
                span.number { (count(number)) } " " (isolated(item.document.as_str()))
            }
            p.facts {
                @if entry.difference.is_none_or(|difference| difference.critical) {
                    strong.critical { "critical" } " "
                }
                span.kind { (entry.kind) }
                @if let Some(difference) = entry.difference {
                    @if of_field.field.as_ref() != Some(&difference.field) {
                        " at " code { (isolated(difference.field.as_str())) }
                    }
                }
                " · " (isolated(item.model.as_str()))
                @if let Some(model) = &item.candidate_model { " → " (isolated(model.as_str())) }
                " · " (minute(item.at)) " UTC"
            }
            @if let Some(difference) = entry.difference {
                (sides(difference, entry, longest))
            } @else {
                p { (whole(entry)) }
            }
            @if !entry.unmarked.is_empty() {
                details {
                    summary { (count(entry.unmarked.len())) " more differences of this document, which do not count" }
                    @for difference in &entry.unmarked {
                        h6 { code { (isolated(difference.field.as_str())) } }
                        (sides(difference, entry, longest))
                    }
                }
            }
            (marks(entry))
        }
    }
}

fn sides(difference: &Difference, entry: &Entry<'_>, longest: usize) -> Markup {
    let (production, candidate) = match (&difference.production, &difference.candidate) {
        (Some(production), Some(candidate)) => {
            let (before, after) = diff::sides(production, candidate, longest);
            (Some(before), Some(after))
        }
        (production, candidate) => {
            let alone = |text: &Option<String>, side| {
                text.as_deref().map(|text| diff::alone(text, side, longest))
            };
            let before = alone(production, Side::Production);
            (before, alone(candidate, Side::Candidate))
        }
    };
    html! {
        div.sides {
            (side("Production", entry.item.production.as_str(), production, difference.production.as_deref()))
            (side("Candidate", entry.item.candidate.as_str(), candidate, difference.candidate.as_deref()))
        }
    }
}

fn side(name: &str, version: &str, shown: Option<Markup>, value: Option<&str>) -> Markup {
    let is_tall = value.is_some_and(|value| value.chars().nth(TALL).is_some());
    html! {
        div.side {
            p.who { (name) " " (isolated(version)) }
            @match (shown, value) {
                (Some(_), Some("")) | (None, _) => {
                    p.none { @if value.is_some() { "empty text" } @else { "no value" } }
                }
                (Some(shown), _) if is_tall => {
                    div.tall tabindex="0" role="region" aria-label={ (name) ", whole value" } {
                        bdi.value { (shown) }
                    }
                }
                (Some(shown), _) => bdi.value { (shown) },
            }
        }
    }
}

fn whole(entry: &Entry<'_>) -> &'static str {
    match &entry.item.end {
        ShadowEnd::Compared(Comparison::Diverged(_)) => {
            "The answers differ as a whole; their texts were not given."
        }
        ShadowEnd::ComparatorPanicked => {
            "Both versions answered, and the code that compares them panicked."
        }
        _ => "The candidate gave no answer. Production's was used as always.",
    }
}

fn marks(entry: &Entry<'_>) -> Markup {
    let number = entry.number;
    let choice = |value: &str, text: &str| {
        html! {
            label class=(value) {
                input type="radio" name={ "m" (number) } value=(value) checked[value == "none"];
                " " (text)
            }
        }
    };
    html! {
        fieldset.marks.scripted {
            legend { "Your mark for " span.number { (count(number)) } }
            (choice("none", "No mark"))
            (choice("accept", "Accept: it is fine"))
            (choice("reject", "Reject: candidate is wrong"))
            label.comment { "Note " input type="text" name={ "n" (number) } maxlength="2000" autocomplete="off"; }
        }
    }
}
