//! A way to tell people: which pager, of what, and when.

use std::sync::Arc;
use std::time::Duration;

use super::seam::Pager;
use crate::error::Error;
use crate::event::Severity;
use crate::name::RouteName;
use crate::time::minutes;

/// How long a page may stay undelivered before a backup route is told, by default.
const BACKUP_AFTER: Duration = minutes(1);

/// A way to tell people of incidents: a name, a pager, and what it is told of.
///
/// Each route is told of every page, unless it is a [backup](Self::backup). Its name stands in
/// stored rows and errors, in place of addresses and keys.
#[derive(Clone, Debug)]
pub struct PagerRoute {
    name: RouteName,
    pager: Arc<dyn Pager>,
    severity: Severity,
    backup_after: Option<Duration>,
}

impl PagerRoute {
    /// A route that is told of every page. An error if the name is empty.
    pub fn new(name: impl AsRef<str>, pager: impl Pager + 'static) -> Result<Self, Error> {
        Ok(Self {
            name: RouteName::new(name)?,
            pager: Arc::new(pager),
            severity: Severity::Page,
            backup_after: None,
        })
    }

    /// The same route with another pager.
    pub(crate) fn with_pager(&self, pager: impl Pager + 'static) -> Self {
        Self {
            pager: Arc::new(pager),
            ..self.clone()
        }
    }

    /// The same route, told of warnings too.
    pub fn with_warnings(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same route as a backup: told only of what the other routes could not deliver for a
    /// minute, or what they refused.
    pub fn backup(self) -> Self {
        self.backup_after(BACKUP_AFTER)
    }

    /// The same, after another time.
    pub fn backup_after(mut self, undelivered: Duration) -> Self {
        self.backup_after = Some(undelivered);
        self
    }

    /// Its name.
    pub fn name(&self) -> &RouteName {
        &self.name
    }

    /// Its pager.
    pub fn pager(&self) -> &dyn Pager {
        &*self.pager
    }

    /// Whether it is told only of what other routes could not deliver.
    pub fn is_backup(&self) -> bool {
        self.backup_after.is_some()
    }

    /// Whether it is told of incidents as urgent as this.
    pub(super) fn tells(&self, severity: Severity) -> bool {
        severity >= self.severity
    }

    /// For how long a page must be undelivered before it is told; `None` if it always is.
    pub(super) fn waits(&self) -> Option<Duration> {
        self.backup_after
    }
}
