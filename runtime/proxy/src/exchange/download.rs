//! The response's way: from the upstream to the client.

use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::watch::{Begun, Held};
use super::{
    Download, Exchange, Failure, MAX_INTERIM, MAX_RESPONSE_HEAD, NOT_SWITCHED, UpgradeTerms, Upload, write_chunk,
};
use crate::cache::status::CacheStatus;
use crate::compression::PIECE;
use crate::compression::choice::{Plan, Subject};
use crate::compression::head::Values;
use crate::exchange::coded::Coded;
use gateway_wire::downstream::{Outbox, Scratch};
use gateway_wire::http1::body::{BodyLength, Framing};
use gateway_wire::http1::chunked::{self, Step};
use gateway_wire::http1::head::{Field, ResponseHead, field_space, parse_response};
use gateway_wire::http1::names::connection_options;
use gateway_wire::reject::Reject;
use gateway_wire::response;

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<'_, S> {
    pub(crate) fn poll_download(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            if ready!(self.down.outbox.poll_flush(&mut self.down.io, cx)).is_err() {
                return Poll::Ready(Err(Failure::ClientGone));
            }
            self.committed |= self.progress.status != 0;
            if self.coded.is_some() && ready!(self.poll_encode(cx))? {
                continue;
            }
            if matches!(self.download, Download::Finished) {
                return Poll::Ready(Ok(()));
            }
            let mut scratch = Scratch::take();
            let most = if self.coded.is_some() { PIECE } else { usize::MAX };
            let Poll::Ready(received) = scratch.poll_read(&mut self.up.io, cx, most) else {
                if self.coded.is_some() && self.flush_coded()? {
                    continue;
                }
                return Poll::Pending;
            };
            match received {
                Ok([]) => self.on_upstream_end(true, cx)?,
                Err(_) => self.on_upstream_end(false, cx)?,
                Ok(bytes) if matches!(self.download, Download::Head { .. }) => self.receive_head(bytes, cx)?,
                Ok(bytes) if matches!(self.download, Download::Held(_)) => self.receive_held(bytes, false, cx)?,
                Ok(bytes) => self.receive_body(bytes, cx)?,
            }
        }
    }

    fn on_upstream_end(&mut self, orderly: bool, cx: &mut Context<'_>) -> Result<(), Failure> {
        if orderly && matches!(self.download, Download::Held(_)) {
            self.receive_held(&[], true, cx)?;
        }
        match self.download {
            Download::Head { interim: 0 } if self.up.inbox.is_empty() && self.up.reused => Err(Failure::Stale),
            Download::Head { .. } => {
                Err(Failure::Rejected(Reject::UpstreamBroken("closed before the head of the response was whole")))
            }
            // A reset is no end: the body must not look whole. The failed write of a request may have taken the reset.
            Download::UntilClose if orderly && !matches!(self.upload, Upload::Abandoned) => {
                self.end_body(&[])?;
                self.progress.reusable = false;
                Ok(())
            }
            _ => Err(Failure::Aborted(Reject::UpstreamBroken("closed before the body of the response was whole"))),
        }
    }

    /// Takes more of a response that waits for its check; one that passes goes on as if it had come just now.
    fn receive_held(&mut self, bytes: &[u8], ends: bool, cx: &mut Context<'_>) -> Result<(), Failure> {
        let (Download::Held(held), Some(watch)) = (&mut self.download, &mut self.watch) else { return Ok(()) };
        if !held.add(bytes, ends, watch).map_err(Failure::Rejected)? {
            return Ok(());
        }
        self.watch = None;
        if let Download::Held(held) = std::mem::replace(&mut self.download, Download::Head { interim: 0 }) {
            self.parse_heads(&held.into_raw(), cx)?;
        }
        Ok(())
    }

    fn receive_head(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.up.inbox.is_empty() {
            let used = self.parse_heads(bytes, cx)?;
            if matches!(self.download, Download::Head { .. }) {
                self.up.inbox.extend_from_slice(&bytes[used..]);
            }
            return Ok(());
        }
        let mut inbox = std::mem::take(&mut self.up.inbox);
        inbox.extend_from_slice(bytes);
        let used = self.parse_heads(&inbox, cx)?;
        if matches!(self.download, Download::Head { .. }) {
            inbox.drain(..used);
            self.up.inbox = inbox;
        }
        Ok(())
    }

    /// Reads informational responses and the final one, as far as they are whole; says how much that used up.
    fn parse_heads(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<usize, Failure> {
        let broken = |what| Failure::Rejected(Reject::UpstreamBroken(what));
        let mut used = 0;
        while let Download::Head { interim } = &mut self.download {
            let (mut few, mut more) = (field_space(), Vec::new());
            let rest = &bytes[used..];
            let parsed = parse_response(rest, &mut few, &mut more, self.request.most_response_fields);
            let (head_length, head) = match parsed.map_err(broken)? {
                Some((length, head)) if length <= MAX_RESPONSE_HEAD => (length, head),
                None if rest.len() < MAX_RESPONSE_HEAD => break,
                _ => return Err(broken("the head of the response has more than 64 KiB")),
            };
            used += head_length;
            let persists = head.persists();
            let ResponseHead { status, version, reason, fields } = head;
            if has_bare_newline(&rest[..head_length]) {
                return Err(broken("a line of the head of the response ends without CR"));
            }
            if !(100..600).contains(&status) {
                return Err(broken("a status that HTTP does not have"));
            }
            if let (101, Some(upgrade)) = (status, &self.request.upgrade) {
                if let Err(what) = check_switch(version, fields, upgrade) {
                    return Err(broken(what));
                }
                if let Some(on_response) = self.on_response.take() {
                    on_response(status, fields, false);
                }
                self.switch(upgrade, fields, &bytes[used..]);
                return Ok(bytes.len());
            }
            if (100..200).contains(&status) {
                *interim += 1;
                if *interim > MAX_INTERIM || status == 101 {
                    return Err(broken("an informational response that was not asked for"));
                }
                self.relay_interim(status, fields);
                continue;
            }
            if (200..300).contains(&status) && self.request.upgrade.as_ref().is_some_and(|upgrade| upgrade.is_connect) {
                return Err(broken(NOT_SWITCHED));
            }
            // One that is held for its check is read twice.
            if let Some(on_response) = self.on_response.take()
                && on_response(status, fields, self.progress.is_repeatable())
            {
                return Err(Failure::GivenUp);
            }
            let framing = Framing::of(fields, self.response.fields).map_err(|bad| broken(bad.0))?;
            let length = framing.of_response(status, self.response.to_head);
            self.progress.reusable = length != BodyLength::UntilClose && persists;
            if let Some(tap) = &mut self.tap
                && tap.stops(status, fields, self.response.fields)
            {
                let is_all = length == BodyLength::None && used == bytes.len();
                self.progress.reusable &= is_all && matches!(self.upload, Upload::Done);
                return Err(Failure::Stopped);
            }
            if let Some(watch) = &mut self.watch
                && let Begun::Held =
                    watch.begin(status, fields, length, self.response.to_head).map_err(Failure::Rejected)?
            {
                let start = used - head_length;
                self.download = Download::Held(Box::new(Held::new(&bytes[start..used], head_length, length)));
                self.receive_held(&bytes[used..], false, cx)?;
                return Ok(bytes.len());
            }
            self.begin_response(status, reason, fields, framing, length);
            let rest = &bytes[used..];
            used = bytes.len();
            if !rest.is_empty() || matches!(self.download, Download::Finished) {
                self.receive_body(rest, cx)?;
            }
        }
        Ok(used)
    }

    /// Tells the client that the connection speaks another protocol; `begun` are its first bytes.
    fn switch(&mut self, upgrade: &UpgradeTerms, fields: &[Field<'_>], begun: &[u8]) {
        let response = self.response;
        self.down.outbox.head(|head| response::write_switching(head, upgrade.protocol, fields, response));
        self.down.outbox.buffer().extend_from_slice(begun);
        self.progress.response_bytes = begun.len() as u64;
        self.progress.status = if upgrade.is_connect { 200 } else { 101 };
        self.progress.head_at = Some(Instant::now());
        self.progress.upgraded = true;
        self.progress.keep_alive = false;
        self.progress.reusable = false;
        self.watch = None;
        self.download = Download::Finished;
    }

    fn relay_interim(&mut self, status: u16, fields: &[Field<'_>]) {
        if status == 100 {
            if matches!(self.upload, Upload::Held) {
                self.grant_continue();
            }
        } else if self.response.client_is_http11 {
            self.down.outbox.head(|head| response::write_interim(head, status, fields, self.response));
        }
    }

    pub(crate) fn grant_continue(&mut self) {
        self.down.outbox.head(response::write_continue);
        self.upload = Upload::of(self.request.body);
    }

    fn begin_response(
        &mut self,
        status: u16,
        reason: &str,
        fields: &[Field<'_>],
        framing: Framing,
        length: BodyLength,
    ) {
        // Where the client is still sending, it is unknown where its next request would begin.
        let open_ended =
            matches!(length, BodyLength::Chunked | BodyLength::UntilClose) && !self.response.client_is_http11;
        let keeps_alive = self.response.client_keeps_alive && !self.response.draining.get();
        let keep_alive = keeps_alive && matches!(self.upload, Upload::Done) && !open_ended;
        let response = self.response;
        let cached = self.tap.as_mut().map(|tap| tap.begin(status, fields, length, response.fields));
        let (beside, others) = cached.map(|status| CacheStatus::beside(fields.iter().copied(), &status)).unzip();
        let with_status = beside.as_ref().zip(others).map(|(beside, mut others)| {
            others.push(beside.field());
            others
        });
        let fields = with_status.as_deref().unwrap_or(fields);
        let (plan, mut values) = (self.plan(status, fields, framing, length), Values::default());
        let described = match plan {
            Plan::Pass => None,
            Plan::Vary => Some(values.describe(fields, None, false)),
            Plan::VaryWeakly | Plan::VaryWithoutLength => Some(values.describe(fields, None, true)),
            Plan::Code(coding) => {
                let known = if let BodyLength::Exactly(length) = length { Some(length) } else { None };
                let encoder = self.offer.and_then(|offer| offer.encoder(coding, known));
                self.coded = encoder.map(|encoder| Box::new(Coded::new(encoder)));
                Some(values.describe(fields, self.coded.is_some().then(|| coding.coding().name()), false))
            }
        };
        let fields = described.as_deref().unwrap_or(fields);
        let (framing, sent) = match (&self.coded, plan) {
            (Some(_), _) => (framing, BodyLength::Chunked),
            (None, Plan::VaryWithoutLength) => (Framing::default(), BodyLength::Chunked),
            (None, _) => (framing, length),
        };
        self.down.outbox.head(|head| {
            response::write_head(head, status, reason, fields, framing, sent, keep_alive, response);
        });
        self.progress.status = status;
        self.progress.is_open_ended =
            matches!(sent, BodyLength::Chunked | BodyLength::UntilClose) && self.response.client_is_http11;
        self.progress.keep_alive = keep_alive;
        self.progress.head_at = Some(Instant::now());
        self.download = match length {
            BodyLength::None => Download::Finished,
            BodyLength::Exactly(length) => Download::Counted(length),
            BodyLength::Chunked => Download::Chunked(Box::default()),
            BodyLength::UntilClose => Download::UntilClose,
        };
        if let (BodyLength::None, Some(tap)) = (length, &mut self.tap) {
            tap.end();
        }
    }

    /// What becomes of the content of a response.
    fn plan(&self, status: u16, fields: &[Field<'_>], framing: Framing, length: BodyLength) -> Plan {
        let Some(offer) = &self.offer else { return Plan::Pass };
        let edits = self.response.edits;
        let received = fields.iter().filter(|field| !edits.replaces(field.name));
        let received = received.map(|field| (field.name, field.value));
        let own = edits.set.iter().chain(edits.add).map(|(name, value)| (*name, value.as_bytes()));
        let length = match length {
            BodyLength::Exactly(length) => Some(length),
            BodyLength::None => framing.content_length(),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        };
        offer.plan(Subject { status, fields: received.chain(own), length, to_head: self.response.to_head })
    }

    fn receive_body(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), Failure> {
        match &mut self.download {
            Download::Counted(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= take as u64;
                let ended = *left == 0;
                if let Some(watch) = &mut self.watch {
                    watch.pass(&bytes[..take]);
                }
                if let Some(tap) = &mut self.tap {
                    tap.pass(&bytes[..take]);
                }
                if ended {
                    self.download = Download::Finished;
                    self.end_watch();
                }
                self.progress.reusable &= take == bytes.len();
                if let Some(coded) = &mut self.coded {
                    coded.take(&bytes[..take]);
                    if ended {
                        coded.end(&[]);
                    }
                    return Ok(());
                }
                self.progress.response_bytes += take as u64;
                if !self.down.outbox.is_empty() {
                    self.down.outbox.buffer().extend_from_slice(&bytes[..take]);
                } else if self.down.outbox.write_through(&mut self.down.io, cx, &bytes[..take]).is_err() {
                    return Err(Failure::ClientGone);
                }
            }
            Download::Chunked(decoder) => {
                let mut taken = 0;
                loop {
                    let rest = &bytes[taken..];
                    match decoder.step(rest) {
                        Err(chunked::BadChunk) => {
                            return Err(Failure::Aborted(Reject::UpstreamBroken(
                                "the body is not in the chunked coding",
                            )));
                        }
                        Ok(Step::NeedMore) => break,
                        Ok(Step::Framing(count)) => taken += count,
                        Ok(Step::Data(count)) => {
                            taken += count;
                            if let Some(watch) = &mut self.watch {
                                watch.pass(&rest[..count]);
                            }
                            if let Some(tap) = &mut self.tap {
                                tap.pass(&rest[..count]);
                            }
                            let content = &rest[..count];
                            let (outbox, coded) = (&mut self.down.outbox, self.coded.as_deref_mut());
                            self.progress.response_bytes +=
                                pass(outbox, coded, self.response.client_is_http11, content);
                        }
                        Ok(Step::End(count)) => {
                            self.progress.reusable &= taken + count == bytes.len();
                            let trailers = decoder.trailers().to_vec();
                            return self.end_body(&trailers);
                        }
                    }
                }
            }
            Download::UntilClose => {
                if let Some(watch) = &mut self.watch {
                    watch.pass(bytes);
                }
                let (outbox, coded) = (&mut self.down.outbox, self.coded.as_deref_mut());
                self.progress.response_bytes += pass(outbox, coded, self.response.client_is_http11, bytes);
            }
            Download::Head { .. } | Download::Held(_) | Download::Finished => {
                self.progress.reusable &= bytes.is_empty()
            }
        }
        Ok(())
    }

    /// The content has gone to the client.
    fn end_watch(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.end();
        }
        if let Some(watch) = &mut self.watch {
            watch.end();
        }
    }

    fn end_body(&mut self, trailers: &[u8]) -> Result<(), Failure> {
        self.end_watch();
        if let Some(coded) = &mut self.coded {
            coded.end(trailers);
            self.download = Download::Finished;
            return Ok(());
        }
        self.write_end(trailers)
    }
}

/// Gives content of unknown length to the client, or to the encoder; says how much the client got.
fn pass(outbox: &mut Outbox, coded: Option<&mut Coded>, is_http11: bool, content: &[u8]) -> u64 {
    if let Some(coded) = coded {
        coded.take(content);
        return 0;
    }
    if is_http11 {
        write_chunk(outbox.buffer(), content);
    } else {
        outbox.buffer().extend_from_slice(content);
    }
    content.len() as u64
}

/// Whether a 101 is about the protocol that was asked for, and nothing else (RFC 9110 §7.8, §15.2.2).
///
/// # Errors
/// What is wrong with it, for the log.
fn check_switch(version: u8, fields: &[Field<'_>], upgrade: &UpgradeTerms) -> Result<(), &'static str> {
    let named = |name: &'static str| fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
    let mut options = named("connection").flat_map(|field| connection_options(field.value));
    if version == 0 || !options.any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
        return Err("101 without `Connection: Upgrade`");
    }
    let mut protocols = named("upgrade").flat_map(|field| connection_options(field.value));
    match (protocols.next(), protocols.next()) {
        (Some(only), None) if only.eq_ignore_ascii_case(upgrade.protocol.as_bytes()) => {}
        _ => return Err("101 to another protocol than the one that was asked for"),
    }
    if named("transfer-encoding").chain(named("content-length")).next().is_some() {
        return Err("101 with a body");
    }
    let mut accepts = named("sec-websocket-accept").map(|field| field.value);
    if let Some(accept) = &upgrade.accept
        && (accepts.next(), accepts.next()) != (Some(accept.as_bytes()), None)
    {
        return Err("101 with another `Sec-WebSocket-Accept` than the one for the key");
    }
    Ok(())
}

/// Whether a line ends in LF alone, where another reader might see no end (RFC 9112 §2.2).
fn has_bare_newline(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r')
}
