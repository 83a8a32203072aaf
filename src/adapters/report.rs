//! A picture of one field's confidence, by `plotters`, and pages for people, by `maud`.

mod chart;
mod course;
mod detection;
mod head;
mod numbers;
mod page;
mod palette;
mod review;
mod ticks;
mod visible;

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::call::{Feedback, Ticket};
use crate::drift::DriftStatus;
use crate::error::Error;
use crate::event::Event;
use crate::name::{DocumentType, Field};
use crate::sink::Sink;
use crate::time::Timestamp;
use chart::Frame;
use course::Course;

pub use detection::DetectionReport;
pub use review::{
    DivergenceRate, Mark, MarkVerdict, Marks, ReviewItem, ReviewReport, ReviewReportBuilder,
    ReviewVerdict, VerdictTone,
};

/// The last days of one field of one document type as a picture: the window mean, the baseline with
/// the drop that is allowed, the acceptance threshold, the events and the corrections.
///
/// Give it the [status](crate::ConfidenceDriftMonitor::status) at every tick and the pipeline's
/// events, as a sink or one by one with [`emit`](Sink::emit). It keeps the events about this field,
/// and those that end its incidents. Clones share what they keep.
///
/// It is bounded: 8 days, a status every 5 minutes and at each change, up to 4,096 of them, and the
/// 500 most urgent of the latest events. It is serialised with `"format": 1`, so that it outlives
/// a restart.
///
/// ```
/// # use std::sync::Arc;
/// # use fusebox::{Call, ConfidenceDriftMonitor, Feedback, Field, LineUp, Pipeline, Report, Timestamp, Version};
/// # use fusebox::clock::MockClock;
/// use fusebox::report::DriftTimeline;
///
/// # let now = Timestamp::from_millis(1_773_014_400_000);
/// let drift = Arc::new(ConfidenceDriftMonitor::default());
/// let timeline = DriftTimeline::new("invoice", "total")?;
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
///     .guard(Arc::clone(&drift))
///     .sink(timeline.clone())
/// #   .clock(MockClock::at(now))
///     .build()?;
///
/// // Every few seconds:
/// pipeline.tick();
/// timeline.record(now, &drift.status("invoice", "total"));
///
/// // When a reviewer corrects an answer:
/// # let permit = pipeline.admit(&Call::new("inv-1", "invoice")?).permit();
/// # let settlement = permit.map(|permit| permit.answer(Report::new()));
/// # if let Some(ticket) = settlement.as_ref().map(|settlement| settlement.ticket()) {
/// let feedback = Feedback::corrected(Field::new("total")?);
/// timeline.observe(now, ticket, &feedback);
/// pipeline.observe(ticket, feedback);
/// # }
///
/// let page = timeline.to_html();
/// assert!(page.contains("Confidence of invoice.total"));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DriftTimeline(Arc<Mutex<Course>>);

impl DriftTimeline {
    /// An empty timeline of a field; an error when a name is empty.
    pub fn new(document_type: impl AsRef<str>, field: impl AsRef<str>) -> Result<Self, Error> {
        let course = Course::new(DocumentType::new(document_type)?, Field::new(field)?);
        Ok(Self(Arc::new(Mutex::new(course))))
    }

    /// Adds the status of the field at this time. A status from before the latest one is ignored.
    pub fn record(&self, at: Timestamp, status: &DriftStatus) {
        self.0.lock().record(at, status);
    }

    /// Counts a correction of the field in an answer of its document type, by the hour in which it
    /// came. Other feedback is ignored; a correction that is reported twice counts twice, and one
    /// that is retracted stays.
    pub fn observe(&self, at: Timestamp, ticket: &Ticket, feedback: &Feedback) {
        self.0.lock().observe(at, ticket, feedback);
    }

    /// The picture as an SVG file of 960 by 520 pixels. Colours follow the reader's dark mode where
    /// the viewer knows it.
    pub fn to_svg(&self) -> String {
        chart::svg(&self.0.lock(), Frame::File)
    }

    /// A page with the picture, for wide and for narrow screens, and a table of the events. It loads
    /// nothing from elsewhere and has no scripts.
    pub fn to_html(&self) -> String {
        page::html(&self.0.lock())
    }
}

impl Sink for DriftTimeline {
    fn emit(&self, event: &Event) {
        self.0.lock().add(event);
    }
}

impl Serialize for DriftTimeline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.lock().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DriftTimeline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let course = Course::deserialize(deserializer)?;
        Ok(Self(Arc::new(Mutex::new(course.bounded()))))
    }
}
