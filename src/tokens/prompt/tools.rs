//! Tokens of tool definitions. OpenAI's API shows them to the model as a namespace of TypeScript:
//! that rendering gives every published total (<https://github.com/hmarr/openai-chat-tokens>, and
//! OpenAI's cookbook).

use std::fmt::Write;

use serde_json::{Map, Value};

use super::json;
use crate::tokens::count::TokenCount;
use crate::tokens::counter::TokenCounter;
use crate::tokens::model::ToolRule;

/// More than any documented API adds to tool definitions.
pub(crate) const UNKNOWN_TOOLS: u64 = 1_000;

/// What a line feed adds to a text that is not counted.
pub(crate) const LINE_FEED: TokenCount = TokenCount::at_most(1);
/// A line feed after a longer word is not counted.
const LONGEST_TAIL: usize = 1_000;

/// The tokens of a list of tool definitions, without the message that has them. What the rule does
/// not describe raises the upper end by its bytes.
pub(crate) fn tool_tokens(
    tools: &Value,
    rule: Option<ToolRule>,
    counter: &dyn TokenCounter,
) -> TokenCount {
    let functions = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    if tools.is_null() || tools.as_array().is_some_and(Vec::is_empty) {
        return TokenCount::ZERO;
    }
    let Some(rule) = rule.filter(|_| !functions.is_empty()) else {
        return TokenCount::at_most(json::length(tools).saturating_add(UNKNOWN_TOOLS));
    };
    // A JSON object does not keep the order of its properties, and the first or the last one may
    // be a token more or less.
    let rendered = Rendered::of(functions, false);
    let count = |text: &str| {
        let bytes = TokenCount::at_most(text.len() as u64);
        counter.count(text).unwrap_or(bytes)
    };
    let one = count(&rendered.text);
    let other = count(&Rendered::of(functions, true).text);
    let counted = if one == other { one } else { hull(one, other) };
    let counted = if rendered.is_covered_by(rule) {
        counted
    } else {
        spread(counted, rule.spread)
    };
    let others = match rendered.unknown {
        0 => TokenCount::ZERO,
        bytes => TokenCount::at_most(bytes),
    };
    TokenCount::exact(u64::from(rule.once)) + counted + others
}

/// The tokens of the line feed that the API puts between a system message and the tools, for a
/// counter of OpenAI's encodings: they split a text before the last space that a word follows, so
/// only what comes after it is counted.
pub(crate) fn line_feed_tokens(system: &str, counter: &dyn TokenCounter) -> TokenCount {
    let start = system.trim_end().rfind(' ').unwrap_or(0);
    let tail = system.get(start..).unwrap_or_default();
    if tail.len() > LONGEST_TAIL {
        return LINE_FEED;
    }
    let counted = counter.count(tail).ok();
    match counted.zip(counter.count(&format!("{tail}\n")).ok()) {
        Some((without, with))
            if without.is_exact() && with.is_exact() && with.lower() >= without.lower() =>
        {
            TokenCount::exact(with.lower() - without.lower())
        }
        _ => LINE_FEED,
    }
}

/// The interval of both.
fn hull(one: TokenCount, other: TokenCount) -> TokenCount {
    let upper = one.upper().zip(other.upper());
    let lower = one.lower().min(other.lower());
    upper.map_or(TokenCount::at_least(lower), |(one, other)| {
        TokenCount::between(lower, one.max(other))
    })
}

/// The interval of a count that may be wrong by so many percent.
fn spread(count: TokenCount, percent: u32) -> TokenCount {
    let error = |tokens: u64| tokens.saturating_mul(u64::from(percent)).div_ceil(100);
    let lower = count.lower().saturating_sub(error(count.lower()));
    count.upper().map_or(TokenCount::at_least(lower), |upper| {
        TokenCount::between(lower, upper.saturating_add(error(upper)))
    })
}

/// Tool definitions as the model reads them.
struct Rendered {
    text: String,
    reversed: bool,
    functions: usize,
    properties: usize,
    levels: usize,
    /// The bytes of what has no known rendering.
    unknown: u64,
}

impl Rendered {
    fn of(tools: &[Value], reversed: bool) -> Self {
        let mut rendered = Self {
            text: "namespace functions {\n\n".to_owned(),
            reversed,
            functions: 0,
            properties: 0,
            levels: 0,
            unknown: 0,
        };
        for tool in tools {
            rendered.tool(tool);
        }
        rendered.text.push_str("} // namespace functions");
        rendered
    }

    /// Whether published totals are of as many functions and properties, and as deep ones.
    fn is_covered_by(&self, rule: ToolRule) -> bool {
        let is_covered =
            |number: usize, most: u32| u32::try_from(number).is_ok_and(|number| number <= most);
        is_covered(self.functions, rule.functions)
            && is_covered(self.properties, rule.properties)
            && is_covered(self.levels, rule.levels)
    }

    fn tool(&mut self, tool: &Value) {
        let function = tool.get("function").and_then(Value::as_object);
        let named = function.and_then(|function| Some((function, text(function, "name")?)));
        let (Some((function, name)), Some(entries)) = (named, tool.as_object()) else {
            return self.is_unknown(tool);
        };
        self.functions += 1;
        self.others(entries, |key, value| {
            key == "function" || (key == "type" && value == "function")
        });
        self.others(function, |key, value| match key {
            "name" => true,
            "description" => value.is_string(),
            "parameters" => value.is_object(),
            _ => false,
        });
        self.description(function);
        let parameters = function.get("parameters").and_then(Value::as_object);
        if let Some(parameters) = parameters {
            self.others(parameters, |key, value| match key {
                "type" => value == "object",
                // It is not shown.
                "description" => value.is_string(),
                _ => is_known_of_object(key, value),
            });
        }
        match parameters.filter(|parameters| has_properties(parameters)) {
            Some(parameters) => {
                let _ = writeln!(self.text, "type {name} = (_: {{");
                self.properties(parameters, 0, 1);
                self.text.push_str("\n}) => any;\n\n");
            }
            None => {
                let _ = writeln!(self.text, "type {name} = () => any;\n");
            }
        }
    }

    /// The properties of an object, a line each, without the braces.
    fn properties(&mut self, object: &Map<String, Value>, indent: usize, level: usize) {
        let Some(properties) = object.get("properties").and_then(Value::as_object) else {
            return;
        };
        let required = object.get("required").and_then(Value::as_array);
        let is_required =
            |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
        let mut listed: Vec<_> = properties.iter().collect();
        if self.reversed {
            listed.reverse();
        }
        for (at, (name, property)) in listed.into_iter().enumerate() {
            if at > 0 {
                self.text.push('\n');
            }
            let Some(schema) = property.as_object() else {
                self.is_unknown(property);
                continue;
            };
            self.properties += 1;
            // Published totals have descriptions further in, and they are not shown.
            if indent == 0 {
                self.description(schema);
            }
            let mark = if is_required(name) { "" } else { "?" };
            let _ = write!(self.text, "{:indent$}{name}{mark}: ", "");
            self.schema(schema, indent, level, "description");
            self.text.push(',');
        }
    }

    /// The type of a property, of an item or of an alternative. The key `shown` is shown elsewhere.
    fn schema(&mut self, schema: &Map<String, Value>, indent: usize, level: usize, shown: &str) {
        self.levels = self.levels.max(level);
        let is_shown = |key: &str, value: &Value| key == shown && value.is_string();
        if let Some(Value::Array(alternatives)) = schema.get("anyOf") {
            self.others(schema, |key, value| key == "anyOf" || is_shown(key, value));
            return self.alternatives(alternatives, indent, level);
        }
        let kind = text(schema, "type").unwrap_or_default();
        let values = schema.get("enum").and_then(|values| listed(values, kind));
        self.others(schema, |key, value| match key {
            "type" => is_known_type(kind),
            "enum" => values.is_some(),
            "items" => kind == "array" && value.is_object(),
            // Published totals have it, and it is not shown.
            "const" => kind == "string" && value.is_string(),
            _ => is_shown(key, value) || (kind == "object" && is_known_of_object(key, value)),
        });
        match (kind, values) {
            (_, Some(values)) => self.text.push_str(&values),
            ("object", None) => {
                self.text.push_str("{\n");
                self.properties(schema, indent + 2, level + 1);
                self.text.push_str("\n}");
            }
            ("array", None) => {
                if let Some(Value::Object(items)) = schema.get("items") {
                    self.schema(items, indent, level + 1, "");
                } else {
                    self.text.push_str("any");
                }
                self.text.push_str("[]");
            }
            ("integer", None) => self.text.push_str("number"),
            (kind, None) if is_known_type(kind) => self.text.push_str(kind),
            _ => self.unknown += "any".len() as u64,
        }
    }

    fn alternatives(&mut self, alternatives: &[Value], indent: usize, level: usize) {
        for (at, alternative) in alternatives.iter().enumerate() {
            if at > 0 {
                self.text.push_str(" | ");
            }
            match alternative.as_object() {
                Some(schema) => self.schema(schema, indent, level + 1, ""),
                None => self.is_unknown(alternative),
            }
        }
    }

    fn description(&mut self, object: &Map<String, Value>) {
        let description = text(object, "description").unwrap_or_default();
        if !description.is_empty() {
            let _ = writeln!(self.text, "// {description}");
        }
        // No published total has a description of several lines: each may begin like the first.
        let lines = description.matches('\n').count() as u64;
        self.unknown += lines * "// ".len() as u64;
    }

    fn is_unknown(&mut self, value: &Value) {
        self.unknown += json::length(value);
    }

    /// Adds the entries of an object that are not known.
    fn others(&mut self, object: &Map<String, Value>, is_known: impl Fn(&str, &Value) -> bool) {
        let others = object.iter().filter(|(key, value)| !is_known(key, value));
        self.unknown += others.map(|(key, value)| entry(key, value)).sum::<u64>();
    }
}

/// The bytes of an entry of an object.
fn entry(key: &str, value: &Value) -> u64 {
    key.len() as u64 + json::length(value)
}

fn has_properties(object: &Map<String, Value>) -> bool {
    let properties = object.get("properties").and_then(Value::as_object);
    properties.is_some_and(|properties| !properties.is_empty())
}

fn is_known_type(kind: &str) -> bool {
    matches!(
        kind,
        "string" | "number" | "integer" | "boolean" | "null" | "object" | "array"
    )
}

/// The keys of an object's schema that are rendered, or that published totals have and that are not
/// shown.
fn is_known_of_object(key: &str, value: &Value) -> bool {
    match key {
        "properties" => value.is_object(),
        "required" => value
            .as_array()
            .is_some_and(|all| all.iter().all(Value::is_string)),
        "additionalProperties" => value == false,
        _ => false,
    }
}

/// The listed values of a property, if all are of its type.
fn listed(values: &Value, kind: &str) -> Option<String> {
    let values = values.as_array().filter(|values| !values.is_empty())?;
    let rendered = values.iter().map(|value| match kind {
        "string" => value.as_str().map(|value| format!("\"{value}\"")),
        "number" | "integer" if value.is_i64() || value.is_u64() => Some(value.to_string()),
        _ => None,
    });
    Some(rendered.collect::<Option<Vec<_>>>()?.join(" | "))
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}
