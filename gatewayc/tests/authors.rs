//! Mistakes that authors make with documents that are right otherwise: what is said must lead to the repair.

#![expect(clippy::disallowed_methods, reason = "the cases are files")]

#[path = "support/repair.rs"]
mod repair;

use std::collections::HashMap;

use gatewayc::diagnostic::{Format, render};
use gatewayc::source::SourceSet;

/// `ROOT` are lines at the root, `GATEWAY` members of its `x-gateway`, `SCHEMES` security schemes, `PATHS` paths.
const DOCUMENT: &str = r#"openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway:
  version: 1
  upstream: {url: "http://127.0.0.1:8080"}
GATEWAY
ROOT
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
SCHEMES
paths:
PATHS
"#;

struct Case<'a> {
    root: &'a str,
    gateway: &'a str,
    schemes: &'a str,
    paths: &'a str,
}

const GOOD: Case<'_> =
    Case { root: "security: []", gateway: "", schemes: "", paths: "  /a:\n    get: {operationId: a}" };

impl Case<'_> {
    fn text(&self) -> String {
        DOCUMENT
            .replace("ROOT", self.root)
            .replace("GATEWAY", self.gateway)
            .replace("SCHEMES", self.schemes)
            .replace("PATHS", self.paths)
    }
}

/// `expect` is `severity[CODE]`, and words of the message; `none` where nothing may be said. Follows the suggestions.
fn check(text: &str, expect: &str, never: &str) {
    let files: HashMap<String, String> = [("a.yaml".to_owned(), text.to_owned())].into();
    repair::follow(&files, &["a.yaml"]);
    let mut sources = SourceSet::new(files, "");
    sources.add_document("a.yaml");
    let checked = gatewayc::check(&mut sources);
    let found = render(&checked.diagnostics, &sources, Format::Human);
    let (kind, words) = expect.split_once(' ').unwrap_or((expect, ""));
    let kinds: Vec<&str> = found.lines().filter_map(|line| line.split_once("]: ").map(|(kind, _)| kind)).collect();
    let kinds: Vec<&str> =
        kinds.into_iter().filter(|kind| kind.contains("[GW")).map(|kind| &kind[..kind.len()]).collect();
    match kind {
        "none" => assert!(found.is_empty(), "{found}"),
        kind => assert_eq!(kinds, [kind.trim_end_matches(']')], "{expect}\n{text}\n{found}"),
    }
    let plain = found.replace('`', "");
    assert!(found.contains(words) || plain.contains(words), "{words:?} is not in\n{found}");
    assert!(never.is_empty() || !found.contains(never), "{never:?} is in\n{found}");
}

fn case(case: Case<'_>, expect: &str) {
    check(&case.text(), expect, "");
}

#[test]
fn a_member_of_the_annotation_stands_in_it() {
    const OUTSIDE: &str = "an extension starts with";
    let words = [
        "rateLimit: [{algorithm: token-bucket, limit: 10, interval: 60s}]",
        "consumers: {allow: [root]}",
        "anonymous: {}",
        "maxBody: 1MiB",
        "upstream: {url: \"http://127.0.0.1:1\"}",
        "requestHeaders: {set: {X-A: b}}",
        "responseHeaders: {remove: [Server]}",
        "rewrite: {path: /b}",
        "acceptRisk: []",
        "rate-limit: []",
        "ratelimit: []",
        "max_body: 1MiB",
        "rateLimits: []",
    ];
    for word in words {
        let root = format!("security: []\n{word}");
        check(&Case { root: &root, ..GOOD }.text(), "error[GW102] x-gateway", OUTSIDE);
        let paths = format!("  /a:\n    {word}\n    get: {{operationId: a}}");
        check(&Case { paths: &paths, ..GOOD }.text(), "error[GW102] x-gateway", OUTSIDE);
        let paths = format!("  /a:\n    get:\n      operationId: a\n      {word}");
        check(&Case { paths: &paths, ..GOOD }.text(), "error[GW102] x-gateway", OUTSIDE);
        let paths =
            format!("  /a:\n    get:\n      operationId: a\n      responses:\n        \"200\":\n          {word}");
        let expect = "error[GW102] may stand in the x-gateway of";
        if !word.starts_with("rateLimits") {
            check(&Case { paths: &paths, ..GOOD }.text(), expect, OUTSIDE);
        }
    }
    for word in ["builtin: health", "grants: []", "dir: pages", "file: a.html", "keyClaim: k"] {
        let paths = format!("  /a:\n    get:\n      operationId: a\n      {word}");
        check(&Case { paths: &paths, ..GOOD }.text(), "error[GW102] x-gateway", OUTSIDE);
    }
    for word in ["upstreams: {}", "limits: {}", "preflight: answer", "https: {}", "rules: []", "identityHeaders: {}"] {
        let root = format!("security: []\n{word}");
        check(&Case { root: &root, ..GOOD }.text(), "error[GW102] write x-gateway: {", OUTSIDE);
        let paths = format!("  /a:\n    get:\n      operationId: a\n      {word}");
        check(&Case { paths: &paths, ..GOOD }.text(), "error[GW102] may stand in the x-gateway of the root", OUTSIDE);
    }
    for word in ["greedy: true", "upstream: notes"] {
        let parameter = format!("{{name: id, in: path, required: true, {word}}}");
        let paths = format!("  /a/{{id}}:\n    parameters: [{parameter}]\n    get: {{operationId: a}}");
        check(&Case { paths: &paths, ..GOOD }.text(), "error[GW102] x-gateway", OUTSIDE);
    }
    for word in ["alsoIn: []", "jwt: {}", "hmac: {}", "realm: r", "forward: true", "verify: {}", "issuers: [i]"] {
        let schemes = format!("    other: {{type: http, scheme: basic, {word}}}");
        check(&Case { schemes: &schemes, ..GOOD }.text(), "error[GW102] x-gateway", OUTSIDE);
    }
    for (word, at) in
        [("info", "info: {title: t, version: \"1\", maxBody: 1MiB}"), ("tags", "tags: [{name: a, rateLimit: []}]")]
    {
        let root = format!("security: []\n{at}");
        let text = Case { root: &root, ..GOOD }.text();
        let text = if word == "info" { text.replacen("info: {title: t, version: \"1\"}\n", "", 1) } else { text };
        check(&text, "error[GW102] x-gateway", OUTSIDE);
    }
}

#[test]
fn near_misses_are_reported() {
    for word in ["x-gatway", "x_gateway", "X-Gateway", "x-gatewya", "xgateway"] {
        let paths = format!("  /a:\n    get:\n      operationId: a\n      {word}: {{}}");
        case(Case { paths: &paths, ..GOOD }, "error[GW102] did you mean x-gateway");
    }
    for word in [
        "x-ratelimit",
        "x-rate-limit",
        "x-rateLimits",
        "x-upstream",
        "x-consumers",
        "x-gateway-rate-limit",
        "x-max-body",
        "x-request-headers",
        "x-anonymous",
        "x-jwt",
    ] {
        let paths = format!("  /a:\n    get:\n      operationId: a\n      {word}: {{}}");
        case(Case { paths: &paths, ..GOOD }, "warning[GW102] not enforced");
    }
    for word in ["x-internal", "x-codeSamples", "x-version", "x-amazon-apigateway-integration", "x-ms-examples"] {
        let paths = format!("  /a:\n    get:\n      operationId: a\n      {word}: {{}}");
        case(Case { paths: &paths, ..GOOD }, "none");
    }
}

#[test]
fn keys_of_openapi_in_another_object() {
    for (paths, expect) in [
        ("  /a:\n  get:\n    operationId: a", "GW114 GW510 indent"),
        ("  /a:\n  post: {operationId: a}", "GW114 GW510 indent"),
        ("  /a:\n  parameters: []", "GW114 GW510 indent"),
        ("  notes:\n    get: {operationId: a}", "GW510 did you mean /notes"),
        ("  /a:\n    operationId: a\n    get: {operationId: b}", "GW102 indent it under a method"),
        ("  /a:\n    get:\n      operationId: a\n      \"200\": {description: ok}", "GW102 under responses"),
        ("  /a:\n    get:\n      operationId: a\n      post: {operationId: b}", "GW102 stands under a path"),
        ("  /a:\n    get: {operationId: a}\n    /b: {get: {operationId: b}}", "GW102 stands under paths"),
    ] {
        let text = Case { paths, ..GOOD }.text();
        let files: HashMap<String, String> = [("a.yaml".to_owned(), text.clone())].into();
        let mut sources = SourceSet::new(files, "");
        sources.add_document("a.yaml");
        let found = render(&gatewayc::check(&mut sources).diagnostics, &sources, Format::Human);
        let codes: Vec<&str> = found.match_indices("[GW").map(|(at, _)| &found[at + 1..at + 6]).collect();
        let expected: Vec<&str> = expect.split(' ').take_while(|word| word.starts_with("GW")).collect();
        assert_eq!(codes, expected, "{text}\n{found}");
        let words = expect.rsplit_once(expected[expected.len() - 1]).map_or("", |(_, words)| words.trim());
        assert!(found.replace('`', "").contains(words), "{words}\n{found}");
        assert!(!found.contains("`/get`") && !found.contains("`/post`"), "{found}");
    }
    case(Case { root: "security: []\nsecuritySchemes: {}", ..GOOD }, "warning[GW102] under components");
    case(
        Case { schemes: "    o: {type: oauth2, clientCredentials: {}, flows: {}}", ..GOOD },
        "warning[GW102] under flows",
    );
}

#[test]
fn values_of_another_kind() {
    for (gateway, expect) in [
        ("  https: true", "error[GW104] redirect"),
        ("  https: \"true\"", "error[GW104] redirect"),
        ("  identityHeaders: X-User", "error[GW104] consumer"),
        ("  errors: none", "error[GW104] bodies"),
        ("  rewrite: /b", "error[GW104] path"),
        ("  consumers: root", "error[GW104] allow"),
        ("  consumers: {allow: root}", "error[GW104] write [root]"),
        ("  requestHeaders: X-A", "error[GW104] set"),
        ("  requestHeaders: {remove: X-A}", "error[GW104] write [X-A]"),
        ("  anonymous: guest", "error[GW104] consumer"),
        ("  maxBody: true", "error[GW104] 512KiB"),
        ("  rateLimit: {algorithm: token-bucket, limit: 1, interval: 1s}", "error[GW104] before its first key"),
        ("  rateLimit: [100]", "error[GW104] algorithm"),
        ("  rateLimit: [{algorithm: token-bucket, limit: \"1\", interval: 1s}]", "error[GW404] remove the quotes"),
        ("  rateLimit: [{algorithm: leaky-bucket, rate: 1/s, burst: \"5\"}]", "error[GW404] remove the quotes"),
        ("  rateLimit: [{algorithm: leaky-bucket, rate: 1/s, delay: \"true\"}]", "error[GW104] remove the quotes"),
        (
            "  rateLimit: [{algorithm: token-bucket, limit: 1, interval: 1s, cost: \"1\"}]",
            "error[GW404] remove the quotes",
        ),
        (
            "  rateLimit: [{algorithm: token-bucket, limit: 1, interval: 1s, status: \"503\"}]",
            "error[GW104] remove the quotes",
        ),
        ("  rateLimit: [{algorithm: token-bucket, limit: 1, interval: 60}]", "error[GW104] 250ms"),
        ("  rateLimit: [{algorithm: token-bucket, limit: 1, interval: 60 s}]", "error[GW104] 250ms"),
        ("  rateLimit: [{algoritm: token-bucket, limit: 1, interval: 1s}]", "error[GW102] did you mean algorithm"),
        ("  rateLimit: [{algorithm: token-bucket, limitt: 1, interval: 1s}]", "error[GW102] did you mean limit"),
        ("  maxBody: 10MB", "error[GW104] write 10MiB"),
        ("  maxBody: 64kb", "error[GW104] write 64KiB"),
        ("  upstreams: {a: {url: \"http://a\", timeout: 30}}", "error[GW104] write 30s"),
        ("  upstreams: {a: {url: \"http://a\", timeout: {connect: 5 seconds}}}", "error[GW104] write 5s"),
        ("  upstreams: {a: {url: \"http://a\", timeout: 2 min}}", "error[GW104] write 2m"),
        ("  upstreams: [\"http://a\"]", "error[GW104] write upstreams: {name: …}"),
        ("  rateLimit: [{algorithm: tokenbucket, limit: 1, interval: 1s}]", "error[GW104] did you mean token-bucket"),
        ("  rateLimit: [{algorithm: token-bucket, limit: 1, interval: 1s, key: ip}]", "error[GW104] write [ip]"),
        ("  https: {redirect: \"false\"}", "error[GW104] remove the quotes"),
        ("  https: {redirect: false, hsts: {maxage: 1d}}", "error[GW102] did you mean maxAge"),
        ("  upstreams: {a: {url: \"http://a\", preserveHost: \"true\"}}", "error[GW104] remove the quotes"),
        ("  upstreams: {a: {ulr: \"http://a\"}}", "error[GW102] did you mean url"),
        ("  upstreams: {a: \"http://a\"}", "error[GW104] url"),
    ] {
        case(Case { gateway, ..GOOD }, expect);
    }
    check(&GOOD.text().replacen("version: 1\n", "version: \"1\"\n", 1), "error[GW104] remove the quotes", "");
    for (scheme, expect) in [
        ("jwt: {verify: {algoritms: [HS256], secret: {env: S}}}", "error[GW102] did you mean algorithms"),
        ("jwt: {verify: {algorithms: [HS256], secrte: {env: S}}}", "error[GW102] did you mean secret"),
        ("jwt: {verfy: {algorithms: [HS256], secret: {env: S}}}", "error[GW102] did you mean verify"),
        ("jwt: {verify: {algorithms: HS256, secret: {env: S}}}", "error[GW104] write [HS256]"),
        ("jwt: HS256", "error[GW104] verify"),
        ("jwt: {verify: HS256}", "error[GW104] algorithms"),
    ] {
        let schemes = format!("    Jwt: {{type: http, scheme: bearer, x-gateway: {{{scheme}}}}}");
        case(Case { schemes: &schemes, root: "security: [{Jwt: []}]", ..GOOD }, expect);
    }
}

#[test]
fn secrets_are_named_and_never_written() {
    let jwt = |verify: &str| {
        let schemes = format!(
            "    Jwt:\n      type: http\n      scheme: bearer\n      x-gateway:\n        jwt:\n          verify:\n            {verify}"
        );
        Case { schemes: &schemes, root: "security: [{Jwt: []}]", ..GOOD }.text()
    };
    for (verify, expect) in [
        ("{algorithms: [HS256], secret: \"${API_SECRET}\"}", "error[GW101] {env: API_SECRET}"),
        ("{algorithms: [HS256], secret: $API_SECRET}", "error[GW101] {env: API_SECRET}"),
        ("{algorithms: [HS256], secret: swordfish}", "error[GW101] change the secret"),
        ("{algorithms: [HS256], secret: {value: swordfish}}", "error[GW101] change the secret"),
        ("{algorithms: [HS256], secret: {env: \"s3cr3t-with-$igns!\"}}", "error[GW104] variable"),
        ("{algorithms: [HS256], secret: {env: \"${API_SECRET}\"}}", "error[GW104] {env: API_SECRET}"),
        ("{algorithms: [HS256], secret: {env: two words}}", "error[GW104] variable"),
        ("{algorithms: [HS256], secret: {env: \"\"}}", "error[GW104] variable"),
        ("{algorithms: [HS256], secret: {env: k7Jd8sKq2LmN9pQrT4vX6zB1}}", "error[GW101] looks like a secret"),
        ("{algorithms: [HS256], secret: {env: ghp_16C7e42F292c6912E7710c838347Ae178B4a}}", "error[GW101] looks like"),
        (
            "{algorithms: [HS256], secret: {file: k7Jd8sKq2LmN9pQrT4vX6zB1}}",
            "error[GW101] put the secret into that file",
        ),
        (
            "algorithms: [RS256]\n            publicKey: |\n              -----BEGIN PUBLIC KEY-----\n              MIIB\n              -----END PUBLIC KEY-----",
            "error[GW104] file",
        ),
        ("{algorithms: [RS256], publicKey: \"-----BEGIN PUBLIC KEY----- x\"}", "error[GW104] {file: keys/issuer.pem}"),
        ("{algorithms: [RS256], jwks: {keys: [{kty: RSA}]}}", "error[GW104] {file: keys/issuer.json}"),
    ] {
        check(&jwt(verify), expect, "");
    }
    for (gateway, expect) in [
        ("  requestHeaders: {set: {X-Api-Key: abc123}}", "error[GW101]"),
        ("  requestHeaders: {add: {X-Internal-Token: let-me-in}}", "error[GW101]"),
        ("  requestHeaders: {set: {X-Custom: k7Jd8sKq2LmN9pQrT4vX6zB1}}", "error[GW101] looks like a secret"),
        ("  requestHeaders: {set: {X-Custom: Bearer abcdefgh}}", "error[GW101]"),
        ("  responseHeaders: {set: {X-Custom: ghp_16C7e42F292c6912E7710c838347Ae178B4a}}", "error[GW101]"),
        (
            "  responseHeaders: {set: {Content-Security-Policy: \"script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='\"}}",
            "none",
        ),
        ("  requestHeaders: {set: {X-Plan: basic}}", "none"),
        ("  upstream: {url: \"http://127.0.0.1:8080/v1/k7Jd8sKq2LmN9pQrT4vX6zB1\"}", "error[GW101] URL"),
        ("  rules: [{match: ^/a, redirect: {to: \"https://u:secret@a.example/\"}}]", "error[GW524] credentials"),
        ("  rules: [{match: ^/a, redirect: {to: \"https://a.example/?api_key=abcdef\"}}]", "error[GW101] query"),
    ] {
        let text = Case { gateway, ..GOOD }.text();
        let twice = gateway.starts_with("  upstream:");
        let text = if twice { text.replacen("  upstream: {url: \"http://127.0.0.1:8080\"}\n", "", 1) } else { text };
        check(&text, expect, "");
    }
    case(
        Case { root: "security: []\nservers: [{url: \"https://u:secret@a.example/v1\"}]", ..GOOD },
        "error[GW101] before the host",
    );
    case(Case { root: "security: []\nservers: [{url: \"https://a.example/v1\"}]", ..GOOD }, "none");
}

#[test]
fn scopes_are_declared() {
    const OAUTH: &str = "    own:\n      type: oauth2\n      flows: {FLOWS}\n      x-gateway: {token: {jwt: {verify: {algorithms: [RS256], publicKey: {file: k.pem}}, issuers: [i], audiences: [a]}}}";
    let with = |flows: &str, scopes: &str| {
        let schemes = OAUTH.replace("FLOWS", flows);
        let root = format!("security: [{{own: [{scopes}]}}]");
        Case { schemes: &schemes, root: &root, ..GOOD }.text()
    };
    const READ: &str = "clientCredentials: {tokenUrl: \"https://a.example/t\", scopes: {read: r}}";
    check(&with(READ, "read"), "none", "");
    check(&with(READ, "reed"), "error[GW206] did you mean read", "");
    check(&with(READ, "billing"), "error[GW206] declare it", "");
    check(&with("deviceAuthorization: {tokenUrl: \"https://a.example/t\", scopes: {read: r}}", "read"), "none", "");
    check(
        &with("deviceAuthorization: {tokenUrl: \"https://a.example/t\", scopes: {read: r}}", "raed"),
        "error[GW206] did you mean read",
        "",
    );
    // One message for one cause.
    let schemes = OAUTH.replace("FLOWS", READ);
    let operations: String = (0..9)
        .map(|number| format!("  /a{number}: {{get: {{operationId: a{number}, security: [{{own: [wirte]}}]}}}}\n"))
        .collect();
    case(
        Case { schemes: &schemes, paths: &operations, ..GOOD },
        "error[GW206] and 8 more: operation a1, operation a2, operation a3, …",
    );
}

#[test]
fn paths_and_servers_of_other_tools() {
    for (path, expect) in [
        ("/users/:id", "/users/{id}"),
        ("/users/:id/posts/:postId", "/users/{id}/posts/{postId}"),
        ("/users/<int:id>", "/users/{id}"),
        ("/files/*path", "/files/{+path}"),
        ("/users/[id]", "/users/{id}"),
        ("/users/${id}", "/users/{id}"),
    ] {
        let paths = format!("  \"{path}\": {{get: {{operationId: a}}}}");
        let text = Case { paths: &paths, ..GOOD }.text();
        let files: HashMap<String, String> = [("a.yaml".to_owned(), text)].into();
        let mut sources = SourceSet::new(files, "");
        sources.add_document("a.yaml");
        let found = render(&gatewayc::check(&mut sources).diagnostics, &sources, Format::Human);
        assert!(found.contains("[GW511]") && found.contains(&format!("`{expect}`")), "{path}\n{found}");
    }
    for server in ["api.example.com/v1", "localhost:8080", "127.0.0.1:3000/v1", "https:/a.example"] {
        let root = format!("security: []\nservers: [{{url: \"{server}\"}}]");
        case(Case { root: &root, ..GOOD }, "error[GW516] https://");
    }
    for (scheme, expect) in [
        ("JWT", "scheme: bearer"),
        ("token", "scheme: bearer"),
        ("apiKey", "type: apiKey"),
        ("Baerer", "scheme: bearer"),
    ] {
        let schemes = format!("    other: {{type: http, scheme: {scheme}}}");
        let text = Case { schemes: &schemes, root: "security: [{other: []}]", ..GOOD }.text();
        check(&text, &format!("error[GW207] {expect}"), "hmac");
    }
}

#[test]
fn text_that_yaml_reads_as_syntax() {
    for (line, words) in [
        ("summary: notes: all of them", "\"notes: all of them\""),
        ("summary: @notes", "\"@notes\""),
        ("summary: `notes`", "\"`notes`\""),
        ("summary: *notes", "\"*notes\""),
        ("summary: \"notes\" of all", "quote"),
        ("summary: \"notes", "quote"),
        ("summary: \"\\notes \\d\"", "single quotes"),
        ("tags: [a, b", "bracket"),
        ("\tsummary: a", "tab"),
    ] {
        let paths = format!("  /a:\n    get:\n      {line}\n      operationId: a");
        let text = Case { paths: &paths, ..GOOD }.text();
        let files: HashMap<String, String> = [("a.yaml".to_owned(), text.clone())].into();
        let mut sources = SourceSet::new(files, "");
        sources.add_document("a.yaml");
        let found = render(&gatewayc::check(&mut sources).diagnostics, &sources, Format::Human);
        assert!(found.contains("[GW110]") && found.contains(words), "{line}\n{found}");
    }
}

#[test]
fn every_suggestion_of_the_fixtures_repairs() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files = HashMap::new();
    for entry in std::fs::read_dir(directory).expect("the fixtures are there") {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
        files.insert(name, std::fs::read_to_string(&path).expect("text"));
    }
    for name in files.keys().filter(|name| !name.starts_with("part-")) {
        repair::follow(&files, &[name]);
    }
    // What the other tests follow has some as well.
    let text = GOOD.text().replace("{url: \"http://127.0.0.1:8080\"}", "\"http://127.0.0.1:8080\"");
    assert_eq!(repair::follow(&[("a.yaml".to_owned(), text)].into(), &["a.yaml"]), 1);
}
