//! What all fields share: the order of work when an answer or a tick comes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::bets::{Allowance, Pace};
use super::commands::Command;
use super::corrections::{BeforeAndSince, DriftCorrections, KnownReports};
use super::falls::{Fallen, Falls};
use super::incident::{self, drift, mix, unresolved};
use super::key::{Key, Names};
use super::mix::Mixes;
use super::reporting::Answers;
use super::review_queue::Demand;
use super::season::Season;
use super::stored::{Changed, Stored};
use super::threshold::Settings;
use super::verdict::{DriftStatus, Fall};
use super::voice::Voice;
use super::watch::Watch;
use crate::call::{Feedback, Report, Ticket};
use crate::confidence::Confidence;
use crate::event::{EventKind, PipelineEvent, Severity};
use crate::guard::Cx;
use crate::name::{DocumentType, Field, VersionId};
use crate::stats::{BoundedMap, Moments, Place, Tracked};
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Core {
    pub(super) watches: BoundedMap<Key, Tracked<Watch>>,
    /// The answers of each type that has a field with a confidence.
    answers: BoundedMap<(DocumentType, VersionId), Tracked<Answers>>,
    /// Whether answers were forgotten since [`take_changed`](Self::take_changed).
    has_forgotten: bool,
    pub(super) mixes: Mixes,
    pub(super) commands: Vec<Command>,
    /// How often a threshold has changed.
    pub(super) generation: u64,
    reports: KnownReports,
    falls: Falls,
    pub(super) pace: Pace,
    /// How many scores were no confidences.
    pub(super) invalid: u64,
    pub(super) production: Option<VersionId>,
    pub(super) latest: Timestamp,
    /// The bucket of the latest tick.
    ticked: u64,
    /// The valid scores of a document by their places in its report, kept for its memory.
    places: Vec<usize>,
}

impl Core {
    pub(super) fn new(watches: BoundedMap<Key, Tracked<Watch>>) -> Self {
        Self {
            answers: BoundedMap::new(watches.limit()),
            has_forgotten: false,
            mixes: Mixes::new(watches.limit()),
            watches,
            commands: Vec::new(),
            generation: 0,
            reports: KnownReports::default(),
            falls: Falls::default(),
            pace: Pace::default(),
            invalid: 0,
            production: None,
            latest: Timestamp::EPOCH,
            ticked: 0,
            places: Vec::new(),
        }
    }

    /// Advances the time and reports the commands.
    pub(super) fn catch_up(&mut self, settings: &Settings, cx: &Cx<'_>) {
        self.latest = cx.now();
        self.pace.advance(settings.span.bucket_at(self.latest));
        let stable = cx.line_up().stable().id();
        if self.production.as_ref() != Some(stable) {
            self.production = Some(stable.clone());
        }
        if !self.commands.is_empty() {
            self.report_commands(settings, cx);
        }
    }

    fn report_commands(&mut self, settings: &Settings, cx: &Cx<'_>) {
        for command in std::mem::take(&mut self.commands) {
            let named = if self.watches.has_own(&command.key) {
                command.key.clone()
            } else {
                Key::other()
            };
            let shown = named.to_string();
            let is_over = command.asks.changes_threshold();
            let key = command.key.clone();
            let event = command.event(named, settings.threshold);
            cx.emit(Severity::Info, EventKind::Drift(event));
            if is_over {
                self.falls.forget(&key);
                cx.put_right(&drift(&shown));
            }
            cx.put_right(&unresolved(&shown));
        }
    }

    /// Counts an answer and its confidences, and raises the thresholds of fields that have fallen.
    pub(super) fn record(
        &mut self,
        ticket: &Ticket,
        report: &Report,
        is_reviewed: bool,
        settings: &Settings,
        cx: &Cx<'_>,
    ) {
        let scores = report.confidences();
        let mut places = std::mem::take(&mut self.places);
        let score = |place: &usize| scores.get(*place).and_then(|(_, score)| *score);
        let field = |place: &usize| scores.get(*place).map(|(field, _)| field);
        places.clear();
        places.extend((0..scores.len()).filter(|place| score(place).is_some()));
        self.invalid += (scores.len() - places.len()) as u64;
        let total = self.count_answer(ticket, !places.is_empty(), settings);
        places.sort_unstable_by(|one, other| field(one).cmp(&field(other)));
        let now = self.latest;
        let (slot, allowance) = (settings.slot_at(now), settings.allowance(&self.pace));
        let document = |score, is_raised| Document {
            version: ticket.version(),
            score,
            total,
            now,
            slot,
            allowance,
            is_raised,
        };
        let fallen = |key, fall, generation| Fallen {
            key,
            version: ticket.version().clone(),
            fall: Fall { generation, ..fall },
        };
        let (mut shared, mut falls) = (Shared::default(), Vec::new());
        let (mut demand, mut is_raised) = (Demand::default(), false);
        let mut whole = Moments::default();
        for same in places.chunk_by(|one, next| field(one) == field(next)) {
            let mean = if let [place] = same {
                score(place)
            } else {
                let mut of_document = Moments::default();
                same.iter()
                    .filter_map(score)
                    .for_each(|score| of_document.add(score));
                of_document.mean()
            };
            let (Some(field), Some(mean)) = (same.first().and_then(field), mean) else {
                continue;
            };
            whole.add(mean);
            let names: &dyn Names = &(ticket.document_type(), field);
            let (watch, place) = if let Some(watch) = self.watches.get_own_mut(names) {
                (watch, Place::Own)
            } else {
                let key = Key::of(ticket, field);
                let limit = self.watches.limit();
                let (watch, place) = self.watches.entry(&key, || Tracked::new(Watch::new(None)));
                if place == Place::FirstOverflow {
                    let first = key.to_string();
                    let kind = PipelineEvent::KeysExhausted { limit, first };
                    cx.emit(Severity::Warning, EventKind::Pipeline(kind));
                }
                (watch, place)
            };
            let raised = watch.raised_threshold_for(ticket.version());
            is_raised |= raised.is_some();
            for score in same.iter().filter_map(score) {
                demand.add(score, raised, settings.threshold);
            }
            if place != Place::Own {
                shared.scores.add(mean);
                shared.by = Some(Key::of(ticket, field));
                shared.is_raised = raised.is_some();
                continue;
            }
            let (watch, document) = (watch.change(), document(mean, raised.is_some()));
            let (fall, has_changed) = document.count_in(watch, settings, &mut self.pace);
            self.generation += u64::from(has_changed);
            if let Some(fall) = fall {
                falls.push(fallen(Key::of(ticket, field), fall, self.generation));
            }
        }
        self.places = places;
        if let Some(mean) = whole.mean() {
            self.mixes.add(ticket, mean, now, settings);
        }
        let watch = shared.by.and_then(|key| self.watches.get_mut(&key));
        if let (Some(watch), Some(score)) = (watch, shared.scores.mean()) {
            let (watch, document) = (watch.change(), document(score, shared.is_raised));
            let (fall, has_changed) = document.count_in(watch, settings, &mut self.pace);
            self.generation += u64::from(has_changed);
            falls.extend(fall.map(|fall| fallen(Key::other(), fall, self.generation)));
        }
        if is_raised || !falls.is_empty() {
            let demand = is_raised.then_some(demand);
            self.count_review(ticket, demand, is_reviewed, settings, cx);
        }
        if !falls.is_empty() {
            let bucket = settings.span.bucket_at(now);
            self.falls.add(falls, bucket, cx);
        }
    }

    /// Counts a document of a type of which a threshold is raised; `demand` is `None` if its own
    /// answer has raised it.
    fn count_review(
        &mut self,
        ticket: &Ticket,
        demand: Option<Demand>,
        is_reviewed: bool,
        settings: &Settings,
        cx: &Cx<'_>,
    ) {
        let names: &dyn Names = &(ticket.document_type(), ticket.version());
        let Some(answers) = self.answers.get_own_mut(names).map(Tracked::change) else {
            return;
        };
        answers.reviews.begin_drift(self.latest);
        let Some((demand, capacity)) = demand.zip(settings.capacity) else {
            return;
        };
        let queue = answers.queue.get_or_insert_default();
        // In a dry run nothing is reviewed; what would be takes a place.
        let would_be = cx.is_dry_run() && demand.is_within(queue.cap(capacity, settings));
        if queue.add(demand, is_reviewed || would_be, self.latest, settings) {
            cx.emit(Severity::Info, incident::accepted_unreviewed(ticket));
        }
    }

    /// The status of a field, as of the last answer or tick.
    pub(super) fn status(&mut self, key: Option<&Key>, settings: &Settings) -> DriftStatus {
        let mut unseen = Watch::new(None);
        let known = key.and_then(|key| self.watches.get_mut(key));
        let watch = known.map_or(&mut unseen, Tracked::read);
        let production = self.production.as_ref();
        let status = watch.status(production, self.latest, settings, &self.pace);
        let version = watch.shown_version(production).cloned();
        let of_all_times = version
            .as_ref()
            .and_then(|version| watch.known_segment(version));
        let corrected = of_all_times
            .map(|segment| segment.corrected)
            .unwrap_or_default();
        let answers = key.zip(version.as_ref()).and_then(|(key, version)| {
            let names: &dyn Names = &(&key.document_type, version);
            self.answers.get(names)
        });
        let reviews = answers.map(|answers| answers.reviews).unwrap_or_default();
        let slot = settings.slot_at(self.latest);
        let since = watch.read(production, slot, settings.span, |segment| {
            segment.corrections_since(reviews, corrected)
        });
        let corrections = since.unwrap_or_else(|| DriftCorrections::of(reviews, corrected));
        DriftStatus {
            generation: self.generation,
            corrections,
            ..status
        }
    }

    /// The highest threshold that the reviewers of a type have time for.
    pub(super) fn cap(&self, ticket: &Ticket, settings: &Settings) -> Confidence {
        let names: &dyn Names = &(ticket.document_type(), ticket.version());
        let capacity = settings.capacity.zip(self.answers.get(names));
        let queue =
            capacity.and_then(|(capacity, answers)| Some((capacity, answers.queue.as_ref()?)));
        queue.map_or(Confidence::CERTAIN, |(capacity, queue)| {
            queue.cap(capacity, settings)
        })
    }

    /// Counts what a reviewer says of an answer.
    pub(super) fn learn(&mut self, ticket: &Ticket, feedback: &Feedback) {
        let names: &dyn Names = &(ticket.document_type(), ticket.version());
        let Some(answers) = self.answers.get_own_mut(names).map(Tracked::change) else {
            return;
        };
        let is_since = answers.reviews.is_since(ticket.admitted_at());
        let correction = match feedback {
            Feedback::Reviewed => None,
            Feedback::Corrected(correction) | Feedback::Retracted(correction) => Some(correction),
            _ => return,
        };
        let document = reported(ticket, None);
        if !matches!(feedback, Feedback::Retracted(_)) && self.reports.add(document, document) {
            answers.reviews.reviewed.add(is_since);
        }
        let Some(correction) = correction else {
            return;
        };
        let field = correction.field();
        let names: &dyn Names = &(ticket.document_type(), field);
        let watch = self.watches.get_own_mut(names).map(Tracked::change);
        let Some(segment) = watch.and_then(|watch| watch.known_segment(ticket.version())) else {
            return;
        };
        let about = reported(ticket, Some(field));
        let id = correction.id().map_or("", |id| id.as_str());
        let report = XxHash3_64::oneshot_with_seed(about, id.as_bytes());
        if matches!(feedback, Feedback::Corrected(_)) {
            if self.reports.add(about, report) {
                segment.corrected.add(is_since);
            }
        } else if self.reports.remove(about, report) {
            segment.corrected.take_back(is_since);
        }
    }

    /// Counts an answer of a type that has fields with a confidence; returns how many there were.
    fn count_answer(&mut self, ticket: &Ticket, has_scores: bool, settings: &Settings) -> u64 {
        let names: &dyn Names = &(ticket.document_type(), ticket.version());
        let answers = match self.answers.get_own_mut(names) {
            Some(answers) => answers,
            None if !has_scores => return 0,
            None => {
                let key = (ticket.document_type().clone(), ticket.version().clone());
                let new = || Tracked::new(Answers::new(settings.span));
                self.answers.entry(&key, new).0
            }
        };
        let answers = answers.change();
        answers.add(self.latest);
        answers.total()
    }

    /// Ends buckets, and says what is wrong.
    pub(super) fn tick(&mut self, settings: &Settings, cx: &Cx<'_>) {
        let (now, line_up) = (self.latest, cx.line_up());
        let bucket = settings.span.bucket_at(now);
        let is_new_bucket = bucket > self.ticked;
        self.ticked = bucket;
        self.falls.end_bucket(bucket, cx);
        self.has_forgotten |= self
            .answers
            .retain(|(_, version)| line_up.role_of(version).is_some());
        let (mut segments, mut raised) = (0, Raises::new());
        self.mixes.close_bucket(now, line_up, settings);
        for (version, found) in self.mixes.found() {
            cx.still(&mix(version), || EventKind::Drift(found.clone()));
        }
        let (own, other) = self.watches.all_mut();
        let other_key = other.is_some().then(Key::other);
        let is_own = own.map(|(key, watch)| (key, watch, true));
        let other = other_key.as_ref().zip(other);
        for (key, watch, is_own) in is_own.chain(other.map(|(key, watch)| (key, watch, false))) {
            if is_new_bucket || watch.needs_tick(line_up) {
                let watch = watch.change();
                let before = watch.raised_threshold();
                watch.keep_live(line_up);
                if let Some(slot) = settings.slot_at(now) {
                    watch.follow_season(slot, now, settings);
                }
                self.generation += u64::from(watch.raised_threshold() != before);
                if !watch.is_raised() {
                    watch.acknowledged = None;
                }
                let is_acknowledged = watch.is_acknowledged(now);
                let corrected = watch.all_corrected();
                let (mut has_recovered, mut has_risen) = (false, false);
                let (acknowledged, segments_mut) = watch.parts_mut();
                for (version, segment) in segments_mut {
                    let names: &dyn Names = &(&key.document_type, version);
                    let answers = is_own.then(|| self.answers.get_own_mut(names)).flatten();
                    let mut answers = answers.map(Tracked::read);
                    if is_new_bucket {
                        let before = segment.raised_threshold();
                        segment.close_bucket(now, settings, &self.pace);
                        let has_changed = segment.raised_threshold() != before;
                        self.generation += u64::from(has_changed);
                        has_risen |= has_changed;
                        segment.check_reporting(answers.as_deref_mut(), now, settings);
                    }
                    let mut voice = Voice {
                        key,
                        acknowledged,
                        version,
                        corrected: corrected_of(&corrected, version),
                        reviews: answers.map(|answers| answers.reviews),
                        generation: &mut self.generation,
                        now,
                        settings,
                        cx,
                    };
                    has_recovered |= voice.say(segment);
                    if segment.is_raised() {
                        let document_type = is_own.then(|| key.document_type.clone());
                        let of_type = raised.entry((document_type, version.clone()));
                        *of_type.or_insert(true) &= is_acknowledged;
                    }
                }
                if has_recovered || has_risen {
                    watch.advance_revision(now);
                }
            }
            segments += watch.judging() as u64;
        }
        self.pace.set_segments(segments);
        self.say_capacity(&raised, settings, cx);
    }

    /// Says which reviewers have no time for all that should be reviewed, and ends what is over.
    fn say_capacity(&mut self, raised: &Raises, settings: &Settings, cx: &Cx<'_>) {
        let now = self.latest;
        let answers = self.answers.iter_mut();
        for (key, answers) in answers.filter(|(_, answers)| answers.reviews.has_drift()) {
            let (document_type, version) = key;
            let of_type = raised.get(&(Some(document_type.clone()), version.clone()));
            // Fields that share an entry may be of any type.
            let of_any = raised.get(&(None, version.clone()));
            let is_raised = of_type.or(of_any).is_some();
            if !is_raised {
                answers.change().reviews.end_drift();
                let names = |watch: &Key| watch.document_type == *document_type;
                for (_, watch) in self.watches.iter_mut().filter(|(key, _)| names(key)) {
                    let watch = watch.change();
                    if let Some(segment) = watch.known_segment(version) {
                        segment.corrected.settle();
                    }
                }
            }
            let Some((queue, capacity)) = answers.queue.as_ref().zip(settings.capacity) else {
                continue;
            };
            if !is_raised {
                answers.change().queue = None;
            } else if let Some(found) = queue.full(now) {
                let is_known = [of_type, of_any].into_iter().flatten().all(|known| *known);
                let trouble = incident::full(document_type.as_str(), version, is_known);
                cx.still(&trouble, || {
                    let names = (document_type, version);
                    incident::capacity_reached(names, &found, capacity)
                });
            }
        }
    }

    /// All that is stored, without the lock of the guard to be sorted and written.
    pub(super) fn stored(&self, settings: &Settings) -> Stored {
        Stored {
            reports: self.reports.stored(),
            ..self.stored_of(|_| true, settings)
        }
    }

    /// The same of what has changed since this was last asked, and of nothing else.
    pub(super) fn take_changed(&mut self, all: bool, settings: &Settings) -> Changed {
        let has_forgotten = std::mem::take(&mut self.has_forgotten) | self.mixes.take_forgotten();
        let all = all || has_forgotten;
        let watched = self.watches.take_changed().map(|key| &key.document_type);
        let answered = self.answers.take_changed().map(|(name, _)| name);
        let mixed = self.mixes.take_changed();
        let changed: HashSet<_> = watched.chain(answered).chain(mixed).cloned().collect();
        Changed {
            is_whole: all,
            reports: self.reports.take_changed(all),
            stored: self.stored_of(|name| all || changed.contains(name), settings),
        }
    }

    fn stored_of(&self, is_wanted: impl Fn(&DocumentType) -> bool, settings: &Settings) -> Stored {
        Stored {
            watches: self.watches.shared(|key| is_wanted(&key.document_type)),
            answers: self.answers.shared(|(name, _)| is_wanted(name)),
            mixes: self.mixes.stored(is_wanted),
            ..self.stored_rest(settings)
        }
    }

    /// What is of no type.
    fn stored_rest(&self, settings: &Settings) -> Stored {
        Stored {
            other: self.watches.other().map(Tracked::shared),
            commands: self.commands.clone(),
            generation: self.generation,
            pace: self.pace.clone(),
            invalid: self.invalid,
            season: settings.season.as_ref().map(Season::name),
            thresholds: Some((settings.threshold, settings.max_threshold)),
            ..Stored::default()
        }
    }

    pub(super) fn restore(&mut self, stored: Stored, settings: &Settings, cx: &Cx<'_>) {
        let now = cx.now();
        self.latest = now;
        self.production = Some(cx.line_up().stable().id().clone());
        let has_same_season = stored.season == settings.season.as_ref().map(Season::name);
        let restored = |mut watch: Watch, stored: Arc<Watch>| {
            watch.restore(Arc::unwrap_or_clone(stored), settings.span, now);
            if !has_same_season {
                watch.forget_slots(now, settings);
            }
            watch.fit_thresholds(settings);
            Tracked::new(watch)
        };
        let fresh = || Watch::new(None);
        let mut watches: BTreeMap<_, _> = self
            .watches
            .iter()
            .filter(|(_, watch)| watch.has_given_baseline())
            .map(|(key, watch)| (key.clone(), watch.clone()))
            .collect();
        for (key, stored) in stored.watches {
            let watch = watches.remove(&key);
            let watch = watch.map_or_else(fresh, |watch| Watch::clone(&watch));
            watches.insert(key, restored(watch, stored));
        }
        let other = stored.other.map(|stored| restored(fresh(), stored));
        self.watches.refill(watches, other);
        let answers = stored.answers.into_iter();
        let same_span = answers.filter(|(_, answers)| answers.span() == settings.span);
        self.answers.refill(
            same_span.map(|(key, answers)| (key, Tracked::of(answers))),
            None,
        );
        self.mixes.restore(stored.mixes, settings.span);
        self.commands = stored.commands;
        let thresholds = Some((settings.threshold, settings.max_threshold));
        let has_other_thresholds = stored.thresholds != thresholds || !has_same_season;
        self.generation = stored.generation + u64::from(has_other_thresholds);
        self.reports = KnownReports::restored(stored.reports);
        self.pace = stored.pace;
        self.invalid = stored.invalid;
        self.ticked = 0;
        self.has_forgotten = true;
    }
}

/// The types and versions of which a threshold is raised, and whether the operator knows of all;
/// `None` for fields that share an entry.
type Raises = BTreeMap<(Option<DocumentType>, VersionId), bool>;

fn corrected_of(all: &[(VersionId, BeforeAndSince)], version: &VersionId) -> BeforeAndSince {
    let mut all = all.iter();
    let found = all.find(|(id, _)| id == version);
    found.map(|(_, corrected)| *corrected).unwrap_or_default()
}

/// The hash of a report about a document, or about a field of it, as one version answered it.
fn reported(ticket: &Ticket, field: Option<&Field>) -> u64 {
    let hash = |seed, name: &str| XxHash3_64::oneshot_with_seed(seed, name.as_bytes());
    let document = hash(0, ticket.document().as_str());
    let answer = hash(document, ticket.version().as_str());
    field.map_or(answer, |field| hash(answer, field.as_str()))
}

/// One document's score of one field.
struct Document<'a> {
    version: &'a VersionId,
    score: Confidence,
    /// The number of its type's answers.
    total: u64,
    now: Timestamp,
    slot: Option<u16>,
    /// What each segment may bet: a segment that begins with this document changes nothing in it.
    allowance: Allowance,
    /// Whether the threshold of the field is raised for the version.
    is_raised: bool,
}

impl Document<'_> {
    /// Counts the document, and raises the threshold if the field has fallen. Returns the fall, and
    /// whether a threshold has changed.
    fn count_in(
        &self,
        watch: &mut Watch,
        settings: &Settings,
        pace: &mut Pace,
    ) -> (Option<Fall>, bool) {
        let slot = self.slot.filter(|slot| watch.has_room(self.version, *slot));
        let Some(slot) = slot else {
            return self.count_in_slot(None, true, watch, settings, pace);
        };
        let is_ready = watch.is_ready(self.version, slot);
        let (of_all, all_changed) = self.count_in_slot(None, !is_ready, watch, settings, pace);
        let (of_slot, changed) = self.count_in_slot(Some(slot), is_ready, watch, settings, pace);
        (of_all.or(of_slot), all_changed || changed)
    }

    fn count_in_slot(
        &self,
        slot: Option<u16>,
        judges: bool,
        watch: &mut Watch,
        settings: &Settings,
        pace: &mut Pace,
    ) -> (Option<Fall>, bool) {
        let (total, now, span) = (self.total, self.now, settings.span);
        let (segment, is_new) = watch.segment(self.version, slot, total, now, span);
        if is_new && slot.is_none() {
            pace.add_segment();
        }
        let Some(segment) = segment else {
            return (None, false);
        };
        // What is raised in one slot is raised in all: no other needs to raise it again.
        segment.set_judging(judges && (!self.is_raised || segment.is_raised()));
        let before = segment.raised_threshold();
        let fall = segment.record(self.score, total, now, settings, pace, self.allowance);
        if let Some(fall) = &fall {
            segment.raise(fall.rule, now, settings);
        }
        let has_changed = segment.raised_threshold() != before;
        if fall.is_some() {
            watch.advance_revision(now);
        }
        (fall, has_changed)
    }
}

/// The scores of a document in fields that share one entry.
#[derive(Default)]
struct Shared {
    scores: Moments,
    by: Option<Key>,
    is_raised: bool,
}
