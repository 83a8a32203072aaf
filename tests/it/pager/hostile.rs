//! Whatever is in a notification, each pager gets what it takes.

use std::fmt;

use fusebox::pager::Pager;
use proptest::prelude::*;

use super::*;

/// Texts that break what is careless: long ones, wide ones, control characters, markup.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        Just("🔥".to_owned()),
        Just("👩‍👩‍👧".to_owned()),
        Just("<!channel>&amp;\"\\".to_owned()),
        Just("\u{0}\u{1}\u{1b}[31m\r\n\u{2028}\u{202e}\u{feff}".to_owned()),
        Just("e\u{301}".to_owned()),
    ];
    let times = prop_oneof![9 => 0..30_usize, 4 => 0..600_usize, 1 => Just(50_000)];
    (part, times).prop_map(|(part, times)| part.repeat(times.min(1_000_000 / part.len().max(1))))
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let names = prop_oneof!["[a-z]{1,3}", any::<String>(), Just("ä".repeat(500))];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn evidence() -> impl Strategy<Value = Map<String, Value>> {
    let fields = prop::collection::vec((texts(), values()), 0..6);
    let many = (0..500_usize).prop_map(|n| (0..n).map(|n| (format!("n{n}"), json!(n))).collect());
    prop_oneof![
        4 => fields.prop_map(|fields| fields.into_iter().collect()),
        1 => many,
    ]
}

fn times() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(EVENING.as_millis()),
        any::<u64>(),
        Just(u64::MAX),
    ]
}

/// Shown in short: it may have megabytes.
struct Hostile(Notification);

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        f.write_str(&text.chars().take(2_000).collect::<String>())
    }
}

fn notifications() -> impl Strategy<Value = Hostile> {
    let named = |name: String| {
        if name.is_empty() {
            "-".to_owned()
        } else {
            name
        }
    };
    let names = (
        texts().prop_map(named),
        texts().prop_map(named),
        texts().prop_map(named),
    );
    let words = (texts(), texts(), texts(), texts(), texts());
    let ends = prop_oneof!["trigger", "resolve", "missed"];
    let whens = (times(), times(), times(), prop::option::of(times()));
    (names, words, evidence(), ends, whens, any::<u64>(), prop::option::of(Just("v7")))
        .prop_map(|(names, words, evidence, action, whens, things, version)| {
            let (pipeline, guard, what) = names;
            let key: String = format!("{guard}/{what}/-/1").chars().take(63).collect();
            let summary = if words.0.trim().is_empty() { "-" } else { &words.0 };
            let open = opened_by(fusebox::EventKind::custom("a", "b"));
            let ended_at = whens.1.max(whens.0);
            let notification = changed(
                &Notification::triggered(&PipelineName::new(pipeline).unwrap(), &open),
                json!({
                    "action": action, "incident": key, "guard": guard, "version": version,
                    "severity": if things % 2 == 0 { "page" } else { "warning" },
                    "since": whens.0, "told_at": whens.2, "things": things,
                    "ended_at": (action != "trigger").then_some(ended_at),
                    "well_since": whens.3, "summary": format!("x{summary}"), "done_already": words.1,
                    "ends_when": words.2, "undo": words.3, "evidence": evidence,
                    "runbook": if things % 3 == 0 { words.4 } else { format!("https://a.b/c#{}", words.4) },
                }),
            );
            assert!(notification.dedup_key().len() <= 255);
            Hostile(notification)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_notification_is_within_the_limits_of_every_pager(
        Hostile(notification) in notifications(),
        now in times(),
    ) {
        let now = Timestamp::from_millis(now);
        for (name, pager) in pagers() {
            for form in [Form::Full, Form::Minimal] {
                let Some(request) = pager.request(&notification, form, now) else {
                    prop_assert_eq!(name, "alertmanager");
                    prop_assert_eq!(notification.action, Action::Missed);
                    continue;
                };
                let wrong = rules::of(name, request.url.reveal(), &request.body);
                prop_assert!(wrong.is_empty(), "{}: {:?}", name, wrong);
                prop_assert!(form == Form::Full || request.body.len() < 8_000);
            }
        }
    }

    /// Identity is what a pager knows an incident by: it depends on nothing that changes.
    #[test]
    fn the_identity_is_the_same_in_both_forms_and_at_the_end(Hostile(notification) in notifications()) {
        for form in [Form::Full, Form::Minimal] {
            let mut trigger = notification.clone();
            (trigger.action, trigger.ended_at) = (Action::Trigger, None);
            let end = trigger.ended(Action::Resolve, trigger.since);
            let sent = |told: &Notification| body(&pagerduty().request(told, form, EVENING).unwrap());
            prop_assert_eq!(&sent(&trigger)["dedup_key"], &sent(&end)["dedup_key"]);
            prop_assert_eq!(&sent(&trigger)["dedup_key"], &json!(trigger.dedup_key()));
            let sent = |told: &Notification| body(&alertmanager().request(told, form, EVENING).unwrap());
            prop_assert_eq!(&sent(&trigger)[0]["labels"], &sent(&end)[0]["labels"]);
            prop_assert_eq!(&sent(&trigger)[0]["startsAt"], &sent(&end)[0]["startsAt"]);
        }
    }
}
