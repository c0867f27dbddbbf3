//! The statuses with which the gateway itself answers requests of an operation.

use std::collections::BTreeSet;

use crate::ir::{Access, Action, Api, ConsumerRules, Mode, Operation};

/// What the gateway may answer in place of the operation, without what every server may answer (404, 408, 431, 505).
pub(crate) fn own_statuses(api: &Api, operation: &Operation) -> Vec<u16> {
    let mut statuses = BTreeSet::new();
    if let Access::OneOf(alternatives) = &operation.access {
        statuses.insert(401);
        let asks_for_more = alternatives.iter().flatten().any(|requirement| !requirement.scopes.is_empty());
        if asks_for_more || operation.consumers != ConsumerRules::default() {
            statuses.insert(403);
        }
    }
    if operation.cors.as_ref().is_some_and(|cors| cors.policy.enforce) {
        statuses.insert(403);
    }
    if let Some(upgrade) = &operation.upgrade {
        statuses.insert(400);
        statuses.extend(upgrade.origins.as_ref().filter(|origins| !origins.any).map(|_| 403));
    }
    statuses.extend(operation.limits.iter().filter_map(|charge| Some(api.limits.get(charge.limit)?.status)));
    let contract = &operation.contract;
    let unknown = &contract.unknown;
    let refuses = [unknown.query, unknown.header, unknown.cookie].contains(&Mode::Enforce);
    if refuses || contract.parameters.iter().any(|parameter| parameter.mode == Mode::Enforce) {
        statuses.insert(400);
    }
    if let Some(body) = contract.body.as_ref().filter(|body| body.mode == Mode::Enforce) {
        statuses.extend([400, 413, 415, body.refused_with]);
    }
    if let Action::Forward { .. } = operation.action {
        statuses.extend([502, 504]);
    }
    statuses.into_iter().collect()
}

/// Those of the statuses about mistakes of clients that the document does not describe for the operation.
pub(crate) fn not_described(operation: &Operation, statuses: &[u16]) -> Vec<u16> {
    let is_described = |status: &u16| {
        operation.described_statuses.iter().any(|key| {
            let class = key.to_ascii_uppercase();
            key == "default" || *key == status.to_string() || class == format!("{}XX", status / 100)
        })
    };
    statuses.iter().copied().filter(|status| *status < 500 && !is_described(status)).collect()
}
