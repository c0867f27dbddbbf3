//! The operations of one upstream as it may read their paths.

use std::collections::{BTreeSet, HashMap};

use crate::overlap::{common, examples, includes};
use crate::path::RequestPath;
use crate::query::{Condition, Selectors};
use crate::reading::PathReading;
use crate::router::{Params, Router, RouterBuilder};
use crate::template::Template;
use crate::value::{Filler, Value};

/// What an upstream may take a path for: operations with one method and one upstream, found by every spelling that the
/// upstream takes for the same.
#[derive(Debug)]
pub struct UpstreamView<T> {
    possible: PathReading,
    entries: Vec<Entry<T>>,
    /// Values are the entries with one template and one set of conditions.
    router: Router<Vec<usize>>,
    /// Which of the router's values an entry belongs to.
    slots: Vec<usize>,
    /// A template is not spelt as the upstream's reading spells it, so that every path has to be read again.
    has_other_spellings: bool,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    /// As the upstream may read it.
    possible: Template,
    /// As it reads it according to the document.
    certain: Template,
}

/// What an upstream may take a path for, beside the operation that it was matched for.
#[derive(Debug)]
pub enum Meaning<'a, T> {
    /// Nothing else.
    Same,
    /// One of these, with their parameters.
    Others(Vec<(&'a T, Params<'a>)>),
    /// It depends on how the upstream reads the query.
    UnclearQuery,
}

/// Entries of a view that share paths, as the upstream may read them.
#[derive(Debug)]
pub struct Rivals {
    /// An entry, and one that answers before it, or beside it, where both match.
    pub pairs: Vec<(usize, usize)>,
    /// There are no more; otherwise there were too many to look at.
    pub is_complete: bool,
}

impl<T> UpstreamView<T> {
    /// A view of operations of which the upstream reads the paths as `certain` says, and may read them as `possible`
    /// says.
    pub fn new(
        certain: PathReading,
        possible: PathReading,
        operations: impl Iterator<Item = (Template, Vec<Condition>, T)>,
    ) -> Self {
        let (mut entries, mut groups) = (Vec::new(), Vec::<(Template, Vec<Condition>, Vec<usize>)>::new());
        let (mut slots, mut has_other_spellings, mut known) = (Vec::new(), false, HashMap::new());
        for (template, mut when, value) in operations {
            when.sort_unstable();
            let read = possible.template(&template);
            has_other_spellings |= !read.same_language(&template);
            let slot = *known.entry((read.segments().to_vec(), when.clone())).or_insert_with(|| {
                groups.push((read.clone(), when, Vec::new()));
                groups.len() - 1
            });
            groups[slot].2.push(entries.len());
            slots.push(slot);
            entries.push(Entry { value, possible: read, certain: certain.template(&template) });
        }
        let mut builder = RouterBuilder::new();
        for (template, when, members) in groups {
            builder.insert(template, when, members);
        }
        let (router, _) = builder.build_without_shapes();
        Self { possible, entries, router, slots, has_other_spellings }
    }

    /// The path as the upstream may read it; nothing where it can only be what it was matched for.
    pub fn read(&self, path: &RequestPath<'_>) -> Option<RequestPath<'static>> {
        let is_plain = !self.has_other_spellings && self.possible.is_normal(path.canonical());
        (!is_plain).then(|| self.possible.path(path))
    }

    /// What a path that was matched for the entry of this index may mean; `read` is from [`Self::read`].
    pub fn meaning<'a, 's>(
        &'a self,
        entry: usize,
        read: &'a RequestPath<'a>,
        selectors: impl Into<Selectors<'s>>,
    ) -> Meaning<'a, T> {
        let selectors = selectors.into();
        let Some(found) = self.router.find(read, selectors) else {
            return if self.router.is_unclear(read, selectors) { Meaning::UnclearQuery } else { Meaning::Same };
        };
        let others = found.value.iter().filter(|other| **other != entry && self.may_be_taken_for(entry, **other));
        let others: Vec<_> = others
            .filter_map(|&other| {
                let Entry { value, possible, .. } = &self.entries[other];
                Some((value, Params::of(possible, read)?))
            })
            .collect();
        if others.is_empty() { Meaning::Same } else { Meaning::Others(others) }
    }

    /// Two paths that are described side by side are taken for the same only where the document says that the upstream
    /// does; a value of a parameter is taken for a path that is described wherever the upstream may do it.
    fn may_be_taken_for(&self, entry: usize, other: usize) -> bool {
        let (entry, other) = (&self.entries[entry], &self.entries[other]);
        !entry.possible.same_language(&other.possible) || entry.certain.same_language(&other.certain)
    }

    /// Which entries a path of an entry may mean, as the upstream may read it.
    pub fn rivals(&self) -> Rivals {
        const MOST_PAIRS: usize = 50_000;
        self.rivals_among(MOST_PAIRS, |_, _| true)
    }

    /// The same for the pairs of entries, in either order, that this `concerns`: at most `most` pairs of templates, and
    /// about as many of entries.
    pub fn rivals_among(&self, most: usize, concerns: impl Fn(usize, usize) -> bool) -> Rivals {
        const NODES_EACH: usize = 20_000;
        /// More entries with one of two templates are not compared in advance.
        const FEW: usize = 64;
        let members = |slot: usize| self.router.get(slot).map_or(&[][..], |members| members);
        let concerns = |one: usize, other: usize| concerns(one, other) || concerns(other, one);
        let may_concern = |a: usize, b: usize| {
            let (a, b) = (members(a), members(b));
            a.len() * b.len() > FEW || a.iter().any(|one| b.iter().any(|other| concerns(*one, *other)))
        };
        let (mut slots, mut is_complete) = (BTreeSet::new(), true);
        for ((a, b), is_cut) in self.router.neighbours_within(NODES_EACH) {
            is_complete &= !is_cut && slots.len() < most;
            if !is_complete {
                break;
            }
            let pair = (a.min(b), a.max(b));
            if a != b && !slots.contains(&pair) && may_concern(a, b) {
                slots.insert(pair);
            }
        }
        let mut pairs = Vec::new();
        for (a, b) in slots {
            let (Some(&first), Some(&second)) = (members(a).first(), members(b).first()) else { continue };
            let (first, second) = (&self.entries[first].possible, &self.entries[second].possible);
            let (general, specific) = if first.specificity(second).is_lt() { (b, a) } else { (a, b) };
            let meet = common(first, second).is_some() || includes(first, second) || includes(second, first);
            for &entry in members(general).iter().filter(|_| meet) {
                let rivals = members(specific).iter().filter(|rival| concerns(entry, **rival));
                pairs.extend(rivals.map(|rival| (entry, *rival)));
            }
            if pairs.len() > most.saturating_mul(2) {
                is_complete = false;
                break;
            }
        }
        let before = pairs.len();
        for (entry, slot) in self.slots.iter().enumerate() {
            let equal = members(*slot).iter().filter(|other| **other != entry && concerns(entry, **other));
            pairs.extend(equal.filter(|other| self.may_be_taken_for(entry, **other)).map(|other| (entry, *other)));
            if pairs.len() - before > most.saturating_mul(2) {
                is_complete = false;
                break;
            }
        }
        pairs.sort_unstable();
        Rivals { pairs, is_complete }
    }

    /// Paths that both entries match, as the upstream may read them. `value` says what the parameters of an entry have,
    /// by its index and their names.
    pub fn examples(
        &self,
        a: usize,
        b: usize,
        value: &dyn Fn(usize, &str) -> Value,
        filler: Filler<'_>,
    ) -> Vec<String> {
        let template = |entry: usize| &self.entries[entry].possible;
        examples((template(a), &|name| value(a, name)), (template(b), &|name| value(b, name)), filler)
    }

    /// The values of the entries that a path means when the upstream reads it so, whichever entry it was matched for.
    pub fn meant<'s>(&self, path: &RequestPath<'_>, selectors: impl Into<Selectors<'s>>) -> impl Iterator<Item = &T> {
        let read = self.possible.path(path);
        let index = self.router.find(&read, selectors).map(|found| found.index);
        let entries = index.and_then(|index| self.router.get(index)).into_iter().flatten();
        entries.map(|entry| &self.entries[*entry].value)
    }

    /// The value of each entry that matches the path, spelt as the upstream reads it.
    pub fn matching(&self, path: &RequestPath<'_>) -> impl Iterator<Item = &T> {
        let entries = self.router.matching(path).into_iter().flatten();
        entries.map(|entry| &self.entries[*entry].value)
    }

    /// Whether the upstream reads every path of one entry as one of the other, as the document says.
    pub fn are_certainly_equal(&self, a: usize, b: usize) -> bool {
        self.entries[a].certain.same_language(&self.entries[b].certain)
    }

    /// The value of an entry.
    pub fn get(&self, entry: usize) -> Option<&T> {
        self.entries.get(entry).map(|entry| &entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: PathReading = PathReading { ignores_case: true, ignores_trailing_slash: true, merges_slashes: true };

    /// The templates that a path may mean which was matched for the first one.
    fn meant(certain: PathReading, templates: &[&str], path: &str) -> Vec<String> {
        let operations = templates.iter().map(|text| (Template::parse(text).expect("a template"), Vec::new(), *text));
        let view = UpstreamView::new(certain, ALL, operations);
        let path = RequestPath::parse(path).expect("a path");
        let Some(read) = view.read(&path) else { return Vec::new() };
        match view.meaning(0, &read, None) {
            Meaning::Others(others) => others.iter().map(|(text, _)| (**text).to_owned()).collect(),
            Meaning::Same | Meaning::UnclearQuery => Vec::new(),
        }
    }

    #[test]
    fn a_value_may_mean_a_path_that_is_described() {
        let exact = PathReading::EXACT;
        let cases: &[(PathReading, &[&str], &str, &[&str])] = &[
            (exact, &["/users/{id}", "/users/me"], "/users/ME", &["/users/me"]),
            (exact, &["/users/{id}", "/users/me"], "/users/you", &[]),
            (exact, &["/users/{id}", "/users/Me"], "/users/me", &["/users/Me"]),
            (exact, &["/{+page}", "/admin"], "/admin/", &["/admin"]),
            (exact, &["/{+page}", "/admin/{id}"], "/Admin/7", &["/admin/{id}"]),
            (exact, &["/{+page}", "/admin/{id}", "/{+any}.txt"], "/ADMIN/7", &["/admin/{id}"]),
            (exact, &["/a/{b}", "/{a}/b"], "/a/B", &[]),
            // Side by side, as the document says, unless it says that they are the same.
            (exact, &["/admin/", "/admin"], "/admin/", &[]),
            (exact, &["/Users/{id}", "/users/{id}"], "/Users/7", &[]),
            (ALL, &["/admin/", "/admin"], "/admin/", &["/admin"]),
            (ALL, &["/Users/{id}", "/users/{id}"], "/Users/7", &["/users/{id}"]),
            (ALL, &["/a//b", "/a/b"], "/a//b", &["/a/b"]),
        ];
        for (certain, templates, path, expected) in cases {
            assert_eq!(meant(*certain, templates, path), *expected, "{templates:?} {path}");
        }
    }

    #[test]
    fn rivals_are_more_specific() {
        let templates = ["/users/{id}", "/users/me", "/users/{id}/secrets", "/{+page}", "/admin/", "/admin"];
        let rivals = |certain: PathReading, entry: usize| -> Vec<&str> {
            let operations = templates.iter().map(|text| (Template::parse(text).expect("a template"), Vec::new(), ()));
            let found = UpstreamView::new(certain, ALL, operations).rivals();
            assert!(found.is_complete);
            let of_entry = found.pairs.into_iter().filter(|(of, _)| *of == entry);
            of_entry.map(|(_, rival)| templates[rival]).collect()
        };
        assert_eq!(rivals(PathReading::EXACT, 0), ["/users/me"]);
        assert_eq!(rivals(PathReading::EXACT, 1), [""; 0]);
        assert_eq!(rivals(PathReading::EXACT, 4), [""; 0]);
        assert_eq!(rivals(ALL, 4), ["/admin"]);
        assert_eq!(
            rivals(PathReading::EXACT, 3),
            ["/users/{id}", "/users/me", "/users/{id}/secrets", "/admin/", "/admin"]
        );
    }

    #[test]
    fn too_many_to_look_at_are_not_complete() {
        let texts = (0..400).flat_map(|index| [format!("/{{a{index}}}/x{index}"), format!("/y{index}/{{b}}")]);
        let operations = texts.map(|text| (Template::parse(&text).expect("a template"), Vec::new(), ()));
        assert!(!UpstreamView::new(PathReading::EXACT, ALL, operations).rivals().is_complete);
    }
}
