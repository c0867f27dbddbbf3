//! The client's side of a connection: its bytes in, our bytes out.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::head_writer::{FieldHeads, HeadWriter};
use crate::peer::TlsFacts;
use gateway_base::deadline::Deadline;

/// Bytes of one read: large enough that a big body costs few system calls.
pub const SCRATCH_SIZE: usize = 256 << 10;

/// A buffer that grew beyond this is not kept for the next request.
const KEPT_CAPACITY: usize = 16 << 10;

thread_local! {
    // One read buffer per thread, not per connection: an idle connection owns no buffer at all.
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// The thread's read buffer, borrowed for one poll.
pub struct Scratch(Option<Box<[u8]>>);

impl Scratch {
    /// Borrows the buffer; it goes back when this is dropped.
    pub fn take() -> Self {
        Self(Some(SCRATCH.take().unwrap_or_else(|| vec![0; SCRATCH_SIZE].into_boxed_slice())))
    }

    /// Reads up to `limit` bytes; an empty slice is the end of the stream.
    pub fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Poll<io::Result<&[u8]>> {
        let Some(bytes) = &mut self.0 else { return Poll::Ready(Ok(&[])) };
        let room = bytes.len().min(limit);
        let mut buffer = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(io).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        Poll::Ready(Ok(&bytes[..count]))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        SCRATCH.set(self.0.take());
    }
}

/// Bytes that are to be written, and how far that got.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    /// The last flush did not come to its end.
    is_stuck: bool,
    /// Where heads go, if not in front of the bytes: the peer takes them from there before it takes any of these.
    heads: Option<Rc<FieldHeads>>,
}

impl Outbox {
    /// Where to append.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes a head behind what is pending; bytes of a body may follow it, and no head may follow those.
    pub fn head(&mut self, write: impl FnOnce(&mut HeadWriter<'_>)) {
        match &self.heads {
            Some(heads) => heads.write(write),
            None => write(&mut HeadWriter::Text(&mut self.bytes)),
        }
    }

    /// How much is left to write.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Some of what is pending is written already.
    pub fn has_started(&self) -> bool {
        self.written > 0 || self.heads.as_ref().is_some_and(|heads| heads.has_taken())
    }

    /// Nothing is left to write.
    pub fn is_empty(&self) -> bool {
        self.written == self.bytes.len() && self.heads.as_ref().is_none_or(|heads| heads.is_empty())
    }

    /// The peer has yet to take something: of what is pending, or of what TLS has made of the rest.
    pub fn waits_for_peer(&self) -> bool {
        self.is_stuck || !self.is_empty()
    }

    /// Writes what is pending.
    pub fn poll_flush<W: AsyncWrite + Unpin>(&mut self, io: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll_write_out(io, cx);
        self.is_stuck = flushed.is_pending();
        flushed
    }

    fn poll_write_out<W: AsyncWrite + Unpin>(&mut self, io: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.bytes.len() {
            let count = ready!(Pin::new(&mut *io).poll_write(cx, &self.bytes[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.written = 0;
        self.bytes.clear();
        // Inside TLS, what was written may still be an unsent record.
        ready!(Pin::new(io).poll_flush(cx))?;
        if let Some(heads) = &self.heads {
            heads.settle();
        }
        Poll::Ready(Ok(()))
    }

    /// Writes `data` straight from where it is, and keeps what the peer does not take yet. The outbox must be empty.
    pub fn write_through<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        mut data: &[u8],
    ) -> io::Result<()> {
        debug_assert!(self.is_empty());
        while !data.is_empty() {
            match Pin::new(&mut *io).poll_write(cx, data)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => data = &data[count..],
                Poll::Pending => {
                    self.bytes.extend_from_slice(data);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Forgets what is pending.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
        self.is_stuck = false;
        if let Some(heads) = &self.heads {
            heads.clear();
        }
    }

    fn give_back(&mut self) {
        give_back(&mut self.bytes);
    }

    /// Gives its memory back, if nothing is left to write.
    pub fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}

/// What the connection says about its client.
pub struct PeerInfo {
    /// The address of the TCP peer, which may be a proxy.
    pub peer: IpAddr,
    /// `peer` as text, for the log and for `X-Forwarded-For`.
    pub peer_text: Rc<str>,
    /// What the TLS handshake has shown of the client; `None` over plain TCP.
    pub tls: Option<Rc<TlsFacts>>,
}

/// What serves one request after the other, whosever they are.
pub struct StreamBuffers {
    pub(crate) inbox: Vec<u8>,
    outbox: Outbox,
    deadline: Deadline,
}

impl StreamBuffers {
    /// Fresh buffers.
    pub fn new(first_deadline: Instant) -> Self {
        Self { inbox: Vec::new(), outbox: Outbox::default(), deadline: Deadline::new(first_deadline) }
    }
}

/// A client's connection.
pub struct Downstream<S> {
    /// The connection itself: TCP, TLS, or a stream of HTTP/2.
    pub io: S,
    /// What was received and is not used up; starts with the head of the request that is being handled.
    pub inbox: Vec<u8>,
    /// Bytes of `inbox` that are used up.
    pub used: usize,
    /// Bytes that are to be sent.
    pub outbox: Outbox,
    /// The address of the TCP peer, which may be a proxy.
    pub peer: IpAddr,
    /// `peer` as text, for the log and for `X-Forwarded-For`.
    pub peer_text: Rc<str>,
    /// The timer of whatever is waited for on this connection; one wait at a time.
    pub deadline: Deadline,
    /// What the handshake found; `None` over plain TCP.
    pub tls: Option<Rc<TlsFacts>>,
    /// Bytes that TLS has sent on a connection that carries one request at a time: what is in the outbox no longer may
    /// still be here.
    pub sent: Option<Rc<Cell<u64>>>,
    /// The version of HTTP that the client speaks, as `Via` names it (RFC 9110 §7.6.3).
    pub version: &'static str,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Downstream<S> {
    /// A fresh connection.
    pub fn new(io: S, peer: IpAddr, tls: Option<Rc<TlsFacts>>, first_deadline: Instant) -> Self {
        Self {
            io,
            inbox: Vec::new(),
            used: 0,
            outbox: Outbox::default(),
            peer,
            peer_text: peer.to_string().into(),
            deadline: Deadline::new(first_deadline),
            tls,
            sent: None,
            version: "1.1",
        }
    }

    /// Sends what is pending; false if the connection has broken, or `until` has come before.
    pub async fn flush_by(&mut self, until: Instant) -> bool {
        poll_fn(|cx| match self.outbox.poll_flush(&mut self.io, cx) {
            Poll::Ready(result) => Poll::Ready(result.is_ok()),
            Poll::Pending => self.deadline.poll_at(cx, until).map(|()| false),
        })
        .await
    }

    /// One request of many on one connection of HTTP/2: its head is separate from the inbox, and the heads of
    /// its responses go to `heads`.
    pub fn beside(known: &PeerInfo, io: S, buffers: StreamBuffers, heads: Rc<FieldHeads>) -> Self {
        let StreamBuffers { inbox, mut outbox, deadline } = buffers;
        outbox.heads = Some(heads);
        Self {
            io,
            inbox,
            used: 0,
            outbox,
            peer: known.peer,
            peer_text: Rc::clone(&known.peer_text),
            deadline,
            tls: known.tls.clone(),
            sent: None,
            version: "2.0",
        }
    }

    /// Takes apart what [`Downstream::beside`] has put together. Nothing is left in the buffers.
    pub fn into_parts(mut self) -> (S, StreamBuffers) {
        self.used = self.inbox.len();
        self.forget_used();
        self.outbox.clear();
        self.outbox.heads = None;
        self.outbox.give_back();
        (self.io, StreamBuffers { inbox: self.inbox, outbox: self.outbox, deadline: self.deadline })
    }

    /// What was received and is not used up.
    pub fn unread(&self) -> &[u8] {
        &self.inbox[self.used..]
    }

    /// Receives more into `inbox`, up to `limit` bytes; 0 is the end of the stream.
    pub fn poll_receive(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<io::Result<usize>> {
        let mut scratch = Scratch::take();
        let bytes = ready!(scratch.poll_read(&mut self.io, cx, limit))?;
        self.inbox.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Forgets what is used up, so that `inbox` starts with the next message; what grew large gives its memory back.
    pub fn forget_used(&mut self) {
        self.inbox.drain(..self.used);
        self.used = 0;
        give_back(&mut self.inbox);
        self.outbox.give_back();
    }
}

/// Gives back the memory of a buffer that is empty and grew large.
fn give_back(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_CAPACITY && buffer.is_empty() {
        *buffer = Vec::new();
    }
}
