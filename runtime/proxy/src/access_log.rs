//! One JSON line per request, written by a thread of its own.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use crate::metrics::ProcessMetrics;
use crate::trace::TraceContext;
use gateway_base::encoding::write_number;
use gateway_base::operator_log::{Torn, write_lines};
use gateway_base::supervise::{Task, supervise_thread};
use gateway_base::timestamp::{padded, write_second};
use gateway_base::warn;
use gateway_wire::reject::Reject;

/// Lines are handed to the writer in pieces of about this many bytes.
const PIECE: usize = 64 << 10;

/// Pieces that may wait for a slow reader of standard output: 16 MiB.
const WAITING_PIECES: usize = 256;

/// How long the end of the process waits for a reader that does not keep up.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts the writing thread; it ends when all senders are gone.
///
/// # Errors
/// No thread can be started.
pub(crate) fn start_writer(process: Arc<ProcessMetrics>) -> std::io::Result<(SyncSender<Vec<u8>>, Writer)> {
    let (sender, receiver) = sync_channel(WAITING_PIECES);
    let (end, ended) = channel::<()>();
    std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
        // Dropped with the thread, which signals its end.
        let _end = end;
        supervise_thread(Task::AccessLog, || write_all(&receiver, &process));
    })?;
    Ok((sender, Writer { ended }))
}

fn write_all(receiver: &Receiver<Vec<u8>>, process: &ProcessMetrics) {
    let mut is_torn = false;
    for piece in receiver {
        // There is no reader, or the disk is full: keep taking the lines, so that no request waits.
        if let Err(Torn { written, .. }) = write_lines(std::io::stdout(), &piece, &mut is_torn) {
            let lines = memchr::memchr_iter(b'\n', &piece[written..]).count();
            process.log_lines_lost.fetch_add(lines as u64, Relaxed);
        }
    }
}

/// The writing thread.
pub(crate) struct Writer {
    ended: Receiver<()>,
}

impl Writer {
    /// Waits until all lines are written; not for ever, since a reader that has stopped takes none.
    pub(crate) fn finish(self) {
        if matches!(self.ended.recv_timeout(FLUSH_TIMEOUT), Err(std::sync::mpsc::RecvTimeoutError::Timeout)) {
            warn!("access log", "its reader is too slow; the last lines are lost");
        }
    }
}

/// One worker's lines on their way to the writer.
pub(crate) struct AccessLog {
    sender: Option<SyncSender<Vec<u8>>>,
    lines: Vec<u8>,
    count: u64,
    clock: SecondClock,
    process: Arc<ProcessMetrics>,
}

/// What a line says.
pub(crate) struct Line<'a> {
    /// Microseconds since the epoch at which the request began.
    pub(crate) at_micros: u64,
    /// What is the same for every request of a listener, written at start: see [`constants_of_listener`].
    pub(crate) listener: &'a str,
    /// What is the same for every request of an operation, written at start: see [`constants`].
    pub(crate) constants: &'a str,
    /// The client's address: behind trusted proxies, what they say.
    pub(crate) client: &'a str,
    /// The address at the other end of the connection.
    pub(crate) peer: &'a str,
    pub(crate) method: &'a str,
    /// Without the query, which may hold credentials.
    pub(crate) path: &'a str,
    /// Visible ASCII without quotes and backslashes.
    pub(crate) request_id: &'a str,
    pub(crate) trace: &'a TraceContext,
    /// 0 where the client left before it got any.
    pub(crate) status: u16,
    pub(crate) took: Duration,
    /// To the head of the upstream's response.
    pub(crate) upstream_took: Option<Duration>,
    /// The upstream's address that had the request last, and how often it was sent.
    pub(crate) endpoint: Option<(&'a str, u32)>,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) caller: Option<&'a str>,
    /// Why the request was permitted.
    pub(crate) because: &'a str,
    /// What is not as described and passed; empty for nothing.
    pub(crate) observed: &'a str,
    /// What became of it in the cache; empty where its operation has none.
    pub(crate) cache: &'a str,
    pub(crate) reject: Option<&'a Reject>,
    /// The status of a refused call of gRPC.
    pub(crate) grpc_status: Option<u8>,
    /// Why the tunnel is over that came of the request; empty where none did.
    pub(crate) tunnel_end: &'a str,
}

impl AccessLog {
    /// Lines for `sender`; none at all without one.
    pub(crate) fn new(sender: Option<SyncSender<Vec<u8>>>, process: Arc<ProcessMetrics>) -> Self {
        Self { sender, lines: Vec::new(), count: 0, clock: SecondClock::default(), process }
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, line: &Line<'_>) {
        if self.sender.is_none() {
            return;
        }
        line.write(&mut self.lines, &mut self.clock);
        self.count += 1;
        if self.lines.len() >= PIECE {
            self.flush();
        }
    }

    /// Hands over what there is. A reader that does not keep up costs lines, and they are counted; it never costs a
    /// request.
    pub(crate) fn flush(&mut self) {
        let Some(sender) = &self.sender else { return };
        if self.lines.is_empty() {
            return;
        }
        let piece = std::mem::replace(&mut self.lines, Vec::with_capacity(PIECE + PIECE / 8));
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sender.try_send(piece) {
            self.process.log_lines_lost.fetch_add(self.count, Relaxed);
        }
        self.count = 0;
    }
}

/// The member of a line that is known of a listener at start, from the end of the time on.
pub fn constants_of_listener(name: &str) -> String {
    let mut out = Vec::new();
    text(&mut out, b"\",\"listener\":\"", name);
    // Made of text by copying and escaping, so it is text.
    String::from_utf8(out).unwrap_or_default()
}

/// What follows in the lines of requests that reach no operation.
pub(crate) const UNROUTED: &str = "\",\"api\":\"\",\"operation\":\"\"";

/// The members of a line that are known of an operation at start, from the end of the listener on.
pub fn constants(api: &str, operation: &str, upstream: &str) -> String {
    let mut out = Vec::new();
    text(&mut out, b"\",\"api\":\"", api);
    text(&mut out, b"\",\"operation\":\"", operation);
    if !upstream.is_empty() {
        text(&mut out, b"\",\"upstream\":\"", upstream);
    }
    out.push(b'"');
    // Made of text by copying and escaping, so it is text.
    String::from_utf8(out).unwrap_or_default()
}

impl Line<'_> {
    fn write(&self, out: &mut Vec<u8>, clock: &mut SecondClock) {
        out.extend_from_slice(b"{\"time\":\"");
        clock.write_time(out, self.at_micros);
        out.extend_from_slice(self.listener.as_bytes());
        out.extend_from_slice(self.constants.as_bytes());
        out.extend_from_slice(b",\"client\":\"");
        out.extend_from_slice(self.client.as_bytes());
        out.extend_from_slice(b"\",\"peer\":\"");
        out.extend_from_slice(self.peer.as_bytes());
        text(out, b"\",\"method\":\"", self.method);
        text(out, b"\",\"path\":\"", self.path);
        out.extend_from_slice(b"\",\"requestId\":\"");
        out.extend_from_slice(self.request_id.as_bytes());
        out.extend_from_slice(b"\",\"traceId\":\"");
        out.extend_from_slice(self.trace.trace_id());
        out.extend_from_slice(b"\",\"spanId\":\"");
        out.extend_from_slice(self.trace.span_id());
        number(out, b"\",\"status\":", u64::from(self.status));
        number(out, b",\"durationMicros\":", micros(self.took));
        if let Some(took) = self.upstream_took {
            number(out, b",\"upstreamMicros\":", micros(took));
        }
        if let Some((endpoint, attempts)) = self.endpoint {
            quoted(out, b",\"endpoint\":\"", endpoint);
            number(out, b",\"attempts\":", u64::from(attempts));
        }
        number(out, b",\"requestBytes\":", self.request_bytes);
        number(out, b",\"responseBytes\":", self.response_bytes);
        if let Some(caller) = self.caller {
            quoted(out, b",\"caller\":\"", caller);
        }
        if !self.because.is_empty() {
            quoted(out, b",\"because\":\"", self.because);
        }
        if !self.observed.is_empty() {
            quoted(out, b",\"observed\":\"", self.observed);
        }
        if !self.cache.is_empty() {
            quoted(out, b",\"cache\":\"", self.cache);
        }
        if let Some(reject) = self.reject {
            quoted(out, b",\"reject\":\"", reject.reason());
            if let Some(detail) = reject.detail() {
                quoted(out, b",\"detail\":\"", &detail);
            }
            quoted(out, b",\"side\":\"", reject.side().word());
        }
        if let Some(status) = self.grpc_status {
            number(out, b",\"grpcStatus\":", u64::from(status));
        }
        if !self.tunnel_end.is_empty() {
            quoted(out, b",\"upgraded\":true,\"ended\":\"", self.tunnel_end);
        }
        out.extend_from_slice(b"}\n");
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `opening` and a number.
fn number(out: &mut Vec<u8>, opening: &[u8], value: u64) {
    out.extend_from_slice(opening);
    write_number(out, value);
}

/// `opening`, text, and the closing quotation mark.
fn quoted(out: &mut Vec<u8>, opening: &[u8], value: &str) {
    text(out, opening, value);
    out.push(b'"');
}

/// `opening` and text, escaped for JSON.
fn text(out: &mut Vec<u8>, opening: &[u8], value: &str) {
    out.extend_from_slice(opening);
    let is_plain = |byte: u8| !matches!(byte, b'"' | b'\\' | 0x7f | 0..b' ');
    if value.bytes().all(is_plain) {
        return out.extend_from_slice(value.as_bytes());
    }
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ if is_plain(byte) => out.push(byte),
            _ => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
}

/// Remembers the text of the current second: a busy worker writes it thousands of times.
#[derive(Default)]
struct SecondClock {
    second: u64,
    text: Vec<u8>,
}

impl SecondClock {
    fn write_time(&mut self, out: &mut Vec<u8>, at_micros: u64) {
        let second = at_micros / 1_000_000;
        if self.text.is_empty() || self.second != second {
            self.second = second;
            self.text.clear();
            write_second(&mut self.text, second);
        }
        out.extend_from_slice(&self.text);
        out.push(b'.');
        padded(out, at_micros % 1_000_000, 6);
        out.push(b'Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_795_305_599_999_999, "2026-11-21T23:59:59.999999Z"),
            (4_102_444_800_000_000, "2100-01-01T00:00:00.000000Z"),
        ] {
            let mut out = Vec::new();
            SecondClock::default().write_time(&mut out, micros);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn lines_are_json_for_every_request() {
        let (listener, constants) = (constants_of_listener("web"), constants("a", "odd \"name\"", ""));
        let line = Line {
            at_micros: 0,
            listener: &listener,
            constants: &constants,
            client: "127.0.0.1",
            peer: "127.0.0.1",
            method: "GET",
            path: "/\"\\\u{1}é",
            request_id: "1",
            trace: &TraceContext::new(|| 7),
            status: 404,
            took: Duration::from_micros(5),
            upstream_took: None,
            endpoint: Some(("10.0.0.1:8080", 1)),
            request_bytes: 0,
            response_bytes: 3,
            caller: Some("ann"),
            because: "",
            observed: "",
            cache: "hit",
            reject: Some(&Reject::BadRequest("x")),
            grpc_status: Some(13),
            tunnel_end: "idle",
        };
        let mut out = Vec::new();
        line.write(&mut out, &mut SecondClock::default());
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(value["path"], "/\"\\\u{1}é");
        assert_eq!((value["listener"].as_str(), value["operation"].as_str()), (Some("web"), Some("odd \"name\"")));
        assert_eq!(value["reject"], "bad-request");
        assert_eq!(value["side"], "downstream");
        assert_eq!(
            (&value["grpcStatus"], &value["upgraded"], &value["ended"]),
            (&13.into(), &true.into(), &"idle".into())
        );
    }

    #[test]
    fn requests_that_reach_no_operation_have_its_members_without_text() {
        assert_eq!(UNROUTED, constants("", "", ""));
    }
}
