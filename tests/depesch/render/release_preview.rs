//! A preview is the whole message, made without a store.

use std::collections::BTreeMap;

use depesch::composition::content::Content;
use depesch::composition::preview::{PreviewSettings, preview};
use depesch::composition::sample::SampleReader;
use depesch::model::release::Image;
use depesch::render::picture::{ScaledPictures, scale};
use mail_parser::{MessageParser, MimeHeaders};

use crate::support::mailings::minute;
use crate::support::samples::{ALL, file, release, templates};

#[test]
fn every_sample_can_be_previewed_with_and_without_its_files() {
    let content = Content { templates: templates(), ..Content::built_in().unwrap() };
    for name in ALL {
        let release = release(name);
        let of_image = |image: &Image| image.file.clone().map(|name| (name.clone(), scale(&file(&name))));
        let pictures: ScaledPictures = release.images.iter().filter_map(of_image).collect();
        let made = |files: &BTreeMap<String, Vec<u8>>| {
            preview(
                &content,
                &release,
                files,
                &pictures,
                &SampleReader::default(),
                &PreviewSettings::default(),
                minute(0),
            )
            .unwrap()
        };
        let without = made(&BTreeMap::new());
        let files: BTreeMap<String, Vec<u8>> =
            without.left_out.iter().map(|file| (file.clone(), file.clone().into_bytes())).collect();
        assert_eq!(files.is_empty(), release.attachments.is_empty(), "{name}");
        let with = made(&files);
        assert!(with.left_out.is_empty(), "{name}: {:?}", with.left_out);
        let parsed = MessageParser::default().parse(&with.message).unwrap();
        assert_eq!(parsed.subject(), Some(with.subject.as_str()));
        assert_eq!(parsed.body_html(0).unwrap().replace("\r\n", "\n"), with.html);
        for content in files.values() {
            assert!(parsed.parts.iter().any(|part| part.contents() == content.as_slice()), "{name}");
        }
        let shown = parsed.parts.iter().filter(|part| part.content_id().is_some()).count();
        assert_eq!((shown, with.html.matches("\"cid:").count()), (pictures.len(), pictures.len()), "{name}");
        let calendars = parsed.parts.iter().filter(|part| part.is_content_type("text", "calendar")).count();
        assert_eq!(calendars, usize::from(release.kind.as_str() == "invitation"), "{name}");
    }
}
