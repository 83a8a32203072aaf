//! The signature of a webhook: who sent it, and when.

use std::fmt::{self, Write};
use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::secret::Secret;
use crate::error::Error;
use crate::time::Timestamp;

/// The shortest key, in bytes.
const SHORTEST_KEY: usize = 16;

/// The key with which webhooks are signed; an error if it is shorter than 16 bytes.
pub(super) fn signing_key(key: Secret) -> Result<Secret, Error> {
    if key.reveal().len() < SHORTEST_KEY {
        return Err(Error::invalid("signing key", key, "at least 16 bytes"));
    }
    Ok(key)
}

/// The header: `t=<seconds since 1970>,v1=<HMAC-SHA256 of "t.body", in hex>`.
pub(super) fn sign(key: &Secret, body: &[u8], now: Timestamp) -> String {
    let seconds = (now.as_millis() / 1_000).to_string();
    let code = code(key, &seconds, body).map(|code| hex(&code.finalize().into_bytes()));
    format!("t={seconds},v1={}", code.unwrap_or_default())
}

/// The first half of a text's SHA-256, in hex: the same text has the same, in every process.
pub(super) fn digest(text: &str) -> String {
    hex(Sha256::digest(text.as_bytes()).iter().take(16))
}

/// Whether a webhook comes from someone who has the key, and was sent not long ago: no more than
/// `tolerance` before `now`, and no more than that after it, for clocks differ. Five minutes is
/// usual.
///
/// `signature` is the header `X-Fusebox-Signature`, and `body` the body exactly as it came, before
/// any JSON of it was read. The codes are compared in a time that does not depend on them. A header
/// may have several `v1=..`, of which one must fit.
///
/// ```
/// use std::time::Duration;
/// use fusebox::pager::{Secret, verify_signature};
/// use fusebox::Timestamp;
///
/// let key = Secret::new("a key of your own, long enough");
/// let signature = "t=1773435600,v1=8cd501c69f53598084ee30261a50cd08d923eadb8fa9e68e896225d488cf5a23";
/// let now = Timestamp::from_millis(1_773_435_600_000);
/// let tolerance = Duration::from_secs(300);
/// assert!(verify_signature(&key, signature, b"{\"format\":1}", now, tolerance).is_ok());
/// assert!(verify_signature(&key, signature, b"{\"format\":2}", now, tolerance).is_err());
/// ```
pub fn verify_signature(
    key: &Secret,
    signature: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), BadSignature> {
    let parts = || {
        signature
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
    };
    let mut times = parts().filter(|(name, _)| *name == "t");
    let Some((_, seconds)) = times.next().filter(|_| times.next().is_none()) else {
        return Err(BadSignature::Unreadable);
    };
    let millis = seconds
        .parse()
        .ok()
        .and_then(|seconds: u64| seconds.checked_mul(1_000));
    let Some(at) = millis.map(Timestamp::from_millis) else {
        return Err(BadSignature::Unreadable);
    };
    let mut codes = parts().filter(|(name, _)| *name == "v1").peekable();
    if codes.peek().is_none() {
        return Err(BadSignature::Unreadable);
    }
    let expected = code(key, seconds, body).ok_or(BadSignature::Wrong)?;
    let is_signed = codes.any(|(_, given)| {
        let given = bytes(given);
        given.is_some_and(|given| expected.clone().verify_slice(&given).is_ok())
    });
    if !is_signed {
        return Err(BadSignature::Wrong);
    }
    // A signature is of a whole second.
    let tolerance = tolerance + Duration::from_secs(1);
    if now.since(at) >= tolerance || at.since(now) >= tolerance {
        return Err(BadSignature::NotNow);
    }
    Ok(())
}

/// Why a webhook is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadSignature {
    /// The header has no time or no code.
    Unreadable,
    /// It was signed with another key, or the body is another one.
    Wrong,
    /// It was signed too long ago, or in the future: somebody may send an old one again.
    NotNow,
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unreadable => "the signature cannot be read",
            Self::Wrong => "the signature does not fit",
            Self::NotNow => "the signature is of another time",
        })
    }
}

impl std::error::Error for BadSignature {}

/// A key of any length is taken; `None` never comes.
fn code(key: &Secret, seconds: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut code = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).ok()?;
    code.update(seconds.as_bytes());
    code.update(b".");
    code.update(body);
    Some(code)
}

fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    let mut hex = String::new();
    for byte in bytes {
        // A text takes all that is written.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok()?;
        let is_hex = text.len() == 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| u8::from_str_radix(text, 16).ok())?
    };
    pairs.map(byte).collect()
}
