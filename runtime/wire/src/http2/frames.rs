//! The frames that a client sends, as far as the library lets things pass that must not.
//!
//! * PING and SETTINGS have to be answered although they ask for nothing (RFC 9113 §6.5, §6.7). A client that
//!   sends many of them makes the gateway work for nothing (CVE-2019-9512, CVE-2019-9515).
//! * Trailers with pseudo-header fields make a request malformed (§8.1); the library drops such fields.

use tokio::time::Instant;

use crate::http2::hpack::Names;

/// At once, and per second: libraries measure the way to the server with PING.
const MAX_ASKED: f64 = 1_000.0;
const ASKED_PER_SECOND: f64 = 100.0;

/// A longer block of fields ends the connection; the library takes less of what is in it.
const MAX_BLOCK: usize = 2 << 20;

const PREFACE_LENGTH: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEADER_LENGTH: usize = 9;

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// What frames turn out to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Frames that have to be answered.
    asked: u32,
    /// Streams whose trailers have pseudo-header fields.
    pub malformed: Vec<u32>,
    /// The connection is not worth going on with.
    pub is_too_much: bool,
}

/// Looks at the frames that go by.
pub struct Frames {
    /// Bytes up to the next head.
    skip: usize,
    header: [u8; HEADER_LENGTH],
    /// Bytes of `header` that are there.
    have: usize,
    /// What is skipped is a part of a block of fields.
    in_block: bool,
    /// The block of fields that has begun; at first with its padding and priority.
    block: Vec<u8>,
    /// Where the block of the current frame began in `block`.
    frame_start: usize,
    /// The stream that was opened last.
    last_stream: u32,
    names: Names,
    left: f64,
    since: Instant,
}

impl Frames {
    /// For a connection of which nothing was received, not even the preface (RFC 9113 §3.4).
    pub fn new(now: Instant) -> Self {
        Self {
            skip: PREFACE_LENGTH,
            header: [0; HEADER_LENGTH],
            have: 0,
            in_block: false,
            block: Vec::new(),
            frame_start: 0,
            last_stream: 0,
            names: Names::new(),
            left: MAX_ASKED,
            since: now,
        }
    }

    /// Takes what has been received.
    pub fn see(&mut self, bytes: &[u8], now: impl Fn() -> Instant) -> Seen {
        let mut seen = self.walk(bytes);
        if seen.asked > 0 {
            let now = now();
            let regained = now.saturating_duration_since(self.since).as_secs_f64() * ASKED_PER_SECOND;
            self.since = now;
            self.left = (self.left + regained).min(MAX_ASKED) - f64::from(seen.asked);
            seen.is_too_much |= self.left < 0.0;
        }
        seen
    }

    fn walk(&mut self, mut bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        loop {
            let skipped = self.skip.min(bytes.len());
            if self.in_block && !seen.is_too_much {
                self.block.extend_from_slice(&bytes[..skipped]);
                seen.is_too_much |= self.block.len() > MAX_BLOCK;
            }
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if self.skip == 0 && std::mem::take(&mut self.in_block) {
                self.end_frame(&mut seen);
            }
            if bytes.is_empty() {
                return seen;
            }
            let taken = (HEADER_LENGTH - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER_LENGTH {
                self.begin_frame(&mut seen);
            }
        }
    }

    fn begin_frame(&mut self, seen: &mut Seen) {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.skip = u32::from_be_bytes([0, high, middle, low]) as usize;
        self.have = 0;
        match kind {
            SETTINGS | PING if flags & ACK == 0 => seen.asked += 1,
            HEADERS | CONTINUATION => {
                self.in_block = true;
                self.frame_start = self.block.len();
                if self.skip == 0 {
                    self.in_block = false;
                    self.end_frame(seen);
                }
            }
            _ => {}
        }
    }

    /// A frame with fields is whole.
    fn end_frame(&mut self, seen: &mut Seen) {
        let [_, _, _, kind, flags, stream @ ..] = self.header;
        if kind == HEADERS {
            let flag = |flag: u8| usize::from(flags & flag != 0);
            let padding = flag(PADDED) * usize::from(self.block.get(self.frame_start).copied().unwrap_or_default());
            let end = self.block.len().saturating_sub(padding).max(self.frame_start);
            let start = (self.frame_start + flag(PADDED) + flag(PRIORITY) * 5).min(end);
            self.block.truncate(end);
            self.block.drain(self.frame_start..start);
        }
        if flags & END_HEADERS == 0 {
            return;
        }
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        let is_trailers = stream <= self.last_stream;
        self.last_stream = self.last_stream.max(stream);
        match self.names.read(&self.block) {
            Ok(true) if is_trailers => seen.malformed.push(stream),
            Ok(_) => {}
            // What the table has by now is unknown.
            Err(_) => seen.is_too_much = true,
        }
        self.block.clear();
        self.block.shrink_to(4 << 10);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("short");
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    }

    fn begun() -> Frames {
        let mut frames = Frames::new(Instant::now());
        frames.walk(&[0; PREFACE_LENGTH]);
        frames
    }

    /// In pieces of each size.
    fn walked(bytes: &[u8]) -> Seen {
        let mut all = Vec::new();
        for size in 1..=bytes.len() {
            let mut frames = begun();
            let mut seen = Seen::default();
            for piece in bytes.chunks(size) {
                let Seen { asked, malformed, is_too_much } = frames.walk(piece);
                seen.asked += asked;
                seen.malformed.extend(malformed);
                seen.is_too_much |= is_too_much;
            }
            all.push(seen);
        }
        let first = all.pop().expect("at least one");
        assert!(all.iter().all(|other| *other == first));
        first
    }

    #[test]
    fn frames_that_must_be_answered_are_counted() {
        let bytes = [
            frame(SETTINGS, 0, 0, &[0; 6]),
            frame(SETTINGS, ACK, 0, &[]),
            frame(0, 1, 1, &[6; 200]),
            frame(PING, 0, 0, &[0; 8]),
            frame(PING, ACK, 0, &[0; 8]),
            frame(PING, 0, 0, &[0; 8]),
        ];
        assert_eq!(walked(&bytes.concat()), Seen { asked: 3, ..Seen::default() });
    }

    #[test]
    fn pseudo_header_fields_are_found_in_trailers_only() {
        let request = [0x82, 0x86, 0x84, 0x41, 1, b'a'];
        let malformed =
            |trailers: Vec<u8>| walked(&[frame(HEADERS, END_HEADERS, 1, &request), trailers].concat()).malformed;
        assert_eq!(malformed(frame(HEADERS, END_HEADERS | 1, 1, &[0x00, 1, b'x', 1, b'y'])), [0_u32; 0]);
        assert_eq!(malformed(frame(HEADERS, END_HEADERS | 1, 1, &[])), [0_u32; 0]);
        assert_eq!(malformed(frame(HEADERS, END_HEADERS | 1, 1, &[0x82])), [1]);
        // The authority of the request, from the table.
        assert_eq!(malformed(frame(HEADERS, END_HEADERS | 1, 1, &[0xbe])), [1]);
        // Padding and priority are around the block.
        let around = [2, 0, 0, 0, 0, 9, 0x84, 0x82, 0x82];
        assert_eq!(malformed(frame(HEADERS, END_HEADERS | PADDED | PRIORITY | 1, 1, &around)), [1]);
        let around = [2, 0, 0, 0, 0, 9, 0x00, 1, b'x', 1, b'y', 0x82, 0x82];
        assert_eq!(malformed(frame(HEADERS, END_HEADERS | PADDED | PRIORITY | 1, 1, &around)), [0_u32; 0]);
        // In several frames.
        let split = [frame(HEADERS, 1, 1, &[0x00, 1]), frame(CONTINUATION, END_HEADERS, 1, &[b'x', 1, b'y', 0x84])];
        assert_eq!(malformed(split.concat()), [1]);
        // Another request.
        assert_eq!(malformed(frame(HEADERS, END_HEADERS | 1, 3, &request)), [0_u32; 0]);
        assert!(walked(&frame(HEADERS, END_HEADERS, 1, &[0xff])).is_too_much);
    }

    #[test]
    fn patience_ends_and_comes_back() {
        let mut frames = begun();
        let (start, ping) = (frames.since, frame(PING, 0, 0, &[0; 8]));
        let at = |milliseconds| move || start + Duration::from_millis(milliseconds);
        assert_eq!((0..2_000).take_while(|_| !frames.see(&ping, at(0)).is_too_much).count(), MAX_ASKED as usize);
        let mut frames = begun();
        let start = frames.since;
        let at = |milliseconds| move || start + Duration::from_millis(milliseconds);
        // One each ten milliseconds is borne for ever.
        assert!((0..10_000).all(|turn| !frames.see(&ping, at(turn * 10)).is_too_much));
    }
}
