//! The matcher: it tries one way after the other, and none twice at the same place.
//!
//! Nothing is captured, so that what an instruction leads to depends on the place alone: a place that failed has failed for
//! good, and the work is bounded by the number of instructions times the length of the text.

use super::bits::Bits;
use super::node::Assertion;
use super::program::{Class, Instruction, Look, Program};
use super::stack::{Job, Marks, Stack};

/// Whether a text matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The pattern matches somewhere in the text.
    Matches,
    /// It matches nowhere.
    Differs,
    /// To tell would take more than the bounded number of steps.
    TooLong,
}

/// Steps that any text may take.
const STEPS: u64 = 50_000;

/// More steps for each byte of the text.
const STEPS_PER_BYTE: u64 = 32;

/// Characters of a run that count as a step.
const RUN_PER_STEP: u64 = 8;

/// Places whose bits are looked at together that count as a step.
const PLACES_PER_STEP: u64 = 256;

/// Places that are remembered at most: 8 MiB of bits.
const MOST_PLACES: usize = 1 << 26;

/// Whether the text matches anywhere, and the steps that it took to tell.
pub(super) fn find(program: &Program, text: &str) -> (Outcome, u64) {
    let width = text.len() + 1;
    let Some(places) = width.checked_mul(program.rows as usize).filter(|places| *places <= MOST_PLACES) else {
        return (Outcome::TooLong, 0);
    };
    let most_steps = STEPS + STEPS_PER_BYTE * text.len() as u64;
    let mut matcher = Matcher {
        program,
        text,
        bytes: text.as_bytes(),
        width,
        seen: Bits::new(places),
        led_on: Bits::new(if program.has_looks { places } else { 0 }),
        stack: Stack::new(),
        way: Vec::new(),
        looks: 0,
        back: false,
        steps: most_steps,
    };
    let outcome = matcher.search().unwrap_or(Outcome::TooLong);
    (outcome, most_steps - matcher.steps + places as u64 / PLACES_PER_STEP)
}

struct Matcher<'m> {
    program: &'m Program,
    text: &'m str,
    bytes: &'m [u8],
    /// Places of a row: before each byte, and at the end.
    width: usize,
    /// Where an instruction was tried.
    seen: Bits,
    /// Where an instruction of a look led to what is looked for.
    led_on: Bits,
    stack: Stack,
    /// Within looks: the places that led to this one.
    way: Vec<Marks>,
    /// Looks in each other that are being tried.
    looks: usize,
    /// Reading backwards, in a look behind.
    back: bool,
    steps: u64,
}

/// The steps are used up.
struct TooLong;

/// What comes of a step.
enum Next {
    Go(usize, usize),
    Fail,
    Found,
    Match,
}

/// What is known about an instruction at a place.
enum Known {
    New,
    Failed,
    LedOn,
}

impl Matcher<'_> {
    fn search(&mut self) -> Result<Outcome, TooLong> {
        let (program, text) = (self.program, self.text);
        if program.is_anchored {
            return Ok(if self.attempt(0)? { Outcome::Matches } else { Outcome::Differs });
        }
        let first = program.first.and_then(|class| program.classes.get(class as usize));
        let mut start = 0;
        loop {
            let rest = text.get(start..).unwrap_or_default();
            let skipped = if !program.prefix.is_empty() {
                rest.find(program.prefix.as_str())
            } else if let Some(first) = first {
                rest.char_indices().find(|(_, character)| has(first, *character)).map(|(at, _)| at)
            } else {
                Some(0)
            };
            let Some(skipped) = skipped else { return Ok(Outcome::Differs) };
            start += skipped;
            if self.attempt(start)? {
                return Ok(Outcome::Matches);
            }
            match text.get(start..).and_then(|rest| rest.chars().next()) {
                Some(character) => start += character.len_utf8(),
                None => return Ok(Outcome::Differs),
            }
        }
    }

    /// Whether the text matches from here.
    fn attempt(&mut self, start: usize) -> Result<bool, TooLong> {
        let mut next = Next::Go(0, start);
        loop {
            next = match next {
                Next::Go(pc, at) => {
                    self.spend(1)?;
                    self.step(pc, at)?
                }
                Next::Match => return Ok(true),
                Next::Found => self.found(),
                Next::Fail => match self.stack.pop() {
                    Some(job) => {
                        self.spend(1)?;
                        self.resume(job)?
                    }
                    None => return Ok(false),
                },
            };
        }
    }

    fn spend(&mut self, steps: u64) -> Result<(), TooLong> {
        self.steps = self.steps.checked_sub(steps).ok_or(TooLong)?;
        Ok(())
    }

    fn step(&mut self, pc: usize, at: usize) -> Result<Next, TooLong> {
        let program = self.program;
        let Some(instruction) = program.code.get(pc) else { return Ok(Next::Fail) };
        let go = |at: Option<usize>| at.map_or(Next::Fail, |at| Next::Go(pc + 1, at));
        Ok(match instruction {
            Instruction::Text(text) => go(self.after_text(text, at)),
            Instruction::Class(class) => go(self.class(*class).and_then(|class| self.after(class, at))),
            Instruction::Exactly { class, count } => {
                let (end, found) = self.run(*class, at, *count)?;
                go((found == *count).then_some(end))
            }
            Instruction::Star { class, row, takes_all } => self.star(pc, *class, *row, *takes_all, at)?,
            Instruction::UpTo { class, count, row, takes_all } => match self.enter(*row, at) {
                Known::Failed => Next::Fail,
                Known::LedOn => Next::Found,
                Known::New => {
                    let (end, _) = self.run(*class, at, *count)?;
                    if *takes_all {
                        self.mark(Marks { row: *row, from: at, to: at });
                        Next::Go(pc + 1, end)
                    } else {
                        let way = self.way.len();
                        self.resume(Job::Ends { pc: pc + 1, row: *row, is_marked: true, from: at, at: end, way })?
                    }
                }
            },
            Instruction::Split { row, other } => match self.enter(*row, at) {
                Known::Failed => Next::Fail,
                Known::LedOn => Next::Found,
                Known::New => {
                    self.mark(Marks { row: *row, from: at, to: at });
                    self.stack.push(Job::Try { pc: *other as usize, at, way: self.way.len() });
                    Next::Go(pc + 1, at)
                }
            },
            Instruction::Jump(target) => Next::Go(*target as usize, at),
            Instruction::Assert(assertion) => go(self.holds(*assertion, at).then_some(at)),
            Instruction::Look(look) => match self.enter(look.row, at) {
                Known::New => {
                    self.stack.push(Job::Look { look: *look, at, way: self.way.len(), back: self.back });
                    self.looks += 1;
                    self.back = look.behind;
                    Next::Go(pc + 1, at)
                }
                known => after_look(look, matches!(known, Known::LedOn), at),
            },
            Instruction::Found => Next::Found,
            Instruction::Match => Next::Match,
        })
    }

    /// Takes up a way that was left.
    fn resume(&mut self, job: Job) -> Result<Next, TooLong> {
        Ok(match job {
            Job::Try { pc, at, way } => {
                self.way.truncate(way);
                Next::Go(pc, at)
            }
            Job::Ends { pc, row, is_marked, from, mut at, way } => {
                self.way.truncate(way);
                if is_marked {
                    let Some(last) = self.last_open_end(row + 1, from, at) else { return Ok(Next::Fail) };
                    self.spend(at.abs_diff(last) as u64 / PLACES_PER_STEP)?;
                    at = last;
                    let mut skipped = 0;
                    loop {
                        match self.enter(row + 1, at) {
                            Known::New => break,
                            Known::LedOn => {
                                self.mark(Marks { row, from, to: from });
                                return Ok(Next::Found);
                            }
                            Known::Failed if at == from => return Ok(Next::Fail),
                            Known::Failed => at = self.towards(from, at),
                        }
                        skipped += 1;
                    }
                    self.spend(skipped / RUN_PER_STEP)?;
                    self.mark(Marks { row, from, to: from });
                    self.mark(Marks { row: row + 1, from: at, to: at });
                } else {
                    self.mark(Marks { row, from, to: at });
                }
                if at != from {
                    let shorter = self.towards(from, at);
                    self.stack.push(Job::Ends { pc, row, is_marked, from, at: shorter, way });
                }
                Next::Go(pc, at)
            }
            Job::Look { look, at, way, back } => {
                self.leave(way, back);
                after_look(&look, false, at)
            }
        })
    }

    /// The place nearest to `at` that may not have failed as an end of a run.
    fn last_open_end(&self, row: u32, from: usize, at: usize) -> Option<usize> {
        if self.looks > 0 {
            return Some(at);
        }
        let row = row as usize * self.width;
        let mut end = self.seen.last_clear(row + from, row + at)? - row;
        while end > from && !self.text.is_char_boundary(end) {
            end -= 1;
        }
        Some(end)
    }

    /// What was looked for is there: the ways that are left of the look do not matter any more.
    fn found(&mut self) -> Next {
        while let Some(job) = self.stack.pop() {
            let Job::Look { look, at, way, back } = job else { continue };
            for marks in self.way.get(way..).unwrap_or_default() {
                let row = marks.row as usize * self.width;
                (marks.from.min(marks.to)..=marks.from.max(marks.to)).for_each(|at| self.led_on.set(row + at));
            }
            self.led_on.set(look.row as usize * self.width + at);
            if look.has_idle_loops {
                self.forget(&look);
            }
            self.leave(way, back);
            return after_look(&look, true, at);
        }
        Next::Fail
    }

    /// Forgets which places of a look failed.
    fn forget(&mut self, look: &Look) {
        let rows = (look.row as usize + 1) * self.width..look.rows_end as usize * self.width;
        // What is spent here shows at the next step.
        self.steps = self.steps.saturating_sub(rows.len() as u64 / RUN_PER_STEP);
        for place in rows {
            if !self.led_on.has(place) {
                self.seen.clear(place);
            }
        }
    }

    fn leave(&mut self, way: usize, back: bool) {
        self.way.truncate(way);
        self.looks = self.looks.saturating_sub(1);
        self.back = back;
    }

    /// Any number of characters. All places of the run are tried at once: what begins at a later one is a part of this.
    fn star(&mut self, pc: usize, class: u32, row: u32, takes_all: bool, at: usize) -> Result<Next, TooLong> {
        match self.enter(row, at) {
            Known::Failed => return Ok(Next::Fail),
            Known::LedOn => return Ok(Next::Found),
            Known::New => {}
        }
        let Some(class) = self.program.classes.get(class as usize) else { return Ok(Next::Fail) };
        let (mut end, mut length) = (at, 0);
        let mut meets_known = false;
        while let Some(after) = self.after(class, end) {
            match self.enter(row, after) {
                Known::New => end = after,
                Known::LedOn => {
                    self.mark(Marks { row, from: at, to: end });
                    return Ok(Next::Found);
                }
                Known::Failed => {
                    meets_known = true;
                    break;
                }
            }
            length += 1;
        }
        self.spend(length / RUN_PER_STEP)?;
        if takes_all && meets_known {
            return Ok(Next::Fail);
        }
        if takes_all {
            self.mark(Marks { row, from: at, to: end });
            return Ok(Next::Go(pc + 1, end));
        }
        self.resume(Job::Ends { pc: pc + 1, row, is_marked: false, from: at, at: end, way: self.way.len() })
    }

    /// What is known of an instruction at a place, where it counts as tried from now on.
    fn enter(&mut self, row: u32, at: usize) -> Known {
        let place = row as usize * self.width + at;
        if !self.seen.has(place) {
            self.seen.set(place);
            return Known::New;
        }
        if self.looks > 0 && self.led_on.has(place) { Known::LedOn } else { Known::Failed }
    }

    fn mark(&mut self, marks: Marks) {
        if self.looks > 0 {
            self.way.push(marks);
        }
    }

    fn class(&self, class: u32) -> Option<&Class> {
        self.program.classes.get(class as usize)
    }

    /// The place behind a character of the class.
    fn after(&self, class: &Class, at: usize) -> Option<usize> {
        let before = if self.back { at.checked_sub(1)? } else { at };
        let byte = *self.bytes.get(before)?;
        if byte.is_ascii() {
            return class.has_ascii(byte).then_some(if self.back { before } else { at + 1 });
        }
        if self.back {
            let character = self.text.get(..at)?.chars().next_back()?;
            class.has_other(character).then(|| at - character.len_utf8())
        } else {
            let character = self.text.get(at..)?.chars().next()?;
            class.has_other(character).then(|| at + character.len_utf8())
        }
    }

    fn after_text(&self, text: &str, at: usize) -> Option<usize> {
        if self.back {
            return self.bytes.get(..at)?.ends_with(text.as_bytes()).then(|| at - text.len());
        }
        self.bytes.get(at..)?.starts_with(text.as_bytes()).then(|| at + text.len())
    }

    /// The end of a run of characters of the class, and how many there are.
    fn run(&mut self, class: u32, at: usize, most: u32) -> Result<(usize, u32), TooLong> {
        let Some(class) = self.program.classes.get(class as usize) else { return Ok((at, 0)) };
        let (mut end, mut count) = (at, 0);
        while count < most
            && let Some(after) = self.after(class, end)
        {
            (end, count) = (after, count + 1);
        }
        self.spend(u64::from(count) / RUN_PER_STEP)?;
        Ok((end, count))
    }

    /// One character nearer to `from`.
    fn towards(&self, from: usize, at: usize) -> usize {
        let mut near = at;
        loop {
            near = if from < near { near - 1 } else { near + 1 };
            if near == from || self.text.is_char_boundary(near) || near >= self.width {
                return near;
            }
        }
    }

    fn holds(&self, assertion: Assertion, at: usize) -> bool {
        let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| *byte == b'_' || byte.is_ascii_alphanumeric());
        let is_edge =
            || is_word(at.checked_sub(1).and_then(|before| self.bytes.get(before))) != is_word(self.bytes.get(at));
        match assertion {
            Assertion::Start => at == 0,
            Assertion::End => at == self.bytes.len(),
            Assertion::WordEdge => is_edge(),
            Assertion::NoWordEdge => !is_edge(),
        }
    }
}

fn after_look(look: &Look, is_found: bool, at: usize) -> Next {
    if is_found == look.negative { Next::Fail } else { Next::Go(look.then as usize, at) }
}

fn has(class: &Class, character: char) -> bool {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => class.has_ascii(byte),
        _ => class.has_other(character),
    }
}
