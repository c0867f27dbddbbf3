//! The keywords of schemas: what each may be, and in which dialect it means something.

/// What stands behind a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A schema.
    Schema,
    /// Schemas, at least one.
    Schemas,
    /// Schemas by name.
    SchemaMap,
    /// Schemas by regular expression.
    PatternMap,
    /// A number that counts something.
    Count,
    /// A number.
    Number,
    /// A number above 0.
    PositiveNumber,
    /// A regular expression.
    Pattern,
    /// Names.
    Names,
    /// Names by name.
    NameMap,
    /// Values.
    Values,
    /// A value.
    Value,
    /// `true` or `false`.
    Bool,
    /// Something that is read in a way of its own.
    Own,
    /// Words that check nothing.
    Annotation,
}

/// A keyword.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// It means the same in OpenAPI 3.0.
    pub(super) in_3_0: bool,
    /// It means something from OpenAPI 3.1 on.
    pub(super) in_3_1: bool,
}

const fn both(name: &'static str, shape: Shape) -> Keyword {
    Keyword { name, shape, in_3_0: true, in_3_1: true }
}

const fn new(name: &'static str, shape: Shape) -> Keyword {
    Keyword { name, shape, in_3_0: false, in_3_1: true }
}

const fn old(name: &'static str, shape: Shape) -> Keyword {
    Keyword { name, shape, in_3_0: true, in_3_1: false }
}

/// All of them.
pub(super) static KEYWORDS: &[Keyword] = &[
    both("type", Shape::Own),
    both("format", Shape::Own),
    both("enum", Shape::Values),
    both("minimum", Shape::Number),
    both("maximum", Shape::Number),
    both("exclusiveMinimum", Shape::Own),
    both("exclusiveMaximum", Shape::Own),
    both("multipleOf", Shape::PositiveNumber),
    both("minLength", Shape::Count),
    both("maxLength", Shape::Count),
    both("pattern", Shape::Pattern),
    both("minItems", Shape::Count),
    both("maxItems", Shape::Count),
    both("uniqueItems", Shape::Bool),
    both("items", Shape::Schema),
    both("minProperties", Shape::Count),
    both("maxProperties", Shape::Count),
    both("required", Shape::Names),
    both("properties", Shape::SchemaMap),
    both("additionalProperties", Shape::Schema),
    both("allOf", Shape::Schemas),
    both("anyOf", Shape::Schemas),
    both("oneOf", Shape::Schemas),
    both("not", Shape::Schema),
    both("discriminator", Shape::Own),
    both("readOnly", Shape::Bool),
    both("writeOnly", Shape::Bool),
    both("$ref", Shape::Own),
    old("nullable", Shape::Own),
    new("const", Shape::Value),
    new("prefixItems", Shape::Schemas),
    new("contains", Shape::Schema),
    new("minContains", Shape::Count),
    new("maxContains", Shape::Count),
    new("patternProperties", Shape::PatternMap),
    new("propertyNames", Shape::Schema),
    new("dependentRequired", Shape::NameMap),
    new("dependentSchemas", Shape::SchemaMap),
    new("if", Shape::Schema),
    new("then", Shape::Schema),
    new("else", Shape::Schema),
    new("unevaluatedItems", Shape::Schema),
    new("unevaluatedProperties", Shape::Schema),
    new("$dynamicRef", Shape::Own),
    both("title", Shape::Annotation),
    both("description", Shape::Annotation),
    both("default", Shape::Annotation),
    both("example", Shape::Annotation),
    both("deprecated", Shape::Annotation),
    both("xml", Shape::Annotation),
    both("externalDocs", Shape::Annotation),
    both("$comment", Shape::Annotation),
    both("$schema", Shape::Annotation),
    both("definitions", Shape::Annotation),
    new("examples", Shape::Annotation),
    new("$id", Shape::Annotation),
    new("$anchor", Shape::Annotation),
    new("$dynamicAnchor", Shape::Annotation),
    new("$defs", Shape::Annotation),
    new("$vocabulary", Shape::Annotation),
    new("contentEncoding", Shape::Annotation),
    new("contentMediaType", Shape::Annotation),
    new("contentSchema", Shape::Annotation),
];

/// What a name means.
pub(super) fn keyword(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}

/// The types of values.
pub(super) const TYPES: &[&str] = &["null", "boolean", "object", "array", "number", "string", "integer"];

/// Formats that say what a text is for, and nothing about how it looks.
pub(super) const FREE_FORMATS: &[&str] = &["binary", "password", "html", "markdown", "text", "string"];
