//! Stores, and what a keeper refuses.

use fusebox::store::conformance;

use super::odd_store::OddStore;
use super::*;

#[test]
fn the_store_in_memory_keeps_the_rules_of_stores() {
    wait(conformance(&MemoryStore::new(), "invoices", "contracts")).unwrap();
}

#[test]
fn a_store_that_forgets_breaks_a_rule() {
    let forgets = OddStore {
        forgets: true,
        ..OddStore::default()
    };
    let error = wait(conformance(&forgets, "invoices", "contracts")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "store: got `another answer`, expected of two registers the one with the greater revision \
         counts"
    );
}

#[test]
fn a_keeper_refuses_what_cannot_work() {
    let world = World::new();
    let pipeline = || {
        let builder = Pipeline::builder(line_up()).clock(world.clock.clone());
        builder.guard(ErrorRateBreaker::default()).build().unwrap()
    };
    let route = || PagerRoute::new("on call", Plain("pager")).unwrap();
    let refused = |builder: KeeperBuilder| wait(builder.start()).unwrap_err().to_string();
    let builder = || Keeper::builder("invoices", &pipeline()).unwrap();
    let kept = || builder().store(MemoryStore::new());
    assert!(refused(builder()).starts_with("store: got `none`, expected where the state is kept"));
    assert!(refused(kept().route(route())).starts_with("post: got `none`, expected what sends"));
    assert!(refused(kept().heartbeat("alive")).starts_with("post: got `none`"));
    let sends = || kept().post(world.service.clone());
    assert_eq!(
        refused(sends().route(route()).route(route())),
        "route: got `on call`, expected a name that no other route has"
    );
    assert_eq!(
        refused(sends().route(route().backup())),
        "routes: got `backups only`, expected at least one route that is no backup"
    );
    let no_name = Keeper::builder("", &pipeline()).unwrap_err().to_string();
    assert_eq!(no_name, "pipeline: got ``, expected at least one character");
}
