//! What a document says: every `$ref` resolved, every value with the place where it really stands.
//!
//! Options stay options here and nothing is inherited; that is the business of lowering.

use gateway_yaml::{FileId, Node, Span};

use crate::diagnostic::Diagnostic;
use crate::examples::DescribedResponse;
use crate::schema::{Sample, Schema, SchemaSet};

pub use gateway_terms::contract::{ParameterLocation, StatusKey, Style};
pub use gateway_yaml::Spanned;

/// One OpenAPI document.
#[derive(Debug, Clone)]
pub struct Document {
    /// The document's file.
    pub file: FileId,
    /// The overlays that were applied to it, in their order.
    pub overlays: Vec<FileId>,
    /// The file's path as shown to people.
    pub path: String,
    /// The stem of the file name, or what `gatewayc.yaml` calls it.
    pub name: String,
    /// The version of OpenAPI it is written in.
    pub version: Version,
    /// The whole document with its overlays applied, unresolved.
    pub root: Node,
    /// `info.title`, empty where there is none.
    pub title: String,
    /// `servers`.
    pub servers: Vec<Server>,
    /// `security`; [`None`] where the key is absent.
    pub security: Option<Security>,
    /// `components.securitySchemes`.
    pub schemes: Vec<SecurityScheme>,
    /// `x-gateway` at the root.
    pub gateway: Option<Node>,
    /// `security` of each of the `rules` in `x-gateway`; [`None`] where the key is absent.
    pub rule_security: Vec<Option<Security>>,
    /// `paths` in the order of the document.
    pub paths: Vec<PathItem>,
    /// The schemas that its parameters, bodies and responses refer to.
    pub schemas: SchemaSet,
    /// Whether `paths` holds every operation of the document. What is missing has been reported.
    pub complete: bool,
}

/// A version of OpenAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Always 3.
    pub major: u8,
    /// 0, 1 or 2.
    pub minor: u8,
}

/// An entry of `servers`.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where the entry is.
    pub span: Span,
    /// `url`, with its variables in braces.
    pub url: Spanned<String>,
    /// The declared variables.
    pub variables: Vec<ServerVariable>,
    /// `x-gateway` of the server.
    pub gateway: Option<Node>,
}

/// A variable of a server's URL.
#[derive(Debug, Clone)]
pub struct ServerVariable {
    /// Its name.
    pub name: Spanned<String>,
    /// Its value unless a deployment gives another.
    pub default: Option<String>,
    /// The values it may have, empty for any.
    pub values: Vec<String>,
}

/// `security`: alternatives of which one must hold.
#[derive(Debug, Clone)]
pub enum Security {
    /// A well-formed list. An empty list means that anyone may call.
    AnyOf(Spanned<Vec<Alternative>>),
    /// Another value, or a key that looks like a misspelt `security`. It has been reported; nothing under
    /// it may be treated as public.
    Broken(Span),
}

/// One alternative: all of its requirements must hold. None (`{}`) admits an anonymous caller.
#[derive(Debug, Clone)]
pub struct Alternative {
    /// Where the alternative is.
    pub span: Span,
    /// Its requirements.
    pub requirements: Vec<Requirement>,
}

/// A security scheme by name, with the scopes that are all needed.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// The name under `components.securitySchemes`.
    pub scheme: Spanned<String>,
    /// Scopes, or role names since OpenAPI 3.1.
    pub scopes: Vec<Spanned<String>>,
}

/// An entry of `components.securitySchemes`.
#[derive(Debug, Clone)]
pub struct SecurityScheme {
    /// Its name.
    pub name: Spanned<String>,
    /// The definition, `$ref` resolved.
    pub node: Node,
    /// What it is; [`None`] where the definition is broken, which has been reported.
    pub kind: Option<SchemeKind>,
    /// `x-gateway` on the definition.
    pub gateway: Option<Node>,
}

/// The types of security scheme.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemeKind {
    /// `apiKey`: a value in a header, a query parameter or a cookie.
    ApiKey {
        /// Where the key is.
        location: ApiKeyLocation,
        /// The name of the header, parameter or cookie.
        name: String,
    },
    /// `http`: a scheme of the `Authorization` header.
    Http {
        /// The name of the scheme as written, such as `bearer`.
        scheme: String,
        /// `bearerFormat`.
        bearer_format: Option<String>,
    },
    /// `oauth2`.
    OAuth2 {
        /// The flows it describes.
        flows: Box<openapiv3::OAuth2Flows>,
    },
    /// `openIdConnect`.
    OpenIdConnect {
        /// `openIdConnectUrl`.
        url: String,
    },
    /// `mutualTLS`, since OpenAPI 3.1.
    MutualTls,
}

/// Where an API key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyLocation {
    /// A request header.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}

/// A path and its operations.
#[derive(Debug, Clone)]
pub struct PathItem {
    /// The key under `paths`, as written.
    pub key: Spanned<String>,
    /// Where the path item is, behind any `$ref`.
    pub span: Span,
    /// `servers` of the path item.
    pub servers: Vec<Server>,
    /// `parameters` of the path item.
    pub parameters: Vec<Parameter>,
    /// Whether all of them could be read.
    pub parameters_complete: bool,
    /// `x-gateway` of the path item.
    pub gateway: Option<Node>,
    /// The operations in the order of the document.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The method in upper case.
    pub method: String,
    /// Where the method's key is.
    pub span: Span,
    /// `operationId`.
    pub operation_id: Option<Spanned<String>>,
    /// `summary`.
    pub summary: Option<String>,
    /// `parameters` of the operation.
    pub parameters: Vec<Parameter>,
    /// Whether all of them could be read.
    pub parameters_complete: bool,
    /// `servers` of the operation.
    pub servers: Vec<Server>,
    /// `security`; [`None`] where the key is absent.
    pub security: Option<Security>,
    /// `requestBody`.
    pub body: Option<RequestBody>,
    /// `responses`, where `x-gateway` may ask for them to be checked.
    pub responses: Vec<Response>,
    /// What is wrong with them. It matters where responses are checked.
    pub responses_notes: Vec<Diagnostic>,
    /// The names of the header fields of its responses, where `x-gateway` says which pages may read them.
    pub response_fields: Vec<String>,
    /// What the gateway answers itself, where it does so from examples.
    pub examples: Vec<DescribedResponse>,
    /// `x-gateway` of the operation.
    pub gateway: Option<Node>,
    /// The whole operation, its parts unresolved.
    pub node: Node,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Where the parameter is, behind any `$ref`.
    pub span: Span,
    /// `name`.
    pub name: Spanned<String>,
    /// `in`.
    pub location: ParameterLocation,
    /// `schema`, unresolved.
    pub schema: Option<Node>,
    /// `required`.
    pub required: bool,
    /// `allowReserved`.
    pub allow_reserved: bool,
    /// `allowEmptyValue`.
    pub may_be_empty: bool,
    /// `style` and `explode`, or `content`.
    pub written: Written,
    /// The schema, or that of its content, as the gateway checks it.
    pub checked: Option<Schema>,
    /// What is wrong with how it is written. It matters where the parameter is checked.
    pub notes: Vec<Diagnostic>,
    /// `x-gateway` of the parameter.
    pub gateway: Option<Node>,
}

/// How a value is written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// By `style`; `true` for `explode`.
    As(Style, bool),
    /// As content of this media type.
    Content(String),
}

/// `requestBody`.
#[derive(Debug, Clone)]
pub struct RequestBody {
    /// Where it is, behind any `$ref`.
    pub span: Span,
    /// `required`.
    pub required: bool,
    /// `content`, in the order of the document.
    pub contents: Vec<Content>,
    /// What is wrong with it. It matters where the body is checked.
    pub notes: Vec<Diagnostic>,
}

/// An entry of `content`.
#[derive(Debug, Clone)]
pub struct Content {
    /// The media type, or a range of them.
    pub media_type: Spanned<String>,
    /// `schema`.
    pub schema: Option<Schema>,
    /// `encoding`.
    pub parts: Vec<Part>,
    /// Examples with the keyword that they stand under.
    pub samples: Vec<Sample>,
}

/// An entry of `encoding`.
#[derive(Debug, Clone)]
pub struct Part {
    /// The property that it is about.
    pub name: Spanned<String>,
    /// `contentType`, `""` where there is none.
    pub content_type: String,
    /// `style` and `explode`, where one of them is given.
    pub written: Option<Written>,
}

/// An entry of `responses`.
#[derive(Debug, Clone)]
pub struct Response {
    /// Where its key is.
    pub span: Span,
    /// For which statuses it is.
    pub status: StatusKey,
    /// `headers`.
    pub fields: Vec<Field>,
    /// `content`.
    pub contents: Vec<Content>,
}

/// An entry of `headers`.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: Spanned<String>,
    /// `required`.
    pub required: bool,
    /// How its value is written.
    pub written: Written,
    /// Its schema.
    pub schema: Option<Schema>,
}

impl Server {
    /// The path of the URL with the variables' defaults, without a slash at the end: the prefix of every path.
    ///
    /// [`None`] where a variable in the path has no default.
    #[must_use]
    pub fn base_path(&self) -> Option<String> {
        let mut url = self.url.value.clone();
        for variable in &self.variables {
            if let Some(default) = &variable.default {
                url = url.replace(&format!("{{{}}}", variable.name.value), default);
            }
        }
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
            // `//host/path` has no scheme; `/path`, `path` and `./path` are relative to where the document is served.
            None => match url.strip_prefix("//") {
                Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
                None => url.strip_prefix('.').unwrap_or(&url),
            },
        };
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        match path {
            "" => Some(String::new()),
            path if path.contains('{') => None,
            path => Some(format!("/{path}")),
        }
    }
}
