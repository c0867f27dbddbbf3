//! Which responses are stored, and how long they are fresh (RFC 9111 §3, §4.2).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::cache::directives::{RequestDirectives, ResponseDirectives, values};
use crate::cache::key::varied_by;
use crate::cache::lines::Lines;
use crate::tables::Cache;
use gateway_terms::token::is_token;
use gateway_tls::CERTIFICATE_HEADERS;
use gateway_wire::cache_control::seconds;
use gateway_wire::entity_tag::EntityTag;
use gateway_wire::http1::head::Field;
use gateway_wire::http1::names::is_same_name_ignoring_punctuation;
use gateway_wire::lists::members;

/// What a document may give a time to: those that are cacheable by default (RFC 9110 §15.1), but for a part of a content and
/// for what says something of the server and not of the resource.
const WITH_TTL: [u16; 8] = [200, 203, 204, 300, 301, 308, 404, 410];

/// Never stored: parts, answers to conditions, and those that are about how one client has asked, of which nothing is in the
/// key (RFC 9110 §15).
const NEVER: [u16; 15] = [206, 304, 407, 408, 411, 412, 413, 415, 416, 417, 421, 425, 426, 428, 431];

/// What is understood in the sense of `must-understand` (RFC 9111 §5.2.2.3).
const UNDERSTOOD: [u16; 22] =
    [200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 429, 451, 500, 501, 502, 503];

/// Milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// This one.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

/// How long a stored response may be used. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Its age when it came.
    pub(crate) initial_age: u64,
    /// It is fresh until it is so old.
    pub(crate) lifetime: u64,
    /// It is validated each time.
    pub(crate) always_validate: bool,
    /// It is never used when it is stale.
    pub(crate) never_stale: bool,
    /// So long after its end it is given away while another one is fetched.
    pub(crate) while_revalidate: u64,
    /// So long after its end it stands in for an error.
    pub(crate) if_error: u64,
}

impl Terms {
    /// It is fresh for a while, so that other requests can have it.
    pub(crate) fn is_for_others(&self) -> bool {
        !self.always_validate && self.lifetime > self.initial_age
    }
}

/// A response that is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) status: u16,
    /// As the upstream has sent it, without what is about the connection.
    pub(crate) head: Lines,
    pub(crate) body: Bytes,
    /// When it came, or was last found to be valid.
    pub(crate) received: Moment,
    pub(crate) terms: Terms,
}

/// What a stored response is for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It answers the request.
    Fresh,
    /// It is stale, and the client takes it.
    Stale,
    /// It is stale, and answers while another one is fetched.
    WhileRevalidating,
    /// The upstream is asked whether it is still valid: because the request wants that, or because it is stale.
    Validate {
        /// It is fresh.
        because_of_request: bool,
    },
}

impl Stored {
    /// Its age, in milliseconds (RFC 9111 §4.2.3).
    pub(crate) fn age(&self, now: Moment) -> u64 {
        self.terms.initial_age.saturating_add(now.0.saturating_sub(self.received.0))
    }

    /// How long it is still fresh, in milliseconds; less than nothing if it is stale.
    pub(crate) fn left(&self, now: Moment) -> i64 {
        let (lifetime, age) = (i64::try_from(self.terms.lifetime), i64::try_from(self.age(now)));
        lifetime.unwrap_or(i64::MAX).saturating_sub(age.unwrap_or(i64::MAX))
    }

    /// The same in whole seconds, rounded down.
    pub(crate) fn seconds_left(&self, now: Moment) -> i64 {
        self.left(now).div_euclid(1000)
    }

    /// What it is for a request.
    pub(crate) fn use_for(&self, asked: &RequestDirectives, now: Moment) -> Use {
        let (left, age) = (self.left(now), self.age(now));
        let is_fresh = left > 0 && !self.terms.always_validate;
        let millis = |seconds: u64| seconds.saturating_mul(1000);
        let is_too_old = asked.max_age.is_some_and(|most| age > millis(most) || most == 0);
        let is_too_short = asked.min_fresh.is_some_and(|least| left < i64::try_from(millis(least)).unwrap_or(i64::MAX));
        if asked.no_cache || is_too_old || is_too_short {
            return Use::Validate { because_of_request: is_fresh };
        }
        if is_fresh {
            return Use::Fresh;
        }
        if self.terms.always_validate || self.terms.never_stale {
            return Use::Validate { because_of_request: false };
        }
        let stale_for = left.unsigned_abs();
        match asked.max_stale {
            Some(None) => return Use::Stale,
            Some(Some(most)) if stale_for <= millis(most) => return Use::Stale,
            _ => {}
        }
        if stale_for < self.terms.while_revalidate {
            return Use::WhileRevalidating;
        }
        Use::Validate { because_of_request: false }
    }

    /// Whether it may stand in for an error now.
    pub(crate) fn stands_in(&self, now: Moment) -> bool {
        let terms = &self.terms;
        !terms.never_stale && !terms.always_validate && self.left(now).unsigned_abs() < terms.if_error
    }

    /// Whether the upstream can be asked if it is still valid.
    pub(crate) fn has_validator(&self) -> bool {
        self.head.first("etag").or_else(|| self.head.first("last-modified")).is_some()
    }
}

/// A response as it came.
pub(crate) struct Received<'a> {
    pub(crate) status: u16,
    pub(crate) fields: &'a [Field<'a>],
    /// The request had `Authorization` that `security` did not check (RFC 9111 §3.5).
    pub(crate) is_authorized: bool,
    /// When it was asked for.
    pub(crate) asked_at: Moment,
    pub(crate) now: Moment,
}

/// How long a response may be used, if it may be stored at all.
pub(crate) fn terms(rule: &Cache, received: &Received<'_>) -> Option<Terms> {
    let Received { status, fields, is_authorized, .. } = *received;
    let said = ResponseDirectives::of(fields);
    let is_understood = said.must_understand && UNDERSTOOD.contains(&status);
    if (said.no_store && !is_understood) || said.private || !(200..600).contains(&status) || NEVER.contains(&status) {
        return None;
    }
    if said.must_understand && !is_understood {
        return None;
    }
    if is_authorized && !(said.public || said.s_maxage.is_some() || said.must_revalidate) {
        return None;
    }
    // A cookie is for one client, whatever else is said.
    if values(fields, "set-cookie").next().is_some() || varies_by_everything(fields) {
        return None;
    }
    let initial_age = initial_age(received);
    let has_validator = ["etag", "last-modified"].into_iter().any(|name| values(fields, name).next().is_some());
    let lifetime = match rule.ttl {
        Some(_) if !WITH_TTL.contains(&status) => return None,
        Some(ttl) => initial_age.saturating_add(millis(ttl)),
        None => match explicit_lifetime(&said, fields, received.now) {
            Some(seconds) => seconds.saturating_mul(1000),
            None if said.no_cache && has_validator => 0,
            None => return None,
        },
    };
    let seconds = |seconds: u64| seconds.saturating_mul(1000);
    let stale = |rule: Option<Duration>, said: Option<u64>| rule.map(millis).or(said.map(seconds)).unwrap_or(0);
    let terms = Terms {
        initial_age,
        lifetime,
        always_validate: said.no_cache,
        // `s-maxage` means `proxy-revalidate` as well (RFC 9111 §5.2.2.10).
        never_stale: said.must_revalidate || said.proxy_revalidate || (rule.ttl.is_none() && said.s_maxage.is_some()),
        while_revalidate: stale(rule.stale_while_revalidate, said.stale_while_revalidate),
        if_error: stale(rule.stale_if_error, said.stale_if_error),
    };
    let is_of_use = terms.is_for_others()
        || has_validator
        || (!terms.never_stale && !terms.always_validate && terms.while_revalidate.max(terms.if_error) > 0);
    is_of_use.then_some(terms)
}

/// What a response says itself, in seconds (RFC 9111 §4.2.1). Nothing is guessed where it says nothing (§4.2.2).
fn explicit_lifetime(said: &ResponseDirectives, fields: &[Field<'_>], now: Moment) -> Option<u64> {
    said.s_maxage.or(said.max_age).or_else(|| {
        if said.is_targeted {
            return None;
        }
        let mut expires = values(fields, "expires");
        let first = expires.next()?;
        let date = values(fields, "date").next().and_then(date).unwrap_or(now.seconds());
        // What is no date, such as `0`, is in the past (RFC 9111 §5.3).
        let expires = if expires.next().is_some() { None } else { self::date(first) };
        Some(expires.map_or(0, |at| at.saturating_sub(date)))
    })
}

/// The age when a response came, in milliseconds (RFC 9111 §4.2.3).
fn initial_age(received: &Received<'_>) -> u64 {
    let Received { fields, asked_at, now, .. } = *received;
    let age = values(fields, "age").next().map(|age| members(age).next().unwrap_or_default().trim_ascii());
    let apparent = values(fields, "date").next().and_then(date).map_or(0, |date| now.seconds().saturating_sub(date));
    // A date has whole seconds, and two clocks differ by as much.
    let apparent = if apparent <= 1 { 0 } else { apparent };
    let corrected = seconds(age).map_or(0, |age| age.saturating_mul(1000) + now.0.saturating_sub(asked_at.0));
    corrected.max(apparent.saturating_mul(1000))
}

/// A date in seconds since the epoch (RFC 9110 §5.6.7).
pub(super) fn date(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim();
    httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `Vary: *`: no other request is answered by it (RFC 9111 §4.1). Nor is it by what cannot be read.
fn varies_by_everything(fields: &[Field<'_>]) -> bool {
    values(fields, "vary").flat_map(members).any(|name| name == b"*" || !is_token(name))
}

/// Whether a response depends on a field that the gateway writes, or one of `more`: what the client has sent under that name
/// does not tell two requests apart.
pub(super) fn varies_by_own(fields: &[Field<'_>], more: &[&str]) -> bool {
    const WRITTEN: [&str; 13] = [
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-prefix",
        "via",
        "x-request-id",
        "traceparent",
        "tracestate",
        "x-gateway-attempt",
        "max-forwards",
        CERTIFICATE_HEADERS[0],
        CERTIFICATE_HEADERS[1],
    ];
    let is_own = |name: &[u8]| {
        let is_it =
            |own: &&str| std::str::from_utf8(name).is_ok_and(|name| is_same_name_ignoring_punctuation(own, name));
        WRITTEN.iter().chain(more).any(is_it)
    };
    values(fields, "vary").flat_map(members).any(is_own)
}

/// Whether a 304 with these fields says that a stored response is for other requests than those that get it.
pub(super) fn varies_more(stored: &Stored, update: &[Field<'_>], more: &[&str]) -> bool {
    let known = varied_by(&stored.head);
    let is_known = |name: &[u8]| known.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
    varies_by_everything(update)
        || varies_by_own(update, more)
        || !values(update, "vary").flat_map(members).all(is_known)
}

/// Whether the upstream's 304 with these fields is about what is stored (RFC 9111 §4.3.4): where it names the content, it
/// names this one. Tags are compared weakly, as in the request: what compresses a response makes its tag a weak one.
pub(super) fn is_about(stored: &Stored, update: &Lines) -> bool {
    let tags = |new, old| EntityTag::of(new).zip(EntityTag::of(old));
    match (update.first("etag"), stored.head.first("etag")) {
        // What is no entity tag, such as one without quotation marks, names what has it as well.
        (Some(new), Some(old)) => new == old || tags(new, old).is_some_and(|(new, old)| new.is_like(&old)),
        (Some(new), None) => EntityTag::of(new).is_some_and(|tag| tag.is_weak),
        (None, _) => match (update.first("last-modified"), stored.head.first("last-modified")) {
            (Some(new), Some(old)) => new == old || date(new).is_some_and(|new| Some(new) == date(old)),
            _ => true,
        },
    }
}

/// A stored response after the upstream has said in `update`, a 304, that it is valid (RFC 9111 §3.2, §4.3.4); `is_authorized`
/// if it said so to a request with `Authorization` that `security` did not check (§3.5).
///
/// # Errors
/// The same, for the client that has asked and nobody else: it may not be stored any more.
pub(crate) fn freshened(
    stored: &Stored,
    update: &Lines,
    rule: &Cache,
    is_authorized: bool,
    asked_at: Moment,
    now: Moment,
) -> Result<Stored, Stored> {
    // What is about the content as it is stored stays.
    const KEPT: [&str; 5] = ["content-encoding", "content-length", "content-range", "content-type", "vary"];
    let is_kept = |name: &str| KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    let is_updated = |name: &str| !is_kept(name) && update.first(name).is_some();
    // The age is that of the 304, which may have come from a cache or not.
    let is_outdated = |name: &str| ["age", "date"].iter().any(|one| one.eq_ignore_ascii_case(name));
    let old = stored.head.iter().filter(|field| !is_updated(field.name) && !is_outdated(field.name));
    let fields: Vec<Field<'_>> = old.chain(update.iter().filter(|field| !is_kept(field.name))).collect();
    let received = Received { status: stored.status, fields: &fields, is_authorized, asked_at, now };
    let fresh = |terms: Terms| Stored {
        status: stored.status,
        head: Lines::of(fields.iter().copied()),
        body: stored.body.clone(),
        received: now,
        terms,
    };
    terms(rule, &received).map(fresh).ok_or_else(|| {
        fresh(Terms {
            initial_age: initial_age(&received),
            lifetime: 0,
            always_validate: true,
            never_stale: true,
            while_revalidate: 0,
            if_error: 0,
        })
    })
}
