//! The page of what drills detect in a real browser. It needs a Chromium on the path, and fails
//! without one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use fusebox::report::DetectionReport;
use open::{LEAST_CONTRAST, Open};
use serde_json::{Value, json};

#[allow(dead_code, reason = "the review page uses the rest")]
mod open;
#[path = "../it/drill/page_sample.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod page_sample;
#[path = "../it/shadow_review/sample.rs"]
#[allow(dead_code, reason = "the hostile texts are what is used")]
mod sample;

/// How many marks and texts of the timelines lie outside of them.
const OUTSIDE: &str = "Array.from(document.querySelectorAll('.plot .at, .plot text')).filter((mark) => {
  const [own, room] = [mark.getBoundingClientRect(), mark.closest('.strip').getBoundingClientRect()];
  return own.left < room.left || own.right > room.right; }).length";

#[test]
fn the_page_is_readable_in_each_width_and_colour_and_asks_for_nothing() {
    let report = DetectionReport::of(page_sample::drilled()).named("invoices");
    for width in [400, 1_400] {
        let page = Open::new(&format!("detection_{width}"), &report.html(), width);
        let (complaints, requests) = page.complaints_and_requests();
        assert_eq!(complaints, [""; 0]);
        assert_eq!(requests, std::slice::from_ref(&page.url));
        page.ask(
            "document.querySelectorAll('details').forEach((fold) => { fold.open = true; }) || null",
        );
        for (scheme, is_dark) in [("light", false), ("dark", true)] {
            page.dark(is_dark);
            let over = page
                .ask("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert_eq!(over, 0, "{width}");
            assert_eq!(page.ask(OUTSIDE), 0, "{width}");
            let heights = page.ask(
                "Array.from(document.querySelectorAll('.timeline .plot')).map((plot) => plot.getBoundingClientRect().height)
                   .filter((height) => height < 16 || height > 60)",
            );
            assert_eq!(heights, json!([]), "{width}");
            let least = page.ask(LEAST_CONTRAST);
            assert!(
                least[0].as_f64().unwrap() >= 4.5,
                "{width} {scheme}: {least}"
            );
            for place in ["body", "#glance", "#f1", "#f3"] {
                page.ask(&format!(
                    "document.querySelector('{place}').scrollIntoView() || null"
                ));
                page.screenshot(&format!("{}-{scheme}", place.trim_start_matches('#')));
            }
        }
    }
}

#[test]
fn hostile_names_run_nothing_and_widen_nothing() {
    let matrix = page_sample::of_texts(&sample::HOSTILE);
    let html = DetectionReport::of(matrix)
        .named(sample::HOSTILE.concat())
        .html();
    for width in [400, 1_400] {
        let page = Open::new(&format!("detection_hostile_{width}"), &html, width);
        page.screenshot("hostile");
        let (complaints, requests) = page.complaints_and_requests();
        assert_eq!(complaints, [""; 0]);
        assert_eq!(requests, std::slice::from_ref(&page.url));
        assert_eq!(page.ask("window.hacked || null"), Value::Null);
        let over =
            page.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(over, 0, "{width}");
    }
}
