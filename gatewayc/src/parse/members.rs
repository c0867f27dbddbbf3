//! Members of `x-gateway` outside of it: written there, they would decide nothing, in silence.

use gateway_yaml::{Key, nearest, same_word};

use crate::diagnostic::{Diagnostic, GW102};
use crate::parse::parser::Parser;
use crate::vocabulary::{MEMBERS, Member, Place};

/// Members whose names mean too many other things to be looked for in extensions of other tools.
const COMMON_WORDS: &[&str] = &[
    "version",
    "errors",
    "rules",
    "https",
    "file",
    "dir",
    "grants",
    "forward",
    "realm",
    "bare",
    "token",
    "session",
    "credential",
    "limits",
    "public",
];

/// What stands in a member of a scheme's `x-gateway`, and is looked for beside it all the same.
const INSIDE: &[(&str, &str)] = &[
    ("verify", "jwt"),
    ("issuers", "jwt"),
    ("audiences", "jwt"),
    ("requiredClaims", "jwt"),
    ("leeway", "jwt"),
    ("identify", "jwt"),
    ("introspection", "token"),
];

/// A key that means a member of `x-gateway`.
pub(super) struct Stray {
    member: &'static Member,
    /// How the member is written, with its content.
    written: String,
    /// The key is an extension, which may be another tool's.
    is_extension: bool,
}

/// The member that a key outside of `x-gateway` means.
pub(super) fn stray(name: &str, place: Option<Place>) -> Option<Stray> {
    let member = |name: &str| MEMBERS.iter().find(|member| member.name == name);
    let found =
        |member: &'static Member| Stray { member, written: format!("{}: …", member.name), is_extension: false };
    if let Some((word, outer)) = INSIDE.iter().find(|(word, _)| *word == name).filter(|_| place == Some(Place::Scheme))
    {
        return member(outer)
            .map(|outer| Stray { written: format!("{}: {{{word}: …}}", outer.name), ..found(outer) });
    }
    // `version: 1` decides nothing by itself, and many objects have a version.
    let names = || MEMBERS.iter().map(|member| member.name).filter(|name| *name != "version");
    let lower = name.to_ascii_lowercase();
    let Some(extension) = lower.strip_prefix("x-").or(lower.strip_prefix("x_")) else {
        // In objects that decide nothing, such as responses, a word like `errors` means something else.
        let may_be_meant = |known: &&str| place.is_some() || !COMMON_WORDS.contains(known);
        return names().find(|known| may_be_meant(known) && same_word(known, name)).and_then(member).map(found);
    };
    let ours =
        ["gatewayc", "gateway"].iter().find_map(|ours| extension.strip_prefix(ours)?.strip_prefix(['-', '_', '.']));
    let extension = ours.unwrap_or(extension);
    let distinctive = names().filter(|name| ours.is_some() || !COMMON_WORDS.contains(name));
    let near = nearest(extension, wrong_letters(extension), distinctive)?;
    member(near).map(|near| Stray { is_extension: true, ..found(near) })
}

/// A member that a key resembles which means nothing else either.
pub(super) fn resembling(name: &str) -> Option<Stray> {
    let names = MEMBERS.iter().map(|member| member.name).filter(|name| !COMMON_WORDS.contains(name));
    let near = nearest(name, wrong_letters(name), names)?;
    let member = MEMBERS.iter().find(|member| member.name == near)?;
    Some(Stray { member, written: format!("{near}: …"), is_extension: false })
}

/// How many letters of a word may be wrong: short words resemble too many others.
fn wrong_letters(word: &str) -> usize {
    match word.len() {
        0..6 => 0,
        6..10 => 1,
        _ => 2,
    }
}

impl Parser<'_, '_> {
    /// Reports a member of `x-gateway` in `what`; `place` is where the `x-gateway` would be that it belongs into.
    pub(super) fn stray_member(&mut self, key: &Key, what: &str, place: Option<Place>, stray: &Stray) {
        let Stray { member, written, is_extension } = stray;
        let help = match place.filter(|place| member.places.contains(place)) {
            Some(_) => format!("write `x-gateway: {{{written}}}` there"),
            None => {
                let places: Vec<_> = member.places.iter().map(|place| place.name()).collect();
                format!("`{}` may stand in the `x-gateway` of {}", member.name, places.join(" or "))
            }
        };
        let diagnostic = if *is_extension {
            let headline = format!("the extension `{}` in {what} is not `{}` of `x-gateway`", key.name, member.name);
            Diagnostic::warning(GW102, headline).at(key.span, "not enforced by this gateway")
        } else {
            let headline = format!("`{}` stands outside of `x-gateway` in {what}", key.name);
            Diagnostic::error(GW102, headline).at(key.span, "would not be enforced: move it into `x-gateway`")
        };
        self.report(diagnostic.help(help).because_of(&*key.name, what));
    }
}
