//! The colours of a picture, each for light and for dark surroundings.

use std::fmt::Write;

use plotters::style::RGBColor;

use crate::event::Severity;

/// A colour of the picture, which has the light one; a style sheet gives it the dark one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint {
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
}

/// What lies behind all else.
pub(super) const SURFACE: Paint = Paint::new((255, 255, 255), (22, 27, 34));
pub(super) const TEXT: Paint = Paint::new((31, 35, 40), (230, 237, 243));
pub(super) const FAINT: Paint = Paint::new((89, 99, 110), (145, 152, 161));
pub(super) const GRID: Paint = Paint::new((225, 228, 232), (48, 54, 61));
pub(super) const MEAN: Paint = Paint::new((9, 105, 218), (88, 166, 255));
pub(super) const BASELINE: Paint = Paint::new((26, 127, 55), (63, 185, 80));
pub(super) const BAND: Paint = Paint::new((27, 128, 56), (64, 186, 81));
pub(super) const THRESHOLD: Paint = Paint::new((154, 103, 0), (210, 153, 34));
pub(super) const CORRECTIONS: Paint = Paint::new((130, 80, 223), (171, 125, 248));
const PAGE: Paint = Paint::new((207, 34, 46), (255, 123, 114));
const WARNING: Paint = Paint::new((188, 76, 0), (240, 136, 62));
const INFO: Paint = Paint::new((90, 100, 111), (146, 153, 162));

const ALL: [Paint; 12] = [
    SURFACE,
    TEXT,
    FAINT,
    GRID,
    MEAN,
    BASELINE,
    BAND,
    THRESHOLD,
    CORRECTIONS,
    PAGE,
    WARNING,
    INFO,
];

impl Paint {
    const fn new(light: (u8, u8, u8), dark: (u8, u8, u8)) -> Self {
        Self { light, dark }
    }

    pub(super) fn of(severity: Severity) -> Self {
        match severity {
            Severity::Info => INFO,
            Severity::Warning => WARNING,
            Severity::Page => PAGE,
        }
    }

    pub(super) fn color(self) -> RGBColor {
        let (red, green, blue) = self.light;
        RGBColor(red, green, blue)
    }
}

/// The rules that give each colour of a picture its dark one: they match the colours as `plotters`
/// writes them.
pub(super) fn dark_rules() -> String {
    let mut rules = String::from("@media (prefers-color-scheme:dark){");
    for paint in ALL {
        let (light, dark) = (hex(paint.light), hex(paint.dark));
        for part in ["fill", "stroke"] {
            // Writing to a string cannot fail.
            let _ = write!(rules, "svg [{part}=\"{light}\"]{{{part}:{dark}}}");
        }
    }
    rules.push('}');
    rules
}

fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A light colour that stood twice would have two dark ones.
    #[test]
    fn each_colour_has_one_dark_colour() {
        let light: BTreeSet<_> = ALL.iter().map(|paint| paint.light).collect();
        assert_eq!(light.len(), ALL.len());
    }
}
