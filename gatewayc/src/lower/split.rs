//! What an operation sends to other upstreams than its own.

use gateway_yaml::Span;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, GW533, GW534};
use crate::ir::{Mirror, Share, SplitEntry, Upstream};
use crate::lower::lowering::Lowering;
use crate::vocabulary::{MirrorPolicy, SplitPolicy};

impl Lowering<'_> {
    /// What goes to other upstreams. What cannot be is left out, and reported.
    pub(super) fn split(&mut self, policy: Option<&SplitPolicy>, who: &str, at: Span) -> Vec<SplitEntry> {
        let Some(policy) = policy.filter(|policy| !policy.entries.is_empty()) else { return Vec::new() };
        if policy.is_elsewhere {
            self.diagnostics.push(
                Diagnostic::error(
                    GW533,
                    format!("{who} has an upstream of its own, and inherits a `split` of another"),
                )
                .at(at, "its requests would go to versions of another service")
                .also(policy.at, "the `split`")
                .help("write `split: off` beside its `upstream`, or a `split` of its own")
                .because_of(format!("{:?}", policy.at), who),
            );
            return Vec::new();
        }
        let mut entries = Vec::new();
        for entry in &policy.entries {
            let choice = Some(entry.upstream.clone());
            let Some(upstream) = self.upstreams.choose(&choice, who, at, self.diagnostics) else { continue };
            entries.push(SplitEntry {
                upstream,
                share: entry.weight.unwrap_or(Share::NOTHING),
                when: entry.when.clone(),
                by: entry.by.clone(),
                span: entry.span,
            });
        }
        entries
    }

    /// What is copied to another upstream than `own`. What cannot be is left out, and reported.
    pub(super) fn mirror(
        &mut self,
        policy: Option<&Option<MirrorPolicy>>,
        own: &str,
        who: &str,
        at: Span,
    ) -> Option<Mirror> {
        let MirrorPolicy { upstream, share, credentials, at: key } = policy?.as_ref()?;
        let upstream = self.upstreams.choose(&Some(upstream.clone()), who, at, self.diagnostics)?;
        let described = [own, &upstream].map(|name| self.upstreams.described(name));
        if upstream == own || matches!(described, [Some(one), Some(other)] if have_common_endpoint(one, other)) {
            self.diagnostics.push(
                Diagnostic::error(GW534, format!("{who} is copied to the server that it goes to: `{upstream}`"))
                    .at(*key, "it would get these requests twice, and act on them twice")
                    .also(at, "this operation")
                    .help("name an upstream that answers no requests, or write `mirror: off` at the operation")
                    .because_of(format!("{key:?}"), who),
            );
            return None;
        }
        Some(Mirror { upstream, share: *share, credentials: *credentials })
    }
}

/// Whether a request to one may reach a server of the other, under the same path.
fn have_common_endpoint(one: &Upstream, other: &Upstream) -> bool {
    let addresses = |upstream: &Upstream| -> Vec<Address> {
        upstream.endpoints.iter().map(|endpoint| Address::of(&endpoint.url)).collect()
    };
    let others = addresses(other);
    addresses(one).iter().any(|address| others.contains(address))
}
