//! What reaches a person, when a pager does not answer, and when the process is killed.

use std::sync::atomic::{AtomicU64, Ordering};

use fusebox::guard::{Cx, Trouble};
use fusebox::{EventKind, Guard};
use proptest::prelude::*;

use super::*;
use crate::support::{minutes, seconds};

const FAILING: &str = "trigger error-rate/failing/v7/1";

fn two_routes(keeper: KeeperBuilder) -> KeeperBuilder {
    let chat = PagerRoute::new("chat", Plain("chat")).unwrap();
    let pager = PagerRoute::new("on call", Plain("pager")).unwrap();
    keeper.route(pager).route(chat.backup())
}

#[test]
fn a_pager_that_is_away_is_tried_again_until_it_takes_the_page() {
    let world = World::new();
    let process = world.process();
    world.service.otherwise("pager", Ends::Answered(503));
    process.fail();
    process.turn();
    for _ in 0..600 {
        process.turn_after(seconds(1));
    }
    assert!(world.service.taken("pager").is_empty());
    world.service.otherwise("pager", Ends::Answered(202));
    for _ in 0..145 {
        process.turn_after(seconds(1));
    }
    let taken = world.service.taken("pager");
    assert!(taken.contains(&FAILING.to_owned()), "{taken:?}");
}

#[test]
fn a_backup_is_told_after_a_minute_and_resolved_too() {
    let world = World::new();
    let process = world.process_with(two_routes);
    world.service.otherwise("pager", Ends::Answered(503));
    process.fail();
    process.turn();
    process.turn_after(seconds(59));
    assert!(world.service.taken("chat").is_empty());
    process.turn_after(seconds(1));
    assert_eq!(world.service.taken("chat"), [FAILING]);
    world.service.otherwise("pager", Ends::Answered(202));
    process.turn_after(minutes(3));
    let seen = process.breaker.status().revision;
    process
        .breaker
        .rearm("v7", seen, "ada", "well again")
        .unwrap();
    process.turn_after(seconds(1));
    let ended = "resolve error-rate/failing/v7/1";
    assert!(world.service.taken("pager").contains(&ended.to_owned()));
    assert!(world.service.taken("chat").contains(&ended.to_owned()));
}

#[test]
fn what_a_pager_refuses_is_sent_in_the_least_form_and_then_to_the_backup_at_once() {
    let world = World::new();
    let process = world.process_with(two_routes);
    world.service.next("pager", Ends::Answered(400));
    process.fail();
    process.turn();
    assert_eq!(world.service.taken("pager"), [FAILING]);
    let form = world.service.0.lock().unwrap().bodies[0]["form"].clone();
    assert_eq!(form, "Minimal");

    let world = World::new();
    let process = world.process_with(two_routes);
    world.service.otherwise("pager", Ends::Answered(400));
    process.fail();
    process.turn();
    process.turn();
    assert_eq!(world.service.taken("chat"), [FAILING]);
}

#[test]
fn an_incident_that_came_and_went_while_the_pager_was_away_wakes_nobody() {
    let world = World::new();
    let process = world.process();
    world.service.otherwise("pager", Ends::Answered(503));
    process.fail();
    process.turn();
    let seen = process.breaker.status().revision;
    process
        .breaker
        .rearm("v7", seen, "ada", "well again")
        .unwrap();
    process.turn_after(seconds(1));
    world.service.otherwise("pager", Ends::Answered(202));
    process.turn_after(minutes(10));
    assert_eq!(
        world.service.taken("pager"),
        ["missed error-rate/failing/v7/1"]
    );
    assert_eq!(process.keeper.undelivered(), 0);
}

#[test]
fn pages_that_wait_for_two_minutes_are_an_incident_of_their_own() {
    let world = World::new();
    let process = world.process_with(two_routes);
    world
        .service
        .otherwise("pager", Ends::Unanswered { arrived: false });
    process.fail();
    for _ in 0..122 {
        process.turn_after(seconds(1));
    }
    let undelivered = "pipeline/pages-undelivered/-/1".to_owned();
    assert!(process.open().contains(&undelivered));
    let incident = process.pipeline.incidents();
    let incident = incident
        .iter()
        .find(|open| open.key.as_str() == undelivered)
        .unwrap();
    assert!(
        incident.summary.contains("on route on call"),
        "{}",
        incident.summary
    );
    assert!(
        incident.summary.contains("connection reset"),
        "{}",
        incident.summary
    );
}

/// A guard with a new incident at each tick.
#[derive(Debug, Default)]
struct Unwell(AtomicU64);

impl Guard for Unwell {
    fn name(&self) -> &'static str {
        "unwell"
    }

    fn tick(&self, cx: &Cx<'_>) {
        let about = self.0.fetch_add(1, Ordering::Relaxed).to_string();
        let trouble = Trouble::new("unwell").about(&about).until_acknowledged();
        cx.page(&trouble, EventKind::custom("unwell", about.clone()));
    }
}

#[test]
fn a_route_gets_at_most_sixty_requests_a_minute() {
    let world = World::new();
    let pipeline = Pipeline::builder(line_up())
        .guard(Unwell::default())
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let route = PagerRoute::new("on call", Plain("pager")).unwrap();
    let builder = Keeper::builder("invoices", &pipeline).unwrap();
    let builder = builder
        .store(Arc::clone(&world.store))
        .post(world.service.clone());
    let keeper = wait(builder.route(route.with_warnings()).start()).unwrap();
    for _ in 0..100 {
        world.clock.advance(minutes(11));
        pipeline.tick();
    }
    wait(keeper.turn()).unwrap();
    assert!(pipeline.incidents().len() > 90);
    assert_eq!(world.service.taken("pager").len(), 60);
    world.clock.advance(seconds(59));
    wait(keeper.turn()).unwrap();
    assert_eq!(world.service.taken("pager").len(), 60);
    world.clock.advance(seconds(1));
    wait(keeper.turn()).unwrap();
    assert!(world.service.taken("pager").len() > 90);
}

#[test]
fn the_heart_beats_every_thirty_seconds_and_stops_when_pages_wait() {
    let world = World::new();
    let process = world.process_with(|keeper| two_routes(keeper).heartbeat("alive"));
    let beats = || {
        let inside = world.service.0.lock().unwrap();
        let bodies = inside.bodies.iter();
        bodies.filter(|body| body.get("incident").is_none()).count()
    };
    for _ in 0..61 {
        process.turn_after(seconds(1));
    }
    assert_eq!(beats(), 3);
    world.service.otherwise("pager", Ends::Answered(503));
    process.fail();
    for _ in 0..121 {
        process.turn_after(seconds(1));
    }
    let before = beats();
    for _ in 0..120 {
        process.turn_after(seconds(1));
    }
    assert_eq!(beats(), before);
}

#[test]
fn a_test_says_of_each_route_whether_it_works() {
    let world = World::new();
    let process = world.process_with(two_routes);
    world.service.otherwise("chat", Ends::Answered(404));
    let results = wait(process.keeper.test_routes());
    assert_eq!(results[0].1, Ok(()));
    assert_eq!(results[1].1, Err("answered 404".to_owned()));
    assert!(world.service.open("pager").is_empty());
    assert!(process.open().is_empty());
}

/// A network whose servers and errors repeat the address, which is the secret of some pagers.
#[derive(Debug)]
struct Repeats {
    answers: bool,
}

#[async_trait]
impl Post for Repeats {
    async fn post(&self, request: PostRequest) -> Result<PostAnswer, NoAnswer> {
        let said = format!("cannot POST {}", request.url.reveal());
        if self.answers {
            return Ok(PostAnswer::new(404).with_body(said));
        }
        Err(NoAnswer::new(said))
    }
}

#[test]
fn what_is_kept_of_an_answer_has_no_secret_whoever_sends() {
    const ADDRESS: &str = "https://hooks.example.com/T000/secret-of-the-channel";
    for answers in [true, false] {
        let world = World::new();
        let process = world.process_with(|keeper| {
            let route = PagerRoute::new("chat", Plain(ADDRESS)).unwrap();
            keeper.post(Repeats { answers }).route(route)
        });
        let tested = format!("{:?}", wait(process.keeper.test_routes()));
        process.fail();
        process.turn();
        process.turn_after(seconds(1));
        let rows = serde_json::to_string(&world.store.rows(&World::name())).unwrap();
        for kept in [tested, rows] {
            assert!(kept.contains("cannot POST (secret)"), "{kept}");
            assert!(!kept.contains("secret-of-the-channel"), "{kept}");
        }
    }
}

/// What can happen to a process and its pager.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Fails,
    Rearmed,
    Killed,
    Turns,
    Waits(u64),
    Pager(Ends),
}

fn anything() -> impl Strategy<Value = Happens> {
    prop_oneof![
        2 => Just(Happens::Fails),
        2 => Just(Happens::Rearmed),
        2 => Just(Happens::Killed),
        4 => Just(Happens::Turns),
        2 => (1_u64..200).prop_map(Happens::Waits),
        1 => Just(Happens::Pager(Ends::Answered(202))),
        1 => Just(Happens::Pager(Ends::Answered(503))),
        1 => Just(Happens::Pager(Ends::Answered(400))),
        1 => any::<bool>().prop_map(|arrived| Happens::Pager(Ends::Unanswered { arrived })),
    ]
}

proptest! {
    /// Whatever happened, once all is well again the pager has open what we have open.
    #[test]
    fn in_the_end_the_pager_has_open_what_is_open(
        steps in prop::collection::vec(anything(), 1..60),
    ) {
        let world = World::new();
        let mut process = world.process();
        for step in steps {
            match step {
                Happens::Fails => process.fail(),
                Happens::Rearmed => {
                    let seen = process.breaker.status().revision;
                    let _ = process.breaker.rearm("v7", seen, "ada", "well again");
                }
                Happens::Killed => {
                    drop(process);
                    process = world.process();
                }
                Happens::Turns => process.turn_after(seconds(1)),
                Happens::Waits(time) => world.clock.advance(seconds(time)),
                Happens::Pager(ends) => world.service.otherwise("pager", ends),
            }
        }
        world.service.otherwise("pager", Ends::Answered(202));
        for _ in 0..10 {
            process.turn_after(minutes(3));
        }
        prop_assert_eq!(process.keeper.undelivered(), 0);
        let late = world.service.0.lock().unwrap().late.clone();
        prop_assert!(late.is_empty(), "after their end: {:?}", late);
        let mut ours = process.open();
        ours.sort();
        prop_assert_eq!(world.service.open("pager"), ours);
    }
}
