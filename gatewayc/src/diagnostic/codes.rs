//! The table of all diagnostic codes: number, name, usual severity, one line on what it means, and its page.
//!
//! The hundreds are subjects: 1 documents, secrets and unknown keys; 2 security; 3 OAuth 2 and signatures; 4 limits;
//! 5 routing; 6 consumers; 7 what requests and responses are checked for. A number is never given a second meaning.

use crate::diagnostic::severity::Severity::{self, Error, Warning};

/// The number of a diagnostic, such as `GW203`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

/// What the table says about a code.
#[derive(Debug)]
pub struct CodeInfo {
    /// The number.
    pub code: Code,
    /// The name in kebab case.
    pub name: &'static str,
    /// How bad it usually is.
    pub severity: Severity,
    /// One line.
    pub summary: &'static str,
    /// The page for `explain` and the manual, in Markdown.
    pub page: &'static str,
}

macro_rules! codes {
    ($($id:ident $number:literal $name:literal $severity:ident $summary:literal)*) => {
        $(#[doc = $summary] pub const $id: Code = Code($number);)*

        /// All codes, ordered by number.
        pub static CODES: &[CodeInfo] = &[$(CodeInfo {
            code: $id,
            name: $name,
            severity: $severity,
            summary: $summary,
            page: include_str!(concat!("../../docs/", stringify!($id), ".md")),
        }),*];
    };
}

codes! {
    GW101 101 "literal-secret"            Error   "A secret is written in the document instead of a reference to it"
    GW102 102 "unknown-key"               Error   "A key that means nothing where it stands"
    GW103 103 "not-supported-yet"         Error   "A member of the vocabulary that this version does not enforce"
    GW104 104 "wrong-value"               Error   "A value of `x-gateway` is missing or is of the wrong kind"
    GW105 105 "no-annotations"            Error   "The document does not say how it is served"
    GW106 106 "duplicate-document"        Error   "Two documents have the same name"
    GW110 110 "syntax"                    Error   "The file is neither YAML nor JSON"
    GW111 111 "duplicate-key"             Error   "A key stands twice in one mapping"
    GW112 112 "too-much"                  Error   "Aliases, nesting or references without end"
    GW113 113 "not-openapi"               Error   "The file is not an OpenAPI 3.0, 3.1 or 3.2 document"
    GW114 114 "wrong-shape"               Error   "A value is missing or is of the wrong kind"
    GW115 115 "unresolved-reference"      Error   "A `$ref` that leads nowhere"
    GW116 116 "foreign-reference"         Error   "A `$ref` that leads out of the specs directory"
    GW117 117 "circular-reference"        Error   "A `$ref` that leads back to itself"
    GW118 118 "unreadable-file"           Error   "A file cannot be read"
    GW119 119 "yaml-feature"              Error   "A feature of YAML that documents cannot use"
    GW120 120 "conflicting-reference"     Error   "Something stands both behind a `$ref` and beside it"
    GW121 121 "bad-overlay"               Error   "An overlay that is not well-formed, or that is for another document"
    GW122 122 "idle-action"               Warning "An action of an overlay that changes nothing"
    GW123 123 "impossible-action"         Error   "An action of an overlay that cannot be done"
    GW124 124 "stray-overlay"             Error   "An overlay without its document"
    GW125 125 "added-alternative"         Warning "An overlay adds alternatives to a `security` that has some"
    GW126 126 "to-be-chosen"            Error   "A value that begins with `TODO(choose)`"
    GW130 130 "bad-project"               Error   "`gatewayc.yaml` is not well-formed, or lists what is not there"
    GW199 199 "lost-operation"            Error   "An operation was not compiled, and no reason was given"
    GW201 201 "unprotected-operation"     Error   "An operation has no security at all"
    GW202 202 "undefined-scheme"          Error   "A security requirement names a scheme that is not defined"
    GW203 203 "roles-need-3.1"            Warning "Role names on a scheme other than OAuth 2 or OpenID Connect, in OpenAPI 3.0"
    GW204 204 "broken-security"           Error   "A `security` that is not a list of requirements"
    GW205 205 "broken-scheme"             Error   "A security scheme whose definition is incomplete or wrong"
    GW206 206 "unknown-scope"             Error   "A scope that no flow of the scheme declares"
    GW207 207 "unsupported-scheme"        Error   "An operation requires a scheme that cannot be enforced"
    GW208 208 "bad-verification"          Error   "It is not clear, or not safe, how tokens are checked"
    GW209 209 "consumers-without-consumers" Error "A rule about consumers where no scheme knows consumers"
    GW210 210 "anonymous-without-alternative" Error "`anonymous` where `security` has no alternative `{}`"
    GW211 211 "any-audience"              Warning "Tokens that a provider made for other APIs are accepted"
    GW212 212 "provider-without-tls"      Error   "An identity provider is asked over a connection that anyone can change"
    GW213 213 "impossible-and"            Error   "Schemes that can never hold together"
    GW214 214 "bad-scope"                 Error   "A scope that cannot stand in a token or in a challenge"
    GW215 215 "public-by-reference"       Error   "Another file makes an operation public, and the document does not say so"
    GW216 216 "same-credential"           Error   "Two requirements of an object that one credential meets"
    GW301 301 "implicit-grant"            Error   "The implicit grant puts access tokens into URLs"
    GW302 302 "password-grant"            Error   "The password grant has clients ask for the passwords of users"
    GW303 303 "token-in-the-open"         Warning "A scheme takes access tokens from the query or from a form"
    GW304 304 "tokens-without-tls"        Error   "An authorization server can be reached over plain HTTP"
    GW306 306 "client-acts-for-users"     Warning "Clients get tokens of users who are not there"
    GW308 308 "long-lived-token"          Warning "Access tokens are good for more than a day"
    GW311 311 "weak-signature-algorithm"  Warning "A scheme accepts signatures with an outdated hash function"
    GW312 312 "open-signing"              Error   "Anyone can have tokens signed"
    GW313 313 "unsigned-date"             Warning "A signature does not cover the time that is checked"
    GW314 314 "unsigned-request-line"     Warning "A signature does not cover the path, the query or the body"
    GW319 319 "unneeded-acceptance"       Warning "`acceptRisk` accepts something that is not there"
    GW320 320 "bad-issuer"                Error   "An issuer that clients cannot use, or that is another server's"
    GW321 321 "no-authorization-server"   Error   "Something belongs to an authorization server, and there is none"
    GW322 322 "flows-and-grants"          Error   "Flows, grants and endpoints do not agree"
    GW323 323 "bad-flow-url"              Error   "A URL of a flow does not lead to the endpoint that it means"
    GW324 324 "missing-endpoint"          Error   "A grant, or a session, needs an endpoint that no operation is"
    GW325 325 "bad-endpoint"              Error   "An endpoint whose method, path or security it cannot have"
    GW326 326 "two-session-cookies"       Error   "Sessions of one authorization server are in two cookies"
    GW401 401 "unknown-limit"             Error   "A limit that is not defined"
    GW402 402 "limit-mismatch"            Error   "Two documents share a limit and do not agree on it"
    GW403 403 "unused-limit"              Warning "A limit that no operation charges"
    GW404 404 "bad-limit"                 Error   "A limit whose numbers are missing or cannot be"
    GW405 405 "stray-limit-member"        Error   "A member of a limit that would not be enforced"
    GW406 406 "limit-without-caller"      Warning "A limit that counts callers where no caller is known"
    GW407 407 "unshareable-limit"         Error   "A limit that several gateways cannot count together"
    GW408 408 "same-limit-in-store"       Error   "Two limits in a store have the same name"
    GW409 409 "caller-without-limit"      Warning "A kind of caller that no limit of a list counts"
    GW410 410 "counter-of-the-guesser"    Warning "Wrong credentials are counted by something that clients choose"
    GW501 501 "ambiguous-paths"           Error   "Two paths match the same requests"
    GW502 502 "bad-regex"                 Error   "A regular expression that cannot be used"
    GW503 503 "unprotected-rule"          Error   "A rule that forwards has no security"
    GW504 504 "overlapping-paths"         Warning "Two paths match a request, and neither is more specific as a whole"
    GW505 505 "masked-methods"            Warning "A path hides methods of a more general one"
    GW506 506 "served-twice"              Warning "Two documents serve the same path"
    GW507 507 "public-around-guarded"     Warning "A public path covers one that asks for a credential"
    GW508 508 "public-rule"               Warning "A public rule forwards to an upstream whose operations ask for credentials"
    GW509 509 "same-path-for-upstream"    Error   "Two paths are the same for the upstream, and neither asks for all that the other does"
    GW510 510 "relative-path"             Error   "A path that does not start with `/`"
    GW511 511 "bad-path-template"         Error   "A path that is not a template"
    GW512 512 "undeclared-path-parameter" Warning "A parameter in a path that is not declared"
    GW513 513 "unused-path-parameter"     Warning "A declared path parameter that is not in the path"
    GW514 514 "duplicate-operation-id"    Warning "Two operations have the same `operationId`"
    GW515 515 "fragment-in-path"          Error   "A fragment in a path that does not tell requests apart"
    GW516 516 "bad-base-path"             Error   "A server whose URL gives no base path"
    GW517 517 "parameter-described-twice" Error   "Operations of one path disagree about what a parameter takes"
    GW520 520 "no-upstream"               Error   "An operation that goes nowhere"
    GW521 521 "unknown-upstream"          Error   "An upstream that is not defined"
    GW522 522 "unused-upstream"           Warning "An upstream that no operation uses"
    GW523 523 "bad-upstream-url"          Error   "An upstream without a usable address"
    GW524 524 "bad-rewrite"               Error   "A rewrite that cannot be done"
    GW525 525 "bad-header-change"         Error   "A header that documents must not change"
    GW526 526 "builtin-and-upstream"      Error   "An operation that the gateway answers itself, with something for an upstream"
    GW527 527 "bad-static-files"          Error   "Files that cannot be served"
    GW528 528 "bad-endpoints"             Error   "Addresses that cannot be those of one upstream"
    GW529 529 "impossible-hash"           Error   "Endpoints are chosen by something that no request has"
    GW530 530 "redirect-without-host"     Error   "Plain requests are to be redirected, and the document names no host"
    GW531 531 "plain-server"              Warning "A server speaks plain HTTP, and the document is for HTTPS only"
    GW532 532 "tries-cut-off"             Warning "All tries of a request take longer than it may take"
    GW533 533 "impossible-split"          Error   "A `split` that no request, or more than every request, can follow"
    GW534 534 "mirror-to-itself"          Error   "Requests are copied to the server that they go to"
    GW535 535 "bad-upstream-credential" Error "A credential that cannot be sent to an upstream"
    GW540 540 "bad-origin"                Error   "An origin that no browser sends"
    GW541 541 "credentials-for-all"       Error   "Pages of every origin may call with the credentials of their visitors"
    GW542 542 "cors-contradiction"        Error   "`cors` beside something that says otherwise"
    GW550 550 "bad-upgrade"               Error   "An operation whose connections cannot be upgraded"
    GW551 551 "upgrade-for-every-page"    Error   "Any page could open a WebSocket with the cookies of its visitor"
    GW552 552 "stray-subprotocol"         Warning "A credential is looked for in subprotocols that no request has"
    GW560 560 "unsaid-compression"        Error   "Responses are compressed, and `responseHeaders` replaces the field that says so"
    GW570 570 "cached-for-all-callers"    Error   "An operation with security, whose stored responses could be another caller's"
    GW571 571 "idle-cache"                Error   "`cache` of an operation whose responses are never stored"
    GW572 572 "bad-cache-key"             Error   "The key of stored responses has a part that does not separate them"
    GW701 701 "bad-schema"                Error   "A keyword of a schema whose value is of the wrong kind"
    GW702 702 "not-enforced"              Warning "Something that is described and cannot be enforced"
    GW703 703 "bad-pattern"               Error   "A regular expression of a schema that cannot be read"
    GW704 704 "keyword-of-another-version" Warning "A keyword of schemas that means something else, or nothing, in this version"
    GW705 705 "impossible-schema"         Error   "A schema that admits nothing"
    GW706 706 "refused-example"           Warning "An example, or a default, that its own schema refuses"
    GW707 707 "bad-parameter"             Error   "A parameter, a body or a response that is not well-formed"
    GW708 708 "idle-validation"           Warning "`validation` that changes nothing"
    GW799 799 "lost-schema"               Error   "A schema was translated into one that cannot be read"
}

impl Code {
    /// The table's line for this code.
    #[must_use]
    pub fn info(self) -> Option<&'static CodeInfo> {
        CODES.binary_search_by_key(&self, |info| info.code).ok().map(|at| &CODES[at])
    }

    /// The code that a user typed: `GW203`, `gw203`, `203` or its name.
    #[must_use]
    pub fn find(text: &str) -> Option<&'static CodeInfo> {
        let number = text.strip_prefix("GW").or(text.strip_prefix("gw")).unwrap_or(text);
        match number.parse() {
            Ok(number) => Self(number).info(),
            Err(_) => CODES.iter().find(|info| info.name == text),
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GW{:03}", self.0)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}
