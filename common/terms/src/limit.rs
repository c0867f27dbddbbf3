//! The grammar of rate limits, in documents (`limits`, `rateLimit`) and in `consumers.yaml` (`rateLimit`).

use std::ops::RangeInclusive;
use std::time::Duration;

use gateway_yaml::{Entry, Key, Mapping, Node, Span, units};

use crate::algorithm::Algorithm;

/// Where a limit is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In an OpenAPI document.
    Document,
    /// In `consumers.yaml`. Its key is the consumer, each request costs one, and what was accepted once stays accepted.
    Consumer,
}

/// The members of a limit, and whether those of consumers have them too.
const MEMBERS: &[(&str, bool)] = &[
    ("name", true),
    ("use", false),
    ("algorithm", true),
    ("limit", true),
    ("interval", true),
    ("rate", true),
    ("burst", true),
    ("delay", true),
    ("key", false),
    ("onMissingKey", false),
    ("status", true),
    ("body", true),
    ("headers", true),
    ("headerPrefix", true),
    ("cost", false),
    ("store", true),
    ("mode", true),
    ("onStoreError", true),
];

/// The members that are an algorithm's numbers.
const NUMBERS: &[&str] = &["limit", "interval", "rate", "burst", "delay"];

/// The numbers of an algorithm.
#[derive(Debug)]
pub struct Numbers {
    /// The algorithm's name.
    pub algorithm: &'static str,
    /// Those that it needs.
    pub required: &'static [&'static str],
    /// Those that it may have.
    pub optional: &'static [&'static str],
}

/// All algorithms.
pub static ALGORITHMS: [Numbers; 5] = [
    Numbers { algorithm: "token-bucket", required: &["limit", "interval"], optional: &[] },
    Numbers { algorithm: "fixed-window", required: &["limit", "interval"], optional: &[] },
    Numbers { algorithm: "sliding-window", required: &["limit", "interval"], optional: &[] },
    Numbers { algorithm: "leaky-bucket", required: &["rate"], optional: &["burst", "delay"] },
    Numbers { algorithm: "concurrency", required: &["limit"], optional: &["burst", "delay"] },
];

/// What `consumers.yaml` may say instead of the `rate` of a leaky bucket.
const RATE_IN_PARTS: &[&str] = &["limit", "interval"];

/// More than this, per interval, is no limit.
pub const MAX_LIMIT: u64 = 1 << 31;

/// No request waits longer for its turn.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The longest duration in a document.
pub const LONGEST_DURATION: Duration = Duration::from_secs(365 * 86_400);

/// The status of a refusal.
pub const STATUSES: RangeInclusive<u64> = 400..=599;

/// The status of a refusal where nothing is said.
pub const USUAL_STATUS: u16 = 429;

/// The values of `headers`: whether clients get fields about the limit.
pub const HEADERS: &[(&str, bool)] = &[("default", true), ("none", false)];

/// What is wrong with an algorithm and its numbers.
#[derive(Debug, Clone, Copy)]
pub enum LimitMistake<'n> {
    /// `algorithm` is missing in the limit that stands here.
    NoAlgorithm(Span),
    /// This is none of [`ALGORITHMS`].
    UnknownAlgorithm(&'n Node),
    /// A number that the algorithm does not have.
    Stray(&'n Key, &'static Numbers),
    /// A number that the algorithm needs.
    Missing {
        /// The number.
        member: &'static str,
        /// The value of `algorithm`.
        chosen: &'n Node,
        /// What the algorithm has.
        numbers: &'static Numbers,
    },
    /// Not a whole number up to [`MAX_LIMIT`].
    NotWhole {
        /// The number.
        member: &'static str,
        /// What stands there.
        node: &'n Node,
        /// The least that it could be.
        least: u64,
    },
    /// Not a duration, or not one that can stand there.
    NotDuration {
        /// The number.
        member: &'static str,
        /// What stands there.
        node: &'n Node,
    },
    /// `rate` is no rate.
    NotRate(&'n Node),
    /// `delay` of a leaky bucket is neither true nor false.
    NotBoolean(&'n Node),
    /// `delay` of a concurrency that has no `burst`, which is what waits.
    NobodyWaits(&'n Key),
    /// Requests would wait for more than [`LONGEST_WAIT`]; the value of `algorithm`.
    LongWait(&'n Node),
    /// [`Algorithm::is_countable`] says no; the value of `algorithm`.
    Uncountable(&'n Node),
}

/// What a limit says about how requests are admitted.
#[derive(Debug)]
pub struct Reading<'n> {
    /// `None` has its reason in a mistake, here or in the mapping's keys.
    pub algorithm: Option<Algorithm>,
    /// What is wrong. A mistake that leaves no doubt about the numbers leaves the algorithm.
    pub mistakes: Vec<LimitMistake<'n>>,
}

impl Place {
    /// The members that a limit may have here.
    #[must_use]
    pub fn members(self) -> Vec<&'static str> {
        MEMBERS.iter().filter(|(_, own)| *own || self == Self::Document).map(|(name, _)| *name).collect()
    }

    fn knows(self, member: &str) -> bool {
        MEMBERS.iter().any(|(name, own)| *name == member && (*own || self == Self::Document))
    }

    fn longest_duration(self) -> Duration {
        match self {
            Self::Document => LONGEST_DURATION,
            Self::Consumer => Duration::MAX,
        }
    }
}

impl LimitMistake<'_> {
    /// Where it is.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::NoAlgorithm(span) => *span,
            Self::Stray(key, _) | Self::NobodyWaits(key) => key.span,
            Self::Missing { chosen: node, .. }
            | Self::NotWhole { node, .. }
            | Self::NotDuration { node, .. }
            | Self::UnknownAlgorithm(node)
            | Self::NotRate(node)
            | Self::NotBoolean(node)
            | Self::LongWait(node)
            | Self::Uncountable(node) => node.span,
        }
    }
}

/// The names of all algorithms.
#[must_use]
pub fn algorithm_names() -> [&'static str; 5] {
    std::array::from_fn(|index| ALGORITHMS[index].algorithm)
}

/// Reads the algorithm of a limit and its numbers. Where members are unknown, which the caller reports, none is said to
/// be missing: the unknown one is probably meant for it. What is no mapping has nothing, and the caller reports that too.
#[must_use]
pub fn read_algorithm(node: &Node, place: Place) -> Reading<'_> {
    let Some(members) = node.as_mapping() else { return Reading { algorithm: None, mistakes: Vec::new() } };
    let mut reader = Reader { members, place, mistakes: Vec::new() };
    let algorithm = reader.algorithm(node.span);
    Reading { algorithm, mistakes: reader.mistakes }
}

/// A whole number from `least` to [`MAX_LIMIT`].
#[must_use]
pub fn whole(node: &Node, least: u64) -> Option<u64> {
    node.as_number().and_then(|number| number.as_u64()).filter(|number| (least..=MAX_LIMIT).contains(number))
}

/// A status of [`STATUSES`].
#[must_use]
pub fn status(node: &Node) -> Option<u16> {
    let status = node.as_number().and_then(|number| number.as_u64()).filter(|status| STATUSES.contains(status))?;
    u16::try_from(status).ok()
}

/// Whether a limit can be called this: the name stands in a structured field (RFC 9651 §3.3.3).
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
}

/// Whether this can stand in the names of header fields, `X-<prefix>-RateLimit-Limit`.
#[must_use]
pub fn is_header_prefix(prefix: &str) -> bool {
    !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

struct Reader<'n> {
    members: &'n Mapping,
    place: Place,
    mistakes: Vec<LimitMistake<'n>>,
}

impl<'n> Reader<'n> {
    fn algorithm(&mut self, at: Span) -> Option<Algorithm> {
        let has_unknown = self.members.iter().any(|Entry { key, .. }| !self.place.knows(&key.name));
        let Some(chosen) = self.members.get("algorithm") else {
            if !has_unknown {
                self.mistakes.push(LimitMistake::NoAlgorithm(at));
            }
            return None;
        };
        let Some(numbers) = ALGORITHMS.iter().find(|numbers| chosen.as_str() == Some(numbers.algorithm)) else {
            self.mistakes.push(LimitMistake::UnknownAlgorithm(chosen));
            return None;
        };
        let in_parts = self.rate_in_parts(numbers);
        let required = if in_parts { RATE_IN_PARTS } else { numbers.required };
        for Entry { key, .. } in self.members {
            let name = &*key.name;
            if NUMBERS.contains(&name) && !required.contains(&name) && !numbers.optional.contains(&name) {
                self.mistakes.push(LimitMistake::Stray(key, numbers));
            }
        }
        let missing: Vec<_> = required.iter().filter(|member| self.members.get(member).is_none()).collect();
        if !missing.is_empty() {
            if !has_unknown {
                self.mistakes.extend(missing.iter().map(|member| LimitMistake::Missing { member, chosen, numbers }));
            }
            return None;
        }
        let algorithm = self.numbers(numbers, in_parts)?;
        if algorithm.longest_wait() > LONGEST_WAIT {
            self.mistakes.push(LimitMistake::LongWait(chosen));
            return None;
        }
        if !algorithm.is_countable() {
            self.mistakes.push(LimitMistake::Uncountable(chosen));
            return None;
        }
        Some(algorithm)
    }

    /// Whether the rate of a leaky bucket is given as `limit` and `interval`.
    fn rate_in_parts(&self, numbers: &Numbers) -> bool {
        self.place == Place::Consumer
            && numbers.required.contains(&"rate")
            && self.members.get("rate").is_none()
            && RATE_IN_PARTS.iter().all(|part| self.members.get(part).is_some())
    }

    fn numbers(&mut self, numbers: &Numbers, in_parts: bool) -> Option<Algorithm> {
        let limit = self.whole("limit", 1);
        let interval = self.duration("interval");
        let burst = match self.members.get("burst") {
            Some(_) => self.whole("burst", 0)?,
            None => 0,
        };
        Some(match numbers.algorithm {
            "token-bucket" => Algorithm::TokenBucket { limit: limit?, interval: interval? },
            "fixed-window" => Algorithm::FixedWindow { limit: limit?, interval: interval? },
            "sliding-window" => Algorithm::SlidingWindow { limit: limit?, interval: interval? },
            "leaky-bucket" => {
                let (rate, interval) = if in_parts { (limit?, interval?) } else { self.rate()? };
                let delay = match self.members.get("delay") {
                    Some(node) => self.boolean(node)?,
                    None => true,
                };
                Algorithm::LeakyBucket { rate, interval, burst, delay }
            }
            _ => {
                let delay = match self.members.entry("delay") {
                    Some(entry) => {
                        let delay = self.duration("delay")?;
                        if burst == 0 && self.place == Place::Document {
                            self.mistakes.push(LimitMistake::NobodyWaits(&entry.key));
                        }
                        delay
                    }
                    None => Duration::ZERO,
                };
                Algorithm::Concurrency { limit: limit?, burst, delay }
            }
        })
    }

    fn whole(&mut self, member: &'static str, least: u64) -> Option<u64> {
        let node = self.members.get(member)?;
        let number = whole(node, least);
        if number.is_none() {
            self.mistakes.push(LimitMistake::NotWhole { member, node, least });
        }
        number
    }

    fn duration(&mut self, member: &'static str) -> Option<Duration> {
        let node = self.members.get(member)?;
        let fits = |found: &Duration| !found.is_zero() && *found <= self.place.longest_duration();
        let found = units::duration(node.as_text().unwrap_or_default()).ok().filter(fits);
        if found.is_none() {
            self.mistakes.push(LimitMistake::NotDuration { member, node });
        }
        found
    }

    fn rate(&mut self) -> Option<(u64, Duration)> {
        let node = self.members.get("rate")?;
        let rate = units::rate(node.as_text().unwrap_or_default());
        if rate.is_none() {
            self.mistakes.push(LimitMistake::NotRate(node));
        }
        rate
    }

    fn boolean(&mut self, node: &'n Node) -> Option<bool> {
        if node.as_bool().is_none() {
            self.mistakes.push(LimitMistake::NotBoolean(node));
        }
        node.as_bool()
    }
}

#[cfg(test)]
mod tests;
