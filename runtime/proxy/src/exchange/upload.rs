//! The request's way: from the client to the upstream.

use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Exchange, Failure, KEPT_BODY, RequestTerms, Upload, end_chunks, write_chunk};
use gateway_wire::downstream::Scratch;
use gateway_wire::http1::chunked::{self, Step};
use gateway_wire::reject::Reject;

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<'_, S> {
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            if self.upload.wants_body() && !self.down.unread().is_empty() {
                self.send_unread(cx)?;
            }
            if ready!(self.up.outbox.poll_flush(&mut self.up.io, cx)).is_err() {
                // The upstream may have answered before it hung up (413, say): read on.
                self.abandon_upload();
            }
            match self.upload {
                Upload::Done | Upload::Abandoned => return Poll::Ready(Ok(())),
                Upload::Held => return Poll::Pending,
                Upload::Counted(_) | Upload::Chunked(_) if self.down.unread().is_empty() => {
                    ready!(self.poll_receive_body(cx))?
                }
                Upload::Counted(_) | Upload::Chunked(_) => {}
            }
        }
    }

    /// Sends the head from where it is, unless some of a body can go with it.
    pub(super) fn send_head(&mut self, cx: &mut Context<'_>) {
        let head = &self.request.head;
        if self.upload.wants_body() && !self.down.unread().is_empty() {
            self.up.outbox.buffer().extend_from_slice(head);
        } else if self.up.outbox.write_through(&mut self.up.io, cx, head).is_err() {
            self.abandon_upload();
        }
    }

    pub(super) fn abandon_upload(&mut self) {
        self.upload = Upload::Abandoned;
        self.up.outbox.clear();
    }

    /// Sends on what of the body came with the head.
    fn send_unread(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let inbox = std::mem::take(&mut self.down.inbox);
        let sent = self.send_body(&inbox[self.down.used..], cx);
        self.down.inbox = inbox;
        self.down.used += sent?;
        Ok(())
    }

    fn poll_receive_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let limit = match self.upload {
            Upload::Counted(left) => usize::try_from(left).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let mut scratch = Scratch::take();
        let bytes = match ready!(scratch.poll_read(&mut self.down.io, cx, limit)) {
            Ok([]) | Err(_) => return Poll::Ready(Err(Failure::ClientGone)),
            Ok(bytes) => bytes,
        };
        if self.request.keeps_body && self.progress.request_bytes + bytes.len() as u64 <= KEPT_BODY {
            self.down.inbox.extend_from_slice(bytes);
            let sent = self.send_body(bytes, cx)?;
            self.down.used += sent;
            return Poll::Ready(Ok(()));
        }
        // What was streamed is not kept, so it cannot be sent a second time.
        self.progress.replayable = false;
        let sent = self.send_body(bytes, cx)?;
        self.down.inbox.extend_from_slice(&bytes[sent..]);
        Poll::Ready(Ok(()))
    }

    /// Takes what belongs to the body from the start of `bytes`, and says how much that was.
    fn send_body(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<usize, Failure> {
        let taken = match &mut self.upload {
            Upload::Counted(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= take as u64;
                let ended = *left == 0;
                self.progress.request_bytes += take as u64;
                if self.request.copies_body {
                    copy(self.request, &bytes[..take], ended);
                }
                if !self.up.outbox.is_empty() {
                    self.up.outbox.buffer().extend_from_slice(&bytes[..take]);
                } else if self.up.outbox.write_through(&mut self.up.io, cx, &bytes[..take]).is_err() {
                    self.abandon_upload();
                    return Ok(take);
                }
                if ended {
                    self.upload = Upload::Done;
                }
                take
            }
            Upload::Chunked(decoder) => {
                let out = self.up.outbox.buffer();
                let mut taken = 0;
                let ended = loop {
                    let rest = &bytes[taken..];
                    match decoder.step(rest) {
                        Err(chunked::BadChunk) => {
                            return Err(self.fail(Reject::BadRequest("the body is not in the chunked coding")));
                        }
                        Ok(Step::NeedMore) => break false,
                        Ok(Step::Framing(count)) => taken += count,
                        Ok(Step::Data(count)) => {
                            write_chunk(out, &rest[..count]);
                            if self.request.copies_body {
                                copy(self.request, &rest[..count], false);
                            }
                            taken += count;
                            self.progress.request_bytes += count as u64;
                        }
                        Ok(Step::End(count)) => {
                            taken += count;
                            if end_chunks(out, decoder.trailers(), self.fields, self.request.credentials).is_err() {
                                return Err(self.fail(Reject::BadRequest("the trailer section is malformed")));
                            }
                            if self.request.copies_body && self.progress.request_bytes <= self.request.max_body {
                                copy(self.request, &[], true);
                            }
                            break true;
                        }
                    }
                };
                if ended {
                    self.upload = Upload::Done;
                }
                taken
            }
            Upload::Held | Upload::Done | Upload::Abandoned => 0,
        };
        if self.progress.request_bytes > self.request.max_body {
            return Err(self.fail(Reject::BodyTooLarge));
        }
        Ok(taken)
    }
}

/// Has a copy take more of the body; one that has all of it is sent.
fn copy(request: &RequestTerms, bytes: &[u8], ended: bool) {
    let Some(mut copy) = request.copy.take() else { return };
    if !copy.add(bytes) {
        return;
    }
    if ended {
        copy.send();
    } else {
        request.copy.set(Some(copy));
    }
}
