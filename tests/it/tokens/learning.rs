//! What a budget learns from usage of a model without a published tokenizer, and what it does not.

use fusebox::event::BudgetEvent;
use fusebox::tokens::{Encoding, Image, Provenance, TokenCount};
use fusebox::{
    Admission, Call, EventKind, LineUp, Permit, Report, Settlement, TokenBudget, Version,
};

use super::model;
use super::random::Random;
use crate::support::Bench;

const WINDOW: u64 = 40_000;
/// One token of three bytes with the tokenizers of OpenAI.
const WORD: &str = " bc";

pub(super) fn bench() -> Bench {
    let budget = TokenBudget::builder()
        .model(model("unpublished", WINDOW))
        .build()
        .unwrap();
    let version = Version::new("v7", "unpublished").unwrap();
    let line_up = LineUp::new(version.with_system_prompt(""));
    Bench::with(line_up, |builder| builder.guard(budget))
}

fn admit(bench: &Bench, document_type: &str, text: &str) -> Admission {
    let call = Call::new("doc", document_type).unwrap();
    bench.pipeline.admit(&call.with_document(text))
}

fn permit(bench: &Bench, document_type: &str, text: &str) -> Permit {
    let admission = admit(bench, document_type, text);
    admission.permit().expect("a document that fits")
}

fn prompt(bench: &Bench, document_type: &str, text: &str) -> TokenCount {
    let ticket = permit(bench, document_type, text).release();
    ticket.measurement().unwrap().prompt()
}

/// A document of so many tokens with a tokenizer of OpenAI, which is quicker than to count them.
fn counted(words: usize) -> Call<'static> {
    let tokens = TokenCount::exact(words as u64).counted_with(Encoding::O200kBase);
    let call = Call::new("doc", "invoice").unwrap();
    call.with_document_tokens(tokens)
}

/// A document of so many words, for which the API reports so many tokens; whether it is accepted.
fn report(bench: &Bench, words: usize, tokens: u64) -> bool {
    let admission = bench.pipeline.admit(&counted(words));
    let permit = admission.permit().expect("a document that fits");
    let settled = permit.answer(Report::new().usage(tokens, 10));
    matches!(settled, Settlement::Accepted { .. })
}

fn budget_events(bench: &Bench, name: &str) -> Vec<BudgetEvent> {
    let events = bench.events().into_iter();
    let of_name = events.filter_map(|event| match event.kind {
        EventKind::Budget(event) if event.name() == name => Some(event),
        _ => None,
    });
    of_name.collect()
}

/// As Ollama does with `num_ctx` 4096: a third of each text is read, which is less than any
/// tokenizer makes of it.
#[test]
fn prompts_that_were_cut_from_the_first_on_are_seen_and_teach_nothing() {
    let bench = bench();
    for _ in 0..100 {
        assert!(!report(&bench, 12_000, 4_096));
    }
    assert_eq!(budget_events(&bench, "prompt_cut").len(), 100);
    assert_eq!(bench.pipeline.incidents().len(), 1, "one page");
    let too_large = bench.pipeline.admit(&counted(18_000));
    assert!(
        matches!(too_large, Admission::Diverted(_)),
        "39,600 > 36,000"
    );
}

/// 400 honest documents of 600 to 12,600 words with 1.2 to 1.3 tokens each; then a service that
/// cuts at 4,096, with documents of all lengths. A document that is hardly cut may be whole; 95 %
/// of those that are cut by anything must be seen.
#[test]
fn cuts_of_some_documents_are_seen_by_their_common_length() {
    let bench = bench();
    let mut random = Random(20_261_126);
    let true_tokens = |random: &mut Random| {
        let words = 600 + random.below(12_000);
        let thousandths = 1_200 + random.below(100);
        (words, (words * thousandths / 1_000) as u64)
    };
    for _ in 0..400 {
        let (words, tokens) = true_tokens(&mut random);
        assert!(report(&bench, words, tokens));
    }
    let (mut cut, mut seen) = (0, 0);
    for _ in 0..400 {
        let (words, tokens) = true_tokens(&mut random);
        let accepted = report(&bench, words, tokens.min(4_096));
        if tokens > 4_096 {
            cut += 1;
            seen += u32::from(!accepted);
        } else {
            assert!(accepted, "{words} words, {tokens} tokens");
        }
    }
    assert!(cut > 200, "{cut}");
    assert!(seen * 100 >= cut * 95, "{seen} of {cut}");
    let told = budget_events(&bench, "prompt_cut");
    let alike = told.iter().filter(|event| {
        matches!(event, BudgetEvent::PromptCut { alike, reported: 4_096, .. } if *alike >= 2)
    });
    assert!(alike.count() > 0, "{told:?}");
}

/// Documents of nearly one length, as forms are, often have one and the same usage.
#[test]
fn documents_of_one_length_are_not_cut() {
    let bench = bench();
    let mut random = Random(7);
    for _ in 0..1_000 {
        let words = 1_000 + random.below(8);
        let thousandths = 1_250 + random.below(4);
        assert!(report(&bench, words, (words * thousandths / 1_000) as u64));
    }
}

#[test]
fn one_strange_report_counts_for_nothing() {
    for strange in [0, 1, 12_500, u64::MAX] {
        let bench = bench();
        for n in 0..98 {
            report(&bench, 1_000, 1_250 + n % 10);
        }
        let before = prompt(&bench, "invoice", &WORD.repeat(1_000)).upper();
        report(&bench, 1_000, strange);
        report(&bench, 1_000, 1_250);
        let after = prompt(&bench, "invoice", &WORD.repeat(1_000)).upper();
        assert!(after <= before, "{strange}: {before:?} to {after:?}");
        let told = budget_events(&bench, "usage_not_believed").len();
        assert_eq!(told, usize::from(strange > 10_000), "{strange}");
    }
}

/// Cuts that take a little more each time: the lower end does not follow them down.
#[test]
fn cuts_that_grow_step_by_step_do_not_blind() {
    let bench = bench();
    for n in 0..100 {
        report(&bench, 8_000, 10_000 + n % 100);
    }
    let mut smallest = 10_000;
    for step in 0..400 {
        let tokens = 10_000 - 20 * step;
        if report(&bench, 8_000, tokens) {
            smallest = tokens;
        }
    }
    // Never below half of 8,000, less the 2 % that a report may be off.
    assert!(smallest >= 3_900, "{smallest} of 10,000 were accepted");
    let too_large = bench.pipeline.admit(&counted(80_000));
    assert!(matches!(too_large, Admission::Diverted(_)));
}

/// 100 invoices with 1.25 tokens a word, and then a type with 1.9.
#[test]
fn a_new_type_goes_from_the_bound_of_all_types_to_its_own() {
    let bench = bench();
    for n in 0..100 {
        report(&bench, 1_000, 1_250 + n % 10);
    }
    let text = WORD.repeat(1_000);
    let digits = || prompt(&bench, "digits", &text);
    let first = digits();
    assert_eq!(
        first.provenance(),
        Provenance::Assumed,
        "nothing holds for it yet"
    );
    let mut above = 0;
    for n in 0..99 {
        let bound = digits().upper().unwrap();
        let tokens = 1_850 + n * 37 % 100;
        above += u64::from(tokens > bound);
        if let Provenance::Calibrated {
            coverage_bp,
            samples,
        } = digits().provenance()
        {
            let (covered, n) = (u64::from(coverage_bp), u64::from(samples));
            assert_eq!(covered, 10_000 * n / (n + 1));
        }
        let permit = permit(&bench, "digits", &text);
        let _ = permit.answer(Report::new().usage(tokens, 10));
    }
    assert!(
        above <= 1,
        "{above} of 99 above the bound, one is the first"
    );
    let samples = digits().provenance();
    assert!(
        matches!(
            samples,
            Provenance::Calibrated {
                coverage_bp: 9_900,
                samples: 99
            }
        ),
        "{samples:?}"
    );
    assert_eq!(digits().upper(), Some(1_949));
}

/// A text whose bytes are fewer than the tokens that are left fits without a count; what the API
/// reports of it teaches all the same.
#[test]
fn usage_teaches_where_the_length_decides() {
    let bench = bench();
    let text = WORD.repeat(600);
    for n in 0..99 {
        let permit = permit(&bench, "invoice", &text);
        let _ = permit.answer(Report::new().usage(750 + n % 5, 10));
    }
    let prompt = prompt(&bench, "invoice", &text);
    assert!(
        matches!(
            prompt.provenance(),
            Provenance::Calibrated { samples: 99, .. }
        ),
        "{prompt:?}"
    );
}

/// 1.25 tokens a word, and scans of which nobody knows how the API counts them.
#[test]
fn images_do_not_blow_up_what_texts_need() {
    let patches = fusebox::tokens::ImageRule::Patches {
        side: 28,
        edge: 1_568,
        most: 1_568,
    };
    let model = model("unpublished", WINDOW).with_image_rule(patches);
    let budget = TokenBudget::builder().model(model).build().unwrap();
    let version = Version::new("v7", "unpublished").unwrap();
    let line_up = LineUp::new(version.with_system_prompt(""));
    let bench = Bench::with(line_up, |builder| builder.guard(budget));
    let text = WORD.repeat(1_000);
    for n in 0..200 {
        let call = Call::new("doc", "invoice").unwrap().with_document(&*text);
        let (call, tokens) = if n % 2 == 0 {
            (call.with_image(Image::new(1_092, 1_092)), 1_250 + 1_521)
        } else {
            (call, 1_250)
        };
        let permit = bench.pipeline.admit(&call).permit().unwrap();
        let _ = permit.answer(Report::new().usage(tokens, 10));
    }
    assert_eq!(prompt(&bench, "invoice", &text).upper(), Some(1_250));
}

/// The tools of a version are 200 words of JSON, and the API makes 1.25 tokens of every word.
#[test]
fn tools_are_learnt_with_the_texts() {
    let tools = serde_json::json!([{ "type": "function", "function": {
        "name": "book", "description": " bc".repeat(2_000),
    } }]);
    let counted = Encoding::O200kBase.counter().unwrap();
    let in_tools = counted.count(&tools.to_string()).unwrap().upper().unwrap();
    let budget = TokenBudget::builder()
        .model(model("unpublished", WINDOW))
        .build()
        .unwrap();
    let version = Version::new("v7", "unpublished").unwrap();
    let line_up = LineUp::new(version.with_system_prompt("").with_tools(tools));
    let bench = Bench::with(line_up, |builder| builder.guard(budget));
    let text = WORD.repeat(1_000);
    for _ in 0..99 {
        let permit = permit(&bench, "invoice", &text);
        let _ = permit.answer(Report::new().usage((1_000 + in_tools) * 5 / 4, 10));
    }
    let longer = prompt(&bench, "invoice", &WORD.repeat(10_000))
        .upper()
        .unwrap();
    let expected = (10_000 + in_tools) * 5 / 4;
    assert!(
        (expected..=expected + 1_100).contains(&longer),
        "{longer}, expected {expected} and at most 1,000 around the tools"
    );
}

/// Each text has 0.7 of its tokens from one day on, in all types: after 60 documents the bound is
/// as tight as before.
#[test]
fn a_tokenizer_that_counts_less_is_followed() {
    let bench = bench();
    let text = WORD.repeat(1_000);
    let types = ["a", "b", "c", "d"];
    let mut n: u64 = 0;
    let mut answer = |share: u64| {
        n += 1;
        let document_type = types[usize::try_from(n % 4).unwrap()];
        let permit = permit(&bench, document_type, &text);
        let tokens = (1_250 + n * 37 % 100) * share / 100;
        let _ = permit.answer(Report::new().usage(tokens, 10));
    };
    for _ in 0..1_000 {
        answer(100);
    }
    assert_eq!(budget_events(&bench, "tokenizer_changed"), []);
    for _ in 0..60 {
        answer(70);
    }
    let told = budget_events(&bench, "tokenizer_changed");
    assert!(
        matches!(
            told[..],
            [BudgetEvent::TokenizerChanged {
                percent: 70..=76,
                ..
            }]
        ),
        "{told:?}"
    );
    for document_type in types {
        let bound = prompt(&bench, document_type, &WORD.repeat(1_000))
            .upper()
            .unwrap();
        // 0.7 of 1,250 to 1,349 are 875 to 944.
        assert!((944..=1_040).contains(&bound), "{document_type}: {bound}");
    }
}

/// 0.6 of the tokens is less than any document had: taken for cut at first, but not for ever.
#[test]
fn a_tokenizer_that_counts_much_less_is_not_taken_for_cuts_for_ever() {
    let bench = bench();
    for n in 0..400 {
        assert!(report(&bench, 1_000, 1_250 + n * 37 % 100));
    }
    let accepted: Vec<bool> = (0..60)
        .map(|n| {
            let words = 1_000 + n * 20;
            let tokens = words * (1_250 + n * 37 % 100) / 1_000;
            report(&bench, usize::try_from(words).unwrap(), tokens * 6 / 10)
        })
        .collect();
    assert!(!accepted[0]);
    assert!(
        accepted[35..].iter().all(|accepted| *accepted),
        "{accepted:?}"
    );
    assert_eq!(budget_events(&bench, "tokenizer_changed").len(), 1);
}

/// Forms of one length, of which a service reads 60 %: one usage, so no other tokenizer.
#[test]
fn forms_that_are_cut_are_no_other_tokenizer() {
    let bench = bench();
    for n in 0..400 {
        assert!(report(&bench, 8_000, 10_000 + n * 37 % 100));
    }
    for _ in 0..200 {
        assert!(!report(&bench, 8_000, 6_144));
    }
    assert_eq!(budget_events(&bench, "tokenizer_changed"), []);
}

/// After 400 documents one in ten is twice as large as before: said within 200 documents, whatever
/// the order (100 orders, each with a seed of its own; at 10 % it takes 70 in the mean).
#[test]
fn coverage_that_falls_to_nine_in_ten_is_said_within_two_hundred_documents() {
    let mut late = 0;
    for seed in 0..100 {
        let bench = bench();
        let mut random = Random(seed);
        for _ in 0..400 {
            report(&bench, 1_000, 1_250 + random.below(100) as u64);
        }
        assert_eq!(budget_events(&bench, "bound_missed"), [], "seed {seed}");
        for _ in 0..200 {
            let tokens = 1_250 + random.below(100) as u64;
            let larger = if random.below(10) == 0 { 2 } else { 1 };
            report(&bench, 1_000, tokens * larger);
        }
        late += usize::from(budget_events(&bench, "bound_missed").is_empty());
    }
    assert!(late <= 2, "{late} of 100 not said");
}
