//! What is not told is chosen from the data, and said.

use anyhow::Result;
use siamese_core::{Body, ImageInput};
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
    /// Whether nothing is known of classes: each picture is then one of two images.
    pub unlabelled: bool,
}

/// Weights that a run is to start from, as far as a proposal follows from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Their file, or their name on the hub.
    pub name: String,
    /// The body that they are of, where it is known.
    pub body: Option<Body>,
    /// The pictures that they were trained on.
    pub input: ImageInput,
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
    /// Whether a head learns to compare them.
    compares: bool,
    epochs: usize,
    /// Whether the body is one that was trained before, most of it frozen.
    frozen: bool,
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

/// Epochs of a tower that was trained before.
const START_EPOCHS: usize = 20;

impl Start {
    /// The body of the weights, frozen but for a ResNet's last stage, and pictures as they are used to; nothing is changed
    /// at random, so that the frozen part is passed but once.
    fn layer(&self, told: &Layer) -> Result<Layer> {
        let mut layer = Layer::default();
        let mut set = |key: &str, value: String| layer.set(key, &value);
        set("tower.pretrained", format!("{:?}", self.name))?;
        let Some(body) = &self.body else {
            return Ok(layer);
        };
        set("tower.input.mean", format!("{:?}", self.input.mean))?;
        set("tower.input.std", format!("{:?}", self.input.std))?;
        let frozen = match body {
            Body::DinoV2(_) => "body",
            _ => "layer3",
        };
        set("tower.frozen", frozen.into())?;
        set("learning_rate", "0.001".into())?;
        if told.text("tower.frozen").unwrap_or(frozen) != "body" {
            set("optimizer.rates", "{ backbone = 0.1 }".into())?;
        }
        set("data.colour", "rgb".into())?;
        let of_body = Layer::of(&serde_json::json!({ "tower": { "body": body } }))?;
        Ok(layer.under(&of_body))
    }

    fn reason(&self) -> String {
        let name = &self.name;
        let Some(body) = &self.body else {
            return format!("a tower that starts from the weights {name}");
        };
        let frozen = match body {
            Body::DinoV2(_) => "frozen, a layer after it is trained",
            _ => "frozen but for its last stage",
        };
        format!(
            "{body}, from the weights {name}, {frozen}; {}×{} pixels, as it is used to",
            self.input.height, self.input.width
        )
    }
}

impl Traits {
    /// Settings for such data, and for the weights to start from where there are some, beneath what is told.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn propose(&self, start: Option<&Start>, told: &Layer) -> Result<Proposal> {
        let choice = self.choose(start, told)?;
        let mut layer = self.layer(&choice)?;
        let untold = |keys: &[&str]| !keys.iter().any(|key| told.has(key));
        let mut reasons = self.reasons(&choice);
        if let Some(start) = start {
            layer = layer.under(&start.layer(told)?);
            reasons.retain(|(keys, _)| keys != &["tower.body.kind"]);
            reasons.push((&["tower.frozen"], start.reason()));
        }
        let reasons = reasons.into_iter();
        Ok(Proposal {
            layer,
            reasons: reasons
                .filter(|(keys, _)| untold(keys))
                .map(|(_, reason)| reason)
                .collect(),
        })
    }

    /// Whether these are photos.
    pub(crate) fn photos(&self) -> bool {
        let (height, width) = self.training_size();
        height.max(width) > SMALL
    }

    /// What the rest follows from; a size or a loss that is told counts.
    fn choose(&self, start: Option<&Start>, told: &Layer) -> Result<Choice> {
        let start = start.filter(|start| start.body.is_some());
        let (height, width) = match start {
            Some(start) => (start.input.height, start.input.width),
            None => self.training_size(),
        };
        let size = (
            told.value("tower.input.height")?.unwrap_or(height),
            told.value("tower.input.width")?.unwrap_or(width),
        );
        let photo = size.0.max(size.1) > SMALL;
        let objective = told.text("objective.kind");
        let sampled = told.text("objective.pairs") == Some("sampled");
        Ok(Choice {
            size,
            photo,
            frozen: start.is_some_and(|start| start.body.is_some()),
            pairs: self.pairs.is_some() || objective == Some("contrastive") || sampled,
            compares: objective == Some("same_different")
                || told.text("head.kind") == Some("comparison"),
            epochs: match start {
                Some(_) => START_EPOCHS,
                None => self.epochs(size, photo),
            },
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
        // a comparison weighs single numbers, which unit length would make small
        set("tower.normalize", (!choice.compares).to_string())?;
        if choice.photo {
            set("tower.body.kind", "resnet".into())?;
            set("tower.body.depth", "18".into())?;
            set("tower.body.stem", "imagenet".into())?;
        } else {
            set("tower.body.kind", "stages".into())?;
        }
        if choice.photo && !choice.frozen {
            let crop = "{ scale = [0.35, 1.0], ratio = [0.75, 1.3333] }";
            set("augment.random_crop", crop.into())?;
            set("augment.jitter", "0.3".into())?;
        } else if !choice.frozen {
            set("augment.crop_padding", (height.min(width) / 8).to_string())?;
        }
        if self.unlabelled {
            // what SimCLR found to matter: parts of a picture, in other colours
            let crop = "{ scale = [0.2, 1.0], ratio = [0.75, 1.3333] }";
            set("augment.random_crop", crop.into())?;
            set("augment.jitter", "0.4".into())?;
        }
        // what never changes passes the frozen part but once
        set("augment.flip", (!self.grey && !choice.frozen).to_string())?;
        set("data.colour", if self.grey { "grey" } else { "rgb" }.into())?;
        if choice.compares {
            set("head.kind", "comparison".into())?;
            set("objective.kind", "same_different".into())?;
            let pairs = if choice.pairs { "sampled" } else { "in_batch" };
            set("objective.pairs", pairs.into())?;
        } else if choice.pairs {
            set("objective.kind", "contrastive".into())?;
        } else if self.unlabelled {
            set("objective.kind", "nt_xent".into())?;
        } else {
            set("objective.kind", "normalized_softmax".into())?;
        }
        if choice.pairs {
            set("sampler.kind", "pairs".into())?;
            set("sampler.pairs_per_batch", PAIRS.to_string())?;
        } else {
            let (classes, images) = self.batch();
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
        let loss = match choice.compares {
            true => "binary cross-entropy of same and different",
            false => "contrastive loss",
        };
        let batches = match (self.pairs, choice.pairs) {
            (Some(_), _) => {
                format!("batches of {PAIRS} of the listed pairs, half of them like, {loss}")
            }
            (None, true) => {
                format!("batches of {PAIRS} pairs, half of them like, as the {loss} asks for")
            }
            (None, false) if choice.compares => format!(
                "batches of {classes} classes × {images} images, {loss} over all their pairs"
            ),
            (None, false) if self.unlabelled => format!(
                "nothing is known of classes: two changed views of a picture are alike, of {classes} pictures in a batch \
                 (NT-Xent, as SimCLR; or --loss sim_siam)"
            ),
            (None, false) => format!(
                "batches of {classes} classes × {images} images, normalised softmax: with labels it learns most per image"
            ),
        };
        let batch_keys: &[&str] = match (self.pairs, choice.pairs) {
            (None, true) => &["sampler.kind", "sampler.pairs_per_batch"],
            _ => &["objective.kind", "sampler.kind"],
        };
        let time = match choice.frozen {
            true => "",
            false => ", some 20 minutes on two cores",
        };
        let epochs = format!(
            "{} of {}{time} (--time fits the run to a budget)",
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
        if self.unlabelled {
            // the other pictures of a batch are all that an image is told apart from
            return (self.classes.clamp(2, BATCH), 2);
        }
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
            unlabelled: false,
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
        let proposal = traits.propose(None, &Layer::default())?;
        assert_eq!(proposal.layer.text("objective.kind"), Some("contrastive"));
        assert_eq!(proposal.layer.text("sampler.kind"), Some("pairs"));
        assert!(proposal.reasons.concat().contains("listed pairs"));
        Ok(())
    }

    #[test]
    fn without_labels_two_views_of_each_picture_are_learned_from() -> Result<()> {
        let mut traits = traits(600, 300, (128, 128), true, false);
        traits.unlabelled = true;
        let proposal = traits.propose(None, &Layer::default())?;
        let Proposal { layer, reasons } = proposal;
        assert_eq!(layer.text("objective.kind"), Some("nt_xent"));
        assert_eq!(layer.value::<usize>("sampler.images")?, Some(2));
        assert_eq!(layer.value::<usize>("sampler.classes")?, Some(128));
        assert!(layer.has("augment.random_crop") && layer.has("augment.jitter"));
        assert!(
            reasons.concat().contains("two changed views"),
            "{reasons:?}"
        );
        Ok(())
    }

    #[test]
    fn what_is_told_is_followed_and_no_reason_speaks_against_it() -> Result<()> {
        let photos = traits(300, 20, (480, 640), false, false);
        let mut told = Layer::default();
        told.set("tower.input.height", "32")?;
        told.set("tower.input.width", "32")?;
        told.set("epochs", "3")?;
        let proposal = photos.propose(None, &told)?;
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
    fn weights_to_start_from_bring_their_body_and_their_pictures() -> Result<()> {
        let body = Body::Resnet(siamese_core::Resnet {
            depth: 50,
            stride: siamese_core::Stride::First,
            ..Default::default()
        });
        let start = Start {
            name: "timm/resnet50.tv_in1k".into(),
            body: Some(body.clone()),
            input: ImageInput::imagenet(),
        };
        let photos = traits(300, 20, (480, 640), false, false);
        let proposal = photos.propose(Some(&start), &Layer::default())?;
        let layer = &proposal.layer;
        assert_eq!(layer.value::<Body>("tower.body")?, Some(body));
        assert_eq!(layer.value::<usize>("tower.input.height")?, Some(224));
        assert_eq!(
            layer.text("tower.pretrained"),
            Some("timm/resnet50.tv_in1k")
        );
        assert_eq!(layer.text("tower.frozen"), Some("layer3"));
        // else nothing could be kept of what is frozen
        let augment: siamese_data::AugmentConfig = layer.value("augment")?.unwrap_or_default();
        assert_eq!(augment, Default::default());
        let reasons = proposal.reasons.join("; ");
        assert!(
            reasons.contains("timm/resnet50.tv_in1k") && !reasons.contains("ResNet-18"),
            "{reasons}"
        );
        Ok(())
    }

    #[test]
    fn a_dino_v2_to_start_from_is_frozen_and_a_layer_after_it_trained() -> Result<()> {
        let body = Body::DinoV2(siamese_core::DinoV2::default());
        let start = Start {
            name: "timm/vit_small_patch14_dinov2.lvd142m".into(),
            body: Some(body.clone()),
            input: ImageInput::imagenet(),
        };
        let photos = traits(300, 20, (480, 640), false, false);
        let Proposal { layer, reasons } = photos.propose(Some(&start), &Layer::default())?;
        assert_eq!(layer.value::<Body>("tower.body")?, Some(body));
        assert_eq!(layer.text("tower.frozen"), Some("body"));
        assert_eq!(layer.value::<usize>("tower.input.height")?, Some(224));
        assert!(!layer.has("optimizer.rates"));
        let reasons = reasons.join("; ");
        assert!(
            reasons.contains("DINOv2's ViT-S/14") && !reasons.contains("last stage"),
            "{reasons}"
        );
        Ok(())
    }

    #[test]
    fn a_contrastive_loss_that_is_told_brings_its_pairs() -> Result<()> {
        let mut told = Layer::default();
        told.set("objective.kind", "contrastive")?;
        let proposal = traits(300, 20, (128, 128), true, false).propose(None, &told)?;
        assert_eq!(proposal.layer.text("sampler.kind"), Some("pairs"));
        Ok(())
    }

    #[test]
    fn a_head_that_is_told_brings_the_objective_that_trains_it() -> Result<()> {
        for (key, value) in [
            ("head.kind", "comparison"),
            ("objective.kind", "same_different"),
        ] {
            let mut told = Layer::default();
            told.set(key, value)?;
            let mut traits = traits(300, 20, (128, 128), true, false);
            let proposal = traits.propose(None, &told)?;
            let layer = &proposal.layer;
            assert_eq!(layer.text("head.kind"), Some("comparison"));
            assert_eq!(layer.text("objective.kind"), Some("same_different"));
            assert_eq!(layer.text("objective.pairs"), Some("in_batch"));
            assert_eq!(layer.text("sampler.kind"), Some("per_class"));
            traits.pairs = Some(400);
            let layer = traits.propose(None, &told)?.layer;
            assert_eq!(layer.text("objective.pairs"), Some("sampled"));
            assert_eq!(layer.text("sampler.kind"), Some("pairs"));
        }
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
