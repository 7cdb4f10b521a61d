//! How a [`super::MockServer`] answers: by default it accepts, a [`Script`] makes it do anything else.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// A point in the dialogue at which a sink can be told what to do (RFC 5321 §3).
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
    /// All of them, in the order of a dialogue.
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

/// What a sink is about to answer.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The number of the connection, from 0.
    pub connection: u64,
    /// Where in the dialogue.
    pub point: Point,
    /// The address of the MAIL or RCPT command, or the first recipient of the transaction; empty before.
    pub address: &'a str,
}

/// What a sink does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// What a server does when all is well.
    Proceed,
    /// Says this, e.g. `550 5.1.1 no such user`; several lines may be given, each with its code. A reply of 2xx to
    /// RCPT or of 354 to DATA goes on as accepted; 421 ends the connection after it (RFC 5321 §3.8).
    Reply(String),
    /// Says this and ends the connection.
    ReplyThenClose(String),
    /// Ends the connection without a word. At [`Point::Message`] nothing is accepted.
    Close,
    /// Accepts, as far as there is something to accept, and ends the connection without a word.
    AcceptThenClose,
    /// Never answers: reads and throws away until the other side gives up.
    Silence,
    /// Accepts, as far as there is something to accept, and never answers.
    AcceptThenSilence,
    /// Waits so long, then proceeds.
    Delay(Duration),
}

/// After how many bytes a sink cuts a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// After it received so many; what came in whole is still answered.
    AfterReceived(usize),
    /// After it sent so many; a message whose acceptance could not be told is accepted all the same.
    AfterSent(usize),
}

/// Decides how a sink answers. Closures `Fn(&Event) -> Action` are scripts.
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
pub struct Rule {
    /// Where it holds; `None`: everywhere.
    pub point: Option<Point>,
    /// Only for addresses that contain this; empty: for all.
    pub address: String,
    /// How many times it holds; `None`: always.
    pub times: Option<u32>,
    /// What happens then.
    pub action: Action,
}

/// A script as data: the first rule that holds decides; where none does, the sink proceeds.
#[derive(Default)]
pub struct Rules {
    rules: Mutex<Vec<Rule>>,
    cut: Option<Cut>,
}

impl Rules {
    /// No rules: everything is accepted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds: at `point`, always `action`.
    pub fn at(self, point: Point, action: Action) -> Self {
        self.rule(Rule { point: Some(point), address: String::new(), times: None, action })
    }

    /// Adds: at `point`, `action` the first time only.
    pub fn once_at(self, point: Point, action: Action) -> Self {
        self.rule(Rule { point: Some(point), address: String::new(), times: Some(1), action })
    }

    /// Adds: at RCPT, always answer `reply` to addresses that contain `address`.
    pub fn refuse(self, address: &str, reply: &str) -> Self {
        let (point, action) = (Some(Point::Recipient), Action::Reply(reply.to_owned()));
        self.rule(Rule { point, address: address.to_owned(), times: None, action })
    }

    /// Adds a rule.
    pub fn rule(self, rule: Rule) -> Self {
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
