//! The authorization servers of all documents.

use gateway_parties::authority::Authority;
use gateway_proxy::tables::{Action, Gateway};

/// The authorization servers of all documents, each once.
pub(crate) fn authorities(gateway: &Gateway) -> Vec<Authority> {
    let schemes = gateway.apis.iter().flat_map(|api| api.schemes).filter_map(|scheme| scheme.authority());
    let operations = gateway.apis.iter().flat_map(|api| api.operations());
    let builtins = operations.filter_map(|operation| match &operation.action {
        Action::Answer(builtin) => builtin.authority(),
        Action::Forward { .. } => None,
    });
    let mut found: Vec<Authority> = Vec::new();
    for authority in builtins.chain(schemes) {
        if !found.iter().any(|known| std::ptr::eq(known.server, authority.server)) {
            found.push(authority);
        }
    }
    found
}
