//! The arena: schemas as the checker wants them, each with what is asserted of one kind of value in one place.

use std::sync::Arc;

use super::bits::Bits;
use super::kinds::Kinds;
use super::table::Table;
use crate::format::Format;
use crate::json::Document;
use crate::number::Limit;
use crate::pattern::Pattern;

/// A schema in [`Schemas`](super::Schemas).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchemaId(pub(super) u32);

impl SchemaId {
    /// `true`
    pub(super) const ANYTHING: Self = Self(0);
    /// `false`
    pub(super) const NOTHING: Self = Self(1);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream to the client.
    Response,
}

/// All schemas.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pub(super) nodes: Vec<Node>,
    /// Patterns, each of which is prepared once.
    pub(super) patterns: Vec<Arc<Prepared>>,
    /// The names of `$dynamicAnchor`.
    pub(super) anchors: Vec<Box<str>>,
}

impl Arena {
    #[inline]
    pub(super) fn node(&self, id: SchemaId) -> &Node {
        self.nodes.get(id.index()).unwrap_or(&NOTHING)
    }
}

/// A pattern with its text.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) text: Box<str>,
    pub(super) pattern: Pattern,
}

/// A schema.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// `type`; none for `false`.
    pub(super) kinds: Kinds,
    /// What stands for this one: it has nothing but a `$ref`.
    pub(super) alias: Option<SchemaId>,
    pub(super) traits: Traits,
    pub(super) text: Option<Box<TextRules>>,
    pub(super) number: Option<Box<NumberRules>>,
    pub(super) array: Option<Box<ArrayRules>>,
    pub(super) object: Option<Box<ObjectRules>>,
    pub(super) any: Option<Box<AnyRules>>,
}

static NOTHING: Node = Node {
    kinds: Kinds::NONE,
    alias: None,
    traits: Traits { kinds: Kinds::NONE, read_only: false, write_only: false, is_secret: false, has_one_way: false },
    text: None,
    number: None,
    array: None,
    object: None,
    any: None,
};

/// What is known of a schema with all that it refers to; computed when all schemas are there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traits {
    /// The kinds of values that may fit.
    pub(super) kinds: Kinds,
    pub(super) read_only: bool,
    pub(super) write_only: bool,
    /// `format: password`, or `writeOnly`.
    pub(super) is_secret: bool,
    /// It says of a member that this is `readOnly` or `writeOnly`.
    pub(super) has_one_way: bool,
}

impl Traits {
    pub(super) fn is_refused(self, direction: Direction) -> bool {
        match direction {
            Direction::Request => self.read_only,
            Direction::Response => self.write_only,
        }
    }
}

/// What is asserted of strings.
#[derive(Debug, Default)]
pub(super) struct TextRules {
    pub(super) least: Option<usize>,
    pub(super) most: Option<usize>,
    pub(super) pattern: Option<Arc<Prepared>>,
    pub(super) format: Option<Format>,
}

/// What is asserted of numbers.
#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) minimum: Option<Limit>,
    pub(super) above: Option<Limit>,
    pub(super) maximum: Option<Limit>,
    pub(super) below: Option<Limit>,
    pub(super) multiple_of: Option<Limit>,
    pub(super) format: Option<Format>,
}

/// What is asserted of arrays.
#[derive(Debug, Default)]
pub(super) struct ArrayRules {
    pub(super) least: Option<usize>,
    pub(super) most: Option<usize>,
    pub(super) is_unique: bool,
    pub(super) prefix: Box<[SchemaId]>,
    pub(super) items: Option<SchemaId>,
    pub(super) contains: Option<Contains>,
    pub(super) unevaluated: Option<SchemaId>,
}

/// `contains`: how many items fit.
#[derive(Debug)]
pub(super) struct Contains {
    pub(super) schema: SchemaId,
    pub(super) least: usize,
    pub(super) most: Option<usize>,
}

/// What is asserted of objects.
#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    /// `properties`, and what is `required` beside them.
    pub(super) names: Table<Member>,
    pub(super) required: Names,
    /// Those of `required` that are required in a request, and in a response.
    pub(super) must: [Bits; 2],
    pub(super) patterns: Box<[(Arc<Prepared>, SchemaId)]>,
    pub(super) additional: Option<SchemaId>,
    /// `propertyNames`
    pub(super) naming: Option<SchemaId>,
    pub(super) least: Option<usize>,
    pub(super) most: Option<usize>,
    pub(super) dependent_required: Box<[(Box<str>, Names)]>,
    pub(super) dependent_schemas: Box<[(Box<str>, SchemaId)]>,
    pub(super) unevaluated: Option<SchemaId>,
}

pub(super) type Names = Box<[Box<str>]>;

/// What a schema says of the member of a name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Member {
    pub(super) schema: Option<SchemaId>,
    /// Its index in `required`.
    pub(super) required: Option<u32>,
}

/// What is asserted of all kinds of values.
#[derive(Debug, Default)]
pub(super) struct AnyRules {
    /// `enum` and `const`
    pub(super) constants: Vec<Constants>,
    pub(super) reference: Option<SchemaId>,
    /// `$dynamicRef`: the anchor, and the schema if nothing else has it.
    pub(super) dynamic: Option<(usize, SchemaId)>,
    pub(super) all_of: Box<[SchemaId]>,
    pub(super) any_of: Box<[SchemaId]>,
    pub(super) one_of: Box<[SchemaId]>,
    pub(super) not: Option<SchemaId>,
    pub(super) condition: Option<Condition>,
    pub(super) discriminator: Option<Discriminator>,
    /// `$dynamicAnchors` of the resource.
    pub(super) anchors: Box<[(usize, SchemaId)]>,
}

/// `if`, `then`, `else`
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) test: SchemaId,
    pub(super) then: Option<SchemaId>,
    pub(super) otherwise: Option<SchemaId>,
}

/// The values of `enum`, or the one of `const`.
#[derive(Debug)]
pub(super) struct Constants {
    pub(super) keyword: &'static str,
    /// Those that are strings.
    pub(super) texts: Table<()>,
    /// All others.
    pub(super) others: Box<[Document<'static>]>,
    /// What a value must be, for a message.
    pub(super) message: Box<str>,
}

/// `discriminator`
#[derive(Debug)]
pub(super) struct Discriminator {
    pub(super) property: Box<str>,
    pub(super) mapping: Table<SchemaId>,
}
