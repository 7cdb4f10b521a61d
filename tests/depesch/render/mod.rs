//! Tests of `render`.

mod pictures_in_text;
mod pictures_scaled;
mod release_file;
mod release_files_shown;
mod release_films;
mod release_kinds;
mod release_links;
mod release_lint;
mod release_markdown;
mod release_places;
mod release_preview;
mod release_samples;
mod release_speech;
mod release_swedish;
mod release_typography;
mod release_unicode;
mod release_unshown;
mod release_wording;
mod sample_snapshots;
mod template_safety;
mod templates;
