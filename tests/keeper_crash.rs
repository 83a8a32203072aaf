//! A service with a keeper is killed with -9, again and again: what was confirmed is there, what is out
//! of service has its incident, and the pager has what is open, once.
//!
//! `FUSEBOX_ROUNDS` says how often (20 by default), `FUSEBOX_SEED` when: the same seed kills after the
//! same numbers of confirmed requests.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod crash;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::pending;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use async_trait::async_trait;
use fusebox::breaker::BreakerState;
use fusebox::keeper::Keeper;
use fusebox::name::PipelineName;
use fusebox::pager::{
    Action, Form, NoAnswer, Notification, Pager, PagerRoute, Post, PostAnswer, PostRequest, Secret,
};
use fusebox::store::{Fact, Position, SqliteStore, Store};
use fusebox::{
    Call, ErrorRateBreaker, FailureKind, Feedback, Field, LineUp, Pipeline, Report, TicketBook,
    Timestamp, Version,
};
use futures_util::future::join_all;

use crash::{assert_whole, killed_after, random, rounds_and_seed};

/// The round, for the process that is started.
const ROUND: &str = "FUSEBOX_KEEPER_ROUND";
const FILE: &str = "FUSEBOX_KEEPER_FILE";
const PAGER: &str = "FUSEBOX_KEEPER_PAGER";
/// The most lines that are read before a process is killed.
const MOST_LINES: u64 = 400;
/// How many are corrected at the same time: they are written with one beat of the keeper.
const AT_ONCE: u64 = 20;

fn main() {
    let given = |name: &str| std::env::var(name).ok();
    match (given(ROUND), given(FILE), given(PAGER)) {
        (Some(round), Some(file), Some(pager)) => {
            let post = ByTcp(pager.parse().unwrap());
            run(serve(&PathBuf::from(file), post, &round));
        }
        _ => crashes(),
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap().block_on(work)
}

/// A pager that writes the notification as it is.
#[derive(Debug)]
struct Plain;

impl Pager for Plain {
    fn request(&self, told: &Notification, _form: Form, _now: Timestamp) -> Option<PostRequest> {
        let body = serde_json::to_value(told).unwrap();
        Some(PostRequest::json(Secret::new("pager"), &body))
    }
}

/// One line there, one line back.
#[derive(Debug)]
struct ByTcp(SocketAddr);

#[async_trait]
impl Post for ByTcp {
    async fn post(&self, request: PostRequest) -> Result<PostAnswer, NoAnswer> {
        let asked = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect(self.0)?;
            stream.write_all(&request.body)?;
            stream.write_all(b"\n")?;
            BufReader::new(stream).read_line(&mut String::new())?;
            Ok(())
        };
        asked().map_err(|error| NoAnswer::new(error.to_string()))?;
        Ok(PostAnswer::new(202))
    }
}

/// What the pager has: each key that is open, and how often it was told that it ended.
#[derive(Debug, Default)]
struct Taken {
    open: BTreeMap<String, u64>,
    ended: BTreeMap<String, u64>,
    /// Ends of what never began.
    without_beginning: Vec<String>,
}

fn pager() -> (SocketAddr, Arc<Mutex<Taken>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let taken: Arc<Mutex<Taken>> = Arc::default();
    let inside = Arc::clone(&taken);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            // The process may have been killed meanwhile: half a line is no request.
            if reader.read_line(&mut line).is_ok() && line.ends_with('\n') {
                inside
                    .lock()
                    .unwrap()
                    .take(&serde_json::from_str(&line).unwrap());
                let _ = reader.into_inner().write_all(b"taken\n");
            }
        }
    });
    (address, taken)
}

impl Taken {
    fn take(&mut self, told: &Notification) {
        let key = told.incident.as_str().to_owned();
        match told.action {
            Action::Trigger => *self.open.entry(key).or_default() += 1,
            Action::Resolve => {
                if self.open.remove(&key).is_none() && !self.ended.contains_key(&key) {
                    self.without_beginning.push(key.clone());
                }
                *self.ended.entry(key).or_default() += 1;
            }
            _ => {}
        }
    }
}

struct Service {
    pipeline: Pipeline,
    breaker: Arc<ErrorRateBreaker>,
    keeper: Keeper,
}

impl Service {
    async fn start(file: &Path, post: ByTcp) -> Self {
        let version = |id| Version::new(id, "gpt-4o").unwrap();
        let breaker = Arc::new(ErrorRateBreaker::default());
        let line_up = LineUp::new(version("v7")).with_previous(version("v6"));
        let pipeline = Pipeline::builder(line_up)
            .guard(Arc::clone(&breaker))
            .guard(TicketBook::new())
            .build()
            .unwrap();
        let keeper = Keeper::builder("invoices", &pipeline)
            .unwrap()
            .store(SqliteStore::open(file).unwrap())
            .post(post)
            .route(PagerRoute::new("on call", Plain).unwrap())
            .start()
            .await
            .unwrap();
        Self {
            pipeline,
            breaker,
            keeper,
        }
    }

    fn is_out(&self) -> bool {
        let status = self.breaker.status();
        let mut versions = status.versions.iter();
        versions.any(|(id, state)| *id == "v7" && *state != BreakerState::Closed)
    }

    fn open(&self) -> Vec<String> {
        let open = self.pipeline.incidents().into_iter();
        open.map(|incident| incident.key.to_string()).collect()
    }
}

/// Answers, corrects, fails and puts right until it is killed, and prints what was confirmed.
async fn serve(file: &Path, post: ByTcp, round: &str) {
    let service = Service::start(file, post).await;
    tokio::spawn(service.keeper.clone().run(pending()));
    let mut out = std::io::stdout();
    for n in 0_u64.. {
        let documents = (0..AT_ONCE).map(|part| format!("{round}-{}", n * AT_ONCE + part));
        let corrections = documents.map(|document| {
            let (keeper, pipeline) = (&service.keeper, &service.pipeline);
            async move {
                let call = Call::new(&document, "invoice").unwrap();
                drop(pipeline.admit(&call).permit()?.answer(Report::new()));
                let corrected = Feedback::corrected(Field::new("total").unwrap());
                keeper.feedback_for(&document, corrected).await.unwrap();
                Some(document)
            }
        });
        for document in join_all(corrections).await.into_iter().flatten() {
            writeln!(out, "feedback {document}").unwrap();
        }
        // Long enough apart that the keeper writes in between.
        if n % 10 == 2 {
            let call = Call::new(format!("{round}-failed"), "invoice").unwrap();
            for _ in 0..5 {
                if let Some(permit) = service.pipeline.admit(&call).permit() {
                    permit.fail(FailureKind::MalformedOutput);
                }
            }
        }
        if n % 10 == 9 && service.is_out() {
            let seen = service.breaker.status().revision;
            let why = format!("round {round}-{n}");
            let rearm = || service.breaker.rearm("v7", seen, "ada", &why);
            service.keeper.command(rearm).await.unwrap();
            writeln!(out, "command {why}").unwrap();
        }
        out.flush().unwrap();
    }
}

fn crashes() {
    let (rounds, seed) = rounds_and_seed();
    let folder = std::env::temp_dir().join(format!("fusebox-keeper-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("invoices.db");
    let (address, taken) = pager();
    let (mut state, mut all) = (seed, Vec::new());
    let mut latched = 0;
    for round in 1..=rounds {
        let lines = random(&mut state) % (MOST_LINES + 1);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ROUND, round.to_string())
            .env(FILE, &file)
            .env(PAGER, address.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let confirmed = killed_after(&mut child, lines);
        all.extend(confirmed);
        latched += u64::from(check(&file, address, round, &all, &taken));
    }
    let commands = all
        .iter()
        .filter(|line| line.starts_with("command "))
        .count();
    let taken = taken.lock().unwrap();
    println!(
        "{} corrections and {commands} commands were confirmed, and are there; v7 was out of service \
         after {latched} of the kills; the pager was told of {} incidents",
        all.len() - commands,
        taken.open.len() + taken.ended.len(),
    );
    assert!(
        commands > 0 && latched > 0 && latched < rounds,
        "too few things happened"
    );
    fs::remove_dir_all(folder).unwrap();
}

/// The next process finds everything; whether v7 was out of service.
fn check(
    file: &Path,
    address: SocketAddr,
    round: u64,
    confirmed: &[String],
    taken: &Mutex<Taken>,
) -> bool {
    let is_out = run(async {
        let service = Service::start(file, ByTcp(address)).await;
        let latch = "error-rate/failing/v7/";
        let has_incident = service.open().iter().any(|key| key.starts_with(latch));
        assert_eq!(
            service.is_out(),
            has_incident,
            "round {round}: {:?}",
            service.open()
        );
        for _ in 0..3 {
            service.keeper.turn().await.unwrap();
        }
        assert_eq!(service.keeper.undelivered(), 0, "round {round}");
        let taken = taken.lock().unwrap();
        let at_pager: Vec<String> = taken.open.keys().cloned().collect();
        let mut open = service.open();
        open.sort();
        assert_eq!(
            at_pager, open,
            "round {round}: what the pager has, and what is open"
        );
        assert_eq!(taken.without_beginning, [""; 0], "round {round}");
        service.is_out()
    });
    let (feedback, commands, tickets) = run(async {
        let store = SqliteStore::open(file).unwrap();
        let name = PipelineName::new("invoices").unwrap();
        let of_kind = async |kind| {
            store
                .facts_between(&name, kind, Position::START, Position::new(u64::MAX))
                .await
                .unwrap()
        };
        (
            of_kind("feedback").await,
            of_kind("command").await,
            of_kind("ticket").await,
        )
    });
    let about = |facts: &[Fact]| -> BTreeSet<String> {
        let about = facts.iter().filter_map(|fact| fact.about.clone());
        about.collect()
    };
    let (corrected, known) = (about(&feedback), about(&tickets));
    assert!(
        corrected.is_subset(&known),
        "round {round}: a ticket is lost"
    );
    let ordered = commands
        .iter()
        .filter_map(|fact| fact.value["why"].as_str());
    let corrected = corrected
        .iter()
        .map(|document| format!("feedback {document}"));
    let ordered = ordered.map(|why| format!("command {why}"));
    let found: BTreeSet<String> = corrected.chain(ordered).collect();
    let lost: Vec<_> = confirmed
        .iter()
        .filter(|line| !found.contains(*line))
        .collect();
    assert!(lost.is_empty(), "round {round}: {lost:?}");
    assert_whole(file, round);
    is_out
}
