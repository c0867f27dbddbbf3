//! What the demo prints when it serves: the operations, and commands to try.

use std::net::SocketAddr;
use std::path::Path;

use gateway_runtime::codegen::{Access, Gateway, Https, Operation};
use gateway_runtime::{Ready, route_table};

use crate::deployment::{ADMIN_KEY, API_KEY, CLIENT_SECRET, ISSUER_PORT, PASSWORD, USER_PASSWORD};

/// A command to try, for an operation that a document may have.
struct Attempt {
    /// The API, and an operation of it.
    of: (&'static str, &'static str),
    /// What is filled in stands in angle brackets.
    command: &'static str,
    /// What comes of it.
    outcome: &'static str,
}

/// Over plain HTTP.
static PLAIN: &[Attempt] = &[
    Attempt {
        of: ("notes", "health"),
        command: "curl -i http://<listener>/v1/health",
        outcome: "200: public, answered by the upstream, which shows what reached it",
    },
    Attempt {
        of: ("notes", "listNotes"),
        command: "curl -i http://<listener>/v1/notes",
        outcome: "401: no token; WWW-Authenticate says what is needed",
    },
    Attempt {
        of: ("notes", "listNotes"),
        command: "curl -i http://<listener>/v1/notes -H 'Authorization: Bearer <token>'",
        outcome: "200: a good token",
    },
    Attempt {
        of: ("reports", "readMonthly"),
        command: "curl -i http://<listener>/reports/monthly -H 'X-API-Key: <key>'",
        outcome: "200: an API key; the upstream learns whose it is, and not the key",
    },
    Attempt {
        of: ("reports", "readStaff"),
        command: "curl -i http://<listener>/reports/staff -u demo:<password>",
        outcome: "200: a user name and a password",
    },
    Attempt {
        of: ("reports", "signToken"),
        command: "curl -i \"http://<listener>/reports/token?key=demo-service\" -u demo:<password>",
        outcome: "200: a token that the gateway signs for the caller, good for ten minutes",
    },
    Attempt {
        of: ("reports", "readFeed"),
        command: "curl -i http://<listener>/reports/feed -H \"Authorization: Bearer $(curl -s \"http://<listener>/reports/token?key=demo-service\" -u demo:<password>)\"",
        outcome: "200: that token; its key and algorithm come from the consumer's credential",
    },
    Attempt {
        of: ("notes", "getNote"),
        command: "curl -i http://<listener>/v1/notes/first -H 'Authorization: Bearer <token>'",
        outcome: "400: the document says that the id is an integer",
    },
    Attempt {
        of: ("notes", "listNotes"),
        command: "curl -i -X PUT http://<listener>/v1/notes",
        outcome: "405: a described path, but not with this method; Allow lists those it has",
    },
    Attempt {
        of: ("notes", "listNotes"),
        command: "curl -i http://<listener>/v1/nothing",
        outcome: "404: not described, so not reachable",
    },
];

/// Where the demo listens with TLS.
static WITH_TLS: &[Attempt] = &[
    Attempt {
        of: ("payments", "listRates"),
        command: "curl -i --cacert <authority> https://localhost:<port>/payments/rates",
        outcome: "200: over TLS; the demo made its certificate for itself (or use -k)",
    },
    Attempt {
        of: ("payments", "listRates"),
        command: "curl -i http://<listener>/payments/rates -H 'Host: localhost'",
        outcome: "301: this document is for HTTPS only",
    },
];

/// Where the tutorial is at the address that its document says.
static TUTORIAL: &[Attempt] = &[
    Attempt {
        of: ("tutorial", "token"),
        command: "curl -i --cacert <authority> https://localhost:<port>/oauth/token -u tutorial-server:<client secret> -d grant_type=client_credentials",
        outcome: "200: an access token for a program, from the gateway's own authorization server",
    },
    Attempt {
        of: ("tutorial", "listApplications"),
        command: "curl -i --cacert <authority> https://localhost:<port>/_admin/applications -H 'X-Admin-Key: <admin key>'",
        outcome: "200: the applications that may ask for tokens",
    },
    Attempt {
        of: ("tutorial", "home"),
        command: "https://localhost:<port>/ in a browser (it will warn of the certificate)",
        outcome: "every grant of OAuth 2.0: log in as bob with the password <user password>, allow, call an API, withdraw",
    },
];

/// Whether an API of this name has an operation of this name.
pub(crate) fn has(gateway: &Gateway, (api, operation): (&str, &str)) -> bool {
    let mut apis = gateway.apis.iter().filter(|known| known.name == api);
    apis.any(|api| api.operations().any(|known| known.id == operation))
}

/// The text for a gateway that is ready; there is none where nothing listens. `authority` is the file of the demo's
/// certificate, where the demo listens with TLS.
pub(crate) fn introduction(
    gateway: &Gateway,
    ready: &Ready,
    upstream: SocketAddr,
    authority: Option<&Path>,
    token: &str,
) -> Option<String> {
    let (_, listener) = ready.listeners.first()?;
    let with_tls = ready.listeners.iter().find(|(name, _)| name == "demo-tls").zip(authority);
    let port = with_tls.map(|((_, listener), _)| listener.port());
    let attempts = attempts(gateway, port);
    let mut values = vec![
        ("<listener>", listener.to_string()),
        ("<token>", token.to_owned()),
        ("<key>", API_KEY.to_owned()),
        ("<password>", PASSWORD.to_owned()),
        ("<client secret>", CLIENT_SECRET.to_owned()),
        ("<admin key>", ADMIN_KEY.to_owned()),
        ("<user password>", USER_PASSWORD.to_owned()),
    ];
    if let Some(((_, listener), authority)) = with_tls {
        values.extend([("<port>", listener.port().to_string()), ("<authority>", authority.display().to_string())]);
    }
    let filled = |text: &str| values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let mut commands: String = attempts
        .iter()
        .map(|Attempt { command, outcome, .. }| format!("  {}\n      {}\n", filled(command), filled(outcome)))
        .collect();
    if commands.is_empty() {
        commands = any_attempts(gateway, *listener);
    }
    if port.is_some_and(|port| port != ISSUER_PORT) && has(gateway, ("tutorial", "home")) {
        commands += &format!("  The OAuth tutorial needs port {ISSUER_PORT}, which is taken.\n");
    }
    if let Some(admin) = ready.admin {
        commands += &format!("  curl http://{admin}/metrics\n      what was counted so far\n");
    }
    Some(format!(
        "
{table}
The gateway listens on http://{listener}, and every upstream is the demo's own on http://{upstream}. Try:

{commands}
Below is the access log, one JSON line per request. Ctrl-C ends the demo.
",
        table = route_table(gateway),
    ))
}

/// Those for which the documents have the operation.
fn attempts(gateway: &Gateway, tls: Option<u16>) -> Vec<&'static Attempt> {
    let with_tls = if tls.is_some() { WITH_TLS } else { &[] };
    let tutorial = if tls == Some(ISSUER_PORT) { TUTORIAL } else { &[] };
    PLAIN.iter().chain(with_tls).chain(tutorial).filter(|attempt| has(gateway, attempt.of)).collect()
}

/// For documents that the demo does not know: operations that take no more than a method and a path.
fn any_attempts(gateway: &Gateway, listener: SocketAddr) -> String {
    const ENOUGH: usize = 5;
    let plain = gateway.apis.iter().filter(|api| matches!(api.https, Https::Optional));
    let routes =
        plain.flat_map(|api| api.routes).filter(|route| !route.template.contains('{') && route.when.is_empty());
    let of = |operation: &Operation, path: &str| {
        let outcome = match operation.access {
            Access::Anyone { .. } => "public",
            Access::OneOf(_) => "asks for a credential",
        };
        format!("  curl -i http://{listener}{path}\n      {}: {outcome}\n", operation.id)
    };
    let gets = routes.flat_map(|route| {
        route
            .operations
            .iter()
            .filter(|operation| operation.method == "GET")
            .map(|operation| of(operation, route.template))
    });
    gets.take(ENOUGH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(gateway: &Gateway) -> String {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let listeners = vec![("demo".to_owned(), local(8080)), ("demo-tls".to_owned(), local(ISSUER_PORT))];
        let ready = Ready { listeners, plain: Vec::new(), admin: Some(local(9901)) };
        introduction(gateway, &ready, local(3000), Some(Path::new("ca.pem")), "token").expect("it listens")
    }

    #[test]
    fn documents_that_the_demo_does_not_know_are_introduced_as_well() {
        let text = text(&Gateway { apis: &[] });
        assert!(text.contains("listens on http://127.0.0.1:8080") && text.contains("127.0.0.1:9901/metrics"), "{text}");
        assert!(!text.contains("/v1/notes") && !text.contains("tutorial"), "{text}");
    }
}
