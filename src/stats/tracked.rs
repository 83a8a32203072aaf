//! A value that knows whether it has changed since it was last written.

use std::ops::Deref;
use std::sync::Arc;

/// A value that is shared with what writes it, and knows whether it has changed since. A change
/// beside a write copies the value.
#[derive(Clone, Debug)]
pub(crate) struct Tracked<V> {
    value: Arc<V>,
    has_changed: bool,
}

impl<V> Tracked<V> {
    /// A value that was never written.
    pub(crate) fn new(value: V) -> Self {
        Self::of(Arc::new(value))
    }

    /// The same of a value that is shared.
    pub(crate) fn of(value: Arc<V>) -> Self {
        Self {
            value,
            has_changed: true,
        }
    }

    /// Whether it has changed since this was last asked.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// The value as it is now, to be read elsewhere.
    pub(crate) fn shared(&self) -> Arc<V> {
        Arc::clone(&self.value)
    }
}

impl<V: Clone> Tracked<V> {
    /// The value, to be changed.
    pub(crate) fn change(&mut self) -> &mut V {
        self.has_changed = true;
        Arc::make_mut(&mut self.value)
    }

    /// The value, to be read by what keeps a sum up to date while it reads: that is no change.
    pub(crate) fn read(&mut self) -> &mut V {
        Arc::make_mut(&mut self.value)
    }
}

impl<V: Default> Default for Tracked<V> {
    fn default() -> Self {
        Self::new(V::default())
    }
}

impl<V> Deref for Tracked<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}
