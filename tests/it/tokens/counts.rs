//! P1: counts hold, whatever the text.

use fusebox::failure::Overflow;
use fusebox::tokens::{ByteBound, Catalogue, ProviderCounts};
use fusebox::tokens::{
    Conversation, Encoding, Framing, Message, Model, Provenance, TokenCount, TokenCounter,
};
use fusebox::{Call, Error, TokenBudget, Version};
use proptest::prelude::*;
use serde_json::{Value, json};

fn exactly(counter: &dyn TokenCounter, text: &str) -> u64 {
    let count = counter.count(text).unwrap();
    assert!(count.is_exact(), "{count:?}");
    count.lower()
}

/// The cookbook's table of the encodings of the reference implementation (openai/openai-cookbook, "How to count tokens
/// with tiktoken"): of R50K, P50K, CL100K and O200K.
#[cfg(feature = "tiktoken")]
const COOKBOOK: [(&str, [u64; 4]); 3] = [
    ("antidisestablishmentarianism", [5, 5, 6, 6]),
    ("2 + 2 = 4", [5, 5, 7, 7]),
    ("お誕生日おめでとう", [14, 14, 9, 8]),
];

#[cfg(feature = "tiktoken")]
#[test]
fn every_encoding_counts_as_the_cookbook_says() {
    let encodings = [
        Encoding::R50kBase,
        Encoding::P50kBase,
        Encoding::Cl100kBase,
        Encoding::O200kBase,
    ];
    for (text, expected) in COOKBOOK {
        for (encoding, expected) in encodings.into_iter().zip(expected) {
            assert_eq!(
                exactly(&fusebox::tokens::Tiktoken::new(encoding), text),
                expected,
                "{encoding} {text}"
            );
            assert_eq!(exactly(&*encoding.counter().unwrap(), text), expected);
        }
        // The same vocabularies with other special tokens.
        for (encoding, same_as) in [(Encoding::P50kEdit, 1), (Encoding::O200kHarmony, 3)] {
            assert_eq!(
                exactly(&*encoding.counter().unwrap(), text),
                expected[same_as]
            );
        }
    }
}

#[cfg(not(feature = "tiktoken"))]
#[test]
fn an_encoding_that_is_off_names_the_feature_to_enable() {
    let error = Encoding::P50kBase.counter().unwrap_err().to_string();
    assert!(
        error.contains("got `p50k_base`, expected") && error.contains("feature `tiktoken`"),
        "{error}"
    );
    let model = Model::new("ours", 8_000)
        .unwrap()
        .with_encoding(Encoding::P50kBase);
    assert!(TokenBudget::builder().model(model.clone()).build().is_err());
    let with_counter = TokenBudget::builder()
        .model(model)
        .counter("ours", ByteBound);
    assert!(with_counter.build().is_ok());
}

#[cfg(all(feature = "bpe", not(feature = "tiktoken")))]
#[test]
fn bpe_alone_has_the_two_encodings_of_current_models() {
    assert_eq!(
        exactly(&*Encoding::Cl100kBase.counter().unwrap(), "2 + 2 = 4"),
        7
    );
    assert_eq!(
        exactly(
            &*Encoding::O200kHarmony.counter().unwrap(),
            "お誕生日おめでとう"
        ),
        8
    );
}

/// Every counter that was compiled in.
fn counters() -> Vec<Box<dyn TokenCounter>> {
    let bytes: [Box<dyn TokenCounter>; 1] = [Box::new(ByteBound)];
    let all = bytes.into_iter();
    #[cfg(feature = "tiktoken")]
    let all = all.chain(
        [Encoding::Cl100kBase, Encoding::O200kBase]
            .map(|encoding| Box::new(fusebox::tokens::Tiktoken::new(encoding)) as _),
    );
    #[cfg(feature = "bpe")]
    let all = all.chain(
        [Encoding::Cl100kBase, Encoding::O200kBase]
            .map(|encoding| Box::new(fusebox::tokens::Bpe::new(encoding).unwrap()) as _),
    );
    all.collect()
}

/// Texts that crash tokenizers, or that take them long: `tiktoken-rs` panics in its convenience functions on a megabyte
/// of spaces, because its regular expression overflows.
fn hostile(bytes: usize) -> Vec<(&'static str, String)> {
    let repeated = |text: &str| text.repeat(bytes / text.len());
    let mut state = 7_u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    };
    vec![
        ("spaces", repeated(" ")),
        ("spaces, then a letter", repeated(" ") + "a"),
        ("line feeds", repeated("\n")),
        ("spaces and line feeds", repeated(" \n")),
        ("one letter", repeated("a")),
        ("equals signs", repeated("=")),
        ("dashes", repeated("-")),
        ("lines of dashes", repeated(&("-".repeat(100) + "\n"))),
        (
            "dashes of two kinds",
            repeated(&("-".repeat(5_000) + &"=".repeat(5_000))),
        ),
        ("carets", repeated("^")),
        ("underscores", repeated("_")),
        ("digits", repeated("7")),
        ("one ideograph", repeated("漢")),
        ("combining marks", repeated("e\u{301}\u{302}")),
        ("emoji", repeated("👩‍👩‍👧")),
        ("special tokens", repeated("<|endoftext|>")),
        (
            "lone surrogates in JSON escapes",
            repeated(r#"{"a":"\ud800"}"#),
        ),
        ("random letters", (0..bytes).map(|_| letter()).collect()),
        ("controls", repeated("\u{0}\u{1b}[31m\u{200b}")),
    ]
}

#[test]
fn a_megabyte_of_anything_is_counted_or_bounded() {
    for (name, text) in hostile(1_000_001) {
        for counter in counters() {
            let count = counter.count(&text).unwrap();
            let upper = count.upper().unwrap();
            assert!(
                count.lower() <= upper && upper <= text.len() as u64,
                "{name} {counter:?}"
            );
            let few = counter.count_up_to(&text, 1_000).unwrap();
            assert!(few.lower() <= upper, "{name} {counter:?}");
            let is_over = few.lower() > 1_000 || few.upper().unwrap() > 1_000;
            assert!(is_over, "{name} {counter:?}: {few}");
        }
    }
}

#[test]
fn above_16_mb_only_the_bounds_are_used() {
    let text = "a".repeat((16 << 20) + 1);
    for counter in counters() {
        let count = counter.count(&text).unwrap();
        assert_eq!(count.upper(), Some(text.len() as u64), "{counter:?}");
        assert!(!count.is_exact());
    }
}

#[test]
fn what_looks_like_a_special_token_is_ordinary_text() {
    // The reference implementation gives 6,001 ordinary tokens for a thousand of them, and 1,000 special ones.
    for counter in counters() {
        if counter.name() == "o200k_base" {
            assert_eq!(exactly(&*counter, &"<|endoftext|>".repeat(1_000)), 6_001);
        }
    }
}

#[test]
fn bytes_bound_tokens_from_above() {
    assert_eq!(ByteBound.count("äöü").unwrap(), TokenCount::at_most(6));
    assert_eq!(ByteBound.count("").unwrap().upper(), Some(0));
}

/// Text as documents have it, with all that tokenizers split at.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-zA-Z]{1,12}",
        4 => "[0-9]{1,9}([.,][0-9]{2})?",
        4 => "[ \t\r\n]{1,4}",
        3 => "[.,;:!?'\"(){}\\[\\]<>|/\\\\=_+*^%$#@~`-]{1,5}",
        2 => "[一-龥ぁ-んァ-ヶ가-힣，。、]{1,6}",
        2 => "[À-ÿА-яΑ-ωא-ת\u{0600}-\u{06ff}]{1,6}",
        1 => "\\PC{1,4}",
        1 => any::<char>().prop_map(String::from),
        1 => Just("'ll don't I'M <|endoftext|>".to_owned()),
    ];
    prop::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat())
}

#[cfg(feature = "tiktoken")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Texts are counted in parts, cut where the encodings cut; the sum is what the tokenizer itself says of the whole.
    #[test]
    fn counting_in_parts_changes_nothing(text in text(), times in 1_usize..40) {
        let text = text.repeat(times);
        for (encoding, whole) in [
            (Encoding::R50kBase, tiktoken_rs::r50k_base_singleton()),
            (Encoding::Cl100kBase, tiktoken_rs::cl100k_base_singleton()),
            (Encoding::O200kBase, tiktoken_rs::o200k_base_singleton()),
        ] {
            let whole = whole.count(&text, &std::collections::HashSet::new()).unwrap() as u64;
            prop_assert_eq!(exactly(&fusebox::tokens::Tiktoken::new(encoding), &text), whole);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn bounds_always_hold(text in text()) {
        for counter in counters() {
            let (bounds, count) = (counter.bounds(&text), counter.count(&text).unwrap());
            prop_assert!(bounds.lower() <= count.lower() && count.upper() <= bounds.upper());
        }
    }

    #[test]
    fn a_limit_decides_as_the_full_count_does(text in text(), times in 1_usize..40, limit in 0_u64..9_000) {
        let text = text.repeat(times);
        for counter in counters() {
            let full = counter.count(&text).unwrap();
            let limited = counter.count_up_to(&text, limit).unwrap();
            prop_assert_eq!(limited.fits(limit), full.fits(limit), "{:?} {} {}", counter, limited, full);
            prop_assert!(limited.lower() <= full.upper().unwrap() && full.lower() <= limited.upper().unwrap());
            prop_assert!(limited.fits(limit) || limited.lower() > limit || limited == full);
        }
    }
}

#[cfg(all(feature = "tiktoken", feature = "bpe"))]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bpe_and_tiktoken_give_the_same_counts(text in text()) {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            let (bpe, tiktoken) = (fusebox::tokens::Bpe::new(encoding).unwrap(), fusebox::tokens::Tiktoken::new(encoding));
            prop_assert_eq!(bpe.count(&text).unwrap(), tiktoken.count(&text).unwrap());
        }
    }
}

#[cfg(all(feature = "tiktoken", feature = "bpe"))]
#[test]
fn bpe_and_tiktoken_agree_on_hostile_text() {
    for (name, text) in hostile(20_000) {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            let bpe = fusebox::tokens::Bpe::new(encoding).unwrap();
            let tiktoken = fusebox::tokens::Tiktoken::new(encoding);
            assert_eq!(exactly(&bpe, &text), exactly(&tiktoken, &text), "{name}");
        }
    }
}

/// A model with an encoding, framed as a family is.
#[cfg(feature = "tiktoken")]
fn model(family: &str, encoding: Encoding) -> Model {
    let model = Model::new("model", 128_000)
        .unwrap()
        .with_encoding(encoding);
    Catalogue::bundled().of_family(model, family).unwrap()
}

fn counted(model: &Model, call: &Call<'_>, tools: Option<Value>) -> Result<TokenCount, Error> {
    let version = Version::new("v1", model.name())
        .unwrap()
        .with_system_prompt("");
    let version = match tools {
        Some(tools) => version.with_tools(tools),
        None => version,
    };
    let budget = TokenBudget::builder().model(model.clone()).build().unwrap();
    budget
        .count(call, &version)
        .map(|breakdown| breakdown.prompt())
}

fn chat(messages: &Value) -> Conversation {
    Conversation::from_json(messages).unwrap()
}

fn empty_call() -> Call<'static> {
    Call::new("doc", "invoice").unwrap()
}

/// The six messages of the OpenAI cookbook; its totals, which are also what the API reported: 129 for gpt-4 and
/// gpt-3.5-turbo, 124 for gpt-4o and gpt-4o-mini, 127 for gpt-3.5-turbo-0301 by the older rule.
#[cfg(feature = "tiktoken")]
#[test]
fn messages_are_framed_as_the_cookbook_counts() {
    let messages = chat(&json!([
        { "role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English." },
        { "role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth." },
        { "role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue." },
        { "role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage." },
        { "role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better." },
        { "role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable." },
    ]));
    let call = empty_call().with_messages(&messages);
    for (family, encoding, tokens) in [
        ("gpt-4", Encoding::Cl100kBase, 129),
        ("gpt-4o", Encoding::O200kBase, 124),
        ("gpt-4o-mini", Encoding::O200kBase, 124),
        ("gpt-3.5-turbo-0301", Encoding::Cl100kBase, 127),
    ] {
        let count = counted(&model(family, encoding), &call, None).unwrap();
        assert_eq!(count, TokenCount::exact(tokens), "{family}");
    }
}

#[cfg(feature = "tiktoken")]
fn weather_tool() -> Value {
    json!([{ "type": "function", "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": { "type": "object", "properties": {
            "location": { "type": "string", "description": "The city and state, e.g. San Francisco, CA" },
            "unit": { "type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"] },
        }, "required": ["location"] },
    } }])
}

#[cfg(feature = "tiktoken")]
fn weather_question() -> Conversation {
    chat(&json!([
        { "role": "system", "content": "You are a helpful assistant that can answer to questions about the weather." },
        { "role": "user", "content": "What's the weather like in San Francisco?" },
    ]))
}

/// The tools of the OpenAI cookbook: 105 tokens for gpt-4 and gpt-3.5-turbo, 101 for gpt-4o and gpt-4o-mini.
#[cfg(feature = "tiktoken")]
#[test]
fn tools_are_counted_as_the_cookbook_counts() {
    let messages = weather_question();
    let call = empty_call().with_messages(&messages);
    for (family, encoding, tokens) in [
        ("gpt-4", Encoding::Cl100kBase, 105),
        ("gpt-4o", Encoding::O200kBase, 101),
        ("gpt-4o-mini", Encoding::O200kBase, 101),
    ] {
        let count = counted(&model(family, encoding), &call, Some(weather_tool())).unwrap();
        assert_eq!(count, TokenCount::exact(tokens), "{family}");
    }
}

#[cfg(feature = "tiktoken")]
#[test]
fn what_the_rule_for_tools_does_not_describe_raises_the_bound() {
    let messages = weather_question();
    let call = empty_call().with_messages(&messages);
    let gpt_4o = model("gpt-4o", Encoding::O200kBase);
    let nested = json!({ "type": "array", "description": "Days.", "items": { "type": "string", "pattern": "x".repeat(500) } });
    let mut tools = weather_tool();
    tools[0]["function"]["parameters"]["properties"]["days"] = nested;
    let count = counted(&gpt_4o, &call, Some(tools)).unwrap();
    assert!(
        count.lower() > 101 && count.upper().unwrap() > 600,
        "{count}"
    );
    let of_another_shape = json!([{ "name": "get_weather", "input_schema": { "type": "object" } }]);
    let count = counted(&gpt_4o, &call, Some(of_another_shape.clone())).unwrap();
    assert!(
        count.upper().unwrap() >= 30 + of_another_shape.to_string().len() as u64,
        "{count}"
    );
    // A model whose API does not document tools: Anthropic's own example is 403 tokens for one such tool and question.
    let unknown = Model::new("model", 128_000).unwrap();
    let count = counted(&unknown, &call, Some(weather_tool())).unwrap();
    assert!(count.upper().unwrap() > 403, "{count}");
    assert_eq!(
        counted(&gpt_4o, &call, Some(json!([]))).unwrap(),
        counted(&gpt_4o, &call, None).unwrap()
    );
}

#[cfg(feature = "tiktoken")]
#[test]
fn images_count_by_the_rule_of_the_model_and_never_as_text() {
    let data = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(10_000));
    let with_image = |detail: &str| {
        chat(&json!([{ "role": "user", "content": [
            { "type": "text", "text": "What is this?" },
            { "type": "image_url", "image_url": { "url": data, "detail": detail } },
        ] }]))
    };
    let gpt_4o = model("gpt-4o", Encoding::O200kBase);
    let of = |messages: &Conversation| {
        counted(&gpt_4o, &empty_call().with_messages(messages), None).unwrap()
    };
    let text = of(&chat(
        &json!([{ "role": "user", "content": "What is this?" }]),
    ))
    .lower();
    assert_eq!(of(&with_image("low")), TokenCount::exact(text + 85));
    assert_eq!(of(&with_image("high")).upper(), Some(text + 1_445));
    let scan = empty_call()
        .with_document("")
        .with_image(fusebox::tokens::Image::new(1_024, 1_024));
    let plain = counted(&gpt_4o, &empty_call().with_document(""), None).unwrap();
    assert_eq!(
        counted(&gpt_4o, &scan, None).unwrap(),
        plain + TokenCount::exact(765)
    );
    // A model whose rule for images is not known: the call cannot be counted.
    let unknown = Model::new("model", 128_000).unwrap();
    assert!(counted(&unknown, &scan, None).is_err());
    assert!(
        counted(
            &unknown,
            &empty_call().with_messages(&with_image("low")),
            None
        )
        .is_err()
    );
}

#[test]
fn an_unknown_part_raises_the_bound_or_makes_the_count_unknown() {
    let plain = Model::new("model", 128_000)
        .unwrap()
        .with_framing(Framing::NONE);
    let of = |content: Value| {
        let messages = chat(&json!([{ "role": "assistant", "content": content }]));
        counted(&plain, &empty_call().with_messages(&messages), None)
    };
    let thinking = json!([{ "type": "thinking", "thinking": "x".repeat(300) }]);
    assert!(of(thinking).unwrap().upper().unwrap() >= 300);
    assert!(of(json!({ "odd": "shape" })).unwrap().upper().unwrap() > 0);
    for block in ["input_audio", "file", "document"] {
        assert!(of(json!([{ "type": block }])).is_err(), "{block}");
    }
    let call_of_a_tool = chat(
        &json!([{ "role": "assistant", "content": null, "tool_calls": [{ "id": "x".repeat(200) }] }]),
    );
    let count = counted(&plain, &empty_call().with_messages(&call_of_a_tool), None).unwrap();
    assert!(count.upper().unwrap() >= 200, "{count}");
    assert!(!count.is_exact());
}

#[test]
fn messages_of_another_shape_are_refused() {
    for (messages, error) in [
        (
            json!("hello"),
            "messages: got `\"hello\"`, expected a list of messages",
        ),
        (
            json!([{ "content": "hello" }]),
            "role of a message: got `{\"content\":\"hello\"}`, expected a text",
        ),
    ] {
        assert_eq!(
            Conversation::from_json(&messages).unwrap_err().to_string(),
            error
        );
    }
    assert!(
        serde_json::from_str::<Value>(r#"[{"role":"user","content":"\ud800"}]"#).is_err(),
        "a lone surrogate is no text"
    );
}

#[test]
fn unknown_framing_raises_the_upper_end_only() {
    let unknown = Model::new("model", 128_000).unwrap();
    let known = unknown.clone().with_framing(Framing::NONE);
    let messages: Conversation = [Message::user(""), Message::assistant("")]
        .into_iter()
        .collect();
    let call = empty_call().with_messages(&messages);
    assert_eq!(counted(&known, &call, None).unwrap(), TokenCount::ZERO);
    let count = counted(&unknown, &call, None).unwrap();
    assert_eq!(
        (count.lower(), count.upper()),
        (0, Some(30)),
        "ten for each message and the reply"
    );
}

#[test]
fn counts_add_up_as_intervals_of_the_less_sure_kind() {
    let sum = TokenCount::exact(10) + TokenCount::by_provider(5) + TokenCount::between(7, 3);
    assert_eq!((sum.lower(), sum.upper()), (18, Some(22)));
    assert_eq!(sum.provenance(), Provenance::Bound);
    let open = TokenCount::exact(10) + TokenCount::at_least(4);
    assert_eq!(
        (open.lower(), open.upper(), open.fits(u64::MAX)),
        (14, None, false)
    );
    let most = TokenCount::exact(u64::MAX) + TokenCount::exact(1);
    assert_eq!(most.upper(), Some(u64::MAX));
    for (count, text) in [
        (TokenCount::exact(3), "3 tokens"),
        (TokenCount::at_most(3), "at most 3 tokens"),
        (TokenCount::between(2, 3), "2 to 3 tokens"),
        (TokenCount::at_least(2), "at least 2 tokens"),
    ] {
        assert_eq!(count.to_string(), text);
    }
}

#[tokio::test]
async fn a_provider_is_asked_once_for_a_text() {
    let counts = ProviderCounts::new("claude-sonnet-5");
    assert_eq!(counts.count("seven").unwrap(), TokenCount::at_most(5));
    let refused = counts.ask("seven", async || Err::<u64, _>("busy")).await;
    assert_eq!(refused, Err("busy"));
    assert_eq!(counts.known("seven"), None);
    let answered = counts.ask("seven", async || Ok::<_, &str>(3)).await;
    assert_eq!(answered, Ok(TokenCount::by_provider(3)));
    let again = counts
        .ask("seven", async || Err::<u64, _>("not asked again"))
        .await;
    assert_eq!(again, answered);
    assert_eq!(
        counts.count("seven").unwrap().provenance(),
        Provenance::Provider
    );
    for n in 0..10_000 {
        counts.learn(&n.to_string(), n);
    }
    assert_eq!(
        counts.known("seven"),
        None,
        "the oldest of more than 10,000 is forgotten"
    );
    assert_eq!(counts.known("0"), Some(TokenCount::by_provider(0)));
}

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
        unknown_family
            .starts_with("family of model `m`: got `gpt-7`, expected one of claude-4, "),
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
