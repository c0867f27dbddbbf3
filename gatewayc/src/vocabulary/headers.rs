//! Header fields: those that documents change, and those whose meaning is not theirs to choose.

use gateway_yaml::{Entry, Node, Span};

use crate::diagnostic::{Diagnostic, GW101, GW525, GW535};
use crate::ir::{HeaderEdits, IdentityHeaders};
use crate::vocabulary::literals;
use crate::vocabulary::reader::Reader;
use crate::vocabulary::secret::secret;

pub(super) fn identity_headers(reader: &mut Reader<'_>, node: &Node) -> IdentityHeaders {
    let mut headers = IdentityHeaders::default();
    let names = ["consumer", "credential", "customId", "client", "user"];
    for Entry { key, value } in reader.known(node, "`identityHeaders`", &names) {
        let Some(name) = header_name(reader, value.span, value.as_str()) else { continue };
        const OTHERS: [&str; 4] = ["authorization", "cookie", "host", "x-request-id"];
        let has_meaning = OTHERS.contains(&&*canonical(&name))
            || canonical(&name).starts_with("x-forwarded-")
            || canonical(&name).starts_with("x-client-cert-");
        if is_managed(&name) || has_meaning {
            reader.report(
                Diagnostic::error(GW525, format!("`{name}` cannot carry an identity"))
                    .at(value.span, "the gateway writes this header itself"),
            );
            continue;
        }
        *match &*key.name {
            "consumer" => &mut headers.consumer,
            "credential" => &mut headers.credential,
            "customId" => &mut headers.custom_id,
            "client" => &mut headers.client,
            _ => &mut headers.user,
        } = name;
    }
    let all = [&headers.consumer, &headers.credential, &headers.custom_id, &headers.client, &headers.user];
    let twice = all
        .iter()
        .enumerate()
        .find(|(index, name)| all[..*index].iter().any(|other| canonical(other) == canonical(name)));
    if let Some((_, name)) = twice {
        reader.report(
            Diagnostic::error(GW525, format!("`{name}` would carry two identities"))
                .at(node.span, "each of the five needs a header of its own"),
        );
    }
    headers
}

/// Reads `{set, add, remove}`. With identity headers, the edits are for requests, where more is refused; what they set may
/// be a secret.
pub(super) fn header_edits(reader: &mut Reader<'_>, node: &Node, request: Option<&IdentityHeaders>) -> HeaderEdits {
    let mut edits = HeaderEdits::default();
    for Entry { key, value } in reader.known(node, "header changes", &["set", "add", "remove"]) {
        if &*key.name == "remove" {
            for name in reader.words(value, "`remove`") {
                if let Some(name) = editable(reader, name.span, name.as_str(), request) {
                    edits.remove.push(name.to_ascii_lowercase());
                }
            }
            continue;
        }
        let mut names: Vec<String> = Vec::new();
        for entry in reader.mapping(value, "header changes") {
            let lower = entry.key.name.to_ascii_lowercase();
            if &*key.name == "set" && names.contains(&lower) {
                reader.report(
                    Diagnostic::error(GW525, format!("`{}` is set twice", entry.key.name))
                        .at(entry.key.span, "letter case does not tell headers apart"),
                );
            }
            names.push(lower);
            let Some(name) = editable(reader, entry.key.span, Some(&entry.key.name), request) else { continue };
            if request.is_some() && &*key.name == "set" && entry.value.as_mapping().is_some() {
                edits.set_secret.extend(secret(reader, &name, &entry.value).map(|reference| (name, reference)));
                continue;
            }
            let Some(text) = header_value(reader, &name, &entry.value, request.is_some()) else { continue };
            if &*key.name == "set" { &mut edits.set } else { &mut edits.add }.push((name, text));
        }
    }
    edits.remove.sort_unstable();
    edits.remove.dedup();
    edits.set.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    edits.set_secret.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    edits.add.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    edits
}

pub(super) fn header_value(reader: &mut Reader<'_>, name: &str, node: &Node, request: bool) -> Option<String> {
    let Some(text) = node.as_text() else {
        reader.wrong(node, &format!("the value of `{name}`"), "expected text");
        return None;
    };
    let is_credential = request && ["authorization", "cookie"].contains(&&*name.to_ascii_lowercase());
    let secret = literals::secret_in_header(name, text);
    if is_credential || secret.is_some() {
        let headline = format!("the credential in `{name}` is written out; a secret reference is required");
        let why = secret.map_or_else(String::new, |why| format!("{why}: remove it from the document, and change it; "));
        let instead = match request {
            true => format!("write `set: {{{name}: {{env: NAME}}}}`, or `{{file: path}}`"),
            false => "responses cannot carry secrets of the gateway".to_owned(),
        };
        reader.report(
            Diagnostic::error(GW101, headline)
                .at(node.span, "anyone who can read the document can use it")
                .help(format!("{why}{instead}")),
        );
        return None;
    }
    let visible = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text;
    if !visible {
        reader.report(
            Diagnostic::error(GW525, format!("the value of `{name}` cannot be sent"))
                .at(node.span, "only visible ASCII, and no space at the ends"),
        );
    }
    visible.then(|| text.to_owned())
}

/// A header name that documents may change.
pub(super) fn editable(
    reader: &mut Reader<'_>,
    span: Span,
    text: Option<&str>,
    request: Option<&IdentityHeaders>,
) -> Option<String> {
    let name = header_name(reader, span, text)?;
    let identity = request.is_some_and(|headers| {
        let same = |identity: &String| canonical(identity) == canonical(&name);
        [&headers.consumer, &headers.credential, &headers.custom_id, &headers.client, &headers.user]
            .into_iter()
            .any(same)
    });
    let lower = canonical(&name);
    let about_client =
        request.is_some() && (lower == "host" || lower == "forwarded" || lower.starts_with("x-forwarded-"));
    let identity = identity || (request.is_some() && lower.starts_with("x-client-cert-"));
    let why = if identity {
        "tells the upstream who calls"
    } else if about_client {
        "tells the upstream where the request came from; see `preserveHost` for `Host`"
    } else if is_managed(&name) {
        "belongs to the connection, not to the message"
    } else {
        return Some(name);
    };
    reader.report(Diagnostic::error(GW525, format!("`{name}` cannot be changed")).at(span, why));
    None
}

fn header_name(reader: &mut Reader<'_>, span: Span, text: Option<&str>) -> Option<String> {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    match text {
        Some(name) if token(name) => Some(name.to_owned()),
        _ => {
            reader.report(
                Diagnostic::error(GW525, "this is not the name of a header").at(span, "letters, digits and hyphens"),
            );
            None
        }
    }
}

/// A header that can carry a credential of the gateway's own to an upstream.
pub(super) fn credential_header(reader: &mut Reader<'_>, span: Span, text: Option<&str>) -> Option<String> {
    let name = text.unwrap_or_default();
    let why = no_place_for_credentials(name, &IdentityHeaders::default())
        .or_else(|| not_forwarded(name).filter(|_| canonical(name) != "authorization"))
        .or_else(|| canonical(name).starts_with("x-gateway-").then_some("the gateway writes this header itself"));
    let Some(why) = why else { return Some(name.to_owned()) };
    reader.report(Diagnostic::error(GW535, "this header cannot carry a credential to an upstream").at(span, why));
    None
}

/// Why a credential cannot stand in a header of this name.
pub(crate) fn no_place_for_credentials(name: &str, identity: &IdentityHeaders) -> Option<&'static str> {
    let is_token =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    let IdentityHeaders { consumer, credential, custom_id, client, user } = identity;
    let same = |other: &&String| canonical(other) == canonical(name);
    if !is_token {
        Some("no header can be called that")
    } else if is_managed(name) || ["host", "cookie"].contains(&&*canonical(name)) {
        Some("the header means something else to HTTP")
    } else if [consumer, credential, custom_id, client, user].iter().any(same) {
        Some("the header tells the upstream who calls, and is never taken from clients")
    } else {
        None
    }
}

/// Why the upstream does not see a header of this name as a client sends it: what selects an operation here must select
/// it there.
pub(crate) fn not_forwarded(name: &str) -> Option<&'static str> {
    const BEGINNINGS: [&str; 18] = [
        "x-forwarded-",
        "x-original-",
        "x-rewrite-",
        "x-override-",
        "x-middleware-",
        "x-client-cert-",
        "x-http-method",
        "x-http-host-",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-remote-",
        "true-client-ip",
        "x-host",
        "proxy",
        "remote-",
        "script-",
        "server-",
    ];
    const NAMES: [&str; 16] = [
        "forwarded",
        "via",
        "x-request-id",
        "traceparent",
        "tracestate",
        "authorization",
        "expect",
        "auth-type",
        "path-info",
        "path-translated",
        "query-string",
        "request-method",
        "request-uri",
        "x-method-override",
        "date",
        "content-length",
    ];
    let name = canonical(name);
    let is_changed = BEGINNINGS.iter().any(|begin| name.starts_with(begin)) || NAMES.contains(&&*name);
    is_changed
        .then_some("the gateway writes or removes this header, so that the upstream would not see what was selected")
}

/// Headers that frame a message or belong to one connection (RFC 9110 §7.6.1), which a proxy writes itself.
fn is_managed(name: &str) -> bool {
    const MANAGED: [&str; 12] = [
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    ];
    MANAGED.contains(&&*canonical(name))
}

/// A name as CGI and its descendants see it: they take `X_User_ID` for `X-User-ID`.
pub(crate) fn canonical(name: &str) -> String {
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase().into() } else { '-' };
    name.bytes().map(plain).collect()
}

/// Names of header fields in order, each once: letter case does not tell them apart.
pub(crate) fn in_order(mut names: Vec<String>) -> Vec<String> {
    names.sort_by_cached_key(|name| (name.to_ascii_lowercase(), name.clone()));
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    names
}
