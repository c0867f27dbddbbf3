//! What clients and users may be called, and where clients may be sent to.

use gateway_terms::authority::{Authority, AuthorityError};

/// Why a client is not registered (RFC 7591 §3.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRegistration {
    /// `invalid_redirect_uri` or `invalid_client_metadata`.
    pub code: &'static str,
    /// For the administrator.
    pub message: String,
}

impl BadRegistration {
    /// A redirect URI is refused (`invalid_redirect_uri`), for the reason in `message`.
    pub fn redirect_uri(message: String) -> Self {
        Self { code: "invalid_redirect_uri", message }
    }
}

impl From<String> for BadRegistration {
    fn from(message: String) -> Self {
        Self { code: "invalid_client_metadata", message }
    }
}

impl From<&str> for BadRegistration {
    fn from(message: &str) -> Self {
        Self::from(message.to_owned())
    }
}

/// Whether people may be sent to this URI (RFC 9700 §2.1, RFC 8252 §7): HTTPS, plain HTTP at this very device, or a scheme
/// of an application that has a dot in it.
///
/// # Errors
/// Why not.
pub fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    if !uri.bytes().all(|byte| (b'!'..0x7f).contains(&byte) && byte != b'\\' && byte != b'"') {
        return Err("only visible ASCII, without backslashes and quotes");
    }
    if uri.contains('#') {
        return Err("a fragment would take the place of the answer");
    }
    if uri.contains('*') {
        return Err("redirect URIs are compared character by character; write each of them");
    }
    let Some((scheme, rest)) = uri.split_once(':') else { return Err("not an absolute URI") };
    let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err("what stands before `@` is taken for the host");
    }
    let address = authority.map(Authority::parse);
    if matches!(scheme, "http" | "https")
        && matches!(address, Some(Err(AuthorityError::Port | AuthorityError::Between)))
    {
        return Err("what follows the host is no port");
    }
    match (scheme, address) {
        ("https", Some(Ok(_))) => Ok(()),
        ("http", Some(Ok(address))) if matches!(address.host, "127.0.0.1" | "[::1]" | "localhost") => Ok(()),
        ("http", _) => Err("plain HTTP; https or loopback"),
        ("https", _) => Err("no host"),
        // Others, such as `javascript` and `data`, run what they hold.
        (own, _)
            if own.contains('.') && own.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) =>
        {
            Ok(())
        }
        _ => Err("expected `https://`, `http://127.0.0.1`, or a scheme such as `com.example.app`"),
    }
}

/// Whether this may be a name.
///
/// # Errors
/// Why not.
pub fn check_username(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 256 {
        return Err("`username` has between 1 and 256 bytes");
    }
    // What looks like an address would be taken for another user's.
    if name.contains('@') || name.trim() != name || name.chars().any(is_unseen) {
        return Err("`username` has no `@`, no blanks at its ends and no invisible characters");
    }
    Ok(())
}

/// What is not seen and changes what is: control characters, blanks without width, marks that turn the direction of writing.
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether this could be an e-mail address; whether it exists is not checked.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_plain =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| (b'!'..0x7f).contains(&byte) && byte != b'"');
    let labels = || domain.split('.');
    text.len() <= 254
        && is_plain(local)
        && !local.contains('@')
        && labels().count() > 1
        && labels()
            .all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_https_loopback_or_private_schemes() {
        for good in [
            "https://app.example/cb",
            "https://app.example:8443/cb?x=1",
            "http://127.0.0.1/cb",
            "http://[::1]:8080/cb",
            "http://localhost:3000/cb",
            "com.example.app:/cb",
        ] {
            assert_eq!(check_redirect_uri(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/cb",
            "http://app.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1@evil.example/cb",
            "http://[::1].evil.example/cb",
            "http://[::1/cb",
            "http://localhost:80.evil.example/cb",
            "https://app.example:/cb",
            "https://app.example:99999/cb",
            "https://app..example/cb",
            "https://192.0.2.999/cb",
            "https://*.app.example/cb",
            "https://app.example/cb#x",
            "https:///cb",
            "https://app.example/a b",
            "https://app.example\\@evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "myapp:/cb",
        ] {
            assert!(check_redirect_uri(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_show_all_that_they_are() {
        for good in ["bob", "Ännchen von Tharau", "o'neil", "太郎"] {
            assert_eq!(check_username(good), Ok(()), "{good}");
        }
        for bad in ["", "bob@example.org", " bob", "bob\u{200b}", "\u{202e}bob", "b\0b", "b\u{2066}b"] {
            assert!(check_username(bad).is_err(), "{}", bad.escape_debug());
        }
    }

    #[test]
    fn addresses_look_like_addresses() {
        for good in ["foo@bar.com", "a.b+c@sub.example.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "not an email", "foo@bar", "@bar.com", "foo@", "foo@.com", "a@b@c.d", "a b@c.de"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
