//! Contracts of few words, and what they find.

use gateway_base::units::ByteSize;
use gateway_contract::body::{BodyHead, BodyNeed, BodyResult};
use gateway_contract::finding::{Finding, Findings, Place};
use gateway_contract::parameters::RequestParts;
use gateway_contract::prepared::PreparedContract;
use gateway_contract::tables::{
    Content, Contract, Details, Explode, Mode, Parameter, ParameterLocation, Part, RequestBody, Responses, Style,
    Unknown, Written,
};
use gateway_schema::schemas::Schemas;

/// A contract with the schemas that it refers to.
pub(crate) struct Prepared {
    pub(crate) contract: PreparedContract,
    pub(crate) schemas: Schemas,
}

pub(crate) const NOTHING: Contract = Contract {
    parameters: &[],
    unknown: Unknown { query: Mode::Off, header: Mode::Off, cookie: Mode::Off, known: &[] },
    body: None,
    responses: None,
    details: Details::Full,
};

pub(crate) fn prepare(contract: Contract) -> Prepared {
    let mut schemas = Schemas::new(NAMED.iter().copied()).expect("the named schemas are well");
    let contract: &'static Contract = Box::leak(Box::new(contract));
    let contract = PreparedContract::new(contract, &mut schemas).expect("the schemas of the contract are well");
    Prepared { contract, schemas }
}

/// Those of `specs/contract.yaml`.
static NAMED: &[(&str, &str)] = &[
    ("Sku", r#"{"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"}"#),
    (
        "Item",
        r#"{"type": "object", "required": ["sku", "quantity"], "additionalProperties": false, "properties": {
            "sku": {"$ref": "Sku"}, "quantity": {"type": "integer", "minimum": 1, "maximum": 100},
            "price": {"type": "number", "minimum": 0, "multipleOf": 0.01},
            "note": {"type": ["string", "null"], "maxLength": 10}}}"#,
    ),
    (
        "Order",
        r#"{"type": "object", "required": ["items"], "additionalProperties": false, "properties": {
            "id": {"type": "string", "format": "uuid", "readOnly": true},
            "secret": {"type": "string", "writeOnly": true, "minLength": 8},
            "items": {"type": "array", "minItems": 1, "maxItems": 20, "uniqueItems": true, "items": {"$ref": "Item"}}}}"#,
    ),
];

/// A parameter that is enforced.
pub(crate) const fn parameter(
    location: ParameterLocation,
    name: &'static str,
    style: Style,
    explode: Explode,
    schema: &'static str,
) -> Parameter {
    let written = Written::As(style, explode);
    Parameter { name, location, mode: Mode::Enforce, required: false, may_be_empty: false, written, schema }
}

/// A query parameter as OpenAPI has it where nothing is said.
pub(crate) const fn query(name: &'static str, schema: &'static str) -> Parameter {
    parameter(ParameterLocation::Query, name, Style::Form, Explode::Yes, schema)
}

pub(crate) const fn required(parameter: Parameter) -> Parameter {
    Parameter { required: true, ..parameter }
}

/// A contract of these parameters.
pub(crate) fn with(parameters: Vec<Parameter>) -> Contract {
    Contract { parameters: parameters.leak(), ..NOTHING }
}

/// A request: a value of each path parameter, a query, and lines of a head.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request<'r> {
    pub(crate) path: Option<&'r str>,
    pub(crate) query: &'r str,
    pub(crate) fields: &'r [(&'r str, &'r str)],
}

impl Prepared {
    pub(crate) fn find(&self, request: Request<'_>) -> Findings {
        let Request { path, query, fields } = request;
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        let parts = RequestParts { path: |_: &str| path, query: Some(query), fields };
        self.contract.check_parameters(&self.schemas, &parts)
    }

    /// What a query is refused for: names of parameters, with commas between them.
    pub(crate) fn query(&self, query: &str) -> String {
        names(&self.find(Request { query, ..Request::default() }).refused)
    }

    pub(crate) fn path(&self, value: &str) -> String {
        names(&self.find(Request { path: Some(value), ..Request::default() }).refused)
    }

    pub(crate) fn fields(&self, fields: &[(&str, &str)]) -> String {
        names(&self.find(Request { fields, ..Request::default() }).refused)
    }

    pub(crate) fn body(&self, content_type: &str, bytes: &[u8]) -> BodyResult {
        let content_type = Some(content_type.as_bytes()).filter(|value| !value.is_empty());
        let head = BodyHead { content_type, content_encoding: None, is_empty: bytes.is_empty() };
        match self.contract.needs_body(head) {
            BodyNeed::Nothing => BodyResult::Good,
            BodyNeed::All(check) => check.check(&self.schemas, bytes),
            BodyNeed::Decided(result) => result,
        }
    }

    /// What a body is, in a word or by the pointers of what is wrong.
    pub(crate) fn body_word(&self, content_type: &str, bytes: &[u8]) -> String {
        word(&self.body(content_type, bytes))
    }
}

pub(crate) fn word(result: &BodyResult) -> String {
    match result {
        BodyResult::Good => "good".to_owned(),
        BodyResult::NotDescribed { .. } => "not described".to_owned(),
        BodyResult::Missing => "missing".to_owned(),
        BodyResult::Unreadable(_) => "unreadable".to_owned(),
        BodyResult::Violations(findings) => names(findings),
    }
}

pub(crate) fn names(findings: &[Finding]) -> String {
    let name = |finding: &Finding| match &finding.place {
        Place::Parameter { name, .. } => name.clone(),
        Place::Body { pointer } if pointer.is_empty() => "body".to_owned(),
        Place::Body { pointer } => pointer.clone(),
        Place::Status => "status".to_owned(),
    };
    findings.iter().map(name).collect::<Vec<_>>().join(",")
}

/// A contract with a body that must be there.
pub(crate) fn with_body(contents: Vec<Content>) -> Contract {
    let (mode, required, max, refused_with) = (Mode::Enforce, true, ByteSize::mib(1), 422);
    let body = RequestBody { mode, required, max, refused_with, contents: contents.leak() };
    Contract { body: Some(body), ..NOTHING }
}

pub(crate) const fn content(media_type: &'static str, schema: &'static str, parts: &'static [Part]) -> Content {
    Content { media_type, schema, parts }
}

pub(crate) fn with_responses(described: Vec<gateway_contract::tables::Response>) -> Contract {
    let responses = Responses { mode: Mode::Enforce, max: ByteSize::mib(1), described: described.leak() };
    Contract { responses: Some(responses), ..NOTHING }
}
