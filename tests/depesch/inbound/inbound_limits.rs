//! A message that costs too much is set aside for a person, and the queue continues: beyond a size limit it is
//! forwarded unread, beyond the time limit it stays in the spool.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use depesch::inbound::worker::InboundWorker;
use depesch::model::inbound::{InboundKind, InboundState};
use depesch::runtime::reading::ReadingPool;

use crate::support::inbound::{MailIn, counts, noted};

/// Hostile messages, each with the mark by which one that was not read completely is recognised.
fn hostile() -> Vec<(String, &'static str)> {
    let mixed = "Content-Type: multipart/mixed; boundary=x\r\n\r\n";
    vec![
        (format!("{mixed}{}", "--x\r\n\r\n\r\n".repeat(20_000)), "more parts"),
        (format!("{}\r\nunsubscribe\r\n", "a:\r\n".repeat(50_000)), "more header fields"),
        (format!("To: {}\r\n\r\nunsubscribe\r\n", "g:a@b;".repeat(50_000)), "field longer"),
        ("Content-Type: message/rfc822\r\n\r\n".repeat(500), "more messages"),
    ]
}

#[tokio::test]
async fn a_message_beyond_the_limits_is_forwarded_unread() {
    for to in ["media-request@lists.example.org", "media-unsubscribe@lists.example.org", "media@lists.example.org"] {
        let mail = MailIn::new().await;
        let (worker, _) = mail.triage();
        let mut ids = Vec::new();
        for (hostile, why) in hostile() {
            let bytes = format!("From: <eva@press.example>\r\nSubject: unsubscribe\r\n{hostile}");
            ids.push((mail.arrives(Some("eva@press.example"), to, &bytes).await, why));
        }
        mail.handle_all(&worker).await;
        for (id, why) in ids {
            let InboundState::Handled { kind, note, .. } = mail.state(id).await else { panic!("{why}") };
            assert_eq!(kind, InboundKind::Forwarded, "{to}: {note}");
            assert!(note.contains(why), "{to}: {note}");
        }
    }
}

/// A message larger than the limit for reading.
fn large(subject: &str) -> String {
    format!("From: <eva@press.example>\r\nSubject: {subject}\r\n\r\n{}", "text\r\n".repeat(10_000))
}

fn with_time_limit(worker: Arc<InboundWorker>, mail: &MailIn, limit: Duration) -> Arc<InboundWorker> {
    let mut worker = Arc::into_inner(worker).unwrap();
    worker.reading = ReadingPool::new(Arc::new(mail.clock.clone())).with_time_limit(limit);
    Arc::new(worker)
}

#[tokio::test]
async fn a_message_that_computes_for_too_long_is_set_aside_and_the_queue_continues() {
    let mail = MailIn::new().await;
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let (worker, _) = mail.worker(move |subject, _| {
        if subject == "endless" {
            // Until the test is over.
            let _ = wait.lock().unwrap().recv();
        }
        noted()
    });
    let worker = with_time_limit(worker, &mail, Duration::from_millis(1));
    let endless = mail.arrives(Some("eva@press.example"), "media@lists.example.org", &large("endless")).await;
    let behind = mail.note("eva@press.example", "behind it").await;
    let beside = mail.note("bo@press.example", "beside it").await;
    mail.handle_all(&worker).await;
    let InboundState::Stuck { what, .. } = mail.state(endless).await else { panic!("not set aside") };
    assert!(what.contains("took longer"), "{what}");
    let others = [mail.state(behind).await, mail.state(beside).await];
    assert_eq!(counts(others), [("handled", 2)].into());
    // After a restart it is not read again.
    let (worker, handler) = mail.worker(|_, _| noted());
    mail.handle_all(&worker).await;
    assert!(handler.seen.lock().unwrap().is_empty());
    drop(release);
}

#[tokio::test]
async fn overrunning_threads_leave_slots_for_others() {
    let mail = MailIn::new().await;
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let (worker, _) = mail.worker(move |subject, _| {
        if subject == "endless" {
            let _ = wait.lock().unwrap().recv();
        }
        noted()
    });
    let worker = with_time_limit(worker, &mail, Duration::from_millis(200));
    let mut endless = Vec::new();
    for sender in ["a@press.example", "b@press.example"] {
        endless.push(mail.arrives(Some(sender), "media@lists.example.org", &large("endless")).await);
    }
    let honest = mail.arrives(Some("c@press.example"), "media@lists.example.org", &large("honest")).await;
    mail.handle_all(&worker).await;
    for id in endless {
        assert!(matches!(mail.state(id).await, InboundState::Stuck { .. }));
    }
    assert!(matches!(mail.state(honest).await, InboundState::Handled { .. }));
    drop(release);
}

#[tokio::test]
async fn a_handler_that_panics_on_a_thread_of_its_own_is_set_aside_too() {
    let mail = MailIn::new().await;
    let (worker, _) = mail.worker(|subject, _| {
        assert_ne!(subject, "poison", "as the test wants it");
        noted()
    });
    let poison = mail.arrives(Some("eva@press.example"), "media@lists.example.org", &large("poison")).await;
    mail.handle_all(&worker).await;
    let InboundState::Stuck { what, .. } = mail.state(poison).await else { panic!("it is gone") };
    assert!(what.contains("as the test wants it"), "{what}");
}

#[tokio::test]
async fn large_messages_are_read_on_threads_of_their_own() {
    let mail = MailIn::new().await;
    let threads = Arc::new(Mutex::new(Vec::new()));
    let noting = threads.clone();
    let (worker, _) = mail.worker(move |subject, _| {
        let is_own = std::thread::current().name() == Some("reading");
        noting.lock().unwrap().push((subject.to_owned(), is_own));
        noted()
    });
    mail.arrives(Some("eva@press.example"), "media@lists.example.org", &large("large")).await;
    mail.note("eva@press.example", "small").await;
    mail.handle_all(&worker).await;
    assert_eq!(*threads.lock().unwrap(), [("large".to_owned(), true), ("small".to_owned(), false)]);
}

#[tokio::test]
async fn at_most_four_threads_overrun_and_small_mail_is_still_read() {
    let mail = MailIn::new().await;
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let (worker, _) = mail.worker(move |subject, _| {
        if subject == "endless" {
            let _ = wait.lock().unwrap().recv();
        }
        noted()
    });
    let worker = with_time_limit(worker, &mail, Duration::from_millis(300));
    let mut endless = Vec::new();
    for sender in ["a@press.example", "b@press.example", "c@press.example", "d@press.example"] {
        endless.push(mail.arrives(Some(sender), "media@lists.example.org", &large("endless")).await);
    }
    let until_done = async |id| {
        while mail.state(id).await == InboundState::Waiting {
            tokio::task::yield_now().await;
        }
    };
    let looking = async {
        for id in endless {
            until_done(id).await;
        }
        let behind = mail.arrives(Some("e@press.example"), "media@lists.example.org", &large("honest")).await;
        let small = mail.note("f@press.example", "small").await;
        until_done(small).await;
        assert_eq!(mail.state(behind).await, InboundState::Waiting);
        drop(release);
        until_done(behind).await;
        assert!(matches!(mail.state(behind).await, InboundState::Handled { .. }));
    };
    let working = worker.run(std::future::pending());
    mail.while_running(async {
        tokio::select! { () = working => {}, () = looking => {} }
    })
    .await;
}
