//! The loop of a service, on tokio's paused clock.

use super::*;

use fusebox::{Admission, Reason};
use tokio::sync::oneshot;
use tokio::time::Instant;

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
