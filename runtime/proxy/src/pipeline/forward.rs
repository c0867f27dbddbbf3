//! Sends a permitted request to its upstream and brings the response back.

use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;

use gateway_route::{Params, RequestPath};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::deployment::{Deployment, PreparedForward, PreparedOperation, PreparedTarget};
use crate::exchange::watch::Watch;
use crate::exchange::{Exchange, Failure, Progress, RequestTerms};
use crate::metrics::ContractPart;
use crate::pipeline::record::Record;
use crate::pipeline::request::{RequestFacts, Target};
use crate::rewrite::is_safe;
use crate::tables;
use crate::trace::TraceContext;
use crate::upstream::{ConnectError, UpstreamConnection};
use crate::worker::Worker;
use gateway_access::authorize::Permit;
use gateway_base::encoding::{cookies_without, query_without};
use gateway_contract::tables::Mode;
use gateway_tls::CERTIFICATE_HEADERS;
use gateway_wire::downstream::Downstream;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::head::{Field, RequestHead};
use gateway_wire::http1::names::{FieldClass, is_same_name_ignoring_punctuation};
use gateway_wire::locations::Locations;
use gateway_wire::peer::ClientCertificate;
use gateway_wire::reject::Reject;
use gateway_wire::response::{ResponseTerms, is_named, write_edits, write_field, write_length};

/// The gateway's name in `Via` (RFC 9110 §7.6.3).
const OUR_NAME: &[u8] = b" gateway\r\n";

/// A request that may be sent, with everything it takes.
pub(crate) struct Forwarding {
    operation: &'static PreparedOperation,
    to: &'static PreparedForward,
    terms: RequestTerms,
    /// The body that goes to the upstream instead of the client's, which is in the inbox.
    pub(crate) body: Option<Vec<u8>>,
    /// How the upstream's addresses look to the client.
    locations: Option<Locations>,
}

/// How forwarding ended.
pub(crate) enum Forwarded {
    /// The client has the whole response.
    Answered(Progress),
    /// The client is gone, or has to be cut off in the middle of the response.
    Cut(Progress, Option<Reject>),
    /// The client gets this refusal.
    Refused(Progress, Reject),
}

/// What a request is prepared from.
pub(crate) struct ForwardRequest<'a> {
    pub(crate) deployment: &'static Deployment,
    pub(crate) peer: IpAddr,
    pub(crate) peer_text: &'a str,
    /// The version of HTTP that the request came in.
    pub(crate) version: &'static str,
    pub(crate) is_https: bool,
    /// Where the operation asks for one.
    pub(crate) certificate: Option<&'a ClientCertificate>,
    pub(crate) operation: &'static PreparedOperation,
    pub(crate) to: &'static PreparedForward,
    /// Of the path's template, where there is one.
    pub(crate) params: Option<&'a Params<'a>>,
    /// As received, or as rules have made it.
    pub(crate) path: &'a RequestPath<'a>,
    /// As received, or as rules have made it.
    pub(crate) query: Option<&'a str>,
    /// The body without the credentials in it, where it is not as received.
    pub(crate) form: Option<&'a [u8]>,
}

impl ForwardRequest<'_> {
    /// Writes the head that the upstream gets. It takes a permit, so nothing is forwarded without a decision.
    ///
    /// # Errors
    /// 400 where a rewrite makes a path that would reach somewhere else.
    pub(crate) fn prepare(
        &self,
        permit: &Permit,
        request: &RequestHead<'_>,
        target: &Target<'_>,
        facts: &RequestFacts,
        request_id: &str,
        trace: &TraceContext,
    ) -> Result<Forwarding, Reject> {
        let mut head = Vec::with_capacity(1024);
        head.extend_from_slice(request.method.as_bytes());
        head.push(b' ');
        head.extend_from_slice(self.to.endpoint.prefix.as_bytes());
        self.write_path(&mut head)?;
        self.write_query(&mut head);
        head.extend_from_slice(b" HTTP/1.1\r\n");
        let base = self.write_fields(&mut head, request, target, request_id, trace);
        self.write_identity(&mut head, permit);
        if let Some(certificate) = self.certificate {
            write_field(&mut head, CERTIFICATE_HEADERS[0], certificate.says.subject.as_bytes());
            write_field(&mut head, CERTIFICATE_HEADERS[1], certificate.fingerprint.to_hex().as_bytes());
        }
        let body = self.form.map_or(facts.body, |form| BodyLength::Exactly(form.len() as u64));
        match body {
            BodyLength::Exactly(length) => write_length(&mut head, length),
            BodyLength::Chunked => head.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            // Some servers answer 411 to a POST that does not say that it has no body.
            BodyLength::None if matches!(request.method, "POST" | "PUT" | "PATCH") => write_length(&mut head, 0),
            BodyLength::None | BodyLength::UntilClose => {}
        }
        if facts.expects_continue {
            head.extend_from_slice(b"Expect: 100-continue\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let table = self.operation.table;
        let terms = RequestTerms {
            head,
            body,
            max_body: table.max_body.0,
            expects_continue: facts.expects_continue,
            response_timeout: self.to.upstream.response_timeout,
            idle_timeout: self.to.upstream.idle_timeout,
            least_rate: self.deployment.settings.limits.body_rate,
            credentials: &self.deployment.deciding_fields,
            most_response_fields: self.deployment.settings.limits.response_fields,
        };
        let locations = (self.to.upstream.locations == tables::Locations::Translate).then(|| Locations {
            host: &self.to.endpoint.host,
            port: self.to.endpoint.port,
            prefix: &self.to.endpoint.prefix,
            base,
            preserved_host: target.host.filter(|_| self.to.upstream.preserve_host).map(str::to_owned),
        });
        let body = self.form.map(<[u8]>::to_vec);
        Ok(Forwarding { operation: self.operation, to: self.to, terms, body, locations })
    }

    /// Writes the caller's identity for the upstream. What a client sent in these fields was dropped before.
    fn write_identity(&self, head: &mut Vec<u8>, permit: &Permit) {
        let Some(caller) = permit.caller() else { return };
        let names = &self.operation.api.identity_headers;
        for (name, value) in [(names.client, &caller.client), (names.user, &caller.user)] {
            // A foreign provider chooses these; a value that no header can hold is left out.
            if let Some(value) = value.as_ref().filter(|value| value.bytes().all(|byte| (b' '..0x7f).contains(&byte))) {
                write_field(head, name, value.as_bytes());
            }
        }
        let Some(identity) = &caller.identity else { return };
        write_field(head, names.consumer, identity.consumer.username.as_bytes());
        if let Some(credential) = &identity.credential {
            write_field(head, names.credential, credential.as_bytes());
        }
        if let Some(custom_id) = &identity.consumer.custom_id {
            write_field(head, names.custom_id, custom_id.as_bytes());
        }
    }

    fn write_path(&self, head: &mut Vec<u8>) -> Result<(), Reject> {
        let start = head.len();
        match &self.to.rewrite {
            PreparedTarget::Received { base } => head.extend_from_slice(self.path_below(base).as_bytes()),
            PreparedTarget::Path(template) => template.fill(head, |name| Some(self.params?.get(name)?.wire)),
            PreparedTarget::With { base, rewrite } => {
                let below = self.path_below(base);
                match rewrite.rewrite(below) {
                    Some(new) => head.extend_from_slice(new.as_bytes()),
                    None => head.extend_from_slice(below.as_bytes()),
                }
            }
        }
        if head.len() == start {
            head.push(b'/');
        }
        let rewritten = !matches!(self.to.rewrite, PreparedTarget::Received { .. });
        if rewritten && !is_safe(&head[start..]) {
            return Err(Reject::BadRequest("the rewritten path would reach somewhere else"));
        }
        Ok(())
    }

    /// The path as received, less the base path.
    fn path_below(&self, base: &str) -> &str {
        if base.is_empty() {
            return self.path.wire();
        }
        self.path.wire_of(base.len().min(self.path.canonical().len())..self.path.canonical().len())
    }

    fn write_query(&self, head: &mut Vec<u8>) {
        let Some(query) = self.query else { return };
        let hidden = &self.operation.hidden.query;
        let kept = if hidden.is_empty() { Some(query.into()) } else { query_without(query, hidden) };
        if let Some(kept) = kept {
            head.push(b'?');
            head.extend_from_slice(kept.as_bytes());
        }
    }

    /// Says what the client has in front of the upstream's paths.
    fn write_fields(
        &self,
        head: &mut Vec<u8>,
        request: &RequestHead<'_>,
        target: &Target<'_>,
        request_id: &str,
        trace: &TraceContext,
    ) -> String {
        let operation = self.operation;
        let trusted = self.deployment.trusts(self.peer);
        // A client that names no host leaves it to us.
        let host = target.host.filter(|host| self.to.upstream.preserve_host && !host.is_empty());
        write_field(head, "Host", host.unwrap_or(&self.to.endpoint.authority).as_bytes());
        let classify = |field: &Field<'_>| self.deployment.request_fields.classify(field.name);
        let has_options = request.fields.iter().any(|field| classify(field) == FieldClass::Connection);
        let edits = &operation.table.request_headers;
        // What is coded cannot be checked.
        let checks_response =
            operation.contract.as_ref().is_some_and(|contract| contract.described.response_mode() != Mode::Off);
        let hides =
            |name: &str| operation.hidden.headers.iter().any(|hidden| is_same_name_ignoring_punctuation(hidden, name));
        let mut forwarded = Origin::default();
        for field in request.fields {
            match classify(field) {
                FieldClass::EndToEnd if checks_response && field.name.eq_ignore_ascii_case("accept-encoding") => {}
                FieldClass::EndToEnd => {
                    let hidden = hides(field.name);
                    let about_connection =
                        has_options && is_named(request.fields, &self.deployment.request_fields, field.name);
                    if !hidden && !about_connection && !edits.replaces(field.name) {
                        write_field(head, field.name, field.value);
                    }
                }
                FieldClass::Cookie if hides(field.name) => {}
                FieldClass::Cookie if operation.hidden.cookies.is_empty() && !edits.replaces(field.name) => {
                    write_field(head, field.name, field.value)
                }
                FieldClass::Cookie if !edits.replaces(field.name) => {
                    if let Some(value) = cookies_without(field.value, &operation.hidden.cookies) {
                        write_field(head, field.name, &value);
                    }
                }
                FieldClass::TraceState if trace.is_received() && !edits.replaces(field.name) => {
                    write_field(head, field.name, field.value);
                }
                FieldClass::Via => write_field(head, "Via", field.value),
                FieldClass::ForwardedFor if trusted => forwarded.chain.push(field.value),
                FieldClass::ForwardedHost if trusted => forwarded.host = Some(field.value),
                FieldClass::ForwardedPrefix if trusted => forwarded.prefix = Some(field.value),
                _ => {}
            }
        }
        for part in [b"Via: ", self.version.as_bytes(), OUR_NAME] {
            head.extend_from_slice(part);
        }
        forwarded.write(head, self.peer_text, self.is_https, target.host);
        let base = forwarded.base(self.to.base);
        // Where the path is another one as a whole, there is nothing in front of it.
        if !base.is_empty() && !matches!(self.to.rewrite, PreparedTarget::Path(_)) {
            write_field(head, "X-Forwarded-Prefix", base.as_bytes());
        }
        write_field(head, "X-Request-Id", request_id.as_bytes());
        if !edits.replaces("traceparent") {
            write_field(head, "Traceparent", trace.as_bytes());
        }
        write_edits(head, edits);
        base
    }
}

/// Where the request came from, as far as a trusted proxy says.
#[derive(Default)]
struct Origin<'a> {
    chain: Vec<&'a [u8]>,
    host: Option<&'a [u8]>,
    /// What it has taken off the path.
    prefix: Option<&'a [u8]>,
}

impl Origin<'_> {
    /// The prefix of the upstream's paths for the client, where the gateway takes `base` off.
    fn base(&self, base: &str) -> String {
        let is_path = |prefix: &&str| {
            prefix.starts_with('/')
                && !prefix.starts_with("//")
                && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte))
        };
        let prefix = self.prefix.and_then(|prefix| std::str::from_utf8(prefix).ok()).filter(is_path);
        format!("{}{base}", prefix.unwrap_or_default().trim_end_matches('/'))
    }

    fn write(&self, head: &mut Vec<u8>, peer: &str, is_https: bool, host: Option<&str>) {
        head.extend_from_slice(b"X-Forwarded-For: ");
        for address in &self.chain {
            head.extend_from_slice(address);
            head.extend_from_slice(b", ");
        }
        head.extend_from_slice(peer.as_bytes());
        head.extend_from_slice(b"\r\n");
        write_field(head, "X-Forwarded-Proto", if is_https { b"https" } else { b"http" });
        if let Some(host) = self.host.or(host.map(str::as_bytes)) {
            write_field(head, "X-Forwarded-Host", host);
        }
    }
}

/// Sends the request, again if a kept connection turns out to be closed, and streams both bodies.
pub(crate) async fn forward<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    forwarding: Forwarding,
    record: &mut Record<'_>,
) -> Forwarded
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Forwarding { operation, to, terms, body, locations } = forwarding;
    if let (Some(body), BodyLength::Exactly(length)) = (body, record.facts.body) {
        let start = record.head.length();
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        record.facts.body = BodyLength::Exactly(body.len() as u64);
        down.inbox.splice(start..end.min(down.inbox.len()), body);
    }
    record.upstream_started = Some(worker.now());
    let mut watch = None;
    let forwarded = send(worker, down, operation, to, &terms, locations.as_ref(), record, &mut watch).await;
    if let Some(watch) = watch {
        match forwarded {
            Forwarded::Refused(_, Reject::InvalidResponse(_)) => record.count_refusal(ContractPart::Response),
            _ => record.observe(ContractPart::Response, &watch.findings),
        }
    }
    forwarded
}

#[expect(clippy::too_many_arguments, reason = "each is one fact about the exchange; a struct would only rename them")]
async fn send<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    operation: &'static PreparedOperation,
    to: &'static PreparedForward,
    terms: &RequestTerms,
    locations: Option<&Locations>,
    record: &Record<'_>,
    watch: &mut Option<Watch>,
) -> Forwarded
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let deployment = record.serving.deployment;
    let date = worker.date();
    let response = ResponseTerms {
        to_head: record.facts.to_head,
        client_is_http11: record.facts.is_http11,
        client_keeps_alive: record.facts.keep_alive,
        draining: &worker.draining,
        fields: &deployment.response_fields,
        edits: &operation.table.response_headers,
        request_id: &record.request_id,
        date: &date,
        limits: record.limit_fields(),
        hsts: record.hsts(),
        locations,
    };
    let mut kept = worker.pool.take(&to.endpoint);
    loop {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => match connect(worker, to).await {
                Ok(connection) => connection,
                Err(reject) => return Forwarded::Refused(Progress::default(), reject),
            },
        };
        *watch = Watch::new(operation.contract.as_deref(), &deployment.bodies);
        let fields = &deployment.request_fields;
        let exchange =
            Exchange::new(down, &mut connection, terms, &response, fields, watch.as_mut(), worker.recently());
        let (progress, result) = exchange.run().await;
        match result {
            Ok(()) => {
                if progress.reusable {
                    worker.pool.put(&to.endpoint, connection, worker.recently());
                }
                return Forwarded::Answered(progress);
            }
            // A proxy must not repeat what is not idempotent (RFC 9112 §9.3.1): the upstream may have acted on it.
            Err(Failure::Stale) if record.facts.is_idempotent && progress.replayable => {
                down.used = record.head.length()
            }
            Err(Failure::Stale) => {
                return Forwarded::Refused(
                    progress,
                    Reject::UpstreamBroken("closed a kept connection before any byte of the response"),
                );
            }
            Err(Failure::ClientGone) => return Forwarded::Cut(progress, None),
            Err(Failure::Aborted(reject)) => return Forwarded::Cut(progress, Some(reject)),
            Err(Failure::Rejected(reject)) => return Forwarded::Refused(progress, reject),
        }
    }
}

async fn connect(worker: &Worker, to: &PreparedForward) -> Result<UpstreamConnection, Reject> {
    let connection =
        worker.pool.connect(&to.endpoint, to.upstream.connect_timeout).await.map_err(|error| match error {
            ConnectError::Unreachable => Reject::UpstreamUnreachable,
            ConnectError::Timeout => Reject::UpstreamTimeout,
            ConnectError::Untrusted(why) => Reject::UpstreamUntrusted(why),
        })?;
    worker.process.upstream_connects.fetch_add(1, Relaxed);
    Ok(connection)
}
