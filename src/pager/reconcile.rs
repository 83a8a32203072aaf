//! What is to be told, from what is open and what was told.

use std::collections::{BTreeMap, BTreeSet};

use super::notification::{Action, Notification};
use super::outbox_row::{OutboxRow, RowKey, RowState};
use super::route::PagerRoute;
use crate::event::OpenIncident;
use crate::name::{PipelineName, RouteName};
use crate::time::Timestamp;

/// Compares the incidents that are open with the rows of the outbox: the rows that are new or
/// changed, for what is to be told and what need not be told any more.
///
/// - An open incident has a trigger on every route that is told of its severity. It is told again
///   when it has grown, and to a pager that forgets.
/// - A backup route has one when another route could not deliver for long enough, or was refused.
/// - An incident that is over is resolved where its trigger arrived, or may have. Where the trigger
///   never left, one note for the record takes the place of both.
///
/// Doing it again without anything new changes nothing.
pub fn reconcile<'a>(
    pipeline: &PipelineName,
    open: &[OpenIncident],
    rows: impl IntoIterator<Item = &'a OutboxRow>,
    routes: &[PagerRoute],
    now: Timestamp,
) -> Vec<OutboxRow> {
    let rows: BTreeMap<RowKey, &OutboxRow> = rows.into_iter().map(|row| (row.key(), row)).collect();
    let mut changed = Vec::new();
    for incident in open {
        changed.extend(triggers(pipeline, incident, &rows, routes, now));
    }
    let is_open: BTreeSet<&str> = open.iter().map(|incident| incident.key.as_str()).collect();
    let ended = rows.values().filter(|row| {
        let notification = &row.notification;
        notification.action == Action::Trigger && !is_open.contains(notification.incident.as_str())
    });
    for trigger in ended {
        changed.extend(end(trigger, &rows, now));
    }
    changed
}

fn triggers(
    pipeline: &PipelineName,
    incident: &OpenIncident,
    rows: &BTreeMap<RowKey, &OutboxRow>,
    routes: &[PagerRoute],
    now: Timestamp,
) -> Vec<OutboxRow> {
    let told = routes.iter().filter(|route| route.tells(incident.severity));
    let trigger = |route: &RouteName| {
        let key = (
            incident.key.as_str().to_owned(),
            route.clone(),
            Action::Trigger,
        );
        rows.get(&key).copied()
    };
    let mut changed = Vec::new();
    for route in told {
        let notification = || Notification::triggered(pipeline, incident);
        match trigger(route.name()) {
            Some(row) if row.notification.told_at < incident.told_at => {
                changed.push(row.again(notification(), now));
            }
            Some(row) if is_forgotten(row, route, now) => {
                changed.push(row.again(notification(), now));
            }
            Some(_) => {}
            None => {
                let others = routes.iter().filter(|other| other.name() != route.name());
                let mut others = others.filter_map(|other| trigger(other.name()));
                let is_wanted = route.waits().is_none_or(|wait| {
                    others.any(|row| {
                        row.is_refused || row.undelivered_for(now).is_some_and(|time| time >= wait)
                    })
                });
                if is_wanted {
                    changed.push(OutboxRow::due(route.name().clone(), notification(), now));
                }
            }
        }
    }
    changed
}

/// Whether its pager forgets an incident that it was told long ago.
fn is_forgotten(row: &OutboxRow, route: &PagerRoute, now: Timestamp) -> bool {
    let every = route.pager().repeats_every();
    let accepted_at = row.accepted_at.filter(|_| row.state == RowState::Accepted);
    every
        .zip(accepted_at)
        .is_some_and(|(every, at)| now.since(at) >= every)
}

/// What an ended incident still needs where it was told, or should have been.
fn end(trigger: &OutboxRow, rows: &BTreeMap<RowKey, &OutboxRow>, now: Timestamp) -> Vec<OutboxRow> {
    let incident = trigger.notification.incident.as_str();
    // Two processes may give one number to two incidents: the end of one is not that of another.
    let has = |action| {
        let end = rows.get(&(incident.to_owned(), trigger.route.clone(), action));
        let ended_at = end.and_then(|end| end.notification.ended_at);
        ended_at.is_some_and(|at| at >= trigger.notification.since)
    };
    if has(Action::Resolve) || has(Action::Missed) {
        return Vec::new();
    }
    let has_arrived = trigger.accepted_at.is_some() || trigger.may_have_arrived;
    let action = if has_arrived {
        Action::Resolve
    } else {
        Action::Missed
    };
    let end = trigger.notification.ended(action, now);
    let mut changed = vec![OutboxRow::due(trigger.route.clone(), end, now)];
    if trigger.state == RowState::Due {
        changed.push(trigger.dropped());
    }
    changed
}
