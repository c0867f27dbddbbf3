//! One stream of a client, handled as a request.

use std::rc::Rc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::Request;

use crate::admission::ConnectionSlot;
use crate::http2::head::StreamHead;
use crate::http2::stream::Stream;
use crate::http2::streams::Open;
use crate::pipeline;
use crate::pipeline::head::Head;
use gateway_wire::downstream::{Downstream, StreamBuffers};
use gateway_wire::http1::head::HeadFields as _;
use gateway_wire::http2::body::BodyFraming;

/// A stream to be handled.
pub(crate) struct Job {
    pub(crate) open: Open,
    pub(crate) _place: Option<ConnectionSlot>,
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
}

/// Handles the one request of a stream; gives back what that was done with.
pub(crate) async fn handle(job: Job, buffers: StreamBuffers) -> StreamBuffers {
    let Job { open, _place, request, respond } = job;
    let client = &*open.0;
    let worker = &client.worker;
    let started = worker.now();
    let (parts, body) = request.into_parts();
    if !crate::http2::head::is_for_http(&parts) {
        let mut respond = respond;
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return buffers;
    }
    let is_handshake = crate::http2::head::is_handshake(&parts);
    let mut head = StreamHead::of(parts, &body);
    if is_handshake {
        head = head.into_handshake(worker.handshake_key());
    }
    let to_head = head.method() == "HEAD";
    let heads = Rc::default();
    let framing = if is_handshake { BodyFraming::Counted } else { head.framing() };
    let stream = Stream::new(body, framing, respond, Rc::clone(&heads), to_head, is_handshake, Rc::clone(&open.0));
    let mut down = Downstream::beside(&client.known, stream, buffers, heads);
    let serving = worker.serving(client.listener);
    match head.keeps_to(serving.deployment.settings.limits.head) {
        Ok(()) => {
            pipeline::handle(worker, serving, &mut down, Head::Fields(&head), started).await;
        }
        Err(reject) => {
            pipeline::refuse_unparsed(worker, serving, &mut down, Head::Fields(&head), reject, started).await;
        }
    }
    let (stream, buffers) = down.into_parts();
    if stream.end() && client.loses_patience() {
        client.has_enough.notify_one();
    }
    buffers
}
