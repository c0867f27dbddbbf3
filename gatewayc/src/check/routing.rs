//! The router of an API: the very one that the gateway uses.

use gateway_route::{Router, RouterBuilder};

use crate::ir::Api;

/// The router that answers for an API; values are indices into [`Api::routes`].
pub fn router(api: &Api) -> Router<usize> {
    build(api).0
}

pub(super) fn build(api: &Api) -> (Router<usize>, Vec<gateway_route::Conflict>) {
    let mut builder = RouterBuilder::new();
    for (index, route) in api.routes.iter().enumerate() {
        builder.insert(route.template.clone(), route.when.clone(), index);
    }
    builder.build()
}
