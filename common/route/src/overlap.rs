//! Which templates share paths.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::ambiguity::Allowance;
use crate::matching::{Ranges, matches};
use crate::template::{Piece, Segment, Template};
use crate::value::{Filler, Value};

/// Two routes that share paths although neither is more specific as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The index of the route that answers.
    pub first: usize,
    /// The index of the other.
    pub second: usize,
    /// A path that both match, as sent on the wire.
    pub example: String,
}

/// A path that both templates match, if neither matches everything that the other does.
pub fn overlap(a: &Template, b: &Template) -> Option<String> {
    if includes(a, b) || includes(b, a) {
        return None;
    }
    common(a, b)
}

/// A path that both templates match, as it stands on the wire.
pub(crate) fn common(a: &Template, b: &Template) -> Option<String> {
    if let Some(choices) = choices((a, &|_| Value::Any), (b, &|_| Value::Any), Filler::default()) {
        let segments: Option<String> = choices.into_iter().map(|texts| Some(format!("/{}", texts.first()?))).collect();
        return segments.map(|canonical| on_the_wire(&canonical));
    }
    let (a, b) = (steps(a, &|_| Value::Any), steps(b, &|_| Value::Any));
    // Breadth first over both templates at once: the shortest path that both match.
    let mut came_from = CameFrom::new();
    let start = (0, 0, Slash::No);
    let mut queue = VecDeque::from([start]);
    while let Some(state) = queue.pop_front() {
        if (state.0, state.1) == (a.len(), b.len()) {
            return Some(spell(&came_from, state));
        }
        for (unit, next) in moves(&a, &b, state, Filler::default()) {
            if next != start && !came_from.contains_key(&next) {
                came_from.insert(next, (state, unit));
                queue.push_back(next);
            }
        }
    }
    None
}

/// A template, and the values that its parameters have, by name.
pub(crate) type Valued<'a> = (&'a Template, &'a dyn Fn(&str) -> Value);

/// Some paths that both templates match with such values, as they stand on the wire. `filler` stands where any value
/// may stand; with one that is in no literal, other templates take the path only if they take all like it.
pub(crate) fn examples(a: Valued<'_>, b: Valued<'_>, filler: Filler<'_>) -> Vec<String> {
    const MOST: usize = 8;
    let Some(choices) = choices(a, b, filler) else { return searched(a, b, filler) };
    let mut found = vec![String::new()];
    for texts in choices {
        let longer = found.iter().flat_map(|path| texts.iter().map(move |text| format!("{path}/{text}")));
        found = longer.take(MOST).collect();
    }
    found.iter().map(|canonical| on_the_wire(canonical)).collect()
}

/// What may stand in each segment of a path that both match; nothing if a segment is more than a literal or a parameter.
fn choices<'a>(a: Valued<'a>, b: Valued<'a>, filler: Filler<'a>) -> Option<Vec<Vec<&'a str>>> {
    let is_whole = |segment: &Segment| matches!(segment, Segment::Literal(_) | Segment::Parameter);
    if !a.0.segments().iter().chain(b.0.segments()).all(is_whole) {
        return None;
    }
    let (mut of_a, mut of_b) = (parameters(a), parameters(b));
    if a.0.segments().len() != b.0.segments().len() {
        return Some(vec![Vec::new()]);
    }
    let mut choices = Vec::new();
    for pair in a.0.segments().iter().zip(b.0.segments()) {
        let next = |segment: &Segment, of: &mut dyn Iterator<Item = Parameter>| {
            matches!(segment, Segment::Parameter).then(|| of.next()).flatten()
        };
        let (one, other) = (next(pair.0, &mut of_a), next(pair.1, &mut of_b));
        let fits = |text: &&str| {
            let takes = |it: Parameter| !text.is_empty() && it.allowance.takes(text) && it.value.may_be(text);
            one.is_none_or(takes) && other.is_none_or(takes)
        };
        let texts: Vec<&str> = match pair {
            (Segment::Literal(text), Segment::Literal(other)) => {
                (text == other).then_some(text.as_str()).into_iter().collect()
            }
            (Segment::Literal(text), _) | (_, Segment::Literal(text)) => {
                Some(text.as_str()).filter(fits).into_iter().collect()
            }
            _ => {
                let mut texts: Vec<&str> =
                    [filler.text, filler.digits, "true", "false"].into_iter().filter(fits).collect();
                // Of the values that are like each other, one is enough.
                if texts.first().is_some_and(|first| *first != "true") {
                    texts.truncate(1);
                }
                texts
            }
        };
        choices.push(texts);
        // There is nothing.
        if choices.last().is_some_and(Vec::is_empty) {
            break;
        }
    }
    Some(choices)
}

/// The same for templates with patterns or greedy parameters, the shortest paths first.
fn searched(a: Valued<'_>, b: Valued<'_>, filler: Filler<'_>) -> Vec<String> {
    const MOST: usize = 6;
    const EACH: usize = 4;
    let mut found = BTreeSet::new();
    let mut ordered = Vec::new();
    let variants = |of: Valued<'_>| -> Vec<Vec<Step>> {
        let booleans = parameters(of).filter(|parameter| parameter.value == Value::Boolean).count();
        if booleans == 0 {
            return vec![steps(of.0, of.1)];
        }
        ["true", "false"].iter().map(|text| steps_with(of.0, of.1, text)).collect()
    };
    let (of_a, of_b) = (variants(a), variants(b));
    for (a, b) in of_a.iter().flat_map(|a| of_b.iter().map(move |b| (a, b))) {
        let mut reached: Vec<(State, usize, String)> = vec![((0, 0, Slash::No), 0, String::new())];
        let (mut times, mut next) = (HashMap::<State, usize>::new(), 0);
        while next < reached.len() && ordered.len() < MOST {
            let state = reached[next].0;
            if (state.0, state.1) == (a.len(), b.len()) {
                let (mut units, mut at) = (Vec::new(), next);
                while at != 0 {
                    units.push(reached[at].2.as_str());
                    at = reached[at].1;
                }
                units.reverse();
                let path = on_the_wire(&units.concat());
                if found.insert(path.clone()) {
                    ordered.push(path);
                }
            }
            for (unit, to) in moves(a, b, state, filler) {
                let times = times.entry(to).or_default();
                *times += 1;
                if *times <= EACH {
                    reached.push((to, next, unit));
                }
            }
            next += 1;
        }
    }
    ordered
}

/// Whether `general` matches every path that `specific` does, aside from what greedy parameters do not take.
pub(crate) fn includes(general: &Template, specific: &Template) -> bool {
    // A character that is in no literal can only be taken by a parameter, which then takes any other as well.
    let probes: &[&str] =
        if specific.is_greedy() { &["\u{F8FF}", "\u{F8FF}/\u{F8FF}/\u{F8FF}"] } else { &["\u{F8FF}"] };
    probes.iter().all(|probe| {
        let path: String = specific
            .flat()
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.as_str(),
                Piece::Parameter => "\u{F8FF}",
                Piece::Greedy => probe,
            })
            .collect();
        matches(general, &path, &mut Ranges::default())
    })
}

/// How far both templates have been followed, and what the last character was.
type State = (usize, usize, Slash);

/// A greedy parameter takes no `/` beside another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slash {
    No,
    Yes,
    Greedy,
}

/// The state before each state, and the character between them.
type CameFrom = HashMap<State, (State, String)>;

/// One character of a template; a parameter is one step that must and one that may be repeated.
#[derive(Debug, PartialEq)]
enum Step {
    Unit(String),
    One(Parameter),
    More(Parameter),
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Parameter {
    is_greedy: bool,
    allowance: Allowance,
    value: Value,
}

/// The parameters of a template from left to right; whether they are greedy is not said.
fn parameters(of: Valued<'_>) -> impl Iterator<Item = Parameter> {
    let (template, values) = of;
    let all = template.allowances();
    all.map(|(name, allowance)| Parameter { is_greedy: false, allowance, value: values(name) })
}

fn steps(template: &Template, values: &dyn Fn(&str) -> Value) -> Vec<Step> {
    steps_with(template, values, "true")
}

/// `boolean` is the value of the parameters that are one.
fn steps_with(template: &Template, values: &dyn Fn(&str) -> Value, boolean: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut known = parameters((template, values));
    let literal = |steps: &mut Vec<Step>, text: &str| {
        let mut at = 0;
        while at < text.len() {
            let next = crate::matching::after_unit(text, at);
            steps.push(Step::Unit(text[at..next].to_owned()));
            at = next;
        }
    };
    for piece in template.flat() {
        if let Piece::Literal(text) = &piece {
            literal(&mut steps, text);
            continue;
        }
        let Some(parameter) = known.next() else { continue };
        if parameter.value == Value::Boolean {
            literal(&mut steps, boolean);
            continue;
        }
        let parameter = Parameter { is_greedy: piece == Piece::Greedy, ..parameter };
        steps.extend([Step::One(parameter), Step::More(parameter)]);
    }
    steps
}

/// What both templates can do next; an empty unit leaves a repetition.
fn moves(a: &[Step], b: &[Step], (at_a, at_b, before): State, filler: Filler<'_>) -> Vec<(String, State)> {
    let mut moves = Vec::new();
    if let Some(Step::More(_)) = a.get(at_a) {
        moves.push((String::new(), (at_a + 1, at_b, before)));
    }
    if let Some(Step::More(_)) = b.get(at_b) {
        moves.push((String::new(), (at_a, at_b + 1, before)));
    }
    let (Some(step_a), Some(step_b)) = (a.get(at_a), b.get(at_b)) else {
        return moves;
    };
    let are_greedy = is_greedy(step_a) && is_greedy(step_b);
    let units = match (step_a, step_b) {
        (Step::Unit(unit), _) | (_, Step::Unit(unit)) => [Some(unit.as_str()), None, None],
        _ if takes(step_a, filler.text) && takes(step_b, filler.text) => {
            [Some(filler.text), None, are_greedy.then_some("/")]
        }
        _ => [None, Some(filler.digits), None],
    };
    for unit in units.into_iter().flatten() {
        let slash = match (unit, is_greedy(step_a) || is_greedy(step_b)) {
            ("/", true) => Slash::Greedy,
            ("/", false) => Slash::Yes,
            _ => Slash::No,
        };
        let beside = before != Slash::No && slash != Slash::No && (before, slash) != (Slash::Yes, Slash::Yes);
        if takes(step_a, unit) && takes(step_b, unit) && !beside {
            let next = |at: usize, step: &Step| {
                if matches!(step, Step::More(_)) { at } else { at + 1 }
            };
            moves.push((unit.to_owned(), (next(at_a, step_a), next(at_b, step_b), slash)));
        }
    }
    moves
}

fn takes(step: &Step, unit: &str) -> bool {
    match step {
        Step::Unit(mine) => mine == unit,
        Step::One(parameter) | Step::More(parameter) => {
            (parameter.is_greedy || unit != "/")
                && parameter.allowance.takes_first(unit)
                && parameter.value.may_have(unit)
        }
    }
}

fn is_greedy(step: &Step) -> bool {
    matches!(step, Step::One(parameter) | Step::More(parameter) if parameter.is_greedy)
}

fn spell(came_from: &CameFrom, end: State) -> String {
    let mut units = Vec::new();
    let mut state = end;
    while let Some((before, unit)) = came_from.get(&state) {
        units.push(unit.as_str());
        state = *before;
    }
    units.reverse();
    on_the_wire(&units.concat())
}

fn on_the_wire(canonical: &str) -> String {
    if canonical.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"/-._~".contains(&octet)) {
        return canonical.to_owned();
    }
    let canonical = canonical.replace('{', "%7B").replace('}', "%7D");
    Template::parse(&canonical.replace('?', "%3F").replace('#', "%23")).map_or(canonical, |path| path.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    #[test]
    fn finds_the_path_that_both_match() {
        let cases = [
            ("/amb/{p}/history", "/amb/autoscale/{q}", Some("/amb/autoscale/history")),
            ("/p{a}", "/{b}s", Some("/ps")),
            ("/x/{a}-v1", "/x/v-{b}", Some("/x/v-v1")),
            ("/{a}.json", "/{b}.xml", None),
            ("/{a}", "/b", None),
            ("/{a}.json", "/{b}.min.json", None),
            ("/{a}/b", "/{b}/b", None),
            ("/{a}/b", "/{b}/c", None),
            ("/a/{+rest}", "/{x}/b", Some("/a/b")),
            ("/a/{+rest}", "/a/{x}/b", None),
            ("/a/{+rest}", "/a/b/c", None),
            ("/{+a}/x", "/y/{+b}", Some("/y/x")),
            ("/{+a}/x", "/y;z/{b}", None),
            ("/{+a}", "/y//{b}", None),
            ("/{+a}/x", "/y//{+b}", None),
            ("/a{+rest}", "/a//b", None),
        ];
        for (a, b, expected) in cases {
            let (a, b) = (template(a), template(b));
            let found = overlap(&a, &b);
            if let Some(example) = &found {
                for side in [&a, &b] {
                    assert!(matches(side, example, &mut Ranges::default()), "{side} {example}");
                }
            }
            assert_eq!(found.as_deref().map(str::len), expected.map(str::len), "{a} {b} {found:?}");
        }
    }

    #[test]
    fn examples_have_values_that_fit() {
        use Value::{Any, Boolean, Integer, Number};
        let cases: &[(&str, Value, &str, Value, &[&str])] = &[
            ("/a/{n}", Integer, "/a/me", Any, &[]),
            ("/a/{n}", Integer, "/a/-7", Any, &["/a/-7"]),
            ("/a/{n}", Integer, "/{x}/{y}", Any, &["/a/9"]),
            ("/{n}", Number, "/1.5", Any, &["/1.5"]),
            ("/{n}", Number, "/inf", Any, &[]),
            ("/{b}/x", Boolean, "/{x}/{y}", Any, &["/true/x", "/false/x"]),
            ("/{b}", Boolean, "/{n}", Integer, &[]),
            ("/{n}.json", Integer, "/{x}.json", Any, &["/9.json"]),
            ("/{n}/{+rest}", Integer, "/{b}/x", Boolean, &[]),
            ("/{b}/{+rest}", Boolean, "/{x}/y", Any, &["/true/y", "/false/y"]),
            ("/{+a}", Any, "/{+b}/end", Any, &["/new/end", "/new/new/end"]),
            ("/{a}.json", Any, "/x{b}", Any, &["/x.json", "/xnew.json"]),
            ("/{a}/b", Any, "/{a}", Any, &[]),
        ];
        let filler = Filler { text: "new", digits: "9" };
        for (a, of_a, b, of_b, expected) in cases {
            let (one, other) = (template(a), template(b));
            let of = |kind: Value| move |name: &str| if name == "rest" { Any } else { kind };
            let found = examples((&one, &of(*of_a)), (&other, &of(*of_b)), filler);
            let is_right = if expected.is_empty() {
                found.is_empty()
            } else {
                expected.iter().all(|path| found.iter().any(|found| found == path))
            };
            assert!(is_right, "{a} {b}: {found:?}");
        }
    }
}
