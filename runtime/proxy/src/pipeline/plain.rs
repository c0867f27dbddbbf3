//! Plain HTTP where requests must come over TLS.

use crate::https::{HttpsOnly, Plain};
use crate::pipeline::record::Ending;
use crate::pipeline::request::Request;
use gateway_wire::answer::OwnAnswer;

/// The answer to a plain request where requests must come over TLS: nothing else of it is checked.
pub(super) fn refuse_plain(https_only: &HttpsOnly, request: &Request<'_>) -> Ending {
    let Request { head, target, .. } = request;
    match https_only.answer_plain(target.host) {
        Plain::Refuse(reject) => Ending::Reject(reject),
        Plain::Redirect(origin) => {
            let query = target.query.map_or_else(String::new, |query| format!("?{query}"));
            // Other methods would become GET on the way (RFC 9110 §15.4.2).
            let status = if matches!(head.method, "GET" | "HEAD") { 301 } else { 308 };
            let location = format!("{origin}{}{query}", target.path);
            Ending::Answer(Box::new(OwnAnswer::moved(status, &location, "Use HTTPS\n")))
        }
    }
}
