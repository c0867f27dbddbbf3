//! What responses say to browsers: `cors` joined with what is described of methods, header fields and credentials.

use gateway_yaml::Node;

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW542};
use crate::ir::{
    Access, Action, Api, Builtin, Cors, CorsPolicy, Credential, CredentialLocation, HeaderEdits, Limit, LimitAlgorithm,
    LimitHeaders, Operation, ParameterLocation, Rule, Scheme,
};
use crate::vocabulary::{CorsChoice, Inheritable, PreflightPolicy, in_order};

/// What a rule forwards: any method but TRACE.
const ANY_METHOD: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Fields that OpenAPI does not let a document describe as parameters.
const NO_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// Fields that browsers write themselves, so that scripts never set them (Fetch Standard, forbidden request-header).
const WRITTEN_BY_BROWSERS: [&str; 7] = ["connection", "content-length", "cookie", "date", "host", "origin", "te"];

/// The header fields that a document describes of an operation.
#[derive(Debug, Default)]
pub(super) struct DescribedFields {
    /// Of requests.
    pub(super) request: Vec<String>,
    /// Of responses.
    pub(super) response: Vec<String>,
}

impl DescribedFields {
    pub(super) fn of(path: &ast::PathItem, operation: &ast::Operation) -> Self {
        let parameters = operation.parameters.iter().chain(&path.parameters);
        let parameters = parameters.filter(|parameter| parameter.location == ParameterLocation::Header);
        let names = parameters.map(|parameter| parameter.name.value.clone());
        let is_one = |name: &String| !NO_PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let mut request: Vec<String> = names.filter(is_one).collect();
        if operation.body.is_some() {
            request.push("Content-Type".to_owned());
        }
        Self { request, response: operation.response_fields.clone() }
    }
}

/// The policy of an operation; [`complete`] adds what is known once all are.
pub(super) fn cors(policy: &Inheritable, described: DescribedFields) -> Option<Cors> {
    let CorsChoice { policy, headers, expose } = policy.cors.clone().flatten()?;
    let DescribedFields { request, response } = described;
    let all = |described: Vec<String>, more: Vec<String>| described.into_iter().chain(more).collect();
    Some(Cors { policy, methods: Vec::new(), headers: all(request, headers), exposed: all(response, expose) })
}

/// Adds methods, credentials, and the fields that the gateway itself sends.
pub(super) fn complete(api: &mut Api) {
    for route in &mut api.routes {
        let mut methods: Vec<(String, CorsPolicy)> = Vec::new();
        for operation in &route.operations {
            methods.extend(operation.cors.as_ref().map(|cors| (operation.method.clone(), cors.policy.clone())));
        }
        // HEAD that is not described is a GET without its content.
        if !route.operations.iter().any(|operation| operation.method == "HEAD") {
            let get = methods.iter().find(|(method, _)| method == "GET").map(|(_, policy)| policy.clone());
            methods.extend(get.map(|policy| ("HEAD".to_owned(), policy)));
        }
        methods.sort_by(|(a, _), (b, _)| a.cmp(b));
        for operation in &mut route.operations {
            operation.complete(&api.schemes, &api.limits, |policy| {
                // Browsers remember all that one answer names: it names no method that another policy is for.
                methods.iter().filter(|(_, of)| of == policy).map(|(method, _)| method.clone()).collect()
            });
        }
        complete_own(&mut route.cors);
    }
    for operation in api.rules.iter_mut().filter_map(Rule::operation_mut) {
        operation.complete(&api.schemes, &api.limits, |_| ANY_METHOD.iter().map(|one| (*one).to_owned()).collect());
    }
    complete_own(&mut api.cors);
}

/// For answers of the gateway's own where there is no operation.
fn complete_own(cors: &mut Option<Cors>) {
    if let Some(cors) = cors {
        cors.headers.clear();
        cors.exposed.push("X-Request-Id".to_owned());
        cors.exposed = in_order(std::mem::take(&mut cors.exposed));
    }
}

impl Operation {
    fn complete(&mut self, schemes: &[Scheme], limits: &[Limit], methods: impl Fn(&CorsPolicy) -> Vec<String>) {
        let Some(mut cors) = self.cors.take() else { return };
        let required = required(&self.access, schemes);
        cors.methods = methods(&cors.policy);
        cors.headers.extend(required.iter().flat_map(|scheme| credential_fields(scheme)));
        cors.headers.retain(|name| !WRITTEN_BY_BROWSERS.iter().any(|known| known.eq_ignore_ascii_case(name)));
        cors.headers = in_order(cors.headers);
        cors.exposed.extend(self.own_fields(&required, limits));
        cors.exposed.retain(|name| !name.eq_ignore_ascii_case("set-cookie"));
        cors.exposed = in_order(cors.exposed);
        self.cors = Some(cors);
    }

    /// The fields of responses that the gateway sends, or any upstream may send.
    fn own_fields(&self, required: &[&Scheme], limits: &[Limit]) -> Vec<String> {
        let charged = self.limits.iter().filter_map(|charge| limits.get(charge.limit));
        let mut fields: Vec<String> = charged.flat_map(limit_fields).collect();
        // Consumers may have limits of their own.
        if required.iter().any(|scheme| scheme.knows_consumers()) {
            fields.extend(LIMIT_FIELDS.map(str::to_owned));
        }
        let is_forwarded = matches!(self.action, Action::Forward { .. });
        let is_limited = !fields.is_empty() || !self.limits.is_empty() || self.contract.body.is_some();
        let counts_failures = required.iter().any(|scheme| scheme.failures.is_some());
        if is_forwarded || is_limited || counts_failures {
            fields.push("Retry-After".to_owned());
        }
        let challenges = matches!(self.action, Action::Answer(Builtin::Oauth { .. } | Builtin::Registry { .. }))
            || !required.is_empty();
        if is_forwarded || challenges {
            fields.push("WWW-Authenticate".to_owned());
        }
        fields.push("X-Request-Id".to_owned());
        fields
    }
}

/// What the fields of limits say unless a document says otherwise.
const LIMIT_FIELDS: [&str; 5] =
    ["RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];

fn limit_fields(limit: &Limit) -> Vec<String> {
    // What is under way at once has no window to report.
    if matches!(limit.algorithm, LimitAlgorithm::Concurrency { .. }) {
        return Vec::new();
    }
    match &limit.headers {
        LimitHeaders::None => Vec::new(),
        LimitHeaders::Default => LIMIT_FIELDS.map(str::to_owned).to_vec(),
        LimitHeaders::Prefixed(prefix) => {
            ["Limit", "Remaining", "Reset"].map(|end| format!("X-{prefix}-RateLimit-{end}")).to_vec()
        }
    }
}

/// The schemes of which a caller may have to meet one.
pub(super) fn required<'a>(access: &Access, schemes: &'a [Scheme]) -> Vec<&'a Scheme> {
    let Access::OneOf(alternatives) = access else { return Vec::new() };
    let is_required = |scheme: &&Scheme| alternatives.iter().flatten().any(|one| one.scheme == scheme.name);
    schemes.iter().filter(is_required).collect()
}

/// The header fields in which a credential stands, and those that it covers.
fn credential_fields(scheme: &Scheme) -> Vec<String> {
    let names = scheme.locations.iter().filter_map(|location| match location {
        CredentialLocation::Header(name) => Some(name.clone()),
        // No script sets subprotocols as a field.
        CredentialLocation::Query(_)
        | CredentialLocation::Cookie(_)
        | CredentialLocation::Form(_)
        | CredentialLocation::Subprotocol(_) => None,
    });
    let mut names: Vec<String> = names.collect();
    if let Credential::Hmac(hmac) = &scheme.credential {
        let signed = hmac.signed_headers.iter().filter(|name| !name.starts_with(['@', '(']));
        names.extend(signed.cloned());
        if hmac.digest_of.is_some() {
            names.push(hmac.profile.digest_header().to_owned());
        }
    }
    names
}

/// What an operation sets of the fields that its policy is about.
pub(super) fn check_edits(
    cors: Option<&Cors>,
    edits: &HeaderEdits,
    operation: &ast::Operation,
    title: &str,
) -> Option<Diagnostic> {
    cors?;
    let is_about = |name: &str| name.to_ascii_lowercase().starts_with("access-control-");
    let (name, _) = edits.set.iter().chain(&edits.add).find(|(name, _)| is_about(name))?;
    let headline = format!("`responseHeaders` of {title} says `{name}`, and so does `cors`");
    let diagnostic = Diagnostic::error(GW542, headline).at(operation.span, "says it in two ways");
    Some(
        diagnostic
            .help(format!("remove `{name}` from `responseHeaders`"))
            .because_of(format!("{name} in edits"), title),
    )
}

/// Any origin may ask, and only listed ones may call.
pub(super) fn check_preflight(
    policy: PreflightPolicy,
    document: &ast::Document,
    api: &Api,
    diagnostics: &mut Diagnostics,
) {
    let operations = api.routes.iter().flat_map(|route| &route.operations);
    let has_cors = api.cors.is_some() || operations.into_iter().any(|operation| operation.cors.is_some());
    if policy != PreflightPolicy::Answer || !has_cors {
        return;
    }
    let written = document.gateway.as_ref().and_then(|gateway| gateway.get("preflight"));
    diagnostics.push(
        Diagnostic::error(GW542, "`preflight: answer` and `cors` both answer preflight requests")
            .at(written.map_or(document.root.span, |node: &Node| node.span), "admits every origin")
            .help("remove `preflight`: with `cors`, the gateway answers"),
    );
}
