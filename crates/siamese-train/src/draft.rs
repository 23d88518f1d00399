//! A run put together: a data set as listed, what is told about the run, and what is chosen from the data.

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use siamese_core::ImageInput;
use siamese_data::{
    Colour, Fit, Framing, HubOptions, Items, LeftOut, Listing, OpenOptions, Origin, Part, Progress,
    cached_weights,
};
use siamese_embed::{Backbone, marked_faces};
use siamese_words::counted;

use crate::config::{DataConfig, Layer, Preset, Proposal, Start, TrainConfig, Traits, size};
use crate::data::{Divided, TrainingData, pairs_of, published};
use crate::memory::Memory;
use crate::plan::Plan;
use crate::run::sampler;

/// Two pictures at least train, validate and test each.
const LEAST_PICTURES: u32 = 6;

/// Images from which the mean and deviation of a set are measured.
const MEASURED: usize = 2_000;

/// A run that is not begun.
pub struct Draft {
    /// The data set, none of its pictures decoded yet.
    pub listing: Listing,
    /// What was chosen from the data and why, a line each; without what was told otherwise.
    pub reasons: Vec<String>,
    layer: Layer,
    divided: Divided,
    /// The class of each image.
    labels: Vec<u32>,
}

impl Draft {
    /// Puts together what is told (a file's layer and single settings) with a preset and what is chosen from the data.
    /// The preset is the one that is told, else the one made for the set, else there is none; without labels none is.
    ///
    /// The weights that the tower is to start from are looked for here; where none are told and photos are trained on,
    /// those that the hub's cache has are proposed.
    ///
    /// # Errors
    /// When there is no such preset, or no such weights.
    pub fn new(listing: Listing, source: &str, told: &Layer) -> Result<Self> {
        let preset = match told.text("preset") {
            Some("auto") => None,
            Some(name) => Some(Preset::named(name)?),
            // the presets for sets know their labels
            None if listing.unlabelled || is_unlabelled(told)? => None,
            None => Preset::for_set(&listing.name)?,
        };
        let mut named = Layer::default();
        named.set("data.source", &toml::Value::from(source).to_string())?;
        if listing.unlabelled {
            named.set("data.unlabelled", "true")?;
        }
        let faces = match &listing.origin {
            Origin::Path(place) => marked_faces(place)?,
            Origin::Hub { .. } | Origin::Sample(_) => None,
        };
        if let Some(faces) = &faces {
            let table = serde_json::json!({ "data": { "faces": faces } });
            named = named.under(&Layer::of(&table)?);
        }
        let mut upper = Layer::default();
        if let Some(preset) = &preset {
            named.set("preset", preset.name)?;
            upper = preset.layer.clone();
        }
        let mut upper = upper.under(&named).under(told);
        if is_unlabelled(&upper)? && !told.has("data.split.by") {
            upper.set("data.split.by", "classes")?;
        }
        let hint = preset.as_ref().and_then(|p| p.elsewhere(&listing.name));
        let division = divide(&listing, &upper);
        let (divided, labels) = match &hint {
            Some(hint) => division.with_context(|| format!("the preset is {hint}"))?,
            None => division?,
        };
        let traits = traits(&listing, &divided);
        let start = start(&upper, preset.is_none() && traits.photos())?;
        let Proposal { layer, mut reasons } = traits.propose(start.as_ref(), &upper)?;
        if let Some(preset) = preset {
            let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            reasons = vec![format!("preset {}: {}{hint}", preset.name, preset.about)];
        }
        size(&layer, &mut upper, divided.classes())?;
        reasons.extend(faces.map(|faces| {
            format!("{faces}, cut out by `siamese data faces`: the model will look for the face in a photo first")
        }));
        reasons.extend(upper.value::<usize>("chunk")?.map(|images| {
            format!(
                "at most {images} images in the network at once: the loss is of the whole batch, BatchNorm's statistics are of \
                 these"
            )
        }));
        Ok(Self {
            listing,
            reasons,
            layer: layer.under(&upper),
            divided,
            labels,
        })
    }

    /// Changes a setting that does not decide how the images are divided; the value is TOML.
    ///
    /// # Errors
    /// When the key is none.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        self.layer.set(key, value)
    }

    /// How pictures become images of the run.
    ///
    /// # Errors
    /// When a size, a fit or a colour is not what it can be.
    pub fn framing(&self) -> Result<Framing> {
        let at = |key: &str| self.layer.value::<usize>(key);
        Ok(Framing {
            height: at("tower.input.height")?.context("tower.input.height is not told")?,
            width: at("tower.input.width")?.context("tower.input.width is not told")?,
            colour: self
                .layer
                .value::<Colour>("data.colour")?
                .unwrap_or_default(),
            fit: self
                .layer
                .value::<Fit>("tower.input.fit")?
                .unwrap_or_default(),
        })
    }

    /// The settings as a file to edit, with what was chosen in its comments.
    ///
    /// # Errors
    /// When the settings make no configuration.
    pub fn to_toml(&self) -> Result<String> {
        self.rough_config()?;
        let mut text =
            String::from("# A run of `siamese train`: edit, then `siamese train THIS-FILE`.\n#\n");
        for line in self
            .listing
            .describe()
            .to_string()
            .lines()
            .chain(self.reasons.iter().map(String::as_str))
        {
            text += &format!("# {line}\n");
        }
        text += "#\n# What is not said here is chosen from the data or stays as it is usual; `siamese train THIS-FILE --print-config`\n# prints the whole.\n\n";
        text += &self.layer.to_toml()?;
        Ok(text)
    }

    /// What the run will cost, by some steps on made-up images; nothing is decoded.
    ///
    /// # Errors
    /// When the settings make no run.
    pub fn plan(&self, device: &Device) -> Result<(TrainConfig, Plan)> {
        let config = self.rough_config()?;
        let superclasses = match config.data.unlabelled {
            true => None,
            false => self.listing.superclass_of_class(),
        };
        let superclasses = superclasses.as_deref();
        let sampler = sampler(&config, &self.labels, &self.divided, superclasses)?;
        let batches = sampler.batches_per_epoch();
        let plan = Plan::measure(&config, &self.divided, batches, device)?;
        Ok((config, plan))
    }

    /// The memory that the run takes, told without a step.
    ///
    /// # Errors
    /// When the settings make no run.
    pub fn memory(&self, device: &Device) -> Result<Memory> {
        Memory::of(&self.rough_config()?, &self.divided, device)
    }

    /// How the images are divided, in a line; pictures that cannot be read are not known yet.
    pub fn split(&self) -> &str {
        &self.divided.division.explained
    }

    /// Decodes the pictures and completes the configuration. What could not be read comes beside.
    ///
    /// # Errors
    /// When the settings make no run, or no picture can be read.
    pub fn complete(
        &self,
        options: &OpenOptions,
    ) -> Result<(TrainConfig, TrainingData, Vec<LeftOut>)> {
        self.rough_config()?;
        let (mut data, problems) = TrainingData::load(&self.listing, &self.framing()?, options)?;
        if is_unlabelled(&self.layer)? {
            data = data.in_two_views();
        }
        let (division, seed) = division_of(&self.layer)?;
        let measured = self.measured(&data, &data.divide(&division, seed)?)?;
        let config = TrainConfig::from_layers([&measured, &self.layer])?;
        let size = config.augment.cached_size;
        let data = data.with_cached(&self.listing, &self.framing()?, size, options)?;
        Ok((config, data, problems))
    }

    /// The configuration with any normalisation: all that can be wrong with the settings is found before the pictures
    /// are decoded.
    fn rough_config(&self) -> Result<TrainConfig> {
        let channels = self.framing()?.colour.channels();
        let any = input_layer(&vec![0.5; channels], &vec![0.25; channels])?;
        TrainConfig::from_layers([&any, &self.layer])
    }

    /// Mean and deviation of some training images.
    fn measured(&self, data: &TrainingData, divided: &Divided) -> Result<Layer> {
        let training = divided.part(Part::Train);
        let step = training.len().div_ceil(MEASURED).max(1);
        let some = training.iter().step_by(step);
        let pixels = some.map(|&i| data.images.image(i as usize));
        let pixels = pixels.collect::<Result<Vec<_>, _>>()?;
        let size = (data.images.height, data.images.width);
        let input = ImageInput::of_images(size, data.images.channels, pixels)?;
        input_layer(&input.mean, &input.std)
    }
}

/// Weights that are proposed for photos where the hub's cache has them, the first first.
const AT_HAND: [&str; 6] = [
    "timm/vit_small_patch14_dinov2.lvd142m",
    "timm/vit_base_patch14_dinov2.lvd142m",
    "timm/vit_large_patch14_dinov2.lvd142m",
    "timm/resnet50.tv_in1k",
    "timm/resnet34.tv_in1k",
    "timm/resnet18.tv_in1k",
];

/// The weights that the tower starts from: those that are told, else those at hand, where `at_hand` and no tower is told.
fn start(told: &Layer, at_hand: bool) -> Result<Option<Start>> {
    let hub = HubOptions::default();
    let cached = |name: &&&str| cached_weights(name, &hub).is_some();
    let name = match told.text("tower.pretrained") {
        Some(name) => Some(name.to_string()),
        None if at_hand && !told.has("tower.body") => {
            AT_HAND.iter().find(cached).map(|name| name.to_string())
        }
        None => None,
    };
    let Some(name) = name else { return Ok(None) };
    let found = Backbone::find(&name, &hub, Progress::default(), &Device::Cpu)?;
    Ok(Some(Start {
        body: found.pretrained.body(),
        input: found.input,
        name,
    }))
}

/// Mean and deviation as a layer.
fn input_layer(mean: &[f32], std: &[f32]) -> Result<Layer> {
    let mut layer = Layer::default();
    for (key, values) in [("tower.input.mean", mean), ("tower.input.std", std)] {
        let rounded: Vec<String> = values.iter().map(|v| format!("{v:.4}")).collect();
        layer.set(key, &format!("[{}]", rounded.join(", ")))?;
    }
    Ok(layer)
}

/// How a layer divides the images.
fn division_of(layer: &Layer) -> Result<(DataConfig, u64)> {
    let split = layer.value("data.split")?.unwrap_or_default();
    let refit = layer.value("data.refit")?.unwrap_or_default();
    let data = DataConfig {
        split,
        turned: layer.value("data.turned")?,
        refit,
        unlabelled: is_unlabelled(layer)?,
        ..Default::default()
    };
    Ok((data, layer.value::<u64>("seed")?.unwrap_or_default()))
}

/// Whether a layer says that nothing is to be known of classes.
fn is_unlabelled(layer: &Layer) -> Result<bool> {
    Ok(layer.value("data.unlabelled")?.unwrap_or_default())
}

/// Divides two views of each picture, as if every picture could be read.
fn divide_views(listing: &Listing, layer: &Layer) -> Result<(Divided, Vec<u32>)> {
    let pictures = listing.items.len() as u32;
    ensure!(
        pictures >= LEAST_PICTURES,
        "{} are too few to learn from without labels, which takes {LEAST_PICTURES}; with labels, each class lies in a subfolder of its own",
        counted(pictures as usize, "loose picture")
    );
    let labels: Vec<u32> = (0..pictures).flat_map(|i| [i, i]).collect();
    let classes: Vec<String> = (0..pictures)
        .map(|i| listing.name_of(i as usize).into())
        .collect();
    let items = Items {
        labels: &labels,
        classes: &classes,
        groups: Some(&labels),
        published: None,
        pairs: None,
    };
    let (data, seed) = division_of(layer)?;
    Ok((Divided::of(&items, &data, seed)?, labels))
}

/// Divides the items of a listing, as if every picture could be read; with the class of each.
fn divide(listing: &Listing, layer: &Layer) -> Result<(Divided, Vec<u32>)> {
    if is_unlabelled(layer)? {
        return divide_views(listing, layer);
    }
    let labels: Vec<u32> = listing.items.iter().map(|item| item.label).collect();
    let groups: Option<Vec<u32>> = listing.items.iter().map(|item| item.group).collect();
    let parts = published(listing.items.iter().map(|item| item.part).collect());
    let pairs = listing.pairs.as_deref().map(pairs_of);
    let items = Items {
        labels: &labels,
        classes: &listing.classes,
        groups: groups.as_deref(),
        published: parts.as_deref(),
        pairs: pairs.as_deref(),
    };
    let (data, seed) = division_of(layer)?;
    Ok((Divided::of(&items, &data, seed)?, labels))
}

fn traits(listing: &Listing, divided: &Divided) -> Traits {
    Traits {
        images: divided.training().len(),
        classes: divided.classes(),
        size: match listing.sizes.alike {
            true => listing.sizes.most_common,
            false => listing.sizes.median,
        },
        alike: listing.sizes.alike,
        grey: listing.sizes.grey,
        pairs: divided.pairs(Part::Train).map(|pairs| pairs.len()),
        unlabelled: divided.unlabelled(),
    }
}
