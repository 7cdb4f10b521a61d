//! The behaviour of a [`super::MockServer`]: by default it accepts; a [`Script`] can make it do anything else.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// A point in the dialogue at which a script decides (RFC 5321 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Before the greeting.
    Greeting,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The final dot.
    Message,
    /// RSET.
    Reset,
    /// QUIT.
    Quit,
}

impl Point {
    /// All points, in the order of a dialogue.
    pub const ALL: [Point; 10] = [
        Point::Greeting,
        Point::Ehlo,
        Point::StartTls,
        Point::Auth,
        Point::Mail,
        Point::Recipient,
        Point::Data,
        Point::Message,
        Point::Reset,
        Point::Quit,
    ];
}

/// The situation in which a mock server is about to answer.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The number of the connection, from 0.
    pub connection: u64,
    /// The point in the dialogue.
    pub point: Point,
    /// The address of the MAIL or RCPT command, or the first recipient of the transaction; empty before.
    pub address: &'a str,
}

/// What a mock server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers as usual.
    Proceed,
    /// Sends this reply, e.g. `550 5.1.1 no such user`; several lines may be given, each with its code. After a reply
    /// of 2xx to RCPT or of 354 to DATA it continues as if accepted; 421 ends the connection (RFC 5321 §3.8).
    Reply(String),
    /// Sends this reply and closes the connection.
    ReplyThenClose(String),
    /// Closes the connection without a reply. At [`Point::Message`] nothing is accepted.
    Close,
    /// Accepts, if there is something to accept, and closes the connection without a reply.
    AcceptThenClose,
    /// Never answers: reads and discards until the other side gives up.
    Silence,
    /// Accepts, if there is something to accept, and never answers.
    AcceptThenSilence,
    /// Waits for this time, then proceeds.
    Delay(Duration),
}

/// The number of bytes after which a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// After this many received bytes; what was received completely is still answered.
    AfterReceived(usize),
    /// After this many sent bytes; a message whose acceptance could not be sent still counts as accepted.
    AfterSent(usize),
}

/// Decides how a mock server answers. Closures `Fn(&Event) -> Action` are scripts.
pub trait Script: Send + Sync + 'static {
    /// What to do at `event`.
    fn decide(&self, event: &Event<'_>) -> Action;

    /// Whether to cut this connection.
    fn cut(&self, _connection: u64) -> Option<Cut> {
        None
    }
}

impl<F> Script for F
where
    F: Fn(&Event<'_>) -> Action + Send + Sync + 'static,
{
    fn decide(&self, event: &Event<'_>) -> Action {
        self(event)
    }
}

/// One rule of [`Rules`].
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The point where it applies; `None`: everywhere.
    pub point: Option<Point>,
    /// Only for addresses that contain this; empty: for all.
    pub address: String,
    /// How many times it applies; `None`: always.
    pub times: Option<u32>,
    /// The action.
    pub action: Action,
}

/// A script as data: the first rule that applies decides; without one the server proceeds.
#[derive(Default)]
pub struct Rules {
    rules: Mutex<Vec<Rule>>,
    cut: Option<Cut>,
}

impl Rules {
    /// Creates a script without rules: everything is accepted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule: at `point`, always `action`.
    pub fn at(self, point: Point, action: Action) -> Self {
        self.rule(Rule { point: Some(point), address: String::new(), times: None, action })
    }

    /// Adds a rule: at `point`, `action` the first time only.
    pub fn once_at(self, point: Point, action: Action) -> Self {
        self.rule(Rule { point: Some(point), address: String::new(), times: Some(1), action })
    }

    /// Adds a rule: at RCPT, always answer `reply` to addresses that contain `address`.
    pub fn refuse(self, address: &str, reply: &str) -> Self {
        let (point, action) = (Some(Point::Recipient), Action::Reply(reply.to_owned()));
        self.rule(Rule { point, address: address.to_owned(), times: None, action })
    }

    /// Adds a rule.
    pub(crate) fn rule(self, rule: Rule) -> Self {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
        self
    }
}

impl Script for Rules {
    fn decide(&self, event: &Event<'_>) -> Action {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |rule: &&mut Rule| {
            rule.point.is_none_or(|point| point == event.point)
                && event.address.contains(rule.address.as_str())
                && rule.times != Some(0)
        };
        let Some(rule) = rules.iter_mut().find(holds) else { return Action::Proceed };
        rule.times = rule.times.map(|times| times - 1);
        rule.action.clone()
    }

    fn cut(&self, _connection: u64) -> Option<Cut> {
        self.cut
    }
}
