//! Small files that declare 60,000 × 60,000 pixels, in every format.

use std::path::Path;

use anyhow::{Context, Result};
use image::ImageFormat;

use crate::entry::{Entry, Kind, Make, entry};
use crate::made::{cats_and_dogs, encoded, heic, jpeg, model, photo, write};

const SIDE: u32 = 60_000;
const VERIFY: &str = "verify model.safetensors a b";

pub(crate) fn entries() -> Vec<Entry> {
    let makers: [(&str, Make); 9] = [
        ("png", |at| beside(at, &png()?)),
        ("jpeg", |at| beside(at, &in_jpeg()?)),
        ("gif", |at| beside(at, &gif()?)),
        ("bmp", |at| beside(at, &bmp()?)),
        ("webp", |at| beside(at, &webp())),
        ("tiff", |at| beside(at, &tiff())),
        ("ppm", |at| beside(at, b"P6 60000 60000 255\n\0\0\0")),
        ("pam", |at| {
            beside(
                at,
                b"P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n",
            )
        }),
        ("heic", |at| beside(at, &in_heic()?)),
    ];
    let refused = &[
        "b is not a readable picture",
        "60000x60000 pixels",
        "SIAMESE_MAX_PIXELS=3600000000",
    ];
    let verified =
        makers.map(|(name, make)| entry(Kind::DeclaredSize, name, make, VERIFY).fails(refused));
    let among = |command| entry(Kind::DeclaredSize, "among others", among_others, command);
    let mut entries = Vec::from(verified);
    entries.push(among("data check set").says(&[
        "cat/big.png",
        "60000x60000 pixels",
        "cat/big.gif",
    ]));
    entries
}

fn beside(at: &Path, bytes: &[u8]) -> Result<()> {
    write(at, "a", jpeg(1)?)?;
    write(at, "b", bytes)?;
    model(at)
}

fn among_others(at: &Path) -> Result<()> {
    cats_and_dogs(at)?;
    write(at, "set/cat/big.gif", gif()?)?;
    write(at, "set/cat/big.png", png()?)
}

fn png() -> Result<Vec<u8>> {
    let mut png = encoded(photo(1), ImageFormat::Png)?;
    png[16..20].copy_from_slice(&SIDE.to_be_bytes());
    png[20..24].copy_from_slice(&SIDE.to_be_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&png[12..29]);
    png[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    Ok(png)
}

fn in_jpeg() -> Result<Vec<u8>> {
    let mut jpeg = jpeg(2)?;
    let frame = jpeg
        .windows(2)
        .position(|two| two == [0xFF, 0xC0])
        .context("no frame")?;
    let side = (SIDE as u16).to_be_bytes();
    jpeg[frame + 5..frame + 7].copy_from_slice(&side);
    jpeg[frame + 7..frame + 9].copy_from_slice(&side);
    Ok(jpeg)
}

fn gif() -> Result<Vec<u8>> {
    let mut gif = encoded(photo(1), ImageFormat::Gif)?;
    let side = (SIDE as u16).to_le_bytes();
    gif[6..8].copy_from_slice(&side);
    gif[8..10].copy_from_slice(&side);
    Ok(gif)
}

fn bmp() -> Result<Vec<u8>> {
    let mut bmp = encoded(photo(1), ImageFormat::Bmp)?;
    bmp[18..22].copy_from_slice(&SIDE.to_le_bytes());
    bmp[22..26].copy_from_slice(&SIDE.to_le_bytes());
    Ok(bmp)
}

/// A canvas, its sides less one in 24 bits each.
fn webp() -> Vec<u8> {
    let side = &(SIDE - 1).to_le_bytes()[..3];
    [
        b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0",
        side,
        side,
        b"VP8L\x05\0\0\0\x2f\0\0\0\0\0",
    ]
    .concat()
}

fn tiff() -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    let entries: [(u16, u32); 10] = [
        (256, SIDE),
        (257, SIDE),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, SIDE),
        (279, 100),
        (339, 1),
    ];
    for (tag, value) in entries {
        tiff.extend(tag.to_le_bytes());
        tiff.extend([4, 0, 1, 0, 0, 0]);
        tiff.extend(value.to_le_bytes());
    }
    tiff.extend([0; 4]);
    tiff
}

fn in_heic() -> Result<Vec<u8>> {
    let mut heic = heic()?;
    let place = heic
        .windows(4)
        .position(|name| name == b"ispe")
        .context("no size")?;
    heic[place + 8..place + 12].copy_from_slice(&SIDE.to_be_bytes());
    heic[place + 12..place + 16].copy_from_slice(&SIDE.to_be_bytes());
    Ok(heic)
}
