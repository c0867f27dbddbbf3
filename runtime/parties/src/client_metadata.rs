//! What a registration says of a client beside what the server acts on (RFC 7591 §2): kept and given back.

use std::collections::BTreeMap;

use gateway_terms::authority::{Authority, AuthorityError};
use hyper::Uri;
use serde_json::{Map, Value};

use crate::names::{BadRegistration, is_unseen};

/// URLs of pages and pictures for people. Each may be repeated for readers of one language.
const URLS: [&str; 4] = ["client_uri", "logo_uri", "tos_uri", "policy_uri"];

/// What program it is, for other programs.
const TEXTS: [&str; 2] = ["software_id", "software_version"];

/// Mail addresses, or pages, of people who are responsible for the client.
const CONTACTS: &str = "contacts";

/// Members that restrict what the server may take from the client or give it, which this server does not enforce: a client
/// that relied on one would be less safe than it expects. `false` and `null` ask for nothing.
const UNENFORCED: [&str; 13] = [
    "jwks_uri",
    "token_endpoint_auth_signing_alg",
    "dpop_bound_access_tokens",
    "tls_client_certificate_bound_access_tokens",
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "request_object_signing_alg",
    "authorization_signed_response_alg",
];

/// In bytes.
const MAX_TEXT: usize = 2048;

/// Contacts, and members for readers of one language.
const MAX_NUMBER: usize = 100;

/// A longer language tag, in bytes, is refused (RFC 5646 §4.4.1).
const MAX_TAG: usize = 35;

/// What a client says of itself to people and other programs; the server acts on none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientMetadata {
    /// Mail addresses or pages of the people who are responsible for the client (`contacts`); empty for none.
    pub contacts: Vec<String>,
    /// By member: `client_uri`, `software_id`, `client_name#de` and the like.
    pub texts: BTreeMap<String, String>,
}

impl ClientMetadata {
    /// Of a registration.
    ///
    /// # Errors
    /// A member has a value that it cannot have, or asks for what this server does not enforce.
    pub fn of_registration(body: &Map<String, Value>) -> Result<Self, BadRegistration> {
        let is_asked = |name: &&&str| !matches!(body.get(**name), None | Some(Value::Null | Value::Bool(false)));
        if let Some(name) = UNENFORCED.iter().find(is_asked) {
            let instead = if *name == "jwks_uri" { "; write the keys themselves, as `jwks`" } else { "" };
            return Err(format!("the server does not support `{name}`{instead}").into());
        }
        let texts = body.iter().filter(|(name, value)| is_text_member(name) && !value.is_null());
        let texts = texts.map(|(name, value)| Ok((name.clone(), text_member(name, value)?)));
        let texts: BTreeMap<String, String> = texts.collect::<Result<_, BadRegistration>>()?;
        if texts.keys().filter(|name| name.contains('#')).count() > MAX_NUMBER {
            return Err(format!("more than {MAX_NUMBER} members are for readers of one language").into());
        }
        Ok(Self { contacts: contacts(body)?, texts })
    }

    /// Of what the store keeps of a client.
    pub(super) fn of_terms(terms: &Map<String, Value>) -> Self {
        let contacts = terms.get(CONTACTS).and_then(Value::as_array).into_iter().flatten();
        let texts = terms.iter().filter(|(name, _)| is_text_member(name));
        Self {
            contacts: contacts.filter_map(|contact| contact.as_str().map(str::to_owned)).collect(),
            texts: texts.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect(),
        }
    }

    /// The members that are there, by their names in registrations and in the store.
    pub fn members(&self) -> impl Iterator<Item = (String, Value)> {
        let contacts = (!self.contacts.is_empty()).then(|| (CONTACTS.to_owned(), self.contacts.clone().into()));
        contacts.into_iter().chain(self.texts.iter().map(|(name, text)| (name.clone(), text.as_str().into())))
    }

    /// The client's name for readers of a language, where it has one of its own.
    pub(super) fn name_in(&self, language: &str) -> Option<&str> {
        let is_of_language =
            |tag: &str| tag.split('-').next().is_some_and(|first| first.eq_ignore_ascii_case(language));
        self.names().find(|(tag, name)| is_of_language(tag) && !name.is_empty()).map(|(_, name)| name)
    }

    /// The client's names by the tags of their languages.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().filter_map(|(member, name)| Some((member.strip_prefix("client_name#")?, name.as_str())))
    }
}

fn is_text_member(member: &str) -> bool {
    match member.split_once('#') {
        Some((name, _)) => name == "client_name" || URLS.contains(&name),
        None => URLS.contains(&member) || TEXTS.contains(&member),
    }
}

fn text_member(member: &str, value: &Value) -> Result<String, BadRegistration> {
    let (name, tag) = member.split_once('#').map_or((member, None), |(name, tag)| (name, Some(tag)));
    if tag.is_some_and(|tag| !is_language_tag(tag)) {
        // The message repeats what was sent, with invisible characters escaped.
        return Err(format!("`{}`: no language tag, such as `de` or `pt-BR`, after `#`", member.escape_debug()).into());
    }
    let text = value.as_str().filter(|text| text.len() <= MAX_TEXT && !text.chars().any(is_unseen));
    let text = text.ok_or_else(|| format!("`{member}` is not a text of at most {MAX_TEXT} visible bytes"))?;
    if URLS.contains(&name) {
        check_web_url(text).map_err(|problem| format!("`{member}`: {problem}"))?;
    }
    Ok(text.to_owned())
}

fn contacts(body: &Map<String, Value>) -> Result<Vec<String>, BadRegistration> {
    let contacts = match body.get(CONTACTS) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(contacts)) if contacts.len() <= MAX_NUMBER => contacts,
        Some(_) => return Err(format!("`{CONTACTS}` is not a list of at most {MAX_NUMBER} texts").into()),
    };
    let contact = |value: &Value| {
        let text = value.as_str();
        text.filter(|it| (1..=MAX_TEXT).contains(&it.len()) && !it.chars().any(is_unseen)).map(str::to_owned)
    };
    let texts: Option<Vec<String>> = contacts.iter().map(contact).collect();
    texts.ok_or_else(|| format!("a member of `{CONTACTS}` is not a text of 1 to {MAX_TEXT} visible bytes").into())
}

/// As far as RFC 5646 §2.1 says it without the registry of languages.
fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_language = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_alphabetic());
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_alphanumeric());
    tag.len() <= MAX_TAG && parts.next().is_some_and(is_language) && parts.all(is_part)
}

/// Whether a browser can be sent to this page without anything being run that the URL itself holds.
fn check_web_url(url: &str) -> Result<(), &'static str> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
        return Err("a URL is visible ASCII; other characters are percent-encoded (RFC 3986)");
    }
    let uri: Uri = url.parse().map_err(|_| "no absolute URL")?;
    let Some(authority) = uri.authority().filter(|_| matches!(uri.scheme_str(), Some("https" | "http"))) else {
        return Err("expected `https://` or `http://`");
    };
    match Authority::parse(authority.as_str()) {
        Ok(_) => Ok(()),
        Err(AuthorityError::Port | AuthorityError::Between) => Err("what follows the host is no port"),
        Err(_) => Err("what follows `//` is no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(body: Value) -> Result<ClientMetadata, BadRegistration> {
        ClientMetadata::of_registration(body.as_object().expect("an object"))
    }

    #[test]
    fn metadata_of_clients_is_kept_and_returned() {
        let body = json!({
            "contacts": ["a@a.example", "https://a.example/contact"],
            "client_uri": "https://a.example/", "logo_uri": "http://a.example:8080/a.png?x=1#y",
            "tos_uri": "https://[2001:db8::1]/tos", "policy_uri": "https://a.example/policy",
            "policy_uri#de-CH": "https://a.example/datenschutz", "client_name#de": "Beispiel", "client_name#ja-Hira": "れい",
            "software_id": "4NRB1-0XZABZI9E6-5SM3R", "software_version": "2.1",
        });
        let found = of(body.clone()).expect("good");
        let members: Map<String, Value> = found.members().collect();
        assert_eq!(Value::Object(members.clone()), body);
        assert_eq!(ClientMetadata::of_terms(&members), found);
        assert_eq!(
            (found.name_in("de"), found.name_in("ja"), found.name_in("en")),
            (Some("Beispiel"), Some("れい"), None)
        );
        let ignored = json!({"x_unknown": 1, "unknown#de": {}, "client_uri": null, "jwks_uri": null,
            "dpop_bound_access_tokens": false, "software_statement": "x"});
        assert_eq!(of(ignored), Ok(ClientMetadata::default()));
    }

    #[test]
    fn values_that_a_member_cannot_have_are_refused() {
        let long = format!("https://a.example/{}", "x".repeat(MAX_TEXT));
        let many: Vec<String> = (0..=MAX_NUMBER).map(|number| number.to_string()).collect();
        let tags = many.iter().map(|number| (format!("client_name#x-{number}"), json!("A")));
        for (body, what) in [
            (json!({"logo_uri": "javascript:alert(1)"}), "https://"),
            (json!({"logo_uri": "data:image/png;base64,AA"}), "URL"),
            (json!({"client_uri": "//a.example/"}), "https://"),
            (json!({"client_uri": "/about"}), "https://"),
            (json!({"client_uri": "https://"}), "URL"),
            (json!({"client_uri": ""}), "URL"),
            (json!({"client_uri": "https://a.example:0/"}), "port"),
            (json!({"client_uri": "https://a.example:/"}), "port"),
            (json!({"client_uri": "https://good.example@evil.example/"}), "host"),
            (json!({"tos_uri": "https://a.example/ö"}), "percent-encoded"),
            (json!({"tos_uri": "https://a.example/\">"}), "percent-encoded"),
            (json!({"policy_uri": ["https://a.example/"]}), "`policy_uri` is not a text"),
            (json!({"policy_uri": long}), "at most 2048"),
            (json!({"policy_uri#de": "ftp://a.example/"}), "https://"),
            (json!({"client_name#": "A"}), "language tag"),
            (json!({"client_name#d_e": "A"}), "language tag"),
            (json!({"client_name#de-": "A"}), "language tag"),
            (json!({"client_name#de": 1}), "not a text"),
            (json!({"client_name#de": "a\u{202e}b"}), "not a text"),
            (Value::Object(tags.collect()), "more than 100"),
            (json!({"software_id": {}}), "not a text"),
            (json!({"contacts": "a@a.example"}), "list"),
            (json!({"contacts": [1]}), "`contacts`"),
            (json!({"contacts": [""]}), "`contacts`"),
            (json!({ "contacts": many }), "at most 100"),
            (json!({"jwks_uri": "https://a.example/keys"}), "as `jwks`"),
            (json!({"dpop_bound_access_tokens": true}), "does not support `dpop_bound_access_tokens`"),
            (json!({"tls_client_auth_san_dns": "a.example"}), "does not support"),
        ] {
            let problem = of(body.clone()).expect_err(&body.to_string());
            assert!(problem.code == "invalid_client_metadata" && problem.message.contains(what), "{body}: {problem:?}");
        }
    }
}
