//! Tokens of tool definitions, as in OpenAI's cookbook.

use serde_json::{Map, Value};

use crate::tokens::count::TokenCount;
use crate::tokens::counter::TokenCounter;
use crate::tokens::model::ToolRule;

/// More than any documented API adds to tool definitions.
const UNKNOWN_TOOLS: u64 = 1_000;

/// The tokens of a list of tool definitions. Keys without a rule raise the bound by their length.
pub(crate) fn tool_tokens(
    tools: &Value,
    rule: Option<ToolRule>,
    counter: &dyn TokenCounter,
) -> TokenCount {
    let functions = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    let (Some(rule), false) = (rule, functions.is_empty()) else {
        return if tools.is_null() || tools.as_array().is_some_and(Vec::is_empty) {
            TokenCount::ZERO
        } else {
            unknown(tools) + TokenCount::at_most(UNKNOWN_TOOLS)
        };
    };
    let schema = Schema { rule, counter };
    let functions = functions.iter().map(|tool| schema.tool(tool));
    functions.sum::<TokenCount>() + exact(rule.end)
}

struct Schema<'a> {
    rule: ToolRule,
    counter: &'a dyn TokenCounter,
}

impl Schema<'_> {
    fn tool(&self, tool: &Value) -> TokenCount {
        let function = tool.get("function").and_then(Value::as_object);
        let Some((function, name)) =
            function.and_then(|function| Some((function, text(function, "name")?)))
        else {
            return unknown(tool) + exact(self.rule.function);
        };
        let description = text(function, "description").unwrap_or_default();
        let line = format!("{name}:{}", without_stop(description));
        let parameters = function.get("parameters").and_then(Value::as_object);
        exact(self.rule.function)
            + self.count(&line)
            + parameters.map_or(TokenCount::ZERO, |parameters| self.parameters(parameters))
            + others(function, &["name", "description", "parameters"])
    }

    fn parameters(&self, parameters: &Map<String, Value>) -> TokenCount {
        let properties = parameters.get("properties").and_then(Value::as_object);
        let listed = properties.into_iter().flatten();
        let counted: TokenCount = listed
            .map(|(name, property)| self.property(name, property))
            .sum();
        let start = if properties.is_some_and(|properties| !properties.is_empty()) {
            exact(self.rule.properties)
        } else {
            TokenCount::ZERO
        };
        start + counted + others(parameters, &["type", "properties", "required"])
    }

    fn property(&self, name: &str, property: &Value) -> TokenCount {
        let Some(property) = property.as_object() else {
            return unknown(property) + exact(self.rule.property);
        };
        let line = format!(
            "{name}:{}:{}",
            text(property, "type").unwrap_or_default(),
            without_stop(text(property, "description").unwrap_or_default())
        );
        let values = property.get("enum").and_then(Value::as_array);
        let listed: TokenCount = values
            .into_iter()
            .flatten()
            .map(|value| self.value(value))
            .sum();
        let whole = exact(self.rule.property) + self.count(&line) + listed;
        let whole = if values.is_some() {
            plus_signed(whole, self.rule.values)
        } else {
            whole
        };
        whole + others(property, &["type", "description", "enum"])
    }

    fn value(&self, value: &Value) -> TokenCount {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        exact(self.rule.value) + self.count(&text)
    }

    fn count(&self, text: &str) -> TokenCount {
        let bytes = TokenCount::at_most(text.len() as u64);
        self.counter.count(text).unwrap_or(bytes)
    }
}

fn exact(tokens: u32) -> TokenCount {
    TokenCount::exact(u64::from(tokens))
}

fn plus_signed(count: TokenCount, tokens: i32) -> TokenCount {
    let add = |end: u64| end.saturating_add_signed(i64::from(tokens));
    TokenCount::new(
        add(count.lower()),
        count.upper().map(add),
        count.provenance(),
    )
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn without_stop(description: &str) -> &str {
    description.strip_suffix('.').unwrap_or(description)
}

fn unknown(value: &Value) -> TokenCount {
    TokenCount::at_most(value.to_string().len() as u64)
}

/// The keys that have no rule.
fn others(object: &Map<String, Value>, known: &[&str]) -> TokenCount {
    let others = object
        .iter()
        .filter(|(key, _)| !known.contains(&key.as_str()));
    let bounds = others.map(|(key, value)| TokenCount::at_most(key.len() as u64) + unknown(value));
    bounds.sum()
}
