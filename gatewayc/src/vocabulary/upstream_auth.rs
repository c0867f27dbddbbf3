//! `upstreamAuth`: how the gateway proves to an upstream who it is.

use gateway_yaml::{Entry, Node, Span};

use crate::diagnostic::{Diagnostic, GW104, GW535};
use crate::ir::{AwsSigV4, ClientCertificate, ClientCredentials, SecretReference, UpstreamAuth, UpstreamCredential};
use crate::vocabulary::headers::credential_header;
use crate::vocabulary::provider::{UrlProblem, check_url};
use crate::vocabulary::reader::Reader;
use crate::vocabulary::secret::secret;

/// What each request can carry, in the order of the manual.
const CREDENTIALS: [&str; 5] = ["bearer", "basic", "header", "awsSigV4", "clientCredentials"];

const KNOWN: [&str; 6] = ["bearer", "basic", "header", "awsSigV4", "clientCredentials", "certificate"];

/// A mapping with one credential, a certificate, or both. `None` where something is wrong, which has been reported.
pub(super) fn upstream_auth(reader: &mut Reader<'_>, node: &Node) -> Option<UpstreamAuth> {
    let entries = reader.known(node, "`upstreamAuth`", &KNOWN);
    if entries.is_empty() {
        if node.as_mapping().is_some_and(|mapping| mapping.is_empty()) {
            reader.wrong(node, "`upstreamAuth`", "expected one of its members, such as `bearer: {env: NAME}`");
        }
        return None;
    }
    let chosen: Vec<&Entry> = entries.iter().copied().filter(|entry| CREDENTIALS.contains(&&*entry.key.name)).collect();
    if let [first, second, ..] = *chosen {
        reader.report(
            Diagnostic::error(GW535, "a request to an upstream carries one credential")
                .at(second.key.span, format!("beside `{}`", first.key.name))
                .also(first.key.span, "the first")
                .help("keep one of them; only `certificate`, which belongs to the connection, may stand beside it"),
        );
        return None;
    }
    let (mut credential, mut certificate) = (None, None);
    for Entry { key, value } in entries {
        match &*key.name {
            "certificate" => certificate = Some(client_certificate(reader, value)?),
            name => credential = Some(one_credential(reader, name, value)?),
        }
    }
    Some(UpstreamAuth { credential, certificate })
}

fn one_credential(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<UpstreamCredential> {
    match name {
        "bearer" => secret(reader, "bearer", node).map(UpstreamCredential::Bearer),
        "basic" => {
            let members = Members::read(reader, node, "`basic`", &["username", "password"], &["username", "password"])?;
            let username = members.text(reader, "username")?;
            // RFC 7617 §2: the first colon ends the name.
            if username.contains(':') || username.chars().any(char::is_control) {
                members.wrong(reader, "username", "expected a name without a colon");
                return None;
            }
            Some(UpstreamCredential::Basic { username, password: members.secret(reader, "password")? })
        }
        "header" => {
            let members = Members::read(reader, node, "`header`", &["name", "value"], &["name", "value"])?;
            let name = members.node("name")?;
            let name = credential_header(reader, name.span, name.as_str())?;
            Some(UpstreamCredential::Header { name, value: members.secret(reader, "value")? })
        }
        "awsSigV4" => {
            const MEMBERS: [&str; 5] = ["region", "service", "accessKey", "secretKey", "sessionToken"];
            let members = Members::read(reader, node, "`awsSigV4`", &MEMBERS, &MEMBERS[..4])?;
            let session_token = members.node("sessionToken").map(|_| members.secret(reader, "sessionToken"));
            Some(UpstreamCredential::AwsSigV4(AwsSigV4 {
                region: members.word(reader, "region")?,
                service: members.word(reader, "service")?,
                access_key: members.secret(reader, "accessKey")?,
                secret_key: members.secret(reader, "secretKey")?,
                session_token: match session_token {
                    None => None,
                    Some(reference) => Some(reference?),
                },
            }))
        }
        _ => {
            const MEMBERS: [&str; 5] = ["tokenUrl", "clientId", "clientSecret", "scopes", "audience"];
            let members = Members::read(reader, node, "`clientCredentials`", &MEMBERS, &MEMBERS[..3])?;
            let url = members.node("tokenUrl")?;
            Some(UpstreamCredential::ClientCredentials(ClientCredentials {
                token_url: token_url(reader, url)?,
                client_id: members.text(reader, "clientId")?,
                client_secret: members.secret(reader, "clientSecret")?,
                scopes: members.node("scopes").map_or_else(Vec::new, |node| scopes(reader, node)),
                audience: match members.node("audience") {
                    None => None,
                    Some(_) => Some(members.text(reader, "audience")?),
                },
            }))
        }
    }
}

fn client_certificate(reader: &mut Reader<'_>, node: &Node) -> Option<ClientCertificate> {
    let members = Members::read(reader, node, "`certificate`", &["chain", "key"], &["chain", "key"])?;
    Some(ClientCertificate { chain: members.secret(reader, "chain")?, key: members.secret(reader, "key")? })
}

/// Scopes as RFC 6749 §3.3 writes them.
fn scopes(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    for item in reader.words(node, "`scopes`") {
        let Some(scope) = reader.text(item, "a scope") else { continue };
        if scope.is_empty() || !scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte)) {
            reader.wrong(item, "a scope", "expected one scope without spaces; several are several items");
        } else {
            found.push(scope.to_owned());
        }
    }
    found
}

fn token_url(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let url = reader.text(node, "`tokenUrl`")?;
    let (problem, help) = match check_url(url) {
        Ok(()) => return Some(url.to_owned()),
        Err(UrlProblem::Bad(why)) => (why, "write `tokenUrl: https://login.example/oauth2/token`"),
        Err(UrlProblem::InTheClear) => {
            ("the client secret could be read on its way", "write `https://`; plain `http://` is for loopback")
        }
    };
    reader.report(Diagnostic::error(GW535, "the token cannot be fetched there").at(node.span, problem).help(help));
    None
}

/// The members of a mapping, of which some must be there.
struct Members<'n> {
    entries: Vec<&'n Entry>,
}

impl<'n> Members<'n> {
    /// `None` where one is missing, which has been reported.
    fn read(
        reader: &mut Reader<'_>,
        node: &'n Node,
        what: &str,
        known: &[&str],
        required: &[&'static str],
    ) -> Option<Self> {
        let entries = reader.known(node, what, known);
        node.as_mapping()?;
        let has = |name: &str| entries.iter().any(|entry| &*entry.key.name == name);
        let missing: Vec<&str> = required.iter().copied().filter(|name| !has(name)).collect();
        if let Some(first) = missing.first() {
            if !Reader::has_unknown(node, known) {
                report_missing(reader, node.span, what, first, required);
            }
            return None;
        }
        Some(Self { entries })
    }

    fn node(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value)
    }

    fn secret(&self, reader: &mut Reader<'_>, name: &str) -> Option<SecretReference> {
        secret(reader, name, self.node(name)?)
    }

    /// Text that is not empty.
    fn text(&self, reader: &mut Reader<'_>, name: &str) -> Option<String> {
        let text = reader.text(self.node(name)?, &format!("`{name}`"))?;
        if text.is_empty() {
            self.wrong(reader, name, "expected text");
            return None;
        }
        Some(text.to_owned())
    }

    /// Letters, digits, hyphens and the like: it becomes a part of what is signed.
    fn word(&self, reader: &mut Reader<'_>, name: &str) -> Option<String> {
        let text = self.text(reader, name)?;
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Some(text);
        }
        self.wrong(reader, name, "expected letters, digits and hyphens");
        None
    }

    fn wrong(&self, reader: &mut Reader<'_>, name: &str, expected: &str) {
        if let Some(node) = self.node(name) {
            reader.wrong(node, &format!("`{name}`"), expected);
        }
    }
}

fn report_missing(reader: &mut Reader<'_>, at: Span, what: &str, missing: &str, required: &[&str]) {
    reader.report(
        Diagnostic::error(GW104, format!("{what} has no `{missing}`"))
            .at(at, format!("`{missing}` is missing"))
            .help(format!("it needs `{}`", required.join("`, `"))),
    );
}
