//! What of the answers a report may keep.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::call::{Comparison, Difference};
use crate::name::Field;

/// What the report says in place of a text whose redactor panicked.
const WITHHELD: &str = "(withheld: the redactor panicked)";

/// A redactor of the application's.
#[derive(Clone)]
pub(super) struct Redactor(Arc<Redact>);

type Redact = dyn Fn(&Field, &str) -> String + Send + Sync;

impl Redactor {
    pub(super) fn new(redact: impl Fn(&Field, &str) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(redact))
    }

    /// The comparison with redacted texts.
    pub(super) fn redact(&self, mut comparison: Comparison) -> Comparison {
        if let Comparison::Diverged(all) | Comparison::Ignored(all) = &mut comparison {
            for difference in all {
                self.redact_texts(difference);
            }
        }
        comparison
    }

    fn redact_texts(&self, difference: &mut Difference) {
        let texts = [&mut difference.production, &mut difference.candidate];
        for text in texts.into_iter().flatten() {
            let redact = || (self.0)(&difference.field, text);
            let redacted = catch_unwind(AssertUnwindSafe(redact));
            *text = redacted.unwrap_or_else(|_| WITHHELD.to_owned());
        }
    }
}
