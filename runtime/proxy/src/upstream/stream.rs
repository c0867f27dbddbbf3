//! The bytes to and from an upstream, over plain TCP or inside TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use gateway_wire::http2::client::ClientStream;

/// A connection to an upstream. No `dyn`: the plain one costs a branch that is always the same.
pub(crate) enum UpstreamStream {
    Plain(TcpStream),
    /// Boxed: a plain connection does not pay for what TLS has to know.
    Tls(Box<TlsStream<TcpStream>>),
    /// One of many streams of a connection.
    Http2(Box<ClientStream>),
}

impl UpstreamStream {
    /// Nothing may come between two responses: an end of stream, an error or bytes all mean that the connection is not
    /// ours to use. What TLS says for itself, such as a ticket, is no byte.
    pub(super) fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(io) => {
                matches!(io.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            Self::Tls(io) => {
                let mut context = Context::from_waker(Waker::noop());
                let mut byte = [0];
                Pin::new(io).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
            }
            // It carries one request, and has.
            Self::Http2(_) => false,
        }
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
            Self::Http2(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Self::Tls(io) => Pin::new(io).poll_write(cx, bytes),
            Self::Http2(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
            Self::Http2(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
            Self::Http2(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
