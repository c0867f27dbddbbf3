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
        } else if let Some(twin) = parameters.iter().find(|parameter| is_twin(parameter.table.name, name)) {
            let message = "also stands there in another spelling, which some servers take for the same";
            findings.add(twin.table.mode, || Finding::parameter(ParameterLocation::Header, twin.table.name, message));
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

/// Whether two names differ in `-` and `_` only: CGI and its descendants take them for the same.
fn is_twin(name: &str, other: &str) -> bool {
    let is_dash = |byte: u8| matches!(byte, b'-' | b'_');
    name.len() == other.len()
        && name.bytes().zip(other.bytes()).all(|(a, b)| a.eq_ignore_ascii_case(&b) || (is_dash(a) && is_dash(b)))
}

/// Fields of proxies between the client and the gateway, which reads them itself.
const OF_PROXIES: [&str; 3] = ["x-forwarded-", "x-request-id", "x-real-ip"];

/// Whether a name begins with `X-`, and is not that of a field which proxies add.
fn is_extension(name: &str) -> bool {
    let begins = |start: &str| name.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
    begins("x-") && !OF_PROXIES.iter().any(|known| begins(known))
}
