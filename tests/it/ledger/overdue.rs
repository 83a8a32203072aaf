//! Calls that stay open: what is told again, what is not, and how a person writes one off.

use std::mem;

use fusebox::Report;

use super::{ledger, ticks};
use crate::support::{Bench, answered, minutes};

/// The pages about overdue calls since the last look.
fn pages(bench: &Bench) -> usize {
    let pages = bench.pages().into_iter();
    pages.filter(|kind| kind.name() == "overdue").count()
}

#[test]
fn a_leaked_permit_does_not_silence_a_thousand_hanging_calls() {
    let bench = Bench::with_guard(ledger());
    mem::forget(bench.permit("invoice"));
    bench.tick_after(minutes(11));
    assert_eq!(pages(&bench), 1);
    bench.tick_after(minutes(60));
    let hanging: Vec<_> = (0..1_000).map(|_| bench.permit("invoice")).collect();
    bench.tick_after(minutes(11));
    assert_eq!(pages(&bench), 1);
    drop(hanging);
}

/// Three pages tell that calls are slow now and then; a thousand that hang are something else.
#[test]
fn what_comes_and_goes_does_not_silence_them_either() {
    let bench = Bench::with_guard(ledger());
    mem::forget(bench.permit("invoice"));
    for n in 0..20 {
        let slow: Vec<_> = (0..=n % 5).map(|_| bench.permit("invoice")).collect();
        bench.tick_after(minutes(11));
        for permit in slow {
            answered(permit, Report::new());
        }
        bench.tick_after(minutes(50));
    }
    pages(&bench);
    let hanging: Vec<_> = (0..1_000).map(|_| bench.permit("invoice")).collect();
    bench.tick_after(minutes(11));
    assert_eq!(pages(&bench), 1);
    drop(hanging);
}

#[test]
fn a_slow_call_each_half_hour_is_at_most_three_pages_a_day() {
    let bench = Bench::with_guard(ledger());
    let mut told = 0;
    for _ in 0..48 {
        let permit = bench.permit("invoice");
        ticks(&bench, 11);
        answered(permit, Report::new());
        ticks(&bench, 19);
        told += pages(&bench);
    }
    assert!((1..=3).contains(&told), "{told}");
}

/// Neither a call that began later nor one that has ended holds it up.
#[test]
fn a_call_is_overdue_on_time_whichever_began_and_ended_around_it() {
    let bench = Bench::with_guard(ledger());
    let first = bench.permit("invoice");
    bench.tick_after(minutes(4));
    let second = bench.permit("invoice");
    bench.tick_after(minutes(4));
    let third = bench.permit("invoice");
    answered(first, Report::new());
    bench.tick_after(minutes(6));
    assert_eq!(pages(&bench), 0, "the second is open for 10 minutes");
    bench.tick_after(minutes(1));
    assert_eq!(pages(&bench), 1);
    drop((second, third));
}
