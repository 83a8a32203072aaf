//! Drills of a service that keeps its state in a store and delivers its pages: the store fails, or
//! the pager is away.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fusebox::drill::{DrillReport, Fault, Traffic};
use fusebox::keeper::Keeper;
use fusebox::pager::{NoAnswer, PagerDuty, PagerRoute, Post, PostAnswer, PostRequest};
use fusebox::pipeline::Builder;
use fusebox::store::MemoryStore;
use fusebox::{Drill, Error, ErrorRateBreaker, FailureKind, Pipeline, StoreFault};

use crate::support::{line_up, minutes, seconds, v7};

fn service() -> Builder {
    Pipeline::builder(line_up()).guard(ErrorRateBreaker::default())
}

/// Waits for a future that needs no runtime.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// A drill with a keeper that turns every five seconds, for a quarter of an hour from the first hour
/// on.
fn kept<P: Fn() -> Result<Builder, Error>>(
    drill: Drill<P>,
    start: impl Fn(&Pipeline) -> Keeper + Send + Sync + 'static,
) -> Drill<P> {
    let running = Arc::new(Mutex::new(None));
    let started = Arc::clone(&running);
    let drill = drill.command(Duration::ZERO, move |pipeline| {
        *started.lock().unwrap() = Some(start(pipeline));
    });
    (0..180).fold(drill, |drill, n| {
        let running = Arc::clone(&running);
        drill.command(minutes(60) + seconds(5 * n), move |_| {
            if let Some(keeper) = &*running.lock().unwrap() {
                // While the store fails, an incident says so.
                let _: Result<(), Error> = wait(keeper.turn());
            }
        })
    })
}

/// The disk is full for five minutes.
pub(super) fn the_store_is_down() -> DrillReport {
    let store = Arc::new(MemoryStore::new());
    let (full, repaired) = (Arc::clone(&store), Arc::clone(&store));
    let drill = Drill::new(|| Ok(service()))
        .traffic(Traffic::of("invoice", 600).unwrap())
        .command(minutes(59), move |_| {
            full.fail(StoreFault::Full, "no room on the disk");
        })
        .command(minutes(65), move |_| repaired.repair());
    let drill = kept(drill, move |pipeline| {
        let keeper = Keeper::builder("invoices", pipeline).unwrap();
        wait(keeper.store(Arc::clone(&store)).start()).unwrap()
    });
    drill
        .expect_page("pipeline/store-down")
        .expect_resolve()
        .run_for(minutes(150))
        .unwrap()
}

/// A network without a way to the pager, until it is mended.
#[derive(Debug)]
struct Network(Arc<AtomicBool>);

#[async_trait]
impl Post for Network {
    async fn post(&self, _request: PostRequest) -> Result<PostAnswer, NoAnswer> {
        if self.0.load(Ordering::SeqCst) {
            Ok(PostAnswer::new(202))
        } else {
            Err(NoAnswer::new("connection reset"))
        }
    }
}

/// The pager cannot be reached as an outage begins, for five minutes.
pub(super) fn the_pager_is_away() -> DrillReport {
    let is_mended = Arc::new(AtomicBool::new(false));
    let mend = Arc::clone(&is_mended);
    let outage = Fault::fail(FailureKind::MalformedOutput).of_version(v7());
    let drill = Drill::new(|| Ok(service()))
        .traffic(Traffic::of("invoice", 600).unwrap())
        .fault(minutes(60), outage)
        .command(minutes(65), move |_| mend.store(true, Ordering::SeqCst));
    let drill = kept(drill, move |pipeline| {
        is_mended.store(false, Ordering::SeqCst);
        let pager = PagerDuty::new("0123456789abcdef0123456789abcdef").unwrap();
        let keeper = Keeper::builder("invoices", pipeline).unwrap();
        let keeper = keeper
            .store(MemoryStore::new())
            .route(PagerRoute::new("on call", pager).unwrap())
            .post(Network(Arc::clone(&is_mended)));
        wait(keeper.start()).unwrap()
    });
    drill
        .expect_page("pipeline/pages-undelivered")
        .expect_end("pipeline/pages-undelivered")
        .expect_event("pages_undelivered")
        .must_fail_without("error-rate")
        .run_for(minutes(150))
        .unwrap()
}
