//! Where the requests of an operation go: to its upstream, to others, and copies of them.

use crate::assemble::{Assembly, Authenticators};

use gateway_access::authorize::PreparedAccess;
use gateway_access::challenges::{credentials, hidden};
use gateway_base::problem::Problem;
use gateway_base::warn;
use gateway_proxy::access_log;
use gateway_proxy::deployment::{Alternative, PreparedForward, PreparedMirror, PreparedSplit, PreparedTarget};
use gateway_proxy::rewrite::PathTemplate;
use gateway_proxy::split::SplitChoice;
use gateway_proxy::tables::{Action, Api, Mirror, Operation, Rewrite, SplitEntry, Upstream};
use gateway_proxy::upstream::Endpoint;

impl Assembly<'_> {
    /// Where the requests of an operation go; nothing where that cannot be prepared, which has been reported.
    pub(super) fn forward(
        &mut self,
        api: &'static Api,
        operation: &'static Operation,
        access: &PreparedAccess,
        schemes: &Authenticators,
    ) -> Option<PreparedForward> {
        let Action::Forward { to, path, split, mirror } = &operation.action else { return None };
        let own = self.to(api, operation, path, to)?;
        let mirror = match mirror {
            Some(mirror) => {
                let mirror = self.mirror(api, operation, path, mirror, access, schemes)?;
                tell_of_copies(api, operation, &own, &mirror);
                Some(Box::new(mirror))
            }
            None => None,
        };
        Some(PreparedForward { split: self.split(api, operation, path, split)?, mirror, ..own })
    }

    /// Where requests go, and under which path.
    fn to(
        &mut self,
        api: &'static Api,
        operation: &Operation,
        path: &'static Rewrite,
        to: &'static Upstream,
    ) -> Option<PreparedForward> {
        let cluster = self.cluster(api, to)?;
        Some(PreparedForward {
            cluster,
            rewrite: self.rewrite(api, operation, path)?,
            base: base_of(path).or_else(|| api.operations().find_map(base_of_operation)).unwrap_or_default(),
            split: None,
            mirror: None,
        })
    }

    /// What goes elsewhere; `Some(None)` for nothing.
    fn split(
        &mut self,
        api: &'static Api,
        operation: &Operation,
        path: &'static Rewrite,
        entries: &'static [SplitEntry],
    ) -> Option<Option<Box<PreparedSplit>>> {
        if entries.is_empty() {
            return Some(None);
        }
        let alternatives = SplitChoice::of(entries).zip(entries).map(|(choice, entry)| {
            let log_constants = access_log::constants(api.name, operation.id, entry.to.name);
            Some(Alternative { choice, to: self.to(api, operation, path, entry.to)?, log_constants })
        });
        Some(Some(Box::new(PreparedSplit(alternatives.collect::<Option<_>>()?))))
    }

    fn mirror(
        &mut self,
        api: &'static Api,
        operation: &Operation,
        path: &'static Rewrite,
        mirror: &'static Mirror,
        access: &PreparedAccess,
        schemes: &Authenticators,
    ) -> Option<PreparedMirror> {
        let hidden = if mirror.credentials {
            hidden(access, &self.session_cookies)
        } else {
            credentials(schemes.iter().filter(|((of, _), _)| *of == api.name).map(|(_, scheme)| &**scheme))
        };
        let to = self.to(api, operation, path, mirror.to)?;
        Some(PreparedMirror { to, share: mirror.share, hidden, hides_certificates: !mirror.credentials })
    }

    fn rewrite(&mut self, api: &Api, operation: &Operation, path: &'static Rewrite) -> Option<PreparedTarget> {
        Some(match path {
            Rewrite::Received { base } => PreparedTarget::Received { base },
            Rewrite::Path(template) => PreparedTarget::Path(PathTemplate::parse(template)),
            Rewrite::With(rewriter) => match rewriter.prepare() {
                Ok(rewrite) => PreparedTarget::With { base: rewriter.base(), rewrite },
                Err(problem) => {
                    self.problems
                        .push(Problem::plain(format!("operation `{}` of {}: {problem}", operation.id, api.source)));
                    return None;
                }
            },
        })
    }
}

/// A deployment may give two upstreams one address: what is copied from one to the other is done twice. Where all is a test
/// server that may be meant.
fn tell_of_copies(api: &Api, operation: &Operation, own: &PreparedForward, mirror: &PreparedMirror) {
    let [own, copied] = [&own.cluster, &mirror.to.cluster];
    let others = copied.described().endpoints;
    let is_common = |one: &&Endpoint| others.iter().any(|other| one.leads_where(other));
    if let Some(common) = own.described().endpoints.iter().find(is_common) {
        warn!(
            format_args!("upstream {}", copied.document.name),
            "{}, which gets the requests of `{}` of {}, gets their copies too: it is also an address of the upstream `{}`",
            common.label(),
            operation.id,
            api.source,
            own.document.name,
        );
    }
}

/// The base path that a rewrite takes off; nothing where it replaces the path as a whole.
fn base_of(rewrite: &'static Rewrite) -> Option<&'static str> {
    match rewrite {
        Rewrite::Received { base } => Some(base),
        Rewrite::With(rewriter) => Some(rewriter.base()),
        Rewrite::Path(_) => None,
    }
}

fn base_of_operation(operation: &'static Operation) -> Option<&'static str> {
    match &operation.action {
        Action::Forward { path, .. } => base_of(path),
        Action::Answer(_) => None,
    }
}
