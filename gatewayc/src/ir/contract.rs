//! What requests and responses of an operation are checked for.

pub use gateway_terms::contract::{Details, Mode, ParameterLocation, StatusKey, Style};

pub use crate::ast::Written;
use crate::schema::Json;
use crate::units::ByteSize;

/// What is described of an operation, and what becomes of requests and responses that are not like that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Ordered by location and name.
    pub parameters: Vec<DescribedParameter>,
    /// Parameters that are not described.
    pub unknown: Unknown,
    /// The body of a request; [`None`] where none is described, or nothing of it is checked.
    pub body: Option<RequestBody>,
    /// Responses; [`None`] where nothing of them is checked.
    pub responses: Option<Responses>,
    /// What refusals say.
    pub details: Details,
}

impl Contract {
    /// Nothing is checked.
    pub const NOTHING: Self =
        Self { parameters: Vec::new(), unknown: Unknown::IGNORED, body: None, responses: None, details: Details::Full };

    /// Whether anything is looked at.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.modes().next().is_none()
    }

    /// Whether each request says which one it is, so that it can be repeated: a required header field
    /// `Idempotency-Key` that is only observed may be missing.
    #[must_use]
    pub fn needs_idempotency_key(&self) -> bool {
        self.parameters.iter().any(|parameter| {
            parameter.location == ParameterLocation::Header
                && parameter.required
                && parameter.mode == Mode::Enforce
                && parameter.name.eq_ignore_ascii_case("idempotency-key")
        })
    }

    /// What becomes of what is not as described, for each part that is looked at.
    pub fn modes(&self) -> impl Iterator<Item = Mode> {
        let parameters = self.parameters.iter().map(|parameter| parameter.mode);
        let Unknown { query, header, cookie, .. } = &self.unknown;
        let body = self.body.iter().map(|body| body.mode);
        let responses = self.responses.iter().map(|responses| responses.mode);
        let all = parameters.chain([*query, *header, *cookie]).chain(body).chain(responses);
        all.filter(|mode| *mode != Mode::Off)
    }
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedParameter {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub location: ParameterLocation,
    /// What becomes of one that is not as described.
    pub mode: Mode,
    /// It must be there.
    pub required: bool,
    /// An empty value is not checked.
    pub may_be_empty: bool,
    /// How its value is written.
    pub written: Written,
    /// What its value is.
    pub schema: Json,
}

/// What becomes of parameters that are not described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// In the query.
    pub query: Mode,
    /// Header fields named `X-…`.
    pub header: Mode,
    /// Cookies.
    pub cookie: Mode,
    /// Names of credentials, ordered.
    pub known: Vec<(ParameterLocation, String)>,
}

impl Unknown {
    /// They pass.
    pub const IGNORED: Self = Self { query: Mode::Off, header: Mode::Off, cookie: Mode::Off, known: Vec::new() };
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestBody {
    /// What becomes of one that is not as described.
    pub mode: Mode,
    /// There must be one.
    pub required: bool,
    /// The largest that is checked.
    pub max: ByteSize,
    /// 400 or 422.
    pub refused_with: u16,
    /// In the order of the document.
    pub contents: Vec<Content>,
}

/// A body of one media type, or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// A media type, or a range of them.
    pub media_type: String,
    /// What it is; [`None`] where it is not checked.
    pub schema: Option<Json>,
    /// How parts of a form are written, in the order of the document.
    pub parts: Vec<Part>,
}

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The property.
    pub name: String,
    /// The media types that it may have, or `""`.
    pub content_type: String,
    /// How its value is written, where the document says so.
    pub written: Option<Written>,
}

/// The responses of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responses {
    /// What becomes of one that is not as described.
    pub mode: Mode,
    /// The largest whose content is checked.
    pub max: ByteSize,
    /// Ordered by status.
    pub described: Vec<Response>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// For which statuses it is.
    pub status: StatusKey,
    /// Its fields, in the order of the document.
    pub fields: Vec<ResponseField>,
    /// By media type, in the order of the document.
    pub contents: Vec<Content>,
}

/// A field of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseField {
    /// Its name.
    pub name: String,
    /// It must be there.
    pub required: bool,
    /// How its value is written.
    pub written: Written,
    /// What its value is.
    pub schema: Json,
}
