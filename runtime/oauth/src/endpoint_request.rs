//! A request to an endpoint of the authorization server.

use std::net::IpAddr;

use crate::form::{BadForm, Form};
use gateway_access::caller::Caller;
use gateway_parties::server::Grant;

/// What endpoints read of a request. There is no `Debug`: it may hold passwords and tokens.
pub(crate) struct EndpointRequest {
    pub(crate) is_post: bool,
    /// As received, path and query.
    pub(crate) target: String,
    /// The parameters: of the body of a POST request, else of the query.
    pub(crate) form: Result<Form, BadForm>,
    /// The field `Authorization`.
    pub(crate) authorization: Credentials,
    /// The session's cookie, whatever it is worth.
    pub(crate) cookie: Option<String>,
    /// Where a login is to lead that began before.
    pub(crate) return_to: Option<String>,
    pub(crate) language: String,
    pub(crate) address: IpAddr,
    /// The browser says that a page elsewhere sent it.
    pub(crate) is_from_elsewhere: bool,
    pub(crate) caller: Option<Caller>,
    /// What the operation gives tokens for.
    pub(crate) grants: &'static [Grant],
    /// Seconds since the epoch.
    pub(crate) now: u64,
}

/// The field `Authorization`.
pub(crate) enum Credentials {
    None,
    One(String),
    /// Several fields, or bytes that are not text.
    Unusable,
}
