//! Images in a prompt, and their tokens by the rules that providers document.

use serde::{Deserialize, Serialize};

use crate::tokens::count::TokenCount;
use crate::tokens::model::ImageRule;

/// An image in a prompt: its size, and its level of detail. Its data is never counted as text.
///
/// ```
/// use fusebox::tokens::Image;
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
    /// An image of this size in pixels; a side of zero makes the size unknown.
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

    /// An image that is sent as a URL, or whose size is unknown: it is bounded by the largest that
    /// the model processes.
    pub const fn of_unknown_size() -> Self {
        Self::new(0, 0)
    }

    /// Sent with `"detail": "low"`.
    pub const fn low_detail(mut self) -> Self {
        self.low_detail = true;
        self
    }

    /// Width and height in pixels, if known.
    pub const fn size(self) -> Option<(u32, u32)> {
        self.size
    }

    /// Whether it is sent with `"detail": "low"`.
    pub const fn is_low_detail(self) -> bool {
        self.low_detail
    }
}

/// OpenAI: an image is scaled to fit a square of this side, ..
const SQUARE: u64 = 2_048;
/// .. then to a shorter side of at most this, ..
const SHORTER_SIDE: u64 = 768;
/// .. then cut into tiles of this side.
const TILE: u64 = 512;
/// The tiles of the largest scaled image, 768 by 2,048 pixels.
const MOST_TILES: u64 = 8;

/// The tokens of one image.
pub(crate) fn image_tokens(image: Image, rule: ImageRule) -> TokenCount {
    match rule {
        ImageRule::Tiles { base, .. } if image.is_low_detail() => {
            TokenCount::exact(u64::from(base))
        }
        ImageRule::Tiles { base, tile } => {
            let of = |tiles: u64| u64::from(base) + tiles * u64::from(tile);
            match image.size() {
                Some((width, height)) => TokenCount::exact(of(tiles(width, height))),
                None => TokenCount::between(of(0), of(MOST_TILES)),
            }
        }
        ImageRule::Patches { side, edge, most } => {
            let most = u64::from(most);
            let patches = image.size().map_or(most, |(width, height)| {
                patches(width, height, u64::from(side), u64::from(edge)).min(most)
            });
            TokenCount::at_most(patches)
        }
    }
}

fn tiles(width: u32, height: u32) -> u64 {
    let (mut long, mut short) = (u64::from(width.max(height)), u64::from(width.min(height)));
    if long > SQUARE {
        (long, short) = (SQUARE, (short * SQUARE).div_ceil(long));
    }
    if short > SHORTER_SIDE {
        (long, short) = ((long * SHORTER_SIDE).div_ceil(short), SHORTER_SIDE);
    }
    long.div_ceil(TILE) * short.div_ceil(TILE)
}

fn patches(width: u32, height: u32, side: u64, edge: u64) -> u64 {
    let (mut long, mut short) = (u64::from(width.max(height)), u64::from(width.min(height)));
    if long > edge {
        (long, short) = (edge, (short * edge).div_ceil(long));
    }
    long.div_ceil(side) * short.div_ceil(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From OpenAI's guide to images: 1024 x 1024 high detail, 2048 x 4096 high detail, 4096 x 8192
    /// low detail.
    #[test]
    fn the_examples_of_openais_guide() {
        let rule = ImageRule::Tiles {
            base: 85,
            tile: 170,
        };
        let exact = |image| image_tokens(image, rule);
        assert_eq!(exact(Image::new(1_024, 1_024)), TokenCount::exact(765));
        assert_eq!(exact(Image::new(2_048, 4_096)), TokenCount::exact(1_105));
        assert_eq!(
            exact(Image::new(4_096, 8_192).low_detail()),
            TokenCount::exact(85)
        );
        assert_eq!(
            exact(Image::of_unknown_size()),
            TokenCount::between(85, 1_445)
        );
        let largest = (1..=80).flat_map(|w| (1..=80).map(move |h| (w * 50, h * 50)));
        for (width, height) in largest {
            assert!(
                exact(Image::new(width, height)).fits(1_445),
                "{width} x {height}"
            );
        }
    }

    /// 1,092 x 1,092 pixels are 39 x 39 patches of 28; the longer side is reduced to 1,568, which
    /// is 56 patches.
    #[test]
    fn patches_are_counted_after_the_longer_side_is_reduced() {
        let rule = ImageRule::Patches {
            side: 28,
            edge: 1_568,
            most: 1_568,
        };
        let most = |image| image_tokens(image, rule).upper();
        assert_eq!(most(Image::new(1_092, 1_092)), Some(39 * 39));
        assert_eq!(most(Image::new(3_136, 280)), Some(56 * 5));
        assert_eq!(most(Image::new(9_000, 9_000)), Some(1_568));
        assert_eq!(most(Image::of_unknown_size()), Some(1_568));
    }
}
