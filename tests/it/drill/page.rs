//! The page about a matrix: what it says, what it draws, and what it escapes.

use std::sync::LazyLock;
use std::time::Duration;

use fusebox::drill::DetectionMatrix;
use fusebox::report::DetectionReport;
use proptest::prelude::*;
use scraper::{ElementRef, Html, Selector};
use serde_json::{Value, json};

use super::page_sample::{drilled, of_texts, settings};
use crate::shadow_review::sample::HOSTILE;
use crate::support::minutes;

static DRILLED: LazyLock<DetectionMatrix> = LazyLock::new(drilled);

fn page(matrix: &DetectionMatrix) -> Html {
    Html::parse_document(&DetectionReport::of(matrix.clone()).html())
}

fn all<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn texts(page: &Html, selector: &str) -> Vec<String> {
    let text = |element: ElementRef<'_>| {
        let text: String = element.text().collect();
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    };
    all(page, selector).into_iter().map(text).collect()
}

/// The matrix as JSON, changed.
fn changed(change: impl Fn(&mut Value)) -> DetectionMatrix {
    let mut json = serde_json::to_value(&*DRILLED).unwrap();
    change(&mut json);
    serde_json::from_value(json).unwrap()
}

#[test]
fn the_summary_counts_what_is_known_in_time_and_names_the_rest() {
    let page = page(&DRILLED);
    assert_eq!(
        texts(&page, ".verdict .words"),
        ["Problem 3 of 5 faults", "Good 0.00 a week"]
    );
    assert_eq!(
        texts(&page, ".unknown li"),
        [
            "corrections stop: no page",
            "a type that nobody sends: proves nothing"
        ]
    );
    let links = all(&page, ".unknown a");
    let links: Vec<_> = links.iter().filter_map(|link| link.attr("href")).collect();
    assert_eq!(links, ["#f4", "#f5"]);
    assert_eq!(
        texts(&page, ".unknown a"),
        texts(&page, "#f4 h3 bdi, #f5 h3 bdi")
    );
}

#[test]
fn each_fault_has_its_numbers() {
    let page = page(&DRILLED);
    let outage = &DRILLED.rows()[0];
    let time = humantime(outage.together.time_to_page.unwrap());
    let documents = outage.together.documents_before_page;
    assert_eq!(
        texts(&page, "#f1 dt"),
        [
            "paged after",
            "by",
            "by arithmetic",
            "documents before the page"
        ]
    );
    let numbers = [
        time,
        "error-rate".to_owned(),
        "3m 45s".to_owned(),
        documents.to_string(),
    ];
    assert_eq!(texts(&page, "#f1 dd"), numbers);
    assert_eq!(texts(&page, "#f1 .facts"), ["Size: 20 % of all documents"]);
    assert_eq!(
        texts(&page, "#f3 .facts"),
        ["Size: all documents of type statement"]
    );
    assert_eq!(texts(&page, "#f4 dd")[0], "never");
    assert!(
        texts(&page, "#f5 p").contains(&"It proves nothing: fault 1 met no document.".to_owned())
    );
}

fn humantime(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}m {}s", seconds / 60, seconds % 60)
}

#[test]
fn a_timeline_has_a_row_for_the_fault_and_for_each_guard_and_a_mark_where_it_paged() {
    let page = page(&DRILLED);
    assert_eq!(
        texts(&page, "#f1 .timeline .name"),
        [
            "the fault",
            "by arithmetic",
            "all guards",
            "token-budget alone",
            "error-rate alone",
            "ledger alone"
        ]
    );
    let time = humantime(DRILLED.rows()[0].together.time_to_page.unwrap());
    assert_eq!(
        texts(&page, "#f1 .timeline .who strong"),
        ["3m 45s", &time, &time]
    );
    let marks = |row: usize| {
        all(
            &page,
            &format!("#f1 .timeline .strip:nth-child({row}) path"),
        )
        .iter()
        .filter_map(|mark| mark.attr("class").map(str::to_owned))
        .collect::<Vec<_>>()
    };
    assert_eq!(marks(2), ["m-window"]);
    assert!(marks(3).contains(&"m-page".to_owned()), "{:?}", marks(3));
    assert_eq!(marks(4), [""; 0]);
    assert!(marks(5).contains(&"m-page".to_owned()), "{:?}", marks(5));
    assert_eq!(marks(6), [""; 0]);
    // 30 minutes of 40 that are even, in 76 % of the width; 15 minutes of a fault are 28.5 %.
    let limit = all(&page, "#f1 line.limit")[0].attr("x1");
    assert_eq!(limit, Some("57.0%"));
    let span = |fault| {
        all(&page, &format!("#{fault} rect.span"))[0]
            .attr("width")
            .unwrap()
    };
    assert_eq!((span("f1"), span("f2")), ("100.0%", "28.5%"));
    assert_eq!(texts(&page, "#f2 text.on-span"), ["for 15m"]);
    assert!(!all(&page, "#f2 .m-resolved").is_empty());
    assert_eq!(texts(&page, "#f4 .timeline text.none"), ["no page"; 4]);
}

#[test]
fn what_was_told_is_there_in_words_too() {
    let page = page(&DRILLED);
    let told = texts(&page, "#f1 .told li");
    let moments = &DRILLED.rows()[0].together.moments;
    assert_eq!(told.len(), moments.len());
    assert!(
        told[0].contains("error-rate, page, incident opened: circuit of v7 opened"),
        "{told:?}"
    );
}

#[test]
fn a_page_at_the_limit_is_in_time_and_a_moment_later_it_is_late() {
    let time = DRILLED.rows()[0].together.time_to_page.unwrap();
    let tone = |limit| {
        let report = DetectionReport::of(DRILLED.clone()).within(limit);
        texts(&Html::parse_document(&report.html()), "#f1 .tone").concat()
    };
    assert_eq!(tone(time), "in time");
    assert_eq!(
        tone(time.saturating_sub(Duration::from_millis(1))),
        "too late"
    );
}

#[test]
fn a_name_stands_in_the_title_and_below_it() {
    let html = DetectionReport::of(DRILLED.clone()).named("a <b> c").html();
    let page = Html::parse_document(&html);
    assert_eq!(
        texts(&page, "title"),
        ["How soon each fault is known: a <b> c"]
    );
    assert_eq!(texts(&page, "header .facts"), ["a <b> c"]);
}

#[test]
fn nothing_drilled_is_said_and_not_divided_by() {
    let empty = serde_json::from_value(json!({
        "format": 1, "settings": settings(), "guards": [], "rows": [], "healthy_ms": 0,
        "false_pages": 0,
    }));
    let page = page(&empty.unwrap());
    assert_eq!(
        texts(&page, ".verdict .words"),
        ["Look No fault was drilled", "Look Not measured"]
    );
    let body = texts(&page, "body").concat();
    assert!(!body.contains("NaN") && !body.contains("inf"), "{body}");
    assert_eq!(all(&page, ".timeline").len(), 0);
}

/// As a version before timelines wrote it.
#[test]
fn a_matrix_without_moments_has_a_mark_for_each_first_page() {
    let old = changed(|json| {
        json.as_object_mut().unwrap().remove("watched_ms");
        for row in json["rows"].as_array_mut().unwrap() {
            let row = row.as_object_mut().unwrap();
            row.remove("size");
            row.remove("lasts_ms");
            for seen in row["alone"].as_array_mut().unwrap() {
                seen.as_object_mut().unwrap().remove("moments");
            }
            row["together"].as_object_mut().unwrap().remove("moments");
        }
    });
    let page = page(&old);
    assert_eq!(all(&page, "#f1 .timeline .m-page").len(), 2);
    assert_eq!(all(&page, "#f1 details").len(), 0);
    assert_eq!(all(&page, "#f1 .facts").len(), 0);
}

#[test]
fn times_beyond_reason_stay_within_the_picture() {
    let page = page(&changed(|json| {
        json["watched_ms"] = json!(u64::MAX);
        json["rows"][0]["lasts_ms"] = json!(u64::MAX);
        json["rows"][0]["together"]["time_to_page_ms"] = json!(u64::MAX);
        json["rows"][1]["together"]["moments"][0]["after_ms"] = json!(u64::MAX);
    }));
    for mark in all(&page, "svg.at") {
        let place = mark
            .attr("x")
            .unwrap()
            .trim_end_matches('%')
            .parse::<f64>()
            .unwrap();
        assert!((0.0..=100.0).contains(&place), "{place}");
    }
    assert_eq!(texts(&page, "#f1 .tone"), ["too late"]);
}

fn assert_harmless(html: &str) {
    let page = Html::parse_document(html);
    assert_eq!(page.errors, [""; 0]);
    for element in all(&page, "*") {
        for (attribute, value) in element.value().attrs() {
            assert!(!attribute.starts_with("on"), "{attribute}");
            assert!(!["src", "style"].contains(&attribute), "{attribute}");
            assert!(attribute != "href" || value.starts_with('#'), "{value}");
        }
    }
    assert_eq!(
        (all(&page, "script").len(), all(&page, "style").len()),
        (0, 1)
    );
}

/// The elements of the page, without the signs of hidden characters.
fn skeleton(html: &str) -> Vec<String> {
    let page = Html::parse_document(html);
    let elements = all(&page, "*");
    let elements = elements
        .iter()
        .filter(|element| element.attr("class") != Some("sign"));
    elements
        .map(|element| element.value().name().to_owned())
        .collect()
}

fn of_text(text: &str) -> String {
    let text = format!("{text} x");
    DetectionReport::of(of_texts(&[&text])).named(&text).html()
}

#[test]
fn markup_in_any_text_stays_text() {
    let html = DetectionReport::of(of_texts(&HOSTILE))
        .named(HOSTILE.concat())
        .html();
    assert_harmless(&html);
    let body = texts(&Html::parse_document(&html), "body").concat();
    for text in HOSTILE
        .iter()
        .filter(|text| text.is_ascii() && !text.contains('\0'))
    {
        assert!(body.contains(text), "{text}");
    }
}

#[test]
fn the_page_may_use_its_own_style_and_nothing_else() {
    let html = DetectionReport::of(DRILLED.clone()).html();
    assert_harmless(&html);
    let page = Html::parse_document(&html);
    let policy = all(&page, "meta[http-equiv=Content-Security-Policy]")[0]
        .attr("content")
        .unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(policy.contains("script-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[test]
fn the_same_matrix_gives_the_same_page() {
    let again = changed(|_| {});
    let html = |matrix| DetectionReport::of(matrix).html();
    assert_eq!(html(again), html(DRILLED.clone()));
    assert_eq!(DRILLED.watched(), Some(minutes(300)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_adds_an_element(text in "\\PC*|[\\x00-\\x{2100}<>&\"'/\\u{e0001}]*") {
        let html = of_text(&text);
        assert_harmless(&html);
        prop_assert_eq!(skeleton(&html), skeleton(&of_text("plain")));
    }
}
