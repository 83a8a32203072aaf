//! What did not reach a sink, as incidents of the pipeline itself.

use parking_lot::Mutex;

use super::delivery::Delivery;
use crate::event::{EventKind, PipelineEvent};
use crate::guard::{Cx, Trouble};
use crate::time::hours;

/// The losses of which the pipeline knows since its last tick.
#[derive(Debug, Default)]
pub(super) struct Losses(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    events_lost: u64,
    sink_panics: u64,
}

impl Losses {
    /// Reports what was lost since the last tick. A sink whose last event made it panic counts as
    /// broken until an event reaches it: otherwise the end of its incident would be the event that
    /// begins the next one.
    pub(super) fn report(&self, delivery: &Delivery, cx: &Cx<'_>) {
        let mut known = self.0.lock();
        let (lost, panics) = (delivery.outbox.lost(), delivery.sink_panics());
        if lost > known.events_lost {
            cx.still(&trouble("events-lost").many(lost), || {
                EventKind::Pipeline(PipelineEvent::EventsLost { lost })
            });
        }
        if panics > known.sink_panics || delivery.has_broken_sink() {
            cx.still(&trouble("sink-broken"), || {
                EventKind::Pipeline(PipelineEvent::SinkBroken { panics })
            });
        }
        *known = Known {
            events_lost: lost,
            sink_panics: panics,
        };
    }
}

fn trouble(what: &'static str) -> Trouble<'static> {
    Trouble::new(what).seen().held_open_for(hours(1))
}
