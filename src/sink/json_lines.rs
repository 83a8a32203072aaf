//! Events as JSON Lines.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::event::Event;
use crate::sink::Sink;

/// Writes each event as one line of JSON to any writer, and flushes it.
///
/// ```
/// use fusebox::sink::JsonLines;
///
/// let sink = JsonLines::new(std::io::stderr());
/// assert_eq!(sink.failed(), 0);
/// ```
pub struct JsonLines<W> {
    writer: Mutex<W>,
    failed: AtomicU64,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes to this writer.
    pub fn new(writer: W) -> Self {
        Self {
            writer: Mutex::new(writer),
            failed: AtomicU64::new(0),
        }
    }

    /// How many events could not be written.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.writer.into_inner()
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn emit(&self, event: &Event) {
        let written = serde_json::to_vec(event)
            .map_err(std::io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                let mut writer = self.writer.lock();
                writer.write_all(&line)?;
                writer.flush()
            });
        if written.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<W> fmt::Debug for JsonLines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines")
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
