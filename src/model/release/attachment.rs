//! Files, images, videos and links of a release.

use crate::base::language::Language;

use super::person::Person;

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
    /// Bytes of the budget taken by images: those without a URL travel in the mail.
    pub(crate) fn taken_by(&self, images: &[Image]) -> u64 {
        let in_mail = images.iter().filter(|image| image.url.is_none());
        in_mail.filter_map(|image| image.blob).map(|blob| blob.size).fold(0, u64::saturating_add)
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

/// An image. Shown by its URL; without one, it travels as an attachment.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The file's path relative to the release file.
    pub file: Option<String>,
    /// Its URL.
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
    fn images_that_travel_in_the_mail_take_their_part_of_the_budget() {
        let budget = AttachmentBudget { total: 100 };
        let image = |url: Option<&str>| Image {
            file: Some("a.png".into()),
            url: url.map(Into::into),
            alt: None,
            caption: None,
            photographer: None,
            rights: None,
            blob: Some(Blob { sha256: [0; 32], size: 70 }),
        };
        assert_eq!(budget.plan(&[attachment(40, None)], &[image(None)]), [Travel::Nowhere]);
        assert_eq!(budget.plan(&[attachment(40, None)], &[image(Some("https://example.org/a.png"))]), [Travel::InMail]);
    }
}
