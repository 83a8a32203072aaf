//! Events as JSON Lines.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::event::{Event, Severity};
use crate::sink::Sink;

/// Writes each event as one line of JSON to any writer.
///
/// Lines that a buffered writer holds back are flushed where no call waits for it: by
/// [`Pipeline::tick`](crate::Pipeline::tick), when the pipeline is dropped, and on the thread of
/// [`background`](super::background) as soon as no event waits. So with a `BufWriter` a page is in
/// the file after the next tick. [`flush_from`](Self::flush_from) flushes on the caller's thread,
/// before the call returns.
///
/// ```
/// use fusebox::Severity;
/// use fusebox::sink::JsonLines;
///
/// let sink = JsonLines::new(std::io::stdout()).flush_from(Severity::Page);
/// assert_eq!(sink.failed(), 0);
/// ```
pub struct JsonLines<W> {
    writer: Mutex<W>,
    flush_from: Option<Severity>,
    failed: AtomicU64,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes to this writer.
    pub fn new(writer: W) -> Self {
        Self {
            writer: Mutex::new(writer),
            flush_from: None,
            failed: AtomicU64::new(0),
        }
    }

    /// Flushes after each event of severity `least` and above; [`Severity::Info`] is after each
    /// event.
    pub fn flush_from(mut self, least: Severity) -> Self {
        self.flush_from = Some(least);
        self
    }

    /// How many events could not be written, and how often a flush failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.writer.into_inner()
    }

    fn count(&self, result: &io::Result<()>) {
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn emit(&self, event: &Event) {
        let written = serde_json::to_vec(event)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                let mut writer = self.writer.lock();
                writer.write_all(&line)?;
                match self.flush_from {
                    Some(least) if event.severity >= least => writer.flush(),
                    _ => Ok(()),
                }
            });
        self.count(&written);
    }

    fn flush(&self) {
        let flushed = self.writer.lock().flush();
        self.count(&flushed);
    }
}

impl<W> fmt::Debug for JsonLines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines")
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
