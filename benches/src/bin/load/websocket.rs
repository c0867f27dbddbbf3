//! A WebSocket whose messages are echoed, as a client has it (RFC 6455).

/// What the request for one has more (section 4.1). The key is always the same: that it is random keeps caches out, which
/// is not what is measured.
pub(super) const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// FIN, and the opcode of text (section 5.2).
const TEXT: u8 = 0x81;
/// The second byte has this where the payload is masked.
const MASKED: u8 = 0x80;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A message of text in one frame.
pub(super) struct Message {
    /// What is sent.
    pub(super) frame: Vec<u8>,
    /// What comes back.
    pub(super) echo: Vec<u8>,
}

impl Message {
    pub(super) fn of(length: u16) -> Self {
        let text = (b'a'..=b'z').cycle().take(length.into());
        let masked = text.clone().zip(MASK.into_iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let head = |flag| match u8::try_from(length) {
            Ok(length @ ..126) => vec![TEXT, flag | length],
            _ => [&[TEXT, flag | 126][..], &length.to_be_bytes()].concat(),
        };
        let frame = head(MASKED).into_iter().chain(MASK).chain(masked).collect();
        Self { frame, echo: head(0).into_iter().chain(text).collect() }
    }
}
