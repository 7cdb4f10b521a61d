//! Replies as receivers word them, with invented names and documentation addresses.

use super::*;

fn check(stage: Stage, code: u16, text: &str, class: Class) {
    let found = Classifier::shipped().unwrap().classify_from(stage, &Reply::new(code, text), &[]);
    assert_eq!(found.class, class, "{} {code} {text}: taken for: {}", stage.word(), found.why);
}

#[test]
fn addresses_that_are_not_there() {
    use Class::Address;
    check(Stage::Recipient, 550, "5.1.1 The email account that you tried to reach does not exist.", Address);
    check(Stage::Recipient, 550, "5.1.1 <eva@example.org>: Recipient address rejected: User unknown", Address);
    check(Stage::Recipient, 550, "5.4.1 Recipient address rejected: Access denied.", Address);
    check(Stage::Recipient, 550, "5.5.0 Requested action not taken: mailbox unavailable", Address);
    check(Stage::Recipient, 554, "delivery error: dd This user doesn't have a yahoo.com account", Address);
    check(Stage::Recipient, 550, "5.7.1 <eva@example.org>... no such user", Address);
    check(Stage::Recipient, 550, "No such user here", Address);
    check(Stage::Recipient, 550, "sorry", Address);
    check(Stage::Recipient, 556, "5.1.10 nullMX", Address);
    check(Stage::Recipient, 550, "5.1.2 Host unknown (Name server: example.invalid: host not found)", Address);
    check(Stage::Recipient, 450, "4.1.2 <a@example.org>: Recipient address rejected: Domain not found", Address);
    check(Stage::Recipient, 553, "5.6.7 EAI not supported here", Address);
}

#[test]
fn mailboxes_that_take_nothing() {
    use Class::Mailbox;
    check(Stage::Recipient, 452, "4.2.2 The email account that you tried to reach is over quota.", Mailbox);
    check(Stage::Recipient, 552, "5.2.2 Mailbox full", Mailbox);
    check(Stage::Recipient, 552, "1 Requested mail action aborted, mailbox full", Mailbox);
    check(Stage::Recipient, 550, "5.2.1 The email account that you tried to reach is disabled.", Mailbox);
    check(Stage::Recipient, 450, "4.2.1 The user you are trying to contact is receiving mail too quickly.", Mailbox);
    check(Stage::Message, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", Mailbox);
    check(Stage::Message, 550, "5.7.1 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized", Mailbox);
    check(Stage::Recipient, 450, "not now", Mailbox);
}

#[test]
fn refusals_that_blame_the_sender() {
    use Class::Policy;
    let replies = [
        (550, "5.7.26 This mail has been blocked because the sender is unauthenticated. SPF did not pass"),
        (550, "5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup"),
        (421, "4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP"),
        (421, "4.7.32 Your email has been rate limited because the From: header isn't aligned"),
        (550, "5.7.515 Access denied, sending domain example.org does not meet the required authentication level."),
        (550, "5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus"),
        (550, "5.7.606 Access denied, banned sending IP [192.0.2.1]"),
        (451, "4.7.500 Server busy. Please try again later from [192.0.2.1]."),
        (421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints"),
        (550, "SC-001 (BAY004-MC1F1) Unfortunately, messages from 192.0.2.1 weren't sent"),
        (554, "5.7.1 <eva@example.com>: Relay access denied"),
        (550, "5.1.8 <press@example.org>: Sender address rejected: Domain not found"),
        (552, "5.3.4 Message size exceeds fixed limit"),
        (552, "5.2.3 Your message exceeded Google's message size limits"),
        (554, "Message rejected: looks like spam"),
        (550, "5.7.1 something we do not say"),
        (530, "5.7.0 Must issue a STARTTLS command first"),
        (554, "IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help)"),
    ];
    for (code, text) in replies {
        check(Stage::Message, code, text, Policy);
    }
    check(Stage::Connect, 554, "go away", Policy);
    check(Stage::Mail, 550, "no", Policy);
    check(Stage::Connect, 535, "5.7.8 Username and Password not accepted", Policy);
}

#[test]
fn contents_machines_and_the_rest() {
    check(Stage::Message, 552, "5.7.0 This message was blocked: its content presents a virus", Class::Content);
    check(Stage::Message, 554, "Virus found in message", Class::Content);
    check(Stage::Message, 550, "5.6.0 Message header size exceeded", Class::Content);
    check(Stage::Message, 550, "refused", Class::Content);
    check(Stage::Recipient, 421, "4.3.2 Service shutting down", Class::Network);
    check(Stage::Message, 451, "4.3.0 Queue file write error", Class::Network);
    check(Stage::Recipient, 452, "4.3.1 Insufficient system storage", Class::Network);
    check(Stage::Recipient, 450, "4.4.1 connection timed out", Class::Network);
    check(Stage::Recipient, 450, "4.7.1 Greylisted, please come back", Class::Other);
    check(Stage::Recipient, 450, "4.2.0 <a@example.org>: Recipient address rejected: Greylisted", Class::Other);
    check(Stage::Recipient, 500, "5.5.1 eh?", Class::Other);
    check(Stage::Data, 450, "later", Class::Other);
}

#[test]
fn only_sender_and_content_are_ours() {
    use Class::*;
    let ours: Vec<Class> =
        [Address, Mailbox, Content, Policy, Network, Other].into_iter().filter(|class| class.blames_us()).collect();
    assert_eq!(ours, [Content, Policy]);
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let check = |text: &str, expected: &str| {
        let error = Classifier::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("[[rule]]\nclass = 'policy'\nwhy = 'all'\n", "needs one of");
    check("[[rule]]\nclass = 'policy'\nwhy = 'x'\ncode = ['5']\nstage = ['rcpt']\n", "stage");
    check("[[rule]]\nclass = 'polcy'\nwhy = 'x'\ncode = ['5']\n", "polcy");
    check("[[rule]]\nclass = 'policy'\nwhy = 'x'\nkode = ['5']\n", "kode");
}

#[test]
fn words_that_stand_beside_the_sender_are_the_senders() {
    use Class::*;
    let replies = [
        ("<list@example.com>: Sender address rejected: Access denied", Policy),
        ("Sender list@example.com: no such user here", Policy),
        ("Callback setup failed while verifying <list@example.com>: mailbox not found", Policy),
        ("Return-path address list@example.com does not exist", Policy),
        ("<a@example.org>: Recipient address rejected: http://spf.example.org/openspf?id=list@example.com", Policy),
        ("Error: no valid recipients from 192.0.2.1", Policy),
        ("5.2.1 Message filtered. Please see the FAQs section on spam", Policy),
        ("Invalid recipient (Rejected by header based Anti-Spoofing policy)", Policy),
        ("5.4.1 [a@example.org]: Recipient address rejected: Access denied", Address),
        ("a@example.org is no longer a user here", Address),
        ("sorry, this recipient is in my badrecipientto list (#5.7.1)", Address),
        ("User missing home directory", Address),
        ("5.4.1 No answer from host", Network),
    ];
    for (text, expected) in replies {
        check(Stage::Recipient, 550, text, expected);
    }
    check(Stage::Recipient, 450, "4.1.1 <a@example.org>: unverified address: connection timed out", Network);
}
