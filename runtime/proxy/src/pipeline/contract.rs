//! The steps that compare a request with what is described of its operation.

use crate::deployment::OperationContract;
use crate::metrics::ContractPart;
use crate::pipeline::record::Record;
use crate::pipeline::request::Request;
use crate::pipeline::route::Routed;
use gateway_contract::body::{BodyCheck, BodyHead, BodyNeed, BodyResult};
use gateway_contract::finding::{Finding, Place, errors, shown, summary};
use gateway_contract::parameters::RequestParts;
use gateway_contract::tables::{Details, Mode};
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::connection::ConnectionOptions;
use gateway_wire::http1::head::Field;
use gateway_wire::reject::{NotAsDescribed, Reject};

/// What the check of a body needs.
pub(super) enum Need<'c> {
    /// Nothing more: it is decided.
    Nothing,
    /// The whole body.
    All(Wanted<'c>),
}

/// A body that is to be checked.
pub(super) struct Wanted<'c> {
    contract: &'c OperationContract,
    check: BodyCheck<'c>,
    /// A larger one is not checked.
    pub(super) limit: u64,
    /// One that is larger passes, and one that cannot be held.
    pub(super) is_lenient: bool,
}

/// Compares the parameters with what is described.
///
/// # Errors
/// 400, with the first of them.
pub(super) fn check_parameters(
    contract: &OperationContract,
    request: &Request<'_>,
    routed: &Routed<'_>,
    record: &mut Record<'_>,
) -> Result<(), Reject> {
    let OperationContract { described, schemas } = contract;
    if !described.checks_parameters() {
        return Ok(());
    }
    let (fields, table) = (request.head.fields, &record.serving.deployment.request_fields);
    // What `Connection` names does not reach the upstream (RFC 9110 §7.6.1).
    let of_connection = ConnectionOptions::of(fields, table);
    let goes_on = |field: &&Field<'_>| !of_connection.has(field.name);
    let parts = RequestParts {
        path: |name: &str| routed.params.as_ref()?.get(name).map(|param| param.wire),
        query: routed.query,
        fields: fields.iter().filter(goes_on).map(|field| (field.name, field.value)),
    };
    let findings = described.check_parameters(schemas, &parts);
    record.observe(ContractPart::Parameters, &findings.observed);
    let Some(first) = findings.refused.first() else { return Ok(()) };
    let message = match &first.place {
        Place::Parameter { name, .. } if described.details() != Details::Nothing => {
            let place = first.place.location();
            let kind = if matches!(place, "path" | "query") { " parameter" } else { "" };
            format!("The {place}{kind} `{}` does not fit its schema", shown(name)).into()
        }
        _ => "A parameter does not fit its schema".into(),
    };
    let refused = not_as_described(400, message, &findings.refused, described.details());
    record.count_refusal(ContractPart::Parameters);
    Err(Reject::InvalidParameter(refused))
}

/// What the check of the body needs; what can be said without it is said.
///
/// # Errors
/// 400 for a body that is missing, 413 for one that is too large, 415 for one that is of no described type.
pub(super) fn need_body<'c>(
    contract: &'c OperationContract,
    request: &Request<'_>,
    record: &mut Record<'_>,
) -> Result<Need<'c>, Reject> {
    let described = &contract.described;
    let mode = described.body_mode();
    if mode == Mode::Off {
        return Ok(Need::Nothing);
    }
    let values = |name: &'static str| {
        let fields = request.head.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        fields.map(|field| field.value)
    };
    // The upstream may read the other one.
    if values("content-type").nth(1).is_some() {
        if mode == Mode::Enforce {
            return Err(Reject::BadRequest("several Content-Type fields"));
        }
        record.observe(ContractPart::Body, &[Finding::body("", "has several Content-Type fields")]);
        return Ok(Need::Nothing);
    }
    let is_coded = |coding: &&[u8]| !coding.trim_ascii().eq_ignore_ascii_case(b"identity");
    let head = BodyHead {
        content_type: values("content-type").next(),
        content_encoding: values("content-encoding").find(is_coded),
        is_empty: matches!(record.facts.body, BodyLength::None | BodyLength::Exactly(0)),
    };
    let check = match described.needs_body(head) {
        BodyNeed::Nothing => return Ok(Need::Nothing),
        BodyNeed::Decided(result) => return conclude(contract, result, record).map(|()| Need::Nothing),
        BodyNeed::All(check) => check,
    };
    let limit = described.body_max().map_or(u64::MAX, |max| max.0);
    match record.facts.body {
        BodyLength::Exactly(length) if length > limit => {
            too_large(contract, record)?;
            Ok(Need::Nothing)
        }
        _ => Ok(Need::All(Wanted { contract, check, limit, is_lenient: mode == Mode::Observe })),
    }
}

impl Wanted<'_> {
    /// Compares the whole body with what is described; `None` for one that was larger than the limit, or could not be held.
    ///
    /// # Errors
    /// 400 or 422 for a body that is not as described, 413 for one that is too large.
    pub(super) fn check(&self, content: Option<&[u8]>, record: &mut Record<'_>) -> Result<(), Reject> {
        match content.filter(|content| content.len() as u64 <= self.limit) {
            Some(content) => conclude(self.contract, self.check.check(&self.contract.schemas, content), record),
            None => too_large(self.contract, record),
        }
    }
}

fn too_large(contract: &OperationContract, record: &mut Record<'_>) -> Result<(), Reject> {
    if contract.described.body_mode() == Mode::Enforce {
        return Err(Reject::BodyTooLarge);
    }
    record.observe(ContractPart::Body, &[Finding::body("", "is too large or too slow to be checked")]);
    Ok(())
}

/// What becomes of a body that was compared with its description.
fn conclude(contract: &OperationContract, result: BodyResult, record: &mut Record<'_>) -> Result<(), Reject> {
    let described = &contract.described;
    let Some(status) = result.status(described.refused_with()) else { return Ok(()) };
    let findings = result.findings();
    if described.body_mode() == Mode::Observe {
        record.observe(ContractPart::Body, &findings);
        return Ok(());
    }
    record.count_refusal(ContractPart::Body);
    let message = match result {
        BodyResult::NotDescribed { accept } => return Err(Reject::UnsupportedMediaType(accept.into())),
        BodyResult::Missing => "The request needs a body",
        BodyResult::Unreadable(_) => "The request body cannot be read",
        BodyResult::Good | BodyResult::Violations(_) => "The request body does not fit its schema",
    };
    Err(Reject::InvalidBody(not_as_described(status, message.into(), &findings, described.details())))
}

/// What the client and the log get.
pub(super) fn not_as_described(
    status: u16,
    message: std::borrow::Cow<'static, str>,
    findings: &[Finding],
    details: Details,
) -> Box<NotAsDescribed> {
    let errors = errors(findings, details).unwrap_or_default().into_bytes();
    Box::new(NotAsDescribed { status, message, errors, detail: summary(findings) })
}
