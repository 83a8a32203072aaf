//! The review page in a real browser. It needs a Chromium on the path, and fails without one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::net::TcpListener;

use fusebox::report::{MarkVerdict, Marks};
use headless_chrome::protocol::cdp::Emulation;
use open::{LEAST_CONTRAST, Open};
use serde_json::Value;

mod open;
#[path = "../it/shadow_review/sample.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod sample;

#[test]
fn the_page_opens_without_a_complaint_and_no_request_leaves() {
    for (name, report) in [
        ("opens", sample::realistic()),
        ("opens_hostile", sample::hostile()),
    ] {
        let page = Open::new(name, &report.html(), 1_400);
        assert!(page.text("#done").starts_with("0 of "), "the script ran");
        let (complaints, requests) = page.complaints_and_requests();
        assert_eq!(complaints, [""; 0]);
        assert_eq!(requests, std::slice::from_ref(&page.url));
    }
}

/// The test above would see a script, a style or a request that is not the page's own.
#[test]
fn the_policy_refuses_what_is_not_the_pages_own_and_the_console_says_so() {
    let html = sample::realistic().html();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let picture = format!(
        "<img src=\"http://{}/pixel\">",
        elsewhere.local_addr().unwrap()
    );
    for foreign in [
        "<script>window.hacked = 1</script>",
        &picture,
        "<p style=\"color:red\" onclick=\"window.hacked = 1\">x</p>",
        "<style>body{color:red}</style>",
        "<iframe src=\"data:text/html,x\"></iframe>",
    ] {
        let html = html.replace("<main>", &format!("<main>{foreign}"));
        let page = Open::new("foreign", &html, 1_400);
        let (complaints, _) = page.complaints_and_requests();
        let refused = |text: &String| text.contains("Content Security Policy");
        assert!(complaints.iter().any(refused), "{foreign}: {complaints:?}");
        assert_eq!(page.ask("window.hacked || null"), Value::Null, "{foreign}");
    }
    let nobody = elsewhere.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn hostile_text_runs_nothing_and_moves_nothing() {
    let report = sample::hostile();
    let page = Open::new("hostile", &report.html(), 400);
    page.screenshot("hostile-400");
    assert_eq!(page.ask("window.hacked || null"), Value::Null);
    let counted = page.ask("[document.scripts.length, document.querySelectorAll('img, iframe, base, style + style').length]");
    assert_eq!(counted, serde_json::json!([2, 0]));
    assert_eq!(page.shown(), 2 * sample::HOSTILE.len());
    let attributes = page.ask(
        "Array.from(document.querySelectorAll('*')).flatMap((element) => Array.from(element.attributes))
           .filter((attribute) => attribute.name.startsWith('on') || /^\\s*javascript:/i.test(attribute.value)).length",
    );
    assert_eq!(attributes, 0);
}

#[test]
fn filters_show_what_they_say() {
    let page = Open::new("filters", &sample::realistic().html(), 1_400);
    assert_eq!(page.shown(), 40);
    page.choose("type", "contract");
    assert_eq!(
        (page.shown(), page.text("#message")),
        (13, "13 of 40 shown".to_owned())
    );
    page.choose("field", "/signed_on");
    assert_eq!(page.shown(), 4);
    let groups = page.ask("Array.from(document.querySelectorAll('section.field:not([hidden]) h4')).filter((h) => h.getClientRects().length > 0).map((h) => h.innerText)");
    assert_eq!(groups, serde_json::json!(["/signed_on 4"]));
    page.choose("type", "all types");
    page.choose("field", "all fields");
    page.choose("kind", "candidate timed out");
    assert_eq!(page.shown(), 1);
    page.choose("kind", "all kinds");
    page.press(&["j", "a", "a", "r"]);
    for (choice, count) in [
        ("marked", 3),
        ("not marked", 37),
        ("accepted", 2),
        ("rejected", 1),
        ("all", 40),
    ] {
        page.choose("mark", choice);
        assert_eq!(page.shown(), count, "{choice}");
    }
}

#[test]
fn a_review_by_keyboard_alone_is_saved_and_read_back() {
    let report = sample::realistic();
    let page = Open::new("keyboard", &report.html(), 1_400);
    page.press(&["Tab"]);
    assert_eq!(page.focus(), "skip");
    page.press(&["Enter"]);
    assert_eq!(page.focus(), "divergences");
    page.press(&["j"]);
    assert_eq!(page.focus(), "d1");
    // Seven units are fine; the first total is not, and the note says why.
    page.press(&["a"; 7]);
    page.press(&["r", "k", "n"]);
    page.tab.type_str("a factor of 100").unwrap();
    page.press(&["Escape"]);
    assert_eq!(page.focus(), "d8");
    page.press(&["k", "k", "u", "a", "j"]);
    assert_eq!(page.focus(), "d8");
    assert_eq!(page.text("#done"), "8 of 40 marked");

    // Past what is folded away, to the mark.
    page.press(&["Tab", "Tab"]);
    assert_eq!(page.focus(), "m8");
    page.press(&["ArrowLeft"]);
    assert_eq!(page.ask("document.activeElement.value"), "accept");
    page.press(&["ArrowRight"]);
    assert_eq!(page.ask("document.activeElement.value"), "reject");

    // Without a name the page asks for it.
    page.click("#save");
    assert_eq!(page.focus(), "reviewer");
    assert!(
        page.text("#message").contains("name"),
        "{}",
        page.text("#message")
    );
    page.tab.type_str("Ada Okafor").unwrap();
    page.press(&["Tab", "Enter"]);
    let marks = Marks::read(page.saved()).unwrap();
    assert_eq!(marks.reviewer(), "Ada Okafor");
    assert_eq!(marks.report(), report.id());
    assert_eq!(
        (marks.production().as_str(), marks.candidate().as_str()),
        ("v7", "v8")
    );
    let saved: Vec<_> = marks
        .marks()
        .iter()
        .map(|mark| (mark.entry, mark.verdict))
        .collect();
    let mut expected: Vec<_> = (1..=7).map(|entry| (entry, MarkVerdict::Accept)).collect();
    expected.push((8, MarkVerdict::Reject));
    assert_eq!(saved, expected);
    let last = marks.marks().last().unwrap();
    assert_eq!(
        (last.document.as_str(), &last.note[..]),
        ("inv-2026-0417", "a factor of 100")
    );
    let rules = marks.ignore_rules(marks.saved_at()).unwrap();
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| (rule.document_type.as_str(), rule.field.as_str()))
        .collect();
    assert_eq!(rules, [("invoice", "/lines/*/unit")]);
    assert_eq!(page.text("#message"), "Saved 8 of 40.");
}

#[test]
fn a_review_continues_from_its_file_and_refuses_another_reports() {
    let report = sample::realistic();
    let page = Open::new("continue", &report.html(), 1_400);
    page.press(&["j", "a", "r"]);
    page.click("#reviewer");
    page.tab.type_str("Ada Okafor").unwrap();
    page.click("#save");
    let saved = page.saved();

    let again = Open::new("continue_again", &report.html(), 1_400);
    let load = |name: &str, content: &[u8], expected: &str| {
        let file = again.folder.join(name);
        fs::write(&file, content).unwrap();
        let input = again.tab.find_element("#load").unwrap();
        input.set_input_files(&[file.to_str().unwrap()]).unwrap();
        let says = format!(
            "new Promise((done) => {{ const message = document.getElementById('message');
               const look = () => message.textContent.includes('{expected}') ? done('yes') : setTimeout(look, 20);
               setTimeout(() => done(message.textContent), 10000); look(); }})"
        );
        let said = again.tab.evaluate(&says, true).unwrap().value.unwrap();
        assert_eq!(said, "yes", "{name}");
    };
    let text = String::from_utf8(saved.clone()).unwrap();
    load(
        "other.marks",
        text.replace(report.id(), "0000000000000000").as_bytes(),
        "another report",
    );
    load("none.marks", b"not json", "no marks of this page");
    assert_eq!(again.text("#done"), "0 of 40 marked");
    load("own.marks", &saved, "Continued with 2 marks");
    assert_eq!(again.text("#done"), "2 of 40 marked");
    assert_eq!(
        again.ask("document.getElementById('d2').dataset.mark"),
        "reject"
    );
}

#[test]
fn every_control_is_reached_by_tab_and_shows_its_focus() {
    let page = Open::new("tab", &sample::realistic().html(), 1_400);
    let mut reached = Vec::new();
    for _ in 0..16 {
        page.press(&["Tab"]);
        reached.push(page.focus());
        let outline = page.ask("getComputedStyle(document.activeElement).outlineStyle");
        assert_ne!(outline, "none", "{reached:?}");
    }
    for control in [
        "skip",
        "filter-type",
        "filter-field",
        "filter-kind",
        "filter-mark",
        "keys",
        "reviewer",
        "save",
        "load",
        "m1",
        "n1",
        "m2",
        "n2",
    ] {
        assert!(
            reached.iter().any(|id| id == control),
            "{control} is not in {reached:?}"
        );
    }
    let nameless = page.ask(
        "Array.from(document.querySelectorAll('input, select, button')).filter((control) =>
           !(control.labels && control.labels.length > 0) && control.textContent.trim() === '').length",
    );
    assert_eq!(nameless, 0, "each control has a label");
}

#[test]
fn letters_in_a_note_are_text_and_keys_can_be_turned_off() {
    let page = Open::new("letters", &sample::realistic().html(), 1_400);
    page.press(&["j", "n"]);
    page.tab.type_str("jar").unwrap();
    assert_eq!(page.ask("document.activeElement.value"), "jar");
    assert_eq!(page.text("#done"), "0 of 40 marked");
    page.click("#keys");
    page.ask("document.getElementById('d1').focus() || null");
    page.press(&["a"]);
    assert_eq!(page.text("#done"), "0 of 40 marked");
    page.click("#keys");
    page.ask("document.getElementById('d1').focus() || null");
    page.press(&["a"]);
    assert_eq!(page.text("#done"), "1 of 40 marked");
}

#[test]
fn texts_stand_out_and_nothing_scrolls_sideways_at_either_width() {
    for (name, report) in [
        ("realistic", sample::realistic()),
        ("hostile", sample::hostile()),
    ] {
        for width in [400, 1_400] {
            let page = Open::new(&format!("{name}_{width}"), &report.html(), width);
            page.press(&["j", "a", "j", "r"]);
            for (scheme, is_dark) in [("light", false), ("dark", true)] {
                page.dark(is_dark);
                page.ask("document.querySelectorAll('details').forEach((fold) => { fold.open = true; }) || null");
                let over = page.ask(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
                );
                assert_eq!(over, 0, "{name} {width}");
                let least = page.ask(LEAST_CONTRAST);
                assert!(
                    least[0].as_f64().unwrap() >= 4.5,
                    "{name} {width} {scheme}: {least}"
                );
                for place in ["body", "#divergences", "#d14", "#d30", "#d36"] {
                    page.ask(&format!("(document.querySelector('{place}') || document.body).scrollIntoView() || null"));
                    page.screenshot(&format!("{}-{scheme}", place.trim_start_matches('#')));
                }
            }
        }
    }
}

#[test]
fn the_page_is_read_without_its_script() {
    let page = Open::prepared("no_script", &sample::realistic().html(), 1_400, |tab| {
        let off = Emulation::SetScriptExecutionDisabled { value: true };
        tab.call_method(off).unwrap();
    });
    page.screenshot("no-script");
    assert_eq!(page.shown(), 40);
    assert!(page.text("noscript").contains("need scripts"));
    let controls = page.ask("Array.from(document.querySelectorAll('input, select, button')).filter((control) => control.getClientRects().length > 0).length");
    assert_eq!(controls, 0, "no control that would do nothing");
    assert!(page.text("#d1").contains("pcs"));
}
