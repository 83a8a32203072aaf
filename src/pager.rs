//! Who is told of an incident, how, and until when: pagers, the routes to them, and the outbox.
//!
//! A page is a consequence of state, not of an event: [`reconcile`] compares the incidents that are
//! open with what was told of them, and says what is still to be told. So an event that was lost, a
//! restart, or a pager that was away loses no page and doubles none.

mod address;
mod alertmanager;
mod line;
mod notification;
mod outbox_row;
mod pagerduty;
mod post;
mod reconcile;
mod route;
mod schedule;
mod seam;
mod secret;
#[cfg(feature = "webhook")]
mod signature;
mod slack;
mod text;
#[cfg(feature = "webhook")]
mod webhook;

pub use alertmanager::Alertmanager;
pub use notification::{Action, Notification};
pub(crate) use outbox_row::RowKey;
pub use outbox_row::{OutboxRow, RowState};
pub use pagerduty::PagerDuty;
pub use post::{NoAnswer, Post, PostAnswer, PostRequest};
pub use reconcile::reconcile;
pub use route::PagerRoute;
pub use seam::{Form, Pager, PagerReply};
pub use secret::Secret;
#[cfg(feature = "webhook")]
pub use signature::{BadSignature, verify_signature};
pub use slack::Slack;
#[cfg(feature = "webhook")]
pub use webhook::Webhook;
