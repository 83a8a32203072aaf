//! The settings of a comparison by field.

use super::JsonFields;
use super::decimal::Tolerance;
use super::pointer;
use super::rules::{Mark, Rules};
use super::walk::LEVELS;
use crate::error::Error;
use crate::guards::shadow::compare::excerpt::VALUE_CHARS;
use crate::guards::shadow::compare::text::NormalisedText;

/// The most differences that can be kept of one document.
const MOST_DIFFERENCES: usize = 10_000;
/// The most characters that can be kept of a value.
const LONGEST_VALUE: usize = 1_000_000;

impl JsonFields {
    /// Configures a comparison by field, starting from [`new`](Self::new).
    pub fn builder() -> JsonFieldsBuilder {
        JsonFieldsBuilder {
            settings: Vec::new(),
            value_chars: VALUE_CHARS,
            differences: super::DIFFERENCES,
        }
    }
}

/// Configures [`JsonFields`]; paths are explained there.
#[derive(Clone, Debug)]
#[must_use = "nothing is compared until `build` is called"]
pub struct JsonFieldsBuilder {
    settings: Vec<(String, Setting)>,
    value_chars: usize,
    differences: usize,
}

#[derive(Clone, Debug)]
enum Setting {
    Absolute(String),
    Critical,
    Ignored,
    Relative(String),
    Text(Option<NormalisedText>),
    Unordered,
}

impl JsonFieldsBuilder {
    /// Only differences at or below these paths make a document diverge; others alone make it
    /// [`Ignored`](crate::call::Comparison::Ignored). Without any path, all do.
    ///
    /// A missing, added or replaced object is critical if it has a critical field in it.
    pub fn critical(self, paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(paths, &Setting::Critical)
    }

    /// Nothing at or below these paths is compared, or even looked at. Not the whole answer, and
    /// not a critical path.
    pub fn ignored(self, paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(paths, &Setting::Ignored)
    }

    /// The arrays at these paths are multisets: the order of their elements does not count, the
    /// number of equal ones does.
    ///
    /// Unlike other settings it covers no arrays below, so that the coordinates in an element keep
    /// their order: name each. Elements are matched so that as many as possible agree. Of the rest,
    /// objects and arrays that agree in at least half of their own members are compared with each
    /// other, under production's index; what is left is missing (with production's index) or added
    /// (with the candidate's, after all others). The search for elements that belong together in this
    /// way ends after 100,000 steps. Only `*` names the elements of such an array.
    pub fn unordered(self, paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(paths, &Setting::Unordered)
    }

    /// Numbers at or below the path agree if they are at most this far apart: a decimal number that
    /// is not negative, as text, because a floating point number cannot be exactly `0.01`.
    ///
    /// It also applies to texts, if both are decimal numbers with digits and perhaps a sign and a
    /// fraction, such as `-12.50`: without exponent, white space, currency or separators of
    /// thousands. Numbers of more than 400 digits, or with an exponent beyond 400, agree only if
    /// they are equal.
    ///
    /// ```
    /// use fusebox::call::Comparison;
    /// use fusebox::shadow::compare::{Compare, JsonFields};
    /// use serde_json::json;
    ///
    /// let fields = JsonFields::builder().absolute_tolerance("", "0.01").build()?;
    /// assert_eq!(fields.compare(&json!(100.10), &json!(100.11)), Comparison::Match);
    /// assert_ne!(fields.compare(&json!(100.10), &json!(100.111)), Comparison::Match);
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn absolute_tolerance(self, path: impl AsRef<str>, bound: impl Into<String>) -> Self {
        self.set([path], &Setting::Absolute(bound.into()))
    }

    /// Numbers at or below the path agree if they are apart by at most this share of production's
    /// number: `"0.01"` is 1 %. A decimal number as text, from 0 to less than 1. See
    /// [`absolute_tolerance`](Self::absolute_tolerance) for what is a number.
    ///
    /// Zero agrees only with zero. Either an absolute or a relative tolerance applies to a value,
    /// not both.
    pub fn relative_tolerance(self, path: impl AsRef<str>, share: impl Into<String>) -> Self {
        self.set([path], &Setting::Relative(share.into()))
    }

    /// Texts at or below these paths are compared in this form; keys never are.
    pub fn normalised_text(
        self,
        paths: impl IntoIterator<Item = impl AsRef<str>>,
        form: NormalisedText,
    ) -> Self {
        self.set(paths, &Setting::Text(Some(form)))
    }

    /// Texts at or below these paths are compared byte by byte: the default, as an exception from
    /// [`normalised_text`](Self::normalised_text) above them.
    pub fn exact_text(self, paths: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(paths, &Setting::Text(None))
    }

    /// The longest text of a value in a difference, in characters (2,000 by default; 1 to
    /// 1,000,000).
    pub fn longest_value(mut self, chars: usize) -> Self {
        self.value_chars = chars;
        self
    }

    /// The number of differences that are kept of one document (100 by default; 1 to 10,000).
    pub fn most_differences(mut self, differences: usize) -> Self {
        self.differences = differences;
        self
    }

    /// The comparator; an error if a path is no JSON pointer or has more than 128 segments, if a
    /// tolerance is no decimal in its range, if the whole answer or a critical path is ignored, or
    /// if a limit is out of its range.
    pub fn build(self) -> Result<JsonFields, Error> {
        limit(
            "longest value",
            self.value_chars,
            LONGEST_VALUE,
            "1 to 1,000,000 characters",
        )?;
        limit(
            "most differences",
            self.differences,
            MOST_DIFFERENCES,
            "1 to 10,000",
        )?;
        let mut rules = Rules::new();
        let (mut critical, mut ignored) = (Vec::new(), Vec::new());
        for (number, (path, setting)) in (0..).zip(&self.settings) {
            let segments = parse(setting, path)?;
            let mark = setting.mark()?;
            rules.add(&segments, number, mark);
            match setting {
                Setting::Critical => critical.push((path, segments)),
                Setting::Ignored if segments.is_empty() => {
                    return Err(Error::invalid(
                        setting.field(),
                        path,
                        "a place inside the answer, because nothing else would be compared",
                    ));
                }
                Setting::Ignored => ignored.push(segments),
                _ => {}
            }
        }
        let contradiction = critical
            .iter()
            .find(|(_, critical)| ignored.iter().any(|ignored| covers(ignored, critical)));
        if let Some((path, _)) = contradiction {
            return Err(Error::invalid(
                Setting::Critical.field(),
                path,
                "a path that no ignored path covers",
            ));
        }
        Ok(JsonFields {
            rules,
            value_chars: self.value_chars,
            differences: self.differences,
        })
    }

    fn set(mut self, paths: impl IntoIterator<Item = impl AsRef<str>>, setting: &Setting) -> Self {
        let paths = paths.into_iter();
        let settings = paths.map(|path| (path.as_ref().to_owned(), setting.clone()));
        self.settings.extend(settings);
        self
    }
}

impl Setting {
    fn field(&self) -> &'static str {
        match self {
            Self::Absolute(_) | Self::Relative(_) => "tolerance path",
            Self::Critical => "critical path",
            Self::Ignored => "ignored path",
            Self::Text(_) => "text path",
            Self::Unordered => "unordered path",
        }
    }

    fn mark(&self) -> Result<Mark, Error> {
        Ok(match self {
            Self::Absolute(bound) => {
                Mark::Tolerance(Tolerance::absolute(bound).ok_or_else(|| {
                    let allowed = "a decimal number of at least 0, such as `0.01`";
                    Error::invalid("absolute tolerance", bound, allowed)
                })?)
            }
            Self::Relative(share) => {
                Mark::Tolerance(Tolerance::relative(share).ok_or_else(|| {
                    let allowed = "a decimal number from 0 to less than 1, such as `0.01`";
                    Error::invalid("relative tolerance", share, allowed)
                })?)
            }
            Self::Critical => Mark::Critical,
            Self::Ignored => Mark::Ignored,
            Self::Text(form) => Mark::Text(*form),
            Self::Unordered => Mark::Unordered,
        })
    }
}

fn parse(setting: &Setting, path: &str) -> Result<Vec<String>, Error> {
    let segments = pointer::parse(path).filter(|segments| segments.len() <= LEVELS);
    segments.ok_or_else(|| {
        Error::invalid(
            setting.field(),
            path,
            "a JSON pointer such as `/lines/*/amount`, with at most 128 segments",
        )
    })
}

fn limit(
    field: &'static str,
    value: usize,
    most: usize,
    allowed: &'static str,
) -> Result<(), Error> {
    if (1..=most).contains(&value) {
        Ok(())
    } else {
        Err(Error::invalid(field, value, allowed))
    }
}

/// Whether all places of one path lie at or below the places of another.
fn covers(above: &[String], path: &[String]) -> bool {
    let is_covered = |(one, other): (&String, &String)| one == "*" || one == other;
    above.len() <= path.len() && above.iter().zip(path).all(is_covered)
}
