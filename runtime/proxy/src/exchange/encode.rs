//! A response whose content is compressed: from the encoder to the client.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Download, Exchange, Failure, end_chunks, write_chunk};
use crate::exchange::coded::Next;
use gateway_wire::reject::Reject;

/// Less than this waits for more, unless the upstream pauses.
const SMALL: usize = 4 << 10;

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<'_, S> {
    /// Goes on with the content that is there; ready with whether there was some, and pending where it is the turn of
    /// other requests.
    pub(super) fn poll_encode(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Failure>> {
        let Some(coded) = &mut self.coded else { return Poll::Ready(Ok(false)) };
        match coded.encode() {
            Err(_) => Poll::Ready(Err(broken())),
            Ok(Next::Nothing) => Poll::Ready(Ok(false)),
            Ok(Next::Others) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Ok(Next::More) => {
                if coded.out().len() >= SMALL {
                    self.write_coded();
                }
                Poll::Ready(Ok(true))
            }
            Ok(Next::End(trailers)) => {
                self.write_coded();
                self.coded = None;
                Poll::Ready(self.write_end(&trailers).map(|()| true))
            }
        }
    }

    /// The upstream pauses: the client gets all that there is. Says whether there was something.
    pub(super) fn flush_coded(&mut self) -> Result<bool, Failure> {
        let Some(coded) = &mut self.coded else { return Ok(false) };
        let written = coded.flush().map_err(|_| broken())?;
        self.write_coded();
        Ok(written)
    }

    fn write_coded(&mut self) {
        let Some(coded) = &mut self.coded else { return };
        let out = coded.out();
        write_chunk(self.down.outbox.buffer(), out);
        self.progress.response_bytes += out.len() as u64;
        out.clear();
    }

    /// Ends a response in chunks.
    pub(super) fn write_end(&mut self, trailers: &[u8]) -> Result<(), Failure> {
        self.download = Download::Finished;
        if self.response.client_is_http11 && end_chunks(self.down.outbox.buffer(), trailers, self.fields, &[]).is_err()
        {
            return Err(Failure::Aborted(Reject::UpstreamBroken("the trailer section is malformed")));
        }
        Ok(())
    }
}

/// An encoder fails for want of memory only.
fn broken() -> Failure {
    Failure::Aborted(Reject::BodyMemory)
}
