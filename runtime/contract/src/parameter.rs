//! A parameter of an operation, prepared.

use gateway_schema::json::Document;
use gateway_schema::schemas::{Direction, Kinds, SchemaError, SchemaId, Schemas};

use crate::encoding::Encoding;
use crate::finding::{Finding, Findings};
use crate::media_type::{Kind, MediaType};
use crate::style::{self, Format, Problem, Shape};
use crate::tables::{self, Explode, ParameterLocation, Style, Written};

/// A parameter with its schema.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) table: &'static tables::Parameter,
    pub(crate) schema: SchemaId,
    pub(crate) kinds: Kinds,
    /// Members of its value may stand beside other parameters, under names of their own.
    pub(crate) may_be_spread: bool,
    /// These names.
    pub(crate) members: Vec<Box<str>>,
}

impl Parameter {
    pub(crate) fn new(table: &'static tables::Parameter, schemas: &mut Schemas) -> Result<Self, SchemaError> {
        let schema = schemas.add(table.schema)?;
        let kinds = schemas.kinds(schema);
        let is_apart = matches!(
            table.written,
            Written::As(Style::Form | Style::Cookie | Style::SpaceDelimited | Style::PipeDelimited, Explode::Yes)
        );
        let has_pairs = matches!(table.location, ParameterLocation::Query | ParameterLocation::Cookie);
        let mut members = Vec::new();
        if is_apart && has_pairs && kinds.contains(Kinds::OBJECT) {
            members = schemas.names_of_properties(schema).into_iter().map(Into::into).collect();
        }
        // Where nothing is said about kinds or members, an object is not what is meant.
        let may_be_spread =
            is_apart && has_pairs && kinds.contains(Kinds::OBJECT) && (kinds != Kinds::ALL || !members.is_empty());
        Ok(Self { table, schema, kinds, may_be_spread, members })
    }

    /// Whether it can only be an object whose members stand beside other parameters.
    pub(crate) fn is_always_spread(&self) -> bool {
        self.may_be_spread && self.kinds == Kinds::OBJECT
    }

    /// Whether its items are values of the same name: `a=1&a=2`.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.kinds.contains(Kinds::ARRAY) && matches!(self.table.written, Written::As(_, Explode::Yes))
    }

    pub(crate) fn format(&self, style: Style, explode: Explode, encoding: Encoding) -> Format<'static> {
        Format { name: self.table.name, style, explode, encoding }
    }

    /// Checks the text of a value that is not spread.
    pub(crate) fn check_text(&self, schemas: &Schemas, text: &str, encoding: Encoding) -> Result<(), Problem> {
        match self.table.written {
            Written::As(style, explode) => {
                let shapes = style::shapes(self.format(style, explode, encoding), self.kinds, text);
                self.check_shapes(schemas, shapes.map_err(Problem::Text)?, encoding)
            }
            Written::Content(media_type) => {
                check_content(schemas, self.schema, self.kinds, media_type, text, encoding, Direction::Request)
            }
        }
    }

    pub(crate) fn check_shapes(
        &self,
        schemas: &Schemas,
        shapes: Vec<Shape<'_>>,
        encoding: Encoding,
    ) -> Result<(), Problem> {
        style::check(schemas, self.schema, shapes, encoding, Direction::Request)
    }

    /// Says that it is missing, if it is required.
    pub(crate) fn report_missing(&self, findings: &mut Findings) {
        if self.table.required {
            self.report(findings, Problem::Text("is required".into()));
        }
    }

    pub(crate) fn report(&self, findings: &mut Findings, problem: Problem) {
        let tables::Parameter { location, name, mode, .. } = *self.table;
        match problem {
            Problem::Text(message) => findings.add(mode, || Finding::parameter(location, name, message)),
            Problem::Violations(violations) => {
                for violation in violations {
                    // A member that has a name of its own in the query is called so.
                    let member = violation
                        .pointer
                        .strip_prefix('/')
                        .filter(|member| self.members.iter().any(|known| **known == **member) && self.may_be_spread);
                    let message = match (member, violation.pointer.as_str()) {
                        (Some(_), _) | (None, "") => violation.message,
                        (None, pointer) => format!("{} (at {pointer:.100})", violation.message),
                    };
                    let name = member.unwrap_or(name);
                    findings.add(mode, || Finding::parameter(location, name, message).by(violation.keyword));
                }
            }
        }
    }
}

/// Checks a text that is content of a media type.
pub(crate) fn check_content(
    schemas: &Schemas,
    schema: SchemaId,
    kinds: Kinds,
    media_type: &str,
    text: &str,
    encoding: Encoding,
    direction: Direction,
) -> Result<(), Problem> {
    let kind = MediaType::parse(media_type).and_then(|media_type| media_type.kind());
    match kind {
        Some(Kind::Json) => {
            let text = encoding.decode(text).map_err(|message| Problem::Text(message.into()))?;
            let document = Document::read(text.as_bytes()).map_err(|error| Problem::Text(style::unreadable(&error)))?;
            let violations = schemas.check(schema, document.root(), direction);
            if violations.is_empty() { Ok(()) } else { Err(Problem::Violations(violations)) }
        }
        Some(Kind::Text) if crate::scalar::has_scalars(kinds) => {
            style::check(schemas, schema, vec![Shape::Scalar(text)], encoding, direction)
        }
        _ => encoding.decode(text).map(drop).map_err(|message| Problem::Text(message.into())),
    }
}
