//! The steps that follow once the operation of a request is known. Each takes what the one before it has made, so that a
//! request that has waited goes on from its step.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cache::ResponseCache;
use crate::cache::conditions::{FOR_UPSTREAM, SET_ASIDE};
use crate::cache::directives::RequestDirectives;
use crate::cache::freshness::Moment;
use crate::cache::key::KeyParts;
use crate::cache::lines::Lines;
use crate::cache::purge::{Purging, tag_of};
use crate::cache::request::{Caching, Lookup, Place};
use crate::cache::status::{Outcome, Status};
use crate::compression::choice::Offer;
use crate::deployment::{Alternative, Deployment, PreparedAction, PreparedForward, PreparedMirror, PreparedSplit};
use crate::mirror::{Copying, MOST_BODY};
use crate::pipeline::cached;
use crate::pipeline::contract::{self, Need};
use crate::pipeline::forward::{ForwardRequest, Forwarding, Origin, PublicAddresses};
use crate::pipeline::pause::{Answers, Pause, Paused, Stage, Stop};
use crate::pipeline::record::{Ending, Record};
use crate::pipeline::request::{self, Request};
use crate::pipeline::route::Routed;
use crate::pipeline::stored::Serve;
use crate::pipeline::upgrade::{self, Asked};
use crate::tables::{Balance, Cache, CacheKey, HashKey, IdentityHeaders, Share, Upstream};
use crate::upstream::cluster::CopyOutcome;
use crate::upstream::hash::hash;
use crate::worker::Worker;
use gateway_access::authorize::{self, Guesses, NoPermit, Permit, PreparedRequirement};
use gateway_access::builtin::{Answer, Call, PreparedBuiltin};
use gateway_access::challenges::HiddenCredentials;
use gateway_access::failed_authentication::Attempts;
use gateway_access::limit_key::{Subject, client_address};
use gateway_access::request_view::{CredentialLocation, RequestView};
use gateway_access::upstream_auth::{PreparedCredential, RequestSigner};
use gateway_base::address::Address;
use gateway_base::digest::Digest;
use gateway_base::encoding::{form_encode, query_without};
use gateway_limits::rule::KeyParts as _;
use gateway_limits::shared::Charging;
use gateway_limits::tables::LimitKey;
use gateway_wire::answer::OwnAnswer;
use gateway_wire::downstream::Downstream;
use gateway_wire::forwarded::elements;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::connection::ConnectionOptions;
use gateway_wire::http1::head::Field;
use gateway_wire::http1::names::FieldClass;
use gateway_wire::peer::ClientCertificate;
use gateway_wire::reject::Reject;

/// The largest body, in bytes, that a signature for an upstream covers: all of it is in memory.
const MOST_SIGNED: u64 = 16 << 20;

/// A request with its operation, as one run of the steps sees it.
pub(crate) struct Steps<'a, S> {
    worker: &'a Worker,
    deployment: &'static Deployment,
    down: &'a Downstream<S>,
    request: &'a Request<'a>,
    routed: &'a Routed<'a>,
    view: RequestView<'a>,
    /// What it asks to switch to, where the operation admits that.
    upgrade: Option<Asked>,
    /// The content has been asked for; where it was too large, the view has none.
    has_content: bool,
}

impl<'a, S> Steps<'a, S> {
    /// A request; `answers` are those to what had to be known first.
    pub(crate) fn new(
        worker: &'a Worker,
        down: &'a Downstream<S>,
        request: &'a Request<'a>,
        routed: &'a Routed<'a>,
        answers: &'a Answers,
        record: &Record<'_>,
    ) -> Self {
        let Request { head, target, .. } = request;
        let upgrade = upgrade::asked(routed.operation, head, record.head.is_connect());
        let view = RequestView {
            method: head.method,
            target: head.target,
            path: target.path,
            query: target.query,
            authority: target.host,
            is_https: record.is_https,
            certificate: down.tls.as_ref().and_then(|tls| tls.client.as_ref()),
            fields: head.fields,
            body: answers.content.as_ref().and_then(|content| content.bytes(&down.inbox)),
            upgrades: upgrade.is_some(),
            verdicts: &answers.verdicts,
        };
        let has_content = answers.content.is_some();
        Self { worker, deployment: record.serving.deployment, down, request, routed, view, upgrade, has_content }
    }

    /// Authenticates and authorises the caller.
    ///
    /// # Errors
    /// A scheme has to know more first; 302, 400, 401, 403, 429 or 503 for a request that gets no permit.
    pub(crate) fn authorize(&self, mut attempts: Attempts, record: &mut Record<'_>) -> Result<Permit, Stop> {
        let (worker, operation) = (self.worker, self.routed.operation);
        // HEAD that is served as GET is authorised as GET.
        let method = match self.request.head.method {
            "HEAD" if operation.table.method == "GET" => "GET",
            method => method,
        };
        let now = worker.moment(record.started, record.number);
        let guesses = &mut Guesses { address: self.client_address(), attempts: &mut attempts };
        match authorize::authorize(&operation.access, &operation.table.consumers, method, &self.view, now, guesses) {
            Ok(permit) => {
                record.note_permit(&permit);
                Ok(permit)
            }
            // A scheme asks in the middle of this step: with the answer, the step runs again.
            Err(NoPermit::Ask(scheme, question)) => {
                Err(self.wait(Pause::Ask(scheme, question), Stage::Routed(attempts)))
            }
            Err(NoPermit::Reject(reject)) => Err(self.without_permit(reject).into()),
        }
    }

    /// For a request that gets no permit.
    fn without_permit(&self, reject: Reject) -> Ending {
        match reject {
            // People who follow a link can log in and come back; anything else that a browser sends would be lost.
            Reject::LoginRequired { page, .. } if matches!(self.request.head.method, "GET" | "HEAD") => {
                let location = format!("{page}?return={}", form_encode(self.request.head.target.as_bytes()));
                Ending::Answer(Box::new(OwnAnswer::redirect(302, &location)))
            }
            reject => Ending::Reject(reject),
        }
    }

    /// Refuses a body whose length is known to be too large, before any of it is read.
    ///
    /// # Errors
    /// 413.
    pub(crate) fn admit_body(&self, record: &Record<'_>) -> Result<(), Reject> {
        request::admit_body(self.routed.operation, record.facts.body)
    }

    /// Charges the limits of the operation and of the consumer, where there are any.
    ///
    /// # Errors
    /// Stores have to be asked; 429 or 503 where a limit refuses the request.
    pub(crate) fn charge(&self, permit: Permit, record: &mut Record<'_>) -> Result<Permit, Stop> {
        let identity = permit.caller().and_then(|caller| caller.identity.as_ref());
        let own = identity.map_or(&[][..], |identity| &identity.consumer.limits);
        let limits = &self.routed.operation.limits;
        if limits.is_empty() && own.is_empty() {
            return Ok(permit);
        }
        let (worker, path) = (self.worker, self.request.path.canonical());
        let (address, caller) = (self.client_address(), permit.caller());
        let subject = Subject { path, address, caller, view: &self.view };
        match self.deployment.limits.charge(worker.index, limits.iter().chain(own), &subject, worker.now()) {
            Charging::Done(outcome) => record.note_limits(outcome)?,
            // They answer for the whole step.
            Charging::Ask(pending) => return Err(self.wait(Pause::Count(pending), Stage::Charged(permit))),
        }
        Ok(permit)
    }

    /// Compares the parameters with what is described of the operation.
    ///
    /// # Errors
    /// 400.
    pub(crate) fn check_parameters(&self, record: &mut Record<'_>) -> Result<(), Reject> {
        match &self.routed.operation.contract {
            Some(contract) => contract::check_parameters(contract, self.request, self.routed, record),
            None => Ok(()),
        }
    }

    /// Compares the body with what is described of the operation.
    ///
    /// # Errors
    /// The body has to be received; 400, 413, 415, 422, or 503 where too many bodies are held already.
    pub(crate) fn check_body(&self, permit: Permit, record: &mut Record<'_>) -> Result<Permit, Stop> {
        let Some(contract) = &self.routed.operation.contract else { return Ok(permit) };
        let wanted = match contract::need_body(contract, self.request, record)? {
            Need::Nothing => return Ok(permit),
            Need::All(wanted) => wanted,
        };
        if self.has_content {
            wanted.check(self.view.body, record)?;
            return Ok(permit);
        }
        if let Some(content) = self.received_content(record) {
            wanted.check(Some(content), record)?;
            return Ok(permit);
        }
        record.body_memory = Some(self.deployment.bodies.nothing());
        let pause = Pause::Content { limit: wanted.limit, is_lenient: wanted.is_lenient };
        Err(self.wait(pause, Stage::Described(permit)))
    }

    /// The content, where all of it came with the head.
    fn received_content(&self, record: &Record<'_>) -> Option<&'a [u8]> {
        let BodyLength::Exactly(length) = record.facts.body else { return None };
        let start = record.head.length();
        self.down.inbox.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    }

    /// Makes what is sent to the upstream, or the answer of an operation of the gateway's own.
    ///
    /// # Errors
    /// That answer, or what it takes first; 400 where the request cannot be made into one for the upstream.
    pub(crate) fn prepare(&self, permit: Permit, record: &mut Record<'_>) -> Result<Forwarding, Stop> {
        let compression = self.routed.operation.table.compression.as_ref();
        record.offer = compression
            .map(|rule| Offer::to(rule, self.request.head.fields, record.facts.is_http11, &self.deployment.encoders));
        match &self.routed.operation.action {
            PreparedAction::Forward(to) => self.forward(to, permit, record),
            PreparedAction::Answer(builtin) => Err(self.answer(&**builtin, permit, record)),
        }
    }

    /// Has the content received, where a signature for the upstream covers it.
    ///
    /// # Errors
    /// It has to be received first; 413 where it is too large for that.
    fn see_content_to_sign(
        &self,
        to: &PreparedForward,
        permit: Permit,
        record: &mut Record<'_>,
    ) -> Result<Permit, Stop> {
        let has_body = !matches!(record.facts.body, BodyLength::None);
        if !has_body || signer_of_content(to).is_none() || self.content(record).is_some() {
            return Ok(permit);
        }
        if self.has_content {
            return Err(Reject::BodyTooLarge.into());
        }
        record.body_memory.get_or_insert_with(|| self.deployment.bodies.nothing());
        Err(self.wait(Pause::Content { limit: MOST_SIGNED, is_lenient: false }, Stage::Checked(permit)))
    }

    /// All of the content, as far as it is there.
    fn content(&self, record: &Record<'_>) -> Option<&[u8]> {
        self.view.body.or_else(|| self.received_content(record))
    }

    fn forward(
        &self,
        own: &'static PreparedForward,
        permit: Permit,
        record: &mut Record<'_>,
    ) -> Result<Forwarding, Stop> {
        let operation = self.routed.operation;
        if request::max_forwards(&self.request.head)? == Some(0) {
            return Err(self.answer_as_last(record)); // 204 405
        }
        let other = own.split.as_ref().and_then(|split| self.choose(split, &permit));
        let to = other.map_or(own, |other| &other.to);
        let permit = &self.see_content_to_sign(to, permit, record)?; // 413 503
        let form = self.form_without_credentials(&operation.hidden, record)?; // 400
        let certificate = self.shown_certificate();
        let forward_request = self.forward_request(to, &operation.hidden, certificate, form.as_deref(), permit, record);
        let Request { head, target, .. } = self.request;
        let origin = &forward_request.origin(head);
        let addresses = forward_request.addresses(origin, target);
        let cached = self.deployment.cache.as_ref().zip(operation.table.cache.as_ref());
        let lookup = cached.and_then(|(cache, rule)| self.lookup(cache, rule, to, &addresses, permit, record));
        // What is fresh now may not be so when it is the request's turn.
        let is_now = record.delay().is_none();
        if let Some(lookup) = lookup.as_ref().filter(|_| is_now)
            && let Some(serve) = self.stored(lookup, &addresses, record)
        {
            return Err(Stop::Stored(Box::new(serve)));
        }
        let mut forwarding = forward_request.prepare(permit, head, target, origin, addresses, record)?; // 400
        forwarding.other = other;
        let signed = signer_of_content(to).and_then(|_| form.as_deref().or_else(|| self.content(record)));
        forwarding.content_digest = signed.map(|content| Digest::of(content).to_hex());
        let caching = lookup.map(|lookup| Caching { lookup, fields: self.varied_fields() });
        forwarding.caching = caching.map(Box::new);
        if let Some(cache) = self.deployment.cache.as_ref().filter(|_| operation.table.cache.is_none()) {
            let purging = Purging::of(cache, head.method, &self.request.path, self.routed.path, target.host);
            forwarding.purging = purging.map(Box::new);
        }
        if let Some(mirror) = &own.mirror {
            forwarding.terms.copy.set(self.copy(mirror, to, permit, origin, record));
        }
        Ok(forwarding)
    }

    /// The client's certificate, where the upstream sees it.
    fn shown_certificate(&self) -> Option<&ClientCertificate> {
        self.view.certificate.filter(|_| self.routed.operation.reads_certificates)
    }

    /// For a request that is not to go further: the gateway answers as the one that it is for (RFC 9110 §7.6.2).
    fn answer_as_last(&self, record: &Record<'_>) -> Stop {
        if self.request.head.method == "TRACE" {
            return Reject::MethodNotAllowed.into(); // What it would show has credentials in it.
        }
        let allow = record.route.map_or("", |route| &route.allow);
        Stop::End(Ending::Answer(Box::new(OwnAnswer::plain(204, "", b"").with("Allow", allow))))
    }

    /// The stored response that answers the request as it is: nothing has to be prepared for the upstream.
    fn stored(&self, lookup: &Lookup, addresses: &PublicAddresses, record: &mut Record<'_>) -> Option<Serve> {
        let now = Moment::now();
        let stored = cached::fresh(lookup, || self.varied_fields(), now)?;
        record.note_cache(Outcome::Hit, Status::Hit { ttl: stored.seconds_left(now) });
        let least_rate = self.deployment.settings.limits.body_rate;
        let conditions = lookup.set_aside.clone();
        Some(Serve::new(self.routed.operation, addresses, least_rate, stored, conditions, now))
    }

    /// The fields that a stored response may depend on.
    fn varied_fields(&self) -> Lines {
        let is_decoded = self.routed.operation.table.compression.is_some();
        let matters = |field: &Field<'_>| !(is_decoded && field.name.eq_ignore_ascii_case("accept-encoding"));
        Lines::of(self.request.head.fields.iter().copied().filter(matters))
    }

    /// What the cache has to know of the request; nothing for one of a rule.
    fn lookup(
        &self,
        cache: &'static ResponseCache,
        rule: &'static Cache,
        to: &PreparedForward,
        addresses: &PublicAddresses,
        permit: &Permit,
        record: &Record<'_>,
    ) -> Option<Lookup> {
        let (head, target, operation) = (&self.request.head, &self.request.target, self.routed.operation);
        let route = record.route?;
        let is_for_get = matches!(head.method, "GET" | "HEAD");
        let mut parts = KeyParts::default();
        // HEAD is answered from what is stored for GET, which another operation of the route may describe.
        parts.add(0, &std::ptr::from_ref(route).addr().to_le_bytes());
        // A route is the same for all listeners; what upstreams answer may differ.
        parts.add(18, &std::ptr::from_ref(record.serving.listener).addr().to_le_bytes());
        parts.add(1, if is_for_get { b"GET" } else { head.method.as_bytes() });
        // What the upstream is told of how the gateway was called, and may repeat.
        parts.add(2, &[u8::from(record.is_https)]);
        parts.add(3, target.host.unwrap_or_default().to_ascii_lowercase().as_bytes());
        parts.add(4, addresses.base.as_deref().unwrap_or_default().as_bytes());
        parts.add(5, &to.cluster.number().to_le_bytes());
        parts.add(6, self.routed.path.wire().as_bytes());
        if self.deployment.trusts(self.down.peer) {
            let class = |field: &Field<'_>| self.deployment.request_fields.classify(field.name);
            for (kind, of_proxy) in [(7, FieldClass::ForwardedHost), (9, FieldClass::ForwardedPrefix)] {
                let said = head.fields.iter().filter(|field| class(field) == of_proxy);
                said.for_each(|field| parts.add(kind, field.value));
            }
            let forwarded = head.fields.iter().filter(|field| class(field) == FieldClass::Forwarded);
            for host in forwarded.flat_map(|field| elements(field.value)).flatten().filter_map(|element| element.host) {
                parts.add(8, host.as_bytes());
            }
        }
        // Also one that was not needed to admit the caller.
        if let Some(certificate) = self.shown_certificate() {
            parts.add(17, certificate.fingerprint.bytes());
        }
        let is_known = self.add_caller(&mut parts, permit);
        match rule.key {
            None => self.add_query(&mut parts),
            Some(keys) => keys.iter().for_each(|key| self.add_key(&mut parts, key, permit)),
        }
        let has = |name: &str| head.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
        let has_body = !matches!(record.facts.body, BodyLength::None);
        let is_set_aside = |field: &Field<'_>| SET_ASIDE.iter().any(|name| name.eq_ignore_ascii_case(field.name));
        let edits = &operation.table.request_headers;
        let tag = tag_of(self.routed.path.canonical());
        // Conditions and ranges are about what GET transfers (RFC 9110 §13.1, §14.2).
        let has_conditions = !is_for_get && SET_ASIDE.iter().any(|name| has(name));
        let bypasses = !is_known
            || has_conditions
            || FOR_UPSTREAM.iter().any(|name| has(name))
            || (is_for_get && has_body)
            || self.hides_fields();
        let asked = RequestDirectives::of(head.fields);
        let IdentityHeaders { consumer, credential, custom_id, client, user } = operation.api.identity_headers;
        Some(Lookup {
            cache,
            rule,
            place: Place { key: parts.key(), tag, operation: operation.number() },
            asked,
            set_aside: Lines::of(
                head.fields.iter().copied().filter(|field| is_set_aside(field) && !edits.replaces(field.name)),
            ),
            own_fields: [consumer, credential, custom_id, client, user],
            stores: head.method != "HEAD" && !bypasses && !asked.no_store,
            validates: head.method == "GET",
            is_authorized: has("authorization") && !permit.met(&operation.access).iter().any(is_in_authorization),
            bypasses,
            epoch: cache.epoch(tag),
        })
    }

    /// Whether `Connection` names a field that the request has: the upstream does not see it, and it is in the key.
    fn hides_fields(&self) -> bool {
        let (fields, table) = (self.request.head.fields, &self.deployment.request_fields);
        let of_connection = ConnectionOptions::of(fields, table);
        let is_hidden =
            |field: &Field<'_>| of_connection.has(field.name) && table.classify(field.name) == FieldClass::EndToEnd;
        fields.iter().any(is_hidden)
    }

    /// Adds all that is known of the caller: what is stored for one is for no other, whatever the document says tells
    /// callers apart. False where nothing is known of one who has shown a credential.
    fn add_caller(&self, parts: &mut KeyParts, permit: &Permit) -> bool {
        let Some(caller) = permit.caller() else { return true };
        let consumer = caller.identity.as_ref().map(|identity| &*identity.consumer.username);
        let names = [Some(&*caller.subject), consumer, caller.client.as_deref(), caller.user.as_deref()];
        for (kind, name) in (10..).zip(names) {
            if let Some(name) = name {
                parts.add(kind, name.as_bytes());
            }
        }
        // An upstream that reads the token gives more to one that may do more.
        caller.scopes.iter().for_each(|scope| parts.add(14, scope.as_bytes()));
        // Two issuers, or two schemes, may know two callers by one name.
        if let Some(issuer) = &caller.issuer {
            parts.add(16, issuer.as_bytes());
        }
        for requirement in permit.met(&self.routed.operation.access) {
            parts.add(15, &Arc::as_ptr(&requirement.authenticator).addr().to_le_bytes());
        }
        names.iter().flatten().any(|name| !name.is_empty())
    }

    /// Adds the query without the credentials in it.
    fn add_query(&self, parts: &mut KeyParts) {
        let Some(query) = self.routed.query else { return };
        if let Some(kept) = query_without(query, &self.routed.operation.hidden.query) {
            parts.add(20, kept.as_bytes());
        }
    }

    fn add_key(&self, parts: &mut KeyParts, key: &CacheKey, permit: &Permit) {
        let part = match key {
            CacheKey::Query => return self.add_query(parts),
            CacheKey::Part(part) => part,
        };
        match part {
            // As sent: the upstream reads them in its own way.
            HashKey::Part(LimitKey::Query(name)) => parts.add_parameter(name, self.routed.query),
            HashKey::Part(LimitKey::Header(name)) => parts.add_header(name, self.request.head.fields),
            HashKey::Cookie(name) => parts.add_cookie(name, self.request.head.fields),
            HashKey::Part(part) => {
                let (path, address, caller) = (self.request.path.canonical(), self.client_address(), permit.caller());
                let subject = Subject { path, address, caller, view: &self.view };
                let known = Address::of(address);
                let part = subject.part(part, &known);
                parts.add(30 + part.kind as u8, &part.bytes);
            }
        }
    }

    /// The version of the service that a request goes to, if it is not the operation's own.
    fn choose(&self, split: &'static PreparedSplit, permit: &Permit) -> Option<&'static Alternative> {
        let (alternatives, head) = (&split.0, &self.request.head);
        alternatives.iter().find(|alternative| alternative.choice.holds(head)).or_else(|| {
            let takes = |alternative: &&Alternative| {
                alternative.choice.takes(|keys| self.hash_of(keys, permit), || self.worker.next_random())
            };
            alternatives.iter().find(takes)
        })
    }

    /// A copy of the request, which goes to `to`, for those that are copied.
    fn copy(
        &self,
        mirror: &'static PreparedMirror,
        to: &PreparedForward,
        permit: &Permit,
        origin: &Origin<'_>,
        record: &Record<'_>,
    ) -> Option<Box<Copying>> {
        let (operation, cluster) = (self.routed.operation, &mirror.to.cluster);
        let is_there_already = cluster.number() == to.cluster.number();
        // A tunnel has no copy.
        if self.upgrade.is_some() || is_there_already || !mirror.share.takes(Share::NOTHING, self.worker.next_random())
        {
            return None;
        }
        if matches!(record.facts.body, BodyLength::Exactly(length) if length > MOST_BODY) {
            cluster.count_copy(CopyOutcome::TooLarge);
            return None;
        }
        let is_form = !mirror.hidden.form.is_empty() && record.facts.body != BodyLength::None && self.view.has_form();
        // A form that was not inspected may have a credential in it.
        let form = match self.view.body.filter(|_| is_form) {
            Some(_) => self.form_without_credentials(&mirror.hidden, record),
            None if is_form => Err(Reject::BadRequest("a form with a credential, perhaps")),
            None => Ok(None),
        };
        let Ok(form) = form else {
            cluster.count_copy(CopyOutcome::Dropped);
            return None;
        };
        let shows_certificate = operation.reads_certificates && !mirror.hides_certificates;
        let certificate = self.view.certificate.filter(|_| shows_certificate);
        let mut copied = self.forward_request(&mirror.to, &mirror.hidden, certificate, form.as_deref(), permit, record);
        if mirror.hides_certificates {
            copied.secret_fields = &[];
        }
        let Request { head, target, .. } = self.request;
        copied.copy(permit, head, target, origin, record, self.worker.next_random()).ok()
    }

    fn forward_request<'f>(
        &'f self,
        to: &'static PreparedForward,
        hidden: &'static HiddenCredentials,
        certificate: Option<&'f ClientCertificate>,
        form: Option<&'f [u8]>,
        permit: &Permit,
        record: &Record<'_>,
    ) -> ForwardRequest<'f> {
        let (down, operation) = (self.down, self.routed.operation);
        let described = to.cluster.described();
        ForwardRequest {
            deployment: self.deployment,
            peer: down.peer,
            peer_text: &down.peer_text,
            version: down.version,
            is_https: record.is_https,
            certificate,
            operation,
            to,
            described,
            params: self.routed.params.as_ref(),
            path: self.routed.path,
            query: self.routed.query,
            form,
            secret_fields: &operation.secret_fields,
            hash: self.hash(described.upstream, permit),
            hidden,
            is_cached: operation.table.cache.is_some(),
            upgrade: self.upgrade,
            tunnel_ends: self.tunnel_ends(permit, record),
        }
    }

    /// When the caller's credential ends, where that ends the tunnel.
    fn tunnel_ends(&self, permit: &Permit, record: &Record<'_>) -> Option<Instant> {
        let until_expiry = self.routed.operation.table.upgrade.as_ref().is_some_and(|upgrade| upgrade.until_expiry);
        self.upgrade.filter(|_| until_expiry)?;
        let micros = permit.caller()?.expires.checked_mul(1_000_000)?;
        let left = micros.saturating_sub(self.worker.unix_micros(record.started));
        record.started.checked_add(Duration::from_micros(left))
    }

    /// Of the parts of the request that choose the endpoint, where they do.
    fn hash(&self, upstream: &Upstream, permit: &Permit) -> Option<u64> {
        let Balance::Hash(keys) = upstream.balance else { return None };
        self.hash_of(keys, permit)
    }

    fn hash_of(&self, keys: &[HashKey], permit: &Permit) -> Option<u64> {
        let (path, address, caller) = (self.request.path.canonical(), self.client_address(), permit.caller());
        hash(keys, &Subject { path, address, caller, view: &self.view })
    }

    fn answer(&self, builtin: &dyn PreparedBuiltin, permit: Permit, record: &Record<'_>) -> Stop {
        let call = Call {
            caller: permit.caller(),
            view: &self.view,
            params: self.routed.params.as_ref(),
            address: self.client_address(),
            now: self.worker.moment(record.started, record.number),
        };
        match builtin.answer(&call) {
            Answer::Now(answer) => Stop::End(Ending::Answer(answer)),
            Answer::Body { limit } => self.wait(Pause::Content { limit, is_lenient: false }, Stage::Checked(permit)),
            Answer::Work(work) => self.wait(Pause::Work(work), Stage::Checked(permit)),
        }
    }

    /// The body without the credentials that the upstream is not to see; `None` where it is as received.
    ///
    /// # Errors
    /// 400 where it cannot be changed.
    fn form_without_credentials(
        &self,
        hidden: &HiddenCredentials,
        record: &Record<'_>,
    ) -> Result<Option<Vec<u8>>, Reject> {
        let (hidden, view) = (&hidden.form, &self.view);
        let Some(body) = view.body.filter(|_| !hidden.is_empty() && view.has_form()) else { return Ok(None) };
        let form = std::str::from_utf8(body).map_err(|_| Reject::BadRequest("a form that is not text"))?;
        match query_without(form, hidden) {
            Some(kept) if kept.len() == form.len() => Ok(None),
            _ if !matches!(record.facts.body, BodyLength::Exactly(_)) => {
                Err(Reject::BadRequest("a credential in a form of unknown length"))
            }
            kept => Ok(Some(kept.map_or_else(Vec::new, |kept| kept.into_owned().into_bytes()))),
        }
    }

    /// The client's address, as given by trusted proxies.
    fn client_address(&self) -> IpAddr {
        client_address(self.down.peer, self.view.fields, self.deployment.trusted_fields, |address| {
            self.deployment.trusts(address)
        })
    }

    /// Has the request wait, and go on from `stage`.
    fn wait(&self, pause: Pause, stage: Stage) -> Stop {
        Stop::Pause(Box::new(Paused::new(pause, stage, self.routed)))
    }
}

/// Whether this is about a credential in `Authorization`.
fn is_in_authorization(requirement: &PreparedRequirement) -> bool {
    let is_it = |location: &CredentialLocation| matches!(location, CredentialLocation::Header(name) if name.eq_ignore_ascii_case("authorization"));
    requirement.authenticator.locations().0.iter().any(is_it)
}

/// What signs requests to an upstream with their content.
fn signer_of_content(to: &PreparedForward) -> Option<&dyn RequestSigner> {
    match &to.cluster.credential {
        Some(PreparedCredential::Signature(signer)) => Some(&**signer).filter(|signer| signer.covers_content()),
        _ => None,
    }
}
