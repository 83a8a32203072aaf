//! Several handles on one file.

use fusebox::store::{Batch, Instance, Store};

use super::{Folder, ONE, all_facts, append, fact, has, invoices, of_facts, wait};

#[test]
fn two_handles_see_each_other_and_lose_nothing() {
    let folder = Folder::new("two");
    let (one, two) = (folder.store(), folder.store());
    std::thread::scope(|scope| {
        for (name, store) in [("one", &one), ("two", &two)] {
            scope.spawn(move || {
                for n in 0..50 {
                    let facts = vec![fact(&format!("{name}-{n}")), fact(&format!("both-{n}"))];
                    append(store, facts).unwrap();
                }
            });
        }
    });
    for store in [&one, &two] {
        let facts = all_facts(store, "feedback");
        assert_eq!(facts.len(), 150, "`both` once each");
    }
    let read = wait(two.turn(&invoices(), Instance::new(2), Batch::default())).unwrap();
    assert_eq!(read.facts.len(), 150);
    drop(one);
    assert!(has(&two, "one-49"), "the file stays when one handle goes");
    append(&two, vec![fact("last")]).unwrap();
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let folder = Folder::new("many");
    let store = folder.store();
    let pipeline = invoices();
    let answers = wait(futures_util::future::join_all((0..500).map(|n| {
        store.turn(&pipeline, ONE, of_facts(vec![fact(&(n / 2).to_string())]))
    })));
    let new = answers
        .into_iter()
        .filter(|answer| answer.as_ref().unwrap().is_new[0]);
    assert_eq!(new.count(), 250);
    let facts = all_facts(&store, "feedback");
    assert_eq!(facts.len(), 250);
}
