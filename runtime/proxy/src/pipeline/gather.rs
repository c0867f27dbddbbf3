//! Reads the whole content of a request before it is forwarded, where a credential covers it, or where it is checked. It
//! stays in the inbox, from where it is forwarded like any other.

use std::future::poll_fn;
use std::ops::Range;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::body_memory::Taken;
use gateway_wire::downstream::Downstream;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::chunked::{BadChunk, Decoder, Step};
use gateway_wire::reject::Reject;
use gateway_wire::response;

/// Between two pieces of the body.
const IDLE: Duration = Duration::from_secs(30);

/// The same where the request goes on without its content: what is streamed should not wait long.
const IDLE_LENIENT: Duration = Duration::from_secs(5);

/// For the whole of it, and for each MiB that it may have: a body that trickles in must not take memory for ever.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// The chunked coding may take this many times the bytes of the content, and this many bytes more.
const CODING_FACTOR: u64 = 2;
const CODING_BYTES: u64 = 64 << 10;

/// What is to be read.
pub(crate) struct GatherTerms {
    pub(crate) head_length: usize,
    pub(crate) body: BodyLength,
    /// The client waits for `100 Continue`.
    pub(crate) expects_continue: bool,
    /// Bytes of content.
    pub(crate) limit: u64,
    /// A content that is larger, or slow, or for which there is no memory, is no mistake.
    pub(crate) is_lenient: bool,
}

/// The content of a request.
pub(crate) enum Content {
    /// As in the inbox.
    Received(Range<usize>),
    /// Without the chunked coding.
    Decoded(Vec<u8>),
    /// It has not been read to its end.
    NotWhole,
}

impl Content {
    /// The bytes themselves, where all of them are there.
    pub(crate) fn bytes<'a>(&'a self, inbox: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Self::Received(range) => Some(inbox.get(range.clone()).unwrap_or_default()),
            Self::Decoded(bytes) => Some(bytes),
            Self::NotWhole => None,
        }
    }
}

/// Receives the body whole.
///
/// # Errors
/// 413 beyond the limit, 408 for a client that is too slow or gone, 400 for a body that is not in the chunked coding, 503 where
/// there is no `memory` for it.
pub(crate) async fn content<S>(
    down: &mut Downstream<S>,
    terms: &GatherTerms,
    mut memory: Option<&mut Taken>,
) -> Result<Content, Reject>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let BodyLength::Exactly(length) = terms.body
        && length > terms.limit
    {
        return terms.without(Reject::BodyTooLarge);
    }
    let until = Instant::now() + BODY_TIMEOUT * u32::try_from(1 + (terms.limit >> 20)).unwrap_or(u32::MAX);
    let mut gathering = Gathering { at: terms.head_length, decoder: Decoder::default(), decoded: Vec::new() };
    let idle = if terms.is_lenient { IDLE_LENIENT } else { IDLE };
    let mut idle_until = Instant::now() + idle;
    if terms.expects_continue && down.inbox.len() == terms.head_length {
        // The client waits for 100 (Continue), RFC 9110 §10.1.1.
        down.outbox.head(response::write_continue);
    }
    poll_fn(|cx| {
        if let Poll::Ready(Err(_)) = down.outbox.poll_flush(&mut down.io, cx) {
            return Poll::Ready(Err(Reject::RequestTimeout));
        }
        loop {
            if let Some(content) = gathering.look(&down.inbox, terms)? {
                return Poll::Ready(Ok(content));
            }
            let held = down.inbox.len() - terms.head_length + gathering.decoded.len();
            if let Some(memory) = &mut memory
                && !memory.grow(held as u64)
            {
                return Poll::Ready(terms.without(Reject::BodyMemory));
            }
            match down.poll_receive(cx, usize::MAX) {
                Poll::Ready(Ok(1..)) => idle_until = Instant::now() + idle,
                Poll::Ready(_) => return Poll::Ready(Err(Reject::RequestTimeout)),
                Poll::Pending => {
                    ready!(down.deadline.poll_at(cx, idle_until.min(until)));
                    return Poll::Ready(terms.without(Reject::RequestTimeout));
                }
            }
        }
    })
    .await
}

impl GatherTerms {
    /// What becomes of a request whose content is not to be had.
    fn without(&self, reject: Reject) -> Result<Content, Reject> {
        if self.is_lenient { Ok(Content::NotWhole) } else { Err(reject) }
    }
}

struct Gathering {
    /// Up to here the inbox has been read.
    at: usize,
    decoder: Decoder,
    decoded: Vec<u8>,
}

impl Gathering {
    /// The content, if all of it is there.
    fn look(&mut self, inbox: &[u8], terms: &GatherTerms) -> Result<Option<Content>, Reject> {
        match terms.body {
            BodyLength::None | BodyLength::UntilClose => {
                Ok(Some(Content::Received(terms.head_length..terms.head_length)))
            }
            BodyLength::Exactly(length) => {
                let end = terms.head_length.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                Ok((inbox.len() >= end).then_some(Content::Received(terms.head_length..end)))
            }
            BodyLength::Chunked => loop {
                let rest = &inbox[self.at..];
                match self.decoder.step(rest) {
                    Err(BadChunk) => return Err(Reject::BadRequest("the body is not in the chunked coding")),
                    Ok(Step::NeedMore) => return Ok(None),
                    Ok(Step::Framing(count)) => self.at += count,
                    Ok(Step::Data(count)) => {
                        self.decoded.extend_from_slice(&rest[..count]);
                        self.at += count;
                    }
                    Ok(Step::End(_)) => return Ok(Some(Content::Decoded(std::mem::take(&mut self.decoded)))),
                }
                let taken = (self.at - terms.head_length) as u64;
                let coding = terms.limit.saturating_mul(CODING_FACTOR).saturating_add(CODING_BYTES);
                if self.decoded.len() as u64 > terms.limit || taken > coding {
                    return terms.without(Reject::BodyTooLarge).map(Some);
                }
            },
        }
    }
}
