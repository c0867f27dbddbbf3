//! What is described of an operation, ready to be compared with requests and responses.

use gateway_schema::schemas::{Kinds, SchemaError, SchemaId, Schemas};

use crate::content::Contents;
use crate::parameter::Parameter;
use crate::query_names::QueryNames;
use crate::tables::{Contract, Details, Mode, ParameterLocation, StatusKey, Written};

/// A contract whose schemas are prepared. Its functions are in the files that are about the part that they check.
#[derive(Debug)]
pub struct PreparedContract {
    pub(crate) table: &'static Contract,
    /// Those that are checked or known, in the order of the table.
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) query_names: QueryNames,
    /// What becomes of query parameters that cannot be decoded and are not described.
    pub(crate) undecodable: Mode,
    /// The strictest mode of all parameters.
    strictest: Mode,
    /// The contents of a request.
    pub(crate) request: Contents,
    pub(crate) responses: Vec<Response>,
}

/// A response, prepared.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusKey,
    pub(crate) fields: Vec<Field>,
    pub(crate) contents: Contents,
}

/// A field of a response, prepared.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) written: Written,
    pub(crate) schema: SchemaId,
    pub(crate) kinds: Kinds,
}

impl PreparedContract {
    /// Prepares a contract; its schemas are added to those of its API.
    ///
    /// # Errors
    /// The first mistake in a schema.
    pub fn new(table: &'static Contract, schemas: &mut Schemas) -> Result<Self, SchemaError> {
        let mut parameters = Vec::with_capacity(table.parameters.len());
        for parameter in table.parameters {
            // OpenAPI has these described elsewhere: as contents, and as security.
            let ignored = ["Accept", "Content-Type", "Authorization"];
            let is_ignored = ignored.iter().any(|name| name.eq_ignore_ascii_case(parameter.name));
            if parameter.location != ParameterLocation::Header || !is_ignored {
                parameters.push(Parameter::new(parameter, schemas)?);
            }
        }
        let mode_of = |is_wanted: fn(ParameterLocation) -> bool| {
            let modes = parameters.iter().filter(|parameter| is_wanted(parameter.table.location));
            modes.map(|parameter| parameter.table.mode).max().unwrap_or(Mode::Off)
        };
        let is_query = |location| matches!(location, ParameterLocation::Query | ParameterLocation::QueryString);
        let undecodable = mode_of(is_query).max(table.unknown.query);
        let unknown = table.unknown.query.max(table.unknown.header).max(table.unknown.cookie);
        let strictest = mode_of(|_| true).max(unknown);
        let request = Contents::new(table.body.as_ref().map_or(&[], |body| body.contents), schemas)?;
        let mut responses = Vec::new();
        for response in table.responses.iter().flat_map(|responses| responses.described) {
            let mut fields = Vec::with_capacity(response.fields.len());
            for field in response.fields {
                // The contents say what the type must be.
                if !field.name.eq_ignore_ascii_case("Content-Type") {
                    let schema = schemas.add(field.schema)?;
                    let (name, required, written) = (field.name, field.required, field.written);
                    fields.push(Field { name, required, written, schema, kinds: schemas.kinds(schema) });
                }
            }
            let contents = Contents::new(response.contents, schemas)?;
            responses.push(Response { status: response.status, fields, contents });
        }
        let query_names = QueryNames::new(&parameters, table.unknown.known);
        Ok(Self { table, parameters, query_names, undecodable, strictest, request, responses })
    }

    /// Whether anything is to be found about parameters.
    #[must_use]
    pub fn checks_parameters(&self) -> bool {
        self.strictest != Mode::Off
    }

    /// What becomes of a body of a request that is not as described.
    #[must_use]
    pub fn body_mode(&self) -> Mode {
        self.table.body.as_ref().map_or(Mode::Off, |body| body.mode)
    }

    /// What becomes of a response that is not as described.
    #[must_use]
    pub fn response_mode(&self) -> Mode {
        self.table.responses.as_ref().map_or(Mode::Off, |responses| responses.mode)
    }

    /// What refusals say.
    #[must_use]
    pub fn details(&self) -> Details {
        self.table.details
    }
}
