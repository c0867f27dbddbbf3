//! Where plain requests to an API that is for HTTPS only are sent: to hosts that the document names, and nowhere else.

use std::collections::BTreeMap;

use gateway_terms::authority::Authority;

use crate::ast::{self, Server};
use crate::diagnostic::{Diagnostic, Diagnostics, GW304, GW530, GW531};
use crate::ir::{Https, Origin};
use crate::vocabulary::HttpsPolicy;

/// More hosts are a mistake, or a document that cannot be reviewed.
const MOST: usize = 32;

/// `gives_tokens`: there is an authorization server, which must not be reached without TLS.
pub(super) fn lower(
    policy: &HttpsPolicy,
    gives_tokens: bool,
    document: &ast::Document,
    diagnostics: &mut Diagnostics,
) -> Https {
    let servers = servers(document);
    for server in servers.iter().filter(|server| scheme(&server.url.value).is_some_and(|scheme| scheme == "http")) {
        let diagnostic = if gives_tokens {
            Diagnostic::error(GW304, "a server of the authorization server speaks plain HTTP")
                .at(server.url.span, "RFC 6749 3.1, 3.2 require TLS")
        } else {
            Diagnostic::warning(GW531, "a server speaks plain HTTP, and the document is for HTTPS only")
                .at(server.url.span, "clients that call this have sent their credentials in the clear")
        };
        diagnostics.push(diagnostic.help("write `https://`"));
    }
    let redirect_to = if policy.redirect { origins(policy, &servers, diagnostics) } else { Vec::new() };
    Https { redirect_to, hsts: policy.hsts }
}

/// All servers of a document, its paths and its operations.
fn servers(document: &ast::Document) -> Vec<&Server> {
    let paths = document.paths.iter();
    let below =
        paths.flat_map(|path| path.operations.iter().map(|operation| &operation.servers).chain([&path.servers]));
    [&document.servers].into_iter().chain(below).flatten().collect()
}

/// Where `servers` says that the document is served over TLS; with another `port` there, too.
pub(super) fn origins_of(document: &ast::Document, port: Option<u16>) -> Vec<Origin> {
    let urls = servers(document).into_iter().filter_map(urls).flatten();
    let tls = urls.filter(|url| scheme(url).is_some_and(|scheme| scheme == "https"));
    let found = tls.filter_map(|url| origin(&url).ok());
    let mut origins: Vec<Origin> = found
        .flat_map(|(host, own)| [Some(own), port].map(|port| Some(Origin { host: host.clone(), port: port? })))
        .flatten()
        .collect();
    origins.sort();
    origins.dedup();
    origins
}

/// One origin per host, in alphabetical order. A host that is left out would refuse its clients in silence.
fn origins(policy: &HttpsPolicy, servers: &[&Server], diagnostics: &mut Diagnostics) -> Vec<Origin> {
    let mut ports: BTreeMap<String, u16> = BTreeMap::new();
    let mut refused = false;
    for server in servers {
        let mut refuse = |headline: String, problem: &str, help: &str| {
            refused = true;
            diagnostics.push(Diagnostic::error(GW530, headline).at(server.url.span, problem).help(help));
        };
        let found = match urls(server) {
            Some(urls) => urls,
            None => {
                let headline = format!("`{}` stands for more than {MOST} hosts", server.url.value);
                refuse(headline, "a reviewer cannot see where clients are sent", "name the hosts one by one");
                continue;
            }
        };
        for found in found.iter().filter(|url| scheme(url).is_some_and(|scheme| scheme == "https")) {
            let (host, port) = match origin(found) {
                Ok((host, port)) => (host, policy.port.unwrap_or(port)),
                Err(problem) => {
                    let headline = "plain requests cannot be redirected to this server".to_owned();
                    refuse(headline, problem, "write `https://host` or `https://host:port`");
                    break;
                }
            };
            let known = *ports.entry(host.clone()).or_insert(port);
            if known != port {
                let headline = format!("plain requests to `{host}` cannot be redirected to two ports");
                let problem = format!("port {port} here, and {known} before");
                refuse(headline, &problem, "write one of them, such as `https: {port: 443}`");
                break;
            }
        }
    }
    if ports.is_empty() && !refused {
        diagnostics.push(
            Diagnostic::error(GW530, "plain requests are to be redirected, and the document names no host")
                .at(policy.span, "the host that a client names is not to be trusted")
                .help("write `servers: [{url: \"https://api.example\"}]`, or `redirect: false` to refuse them"),
        );
    }
    ports.into_iter().map(|(host, port)| Origin { host, port }).collect()
}

/// What a server's URL can be, up to its path; `None` if that is too much.
fn urls(server: &Server) -> Option<Vec<String>> {
    let url = &*server.url.value;
    let authority = url.find("://").map_or(url.len(), |at| at + "://".len());
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    let mut urls = vec![url[..end].to_owned()];
    for variable in &server.variables {
        let marker = format!("{{{}}}", variable.name.value);
        let values: Vec<&str> = match &variable.default {
            _ if !urls[0].contains(&marker) => continue,
            _ if !variable.values.is_empty() => variable.values.iter().map(String::as_str).collect(),
            Some(default) => vec![default],
            None => continue,
        };
        if urls.len() * values.len() > MOST {
            return None;
        }
        urls = urls.iter().flat_map(|url| values.iter().map(|value| url.replace(&marker, value))).collect();
    }
    Some(urls)
}

/// Host, in lower case, and port of `https://host[:port]/…`.
pub(super) fn origin(url: &str) -> Result<(String, u16), &'static str> {
    let rest = &url["https://".len()..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    if authority.contains('@') {
        return Err("credentials do not belong into an address");
    }
    if !authority.is_ascii() {
        return Err("a host is written in ASCII, such as `xn--bcher-kva.example`");
    }
    match Authority::parse(authority) {
        Ok(found) => Ok((found.canonical_host(), found.port.unwrap_or(443))),
        Err(_) => Err("expected a host, and perhaps a port from 1 to 65535, after `https://`"),
    }
}

fn scheme(url: &str) -> Option<String> {
    url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase())
}
