//! The pager of a drill in a file, which names none.

use crate::error::Error;
use crate::pager::{Form, Notification, Pager, PagerRoute, PostRequest, Secret};
use crate::time::Timestamp;

/// Sends a notification as it is.
#[derive(Debug)]
struct PlainPager;

impl Pager for PlainPager {
    fn request(&self, told: &Notification, _form: Form, _now: Timestamp) -> Option<PostRequest> {
        let body = serde_json::to_value(told).ok()?;
        Some(PostRequest::json(Secret::new("drill"), &body))
    }
}

/// A way to this pager.
pub(super) fn plain_route() -> Result<PagerRoute, Error> {
    PagerRoute::new("pager", PlainPager)
}
