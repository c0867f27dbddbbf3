//! What responses say to browsers, as tables.

use crate::emit::layout::Expression;
use crate::emit::literals::{boolean, duration};
use crate::emit::names::{Ident, Idents};
use crate::ir::{Api, Cors, CorsPolicy, Operation, OriginPattern, Origins, Route, Upgrade};

/// The policies and lists of a document, each once.
#[derive(Default)]
pub(super) struct Browsers<'a> {
    pub(super) policies: Vec<(Ident, &'a CorsPolicy)>,
    pub(super) headers: Vec<(Ident, &'a [(String, String)])>,
}

impl<'a> Browsers<'a> {
    /// Those of an API, in the order of its routes and operations, which are those of rules, too.
    pub(super) fn new(
        api: &'a Api,
        routes: impl Iterator<Item = &'a Route>,
        operations: impl Iterator<Item = &'a Operation>,
        idents: &mut Idents,
    ) -> Self {
        let mut found = Self::default();
        found.add(api.cors.as_ref(), &api.security_headers, idents);
        for route in routes {
            found.add(route.cors.as_ref(), &route.security_headers, idents);
        }
        for operation in operations {
            found.add(operation.cors.as_ref(), &operation.security_headers, idents);
        }
        found
    }

    fn add(&mut self, cors: Option<&'a Cors>, headers: &'a [(String, String)], idents: &mut Idents) {
        if let Some(Cors { policy, .. }) = cors
            && !self.policies.iter().any(|(_, known)| *known == policy)
        {
            self.policies.push((idents.upper("cors"), policy));
        }
        if !headers.is_empty() && !self.headers.iter().any(|(_, known)| *known == headers) {
            self.headers.push((idents.upper("security headers"), headers));
        }
    }

    pub(super) fn cors(&self, cors: Option<&Cors>) -> Expression {
        let Some(Cors { policy, methods, headers, exposed }) = cors else { return Expression::word("None") };
        let (ident, _) = self.policies.iter().find(|(_, known)| *known == policy).expect("every policy was added");
        let list = |names: &[String]| Expression::text(&names.join(", "));
        let fields = vec![
            ("policy", Expression::reference_to(ident)),
            ("methods", list(methods)),
            ("headers", list(headers)),
            ("exposed", list(exposed)),
        ];
        Expression::Call("Some", vec![Expression::Struct("Cors", fields)])
    }

    pub(super) fn security_headers(&self, headers: &[(String, String)]) -> Expression {
        match self.headers.iter().find(|(_, known)| *known == headers) {
            Some((ident, _)) => Expression::Call("Some", vec![Expression::reference_to(ident)]),
            None => Expression::word("None"),
        }
    }
}

pub(super) fn policy_value(policy: &CorsPolicy) -> Expression {
    let CorsPolicy { origins, patterns, any, credentials, max_age, private_network, enforce } = policy;
    let max_age = match max_age {
        Some(max_age) => Expression::Call("Some", vec![duration(*max_age)]),
        None => Expression::word("None"),
    };
    Expression::Struct(
        "CorsPolicy",
        vec![
            ("origins", Expression::texts(origins)),
            ("patterns", Expression::Slice(patterns.iter().map(origin_pattern).collect())),
            ("any", boolean(*any)),
            ("credentials", boolean(*credentials)),
            ("max_age", max_age),
            ("private_network", boolean(*private_network)),
            ("enforce", boolean(*enforce)),
        ],
    )
}

fn origin_pattern(OriginPattern { scheme, domain }: &OriginPattern) -> Expression {
    let fields = vec![("scheme", Expression::text(scheme)), ("domain", Expression::text(domain))];
    Expression::Struct("OriginPattern", fields)
}

/// What an operation lets clients switch to.
pub(super) fn upgrade(upgrade: Option<&Upgrade>) -> Expression {
    let Some(Upgrade { protocols, idle, until_expiry, origins, .. }) = upgrade else {
        return Expression::word("None");
    };
    let origins = origins.as_ref().map(|Origins { origins, patterns, any }| {
        let fields = vec![
            ("origins", Expression::texts(origins)),
            ("patterns", Expression::Slice(patterns.iter().map(origin_pattern).collect())),
            ("any", boolean(*any)),
        ];
        Expression::Call("Some", vec![Expression::Struct("Origins", fields)])
    });
    let fields = vec![
        ("protocols", Expression::texts(protocols)),
        ("idle", duration(*idle)),
        ("until_expiry", boolean(*until_expiry)),
        ("origins", origins.unwrap_or_else(|| Expression::word("None"))),
    ];
    Expression::Call("Some", vec![Expression::Struct("Upgrade", fields)])
}

pub(super) fn headers_value(headers: &[(String, String)]) -> Expression {
    let pair =
        |(name, value): &(String, String)| Expression::Call("", vec![Expression::text(name), Expression::text(value)]);
    Expression::Struct("SecurityHeaders", vec![("fields", Expression::Slice(headers.iter().map(pair).collect()))])
}
