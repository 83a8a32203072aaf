//! Images in a prompt, as far as their tokens depend on them.

use serde::{Deserialize, Serialize};

/// An image in a prompt: how large it is, and whether it is looked at in full. Its data is never counted as text.
///
/// ```
/// use fusebox::Image;
///
/// let scan = Image::new(1_654, 2_339);
/// let thumbnail = Image::new(512, 512).low_detail();
/// let somewhere_else = Image::of_unknown_size();
/// # let _ = (scan, thumbnail, somewhere_else);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Image {
    size: Option<(u32, u32)>,
    low_detail: bool,
}

impl Image {
    /// An image of so many pixels; a side of zero makes its size unknown.
    pub const fn new(width: u32, height: u32) -> Self {
        let size = if width == 0 || height == 0 {
            None
        } else {
            Some((width, height))
        };
        Self {
            size,
            low_detail: false,
        }
    }

    /// An image that is sent as an address, or that nobody measured: it counts as the largest that the model looks at.
    pub const fn of_unknown_size() -> Self {
        Self::new(0, 0)
    }

    /// Sent with `"detail": "low"`.
    pub const fn low_detail(mut self) -> Self {
        self.low_detail = true;
        self
    }

    /// Width and height in pixels, if they are known.
    pub const fn size(self) -> Option<(u32, u32)> {
        self.size
    }

    /// Whether it is sent with `"detail": "low"`.
    pub const fn is_low_detail(self) -> bool {
        self.low_detail
    }
}
