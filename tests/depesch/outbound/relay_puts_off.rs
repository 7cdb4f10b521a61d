//! A relay that replies to nearly everything with a temporary refusal: the status reports it in one line, with the
//! relay's reply and what to do, and Prometheus shows it, until mail is accepted again.

use std::sync::Arc;
use std::time::Duration;

use depesch::base::clock::Clock;
use depesch::metrics::{Instruments, Metrics};
use depesch::model::ledger::Stage as At;
use depesch::model::mailing::UncertainPolicy;
use depesch::model::reply::Reply;
use depesch::operations::health::{Observer, Parts};
use depesch::outbound::dispatch::Dispatcher;
use depesch::outbound::flush::{Flush, flush};
use depesch::transport::Outcome;

use crate::support::office::Office;

/// The lines of the status, and the value of the metric.
async fn shown(office: &Office, dispatcher: &Arc<Dispatcher>) -> (Vec<String>, String) {
    let observer = Observer::new(office.store.clone(), Arc::new(office.clock.clone()));
    observer.watch(Parts { dispatcher: Some(dispatcher.clone()), ..Parts::default() });
    let health = observer.health(Duration::ZERO).await.unwrap();
    let metrics = Metrics::new("0", Instruments::default());
    observer.show(&health, &metrics.gauges);
    let text = metrics.text().unwrap();
    let puts_off = text.lines().find_map(|line| line.strip_prefix("depesch_relay_puts_off ")).unwrap().to_owned();
    (health.problems(), puts_off)
}

#[tokio::test]
async fn the_status_reports_it_until_mail_is_accepted() {
    let office = Office::new();
    office.subscribers(30).await;
    for number in 0..30 {
        let reply = Reply::new(451, &format!("4.3.0 <p{number}@press.example>: Temporary lookup failure"));
        office.relay.answer(&format!("p{number}"), [Outcome::Refused { stage: At::Recipient, reply }]);
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = Arc::new(office.dispatcher().await.unwrap());
    office.until(|| async { office.tally(id).await.deferred == 30 && dispatcher.put_off().is_some() }).await;

    let (problems, puts_off) = shown(&office, &dispatcher).await;
    assert_eq!((problems.len(), puts_off.as_str()), (1, "1.0"), "{problems:?}");
    let since = office.clock.now().format("%Y-%m-%d %H:%M UTC");
    let begins = format!(
        "nearly all outgoing mail is deferred since {since}: 30 of the last 30 answers are temporary refusals ("
    );
    assert!(problems[0].starts_with(&begins), "{problems:?}");
    assert!(problems[0].contains("Temporary lookup failure") && !problems[0].contains('@'), "{problems:?}");
    assert!(problems[0].contains("depesch outbound flush"), "{problems:?}");

    flush(&office.store, office.clock.now(), &Flush::default()).await.unwrap();
    office.notifier.notify();
    office.until_finished(id).await;
    assert_eq!(shown(&office, &dispatcher).await, (Vec::new(), "0.0".to_owned()));
    dispatcher.drain().await;
}
