//! `gatewayc explain METHOD URL`, held against the corpus where it is there.

#![expect(clippy::disallowed_methods, reason = "the corpus is files")]

use std::collections::HashMap;
use std::path::PathBuf;

use gatewayc::explain::explain;
use gatewayc::source::SourceSet;
use serde_json::Value;

fn explained(text: &str, method: &str, url: &str) -> gatewayc::explain::Explanation {
    let mut sources = SourceSet::new(HashMap::from([("a.yaml".to_owned(), text.to_owned())]), "");
    sources.add_document("a.yaml");
    explain(&gatewayc::check(&mut sources).gateway, method, url, &[])
}

#[test]
fn route_conflicts() {
    let folder = std::env::var("GATEWAY_CORPUS").map_or_else(|_| PathBuf::from("../../shared/corpus"), PathBuf::from);
    let read = |name: &str| std::fs::read_to_string(folder.join("synthetic").join(name));
    let (Ok(document), Ok(expectations)) = (read("route-conflicts.yaml"), read("route-conflicts.expect.json")) else {
        return;
    };
    let expectations: Vec<(String, String, Option<String>, Option<Value>)> =
        serde_json::from_str(&expectations).expect("a list of rows");
    for (method, url, operation, parameters) in expectations {
        let found: Value = serde_json::from_str(&explained(&document, &method, &url).json()).expect("JSON");
        assert_eq!(found["operation"].as_str(), operation.as_deref(), "{method} {url}");
        if let Some(parameters) = parameters {
            assert_eq!(found["parameters"], parameters, "{method} {url}");
        }
    }
}

#[test]
fn says_why_not() {
    let document = r##"
openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway: {version: 1, upstream: {url: "http://127.0.0.1:1"}}
security: []
paths:
  /a/{id}: {get: {operationId: one}}
  /a/me: {get: {operationId: me}}
  /a?v=2: {get: {operationId: second}}
"##;
    let text = |method: &str, url: &str| explained(document, method, url).text();
    assert_eq!(
        text("GET", "https://api.example/a/me?x=1#y"),
        "GET https://api.example/a/me?x=1#y\n  is answered by `me` of a: /a/me\n  who may call: anyone\n  upstream: default\n  the gateway's own answers: 502 504\n  not /a/{id}: /a/me is more specific\n  not /a?v=2: the path goes on behind its end\n"
    );
    assert!(text("GET", "/a/%35").contains("  id = \"5\"\n"));
    assert!(text("PUT", "/a/5").contains("is answered with 405 by /a/{id} of a, which has GET\n"));
    assert!(
        text("GET", "/a")
            .contains("is answered with 404: no path of a matches\n  not /a?v=2: the query needs `v=2`, once\n")
    );
    assert!(text("GET", "/a/%2e%2e/b").contains("is answered with 400: a dot segment\n"));
}

#[test]
fn says_what_is_checked() {
    let document = r##"
openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway: {version: 1, upstream: {url: "http://127.0.0.1:1"}}
security: []
paths:
  /a:
    post:
      parameters: [{name: n, in: query, required: true, schema: {type: integer}}]
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"201": {description: made}, "400": {description: no}, "415": {description: no}}
"##;
    let text = explained(document, "POST", "/a").text();
    for line in [
        "  query parameter n: enforced, required, {\"type\":\"integer\"}\n",
        "  body: enforced, optional, at most 1MiB, else 400\n",
        "  body application/json: {\"type\":\"object\"}\n",
        "  the gateway's own answers: 400 413 415 502 504 (not described: 413)\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn says_what_an_upstream_may_take_a_path_for() {
    let document = |paths: &str| {
        format!(
            r##"
openapi: 3.1.0
info: {{title: t, version: "1"}}
x-gateway: {{version: 1, upstream: {{url: "http://127.0.0.1:1", paths: {{{paths}}}}}}}
components: {{securitySchemes: {{key: {{type: apiKey, in: header, name: X-Key}}}}}}
paths:
  /a/{{id}}: {{get: {{operationId: one, security: []}}}}
  /a/me: {{get: {{operationId: me, security: [{{key: []}}]}}}}
"##
        )
    };
    let text = |paths: &str, url: &str| explained(&document(paths), "GET", url).text();
    assert!(text("case: sensitive", "/a/ME").contains("is answered by `one`"));
    for paths in ["", "case: insensitive"] {
        let found = text(paths, "/a/ME");
        assert!(found.contains("is answered by `me`") && found.contains("the stricter operation"), "{found}");
    }
    let found = text("", "/a/x%2Fy");
    assert!(found.contains("404") && found.contains("`id` does not take `%2F`"), "{found}");
    assert!(found.contains("{encodedSlash: allow}"), "{found}");
}

#[test]
fn says_what_goes_elsewhere() {
    let document = r##"
openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway:
  version: 1
  upstreams: {stable: {url: "http://127.0.0.1:1"}, canary: {url: "http://127.0.0.1:2"}, shadow: {url: "http://127.0.0.1:3"}}
  upstream: stable
  split: [{upstream: canary, when: {header: {X-Canary: 1}}}, {upstream: canary, weight: 0.5%, by: [ip]}]
  mirror: {upstream: shadow, share: 10%}
security: []
paths:
  /a: {get: {}}
"##;
    assert!(
        explained(document, "GET", "/a").text().contains(
            "  upstream: stable; all with X-Canary: 1 to canary; 0.5% to canary by ip; 10% copied to shadow\n"
        )
    );
}

#[test]
fn an_operation_that_two_upstreams_may_get_is_judged_by_both() {
    let document = r##"
openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway:
  version: 1
  upstreams: {stable: {url: "http://127.0.0.1:1", paths: {case: sensitive}}, canary: {url: "http://127.0.0.1:2", paths: {case: insensitive}}}
  upstream: stable
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}
paths:
  /a/{id}:
    get: {operationId: one, security: [], x-gateway: {split: [{upstream: canary, weight: 5%}]}}
  /a/me:
    get: {operationId: me, security: [{key: []}], x-gateway: {upstream: canary}}
"##;
    let asked = |url: &str| explained(document, "GET", url).text();
    assert!(asked("/a/ME").contains("is answered by `me` of a"), "{}", asked("/a/ME"));
    assert!(asked("/a/you").contains("is answered by `one` of a"), "{}", asked("/a/you"));
}
