//! The page on which people review a shadow run: what it says, what it escapes, and what its marks
//! become.

use fusebox::report::ReviewReport;
use scraper::{ElementRef, Html, Selector};

mod hostile;
mod lines;
mod marks;
mod page;
pub(crate) mod sample;

/// A page as a browser reads it.
struct Page(Html);

impl Page {
    fn of(report: &ReviewReport) -> Self {
        Self(Html::parse_document(&report.html()))
    }

    fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        let selector = Selector::parse(selector).unwrap();
        self.0.select(&selector).collect()
    }

    fn texts(&self, selector: &str) -> Vec<String> {
        self.all(selector).into_iter().map(text).collect()
    }

    fn text(&self, selector: &str) -> String {
        let all = self.texts(selector);
        assert_eq!(all.len(), 1, "{selector}: {all:?}");
        all.concat()
    }
}

/// The text of an element in one line.
fn text(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}
