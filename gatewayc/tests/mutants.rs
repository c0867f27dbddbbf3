//! Damaged documents: whatever is cut off, doubled or flipped, parsing and printing end, soon and without a panic.

#![expect(clippy::disallowed_methods, reason = "the time is measured")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use gatewayc::diagnostic::{Format, render};
use gatewayc::emit::{assets, emit};
use gatewayc::policy;
use gatewayc::routes::{self, TableFormat};
use gatewayc::source::{FileProvider, ReadError, SourceSet};

/// A document with every construct that the parser looks at, and a second file.
const MAIN: &str = r##"openapi: 3.1.0
info: &info {title: "Nötes \ud83d\ude00", version: 1.0}
servers:
  - url: https://{host}/v{major}/
    variables: {host: {default: example.com, enum: [example.com]}, major: {default: 1}}
security: [{key: []}, {accounts: [read], mtls: []}, {}]
x-gateway: {version: 1, upstream: {url: "http://127.0.0.1:1"}}
paths:
  /notes/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}, x-gateway: {greedy: true}}
      - $ref: '#/components/parameters/page'
    get: &get
      operationId: getNote
      security: []
      responses: {200: {description: ok}, 4xx: {description: no}}
    put:
      <<: *get
      operationId: putNote
  /split: {$ref: "parts.yaml#/items/a~1b"}
  /orders:
    $ref: 'parts.yaml#/items/orders'
    get: {$ref: 'parts.yaml#/ops/list'}
    description: |
      text
        more text
components:
  parameters: {page: {name: page, in: query, allowReserved: "true"}}
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    mtls: {type: mutualTLS}
    accounts:
      type: oauth2
      flows: {clientCredentials: {tokenUrl: /token, scopes: {read: , write: w}}}
"##;
const PARTS: &str =
    "items:\n  a/b: {post: {responses: {}}}\n  orders: {delete: {}}\nops:\n  list: {operationId: list}\n";

/// A document that gives tokens and serves a file.
const TOKENS: &str = r##"openapi: 3.2.0
info: {title: t, version: "1"}
servers: [{url: "https://a.example/v1"}]
x-gateway:
  version: 1
  upstream: {url: "http://127.0.0.1:1"}
  https: {redirect: true}
  authorizationServer:
    issuer: https://a.example/v1
    accessToken: {format: jwt, ttl: 2d}
    refreshToken: {rotate: false, ttl: 1d, idle: 1h, grace: 10s}
    resources: ["https://a.example/v1", "https://b.example"]
    code: {ttl: 60s}
    grants: {authorization_code: {}, client_credentials: {subject: true}, refresh_token: {}}
    acceptRisk: [{lint: GW308, reason: r}]
components:
  securitySchemes:
    own:
      type: oauth2
      oauth2MetadataUrl: https://a.example/.well-known/oauth-authorization-server/v1
      flows:
        authorizationCode: &flow {authorizationUrl: /v1/authorize, tokenUrl: token, scopes: {read: R, write: }}
        clientCredentials: *flow
      x-gateway: {authorizationServer: self, alsoIn: [{in: form, name: t}]}
    in: {type: apiKey, in: cookie, name: s, x-gateway: {session: login, onMissing: redirect}}
    admin: {type: apiKey, in: header, name: X-Admin, x-gateway: {credential: admin}}
paths:
  /authorize: {get: {security: [], x-gateway: {builtin: oauth.authorize, grants: [authorization_code]}}}
  /decision: {post: {security: [{in: []}], x-gateway: {builtin: oauth.decision}}}
  /token: {post: {security: [], x-gateway: {builtin: oauth.token}}}
  /login: {get: {security: [], x-gateway: {builtin: login.form}}, post: {security: [], x-gateway: {builtin: login.submit}}}
  /clients/{id}:
    delete: {parameters: [{name: id, in: path, required: true}], security: [{admin: []}], x-gateway: {builtin: clients.delete}}
  /.well-known/oauth-authorization-server/v1: {servers: [{url: /}], get: {security: [], x-gateway: {builtin: oauth.metadata}}}
  /parts: {get: {security: [{own: [read]}], x-gateway: {builtin: static, file: parts.yaml}}}
"##;

struct Files(HashMap<&'static str, Vec<u8>>);

impl FileProvider for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.0.get(path).cloned().ok_or(ReadError::Missing)
    }
}

fn survives(main: Vec<u8>, parts: Vec<u8>) {
    let shown = String::from_utf8_lossy(&main[..main.len().min(2000)]).into_owned();
    let start = Instant::now();
    let mut sources = SourceSet::new(Files([("main.yaml", main), ("parts.yaml", parts)].into()), "");
    sources.add_document("main.yaml");
    let checked = gatewayc::check(&mut sources);
    for format in [Format::Human, Format::Short, Format::Json] {
        let _ = render(&checked.diagnostics, &sources, format);
    }
    if !checked.diagnostics.has_errors() {
        let _ = (emit(&checked.gateway), assets(&checked.gateway), policy::render(&checked.gateway));
    }
    let _ = routes::render(&routes::list(&checked.documents, &sources), TableFormat::Table);
    assert!(start.elapsed() < Duration::from_secs(60), "too slow:\n{shown}");
}

/// The same sequence in every run (xorshift), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

#[test]
fn the_original_is_without_fault() {
    let files = HashMap::from([("main.yaml".to_owned(), MAIN.to_owned()), ("parts.yaml".to_owned(), PARTS.to_owned())]);
    let mut sources = SourceSet::new(files, "");
    sources.add_document("main.yaml");
    let (documents, diagnostics) = gatewayc::parse(&mut sources);
    assert!(diagnostics.is_empty(), "{}", render(&diagnostics, &sources, Format::Human));
    assert_eq!(routes::list(&documents, &sources).len(), 5);
    let files = HashMap::from([("a.yaml".to_owned(), TOKENS.to_owned()), ("parts.yaml".to_owned(), PARTS.to_owned())]);
    let mut sources = SourceSet::new(files, "");
    sources.add_document("a.yaml");
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
}

#[test]
fn truncated() {
    for text in [MAIN, TOKENS] {
        for end in 0..=text.len() {
            survives(text.as_bytes()[..end].to_vec(), PARTS.into());
        }
    }
    for end in 0..PARTS.len() {
        survives(MAIN.into(), PARTS.as_bytes()[..end].to_vec());
    }
}

#[test]
fn lines_removed_doubled_and_moved() {
    lines_changed(MAIN);
    lines_changed(TOKENS);
}

fn lines_changed(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(at);
        survives(removed.join("\n").into(), PARTS.into());
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        survives(doubled.join("\r\n").into(), PARTS.into());
        let mut moved = lines.clone();
        moved.swap(at, (at * 7 + 3) % lines.len());
        survives(moved.join("\n").into(), PARTS.into());
    }
}

#[test]
fn bytes_changed() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    const NASTY: &[u8] = b"{}[]:,&*!|>'\"%@`#-?~ \t\r\n\0<$/\\x0\xFF\xC3\xEF\xBB\xBF";
    for round in 0..3000 {
        let text = if round % 2 == 0 { MAIN } else { TOKENS };
        let (mut main, mut parts) = (text.as_bytes().to_vec(), PARTS.as_bytes().to_vec());
        for _ in 0..=dice.below(4) {
            let target = if dice.below(4) == 0 { &mut parts } else { &mut main };
            let at = dice.below(target.len());
            match dice.below(4) {
                0 => target[at] = NASTY[dice.below(NASTY.len())],
                1 => target.insert(at, NASTY[dice.below(NASTY.len())]),
                2 => drop(target.remove(at)),
                _ => {
                    let end = (at + dice.below(40)).min(target.len());
                    let piece = target[at..end].to_vec();
                    let to = dice.below(target.len());
                    target.splice(to..to, piece);
                }
            }
        }
        survives(main, parts);
    }
}

#[test]
fn shapes_that_take_time() {
    let repeated = |text: &str, count: usize| text.repeat(count);
    for text in [
        repeated("[", 100_000),
        repeated("{a: ", 100_000),
        repeated("- ", 100_000),
        repeated("? ", 100_000),
        repeated("a: &a\n", 10_000),
        format!(
            "openapi: 3.1.0\npaths:\n{}",
            (0..3000).map(|n| format!("  /{n}: {{$ref: '#/paths/~1{}'}}\n", n + 1)).collect::<String>()
        ),
        format!(
            "openapi: 3.1.0\npaths:\n{}",
            (0..3000).map(|n| format!("  /{n}: {{gett: 1, $ref: 'x{n}.yaml'}}\n")).collect::<String>()
        ),
        format!(
            "openapi: 3.1.0\npaths: {{{}}}",
            (0..2000).map(|n| format!("/{n}: {{gett: 1, get: {{secuirty: 1}}}}, ")).collect::<String>()
        ),
        format!("a: &a [{}]\nb: [{}]", repeated("1, ", 10_000), repeated("*a, ", 10_000)),
        format!("{}: 1", "k".repeat(1_000_000)),
        format!("\"{}\": 1", "k".repeat(1_000_000)),
        format!("openapi: 3.1.0\n'{}': 1", "k".repeat(60_000)),
    ] {
        survives(text.into_bytes(), Vec::new());
    }
}
