//! What an approval is bound to: only what is stored, and the same for ever.

use depesch::composition::message::MessageSource;
use depesch::model::mailing::{Mailing, MissedPolicy};
use depesch::render::registry::Templates;

use crate::support::mailings::mailing;
use crate::support::press::Press;

async fn hash(press: &Press, mailing: &Mailing) -> String {
    press.messages.prepare(mailing).await.unwrap().content_hash().unwrap()
}

#[tokio::test]
async fn it_is_the_same_in_every_version_and_for_every_mailing() {
    let press = Press::new().await;
    let one = hash(&press, &mailing(7, MissedPolicy::Send)).await;
    // Approvals on disk are bound to it.
    assert_eq!(one, "0c60e9db2b9bef0959669c5a399e657fbc4845b10761c9a56a7629c3a70aeae0");
    press.world.clock.advance(chrono::Duration::days(3));
    assert_eq!(hash(&press, &mailing(8, MissedPolicy::Ask)).await, one);
}

#[tokio::test]
async fn another_sender_and_templates_of_the_installation_change_it() {
    let press = Press::new().await;
    let first = mailing(7, MissedPolicy::Send);
    let one = hash(&press, &first).await;
    press.world.store.change_list(&"media".parse().unwrap(), |list| list.title = "Redaktioner".into()).await.unwrap();
    assert_ne!(hash(&press, &first).await, one);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("partials")).unwrap();
    let shipped = include_str!("../../../templates/partials/text-heading.hbs");
    std::fs::write(folder.path().join("partials/text-heading.hbs"), format!("{shipped}\n")).unwrap();
    let own = Press::with(b"%PDF programmet", Templates::load(Some(folder.path())).unwrap()).await;
    assert_ne!(hash(&own, &first).await, one);
}
