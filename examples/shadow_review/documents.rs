//! The documents, and what a careful reader finds in each.

use std::fs;
use std::path::Path;

use fusebox::DocumentType;
use serde_json::{Value, json};

use crate::AnyError;
use crate::folder::{self, TextFile};

/// The number of lines of a table that an answer has.
const LINES: usize = 5;

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) kind: DocumentType,
    pub(crate) text: String,
    /// The right answer, with the fields that stand beside the document as JSON, its account number
    /// and the first lines of its table.
    pub(crate) right: Value,
    /// The first amount that stands before the currency: the net amount, or an opening balance.
    pub(crate) first_amount: Option<String>,
}

pub(crate) fn load() -> Result<Vec<Document>, AnyError> {
    let folder = folder::read(&folder::own())?;
    if let Some(unreadable) = folder.unreadable.first() {
        return Err(unreadable.as_str().into());
    }
    folder.files.into_iter().map(document).collect()
}

fn document(file: TextFile) -> Result<Document, AnyError> {
    let expected = file.path.with_extension("json");
    let failed = |error: String| format!("{}: {error}", expected.display());
    let bytes = fs::read(&expected).map_err(|error| failed(error.to_string()))?;
    let fields: Value =
        serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
    let Value::Object(mut right) = fields else {
        return Err(failed("not an object".into()).into());
    };
    let lines = lines(&file.text);
    if !lines.is_empty() {
        right.insert("lines".into(), lines.into());
    }
    if let Some(account) = file.text.lines().find_map(account) {
        right.insert("iban".into(), account.into());
    }
    let currency = right.get("currency").and_then(Value::as_str);
    let first_amount = currency.and_then(|currency| first_amount(&file.text, currency));
    Ok(Document {
        name: name(&file.path),
        kind: file.document_type,
        first_amount,
        right: right.into(),
        text: file.text,
    })
}

fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// The rows of a table with a description and three numbers.
fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(line).take(LINES).collect()
}

fn line(text: &str) -> Option<Value> {
    let cells: Vec<&str> = if text.contains(';') {
        text.split(';').collect()
    } else if text.starts_with('|') {
        text.trim_matches('|').split('|').collect()
    } else {
        text.split("  ").filter(|cell| !cell.is_empty()).collect()
    };
    let &[description, quantity, price, amount] = &cells[..] else {
        return None;
    };
    Some(json!({
        "description": description.trim(),
        "quantity": decimal(quantity)?,
        "unit_price": decimal(price)?,
        "amount": decimal(amount)?,
    }))
}

/// An account number as banks print it: two letters and two digits, then groups of four, of which
/// only the last may be shorter.
fn account(line: &str) -> Option<String> {
    let groups: Vec<&str> = line.split_whitespace().collect();
    let begins = |group: &&str| {
        let (letters, digits) = group.split_at_checked(2).unwrap_or_default();
        group.len() == 4
            && letters.chars().all(|letter| letter.is_ascii_uppercase())
            && digits.chars().all(|digit| digit.is_ascii_digit())
    };
    let first = groups.iter().position(begins)?;
    let mut account = Vec::new();
    for group in groups.get(first..)? {
        let group = group.trim_end_matches(',');
        if group.len() > 4 || !group.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            break;
        }
        account.push(group);
        if group.len() < 4 {
            break;
        }
    }
    (account.len() >= 5).then(|| account.join(" "))
}

fn first_amount(text: &str, currency: &str) -> Option<String> {
    let mut amounts = text.lines().filter_map(|line| {
        let before = line.trim_end().strip_suffix(currency)?.trim_end();
        decimal(before.rsplit("  ").next()?)
    });
    amounts.next()
}

/// `1.769,71`, `1 769,71` and `1'769.71` as `1769.71`; `1,769` as `1769`.
fn decimal(text: &str) -> Option<String> {
    let text = text.trim();
    let is_mark = |letter: char| matches!(letter, '.' | ',' | '\'' | ' ');
    let known = |letter: char| letter.is_ascii_digit() || is_mark(letter);
    if !text.starts_with(|first: char| first.is_ascii_digit()) || !text.chars().all(known) {
        return None;
    }
    let digits = |part: &str| {
        part.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    match text.rsplit_once(['.', ',']) {
        Some((whole, part)) if part.len() == 2 => Some(format!("{}.{part}", digits(whole))),
        _ => Some(digits(text)),
    }
}
