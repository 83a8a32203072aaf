//! A bar chart that is also a text: each bar has its numbers beside it.

use maud::{Markup, html};

use super::summary::DivergenceRate;
use crate::adapters::report::numbers::{count, percent, ratio, thousandths};
use crate::adapters::report::visible::isolated;
use crate::ratio::Ratio;

/// The length of the longest bar in a picture's own units.
const LENGTH: u64 = 1_000;

/// The rate of each name as a bar, with its interval and the threshold.
pub(super) fn rates(rows: &[(&str, DivergenceRate)], threshold: Ratio) -> Markup {
    let ends = rows.iter().map(|(_, rate)| permille(rate.high));
    // The axis ends at whole tenths, so that pages of similar runs look alike.
    let longest = ends.chain([permille(threshold)]).max().unwrap_or(0);
    let longest = longest.div_ceil(100).clamp(1, 10) * 100;
    let place = |permille: u64| permille.min(longest) * LENGTH / longest;
    html! {
        ul.bars {
            @for (name, rate) in rows {
                li {
                    span.name { (isolated(name)) }
                    svg viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                        @let (low, high) = (place(permille(rate.low)), place(permille(rate.high)));
                        rect.axis x="0" y="0" width="1000" height="20" {}
                        rect.bar x="0" y="4" width=(place(thousandths(rate.diverging, rate.compared))) height="12" {}
                        rect.interval x=(low) y="9" width=(high.saturating_sub(low).max(2)) height="2" {}
                        rect.threshold x=(place(permille(threshold)).min(996)) y="0" width="4" height="20" {}
                    }
                    span.numbers {
                        strong { (percent(rate.diverging, rate.compared)) }
                        " (" (count(rate.diverging)) " of " (count(rate.compared)) "; 95 %: "
                        (ratio(rate.low)) " to " (ratio(rate.high)) ")"
                    }
                }
            }
        }
    }
}

/// The count of each name as a bar.
pub(super) fn counts(rows: &[(&str, u64)], whole: u64) -> Markup {
    let longest = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    html! {
        ul.bars {
            @for (name, number) in rows {
                li {
                    span.name { (isolated(name)) }
                    svg viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                        rect.axis x="0" y="0" width="1000" height="20" {}
                        rect.bar x="0" y="4" width=(thousandths(*number, longest)) height="12" {}
                    }
                    span.numbers {
                        strong { (count(*number)) }
                        @if whole > 0 { " (" (percent(*number, whole)) ")" }
                    }
                }
            }
        }
    }
}

fn permille(ratio: Ratio) -> u64 {
    thousandths(ratio.numerator().into(), ratio.denominator().into())
}
