//! P1: what the messages of a conversation come to, whatever they hold.
//!
//! The numbers are those of OpenAI's cookbook (openai/openai-cookbook, "How to count tokens with
//! tiktoken", `num_tokens_from_messages`): 3 tokens for each message, the tokens of its role,
//! content and name, 1 more for a name, and 3 that open the reply. A counter of one token a byte
//! makes each of them a sum of lengths.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fusebox::tokens::{
    Conversation, Framing, Image, ImageRule, Message, Model, ProviderCounts, TokenBreakdown,
    TokenCount, TokenCounter,
};
use fusebox::{Call, Error, LineUp, Ratio, TokenBudget, Version};
use serde_json::{Value, json};

use crate::support::Bench;

/// So many tokens for each byte; it keeps how often it was asked.
#[derive(Clone, Debug)]
struct PerByte {
    name: String,
    tokens: u64,
    asked: Arc<AtomicU64>,
}

impl PerByte {
    fn new(tokens: u64) -> Self {
        Self {
            name: format!("{tokens} a byte"),
            tokens,
            asked: Arc::default(),
        }
    }

    /// How often it was asked since the last time.
    fn taken(&self) -> u64 {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

impl TokenCounter for PerByte {
    fn name(&self) -> &str {
        &self.name
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(TokenCount::exact(self.tokens * text.len() as u64))
    }
}

/// Counts no text.
#[derive(Debug)]
struct Broken;

impl TokenCounter for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn count(&self, _: &str) -> Result<TokenCount, Error> {
        Err(Error::count("broken", "out of order"))
    }
}

/// OpenAI's guide to images: 85 tokens for an image, and 170 for each tile of 512 pixels.
const TILES: ImageRule = ImageRule::Tiles {
    base: 85,
    tile: 170,
};

fn model(window: u64, framing: Framing) -> Model {
    let model = Model::new("ours", window).unwrap();
    model.with_framing(framing).with_image_rule(TILES)
}

fn budget(model: Model, counter: impl TokenCounter + 'static) -> TokenBudget {
    let builder = TokenBudget::builder().model(model).limit(Ratio::ONE);
    builder.counter("ours", counter).build().unwrap()
}

fn version() -> Version {
    let version = Version::new("v1", "ours").unwrap();
    version.with_system_prompt("")
}

fn call(messages: &Conversation) -> Call<'_> {
    Call::new("doc", "inquiry").unwrap().with_messages(messages)
}

/// What the messages come to in the framing of the cookbook, with a token for each byte.
fn counted(messages: &Conversation) -> Result<TokenBreakdown, Error> {
    let cookbook = Framing::per_message(3).with_name(1).with_reply(3);
    budget(model(100_000, cookbook), PerByte::new(1)).count(&call(messages), &version())
}

fn of(message: Message) -> TokenBreakdown {
    counted(&Conversation::from_iter([message])).unwrap()
}

fn from_json(message: &Value) -> Message {
    Message::from_json(message).unwrap()
}

fn content(content: &Value) -> Result<TokenBreakdown, Error> {
    let message = json!({ "role": "user", "content": content });
    counted(&Conversation::from_iter([from_json(&message)]))
}

/// A guard in front of a model with so many tokens of prompt, which adds nothing to messages.
fn bench(window: u64, counter: &PerByte) -> Bench {
    let budget = budget(model(window, Framing::NONE), counter.clone());
    let bench = Bench::with(LineUp::new(version()), |builder| builder.guard(budget));
    counter.taken();
    bench
}

fn is_admitted(bench: &Bench, messages: &Conversation) -> bool {
    bench.pipeline.admit(&call(messages)).permit().is_some()
}

#[test]
fn a_message_comes_to_its_text_its_role_its_name_and_what_the_api_adds() {
    let nothing = counted(&Conversation::new()).unwrap();
    assert_eq!(nothing.prompt(), TokenCount::exact(3));
    for (message, tokens) in [
        (Message::user("hello"), 3 + 4 + 5 + 3),
        (Message::assistant("hello"), 3 + 9 + 5 + 3),
        (
            Message::new("system", "hello").with_name("example_user"),
            3 + 6 + 5 + (12 + 1) + 3,
        ),
        (
            from_json(&json!({ "role": "system", "name": "example_user", "content": "hello" })),
            3 + 6 + 5 + (12 + 1) + 3,
        ),
        (
            from_json(&json!({ "role": "assistant", "content": null })),
            3 + 9 + 3,
        ),
        (from_json(&json!({ "role": "assistant" })), 3 + 9 + 3),
    ] {
        let name = format!("{message:?}");
        assert_eq!(of(message).prompt(), TokenCount::exact(tokens), "{name}");
    }
}

#[test]
fn messages_add_up() {
    let messages = Conversation::from_iter([
        Message::user("What does the supplier owe us?"),
        Message::assistant("312.40 EUR."),
    ]);
    let breakdown = counted(&messages).unwrap();
    assert_eq!(breakdown.history, TokenCount::exact(30 + 11));
    assert_eq!(breakdown.framing, TokenCount::exact(3 + 4 + 3 + 9 + 3));
    assert_eq!(breakdown.images, TokenCount::ZERO);
}

#[test]
fn the_blocks_of_a_message_are_text_by_every_name_that_an_api_has_for_it() {
    for kind in ["text", "input_text", "output_text"] {
        let blocks =
            json!([{ "type": kind, "text": "Overdue since " }, { "type": kind, "text": "March" }]);
        let breakdown = content(&blocks).unwrap();
        assert_eq!(breakdown.history, TokenCount::exact(14 + 5), "{kind}");
        let without_text = content(&json!([{ "type": kind }])).unwrap();
        // {"type":"text"} and its like: eleven bytes and the name.
        assert_eq!(
            without_text.history,
            TokenCount::at_most(11 + kind.len() as u64)
        );
    }
}

/// An image of unknown size has 85 + 8 * 170 tokens at most: 768 by 2,048 pixels are two by four
/// tiles.
#[test]
fn an_image_block_counts_by_the_rule_of_the_model() {
    let unknown = TokenCount::between(85, 85 + 8 * 170);
    for (block, images) in [
        (
            json!({ "type": "image_url", "image_url": { "url": "https://x" } }),
            unknown,
        ),
        (
            json!({ "type": "image_url", "image_url": { "url": "https://x", "detail": "high" } }),
            unknown,
        ),
        (
            json!({ "type": "image_url", "image_url": { "url": "https://x", "detail": "low" } }),
            TokenCount::exact(85),
        ),
        (
            json!({ "type": "input_image", "image_url": "https://x" }),
            unknown,
        ),
        (
            json!({ "type": "input_image", "image_url": "https://x", "detail": "low" }),
            TokenCount::exact(85),
        ),
        (
            json!({ "type": "image", "source": { "type": "base64", "data": "iVBORw0KGgo" } }),
            unknown,
        ),
    ] {
        let breakdown = content(&json!([block])).unwrap();
        assert_eq!(
            (breakdown.images, breakdown.history),
            (images, TokenCount::ZERO),
            "{block}"
        );
    }
}

/// OpenAI's guide: 1,024 by 1,024 pixels in high detail are 765 tokens, and any image in low detail
/// is 85.
#[test]
fn a_message_with_an_image_is_counted_by_the_image_rule() {
    let scan = Image::new(1_024, 1_024);
    let message = Message::user("hello").with_image(scan).with_image(scan);
    let breakdown = of(message.with_image(Image::new(4_096, 8_192).low_detail()));
    assert_eq!(breakdown.images, TokenCount::exact(765 + 765 + 85));
    assert_eq!(breakdown.history, TokenCount::exact(5));
    assert_eq!(breakdown.framing, TokenCount::exact(3 + 4 + 3));
}

#[test]
fn what_is_not_counted_in_text_makes_a_call_uncountable() {
    for kind in [
        "input_audio",
        "file",
        "input_file",
        "document",
        "video",
        "audio",
    ] {
        let blocks = json!([{ "type": "text", "text": "See the attachment." }, { "type": kind }]);
        assert!(content(&blocks).is_err(), "{kind}");
    }
    let messages = Conversation::from_iter([Message::user("hello")]);
    let broken = budget(model(100_000, Framing::NONE), Broken);
    let version = version().with_system_prompt_tokens(0);
    let count = |messages: &Conversation| broken.count(&call(messages), &version);
    assert!(count(&Conversation::new()).is_ok());
    assert!(count(&messages).is_err());
}

#[test]
fn what_is_not_known_raises_the_bound_by_its_length() {
    for (unknown, bytes) in [
        (
            json!([{ "type": "thinking" }]),
            r#"{"type":"thinking"}"#.len(),
        ),
        (json!(["a text"]), r#""a text""#.len()),
        (json!({ "odd": "shape" }), r#"{"odd":"shape"}"#.len()),
        (json!(3.25), "3.25".len()),
    ] {
        let breakdown = content(&unknown).unwrap();
        assert_eq!(
            breakdown.history,
            TokenCount::at_most(bytes as u64),
            "{unknown}"
        );
    }
    let with_other_keys =
        json!({ "role": "user", "content": "hello", "name": "ann", "refusal": null, "n": [1, 2] });
    let history = of(from_json(&with_other_keys)).history;
    // The text; null; [1,2].
    assert_eq!((history.lower(), history.upper()), (5, Some(5 + 4 + 5)));
}

#[test]
fn the_bytes_of_a_call_are_those_of_its_document_its_messages_and_their_names() {
    let blocks = json!([{ "type": "text", "text": "seven b" }, { "type": "text", "text": "eleven byte" }, { "type": "odd" }]);
    let message = json!({ "role": "user", "name": "ann", "content": blocks, "n": [1, 2] });
    let mut messages = Conversation::from_iter([from_json(&message)]);
    // The name, two texts, {"type":"odd"} and [1,2].
    let first = 3 + 7 + 11 + 14 + 5;
    assert_eq!(call(&messages).text_bytes(), first);
    messages.push(Message::assistant("thirteen byte").with_image(Image::new(64, 64)));
    messages.push(Message::user("é"));
    assert_eq!(call(&messages).text_bytes(), first + 13 + 2);
    let call = Call::new("doc", "inquiry").unwrap().with_document("four");
    let call = call.with_history(&messages);
    assert_eq!(call.text_bytes(), 4 + first + 13 + 2);
}

#[test]
fn a_conversation_knows_how_many_messages_it_has() {
    let mut messages = Conversation::new();
    assert_eq!((messages.len(), messages.is_empty()), (0, true));
    messages.push(Message::user("hello"));
    assert_eq!((messages.len(), messages.is_empty()), (1, false));
    messages.extend([Message::assistant("hello"), Message::user("bye")]);
    assert_eq!((messages.len(), messages.is_empty()), (3, false));
    let message = json!({ "role": "user", "content": "hello" });
    let read = Conversation::from_json(&json!([message, message])).unwrap();
    assert_eq!((read.len(), call(&read).text_bytes()), (2, 10));
}

#[test]
fn what_was_said_can_be_read_back() {
    let example = Message::new("system", "New synergies").with_name("example_user");
    let blocks = json!([{ "type": "text", "text": "What is this?" }, { "type": "image" }, { "type": "odd" },
        { "type": "file" }, { "type": "text", "text": "And that?" }]);
    let question = from_json(&json!({ "role": "user", "content": blocks }));
    let said = Conversation::from_iter([example.clone(), question.clone()]);
    assert_eq!(said.messages(), [example, question]);
    let [example, question] = said.messages() else {
        panic!("{said:?}");
    };
    assert_eq!(
        (example.role(), example.name()),
        ("system", Some("example_user"))
    );
    assert_eq!((question.role(), question.name()), ("user", None));
    assert!(example.texts().eq(["New synergies"]));
    assert!(question.texts().eq(["What is this?", "And that?"]));
    assert_eq!(Message::assistant("").role(), "assistant");
}

#[test]
fn a_copy_comes_to_the_same_and_goes_its_own_way() {
    let image = Message::user("hello").with_image(Image::new(1_024, 1_024));
    let messages = Conversation::from_iter([image, Message::user("bye")]);
    let breakdown = counted(&messages).unwrap();
    let mut copy = messages.clone();
    assert_eq!((copy.len(), call(&copy).text_bytes()), (2, 8));
    assert_eq!(counted(&copy).unwrap(), breakdown);
    copy.push(Message::user("later"));
    assert_eq!(
        counted(&copy).unwrap().history,
        TokenCount::exact(5 + 3 + 5)
    );
    assert_eq!(
        (messages.len(), counted(&messages).unwrap()),
        (2, breakdown)
    );
}

#[test]
fn a_conversation_prints_its_size_and_none_of_its_text() {
    let messages = Conversation::from_iter([Message::user("secret"), Message::user("secrets")]);
    assert_eq!(
        format!("{messages:?}"),
        "Conversation { messages: 2, bytes: 13, .. }"
    );
}

#[test]
fn an_error_shows_the_beginning_of_what_was_refused() {
    let long = "x".repeat(200);
    let error = Conversation::from_json(&json!(long)).unwrap_err();
    let shown = format!("\"{}", "x".repeat(79));
    assert_eq!(
        error.to_string(),
        format!("messages: got `{shown}`, expected a list of messages")
    );
    let error = Message::from_json(&json!({ "content": long })).unwrap_err();
    let shown = format!(r#"{{"content":"{}"#, "x".repeat(68));
    assert_eq!(
        error.to_string(),
        format!("role of a message: got `{shown}`, expected a text")
    );
}

/// A token for two bytes; it keeps how often it was asked.
#[derive(Clone, Debug, Default)]
struct PerTwoBytes(Arc<AtomicU64>);

impl TokenCounter for PerTwoBytes {
    fn name(&self) -> &'static str {
        "two bytes"
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(TokenCount::exact(text.len() as u64 / 2))
    }
}

#[test]
fn messages_are_counted_only_where_their_bytes_and_framing_may_not_fit() {
    let counter = PerTwoBytes::default();
    let budget = budget(model(1_000, Framing::per_message(10)), counter.clone());
    let bench = Bench::with(LineUp::new(version()), |builder| builder.guard(budget));
    let taken = || counter.0.swap(0, Ordering::Relaxed);
    taken();
    let mut messages: Conversation = (0..10).map(|_| Message::user("u".repeat(86))).collect();
    assert!(is_admitted(&bench, &messages));
    assert_eq!(taken(), 0, "10 * (86 + 4 + 10) = 1,000 tokens at most");
    messages.push(Message::user(""));
    assert!(is_admitted(&bench, &messages));
    assert_eq!(
        taken(),
        2 * 11,
        "1,014 tokens at most, so texts and roles are counted"
    );
    let of_ten = 10 * (43 + 2 + 10) + 2 + 10;
    let left = 1_000 - of_ten - (2 + 10);
    for (bytes, fits) in [(2 * left, true), (2 * left + 2, false)] {
        let mut messages = messages.clone();
        messages.push(Message::user("u".repeat(bytes)));
        assert_eq!(is_admitted(&bench, &messages), fits, "{bytes}");
    }
}

/// An image of 1,024 by 1,024 pixels has 765 tokens (OpenAI's guide), whatever its message is in
/// bytes.
#[test]
fn images_are_not_overlooked_where_the_text_is_short() {
    let image = || Message::user("").with_image(Image::new(1_024, 1_024));
    let text = || Message::user("hello");
    let counter = PerByte::new(1);
    for (messages, tokens) in [
        (vec![image()], 765),
        (vec![image(), text()], 770),
        (vec![text(), image()], 770),
        (vec![image(), image()], 1_530),
        (vec![image(), text(), image(), text()], 1_540),
    ] {
        let messages = Conversation::from_iter(messages);
        assert!(is_admitted(&bench(tokens, &counter), &messages));
        let too_small = bench(tokens - 1, &counter);
        assert!(!is_admitted(&too_small, &messages), "{tokens} tokens");
        assert!(!is_admitted(&too_small, &messages.clone()), "{tokens}");
    }
}

/// The bound that decides without a count is never below the count, whatever the API adds.
#[test]
fn the_bound_of_a_conversation_holds_for_every_framing_and_role() {
    let counter = PerByte::new(1);
    let long = "r".repeat(3_000);
    let conversations = [
        (0..100).map(|_| Message::user("u")).collect(),
        Conversation::from_iter([Message::new(&long, "hello")]),
        Conversation::from_iter([Message::new("critic", "hello").with_name(&long)]),
        Conversation::from_iter([
            Message::assistant("hello").with_name("ann"),
            Message::user(""),
        ]),
    ];
    let framings = [
        Framing::NONE,
        Framing::per_message(30),
        Framing::per_message(3).with_name(40).with_reply(3),
        Framing::per_message(4).with_name(-1).with_reply(3),
    ];
    for framing in framings {
        for messages in &conversations {
            let large = budget(model(100_000, framing), counter.clone());
            let tokens = large.count(&call(messages), &version()).unwrap().prompt();
            assert!(tokens.is_exact(), "{tokens}");
            for (window, fits) in [(tokens.lower(), true), (tokens.lower() - 1, false)] {
                let budget = budget(model(window, framing), counter.clone());
                let bench = Bench::with(LineUp::new(version()), |builder| builder.guard(budget));
                assert_eq!(
                    is_admitted(&bench, messages),
                    fits,
                    "{framing:?} {messages:?}"
                );
            }
        }
    }
}

/// 30 tokens for each of a thousand messages, and 2 for its text and role.
#[test]
fn a_thousand_messages_with_thirty_tokens_of_framing_do_not_fit_into_12_000() {
    let counter = PerByte::new(1);
    let framing = Framing::per_message(30);
    let messages: Conversation = (0..1_000).map(|_| Message::new("u", "u")).collect();
    for (window, fits) in [(12_000, false), (31_999, false), (32_000, true)] {
        let budget = budget(model(window, framing), counter.clone());
        let bench = Bench::with(LineUp::new(version()), |builder| builder.guard(budget));
        assert_eq!(is_admitted(&bench, &messages), fits, "{window}");
    }
}

/// Where the framing is not known, a documented role is among the ten tokens of a message, and any
/// other role adds its bytes.
#[test]
fn a_role_of_any_length_raises_the_bound_where_the_framing_is_unknown() {
    let counter = PerByte::new(1);
    let unknown = Model::new("ours", 100_000).unwrap();
    let of = |role: &str| {
        let messages = Conversation::from_iter([Message::new(role, "hello")]);
        let count = budget(unknown.clone(), counter.clone()).count(&call(&messages), &version());
        let count = count.unwrap().prompt();
        let window = count.upper().unwrap();
        for (window, fits) in [(window, true), (window - 1, false)] {
            let model = unknown.clone().with_context_window(window).unwrap();
            let budget = budget(model, counter.clone());
            let bench = Bench::with(LineUp::new(version()), |builder| builder.guard(budget));
            assert_eq!(is_admitted(&bench, &messages), fits, "{role} {window}");
        }
        count.upper()
    };
    for role in [
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
        "function",
        "model",
    ] {
        assert_eq!(of(role), Some(10 + 5 + 10), "{role}");
    }
    assert_eq!(of("critic"), Some(10 + 6 + 5 + 10));
    assert_eq!(of(&"r".repeat(30_000)), Some(10 + 30_000 + 5 + 10));
}

/// Fails, then bounds, then counts.
#[derive(Clone, Debug, Default)]
struct Recovers(Arc<AtomicU64>);

impl TokenCounter for Recovers {
    fn name(&self) -> &'static str {
        "recovers"
    }

    fn count(&self, text: &str) -> Result<TokenCount, Error> {
        let bytes = text.len() as u64;
        match self.0.load(Ordering::Relaxed) {
            0 => Err(Error::count("recovers", "out of order")),
            1 => Ok(TokenCount::at_most(bytes)),
            _ => Ok(TokenCount::exact(bytes)),
        }
    }
}

#[test]
fn a_count_that_failed_or_is_a_bound_is_not_kept() {
    let counter = Recovers::default();
    let cookbook = Framing::per_message(3).with_name(1).with_reply(3);
    let budget = budget(model(100_000, cookbook), counter.clone());
    let version = version().with_system_prompt_tokens(0);
    let mut messages = Conversation::from_iter([Message::user("hello").with_name("ann")]);
    let count = |messages: &Conversation| budget.count(&call(messages), &version);
    counter.0.store(2, Ordering::Relaxed);
    let first = TokenCount::exact(3 + 4 + (3 + 1) + 5 + 3);
    assert_eq!(count(&messages).unwrap().prompt(), first);
    messages.push(Message::user("bye"));
    counter.0.store(0, Ordering::Relaxed);
    assert!(count(&messages).is_err());
    counter.0.store(1, Ordering::Relaxed);
    let bounded = count(&messages).unwrap().prompt();
    let framed = first.lower() + 3;
    assert_eq!(
        (bounded.lower(), bounded.upper()),
        (framed, Some(framed + 4 + 3))
    );
    counter.0.store(2, Ordering::Relaxed);
    let whole = TokenCount::exact(framed + 4 + 3);
    assert_eq!(count(&messages).unwrap().prompt(), whole);
    counter.0.store(0, Ordering::Relaxed);
    assert_eq!(count(&messages).unwrap().prompt(), whole, "all are counted");
}

/// The provider's count of a message comes after its first bound.
#[test]
fn a_message_that_the_provider_counts_later_is_no_longer_bounded() {
    let counts = Arc::new(ProviderCounts::new("ours"));
    let budget = budget(model(100_000, Framing::NONE), Arc::clone(&counts));
    let messages = Conversation::from_iter([Message::user("hello"), Message::user("bye")]);
    let count = || budget.count(&call(&messages), &version()).unwrap().history;
    assert_eq!(count(), TokenCount::at_most(8));
    counts.learn("hello", 1);
    assert_eq!((count().lower(), count().upper()), (1, Some(1 + 3)));
    counts.learn("bye", 1);
    assert_eq!(count(), TokenCount::by_provider(2));
}

/// A line-up of three versions with twenty fallback models has at most 23 models.
#[test]
fn a_turn_costs_its_own_length_for_64_models() {
    let counters: Vec<_> = (1..=65).map(PerByte::new).collect();
    let mut messages = Conversation::from_iter([Message::user("hello"), Message::user("bye")]);
    let budgets = counters.iter().map(|counter| {
        let budget = budget(model(1_000, Framing::NONE), counter.clone());
        // The prompt is counted once, before anything else.
        budget
            .count(&call(&Conversation::new()), &version())
            .unwrap();
        counter.taken();
        budget
    });
    let budgets: Vec<_> = budgets.collect();
    let asked = |messages: &Conversation, models: std::ops::Range<usize>| -> u64 {
        let round = budgets
            .iter()
            .zip(&counters)
            .take(models.end)
            .skip(models.start);
        let asked = round.map(|(budget, counter)| {
            let history = budget.count(&call(messages), &version()).unwrap().history;
            let bytes = messages
                .messages()
                .iter()
                .flat_map(Message::texts)
                .map(str::len);
            assert_eq!(
                history.lower(),
                bytes.sum::<usize>() as u64 * counter.tokens
            );
            counter.taken()
        });
        asked.sum()
    };
    assert_eq!(
        asked(&messages, 0..64),
        2 * 64,
        "two messages for each model"
    );
    assert_eq!(asked(&messages, 0..64), 0);
    messages.push(Message::user("more"));
    assert_eq!(asked(&messages, 0..64), 64, "one message for each model");
    assert_eq!(asked(&messages, 64..65), 3);
    assert_eq!(
        asked(&messages, 1..65),
        0,
        "the one that was used least recently is forgotten"
    );
    assert_eq!(asked(&messages, 0..1), 3);
}
