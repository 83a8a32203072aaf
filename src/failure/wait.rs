//! Reads how long an API asks to wait.

use std::time::Duration;

/// Reads `2`, `0.5`, `644ms`, `6 minutes` or `1h2m3.5s`. A number alone is in seconds.
pub(super) fn wait(text: &str) -> Option<Duration> {
    let text = text.trim();
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        let unit = match unit {
            "" if number == text => 1.0,
            unit => seconds_of(unit)?,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        rest = after.trim_start();
    }
    let seconds = (!text.is_empty()).then_some(seconds)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads a message such as "Please try again in 6m38.304s. Need more tokens?"
pub(super) fn wait_in(message: &str) -> Option<Duration> {
    let words = ["try again in ", "retry in ", "retry after "];
    let (_, after) = words.iter().find_map(|words| message.split_once(words))?;
    let mut text = String::new();
    for whole in after.split_whitespace().take(6) {
        let (plain, _) = split(whole, |c| c.is_alphanumeric() || c == '.');
        let word = plain.trim_end_matches('.');
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        if !number && seconds_of(word).is_none() {
            // "5 seconds passed" is a wait, "3 weeks" is none.
            let alone = text.trim_end().parse::<f64>().is_ok();
            return wait(&text).filter(|_| !alone);
        }
        text.push_str(word);
        text.push(' ');
        if word.len() < whole.len() {
            break;
        }
    }
    wait(&text)
}

/// The length of a unit in seconds.
fn seconds_of(unit: &str) -> Option<f64> {
    match unit {
        "ms" | "millisecond" | "milliseconds" => Some(0.001),
        "s" | "sec" | "second" | "seconds" => Some(1.0),
        "m" | "min" | "minute" | "minutes" => Some(60.0),
        "h" | "hour" | "hours" => Some(3_600.0),
        "d" | "day" | "days" => Some(86_400.0),
        _ => None,
    }
}

fn split(text: &str, part: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    text.split_at(end)
}
