//! Answers that were cut or blocked although the API said 200, told by their finish reason.

use fusebox::failure::FinishReason;
use fusebox::name::FinishWord;
use fusebox::{FailureKind, Reason, Report, RouteLedger, Settlement};
use proptest::prelude::*;

use crate::support::Bench;

use FailureKind::{
    ContentFiltered, ContextLengthExceeded, MalformedOutput, Overloaded, Refusal, ServerError,
    Timeout, Truncated,
};

fn word(text: &str) -> FinishWord {
    FinishWord::new(text).unwrap()
}

/// Each word in lower case, in upper case, and as SDKs print it: `EndTurn`.
fn spellings(word: &str) -> [String; 3] {
    let parts = word.split('_').map(|part| {
        let (first, rest) = part.split_at(1);
        first.to_uppercase() + rest
    });
    [word.to_owned(), word.to_uppercase(), parts.collect()]
}

/// The words of the providers' references.
#[test]
fn complete_answers() {
    for reason in "stop end_turn tool_use tool_calls tool_call stop_sequence function_call eos \
                   eos_token complete completed finish"
        .split_whitespace()
    {
        for spelling in spellings(reason) {
            let read = FinishReason::from(&spelling);
            assert_eq!(read, FinishReason::Complete, "{spelling}");
        }
    }
    assert_eq!(FinishReason::from(" stop\n"), FinishReason::Complete);
}

#[test]
fn failures_by_their_kind() {
    for (kind, reasons) in [
        (Truncated, "length max_tokens max_output_tokens"),
        (
            ContextLengthExceeded,
            "model_context_window_exceeded model_length",
        ),
        (Refusal, "refusal"),
        (
            ContentFiltered,
            "content_filter content_filtered guardrail_intervened safety recitation blocklist \
             prohibited_content spii model_armor image_safety jailbreak",
        ),
        (
            MalformedOutput,
            "malformed_function_call malformed_response malformed_model_output \
             malformed_tool_use unexpected_tool_call",
        ),
        (Overloaded, "insufficient_system_resource"),
        (ServerError, "error"),
        (Timeout, "timeout"),
    ] {
        for reason in reasons.split_whitespace() {
            for spelling in spellings(reason) {
                let read = FinishReason::from(&spelling);
                assert_eq!(read, FinishReason::Failed(kind), "{spelling}");
            }
        }
    }
}

#[test]
fn a_word_that_does_not_say_complete_is_unclear() {
    for reason in [
        "pause_turn",
        "OTHER",
        "FINISH_REASON_UNSPECIFIED",
        "in_progress",
        "incomplete",
        "cancelled",
        "stopped_by_gateway",
        "stop!",
        "null",
    ] {
        let read = FinishReason::from(reason);
        assert_eq!(read, FinishReason::Unclear(word(reason)), "{reason}");
    }
    let empty = FinishReason::Unclear(word("(empty)"));
    assert_eq!(FinishReason::from(""), empty);
    assert_eq!(FinishReason::from("  "), empty);
}

/// A pipeline whose guards accept everything.
fn settled(report: Report) -> Settlement {
    let bench = Bench::with_guard(RouteLedger::default());
    bench.permit("invoice").answer(report)
}

#[test]
fn an_unclear_answer_goes_to_review_with_the_word() {
    for reason in ["pause_turn", "something_new"] {
        let settlement = settled(Report::new().finish_reason(reason));
        let Settlement::NeedsReview { reasons, .. } = settlement else {
            panic!("{reason}: {settlement:?}");
        };
        let expected = Reason::UnclearFinish { word: word(reason) };
        assert_eq!(reasons, [expected].into(), "{reason}");
    }
    let accepted = settled(Report::new().finish_reason("END_TURN"));
    assert!(matches!(accepted, Settlement::Accepted { .. }));
    let cut = settled(Report::new().finish_reason("max_output_tokens"));
    assert!(matches!(
        cut,
        Settlement::Failed {
            kind: Truncated,
            ..
        }
    ));
}

#[test]
fn a_word_of_ones_own_can_be_declared() {
    let declared = |reason: &str| match reason {
        "gateway_done" => FinishReason::Complete,
        "gpu_lost" => FinishReason::Failed(ServerError),
        other => FinishReason::from(other),
    };
    let report = |reason| Report::new().finish_reason(declared(reason));
    assert_eq!(report("gateway_done"), Report::new());
    assert_eq!(report("gpu_lost").failure(), Some(ServerError));
    let unclear = report("gateway_gone");
    assert_eq!(unclear.unclear_finish(), Some(&word("gateway_gone")));
}

/// An answer with several choices has several reasons, in any order.
#[test]
fn the_worst_of_several_reasons_counts() {
    for reasons in [["stop", "pause_turn"], ["pause_turn", "stop"]] {
        let report = reasons.iter().fold(Report::new(), |report, reason| {
            report.finish_reason(*reason)
        });
        assert_eq!(report.unclear_finish(), Some(&word("pause_turn")));
    }
    for reasons in [["length", "pause_turn"], ["pause_turn", "length"]] {
        let report = reasons.iter().fold(Report::new(), |report, reason| {
            report.finish_reason(*reason)
        });
        assert!(matches!(
            settled(report),
            Settlement::Failed {
                kind: Truncated,
                ..
            }
        ));
    }
}

#[test]
fn the_word_is_bounded_and_escaped() {
    let hostile = format!("done\n\u{1b}[31mpage: all is well{}", "x".repeat(10_000));
    let report = Report::new().finish_reason(&hostile);
    let word = report.unclear_finish().unwrap().clone();
    assert!(word.as_str().len() <= 256, "{}", word.as_str().len());
    let text = Reason::UnclearFinish { word }.to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(
        text.starts_with("finish reason `done\\n\\u{1b}[31mpage"),
        "{text}"
    );
    assert!(
        text.ends_with("` does not say that the answer is complete"),
        "{text}"
    );
}

#[test]
fn a_report_and_its_reason_are_stored_and_read_again() {
    let report = Report::new().finish_reason("pause_turn");
    let stored = serde_json::to_value(&report).unwrap();
    assert_eq!(stored["unclear_finish"], "pause_turn");
    assert_eq!(serde_json::from_value::<Report>(stored).unwrap(), report);
    let old = r#"{"confidences":[],"usage":null,"failure":null}"#;
    assert_eq!(serde_json::from_str::<Report>(old).unwrap(), Report::new());
    let reason = Reason::UnclearFinish {
        word: word("pause_turn"),
    };
    let stored = serde_json::to_value(&reason).unwrap();
    let expected = serde_json::json!({ "unclear_finish": { "word": "pause_turn" } });
    assert_eq!(stored, expected);
    assert_eq!(serde_json::from_value::<Reason>(stored).unwrap(), reason);
}

proptest! {
    #[test]
    fn no_other_word_is_a_success(reason in "[\\PC]{0,12}|(stop|eos|end_turn)[a-z_ ]{1,3}") {
        let known = [
            "stop", "endturn", "stopsequence", "tooluse", "toolcalls", "toolcall", "functioncall",
            "complete", "completed", "eos", "eostoken", "finish", "finished", "stopcriteriamet",
            "endoftext",
        ];
        let plain = reason.trim().to_ascii_lowercase().replace(['_', '-'], "");
        prop_assume!(!known.contains(&plain.as_str()));
        prop_assert_ne!(FinishReason::from(reason.as_str()), FinishReason::Complete);
    }
}
