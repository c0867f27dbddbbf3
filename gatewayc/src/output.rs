//! What the command line prints.

use std::io::{self, Write as _};

/// What was checked, in one line.
pub(crate) fn summary(checked: &gatewayc::Checked) -> String {
    let apis = &checked.gateway.apis;
    let operations = apis.iter().flat_map(|api| &api.routes).map(|route| route.operations.len()).sum();
    let rules = apis.iter().map(|api| api.rules.len()).sum();
    let of_routes = apis.iter().flat_map(|api| &api.routes).flat_map(|route| &route.operations);
    let of_rules = apis.iter().flat_map(|api| &api.rules).filter_map(|rule| rule.operation());
    let public = of_routes.chain(of_rules).filter(|operation| operation.access.admits_anyone()).count();
    let mut summary = format!("{}, {}", count(apis.len(), "document"), count(operations, "operation"));
    if rules > 0 {
        summary += &format!(", {}", count(rules, "rule"));
    }
    summary += &format!(", {public} public");
    summary
}

/// A number of things.
pub(crate) fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Prints a text.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
