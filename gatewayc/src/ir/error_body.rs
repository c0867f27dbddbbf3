//! The bodies of refusals.

/// A refusal's body.
#[derive(Debug, Clone)]
pub struct ErrorBody {
    /// One of [`ERROR_CLASSES`].
    pub class: &'static ErrorClass,
    /// The JSON text.
    pub json: String,
}

/// A class of refusals whose body a document may choose.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorClass {
    /// In documents.
    pub name: &'static str,
    /// In generated code.
    pub variant: &'static str,
}

/// All classes.
pub static ERROR_CLASSES: &[ErrorClass] = &[
    ErrorClass { name: "auth.missing", variant: "AuthMissing" },
    ErrorClass { name: "auth.invalid", variant: "AuthInvalid" },
    ErrorClass { name: "auth.forbidden", variant: "AuthForbidden" },
    ErrorClass { name: "parameter.invalid", variant: "ParameterInvalid" },
    ErrorClass { name: "method.notAllowed", variant: "MethodNotAllowed" },
    ErrorClass { name: "body.tooLarge", variant: "BodyTooLarge" },
    ErrorClass { name: "limit.exceeded", variant: "LimitExceeded" },
    ErrorClass { name: "upstream.failed", variant: "UpstreamFailed" },
    ErrorClass { name: "upstream.unavailable", variant: "Unavailable" },
    ErrorClass { name: "upstream.timeout", variant: "UpstreamTimeout" },
];
