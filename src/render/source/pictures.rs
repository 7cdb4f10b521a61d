//! Pictures that stand in the text: images of the release like those of `[[images]]`, with a place of their own.

use super::log::Log;
use super::split::Split;
use crate::model::release::{Image, Release};
use crate::render::markdown::{self, Reading};

/// Adds the pictures of the text. One that `[[images]]` lists already keeps its entry there; what the text says of it
/// has priority.
pub(super) fn add(release: &mut Release, split: &Split, log: &Log) {
    let reading = Reading { of_releases: true, ..Reading::default() };
    for block in markdown::parse(&release.body, &reading) {
        for picture in markdown::pictures_of(&block) {
            let known = release.images.iter().position(|image| image.file.as_deref() == Some(&picture.file));
            let at = known.unwrap_or_else(|| {
                let key = format!("images[{}]", release.images.len());
                log.remember(&key, line_of(&picture.file, split), "body");
                release.images.push(Image { file: Some(picture.file.clone()), ..Image::default() });
                release.images.len() - 1
            });
            let image = &mut release.images[at];
            image.alt = picture.alt.clone().or_else(|| image.alt.take());
            image.caption = picture.caption.clone().or_else(|| image.caption.take());
        }
    }
}

/// The line of the file on which the text shows a picture.
fn line_of(file: &str, split: &Split) -> u32 {
    let is_here = |line: &str| line.contains("![") && line.contains(file);
    let line = split.body.lines().position(is_here).unwrap_or_default();
    split.body_line.saturating_add(u32::try_from(line).unwrap_or(u32::MAX))
}
