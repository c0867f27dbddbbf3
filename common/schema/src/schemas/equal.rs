//! Which values are equal: numbers by what they stand for, objects whatever the order of their members.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use crate::json::{Kind, Value};
use crate::number::Decimal;

/// Items or members that are compared with each other; of more, there are hashes with a random seed.
const FEW: usize = 12;

/// Whether two values are equal.
pub(super) fn are_equal(one: Value<'_>, other: Value<'_>) -> bool {
    if one.kind() != other.kind() || one.len() != other.len() {
        return false;
    }
    match one.kind() {
        Kind::Null | Kind::False | Kind::True => true,
        Kind::Number => Decimal::of(one.text()) == Decimal::of(other.text()),
        Kind::String => one.text() == other.text(),
        Kind::Array => one.items().zip(other.items()).all(|(one, other)| are_equal(one, other)),
        Kind::Object if one.len() <= FEW => {
            one.members().all(|(name, value)| other.get(name).is_some_and(|other| are_equal(value, other)))
        }
        Kind::Object => {
            let others: HashMap<&str, Value<'_>> = other.members().collect();
            one.members().all(|(name, value)| others.get(name).is_some_and(|other| are_equal(value, *other)))
        }
    }
}

/// Whether no two items of an array are equal.
pub(super) fn are_unique(array: Value<'_>) -> bool {
    if array.len() <= FEW {
        let mut items = array.items();
        while let Some(item) = items.next() {
            if items.clone().any(|other| are_equal(item, other)) {
                return false;
            }
        }
        return true;
    }
    let state = RandomState::new();
    let mut hashes: Vec<(u64, Value<'_>)> = array.items().map(|item| (hash(item, &state), item)).collect();
    hashes.sort_unstable_by_key(|(hash, _)| *hash);
    hashes.chunk_by(|(one, _), (other, _)| one == other).all(|group| {
        let pairs =
            group.iter().enumerate().flat_map(|(at, one)| group.iter().skip(at + 1).map(move |other| (one, other)));
        !pairs.into_iter().any(|((_, one), (_, other))| are_equal(*one, *other))
    })
}

/// A hash that equal values share.
fn hash(value: Value<'_>, state: &RandomState) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u8(value.kind() as u8);
    match value.kind() {
        Kind::Null | Kind::False | Kind::True => {}
        Kind::Number => Decimal::of(value.text()).hash(&mut hasher),
        Kind::String => value.text().hash(&mut hasher),
        Kind::Array => value.items().for_each(|item| hasher.write_u64(hash(item, state))),
        Kind::Object => {
            let members = value.members().map(|(name, value)| state.hash_one((name, hash(value, state))));
            hasher.write_u64(members.fold(value.len() as u64, u64::wrapping_add));
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn equal_values_are_equal_and_have_one_hash() {
        let long = |last: &str| {
            format!("{{{}\"z\":{last}}}", (0..20).map(|at| format!("\"{at}\":[{at}],")).collect::<String>())
        };
        let reversed = |last: &str| {
            format!("{{\"z\":{last}{}}}", (0..20).rev().map(|at| format!(",\"{at}\":[{at}e0]")).collect::<String>())
        };
        let state = RandomState::new();
        for (one, other, expected) in [
            ("null", "null", true),
            ("null", "false", false),
            ("0", "false", false),
            ("1", "true", false),
            ("1", "1.0", true),
            ("1", "\"1\"", false),
            ("100", "1e2", true),
            ("\"a\"", "\"\\u0061\"", true),
            ("[1,2]", "[1.0,2]", true),
            ("[1,2]", "[2,1]", false),
            ("[]", "{}", false),
            ("[[]]", "[]", false),
            ("{\"a\":1,\"b\":[2]}", "{\"b\":[2e0],\"a\":1}", true),
            ("{\"a\":1}", "{\"b\":1}", false),
            ("{\"a\":1}", "{\"a\":2}", false),
            ("{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", false),
            (&long("1"), &reversed("1.0"), true),
            (&long("1"), &reversed("2"), false),
        ] {
            let (left, right) =
                (Document::read(one.as_bytes()).expect("JSON"), Document::read(other.as_bytes()).expect("JSON"));
            assert_eq!(are_equal(left.root(), right.root()), expected, "{one} {other}");
            assert_eq!(hash(left.root(), &state) == hash(right.root(), &state), expected, "{one} {other}");
            for fillers in [0, 20] {
                let fillers: String = (0..fillers).map(|number| format!("\"filler{number}\",")).collect();
                let both = format!("[{one},{fillers}{other}]");
                let both = Document::read(both.as_bytes()).expect("JSON");
                assert_eq!(are_unique(both.root()), !expected, "{one} {other}");
            }
        }
    }
}
