//! The settings of the tables.

use std::time::Duration;

use fusebox::rollout::{Cadence, Denominator, RolloutPolicy};
use fusebox::{BlueGreenPolicy, CanaryPolicy, DocumentType, Error, Ratio, Timestamp};

use crate::args::TableName;
use crate::measure::{Line, Table};
use crate::rivals::{Rival, Test};
use crate::simulation;
use crate::simulation::world::{Kind, Pair, Poison, World};

/// 2026-03-13 16:00 UTC, a Friday.
const AFTERNOON: Timestamp = Timestamp::from_millis(1_773_417_600_000);
/// 2026-03-29 00:00 UTC; 48 hours later the last day of the month begins.
const BEFORE_MONTH_END: Timestamp = Timestamp::from_millis(1_774_742_400_000);
const MONTH_END: Timestamp = Timestamp::from_millis(1_774_915_200_000);
/// Above this ratio a candidate shall be rolled back.
const TOLERATED: f64 = 1.5;

impl TableName {
    pub(crate) const ALL: [Self; 12] = [
        Self::Base,
        Self::Rivals,
        Self::Batches,
        Self::Retries,
        Self::Bursts,
        Self::Attention,
        Self::Outage,
        Self::Delays,
        Self::Hours,
        Self::LowTraffic,
        Self::Types,
        Self::Measures,
    ];

    pub(crate) fn table(self) -> Table {
        match self {
            Self::Base => base(),
            Self::Rivals => rivals(),
            Self::Batches => batches(),
            Self::Retries => retries(),
            Self::Bursts => bursts(),
            Self::Attention => attention(),
            Self::Outage => outage(),
            Self::Delays => delays(),
            Self::Hours => hours_of_work(),
            Self::LowTraffic => low_traffic(),
            Self::Types => types(),
            Self::Measures => measures(),
        }
    }
}

fn table(title: &str, headings: &[&'static str], lines: Vec<Line>) -> Table {
    Table {
        title: title.to_owned(),
        headings: headings.to_vec(),
        lines,
    }
}

/// A line for a policy that decides alone.
fn line<K: 'static>(
    settings: Vec<String>,
    world: World,
    policy: impl Fn() -> Result<RolloutPolicy<K>, Error> + Sync + 'static,
) -> Line {
    Line {
        settings,
        is_worse: is_worse(&world),
        run: Box::new(move |seed| simulation::run(&world, policy()?, &mut (), seed)),
    }
}

fn is_worse(world: &World) -> bool {
    let ratio = |rates: &Pair<f64>| rates.candidate / rates.production.max(f64::MIN_POSITIVE);
    let kinds = world.kinds.iter().map(|kind| kind.ratio);
    let rates = [ratio(&world.failed), ratio(&world.truncated)];
    kinds.chain(rates).any(|ratio| ratio > TOLERATED)
}

/// A line for the default canary.
fn canary(settings: Vec<String>, world: World) -> Line {
    line(settings, world, || Ok(CanaryPolicy::default()))
}

/// The default canary, with another denominator.
fn by(denominator: Denominator) -> Result<CanaryPolicy, Error> {
    CanaryPolicy::builder()
        .stage(Ratio::percent(5), hours(2))
        .stage(Ratio::percent(25), hours(4))
        .denominator(denominator)
        .build()
}

const fn hours(n: u64) -> Duration {
    Duration::from_secs(3_600 * n)
}

fn traffic(world: &World) -> String {
    let per_hour = world.kinds.iter().map(|kind| kind.per_hour).sum::<u64>();
    if per_hour < 1_000 {
        per_hour.to_string()
    } else {
        format!("{},{:03}", per_hour / 1_000, per_hour % 1_000)
    }
}

fn times(ratio: f64) -> String {
    if ratio > 1.0 {
        format!("{ratio}x")
    } else {
        "equal".to_owned()
    }
}

fn base() -> Table {
    let mut lines = Vec::new();
    for per_hour in [100, 500, 2_000, 10_000] {
        for ratio in [1.0, 1.2, 1.3, 1.4, 1.5, 1.67, 2.0, 3.0] {
            let world = World::new(per_hour, ratio);
            lines.push(canary(vec![traffic(&world), times(ratio)], world));
        }
    }
    table("The default canary", &["an hour", "candidate"], lines)
}

fn rivals() -> Table {
    let mut lines = Vec::new();
    for per_hour in [500, 2_000, 10_000] {
        for ratio in [1.0, 1.3, 2.0, 3.0] {
            let world = World::new(per_hour, ratio);
            let settings = |rule: &str| vec![traffic(&world), times(ratio), rule.to_owned()];
            lines.push(canary(settings("default canary"), world.clone()));
            let once = || Ok(CanaryPolicy::with_plain_ratio());
            lines.push(line(
                settings("plain ratio, once a stage"),
                world.clone(),
                once,
            ));
            for (name, test) in [
                ("plain ratio, every 5 min", Test::PlainRatio),
                ("Fisher, once a stage", Test::Fisher),
                ("mSPRT, every 5 min", Test::Mixture),
                ("confidence sequence, every 5 min", Test::ConfidenceSequence),
            ] {
                let world = world.clone();
                lines.push(Line {
                    settings: settings(name),
                    is_worse: is_worse(&world),
                    run: Box::new(move |seed| {
                        simulation::run(&world, Rival::router()?, &mut Rival::new(test), seed)
                    }),
                });
            }
        }
    }
    table(
        "Other rules on the same documents",
        &["an hour", "candidate", "rule"],
        lines,
    )
}

fn batches() -> Table {
    let mut lines = Vec::new();
    let mut add = |per_hour, ratio, size, own, whole, is_blue_green| {
        let mut world = World::new(per_hour, ratio);
        world.batches.size = size;
        world.batches.own = own;
        world.batches.split_whole = whole;
        let policy = if is_blue_green {
            "blue/green"
        } else {
            "canary"
        };
        let causes = if own { "own" } else { "shared" };
        let told = if whole { "by batch" } else { "by document" };
        let settings = [policy, causes, told].map(str::to_owned);
        let mut settings = settings.to_vec();
        settings.splice(0..0, [traffic(&world), times(ratio), size.to_string()]);
        if is_blue_green {
            world.ends = hours(8 * 24);
            lines.push(line(settings, world, || BlueGreenPolicy::builder().build()));
        } else {
            lines.push(canary(settings, world));
        }
    };
    for size in [3, 8] {
        for own in [false, true] {
            for whole in [false, true] {
                for per_hour in [500, 2_000, 10_000] {
                    add(per_hour, 1.0, size, own, whole, false);
                }
            }
            add(2_000, 3.0, size, own, false, false);
        }
        for whole in [false, true] {
            add(500, 1.0, size, false, whole, true);
        }
    }
    table(
        "Wrong answers with one cause, one after another",
        &[
            "an hour",
            "candidate",
            "batch",
            "policy",
            "causes",
            "batches",
        ],
        lines,
    )
}

fn retries() -> Table {
    let mut lines = Vec::new();
    for tries in [1, 3, 5] {
        for per_hour in [500, 2_000, 10_000] {
            let mut world = World::new(per_hour, 1.0);
            world.poison = Poison { share: 0.01, tries };
            lines.push(canary(vec![traffic(&world), tries.to_string()], world));
        }
    }
    table(
        "1 % of the documents fail whichever version serves them; equal versions",
        &["an hour", "tries"],
        lines,
    )
}

fn bursts() -> Table {
    let mut lines = Vec::new();
    for (per_hour, ratio) in [(500, 1.0), (2_000, 1.0), (10_000, 1.0), (2_000, 3.0)] {
        let mut world = World::new(per_hour, ratio);
        world.bursts_a_day = 2;
        lines.push(canary(vec![traffic(&world), times(ratio)], world));
    }
    table(
        "All calls of one version fail for two minutes, twice a day, each version by itself",
        &["an hour", "candidate"],
        lines,
    )
}

fn attention() -> Table {
    let mut lines = Vec::new();
    for (candidate, production) in [(0.6, 0.3), (1.0, 0.3), (0.3, 0.6)] {
        for (denominator, tells_looks) in [
            (Denominator::Automatic, false),
            (Denominator::Automatic, true),
            (Denominator::Reviewable, true),
            (Denominator::Reviewed, false),
        ] {
            for (per_hour, ratio) in [(500, 1.0), (2_000, 1.0), (10_000, 1.0), (2_000, 3.0)] {
                let mut world = World::new(per_hour, ratio);
                world.looked_at = Pair {
                    candidate,
                    production,
                };
                world.tells_looks = tells_looks;
                let looked_at = format!("{candidate} / {production}");
                let told = if tells_looks { "told" } else { "not told" };
                let divisor = match denominator {
                    Denominator::Reviewed => "looked at",
                    Denominator::Automatic => "the default",
                    _ => "answers",
                };
                let settings = [looked_at, told.to_owned(), divisor.to_owned()];
                let settings = [traffic(&world), times(ratio)].into_iter().chain(settings);
                lines.push(line(settings.collect(), world, move || by(denominator)));
            }
        }
    }
    table(
        "Reviewers look at more of one version's answers",
        &["an hour", "candidate", "looked at", "looks", "divided by"],
        lines,
    )
}

fn outage() -> Table {
    let mut lines = Vec::new();
    for has_previous in [true, false] {
        for from in [1, 3] {
            for per_hour in [500, 2_000, 10_000] {
                let mut world = World::new(per_hour, 1.0);
                world.outage = hours(from)..hours(from + 1);
                world.has_previous = has_previous;
                let previous = if has_previous { "yes" } else { "no" };
                let settings = vec![traffic(&world), from.to_string(), previous.to_owned()];
                lines.push(canary(settings, world));
            }
        }
    }
    table(
        "The provider is down for an hour; equal versions, with a breaker",
        &["an hour", "down after hours", "previous version"],
        lines,
    )
}

fn delays() -> Table {
    let mut lines = Vec::new();
    let mut add = |per_hour, ratio, [candidate, production]: [u64; 2], days: u64| {
        let mut world = World::new(per_hour, ratio);
        world.delay = Pair {
            candidate: hours(candidate),
            production: hours(production),
        };
        world.alone = hours(24 * days);
        let delay = format!("{candidate} / {production} h");
        let known = if days > 0 { "known" } else { "not known" };
        let settings = vec![traffic(&world), times(ratio), delay, known.to_owned()];
        lines.push(canary(settings, world));
    };
    for per_hour in [500, 2_000, 10_000] {
        add(per_hour, 1.0, [6, 6], 2);
    }
    for per_hour in [500, 2_000] {
        add(per_hour, 1.0, [6, 6], 0);
        for ratio in [1.67, 2.0, 3.0] {
            add(per_hour, ratio, [6, 6], 2);
        }
        for ratio in [1.0, 3.0] {
            add(per_hour, ratio, [6, 0], 2);
            add(per_hour, ratio, [6, 0], 0);
            add(per_hour, ratio, [0, 6], 2);
        }
    }
    table(
        "Corrections come later (exponential, mean for candidate / production)",
        &["an hour", "candidate", "delay", "production's delays"],
        lines,
    )
}

fn hours_of_work() -> Table {
    let mut lines = Vec::new();
    for (per_hour, ratio) in [(500, 1.0), (2_000, 1.0), (500, 3.0), (2_000, 3.0)] {
        let mut world = World::new(per_hour, ratio);
        world.open = 8..18;
        world.begins_at = AFTERNOON;
        world.ends = hours(96);
        lines.push(canary(vec![traffic(&world), times(ratio)], world));
    }
    table(
        "Documents come from 8 to 18, deployed at 16:00",
        &["an hour", "candidate"],
        lines,
    )
}

fn low_traffic() -> Table {
    let mut lines = Vec::new();
    for per_hour in [30, 100] {
        for ratio in [1.0, 2.0, 3.0] {
            let world = World::new(per_hour, ratio);
            lines.push(canary(vec![traffic(&world), times(ratio)], world));
        }
    }
    table("Low traffic", &["an hour", "candidate"], lines)
}

fn types() -> Table {
    let mut lines = Vec::new();
    for worse in [None, Some(2), Some(4), Some(6), Some(8), Some(10)] {
        let mut world = World::new(0, 1.0);
        let shares = [1_024, 512, 256, 128, 64, 32, 16, 8, 4, 4];
        world.kinds = (1..)
            .zip(shares)
            .map(|(number, per_hour)| Kind {
                name: format!("type-{number}"),
                per_hour,
                ratio: if worse == Some(number) { 5.0 } else { 1.0 },
                comes: |_| true,
            })
            .collect();
        let candidate = worse.map_or_else(
            || "equal".to_owned(),
            |number| format!("5x for type {number}"),
        );
        lines.push(canary(
            vec![traffic(&world), "canary".to_owned(), candidate],
            world,
        ));
    }
    for ratio in [1.0, 5.0] {
        let mut world = World::new(500, 1.0);
        world.kinds.push(Kind {
            name: "statement".to_owned(),
            per_hour: 50,
            ratio,
            comes: |at| at >= MONTH_END,
        });
        world.begins_at = BEFORE_MONTH_END;
        world.ends = hours(5 * 24);
        let candidate = match times(ratio) {
            equal if ratio <= 1.0 => equal,
            worse => format!("{worse} for month-end statements"),
        };
        let settings = vec![traffic(&world), "blue/green".to_owned(), candidate];
        lines.push(line(settings, world, || {
            BlueGreenPolicy::builder()
                .expect(DocumentType::new("invoice")?, Cadence::Daily)
                .expect(DocumentType::new("statement")?, Cadence::MonthEnd)
                .build()
        }));
    }
    table(
        "Ten types, each with half the documents of the one before; 50 statements of 550 an hour",
        &["an hour", "policy", "candidate"],
        lines,
    )
}

fn measures() -> Table {
    let mut lines = Vec::new();
    for per_hour in [500, 2_000, 10_000] {
        for what in ["truncated", "failed"] {
            for candidate in [0.01, 0.02, 0.03] {
                let mut world = World::new(per_hour, 1.0);
                let rates = Pair {
                    candidate,
                    production: 0.01,
                };
                if what == "failed" {
                    world.failed = rates;
                } else {
                    world.truncated = rates;
                }
                let rate = format!("{what} 1 % -> {:.0} %", candidate * 100.0);
                lines.push(canary(vec![traffic(&world), rate], world));
            }
        }
    }
    table(
        "Failures and truncations; equally often corrected",
        &["an hour", "candidate"],
        lines,
    )
}
