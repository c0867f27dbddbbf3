//! What the matcher has still to try.

use super::program::Look;

/// Jobs that need no allocation.
const FEW_JOBS: usize = 8;

/// A way that was left for later.
#[derive(Debug, Clone, Copy)]
pub(super) enum Job {
    /// An instruction at a place.
    Try { pc: usize, at: usize, way: usize },
    /// A run that may end at `at`, or nearer to `from`. With `is_marked`, ends are remembered in the row behind `row`.
    Ends { pc: usize, row: u32, is_marked: bool, from: usize, at: usize, way: usize },
    /// A look, all of whose ways have failed when this is reached.
    Look { look: Look, at: usize, way: usize, back: bool },
}

/// Places that led to where the matcher is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) row: u32,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Jobs, the last one first.
pub(super) struct Stack {
    few: [Option<Job>; FEW_JOBS],
    count: usize,
    more: Vec<Job>,
}

impl Stack {
    pub(super) fn new() -> Self {
        Self { few: [None; FEW_JOBS], count: 0, more: Vec::new() }
    }

    pub(super) fn push(&mut self, job: Job) {
        match self.few.get_mut(self.count) {
            Some(free) => {
                *free = Some(job);
                self.count += 1;
            }
            None => self.more.push(job),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Job> {
        if let Some(job) = self.more.pop() {
            return Some(job);
        }
        self.count = self.count.checked_sub(1)?;
        self.few.get(self.count).copied().flatten()
    }
}
