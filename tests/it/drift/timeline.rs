//! The picture of a field: what it shows, what it escapes, and what it keeps.

use std::time::Duration;

use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftState};
use fusebox::event::DriftEvent;
use fusebox::report::DriftTimeline;
use fusebox::sink::Sink;
use fusebox::{
    ConfidenceDriftMonitor, DocumentId, DocumentType, Event, EventKind, Feedback, Field, Ratio,
    Report, Severity, Ticket, Timestamp, VersionId,
};
use roxmltree::{Document, Node};

use super::{Bench, HOUR, NOON, confidence, names, with_baseline};
use crate::operator::resolve;
use crate::support::minutes;

/// The colours of light surroundings.
const MEAN: &str = "#0969DA";
const BASELINE: &str = "#1A7F37";
const BAND: &str = "#1B8038";
const THRESHOLD: &str = "#9A6700";
const PAGE: &str = "#CF222E";
const CORRECTIONS: &str = "#8250DF";

/// A monitor whose statuses and events a timeline gets.
struct Watched {
    bench: Bench,
    timeline: DriftTimeline,
}

impl Watched {
    fn new(builder: ConfidenceDriftMonitorBuilder) -> Self {
        Self {
            bench: Bench::new(builder),
            timeline: DriftTimeline::new("invoice", "total").unwrap(),
        }
    }

    /// A document a minute, by turns 0.01 above and below; `None` for a time without documents.
    fn pass(&self, score: Option<f64>, time: Duration) {
        for minute in 0..time.as_secs() / 60 {
            self.bench.clock.advance(minutes(1));
            if let Some(score) = score {
                let off = if minute % 2 == 0 { 0.01 } else { -0.01 };
                self.bench.totals(score + off, 1);
            }
            self.tick();
        }
    }

    fn tick(&self) {
        self.bench.pipeline.tick();
        for event in self.bench.sink.take() {
            self.timeline.emit(&event);
        }
        let status = self.bench.drift.status("invoice", "total");
        self.timeline.record(self.now(), &status);
    }

    fn now(&self) -> Timestamp {
        fusebox::clock::Clock::now(&self.bench.clock)
    }

    fn ticket(&self, document_type: &str) -> Ticket {
        let settlement = self.bench.answer(document_type, Report::new());
        settlement.ticket().clone()
    }

    /// A fall of 0.10 after 5 hours, which the operator resolves.
    fn of_a_fall() -> Self {
        let watched = Self::new(with_baseline(0.90));
        watched.pass(Some(0.90), 5 * HOUR);
        watched.pass(Some(0.80), 3 * HOUR);
        assert_eq!(watched.bench.state(), DriftState::Raised);
        resolve(&watched.bench.drift, "invoice", "total").unwrap();
        watched.pass(Some(0.90), HOUR);
        watched
    }
}

fn texts<'a>(svg: &'a Document<'_>) -> Vec<&'a str> {
    let texts = svg.descendants().filter(|node| node.has_tag_name("text"));
    texts
        .filter_map(|node| node.text())
        .map(str::trim)
        .collect()
}

fn painted<'a>(svg: &'a Document<'a>, part: &str, color: &str) -> Vec<Node<'a, 'a>> {
    let nodes = svg.descendants();
    nodes
        .filter(|node| node.attribute(part) == Some(color))
        .collect()
}

/// The places of a line.
fn places(node: &Node<'_, '_>) -> Vec<(i32, i32)> {
    let points = node.attribute("points").unwrap().split_whitespace();
    let places = points.map(|place| {
        let (x, y) = place.split_once(',').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    });
    places.collect()
}

/// A day in 884 pixels: 60 for the labels on the left and 16 of margin on the right, of 960.
#[test]
fn the_picture_has_what_the_monitor_compares() {
    let watched = Watched::of_a_fall();
    let svg = watched.timeline.to_svg();
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(svg.root_element().attribute("viewBox"), Some("0 0 960 520"));
    let texts = texts(&svg);
    for text in [
        "Confidence of invoice.total",
        "mean of the window",
        "baseline",
        "allowed drop",
        "acceptance threshold",
        "page",
        "info",
        "time (UTC)",
        "confidence (0 to 1)",
        // Nine hours in eight parts are more than an hour each: every two hours.
        "14:00",
        "20:00",
    ] {
        assert!(texts.contains(&text), "{text} is not in {texts:?}");
    }
    assert!(!texts.contains(&"corrections an hour"), "{texts:?}");
    let means = painted(&svg, "stroke", MEAN);
    let mean = places(means.last().unwrap());
    assert!((mean[0].0 - 60).abs() <= 1, "{mean:?}");
    assert!((mean.last().unwrap().0 - 944).abs() <= 1, "{mean:?}");
    // The legend's and one in the picture, whose ends are its start and its end: the baseline is level.
    let baselines = painted(&svg, "stroke", BASELINE);
    assert_eq!(baselines.len(), 2);
    let level = places(&baselines[1]);
    assert_eq!(level.len(), 2);
    assert_eq!(level[0].1, level[1].1);
    assert!(
        mean.iter().any(|(_, y)| *y > level[0].1 + 20),
        "a low mean is below"
    );
    assert_eq!(painted(&svg, "fill", BAND).len(), 2);
    assert!(
        painted(&svg, "stroke", THRESHOLD).len() > 20,
        "it is dashed"
    );
}

/// The threshold is 0.80, then 0.85, then 0.80 again: higher is farther up, which is less.
#[test]
fn the_threshold_rises_and_comes_back() {
    let watched = Watched::of_a_fall();
    let svg = watched.timeline.to_svg();
    let svg = Document::parse(&svg).unwrap();
    let dashes = painted(&svg, "stroke", THRESHOLD);
    let dashes = dashes.iter().filter(|dash| dash.has_tag_name("polyline"));
    let heights: Vec<i32> = dashes.map(|dash| places(dash)[0].1).skip(3).collect();
    let (first, last) = (heights[0], *heights.last().unwrap());
    let highest = *heights.iter().min().unwrap();
    assert_eq!(first, last);
    assert!(highest < first - 20, "{heights:?}");
}

#[test]
fn events_are_numbered_in_the_picture_and_listed_below() {
    let watched = Watched::of_a_fall();
    let svg = watched.timeline.to_svg();
    let parsed = Document::parse(&svg).unwrap();
    // The legend's and the event's own.
    let pages = painted(&parsed, "stroke", PAGE);
    assert_eq!(pages.len(), 2);
    assert!(texts(&parsed).contains(&"1"), "{:?}", texts(&parsed));
    // The resolution and the end of the incident come at once and share one label.
    assert!(texts(&parsed).contains(&"2-3"), "{:?}", texts(&parsed));
    let html = watched.timeline.to_html();
    for text in [
        "mean confidence of invoice.total by v7 fell from 0.900 to",
        "ada resolved the drift of invoice.total",
        "incident (drift_detected, invoice.total) resolved",
        "<td class=\"page\">page</td>",
        "2025-11-23 21:00 UTC: healthy; mean 0.900 over 60 documents, baseline 0.900, acceptance \
         threshold 0.800.",
    ] {
        assert!(html.contains(text), "{text} is not in {html}");
    }
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let html = Watched::of_a_fall().timeline.to_html();
    assert!(html.starts_with("<!DOCTYPE html>"));
    let html = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for forbidden in [
        "http:", "https:", "<script", "<link", "src=", "url(", "@import",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(html.contains("name=\"viewport\""));
    assert!(html.contains("prefers-color-scheme:dark"));
    assert_eq!(
        html.matches("<svg ").count(),
        2,
        "for wide and narrow screens"
    );
}

#[test]
fn hostile_names_and_texts_are_escaped() {
    let hostile = "</svg><b>\"q\"&'amp'\n\u{0}";
    let bench = Bench::new(ConfidenceDriftMonitor::builder().plain_mean().baseline(
        DocumentType::new("a<b").unwrap(),
        Field::new(hostile).unwrap(),
        confidence(0.90),
        5_000,
    ));
    let timeline = DriftTimeline::new("a<b", hostile).unwrap();
    for _ in 0..30 {
        let _ = bench.answer("a<b", Report::new().confidence(hostile, 0.70));
    }
    let seen = bench.drift.status("a<b", hostile).revision;
    let why = "<script>alert('x')</script>";
    let drift = &bench.drift;
    drift.resolve("a<b", hostile, seen, "<i>eve", why).unwrap();
    bench.pipeline.tick();
    let events = bench.sink.take();
    for event in &events {
        timeline.emit(event);
    }
    timeline.record(NOON, &bench.drift.status("a<b", hostile));
    let svg = timeline.to_svg();
    let parsed = Document::parse(&svg).unwrap();
    // A name with control characters is printed as in a Rust string.
    let shown = r#"Confidence of a<b.</svg><b>\"q\"&\'amp\'\n\0"#;
    let title = texts(&parsed)[0];
    assert!(title.starts_with("Confidence of a<b.</svg>"), "{title}");
    let first = parsed.root_element().first_element_child().unwrap();
    assert_eq!(first.text(), Some(shown));
    let html = timeline.to_html();
    for forbidden in ["<b>", "<i>", "<script", "</svg><b", "\u{0}"] {
        assert!(!html.contains(forbidden), "{forbidden:?}");
    }
    assert!(
        html.contains("&lt;script&gt;alert('x')&lt;/script&gt;"),
        "{html}"
    );
}

/// XML has no such characters, however they are written.
#[test]
fn characters_that_xml_does_not_have_are_replaced() {
    let timeline = DriftTimeline::new("invoice", "a\u{fffe}b\u{ffff}").unwrap();
    let svg = timeline.to_svg();
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(texts(&svg)[0], "Confidence of invoice.a\u{fffd}b\u{fffd}");
}

#[test]
fn without_data_the_picture_says_so() {
    let timeline = DriftTimeline::new("invoice", "total").unwrap();
    let svg = timeline.to_svg();
    let svg = Document::parse(&svg).unwrap();
    let text = "No data yet: no status, no event, no correction.";
    assert!(texts(&svg).contains(&text), "{:?}", texts(&svg));
    let html = timeline.to_html();
    assert!(
        html.contains(text) && html.contains("No status yet."),
        "{html}"
    );
    assert!(DriftTimeline::new("", "total").is_err());
}

/// A point is a dot in the middle of half an hour: (60 + 944) / 2 is 502.
#[test]
fn one_status_is_a_dot() {
    let watched = Watched::new(with_baseline(0.90));
    watched.bench.totals(0.88, 1);
    watched.tick();
    let svg = watched.timeline.to_svg();
    let svg = Document::parse(&svg).unwrap();
    let dots = painted(&svg, "fill", MEAN);
    assert_eq!(dots.len(), 1);
    let x: i32 = dots[0].attribute("cx").unwrap().parse().unwrap();
    assert!((x - 502).abs() <= 1, "{x}");
    // No mean yet.
    let empty = Watched::new(with_baseline(0.90));
    empty.tick();
    let svg = empty.timeline.to_svg();
    let svg = Document::parse(&svg).unwrap();
    assert_eq!(painted(&svg, "fill", MEAN).len(), 0);
}

/// Silence for six hours, of which the window still has documents for four.
#[test]
fn a_line_ends_where_no_documents_are() {
    let watched = Watched::new(with_baseline(0.90));
    watched.pass(Some(0.90), HOUR);
    watched.pass(None, 6 * HOUR);
    watched.pass(Some(0.90), HOUR);
    let svg = watched.timeline.to_svg();
    let svg = Document::parse(&svg).unwrap();
    // The legend's, and two in the picture.
    let lines = painted(&svg, "stroke", MEAN);
    assert_eq!(lines.len(), 3);
    let (before, after) = (places(&lines[1]), places(&lines[2]));
    // An hour is 884 / 8 pixels, about 110.
    let gap = after[0].0 - before.last().unwrap().0;
    assert!((220 - gap).abs() < 15, "{gap}");
}

#[test]
fn corrections_are_bars_by_the_hour() {
    let watched = Watched::new(with_baseline(0.90));
    watched.pass(Some(0.90), HOUR);
    let (invoice, contract) = (watched.ticket("invoice"), watched.ticket("contract"));
    let total = Feedback::corrected(Field::new("total").unwrap());
    let observe = |at, ticket: &Ticket, feedback: &Feedback| {
        watched.timeline.observe(at, ticket, feedback);
    };
    observe(NOON, &invoice, &total);
    observe(NOON + minutes(59), &invoice, &total);
    observe(NOON + HOUR, &invoice, &total);
    // None of these is a correction of this field.
    observe(NOON, &contract, &total);
    observe(
        NOON,
        &invoice,
        &Feedback::corrected(Field::new("date").unwrap()),
    );
    observe(NOON, &invoice, &Feedback::Reviewed);
    observe(
        NOON,
        &invoice,
        &Feedback::retracted(Field::new("total").unwrap()),
    );
    let svg = watched.timeline.to_svg();
    let svg = Document::parse(&svg).unwrap();
    let bars = painted(&svg, "fill", CORRECTIONS);
    // The legend's, and two in the picture, of which the first is twice as high.
    assert_eq!(bars.len(), 3);
    let height = |bar: &Node<'_, '_>| bar.attribute("height").unwrap().parse::<i32>().unwrap();
    let (two, one) = (height(&bars[1]), height(&bars[2]));
    assert!((two - 2 * one).abs() <= 2, "{two}, {one}");
    let texts = texts(&svg);
    assert!(
        texts.contains(&"corrections an hour") && texts.contains(&"per hour"),
        "{texts:?}"
    );
}

fn invalid(at: Timestamp, field: &str) -> Event {
    let kind = DriftEvent::InvalidConfidence {
        document: DocumentId::new("inv-1").unwrap(),
        document_type: names().0,
        field: Field::new(field).unwrap(),
    };
    Event::new(at, "confidence-drift", Severity::Warning, kind.into())
}

fn rows(timeline: &DriftTimeline) -> usize {
    timeline.to_html().matches("<tr>").count() - 1
}

#[test]
fn only_events_about_the_field_are_listed() {
    let timeline = DriftTimeline::new("invoice", "total").unwrap();
    timeline.emit(&invalid(NOON, "total"));
    timeline.emit(&invalid(NOON, "date"));
    let custom = EventKind::custom("other", "invoice.total");
    timeline.emit(&Event::new(NOON, "own", Severity::Page, custom));
    assert_eq!(rows(&timeline), 1);
    // One of its type, about all fields.
    let full = DriftEvent::ReviewCapacityReached {
        document_type: names().0,
        version: VersionId::new("v7").unwrap(),
        capacity: Ratio::percent(50),
        wanted: 26,
        documents: 30,
        accepted: 11,
    };
    timeline.emit(&Event::new(NOON, "drift", Severity::Page, full.into()));
    assert_eq!(rows(&timeline), 2);
}

/// Of events, pages are lost last; what is older than eight days is not kept.
#[test]
fn it_keeps_eight_days_and_the_most_urgent_events() {
    let watched = Watched::of_a_fall();
    let timeline = &watched.timeline;
    for n in 0..600 {
        timeline.emit(&invalid(watched.now() + Duration::from_secs(n), "total"));
    }
    let html = timeline.to_html();
    assert_eq!(rows(timeline), 500);
    assert!(html.contains("<td class=\"page\">page</td>"));
    assert!(!html.contains("ada resolved"), "an info is lost first");
    let since = NOON + 8 * HOUR + minutes(30);
    let later = since + 24 * 8 * HOUR;
    timeline.emit(&invalid(later, "total"));
    assert!(!timeline.to_html().contains("<td class=\"page\">page</td>"));
    let stored = serde_json::to_value(timeline).unwrap();
    let points = stored["points"].as_array().unwrap();
    let first = points[0]["at"].as_u64().unwrap();
    assert!(first >= since.as_millis(), "{first}");
}

/// Every five minutes, and where something changes: 9 hours have 108 of five minutes.
#[test]
fn statuses_are_kept_every_five_minutes_and_at_changes() {
    let watched = Watched::of_a_fall();
    let stored = serde_json::to_value(&watched.timeline).unwrap();
    let points = stored["points"].as_array().unwrap();
    assert!((105..125).contains(&points.len()), "{}", points.len());
    let raised = points.iter().position(|point| point["state"] == "raised");
    let raised = raised.unwrap();
    let at = |place: usize| points[place]["at"].as_u64().unwrap();
    assert_eq!(
        at(raised) - at(raised - 1),
        60_000,
        "until the last tick before"
    );
    // An earlier status comes too late.
    let status = watched.bench.drift.status("invoice", "total");
    watched.timeline.record(NOON, &status);
    let after = serde_json::to_value(&watched.timeline).unwrap();
    assert_eq!(after, stored);
}

#[test]
fn it_outlives_a_restart() {
    let watched = Watched::of_a_fall();
    let stored = serde_json::to_string(&watched.timeline).unwrap();
    let restored: DriftTimeline = serde_json::from_str(&stored).unwrap();
    assert_eq!(restored.to_html(), watched.timeline.to_html());
    let next = stored.replacen("\"format\":1", "\"format\":2", 1);
    let error = serde_json::from_str::<DriftTimeline>(&next).unwrap_err();
    assert!(error.to_string().contains("unknown format 2"), "{error}");
}

/// What was stored may have been edited: times out of order, and at the ends of the scale.
#[test]
fn a_stored_timeline_never_panics() {
    let watched = Watched::of_a_fall();
    let stored = serde_json::to_value(&watched.timeline).unwrap();
    for at in [0, 1, u64::MAX / 2, u64::MAX] {
        let mut edited = stored.clone();
        edited["points"][3]["at"] = at.into();
        edited["points"][7]["mean"] = 0.into();
        edited["points"][8]["baseline"] = 0.into();
        edited["events"][0]["at"] = at.into();
        edited["corrections"] = serde_json::json!({ at.to_string(): u64::MAX });
        let restored: DriftTimeline = serde_json::from_value(edited).unwrap();
        let svg = restored.to_svg();
        assert!(Document::parse(&svg).is_ok(), "{at}");
        let _ = restored.to_html();
    }
}
