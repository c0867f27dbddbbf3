//! A client's connection: one request after another until either side closes it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::http2;
use crate::pipeline::head::Head;
use crate::pipeline::{self, After};
use crate::thread::Thread;
use crate::worker::Worker;
use gateway_wire::downstream::{Downstream, Scratch};
use gateway_wire::http1::head::HeadScan;
use gateway_wire::reject::Reject;

/// How long, and for how many bytes, a connection is read on after its last response: closing with unread bytes would
/// reset it, and the client might never see the response (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// Bytes taken per read while a head is awaited.
const HEAD_READ: usize = 16 << 10;

/// Serves `down`, which came in at the listener of this place, until it closes. `idle` is true while no request is in flight.
pub(crate) async fn serve<S>(thread: Thread, listener: usize, mut down: Downstream<S>, idle: Rc<Cell<bool>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let worker = Rc::clone(&thread.worker);
    let mut is_first = true;
    loop {
        let next = next_head(&worker, &mut down, &idle).await;
        // Only a connection's beginning is a preface; later it is a method that no document describes.
        if std::mem::take(&mut is_first) && down.inbox.starts_with(http2::PREFACE) {
            // Boxed: most connections do not carry its state.
            return Box::pin(http2::serve(thread, listener, down, idle)).await;
        }
        let after = match next {
            Next::Head { length, started } => {
                pipeline::handle(&worker, worker.serving(listener), &mut down, Head::Text(length), started).await
            }
            Next::Malformed { reject, started } => {
                let all = Head::Text(down.inbox.len());
                pipeline::refuse_unparsed(&worker, worker.serving(listener), &mut down, all, reject, started).await
            }
            Next::Closed => return close(&mut down).await,
        };
        match after {
            After::KeepAlive if !worker.closing.get() => down.forget_used(),
            After::KeepAlive | After::Close => return close(&mut down).await,
            After::Cut => return,
            After::Linger => return linger(&mut down).await,
        }
    }
}

enum Next {
    Head { length: usize, started: Instant },
    Malformed { reject: Reject, started: Instant },
    Closed,
}

/// Waits for the head of the next request.
async fn next_head<S: AsyncRead + AsyncWrite + Unpin>(
    worker: &Worker,
    down: &mut Downstream<S>,
    idle: &Cell<bool>,
) -> Next {
    let limits = worker.deployment().settings.limits.head;
    let timeouts = worker.deployment().settings.timeouts;
    let waiting_since = worker.recently();
    let mut scan = HeadScan::default();
    let mut started = (!down.inbox.is_empty()).then_some(waiting_since);
    poll_fn(|cx| {
        loop {
            if !down.inbox.is_empty() {
                let started = *started.get_or_insert_with(|| worker.now());
                match scan.end_of_head(&down.inbox, limits) {
                    Ok(Some(length)) => {
                        idle.set(false);
                        return Poll::Ready(Next::Head { length, started });
                    }
                    Ok(None) => {}
                    Err(reject) => return Poll::Ready(Next::Malformed { reject, started }),
                }
            }
            idle.set(started.is_none());
            let Poll::Ready(received) = down.poll_receive(cx, HEAD_READ) else {
                let deadline = started.map_or(waiting_since + timeouts.keep_alive, |started| started + timeouts.head);
                ready!(down.deadline.poll_at(cx, deadline));
                return Poll::Ready(
                    started.map_or(Next::Closed, |started| Next::Malformed { reject: Reject::RequestTimeout, started }),
                );
            };
            if !matches!(received, Ok(1..)) {
                return Poll::Ready(Next::Closed);
            }
        }
    })
    .await
}

/// Inside TLS, sends `close_notify`: the client has everything (RFC 8446 §6.1). Skipped if it does not even take that.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(down: &mut Downstream<S>) {
    if down.tls.is_some() {
        poll_fn(|cx| {
            let _ = Pin::new(&mut down.io).poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
    }
}

/// Says that nothing more will come, and lets the client finish reading.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(down: &mut Downstream<S>) {
    let until = Instant::now() + LINGER;
    let mut left = LINGER_BYTES;
    let mut shut = false;
    poll_fn(|cx: &mut Context<'_>| {
        if !shut {
            let _ = ready!(Pin::new(&mut down.io).poll_shutdown(cx));
            shut = true;
        }
        let mut scratch = Scratch::take();
        while left > 0 {
            match scratch.poll_read(&mut down.io, cx, left) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => left -= bytes.len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return down.deadline.poll_at(cx, until),
            }
        }
        Poll::Ready(())
    })
    .await;
}
