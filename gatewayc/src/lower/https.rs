//! Where plain requests to an API that is for HTTPS only are sent: to hosts that the document names, and nowhere else.

use std::collections::BTreeSet;

use crate::ast::{self, Server};
use crate::diagnostic::{Diagnostic, Diagnostics, GW530, GW531};
use crate::ir::{Https, Origin};
use crate::vocabulary::HttpsPolicy;

/// More hosts are a mistake, or a document that nobody can review.
const MOST: usize = 32;

pub(super) fn lower(policy: &HttpsPolicy, document: &ast::Document, diagnostics: &mut Diagnostics) -> Https {
    let paths = document.paths.iter();
    let below =
        paths.flat_map(|path| path.operations.iter().map(|operation| &operation.servers).chain([&path.servers]));
    let servers: Vec<&Server> = [&document.servers].into_iter().chain(below).flatten().collect();
    for server in servers.iter().filter(|server| scheme(&server.url.value).is_some_and(|scheme| scheme == "http")) {
        diagnostics.push(
            Diagnostic::warning(GW531, "a server speaks plain HTTP, and the document is for HTTPS only")
                .at(server.url.span, "clients that call this have sent their credentials in the clear")
                .help("write `https://`"),
        );
    }
    let mut origins = BTreeSet::new();
    if policy.redirect {
        origins.extend(servers.iter().flat_map(|server| origins_of(server)));
        if origins.is_empty() {
            diagnostics.push(
                Diagnostic::error(GW530, "plain requests are to be redirected, and the document names no host")
                    .at(policy.span, "the host that a client names is not to be trusted")
                    .help("write `servers: [{url: \"https://api.example\"}]`, or `redirect: false` to refuse them"),
            );
        }
    }
    let redirect_to = origins.into_iter().map(|(host, port)| Origin { host, port: policy.port.unwrap_or(port) });
    let mut redirect_to: Vec<_> = redirect_to.collect();
    redirect_to.dedup();
    Https { redirect_to, hsts: policy.hsts }
}

/// Hosts and ports of a server's URL, which may have variables.
fn origins_of(server: &Server) -> Vec<(String, u16)> {
    let mut urls = vec![server.url.value.clone()];
    for variable in &server.variables {
        let marker = format!("{{{}}}", variable.name.value);
        let values: Vec<&str> = match &variable.default {
            _ if !variable.values.is_empty() => variable.values.iter().map(String::as_str).collect(),
            Some(default) => vec![default],
            None => continue,
        };
        urls = urls.iter().flat_map(|url| values.iter().map(|value| url.replace(&marker, value))).take(MOST).collect();
    }
    urls.iter().filter_map(|url| origin(url)).collect()
}

/// Host, in lower case, and port of `https://host[:port]/…`.
fn origin(url: &str) -> Option<(String, u16)> {
    let rest = url.get("https://".len()..).filter(|_| scheme(url).is_some_and(|scheme| scheme == "https"))?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok().filter(|port| *port > 0)?),
        _ => (authority, 443),
    };
    let good = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    good.then(|| (host.trim_end_matches('.').to_ascii_lowercase(), port))
}

fn scheme(url: &str) -> Option<String> {
    url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase())
}
