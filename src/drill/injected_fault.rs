//! A fault while a drill runs.

use super::arrival::Arrival;
use super::document::{Sequence, ShareOf};
use super::fault::{Fault, Meets, What};
use crate::name::VersionId;

/// A fault of a drill, and whether it is at work.
pub(super) struct InjectedFault<'a> {
    pub(super) fault: &'a Fault,
    pub(super) sequence: Sequence,
    pub(super) is_working: bool,
}

impl InjectedFault<'_> {
    /// Whether this goes wrong now.
    pub(super) fn is(&self, what: &What) -> bool {
        self.is_working && self.fault.what == *what
    }

    /// Whether it is at work and meets this document.
    pub(super) fn meets(
        &self,
        when: Meets,
        arrival: &Arrival<'_>,
        version: Option<&VersionId>,
    ) -> bool {
        let Self {
            fault,
            sequence,
            is_working,
        } = self;
        *is_working
            && fault.meets() == when
            && fault.is_of_type(arrival.document_type())
            && fault.is_of_version(version)
            && fault
                .field
                .as_ref()
                .is_none_or(|field| arrival.has_field(field))
            && arrival
                .document
                .is_among(fault.share, ShareOf::Fault(*sequence))
    }
}
