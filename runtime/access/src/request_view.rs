//! Where in a request a credential is, and how it is taken from there.

use std::borrow::Cow;

use crate::caller::{SchemeId, Verdict};
use gateway_base::encoding::form_decode;
use gateway_wire::http1::head::Field;
use gateway_wire::peer::ClientCertificate;

/// The field in which a WebSocket client offers subprotocols.
pub const SUBPROTOCOLS: &str = "Sec-WebSocket-Protocol";

/// A place that may hold a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialLocation {
    /// A header field, by its name.
    Header(&'static str),
    /// A query parameter, by its decoded name.
    Query(&'static str),
    /// A cookie, by its name.
    Cookie(&'static str),
    /// A field of a body of `application/x-www-form-urlencoded`, by its decoded name (RFC 6750 §2.2).
    Form(&'static str),
    /// One of the subprotocols that a WebSocket client offers, behind this prefix (RFC 6455 §11.3.4). Read only where the
    /// request asks for an upgrade that its operation admits.
    Subprotocol(&'static str),
}

/// The value at one place.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Nothing.
    Nothing,
    /// One value.
    One(Cow<'a, str>),
    /// Several values, or bytes that are not text: nothing to trust.
    Ambiguous,
}

impl Found<'_> {
    /// There is none, or an empty value.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::One(value) => value.is_empty(),
            Self::Ambiguous => false,
        }
    }
}

/// The parts of a request that credentials are read from, and what is known of it beside.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// As received.
    pub method: &'a str,
    /// The request target as received (RFC 9112 §3.2).
    pub target: &'a str,
    /// The path as received.
    pub path: &'a str,
    /// The raw query.
    pub query: Option<&'a str>,
    /// From the target or from `Host`.
    pub authority: Option<&'a str>,
    /// The request came over TLS.
    pub is_https: bool,
    /// What the client proved to have in the handshake.
    pub certificate: Option<&'a ClientCertificate>,
    /// The header fields.
    pub fields: &'a [Field<'a>],
    /// The whole content, without a transfer coding, once a scheme has asked for it.
    pub body: Option<&'a [u8]>,
    /// It asks for an upgrade that its operation admits (RFC 9110 §7.8).
    pub upgrades: bool,
    /// What schemes have decided after long work.
    pub verdicts: &'a [(SchemeId, Verdict)],
}

impl<'a> RequestView<'a> {
    /// What this scheme has decided already.
    pub(crate) fn verdict_of(&self, scheme: SchemeId) -> Option<&'a Verdict> {
        self.verdicts.iter().find(|(known, _)| *known == scheme).map(|(_, verdict)| verdict)
    }

    /// The body is of `application/x-www-form-urlencoded`.
    pub fn has_form(&self) -> bool {
        let mut types = self.fields.iter().filter(|field| field.name.eq_ignore_ascii_case("content-type"));
        let is_form = |value: &[u8]| {
            let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        };
        types.next().is_some_and(|field| is_form(field.value)) && types.next().is_none()
    }

    /// A request that consists of these parts only.
    #[cfg(test)]
    pub(crate) fn of(fields: &'a [Field<'a>], query: Option<&'a str>) -> Self {
        let (method, target, path) = ("GET", "/", "/");
        Self {
            method,
            target,
            path,
            query,
            authority: None,
            is_https: false,
            certificate: None,
            fields,
            body: None,
            upgrades: false,
            verdicts: &[],
        }
    }

    /// The first of `locations` that holds something, and what it holds: that place decides.
    pub fn first_at<'l>(&self, locations: &'l [CredentialLocation]) -> Option<(&'l CredentialLocation, Found<'a>)> {
        locations.iter().map(|location| (location, location.find(self))).find(|(_, found)| !found.is_empty())
    }
}

impl CredentialLocation {
    /// Reads the value here.
    pub fn find<'a>(&self, view: &RequestView<'a>) -> Found<'a> {
        match self {
            Self::Header(name) => header(view.fields, name),
            Self::Query(name) => query_parameter(view.query, name),
            Self::Cookie(name) => only_one(cookies(view.fields, name)),
            Self::Form(name) => form_field(view, name),
            Self::Subprotocol(prefix) if view.upgrades => only_one(subprotocols(view.fields, prefix)),
            Self::Subprotocol(_) => Found::Nothing,
        }
    }
}

fn header<'a>(fields: &'a [Field<'a>], name: &str) -> Found<'a> {
    only_one(fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| text(field.value)))
}

/// Cookies of one name in any `Cookie` field (RFC 6265 §5.4); a value in double quotes is taken without them.
pub fn cookies<'a>(fields: &'a [Field<'a>], name: &str) -> impl Iterator<Item = Option<Cow<'a, str>>> {
    let pairs = fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("cookie"))
        .flat_map(|field| field.value.split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let pair = pair.trim_ascii();
        let at = memchr::memchr(b'=', pair)?;
        (&pair[..at] == name.as_bytes()).then(|| {
            let value = &pair[at + 1..];
            text(value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value))
        })
    })
}

/// What stands behind a prefix in the subprotocols that are offered.
fn subprotocols<'a>(fields: &'a [Field<'a>], prefix: &str) -> impl Iterator<Item = Option<Cow<'a, str>>> {
    let offered = fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case(SUBPROTOCOLS))
        .flat_map(|field| field.value.split(|byte| *byte == b','));
    offered.filter_map(move |one| one.trim_ascii().strip_prefix(prefix.as_bytes()).map(text))
}

fn query_parameter<'a>(query: Option<&'a str>, name: &str) -> Found<'a> {
    let pairs = query.into_iter().flat_map(|query| query.split('&'));
    only_one(pairs.filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decode(key)? == name).then(|| form_decode(value))
    }))
}

/// Nothing unless the body has been asked for, and is a form.
fn form_field<'a>(view: &RequestView<'a>, name: &str) -> Found<'a> {
    match view.body.filter(|_| view.has_form()).map(std::str::from_utf8) {
        Some(Ok(form)) => query_parameter(Some(form), name),
        Some(Err(_)) => Found::Ambiguous,
        None => Found::Nothing,
    }
}

fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes.trim_ascii()).ok().map(Cow::Borrowed)
}

fn only_one<'a>(mut values: impl Iterator<Item = Option<Cow<'a, str>>>) -> Found<'a> {
    match (values.next(), values.next()) {
        (None, _) => Found::Nothing,
        (Some(Some(value)), None) => Found::One(value),
        _ => Found::Ambiguous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_base::encoding::{cookies_without, form_encode, query_without};

    fn find<'a>(location: CredentialLocation, fields: &'a [Field<'a>], query: Option<&'a str>) -> Found<'a> {
        location.find(&RequestView::of(fields, query))
    }

    #[test]
    fn repeated_credentials_are_ambiguous() {
        let fields = [
            Field { name: "X-Key", value: b"a" },
            Field { name: "x-key", value: b"b" },
            Field { name: "Cookie", value: b"t=1; u=2" },
            Field { name: "cookie", value: b"t=3" },
        ];
        assert_eq!(find(CredentialLocation::Header("x-key"), &fields, None), Found::Ambiguous);
        assert_eq!(find(CredentialLocation::Header("x-other"), &fields, None), Found::Nothing);
        assert_eq!(find(CredentialLocation::Cookie("t"), &fields, None), Found::Ambiguous);
        assert_eq!(find(CredentialLocation::Cookie("u"), &fields, None), Found::One("2".into()));
        assert_eq!(find(CredentialLocation::Query("k"), &fields, Some("k=1&k=2")), Found::Ambiguous);
        assert_eq!(find(CredentialLocation::Query("k"), &fields, Some("a=1&%6b=a+%2B")), Found::One("a +".into()));
        assert_eq!(find(CredentialLocation::Query("k"), &fields, Some("k=%f")), Found::Ambiguous);
    }

    #[test]
    fn subprotocols_are_read_where_they_are_offered() {
        let location = CredentialLocation::Subprotocol("key.");
        let look = |values: &[&'static str], upgrades| {
            let fields: Vec<Field<'_>> =
                values.iter().map(|value| Field { name: "sec-websocket-protocol", value: value.as_bytes() }).collect();
            match location.find(&RequestView { upgrades, ..RequestView::of(&fields, None) }) {
                Found::One(value) => value.into_owned(),
                Found::Nothing => "nothing".to_owned(),
                Found::Ambiguous => "ambiguous".to_owned(),
            }
        };
        assert_eq!(look(&["chat, key.a-1 ,x"], true), "a-1");
        assert_eq!(look(&["chat", "key.b"], true), "b");
        assert_eq!(look(&["chat, key.a"], false), "nothing");
        assert_eq!(look(&["chat, Key.a, xkey.a"], true), "nothing");
        assert_eq!(look(&["key.a", "key.b"], true), "ambiguous");
    }

    #[test]
    fn hidden_parameters_leave_the_rest_as_received() {
        assert_eq!(query_without("a=%20&jwt=x&b", &["jwt"]).as_deref(), Some("a=%20&b"));
        assert_eq!(query_without("a=1", &["jwt"]).as_deref(), Some("a=1"));
        assert_eq!(query_without("%6Awt=x", &["jwt"]), None);
        assert_eq!(cookies_without(b"a=1; jwt=2;b=3", &["jwt"]).as_deref(), Some(&b"a=1; b=3"[..]));
        assert_eq!(cookies_without(b"jwt=2", &["jwt"]), None);
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(form_encode("a b&c=d+é%~".as_bytes()), "a+b%26c%3Dd%2B%C3%A9%25%7E");
    }
}
