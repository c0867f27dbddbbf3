//! Mistakes in authorization servers and in files that are served: each with the code that it gets, and the words that
//! matter.

#[path = "support/repair.rs"]
mod repair;

use std::collections::HashMap;

use gatewayc::diagnostic::{Format, render};
use gatewayc::source::SourceSet;

/// An authorization server with nothing to say against it.
const DOCUMENT: &str = r#"openapi: 3.2.0
info: {title: t, version: "1"}
servers: [{url: "https://a.example"}]
x-gateway:
  version: 1
  https: {redirect: true}
  authorizationServer:
    issuer: https://a.example
    grants:
      authorization_code: {}
      client_credentials: {}
      refresh_token: {}
components:
  securitySchemes:
    own:
      type: oauth2
      flows:
        authorizationCode: {authorizationUrl: /authorize, tokenUrl: /token, scopes: {read: Read}}
        clientCredentials: {tokenUrl: /token, scopes: {}}
      x-gateway: {authorizationServer: self}
    Session: {type: apiKey, in: cookie, name: s, x-gateway: {session: login, onMissing: redirect}}
    Admin: {type: apiKey, in: header, name: X-Admin, x-gateway: {credential: admin}}
paths:
  /authorize: {get: {security: [], x-gateway: {builtin: oauth.authorize}}}
  /decision: {post: {security: [{Session: []}], x-gateway: {builtin: oauth.decision}}}
  /token: {post: {security: [], x-gateway: {builtin: oauth.token}}}
  /login: {get: {security: [], x-gateway: {builtin: login.form}}, post: {security: [], x-gateway: {builtin: login.submit}}}
  /me: {get: {security: [{own: [read]}], x-gateway: {builtin: oauth.me}}}
  /.well-known/oauth-authorization-server: {get: {security: [], x-gateway: {builtin: oauth.metadata}}}
"#;

const ISSUER: &str = "issuer: https://a.example\n";
const SCHEME: &str = "x-gateway: {authorizationServer: self}";
const SESSION: &str = "{session: login, onMissing: redirect}";
const IMPLICIT_FLOW: &str = "flows:\n        implicit: {authorizationUrl: /authorize, scopes: {}}\n";
const PASSWORD_FLOW: &str = "flows:\n        password: {tokenUrl: /token, scopes: {}}\n";

/// The document with replacements, each of which must be of something that is there.
fn with(replacements: &[(&str, &str)]) -> String {
    let mut text = DOCUMENT.to_owned();
    for (old, new) in replacements {
        assert!(text.contains(old), "{old:?} is not in\n{text}");
        text = text.replacen(old, new, 1);
    }
    text
}

fn messages(files: &[(&str, &str)]) -> String {
    let texts: HashMap<String, String> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let names = files.iter().map(|(name, _)| *name).filter(|name| name.ends_with(".yaml") && !name.contains('/'));
    let names: Vec<&str> = names.collect();
    repair::follow(&texts, &names);
    let mut sources = SourceSet::new(texts, "");
    for name in names {
        sources.add_document(name);
    }
    let checked = gatewayc::check(&mut sources);
    render(&checked.diagnostics, &sources, Format::Human)
}

/// `expect` is `severity[CODE] words`; nothing else may be reported, but the same code may be several times.
fn check_files(files: &[(&str, &str)], expect: &str) {
    let found = messages(files);
    let (head, words) = expect.split_once(' ').unwrap_or((expect, ""));
    let mut heads: Vec<&str> = found
        .lines()
        .filter_map(|line| line.split_once(": ").map(|(head, _)| head))
        .filter(|head| head.contains("[GW"))
        .collect();
    heads.dedup();
    let expected: Vec<&str> = if head == "none" { Vec::new() } else { vec![head] };
    let document = files[0].1;
    assert_eq!(heads, expected, "{expect}\n{document}\n{found}");
    let without_ticks = found.replace('`', "");
    assert!(found.contains(words) || without_ticks.contains(words), "{words:?} is not in\n{found}");
}

fn check(document: &str, expect: &str) {
    check_files(&[("a.yaml", document)], expect);
}

#[test]
fn the_description_of_the_server() {
    check(DOCUMENT, "none");
    for (old, new, expect) in [
        (ISSUER, "isuer: https://a.example\n", "error[GW102] did you mean issuer?"),
        (ISSUER, "accessToken: {}\n", "error[GW104] issuer is missing"),
        (ISSUER, "issuer: 7\n", "error[GW104] expected text"),
        (ISSUER, "issuer: http://a.example\n", "error[GW320] expected https://host"),
        (ISSUER, "issuer: https://a.example/\n", "error[GW320] letter by letter"),
        (ISSUER, "issuer: https://a.example?x\n", "error[GW320] no query and no fragment"),
        (ISSUER, "issuer: \"https://a.example#x\"\n", "error[GW320] no query and no fragment"),
        (ISSUER, "issuer: https://u@a.example\n", "error[GW320] credentials"),
        (ISSUER, "issuer: https://A.example\n", "error[GW320] lower case"),
        (ISSUER, "issuer: https://a.example:0\n", "error[GW320] perhaps a port"),
        (ISSUER, "issuer: https://a.example/a/../b\n", "error[GW320] a plain path"),
        (ISSUER, "issuer: \"https://a.example/a\\nb\"\n", "error[GW320] a plain path"),
        (ISSUER, "issuer: https://b.example\n", "error[GW320] is not where the document is served"),
        (ISSUER, "issuer: https://a.example:8443\n", "error[GW320] servers has https://a.example"),
        (ISSUER, &format!("{ISSUER}    accessToken: {{format: jwt, ttl: 24h}}\n"), "none"),
        (ISSUER, &format!("{ISSUER}    accessToken: {{format: mac}}\n"), "error[GW104] expected opaque or jwt"),
        (ISSUER, &format!("{ISSUER}    accessToken: {{ttl: 1500ms}}\n"), "error[GW104] whole seconds"),
        (ISSUER, &format!("{ISSUER}    accessToken: {{ttl: 3600}}\n"), "error[GW104] expected a duration"),
        (ISSUER, &format!("{ISSUER}    accessToken: {{tll: 1h}}\n"), "error[GW102] did you mean ttl?"),
        (ISSUER, &format!("{ISSUER}    accessToken: {{ttl: 25h}}\n"), "warning[GW308] good for 25h, more than 24h"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{rotate: false, ttl: 1h, idle: 1h}}\n"), "none"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{idle: 0s}}\n"), "none"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{ttl: 1h, idle: 2h}}\n"), "error[GW104] longer than ttl"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{rotate: yes}}\n"), "error[GW104] true or false"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{grace: 10s}}\n"), "none"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{rotate: false, grace: 0s}}\n"), "none"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{grace: 61s}}\n"), "error[GW104] at most 1m"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{grace: 1500ms}}\n"), "error[GW104] whole seconds"),
        (ISSUER, &format!("{ISSUER}    refreshToken: {{grase: 1s}}\n"), "error[GW102] did you mean grace?"),
        (ISSUER, &format!("{ISSUER}    resources: [\"https://b.example/x?y\", \"urn:b\"]\n"), "none"),
        (ISSUER, &format!("{ISSUER}    resources: https://b.example\n"), "error[GW104] expected a list"),
        (ISSUER, &format!("{ISSUER}    resources: [7]\n"), "error[GW104] expected text"),
        (ISSUER, &format!("{ISSUER}    resources: [api.example]\n"), "error[GW104] an absolute URI"),
        (ISSUER, &format!("{ISSUER}    resources: [\"https://b.example#x\"]\n"), "error[GW104] no fragment"),
        (ISSUER, &format!("{ISSUER}    resources: [\"https://b.example/a b\"]\n"), "error[GW104] visible ASCII"),
        (ISSUER, &format!("{ISSUER}    resources: [\"https://B.example\"]\n"), "error[GW104] a host in lower case"),
        (ISSUER, &format!("{ISSUER}    resources: [\"https:///x\"]\n"), "error[GW104] a host in lower case"),
        (ISSUER, &format!("{ISSUER}    resources: [\"urn:b\", \"urn:b\"]\n"), "error[GW104] each resource once"),
        (ISSUER, &format!("{ISSUER}    code: {{ttl: 11m}}\n"), "error[GW104] at most 10m"),
        (ISSUER, &format!("{ISSUER}    pkce: {{requiredFor: none}}\n"), "error[GW104] expected all or public"),
        (ISSUER, &format!("{ISSUER}    pkce: off\n"), "error[GW104] expected a mapping"),
        (ISSUER, &format!("{ISSUER}    consent: {{remember: false, page: builtin}}\n"), "none"),
        (ISSUER, &format!("{ISSUER}    consent: {{page: /consent}}\n"), "error[GW103] not supported by this version"),
        (ISSUER, &format!("{ISSUER}    acceptRisk: [{{lint: GW308, reason: r}}]\n"), "warning[GW319] accepts nothing"),
        (
            ISSUER,
            &format!("{ISSUER}    acceptRisk: [{{lint: GW304, reason: r}}]\n"),
            "error[GW104] is a mistake, not a risk",
        ),
        ("authorization_code: {}", "authorisation_code: {}", "error[GW102] did you mean authorization_code?"),
        ("authorization_code: {}", "authorization_code:", "error[GW104] expected a mapping"),
        ("authorization_code: {}", "authorization_code: {enabled: true}", "error[GW102] unknown key enabled"),
        ("client_credentials: {}", "client_credentials: {subject: 1}", "error[GW104] true or false"),
        ("client_credentials: {}", "client_credentials: {subject: true}", "warning[GW306] users who are not there"),
        (
            "refresh_token: {}",
            "refresh_token: {}\n      \"urn:ietf:params:oauth:grant-type:jwt-bearer\": {requirePermission: false}",
            "none",
        ),
        ("refresh_token: {}", "implicit: {}", "error[GW104] expected enabled: true"),
        ("refresh_token: {}", "implicit: {enabled: false}", "none"),
        ("  https: {redirect: true}\n", "", "error[GW304] RFC 6749 3.1, 3.2 require TLS"),
        ("{redirect: true}", "{redirect: false}", "none"),
        ("servers: [{", "servers: [{url: \"http://a.example\"}, {", "error[GW304] RFC 6749 3.1"),
    ] {
        check(&with(&[(old, new)]), expect);
    }
    let grants = "    grants:\n      authorization_code: {}\n      client_credentials: {}\n      refresh_token: {}\n";
    check(&with(&[(grants, "    grants: {}\n")]), "error[GW104] one grant or more");
    check(&with(&[(grants, "")]), "error[GW104] grants is missing");
    let elsewhere = DOCUMENT.replace("\"https://a.example\"", "\"https://b.example\"").replace("own:", "mine:");
    check(&elsewhere.replace("{own: ", "{mine: "), "error[GW320] is not where");
    let second = DOCUMENT.replace("info: {title: t", "info: {title: u").replace("  /", "  /b/");
    let found = messages(&[("a.yaml", DOCUMENT), ("b.yaml", &second)]);
    assert!(found.contains("error[GW320]: a.yaml and b.yaml both describe the issuer `https://a.example`"), "{found}");
}

#[test]
fn deprecated_grants_need_an_accepted_risk() {
    let old = |grant: &str, flow: &str, more: &str| {
        let grant = format!("refresh_token: {{}}\n      {grant}: {{enabled: true}}\n");
        let issuer = format!("{ISSUER}{more}");
        with(&[("refresh_token: {}\n", &grant), ("flows:\n", flow), (ISSUER, &issuer)])
    };
    let accept = |code: &str| format!("    acceptRisk: [{{lint: {code}, reason: \"old kiosks\"}}]\n");
    check(&old("implicit", IMPLICIT_FLOW, ""), "error[GW301] RFC 9700 2.1.2");
    check(&old("implicit", IMPLICIT_FLOW, &accept("GW301")), "warning[GW301] acknowledged: old kiosks");
    check(&old("password", PASSWORD_FLOW, ""), "error[GW302] RFC 9700 2.4");
    check(&old("password", PASSWORD_FLOW, &accept("GW302")), "warning[GW302] acknowledged: old kiosks");
    let at_root = old("implicit", IMPLICIT_FLOW, "")
        .replace("version: 1\n", "version: 1\n  acceptRisk: [{lint: GW301, reason: r}]\n");
    check(&at_root, "warning[GW301] acknowledged: r");
    let found = messages(&[("a.yaml", &old("implicit", IMPLICIT_FLOW, &accept("GW302")))]);
    assert!(found.contains("error[GW301]") && found.contains("warning[GW319]"), "{found}");
    // Described, offered and acknowledged: each alone is not enough.
    check(&with(&[("flows:\n", IMPLICIT_FLOW)]), "error[GW322] the flow implicit needs the grant implicit");
    for (code, members) in [
        ("GW306", "client_credentials: {subject: true}"),
        ("GW308", "client_credentials: {}\n    accessToken: {ttl: 14d}"),
    ] {
        let grants = with(&[
            ("client_credentials: {}\n      refresh_token: {}", members),
            (ISSUER, &format!("{ISSUER}{}", accept(code))),
        ]);
        check(&grants.replace("      refresh_token: {}\n", ""), &format!("warning[{code}] acknowledged: old kiosks"));
    }
}

#[test]
fn flows_grants_and_endpoints() {
    for (old, new, expect) in [
        ("      client_credentials: {}\n", "", "error[GW322] the flow clientCredentials needs the grant"),
        (
            "        clientCredentials: {tokenUrl: /token, scopes: {}}\n",
            "",
            "error[GW322] needs the flow clientCredentials",
        ),
        (
            "flows:\n",
            "flows:\n        deviceAuthorization: {deviceAuthorizationUrl: /d, tokenUrl: /token, scopes: {}}\n",
            "error[GW322] no grant for the flow deviceAuthorization",
        ),
        ("  /token: {post", "  /tokens: {post", "error[GW323] tokenUrl does not lead to"),
        ("tokenUrl: /token", "tokenUrl: https://a.example/token", "none"),
        ("tokenUrl: /token", "tokenUrl: HTTPS://A.example:443/token", "none"),
        ("tokenUrl: /token", "tokenUrl: //a.example/token", "none"),
        ("tokenUrl: /token", "tokenUrl: token", "none"),
        ("tokenUrl: /token", "tokenUrl: ./token", "none"),
        ("tokenUrl: /token", "tokenUrl: /token, refreshUrl: /token", "none"),
        ("tokenUrl: /token", "tokenUrl: /token, refreshUrl: /refresh", "error[GW323] refreshUrl"),
        ("tokenUrl: /token", "tokenUrl: http://a.example/token", "error[GW323] expected https://"),
        ("tokenUrl: /token", "tokenUrl: https://b.example/token", "error[GW323] leads to another server"),
        ("tokenUrl: /token", "tokenUrl: https://a.example:8443/token", "error[GW323] leads to another server"),
        ("tokenUrl: /token", "tokenUrl: /token?a=b", "error[GW323] by its path alone"),
        ("tokenUrl: /token", "tokenUrl: /authorize", "error[GW323] no such endpoint is there"),
        ("tokenUrl: /token", "tokenUrl: https://a.example", "error[GW323] no such endpoint is there"),
        ("authorizationUrl: /authorize", "authorizationUrl: /login", "error[GW323] builtin: oauth.authorize"),
        ("type: oauth2\n", "type: oauth2\n      oauth2MetadataUrl: /.well-known/oauth-authorization-server\n", "none"),
        (
            "type: oauth2\n",
            "type: oauth2\n      oauth2MetadataUrl: https://a.example/.well-known/oauth-authorization-server\n",
            "none",
        ),
        ("type: oauth2\n", "type: oauth2\n      oauth2MetadataUrl: /metadata\n", "error[GW323] oauth2MetadataUrl"),
        ("type: oauth2\n", "type: oauth2\n      oauth2MetadataUrl: 7\n", "error[GW323] is no URL"),
        (
            "  /.well-known/oauth-authorization-server: {",
            "  /metadata: {",
            "error[GW325] they look at /.well-known/oauth-authorization-server",
        ),
        ("scopes: {read: Read}", "scopes: {read: Read, \"a b\": c}", "error[GW214] is not a scope"),
        ("{own: [read]}", "{own: [write]}", "error[GW206] does not declare"),
        (
            "{builtin: oauth.token}",
            "{builtin: oauth.token, grants: [refresh_token, client_credentials, authorization_code]}",
            "none",
        ),
        (
            "  /token: {post",
            "  /half: {post: {security: [], x-gateway: {builtin: oauth.token, grants: [client_credentials]}}}\n  /token: {post",
            "none",
        ),
        ("      refresh_token: {}\n", "", "none"),
        (
            "{builtin: oauth.token}",
            "{builtin: oauth.token, grants: [password, refresh_token, client_credentials, authorization_code]}",
            "error[GW322] is not among the grants",
        ),
        (
            "{builtin: oauth.token}",
            "{builtin: oauth.token, grants: [implicit]}",
            "error[GW104] a grant of this endpoint",
        ),
        ("{builtin: oauth.token}", "{builtin: oauth.token, grants: []}", "error[GW104] leave it out to admit all"),
        ("{builtin: login.form}", "{builtin: login.form, grants: [password]}", "error[GW102] an argument of"),
    ] {
        check(&with(&[(old, new)]), expect);
    }
    let half = with(&[(
        "  /token: {post",
        "  /half: {post: {security: [], x-gateway: {builtin: oauth.token, grants: [client_credentials]}}}\n  /token: {post",
    )]);
    for (old, new, expect) in [
        (
            "authorizationUrl: /authorize, tokenUrl: /token",
            "authorizationUrl: /authorize, tokenUrl: /half",
            "error[GW322] /half does not admit it",
        ),
        ("clientCredentials: {tokenUrl: /token", "clientCredentials: {tokenUrl: /half", "none"),
        ("tokenUrl: /token", "tokenUrl: /token, refreshUrl: /half", "error[GW322] without the grant refresh_token"),
        (
            "{post: {security: [], x-gateway: {builtin: oauth.token}}}",
            "{post: {security: [], x-gateway: {builtin: oauth.token, grants: [authorization_code, client_credentials]}}}",
            "error[GW324] the grant refresh_token needs oauth.token",
        ),
    ] {
        assert!(half.contains(old), "{old}");
        check(&half.replacen(old, new, 1), expect);
    }
    let no_refreshing =
        with(&[("      refresh_token: {}\n", ""), ("tokenUrl: /token", "tokenUrl: /token, refreshUrl: /token")]);
    check(&no_refreshing, "error[GW322] without the grant refresh_token");
    let foreign = with(&[(SCHEME, "x-gateway: {token: {jwt: {verify: {algorithms: [HS256], secret: {env: S}}}}}")]);
    check(
        &foreign.replace("{builtin: oauth.me}", "{builtin: static, file: a.yaml}"),
        "error[GW322] no scheme is its own",
    );
    let without = |path: &str| {
        let lines = DOCUMENT.lines().filter(|line| !line.starts_with(&format!("  {path}:")));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    check(&without("/authorize"), "error[GW324] needs oauth.authorize");
    check(&without("/decision"), "error[GW324] needs oauth.decision");
    check(
        &without("/token"),
        "error[GW324] the grants authorization_code, client_credentials, refresh_token need oauth.token",
    );
    check(&without("/login"), "error[GW324] needs login.submit");
    let posted = with(&[("/authorize: {get", "/authorize: {post")]);
    check(&posted, "error[GW324] no operation with GET");
    let no_metadata = without("/.well-known/oauth-authorization-server");
    check(&no_metadata, "none");
    let named = no_metadata
        .replace("type: oauth2\n", "type: oauth2\n      oauth2MetadataUrl: /.well-known/oauth-authorization-server\n");
    check(&named, "error[GW323] describe /.well-known/oauth-authorization-server");
    let machines = "    grants: {client_credentials: {}, refresh_token: {}}\ncomponents:";
    let only_machines = with(&[
        (
            "    grants:\n      authorization_code: {}\n      client_credentials: {}\n      refresh_token: {}\ncomponents:",
            machines,
        ),
        ("        authorizationCode: {authorizationUrl: /authorize, tokenUrl: /token, scopes: {read: Read}}\n", ""),
        ("scopes: {}", "scopes: {read: Read}"),
        ("  /authorize: {get: {security: [], x-gateway: {builtin: oauth.authorize}}}\n", ""),
    ]);
    check(&only_machines, "error[GW322] no grant gives refresh tokens");
    let only_machines = only_machines.replace(", refresh_token: {}", "");
    check(&only_machines, "none");
    let useless =
        format!("{only_machines}  /authorize: {{get: {{security: [], x-gateway: {{builtin: oauth.authorize}}}}}}\n");
    check(&useless, "error[GW322] no grant of the authorization server needs oauth.authorize");
    // A base path is before all paths, and a URL that begins with `/` has to name it.
    let below = with(&[("url: \"https://a.example\"", "url: \"https://a.example/v1\"")]);
    check(
        &below
            .replace(
                "  /.well-known/oauth-authorization-server: {",
                "  /.well-known/oauth-authorization-server:\n    servers: [{url: \"https://a.example\"}]\n    ",
            )
            .replace("oauth.metadata}}}", "oauth.metadata}}"),
        "error[GW323] is at /v1/",
    );
}

#[test]
fn without_a_server() {
    let start = DOCUMENT.find("  authorizationServer:\n").expect("the server");
    let end = DOCUMENT.find("components:").expect("the schemes");
    let without = format!("{}{}", &DOCUMENT[..start], &DOCUMENT[end..]);
    check(&without, "error[GW321] belongs to an authorization server");
    let found = messages(&[("a.yaml", &without)]);
    for what in ["the scheme `own`", "the scheme `Session`", "`oauth.token`", "`login.submit`", "`oauth.me`"] {
        assert!(
            found.contains(&format!("{what} belongs to an authorization server, and the document has none")),
            "{found}"
        );
    }
    // The administrators' key is one of the deployment.
    let admin = "openapi: 3.1.0\ninfo: {title: t, version: \"1\"}\nx-gateway: {version: 1, upstream: {url: \"http://127.0.0.1:1\"}}\n\
        components: {securitySchemes: {Admin: {type: apiKey, in: header, name: X-Admin, x-gateway: {credential: admin}}}}\n\
        paths: {/a: {get: {security: [{Admin: []}]}}, /clients: {get: {security: [{Admin: []}]}}}\n";
    check(admin, "none");
    let clients = admin.replacen(
        "/clients: {get: {security: [{Admin: []}]",
        "/clients: {get: {security: [{Admin: []}], x-gateway: {builtin: clients.list}",
        1,
    );
    check(&clients, "error[GW321] clients.list belongs to");
}

#[test]
fn schemes_of_the_gateways_own() {
    let tokens = |members: &str| with(&[(SCHEME, &format!("x-gateway: {{{members}}}"))]);
    for (members, expect) in [
        ("authorizationServer: self, realm: r, forward: false", "none"),
        ("authorizationServer: other", "error[GW104] expected self"),
        ("authorizationServer: self, forward: true", "error[GW207] is never forwarded"),
        ("authorizationServer: self, bare: true", "error[GW208] bare means nothing"),
        ("authorizationServer: self, token: {}", "error[GW208] token means nothing"),
        ("authorizationServer: self, session: login", "error[GW208] a scheme has one kind of credential"),
        ("authorizationServer: self, onMissing: redirect", "error[GW102] belongs to session: login"),
        ("authorizationServer: self, alsoIn: [{in: cookie, name: a}]", "error[GW207] the query or a form"),
        ("authorizationServer: self, alsoIn: [{in: header, name: X-Token}]", "error[GW207] the query or a form"),
        ("authorizationServer: self, alsoIn: [{in: body, name: a}]", "error[GW104] or form"),
        (
            "authorizationServer: self, alsoIn: [{in: query, name: access_token}]",
            "warning[GW303] takes access tokens from the query",
        ),
        (
            "authorizationServer: self, alsoIn: [{in: form, name: access_token}]",
            "warning[GW303] takes access tokens from a form",
        ),
        (
            "authorizationServer: self, alsoIn: [{in: form, name: a}, {in: query, name: a}], acceptRisk: [{lint: GW303, reason: old links}]",
            "warning[GW303] acknowledged: old links",
        ),
        ("authorizationServer: self, acceptRisk: [{lint: GW303, reason: old links}]", "warning[GW319] accepts nothing"),
    ] {
        check(&tokens(members), expect);
    }
    let session = |old: &str, new: &str| with(&[(old, new)]);
    for (old, new, expect) in [
        (SESSION, "{session: login}", "none"),
        (SESSION, "{session: login, onMissing: refuse, realm: r}", "none"),
        (SESSION, "{session: log-in}", "error[GW104] expected login"),
        (SESSION, "{session: login, onMissing: ask}", "error[GW104] expected redirect or refuse"),
        (SESSION, "{session: login, alsoIn: [{in: query, name: s}]}", "error[GW207] has one place"),
        (
            "{type: apiKey, in: cookie, name: s,",
            "{type: apiKey, in: cookie, name: \"a b\",",
            "error[GW207] no cookie can be called",
        ),
        (
            "{type: apiKey, in: cookie, name: s,",
            "{type: apiKey, in: cookie, name: \"a;b\",",
            "error[GW207] no cookie can be called",
        ),
        (
            "{type: apiKey, in: cookie, name: s,",
            "{type: apiKey, in: header, name: s,",
            "error[GW207] session needs a cookie",
        ),
        ("{type: apiKey, in: cookie, name: s,", "{type: http, scheme: bearer,", "error[GW207] session needs a cookie"),
        (
            "post: {security: [{Session: []}]",
            "post: {security: [{Session: [a]}]",
            "error[GW207] neither scopes nor roles",
        ),
        ("post: {security: [{Session: []}]", "post: {security: [{Session: [], own: []}]", "none"),
        (
            "    Session:",
            "    Other: {type: apiKey, in: cookie, name: t, x-gateway: {session: login}}\n    Session:",
            "error[GW326] in two cookies",
        ),
        (
            "    Session:",
            "    Other: {type: apiKey, in: cookie, name: s, x-gateway: {session: login}}\n    Session:",
            "none",
        ),
    ] {
        check(&session(old, new), expect);
    }
    let admin = |definition: &str| {
        let text = with(&[("{type: apiKey, in: header, name: X-Admin, x-gateway: {credential: admin}}", definition)]);
        format!("{text}  /clients: {{get: {{security: [{{Admin: []}}], x-gateway: {{builtin: clients.list}}}}}}\n")
    };
    for (definition, expect) in [
        ("{type: apiKey, in: header, name: X-Admin, x-gateway: {credential: admin, realm: r}}", "none"),
        ("{type: apiKey, in: header, name: X-Admin, x-gateway: {credential: root}}", "error[GW104] expected admin"),
        ("{type: apiKey, in: query, name: k, x-gateway: {credential: admin}}", "error[GW207] stands in a header"),
        ("{type: http, scheme: bearer, x-gateway: {credential: admin}}", "error[GW207] stands in a header"),
        (
            "{type: apiKey, in: header, name: Host, x-gateway: {credential: admin}}",
            "error[GW207] cannot stand in the header",
        ),
        (
            "{type: apiKey, in: header, name: X-Admin, x-gateway: {authorizationServer: self}}",
            "error[GW207] needs type: oauth2",
        ),
        (
            "{type: apiKey, in: header, name: X-Admin, x-gateway: {alsoIn: [{in: form, name: a}]}}",
            "error[GW207] tokens of the gateway's own",
        ),
    ] {
        check(&admin(definition), expect);
    }
}

#[test]
fn endpoints_and_their_security() {
    let operation = |path: &str, method: &str, security: &str, builtin: &str| {
        let names = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
        let parameters: Vec<String> =
            names.map(|name| format!("{{name: {name}, in: path, required: true, schema: {{type: string}}}}")).collect();
        format!(
            "{DOCUMENT}  {path}: {{parameters: [{}], {method}: {{security: {security}, x-gateway: {{{builtin}}}}}}}\n",
            parameters.join(", ")
        )
    };
    for (path, method, security, builtin, expect) in [
        ("/revoke", "post", "[]", "builtin: oauth.revoke", "none"),
        ("/revoke", "get", "[]", "builtin: oauth.revoke", "error[GW325] which has no GET"),
        ("/introspect", "post", "[{own: []}]", "builtin: oauth.introspect", "none"),
        ("/keys", "get", "[]", "builtin: oauth.jwks", "none"),
        ("/keys", "post", "[]", "builtin: oauth.jwks", "error[GW325] expected GET"),
        ("/keys/{id}", "get", "[]", "builtin: oauth.jwks", "error[GW325] is no plain path"),
        ("/token2", "put", "[]", "builtin: oauth.token", "error[GW325] which has no PUT"),
        ("/token2", "post", "[{own: []}]", "builtin: oauth.token", "error[GW325] who has no token cannot get one"),
        ("/authorize2", "get", "[{Session: []}]", "builtin: oauth.authorize", "none"),
        ("/authorize2", "delete", "[]", "builtin: oauth.authorize", "error[GW325] expected GET or POST"),
        ("/login2", "get", "[{Session: []}]", "builtin: login.form", "error[GW325] cannot log in"),
        ("/login2", "get", "[]", "builtin: login.submit", "error[GW325] expected POST"),
        ("/decision2", "post", "[]", "builtin: oauth.decision", "error[GW325] which user it is about"),
        ("/logout", "post", "[{Session: []}]", "builtin: logout", "none"),
        ("/logout", "get", "[{Session: []}]", "builtin: logout", "error[GW325] which has no GET"),
        ("/logout", "post", "[{own: []}]", "builtin: logout", "error[GW325] which user it is about"),
        ("/account", "get", "[{Session: []}, {}]", "builtin: account", "error[GW325] session: login"),
        ("/account", "get", "[{Session: []}, {own: []}]", "builtin: account", "error[GW325] session: login"),
        ("/account", "post", "[{Session: []}]", "builtin: account", "none"),
        ("/who", "get", "[]", "builtin: oauth.me", "error[GW325] whose token it is about"),
        ("/clients", "post", "[{Admin: []}]", "builtin: clients.create", "none"),
        ("/clients", "post", "[]", "builtin: clients.create", "error[GW325] anyone could register"),
        ("/clients", "get", "[{Admin: []}, {}]", "builtin: clients.list", "error[GW325] anyone could register"),
        ("/clients", "get", "[{own: [read]}]", "builtin: clients.list", "none"),
        ("/clients", "get", "[{own: []}]", "builtin: clients.list", "error[GW325] every user who logs in"),
        ("/clients", "post", "[{Session: []}]", "builtin: clients.create", "error[GW325] every user who logs in"),
        ("/users", "post", "[{Admin: []}, {Session: []}]", "builtin: users.create", "error[GW325] credential: admin"),
        ("/clients", "get", "[{own: [read], Session: []}]", "builtin: clients.list", "none"),
        ("/clients", "put", "[{Admin: []}]", "builtin: clients.list", "error[GW325] expected GET"),
        ("/users", "post", "[]", "builtin: users.create", "error[GW325] credential: admin"),
        ("/clients/{id}", "delete", "[{Admin: []}]", "builtin: clients.delete", "none"),
        ("/clients", "delete", "[{Admin: []}]", "builtin: clients.delete", "error[GW325] exactly one path parameter"),
        ("/c/{a}/{b}", "delete", "[{Admin: []}]", "builtin: clients.delete", "error[GW325] exactly one path parameter"),
        ("/clients/{id}", "post", "[]", "builtin: clients.manage", "error[GW325] expected GET or PUT or DELETE"),
        ("/clients", "get", "[]", "builtin: clients.manage", "error[GW325] exactly one path parameter"),
        ("/c/{a}/{b}", "put", "[]", "builtin: clients.manage", "error[GW325] exactly one path parameter"),
        ("/clients/{id}", "get", "[]", "builtin: clients.manage", "error[GW325] no client has a token"),
        ("/clients/{id}", "get", "[{own: [read]}]", "builtin: clients.manage", "error[GW325] stands in Authorization"),
        ("/x", "get", "[]", "builtin: clients.mange", "error[GW104] did you mean clients.manage?"),
        ("/x", "get", "[]", "builtin: oauth.autorize", "error[GW104] did you mean oauth.authorize?"),
        ("/x", "post", "[]", "builtin: oauth.revoke, upstream: a", "error[GW526] upstream"),
        ("/x", "get", "[]", "builtin: login.form, dir: a", "error[GW102] beside another"),
    ] {
        check(&operation(path, method, security, builtin), expect);
    }
    let create = "  /clients: {post: {security: [{Admin: []}], x-gateway: {builtin: clients.create}}}\n";
    let with_create = |path: &str, method: &str, security: &str| {
        operation(path, method, security, "builtin: clients.manage") + create
    };
    check(&with_create("/clients/{id}", "get", "[]"), "none");
    check(&with_create("/clients/{id}/registration", "put", "[]"), "none");
    check(&with_create("/clients/{id}", "delete", "[{Admin: []}, {}]"), "none");
    // A token that may also be elsewhere still gets in the way of the registration's own.
    let elsewhere = with_create("/clients/{id}", "get", "[{own: [read]}]").replacen(
        "authorizationServer: self",
        "authorizationServer: self, alsoIn: [{in: query, name: access_token}]",
        1,
    );
    let found = messages(&[("a.yaml", &elsewhere)]);
    assert!(found.contains("error[GW325]") && found.contains("stands in `Authorization`"), "{found}");
    let parameter = "parameters: [{name: id, in: path, required: true, schema: {type: string}}]";
    let put = "put: {security: [], x-gateway: {builtin: clients.manage}}";
    let two = format!("{}  /registrations/{{id}}: {{{parameter}, {put}}}\n", with_create("/clients/{id}", "get", "[]"));
    check(&two, "error[GW325] put it at");
    let manage = "x-gateway: {builtin: clients.manage}}";
    let one = with_create("/clients/{id}", "get", "[]").replacen(manage, &format!("{manage}, {put}"), 1);
    check(&one, "none");
    check(&with_create("\"/clients/{+id}\"", "get", "[]").replace("+id, in", "id, in"), "error[GW325] without +");
    check(&with_create("\"/clients/{id}?a=b\"", "get", "[]"), "error[GW325] without a query");
    check(
        &with_create("/clients/{id}", "get", "[]").replacen("type: string}}], get", "type: integer}}], get", 1),
        "error[GW325] text",
    );
    let query = operation("\"/keys?a=b\"", "get", "[]", "builtin: oauth.jwks");
    check(&query, "error[GW325] without a query");
}

#[test]
fn files_that_are_served() {
    let document = |path: &str, method: &str, builtin: &str| {
        format!(
            "openapi: 3.1.0\ninfo: {{title: t, version: \"1\"}}\nx-gateway: {{version: 1}}\nsecurity: []\npaths:\n  {path}: {{{method}: {{x-gateway: {{builtin: static, {builtin}}}}}}}\n"
        )
    };
    let large = "x".repeat(9 << 20);
    let many: Vec<(String, &str)> = (0..1_001).map(|number| (format!("many/{number}.txt"), "x")).collect();
    let mut files = vec![
        ("pages/index.html", "<p>"),
        ("pages/.hidden", "secret"),
        ("only/.hidden", "secret"),
        ("odd/a\nb.html", "x"),
        ("percent/100%.html", "x"),
        ("large/a.bin", &*large),
        ("large/b.bin", &*large),
        ("deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/a.txt", "x"),
    ];
    files.extend(many.iter().map(|(name, text)| (name.as_str(), *text)));
    for (path, method, builtin, expect) in [
        ("/", "get", "file: pages/index.html", "none"),
        ("/", "head", "file: ./pages/index.html", "none"),
        ("/", "post", "file: pages/index.html", "error[GW527] expected GET or HEAD"),
        ("/", "get", "file: pages/nots.html", "error[GW118] there is no such file"),
        ("/", "get", "file: ../a.yaml", "error[GW118] leads out of the specs directory"),
        ("/", "get", "file: pages/../../a", "error[GW118] leads out of the specs directory"),
        ("/", "get", "file: /etc/passwd", "error[GW118] leads out of the specs directory"),
        ("/", "get", "file: \"pages\\\\index.html\"", "error[GW118] leads out of the specs directory"),
        ("/", "get", "file: \"a\\nb\"", "error[GW118] `a\\nb` cannot be read"),
        ("/", "get", "file: pages/.hidden", "none"),
        ("/", "get", "file: 7", "error[GW104] expected text"),
        ("/", "get", "realm: a", "error[GW102]"),
        ("/", "get", "file: a, dir: b", "error[GW104] either file or dir"),
        ("/", "get", "dir: pages", "error[GW527] does not end in one greedy parameter"),
        ("/{+rest}", "get", "file: pages/index.html", "error[GW527] serves one file"),
        ("/p/{+rest}", "get", "dir: pages", "none"),
        ("/p/{+rest}", "get", "dir: pages/", "none"),
        ("/p/{+rest}.html", "get", "dir: pages", "error[GW527] does not end in"),
        ("/p/{rest}", "get", "dir: pages", "error[GW527] greedy: true"),
        ("/{a}/{+rest}", "get", "dir: pages", "error[GW527] does not end in"),
        ("/p/{+rest}", "get", "dir: only", "error[GW527] has no files"),
        ("/p/{+rest}", "get", "dir: nowhere", "error[GW118] there is no such file"),
        ("/p/{+rest}", "get", "dir: odd", "error[GW527] no request can ask for `a\\nb.html`"),
        ("/p/{+rest}", "get", "dir: percent", "error[GW527] has `%` in its name"),
        ("/p/{+rest}", "get", "dir: large", "error[GW527] 16 MiB in all"),
        ("/p/{+rest}", "get", "dir: many", "error[GW527] at most 1000 files"),
        ("/p/{+rest}", "get", "dir: deep", "error[GW527] 16 folders deep"),
    ] {
        let path = if path.contains('{') { format!("\"{path}\"") } else { path.to_owned() };
        let names: Vec<String> = path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .map(|name| name.trim_start_matches('+').to_owned())
            .collect();
        let parameters: Vec<String> = names
            .iter()
            .map(|name| format!("{{name: {name}, in: path, required: true, schema: {{type: string}}}}"))
            .collect();
        let text = document(&path, &format!("parameters: [{}], {method}", parameters.join(", ")), builtin);
        let mut all = vec![("a.yaml", text.as_str())];
        all.extend(files.iter().copied());
        if expect == "error[GW102]" {
            // Both a stray member, and nothing to serve.
            let found = messages(&all);
            assert!(found.contains("GW102") && found.contains("GW104"), "{found}");
            continue;
        }
        check_files(&all, expect);
    }
}

/// As `$ref`, a path counts from the file that it stands in.
#[test]
fn files_of_a_part() {
    let main = "openapi: 3.1.0\ninfo: {title: t, version: \"1\"}\nx-gateway: {version: 1, public: [GET /]}\npaths:\n  /: {$ref: parts/home.yaml}\n";
    let part = "get: {security: [], x-gateway: {builtin: static, file: home.html}}\n";
    let found = messages(&[("a.yaml", main), ("parts/home.yaml", part), ("parts/home.html", "<p>")]);
    assert_eq!(found, "");
}
