//! What all fields share: the order of work when an answer or a tick comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bets::Pace;
use super::commands::Command;
use super::incident::{self, constant, detected, drift, missing, shape};
use super::key::{Key, Names};
use super::reporting::Answers;
use super::segment::Segment;
use super::threshold::Settings;
use super::verdict::Fall;
use super::watch::Watch;
use crate::call::{Report, Ticket};
use crate::confidence::Confidence;
use crate::event::{DriftEvent, EventKind, PipelineEvent, Severity};
use crate::format::Format;
use crate::guard::Cx;
use crate::name::{DocumentType, VersionId};
use crate::order::Order;
use crate::stats::{BoundedMap, Moments, Place};
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Core {
    /// Shared with snapshots that are being written.
    pub(super) watches: BoundedMap<Key, Arc<Watch>>,
    /// The answers of each type that has a field with a confidence.
    answers: BoundedMap<(DocumentType, VersionId), Answers>,
    pub(super) commands: Vec<Command>,
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
    pub(super) fn new(watches: BoundedMap<Key, Arc<Watch>>) -> Self {
        Self {
            answers: BoundedMap::new(watches.limit()),
            watches,
            commands: Vec::new(),
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
        for command in std::mem::take(&mut self.commands) {
            let key = command.key();
            let named = if self.watches.has_own(key) {
                key.clone()
            } else {
                Key::other()
            };
            let shown = named.to_string();
            let Key {
                document_type,
                field,
            } = named;
            let threshold = settings.threshold;
            let event = match command {
                Command::Rebaseline(_, Order { who, why }) => DriftEvent::BaselineRestarted {
                    document_type,
                    field,
                    threshold,
                    who,
                    why,
                },
                Command::Resolve(_, Order { who, why }) => DriftEvent::DriftResolved {
                    document_type,
                    field,
                    threshold,
                    who,
                    why,
                },
            };
            cx.emit(Severity::Info, EventKind::Drift(event));
            cx.put_right(&drift(&shown));
        }
    }

    /// Counts an answer and its confidences, and raises the thresholds of fields that have fallen.
    pub(super) fn record(
        &mut self,
        ticket: &Ticket,
        report: &Report,
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
        let document = |score| Document {
            version: ticket.version(),
            score,
            total,
            now,
        };
        let (mut shared, mut falls) = (Shared::default(), Vec::new());
        for same in places.chunk_by(|one, next| field(one) == field(next)) {
            let mut of_document = Moments::default();
            for score in same.iter().filter_map(score) {
                of_document.add(score);
            }
            let first = same.first().and_then(field);
            let (Some(field), Some(mean)) = (first, of_document.mean()) else {
                continue;
            };
            let names: &dyn Names = &(ticket.document_type(), field);
            let watch = if let Some(watch) = self.watches.get_own_mut(names) {
                watch
            } else {
                let key = Key::of(ticket, field);
                let limit = self.watches.limit();
                let (watch, place) = self.watches.entry(&key, || Arc::new(Watch::new(None)));
                if place != Place::Own {
                    if place == Place::FirstOverflow {
                        let first = key.to_string();
                        let kind = PipelineEvent::KeysExhausted { limit, first };
                        cx.emit(Severity::Warning, EventKind::Pipeline(kind));
                    }
                    shared.scores.add(mean);
                    shared.by = Some(key);
                    continue;
                }
                watch
            };
            let watch = Arc::make_mut(watch);
            if let Some(fall) = document(mean).count_in(watch, settings, &mut self.pace) {
                falls.push((Key::of(ticket, field), fall));
            }
        }
        self.places = places;
        let watch = shared.by.and_then(|key| self.watches.get_mut(&key));
        if let (Some(watch), Some(score)) = (watch, shared.scores.mean()) {
            let watch = Arc::make_mut(watch);
            if let Some(fall) = document(score).count_in(watch, settings, &mut self.pace) {
                falls.push((Key::other(), fall));
            }
        }
        if !falls.is_empty() {
            incident::report_falls(falls, settings, cx);
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
                self.answers.entry(&key, || Answers::new(settings.span)).0
            }
        };
        answers.add(self.latest);
        answers.total()
    }

    /// Ends buckets, and says what is wrong.
    pub(super) fn tick(&mut self, settings: &Settings, cx: &Cx<'_>) {
        let (now, line_up) = (self.latest, cx.line_up());
        let bucket = settings.span.bucket_at(now);
        let is_new_bucket = bucket > self.ticked;
        self.ticked = bucket;
        if is_new_bucket {
            self.answers
                .retain(|(_, version)| line_up.role_of(version).is_some());
        }
        let mut segments = 0;
        let (own, other) = self.watches.all_mut();
        let other_key = Key::other();
        let is_own = own.map(|(key, watch)| (key, watch, true));
        for (key, watch, is_own) in is_own.chain(other.map(|watch| (&other_key, watch, false))) {
            if is_new_bucket || watch.needs_tick(line_up) {
                let watch = Arc::make_mut(watch);
                watch.keep_live(line_up);
                let mut has_recovered = false;
                for (version, segment) in watch.segments_mut() {
                    if is_new_bucket {
                        segment.close_bucket(now, settings, &self.pace);
                        let names: &dyn Names = &(&key.document_type, version);
                        let answers = is_own.then(|| self.answers.get_own_mut(names)).flatten();
                        segment.check_reporting(answers, now, settings);
                    }
                    has_recovered |= Self::say(key, segment, settings, cx);
                }
                if has_recovered {
                    watch.advance_revision(now);
                }
            }
            segments += watch.segments() as u64;
        }
        self.pace.set_segments(segments);
    }

    /// Says what is wrong with a segment. Returns whether its threshold was lowered, because all is
    /// well again.
    fn say(key: &Key, segment: &mut Segment, settings: &Settings, cx: &Cx<'_>) -> bool {
        let now = cx.now();
        segment.end_window(now, settings);
        let has_recovered = settings.restores && segment.is_recovered();
        if !has_recovered && !segment.has_trouble() {
            return false;
        }
        let name = key.to_string();
        if let Some(fall) = segment.now_fallen(now) {
            if has_recovered {
                segment.restore_threshold();
                cx.emit(Severity::Info, incident::recovered(key, &fall, settings));
                cx.well(&drift(&name));
            } else {
                cx.still(&drift(&name), || {
                    detected(key, &fall, settings, Vec::new(), 0)
                });
            }
        }
        if let Some(documents) = segment.newly_thin(now, settings) {
            cx.emit(Severity::Warning, incident::thin(key, documents, settings));
        }
        if let Some(found) = segment.shape {
            cx.still(&shape(&name), || incident::shape_changed(key, &found));
        }
        if let Some(found) = segment.constant {
            cx.still(&constant(&name, &found), || {
                incident::constant_found(key, &found)
            });
        }
        if let Some(found) = segment.missing {
            cx.still(&missing(&name), || incident::missing_found(key, &found));
        }
        has_recovered
    }

    /// What is stored, without the lock of the guard to be sorted and written.
    pub(super) fn stored(&self) -> Stored {
        let answers = self.answers.iter();
        Stored {
            format: Format,
            watches: self.watches.shared(),
            other: self.watches.other().cloned(),
            answers: answers
                .map(|(key, answers)| (key.clone(), answers.clone()))
                .collect(),
            commands: self.commands.clone(),
            pace: self.pace.clone(),
            invalid: self.invalid,
        }
    }

    pub(super) fn restore(&mut self, stored: Stored, settings: &Settings, cx: &Cx<'_>) {
        let now = cx.now();
        self.latest = now;
        self.production = Some(cx.line_up().stable().id().clone());
        let restored = |mut watch: Arc<Watch>, stored| {
            let stored = Arc::unwrap_or_clone(stored);
            Arc::make_mut(&mut watch).restore(stored, settings.span, now);
            watch
        };
        let fresh = || Arc::new(Watch::new(None));
        let mut watches: BTreeMap<_, _> = self
            .watches
            .iter()
            .filter(|(_, watch)| watch.has_given_baseline())
            .map(|(key, watch)| (key.clone(), Arc::clone(watch)))
            .collect();
        for (key, stored) in stored.watches {
            let watch = watches.remove(&key).unwrap_or_else(fresh);
            watches.insert(key, restored(watch, stored));
        }
        let other = stored.other.map(|stored| restored(fresh(), stored));
        self.watches.refill(watches, other);
        let answers = stored.answers.into_iter();
        let same_span = answers.filter(|(_, answers)| answers.span() == settings.span);
        self.answers.refill(same_span, None);
        self.commands = stored.commands;
        self.pace = stored.pace;
        self.invalid = stored.invalid;
        self.ticked = 0;
    }
}

/// One document's score of one field.
struct Document<'a> {
    version: &'a VersionId,
    score: Confidence,
    /// The number of its type's answers.
    total: u64,
    now: Timestamp,
}

impl Document<'_> {
    /// Counts the document, and raises the threshold if the field has fallen.
    fn count_in(&self, watch: &mut Watch, settings: &Settings, pace: &mut Pace) -> Option<Fall> {
        let (segment, is_new) = watch.segment(self.version, self.total, self.now, settings.span);
        if is_new {
            pace.add_segment();
        }
        let segment = segment?;
        let fall = segment.record(self.score, self.total, self.now, settings, pace)?;
        segment.raise(fall.rule, self.now);
        watch.advance_revision(self.now);
        Some(fall)
    }
}

/// The scores of a document in fields that share one entry.
#[derive(Default)]
struct Shared {
    scores: Moments,
    by: Option<Key>,
}

/// What a monitor keeps over a restart.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    format: Format<1>,
    watches: Vec<(Key, Arc<Watch>)>,
    other: Option<Arc<Watch>>,
    answers: Vec<((DocumentType, VersionId), Answers)>,
    commands: Vec<Command>,
    pace: Pace,
    invalid: u64,
}

impl Stored {
    /// In the same order, whoever writes it.
    pub(super) fn sort(&mut self) {
        self.watches.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.answers.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
}
