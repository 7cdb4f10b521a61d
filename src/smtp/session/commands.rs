//! The effects of each command (RFC 5321 §4.1.1, and its extensions).

use crate::base::clock::Timestamp;
use crate::smtp::content::Content;
use crate::smtp::grammar::{self, Command, Hello, MailParameters, Wrong};
use crate::smtp::received::{self, Passage};
use crate::smtp::reply;

use super::{Name, Protocol, RECIPIENT_TRIES, Session, State, Step, Transaction};

impl Session {
    /// Carries out `line`; returns a step when the driver must do something.
    pub(super) fn carry_out(&mut self, line: &[u8], now: Timestamp) -> Option<Step> {
        let command = match grammar::parse(line) {
            Ok(command) => command,
            Err(wrong) => {
                self.count_command();
                self.say_unless_ended(reply::to_wrong(wrong));
                return None;
            }
        };
        if !matches!(command, Command::Recipient(_) | Command::Quit) && !self.count_command() {
            return None;
        }
        match command {
            Command::Hello(hello, name) => self.hello(hello, name),
            Command::Mail(sender, parameters) => self.mail(sender, parameters),
            Command::Recipient(address) => return self.rcpt(address),
            Command::Data => self.data(now),
            Command::Reset => {
                self.transaction = None;
                self.say(reply::RESET);
            }
            Command::Noop => self.say(reply::NOTHING),
            Command::Help => self.say(reply::HELP),
            Command::Verify => self.say(reply::CANNOT_VERIFY),
            Command::NotOffered => self.say(reply::NOT_OFFERED),
            Command::StartTls => return self.start_tls(),
            Command::Quit => {
                self.say(reply::BYE);
                self.close();
            }
        }
        None
    }

    /// Whether one more command without a message is allowed.
    fn count_command(&mut self) -> bool {
        self.commands += 1;
        let borne = self.commands <= self.settings.max_commands;
        if !borne {
            self.end(reply::TOO_MANY_COMMANDS);
        }
        borne
    }

    fn say_unless_ended(&mut self, reply: reply::Reply) {
        if !matches!(self.state, State::Closed) {
            self.say(reply);
        }
    }

    fn hello(&mut self, hello: Hello, name: &str) {
        match (self.peer.protocol, hello) {
            (Protocol::Smtp, Hello::Lmtp) => return self.say(reply::WRONG_HELLO_SMTP),
            // RFC 2033 §4.1.
            (Protocol::Lmtp, Hello::Plain | Hello::Extended) => return self.say(reply::WRONG_HELLO_LMTP),
            _ => {}
        }
        let extended = hello != Hello::Plain;
        self.hello = Some(Name { text: name.to_owned(), extended });
        // RFC 5321 §4.1.4.
        self.transaction = None;
        let host = &self.settings.host_name;
        if !extended {
            self.output.extend_from_slice(format!("250 {host}\r\n").as_bytes());
            return;
        }
        let size = self.settings.max_message_bytes;
        // CHUNKING is not offered: DATA is sufficient, and an absent extension has no faults.
        let offers = format!("250-{host}\r\n250-PIPELINING\r\n250-SIZE {size}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n");
        self.output.extend_from_slice(offers.as_bytes());
        if self.offers_tls_now() {
            self.output.extend_from_slice(b"250-STARTTLS\r\n");
        }
        self.output.extend_from_slice(b"250 ENHANCEDSTATUSCODES\r\n");
    }

    fn offers_tls_now(&self) -> bool {
        self.peer.offers_tls && !self.encrypted
    }

    fn mail(&mut self, sender: Option<&str>, parameters: MailParameters) {
        let Some(name) = &self.hello else { return self.say(reply::HELLO_FIRST) };
        if self.transaction.is_some() {
            return self.say(reply::NESTED_MAIL);
        }
        // After HELO no extension is available.
        if parameters.any && !name.extended {
            return self.say(reply::to_wrong(Wrong::Parameter));
        }
        if sender.is_some_and(|sender| !sender.is_ascii()) && !parameters.smtputf8 {
            return self.say(reply::NOT_ASCII);
        }
        // RFC 1870 §6.1: refused now, nothing is sent in vain.
        if parameters.size.is_some_and(|size| size > self.settings.max_message_bytes as u64) {
            return self.say(reply::TOO_LARGE);
        }
        let sender = sender.map(str::to_owned);
        self.transaction = Some(Transaction { sender, smtputf8: parameters.smtputf8, ..Transaction::default() });
        self.say(reply::SENDER_OK);
    }

    fn rcpt(&mut self, address: &str) -> Option<Step> {
        let Some(transaction) = &mut self.transaction else {
            self.count_command();
            self.say_unless_ended(reply::MAIL_FIRST);
            return None;
        };
        transaction.tried += 1;
        if transaction.tried > self.settings.max_recipients.saturating_mul(RECIPIENT_TRIES) {
            self.end(reply::TOO_MANY_COMMANDS);
        } else if !address.is_ascii() && !transaction.smtputf8 {
            self.say(reply::NOT_ASCII);
        } else if transaction.accepted >= self.settings.max_recipients {
            self.say(reply::TOO_MANY_RECIPIENTS);
        } else {
            self.state = State::Asking(address.to_owned());
            return Some(Step::Recipient(address.to_owned()));
        }
        None
    }

    fn data(&mut self, now: Timestamp) {
        let lmtp = self.peer.protocol == Protocol::Lmtp;
        let (Some(name), Some(transaction)) = (&self.hello, &self.transaction) else {
            return self.say(reply::MAIL_FIRST);
        };
        if transaction.recipients.is_empty() {
            return self.say(if lmtp { reply::NO_RECIPIENTS_LMTP } else { reply::NO_RECIPIENTS });
        }
        let field = received::field(&Passage {
            helo: &name.text,
            peer: self.peer.address,
            host: &self.settings.host_name,
            with: received::with(lmtp, name.extended, self.encrypted, transaction.smtputf8),
            id: &format!("{}-{}", self.peer.id, self.messages + 1),
            at: now,
        });
        let content =
            Content::new(field.as_bytes(), self.settings.max_message_bytes, self.memory.clone(), self.peer.address);
        self.say(reply::GO_ON);
        self.state = State::Content(Box::new(content));
    }

    fn start_tls(&mut self) -> Option<Step> {
        if self.encrypted {
            self.say(reply::ENCRYPTED_ALREADY);
        } else if !self.peer.offers_tls {
            self.say(reply::NOT_OFFERED);
        } else {
            self.say(reply::START_TLS);
            // RFC 3207 §4.2: input sent before TLS, perhaps injected by an attacker, is discarded unread.
            self.forget_input();
            self.state = State::Handshake;
            return Some(Step::StartTls);
        }
        None
    }
}
