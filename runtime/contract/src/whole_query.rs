//! A parameter that is the whole query (`in: querystring`, OpenAPI 3.2).

use gateway_schema::schemas::{Direction, Schemas};

use crate::encoding::Encoding;
use crate::finding::Findings;
use crate::form;
use crate::media_type::{Kind, MediaType};
use crate::parameter::Parameter;
use crate::style::Problem;
use crate::tables::{Mode, Written};

/// Compares a query with the parameter.
pub(crate) fn check(parameter: &Parameter, schemas: &Schemas, query: &str, findings: &mut Findings) {
    if parameter.table.mode == Mode::Off {
        return;
    }
    if query.is_empty() {
        return parameter.report_missing(findings);
    }
    let kind = match parameter.table.written {
        Written::Content(media_type) => MediaType::parse(media_type).and_then(|media_type| media_type.kind()),
        Written::As(..) => Some(Kind::Form),
    };
    let checked = if kind == Some(Kind::Form) {
        form::check(schemas, parameter.schema, &[], query, Direction::Request).map_err(|problem| match problem {
            form::Problem::Unreadable(message) => Problem::Text(message),
            form::Problem::Violations(violations) => Problem::Violations(violations),
        })
    } else {
        parameter.check_text(schemas, query, Encoding::Percent)
    };
    if let Err(problem) = checked {
        parameter.report(findings, problem);
    }
}
