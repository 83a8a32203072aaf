//! What holds for every call, whichever guards there are.

mod bad_input;
mod cancellation;
mod deadline;
mod delivery;
mod feedback;
mod losses;
mod mounted;
mod own_guard;
mod pins;
mod restart;
mod sharing;
mod sinks;
mod snapshots;
mod ticks;
mod time;
mod versions;

use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;

use fusebox::sink::Sink;
use fusebox::{Call, Pipeline, RouteLedger, TokenBudget};

use crate::support::line_up;

/// A pipeline that reports every unmeasured call.
fn pipeline(sink: impl Sink + 'static) -> Pipeline {
    let budget = TokenBudget::builder().build().unwrap();
    Pipeline::builder(line_up())
        .guard(budget)
        .guard(RouteLedger::default())
        .sink(sink)
        .build()
        .unwrap()
}

/// Leaves one event, which names the document.
fn unmeasured(pipeline: &Pipeline, document: &str) {
    drop(pipeline.admit(&Call::new(document, "invoice").unwrap()));
}

/// Waits for nothing, so many times.
async fn pause(times: usize) {
    for _ in 0..times {
        let mut waited = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut waited, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Where a sink or a guard waits until the test lets it go on, or has ended.
#[derive(Debug)]
struct Gate {
    arrivals: Sender<()>,
    opened: Mutex<Receiver<()>>,
}

struct Gatekeeper {
    arrivals: Receiver<()>,
    open: Sender<()>,
}

fn gate() -> (Gate, Gatekeeper) {
    let ((arrived, arrivals), (open, opened)) = (channel(), channel());
    let gate = Gate {
        arrivals: arrived,
        opened: Mutex::new(opened),
    };
    (gate, Gatekeeper { arrivals, open })
}

impl Gate {
    fn pass(&self) {
        let _ = self.arrivals.send(());
        let _ = self.opened.lock().unwrap().recv();
    }
}

impl Gatekeeper {
    fn wait_for_arrival(&self) {
        self.arrivals.recv().unwrap();
    }

    fn let_one_pass(&self) {
        self.open.send(()).unwrap();
    }
}
