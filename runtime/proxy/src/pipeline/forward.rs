//! Makes what a permitted request is to its upstream.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use gateway_route::{Params, RequestPath};
use tokio::time::Instant;

use crate::cache::conditions::SET_ASIDE;
use crate::cache::purge::Purging;
use crate::cache::request::Caching;
use crate::deployment::{Alternative, Deployment, PreparedForward, PreparedOperation, PreparedTarget};
use crate::exchange::{RequestTerms, UpgradeTerms};
use crate::mirror::{CopyTerms, Copying};
use crate::pipeline::grpc;
use crate::pipeline::record::Record;
use crate::pipeline::request::{self, Target};
use crate::pipeline::upgrade::{Asked, accept_of, subprotocols_without};
use crate::rewrite::is_safe;
use crate::tables::{self, ForwardedFields};
use crate::upstream::Endpoint;
use crate::upstream::cluster::Described;
use crate::upstream::credential::{self, END};
use gateway_access::authorize::Permit;
use gateway_access::challenges::HiddenCredentials;
use gateway_access::request_view::SUBPROTOCOLS;
use gateway_access::upstream_auth::{PreparedCredential, SecretField};
use gateway_base::address::parse_address;
use gateway_base::encoding::{cookies_without, query_without};
use gateway_contract::tables::Mode;
use gateway_tls::CERTIFICATE_HEADERS;
use gateway_wire::forwarded::{Element, TrustedFields, elements, write_node, write_pair};
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::connection::ConnectionOptions;
use gateway_wire::http1::head::{Field, RequestHead};
use gateway_wire::http1::names::{FieldClass, is_same_name_ignoring_punctuation};
use gateway_wire::locations::Locations;
use gateway_wire::peer::ClientCertificate;
use gateway_wire::reject::Reject;
use gateway_wire::response::{write_edits, write_field, write_length};

/// The gateway's name in `Via` (RFC 9110 §7.6.3).
const OUR_NAME: &[u8] = b" gateway\r\n";

/// A request that may be sent, with everything it takes.
pub(crate) struct Forwarding {
    pub(crate) operation: &'static PreparedOperation,
    pub(crate) to: &'static PreparedForward,
    /// The upstream as it was described when the request came.
    pub(crate) described: &'static Described,
    /// When the client gives up, where it says so: that is no failure of the upstream.
    pub(crate) client_ends: Option<Instant>,
    pub(crate) terms: RequestTerms,
    /// The body that goes to the upstream instead of the client's, which is in the inbox.
    pub(crate) body: Option<Vec<u8>>,
    /// How the upstream's own addresses look to the client.
    pub(crate) addresses: PublicAddresses,
    /// Where the value of `Host` is in the head, if it is the endpoint's own.
    pub(crate) host_at: Option<Range<usize>>,
    /// Of the parts of the request that choose the endpoint.
    pub(crate) hash: Option<u64>,
    /// The digest of the content in hexadecimal, where a signature covers it.
    pub(crate) content_digest: Option<String>,
    /// The token that the request carries, where that is fetched.
    pub(crate) token: Option<Arc<SecretField>>,
    /// So many bytes at the end of the head, before the empty line, are said anew for each try.
    own_fields: usize,
    /// What it goes to instead of the operation's own upstream.
    pub(crate) other: Option<&'static Alternative>,
    /// What is stored of its path goes once it is answered.
    pub(crate) purging: Option<Box<Purging>>,
    /// What the cache knows of it, where its response may be stored, or come from the store. Boxed: few requests have it.
    pub(crate) caching: Option<Box<Caching>>,
}

impl Forwarding {
    /// Makes the head of a try at this endpoint, in place of that of the one before.
    pub(crate) fn begin_try(&mut self, attempt: u32, endpoint: &Endpoint) {
        if self.own_fields > 0 {
            let head = &mut self.terms.head;
            head.truncate(head.len() - self.own_fields - END.len());
            head.extend_from_slice(END);
            self.own_fields = 0;
        }
        if self.described.upstream.retry.is_some_and(|rule| rule.attempt_header) {
            let line = format!("X-Gateway-Attempt: {attempt}\r\n");
            credential::insert(&mut self.terms.head, line.as_bytes(), 0);
            self.own_fields += line.len();
        }
        self.address_to(endpoint);
        if let Some(PreparedCredential::Signature(signer)) = &self.to.cluster.credential {
            self.own_fields += credential::sign(&mut self.terms.head, &**signer, self.content_digest.as_deref());
        }
    }

    /// Adds a field that stays.
    pub(crate) fn add_field(&mut self, line: &[u8]) {
        credential::insert(&mut self.terms.head, line, self.own_fields);
    }

    /// Writes the name of another endpoint into the head, where that is named there.
    fn address_to(&mut self, endpoint: &Endpoint) {
        endpoint.write_name(&mut self.terms.head, &mut self.host_at);
    }
}

/// How the upstream's own addresses look to the client of one request.
pub(crate) struct PublicAddresses {
    pub(crate) described: &'static Described,
    /// What they are under; `None` where they stay as they are.
    pub(crate) base: Option<Cow<'static, str>>,
    /// The client's `Host`, where the upstream sees it.
    preserved_host: Option<String>,
}

impl PublicAddresses {
    /// The same for one response, where they are translated.
    pub(crate) fn locations(&self) -> Option<Locations> {
        Some(Locations {
            addresses: self.described,
            // All endpoints have the prefix of the first.
            prefix: &self.described.endpoints[0].prefix,
            base: self.base.as_deref()?.to_owned(),
            preserved_host: self.preserved_host.clone(),
            translates: self.described.upstream.locations == tables::Locations::Translate,
            cookies: self.described.upstream.cookies,
        })
    }
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
    /// Its upstream as it is described now.
    pub(crate) described: &'static Described,
    /// Of the path's template, where there is one.
    pub(crate) params: Option<&'a Params<'a>>,
    /// As received, or as rules have made it.
    pub(crate) path: &'a RequestPath<'a>,
    /// As received, or as rules have made it.
    pub(crate) query: Option<&'a str>,
    /// The body without the credentials in it, where it is not as received.
    pub(crate) form: Option<&'a [u8]>,
    /// Of the parts of the request that choose the endpoint.
    pub(crate) hash: Option<u64>,
    /// Those that the operation sets to secrets.
    pub(crate) secret_fields: &'static [SecretField],
    /// What is left out.
    pub(crate) hidden: &'static HiddenCredentials,
    /// Its response may be stored: what the client has already is no matter of the upstream's.
    pub(crate) is_cached: bool,
    /// What it asks to switch to, where the operation admits that.
    pub(crate) upgrade: Option<Asked>,
    /// When the tunnel that comes of it ends at the latest.
    pub(crate) tunnel_ends: Option<Instant>,
}

/// The head that an upstream gets, up to the framing of the body.
struct BegunHead {
    head: Vec<u8>,
    /// Where the value of `Host` is in the head, if it is the endpoint's own.
    host_at: Option<Range<usize>>,
}

impl ForwardRequest<'_> {
    /// How the upstream's own addresses look to the client.
    pub(crate) fn addresses(&self, origin: &Origin<'_>, target: &Target<'_>) -> PublicAddresses {
        let upstream = self.described.upstream;
        let translates = upstream.locations == tables::Locations::Translate;
        let is_rewritten = translates || upstream.cookies != tables::Cookies::KEEP;
        let preserved_host = target.host.filter(|_| translates && upstream.preserve_host);
        PublicAddresses {
            described: self.described,
            base: is_rewritten.then(|| origin.base(self.to.base)),
            preserved_host: preserved_host.map(str::to_owned),
        }
    }

    /// Where the request came from, as far as a trusted proxy says.
    pub(crate) fn origin<'r>(&self, request: &RequestHead<'r>) -> Origin<'r> {
        let mut origin = Origin::default();
        if !self.deployment.trusts(self.peer) {
            return origin;
        }
        let trusted = self.deployment.trusted_fields;
        for field in request.fields {
            match (self.deployment.request_fields.classify(field.name), trusted) {
                (FieldClass::ForwardedFor, TrustedFields::XForwarded) => origin.chain.push(field.value),
                (FieldClass::ForwardedHost, TrustedFields::XForwarded) => origin.host = Some(field.value),
                (FieldClass::ForwardedPrefix, TrustedFields::XForwarded) => origin.prefix = Some(field.value),
                (FieldClass::Forwarded, TrustedFields::Rfc7239) => origin.elements.push(field.value),
                _ => {}
            }
        }
        origin
    }

    /// Writes the head that the upstream gets. It takes a permit, so nothing is forwarded without a decision.
    ///
    /// # Errors
    /// 400 where a rewrite makes a path that would reach somewhere else.
    pub(crate) fn prepare(
        &self,
        permit: &Permit,
        request: &RequestHead<'_>,
        target: &Target<'_>,
        origin: &Origin<'_>,
        addresses: PublicAddresses,
        record: &Record<'_>,
    ) -> Result<Forwarding, Reject> {
        let upstream = self.described.upstream;
        let facts = &record.facts;
        let BegunHead { mut head, host_at } = self.head(permit, request, target, origin, record)?;
        let body = self.form.map_or(facts.body, |form| BodyLength::Exactly(form.len() as u64));
        match body {
            BodyLength::Exactly(length) => write_length(&mut head, length),
            BodyLength::Chunked => head.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            BodyLength::None if says_length(request.method) => write_length(&mut head, 0),
            BodyLength::None | BodyLength::UntilClose => {}
        }
        if let Some(Asked { protocol, .. }) = self.upgrade {
            write_field(&mut head, "Connection", b"Upgrade");
            write_field(&mut head, "Upgrade", protocol.as_bytes());
        }
        if facts.expects_continue {
            head.extend_from_slice(b"Expect: 100-continue\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let table = self.operation.table;
        let client_ends = self.call_ends(request);
        let terms = RequestTerms {
            head,
            body,
            max_body: table.max_body.0,
            expects_continue: facts.expects_continue,
            response_timeout: upstream.response_timeout,
            idle_timeout: upstream.idle_timeout,
            head_within: upstream.retry.and_then(|retry| retry.per_try),
            end_by: client_ends,
            keeps_body: upstream.retry.is_some(),
            copies_body: false,
            copy: Cell::new(None),
            least_rate: self.deployment.settings.limits.body_rate,
            credentials: &self.deployment.deciding_fields,
            most_response_fields: self.deployment.settings.limits.response_fields,
            upgrade: self.upgrade_terms(request),
        };
        Ok(Forwarding {
            operation: self.operation,
            to: self.to,
            described: self.described,
            client_ends,
            terms,
            body: self.form.map(<[u8]>::to_vec),
            addresses,
            host_at,
            hash: self.hash,
            content_digest: None,
            token: None,
            own_fields: 0,
            other: None,
            purging: None,
            caching: None,
        })
    }

    /// Writes the head of a copy for another upstream.
    ///
    /// # Errors
    /// 400 where a rewrite makes a path that would reach somewhere else.
    pub(crate) fn copy(
        &self,
        permit: &Permit,
        request: &RequestHead<'_>,
        target: &Target<'_>,
        origin: &Origin<'_>,
        record: &Record<'_>,
        random: u64,
    ) -> Result<Box<Copying>, Reject> {
        let BegunHead { mut head, host_at } = self.head(permit, request, target, origin, record)?;
        // A service can spare copies their effects.
        write_field(&mut head, "X-Gateway-Mirror", b"true");
        Ok(Copying::new(CopyTerms {
            cluster: &self.to.cluster,
            fields: &self.deployment.response_fields,
            most_fields: self.deployment.settings.limits.response_fields,
            head,
            host_at,
            says_length: says_length(request.method),
            to_head: request.method == "HEAD",
            hash: self.hash,
            random,
            body: self.form.map(<[u8]>::to_vec),
        }))
    }

    /// The head up to the framing of the body.
    ///
    /// # Errors
    /// 400 where a rewrite makes a path that would reach somewhere else.
    fn head(
        &self,
        permit: &Permit,
        request: &RequestHead<'_>,
        target: &Target<'_>,
        origin: &Origin<'_>,
        record: &Record<'_>,
    ) -> Result<BegunHead, Reject> {
        let mut head = Vec::with_capacity(1024);
        head.extend_from_slice(request.method.as_bytes());
        head.push(b' ');
        head.extend_from_slice(self.described.endpoints[0].prefix.as_bytes());
        self.write_path(&mut head)?;
        self.write_query(&mut head);
        head.extend_from_slice(b" HTTP/1.1\r\n");
        let host_at = self.write_fields(&mut head, request, target, origin, record);
        self.write_identity(&mut head, permit);
        self.secret_fields.iter().for_each(|field| head.extend_from_slice(field.line()));
        if let Some(PreparedCredential::Field(field)) = &self.to.cluster.credential {
            head.extend_from_slice(field.line());
        }
        if let Some(certificate) = self.certificate {
            write_field(&mut head, CERTIFICATE_HEADERS[0], certificate.says.subject.as_bytes());
            write_field(&mut head, CERTIFICATE_HEADERS[1], certificate.fingerprint.to_hex().as_bytes());
        }
        Ok(BegunHead { head, host_at })
    }

    /// What holds for the switch that it asks for.
    fn upgrade_terms(&self, request: &RequestHead<'_>) -> Option<Box<UpgradeTerms>> {
        let Asked { protocol, is_connect } = self.upgrade?;
        let idle = self.operation.table.upgrade.as_ref()?.idle;
        let key = request.fields.iter().find(|field| field.name.eq_ignore_ascii_case("sec-websocket-key"));
        let accept = key.filter(|_| is_connect).map(|key| accept_of(key.value));
        Some(Box::new(UpgradeTerms { protocol, is_connect, accept, idle, ends: self.tunnel_ends }))
    }

    /// When a call of gRPC ends, where the client says so. Only upstreams that speak HTTP/2 have any.
    fn call_ends(&self, request: &RequestHead<'_>) -> Option<Instant> {
        if !self.described.endpoints[0].is_http2 {
            return None;
        }
        let is_call = |field: &&Field<'_>| field.name.eq_ignore_ascii_case("grpc-timeout");
        // The upstream may go by either of two.
        let after =
            request.fields.iter().filter(is_call).filter_map(|field| grpc::timeout(field.value.trim_ascii())).min()?;
        Instant::now().checked_add(after)
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
        let hidden = &self.hidden.query;
        let kept = if hidden.is_empty() { Some(query.into()) } else { query_without(query, hidden) };
        if let Some(kept) = kept {
            head.push(b'?');
            head.extend_from_slice(kept.as_bytes());
        }
    }

    /// Says where the endpoint's own name is.
    fn write_fields(
        &self,
        head: &mut Vec<u8>,
        request: &RequestHead<'_>,
        target: &Target<'_>,
        origin: &Origin<'_>,
        record: &Record<'_>,
    ) -> Option<Range<usize>> {
        let (operation, upstream) = (self.operation, self.described.upstream);
        // A client that names no host leaves it to us.
        let host = target.host.filter(|host| upstream.preserve_host && !host.is_empty());
        let authority = host.unwrap_or(&self.described.endpoints[0].authority);
        write_field(head, "Host", authority.as_bytes());
        let end = head.len() - b"\r\n".len();
        let host_at = host.is_none().then(|| end - authority.len()..end);
        let classify = |field: &Field<'_>| self.deployment.request_fields.classify(field.name);
        let of_connection = ConnectionOptions::of(request.fields, &self.deployment.request_fields);
        let edits = &operation.table.request_headers;
        // What is coded cannot be checked.
        let checks_response =
            operation.contract.as_ref().is_some_and(|contract| contract.described.response_mode() != Mode::Off);
        let hides =
            |name: &str| self.hidden.headers.iter().any(|hidden| is_same_name_ignoring_punctuation(hidden, name));
        let hidden_subprotocols = &self.hidden.subprotocols;
        let numbers = upstream.retry.is_some_and(|retry| retry.attempt_header);
        let credential = self.to.cluster.credential.as_ref();
        let left = request::max_forwards(request).unwrap_or_default();
        for field in request.fields {
            match classify(field) {
                FieldClass::EndToEnd
                    if numbers && is_same_name_ignoring_punctuation("X-Gateway-Attempt", field.name) => {}
                FieldClass::EndToEnd if credential.is_some_and(|credential| credential.replaces(field.name)) => {}
                FieldClass::EndToEnd if left.is_some() && field.name.eq_ignore_ascii_case("max-forwards") => {
                    if let Some(left) = left.filter(|_| !edits.replaces(field.name)) {
                        write_field(head, field.name, left.saturating_sub(1).to_string().as_bytes());
                    }
                }
                FieldClass::EndToEnd
                    if self.is_cached && SET_ASIDE.iter().any(|name| field.name.eq_ignore_ascii_case(name)) => {}
                FieldClass::EndToEnd
                    if self.is_cached
                        && operation.table.compression.is_some()
                        && field.name.eq_ignore_ascii_case("accept-encoding") => {}
                FieldClass::EndToEnd if checks_response && field.name.eq_ignore_ascii_case("accept-encoding") => {}
                FieldClass::EndToEnd
                    if !hidden_subprotocols.is_empty()
                        && is_same_name_ignoring_punctuation(SUBPROTOCOLS, field.name) =>
                {
                    if let Some(value) = subprotocols_without(field.value, hidden_subprotocols)
                        && !edits.replaces(field.name)
                    {
                        write_field(head, field.name, &value);
                    }
                }
                FieldClass::EndToEnd
                    if !hides(field.name) && !of_connection.has(field.name) && !edits.replaces(field.name) =>
                {
                    write_field(head, field.name, field.value);
                }
                FieldClass::Cookie if hides(field.name) || of_connection.has(field.name) => {}
                FieldClass::Cookie if self.hidden.cookies.is_empty() && !edits.replaces(field.name) => {
                    write_field(head, field.name, field.value)
                }
                FieldClass::Cookie if !edits.replaces(field.name) => {
                    if let Some(value) = cookies_without(field.value, &self.hidden.cookies) {
                        write_field(head, field.name, &value);
                    }
                }
                FieldClass::TraceState if record.trace.is_received() && !edits.replaces(field.name) => {
                    write_field(head, field.name, field.value);
                }
                FieldClass::Via => write_field(head, "Via", field.value),
                _ => {}
            }
        }
        for part in [b"Via: ", self.version.as_bytes(), OUR_NAME] {
            head.extend_from_slice(part);
        }
        if upstream.forwarded != ForwardedFields::Rfc7239 {
            origin.write(head, self.peer_text, self.is_https, target.host);
        }
        if upstream.forwarded != ForwardedFields::XForwarded {
            origin.write_rfc7239(head, self.peer, self.is_https, target.host);
        }
        let base = origin.base(self.to.base);
        // Where the path is another one as a whole, there is nothing in front of it.
        if !base.is_empty() && !matches!(self.to.rewrite, PreparedTarget::Path(_)) {
            write_field(head, "X-Forwarded-Prefix", base.as_bytes());
        }
        write_field(head, "X-Request-Id", record.request_id.as_bytes());
        if !edits.replaces("traceparent") {
            write_field(head, "Traceparent", record.trace.as_bytes());
        }
        write_edits(head, edits);
        host_at
    }
}

/// Whether a request without a body says so: some servers answer 411 to one that does not.
fn says_length(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH")
}

/// Where the request came from, as far as a trusted proxy says.
#[derive(Default)]
pub(crate) struct Origin<'a> {
    chain: Vec<&'a [u8]>,
    /// The same in values of `Forwarded`: only one of the two counts.
    elements: Vec<&'a [u8]>,
    host: Option<&'a [u8]>,
    /// What it has taken off the path.
    prefix: Option<&'a [u8]>,
}

impl Origin<'_> {
    /// The prefix of the upstream's paths for the client, where the gateway takes `base` off.
    fn base(&self, base: &'static str) -> Cow<'static, str> {
        let is_path = |prefix: &&str| {
            prefix.starts_with('/')
                && !prefix.starts_with("//")
                && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+=:@%/".contains(&byte))
        };
        let prefix = self.prefix.and_then(|prefix| std::str::from_utf8(prefix).ok()).filter(is_path);
        match prefix.map(|prefix| prefix.trim_end_matches('/')) {
            None | Some("") => base.into(),
            Some(prefix) => format!("{prefix}{base}").into(),
        }
    }

    /// The elements of the trusted proxies, as far as they are some.
    fn elements(&self) -> impl DoubleEndedIterator<Item = Element<'_>> {
        self.elements.iter().flat_map(|value| elements(value)).flatten()
    }

    /// Writes `X-Forwarded-For`, `-Proto` and `-Host`.
    fn write(&self, head: &mut Vec<u8>, peer: &str, is_https: bool, host: Option<&str>) {
        head.extend_from_slice(b"X-Forwarded-For: ");
        for address in &self.chain {
            head.extend_from_slice(address);
            head.extend_from_slice(b", ");
        }
        for element in self.elements() {
            match element.address() {
                Some(address) => head.extend_from_slice(address.to_string().as_bytes()),
                None => head.extend_from_slice(b"unknown"),
            }
            head.extend_from_slice(b", ");
        }
        head.extend_from_slice(peer.as_bytes());
        head.extend_from_slice(b"\r\n");
        write_field(head, "X-Forwarded-Proto", if is_https { b"https" } else { b"http" });
        let named = self.elements().rev().find_map(|element| element.host);
        if let Some(host) = named.as_ref().map(|host| host.as_bytes()).or(self.host).or(host.map(str::as_bytes)) {
            write_field(head, "X-Forwarded-Host", host);
        }
    }

    /// Writes `Forwarded` (RFC 7239): an element for each proxy before this one, and then its own. Which address the gateway
    /// has (`by`) is hidden from the upstream.
    fn write_rfc7239(&self, head: &mut Vec<u8>, peer: IpAddr, is_https: bool, host: Option<&str>) {
        head.extend_from_slice(b"Forwarded: ");
        for hop in self.chain.iter().flat_map(|field| field.split(|byte| *byte == b',')) {
            let text = std::str::from_utf8(hop.trim_ascii()).unwrap_or_default();
            if hop.trim_ascii().is_empty() {
                continue;
            }
            write_node(head, parse_address(text).map(|address| address.to_canonical()));
            head.extend_from_slice(b", ");
        }
        for element in self.elements() {
            element.write(head);
            head.extend_from_slice(b", ");
        }
        write_node(head, Some(peer));
        let named = self.host.map(|host| std::str::from_utf8(host).unwrap_or_default());
        if let Some(host) = named.or(host).filter(|host| !host.is_empty()) {
            head.push(b';');
            write_pair(head, "host", host);
        }
        head.extend_from_slice(if is_https { b";proto=https\r\n" } else { b";proto=http\r\n" });
    }
}
