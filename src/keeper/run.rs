//! The loop of a service.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join, join3, select};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Keeper;
use super::courier::STORED_WITHIN;
use super::pace::BEAT;

const TICK_EACH: Duration = Duration::from_secs(1);
/// A store that has not answered by then is asked again.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// How long a state may take to be made, and wait for a thread.
const WORK_WITHIN: Duration = Duration::from_secs(10);
/// How long the last writes and requests may take.
const LAST_TURNS: Duration = Duration::from_secs(5);

impl Keeper {
    /// The one line that a service spawns, on tokio with its timer: turns until `shutdown` is ready,
    /// then [closes](Self::close). The answer is the number of calls that were still open then.
    ///
    /// What has changed is written within a quarter of a second where it is urgent (an incident, a
    /// command, a page) and every five seconds otherwise, in four writes a second and
    /// one for each command. A state that takes longer than a tenth of a second to make is written
    /// less often, and within a second where it is urgent; it is made on tokio's pool for work that
    /// blocks. A pager that does not answer holds up no
    /// tick, and a store that does not answer holds up no page.
    ///
    /// ```
    /// # use fusebox::keeper::Keeper;
    /// # use fusebox::store::MemoryStore;
    /// # use fusebox::{ErrorRateBreaker, LineUp, Pipeline, Version};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(ErrorRateBreaker::default()).build()?;
    /// let keeper = Keeper::builder("invoices", &pipeline)?.store(MemoryStore::new()).start().await?;
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// let keeping = tokio::spawn(keeper.run(async { stopped.await.unwrap_or_default() }));
    /// // .. serve, until the process is told to end ..
    /// drop(stop);
    /// assert_eq!(keeping.await?, 0);
    /// # Ok(()) }
    /// ```
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> u64 {
        select(pin!(shutdown), pin!(self.work())).await;
        self.close().await
    }

    /// Admits no more calls, waits for those that are open up to the time of
    /// [`wait_on_close`](super::KeeperBuilder::wait_on_close), and writes and sends what is left.
    /// The answer is the number of calls that are still open; the ledger has their tickets, and the
    /// next process tells of them. Writing and sending may take five seconds more.
    pub async fn close(&self) -> u64 {
        self.pipeline().stop_admitting();
        let waited = timeout(self.wait_on_close(), self.all_ended());
        select(pin!(waited), pin!(self.work())).await;
        let last = async {
            self.tick();
            let mut stored = pin!(self.keep(true));
            match timeout(STORED_WITHIN, &mut stored).await {
                Ok(Ok(())) => self.deliver().await,
                Ok(Err(_)) => self.send_unstored().await,
                Err(_) => {
                    let _ = join(stored, self.send_unstored()).await;
                }
            }
            // What became of the pages.
            let _ = self.keep(true).await;
        };
        let _ = timeout(LAST_TURNS, last).await;
        self.pipeline().open_calls()
    }

    /// None waits for another: a store that does not answer holds up no tick and no page.
    async fn work(&self) {
        join3(self.tick_on(), self.keep_up(), self.send_on()).await;
    }

    async fn tick_on(&self) {
        let mut beats = beats(TICK_EACH);
        loop {
            beats.tick().await;
            self.tick();
        }
    }

    async fn keep_up(&self) {
        let (mut beats, running) = (beats(BEAT), self.0.pace.run());
        loop {
            beats.tick().await;
            let _waiting = running.beat();
            // What goes wrong is an incident.
            let _ = timeout(STORE_ANSWERS_WITHIN, self.keep(false)).await;
        }
    }

    async fn send_on(&self) {
        let mut beats = beats(BEAT);
        loop {
            beats.tick().await;
            self.deliver().await;
        }
    }

    /// Sends what the store does not take, for as long as a page waits for the store.
    async fn send_unstored(&self) {
        let mut beats = beats(BEAT);
        let mut waited = Duration::ZERO;
        while waited <= STORED_WITHIN + BEAT {
            beats.tick().await;
            self.deliver().await;
            waited += BEAT;
        }
    }

    /// Runs work where it delays no other task, while the loop runs in a runtime; else at once. `None`
    /// where the pool has no thread for it or it takes too long.
    pub(super) async fn off_the_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (true, Ok(runtime)) = (self.0.pace.is_running(), Handle::try_current()) else {
            return Some(work());
        };
        let mut task = AbortOnDrop(runtime.spawn_blocking(work));
        timeout(WORK_WITHIN, &mut task.0).await.ok()?.ok()
    }

    async fn all_ended(&self) {
        let mut beats = beats(BEAT);
        while self.pipeline().open_calls() > 0 {
            beats.tick().await;
        }
    }
}

/// What has not begun is not done for nobody.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn beats(each: Duration) -> tokio::time::Interval {
    let mut beats = interval(each);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats
}
