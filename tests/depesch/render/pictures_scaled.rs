//! Pictures are scaled for the mail: no larger than it needs, upright, with their colours and caption data.

use depesch::render::picture::{PictureFault, PictureFormat, ScaledPicture, scale};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader};

use crate::support::pictures::{drawing, exif, file, logo, photograph, segment, with_segments};
use crate::support::samples;

fn read(picture: &ScaledPicture) -> DynamicImage {
    let format = match picture.format {
        PictureFormat::Jpeg => ImageFormat::Jpeg,
        PictureFormat::Png => ImageFormat::Png,
    };
    let read = image::load_from_memory_with_format(&picture.bytes, format).unwrap();
    assert_eq!((read.width(), read.height()), (picture.width, picture.height));
    read
}

#[test]
fn a_large_photograph_becomes_a_jpeg_of_twice_the_shown_width() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let scaled = scale(&file(&photograph(1600, 800), format)).unwrap();
        assert_eq!((scaled.format, scaled.width, scaled.height), (PictureFormat::Jpeg, 1280, 640), "{format:?}");
        let pixels = read(&scaled).into_luma8();
        assert!(pixels.get_pixel(100, 600).0[0] > pixels.get_pixel(1200, 600).0[0] + 50, "the left half is brighter");
    }
}

#[test]
fn a_small_picture_is_sent_as_it_is() {
    for (format, sent_as) in [(ImageFormat::Jpeg, PictureFormat::Jpeg), (ImageFormat::Png, PictureFormat::Png)] {
        let bytes = file(&photograph(300, 200), format);
        let scaled = scale(&bytes).unwrap();
        assert_eq!((scaled.format, scaled.bytes.as_slice()), (sent_as, bytes.as_slice()));
    }
}

#[test]
fn drawings_and_transparent_pictures_stay_png() {
    for picture in [drawing(1600, 400), logo(1500)] {
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let scaled = scale(&file(&picture, format)).unwrap();
            assert_eq!((scaled.format, scaled.width), (PictureFormat::Png, 1280), "{format:?}");
            assert_eq!(read(&scaled).color().has_alpha(), picture.color().has_alpha());
        }
    }
    let corner = read(&scale(&file(&logo(1500), ImageFormat::Png)).unwrap()).into_rgba8();
    assert_eq!(corner.get_pixel(2, 2).0[3], 0, "the corner is still transparent");
}

#[test]
fn a_picture_is_turned_as_its_camera_noted() {
    let lying = with_segments(&file(&photograph(400, 200), ImageFormat::Jpeg), &[exif(6)]);
    let scaled = scale(&lying).unwrap();
    assert_eq!((scaled.width, scaled.height), (200, 400));
    let pixels = read(&scaled).into_luma8();
    assert!(pixels.get_pixel(150, 20).0[0] > pixels.get_pixel(150, 380).0[0] + 50, "left has become top");
    let mut decoder = ImageReader::with_format(std::io::Cursor::new(scaled.bytes.as_slice()), ImageFormat::Jpeg)
        .into_decoder()
        .unwrap();
    assert_eq!(decoder.orientation().unwrap(), image::metadata::Orientation::NoTransforms, "it is not turned again");
}

/// An ICC profile of this colour space, as far as it is looked at (ICC.1 §7.2).
fn profile(space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 128];
    profile[16..20].copy_from_slice(space);
    profile
}

fn jpeg_with_profile(space: &[u8; 4]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile(space)).unwrap();
    let pixels = photograph(1500, 100);
    encoder.write_image(pixels.as_bytes(), 1500, 100, pixels.color().into()).unwrap();
    bytes
}

#[test]
fn colour_profile_and_caption_data_are_kept() {
    let iptc = segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0e\x1c\x02\x50\0\x09Ida Falk.");
    let source = with_segments(&jpeg_with_profile(b"RGB "), std::slice::from_ref(&iptc));
    let scaled = scale(&source).unwrap();
    assert_eq!(scaled.width, 1280);
    read(&scaled);
    assert!(scaled.bytes.windows(iptc.len()).any(|part| part == iptc), "the caption data is missing");
    let mut decoder = ImageReader::with_format(std::io::Cursor::new(scaled.bytes.as_slice()), ImageFormat::Jpeg)
        .into_decoder()
        .unwrap();
    assert_eq!(decoder.icc_profile().unwrap(), Some(profile(b"RGB ")));
    // The profile of other colours would falsify those of the pixels.
    let of_print = scale(&jpeg_with_profile(b"CMYK")).unwrap();
    assert!(!of_print.bytes.windows(4).any(|part| part == b"CMYK"));
}

#[test]
fn what_is_no_picture_or_a_damaged_one_is_a_fault() {
    assert_eq!(scale(b"%PDF-1.7"), Err(PictureFault::Format));
    assert_eq!(scale(b""), Err(PictureFault::Format));
    assert_eq!(scale(b"GIF89a\x01\0\x01\0\0\0\0;"), Err(PictureFault::Format));
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let whole = file(&photograph(300, 200), format);
        for part in [30, whole.len() / 2, whole.len() - 9] {
            let fault = scale(&whole[..part]);
            assert!(matches!(fault, Err(PictureFault::Damaged(_))), "{format:?} up to {part}: {fault:?}");
        }
    }
}

#[test]
fn a_file_that_announces_too_many_pixels_is_refused_before_it_is_read() {
    let mut png = samples::file("station-square.png");
    png[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(scale(&png), Err(PictureFault::TooLarge { width: 30_000, height: 30_000 }));
}

#[test]
fn a_file_of_many_megabytes_is_refused_before_it_is_read() {
    let mut file = file(&photograph(30, 20), ImageFormat::Jpeg);
    file.resize(40_000_001, 0);
    assert_eq!(scale(&file), Err(PictureFault::File(40_000_001)));
}

/// ISO 3309, as PNG uses it (PNG §5.5).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}
