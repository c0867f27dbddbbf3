//! The parameters of a request, compared with what is described.

mod cookie;
mod header;
mod path;
mod query;

use gateway_schema::schemas::Schemas;

use crate::finding::Findings;
use crate::prepared::PreparedContract;

/// What a request says in its head.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'r, P, F> {
    /// The value of a path parameter by its name, as it was sent: still percent-encoded.
    pub path: P,
    /// What stands behind the `?`, as it was sent.
    pub query: Option<&'r str>,
    /// The fields of the head.
    pub fields: F,
}

impl PreparedContract {
    /// What is wrong with the parameters of a request.
    pub fn check_parameters<'r, P, F>(&self, schemas: &Schemas, request: &RequestParts<'r, P, F>) -> Findings
    where
        P: Fn(&str) -> Option<&'r str>,
        F: Iterator<Item = (&'r str, &'r [u8])> + Clone,
    {
        let mut findings = Findings::default();
        if !self.checks_parameters() {
            return findings;
        }
        path::check(self, schemas, &request.path, &mut findings);
        query::check(self, schemas, request.query.unwrap_or_default(), &mut findings);
        header::check(self, schemas, &mut request.fields.clone(), &mut findings);
        cookie::check(self, schemas, &mut request.fields.clone(), &mut findings);
        findings
    }
}
