//! How often a candidate is called worse, or no worse, and when.
//!
//! A hundred documents an hour for a week; production gets 3 % of them wrong. The seed of a run is
//! its number. `FUSEBOX_RUNS=400` runs each case so many times; without it there are a few. A share
//! may miss its bound by two standard deviations of the bound in so many runs.

use std::time::Duration;

use super::*;
use crate::call::{Call, Comparable, Difference, Version};
use crate::name::Field;
use crate::time::hours;

const PER_HOUR: u64 = 100;
const WEEK: u64 = 7 * 24;
const RATE: f64 = 0.03;

/// What happens in a run.
#[derive(Clone, Copy, Debug)]
struct World {
    /// The candidate's rate of mistakes as a multiple of production's.
    ratio: f64,
    /// The share of production's mistakes that the candidate makes too.
    in_common: f64,
    /// So many documents have one cause.
    batch: u64,
    /// The share of the documents that somebody looks at.
    looked_at: f64,
    /// Whether reviews are told, and not only corrections.
    tells_reviews: bool,
    /// Whether corrections are told with the settled value.
    tells_values: bool,
    /// The share of the corrections that are retracted an hour later.
    retracted: f64,
    rule: LookedAt,
    hours: u64,
}

impl World {
    const fn of(ratio: f64, in_common: f64) -> Self {
        Self {
            ratio,
            in_common,
            batch: 1,
            looked_at: 1.0,
            tells_reviews: true,
            tells_values: true,
            retracted: 0.0,
            rule: LookedAt::Reviewed,
            hours: WEEK,
        }
    }
}

/// When a run came to a verdict.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    worse: Option<Duration>,
    no_worse: Option<Duration>,
}

/// Xorshift, 64 bits (Marsaglia, "Xorshift RNGs", 2003).
struct Chance(u64);

impl Chance {
    fn new(run: u64) -> Self {
        let mut chance = Self(run.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03);
        for _ in 0..10 {
            chance.uniform();
        }
        chance
    }

    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let top = u32::try_from(self.0 >> 32).unwrap();
        (f64::from(top) + 0.5) / 4_294_967_296.0
    }
}

fn run(world: World, seed: u64) -> Times {
    let mut chance = Chance::new(seed);
    let settings = JudgedSettings {
        looked_at: world.rule,
        ..JudgedSettings::default()
    };
    let mut judged = Judged::new(settings, DigestKey::new([9; 16])).unwrap();
    let total = Field::new("total").unwrap();
    let correction = Correction::new(total.clone());
    let version = Version::new("v7", "gpt-4o").unwrap();
    let differs = |value: &str| {
        let mut difference = Difference::changed(total.clone());
        difference.comparable = Some(Comparable::Form(value.to_owned()));
        Comparison::Diverged(vec![difference])
    };
    let both = RATE * world.in_common.min(world.ratio);
    let mut times = Times::default();
    let mut retractions: VecDeque<(Timestamp, Ticket)> = VecDeque::new();
    let (mut fate, mut ticket) = (1.0, None);
    for n in 0..world.hours * PER_HOUR {
        let since = Duration::from_secs(n * 3600 / PER_HOUR);
        let now = Timestamp::EPOCH + since;
        if n % world.batch == 0 || ticket.is_none() {
            fate = chance.uniform();
            let call = Call::new("doc", "invoice").unwrap();
            let call = if world.batch > 1 {
                call.in_batch(BatchKey::new(n.to_string()).unwrap())
            } else {
                call
            };
            ticket = Some(Ticket::new(&call, &version));
        }
        let ticket = ticket.clone().unwrap().with_id(TicketId::new(1, n));
        let production_is_wrong = fate < RATE;
        let candidate_is_wrong =
            fate < both || (RATE..RATE * (1.0 + world.ratio) - both).contains(&fate);
        let comparison = match (production_is_wrong, candidate_is_wrong) {
            (true, false) => differs("right"),
            (true, true) if n % 2 == 0 => Comparison::Match,
            (false, false) => Comparison::Match,
            (_, true) => differs("wrong"),
        };
        judged.compared(&ticket, &comparison, now);
        if chance.uniform() < world.looked_at {
            if world.tells_reviews {
                judged.reviewed(&ticket, now);
            }
            if production_is_wrong {
                let settled = if world.tells_values {
                    Settled::Value("right")
                } else {
                    Settled::Untold
                };
                judged.corrected(&ticket, &correction, settled, now);
                if chance.uniform() < world.retracted {
                    retractions.push_back((now + hours(1), ticket));
                }
            }
        }
        while retractions.front().is_some_and(|(at, _)| *at <= now) {
            let (_, ticket) = retractions.pop_front().unwrap();
            judged.retracted(&ticket, &correction, now);
        }
        if judged.called.is_some() {
            times.worse = Some(since);
            break;
        }
        // The bound is for looking at any time; looking every hour is fast.
        if times.no_worse.is_none() && n % PER_HOUR == 0 {
            let is_no_worse = judged.verdict() == JudgedVerdict::NoWorse;
            times.no_worse = is_no_worse.then_some(since);
        }
    }
    times
}

/// The runs of each case: `few`, if the environment does not say.
fn runs(few: u32) -> u32 {
    std::env::var("FUSEBOX_RUNS").map_or(few, |runs| runs.parse().unwrap())
}

/// The share of runs in which something happens.
fn share(world: World, few: u32, happens: impl Fn(Times) -> bool) -> f64 {
    let runs = runs(few);
    let count = (0..runs)
        .filter(|seed| happens(run(world, u64::from(*seed))))
        .count();
    let share = f64::from(u32::try_from(count).unwrap()) / f64::from(runs);
    println!("{share:.3} of {runs}: {world:?}");
    share
}

/// Two standard deviations of a share in so many runs.
fn tolerance(share: f64, few: u32) -> f64 {
    2.0 * (share * (1.0 - share) / f64::from(runs(few))).sqrt()
}

fn at_most(bound: f64, world: World, few: u32, happens: impl Fn(Times) -> bool) {
    let found = share(world, few, happens);
    assert!(found <= bound + tolerance(bound, few), "{found} {world:?}");
}

fn at_least(bound: f64, world: World, few: u32, happens: impl Fn(Times) -> bool) {
    let found = share(world, few, happens);
    assert!(found >= bound - tolerance(bound, few), "{found} {world:?}");
}

fn is_worse(times: Times) -> bool {
    times.worse.is_some()
}

fn is_no_worse(times: Times) -> bool {
    times.no_worse.is_some()
}

const SHARES_IN_COMMON: [f64; 3] = [0.0, 0.3, 0.6];

#[test]
fn an_equal_candidate_is_hardly_ever_called_worse() {
    for in_common in SHARES_IN_COMMON {
        at_most(0.05, World::of(1.0, in_common), 6, is_worse);
    }
}

#[test]
fn twice_the_rate_is_called_worse_within_a_day() {
    for in_common in SHARES_IN_COMMON {
        let world = World {
            hours: 24,
            ..World::of(2.0, in_common)
        };
        at_least(0.95, world, 20, is_worse);
    }
}

/// 3 % and 5 %: just above one and a half times the rate.
#[test]
fn five_thirds_of_the_rate_is_called_worse_within_three_days() {
    for in_common in SHARES_IN_COMMON {
        let world = World {
            hours: 72,
            ..World::of(5.0 / 3.0, in_common)
        };
        at_least(0.90, world, 12, is_worse);
    }
}

/// Not as seldom as one would like: of 400 runs, in 35 to 45 %. Whoever calls twice the rate within
/// a day in 95 % of runs cannot do much better: a single look at the ratio after that day, at the value
/// which 1.3 times the rate exceeds in 10 % of runs, finds twice the rate in 94.7 % (numpy, 300,000
/// draws of 2,400 documents, no mistake in common).
#[test]
fn a_tolerated_candidate_is_called_worse_in_less_than_half_of_the_runs() {
    for in_common in SHARES_IN_COMMON {
        at_most(0.45, World::of(1.3, in_common), 6, is_worse);
    }
}

#[test]
fn a_better_candidate_is_never_called_worse_and_soon_no_worse() {
    for in_common in SHARES_IN_COMMON {
        let world = World::of(0.5, in_common);
        at_most(0.0, world, 3, is_worse);
        at_least(0.95, world, 3, is_no_worse);
    }
}

/// The median is 41 h (4,095 documents).
#[test]
fn an_equal_candidate_is_shown_to_be_no_worse_within_the_week() {
    at_least(0.90, World::of(1.0, 0.0), 6, is_no_worse);
}

/// Exactly at one and a half times the rate: there the bound on false words is tight.
#[test]
fn a_candidate_at_the_tolerated_ratio_is_hardly_ever_shown_to_be_no_worse() {
    for in_common in SHARES_IN_COMMON {
        at_most(0.05, World::of(1.5, in_common), 6, is_no_worse);
    }
}

/// Each mistake hits all eight documents of its batch, so there are twelve facts an hour.
#[test]
fn batches_do_not_call_an_equal_candidate_worse() {
    let world = World {
        batch: 8,
        ..World::of(1.0, 0.3)
    };
    at_most(0.05, world, 6, is_worse);
    let twice = World {
        batch: 8,
        ..World::of(2.0, 0.3)
    };
    at_least(0.90, twice, 6, is_worse);
}

#[test]
fn a_third_of_the_documents_takes_three_times_as_long_and_calls_nothing_wrong() {
    let third = |world: World| World {
        looked_at: 1.0 / 3.0,
        ..world
    };
    at_most(0.05, third(World::of(1.0, 0.3)), 6, is_worse);
    let twice = World {
        hours: 72,
        ..third(World::of(2.0, 0.3))
    };
    at_least(0.95, twice, 12, is_worse);
}

#[test]
fn corrections_alone_say_neither_worse_nor_no_worse() {
    for ratio in [0.5, 1.0, 3.0] {
        let world = World {
            tells_reviews: false,
            ..World::of(ratio, 0.3)
        };
        at_most(0.0, world, 3, |times| is_worse(times) || is_no_worse(times));
    }
}

/// Of an equal candidate's answers, only the wrong ones are known then.
#[test]
fn settled_values_that_nobody_tells_do_not_make_a_candidate_worse() {
    for in_common in SHARES_IN_COMMON {
        let world = World {
            tells_values: false,
            ..World::of(1.0, in_common)
        };
        at_most(0.05, world, 3, is_worse);
    }
}

#[test]
fn where_every_document_counts_the_same_holds_two_days_later() {
    let all = |world: World| World {
        tells_reviews: false,
        rule: LookedAt::All,
        ..world
    };
    at_most(0.05, all(World::of(1.0, 0.3)), 4, is_worse);
    let twice = World {
        hours: 72,
        ..all(World::of(2.0, 0.3))
    };
    at_least(0.95, twice, 6, is_worse);
}

/// A correction that is retracted was none, and a candidate that differs there is wrong: one in
/// twenty of both versions' would-be mistakes. The candidate is as good as production before that.
#[test]
fn retracted_corrections_hardly_ever_call_an_equal_candidate_worse() {
    let world = World {
        retracted: 0.05,
        ..World::of(1.0, 0.6)
    };
    at_most(0.05, world, 6, is_worse);
}
