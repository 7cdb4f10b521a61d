//! Monitoring over HTTP on the local machine: metrics, liveness and readiness.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use depesch::app::{Begin, RunningApp, start, system_clock};
use depesch::base::clock::FakeClock;
use depesch::config::Config;
use depesch::operations::health::{Health, Observer};
use depesch::store::Store;
use depesch::store::maintenance::IndexHealth;
use depesch::store::memory::MemoryEngine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::failing::{Count, FailingEngine, Failure};
use crate::support::mailings::minute;

async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (code, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

async fn daemon(directory: &Path) -> RunningApp {
    let text = "state_directory = \"state\"\ntransport = \"capture\"\n[control]\nsocket = \"control.sock\"\n\
                [monitor]\naddress = \"127.0.0.1:0\"\n";
    let config = Config::parse(&directory.join("depesch.toml"), text).unwrap().config;
    start(&config, system_clock(), Begin::WhereNone).await.unwrap()
}

#[tokio::test]
async fn a_daemon_exports_its_counts_and_accepts_only_get() {
    let directory = tempfile::tempdir().unwrap();
    let app = daemon(directory.path()).await;
    let address = app.monitor_address().unwrap();
    let (code, metrics) = ask(address, "GET", "/metrics").await;
    assert_eq!(code, 200);
    for line in [
        "depesch_ready 1.0",
        "depesch_queue_deliveries{state=\"waiting\"} 0.0",
        "depesch_delivery_outcomes_total{outcome=\"failed\",class=\"address\",domain_group=\"gmail\"} 0",
        "depesch_inbound_messages_total{outcome=\"stuck\"} 0",
        "depesch_relay_trouble{part=\"deliveries\"} 0.0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("depesch_build_info{version=\"") && !metrics.contains("# EOF"), "{metrics}");
    let value = |name: &str| {
        let line =
            metrics.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{name}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert!(value("depesch_commit_seconds_count") > 0.0 && value("depesch_store_journal_bytes") > 0.0);
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_open_fds") > 5.0);
    assert!(value("depesch_disk_free_bytes") > 0.0 && value("process_start_time_seconds") > 1.7e9);
    assert_eq!(ask(address, "GET", "/healthz").await, (200, "alive\n".to_owned()));
    assert_eq!(ask(address, "GET", "/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(ask(address, "POST", "/metrics").await.0, 405);
    assert_eq!(ask(address, "GET", "/v1/status").await.0, 404);
    app.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn openmetrics_is_sent_on_request_and_the_older_text_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let app = daemon(directory.path()).await;
    let address = app.monitor_address().unwrap();
    let asked = async |accept: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{accept}\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    for accept in [
        "Accept: application/openmetrics-text\r\n",
        "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1\r\n",
    ] {
        let answer = asked(accept).await;
        assert!(
            answer.contains("application/openmetrics-text; version=1.0.0") && answer.ends_with("# EOF\n"),
            "{accept}"
        );
    }
    for accept in ["", "Accept: text/plain\r\n", "Accept: */*\r\n", "Accept: application/openmetrics-text;q=0\r\n"] {
        let answer = asked(accept).await;
        assert!(answer.contains("text/plain; version=0.0.4") && !answer.contains("# EOF"), "{accept}: {answer}");
        assert!(answer.contains("# TYPE depesch_notices_total counter\n"), "{answer}");
        assert!(answer.contains("# TYPE depesch_build_info gauge\n"), "{answer}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_reported_and_mail_is_still_sent() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = format!(
        "state_directory = \"state\"\n[control]\nsocket = \"control.sock\"\n[monitor]\naddress = \"127.0.0.1:{port}\"\n"
    );
    let config = Config::parse(&directory.path().join("depesch.toml"), &text).unwrap().config;
    let app = start(&config, system_clock(), Begin::WhereNone).await.unwrap();
    let status: depesch::api::status::Status = app.client().get("/v1/status").await.unwrap();
    let told = |problem: &String| problem.contains(&port.to_string()) && problem.contains("monitor.address");
    assert!(!status.well && status.problems.iter().any(told), "{:?}", status.problems);
    app.stop().await;
}

#[tokio::test]
async fn a_stopping_daemon_is_alive_but_not_ready_and_a_failed_store_is_neither() {
    let observed = |failure| {
        let engine = Arc::new(FailingEngine::over(Arc::new(MemoryEngine::new())));
        engine.fail_at(Count::Commits, 1, failure);
        Observer::new(Store::new(engine), Arc::new(FakeClock::at(minute(0))))
    };
    assert!(observed(Failure::Before).alive().await.is_err());
    let observer = Observer::new(Store::new(Arc::new(MemoryEngine::new())), Arc::new(FakeClock::at(minute(0))));
    assert!(observer.alive().await.is_ok() && observer.ready().await.is_ok());
    observer.drain();
    assert!(observer.alive().await.is_ok());
    assert!(observer.ready().await.unwrap_err().0.contains("stopping"));
    assert!(observer.health(Duration::ZERO).await.unwrap().problems().is_empty());
}

#[test]
fn a_damaged_index_is_a_problem_until_a_day_after_its_rebuild() {
    let problems = |index: IndexHealth, hours: i64| {
        let at = minute(0) + chrono::Duration::hours(hours);
        Health { at, started: at, index: Some(index), ..Health::default() }.problems().join("; ")
    };
    let whole = IndexHealth { checked: Some(minute(0)), ..IndexHealth::default() };
    assert_eq!(problems(whole.clone(), 13), "");
    let damaged = IndexHealth { damaged: Some("a page cannot be read".into()), ..whole.clone() };
    let said = problems(damaged, 1);
    assert!(said.contains("being rebuilt") && said.contains("a page cannot be read"), "{said}");
    let healed =
        IndexHealth { rebuilt: Some((minute(0), "a page cannot be read".into())), rebuilds: 1, ..whole.clone() };
    let said = problems(healed.clone(), 23);
    assert!(said.contains("was rebuilt at") && said.contains("look at the disk"), "{said}");
    assert_eq!(problems(healed, 25), "");
    assert!(problems(whole, 49).contains("not compared"), "a check that does not come is told");
}

#[test]
fn an_address_that_others_reach_must_be_meant() {
    let parse = |text: &str| Config::parse(Path::new("/etc/depesch/depesch.toml"), text);
    let refused = parse("[monitor]\naddress = \"0.0.0.0:9464\"").unwrap_err().to_string();
    assert!(refused.contains("monitor.address") && refused.contains("beyond_this_machine"), "{refused}");
    assert!(parse("[monitor]\naddress = \"0.0.0.0:9464\"\nbeyond_this_machine = true").is_ok());
    assert_eq!(parse("[monitor]\naddress = \"\"").unwrap().config.monitor.address, None);
}
