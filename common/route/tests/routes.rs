//! Which route answers: a table, the corpus, and a naive reference on random templates.

#![expect(clippy::disallowed_methods, reason = "the corpus is files, and the time is measured")]

use gateway_route::{Allowance, Ambiguous, Condition, Outcome, RequestPath, Router, RouterBuilder, Template};

/// Routes as `name template [?name=value]`, and what each request is answered by: `name parameters…`.
struct Case {
    routes: &'static [Route],
    requests: &'static [(&'static str, &'static str)],
}

type Route = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    // A pattern, a pattern with more literal characters, and a literal in one segment.
    Case {
        routes: &[
            ("word", "/feeds/{word}.atom", &[]),
            ("page", "/feeds/page-{page}.atom", &[]),
            ("latest", "/feeds/latest.atom", &[]),
        ],
        requests: &[
            ("/feeds/latest.atom", "latest"),
            ("/feeds/page-7.atom", "page page=7"),
            ("/feeds/rust.atom", "word word=rust"),
            ("/feeds/.atom", "-"),
            ("/feeds/rust.rss", "-"),
        ],
    },
    // Two parameters side by side, and between literals.
    Case {
        routes: &[
            ("both", "/p/{id}{ext}", &[]),
            ("tile", "/t/{z}/{x}.{ext}", &[]),
            ("caption", "/t/{z}/caption.{ext}", &[]),
            ("range", "/c/{base}...{head}", &[]),
            ("odata", "/certs(alg={alg},print={print})", &[]),
        ],
        requests: &[
            ("/p/ab", "both id=a ext=b"),
            ("/p/a", "-"),
            ("/t/1/2.png", "tile z=1 x=2 ext=png"),
            ("/t/1/caption.png", "caption z=1 ext=png"),
            ("/c/main...dev", "range base=main head=dev"),
            ("/c/main", "-"),
            ("/certs(alg=sha1,print=ff)", "odata alg=sha1 print=ff"),
        ],
    },
    // Back to another shape: the literal, or the pattern, has no continuation.
    Case {
        routes: &[
            ("suffix", "/bt/{a}.x/one", &[]),
            ("plain", "/bt/{b}/two", &[]),
            ("prefix", "/img-{n}/one", &[]),
            ("tenant", "/{tenant}/two", &[]),
            ("numbered", "/s/x{n}", &[]),
            ("under", "/{t}/xyz", &[]),
            ("any", "/{t}/{u}", &[]),
        ],
        requests: &[
            ("/bt/q.x/one", "suffix a=q"),
            ("/bt/q.x/two", "plain b=q.x"),
            ("/img-1/one", "prefix n=1"),
            ("/img-1/two", "tenant tenant=img-1"),
            ("/s/xyz", "numbered n=yz"),
            ("/s/y", "any t=s u=y"),
            ("/s/two", "tenant tenant=s"),
            ("/r/xyz", "under t=r"),
            ("/s/", "-"),
        ],
    },
    // Greedy parameters come last, in the middle too.
    Case {
        routes: &[
            ("rest", "/api/{+rest}", &[]),
            ("exact", "/api/{id}", &[]),
            ("verb", "/api/{+name}:publish", &[]),
            ("topics", "/{+project}/topics", &[]),
            ("deep", "/api/v1/{+rest}", &[]),
        ],
        requests: &[
            ("/api/a", "exact id=a"),
            ("/api/a:publish", "exact id=a:publish"),
            ("/api/a/b:publish", "verb name=a/b"),
            ("/api/a/b", "rest rest=a/b"),
            ("/api/v1/b", "deep rest=b"),
            ("/api/v1/b:publish", "deep rest=b:publish"),
            ("/api/v1/", "rest rest=v1/"),
            ("/q/w/topics", "topics project=q/w"),
            ("/api/", "-"),
            ("/api/a%2Fb/c", "-"),
            ("/api/a%2Fb", "-"),
            ("/api/a;b", "-"),
            ("/api/a;b/c", "-"),
        ],
    },
    // A greedy template is no way around the others, whatever the upstream does with the path.
    Case {
        routes: &[("public", "/{+path}", &[]), ("guarded", "/admin/{id}", &[])],
        requests: &[
            ("/admin/7", "guarded id=7"),
            ("/%61dmin/7", "guarded id=7"),
            ("//admin/7", "-"),
            ("/admin//7", "-"),
            ("/admin;x/7", "-"),
            ("/admin%3Bx/7", "-"),
            ("/admin%5C7", "-"),
            ("/admin%2F7", "-"),
            ("/admin%252F7", "-"),
            ("/x//", "-"),
            ("/admin/7/", "public path=admin/7/"),
            ("/a%2Cb/c", "public path=a,b/c"),
        ],
    },
    // Conditions on the query; encoded spaces; empty segments.
    Case {
        routes: &[
            ("bare", "/t", &[]),
            ("v2", "/t", &[("v", "2")]),
            ("v2x", "/t", &[("v", "2"), ("x", "a b")]),
            ("start", "/", &[("Action", "Start")]),
            ("invite", "/invite", &[]),
            ("space", "/invite ", &[]),
            ("colon", "/hooks/:token", &[]),
            ("hollow", "/a//b", &[]),
            ("full", "/a/{x}/b", &[]),
        ],
        requests: &[
            ("/t", "bare"),
            ("/t?v=2", "v2"),
            ("/t?v=2&v=2", "-"),
            ("/t?v=1", "bare"),
            ("/t?v=1&v=2", "-"),
            ("/t?v=2&x=1&x=2", "-"),
            ("/t?y=1&y=2;z&%79=%zz", "bare"),
            ("/t?y=1;v=2", "-"),
            ("/t?v=2;", "-"),
            ("/t?v=%zz", "-"),
            ("/t?%7=2", "-"),
            ("/invite?v=2&v=2&%", "invite"),
            ("/t?x=a+b&v=%32", "v2x"),
            ("/?Action=Start", "start"),
            ("/", "-"),
            ("/invite", "invite"),
            ("/invite%20", "space"),
            ("/hooks/:token", "colon"),
            ("/hooks/x", "-"),
            ("/a//b", "hollow"),
            ("/a/%78/b", "full x=x"),
        ],
    },
    // Conditions of another route with the same template count, those of a less specific one do not; and what is less
    // specific does not answer in its place.
    Case {
        routes: &[
            ("read", "/act", &[("a", "read")]),
            ("drop", "/act", &[("b", "drop")]),
            ("other", "/{x}", &[("c", "1")]),
            ("any", "/{x}", &[]),
            ("rest", "/{+x}", &[]),
        ],
        requests: &[
            ("/act?a=read", "read"),
            ("/act?a=read&b=drop", "read"),
            ("/act?a=read&b=drop&b=drop", "-"),
            ("/act?b=drop;", "-"),
            ("/act?a=read&c=1&c=1", "read"),
            ("/act?c=1", "other x=act"),
            ("/act?c=1&c=1", "-"),
            ("/act", "any x=act"),
            ("/x?a=read;&b=%", "any x=x"),
            ("/x/y?a=1&a=1&c=1;", "rest x=x/y"),
        ],
    },
    // The same name twice.
    Case { routes: &[("twice", "/maps/{id}/copies/{id}", &[])], requests: &[("/maps/1/copies/2", "twice id=1 id=2")] },
];

#[test]
fn the_most_specific_answers_in_any_order() {
    for case in CASES {
        for rotation in 0..case.routes.len() {
            let mut builder = RouterBuilder::new();
            let mut routes = case.routes.to_vec();
            routes.rotate_left(rotation);
            for (name, template, when) in routes {
                let when = when.iter().map(|&(name, value)| Condition::query(name, value)).collect();
                builder.insert(parse(template), when, name);
            }
            let (router, conflicts) = builder.build();
            assert!(conflicts.is_empty());
            for &(request, expected) in case.requests {
                assert_eq!(answer(&router, request), expected, "{request}");
            }
        }
    }
}

#[test]
fn the_corpus() {
    let folder = std::env::var("GATEWAY_CORPUS").unwrap_or_else(|_| "../../../shared/corpus".into());
    let read = |name: &str| std::fs::read_to_string(format!("{folder}/synthetic/{name}"));
    let (Ok(document), Ok(expectations)) = (read("route-conflicts.yaml"), read("route-conflicts.expect.json")) else {
        return;
    };
    let mut builder = RouterBuilder::new();
    let mut template = None;
    for line in document.lines() {
        if let Some(path) = line.strip_prefix("  /") {
            let path = path.split_once(": ").map_or(path.trim_end_matches(':'), |(path, _)| path);
            template = Some(parse(&format!("/{path}")));
        }
        if let (Some(path), Some((_, operation))) = (&template, line.split_once("operationId: ")) {
            builder.insert(path.clone(), Vec::new(), operation.split(',').next().unwrap_or_default().trim().to_owned());
            template = None;
        }
    }
    let (router, _) = builder.build();
    let mut count = 0;
    for line in expectations.lines().filter(|line| line.contains("\"/")) {
        let mut words = line.split('"').skip(1).step_by(2).skip(1);
        let (Some(path), operation) = (words.next(), words.next()) else { panic!("{line}") };
        let mut expected = operation.unwrap_or("-").to_owned();
        let has_values = !line.contains(",null");
        while let (true, Some(name), Some(value)) = (has_values, words.next(), words.next()) {
            expected = format!("{expected} {name}={value}");
        }
        let found = answer(&router, path);
        let found = if has_values { found } else { found.split(' ').next().unwrap_or_default().to_owned() };
        assert_eq!(found, expected, "{path}");
        count += 1;
    }
    assert!(count > 20);
}

#[test]
fn equal_templates_and_overlaps_are_reported() {
    let mut builder = RouterBuilder::new();
    for template in ["/a/{x}", "/a/{y}", "/amb/{p}/history", "/amb/autoscale/{q}", "/a/me", "/a/{+rest}"] {
        builder.insert(parse(template), Vec::new(), ());
    }
    let (router, conflicts) = builder.build();
    assert_eq!(conflicts.iter().map(|conflict| (conflict.first, conflict.second)).collect::<Vec<_>>(), [(0, 1)]);
    let overlaps: Vec<_> =
        router.overlaps().into_iter().map(|overlap| (overlap.first, overlap.second, overlap.example)).collect();
    assert_eq!(overlaps, [(3, 2, "/amb/autoscale/history".to_owned())]);
    assert_eq!(router.masks(), [(0, 5), (1, 5), (4, 0), (4, 5)]);
    let path = RequestPath::parse("/a/me").expect("a path");
    let outcomes: Vec<_> = router.explain(&path, None).into_iter().map(|considered| considered.outcome).collect();
    assert_eq!(outcomes[0], Outcome::LessSpecific { than: 4 });
    assert_eq!(outcomes[4], Outcome::Answers);
    assert_eq!(outcomes[2], Outcome::Path { segment: 0 });
}

#[test]
fn an_unclear_query_is_explained() {
    let mut builder = RouterBuilder::new();
    builder.insert(parse("/act"), vec![Condition::query("action", "delete")], ());
    builder.insert(parse("/act"), Vec::new(), ());
    builder.insert(parse("/{x}"), Vec::new(), ());
    let (router, _) = builder.build();
    let path = RequestPath::parse("/act").expect("a path");
    for query in ["action=delete&action=delete", "x;action=delete", "action=delete;", "action=%zz"] {
        assert!(router.find(&path, Some(query)).is_none(), "{query}");
        for considered in router.explain(&path, Some(query)) {
            assert_eq!(considered.outcome, Outcome::UnclearQuery { name: "action".into() }, "{query}");
        }
    }
}

#[test]
fn agrees_with_trying_every_template() {
    let mut random = Random(1);
    let pieces = [
        "a", "b", "ab", "{p}", "{q}", "{p}.a", "a{p}", "{p}{q}", "{p}b{q}", "a{p}b", "", "{+r}", "{+r}b", "a{+r}",
        "a;b", "{p};{q}",
    ];
    let texts = ["a", "b", "ab", "aab", "x.a", "axb", "", "a.a", "%2F", "bab", "a;b", "%5C", "a%25", "a;;b"];
    // `{q}` takes a semicolon, and `{+r}` an encoded slash, in every other round.
    let allowances = [("q", Allowance::of(&[Ambiguous::Semicolon])), ("r", Allowance::of(&[Ambiguous::EncodedSlash]))];
    let mut answered = 0;
    for round in 0..6_000 {
        let allowances = if round % 2 == 0 { &[][..] } else { &allowances };
        let mut builder = RouterBuilder::new();
        let mut templates = Vec::new();
        for index in 0..1 + random.below(8) {
            let mut text = String::new();
            for _ in 0..1 + random.below(3) {
                text = format!("{text}/{}", pieces[random.below(pieces.len())]);
            }
            let when = if random.below(6) == 0 { vec![Condition::query("k", "v")] } else { Vec::new() };
            let template = allowances
                .iter()
                .fold(parse(&text), |template, (name, allowance)| template.with_allowance(name, *allowance));
            templates.push((template.clone(), when.clone()));
            builder.insert(template, when, index);
        }
        let (router, conflicts) = builder.build();
        // Of two equal templates one never answers, whatever its parameters take.
        if !allowances.is_empty() && !conflicts.is_empty() {
            continue;
        }
        for _ in 0..12 {
            let mut raw = String::new();
            for _ in 0..1 + random.below(4) {
                raw = format!("{raw}/{}", texts[random.below(texts.len())]);
            }
            let path = RequestPath::parse(&raw).expect("a path");
            let query = [None, Some("k=v"), Some("k=v&k=v")][random.below(3)];
            let is_unclear = query == Some("k=v&k=v");
            let expected = (0..templates.len())
                .filter(|&index| query.is_some() || templates[index].1.is_empty())
                .filter(|&index| naive(&templates[index].0.to_string(), path.canonical(), !allowances.is_empty()))
                .min_by(|&a, &b| {
                    let (a, b) = (&templates[a], &templates[b]);
                    a.0.specificity(&b.0).then(b.1.len().cmp(&a.1.len()))
                })
                .filter(|&index| !is_unclear || templates[index].1.is_empty());
            let found = router.find(&path, query).map(|found| found.index);
            assert_eq!(
                found,
                expected,
                "{raw} {query:?} {:?}",
                templates.iter().map(|(template, when)| format!("{template} {}", when.len())).collect::<Vec<_>>()
            );
            answered += usize::from(found.is_some());
        }
    }
    assert!(answered > 6_000, "{answered}");
}

#[test]
fn many_templates_are_built_quickly() {
    let start = std::time::Instant::now();
    let mut builder = RouterBuilder::new();
    for index in 0..20_000 {
        let text = match index % 4 {
            0 => format!("/v1/kind{index}/{{id}}"),
            1 => format!("/v1/{{name}}:verb{index}"),
            2 => format!("/{{tenant}}/things/sub{index}/{{a}}.{{b}}"),
            _ => format!("/files/bucket{index}/{{+key}}"),
        };
        builder.insert(parse(&text), Vec::new(), index);
    }
    let (router, conflicts) = builder.build();
    assert!(conflicts.is_empty());
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert_eq!(answer(&router, "/v1/a:verb17"), "17 name=a");
    assert_eq!(answer(&router, "/files/bucket3/a/b"), "3 key=a/b");
    assert!(router.overlaps().len() < 1_000_000);
}

/// Every way to take the template apart, without any cleverness. `allows` a semicolon in `{q}` and `%2F` in `{+r}`.
fn naive(template: &str, path: &str, allows: bool) -> bool {
    naive_from(template, path, 0, allows)
}

fn naive_from(template: &str, whole: &str, at: usize, allows: bool) -> bool {
    let path = &whole[at..];
    let Some(first) = template.chars().next() else {
        return path.is_empty();
    };
    if first != '{' {
        let rest = &template[first.len_utf8()..];
        return path.starts_with(first) && naive_from(rest, whole, at + first.len_utf8(), allows);
    }
    let (greedy, takes_semicolon) = (template.starts_with("{+"), allows && template.starts_with("{q"));
    let takes_slash = allows && template.starts_with("{+r");
    let template = template.split_once('}').map_or("", |(_, rest)| rest);
    let mut taken = 0;
    while taken < path.len() {
        let rest = &path[taken..];
        let empty_segment = rest.starts_with("//") || rest.starts_with('/') && whole[..at + taken].ends_with('/');
        let is_refused = rest.starts_with('%') && !(takes_slash && rest.starts_with("%2F"))
            || rest.starts_with(';') && !takes_semicolon
            || rest.starts_with('\\');
        if is_refused || rest.starts_with('/') && !greedy || empty_segment && greedy {
            return false;
        }
        taken += if rest.starts_with('%') { 3 } else { rest.chars().next().map_or(1, char::len_utf8) };
        if naive_from(template, whole, at + taken, allows) {
            return true;
        }
    }
    false
}

fn parse(template: &str) -> Template {
    Template::parse(template).unwrap_or_else(|error| panic!("{template}: {error}"))
}

fn answer<T: ToString>(router: &Router<T>, request: &str) -> String {
    let (path, query) = request.split_once('?').map_or((request, None), |(path, query)| (path, Some(query)));
    let path = RequestPath::parse(path).expect("a path");
    let Some(found) = router.find(&path, query) else {
        return "-".into();
    };
    let mut text = found.value.to_string();
    for param in found.params.iter() {
        text = format!("{text} {}={}", param.name, param.canonical);
    }
    text
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
}

#[test]
fn detached_parameters_are_the_same() {
    let mut builder = RouterBuilder::new();
    builder.insert(Template::parse("/a/{x}/b-{y}/{+rest}").expect("a template"), Vec::new(), ());
    let (router, _) = builder.build();
    let kept = {
        let received = "/a/1%c3%a9/b-%41/c/d%20e".to_owned();
        let path = RequestPath::parse(&received).expect("a path");
        router.find(&path, None).expect("a match").params.detach()
    };
    drop(router);
    let params = kept.params();
    let all: Vec<_> = params.iter().map(|param| (param.name, param.canonical, param.wire)).collect();
    assert_eq!(all, [("x", "1é", "1%C3%A9"), ("y", "A", "A"), ("rest", "c/d e", "c/d%20e")]);
}
