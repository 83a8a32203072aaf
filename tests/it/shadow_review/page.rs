//! What the page says, and in which order.

use base64::Engine as _;
use fusebox::call::{Difference, DifferenceKind, ShadowEnd};
use fusebox::report::{DivergenceRate, ReviewVerdict, VerdictTone};
use fusebox::shadow::{Acknowledgement, BaselineNoise, IgnoreRule};
use fusebox::{DocumentType, FailureKind, Field, Ratio};
use sha2::{Digest, Sha256};

use super::sample::{builder, changed, diverged, item, minute, rate, realistic, report, v8};
use super::{Page, text};

#[test]
fn the_verdict_of_the_corrections_comes_first() {
    let page = Page::of(&realistic());
    let headings = page.texts("#verdicts h2");
    assert_eq!(
        headings,
        [
            "What people's corrections say",
            "How often the versions diverge"
        ]
    );
    let words = page.texts(".verdict .words");
    assert_eq!(
        words,
        ["Look Not enough corrections yet", "Look Review required"]
    );
    let pairs = page.texts(".pairs div");
    assert_eq!(pairs[1], "only production right14");
    let without = Page::of(&report(Vec::new()));
    assert_eq!(
        without.texts("#verdicts h2"),
        ["How often the versions diverge"]
    );
}

#[test]
fn two_sentences_before_all_else_say_what_a_mark_means() {
    let page = Page::of(&realistic());
    let task = page.text(".task");
    assert_eq!(task.matches(". ").count() + 1, 2, "{task}");
    assert!(
        task.starts_with("Accept means that the difference is fine"),
        "{task}"
    );
    let days = IgnoreRule::LASTING.as_secs() / (24 * 60 * 60);
    assert!(task.contains(&format!(" {days} days")), "{task}");
    assert!(
        task.contains(". Reject means that the candidate is wrong"),
        "{task}"
    );
    let html = realistic().html();
    assert!(html.find("class=\"task\"") < html.find("id=\"verdicts\""));
    assert!(html.find("id=\"verdicts\"") < html.find("id=\"divergences\""));
}

/// The interval is scipy's `binomtest(41, 500).proportion_ci(method="wilson")`: 0.0610 to 0.1094.
#[test]
fn a_rate_has_its_interval_and_its_threshold() {
    let page = Page::of(&realistic());
    let verdicts = page.texts(".verdict");
    let expected = "8.2 % (41 of 500 documents; 95 % interval 6.1 % to 10.9 %) diverge. The threshold is 8.0 %.";
    assert!(verdicts[1].contains(expected), "{}", verdicts[1]);
    assert!(verdicts[1].contains("4 of them were not kept and are not in this report."));
}

#[test]
fn noise_that_was_not_measured_is_never_shown_as_a_rate() {
    let page = Page::of(&report(Vec::new()));
    let verdict = page.text(".verdict");
    assert!(verdict.contains("Noise: not measured."), "{verdict}");
    assert!(
        !verdict.contains("production diverges from itself"),
        "{verdict}"
    );
}

/// From scipy 1.17.1, `binomtest(13, 15, alternative="greater")` and so on: 0.00369, 0.2266, 1 and
/// 0.00012.
#[test]
fn measured_noise_has_both_rates_their_excess_and_what_chance_explains() {
    for (pairs, own, raw, excess) in [
        (
            (13, 2, 4, 181),
            "from itself on 3.0 % (6 of 200 documents; 95 % interval 1.4 % to 6.4 %)",
            "diverges on 8.5 % (17 of 200 documents; 95 % interval 5.4 % to 13.2 %)",
            "5.5 percentage points, more than chance explains (exact McNemar, one-sided p = 0.004).",
        ),
        (
            (5, 2, 4, 189),
            "from itself on 3.0 % (6 of 200",
            "diverges on 4.5 % (9 of 200",
            "1.5 percentage points, which chance may explain (exact McNemar, one-sided p = 0.227).",
        ),
        (
            (0, 5, 1, 194),
            "from itself on 3.0 % (6 of 200",
            "diverges on 0.5 % (1 of 200",
            "-2.5 percentage points, which chance may explain (exact McNemar, one-sided p = 1.000).",
        ),
        (
            (13, 0, 0, 187),
            "from itself on 0.0 % (0 of 200",
            "diverges on 6.5 % (13 of 200",
            "6.5 percentage points, more than chance explains (exact McNemar, one-sided p < 0.001).",
        ),
    ] {
        let (only_candidate, only_baseline, both, neither) = pairs;
        let noise = BaselineNoise::of_pairs(only_candidate, only_baseline, both, neither);
        let page = Page::of(&builder(0).noise(noise).build().unwrap());
        let verdict = page.text(".verdict");
        let excess = format!("The excess is {excess}");
        for expected in [own, raw, &excess] {
            assert!(verdict.contains(expected), "{verdict}");
        }
    }
}

#[test]
fn an_acknowledgement_that_was_not_told_yet_has_no_time() {
    let told = Acknowledgement::new("ada", minute(5), "all of one supplier");
    let mut untold = told.clone();
    untold.at = None;
    for (acknowledgement, says) in [
        (told, "2026-03-10 00:05 UTC, ada: all of one supplier"),
        (untold, "ada: all of one supplier"),
    ] {
        let report = builder(0).acknowledged(acknowledgement).build().unwrap();
        let page = Page::of(&report);
        assert_eq!(page.texts("[aria-labelledby=acknowledged] li"), [says]);
    }
}

#[test]
fn every_eligible_document_is_in_one_row_of_the_funnel() {
    let page = Page::of(&realistic());
    let rows = page.all("figure:first-of-type .bars li");
    let counts = rows.iter().map(|row| {
        let selector = scraper::Selector::parse("strong").unwrap();
        let count = row.select(&selector).next().unwrap();
        text(count).replace(',', "").parse::<u64>().unwrap()
    });
    assert_eq!(counts.sum::<u64>(), 1_284);
    assert!(page.texts("figcaption")[0].contains("1,284 eligible documents"));
}

#[test]
fn a_funnel_that_does_not_add_up_is_refused() {
    let error = builder(1)
        .funnel(500, [("matched", 498), ("diverged", 1)])
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "review: funnel: got `499`, expected counts that add up to the 500 eligible"
    );
    builder(1)
        .funnel(500, [("matched", 499), ("diverged", 1)])
        .build()
        .unwrap();
    let error = builder(1)
        .funnel(1, [("a", u64::MAX), ("b", 2)])
        .build()
        .unwrap_err();
    assert!(
        error.to_string().contains("18446744073709551617"),
        "nothing overflows: {error}"
    );
}

#[test]
fn a_report_that_contradicts_itself_is_refused() {
    let interval = (Ratio::percent(1), Ratio::percent(5));
    let error = DivergenceRate::new(3, 2, interval).unwrap_err().to_string();
    assert_eq!(
        error,
        "review: diverging: got `3`, expected at most the 2 documents that were compared"
    );
    DivergenceRate::new(2, 2, interval).unwrap();
    for (low, high) in [(5, 1), (1, 101)] {
        let error =
            DivergenceRate::new(1, 2, (Ratio::percent(low), Ratio::percent(high))).unwrap_err();
        assert!(
            error.to_string().starts_with("review: interval: got `"),
            "{error}"
        );
    }
    let items = vec![
        item("a", "invoice", 0, diverged([])),
        item("b", "invoice", 0, diverged([])),
    ];
    let error = builder(1)
        .items(items.clone())
        .build()
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "review: items: got `2`, expected at most the 1 that diverge"
    );
    builder(2).items(items).build().unwrap();
    let error = builder(0)
        .between(minute(1), minute(0))
        .build()
        .unwrap_err();
    assert!(
        error.to_string().contains("an end after its start"),
        "{error}"
    );
}

#[test]
fn types_that_were_not_covered_and_acknowledgements_are_named() {
    let page = Page::of(&realistic());
    let by_type = &page.texts("figure")[1];
    assert!(
        by_type.contains("Not covered: customs_declaration, credit_note."),
        "{by_type}"
    );
    let acknowledged = page.text("#acknowledged + ul");
    assert_eq!(
        acknowledged,
        "2026-03-11 07:00 UTC, Ada Okafor: seen; the review is planned for Thursday morning"
    );
}

#[test]
fn each_bar_has_its_numbers_as_text() {
    let page = Page::of(&realistic());
    let pictures = page.all(".bars svg");
    assert!(pictures.len() >= 20, "{}", pictures.len());
    assert!(
        pictures
            .iter()
            .all(|picture| picture.attr("aria-hidden") == Some("true"))
    );
    assert_eq!(
        page.all(".bars li").len(),
        page.all(".bars li .numbers").len()
    );
    let contract = &page.texts("figure:nth-of-type(2) .bars li")[1];
    assert_eq!(
        contract,
        "contract11.6 % (13 of 112; 95 %: 6.9 % to 18.9 %)"
    );
    // The longest interval ends at 18.9 %, so that the axis ends at 20 %.
    let bar = page.all("figure:nth-of-type(2) .bar")[1].attr("width");
    assert_eq!(bar, Some("580"));
}

#[test]
fn divergences_are_grouped_by_type_and_field_the_most_first() {
    let page = Page::of(&realistic());
    assert_eq!(
        page.texts("h3"),
        [
            "Type invoice 21",
            "Type contract 13",
            "Type support_ticket 6"
        ]
    );
    let fields = page.texts("h4");
    assert_eq!(
        fields[..3],
        ["/lines/*/unit 7", "/total 6", "/vendor/name 3"]
    );
    assert_eq!(page.all("article.entry").len(), 40);
    let numbers: Vec<_> = page.texts("article.entry h5 .number");
    let expected: Vec<_> = (1..=40).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn an_entry_has_both_texts_with_what_differs_marked() {
    let page = Page::of(&report(vec![item(
        "inv-1",
        "invoice",
        5,
        diverged([changed("/total", "1240.50", "124050")]),
    )]));
    assert_eq!(page.text("article h5"), "1 inv-1");
    let facts = page.text("article .facts");
    assert_eq!(
        facts,
        "critical value differs · gpt-4o → gpt-4.1-mini · 2026-03-10 00:05 UTC"
    );
    assert_eq!(
        page.texts(".side"),
        ["Production v71240.50", "Candidate v8124050"]
    );
    assert_eq!(page.texts("del"), ["."]);
    assert!(page.all("ins").is_empty());
}

#[test]
fn a_missing_value_an_empty_one_and_a_whole_answer_are_told_apart() {
    let field = || Field::new("/vat").unwrap();
    let mut missing = Difference::new(field(), DifferenceKind::Missing);
    missing.production = Some("DE1".to_owned());
    let emptied = changed("/vat", "DE1", "");
    let page = Page::of(&report(vec![
        item("a", "invoice", 0, diverged([missing])),
        item("b", "invoice", 0, diverged([emptied])),
        item("c", "invoice", 0, diverged([])),
    ]));
    assert_eq!(
        page.texts("#d1 .side"),
        ["Production v7DE1", "Candidate v8no value"]
    );
    assert_eq!(
        page.texts("#d2 .side"),
        ["Production v7DE1", "Candidate v8empty text"]
    );
    assert!(page.text("#d3").contains("whole answer differs"));
}

#[test]
fn a_candidate_without_an_answer_is_an_entry_and_says_why() {
    let ends = [
        (
            ShadowEnd::CandidateFailed(FailureKind::MalformedOutput),
            "candidate failed: malformed output",
        ),
        (ShadowEnd::CandidatePanicked, "candidate panicked"),
        (ShadowEnd::ComparatorPanicked, "comparator panicked"),
        (ShadowEnd::TimedOut, "candidate timed out"),
    ];
    let items = ends
        .iter()
        .map(|(end, _)| item("a", "invoice", 0, end.clone()));
    let page = Page::of(&report(items.collect()));
    let kinds = page.texts("article .kind");
    assert_eq!(kinds, ends.map(|(_, kind)| kind));
    assert_eq!(page.texts("h4"), ["(whole document) 4"]);
    assert_eq!(page.all("article input[type=radio]").len(), 3 * 4);
}

#[test]
fn differences_that_do_not_count_are_folded_away_and_not_marked() {
    let beside = diverged([
        changed("/total", "1", "2"),
        changed("/note", "a", "b").not_critical(),
        changed("/memo", "a", "b").not_critical(),
    ]);
    let only = diverged([changed("/note", "a", "b").not_critical()]);
    let page = Page::of(&report(vec![
        item("a", "invoice", 0, beside),
        item("b", "letter", 0, only),
    ]));
    assert_eq!(page.all("article").len(), 2);
    assert_eq!(
        page.text("details summary"),
        "2 more differences of this document, which do not count"
    );
    assert_eq!(page.texts("details h6"), ["/note", "/memo"]);
    let facts = page.texts("article .facts");
    assert!(facts[0].starts_with("critical"), "{}", facts[0]);
    assert!(!facts[1].contains("critical"), "{}", facts[1]);
}

#[test]
fn filters_offer_every_type_field_and_kind() {
    let page = Page::of(&realistic());
    assert_eq!(
        page.texts("#filter-type option"),
        ["all types", "contract", "invoice", "support_ticket"]
    );
    assert_eq!(page.all("#filter-field option").len(), 1 + 10);
    let kinds = page.texts("#filter-kind option");
    assert!(
        kinds.contains(&"candidate timed out".to_owned()),
        "{kinds:?}"
    );
    assert_eq!(page.texts("#filter-mark option").len(), 5);
}

#[test]
fn a_page_beyond_its_limit_says_how_many_divergences_it_leaves_out() {
    let of = |count: u32| {
        let items = (0..count).map(|n| item(&n.to_string(), "invoice", 0, diverged([])));
        let rate = rate(count.into(), count.into());
        let verdict = ReviewVerdict::new(VerdictTone::Alarm, "x");
        let v7 = fusebox::VersionId::new("v7").unwrap();
        let builder =
            fusebox::report::ReviewReport::builder(v7, v8(), verdict, rate, Ratio::percent(8));
        Page::of(&builder.items(items).build().unwrap())
    };
    let says = "more divergences are only in the JSON Lines of this report";
    let full = of(2_000);
    assert_eq!(full.all("article").len(), 2_000);
    assert!(!full.text("#divergences").contains(says));
    let over = of(2_001);
    assert_eq!(over.all("article").len(), 2_000);
    assert!(over.text("#divergences").contains(&format!("1 {says}")));
}

#[test]
fn the_same_report_gives_the_same_bytes_and_another_one_another_id() {
    assert_eq!(realistic().html(), realistic().html());
    assert_eq!(realistic().id(), realistic().id());
    let one = report(vec![item(
        "a",
        "invoice",
        0,
        diverged([changed("/t", "1", "2")]),
    )]);
    let other = report(vec![item(
        "a",
        "invoice",
        0,
        diverged([changed("/t", "1", "3")]),
    )]);
    assert_ne!(one.id(), other.id());
    assert_eq!(one.id().len(), 16);
}

#[test]
fn a_report_without_divergences_says_so() {
    let page = Page::of(&report(Vec::new()));
    assert!(
        page.text("#divergences")
            .contains("None: there is nothing to mark.")
    );
    assert!(page.all("article, form, .go").is_empty());
}

/// The policy has the hash of the only style and of the only script, as a browser computes it.
#[test]
fn the_policy_allows_this_style_and_this_script_and_nothing_else() {
    let page = Page::of(&realistic());
    let policy = page.all("meta[http-equiv=Content-Security-Policy]")[0]
        .attr("content")
        .unwrap();
    let hash = |selector: &str| {
        let text: String = page.all(selector)[0].text().collect();
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
        format!("'sha256-{hash}'")
    };
    let (style, script) = (hash("style"), hash("script:not([type])"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'; \
             require-trusted-types-for 'script'"
        )
    );
    assert_eq!((page.all("style").len(), page.all("script").len()), (1, 2));
    let outside = page
        .all("[src], [href]:not([href^='#']), [style], [srcset], [action], [background], [data]");
    assert!(outside.is_empty(), "{}", outside[0].html());
}

#[test]
fn the_page_has_headings_in_order_labels_and_a_way_past_the_top() {
    let page = Page::of(&realistic());
    let levels = page.all("h1, h2, h3, h4, h5, h6");
    let levels: Vec<u8> = levels
        .iter()
        .map(|heading| heading.value().name().as_bytes()[1] - b'0')
        .collect();
    assert_eq!(levels[0], 1);
    assert!(
        levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
        "{levels:?}"
    );
    assert_eq!(
        page.all("body > *:first-child")[0].attr("href"),
        Some("#divergences")
    );
    let ids: Vec<_> = page
        .all("[id]")
        .iter()
        .map(|element| element.attr("id").unwrap().to_owned())
        .collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    for attribute in ["aria-labelledby", "aria-describedby"] {
        for element in page.all(&format!("[{attribute}]")) {
            let id = element.attr(attribute).unwrap();
            assert!(ids.iter().any(|found| found == id), "{attribute}={id}");
        }
    }
    let labelled = page.all("label input, label select");
    assert_eq!(labelled.len(), page.all("input, select").len());
    assert_eq!(page.all("html")[0].attr("lang"), Some("en"));
    assert_eq!(page.all("fieldset:not(:has(> legend))").len(), 0);
}

#[test]
fn a_type_is_named_as_it_is() {
    let rate = rate(1, 10);
    let kind = DocumentType::new("Ärztlicher Befund <neu>").unwrap();
    let page = Page::of(&builder(1).type_rate(kind, rate).build().unwrap());
    assert_eq!(
        page.texts("figure:nth-of-type(2) .name"),
        ["Ärztlicher Befund <neu>"]
    );
}
