#![allow(missing_docs)]
use depesch::flow::import::*;
use depesch::store::Store;
use depesch::store::embedded::{EmbeddedEngine, Settings};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Instant;

fn status(what: &str) -> String {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines().find(|l| l.starts_with(what)).unwrap_or("").to_owned()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rows: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let dir = std::path::PathBuf::from(std::env::args().nth(2).unwrap());
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("million.csv");
    if !file.exists() {
        let mut out = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
        writeln!(out, "e-post;namn;språk;redaktion;bevakning;region;telefon").unwrap();
        let mut x = 88172645463325252u64;
        for n in 0..rows {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            writeln!(out, "reader.{:x}.{n}@newsroom{}.example;Reader Number {n};{};Newsroom {};culture, schools, b{};region {};070-174 06 {:02}", x & 0xffffff, x % 5000, if x % 3 == 0 { "en" } else { "sv" }, x % 5000, x % 40, x % 21, 5 + x % 95).unwrap();
        }
    }
    let store_dir = dir.join("store");
    let _ = std::fs::remove_dir_all(&store_dir);
    let opened = EmbeddedEngine::open(&store_dir, Settings { create: true, ..Default::default() }).unwrap();
    let engine = Arc::new(opened.engine);
    let store = Store::new(engine.clone());
    let key = store.installation_key().await.unwrap();
    let at = depesch::base::clock::Timestamp::from_timestamp_millis(1_795_000_000_000).unwrap();
    let list = depesch::model::list::List {
        name: "media".parse().unwrap(),
        title: "Media".into(),
        address: "media@lists.example.org".parse().unwrap(),
        kind: depesch::model::list::ListKind::Announce,
        joining: depesch::model::list::Joining::Closed,
        owner: "press@example.org".parse().unwrap(),
        language: depesch::base::language::Language::swedish(),
        privacy: depesch::model::list::Privacy::Ordinary,
        approval: false,
        created: at,
    };
    store.create_list(&list).await.unwrap();
    for (name, dry_run) in [("first", false), ("again", false), ("dry", true)] {
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let path = file.clone();
        std::thread::spawn(move || {
            let mut f = std::fs::File::open(path).unwrap();
            loop {
                let mut b = vec![0; 65536];
                let n = f.read(&mut b).unwrap();
                if n == 0 {
                    break;
                }
                b.truncate(n);
                if sender.blocking_send(Ok::<_, std::io::Error>(b)).is_err() {
                    break;
                }
            }
        });
        let source = Box::pin(futures_util::stream::unfold(receiver, async |mut r| Some((r.recv().await?, r))));
        let (events, mut told) = tokio::sync::mpsc::channel(100);
        let start = Instant::now();
        let listener = tokio::spawn(async move {
            let mut next = 0;
            while let Some(e) = told.recv().await {
                if let ImportEvent::Progress { rows, .. } = e
                    && rows >= next
                {
                    eprintln!("  {rows} {:.1}s {}", start.elapsed().as_secs_f64(), status("VmRSS"));
                    next += 200_000;
                }
            }
        });
        let settings = ImportSettings {
            file: "million.csv".into(),
            lists: vec!["media".parse().unwrap()],
            consent: Some("Signed up at the 2026 press day".into()),
            dry_run,
            ..Default::default()
        };
        let summary = import(&store, &key, settings, at, source, &events).await.unwrap();
        drop(events);
        listener.await.unwrap();
        let ticks = std::fs::read_to_string("/proc/self/stat").unwrap();
        let f: Vec<_> = ticks.rsplit(')').next().unwrap().split_whitespace().collect();
        println!(
            "{name}: {:.1}s new {} unchanged {} {} cpu user {} sys {} {:?}",
            start.elapsed().as_secs_f64(),
            summary.created,
            summary.unchanged,
            status("VmHWM"),
            f[11],
            f[12],
            engine.stats()
        );
    }
    let start = Instant::now();
    let (mut cursor, mut n) = (depesch::base::id::SubscriberId(0), 0);
    loop {
        let step = store.scan_subscribers(cursor, 8192).await.unwrap();
        let Some(last) = step.last() else { break };
        cursor = last.value.id;
        n += step.len();
    }
    println!("scan {n}: {:.1}s {}", start.elapsed().as_secs_f64(), status("VmHWM"));
    engine.close().unwrap();
}
