//! Which operations of one upstream a path may mean, however the upstream reads it: found without a router for each
//! reading.

use crate::matching::{Ranges, matches_shape};
use crate::path::RequestPath;
use crate::query::{Condition, Selectors};
use crate::reading::PathReading;
use crate::router::Prefixes;
use crate::template::Template;
use crate::trie::Trie;
use crate::view::{Meaning, UpstreamView};

/// The operations with one method that one upstream gets under the same paths.
///
/// Whatever a reading takes for the same, the widest one does as well. So the templates that match a path in its widest
/// reading are all that any reading can lead to; for most paths it is one, and there is nothing to compare.
#[derive(Debug)]
pub struct Candidates<T> {
    certain: PathReading,
    possible: PathReading,
    operations: Vec<Operation<T>>,
    /// The widest templates that are not greedy, and those that are.
    plain: Trie,
    greedy: Prefixes,
    /// A template is not spelt as the widest reading spells it, so that every path has to be looked up.
    has_other_spellings: bool,
}

#[derive(Debug)]
struct Operation<T> {
    template: Template,
    when: Vec<Condition>,
    value: T,
    /// In the widest reading.
    widest: Template,
    /// Every reading has as many segments.
    keeps_segments: bool,
}

/// A path as an upstream may read it, among the operations that it may mean.
#[derive(Debug)]
pub struct ReadPath<T> {
    view: UpstreamView<T>,
    /// The one that was matched.
    entry: usize,
    path: RequestPath<'static>,
}

impl<T: Copy> Candidates<T> {
    /// Operations of which the upstream reads the paths as `certain` says, and may read them as `possible` says.
    pub fn new(
        certain: PathReading,
        possible: PathReading,
        operations: impl Iterator<Item = (Template, Vec<Condition>, T)>,
    ) -> Self {
        let widest = certain.or(possible);
        let operations: Vec<Operation<T>> = operations
            .map(|(template, when, value)| {
                let widest = widest.template(&template);
                let keeps_segments = widest.segments().len() == template.segments().len();
                Operation { template, when, value, widest, keeps_segments }
            })
            .collect();
        let mut order: Vec<usize> = (0..operations.len()).collect();
        order.sort_by(|&a, &b| operations[a].widest.specificity(&operations[b].widest));
        let template = |index: usize| &operations[index].widest;
        let (plain, greedy) = order.split_at(order.partition_point(|&index| !template(index).is_greedy()));
        let plain = Trie::new(plain.iter().map(|&index| (index, template(index))));
        let greedy = Prefixes::new(greedy, template);
        let has_other_spellings =
            operations.iter().any(|operation| !operation.widest.same_language(&operation.template));
        Self { certain, possible, operations, plain, greedy, has_other_spellings }
    }

    /// The readings in which a path may mean another operation than the one of the index `entry`, which it was matched
    /// for; none where no candidate `matters`. What the document does not say counts for open operations only.
    pub fn readings(
        &self,
        entry: usize,
        path: &RequestPath<'_>,
        is_open: bool,
        matters: impl Fn(&T) -> bool,
    ) -> Vec<ReadPath<T>> {
        let widest = if is_open { self.certain.or(self.possible) } else { self.certain };
        if widest == PathReading::EXACT || (!self.has_other_spellings && widest.is_normal(path.canonical())) {
            return Vec::new();
        }
        let found = self.matching(path);
        let is_rival = |&other: &usize| other != entry && matters(&self.operations[other].value);
        if !found.iter().any(|other| is_rival(other) && !self.always_precedes(entry, *other)) {
            return Vec::new();
        }
        let certain = (self.certain != PathReading::EXACT).then_some(self.certain);
        let possible = if is_open { PathReading::between(self.certain, self.possible) } else { Vec::new() };
        let mut readings: Vec<ReadPath<T>> = Vec::new();
        let mut known: Vec<(RequestPath<'static>, Vec<Template>)> = Vec::new();
        for possible in certain.into_iter().chain(possible) {
            // Most paths have no slashes that could be dropped, so that several readings are one.
            let read = possible.path(path);
            let templates: Vec<Template> =
                found.iter().map(|&index| possible.template(&self.operations[index].template)).collect();
            let is_same = |(other, of_other): &(RequestPath<'_>, Vec<Template>)| {
                other.canonical() == read.canonical()
                    && templates.iter().zip(of_other).all(|(one, other)| one.same_language(other))
            };
            if known.iter().any(is_same) {
                continue;
            }
            known.push((read, templates));
            let operations = found.iter().map(|&index| {
                let Operation { template, when, value, .. } = &self.operations[index];
                (template.clone(), when.clone(), *value)
            });
            let view = UpstreamView::new(self.certain, possible, operations);
            let entry = found.iter().position(|&index| index == entry);
            readings.extend(view.read(path).zip(entry).map(|(path, entry)| ReadPath { view, entry, path }));
        }
        readings
    }

    /// The operations whose widest templates match the widest reading of the path.
    fn matching(&self, path: &RequestPath<'_>) -> Vec<usize> {
        let widest = self.certain.or(self.possible).path(path);
        let canonical = widest.canonical();
        let mut found = Vec::new();
        self.plain.find(canonical, &mut |index| {
            found.push(index);
            None::<()>
        });
        let mut ranges = Ranges::default();
        let greedy = self.greedy.along(canonical);
        found.extend(greedy.filter(|index| matches_shape(&self.operations[*index].widest, canonical, &mut ranges)));
        found
    }

    /// Whether one operation answers before another in every reading in which both match.
    fn always_precedes(&self, entry: usize, other: usize) -> bool {
        let (entry, other) = (&self.operations[entry], &self.operations[other]);
        entry.keeps_segments && other.keeps_segments && entry.widest.specificity(&other.widest).is_lt()
    }
}

impl<T> ReadPath<T> {
    /// What the path may mean in this reading.
    pub fn meaning<'s>(&self, selectors: impl Into<Selectors<'s>>) -> Meaning<'_, T> {
        self.view.meaning(self.entry, &self.path, selectors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::RouterBuilder;

    /// Numbers that look random (xorshift).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % end as u64) as usize
        }

        fn path(&mut self, parts: &[&str]) -> String {
            let segments = (0..=self.below(3)).map(|_| format!("/{}", parts[self.below(parts.len())]));
            segments.collect()
        }
    }

    #[test]
    fn the_same_as_with_a_view_of_all_operations_for_each_reading() {
        const PARTS: &[&str] = &["a", "A", "b", "", "{x}", "{y}", "a{x}", "{+z}"];
        const TEXTS: &[&str] = &["a", "A", "b", "B", "", "ab", "aB", "Ab"];
        let readings: Vec<PathReading> = (0..8)
            .map(|bits| PathReading {
                ignores_case: bits & 1 != 0,
                ignores_trailing_slash: bits & 2 != 0,
                merges_slashes: bits & 4 != 0,
            })
            .collect();
        let mut numbers = Numbers(7);
        let mut ambiguous = 0;
        for _ in 0..600 {
            let mut templates: Vec<Template> = Vec::new();
            for _ in 0..6 {
                let text = numbers.path(PARTS).replacen("{x}", "{w}", 1);
                let Ok(template) = Template::parse(&text) else { continue };
                if !templates.iter().any(|known| known.same_language(&template)) {
                    templates.push(template);
                }
            }
            let certain = readings[numbers.below(readings.len())];
            let possible = certain.or(readings[numbers.below(readings.len())]);
            let operations = || templates.iter().enumerate().map(|(index, it)| (it.clone(), Vec::new(), index));
            let candidates = Candidates::new(certain, possible, operations());
            let mut router = RouterBuilder::new();
            for (template, when, index) in operations() {
                router.insert(template, when, index);
            }
            let (router, _) = router.build();
            for _ in 0..8 {
                let text = numbers.path(TEXTS);
                let path = RequestPath::parse(&text).expect("a path");
                let Some(entry) = router.find(&path, None).map(|found| *found.value) else { continue };
                let mut expected = Vec::new();
                let of_certain = (certain != PathReading::EXACT).then_some(certain);
                for reading in of_certain.into_iter().chain(PathReading::between(certain, possible)) {
                    let view = UpstreamView::new(certain, reading, operations());
                    let Some(read) = view.read(&path) else { continue };
                    if let Meaning::Others(others) = view.meaning(entry, &read, None) {
                        expected.extend(others.iter().map(|(index, _)| **index));
                    }
                }
                let mut found = Vec::new();
                for read in &candidates.readings(entry, &path, true, |_| true) {
                    if let Meaning::Others(others) = read.meaning(None) {
                        found.extend(others.iter().map(|(index, _)| **index));
                    }
                }
                for meanings in [&mut expected, &mut found] {
                    meanings.sort_unstable();
                    meanings.dedup();
                }
                let shown: Vec<String> = templates.iter().map(ToString::to_string).collect();
                assert_eq!(found, expected, "{text} for {entry} of {shown:?}, {certain:?} {possible:?}");
                ambiguous += usize::from(!found.is_empty());
            }
        }
        assert!(ambiguous > 100, "{ambiguous} paths with several meanings");
    }
}
