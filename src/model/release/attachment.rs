//! Files, images, videos and links of a release.

use std::collections::BTreeMap;

use crate::base::language::Language;

use super::person::Person;

/// Width in CSS pixels of the widest picture: that of the text, in a page of 640 with a margin of 24 on each side.
const WIDEST: u32 = 592;

/// A file's content, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// Size in bytes.
    pub size: u64,
}

/// A file attached to a release: sent in the mail if it is small, as a link if it is large.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// The file's path relative to the release file; no parent folders, no control characters (lint).
    pub file: String,
    /// Its title for readers.
    pub title: Option<String>,
    /// The media type, if the file's name does not tell it.
    pub media_type: Option<String>,
    /// Its language.
    pub language: Option<Language>,
    /// Its authors, or the people in it.
    pub people: Vec<Person>,
    /// URL of the file, for one too large for the mail.
    pub url: Option<String>,
    /// The content, once read.
    pub blob: Option<Blob>,
}

impl Attachment {
    /// The last part of the file's name: the name under which recipients save it.
    pub(crate) fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }

    /// The text shown to readers: the title, or the file's name.
    pub(crate) fn label(&self) -> &str {
        self.title.as_deref().unwrap_or_else(|| self.file_name())
    }
}

/// The size limit of attachments in one mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentBudget {
    /// Maximum bytes of attachments in one mail, before base64 makes them a third larger.
    pub total: u64,
}

impl Default for AttachmentBudget {
    /// 5 MB.
    fn default() -> Self {
        Self { total: 5_000_000 }
    }
}

/// How an attachment reaches the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    /// In the mail.
    InMail,
    /// As a link.
    Link,
    /// Not at all: too large for the mail, and without a link. Lint rejects such a release.
    Nowhere,
}

impl AttachmentBudget {
    /// Bytes of the budget taken by images: each file once.
    pub(crate) fn taken_by(&self, images: &[Image]) -> u64 {
        let by_file: BTreeMap<&str, u64> =
            images.iter().filter_map(|image| Some((image.file.as_deref()?, image.size_in_mail()))).collect();
        by_file.into_values().fold(0, u64::saturating_add)
    }

    /// How each attachment travels, given the budget left by `images`. The smallest go first, so that one large file
    /// does not displace all others; an attachment whose content was not read yet counts as small.
    pub(crate) fn plan(&self, attachments: &[Attachment], images: &[Image]) -> Vec<Travel> {
        let size = |a: &Attachment| a.blob.map_or(0, |blob| blob.size);
        let mut order: Vec<usize> = (0..attachments.len()).collect();
        order.sort_by_key(|i| size(&attachments[*i]));
        let mut plan = vec![Travel::Nowhere; attachments.len()];
        let mut used = self.taken_by(images);
        for i in order {
            let attachment = &attachments[i];
            let with = used.saturating_add(size(attachment));
            plan[i] = if with <= self.total {
                used = with;
                Travel::InMail
            } else if attachment.url.is_some() {
                Travel::Link
            } else {
                Travel::Nowhere
            };
        }
        plan
    }
}

/// An image. A file is shown within the mail, and leads to the URL; without a file, the URL is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// The file's path relative to the release file.
    pub file: Option<String>,
    /// The URL of the image, or of its original if there is a file.
    pub url: Option<String>,
    /// A description for those who cannot see it.
    pub alt: Option<String>,
    /// The caption.
    pub caption: Option<String>,
    /// The photographer.
    pub photographer: Option<String>,
    /// Terms of use.
    pub rights: Option<String>,
    /// The content, once read.
    pub blob: Option<Blob>,
    /// How the mail shows it, once its file was scaled.
    pub picture: Option<MailPicture>,
}

/// How the mail shows a picture whose file was scaled for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailPicture {
    /// Its name within the message, without angle brackets (RFC 2392): the same file has the same name.
    pub content_id: String,
    /// The width at which it is shown, in CSS pixels.
    pub width: u32,
    /// The height at which it is shown, in CSS pixels.
    pub height: u32,
    /// The size of the scaled file, in bytes.
    pub size: u64,
}

impl MailPicture {
    /// The picture of a file, from the pixels and the bytes of its scaled form.
    pub fn new(file: &Blob, (width, height): (u32, u32), size: u64) -> Self {
        let shown = width.clamp(1, WIDEST);
        let rounded = (u64::from(height) * u64::from(shown) + u64::from(width / 2)) / u64::from(width.max(1));
        Self {
            content_id: format!("{}@pictures.depesch", crate::base::token::to_hex(&file.sha256[..16])),
            width: shown,
            height: u32::try_from(rounded).unwrap_or(u32::MAX).max(1),
            size,
        }
    }
}

impl Image {
    /// Bytes that it takes in a mail: those of the scaled picture, or of the file if it was not scaled yet.
    pub(crate) fn size_in_mail(&self) -> u64 {
        let of_file = || self.blob.filter(|_| self.file.is_some()).map_or(0, |blob| blob.size);
        self.picture.as_ref().map_or_else(of_file, |picture| picture.size)
    }
}

/// A video.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// Its title.
    pub title: String,
    /// The people in it.
    pub people: Vec<Person>,
    /// A short description.
    pub text: Option<String>,
    /// Its URL.
    pub url: String,
}

/// A group of links under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkGroup {
    /// The heading, if any.
    pub title: Option<String>,
    /// The links, in the author's order.
    pub links: Vec<Link>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The text shown to readers.
    pub title: String,
    /// Its URL.
    pub url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(size: u64, url: Option<&str>) -> Attachment {
        Attachment {
            file: "a.pdf".into(),
            title: None,
            media_type: None,
            language: None,
            people: vec![],
            url: url.map(Into::into),
            blob: Some(Blob { sha256: [0; 32], size }),
        }
    }

    #[test]
    fn small_files_travel_and_large_ones_become_links() {
        let budget = AttachmentBudget { total: 100 };
        let files = [attachment(90, Some("https://example.org/a")), attachment(60, None), attachment(40, None)];
        assert_eq!(budget.plan(&files, &[]), [Travel::Link, Travel::InMail, Travel::InMail]);
        assert_eq!(budget.plan(&[attachment(101, None)], &[]), [Travel::Nowhere]);
    }

    #[test]
    fn pictures_take_their_part_of_the_budget_as_they_are_scaled() {
        let budget = AttachmentBudget { total: 100 };
        let image = |file: &str, scaled: Option<u64>| Image {
            file: Some(file.into()),
            url: None,
            alt: None,
            caption: None,
            photographer: None,
            rights: None,
            blob: Some(Blob { sha256: [0; 32], size: 70 }),
            picture: scaled.map(|size| MailPicture::new(&Blob { sha256: [0; 32], size: 70 }, (10, 10), size)),
        };
        let plan = |images: &[Image]| budget.plan(&[attachment(40, None)], images);
        assert_eq!(plan(&[image("a.png", None)]), [Travel::Nowhere]);
        assert_eq!(plan(&[image("a.png", Some(35))]), [Travel::InMail], "the scaled picture counts");
        assert_eq!(plan(&[image("a.png", Some(35)), image("a.png", Some(35))]), [Travel::InMail], "once");
        assert_eq!(plan(&[image("a.png", Some(35)), image("b.png", Some(35))]), [Travel::Nowhere]);
    }

    #[test]
    fn a_picture_is_shown_as_wide_as_the_text_and_never_enlarged() {
        let shown = |pixels| {
            let picture = MailPicture::new(&Blob { sha256: [7; 32], size: 1 }, pixels, 9);
            (picture.width, picture.height)
        };
        assert_eq!(shown((1280, 720)), (592, 333));
        assert_eq!(shown((480, 270)), (480, 270));
        assert_eq!(shown((1280, 1)), (592, 1));
    }
}
