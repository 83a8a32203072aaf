//! P1: what an API adds to messages, tools and images is counted, or bounded where it is not known.

#[cfg(feature = "tiktoken")]
use fusebox::tokens::{Catalogue, Encoding};
use fusebox::tokens::{Conversation, Framing, Message, Model, TokenCount};
use fusebox::{Call, Error, TokenBudget, Version};
use serde_json::{Value, json};

use super::model;

/// A model with an encoding, framed as a family is.
#[cfg(feature = "tiktoken")]
fn of_family(family: &str, encoding: Encoding) -> Model {
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

/// The six messages of the OpenAI cookbook; its totals, which are also what the API reported: 129
/// for gpt-4 and gpt-3.5-turbo, 124 for gpt-4o and gpt-4o-mini, 127 for gpt-3.5-turbo-0301 by the
/// older rule.
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
        let count = counted(&of_family(family, encoding), &call, None).unwrap();
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

/// The tools of the OpenAI cookbook: 105 tokens for gpt-4 and gpt-3.5-turbo, 101 for gpt-4o and
/// gpt-4o-mini.
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
        let count = counted(&of_family(family, encoding), &call, Some(weather_tool())).unwrap();
        assert_eq!(count, TokenCount::exact(tokens), "{family}");
    }
}

#[cfg(feature = "tiktoken")]
#[test]
fn what_the_rule_for_tools_does_not_describe_raises_the_bound() {
    let messages = weather_question();
    let call = empty_call().with_messages(&messages);
    let gpt_4o = of_family("gpt-4o", Encoding::O200kBase);
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
    // A model whose API does not document tools: Anthropic's own example is 403 tokens for one such
    // tool and question.
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
    let gpt_4o = of_family("gpt-4o", Encoding::O200kBase);
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
    let plain = model("model", 128_000);
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
