//! A flipped bit in any file of a repository is found by verifying it, and a restore from it is refused.

use depesch::store::backup::point::Wanted;

use crate::support::site::{Site, files};

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_file_is_found() {
    let site = Site::new();
    for number in 0..60 {
        site.put(number, &format!("value {number} ").repeat(5)).await;
    }
    site.engine.checkpoint().await.unwrap();
    site.attach("a picture").await;
    site.mail("Subject: one\r\n\r\nOne.\r\n").await;
    site.back_up().await;
    site.put(1, "changed").await;
    site.back_up().await;
    assert_eq!(site.faults(), []);
    let mut kinds = std::collections::BTreeSet::new();
    for (name, whole) in files(&site.repository()) {
        // The lock holds nothing.
        if whole.is_empty() {
            assert_eq!(name, std::path::Path::new("lock"));
            continue;
        }
        kinds.insert(name.components().next().unwrap().as_os_str().to_owned());
        let path = site.repository().join(&name);
        let step = (whole.len() / 12).max(1);
        let ends = (0..6.min(whole.len())).chain(whole.len().saturating_sub(6)..whole.len());
        for position in (0..whole.len()).step_by(step).chain(ends) {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << (position % 8);
            std::fs::write(&path, &damaged).unwrap();
            let faults = site.faults();
            let found = faults.iter().any(|fault| {
                let told = format!("{} {}", fault.path.display(), fault.what);
                told.contains(&*name.file_stem().unwrap().to_string_lossy())
            });
            assert!(found, "{} at {position}: {faults:?}", name.display());
        }
        for length in [0, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_ne!(site.faults(), [], "{} cut to {length}", name.display());
        }
        std::fs::write(&path, &whole).unwrap();
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert_eq!(site.faults(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_restored_from_a_damaged_backup() {
    let site = Site::new();
    site.put(1, "value").await;
    site.attach("a picture").await;
    site.back_up().await;
    let all = files(&site.repository().join("files"));
    for (name, whole) in &all {
        let path = site.repository().join("files").join(name);
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 4;
        std::fs::write(&path, &damaged).unwrap();
        let refused = site.restore(Wanted::Backup(None)).await.unwrap_err().to_string();
        assert!(refused.contains(&*name.file_name().unwrap().to_string_lossy()), "{refused}");
        std::fs::write(&path, whole).unwrap();
    }
    assert!(site.restore(Wanted::Backup(None)).await.is_ok());
}
