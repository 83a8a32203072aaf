use fusebox::pager::Pager;

use super::*;

fn sent(notification: &Notification, form: Form) -> (Value, Vec<String>) {
    let request = slack().request(notification, form, EVENING).unwrap();
    assert_eq!(request.url.reveal(), SLACK_URL);
    let message = body(&request);
    let blocks = message["blocks"].as_array().unwrap();
    let texts = blocks
        .iter()
        .map(|block| block["text"]["text"].as_str().unwrap().to_owned());
    (message["text"].clone(), texts.collect())
}

#[test]
fn a_message_says_the_effect_first_and_then_what_to_do() {
    let (text, sections) = sent(&triggered(), Form::Full);
    assert!(
        text.as_str().unwrap().starts_with("Page: invoices: "),
        "{text}"
    );
    assert!(
        sections[0].starts_with("*Page* invoices: "),
        "{}",
        sections[0]
    );
    let lines: Vec<&str> = sections[1]
        .lines()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "<https",
            "*done already",
            "*still wrong",
            "*since",
            "*ends when",
            "*undo",
            "*incident"
        ]
    );
    assert!(
        sections[2].contains("\nthreshold: 5 of 100"),
        "{}",
        sections[2]
    );
}

#[test]
fn an_end_is_a_message_of_its_own_and_so_is_what_was_missed() {
    let (text, sections) = sent(&ended(Action::Resolve), Form::Full);
    assert!(
        text.as_str().unwrap().starts_with("resolved: invoices: "),
        "{text}"
    );
    assert_eq!(sections.len(), 2);
    assert!(sections[1].contains("*lasted:* 10m"), "{}", sections[1]);
    let (text, _) = sent(&ended(Action::Missed), Form::Full);
    let start = "over before it could be told: invoices: ";
    assert!(text.as_str().unwrap().starts_with(start), "{text}");
}

#[test]
fn no_text_mentions_a_person_or_breaks_a_link() {
    let hostile = changed(
        &triggered(),
        json!({
            "summary": "<!channel> & <@U1>", "undo": "<https://evil.example|Runbook>",
            "runbook": "https://docs.example/a>b|c#<!here>",
            "evidence": { "<!here>": "<!here>" },
        }),
    );
    let (_, sections) = sent(&hostile, Form::Full);
    assert!(
        sections[0].ends_with("&lt;!channel&gt; &amp; &lt;@U1&gt;"),
        "{}",
        sections[0]
    );
    let link = "<https://docs.example/a%3Eb%7Cc#%3C!here%3E|Runbook>";
    assert!(sections[1].starts_with(link), "{}", sections[1]);
    assert!(sections[1].contains("*undo:* &lt;https://evil.example|Runbook&gt;"));
    assert_eq!(sections[2], "  here : &lt;!here&gt;");
}

#[test]
fn a_section_of_3000_characters_is_sent_whole_and_a_longer_one_cut() {
    let long: Map<String, Value> = (0..20)
        .map(|n| (format!("n{n:02}"), json!("x".repeat(400))))
        .collect();
    let (_, sections) = sent(
        &changed(&triggered(), json!({ "evidence": long })),
        Form::Full,
    );
    assert_eq!(sections[2].chars().count(), 3_000);
    assert!(sections[2].ends_with('…'));
}

#[test]
fn the_minimal_form_is_one_ascii_line() {
    let long = changed(&triggered(), json!({ "summary": "größer ".repeat(100) }));
    let (_, sections) = sent(&long, Form::Minimal);
    assert_eq!(sections.len(), 1);
    assert!(sections[0].is_ascii() && sections[0].len() == 200 + "*Page* ".len());
}
