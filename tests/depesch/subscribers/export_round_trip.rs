//! An export can be imported again without change, and a spreadsheet runs nothing in it.

use depesch::subscribers::export::ExportSettings;
use depesch::subscribers::profile::{PersonFields, SubscriptionChange};
use proptest::prelude::*;

use crate::support::people::{
    everything, export, import_text, import_with, service, settings, state, store, subscriber,
};

const FILE: &str = "email;name;language;organisation;beats;regions;lists;phone;note\n\
    karin@example.org;Karin Ek;sv;Skövde Dagblad;kultur, skola;skaraborg;members;'+46 8 465 004 00;=1+1\n\
    +tips@example.org;@Bo, \"Bosse\";en;-;;;;;\"two\nlines\"\n\
    eva@example.org;;en;'s-Hertogenbosch Courant;;;;;'\n";

#[tokio::test]
async fn the_same_store_is_not_changed_by_its_own_export() {
    let first = store().await;
    assert!(import_text(&first, FILE).await.summary.unwrap().is_clean());
    for excel in [false, true] {
        let file = export(&first, ExportSettings { list: None, excel }).await;
        let before = everything(&first).await;
        let again = import_text(&first, &file).await;
        assert_eq!(again.reasons(), []);
        assert_eq!(again.summary.unwrap().unchanged, 3);
        assert_eq!(everything(&first).await, before);
        // Another installation imports the same people.
        let second = store().await;
        import_text(&second, &file).await.summary.unwrap();
        for address in ["karin@example.org", "+tips@example.org", "eva@example.org"] {
            let mut one = subscriber(&first, address).await.unwrap();
            let other = subscriber(&second, address).await.unwrap();
            one.id = other.id;
            one.subscriptions.clone_from(&other.subscriptions);
            assert_eq!(one, other);
            assert_eq!(state(&first, address, "members").await, state(&second, address, "members").await);
        }
        assert_eq!(export(&second, ExportSettings { list: None, excel }).await, file);
    }
}

#[tokio::test]
async fn columns_have_a_fixed_order_and_formulas_are_text() {
    let store = store().await;
    import_text(&store, FILE).await.summary.unwrap();
    let file = export(&store, ExportSettings::default()).await;
    let mut lines = file.split("\r\n");
    assert_eq!(lines.next(), Some("email,name,language,organisation,beats,regions,lists,note,phone"));
    let karin = "karin@example.org,Karin Ek,sv,Skövde Dagblad,\"kultur, skola\",skaraborg,media members,\
                 \"'=1+1\",\"'+46 8 465 004 00\"";
    assert_eq!(lines.next(), Some(karin));
    assert!(lines.next().unwrap().starts_with("\"'+tips@example.org\",\"'@Bo, \"\"Bosse\"\"\",en,\"'-\","));
}

#[tokio::test]
async fn an_export_of_a_list_has_only_those_who_get_its_mail() {
    let store = store().await;
    import_text(&store, FILE).await.summary.unwrap();
    let media = "media".parse().unwrap();
    let eva = subscriber(&store, "eva@example.org").await.unwrap().id;
    service(&store, 5).change_subscription(eva, &media, SubscriptionChange::Unsubscribe, "").await.unwrap();
    let file = export(&store, ExportSettings { list: Some(media), excel: false }).await;
    assert!(file.contains("karin@") && !file.contains("eva@"));
    // People who left are in the full export, on no list: importing it puts none of them back.
    let whole = export(&store, ExportSettings::default()).await;
    let no_lists = depesch::subscribers::import::ImportSettings { lists: Vec::new(), ..settings() };
    let again = import_with(&store, no_lists, whole.as_bytes(), 100).await.summary.unwrap();
    assert_eq!((again.unchanged, again.is_clean()), (3, true));
}

#[tokio::test]
async fn no_spreadsheet_finds_a_formula_wherever_it_cuts_the_file() {
    let store = store().await;
    let names = ["Eve;=HYPERLINK(A1)", "Eve,@SUM(A1)|+1", "Eve; \"=1", "＝1", "Eve;\u{200b}-1", "a\t=1"];
    for (number, name) in names.iter().enumerate() {
        let fields = PersonFields {
            address: Some(format!("eve{number}@example.org")),
            name: Some("Eve".to_owned()),
            attributes: [("note".to_owned(), (*name).to_owned())].into(),
            ..Default::default()
        };
        service(&store, 1).add(&fields).await.unwrap();
    }
    for excel in [false, true] {
        let file = export(&store, ExportSettings { list: None, excel }).await;
        for cell in file.split([';', ',', '|', '\t', '\r', '\n']) {
            let begins = cell.trim_start_matches(['"', ' ', '\u{feff}', '\u{200b}']);
            assert!(!begins.starts_with(['=', '+', '-', '@', '＝']), "{cell:?} in {file}");
        }
        let again = import_text(&store, &file).await.summary.unwrap();
        assert_eq!((again.unchanged + again.updated, again.fields.len()), (6, 0), "{file}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any text that an operator stores about a person is imported unchanged.
    #[test]
    fn any_text_survives_the_round_trip(name in "['=+@\\-; ,|\"a-cåÖ＝]{0,12}", value in "['=+@\\-;,|\"\n\ta-c ＝]{0,12}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let first = store().await;
            let fields = PersonFields {
                address: Some("karin@example.org".to_owned()),
                name: Some(name),
                attributes: [("note".to_owned(), value)].into(),
                ..Default::default()
            };
            let karin = service(&first, 1).add(&fields).await.unwrap();
            let file = export(&first, ExportSettings::default()).await;
            let second = store().await;
            let settings = depesch::subscribers::import::ImportSettings { lists: Vec::new(), ..settings() };
            import_with(&second, settings, file.as_bytes(), 64).await.summary.unwrap();
            let again = subscriber(&second, "karin@example.org").await.unwrap();
            assert_eq!((again.name, again.attributes), (karin.name, karin.attributes), "{file}");
        });
    }
}
