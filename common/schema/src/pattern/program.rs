//! Trees into instructions.

use super::char_set::CharSet;
use super::error::PatternError;
use super::node::{Assertion, Node};

/// Instructions of a pattern; more are refused.
const MOST_INSTRUCTIONS: usize = 20_000;

/// What the matcher runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    pub(super) code: Vec<Instruction>,
    pub(super) classes: Vec<Class>,
    /// Rows of places that are remembered: one for each instruction that decides between ways.
    pub(super) rows: u32,
    /// It looks ahead or behind.
    pub(super) has_looks: bool,
    /// It matches at the start of a text only.
    pub(super) is_anchored: bool,
    /// What each match begins with; `""` where that is not known.
    pub(super) prefix: String,
    /// The characters that a match begins with; [`None`] where it may begin with any, or is without characters.
    pub(super) first: Option<u32>,
}

/// A step of the matcher. Numbers of instructions and classes are places in [`Program`]; the next instruction is the one
/// behind it where it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instruction {
    /// This text.
    Text(Box<str>),
    /// A character of the class.
    Class(u32),
    /// As many characters of the class.
    Exactly { class: u32, count: u32 },
    /// Any number of characters of the class.
    Star { class: u32, row: u32, takes_all: bool },
    /// So many characters of the class at most. Its ends are remembered in the row behind `row`.
    UpTo { class: u32, count: u32, row: u32, takes_all: bool },
    /// First the one way, which is the next instruction, then the other one.
    Split { row: u32, other: u32 },
    /// Go on there.
    Jump(u32),
    /// A place.
    Assert(Assertion),
    /// Whether what follows, up to its [`Instruction::Found`], is there.
    Look(Look),
    /// What is looked for is there.
    Found,
    /// The text matches.
    Match,
}

/// A look ahead or behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) behind: bool,
    pub(super) negative: bool,
    /// The row of its results, and the first one of the rows of its own instructions.
    pub(super) row: u32,
    /// The first row that is not its own.
    pub(super) rows_end: u32,
    /// What goes on where it holds.
    pub(super) then: u32,
    /// It has loops that may go round without a character. Where one is tried within itself, a place counts as failed that
    /// may lead to a match by another way.
    pub(super) has_idle_loops: bool,
}

/// A class of characters, for fast tests.
#[derive(Debug, Clone, Default)]
pub(super) struct Class {
    ascii: u128,
    /// Those that are not ASCII.
    others: Vec<(u32, u32)>,
}

impl Class {
    fn new(set: &CharSet) -> Self {
        let mut class = Self::default();
        for (first, last) in set.ranges() {
            for code in *first..=(*last).min(0x7f) {
                class.ascii |= 1 << code;
            }
            if *last > 0x7f {
                class.others.push(((*first).max(0x80), *last));
            }
        }
        class
    }

    /// Whether it has this ASCII character.
    pub(super) fn has_ascii(&self, byte: u8) -> bool {
        self.ascii >> (byte & 0x7f) & 1 == 1
    }

    /// Whether it has this character, which is not ASCII.
    pub(super) fn has_other(&self, character: char) -> bool {
        let code = u32::from(character);
        let behind = self.others.partition_point(|(first, _)| *first <= code);
        behind.checked_sub(1).and_then(|at| self.others.get(at)).is_some_and(|(_, last)| code <= *last)
    }
}

/// Makes the instructions of a pattern.
pub(super) fn compile(node: &Node) -> Result<Program, PatternError> {
    let mut compiler = Compiler { program: Program::default(), sets: Vec::new(), back: false, has_idle_loops: false };
    compiler.node(node, &CharSet::all())?;
    compiler.emit(Instruction::Match)?;
    let first = node.first(&CharSet::all(), false);
    let is_any = node.may_be_empty() || first == CharSet::all();
    let first = if is_any { None } else { Some(compiler.class(&first)) };
    let mut program = compiler.program;
    program.is_anchored = node.is_anchored();
    program.first = first;
    if let Some(Instruction::Text(text)) = program.code.first() {
        program.prefix = text.to_string();
    }
    Ok(program)
}

struct Compiler {
    program: Program,
    /// The sets of the classes, in the same order.
    sets: Vec<CharSet>,
    /// Within a look behind, which is read from its end.
    back: bool,
    has_idle_loops: bool,
}

impl Compiler {
    /// A node, behind which a character of `then` follows, or the end.
    fn node(&mut self, node: &Node, then: &CharSet) -> Result<(), PatternError> {
        match node {
            Node::Empty => Ok(()),
            Node::Set(set) => self.set(set),
            Node::Assert(assertion) => self.emit(Instruction::Assert(*assertion)),
            Node::Sequence(nodes) => self.sequence(nodes, then),
            Node::Choice(nodes) => self.choice(nodes, then),
            Node::Repeat { node, min, max } => match node.as_ref() {
                Node::Set(set) => self.run(set, *min, *max, then),
                node => self.repeat(node, *min, *max, then),
            },
            Node::Look { node, behind, negative } => self.look(node, *behind, *negative),
        }
    }

    fn set(&mut self, set: &CharSet) -> Result<(), PatternError> {
        if let Some(character) = set.single() {
            return self.emit(Instruction::Text(character.to_string().into()));
        }
        let class = self.class(set);
        self.emit(Instruction::Class(class))
    }

    fn sequence(&mut self, nodes: &[Node], then: &CharSet) -> Result<(), PatternError> {
        let in_order: Vec<&Node> = if self.back { nodes.iter().rev().collect() } else { nodes.iter().collect() };
        let mut follows = vec![then.clone()];
        for node in in_order.iter().skip(1).rev() {
            let first = follows.last().map_or_else(CharSet::all, |then| node.first(then, self.back));
            follows.push(first);
        }
        let mut text = String::new();
        for (node, then) in in_order.into_iter().zip(follows.iter().rev()) {
            if let Node::Set(set) = node
                && let Some(character) = set.single()
            {
                text.push(character);
                continue;
            }
            self.text(&mut text)?;
            self.node(node, then)?;
        }
        self.text(&mut text)
    }

    /// The characters that were collected, in reading direction.
    fn text(&mut self, text: &mut String) -> Result<(), PatternError> {
        if text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(text);
        let text = if self.back { text.chars().rev().collect() } else { text };
        self.emit(Instruction::Text(text.into()))
    }

    fn choice(&mut self, nodes: &[Node], then: &CharSet) -> Result<(), PatternError> {
        let Some((last, others)) = nodes.split_last() else { return Ok(()) };
        let mut jumps = Vec::new();
        for node in others {
            let split = self.split()?;
            self.node(node, then)?;
            jumps.push(self.here());
            self.emit(Instruction::Jump(0))?;
            self.lead(split);
        }
        self.node(last, then)?;
        jumps.into_iter().for_each(|jump| self.lead(jump));
        Ok(())
    }

    /// Characters of one class.
    fn run(&mut self, set: &CharSet, min: u32, max: Option<u32>, then: &CharSet) -> Result<(), PatternError> {
        let class = self.class(set);
        match min {
            0 => {}
            1 => self.set(set)?,
            count => self.emit(Instruction::Exactly { class, count })?,
        }
        // A shorter run would end before one of its own characters, which cannot be what follows.
        let takes_all = set.is_apart_from(then);
        match max.map(|max| max - min) {
            None => {
                let row = self.rows(1);
                self.emit(Instruction::Star { class, row, takes_all })
            }
            Some(0) => Ok(()),
            Some(count) => {
                let row = self.rows(2);
                self.emit(Instruction::UpTo { class, count, row, takes_all })
            }
        }
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, then: &CharSet) -> Result<(), PatternError> {
        let again = node.first(then, self.back);
        let then_or_again = again.union(then);
        for _ in 0..min {
            self.node(node, &then_or_again)?;
        }
        let Some(max) = max else {
            self.has_idle_loops |= node.may_be_empty();
            let start = self.here();
            let split = self.split()?;
            self.node(node, &then_or_again)?;
            self.emit(Instruction::Jump(start))?;
            self.lead(split);
            return Ok(());
        };
        let mut splits = Vec::new();
        for _ in min..max {
            splits.push(self.split()?);
            self.node(node, &then_or_again)?;
        }
        splits.into_iter().for_each(|split| self.lead(split));
        Ok(())
    }

    fn look(&mut self, node: &Node, behind: bool, negative: bool) -> Result<(), PatternError> {
        let outer = (self.back, self.has_idle_loops);
        (self.back, self.has_idle_loops) = (behind, false);
        let row = self.rows(1);
        self.program.has_looks = true;
        let at = self.program.code.len();
        self.emit(Instruction::Jump(0))?;
        self.node(node, &CharSet::all())?;
        self.emit(Instruction::Found)?;
        let has_idle_loops = self.has_idle_loops;
        let look = Look { behind, negative, row, rows_end: self.program.rows, then: self.here(), has_idle_loops };
        if let Some(instruction) = self.program.code.get_mut(at) {
            *instruction = Instruction::Look(look);
        }
        (self.back, self.has_idle_loops) = (outer.0, outer.1 || has_idle_loops);
        Ok(())
    }

    /// A split whose other way is not known yet.
    fn split(&mut self) -> Result<u32, PatternError> {
        let at = self.here();
        let row = self.rows(1);
        self.emit(Instruction::Split { row, other: 0 })?;
        Ok(at)
    }

    /// Lets a split or a jump lead to what comes next.
    fn lead(&mut self, at: u32) {
        let here = self.here();
        if let Some(Instruction::Split { other: target, .. } | Instruction::Jump(target)) =
            self.program.code.get_mut(at as usize)
        {
            *target = here;
        }
    }

    fn rows(&mut self, count: u32) -> u32 {
        let first = self.program.rows;
        self.program.rows += count;
        first
    }

    fn class(&mut self, set: &CharSet) -> u32 {
        let known = self.sets.iter().rposition(|known| known == set);
        let at = known.unwrap_or_else(|| {
            self.sets.push(set.clone());
            self.program.classes.push(Class::new(set));
            self.sets.len() - 1
        });
        at as u32
    }

    fn here(&self) -> u32 {
        self.program.code.len() as u32
    }

    fn emit(&mut self, instruction: Instruction) -> Result<(), PatternError> {
        if self.program.code.len() >= MOST_INSTRUCTIONS {
            return Err(PatternError::new(0, "is too large: its counts ask for too many copies of what they repeat"));
        }
        self.program.code.push(instruction);
        Ok(())
    }
}
