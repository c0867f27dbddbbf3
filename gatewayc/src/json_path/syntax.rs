//! What a query says.

/// The way from the root to a value: at each step, which of the entries or items it is.
pub(crate) type Location = Vec<u32>;

/// `$` or `@`, and segments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// It begins at the value that a filter looks at, not at the root.
    pub(super) from_current: bool,
    pub(super) segments: Vec<Segment>,
}

/// `.name`, `[…]`, `..name` or `..[…]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    /// It selects below, at any depth.
    pub(super) of_descendants: bool,
    pub(super) selectors: Vec<Selector>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Selector {
    Name(String),
    Wildcard,
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Filter(Condition),
}

/// What a filter asks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    Exists(Query),
    Compare(Operand, Comparison, Operand),
    /// `match` and `search`.
    Matches {
        text: Operand,
        pattern: Operand,
        whole: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A query that selects at most one value.
    Single(Query),
    /// `length`.
    Length(Box<Operand>),
    /// `count`.
    Count(Query),
    /// `value`.
    OnlyValue(Query),
}

impl Query {
    /// Whether it can select one value at most (RFC 9535 §2.3.5.1).
    pub(super) fn is_single(&self) -> bool {
        self.segments.iter().all(|segment| {
            let one = matches!(&segment.selectors[..], [Selector::Name(_) | Selector::Index(_)]);
            one && !segment.of_descendants
        })
    }

    /// The names from the root on, as far as the query goes by names only.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map_while(|segment| match &segment.selectors[..] {
            [Selector::Name(name)] if !segment.of_descendants => Some(name.as_str()),
            _ => None,
        })
    }
}
