//! Pictures that declare more than they should.

use super::*;

#[test]
fn declared_sizes_are_refused_before_anything_is_decoded() {
    let mut png = encoded(noise(3, 2), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let crc = flate2::Crc::new();
    let mut crc = crc;
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    assert!(
        refused(&png).to_string().contains("60000x60000 pixels"),
        "{}",
        refused(&png)
    );

    let mut bmp = encoded(noise(3, 2), ImageFormat::Bmp);
    bmp.truncate(54);
    for (side, allowed) in [(60_000u32, false), (9_000, true)] {
        bmp[18..22].copy_from_slice(&side.to_le_bytes());
        bmp[22..26].copy_from_slice(&side.to_le_bytes());
        let error = refused(&bmp);
        assert_eq!(
            !matches!(error, PictureError::TooManyPixels { .. }),
            allowed,
            "{error}"
        );
    }

    let mut gif = encoded(noise(3, 2), ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xFF; 4]);
    assert!(matches!(refused(&gif), PictureError::TooManyPixels { .. }));

    let mut jpeg = jpeg(&noise(16, 16));
    let frame = jpeg.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xF0, 0xFF, 0xF0]);
    assert!(matches!(refused(&jpeg), PictureError::TooManyPixels { .. }));
    assert!(matches!(
        refused(b"P6 60000 60000 255\n"),
        PictureError::TooManyPixels { .. }
    ));

    let small = PictureLimits {
        max_pixels: 100,
        ..limits()
    };
    let error = decode(&encoded(noise(11, 10), ImageFormat::Png), &small, None).unwrap_err();
    assert_eq!(
        error,
        PictureError::TooManyPixels {
            height: 10,
            width: 11,
            limit: 100
        }
    );
    let few = PictureLimits {
        max_bytes: 100,
        ..limits()
    };
    assert!(matches!(
        decode(&[0; 101], &few, None),
        Err(PictureError::TooManyBytes { .. })
    ));
}

#[test]
fn webp_tiff_and_pam_declare_their_sizes_too() {
    // a canvas of 16,384 by 16,384 pixels, 24 bits each, less one
    let mut webp = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
    webp.extend([0xFF, 0x3F, 0, 0xFF, 0x3F, 0]);
    webp.extend(b"VP8L\x05\0\0\0\x2f\0\0\0\0\0");
    let mut tiff = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    let entries: [(u16, u32); 10] = [
        (256, 60_000),
        (257, 60_000),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, 60_000),
        (279, 100),
        (339, 1),
    ];
    for (tag, value) in entries {
        tiff.extend(tag.to_le_bytes());
        tiff.extend([4, 0, 1, 0, 0, 0]);
        tiff.extend(value.to_le_bytes());
    }
    tiff.extend([0; 4]);
    let pam = b"P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n";
    for file in [&webp[..], &tiff, pam] {
        let error = refused(file);
        assert!(
            matches!(error, PictureError::TooManyPixels { .. }),
            "{error}"
        );
        let raised = PictureLimits::of_pixels(3_600_000_000);
        let error = decode(&file[..file.len() - 1], &raised, None).unwrap_err();
        assert!(
            !matches!(error, PictureError::TooManyPixels { .. }),
            "{error}"
        );
    }
}
