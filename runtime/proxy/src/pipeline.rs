//! The life of a request: one function decides, one forwards, one answers, and the log always comes last.

pub(crate) mod forward;
pub(crate) mod gather;
pub(crate) mod request;
pub(crate) mod unrouted;

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use gateway_route::{RequestPath, Selectors};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::access_log::Line;
use crate::contested::{Ambiguity, Readings};
use crate::deployment::LiveRule;
use crate::deployment::{Live, LiveAction, LiveListener, LiveOperation, LiveRoute};
use crate::exchange::Progress;
use crate::https::{HttpsOnly, Plain};
use crate::rules;
use crate::tables::Preflight;
use crate::trace::TraceContext;
use crate::worker::Worker;
use forward::{Forwarded, Forwarding};
use gateway_access::authorize;
use gateway_access::authorize::{Guesses, NoPermit, Permit};
use gateway_access::builtin::{Answer, Call};
use gateway_access::caller::{Question, SchemeId, Verdict};
use gateway_access::failed_authentication::Attempts;
use gateway_access::limit_key::{Subject, client_address};
use gateway_access::request_view::Evidence;
use gateway_base::encoding::{form_encode, query_without};
use gateway_limits::outcome::Outcome;
use gateway_limits::shared::{Charging, Pending};
use gateway_wire::answer::{NO_STORE, OwnAnswer};
use gateway_wire::downstream::{Downstream, Scratch};
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::head;
use gateway_wire::http1::head::{RequestHead, field_space};
use gateway_wire::reject::Reject;
use gateway_wire::response;
use gateway_wire::response::OwnTerms;
use gather::Content;
use request::{RequestFacts, Target};

/// The body of a refused request is read to its end if it has at most so many bytes, so that the connection can go on.
const DRAINED_BYTES: u64 = 64 << 10;

/// For a request that no scheme could decide about.
static UNDECIDED: Reject = Reject::CredentialsUnavailable;

/// For writing a response of the gateway's own, and for draining.
const OWN_RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What becomes of the client's connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Another request may follow.
    KeepAlive,
    /// Nothing more is expected in either direction.
    Close,
    /// The client may still be sending.
    Linger,
    /// The response is not whole, and must not look as if it were.
    Cut,
}

/// Why a request is not forwarded.
enum Stop {
    Reject(Reject),
    /// The answer to a CORS preflight request.
    Preflight,
    /// What the operation itself answers.
    Answer(Box<OwnAnswer>),
    /// The operation has to see the content before it answers; at most so many bytes.
    Content(u64),
    /// The operation answers after long work.
    Work(Pin<Box<dyn Future<Output = OwnAnswer>>>),
    /// The resource is elsewhere: over TLS, or where a rule says.
    Redirect {
        status: u16,
        location: String,
        /// The body, for people.
        why: &'static str,
    },
    /// What a rule answers.
    Respond {
        status: u16,
        content_type: &'static str,
        body: &'static str,
    },
    /// A scheme cannot decide yet; the decision begins anew when it can.
    Ask(SchemeId, Question),
    /// Stores have to count it; the decision begins anew when they have.
    Count(Box<Pending>),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl Stop {
    /// For a request that gets no permit.
    fn without_permit(reason: NoPermit, evidence: &Evidence<'_>) -> Self {
        match reason {
            // People who follow a link can log in and come back; what else a browser sends would be lost on the way.
            NoPermit::Reject(Reject::LoginRequired { page, .. }) if matches!(evidence.method, "GET" | "HEAD") => {
                let location = format!("{page}?return={}", form_encode(evidence.target.as_bytes()));
                Self::Answer(Box::new(OwnAnswer::redirect(302, &location)))
            }
            NoPermit::Reject(reject) => Self::Reject(reject),
            NoPermit::Ask(scheme, question) => Self::Ask(scheme, question),
        }
    }
}

/// What is known of a request, for its answer and its log line; filled as the decision goes on.
struct Record {
    number: u64,
    listener: &'static LiveListener,
    started: Instant,
    head_length: usize,
    request_id: String,
    trace: TraceContext,
    /// Behind a trusted proxy: the client's address as it says.
    client: Option<IpAddr>,
    facts: RequestFacts,
    /// The client's request came over TLS.
    is_https: bool,
    route: Option<&'static LiveRoute>,
    operation: Option<&'static LiveOperation>,
    /// The last rule that was about it, where no path matched.
    rule: Option<&'static LiveRule>,
    /// What schemes decided after long work.
    verdicts: Vec<(SchemeId, Verdict)>,
    /// The content, where a scheme had to see it.
    content: Option<Content>,
    permit: Option<Permit>,
    /// Credentials that are being looked at, where wrong ones are counted.
    attempts: Attempts,
    /// What its limits say; what it holds is given back with this.
    limits: Option<Outcome>,
    upstream_started: Option<Instant>,
}

/// Handles the request whose head is the first `head_length` bytes of the inbox.
pub(crate) async fn handle<S>(
    worker: &Worker,
    listener: &'static LiveListener,
    down: &mut Downstream<S>,
    head_length: usize,
    started: Instant,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    down.used = head_length;
    let mut record = Record::new(worker, listener, head_length, started);
    let decision = loop {
        match decide(worker, down, &mut record) {
            // Boxed: few requests wait for this, and all would carry its state.
            Err(Stop::Ask(scheme, question)) => match Box::pin(record.ask(down, scheme, question)).await {
                Ok(()) => {}
                Err(reject) => break Err(Stop::Reject(reject)),
            },
            Err(Stop::Content(limit)) => match Box::pin(record.receive(down, limit)).await {
                Ok(()) => {}
                Err(reject) => break Err(Stop::Reject(reject)),
            },
            Err(Stop::Work(work)) => break Err(Stop::Answer(Box::new(work.await))),
            Err(Stop::Count(pending)) => record.limits = Some(Box::pin(pending.settle()).await),
            decision => break decision,
        }
    };
    if let Some(delay) = record.limits.as_ref().map(|outcome| outcome.delay).filter(|delay| !delay.is_zero()) {
        // Boxed, as above.
        if !Box::pin(wait_for_turn(down, delay)).await {
            record.log(worker, down, &Progress::default(), None);
            return After::Close;
        }
    }
    match decision {
        Ok(forwarding) => match forward::forward(worker, down, forwarding, &mut record).await {
            Forwarded::Answered(progress) => {
                record.log(worker, down, &progress, None);
                match (progress.keep_alive, progress.request_done) {
                    (true, _) => After::KeepAlive,
                    (false, true) => After::Close,
                    (false, false) => After::Linger,
                }
            }
            Forwarded::Cut(progress, reject) => {
                record.log(worker, down, &progress, reject.as_ref());
                After::Cut
            }
            Forwarded::Refused(progress, reject) => {
                answer(worker, down, &record, &Stop::Reject(reject), progress).await
            }
        },
        Err(stop) => answer(worker, down, &record, &stop, Progress::default()).await,
    }
}

/// The life of a request, up to the upstream.
fn decide<S>(worker: &Worker, down: &Downstream<S>, record: &mut Record) -> Result<Forwarding, Stop> {
    let (live, listener) = (worker.live, record.listener);
    let mut space = field_space();
    let request = head::parse_request(&down.inbox[..record.head_length], &mut space)?; // 400 431 505
    record.facts = RequestFacts::of(&request, &live.request_fields)?; // 400 417
    record.facts.expects_continue &= record.content.is_none();
    if let Some(trace) = TraceContext::of(request.fields, &live.request_fields) {
        record.trace = trace;
    }
    record.keep_request_id(&request, live, down.peer);
    let target = Target::of(&request)?; // 400
    let is_https = request::is_https(&request, live, down.peer, down.tls.is_some());
    let path = RequestPath::parse(target.path)
        .map_err(|_| Reject::BadRequest("the path is not in the form of RFC 3986, or has dot segments"))?;
    record.is_https = is_https;
    record.keep_client_address(&request, live, down.peer);
    let fields = |name: &str| request.reading(name);
    let selectors = Selectors { query: target.query, fields: Some(&fields) };
    let found = listener.router.find(&path, selectors);
    let unrouted = match &found {
        Some(_) => None,
        None => Some(record.apply_rules(live, &request, &target, &path, selectors)?), // 400 404 414, or what a rule answers
    };
    let ruled = unrouted.as_ref().map(|way| rules::read(&way.target)).transpose()?;
    let (sent_path, sent_query, found) = match &ruled {
        Some((path, query)) => (path, *query, listener.router.find(path, Selectors { query: *query, ..selectors })),
        None => (&path, target.query, found),
    };
    let (operation, params) = match (unrouted.as_ref().and_then(|way| way.rule), found) {
        (Some(rule), _) => (rule.operation(request.method).ok_or(Reject::MethodNotAllowed)?, None), // 405
        (None, Some(found)) => {
            let route = record.route.insert(&listener.routes[found.index]);
            if let (Some(https_only), false) = (&route.https_only, is_https) {
                return Err(refuse_plain(https_only, &request, &target)); // 301 308 403 421
            }
            (pick(route, request.method)?, Some(found.params)) // 405, or the answer to a preflight request
        }
        (None, None) => return Err(Stop::Reject(Reject::NotFound)), // 404
    };
    let readings = Readings::of(listener, operation, sent_path);
    let (operation, params) = match readings.stricter(listener, operation, Selectors { query: sent_query, ..selectors })
    {
        Ok(None) => (operation, params),
        Ok(Some((route, stricter, params))) => {
            record.route = Some(route);
            (stricter, Some(params))
        }
        Err(Ambiguity) => {
            return Err(Reject::AmbiguousPath("the upstream may read it as an operation with another security").into()); // 404
        }
    };
    record.operation = Some(operation);
    request::check_parameters(operation, params.as_ref())?; // 400
    let evidence = Evidence {
        method: request.method,
        target: request.target,
        path: target.path,
        query: target.query,
        authority: target.host,
        is_https,
        certificate: down.tls.as_ref().and_then(|tls| tls.client.as_ref()),
        fields: request.fields,
        body: record.content.as_ref().map(|content| content.bytes(&down.inbox)),
        verdicts: &record.verdicts,
    };
    let permit = match record.permit.take() {
        // What has been counted, or whose content was asked for, has been permitted.
        Some(permit) => permit,
        None => {
            let moment = worker.moment(record.started, record.number);
            // HEAD that is served as GET is judged as GET.
            let method =
                if request.method == "HEAD" && operation.table.method == "GET" { "GET" } else { request.method };
            let address = client_address(down.peer, evidence.fields, |address| live.trusts(address));
            let guesses = &mut Guesses { address, attempts: &mut record.attempts };
            let permit =
                authorize::authorize(&operation.access, &operation.table.consumers, method, &evidence, moment, guesses);
            if !matches!(permit, Err(NoPermit::Ask(..))) {
                record.attempts = Attempts::default();
            }
            permit.map_err(|reason| Stop::without_permit(reason, &evidence))? // 302 400 401 403 429 503
        }
    };
    request::admit_body(operation, record.facts.body)?; // 413
    let permit = record.permit.insert(permit);
    if record.limits.is_none() {
        record.limits = charge(worker, down.peer, operation, permit, &evidence, path.canonical())?;
    }
    if let Some(reject) = record.limits.as_ref().and_then(Outcome::reject) {
        return Err(Stop::Reject(reject)); // 429 503
    }
    let to = match &operation.action {
        LiveAction::Forward(to) => to,
        LiveAction::Answer(builtin) => {
            let call = Call {
                caller: permit.caller(),
                evidence: &evidence,
                params: params.as_ref(),
                address: client_address(down.peer, evidence.fields, |address| live.trusts(address)),
                now: worker.moment(record.started, record.number),
            };
            return Err(match builtin.answer(&call) {
                Answer::Now(answer) => Stop::Answer(answer),
                Answer::Body { limit } => Stop::Content(limit),
                Answer::Work(work) => Stop::Work(work),
            });
        }
    };
    let form = form_without_credentials(operation, record.facts.body, &evidence)?; // 400
    let scene = forward::Scene {
        live,
        peer: down.peer,
        peer_text: &down.peer_text,
        version: down.version,
        is_https,
        certificate: evidence.certificate.filter(|_| operation.reads_certificates),
        operation,
        to,
        params: params.as_ref(),
        path: sent_path,
        query: sent_query,
        form: form.as_deref(),
    };
    Ok(scene.prepare(permit, &request, &target, &record.facts, &record.request_id, &record.trace)?) // 400
}

/// The body without the credentials that the upstream is not to see; `None` where it is as received.
///
/// # Errors
/// 400 where it cannot be changed.
fn form_without_credentials(
    operation: &LiveOperation,
    length: BodyLength,
    evidence: &Evidence<'_>,
) -> Result<Option<Vec<u8>>, Stop> {
    let hidden = &operation.hidden.form;
    let Some(body) = evidence.body.filter(|_| !hidden.is_empty() && evidence.has_form()) else { return Ok(None) };
    let form = std::str::from_utf8(body).map_err(|_| Reject::BadRequest("a form that is not text"))?;
    match query_without(form, hidden) {
        Some(kept) if kept.len() == form.len() => Ok(None),
        _ if !matches!(length, BodyLength::Exactly(_)) => {
            Err(Reject::BadRequest("a credential in a form of unknown length").into())
        }
        kept => Ok(Some(kept.map_or_else(Vec::new, |kept| kept.into_owned().into_bytes()))),
    }
}

/// The answer to a plain request where requests must come over TLS: nothing else of it is looked at.
fn refuse_plain(https_only: &HttpsOnly, request: &RequestHead<'_>, target: &Target<'_>) -> Stop {
    match https_only.answer_plain(target.host) {
        Plain::Refuse(reject) => Stop::Reject(reject),
        Plain::Redirect(origin) => {
            let query = target.query.map_or_else(String::new, |query| format!("?{query}"));
            // Other methods would become GET on the way (RFC 9110 §15.4.2).
            let status = if matches!(request.method, "GET" | "HEAD") { 301 } else { 308 };
            Stop::Redirect { status, location: format!("{origin}{}{query}", target.path), why: "Use HTTPS\n" }
        }
    }
}

/// Waits until it is the request's turn; says whether the client is still there by then.
async fn wait_for_turn<S>(down: &mut Downstream<S>, delay: Duration) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let until = Instant::now() + delay;
    poll_fn(|cx| {
        // What a client sends ahead waits as well, beyond a point in the kernel.
        while down.unread().len() < DRAINED_BYTES as usize {
            match down.poll_receive(cx, DRAINED_BYTES as usize) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => break,
            }
        }
        down.deadline.poll_at(cx, until).map(|()| true)
    })
    .await
}

/// Charges the limits of the operation and of the consumer; `None` where there are none.
///
/// # Errors
/// Stores have to be asked.
fn charge(
    worker: &Worker,
    peer: IpAddr,
    operation: &LiveOperation,
    permit: &Permit,
    evidence: &Evidence<'_>,
    path: &str,
) -> Result<Option<Outcome>, Stop> {
    let identity = permit.caller().and_then(|caller| caller.identity.as_ref());
    let own = identity.map_or(&[][..], |identity| &identity.consumer.limits);
    if operation.limits.is_empty() && own.is_empty() {
        return Ok(None);
    }
    let live = worker.live;
    let address = client_address(peer, evidence.fields, |address| live.trusts(address));
    let subject = Subject { path, address, caller: permit.caller(), evidence };
    match live.limits.charge(worker.index, operation.limits.iter().chain(own), &subject, worker.now()) {
        Charging::Done(outcome) => Ok(Some(outcome)),
        Charging::Ask(pending) => Err(Stop::Count(pending)),
    }
}

/// The operation for a method; a path that is described for other methods only is 405 (RFC 9110 §15.5.6).
fn pick(route: &'static LiveRoute, method: &str) -> Result<&'static LiveOperation, Stop> {
    match route.operation(method) {
        Some(operation) => Ok(operation),
        None if method == "OPTIONS" && route.preflight == Preflight::Answer => Err(Stop::Preflight),
        None => Err(Stop::Reject(Reject::MethodNotAllowed)),
    }
}

/// Answers what could not even be parsed.
pub(crate) async fn refuse_unparsed<S>(
    worker: &Worker,
    listener: &'static LiveListener,
    down: &mut Downstream<S>,
    reject: Reject,
    started: Instant,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let record = Record::new(worker, listener, down.inbox.len(), started);
    down.used = down.inbox.len();
    answer(worker, down, &record, &Stop::Reject(reject), Progress::default()).await
}

/// Writes the gateway's own answer.
async fn answer<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    record: &Record,
    stop: &Stop,
    mut progress: Progress,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // After a malformed request nobody knows where the next one begins; a slow one never ends.
    let hopeless = matches!(stop, Stop::Reject(Reject::BadRequest(_) | Reject::RequestTimeout));
    let keep_alive = record.facts.keep_alive && !hopeless && !worker.draining.get() && is_drainable(record);
    let date = worker.date();
    let fields = record.fields_of(stop, &down.inbox);
    let terms = OwnTerms {
        to_head: record.facts.to_head,
        keep_alive,
        is_http11: record.facts.is_http11,
        request_id: &record.request_id,
        date: &date,
        fields: &fields,
        defaults: if let Stop::Answer(answer) = stop { &answer.defaults } else { "" },
        body: record.body_of(stop),
        edits: match stop {
            Stop::Answer(_) => record.operation.map(|operation| &operation.table.response_headers),
            _ => None,
        },
    };
    let reject = match stop {
        Stop::Reject(reject) => {
            progress.status = reject.status();
            progress.response_bytes = response::write_reject(down.outbox.buffer(), reject, &terms);
            Some(reject)
        }
        Stop::Answer(answer) => {
            progress.status = answer.status;
            progress.response_bytes = response::write_answer(down.outbox.buffer(), answer, &terms);
            None
        }
        Stop::Redirect { status, why: body, .. } => {
            const TEXT: &str = "text/plain; charset=utf-8";
            progress.status = *status;
            progress.response_bytes = response::write_own(down.outbox.buffer(), *status, TEXT, body.as_bytes(), &terms);
            None
        }
        Stop::Respond { status, content_type, body } => {
            progress.status = *status;
            progress.response_bytes =
                response::write_own(down.outbox.buffer(), *status, content_type, body.as_bytes(), &terms);
            None
        }
        // Nobody answers before the question; if somebody did, it would not be a yes.
        Stop::Ask(..) | Stop::Count(_) | Stop::Content(_) | Stop::Work(_) => {
            progress.status = UNDECIDED.status();
            progress.response_bytes = response::write_reject(down.outbox.buffer(), &UNDECIDED, &terms);
            Some(&UNDECIDED)
        }
        Stop::Preflight => {
            progress.status = 204;
            response::write_preflight(down.outbox.buffer(), &terms);
            None
        }
    };
    let until = Instant::now() + OWN_RESPONSE_TIMEOUT;
    let written = poll_fn(|cx| match down.outbox.poll_flush(&mut down.io, cx) {
        Poll::Ready(result) => Poll::Ready(result.is_ok()),
        Poll::Pending => down.deadline.poll_at(cx, until).map(|()| false),
    })
    .await;
    record.log(worker, down, &progress, reject);
    // The answer does not wait for a body that nobody wants; the next request does.
    match written {
        false => After::Close,
        true if keep_alive && drain_body(down, record, &progress).await => After::KeepAlive,
        true => After::Linger,
    }
}

/// Whether a body that nobody wants is small enough to be read to its end.
fn is_drainable(record: &Record) -> bool {
    match record.facts.body {
        BodyLength::None => true,
        // A client that waits for `100 Continue` will not send the body after a final status; or it will: who knows.
        BodyLength::Exactly(length) => length <= DRAINED_BYTES && !record.facts.expects_continue,
        BodyLength::Chunked | BodyLength::UntilClose => false,
    }
}

/// Reads a body that nobody wants to its end; says whether that worked.
async fn drain_body<S>(down: &mut Downstream<S>, record: &Record, progress: &Progress) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let BodyLength::Exactly(length) = record.facts.body else { return true };
    let mut left = length - progress.request_bytes.min(length);
    let here = down.unread().len().min(usize::try_from(left).unwrap_or(usize::MAX));
    down.used += here;
    left -= here as u64;
    let until = Instant::now() + OWN_RESPONSE_TIMEOUT;
    poll_fn(|cx| {
        let mut scratch = Scratch::take();
        while left > 0 {
            let limit = usize::try_from(left).unwrap_or(usize::MAX);
            match scratch.poll_read(&mut down.io, cx, limit) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => left -= bytes.len() as u64,
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => {
                    ready!(down.deadline.poll_at(cx, until));
                    return Poll::Ready(false);
                }
            }
        }
        Poll::Ready(true)
    })
    .await
}

impl Record {
    fn new(worker: &Worker, listener: &'static LiveListener, head_length: usize, started: Instant) -> Self {
        let request_id = worker.request_id();
        Self {
            number: worker.number(),
            listener,
            started,
            head_length,
            request_id,
            trace: worker.trace(),
            client: None,
            facts: RequestFacts::unknown(),
            is_https: false,
            route: None,
            operation: None,
            rule: None,
            verdicts: Vec::new(),
            content: None,
            permit: None,
            attempts: Attempts::default(),
            limits: None,
            upstream_started: None,
        }
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

    /// Finds out what a scheme must know.
    ///
    /// # Errors
    /// What is wrong with the body, where that was asked for.
    async fn ask<S>(&mut self, down: &mut Downstream<S>, scheme: SchemeId, question: Question) -> Result<(), Reject>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match question {
            Question::Work(work) => self.verdicts.push((scheme, work.await)),
            Question::Body { limit } => self.receive(down, limit).await?,
        }
        Ok(())
    }

    /// Receives the content of the request.
    ///
    /// # Errors
    /// What is wrong with it.
    async fn receive<S>(&mut self, down: &mut Downstream<S>, limit: u64) -> Result<(), Reject>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if let Some(content) = &self.content {
            // Whoever has seen the body and asks again would ask for ever.
            let is_larger = content.bytes(&down.inbox).len() as u64 > limit;
            return Err(if is_larger { Reject::BodyTooLarge } else { Reject::CredentialsUnavailable });
        }
        let terms = gather::Terms {
            head_length: self.head_length,
            body: self.facts.body,
            expects_continue: self.facts.expects_continue,
            limit: self.operation.map_or(limit, |operation| limit.min(operation.table.max_body.0)),
        };
        self.content = Some(gather::content(down, &terms).await?);
        Ok(())
    }

    /// The fields that go with an answer, each with its line end.
    fn fields_of(&self, stop: &Stop, inbox: &[u8]) -> String {
        let limits = || self.limits.as_ref().map_or_else(String::new, |outcome| outcome.fields.clone());
        let allow = || self.route.map_or_else(String::new, |route| format!("Allow: {}\r\n", route.allow));
        let fields = match stop {
            Stop::Reject(Reject::MethodNotAllowed) => allow(),
            Stop::Reject(Reject::TooManyFailures(seconds)) => format!("Retry-After: {seconds}\r\n"),
            Stop::Reject(reject) => limits() + self.operation.map_or("", |operation| operation.challenge(reject)),
            Stop::Preflight => allow() + &request::preflight_fields(inbox, self.route),
            Stop::Redirect { location, .. } => format!("Location: {location}\r\n"),
            Stop::Respond { .. } => String::new(),
            Stop::Answer(answer) => limits() + &answer.fields,
            Stop::Ask(..) | Stop::Count(_) | Stop::Content(_) | Stop::Work(_) => limits() + NO_STORE,
        };
        fields + self.hsts()
    }

    /// What browsers are told about TLS: over TLS only, where it cannot be forged (RFC 6797 §7.2).
    fn hsts(&self) -> &'static str {
        let https_only = self.route.and_then(|route| route.https_only.as_deref());
        https_only.filter(|_| self.is_https).map_or("", |https_only| &https_only.hsts)
    }

    /// The body that the document gives to this kind of refusal.
    fn body_of(&self, stop: &Stop) -> Option<&str> {
        let Stop::Reject(reject) = stop else { return None };
        let refused = self.limits.as_ref().and_then(|outcome| outcome.refused.as_ref());
        if let Some(refused) = refused.filter(|refused| !refused.body.is_empty()) {
            return Some(&refused.body);
        }
        let class = reject.class()?;
        self.route?.error_bodies.iter().find(|body| body.class == class).map(|body| body.json)
    }

    /// Counts the request and writes its line.
    fn log<S>(&self, worker: &Worker, down: &Downstream<S>, progress: &Progress, reject: Option<&Reject>) {
        let now = worker.now();
        let took = now.saturating_duration_since(self.started);
        let (metrics, constants) = match (self.operation, self.rule) {
            (Some(operation), _) => (&operation.metrics, &operation.log_constants),
            (None, Some(rule)) => (&rule.metrics, &rule.log_constants),
            (None, None) => (&self.listener.unrouted, &self.listener.log_constants),
        };
        if let Some(reject) = reject {
            worker.process.count_reject(reject);
        }
        metrics.count(progress.status, took, progress.request_bytes, progress.response_bytes);
        let (method, path) = request::method_and_path(&down.inbox[..self.head_length.min(down.inbox.len())]);
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
            caller: self.permit.as_ref().and_then(Permit::caller).map(|caller| &*caller.subject),
            because: self.permit.as_ref().map_or("", Permit::because),
            reject,
        });
    }
}
