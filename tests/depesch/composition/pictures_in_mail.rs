//! A release's pictures travel within its mail: shown by the HTML part, encoded once for all readers.

use std::collections::BTreeMap;
use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::base::token::Key;
use depesch::composition::message::{MessageSource, PrepareError, PreparedMailing};
use depesch::composition::release::record_of;
use depesch::composition::release_messages::{MessageSettings, ReleaseMessages};
use depesch::model::mailing::{MailingContent, MissedPolicy};
use depesch::model::release::attachment::AttachmentBudget;
use depesch::model::subscriber::Subscriber;
use depesch::render::registry::Templates;
use depesch::render::source::{SourceSettings, parse};
use depesch::store::blobs::Blobs;
use image::ImageFormat;
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

use crate::support::mailings::{list, mailing, minute, put_subscriber, store};
use crate::support::pictures::{file, logo, photograph};

const FRONT: &str = "kind = \"bulletin\"\nlanguage = \"sv\"\nheadline = \"Provtext\"\nissuers = [\"F\"]\n";
const IMAGES: &str = "[[images]]\nfile = \"Nämndens torg.webp\"\nalt = \"Ett torg\"\n";

/// A release with these fields and this text, prepared with its files; and a reader of it.
async fn prepared(
    front: &str,
    body: &str,
    files: &[(&str, Vec<u8>)],
    total: u64,
) -> Result<(Arc<dyn PreparedMailing>, Vec<Subscriber>), PrepareError> {
    let directory = tempfile::tempdir().unwrap();
    let (store, blobs) = (store(), Blobs::in_state_directory(directory.path()));
    let (source, settings) = (format!("+++\n{FRONT}{front}+++\n{body}\n"), SourceSettings::default());
    let draft = parse(&source, &settings).draft.unwrap();
    let mut stored = BTreeMap::new();
    for (name, bytes) in files {
        stored.insert((*name).to_owned(), blobs.put(None, bytes.as_slice()).await.unwrap());
    }
    let book = depesch::model::contact::ContactBook::default();
    let record = record_of(&source, &draft, &book, stored, &settings, (minute(0), "anna"));
    let record = store.add_release(record).await.unwrap();
    store.create_list(&list("media")).await.unwrap();
    let mut readers = Vec::new();
    for number in 1..=2 {
        readers.push(put_subscriber(&store, number, &["media"], |_| {}).await);
    }
    let mut mailing = mailing(7, MissedPolicy::Send);
    mailing.content = MailingContent::Release(record.id);
    let (key, clock) = (Key::new([7; 32]), Arc::new(FakeClock::at(minute(60))));
    let settings = MessageSettings { budget: AttachmentBudget { total }, ..MessageSettings::default() };
    let templates = Arc::new(Templates::load(None).unwrap());
    let messages = ReleaseMessages::new(store, blobs, templates, key, clock, settings);
    Ok((messages.prepare(&mailing).await?, readers))
}

fn parts<'a>(message: &'a Message<'_>, kind: (&str, &str)) -> Vec<&'a mail_parser::MessagePart<'a>> {
    message.parts.iter().filter(|part| part.is_content_type(kind.0, kind.1)).collect()
}

#[tokio::test]
async fn a_picture_is_shown_by_the_html_and_is_no_attachment() {
    let webp = file(&photograph(1300, 650), ImageFormat::WebP);
    let (mailing, readers) = prepared(IMAGES, "Text.", &[("Nämndens torg.webp", webp)], 5_000_000).await.unwrap();
    let message = mailing.make(&readers[0]).unwrap();
    let whole = message.whole();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    let [related] = parts(&parsed, ("multipart", "related"))[..] else { panic!("no multipart/related") };
    assert_eq!(related.content_type().unwrap().attribute("type"), Some("text/html"));
    let PartType::Multipart(inside) = &related.body else { panic!() };
    assert_eq!(inside.len(), 2);
    let [picture] = parts(&parsed, ("image", "jpeg"))[..] else { panic!("no picture") };
    assert!(picture.content_disposition().unwrap().is_inline());
    assert_eq!(picture.attachment_name(), Some("Nämndens torg.jpg"));
    let shown = image::load_from_memory_with_format(picture.contents(), ImageFormat::Jpeg).unwrap();
    assert_eq!((shown.width(), shown.height()), (1280, 640));
    let html = parsed.body_html(0).unwrap();
    let source = format!("src=\"cid:{}\" alt=\"Ett torg\" width=\"592\" height=\"296\"", picture.content_id().unwrap());
    assert!(html.contains(&source), "{source}: {html}");
    assert!(!parsed.body_text(0).unwrap().contains("Bifogade filer"));
    assert!(parts(&parsed, ("multipart", "mixed")).is_empty());
}

#[tokio::test]
async fn what_all_readers_get_is_encoded_once() {
    let jpeg = file(&photograph(600, 400), ImageFormat::Jpeg);
    let (mailing, readers) =
        prepared("", "![Ett torg](torg.jpg)", &[("torg.jpg", jpeg.clone())], 5_000_000).await.unwrap();
    let (first, second) = (mailing.make(&readers[0]).unwrap(), mailing.make(&readers[1]).unwrap());
    assert!(Arc::ptr_eq(&first.shared_end, &second.shared_end));
    assert!(first.shared_end.len() > jpeg.len() && first.bytes.len() < jpeg.len(), "the picture is in the shared end");
}

#[tokio::test]
async fn a_picture_is_attached_too_if_its_author_lists_it_there() {
    let jpeg = file(&photograph(1600, 800), ImageFormat::Jpeg);
    let listed = "[[attachments]]\nfile = \"torg.jpg\"\ntitle = \"Bilden i tryckkvalitet\"\n";
    let files = [("torg.jpg", jpeg.clone())];
    let (mailing, readers) = prepared(listed, "![Ett torg](torg.jpg)", &files, 5_000_000).await.unwrap();
    let whole = mailing.make(&readers[0]).unwrap().whole();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    let dispositions: Vec<bool> =
        parts(&parsed, ("image", "jpeg")).iter().map(|part| part.content_disposition().unwrap().is_inline()).collect();
    assert_eq!(dispositions, [true, false]);
    let original = parts(&parsed, ("image", "jpeg"))[1];
    assert!(original.contents() == jpeg.as_slice(), "the attachment is not the original");
}

#[tokio::test]
async fn a_file_shown_twice_and_a_transparent_one_travel_once_each() {
    let png = file(&logo(200), ImageFormat::Png);
    let files = [("a.png", png.clone()), ("b.png", png.clone())];
    let (mailing, readers) = prepared("", "![A](a.png)\n\n![B](b.png)", &files, 5_000_000).await.unwrap();
    let whole = mailing.make(&readers[0]).unwrap().whole();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    assert_eq!(parts(&parsed, ("image", "png")).len(), 1);
    assert_eq!(parsed.body_html(0).unwrap().matches("src=\"cid:").count(), 2);
}

#[tokio::test]
async fn the_scaled_picture_counts_for_the_size_of_the_mail() {
    let png = file(&photograph(1600, 1000), ImageFormat::Png);
    assert!(png.len() > 1_000_000, "{}", png.len());
    let files = [("torg.png", png)];
    assert!(prepared("", "![Ett torg](torg.png)", &files, 1_000_000).await.is_ok());
    let Err(PrepareError::Broken(why)) = prepared("", "![Ett torg](torg.png)", &files, 10_000).await else {
        panic!("it fits into 10 kB")
    };
    assert!(why.contains("too large for the mail"), "{why}");
}

#[tokio::test]
async fn a_picture_that_cannot_be_shown_stops_the_mailing_with_its_reason() {
    let Err(PrepareError::Broken(why)) =
        prepared("", "![Ett torg](torg.jpg)", &[("torg.jpg", b"%PDF-1.7".to_vec())], 5_000_000).await
    else {
        panic!("a PDF is shown as a picture")
    };
    assert!(why.contains("torg.jpg") && why.contains("not a JPEG, PNG or WebP"), "{why}");
}
