//! The guards: state machines without I/O, one file or folder each.

mod confidence_drift;
mod shadow;

pub use confidence_drift::{
    ConfidenceDriftMonitor, ConfidenceDriftMonitorBuilder, ConfidenceMeans, DriftState,
};
pub use shadow::{
    Divergence, ShadowComparator, ShadowComparatorBuilder, ShadowCounts, ShadowReport,
    ShadowVerdict, Shadowed,
};
