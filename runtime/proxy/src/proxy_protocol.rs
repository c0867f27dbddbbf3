//! Reads the header of the PROXY protocol from a connection, and nothing behind it.

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use gateway_base::warn;
use gateway_wire::proxy_protocol::{Announced, MAX_BINARY, parse};

/// Enough for nearly all headers.
const USUAL: usize = 256;

/// Each worker writes a line about connections without a good header at most this often.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// What a connection began with.
pub(crate) enum Beginning {
    Header(Announced),
    /// It was closed before its first byte, as health checks do that only connect.
    Nothing,
    /// No header, for this reason.
    Wrong(&'static str),
}

/// Takes the header off `stream`. What follows it stays in the socket, where the handshake of TLS looks for it.
pub(crate) async fn read_header(stream: &mut TcpStream, deadline: Instant) -> Beginning {
    match timeout_at(deadline, take_header(stream)).await {
        Ok(Ok(beginning)) => beginning,
        Ok(Err(_)) => Beginning::Wrong("the connection was closed within the header"),
        Err(_) => Beginning::Wrong("the header did not come in time"),
    }
}

async fn take_header(stream: &mut TcpStream) -> io::Result<Beginning> {
    // Before anything is allocated.
    stream.readable().await?;
    let (mut bytes, mut taken) = (vec![0; USUAL], 0);
    loop {
        if taken == bytes.len() {
            bytes.resize(MAX_BINARY, 0);
        }
        let seen = taken + stream.peek(&mut bytes[taken..]).await?;
        if seen == taken {
            return if taken == 0 { Ok(Beginning::Nothing) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let (announced, end) = match parse(&bytes[..seen]) {
            Ok(Some((announced, length))) => (Some(announced), length),
            Ok(None) => (None, seen),
            Err(malformed) => return Ok(Beginning::Wrong(malformed.0)),
        };
        stream.read_exact(&mut bytes[taken..end]).await?;
        taken = end;
        if let Some(announced) = announced {
            return Ok(Beginning::Header(announced));
        }
    }
}

/// Lines about connections without a good header: the first at once, and then how many there were.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    /// When the last line was written, and how many connections have had none since.
    last: Cell<Option<(Instant, u64)>>,
}

impl Complaints {
    /// Writes a line, unless there was one a moment ago.
    pub(crate) fn complain(&self, listener: &str, peer: IpAddr, why: &str, now: Instant) {
        let Some(silent) = self.due(now) else { return };
        let more = if silent == 0 { String::new() } else { format!("; so were {silent} others since the last line") };
        warn!(format_args!("listener {listener}"), "a connection from {peer} was closed: {why}{more}");
    }

    /// How many connections have had no line, if it is time for one.
    fn due(&self, now: Instant) -> Option<u64> {
        match self.last.get() {
            Some((at, silent)) if now < at + LINE_INTERVAL => {
                self.last.set(Some((at, silent + 1)));
                None
            }
            last => {
                self.last.set(Some((now, 0)));
                Some(last.map_or(0, |(_, silent)| silent))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_bad_connections_is_a_line_now_and_then() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let due = |seconds: u64| complaints.due(start + Duration::from_secs(seconds));
        assert_eq!([due(0), due(1), due(9), due(10), due(11), due(40)], [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn nothing_behind_the_header_is_read() {
        let long = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x0F\x00".as_slice(), &[10, 0, 0, 9, 10, 0, 0, 1, 1, 1, 2, 2]];
        let long = [&long.concat(), &[0xE0_u8, 0x0E, 0xF1][..], &[7; 0xEF1]].concat();
        for (header, client) in [(b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(), "192.0.2.7"), (long, "10.0.0.9")] {
            let expected = Announced::Client(client.parse().expect("an address"));
            for piece in [5, header.len() + 3, 1000] {
                let (beginning, rest) = receive(&[&header[..], b"\x16rest"].concat(), piece);
                assert!(matches!(beginning, Beginning::Header(announced) if announced == expected), "{piece}");
                assert_eq!(rest, b"\x16rest", "{piece}");
            }
        }
        assert!(matches!(receive(b"", 1).0, Beginning::Nothing));
        assert!(matches!(
            receive(b"PROXY TCP4 192.0", 9).0,
            Beginning::Wrong("the connection was closed within the header")
        ));
        assert!(matches!(receive(b"GET / HTTP/1.1\r\n\r\n", 90).0, Beginning::Wrong(_)));
    }

    /// What is read of `bytes`, which come in pieces of this size, and what is left in the socket.
    fn receive(bytes: &[u8], piece: usize) -> (Beginning, Vec<u8>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let pieces: Vec<Vec<u8>> = bytes.chunks(piece).map(<[u8]>::to_vec).collect();
        std::thread::spawn(move || {
            use std::io::Write as _;
            let mut sender = std::net::TcpStream::connect(address).expect("somebody listens");
            sender.set_nodelay(true).expect("a socket");
            for piece in pieces {
                sender.write_all(&piece).expect("sent");
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let (receiver, _) = listener.accept().expect("a connection");
        receiver.set_nonblocking(true).expect("a socket");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut receiver = TcpStream::from_std(receiver).expect("a socket");
            let beginning = read_header(&mut receiver, Instant::now() + Duration::from_secs(60)).await;
            let mut rest = Vec::new();
            receiver.read_to_end(&mut rest).await.expect("the rest");
            (beginning, rest)
        })
    }
}
