//! Parameters in the path.

use gateway_schema::schemas::Schemas;

use crate::encoding::Encoding;
use crate::finding::Findings;
use crate::prepared::PreparedContract;
use crate::tables::{Mode, ParameterLocation};

pub(super) fn check<'r>(
    contract: &PreparedContract,
    schemas: &Schemas,
    value_of: &dyn Fn(&str) -> Option<&'r str>,
    findings: &mut Findings,
) {
    let in_path = |location| location == ParameterLocation::Path;
    for parameter in contract.parameters.iter().filter(|parameter| in_path(parameter.table.location)) {
        if parameter.table.mode == Mode::Off {
            continue;
        }
        let Some(text) = value_of(parameter.table.name) else {
            parameter.report_missing(findings);
            continue;
        };
        if let Err(problem) = parameter.check_text(schemas, text, Encoding::Percent) {
            parameter.report(findings, problem);
        }
    }
}
