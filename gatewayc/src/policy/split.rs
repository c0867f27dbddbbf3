//! What goes to other upstreams than the operation's own, in words.

use crate::ir::{Action, Api, Mirror, Share, SplitEntry};
use crate::policy::lines::line;
use crate::policy::upstream;

/// Adds the lines of all upstreams of an operation, and of what each gets.
pub(super) fn write(out: &mut String, api: &Api, action: &Action) {
    let Action::Forward { split, mirror, .. } = action else { return };
    let described = |name: &str| api.upstreams.iter().find(|known| known.name == name);
    let mut names = action.upstreams().into_iter();
    if let Some(own) = names.next().and_then(described) {
        upstream::write(out, own);
    }
    for entry in split {
        line(out, "split", &share(entry));
    }
    for other in names.filter_map(described) {
        upstream::write(out, other);
    }
    if let Some(mirror) = mirror {
        line(out, "copied", &copy(mirror, "to"));
        if let Some(copied_to) =
            described(&mirror.upstream).filter(|_| !action.upstreams().contains(&&*mirror.upstream))
        {
            upstream::write(out, copied_to);
        }
    }
}

/// What each other upstream gets: `all with X-Canary: 1 to canary`, `5% to canary by consumer`, `1% copied to shadow`.
fn parts(action: &Action) -> Vec<String> {
    let Action::Forward { split, mirror, .. } = action else { return Vec::new() };
    split.iter().map(share).chain(mirror.as_ref().map(|mirror| copy(mirror, "copied to"))).collect()
}

/// The same behind other words; empty for nothing.
pub(super) fn words(action: &Action) -> String {
    parts(action).iter().map(|part| format!("; {part}")).collect()
}

fn share(entry: &SplitEntry) -> String {
    let SplitEntry { upstream, share, when, by, .. } = entry;
    let fields: Vec<String> = when.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let keys: Vec<String> = by.iter().map(ToString::to_string).collect();
    let by = if keys.is_empty() { String::new() } else { format!(" by {}", keys.join("+")) };
    match (fields.is_empty(), *share) {
        (true, share) => format!("{share} to {upstream}{by}"),
        (false, Share::NOTHING) => format!("all with {} to {upstream}", fields.join(" and ")),
        (false, share) => format!("all with {} and {share} of the others to {upstream}{by}", fields.join(" and ")),
    }
}

fn copy(mirror: &Mirror, how: &str) -> String {
    let Mirror { upstream, share, credentials } = mirror;
    let credentials = if *credentials { " with credentials" } else { "" };
    format!("{share} {how} {upstream}{credentials}")
}
