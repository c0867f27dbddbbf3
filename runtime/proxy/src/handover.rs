//! Listening sockets that another process opened: the gateway that this one replaces, or systemd.
//!
//! A gateway with `upgrade.socket` waits there for its successor. The successor connects when it has read its
//! deployment, gets the sockets (`SCM_RIGHTS`, unix(7)), serves on them, and says so; only then does the old one stop
//! accepting. The sockets are never closed in between, so no connection is refused, and one that waits in a queue is
//! not reset. Until then the old gateway serves as before.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

use gateway_base::error;

/// The operators' listener among the others; no listener of a deployment can have this name.
pub const ADMIN: &str = "";

/// How long the two gateways wait for each other's next message.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after accepting a successor failed, for want of descriptors, say.
const PAUSE: Duration = Duration::from_secs(1);

/// The sockets that a successor gets, each with the name of its listener; none once this gateway stops.
pub(crate) type Sockets = Arc<Mutex<Vec<(Arc<str>, TcpListener)>>>;

/// The message of a successor that serves.
const SERVING: &[u8] = b"serving\n";

/// Descriptors in one message; the kernel takes 253 (`SCM_MAX_FD`).
const MAX_SOCKETS: usize = 128;

/// The most bytes for the names of a message's sockets.
const MAX_NAMES: usize = 64 << 10;

/// A listening socket, and the name of its listener where that is known.
#[derive(Debug)]
struct Named {
    name: Option<String>,
    socket: TcpListener,
}

/// The sockets that a gateway starts with.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<Named>,
    predecessor: Option<UnixStream>,
}

impl Inherited {
    /// Asks the gateway that waits at `path` for its sockets.
    ///
    /// # Errors
    /// No gateway is there, it is another user's, or it does not answer.
    pub fn from_predecessor(path: &Path) -> io::Result<Self> {
        let mut stream = UnixStream::connect(path)?;
        require_same_user(&stream)?;
        stream.set_read_timeout(Some(HANDOVER_TIMEOUT))?;
        stream.set_write_timeout(Some(HANDOVER_TIMEOUT))?;
        let mut sockets = Vec::new();
        loop {
            let some = receive(&mut stream)?;
            if some.is_empty() {
                break;
            }
            sockets.extend(some);
        }
        Ok(Self { sockets, predecessor: Some(stream) })
    }

    /// The sockets that systemd opened (`sd_listen_fds(3)`); none without it.
    ///
    /// # Errors
    /// A descriptor is no listening TCP socket.
    pub fn from_systemd() -> io::Result<Self> {
        let mut passed = listenfd::ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..passed.len() {
            if let Some(socket) = passed.take_tcp_listener(index)? {
                socket.set_nonblocking(true)?;
                sockets.push(Named { name: None, socket });
            }
        }
        Ok(Self { sockets, predecessor: None })
    }

    /// Takes the sockets of the listener `name` at `address`. An address whose port is 0 is any of that listener.
    pub fn take(&mut self, name: &str, address: SocketAddr) -> Vec<TcpListener> {
        let fits = |held: &Named| {
            let is_there = held.socket.local_addr().is_ok_and(|local| match address.port() {
                0 => local.ip() == address.ip() && held.name.as_deref() == Some(name),
                _ => local == address,
            });
            is_there && held.name.as_deref().is_none_or(|held| (held == ADMIN) == (name == ADMIN))
        };
        self.sockets.extract_if(.., |held| fits(held)).map(|held| held.socket).collect()
    }

    /// The addresses of sockets that no listener took.
    pub fn left(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|held| held.socket.local_addr().ok()).collect()
    }

    /// Asks the predecessor to finish.
    ///
    /// # Errors
    /// It is gone.
    pub fn serving(self) -> io::Result<()> {
        match self.predecessor {
            Some(mut stream) => stream.write_all(SERVING),
            None => Ok(()),
        }
    }
}

/// Where a successor asks.
#[derive(Debug)]
pub struct Waiting {
    path: PathBuf,
    listener: UnixListener,
    /// Distinguishes our own file from a successor's.
    inode: u64,
}

impl Waiting {
    /// Waits at `path`, in place of the process that waited there.
    ///
    /// # Errors
    /// The path cannot be made.
    pub fn at(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
        if std::fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something lies there that is no socket"));
        }
        // Renamed into place: the path always leads to a socket, and never to one that all users can connect to.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(format!(".{}", std::process::id()));
        let fresh = PathBuf::from(fresh);
        let _ = std::fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh)?;
        let placed = std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))
            .and_then(|()| std::fs::rename(&fresh, path))
            .and_then(|()| std::fs::metadata(path));
        match placed {
            Ok(metadata) => Ok(Self { path: path.to_path_buf(), listener, inode: metadata.ino() }),
            Err(error) => {
                let _ = std::fs::remove_file(&fresh);
                Err(error)
            }
        }
    }

    /// Waits until a successor serves on `sockets`; blocks its thread.
    pub fn for_successor(&self, sockets: &Sockets) {
        loop {
            let handed_over = match self.listener.accept() {
                Ok((stream, _)) => hand_over(stream, sockets),
                Err(error) => {
                    std::thread::sleep(PAUSE);
                    Err(error)
                }
            };
            match handed_over {
                Ok(()) => return,
                Err(error) => error!("upgrade", "failed, this gateway keeps serving: {error}"),
            }
        }
    }

    /// Removes the path, unless it is a successor's by now.
    pub fn leave(&self) {
        use std::os::unix::fs::MetadataExt as _;
        if std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn hand_over(mut stream: UnixStream, sockets: &Sockets) -> io::Result<()> {
    require_same_user(&stream)?;
    stream.set_read_timeout(Some(HANDOVER_TIMEOUT))?;
    stream.set_write_timeout(Some(HANDOVER_TIMEOUT))?;
    {
        let sockets = sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if sockets.is_empty() {
            return Err(io::Error::other("this gateway is stopping"));
        }
        for some in sockets.chunks(MAX_SOCKETS) {
            send(&mut stream, some)?;
        }
        send(&mut stream, &[])?;
    }
    let mut word = [0; SERVING.len()];
    match stream.read_exact(&mut word) {
        Ok(()) if word == SERVING => Ok(()),
        _ => Err(io::Error::other("the new gateway ended before it served")),
    }
}

/// Sends one message: the length of the names in 4 bytes, which the descriptors go with, then the names, a line each.
fn send(stream: &mut UnixStream, sockets: &[(Arc<str>, TcpListener)]) -> io::Result<()> {
    let mut names: String = sockets.iter().flat_map(|(name, _)| [name, "\n"]).collect();
    if sockets.is_empty() {
        names.clear();
    }
    let length = u32::try_from(names.len()).map_err(|_| io::ErrorKind::InvalidData)?.to_be_bytes();
    let descriptors: Vec<BorrowedFd<'_>> = sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
    let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = rustix::net::sendmsg(&*stream, &[IoSlice::new(&length)], &mut ancillary, SendFlags::NOSIGNAL)?;
    if sent != length.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    stream.write_all(names.as_bytes())
}

/// Receives what [`send`] sends.
fn receive(stream: &mut UnixStream) -> io::Result<Vec<Named>> {
    let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut length = [0; 4];
    let got =
        rustix::net::recvmsg(&*stream, &mut [IoSliceMut::new(&mut length)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let descriptors: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    stream.read_exact(&mut length[got.bytes..])?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_NAMES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut names = vec![0; length];
    stream.read_exact(&mut names)?;
    let names = String::from_utf8(names).map_err(|_| io::ErrorKind::InvalidData)?;
    if names.lines().count() != descriptors.len() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let named = |(name, descriptor): (&str, OwnedFd)| Named {
        name: Some(name.to_owned()),
        socket: TcpListener::from(descriptor),
    };
    Ok(names.lines().zip(descriptors).map(named).collect())
}

/// Only the same user, and root, may take or give sockets.
fn require_same_user(stream: &UnixStream) -> io::Result<()> {
    let peer = rustix::net::sockopt::socket_peercred(stream)?.uid;
    if peer == rustix::process::geteuid() || peer.is_root() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "the process at the other end is another user's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").expect("a free port")
    }

    #[test]
    fn sockets_arrive_with_their_names() {
        let folder = std::env::temp_dir().join(format!("gateway-handover-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("upgrade.sock");
        let waiting = Waiting::at(&path).expect("waits");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        // More than one message takes.
        let sockets: Vec<(Arc<str>, TcpListener)> =
            (0..300).map(|number| (Arc::from(format!("l{}", number % 2)), socket())).collect();
        let addresses: Vec<_> = sockets.iter().map(|(_, socket)| socket.local_addr().expect("bound")).collect();
        let sockets = Arc::new(Mutex::new(sockets));
        let old = std::thread::spawn(move || {
            waiting.for_successor(&sockets);
            waiting
        });
        // One that leaves changes nothing.
        drop(Inherited::from_predecessor(&path).expect("sockets"));
        let mut inherited = Inherited::from_predecessor(&path).expect("sockets");
        assert!(inherited.take("l0", addresses[0]).len() == 1 && inherited.left().len() == 299);
        assert_eq!(inherited.take("l1", SocketAddr::from(([127, 0, 0, 1], 0))).len(), 150);
        assert!(inherited.take(ADMIN, addresses[2]).is_empty(), "a public socket never serves operators");
        let successor = Waiting::at(&path).expect("in its place");
        inherited.serving().expect("told");
        old.join().expect("no panic").leave();
        assert!(path.exists(), "the file is the successor's now");
        successor.leave();
        assert!(!path.exists());
        std::fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn a_file_that_is_no_socket_is_not_replaced() {
        let file = std::env::temp_dir().join(format!("gateway-no-socket-{}", std::process::id()));
        std::fs::write(&file, "precious").expect("written");
        assert_eq!(Waiting::at(&file).expect_err("refused").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&file).expect("still there"), "precious");
        std::fs::remove_file(&file).expect("removed");
    }

    #[test]
    fn without_a_running_gateway_there_is_nothing_to_replace() {
        let error = Inherited::from_predecessor(Path::new("/nonexistent/upgrade.sock")).expect_err("no gateway");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
