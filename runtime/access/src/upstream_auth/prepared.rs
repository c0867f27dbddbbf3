//! What the credentials of upstreams are made into for requests to carry them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use crate::scheme::Resources;
use crate::upstream_auth::secret_field::SecretField;
use gateway_wire::http1::names::is_same_name_ignoring_punctuation;

/// A credential of the gateway's own.
pub trait UpstreamCredential: fmt::Debug + Sync {
    /// Finds the secrets.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one sentence each, without secrets.
    fn prepare(&self, resources: &Resources) -> Result<PreparedCredential, Vec<String>>;

    /// The URL of the authorization server that is asked, if one is; a deployment can give another.
    fn provider(&self) -> Option<&'static str> {
        None
    }
}

/// A credential that requests can carry.
#[derive(Debug, Clone)]
pub enum PreparedCredential {
    /// The same field in every request.
    Field(SecretField),
    /// A field that holds for a while.
    Token(Arc<dyn TokenSource>),
    /// Fields that are made for each request.
    Signature(Arc<dyn RequestSigner>),
}

impl PreparedCredential {
    /// The names of the fields in which it stands.
    pub fn fields(&self) -> &[&'static str] {
        match self {
            Self::Field(field) => std::slice::from_ref(field.name()),
            Self::Token(_) => &["Authorization"],
            Self::Signature(signer) => signer.fields(),
        }
    }

    /// Whether the credential stands in the field of this name, which then never comes from a client.
    pub fn replaces(&self, name: &str) -> bool {
        self.fields().iter().any(|field| is_same_name_ignoring_punctuation(field, name))
    }
}

/// A token is there once this ends.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Arc<SecretField>, NoToken>>>>;

/// There is no token to be had at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoToken;

/// Where tokens come from.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// The token that is good now, or what to wait for.
    ///
    /// # Errors
    /// It has to be fetched first.
    fn token(&self) -> Result<Arc<SecretField>, Fetching>;

    /// The upstream did not accept this token (401): another one is fetched before the next request.
    fn refused(&self, token: &Arc<SecretField>);
}

/// Signs requests.
pub trait RequestSigner: fmt::Debug + Send + Sync {
    /// The fields that it writes.
    fn fields(&self) -> &'static [&'static str];

    /// Whether the signature covers the content, so that all of it has to be there.
    fn covers_content(&self) -> bool;

    /// Appends the fields to a head.
    fn sign(&self, request: &RequestToSign<'_>, at: SystemTime, out: &mut Vec<u8>);
}

/// What a signature covers.
#[derive(Debug)]
pub struct RequestToSign<'a> {
    /// The method.
    pub method: &'a str,
    /// The path as sent.
    pub path: &'a str,
    /// The query as sent, without `?`.
    pub query: &'a str,
    /// The value of `Host`.
    pub host: &'a str,
    /// The digest of the content in hexadecimal; `None` where it is not covered.
    pub content: Option<&'a str>,
}
