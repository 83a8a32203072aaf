//! The page of every kind of incident, as each pager gets it.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use fusebox::pager::Pager;

use super::*;
use crate::events::{OF_INCIDENTS, read, samples};

/// One for each event that opens an incident: all forms of the first, and the trigger of the others.
fn notifications() -> Vec<(Notification, Form)> {
    let mut names = BTreeSet::new();
    let kinds = samples().into_iter().map(|sample| read(&sample));
    let first = kinds
        .filter(|kind| OF_INCIDENTS.contains(&kind.name()) && names.insert(kind.name().to_owned()));
    let open: Vec<_> = first
        .map(|kind| Notification::triggered(&invoices(), &opened_by(kind)))
        .collect();
    assert_eq!(open.len(), OF_INCIDENTS.len());
    let mut all: Vec<_> = open.into_iter().map(|told| (told, Form::Full)).collect();
    let missed = ended(Action::Missed);
    all.push((triggered(), Form::Full));
    all.push((triggered(), Form::Minimal));
    for form in [Form::Full, Form::Minimal] {
        all.push((ended(Action::Resolve), form));
        all.push((missed.clone(), form));
    }
    all
}

/// An array, a body a line: in the order in which it is sent.
fn pages(name: &str, pager: &dyn Pager) -> String {
    let now = EVENING + minutes(1);
    let notifications = notifications();
    let requests = notifications
        .iter()
        .filter_map(|(told, form)| pager.request(told, *form, now));
    let bodies = requests.map(|request| {
        let wrong = rules::of(name, request.url.reveal(), &request.body);
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        String::from_utf8(request.body)
            .unwrap()
            .replace(ROUTING_KEY, "<routing key>")
    });
    let bodies: Vec<String> = bodies.collect();
    format!("[\n{}\n]\n", bodies.join(",\n"))
}

#[test]
fn pages_are_what_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pages");
    let now = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&now).unwrap();
    let pages = pagers()
        .into_iter()
        .map(|(name, pager)| (format!("{name}.json"), pages(name, &*pager)));
    let pages: Vec<_> = pages.collect();
    for (file, pages) in &pages {
        fs::write(now.join(file), pages).unwrap();
    }
    for (file, pages) in pages {
        let golden = fs::read_to_string(folder.join(&file)).unwrap_or_default();
        let mut lines = pages.lines().zip(golden.lines());
        let differs = lines.find(|(page, golden)| page != golden);
        assert_eq!(differs, None, "{file}; all as they are: {}", now.display());
        let counts = [&pages, &golden].map(|text| text.lines().count());
        assert_eq!(
            counts[0],
            counts[1],
            "{file}; all as they are: {}",
            now.display()
        );
    }
}

/// What a person needs at night, in every page.
#[test]
fn every_page_says_what_was_done_what_ends_it_and_what_to_do() {
    for (notification, form) in notifications() {
        if notification.action != Action::Trigger || form == Form::Minimal {
            continue;
        }
        let request = pagerduty().request(&notification, form, EVENING).unwrap();
        let details = body(&request)["payload"]["custom_details"].take();
        for name in [
            "done_already",
            "still_wrong",
            "since",
            "ends_when",
            "undo",
            "incident",
        ] {
            assert!(
                details[name].is_string(),
                "{name} of {}",
                notification.incident
            );
        }
        assert_eq!(notification.severity, Severity::Page);
        assert!(notification.summary.chars().count() <= 200);
    }
}
