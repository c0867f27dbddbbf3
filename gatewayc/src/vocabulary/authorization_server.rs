//! `authorizationServer`: the gateway gives tokens itself.

use std::time::Duration;

use gateway_yaml::{Entry, Node, Span, Spanned};

use crate::diagnostic::{Diagnostic, GW103, GW104, GW301, GW302, GW306, GW308, GW320};
use crate::ir::{Grant, PkceRequirement, TokenFormat};
use crate::units::{self, show_duration};
use crate::vocabulary::accepted_risk::{AcceptedRisk, accept_risk};
use crate::vocabulary::authority::is_authority;
use crate::vocabulary::reader::Reader;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Within which a code must be used (RFC 6749 §4.1.2).
const LONGEST_CODE: Duration = Duration::from_secs(600);

/// A longer grace would leave a stolen refresh token unnoticed for as long.
const LONGEST_GRACE: Duration = MINUTE;

/// A request names a few; a document names as many as people can review.
const MOST_RESOURCES: usize = 64;

/// `authorizationServer`, with its defaults.
#[derive(Debug)]
pub struct AuthorizationServerPolicy {
    /// The key.
    pub at: Span,
    /// The whole description.
    pub scope: Span,
    /// `issuer`; nothing where it is broken.
    pub issuer: Option<Spanned<String>>,
    /// `accessToken.format`, opaque.
    pub token_format: TokenFormat,
    /// `accessToken.ttl`, 1 h.
    pub access_token_ttl: Duration,
    /// `refreshToken.rotate`, true.
    pub rotates: bool,
    /// `refreshToken.ttl`, 30 d.
    pub refresh_token_ttl: Duration,
    /// `refreshToken.idle`, 7 d; zero for no such limit.
    pub refresh_token_idle: Duration,
    /// `refreshToken.grace`, none: how long one that is spent gives tokens again.
    pub refresh_token_grace: Duration,
    /// `code.ttl`, 60 s.
    pub code_ttl: Duration,
    /// `pkce.requiredFor`, all.
    pub pkce: PkceRequirement,
    /// `consent.remember`, true.
    pub remembers_consent: bool,
    /// `resources`: what access tokens can be for beside the server itself.
    pub resources: Vec<Spanned<String>>,
    /// `grants`, each with its place, in the order of [`Grant`].
    pub grants: Vec<Spanned<Grant>>,
    /// Whether that is all of them. What is missing has been reported.
    pub grants_are_complete: bool,
    /// `client_credentials.subject`, false.
    pub client_acts_for_users: bool,
    /// `requirePermission` of assertions, true.
    pub assertion_needs_permission: bool,
    /// `acceptRisk`.
    pub accepted: Vec<AcceptedRisk>,
}

impl AuthorizationServerPolicy {
    /// Whether a grant is offered.
    pub(crate) fn offers(&self, grant: Grant) -> bool {
        self.grants.iter().any(|offered| offered.value == grant)
    }
}

pub(super) fn authorization_server(reader: &mut Reader<'_>, key: Span, node: &Node) -> AuthorizationServerPolicy {
    let mut policy = AuthorizationServerPolicy {
        at: key,
        scope: node.span,
        issuer: None,
        token_format: TokenFormat::Opaque,
        access_token_ttl: HOUR,
        rotates: true,
        refresh_token_ttl: 30 * DAY,
        refresh_token_idle: 7 * DAY,
        refresh_token_grace: Duration::ZERO,
        code_ttl: MINUTE,
        pkce: PkceRequirement::All,
        remembers_consent: true,
        resources: Vec::new(),
        grants: Vec::new(),
        grants_are_complete: false,
        client_acts_for_users: false,
        assertion_needs_permission: true,
        accepted: Vec::new(),
    };
    const KNOWN: [&str; 9] =
        ["issuer", "accessToken", "refreshToken", "code", "pkce", "consent", "resources", "grants", "acceptRisk"];
    let entries = reader.known(node, "`authorizationServer`", &KNOWN);
    for Entry { key, value } in entries.iter().copied() {
        match &*key.name {
            "issuer" => policy.issuer = issuer(reader, value),
            "accessToken" => access_token(reader, value, &mut policy),
            "refreshToken" => refresh_token(reader, value, &mut policy),
            "code" => {
                for entry in reader.known(value, "`code`", &["ttl"]) {
                    policy.code_ttl = reader.unit(&entry.value, "`ttl`", code_time).unwrap_or(MINUTE);
                }
            }
            "pkce" => {
                let choices = [("all", PkceRequirement::All), ("public", PkceRequirement::Public)];
                for entry in reader.known(value, "`pkce`", &["requiredFor"]) {
                    let choice = reader.choice(&entry.value, "`requiredFor`", &choices);
                    policy.pkce = choice.unwrap_or(PkceRequirement::All);
                }
            }
            "consent" => consent(reader, value, &mut policy),
            "resources" => policy.resources = resources(reader, value),
            "grants" => grants(reader, value, &mut policy),
            _ => policy.accepted = accept_risk(reader, value),
        }
    }
    // What is missing may be there under another name, which has been reported.
    let is_complete = node.as_mapping().is_some_and(|mapping| mapping.len() == entries.len());
    for (name, example) in [("issuer", "https://accounts.example"), ("grants", "{authorization_code: {}}")] {
        if is_complete && !entries.iter().any(|entry| &*entry.key.name == name) {
            reader.report(
                Diagnostic::error(GW104, format!("the authorization server has no `{name}`"))
                    .at(key, format!("`{name}` is missing"))
                    .help(format!("write `{name}: {example}`")),
            );
        }
    }
    policy
}

/// `https://host[:port][/path]`; clients compare it letter by letter (RFC 8414 §2, RFC 9207 §2.4).
fn issuer(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let text = reader.text(node, "`issuer`")?;
    let problem = |text: &str| -> Option<&'static str> {
        let Some(rest) = text.strip_prefix("https://") else { return Some("expected `https://host`") };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Some("credentials do not belong into an address");
        }
        if !is_authority(authority) || authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Some("expected a host in lower case, and perhaps a port, after `https://`");
        }
        if path.contains(['?', '#']) {
            return Some("an issuer has no query and no fragment");
        }
        if path.ends_with('/') {
            return Some("leave out the slash at the end: clients compare letter by letter");
        }
        if !path.is_empty() && gateway_route::RequestPath::parse(path).is_err() {
            return Some("only a plain path may follow the host");
        }
        None
    };
    match problem(text) {
        Some(problem) => {
            reader.report(Diagnostic::error(GW320, format!("`{text}` is not an issuer")).at(node.span, problem));
            None
        }
        None => Some(Spanned::new(node.span, text.to_owned())),
    }
}

/// Absolute URIs without a fragment (RFC 8707 §2); clients' requests are compared with them letter by letter.
fn resources(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let problem = |text: &str| -> Option<&'static str> {
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return Some("expected an absolute URI, such as `https://api.example` (RFC 8707 §2)");
        }
        if text.contains('#') {
            return Some("a resource has no fragment (RFC 8707 §2)");
        }
        if !text.bytes().all(|byte| (b'!'..0x7f).contains(&byte) && !b"\"\\<>^`{|}".contains(&byte)) {
            return Some("a URI is visible ASCII without quotes, braces and backslashes; write `%20` for a blank");
        }
        if text.strip_prefix("https://").is_some_and(|_| https_origin(text).is_none()) {
            return Some("expected a host in lower case, and perhaps a port, after `https://`");
        }
        None
    };
    let items = reader.list(node, "`resources`");
    if items.len() > MOST_RESOURCES {
        reader.wrong(node, "`resources`", &format!("at most {MOST_RESOURCES} resources"));
    }
    let mut found: Vec<Spanned<String>> = Vec::new();
    for item in items {
        let Some(text) = reader.text(item, "a resource") else { continue };
        match problem(text) {
            Some(problem) => reader.wrong(item, "a resource", problem),
            None if found.iter().any(|known| known.value == text) => {
                reader.wrong(item, "`resources`", "each resource once");
            }
            None => found.push(Spanned::new(item.span, text.to_owned())),
        }
    }
    found.sort_by(|one, other| one.value.cmp(&other.value));
    found
}

/// The authority of a URL with `https`, if it is one.
fn https_origin(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_plain = is_authority(authority) && !authority.contains('@');
    (is_plain && !authority.bytes().any(|byte| byte.is_ascii_uppercase())).then_some(authority)
}

fn access_token(reader: &mut Reader<'_>, node: &Node, policy: &mut AuthorizationServerPolicy) {
    for Entry { key, value } in reader.known(node, "`accessToken`", &["format", "ttl"]) {
        if &*key.name == "format" {
            let choices = [("opaque", TokenFormat::Opaque), ("jwt", TokenFormat::Jwt)];
            policy.token_format = reader.choice(value, "`format`", &choices).unwrap_or(TokenFormat::Opaque);
            continue;
        }
        policy.access_token_ttl = reader.unit(value, "`ttl`", whole_seconds).unwrap_or(HOUR);
        if policy.access_token_ttl > DAY {
            let ttl = show_duration(policy.access_token_ttl);
            reader.report(
                Diagnostic::warning(GW308, format!("access tokens are good for {ttl}, more than 24h"))
                    .at(value.span, "a stolen one can be used as long")
                    .help("write `ttl: 1h`, and let clients use refresh tokens (RFC 9700 §2.2.1)")
                    .help("or accept it: `acceptRisk: [{lint: GW308, reason: …}]` in `authorizationServer`"),
            );
        }
    }
}

fn refresh_token(reader: &mut Reader<'_>, node: &Node, policy: &mut AuthorizationServerPolicy) {
    let mut idle = None;
    for Entry { key, value } in reader.known(node, "`refreshToken`", &["rotate", "ttl", "idle", "grace"]) {
        match &*key.name {
            "rotate" => policy.rotates = reader.boolean(value, "`rotate`").unwrap_or(true),
            "ttl" => policy.refresh_token_ttl = reader.unit(value, "`ttl`", whole_seconds).unwrap_or(30 * DAY),
            "grace" => policy.refresh_token_grace = reader.unit(value, "`grace`", grace_time).unwrap_or(Duration::ZERO),
            _ => idle = reader.unit(value, "`idle`", idle_time).map(|time| (value, time)),
        }
    }
    if let Some((value, time)) = idle
        && time > policy.refresh_token_ttl
    {
        reader.wrong(value, "`idle`", "longer than `ttl`, so that it would never count");
    }
    let default = policy.refresh_token_idle.min(policy.refresh_token_ttl);
    policy.refresh_token_idle = idle.map_or(default, |(_, time)| time);
}

fn consent(reader: &mut Reader<'_>, node: &Node, policy: &mut AuthorizationServerPolicy) {
    for Entry { key, value } in reader.known(node, "`consent`", &["remember", "page"]) {
        match &*key.name {
            "remember" => policy.remembers_consent = reader.boolean(value, "`remember`").unwrap_or(true),
            _ if value.as_str() == Some("builtin") => {}
            _ => reader.report(
                Diagnostic::error(GW103, "a consent page of your own is not supported by this version of the compiler")
                    .at(value.span, "would not be shown")
                    .help("write `page: builtin`, or leave it out"),
            ),
        }
    }
}

fn grants(reader: &mut Reader<'_>, node: &Node, policy: &mut AuthorizationServerPolicy) {
    let names: Vec<&str> = Grant::ALL.iter().map(|grant| grant.name()).collect();
    let entries = reader.known(node, "`grants`", &names);
    let is_read = node.as_mapping().is_some_and(|mapping| mapping.len() == entries.len());
    for Entry { key, value } in entries.iter().copied() {
        let Some(grant) = Grant::ALL.iter().copied().find(|grant| grant.name() == &*key.name) else { continue };
        let what = format!("`{}`", grant.name());
        let member = match grant {
            Grant::AuthorizationCode | Grant::RefreshToken => None,
            Grant::ClientCredentials => Some("subject"),
            Grant::JwtBearer => Some("requirePermission"),
            Grant::Implicit | Grant::Password => Some("enabled"),
        };
        let known = reader.known(value, &what, member.as_slice());
        let flag = known.first().and_then(|entry| reader.boolean(&entry.value, &format!("`{}`", entry.key.name)));
        match grant {
            Grant::AuthorizationCode | Grant::RefreshToken => {}
            Grant::ClientCredentials => {
                policy.client_acts_for_users = flag.unwrap_or_default();
                if policy.client_acts_for_users {
                    reader.report(client_acts_for_users(known.first().map_or(key.span, |entry| entry.key.span)));
                }
            }
            Grant::JwtBearer => policy.assertion_needs_permission = flag.unwrap_or(true),
            Grant::Implicit | Grant::Password => {
                if known.is_empty() && value.as_mapping().is_some_and(|mapping| mapping.is_empty()) {
                    reader.wrong(value, &what, "expected `enabled: true`");
                }
                if flag != Some(true) {
                    continue;
                }
                reader.report(outdated(grant, key.span));
            }
        }
        policy.grants.push(Spanned::new(key.span, grant));
    }
    policy.grants.sort_by_key(|grant| grant.value);
    policy.grants_are_complete = is_read && !policy.grants.is_empty();
    if policy.grants.is_empty() && is_read {
        reader.wrong(node, "`grants`", "one grant or more: without one there are no tokens");
    }
}

/// Grants that are offered for the sake of old clients only.
fn outdated(grant: Grant, at: Span) -> Diagnostic {
    let diagnostic = if grant == Grant::Implicit {
        Diagnostic::error(GW301, "the implicit grant puts access tokens into URLs")
            .at(at, "RFC 9700 2.1.2: clients should not use it")
            .help("remove it, and the flow `implicit`; browsers can use `authorization_code` with PKCE")
    } else {
        Diagnostic::error(GW302, "the password grant has clients ask for the passwords of users")
            .at(at, "RFC 9700 2.4: it must not be used")
            .help("remove it, and the flow `password`; use `authorization_code`")
    };
    let code = diagnostic.code;
    diagnostic.help(format!("or accept it: `acceptRisk: [{{lint: {code}, reason: …}}]` in `authorizationServer`"))
}

fn client_acts_for_users(at: Span) -> Diagnostic {
    Diagnostic::warning(GW306, "clients get tokens of users who are not there")
        .at(at, "RFC 9700 4.15: a client's own token and a user's must not be taken for one another")
        .help("remove `subject`; a JWT assertion names a user as well, and says who vouches for it")
        .help("or accept it: `acceptRisk: [{lint: GW306, reason: …}]` in `authorizationServer`")
}

/// A lifetime that clients get as `expires_in` (RFC 6749 §5.1).
fn whole_seconds(text: &str) -> Result<Duration, &'static str> {
    units::duration(text).and_then(|duration| match duration.subsec_nanos() {
        0 => Ok(duration),
        _ => Err("clients count in whole seconds, such as `1h`"),
    })
}

/// `0s` is no limit.
fn idle_time(text: &str) -> Result<Duration, &'static str> {
    if text == "0s" { Ok(Duration::ZERO) } else { whole_seconds(text) }
}

/// `0s` is none.
fn grace_time(text: &str) -> Result<Duration, &'static str> {
    let time = idle_time(text)?;
    if time <= LONGEST_GRACE {
        Ok(time)
    } else {
        Err("at most `1m`: as long, a stolen refresh token is not noticed (RFC 9700 §4.14.2)")
    }
}

fn code_time(text: &str) -> Result<Duration, &'static str> {
    let time = whole_seconds(text)?;
    if time <= LONGEST_CODE { Ok(time) } else { Err("at most `10m` (RFC 6749 §4.1.2); a code is used at once") }
}
