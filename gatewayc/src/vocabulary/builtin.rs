//! `builtin`: what the gateway answers itself.

use gateway_yaml::{Entry, Key, Node, Spanned, suggest};

use crate::diagnostic::{Diagnostic, GW102, GW104};
use crate::ir::{Endpoint, Grant, RegistryAction};
use crate::vocabulary::claims::{DEFAULT_KEY_CLAIM, claim};
use crate::vocabulary::reader::Reader;

/// `builtin`, with its arguments.
#[derive(Debug, Clone)]
pub enum BuiltinPolicy {
    /// `jwt.sign`.
    JwtSign {
        /// `keyClaim`.
        key_claim: String,
    },
    /// An endpoint of the authorization server.
    Oauth {
        /// Which.
        endpoint: Endpoint,
        /// `grants`, all that there are without it.
        grants: Option<Vec<Spanned<Grant>>>,
    },
    /// `clients.…` and `users.…`.
    Registry(RegistryAction),
    /// `static`.
    Static {
        /// `file` or `dir`.
        source: Spanned<String>,
        /// It is `dir`.
        is_folder: bool,
    },
    /// `mock`.
    Mock,
}

/// What stands beside `builtin`, and beside which.
pub(super) const ARGUMENTS: &[(&str, &[&str])] = &[
    ("keyClaim", &["jwt.sign"]),
    ("grants", &["oauth.authorize", "oauth.token"]),
    ("file", &["static"]),
    ("dir", &["static"]),
];

/// Says so where an argument stands beside nothing that takes it.
pub(super) fn check_argument(reader: &mut Reader<'_>, key: &Key, members: &[&Entry]) {
    let Some((name, builtins)) = ARGUMENTS.iter().find(|(argument, _)| *argument == &*key.name) else { return };
    let builtin = members.iter().find(|entry| &*entry.key.name == "builtin");
    let given = builtin.and_then(|entry| entry.value.as_str());
    let problem = match given {
        Some(given) if builtins.contains(&given) => return,
        Some(_) => "beside another",
        None => "no `builtin` beside it",
    };
    let headline = format!("`{name}` is an argument of `builtin: {}`", builtins.join("` and `"));
    reader.report(Diagnostic::error(GW102, headline).at(key.span, problem));
}

/// `builtin` with its arguments, which stand beside it.
pub(super) fn builtin(reader: &mut Reader<'_>, node: &Node, members: &[&Entry]) -> Option<BuiltinPolicy> {
    let name = reader.text(node, "`builtin`")?;
    let argument = |name: &str| members.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
    if let Some(endpoint) = Endpoint::ALL.iter().copied().find(|endpoint| endpoint.name() == name) {
        let takes_grants = !endpoint.grants().is_empty();
        let grants = match argument("grants").filter(|_| takes_grants) {
            Some(node) => Some(endpoint_grants(reader, endpoint, node)?),
            None => None,
        };
        return Some(BuiltinPolicy::Oauth { endpoint, grants });
    }
    if let Some(action) = RegistryAction::ALL.iter().copied().find(|action| action.name() == name) {
        return Some(BuiltinPolicy::Registry(action));
    }
    match name {
        "jwt.sign" => {
            let key_claim = match argument("keyClaim") {
                Some(node) => claim(reader, node)?,
                None => DEFAULT_KEY_CLAIM.to_owned(),
            };
            Some(BuiltinPolicy::JwtSign { key_claim })
        }
        "mock" => Some(BuiltinPolicy::Mock),
        "static" => {
            let (node, is_folder) = match (argument("file"), argument("dir")) {
                (Some(file), None) => (file, false),
                (None, Some(folder)) => (folder, true),
                _ => {
                    reader.report(
                        Diagnostic::error(GW104, "`builtin: static` does not say what is served")
                            .at(node.span, "expected either `file` or `dir` beside it")
                            .help("write `file: pages/index.html`, a path from the document on"),
                    );
                    return None;
                }
            };
            let path = reader.text(node, if is_folder { "`dir`" } else { "`file`" })?;
            Some(BuiltinPolicy::Static { source: Spanned::new(node.span, path.to_owned()), is_folder })
        }
        _ => {
            let endpoints = Endpoint::ALL.iter().map(|endpoint| endpoint.name());
            let registry = RegistryAction::ALL.iter().map(|action| action.name());
            let names: Vec<&str> =
                ["jwt.sign", "static", "mock"].into_iter().chain(endpoints).chain(registry).collect();
            let near = suggest(name, names.iter().copied());
            let diagnostic = Diagnostic::error(GW104, format!("`builtin` cannot be `{name}`"))
                .at(node.span, "the gateway has no such answer")
                .did_you_mean(near);
            reader.report(match near {
                Some(_) => diagnostic,
                None => diagnostic.help(format!("it can be `{}`", names.join("`, `"))),
            });
            None
        }
    }
}

/// `grants` of an endpoint: some of those that it gives anything for.
fn endpoint_grants(reader: &mut Reader<'_>, endpoint: Endpoint, node: &Node) -> Option<Vec<Spanned<Grant>>> {
    let choices: Vec<(&str, Grant)> = endpoint.grants().iter().map(|grant| (grant.name(), *grant)).collect();
    let mut grants: Vec<Spanned<Grant>> = Vec::new();
    let items = reader.list(node, "`grants`");
    for item in items {
        let grant = reader.choice(item, "a grant of this endpoint", &choices)?;
        if grants.iter().all(|other| other.value != grant) {
            grants.push(Spanned::new(item.span, grant));
        }
    }
    if items.is_empty() {
        reader.wrong(node, "`grants`", "one grant or more; leave it out to admit all");
        return None;
    }
    grants.sort_by_key(|grant| grant.value);
    Some(grants)
}
