//! A dry run reports what the real run does, and writes nothing.

use depesch::model::suppression::SuppressionReason;
use depesch::subscribers::import::ImportSettings;
use depesch::subscribers::profile::SubscriptionChange;

use crate::support::people::{everything, import_text, import_with, service, settings, store, subscriber};

#[tokio::test]
async fn a_dry_run_equals_the_real_run_and_writes_nothing() {
    let store = store().await;
    let first = "email,name,beats,phone\nkarin@example.org,Karin,culture,070-174 06 05\nbo@example.org,Bo,sports,\n\
                 ulf@example.org,Ulf,,\neva@example.org,Eva,,\n";
    import_text(&store, first).await.summary.unwrap();
    let service = service(&store, 5);
    let ulf = subscriber(&store, "ulf@example.org").await.unwrap().id;
    let media = "media".parse().unwrap();
    service.change_subscription(ulf, &media, SubscriptionChange::Unsubscribe, "by phone").await.unwrap();
    service.suppress(&"eva@example.org".parse().unwrap(), SuppressionReason::Request, "").await.unwrap();

    let second = "email,name,beats,phone,lists\nkarin@example.org,Karin Ek,\"culture, schools\",070-174 06 06,members\n\
                  bo@example.org,Bo,sports,,\nulf@example.org,Ulf,,,\neva@example.org,Eva,,,\n\
                  new@example.org,New,,,\nnew@example.org,New,,,\nwrong,,,,\n";
    let before = everything(&store).await;
    let dry = ImportSettings { dry_run: true, ..settings() };
    let would = import_with(&store, dry, second.as_bytes(), 1 << 20).await;
    assert_eq!(everything(&store).await, before);
    let did = import_text(&store, second).await;
    assert_ne!(everything(&store).await, before);

    let summary = would.summary.as_ref().unwrap();
    assert_eq!(summary, did.summary.as_ref().unwrap());
    assert_eq!(would.reasons(), did.reasons());
    assert_eq!((summary.created, summary.updated, summary.unchanged), (1, 1, 2));
    assert_eq!((summary.invalid, summary.duplicates, summary.suppressed), (1, 1, 1));
    let fields: Vec<_> = summary.fields.iter().map(|(field, n)| (*field, *n)).collect();
    assert_eq!(fields, [("attributes", 1), ("beats", 1), ("name", 1)]);
    assert_eq!(summary.subscribed.values().sum::<u64>(), 2);
    assert_eq!(summary.ended[&media], 1);
}

#[tokio::test]
async fn a_dry_run_shows_old_and_new_values() {
    let store = store().await;
    let first = "email,name,beats,phone\nkarin@example.org,Karin,culture,070-174 06 05\nbo@example.org,Bo,,\n";
    import_text(&store, first).await.summary.unwrap();
    let second = "email,name,beats,phone,fax\nkarin@example.org,Karin Ek,\"culture, schools\",070-174 06 05,08-465 004 00\n\
                  bo@example.org,Bo,,,\nnew@example.org,New,,,\n";
    let dry = ImportSettings { dry_run: true, ..settings() };
    let changes = import_with(&store, dry, second.as_bytes(), 1 << 20).await.changes;
    let shown: Vec<_> = changes.iter().map(|c| (c.line, c.field.as_str(), c.old.as_str(), c.new.as_str())).collect();
    assert_eq!(
        shown,
        [
            (2, "name", "Karin", "Karin Ek"),
            (2, "beats", "culture", "culture, schools"),
            (2, "fax", "", "08-465 004 00"),
        ]
    );
    assert_eq!(import_text(&store, second).await.changes, []);
}
