//! Addresses: those that a request goes to, and those that a page shows.

use std::fmt::Write;

use super::secret::Secret;
use crate::error::Error;

/// What an address of a pager must look like.
const ALLOWED: &str = "an address that begins with https:// or http://, has a host, and no spaces";
/// The longest address that is shown in a page.
const LONGEST_LINK: usize = 1_000;

/// An address that requests go to. An error does not repeat it: it may be the secret.
pub(super) fn target(field: &'static str, address: Secret) -> Result<Secret, Error> {
    let text = address.reveal();
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    if is_visible && host.is_some_and(|host| !host.is_empty()) {
        return Ok(address);
    }
    Err(Error::invalid(field, address, ALLOWED))
}

/// The same, without the slashes at its end, for paths to be added.
pub(super) fn base(field: &'static str, address: Secret) -> Result<Secret, Error> {
    let address = target(field, address)?;
    if address.reveal().contains(['?', '#']) {
        let allowed = "an address without `?` and `#`, to which paths are added";
        return Err(Error::invalid(field, address, allowed));
    }
    Ok(Secret::new(address.reveal().trim_end_matches('/')))
}

/// The address below a base.
pub(super) fn below(base: &Secret, path: &str) -> Secret {
    Secret::new(format!("{}{path}", base.reveal()))
}

/// A value of a header that is a secret. An error does not repeat it.
pub(super) fn header(field: &'static str, value: Secret) -> Result<Secret, Error> {
    let text = value.reveal();
    let is_visible = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if is_visible && !text.trim().is_empty() {
        return Ok(value);
    }
    Err(Error::invalid(field, value, "visible ASCII characters"))
}

/// An address that a page shows, with what may not stand in one percent-encoded; `None` if it is
/// none, or is too long.
pub(super) fn link(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    let is_link = matches!(scheme, "http" | "https")
        && host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && host.chars().all(is_host);
    if !is_link {
        return None;
    }
    let mut shown = String::with_capacity(text.len());
    let mut is_in_fragment = false;
    for (at, byte) in text.bytes().enumerate() {
        let is_kept = match byte {
            b'#' => !std::mem::replace(&mut is_in_fragment, true),
            b'%' => {
                let code = text.as_bytes().get(at + 1..at + 3);
                code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
            }
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte),
        };
        if is_kept {
            shown.push(char::from(byte));
        } else {
            // A text takes all that is written.
            let _ = write!(shown, "%{byte:02X}");
        }
    }
    (shown.len() <= LONGEST_LINK).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_without_being_shown() {
        for refused in [
            "",
            "hooks.example/T/B/x",
            "ftp://hooks.example/T",
            "https://",
            "https:///T",
            "https://hooks.example/T B",
            "https://hooks.example/\n",
            "https://hooks.example/ä",
        ] {
            let error = target("slack address", Secret::new(refused)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("slack address: got `(secret)`, expected {ALLOWED}")
            );
        }
        assert!(target("slack address", Secret::new("https://hooks.example/T/B/x")).is_ok());
        assert!(target("slack address", Secret::new("http://127.0.0.1:9093")).is_ok());
    }

    #[test]
    fn paths_are_added_to_a_base() {
        let base_of = |text: &str| base("address", Secret::new(text));
        let base_url = base_of("http://a:1/am//").unwrap();
        assert_eq!(below(&base_url, "/api").reveal(), "http://a:1/am/api");
        assert!(base_of("http://a/?x=1").is_err() && base_of("http://a/#x").is_err());
    }

    #[test]
    fn a_link_has_only_what_may_stand_in_one() {
        let link = |text: &str| link(text).unwrap_or_default();
        assert_eq!(link("https://a.b/c?d=e#f-g%2F"), "https://a.b/c?d=e#f-g%2F");
        assert_eq!(
            link("https://a.b/c#ä |<x>\n#%zz%"),
            "https://a.b/c#%C3%A4%20%7C%3Cx%3E%0A%23%25zz%25"
        );
        for none in [
            "",
            "a.b/c",
            "javascript://a/b",
            "https://",
            "https:// a/b",
            "https://a<b/c",
        ] {
            assert_eq!(link(none), "");
        }
        assert_eq!(link(&format!("https://a/{}", "b".repeat(990))).len(), 1_000);
        assert_eq!(link(&format!("https://a/{}", "b".repeat(991))), "");
        assert_eq!(link(&format!("https://a/{}", "ä".repeat(166))), "");
    }
}
