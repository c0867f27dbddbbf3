//! Which member of an upstream a request goes to. Pure but for whose turn it is: what is known of the members comes in, an
//! index goes out.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What is known of a member.
pub(crate) trait Standing {
    /// Its share of the requests; 0 for none.
    fn weight(&self) -> u32;
    /// Smaller numbers first.
    fn priority(&self) -> u8;
    /// What stands for it in hashes, whatever the others are.
    fn key(&self) -> u64;
    /// Requests that it is answering.
    fn in_flight(&self) -> u32;
}

/// How one request is placed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Choice {
    /// Each in its turn.
    Turn,
    /// The better of two random ones.
    Least,
    /// By this hash of parts of the request.
    Hash(u64),
}

/// Whose turn it is: an interleaved order in which each member stands as often as its weight says.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    order: Box<[usize]>,
    next: AtomicUsize,
}

impl Turns {
    /// The longest order; weights that would make a longer one are made smaller.
    const LONGEST: u64 = 4096;

    /// An order by smooth weighted round-robin, as nginx has it: 1 and 3 are `b a b b`, never `a b b b`.
    pub(crate) fn of(weights: &[u32]) -> Self {
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let divisor = weights.iter().fold(0, |divisor, weight| greatest_common_divisor(divisor, *weight)).max(1);
        let fitted = |weight: u32| match sum / u64::from(divisor) {
            _ if weight == 0 => 0,
            total if total <= Self::LONGEST => i64::from(weight / divisor),
            _ => i64::try_from((u64::from(weight) * Self::LONGEST / sum).max(1)).unwrap_or(1),
        };
        let weights: Vec<i64> = weights.iter().map(|weight| fitted(*weight)).collect();
        let total: i64 = weights.iter().sum();
        let mut credits = vec![0; weights.len()];
        let mut order = Vec::new();
        for _ in 0..total {
            credits.iter_mut().zip(&weights).for_each(|(credit, weight)| *credit += weight);
            // The first of those with the most.
            let Some(index) = (0..credits.len()).rev().max_by_key(|index| credits[*index]) else { break };
            credits[index] -= total;
            order.push(index);
        }
        Self { order: order.into(), next: AtomicUsize::new(0) }
    }

    /// The next one, eligible or not.
    fn next(&self) -> Option<usize> {
        if self.order.is_empty() {
            return None;
        }
        Some(self.order[self.next.fetch_add(1, Relaxed) % self.order.len()])
    }

    /// The next one if it is eligible; otherwise it keeps its turn.
    fn take_next(&self, is_eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let length = self.order.len();
        let is_next_eligible = |next: usize| {
            let index = *self.order.get(next.checked_rem(length)?)?;
            is_eligible(index).then_some(next.wrapping_add(1))
        };
        let next = self.next.fetch_update(Relaxed, Relaxed, is_next_eligible).ok()?;
        self.order.get(next % length).copied()
    }

    /// The next one that is eligible. Others lose their turn, which moves no other turn.
    fn take(&self, is_eligible: impl Fn(usize) -> bool) -> Option<usize> {
        // Other threads take turns meanwhile, so that a second round may be needed.
        (0..self.order.len() * 2).filter_map(|_| self.next()).find(|index| is_eligible(*index))
    }
}

fn greatest_common_divisor(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

/// The members of the first priority, from which one can be drawn without looking at each.
#[derive(Debug, Default)]
pub(crate) struct First {
    members: Box<[usize]>,
    /// For each, its weight and those of the ones before it.
    sums: Box<[u64]>,
    /// The same members, for hashes.
    groups: Box<[Group]>,
}

/// Members that are found together by a hash.
#[derive(Debug)]
struct Group {
    key: u64,
    weight: u64,
    members: Box<[usize]>,
    /// What stands for each member, beside one another: a hash is compared with all of them.
    keys: Box<[u64]>,
    /// All have the same weight.
    is_even: bool,
}

/// A hash leads to a group, and then to one of its members, so that it need not be compared with each of a thousand. Members
/// are in groups by what stands for them, whatever the others are.
const GROUPS: u64 = 32;

impl First {
    pub(crate) fn of<M: Standing>(members: &[M]) -> Self {
        let has_weight = |index: &usize| members[*index].weight() > 0;
        let level = (0..members.len()).filter(has_weight).map(|index| members[index].priority()).min();
        let of_level = (0..members.len()).filter(has_weight).filter(|index| Some(members[*index].priority()) == level);
        let members_of_level: Box<[usize]> = of_level.collect();
        let sums = members_of_level.iter().scan(0, |sum, index| {
            *sum += u64::from(members[*index].weight());
            Some(*sum)
        });
        let groups = (0..GROUPS).filter_map(|number| {
            let is_in = |index: &usize| mix(members[*index].key()) % GROUPS == number;
            let found: Box<[usize]> = members_of_level.iter().copied().filter(is_in).collect();
            let weights = found.iter().map(|index| u64::from(members[*index].weight()));
            let first = weights.clone().next()?;
            Some(Group {
                key: mix(number + 1),
                weight: weights.clone().sum(),
                is_even: weights.clone().all(|weight| weight == first),
                keys: found.iter().map(|index| members[*index].key()).collect(),
                members: found,
            })
        });
        Self { sums: sums.collect(), groups: groups.collect(), members: members_of_level }
    }

    /// The member that a hash leads to. When one leaves, its group gives up some of its keys, and what was the member's goes
    /// to others: no more than twice its share moves.
    fn by_hash<M: Standing>(&self, members: &[M], is_eligible: impl Fn(&usize) -> bool, hash: u64) -> Option<usize> {
        let score = |group: &&Group| score(hash, group.key, group.weight as f64);
        let group = self.groups.iter().min_by(|one, other| score(one).total_cmp(&score(other)))?;
        if group.is_even {
            // As in `by_hash`; mostly the best is eligible, and no other is looked at.
            let best = group
                .keys
                .iter()
                .zip(&group.members)
                .map(|(key, index)| (draw(hash, *key), *index))
                .max_by_key(|(draw, _)| *draw);
            if let Some((_, index)) = best.filter(|(_, index)| is_eligible(index)) {
                return Some(index);
            }
        }
        let is_eligible = &is_eligible;
        by_hash(members, group.members.iter().copied().filter(move |index| is_eligible(index)), hash)
    }

    /// A random member, each as likely as its weight; `random` has 32 bits.
    fn draw(&self, random: u64) -> Option<usize> {
        let at = (random * self.sums.last()?) >> 32;
        self.members.get(self.sums.partition_point(|sum| *sum <= at)).copied()
    }
}

/// As [`choose`], where the first members that are looked at are eligible: their number does not matter then. `None` says
/// nothing.
pub(crate) fn choose_at_once<M: Standing>(
    members: &[M],
    first: &First,
    is_eligible: impl Fn(usize) -> bool,
    choice: Choice,
    turns: &Turns,
    random: u64,
) -> Option<usize> {
    match choice {
        Choice::Turn => {
            let level = members.get(*first.members.first()?)?.priority();
            turns.take_next(|index| members[index].priority() == level && is_eligible(index))
        }
        Choice::Least => {
            let one = first.draw(random >> 32).filter(|index| is_eligible(*index))?;
            if let [_] = *first.members {
                return Some(one);
            }
            // The same one again is drawn again.
            let draws = std::iter::successors(Some(random), |random| Some(mix(*random))).take(16);
            let other = draws.filter_map(|random| first.draw(random & 0xFFFF_FFFF)).find(|other| *other != one)?;
            is_eligible(other).then(|| less_busy(members, one, other))
        }
        Choice::Hash(hash) => first.by_hash(members, |index| is_eligible(*index), hash),
    }
}

/// The one with fewer requests for its weight; the first of equals.
fn less_busy<M: Standing>(members: &[M], first: usize, second: usize) -> usize {
    let load = |one: usize, other: usize| u64::from(members[one].in_flight()) * u64::from(members[other].weight());
    if load(second, first) < load(first, second) { second } else { first }
}

/// The member for a request: of those that were not tried, a usable one of the first priority that has one, and one that
/// is not usable only where there is no other. `None` once all were tried.
pub(crate) fn choose<M: Standing>(
    members: &[M],
    is_untried: impl Fn(usize) -> bool,
    is_usable: impl Fn(usize) -> bool,
    choice: Choice,
    first: &First,
    turns: &Turns,
    random: u64,
) -> Option<usize> {
    let level = |wants_usable: bool| {
        let fitting = |index: &usize| members[*index].weight() > 0 && is_untried(*index);
        let fitting = (0..members.len()).filter(fitting).filter(|index| !wants_usable || is_usable(*index));
        fitting.map(|index| members[index].priority()).min()
    };
    let (level, needs_usable) = match level(true) {
        Some(level) => (level, true),
        None => (level(false)?, false),
    };
    let eligible = |index: &usize| {
        let member = &members[*index];
        member.weight() > 0 && member.priority() == level && is_untried(*index) && (!needs_usable || is_usable(*index))
    };
    let candidates = (0..members.len()).filter(eligible);
    match choice {
        Choice::Turn => turns.take(|index| eligible(&index)).or_else(|| weighted(members, candidates, random >> 32)),
        Choice::Least => least(members, candidates, random),
        // The members of another priority are not grouped.
        Choice::Hash(hash) => first.by_hash(members, eligible, hash).or_else(|| by_hash(members, candidates, hash)),
    }
}

/// Power of two choices: of two random members, each as likely as its weight, the one with fewer requests for its weight.
fn least<M: Standing>(members: &[M], candidates: impl Iterator<Item = usize> + Clone, random: u64) -> Option<usize> {
    let first = weighted(members, candidates.clone(), random >> 32)?;
    let others = candidates.filter(|index| *index != first);
    let Some(second) = weighted(members, others, random & 0xFFFF_FFFF) else { return Some(first) };
    Some(less_busy(members, first, second))
}

/// A random member, each as likely as its weight; `random` has 32 bits.
fn weighted<M: Standing>(members: &[M], candidates: impl Iterator<Item = usize> + Clone, random: u64) -> Option<usize> {
    let total: u64 = candidates.clone().map(|index| u64::from(members[index].weight())).sum();
    let mut left = (random * total) >> 32;
    for index in candidates {
        let weight = u64::from(members[index].weight());
        match left.checked_sub(weight) {
            Some(rest) => left = rest,
            None => return Some(index),
        }
    }
    None
}

/// What one of this key draws for a hash: 53 bits.
fn draw(hash: u64, key: u64) -> u64 {
    mix(hash ^ key) >> 11
}

/// What one of this key and weight draws for a hash: the least wins.
fn score(hash: u64, key: u64, weight: f64) -> f64 {
    // In (0, 1]: its logarithm is finite.
    let draw = (draw(hash, key) + 1) as f64 / (1_u64 << 53) as f64;
    -draw.ln() / weight
}

/// Rendezvous hashing with weights: each member draws a number for the key, and the best draw wins. When one leaves, only
/// the keys that it had won go to others.
fn by_hash<M: Standing>(members: &[M], candidates: impl Iterator<Item = usize> + Clone, hash: u64) -> Option<usize> {
    let draw = |index: usize| draw(hash, members[index].key());
    let mut weights = candidates.clone().map(|index| members[index].weight());
    let first = weights.next()?;
    if weights.all(|weight| weight == first) {
        // The best draw wins with equal weights as well, without a logarithm for each.
        return candidates.map(|index| (draw(index), index)).max_by_key(|(draw, _)| *draw).map(|(_, index)| index);
    }
    let score = |index: usize| score(hash, members[index].key(), f64::from(members[index].weight()));
    candidates.map(|index| (score(index), index)).min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, index)| index)
}

/// Spreads the bits of a number (SplitMix64).
pub(crate) fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known {
        weight: u32,
        priority: u8,
        in_flight: u32,
        key: u64,
    }

    impl Standing for Known {
        fn weight(&self) -> u32 {
            self.weight
        }

        fn priority(&self) -> u8 {
            self.priority
        }

        fn key(&self) -> u64 {
            self.key
        }

        fn in_flight(&self) -> u32 {
            self.in_flight
        }
    }

    fn members(weights: &[u32]) -> Vec<Known> {
        let of = |(index, weight): (usize, &u32)| Known {
            weight: *weight,
            priority: 0,
            in_flight: 0,
            key: mix(index as u64 + 1),
        };
        weights.iter().enumerate().map(of).collect()
    }

    fn turns(members: &[Known]) -> Turns {
        Turns::of(&members.iter().map(|member| member.weight).collect::<Vec<_>>())
    }

    fn pick(members: &[Known], usable: &[usize], tried: &[usize], choice: Choice, random: u64) -> Option<usize> {
        let is_untried = |index| !tried.contains(&index);
        choose(
            members,
            is_untried,
            |index| usable.contains(&index),
            choice,
            &First::of(members),
            &turns(members),
            random,
        )
    }

    #[test]
    fn the_short_way_leads_to_the_same_shares() {
        for weights in [&[1, 1, 1][..], &[4, 1], &[5, 0, 1, 2], &[1; 100], &[7]] {
            let members = members(weights);
            let (first, own, turns) = (First::of(&members), turns(&members), turns(&members));
            for choice in [Choice::Least, Choice::Turn] {
                let mut counts = vec![[0_u32; 2]; weights.len()];
                for number in 0..20_000 {
                    let random = mix(number + 1);
                    let long = || choose(&members, |_| true, |_| true, choice, &first, &turns, random);
                    let short = choose_at_once(&members, &first, |_| true, choice, &own, random);
                    let ways = [short.or_else(long), long()];
                    for (way, index) in ways.into_iter().enumerate() {
                        counts[index.expect("all are eligible")][way] += 1;
                    }
                }
                for [short, long] in counts {
                    assert!(short.abs_diff(long) < 400, "{weights:?} {choice:?}: {short} {long}");
                }
            }
        }
    }

    #[test]
    fn ineligible_members_take_no_turn() {
        let members = members(&[1, 1]);
        let (first, turns) = (First::of(&members), turns(&members));
        let taken = (0..4).map(|_| {
            let short = choose_at_once(&members, &first, |_| false, Choice::Turn, &turns, 0);
            short.or_else(|| choose(&members, |_| true, |_| true, Choice::Turn, &first, &turns, 0))
        });
        assert_eq!(taken.collect::<Vec<_>>(), [Some(0), Some(1), Some(0), Some(1)]);
    }

    #[test]
    fn the_short_way_skips_ineligible_members() {
        let mut members = members(&[1, 1, 1]);
        members[2].priority = 1;
        let (first, turns) = (First::of(&members), turns(&members));
        for number in 0..1_000 {
            for choice in [Choice::Least, Choice::Turn, Choice::Hash(number)] {
                let found = choose_at_once(&members, &first, |index| index == 1, choice, &turns, mix(number));
                assert!(matches!(found, None | Some(1)), "{found:?}");
                let found = choose_at_once(&members, &first, |_| true, choice, &turns, mix(number));
                assert!(found.is_none_or(|index| index < 2), "{found:?}");
            }
        }
        assert!(First::of::<Known>(&[]).draw(7).is_none());
    }

    /// `cargo test --release -p gateway-proxy --lib choosing -- --ignored --nocapture`
    #[test]
    #[ignore = "prints how long it takes"]
    #[expect(clippy::print_stdout, reason = "that is what it is for")]
    fn choosing_among_a_thousand() {
        let members = members(&[1; 1000]);
        let (first, turns) = (First::of(&members), turns(&members));
        for (name, choice) in
            [("round-robin", Choice::Turn), ("least-request", Choice::Least), ("hash", Choice::Hash(7))]
        {
            let started = std::time::Instant::now();
            let mut sum = 0;
            for number in 0..10_000_u64 {
                let choice = if let Choice::Hash(_) = choice { Choice::Hash(mix(number)) } else { choice };
                let at_once = choose_at_once(&members, &first, |_| true, choice, &turns, mix(number));
                sum += at_once
                    .or_else(|| choose(&members, |_| true, |_| true, choice, &first, &turns, mix(number)))
                    .unwrap_or_default();
            }
            println!("{name}: {} ns ({sum})", started.elapsed().as_nanos() / 10_000);
        }
    }

    #[test]
    fn turns_are_interleaved() {
        let members = members(&[1, 3]);
        let turns = turns(&members);
        let next = |usable: &[usize]| {
            choose(&members, |_| true, |index| usable.contains(&index), Choice::Turn, &First::of(&members), &turns, 0)
                .expect("one")
        };
        let picked: Vec<usize> = (0..8).map(|_| next(&[0, 1])).collect();
        assert_eq!(picked, [1, 0, 1, 1, 1, 0, 1, 1]);
        assert_eq!([next(&[0]), next(&[0]), next(&[1])], [0, 0, 1]);
    }

    #[test]
    fn turns_of_ejected_members_are_shared_evenly() {
        let members = members(&[1, 1, 1]);
        let turns = turns(&members);
        let next = || {
            choose(&members, |_| true, |index| index != 0, Choice::Turn, &First::of(&members), &turns, 0).expect("one")
        };
        assert_eq!((0..6).map(|_| next()).collect::<Vec<_>>(), [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn large_weights_make_no_long_order() {
        assert_eq!(&*Turns::of(&[200, 100]).order, [0, 1, 0]);
        let turns = Turns::of(&[1000, 999, 998, 997, 996, 1]);
        assert!(turns.order.len() < 5_000 && turns.order.contains(&5));
        assert!(Turns::of(&[0, 0]).order.is_empty());
    }

    #[test]
    fn a_weight_of_nothing_gets_nothing() {
        let members = members(&[0, 1]);
        for choice in [Choice::Turn, Choice::Least, Choice::Hash(7)] {
            assert_eq!(pick(&members, &[0, 1], &[], choice, 0), Some(1));
            assert_eq!(pick(&members, &[0, 1], &[1], choice, 0), None);
        }
    }

    #[test]
    fn the_less_busy_of_two_is_taken() {
        let mut members = members(&[1, 1]);
        members[0].in_flight = 3;
        for random in 0..64 {
            assert_eq!(pick(&members, &[0, 1], &[], Choice::Least, mix(random)), Some(1));
        }
    }

    #[test]
    fn idle_members_get_their_share() {
        let members = members(&[4, 1]);
        let picked = (0..10_000_u64).filter(|n| pick(&members, &[0, 1], &[], Choice::Least, mix(n * 77)) == Some(0));
        let count = picked.count();
        assert!((7_700..8_300).contains(&count), "{count}");
    }

    #[test]
    fn priorities_and_tries_come_first() {
        let mut members = members(&[1, 1, 1]);
        members[2].priority = 1;
        for choice in [Choice::Turn, Choice::Least, Choice::Hash(7)] {
            assert_eq!(pick(&members, &[1, 2], &[], choice, 9), Some(1));
            assert_eq!(pick(&members, &[2], &[], choice, 9), Some(2));
            // No member is usable: the first priority is asked all the same.
            assert!(pick(&members, &[], &[], choice, 9).is_some_and(|index| index < 2));
            assert_eq!(pick(&members, &[1, 2], &[1], choice, 9), Some(2), "tried ones are last");
            assert_eq!(pick(&members, &[1, 2], &[1, 2], choice, 9), Some(0), "then the unusable");
            assert_eq!(pick(&members, &[0, 1, 2], &[0, 1, 2], choice, 9), None);
        }
    }

    #[test]
    fn a_removed_member_moves_only_its_own_keys() {
        let members = members(&[1, 1, 2, 1]);
        let all = [0, 1, 2, 3];
        for leaving in all {
            let rest: Vec<usize> = all.into_iter().filter(|index| *index != leaving).collect();
            for key in 0..2_000 {
                let hash = Choice::Hash(mix(key));
                let (before, after) = (pick(&members, &all, &[], hash, 0), pick(&members, &rest, &[], hash, 0));
                assert!(before == after || before == Some(leaving));
            }
        }
    }

    #[test]
    fn one_that_is_taken_off_the_list_moves_at_most_twice_its_share() {
        for count in [2_usize, 3, 10, 40, 1000] {
            let weights: Vec<u32> = (0..count).map(|index| 1 + index as u32 % 3).collect();
            let total: u32 = weights.iter().sum();
            let all = members(&weights);
            for leaving in [0, count / 2, count - 1] {
                let mut rest = members(&weights);
                rest.remove(leaving);
                let (first, others) = (First::of(&all), First::of(&rest));
                let keys = 20_000_u64 / (1 + count as u64 / 20);
                let is_moved = |key: &u64| {
                    let hash = mix(*key + 1);
                    let before = first.by_hash(&all, |_| true, hash).expect("one");
                    let after = others.by_hash(&rest, |_| true, hash).expect("one");
                    all[before].key != rest[after].key
                };
                let moved = (0..keys).filter(is_moved).count() as f64 / keys as f64;
                let share = f64::from(weights[leaving]) / f64::from(total);
                assert!(
                    moved >= share * 0.7 - 0.004 && moved <= share * 2.0 + 0.004,
                    "{count} {leaving}: {moved} {share}"
                );
            }
        }
    }

    #[test]
    fn hashes_respect_weights() {
        let members = members(&[1, 1, 2]);
        let mut counts = [0_u32; 3];
        for key in 0..8_000 {
            counts[pick(&members, &[0, 1, 2], &[], Choice::Hash(mix(key)), 0).expect("one")] += 1;
        }
        assert!(counts[0].abs_diff(2_000) < 200 && counts[2].abs_diff(4_000) < 200, "{counts:?}");
    }
}
