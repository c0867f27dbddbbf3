//! Which requests of an operation go to another upstream than its own.

use gateway_route::Reading;

use crate::tables::{HashKey, Share, SplitEntry};
use crate::upstream::balance::mix;
use crate::upstream::hash::of_text;
use gateway_wire::http1::head::RequestHead;

/// Which requests an entry of a `split` takes.
#[derive(Debug)]
pub struct SplitChoice {
    entry: &'static SplitEntry,
    /// What the entries before it take.
    before: Share,
    /// Makes its choice independent of those of other entries. Of the upstream's name, so that a caller who gets a
    /// version at one operation gets it at the others.
    seed: u64,
}

impl SplitChoice {
    /// Those of the entries of an operation, in their order.
    pub fn of(entries: &'static [SplitEntry]) -> impl Iterator<Item = Self> {
        let mut before = Share::NOTHING;
        entries.iter().map(move |entry| {
            let choice = Self { entry, before, seed: of_text(entry.to.name) };
            before = Share(before.0.saturating_add(entry.share.0));
            choice
        })
    }

    /// Whether a request has every header field that `when` asks for.
    pub(crate) fn holds(&self, head: &RequestHead<'_>) -> bool {
        let has = |(name, value): &(&str, &str)| matches!(head.reading(name), Reading::Once(found) if found == *value);
        !self.entry.when.is_empty() && self.entry.when.iter().all(has)
    }

    /// Whether a request that the entries before have not taken is of the share. Equal hashes of its parts always are, or
    /// never.
    pub(crate) fn takes(
        &self,
        hash: impl FnOnce(&'static [HashKey]) -> Option<u64>,
        random: impl FnOnce() -> u64,
    ) -> bool {
        let SplitEntry { share, by, .. } = *self.entry;
        if share == Share::NOTHING {
            return false;
        }
        let known = if by.is_empty() { None } else { hash(by) };
        share.takes(self.before, known.map_or_else(random, |hash| mix(hash ^ self.seed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Upstream;
    use gateway_wire::http1::head::Field;

    static CANARY: Upstream = Upstream { name: "canary", ..Upstream::USUAL };
    static OTHER: Upstream = Upstream { name: "other", ..Upstream::USUAL };

    fn choices(entries: Vec<SplitEntry>) -> Vec<SplitChoice> {
        SplitChoice::of(Vec::leak(entries)).collect()
    }

    #[test]
    fn a_condition_holds_for_requests_that_are_clear_about_all_of_it() {
        let when: &[(&str, &str)] = &[("X-Canary", "1"), ("X-Region", "eu west")];
        let choices = choices(vec![SplitEntry { to: &CANARY, share: Share::NOTHING, when, by: &[] }]);
        let region = Field { name: "x-region", value: b"eu west" };
        for (fields, expected) in [
            (vec![Field { name: "x-canary", value: b"1" }, region], true),
            (vec![region], false),
            (vec![Field { name: "X-Canary", value: b"10" }, region], false),
            (vec![Field { name: "X-Canary", value: b"1" }, Field { name: "X-Canary", value: b"1" }, region], false),
            (vec![Field { name: "X-Canary", value: b"1" }, Field { name: "X_Canary", value: b"2" }, region], false),
            (vec![], false),
        ] {
            let head = RequestHead { method: "GET", target: "/", is_http11: true, fields: &fields };
            assert_eq!(choices[0].holds(&head), expected, "{fields:?}");
        }
        assert!(!choices[0].takes(|_| None, || 0), "it has no share");
    }

    #[test]
    fn equal_parts_get_one_version_and_shares_are_independent() {
        let by: &[HashKey] = &[HashKey::Cookie("cart")];
        let entry = |to, share| SplitEntry { to, share, when: &[], by };
        let choices = choices(vec![entry(&CANARY, Share(2_000)), entry(&OTHER, Share(4_000))]);
        let mut taken = [0_u32; 3];
        for hash in (0..10_000_u64).map(mix) {
            let choose = || choices.iter().position(|choice| choice.takes(|_| Some(hash), || unreachable!()));
            assert_eq!(choose(), choose());
            taken[choose().unwrap_or(2)] += 1;
        }
        for (taken, expected) in taken.into_iter().zip([2_000, 4_000, 4_000]) {
            assert!(taken.abs_diff(expected) < 250, "{taken} instead of {expected}");
        }
        assert!(choices[0].takes(|_| None, || 0), "without the part, chance decides");
    }
}
