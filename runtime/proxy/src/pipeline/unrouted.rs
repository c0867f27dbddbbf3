//! Requests that no path matches: what rules make of them.

use gateway_route::{Ambiguous, RequestPath, Selectors};

use crate::deployment::{ServedApis, ServedRule, Serving};
use crate::pipeline::plain::refuse_plain;
use crate::pipeline::record::{Ending, Record};
use crate::pipeline::request::Request;
use crate::rules::{self, RuleInput, RuleOutcome};
use gateway_wire::answer::OwnAnswer;
use gateway_wire::reject::Reject;

/// How a request goes on that rules have given another target.
pub(crate) struct RewrittenTarget {
    /// Path and query.
    pub(crate) target: String,
    /// The rule that forwards it; without one, the paths are matched again.
    pub(crate) rule: Option<ServedRule<'static>>,
}

/// Why no path matches.
fn not_found(apis: &ServedApis, path: &RequestPath<'_>) -> Reject {
    let Some((_, character)) = apis.router.refusal(path) else { return Reject::NotFound };
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
    /// What a rule answers, or 404 where none matches the request; plain HTTP where it must come over TLS.
    pub(crate) fn apply_rules(
        &mut self,
        request: &Request<'_>,
        selectors: Selectors<'_>,
    ) -> Result<RewrittenTarget, Ending> {
        let Serving { deployment, listener } = self.serving;
        let apis = &*listener.apis;
        let Request { target, path, .. } = request;
        if let (Some(https_only), false) = (&apis.https_only, self.is_https) {
            return Err(refuse_plain(https_only, request)); // 301 308 403 421
        }
        // Rules never see a described path, even if the query is ambiguous about its conditions.
        if apis.rules.is_empty() || apis.router.is_unclear(path, selectors) {
            return Err(not_found(apis, path).into()); // 404
        }
        let asked = RuleInput {
            path,
            query: target.query,
            authority: target.host,
            is_https: self.is_https,
            longest: deployment.settings.limits.head.request_line,
        };
        let mut met = None;
        let ruled = rules::apply(&apis.rules, &asked, &mut met);
        self.rule = met.map(|index| listener.rule(index));
        self.route = self.rule.map(|rule| rule.route.prepared);
        if let Some(route) = self.route {
            self.answer_as(route.for_browsers.as_deref(), &request.head);
        }
        let own = match ruled? {
            RuleOutcome::Proxy(target) => return Ok(RewrittenTarget { target, rule: self.rule }),
            RuleOutcome::Passed(Some(target)) => return Ok(RewrittenTarget { target, rule: None }),
            RuleOutcome::Passed(None) => return Err(not_found(apis, path).into()), // 404
            RuleOutcome::Redirect { status, location } => OwnAnswer::moved(status, &location, "Moved\n"),
            RuleOutcome::Respond { status, content_type, body } => {
                OwnAnswer::plain(status, content_type, body.as_bytes())
            }
            RuleOutcome::Plain => {
                return Err(match self.route.and_then(|route| route.https_only.as_deref()) {
                    Some(https_only) => refuse_plain(https_only, request), // 301 308 403 421
                    None => Reject::HttpsRequired.into(),
                });
            }
        };
        Err(Ending::Answer(Box::new(own)))
    }
}
