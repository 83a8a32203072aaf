//! Reads a trace strictly: an error names the key that is missing, unknown or of another type.

use serde_json::{Map, Value};

use super::Problem;

/// The keys of one object of a trace.
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, what: &str) -> Result<Self, Problem> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| format!("{what}: expected an object"))
    }

    /// An error if there is any other key than these.
    pub(super) fn only(&self, allowed: &[&str]) -> Result<(), Problem> {
        match self.0.keys().find(|key| !allowed.contains(&key.as_str())) {
            Some(key) => Err(format!(
                "key: got `{key}`, expected one of {}",
                allowed.join(", ")
            )),
            None => Ok(()),
        }
    }

    pub(super) fn get(&self, key: &str) -> Result<&'a Value, Problem> {
        self.0.get(key).ok_or_else(|| format!("{key}: is missing"))
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, Problem> {
        self.get(key)?
            .as_str()
            .ok_or_else(|| format!("{key}: expected a text"))
    }

    pub(super) fn number(&self, key: &str) -> Result<u64, Problem> {
        self.get(key)?
            .as_u64()
            .ok_or_else(|| format!("{key}: expected a whole number from 0 on"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, Problem> {
        self.get(key)?
            .as_bool()
            .ok_or_else(|| format!("{key}: expected true or false"))
    }

    pub(super) fn small(&self, key: &str) -> Result<u32, Problem> {
        u32::try_from(self.number(key)?).map_err(|_| format!("{key}: expected a number below 2^32"))
    }

    pub(super) fn float(&self, key: &str) -> Result<f64, Problem> {
        self.get(key)?
            .as_f64()
            .ok_or_else(|| format!("{key}: expected a number"))
    }

    pub(super) fn numbers(&self, key: &str) -> Result<Vec<f64>, Problem> {
        let list = self.get(key)?.as_array();
        let numbers = list.map(|list| list.iter().map(Value::as_f64).collect::<Option<_>>());
        let numbers = numbers.flatten();
        numbers.ok_or_else(|| format!("{key}: expected a list of numbers"))
    }

    /// The value of a key that may be missing.
    pub(super) fn optional<T>(
        &self,
        key: &str,
        read: impl Fn(&Self, &str) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        self.0
            .contains_key(key)
            .then(|| read(self, key))
            .transpose()
    }

    /// A text, or a text that is repeated: `{"repeat": .., "times": ..}`.
    pub(super) fn long_text(&self, key: &str) -> Result<String, Problem> {
        long_text(self.get(key)?).map_err(|problem| format!("{key}: {problem}"))
    }

    pub(super) fn long_texts(&self, key: &str) -> Result<Vec<String>, Problem> {
        let list = self
            .get(key)?
            .as_array()
            .ok_or_else(|| format!("{key}: expected a list of texts"))?;
        list.iter()
            .map(long_text)
            .collect::<Result<_, _>>()
            .map_err(|problem| format!("{key}: {problem}"))
    }

    pub(super) fn objects(&self, key: &str) -> Result<Vec<Self>, Problem> {
        let list = self
            .get(key)?
            .as_array()
            .ok_or_else(|| format!("{key}: expected a list of objects"))?;
        list.iter().map(|value| Fields::of(value, key)).collect()
    }
}

fn long_text(value: &Value) -> Result<String, Problem> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let fields = Fields::of(value, "a text, or")
        .map_err(|_| "expected a text or {\"repeat\": .., \"times\": ..}")?;
    fields.only(&["repeat", "times"])?;
    let times =
        usize::try_from(fields.number("times")?).map_err(|_| "times: expected a smaller number")?;
    Ok(fields.text("repeat")?.repeat(times))
}
