//! Files, images, films, links and contacts for templates, one by one.

use crate::model::contact::ReleaseContact;
use crate::model::release::{Attachment, Image, LinkGroup, Video};

use super::labels::Labels;
use super::view::{Fields, people_line, put, put_link, put_list};

/// A file; its name only where it is not the label.
pub(super) fn file(attachment: &Attachment, labels: &Labels) -> Fields {
    let mut fields = Fields::new();
    let (label, name) = (attachment.label(), attachment.file_name());
    let size = attachment.blob.map(|blob| size_in_words(blob.size, labels));
    let detail: Vec<String> = (label != name).then(|| name.to_owned()).into_iter().chain(size).collect();
    put(&mut fields, "label", Some(label));
    put(&mut fields, "detail", Some(detail.join(", ")));
    put(&mut fields, "people", Some(people_line(&attachment.people)));
    put_link(&mut fields, "url", attachment.url.as_deref());
    fields
}

/// An image: `source` is what the HTML shows, `url` where its original is, `below` whether words stand below it.
pub(super) fn image(image: &Image) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "alt", image.alt.as_deref());
    let goes_on = image.photographer.is_some() || image.rights.is_some();
    put(
        &mut fields,
        "caption",
        image.caption.as_deref().map(|caption| if goes_on { ended(caption) } else { caption.to_owned() }),
    );
    put(&mut fields, "photographer", image.photographer.as_deref());
    put(&mut fields, "rights", image.rights.as_deref());
    put_link(&mut fields, "url", image.url.as_deref());
    match &image.picture {
        Some(picture) => {
            put(&mut fields, "source", Some(format!("cid:{}", picture.content_id)));
            put(&mut fields, "width", Some(picture.width.to_string()));
            put(&mut fields, "height", Some(picture.height.to_string()));
        }
        None if image.file.is_none() => put_link(&mut fields, "source", image.url.as_deref()),
        // A file that was not read, as in a test of the templates.
        None if image.alt.is_none() && image.caption.is_none() => put(&mut fields, "caption", image.file.as_deref()),
        None => {}
    }
    let below = ["caption", "photographer", "rights"].iter().any(|name| fields.contains_key(*name));
    if below {
        fields.insert("below".to_owned(), true.into());
    }
    fields
}

/// A caption with a full stop: the photographer's name follows.
fn ended(caption: &str) -> String {
    let has_end = caption.ends_with(['.', '!', '?', '…', ':', '”', '"', '»', ')']);
    if has_end { caption.to_owned() } else { format!("{caption}.") }
}

/// A film.
pub(super) fn video(video: &Video) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "title", Some(video.title.as_str()));
    put(&mut fields, "people", Some(people_line(&video.people)));
    put(&mut fields, "text", video.text.as_deref());
    put_link(&mut fields, "url", Some(&video.url));
    fields
}

/// A contact.
pub(super) fn contact(contact: &ReleaseContact) -> Fields {
    let person = &contact.contact;
    let mut fields = Fields::new();
    put(&mut fields, "name", Some(person.name.as_str()));
    put(&mut fields, "title", person.title.as_deref());
    put(&mut fields, "organisation", person.organisation.as_deref());
    put_list(
        &mut fields,
        "phones",
        person.phones.iter().map(|phone| {
            let mut fields = Fields::new();
            put(&mut fields, "printed", Some(phone.printed.as_str()));
            put(&mut fields, "e164", phone.e164.as_deref());
            fields
        }),
    );
    put(&mut fields, "email", person.email.as_ref().map(|a| a.as_str()));
    put(&mut fields, "hours", person.hours.as_deref());
    fields
}

/// A group of links; `own` is the heading of one without a title.
pub(super) fn link_group(group: &LinkGroup, own: Option<&str>) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "title", group.title.as_deref().or(own));
    put_list(
        &mut fields,
        // Not "links": inside a loop that would be the recipient's own.
        "entries",
        group.links.iter().map(|link| {
            let mut fields = Fields::new();
            put(&mut fields, "title", Some(link.title.as_str()));
            put_link(&mut fields, "url", Some(&link.url));
            fields
        }),
    );
    fields
}

/// "1,2 MB": in thousands, as file managers count, with the language's decimal sign.
pub(super) fn size_in_words(bytes: u64, labels: &Labels) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => {
            let tenths = bytes.div_ceil(100_000);
            format!("{}{}{} MB", tenths / 10, labels.word("decimal_sign"), tenths % 10)
        }
    }
}
