//! URLs of a document, and the variables in them.

use gateway_yaml::{Spanned, suggest};

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW102};
use crate::vocabulary::{self, Root};

/// No URL of the document that means something to the gateway may hold a secret.
pub(super) fn check_urls(document: &ast::Document, diagnostics: &mut Diagnostics) {
    let paths = &document.paths;
    let operations = || paths.iter().flat_map(|path| &path.operations);
    let in_scheme = ["flows", "openIdConnectUrl", "x-gateway"];
    let schemes = document.schemes.iter();
    let schemes = schemes.flat_map(|scheme| in_scheme.iter().filter_map(|key| scheme.node.get(key)));
    let annotations = paths.iter().filter_map(|path| path.gateway.as_ref());
    let annotations = annotations.chain(operations().filter_map(|operation| operation.gateway.as_ref()));
    let servers = operations().filter_map(|operation| operation.node.get("servers"));
    let all = document.gateway.iter().chain(document.root.get("servers")).chain(annotations).chain(schemes);
    all.chain(servers).for_each(|node| vocabulary::check_urls(node, diagnostics));
    let servers = paths.iter().flat_map(|path| &path.servers);
    servers.for_each(|server| vocabulary::check_url(&server.url, diagnostics));
}

/// Reports what is wrong with `serverVariables` at the root and at servers, and variables that no server has.
pub(super) fn check_servers(document: &ast::Document, root: &Root, diagnostics: &mut Diagnostics) {
    let paths = document.paths.iter();
    let below =
        paths.flat_map(|path| path.operations.iter().flat_map(|operation| &operation.servers).chain(&path.servers));
    let servers: Vec<&ast::Server> = document.servers.iter().chain(below).collect();
    for server in &servers {
        let Some(node) = &server.gateway else { continue };
        let given = vocabulary::server(node, diagnostics);
        unknown_variables(&given, &[server], diagnostics);
    }
    unknown_variables(&root.server_variables, &servers, diagnostics);
}

fn unknown_variables(given: &[Spanned<String>], servers: &[&ast::Server], diagnostics: &mut Diagnostics) {
    let has = |server: &&ast::Server, name: &str| server.url.value.contains(&format!("{{{name}}}"));
    for name in given.iter().filter(|name| !servers.iter().any(|server| has(server, name))) {
        let known = servers.iter().flat_map(|server| &server.variables).map(|variable| variable.name.value.as_str());
        let diagnostic = Diagnostic::error(GW102, format!("no server has the variable `{}`", name.value));
        diagnostics.push(diagnostic.at(name.span, "stands in no `url`").did_you_mean(suggest(name, known)));
    }
}
