//! When the members of an upstream are checked: those that have waited longest first, each about once in an interval.
//!
//! Each member has its own time. Another list of members changes nothing for those that stay.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::tables::Health;
use crate::upstream::balance::mix;

/// So many checks of an upstream begin at once, and the next ones a moment later: a thousand endpoints are not asked in one
/// burst.
const AT_ONCE: usize = 32;

/// Whatever a description says: timers have an end, and a pause is one.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The checks of one upstream. Members are known by their indices in the pools.
pub(super) struct Schedule {
    seed: u64,
    /// How many checks have begun.
    begun: u64,
    known: HashMap<usize, Turn>,
    /// What has begun has taken the [`Room`] until then.
    spent_until: Option<Instant>,
}

/// When a member is checked next.
struct Turn {
    /// Its last check began, or it was first seen.
    since: Instant,
    /// From there to the next check, in hundredths of the interval: 0 for one that has not been checked.
    pause: u32,
    is_under_way: bool,
}

impl Turn {
    fn due(&self, health: &Health) -> Instant {
        self.since + interval(health) * self.pause / 100
    }
}

impl Schedule {
    /// `seed` tells upstreams apart.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, begun: 0, known: HashMap::new(), spent_until: None }
    }

    /// Those of the members whose checks begin now, by their places in the list, and when to look again.
    pub(super) fn next(&mut self, members: &[usize], health: &Health, now: Instant) -> (Vec<usize>, Instant) {
        let listed: HashSet<usize> = members.iter().copied().collect();
        self.known.retain(|index, turn| turn.is_under_way || listed.contains(index));
        let mut waiting = Vec::new();
        for (place, index) in members.iter().enumerate() {
            // One that is new is due at once, behind those that were due before.
            let turn = self.known.entry(*index).or_insert(Turn { since: now, pause: 0, is_under_way: false });
            if !turn.is_under_way {
                waiting.push((turn.due(health), place));
            }
        }
        waiting.sort_unstable();
        let between = between(members.len(), health);
        let mut room = Room::at(now, between, self.spent_until);
        let (mut begin, mut next_due) = (Vec::new(), now + interval(health));
        for (due, place) in waiting {
            if self.is_under_way(members[place]) {
                // The list has an address twice.
                continue;
            }
            if due > now || begin.len() == AT_ONCE || !room.take() {
                next_due = due.max(room.next());
                break;
            }
            self.begin(members[place], now);
            begin.push(place);
        }
        self.spent_until = Some(room.spent_until);
        // Those that are due at nearly the same time begin together, for fewer looks at all of them.
        (begin, next_due.max(now + between.min(interval(health) / 100).max(SHORTEST)))
    }

    /// The check of a member has ended; says when the next one is due.
    pub(super) fn ended(&mut self, index: usize, health: &Health) -> Option<Instant> {
        let turn = self.known.get_mut(&index)?;
        turn.is_under_way = false;
        Some(turn.due(health))
    }

    fn is_under_way(&self, index: usize) -> bool {
        self.known.get(&index).is_some_and(|turn| turn.is_under_way)
    }

    fn begin(&mut self, index: usize, now: Instant) {
        // A tenth more or less: gateways that were started together do not ask together.
        let random = mix(self.seed ^ mix(self.begun ^ u64::from(std::process::id()) << 32));
        let pause = 90 + (random % 21) as u32;
        self.known.insert(index, Turn { since: now, pause, is_under_way: true });
        self.begun += 1;
    }
}

/// How many checks may begin now: as many at once as [`AT_ONCE`], and as many again in the time between.
struct Room {
    now: Instant,
    between: Duration,
    /// What has begun has taken the room until then.
    spent_until: Instant,
}

impl Room {
    fn at(now: Instant, between: Duration, spent_until: Option<Instant>) -> Self {
        // The time between may be shorter than it was.
        let spent_until = spent_until.map_or(now, |until| until.clamp(now, now + between));
        Self { now, between, spent_until }
    }

    fn of_one(&self) -> Duration {
        self.between / AT_ONCE as u32
    }

    fn take(&mut self) -> bool {
        let spent = self.spent_until + self.of_one();
        let has_room = spent <= self.now + self.between;
        if has_room {
            self.spent_until = spent;
        }
        has_room
    }

    /// When there is room for one.
    fn next(&self) -> Instant {
        self.now + (self.spent_until + self.of_one()).saturating_duration_since(self.now + self.between)
    }
}

fn interval(health: &Health) -> Duration {
    health.every.clamp(SHORTEST, LONGEST)
}

/// The time between those that begin at once and the next ones: all have begun after half of the interval, and have ended
/// when the next check of the first one is due.
fn between(members: usize, health: &Health) -> Duration {
    let every = interval(health);
    let time = every.saturating_sub(health.timeout).min(every / 2);
    time / u32::try_from(members.div_ceil(AT_ONCE).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(every: u64, timeout: u64) -> Health {
        Health {
            path: "/",
            every: Duration::from_millis(every),
            timeout: Duration::from_millis(timeout),
            healthy: 1,
            unhealthy: 1,
            status: &[(200, 299)],
        }
    }

    /// The members at a millisecond.
    type List<'a> = &'a dyn Fn(u64) -> Vec<usize>;

    /// Has checks of this length run for a while, with the members that `list` gives at each millisecond; says at which
    /// ones the checks of each member began, and how many began together at most.
    fn run(
        health: &Health,
        (until, length): (u64, u64),
        list: impl Fn(u64) -> Vec<usize>,
    ) -> (HashMap<usize, Vec<u64>>, usize) {
        let began = Instant::now();
        let (mut schedule, mut checks) = (Schedule::new(7), HashMap::<usize, Vec<u64>>::new());
        let (mut under_way, mut most, mut last) = (Vec::<(u64, usize)>::new(), 0, Vec::new());
        let mut look_again = began;
        for millisecond in 0..until {
            let now = began + Duration::from_millis(millisecond);
            let ended = under_way.extract_if(.., |(end, _)| *end <= millisecond).collect::<Vec<_>>();
            for (_, index) in ended {
                look_again = look_again.min(schedule.ended(index, health).expect("known"));
            }
            let members = list(millisecond);
            if look_again > now && members == last {
                continue;
            }
            let (begin, next) = schedule.next(&members, health, now);
            most = most.max(begin.len());
            for place in begin {
                assert!(under_way.iter().all(|(_, index)| *index != members[place]), "twice at once");
                under_way.push((millisecond + length, members[place]));
                checks.entry(members[place]).or_default().push(millisecond);
            }
            (look_again, last) = (next, members);
        }
        (checks, most)
    }

    /// The longest time without a check, from the beginning on.
    fn longest(checks: &[u64], until: u64) -> u64 {
        let ends = checks.iter().copied().chain([until]);
        std::iter::once(0).chain(checks.iter().copied()).zip(ends).map(|(from, to)| to - from).max().unwrap_or(until)
    }

    #[test]
    fn the_checks_of_a_round_are_spread() {
        for (members, every, timeout, expected) in [
            (1_000, 5_000, 1_000, 2_500_000 / 32),
            (33, 5_000, 1_000, 1_250_000),
            (64, 1_000, 800, 100_000),
            (1_000, 50, 1_000, 0),
            (0, 5_000, 1_000, 2_500_000),
        ] {
            let found = between(members, &health(every, timeout));
            assert_eq!(found, Duration::from_micros(expected), "{members} every {every} ms");
        }
    }

    #[test]
    fn nobody_waits_longer_than_an_interval_and_a_half() {
        let same = |_| (0..100).collect::<Vec<usize>>();
        // Every 2 s another one takes the place of the first, or twenty new ones that of those before.
        let one_changes = |time: u64| (1..100).chain([1_000 + time as usize / 2_000]).collect::<Vec<usize>>();
        let many_change = |time: u64| {
            let first = 1_000 + time as usize / 2_000 * 20;
            (first..first + 20).chain(20..100).collect::<Vec<usize>>()
        };
        let turned = |time: u64| {
            let mut members: Vec<usize> = (0..100).collect();
            members.rotate_left(time as usize / 2_000 % 100);
            members
        };
        let lists: [(&str, List<'_>); 4] = [
            ("the same", &same),
            ("one changes", &one_changes),
            ("many change", &many_change),
            ("another order", &turned),
        ];
        for (name, list) in lists {
            let (checks, most) = run(&health(10_000, 1_000), (60_000, 100), list);
            assert!(most <= AT_ONCE, "{name}: {most} at once");
            for member in 20..100 {
                let times = checks.get(&member).map_or(&[][..], |times| times);
                assert!(longest(times, 60_000) <= 15_000, "{name}: {member} at {times:?}");
                assert!(times.len() <= 7, "{name}: {member} more often than each 9 s, at {times:?}");
            }
        }
    }

    #[test]
    fn intervals_at_the_edge_are_taken() {
        for every in [Duration::ZERO, Duration::MAX] {
            let health = Health { every, ..health(1, 1) };
            let (mut schedule, now) = (Schedule::new(7), Instant::now());
            let (begin, look_again) = schedule.next(&[1, 2], &health, now);
            assert!(begin == [0, 1] && look_again > now, "{every:?}");
        }
    }

    #[test]
    fn a_check_that_takes_longer_than_the_interval_is_waited_for() {
        let (checks, _) = run(&health(50, 1_000), (10_000, 1_000), |_| vec![1, 2, 2]);
        assert!(checks.values().all(|times| (9..=10).contains(&times.len())), "{checks:?}");
    }

    #[test]
    fn a_new_member_is_checked_at_once_and_another_interval_counts_from_the_last_check() {
        let (checks, _) = run(&health(10_000, 1_000), (5_000, 10), |time| (0..1 + time as usize / 4_000).collect());
        assert_eq!((&*checks[&0], &*checks[&1]), (&[0][..], &[4_000][..]));
        let (mut schedule, now) = (Schedule::new(7), Instant::now());
        assert_eq!(schedule.next(&[1], &health(60_000, 1_000), now).0, [0]);
        schedule.ended(1, &health(60_000, 1_000));
        let later = now + Duration::from_secs(2);
        assert!(schedule.next(&[1], &health(60_000, 1_000), later).0.is_empty());
        assert_eq!(schedule.next(&[1], &health(1_000, 500), later).0, [0]);
    }
}
