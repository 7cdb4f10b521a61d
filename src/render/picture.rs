//! Scales the pictures of a release for the mail: a file's bytes in, the bytes that are sent out.
//!
//! JPEG, PNG and WebP are read, JPEG and PNG are sent: Outlook shows no WebP. A picture is turned upright as its camera
//! noted (Exif), because many mail programs ignore that note; its colour profile is kept, and of a JPEG the caption data
//! of the agency (IPTC). Other Exif data, such as the place where it was taken, is dropped when a picture is encoded
//! again.
//!
//! Pure, but slow: a photograph of 24 million pixels takes some tenths of a second. Hostile bytes are a [`PictureFault`].

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fast_image_resize::images::{Image as Pixels, ImageRef};
use fast_image_resize::{PixelType, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits};

use crate::model::release::{MailPicture, Release};

mod fault;
mod jpeg;

pub use fault::PictureFault;
use fault::{LARGEST_FILE, MOST_MEMORY, MOST_PIXELS};

/// The pictures of a release, scaled, or why not, by the names of their files. A missing name was not tried.
pub type ScaledPictures = BTreeMap<String, Result<ScaledPicture, PictureFault>>;

/// Width in pixels to which larger pictures are scaled: twice the width at which a mail shows them, for sharp screens.
const WIDTH: u32 = 1280;
/// Height in pixels to which taller pictures are scaled.
const HEIGHT: u32 = 5000;
/// A JPEG or PNG of at most this many bytes that needs no scaling is sent as it is.
const KEPT_BYTES: usize = 400_000;
/// The quality of JPEG, of 100: at twice the shown width no loss is visible.
const QUALITY: u8 = 82;

/// The format in which a picture is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

impl PictureFormat {
    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// `name` with the ending of this format, if it has another one.
    pub(crate) fn file_name(self, name: &str) -> String {
        let endings: &[&str] = match self {
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Png => &["png"],
        };
        match name.rsplit_once('.') {
            Some((_, ending)) if endings.iter().any(|known| ending.eq_ignore_ascii_case(known)) => name.to_owned(),
            Some((stem, _)) if !stem.is_empty() => format!("{stem}.{}", endings[0]),
            _ => format!("{name}.{}", endings[0]),
        }
    }
}

/// A picture as it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct ScaledPicture {
    /// Its file.
    pub bytes: Arc<Vec<u8>>,
    /// The format of the file.
    pub format: PictureFormat,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

impl fmt::Debug for ScaledPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}x{}, {} bytes", self.format, self.width, self.height, self.bytes.len())
    }
}

/// Notes at each image of a release how the mail shows it. The contents of its files are known.
pub(crate) fn attach(release: &mut Release, pictures: &ScaledPictures) {
    for image in &mut release.images {
        let scaled = image.file.as_ref().and_then(|file| pictures.get(file)?.as_ref().ok());
        image.picture = image
            .blob
            .zip(scaled)
            .map(|(file, scaled)| MailPicture::new(&file, (scaled.width, scaled.height), scaled.bytes.len() as u64));
    }
}

/// Makes of a picture's file what the mail carries.
///
/// # Errors
/// [`PictureFault`].
pub fn scale(file: &[u8]) -> Result<ScaledPicture, PictureFault> {
    // Decoders have panicked on hostile bytes before; here that is a fault like any other.
    catch_unwind(AssertUnwindSafe(|| scaled(file)))
        .unwrap_or_else(|_| Err(PictureFault::Damaged("reading it failed".to_owned())))
}

fn scaled(file: &[u8]) -> Result<ScaledPicture, PictureFault> {
    let format = image::guess_format(file).map_err(|_| PictureFault::Format)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP) {
        return Err(PictureFault::Format);
    }
    if file.len() > LARGEST_FILE {
        return Err(PictureFault::File(file.len()));
    }
    if format == ImageFormat::Jpeg && jpeg::is_cut_off(file) {
        return Err(PictureFault::Damaged("its end is missing".to_owned()));
    }
    let read = Decoded::read(file, format)?;
    let (width, height) = (read.pixels.width(), read.pixels.height());
    let (to_width, to_height) = fitted(width, height);
    let same_size = (to_width, to_height) == (width, height);
    let sent_as = match format {
        ImageFormat::Jpeg => Some(PictureFormat::Jpeg),
        ImageFormat::Png => Some(PictureFormat::Png),
        _ => None,
    };
    if let Some(format) = sent_as.filter(|_| same_size && !read.was_turned && file.len() <= KEPT_BYTES) {
        return Ok(ScaledPicture { bytes: Arc::new(file.to_vec()), format, width, height });
    }
    let pixels = if same_size { read.pixels } else { resized(&read.pixels, to_width, to_height)? };
    let captions = if format == ImageFormat::Jpeg { jpeg::captions(file) } else { Vec::new() };
    encoded(&pixels, read.profile, &captions, format)
}

/// The size in which a picture is sent: never larger than it is.
fn fitted(width: u32, height: u32) -> (u32, u32) {
    let factor = (f64::from(WIDTH) / f64::from(width)).min(f64::from(HEIGHT) / f64::from(height)).min(1.0);
    let side = |pixels: u32, most: u32| ((f64::from(pixels) * factor).round() as u32).clamp(1, most);
    (side(width, WIDTH), side(height, HEIGHT))
}

/// A picture's pixels, upright, with 8 bits for each colour.
struct Decoded {
    pixels: DynamicImage,
    profile: Option<Vec<u8>>,
    was_turned: bool,
}

impl Decoded {
    fn read(file: &[u8], format: ImageFormat) -> Result<Self, PictureFault> {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MOST_MEMORY);
        let mut reader = ImageReader::with_format(Cursor::new(file), format);
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(PictureFault::TooLarge { width, height });
        }
        limits.reserve(decoder.total_bytes())?;
        decoder.set_limits(limits)?;
        let profile = decoder.icc_profile().ok().flatten();
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut pixels = in_eight_bits(DynamicImage::from_decoder(decoder)?);
        pixels.apply_orientation(orientation);
        // A profile for other colours than those of the pixels, such as that of a CMYK file, would falsify them.
        let space: &[u8] = if pixels.color().has_color() { b"RGB " } else { b"GRAY" };
        let profile = profile.filter(|profile| profile.get(16..20) == Some(space));
        Ok(Self { pixels, profile, was_turned: orientation != Orientation::NoTransforms })
    }
}

/// The pixels as grey, RGB or RGBA of 8 bits each; transparency that is never used is left out.
fn in_eight_bits(pixels: DynamicImage) -> DynamicImage {
    if pixels.color().has_alpha() {
        let with_alpha = pixels.into_rgba8();
        return match with_alpha.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
            true => DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(with_alpha).into_rgb8()),
            false => DynamicImage::ImageRgba8(with_alpha),
        };
    }
    match pixels.color().has_color() {
        true => DynamicImage::ImageRgb8(pixels.into_rgb8()),
        false => DynamicImage::ImageLuma8(pixels.into_luma8()),
    }
}

fn resized(pixels: &DynamicImage, width: u32, height: u32) -> Result<DynamicImage, PictureFault> {
    let kind = match pixels {
        DynamicImage::ImageLuma8(_) => PixelType::U8,
        DynamicImage::ImageRgb8(_) => PixelType::U8x3,
        _ => PixelType::U8x4,
    };
    let failed = |what: String| PictureFault::Damaged(what);
    let from = ImageRef::new(pixels.width(), pixels.height(), pixels.as_bytes(), kind)
        .map_err(|error| failed(error.to_string()))?;
    let mut to = Pixels::new(width, height, kind);
    Resizer::new().resize(&from, &mut to, None).map_err(|error| failed(error.to_string()))?;
    let bytes = to.into_vec();
    let made = match kind {
        PixelType::U8 => image::GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8),
        PixelType::U8x3 => image::RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8),
        _ => image::RgbaImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgba8),
    };
    made.ok_or_else(|| failed("its size is wrong".to_owned()))
}

/// Encodes a picture: as JPEG, unless it has transparent parts, or is a drawing or screenshot: a PNG for which JPEG saves
/// less than half.
fn encoded(
    pixels: &DynamicImage,
    profile: Option<Vec<u8>>,
    captions: &[u8],
    from: ImageFormat,
) -> Result<ScaledPicture, PictureFault> {
    let (width, height) = (pixels.width(), pixels.height());
    let picture = |bytes, format| ScaledPicture { bytes: Arc::new(bytes), format, width, height };
    if pixels.color().has_alpha() {
        return Ok(picture(png(pixels, profile)?, PictureFormat::Png));
    }
    let as_jpeg = jpeg::with_captions(jpeg_file(pixels, profile.clone())?, captions);
    if from == ImageFormat::Jpeg {
        return Ok(picture(as_jpeg, PictureFormat::Jpeg));
    }
    let as_png = png(pixels, profile)?;
    Ok(match as_jpeg.len() * 2 < as_png.len() {
        true => picture(as_jpeg, PictureFormat::Jpeg),
        false => picture(as_png, PictureFormat::Png),
    })
}

fn jpeg_file(pixels: &DynamicImage, profile: Option<Vec<u8>>) -> Result<Vec<u8>, PictureFault> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    if let Some(profile) = profile {
        // Encoders that cannot hold a profile leave it out.
        let _ = encoder.set_icc_profile(profile);
    }
    encoder.write_image(pixels.as_bytes(), pixels.width(), pixels.height(), color(pixels))?;
    Ok(bytes)
}

fn png(pixels: &DynamicImage, profile: Option<Vec<u8>>) -> Result<Vec<u8>, PictureFault> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile);
    }
    encoder.write_image(pixels.as_bytes(), pixels.width(), pixels.height(), color(pixels))?;
    Ok(bytes)
}

fn color(pixels: &DynamicImage) -> ExtendedColorType {
    pixels.color().into()
}
