//! A WebSocket that echoes, as a server has it (RFC 6455).

use std::io::{self, ErrorKind};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What the key of a client is hashed with (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The longest payload of a frame.
const MAX_PAYLOAD: usize = 64 << 10;

/// FIN and reserved bits of the first byte of a frame; the rest is the opcode.
const FLAGS: u8 = 0xf0;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// The answer to the handshake of a client with this key (section 4.2.2).
pub(super) fn switch(key: &[u8]) -> Vec<u8> {
    let accept = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat()));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

/// Takes all whole frames out of `input`; gives what is to be sent for them: the same, a pong for a ping, and nothing for
/// a pong.
///
/// # Errors
/// A frame that is not masked (section 5.1), or longer than 64 KiB.
pub(super) fn echo(input: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let (mut output, mut taken) = (Vec::new(), 0);
    while let Some(frame) = Frame::first_of(&input[taken..])? {
        let payload = &mut input[taken + frame.head..][..frame.payload];
        let (fours, rest) = payload.as_chunks_mut();
        for bytes in fours {
            *bytes = (u32::from_ne_bytes(*bytes) ^ u32::from_ne_bytes(frame.mask)).to_ne_bytes();
        }
        rest.iter_mut().zip(frame.mask).for_each(|(byte, mask)| *byte ^= mask);
        taken += frame.head + frame.payload;
        let first = match frame.first & !FLAGS {
            PONG => continue,
            PING => frame.first & FLAGS | PONG,
            _ => frame.first,
        };
        output.push(first);
        match (u8::try_from(frame.payload), u16::try_from(frame.payload)) {
            (Ok(length @ ..126), _) => output.push(length),
            (_, Ok(length)) => {
                output.push(126);
                output.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                output.push(127);
                output.extend_from_slice(&(frame.payload as u64).to_be_bytes());
            }
        }
        output.extend_from_slice(payload);
    }
    input.drain(..taken);
    Ok(output)
}

/// Where the parts of a client's frame are (section 5.2).
struct Frame {
    first: u8,
    mask: [u8; 4],
    /// Length of what comes before the payload.
    head: usize,
    payload: usize,
}

impl Frame {
    /// Nothing as long as the frame is not whole.
    fn first_of(bytes: &[u8]) -> io::Result<Option<Self>> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(ErrorKind::InvalidData.into());
        }
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let head = 2 + extended + 4;
        if bytes.len() < head {
            return Ok(None);
        }
        let length = bytes[2..2 + extended].iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
        let length = if extended == 0 { u64::from(second & 0x7f) } else { length };
        let payload = usize::try_from(length).ok().filter(|length| *length <= MAX_PAYLOAD);
        let payload = payload.ok_or(ErrorKind::InvalidData)?;
        let mut mask = [0; 4];
        mask.copy_from_slice(&bytes[head - 4..head]);
        Ok((bytes.len() >= head + payload).then_some(Self { first, mask, head, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::{echo, switch};

    /// The example of section 1.3.
    #[test]
    fn keys_are_answered() {
        let answer = String::from_utf8(switch(b"dGhlIHNhbXBsZSBub25jZQ==")).expect("text");
        assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    }

    /// The examples of section 5.7.
    #[test]
    fn frames_are_echoed() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let mut ping = hello;
        ping[0] = 0x89;
        let mut input = [&hello[..], &ping, &hello[..10]].concat();
        let expected = [&[0x81, 5][..], b"Hello", &[0x8a, 5], b"Hello"].concat();
        assert_eq!(echo(&mut input).ok(), Some(expected));
        assert_eq!(input, hello[..10]);
        assert!(echo(&mut vec![0x81, 5, b'H', b'e', b'l', b'l', b'o']).is_err(), "not masked");
        assert!(echo(&mut vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4]).is_err(), "longer than 64 KiB");

        let mut input = [&[0x82, 0xfe, 1, 0, 0, 0, 0, 0][..], &[7; 256]].concat();
        let expected = [&[0x82, 126, 1, 0][..], &[7; 256]].concat();
        assert_eq!(echo(&mut input).ok(), Some(expected));
    }
}
