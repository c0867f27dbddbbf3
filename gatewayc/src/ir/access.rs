//! Who may call an operation.

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// No credential is asked for.
    Anyone {
        /// Where the document says so.
        because: &'static str,
    },
    /// One of the alternatives must hold, each with all of its requirements.
    OneOf(Vec<Vec<Requirement>>),
}

impl Access {
    /// Whether a caller without a credential may call.
    #[must_use]
    pub fn admits_anyone(&self) -> bool {
        match self {
            Self::Anyone { .. } => true,
            Self::OneOf(alternatives) => alternatives.iter().any(Vec::is_empty),
        }
    }
}

/// A scheme and what its caller must be allowed to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The name of a scheme of the API.
    pub scheme: String,
    /// All of these.
    pub scopes: Vec<String>,
}

/// Which consumers may call; without any rule, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsumerRules {
    /// Only these user names, and
    pub allow: Vec<String>,
    /// the members of these groups.
    pub groups: Vec<String>,
    /// Not these user names.
    pub deny: Vec<String>,
    /// These user names with these methods only, ordered by name.
    pub methods: Vec<(String, Vec<String>)>,
}

/// How a request without credentials goes on where `{}` admits it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anonymous {
    /// The consumer that it counts as, `""` for none.
    pub consumer: String,
    /// An invalid credential counts as none.
    pub despite_invalid: bool,
}
