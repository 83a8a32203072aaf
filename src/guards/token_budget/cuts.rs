//! Services that cut prompts at one length: whatever the length of the text, they report the same
//! usage.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The reports among which one and the same usage shows.
const REPORTS: usize = 50;
/// So many reports of the same usage are the sign of a cut ..
const ALIKE: usize = 3;
/// .. where the longest of their texts is longer than the shortest by this share, in percent.
const LONGER_BY: u64 = 25;

/// Recent reports of one model, and the length at which its service cuts prompts, if it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cuts {
    /// The usage that was reported, and the count of the text by another tokenizer.
    reports: VecDeque<(u64, u64)>,
    length: Option<u64>,
}

impl Cuts {
    /// How many other prompts were reported with the very usage of this one, if the service cuts
    /// there. `least` is the fewest tokens that a text of `raw` may have.
    pub(super) fn alike(&self, raw: u64, usage: u64, least: impl Fn(u64) -> u64) -> Option<u64> {
        let since = self
            .reports
            .iter()
            .rev()
            .take_while(|(other, _)| *other <= usage);
        let same = since
            .filter(|(other, _)| *other == usage)
            .map(|(_, raw)| *raw);
        let raws: Vec<u64> = same.chain([raw]).collect();
        let others = raws.len() as u64 - 1;
        if self.length == Some(usage) {
            return Some(others);
        }
        let (shortest, longest) = (*raws.iter().min()?, *raws.iter().max()?);
        let differ = longest.saturating_mul(100) >= shortest.saturating_mul(100 + LONGER_BY);
        (raws.len() >= ALIKE && differ && least(longest) > usage).then_some(others)
    }

    /// Whether a recent report had the same usage: prompts that are cut have that in common, and
    /// whole ones rarely.
    pub(super) fn is_repeated(&self, usage: u64) -> bool {
        self.reports.iter().any(|(other, _)| *other == usage)
    }

    /// Records a report, which is of a cut prompt or of a whole one.
    pub(super) fn record(&mut self, raw: u64, usage: u64, is_cut: bool) {
        if is_cut {
            self.length = Some(usage);
        } else if self.length.is_some_and(|length| usage > length) {
            self.length = None;
        }
        self.reports.push_back((usage, raw));
        if self.reports.len() > REPORTS {
            self.reports.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(reports: &[(u64, u64)]) -> Cuts {
        let mut cuts = Cuts::default();
        for (usage, raw) in reports {
            cuts.record(*raw, *usage, false);
        }
        cuts
    }

    /// Half of what the other tokenizer counts.
    fn least(raw: u64) -> u64 {
        raw / 2
    }

    #[test]
    fn the_third_text_with_the_same_usage_shows_the_cut() {
        let twice = after(&[(4_096, 7_000), (800, 800), (4_096, 8_100)]);
        assert_eq!(twice.alike(9_000, 4_096, least), Some(2));
        assert_eq!(
            twice.alike(8_193, 4_096, least),
            None,
            "7,000 and a quarter is 8,750"
        );
        assert_eq!(twice.alike(8_750, 4_096, least), Some(2));
        assert_eq!(twice.alike(9_000, 4_095, least), None);
        assert_eq!(after(&[(4_096, 7_000)]).alike(9_000, 4_096, least), None);
        assert_eq!(
            twice.alike(9_000, 4_096, |_| 4_096),
            None,
            "it may be whole"
        );
    }

    #[test]
    fn what_was_read_beyond_shows_that_nothing_is_cut_there() {
        let beyond = after(&[(4_096, 7_000), (4_096, 8_100), (4_097, 4_000)]);
        assert_eq!(beyond.alike(9_000, 4_096, least), None);
        let mut cuts = after(&[(4_096, 7_000), (4_096, 8_100)]);
        cuts.record(9_000, 4_096, true);
        assert_eq!(cuts.alike(4_200, 4_096, least), Some(3), "known by now");
        cuts.record(5_000, 5_000, false);
        assert_eq!(cuts.alike(4_200, 4_096, least), None);
    }

    #[test]
    fn what_was_reported_long_ago_is_forgotten() {
        let mut reports = vec![(4_096, 7_000), (4_096, 8_100)];
        reports.extend((0..48).map(|n| (n, n)));
        assert_eq!(after(&reports).alike(9_000, 4_096, least), Some(2));
        reports.push((7, 7));
        assert_eq!(after(&reports).alike(9_000, 4_096, least), None);
    }
}
