//! The faults that a drill injects.

use std::time::Duration;

use crate::call::LineUp;
use crate::confidence::Confidence;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::guard::Symptom;
use crate::name::{DocumentType, Field, VersionId};
use crate::ratio::Ratio;

/// A fault that a [`Drill`](crate::Drill) injects.
///
/// It concerns all documents until the end of the drill, unless it is narrowed:
///
/// ```
/// use std::time::Duration;
/// use fusebox::drill::Fault;
/// use fusebox::{DocumentType, FailureKind, Ratio, VersionId};
///
/// let outage = Fault::fail(FailureKind::Overloaded)
///     .share(Ratio::percent(20))
///     .of_type(DocumentType::new("invoice")?)
///     .of_version(VersionId::new("v7")?)
///     .lasting(Duration::from_secs(1_800));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a fault breaks nothing before a drill has it"]
pub struct Fault {
    pub(super) what: What,
    pub(super) share: Ratio,
    version: Option<VersionId>,
    document_type: Option<DocumentType>,
    pub(super) field: Option<Field>,
    pub(super) lasts: Option<Duration>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Abandon,
    AddTokens(u64),
    AddUsage(u64),
    Correct,
    CutPrompts(u64),
    Deploy(Box<LineUp>),
    Diverge,
    DropFacts,
    Fail(FailureKind),
    FixConfidence(Confidence),
    Hang,
    JumpClock { by: Duration, is_back: bool },
    LoseStore,
    LowerConfidence(Confidence),
    OmitConfidence,
    PagerDown,
    Restart { with_snapshot: bool },
    ShareStore,
    Silence,
    SinkDown,
    SinkPanics,
    SpreadConfidence(Confidence),
    StopFeedback,
    StopTicks,
    StoreDown,
}

/// When a fault meets a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meets {
    /// As it arrives: no version is known yet.
    Arrival,
    /// As its call ends.
    End,
    /// As a shadow run compares its answer.
    Comparison,
    /// As its answer is reviewed.
    Review,
}

impl Fault {
    fn new(what: What) -> Self {
        Self {
            what,
            share: Ratio::ONE,
            version: None,
            document_type: None,
            field: None,
            lasts: None,
        }
    }

    /// The application drops the permits of calls, as when it loses a document on the way.
    pub fn abandon() -> Self {
        Self::new(What::Abandon)
    }

    /// Prompts grow by so many tokens, as when a template or a document type grows without a
    /// deployment.
    pub fn add_tokens(tokens: u64) -> Self {
        Self::new(What::AddTokens(tokens))
    }

    /// The API counts so many tokens more than were sent, and reports them as its usage.
    pub fn add_usage(tokens: u64) -> Self {
        Self::new(What::AddUsage(tokens))
    }

    /// Reviewers correct at least this share of the answers, each in one of its fields.
    pub fn correct(share: Ratio) -> Self {
        Self::new(What::Correct).share(share)
    }

    /// The service cuts each prompt at so many tokens, and reports those as its usage.
    pub fn cut_prompts(tokens: u64) -> Self {
        Self::new(What::CutPrompts(tokens))
    }

    /// Other versions are deployed, such as a version with a longer prompt. A deployment meets all
    /// documents, and no end undoes it: inject another one.
    pub fn deploy(line_up: LineUp) -> Self {
        Self::new(What::Deploy(Box::new(line_up)))
    }

    /// Of the answers that a shadow run compares ([`Traffic::compared_with`]), this share differs,
    /// each in one of its fields.
    ///
    /// [`Traffic::compared_with`]: super::Traffic::compared_with
    pub fn diverge(share: Ratio) -> Self {
        Self::new(What::Diverge).share(share)
    }

    /// The store drops the feedback, commands and tickets that it has, as when it has reached the most
    /// that it may hold. It needs a drill with a [pager](crate::Drill::pager), which has a store.
    pub fn drop_facts() -> Self {
        Self::new(What::DropFacts)
    }

    /// Calls fail with this kind of failure: an outage (`ServerError`), throttling (`Throttled`),
    /// an overload (`Overloaded`), answers that end early (`Truncated`), that cannot be read
    /// (`MalformedOutput`) or that are empty (`EmptyOutput`).
    pub fn fail(kind: FailureKind) -> Self {
        Self::new(What::Fail(kind))
    }

    /// Every answer has this confidence: in every field, or in one with [`of_field`](Self::of_field).
    pub fn fix_confidence(score: Confidence) -> Self {
        Self::new(What::FixConfidence(score))
    }

    /// Calls never end: the client hangs, or the application forgets the permit.
    pub fn hang() -> Self {
        Self::new(What::Hang)
    }

    /// The pipeline's clock jumps forward by this time, and back by it when the fault ends. The
    /// times of the report are by the drill's clock, which does not jump.
    pub fn jump_clock_forward(by: Duration) -> Self {
        Self::new(What::JumpClock { by, is_back: false })
    }

    /// The pipeline's clock jumps back by this time, and forward by it when the fault ends. The
    /// times of the report are by the drill's clock, which does not jump.
    pub fn jump_clock_back(by: Duration) -> Self {
        Self::new(What::JumpClock { by, is_back: true })
    }

    /// The store loses all that it has, and an empty one takes its place, as when its file is damaged.
    /// It needs a drill with a [pager](crate::Drill::pager), which has a store.
    pub fn lose_store() -> Self {
        Self::new(What::LoseStore)
    }

    /// The confidence of every field falls by so much, at the lowest to 0; that of one field with
    /// [`of_field`](Self::of_field).
    pub fn lower_confidence(by: Confidence) -> Self {
        Self::new(What::LowerConfidence(by))
    }

    /// Answers no longer have a confidence: of any field, or of one with
    /// [`of_field`](Self::of_field).
    pub fn omit_confidence() -> Self {
        Self::new(What::OmitConfidence)
    }

    /// No request reaches a pager: pages wait, and are sent again. It needs a drill with a
    /// [pager](crate::Drill::pager).
    pub fn pager_down() -> Self {
        Self::new(What::PagerDown)
    }

    /// The process ends, and another one goes on from its last snapshot, with the versions that were
    /// live. Calls that were open never end. In a drill with a [pager](crate::Drill::pager) it goes on
    /// from the store, and does not start while that is [down](Self::store_down): an error.
    pub fn restart() -> Self {
        Self::new(What::Restart {
            with_snapshot: true,
        })
    }

    /// The same, and the snapshot or the store is lost: nothing is known of what was before.
    pub fn restart_without_snapshot() -> Self {
        Self::new(What::Restart {
            with_snapshot: false,
        })
    }

    /// Another process writes to the store under the same name, as when a service was deployed twice
    /// or an old process did not end. It needs a drill with a [pager](crate::Drill::pager), which has
    /// a store.
    pub fn share_store() -> Self {
        Self::new(What::ShareStore)
    }

    /// Documents stop arriving.
    pub fn silence() -> Self {
        Self::new(What::Silence)
    }

    /// The sink takes no event, as when the pager itself is out: what is told meanwhile is lost.
    pub fn sink_down() -> Self {
        Self::new(What::SinkDown)
    }

    /// A second sink beside the drill's own panics at each event, as one whose disk is full may.
    /// Drills of it need unwinding panics, which are Rust's default.
    pub fn sink_panics() -> Self {
        Self::new(What::SinkPanics)
    }

    /// Confidences spread at the same mean: half of them rise by so much and half of them fall by
    /// so much, both by less where the usual confidence is closer to 0 or 1. It is every field, or
    /// one with [`of_field`](Self::of_field).
    pub fn spread_confidence(by: Confidence) -> Self {
        Self::new(What::SpreadConfidence(by))
    }

    /// Corrections stop arriving, and nobody picks up what waits for a person, as when a review queue
    /// is no longer worked on.
    pub fn stop_feedback() -> Self {
        Self::new(What::StopFeedback)
    }

    /// Nobody calls [`Pipeline::tick`](crate::Pipeline::tick).
    pub fn stop_ticks() -> Self {
        Self::new(What::StopTicks)
    }

    /// The store takes nothing and gives nothing, as when its disk is full. It needs a drill with a
    /// [pager](crate::Drill::pager), which has a store.
    pub fn store_down() -> Self {
        Self::new(What::StoreDown)
    }

    /// It meets only this share of the documents that it concerns, spread evenly. It replaces the
    /// share that [`correct`](Self::correct) and [`diverge`](Self::diverge) were given.
    pub fn share(mut self, share: Ratio) -> Self {
        self.share = share;
        self
    }

    /// It concerns only calls that this version serves.
    pub fn of_version(mut self, version: VersionId) -> Self {
        self.version = Some(version);
        self
    }

    /// It concerns only documents of this type.
    pub fn of_type(mut self, document_type: DocumentType) -> Self {
        self.document_type = Some(document_type);
        self
    }

    /// It concerns only this field, and only documents that have it: for confidences that fall,
    /// spread, are all alike or missing, for corrections and for answers that differ.
    ///
    /// ```
    /// use fusebox::drill::Fault;
    /// use fusebox::{Confidence, Field};
    ///
    /// let worse = Fault::lower_confidence(Confidence::percent(20)).of_field(Field::new("vat_id")?);
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn of_field(mut self, field: Field) -> Self {
        self.field = Some(field);
        self
    }

    /// It is over after this time.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasts = Some(time);
        self
    }

    pub(super) fn meets(&self) -> Meets {
        match self.what {
            What::AddTokens(_)
            | What::Deploy(_)
            | What::DropFacts
            | What::JumpClock { .. }
            | What::LoseStore
            | What::PagerDown
            | What::Restart { .. }
            | What::ShareStore
            | What::Silence
            | What::SinkDown
            | What::SinkPanics
            | What::StopTicks
            | What::StoreDown => Meets::Arrival,
            What::Abandon
            | What::AddUsage(_)
            | What::CutPrompts(_)
            | What::Fail(_)
            | What::FixConfidence(_)
            | What::Hang
            | What::LowerConfidence(_)
            | What::OmitConfidence
            | What::SpreadConfidence(_) => Meets::End,
            What::Diverge => Meets::Comparison,
            What::Correct | What::StopFeedback => Meets::Review,
        }
    }

    /// How large it is, in words.
    pub(super) fn size(&self) -> String {
        let by = match &self.what {
            What::AddTokens(tokens) | What::AddUsage(tokens) => Some(format!("by {tokens} tokens")),
            What::Deploy(line_up) => Some(format!("of {}", line_up.stable().id())),
            What::JumpClock { by, .. } => Some(format!("by {}", humantime::format_duration(*by))),
            What::CutPrompts(tokens) => Some(format!("at {tokens} tokens")),
            What::FixConfidence(score) => Some(format!("at {score}")),
            What::LowerConfidence(by) | What::SpreadConfidence(by) => Some(format!("by {by}")),
            What::Abandon
            | What::Correct
            | What::Diverge
            | What::DropFacts
            | What::Fail(_)
            | What::Hang
            | What::LoseStore
            | What::OmitConfidence
            | What::PagerDown
            | What::Restart { .. }
            | What::ShareStore
            | What::Silence
            | What::SinkDown
            | What::SinkPanics
            | What::StopFeedback
            | What::StopTicks
            | What::StoreDown => None,
        };
        let concerned = match (&self.document_type, &self.version) {
            (None, None) => "documents".to_owned(),
            (Some(of_type), None) => format!("documents of type {of_type}"),
            (None, Some(version)) => format!("documents of version {version}"),
            (Some(of_type), Some(version)) => {
                format!("documents of type {of_type} and version {version}")
            }
        };
        let share = if self.share == Ratio::ONE {
            format!("all {concerned}")
        } else {
            format!("{} of all {concerned}", self.share)
        };
        match by {
            Some(by) => format!("{by}, {share}"),
            None => share,
        }
    }

    /// Whether it cannot be narrowed to some documents.
    fn concerns_all(&self) -> bool {
        matches!(
            self.what,
            What::Deploy(_)
                | What::DropFacts
                | What::JumpClock { .. }
                | What::LoseStore
                | What::PagerDown
                | What::Restart { .. }
                | What::ShareStore
                | What::SinkDown
                | What::SinkPanics
                | What::StopTicks
                | What::StoreDown
        )
    }

    /// What a guard sees of it; `None` if that depends on the traffic.
    pub(super) fn symptom(&self) -> Option<Symptom> {
        if self.document_type.is_some() || self.version.is_some() {
            return None;
        }
        let share = self.share;
        match self.what {
            What::Fail(kind) => Some(Symptom::Failures { kind, share }),
            What::Hang => Some(Symptom::Hang),
            What::LowerConfidence(by) if share == Ratio::ONE => Some(Symptom::LowerConfidence(by)),
            _ => None,
        }
    }

    /// Whether it concerns documents of this type.
    pub(super) fn is_of_type(&self, document_type: &DocumentType) -> bool {
        self.document_type
            .as_ref()
            .is_none_or(|of| of == document_type)
    }

    /// Whether it concerns calls that this version serves; `None` where none is chosen yet.
    pub(super) fn is_of_version(&self, version: Option<&VersionId>) -> bool {
        self.version.is_none() || self.version.as_ref() == version
    }

    /// Whether it concerns this field.
    pub(super) fn is_of_field(&self, field: &Field) -> bool {
        self.field.as_ref().is_none_or(|of| of == field)
    }

    fn is_about_fields(&self) -> bool {
        matches!(
            self.what,
            What::Correct
                | What::Diverge
                | What::FixConfidence(_)
                | What::LowerConfidence(_)
                | What::OmitConfidence
                | What::SpreadConfidence(_)
        )
    }

    /// An error if it is narrowed in a way in which it cannot be.
    pub(super) fn check(&self) -> Result<(), Error> {
        let refuse = |what, allowed| Err(Error::invalid("drill fault", what, allowed));
        let is_whole = self.share == Ratio::ONE && self.document_type.is_none();
        match self.what {
            What::Deploy(_) if self.lasts.is_some() => {
                refuse("a deployment with an end", "another deployment to undo it")
            }
            What::Restart { .. } if self.lasts.is_some() => refuse(
                "a restart with an end",
                "no end: the next process goes on at once",
            ),
            What::DropFacts | What::LoseStore if self.lasts.is_some() => refuse(
                "a loss with an end",
                "no end: what is lost does not come back",
            ),
            _ if self.concerns_all() && (!is_whole || self.version.is_some()) => refuse(
                "a part of the documents",
                "all documents: a deployment, a restart, a clock, a tick, a sink, a pager and a store concern all of them",
            ),
            _ if self.meets() == Meets::Arrival && self.version.is_some() => refuse(
                "a version",
                "no version: the fault comes before a version is chosen",
            ),
            _ if self.field.is_some() && !self.is_about_fields() => refuse(
                "a field",
                "no field: only confidences, corrections and differences have one",
            ),
            _ if self.lasts == Some(Duration::ZERO) => refuse("no time", "more than no time"),
            _ => Ok(()),
        }
    }
}
