//! TCP connections to servers by name: its addresses are tried one soon after the other, and the first that answers is
//! taken (RFC 8305). Upstreams, stores, identity providers and certificate authorities are all connected to here.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long an attempt has for itself before the next address is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to a host, which is a name or an address without brackets. It ends in its own time: callers have a deadline.
///
/// # Errors
/// The name has no address, or none of its addresses accepts.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    connect_to_any(&addresses).await
}

/// Connects to the first of several addresses of one server that accepts. The others are given up.
///
/// # Errors
/// None of them accepts; the last refusal.
pub async fn connect_to_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let stream = match addresses {
        [only] => TcpStream::connect(only).await?,
        _ => race(addresses).await?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut left = interleaved(addresses).into_iter();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut problem = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut delay = pin!(sleep(ATTEMPT_DELAY));
    poll_fn(|cx| {
        loop {
            let mut has_failed = false;
            let mut index = 0;
            while let Some(attempt) = attempts.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        (problem, has_failed) = (error, true);
                        drop(attempts.swap_remove(index));
                    }
                    Poll::Pending => index += 1,
                }
            }
            // The next one is not kept waiting by one that is known to fail.
            if !has_failed && !attempts.is_empty() && delay.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match left.next() {
                Some(address) => {
                    attempts.push(Box::pin(TcpStream::connect(address)));
                    delay.as_mut().reset(Instant::now() + ATTEMPT_DELAY);
                }
                None if attempts.is_empty() => {
                    let none = io::Error::from(io::ErrorKind::NotFound);
                    return Poll::Ready(Err(std::mem::replace(&mut problem, none)));
                }
                None => return Poll::Pending,
            }
        }
    })
    .await
}

/// The addresses with their families in turn, so that a network without one of them costs one delay (RFC 8305 §4). The
/// family that the system prefers comes first.
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (preferred, others): (Vec<&SocketAddr>, Vec<&SocketAddr>) =
        addresses.iter().partition(|address| address.is_ipv6() == first.is_ipv6());
    let turns = preferred.len().max(others.len());
    (0..turns).flat_map(|turn| [preferred.get(turn), others.get(turn)]).flatten().copied().copied().collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::silent::Silent;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    async fn within(
        time: Duration,
        addresses: &[SocketAddr],
    ) -> Result<io::Result<TcpStream>, tokio::time::error::Elapsed> {
        tokio::time::timeout(time, connect_to_any(addresses)).await
    }

    fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
    }

    fn good() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        (listener, address)
    }

    #[test]
    fn a_silent_address_hides_no_other() {
        let (silent, (_listener, good)) = (Silent::new(), good());
        for addresses in [vec![silent.address, good], vec![silent.address, silent.address, refusing(), good]] {
            let stream = block_on(within(Duration::from_secs(20), &addresses));
            let stream = stream.expect("in time").expect("the last one accepts");
            assert_eq!(stream.peer_addr().expect("connected"), good);
        }
    }

    #[test]
    fn one_that_refuses_costs_no_delay() {
        let (_listener, good) = good();
        let refusing: Vec<SocketAddr> = (0..40).map(|_| refusing()).collect();
        let addresses = [&refusing[..], &[good]].concat();
        // Forty delays are ten seconds.
        let stream = block_on(within(Duration::from_secs(8), &addresses));
        assert_eq!(stream.expect("in time").expect("accepted").peer_addr().expect("connected"), good);
    }

    #[test]
    fn without_an_accepting_address_the_error_is_the_refusal() {
        let error = block_on(connect_to_any(&[refusing(), refusing()])).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(block_on(connect_to_any(&[])).expect_err("nothing").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn where_all_are_silent_the_callers_deadline_ends_it() {
        let silent = Silent::new();
        let addresses = [silent.address, silent.address];
        assert!(block_on(within(ATTEMPT_DELAY * 3, &addresses)).is_err());
    }

    #[test]
    fn families_take_turns() {
        let [a, b, c, d, e] = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]
            .map(|text| text.parse::<SocketAddr>().expect("an address"));
        assert_eq!(interleaved(&[a, b, c, d, e]), [a, d, b, e, c]);
        assert_eq!(interleaved(&[d, a, b]), [d, a, b]);
        assert_eq!(interleaved(&[]), []);
    }
}
