//! What a pattern says, as a tree.

use super::char_set::CharSet;

/// A part of a pattern. What groups capture is left out, and so is whether a quantifier is lazy: neither decides whether a
/// text matches.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// No characters.
    Empty,
    /// One of these characters.
    Set(CharSet),
    /// An assertion.
    Assert(Assertion),
    /// One after the other.
    Sequence(Vec<Node>),
    /// One of them.
    Choice(Vec<Node>),
    /// Several times.
    Repeat {
        /// What is repeated.
        node: Box<Node>,
        /// Fewest times.
        min: u32,
        /// Most times; [`None`] if there is no bound.
        max: Option<u32>,
    },
    /// Look-ahead or look-behind.
    Look {
        /// What is looked for.
        node: Box<Node>,
        /// It ends here instead of beginning here.
        behind: bool,
        /// It must not be there.
        negative: bool,
    },
}

/// What is said about a place between characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assertion {
    /// `^`
    Start,
    /// `$`
    End,
    /// `\b`
    WordEdge,
    /// `\B`
    NoWordEdge,
}

/// More ranges than this are not compared: all characters are assumed instead.
const MANY_RANGES: usize = 64;

impl Node {
    /// Whether it may match without a character.
    pub(super) fn may_be_empty(&self) -> bool {
        match self {
            Self::Empty | Self::Assert(_) | Self::Look { .. } => true,
            Self::Set(_) => false,
            Self::Sequence(nodes) => nodes.iter().all(Self::may_be_empty),
            Self::Choice(nodes) => nodes.iter().any(Self::may_be_empty),
            Self::Repeat { node, min, .. } => *min == 0 || node.may_be_empty(),
        }
    }

    /// The characters that it and what comes behind it, `then`, may begin with; in reading direction `back`, end with.
    pub(super) fn first(&self, then: &CharSet, back: bool) -> CharSet {
        let first = match self {
            Self::Empty | Self::Look { .. } => then.clone(),
            Self::Assert(Assertion::End) if !back => CharSet::default(),
            Self::Assert(Assertion::Start) if back => CharSet::default(),
            Self::Assert(_) => then.clone(),
            Self::Set(set) => set.clone(),
            Self::Sequence(nodes) if back => nodes.iter().fold(then.clone(), |then, node| node.first(&then, back)),
            Self::Sequence(nodes) => nodes.iter().rev().fold(then.clone(), |then, node| node.first(&then, back)),
            Self::Choice(nodes) => {
                nodes.iter().fold(CharSet::default(), |all, node| all.union(&node.first(then, back)))
            }
            Self::Repeat { node, .. } if self.may_be_empty() => node.first(then, back).union(then),
            Self::Repeat { node, .. } => node.first(then, back),
        };
        if first.ranges().len() > MANY_RANGES { CharSet::all() } else { first }
    }

    /// Whether it can match at the start of a text only.
    pub(super) fn is_anchored(&self) -> bool {
        match self {
            Self::Assert(assertion) => *assertion == Assertion::Start,
            Self::Empty | Self::Set(_) | Self::Look { .. } => false,
            // What stands before it and takes no characters leaves the place as it is.
            Self::Sequence(nodes) => {
                let places =
                    nodes.iter().take_while(|node| matches!(node, Self::Assert(_) | Self::Look { .. })).count();
                nodes.iter().take(places + 1).any(Self::is_anchored)
            }
            Self::Choice(nodes) => nodes.iter().all(Self::is_anchored),
            Self::Repeat { node, min, .. } => *min > 0 && node.is_anchored(),
        }
    }
}
