//! Why a picture is refused: the limits, and the fault with its fix for the author of the release.

use image::ImageError;
use image::error::LimitErrorKind;

/// Maximum bytes of a picture's file that is read.
pub(super) const LARGEST_FILE: usize = 40_000_000;
/// Maximum number of pixels of a picture that is read: a progressive JPEG takes about nine bytes of memory for each.
pub(super) const MOST_PIXELS: u64 = 40_000_000;
/// Maximum bytes of memory for the pixels of one picture.
pub(super) const MOST_MEMORY: u64 = 256_000_000;

/// Why a picture cannot be shown in a mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureFault {
    /// It is no JPEG, PNG or WebP.
    #[error("it is not a JPEG, PNG or WebP picture")]
    Format,
    /// It has too many pixels.
    #[error(
        "it has {width} \u{d7} {height} pixels; pictures of at most {} million pixels are read",
        MOST_PIXELS / 1_000_000
    )]
    TooLarge {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// Its file is too large.
    #[error("it has {} MB; pictures of at most {} MB are read", .0.div_ceil(1_000_000), LARGEST_FILE / 1_000_000)]
    File(usize),
    /// It would take too much memory.
    #[error("it would take more than {} MB of memory", MOST_MEMORY / 1_000_000)]
    Memory,
    /// It cannot be read to its end.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl PictureFault {
    /// How to fix it.
    pub(crate) fn fix(&self) -> &'static str {
        match self {
            Self::Format => "save it as JPEG or PNG, or list it under attachments instead",
            Self::TooLarge { .. } | Self::File(_) | Self::Memory => {
                "save it smaller: a mail shows at most 1280 pixels of its width; attach the original if readers need it"
            }
            Self::Damaged(_) => "open it in an image program, look at it, and save it again",
        }
    }
}

impl From<ImageError> for PictureFault {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::InsufficientMemory) => Self::Memory,
            error => Self::Damaged(error.to_string().chars().filter(|c| !c.is_control()).take(200).collect()),
        }
    }
}
