//! P1: what is known of models, and what APIs say of their limits.

use std::time::Duration;

use fusebox::Timestamp;
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
        "azure",
        "anthropic",
        "google",
        "mistral",
        "meta",
        "cohere",
        "amazon",
        "bedrock",
        "xai",
        "deepseek",
        "qwen",
        "moonshot",
        "zai",
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
    let text = r#"{"models":[{"provider":"p","name":"m","source":" ","date":"2026-11-23","context_window":10}]}"#;
    assert_eq!(
        Catalogue::from_json(text).unwrap_err().to_string(),
        "source of model `m`: got ` `, expected where the limits come from"
    );
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

/// The dates of the providers' pages of deprecations: an undated name ends with its snapshots.
#[test]
fn ends_of_life_that_providers_have_announced() {
    let catalogue = Catalogue::bundled();
    for (name, end) in [
        ("gpt-4o", "2027-01-14"),
        ("gpt-4o-2024-11-20", "2027-01-14"),
        ("gpt-4o-2024-05-13", "2026-10-23"),
        ("gpt-4o-mini", "2027-01-14"),
        ("gpt-4.1", "2027-01-14"),
        ("gpt-4.1-mini-2025-04-14", "2027-01-14"),
        ("gpt-4.1-nano", "2026-10-23"),
        ("gpt-5", "2026-12-11"),
        ("gemini-2.5-pro", "2026-12-01"),
        ("gemini-2.5-flash", "2026-12-01"),
        ("azure/gpt-4o-2024-11-20", "2027-04-14"),
        ("claude-sonnet-4-5-20250929", "2026-11-30"),
    ] {
        let model = catalogue.model(name).unwrap_or_else(|| panic!("{name}"));
        let found = model.end_of_life().map(|end| end.to_string());
        assert_eq!(found, Some(format!("{end}T00:00:00.000Z")), "{name}");
    }
    let lite = catalogue.model("gemini-2.5-flash-lite").unwrap();
    assert_eq!(lite.end_of_life(), None);
}

/// Windows and largest answers of families, snapshots, regional ids and gateways' names.
#[test]
fn one_row_has_several_names() {
    let catalogue = Catalogue::bundled();
    for (name, window, answer) in [
        ("gpt-oss-120b", 131_072, Some(131_072)),
        ("gpt-oss-20b", 131_072, Some(65_536)),
        ("gpt-5-mini-2025-08-07", 400_000, Some(128_000)),
        ("openai/gpt-5-mini-2025-08-07", 400_000, Some(128_000)),
        ("azure/eu/gpt-4o", 128_000, Some(16_384)),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            200_000,
            Some(64_000),
        ),
        ("eu.anthropic.claude-sonnet-5", 1_000_000, Some(128_000)),
        ("global.anthropic.claude-opus-5-5", 1_000_000, Some(128_000)),
        (
            "bedrock/us.anthropic.claude-opus-5-5",
            1_000_000,
            Some(128_000),
        ),
        ("us.amazon.nova-pro-v1:0", 300_000, Some(10_000)),
        ("us.meta.llama3-3-70b-instruct-v1:0", 128_000, Some(4_096)),
        ("grok-4.7", 500_000, None),
        ("deepseek-v4-pro", 1_000_000, Some(393_216)),
        ("qwen3-max", 258_048, Some(65_536)),
        ("dashscope/qwen3-max", 258_048, Some(65_536)),
        ("kimi-k3", 1_048_576, None),
        ("gemini/gemini-2.5-pro", 1_048_576, Some(65_536)),
        ("gemini-4-argon", 1_048_576, None),
        ("gpt-6-astra", 1_050_000, Some(128_000)),
        ("claude-fable-5-1", 1_000_000, Some(128_000)),
    ] {
        let model = catalogue.model(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(
            (model.context_window(), model.largest_answer()),
            (window, answer),
            "{name}"
        );
    }
    // The model has the name under which it is called.
    let called = |name: &str| catalogue.model(name).unwrap().name().as_str().to_owned();
    let regional = "us.anthropic.claude-opus-5-5";
    assert_eq!(called(regional), regional);
    assert_eq!(called("bedrock/us.anthropic.claude-opus-5-5"), regional);
    assert_eq!(called("azure/gpt-4o-2024-08-06"), "gpt-4o-2024-08-06");
    assert_eq!(called("azure/eu/gpt-4o"), "azure/eu/gpt-4o");
    // An alias has the tokenizer and the rules of its row.
    let of = |name: &str| catalogue.model(name).unwrap().encoding();
    assert_eq!(of("azure/eu/gpt-4o"), Some(Encoding::O200kBase));
}

/// The bundled file, as data.
fn bundled_file() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tokens/catalogue.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_bundled_row_has_a_source_and_a_date() {
    let catalogue = Catalogue::bundled();
    let file = bundled_file();
    assert_eq!(
        catalogue.rows().count(),
        file["models"].as_array().unwrap().len()
    );
    for row in catalogue.rows() {
        assert!(row.source().len() > 5, "{row}");
        assert!(row.date().is_some(), "{row}");
        assert_eq!(row.assumption(), None, "{row}");
    }
    // Nothing was checked later than the newest row, and no row before the project began.
    let dates = |list: &str| -> Vec<String> {
        let rows = file[list].as_array().unwrap().iter();
        rows.map(|row| row["date"].as_str().unwrap().to_owned())
            .collect()
    };
    let newest = dates("models").into_iter().max().unwrap();
    let factor = file["assumed_factor"]["date"].as_str().unwrap().to_owned();
    for date in dates("models")
        .into_iter()
        .chain(dates("families"))
        .chain([factor])
    {
        assert!(*"2025-11-01" < *date && date <= newest, "{date}");
    }
    assert_eq!(catalogue.skipped(), []);
}

#[test]
fn rows_above_an_age_are_listed() {
    let text = r#"{"models":[
        {"provider":"p","name":"old","aliases":["older"],"context_window":9,"source":"page 1","date":"2026-09-01"},
        {"provider":"p","name":"new","context_window":9,"source":"page 2","date":"2026-11-01"}]}"#;
    let catalogue = Catalogue::from_json(text).unwrap();
    let (day, checked) = (Duration::from_secs(24 * 60 * 60), |name: &str| {
        let row = catalogue.rows().find(|row| row.name() == name);
        row.unwrap().date().unwrap()
    });
    let older = |age: Duration, now: Timestamp| -> Vec<_> {
        let rows = catalogue.rows_older_than(age, now);
        rows.map(ToString::to_string).collect()
    };
    let at = checked("p/old") + 60 * day;
    assert_eq!(older(60 * day, at), Vec::<String>::new());
    let just_after = at + Duration::from_millis(1);
    assert_eq!(older(60 * day, just_after), ["p/old: page 1 (2026-09-01)"]);
    let both = ["p/new: page 2 (2026-11-01)", "p/old: page 1 (2026-09-01)"];
    assert_eq!(older(Duration::ZERO, checked("p/new") + day), both);
    assert_eq!(
        older(Duration::ZERO, Timestamp::EPOCH),
        Vec::<String>::new()
    );
}

#[test]
fn two_rows_of_a_file_have_no_name_in_common() {
    let row = |provider: &str, name: &str, aliases: &str| {
        format!(
            r#"{{"provider":"{provider}","name":"{name}","aliases":[{aliases}],"context_window":9,"source":"s","date":"2026-11-23"}}"#
        )
    };
    let read = |one: String, other: String| {
        Catalogue::from_json(&format!(r#"{{"models":[{one},{other}]}}"#))
    };
    let error = |one, other| read(one, other).unwrap_err().to_string();
    assert_eq!(
        error(row("p", "m", ""), row("q", "m", "")),
        "names of the rows `p/m` and `q/m`: got `m`, expected no name in common"
    );
    assert_eq!(
        error(row("p", "m", ""), row("q", "n", r#""m""#)),
        "names of the rows `p/m` and `q/n`: got `m`, expected no name in common"
    );
    assert_eq!(
        error(row("p", "m", ""), row("q", "n", r#""p/m""#)),
        "names of the rows `p/m` and `q/n`: got `p/m`, expected no name in common"
    );
    assert_eq!(
        error(row("p", "m", r#""m""#), row("q", "n", "")),
        "names of the rows `p/m` and `p/m`: got `m`, expected no name in common"
    );
    // At Azure, a customer's deployment may have any name.
    let catalogue = read(row("p", "m", ""), row("azure", "m", "")).unwrap();
    assert_eq!(catalogue.candidates("m").collect::<Vec<_>>(), ["p/m"]);
    assert!(catalogue.model("azure/m").is_some());
    // A name of another file is replaced, as a row or as an alias.
    let ours = Catalogue::from_json(&format!(
        r#"{{"models":[{}]}}"#,
        row("q", "n", r#""m", "gateway/m""#)
    ));
    let both = catalogue.with(ours.unwrap());
    assert_eq!(both.model("m").unwrap().name(), &"m");
    assert!(both.model("gateway/m").is_some() && both.model("q/m").is_some());
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
