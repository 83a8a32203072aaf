//! The page on which people review what diverged in a shadow run, and the marks that they save.

mod bars;
mod builder;
mod diff;
mod entries;
mod item;
mod list;
mod marks;

mod of_shadow;
mod overview;
mod page;
mod summary;

use std::io::{self, Write};

use serde::Serialize;

use super::visible::escaped_json;
use crate::format::Format;
use summary::Summary;

pub use builder::ReviewReportBuilder;
pub use item::ReviewItem;
pub use marks::{Mark, MarkVerdict, Marks};
pub(super) use overview::verdict;
pub use summary::{DivergenceRate, ReviewVerdict, VerdictTone};

/// The findings of a shadow run for people: the verdicts, the numbers, and every document that
/// diverged, with both texts side by side.
///
/// [`html`](Self::html) is one file that needs no network, and no script to be read. Its script
/// filters the divergences and saves the reviewer's marks to a file, which [`Marks::read`] reads
/// back. All texts of models are escaped, directions are isolated, and characters that nobody would
/// see have a visible mark. The same report gives the same bytes.
///
/// It holds at most what it was given: up to 2,000 divergences are on the page, and a value of more
/// than 4,000 characters (fewer on a page with many) is cut around what differs. The JSON Lines have
/// everything.
///
/// ```
/// use fusebox::call::{Comparison, Difference};
/// use fusebox::report::{DivergenceRate, ReviewItem, ReviewReport, ReviewVerdict, VerdictTone};
/// # use fusebox::{Call, Field, Ratio, Ticket, Timestamp, Version, VersionId};
///
/// # let (v7, v8) = (Version::new("v7", "gpt-4o")?, VersionId::new("v8")?);
/// # let ticket = Ticket::new(&Call::new("inv-1", "invoice")?, &v7);
/// # let production = v7.id().clone();
/// let total = Difference::changed(Field::new("/total")?).between("12.50", "1250");
/// let verdict = ReviewVerdict::new(VerdictTone::Caution, "Review required");
/// let interval = (Ratio::basis_points(9), Ratio::basis_points(277));
/// let rate = DivergenceRate::new(1, 200, interval)?;
/// let report = ReviewReport::builder(production, v8.clone(), verdict, rate, Ratio::percent(8))
///     .items([ReviewItem::new(&ticket, v8, Comparison::Diverged(vec![total]))])
///     .build()?;
///
/// let page = report.html();
/// assert!(page.contains("inv-1"));
/// let mut lines = Vec::new();
/// report.json_lines(&mut lines)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewReport {
    summary: Summary,
    items: Vec<ReviewItem>,
    id: String,
}

impl ReviewReport {
    /// What tells this report from others: a hash of all that it says, in 16 hexadecimal digits.
    /// [`Marks`] have it too.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The documents that diverged.
    pub fn items(&self) -> &[ReviewItem] {
        &self.items
    }

    /// The page, as one HTML file.
    pub fn html(&self) -> String {
        page::html(&self.summary, &self.items, &self.id)
    }

    /// Writes everything as JSON Lines: one line for the summary, with `"format": 1`, and one for
    /// each document. No line holds a control character or one that is not seen; such characters
    /// are escaped.
    pub fn json_lines(&self, mut writer: impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Header<'a> {
            format: Format<1>,
            report: &'a str,
            #[serde(flatten)]
            summary: &'a Summary,
            items: usize,
        }
        let header = Header {
            format: Format,
            report: &self.id,
            summary: &self.summary,
            items: self.items.len(),
        };
        let header = serde_json::to_string(&header)?;
        writeln!(writer, "{}", escaped_json(&header))?;
        for item in &self.items {
            let item = serde_json::to_string(item)?;
            writeln!(writer, "{}", escaped_json(&item))?;
        }
        writer.flush()
    }
}
