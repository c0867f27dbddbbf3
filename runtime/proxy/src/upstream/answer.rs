//! Sends a request of the gateway's own and reads its answer, as far as the connection needs it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use gateway_wire::http1::body::{BodyLength, Framing};
use gateway_wire::http1::chunked::{Decoder, Step};
use gateway_wire::http1::head::{field_space, parse_response};
use gateway_wire::http1::names::FieldTable;

/// Enough for most answers to come in one piece.
const USUAL_ANSWER: usize = 1 << 10;

/// A longer head is no answer.
const MOST_HEAD: usize = 64 << 10;

/// More informational answers than this are no answer.
const MOST_INTERIM: u32 = 32;

/// An answer whose head is there.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The connection may carry another request, once the body has ended.
    pub(crate) persists: bool,
    length: BodyLength,
    /// What has come of the body.
    received: Vec<u8>,
}

/// Sends a request and waits for the head of the answer, which has no more than `most_fields` fields; its time is for the
/// caller to bound.
///
/// # Errors
/// The connection breaks, or what comes is no answer.
pub(crate) async fn ask(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &[u8],
    body: &[u8],
    fields: &FieldTable,
    most_fields: usize,
    to_head: bool,
) -> io::Result<Answer> {
    io.write_all(head).await?;
    io.write_all(body).await?;
    io.flush().await?;
    let mut received = Vec::with_capacity(USUAL_ANSWER);
    let mut interim = 0;
    loop {
        match final_head(&mut received, &mut interim, fields, most_fields, to_head)? {
            Some(Head { status, persists, length }) => {
                let persists = persists && length != BodyLength::UntilClose;
                return Ok(Answer { status, persists, length, received });
            }
            None if received.len() > MOST_HEAD => return Err(unreadable("its head is too long")),
            None => {}
        }
        if io.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn unreadable(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an answer that cannot be read: {why}"))
}

impl Answer {
    /// Reads on to the end of the body, unless it is longer than `most`; true if the connection may carry another request.
    pub(crate) async fn finish(self, io: &mut (impl AsyncRead + Unpin), most: u64) -> bool {
        // What breaks off behind the head has been answered all the same.
        discard(io, self.received, self.length, most).await.unwrap_or_default() && self.persists
    }
}

struct Head {
    status: u16,
    persists: bool,
    length: BodyLength,
}

/// Takes the head of the final answer off what was received, once it is there.
fn final_head(
    received: &mut Vec<u8>,
    interim: &mut u32,
    table: &FieldTable,
    most_fields: usize,
    to_head: bool,
) -> io::Result<Option<Head>> {
    loop {
        let (mut few, mut more) = (field_space(), Vec::new());
        let parsed = parse_response(received, &mut few, &mut more, most_fields);
        let Some((end, head)) = parsed.map_err(unreadable)? else { return Ok(None) };
        let found = if matches!(head.status, 100 | 102..200) {
            None
        } else {
            let framing = Framing::of(head.fields, table).map_err(|_| unreadable("the end of its body is unknown"))?;
            let (status, persists) = (head.status, head.persists());
            Some(Head { status, persists, length: framing.of_response(status, to_head) })
        };
        received.drain(..end);
        *interim += 1;
        if found.is_some() || *interim > MOST_INTERIM {
            return found.map(Some).ok_or_else(|| unreadable("it has too many informational heads"));
        }
    }
}

/// Reads a body to its end; false for one whose end is not that of the connection's use, or is too far away.
async fn discard(
    io: &mut (impl AsyncRead + Unpin),
    mut received: Vec<u8>,
    length: BodyLength,
    most: u64,
) -> io::Result<bool> {
    let (mut total, mut decoder) = (0, Decoder::default());
    loop {
        total += received.len() as u64;
        match length {
            BodyLength::None => return Ok(received.is_empty()),
            BodyLength::Exactly(length) if total >= length => return Ok(total == length),
            BodyLength::Exactly(length) if length > most => return Ok(false),
            BodyLength::Exactly(_) | BodyLength::UntilClose => {}
            BodyLength::Chunked => {
                let mut rest = &received[..];
                while !rest.is_empty() {
                    match decoder.step(rest) {
                        Err(_) => return Ok(false),
                        Ok(Step::NeedMore) => break,
                        Ok(Step::Framing(count) | Step::Data(count)) => rest = &rest[count..],
                        Ok(Step::End(count)) => return Ok(count == rest.len()),
                    }
                }
            }
        }
        if total > most {
            return Ok(false);
        }
        received.clear();
        if io.read_buf(&mut received).await? == 0 {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut received: &[u8]) -> Option<(u16, bool, bool)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (mut head, mut interim) = (Vec::new(), 0);
        let table = FieldTable::for_responses();
        // One byte after the other: an answer comes in any pieces.
        while let Some((first, rest)) = received.split_first() {
            head.push(*first);
            received = rest;
            if let Some(Head { status, persists, length }) =
                final_head(&mut head, &mut interim, &table, 100, false).expect("an answer")
            {
                let is_whole = runtime.block_on(discard(&mut received, head, length, 1 << 10)).expect("no errors");
                return Some((status, persists, is_whole));
            }
        }
        None
    }

    #[test]
    fn answers_are_read_to_their_end() {
        for (text, expected) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", Some((204, true, true))),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", Some((200, true, true))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", Some((200, true, false))),
            ("HTTP/1.1 500 x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab", Some((500, false, false))),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", Some((200, true, true))),
            ("HTTP/1.1 200 OK\r\n\r\nuntil the end", Some((200, true, false))),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", Some((200, false, true))),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
        ] {
            assert_eq!(read(text.as_bytes()), expected, "{text}");
        }
    }
}
