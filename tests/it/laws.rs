//! Laws: the strictest word wins whatever the order, and a permit ends exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fusebox::call::Signal;
use fusebox::guard::{Acceptance, Cx, Route, Verdict};
use fusebox::name::QueueName;
use fusebox::tokens::Model;
use fusebox::{
    Admission, Call, Destination, FailureKind, Guard, Reason, Report, RouteLedger, Ticket, Version,
};
use proptest::prelude::*;

use crate::support::{Bench, line_up, version};

fn routes() -> impl Strategy<Value = Route> {
    prop::sample::select(vec![
        Route::Abstain,
        Route::Candidate,
        Route::Stable,
        Route::Previous,
        Route::HumanReview,
    ])
}

fn reasons() -> impl Strategy<Value = Reason> {
    prop_oneof![
        Just(Reason::Unmeasured),
        Just(Reason::NoVersionLeft),
        "[a-c]".prop_map(Reason::Other),
        "[a-c]".prop_map(|guard| Reason::GuardFailed { guard }),
    ]
}

fn destinations() -> impl Strategy<Value = Destination> {
    prop_oneof![
        Just(Destination::HumanReview),
        "[a-c]".prop_map(|name| Destination::Queue(QueueName::new(name).unwrap())),
    ]
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    let one = prop_oneof![
        Just(Verdict::Proceed),
        ("[a-c]", 1_u64..4).prop_map(|(name, window)| Verdict::UseModel(Box::new(
            Model::new(name, window).unwrap()
        ))),
        (destinations(), reasons())
            .prop_map(|(destination, reason)| Verdict::divert(destination, reason)),
    ];
    prop::collection::vec(one, 1..4)
        .prop_map(|all| all.into_iter().fold(Verdict::Proceed, Verdict::stricter))
}

fn acceptances() -> impl Strategy<Value = Acceptance> {
    prop::collection::vec(reasons(), 0..3).prop_map(|all| {
        all.into_iter()
            .map(Acceptance::review)
            .fold(Acceptance::Accept, Acceptance::stricter)
    })
}

proptest! {
    #[test]
    fn routes_form_a_lattice(a in routes(), b in routes(), c in routes()) {
        prop_assert_eq!(a.stricter(b), b.stricter(a));
        prop_assert_eq!(a.stricter(b).stricter(c), a.stricter(b.stricter(c)));
        prop_assert_eq!(a.stricter(a), a);
        prop_assert_eq!(a.stricter(Route::default()), a);
        prop_assert!(a.stricter(b) >= a, "another vote never relaxes");
    }

    #[test]
    fn verdicts_form_a_lattice(a in verdicts(), b in verdicts(), c in verdicts()) {
        let join = |x: &Verdict, y: &Verdict| x.clone().stricter(y.clone());
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a.clone());
        prop_assert_eq!(join(&a, &Verdict::default()), a.clone());
        prop_assert_eq!(join(&join(&a, &b), &a), join(&a, &b), "another word never relaxes");
    }

    #[test]
    fn acceptances_form_a_lattice(a in acceptances(), b in acceptances(), c in acceptances()) {
        let join = |x: &Acceptance, y: &Acceptance| x.clone().stricter(y.clone());
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a.clone());
        prop_assert_eq!(join(&a, &Acceptance::default()), a.clone());
    }

    #[test]
    fn the_order_of_guards_does_not_matter_and_one_more_never_relaxes(
        words in prop::collection::vec((routes(), verdicts()), 1..5),
        seed in any::<u64>(),
    ) {
        let mut shuffled = words.clone();
        let len = shuffled.len();
        for at in 1..len {
            shuffled.swap(at, usize::try_from(seed >> at).unwrap_or(0) % (at + 1));
        }
        let all = decide(&words);
        prop_assert_eq!(&decide(&shuffled), &all);
        let fewer = decide(&words[1..]);
        prop_assert!(fewer.is_at_most(&all), "{:?} without the first guard, {:?} with it", fewer, all);
    }

    #[test]
    fn a_permit_settles_exactly_once(ends in prop::collection::vec(0_u8..6, 1..30)) {
        let counter = Arc::new(Counter::default());
        let ledger = Arc::new(RouteLedger::default());
        let bench = Bench::with(line_up(), |builder| builder.guard(Arc::clone(&counter)).guard(Arc::clone(&ledger)));
        let mut held = Vec::new();
        for (n, end) in ends.iter().enumerate() {
            let permit = bench.permit("invoice");
            match end {
                0 => { let _ = permit.answer(Report::new()); }
                1 => { let _ = permit.answer(Report::new().failed(FailureKind::Refusal)); }
                2 => { permit.fail(FailureKind::Timeout); }
                3 => { permit.release(); }
                4 => drop(permit),
                _ => held.push(permit),
            }
            prop_assert_eq!(counter.settled.load(Ordering::Relaxed) + held.len(), n + 1);
        }
        prop_assert_eq!(ledger.report().open(), held.len() as u64);
        while let Some(permit) = held.pop() {
            permit.fail(FailureKind::Unknown);
        }
        prop_assert_eq!(counter.settled.load(Ordering::Relaxed), ends.len());
        prop_assert_eq!(counter.opened.load(Ordering::Relaxed), ends.len());
        prop_assert_eq!(ledger.report().total().total(), ends.len() as u64);
    }
}

#[test]
fn permits_settle_exactly_once_on_many_threads() {
    let counter = Arc::new(Counter::default());
    let bench = Bench::with_guard(Arc::clone(&counter));
    let pipeline = &bench.pipeline;
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for n in 0..250 {
                    let call = Call::new(format!("{thread}-{n}"), "invoice").unwrap();
                    let permit = pipeline.admit(&call).permit().unwrap();
                    match n % 4 {
                        0 => drop(permit.answer(Report::new())),
                        1 => drop(permit.fail(FailureKind::ServerError)),
                        2 => drop(permit.release()),
                        _ => drop(permit),
                    }
                }
            });
        }
    });
    assert_eq!(counter.opened.load(Ordering::Relaxed), 2_000);
    assert_eq!(counter.settled.load(Ordering::Relaxed), 2_000);
}

/// What a pipeline of guards that say these words does.
fn decide(words: &[(Route, Verdict)]) -> Decided {
    let bench = Bench::with(line_up().with_candidate(version("v8")), |builder| {
        let builder = builder.guard(RouteLedger::default());
        words
            .iter()
            .enumerate()
            .fold(builder, |builder, (n, (route, verdict))| {
                builder.guard(Says {
                    name: format!("guard-{n}"),
                    route: *route,
                    verdict: verdict.clone(),
                })
            })
    });
    let asked = words
        .iter()
        .map(|(route, _)| *route)
        .fold(Route::Abstain, Route::stricter);
    match bench.admit("invoice") {
        Admission::Admitted(permit) => {
            let ticket = permit.release();
            Decided::Serve(
                asked,
                ticket.version().to_string(),
                ticket.model().to_string(),
            )
        }
        Admission::Diverted(diversion) => {
            Decided::Divert(diversion.destination().clone(), diversion.reasons().clone())
        }
    }
}

#[derive(Debug, PartialEq)]
enum Decided {
    Serve(Route, String, String),
    Divert(Destination, std::collections::BTreeSet<Reason>),
}

impl Decided {
    fn is_at_most(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Serve(one, ..), Self::Serve(other, ..)) => one <= other,
            (Self::Serve(..), Self::Divert(..)) => true,
            (Self::Divert(..), Self::Serve(..)) => false,
            (Self::Divert(one, few), Self::Divert(other, more)) => {
                one <= other && few.is_subset(more)
            }
        }
    }
}

#[derive(Debug)]
struct Says {
    name: String,
    route: Route,
    verdict: Verdict,
}

impl Guard for Says {
    fn name(&self) -> &str {
        &self.name
    }

    fn route(&self, _: &Call<'_>, _: &Cx<'_>) -> Route {
        self.route
    }

    fn check(&self, _: &Call<'_>, _: &Version, _: &Cx<'_>) -> Verdict {
        self.verdict.clone()
    }
}

#[derive(Debug, Default)]
struct Counter {
    opened: AtomicUsize,
    settled: AtomicUsize,
}

impl Guard for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn review(&self, _: &Ticket, report: &Report, _: &Cx<'_>) -> Acceptance {
        assert!(
            report.failure().is_none(),
            "a failed answer is nobody's to judge"
        );
        Acceptance::Accept
    }

    fn observe(&self, _: &Ticket, signal: &Signal, _: &Cx<'_>) {
        match signal {
            Signal::Opened => self.opened.fetch_add(1, Ordering::Relaxed),
            Signal::Settled { .. } => self.settled.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}
