//! Who may call an operation.

use gateway_runtime::codegen::{Access, Anonymous, ConsumerRules, CredentialLocation, Requirement};
use gatewayc::ir;

use crate::tables::shared::Shared;
use crate::tables::text::{list, text, texts};

pub(super) fn access(access: &ir::Access, shared: &Shared) -> Access {
    let requirement = |requirement: &ir::Requirement| Requirement {
        scheme: shared.scheme(&requirement.scheme),
        scopes: texts(&requirement.scopes),
    };
    match access {
        ir::Access::Anyone { because } => Access::Anyone { because },
        ir::Access::OneOf(alternatives) => Access::OneOf(list(alternatives, |all| list(all, requirement))),
    }
}

pub(super) fn consumer_rules(rules: &ir::ConsumerRules) -> ConsumerRules {
    let ir::ConsumerRules { allow, groups, deny, methods } = rules;
    ConsumerRules {
        allow: texts(allow),
        groups: texts(groups),
        deny: texts(deny),
        methods: list(methods, |(name, methods)| (text(name), texts(methods))),
    }
}

pub(super) fn anonymous(anonymous: &ir::Anonymous) -> Anonymous {
    let ir::Anonymous { consumer, despite_invalid } = anonymous;
    Anonymous { consumer: text(consumer), despite_invalid: *despite_invalid }
}

pub(super) fn locations(locations: &[ir::CredentialLocation]) -> &'static [CredentialLocation] {
    list(locations, |location| match location {
        ir::CredentialLocation::Header(name) => CredentialLocation::Header(text(name)),
        ir::CredentialLocation::Query(name) => CredentialLocation::Query(text(name)),
        ir::CredentialLocation::Cookie(name) => CredentialLocation::Cookie(text(name)),
        ir::CredentialLocation::Form(name) => CredentialLocation::Form(text(name)),
        ir::CredentialLocation::Subprotocol(prefix) => CredentialLocation::Subprotocol(text(prefix)),
    })
}
