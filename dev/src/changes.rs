//! What a change of the documents changes of the policy.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// More lines than this do not help: the policy snapshot shows all of them.
const MOST_LINES: usize = 40;

/// What differs between two policies, as [`gatewayc::policy::render`] writes them; begins with what there is to say in
/// one phrase.
pub(crate) fn changes(before: &str, after: &str) -> String {
    let (before, after) = (paragraphs(before), paragraphs(after));
    let mut lines = Vec::new();
    for (heading, was) in &before {
        match after.get(heading) {
            None => lines.push(format!("  - {}", heading.trim_start())),
            Some(is) if is != was => {
                lines.push(format!("  ~ {}", heading.trim_start()));
                lines.extend(
                    was.iter().filter(|line| !is.contains(line)).map(|line| format!("      - {}", line.trim())),
                );
                lines.extend(
                    is.iter().filter(|line| !was.contains(line)).map(|line| format!("      + {}", line.trim())),
                );
            }
            Some(_) => {}
        }
    }
    for (heading, is) in after.iter().filter(|(heading, _)| !before.contains_key(*heading)) {
        lines.push(format!("  + {}", heading.trim_start()));
        lines.extend(is.iter().map(|line| format!("      + {}", line.trim())));
    }
    if lines.is_empty() {
        return "; the policy is the same".to_owned();
    }
    let mut text = ":".to_owned();
    for line in lines.iter().take(MOST_LINES) {
        let _ = write!(text, "\n{line}");
    }
    if lines.len() > MOST_LINES {
        let _ = write!(text, "\n  … and {} lines more", lines.len() - MOST_LINES);
    }
    text
}

/// The paragraphs of a policy by their first lines, each with the API that it belongs to.
fn paragraphs(policy: &str) -> BTreeMap<String, Vec<&str>> {
    let mut found = BTreeMap::new();
    let mut api = "";
    for paragraph in policy.split("\n\n") {
        let mut lines = paragraph.trim_matches('\n').lines();
        let Some(first) = lines.next() else { continue };
        if first.starts_with("api ") {
            api = first;
        }
        let heading =
            if first.starts_with("api ") { first.to_owned() } else { format!("{first}   ({})", api_name(api)) };
        found.insert(heading, lines.collect());
    }
    found
}

/// The name in `api notes (Notes)`.
fn api_name(line: &str) -> &str {
    line.split(' ').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "api notes (Notes)\n  identity headers: X\n\nGET /a\n  access: public\n  upstream: default\n\n\
                          GET /b\n  access: public\n\n";

    #[test]
    fn differences_are_shown_with_their_operation() {
        let after = "api notes (Notes)\n  identity headers: X\n\nGET /a\n  access: key\n  upstream: default\n\n\
                     GET /c\n  access: public\n\n";
        assert_eq!(
            changes(BEFORE, after),
            ":\n  ~ GET /a   (notes)\n      - access: public\n      + access: key\n  - GET /b   (notes)\n  \
             + GET /c   (notes)\n      + access: public"
        );
        assert_eq!(changes(BEFORE, BEFORE), "; the policy is the same");
    }
}
