//! Moves the daemon's clock with the file that it reads ([`crate::app::test_clock`]): by seconds, an hour, a day and
//! ten years, in both directions, and sets it right again after a while. The soak itself uses the machine's clock.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;

use super::books::Books;
use super::dice::Dice;

/// Jumps in seconds, one after the other, so that a short run has all of them.
const JUMPS: [i64; 7] = [6, 10 * 365 * 86_400, -3600, 86_400, -6, 3600, -86_400];
/// The largest jump that the daemon treats as a usual correction, in seconds.
pub(crate) const USUAL: i64 = 6;
/// Duration of a jump that is longer than any sleep of the daemon's tasks.
const LONG: Duration = Duration::from_secs(70);
/// Minimum length of a run, in seconds, with time for such a jump.
const LONG_RUN: u64 = 300;

/// The file, and what was last written to it.
pub(crate) struct TestClock {
    file: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// The next of [`JUMPS`].
    next: usize,
    /// The present shift in seconds.
    moved: i64,
}

impl TestClock {
    /// Creates a correct clock, with its file in `directory`.
    pub(crate) fn new(directory: &Path, seed: u64) -> Self {
        let next = usize::try_from(seed % JUMPS.len() as u64).unwrap_or(0);
        Self { file: directory.join("clock"), state: Mutex::new(State { next, moved: 0 }) }
    }

    /// The file for the daemon.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Sets the clock wrong.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn jump(&self, books: &Books) -> anyhow::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let by = JUMPS[state.next % JUMPS.len()];
        state.next += 1;
        self.write(&mut state, by, books)
    }

    /// Sets the clock right.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn set_right(&self, books: &Books) -> anyhow::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&mut state, 0, books)
    }

    fn write(&self, state: &mut State, moved: i64, books: &Books) -> anyhow::Result<()> {
        if moved != state.moved {
            // A half-written file would move the clock by another amount.
            let new = self.file.with_extension("new");
            std::fs::write(&new, moved.to_string()).context("the daemon's clock cannot be moved")?;
            std::fs::rename(&new, &self.file).context("the daemon's clock cannot be moved")?;
            books.open().clock_jumps.push(moved - state.moved);
            state.moved = moved;
        }
        Ok(())
    }

    /// Sets it wrong and right, repeatedly, in a run of `seconds`, until dropped.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) async fn run(&self, seconds: u64, books: &Books, mut dice: Dice) -> anyhow::Result<()> {
        loop {
            tokio::time::sleep(dice.pause(500, 4000)).await;
            self.jump(books)?;
            let lasts = match seconds >= LONG_RUN && dice.percent(10) {
                true => LONG,
                false => dice.pause(300, 4000),
            };
            tokio::time::sleep(lasts).await;
            self.set_right(books)?;
        }
    }
}
