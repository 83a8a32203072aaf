//! Puts a keeper together, and brings back what its store has.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::lock::Mutex as AsyncMutex;

use super::courier::Courier;
use super::feedback::{self, Reports};
use super::journal::Journal;
use super::neighbours::Neighbours;
use super::pace::WritePace;
use super::trouble::StoreTrouble;
use super::written::Written;
use super::{Inner, Keeper};
use crate::error::Error;
use crate::name::PipelineName;
use crate::pager::{PagerRoute, Post, Secret};
use crate::pipeline::Pipeline;
use crate::store::{Instance, Position, Store};

/// How long open calls are waited for, by default.
const WAIT_ON_CLOSE: Duration = Duration::from_secs(20);

impl Keeper {
    /// Starts a keeper of a pipeline, which the store and the pagers know by this name. An error if
    /// the name is empty.
    pub fn builder(name: impl AsRef<str>, pipeline: &Pipeline) -> Result<KeeperBuilder, Error> {
        Ok(KeeperBuilder {
            name: PipelineName::new(name)?,
            pipeline: pipeline.clone(),
            store: None,
            routes: Vec::new(),
            post: None,
            heartbeat: None,
            wait_on_close: WAIT_ON_CLOSE,
        })
    }
}

/// Puts a [`Keeper`] together; made by [`Keeper::builder`].
#[derive(Debug)]
#[must_use = "nothing is kept before `start`"]
pub struct KeeperBuilder {
    name: PipelineName,
    pipeline: Pipeline,
    store: Option<Box<dyn Store>>,
    routes: Vec<PagerRoute>,
    post: Option<Box<dyn Post>>,
    heartbeat: Option<Secret>,
    wait_on_close: Duration,
}

impl KeeperBuilder {
    /// Where the state survives.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// Adds a way to tell people.
    pub fn route(mut self, route: PagerRoute) -> Self {
        self.routes.push(route);
        self
    }

    /// What sends the requests of pagers.
    pub fn post(mut self, post: impl Post + 'static) -> Self {
        self.post = Some(Box::new(post));
        self
    }

    /// An address that gets a request every 30 seconds, as long as the pipeline is ticked and no
    /// page has waited for two minutes. A service behind it (a dead man's switch) tells people when
    /// the requests stop.
    pub fn heartbeat(mut self, address: impl Into<Secret>) -> Self {
        self.heartbeat = Some(address.into());
        self
    }

    /// How long `Keeper::close` (feature `tokio`) waits for open calls; 20 seconds unless set, well
    /// within the 30 that Kubernetes gives a process to end.
    pub fn wait_on_close(mut self, at_most: Duration) -> Self {
        self.wait_on_close = at_most;
        self
    }

    /// Loads what the store has of the pipeline, and restores it. Call it before the first call:
    /// what the guards had counted until then is replaced.
    ///
    /// An error when there is no store, when two routes have one name, when all routes are backups,
    /// when there are routes or a heartbeat and nothing that sends, when the store cannot be read,
    /// or when a guard cannot restore its state.
    pub async fn start(mut self) -> Result<Keeper, Error> {
        let store = self.check()?;
        let stored = store.load(&self.name).await?;
        let instance = Instance::new(self.pipeline.instance());
        let (written, earlier) = Written::after(&stored, instance)?;
        if let Some(earlier) = &earlier {
            self.pipeline.take(&earlier.registers)?;
        }
        let goes_on_from = earlier.as_ref().map(|earlier| earlier.owner);
        for slot in stored.slots {
            let is_own = Some(slot.by) == goes_on_from;
            self.pipeline.decided(slot.into_decided(is_own));
        }
        let neighbours = Neighbours::at_start(&stored.registers, goes_on_from);
        // What is written after the load comes with the first turn.
        let known = earlier.map_or(Position::START, |earlier| earlier.feedback);
        let missed = store
            .facts_between(&self.name, feedback::KIND, known, stored.position)
            .await?;
        let reports = Reports::default();
        reports.count(&self.pipeline, missed.iter());
        let journal = Arc::new(Journal::new(instance, !self.routes.is_empty()));
        self.pipeline.also_to(Arc::clone(&journal));
        Ok(Keeper(Arc::new(Inner {
            name: self.name,
            pipeline: self.pipeline,
            instance,
            store,
            routes: self.routes,
            post: self.post,
            journal,
            reports,
            pace: WritePace::default(),
            courier: Courier::new(stored.rows, self.heartbeat),
            written: AsyncMutex::new(written),
            turnstile: AsyncMutex::default(),
            store_trouble: StoreTrouble::default(),
            neighbours,
            wait_on_close: self.wait_on_close,
        })))
    }

    fn check(&mut self) -> Result<Box<dyn Store>, Error> {
        let mut names = BTreeSet::new();
        for route in &self.routes {
            if !names.insert(route.name()) {
                let allowed = "a name that no other route has";
                return Err(Error::invalid("route", route.name(), allowed));
            }
        }
        if !self.routes.is_empty() && self.routes.iter().all(PagerRoute::is_backup) {
            let allowed = "at least one route that is no backup";
            return Err(Error::invalid("routes", "backups only", allowed));
        }
        let sends = !self.routes.is_empty() || self.heartbeat.is_some();
        if sends && self.post.is_none() {
            let allowed = "what sends the requests of the routes; set it with `.post(..)`";
            return Err(Error::invalid("post", "none", allowed));
        }
        self.store.take().ok_or_else(|| {
            let allowed = "where the state is kept; set it with `.store(..)`";
            Error::invalid("store", "none", allowed)
        })
    }
}
