//! What comes to a pipeline: documents, what is wrong with their answers, who looks at them and
//! when, and what fails.

use std::ops::Range;
use std::time::Duration;

use fusebox::{Role, Timestamp};

use super::chance::Chance;

/// 2026-03-13 21:00 UTC.
const EVENING: Timestamp = Timestamp::from_millis(1_773_435_600_000);

/// One value for each version.
#[derive(Clone, Debug)]
pub(crate) struct Pair<T> {
    pub(crate) candidate: T,
    pub(crate) production: T,
}

impl<T> Pair<T> {
    pub(crate) fn of(&self, version: Role) -> &T {
        match version {
            Role::Candidate => &self.candidate,
            Role::Stable | Role::Previous => &self.production,
        }
    }
}

impl<T: Clone> Pair<T> {
    pub(crate) fn both(value: T) -> Self {
        Self {
            candidate: value.clone(),
            production: value,
        }
    }
}

/// A document type.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) per_hour: u64,
    /// How often the candidate is wrong with it, divided by how often production is.
    pub(crate) ratio: f64,
    /// Whether its documents come at this time.
    pub(crate) comes: fn(Timestamp) -> bool,
}

/// Documents with one cause, a supplier for instance, that come one after another: an answer to one
/// of them is wrong if the answers to all are.
#[derive(Clone, Debug)]
pub(crate) struct Batches {
    pub(crate) size: u32,
    /// Whether each version has its own bad causes. If not, what production gets wrong a worse
    /// candidate gets wrong too.
    pub(crate) own: bool,
    /// Whether all documents of a batch see one version.
    pub(crate) split_whole: bool,
}

/// Documents that fail whichever version serves them.
#[derive(Clone, Debug)]
pub(crate) struct Poison {
    /// Their share.
    pub(crate) share: f64,
    /// How often each of them is tried.
    pub(crate) tries: u32,
}

/// Everything that a rollout meets. Rates are shares of the documents.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) kinds: Vec<Kind>,
    /// The hours of the day in which documents come.
    pub(crate) open: Range<u64>,
    /// How many of production's answers are wrong.
    pub(crate) wrong: f64,
    pub(crate) batches: Batches,
    /// The share of the answers that reviewers look at: they correct those that are wrong.
    pub(crate) looked_at: Pair<f64>,
    /// Whether they tell of every look, not of corrections alone.
    pub(crate) tells_looks: bool,
    /// The mean time from an answer to the look at it (exponential); zero is at once.
    pub(crate) delay: Pair<Duration>,
    pub(crate) failed: Pair<f64>,
    pub(crate) truncated: Pair<f64>,
    pub(crate) poison: Poison,
    /// How often a day all calls of one version fail for two minutes, for each version by itself.
    pub(crate) bursts_a_day: u32,
    /// When the provider is down for all versions, counted from the deployment. The pipeline has a
    /// breaker then.
    pub(crate) outage: Range<Duration>,
    /// Whether there is a version to fall back to.
    pub(crate) has_previous: bool,
    pub(crate) begins_at: Timestamp,
    /// How long production runs alone before the candidate is deployed.
    pub(crate) alone: Duration,
    /// When the run ends without a verdict, counted from the deployment.
    pub(crate) ends: Duration,
}

impl World {
    /// Invoices, so many an hour; production is wrong with 3 of 100, the candidate `ratio` times as
    /// often. Each answer is looked at, at once, and nothing fails.
    pub(crate) fn new(per_hour: u64, ratio: f64) -> Self {
        Self {
            kinds: vec![Kind {
                name: "invoice".to_owned(),
                per_hour,
                ratio,
                comes: |_| true,
            }],
            open: 0..24,
            wrong: 0.03,
            batches: Batches {
                size: 1,
                own: false,
                split_whole: false,
            },
            looked_at: Pair::both(1.0),
            tells_looks: false,
            delay: Pair::both(Duration::ZERO),
            failed: Pair::both(0.0),
            truncated: Pair::both(0.0),
            poison: Poison {
                share: 0.0,
                tries: 1,
            },
            bursts_a_day: 0,
            outage: Duration::ZERO..Duration::ZERO,
            has_previous: true,
            begins_at: EVENING,
            alone: Duration::ZERO,
            ends: Duration::from_secs(30 * 3_600),
        }
    }

    /// The documents that come in an hour at this time.
    pub(crate) fn per_hour(&self, now: Timestamp) -> u64 {
        let hour = now.as_millis() / 3_600_000 % 24;
        if !self.open.contains(&hour) {
            return 0;
        }
        let coming = self.kinds.iter().filter(|kind| (kind.comes)(now));
        coming.map(|kind| kind.per_hour).sum()
    }
}

/// What will become of a document, whichever version serves it.
#[derive(Debug)]
pub(crate) struct Document {
    /// The index of its type.
    pub(crate) kind: usize,
    pub(crate) batch: u64,
    pub(crate) is_wrong: Pair<bool>,
    pub(crate) is_looked_at: Pair<bool>,
    pub(crate) delay: Pair<Duration>,
    pub(crate) fails: Pair<bool>,
    pub(crate) is_truncated: Pair<bool>,
    pub(crate) is_poisoned: bool,
}

/// Draws the documents of one run. Each takes the same number of draws, so that two rules that
/// split the documents differently see the same ones.
#[derive(Debug)]
pub(crate) struct Documents<'w> {
    world: &'w World,
    chance: Chance,
    batch: u64,
    left_in_batch: u32,
    causes: Pair<f64>,
}

impl<'w> Documents<'w> {
    pub(crate) fn new(world: &'w World, chance: Chance) -> Self {
        Self {
            world,
            chance,
            batch: 0,
            left_in_batch: 0,
            causes: Pair::both(1.0),
        }
    }

    pub(crate) fn next(&mut self, now: Timestamp) -> Document {
        let world = self.world;
        if self.left_in_batch == 0 {
            self.left_in_batch = world.batches.size;
            self.batch += 1;
            let (production, own) = (self.chance.uniform(), self.chance.uniform());
            self.causes = Pair {
                candidate: if world.batches.own { own } else { production },
                production,
            };
        }
        self.left_in_batch -= 1;
        let kind = self.kind(now);
        let ratio = world.kinds.get(kind).map_or(1.0, |kind| kind.ratio);
        let (look, end, poison) = (
            self.chance.uniform(),
            self.chance.uniform(),
            self.chance.uniform(),
        );
        let wait = self.chance.wait(Duration::from_secs(1)).as_secs_f64();
        let cut = |version: Role| end < *world.truncated.of(version);
        let fails = |version: Role| !cut(version) && 1.0 - end < *world.failed.of(version);
        Document {
            kind,
            batch: self.batch,
            is_wrong: Pair {
                candidate: self.causes.candidate < world.wrong * ratio,
                production: self.causes.production < world.wrong,
            },
            is_looked_at: each(|version| look < *world.looked_at.of(version)),
            delay: each(|version| world.delay.of(version).mul_f64(wait)),
            fails: each(fails),
            is_truncated: each(cut),
            is_poisoned: poison < world.poison.share,
        }
    }

    /// The type of the next document: each type as often as its documents come.
    fn kind(&mut self, now: Timestamp) -> usize {
        let uniform = self.chance.uniform();
        if self.world.kinds.len() == 1 {
            return 0;
        }
        let total = count(self.world.per_hour(now));
        let mut left = uniform * total;
        for (number, kind) in self.world.kinds.iter().enumerate() {
            if (kind.comes)(now) {
                left -= count(kind.per_hour);
                if left < 0.0 {
                    return number;
                }
            }
        }
        0
    }

    /// When each version's calls fail for two minutes, over this time.
    pub(crate) fn bursts(&mut self, begin: Timestamp, length: Duration) -> Pair<Vec<Timestamp>> {
        let day = Duration::from_secs(86_400);
        let mut drawn = Pair::both(Vec::new());
        let mut from = begin;
        while from.since(begin) < length {
            for _ in 0..self.world.bursts_a_day {
                let mut at = || from + day.mul_f64(self.chance.uniform());
                drawn.candidate.push(at());
                drawn.production.push(at());
            }
            from = from + day;
        }
        drawn
    }
}

fn each<T>(of: impl Fn(Role) -> T) -> Pair<T> {
    Pair {
        candidate: of(Role::Candidate),
        production: of(Role::Stable),
    }
}

fn count(documents: u64) -> f64 {
    f64::from(u32::try_from(documents).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(world: &World) -> Vec<Document> {
        let mut documents = Documents::new(world, Chance::new(3));
        (0..120_000).map(|_| documents.next(EVENING)).collect()
    }

    fn share(documents: &[Document], is: impl Fn(&Document) -> bool) -> f64 {
        let having = documents.iter().filter(|document| is(document)).count();
        let count = |n: usize| f64::from(u32::try_from(n).unwrap());
        count(having) / count(documents.len())
    }

    /// Four standard errors of 3 % and 6 % of 120,000 are 0.2 and 0.28 points; of batches of eight,
    /// 0.56.
    #[test]
    fn answers_are_wrong_as_often_as_stated_whatever_the_batch() {
        for (size, within) in [(1, 0.002), (8, 0.0056)] {
            let mut world = World::new(500, 2.0);
            world.batches.size = size;
            let documents = drawn(&world);
            let production = share(&documents, |document| document.is_wrong.production);
            let candidate = share(&documents, |document| document.is_wrong.candidate);
            assert!((production - 0.03).abs() < within, "{size}: {production}");
            assert!(
                (candidate - 0.06).abs() < 1.5 * within,
                "{size}: {candidate}"
            );
        }
    }

    #[test]
    fn a_shared_cause_is_wrong_for_both_and_an_own_cause_seldom_is() {
        let mut world = World::new(500, 1.0);
        let both =
            |document: &Document| document.is_wrong.production && document.is_wrong.candidate;
        assert!((share(&drawn(&world), both) - 0.03).abs() < 0.002);
        world.batches.own = true;
        assert!(share(&drawn(&world), both) < 0.0015, "0.0009 expected");
    }

    #[test]
    fn all_documents_of_a_batch_are_wrong_or_none_is() {
        let mut world = World::new(500, 1.0);
        world.batches.size = 3;
        let documents = drawn(&world);
        for batch in documents.chunks_exact(3) {
            assert!(batch.iter().all(|document| {
                document.batch == batch[0].batch
                    && document.is_wrong.production == batch[0].is_wrong.production
            }));
        }
    }

    #[test]
    fn failures_and_truncations_have_their_rates_and_exclude_each_other() {
        let mut world = World::new(500, 1.0);
        world.failed = Pair::both(0.02);
        world.truncated.candidate = 0.02;
        let documents = drawn(&world);
        let cut = share(&documents, |document| document.is_truncated.candidate);
        let fails = share(&documents, |document| document.fails.candidate);
        assert!((cut - 0.02).abs() < 0.0017, "{cut}");
        assert!((fails - 0.02).abs() < 0.0017, "{fails}");
        assert!(!documents.iter().any(|document| {
            document.is_truncated.production
                || (document.is_truncated.candidate && document.fails.candidate)
        }));
    }

    #[test]
    fn types_come_as_often_as_stated() {
        let mut world = World::new(750, 1.0);
        let mut statement = world.kinds[0].clone();
        statement.per_hour = 250;
        world.kinds.push(statement);
        let share = share(&drawn(&world), |document| document.kind == 1);
        assert!((share - 0.25).abs() < 0.005, "{share}");
    }
}
