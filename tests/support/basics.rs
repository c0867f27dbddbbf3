//! What every test of the workspace waits with, and the ports that it gives to programs.
#![allow(dead_code, reason = "each crate uses its part")]

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// A test that waits longer than this has failed: what does not come by then does not come, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Repeats `attempt` until it gives something.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A port of loopback for a program that cannot choose one itself. Connections to it are refused until the program
/// listens.
///
/// The socket is bound and does not listen: the kernel gives the port to no other program that asks for any port, and
/// gives it to one that asks for this port and reuses addresses, as servers do.
#[derive(Debug)]
pub(crate) struct ReservedPort {
    socket: Socket,
    pub(crate) address: SocketAddr,
}

impl ReservedPort {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("an option");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        let address = socket.local_addr().expect("bound").as_socket().expect("IPv4");
        Self { socket, address }
    }

    pub(crate) fn number(&self) -> u16 {
        self.address.port()
    }

    /// Listens on it.
    pub(crate) fn listen(self) -> TcpListener {
        self.socket.listen(128).expect("nothing else listens");
        self.socket.into()
    }
}
