//! Requests to switch to another protocol on the connection (RFC 9110 §7.8), where the operation admits that.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway_route::Reading;

use crate::deployment::PreparedOperation;
use crate::pipeline::record::Record;
use crate::pipeline::request::Request;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::head::RequestHead;
use gateway_wire::http1::names::connection_options;
use gateway_wire::reject::Reject;

/// What a request asks to switch to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// As the upstream is asked for it.
    pub(crate) protocol: &'static str,
    /// It came as an extended CONNECT (RFC 8441).
    pub(crate) is_connect: bool,
}

/// What `Sec-WebSocket-Accept` has to be for a key (RFC 6455 §4.2.2).
pub(crate) fn accept_of(key: &[u8]) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat()))
}

/// What a request asks to switch to, of what its operation admits. Anything else is an ordinary request.
pub(crate) fn asked(operation: &PreparedOperation, request: &RequestHead<'_>, is_connect: bool) -> Option<Asked> {
    let upgrade = operation.table.upgrade.as_ref()?;
    if request.method != "GET" || !request.is_http11 {
        return None;
    }
    let values = |name: &'static str| {
        let fields = request.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        fields.flat_map(|field| connection_options(field.value))
    };
    if !values("connection").any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
        return None;
    }
    let is_asked = |protocol: &&&str| values("upgrade").any(|value| value.eq_ignore_ascii_case(protocol.as_bytes()));
    upgrade.protocols.iter().find(is_asked).map(|protocol| Asked { protocol, is_connect })
}

impl Record<'_> {
    /// Refuses a request to switch that makes no sense, or comes from a page that may not ask.
    ///
    /// # Errors
    /// 400 for one with content, and for an extended CONNECT that no operation takes: a client would take an ordinary
    /// answer for a tunnel. 403 for a page of another origin.
    pub(crate) fn check_upgrade(&self, operation: &PreparedOperation, request: &Request<'_>) -> Result<(), Reject> {
        let is_connect = self.head.is_connect();
        let (Some(upgrade), Some(_)) = (&operation.table.upgrade, asked(operation, &request.head, is_connect)) else {
            return match is_connect {
                true => Err(Reject::BadRequest("a WebSocket, which the operation does not have")),
                false => Ok(()),
            };
        };
        if !matches!(self.facts.body, BodyLength::None | BodyLength::Exactly(0)) {
            return Err(Reject::BadRequest("a request for an upgrade with content"));
        }
        match &upgrade.origins {
            Some(origins) if request.head.reading("origin") != Reading::Absent => {
                self.check_page(request, |origin| origins.admit(origin))
            }
            _ => Ok(()),
        }
    }
}

/// A list of subprotocols without those that begin with one of `prefixes`; `None` if none is left.
pub(crate) fn subprotocols_without(value: &[u8], prefixes: &[&'static str]) -> Option<Vec<u8>> {
    let is_hidden = |one: &&[u8]| prefixes.iter().any(|prefix| one.starts_with(prefix.as_bytes()));
    let kept: Vec<&[u8]> = connection_options(value).filter(|one| !is_hidden(one)).collect();
    (!kept.is_empty()).then(|| kept.join(&b", "[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_list_of_subprotocols() {
        let without = |value: &'static str| {
            subprotocols_without(value.as_bytes(), &["bearer.", "key."])
                .map(|kept| String::from_utf8(kept).expect("text"))
        };
        assert_eq!(without("chat, bearer.a.b.c ,v2").as_deref(), Some("chat, v2"));
        assert_eq!(without("key.1,bearer.2"), None);
        assert_eq!(without("Bearer.x, keys").as_deref(), Some("Bearer.x, keys"));
    }
}
