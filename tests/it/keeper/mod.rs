//! What a keeper stores survives the process, and what is wrong reaches a person once.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fusebox::clock::MockClock;
use fusebox::keeper::{Keeper, KeeperBuilder};
use fusebox::name::PipelineName;
use fusebox::pager::{
    Action, Form, NoAnswer, Notification, Pager, PagerRoute, Post, PostAnswer, PostRequest, Secret,
};
use fusebox::store::{Fact, Json, MemoryStore, Position, Store, Stored};
use fusebox::{Call, ErrorRateBreaker, FailureKind, Pipeline, Report, Ticket, Timestamp};

use crate::support::{EVENING, line_up};

mod agreement;
mod continuity;
mod losses;
mod odd_store;
mod outbox;
mod parts;
mod reported;
mod restart;
#[cfg(feature = "tokio")]
mod running;
mod sharing;
mod slots;
mod stores;
mod tickets;

/// Runs a future that needs no runtime.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// A pager that writes the notification as it is.
#[derive(Debug)]
struct Plain(&'static str);

impl Pager for Plain {
    fn request(&self, told: &Notification, form: Form, _now: Timestamp) -> Option<PostRequest> {
        let mut body = serde_json::to_value(told).unwrap();
        body["form"] = format!("{form:?}").into();
        Some(PostRequest::json(Secret::new(self.0), &body))
    }
}

/// How the next request ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Answered(u16),
    /// It did not arrive, or it did and the answer was lost.
    Unanswered {
        arrived: bool,
    },
}

/// A pager's service behind the network: what it has taken, by address.
#[derive(Clone, Debug, Default)]
struct Service(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    scripted: BTreeMap<String, VecDeque<Ends>>,
    /// What happens when the script is over; taken if nothing is said.
    otherwise: BTreeMap<String, Ends>,
    taken: Vec<(String, Action, String)>,
    bodies: Vec<serde_json::Value>,
    open: BTreeMap<String, BTreeMap<String, u32>>,
    /// Beginnings that came after the end.
    late: Vec<String>,
}

impl Service {
    fn otherwise(&self, address: &str, ends: Ends) {
        let mut inside = self.0.lock().unwrap();
        inside.otherwise.insert(address.to_owned(), ends);
    }

    fn next(&self, address: &str, ends: Ends) {
        let mut inside = self.0.lock().unwrap();
        let scripted = inside.scripted.entry(address.to_owned()).or_default();
        scripted.push_back(ends);
    }

    /// What came, in order: `trigger error-rate/failing/v7/1`.
    fn taken(&self, address: &str) -> Vec<String> {
        let inside = self.0.lock().unwrap();
        let of_address = inside.taken.iter().filter(|(to, ..)| to == address);
        let shown = of_address.map(|(_, action, key)| format!("{} {key}", action.name()));
        shown.collect()
    }

    fn open(&self, address: &str) -> Vec<String> {
        let inside = self.0.lock().unwrap();
        let open = inside.open.get(address);
        open.map_or_else(Vec::new, |open| open.keys().cloned().collect())
    }
}

#[async_trait]
impl Post for Service {
    async fn post(&self, request: PostRequest) -> Result<PostAnswer, NoAnswer> {
        let mut inside = self.0.lock().unwrap();
        let address = request.url.reveal().to_owned();
        let scripted = inside
            .scripted
            .get_mut(&address)
            .and_then(VecDeque::pop_front);
        let otherwise = inside.otherwise.get(&address).copied();
        let ends = scripted.or(otherwise).unwrap_or(Ends::Answered(202));
        let arrives = match ends {
            Ends::Answered(status) => status == 202,
            Ends::Unanswered { arrived } => arrived,
        };
        if arrives {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            inside.bodies.push(body.clone());
            if let Ok(told) = serde_json::from_value::<Notification>(body) {
                let key = told.incident.as_str().to_owned();
                let open = inside.open.entry(address.clone()).or_default();
                match told.action {
                    Action::Trigger => *open.entry(key.clone()).or_default() += 1,
                    Action::Resolve => {
                        open.remove(&key);
                    }
                    _ => {}
                }
                let to = &address;
                let is_of = |taken: &&(String, Action, String)| taken.0 == *to && taken.2 == key;
                let last = inside.taken.iter().rev().find(is_of);
                let was_ended = last.is_some_and(|(_, last, _)| *last != Action::Trigger);
                if was_ended && told.action == Action::Trigger {
                    inside.late.push(key.clone());
                }
                inside.taken.push((address, told.action, key));
            }
        }
        match ends {
            Ends::Answered(status) => Ok(PostAnswer::new(status)),
            Ends::Unanswered { .. } => Err(NoAnswer::new("connection reset")),
        }
    }
}

/// Five failures in a row: v7 goes out of service, and a page is due.
fn fail(pipeline: &Pipeline) {
    for n in 0..5 {
        let call = Call::new(format!("failed-{n}"), "invoice").unwrap();
        if let Some(permit) = pipeline.admit(&call).permit() {
            permit.fail(FailureKind::MalformedOutput);
        }
    }
}

fn answer(pipeline: &Pipeline, document: &str) -> Ticket {
    let call = Call::new(document, "invoice").unwrap();
    let permit = pipeline.admit(&call).permit().unwrap();
    permit.answer(Report::new()).ticket().clone()
}

/// What outlives a process: the store, the pager, the time.
#[derive(Clone)]
struct World {
    store: Arc<MemoryStore>,
    service: Service,
    clock: MockClock,
}

impl World {
    fn new() -> Self {
        Self {
            store: Arc::default(),
            service: Service::default(),
            clock: MockClock::at(EVENING),
        }
    }

    fn name() -> PipelineName {
        PipelineName::new("invoices").unwrap()
    }

    /// What a process would load.
    fn stored(&self) -> Stored {
        wait(self.store.load(&Self::name())).unwrap()
    }

    /// What the store has of this kind.
    fn facts(&self, kind: &str) -> Vec<Fact> {
        let (name, latest) = (Self::name(), Position::new(u64::MAX));
        let facts = self
            .store
            .facts_between(&name, kind, Position::START, latest);
        wait(facts).unwrap()
    }

    /// A process with a breaker and one route.
    fn process(&self) -> Process {
        self.process_with(|keeper| {
            keeper.route(PagerRoute::new("on call", Plain("pager")).unwrap())
        })
    }

    /// The same with another store.
    fn process_on(&self, store: impl Store + 'static) -> Process {
        self.process_with(|keeper| {
            let route = PagerRoute::new("on call", Plain("pager")).unwrap();
            keeper.store(store).route(route)
        })
    }

    fn process_with(&self, routes: impl FnOnce(KeeperBuilder) -> KeeperBuilder) -> Process {
        let breaker = Arc::new(ErrorRateBreaker::default());
        let pipeline = Pipeline::builder(line_up())
            .guard(Arc::clone(&breaker))
            .clock(self.clock.clone())
            .build()
            .unwrap();
        let builder = Keeper::builder("invoices", &pipeline).unwrap();
        let builder = builder.store(self.store.clone()).post(self.service.clone());
        let keeper = wait(routes(builder).start()).unwrap();
        Process {
            world: self.clone(),
            pipeline,
            breaker,
            keeper,
        }
    }
}

/// One process; dropped without a word, it was killed.
struct Process {
    world: World,
    pipeline: Pipeline,
    breaker: Arc<ErrorRateBreaker>,
    keeper: Keeper,
}

impl Process {
    fn turn(&self) {
        let _ = wait(self.keeper.turn());
    }

    fn turn_after(&self, time: Duration) {
        self.world.clock.advance(time);
        self.turn();
    }

    fn answer(&self, document: &str) -> Ticket {
        answer(&self.pipeline, document)
    }

    fn fail(&self) {
        fail(&self.pipeline);
    }

    /// A person puts v7 back into service.
    fn rearm(&self) {
        let seen = self.breaker.status().revision;
        let rearm = || self.breaker.rearm("v7", seen, "ada", "well again");
        wait(self.keeper.command(rearm)).unwrap();
    }

    fn open(&self) -> Vec<String> {
        let open = self.pipeline.incidents();
        open.iter().map(|open| open.key.to_string()).collect()
    }

    fn serving(&self) -> String {
        let call = Call::new("probe", "invoice").unwrap();
        let permit = self.pipeline.admit(&call).permit().unwrap();
        let version = permit.ticket().version().to_string();
        permit.release();
        version
    }
}
