//! What is kept of a value instead of the value: a keyed hash.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::name::Field;

/// The secret key of the digests of a shadow run.
///
/// Without the key, nobody can test whether a stored digest is that of a value which they guess: an
/// amount or a name has few possible values. All replicas, and a run after a restart, need the same
/// key, or their digests never agree.
#[derive(Clone)]
pub(crate) struct DigestKey([u8; 16]);

/// The keyed hash of a field's value in the form that all equal values share (SipHash-2-4: Aumasson
/// and Bernstein, 2012). Two different values have the same one with a probability of 2^-64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Digest(u64);

/// The value that people settled on for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled<'v> {
    /// The field has no value.
    Absent,
    /// Nobody said.
    Untold,
    /// A value that agrees with the candidate's, which is kept as this text.
    Kept(&'v str),
    /// This value, in the form that all equal values share.
    Value(&'v str),
}

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;
const CHECK: u8 = 2;
const KEPT: u8 = 3;

impl DigestKey {
    /// A key of 128 secret bits.
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// The digest of the value that was settled on; `None` if nobody said.
    pub(super) fn settled(&self, field: &Field, settled: Settled<'_>) -> Option<Digest> {
        match settled {
            Settled::Absent => Some(self.absent(field)),
            Settled::Kept(text) => Some(self.kept(field, text)),
            Settled::Untold => None,
            Settled::Value(value) => Some(self.value(field, value)),
        }
    }

    /// The digest of a field without a value.
    pub(super) fn absent(&self, field: &Field) -> Digest {
        self.hash(ABSENT, field.as_str(), "")
    }

    /// The digest of a value.
    pub(super) fn value(&self, field: &Field, normalised: &str) -> Digest {
        self.hash(PRESENT, field.as_str(), normalised)
    }

    /// The digest of a value that is kept as this text.
    pub(super) fn kept(&self, field: &Field, text: &str) -> Digest {
        self.hash(KEPT, field.as_str(), text)
    }

    /// Tells keys apart without telling a key.
    pub(super) fn check(&self) -> Digest {
        self.hash(CHECK, "", "")
    }

    fn hash(&self, kind: u8, field: &str, value: &str) -> Digest {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&[kind]);
        // The length keeps the end of the field and the beginning of the value apart.
        hasher.write(&(field.len() as u64).to_le_bytes());
        hasher.write(field.as_bytes());
        hasher.write(value.as_bytes());
        Digest(hasher.finish())
    }
}

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str) -> Field {
        Field::new(name).unwrap()
    }

    /// The reference vectors of SipHash-2-4 (`vectors_sip64` of its C code): the key is the bytes 0
    /// to 15, the text the bytes 0 to n - 1. For n = 15 it is the example of the paper.
    #[test]
    fn the_hash_is_the_one_of_the_paper() {
        let key: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let text: Vec<u8> = (0..15).collect();
        let mut hasher = SipHasher24::new_with_key(&key);
        hasher.write(&text);
        assert_eq!(hasher.finish(), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn another_value_field_or_key_has_another_digest() {
        let (key, other) = (DigestKey::new([1; 16]), DigestKey::new([2; 16]));
        let digest = key.value(&field("total"), "12.5");
        assert_eq!(
            key.settled(&field("total"), Settled::Value("12.5")),
            Some(digest)
        );
        assert_ne!(key.value(&field("total"), "12.50"), digest);
        assert_ne!(key.value(&field("net"), "12.5"), digest);
        assert_ne!(key.value(&field("total1"), "2.5"), digest);
        assert_ne!(other.value(&field("total"), "12.5"), digest);
        assert_ne!(key.check(), other.check());
    }

    #[test]
    fn a_field_without_a_value_is_not_one_with_an_empty_value() {
        let key = DigestKey::new([1; 16]);
        let total = field("total");
        assert_ne!(key.absent(&total), key.value(&total, ""));
        assert_eq!(
            key.settled(&total, Settled::Absent),
            Some(key.absent(&total))
        );
        assert_eq!(key.settled(&total, Settled::Untold), None);
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", DigestKey::new([7; 16])), "DigestKey(..)");
    }
}
