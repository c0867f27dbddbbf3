//! What comes after a switch of protocols: bytes both ways, until one side closes or time is up.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::exchange::{Progress, UpgradeTerms};
use crate::pipeline::record::Record;
use crate::upstream::UpstreamConnection;
use crate::upstream::breaker::Entered;
use crate::upstream::member::Flight;
use crate::worker::Worker;
use gateway_wire::downstream::{Downstream, Outbox, Scratch};

/// How long one direction goes on after the other has ended.
const HALF_CLOSED_FOR: Duration = Duration::from_secs(30);

/// A connection to the upstream that speaks another protocol, with what is counted as long as it is open.
pub(crate) struct Tunnel {
    pub(crate) up: UpstreamConnection,
    pub(crate) terms: Box<UpgradeTerms>,
    pub(crate) progress: Progress,
    #[expect(dead_code, reason = "held while the tunnel is open")]
    pub(crate) flight: Flight,
    pub(crate) under_way: Option<Entered<'static>>,
}

/// Why a tunnel is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides have ended what they send.
    Closed,
    /// One side has, and the other one did not follow.
    HalfClosed,
    /// A connection has broken.
    Broken,
    /// Nothing came for too long.
    Idle,
    /// The credential has expired.
    Expired,
    /// The gateway ends.
    Shutdown,
}

impl End {
    /// For the access log.
    fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfClosed => "half-closed",
            Self::Broken => "broken",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Passes bytes on until the tunnel is over, and writes its line of the log.
pub(super) async fn run<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    mut tunnel: Box<Tunnel>,
    record: &mut Record<'_>,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The client need not have waited for the switch.
    let early = down.unread();
    tunnel.progress.request_bytes = early.len() as u64;
    tunnel.up.outbox.buffer().extend_from_slice(early);
    record.keep_request_line(down);
    let _open = Open::count(worker);
    let end = {
        let mut flow = Flow::new(&mut tunnel, worker.now());
        let mut ending = pin!(worker.until_ending());
        poll_fn(|cx| {
            if ending.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Shutdown);
            }
            flow.poll(down, cx)
        })
        .await
    };
    // Both connections are shut down in order, where their peers take that at once.
    poll_fn(|cx| {
        let _ = Pin::new(&mut tunnel.up.io).poll_shutdown(cx);
        if end != End::Broken {
            let _ = Pin::new(&mut down.io).poll_shutdown(cx);
        }
        Poll::Ready(())
    })
    .await;
    record.tunnel_end = end.word();
    record.log(worker, down, &tunnel.progress);
    end
}

/// One direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Open,
    /// The sender has ended; the receiver is not closed yet.
    Ending,
    Ended,
}

/// Both directions of a tunnel.
struct Flow<'t> {
    tunnel: &'t mut Tunnel,
    upwards: Direction,
    downwards: Direction,
    last_moved: Instant,
    half_closed_at: Option<Instant>,
}

impl<'t> Flow<'t> {
    fn new(tunnel: &'t mut Tunnel, now: Instant) -> Self {
        let open = Direction::Open;
        Self { tunnel, upwards: open, downwards: open, last_moved: now, half_closed_at: None }
    }

    fn poll<S>(&mut self, down: &mut Downstream<S>, cx: &mut Context<'_>) -> Poll<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let before = self.amount(down);
        let Tunnel { up, progress, .. } = &mut *self.tunnel;
        let upwards = &mut self.upwards;
        let up_ended =
            poll_direction(&mut down.io, &mut up.io, &mut up.outbox, upwards, &mut progress.request_bytes, cx);
        let downwards = &mut self.downwards;
        let down_ended =
            poll_direction(&mut up.io, &mut down.io, &mut down.outbox, downwards, &mut progress.response_bytes, cx);
        match (up_ended, down_ended) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => return Poll::Ready(End::Broken),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(End::Closed),
            (Poll::Pending, Poll::Pending) => {}
            (Poll::Ready(Ok(())), _) | (_, Poll::Ready(Ok(()))) => {
                self.half_closed_at.get_or_insert_with(Instant::now);
            }
        }
        if before != self.amount(down) {
            self.last_moved = Instant::now();
        }
        let (deadline, end) = self.deadline();
        down.deadline.poll_at(cx, deadline).map(|()| end)
    }

    /// Changes whenever something moves.
    fn amount<S>(&self, down: &Downstream<S>) -> (u64, u64, usize, usize) {
        let Tunnel { up, progress, .. } = &*self.tunnel;
        (progress.request_bytes, progress.response_bytes, up.outbox.pending(), down.outbox.pending())
    }

    /// The next reason to end, and when it is one.
    fn deadline(&self) -> (Instant, End) {
        let UpgradeTerms { idle, ends, .. } = *self.tunnel.terms;
        // Longer than a clock can say is as long as the process runs.
        let idle = self.last_moved.checked_add(idle).unwrap_or_else(|| self.last_moved + Duration::from_secs(1 << 32));
        let expired = ends.map(|at| (at, End::Expired));
        let half_closed = self.half_closed_at.map(|at| (at + HALF_CLOSED_FOR, End::HalfClosed));
        let others = [expired, half_closed].into_iter().flatten();
        others.fold((idle, End::Idle), |first, other| if other.0 < first.0 { other } else { first })
    }
}

/// Passes on what one side sends; ready once it has ended and the other side knows, or something has broken.
fn poll_direction<R, W>(
    from: &mut R,
    to: &mut W,
    outbox: &mut Outbox,
    state: &mut Direction,
    count: &mut u64,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        if *state == Direction::Ended {
            return Poll::Ready(Ok(()));
        }
        ready!(outbox.poll_flush(to, cx))?;
        // A silent tunnel owns no buffer.
        outbox.release();
        if *state == Direction::Ending {
            ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
            *state = Direction::Ended;
            continue;
        }
        let mut scratch = Scratch::take();
        match ready!(scratch.poll_read(from, cx, usize::MAX)) {
            Ok([]) => *state = Direction::Ending,
            // Inside TLS, many end without `close_notify`; what passes here has an end of its own (RFC 6455 §5.5.1).
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => *state = Direction::Ending,
            Err(error) => return Poll::Ready(Err(error)),
            Ok(bytes) => {
                *count += bytes.len() as u64;
                outbox.write_through(to, cx, bytes)?;
            }
        }
    }
}

/// A tunnel that is counted while it is open.
struct Open<'w>(&'w Worker);

impl<'w> Open<'w> {
    fn count(worker: &'w Worker) -> Self {
        worker.tunnels.set(worker.tunnels.get() + 1);
        worker.process.tunnels.fetch_add(1, Relaxed);
        Self(worker)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.tunnels.set(self.0.tunnels.get() - 1);
        self.0.process.tunnels.fetch_sub(1, Relaxed);
    }
}
