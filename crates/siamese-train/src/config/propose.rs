//! What is not told is chosen from the data, and said.

use anyhow::Result;
use siamese_words::counted;

use super::layers::Layer;

/// What a choice is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traits {
    /// Images to train on.
    pub images: usize,
    /// Classes to train on.
    pub classes: usize,
    /// Usual height and width of a picture.
    pub size: (usize, usize),
    /// Whether all pictures have that size.
    pub alike: bool,
    /// Whether all pictures are grey.
    pub grey: bool,
    /// Pairs to train on, where pairs are listed.
    pub pairs: Option<usize>,
}

/// Settings chosen from the data, with the reasons in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The settings: a layer beneath all that is told.
    pub layer: Layer,
    /// What was chosen and why, a line each.
    pub reasons: Vec<String>,
}

/// What a proposal follows from.
struct Choice {
    size: (usize, usize),
    photo: bool,
    /// Whether pairs are what is learned from.
    pairs: bool,
    epochs: usize,
}

/// Pictures whose longer side is at most this are small: they are taken whole, by a tower for small pictures.
const SMALL: usize = 64;
/// Photos are trained on as squares of this side.
const PHOTO: usize = 128;
/// Images in a batch.
const BATCH: usize = 128;
/// Pairs in a batch.
const PAIRS: usize = 64;
/// Images that a run passes through the tower, small pictures and photos: some 20 minutes on two cores.
const SMALL_IMAGES: usize = 1_200_000;
const PHOTO_IMAGES: usize = 80_000;
/// More epochs than these teach a small set nothing more.
const MOST_EPOCHS: usize = 150;

impl Traits {
    /// Settings for such data, beneath what is told.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn propose(&self, told: &Layer) -> Result<Proposal> {
        let choice = self.choose(told)?;
        let layer = self.layer(&choice)?;
        let untold = |keys: &[&str]| !keys.iter().any(|key| told.has(key));
        let reasons = self.reasons(&choice).into_iter();
        Ok(Proposal {
            layer,
            reasons: reasons
                .filter(|(keys, _)| untold(keys))
                .map(|(_, reason)| reason)
                .collect(),
        })
    }

    /// What the rest follows from; a size or a loss that is told counts.
    fn choose(&self, told: &Layer) -> Result<Choice> {
        let (height, width) = self.training_size();
        let size = (
            told.value("tower.input.height")?.unwrap_or(height),
            told.value("tower.input.width")?.unwrap_or(width),
        );
        let photo = size.0.max(size.1) > SMALL;
        Ok(Choice {
            size,
            photo,
            pairs: self.pairs.is_some() || told.text("objective.kind") == Some("contrastive"),
            epochs: self.epochs(size, photo),
        })
    }

    fn layer(&self, choice: &Choice) -> Result<Layer> {
        let (height, width) = choice.size;
        let mut layer = Layer::default();
        let mut set = |key: &str, value: String| layer.set(key, &value);
        set("preset", "auto".into())?;
        set("epochs", choice.epochs.to_string())?;
        set("tower.input.height", height.to_string())?;
        set("tower.input.width", width.to_string())?;
        set("tower.input.fit", "crop".into())?;
        set("tower.embedding", "128".into())?;
        set("tower.normalize", "true".into())?;
        if choice.photo {
            set("tower.body.kind", "resnet".into())?;
            set("tower.body.depth", "18".into())?;
            set("tower.body.stem", "imagenet".into())?;
            let crop = "{ scale = [0.35, 1.0], ratio = [0.75, 1.3333] }";
            set("augment.random_crop", crop.into())?;
            set("augment.jitter", "0.3".into())?;
        } else {
            set("tower.body.kind", "stages".into())?;
            set("augment.crop_padding", (height.min(width) / 8).to_string())?;
        }
        set("augment.flip", (!self.grey).to_string())?;
        set("data.colour", if self.grey { "grey" } else { "rgb" }.into())?;
        if choice.pairs {
            set("objective.kind", "contrastive".into())?;
            set("sampler.kind", "pairs".into())?;
            set("sampler.pairs_per_batch", PAIRS.to_string())?;
        } else {
            let (classes, images) = self.batch();
            set("objective.kind", "normalized_softmax".into())?;
            set("sampler.kind", "per_class".into())?;
            set("sampler.classes", classes.to_string())?;
            set("sampler.images", images.to_string())?;
        }
        // the best epoch of a one-cycle run is near its end: an early stop would cut the cycle
        set("stopping.patience", choice.epochs.max(7).to_string())?;
        Ok(layer)
    }

    /// What was chosen and why, by the keys of which none may be told for it to be true.
    fn reasons(&self, choice: &Choice) -> Vec<(&'static [&'static str], String)> {
        let (height, width) = choice.size;
        let (tower, why) = match choice.photo {
            true => ("ResNet-18", "photos"),
            false => ("the stages tower", "small pictures"),
        };
        let colour = if self.grey { "grey" } else { "colour" };
        let (classes, images) = self.batch();
        let batches = match (self.pairs, choice.pairs) {
            (Some(_), _) => format!(
                "batches of {PAIRS} of the listed pairs, half of them like, contrastive loss"
            ),
            (None, true) => format!(
                "batches of {PAIRS} pairs, half of them like, as the contrastive loss asks for"
            ),
            (None, false) => format!(
                "batches of {classes} classes × {images} images, normalised softmax: with labels it learns most per image"
            ),
        };
        let batch_keys: &[&str] = match (self.pairs, choice.pairs) {
            (None, true) => &["sampler.kind", "sampler.pairs_per_batch"],
            _ => &["objective.kind", "sampler.kind"],
        };
        let epochs = format!(
            "{} of {}, some 20 minutes on two cores (--time fits the run to a budget)",
            counted(choice.epochs, "epoch"),
            counted(self.images_an_epoch(), "image")
        );
        vec![
            (
                &["tower.input.height", "data.colour"],
                format!("{height}×{width} pixels, {colour}"),
            ),
            (
                &["tower.body.kind"],
                format!("{tower}, since these are {why}"),
            ),
            (batch_keys, batches),
            (&["epochs"], epochs),
        ]
    }

    /// Small pictures keep their size, somewhat larger ones of one size are halved, photos become squares.
    fn training_size(&self) -> (usize, usize) {
        let (mut height, mut width) = self.size;
        if height.max(width) <= SMALL && !self.alike {
            let side = height.min(width).max(16);
            return (side, side);
        }
        if self.alike && height.max(width) <= 2 * SMALL {
            while height.max(width) > SMALL {
                (height, width) = (height.div_ceil(2), width.div_ceil(2));
            }
            return (height, width);
        }
        if height.max(width) <= SMALL {
            return (height, width);
        }
        let side = height.min(width).clamp(32, PHOTO);
        (side, side)
    }

    /// Classes and images of each in a batch.
    fn batch(&self) -> (usize, usize) {
        let per_class = (self.images / self.classes.max(1)).max(2);
        let images = (BATCH / self.classes.max(1)).clamp(4, 64).min(per_class);
        (self.classes.min(BATCH / images).max(2), images)
    }

    /// Images that pass through the tower in an epoch, about.
    fn images_an_epoch(&self) -> usize {
        self.pairs.map_or(self.images, |pairs| 2 * pairs).max(1)
    }

    fn epochs(&self, size: (usize, usize), photo: bool) -> usize {
        let budget = if photo { PHOTO_IMAGES } else { SMALL_IMAGES };
        let pixels = (size.0 * size.1).max(1);
        let usual = if photo { PHOTO * PHOTO } else { 32 * 32 };
        let images = budget as f64 * usual as f64 / pixels as f64;
        ((images / self.images_an_epoch() as f64) as usize).clamp(2, MOST_EPOCHS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(
        images: usize,
        classes: usize,
        size: (usize, usize),
        alike: bool,
        grey: bool,
    ) -> Traits {
        Traits {
            images,
            classes,
            size,
            alike,
            grey,
            pairs: None,
        }
    }

    #[test]
    fn small_pictures_keep_their_size_and_larger_ones_of_one_size_are_halved() {
        assert_eq!(
            traits(60_000, 10, (28, 28), true, true).training_size(),
            (28, 28)
        );
        assert_eq!(
            traits(400, 40, (112, 92), true, true).training_size(),
            (56, 46)
        );
        assert_eq!(
            traits(19_280, 964, (105, 105), true, true).training_size(),
            (53, 53)
        );
        assert_eq!(
            traits(768, 32, (256, 340), false, false).training_size(),
            (128, 128)
        );
        assert_eq!(
            traits(768, 32, (50, 40), false, false).training_size(),
            (40, 40)
        );
    }

    #[test]
    fn a_batch_never_asks_for_more_classes_than_there_are() {
        for (images, classes) in [(30, 2), (768, 32), (60_000, 10), (2_000, 1_000), (9, 3)] {
            let (p, k) = traits(images, classes, (64, 64), true, false).batch();
            assert!(
                p <= classes && p >= 2 && k >= 2,
                "{images} {classes}: {p} x {k}"
            );
            assert!(p * k <= 2 * BATCH, "{p} x {k}");
        }
    }

    #[test]
    fn listed_pairs_are_trained_on_as_pairs() -> Result<()> {
        let mut traits = traits(300, 200, (128, 128), true, false);
        traits.pairs = Some(400);
        let proposal = traits.propose(&Layer::default())?;
        assert_eq!(proposal.layer.text("objective.kind"), Some("contrastive"));
        assert_eq!(proposal.layer.text("sampler.kind"), Some("pairs"));
        assert!(proposal.reasons.concat().contains("listed pairs"));
        Ok(())
    }

    #[test]
    fn what_is_told_is_followed_and_no_reason_speaks_against_it() -> Result<()> {
        let photos = traits(300, 20, (480, 640), false, false);
        let mut told = Layer::default();
        told.set("tower.input.height", "32")?;
        told.set("tower.input.width", "32")?;
        told.set("epochs", "3")?;
        let proposal = photos.propose(&told)?;
        assert_eq!(proposal.layer.text("tower.body.kind"), Some("stages"));
        let reasons = proposal.reasons.join("; ");
        assert!(
            !reasons.contains("pixels") && !reasons.contains("epochs"),
            "{reasons}"
        );
        assert!(reasons.contains("stages"), "{reasons}");
        Ok(())
    }

    #[test]
    fn a_contrastive_loss_that_is_told_brings_its_pairs() -> Result<()> {
        let mut told = Layer::default();
        told.set("objective.kind", "contrastive")?;
        let proposal = traits(300, 20, (128, 128), true, false).propose(&told)?;
        assert_eq!(proposal.layer.text("sampler.kind"), Some("pairs"));
        Ok(())
    }

    #[test]
    fn larger_sets_get_fewer_epochs() {
        let epochs =
            |images| traits(images, 20, (300, 400), false, false).epochs((PHOTO, PHOTO), true);
        assert_eq!(epochs(500), 150);
        assert!(epochs(3_000) < 40 && epochs(100_000) == 2);
    }
}
