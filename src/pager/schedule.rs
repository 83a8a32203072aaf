//! How long to wait before the next try.

use std::time::Duration;

use twox_hash::XxHash3_64;

/// The waits after the first tries, in seconds ..
const FIRST: [u64; 5] = [2, 5, 15, 30, 60];
/// .. and after all later ones.
const LATER: u64 = 120;
/// The longest wait that a pager is granted.
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// Waits differ by up to this share, so that what failed together is not sent again together.
const JITTER_PERCENT: u64 = 20;

/// The wait after this many failed tries. What the pager asks for goes first, at most five minutes.
pub(super) fn wait(failed: u32, asked: Option<Duration>, of: &str) -> Duration {
    if let Some(asked) = asked {
        return asked.min(LONGEST_ASKED);
    }
    let at = usize::try_from(failed.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = FIRST.get(at).copied().unwrap_or(LATER);
    if seconds < LATER {
        return Duration::from_secs(seconds);
    }
    let hash = XxHash3_64::oneshot_with_seed(u64::from(failed), of.as_bytes());
    let percent = 100 - JITTER_PERCENT + hash % (2 * JITTER_PERCENT + 1);
    Duration::from_millis(seconds * 10 * percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(failed: u32) -> u64 {
        wait(failed, None, "a").as_secs()
    }

    #[test]
    fn the_first_waits_are_short_and_the_later_ones_about_two_minutes() {
        let first: Vec<u64> = (1..=5).map(seconds).collect();
        assert_eq!(first, [2, 5, 15, 30, 60]);
        let later: Vec<u64> = (6..1_000).map(seconds).collect();
        assert!(later.iter().all(|wait| (96..=144).contains(wait)));
        assert!(later.iter().any(|wait| *wait < 100) && later.iter().any(|wait| *wait > 140));
    }

    #[test]
    fn what_failed_together_is_not_sent_again_together() {
        assert_ne!(wait(7, None, "a"), wait(7, None, "b"));
    }

    #[test]
    fn a_pager_may_ask_for_up_to_five_minutes() {
        let asks = |asked| wait(1, Some(Duration::from_secs(asked)), "a").as_secs();
        assert_eq!([asks(0), asks(90), asks(86_400)], [0, 90, 300]);
    }
}
