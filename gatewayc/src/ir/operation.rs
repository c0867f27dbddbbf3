//! Paths and their operations.

use gateway_route::{Condition, Template};
use gateway_yaml::Span;

pub use gateway_terms::operation::{ParameterKind, Preflight};

use crate::examples::DescribedResponse;
use crate::ir::access::{Access, Anonymous, ConsumerRules};
use crate::ir::browsers::Cors;
use crate::ir::cache::Cache;
use crate::ir::compression::Compression;
use crate::ir::contract::Contract;
use crate::ir::limit::LimitUse;
use crate::ir::oauth::{Endpoint, Grant, RegistryAction};
use crate::ir::secret::SecretReference;
use crate::ir::split::{Mirror, SplitEntry};
use crate::ir::static_files::StaticFiles;
use crate::ir::upgrade::Upgrade;
use crate::units::ByteSize;

/// A path template and its operations.
#[derive(Debug, Clone)]
pub struct Route {
    /// With the base path of `servers`.
    pub template: Template,
    /// What a request must say beside its path.
    pub when: Vec<Condition>,
    /// What `OPTIONS` gets where no operation describes it.
    pub preflight: Preflight,
    /// Which pages may read the answers to methods that are not described.
    pub cors: Option<Cors>,
    /// What these answers tell browsers: names and values, ordered by name.
    pub security_headers: Vec<(String, String)>,
    /// Ordered by method.
    pub operations: Vec<Operation>,
    /// Method and id of every operation in the document, ordered by method: more than `operations` where some could not
    /// be lowered.
    pub described: Vec<(String, String)>,
    /// The path's key in the document.
    pub span: Span,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `operationId`, or method and path.
    pub id: String,
    /// In upper case; [`Operation::ANY`] for a rule's.
    pub method: String,
    /// The summary, for comments only.
    pub summary: String,
    /// Who may call.
    pub access: Access,
    /// What is done with a permitted request.
    pub action: Action,
    /// Path parameters whose type is more than text, in the order of the template; decides about routes.
    pub parameters: Vec<PathParameter>,
    /// What requests and responses are checked for.
    pub contract: Contract,
    /// The keys of `responses`; not compiled.
    pub described_statuses: Vec<String>,
    /// The values that `enum` lists for path parameters; decides about routes, and is not compiled.
    pub listed_values: Vec<(String, Vec<String>)>,
    /// Changes to the request.
    pub request_headers: HeaderEdits,
    /// Changes to the response.
    pub response_headers: HeaderEdits,
    /// The largest request body.
    pub max_body: ByteSize,
    /// Which consumers may call.
    pub consumers: ConsumerRules,
    /// What `{}` in `security` means.
    pub anonymous: Anonymous,
    /// What each request is charged to.
    pub limits: Vec<LimitUse>,
    /// The upstream may read some of its paths as those of an operation with another access.
    pub contested: bool,
    /// Which pages of other origins may call.
    pub cors: Option<Cors>,
    /// What its responses tell browsers: names and values, ordered by name.
    pub security_headers: Vec<(String, String)>,
    /// It may be repeated whatever its method.
    pub repeatable: bool,
    /// Which of its responses are compressed.
    pub compression: Option<Compression>,
    /// Which of its responses are stored and used again.
    pub cache: Option<Cache>,
    /// What clients may switch to.
    pub upgrade: Option<Upgrade>,
    /// The operation's method in the document.
    pub span: Span,
}

impl Operation {
    /// What stands for the method of an operation that takes every one.
    pub const ANY: &'static str = "ANY";
}

/// What an operation does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Sends requests to an upstream.
    Forward {
        /// The name of an upstream of the API.
        upstream: String,
        /// The path that the upstream sees.
        rewrite: Rewrite,
        /// What goes to other upstreams; what no entry takes goes to the operation's own.
        split: Vec<SplitEntry>,
        /// What is copied to another one.
        mirror: Option<Mirror>,
    },
    /// Answers them.
    Answer(Builtin),
}

impl Action {
    /// The upstreams that may get a request, the operation's own first.
    pub fn upstreams(&self) -> Vec<&str> {
        let Self::Forward { upstream, split, .. } = self else { return Vec::new() };
        let mut upstreams = vec![upstream.as_str()];
        for entry in split {
            if !upstreams.contains(&entry.upstream.as_str()) {
                upstreams.push(&entry.upstream);
            }
        }
        upstreams
    }
}

/// What the gateway can answer itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Builtin {
    /// Signs tokens of consumers.
    JwtSign {
        /// The claim that names the credential.
        key_claim: String,
    },
    /// Is an endpoint of the authorization server.
    Oauth {
        /// Which.
        endpoint: Endpoint,
        /// What it gives tokens for, in the order of [`Grant`].
        grants: Vec<Grant>,
    },
    /// Registers clients and users.
    Registry {
        /// What is done.
        action: RegistryAction,
        /// The path parameter with the client's id; `""` where it is about none.
        parameter: String,
    },
    /// Serves files.
    Static(StaticFiles),
    /// Answers as the document says, from its examples and schemas.
    Mock(Vec<DescribedResponse>),
}

impl Builtin {
    /// The word after `builtin:`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::JwtSign { .. } => "jwt.sign",
            Self::Oauth { endpoint, .. } => endpoint.name(),
            Self::Registry { action, .. } => action.name(),
            Self::Static(_) => "static",
            Self::Mock(_) => "mock",
        }
    }
}

/// How the forwarded path is made.
#[derive(Debug, Clone)]
pub enum Rewrite {
    /// As received, less the base path.
    Received {
        /// `""` for none.
        base: String,
    },
    /// A template filled with the path parameters.
    Path(Template),
    /// A regular expression and its replacement.
    Regex {
        /// The base path, which the expression does not see.
        base: String,
        /// The expression.
        pattern: String,
        /// The replacement.
        to: String,
    },
}

/// A path parameter with a type.
#[derive(Debug, Clone)]
pub struct PathParameter {
    /// The name in the template.
    pub name: String,
    /// What its value must look like.
    pub kind: ParameterKind,
}

/// Changes to the headers of a message: `remove`, then `set`, then `add`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Names in lower case.
    pub remove: Vec<String>,
    /// Names as written, and values.
    pub set: Vec<(String, String)>,
    /// Names as written, and where the running gateway finds the values, which replace what was received.
    pub set_secret: Vec<(String, SecretReference)>,
    /// Names as written, and values.
    pub add: Vec<(String, String)>,
}
