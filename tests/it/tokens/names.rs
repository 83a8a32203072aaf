//! One model under the names of several gateways, and numbers that were counted for another one.

#[cfg(any(feature = "tiktoken", feature = "bpe"))]
use fusebox::event::BudgetEvent;
use fusebox::tokens::{ByteBound, Encoding, TokenCount};
use fusebox::{Admission, Call, LineUp, TokenBudget, Version};
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
use fusebox::{EventKind, Report, Settlement};

use crate::support::Bench;

fn bench_of(model: &str, budget: TokenBudget) -> Bench {
    let version = Version::new("v7", model).unwrap();
    let line_up = LineUp::new(version.with_system_prompt("You read invoices."));
    Bench::with(line_up, |builder| builder.guard(budget))
}

/// 5,000 tokens are sent, and 2,048 are read, whatever the model is called.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
#[test]
fn a_cut_prompt_is_seen_whatever_the_model_is_called() {
    for model in ["gpt-4o", "openai/gpt-4o", "azure/gpt-4o"] {
        let bench = bench_of(model, TokenBudget::builder().build().unwrap());
        let call = Call::new("doc", "invoice").unwrap();
        let call = call.with_document_tokens(5_000);
        let permit = bench.pipeline.admit(&call).permit().unwrap();
        assert_eq!(*permit.ticket().model(), model);
        assert_eq!(permit.ticket().measurement().unwrap().model(), model);
        let settled = permit.answer(Report::new().usage(2_048, 10));
        assert!(matches!(settled, Settlement::NeedsReview { .. }), "{model}");
        let pages = bench.pages();
        assert!(
            matches!(
                &pages[..],
                [EventKind::Budget(BudgetEvent::PromptCut { .. })]
            ),
            "{model}: {pages:?}"
        );
    }
}

/// A counter of one's own, under the name of the gateway or under that of the catalogue.
#[test]
fn a_counter_of_ones_own_counts_under_both_names() {
    let version = |model| {
        let version = Version::new("v7", model).unwrap();
        version.with_system_prompt("12345")
    };
    let call = Call::new("doc", "invoice").unwrap().with_document_tokens(0);
    for (counter, model, is_used) in [
        ("azure/gpt-4o", "azure/gpt-4o", true),
        ("gpt-4o", "azure/gpt-4o", true),
        ("azure/gpt-4o", "gpt-4o", false),
    ] {
        let budget = TokenBudget::builder().counter(counter, ByteBound).build();
        let counted = budget.unwrap().count(&call, &version(model));
        let system = counted.map(|counted| counted.system);
        let by_bytes = system.is_ok_and(|system| system == TokenCount::at_most(5));
        assert_eq!(by_bytes, is_used, "{counter} for {model}");
    }
}

/// 170,000 tokens of OpenAI's tokenizer may be 374,000 of Claude's, whose window has 200,000.
#[test]
fn a_number_says_with_which_tokenizer_it_was_counted() {
    let claude = "claude-haiku-4-5";
    let admitted = |tokens: TokenCount| {
        let budget = TokenBudget::builder().build().unwrap();
        let bench = bench_of(claude, budget);
        let call = Call::new("doc", "invoice").unwrap();
        let admission = bench.pipeline.admit(&call.with_document_tokens(tokens));
        matches!(admission, Admission::Admitted(_))
    };
    assert!(!admitted(
        TokenCount::exact(170_000).counted_with(Encoding::O200kBase)
    ));
    assert!(
        !admitted(TokenCount::exact(170_000)),
        "nobody can count exactly for it"
    );
    assert!(admitted(TokenCount::by_provider(170_000)));
    assert!(admitted(
        TokenCount::exact(80_000).counted_with(Encoding::Cl100kBase)
    ));
    let of_two = TokenCount::exact(1).counted_with(Encoding::Cl100kBase)
        + TokenCount::exact(1).counted_with(Encoding::O200kBase);
    assert_eq!(
        of_two.upper(),
        None,
        "tokens of two tokenizers do not add up"
    );
}

/// For the model's own tokenizer the number is exact.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
#[test]
fn a_number_of_the_own_tokenizer_is_exact() {
    let bench = bench_of("gpt-4o", TokenBudget::builder().build().unwrap());
    let prompt = |encoding| {
        let tokens = TokenCount::exact(10_000).counted_with(encoding);
        let call = Call::new("doc", "invoice")
            .unwrap()
            .with_document_tokens(tokens);
        let ticket = bench.pipeline.admit(&call).permit().unwrap().release();
        ticket.measurement().unwrap().prompt()
    };
    assert!(prompt(Encoding::O200kBase).is_exact());
    let other = prompt(Encoding::Cl100kBase);
    // 4 tokens for the system prompt and 11 around it.
    assert_eq!((other.lower(), other.upper()), (5_015, Some(22_015)));
}

/// One document in a hundred exceeds a factor, whatever else is in the prompt. Without a factor, what
/// exceeds a bound was counted wrong.
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
#[test]
fn a_scaled_number_may_be_exceeded_beside_tools_that_are_bounded() {
    let tools = serde_json::json!([{"type": "function", "function": {"name": "book", "parameters": {
        "type": "object", "properties": {"account": {"anyOf": [{"type": "string"}, {"type": "null"}]}}
    }}}]);
    for (encoding, pages) in [(Encoding::Cl100kBase, 0), (Encoding::O200kBase, 1)] {
        for has_tools in [false, true] {
            let version = Version::new("v7", "gpt-4o").unwrap();
            let mut version = version.with_system_prompt("You read invoices.");
            if has_tools {
                version = version.with_tools(tools.clone());
            }
            let budget = TokenBudget::builder().build().unwrap();
            let bench = Bench::with(LineUp::new(version), |builder| builder.guard(budget));
            let tokens = TokenCount::exact(10_000).counted_with(encoding);
            let call = Call::new("doc", "invoice")
                .unwrap()
                .with_document_tokens(tokens);
            let permit = bench.pipeline.admit(&call).permit().unwrap();
            let _settled = permit.answer(Report::new().usage(25_000, 10));
            assert_eq!(bench.pages().len(), pages, "{encoding:?}, {has_tools}");
        }
    }
}
