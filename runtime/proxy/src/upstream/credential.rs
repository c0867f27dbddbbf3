//! Puts what the gateway proves to an upstream who it is with into the heads of requests.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::{Instant, timeout_at};

use gateway_access::upstream_auth::{RequestSigner, RequestToSign, SecretField, TokenSource};

/// The end of a head.
pub(crate) const END: &[u8] = b"\r\n";

/// Why a request gets no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTokenYet {
    /// It does not come in the request's time.
    Late,
    /// The server gives none.
    Refused,
}

/// The token that an upstream asks of the gateway, once it is there. A fetch has a bound of its own.
///
/// # Errors
/// There is none by `end_by`, or none at all.
pub(crate) async fn token(source: &dyn TokenSource, end_by: Option<Instant>) -> Result<Arc<SecretField>, NoTokenYet> {
    let fetching = match source.token() {
        Ok(token) => return Ok(token),
        Err(fetching) => fetching,
    };
    let fetched = match end_by {
        Some(end_by) => timeout_at(end_by, fetching).await.map_err(|_| NoTokenYet::Late)?,
        None => fetching.await,
    };
    fetched.map_err(|_| NoTokenYet::Refused)
}

/// Adds a field to a whole head, this number of bytes before its end.
pub(crate) fn insert(head: &mut Vec<u8>, line: &[u8], before_end: usize) {
    let at = head.len() - END.len() - before_end;
    head.splice(at..at, line.iter().copied());
}

/// Adds the fields of a signature to a whole head that begins with the request line and `Host`; `content` is the digest of
/// the content in hexadecimal.
pub(crate) fn sign(head: &mut Vec<u8>, signer: &dyn RequestSigner, content: Option<&str>) -> usize {
    let mut fields = Vec::with_capacity(512);
    let mut lines = head.split(|byte| *byte == b'\r').map(|line| std::str::from_utf8(line).unwrap_or_default());
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let host = lines.next().and_then(|line| line.trim_start().strip_prefix("Host: ")).unwrap_or_default();
    let request = RequestToSign { method, path, query, host, content };
    signer.sign(&request, SystemTime::now(), &mut fields);
    insert(head, &fields, 0);
    fields.len()
}
