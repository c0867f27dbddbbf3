//! `security` and security schemes: who may call. Whatever is unclear is refused.

use std::collections::BTreeMap;

use crate::ast::{self, Security};
use crate::diagnostic::{Diagnostic, Diagnostics, GW201, GW207, GW211, GW213, GW214, GW216};
use crate::ir::{self, Access, Credential, CredentialLocation, JwtKey, Requirement, Scheme};
use crate::lower::limits::CallerKind;
use crate::lower::naming::title;
use crate::lower::scheme::{self, Unusable};
use crate::vocabulary;

/// The schemes of a document: which can be enforced, and which are asked for.
pub(super) struct Schemes<'a> {
    schemes: BTreeMap<&'a str, State<'a>>,
}

struct State<'a> {
    definition: &'a ast::SecurityScheme,
    lowered: Result<Scheme, Unusable>,
    used: bool,
}

impl<'a> Schemes<'a> {
    pub(super) fn new(
        document: &'a ast::Document,
        root: &vocabulary::Root,
        risks: &mut Vec<ir::AcceptedRisk>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let schemes = document.schemes.iter().map(|definition| {
            let lowered = scheme::lower(definition, root, risks, diagnostics);
            (definition.name.as_str(), State { definition, lowered, used: false })
        });
        Self { schemes: schemes.collect() }
    }

    /// Who may call an operation; nothing where that is not clear, which has been reported.
    pub(super) fn access(
        &mut self,
        document: &ast::Document,
        path: &ast::PathItem,
        operation: &ast::Operation,
        diagnostics: &mut Diagnostics,
    ) -> Option<Access> {
        match operation.security.as_ref().or(document.security.as_ref()) {
            Some(security) => self.read(security, diagnostics),
            None => {
                let who = title(path, operation);
                diagnostics.push(
                    Diagnostic::error(GW201, format!("unprotected operation: {who} has no security"))
                        .at(operation.span, "anyone could call it")
                        .help("write `security: []` to make it public, or name a scheme here or at the root")
                        .because_of("no security", who),
                );
                None
            }
        }
    }

    /// Who may call where `security` is; nothing where that is not clear, which has been reported.
    pub(super) fn read(&mut self, security: &Security, diagnostics: &mut Diagnostics) -> Option<Access> {
        match security {
            Security::AnyOf(alternatives) => self.any_of(&alternatives.value, diagnostics),
            Security::Broken(_) => None,
        }
    }

    /// A list is OR, an object is AND, `{}` is anonymous, `[]` is public.
    fn any_of(&mut self, alternatives: &[ast::Alternative], diagnostics: &mut Diagnostics) -> Option<Access> {
        if alternatives.is_empty() {
            return Some(Access::Anyone { because: "security: []" });
        }
        let all_of = |alternative: &ast::Alternative| -> Option<Vec<Requirement>> {
            let requirements: Vec<_> =
                alternative.requirements.iter().map(|requirement| self.requirement(requirement, diagnostics)).collect();
            let mut requirements = requirements.into_iter().collect::<Option<Vec<_>>>()?;
            // The keys of an object have no order.
            requirements.sort_by(|a, b| a.scheme.cmp(&b.scheme));
            self.can_hold(alternative, &requirements, diagnostics).then_some(requirements)
        };
        let alternatives: Vec<_> = alternatives.iter().map(all_of).collect();
        Some(Access::OneOf(alternatives.into_iter().collect::<Option<_>>()?))
    }

    /// All schemes of an object must name the same caller, and a consumer is never the same as a user of another
    /// authority with the same name. And a request has one `Authorization` field (RFC 9110 §11.6.2).
    fn can_hold(
        &self,
        alternative: &ast::Alternative,
        requirements: &[Requirement],
        diagnostics: &mut Diagnostics,
    ) -> bool {
        if let Some((first, second)) = self.met_by_one(requirements) {
            diagnostics.push(
                Diagnostic::error(GW216, format!("one credential meets `{}` and `{}`", first.scheme, second.scheme))
                    .at(alternative.span, "both read the same place, and the second asks for nothing")
                    .help("give one of them another place, or ask for one scheme with a role"),
            );
            return false;
        }
        let (consumers, others): (Vec<_>, Vec<_>) =
            requirements.iter().partition(|requirement| self.knows_consumers(requirement));
        let words: Vec<_> = requirements.iter().filter_map(|one| Some((one, self.authorization_of(one)?))).collect();
        if let Some((first, word)) = words.first()
            && let Some((second, other)) = words.iter().find(|(_, other)| other != word)
        {
            diagnostics.push(
                Diagnostic::error(GW213, format!("`{}` and `{}` can never hold together", first.scheme, second.scheme))
                    .at(alternative.span, "both credentials stand in `Authorization`, and a request has one")
                    .help(format!("one is `{word} …`, the other `{other} …`"))
                    .help("list them as alternatives, or give one of them another place with `alsoIn`"),
            );
            return false;
        }
        if let Some((first, second)) = self.of_other_issuers(&others) {
            diagnostics.push(
                Diagnostic::error(
                    GW213,
                    format!("it is not known that `{}` and `{}` name the same caller", first.scheme, second.scheme),
                )
                .at(alternative.span, "all schemes of an object must name the same caller")
                .help("a name means something only together with its issuer: write the same `issuers` at both schemes")
                .help("or list them as alternatives"),
            );
            return false;
        }
        let (Some(consumer), Some(other)) = (consumers.first(), others.first()) else { return true };
        diagnostics.push(
            Diagnostic::error(GW213, format!("`{}` and `{}` can never hold together", consumer.scheme, other.scheme))
                .at(alternative.span, "all schemes of an object must name the same caller")
                .help(format!("`{}` names a consumer, and `{}` a caller of its issuer", consumer.scheme, other.scheme))
                .help("list them as alternatives, or check tokens with `jwt: {identify: consumer}`"),
        );
        false
    }

    fn requirement(&mut self, requirement: &ast::Requirement, diagnostics: &mut Diagnostics) -> Option<Requirement> {
        // An undefined scheme has been reported by the parser.
        let state = self.schemes.get_mut(requirement.scheme.as_str())?;
        state.used = true;
        match &state.lowered {
            Ok(scheme) => {
                for scope in requirement.scopes.iter().filter(|scope| !vocabulary::is_scope(&scope.value)) {
                    diagnostics.push(
                        Diagnostic::error(GW214, format!("`{}` is not a scope", scope.value.escape_debug()))
                            .at(scope.span, "visible ASCII without blanks, quotes and backslashes"),
                    );
                }
                if let Some(first) = requirement.scopes.first()
                    && matches!(scheme.credential, Credential::Session(_) | Credential::AdminKey)
                {
                    diagnostics.push(
                        Diagnostic::error(GW207, format!("`{}` knows neither scopes nor roles", scheme.name))
                            .at(first.span, "cannot be enforced")
                            .help(format!("write `{}: []`", scheme.name)),
                    );
                }
                let mut scopes: Vec<_> = requirement.scopes.iter().map(|scope| scope.value.clone()).collect();
                scopes.sort_unstable();
                scopes.dedup();
                Some(Requirement { scheme: scheme.name.clone(), scopes })
            }
            Err(Unusable::Reported) => None,
            Err(Unusable::Because(problem)) => {
                diagnostics.push((**problem).clone().also(requirement.scheme.span, "required here"));
                None
            }
        }
    }

    /// Two requirements that read one credential.
    fn met_by_one<'r>(&self, requirements: &'r [Requirement]) -> Option<(&'r Requirement, &'r Requirement)> {
        let lowered = |requirement: &Requirement| self.schemes.get(requirement.scheme.as_str())?.lowered.as_ref().ok();
        let is_same = |one: &Scheme, other: &Scheme| match (&one.credential, &other.credential) {
            (Credential::ApiKey, Credential::ApiKey) | (Credential::AdminKey, Credential::AdminKey) => {
                one.locations.iter().any(|here| other.locations.iter().any(|there| is_same_place(here, there)))
            }
            (Credential::Basic, Credential::Basic) | (Credential::Certificate, Credential::Certificate) => true,
            _ => false,
        };
        requirements.iter().enumerate().find_map(|(index, first)| {
            let one = lowered(first)?;
            let second = requirements[index + 1..]
                .iter()
                .find(|second| lowered(second).is_some_and(|other| is_same(one, other)))?;
            Some((first, second))
        })
    }

    /// Two schemes whose tokens need not be of one issuer.
    fn of_other_issuers<'r>(&self, requirements: &[&'r Requirement]) -> Option<(&'r Requirement, &'r Requirement)> {
        let issuers = |requirement: &Requirement| {
            let scheme = self.schemes.get(requirement.scheme.as_str())?.lowered.as_ref().ok()?;
            let issuers = match &scheme.credential {
                Credential::Jwt(jwt) => match &jwt.key {
                    ir::JwtKey::Discovery { url } => vec![url.trim_end_matches("/.well-known/openid-configuration")],
                    _ => jwt.issuers.iter().map(String::as_str).collect(),
                },
                Credential::Introspection(asked) => asked.issuers.iter().map(String::as_str).collect(),
                // One server gave both, and knows to which user.
                Credential::OwnToken | Credential::Session(_) => vec!["self"],
                _ => return None,
            };
            // Of several accepted issuers, one token could be of the first and the other of the second.
            <[&str; 1]>::try_from(issuers).ok().map(|[issuer]| issuer.to_owned())
        };
        let [first, others @ ..] = requirements else { return None };
        let first_issuer = issuers(first);
        let other = others.iter().find(|other| first_issuer.is_none() || issuers(other) != first_issuer)?;
        Some((first, other))
    }

    /// The first word of `Authorization`, where the credential of a requirement can be nowhere else.
    pub(super) fn authorization_of(&self, requirement: &Requirement) -> Option<String> {
        let scheme = self.schemes.get(requirement.scheme.as_str())?.lowered.as_ref().ok()?;
        let only_there = matches!(&scheme.locations[..], [only] if is_authorization(only));
        let word = match &scheme.credential {
            Credential::Basic => "basic".to_owned(),
            Credential::Jwt(_) | Credential::ConsumerJwt(_) | Credential::Introspection(_) | Credential::OwnToken => {
                "bearer".to_owned()
            }
            Credential::Hmac(hmac) if hmac.profile == ir::HmacProfile::CavageApisix => hmac.scheme.to_ascii_lowercase(),
            Credential::Hmac(_)
            | Credential::ApiKey
            | Credential::Certificate
            | Credential::Session(_)
            | Credential::AdminKey => return None,
        };
        only_there.then_some(word)
    }

    /// Whether `Authorization` is one of the places where the credential of a requirement is looked for.
    pub(super) fn may_stand_in_authorization(&self, requirement: &Requirement) -> bool {
        let lowered = self.schemes.get(requirement.scheme.as_str()).and_then(|state| state.lowered.as_ref().ok());
        lowered.is_some_and(|scheme| scheme.locations.iter().any(is_authorization))
    }

    /// The callers that these credentials admit, which must all hold.
    pub(super) fn caller_kinds(&self, requirements: &[Requirement]) -> Vec<CallerKind> {
        if requirements.iter().any(|requirement| self.knows_consumers(requirement)) {
            return vec![CallerKind::Consumer];
        }
        let states = requirements.iter().filter_map(|requirement| self.schemes.get(requirement.scheme.as_str()));
        let schemes = states.filter_map(|state| Some((state.definition, state.lowered.as_ref().ok()?)));
        let mut kinds = vec![CallerKind::User, CallerKind::Client];
        for (definition, scheme) in schemes {
            match scheme.credential {
                Credential::Session(_) => kinds.retain(|kind| *kind == CallerKind::User),
                // Administrators have no name, and no need of a limit.
                Credential::AdminKey => kinds.clear(),
                _ => {
                    let flows = definition.node.get("flows").and_then(gateway_yaml::Node::as_mapping);
                    let has = |of_client: bool| {
                        let mut flows = flows.into_iter().flatten();
                        flows.any(|flow| (&*flow.key.name == "clientCredentials") == of_client)
                    };
                    if flows.is_some_and(|flows| !flows.is_empty()) {
                        kinds.retain(|kind| has(*kind == CallerKind::Client));
                    }
                }
            }
        }
        kinds
    }

    /// Whether a requirement's scheme identifies the consumer.
    pub(super) fn knows_consumers(&self, requirement: &Requirement) -> bool {
        let state = self.schemes.get(requirement.scheme.as_str());
        state.is_some_and(|state| state.lowered.as_ref().is_ok_and(Scheme::knows_consumers))
    }

    /// The kind of credential that a requirement asks for.
    pub(super) fn credential(&self, requirement: &Requirement) -> Option<&Credential> {
        let state = self.schemes.get(requirement.scheme.as_str())?;
        state.lowered.as_ref().ok().map(|scheme| &scheme.credential)
    }

    /// The schemes of an authorization server, ordered by name.
    pub(super) fn own(&self) -> impl Iterator<Item = (&'a ast::SecurityScheme, &Credential)> {
        self.schemes.values().filter_map(|state| {
            let credential = &state.lowered.as_ref().ok()?.credential;
            let is_own = matches!(credential, Credential::OwnToken | Credential::Session(_));
            is_own.then_some((state.definition, credential))
        })
    }

    /// Whether the parser has refused the security of an operation.
    pub(super) fn is_broken(&self, security: Option<&Security>) -> bool {
        match security {
            Some(Security::Broken(_)) => true,
            Some(Security::AnyOf(alternatives)) => {
                let mut requirements = alternatives.value.iter().flat_map(|alternative| &alternative.requirements);
                requirements.any(|requirement| {
                    self.schemes.get(requirement.scheme.as_str()).is_none_or(|state| state.definition.kind.is_none())
                })
            }
            None => false,
        }
    }

    /// The schemes that operations ask for, ordered by name.
    pub(super) fn used(self, diagnostics: &mut Diagnostics) -> Vec<Scheme> {
        let mut used = Vec::new();
        for State { definition, lowered, .. } in self.schemes.into_values().filter(|state| state.used) {
            let Ok(scheme) = lowered else { continue };
            if takes_any_audience(&scheme) {
                diagnostics.push(
                    Diagnostic::warning(
                        GW211,
                        format!("the scheme `{}` accepts tokens that its provider made for other APIs", scheme.name),
                    )
                    .at(definition.name.span, "no `audiences`")
                    .help(
                        "write `jwt: {audiences: [\"https://api.example\"]}` with what the provider writes into `aud`",
                    )
                    .help("or, where its tokens have no `aud`, `jwt: {clientIds: [\"…\"]}` with `client_id` or `azp`"),
                );
            }
            used.push(scheme);
        }
        used
    }
}

/// A provider's keys sign for all of its APIs.
fn takes_any_audience(scheme: &Scheme) -> bool {
    match &scheme.credential {
        Credential::Jwt(jwt) => {
            jwt.audiences.is_empty()
                && jwt.client_ids.is_empty()
                && matches!(jwt.key, JwtKey::KeySetUrl { .. } | JwtKey::Discovery { .. })
        }
        _ => false,
    }
}

/// Names of header fields have no case.
fn is_same_place(one: &CredentialLocation, other: &CredentialLocation) -> bool {
    match (one, other) {
        (CredentialLocation::Header(one), CredentialLocation::Header(other)) => one.eq_ignore_ascii_case(other),
        _ => one == other,
    }
}

fn is_authorization(place: &CredentialLocation) -> bool {
    matches!(place, CredentialLocation::Header(name) if name.eq_ignore_ascii_case("authorization"))
}
