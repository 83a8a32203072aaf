//! What a version sends belongs to its id: tickets and deployments hold to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use fusebox::{Error, Guard, LineUp, RouteLedger, Version, VersionId};
use serde_json::json;

use crate::support::{Bench, call};

fn v7(prompt: &str) -> Version {
    Version::new("v7", "gpt-4o")
        .unwrap()
        .with_system_prompt(prompt)
}

fn bench(version: Version) -> Bench {
    Bench::with(LineUp::new(version), |builder| {
        builder.guard(RouteLedger::default())
    })
}

#[test]
fn a_version_gives_its_prompt_and_tools_back() {
    let tools = json!([{ "type": "function", "function": { "name": "find_supplier" } }]);
    let version = v7("You read invoices.").with_tools(tools.clone());
    let line_up = LineUp::new(version);
    let bench = bench(line_up.stable().clone());
    let admission = bench.pipeline.admit(&call("inv-1", "invoice"));
    let live = bench.pipeline.line_up();
    let version = live.version(admission.ticket().version()).unwrap();
    assert_eq!(version.system_prompt(), Some("You read invoices."));
    assert_eq!(version.tools(), Some(&tools));
    assert!(live.version(&VersionId::new("v8").unwrap()).is_none());
    let counted = Version::new("v7", "gpt-4o")
        .unwrap()
        .with_system_prompt_tokens(12);
    assert_eq!((counted.system_prompt(), counted.tools()), (None, None));
}

#[test]
fn the_fingerprint_is_of_what_is_sent_and_survives_storage() {
    let version = v7("You read invoices.").with_reserved_answer_tokens(800);
    let same = v7("You read invoices.");
    assert_eq!(version.fingerprint(), same.fingerprint());
    let renamed = Version::new("v8", "gpt-4o").unwrap();
    let renamed = renamed.with_system_prompt("You read invoices.");
    assert_eq!(version.fingerprint(), renamed.fingerprint());
    for other in [
        v7("You read invoices. "),
        v7("").with_system_prompt_tokens(4),
        v7("You read invoices.").with_tools(json!([])),
        Version::new("v7", "gpt-4o-mini")
            .unwrap()
            .with_system_prompt("You read invoices."),
    ] {
        assert_ne!(version.fingerprint(), other.fingerprint(), "{other:?}");
    }
    let text = serde_json::to_string(&version).unwrap();
    let read: Version = serde_json::from_str(&text).unwrap();
    assert_eq!(read, version);
    assert_eq!(read.fingerprint(), version.fingerprint());
}

#[test]
fn a_known_id_with_another_prompt_or_model_is_not_deployed() {
    let bench = bench(v7("You read invoices."));
    let next = Version::new("v8", "gpt-4o").unwrap();
    let next = next.with_system_prompt("You read invoices. Be brief.");
    bench.pipeline.deploy(LineUp::new(next.clone())).unwrap();
    for changed in [
        v7("You read invoices!"),
        Version::new("v7", "gpt-4o-mini")
            .unwrap()
            .with_system_prompt("You read invoices."),
    ] {
        let line_up = LineUp::new(next.clone()).with_previous(changed);
        let error = bench.pipeline.deploy(line_up).unwrap_err().to_string();
        assert!(
            error.starts_with("version id: got `v7`, expected "),
            "{error}"
        );
        assert_eq!(*bench.pipeline.line_up().stable().id(), "v8");
        assert_eq!(bench.pipeline.line_up().previous(), None);
    }
    let back = v7("You read invoices.").with_reserved_answer_tokens(1_000);
    bench.pipeline.deploy(LineUp::new(back)).unwrap();
}

#[test]
fn a_prompt_that_changed_over_a_restart_is_an_error_and_all_else_is_restored() {
    let before = bench(v7("You read invoices."));
    let open = before.permit("invoice");
    let snapshot = before.pipeline.snapshot().unwrap();
    let ledger = Arc::new(RouteLedger::default());
    let after = Bench::with(
        LineUp::new(v7("You read invoices, and contracts.")),
        |builder| builder.guard(Arc::clone(&ledger)),
    );
    let error = after.pipeline.restore(&snapshot).unwrap_err().to_string();
    assert!(
        error.starts_with("version id: got `v7`, expected "),
        "{error}"
    );
    assert_eq!(ledger.report().total().lost, 1);
    let again = bench(v7("You read invoices."));
    again.pipeline.restore(&snapshot).unwrap();
    open.release();
}

#[test]
fn ids_of_this_process_and_of_the_snapshot_are_both_known_even_if_a_state_is_unreadable() {
    let version = |id: &str, prompt: &str| {
        Version::new(id, "gpt-4o")
            .unwrap()
            .with_system_prompt(prompt)
    };
    let before = bench(version("v6", "You read letters."));
    before
        .pipeline
        .deploy(LineUp::new(v7("You read invoices.")))
        .unwrap();
    let mut snapshot = serde_json::to_value(before.pipeline.snapshot().unwrap()).unwrap();
    snapshot["guards"]["ledger"]["format"] = json!(999);
    let snapshot = serde_json::from_value(snapshot).unwrap();

    let after = bench(version("v8", "You read deeds."));
    after
        .pipeline
        .deploy(LineUp::new(v7("You read invoices.")))
        .unwrap();
    assert!(after.pipeline.restore(&snapshot).is_err());
    for (id, first) in [("v6", "You read letters."), ("v8", "You read deeds.")] {
        let other = after
            .pipeline
            .deploy(LineUp::new(version(id, "You read mail.")));
        assert!(other.is_err(), "{id} with another prompt");
        after
            .pipeline
            .deploy(LineUp::new(version(id, first)))
            .unwrap();
    }
}

/// Lets no deployment pass alone once it is armed.
#[derive(Debug)]
struct TwoAtOnce {
    armed: AtomicBool,
    both: Barrier,
}

impl Guard for TwoAtOnce {
    fn name(&self) -> &'static str {
        "two-at-once"
    }

    fn check_line_up(&self, _: &LineUp) -> Result<(), Error> {
        if self.armed.load(Ordering::SeqCst) {
            self.both.wait();
        }
        Ok(())
    }
}

#[test]
fn of_two_prompts_deployed_at_once_under_one_id_one_is_refused() {
    let guard = Arc::new(TwoAtOnce {
        armed: AtomicBool::new(false),
        both: Barrier::new(2),
    });
    let bench = Bench::with(LineUp::new(v7("You read invoices.")), |builder| {
        builder.guard(Arc::clone(&guard))
    });
    guard.armed.store(true, Ordering::SeqCst);
    let deploy = |prompt: &str| {
        let next = Version::new("v8", "gpt-4o")
            .unwrap()
            .with_system_prompt(prompt);
        bench
            .pipeline
            .deploy(LineUp::new(next.clone()))
            .map(|()| next)
    };
    let results = thread::scope(|scope| {
        let both =
            ["You read deeds.", "You read mail."].map(|prompt| scope.spawn(move || deploy(prompt)));
        both.map(|deployed| deployed.join().unwrap())
    });
    let deployed: Vec<_> = results.iter().flatten().collect();
    assert_eq!(deployed, [bench.pipeline.line_up().stable()]);
}

#[test]
fn a_ticket_says_which_prompt_was_meant() {
    let version = v7("You read invoices.");
    let bench = bench(version.clone());
    let ticket = bench.permit("invoice").release();
    assert_eq!(ticket.fingerprint(), version.fingerprint());
    assert_ne!(ticket.fingerprint(), v7("Another.").fingerprint());
}

/// One hash for one prompt, on every machine and in every release: computed with xxhash 4.1 for
/// Python: `xxh3_64_intdigest(prompt, seed=xxh3_64_intdigest(model) ^ 2)`.
#[test]
fn the_fingerprint_never_changes() {
    assert_eq!(
        v7("You read invoices.").fingerprint().to_string(),
        "738fc78054c6294a"
    );
}
