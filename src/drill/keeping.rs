//! The keeper of a drill, which delivers its pages, and the store that outlives a restart.

use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;

use super::network::Network;
use super::recorder::Recorder;
use crate::call::{Feedback, Ticket};
use crate::error::{Error, StoreFault};
use crate::keeper::{Keeper, KeeperBuilder};
use crate::name::PipelineName;
use crate::pager::PagerRoute;
use crate::pipeline::Pipeline;
use crate::store::{Batch, Instance, Json, MemoryStore, Position, Register, Store};
use crate::time::Timestamp;

/// What the store and the pagers know the pipeline by.
const NAME: &str = "drill";
/// The other process where a store is shared; those of the drill are numbered from 0.
const OTHER: Instance = Instance::new(u64::MAX);

/// What lies outside of the process: its store, and the network to its pagers.
pub(super) struct Keeping {
    routes: Vec<PagerRoute>,
    network: Network,
    store: Arc<MemoryStore>,
    is_store_down: bool,
    /// Whether another process writes to the store, and how often it has.
    is_shared: bool,
    written_by_other: u64,
}

impl Keeping {
    /// `None` without a route: then nothing is kept, and a page counts when the sink has it.
    pub(super) fn of(routes: &[PagerRoute], recorder: &Recorder) -> Option<Self> {
        let network = Network::new(recorder.clone());
        (!routes.is_empty()).then(|| Self {
            routes: routes.iter().map(|route| network.connect(route)).collect(),
            network,
            store: Arc::default(),
            is_store_down: false,
            is_shared: false,
            written_by_other: 0,
        })
    }

    /// Starts a keeper, which brings back what the store has.
    pub(super) fn start(&self, pipeline: &Pipeline) -> Result<Keeper, Error> {
        let builder = Keeper::builder(NAME, pipeline)?
            .store(Arc::clone(&self.store))
            .post(self.network.clone());
        let routes = self.routes.iter().cloned();
        at_once(routes.fold(builder, KeeperBuilder::route).start())
    }

    /// The next process finds an empty store.
    pub(super) fn begin_anew(&mut self) {
        self.store = Arc::default();
        self.set_store_down(self.is_store_down);
    }

    /// The store loses what it has, under the process.
    pub(super) fn lose_store(&mut self) {
        self.store.lose();
        self.set_store_down(self.is_store_down);
    }

    /// The store drops its facts.
    pub(super) fn drop_facts(&self) {
        self.store.drop_facts();
    }

    /// Whether another process writes to the store under the same name.
    pub(super) fn set_shared(&mut self, is_shared: bool) {
        self.is_shared = is_shared;
    }

    /// What the other process writes at this time, if there is one.
    pub(super) fn write_as_other(&mut self, now: Timestamp) -> Result<(), Error> {
        if !self.is_shared {
            return Ok(());
        }
        self.written_by_other += 1;
        let revision = self.written_by_other;
        let mut batch = Batch::after(Position::START);
        let state = Register::new(OTHER, "guard/of-other", revision, now, Json::default());
        batch.registers.push(state);
        let name = PipelineName::new(NAME)?;
        // A store that is down is down for all.
        let _ = at_once(self.store.turn(&name, OTHER, batch));
        Ok(())
    }

    /// Whether the store takes nothing and gives nothing.
    pub(super) fn set_store_down(&mut self, is_down: bool) {
        self.is_store_down = is_down;
        if is_down {
            let reason = "the drill's store is down";
            self.store.fail(StoreFault::Unavailable, reason);
        } else {
            self.store.repair();
        }
    }

    /// Whether no request reaches a pager.
    pub(super) fn set_pager_down(&self, is_down: bool) {
        self.network.set_down(is_down);
    }
}

/// One turn of a keeper: an incident says what goes wrong in it.
pub(super) fn turn(keeper: &Keeper) {
    let _: Result<(), Error> = at_once(keeper.turn());
}

/// Reports feedback: a store that fails is an incident, and the feedback counts.
pub(super) fn report(keeper: &Keeper, ticket: &Ticket, feedback: Feedback) {
    let _: Result<(), Error> = at_once(keeper.feedback(ticket, feedback));
}

/// The result of a future that waits for nothing, as store and network of a drill do not.
fn at_once<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let waits = || Err(Error::invalid("keeper of a drill", "waits", "no wait"));
    future.now_or_never().unwrap_or_else(waits)
}
