//! `split` and `mirror`: which requests go to another upstream, and which are copied to one.

use gateway_terms::share::Share;
use gateway_terms::token::is_token;
use gateway_yaml::{Entry, Node, Span};

use crate::diagnostic::{Diagnostic, GW101, GW104, GW533};
use crate::ir::{HashKey, IdentityHeaders};
use crate::units;
use crate::vocabulary::balance::hash_keys;
use crate::vocabulary::headers::canonical;
use crate::vocabulary::literals;
use crate::vocabulary::reader::{Place, Reader};
use crate::vocabulary::upstream::{UpstreamChoice, upstream_choice};

/// `split`.
#[derive(Debug, Clone)]
pub struct SplitPolicy {
    /// In the order of the document; none for `off`.
    pub entries: Vec<SplitEntryPolicy>,
    /// The key.
    pub at: Span,
    /// It is inherited where another `upstream` stands than where it does.
    pub is_elsewhere: bool,
}

/// An entry of `split`.
#[derive(Debug, Clone)]
pub struct SplitEntryPolicy {
    /// `upstream`.
    pub upstream: UpstreamChoice,
    /// `weight`; nothing for an entry that only `when` chooses.
    pub weight: Option<Share>,
    /// `when.header`: names and values, all of which a request must have.
    pub when: Vec<(String, String)>,
    /// `by`; empty for a choice by chance.
    pub by: Vec<HashKey>,
    /// Its place.
    pub span: Span,
}

/// `mirror`.
#[derive(Debug, Clone)]
pub struct MirrorPolicy {
    /// `upstream`.
    pub upstream: UpstreamChoice,
    /// `share`.
    pub share: Share,
    /// `credentials`.
    pub credentials: bool,
    /// The key.
    pub at: Span,
}

/// `split`; nothing where it cannot be read, which has been reported.
pub(super) fn split(reader: &mut Reader<'_>, at: Span, node: &Node, identity: &IdentityHeaders) -> Option<SplitPolicy> {
    if node.is_off() {
        return Some(SplitPolicy { entries: Vec::new(), at, is_elsewhere: false });
    }
    let items = reader.list(node, "`split`");
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.wrong(node, "`split`", "expected one entry or more; `off` ends an inherited one");
    }
    let entries: Vec<SplitEntryPolicy> = items.iter().filter_map(|item| entry(reader, item, identity)).collect();
    if entries.is_empty() || entries.len() < items.len() {
        return None;
    }
    check_shares(reader, node, &entries);
    check_conditions(reader, &entries);
    Some(SplitPolicy { entries, at, is_elsewhere: false })
}

fn entry(reader: &mut Reader<'_>, node: &Node, identity: &IdentityHeaders) -> Option<SplitEntryPolicy> {
    const KNOWN: [&str; 4] = ["upstream", "weight", "when", "by"];
    let entries = reader.known(node, "an entry of `split`", &KNOWN);
    let is_there = |name: &str| entries.iter().any(|entry| &*entry.key.name == name);
    let (has_weight, has_when, has_by) = (is_there("weight"), is_there("when"), is_there("by"));
    let (mut upstream, mut weight, mut when, mut by) = (None, None, Vec::new(), Vec::new());
    for Entry { key, value } in entries {
        match &*key.name {
            "upstream" => upstream = Some(upstream_choice(reader, value, Place::Operation)),
            "weight" => weight = reader.unit(value, "`weight`", units::share),
            "when" => when = condition(reader, value, identity),
            _ => by = hash_keys(reader, value, "`by`"),
        }
    }
    if node.as_mapping().is_none() || Reader::has_unknown(node, &KNOWN) {
        return None;
    }
    let mut whole = true;
    if upstream.is_none() {
        reader.report(
            Diagnostic::error(GW104, "an entry of `split` says no `upstream`")
                .at(node.span, "where should these requests go?")
                .help("write `{upstream: name, weight: 5%}`, with a name under `upstreams` at the root"),
        );
    }
    if !has_weight && !has_when {
        whole = false;
        reader.report(
            Diagnostic::error(GW533, "an entry of `split` takes no requests")
                .at(node.span, "it has neither `weight` nor `when`")
                .help("write `weight: 5%` for a share of the requests, or `when: {header: {X-Canary: \"1\"}}`"),
        );
    }
    if has_by && !has_weight {
        whole = false;
        reader.report(
            Diagnostic::error(GW533, "`by` of an entry of `split` chooses nothing")
                .at(node.span, "without `weight`, only `when` decides")
                .help("write a `weight`, or remove `by`"),
        );
    }
    let is_read = whole && weight.is_some() == has_weight && when.is_empty() != has_when && by.is_empty() != has_by;
    upstream.filter(|_| is_read).map(|upstream| SplitEntryPolicy { upstream, weight, when, by, span: node.span })
}

/// `when`: the header fields that a request must have, with their values.
fn condition(reader: &mut Reader<'_>, node: &Node, identity: &IdentityHeaders) -> Vec<(String, String)> {
    let entries = reader.known(node, "`when`", &["header"]);
    if entries.is_empty() && node.as_mapping().is_some() && !Reader::has_unknown(node, &["header"]) {
        reader.wrong(node, "`when`", "expected `{header: {X-Canary: \"1\"}}`");
    }
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut whole = true;
    for entry in entries {
        let members = reader.mapping(&entry.value, "`header`");
        if members.is_empty() && entry.value.as_mapping().is_some() {
            reader.wrong(&entry.value, "`header`", "expected a name and a value, such as `X-Canary: \"1\"`");
        }
        for Entry { key, value } in members {
            let read = field(reader, key.span, &key.name, value, identity);
            let is_twice = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(&key.name));
            if is_twice {
                let headline = format!("`{}` stands twice in `when`", key.name);
                let diagnostic = Diagnostic::error(GW533, headline);
                reader.report(diagnostic.at(key.span, "letter case does not tell headers apart"));
            }
            whole &= read.is_some() && !is_twice;
            fields.extend(read);
        }
    }
    fields.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    if whole { fields } else { Vec::new() }
}

/// A header field that a request must have; nothing where that cannot be, which is reported.
fn field(
    reader: &mut Reader<'_>,
    at: Span,
    name: &str,
    value: &Node,
    identity: &IdentityHeaders,
) -> Option<(String, String)> {
    let IdentityHeaders { consumer, credential, custom_id, client, user } = identity;
    let is_identity =
        [consumer, credential, custom_id, client, user].iter().any(|other| canonical(other) == canonical(name));
    if !is_token(name.as_bytes()) || is_identity {
        let why = if is_identity {
            "tells the upstream who calls, and is never taken from clients"
        } else {
            "no header can be called that"
        };
        let headline = format!("`when` cannot ask for the header `{}`", name.escape_debug());
        reader.report(Diagnostic::error(GW533, headline).at(at, why));
        return None;
    }
    let is_value =
        |text: &&str| !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == *text;
    let Some(text) = value.as_text().filter(is_value) else {
        reader.wrong(value, &format!("the value of `{name}`"), "expected visible ASCII, such as `\"1\"`");
        return None;
    };
    if ["authorization", "cookie"].contains(&&*canonical(name)) || literals::secret_in_header(name, text).is_some() {
        reader.report(
            Diagnostic::error(GW101, format!("the credential in `{name}` is written out"))
                .at(value.span, "anyone who can read the document can use it")
                .help("choose by a header that is no credential, or by a share of the consumers: `by: [consumer]`"),
        );
        return None;
    }
    Some((name.to_owned(), text.to_owned()))
}

/// Weights are parts of all requests, each upstream has one, and one of them is something.
fn check_shares(reader: &mut Reader<'_>, node: &Node, entries: &[SplitEntryPolicy]) {
    let sum: u32 = entries.iter().filter_map(|entry| entry.weight).map(|weight| u32::from(weight.0)).sum();
    if sum > u32::from(Share::ALL.0) {
        let hundredths = if sum.is_multiple_of(100) { String::new() } else { format!(".{:02}", sum % 100) };
        reader.report(
            Diagnostic::error(GW533, format!("the weights of `split` are {}{hundredths}% together", sum / 100))
                .at(node.span, "more than all requests")
                .help("weights are shares of all requests; what they leave stays with the operation's own upstream"),
        );
    }
    if sum == 0 && entries.iter().all(|entry| entry.when.is_empty()) {
        reader.report(
            Diagnostic::error(GW533, "`split` sends no request anywhere")
                .at(node.span, "its weights are nothing")
                .help("write a `weight` of more than `0%`, or `split: off`"),
        );
    }
    let weighted: Vec<&SplitEntryPolicy> = entries.iter().filter(|entry| entry.weight.is_some()).collect();
    for (index, entry) in weighted.iter().enumerate() {
        let UpstreamChoice::Named(name) = &entry.upstream else { continue };
        let is_same = |other: &&&SplitEntryPolicy| matches!(&other.upstream, UpstreamChoice::Named(known) if known.value == name.value);
        if let Some(first) = weighted[..index].iter().find(is_same) {
            reader.report(
                Diagnostic::error(GW533, format!("`{}` has two weights in one `split`", name.value))
                    .at(entry.span, "the second")
                    .also(first.span, "the first")
                    .help("write one entry with the sum of both"),
            );
        }
    }
}

/// Of entries with `when`, the first that holds decides.
fn check_conditions(reader: &mut Reader<'_>, entries: &[SplitEntryPolicy]) {
    let conditional: Vec<&SplitEntryPolicy> = entries.iter().filter(|entry| !entry.when.is_empty()).collect();
    for (index, entry) in conditional.iter().enumerate() {
        let asks = |(name, value): &(String, String)| {
            entry.when.iter().any(|(known, wanted)| known.eq_ignore_ascii_case(name) && wanted == value)
        };
        if let Some(first) = conditional[..index].iter().find(|other| other.when.iter().all(asks)) {
            reader.report(
                Diagnostic::error(GW533, "`when` of this entry never decides")
                    .at(entry.span, "each such request has been taken before")
                    .also(first.span, "by this entry")
                    .help("put the entry that asks for more first"),
            );
        }
    }
}

/// `mirror`; `Some(None)` for `off`, nothing where it cannot be read, which has been reported.
pub(super) fn mirror(reader: &mut Reader<'_>, at: Span, node: &Node) -> Option<Option<MirrorPolicy>> {
    const KNOWN: [&str; 3] = ["upstream", "share", "credentials"];
    if node.is_off() {
        return Some(None);
    }
    let (mut upstream, mut share, mut credentials) = (None, Share::ALL, false);
    for Entry { key, value } in reader.known(node, "`mirror`", &KNOWN) {
        match &*key.name {
            "upstream" => upstream = Some(upstream_choice(reader, value, Place::Operation)),
            "share" => match reader.unit(value, "`share`", units::share) {
                Some(Share::NOTHING) => {
                    reader.wrong(value, "`share`", "expected more than nothing; `mirror: off` copies no request");
                }
                Some(read) => share = read,
                None => {}
            },
            _ => credentials = reader.boolean(value, "`credentials`").unwrap_or_default(),
        }
    }
    if upstream.is_none() && node.as_mapping().is_some() && !Reader::has_unknown(node, &KNOWN) {
        reader.report(
            Diagnostic::error(GW104, "`mirror` says no `upstream`")
                .at(node.span, "where should copies go?")
                .help("write `mirror: {upstream: name, share: 1%}`, with a name under `upstreams` at the root"),
        );
    }
    upstream.map(|upstream| Some(MirrorPolicy { upstream, share, credentials, at }))
}
