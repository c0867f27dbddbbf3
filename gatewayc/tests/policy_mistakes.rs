//! Mistakes in annotations, security and routing: each with the code that it gets, and the words that matter.

#[path = "support/repair.rs"]
mod repair;

use std::collections::HashMap;

use gatewayc::diagnostic::{Format, render};
use gatewayc::source::SourceSet;

/// A document around one operation: `ROOT`, `SCHEME` and `OPERATION` are members of the three `x-gateway` objects,
/// `PATHS` are further paths.
const DOCUMENT: &str = r#"openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway:
  version: 1
  upstream: {url: "http://127.0.0.1:8080"}
ROOT
security: [{Jwt: []}]
components:
  securitySchemes:
    Jwt:
      type: http
      scheme: bearer
      x-gateway: {SCHEME}
    Basic: {type: http, scheme: basic}
    Digest: {type: http, scheme: digest}
paths:
  /notes/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: getNote
      x-gateway: {OPERATION}
PATHS
"#;

const GOOD_SCHEME: &str = "jwt: {verify: {algorithms: [HS256], secret: {env: S}}}";

fn document(root: &str, scheme: &str, operation: &str, paths: &str) -> String {
    DOCUMENT.replace("ROOT", root).replace("SCHEME", scheme).replace("OPERATION", operation).replace("PATHS", paths)
}

fn messages(documents: &[(&str, &str)]) -> String {
    let files: HashMap<String, String> =
        documents.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let texts = files.clone();
    let mut sources = SourceSet::new(files, "");
    for (name, _) in documents {
        sources.add_document(name);
    }
    let names: Vec<&str> = documents.iter().map(|(name, _)| *name).collect();
    repair::follow(&texts, &names);
    let checked = gatewayc::check(&mut sources);
    render(&checked.diagnostics, &sources, Format::Human)
}

/// `expect` is `CODE words`; nothing else may be reported.
fn check(document: &str, expect: &str) {
    let found = messages(&[("a.yaml", document)]);
    let (code, words) = expect.split_once(' ').unwrap_or((expect, ""));
    let codes: Vec<&str> = found.match_indices("[GW").map(|(at, _)| &found[at + 1..at + 6]).collect();
    let expected: Vec<&str> = if code == "none" { Vec::new() } else { vec![code] };
    assert_eq!(codes, expected, "{expect}\n{document}\n{found}");
    let without_ticks = found.replace('`', "");
    assert!(found.contains(words) || without_ticks.contains(words), "{words:?} is not in\n{found}");
}

#[test]
fn at_the_root() {
    for (root, expect) in [
        ("", "none"),
        ("  preflight: answer\n  maxBody: 10MiB\n  errors: {bodies: {auth.missing: {error: [1, null, true]}}}", "none"),
        ("  upstreems: {}", "GW102 did you mean `upstreams`?"),
        ("  greedy: true", "GW102 misplaced"),
        ("  limits: {}", "none"),
        ("  limits: {a: {algorithm: token-bucket, limit: 1, interval: 1s}}", "GW403 charges"),
        ("  limits: {a: {algorithm: token-bucket, limit: 1, interval: 1s}}\n  rateLimit: [{use: a}]", "none"),
        (
            "  limits: {a: {algorithm: token-bucket, limit: 1, interval: 1s, cost: 2}}",
            "GW405 said where the limit is used",
        ),
        ("  limits: {\"a\\\"b\": {algorithm: token-bucket, limit: 1, interval: 1s}}", "GW104 quotes"),
        ("  rateLimit: [{algorithm: token-bucket, limit: 1, interval: 1s}]", "none"),
        ("  rules: []", "none"),
        ("  https: {redirect: true}", "GW530 write `servers"),
        ("  https: {redirect: false}", "none"),
        ("  https: {redirect: false, port: 1}", "GW104 nothing is redirected"),
        ("  https: {redirect: true, port: 0}\nservers: [{url: \"https://a\"}]", "GW104 65535"),
        ("  https: {}\nservers: [{url: /v1}]", "GW530"),
        ("  https: {}\nservers: [{url: \"https://a.example\"}]", "none"),
        ("  https: {}\nservers: [{url: \"https://{x}.example\", variables: {x: {default: a}}}]", "none"),
        ("  https: {}\nservers: [{url: \"https://a.example\"}, {url: \"https://b\u{fc}cher.example\"}]", "GW530 xn--"),
        ("  https: {}\nservers: [{url: \"https://a.example:99999\"}]", "GW530 from 1 to 65535"),
        ("  https: {}\nservers: [{url: \"https://b.example\"}, {url: \"https://u:p@a.example\"}]", "GW530 credentials"),
        ("  https: {}\nservers: [{url: \"https://::1\"}]", "GW530 expected a host"),
        ("  https: {}\nservers: [{url: \"https://[::1]:443/v1\"}]", "none"),
        ("  https: {}\nservers: [{url: \"https://a..b\"}]", "GW530 expected a host"),
        ("  https: {redirect: false}\nservers: [{url: \"https://a..b\"}]", "none"),
        ("  https: {}\nservers: [{url: \"https://a.example\"}, {url: \"https://A.example:8443\"}]", "GW530 two ports"),
        ("  https: {}\nservers: [{url: \"https://a.example\"}, {url: \"https://a.example:443/b\"}]", "none"),
        ("  https: {port: 1}\nservers: [{url: \"https://a.example\"}, {url: \"https://a.example:8443\"}]", "none"),
        ("  https: {}\nservers: [{url: \"https://a.example\"}, {url: \"HTTP://a.example\"}]", "GW531 in the clear"),
        ("  https: {redirect: false, hsts: {maxAge: 180d}}", "none"),
        ("  https: {redirect: false, hsts: {includeSubdomains: true}}", "GW104 maxAge: 180d"),
        ("  https: {redirect: false, hsts: {maxAge: 1000d}}", "GW104 a year"),
        ("  https: {redirect: false, hsts: {maxAge: 1ms}}", "GW104 whole seconds"),
        ("  https: {redirect: false, hsts: {maxAge: 1500ms}}", "GW104 whole seconds"),
        ("  https: {redirect: false, hsts: {maxAge: 1000ms}}", "none"),
        ("  https: {redirect: false, prot: 1}", "GW102 did you mean `port`?"),
        ("  https: true", "GW104 expected a mapping"),
        ("  consumers: {allow: [a]}", "GW209 never meets a consumer"),
        ("  anonymous: {}", "none"),
        ("  anonymous: {onInvalid: pass}", "GW104 expected `refuse` or `fallback`"),
        ("  grants: []", "GW102 may stand in the x-gateway of an operation"),
        ("  errors: {bodies: {auth.mising: {}}}", "GW102 did you mean `auth.missing`?"),
        ("  errors: {bodies: {limit.exceeded: {}}}", "none"),
        ("  preflight: yes", "GW104 expected `forward` or `answer` or `deny`"),
        ("  maxBody: 10MB", "GW104 512KiB"),
        ("  upstreams: {x: {url: \"http://127.0.0.1:1\"}}", "GW522 `x`"),
        ("  upstreams: {x: {url: \"127.0.0.1:1\"}}", "GW523"),
        ("  upstreams: {x: {url: \"ftp://127.0.0.1:1\"}}", "GW523 https://"),
        ("  upstreams: {x: {url: \"https://127.0.0.1:1\"}}", "GW522"),
        ("  upstreams: {x: {url: \"dns+srv://orders\"}}", "GW523 _http._tcp"),
        ("  upstreams: {x: {url: \"dns+srv://_http._tcp.orders:80\"}}", "GW523 no port"),
        ("  upstreams: {x: {url: \"dns+srv://_http._tcp.orders\", resolve: off}}", "GW528 every connection"),
        (
            "  upstreams: {x: {endpoints: [{url: \"dns+srv://_http._tcp.orders\", weight: 2}]}}",
            "GW528 each SRV record has a weight",
        ),
        ("  upstreams: {x: {endpoints: [\"http://a\", \"dns+srv+h2c://_http._tcp.orders\"]}}", "GW528 differ"),
        ("  upstreams: {x: {url: \"http://u:p@127.0.0.1:1\"}}", "GW523 credentials"),
        ("  upstreams: {x: {url: \"http://127.0.0.1:99999\"}}", "GW523"),
        ("  upstreams: {x: {url: \"http://127.0.0.1/a?b\"}}", "GW523"),
        ("  upstreams: {x: {url: \"http://127.0.0.1:+80\"}}", "GW523"),
        ("  upstreams: {x: {url: \"http://[x]\"}}", "GW523"),
        ("  upstreams: {x: {url: \"http://a..b\"}}", "GW523"),
        ("  upstreams: {x: {url: \"http://192.0.2.999\"}}", "GW523"),
        ("  upstreams: {x: {url: \"http://[::1]:80\"}}", "GW522"),
        ("  upstreams: {x: {}}", "GW523 no `url`"),
        ("  upstreams: {x: {url: \"http://a:1\", endpoints: [\"http://a:1\"]}}", "GW528 not both"),
        ("  upstreams: {x: {endpoints: [\"http://a:1\", \"http://A:1/\"]}}", "GW528 listed twice"),
        ("  upstreams: {x: {endpoints: [\"http://a:1\", \"https://b:1\"]}}", "GW528 differ"),
        ("  upstreams: {x: {endpoints: [\"http://a:1\", \"http://b:1/c\"]}}", "GW528 differ"),
        ("  upstreams: {x: {endpoints: [{url: \"http://a:1\", weight: 0}]}}", "GW528 sum to nothing"),
        ("  upstreams: {x: {endpoints: [{url: \"http://a:1\", weight: -1}]}}", "GW104 from 0 to 1000"),
        ("  upstreams: {x: {endpoints: [{url: \"http://a:1\", priority: 16}]}}", "GW104 from 0 to 15"),
        ("  upstreams: {x: {endpoints: [{weight: 1}]}}", "GW523 no `url`"),
        ("  upstreams: {x: {endpoints: []}}", "GW104 one address or more"),
        ("  upstreams: {x: {url: \"http://a:1\", balance: fastest}}", "GW104 `round-robin` or `least-request`"),
        ("  upstreams: {x: {url: \"http://a:1\", balance: {hash: [\"const:a\"]}}}", "GW104 cookie:x"),
        ("  upstreams: {x: {url: \"http://a:1\", resolve: 5}}", "GW104 5s"),
        ("  upstreams: {x: {url: \"http://a:1\", retry: {methods: [POST]}}}", "GW104 an operation's to say"),
        ("  upstreams: {x: {url: \"http://a:1\", retry: {on: []}}}", "GW104 one cause or more"),
        ("  upstreams: {x: {url: \"http://a:1\", retry: {attempts: 0}}}", "GW104 one try or more"),
        ("  upstreams: {x: {url: \"http://a:1\", balance: {}}}", "GW104 `round-robin`, `least-request`"),
        ("  upstreams: {x: {url: \"http://a:1\", breaker: {requests: 0}}}", "GW104 1 or more"),
        ("  upstreams: {x: {url: \"http://a:1\", outlier: {consecutive: 0}}}", "GW104 one failure or more"),
        ("  upstreams: {x: {url: \"http://a:1\", health: {path: healthz}}}", "GW104 an absolute path"),
        ("  upstreams: {x: {url: \"http://a:1\", health: {path: /, status: []}}}", "GW104 one status or more"),
        ("  upstreams: {x: {url: \"http://a:1\", health: {path: /, status: [700]}}}", "GW104 a status such as"),
        ("  upstreams: {x: {url: \"http://a:1\", retry: {attempts: 0}}}", "GW104 the first counts"),
        ("  upstreams: {x: {url: \"http://a:1\", retry: {on: [404]}}}", "GW104 from 500 on"),
        ("  upstreams: {x: {url: \"http://a:1\", retry: {budget: {percent: 101}}}}", "GW104 from 0 to 100"),
        ("  upstreams: {x: {url: \"http://a:1\", breaker: {request: 1}}}", "GW102 did you mean `requests`?"),
        (
            "  upstreams: {x: {url: \"http://a:1\"}}\n  split: [{upstream: x, weight: 5%, by: [user]}]\n  mirror: {upstream: x, share: 0.1%}",
            "none",
        ),
        ("  upstreams: {x: {url: \"http://a:1\"}}\n  split: off\n  mirror: off", "GW522 x"),
        ("  compress: {}", "none"),
        ("  compress: off", "none"),
        ("  compress: {algorithms: [br, gzip], min: 0B, types: [\"text/*\", +json, application/pdf]}", "none"),
        ("  compress: {algorithms: [gzipp]}", "GW104 did you mean `gzip`?"),
        ("  compress: {algorithms: [deflate]}", "GW104 expected `zstd` or `br` or `gzip`"),
        ("  compress: {algorithms: []}", "GW104 compress: off"),
        ("  compress: {algorithms: gzip}", "GW104 [gzip]"),
        ("  compress: {algorithms: [gzip, br, gzip]}", "GW104 stands twice"),
        ("  compress: {types: []}", "GW104 one entry or more"),
        ("  compress: {types: [text/html, TEXT/HTML]}", "GW104 stands twice"),
        ("  compress: {types: [\"text/html; charset=utf-8\"]}", "GW104 without parameters"),
        ("  compress: {types: [\"*/*\"]}", "GW104 `text/*`"),
        ("  compress: {min: 1024}", "none"),
        ("  compress: {min: -1}", "GW104"),
        ("  compress: {min: 1kb}", "GW104 write `1KiB`"),
        ("  compress: {algorithm: [gzip]}", "GW102 did you mean `algorithms`?"),
        ("  compress: gzip", "GW104 expected a mapping"),
        ("  compress: on", "GW104 write `compress: {algorithms: …}`"),
        ("  compress: {}\n  responseHeaders: {set: {vary: Accept}}", "GW560 compress: off"),
        ("  compress: {}\n  responseHeaders: {remove: [Content-Encoding]}", "GW560 replaces `Content-Encoding`"),
        ("  compress: {}\n  responseHeaders: {add: {Vary: Accept}}", "none"),
        ("  cache: off", "none"),
        ("  cache: {ttl: 60s, key: [caller, query]}", "none"),
        (
            "  cache: {ttl: upstream, key: [consumer], maxBody: 4MiB, staleWhileRevalidate: 5s, staleIfError: 1h}",
            "none",
        ),
        ("  cache: {ttl: 60s}", "GW570 key: [caller, query]"),
        ("  cache: {ttl: 60s, key: [ip, query]}", "GW570 `key` does not say whose response it is"),
        ("  cache: {key: [caller]}", "GW104 has no `ttl`"),
        ("  cache: {}", "GW104 cache: {ttl: 60s}"),
        ("  cache: on", "GW104"),
        ("  cache: 60s", "GW104 expected a mapping"),
        ("  cache: {ttl: 0s, key: [caller]}", "GW104 cache: off"),
        ("  cache: {ttl: 9000h, key: [caller]}", "GW104 a year"),
        ("  cache: {ttl: forever, key: [caller]}", "GW104 `upstream`"),
        ("  cache: {ttl: 60, key: [caller]}", "GW104 `upstream`"),
        ("  cache: {ttl: 60s, key: []}", "GW104 one part of the request or more"),
        ("  cache: {ttl: 60s, key: [caller, caller]}", "GW104 stands twice"),
        ("  cache: {ttl: 60s, key: [caller, body]}", "GW104 expected `query`"),
        ("  cache: {ttl: 60s, key: [caller, \"const:x\"]}", "GW104 expected `query`"),
        ("  cache: {ttl: 60s, key: [caller, header:Authorization]}", "GW572 is a credential"),
        ("  cache: {ttl: 60s, key: [caller], methods: []}", "GW104 one method or more"),
        ("  cache: {ttl: 60s, key: [caller], methods: [HEAD]}", "GW104 `GET` beside `HEAD`"),
        ("  cache: {ttl: 60s, key: [caller], methods: [PUT]}", "GW104 PUT changes"),
        ("  cache: {ttl: 60s, key: [caller], methods: [GET, GET]}", "GW104 stands twice"),
        ("  cache: {ttl: 60s, key: [caller], methods: [get]}", "GW104 `GET`"),
        ("  cache: {ttl: 60s, key: [caller], maxBody: 0B}", "GW104 1B to 64MiB"),
        ("  cache: {ttl: 60s, key: [caller], maxBody: 1GiB}", "GW104 1B to 64MiB"),
        ("  cache: {ttl: 60s, key: [caller], staleIfError: 0s}", "GW104 `staleIfError`"),
        (
            "  cache: {ttl: 60s, key: [caller], staleWhileRevalidating: 5s}",
            "GW102 did you mean `staleWhileRevalidate`?",
        ),
        ("  split: []", "GW104 one entry or more"),
        ("  split: canary", "GW104 expected a list"),
        ("  split: [{upstream: y, weight: 5%}]", "GW521 no upstream is called `y`"),
        (
            "  upstreams: {canary: {url: \"http://a:1\"}}\n  split: [{upstream: canari, weight: 5%}]",
            "GW521 did you mean `canary`?",
        ),
        ("  split: [{weight: 5%}]", "GW104 says no `upstream`"),
        ("  upstreams: {x: {url: \"http://a:1\"}}\n  split: [{upstream: x}]", "GW533 takes no requests"),
        ("  upstreams: {x: {url: \"http://a:1\"}}\n  split: [{upstream: x, weight: 5}]", "GW104 such as `5%`"),
        (
            "  upstreams: {x: {url: \"http://a:1\"}}\n  split: [{upstream: x, weight: 0%}]",
            "GW533 sends no request anywhere",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\"}}\n  split: [{upstream: x, weight: 0%, when: {header: {X-A: 1}}}]",
            "none",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\"}, y: {url: \"http://b:1\"}}\n  split: [{upstream: x, weight: 60.5%}, {upstream: y, weight: 40%}]",
            "GW533 are 100.50% together",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\"}}\n  split: [{upstream: x, weight: 1%}, {upstream: x, weight: 2%}]",
            "GW533 `x` has two weights",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\"}, y: {url: \"http://b:1\"}}\n  split: [{upstream: x, when: {header: {X-A: a}}}, {upstream: y, when: {header: {x-a: a, X-B: b}}}]",
            "GW533 asks for more first",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\"}}\n  split: [{upstream: x, when: {header: {X-A: a}}, by: [ip]}]",
            "GW533 chooses nothing",
        ),
        ("  split: [{upstream: x, when: {}}]", "GW104 X-Canary"),
        ("  split: [{upstream: x, when: {header: {}}}]", "GW104 a name and a value"),
        ("  split: [{upstream: x, when: {query: {a: b}}}]", "GW102 `query`"),
        ("  split: [{upstream: x, when: {header: {X-A: a, x-a: b}}}]", "GW533 twice"),
        ("  split: [{upstream: x, when: {header: {X-User-ID: root}}}]", "GW533 who calls"),
        ("  split: [{upstream: x, when: {header: {\"X A\": a}}}]", "GW533 no header"),
        ("  split: [{upstream: x, when: {header: {X-A: true}}}]", "GW104 visible ASCII"),
        ("  split: [{upstream: x, when: {header: {Authorization: \"Basic YTpi\"}}}]", "GW101 by: [consumer]"),
        ("  split: [{upstream: x, weight: 5%, by: [\"const:a\"]}]", "GW104 cookie:x"),
        ("  split: [{upstream: x, wheight: 5%}]", "GW102 did you mean `weight`?"),
        ("  mirror: {upstream: y}", "GW521 no upstream is called `y`"),
        ("  mirror: shadow", "GW104 expected a mapping"),
        ("  mirror: {share: 1%}", "GW104 says no `upstream`"),
        ("  upstreams: {x: {url: \"http://a:1\"}}\n  mirror: {upstream: x, share: 0%}", "GW104 copies no request"),
        ("  upstreams: {x: {url: \"http://a:1\"}}\n  mirror: {upstream: x, share: 101%}", "GW104 from `0%` to `100%`"),
        ("  upstreams: {x: {url: \"http://127.0.0.1:8080/\"}}\n  mirror: {upstream: x}", "GW534 act on them twice"),
        ("  retry: {methods: [POST]}", "GW102 may stand in the x-gateway of an operation"),
        ("  upstreams: {x: {url: \"http://a:1\", outlier: {consecutive: 0}}}", "GW104 one failure or more"),
        ("  upstreams: {x: {url: \"http://a:1\", outlier: {maxEjected: 50}}}", "GW104 0%"),
        ("  upstreams: {x: {url: \"http://a:1\", outlier: {consecutiv: 5}}}", "GW102 did you mean `consecutive`?"),
        ("  upstreams: {x: {url: \"http://a:1\", health: {path: healthz}}}", "GW104 absolute path"),
        ("  upstreams: {x: {url: \"http://a:1\", health: {every: 5s}}}", "GW104 no `path`"),
        ("  upstreams: {x: {url: \"http://a:1\", health: {path: /h, every: 5}}}", "GW104 5s"),
        ("  upstreams: {x: {url: \"http://a:1\", health: {path: /h, status: [299-200]}}}", "GW104 200-299"),
        ("  upstreams: {x: {url: \"http://a:1\", keepAlive: {max: 0}}}", "GW104 `keepAlive: off`"),
        ("  upstreams: {x: {url: \"http://a:1\", keepAlive: {requests: 1}}}", "GW104 2 or more"),
        ("  upstreams: {x: {url: \"http://a:1\", keepAlive: {idle: 5}}}", "GW104 5s"),
        ("  upstreams: {x: {url: \"http://a:1\", keepAlive: {idel: 5s}}}", "GW102 did you mean `idle`?"),
        ("  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {}}}", "GW104 one of its members"),
        ("  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {beare: {env: T}}}}", "GW102 did you mean `bearer`?"),
        ("  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {bearer: swordfish}}}", "GW101 secret reference"),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {bearer: {env: T}, basic: {}}}}",
            "GW535 one credential",
        ),
        ("  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {basic: {username: a}}}}", "GW104 no `password`"),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {basic: {username: \"a:b\", password: {env: P}}}}}",
            "GW104 without a colon",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {header: {name: Host, value: {env: P}}}}}",
            "GW535 something else to HTTP",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {header: {name: X-Gateway-Mirror, value: {env: P}}}}}",
            "GW535 writes this header itself",
        ),
        ("  securityHeaders: {Vary: x}", "GW525 what a response is"),
        ("  securityHeaders: {Content-Encoding: gzip}", "GW525 what a response is"),
        ("  securityHeaders: {Content-Security-Policy-Report-Only: \"default-src 'self'\"}", "none"),
        ("  securityHeaders: {Permissions-Policy: \"camera=()\"}", "none"),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {header: {name: X-Forwarded-For, value: {env: P}}}}}",
            "GW535 writes or removes",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {header: {name: X-Key, value: swordfish}}}}",
            "GW101 secret reference",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {awsSigV4: {region: eu, service: s3}}}}",
            "GW104 no `accessKey`",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {awsSigV4: {region: \"e/u\", service: s3, accessKey: {env: A}, secretKey: {env: B}}}}}",
            "GW104 letters, digits",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {clientCredentials: {tokenUrl: \"http://b/t\", clientId: c, clientSecret: {env: S}}}}}",
            "GW535 read on its way",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {clientCredentials: {tokenUrl: \"https://b/t\", clientId: c, clientSecret: swordfish}}}}",
            "GW101 secret reference",
        ),
        (
            "  upstreams: {x: {url: \"http://a:1\", upstreamAuth: {clientCredentials: {tokenUrl: \"https://b/t\", clientId: c, clientSecret: {env: S}, scopes: [\"a b\"]}}}}",
            "GW104 without spaces",
        ),
        (
            "  upstreams: {x: {url: \"https://a:1\", upstreamAuth: {certificate: {chain: {file: a.pem}}}}}",
            "GW104 no `key`",
        ),
        ("  upstreams: {x: {url: \"http://127.0.0.1:1\", locations: kept}}", "GW104 expected `translate` or `keep`"),
        (
            "  upstreams: {x: {url: \"http://127.0.0.1:1\", forwarded: true}}",
            "GW104 expected `x-forwarded` or `rfc7239` or `both`",
        ),
        (
            "  upstreams: {x: {url: \"http://127.0.0.1:1\", cookies: {path: remove}}}",
            "GW104 expected `keep` or `rewrite`",
        ),
        (
            "  upstreams: {x: {url: \"http://127.0.0.1:1\", cookies: {domain: rewrite}}}",
            "GW104 expected `keep` or `remove`",
        ),
        ("  upstreams: {x: {url: \"http://127.0.0.1:1\", cookies: {paths: rewrite}}}", "GW102 did you mean `path`?"),
        ("  upstreams: {x: {url: \"http://127.0.0.1:1\", cookies: rewrite}}", "GW104"),
        ("  upstreams: {x: {url: \"http://127.0.0.1:1\", location: keep}}", "GW102 did you mean `locations`?"),
        ("  upstreams: {x: {url: \"http://127.0.0.1:1\", timeout: 5}}", "GW104 250ms"),
        ("  upstreams: {x: {url: \"http://127.0.0.1:1\", timeout: {red: 5s}}}", "GW102"),
        ("  identityHeaders: {consumer: \"X Y\"}", "GW525"),
        ("  identityHeaders: {consumer: Host}", "GW525"),
        ("  requestHeaders: {set: {Host: a}}", "GW525"),
        ("  requestHeaders: {set: {X-User-ID: root}}", "GW525 who calls"),
        ("  requestHeaders: {remove: [X-Forwarded-For]}", "GW525"),
        ("  requestHeaders: {set: {X_User_ID: root}}", "GW525 who calls"),
        ("  requestHeaders: {add: {X-Forwarded_For: a}}", "GW525"),
        ("  requestHeaders: {add: {Content_Length: 1}}", "GW525"),
        ("  requestHeaders: {set: {X-A: a, x-a: b}}", "GW525 twice"),
        ("  requestHeaders: {set: {Authorization: Bearer x}}", "GW101 secret reference"),
        ("  requestHeaders: {set: {Authorization: Bearer x}}", "GW101 {env: NAME}"),
        ("  requestHeaders: {set: {Authorization: {env: S}, X-Key: {file: keys/a, encoding: base64}}}", "none"),
        ("  requestHeaders: {set: {X-Key: {value: swordfish}}}", "GW101 secret reference"),
        ("  requestHeaders: {set: {X-Key: {environment: S}}}", "GW102"),
        ("  requestHeaders: {set: {X-Key: {env: S}, x-key: a}}", "GW525 twice"),
        ("  requestHeaders: {add: {X-Key: {env: S}}}", "GW104 expected text"),
        ("  responseHeaders: {set: {X-Key: {env: S}}}", "GW104 expected text"),
        ("  responseHeaders: {set: {Transfer-Encoding: chunked}}", "GW525"),
        ("  responseHeaders: {set: {X-A: \"a\\nb\"}}", "GW525"),
        ("  requestHeaders: {sett: {}}", "GW102"),
    ] {
        check(&document(root, GOOD_SCHEME, "", ""), expect);
    }
    check(&document("", GOOD_SCHEME, "", "").replace("version: 1\n", "maxBody: 1MiB\n"), "GW104 write `version: 1`");
    check(&document("", GOOD_SCHEME, "", "").replace("version: 1\n", "version: 2\n"), "GW104");
    check(
        &document("", GOOD_SCHEME, "", "")
            .replace("  upstream: {url", "  upstreams: {a: {url")
            .replace(":8080\"}", ":8080\"}}"),
        "GW520",
    );
    check("openapi: 3.1.0\ninfo: {title: t, version: \"1\"}\npaths: {/a: {get: {security: []}}}\n", "GW105");
}

#[test]
fn at_an_operation() {
    for (operation, expect) in [
        ("split: off, mirror: off", "none"),
        ("compress: {}, responseHeaders: {set: {Vary: Accept}}", "GW560 replaces `Vary`"),
        ("cache: {ttl: 60s, key: [user, \"query:page\"]}", "GW572 does not declare"),
        ("cache: {ttl: 60s, key: [user, \"header:X-Tenant\"]}", "GW572 does not declare"),
        ("cache: {ttl: 60s, key: [user, \"cookie:lang\"]}", "GW572 does not declare"),
        ("cache: {ttl: 60s, key: [user, \"header:Accept-Language\"]}", "none"),
        ("cache: {ttl: 60s, key: [user], methods: [POST]}", "GW571 for POST, and this is GET"),
        ("cache: {ttl: 60s, key: [user], methods: []}", "GW104 one method or more"),
        ("cache: {ttl: 60s, key: [user], methods: [PUT]}", "GW104 PUT changes"),
        ("cache: {ttl: 60s, key: [user], methods: [get]}", "GW104"),
        ("cache: {ttl: 60s, key: [user], methods: GET}", "GW104 write [GET]"),
        ("cache: {ttl: 60s, key: [user]}, upgrade: [websocket]", "GW571 tunnel"),
        ("cache: {ttl: 60s}", "GW570 cached for every caller"),
        ("split: [{upstream: {url: \"http://a:1\"}, weight: 5%}], mirror: {upstream: {url: \"http://a:1\"}}", "none"),
        ("mirror: {upstream: default}", "GW534 act on them twice"),
        ("maxBody: 1KiB, upstream: {url: \"http://127.0.0.1:1/x\"}", "none"),
        (
            "upstream: {url: \"http://a\", upstreamAuth: {certificate: {chain: {file: a.pem}, key: {file: a.key}}}}",
            "GW535 without TLS",
        ),
        (
            "upstream: {url: \"http://a\", upstreamAuth: {header: {name: X-User-ID, value: {env: K}}}}",
            "GW535 who calls",
        ),
        (
            "requestHeaders: {set: {authorization: {env: A}}}, upstream: {url: \"http://a\", upstreamAuth: {bearer: {env: T}}}",
            "GW535 two values",
        ),
        ("rateLimits: []", "GW102 unknown key rateLimits"),
        ("rateLimit: []", "none"),
        (
            "rateLimit: [{algorithm: token-bucket, limit: 100, interval: 60s, key: [user, \"header:x-a\"], onMissingKey: skip, status: 503, body: {e: 1}, headers: none, cost: 5}]",
            "none",
        ),
        ("rateLimit: [{algorithm: leaky-bucket, rate: 0.1/s, burst: 2, delay: false}]", "none"),
        ("rateLimit: [{algorithm: concurrency, limit: 2, burst: 1, delay: 100ms, headerPrefix: Jack}]", "none"),
        ("rateLimit: [{use: per-client}]", "GW401 per-client"),
        ("rateLimit: [{limit: 3}]", "GW404 by which algorithm"),
        ("rateLimit: [{algorithm: leaky-bucket}]", "GW404 rate is required"),
        ("rateLimit: [{algorithm: leaky-bucket, rate: 0.1/s, burst: 7}]", "GW404 wait for more than a minute"),
        ("rateLimit: [{algorithm: leaky-bucket, rate: 0.1/s, burst: 7, delay: false}]", "none"),
        ("rateLimit: [{algorithm: concurrency, limit: 2, burst: 1, delay: 61s}]", "GW404 wait for more than a minute"),
        ("rateLimit: [{algorithm: concurrency, limit: 2, delay: 1s}]", "GW405 no request would wait"),
        (
            "rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, headers: none, headerPrefix: A}]",
            "GW405 no headers are sent",
        ),
        (
            "rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, key: [consumer], onMissingKey: skip}]",
            "GW406 nothing is limited",
        ),
        ("rateLimit: [{algorithm: token-bucket, limit: 3}]", "GW404 interval is required"),
        ("rateLimit: [{algorithm: token-bucket, limit: 0, interval: 1s}]", "GW404 limit cannot be 0"),
        ("rateLimit: [{algorithm: token-bucket, limit: 1.5, interval: 1s}]", "GW404 whole number"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 0s}]", "GW104 more than nothing"),
        (
            "rateLimit: [{algorithm: token-bucket, limit: 2000000000, interval: 365d}]",
            "GW404 too large for its interval",
        ),
        (
            "rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, burst: 2}]",
            "GW405 burst means nothing to token-bucket",
        ),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, cost: 4}]", "GW404 no request would ever pass"),
        ("rateLimit: [{algorithm: token-buckets, limit: 3, interval: 1s}]", "GW104 fixed-window"),
        ("rateLimit: [{algorithm: leaky-bucket, rate: 3}]", "GW104 4/s"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, key: []}]", "GW104 const:all"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, key: [cookie:a]}]", "GW104 header:X"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, status: 200}]", "GW104 from 400 to 599"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, onMissingKey: allow}]", "GW104 skip"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, store: shared}]", "none"),
        (
            "rateLimit: [{algorithm: fixed-window, limit: 3, interval: 1s, store: shared, mode: fast, onStoreError: local}]",
            "none",
        ),
        ("rateLimit: [{algorithm: leaky-bucket, rate: 3/s, store: shared, onStoreError: allow}]", "none"),
        ("rateLimit: [{algorithm: leaky-bucket, rate: 3/s, delay: false, store: shared, mode: fast}]", "none"),
        ("rateLimit: [{algorithm: leaky-bucket, rate: 3/s, store: shared, mode: fast}]", "GW407 one at a time"),
        ("rateLimit: [{algorithm: concurrency, limit: 3, store: shared}]", "GW407 divide"),
        ("rateLimit: [{algorithm: token-bucket, limit: 50000, interval: 1d, store: shared}]", "none"),
        (
            "rateLimit: [{algorithm: sliding-window, limit: 2000000000, interval: 365d, store: shared}]",
            "GW407 too large",
        ),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, mode: fast}]", "GW405 without `store`"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, onStoreError: deny}]", "GW405 without `store`"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, store: My Store}]", "GW104 small letters"),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, store: shared, mode: slow}]", "GW104 exact"),
        (
            "rateLimit: [{name: a, algorithm: token-bucket, limit: 3, interval: 1s, store: shared}, {name: a, algorithm: token-bucket, limit: 3, interval: 1s, store: shared}]",
            "GW408 the limit once",
        ),
        ("rateLimit: [{algorithm: token-bucket, limit: 3, interval: 1s, limits: 3}]", "GW102 did you mean limit?"),
        ("builtin: jwt.sign", "GW209 signs for its caller"),
        ("builtin: jwt.sing", "GW104 did you mean jwt.sign?"),
        ("builtin: nothing", "GW104 it can be jwt.sign, static, mock, oauth.authorize"),
        ("keyClaim: iss", "GW102 an argument of builtin"),
        ("file: a.html", "GW102 an argument of builtin: static"),
        ("grants: [password]", "GW102 an argument of builtin: oauth.authorize and oauth.token"),
        ("builtin: login.form", "GW321 login.form belongs to an authorization server"),
        ("version: 1", "GW102"),
        ("upstream: nots", "GW521"),
        ("upstream: \"http://127.0.0.1:1\"", "GW521 url"),
        ("rewrite: {path: \"/people/{id}\"}", "none"),
        ("rewrite: {path: \"/people/{ids}\"}", "GW524 did you mean `id`?"),
        ("rewrite: {path: \"people\"}", "GW524"),
        ("rewrite: {path: \"/a?b=c\"}", "GW524"),
        ("rewrite: {regex: \"^/(.*)$\", to: \"/x/$1\"}", "none"),
        ("rewrite: {regex: \"^/(?=a)(.*)$\", to: \"/x/$1\"}", "GW502"),
        ("rewrite: {regex: \"^/(.*)$\", to: \"/x/$2\"}", "GW502 group"),
        ("rewrite: {regex: \"^/(.*)$\"}", "GW104"),
        ("rewrite: {regex: \"^/(.*)$\", to: \"/x?y=$1\"}", "GW524 query"),
        ("rewrite: {regex: \"^/(.*)$\", to: \"/x/../$1\"}", "GW524 dot segments"),
        ("rewrite: {regex: \"^/(.*)$\", to: \"/x\\r\\n$1\"}", "GW524 visible"),
        ("rewrite: {regex: \"^/(.*)$\", to: \"http://x/$1\"}", "GW524 starts with"),
        ("rewrite: {regex: \"/old/\", to: \"/$$1.${0}\"}", "none"),
        ("acceptRisk: [{lint: GW312, reason: because}]", "GW319 accepts nothing"),
        ("acceptRisk: [{lint: GW312}]", "GW104"),
        ("acceptRisk: [{lint: GW312, reason: \" \"}]", "GW104 reason"),
        ("acceptRisk: [{lint: GW999, reason: because}]", "GW104 a code"),
        ("acceptRisk: [{lint: GW201, reason: because}]", "GW104 mistake, not a risk"),
    ] {
        check(&document("", GOOD_SCHEME, operation, ""), expect);
    }
}

#[test]
fn at_a_scheme() {
    for (scheme, expect) in [
        (
            "realm: r, bare: true, forward: false, alsoIn: [{in: query, name: t}], jwt: {verify: {algorithms: [RS256, PS256], jwks: {file: k}}, issuers: [i], leeway: 5s}",
            "GW303 RFC 9700",
        ),
        ("jwt: {verify: {algorithms: [HS256], secret: my-secret}}", "GW101 secret reference"),
        ("jwt: {verify: {algorithms: [HS256], secret: {value: my-secret}}}", "GW101 secret reference"),
        ("jwt: {verify: {algorithms: [HS256], secret: {env: S, encoding: base46}}}", "GW104"),
        ("jwt: {verify: {algorithms: [HS256], secret: {env: S, file: T}}}", "GW104"),
        ("jwt: {verify: {algorithms: [HS256], secret: {enw: S}}}", "GW102"),
        ("jwt: {verify: {secret: {env: S}}}", "GW208 `algorithms` is missing"),
        ("jwt: {verify: {algorithms: [], secret: {env: S}}}", "GW208"),
        ("jwt: {verify: {algorithms: [none], secret: {env: S}}}", "GW208 never accepted"),
        ("jwt: {verify: {algorithms: [HS265], secret: {env: S}}}", "GW208 HS256"),
        ("jwt: {verify: {algorithms: [HS256]}}", "GW208 exactly one"),
        ("jwt: {verify: {algorithms: [HS256], secret: {env: S}, publicKey: {env: S}}}", "GW208 exactly one"),
        ("jwt: {verify: {algorithms: [HS256], publicKey: {env: S}}}", "GW208 `HS256` needs `secret`"),
        ("jwt: {verify: {algorithms: [RS256], secret: {env: S}}}", "GW208 `publicKey` or `jwks`"),
        ("jwt: {verify: {algorithms: [RS256, ES256], publicKey: {env: S}}}", "GW208 family"),
        ("jwt: {verify: {algorithms: [RS256], publicKey: {env: S}, weakSecretOk: true}}", "GW208 only `secret`"),
        ("jwt: {verify: {algorithms: [RS256], jwks: {env: S}, weakSecretOk: false}}", "GW208 only `secret`"),
        ("jwt: {issuers: [a]}", "GW208 `verify`"),
        ("jwt: {identify: consumer}", "none"),
        (
            "jwt: {identify: consumer, keyClaim: iss, requiredClaims: [], issuers: [a], audiences: [b], leeway: 2s}",
            "none",
        ),
        ("jwt: {identify: consumer, keyClaim: exp}", "GW104 `key` or `iss`"),
        ("jwt: {identify: consumers}", "GW104 `consumer`"),
        ("jwt: {keyClaim: iss}", "GW208 `identify: consumer`"),
        ("jwt: {identify: consumer, verify: {algorithms: [HS256], secret: {env: S}}}", "GW208 either"),
        ("jwt: {verify: {algorithms: [HS256], secret: {env: S}}, keyClaim: iss}", "GW208 `identify: consumer`"),
        ("jwt: {verify: {algorithms: [HS256], secret: {env: S}}, issuers: []}", "GW104"),
        ("jwt: {verify: {algorithms: [HS256], secret: {env: S}}, audience: [a]}", "GW102 did you mean `audiences`?"),
        ("hmac: {profile: rfc9421}", "GW207 a scheme name of its own, not bearer"),
        ("credential: admin", "GW207 type: apiKey, in: header"),
        ("realm: a", "GW207 `x-gateway: {jwt: {verify: {algorithms: [HS256], secret: {env: JWT_SECRET}}}}`"),
        ("token: {jwt: {verify: {algorithms: [HS256], secret: {env: S}}}}", "GW207"),
    ] {
        check(&document("", scheme, "", ""), expect);
    }
    let oauth2 = "type: oauth2\n      flows: {clientCredentials: {tokenUrl: \"https://a.example/token\", scopes: {}}}";
    check(
        &document("", "realm: a", "", "").replace("type: http\n      scheme: bearer", oauth2),
        "GW207 `x-gateway: {token: {jwt: {verify: {algorithms: [HS256], secret: {env: JWT_SECRET}}}}}`",
    );
    check(
        &document("", GOOD_SCHEME, "", "").replace("security: [{Jwt: []}]", ""),
        "GW201 write security: [] to make it public",
    );
    check(&document("", GOOD_SCHEME, "", "").replace("[{Jwt: []}]", "[{Digest: []}, {Jwt: []}]"), "GW207 `digest`");
    check(&document("", GOOD_SCHEME, "", "").replace("[{Jwt: []}]", "[{Jw: []}]"), "GW202 did you mean `Jwt`?");
    check(&document("", GOOD_SCHEME, "", "").replace("[{Jwt: []}]", "{Jwt: []}"), "GW204");
    check(
        &document("", GOOD_SCHEME, "", "").replace("3.1.0", "3.0.3").replace("[{Jwt: []}]", "[{Jwt: [read]}]"),
        "GW203 role names need OpenAPI 3.1",
    );
}

#[test]
fn about_providers() {
    let token = |members: &str| {
        format!(
            "{{type: http, scheme: bearer, x-gateway: {{token: {{introspection: {{url: \"https://idp.example/ask\", {members}}}}}}}}}"
        )
    };
    let keys = |jwks: &str| {
        format!(
            "{{type: http, scheme: bearer, x-gateway: {{jwt: {{verify: {{algorithms: [RS256], jwks: {jwks}}}, audiences: [a]}}}}}}"
        )
    };
    let discovery = |url: &str, extension: &str| {
        format!("{{type: openIdConnect, openIdConnectUrl: \"{url}\", x-gateway: {extension}}}")
    };
    const AT: &str = "https://idp.example/.well-known/openid-configuration";
    const GOOD: &str = "clientId: gw, clientSecret: {env: S}";
    for (scheme, expect) in [
        (keys("{url: \"https://idp.example/jwks\"}"), "none"),
        (keys("{url: \"http://127.0.0.1:1/jwks\", refresh: 1s}"), "none"),
        (keys("{url: \"http://idp.example/jwks\"}"), "GW212 asked without TLS"),
        (keys("{url: \"idp.example/jwks\"}"), "GW104 expected `https://host/path`"),
        (keys("{url: \"https://192.0.2.999/jwks\"}"), "GW104 expected `https://host/path`"),
        (keys("{url: \"https://u:p@idp.example/\"}"), "GW104 credentials"),
        (keys("{url: 7}"), "GW104 expected text"),
        (keys("{url: \"https://idp.example/jwks\", refresh: 500ms}"), "GW104 from `1s` to `24h`"),
        (keys("{url: \"https://idp.example/jwks\", refesh: 5m}"), "GW102 did you mean `refresh`?"),
        (keys("{url: \"https://idp.example/jwks\", file: k}"), "GW102 unknown key `file`"),
        (keys("{url: \"https://idp.example/jwks\"}").replace("RS256", "HS256"), "GW208 `HS256` needs `secret`"),
        (
            keys("{url: \"https://idp.example/jwks\"}").replace(", audiences: [a]", ""),
            "GW211 accepts tokens that its provider made for other APIs",
        ),
        (keys("{file: k}").replace(", audiences: [a]", ""), "none"),
        (discovery(AT, "{}"), "GW211 no `audiences`"),
        (discovery(AT, "{acceptRisk: [{lint: GW211, reason: it has one API}]}"), "GW211 it has one API"),
        (
            discovery(AT, "{jwt: {audiences: [a], verify: {algorithms: [ES256]}, leeway: 5s, requiredClaims: [sub]}}"),
            "none",
        ),
        (discovery(AT, "{jwt: {audiences: [a], verify: {algorithms: [ES256, RS256]}}}"), "GW208 family"),
        (discovery(AT, "{jwt: {audiences: [a], verify: {algorithms: [HS256]}}}"), "GW208 publishes no keys"),
        (
            discovery(AT, "{jwt: {audiences: [a], verify: {jwks: {file: k}}}}"),
            "GW208 does not go with `openIdConnectUrl`",
        ),
        (discovery(AT, "{jwt: {audiences: [a], issuers: [i]}}"), "GW208 the issuer comes from the discovery document"),
        (discovery(AT, "{jwt: {audiences: []}}"), "GW104 at least one"),
        (discovery(AT, "{token: {jwt: {verify: {algorithms: [RS256], jwks: {file: k}}}}}"), "GW207 takes `jwt: …`"),
        (
            discovery(AT, &format!("{{token: {{introspection: {{url: \"https://a/\", {GOOD}}}}}}}")),
            "GW207 is for `oauth2`",
        ),
        (discovery(&AT.replace("https", "http"), "{}"), "GW212 localhost"),
        (discovery("http://localhost:1/.well-known/openid-configuration", "{jwt: {audiences: [a]}}"), "none"),
        (discovery("https://idp.example/", "{}"), "GW207 does not end in"),
        (discovery("/.well-known/openid-configuration", "{}"), "GW207 expected `https://host/path`"),
        (token(GOOD), "none"),
        (token(&format!("{GOOD}, cache: 0s, issuers: [i], audiences: [a]")), "none"),
        (token(&format!("{GOOD}, cache: soon")), "GW104 expected a duration"),
        (token(&format!("{GOOD}, audiences: []")), "GW104 at least one"),
        (token(&format!("{GOOD}, cash: 5s")), "GW102 did you mean `cache`?"),
        (token("clientId: gw, clientSecret: hunter2"), "GW101 secret reference"),
        (token("clientId: gw"), "GW208 `clientSecret` is missing"),
        (token("clientSecret: {env: S}"), "GW208 `clientId` is missing"),
        (token("clientId: \"\", clientSecret: {env: S}"), "GW104 `clientId`"),
        (token(GOOD).replace("https:", "http:"), "GW212"),
        (token(GOOD).replace("url: \"https://idp.example/ask\",", ""), "GW208 `url` is missing"),
        (
            token(GOOD).replace("{token: {", "{token: {jwt: {verify: {algorithms: [HS256], secret: {env: S}}}, "),
            "GW208 both `jwt` and `introspection`",
        ),
        (
            token(GOOD).replace("{token: {", "{jwt: {verify: {algorithms: [HS256], secret: {env: S}}}, token: {"),
            "GW208 both `jwt` and `introspection`",
        ),
        (token(GOOD).replace("{type: http, scheme: bearer", "{type: apiKey, in: header, name: X-Token"), "GW207"),
        ("{type: mutualTLS}".to_owned(), "none"),
        ("{type: mutualTLS, x-gateway: {realm: partners}}".to_owned(), "none"),
        ("{type: mutualTLS, x-gateway: {forward: false}}".to_owned(), "GW207 no more than `realm`"),
        (
            "{type: mutualTLS, x-gateway: {jwt: {verify: {algorithms: [HS256], secret: {env: S}}}}}".to_owned(),
            "GW207 no more than `realm`",
        ),
    ] {
        let document = format!(
            "openapi: 3.1.0\ninfo: {{title: t, version: \"1\"}}\nx-gateway: {{version: 1, upstream: {{url: \"http://127.0.0.1:1\"}}}}\n\
            components:\n  securitySchemes:\n    s: {scheme}\npaths:\n  /a: {{get: {{security: [{{s: []}}], responses: {{}}}}}}\n"
        );
        check(&document, expect);
        // An unused definition is no error, but for mistakes in `x-gateway`.
        if expect.starts_with("GW207") || expect == "GW211 no `audiences`" {
            check(&document.replace("[{s: []}]", "[]"), "none");
        }
    }
}

#[test]
fn among_paths() {
    let path = |key: &str, parameters: &[&str]| {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|name| format!("{{name: {name}, in: path, required: true, schema: {{type: string}}}}"))
            .collect();
        format!("  \"{key}\": {{parameters: [{}], get: {{}}}}", parameters.join(", "))
    };
    for (paths, expect) in [
        (path("/notes/{key}", &["key"]), "GW501 ambiguous paths"),
        (path("/{kind}/{id}.json", &["kind", "id"]), "GW504 `/notes/x.json`"),
        (path("/notes/mine", &[]), "none"),
        (path("/notes/mine", &[]).replace("get:", "put:"), "GW505 405"),
        (path("/other/{id", &["id"]), "GW511 `}`"),
        (path("/other/{id}", &[]), "GW512"),
        (path("/other", &["id"]), "GW513"),
        (path("/other#x", &[]), "GW515"),
        (path("/other?a=1", &[]), "none"),
        (path("/other?a={b}", &[]), "GW515"),
        (path("/other", &[]).replace("get: {}", "get: {operationId: getNote}"), "GW514"),
        (path("/other", &[]).replace("get: {}", "servers: [{url: \"/{v}\"}], get: {}"), "GW516"),
        (
            path("/other/{rest}", &["rest"])
                .replace("schema: {type: string}", "schema: {type: string}, x-gateway: {greedy: true}"),
            "none",
        ),
        (
            path("/other/{rest}", &["rest"])
                .replace("schema: {type: string}", "schema: {type: string}, x-gateway: {gredy: true}"),
            "GW102 did you mean `greedy`?",
        ),
    ] {
        check(&document("", GOOD_SCHEME, "", &paths), expect);
    }
    // What a parameter takes although servers read it differently.
    let allowing = |members: &str| {
        document("", GOOD_SCHEME, "", "  /notes/{id}/secrets: {parameters: [{name: id, in: path, required: true, schema: {type: string}}], get: {}}")
            .replace("schema: {type: string}}]\n", &format!("schema: {{type: string}}, {members}}}]\n"))
            .replace("      operationId: getNote\n", "      operationId: getNote\n      security: []\n")
            .replace("8080\"}", "8080\", paths: {case: sensitive, trailingSlash: distinct, emptySegments: distinct}}")
    };
    for (members, expect) in [
        ("x-gateway: {encodedSlash: refuse}", "none"),
        ("x-gateway: {encodedSlash: allow}", "GW507 serves /notes/x%2Fsecrets as /notes/{id}/secrets"),
        ("x-gateway: {encodedPercent: allow}", "GW507 /notes/x%252Fsecrets"),
        ("x-gateway: {backslash: allow}", "GW507 /notes/x%5Csecrets"),
        ("x-gateway: {semicolon: allow}", "none"),
        ("style: matrix", "none"),
        ("x-gateway: {encodedSlash: true}", "GW104 allow or refuse"),
        ("x-gateway: {encodedSlashes: allow}", "GW102 did you mean encodedSlash?"),
    ] {
        check(&allowing(members), expect);
    }
    let own = "  /a/{x}:\n    parameters: [{name: x, in: path, required: true, schema: {type: string}}]\n    get: {}\n    put: \
               {parameters: [{name: x, in: path, required: true, schema: {type: string}, x-gateway: {semicolon: allow}}]}";
    check(&document("", GOOD_SCHEME, "", own), "GW517 disagree about what x takes");
    let twins = |allowed: &str| {
        let parameter = |name: &str, more: &str| {
            format!("parameters: [{{name: {name}, in: path, required: true, schema: {{type: string}}{more}}}]")
        };
        let (first, second) = (parameter("x", ""), parameter("y", allowed));
        let paths = format!("  /a/{{x}}: {{{first}, get: {{}}}}\n  /a/{{y}}: {{{second}, put: {{}}}}");
        document("", GOOD_SCHEME, "", &paths)
    };
    check(&twins(""), "none");
    check(&twins(", x-gateway: {semicolon: allow}"), "GW517 are one path and disagree");
    let same = |paths: &str| {
        document("", GOOD_SCHEME, "", paths)
            .replace("8080\"}", "8080\", paths: {case: insensitive, trailingSlash: same}}")
    };
    for (paths, expect) in [
        ("  /a: {get: {}}\n  /A: {get: {security: [{Basic: []}]}}", "GW509 takes /A and /a for the same"),
        ("  /a: {get: {}}\n  /a/: {get: {security: [{Basic: []}]}}", "GW509 takes /a and /a/ for the same"),
        ("  /a: {get: {}}\n  /a/: {get: {security: []}}", "none"),
        ("  /a: {get: {}}\n  /a/: {get: {security: [{Jwt: [], Basic: []}]}}", "GW213"),
        ("  /a: {get: {}}\n  /a/: {put: {security: [{Basic: []}]}}", "none"),
    ] {
        check(&same(paths), expect);
    }
    let greedy = |get: &str| path("/{+rest}", &["rest"]).replace("get: {}", get);
    let public = |root: &str, paths: &str| {
        document("", GOOD_SCHEME, "", paths)
            .replace("8080\"}", &format!("8080\"{root}}}"))
            .replace("      operationId: getNote\n", "      operationId: getNote\n      security: []\n")
    };
    let says = |words: &str| format!(", paths: {{{words}}}");
    const CASE: &str = "/notes/{id} is public and covers /notes/me, which asks";
    for (root, more, expect) in [
        ("", "  /notes/me: {get: {}}", format!("GW507 {CASE}")),
        ("", "  /notes/me: {get: {}}", "GW507 ignores case serves /notes/ME as /notes/me".to_owned()),
        (&says("case: sensitive"), "  /notes/me: {get: {}}", "none".to_owned()),
        (&says("case: insensitive"), "  /notes/me: {get: {}}", "none".to_owned()),
        (&says("trailingSlash: distinct"), "  /notes/me: {get: {}}", "GW507".to_owned()),
        ("", "  /notes/7: {get: {}}", "none".to_owned()),
        (
            "",
            "  /notes/{id}/: {get: {}, parameters: [{name: id, in: path, required: true, schema: {type: string}}]}",
            "GW507 ignores a slash at the end serves /notes/x as /notes/{id}/".to_owned(),
        ),
        (&says("case: maybe"), "", "GW104 sensitive".to_owned()),
        (&says("caze: sensitive"), "", "GW102 did you mean case?".to_owned()),
        (&says("trailingSlash: true"), "", "GW104 distinct".to_owned()),
        (&says("emptySegments: same"), "", "GW104 merged".to_owned()),
    ] {
        check(&public(root, more), &expect);
    }
    for (get, expect) in [
        ("get: {security: []}", "GW507 covers /notes/{id}, which asks"),
        ("get: {security: [{Jwt: []}, {}]}", "GW507 prefer a narrower prefix"),
        ("get: {}", "none"),
        ("get: {security: [], x-gateway: {upstream: {url: \"http://127.0.0.1:8081\"}}}", "none"),
        ("get: {}, put: {security: []}", "GW505"),
    ] {
        check(&document("", GOOD_SCHEME, "", &greedy(get)), expect);
    }
    let two = format!("{}\n{}", greedy("get: {security: []}"), path("/tasks", &[]));
    check(&document("", GOOD_SCHEME, "", &two), "GW507 covers /notes/{id} and 1 more, which");
    // HEAD is answered by GET.
    check(&document("", GOOD_SCHEME, "", &greedy("get: {}, head: {}")), "none");
    for (open, guarded, expect) in [
        ("/notes/{id}", "/notes/me", "an upstream that ignores case serves `/notes/ME` as `/notes/me`"),
        ("/notes/{id}", "/notes/{id}/", "ignores a slash at the end serves `/notes/x` as `/notes/{id}/`"),
        ("/notes/{id}", "/others/me", "none"),
        ("/notes/me", "/notes/{id}", "none"),
        (
            "/notes/{id}",
            "servers: /admin /notes/me",
            "the upstream gets `/notes/me` as `/notes/me`, like `/admin/notes/me`",
        ),
        ("/notes/{id}", "servers: /admin /others/me", "none"),
        ("servers: /open /notes/{id}", "/notes/me", "the upstream gets `/open/notes/me` as `/notes/me`"),
        ("servers: /open /notes/me", "/notes/{id}", "the upstream gets `/open/notes/me` as `/notes/me`"),
    ] {
        let of = |place: &str, security: &str| {
            let (base, path) = place.strip_prefix("servers: ").and_then(|it| it.split_once(' ')).unwrap_or(("", place));
            let parameter = "parameters: [{name: id, in: path, required: true, schema: {type: integer}}], ";
            let parameters = if path.contains('{') { parameter.replace("integer", "string") } else { String::new() };
            format!(
                "openapi: 3.1.0\ninfo: {{title: t, version: \"1\"}}\nservers: [{{url: \"{base}/\"}}]\n\
                x-gateway: {{version: 1, upstream: {{url: \"http://127.0.0.1:1\"}}}}\n\
                components: {{securitySchemes: {{key: {{type: apiKey, in: header, name: X-Key}}}}}}\n\
                paths:\n  {path}: {{{parameters}get: {{security: [{security}], responses: {{\"200\": {{description: ok}}}}}}}}\n"
            )
        };
        let found = messages(&[("a.yaml", &of(open, "")), ("b.yaml", &of(guarded, "{key: []}"))]);
        let is_right = if expect == "none" { !found.contains("GW507") } else { found.contains(expect) };
        assert!(is_right, "{open} {guarded}: {found}");
    }
    let one = document("", GOOD_SCHEME, "", "");
    let found = messages(&[("a.yaml", &one), ("b.yaml", &one)]);
    assert!(found.contains("GW506"), "{found}");
    let found = messages(&[("a.yaml", &one), ("a.json", &one)]);
    assert!(found.contains("GW106"), "{found}");
}

/// A document with these servers and this upstream; a path has a parameter's type in front of its template, such as
/// `integer /users/{id}`, and `!` before what asks for a key.
fn forwarding(base: &str, upstream: &str, paths: &[&str]) -> String {
    let mut text = format!(
        "openapi: 3.1.0\ninfo: {{title: t, version: \"1\"}}\nservers: [{{url: \"{base}/\"}}]\n\
        x-gateway: {{version: 1, upstream: {{url: \"{upstream}\", paths: {{PATHS}}}}}}\n\
        components: {{securitySchemes: {{key: {{type: apiKey, in: header, name: X-Key}}}}}}\npaths:\n"
    );
    for path in paths {
        let (is_guarded, path) = path.strip_prefix('!').map_or((false, *path), |path| (true, path));
        let (kind, path) = path.split_once(' ').unwrap_or(("string", path));
        let (kind, allowed) =
            kind.strip_suffix('%').map_or((kind, ""), |kind| (kind, ", x-gateway: {encodedSlash: allow}"));
        let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let parameters = names.map(|name| {
            let (name, kind) = name.strip_prefix('+').map_or((name, kind), |greedy| (greedy, "string"));
            format!("{{name: {name}, in: path, required: true, schema: {{type: {kind}}}{allowed}}}")
        });
        let fields = path.split_once('#').map(|(_, field)| field.split('=').next().unwrap_or_default());
        let field =
            fields.map(|name| format!("{{name: {name}, in: header, required: true, schema: {{type: string}}}}"));
        let parameters: Vec<String> = parameters.chain(field).collect();
        let security = if is_guarded { "{key: []}" } else { "" };
        text += &format!(
            "  \"{path}\": {{parameters: [{}], get: {{security: [{security}], responses: {{\"200\": {{description: ok}}}}}}}}\n",
            parameters.join(", ")
        );
    }
    text
}

/// The upstream distinguishes every letter and every slash.
const CAREFUL: &str = "case: sensitive, trailingSlash: distinct, emptySegments: distinct";

#[test]
fn ways_around_through_another_document() {
    const HOST: &str = "http://h:80";
    type Document<'a> = (&'a str, &'a str, &'a [&'a str]);
    let cases: &[(&str, Document<'_>, Document<'_>, &str)] = &[
        // Values have the type of the parameter.
        (CAREFUL, ("/open", HOST, &["integer /a/{id}"]), ("/in", HOST, &["!/a/me"]), "none"),
        (CAREFUL, ("/open", HOST, &["integer /{n}/x"]), ("/in", HOST, &["!/1/x"]), "gets `/open/1/x` as `/1/x`"),
        (CAREFUL, ("/open", HOST, &["integer /{n}/{m}"]), ("/in", HOST, &["!/{a}/{b}"]), "gets `/open/1/1` as `/1/1`"),
        (CAREFUL, ("/open", HOST, &["number /{n}"]), ("/in", HOST, &["!/1.5"]), "gets `/open/1.5`"),
        (CAREFUL, ("/open", HOST, &["boolean /{b}"]), ("/in", HOST, &["!/{x}"]), "gets `/open/true`"),
        (CAREFUL, ("/open", HOST, &["boolean /{b}", "!/true"]), ("/in", HOST, &["!/{x}"]), "gets `/open/false`"),
        (CAREFUL, ("/open", HOST, &["integer /{n}.json"]), ("/in", HOST, &["!/{x}.json"]), "gets `/open/1.json`"),
        (CAREFUL, ("/open", HOST, &["/{x}"]), ("/in", HOST, &["!integer /{n}"]), "gets `/open/1`"),
        (
            "",
            ("/open", HOST, &["integer /{n}/me"]),
            ("/in", HOST, &["!/{x}/me/"]),
            "serves `/open/1/me` as `/in/{x}/me/`",
        ),
        ("", ("/open", HOST, &["integer /{n}/{+rest}"]), ("/in", HOST, &["!boolean /{x}/me"]), "none"),
        // A query, or a header field, selects the operation.
        (
            CAREFUL,
            ("/open", HOST, &["/{id}?view=full"]),
            ("/in", HOST, &["!/me"]),
            "gets `/open/me?view=full` as `/me`",
        ),
        (CAREFUL, ("/open", HOST, &["/{id}?a=1"]), ("/in", HOST, &["!/me?a=2"]), "none"),
        (CAREFUL, ("/open", HOST, &["/{id}?a=1"]), ("/in", HOST, &["!/me?b"]), "gets `/open/me?a=1&b`"),
        (CAREFUL, ("/open", HOST, &["/{id}", "!/{id}?b"]), ("/in", HOST, &["!/me?b"]), "none"),
        (
            "",
            ("/open", HOST, &["/{id}?view=full"]),
            ("/in", HOST, &["!/me/"]),
            "serves `/open/me?view=full` as `/in/me/`",
        ),
        (
            CAREFUL,
            ("/open", HOST, &["/{id}#X-Target=Get"]),
            ("/in", HOST, &["!/me"]),
            "`/open/me` with `x-target: Get`",
        ),
        // Another operation answers for one value, and this one for others.
        (CAREFUL, ("/open", HOST, &["/{id}", "!/x"]), ("/in", HOST, &["!/{any}"]), "`/open/{id}` is public"),
        (CAREFUL, ("/open", HOST, &["/{id}.json", "!/x.json"]), ("/in", HOST, &["!/x{any}"]), "`/open/{id}.json` is"),
        (CAREFUL, ("/open", HOST, &["/{+id}", "!/{a}/x"]), ("/in", HOST, &["!/{+any}/x"]), "`/open/{+id}` is"),
        (CAREFUL, ("/open", HOST, &["/{id}", "!/me"]), ("/in", HOST, &["!/me"]), "none"),
        // One upstream, however it is written.
        (CAREFUL, ("/open", "http://h", &["/{id}"]), ("/in", HOST, &["!/me"]), "gets `/open/me`"),
        (CAREFUL, ("/open", "http://H:80/", &["/{id}"]), ("/in", "http://h.", &["!/me"]), "gets `/open/me`"),
        (CAREFUL, ("/open", "http://h:443", &["/{id}"]), ("/in", "https://h", &["!/me"]), "gets `/open/me`"),
        (CAREFUL, ("/open", "http://h:81", &["/{id}"]), ("/in", HOST, &["!/me"]), "none"),
        // The path of its address is the prefix of what it gets.
        (CAREFUL, ("/open", "http://h/api", &["/{id}"]), ("/in", HOST, &["!/api/me"]), "gets `/open/me` as `/api/me`"),
        (
            CAREFUL,
            ("/open", HOST, &["/{+all}"]),
            ("/in", "http://h/api", &["!/me"]),
            "gets `/open/api/me` as `/api/me`",
        ),
        (CAREFUL, ("/open", "http://h/other", &["/{id}"]), ("/in", "http://h/api", &["!/me"]), "none"),
        (CAREFUL, ("", "http://h/api", &["/{id}"]), ("", HOST, &["!/api/me"]), "gets `/me` as `/api/me`"),
        (
            "",
            ("/open", "http://h/api", &["/{id}"]),
            ("/in", HOST, &["!/api/me/"]),
            "serves `/open/me` as `/in/api/me/`",
        ),
        ("", ("/open", "http://h/Api", &["/{id}"]), ("/in", HOST, &["!/Api/Me/"]), "`/open/{id}` is public"),
        (CAREFUL, ("/open", "http://h/v/1", &["/x"]), ("/in", HOST, &["!integer /v/{n}/x"]), "as `/v/1/x`"),
        (
            CAREFUL,
            ("", "http://h/v/1", &["string% /{id}"]),
            ("", HOST, &["!/v/1/a/b"]),
            "serves `/a%2Fb` as `/v/1/a/b`",
        ),
        // Documents that one listener cannot serve, or need not.
        (CAREFUL, ("", HOST, &["/{id}"]), ("", HOST, &["!/{id}"]), "on a listener of its own"),
        (CAREFUL, ("", HOST, &["/{id}"]), ("", HOST, &["!/me"]), "on a listener of its own"),
        (CAREFUL, ("", HOST, &["/me"]), ("", HOST, &["!/{id}"]), "none"),
        ("", ("", HOST, &["/{id}"]), ("", HOST, &["!/me"]), "ignores case serves `/ME`"),
        // Versions of one description: `/health` is public in the one as well.
        (CAREFUL, ("/v1", HOST, &["/health"]), ("/v2", HOST, &["!/{id}", "/health"]), "none"),
        ("", ("/v1", HOST, &["/health"]), ("/v2", HOST, &["!/{id}", "/health"]), "none"),
        ("", ("/v1", HOST, &["/health", "/{id}"]), ("/v2", HOST, &["!/health"]), "`/v1/health` is public"),
        (CAREFUL, ("/v1", HOST, &["/health"]), ("/v2", HOST, &["!/{id}"]), "gets `/v1/health`"),
    ];
    let mut wrong = String::new();
    for (paths, open, guarded, expect) in cases {
        let text = |(base, upstream, of): Document<'_>| {
            forwarding(base, upstream, of).replace("PATHS", paths).replace(", paths: {}", "")
        };
        let found = messages(&[("a.yaml", &text(*open)), ("b.yaml", &text(*guarded))]);
        let is_right = if *expect == "none" { !found.contains("GW507") } else { found.contains(expect) };
        if !is_right || found.contains("error[") {
            wrong += &format!("{open:?} {guarded:?}: {expect:?} is not in\n{found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // An upstream of one operation.
    let own = forwarding("", HOST, &["/{id}", "!/api/me"]).replace("PATHS", CAREFUL);
    let own = own.replacen("get: {", "get: {x-gateway: {upstream: {url: \"http://h/api\"}}, ", 1);
    let found = messages(&[("a.yaml", &own)]);
    assert!(found.contains("the upstream gets `/me` as `/api/me`, like `/api/me`"), "{found}");
    // One document: values have the type of the parameter there as well.
    let one =
        |kind: &str| forwarding("", HOST, &[&format!("{kind} /{{n}}/{{+rest}}"), "!/{m}/secret"]).replace("PATHS", "");
    assert!(messages(&[("a.yaml", &one("integer"))]).contains("serves `/1/SECRET` as `/{m}/secret`"));
    assert!(messages(&[("a.yaml", &one("boolean"))]).contains("serves `/true/SECRET` as `/{m}/secret`"));
    let pattern = forwarding("", HOST, &["/{id}.json", "!/me.json"]).replace("PATHS", "");
    assert!(messages(&[("a.yaml", &pattern)]).contains("serves `/ME.json` as `/me.json`"));
    let boolean = forwarding("", HOST, &["boolean /Is/{b}/{+x}", "!/Is/true/me"]).replace("PATHS", "");
    assert!(messages(&[("a.yaml", &boolean)]).contains("serves `/Is/true/ME` as `/Is/true/me`"));
    // What is accepted is not asked about again.
    let accepted = forwarding("", HOST, &["/{id}"])
        .replace("PATHS", CAREFUL)
        .replace("\"/{id}\": {", "\"/{id}\": {x-gateway: {acceptRisk: [{lint: GW507, reason: one listener}]}, ");
    let guarded = forwarding("", HOST, &["!/me"]).replace("PATHS", CAREFUL);
    let found = messages(&[("a.yaml", &accepted), ("b.yaml", &guarded)]);
    assert!(found.contains("acknowledged: one listener"), "{found}");
    // A versioned document is said once: of the two paths themselves.
    let both = forwarding("/v1", HOST, &["/health", "/{id}"]).replace(", paths: {PATHS}", "");
    let found =
        messages(&[("a.yaml", &both), ("b.yaml", &forwarding("/v2", HOST, &["!/health"]).replace("PATHS", ""))]);
    assert_eq!(found.matches("[GW507]").count(), 1, "{found}");
}

/// The headlines of GW507, without the time that it takes to show all others.
fn ways_around(documents: &[(String, String)]) -> Vec<String> {
    let mut sources = SourceSet::new(documents.iter().cloned().collect::<HashMap<_, _>>(), "");
    for (name, _) in documents {
        sources.add_document(name);
    }
    let checked = gatewayc::check(&mut sources);
    let ways = checked.diagnostics.iter().filter(|diagnostic| diagnostic.code.to_string() == "GW507");
    ways.map(|diagnostic| diagnostic.headline.clone()).collect()
}

fn named(name: &str, base: &str, paths: &[String]) -> (String, String) {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    (name.to_owned(), forwarding(base, "http://h", &paths).replace("PATHS", ""))
}

#[test]
fn paths_that_are_too_many_to_compare_are_reported() {
    const TOO_MANY: &str = "there are too many paths to compare public ones with guarded ones";
    let crossing = |security: &str, count: usize| -> Vec<String> {
        let paths = |index| [format!("{security}/{{a}}/x{index}"), format!("{security}/y{index}/{{b}}")];
        (0..count).flat_map(paths).collect()
    };
    let (open, guarded) = (named("a.yaml", "/open", &crossing("", 80)), named("b.yaml", "/in", &crossing("!", 80)));
    assert!(ways_around(std::slice::from_ref(&guarded)).is_empty());
    let found = ways_around(&[open, guarded]);
    assert!(found.len() > 1, "what is found is said as well");
    assert_eq!(found.iter().filter(|headline| *headline == TOO_MANY).count(), 1, "{found:?}");
    let few = [named("a.yaml", "/open", &crossing("", 20)), named("b.yaml", "/in", &crossing("!", 20))];
    let found = ways_around(&few);
    assert_eq!(found.len(), 40, "{found:?}");
    assert!(!found.contains(&TOO_MANY.to_owned()), "{found:?}");
    // The same in one document.
    let mut mixed = crossing("", 160);
    mixed.extend(crossing("!", 160).iter().map(|path| path.replace("/y", "/z").replace("/x", "/w")));
    assert!(ways_around(&[named("a.yaml", "", &mixed)]).contains(&TOO_MANY.to_owned()));
}

#[test]
fn many_documents_of_one_upstream() {
    let documents = (0..60).map(|index| {
        let mut paths: Vec<String> = (0..15).map(|path| format!("!/r{index}/p{path}/{{id}}/a/b")).collect();
        paths.extend((0..15).map(|path| format!("/s{index}/p{path}/{{id}}")));
        paths.push("string% /files/{name}".to_owned());
        if index == 59 {
            paths.push("!/files/a/b".to_owned());
        }
        named(&format!("d{index}.yaml"), &format!("/b{index}"), &paths)
    });
    let documents: Vec<(String, String)> = documents.collect();
    // A slash that is decoded leads to what one of them guards.
    assert_eq!(ways_around(&documents).len(), 60);
}

#[test]
fn about_consumers() {
    for (security, extension, expect) in [
        ("[{key: []}]", "{consumers: {allow: [a], groups: [g], deny: [b], methods: {c: [GET]}}}", "none"),
        ("[{key: []}, {}]", "{anonymous: {consumer: guest, onInvalid: fallback}}", "none"),
        ("[{key: []}]", "{consumers: {allow: []}}", "GW104 one name or more"),
        ("[{key: []}]", "{consumers: {}}", "GW104 one rule or more"),
        ("[{key: []}]", "{consumers: {methods: {}}}", "GW104 one user name or more"),
        ("[{key: []}]", "{consumers: {deny: [\"a b\"]}}", "GW104 letters, digits"),
        ("[{key: []}, {}]", "{anonymous: {consumer: \"\"}}", "GW104 letters, digits"),
        ("[{key: []}]", "{consumers: {alow: [a]}}", "GW102 did you mean `allow`?"),
        ("[{key: []}]", "{consumers: {methods: {a: [get]}}}", "GW104 upper case"),
        ("[]", "{consumers: {allow: [a]}}", "GW209 never meets a consumer"),
        ("[{key: []}]", "{anonymous: {consumer: guest}}", "GW210 never applies"),
        ("[{key: []}, {}]", "{anonymous: {consumer: [guest]}}", "GW104 expected text"),
    ] {
        let document = format!(
            "openapi: 3.1.0\ninfo: {{title: t, version: \"1\"}}\nx-gateway: {{version: 1, upstream: {{url: \"http://127.0.0.1:1\"}}}}\n\
            components: {{securitySchemes: {{key: {{type: apiKey, in: header, name: X-Key}}}}}}\n\
            paths:\n  /a:\n    get:\n      security: {security}\n      x-gateway: {extension}\n      responses: {{}}\n  /b:\n    get: {{security: [{{key: []}}], responses: {{}}}}\n"
        );
        check(&document, expect);
    }
}

#[test]
fn about_signatures() {
    let scheme = |definition: &str, extension: &str| {
        format!(
            "openapi: 3.1.0\ninfo: {{title: t, version: \"1\"}}\nx-gateway: {{version: 1, upstream: {{url: \"http://127.0.0.1:1\"}}}}\n\
            components: {{securitySchemes: {{Sig: {{{definition}, x-gateway: {{{extension}}}}}}}}}\n\
            paths:\n  /a:\n    get: {{security: [{{Sig: []}}], responses: {{}}}}\n"
        )
    };
    const CAVAGE: &str =
        "profile: cavage-apisix, algorithms: [hmac-sha256], signedHeaders: [\"@request-target\", date]";
    for (hmac, expect) in [
        (CAVAGE, "none"),
        ("profile: rfc9421, replay: refuse, bodyDigest: required, maxBody: 10KiB, clockSkew: 30s", "none"),
        ("profile: rfc9421, signedHeaders: [\"@method\", \"@path\", \"@query\", Content-Type]", "none"),
        ("profile: apisix-v1, keepHeaders: true, replay: refuse", "none"),
        ("profile: cavage-apisix, signedHeaders: [\"@request-target\", date]", "GW311 weak algorithm"),
        ("profile: apisix-v1, algorithms: [hmac-sha1]", "GW311 weak algorithm"),
        (
            "profile: cavage-apisix, algorithms: [hmac-sha256], signedHeaders: [\"@request-target\"]",
            "GW313 the freshness check is not covered by the signature",
        ),
        (
            "profile: cavage-apisix, algorithms: [hmac-sha512], signedHeaders: [Date]",
            "GW314 request line is not covered by the signature",
        ),
        ("profile: rfc9421, signedHeaders: [\"@method\", \"@path\"]", "GW314 add @method and @target-uri"),
        ("profile: rfc9421, signedHeaders: [\"@target-uri\"]", "GW314 request line"),
        (&format!("{CAVAGE}, bodyDigest: required"), "GW314 the digest of the body is not covered"),
        ("profile: apisix-v1, bodyDigest: required", "GW314 add x-hmac-digest"),
        ("{}", "GW104 profile is missing"),
        ("algorithms: [hmac-sha256]", "GW104 profile is missing"),
        ("profile: cavage", "GW104 expected cavage-apisix or apisix-v1 or rfc9421"),
        ("profile: rfc9421, clockSkw: 5s", "GW102 did you mean clockSkew?"),
        ("profile: rfc9421, clockSkew: 5", "GW104 250ms"),
        ("profile: rfc9421, clockSkew: 500ms", "GW104 whole seconds"),
        ("profile: rfc9421, algorithms: [hmac-sha512]", "GW208 it can be hmac-sha256"),
        ("profile: apisix-v1, algorithms: [hmac-md5]", "GW208 hmac-md5 is not an algorithm"),
        ("profile: rfc9421, algorithms: []", "GW208 no algorithm is accepted"),
        ("profile: rfc9421, signedHeaders: [\"@method\", \"@target-uri\", \"@status\"]", "GW104 it is none of"),
        ("profile: rfc9421, signedHeaders: [\"@method\", \"@target-uri\", \"a b\"]", "GW104 the name of a header"),
        ("profile: rfc9421, signedHeaders: [\"@method\", \"@target-uri\", a, A]", "GW104 twice"),
        ("profile: rfc9421, signedHeaders: [\"@method\", \"@target-uri\", signature]", "GW104 cannot cover itself"),
        ("profile: apisix-v1, signedHeaders: [\"@request-target\"]", "GW104 signs the request line anyway"),
        (&CAVAGE.replace("date", "date, \"@method\""), "GW104 @request-target for the request line"),
        (&CAVAGE.replace("[hmac-sha256]", "hmac-sha256"), "GW104 expected a list"),
        ("profile: rfc9421, maxBody: 1MiB", "GW104 write bodyDigest: required"),
        ("profile: rfc9421, bodyDigest: true", "GW104 expected required or ignored"),
        ("profile: rfc9421, keepHeaders: true", "GW104 is about the headers of apisix-v1"),
        ("profile: rfc9421, replay: no", "GW104 expected accept or refuse"),
    ] {
        check(&scheme("type: http, scheme: signature", &format!("hmac: {{{hmac}}}").replace("{{}}", "{}")), expect);
    }
    let replay = CAVAGE.replace(", date]", "], replay: refuse, clockSkew: 1m");
    let found = messages(&[("a.yaml", &scheme("type: http, scheme: signature", &format!("hmac: {{{replay}}}")))]);
    assert!(found.contains("[GW208]") && found.contains("`date` is not among the signed headers"), "{found}");
    let risky = "hmac: {profile: cavage-apisix, signedHeaders: []}";
    let found = messages(&[("a.yaml", &scheme("type: http, scheme: signature", risky))]);
    assert!(["[GW311]", "[GW313]", "[GW314]"].iter().all(|code| found.contains(code)), "{found}");
    let accepted = "acceptRisk: [{lint: GW311, reason: a}, {lint: GW313, reason: b}, {lint: GW314, reason: c}]";
    let found = messages(&[("a.yaml", &scheme("type: http, scheme: signature", &format!("{risky}, {accepted}")))]);
    assert_eq!(found.matches("acknowledged: ").count(), 3, "{found}");
    for (definition, extension, expect) in [
        ("type: http, scheme: signature", "realm: r", "GW207 write x-gateway: {hmac: {profile: rfc9421}}"),
        ("type: http, scheme: basic", "hmac: {profile: rfc9421}", "GW207 not basic"),
        ("type: http, scheme: \"a b\"", "hmac: {profile: rfc9421}", "GW207 not a b"),
        ("type: apiKey, in: header, name: X-Key", "hmac: {profile: rfc9421}", "GW207 needs type: http"),
        ("type: http, scheme: signature", "bare: true, hmac: {profile: rfc9421}", "GW207 are about tokens"),
        (
            "type: http, scheme: signature",
            "alsoIn: [{in: query, name: s}], hmac: {profile: rfc9421}",
            "GW207 about tokens",
        ),
        (
            "type: http, scheme: signature",
            "forward: false, hmac: {profile: apisix-v1, keepHeaders: true}",
            "GW207 takes off the headers",
        ),
    ] {
        check(&scheme(definition, extension), expect);
    }
}

#[test]
fn types_of_parameters() {
    let types = |schema: &str| {
        let main = document("", GOOD_SCHEME, "", "")
            .replace("schema: {type: string}", schema)
            .replace("  securitySchemes:", "  schemas: {Id: {type: integer}}\n  securitySchemes:")
            .replace("[{name: id, in: path, required: true, schema: {$ref: part}}]", "[{$ref: \"part.yaml#/id\"}]");
        let part = "id: {name: id, in: path, required: true, schema: {$ref: \"#/components/schemas/Id\"}}\n\
                    components: {schemas: {Id: {type: string}}}\n";
        let files: HashMap<String, String> =
            [("a.yaml", main.as_str()), ("part.yaml", part)].map(|(name, text)| (name.into(), text.into())).into();
        let mut sources = SourceSet::new(files, "");
        sources.add_document("a.yaml");
        let checked = gatewayc::check(&mut sources);
        assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
        checked.gateway.apis[0].routes[0].operations[0].parameters.len()
    };
    assert_eq!(types("schema: {type: string}"), 0);
    assert_eq!(types("schema: {type: integer}"), 1);
    assert_eq!(types("schema: {type: [integer]}"), 1);
    assert_eq!(types("schema: {$ref: \"#/components/schemas/Id\"}"), 1);
    assert_eq!(types("schema: {$ref: part}"), 0, "the `Id` of the other file is text");
}

#[test]
fn at_a_basic_scheme() {
    for (extension, expect) in [
        ("{realm: r, forward: false}", "none"),
        ("{jwt: {identify: consumer}}", "GW207 takes a password"),
        ("{bare: true}", "GW207 takes a password"),
        ("{alsoIn: [{in: query, name: p}]}", "GW207 in `Authorization` only"),
    ] {
        let scheme = format!("{{type: http, scheme: Basic, x-gateway: {extension}}}");
        let text = document("", GOOD_SCHEME, "", "").replace("{type: http, scheme: basic}", &scheme);
        check(&text.replace("[{Jwt: []}]", "[{Basic: []}]"), expect);
    }
}

#[test]
fn names_that_stand_in_headers() {
    let key = |name: &str| {
        let scheme = format!("{{type: apiKey, in: header, name: \"{name}\"}}");
        document("", GOOD_SCHEME, "", "")
            .replace("{type: http, scheme: basic}", &scheme)
            .replace("[{Jwt: []}]", "[{Basic: []}]")
    };
    check(&key("X-Key"), "none");
    for name in ["a b", "a\\r\\nb", "#(", "Host", "Content-Length", "X_Consumer_Username"] {
        check(&key(name), "GW207 cannot stand in the header");
    }
    let scope = |scope: &str| key("X-Key").replace("[{Basic: []}]", &format!("[{{Basic: [\"{scope}\"]}}]"));
    check(&scope("notes:read"), "none");
    for bad in ["a b", "a\\r\\nX-Evil: 1", "a\\\"b", "ü"] {
        check(&scope(bad), "GW214 is not a scope");
    }
    check(
        &document("  identityHeaders: {consumer: X-A, credential: X_a}", GOOD_SCHEME, "", ""),
        "GW525 two identities",
    );
}

#[test]
fn all_schemes_of_an_object_name_one_caller() {
    let with = |security: &str| document("", GOOD_SCHEME, "", "").replace("[{Jwt: []}]", security);
    check(&with("[{Basic: [], Jwt: []}]"), "GW213 can never hold together");
    check(&with("[{Basic: []}, {Jwt: []}]"), "none");
    let two_keys = |first: &str, second: &str, security: &str| {
        let schemes = format!(
            "    One: {{type: apiKey, in: header, name: {first}}}\n    Two: {{type: apiKey, in: header, name: {second}}}\n"
        );
        with(security).replace("  securitySchemes:\n", &format!("  securitySchemes:\n{schemes}"))
    };
    check(&two_keys("X-Key", "x-key", "[{One: [], Two: []}]"), "GW216 one credential meets `One` and `Two`");
    check(&two_keys("X-Key", "x-key", "[{One: []}, {Two: []}]"), "none");
    check(&two_keys("X-Key", "X-Other", "[{One: [], Two: []}]"), "none");
    let two_issuers = |first: &str, second: &str| {
        let scheme = |more: &str| format!("jwt: {{verify: {{algorithms: [HS256], secret: {{env: S}}}}{more}}}");
        let second = format!("{{type: apiKey, in: header, name: t, x-gateway: {{{}}}}}", scheme(second));
        let text = document("", &scheme(first), "", "").replace("{type: http, scheme: basic}", &second);
        text.replace("[{Jwt: []}]", "[{Basic: [], Jwt: []}]")
    };
    check(&two_issuers("", ""), "GW213 name the same caller");
    check(&two_issuers(", issuers: [a]", ", issuers: [b]"), "GW213 name the same caller");
    check(&two_issuers(", issuers: [a, b]", ", issuers: [a, b]"), "GW213 name the same caller");
    check(&two_issuers(", issuers: [a]", ", issuers: [a]"), "none");
    let consumer = document("", "jwt: {identify: consumer}", "", "").replace("[{Jwt: []}]", "[{Basic: [], Jwt: []}]");
    check(&consumer, "GW213 a request has one");
    check(&consumer.replace("identify: consumer}", "identify: consumer}, alsoIn: [{in: cookie, name: t}]"), "none");
}

#[test]
fn versions_and_copies() {
    const UPSTREAMS: &str = "  upstreams: {x: {url: \"http://a:1\"}, y: {url: \"http://b:1\"}}\n  split: [{upstream: x, weight: 5%, by: [consumer]}]\n  mirror: {upstream: y, share: 1%}";
    let guarded = |operation: &str, paths: &str| document(UPSTREAMS, GOOD_SCHEME, operation, paths);
    let public = |operation: &str, paths: &str| {
        guarded(operation, paths).replace("operationId: getNote\n", "operationId: getNote\n      security: []\n")
    };
    for (operation, expect) in [
        ("", "none"),
        ("upstream: {url: \"http://c:1\"}", "GW533 an upstream of its own, and inherits a split of another"),
        ("upstream: {url: \"http://c:1\"}, split: off", "GW522 x"),
        ("upstream: {url: \"http://c:1\"}, split: [{upstream: x, weight: 1%}]", "none"),
        ("split: off", "GW522 x"),
        ("upstream: y, split: [{upstream: x, weight: 1%}]", "GW534 `y`"),
        ("upstream: y, split: [{upstream: x, weight: 1%}], mirror: off", "none"),
    ] {
        check(&guarded(operation, ""), expect);
    }
    check(&public("", ""), "GW529 the share of `x` is chosen by `consumer`, which no request has");
    // What is said for all operations may leave public ones to chance.
    check(&public("", "  /tasks: {get: {}}"), "none");
    check(&public("split: [{upstream: x, weight: 5%, by: [ip]}]", ""), "none");
    // Whichever upstream gets a request, it may read the path as that of another operation.
    let around = |paths: &str, x: &str| {
        public("split: [{upstream: x, weight: 5%}]", paths).replace("a:1\"", &format!("a:1\"{x}"))
    };
    let me = "  /notes/me: {get: {x-gateway: {upstream: x, split: off}}}";
    check(&around(me, ""), "GW507 /notes/{id} is public and covers /notes/me, which asks");
    check(&around(me, ", paths: {case: sensitive}"), "none");
}

#[test]
fn what_the_gateway_answers_itself() {
    let with = |security: &str, operation: &str| {
        let scheme = "{type: apiKey, in: header, name: k}";
        let text = document("", GOOD_SCHEME, operation, "").replace("{type: http, scheme: basic}", scheme);
        text.replace("[{Jwt: []}]", security)
    };
    const ACCEPTED: &str = "acceptRisk: [{lint: GW312, reason: \"only the build network\"}]";
    for (security, operation, expect) in [
        ("[{Basic: []}]", "builtin: jwt.sign", "none"),
        ("[{Basic: []}]", "builtin: jwt.sign, keyClaim: iss, responseHeaders: {set: {X-A: b}}", "none"),
        ("[{Basic: []}]", "builtin: jwt.sign, keyClaim: exp", "GW104"),
        ("[{Basic: []}]", "builtin: jwt.sign, upstream: default", "GW526 upstream"),
        ("[{Basic: []}]", "builtin: jwt.sign, rewrite: {path: /x}", "GW526 rewrite"),
        ("[{Basic: []}]", "builtin: jwt.sign, maxBody: 1KiB", "GW526 maxBody"),
        ("[{Basic: []}]", "builtin: jwt.sign, compress: {}", "GW526 compress"),
        ("[{Basic: []}]", "builtin: jwt.sign, compress: off", "none"),
        ("[{Basic: []}]", "builtin: jwt.sign, cache: {ttl: 60s, key: [consumer]}", "GW526 cache"),
        ("[{Basic: []}]", "builtin: jwt.sign, split: [{upstream: default, weight: 5%}]", "GW526 split"),
        ("[{Basic: []}]", "builtin: jwt.sign, mirror: {upstream: default}", "GW526 mirror"),
        ("[{Basic: []}]", "builtin: jwt.sign, split: off, mirror: off", "none"),
        ("[]", "builtin: jwt.sign", "GW312 anyone can have tokens signed"),
        ("[{Basic: []}, {}]", "builtin: jwt.sign", "GW312 anyone"),
        ("[]", &format!("builtin: jwt.sign, {ACCEPTED}"), "GW312 acknowledged: only the build network"),
        ("[{Basic: []}]", &format!("builtin: jwt.sign, {ACCEPTED}"), "GW319 accepts nothing"),
    ] {
        check(&with(security, operation), expect);
    }
    let root = with("[]", "builtin: jwt.sign").replace("version: 1", &format!("version: 1\n  {ACCEPTED}"));
    check(&root, "GW312 acknowledged");
    let elsewhere = with("[]", "builtin: jwt.sign")
        .replace("scheme: bearer\n      x-gateway: {", &format!("scheme: bearer\n      x-gateway: {{{ACCEPTED}, "));
    let found = messages(&[("a.yaml", &elsewhere)]);
    assert!(found.contains("error[GW312]") && found.contains("warning[GW319]"), "{found}");
}

#[test]
fn limits_of_one_name_are_one_limit() {
    let with = |limit: u32| {
        let root = format!("  limits: {{shared: {{algorithm: fixed-window, limit: {limit}, interval: 60s}}}}");
        document(&root, GOOD_SCHEME, "rateLimit: [{use: shared}]", "")
            .replace("/notes/{id}", &format!("/notes{limit}/{{id}}"))
    };
    let found = messages(&[("a.yaml", &with(2)), ("b.yaml", &with(3))]);
    assert!(found.contains("error[GW402]: group conf mismatched"), "{found}");
    let twice = document(
        "  limits: {a: {algorithm: fixed-window, limit: 3, interval: 60s}}",
        GOOD_SCHEME,
        "rateLimit: [{use: a, cost: 2}, {use: a, cost: 2}]",
        "",
    );
    check(&twice, "GW404 together");
    let same = with(3).replace("/notes3", "/others");
    assert_eq!(messages(&[("a.yaml", &with(3)), ("b.yaml", &same)]), "");
}

#[test]
fn limits_by_caller_need_a_known_caller() {
    let with = |key: &str| {
        let limit = format!("rateLimit: [{{algorithm: token-bucket, limit: 3, interval: 1s, key: [{key}]}}]");
        document("", GOOD_SCHEME, &limit, "").replace("[{Jwt: []}]", "[]")
    };
    check(&with("user"), "GW406 no such caller is known");
    check(&with("user, ip"), "none");
    check(&with("ip"), "none");
    check(&with("caller"), "none");
}

#[test]
fn tokens_of_clients_and_their_scopes() {
    let jwt = |members: &str| {
        let scheme = format!("jwt: {{verify: {{algorithms: [HS256], secret: {{env: S}}}}, {members}}}");
        document("", &scheme, "", "")
    };
    for (members, expect) in [
        ("clientIds: [app]", "none"),
        ("clientIds: []", "GW104 at least one"),
        ("clientIds: app", "GW104 a list"),
        ("clientId: [app]", "GW102 did you mean clientIds?"),
        ("scopeClaims: [realm_access.roles, permissions, \"cognito:groups\", \"https://example.org/roles\"]", "none"),
        ("scopeClaims: []", "GW104 at least one; leave the key out for scope, scp, roles"),
        ("scopeClaims: [a..b]", "GW104 a claim cannot be a..b"),
    ] {
        check(&jwt(members), expect);
    }
    for member in ["clientIds: [app]", "scopeClaims: [roles]"] {
        let scheme = format!("jwt: {{identify: consumer, {member}}}");
        check(&document("", &scheme, "", ""), "GW208 is about tokens of an issuer");
    }
    for algorithm in ["ES512", "Ed25519"] {
        let scheme = format!("jwt: {{verify: {{algorithms: [{algorithm}], publicKey: {{file: k.pem}}}}}}");
        check(&document("", &scheme, "", ""), "none");
    }
}

#[test]
fn kinds_of_caller_that_no_limit_counts() {
    const SCHEMES: &str = r#"
    own: {type: oauth2, flows: {clientCredentials: {tokenUrl: /t, scopes: {}}}, x-gateway: {token: {jwt: {verify: {algorithms: [HS256], secret: {env: S}}}}}}
    both: {type: oauth2, flows: {clientCredentials: {tokenUrl: /t, scopes: {}}, authorizationCode: {authorizationUrl: /a, tokenUrl: /t, scopes: {}}}, x-gateway: {token: {jwt: {verify: {algorithms: [HS256], secret: {env: S}}}}}}
    key: {type: apiKey, in: header, name: X-Key}
"#;
    let with = |security: &str, keys: &[&str]| {
        let limit = |key: &&str| {
            let skip = if key.starts_with('!') { "" } else { ", onMissingKey: skip" };
            format!("{{algorithm: token-bucket, limit: 3, interval: 1s, key: [{}]{skip}}}", key.trim_start_matches('!'))
        };
        let limits = keys.iter().map(limit).collect::<Vec<_>>().join(", ");
        document("", GOOD_SCHEME, &format!("rateLimit: [{limits}]"), "")
            .replace("[{Jwt: []}]", security)
            .replace("paths:\n", &format!("{}paths:\n", SCHEMES.trim_start_matches('\n')))
    };
    const KEYS: &[&str] = &["consumer", "user"];
    for (security, keys, expect) in [
        (
            "[{both: []}]",
            &["user"][..],
            "GW409 OAuth clients that act for themselves meet no limit of operation getNote",
        ),
        ("[{both: []}]", &["client"], "none"),
        ("[{both: []}]", &["caller"], "none"),
        ("[{own: []}]", &["user"], "GW406 so nothing is limited"),
        ("[{own: []}]", &["client"], "none"),
        ("[{Jwt: []}, {key: []}]", KEYS, "GW409 key: [caller]"),
        ("[{Jwt: []}, {key: []}]", &["consumer", "user", "client"], "none"),
        ("[{key: []}]", &["consumer"], "none"),
        ("[{key: []}, {}]", &["consumer"], "GW409 callers without a credential meet no limit"),
        ("[{key: []}, {}]", &["!consumer"], "none"),
        ("[{key: []}, {}]", &["consumer", "ip"], "none"),
        ("[{key: []}]", &["client"], "GW406"),
    ] {
        check(&with(security, keys), expect);
    }
}

#[test]
fn wrong_credentials_are_limited() {
    for (member, expect) in [
        ("failedAuthentication: {limit: 10, interval: 60s}", "none"),
        ("failedAuthentication: {limit: 10, interval: 60s, key: [ip, \"const:all\"]}", "none"),
        ("failedAuthentication: {limit: 10, interval: 60s, key: [ip, \"header:X-Tenant\"]}", "GW410 clients choose"),
        (
            "acceptRisk: [{lint: GW410, reason: a proxy sets it}], failedAuthentication: {limit: 10, interval: 60s, key: [\"header:X\"]}",
            "GW410 a proxy sets it",
        ),
        ("failedAuthentication: off", "none"),
        ("failedAuthentication: on", "GW104 limit: 100, interval: 60s"),
        ("failedAuthentication: {limit: 10}", "GW104 needs interval"),
        ("failedAuthentication: {limit: 0, interval: 60s}", "GW404 from 1 to"),
        ("failedAuthentication: {limit: 1, interval: 500ms}", "GW104 failedAuthentication cannot be 500ms"),
        ("failedAuthentication: {limit: 1, interval: 1m, key: [consumer]}", "GW104 names no caller"),
        ("failedAuthentication: {limit: 1, interval: 1m, algorithm: x}", "GW102 it can be limit"),
        ("failedAuthentification: {limit: 1, interval: 1m}", "GW102 did you mean failedAuthentication?"),
    ] {
        check(&document(&format!("  {}", member.replace("}], f", "}]\n  f")), GOOD_SCHEME, "", ""), expect);
        check(&document("", &format!("{GOOD_SCHEME}, {member}"), "", ""), expect);
    }
}

#[test]
fn selecting_parameters_are_forwarded() {
    let with = |path: &str, name: &str, scheme: &str, operation: &str| {
        format!(
            "openapi: 3.1.0\ninfo: {{title: t, version: \"1\"}}\nx-gateway: {{version: 1, upstream: {{url: \"http://127.0.0.1:1\"}}}}\n\
            components: {{securitySchemes: {{key: {{type: apiKey, in: header, name: X-Key, x-gateway: {{{scheme}}}}}}}}}\n\
            paths:\n  \"{path}\":\n    get:\n      security: [{{key: []}}]\n      responses: {{\"200\": {{description: ok}}}}\n      \
            parameters: [{{name: {name}, in: header, required: true, schema: {{type: string}}}}]\n      x-gateway: {{{operation}}}\n"
        )
    };
    for (path, name, scheme, operation, expect) in [
        ("/#X-Target=Get", "X-Target", "", "", "none"),
        ("/#X-Target=Get", "X-Target", "", "requestHeaders: {set: {X-Other: a}}", "none"),
        ("/#X-Target=Get", "X-Target", "", "requestHeaders: {set: {x-target: a}}", "GW515 requestHeaders change"),
        ("/#X-Target=Get", "X-Target", "", "requestHeaders: {add: {X_Target: a}}", "GW515 requestHeaders change"),
        ("/#X-Target", "X-Target", "", "requestHeaders: {remove: [X-Target]}", "GW515 requestHeaders change"),
        ("/#X-Key=a", "X-Key", "", "", "none"),
        ("/#X-Key=a", "X-Key", "forward: false", "", "GW515 does not get"),
        ("/#X-Real-Ip=a", "X-Real-IP", "", "", "GW515 X-Real-Ip"),
    ] {
        check(&with(path, name, scheme, operation), expect);
    }
}

#[test]
fn rules_for_unmatched_paths() {
    let with = |rule: &str| document(&format!("  rules: [{{{rule}}}]"), GOOD_SCHEME, "", "");
    let proxy = |more: &str| with(&format!("match: \"^/a/(.*)$\", proxy: \"http://127.0.0.1:9/b/$1\", {more}"));
    for (rule, expect) in [
        ("match: \"^/gone$\", respond: {status: 410}", "none"),
        ("match: \"^/gone$\", nocase: true, not: true, host: \"^a\\\\.\", respond: {status: 200, body: [1]}", "none"),
        ("match: \"^/a$\", respond: {status: 200, body: \"<p>\"}, contentType: text/html", "none"),
        ("match: \"^/(.*)$\", redirect: {to: \"/new/$1\", status: 307}", "none"),
        ("match: \"^/(.*)$\", redirect: {to: \"https://a.example/$1?b=${1}0#c\"}", "none"),
        ("match: \"^/(.*)$\", rewrite: \"/new/$1\", last: true", "none"),
        ("match: \"^/a\", redirect: {to: \"/$$1\"}", "none"),
        ("match: \"^/gone$\"", "GW104 one of proxy, redirect, respond and rewrite"),
        ("respond: {status: 410}", "GW104 expected match"),
        ("match: \"^/a\", respond: {status: 410}, rewrite: /b", "GW104 one of"),
        ("match: \"^/a\", respnd: {status: 410}, rewrite: /b", "GW102 did you mean respond?"),
        ("match: \"^/a\", respond: {status: 410, boddy: x}", "GW102 did you mean body?"),
        ("match: \"^/a\", redirect: {to: /b, code: 301}", "GW102 it can be to, status"),
        ("match: \"^/a\", respond: {status: 401}", "GW104 expected one of 200, 204"),
        ("match: \"^/a\", respond: {}", "GW104 expected one of"),
        ("match: \"^/a\", respond: {status: 204, body: x}", "GW104 no body"),
        ("match: \"^/a\", redirect: {to: /b, status: 304}", "GW104 expected 301, 302"),
        ("match: \"^/a\", redirect: {}", "GW104 expected to"),
        ("match: \"^/a\", nocase: 1, respond: {status: 410}", "GW104 true or false"),
        ("match: 1, respond: {status: 410}", "GW104 expected text"),
        ("match: \"(?=x)\", respond: {status: 410}", "GW502 no look-around"),
        ("match: \"(x\", respond: {status: 410}", "GW502 is not a regular expression"),
        ("match: \"(a{900}){900}\", respond: {status: 410}", "GW502 is not a regular expression"),
        ("match: \"^/a\", host: \"(\", respond: {status: 410}", "GW502 is not a regular expression"),
        ("match: \"^/(a)$\", redirect: {to: /$2}", "GW502 has 1 groups"),
        ("match: \"^/(a)$\", not: true, rewrite: /$1", "GW502 with not, nothing is captured"),
        ("match: \"^/(a)$\", redirect: {to: /$0}", "GW524 $$ is a dollar"),
        ("match: \"^/(a)$\", redirect: {to: /$12}", "GW524 ${1} before a digit"),
        ("match: \"^/(a)$\", redirect: {to: \"//$1\"}", "GW524 another host"),
        ("match: \"^/(a)$\", redirect: {to: \"/\\\\\\\\a\"}", "GW524 another host"),
        ("match: \"^/(a)$\", redirect: {to: $1}", "GW524 expected a path, or a URL"),
        ("match: \"^/(a)$\", redirect: {to: \"javascript:$1\"}", "GW524 expected a path, or a URL"),
        ("match: \"^/(a)$\", redirect: {to: \"https://a.example$1\"}", "GW524 must be written out"),
        ("match: \"^/(a)$\", redirect: {to: \"https://$1/a\"}", "GW524 must be written out"),
        ("match: \"^/(a)$\", redirect: {to: \"https://u@a/a\"}", "GW524 credentials"),
        ("match: \"^/(a)$\", redirect: {to: \"/a b\"}", "GW524 visible ASCII"),
        ("match: \"^/(a)$\", redirect: {to: \"/a\\r\\nX: 1\"}", "GW524 visible ASCII"),
        ("match: \"^/(a)$\", rewrite: $1", "GW524 starts with /"),
        ("match: \"^/(a)$\", rewrite: /../$1", "GW524 dot segments"),
        ("match: \"^/(a)$\", rewrite: /%$1", "GW524 hexadecimal"),
        ("match: \"^/(a)$\", rewrite: \"/a#$1\"", "GW524 dot segments"),
        ("match: \"^/(a)$\", rewrite: \"/a?b c\"", "GW524 percent-encoded"),
        ("match: \"^/(a)$\", rewrite: /a;b/$1", "GW524 other segments"),
        ("match: \"^/a\", rewrite: /b, security: []", "GW102 security means nothing beside rewrite"),
        ("match: \"^/a\", redirect: {to: /b}, last: true", "GW102 last means nothing beside redirect"),
        ("match: \"^/a\", redirect: {to: /b}, contentType: a/b", "GW102 belongs to proxy and respond"),
        ("match: \"^/a\", respond: {status: 410}, contentType: html", "GW104 text/html"),
        ("match: \"^/a\", respond: {status: 410}, contentType: \"a/b\\r\\nX: 1\"", "GW104 text/html"),
        ("match: \"^/a\", proxy: \"127.0.0.1\", security: []", "GW524 http://host:port/path"),
        ("match: \"^/(a)\", proxy: \"http://$1/\", security: []", "GW524 must be written out"),
        ("match: \"^/(a)\", proxy: \"http://a$1\", security: []", "GW524 with / behind it"),
        ("match: \"^/(a)\", proxy: \"http://a/b/../$1\", security: []", "GW524 dot segments"),
        ("match: \"^/(a)\", proxy: \"http://a?$1\", security: []", "GW524 starts with /"),
        ("match: \"^/(a)\", proxy: \"http://a:b/\", security: []", "GW524 a host and perhaps a port"),
        (
            "match: \"^/a\", respond: {status: 410}, acceptRisk: [{lint: GW508, reason: x}]",
            "GW319 rule 1 accepts GW508",
        ),
    ] {
        check(&with(rule), expect);
    }
    for (more, expect) in [
        ("security: []", "none"),
        ("security: [{Jwt: [a]}, {}]", "none"),
        ("contentType: \"text/html; charset=utf-8\", security: [{Jwt: []}]", "none"),
        ("nocase: false", "GW503 unprotected rule"),
        ("nocase: false", "GW503 write security: []"),
        ("security: [{Jwd: []}]", "GW202 rule 1 requires scheme Jwd"),
        ("security: {}", "GW204"),
        ("security: [{Digest: []}]", "GW207"),
        ("secuirty: []", "GW102 did you mean security?"),
    ] {
        check(&proxy(more), expect);
    }
    // The same server as that of a path that asks for a credential.
    for (url, security, expect) in [
        ("http://127.0.0.1:8080/$1", "[]", "GW508 rule 1 is public and forwards to where getNote does"),
        ("http://127.0.0.1:8080/$1", "[{Jwt: []}, {}]", "GW508 may reach what is guarded"),
        ("http://127.0.0.1:8080/$1", "[{Jwt: []}]", "none"),
        ("http://127.0.0.1:8080/$1", "[], acceptRisk: [{lint: GW508, reason: x}]", "GW508 acknowledged: x"),
        ("http://127.0.0.1:8081/$1", "[]", "none"),
    ] {
        check(&with(&format!("match: \"^/(.*)$\", proxy: \"{url}\", security: {security}")), expect);
    }
    // The gateway's own credential.
    let partner = "  upstreams: {crm: {url: \"http://127.0.0.1:9\", upstreamAuth: {bearer: {env: T}}}}\n  rules: ";
    for (security, expect) in [
        ("[]", "GW508 with the gateway's own credential for the upstream crm"),
        ("[{}]", "GW508 anyone may do there what the gateway may"),
        ("[{Jwt: []}]", "none"),
        ("[], acceptRisk: [{lint: GW508, reason: x}]", "GW508 acknowledged: x"),
    ] {
        let rule = format!("[{{match: \"^/(.*)$\", proxy: \"http://127.0.0.1:9/$1\", security: {security}}}]");
        check(&document(&format!("{partner}{rule}"), GOOD_SCHEME, "", ""), expect);
    }
    let list = |root: &str| document(root, GOOD_SCHEME, "", "");
    check(&list("  rules: {}"), "GW104 expected a list");
    check(&list("  rules: [a]"), "GW104 expected a mapping");
    let many = "{match: a, respond: {status: 410}}, ".repeat(101);
    check(&list(&format!("  rules: [{many}]")), "GW104 at most 100");
    check(&list("  consumers: {allow: [a]}\n  rules: []"), "GW209");
}

#[test]
fn rules_inherit_from_the_root() {
    let root = "  maxBody: 1KiB\n  requestHeaders: {set: {X-A: b}}\n  rewrite: {path: /x}\n  \
        upstreams: {old: {url: \"http://127.0.0.1:9\", timeout: 3s}}\n  \
        rateLimit: [{algorithm: token-bucket, limit: 1, interval: 1s}]\n  \
        rules: [{match: \"^/a/(.*)$\", proxy: \"http://127.0.0.1:9/$1\", security: [{Jwt: []}]}]";
    let files: HashMap<String, String> = [("a.yaml".to_owned(), document(root, GOOD_SCHEME, "", ""))].into();
    let mut sources = SourceSet::new(files, "");
    sources.add_document("a.yaml");
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
    let api = &checked.gateway.apis[0];
    let operation = api.rules[0].operation().expect("it forwards");
    assert_eq!(operation.max_body.to_string(), "1KiB");
    assert_eq!(operation.request_headers.set, [("X-A".to_owned(), "b".to_owned())]);
    assert_eq!(operation.limits, api.routes[0].operations[0].limits, "one counter for all");
    assert!(
        matches!(&operation.action, gatewayc::ir::Action::Forward { upstream, rewrite: gatewayc::ir::Rewrite::Received { base }, .. } if upstream == "old" && base.is_empty())
    );
    for (method, url, answer) in [
        ("GET", "/a/b?c=d", "meets rule 1 of a, ^/a/(.*)$: forwarded as /b?c=d"),
        ("GET", "/notes/7", "is answered by `getNote`"),
        ("GET", "/b", "is answered with 404"),
    ] {
        let text = gatewayc::explain::explain(&checked.gateway, method, url, &[]).text();
        assert!(text.contains(answer), "{url}: {text}");
    }
}

#[test]
fn upgrades() {
    let with_key = |scheme: &str, place: &str, operation: &str| {
        let key = format!("type: apiKey\n      in: {place}\n      name: sid");
        document("", scheme, operation, "").replace("type: http\n      scheme: bearer", &key)
    };
    for (upgrade, expect) in [
        ("[websocket]", "none"),
        ("[WebSocket]", "none"),
        ("{protocols: [websocket], idle: 5m, untilExpiry: true, origins: [\"https://app.example\"]}", "none"),
        ("websocket", "GW104 write [websocket]"),
        ("[]", "GW104 expected [websocket]"),
        ("[websockets]", "GW104 did you mean websocket?"),
        ("[h2c]", "GW104 expected websocket"),
        ("true", "GW104 write [true]"),
        ("{}", "GW104 protocols is missing"),
        ("{protocol: [websocket]}", "GW102 did you mean protocols?"),
        ("{protocols: [websocket], idle: 5}", "GW104 write 5s"),
        ("{protocols: [websocket], untilExpiry: 1}", "GW104 true or false"),
        ("{protocols: [websocket], origins: []}", "GW104 expected one origin or more"),
        ("{protocols: [websocket], origins: [app.example]}", "GW540 in upgrade"),
        ("{protocols: [websocket], origins: [\"*\", \"https://app.example\"]}", "GW540 stands alone"),
    ] {
        check(&document("", GOOD_SCHEME, &format!("upgrade: {upgrade}"), ""), expect);
        check(&document(&format!("  upgrade: {upgrade}"), GOOD_SCHEME, "", ""), "GW102 an operation");
    }
    for (more, is_cookie, expect) in [
        ("upgrade: [websocket], builtin: mock", false, "GW550 speaks no other protocol"),
        ("upgrade: [websocket], upstream: {url: \"h2c://127.0.0.1:1\"}", false, "GW550 HTTP/2"),
        ("upgrade: [websocket], upstream: {url: \"h2://a.example\"}", false, "GW550 HTTP/2"),
        ("upgrade: [websocket], split: [{upstream: {url: \"h2c://127.0.0.1:1\"}, weight: 5%}]", false, "GW550 HTTP/2"),
        ("upgrade: [websocket], upstream: {url: \"https://a.example\"}", false, "none"),
        ("upgrade: [websocket]", true, "GW551 whatever page asks"),
        ("upgrade: {protocols: [websocket], origins: [\"*\"]}", true, "GW551 * is every origin"),
        ("upgrade: [websocket], cors: {origins: [\"*\"]}", true, "GW551 * is every origin"),
        ("upgrade: {protocols: [websocket], origins: [\"null\"]}", true, "GW551 the origin null"),
        ("upgrade: [websocket], cors: off", true, "GW551 no origins are listed"),
        ("upgrade: [websocket], cors: {origins: [\"https://app.example\"]}", true, "none"),
        ("upgrade: {protocols: [websocket], origins: [\"https://app.example\"]}", true, "none"),
    ] {
        let document = if is_cookie { with_key("", "cookie", more) } else { document("", GOOD_SCHEME, more, "") };
        check(&document, expect);
    }
    for (method, security, upgrade, expect) in [
        ("post", "[]", "[websocket]", "GW550 which is no GET"),
        ("head", "[]", "[websocket]", "GW550 which is no GET"),
        ("get", "[]", "[websocket]", "none"),
        ("get", "[]", "{protocols: [websocket], untilExpiry: true}", "GW550 nothing that expires"),
        ("get", "[{Basic: []}]", "{protocols: [websocket], untilExpiry: true}", "none"),
    ] {
        let path = format!("  /more: {{{method}: {{security: {security}, x-gateway: {{upgrade: {upgrade}}}}}}}");
        check(&document("", GOOD_SCHEME, "", &path), expect);
    }
    for (place, operation, expect) in [
        ("{in: subprotocol, prefix: \"key.\"}", "upgrade: [websocket]", "none"),
        ("{in: subprotocol, prefix: \"key.\"}", "", "GW552 no operation has them"),
        ("{in: subprotocol, name: \"key.\"}", "upgrade: [websocket]", "GW102 name"),
        ("{in: subprotocol}", "upgrade: [websocket]", "GW104 prefix"),
        ("{in: subprotocol, prefix: \"\"}", "upgrade: [websocket]", "GW104 a subprotocol can have"),
        ("{in: subprotocol, prefix: \"a b\"}", "upgrade: [websocket]", "GW104 a subprotocol can have"),
        ("{in: subprotocols, prefix: a}", "upgrade: [websocket]", "GW102 prefix"),
    ] {
        check(&with_key(&format!("alsoIn: [{place}]"), "header", operation), expect);
    }
}

#[test]
fn pages_of_other_origins() {
    for (cors, expect) in [
        ("{origins: [\"https://app.example\"]}", "none"),
        (
            "{origins: [\"https://app.example\", \"null\", \"https://*.a.example:8443\"], credentials: true, maxAge: 10m, headers: [X-A], expose: [X-B], privateNetwork: true, enforce: true}",
            "none",
        ),
        ("{origins: [\"*\"], maxAge: 1m}", "none"),
        ("off", "none"),
        ("on", "GW104 expected {origins:"),
        ("true", "GW104 or off"),
        ("{}", "GW104 origins is missing"),
        ("{origins: []}", "GW104 expected one origin or more"),
        ("{origins: \"https://app.example\"}", "GW104 write [https://app.example]"),
        ("{origins: [1]}", "GW104 expected text"),
        ("{orgins: [\"*\"]}", "GW102 did you mean origins?"),
        ("{origins: [\"*\"], credentails: true}", "GW102 did you mean credentials?"),
        ("{origins: [\"*\"], maxAge: 10}", "GW104 write 10s"),
        ("{origins: [\"*\"], maxAge: 500ms}", "GW104 whole seconds"),
        ("{origins: [\"*\"], headers: [\"*\"]}", "GW104 expected names of headers"),
        ("{origins: [\"*\"], headers: [\"X Y\"]}", "GW104 the name of a header"),
        ("{origins: [\"*\"], expose: X-A}", "GW104 write [X-A]"),
        ("{origins: [\"*\"], privateNetwork: 1}", "GW104 true or false"),
        ("{origins: [\"app.example\"]}", "GW540 did you mean https://app.example?"),
        ("{origins: [\"app.example:8443\"]}", "GW540 did you mean https://app.example:8443?"),
        ("{origins: [\"https://app.example/\"]}", "GW540 did you mean https://app.example?"),
        ("{origins: [\"https://127.1\"]}", "GW540 did you mean https://127.0.0.1?"),
        ("{origins: [\"https://App.Example:443\"]}", "GW540 did you mean https://app.example?"),
        ("{origins: [\"https://b\u{fc}cher.example\"]}", "GW540 location.origin"),
        ("{origins: [\"https://app.example/a?b\"]}", "GW540 scheme, host and port only"),
        ("{origins: [\"https://u:hunter2@app.example\"]}", "GW540 with a user name"),
        ("{origins: [\"https://*\"]}", "GW540 a whole label"),
        ("{origins: [\"https://a.*.example\"]}", "GW540 a whole label"),
        ("{origins: [\"http://localhost:*\"]}", "GW540 a whole label"),
        ("{origins: [\"https://app.example:0\"]}", "GW540 without a host"),
        ("{origins: [\"*\", \"https://app.example\"]}", "GW540 stands alone"),
        ("{origins: [\"*\"], credentials: true}", "GW541 every page act for its visitor"),
        ("{origins: [\"*\"], enforce: true}", "GW542 refuses no request"),
    ] {
        check(&document(&format!("  cors: {cors}"), GOOD_SCHEME, "", ""), expect);
        check(&document("", GOOD_SCHEME, &format!("cors: {cors}"), ""), expect);
    }
    const CORS: &str = "cors: {origins: [\"https://app.example\"]}";
    for (root, operation, expect) in [
        ("  preflight: answer", CORS, "GW542 both answer preflight requests"),
        (&*format!("  preflight: answer\n  {CORS}"), "", "GW542 both answer"),
        ("  preflight: answer", "cors: off", "none"),
        (&*format!("  preflight: forward\n  {CORS}"), "", "none"),
        (
            &*format!("  {CORS}\n  responseHeaders: {{set: {{access-control-allow-origin: a}}}}"),
            "",
            "GW542 and so does cors",
        ),
        (
            &*format!("  {CORS}"),
            "responseHeaders: {add: {Access-Control-Max-Age: 1}}",
            "GW542 remove Access-Control-Max-Age",
        ),
        (&*format!("  {CORS}"), "cors: off, responseHeaders: {add: {Access-Control-Max-Age: 1}}", "none"),
        (&*format!("  {CORS}"), "responseHeaders: {remove: [Access-Control-Max-Age], add: {Vary: Accept}}", "none"),
    ] {
        check(&document(root, GOOD_SCHEME, operation, ""), expect);
    }
    for (headers, expect) in [
        ("standard", "none"),
        ("off", "none"),
        ("{}", "none"),
        ("{referrer-policy: same-origin, X-Content-Type-Options: off, Permissions-Policy: \"camera=()\"}", "none"),
        ("strict", "GW104 expected standard, off, or"),
        ("{Referrer-Policy: a, referrer-policy: b}", "GW525 twice"),
        ("{X-Other: off}", "GW104 standard does not have it"),
        ("{\"X Y\": a}", "GW525 not the name of a header"),
        ("{Transfer-Encoding: a}", "GW525 belongs to the connection"),
        ("{Referrer-Policy: \"a\\r\\nb\"}", "GW525 visible ASCII"),
        ("{Strict-Transport-Security: max-age=1}", "GW525 hsts"),
        ("{Access-Control-Allow-Origin: \"*\"}", "GW525 write cors"),
    ] {
        check(&document(&format!("  securityHeaders: {headers}"), GOOD_SCHEME, "", ""), expect);
    }
}

/// What pages may do is what is described.
#[test]
fn cors_is_derived_from_the_document() {
    let paths = "  /things:\n    \
        parameters: [{name: X-Trace, in: header, schema: {type: string}}, {name: authorization, in: header, schema: {}}]\n    \
        get:\n      operationId: list\n      security: []\n      \
        responses: {\"200\": {description: ok, headers: {X-Rows: {}, Content-Type: {}}}, \"4XX\": {$ref: \"#/components/responses/No\"}}\n    \
        put:\n      operationId: replace\n      requestBody: {content: {text/plain: {}}}\n      \
        x-gateway: {rateLimit: [{algorithm: token-bucket, limit: 1, interval: 1s, key: [ip], headerPrefix: Own}]}\n    \
        delete: {operationId: drop, security: [{Basic: []}], x-gateway: {cors: {origins: [\"https://b.example\"], headers: [x-trace, Cookie]}}}\n    \
        post: {operationId: add, x-gateway: {cors: off}}";
    let root = "  cors: {origins: [\"https://a.example\"], expose: [X-Total]}";
    let text = document(root, GOOD_SCHEME, "", paths).replace(
        "  securitySchemes:",
        "  responses: {No: {description: no, headers: {X-Why: {}}}}\n  securitySchemes:",
    );
    let files: HashMap<String, String> = [("a.yaml".to_owned(), text)].into();
    let mut sources = SourceSet::new(files, "");
    sources.add_document("a.yaml");
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
    let operations = checked.gateway.apis[0].routes.iter().flat_map(|route| &route.operations);
    let found: Vec<String> = operations
        .filter(|operation| operation.id != "getNote")
        .map(|operation| match &operation.cors {
            Some(cors) => {
                let [methods, headers, exposed] =
                    [&cors.methods, &cors.headers, &cors.exposed].map(|names| names.join(" "));
                format!("{}: {methods} | {headers} | {exposed}", operation.id)
            }
            None => format!("{}: none", operation.id),
        })
        .collect();
    const LIMITS: &str = "RateLimit RateLimit-Policy Retry-After WWW-Authenticate X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset X-Request-Id";
    assert_eq!(
        found,
        [
            format!("drop: DELETE | Authorization X-Trace | {LIMITS}"),
            "list: GET HEAD PUT | X-Trace | Retry-After WWW-Authenticate X-Request-Id X-Rows X-Total X-Why".to_owned(),
            "add: none".to_owned(),
            "replace: GET HEAD PUT | Authorization Content-Type X-Trace | Retry-After WWW-Authenticate X-Own-RateLimit-Limit X-Own-RateLimit-Remaining X-Own-RateLimit-Reset X-Request-Id X-Total".to_owned(),
        ]
    );
    let told = gatewayc::explain::explain(&checked.gateway, "GET", "/things", &[]).text();
    assert!(told.contains("  cors: https://a.example\n  cors methods: GET, HEAD, PUT\n"), "{told}");
}
