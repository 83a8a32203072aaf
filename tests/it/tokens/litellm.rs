//! P1: the model table of `LiteLLM`, read at run time.

use fusebox::tokens::{Catalogue, Encoding, Model};
use fusebox::{LineUp, Pipeline, TokenBudget, Version};
use proptest::prelude::*;

use crate::support::EVENING;

/// A small table in the shape of `model_prices_and_context_window.json`.
const TABLE: &str = r#"{
    "sample_spec": { "litellm_provider": "one of the providers", "mode": "one of: chat, embedding", "max_input_tokens": "max input tokens", "deprecation_date": "YYYY-MM-DD" },
    "gpt-4o": { "litellm_provider": "openai", "mode": "chat", "max_tokens": 16384, "max_input_tokens": 128000, "max_output_tokens": 16384, "input_cost_per_token": 2.5e-06, "supports_vision": true, "source": "https://example.com/prices" },
    "azure/gpt-4o": { "litellm_provider": "azure", "mode": "chat", "max_input_tokens": 128000, "max_output_tokens": 16384, "deprecation_date": "2027-04-14" },
    "github_copilot/gpt-4o": { "litellm_provider": "github_copilot", "mode": "chat", "max_input_tokens": 64000, "max_output_tokens": 4096 },
    "gpt-5": { "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 272000, "max_output_tokens": 128000 },
    "gpt-5.4": { "litellm_provider": "openai", "mode": "responses", "max_input_tokens": 1050000, "max_output_tokens": 128000 },
    "azure/gpt-5.4": { "litellm_provider": "azure", "mode": "chat", "max_input_tokens": 922000, "max_output_tokens": 128000 },
    "github_copilot/gpt-5.4": { "litellm_provider": "github_copilot", "mode": "chat", "max_input_tokens": 272000, "max_output_tokens": 128000 },
    "vertex_ai/model-a": { "litellm_provider": "vertex_ai-language-models", "mode": "chat", "max_input_tokens": 8192, "max_output_tokens": 16384 },
    "model-b": { "litellm_provider": "vertex_ai-anthropic_models", "mode": "chat", "max_input_tokens": 50000.0, "max_output_tokens": null },
    "xai/model-c": { "litellm_provider": "xai", "mode": "completion", "max_input_tokens": 500000, "max_output_tokens": 500000, "deprecation_date": "2027-01-31" },
    "groq/openai/model-d": { "litellm_provider": "groq", "mode": "chat", "max_input_tokens": 131072, "max_output_tokens": 65536 },
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": { "litellm_provider": "bedrock_converse", "mode": "chat", "max_input_tokens": 200000, "max_output_tokens": 64000 },
    "cerebras/model-e": { "litellm_provider": "cerebras", "mode": "chat", "max_input_tokens": 32000, "max_output_tokens": 4000, "deprecation_date": "2027-06-01" },
    "novita/model-e": { "litellm_provider": "novita", "mode": "chat", "max_input_tokens": 32000, "max_output_tokens": 4000, "deprecation_date": "2027-05-01" },
    "text-embedding-3-large": { "litellm_provider": "openai", "mode": "embedding", "max_input_tokens": 8191 },
    "perplexity/openai/gpt-5.4": { "litellm_provider": "perplexity", "mode": "responses" },
    "old/model": { "litellm_provider": "old", "mode": "chat", "max_tokens": 4096 },
    "bad/window": { "litellm_provider": "bad", "mode": "chat", "max_input_tokens": "many" },
    "bad/zero": { "litellm_provider": "bad", "mode": "chat", "max_input_tokens": 0 },
    "bad/date": { "litellm_provider": "bad", "mode": "chat", "max_input_tokens": 1000, "deprecation_date": "soon" },
    "bad/provider": { "mode": "chat", "max_input_tokens": 1000 },
    "bad/row": 7
}"#;

fn table() -> Catalogue {
    Catalogue::from_litellm(TABLE).unwrap()
}

/// Why a version of this model cannot go live.
fn refusal(catalogue: Catalogue, model: &str) -> String {
    let version = Version::new("v7", model).unwrap();
    let budget = TokenBudget::builder().catalogue(catalogue).build().unwrap();
    let line_up = LineUp::new(version.with_system_prompt_tokens(10));
    let pipeline = Pipeline::builder(line_up).guard(budget).build();
    pipeline.unwrap_err().to_string()
}

/// The window, the largest input and the largest answer.
fn limits(model: &Model) -> (u64, Option<u64>, Option<u64>) {
    (
        model.context_window(),
        model.largest_input(),
        model.largest_answer(),
    )
}

/// GPT-5 has a window of 400,000 and reads 272,000; GPT-5.4 has 1,050,000 and reads 922,000, and the
/// table gives either number for it. Nothing tells what Copilot's 272,000 are, so they are a window.
#[test]
fn a_window_and_a_largest_input_are_told_apart_or_the_smaller_is_assumed() {
    let catalogue = table();
    for (name, expected, is_assumed) in [
        ("openai/gpt-4o", (128_000, None, Some(16_384)), false),
        (
            "openai/gpt-5",
            (400_000, Some(272_000), Some(128_000)),
            false,
        ),
        (
            "openai/gpt-5.4",
            (1_050_000, Some(922_000), Some(128_000)),
            false,
        ),
        (
            "azure/gpt-5.4",
            (1_050_000, Some(922_000), Some(128_000)),
            false,
        ),
        (
            "github_copilot/gpt-5.4",
            (272_000, None, Some(128_000)),
            true,
        ),
        ("github_copilot/gpt-4o", (64_000, None, Some(4_096)), true),
        ("vertex_ai/model-a", (16_384, Some(8_192), None), true),
        ("vertex_ai/model-b", (50_000, None, None), true),
        ("xai/model-c", (500_000, None, None), true),
        ("groq/openai/model-d", (131_072, None, Some(65_536)), true),
    ] {
        let row = catalogue.rows().find(|row| row.name() == name);
        let row = row.unwrap_or_else(|| panic!("{name}"));
        assert_eq!(limits(row.model()), expected, "{name}");
        assert_eq!(row.assumption().is_some(), is_assumed, "{row}");
        assert_eq!(catalogue.model(name), Some(row.model()), "{name}");
    }
    // At no reserve may more be sent than the table's largest input.
    assert_eq!(
        catalogue
            .model("vertex_ai/model-a")
            .unwrap()
            .largest_prompt(0),
        8_192
    );
    let row = catalogue
        .rows()
        .find(|row| row.name() == "xai/model-c")
        .unwrap();
    assert_eq!(
        row.to_string(),
        "xai/model-c: no source; assumed: the largest input and the largest answer are equal: they are one \
         window of prompt and answer together"
    );
    let row = catalogue
        .rows()
        .find(|row| row.name() == "openai/gpt-4o")
        .unwrap();
    assert_eq!(row.source(), "https://example.com/prices");
    assert_eq!(row.date(), None);
}

#[test]
fn each_provider_has_its_own_row() {
    let catalogue = table();
    for (name, api_name) in [
        ("openai/gpt-5", "gpt-5"),
        ("azure/gpt-5.4", "gpt-5.4"),
        ("vertex_ai/model-b", "model-b"),
        ("groq/openai/model-d", "openai/model-d"),
        (
            "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
    ] {
        let model = catalogue.model(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(model.name(), &api_name, "{name}");
    }
    assert_eq!(
        catalogue.model("openai/model-d"),
        None,
        "no guess by a part of the name"
    );
    assert_eq!(catalogue.model("azure/gpt-5"), None);
}

#[test]
fn a_bare_name_is_found_where_all_providers_agree() {
    let catalogue = table();
    let clear = |name: &str| catalogue.model(name).map(limits);
    assert_eq!(
        clear("gpt-5"),
        Some((400_000, Some(272_000), Some(128_000)))
    );
    assert_eq!(clear("model-d"), Some((131_072, None, Some(65_536))));
    let bedrock = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(clear(bedrock), Some((200_000, None, Some(64_000))));
    // Two providers with the same limits: the first end of life is the one to warn of.
    assert_eq!(clear("model-e"), Some((32_000, None, Some(4_000))));
    let end = |name: &str| catalogue.model(name).unwrap().end_of_life();
    assert_eq!(end("model-e"), end("novita/model-e"));
    assert!(end("model-e") < end("cerebras/model-e"));
}

#[test]
fn a_bare_name_with_different_windows_is_refused_with_its_candidates() {
    let catalogue = table();
    assert_eq!(catalogue.model("gpt-4o"), None);
    let candidates: Vec<_> = catalogue.candidates("gpt-4o").collect();
    let expected = ["azure/gpt-4o", "github_copilot/gpt-4o", "openai/gpt-4o"];
    assert_eq!(candidates, expected);
    assert_eq!(catalogue.candidates("gpt-9").count(), 0);
    assert!(catalogue.models().all(|(name, _)| name != "gpt-4o"));

    assert_eq!(
        refusal(catalogue, "gpt-4o"),
        "model of version `v7`: got `gpt-4o`, expected the name with its provider, because their \
         limits differ: one of azure/gpt-4o, github_copilot/gpt-4o, openai/gpt-4o"
    );
}

#[test]
fn eight_candidates_are_named_and_the_ninth_is_only_hinted_at() {
    for (gateways, end) in [(8, ", g7/m, g8/m"), (9, ", g7/m, g8/m, ..")] {
        let row = |n| {
            let fields = format!(r#""mode":"chat","max_input_tokens":{n}000"#);
            format!(r#""g{n}/m":{{"litellm_provider":"g{n}",{fields}}}"#)
        };
        let rows = (1..=gateways).map(row).collect::<Vec<_>>().join(",");
        let catalogue = Catalogue::from_litellm(&format!("{{{rows}}}")).unwrap();
        let refusal = refusal(catalogue, "m");
        assert!(refusal.ends_with(end), "{refusal}");
    }
}

/// The bundled catalogue says whose name it is, and the table what its limits are now.
#[test]
fn on_top_of_the_bundled_catalogue_a_bare_name_has_its_owner() {
    let changed = TABLE.replacen("128000", "96000", 1);
    let catalogue = Catalogue::bundled().with(Catalogue::from_litellm(&changed).unwrap());
    let window = |name: &str| catalogue.model(name).unwrap().context_window();
    assert_eq!(
        (window("gpt-4o"), window("openai/gpt-4o")),
        (96_000, 96_000)
    );
    assert_eq!(window("azure/gpt-4o"), 128_000);
    assert_eq!(
        window("o3"),
        200_000,
        "a model that the table does not have"
    );
    assert_eq!(catalogue.skipped().len(), 9);
    // The same for a snapshot, which is an alias in the bundled file.
    let snapshot = "gpt-5-mini-2025-08-07";
    let text = format!(
        r#"{{"{snapshot}":{{"litellm_provider":"openai","mode":"chat","max_input_tokens":99000}}}}"#
    );
    let catalogue = Catalogue::bundled().with(Catalogue::from_litellm(&text).unwrap());
    let window = |name: &str| catalogue.model(name).unwrap().context_window();
    assert_eq!(window(snapshot), 99_000);
    assert_eq!(window(&format!("openai/{snapshot}")), 99_000);
}

/// The tokenizer and the rules for counting are the model's, wherever it is served.
#[test]
fn encodings_and_families_of_bundled_rows_are_kept() {
    let (bundled, catalogue) = (Catalogue::bundled(), table());
    let same = |ours: &str, theirs: &str| {
        let theirs = bundled.model(theirs).unwrap().clone();
        let ours = catalogue.model(ours).unwrap().clone();
        // All but the end of life, which is each provider's.
        let (ours, theirs) = (
            ours.with_end_of_life(EVENING),
            theirs.with_end_of_life(EVENING),
        );
        assert_eq!(ours, theirs);
    };
    same("openai/gpt-4o", "gpt-4o");
    same("azure/gpt-4o", "azure/gpt-4o");
    same("openai/gpt-5", "gpt-5");
    let bedrock = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    same(bedrock, bedrock);
    let copilot = catalogue.model("github_copilot/gpt-4o").unwrap();
    assert_eq!(copilot.encoding(), Some(Encoding::O200kBase));
    assert_eq!(
        catalogue.model("groq/openai/model-d").unwrap().encoding(),
        None
    );
}

#[test]
fn rows_that_cannot_be_used_are_listed_with_the_reason() {
    let catalogue = table();
    let skipped: Vec<_> = catalogue
        .skipped()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        skipped,
        [
            "sample_spec: mode: got `one of: chat, embedding`, expected chat, completion, responses",
            "text-embedding-3-large: mode: got `embedding`, expected chat, completion, responses",
            "perplexity/openai/gpt-5.4: max_input_tokens: got `nothing`, expected a number of tokens",
            "old/model: max_input_tokens: got `nothing`, expected a number of tokens",
            "bad/window: max_input_tokens: got `\"many\"`, expected a number of tokens",
            "bad/zero: max_input_tokens: got `0`, expected a number of tokens",
            "bad/date: deprecation_date: got `soon`, expected a date such as 2026-11-30",
            "bad/provider: litellm_provider: got `nothing`, expected a text",
            "bad/row: mode: got `nothing`, expected a text",
        ]
    );
    assert!(
        catalogue
            .skipped()
            .iter()
            .all(|row| catalogue.model(row.name()).is_none())
    );
}

/// A key that comes twice, with and without its provider, or twice in the JSON.
#[test]
fn rows_that_contradict_each_other_are_not_used() {
    let row = |key: &str, window: u64| {
        format!(
            r#""{key}":{{"litellm_provider":"deepseek","mode":"chat","max_input_tokens":{window}}}"#
        )
    };
    let read = |rows: &[String]| Catalogue::from_litellm(&format!("{{{}}}", rows.join(",")));
    let good = row("good", 1_000);
    let two = [row("m", 4_000), row("deepseek/m", 8_000), good.clone()];
    let catalogue = read(&two).unwrap();
    assert_eq!(
        (catalogue.model("m"), catalogue.model("deepseek/m")),
        (None, None)
    );
    let skipped: Vec<_> = catalogue
        .skipped()
        .iter()
        .map(ToString::to_string)
        .collect();
    let reason = |key: &str, window: u64| {
        format!(
            "{key}: limits of `deepseek/m`: got `{window}`, expected the same in each row of this \
             name"
        )
    };
    assert_eq!(skipped, [reason("m", 4_000), reason("deepseek/m", 8_000)]);
    let catalogue = read(&[row("m", 4_000), row("m", 8_000), good.clone()]).unwrap();
    assert_eq!(catalogue.model("m"), None);
    let catalogue = read(&[row("m", 4_000), row("deepseek/m", 4_000), good]).unwrap();
    assert_eq!(catalogue.model("m").map(Model::context_window), Some(4_000));
    assert_eq!(catalogue.skipped(), []);
}

#[test]
fn what_is_no_table_is_an_error() {
    let deep = "[".repeat(100_000);
    for (text, error) in [
        ("", "state of `LiteLLM's model table`: EOF"),
        ("no JSON", "state of `LiteLLM's model table`: expected"),
        (
            "[]",
            "state of `LiteLLM's model table`: invalid type: sequence, expected an object",
        ),
        (
            "{\"m\": {\"mode\": \"chat\"",
            "state of `LiteLLM's model table`: EOF",
        ),
        (
            &format!("{{\"m\":{{\"mode\":{deep}"),
            "state of `LiteLLM's model table`: recursion limit",
        ),
        (
            "{}",
            "rows of LiteLLM's model table: got `0`, expected at least one chat",
        ),
        (
            r#"{"m":{"litellm_provider":"p","mode":"chat"}}"#,
            "rows of LiteLLM's model table: got `1`, expected at least one chat",
        ),
        // The catalogue's own format is another one.
        (
            r#"{"models":[{"provider":"p","name":"m","context_window":9}]}"#,
            "rows of LiteLLM's model table: got `1`, expected at least one chat",
        ),
    ] {
        let got = Catalogue::from_litellm(text).unwrap_err().to_string();
        assert!(got.starts_with(error), "{got}");
    }
}

#[test]
fn a_hostile_key_is_shown_on_one_line() {
    let text =
        r#"{"a\u001b[31m\nb":7,"m":{"litellm_provider":"p","mode":"chat","max_input_tokens":9}}"#;
    let catalogue = Catalogue::from_litellm(text).unwrap();
    let line = catalogue.skipped()[0].to_string();
    assert!(line.starts_with(r"a\u{1b}[31m\nb: mode: got"), "{line}");
}

proptest! {
    #[test]
    fn any_value_of_a_field_is_read(
        field in "litellm_provider|mode|max_input_tokens|max_output_tokens|deprecation_date|source",
        value in r#"null|true|-1|0|1|3\.5|1e3|1e999|18446744073709551615|18446744073709551616|"\PC{0,8}"|\[1\]|\{"a":\{\}\}"#,
        key in "[a-z/.]{0,12}",
    ) {
        let text = format!(
            r#"{{"{key}":{{"litellm_provider":"p","mode":"chat","max_input_tokens":9,"{field}":{value}}}}}"#
        );
        let _ = Catalogue::from_litellm(&text);
    }

    /// No reading lets a prompt pass that the table's numbers forbid.
    #[test]
    fn the_smaller_reading_is_taken(input in 1_u64..3_000_000, answer in prop::option::of(1_u64..3_000_000)) {
        let answer = answer.map_or("null".to_owned(), |answer| answer.to_string());
        let text = format!(
            r#"{{"m":{{"litellm_provider":"p","mode":"chat","max_input_tokens":{input},"max_output_tokens":{answer}}}}}"#
        );
        let catalogue = Catalogue::from_litellm(&text).unwrap();
        let model = catalogue.model("m").unwrap();
        prop_assert_eq!(model.largest_prompt(0), input);
        prop_assert!(model.largest_answer().is_none_or(|answer| answer < model.context_window()));
    }
}
