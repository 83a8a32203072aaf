//! What a careless caller, a restart or a night on call may do to a drift monitor.

use fusebox::drift::{ConfidenceDriftMonitorBuilder, DriftState, Season};
use fusebox::event::DriftEvent;
use fusebox::{
    Call, Confidence, Correction, Event, EventKind, Feedback, Field, LineUp, Ratio, Report,
    Severity, Ticket, Version,
};

use super::{Bench, HOUR, confidence, is_accepted, is_detected, names, plain, with_baseline};
use crate::operator::{rebaseline, resolve};
use crate::support::minutes;

fn version(id: &str) -> Version {
    Version::new(id, "gpt-4o").unwrap()
}

fn deploy(bench: &Bench, id: &str) {
    bench.pipeline.deploy(LineUp::new(version(id))).unwrap();
    bench.pipeline.tick();
}

fn undo(bench: &Bench) -> Result<(), fusebox::Error> {
    let seen = bench.drift.status("invoice", "total").revision;
    let drift = &bench.drift;
    drift.undo_rebaseline("invoice", "total", seen, "ada", "it was wrong")
}

fn acknowledge(bench: &Bench, hours: u32) {
    let seen = bench.drift.status("invoice", "total").revision;
    let until = fusebox::clock::Clock::now(&bench.clock) + hours * HOUR;
    let drift = &bench.drift;
    drift
        .acknowledge("invoice", "total", seen, until, "ada", "support is at it")
        .unwrap();
}

fn answer(bench: &Bench, document: &str, fields: &[(&str, f64)]) -> Ticket {
    let call = Call::new(document, "invoice").unwrap();
    let report = fields.iter().fold(Report::new(), |report, (field, score)| {
        report.confidence(field, *score)
    });
    let permit = bench.pipeline.admit(&call).permit().unwrap();
    permit.answer(report).ticket().clone()
}

fn correct(bench: &Bench, ticket: &Ticket, field: &str) {
    let field = Field::new(field).unwrap();
    bench.pipeline.observe(ticket, Feedback::corrected(field));
}

fn told(bench: &Bench) -> Vec<&'static str> {
    let events = bench.sink.events();
    events.iter().map(|event| event.kind.name()).collect()
}

fn detected(events: &[Event]) -> Vec<(String, Vec<String>, u64)> {
    let found = events.iter().filter_map(|event| match &event.kind {
        EventKind::Drift(DriftEvent::DriftDetected {
            document_type,
            field,
            also,
            generation,
            ..
        }) => Some((
            format!("{document_type}.{field}"),
            also.clone(),
            *generation,
        )),
        _ => None,
    });
    found.collect()
}

/// Baselines of 0.90 for these fields of invoices.
fn of_fields(fields: &[String]) -> ConfidenceDriftMonitorBuilder {
    let (invoice, _) = names();
    fields.iter().fold(plain(), |builder, field| {
        let field = Field::new(field).unwrap();
        builder.baseline(invoice.clone(), field, confidence(0.90), 5_000)
    })
}

fn numbered(fields: usize) -> Vec<String> {
    (0..fields).map(|n| format!("field-{n:04}")).collect()
}

/// So many answers, each with all these fields.
fn answers(bench: &Bench, fields: &[String], score: f64, documents: u64) {
    let fields: Vec<_> = fields.iter().map(|field| (field.as_str(), score)).collect();
    for _ in 0..documents {
        answer(bench, "document", &fields);
    }
}

fn ticks(bench: &Bench, minutes_each: u64, ticks: u64) {
    for _ in 0..ticks {
        bench.clock.advance(minutes(minutes_each));
        bench.pipeline.tick();
    }
}

// Restarts and configurations.

#[test]
fn a_raised_threshold_is_never_below_a_normal_one_that_was_configured_since() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 30);
    assert_eq!(bench.threshold(), Confidence::percent(85));
    let later = bench.restarted(with_baseline(0.90).threshold(Confidence::percent(90)));
    assert!(
        !is_accepted(&later.total(0.87)),
        "a field that drifts is not accepted below the threshold of one that does not"
    );
}

#[test]
fn a_raised_threshold_is_at_most_the_highest_that_was_configured_since() {
    let bench = Bench::new(with_baseline(0.90).step(Confidence::percent(15)));
    bench.totals(0.84, 30);
    assert_eq!(bench.threshold(), Confidence::percent(95));
    let later = bench.restarted(with_baseline(0.90).max_threshold(Confidence::percent(85)));
    assert_eq!(later.threshold(), Confidence::percent(85));
}

#[test]
fn another_season_lowers_no_threshold() {
    let (invoice, total) = names();
    let builder = || {
        let baseline = confidence(0.90);
        plain().baseline(invoice.clone(), total.clone(), baseline, 5_000)
    };
    let bench = Bench::new(builder().season(Season::weekday()));
    bench.totals(0.90, 100);
    bench.clock.advance(5 * HOUR);
    bench.totals(0.80, 40);
    assert_eq!(bench.threshold(), Confidence::percent(85));
    let later = bench.restarted(builder());
    later.pipeline.tick();
    assert_eq!(
        (later.state(), later.threshold()),
        (DriftState::Raised, Confidence::percent(85)),
        "only the operator lowers it, and no event says otherwise: {:?}",
        told(&later)
    );
}

#[test]
fn another_given_baseline_is_that_of_all_times_and_of_no_slot() {
    let (invoice, total) = names();
    let builder = |mean: f64| {
        let builder = plain().baseline(invoice.clone(), total.clone(), confidence(mean), 5_000);
        builder.season(Season::weekday())
    };
    let bench = Bench::new(builder(0.91));
    bench.totals(0.84, 100);
    let of_slot = |bench: &Bench| bench.drift.means("invoice", "total").baseline;
    resolve(&bench.drift, "invoice", "total").unwrap();
    assert_eq!(of_slot(&bench), Some(confidence(0.84)));
    let later = bench.restarted(builder(0.92));
    later.pipeline.tick();
    assert_eq!(of_slot(&later), Some(confidence(0.84)));
    later.totals(0.84, 40);
    assert_ne!(later.state(), DriftState::Raised, "an ordinary day");
}

#[test]
fn what_joined_before_a_restart_is_named_when_the_bucket_ends() {
    let fields = ["date".to_owned(), "total".to_owned()];
    let bench = Bench::new(of_fields(&fields));
    answers(&bench, &fields[..1], 0.60, 30);
    answers(&bench, &fields[1..], 0.60, 30);
    let later = bench.restarted(of_fields(&fields));
    ticks(&later, 5, 1);
    let named = format!(
        "{:?}{:?}",
        detected(&bench.sink.events()),
        detected(&later.sink.events())
    );
    assert!(named.contains("invoice.total"), "{named}");
}

#[test]
fn another_window_keeps_reviews_and_corrections_or_neither() {
    let bench = Bench::new(with_baseline(0.90));
    for n in 0..100 {
        let ticket = answer(&bench, &format!("inv-{n}"), &[("total", 0.90)]);
        bench.pipeline.observe(&ticket, Feedback::Reviewed);
        if n < 20 {
            correct(&bench, &ticket, "total");
        }
    }
    let later = bench.restarted(with_baseline(0.90).window(HOUR).buckets(12));
    later.totals(0.90, 1);
    let found = later.drift.status("invoice", "total").corrections;
    let counts = (found.reviewed_before, found.corrected_before);
    assert!(counts == (100, 20) || counts == (0, 0), "{counts:?}");
}

#[test]
fn a_version_that_comes_back_has_its_reviews_and_corrections_or_neither() {
    let bench = Bench::new(with_baseline(0.90));
    bench.pipeline.tick();
    for n in 0..100 {
        let ticket = answer(&bench, &format!("inv-{n}"), &[("total", 0.90)]);
        bench.pipeline.observe(&ticket, Feedback::Reviewed);
        if n < 20 {
            correct(&bench, &ticket, "total");
        }
    }
    deploy(&bench, "v8");
    deploy(&bench, "v7");
    bench.totals(0.90, 1);
    let found = bench.drift.status("invoice", "total").corrections;
    let counts = (found.reviewed_before, found.corrected_before);
    assert!(counts == (100, 20) || counts == (0, 0), "{counts:?}");
}

// Pages.

#[test]
fn nobody_is_paged_for_what_was_resolved_before_its_bucket_ended() {
    let fields = ["date".to_owned(), "total".to_owned()];
    let bench = Bench::new(of_fields(&fields));
    answers(&bench, &fields[..1], 0.60, 30);
    answers(&bench, &fields[1..], 0.60, 30);
    assert_eq!(bench.sink.pages().len(), 1);
    bench.clock.advance(minutes(3));
    for field in &fields {
        resolve(&bench.drift, "invoice", field).unwrap();
    }
    bench.pipeline.tick();
    assert_eq!(bench.pipeline.incidents(), []);
    bench.sink.take();
    ticks(&bench, 2, 1);
    assert_eq!(detected(&bench.sink.events()), []);
    assert_eq!(bench.pipeline.incidents(), [], "nothing is wrong");
}

#[test]
fn six_fields_that_fall_in_one_bucket_are_one_page() {
    let fields = numbered(6);
    let bench = Bench::new(of_fields(&fields));
    answers(&bench, &fields[..1], 0.60, 30);
    bench.clock.advance(minutes(2));
    answers(&bench, &fields[1..], 0.60, 30);
    ticks(&bench, 3, 1);
    let pages = detected(&bench.sink.pages());
    assert_eq!(pages.len(), 1, "{pages:?}");
}

#[test]
fn twelve_hundred_fields_that_fall_at_once_are_one_page() {
    let fields = numbered(1_200);
    let bench = Bench::new(of_fields(&fields).min_documents(2));
    answers(&bench, &fields, 0.60, 2);
    ticks(&bench, 5, 12 * 7);
    let pages = bench.sink.pages();
    let things = bench.pipeline.incidents()[0].things;
    let names: Vec<_> = pages
        .iter()
        .map(|page| (page.at, page.kind.to_string()))
        .collect();
    assert_eq!((pages.len(), things), (1, 1_000), "{names:?}");
}

#[test]
fn every_field_that_fell_is_named_to_the_operator() {
    let fields = numbered(40);
    let bench = Bench::new(of_fields(&fields));
    answers(&bench, &fields, 0.60, 30);
    ticks(&bench, 5, 3);
    let named = format!("{:?}{:?}", bench.sink.events(), bench.pipeline.incidents());
    let unnamed: Vec<_> = fields
        .iter()
        .filter(|field| !named.contains(*field))
        .collect();
    assert_eq!(unnamed.len(), 0, "each must be resolved by its name");
}

#[test]
fn an_acknowledgement_ends_with_the_drift_that_it_was_for() {
    let bench = Bench::new(with_baseline(0.90).restore_when_recovered());
    bench.totals(0.84, 30);
    acknowledge(&bench, 24 * 3);
    for _ in 0..12 * 14 {
        bench.totals(0.90, 2);
        ticks(&bench, 5, 1);
    }
    assert_eq!(bench.threshold(), Confidence::percent(80), "it is over");
    let status = bench.drift.status("invoice", "total");
    let begin = bench.sink.pages().len();
    bench.totals(0.70, 300);
    let after = bench.drift.status("invoice", "total").state;
    assert_eq!(
        (status.acknowledged_until, after),
        (None, DriftState::Raised),
        "nobody knows of the next one; pages for it: {}",
        bench.sink.pages().len() - begin
    );
}

#[test]
fn an_acknowledgement_ends_with_its_version() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 30);
    acknowledge(&bench, 24);
    deploy(&bench, "v8");
    ticks(&bench, 5, 12 * 23);
    bench.totals(0.84, 30);
    bench.sink.take();
    ticks(&bench, 5, 24);
    let expired = told(&bench).contains(&"acknowledgement_expired");
    assert!(!expired, "nobody acknowledged the drift of v8");
}

#[test]
fn a_page_does_not_say_that_a_field_drifts_which_has_recovered() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 30);
    acknowledge(&bench, 12);
    for _ in 0..12 * 13 {
        bench.totals(0.90, 2);
        ticks(&bench, 5, 1);
    }
    assert_eq!(bench.state(), DriftState::Recovering);
    let pages = bench.sink.pages();
    let last = pages.last().unwrap().kind.to_string();
    assert!(!last.contains("still drifts"), "{last}");
}

#[test]
fn a_page_names_the_version_whose_field_fell() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 30);
    let page = bench.sink.pages().remove(0);
    let written = serde_json::to_string(&page).unwrap();
    assert!(written.contains("v7"), "production or candidate? {written}");
}

/// v7 has recovered and v8 has not.
#[test]
fn a_recovery_does_not_say_that_a_threshold_is_normal_which_is_raised() {
    let bench = Bench::new(with_baseline(0.90).restore_when_recovered());
    bench.totals(0.84, 30);
    let both = LineUp::new(version("v8")).with_previous(version("v7"));
    bench.pipeline.deploy(both).unwrap();
    bench.totals(0.84, 30);
    let back = LineUp::new(version("v7")).with_previous(version("v8"));
    bench.pipeline.deploy(back).unwrap();
    for _ in 0..12 * 9 {
        bench.totals(0.90, 2);
        ticks(&bench, 5, 1);
    }
    let events = bench.sink.events();
    let recovered = events.iter().find_map(|event| match &event.kind {
        EventKind::Drift(kind @ DriftEvent::DriftRecovered { threshold, .. }) => {
            Some((*threshold, kind.to_string()))
        }
        _ => None,
    });
    let (threshold, line) = recovered.unwrap();
    assert_eq!(threshold, Confidence::percent(80));
    assert!(line.contains("by v7"), "and v8 is still raised: {line}");
    assert_eq!(bench.threshold(), Confidence::percent(85));
}

// Capacity.

/// The second field is beyond `max_keys`.
#[test]
fn a_capacity_holds_for_fields_that_share_an_entry() {
    let bench = Bench::new(
        plain()
            .max_keys(1)
            .baseline_documents(30)
            .review_capacity(Ratio::percent(50)),
    );
    let fields = |score: f64| [("total", 0.95), ("vendor", score)];
    for _ in 0..30 {
        answer(&bench, "document", &fields(0.95));
    }
    for _ in 0..100 {
        answer(&bench, "document", &fields(0.82));
    }
    assert_eq!(bench.drift.state("invoice", "vendor"), DriftState::Raised);
    let reviewed = (0..60).filter(|_| {
        let call = Call::new("document", "invoice").unwrap();
        let report = Report::new()
            .confidence("total", 0.95)
            .confidence("vendor", 0.82);
        !is_accepted(&bench.pipeline.admit(&call).permit().unwrap().answer(report))
    });
    assert_eq!(reviewed.count(), 30, "half of them");
}

/// A thirtieth of thirty documents is one; less is none.
#[test]
fn a_capacity_of_no_document_is_refused() {
    let bench = with_baseline(0.90)
        .review_capacity(Ratio::percent(3))
        .build();
    assert!(bench.is_err(), "a drift would send nothing to review");
}

// Seasons.

/// A Sunday with a baseline of its own; it falls ten minutes before midnight.
fn fallen_sunday(builder: ConfidenceDriftMonitorBuilder) -> Bench {
    let bench = Bench::new(builder.season(Season::weekday()));
    for n in 0..100 {
        let ticket = answer(&bench, &format!("early-{n}"), &[("total", 0.90)]);
        bench.pipeline.observe(&ticket, Feedback::Reviewed);
    }
    bench.clock.advance(minutes(710));
    bench.totals(0.81, 60);
    assert_eq!(bench.state(), DriftState::Raised);
    let of_slot = bench.drift.status("invoice", "total").compared_with;
    assert_eq!(of_slot.unwrap().to_string(), "Sunday");
    bench.clock.advance(minutes(1));
    bench.pipeline.tick();
    bench
}

#[test]
fn corrections_confirm_the_drift_of_a_slot() {
    let bench = fallen_sunday(with_baseline(0.90));
    for n in 0..100 {
        let ticket = answer(&bench, &format!("late-{n}"), &[("total", 0.81)]);
        correct(&bench, &ticket, "total");
    }
    bench.pipeline.tick();
    let events = bench.sink.events();
    let confirmed = events.iter().filter_map(|event| match event.kind {
        EventKind::Drift(DriftEvent::DriftReviewed { confirmed, .. }) => Some(confirmed),
        _ => None,
    });
    let confirmed: Vec<_> = confirmed.collect();
    assert_eq!(confirmed, [true], "all of them were corrected");
}

/// 2,880 documents on Monday, which have nothing wrong.
#[test]
fn a_slot_that_is_over_is_not_called_without_documents() {
    let bench = fallen_sunday(with_baseline(0.90));
    for _ in 0..24 * 12 {
        bench.totals(0.90, 10);
        ticks(&bench, 5, 1);
    }
    assert!(
        !told(&bench).contains(&"raised_without_data"),
        "{:?}",
        bench
            .sink
            .events()
            .last()
            .map(|event| event.kind.to_string())
    );
}

#[test]
fn what_fell_in_a_slot_recovers_outside_it() {
    let bench = fallen_sunday(with_baseline(0.90).restore_when_recovered());
    for _ in 0..6 * 24 * 12 {
        bench.totals(0.90, 10);
        ticks(&bench, 5, 1);
    }
    assert_eq!(
        bench.threshold(),
        Confidence::percent(80),
        "17,280 good documents from Monday to Saturday"
    );
}

#[test]
fn a_custom_season_has_a_bounded_number_of_slots() {
    let size = |slots: u64| {
        let by_minute =
            Season::custom(|at| u16::try_from(at.as_millis() / 60_000 % 60_000).unwrap());
        let bench = Bench::new(with_baseline(0.90).season(by_minute));
        for _ in 0..slots {
            bench.totals(0.90, 1);
            ticks(&bench, 1, 1);
        }
        serde_json::to_string(&bench.pipeline.snapshot().unwrap())
            .unwrap()
            .len()
    };
    let (few, many) = (size(200), size(2_000));
    assert!(many < 2 * few, "{few} bytes of 200 slots, {many} of 2,000");
}

// Corrections.

/// The first field has drifted for a day when the second falls.
#[test]
fn reviews_from_before_a_field_fell_say_nothing_of_its_drift() {
    let fields = ["date".to_owned(), "total".to_owned()];
    let bench = Bench::new(of_fields(&fields));
    let review = |name: &str, date: f64, documents: u64| {
        for n in 0..documents {
            let fields = [("date", date), ("total", 0.90)];
            let ticket = answer(&bench, &format!("{name}-{n}"), &fields);
            bench.pipeline.observe(&ticket, Feedback::Reviewed);
        }
    };
    review("early", 0.90, 100);
    bench.clock.advance(5 * HOUR);
    review("first", 0.60, 30);
    bench.clock.advance(minutes(1));
    review("since", 0.60, 100);
    bench.clock.advance(5 * HOUR);
    bench.pipeline.tick();
    bench.sink.take();
    answers(&bench, &fields[1..], 0.60, 30);
    assert_eq!(bench.drift.state("invoice", "total"), DriftState::Raised);
    bench.clock.advance(minutes(1));
    bench.pipeline.tick();
    let of_total = |event: &Event| {
        event
            .kind
            .to_string()
            .starts_with("reviewers corrected total")
    };
    let said = bench.sink.events();
    let said: Vec<_> = said.iter().filter(|event| of_total(event)).collect();
    assert_eq!(
        said.len(),
        0,
        "{:?}",
        said.first().map(|event| event.kind.to_string())
    );
}

/// Wilson's intervals by hand: 0 of 30 has at most 11.4 %; 15 of 100 has at least 9.3 %. They meet,
/// so nobody can tell; but 15 % are not as good as none.
#[test]
fn fifteen_of_a_hundred_are_not_as_good_as_none_of_thirty() {
    let bench = Bench::new(with_baseline(0.90));
    for n in 0..30 {
        let ticket = answer(&bench, &format!("early-{n}"), &[("total", 0.90)]);
        bench.pipeline.observe(&ticket, Feedback::Reviewed);
    }
    bench.clock.advance(5 * HOUR);
    bench.totals(0.84, 30);
    bench.clock.advance(minutes(1));
    bench.pipeline.tick();
    for n in 0..100 {
        let ticket = answer(&bench, &format!("late-{n}"), &[("total", 0.84)]);
        bench.pipeline.observe(&ticket, Feedback::Reviewed);
        if n < 15 {
            correct(&bench, &ticket, "total");
        }
    }
    bench.pipeline.tick();
    let found = bench.drift.status("invoice", "total").corrections;
    assert_eq!(found.confirm(), None, "{found:?}");
    assert!(!told(&bench).contains(&"drift_reviewed"));
}

#[test]
fn a_correction_can_be_taken_back_after_a_thousand_others() {
    let bench = Bench::new(with_baseline(0.90));
    let first = answer(&bench, "first", &[("total", 0.90)]);
    correct(&bench, &first, "total");
    for n in 0..1_000 {
        let ticket = answer(&bench, &format!("inv-{n}"), &[("total", 0.90)]);
        bench.pipeline.observe(&ticket, Feedback::Reviewed);
    }
    let total = Field::new("total").unwrap();
    bench.pipeline.observe(&first, Feedback::retracted(total));
    let found = bench.drift.status("invoice", "total").corrections;
    assert_eq!(found.corrected_before, 0);
}

#[test]
fn a_field_that_was_corrected_twice_stays_corrected_when_one_is_taken_back() {
    let bench = Bench::new(with_baseline(0.90));
    let ticket = answer(&bench, "first", &[("total", 0.90)]);
    let with_id = |id: &str| {
        let id = fusebox::name::CorrectionId::new(id).unwrap();
        Correction::new(Field::new("total").unwrap()).with_id(id)
    };
    for id in ["a", "b"] {
        let correction = Feedback::Corrected(with_id(id));
        bench.pipeline.observe(&ticket, correction);
    }
    bench
        .pipeline
        .observe(&ticket, Feedback::Retracted(with_id("a")));
    let found = bench.drift.status("invoice", "total").corrections;
    assert_eq!(found.corrected_before, 1);
}

// New baselines, and the way back.

#[test]
fn a_version_that_came_after_a_new_baseline_has_the_given_one_again_when_it_is_taken_back() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 30);
    rebaseline(&bench.drift, "invoice", "total").unwrap();
    let both = LineUp::new(version("v8")).with_previous(version("v7"));
    bench.pipeline.deploy(both).unwrap();
    bench.totals(0.60, 100);
    undo(&bench).unwrap();
    let means = bench.drift.means("invoice", "total");
    assert_eq!(means.baseline, Some(confidence(0.90)), "that of v8");
}

#[test]
fn a_slot_that_came_after_a_new_baseline_is_measured_anew_when_it_is_taken_back() {
    let bench = Bench::new(with_baseline(0.90).season(Season::weekday()));
    bench.totals(0.90, 100);
    rebaseline(&bench.drift, "invoice", "total").unwrap();
    // A Monday, on which all is wrong.
    bench.clock.advance(12 * HOUR);
    bench.totals(0.60, 100);
    undo(&bench).unwrap();
    bench.clock.advance(5 * HOUR);
    bench.totals(0.60, 60);
    assert_eq!(
        bench.state(),
        DriftState::Raised,
        "0.60 is not the normal of Mondays"
    );
}

#[test]
fn the_last_of_two_new_baselines_is_taken_back_and_not_the_first() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.90, 30);
    rebaseline(&bench.drift, "invoice", "total").unwrap();
    bench.totals(0.70, 100);
    rebaseline(&bench.drift, "invoice", "total").unwrap();
    undo(&bench).unwrap();
    let means = bench.drift.means("invoice", "total");
    assert_eq!(means.baseline, Some(confidence(0.70)));
    bench.pipeline.deploy(LineUp::new(version("v8"))).unwrap();
    bench.pipeline.tick();
    bench.totals(0.70, 60);
    assert_eq!(
        bench.state(),
        DriftState::Warming,
        "the given baseline was replaced, and that was never taken back"
    );
}

#[test]
fn a_baseline_that_was_configured_since_is_not_taken_back() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.90, 30);
    rebaseline(&bench.drift, "invoice", "total").unwrap();
    let later = bench.restarted(with_baseline(0.70));
    later.totals(0.70, 1);
    assert!(undo(&later).is_err());
    let means = later.drift.means("invoice", "total");
    assert_eq!(means.baseline, Some(confidence(0.70)));
}

// Generations and revisions.

/// An audit asks with which threshold a document was accepted or reviewed.
#[test]
fn each_generation_on_a_ticket_is_that_of_an_event() {
    let fields = numbered(3);
    let bench = Bench::new(of_fields(&fields));
    let mut on_tickets = std::collections::BTreeSet::new();
    for field in &fields {
        for _ in 0..40 {
            let ticket = answer(&bench, "document", &[(field.as_str(), 0.60)]);
            on_tickets.extend(ticket.thresholds());
        }
    }
    ticks(&bench, 5, 2);
    let events = detected(&bench.sink.events());
    let told = events.iter().map(|(.., generation)| *generation);
    let told: std::collections::BTreeSet<_> = told.chain([0]).collect();
    let untold: Vec<_> = on_tickets.difference(&told).collect();
    assert!(untold.is_empty(), "{untold:?} in no event: {events:?}");
}

#[test]
fn a_generation_has_one_threshold_though_its_version_has_gone_and_come_back() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 30);
    let before = bench.total(0.84);
    deploy(&bench, "v8");
    deploy(&bench, "v7");
    let after = bench.total(0.84);
    assert_eq!((is_accepted(&before), is_accepted(&after)), (false, true));
    assert_ne!(before.ticket().thresholds(), after.ticket().thresholds());
}

#[test]
fn a_generation_has_one_threshold_over_a_restart() {
    let bench = Bench::new(with_baseline(0.90));
    let before = bench.total(0.84);
    let later = bench.restarted(with_baseline(0.90).threshold(Confidence::percent(90)));
    let after = later.total(0.84);
    assert_eq!((is_accepted(&before), is_accepted(&after)), (true, false));
    assert_ne!(before.ticket().thresholds(), after.ticket().thresholds());
}

#[test]
fn a_threshold_that_rises_further_changes_the_revision() {
    let (invoice, total) = names();
    let scores = [0.98, 0.94].into_iter().cycle().take(500).map(confidence);
    let builder = plain()
        .baseline_confidences(invoice, total, scores)
        .hold_expected_error(Ratio::percent(200));
    let bench = Bench::new(builder);
    bench.totals(0.86, 60);
    let before = bench.drift.status("invoice", "total");
    assert_eq!(before.threshold, Confidence::percent(85));
    ticks(&bench, 5, 1);
    let after = bench.drift.status("invoice", "total");
    assert!(after.threshold > before.threshold);
    assert_ne!(
        before.revision, after.revision,
        "it is not what the operator saw"
    );
}

/// The second of two versions falls while the first is raised.
#[test]
fn a_page_names_each_field_once() {
    let bench = Bench::new(with_baseline(0.90));
    bench.totals(0.84, 30);
    let both = LineUp::new(version("v8")).with_previous(version("v7"));
    bench.pipeline.deploy(both).unwrap();
    bench.totals(0.80, 30);
    ticks(&bench, 5, 1);
    for (worst, also, _) in detected(&bench.sink.events()) {
        assert!(!also.contains(&worst), "{worst} and also {also:?}");
    }
    let events = bench.sink.events();
    let pages = events.iter().filter(|event| is_detected(event));
    assert_eq!(
        pages
            .filter(|event| event.severity == Severity::Page)
            .count(),
        1
    );
}

/// Ten hours of work a day, with twice as many to review as the capacity.
#[test]
fn an_acknowledged_drift_pages_nobody_each_morning_for_its_capacity() {
    let bench = Bench::new(with_baseline(0.90).review_capacity(Ratio::percent(50)));
    bench.totals(0.84, 30);
    ticks(&bench, 2, 1);
    acknowledge(&bench, 24 * 10);
    let mut by_day = Vec::new();
    for _ in 0..4 {
        for _ in 0..10 * 12 {
            bench.totals(0.838, 1);
            bench.totals(0.842, 1);
            ticks(&bench, 5, 1);
        }
        ticks(&bench, 5, 14 * 12);
        by_day.push(
            bench
                .sink
                .take()
                .iter()
                .filter(|event| event.severity == Severity::Page)
                .count(),
        );
    }
    assert_eq!(by_day[1..], [0, 0, 0], "pages of each day: {by_day:?}");
}
