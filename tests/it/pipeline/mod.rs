//! What holds for every call, whichever guards there are.

mod bad_input;
mod cancellation;
mod deadline;
mod delivery;
mod feedback;
mod losses;
mod mounted;
mod own_guard;
mod restart;
mod sharing;
mod sinks;
mod ticks;
mod time;
mod versions;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Where a sink waits until the test lets it go on, or has ended.
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
