//! What header fields are to a proxy: the gateway's to write, to drop, or to pass on.

/// How a field is treated on its way through the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldClass {
    /// Passed on.
    EndToEnd,
    /// Dropped: it is about one connection (RFC 9110 §7.6.1), or only the gateway may say it.
    Dropped,
    /// `Connection`: names further fields that are about one connection.
    Connection,
    /// `Content-Length`.
    ContentLength,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Host`.
    Host,
    /// `Expect`.
    Expect,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`.
    ForwardedFor,
    /// `X-Forwarded-Host`.
    ForwardedHost,
    /// `X-Forwarded-Proto`.
    ForwardedProto,
    /// `X-Forwarded-Prefix`.
    ForwardedPrefix,
    /// `traceparent`.
    TraceParent,
    /// `tracestate`.
    TraceState,
    /// `Via`.
    Via,
    /// `X-Request-Id`.
    RequestId,
    /// `Cookie`, which may hold a credential that the upstream is not to see.
    Cookie,
}

/// Names that mean something to the gateway, in lower case.
const REQUEST_FIELDS: &[(&str, FieldClass)] = &[
    ("connection", FieldClass::Connection),
    ("content-length", FieldClass::ContentLength),
    ("cookie", FieldClass::Cookie),
    ("expect", FieldClass::Expect),
    ("host", FieldClass::Host),
    ("keep-alive", FieldClass::Dropped),
    ("proxy-authenticate", FieldClass::Dropped),
    ("proxy-authorization", FieldClass::Dropped),
    ("proxy-connection", FieldClass::Dropped),
    // An upstream that spares copies their effects must not spare a request of someone who calls it one.
    ("x-gateway-mirror", FieldClass::Dropped),
    ("te", FieldClass::Dropped),
    ("trailer", FieldClass::Dropped),
    ("transfer-encoding", FieldClass::TransferEncoding),
    ("upgrade", FieldClass::Dropped),
    ("traceparent", FieldClass::TraceParent),
    ("tracestate", FieldClass::TraceState),
    ("via", FieldClass::Via),
    ("x-request-id", FieldClass::RequestId),
    // Where the request came from: the gateway's word, not the client's.
    ("forwarded", FieldClass::Forwarded),
    ("x-forwarded-by", FieldClass::Dropped),
    ("x-forwarded-for", FieldClass::ForwardedFor),
    ("x-forwarded-host", FieldClass::ForwardedHost),
    ("x-forwarded-proto", FieldClass::ForwardedProto),
    ("x-forwarded-method", FieldClass::Dropped),
    ("x-forwarded-path", FieldClass::Dropped),
    ("x-forwarded-port", FieldClass::Dropped),
    ("x-forwarded-prefix", FieldClass::ForwardedPrefix),
    ("x-forwarded-scheme", FieldClass::Dropped),
    ("x-forwarded-server", FieldClass::Dropped),
    ("x-forwarded-ssl", FieldClass::Dropped),
    ("x-forwarded-uri", FieldClass::Dropped),
    ("x-forwarded-user", FieldClass::Dropped),
    ("x-real-ip", FieldClass::Dropped),
    ("x-client-ip", FieldClass::Dropped),
    ("x-cluster-client-ip", FieldClass::Dropped),
    ("x-original-forwarded-for", FieldClass::Dropped),
    ("x-remote-addr", FieldClass::Dropped),
    ("x-remote-ip", FieldClass::Dropped),
    ("true-client-ip", FieldClass::Dropped),
    // Some servers take these for the path, the host or the method: the request would reach another operation than
    // the one that was decided on.
    ("x-host", FieldClass::Dropped),
    ("x-http-host-override", FieldClass::Dropped),
    ("x-original-host", FieldClass::Dropped),
    ("x-original-method", FieldClass::Dropped),
    ("x-original-path", FieldClass::Dropped),
    ("x-original-uri", FieldClass::Dropped),
    ("x-original-url", FieldClass::Dropped),
    ("x-override-url", FieldClass::Dropped),
    ("x-rewrite-uri", FieldClass::Dropped),
    ("x-rewrite-url", FieldClass::Dropped),
    ("x-http-method", FieldClass::Dropped),
    ("x-http-method-override", FieldClass::Dropped),
    ("x-method-override", FieldClass::Dropped),
    ("x-middleware-rewrite", FieldClass::Dropped),
    // A framework behind the gateway would take the request for one that passed its own checks.
    ("x-middleware-subrequest", FieldClass::Dropped),
    ("x-middleware-subrequest-id", FieldClass::Dropped),
    // CGI makes `HTTP_PROXY` of it, which programs take for the proxy of their own requests (RFC 3875 §4.1.18).
    ("proxy", FieldClass::Dropped),
    // Variables of CGI: a server that does not keep `HTTP_` apart takes them for its own word.
    ("auth-type", FieldClass::Dropped),
    ("path-info", FieldClass::Dropped),
    ("path-translated", FieldClass::Dropped),
    ("query-string", FieldClass::Dropped),
    ("remote-addr", FieldClass::Dropped),
    ("remote-host", FieldClass::Dropped),
    ("remote-ident", FieldClass::Dropped),
    ("remote-user", FieldClass::Dropped),
    ("request-method", FieldClass::Dropped),
    ("request-uri", FieldClass::Dropped),
    ("script-filename", FieldClass::Dropped),
    ("script-name", FieldClass::Dropped),
    ("server-name", FieldClass::Dropped),
    ("server-port", FieldClass::Dropped),
    ("x-remote-user", FieldClass::Dropped),
];

const RESPONSE_FIELDS: &[(&str, FieldClass)] = &[
    ("connection", FieldClass::Connection),
    ("content-length", FieldClass::ContentLength),
    ("keep-alive", FieldClass::Dropped),
    ("proxy-authenticate", FieldClass::Dropped),
    ("proxy-connection", FieldClass::Dropped),
    ("te", FieldClass::Dropped),
    ("trailer", FieldClass::Dropped),
    ("transfer-encoding", FieldClass::TransferEncoding),
    ("upgrade", FieldClass::Dropped),
    ("x-request-id", FieldClass::RequestId),
];

/// The classes of one direction's fields: a hash table over the length and three letters of the names, so that a name in no
/// list, as most are, is settled by one look.
#[derive(Debug)]
pub struct FieldTable {
    /// For each hash, the place in `names` of the first name that has it; [`NO_NAME`] for none.
    first: Box<[usize; SLOTS]>,
    names: Vec<Known>,
}

/// Places in the table, a power of two. There are about 80 names, and what documents call their identity headers.
const SLOTS: usize = 512;

/// The end of a list of names.
const NO_NAME: usize = usize::MAX;

/// A name that means something.
#[derive(Debug)]
struct Known {
    /// Folded.
    name: Box<[u8]>,
    class: FieldClass,
    /// The place of the next name with the same hash.
    next: usize,
}

impl FieldTable {
    /// The table for requests; `identity` are the headers that tell the upstream who calls.
    pub fn for_requests<'a>(identity: impl IntoIterator<Item = &'a str>) -> Self {
        let mut table = Self::of(REQUEST_FIELDS);
        for name in identity {
            table.insert(name, FieldClass::Dropped);
        }
        table
    }

    /// The table for responses.
    pub fn for_responses() -> Self {
        Self::of(RESPONSE_FIELDS)
    }

    fn of(fields: &[(&str, FieldClass)]) -> Self {
        let mut table = Self { first: Box::new([NO_NAME; SLOTS]), names: Vec::new() };
        for (name, class) in fields {
            table.insert(name, *class);
        }
        table
    }

    fn insert(&mut self, name: &str, class: FieldClass) {
        let name: Box<[u8]> = name.bytes().map(folded).collect();
        if self.names.iter().any(|known| known.name == name) {
            return;
        }
        let next = std::mem::replace(&mut self.first[slot(&name)], self.names.len());
        self.names.push(Known { name, class, next });
    }

    /// How the field called `name` is treated.
    ///
    /// CGI and its descendants read `X_User` and `X-User` as one variable, so a name that differs from a known one
    /// only in its punctuation is dropped.
    #[inline]
    pub fn classify(&self, name: &str) -> FieldClass {
        let mut place = self.first[slot(name.as_bytes())];
        while let Some(known) = self.names.get(place) {
            if known.is(name.as_bytes()) {
                return known.class;
            }
            if known.is_like(name.as_bytes()) {
                return FieldClass::Dropped;
            }
            place = known.next;
        }
        FieldClass::EndToEnd
    }
}

impl Known {
    /// In either case; the names of fields have no bytes that would only look the same with this bit set (RFC 9110 §5.6.2).
    fn is(&self, name: &[u8]) -> bool {
        const LOWER_CASE: u8 = 0x20;
        let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
        let ((known, known_rest), (words, rest)) = (self.name.as_chunks::<8>(), name.as_chunks::<8>());
        self.name.len() == name.len()
            && known.iter().zip(words).all(|(known, bytes)| word(known) == word(bytes) | word(&[LOWER_CASE; 8]))
            && known_rest.iter().zip(rest).all(|(known, byte)| *known == byte | LOWER_CASE)
    }

    /// But for its punctuation.
    fn is_like(&self, name: &[u8]) -> bool {
        self.name.len() == name.len() && self.name.iter().zip(name).all(|(known, byte)| *known == folded(*byte))
    }
}

/// The hash of a name: of its length, and of its first, middle and last letter.
#[inline]
fn slot(name: &[u8]) -> usize {
    let letter = |at: usize| usize::from(name.get(at).map_or(0, |byte| folded(*byte)));
    let length = name.len();
    (letter(0) * 7 + letter(length / 2) * 31 + letter(length.wrapping_sub(1)) * 3 + length * 101) % SLOTS
}

/// A byte of a name as CGI sees it: letter case does not count, nor which punctuation it is.
#[inline]
fn folded(byte: u8) -> u8 {
    FOLDED[usize::from(byte)]
}

const FOLDED: [u8; 256] = {
    let mut folded = [b'-'; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

/// Fields that a trailer section may not hold (RFC 9110 §6.5.1): they frame, route, authenticate or describe content, or say
/// which pages may read it.
pub fn may_be_trailer(name: &str, table: &FieldTable) -> bool {
    const FORBIDDEN: &[&str] = &[
        "age",
        "authorization",
        "cache-control",
        "cdn-cache-control",
        "date",
        "expires",
        "location",
        "max-forwards",
        "pragma",
        "range",
        "retry-after",
        "set-cookie",
        "vary",
        "warning",
        "www-authenticate",
    ];
    let folded: String = name.bytes().map(|byte| folded(byte) as char).collect();
    table.classify(name) == FieldClass::EndToEnd
        && !folded.starts_with("content-")
        && !folded.starts_with("if-")
        && !folded.starts_with("access-control-")
        && !FORBIDDEN.contains(&&*folded)
}

/// Whether two names are the same to CGI and its descendants: letter case and punctuation do not count.
pub fn is_same_name_ignoring_punctuation(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(one, other)| folded(one) == folded(other))
}

/// The names in a `Connection` field's value (RFC 9110 §7.6.1).
pub fn connection_options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_differ_from_known_names_in_punctuation_are_dropped() {
        let long = format!("X-{}", "Long-".repeat(40));
        let table = FieldTable::for_requests(["X-Consumer-Username", &long]);
        assert_eq!(table.classify(&long.replace('-', "_")), FieldClass::Dropped);
        for (name, class) in [
            ("x-consumer-username", FieldClass::Dropped),
            ("X_Consumer-Username", FieldClass::Dropped),
            ("X.Consumer.Username", FieldClass::Dropped),
            ("X-Consumer-Usernam", FieldClass::EndToEnd),
            ("Transfer-Encoding", FieldClass::TransferEncoding),
            ("Transfer_Encoding", FieldClass::Dropped),
            ("X-Forwarded_For", FieldClass::Dropped),
            ("x-forwarded-for", FieldClass::ForwardedFor),
            ("X-HTTP-Method-Override", FieldClass::Dropped),
            ("Proxy", FieldClass::Dropped),
            ("Remote_User", FieldClass::Dropped),
            ("X-Middleware-Subrequest", FieldClass::Dropped),
            ("X_Override_URL", FieldClass::Dropped),
            ("X-Forwarded-Prefix", FieldClass::ForwardedPrefix),
            ("Accept", FieldClass::EndToEnd),
            ("Authorization", FieldClass::EndToEnd),
        ] {
            assert_eq!(table.classify(name), class, "{name}");
        }
    }

    #[test]
    fn fields_that_decide_about_a_request_are_no_trailers() {
        let table = FieldTable::for_requests(["X-User-ID"]);
        for name in [
            "Content-Length",
            "transfer-encoding",
            "Host",
            "Authorization",
            "x_user_id",
            "If-Match",
            "Cookie",
            "Content-Type",
            "Access-Control-Allow-Origin",
        ] {
            assert!(!may_be_trailer(name, &table), "{name}");
        }
        assert!(may_be_trailer("X-Checksum", &table));
        assert!(may_be_trailer("grpc-status", &table));
    }
}
