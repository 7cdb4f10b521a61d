//! Combines the clauses of a text.

use super::{Attendance, Doubt};

/// The meaning of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Yes,
    No,
    Maybe,
    Wish,
    WeakYes,
    WeakNo,
    /// They do not know; the next clause says what.
    Unsure,
    /// They ask about coming.
    Asked,
    Doubt(Doubt),
}

/// The meaning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// The answer; `None` if it contains none.
    pub(super) said: Result<Option<Attendance>, Doubt>,
    /// Whether it also asks a question.
    pub(super) asks: bool,
}

#[derive(Default)]
pub(super) struct Sum {
    yes: bool,
    no: bool,
    maybe: bool,
    wish: bool,
    weak_yes: bool,
    weak_no: bool,
    asked: bool,
    pub(super) asks: bool,
    doubt: Option<Doubt>,
}

impl Sum {
    pub(super) fn add(&mut self, said: Said) {
        match said {
            Said::Nothing | Said::Unsure => {}
            Said::Yes => self.yes = true,
            Said::No => self.no = true,
            Said::Maybe => self.maybe = true,
            Said::Wish => self.wish = true,
            Said::WeakYes => self.weak_yes = true,
            Said::WeakNo => self.weak_no = true,
            Said::Asked => (self.asked, self.asks) = (true, true),
            Said::Doubt(doubt) => self.doubt = self.doubt.or(Some(doubt)),
        }
    }

    pub(super) fn decide(&self) -> Result<Option<Attendance>, Doubt> {
        if let Some(doubt) = self.doubt {
            return Err(doubt);
        }
        // A wish counts if nothing firmer is said.
        let yes = self.yes || (self.wish && !self.no && !self.maybe);
        match (yes, self.no, self.maybe) {
            (true, false, false) if self.weak_no => Err(Doubt::Contradiction),
            (true, false, false) => Ok(Some(Attendance::Yes)),
            (false, true, false) if self.weak_yes => Err(Doubt::Contradiction),
            (false, true, false) => Ok(Some(Attendance::No)),
            (false, false, true) if self.weak_no => Err(Doubt::Contradiction),
            (false, false, true) => Ok(Some(Attendance::Maybe)),
            (false, false, false) => match (self.weak_yes, self.weak_no) {
                (true, true) => Err(Doubt::Contradiction),
                (true, false) if self.asked => Err(Doubt::Question),
                (true, false) => Ok(Some(Attendance::Yes)),
                (false, true) => Ok(Some(Attendance::No)),
                (false, false) if self.asked => Err(Doubt::Question),
                (false, false) => Ok(None),
            },
            _ => Err(Doubt::Contradiction),
        }
    }
}
