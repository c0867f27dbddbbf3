//! What the compiler accepts, rustc accepts: hundreds of documents full of hostile names, in one build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

#[test]
fn accepted_documents_compile() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    let _ = fs::remove_dir_all(&folder);
    let (alone, specs, out) = (folder.join("alone"), folder.join("specs"), folder.join("out"));
    for folder in [&alone, &specs] {
        let pages = folder.join("pages");
        fs::create_dir_all(&pages).expect("a folder");
        for name in NAMES.iter().filter(|name| can_be_asked_for(name)) {
            fs::write(pages.join(format!("x{name}")), name).expect("a page");
        }
        fs::write(pages.join("x".repeat(250)), "long").expect("a page");
    }
    let mut random = Random(42);
    let mut accepted = 0;
    for index in 0..1_500 {
        if accepted == 200 {
            break;
        }
        let name = format!(
            "{}{}.json",
            FILES[index % FILES.len()],
            if index < FILES.len() { String::new() } else { index.to_string() }
        );
        let text = document(&mut random).to_string();
        fs::write(alone.join(&name), &text).expect("a document");
        if gatewayc::build_script::compile(&alone, &mut String::new()).is_ok() {
            fs::write(specs.join(&name), &text).expect("a document");
            accepted += 1;
        }
        fs::remove_file(alone.join(&name)).expect("the document");
    }
    assert_eq!(accepted, 200, "too many documents are refused for this test to show much");
    let output =
        gatewayc::build_script::compile(&specs, &mut String::new()).unwrap_or_else(|messages| panic!("{messages}"));
    let files = output.files;
    assert!(output.assets.len() > NAMES.len(), "some of the documents serve files");
    assert_eq!(files.len(), accepted + 1);
    gatewayc::build_script::write(&files, &out).expect("the generated files");
    rustfmt_has_nothing_to_do(&files.iter().map(|file| out.join(&file.name)).collect::<Vec<_>>());
    rustc_accepts(&specs);
}

/// As the name of a file.
fn can_be_asked_for(name: &str) -> bool {
    !name.chars().any(|character| character.is_control() || "/\\%;".contains(character))
}

fn rustfmt_has_nothing_to_do(files: &[PathBuf]) {
    let modules = files.iter().filter(|file| !file.ends_with("gateway.rs"));
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rustfmt.toml");
    // Not every machine has rustfmt.
    let Ok(output) = Command::new("rustfmt")
        .args(["--check", "--edition", "2024", "--config-path"])
        .arg(config)
        .args(modules)
        .output()
    else {
        return;
    };
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Builds this very package on the documents, without its reviewed copy.
fn rustc_accepts(specs: &Path) {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--lib", "--offline", "--quiet"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("GATEWAY_SPECS", specs)
        .env_remove("GATEWAY_GENERATED")
        .env_remove("GATEWAY_LOCKED")
        .output()
        .expect("cargo runs");
    let messages = String::from_utf8_lossy(&output.stderr);
    // The compiler's own warnings about overlapping paths pass through; what rustc has to say is about us.
    assert!(
        output.status.success() && !messages.contains("generated/lib.rs") && !messages.contains("/out/"),
        "{messages}"
    );
}

const FILES: &[&str] = &[
    "fn",
    "self",
    "Self",
    "main",
    "lib",
    "gateway",
    "gateway-runtime",
    "runtime",
    "std",
    "core",
    "3scale",
    "a b",
    "a-b",
    "a_b",
    "é",
    "_",
    "crate",
    "API",
    "x.y",
];

/// Text that has broken generators before.
const NAMES: &[&str] = &[
    "",
    " ",
    "fn",
    "self",
    "Self",
    "crate",
    "super",
    "r#fn",
    "_",
    "__",
    "API",
    "GATEWAY",
    "UNCHANGED",
    "Operation",
    "2fa",
    "-",
    "a-b",
    "a_b",
    "aB",
    "AB",
    "a b",
    "é",
    "日本",
    "\u{202e}evil",
    "\u{2066}x\u{2069}",
    "a\u{0301}",
    "\u{feff}",
    "\"",
    "\"#",
    "r#\"",
    "\\",
    "\\\"",
    "*/",
    "/*",
    "//",
    "///",
    "//!",
    "#![x]",
    "\n",
    "\r\n",
    "a\nstatic X: u8 = 1;",
    "\n}\nfn evil() {}\n",
    "\t",
    "\0",
    "\u{1b}[31m",
    "{{x}}",
    "<<< x >>>",
    "<% x %>",
    "<# x #>",
    "{% raw %}",
    "${x}",
    "$1",
    "%s",
    "{}",
    "{0}",
    "concat!()",
    "include!(\"/etc/passwd\")",
    "\u{2028}",
    "\u{10ffff}",
    "'",
    "''",
    "`",
    "😀",
];

fn document(random: &mut Random) -> Value {
    let mut paths = Map::new();
    let mut ids: Vec<String> = Vec::new();
    for index in 0..1 + random.below(4) {
        let parameter = random.name().replace(['{', '}', '/', '+', '?', '#', '*', '.', ';', '&'], "");
        let parameter = if parameter.trim().is_empty() { "id".to_owned() } else { parameter };
        let literal: String = random
            .name()
            .chars()
            .filter(|character| !character.is_control() && !"{}/?#%.".contains(*character))
            .collect();
        let path = format!(
            "/p{index}{literal}/{{{parameter}}}{}",
            if random.below(4) == 0 { format!("?k={}", index) } else { String::new() }
        );
        let mut item = Map::new();
        item.insert("parameters".into(), json!([{"name": parameter, "in": "path", "required": true, "schema": {"type": "integer"}, "x-gateway": {"greedy": random.below(4) == 0}}]));
        for method in ["get", "post", "delete"] {
            let mut operation = json!({"summary": random.name(), "description": random.name(), "x-gateway": {}});
            let id = random.name();
            if !id.is_empty() && !ids.contains(&id) {
                operation["operationId"] = id.clone().into();
                ids.push(id);
            }
            if random.below(2) == 0 {
                // What a scope may be made of.
                let mut scope = || {
                    let good = |letter: &char| letter.is_ascii_graphic() && *letter != '"' && *letter != '\\';
                    format!("s{}", random.name().chars().filter(good).collect::<String>())
                };
                operation["security"] = json!([{"s": [scope(), scope()]}, {"t": [scope()]}, {"s": []}]);
            }
            if random.below(4) == 0 {
                operation["x-gateway"]["rateLimit"] = json!([{
                    "algorithm": "fixed-window", "limit": 3, "interval": "1s", "body": {random.name(): random.name()},
                    "key": [format!("const:{}", random.name()), format!("query:q{}", random.name())],
                }]);
            }
            let header: String = random.name().chars().filter(|character| (' '..='~').contains(character)).collect();
            if random.below(3) == 0 {
                operation["x-gateway"]["requestHeaders"] =
                    json!({"set": {"X-A": header.trim()}, "add": {"X-B": header.trim()}, "remove": ["X-C"]});
            }
            if random.below(4) == 0 {
                operation["x-gateway"]["rewrite"] =
                    json!({"regex": "^(.*)$", "to": format!("/{}/$1", random.name().replace('$', ""))});
            }
            if random.below(4) == 0 {
                operation["x-gateway"]["upstream"] = json!("up");
            }
            item.insert(method.into(), operation);
        }
        paths.insert(path, item.into());
    }
    let claim = [random.name(), "x".repeat(random.below(200))].concat();
    // What a header or an authentication scheme may be called.
    let token = |name: String| {
        let good = |byte: &char| byte.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(*byte);
        format!("x{}", name.chars().filter(good).collect::<String>())
    };
    let signature = json!({
        "profile": (["cavage-apisix", "apisix-v1", "rfc9421"][random.below(3)]),
        "signedHeaders": [token(random.name()), "date"],
    });
    let mut upstreams = Map::new();
    upstreams.insert("up".into(), json!({"url": "http://127.0.0.1:1"}));
    if random.below(3) == 0 {
        paths.insert(
            "/pages/{+rest}".into(),
            json!({"get": {"operationId": "pages", "x-gateway": {"builtin": "static", "dir": "pages"}}}),
        );
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {"title": random.name(), "version": "1"},
        "security": [],
        "x-gateway": {
            "version": 1,
            "upstream": {"url": format!("http://127.0.0.1:{}", 1 + random.below(9))},
            "upstreams": upstreams,
            "errors": {"bodies": {"auth.missing": {random.name(): [random.name(), {"x": random.name()}]}}},
        },
        "components": {"securitySchemes": {"t": {
            "type": "http", "scheme": token(random.name()), "x-gateway": {"hmac": signature},
        }, "s": {
            "type": "http", "scheme": "bearer",
            "x-gateway": {"alsoIn": [{"in": "cookie", "name": random.name()}], "jwt": {
                "verify": {"algorithms": ["HS256"], "secret": {"file": format!("k{}", random.name().replace(['\0', '='], ""))}},
                "requiredClaims": [claim], "issuers": [random.name(), random.name()],
            }},
        }}},
        "paths": paths,
    });
    if random.below(3) == 0 {
        give_tokens(&mut document, random);
    }
    document
}

/// Makes a document that of an authorization server.
fn give_tokens(document: &mut Value, random: &mut Random) {
    let plain = |name: String, good: fn(&char) -> bool| format!("x{}", name.chars().filter(good).collect::<String>());
    // An issuer of its own: two documents cannot have the same.
    let host = format!("https://a{}.example", random.below(usize::MAX));
    document["servers"] = json!([{"url": &host}]);
    document["x-gateway"]["https"] = json!({"redirect": false});
    document["x-gateway"]["authorizationServer"] =
        json!({"issuer": &host, "accessToken": {"ttl": "10m"}, "grants": {"client_credentials": {}}});
    let scopes: Map<String, Value> = (0..4)
        .map(|_| {
            let scope = plain(random.name(), |it| it.is_ascii_graphic() && *it != '"' && *it != '\\');
            (scope, random.name().into())
        })
        .collect();
    let scope = scopes.keys().next().cloned().unwrap_or_default();
    let schemes = &mut document["components"]["securitySchemes"];
    let (own, field) = (random.name(), random.name());
    let own = if ["s", "t"].contains(&own.as_str()) || own.starts_with("x-") { "own".to_owned() } else { own };
    schemes[&own] = json!({
        "type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/token", "scopes": scopes}},
        "x-gateway": {"authorizationServer": "self", "alsoIn": [{"in": "form", "name": field}]},
    });
    let cookie = plain(random.name(), |it| it.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(*it));
    schemes["xs"] = json!({"type": "apiKey", "in": "cookie", "name": cookie, "x-gateway": {"session": "login"}});
    let header = plain(random.name(), |it| it.is_ascii_alphanumeric());
    schemes["xa"] = json!({"type": "apiKey", "in": "header", "name": header, "x-gateway": {"credential": "admin"}});
    let parameter = random.name().replace(['{', '}', '/', '+', '?', '#', '*', '.', ';', '&'], "");
    let parameter = if parameter.trim().is_empty() { "id".to_owned() } else { parameter };
    let operation = |security: Value, builtin: &str| json!({"security": security, "x-gateway": {"builtin": builtin}});
    let mut requirement = Map::new();
    requirement.insert(own, json!([scope]));
    let paths = &mut document["paths"];
    paths["/token"] = json!({"post": operation(json!([]), "oauth.token")});
    paths["/me"] = json!({"get": operation(json!([requirement]), "oauth.me")});
    paths["/login"] = json!({"get": operation(json!([]), "login.form"), "post": operation(json!([]), "login.submit")});
    paths["/account"] = json!({"get": operation(json!([{"xs": []}]), "account")});
    paths["/clients"] = json!({"post": operation(json!([{"xa": []}]), "clients.create")});
    paths[format!("/clients/{{{parameter}}}")] = json!({
        "delete": operation(json!([{"xa": []}]), "clients.delete"),
        "get": operation(json!([]), "clients.manage"),
    });
}

/// SplitMix64: reproducible variety.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((value ^ (value >> 31)) % bound as u64) as usize
    }

    /// One hostile name, two, or ten thousand characters.
    fn name(&mut self) -> String {
        let name = NAMES[self.below(NAMES.len())];
        match self.below(40) {
            0 => name.repeat(10_000 / name.len().max(1)),
            1..10 => format!("{name}{}", NAMES[self.below(NAMES.len())]),
            _ => name.to_owned(),
        }
    }
}
