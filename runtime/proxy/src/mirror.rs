//! Copies of requests: they go to another upstream beside the request, which waits for nothing of them. Their answers are
//! read as far as the connection needs it, and thrown away.

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::upstream::balance::mix;
use crate::upstream::cluster::{Cluster, CopyOutcome};
use crate::upstream::member::Outcome;
use crate::upstream::{ConnectError, Pool, answer, credential};
use gateway_access::upstream_auth::PreparedCredential;
use gateway_base::digest::Digest;
use gateway_wire::http1::names::FieldTable;
use gateway_wire::response::write_length;

/// Requests with a larger body are not copied.
pub(crate) const MOST_BODY: u64 = 64 << 10;

/// A longer answer is not read to its end: its connection is closed.
const MOST_ANSWER: u64 = 1 << 20;

/// So many copies of one thread may be under way, and
const MOST_COPIES: usize = 256;

/// so many bytes of bodies.
const MOST_BYTES: u64 = 8 << 20;

/// The copies of one serving thread, and their connections.
#[derive(Default)]
pub(crate) struct Mirroring {
    pool: Pool,
    copies: Cell<usize>,
    bytes: Cell<u64>,
}

impl Mirroring {
    /// Room for one more copy, whose body has at most this number of bytes.
    fn enter(self: &Rc<Self>, bytes: u64) -> Option<Room> {
        let (copies, all) = (self.copies.get() + 1, self.bytes.get() + bytes);
        if copies > MOST_COPIES || all > MOST_BYTES {
            return None;
        }
        self.copies.set(copies);
        self.bytes.set(all);
        Some(Room { of: Rc::clone(self), bytes })
    }

    /// Closes what was idle for too long. Called every now and then.
    pub(crate) fn prune(&self, now: Instant) {
        self.pool.prune(now);
    }
}

/// What a copy takes of its thread, until this is dropped.
struct Room {
    of: Rc<Mirroring>,
    bytes: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.of.copies.set(self.of.copies.get() - 1);
        self.of.bytes.set(self.of.bytes.get() - self.bytes);
    }
}

/// What a copy is made of.
pub(crate) struct CopyTerms {
    pub(crate) cluster: &'static Cluster,
    /// Of responses.
    pub(crate) fields: &'static FieldTable,
    /// A response has no more fields.
    pub(crate) most_fields: usize,
    /// Without `Content-Length`, and without the empty line.
    pub(crate) head: Vec<u8>,
    /// Where the value of `Host` is in the head, if it is the endpoint's own.
    pub(crate) host_at: Option<Range<usize>>,
    /// The head says how long the body is, also where there is none.
    pub(crate) says_length: bool,
    /// The method is HEAD.
    pub(crate) to_head: bool,
    /// Of the parts of the request that choose the endpoint.
    pub(crate) hash: Option<u64>,
    pub(crate) random: u64,
    /// The body, where it is not the request's.
    pub(crate) body: Option<Vec<u8>>,
}

/// A copy that is not sent yet.
pub(crate) struct Copying {
    terms: CopyTerms,
    body: Vec<u8>,
    /// The body is not the request's.
    has_body: bool,
    room: Option<Room>,
}

impl Copying {
    pub(crate) fn new(mut terms: CopyTerms) -> Box<Self> {
        let body = terms.body.take();
        Box::new(Self { terms, has_body: body.is_some(), body: body.unwrap_or_default(), room: None })
    }

    /// Begins a copy of a request whose body has at most this number of bytes; without room, there is none.
    pub(crate) fn begin(mut self: Box<Self>, mirroring: &Rc<Mirroring>, bytes: u64) -> Option<Box<Self>> {
        self.room = mirroring.enter(bytes.max(self.body.len() as u64));
        if self.room.is_none() {
            self.terms.cluster.count_copy(CopyOutcome::Dropped);
            return None;
        }
        Some(self)
    }

    /// Its body is known, and is not the request's.
    pub(crate) fn has_body(&self) -> bool {
        self.has_body
    }

    /// The request is sent from its beginning.
    pub(crate) fn restart(&mut self) {
        self.body.clear();
    }

    /// Takes more of the body; false for one that is too large.
    #[must_use]
    pub(crate) fn add(&mut self, bytes: &[u8]) -> bool {
        if (self.body.len() + bytes.len()) as u64 > MOST_BODY {
            self.terms.cluster.count_copy(CopyOutcome::TooLarge);
            return false;
        }
        self.body.extend_from_slice(bytes);
        true
    }

    /// Sends the copy beside whatever else goes on.
    pub(crate) fn send(mut self: Box<Self>) {
        let Some(room) = self.room.take() else { return };
        let head = &mut self.terms.head;
        if self.terms.says_length || !self.body.is_empty() {
            write_length(head, self.body.len() as u64);
        }
        head.extend_from_slice(b"\r\n");
        tokio::task::spawn_local(async move {
            let outcome = self.deliver(&room.of.pool).await;
            self.terms.cluster.count_copy(outcome);
        });
    }

    /// Sends it to a member of its upstream, to another one where none listens there, and reads the answer.
    async fn deliver(&mut self, pool: &Pool) -> CopyOutcome {
        let Self { terms, body, .. } = self;
        let cluster = terms.cluster;
        let upstream = cluster.described().upstream;
        let Ok(_under_way) = cluster.admit() else { return CopyOutcome::Dropped };
        let end_by = upstream.total_timeout.map(|total| Instant::now() + total);
        let left = |limit: Duration| end_by.map_or(limit, |by| limit.min(by.saturating_duration_since(Instant::now())));
        if let Some(PreparedCredential::Token(source)) = &cluster.credential {
            let Ok(token) = credential::token(&**source, end_by).await else { return CopyOutcome::Failed };
            credential::insert(&mut terms.head, token.line(), 0);
        }
        let keep = upstream.keep_alive;
        let mut tried = Vec::new();
        while let Some(flight) = cluster.choose(&tried, terms.hash, || mix(terms.random ^ tried.len() as u64)) {
            let endpoint = flight.member.endpoint;
            let kept = pool.take(endpoint, &flight.member, &keep);
            let mut connection = match kept {
                Some(connection) => connection,
                None => {
                    let Ok(_waiting) = cluster.admit_connection() else { return CopyOutcome::Dropped };
                    match pool.connect(endpoint, &flight.member, keep, left(upstream.connect_timeout)).await {
                        Ok(connection) => connection,
                        Err(error) => {
                            let is_late = error == ConnectError::Timeout;
                            cluster.note(&flight.member, if is_late { Outcome::Timeout } else { Outcome::Unconnected });
                            tried.push(flight.member.index);
                            continue;
                        }
                    }
                }
            };
            endpoint.write_name(&mut terms.head, &mut terms.host_at);
            if let Some(PreparedCredential::Signature(signer)) = &cluster.credential {
                let digest = signer.covers_content().then(|| Digest::of(body).to_hex());
                credential::sign(&mut terms.head, &**signer, digest.as_deref());
            }
            let asked = async {
                let io = &mut connection.io;
                let answer = answer::ask(io, &terms.head, body, terms.fields, terms.most_fields, terms.to_head).await?;
                io::Result::Ok((answer.status, answer.finish(io, MOST_ANSWER).await))
            };
            return match timeout(left(upstream.response_timeout), asked).await {
                Ok(Ok((status, is_reusable))) => {
                    cluster.note(&flight.member, Outcome::of_status(status));
                    if is_reusable {
                        pool.put(endpoint, &flight.member, connection, &keep, Instant::now());
                    }
                    CopyOutcome::Answered
                }
                Ok(Err(_)) => {
                    cluster.note(&flight.member, Outcome::Reset);
                    CopyOutcome::Failed
                }
                Err(_) => {
                    cluster.note(&flight.member, Outcome::Timeout);
                    CopyOutcome::Failed
                }
            };
        }
        CopyOutcome::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_take_a_bounded_part_of_their_thread() {
        let mirroring = Rc::new(Mirroring::default());
        let rooms: Vec<Room> = (0..2 * MOST_COPIES).map_while(|_| mirroring.enter(1)).collect();
        assert_eq!(rooms.len(), MOST_COPIES);
        drop(rooms);
        let rooms: Vec<Room> = (0..2 * MOST_COPIES).map_while(|_| mirroring.enter(MOST_BODY)).collect();
        assert_eq!(rooms.len() as u64, MOST_BYTES / MOST_BODY);
        drop(rooms);
        assert_eq!((mirroring.copies.get(), mirroring.bytes.get()), (0, 0));
    }
}
