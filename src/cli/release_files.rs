//! A release file and the files next to it: read once, hashed, and no link to another place is followed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::base::unicode::tidy;
use crate::composition::content::Content;
use crate::model::contact::ContactBook;
use crate::model::release::Blob;
use crate::render::finding::Finding;
use crate::render::lint::{FileState, file_name_fault};
use crate::render::picture::{ScaledPictures, scale};
use crate::render::source::{book::parse_book, parse};
use crate::store::blobs::MAX_BLOB;

use super::CliError;

/// A contact book of this name next to a release file is used when no other is named.
const BOOK_BESIDE: &str = "contacts.toml";

/// A release file and the files that it refers to.
pub(super) struct LocalRelease {
    /// The release file.
    pub path: PathBuf,
    /// Its text.
    pub source: String,
    /// Each file that it refers to.
    pub files: BTreeMap<String, FileState>,
}

/// Reads a text file.
pub(super) fn read_text(path: &Path) -> Result<String, CliError> {
    let bytes = fs::read(path).map_err(|error| CliError::File { action: "read", path: path.to_owned(), error })?;
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes_before(error.as_bytes(), error.utf8_error().valid_up_to());
        CliError::Usage(format!("{}:{line}: not UTF-8 text; save the file as UTF-8", path.display()))
    })
}

fn bytes_before(bytes: &[u8], end: usize) -> usize {
    bytes[..end].iter().filter(|byte| **byte == b'\n').count()
}

impl LocalRelease {
    /// Reads a release file and the files next to it that it refers to.
    pub(super) fn read(path: &Path, content: &Content) -> Result<Self, CliError> {
        let path = &on_disk(path);
        let source = read_text(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let draft = parse(&source, &content.source).draft;
        let names: Vec<&str> = draft.iter().flat_map(|draft| draft.files()).collect();
        let files = names.into_iter().map(|name| (name.to_owned(), state_of(folder, name))).collect();
        Ok(Self { path: path.to_owned(), source, files })
    }

    /// Its pictures, scaled as for its mail.
    pub(super) fn pictures(&self, content: &Content) -> Result<ScaledPictures, CliError> {
        let mut pictures = ScaledPictures::new();
        let draft = parse(&self.source, &content.source).draft;
        for name in draft.iter().flat_map(|draft| draft.pictures()) {
            if let Some(FileState::Found(_)) = self.files.get(name) {
                pictures.insert(name.to_owned(), scale(&self.content_of(name)?));
            }
        }
        Ok(pictures)
    }

    /// The content of a file that it refers to.
    pub(super) fn content_of(&self, name: &str) -> Result<Vec<u8>, CliError> {
        let path = self.path_of(name);
        fs::read(&path).map_err(|error| CliError::File { action: "read", path, error })
    }

    /// The path of a file that it refers to.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new("")).to_owned();
        name.split('/').fold(folder, |path, part| on_disk(&path.join(part)))
    }

    /// The contact book named on the command line, or the one next to the release.
    pub(super) fn book(&self, named: Option<&Path>, content: &Content) -> Result<ContactBook, CliError> {
        let beside = self.path_of(BOOK_BESIDE);
        let named = named.map(on_disk);
        let path = match &named {
            Some(path) => path,
            None if beside.is_file() => &beside,
            None => return Ok(ContactBook::default()),
        };
        let wrong = |findings: Vec<Finding>| {
            let all: Vec<String> = findings.iter().map(|f| format!("{}: {f}", path.display())).collect();
            CliError::Usage(all.join("\n"))
        };
        Ok(parse_book(&read_text(path)?, &content.source).map_err(wrong)?.into_book())
    }
}

/// The path with the file name as the disk spells it: names are typed in one Unicode form, and some systems store
/// another ("å" as "a" and a ring). An exact match comes first; the path itself if there is no match.
fn on_disk(path: &Path) -> PathBuf {
    let (Some(name), false) = (path.file_name().and_then(|name| name.to_str()), fs::symlink_metadata(path).is_ok())
    else {
        return path.to_owned();
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let same = |found: &fs::DirEntry| found.file_name().to_str().is_some_and(|found| tidy(found) == tidy(name));
    let found = fs::read_dir(folder).ok().and_then(|entries| entries.flatten().find(same));
    found.map_or_else(|| path.to_owned(), |found| path.with_file_name(found.file_name()))
}

/// The state of the file `name` in `folder`.
fn state_of(folder: &Path, name: &str) -> FileState {
    if let Some(fault) = file_name_fault(name) {
        return FileState::Refused(fault.to_owned());
    }
    let mut path = folder.to_owned();
    for part in name.split('/') {
        path = on_disk(&path.join(part));
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => return FileState::Refused("it is a symbolic link".to_owned()),
            Ok(_) => {}
            Err(error) => return FileState::Missing(error.to_string()),
        }
    }
    match fs::metadata(&path) {
        Ok(found) if !found.is_file() => FileState::Refused("it is not a regular file".to_owned()),
        Ok(found) if found.len() > MAX_BLOB => FileState::Refused(format!("it is larger than {MAX_BLOB} bytes")),
        Ok(_) => hash(&path).map_or_else(|error| FileState::Missing(error.to_string()), FileState::Found),
        Err(error) => FileState::Missing(error.to_string()),
    }
}

fn hash(path: &Path) -> io::Result<Blob> {
    let (mut file, mut hash, mut size) = (File::open(path)?, Sha256::new(), 0u64);
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Blob { sha256: hash.finalize().into(), size }),
            count => {
                hash.update(&piece[..count]);
                size += count as u64;
            }
        }
    }
}
