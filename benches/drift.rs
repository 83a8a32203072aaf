//! What a drift monitor does for a document with ten fields.
//!
//! Ids are `drift/observe/<segments>`, of one document type or of 1,000 in turn, with at least 300
//! documents of a type in a bucket, so that nearly all come in the middle of one;
//! `drift/observe-thin/<segments>`, with 112 documents of a type in 4 hours;
//! `drift/review/<segments>`; `drift/look-up/<segments>`, a review of one field among so many, of as
//! many types in turn; and `drift/close/<scores>`, the first document of a bucket, which
//! compares the distributions of all ten fields, with so many different scores.
//! `drift/document/<who>` is `drift/observe/10`, and river's ADWIN (`benches/peers/adwin.py`) where
//! `pip install river` was done; `FUSEBOX_PYTHON` is the Python that has it, `python3` if not set.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures real time and may fail to start"
)]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use fusebox::call::{Outcome, Signal};
use fusebox::event::Outbox;
use fusebox::guard::Cx;
use fusebox::{Call, ConfidenceDriftMonitor, Guard, LineUp, Report, Ticket, Timestamp, Version};

const FIELDS: u64 = 10;
/// The milliseconds between two documents of a type: 1,000 a minute ..
const BUSY: u64 = 60;
/// .. and 112 in 4 hours.
const THIN: u64 = 14_400_000 / 112;
const BUCKET: u64 = 5 * 60_000;
/// Enough for the baseline of each field.
const BASELINE: u64 = 120;
/// The confidences that a language model gives, in thousandths.
const SCORES: [u64; 8] = [950, 900, 990, 850, 980, 920, 1_000, 800];

/// A monitor with documents of some types in turn.
struct Documents {
    guard: ConfidenceDriftMonitor,
    line_up: LineUp,
    outbox: Outbox,
    tickets: Vec<Ticket>,
    answers: Vec<Signal>,
    at: u64,
    next: u64,
}

impl Documents {
    /// After a baseline was measured for each type, on different answers in turn.
    fn new(types: u64, fields: u64, different: u64, scores: impl Fn(u64) -> u64) -> Self {
        let line_up = LineUp::new(Version::new("v7", "gpt-4o").expect("names"));
        let ticket = |n| {
            let call = Call::new("inv-1", format!("type-{n}")).expect("names");
            Ticket::new(&call, line_up.stable())
        };
        let answer = |nth| {
            let field = |report: Report, n| {
                let score = f64::from(u32::try_from(scores(nth + n)).expect("thousandths"));
                report.confidence(format!("field-{n}"), score / 1_000.0)
            };
            Signal::Settled {
                outcome: Outcome::Accepted,
                report: (0..fields).fold(Report::new(), field),
            }
        };
        let mut documents = Self {
            guard: ConfidenceDriftMonitor::default(),
            outbox: Outbox::new(),
            tickets: (0..types).map(ticket).collect(),
            answers: (0..different).map(answer).collect(),
            line_up,
            at: 0,
            next: 0,
        };
        documents.several(BASELINE * types, (BUSY / types).max(1));
        documents
    }

    fn several(&mut self, count: u64, gap: u64) {
        (0..count).for_each(|_| self.one(gap, false));
    }

    /// The next document, which is asked to be reviewed or observed.
    fn one(&mut self, gap: u64, is_reviewed: bool) {
        let Self {
            line_up, outbox, ..
        } = &*self;
        let cx = Cx::new(Timestamp::from_millis(self.at), line_up, outbox, "drift");
        let next = usize::try_from(self.next).expect("a count");
        let ticket = self.tickets.get(next % self.tickets.len());
        let answer = next / self.tickets.len() % self.answers.len();
        let answer = self.answers.get(answer);
        if let (Some(ticket), Some(answer)) = (black_box(ticket), black_box(answer)) {
            match answer {
                Signal::Settled { report, .. } if is_reviewed => {
                    let _ = black_box(self.guard.review(ticket, report, &cx));
                }
                _ => self.guard.observe(ticket, answer, &cx),
            }
        }
        self.at += gap;
        self.next += 1;
    }

    /// The time of the first document of a bucket, after some in the bucket before.
    fn close(&mut self) -> Duration {
        self.several(20, BUSY);
        self.at = self.at.next_multiple_of(BUCKET);
        let begin = Instant::now();
        self.one(BUSY, false);
        begin.elapsed()
    }
}

fn of_a_model(nth: u64) -> u64 {
    let place = usize::try_from(nth % 8).expect("below 8");
    SCORES.get(place).copied().unwrap_or(0)
}

fn drift(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("drift");
    for types in [1, 1_000] {
        let segments = types * FIELDS;
        for (name, gap, is_reviewed) in [
            ("observe", BUSY, false),
            ("observe-thin", THIN, false),
            ("review", BUSY, true),
        ] {
            let mut documents = Documents::new(types, FIELDS, 8, of_a_model);
            group.bench_function(format!("{name}/{segments}"), |bencher| {
                bencher.iter(|| documents.one((gap / types).max(1), is_reviewed));
            });
        }
    }
    for types in [1, 10_000] {
        let mut documents = Documents::new(types, 1, 8, of_a_model);
        group.bench_function(format!("look-up/{types}"), |bencher| {
            bencher.iter(|| documents.one((BUSY / types).max(1), true));
        });
    }
    for scores in [8, 199] {
        let among = |nth| {
            if scores == 8 {
                of_a_model(nth)
            } else {
                800 + nth * 37 % scores
            }
        };
        let mut documents = Documents::new(1, FIELDS, scores, among);
        group.bench_function(format!("close/{scores}"), |bencher| {
            bencher.iter_custom(|closes| (0..closes).map(|_| documents.close()).sum());
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("drift/document");
    let mut documents = Documents::new(1, FIELDS, 8, of_a_model);
    group.bench_function("fusebox", |bencher| {
        bencher.iter(|| documents.one(BUSY, false));
    });
    match River::start() {
        Some(mut river) => {
            group.bench_function("river-adwin", |bencher| {
                bencher.iter_custom(|count| river.observe(count).expect("an answer"));
            });
        }
        None => eprintln!("drift/document/river-adwin: skipped, no Python with river"),
    }
    group.finish();
}

/// river's ADWIN in a Python of its own.
struct River {
    python: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl River {
    /// `None` if there is no Python with river.
    fn start() -> Option<Self> {
        let python = std::env::var_os("FUSEBOX_PYTHON").unwrap_or_else(|| "python3".into());
        let mut python = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/benches/peers/adwin.py"
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (to, from) = (python.stdin.take()?, python.stdout.take()?);
        let mut river = Self {
            python,
            to,
            from: BufReader::new(from),
        };
        (river.read()? == "ready").then_some(river)
    }

    fn observe(&mut self, documents: u64) -> Option<Duration> {
        writeln!(self.to, "{documents}").ok()?;
        self.read()?.parse().ok().map(Duration::from_nanos)
    }

    fn read(&mut self) -> Option<String> {
        let mut line = String::new();
        self.from.read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }
}

impl Drop for River {
    fn drop(&mut self) {
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = drift
}
criterion_main!(benches);
