//! How often is written while the loop of a service runs.

#[cfg(feature = "tokio")]
use std::time::Duration;

use futures_channel::oneshot;
use parking_lot::Mutex;

/// Four writes a second, however much changes, and one for each command.
#[cfg(feature = "tokio")]
pub(super) const BEAT: Duration = Duration::from_millis(250);

/// One write for each beat of the loop: feedback that comes when the beat has had its write waits for
/// the next one's. Without a loop nothing waits, and a command never does.
#[derive(Debug, Default)]
pub(super) struct WritePace(Mutex<Beat>);

#[derive(Debug, Default)]
struct Beat {
    /// How many loops run.
    loops: usize,
    has_written: bool,
    /// They wait for the next beat, and go on when this is dropped.
    waiting: Vec<oneshot::Sender<()>>,
}

impl WritePace {
    /// Waits until a write may begin, or another has been made. Not longer than two beats take: a loop
    /// may be there and not go on.
    pub(super) async fn wait(&self) {
        let next_beat = {
            let mut beat = self.0.lock();
            let has_written = std::mem::replace(&mut beat.has_written, true);
            if beat.loops == 0 || !has_written {
                return;
            }
            let (sender, next_beat) = oneshot::channel();
            beat.waiting.push(sender);
            next_beat
        };
        #[cfg(feature = "tokio")]
        if tokio::runtime::Handle::try_current().is_ok() {
            let _ = tokio::time::timeout(2 * BEAT, next_beat).await;
            return;
        }
        let _ = next_beat.await;
    }

    /// A write begins.
    pub(super) fn writes(&self) {
        self.0.lock().has_written = true;
    }
}

#[cfg(feature = "tokio")]
impl WritePace {
    pub(super) fn is_running(&self) -> bool {
        self.0.lock().loops > 0
    }

    /// A loop runs, until this is dropped.
    pub(super) fn run(&self) -> Running<'_> {
        self.0.lock().loops += 1;
        Running(self)
    }
}

/// A loop that runs.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(super) struct Running<'a>(&'a WritePace);

#[cfg(feature = "tokio")]
impl Running<'_> {
    /// A beat begins: who waits for its write goes on when the answer is dropped.
    pub(super) fn beat(&self) -> impl Sized + use<> {
        let mut beat = self.0.0.lock();
        beat.has_written = false;
        std::mem::take(&mut beat.waiting)
    }
}

#[cfg(feature = "tokio")]
impl Drop for Running<'_> {
    fn drop(&mut self) {
        let waiting = {
            let mut beat = self.0.0.lock();
            beat.loops -= 1;
            std::mem::take(&mut beat.waiting)
        };
        drop(waiting);
    }
}
