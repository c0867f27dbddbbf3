//! Parameters in header fields.

use gateway_schema::schemas::{Kinds, Schemas};

use crate::field::{FieldValues, check_values};
use crate::finding::{Finding, Findings};
use crate::prepared::PreparedContract;
use crate::tables::{Mode, ParameterLocation};

pub(super) fn check<'r>(
    contract: &PreparedContract,
    schemas: &Schemas,
    fields: &mut dyn Iterator<Item = (&'r str, &'r [u8])>,
    findings: &mut Findings,
) {
    let parameters: Vec<_> =
        contract.parameters.iter().filter(|one| one.table.location == ParameterLocation::Header).collect();
    let unknown = &contract.table.unknown;
    if parameters.is_empty() && unknown.header == Mode::Off {
        return;
    }
    let mut values: Vec<FieldValues<'r>> = vec![FieldValues::default(); parameters.len()];
    for (name, value) in fields {
        let known = parameters.iter().position(|parameter| parameter.table.name.eq_ignore_ascii_case(name));
        if let Some(values) = known.and_then(|known| values.get_mut(known)) {
            values.push(value);
        } else if unknown.header != Mode::Off && is_extension(name) {
            let is_known = unknown
                .known
                .iter()
                .any(|(location, known)| *location == ParameterLocation::Header && known.eq_ignore_ascii_case(name));
            if !is_known {
                let finding = || Finding::parameter(ParameterLocation::Header, name, "is not described");
                findings.add(unknown.header, finding);
            }
        }
    }
    for (parameter, values) in parameters.into_iter().zip(values) {
        if parameter.table.mode == Mode::Off {
            continue;
        }
        if values.is_empty() {
            parameter.report_missing(findings);
            continue;
        }
        let is_list = parameter.kinds.overlaps(Kinds::ARRAY | Kinds::OBJECT | Kinds::STRING);
        let checked = check_values(&values, is_list, |text, encoding| parameter.check_text(schemas, text, encoding));
        if let Err(problem) = checked {
            parameter.report(findings, problem);
        }
    }
}

/// Whether a name begins with `X-`.
fn is_extension(name: &str) -> bool {
    name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
}
