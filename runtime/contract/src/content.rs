//! Contents that are described, by media type.

use gateway_schema::schemas::{Kinds, SchemaError, SchemaId, Schemas};

use crate::media_type::{Kind, MediaType};
use crate::scalar::has_scalars;
use crate::tables::{self, Written};

/// The contents of a request or a response.
#[derive(Debug, Default)]
pub(crate) struct Contents(Vec<Content>);

/// Content of one media type, or of several.
#[derive(Debug)]
pub(crate) struct Content {
    /// As the document says it.
    name: &'static str,
    range: MediaType<'static>,
    /// [`None`] where the content is not checked.
    pub(crate) schema: Option<SchemaId>,
    pub(crate) kinds: Kinds,
    pub(crate) parts: Vec<Part>,
}

/// How a part of a form is written.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// As the document says it.
    pub(crate) content_type: &'static str,
    /// Those that it may have; with none, nothing is said about it.
    pub(crate) types: Vec<MediaType<'static>>,
    pub(crate) written: Option<Written>,
    /// Names of members that stand beside other fields of the form.
    pub(crate) members: Vec<Box<str>>,
}

impl Contents {
    pub(crate) fn new(table: &[tables::Content], schemas: &mut Schemas) -> Result<Self, SchemaError> {
        let mut contents = Vec::with_capacity(table.len());
        for content in table {
            let Some(range) = MediaType::parse(content.media_type) else { continue };
            let schema = if content.schema.is_empty() { None } else { Some(schemas.add(content.schema)?) };
            let kinds = schema.map_or(Kinds::ALL, |schema| schemas.kinds(schema));
            let parts = content.parts.iter().map(|part| Part::new(part, schema, schemas)).collect();
            contents.push(Content { name: content.media_type, range, schema, kinds, parts });
        }
        Ok(Self(contents))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The description that says most about a media type.
    pub(crate) fn find(&self, actual: &MediaType<'_>) -> Option<&Content> {
        let fitting = self.0.iter().filter_map(|content| Some((content.range.fits(actual)?, content)));
        // Of several that say as much, the first one.
        fitting.rev().max_by_key(|(fit, _)| *fit).map(|(_, content)| content)
    }

    /// All media types, as a field `Accept` lists them.
    pub(crate) fn accepted(&self) -> String {
        self.0.iter().map(|content| content.name).collect::<Vec<_>>().join(", ")
    }
}

impl Content {
    /// How content of this type is read to be checked; `None` where it is not checked.
    pub(crate) fn kind(&self, actual: &MediaType<'_>) -> Option<(SchemaId, Kind)> {
        let kind = actual.kind()?;
        // A text of another format, such as XML, may be described by a schema for what it stands for.
        let is_readable = kind != Kind::Text || has_scalars(self.kinds);
        self.schema.filter(|_| is_readable).map(|schema| (schema, kind))
    }
}

impl Part {
    fn new(table: &tables::Part, schema: Option<SchemaId>, schemas: &Schemas) -> Self {
        let property = schema.and_then(|schema| schemas.property(schema, table.name));
        let is_object = property.is_some_and(|property| schemas.kinds(property) == Kinds::OBJECT);
        let is_spread = matches!(table.written, Some(Written::As(tables::Style::Form, tables::Explode::Yes)));
        let names = property.filter(|_| is_object && is_spread).map(|id| schemas.names_of_properties(id));
        Self {
            name: table.name,
            content_type: table.content_type,
            types: table.content_type.split(',').filter_map(MediaType::parse).collect(),
            written: table.written,
            members: names.unwrap_or_default().into_iter().map(Into::into).collect(),
        }
    }
}
