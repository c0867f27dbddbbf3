//! Operations that one upstream gets under the same paths, and which of several is the strictest.

use std::collections::BTreeMap;

use crate::reading::{PathReading, UpstreamPaths};

/// An operation as its upstream gets it.
#[derive(Debug, Clone, Copy)]
pub struct Forwarded<'a, Server, T> {
    /// Equal for operations whose paths mean the same to one upstream.
    pub server: Server,
    /// The method that it is described for.
    pub method: &'a str,
    /// Whether its path has an operation for HEAD. Otherwise GET answers HEAD as well.
    pub has_head: bool,
    /// What the document says about how the upstream reads paths.
    pub paths: UpstreamPaths,
    /// The operation's representation.
    pub value: T,
}

/// The operations with one method that one upstream gets under the same paths.
#[derive(Debug, Clone)]
pub struct Group<'a, T> {
    /// The method.
    pub method: &'a str,
    /// What the upstream takes for the same, as a document says.
    pub certain: PathReading,
    /// What it may take for the same.
    pub possible: PathReading,
    /// The operations; in a group for HEAD also those for GET that answer HEAD.
    pub operations: Vec<T>,
}

impl<'a, T: Clone + PartialEq> Group<'a, T> {
    /// Every group, in the order of servers and methods. An operation that comes several times in a row is one, which may
    /// go to several upstreams at one server.
    pub fn all<Server: Ord + Clone>(operations: impl IntoIterator<Item = Forwarded<'a, Server, T>>) -> Vec<Self> {
        let mut groups: BTreeMap<(Server, &str), Self> = BTreeMap::new();
        let mut gets = Vec::new();
        for Forwarded { server, method, has_head, paths, value } in operations {
            if method == "GET" && !has_head {
                gets.push((server.clone(), paths, value.clone()));
            }
            let (certain, possible) = (PathReading::EXACT, PathReading::EXACT);
            let group =
                groups.entry((server, method)).or_insert(Self { method, certain, possible, operations: Vec::new() });
            group.add(paths, value);
        }
        for (server, paths, value) in gets {
            if let Some(heads) = groups.get_mut(&(server, "HEAD")) {
                heads.add(paths, value);
            }
        }
        groups.into_values().collect()
    }

    fn add(&mut self, paths: UpstreamPaths, value: T) {
        self.certain = self.certain.or(paths.certain());
        self.possible = self.possible.or(paths.possible());
        if self.operations.last() != Some(&value) {
            self.operations.push(value);
        }
    }
}

/// Which of several operations answers a request that the upstream may take for each of them.
#[derive(Debug, PartialEq, Eq)]
pub enum Strictest<T> {
    /// The one that was matched.
    Matched,
    /// Another one.
    Other(T),
    /// None of them asks for all that the others ask for.
    None,
}

/// The operation that asks for all that the others ask for; the matched one where it does. `asks` says whether the first
/// asks for all that the second asks for.
pub fn strictest<T>(matched: &T, mut others: Vec<T>, asks: impl Fn(&T, &T) -> bool) -> Strictest<T> {
    let is_strictest = |one: &T| asks(one, matched) && others.iter().all(|other| asks(one, other));
    if is_strictest(matched) {
        return Strictest::Matched;
    }
    match others.iter().position(is_strictest) {
        Some(index) => Strictest::Other(others.swap_remove(index)),
        None => Strictest::None,
    }
}

/// Whether everything that meets one list of alternatives meets the other as well. `covers` says whether the first
/// requirement holds only where the second does.
pub fn asks_no_less<Alternative: AsRef<[Requirement]>, Requirement>(
    strict: &[Alternative],
    lax: &[Alternative],
    covers: impl Fn(&Requirement, &Requirement) -> bool,
) -> bool {
    let meets = |strict: &Alternative, lax: &Alternative| {
        lax.as_ref().iter().all(|asked| strict.as_ref().iter().any(|given| covers(given, asked)))
    };
    strict.iter().all(|strict| lax.iter().any(|lax| meets(strict, lax)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::PathCase;

    #[test]
    fn a_get_answers_head_where_its_path_has_no_head() {
        let operation = |server, method, has_head, value| {
            let paths = UpstreamPaths { case: PathCase::Sensitive, ..UpstreamPaths::UNKNOWN };
            Forwarded { server, method, has_head, paths, value }
        };
        let groups = Group::all([
            operation("a", "GET", false, 1),
            operation("a", "GET", true, 2),
            operation("a", "HEAD", true, 3),
            operation("b", "GET", false, 4),
        ]);
        let found: Vec<_> = groups.iter().map(|group| (group.method, group.operations.as_slice())).collect();
        assert_eq!(found, [("GET", &[1, 2][..]), ("HEAD", &[3, 1]), ("GET", &[4])]);
        assert!(groups.iter().all(|group| group.certain == PathReading::EXACT && !group.possible.ignores_case));
        assert!(groups.iter().all(|group| group.possible.merges_slashes));
    }

    #[test]
    fn the_strictest_asks_for_all() {
        // Bits stand for what an operation asks for.
        let asks = |one: &u8, other: &u8| one & other == *other;
        assert_eq!(strictest(&0b11, vec![0b01, 0b00], asks), Strictest::Matched);
        assert_eq!(strictest(&0b00, vec![0b01, 0b11], asks), Strictest::Other(0b11));
        assert_eq!(strictest(&0b01, vec![0b10], asks), Strictest::None);
        assert_eq!(strictest(&0b01, Vec::new(), asks), Strictest::Matched);
    }
}
