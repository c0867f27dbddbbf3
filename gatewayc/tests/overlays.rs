//! Overlays: what they make of a document, what is wrong with them and where, and that every input ends.

#![expect(clippy::disallowed_methods, reason = "the corpus is files, and the time is measured")]
#![allow(clippy::print_stdout, reason = "measurements and skipped cases are reported to the developer")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gateway_yaml::{Node, Value};
use gatewayc::diagnostic::{Format, render};
use gatewayc::source::SourceSet;

const DOCUMENT: &str = r#"openapi: 3.1.0
info: {title: Notes, version: "1"}
security: [{key: []}]
paths:
  /notes:
    get: {operationId: listNotes, tags: [a, b]}
    post: {operationId: createNote, parameters: [{name: p, in: query}]}
  /health:
    get: {operationId: health, security: []}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
"#;

const ANNOTATIONS: &str =
    "  - target: $\n    update: {x-gateway: {version: 1, upstream: {url: \"http://127.0.0.1:8080\"}}}\n";

fn overlay(version: &str, actions: &str) -> String {
    format!("overlay: {version}\ninfo: {{title: t, version: \"1\"}}\nactions:\n{ANNOTATIONS}{actions}")
}

fn sources(files: &[(&str, &str)], documents: &[&str]) -> SourceSet<'static> {
    let files: HashMap<String, String> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let mut sources = SourceSet::new(files, "");
    for document in documents {
        sources.add_document(document);
    }
    sources
}

/// All messages about `a.yaml`, as people see them.
fn messages(files: &[(&str, &str)]) -> String {
    let mut sources = sources(files, &["a.yaml"]);
    let checked = gatewayc::check(&mut sources);
    render(&checked.diagnostics, &sources, Format::Human)
}

/// `CODE words`, or `none`. The words may be several, with ` / ` between.
fn expect(found: &str, expected: &str, input: &str) {
    let (code, words) = expected.split_once(' ').unwrap_or((expected, ""));
    let codes: Vec<&str> = found.match_indices("[GW").map(|(at, _)| &found[at + 1..at + 6]).collect();
    let codes_expected: Vec<&str> = if code == "none" { Vec::new() } else { vec![code] };
    assert_eq!(codes, codes_expected, "{expected}\n{input}\n{found}");
    for words in words.split(" / ") {
        assert!(found.contains(words), "{words:?} is not in\n{found}");
    }
}

/// A tree as JSON, without places.
fn json(node: &Node) -> String {
    let mut out = String::new();
    write_json(node, &mut out);
    out
}

fn write_json(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => write!(out, "{value}").expect("text"),
        Value::Number(number) => out.push_str(number.text()),
        Value::String(text) => write!(out, "{text:?}").expect("text"),
        Value::Sequence(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Mapping(mapping) => {
            out.push('{');
            for (at, entry) in mapping.iter().enumerate() {
                write!(out, "{}{:?}:", if at > 0 { "," } else { "" }, entry.key.name).expect("text");
                write_json(&entry.value, out);
            }
            out.push('}');
        }
    }
}

/// What the actions make of `x-t` in a document.
fn applied(version: &str, before: &str, actions: &str) -> String {
    let document = format!("{DOCUMENT}x-t: {before}\n");
    let overlay = overlay(version, actions);
    let mut sources = sources(&[("a.yaml", &document), ("a.overlay.yaml", &overlay)], &["a.yaml"]);
    let (documents, diagnostics) = gatewayc::parse(&mut sources);
    assert!(!diagnostics.has_errors(), "{actions}\n{}", render(&diagnostics, &sources, Format::Human));
    documents[0].root.get("x-t").map_or_else(|| "gone".into(), json)
}

#[test]
fn what_actions_do() {
    for (version, before, actions, expected) in [
        // Mappings are merged, lists follow each other, and values replace values.
        ("1.0.0", "{a: 1, b: {c: 2}}", "  - {target: $.x-t, update: {}}", r#"{"a":1,"b":{"c":2}}"#),
        (
            "1.1.0",
            "{a: 1, b: {c: 2}}",
            "  - {target: $['x-t'], update: {a: 3, b: {d: 4}, e: [5]}}",
            r#"{"a":3,"b":{"c":2,"d":4},"e":[5]}"#,
        ),
        ("1.1.0", "{l: [1]}", "  - {target: $['x-t'], update: {l: [2, 3]}}", r#"{"l":[1,2,3]}"#),
        ("1.1.0", "{a: null}", "  - {target: $['x-t'], update: {a: 1}}", r#"{"a":1}"#),
        ("1.1.0", "{a: 1}", "  - {target: $['x-t'], update: {a: null}}", r#"{"a":null}"#),
        // To a list that is selected, 1.0 adds an entry, and 1.1 the items of a list.
        ("1.0.0", "[1]", "  - {target: \"$['x-t']\", update: [2]}", "[1,[2]]"),
        ("1.1.0", "[1]", "  - {target: \"$['x-t']\", update: [2, 3]}", "[1,2,3]"),
        ("1.1.0", "[1]", "  - {target: \"$['x-t']\", update: {a: 2}}", r#"[1,{"a":2}]"#),
        ("1.1.0", "[1]", "  - {target: \"$['x-t']\", update: 2}", "[1,2]"),
        // Values that are selected are replaced, from 1.1 on.
        ("1.1.0", "{a: 1, b: {a: 2}}", "  - {target: \"$['x-t']..a\", update: 3}", r#"{"a":3,"b":{"a":3}}"#),
        // What is selected twice is changed once.
        ("1.1.0", "{a: [1]}", "  - {target: \"$['x-t']['a', 'a']\", update: [2]}", r#"{"a":[1,2]}"#),
        // Removal, also of items, of several at once, and of what is in what goes.
        ("1.0.0", "{a: 1, b: 2}", "  - {target: \"$['x-t'].a\", remove: true}", r#"{"b":2}"#),
        ("1.1.0", "[1, 2, 3, 4]", "  - {target: \"$['x-t'][?@ > 1 && @ < 4]\", remove: true}", "[1,4]"),
        ("1.1.0", "[[1, 2], 3]", "  - {target: \"$['x-t']..*\", remove: true}", "[]"),
        ("1.1.0", "{a: 1}", "  - {target: \"$['x-t']\", remove: true}", "gone"),
        ("1.1.0", "{a: 1}", "  - {target: \"$['x-t'].a\", remove: false, update: 2}", r#"{"a":2}"#),
        // One action sees what the one before has done.
        (
            "1.1.0",
            "{a: {b: 1}}",
            "  - {target: \"$['x-t'].a\", remove: true}\n  - {target: \"$['x-t']\", update: {a: {c: 2}}}",
            r#"{"a":{"c":2}}"#,
        ),
        // Copies: into another place, and to move.
        (
            "1.1.0",
            "{a: {b: 1}, c: {d: 2}}",
            "  - {target: \"$['x-t'].c\", copy: \"$['x-t'].a\"}",
            r#"{"a":{"b":1},"c":{"d":2,"b":1}}"#,
        ),
        (
            "1.1.0",
            "{a: {b: 1}}",
            "  - {target: \"$['x-t']\", update: {n: {}}}\n  - {target: \"$['x-t'].n\", copy: \"$['x-t'].a\"}\n  - {target: \"$['x-t'].a\", remove: true}",
            r#"{"n":{"b":1}}"#,
        ),
        ("1.1.0", "{a: {}}", "  - {target: \"$['x-t'].a\", copy: \"$['x-t']\"}", r#"{"a":{"a":{}}}"#),
        // What an alias shares is changed in one place.
        (
            "1.1.0",
            "{a: &x {b: 1}, c: *x}",
            "  - {target: \"$['x-t'].c\", update: {d: 2}}",
            r#"{"a":{"b":1},"c":{"b":1,"d":2}}"#,
        ),
        // Filters.
        (
            "1.1.0",
            "{l: [{n: a, in: query}, {n: b, in: path}]}",
            "  - {target: \"$['x-t'].l[?@.n == 'a' && @.in == 'query']\", update: {x: 1}}",
            r#"{"l":[{"n":"a","in":"query","x":1},{"n":"b","in":"path"}]}"#,
        ),
    ] {
        let actions = actions.replace("$.x-t", "\"$['x-t']\"").replace("target: $['x-t'],", "target: \"$['x-t']\",");
        assert_eq!(applied(version, before, &format!("{actions}\n")), expected, "{before}\n{actions}");
    }
}

#[test]
fn mistakes_in_actions() {
    for (version, actions, expected) in [
        ("1.1.0", "", "none"),
        ("1.1.0", "  - {target: $.paths.*.get, update: {x-a: 1}}", "none"),
        ("1.1.0", "  - {target: \"$.paths['/note']\", update: {}}", "GW122 matches nothing / did you mean `/notes`?"),
        ("1.1.0", "  - {target: $.paths}", "GW122 changes nothing"),
        ("1.1.0", "  - {target: $.paths.*.get.tags, remove: true, update: {}}", "GW122 beside `remove: true`"),
        ("1.1.0", "  - {target: $.paths, updaet: {}}", "GW121 did you mean `update`?"),
        ("1.1.0", "  - {update: {}}", "GW121 no `target`"),
        ("1.1.0", "  - 7", "GW121 an action is a mapping"),
        ("1.1.0", "  - {target: 7, remove: true}", "GW121 `target` is a number"),
        ("1.1.0", "  - {target: \"$.paths./notes\", remove: true}", "GW121 in brackets and quotes / 6:23"),
        ("1.1.0", "  - {target: paths, remove: true}", "GW121 begins with `$`"),
        ("1.1.0", "  - {target: $.paths, remove: yes}", "GW121 expected true or false"),
        ("1.1.0", "  - {target: $.paths, update: {}, copy: $.info}", "GW121 `update` and `copy`"),
        ("1.0.0", "  - {target: $.paths, copy: $.info}", "GW121 `copy` needs Overlay 1.1"),
        ("1.0.0", "  - {target: $.info.title, update: x}", "GW123 mappings and lists only / overlay: 1.1.0"),
        ("1.1.0", "  - {target: $, remove: true}", "GW123 cannot be removed"),
        (
            "1.1.0",
            "  - {target: $.info.title, update: {a: 1}}",
            "GW123 a mapping cannot be merged into text / a.yaml:2:15",
        ),
        ("1.1.0", "  - {target: $.info, update: 1}", "GW123 a number cannot be merged into a mapping"),
        ("1.1.0", "  - {target: $.info, update: {title: [1]}}", "GW123 a list cannot be merged into text"),
        ("1.1.0", "  - {target: $.*, update: {}}", "GW123 several kinds"),
        ("1.1.0", "  - {target: $.info, copy: $.nothing}", "GW123 nothing to copy"),
        ("1.1.0", "  - {target: $.info, copy: $.paths.*}", "GW123 `copy` selects 2 values"),
        ("1.1.0", "  - {target: $.info, copy: $.paths..tags}", "GW123 cannot be copied into a mapping"),
        ("1.1.0", "  - {target: $, update: {security: [{key: []}]}}", "GW125 adds alternatives / a.yaml:3:11"),
        ("1.1.0", "  - {target: $.security, update: [{key: []}]}", "GW125 adds alternatives"),
        // To a public operation, a scheme is added.
        ("1.1.0", "  - {target: \"$.paths['/health'].get\", update: {security: [{key: []}]}}", "none"),
        // A risk is accepted where the overlay brings it.
        (
            "1.1.0",
            "  - {target: $.components.securitySchemes.key, update: {in: query}}\n  - {target: $, update: {x-gateway: {upstreams: {u: {url: \"http://h\"}}, acceptRisk: [{lint: GW522, reason: later}]}}}",
            "GW522 acknowledged: later",
        ),
        // What is wrong later points into the overlay, too.
        ("1.1.0", "  - {target: $, update: {x-gateway: {frob: 1}}}", "GW102 a.overlay.yaml:6:38"),
        ("1.1.0", "  - {target: $.paths.*.get, update: {security: [{kee: []}]}}", "GW202 a.overlay.yaml:6:50"),
        // References in an overlay are those of the document.
        (
            "1.1.0",
            "  - {target: \"$.paths['/notes'].get\", update: {parameters: [{$ref: '#/paths/~1notes/post/parameters/0'}]}}",
            "none",
        ),
        (
            "1.1.0",
            "  - {target: \"$.paths['/notes'].get\", update: {parameters: [{$ref: '#/components/parameters/p'}]}}",
            "GW115 a.overlay.yaml",
        ),
    ] {
        let overlay = overlay(version, &format!("{actions}\n"));
        expect(&messages(&[("a.yaml", DOCUMENT), ("a.overlay.yaml", &overlay)]), expected, &overlay);
    }
}

#[test]
fn mistakes_in_overlays() {
    const ACTIONS: &str = "actions: [{target: $, update: {x-gateway: {version: 1, upstream: {url: \"http://h\"}}}}]\n";
    const INFO: &str = "info: {title: t, version: \"1\"}\n";
    for (text, expected) in [
        (format!("overlay: 1.0.0\n{INFO}{ACTIONS}"), "none"),
        (format!("\u{feff}overlay: 1.1.0\r\n{}{ACTIONS}", INFO.replace('\n', "\r\n")), "none"),
        (format!("overlay: 1.1.0\n{INFO}extends: a.yaml\nx-of-ours: 1\n{ACTIONS}"), "none"),
        (format!("overlay: 1.1.0\n{INFO}extends: ./a.yaml\n{ACTIONS}"), "none"),
        (format!("overlay: 1.1.0\n{INFO}extends: ./b.yaml\n{ACTIONS}"), "GW121 is for `./b.yaml` / extends: ./a.yaml"),
        (format!("overlay: 1.1.0\n{INFO}extends: ../a.yaml\n{ACTIONS}"), "GW121 is for `../a.yaml`"),
        (format!("overlay: 1.1.0\n{INFO}extends: https://h/a.yaml\n{ACTIONS}"), "GW121 is for `https://h/a.yaml`"),
        (format!("overlay: 1.1.0\n{INFO}extends: 3\n{ACTIONS}"), "GW121 `extends` is a number"),
        (format!("overlay: 2.0.0\n{INFO}{ACTIONS}"), "GW121 not a version of overlays"),
        (format!("overlay: 1.1\n{INFO}{ACTIONS}"), "GW121 expected 1.0.0 or 1.1.0"),
        (
            format!("overlay: 1.1.0\ninfo: {{title: t, version: 1, description: []}}\n{ACTIONS}"),
            "GW121 `description` is a list",
        ),
        (format!("overlays: 1.1.0\n{INFO}{ACTIONS}"), "GW121"),
        (format!("{INFO}{ACTIONS}"), "GW121 does not say `overlay: 1"),
        (format!("overlay: 1.1.0\n{ACTIONS}"), "GW121 no `info`"),
        (format!("overlay: 1.1.0\ninfo: {{title: t}}\n{ACTIONS}"), "GW121 no `version`"),
        (format!("overlay: 1.1.0\ninfo: t\n{ACTIONS}"), "GW121 `info` is text"),
        (format!("overlay: 1.1.0\n{INFO}{ACTIONS}pathes: {{}}\n"), "GW121 unknown key `pathes`"),
        (format!("overlay: 1.1.0\n{INFO}"), "GW121 no `actions`"),
        (format!("overlay: 1.1.0\n{INFO}actions: []\n"), "GW121 has no actions"),
        (format!("overlay: 1.1.0\n{INFO}actions: {{}}\n"), "GW121 not a list"),
        ("- overlay: 1.1.0\n".into(), "GW121 not an overlay but a list"),
        (String::new(), "GW121 not an overlay but nothing"),
        ("overlay: [\n".into(), "GW110"),
        (format!("overlay: 1.1.0\noverlay: 1.0.0\n{INFO}{ACTIONS}"), "GW111"),
        (format!("overlay: 1.1.0\n{INFO}actions: &a [{{target: $, update: {{x: *a}}}}]\n"), "GW112"),
    ] {
        let found = messages(&[("a.yaml", DOCUMENT), ("a.overlay.yaml", &text)]);
        match expected {
            // The key is unknown, and the one that it was to be is missing.
            "GW121" => assert_eq!(found.matches("error[GW121]").count(), 2, "{found}"),
            _ => expect(&found, expected, &text),
        }
    }
}

#[test]
fn which_overlays_belong_to_a_document() {
    let annotated = overlay("1.1.0", "");
    let second =
        "overlay: 1.1.0\ninfo: {title: t, version: \"1\"}\nactions: [{target: \"$.x-order\", update: [NAME]}]\n";
    let first = annotated.clone() + "  - {target: $, update: {x-order: [0]}}\n";
    let (ten, nine) = (second.replace("NAME", "10"), second.replace("NAME", "20").replace("x-order", "['x-order']"));
    let ten = ten.replace("x-order", "['x-order']").replace("$.[", "$[");
    let nine = nine.replace("$.[", "$[");
    let other = DOCUMENT.replace("Notes", "Other");
    let files = [
        ("a.yaml", DOCUMENT),
        ("a.overlay.yaml", &first),
        ("a.20-x.overlay.yml", &nine),
        ("a.10-x.overlay.json", &ten),
        ("a.b.yaml", &other),
        ("a.b.overlay.yaml", &annotated),
        (".a.overlay.yaml", "["),
    ];
    let mut sources = sources(&files, &["a.yaml", "a.b.yaml"]);
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
    let order = checked.documents[0].root.get("x-order").map(json);
    assert_eq!(order.as_deref(), Some("[0,10,20]"));
    assert_eq!(checked.documents[1].root.get("x-order"), None);
    let text = &gatewayc::emit::emit(&checked.gateway)[0].text;
    let line =
        "// @generated by gatewayc from a.yaml with a.overlay.yaml, a.10-x.overlay.json, a.20-x.overlay.yml. Do not";
    assert!(text.starts_with(line), "{}", &text[..150]);
}

#[test]
fn an_overlay_without_its_document_is_an_error() {
    let mut sources = sources(&[("b.overlay.yaml", "overlay: 1.1.0\n")], &[]);
    sources.add_stray_overlay("b.overlay.yaml");
    let checked = gatewayc::check(&mut sources);
    expect(&render(&checked.diagnostics, &sources, Format::Human), "GW124 b.overlay.yaml:1:1 / `b.yaml`", "");
}

#[test]
fn strict_makes_errors_of_doubts() {
    let overlay =
        overlay("1.1.0", "  - {target: $.nothing, remove: true}\n  - {target: $.security, update: [{key: []}]}\n");
    let mut sources = sources(&[("a.yaml", DOCUMENT), ("a.overlay.yaml", &overlay)], &["a.yaml"]);
    sources.set_strict(true);
    let checked = gatewayc::check(&mut sources);
    assert_eq!(checked.diagnostics.errors(), 2);
}

#[test]
fn overlays_of_files_that_documents_refer_to() {
    let own = "openapi: 3.1.0\ninfo: {title: t, version: \"1\"}\nx-gateway: {version: 1, upstream: {url: \"http://h\"}}\npaths: {$ref: \"parts/vendor.yaml#/paths\"}\nsecurity: [{key: []}]\ncomponents: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}\n";
    let with = |root: &str| own.replace("version: 1,", &format!("version: 1, {root}"));
    let overlay = |actions: &str| {
        format!(
            "overlay: 1.1.0\ninfo: {{title: t, version: \"1\"}}\nactions:\n  - {{target: $.info, update: {{}}}}\n{actions}"
        )
    };
    let remove = overlay("  - {target: \"$.paths['/health']\", remove: true}\n");
    let again = overlay(
        "  - {target: \"$.paths['/health'].get.security\", remove: true}\n  - {target: \"$.paths['/health'].get\", update: {security: []}}\n",
    );
    let said = overlay("  - {target: \"$.paths['/health'].get\", update: {security: []}}\n");
    let anonymous = DOCUMENT.replace("security: []", "security: [{key: []}, {}]");
    for (document, vendor, overlay, expected) in [
        (own.to_owned(), DOCUMENT, None, "GW215 `health` public / parts/vendor.yaml:9 / public: [\"GET /health\"]"),
        (own.to_owned(), &anonymous, None, "GW215 parts/vendor.yaml:9"),
        (with("public: [GET /health],"), DOCUMENT, None, "none"),
        (
            with("public: [GET /healthz],").replace("paths: {$ref: \"parts/vendor.yaml#/paths\"}", "paths: {}"),
            DOCUMENT,
            None,
            "GW215 no such operation",
        ),
        (with("public: [GET /health, GET /notes],"), DOCUMENT, None, "GW215 which no other file makes public"),
        (with("public: [health, GET /health],"), DOCUMENT, None, "GW104 a method and a path"),
        (with("public: GET,"), DOCUMENT, None, "GW104"),
        (own.to_owned(), DOCUMENT, Some(&remove), "none"),
        (own.to_owned(), DOCUMENT, Some(&again), "none"),
        (own.to_owned(), DOCUMENT, Some(&said), "none"),
        (
            own.replace("parts/vendor.yaml#/paths\"}", "parts/vendor.yaml#/paths\", /x: {get: {security: []}}}"),
            DOCUMENT,
            Some(&remove),
            "none",
        ),
    ] {
        let mut files = vec![("a.yaml", document.as_str()), ("parts/vendor.yaml", vendor)];
        files.extend(overlay.map(|overlay| ("parts/vendor.overlay.yaml", overlay.as_str())));
        let found = messages(&files);
        // What `public` was to say is missing, too.
        let about_values = found.split("\n\n").find(|one| one.contains("GW104")).unwrap_or_default().to_owned();
        expect(if expected.starts_with("GW104") { &about_values } else { &found }, expected, &document);
    }
}

#[test]
fn every_overlay_ends() {
    let deep = |levels: usize| format!("{}1{}", "{a: ".repeat(levels), "}".repeat(levels));
    let start = Instant::now();
    for (actions, expected) in [
        ("  - {target: $..*, remove: true}\n".to_owned(), "GW1"),
        // Each copy doubles what there is.
        ("  - {target: $, update: {x-c: {}}}\n  - {target: \"$['x-c']\", copy: $}\n".to_owned(), "none"),
        (
            "  - {target: $, update: {x-c: {}}}\n".to_owned()
                + &(0..200)
                    .map(|at| {
                        format!(
                            "  - {{target: $, update: {{x-{at}: {{}}}}}}\n  - {{target: \"$['x-{at}']\", copy: $}}\n"
                        )
                    })
                    .collect::<String>(),
            "GW123 add more than",
        ),
        (
            format!(
                "  - {{target: $, update: {{x-d: {}}}}}\n  - {{target: \"$['x-d']{}\", copy: \"$['x-d']\"}}\n",
                deep(150),
                ".a".repeat(100)
            ),
            "GW123 nest deeper than",
        ),
        (format!("  - {{target: $.info, update: {{x-l: [{}]}}}}\n", "[1, 2], ".repeat(20_000)), "none"),
        (
            format!("  - {{target: '$[?{}@.a{}]', remove: true}}\n", "(".repeat(50_000), ")".repeat(50_000)),
            "GW121 levels deep",
        ),
        (
            format!(
                "  - {{target: $, update: {{x-l: [{}]}}}}\n  - {{target: \"$['x-l'][?count($..*) > 0]\", remove: true}}\n",
                "1, ".repeat(20_000)
            ),
            "GW123 too many values",
        ),
    ] {
        let overlay = overlay("1.1.0", &actions);
        let found = messages(&[("a.yaml", DOCUMENT), ("a.overlay.yaml", &overlay)]);
        match expected {
            "GW1" => assert!(found.contains("error[GW1"), "{found}"),
            _ if expected.contains("more than") => assert!(found.contains(&expected[6..]), "{found}"),
            _ => expect(&found, expected, &overlay[..overlay.len().min(2000)]),
        }
    }
    println!("{:?}", start.elapsed());
}

#[test]
fn no_mutant_of_an_overlay_panics() {
    let overlay = overlay(
        "1.1.0",
        "  - {target: \"$.paths[?@.get.tags[0] == 'a' && match(@.post.operationId, 'c.*')].get\", update: {x-a: [1, {b: 2}]}}\n  - {target: \"$..parameters[?count(@.*) >= 2]\", remove: true}\n  - {target: $.info, copy: \"$.paths['/notes']['post']\"}\n",
    );
    let mut texts = Vec::new();
    for (at, c) in overlay.char_indices() {
        texts.extend(
            ["", "'", "*", "[", "{", ":", "$", "\u{e9}"]
                .map(|new| format!("{}{new}{}", &overlay[..at], &overlay[at + c.len_utf8()..])),
        );
    }
    let lines: Vec<&str> = overlay.lines().collect();
    for at in 0..lines.len() {
        texts.push(lines[..at].join("\n"));
        texts.push([&lines[..at], &lines[at + 1..]].concat().join("\n"));
        texts.push([&lines[..=at], &lines[at..]].concat().join("\n"));
    }
    for text in texts.iter().step_by(2) {
        messages(&[("a.yaml", DOCUMENT), ("a.overlay.yaml", text)]);
    }
}

fn corpus() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let directory = std::env::var_os("GATEWAY_CORPUS").map_or(default, PathBuf::from);
    if !directory.join("MANIFEST.tsv").is_file() {
        println!("skipped: no corpus at {} (set GATEWAY_CORPUS)", directory.display());
        return None;
    }
    Some(directory)
}

/// Four megabytes that stay as they are, secured by a few lines beside them.
const STRIPE: &str = r#"overlay: 1.1.0
info: {title: Stripe behind the gateway, version: "1"}
extends: ./stripe.yaml
actions:
  - {target: $.security, remove: true}
  - {target: $.components.securitySchemes, remove: true}
  - target: $
    update:
      x-gateway: {version: 1, upstream: {url: "https://api.stripe.com"}, maxBody: 1MiB}
      security: [{key: []}]
      components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Api-Key}}}
  - target: $.paths[*].delete
    update: {security: [{key: [], admin: []}]}
  - target: $.components
    update: {securitySchemes: {admin: {type: http, scheme: basic}}}
  - target: $.paths[?match(@.get.operationId, 'GetBalance.*')]
    remove: true
"#;

#[test]
fn a_large_document_is_secured_by_an_overlay() {
    let Some(corpus) = corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("stripe_openapi/openapi/spec3.yaml")).expect("Stripe's document");
    assert!(STRIPE.lines().count() < 20);
    let files = [("stripe.yaml", text.as_str()), ("stripe.overlay.yaml", STRIPE)];
    let mut with = sources(&files, &["stripe.yaml"]);
    let start = Instant::now();
    let checked = gatewayc::check(&mut with);
    let took = start.elapsed();
    println!("{took:?}");
    let found = render(&checked.diagnostics, &with, Format::Short);
    assert!(!checked.diagnostics.has_errors(), "{found}");
    assert!(!found.contains("stripe.overlay.yaml"), "{found}");
    let operations: Vec<_> = checked.gateway.apis[0].routes.iter().flat_map(|route| &route.operations).collect();
    println!("{} operations", operations.len());
    assert!(operations.len() > 300 && operations.iter().all(|operation| !operation.access.admits_anyone()));
    assert!(operations.iter().all(|operation| !operation.id.starts_with("GetBalance")));
    // A second is what a build may take without optimisation as well.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// A checkout of github.com/OAI/Overlay-Specification, found through `GATEWAY_OVERLAY_SPECIFICATION`.
fn specification() -> Option<PathBuf> {
    let folder = std::env::var_os("GATEWAY_OVERLAY_SPECIFICATION").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: GATEWAY_OVERLAY_SPECIFICATION does not name a checkout");
    }
    folder
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// They are for documents of other names.
fn without_extends(overlay: &str) -> String {
    overlay.lines().filter(|line| !line.starts_with("extends:")).fold(String::new(), |text, line| text + line + "\n")
}

/// Equal values, wherever they stand and in whatever order their keys are.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Mapping(one), Value::Mapping(other)) => {
            let in_both =
                |entry: &gateway_yaml::Entry| other.get(&entry.key.name).is_some_and(|other| same(&entry.value, other));
            one.len() == other.len() && one.iter().all(in_both)
        }
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(one, other))
        }
        (one, other) => one == other,
    }
}

#[test]
fn the_compliant_sets_of_the_specification_give_their_results() {
    let Some(folder) = specification() else { return };
    let mut count = 0;
    for set in inside(&folder.join("compliant-sets")).iter().filter(|path| path.is_dir()) {
        let read = |name: &str| std::fs::read_to_string(set.join(name)).expect("a file of the set");
        let (document, overlay) = (read("openapi.yaml"), without_extends(&read("overlay.yaml")));
        let mut sources =
            sources(&[("openapi.yaml", &document), ("openapi.overlay.yaml", &overlay)], &["openapi.yaml"]);
        let (documents, diagnostics) = gatewayc::parse(&mut sources);
        let found = render(&diagnostics, &sources, Format::Human);
        let expected = gateway_yaml::load(gateway_yaml::FileId(0), &read("output.yaml")).expect("YAML");
        let root = &documents.first().unwrap_or_else(|| panic!("{}\n{found}", set.display())).root;
        assert!(same(root, &expected), "{}\n{}\n{}\n{found}", set.display(), json(root), json(&expected));
        count += 1;
    }
    println!("{count} sets");
}

#[test]
fn the_overlays_of_the_specification_are_read_and_refused() {
    let Some(folder) = specification() else { return };
    let mut wrong = Vec::new();
    for (version, is_good) in [("v1.0", true), ("v1.0", false), ("v1.1", true), ("v1.1", false)] {
        let group = if is_good { "pass" } else { "fail" };
        for file in inside(&folder.join("tests").join(version).join(group)) {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // A text may be a number here, as it may in documents; an action may be there twice. And a name with a hyphen
            // is no name of RFC 9535 without quotes.
            const OTHERWISE: [&str; 5] = [
                "info-title-invalid-type.yaml",
                "info-description-invalid-type.yaml",
                "actions-invalid-description.yaml",
                "actions-not-unique.yaml",
                "actions-traits-example.yaml",
            ];
            if OTHERWISE.contains(&name) {
                continue;
            }
            let overlay = std::fs::read_to_string(&file).expect("a file");
            let overlay = if is_good { without_extends(&overlay) } else { overlay };
            let mut sources = sources(&[("a.yaml", DOCUMENT), ("a.overlay.yaml", &overlay)], &["a.yaml"]);
            let (_, diagnostics) = gatewayc::parse(&mut sources);
            let found = render(&diagnostics, &sources, Format::Human);
            if found.contains("error[GW121]") == is_good {
                wrong.push(format!("{}\n{found}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_removal_makes_nothing_public() {
    let document = DOCUMENT.replace("security: [{key: []}]", "security: [{key: []}, {old: []}]").replace(
        "get: {operationId: listNotes, tags: [a, b]}",
        "get: {operationId: listNotes, security: [{old: []}], tags: [a, b]}",
    );
    let document = document.replace("    key: {type", "    old: {type: http, scheme: basic}\n    key: {type");
    for (target, expected) in [
        ("$..security[?@.old]", "GW123 would leave an empty `security` / nothing is left of this"),
        ("$..security[*].old", "GW123 would leave an empty `security`"),
        ("$.security[*]", "GW123 would leave an empty `security`"),
        ("$.security[?@.old]", "none"),
        ("$.paths['/notes'].get.security", "none"),
    ] {
        let action = format!("  - target: \"{target}\"\n    remove: true\n");
        let overlay = overlay("1.0.0", &action);
        expect(&messages(&[("a.yaml", &document), ("a.overlay.yaml", &overlay)]), expected, target);
    }
}

#[test]
fn an_overlay_changes_one_use_of_an_alias_only() {
    let document = r##"openapi: 3.1.0
info: {title: Notes, version: "1"}
security: []
components:
  schemas:
    Loose: &loose {type: object, properties: {a: {type: integer}}}
    Strict: *loose
paths:
  /loose: {post: {requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Loose"}, example: {}}}}}}
  /strict: {post: {requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Strict"}, example: {}}}}}}
"##;
    let overlay = overlay("1.0.0", "  - {target: $.components.schemas.Strict, update: {required: [a]}}\n");
    let found = messages(&[("a.yaml", document), ("a.overlay.yaml", &overlay)]);
    expect(&found, "GW706 a.yaml:10 / needs `a`", &overlay);
}

#[test]
fn a_limit_that_an_overlay_changes_for_one_operation_is_another_one() {
    let document = r#"openapi: 3.1.0
info: {title: Notes, version: "1"}
security: []
paths:
  /a: {get: {x-gateway: {rateLimit: &limit [{algorithm: fixed-window, limit: 100, interval: 60s, key: [ip]}]}}}
  /b: {get: {x-gateway: {rateLimit: *limit}}}
"#;
    let overlay = overlay("1.0.0", "  - target: $.paths['/b'].get['x-gateway'].rateLimit[0]\n    update: {limit: 3}\n");
    let mut sources = sources(&[("a.yaml", document), ("a.overlay.yaml", &overlay)], &["a.yaml"]);
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
    let policy = gatewayc::policy::render(&checked.gateway);
    assert!(policy.contains("100/1m") && policy.contains("3/1m"), "{policy}");
}
