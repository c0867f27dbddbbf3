//! What real documents have: conditions on headers, twins of templates, roles in OpenAPI 3.0, servers without defaults.

use std::collections::HashMap;
use std::fmt::Write as _;

use gatewayc::Checked;
use gatewayc::diagnostic::{Format, Severity, render};
use gatewayc::explain::explain;
use gatewayc::source::SourceSet;
use serde_json::Value;

const HEAD: &str =
    "info: {title: t, version: \"1\"}\nx-gateway: {version: 1, upstream: {url: \"http://127.0.0.1:1\"}}\n";

fn checked(version: &str, rest: &str) -> (Checked, String) {
    let text = format!("openapi: {version}\n{HEAD}{rest}");
    let mut sources = SourceSet::new(HashMap::from([("a.yaml".to_owned(), text)]), "");
    sources.add_document("a.yaml");
    let checked = gatewayc::check(&mut sources);
    let found = render(&checked.diagnostics, &sources, Format::Human);
    (checked, found)
}

/// The messages as `severity[CODE]`.
fn kinds(checked: &Checked) -> Vec<String> {
    let kind = |severity| if severity == Severity::Error { "error" } else { "warning" };
    checked.diagnostics.iter().map(|message| format!("{}[{}]", kind(message.severity), message.code)).collect()
}

/// The operation that answers, with its parameters.
fn answer(checked: &Checked, method: &str, url: &str, fields: &[(&str, &str)]) -> (Option<String>, Value) {
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let found: Value = serde_json::from_str(&explain(&checked.gateway, method, url, &fields).json()).expect("JSON");
    (found["operation"].as_str().map(str::to_owned), found["parameters"].clone())
}

#[test]
fn conditions_on_headers() {
    const TARGETS: &str = r#"security: []
paths:
  /#X-Amz-Target=Tables.Get:
    parameters: [{name: x-amz-target, in: header, required: true, schema: {type: string}}]
    post: {operationId: get}
  /#x-amz-target=Tables.Put:
    post:
      operationId: put
      parameters: [{name: X-Amz-Target, in: header, required: true, schema: {type: string}}]
  /#X-Amz-Target:
    post:
      operationId: other
      parameters: [{name: X-Amz-Target, in: header, required: true, schema: {type: string}}]
  "/files?acl": {get: {operationId: acl}}
  /files#tagging:
    get: {operationId: tagging, parameters: [{name: tagging, in: query, schema: {type: boolean}}]}
  /files#kind=photo: {get: {operationId: photos}}
  /files: {get: {operationId: files}}
"#;
    let (checked, found) = checked("3.0.0", TARGETS);
    assert!(checked.diagnostics.is_empty(), "{found}");
    for (method, url, fields, expected) in [
        ("POST", "/", &[("X-Amz-Target", "Tables.Get")][..], Some("get")),
        ("POST", "/", &[("x-amz-target", "Tables.Put")], Some("put")),
        ("POST", "/", &[("X-Amz-Target", "Tables.Drop")], Some("other")),
        ("POST", "/", &[("X-Amz-Target", "Tables.Get"), ("X-Amz-Target", "Tables.Put")], None),
        ("POST", "/?X-Amz-Target=Tables.Get", &[], None),
        ("POST", "/", &[], None),
        ("GET", "/files?acl", &[], Some("acl")),
        ("GET", "/files?acl=", &[], Some("acl")),
        ("GET", "/files?acl=1", &[], Some("acl")),
        ("GET", "/files?acl&acl", &[], None),
        ("GET", "/files?tagging", &[], Some("tagging")),
        ("GET", "/files?kind=photo", &[], Some("photos")),
        ("GET", "/files?kind=film", &[], Some("files")),
        ("GET", "/files", &[], Some("files")),
    ] {
        assert_eq!(answer(&checked, method, url, fields).0.as_deref(), expected, "{method} {url} {fields:?}");
    }
    for (path, expect) in [
        ("/a#refresh", "error[GW515]"),
        ("/a#Host=b", "error[GW515]"),
        ("/a#X-User-ID=b", "error[GW515]"),
        ("/a#Connection", "error[GW515]"),
    ] {
        let name = path.trim_start_matches("/a#").split('=').next().unwrap_or_default();
        let declared = if name == "refresh" { "other" } else { name };
        let rest = format!(
            "security: []\npaths:\n  {path}: {{get: {{operationId: a, parameters: [{{name: {declared}, in: header, schema: {{type: string}}}}]}}}}\n"
        );
        let (checked, found) = self::checked("3.0.0", &rest);
        assert_eq!(kinds(&checked), [expect], "{found}");
    }
}

#[test]
fn templates_that_differ_in_names_only() {
    const TWINS: &str = r#"security: []
paths:
  /groups/{idOrName}/projects/{p}:
    parameters: [{name: idOrName, in: path, required: true, schema: {type: integer}}, {name: p, in: path, required: true, schema: {type: string}}]
    get: {operationId: list}
  /groups/{group}/projects/{project}:
    parameters: [{name: group, in: path, required: true, schema: {type: integer}}, {name: project, in: path, required: true, schema: {type: string}}]
    post:
      operationId: create
      x-gateway: {rewrite: {path: "/p/{project}/of/{group}"}}
"#;
    let (checked, found) = checked("3.0.3", TWINS);
    assert!(checked.diagnostics.is_empty(), "{found}");
    let [route] = &checked.gateway.apis[0].routes[..] else {
        panic!("one route: {:?}", checked.gateway.apis[0].routes)
    };
    assert_eq!(route.template.to_string(), "/groups/{group}/projects/{project}");
    for (method, expected) in [("GET", "list"), ("POST", "create")] {
        let (operation, parameters) = answer(&checked, method, "/groups/7/projects/x", &[]);
        assert_eq!(operation.as_deref(), Some(expected));
        assert_eq!(parameters, serde_json::json!({"group": "7", "project": "x"}));
    }
    let typed: Vec<_> = route.operations.iter().flat_map(|operation| &operation.parameters).collect();
    assert!(typed.len() == 2 && typed.iter().all(|parameter| parameter.name == "group"), "{typed:?}");
    // The order of the document does not matter, and a name that is used in a rewrite is that of the route.
    let renamed = TWINS.replace("{group}/projects/{project}:", "{z}/projects/{y}:").replace("name: group", "name: z");
    let renamed = renamed.replace("name: project", "name: y").replace("/p/{project}/of/{group}", "/p/{y}/of/{z}");
    let (checked, found) = self::checked("3.0.3", &renamed);
    assert!(checked.diagnostics.is_empty(), "{found}");
    let source: String = gatewayc::emit::emit(&checked.gateway).into_iter().map(|file| file.text).collect();
    assert!(source.contains("/p/{p}/of/{idOrName}"), "{source}");
    // One method in both is still ambiguous.
    let (checked, found) = self::checked("3.0.3", &TWINS.replace("    post:\n", "    get:\n"));
    assert_eq!(kinds(&checked), ["error[GW501]"], "{found}");
}

#[test]
fn names_that_are_not_unique() {
    const SAME: &str = r#"security: []
paths:
  /b: {get: {operationId: list, x-gateway: {rateLimit: [{algorithm: token-bucket, limit: 1, interval: 1s}]}}}
  /a:
    get: {operationId: list, x-gateway: {rateLimit: [{algorithm: token-bucket, limit: 2, interval: 1s}]}}
    post: {operationId: list}
"#;
    let (checked, found) = checked("3.1.0", SAME);
    assert_eq!(kinds(&checked), ["warning[GW514]", "warning[GW514]"], "{found}");
    let mut ids: Vec<_> = checked.gateway.apis[0]
        .routes
        .iter()
        .flat_map(|route| route.operations.iter().map(|operation| operation.id.as_str()))
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["GET /b", "POST /a", "list"]);
    let mut limits: Vec<_> = checked.gateway.apis[0].limits.iter().map(|limit| limit.name.as_str()).collect();
    limits.sort_unstable();
    assert_eq!(limits, ["GET /b", "list"]);
}

#[test]
fn an_enum_that_admits_a_literal_segment_is_reported() {
    const MASKED: &str = r#"security: []
paths:
  /infer/{task}/{id}:
    parameters:
      - {name: task, in: path, required: true, schema: {type: string, enum: [completion, rerank]}}
      - {name: id, in: path, required: true, schema: {type: integer}}
    get: {operationId: read, x-gateway: {rewrite: {path: "/{task}/item/{id}"}}}
    delete: {operationId: drop}
  /infer/completion/{key}:
    parameters: [{name: key, in: path, required: true, schema: {type: string}}]
    post: {operationId: complete}
    delete: {operationId: dropCompletion}
  /infer/other/{key}:
    parameters: [{name: key, in: path, required: true, schema: {type: string}}]
    post: {operationId: other}
"#;
    let (checked, found) = checked("3.0.3", MASKED);
    // `other` is no value of the parameter.
    assert_eq!(kinds(&checked), ["warning[GW505]"], "{found}");
    assert!(found.contains("/infer/other/{key}"), "{found}");
    for (method, url, expected) in [
        ("GET", "/infer/completion/7", Some("read")),
        ("DELETE", "/infer/completion/7", Some("dropCompletion")),
        ("POST", "/infer/completion/7", Some("complete")),
        ("GET", "/infer/rerank/7", Some("read")),
        ("GET", "/infer/other/7", None),
    ] {
        assert_eq!(answer(&checked, method, url, &[]).0.as_deref(), expected, "{method} {url}");
    }
    let source: String = gatewayc::emit::emit(&checked.gateway).into_iter().map(|file| file.text).collect();
    assert!(source.contains("\"/completion/item/{key}\""), "{source}");
    assert!(source.contains("name: \"key\",\n            location: ParameterLocation::Path"), "{source}");
}

#[test]
fn roles_before_openapi_3_1() {
    let mut rest = "components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}\npaths:\n".to_owned();
    for number in 0..40 {
        let _ = writeln!(
            rest,
            "  /a{number}: {{get: {{operationId: a{number}, security: [{{key: [\"role:{number}\"]}}]}}}}"
        );
    }
    let (checked, found) = checked("3.0.0", &rest);
    assert_eq!(kinds(&checked), ["warning[GW203]"], "{found}");
    assert!(found.contains("and 39 more: operation `a1`, operation `a2`, operation `a3`, …"), "{found}");
    let source: String = gatewayc::emit::emit(&checked.gateway).into_iter().map(|file| file.text).collect();
    assert!(source.contains("scopes: &[\"role:7\"]"), "enforced");
}

#[test]
fn one_message_for_one_cause() {
    let mut rest = "paths:\n".to_owned();
    for number in 0..3_000 {
        let _ = writeln!(rest, "  /a{number}: {{get: {{operationId: a{number}, x-rate-limit: 3}}}}");
    }
    let (checked, found) = checked("3.0.0", &rest);
    assert_eq!(kinds(&checked), ["error[GW201]", "warning[GW102]"], "{found}");
    assert!(found.contains("and 2999 more: operation `a1`, operation `a2`, operation `a3`, …"), "{found}");
    assert!(found.lines().count() < 60, "{found}");
}

#[test]
fn nothing_follows_a_reference_that_leads_nowhere() {
    for (rest, expect) in [
        (
            "security: []\npaths:\n  /n/{id}:\n    get: {operationId: a, parameters: [{$ref: \"other.json#/components/parameters/Id\"}]}\n",
            "error[GW115]",
        ),
        (
            "security: []\npaths:\n  /n/{id}:\n    parameters: [{$ref: \"#/components/parameters/Id\"}]\n    get: {operationId: a}\n",
            "error[GW115]",
        ),
        (
            "security: [{key: []}]\ncomponents: {securitySchemes: {$ref: \"other.yaml\"}}\npaths: {/n: {get: {operationId: a}}}\n",
            "error[GW115]",
        ),
        (
            "security: [{key: []}]\ncomponents: {securitySchemes: {key: {$ref: \"#/nowhere\"}}}\npaths: {/n: {get: {operationId: a}}}\n",
            "error[GW115]",
        ),
        (
            "security: [{key: []}]\ncomponents: {$ref: \"https://a.example/c.yaml\"}\npaths: {/n: {get: {operationId: a}}}\n",
            "error[GW116]",
        ),
    ] {
        let (checked, found) = checked("3.0.0", rest);
        assert_eq!(kinds(&checked), [expect], "{rest}\n{found}");
    }
}

#[test]
fn a_parameter_stands_once_in_a_path() {
    let rest = "security: []\npaths:\n  /u/{id}/i/{id}:\n    get: {operationId: a, parameters: [{name: id, in: path, required: true, schema: {type: string}}]}\n";
    for version in ["3.0.0", "3.1.0", "3.2.0"] {
        let (checked, found) = checked(version, rest);
        assert_eq!(kinds(&checked), ["error[GW511]"], "{found}");
    }
}

#[test]
fn variables_of_servers_can_be_given() {
    const SERVERS: &str = "security: []\nservers: [{url: \"{Endpoint}/text/{v}\", variables: {Endpoint: {description: d}, v: {default: v1, enum: [v1, v2]}}}]\npaths: {/a: {post: {operationId: a}}}\n";
    let (checked, found) = checked("3.0.0", SERVERS);
    assert_eq!(kinds(&checked), ["error[GW516]"], "{found}");
    assert!(found.contains("x-gateway: {serverVariables: {Endpoint: …}}"), "{found}");
    let paths = |root: &str, server: &str| {
        let text = SERVERS.replace("variables:", &format!("{server}variables:"));
        let text = format!("openapi: 3.0.0\n{}{text}", HEAD.replace("version: 1,", &format!("version: 1, {root}")));
        let mut sources = SourceSet::new(HashMap::from([("a.yaml".to_owned(), text)]), "");
        sources.add_document("a.yaml");
        let checked = gatewayc::check(&mut sources);
        let found = render(&checked.diagnostics, &sources, Format::Short);
        let paths: Vec<String> =
            checked.gateway.apis[0].routes.iter().map(|route| route.template.to_string()).collect();
        (paths, found)
    };
    const VALUE: &str = "serverVariables: {Endpoint: \"https://eu.example/api\"}";
    let both = vec!["/api/text/v1/a".to_owned(), "/api/text/v2/a".to_owned()];
    assert_eq!(paths(&format!("{VALUE},"), ""), (both.clone(), String::new()));
    assert_eq!(paths("", &format!("x-gateway: {{{VALUE}}}, ")), (both, String::new()));
    let nearest =
        paths("serverVariables: {Endpoint: /root, v: v9},", "x-gateway: {serverVariables: {Endpoint: /near}}, ");
    assert_eq!(nearest, (vec!["/near/text/v9/a".to_owned()], String::new()));
    let (_, said) = paths("serverVariables: {Endpont: /a},", "");
    assert!(said.contains("no server has the variable `Endpont`"), "{said}");
    let (_, said) = paths("serverVariables: {Endpoint: {a: b}},", "");
    assert!(said.contains("GW104") && said.contains("GW516"), "{said}");
    let (_, said) = paths("", "x-gateway: {upstream: u}, ");
    assert!(said.contains("means nothing in the `x-gateway` of a server"), "{said}");
}

#[test]
fn columns_of_one_long_line() {
    let mut rest = String::new();
    for number in 0..200 {
        let _ = write!(rest, "/é{number}: {{get: {{operationId: a{number}}}}}, ");
    }
    let text = format!("{{openapi: 3.0.0, info: {{title: t, version: x}}, paths: {{{rest}}}}}");
    let mut sources = SourceSet::new(HashMap::from([("a.yaml".to_owned(), text.clone())]), "");
    sources.add_document("a.yaml");
    let checked = gatewayc::check(&mut sources);
    for line in render(&checked.diagnostics, &sources, Format::Short).lines() {
        let column: usize = line.split(':').nth(2).and_then(|column| column.parse().ok()).expect("a column");
        let there: String = text.chars().skip(column - 1).take(3).collect();
        assert!(there == "get" || there == "ope", "{line}: {there}");
    }
}
