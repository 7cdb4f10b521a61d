//! Decay in a repository: random bits, truncated and lost files of every kind. A restore never silently returns less,
//! and all undamaged data is restored. `DEPESCH_ROT_ROUNDS` makes it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use depesch::store::backup::manifest::Manifest;
use depesch::store::backup::point::Wanted;
use depesch::store::backup::repository::Repository;

use crate::support::site::{Records, Site, files, open, records};

const ROUNDS: usize = 24;

/// A small random generator (xorshift), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Everything that a restore must bring back.
struct Expected {
    records: Records,
    blobs: Files,
    spool: Files,
    newest: Manifest,
}

fn own(mut records: Records) -> Records {
    records.retain(|key, _| key[0] == b'Z');
    records
}

fn write_back(site: &Site, whole: &Files) {
    std::fs::remove_dir_all(site.repository()).unwrap();
    for (name, bytes) in whole {
        let path = site.repository().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Damages a file; says which, and how.
fn damage(site: &Site, numbers: &mut Numbers, whole: &Files) -> (PathBuf, String) {
    let names: Vec<&PathBuf> = whole.keys().filter(|name| !whole[*name].is_empty()).collect();
    // Manifests, notes and marker are few, so they are chosen more often.
    let few: Vec<&PathBuf> = names.iter().copied().filter(|name| !name.starts_with("files")).collect();
    let name = if numbers.below(3) == 0 { few[numbers.below(few.len())] } else { names[numbers.below(names.len())] };
    let (path, bytes) = (site.repository().join(name), &whole[name]);
    let how = match numbers.below(4) {
        0 => {
            let length = numbers.below(bytes.len());
            std::fs::write(&path, &bytes[..length]).unwrap();
            format!("cut to {length}")
        }
        1 => {
            let _ = std::fs::remove_file(&path);
            "gone".to_owned()
        }
        _ => {
            let (mut bytes, at) = (bytes.clone(), numbers.below(bytes.len()));
            bytes[at] ^= 1 << numbers.below(8);
            std::fs::write(&path, bytes).unwrap();
            format!("bit of {at}")
        }
    };
    (name.clone(), how)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_never_silently_returns_less() {
    let site = Site::new();
    site.store().installation_key().await.unwrap();
    let mut ever: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for day in 0..4 {
        for number in 0..40 {
            site.put(number * (day + 1), &format!("{number} of {day} ").repeat(30)).await;
        }
        if day % 2 == 0 {
            site.engine.checkpoint().await.unwrap();
        }
        site.attach(&format!("attachment {day}")).await;
        site.mail(&format!("Subject: {day}\r\n\r\nInvented.\r\n")).await;
        site.back_up().await;
        for (key, value) in own(site.records().await) {
            ever.entry(key).or_default().insert(value);
        }
        site.clock.advance(chrono::Duration::days(4));
    }
    let newest = Repository::open_to_read(&site.repository()).unwrap().manifest(None).unwrap();
    let expected = {
        let (target, _) = site.restore(Wanted::Backup(None)).await.unwrap();
        let state = target.path().join("state");
        let records = own(records(&*open(&target, &site.clock)).await);
        Expected { records, blobs: files(&state.join("blobs")), spool: files(&state.join("spool")), newest }
    };
    assert_eq!(expected.records, own(site.records().await));
    let mut whole = files(&site.repository());
    whole.retain(|name, _| !name.starts_with("incoming"));
    #[allow(clippy::disallowed_methods)] // for a long run by hand
    let rounds = std::env::var("DEPESCH_ROT_ROUNDS").ok().map_or(ROUNDS, |count| count.parse().unwrap());
    let (mut numbers, mut kinds) = (Numbers(0x5eed), BTreeSet::new());
    for round in 0..rounds {
        write_back(&site, &whole);
        let hits: Vec<_> = (0..=numbers.below(3)).map(|_| damage(&site, &mut numbers, &whole)).collect();
        kinds.extend(hits.iter().map(|(name, _)| name.components().next().unwrap().as_os_str().to_owned()));
        let told = format!("round {round}: {hits:?}");
        check(&site, &expected, &ever, &hits, &told).await;
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
}

async fn check(
    site: &Site,
    expected: &Expected,
    ever: &BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    hits: &[(PathBuf, String)],
    told: &str,
) {
    assert_ne!(site.faults(), [], "{told}: verifying finds it");
    let is_hit = |name: &str| hits.iter().any(|(hit, _)| hit.to_string_lossy().contains(name));
    let restored = match site.restore(Wanted::Backup(None)).await {
        Ok(restored) => Ok(restored),
        Err(_) => site.restore_partly(Wanted::Backup(None)).await,
    };
    let (target, restored) = match restored {
        Ok(restored) => restored,
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("the installation's key"), "{told}: {error}");
            return;
        }
    };
    if !is_hit(&format!("{}.manifest", expected.newest.id)) {
        assert_eq!(restored.point.backup, expected.newest.id, "{told}");
    }
    let state = target.path().join("state");
    let (found, blobs) = (own(records(&*open(&target, &site.clock)).await), files(&state.join("blobs")));
    let is_newest = restored.point.backup == expected.newest.id;
    if restored.is_whole() {
        assert!(is_newest && found == expected.records && blobs == expected.blobs, "{told}: silently less");
        let spool = files(&state.join("spool"));
        assert!(expected.spool.iter().all(|(name, bytes)| spool.get(name) == Some(bytes)), "{told}: silently less");
    }
    if restored.exact && is_newest {
        assert_eq!(found, expected.records, "{told}");
    }
    for (key, value) in &found {
        assert!(ever.get(key).is_some_and(|values| values.contains(value)), "{told}: a record was made up");
    }
    for kept in restored.point.blobs.iter().filter(|kept| !is_hit(&kept.file.sha256)) {
        let is_there = blobs.keys().any(|name| name.ends_with(&kept.name));
        assert!(is_there, "{told}: the attachment {} is whole and did not come back", kept.name);
    }
    let segments = restored.point.journal.iter().map(|segment| &segment.file);
    let mut needed = segments.chain(restored.point.checkpoint.iter().map(|checkpoint| &checkpoint.file));
    if !needed.any(|file| is_hit(&file.sha256)) {
        assert!(restored.exact, "{told}: {:?}", restored.faults);
    }
}
