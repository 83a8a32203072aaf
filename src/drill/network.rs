//! The network between the pipeline of a drill and its pagers. No request leaves the drill.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::delivered::Delivered;
use super::recorder::Recorder;
use crate::pager::{
    Form, NoAnswer, Notification, Pager, PagerReply, PagerRoute, Post, PostAnswer, PostRequest,
};
use crate::time::Timestamp;

/// The header that a request is known by.
const NUMBER: &str = "x-fusebox-drill";

/// The network between the pipeline and its pagers; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Network(Arc<Wire>);

#[derive(Debug)]
struct Wire {
    recorder: Recorder,
    is_down: AtomicBool,
    requests: AtomicU64,
    /// What each request that was made tells, and by which route.
    made: Mutex<BTreeMap<String, (PagerRoute, Notification)>>,
}

/// A pager whose requests the network knows.
#[derive(Debug)]
struct KnownPager {
    route: PagerRoute,
    network: Network,
}

impl Network {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self(Arc::new(Wire {
            recorder,
            is_down: AtomicBool::default(),
            requests: AtomicU64::default(),
            made: Mutex::default(),
        }))
    }

    /// The same route over this network.
    pub(super) fn connect(&self, route: &PagerRoute) -> PagerRoute {
        route.with_pager(KnownPager {
            route: route.clone(),
            network: self.clone(),
        })
    }

    /// Whether nothing arrives.
    pub(super) fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::Relaxed);
    }
}

impl Pager for KnownPager {
    fn request(
        &self,
        notification: &Notification,
        form: Form,
        now: Timestamp,
    ) -> Option<PostRequest> {
        let request = self.route.pager().request(notification, form, now)?;
        let Wire { requests, made, .. } = &*self.network.0;
        let number = requests.fetch_add(1, Ordering::Relaxed).to_string();
        let told = (self.route.clone(), notification.clone());
        made.lock().insert(number.clone(), told);
        Some(request.with_header(NUMBER, number))
    }

    fn reply(&self, answer: &PostAnswer) -> PagerReply {
        self.route.pager().reply(answer)
    }

    fn repeats_every(&self) -> Option<Duration> {
        self.route.pager().repeats_every()
    }
}

#[async_trait]
impl Post for Network {
    async fn post(&self, request: PostRequest) -> Result<PostAnswer, NoAnswer> {
        let Wire {
            recorder,
            is_down,
            made,
            ..
        } = &*self.0;
        let number = request.headers.iter().find(|(name, _)| *name == NUMBER);
        let told = number.and_then(|(_, number)| made.lock().remove(number.reveal()));
        if is_down.load(Ordering::Relaxed) {
            return Err(NoAnswer::new("the drill's pager is down"));
        }
        let answer = PostAnswer::new(200);
        if let Some((route, told)) = told {
            if route.pager().reply(&answer) == PagerReply::Accepted {
                recorder.deliver(Delivered {
                    route: route.name().clone(),
                    incident: told.incident,
                    action: told.action,
                    severity: told.severity,
                });
            }
        }
        Ok(answer)
    }
}
