//! Requests that no path matches: what rules make of them.

use gateway_route::{Ambiguous, RequestPath, Selectors};

use super::plain::refuse_plain;
use super::record::{Ending, Record};
use super::request::Request;
use crate::builtin::OwnAnswer;
use crate::live::{Live, LiveListener};
use crate::reject::Reject;
use crate::rules::{self, Asked, LiveRule, Ruled};

/// How a request goes on that rules have given another target.
pub(super) struct Way {
    /// Path and query.
    pub(super) target: String,
    /// Who forwards it; without, the paths are asked once more.
    pub(super) rule: Option<&'static LiveRule>,
}

/// Why no path matches.
fn not_found(listener: &LiveListener, path: &RequestPath<'_>) -> Reject {
    let Some((_, character)) = listener.router.refusal(path) else { return Reject::NotFound };
    Reject::AmbiguousPath(match character {
        Ambiguous::EncodedSlash => "a path parameter with %2F, which its `encodedSlash: allow` would admit",
        Ambiguous::EncodedPercent => "a path parameter with %25, which its `encodedPercent: allow` would admit",
        Ambiguous::Backslash => "a path parameter with %5C, which its `backslash: allow` would admit",
        Ambiguous::Semicolon => "a path parameter with `;`, which its `semicolon: allow` would admit",
    })
}

impl Record<'_> {
    /// Tries the rules of the listener.
    ///
    /// # Errors
    /// What a rule answers, or 404 where none is about the request; plain HTTP where it must come over TLS.
    pub(super) fn apply_rules(
        &mut self,
        live: &Live,
        request: &Request<'_>,
        selectors: Selectors<'_>,
    ) -> Result<Way, Ending> {
        let (listener, Request { target, path, .. }) = (self.listener, request);
        if let (Some(https_only), false) = (&listener.https_only, self.is_https) {
            return Err(refuse_plain(https_only, request)); // 301 308 403 421
        }
        // A path that is described is no rule's business, however unclear the query is about its conditions.
        if listener.rules.is_empty() || listener.router.is_unclear(path, selectors) {
            return Err(not_found(listener, path).into()); // 404
        }
        let asked = Asked {
            path,
            query: target.query,
            authority: target.host,
            is_https: self.is_https,
            longest: live.config.limits.head.request_line,
        };
        let ruled = rules::apply(&listener.rules, &asked, &mut self.rule);
        self.route = self.rule.map(|rule| &rule.route);
        let own = match ruled? {
            Ruled::Proxy(target) => return Ok(Way { target, rule: self.rule }),
            Ruled::Passed(Some(target)) => return Ok(Way { target, rule: None }),
            Ruled::Passed(None) => return Err(not_found(listener, path).into()), // 404
            Ruled::Redirect { status, location } => OwnAnswer::moved(status, &location, "Moved\n"),
            Ruled::Respond { status, content_type, body } => OwnAnswer::plain(status, content_type, body.as_bytes()),
            Ruled::Plain => {
                return Err(match self.route.and_then(|route| route.https_only.as_deref()) {
                    Some(https_only) => refuse_plain(https_only, request), // 301 308 403 421
                    None => Reject::HttpsRequired.into(),
                });
            }
        };
        Err(Ending::Answer(Box::new(own)))
    }
}
