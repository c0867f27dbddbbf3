//! What is known of a request, for its answer and for its log line.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::access_log::{self, Line};
use crate::body_memory::Taken;
use crate::browsers::Answering;
use crate::cache::status::{self as cache, Status};
use crate::compression::choice::Offer;
use crate::deployment::{Deployment, PreparedRoute, ServedOperation, ServedRule, Serving};
use crate::exchange::Progress;
use crate::metrics::ContractPart;
use crate::pipeline::head::{Head, HeadSpace};
use crate::pipeline::refusal;
use crate::pipeline::request::{self, Request, RequestFacts};
use crate::trace::TraceContext;
use crate::upstream::member::Chosen;
use crate::worker::Worker;
use gateway_access::authorize::Permit;
use gateway_access::limit_key::client_address;
use gateway_contract::finding::{Finding, summary};
use gateway_limits::outcome::Outcome;
use gateway_wire::answer::{JSON, OwnAnswer};
use gateway_wire::downstream::Downstream;
use gateway_wire::field_lines::{FieldLines, FieldName};
use gateway_wire::header_edits::HeaderEdits;
use gateway_wire::http1::head::RequestHead;
use gateway_wire::locations::Locations;
use gateway_wire::reject::Reject;
use gateway_wire::response::ResponseTerms;

/// For writing a response of the gateway's own, and for draining.
pub(crate) const OWN_RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

const RETRY_AFTER: FieldName = FieldName::new("Retry-After");

/// No field.
const NONE: &FieldLines = &FieldLines::new();

/// What is known of a request; filled as the decision goes on. No step depends on what a later one finds.
pub(crate) struct Record<'h> {
    pub(crate) number: u64,
    pub(crate) serving: Serving,
    pub(crate) started: Instant,
    pub(crate) head: Head<'h>,
    pub(crate) request_id: String,
    pub(crate) trace: TraceContext,
    /// Behind a trusted proxy: the client's address as it says.
    client: Option<IpAddr>,
    pub(crate) facts: RequestFacts,
    /// The client's request came over TLS.
    pub(crate) is_https: bool,
    pub(crate) route: Option<&'static PreparedRoute>,
    pub(crate) operation: Option<ServedOperation<'static>>,
    /// The last rule that matched it, where no path did.
    pub(crate) rule: Option<ServedRule<'static>>,
    /// What the answer says to browsers.
    pub(crate) answering: Option<Answering>,
    /// The caller, once it is permitted.
    caller: Option<Arc<str>>,
    /// Why it is permitted; empty until then.
    because: &'static str,
    /// What its limits say; what it holds is given back with this.
    limits: Option<Outcome>,
    pub(crate) upstream_started: Option<Instant>,
    /// The constant members of its log line, where it went to another upstream than the operation's own.
    pub(crate) log_constants: Option<&'static str>,
    /// The member of the upstream that had the request last.
    pub(crate) endpoint: Option<Chosen>,
    /// How often the request was sent.
    pub(crate) attempts: u32,
    /// The memory of its body, where that is held whole; given back with this.
    pub(crate) body_memory: Option<Taken>,
    /// What is not as described and passed; empty for nothing.
    observed: String,
    /// Which codings of a response the client takes, where the operation has any.
    pub(crate) offer: Option<Offer>,
    /// What became of it in the cache, where its operation has one.
    cached: Option<cache::Outcome>,
    /// What `Cache-Status` says of that.
    cache_status: Status,
    /// Why it is refused, if it is.
    pub(crate) reject: Option<Reject>,
    /// The status of a refused call of gRPC.
    pub(crate) grpc_status: Option<u8>,
    /// Why the tunnel is over that came of it; empty where none did.
    pub(crate) tunnel_end: &'static str,
}

/// Why no further step is taken with a request.
pub(crate) enum Ending {
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
    pub(crate) fn new(worker: &Worker, serving: Serving, head: Head<'h>, started: Instant) -> Self {
        let request_id = worker.request_id();
        Self {
            number: worker.number(),
            serving,
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
            answering: serving.listener.apis.for_browsers.first().map(Answering::foreign),
            caller: None,
            because: "",
            limits: None,
            upstream_started: None,
            log_constants: None,
            endpoint: None,
            attempts: 0,
            body_memory: None,
            observed: String::new(),
            offer: None,
            cached: None,
            cache_status: Status::Own("refused"),
            reject: None,
            grpc_status: None,
            tunnel_end: "",
        }
    }

    /// Reads the head of the request, and checks what no route changes.
    ///
    /// # Errors
    /// 400, 417, 431 or 505 for what is no request, or one that two recipients could read differently; the answer to one
    /// that is about the server as a whole.
    pub(crate) fn receive<'a, S>(
        &mut self,
        down: &'a Downstream<S>,
        space: &'a mut HeadSpace<'a>,
    ) -> Result<Request<'a>, Ending>
    where
        'h: 'a,
    {
        let deployment = self.serving.deployment;
        let head = self.head.read(&down.inbox, space)?; // 400 431 505
        let facts = RequestFacts::of(&head, &deployment.request_fields);
        self.facts = facts.inspect_err(|_| self.answer_unrouted(&head))?; // 400 417
        if let Some(trace) = TraceContext::of(head.fields, &deployment.request_fields) {
            self.trace = trace;
        }
        self.keep_request_id(&head, deployment, down.peer);
        if request::is_about_server(&head) {
            self.answer_unrouted(&head);
            let own = OwnAnswer::plain(204, "", b"").with("Allow", &self.serving.listener.apis.allow);
            return Err(Ending::Answer(Box::new(own)));
        }
        let request = Request::of(head).inspect_err(|_| self.answer_unrouted(&head))?; // 400
        self.is_https = request::is_https(&request.head, deployment, down.peer, down.tls.is_some());
        self.keep_client_address(&request.head, deployment, down.peer);
        Ok(request)
    }

    /// A trusted proxy's id for the request stays, so that its log and ours can be joined.
    fn keep_request_id(&mut self, request: &RequestHead<'_>, deployment: &Deployment, peer: IpAddr) {
        if let Some(id) = request::request_id(request, &deployment.request_fields)
            && deployment.trusts(peer)
        {
            self.request_id = id.to_owned();
        }
    }

    /// Where the request came from, where a trusted proxy says so.
    fn keep_client_address(&mut self, request: &RequestHead<'_>, deployment: &Deployment, peer: IpAddr) {
        if deployment.trusts(peer) {
            self.client = Some(client_address(peer, request.fields, deployment.trusted_fields, |address| {
                deployment.trusts(address)
            }));
        }
    }

    /// Notes who may pass, for the log.
    pub(crate) fn note_permit(&mut self, permit: &Permit) {
        self.caller = permit.caller().map(|caller| Arc::clone(&caller.subject));
        self.because = permit.because();
    }

    /// Notes what its limits say.
    ///
    /// # Errors
    /// One of them refuses it.
    pub(crate) fn note_limits(&mut self, outcome: Outcome) -> Result<(), Reject> {
        let reject = outcome.reject();
        self.limits = Some(outcome);
        reject.map_or(Ok(()), Err)
    }

    /// Notes what is not as described and passes.
    pub(crate) fn observe(&mut self, part: ContractPart, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        if let Some(operation) = self.operation {
            operation.metrics.count_violation(part, false);
        }
        if !self.observed.is_empty() {
            self.observed.push_str("; ");
        }
        self.observed.push_str(&summary(findings));
    }

    /// Counts a part that is not as described and for which the request, or the response, is refused.
    pub(crate) fn count_refusal(&self, part: ContractPart) {
        if let Some(operation) = self.operation {
            operation.metrics.count_violation(part, true);
        }
    }

    /// Notes what became of it in the cache, for its answer and for the log.
    pub(crate) fn note_cache(&mut self, outcome: cache::Outcome, status: Status) {
        self.cached = Some(outcome);
        self.cache_status = status;
    }

    /// Notes what `Cache-Status` says.
    pub(crate) fn note_cache_status(&mut self, status: Status) {
        self.cache_status = status;
    }

    /// The value of `Cache-Status`.
    pub(crate) fn cache_status(&self) -> String {
        self.cache_status.show()
    }

    /// How long the request waits for its turn, if it does.
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.limits.as_ref().map(|outcome| outcome.delay).filter(|delay| !delay.is_zero())
    }

    /// The response to a request with which no further step is taken.
    pub(crate) fn end(&mut self, ending: Ending) -> OwnAnswer {
        match ending {
            Ending::Reject(reject) => self.refuse(reject),
            Ending::Answer(own) => *own,
        }
    }

    /// The response to a request that is refused.
    pub(crate) fn refuse(&mut self, reject: Reject) -> OwnAnswer {
        let (content_type, body) = self.body_of(&reject);
        let own = OwnAnswer { content_type, ..OwnAnswer::refusal(reject.status(), body, self.fields_of(&reject)) };
        self.reject = Some(reject);
        own
    }

    /// The fields that belong to a refusal.
    fn fields_of(&self, reject: &Reject) -> FieldLines {
        let mut fields = FieldLines::new();
        match (reject, self.route) {
            (Reject::MethodNotAllowed, Some(route)) => fields.push_if_valid("Allow", &route.allow),
            (Reject::TooManyFailures(seconds), _) => fields.push_number(RETRY_AFTER, *seconds),
            (Reject::BodyMemory | Reject::UpstreamOverloaded | Reject::UpstreamCredential, _) => {
                fields.push_number(RETRY_AFTER, 1)
            }
            (Reject::UnsupportedMediaType(described), _) => fields.push_if_valid("Accept", described),
            _ => {}
        }
        if let Some(challenge) = self.operation.and_then(|operation| operation.prepared.challenge(reject)) {
            fields.extend(challenge);
        }
        fields
    }

    /// The body that the document gives to this kind of refusal, with its type.
    fn body_of(&self, reject: &Reject) -> (&'static str, Cow<'static, [u8]>) {
        let refused = self.limits.as_ref().and_then(|outcome| outcome.refused.as_ref());
        if let Some(refused) = refused.filter(|refused| !refused.body.is_empty()) {
            let body = match &refused.body {
                Cow::Borrowed(body) => body.as_bytes().into(),
                Cow::Owned(body) => body.clone().into_bytes().into(),
            };
            return (JSON, body);
        }
        let bodies = self.route.map_or(&[][..], |route| route.error_bodies);
        if let Some(body) = bodies.iter().find(|body| Some(body.class) == reject.class()) {
            return (JSON, body.json.as_bytes().into());
        }
        let format = self.route.map_or(self.serving.listener.apis.error_format, |route| route.error_format);
        let (content_type, body) = refusal::body(reject, format);
        (content_type, body.into())
    }

    /// How an upstream's response is written for this client: as it comes, or from the store.
    pub(crate) fn response_terms<'a>(
        &'a self,
        worker: &'a Worker,
        date: &'a str,
        edits: &'a HeaderEdits,
        locations: Option<&'a Locations>,
    ) -> ResponseTerms<'a> {
        ResponseTerms {
            to_head: self.facts.to_head,
            client_is_http11: self.facts.is_http11,
            client_keeps_alive: self.facts.keep_alive,
            draining: &worker.draining,
            fields: &self.serving.deployment.response_fields,
            edits,
            request_id: &self.request_id,
            date,
            limits: self.limit_fields(),
            hsts: self.hsts(),
            browsers: self.for_browsers(true),
            locations,
        }
    }

    /// The fields about the client's limits.
    pub(crate) fn limit_fields(&self) -> &FieldLines {
        self.limits.as_ref().map_or(NONE, |outcome| &outcome.fields)
    }

    /// What the document changes of an answer of the gateway's own: that of an operation, but no refusal.
    pub(crate) fn edits_of_answer(&self) -> Option<&'static HeaderEdits> {
        self.operation.filter(|_| self.reject.is_none()).map(|operation| &operation.prepared.table.response_headers)
    }

    /// `Strict-Transport-Security`: over TLS only, where it cannot be forged (RFC 6797 §7.2).
    pub(crate) fn hsts(&self) -> &'static FieldLines {
        let https_only = self.route.and_then(|route| route.https_only.as_deref());
        https_only.filter(|_| self.is_https).map_or(NONE, |https_only| &https_only.hsts)
    }

    /// Gives back the memory of a head, but for what the log says of it. Nothing may be left unread.
    pub(crate) fn keep_request_line<S>(&self, down: &mut Downstream<S>) {
        // A line end in front of the request is no part of it.
        let line = memchr::memchr_iter(b'\n', &down.inbox).find(|end| *end > 1).unwrap_or_default();
        down.inbox.truncate(if self.head.length() > 0 { line } else { 0 });
        down.inbox.shrink_to_fit();
        down.used = down.inbox.len();
    }

    /// Counts the request and writes its line.
    pub(crate) fn log<S>(&self, worker: &Worker, down: &Downstream<S>, progress: &Progress) {
        let now = worker.now();
        let took = now.saturating_duration_since(self.started);
        let (metrics, constants) = match (self.operation, self.rule) {
            (Some(ServedOperation { prepared, metrics, .. }), _) => {
                (metrics, self.log_constants.unwrap_or(&prepared.log_constants))
            }
            (None, Some(rule)) => (rule.metrics, &*rule.prepared.log_constants),
            (None, None) => (&self.serving.listener.unrouted, access_log::UNROUTED),
        };
        if let Some(reject) = &self.reject {
            worker.process.count_reject(reject);
        }
        if let (Some(outcome), Some(store)) = (self.cached, &self.serving.deployment.cache) {
            store.count(outcome);
        }
        // A tunnel is as long as its user likes.
        let answered = progress.head_at.filter(|_| progress.upgraded).unwrap_or(now);
        let counted = answered.saturating_duration_since(self.started);
        metrics.count(progress.status, counted, progress.request_bytes, progress.response_bytes);
        let (method, path) = self.head.method_and_path(&down.inbox);
        let client = self.client.filter(|client| *client != down.peer).map(|client| client.to_string());
        let upstream_took = |started: Instant| progress.head_at.unwrap_or(now).saturating_duration_since(started);
        worker.log.borrow_mut().add(&Line {
            at_micros: worker.unix_micros(self.started),
            listener: &self.serving.listener.log_constants,
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
            endpoint: self.endpoint.as_ref().map(|member| (&*member.label, self.attempts)),
            request_bytes: progress.request_bytes,
            response_bytes: progress.response_bytes,
            caller: self.caller.as_deref(),
            because: self.because,
            observed: &self.observed,
            cache: self.cached.map_or("", cache::Outcome::word),
            reject: self.reject.as_ref(),
            grpc_status: self.grpc_status,
            tunnel_end: self.tunnel_end,
        });
    }
}
