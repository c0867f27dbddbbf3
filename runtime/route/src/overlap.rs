//! Which templates share paths.

use std::collections::{HashMap, VecDeque};

use crate::ambiguity::Allowance;
use crate::matching::{Ranges, matches};
use crate::template::{Piece, Template};

/// Two routes that share paths although neither is more specific as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The index of the route that answers.
    pub first: usize,
    /// The index of the other.
    pub second: usize,
    /// A path that both match, as it stands on the wire.
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
    let (a, b) = (steps(a), steps(b));
    // Breadth first over both templates at once: the shortest path that both match.
    let mut came_from = CameFrom::new();
    let start = (0, 0, Slash::No);
    let mut queue = VecDeque::from([start]);
    while let Some(state) = queue.pop_front() {
        if (state.0, state.1) == (a.len(), b.len()) {
            return Some(spell(&came_from, state));
        }
        for (unit, next) in moves(&a, &b, state) {
            if next != start && !came_from.contains_key(&next) {
                came_from.insert(next, (state, unit));
                queue.push_back(next);
            }
        }
    }
    None
}

/// Whether `general` matches every path that `specific` does, aside from what greedy parameters do not take.
pub(crate) fn includes(general: &Template, specific: &Template) -> bool {
    // A character that stands in no literal can only be taken by a parameter, which then takes any other as well.
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
}

fn steps(template: &Template) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut allowances = template.allowances().map(|(_, allowance)| allowance);
    for piece in template.flat() {
        let Piece::Literal(text) = &piece else {
            let allowance = allowances.next().unwrap_or(Allowance::NONE);
            let parameter = Parameter { is_greedy: piece == Piece::Greedy, allowance };
            steps.extend([Step::One(parameter), Step::More(parameter)]);
            continue;
        };
        let mut at = 0;
        while at < text.len() {
            let next = crate::matching::after_unit(text, at);
            steps.push(Step::Unit(text[at..next].to_owned()));
            at = next;
        }
    }
    steps
}

/// What both templates can do next; an empty unit leaves a repetition.
fn moves(a: &[Step], b: &[Step], (at_a, at_b, before): State) -> Vec<(String, State)> {
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
    let unit = match (step_a, step_b) {
        (Step::Unit(unit), _) | (_, Step::Unit(unit)) => unit.as_str(),
        _ => "x",
    };
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
    moves
}

fn takes(step: &Step, unit: &str) -> bool {
    match step {
        Step::Unit(mine) => mine == unit,
        Step::One(parameter) | Step::More(parameter) => {
            (parameter.is_greedy || unit != "/") && parameter.allowance.takes_first(unit)
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
    let canonical = units.concat().replace('{', "%7B").replace('}', "%7D");
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
}
