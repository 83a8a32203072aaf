//! The loop of a service, on tokio's paused clock.

use super::odd_store::OddStore;
use super::*;

use std::sync::atomic::Ordering;

use fusebox::clock::Clock;
use fusebox::{Admission, Feedback, Reason, StoreFault};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

fn paused() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

#[test]
fn the_loop_tells_of_a_trip_within_two_seconds() {
    let world = World::new();
    let process = world.process();
    paused().block_on(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(process.keeper.clone().run(async {
            let _ = stopped.await;
        }));
        process.fail();
        let began = Instant::now();
        let until = began + Duration::from_secs(2);
        let mut beats = tokio::time::interval(Duration::from_millis(10));
        while world.service.taken("pager").is_empty() && Instant::now() < until {
            beats.tick().await;
        }
        assert_eq!(
            world.service.taken("pager"),
            ["trigger error-rate/failing/v7/1"]
        );
        assert!(
            began.elapsed() <= Duration::from_millis(500),
            "{:?}",
            began.elapsed()
        );
        drop(stop);
        assert_eq!(running.await.unwrap(), 0);
    });
}

#[test]
fn a_shutdown_admits_nothing_waits_for_open_calls_and_says_how_many_are_left() {
    let world = World::new();
    let process = world.process();
    let admit = |document: &str| {
        process
            .pipeline
            .admit(&Call::new(document, "invoice").unwrap())
    };
    paused().block_on(async {
        let (ends, hangs) = (
            admit("ends").permit().unwrap(),
            admit("hangs").permit().unwrap(),
        );
        let began = Instant::now();
        let closing = tokio::spawn({
            let keeper = process.keeper.clone();
            async move { keeper.close().await }
        });
        tokio::task::yield_now().await;
        let Admission::Diverted(diversion) = admit("late") else {
            panic!("admitted");
        };
        assert!(diversion.reasons().contains(&Reason::ShuttingDown));
        drop(ends.answer(Report::new()));
        assert_eq!(closing.await.unwrap(), 1);
        assert_eq!(began.elapsed().as_secs(), 20);
        hangs.release();
    });
}

#[test]
fn a_shutdown_without_open_calls_does_not_wait() {
    let process = World::new().process();
    paused().block_on(async {
        let began = Instant::now();
        assert_eq!(process.keeper.close().await, 0);
        assert!(began.elapsed().as_secs() < 1);
    });
}

/// The pipeline's clock goes on with tokio's.
#[derive(Debug)]
struct Tokio(Instant);

impl Clock for Tokio {
    fn now(&self) -> Timestamp {
        EVENING + self.0.elapsed()
    }
}

impl World {
    /// A keeper that is on time with tokio's clock.
    async fn on_tokio(&self, store: impl Store + 'static) -> Keeper {
        let pipeline = Pipeline::builder(line_up())
            .guard(ErrorRateBreaker::default())
            .clock(Tokio(Instant::now()))
            .build()
            .unwrap();
        let builder = Keeper::builder("invoices", &pipeline).unwrap();
        let builder = builder.store(store).post(self.service.clone());
        let route = PagerRoute::new("on call", Plain("pager")).unwrap();
        builder.route(route).start().await.unwrap()
    }
}

async fn after(time: Duration) {
    let _ = timeout(time, std::future::pending::<()>()).await;
}

/// Two beats: one stores it, the next sends it.
#[test]
fn a_page_goes_out_when_the_store_has_it() {
    let world = World::new();
    paused().block_on(async {
        let keeper = world.on_tokio(Arc::clone(&world.store)).await;
        let pipeline = keeper.pipeline().clone();
        tokio::spawn(keeper.run(std::future::pending()));
        after(Duration::from_millis(900)).await;
        fail(&pipeline);
        after(Duration::from_millis(550)).await;
        assert_eq!(
            world.service.taken("pager"),
            ["trigger error-rate/failing/v7/1"]
        );
        let rows = world.store.rows(&World::name());
        assert_eq!(rows.len(), 1);
    });
}

#[test]
fn a_store_that_never_answers_holds_up_no_page_no_tick_and_no_shutdown() {
    let world = World::new();
    let store = Arc::new(OddStore::default());
    paused().block_on(async {
        let keeper = world.on_tokio(Arc::clone(&store)).await;
        let pipeline = keeper.pipeline().clone();
        store.hangs.store(true, Ordering::Relaxed);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(keeper.run(async {
            let _ = stopped.await;
        }));
        fail(&pipeline);
        // A store has a second to take a page before it goes out.
        after(Duration::from_millis(800)).await;
        assert!(world.service.taken("pager").is_empty());
        after(Duration::from_millis(700)).await;
        let page = "trigger error-rate/failing/v7/1";
        assert_eq!(world.service.taken("pager"), [page]);
        after(Duration::from_secs(120)).await;
        assert_eq!(
            world.service.taken("pager"),
            [page, "trigger pipeline/store-down/-/1"]
        );
        let wrong = pipeline.incidents().pop().unwrap().evidence.to_string();
        assert!(wrong.ends_with("it does not answer"), "{wrong}");
        // It is asked again each half minute, and has not answered since the first time.
        for _ in 0..60 {
            after(Duration::from_secs(1)).await;
            let down = pipeline.incidents().pop().unwrap();
            assert_eq!(down.well_since, None);
        }
        store.hangs.store(false, Ordering::Relaxed);
        after(Duration::from_secs(31)).await;
        let stored = store.memory.load(&World::name()).await.unwrap();
        assert_eq!(stored.rows.len(), 2, "written at last");

        store.hangs.store(true, Ordering::Relaxed);
        let began = Instant::now();
        drop(stop);
        assert_eq!(running.await.unwrap(), 0);
        assert!(
            began.elapsed() <= Duration::from_secs(6),
            "{:?}",
            began.elapsed()
        );
    });
}

/// The first write takes the state and the page, the second what became of the page. It goes out
/// whatever the store does.
#[test]
fn the_last_writes_of_a_shutdown_have_five_seconds() {
    for (takes, lasts, has_written, is_accepted) in [
        (2_400, 4_800, true, true),
        (2_600, 5_000, true, false),
        (4_900, 5_000, true, false),
        (5_100, 5_000, false, false),
    ] {
        let world = World::new();
        let store = Arc::new(OddStore {
            takes: Duration::from_millis(takes),
            ..OddStore::default()
        });
        paused().block_on(async {
            let keeper = world.on_tokio(Arc::clone(&store)).await;
            fail(keeper.pipeline());
            let began = Instant::now();
            assert_eq!(keeper.close().await, 0);
            let lasted = began.elapsed().as_millis();
            assert!(lasted.abs_diff(lasts) < 50, "{takes}: {lasted}");
            let page = "trigger error-rate/failing/v7/1";
            assert_eq!(world.service.taken("pager"), [page], "{takes}");
            let rows = store.memory.rows(&World::name());
            assert_eq!(!rows.is_empty(), has_written, "{takes}");
            let accepted = rows.iter().any(|row| row.accepted_at.is_some());
            assert_eq!(accepted, is_accepted, "{takes}");
        });
    }
}

/// The store refuses at once, so that nothing is waited for but the page's own second.
#[test]
fn a_page_of_the_last_moment_goes_out_though_the_store_refuses_it() {
    let world = World::new();
    let store = Arc::new(OddStore::default());
    paused().block_on(async {
        let keeper = world.on_tokio(Arc::clone(&store)).await;
        fail(keeper.pipeline());
        store.memory.fail(StoreFault::Full, "no space left");
        assert_eq!(keeper.close().await, 0);
        let page = "trigger error-rate/failing/v7/1".to_owned();
        let taken = world.service.taken("pager");
        assert!(taken.contains(&page), "{taken:?}");
    });
}

/// Reviewers who report as fast as they are answered: each waits, and the disk has its rest.
#[test]
fn however_much_is_reported_is_written_four_times_a_second() {
    let world = World::new();
    let store = Arc::new(OddStore::default());
    let process = world.process_on(Arc::clone(&store));
    paused().block_on(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(process.keeper.clone().run(async {
            let _ = stopped.await;
        }));
        tokio::time::sleep_until(Instant::now() + Duration::from_millis(300)).await;
        // The first beat has written the state, the second nothing.
        let began = Instant::now();
        let ticket = process.answer("first");
        process
            .keeper
            .feedback(&ticket, Feedback::Reviewed)
            .await
            .unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        let before = store.turns.load(Ordering::Relaxed);
        let reviewers = (0..10).map(|reviewer| {
            let (keeper, process) = (process.keeper.clone(), &process);
            async move {
                for n in 0..1_000 {
                    let ticket = process.answer(&format!("{reviewer}-{n}"));
                    keeper.feedback(&ticket, Feedback::Reviewed).await.unwrap();
                    if began.elapsed() >= Duration::from_secs(10) {
                        return n + 1;
                    }
                }
                0
            }
        });
        let reported: usize = futures_util::future::join_all(reviewers).await.iter().sum();
        let written = store.turns.load(Ordering::Relaxed) - before;
        // By the beats from 0.5 to 10.5 seconds.
        assert_eq!(reported, 410, "each reviewer waits for the next beat");
        assert!(
            (41..=42).contains(&written),
            "{written} writes in ten seconds"
        );
        drop(stop);
        running.await.unwrap();
    });
    let (name, latest) = (World::name(), Position::new(u64::MAX));
    let stored = store.facts_between(&name, "feedback", Position::START, latest);
    assert_eq!(wait(stored).unwrap().len(), 411);
}

#[test]
fn who_waits_for_a_beat_goes_on_when_the_loop_is_aborted() {
    let world = World::new();
    let process = world.process();
    paused().block_on(async {
        let running = tokio::spawn(process.keeper.clone().run(std::future::pending()));
        tokio::time::sleep_until(Instant::now() + Duration::from_millis(100)).await;
        let tickets = ["first", "second"].map(|document| process.answer(document));
        process
            .keeper
            .feedback(&tickets[0], Feedback::Reviewed)
            .await
            .unwrap();
        let second = process.keeper.feedback(&tickets[1], Feedback::Reviewed);
        let mut second = std::pin::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        running.abort();
        let _ = running.await;
        second.await.unwrap();
    });
    assert_eq!(world.facts("feedback").len(), 2);
}

/// A service that forgets to go on with its loop, or whose sink holds it up.
#[test]
fn feedback_does_not_wait_for_a_loop_that_does_not_go_on() {
    let world = World::new();
    let process = world.process();
    paused().block_on(async {
        let mut running = std::pin::pin!(process.keeper.clone().run(std::future::pending()));
        let first_beat = timeout(Duration::from_millis(100), &mut running);
        assert!(first_beat.await.is_err());
        for document in ["first", "second"] {
            let ticket = process.answer(document);
            let reported = process.keeper.feedback(&ticket, Feedback::Reviewed);
            timeout(Duration::from_secs(1), reported)
                .await
                .unwrap()
                .unwrap();
        }
    });
    assert_eq!(world.facts("feedback").len(), 2);
}
