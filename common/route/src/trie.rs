//! Templates without greedy parameters, segment by segment: what has to be asked about more than one shape.

use std::collections::HashMap;

use crate::matching::{Ranges, matches_segment};
use crate::template::{Piece, Segment, Template};

/// A node for every distinct beginning of a template.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, usize>,
    /// Most specific first.
    patterns: Vec<(Segment, usize)>,
    parameter: Option<usize>,
    /// Routes that end here, those with more query conditions first.
    routes: Vec<usize>,
}

/// The shape of a path: `None` where any non-empty segment may stand.
pub(crate) type Shape<'a> = [Option<&'a str>];

impl Trie {
    /// `routes` come most specific first.
    pub(crate) fn new<'a>(routes: impl Iterator<Item = (usize, &'a Template)>) -> Self {
        let mut trie = Self { nodes: vec![Node::default()] };
        for (route, template) in routes {
            let mut at = 0;
            for segment in template.segments() {
                at = trie.child(at, segment);
            }
            trie.nodes[at].routes.push(route);
        }
        trie
    }

    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let new = self.nodes.len();
        let node = &mut self.nodes[at];
        let child = match segment {
            Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(new),
            Segment::Parameter => *node.parameter.get_or_insert(new),
            // Routes come in order, so an equal pattern is the last one.
            Segment::Pattern(_) | Segment::Greedy(_) => match node.patterns.last() {
                Some((last, child)) if last == segment => *child,
                _ => {
                    node.patterns.push((segment.clone(), new));
                    new
                }
            },
        };
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Calls `visit` for every route whose template matches the canonical path, most specific first, until it returns
    /// something.
    pub(crate) fn find<Found>(&self, path: &str, visit: &mut dyn FnMut(usize) -> Option<Found>) -> Option<Found> {
        let segments: Vec<&str> = path.get(1..)?.split('/').collect();
        self.find_from(0, &segments, visit)
    }

    fn find_from<Found>(
        &self,
        at: usize,
        rest: &[&str],
        visit: &mut dyn FnMut(usize) -> Option<Found>,
    ) -> Option<Found> {
        let node = &self.nodes[at];
        let Some((&text, rest)) = rest.split_first() else {
            return node.routes.iter().find_map(|&route| visit(route));
        };
        if let Some(&child) = node.literals.get(text)
            && let Some(found) = self.find_from(child, rest, visit)
        {
            return Some(found);
        }
        for (pattern, child) in &node.patterns {
            if matches_segment(pattern, text, 0, &mut Ranges::default())
                && let Some(found) = self.find_from(*child, rest, visit)
            {
                return Some(found);
            }
        }
        let child = node.parameter.filter(|_| !text.is_empty())?;
        self.find_from(child, rest, visit)
    }

    /// Every route that can match a path of this shape for which no shape with a literal further to the left exists,
    /// most specific first, up to the first that `always` says matches all of them. `None`: more than `budget` nodes.
    pub(crate) fn candidates(
        &self,
        shape: &Shape<'_>,
        always: &dyn Fn(usize) -> bool,
        budget: usize,
    ) -> Option<Vec<usize>> {
        let mut search = Candidates { trie: self, shape, always, budget, routes: Vec::new() };
        search.from(0, 0, Standing { behind: false, certain: true }).ok()?;
        Some(search.routes)
    }

    /// Every route whose segments can meet the template's, in no order of importance; `budget` counts nodes.
    pub(crate) fn neighbours(&self, template: &Template, budget: &mut usize) -> Vec<usize> {
        let mut found = Vec::new();
        self.neighbours_from(0, template.segments(), budget, &mut found);
        found
    }

    fn neighbours_from(&self, at: usize, rest: &[Segment], budget: &mut usize, found: &mut Vec<usize>) {
        let Some(left) = budget.checked_sub(1) else {
            return;
        };
        *budget = left;
        let node = &self.nodes[at];
        let Some((segment, rest)) = rest.split_first() else {
            found.extend_from_slice(&node.routes);
            return;
        };
        if let Segment::Literal(text) = segment {
            if let Some(&child) = node.literals.get(text) {
                self.neighbours_from(child, rest, budget, found);
            }
        } else if let Some(left) = budget.checked_sub(node.literals.len()) {
            *budget = left;
            let mut literals: Vec<_> = node
                .literals
                .iter()
                .filter(|(text, _)| matches_segment(segment, text, 0, &mut Ranges::default()))
                .collect();
            literals.sort_unstable();
            for (_, &child) in literals {
                self.neighbours_from(child, rest, budget, found);
            }
        }
        for (pattern, child) in &node.patterns {
            let Some(left) = budget.checked_sub(1) else {
                return;
            };
            *budget = left;
            if may_meet(segment, pattern) {
                self.neighbours_from(*child, rest, budget, found);
            }
        }
        if let Some(child) = node.parameter
            && !matches!(segment, Segment::Literal(text) if text.is_empty())
        {
            self.neighbours_from(child, rest, budget, found);
        }
    }
}

/// Whether some text may match a segment and a pattern: their fixed beginnings and ends agree.
fn may_meet(segment: &Segment, pattern: &Segment) -> bool {
    if let Segment::Literal(text) = segment {
        return matches_segment(pattern, text, 0, &mut Ranges::default());
    }
    let ends = |segment: &Segment| {
        let literal = |piece: Option<&Piece>| {
            if let Some(Piece::Literal(text)) = piece { text.clone() } else { String::new() }
        };
        let pieces = segment.pieces();
        (literal(pieces.first()), literal(pieces.last()))
    };
    let ((start, end), (other_start, other_end)) = (ends(segment), ends(pattern));
    (start.starts_with(&other_start) || other_start.starts_with(&start))
        && (end.ends_with(&other_end) || other_end.ends_with(&end))
}

struct Candidates<'a> {
    trie: &'a Trie,
    shape: &'a Shape<'a>,
    always: &'a dyn Fn(usize) -> bool,
    budget: usize,
    routes: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Standing {
    /// A parameter was taken where the shape has a literal: from here on, literals are no longer ahead of the shape.
    behind: bool,
    /// Every path of the shape has matched so far.
    certain: bool,
}

struct OutOfBudget;

impl Candidates<'_> {
    /// Whether the list is complete: a route was found that always matches.
    fn from(&mut self, at: usize, depth: usize, standing: Standing) -> Result<bool, OutOfBudget> {
        self.budget = self.budget.checked_sub(1).ok_or(OutOfBudget)?;
        let trie = self.trie;
        let node = &trie.nodes[at];
        let Some(segment) = self.shape.get(depth) else {
            for &route in &node.routes {
                self.routes.push(route);
                if standing.certain && (self.always)(route) {
                    return Ok(true);
                }
            }
            return Ok(false);
        };
        match segment {
            Some(text) => {
                let behind = Standing { behind: true, ..standing };
                if let Some(&child) = node.literals.get(*text)
                    && self.from(child, depth + 1, standing)?
                {
                    return Ok(true);
                }
                for (pattern, child) in &node.patterns {
                    if matches_segment(pattern, text, 0, &mut Ranges::default())
                        && self.from(*child, depth + 1, behind)?
                    {
                        return Ok(true);
                    }
                }
                match node.parameter {
                    Some(child) if !text.is_empty() => self.from(child, depth + 1, behind),
                    _ => Ok(false),
                }
            }
            None => {
                let unsure = Standing { certain: false, ..standing };
                if standing.behind {
                    for &child in node.literals.values() {
                        self.from(child, depth + 1, unsure)?;
                    }
                }
                for (_, child) in &node.patterns {
                    self.from(*child, depth + 1, unsure)?;
                }
                node.parameter.map_or(Ok(false), |child| self.from(child, depth + 1, standing))
            }
        }
    }
}
