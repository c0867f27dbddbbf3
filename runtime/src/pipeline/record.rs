//! What is known of a request, for its answer and for its log line.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::head::{Head, HeadSpace};
use super::request::{self, Request, RequestFacts};
use crate::access::Permit;
use crate::access_log::Line;
use crate::builtin::OwnAnswer;
use crate::codegen::HeaderEdits;
use crate::downstream::Downstream;
use crate::exchange::Progress;
use crate::field_lines::{FieldLines, FieldName};
use crate::http1::head::RequestHead;
use crate::limits::{Outcome, client_address};
use crate::live::{Live, LiveListener, LiveOperation, LiveRoute};
use crate::reject::Reject;
use crate::rules::LiveRule;
use crate::trace::TraceContext;
use crate::worker::Worker;

const RETRY_AFTER: FieldName = FieldName::new("Retry-After");

/// No field.
const NONE: &FieldLines = &FieldLines::new();

/// What is known of a request; filled as the decision goes on. No step depends on what a later one finds.
pub(super) struct Record<'h> {
    pub(super) number: u64,
    pub(super) listener: &'static LiveListener,
    pub(super) started: Instant,
    pub(super) head: Head<'h>,
    pub(super) request_id: String,
    pub(super) trace: TraceContext,
    /// Behind a trusted proxy: the client's address as it says.
    client: Option<IpAddr>,
    pub(super) facts: RequestFacts,
    /// The client's request came over TLS.
    pub(super) is_https: bool,
    pub(super) route: Option<&'static LiveRoute>,
    pub(super) operation: Option<&'static LiveOperation>,
    /// The last rule that was about it, where no path matched.
    pub(super) rule: Option<&'static LiveRule>,
    /// Who calls, once that is permitted.
    caller: Option<Arc<str>>,
    /// Why it is permitted; empty until then.
    because: &'static str,
    /// What its limits say; what it holds is given back with this.
    limits: Option<Outcome>,
    pub(super) upstream_started: Option<Instant>,
    /// Why it is refused, if it is.
    pub(super) reject: Option<Reject>,
}

/// Why no further step is taken with a request.
pub(super) enum Ending {
    /// It is refused.
    Reject(Reject),
    /// A redirect, a rule, a preflight request or an operation of the gateway's own.
    Answer(Box<OwnAnswer>),
}

impl From<Reject> for Ending {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl<'h> Record<'h> {
    pub(super) fn new(worker: &Worker, listener: &'static LiveListener, head: Head<'h>, started: Instant) -> Self {
        let request_id = worker.request_id();
        Self {
            number: worker.number(),
            listener,
            started,
            head,
            request_id,
            trace: worker.trace(),
            client: None,
            facts: RequestFacts::unknown(),
            is_https: false,
            route: None,
            operation: None,
            rule: None,
            caller: None,
            because: "",
            limits: None,
            upstream_started: None,
            reject: None,
        }
    }

    /// Reads the head of the request, and checks what no route changes.
    ///
    /// # Errors
    /// 400, 417, 431 or 505 for what is no request, or one that two recipients could read differently.
    pub(super) fn receive<'a, S>(
        &mut self,
        live: &Live,
        down: &'a Downstream<S>,
        space: &'a mut HeadSpace<'a>,
    ) -> Result<Request<'a>, Reject>
    where
        'h: 'a,
    {
        let head = self.head.read(&down.inbox, space)?; // 400 431 505
        self.facts = RequestFacts::of(&head, &live.request_fields)?; // 400 417
        if let Some(trace) = TraceContext::of(head.fields, &live.request_fields) {
            self.trace = trace;
        }
        self.keep_request_id(&head, live, down.peer);
        let request = Request::of(head)?; // 400
        self.is_https = request::is_https(&request.head, live, down.peer, down.tls.is_some());
        self.keep_client_address(&request.head, live, down.peer);
        Ok(request)
    }

    /// A trusted proxy's id for the request stays, so that its log and ours can be joined.
    fn keep_request_id(&mut self, request: &RequestHead<'_>, live: &Live, peer: IpAddr) {
        if let Some(id) = request::request_id(request, &live.request_fields)
            && live.trusts(peer)
        {
            self.request_id = id.to_owned();
        }
    }

    /// Where the request came from, where a trusted proxy says so.
    fn keep_client_address(&mut self, request: &RequestHead<'_>, live: &Live, peer: IpAddr) {
        if live.trusts(peer) {
            self.client = Some(client_address(peer, request.fields, |address| live.trusts(address)));
        }
    }

    /// Notes who may pass, for the log.
    pub(super) fn note_permit(&mut self, permit: &Permit) {
        self.caller = permit.caller().map(|caller| Arc::clone(&caller.subject));
        self.because = permit.because();
    }

    /// Notes what its limits say.
    ///
    /// # Errors
    /// One of them refuses it.
    pub(super) fn note_limits(&mut self, outcome: Outcome) -> Result<(), Reject> {
        let reject = outcome.reject();
        self.limits = Some(outcome);
        reject.map_or(Ok(()), Err)
    }

    /// How long the request waits for its turn, if it does.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.limits.as_ref().map(|outcome| outcome.delay).filter(|delay| !delay.is_zero())
    }

    /// The response to a request with which no further step is taken.
    pub(super) fn end(&mut self, ending: Ending) -> OwnAnswer {
        match ending {
            Ending::Reject(reject) => self.refuse(reject),
            Ending::Answer(own) => *own,
        }
    }

    /// The response to a request that is refused.
    pub(super) fn refuse(&mut self, reject: Reject) -> OwnAnswer {
        let own = OwnAnswer::refusal(reject.status(), self.body_of(&reject), self.fields_of(&reject));
        self.reject = Some(reject);
        own
    }

    /// The fields that belong to a refusal.
    fn fields_of(&self, reject: &Reject) -> FieldLines {
        let mut fields = FieldLines::new();
        match (reject, self.route) {
            (Reject::MethodNotAllowed, Some(route)) => fields.push_if_valid("Allow", &route.allow),
            (Reject::TooManyFailures(seconds), _) => fields.push_number(RETRY_AFTER, *seconds),
            _ => {}
        }
        if let Some(challenge) = self.operation.and_then(|operation| operation.challenge(reject)) {
            fields.extend(challenge);
        }
        fields
    }

    /// The body that the document gives to this kind of refusal.
    fn body_of(&self, reject: &Reject) -> Cow<'static, [u8]> {
        let refused = self.limits.as_ref().and_then(|outcome| outcome.refused.as_ref());
        if let Some(refused) = refused.filter(|refused| !refused.body.is_empty()) {
            return match &refused.body {
                Cow::Borrowed(body) => body.as_bytes().into(),
                Cow::Owned(body) => body.clone().into_bytes().into(),
            };
        }
        let bodies = self.route.map_or(&[][..], |route| route.error_bodies);
        match bodies.iter().find(|body| Some(body.class) == reject.class()) {
            Some(body) => body.json.as_bytes().into(),
            None => serde_json::json!({"message": reject.message()}).to_string().into_bytes().into(),
        }
    }

    /// What the client is told about its limits.
    pub(super) fn limit_fields(&self) -> &FieldLines {
        self.limits.as_ref().map_or(NONE, |outcome| &outcome.fields)
    }

    /// What the document changes of an answer of the gateway's own: that of an operation, but no refusal.
    pub(super) fn edits_of_answer(&self) -> Option<&'static HeaderEdits> {
        self.operation.filter(|_| self.reject.is_none()).map(|operation| &operation.table.response_headers)
    }

    /// What browsers are told about TLS: over TLS only, where it cannot be forged (RFC 6797 §7.2).
    pub(super) fn hsts(&self) -> &'static FieldLines {
        let https_only = self.route.and_then(|route| route.https_only.as_deref());
        https_only.filter(|_| self.is_https).map_or(NONE, |https_only| &https_only.hsts)
    }

    /// Counts the request and writes its line.
    pub(super) fn log<S>(&self, worker: &Worker, down: &Downstream<S>, progress: &Progress) {
        let now = worker.now();
        let took = now.saturating_duration_since(self.started);
        let (metrics, constants) = match (self.operation, self.rule) {
            (Some(operation), _) => (&operation.metrics, &operation.log_constants),
            (None, Some(rule)) => (&rule.metrics, &rule.log_constants),
            (None, None) => (&self.listener.unrouted, &self.listener.log_constants),
        };
        if let Some(reject) = &self.reject {
            worker.process.count_reject(reject);
        }
        metrics.count(progress.status, took, progress.request_bytes, progress.response_bytes);
        let (method, path) = self.head.method_and_path(&down.inbox);
        let client = self.client.filter(|client| *client != down.peer).map(|client| client.to_string());
        let upstream_took = |started: Instant| progress.head_at.unwrap_or(now).saturating_duration_since(started);
        worker.log.borrow_mut().add(&Line {
            at_micros: worker.unix_micros(self.started),
            constants,
            client: client.as_deref().unwrap_or(&down.peer_text),
            peer: &down.peer_text,
            method: &method,
            path: &path,
            request_id: &self.request_id,
            trace: &self.trace,
            status: progress.status,
            took,
            upstream_took: self.upstream_started.map(upstream_took),
            request_bytes: progress.request_bytes,
            response_bytes: progress.response_bytes,
            caller: self.caller.as_deref(),
            because: self.because,
            reject: self.reject.as_ref(),
        });
    }
}
