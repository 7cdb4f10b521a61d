//! Kills the daemon, or stops it, at random moments, sometimes damages its index or moves its clock then, and starts
//! it again at once.

use rustix::process::Signal;

use super::books::Books;
use super::daemon::Daemon;
use super::dice::Dice;
use super::index_damage;
use super::test_clock::TestClock;

/// Every stop with this number is followed by damage to the index, so that a short run has some, too.
const DAMAGED_EVERY: u64 = 3;

/// Ends the daemon once and starts it again. Its caller must not drop it in between.
///
/// # Errors
/// The daemon did not end in order, or did not start again.
pub(crate) async fn one_end(daemon: &Daemon, clock: &TestClock, books: &Books, dice: &mut Dice) -> anyhow::Result<()> {
    if dice.percent(70) {
        daemon.end_by(Signal::KILL).await?;
        books.open().kills += 1;
    } else {
        let code = daemon.end_by(Signal::TERM).await?;
        books.open().stops += 1;
        if code != Some(0) {
            books.fault(format!("asked to stop, the daemon ended with {code:?}"));
        }
    }
    let ends = {
        let entries = books.open();
        entries.kills + entries.stops
    };
    if ends.is_multiple_of(DAMAGED_EVERY)
        && let Some(what) = index_damage::damage(&daemon.state().join("store"), dice)?
    {
        books.open().damages.push(what);
    }
    if dice.percent(30) {
        clock.jump(books)?;
    }
    daemon.start().await
}
