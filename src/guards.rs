//! The guards: state machines without I/O, one file or folder each.

mod confidence_drift;

pub use confidence_drift::{
    ConfidenceDriftMonitor, ConfidenceDriftMonitorBuilder, ConfidenceMeans, DriftState,
};
