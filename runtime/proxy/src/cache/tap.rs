//! Copies a response on its way to the client, for the store, and stops one that the client is not to see: the answer to the
//! gateway's own condition, or an error for which something stored stands in.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::body_memory::Taken;
use crate::cache::flight::Landing;
use crate::cache::flights::Lead;
use crate::cache::freshness::{
    Moment, Received, Stored, Terms, freshened, is_about, terms, varies_by_own, varies_more,
};
use crate::cache::key::Key;
use crate::cache::lines::Lines;
use crate::cache::request::Caching;
use crate::cache::status::{Forward, Status};
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::connection::ConnectionOptions;
use gateway_wire::http1::head::Field;
use gateway_wire::http1::names::{FieldClass, FieldTable};

/// What was found in place of a response for the client.
pub(crate) enum Stopped {
    /// What is stored is valid.
    Valid(Arc<Stored>),
    /// The upstream's error, for which what is stored stands in.
    Error(u16),
    /// A 304 about another content than the stored one.
    Other,
}

/// A response as far as it has come.
struct Copy {
    status: u16,
    head: Lines,
    terms: Terms,
    body: Vec<u8>,
    taken: Taken,
    now: Moment,
}

/// What happens with the response to one request.
pub(crate) struct Tap {
    caching: Rc<Caching>,
    why: Forward,
    lead: Option<Lead>,
    /// What the upstream is asked about.
    validating: Option<(Key, Arc<Stored>)>,
    /// What stands in for an error.
    stand_in: Option<Arc<Stored>>,
    /// The upstream sees the conditions of the client, or the part that it wants: what it answers may be for this client only.
    is_conditional: bool,
    /// Is told when nothing is going to be stored.
    given_up: Option<Rc<Cell<bool>>>,
    asked_at: Moment,
    copy: Option<Copy>,
    pub(crate) stopped: Option<Stopped>,
}

impl Tap {
    /// For the response to a request that goes to the upstream for this reason.
    pub(crate) fn new(caching: Rc<Caching>, why: Forward, lead: Option<Lead>) -> Self {
        let asked_at = Moment::now();
        Self {
            caching,
            why,
            lead,
            validating: None,
            stand_in: None,
            is_conditional: false,
            given_up: None,
            asked_at,
            copy: None,
            stopped: None,
        }
    }

    /// What the cache knows of the request.
    pub(crate) fn caching(&self) -> Rc<Caching> {
        Rc::clone(&self.caching)
    }

    /// The upstream is asked whether this is valid.
    pub(crate) fn validate(&mut self, key: Key, stored: &Arc<Stored>) {
        self.validating = Some((key, Arc::clone(stored)));
    }

    /// The upstream sees the conditions of the client.
    pub(crate) fn show_conditions(&mut self) {
        self.is_conditional = true;
    }

    /// For who fetches for the store alone: it is set when nothing is going to be stored.
    pub(crate) fn tell(&mut self) -> Rc<Cell<bool>> {
        Rc::clone(self.given_up.get_or_insert_default())
    }

    /// This stands in for an error.
    pub(crate) fn or_else(&mut self, stored: &Arc<Stored>) {
        self.stand_in = Some(Arc::clone(stored));
    }

    /// What stands in for an error.
    pub(crate) fn stand_in(&self) -> Option<&Arc<Stored>> {
        self.stand_in.as_ref()
    }

    /// Whether the client sees nothing of this response.
    pub(crate) fn stops(&mut self, status: u16, fields: &[Field<'_>], table: &FieldTable) -> bool {
        let caching = Rc::clone(&self.caching);
        if let (304, Some((key, stored))) = (status, &self.validating) {
            let now = Moment::now();
            let passed: Vec<Field<'_>> = end_to_end(fields, table).collect();
            let update = Lines::of(passed.iter().copied());
            if !is_about(stored, &update) {
                caching.cache.forget(*key, stored);
                self.land(Landing::Released);
                self.stopped = Some(Stopped::Other);
                return true;
            }
            let fresh = freshened(stored, &update, caching.rule, caching.is_authorized, self.asked_at, now);
            let is_for_one = hides_terms(fields, table) || varies_more(stored, &passed, &caching.own_fields);
            let valid = match fresh.and_then(|fresh| if is_for_one { Err(fresh) } else { Ok(fresh) }) {
                Ok(fresh) => {
                    let is_for_others = fresh.terms.is_for_others();
                    let fresh = caching.cache.store(caching.place, &caching.fields, fresh, caching.epoch);
                    self.land(if is_for_others { Landing::Stored } else { Landing::Released });
                    fresh
                }
                // It may not be stored any more.
                Err(fresh) => {
                    caching.cache.forget(*key, stored);
                    self.give_up(fresh.status, now);
                    Arc::new(fresh)
                }
            };
            self.stopped = Some(Stopped::Valid(valid));
            return true;
        }
        // RFC 5861 §4.
        if matches!(status, 500 | 502 | 503 | 504)
            && self.stand_in().is_some_and(|stored| stored.stands_in(Moment::now()))
        {
            self.land(Landing::Released);
            self.stopped = Some(Stopped::Error(status));
            return true;
        }
        false
    }

    /// A response begins that the client sees; returns what it is told of the cache.
    pub(crate) fn begin(
        &mut self,
        status: u16,
        fields: &[Field<'_>],
        length: BodyLength,
        table: &FieldTable,
    ) -> String {
        let caching = Rc::clone(&self.caching);
        let now = Moment::now();
        self.copy = None;
        let is_bounded = match length {
            BodyLength::Exactly(length) => length <= caching.rule.max_body.0,
            BodyLength::None | BodyLength::Chunked => true,
            // Where a connection ends, nobody can tell a whole content from half of it.
            BodyLength::UntilClose => false,
        };
        let passed: Vec<Field<'_>> = end_to_end(fields, table).collect();
        let received =
            Received { status, fields: &passed, is_authorized: caching.is_authorized, asked_at: self.asked_at, now };
        let may_be_stored = caching.stores
            && is_bounded
            && (!self.is_conditional || status == 200)
            && !hides_terms(fields, table)
            && !varies_by_own(&passed, &caching.own_fields);
        let terms = if may_be_stored { terms(caching.rule, &received) } else { None };
        let mut taken = caching.cache.arriving.nothing();
        let known = if let BodyLength::Exactly(length) = length { length } else { 0 };
        match terms.filter(|_| taken.grow(known)) {
            Some(terms) => {
                if !terms.is_for_others() {
                    self.land(Landing::Released);
                }
                let head = Lines::of(passed.iter().copied());
                let body = Vec::with_capacity(usize::try_from(known).unwrap_or(0));
                self.copy = Some(Copy { status, head, terms, body, taken, now });
            }
            None => self.give_up(status, now),
        }
        let stored = self.copy.is_some();
        Status::Forwarded { why: self.why, status: None, stored, collapsed: false, detail: None }.show()
    }

    /// Nothing is stored: nobody waits for it any more.
    fn give_up(&mut self, status: u16, now: Moment) {
        self.copy = None;
        if let Some(given_up) = &self.given_up {
            given_up.set(true);
        }
        // An error says nothing about the next response, and one of the client's nothing about what is stored.
        if let Some(lead) = self.lead.as_ref().filter(|_| status < 500) {
            let is_about_client = status == 304 || ((400..500).contains(&status) && !matches!(status, 404 | 410));
            self.caching.cache.pass(self.caching.place_of(lead.key()), now, is_about_client);
        }
        self.land(Landing::Released);
    }

    /// Copies content.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        let Some(copy) = &mut self.copy else { return };
        let length = (copy.body.len() + bytes.len()) as u64;
        if length > self.caching.rule.max_body.0 || !copy.taken.grow(length) {
            let (status, now) = (copy.status, copy.now);
            self.give_up(status, now);
            return;
        }
        copy.body.extend_from_slice(bytes);
    }

    /// All of the response has come.
    pub(crate) fn end(&mut self) {
        let Some(Copy { status, head, terms, body, taken, now }) = self.copy.take() else { return };
        let caching = Rc::clone(&self.caching);
        let stored = Stored { status, head, body: Bytes::from(body.into_boxed_slice()), received: now, terms };
        caching.cache.store(caching.place, &caching.fields, stored, caching.epoch);
        drop(taken);
        self.land(Landing::Stored);
    }

    /// The upstream has failed: nobody waits for it.
    pub(crate) fn failed(&mut self) {
        self.land(Landing::Released);
    }

    fn land(&mut self, landing: Landing) {
        if let Some(lead) = self.lead.take() {
            lead.land(landing);
        }
    }
}

/// Whether `Connection` names a field that says who may get the response: nobody knows what a cache behind this one is to make
/// of it.
fn hides_terms(fields: &[Field<'_>], table: &FieldTable) -> bool {
    const TERMS: [&str; 10] = [
        "age",
        "cache-control",
        "cdn-cache-control",
        "content-encoding",
        "content-type",
        "date",
        "expires",
        "set-cookie",
        "vary",
        "www-authenticate",
    ];
    let of_connection = ConnectionOptions::of(fields, table);
    TERMS.iter().any(|name| of_connection.has(name))
}

/// What is about the response and not about the connection.
fn end_to_end<'f>(fields: &'f [Field<'f>], table: &'f FieldTable) -> impl Iterator<Item = Field<'f>> + Clone {
    let of_connection = ConnectionOptions::of(fields, table);
    let goes_on =
        move |field: &Field<'_>| table.classify(field.name) == FieldClass::EndToEnd && !of_connection.has(field.name);
    fields.iter().copied().filter(goes_on)
}
