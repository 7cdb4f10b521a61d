//! Rules about attachments and images: safe names, existing files, and sizes that fit into a mail.

use std::collections::BTreeSet;

use super::{FileState, Finding, Severity, Subject};
use crate::model::release::attachment::Travel;
use crate::model::release::{Attachment, Blob, Image};
use crate::render::picture::{PictureFault, ScaledPicture};

/// Attachments of these types are refused by most mail servers, whatever their content.
const BLOCKED: [&str; 12] = ["exe", "bat", "cmd", "com", "js", "jar", "lnk", "msi", "ps1", "scr", "vbs", "iso"];

/// Why a file's name must not be used; `None` for a valid name. A name refers to a file next to the release, or in a
/// folder next to it.
pub(crate) fn file_name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > 200 {
        return Some("it is longer than 200 bytes");
    }
    if name.chars().any(char::is_control) {
        return Some("it contains a control character");
    }
    if name.contains('\\') {
        return Some("it contains a backslash; folders are written with /");
    }
    if name.starts_with('/') || name.get(1..2) == Some(":") {
        return Some("it is absolute; name a file next to the release file");
    }
    if name.starts_with('~') {
        return Some("it begins with ~; name a file next to the release file");
    }
    let parts = || name.split('/');
    if parts().any(|part| part == ".." || part == ".") {
        return Some("it points outside the release file's folder");
    }
    if parts().any(|part| part.is_empty() || part.trim() != part) {
        return Some("it has an empty part, or a space at the edge of one");
    }
    None
}

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let release = subject.release;
    let mut seen = BTreeSet::new();
    for (index, attachment) in release.attachments.iter().enumerate() {
        let key = format!("attachments[{index}].file");
        one_file(subject, &attachment.file, &key, findings);
        if !seen.insert(attachment.file_name().to_lowercase()) {
            let values = [("file", attachment.file_name())];
            findings.push(subject.warning(("same-file", "name"), key.clone(), &values));
        }
        let ending = attachment.file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        if ending.is_some_and(|ending| BLOCKED.contains(&ending.as_str())) {
            findings.push(subject.warning(("blocked-type", "file"), key, &[("file", attachment.file_name())]));
        }
    }
    for (index, image) in release.images.iter().enumerate() {
        if let Some(file) = &image.file {
            one_file(subject, file, &format!("images[{index}].file"), findings);
        }
        let key = format!("images[{index}]");
        let in_text = subject.positions.line(&key).is_some_and(|line| line >= subject.positions.body);
        if let Some((file, Err(fault))) = tried(subject, image) {
            let key = if in_text { key.clone() } else { format!("{key}.file") };
            findings.push(unreadable(subject, file, fault, key));
        }
        if image.alt.is_none() {
            findings.push(subject.place(no_alt_text(subject, if in_text { "in-text" } else { "image" }), key));
        }
    }
    budget(subject, findings);
}

/// The file of an image and what became of scaling it; `None` for an empty file, which is reported as such.
fn tried<'a>(subject: &Subject<'a>, image: &'a Image) -> Option<(&'a str, &'a Result<ScaledPicture, PictureFault>)> {
    let file = image.file.as_deref()?;
    let is_empty = matches!(subject.context.files.get(file), Some(FileState::Found(Blob { size: 0, .. })));
    Some((file, subject.context.pictures.get(file).filter(|_| !is_empty)?))
}

/// A picture that cannot be shown.
fn unreadable(subject: &Subject<'_>, file: &str, fault: &PictureFault, key: String) -> Finding {
    let text = match fault {
        PictureFault::Format => "format",
        PictureFault::TooLarge { .. } | PictureFault::File(_) | PictureFault::Memory => "too-large",
        PictureFault::Damaged(_) => "damaged",
    };
    subject.error(("picture", text), key, &[("file", file), ("fault", &fault.to_string())])
}

/// An image without alt text: an error where the installation demands one.
pub(super) fn no_alt_text(subject: &Subject<'_>, text: &str) -> Finding {
    let severity = if subject.context.require_alt_text { Severity::Error } else { Severity::Warning };
    Finding::said(severity, ("alt-text", text), subject.language(), &[])
}

fn one_file(subject: &Subject<'_>, file: &str, key: &str, findings: &mut Vec<Finding>) {
    if file.is_empty() {
        return; // said by the parser
    }
    if let Some(fault) = file_name_fault(file) {
        let shown: String = file.chars().filter(|c| !c.is_control()).take(80).collect();
        findings.push(subject.error(("file-name", "fault"), key, &[("file", &shown), ("why", fault)]));
        return;
    }
    let (text, why) = match subject.context.files.get(file) {
        None => return,
        Some(FileState::Found(Blob { size: 0, .. })) => (("empty-file", "file"), ""),
        Some(FileState::Found(_)) => return,
        Some(FileState::Missing(why)) => (("missing-file", "file"), why.as_str()),
        Some(FileState::Refused(why)) => (("file-name", "refused"), why.as_str()),
    };
    findings.push(subject.error(text, key, &[("file", file), ("why", why)]));
}

fn budget(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut attachments: Vec<Attachment> = subject.release.attachments.clone();
    for attachment in &mut attachments {
        if let Some(FileState::Found(blob)) = subject.context.files.get(&attachment.file) {
            attachment.blob = Some(*blob);
        }
    }
    let mut images = subject.release.images.clone();
    for image in &mut images {
        if let Some(FileState::Found(blob)) = image.file.as_ref().and_then(|file| subject.context.files.get(file)) {
            image.blob = Some(*blob);
        }
    }
    let budget = &subject.context.budget;
    let (total, taken) = (budget.total, budget.taken_by(&images));
    if taken > total {
        let (size, most) = (megabytes(taken), megabytes(total));
        let values = [("size", size.as_str()), ("most", &most)];
        findings.push(subject.error(("too-large", "images"), "images[0]", &values));
    }
    for (index, (attachment, travel)) in attachments.iter().zip(budget.plan(&attachments, &images)).enumerate() {
        let size = attachment.blob.map_or(0, |blob| blob.size);
        let key = format!("attachments[{index}]");
        match travel {
            Travel::InMail | Travel::Link => {}
            Travel::Nowhere => {
                let (size, most) = (megabytes(size), megabytes(total));
                let values = [("file", attachment.file.as_str()), ("size", &size), ("most", &most)];
                findings.push(subject.error(("too-large", "attachment"), key, &values));
            }
        }
    }
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::file_name_fault;

    #[test]
    fn a_name_leads_nowhere_but_beside_the_release() {
        for good in ["program.pdf", "bilder/Åsa 1.jpg", "a..b.pdf"] {
            assert_eq!(file_name_fault(good), None, "{good}");
        }
        for bad in
            ["", "/etc/passwd", "../a", "a/../../b", "./a", "a//b", "C:a", "a\\b", "a\0b", "a\nb", "~/a", "a/ ", "a/"]
        {
            assert!(file_name_fault(bad).is_some(), "{bad:?} was taken");
        }
    }
}
