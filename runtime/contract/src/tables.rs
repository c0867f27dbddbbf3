//! What an operation's requests and responses must be like, as generated code says it.

pub use gateway_terms::contract::{Details, Mode, ParameterLocation, StatusKey, Style};

use gateway_base::units::ByteSize;

/// A schema that others refer to: its name, and its JSON text in the form of [`gateway_schema::schemas`].
#[derive(Debug)]
pub struct NamedSchema {
    /// What `$ref` calls it.
    pub name: &'static str,
    /// JSON.
    pub schema: &'static str,
}

/// What is described of an operation.
#[derive(Debug)]
pub struct Contract {
    /// The parameters that it describes, ordered by location and name.
    pub parameters: &'static [Parameter],
    /// Parameters that it does not describe.
    pub unknown: Unknown,
    /// The body of a request; [`None`] where nothing of it is checked.
    pub body: Option<RequestBody>,
    /// Its responses; [`None`] where nothing of them is checked.
    pub responses: Option<Responses>,
    /// What refusals say.
    pub details: Details,
}

impl Contract {
    /// Nothing is described.
    pub const NOTHING: Self =
        Self { parameters: &[], unknown: Unknown::IGNORED, body: None, responses: None, details: Details::Full };
}

/// A parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name; of a header, the letter case does not count.
    pub name: &'static str,
    /// Where it is.
    pub location: ParameterLocation,
    /// What becomes of one that is not as described.
    pub mode: Mode,
    /// It must be there.
    pub required: bool,
    /// An empty value is not checked (`allowEmptyValue`).
    pub may_be_empty: bool,
    /// How its value is written.
    pub written: Written,
    /// JSON in the form of [`gateway_schema::schemas`].
    pub schema: &'static str,
}

/// How a value is written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// `style` and `explode`.
    As(Style, Explode),
    /// As content of this media type.
    Content(&'static str),
}

/// Whether items and members stand apart (`explode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explode {
    /// `a=1&a=2`
    Yes,
    /// `a=1,2`
    No,
}

/// What becomes of parameters that are not described.
#[derive(Debug)]
pub struct Unknown {
    /// In the query.
    pub query: Mode,
    /// Header fields whose name begins with `X-`.
    pub header: Mode,
    /// Cookies.
    pub cookie: Mode,
    /// Names that are no parameters and are known all the same: those of credentials.
    pub known: &'static [(ParameterLocation, &'static str)],
}

impl Unknown {
    /// They pass.
    pub const IGNORED: Self = Self { query: Mode::Off, header: Mode::Off, cookie: Mode::Off, known: &[] };
}

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    /// What becomes of one that is not as described.
    pub mode: Mode,
    /// There must be one.
    pub required: bool,
    /// A larger one is refused with 413 where its content is checked.
    pub max: ByteSize,
    /// The status of the refusal of a body that can be read and is not as described: 400 or 422.
    pub refused_with: u16,
    /// By media type, in the order of the document.
    pub contents: &'static [Content],
}

/// A body of one media type, or of several.
#[derive(Debug)]
pub struct Content {
    /// A media type, such as `application/json`, or a range of them.
    pub media_type: &'static str,
    /// JSON in the form of [`gateway_schema::schemas`]; `""` where the content is not checked.
    pub schema: &'static str,
    /// How the parts of a form are written, where the document says so.
    pub parts: &'static [Part],
}

/// A part of a form (`encoding`).
#[derive(Debug)]
pub struct Part {
    /// The property.
    pub name: &'static str,
    /// The media types that it may have, separated by commas; `""` where the document does not say.
    pub content_type: &'static str,
    /// How its value is written; [`None`] where the media type decides.
    pub written: Option<Written>,
}

/// The responses of an operation.
#[derive(Debug)]
pub struct Responses {
    /// What becomes of one that is not as described.
    pub mode: Mode,
    /// The content of a larger one is not checked.
    pub max: ByteSize,
    /// By status.
    pub described: &'static [Response],
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusKey,
    /// The fields that are described.
    pub fields: &'static [Field],
    /// By media type; with none, nothing is said about the content.
    pub contents: &'static [Content],
}

/// A field of a response.
#[derive(Debug)]
pub struct Field {
    /// Its name, whose letter case does not count.
    pub name: &'static str,
    /// It must be there.
    pub required: bool,
    /// How its value is written.
    pub written: Written,
    /// JSON in the form of [`gateway_schema::schemas`].
    pub schema: &'static str,
}
