//! Texts that are equal apart from their form.

use std::borrow::Cow;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

use super::Compare;
use super::excerpt::answers_differ;
use crate::call::{Comparable, Comparison};

/// Texts agree if they are equal apart from case, white space and Unicode form.
///
/// Each of the three can be switched. By default:
///
/// - case does not count. Texts are compared by full Unicode case folding, so that `STRASSE` equals
///   `straße` and `ΟΔΟΣ` equals `οδος`. Lower case does not do that: it depends on the place in
///   the word, and leaves `ß` alone.
/// - white space counts as one space where there is any (all characters with the Unicode property
///   `White_Space`, such as line ends and no-break spaces), and not at all at the beginning and at
///   the end. Zero-width characters are not white space.
/// - `é` as one character equals `e` with an accent ([`UnicodeForm::Nfc`]).
///
/// A divergence has one difference, of the field `(answer)`: the whole answer, with both texts as
/// they were, cut after 2,000 characters.
///
/// ```
/// use fusebox::call::Comparison;
/// use fusebox::shadow::compare::{Compare, NormalisedText};
///
/// let text = NormalisedText::new();
/// assert_eq!(text.compare("ACME  GmbH\n", "acme gmbh"), Comparison::Match);
/// let text = text.case_sensitive();
/// assert!(matches!(text.compare("ACME GmbH", "acme gmbh"), Comparison::Diverged(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormalisedText {
    folds_case: bool,
    collapses_white_space: bool,
    form: UnicodeForm,
}

/// Which different sequences of code points are the same text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnicodeForm {
    /// None: code points are compared as they are.
    AsIs,
    /// Canonically equivalent ones (NFC): they look the same, as `é` and `e` with an accent do.
    #[default]
    Nfc,
    /// Compatible ones too (NFKC): `ﬁ` and `fi`, full-width and ordinary digits; but also `m²` and
    /// `m2`, which do not mean the same.
    Nfkc,
}

impl NormalisedText {
    /// Ignores case and differences of white space; [`UnicodeForm::Nfc`].
    pub fn new() -> Self {
        Self {
            folds_case: true,
            collapses_white_space: true,
            form: UnicodeForm::Nfc,
        }
    }

    /// The same, but upper and lower case differ.
    pub fn case_sensitive(mut self) -> Self {
        self.folds_case = false;
        self
    }

    /// The same, but white space counts as it stands.
    pub fn keep_white_space(mut self) -> Self {
        self.collapses_white_space = false;
        self
    }

    /// The same in this Unicode form.
    pub fn form(mut self, form: UnicodeForm) -> Self {
        self.form = form;
        self
    }

    /// The form that all texts share which agree with this one.
    ///
    /// ```
    /// use fusebox::shadow::compare::NormalisedText;
    ///
    /// assert_eq!(NormalisedText::new().normalise(" Straße\t1 "), "strasse 1");
    /// ```
    pub fn normalise(&self, text: &str) -> String {
        let formed = self.formed(text);
        if self.collapses_white_space {
            let words: Vec<&str> = formed.split_whitespace().collect();
            words.join(" ")
        } else {
            formed.into_owned()
        }
    }

    /// Whether the two are the same text under these settings.
    pub(super) fn agree(self, one: &str, other: &str) -> bool {
        one == other || self.normalise(one) == self.normalise(other)
    }

    // Folding takes decomposed text, and may leave text that is not normalised: the definitions
    // D145 and D146 of the Unicode standard, composed at the end.
    fn formed(self, text: &str) -> Cow<'_, str> {
        match (self.form, self.folds_case) {
            (UnicodeForm::AsIs, false) => Cow::Borrowed(text),
            (UnicodeForm::AsIs, true) => Cow::Owned(folded(text)),
            (UnicodeForm::Nfc, false) => Cow::Owned(text.nfc().collect()),
            (UnicodeForm::Nfkc, false) => Cow::Owned(text.nfkc().collect()),
            (form, true) => {
                let decomposed: String = text.nfd().collect();
                let mut text = folded(&decomposed);
                if form == UnicodeForm::Nfkc {
                    let compatible: String = text.nfkd().collect();
                    text = folded(&compatible).nfkc().collect();
                }
                Cow::Owned(text.nfc().collect())
            }
        }
    }
}

impl Default for NormalisedText {
    fn default() -> Self {
        Self::new()
    }
}

impl Compare<str> for NormalisedText {
    fn compare(&self, production: &str, candidate: &str) -> Comparison {
        if self.agree(production, candidate) {
            return Comparison::Match;
        }
        let mut difference = answers_differ(production, candidate);
        difference.comparable = Some(Comparable::Form(self.normalise(candidate)));
        Comparison::Diverged(vec![difference])
    }
}

impl Compare<String> for NormalisedText {
    fn compare(&self, production: &String, candidate: &String) -> Comparison {
        self.compare(production.as_str(), candidate.as_str())
    }
}

fn folded(text: &str) -> String {
    UniCase::new(text).to_folded_case()
}
