//! The page that shows which fault is known after which time, with a timeline for each.

mod axis;
mod chart;
mod faults;
mod page;
mod summary;

use std::time::Duration;

use crate::drill::DetectionMatrix;
use crate::time::minutes;

/// A [`DetectionMatrix`] as a page for people: how many faults were known in time, and for each fault
/// who paged, when, and a timeline of what each guard told.
///
/// [`html`](Self::html) is one file with no script. It loads nothing, follows the reader's dark mode,
/// and can be read on wide and on narrow screens. All names are escaped, directions are isolated, and
/// characters that nobody would see have a visible mark. The same matrix gives the same bytes.
///
/// ```
/// use std::time::Duration;
/// use fusebox::drill::{DrillSet, Fault, Traffic};
/// use fusebox::report::DetectionReport;
/// use fusebox::{ErrorRateBreaker, FailureKind, LineUp, Pipeline, Ratio, Version};
///
/// let production = || {
///     let line_up = LineUp::new(Version::new("v7", "gpt-4o")?);
///     Ok(Pipeline::builder(line_up).guard(ErrorRateBreaker::default()))
/// };
/// let hour = Duration::from_secs(3_600);
/// let outage = Fault::fail(FailureKind::ServerError).share(Ratio::percent(20));
/// let matrix = DrillSet::new(production)
///     .traffic(Traffic::of("invoice", 600)?)
///     .settling(hour)
///     .watching(hour)
///     .healthy(2 * hour)
///     .fault("a fifth of the calls fails", outage)
///     .run()?;
/// let page = DetectionReport::of(matrix).named("invoices").html();
/// assert!(page.contains("a fifth of the calls fails"));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a report is read only where its page is written"]
pub struct DetectionReport {
    matrix: DetectionMatrix,
    limit: Duration,
    name: String,
}

impl DetectionReport {
    /// A page about this matrix, on which a fault is known in time within 30 minutes.
    pub fn of(matrix: DetectionMatrix) -> Self {
        Self {
            matrix,
            limit: minutes(30),
            name: String::new(),
        }
    }

    /// The same with the name of what was drilled, such as a service.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same with another time within which a fault must be known.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The page, as one HTML file.
    pub fn html(&self) -> String {
        page::html(&self.matrix, self.limit, &self.name)
    }
}
