//! The base paths that `servers` gives.

use std::collections::BTreeSet;
use std::fmt;

use crate::ast::Server;
use crate::diagnostic::{Diagnostic, Diagnostics, GW516};

/// More base paths are a mistake, or a document that cannot be reviewed.
const MOST: usize = 32;

/// Why a server gives no base path.
#[derive(Debug, PartialEq, Eq)]
enum BasePathError {
    /// The values of its variables multiply.
    TooMany,
    /// The URL begins with the name of a scheme that is not written as one; this is the scheme and what follows it.
    BrokenScheme { scheme: &'static str, rest: String },
    /// The URL begins with a host that OpenAPI takes for a path.
    HostWithoutScheme { authority: String, url: String },
    /// A variable of the path has no value.
    NoDefault(String),
    /// It has a query or a fragment.
    QueryOrFragment,
}

impl fmt::Display for BasePathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "the variables give more than {MOST} base paths"),
            Self::BrokenScheme { scheme, rest } => {
                write!(f, "the scheme is written `{scheme}://`: write `{scheme}://{rest}`")
            }
            Self::HostWithoutScheme { authority, url } => write!(
                f,
                "`{authority}` is a path without `https://` in front of it: write `https://{url}`, or `/{url}` for a path"
            ),
            Self::NoDefault(name) => write!(f, "the variable `{name}` has no `default`"),
            Self::QueryOrFragment => f.write_str("a base path has no query and no fragment"),
        }
    }
}

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
                let mut diagnostic = Diagnostic::error(GW516, headline).at(server.url.span, problem.to_string());
                if let Some(name) = without_default(server) {
                    diagnostic = diagnostic
                        .help(format!("write `variables: {{{name}: {{default: …}}}}`"))
                        .help(format!("or, where the document is not yours, `x-gateway: {{serverVariables: {{{name}: …}}}}` at the server or at the root"));
                }
                diagnostics.push(diagnostic);
            }
        }
    }
    if servers.is_empty() {
        found.insert(String::new());
    }
    found.into_iter().collect()
}

/// A variable of the URL that nothing gives a value to.
fn without_default(server: &Server) -> Option<&str> {
    let mut names = server.url.value.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.find(|name| {
        let variable = server.variables.iter().find(|variable| variable.name.value == *name);
        variable.is_none_or(|variable| variable.default.is_none() && variable.values.is_empty())
    })
}

fn of_server(server: &Server) -> Result<Vec<String>, BasePathError> {
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
            return Err(BasePathError::TooMany);
        }
    }
    urls.iter()
        .map(|url| {
            if let Some(problem) = without_scheme(url) {
                return Err(problem);
            }
            let path = path(url);
            if let Some((_, variable)) = path.split_once('{') {
                let name = variable.split('}').next().unwrap_or_default();
                return Err(BasePathError::NoDefault(name.to_owned()));
            }
            if path.contains(['?', '#']) {
                return Err(BasePathError::QueryOrFragment);
            }
            Ok(path)
        })
        .collect()
}

/// What is wrong with a URL that looks as if `https://` were missing. To OpenAPI it is a relative path, and the host would
/// be a part of every path.
fn without_scheme(url: &str) -> Option<BasePathError> {
    // Extensions of files that scripts are called by.
    const FILES: &[&str] = &[
        "php", "html", "htm", "json", "yaml", "yml", "xml", "asp", "aspx", "ashx", "asmx", "jsp", "do", "cgi", "pl",
        "py", "rb", "svc",
    ];
    if url.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#'])) || url.starts_with(['/', '.'])
    {
        return None;
    }
    let end = url.find(['/', '?', '#']).unwrap_or(url.len());
    let (first, rest) = url.split_at(end);
    let lower = first.to_ascii_lowercase();
    for scheme in ["https", "http"] {
        let Some(after) = lower.strip_prefix(scheme).filter(|after| after.is_empty() || after.starts_with([':', ';']))
        else {
            continue;
        };
        let rest = url[url.len() - rest.len() - after.len()..].trim_start_matches([':', ';', '/']).to_owned();
        return Some(BasePathError::BrokenScheme { scheme, rest });
    }
    let authority = first.rsplit_once('@').map_or(first, |(_, host)| host);
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_{}".contains(&byte))
    };
    let last = labels.last().copied().unwrap_or_default();
    let is_name = labels.len() > 1
        && labels.iter().all(is_label)
        && last.len() > 1
        && last.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !FILES.contains(&&*last.to_ascii_lowercase());
    let is_address = host.parse::<std::net::Ipv4Addr>().is_ok() || (first.starts_with('[') && first.contains("]"));
    let has_port = port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_host = is_name || is_address || has_port || host.eq_ignore_ascii_case("localhost");
    is_host.then(|| BasePathError::HostWithoutScheme { authority: authority.to_owned(), url: url.to_owned() })
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
        Server {
            span: Span::default(),
            url: spanned(url),
            variables: variables.iter().map(variable).collect(),
            gateway: None,
        }
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

    #[test]
    fn a_host_is_no_path() {
        for url in [
            "api.example.com",
            "api.example.com/v1",
            "localhost",
            "localhost:8080/v1",
            "127.0.0.1:3000",
            "10.0.0.1/v1",
            "[::1]:8080/v1",
            "backend:8080",
            "user@api.example.com/v1",
            "{tenant}.example.com/v1",
            "https:/api.example.com/v1",
            "https:api.example.com",
            "http//api.example.com",
        ] {
            assert!(without_scheme(url).is_some_and(|problem| problem.to_string().contains("://")), "{url}");
        }
        for url in [
            "",
            "/",
            "v1",
            "v1.0/api",
            "api/v2.1",
            "./v1",
            "../v1",
            "/api.example.com",
            "index.php/v1",
            "{path}/v1",
            "https://api.example.com",
            "ws://a.example",
            "//api.example.com/v1",
        ] {
            assert_eq!(without_scheme(url), None, "{url}");
        }
    }
}
