//! CIFAR-100: where the hub has it, what its records' checksums are, and whether decoded pictures are these records.

use md5::{Digest, Md5};

use super::listing::Listing;
use super::origin::Origin;
use crate::digest::hex;
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::split::Part;

pub(crate) const REPO: &str = "uoft-cs/cifar100";
pub(crate) const FILES: [&str; 2] = [
    "cifar100/train-00000-of-00001.parquet",
    "cifar100/test-00000-of-00001.parquet",
];

/// The md5 of the original records: `train.bin` and `test.bin` of cifar-100-binary.tar.gz.
pub(crate) const RECORDS_MD5: [&str; 2] = [
    "6172c7755cfe09b2fe270c85cebc1b15",
    "4499cfba6c016c1be1438163640a0898",
];

/// Whether the pictures of CIFAR-100's parquet files, decoded at their own size, are those of the records that were
/// published: the files' own bytes differ from writer to writer. `items` are the images' places in the listing. `None`
/// where this is another set, the sample, or another size.
///
/// # Errors
///
/// Where an image cannot be read back.
pub(crate) fn as_published(
    listing: &Listing,
    images: &ImageSet,
    items: &[u32],
    published: [&str; 2],
) -> Result<Option<bool>, DataError> {
    let is_it = listing.hub_id.as_deref() == Some(REPO)
        && listing.verified.is_none()
        && !matches!(listing.origin, Origin::Sample(_))
        && (images.height, images.width, images.channels) == (32, 32, 3);
    if !is_it {
        return Ok(None);
    }
    let (mut found, mut same) = (false, true);
    for (part, md5) in [Part::Train, Part::Test].into_iter().zip(published) {
        if listing.count(part) > 0 {
            found = true;
            same &= records_md5(listing, images, items, part)? == md5;
        }
    }
    Ok(Some(found && same))
}

/// The md5 of a part as the records that were published: superclass, class, then the planes of red, green and blue.
fn records_md5(
    listing: &Listing,
    images: &ImageSet,
    items: &[u32],
    part: Part,
) -> Result<String, DataError> {
    let mut digest = Md5::new();
    let mut planes = Vec::with_capacity(images.image_len());
    for (image, &item) in items.iter().enumerate() {
        let item = &listing.items[item as usize];
        if item.part != Some(part) {
            continue;
        }
        let pixels = images.image(image)?;
        planes.clear();
        for channel in 0..images.channels {
            planes.extend(pixels.iter().skip(channel).step_by(images.channels));
        }
        digest.update([item.superclass.unwrap_or_default() as u8, item.label as u8]);
        digest.update(&planes);
    }
    Ok(hex(&digest.finalize()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::listing::Item;
    use crate::source::spans::{Content, Spans};
    use crate::source::store::Store;

    #[test]
    fn pictures_are_the_published_ones_by_the_md5_of_their_records() {
        let pixel = |at: usize| (at * 31 % 251) as u8;
        let pixels: Vec<u8> = (0..3 * 32 * 32 * 3).map(pixel).collect();
        let spans = Spans {
            files: Vec::new(),
            spans: Vec::new(),
            content: Content::Picture,
        };
        let store = Store::Spans(spans);
        let mut listing = Listing::new(Path::new("x"), "parquet", store);
        listing.hub_id = Some(REPO.into());
        // two to train, then one to test: class and superclass
        let told = [(7, 1, Part::Train), (9, 2, Part::Train), (3, 4, Part::Test)];
        listing.items = told
            .map(|(label, superclass, part)| Item {
                label,
                superclass: Some(superclass),
                part: Some(part),
                ..Item::default()
            })
            .to_vec();
        let classes = (0..10).map(|class| class.to_string()).collect();
        let images = ImageSet::new(32, 32, 3, pixels.clone(), vec![7, 9, 3], classes).unwrap();
        let record = |image: usize| {
            let (label, superclass, _) = told[image];
            let mut record = vec![superclass as u8, label as u8];
            for channel in 0..3 {
                let value = |at: usize| pixels[(image * 1024 + at) * 3 + channel];
                record.extend((0..1024).map(value));
            }
            record
        };
        let md5 = |records: Vec<u8>| hex(&Md5::digest(records));
        let [train, test] = [md5([record(0), record(1)].concat()), md5(record(2))];
        let judge = |published| as_published(&listing, &images, &[0, 1, 2], published).unwrap();
        assert_eq!(judge([&train, &test]), Some(true));
        assert_eq!(judge([&test, &train]), Some(false));
        assert_eq!(judge(RECORDS_MD5), Some(false));
        listing.hub_id = None;
        let other = as_published(&listing, &images, &[0, 1, 2], [&train, &test]);
        assert_eq!(other.unwrap(), None);
    }
}
