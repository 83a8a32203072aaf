//! The review page in a real browser. It needs a Chromium on the path, and fails without one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use fusebox::report::{MarkVerdict, Marks};
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Network, Page};
use headless_chrome::{Browser, LaunchOptions, Tab};
use serde_json::Value;

#[path = "../it/shadow_review/sample.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod sample;

/// What a page did.
#[derive(Debug)]
enum Seen {
    Complaint(String),
    Request(String),
    Downloaded,
    Mark(String),
}

/// A page that is open in a browser of its own.
struct Open {
    tab: Arc<Tab>,
    seen: Receiver<Seen>,
    url: String,
    folder: PathBuf,
    _browser: Browser,
}

impl Open {
    /// A page in a folder of this name, in a window of this width.
    fn new(name: &str, html: &str, width: u32) -> Self {
        Self::prepared(name, html, width, |_| {})
    }

    fn prepared(name: &str, html: &str, width: u32, prepare: impl Fn(&Tab)) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("review.html");
        fs::write(&file, html).unwrap();
        let options = LaunchOptions {
            // A container has no name spaces for the sandbox; the page is our own.
            sandbox: false,
            window_size: Some((width, 1_000)),
            idle_browser_timeout: Duration::from_secs(120),
            ..LaunchOptions::default()
        };
        let browser =
            Browser::new(options).expect("a Chromium on the path: `apt-get install chromium`");
        let tab = browser.new_tab().unwrap();
        let (send, seen) = channel();
        let listener = move |event: &Event| {
            let seen = match event {
                Event::LogEntryAdded(entry) => Seen::Complaint(entry.params.entry.text.clone()),
                Event::RuntimeExceptionThrown(thrown) => {
                    Seen::Complaint(format!("{:?}", thrown.params.exception_details))
                }
                Event::RuntimeConsoleAPICalled(call) => {
                    let text = call.params.args.first().and_then(|text| text.value.clone());
                    Seen::Mark(
                        text.and_then(|text| text.as_str().map(str::to_owned))
                            .unwrap_or_default(),
                    )
                }
                Event::NetworkRequestWillBeSent(request) => {
                    Seen::Request(request.params.request.url.clone())
                }
                Event::PageDownloadProgress(progress) => {
                    let done = Page::DownloadProgressEventStateOption::Completed;
                    if progress.params.state != done {
                        return;
                    }
                    Seen::Downloaded
                }
                _ => return,
            };
            let _ = send.send(seen);
        };
        tab.add_event_listener(Arc::new(listener)).unwrap();
        tab.enable_log().unwrap();
        tab.enable_runtime().unwrap();
        tab.call_method(Network::Enable {
            max_total_buffer_size: None,
            max_resource_buffer_size: None,
            max_post_data_size: None,
            report_direct_socket_traffic: None,
            enable_durable_messages: None,
        })
        .unwrap();
        tab.call_method(Page::SetDownloadBehavior {
            behavior: Page::SetDownloadBehaviorBehaviorOption::Allow,
            download_path: Some(folder.to_str().unwrap().to_owned()),
        })
        .unwrap();
        tab.call_method(Emulation::SetDeviceMetricsOverride {
            width,
            height: 1_000,
            device_scale_factor: 1.0,
            mobile: false,
            scale: None,
            screen_width: None,
            screen_height: None,
            position_x: None,
            position_y: None,
            dont_set_visible_size: None,
            screen_orientation: None,
            viewport: None,
            display_feature: None,
            device_posture: None,
        })
        .unwrap();
        prepare(&tab);
        let url = format!("file://{}", file.display());
        tab.navigate_to(&url)
            .unwrap()
            .wait_until_navigated()
            .unwrap();
        Self {
            tab,
            seen,
            url,
            folder,
            _browser: browser,
        }
    }

    /// The value of an expression.
    fn ask(&self, expression: &str) -> Value {
        let expression = format!("JSON.stringify({expression})");
        let text = self.tab.evaluate(&expression, false).unwrap().value;
        let text = text.unwrap_or_else(|| panic!("{expression} has no value"));
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    }

    fn text(&self, selector: &str) -> String {
        let text = self.ask(&format!("document.querySelector('{selector}').innerText"));
        text.as_str().unwrap().to_owned()
    }

    fn press(&self, keys: &[&str]) {
        for key in keys {
            self.tab.press_key(key).unwrap();
        }
    }

    /// The id of the focused element, or its name.
    fn focus(&self) -> String {
        let focus = self.ask("document.activeElement.id || document.activeElement.name || document.activeElement.className");
        focus.as_str().unwrap().to_owned()
    }

    fn click(&self, selector: &str) {
        self.tab.find_element(selector).unwrap().click().unwrap();
    }

    fn choose(&self, filter: &str, choice: &str) {
        let chosen = self.ask(&format!(
            "(() => {{ const list = document.getElementById('filter-{filter}');
               const option = Array.from(list.options).find((option) => option.text === '{choice}');
               list.value = option.value;
               list.dispatchEvent(new Event('change', {{ bubbles: true }}));
               return option.text; }})()"
        ));
        assert_eq!(chosen, choice);
    }

    fn shown(&self) -> usize {
        let shown = self.ask(
            "Array.from(document.querySelectorAll('article.entry')).filter((entry) => entry.getClientRects().length > 0).length",
        );
        usize::try_from(shown.as_u64().unwrap()).unwrap()
    }

    fn dark(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        self.tab
            .call_method(Emulation::SetEmulatedMedia {
                media: None,
                features: Some(vec![Emulation::MediaFeature {
                    name: "prefers-color-scheme".to_owned(),
                    value: value.to_owned(),
                }]),
            })
            .unwrap();
    }

    /// A picture for a person to look at.
    fn screenshot(&self, name: &str) {
        let png = Page::CaptureScreenshotFormatOption::Png;
        let picture = self.tab.capture_screenshot(png, None, None, true).unwrap();
        fs::write(self.folder.join(name).with_extension("png"), picture).unwrap();
    }

    /// What the console said and what was requested, up to now.
    fn complaints_and_requests(&self) -> (Vec<String>, Vec<String>) {
        self.tab
            .evaluate("console.info('until here')", false)
            .unwrap();
        let (mut complaints, mut requests) = (Vec::new(), Vec::new());
        loop {
            match self.seen.recv_timeout(Duration::from_secs(20)).unwrap() {
                Seen::Mark(text) if text == "until here" => return (complaints, requests),
                Seen::Complaint(text) | Seen::Mark(text) => complaints.push(text),
                Seen::Request(url) => requests.push(url),
                Seen::Downloaded => {}
            }
        }
    }

    /// The marks that the page saved.
    fn saved(&self) -> Vec<u8> {
        loop {
            match self.seen.recv_timeout(Duration::from_secs(20)).unwrap() {
                Seen::Downloaded => break,
                Seen::Complaint(text) => panic!("{text}"),
                Seen::Request(_) | Seen::Mark(_) => {}
            }
        }
        let files = fs::read_dir(&self.folder).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let file = files.find(|file| file.extension().is_some_and(|end| end == "json"));
        fs::read(file.unwrap()).unwrap()
    }
}

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

/// The least contrast of a text with what lies behind it, and that text.
const LEAST_CONTRAST: &str = "(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = parse(color).slice(0, 3).map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (parse(color)[3] !== 0) { return color; }
    }
    return 'rgb(255, 255, 255)';
  };
  let least = [100, ''];
  for (const element of document.body.querySelectorAll('*')) {
    const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim() !== '');
    const isControl = element.matches('input[type=text], select');
    if ((!own && !isControl) || element.getClientRects().length === 0 || element.matches('option')) { continue; }
    const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < least[0]) { least = [contrast, element.outerHTML.slice(0, 200)]; }
  }
  return least;
})()";

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
