//! The mix of document types: the mean over all documents may fall although no type has fallen,
//! because those with a lower confidence come more often.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::certainty;
use super::threshold::Settings;
use crate::call::{LineUp, Ticket};
use crate::confidence::Confidence;
use crate::event::{DriftEvent, TypeShare};
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;
use crate::stats::{BoundedMap, Moments, Span, Tracked, Window};
use crate::time::{Timestamp, hours};

/// The reference has ten times the documents of a field's baseline. With 1,000, the error of a share
/// is at most 0.016; where two types lie 0.15 apart, that moves the mean by 0.0024.
const BASELINES: u64 = 10;
/// It is measured for a day at least, or it would lack the types of the night.
const A_DAY: Duration = hours(24);
/// In how many steps the window slides: memory matters with thousands of types.
const STEPS: u32 = 8;
/// How many types an event names.
const NAMED: usize = 5;

/// The documents of each version, by type.
#[derive(Debug)]
pub(super) struct Mixes {
    /// Whether a version was forgotten since [`take_changed`](Self::take_changed).
    has_forgotten: bool,
    /// The largest number of types of a version that are counted one by one.
    limit: usize,
    /// The latest bucket that has begun.
    bucket: u64,
    of_versions: Vec<(VersionId, Mix)>,
}

/// The documents of one version.
#[derive(Debug)]
struct Mix {
    began: Timestamp,
    /// The documents while the reference was measured.
    before: Moments,
    is_frozen: bool,
    types: BoundedMap<DocumentType, Tracked<OfType>>,
    found: Option<DriftEvent>,
}

/// The documents of one type: while the reference was measured, and in the window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OfType {
    before: Moments,
    recent: Window<3>,
}

impl Mixes {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            has_forgotten: false,
            limit,
            bucket: 0,
            of_versions: Vec::new(),
        }
    }

    /// Counts a document once, with the mean of its fields.
    pub(super) fn add(
        &mut self,
        ticket: &Ticket,
        mean: Confidence,
        now: Timestamp,
        settings: &Settings,
    ) {
        if settings.plain_mean {
            return;
        }
        let version = ticket.version();
        let known = self.of_versions.iter().position(|(id, _)| id == version);
        if known.is_none() {
            let mix = Mix::new(self.limit, now);
            self.of_versions.push((version.clone(), mix));
        }
        let place = known.unwrap_or(self.of_versions.len() - 1);
        if let Some((_, mix)) = self.of_versions.get_mut(place) {
            mix.add(ticket.document_type(), mean, now, settings);
        }
    }

    /// Measures the reference of each version on the documents that follow.
    pub(super) fn restart(&mut self) {
        self.has_forgotten |= !self.of_versions.is_empty();
        self.of_versions.clear();
    }

    /// Forgets versions that are no longer live, and compares the others with their references,
    /// when a bucket has ended.
    pub(super) fn close_bucket(&mut self, now: Timestamp, line_up: &LineUp, settings: &Settings) {
        if !settings.span.is_after(now, self.bucket) {
            return;
        }
        self.bucket = settings.span.bucket_at(now);
        let before = self.of_versions.len();
        self.of_versions
            .retain(|(version, _)| line_up.role_of(version).is_some());
        self.has_forgotten |= self.of_versions.len() < before;
        for (version, mix) in &mut self.of_versions {
            mix.compare(version, now, settings);
        }
    }

    /// The versions whose mix has shifted, with what is said of each.
    pub(super) fn found(&self) -> impl Iterator<Item = (&VersionId, &DriftEvent)> {
        let of_versions = self.of_versions.iter();
        of_versions.filter_map(|(version, mix)| Some((version, mix.found.as_ref()?)))
    }

    /// What is stored, of the types with those that are wanted.
    pub(super) fn stored(&self, is_wanted: impl Fn(&DocumentType) -> bool) -> StoredMixes {
        let of_versions = self.of_versions.iter();
        StoredMixes {
            bucket: self.bucket,
            of_versions: of_versions
                .map(|(version, mix)| (version.clone(), mix.stored(&is_wanted)))
                .collect(),
        }
    }

    /// The types that have changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> impl Iterator<Item = &DocumentType> {
        let of_versions = self.of_versions.iter_mut();
        of_versions.flat_map(|(_, mix)| mix.types.take_changed())
    }

    /// Whether a version was forgotten since this was last asked.
    pub(super) fn take_forgotten(&mut self) -> bool {
        std::mem::take(&mut self.has_forgotten)
    }

    /// Restores what was stored, with an empty window if its length has changed since.
    pub(super) fn restore(&mut self, stored: StoredMixes, span: Span) {
        let of_versions = stored.of_versions.into_iter();
        self.of_versions = of_versions
            .map(|(version, stored)| (version, Mix::restored(stored, self.limit, span)))
            .collect();
        self.bucket = stored.bucket;
    }
}

impl Mix {
    fn new(limit: usize, now: Timestamp) -> Self {
        Self {
            began: now,
            before: Moments::default(),
            is_frozen: false,
            types: BoundedMap::new(limit),
            found: None,
        }
    }

    fn add(
        &mut self,
        document_type: &DocumentType,
        mean: Confidence,
        now: Timestamp,
        settings: &Settings,
    ) {
        let new = || Tracked::new(OfType::new(settings.span));
        let of_type = match self.types.get_own_mut(document_type) {
            Some(of_type) => of_type,
            None => self.types.entry(document_type, new).0,
        };
        let of_type = of_type.change();
        of_type.recent.add(now, Moments::counts_of(mean));
        if !self.is_frozen {
            of_type.before.add(mean);
            self.before.add(mean);
            let enough = settings.baseline_documents.saturating_mul(BASELINES);
            self.is_frozen = self.before.documents() >= enough && now.since(self.began) >= A_DAY;
        }
    }

    /// Compares the window with the reference. A shift begins where the mean has fallen for certain
    /// and the types have not; it goes on until the mean is near the reference again or the types
    /// have fallen as well. The limits of its end lie apart from those of its begin, or a mix near
    /// a limit would begin and end all the time.
    fn compare(&mut self, version: &VersionId, now: Timestamp, settings: &Settings) {
        if !self.is_frozen {
            return;
        }
        let (mut recent, mut within) = (Moments::default(), 0_i128);
        let (own, other) = self.types.all_mut();
        for of_type in own.map(|(_, of_type)| of_type).chain(other) {
            let of_type = of_type.read();
            let counts = Moments::of_counts(of_type.recent.total(now));
            recent.merge(counts);
            within = within.saturating_add(of_type.fallen(counts, settings.min_documents));
        }
        let (before, drop, exit) = (self.before, settings.max_drop, settings.exit_drop);
        let has_shifted = if self.found.is_some() {
            before.compare_fall(recent, exit) != Ordering::Less && within <= recent.lacking(drop)
        } else {
            let (variance, least) = (|| Some(before.variance()), settings.min_documents);
            certainty::has_fallen(before, variance, recent, drop, least)
                && within <= recent.lacking(exit)
        };
        let shift = has_shifted.then(|| self.shift(version, recent, within));
        self.found = shift.flatten();
    }

    /// What is said of a shift; `None` without documents.
    fn shift(&self, version: &VersionId, recent: Moments, within: i128) -> Option<DriftEvent> {
        let (before, mean) = (self.before.mean()?, recent.mean()?);
        let fall = i128::from(before.as_millionths()) - i128::from(mean.as_millionths());
        let within = recent.each_of(within);
        Some(DriftEvent::MixShift {
            version: version.clone(),
            before,
            mean,
            by_mix: millionths(fall - within),
            within_types: millionths(within),
            documents: recent.documents(),
            types: self.shares(recent),
        })
    }

    /// The types whose shares have changed most.
    fn shares(&self, recent: Moments) -> Vec<TypeShare> {
        let (before, now) = (self.before.documents(), recent.documents());
        let of_other = DocumentType::other();
        let other = self.types.other().map(|of_type| (&of_other, of_type));
        let mut types: Vec<_> = self.types.iter().chain(other).collect();
        types.sort_by_cached_key(|(document_type, of_type)| {
            let share_now = u128::from(of_type.latest().documents()) * u128::from(before);
            let share_before = u128::from(of_type.before.documents()) * u128::from(now);
            (
                Reverse(share_now.abs_diff(share_before)),
                (*document_type).clone(),
            )
        });
        let shares = types.into_iter().map(|(document_type, of_type)| {
            let latest = of_type.latest();
            TypeShare {
                document_type: document_type.clone(),
                before: share(of_type.before.documents(), before),
                now: share(latest.documents(), now),
                mean: latest.mean().or(of_type.before.mean()),
            }
        });
        let changed = shares.filter(|share| share.before != share.now);
        changed.take(NAMED).collect()
    }

    fn stored(&self, is_wanted: impl Fn(&DocumentType) -> bool) -> StoredMix {
        StoredMix {
            began: self.began,
            before: self.before,
            is_frozen: self.is_frozen,
            types: self.types.shared(is_wanted),
            other: self.types.other().map(Tracked::shared),
            found: self.found.clone(),
        }
    }

    fn restored(stored: StoredMix, limit: usize, span: Span) -> Self {
        let restored = |mut of_type: Arc<OfType>| {
            if of_type.recent.span() != span.in_steps(STEPS) {
                Arc::make_mut(&mut of_type).recent = Window::new(span.in_steps(STEPS));
            }
            Tracked::of(of_type)
        };
        let mut types = BoundedMap::new(limit);
        let own = stored.types.into_iter();
        types.refill(
            own.map(|(document_type, of_type)| (document_type, restored(of_type))),
            stored.other.map(restored),
        );
        Self {
            began: stored.began,
            before: stored.before,
            is_frozen: stored.is_frozen,
            types,
            found: stored.found,
        }
    }
}

impl OfType {
    fn new(span: Span) -> Self {
        Self {
            before: Moments::default(),
            recent: Window::new(span.in_steps(STEPS)),
        }
    }

    fn latest(&self) -> Moments {
        Moments::of_counts(self.recent.latest_total())
    }

    /// What its documents lack of the mean that the type had before. A type with too few documents
    /// for a mean has no such mean: its part in a fall is mix.
    fn fallen(&self, recent: Moments, least: u64) -> i128 {
        if self.before.documents() < least {
            return 0;
        }
        self.before.shortfall(recent)
    }
}

/// A difference of two means, which is from -1 to 1.
fn millionths(difference: i128) -> f64 {
    i32::try_from(difference).map_or(0.0, f64::from) / 1e6
}

/// A share in hundredths of a percent; zero of nothing.
fn share(part: u64, whole: u64) -> Ratio {
    let points = u128::from(part) * 10_000 + u128::from(whole / 2);
    let points = points.checked_div(u128::from(whole)).unwrap_or(0);
    Ratio::basis_points(u32::try_from(points).unwrap_or(10_000))
}

/// What is kept of the mixes over a restart.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct StoredMixes {
    bucket: u64,
    pub(super) of_versions: Vec<(VersionId, StoredMix)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredMix {
    began: Timestamp,
    before: Moments,
    is_frozen: bool,
    pub(super) types: Vec<(DocumentType, Arc<OfType>)>,
    other: Option<Arc<OfType>>,
    found: Option<DriftEvent>,
}

impl StoredMixes {
    /// One more type of a version that is known.
    pub(super) fn insert(&mut self, of: &VersionId, name: &DocumentType, of_type: Arc<OfType>) {
        let mut versions = self.of_versions.iter_mut();
        if let Some((_, mix)) = versions.find(|(version, _)| version == of) {
            mix.types.push((name.clone(), of_type));
        }
    }

    /// In the same order, whoever writes it.
    pub(super) fn sort(&mut self) {
        for (_, mix) in &mut self.of_versions {
            mix.types.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
    }
}
