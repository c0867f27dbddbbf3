//! Typed values out of the tree: what fits, and what is said of what does not.

use std::collections::BTreeMap;

use gateway_yaml::{FileId, Spanned, from_node, load};
use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    name: String,
    #[serde(default)]
    listen_on: Vec<Spanned<String>>,
    #[serde(default)]
    workers: Option<u16>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    labels: BTreeMap<String, i64>,
}

#[derive(Debug, PartialEq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Plain,
    Env(String),
    Both {
        left: bool,
    },
}

#[test]
fn values_and_places() {
    let text = "name: 1.0\nlistenOn: [a, \"b\"]\nworkers: 2\nmode: {env: X}\nlabels: {200: -5}\n";
    let node = load(FileId(3), text).expect("loads");
    let settings: Settings = from_node(&node).expect("fits");
    assert_eq!(settings.name, "1.0");
    assert_eq!(settings.listen_on[1].span.slice(text), "\"b\"");
    assert_eq!(settings.listen_on[1].span.file, FileId(3));
    assert_eq!((settings.workers, settings.mode), (Some(2), Mode::Env("X".into())));
    assert_eq!(settings.labels["200"], -5);
    let both: Mode = from_node(&load(FileId(0), "both: {left: true}").expect("loads")).expect("fits");
    assert_eq!(both, Mode::Both { left: true });
}

#[test]
fn misfits() {
    for (text, place, message, help) in [
        ("name: a\nworker: 1", "worker", "unknown key `worker`", Some("did you mean `workers`?")),
        ("workers: 1", "workers: 1", "`name` is missing", None),
        ("name: [a]", "[a]", "expected a string, found a list", None),
        ("name: a\nworkers: many", "many", "expected u16, found the text `many`", None),
        ("name: a\nworkers: 70000", "70000", "expected u16, found the number 70000", None),
        ("name: a\nmode: plane", "plane", "`plane` is not one of the choices", Some("did you mean `plain`?")),
        ("name: a\nmode: env", "env", "this choice needs a value: write it as `choice: value`", None),
        ("name: a\nmode: [env]", "[env]", "expected one of the choices, found a list", None),
        ("name: a\nlistenOn: [a, {}]", "{}", "expected a string, found a mapping", None),
        ("name: a\nlabels: {x: 1.5}", "1.5", "expected i64, found the number 1.5", None),
    ] {
        let node = load(FileId(0), text).expect(text);
        let error = from_node::<Settings>(&node).expect_err(text);
        assert_eq!((error.span.slice(text), &*error.message, error.help.as_deref()), (place, message, help), "{text}");
    }
}
