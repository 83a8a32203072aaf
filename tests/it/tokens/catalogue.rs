//! P1: what is known of models, and what APIs say of their limits.

use fusebox::failure::Overflow;
use fusebox::tokens::{Catalogue, Encoding, Model};
use proptest::prelude::*;

#[test]
fn the_bundled_catalogue_is_read_and_is_plausible() {
    let catalogue = Catalogue::bundled();
    assert!(catalogue.models().count() > 100);
    for (name, model) in catalogue.models() {
        assert!(name.ends_with(model.name().as_str()), "{name}");
        assert!(model.context_window() >= 4_096, "{name}");
        assert!(model.largest_prompt(0) <= model.context_window(), "{name}");
    }
    for maker in [
        "openai",
        "anthropic",
        "google",
        "mistral",
        "meta",
        "cohere",
        "amazon",
    ] {
        let of_maker = catalogue
            .models()
            .filter(|(name, _)| name.starts_with(&format!("{maker}/")));
        assert!(of_maker.count() >= 4, "{maker}");
    }
    // Facts of the providers' pages: GPT-5 has a window of 400,000 and reads 272,000 of them.
    let gpt_5 = catalogue.model("gpt-5").unwrap();
    assert_eq!(
        (gpt_5.context_window(), gpt_5.largest_input()),
        (400_000, Some(272_000))
    );
    assert_eq!(gpt_5.largest_prompt(10_000), 272_000);
    assert_eq!(gpt_5.largest_prompt(140_000), 260_000);
    assert_eq!(
        catalogue.model("gpt-4o").unwrap().encoding(),
        Some(Encoding::O200kBase)
    );
    assert_eq!(catalogue.model("claude-sonnet-5").unwrap().encoding(), None);
    assert_eq!(
        catalogue.model("gpt-4o-of-tomorrow"),
        None,
        "no guess by prefix"
    );
}

#[test]
fn a_catalogue_says_which_row_is_wrong() {
    let row = |fields: &str| {
        let text = format!(
            r#"{{"models":[{{"provider":"p","name":"m","source":"s","date":"2026-11-23",{fields}}}]}}"#
        );
        Catalogue::from_json(&text)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    for (fields, error) in [
        (
            r#""context_window":0"#,
            "context window of model `m`: got `0`, expected at least 1 token",
        ),
        (
            r#""context_window":10,"largest_input":11"#,
            "largest input of model `m`: got `11`, expected 1 to the context window, 10",
        ),
        (
            r#""context_window":10,"largest_answer":0"#,
            "largest answer of model `m`: got `0`, expected 1 to the context window, 10",
        ),
        (
            r#""context_window":10,"end_of_life":"soon""#,
            "end of life of model `m`: got `soon`, expected a date such as 2026-11-30",
        ),
    ] {
        assert_eq!(row(fields), error);
    }
    let unknown_family = row(r#""context_window":10,"family":"gpt-7""#);
    assert!(
        unknown_family.starts_with("family of model `m`: got `gpt-7`, expected one of claude-4, "),
        "{unknown_family}"
    );
    let unknown_key = row(r#""context_window":10,"window":10"#);
    assert!(
        unknown_key.contains("unknown field `window`"),
        "{unknown_key}"
    );
    assert!(Catalogue::from_json("no JSON").is_err());
    assert!(
        Catalogue::from_json(r#"{"models":[{"provider":"p","name":"m","context_window":1}]}"#)
            .is_err(),
        "a source is needed"
    );
    let low =
        r#"{"models":[],"assumed_factor":{"thousandths":900,"source":"s","date":"2026-11-23"}}"#;
    assert!(
        Catalogue::from_json(low).is_err(),
        "a factor below 1 would understate"
    );
}

#[test]
fn a_row_of_ones_own_wins() {
    let ours = r#"{"models":[{"provider":"ours","name":"gpt-4o","context_window":64000,"source":"s","date":"2026-11-23"}]}"#;
    let catalogue = Catalogue::bundled().with(Catalogue::from_json(ours).unwrap());
    let window = |name| catalogue.model(name).map(Model::context_window);
    assert_eq!(
        (
            window("gpt-4o"),
            window("ours/gpt-4o"),
            window("openai/gpt-4o")
        ),
        (Some(64_000), Some(64_000), Some(128_000))
    );
}

/// Messages of the providers, from their issue trackers and documentation.
#[test]
fn overflow_messages_give_their_numbers() {
    for (message, tokens, limit) in [
        (
            "prompt is too long: 200251 tokens > 200000 maximum",
            Some(200_251),
            Some(200_000),
        ),
        (
            "The model returned the following errors: prompt is too long: 200049 tokens > 200000 maximum",
            Some(200_049),
            Some(200_000),
        ),
        (
            "This model's maximum context length is 16385 tokens. However, your messages resulted in 33625 tokens. Please reduce the length of the messages.",
            Some(33_625),
            Some(16_385),
        ),
        (
            "This model's maximum context length is 32768 tokens. However, you requested 33077 tokens (1077 in the messages, 32000 in the completion). Please reduce the length of the messages or completion.",
            Some(1_077),
            Some(32_768),
        ),
        (
            "Input tokens exceed the configured limit of 922000 tokens. Your messages resulted in 1860900 tokens.",
            Some(1_860_900),
            Some(922_000),
        ),
        (
            "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
            Some(1_200_293),
            Some(1_048_576),
        ),
        (
            "The input token count exceeds the maximum number of tokens allowed 1048576.",
            None,
            Some(1_048_576),
        ),
        (
            "The input (20486 tokens) is longer than the model's context length (20480 tokens).",
            Some(20_486),
            Some(20_480),
        ),
        (
            "prompt token count of 130,219 exceeds the limit of 128,000",
            Some(130_219),
            Some(128_000),
        ),
        (
            "input length and `max_tokens` exceed context limit: 198000 + 20000 > 200000, decrease input length",
            Some(198_000),
            Some(200_000),
        ),
    ] {
        let overflow = Overflow::parse(message).unwrap();
        assert_eq!(
            (overflow.prompt_tokens(), overflow.limit()),
            (tokens, limit),
            "{message}"
        );
    }
    for other in [
        "",
        "Rate limit reached: Limit 30000, Used 29937, Requested 385",
        "Incorrect API key provided",
    ] {
        assert_eq!(Overflow::parse(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn any_message_can_be_read(message in "\\PC{0,80}(prompt is too long: |input token count \\(|é in the messages)?\\PC{0,40}") {
        let _ = Overflow::parse(&message);
    }
}
