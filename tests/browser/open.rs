//! A page that is open in a real browser. It needs a Chromium on the path, and fails without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Network, Page};
use headless_chrome::{Browser, LaunchOptions, Tab};
use serde_json::Value;

/// The least contrast of a text with what lies behind it, and that text.
pub(crate) const LEAST_CONTRAST: &str = "(() => {
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

/// What a page did.
#[derive(Debug)]
pub(crate) enum Seen {
    Complaint(String),
    Request(String),
    Downloaded,
    Mark(String),
}

/// A page that is open in a browser of its own.
pub(crate) struct Open {
    pub(crate) tab: Arc<Tab>,
    seen: Receiver<Seen>,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    _browser: Browser,
}

impl Open {
    /// A page in a folder of this name, in a window of this width.
    pub(crate) fn new(name: &str, html: &str, width: u32) -> Self {
        Self::prepared(name, html, width, |_| {})
    }

    pub(crate) fn prepared(name: &str, html: &str, width: u32, prepare: impl Fn(&Tab)) -> Self {
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
    pub(crate) fn ask(&self, expression: &str) -> Value {
        let expression = format!("JSON.stringify({expression})");
        let text = self.tab.evaluate(&expression, false).unwrap().value;
        let text = text.unwrap_or_else(|| panic!("{expression} has no value"));
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.ask(&format!("document.querySelector('{selector}').innerText"));
        text.as_str().unwrap().to_owned()
    }

    pub(crate) fn press(&self, keys: &[&str]) {
        for key in keys {
            self.tab.press_key(key).unwrap();
        }
    }

    /// The id of the focused element, or its name.
    pub(crate) fn focus(&self) -> String {
        let focus = self.ask("document.activeElement.id || document.activeElement.name || document.activeElement.className");
        focus.as_str().unwrap().to_owned()
    }

    pub(crate) fn click(&self, selector: &str) {
        self.tab.find_element(selector).unwrap().click().unwrap();
    }

    pub(crate) fn choose(&self, filter: &str, choice: &str) {
        let chosen = self.ask(&format!(
            "(() => {{ const list = document.getElementById('filter-{filter}');
               const option = Array.from(list.options).find((option) => option.text === '{choice}');
               list.value = option.value;
               list.dispatchEvent(new Event('change', {{ bubbles: true }}));
               return option.text; }})()"
        ));
        assert_eq!(chosen, choice);
    }

    pub(crate) fn shown(&self) -> usize {
        let shown = self.ask(
            "Array.from(document.querySelectorAll('article.entry')).filter((entry) => entry.getClientRects().length > 0).length",
        );
        usize::try_from(shown.as_u64().unwrap()).unwrap()
    }

    pub(crate) fn dark(&self, is_dark: bool) {
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
    pub(crate) fn screenshot(&self, name: &str) {
        let png = Page::CaptureScreenshotFormatOption::Png;
        let picture = self.tab.capture_screenshot(png, None, None, true).unwrap();
        fs::write(self.folder.join(name).with_extension("png"), picture).unwrap();
    }

    /// What the console said and what was requested, up to now.
    pub(crate) fn complaints_and_requests(&self) -> (Vec<String>, Vec<String>) {
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
    pub(crate) fn saved(&self) -> Vec<u8> {
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
