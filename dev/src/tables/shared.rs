//! What operations refer to, by name.

use gateway_access::scheme::Scheme;
use gateway_runtime::codegen::{AuthorizationServer, Limit, Upstream};

/// What the operations of an API refer to.
pub(super) struct Shared {
    pub(super) upstreams: Vec<&'static Upstream>,
    pub(super) schemes: Vec<&'static dyn Scheme>,
    /// In the order of the document's.
    pub(super) limits: Vec<&'static Limit>,
    pub(super) server: Option<&'static AuthorizationServer>,
}

impl Shared {
    pub(super) fn upstream(&self, name: &str) -> &'static Upstream {
        let found = self.upstreams.iter().find(|upstream| upstream.name == name);
        found.expect("lowering keeps every upstream that an operation uses")
    }

    pub(super) fn scheme(&self, name: &str) -> &'static dyn Scheme {
        let found = self.schemes.iter().find(|scheme| scheme.name() == name);
        *found.expect("lowering keeps every scheme that an operation requires")
    }

    pub(super) fn server(&self) -> &'static AuthorizationServer {
        self.server.expect("lowering refuses endpoints without a server")
    }
}
