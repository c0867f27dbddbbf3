//! Paths and their operations, with what they inherit.

use std::collections::BTreeMap;

use gateway_route::Template;
use gateway_yaml::{Node, Span, Spanned, suggest};

use crate::ast;
use crate::diagnostic::{Diagnostic, GW209, GW210, GW312, GW517, GW524, GW526};
use crate::ir::{
    Access, Action, Builtin, Cache, Contract, LimitUse, Operation, ParameterLocation, PathParameter, Rewrite, Route,
    Upgrade,
};
use crate::lower::browsers::{self, DescribedFields};
use crate::lower::cache;
use crate::lower::contract;
use crate::lower::limits::{self, CallerKind};
use crate::lower::lowering::Lowering;
use crate::lower::naming::{header_text, places, title};
use crate::lower::parameters::{Parameters, differently_allowed};
use crate::lower::path_key::PathKey;
use crate::lower::{base_path, oauth};
use crate::policy;
use crate::units::ByteSize;
use crate::vocabulary::{self, BuiltinPolicy, Inheritable, Place, PreflightPolicy, RewritePolicy};

/// A larger request body is refused unless a document says otherwise.
const DEFAULT_MAX_BODY: ByteSize = ByteSize(128 << 20);

/// What the endpoints of an authorization server read is a form or a short JSON text; `maxBody` is about forwarding.
const OWN_MAX_BODY: ByteSize = ByteSize(64 << 10);

/// A path, with what its operations inherit.
struct Path<'p> {
    item: &'p ast::PathItem,
    key: PathKey,
    inherited: Inheritable,
    /// It says itself what its operations charge.
    has_limits: bool,
}

/// An operation, as far as it is the same below every base path.
struct Described<'p> {
    operation: &'p ast::Operation,
    /// Who may call; nothing where that is not clear, which has been reported.
    access: Option<Access>,
    /// What the gateway answers itself; nothing in it where the vocabulary has reported it.
    builtin: Option<Spanned<Option<BuiltinPolicy>>>,
    /// What it says itself, and what it inherits.
    policy: Inheritable,
    limits: Vec<LimitUse>,
    parameters: Parameters<'p>,
}

/// What an operation does not inherit.
pub(super) struct Particulars {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) summary: String,
    pub(super) access: Access,
    pub(super) action: Action,
    pub(super) parameters: Vec<PathParameter>,
    pub(super) listed_values: Vec<(String, Vec<String>)>,
    pub(super) contract: Contract,
    pub(super) described_statuses: Vec<String>,
    pub(super) limits: Vec<LimitUse>,
    pub(super) fields: DescribedFields,
    pub(super) span: Span,
}

impl Particulars {
    /// The operation, which inherits `policy`. What is inherited and does not apply is not shown either.
    pub(super) fn with(self, policy: &Inheritable) -> Operation {
        let Self {
            id,
            method,
            summary,
            access,
            action,
            parameters,
            listed_values,
            contract,
            described_statuses,
            limits,
            fields,
            span,
        } = self;
        let (asks, admits_anonymous) = match &access {
            Access::Anyone { .. } => (false, false),
            Access::OneOf(alternatives) => (true, alternatives.iter().any(Vec::is_empty)),
        };
        let max_body = match &action {
            Action::Answer(Builtin::Oauth { .. } | Builtin::Registry { .. }) => OWN_MAX_BODY,
            _ => policy.max_body.unwrap_or(DEFAULT_MAX_BODY),
        };
        // What an authorization server says has secrets in it, and is short.
        let is_compressed =
            matches!(action, Action::Forward { .. } | Action::Answer(Builtin::Static(_) | Builtin::Mock(_)));
        let is_forwarded = matches!(action, Action::Forward { .. });
        let consumers = policy.consumers.clone().filter(|_| asks).unwrap_or_default();
        let anonymous = policy.anonymous.clone().filter(|_| admits_anonymous);
        let is_cached = |cache: &Cache| is_forwarded && policy.upgrade.is_none() && cache::is_stored(cache, &method);
        let cache = policy.cache.clone().flatten().filter(is_cached);
        let repeatable = is_forwarded && (policy.repeatable.contains(&method) || contract.needs_idempotency_key());
        Operation {
            id,
            method,
            summary,
            access,
            action,
            parameters,
            listed_values,
            contract,
            described_statuses,
            request_headers: policy.request_headers.clone().unwrap_or_default(),
            response_headers: policy.response_headers.clone().unwrap_or_default(),
            max_body,
            consumers,
            anonymous: anonymous.map(|anonymous| anonymous.value).unwrap_or_default(),
            limits,
            contested: false,
            cors: browsers::cors(policy, fields),
            security_headers: policy.security_headers.clone().unwrap_or_default(),
            repeatable,
            compression: policy.compression.clone().flatten().filter(|_| is_compressed),
            cache,
            upgrade: policy.upgrade.as_ref().map(|choice| {
                let vocabulary::UpgradeChoice { protocols, idle, until_expiry, origins } = choice.value.clone();
                Upgrade { protocols, idle, until_expiry, origins, span: choice.span }
            }),
            span,
        }
    }
}

impl<'a> Lowering<'a> {
    /// The routes of a path: one for each base path of its servers.
    pub(super) fn path_item(&mut self, item: &'a ast::PathItem) -> Vec<Route> {
        let Some(key) = self.path_key(item) else { return Vec::new() };
        let (inherited, has_limits) = self.inherited(item);
        let path = Path { item, key, inherited, has_limits };
        let mut routes: BTreeMap<String, Route> = BTreeMap::new();
        for operation in &item.operations {
            let described = self.described(&path, operation);
            let servers = [&operation.servers, &item.servers, &self.document.servers];
            let servers = servers.into_iter().find(|servers| !servers.is_empty());
            for base in base_path::base_paths(servers.map_or(&[], |servers| servers), self.diagnostics) {
                self.add_route(&path, &described, &base, &mut routes);
            }
        }
        let mut routes: Vec<Route> = routes.into_values().collect();
        for route in &mut routes {
            self.forward_preflight(&path, route);
            route.operations.sort_by(|a, b| a.method.cmp(&b.method));
            route.described.sort();
        }
        routes
    }

    /// What the operations of a path inherit, and whether the path itself says what they charge.
    fn inherited(&mut self, path: &ast::PathItem) -> (Inheritable, bool) {
        let of_path = self.nested(path.gateway.as_ref(), Place::PathItem);
        let has_limits = of_path.rate_limit.is_some();
        let mut inherited = of_path.or(&self.root.inheritable);
        let in_path = path.operations.iter().map(|operation| operation.span).chain([path.key.span]);
        let annotated = path.operations.iter().filter_map(|operation| operation.gateway.as_ref()).chain(&path.gateway);
        let in_path = in_path.chain(annotated.flat_map(places)).collect();
        let accepted = std::mem::take(&mut inherited.accepted);
        self.accept(accepted, &format!("path `{}`", path.key.value), in_path);
        (inherited, has_limits)
    }

    fn nested(&mut self, gateway: Option<&Node>, place: Place) -> Inheritable {
        match gateway {
            Some(node) => vocabulary::nested(node, place, &self.root.identity_headers, self.diagnostics),
            None => Inheritable::default(),
        }
    }

    /// What holds for an operation wherever it is served.
    fn described(&mut self, path: &Path<'a>, operation: &'a ast::Operation) -> Described<'a> {
        let title = title(path.item, operation);
        let mut own = self.nested(operation.gateway.as_ref(), Place::Operation);
        let in_operation = operation.gateway.as_ref().map(places).unwrap_or_default();
        let in_operation = in_operation.into_iter().chain([operation.span]).collect();
        self.accept(std::mem::take(&mut own.accepted), &title, in_operation);
        let access = self.schemes.access(self.document, path.item, operation, self.diagnostics);
        self.check_consumers(&own, &path.inherited, access.as_ref(), &title, operation.span);
        let builtin = own.builtin.take();
        if let Some(builtin) = &builtin {
            self.builtins_are_unread |= builtin.value.is_none();
            self.check_builtin(builtin, &own, access.as_ref(), path.item, operation);
        }
        if builtin.is_none() {
            cache::check(&own, path.item, operation, &title, self.diagnostics);
        }
        let is_limited_itself = own.rate_limit.is_some();
        let limited_at = if is_limited_itself {
            let method_and_path = || format!("{} {}", operation.method, path.item.key.value);
            self.own_name(operation).map_or_else(method_and_path, str::to_owned)
        } else if path.has_limits {
            path.item.key.value.clone()
        } else {
            self.document.name.clone()
        };
        let policy = own.or(&path.inherited);
        let limits = match &access {
            Some(access) => self.charge(&policy, access, &limited_at, &title, is_limited_itself),
            None => Vec::new(),
        };
        let parameters = Parameters::new(path.item, operation, self.diagnostics);
        parameters.check(&path.key.template, path.item, operation, self.diagnostics);
        Described { operation, access, builtin, policy, limits, parameters }
    }

    /// Adds an operation to the route below a base path, which may be the first to have it.
    fn add_route(
        &mut self,
        path: &Path<'a>,
        described: &Described<'a>,
        base: &str,
        routes: &mut BTreeMap<String, Route>,
    ) {
        let Described { operation, policy, parameters, .. } = described;
        let Some(template) = self.template(base, &path.key, parameters) else { return };
        let route = routes.entry(template.to_string()).or_insert_with(|| Route {
            template: template.clone(),
            when: path.key.when.clone(),
            preflight: self.root.preflight.without_operation(),
            cors: browsers::cors(&path.inherited, DescribedFields::default()),
            security_headers: path.inherited.security_headers.clone().unwrap_or_default(),
            operations: Vec::new(),
            described: Vec::new(),
            span: path.item.key.span,
        });
        if let Some(name) = differently_allowed(&route.template, &template) {
            let headline = format!("the operations of `{}` disagree about what `{name}` takes", path.item.key.value);
            self.diagnostics.push(
                Diagnostic::error(GW517, headline)
                    .at(operation.span, "not what the operation before it says")
                    .help("a path is matched before its operation is known: declare the parameter once, under the path's own `parameters`"),
            );
        }
        let id = self.own_name(operation).map(str::to_owned);
        let id = id.unwrap_or_else(|| format!("{} {}", operation.method, policy::path(route)));
        route.described.push((operation.method.clone(), id.clone()));
        let typed = parameters.typed(&template, &self.document.root);
        let action = match &described.builtin {
            Some(builtin) => self.answer(builtin, operation, route, &typed),
            None => {
                let title = title(path.item, operation);
                let upstream = self.upstreams.choose(&policy.upstream, &title, operation.span, self.diagnostics);
                let rewrite = self.rewrite(policy.rewrite.as_ref(), base, &template, operation.span);
                upstream.zip(rewrite).map(|(upstream, rewrite)| {
                    let split = self.split(policy.split.as_ref(), &title, operation.span);
                    let mirror = self.mirror(policy.mirror.as_ref(), &upstream, &title, operation.span);
                    Action::Forward { upstream, rewrite, split, mirror }
                })
            }
        };
        let contract = {
            let reads_itself =
                matches!(&described.builtin, Some(builtin) if !matches!(builtin.value, Some(BuiltinPolicy::Mock)));
            let (operation, policy) = (described.operation, &described.policy.validation);
            let max_body = described.policy.max_body.unwrap_or(DEFAULT_MAX_BODY);
            let about = contract::Described { path: path.item, operation, policy, reads_itself, max_body };
            self.contract(&about, &template)
        };
        let (Some(access), Some(action)) = (described.access.clone(), action) else { return };
        let particulars = Particulars {
            id,
            method: operation.method.clone(),
            summary: operation.summary.clone().unwrap_or_default(),
            access,
            action,
            parameters: typed,
            listed_values: parameters.listed_values(&template, &self.document.root),
            contract,
            described_statuses: contract::statuses(&operation.node),
            limits: described.limits.clone(),
            fields: DescribedFields::of(path.item, operation),
            span: operation.span,
        };
        let lowered = particulars.with(policy);
        let title = title(path.item, operation);
        let said_twice = browsers::check_edits(lowered.cors.as_ref(), &lowered.response_headers, operation, &title);
        self.diagnostics.extend(said_twice);
        route.operations.push(lowered);
    }

    /// What the gateway answers itself; nothing where that is not clear, which has been reported.
    fn answer(
        &mut self,
        builtin: &Spanned<Option<BuiltinPolicy>>,
        operation: &ast::Operation,
        route: &Route,
        typed: &[PathParameter],
    ) -> Option<Action> {
        let builtin = Spanned::new(builtin.span, builtin.value.clone()?);
        self.builtin(&builtin, &operation.method, route, typed, &operation.examples).map(Action::Answer)
    }

    /// `preflight: forward` is an operation like any other, so that a reviewer sees it.
    fn forward_preflight(&mut self, path: &Path<'_>, route: &mut Route) {
        if self.root.preflight != PreflightPolicy::Forward {
            return;
        }
        if route.described.iter().any(|(method, _)| method == "OPTIONS") {
            return;
        }
        // A path that the gateway answers itself has no upstream to ask.
        let first = route.operations.iter().find_map(|operation| match &operation.action {
            Action::Forward { rewrite, .. } => Some((operation, rewrite)),
            Action::Answer(_) => None,
        });
        let Some((first, rewrite)) = first else { return };
        let base = match rewrite {
            Rewrite::Received { base } | Rewrite::Regex { base, .. } => base.clone(),
            Rewrite::Path(_) => String::new(),
        };
        let (inherited, span) = (&path.inherited, path.item.key.span);
        let title = format!("the preflight of `{}`", path.item.key.value);
        let upstream = self.upstreams.choose(&inherited.upstream, &title, span, self.diagnostics);
        let rewrite = self.rewrite(inherited.rewrite.as_ref(), &base, &route.template, span);
        let (Some(upstream), Some(rewrite)) = (upstream, rewrite) else { return };
        let particulars = Particulars {
            id: format!("OPTIONS {}", policy::path(route)),
            method: "OPTIONS".into(),
            summary: String::new(),
            access: Access::Anyone { because: "preflight: forward" },
            // A preflight request tells a browser whether it may call: it is not shared out.
            action: Action::Forward { upstream, rewrite, split: Vec::new(), mirror: None },
            parameters: first.parameters.clone(),
            listed_values: Vec::new(),
            contract: Contract {
                parameters: first
                    .contract
                    .parameters
                    .iter()
                    .filter(|parameter| parameter.location == ParameterLocation::Path)
                    .cloned()
                    .collect(),
                ..Contract::NOTHING
            },
            described_statuses: Vec::new(),
            limits: Vec::new(),
            fields: DescribedFields::default(),
            span,
        };
        route.described.push(("OPTIONS".into(), particulars.id.clone()));
        // What a browser asks for first has no content.
        route.operations.push(Operation { compression: None, cache: None, ..particulars.with(inherited) });
    }

    /// What an operation charges, which inherits `policy`; `place` is what those limits are called after that have no name.
    pub(super) fn charge(
        &mut self,
        policy: &Inheritable,
        access: &Access,
        place: &str,
        who: &str,
        is_own: bool,
    ) -> Vec<LimitUse> {
        let Some(entries) = &policy.rate_limit else { return Vec::new() };
        let alternatives = match access {
            Access::Anyone { .. } => &[][..],
            Access::OneOf(alternatives) => alternatives,
        };
        // An anonymous caller may count as a consumer.
        let has_name = policy.anonymous.as_ref().is_some_and(|anonymous| !anonymous.value.consumer.is_empty());
        let stranger = if has_name { CallerKind::Consumer } else { CallerKind::Stranger };
        let mut kinds: Vec<CallerKind> = alternatives
            .iter()
            .flat_map(|all| if all.is_empty() { vec![stranger] } else { self.schemes.caller_kinds(all) })
            .collect();
        if alternatives.is_empty() {
            kinds.push(CallerKind::Stranger);
        }
        kinds.sort_unstable();
        kinds.dedup();
        let known = limits::Known { kinds, asks: !alternatives.is_empty(), is_own };
        self.limits.charge(entries, &header_text(place), who, &known, self.diagnostics)
    }

    /// A rule about consumers has to meet consumers: otherwise it says more than it does.
    pub(super) fn check_consumers(
        &mut self,
        own: &Inheritable,
        inherited: &Inheritable,
        access: Option<&Access>,
        title: &str,
        at: Span,
    ) {
        let Some(access) = access else { return };
        let alternatives = match access {
            Access::Anyone { .. } => &[][..],
            Access::OneOf(alternatives) => alternatives,
        };
        let is_public = matches!(access, Access::Anyone { .. });
        let knows_consumers =
            alternatives.iter().flatten().any(|requirement| self.schemes.knows_consumers(requirement));
        // An operation that is public may leave alone what is said for all operations.
        let rules = if is_public { &own.consumers } else { &own.consumers.clone().or(inherited.consumers.clone()) };
        if rules.is_some() && !knows_consumers {
            let headline = format!("`consumers` of {title} never meets a consumer");
            self.diagnostics.push(
                Diagnostic::error(GW209, headline)
                    .at(at, "no scheme of its `security` knows consumers")
                    .help("ask for an API key in `security`, or remove `consumers`")
                    .because_of("consumers", title),
            );
        }
        let has_empty = alternatives.iter().any(Vec::is_empty);
        if let Some(anonymous) = own.anonymous.as_ref().filter(|_| !has_empty) {
            let headline = format!("`anonymous` of {title} never applies");
            self.diagnostics.push(
                Diagnostic::error(GW210, headline)
                    .at(anonymous.span, "its `security` has no alternative `{}`")
                    .help("write `security: [{key: []}, {}]`, or remove `anonymous`"),
            );
        }
    }

    /// What the gateway answers itself is not changed on its way to an upstream, and not for anyone who asks.
    fn check_builtin(
        &mut self,
        builtin: &Spanned<Option<BuiltinPolicy>>,
        own: &Inheritable,
        access: Option<&Access>,
        path: &ast::PathItem,
        operation: &ast::Operation,
    ) {
        let Inheritable { upstream, split, mirror, rewrite, request_headers, max_body, compression, cache, .. } = own;
        let has_content = matches!(builtin.value, Some(BuiltinPolicy::Static { .. } | BuiltinPolicy::Mock) | None);
        let stray = [
            ("upstream", upstream.is_some()),
            ("split", split.as_ref().is_some_and(|split| !split.entries.is_empty())),
            ("mirror", mirror.as_ref().is_some_and(Option::is_some)),
            ("rewrite", rewrite.is_some()),
            ("requestHeaders", request_headers.is_some()),
            ("maxBody", max_body.is_some()),
            ("cache", cache.as_ref().is_some_and(Option::is_some)),
            ("compress", compression.as_ref().is_some_and(Option::is_some) && !has_content),
        ];
        let title = title(path, operation);
        for (name, _) in stray.into_iter().filter(|(_, is_there)| *is_there) {
            self.diagnostics.push(
                Diagnostic::error(GW526, format!("{title} is answered by the gateway, so `{name}` means nothing"))
                    .at(builtin.span, "answers itself")
                    .help(format!("remove `builtin`, or remove `{name}`")),
            );
        }
        let (Some(policy), Some(access)) = (&builtin.value, access) else { return };
        self.check_endpoint(&Spanned::new(builtin.span, policy.clone()), access, path, operation);
        if !matches!(policy, BuiltinPolicy::JwtSign { .. }) {
            return;
        }
        if oauth::is_open(access) {
            self.diagnostics.push(
                Diagnostic::error(GW312, format!("anyone can have tokens signed by {title}"))
                    .at(builtin.span, "anyone who knows a key, which every token shows, can make tokens without end")
                    .help("ask for a credential in `security`; then each consumer gets tokens of its own credentials only")
                    .help("or accept it: `acceptRisk: [{lint: GW312, reason: …}]`"),
            );
        } else if let Access::OneOf(alternatives) = access
            && !alternatives.iter().flatten().any(|requirement| self.schemes.knows_consumers(requirement))
        {
            self.diagnostics.push(
                Diagnostic::error(GW209, format!("{title} signs for its caller, and never meets a consumer"))
                    .at(operation.span, "no scheme of its `security` knows consumers")
                    .help("ask for an API key or a password in `security`"),
            );
        }
    }

    fn rewrite(
        &mut self,
        policy: Option<&RewritePolicy>,
        base: &str,
        template: &Template,
        at: Span,
    ) -> Option<Rewrite> {
        match policy {
            None => Some(Rewrite::Received { base: base.to_owned() }),
            Some(RewritePolicy::Regex { pattern, to }) => {
                Some(Rewrite::Regex { base: base.to_owned(), pattern: pattern.clone(), to: to.clone() })
            }
            Some(RewritePolicy::Path(path)) => {
                let missing = path.names().find(|name| !template.names().any(|known| known == *name));
                let Some(missing) = missing else { return Some(Rewrite::Path(path.value.clone())) };
                let headline = format!("`rewrite` uses `{{{missing}}}`, which `{template}` does not have");
                let diagnostic =
                    Diagnostic::error(GW524, headline).at(path.span, "no such parameter").also(at, "of this operation");
                self.diagnostics.push(diagnostic.did_you_mean(suggest(missing, template.names())));
                None
            }
        }
    }
}
