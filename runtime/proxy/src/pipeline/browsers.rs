//! Requests of pages of other origins: preflight requests are answered, and pages that may not call are refused where a
//! document says so.

use gateway_route::Reading;

use crate::browsers::{Answering, ForBrowsers, NotAllowed};
use crate::deployment::{PreparedRoute, ServedOperation};
use crate::pipeline::record::{Ending, Record};
use crate::pipeline::request::Request;
use gateway_wire::answer::OwnAnswer;
use gateway_wire::browser_fields::BrowserFields;
use gateway_wire::http1::head::RequestHead;
use gateway_wire::reject::Reject;

/// What of a request goes into the log, in characters.
const LONGEST_DETAIL: usize = 200;

impl Record<'_> {
    /// Notes what the answer says to browsers.
    pub(crate) fn answer_as(&mut self, of: Option<&'static ForBrowsers>, request: &RequestHead<'_>) {
        self.answering = of.map(|of| Answering::to(of, request));
    }

    /// The same for a preflight request about a method that nothing is said of.
    pub(crate) fn answer_without_cors(&mut self, of: Option<&'static ForBrowsers>) {
        self.answering = of.map(Answering::without_cors);
    }

    /// The same where no path is known: as the documents say at their roots, the first that admits the page.
    pub(crate) fn answer_unrouted(&mut self, request: &RequestHead<'_>) {
        let mut all = self.serving.listener.apis.for_browsers.iter().map(|of| Answering::to(of, request));
        let Some(first) = all.next() else { return };
        self.answering = Some(match first.is_foreign() {
            true => all.find(|other| !other.is_foreign()).unwrap_or(first),
            false => first,
        });
    }

    /// What the response says to browsers; `edited` if the operation changes it.
    pub(crate) fn for_browsers(&self, edited: bool) -> Option<BrowserFields<'_>> {
        self.answering.as_ref().map(|answering| answering.fields(edited))
    }

    /// Answers a preflight request (Fetch Standard, CORS-preflight request), as the policy of the method says that it
    /// asks for. `operation` finds that method's.
    ///
    /// # Errors
    /// The answer; 403 for an origin, a method or a field that is not allowed.
    pub(crate) fn preflight(
        &mut self,
        route: &'static PreparedRoute,
        request: &RequestHead<'_>,
        operation: impl FnOnce(&str) -> Option<ServedOperation<'static>>,
    ) -> Result<Preflighted, Ending> {
        if !route.answers_preflight || request.method != "OPTIONS" || request.reading("origin") == Reading::Absent {
            return Ok(Preflighted::No);
        }
        let method = match request.reading("access-control-request-method") {
            Reading::Absent => return Ok(Preflighted::No),
            Reading::Once(method) => method,
            Reading::Unclear => "",
        };
        let of = match operation(method) {
            Some(operation) => operation.prepared.for_browsers.as_deref(),
            None => route.for_browsers.as_deref(),
        };
        let Some(of) = of.filter(|of| of.has_cors()) else { return Ok(Preflighted::WithoutPolicy) };
        match of.preflight(request, method) {
            Ok(fields) => {
                self.answering = Some(Answering::without_cors(of));
                Err(Ending::Answer(Box::new(OwnAnswer { fields, ..OwnAnswer::plain(204, "", b"") })))
            }
            Err(why) => {
                self.answering = Some(Answering::foreign(of));
                Err(refusal(why).into())
            }
        }
    }

    /// Refuses the request of a page that may not call, where the document says so.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn check_origin(&self, request: &Request<'_>) -> Result<(), Reject> {
        match &self.answering {
            Some(answering) if answering.is_foreign() && answering.of.enforces() => self.check_page(request, |_| false),
            _ => Ok(()),
        }
    }

    /// Refuses the request of a page that is neither of the request's own origin nor one of `listed`.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn check_page(&self, request: &Request<'_>, listed: impl FnOnce(&str) -> bool) -> Result<(), Reject> {
        // A page that hides where it is has the origin `null` (Fetch Standard, "append a request Origin header"),
        // and says here that it is one of ours. No script can set this field.
        if request.head.reading("sec-fetch-site") == Reading::Once("same-origin") {
            return Ok(());
        }
        match request.head.reading("origin") {
            Reading::Absent => Ok(()),
            Reading::Once(origin) if listed(origin) => Ok(()),
            // Browsers send it with requests that change something, also within one origin.
            Reading::Once(origin) if is_same_origin(origin, request.target.host, self.is_https) => Ok(()),
            Reading::Once(origin) => Err(refusal(NotAllowed::Origin(origin.into()))),
            Reading::Unclear => Err(refusal(NotAllowed::Origin("several".into()))),
        }
    }
}

/// Whether a request is a preflight request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preflighted {
    /// Or nothing is said about pages of other origins.
    No,
    /// It is, and nothing is said of the method that it asks for.
    WithoutPolicy,
}

fn refusal(why: NotAllowed) -> Reject {
    let shown = |text: Box<str>| match text.char_indices().nth(LONGEST_DETAIL) {
        Some((end, _)) => text[..end].into(),
        None => text,
    };
    match why {
        NotAllowed::Origin(origin) => Reject::CorsOrigin(shown(origin)),
        NotAllowed::Method(method) => Reject::CorsMethod(shown(method)),
        NotAllowed::Header(name) => Reject::CorsHeader(shown(name)),
    }
}

/// Whether an origin is that of the request itself (RFC 6454 §5).
fn is_same_origin(origin: &str, host: Option<&str>, is_https: bool) -> bool {
    let (scheme, usual_port) = if is_https { ("https://", ":443") } else { ("http://", ":80") };
    let (Some(authority), Some(host)) = (origin.strip_prefix(scheme), host) else { return false };
    !authority.is_empty() && authority.eq_ignore_ascii_case(host.strip_suffix(usual_port).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_request_is_that_of_its_host() {
        for (origin, host, is_https, expected) in [
            ("https://api.example", Some("api.example"), true, true),
            ("https://api.example", Some("API.example:443"), true, true),
            ("http://api.example", Some("api.example:80"), false, true),
            ("http://api.example:8080", Some("api.example:8080"), false, true),
            ("http://[::1]:8080", Some("[::1]:8080"), false, true),
            ("https://api.example", Some("api.example"), false, false),
            ("http://api.example", Some("api.example"), true, false),
            ("https://api.example:8443", Some("api.example"), true, false),
            ("https://api.example", Some("api.example:8443"), true, false),
            ("https://api.example.evil.example", Some("api.example"), true, false),
            ("null", Some("api.example"), true, false),
            ("https://", Some(""), true, false),
            ("https://api.example", None, true, false),
        ] {
            assert_eq!(is_same_origin(origin, host, is_https), expected, "{origin} {host:?} {is_https}");
        }
    }

    #[test]
    fn long_details_are_cut() {
        let Reject::CorsHeader(name) = refusal(NotAllowed::Header("\u{e9}".repeat(1000).into())) else {
            panic!("another refusal")
        };
        assert_eq!(name.chars().count(), LONGEST_DETAIL);
    }
}
