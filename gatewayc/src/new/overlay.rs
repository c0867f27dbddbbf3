//! The overlay of a project's document: what the gateway needs, answered or to be chosen.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;

use gateway_terms::upstream::UpstreamScheme;
use gateway_yaml::suggest;
use gatewayc::ast::{Document, PathItem, SchemeKind, Security, SecurityScheme};

use crate::new::answers::{Answers, Auth};
use crate::new::fault::wrong;
use crate::new::quoted::quoted;

/// Begins a value that the author has to choose; it does not compile.
const TODO: &str = "TODO(choose): ";

/// The overlay of `document`, whose file is called `name`; none where the document says everything.
pub(super) fn text(answers: &Answers, document: &Document, name: &str) -> io::Result<Option<String>> {
    let used = used_schemes(document);
    let mut overlay = Overlay { actions: String::new(), used_auth: false, auth: None };
    if matches!(answers.auth, Some(Auth::Nobody)) && !used.is_empty() {
        let names: Vec<&str> = used.iter().map(|scheme| &*scheme.name.value).collect();
        let what = names.join("`, `");
        return Err(wrong(format!("--auth none: the document asks for `{what}`; say how that is checked instead")));
    }
    // One answer for several schemes would make one of them, and a caller with one credential would have the rights of the
    // others.
    let open: Vec<&&SecurityScheme> = used.iter().filter(|scheme| is_open(scheme)).collect();
    overlay.auth = answers.auth.as_ref().filter(|auth| match open[..] {
        [only] => used.iter().all(|other| other.name.value == only.name.value || family(other) != auth.family()),
        _ => open.is_empty(),
    });
    overlay.root(answers, document, default_scheme(document, &used).as_ref())?;
    for scheme in &used {
        overlay.scheme(scheme);
    }
    if answers.auth.is_some() && overlay.auth.is_some() && !overlay.used_auth {
        let what = "the document says itself how callers prove who they are; write an overlay by hand to change that";
        return Err(wrong(format!("--auth: {what}")));
    }
    for path in &answers.public {
        overlay.public(document, path)?;
    }
    if overlay.actions.is_empty() {
        return Ok(None);
    }
    let title = quoted(&format!("{} behind the gateway", document.title));
    Ok(Some(format!(
        "# What the gateway needs to know and {name} does not say. The document stays as its owner publishes it.\n\
         # The members of x-gateway: docs/annotations.md; overlays: docs/overlays.md of gatewayc.\n\
         overlay: 1.0.0\ninfo: {{title: {title}, version: \"1\"}}\nextends: {}\nactions:\n{}",
        quoted(&format!("./{name}")),
        overlay.actions,
    )))
}

/// Kinds of credential that one value could not meet together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Key,
    Password,
    Token,
    Other,
}

fn family(scheme: &SecurityScheme) -> Family {
    match &scheme.kind {
        Some(SchemeKind::ApiKey { .. }) => Family::Key,
        Some(SchemeKind::Http { scheme, .. }) if scheme.eq_ignore_ascii_case("basic") => Family::Password,
        Some(SchemeKind::Http { scheme, .. }) if scheme.eq_ignore_ascii_case("bearer") => Family::Token,
        Some(SchemeKind::OAuth2 { .. } | SchemeKind::OpenIdConnect { .. }) => Family::Token,
        Some(SchemeKind::Http { .. } | SchemeKind::MutualTls) | None => Family::Other,
    }
}

impl Auth {
    fn family(&self) -> Family {
        match self {
            Self::Nobody => Family::Other,
            Self::Keys => Family::Key,
            Self::Passwords => Family::Password,
            Self::Oidc { .. } | Self::Jwks { .. } | Self::Introspection { .. } => Family::Token,
        }
    }
}

/// Whether the document does not say how credentials of this scheme are checked.
fn is_open(scheme: &SecurityScheme) -> bool {
    let is_basic = |name: &str| name.eq_ignore_ascii_case("basic");
    scheme.gateway.is_none()
        && match &scheme.kind {
            Some(SchemeKind::Http { scheme, .. }) => !is_basic(scheme),
            Some(SchemeKind::OAuth2 { .. }) => true,
            Some(SchemeKind::ApiKey { .. } | SchemeKind::MutualTls | SchemeKind::OpenIdConnect { .. }) | None => false,
        }
}

/// What is required of callers where the document says nothing.
enum Default {
    /// A scheme that the document uses elsewhere.
    Known(String),
    /// A new one.
    New(String),
}

struct Overlay<'a> {
    actions: String,
    /// How callers prove who they are, where that is answered.
    auth: Option<&'a Auth>,
    used_auth: bool,
}

impl Overlay<'_> {
    fn action(&mut self, target: &str, body: &str) {
        let _ = write!(self.actions, "  - target: {}\n{body}", quoted(target));
    }

    fn remove(&mut self, target: &str) {
        self.action(target, "    remove: true\n");
    }

    fn root(&mut self, answers: &Answers, document: &Document, default: Option<&Default>) -> io::Result<()> {
        let mut members = String::new();
        let gateway = document.gateway.as_ref();
        let has = |member: &str| gateway.is_some_and(|gateway| gateway.get(member).is_some());
        if !has("version") {
            members.push_str("        version: 1\n");
        }
        match &answers.upstream {
            Some(url) => {
                if UpstreamScheme::of(url).is_none() {
                    return Err(wrong(format!("--upstream: {url} does not start with http:// or https://")));
                }
                let _ = writeln!(members, "        upstream: {{url: {}}}", quoted(url));
            }
            None if has("upstream") || has("upstreams") => {}
            None => {
                let server = document.servers.first().map(|server| &*server.url.value);
                let seen = server.filter(|url| url.contains("://"));
                let seen = seen.map_or_else(String::new, |url| format!(" (the document's server is {})", plain(url)));
                let todo = format!("{TODO}where is the service, such as http://127.0.0.1:3000?{seen}");
                let _ = writeln!(members, "        upstream: {{url: {}}}", quoted(&todo));
            }
        }
        if let Some(limit) = &answers.limit {
            let (count, interval) = (limit.count, limit.interval);
            let _ = writeln!(
                members,
                "        rateLimit: [{{algorithm: token-bucket, limit: {count}, interval: {interval}, key: [caller]}}]"
            );
        }
        let mut update = String::new();
        if !members.is_empty() {
            let _ = write!(update, "      x-gateway:\n{members}");
        }
        match (default, self.auth) {
            (None, _) => {}
            (Some(_), Some(Auth::Nobody)) => {
                self.used_auth = true;
                update.push_str("      security: []\n");
            }
            (Some(Default::Known(name)), _) => {
                let _ = writeln!(update, "      security: [{{{}: []}}]", quoted(name));
            }
            (Some(Default::New(name)), Some(auth)) => {
                self.used_auth = true;
                let _ = write!(
                    update,
                    "      security: [{{{name}: []}}]\n      components:\n        securitySchemes:\n          {name}: {}\n",
                    scheme_of(auth),
                );
            }
            (Some(Default::New(_)), None) => {
                let todo = format!("{TODO}who may call where the document does not say it?");
                let _ = writeln!(
                    update,
                    "      # For example [{{gateway: []}}], and beside it: components: {{securitySchemes: {{gateway: {}}}}}; \
                     [] is everyone.\n      security: {}",
                    scheme_of(&Auth::Keys),
                    quoted(&todo),
                );
            }
        }
        if !update.is_empty() {
            self.action("$", &format!("    update:\n{update}"));
        }
        Ok(())
    }

    /// How a scheme of the document is checked, where the document does not say.
    fn scheme(&mut self, scheme: &SecurityScheme) {
        let target = format!("$.components.securitySchemes[{}]", member(&scheme.name.value));
        if let (Some(SchemeKind::OpenIdConnect { url }), None, Some(Auth::Oidc { url: asked, audience })) =
            (&scheme.kind, &scheme.gateway, self.auth)
            && url == asked
        {
            self.used_auth = true;
            if let Some(audience) = audience {
                let audience = quoted(audience);
                self.action(&target, &format!("    update: {{x-gateway: {{jwt: {{audiences: [{audience}]}}}}}}\n"));
            }
            return;
        }
        let Some(kind) = scheme.kind.as_ref().filter(|_| is_open(scheme)) else { return };
        let is_oauth2 = matches!(kind, SchemeKind::OAuth2 { .. });
        let is_token = family(scheme) == Family::Token;
        self.used_auth |= self.auth.is_some();
        let checked = match self.auth {
            Some(Auth::Jwks { url, audience }) if is_token => {
                let jwt = format!("jwt: {}", jwt(url, audience.as_deref()));
                if is_oauth2 { format!("token: {{{jwt}}}") } else { jwt }
            }
            Some(auth @ Auth::Introspection { .. }) if is_token => format!("token: {{{}}}", introspection(auth)),
            None => {
                let todo = quoted(&format!("{TODO}how is it checked? See docs/annotations.md, A security scheme"));
                if is_oauth2 { format!("token: {{jwt: {todo}}}") } else { format!("jwt: {todo}") }
            }
            // Another kind of scheme takes its place, under its name.
            Some(auth) => {
                self.remove(&target);
                let name = quoted(&scheme.name.value);
                let update = format!("    update:\n      {name}: {}\n", scheme_of(auth));
                self.action("$.components.securitySchemes", &update);
                return;
            }
        };
        self.action(&target, &format!("    update: {{x-gateway: {{{checked}}}}}\n"));
    }

    /// Makes the operations of a path public.
    fn public(&mut self, document: &Document, path: &str) -> io::Result<()> {
        let Some(item) = document.paths.iter().find(|item| item.key.value == path) else {
            let near = suggest(path, document.paths.iter().map(|item| &*item.key.value));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            return Err(wrong(format!("--public: the document has no path {path}{hint}")));
        };
        // A path item that is referred to is changed for all who refer to it.
        let is_shared = |other: &&PathItem| {
            let places = || other.operations.iter().map(|operation| operation.span);
            other.key.value != path && places().any(|place| item.operations.iter().any(|one| one.span == place))
        };
        if let Some(other) = document.paths.iter().find(is_shared) {
            let other = &other.key.value;
            return Err(wrong(format!(
                "--public {path}: {other} has the same operations by `$ref`, and would be public as well"
            )));
        }
        for operation in &item.operations {
            let target = format!("$.paths[{}].{}", member(path), operation.method.to_ascii_lowercase());
            if operation.security.is_some() {
                self.remove(&format!("{target}.security"));
            }
            self.action(&target, "    update: {security: []}\n");
        }
        Ok(())
    }
}

/// The schemes that the document requires somewhere.
fn used_schemes(document: &Document) -> Vec<&SecurityScheme> {
    let operations = document.paths.iter().flat_map(|path| &path.operations);
    let lists = operations.filter_map(|operation| operation.security.as_ref()).chain(document.security.as_ref());
    let alternatives = lists.filter_map(|security| match security {
        Security::AnyOf(alternatives) => Some(&alternatives.value),
        Security::Broken(_) => None,
    });
    let requirements = alternatives.flatten().flat_map(|alternative| &alternative.requirements);
    let names: BTreeSet<&str> = requirements.map(|requirement| &*requirement.scheme.value).collect();
    document.schemes.iter().filter(|scheme| names.contains(&*scheme.name.value)).collect()
}

/// What callers of operations need that say nothing, if there are any.
fn default_scheme(document: &Document, used: &[&SecurityScheme]) -> Option<Default> {
    let mut operations = document.paths.iter().flat_map(|path| &path.operations);
    if document.security.is_some() || operations.all(|operation| operation.security.is_some()) {
        return None;
    }
    if let [only] = used {
        return Some(Default::Known(only.name.value.clone()));
    }
    let is_taken = |name: &str| document.schemes.iter().any(|scheme| scheme.name.value == name);
    let names = std::iter::once("gateway".to_owned()).chain((2..).map(|number| format!("gateway{number}")));
    names.into_iter().find(|name| !is_taken(name)).map(Default::New)
}

/// A scheme that the gateway can check.
fn scheme_of(auth: &Auth) -> String {
    match auth {
        Auth::Nobody | Auth::Keys => "{type: apiKey, in: header, name: X-API-Key}".to_owned(),
        Auth::Passwords => "{type: http, scheme: basic}".to_owned(),
        Auth::Oidc { url, audience } => {
            let audiences = audience
                .as_deref()
                .map(|audience| format!(", x-gateway: {{jwt: {{audiences: [{}]}}}}", quoted(audience)));
            let audiences = audiences.unwrap_or_default();
            format!("{{type: openIdConnect, openIdConnectUrl: {}{audiences}}}", quoted(url))
        }
        Auth::Jwks { url, audience } => {
            format!("{{type: http, scheme: bearer, x-gateway: {{jwt: {}}}}}", jwt(url, audience.as_deref()))
        }
        Auth::Introspection { .. } => {
            format!("{{type: http, scheme: bearer, x-gateway: {{token: {{{}}}}}}}", introspection(auth))
        }
    }
}

fn jwt(url: &str, audience: Option<&str>) -> String {
    let audiences = audience.map(|audience| format!(", audiences: [{}]", quoted(audience))).unwrap_or_default();
    format!("{{verify: {{algorithms: [RS256], jwks: {{url: {}}}}}{audiences}}}", quoted(url))
}

fn introspection(auth: &Auth) -> String {
    let Auth::Introspection { url, client, secret, audience } = auth else { return String::new() };
    let audiences = audience.as_deref().map(|audience| format!(", audiences: [{}]", quoted(audience)));
    format!(
        "introspection: {{url: {}, clientId: {}, clientSecret: {{env: {}}}{}}}",
        quoted(url),
        quoted(client),
        quoted(secret),
        audiences.unwrap_or_default(),
    )
}

/// The name of a member in a JSONPath (RFC 9535 §2.3.1).
fn member(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A text of the document as a comment may have it.
fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}
