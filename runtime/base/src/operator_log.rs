//! The operators' log: messages on standard error, each with time, level and subject, written by a thread of its own.
//!
//! Standard error may be a pipe that is closed, full or slow, or a file on a full disk. None of this stops what the gateway
//! does: lines that cannot be written are lost, and counted.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde_json::Value;

use crate::timestamp;

/// Bytes of lines that may wait for a slow reader; further lines are lost.
const MAX_WAITING: usize = 256 << 10;

/// How long the end of the process waits for lines to be written.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How much a message matters to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something that the deployment asks for does not work.
    Error,
    /// Something works worse than it should, or is about to fail.
    Warn,
    /// Something has changed.
    Info,
}

impl Level {
    /// As messages have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As text on a terminal, as JSON elsewhere.
    #[default]
    Auto,
    /// `2026-11-29T12:00:00Z warn store default: …`.
    Text,
    /// `{"time":"…","level":"warn","subject":"store default","message":"…"}`.
    Json,
}

/// Logs what the deployment asks for and does not work: `error!(subject, "message {}", value)`. It never waits and never
/// panics.
#[macro_export]
macro_rules! error {
    ($subject:expr, $($message:tt)+) => {
        $crate::operator_log::log($crate::operator_log::Level::Error, &$subject, format_args!($($message)+))
    };
}

/// As [`error!`], for what works worse than it should.
#[macro_export]
macro_rules! warn {
    ($subject:expr, $($message:tt)+) => {
        $crate::operator_log::log($crate::operator_log::Level::Warn, &$subject, format_args!($($message)+))
    };
}

/// As [`error!`], for what has changed.
#[macro_export]
macro_rules! info {
    ($subject:expr, $($message:tt)+) => {
        $crate::operator_log::log($crate::operator_log::Level::Info, &$subject, format_args!($($message)+))
    };
}

static FORMAT: AtomicU8 = AtomicU8::new(Format::Auto as u8);

static LOG: OperatorLog = OperatorLog {
    queue: Mutex::new(Queue { lines: VecDeque::new(), bytes: 0, unreported: 0, has_writer: false, is_writing: false }),
    changed: Condvar::new(),
    lost: AtomicU64::new(0),
};

struct OperatorLog {
    queue: Mutex<Queue>,
    changed: Condvar,
    lost: AtomicU64,
}

struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    /// Lost lines that no line has reported.
    unreported: u64,
    has_writer: bool,
    /// A line has left the queue and is not written yet.
    is_writing: bool,
}

/// Chooses how the messages from now on are written.
pub fn set_format(format: Format) {
    FORMAT.store(format as u8, Relaxed);
}

/// Whether messages are JSON now.
fn is_json() -> bool {
    const TEXT: u8 = Format::Text as u8;
    const JSON: u8 = Format::Json as u8;
    match FORMAT.load(Relaxed) {
        TEXT => false,
        JSON => true,
        _ => !rustix::termios::isatty(io::stderr()),
    }
}

/// Logs a message about `subject`: a store, a listener, a task.
pub fn log(level: Level, subject: &dyn fmt::Display, message: fmt::Arguments<'_>) {
    LOG.add(line(timestamp::now(), level, subject, message, is_json()));
}

fn line(now: u64, level: Level, subject: &dyn fmt::Display, message: fmt::Arguments<'_>, is_json: bool) -> String {
    let (time, level) = (timestamp::format(now), level.word());
    let (subject, message) = (subject.to_string(), message.to_string());
    if !is_json {
        return format!("{time} {level} {}: {}\n", visible(&subject), visible(&message));
    }
    let (subject, message) = (json(subject), json(message));
    format!("{{\"time\":\"{time}\",\"level\":\"{level}\",\"subject\":{subject},\"message\":{message}}}\n")
}

/// A text on one line: what could end it or move a cursor is escaped.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(|char| if is_invisible(char) { char.escape_default().to_string() } else { char.to_string() })
        .collect()
}

/// Whether a character ends a line, moves a cursor, or changes the direction of what follows.
fn is_invisible(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text as JSON, with what [`is_invisible`] escaped.
fn json(text: String) -> String {
    let json = Value::from(text).to_string();
    if !json.contains(is_invisible) {
        return json;
    }
    json.chars()
        .map(|char| if is_invisible(char) { format!("\\u{:04x}", u32::from(char)) } else { char.to_string() })
        .collect()
}

/// Writes the answer of a command: plain text, after the name of the program.
pub fn say(line: fmt::Arguments<'_>) {
    LOG.add(format!("gateway: {}\n", visible(&line.to_string())));
}

/// As [`say`], with a message in place.
#[macro_export]
macro_rules! say {
    ($($line:tt)+) => {
        $crate::operator_log::say(format_args!($($line)+))
    };
}

/// Writes text for the person who started the program, without a prefix.
pub fn show(text: &str) {
    LOG.add(format!("{text}\n"));
}

/// Lines that could not be written so far.
pub fn lost() -> u64 {
    LOG.lost.load(Relaxed)
}

/// Waits until all lines are written, but not for longer than `patience`.
pub fn flush(patience: Duration) {
    let until = Instant::now() + patience;
    let mut queue = LOG.lock();
    while queue.is_writing || !queue.lines.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        queue = LOG.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Logs panics like everything else: the usual hook would wait for a reader of standard error.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
        let what = info.payload_as_str().unwrap_or("no message");
        error!("gateway", "a thread panicked{place}: {what}; please report this");
    }));
}

impl OperatorLog {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&'static self, line: String) {
        let mut queue = self.lock();
        if !queue.has_writer {
            let writer = std::thread::Builder::new().name("operator-log".to_owned()).stack_size(64 << 10);
            queue.has_writer = writer.spawn(|| self.write()).is_ok();
        }
        if queue.bytes + line.len() > MAX_WAITING {
            queue.unreported += 1;
            self.lost.fetch_add(1, Relaxed);
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        self.changed.notify_all();
    }

    /// Writes lines for as long as the process lives.
    fn write(&self) {
        let mut is_torn = false;
        loop {
            let mut queue = self.lock();
            let line = loop {
                queue.is_writing = false;
                if let Some(line) = queue.lines.pop_front() {
                    break line;
                }
                self.changed.notify_all();
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            queue.is_writing = true;
            queue.bytes -= line.len();
            let unreported = std::mem::take(&mut queue.unreported);
            drop(queue);
            let text = match unreported {
                0 => line,
                _ => line + &lost_lines(unreported),
            };
            let Err(Torn { written, .. }) = write_lines(io::stderr(), text.as_bytes(), &mut is_torn) else { continue };
            let lines = text.as_bytes()[written..].iter().filter(|byte| **byte == b'\n').count() as u64;
            self.lost.fetch_add(lines, Relaxed);
            self.lock().unreported += unreported + lines;
        }
    }
}

/// Says that messages are missing.
fn lost_lines(count: u64) -> String {
    let message = format_args!("{count} lines could not be written in time and are lost");
    line(timestamp::now(), Level::Warn, &"operator log", message, is_json())
}

/// A text that was not written to its end.
#[derive(Debug)]
pub struct Torn {
    /// Bytes that were.
    pub written: usize,
    pub(crate) error: io::Error,
}

/// Writes whole lines, and waits for a reader where need be: for threads that do nothing else. `is_torn` is kept for the
/// same output: a line that was begun and given up is ended before the next one.
pub fn write_lines(to: impl AsFd, lines: &[u8], is_torn: &mut bool) -> Result<(), Torn> {
    if *is_torn {
        write_all(&to, b"\n").map_err(|Torn { error, .. }| Torn { written: 0, error })?;
        *is_torn = false;
    }
    write_all(&to, lines).inspect_err(|torn| *is_torn = torn.written > 0 && lines[torn.written - 1] != b'\n')
}

fn write_all(to: &impl AsFd, mut bytes: &[u8]) -> Result<(), Torn> {
    let length = bytes.len();
    while !bytes.is_empty() {
        let error = match rustix::io::write(to, bytes) {
            Ok(0) => Errno::IO,
            Ok(count) => {
                bytes = &bytes[count..];
                continue;
            }
            Err(Errno::INTR) => continue,
            // Another process has made the shared descriptor non-blocking.
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(to, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => continue,
                Err(error) => error,
            },
            Err(error) => error,
        };
        return Err(Torn { written: length - bytes.len(), error: error.into() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn a_message_is_text_or_json() {
        let message =
            |is_json| line(1_764_417_600, Level::Warn, &"store default", format_args!("no \"{}\"", "a\nb"), is_json);
        assert_eq!(message(false), "2025-11-29T12:00:00Z warn store default: no \"a\\nb\"\n");
        let json = message(true);
        let value: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["message"], "no \"a\nb\"");
        assert_eq!(
            json,
            "{\"time\":\"2025-11-29T12:00:00Z\",\"level\":\"warn\",\"subject\":\"store default\",\
             \"message\":\"no \\\"a\\nb\\\"\"}\n"
        );
    }

    #[test]
    fn no_value_ends_a_line_or_moves_a_cursor() {
        let hostile = "a\nb\r\u{1b}[31m\u{9b}31m\u{2028}\u{202e}\u{7f}ä";
        for is_json in [false, true] {
            let line = line(0, Level::Info, &hostile, format_args!("{hostile}"), is_json);
            let line = line.strip_suffix('\n').expect("a line");
            assert!(!line.contains(is_invisible) && line.contains('ä'), "{line:?}");
            if is_json {
                let value: Value = serde_json::from_str(line).expect("JSON");
                assert_eq!((value["message"].as_str(), value["subject"].as_str()), (Some(hostile), Some(hostile)));
            }
        }
    }

    #[test]
    fn a_line_is_lost_when_the_reader_is_gone() {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut is_torn = false;
        let torn = write_lines(&writer, b"a\n", &mut is_torn).expect_err("nobody reads");
        assert_eq!((torn.written, torn.error.kind(), is_torn), (0, io::ErrorKind::BrokenPipe, false));
    }

    #[test]
    fn a_line_is_lost_when_the_disk_is_full() {
        let full: OwnedFd = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it").into();
        let torn = write_lines(&full, b"a\n", &mut false).expect_err("no space");
        assert_eq!(torn.error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_pipe_that_is_full_for_a_moment_gets_everything() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&writer, true).expect("non-blocking");
        let text = "0123456789\n".repeat(60_000);
        let expected = text.clone();
        let writing = std::thread::spawn(move || write_lines(&writer, text.as_bytes(), &mut false).is_ok());
        std::thread::sleep(Duration::from_millis(50));
        let mut got = String::new();
        reader.read_to_string(&mut got).expect("text");
        assert!(writing.join().expect("no panic"));
        assert!(got == expected, "{} of {} bytes", got.len(), expected.len());
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let mut is_torn = true;
        write_lines(&writer, b"next\n", &mut is_torn).expect("somebody reads");
        drop(writer);
        let mut got = String::new();
        reader.read_to_string(&mut got).expect("text");
        assert_eq!((got.as_str(), is_torn), ("\nnext\n", false));
    }
}
