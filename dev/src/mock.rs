//! Answers from a document's examples, in place of upstreams that are not there: as `builtin: mock` gives them.

mod presence;

use gateway_runtime::UpstreamAddress;
use gatewayc::examples::responses;
use gatewayc::ir::{Action, Builtin};

use crate::compile::Compiled;
use crate::described::{find, mark};
pub(crate) use presence::{Mode, Presence};

/// Has the gateway itself answer what is forwarded to one of these upstreams.
pub(crate) fn stand_in(compiled: &mut Compiled, absent: &[UpstreamAddress]) {
    let Compiled { gateway, documents, sources, .. } = compiled;
    for api in &mut gateway.apis {
        let name = api.name.clone();
        let is_absent = |upstream: &str| absent.iter().any(|one| one.api == name && one.upstream == upstream);
        for operation in api.routes.iter_mut().flat_map(|route| &mut route.operations) {
            if matches!(&operation.action, Action::Forward { upstream, .. } if is_absent(upstream)) {
                let described = find(documents, &mark(&name, operation));
                let described = described.map(|described| responses(&described.node, sources)).unwrap_or_default();
                operation.action = Action::Answer(Builtin::Mock(described));
            }
        }
    }
}
