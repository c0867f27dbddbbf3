//! What responses say to browsers: which pages of other origins may read them (Fetch Standard, CORS protocol), and what
//! pages may do with them.

use std::borrow::Cow;
use std::time::Duration;

use gateway_route::Reading;
use gateway_wire::browser_fields::{BrowserFields, CorsFields};
use gateway_wire::field_lines::FieldLines;
use gateway_wire::header_edits::HeaderEdits;
use gateway_wire::http1::head::RequestHead;

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

/// Which pages of other origins may call.
#[derive(Debug)]
pub struct CorsPolicy {
    /// Serialised origins (RFC 6454 §6.2), ordered.
    pub origins: &'static [&'static str],
    /// All hosts below a domain.
    pub patterns: &'static [OriginPattern],
    /// Every origin.
    pub any: bool,
    /// The browser sends cookies and the like.
    pub credentials: bool,
    /// How long browsers remember the answer to a preflight request, in whole seconds; as long as they like if `None`.
    pub max_age: Option<Duration>,
    /// Pages of public networks may call an address of a private one.
    pub private_network: bool,
    /// Requests of pages of other origins are refused.
    pub enforce: bool,
}

/// Pages, by where they come from.
#[derive(Debug)]
pub struct Origins {
    /// Serialised origins (RFC 6454 §6.2), ordered.
    pub origins: &'static [&'static str],
    /// All hosts below a domain.
    pub patterns: &'static [OriginPattern],
    /// Every origin.
    pub any: bool,
}

/// The origins of all hosts below a domain.
#[derive(Debug)]
pub struct OriginPattern {
    /// With `://`.
    pub scheme: &'static str,
    /// The domain with a dot in front of it, and the port where it is not the usual one.
    pub domain: &'static str,
}

/// A policy with what a document describes: lists of names, separated by commas.
#[derive(Debug)]
pub struct Cors {
    /// Who may call.
    pub policy: &'static CorsPolicy,
    /// The methods that a preflight request may ask for.
    pub methods: &'static str,
    /// The header fields that it may ask for.
    pub headers: &'static str,
    /// The header fields of responses that scripts may read.
    pub exposed: &'static str,
}

/// Fields that tell browsers what they may do with a response.
#[derive(Debug)]
pub struct SecurityHeaders {
    /// Names and values.
    pub fields: &'static [(&'static str, &'static str)],
}

impl OriginPattern {
    /// Whether an origin has one or more labels in front of the domain.
    fn matches(&self, origin: &str) -> bool {
        let labels = origin.strip_prefix(self.scheme).and_then(|rest| rest.strip_suffix(self.domain));
        let is_label = |label: &[u8]| {
            let may_be = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(byte);
            !label.is_empty() && label.iter().all(may_be)
        };
        labels.is_some_and(|labels| labels.as_bytes().split(|byte| *byte == b'.').all(is_label))
    }
}

impl Origins {
    /// Whether a page of this origin is among them.
    pub(crate) fn admit(&self, origin: &str) -> bool {
        let is_below = || self.patterns.iter().any(|pattern| pattern.matches(origin));
        self.any || self.origins.binary_search(&origin).is_ok() || is_below()
    }
}

impl CorsPolicy {
    /// `Access-Control-Allow-Origin` for a page of this origin, if it may call.
    fn admits(&self, origin: &str) -> Option<Cow<'static, str>> {
        if self.any {
            return Some("*".into());
        }
        match self.origins.binary_search(&origin) {
            Ok(at) => Some(self.origins[at].into()),
            Err(_) => {
                let is_below = self.patterns.iter().any(|pattern| pattern.matches(origin));
                is_below.then(|| origin.to_owned().into())
            }
        }
    }
}

impl Cors {
    /// Whether a preflight request may ask for a method.
    fn has_method(&self, asked: &str) -> bool {
        !asked.is_empty() && self.methods.split(", ").any(|method| method == asked)
    }

    /// Whether a preflight request may ask for a header field.
    fn has_header(&self, asked: &str) -> bool {
        self.headers.split(", ").any(|name| name.eq_ignore_ascii_case(asked))
    }
}

/// What the responses of an operation, or those to unknown methods or paths, say to browsers.
#[derive(Debug)]
pub struct ForBrowsers {
    cors: Option<PreparedCors>,
    security: FieldLines,
    /// Those of them that the operation's changes to responses leave.
    security_beside_edits: FieldLines,
}

#[derive(Debug)]
struct PreparedCors {
    table: &'static Cors,
    /// For a page that may read the response, beside its origin.
    granted: FieldLines,
    /// For a preflight request of such a page, beside its origin.
    preflight: FieldLines,
}

impl PreparedCors {
    fn new(table: &'static Cors) -> Self {
        let Cors { policy, methods, headers, exposed } = table;
        let (mut granted, mut preflight) = (FieldLines::new(), FieldLines::new());
        // The compiler has made all of them of names and numbers.
        if policy.credentials {
            granted.push_if_valid("Access-Control-Allow-Credentials", "true");
            preflight.push_if_valid("Access-Control-Allow-Credentials", "true");
        }
        if !exposed.is_empty() {
            granted.push_if_valid("Access-Control-Expose-Headers", exposed);
        }
        preflight.push_if_valid("Access-Control-Allow-Methods", methods);
        if !headers.is_empty() {
            preflight.push_if_valid("Access-Control-Allow-Headers", headers);
        }
        if let Some(max_age) = policy.max_age {
            preflight.push_if_valid("Access-Control-Max-Age", max_age.as_secs());
        }
        let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        preflight.push_if_valid("Vary", vary);
        Self { table, granted, preflight }
    }
}

impl ForBrowsers {
    /// Nothing where there is nothing to say; `edits` are the operation's changes to responses.
    pub fn of(
        cors: Option<&'static Cors>,
        security: Option<&'static SecurityHeaders>,
        edits: Option<&HeaderEdits>,
    ) -> Option<Box<Self>> {
        if cors.is_none() && security.is_none() {
            return None;
        }
        let fields = security.map_or(&[][..], |security| security.fields);
        let is_edited = |name: &str| {
            let edited = edits.into_iter().flat_map(|edits| edits.set.iter().chain(edits.add));
            edited.into_iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let (mut all, mut beside_edits) = (FieldLines::new(), FieldLines::new());
        for (name, value) in fields {
            all.push_if_valid(name, value);
            if !is_edited(name) {
                beside_edits.push_if_valid(name, value);
            }
        }
        Some(Box::new(Self { cors: cors.map(PreparedCors::new), security: all, security_beside_edits: beside_edits }))
    }

    /// Whether there is a policy about pages of other origins.
    pub fn has_cors(&self) -> bool {
        self.cors.is_some()
    }

    /// Whether pages of other origins are refused.
    pub(crate) fn enforces(&self) -> bool {
        self.cors.as_ref().is_some_and(|cors| cors.table.policy.enforce)
    }

    /// `Access-Control-Allow-Origin` for the page that sent a request, if it may read the response.
    fn admits(&self, request: &RequestHead<'_>) -> Option<Cow<'static, str>> {
        let policy = self.cors.as_ref()?.table.policy;
        match request.reading("origin") {
            Reading::Once(origin) => policy.admits(origin),
            // A cache may give this response to any page.
            Reading::Absent | Reading::Unclear => policy.any.then_some("*".into()),
        }
    }

    /// The fields of the answer to a preflight request, which begins with `OPTIONS` and says for which method it asks.
    ///
    /// # Errors
    /// What of the request is not allowed.
    pub(crate) fn preflight(&self, request: &RequestHead<'_>, method: &str) -> Result<FieldLines, NotAllowed> {
        let origin = || match request.reading("origin") {
            Reading::Once(origin) => origin.into(),
            Reading::Absent | Reading::Unclear => "several".into(),
        };
        let (Some(cors), Some(allowed)) = (&self.cors, self.admits(request)) else {
            return Err(NotAllowed::Origin(origin()));
        };
        if !cors.table.has_method(method) {
            return Err(NotAllowed::Method(method.into()));
        }
        let asked =
            request.fields.iter().filter(|field| field.name.eq_ignore_ascii_case("access-control-request-headers"));
        for name in asked.flat_map(|field| field.value.split(|byte| *byte == b',')) {
            let name = String::from_utf8_lossy(name.trim_ascii());
            if !name.is_empty() && !cors.table.has_header(&name) {
                return Err(NotAllowed::Header(name.into()));
            }
        }
        let mut fields = cors.preflight.clone();
        fields.push_if_valid(ALLOW_ORIGIN, allowed);
        let asks = matches!(request.reading("access-control-request-private-network"), Reading::Once("true"));
        if cors.table.policy.private_network && asks {
            fields.push_if_valid("Access-Control-Allow-Private-Network", "true");
        }
        Ok(fields)
    }
}

/// What of a request is not allowed for pages of its origin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAllowed {
    Origin(Box<str>),
    Method(Box<str>),
    Header(Box<str>),
}

/// What the answer to one request says to browsers.
#[derive(Debug)]
pub(crate) struct Answering {
    pub(crate) of: &'static ForBrowsers,
    page: Page,
}

/// The page that sent a request.
#[derive(Debug)]
enum Page {
    /// Something else says which pages may read the answer.
    Elsewhere,
    /// It may not read the answer, or there is none.
    Foreign,
    /// It may; `Access-Control-Allow-Origin`.
    Admitted(Cow<'static, str>),
}

impl Answering {
    /// For the page that sent `request`.
    pub(crate) fn to(of: &'static ForBrowsers, request: &RequestHead<'_>) -> Self {
        let page = of.admits(request).map_or(Page::Foreign, Page::Admitted);
        Self { of, page }
    }

    /// For a page that may not read the answer.
    pub(crate) fn foreign(of: &'static ForBrowsers) -> Self {
        Self { of, page: Page::Foreign }
    }

    /// Without a word about which pages may read the answer.
    pub(crate) fn without_cors(of: &'static ForBrowsers) -> Self {
        Self { of, page: Page::Elsewhere }
    }

    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.page, Page::Foreign)
    }

    /// The fields of a response; `edited` if the operation changes it.
    pub(crate) fn fields(&self, edited: bool) -> BrowserFields<'_> {
        let Self { of, page } = self;
        let cors = of.cors.as_ref().and_then(|cors| {
            let allowed = match page {
                Page::Elsewhere => return None,
                Page::Foreign => None,
                Page::Admitted(origin) => Some((&**origin, &cors.granted)),
            };
            Some(CorsFields { allowed, varies: !cors.table.policy.any })
        });
        BrowserFields { cors, security: if edited { &of.security_beside_edits } else { &of.security } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_wire::http1::head::Field;

    static POLICY: CorsPolicy = CorsPolicy {
        origins: &["http://localhost:3000", "https://app.example", "null"],
        patterns: &[OriginPattern { scheme: "https://", domain: ".preview.example" }],
        any: false,
        credentials: true,
        max_age: Some(Duration::from_secs(600)),
        private_network: true,
        enforce: false,
    };

    static CORS: Cors =
        Cors { policy: &POLICY, methods: "DELETE, GET, HEAD", headers: "Content-Type, X-Key", exposed: "ETag" };

    #[test]
    fn origins_are_compared_as_a_whole() {
        for origin in [
            "https://app.example",
            "http://localhost:3000",
            "null",
            "https://a.preview.example",
            "https://a.b-1.preview.example",
        ] {
            assert_eq!(POLICY.admits(origin).as_deref(), Some(origin));
        }
        for origin in [
            "",
            "https://",
            "http://app.example",
            "https://app.example:443",
            "https://app.example.",
            "https://app.example/",
            "HTTPS://app.example",
            "https://App.example",
            "https://app.example.evil.example",
            "https://evil-app.example",
            "https://preview.example",
            "https://.preview.example",
            "https://a..preview.example",
            "https://evilpreview.example",
            "https://a.preview.example:8443",
            "https://a.preview.example.evil.example",
            "https://evil.example/.preview.example",
            "https://evil.example?.preview.example",
            "https://evil.example:1.preview.example",
            "https://u@a.preview.example",
            "http://a.preview.example",
            "Null",
            "null, null",
        ] {
            assert_eq!(POLICY.admits(origin), None, "{origin}");
        }
    }

    fn preflight(method: &str, fields: &[(&'static str, &'static str)]) -> Result<String, NotAllowed> {
        let fields: Vec<Field<'_>> =
            fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
        let request = RequestHead { method: "OPTIONS", target: "/", is_http11: true, fields: &fields };
        let of = ForBrowsers::of(Some(&CORS), None, None).expect("a policy");
        let lines = of.preflight(&request, method)?;
        Ok(lines.iter().map(|(name, value)| format!("{name}: {value}\n")).collect())
    }

    #[test]
    fn preflight_requests_are_judged_by_what_they_ask_for() {
        const APP: (&str, &str) = ("Origin", "https://app.example");
        const HEADERS: &str = "access-control-request-headers";
        let answer = preflight("GET", &[APP, (HEADERS, "x-key,CONTENT-TYPE , ")]).expect("allowed");
        assert_eq!(
            answer,
            "Access-Control-Allow-Credentials: true\nAccess-Control-Allow-Methods: DELETE, GET, HEAD\n\
             Access-Control-Allow-Headers: Content-Type, X-Key\nAccess-Control-Max-Age: 600\n\
             Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\n\
             Access-Control-Allow-Origin: https://app.example\n"
        );
        let private = preflight("GET", &[APP, ("access-control-request-private-network", "true")]).expect("allowed");
        assert!(private.ends_with("Access-Control-Allow-Private-Network: true\n"));
        for (method, fields, expected) in [
            ("GET", &[("Origin", "https://evil.example")][..], NotAllowed::Origin("https://evil.example".into())),
            ("GET", &[APP, APP], NotAllowed::Origin("several".into())),
            ("PUT", &[APP], NotAllowed::Method("PUT".into())),
            ("get", &[APP], NotAllowed::Method("get".into())),
            ("", &[APP], NotAllowed::Method("".into())),
            ("GET", &[APP, (HEADERS, "x-key, x-secret")], NotAllowed::Header("x-secret".into())),
            ("GET", &[APP, (HEADERS, "x-key"), (HEADERS, "x-more")], NotAllowed::Header("x-more".into())),
            ("GET", &[APP, (HEADERS, "Content-Type, X-Key;")], NotAllowed::Header("X-Key;".into())),
            ("GET", &[APP, (HEADERS, "*")], NotAllowed::Header("*".into())),
        ] {
            assert_eq!(preflight(method, fields), Err(expected), "{method} {fields:?}");
        }
    }

    #[test]
    fn edits_come_before_security_headers() {
        static HEADERS: SecurityHeaders =
            SecurityHeaders { fields: &[("Referrer-Policy", "no-referrer"), ("X-Content-Type-Options", "nosniff")] };
        let edits = HeaderEdits { remove: &[], set: &[("referrer-policy", "origin")], set_secret: &[], add: &[] };
        let of = ForBrowsers::of(None, Some(&HEADERS), Some(&edits)).expect("headers");
        let names = |lines: &FieldLines| lines.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&of.security), ["Referrer-Policy", "X-Content-Type-Options"]);
        assert_eq!(names(&of.security_beside_edits), ["X-Content-Type-Options"]);
        assert!(ForBrowsers::of(None, None, None).is_none());
    }
}
