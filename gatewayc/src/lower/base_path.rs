//! The base paths that `servers` gives.

use std::collections::BTreeSet;

use crate::ast::Server;
use crate::diagnostic::{Diagnostic, Diagnostics, GW516};

/// More base paths are a mistake, or a document that nobody can review.
const MOST: usize = 32;

/// The distinct paths of all servers, without a slash at the end; `""` where there are no servers.
///
/// A variable in the path stands for each value of its `enum`, or for its default.
pub(super) fn base_paths(servers: &[Server], diagnostics: &mut Diagnostics) -> Vec<String> {
    let mut found = BTreeSet::new();
    for server in servers {
        match of_server(server) {
            Ok(paths) => found.extend(paths),
            Err(problem) => {
                let headline = format!("`{}` does not give a base path", server.url.value);
                diagnostics.push(Diagnostic::error(GW516, headline).at(server.url.span, problem));
            }
        }
    }
    if servers.is_empty() {
        found.insert(String::new());
    }
    found.into_iter().collect()
}

fn of_server(server: &Server) -> Result<Vec<String>, String> {
    let mut urls = vec![server.url.value.clone()];
    for variable in &server.variables {
        let marker = format!("{{{}}}", variable.name.value);
        let in_path = path(&server.url.value).contains(&marker);
        let values: Vec<&str> = match (&variable.default, in_path && !variable.values.is_empty()) {
            (_, true) => variable.values.iter().map(String::as_str).collect(),
            (Some(default), false) => vec![default],
            (None, false) => continue,
        };
        urls =
            urls.iter().flat_map(|url| values.iter().map(|value| url.replace(&marker, value))).take(MOST + 1).collect();
        if urls.len() > MOST {
            return Err(format!("the variables give more than {MOST} base paths"));
        }
    }
    urls.iter()
        .map(|url| {
            let path = path(url);
            if let Some((_, variable)) = path.split_once('{') {
                let name = variable.split('}').next().unwrap_or_default();
                return Err(format!("the variable `{name}` has no `default`"));
            }
            if path.contains(['?', '#']) {
                return Err("a base path has no query and no fragment".to_owned());
            }
            Ok(path)
        })
        .collect()
}

/// The path of an absolute or relative URL, with a slash in front and none at the end.
fn path(url: &str) -> String {
    // `/redirect/https://…` is a path, and `?` ends an authority as well as `/` does.
    let absolute = url.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '?', '#']));
    let path = match absolute.map(|(_, rest)| rest).or_else(|| url.strip_prefix("//")) {
        Some(rest) => rest.find(['/', '?', '#']).map_or("", |end| &rest[end..]),
        None => url.strip_prefix("./").unwrap_or(url),
    };
    match path.trim_matches('/') {
        "" | "." => String::new(),
        path => format!("/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use gateway_yaml::{Span, Spanned};

    use super::*;
    use crate::ast::ServerVariable;

    fn server(url: &str, variables: &[(&str, Option<&str>, &[&str])]) -> Server {
        let spanned = |text: &str| Spanned::new(Span::default(), text.to_owned());
        let variable = |&(name, default, values): &(&str, Option<&str>, &[&str])| ServerVariable {
            name: spanned(name),
            default: default.map(str::to_owned),
            values: values.iter().map(ToString::to_string).collect(),
        };
        Server { span: Span::default(), url: spanned(url), variables: variables.iter().map(variable).collect() }
    }

    #[test]
    fn one_base_path_for_each_way_in() {
        let cases = [
            (server("/", &[]), vec![""]),
            (server("", &[]), vec![""]),
            (server("/v1/", &[]), vec!["/v1"]),
            (server("v1", &[]), vec!["/v1"]),
            (server("https://a.example", &[]), vec![""]),
            (server("https://a.example/x/v1/", &[]), vec!["/x/v1"]),
            (server("//a.example/v1", &[]), vec!["/v1"]),
            (
                server("https://{host}/{v}", &[("host", Some("a"), &["a", "b"]), ("v", Some("v1"), &["v1", "v2"])]),
                vec!["/v1", "/v2"],
            ),
            (server("https://{host}/v1", &[]), vec!["/v1"]),
            (server("/{v}", &[("v", Some("v1"), &[])]), vec!["/v1"]),
            (server("/to/https://b.example/c", &[]), vec!["/to/https://b.example/c"]),
        ];
        for (server, expected) in cases {
            let mut diagnostics = Diagnostics::new();
            assert_eq!(base_paths(std::slice::from_ref(&server), &mut diagnostics), expected, "{}", server.url.value);
            assert!(diagnostics.is_empty());
        }
        for server in [server("/{v}", &[]), server("/v1?x", &[]), server("https://a.example?x=/v1", &[])] {
            let mut diagnostics = Diagnostics::new();
            base_paths(&[server], &mut diagnostics);
            assert_eq!(diagnostics.errors(), 1);
        }
    }
}
