//! Pictures made for tests.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// A "photograph": no two neighbours have the same colour, and the left half is brighter.
pub fn photograph(width: u32, height: u32) -> DynamicImage {
    let pixel = |x: u32, y: u32| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).wrapping_mul(2_246_822_519) >> 27;
        let light = if x < width / 2 { 200 } else { 20 };
        let value = u8::try_from(light + noise).unwrap();
        Rgb([value, value / 2, u8::try_from(y * 255 / height.max(1)).unwrap()])
    };
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel))
}

/// A "drawing": two flat colours.
pub fn drawing(width: u32, height: u32) -> DynamicImage {
    let pixel = |x: u32, _| if (x / 16).is_multiple_of(2) { Rgb([255, 255, 255]) } else { Rgb([0, 60, 120]) };
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel))
}

/// A "logo": a disc without a background.
pub fn logo(size: u32) -> DynamicImage {
    let middle = f64::from(size) / 2.0;
    let pixel = |x: u32, y: u32| {
        let inside = (f64::from(x) - middle).hypot(f64::from(y) - middle) < middle * 0.9;
        Rgba([200, 30, 30, if inside { 255 } else { 0 }])
    };
    DynamicImage::ImageRgba8(RgbaImage::from_fn(size, size, pixel))
}

/// The file of a picture.
pub fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG segment: FF, its code, its length, its content.
pub fn segment(code: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, code], length.as_slice(), content].concat()
}

/// A JPEG file with these segments at its beginning.
pub fn with_segments(jpeg: &[u8], segments: &[Vec<u8>]) -> Vec<u8> {
    [&jpeg[..2], &segments.concat(), &jpeg[2..]].concat()
}

/// Exif data that says how the camera was held: 6 for a quarter turn.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut content = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    content.extend([orientation, 0, 0, 0, 0, 0, 0]);
    segment(0xE1, &content)
}
