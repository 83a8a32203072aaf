//! Sends what is due, and keeps how far each row of the outbox is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use serde_json::json;

use crate::name::{PipelineName, RouteName};
use crate::pager::{
    Action, Form, NoAnswer, Notification, OutboxRow, PagerReply, PagerRoute, Post, PostAnswer,
    PostRequest, RowKey, RowState, Secret,
};
use crate::time::{Timestamp, minutes};

/// The most requests of one route ..
const BUDGET: usize = 60;
/// .. within this time.
const BUDGET_TIME: Duration = minutes(1);
/// The most requests at a time.
const AT_A_TIME: usize = 16;
/// A page that waits for longer than this is an incident.
const STUCK_AFTER: Duration = minutes(2);
/// A page is sent when the store has it, so that the next process knows what to end. A store that
/// takes longer than this does not hold it up.
pub(super) const STORED_WITHIN: Duration = Duration::from_secs(1);
/// How often the heartbeat goes out.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(30);
/// For how long a row is kept in memory after its incident has ended and was told.
const KEPT_FOR: Duration = minutes(60);

/// The outbox, and what sends it.
#[derive(Debug)]
pub(super) struct Courier {
    outbox: Mutex<Outgoing>,
    heartbeat: Option<Secret>,
}

#[derive(Debug, Default)]
struct Outgoing {
    rows: BTreeMap<RowKey, OutboxRow>,
    /// The rows that have changed since they were stored.
    unwritten: BTreeSet<RowKey>,
    /// Of these, the ones that the store has never had.
    unknown: BTreeSet<RowKey>,
    in_flight: BTreeSet<RowKey>,
    /// When requests of each route were sent, within the time of the budget.
    sent: BTreeMap<RouteName, VecDeque<Timestamp>>,
    beaten_at: Option<Timestamp>,
    /// Whether this process has tried: that nobody tried while none ran says nothing of a route.
    has_tried: bool,
}

/// Pages that a route does not take.
pub(super) struct Stuck {
    pub(super) route: RouteName,
    pub(super) pages: u64,
    pub(super) lasted: Duration,
    pub(super) reason: String,
}

/// A request on its way. Dropped before its answer, it may have arrived.
struct InFlight<'a> {
    courier: &'a Courier,
    key: RowKey,
    sent: Notification,
    /// Whether an earlier try may have arrived.
    may_have_arrived: bool,
    request: Option<PostRequest>,
    route: &'a PagerRoute,
}

impl Courier {
    /// What an earlier process did not see accepted may have arrived.
    pub(super) fn new(stored: Vec<OutboxRow>, heartbeat: Option<Secret>) -> Self {
        let courier = Self {
            outbox: Mutex::default(),
            heartbeat,
        };
        courier.take_over(stored);
        courier
    }

    /// Takes over the rows of a process that has ended. One that this process has as well stays, but
    /// for that of an earlier incident, which is over and stored.
    pub(super) fn take_over(&self, stored: impl IntoIterator<Item = OutboxRow>) {
        let mut outbox = self.outbox.lock();
        for mut row in stored {
            row.after_crash();
            let key = row.key();
            let is_newer = outbox.rows.get(&key).is_none_or(|own| {
                let is_in_use = outbox.unwritten.contains(&key) || outbox.in_flight.contains(&key);
                own.notification.since < row.notification.since && !is_in_use
            });
            if is_newer {
                outbox.rows.insert(key, row);
            }
        }
    }

    /// Changes rows.
    pub(super) fn learn(
        &self,
        change: impl FnOnce(&mut dyn Iterator<Item = &OutboxRow>) -> Vec<OutboxRow>,
    ) {
        let mut outbox = self.outbox.lock();
        for row in change(&mut outbox.rows.values()) {
            outbox.put(row);
        }
    }

    /// The rows that the store does not have as they are.
    pub(super) fn unwritten(&self) -> Vec<OutboxRow> {
        let outbox = self.outbox.lock();
        let unwritten = outbox.unwritten.iter();
        unwritten
            .filter_map(|key| outbox.rows.get(key).cloned())
            .collect()
    }

    /// The store has these; of one that has changed meanwhile it has not.
    pub(super) fn accept(&self, stored: &[OutboxRow], now: Timestamp) {
        let mut outbox = self.outbox.lock();
        for row in stored {
            let key = row.key();
            outbox.unknown.remove(&key);
            if outbox.rows.get(&key) == Some(row) {
                outbox.unwritten.remove(&key);
            }
        }
        outbox.forget(now);
    }

    /// The store has none of them any more.
    pub(super) fn write_anew(&self) {
        let mut outbox = self.outbox.lock();
        outbox.unwritten = outbox.rows.keys().cloned().collect();
    }

    /// How many rows are to be sent.
    pub(super) fn undelivered(&self) -> usize {
        let outbox = self.outbox.lock();
        outbox
            .rows
            .values()
            .filter(|row| row.state == RowState::Due)
            .count()
    }

    /// The routes on which a page has waited for too long.
    pub(super) fn stuck(&self, now: Timestamp) -> Vec<Stuck> {
        let outbox = self.outbox.lock();
        if !outbox.has_tried {
            return Vec::new();
        }
        let mut by_route: BTreeMap<&RouteName, Stuck> = BTreeMap::new();
        for row in outbox.rows.values() {
            let is_page = row.notification.action == Action::Trigger;
            let Some(lasted) = row.undelivered_for(now).filter(|_| is_page) else {
                continue;
            };
            if lasted < STUCK_AFTER {
                continue;
            }
            let stuck = by_route.entry(&row.route).or_insert_with(|| Stuck {
                route: row.route.clone(),
                pages: 0,
                lasted: Duration::ZERO,
                reason: String::new(),
            });
            stuck.pages += 1;
            if lasted >= stuck.lasted {
                stuck.lasted = lasted;
                stuck.reason = row
                    .last_error
                    .clone()
                    .unwrap_or_else(|| "not sent yet".to_owned());
            }
        }
        by_route.into_values().collect()
    }

    /// Sends what is due, until nothing is or the budget of a route is spent.
    pub(super) async fn deliver(
        &self,
        routes: &[PagerRoute],
        post: &dyn Post,
        now: impl Fn() -> Timestamp,
    ) {
        if let Some(address) = self.due_heartbeat(now()) {
            let body = json!({ "at": now() });
            // Who waits for it notices that it did not come.
            let _ = post.post(PostRequest::json(address, &body)).await;
        }
        loop {
            let claimed = self.claim(routes, now());
            if claimed.is_empty() {
                self.outbox.lock().has_tried = true;
                return;
            }
            join_all(claimed.into_iter().map(|claimed| claimed.send(post, &now))).await;
        }
    }

    fn due_heartbeat(&self, now: Timestamp) -> Option<Secret> {
        let address = self.heartbeat.clone()?;
        if !self.stuck(now).is_empty() {
            return None;
        }
        let mut outbox = self.outbox.lock();
        let is_due = outbox
            .beaten_at
            .is_none_or(|at| now.since(at) >= HEARTBEAT_EVERY);
        if !is_due {
            return None;
        }
        outbox.beaten_at = Some(now);
        Some(address)
    }

    /// Takes what is due, the most urgent first.
    fn claim<'a>(&'a self, routes: &'a [PagerRoute], now: Timestamp) -> Vec<InFlight<'a>> {
        let mut outbox = self.outbox.lock();
        let mut due: Vec<RowKey> = outbox.sendable(now);
        due.sort_by_key(|key| outbox.rows.get(key).map(OutboxRow::order));
        let mut claimed = Vec::new();
        for key in due {
            if claimed.len() >= AT_A_TIME {
                break;
            }
            let Some(route) = routes.iter().find(|route| *route.name() == key.1) else {
                outbox.change(&key, |row| *row = row.dropped());
                continue;
            };
            if !outbox.may_send(&key.1, now) {
                continue;
            }
            let Some(row) = outbox.rows.get_mut(&key) else {
                continue;
            };
            let may_have_arrived = row.may_have_arrived;
            row.may_have_arrived = true;
            let request = route.pager().request(&row.notification, row.form(), now);
            let sent = row.notification.clone();
            outbox.in_flight.insert(key.clone());
            claimed.push(InFlight {
                courier: self,
                key,
                sent,
                may_have_arrived,
                request,
                route,
            });
        }
        claimed
    }

    /// Opens and ends an incident on each route.
    pub(super) async fn test(
        pipeline: &PipelineName,
        routes: &[PagerRoute],
        post: Option<&dyn Post>,
        now: Timestamp,
    ) -> Vec<(RouteName, Result<(), String>)> {
        let trigger = Notification::of_test(pipeline, now);
        let resolve = trigger.ended(Action::Resolve, now);
        let mut results = Vec::new();
        for route in routes {
            let mut result = Ok(());
            for notification in [&trigger, &resolve] {
                let request = route.pager().request(notification, Form::Full, now);
                let (Some(request), Some(post)) = (request, post) else {
                    continue;
                };
                result = result.and(match posted(post, request).await {
                    Ok(answer) if route.pager().reply(&answer) == PagerReply::Accepted => Ok(()),
                    Ok(answer) => Err(answer.to_string()),
                    Err(no_answer) => Err(no_answer.to_string()),
                });
            }
            results.push((route.name().clone(), result));
        }
        results
    }
}

impl Outgoing {
    fn put(&mut self, row: OutboxRow) {
        let key = row.key();
        self.unwritten.insert(key.clone());
        if self.rows.insert(key.clone(), row).is_none() {
            self.unknown.insert(key);
        }
    }

    fn change(&mut self, key: &RowKey, change: impl FnOnce(&mut OutboxRow)) {
        if let Some(row) = self.rows.get_mut(key) {
            change(row);
            self.unwritten.insert(key.clone());
        }
    }

    /// What is due and may go: an end not before the answer to its beginning.
    fn sendable(&self, now: Timestamp) -> Vec<RowKey> {
        let due = self.rows.iter().filter(|(key, row)| {
            let is_free = || {
                let (incident, route, _) = *key;
                let beginning = (incident.clone(), route.clone(), Action::Trigger);
                !self.in_flight.contains(*key) && !self.in_flight.contains(&beginning)
            };
            let is_known =
                || !self.unknown.contains(*key) || now.since(row.due_since) >= STORED_WITHIN;
            row.is_due(now) && is_known() && is_free()
        });
        due.map(|(key, _)| key.clone()).collect()
    }

    /// Whether the budget of a route allows one more request, which it then takes.
    fn may_send(&mut self, route: &RouteName, now: Timestamp) -> bool {
        let sent = self.sent.entry(route.clone()).or_default();
        while sent.front().is_some_and(|at| now.since(*at) >= BUDGET_TIME) {
            sent.pop_front();
        }
        if sent.len() >= BUDGET {
            return false;
        }
        sent.push_back(now);
        true
    }

    /// Whether a beginning is of a later incident than an end, under the same key.
    fn is_of_later(&self, beginning: &RowKey, end: &RowKey) -> bool {
        let ended_at = self.rows.get(end).and_then(|row| row.notification.ended_at);
        let began = self.rows.get(beginning);
        began.is_some_and(|row| Some(row.notification.since) > ended_at)
    }

    /// Forgets what ended long ago and was told: the store has it.
    fn forget(&mut self, now: Timestamp) {
        let is_over = |row: &OutboxRow| {
            let ended_at = row.notification.ended_at;
            let is_old = ended_at.is_some_and(|at| now.since(at) >= KEPT_FOR);
            is_old && row.state != RowState::Due
        };
        let over: Vec<RowKey> = self
            .rows
            .iter()
            .filter(|(key, row)| is_over(row) && !self.unwritten.contains(*key))
            .map(|(key, _)| key.clone())
            .collect();
        for (incident, route, action) in over {
            let beginning = (incident.clone(), route.clone(), Action::Trigger);
            let end = (incident, route, action);
            if self.is_of_later(&beginning, &end) {
                self.rows.remove(&end);
            } else if !self.unwritten.contains(&beginning) && !self.in_flight.contains(&beginning) {
                self.rows.remove(&beginning);
                self.rows.remove(&end);
            }
        }
    }
}

impl InFlight<'_> {
    async fn send(mut self, post: &dyn Post, now: &impl Fn() -> Timestamp) {
        let result = match self.request.take() {
            Some(request) => posted(post, request).await.map(Some),
            None => Ok(None),
        };
        self.end(result, now());
    }

    fn end(&self, result: Result<Option<PostAnswer>, NoAnswer>, now: Timestamp) {
        let mut outbox = self.courier.outbox.lock();
        outbox.change(&self.key, |row| match result {
            Ok(answer) => {
                row.may_have_arrived = self.may_have_arrived;
                let (reply, error) = match &answer {
                    Some(answer) => (self.route.pager().reply(answer), answer.to_string()),
                    // There is nothing that this pager could be told.
                    None => (PagerReply::Accepted, String::new()),
                };
                row.answered(&self.sent, reply, &error, now);
            }
            Err(no_answer) => row.unanswered(&no_answer.to_string(), now),
        });
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.courier.outbox.lock().in_flight.remove(&self.key);
    }
}

/// Sends a request. What comes back is kept and shown, so without the request's secrets, even where
/// a server repeats them.
async fn posted(post: &dyn Post, request: PostRequest) -> Result<PostAnswer, NoAnswer> {
    match post.post(request.clone()).await {
        Ok(answer) => Ok(PostAnswer {
            body: request.redact(&answer.body),
            ..answer
        }),
        Err(no_answer) => Err(NoAnswer::new(request.redact(&no_answer.to_string()))),
    }
}
