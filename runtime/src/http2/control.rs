//! Frames that the gateway has to answer although they ask for nothing: PING and SETTINGS (RFC 9113 §6.5, §6.7). Whoever
//! sends many of them has us work for nothing (CVE-2019-9512, CVE-2019-9515).

use std::time::Duration;

use tokio::time::Instant;

/// So many at once, and so many a second: libraries measure the way to the server with PING.
const MOST: f64 = 1_000.0;
const PER_SECOND: f64 = 100.0;

const PREFACE_LENGTH: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEADER_LENGTH: usize = 9;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

/// Looks at the heads of the frames that go by; what is in them is the library's business.
pub(super) struct ControlFrames {
    /// Bytes up to the next head.
    skip: usize,
    header: [u8; HEADER_LENGTH],
    /// Bytes of `header` that are there.
    have: usize,
    left: f64,
    since: Instant,
}

impl ControlFrames {
    pub(super) fn new(now: Instant) -> Self {
        Self { skip: PREFACE_LENGTH, header: [0; HEADER_LENGTH], have: 0, left: MOST, since: now }
    }

    /// Takes what has been received; says whether that is too much.
    pub(super) fn see(&mut self, bytes: &[u8], now: impl Fn() -> Instant) -> bool {
        let asked = self.count(bytes);
        if asked == 0 {
            return false;
        }
        let now = now();
        let regained = now.saturating_duration_since(self.since).max(Duration::ZERO).as_secs_f64() * PER_SECOND;
        self.since = now;
        self.left = (self.left + regained).min(MOST) - f64::from(asked);
        self.left < 0.0
    }

    /// How many frames begin here that have to be answered.
    fn count(&mut self, mut bytes: &[u8]) -> u32 {
        let mut asked = 0;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return asked;
            }
            let taken = (HEADER_LENGTH - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER_LENGTH {
                let [high, middle, low, kind, flags, ..] = self.header;
                self.skip = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.have = 0;
                asked += u32::from(matches!(kind, SETTINGS | PING) && flags & ACK == 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        [vec![0, 0, length, kind, flags, 0, 0, 0, 0], vec![b'p'; usize::from(length)]].concat()
    }

    #[test]
    fn frames_are_counted_in_pieces_of_any_size() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        for (kind, flags, length) in
            [(SETTINGS, 0, 6), (SETTINGS, ACK, 0), (0, 1, 200), (PING, 0, 8), (PING, ACK, 8), (1, 5, 9), (PING, 0, 8)]
        {
            bytes.extend(frame(kind, flags, length));
        }
        for piece in 1..bytes.len() {
            let mut frames = ControlFrames::new(Instant::now());
            assert_eq!(bytes.chunks(piece).map(|piece| frames.count(piece)).sum::<u32>(), 3, "in pieces of {piece}");
        }
    }

    #[test]
    fn patience_ends_and_comes_back() {
        let start = Instant::now();
        let mut frames = ControlFrames::new(start);
        frames.count(&[0; PREFACE_LENGTH]);
        let ping = frame(PING, 0, 8);
        let at = |milliseconds| move || start + Duration::from_millis(milliseconds);
        assert_eq!((0..2_000).take_while(|_| !frames.see(&ping, at(0))).count(), MOST as usize);
        let mut frames = ControlFrames::new(start);
        frames.count(&[0; PREFACE_LENGTH]);
        // One each ten milliseconds is borne for ever.
        assert!((0..10_000).all(|turn| !frames.see(&ping, at(turn * 10))));
    }
}
