//! What a request has to say beside its path so that operations are selected.

use std::collections::BTreeMap;

use gateway_route::{Condition, Part, Reading, Selectors};

/// A query and header fields.
pub(super) struct Beside {
    /// Without `?`.
    query: Option<String>,
    /// By name, in the order of their names.
    fields: Vec<(String, String)>,
}

impl Beside {
    /// What fulfils all of these; nothing where no request does.
    pub(super) fn of<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Option<Self> {
        let mut said: BTreeMap<(Part, String), Option<&str>> = BTreeMap::new();
        for Condition { part, name, value } in conditions {
            let name = if *part == Part::Header { name.to_ascii_lowercase() } else { name.clone() };
            let known = said.entry((*part, name)).or_default();
            match (*known, value.as_deref()) {
                (Some(one), Some(other)) if one != other => return None,
                (known_value, value) => *known = known_value.or(value),
            }
        }
        let (mut query, mut fields) = (Vec::new(), Vec::new());
        for ((part, name), value) in said {
            match (part, value) {
                (Part::Query, Some(value)) => query.push(format!("{}={}", encoded(&name), encoded(value))),
                (Part::Query, None) => query.push(encoded(&name)),
                (Part::Header, value) => fields.push((name, value.unwrap_or("x").to_owned())),
            }
        }
        Some(Self { query: (!query.is_empty()).then(|| query.join("&")), fields })
    }

    /// Gives it to the router.
    pub(super) fn select<T>(&self, ask: impl FnOnce(Selectors<'_>) -> T) -> T {
        let field = |name: &str| {
            let known = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            known.map_or(Reading::Absent, |(_, value)| Reading::Once(value))
        };
        ask(Selectors { query: self.query.as_deref(), fields: Some(&field) })
    }

    /// The request for a path, as written between backticks in a message.
    pub(super) fn of_path(&self, path: &str) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let fields: String = self.fields.iter().map(|(name, value)| format!("` with `{name}: {value}")).collect();
        format!("{path}{query}{fields}")
    }
}

fn encoded(text: &str) -> String {
    let octets = text.bytes().map(|octet| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
            char::from(octet).to_string()
        }
        _ => format!("%{octet:02X}"),
    });
    octets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fulfils_all_conditions() {
        let condition = |part, name: &str, value: Option<&str>| Condition {
            part,
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        let conditions = [
            condition(Part::Query, "a b", Some("100%&")),
            condition(Part::Query, "acl", None),
            condition(Part::Query, "a b", None),
            condition(Part::Header, "X-Target", Some("Get")),
            condition(Part::Header, "x-other", None),
        ];
        let beside = Beside::of(conditions.iter()).expect("a request");
        assert!(conditions.iter().all(|condition| beside.select(|selectors| condition.holds(selectors))));
        assert_eq!(beside.of_path("/a"), "/a?a%20b=100%25%26&acl` with `x-other: x` with `x-target: Get");
        let other = condition(Part::Header, "x-target", Some("Put"));
        assert!(Beside::of(conditions.iter().chain([&other])).is_none());
    }
}
