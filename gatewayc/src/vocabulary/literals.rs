//! Secrets written out where documents hold text: in values of headers and in URLs.

use gateway_yaml::{Entry, Node, Span, Spanned};

use crate::diagnostic::{Diagnostic, Diagnostics, GW101};

/// What the keys of well-known services begin with.
const PREFIXES: &[&str] = &[
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "SG.",
    "npm_",
    "pypi-",
    "dop_v1_",
    "hvs.",
    "hvb.",
    "sk-",
    "eyJ",
];

/// Fewer characters are no secret worth its name, or a word.
const SHORTEST: usize = 20;

/// Words in names of headers and parameters whose values are secrets.
const SECRET_WORDS: &[&str] = &[
    "authorization",
    "apikey",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "token",
    "credential",
    "credentials",
    "cookie",
    "sessionid",
    "privatekey",
    "accesskey",
    "secretkey",
    "sharedkey",
    "authkey",
    "signature",
    "sig",
];

/// The same where they stand alone: other words end with them.
const SECRET_LAST_WORDS: &[&str] = &["auth", "jwt", "pwd", "session"];

/// Headers about secrets whose values are none.
const HARMLESS: &[&str] = &["content-security-policy", "content-security-policy-report-only", "set-cookie"];

/// Whether a text is a secret by its form: a key of a well-known service, a private key, or characters that no words
/// are made of.
pub(crate) fn looks_secret(text: &str) -> bool {
    if text.contains("-----BEGIN ") {
        return text.contains("PRIVATE KEY");
    }
    let mut words = text.split(|letter: char| letter.is_whitespace() || ",;\"'()<>{}".contains(letter));
    words.any(|word| {
        let is_known = PREFIXES.iter().any(|prefix| {
            let rest = word.strip_prefix(prefix).unwrap_or_default();
            rest.len() >= 12 && rest.bytes().any(|byte| byte.is_ascii_digit()) && is_key_text(rest)
        });
        is_known || is_random(word)
    })
}

fn is_key_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(&byte))
}

/// Whether a word is as mixed as random bytes in base64 or in hexadecimal are.
fn is_random(word: &str) -> bool {
    let is_digest = ["sha256-", "sha384-", "sha512-", "sha-256=", "md5-"].iter().any(|prefix| word.starts_with(prefix));
    if word.len() < SHORTEST || is_digest || !is_key_text(word) {
        return false;
    }
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let (digits, lower) = (count(u8::is_ascii_digit), count(u8::is_ascii_lowercase));
    let upper = count(u8::is_ascii_uppercase);
    if word.bytes().all(|byte| byte.is_ascii_hexdigit()) && word.len() >= 32 {
        return digits >= 4 && lower + upper >= 4 && (lower == 0 || upper == 0);
    }
    // Paths and names of types are made of words, with a separator every few letters.
    let longest = word.split(['/', '.', '-', '_']).map(str::len).max().unwrap_or_default();
    let changes = word.as_bytes().windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    let is_mixed = digits >= 2 && lower >= 3 && upper >= 3 && changes * 4 >= word.len();
    let is_small = digits >= 4 && lower >= 4 && upper == 0 && longest >= 20 && changes * 3 >= word.len();
    longest >= 16 && (is_mixed || is_small) && entropy(word) >= 3.5
}

fn class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

/// Bits for each character (Shannon).
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let length = text.len() as f64;
    let bits = |count: &u32| {
        let share = f64::from(*count) / length;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

/// Whether a header or a parameter of this name holds a secret.
pub(crate) fn names_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
    let joined = parts.concat();
    let is_word = |word: &&str| parts.last() == Some(word) || joined.ends_with(*word);
    let is_last = |word: &&str| parts.last() == Some(word);
    !HARMLESS.contains(&&*lower) && (SECRET_WORDS.iter().any(is_word) || SECRET_LAST_WORDS.iter().any(is_last))
}

/// Why a value of a header is a secret.
pub(super) fn secret_in_header(name: &str, value: &str) -> Option<&'static str> {
    let value = value.trim();
    let mut words = value.splitn(2, ' ');
    let scheme = words.next().unwrap_or_default().to_ascii_lowercase();
    let is_credential = ["basic", "bearer", "token", "apikey"].contains(&&*scheme)
        && words
            .next()
            .is_some_and(|rest| rest.trim().len() >= 6 && !rest.trim().trim_end_matches('=').contains([' ', '=']));
    if HARMLESS.contains(&&*name.to_ascii_lowercase()) {
        return looks_secret(value)
            .then_some("looks like a secret")
            .filter(|_| !name.to_ascii_lowercase().starts_with("content-"));
    }
    if is_credential {
        Some("a credential")
    } else if names_secret(name) && is_value(value) {
        Some("the header holds a credential")
    } else if looks_secret(value) && !is_about_versions(name) {
        Some("looks like a secret")
    } else {
        None
    }
}

/// Numbers and flags are no secrets, whatever they are called: `X-Token-Count: 3`.
fn is_value(value: &str) -> bool {
    !value.is_empty()
        && !["true", "false", "none", "null", "required", "optional", "no-check"]
            .contains(&&*value.to_ascii_lowercase())
}

/// Digests of sources stand in headers, and are public.
fn is_about_versions(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["commit", "revision", "version", "build", "etag", "digest", "hash", "sha", "release", "trace", "request-id"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Why a URL has a secret in it: a password before the host, a parameter with a key, or a part that looks like one.
pub(crate) fn secret_in_url(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://").or_else(|| Some(("", url.strip_prefix("//")?)))?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':') && !user.ends_with(':')) {
        return Some("a password stands before the host");
    }
    if authority.rsplit_once('@').is_some_and(|(user, _)| looks_secret(user)) {
        return Some("a key stands before the host");
    }
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split(['&', ';', '#']).filter_map(|pair| pair.split_once('='));
    for (name, value) in pairs {
        // `$1` and `{name}` come from the request.
        let is_literal = !value.is_empty() && !value.starts_with(['$', '{']);
        let is_key =
            ["key", "api_key", "api-key", "code", "auth", "pwd", "pass"].contains(&&*name.to_ascii_lowercase());
        if is_literal && ((names_secret(name) || is_key) && value.len() >= 6 || looks_secret(value)) {
            return Some("the query has a secret");
        }
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split('/').any(looks_secret).then_some("the path has a part that looks like a secret")
}

/// Reports secrets in the URLs that a value holds, however deep, unless something else is wrong with the URL.
pub(crate) fn check_urls(node: &Node, diagnostics: &mut Diagnostics) {
    for item in node.as_sequence().unwrap_or_default() {
        check_urls(item, diagnostics);
    }
    for Entry { value, .. } in node.as_mapping().into_iter().flatten() {
        check_urls(value, diagnostics);
    }
    if let Some(text) = node.as_str() {
        url(diagnostics, text, node.span);
    }
}

/// Reports a secret in a URL, unless something else is wrong with it.
pub(crate) fn check_url(text: &Spanned<String>, diagnostics: &mut Diagnostics) {
    url(diagnostics, text, text.span);
}

fn url(diagnostics: &mut Diagnostics, text: &str, at: Span) {
    if let Some(problem) = secret_in_url(text).filter(|_| !diagnostics.has_error_at(at)) {
        diagnostics.push(
            Diagnostic::error(GW101, "a secret is written out in a URL")
                .at(at, problem)
                .help("remove it, and change the secret: anyone who can read the document knows it"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_form() {
        for secret in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "AKIAIOSFODNN7EXAMPLE1",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.abc",
            "Zm9vYmFyQmF6MTIzNDU2Nzg5MEFCQ0RFRg==",
            "k7Jd8sKq2LmN9pQrT4vX6zB1",
            "9f86d081884c7d659a2feaa0c55ad015",
            "q8z3k1m5x7w2p9r4t6y0b8n3",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
        for plain in [
            "",
            "application/vnd.example.v3+json",
            "max-age=31536000; includeSubDomains; preload",
            "NOTES_JWT_SECRET",
            "JWT_SECRET_2025_PRODUCTION",
            "keys/issuer-2025.pem",
            "-----BEGIN PUBLIC KEY-----",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "MyVeryLongServiceNameForPeople",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(!looks_secret(plain), "{plain}");
        }
    }

    #[test]
    fn headers_and_urls_with_secrets() {
        for (name, value, expected) in [
            ("X-Api-Key", "abc123", true),
            ("X-Internal-Token", "let-me-in", true),
            ("X-Upstream-Secret", "swordfish", true),
            ("X-Auth", "Basic dXNlcjpwYXNz", true),
            ("X-Custom", "k7Jd8sKq2LmN9pQrT4vX6zB1", true),
            ("X-Auth", "Basic dXNlcjpwYXNzd29yZA==", true),
            ("X-Secret-Key", "abc", true),
            ("X-Auth", "swordfish", true),
            ("X-Auth-Method", "form", false),
            ("X-Atlassian-Token", "no-check", false),
            ("X-Signature-Algorithm", "rsa", false),
            ("Access-Control-Allow-Credentials", "true", false),
            ("Access-Control-Allow-Headers", "Authorization, X-Api-Key", false),
            ("WWW-Authenticate", "Bearer realm=\"x\"", false),
            ("X-Token-Count", "3", false),
            ("X-Commit", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", false),
            ("Strict-Transport-Security", "max-age=31536000; includeSubDomains", false),
            ("X-Plan", "basic", false),
            ("Cache-Control", "no-store", false),
        ] {
            assert_eq!(secret_in_header(name, value).is_some(), expected, "{name}: {value}");
        }
        for (url, expected) in [
            ("https://u:p@idp.example/keys", true),
            ("https://idp.example/keys?api_key=abcdef", true),
            ("https://idp.example/keys?access_token=abcdef", true),
            ("https://hooks.example/T0/k7Jd8sKq2LmN9pQrT4vX6zB1", true),
            ("https://a.example/$1?token=$2", false),
            ("https://idp.example/.well-known/openid-configuration", false),
            ("https://user@a.example/", false),
            ("/v1/notes?token=abcdef", false),
        ] {
            assert_eq!(secret_in_url(url).is_some(), expected, "{url}");
        }
    }
}
