//! `consumers` and `anonymous`: which known consumers may call, and which consumer the others count as.

use gateway_yaml::{Entry, Node};

use crate::ir::{Anonymous, ConsumerRules};
use crate::vocabulary::reader::Reader;

pub(super) fn consumers(reader: &mut Reader<'_>, node: &Node) -> ConsumerRules {
    let mut rules = ConsumerRules::default();
    // Without a rule it would only take away what is inherited.
    if node.as_mapping().is_some_and(|mapping| mapping.is_empty()) {
        reader.wrong(node, "`consumers`", "one rule or more: `allow`, `groups`, `deny` or `methods`");
    }
    for Entry { key, value } in reader.known(node, "`consumers`", &["allow", "groups", "deny", "methods"]) {
        match &*key.name {
            "allow" => rules.allow = user_names(reader, value, "`allow`"),
            "groups" => rules.groups = names(reader, value, "`groups`"),
            "deny" => rules.deny = user_names(reader, value, "`deny`"),
            _ => {
                if value.as_mapping().is_some_and(|mapping| mapping.is_empty()) {
                    reader.wrong(value, "`methods`", "one user name or more, each with its methods");
                }
                for entry in reader.mapping(value, "`methods`") {
                    let methods = names(reader, &entry.value, "a list of methods");
                    for method in &methods {
                        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
                            reader.wrong(&entry.value, "a list of methods", "methods in upper case, such as GET");
                        }
                    }
                    if !is_user_name(&entry.key.name) {
                        reader.wrong(&entry.value, "`methods`", USER_NAME);
                    }
                    rules.methods.push((entry.key.name.to_string(), methods));
                }
                rules.methods.sort();
            }
        }
    }
    rules
}

pub(super) fn anonymous(reader: &mut Reader<'_>, node: &Node) -> Anonymous {
    let mut anonymous = Anonymous::default();
    for Entry { key, value } in reader.known(node, "`anonymous`", &["consumer", "onInvalid"]) {
        match &*key.name {
            "consumer" => {
                anonymous.consumer = reader.text(value, "`consumer`").unwrap_or_default().to_owned();
                if !is_user_name(&anonymous.consumer) && value.as_str().is_some() {
                    reader.wrong(value, "`consumer`", USER_NAME);
                }
            }
            _ => {
                let choices = [("refuse", false), ("fallback", true)];
                anonymous.despite_invalid = reader.choice(value, "`onInvalid`", &choices).unwrap_or_default();
            }
        }
    }
    anonymous
}

/// A name that no consumer can have would be a rule about no consumer.
fn user_names(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let names = names(reader, node, what);
    if names.iter().any(|name| !is_user_name(name)) {
        reader.wrong(node, what, USER_NAME);
    }
    names
}

/// An empty list would look like a rule and admit everybody, so there is none.
fn names(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let mut names = reader.texts(node, what);
    let is_empty = node.as_sequence().is_some_and(<[Node]>::is_empty);
    if is_empty || names.iter().any(|name| name.trim().is_empty()) {
        reader.wrong(node, what, "one name or more; leave the list out to admit every caller");
    }
    names.sort();
    names.dedup();
    names
}

const USER_NAME: &str = "user names: letters, digits, `_` and `-`";

fn is_user_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
