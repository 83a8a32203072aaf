//! What a person reads in the file at three in the morning.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fusebox::breaker::BreakerMode;
use fusebox::clock::MockClock;
use fusebox::keeper::Keeper;
use fusebox::pager::{
    Form, NoAnswer, Notification, Pager, PagerRoute, Post, PostAnswer, PostRequest, Secret,
};
use fusebox::store::{Fact, Json, SqliteStore};
use fusebox::{Call, CanaryPolicy, ErrorRateBreaker, LineUp, RouteLedger, TokenBudget};
use serde_json::json;

use super::{Folder, append, opened, wait};
use crate::support::{Bench, EVENING, line_up, minutes, seconds, version};

#[derive(Debug)]
struct Plain(&'static str);

impl Pager for Plain {
    fn request(&self, told: &Notification, _: Form, _: fusebox::Timestamp) -> Option<PostRequest> {
        Some(PostRequest::json(Secret::new(self.0), &json!(told)))
    }
}

/// A network in which these addresses answer.
#[derive(Clone, Debug)]
struct Network(Arc<Mutex<Vec<&'static str>>>);

#[async_trait]
impl Post for Network {
    async fn post(&self, request: PostRequest) -> Result<PostAnswer, NoAnswer> {
        if self.0.lock().unwrap().contains(&request.url.reveal()) {
            return Ok(PostAnswer::new(202));
        }
        Err(NoAnswer::new("connection refused"))
    }
}

/// A pipeline with its keeper, whose store is a file.
struct Kept {
    bench: Bench,
    keeper: Keeper,
    store: Arc<SqliteStore>,
}

impl Kept {
    fn new(name: &str, bench: Bench, folder: &Folder, answer: Vec<&'static str>) -> Self {
        let builder = SqliteStore::builder(folder.file()).clock(bench.clock.clone());
        let store = Arc::new(builder.open().unwrap());
        let keeper = Keeper::builder(name, &bench.pipeline)
            .unwrap()
            .store(Arc::clone(&store))
            .post(Network(Arc::new(Mutex::new(answer))))
            .route(PagerRoute::new("on call", Plain("on call")).unwrap())
            .route(PagerRoute::new("chat", Plain("chat")).unwrap());
        let keeper = wait(keeper.start()).unwrap();
        Self {
            bench,
            keeper,
            store,
        }
    }

    fn turn_after(&self, time: std::time::Duration) {
        self.bench.clock.advance(time);
        wait(self.keeper.turn()).unwrap();
    }
}

/// What a view shows: these columns of every row, `-` for what is not there.
fn shown(folder: &Folder, select: &str) -> Vec<Vec<String>> {
    let connection = opened(&folder.file());
    let mut statement = connection.prepare(select).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells = (0..columns).map(|at| {
            use rusqlite::types::ValueRef;
            Ok(match row.get_ref(at)? {
                ValueRef::Null => "-".to_owned(),
                ValueRef::Integer(number) => number.to_string(),
                other => other.as_str()?.to_owned(),
            })
        });
        cells.collect::<rusqlite::Result<Vec<_>>>()
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn with_breaker() -> (Bench, Arc<ErrorRateBreaker>) {
    Bench::and_guard(ErrorRateBreaker::default())
}

#[test]
fn open_incidents_are_shown_with_who_was_told() {
    let folder = Folder::new("v-incidents");
    let (bench, _) = with_breaker();
    let kept = Kept::new("invoices", bench, &folder, vec!["on call"]);
    let select = "SELECT pipeline, since, severity, told, not_told, guard, version, incident FROM v_incidents";
    assert_eq!(shown(&folder, select), Vec::<Vec<String>>::new());
    kept.bench.fail(5);
    // How a delivery went is written with the next turn.
    kept.turn_after(minutes(1));
    kept.turn_after(seconds(30));
    kept.turn_after(seconds(1));
    let row = [
        "invoices",
        "2026-03-13T21:00:00Z",
        "page",
        "on call at 2026-03-13T21:01:00Z",
        "chat (tries: 2)",
        "error-rate",
        "v7",
        "error-rate/failing/v7/1",
    ];
    assert_eq!(shown(&folder, select), [row]);
    let summary = shown(&folder, "SELECT summary FROM v_incidents");
    let told = &kept.bench.pipeline.incidents()[0].summary;
    assert_eq!(summary, [[format!("invoices: {told}")]]);
    let undelivered = "SELECT pipeline, due_since, route, action, severity, state, attempts, last_error, \
                       may_have_arrived, incident FROM v_undelivered";
    let row = [
        "invoices",
        "2026-03-13T21:01:00Z",
        "chat",
        "trigger",
        "page",
        "due",
        "2",
        "connection refused",
        "yes",
        "error-rate/failing/v7/1",
    ];
    assert_eq!(shown(&folder, undelivered), [row]);
}

/// A new process has a new number, and the registers of the old one stay.
#[test]
fn what_an_earlier_process_left_is_not_shown() {
    let folder = Folder::new("v-earlier");
    let (bench, _) = with_breaker();
    let kept = Kept::new("invoices", bench, &folder, vec!["on call", "chat"]);
    kept.bench.fail(5);
    kept.turn_after(minutes(1));
    drop(kept);
    let (bench, breaker) = with_breaker();
    bench.clock.advance(minutes(10));
    let kept = Kept::new("invoices", bench, &folder, vec!["on call", "chat"]);
    kept.turn_after(minutes(1));
    let incident = "SELECT incident FROM v_incidents";
    assert_eq!(
        shown(&folder, incident),
        [["error-rate/failing/v7/1"]],
        "it was restored"
    );
    let seen = breaker.status().revision;
    wait(
        kept.keeper
            .command(|| breaker.rearm(crate::support::v7(), seen, "ada", "mended")),
    )
    .unwrap();
    kept.turn_after(minutes(1));
    assert_eq!(kept.bench.pipeline.incidents(), []);
    assert_eq!(shown(&folder, incident), Vec::<Vec<String>>::new());
    let owners = shown(
        &folder,
        "SELECT DISTINCT owner FROM register WHERE key GLOB 'incidents/*'",
    );
    assert_eq!(owners.len(), 2);
}

#[test]
fn commands_are_shown_with_who_why_and_what_they_changed() {
    let folder = Folder::new("v-commands");
    let (bench, breaker) = with_breaker();
    let kept = Kept::new("invoices", bench, &folder, Vec::new());
    for (mode, why) in [
        (BreakerMode::ObserveOnly, "a test"),
        (BreakerMode::Enforce, "it is over"),
    ] {
        kept.bench.clock.advance(minutes(1));
        let seen = breaker.status().revision;
        wait(
            kept.keeper
                .command(|| breaker.switch(mode, seen, "ada", why)),
        )
        .unwrap();
    }
    // What is no object must not spoil the view.
    append(
        &*kept.store,
        vec![Fact::new("command", "odd", EVENING, json!(7))],
    )
    .unwrap();
    let select = "SELECT at, pipeline, command, who, why, before, after FROM v_last_commands";
    let row = |at: &str, command: &str, said: [&str; 2], changed: [&str; 2]| {
        let [who, why] = said;
        let [before, after] = changed;
        [at, "invoices", command, who, why, before, after].map(str::to_owned)
    };
    let enforce = "enforce, every version in service";
    let observe = "observe only, every version in service";
    assert_eq!(
        shown(&folder, select),
        [
            row("2026-03-13T21:00:00Z", "-", ["-", "-"], ["-", "-"]),
            row(
                "2026-03-13T21:02:00Z",
                "breaker_switched",
                ["ada", "it is over"],
                [observe, enforce]
            ),
            row(
                "2026-03-13T21:01:00Z",
                "breaker_switched",
                ["ada", "a test"],
                [enforce, observe]
            ),
        ]
    );
    let details = shown(
        &folder,
        "SELECT details FROM v_last_commands LIMIT 1 OFFSET 1",
    );
    assert!(!details[0][0].contains("before"), "{details:?}");
}

#[test]
fn what_a_command_changed_is_shown_where_its_event_says_it_in_other_fields() {
    let folder = Folder::new("v-changed");
    let at = EVENING.as_millis();
    let commands = [
        json!({ "event": "incident_acknowledged", "opened_at": at }),
        json!({ "event": "review_acknowledged" }),
        json!({ "event": "rollout_forced", "gaps": ["no drill", "no page"] }),
        json!({ "event": "written_off", "open_for": 90_000 }),
    ];
    let facts = commands.iter().enumerate();
    let facts = facts.map(|(n, of)| Fact::new("command", n.to_string(), EVENING, of.clone()));
    let builder = SqliteStore::builder(folder.file()).clock(MockClock::at(EVENING));
    append(&builder.open().unwrap(), facts.collect()).unwrap();
    let changed = shown(
        &folder,
        "SELECT before, after FROM v_last_commands ORDER BY id",
    );
    assert_eq!(
        changed,
        [
            ["open since 2026-03-13T21:00:00Z", "closed"],
            ["a review is requested", "acknowledged"],
            ["not ready: no drill; no page", "begun"],
            ["open for 90 s", "written off"],
        ]
    );
}

#[test]
fn rollouts_are_shown_with_what_holds_them() {
    let folder = Folder::new("v-rollout");
    let policy = Arc::new(CanaryPolicy::default());
    let line_up: LineUp = line_up().with_candidate(version("v8"));
    let bench = Bench::with(line_up, |builder| builder.guard(Arc::clone(&policy)));
    let kept = Kept::new("letters", bench, &folder, Vec::new());
    kept.bench.answer(10);
    kept.turn_after(minutes(1));
    let select = "SELECT pipeline, rollout, candidate, stable, state, stage, started, stage_since, holds, \
                  paused, excluded, written FROM v_rollout";
    let row = |state: &str, holds: &str, paused: &str, written: &str| {
        let (begun, none) = ("2026-03-13T21:00:00Z", "-");
        [
            "letters", "canary", "v8", "v7", state, "1", begun, begun, holds, paused, none, written,
        ]
        .map(str::to_owned)
    };
    let first = row("running", "not due", "-", "2026-03-13T21:01:00Z");
    assert_eq!(shown(&folder, select), [first]);
    let seen = policy.status().revision;
    wait(kept.keeper.command(|| policy.pause(seen, "ada", "lunch"))).unwrap();
    kept.turn_after(minutes(1));
    let paused = row(
        "running",
        "paused",
        "2026-03-13T21:01:00Z",
        "2026-03-13T21:02:00Z",
    );
    assert_eq!(shown(&folder, select), [paused]);
}

#[test]
fn the_types_that_a_rollout_leaves_out_are_shown() {
    let folder = Folder::new("v-excluded");
    let trial = json!({ "trial": { "candidate": "v8", "excluded": ["letter", "statement"] } });
    let state = Json::of(&trial).unwrap();
    let owner = fusebox::store::Instance::new(1);
    let register = fusebox::store::Register::new(owner, "guard/canary", 1, EVENING, state);
    let builder = SqliteStore::builder(folder.file()).clock(MockClock::at(EVENING));
    super::turn(&builder.open().unwrap(), vec![register]).unwrap();
    let shown = shown(&folder, "SELECT candidate, excluded FROM v_rollout");
    assert_eq!(shown, [["v8", "letter, statement"]]);
}

#[test]
fn documents_that_are_on_their_way_are_shown() {
    let folder = Folder::new("v-documents");
    let ledger = RouteLedger::builder()
        .review_within(minutes(30))
        .build()
        .unwrap();
    let bench = Bench::with(line_up(), |builder| {
        builder
            .guard(ledger)
            .guard(TokenBudget::builder().build().unwrap())
    });
    let kept = Kept::new("invoices", bench, &folder, Vec::new());
    let permit = kept.bench.permit("invoice");
    kept.bench.clock.advance(minutes(1));
    // Its size is not known, so it goes to a person.
    let diverted = kept
        .bench
        .pipeline
        .admit(&Call::new("big'--", "letter").unwrap());
    assert!(diverted.permit().is_none());
    kept.turn_after(minutes(1));
    let select = "SELECT pipeline, since, waits_for, document_type, document, ticket, ledger FROM v_open_documents";
    let ticket = permit.ticket().id().to_string();
    let row = |cells: [&str; 7]| cells.map(str::to_owned);
    assert_eq!(
        shown(&folder, select),
        [
            row([
                "invoices",
                "2026-03-13T21:00:00Z",
                "an end of its call",
                "invoice",
                "invoice-1",
                &ticket,
                "ledger"
            ]),
            row([
                "invoices",
                "2026-03-13T21:01:00Z",
                "a person",
                "letter",
                "big'--",
                "-",
                "ledger"
            ]),
        ]
    );
    permit.release();
    kept.turn_after(minutes(1));
    assert_eq!(shown(&folder, select).len(), 1);
}

/// A view that another version of fusebox made is replaced, and one that a person made stays.
#[test]
fn the_views_are_those_of_the_version_that_opened_the_file() {
    let folder = Folder::new("v-replaced");
    drop(folder.store());
    let person = opened(&folder.file());
    person
        .execute_batch(
            "UPDATE meta SET value = 'other' WHERE name = 'views';
            DROP VIEW v_rollout; CREATE VIEW v_rollout AS SELECT 1 AS old;
            CREATE VIEW mine AS SELECT kind FROM fact;",
        )
        .unwrap();
    drop(folder.store());
    assert!(shown(&folder, "SELECT candidate FROM v_rollout").is_empty());
    assert!(shown(&folder, "SELECT kind FROM mine").is_empty());
}

#[test]
fn a_person_who_reads_holds_nobody_up() {
    let folder = Folder::new("v-reads");
    let store = folder.store();
    append(&store, vec![super::fact("a")]).unwrap();
    let person = opened(&folder.file());
    person
        .execute_batch("BEGIN; SELECT * FROM v_incidents;")
        .unwrap();
    assert_eq!(append(&store, vec![super::fact("b")]).unwrap(), [true]);
}

/// Whatever a guard of a user keeps, the views can be read.
#[test]
fn states_of_other_guards_do_not_spoil_the_views() {
    let folder = Folder::new("v-others");
    let store = folder.store();
    let odd = [
        json!(3),
        json!("open"),
        json!(null),
        json!([[1]]),
        json!({ "open": 1, "trial": [] }),
        json!({ "open": ["x", 1] }),
        json!({ "open": { "a": "x" }, "review": ["x"], "watched_since": 1 }),
        json!({ "trial": { "candidate": 1 } }),
    ];
    let registers = odd.iter().enumerate().flat_map(|(n, value)| {
        ["guard", "incidents"].map(|part| {
            let owner = fusebox::store::Instance::new(1);
            let key = format!("{part}/own-{n}");
            fusebox::store::Register::new(owner, key, 1, EVENING, Json::of(value).unwrap())
        })
    });
    super::turn(&store, registers.collect()).unwrap();
    for view in [
        "v_incidents",
        "v_rollout",
        "v_open_documents",
        "v_undelivered",
    ] {
        assert!(
            shown(&folder, &format!("SELECT * FROM {view}")).is_empty(),
            "{view}"
        );
    }
}
