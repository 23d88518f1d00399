//! The presets: partial configurations in TOML, a file each in `presets/`.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use toml::Table;

use super::layers::Layer;

/// What every run starts from.
const BASE: &str = include_str!("../../presets/base.toml");

/// A new preset is a file in `presets/` and a line here.
const FILES: [(&str, &str); 21] = [
    ("default", include_str!("../../presets/default.toml")),
    ("quick", include_str!("../../presets/quick.toml")),
    ("best", include_str!("../../presets/best.toml")),
    ("system-c", include_str!("../../presets/system-c.toml")),
    ("cifar-fs", include_str!("../../presets/cifar-fs.toml")),
    ("fc100", include_str!("../../presets/fc100.toml")),
    (
        "cifar-fs-resnet12",
        include_str!("../../presets/cifar-fs-resnet12.toml"),
    ),
    (
        "fc100-resnet12",
        include_str!("../../presets/fc100-resnet12.toml"),
    ),
    ("omniglot", include_str!("../../presets/omniglot.toml")),
    ("fashion", include_str!("../../presets/fashion.toml")),
    (
        "att-faces-small",
        include_str!("../../presets/att-faces-small.toml"),
    ),
    ("att-faces", include_str!("../../presets/att-faces.toml")),
    ("koch", include_str!("../../presets/koch.toml")),
    ("pet-pairs", include_str!("../../presets/pet-pairs.toml")),
    (
        "pet-pairs-head",
        include_str!("../../presets/pet-pairs-head.toml"),
    ),
    (
        "pet-pairs-backbone",
        include_str!("../../presets/pet-pairs-backbone.toml"),
    ),
    ("system-e", include_str!("../../presets/system-e.toml")),
    (
        "system-e-m2",
        include_str!("../../presets/system-e-m2.toml"),
    ),
    (
        "fashion-mlp",
        include_str!("../../presets/fashion-mlp.toml"),
    ),
    (
        "fashion-mlp-m2",
        include_str!("../../presets/fashion-mlp-m2.toml"),
    ),
    (
        "att-faces-d",
        include_str!("../../presets/att-faces-d.toml"),
    ),
];

/// A named partial configuration.
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// A line on it.
    pub about: String,
    /// The data sets that it is for, by name; the first preset for a set is what it is trained by where none is named.
    pub sets: Vec<String>,
    /// Its settings, those of the preset that it extends included.
    pub layer: Layer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetFile {
    preset: Head,
    config: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    about: String,
    extends: Option<String>,
    #[serde(default)]
    sets: Vec<String>,
}

impl Preset {
    /// The preset of that name.
    ///
    /// # Errors
    /// When there is none; the message lists them.
    pub fn named(name: &str) -> Result<Self> {
        let Some(&(name, text)) = FILES.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
            bail!(
                "there is no preset {name:?}; choose one of {}",
                names.join(", ")
            )
        };
        let file: PresetFile =
            toml::from_str(text).with_context(|| format!("reading the preset {name}"))?;
        let Head {
            about,
            extends,
            mut sets,
        } = file.preset;
        let mut layer = Layer::from(file.config);
        if let Some(below) = extends {
            let below = Self::named(&below)?;
            layer = below.layer.under(&layer);
            sets = if sets.is_empty() { below.sets } else { sets };
        }
        Ok(Self {
            name,
            about,
            sets,
            layer,
        })
    }

    /// All of them.
    ///
    /// # Errors
    /// When one of the files in `presets/` is not as it should be; a test reads them all.
    pub fn all() -> Result<Vec<Self>> {
        FILES.iter().map(|(name, _)| Self::named(name)).collect()
    }

    /// The first preset that is made for a data set, if one is.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub fn for_set(name: &str) -> Result<Option<Self>> {
        let made_for = |preset: &Self| preset.sets.iter().any(|set| set == name);
        Ok(Self::all()?.into_iter().find(made_for))
    }

    /// What to know of the preset where it meets another data set than those that it is made for.
    pub(crate) fn elsewhere(&self, set: &str) -> Option<String> {
        let foreign = !self.sets.is_empty() && !self.sets.iter().any(|known| known == set);
        foreign.then(|| {
            format!(
                "made for {}; `--preset auto` chooses by your pictures instead",
                self.sets.join(", ")
            )
        })
    }
}

/// What every run starts from.
pub(crate) fn base() -> Result<Layer> {
    Layer::parse(BASE, "presets/base.toml")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use siamese_core::metrics::fewshot::{ClassSplit, cifar_fs, fc100};

    use super::*;
    use crate::TrainConfig;

    #[test]
    fn the_few_shot_presets_train_on_the_classes_of_their_benchmarks() -> Result<()> {
        fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
            names.map(String::from).collect()
        }
        let benchmarks: [(&str, &ClassSplit); 2] = [("cifar-fs", cifar_fs()), ("fc100", fc100())];
        for (name, split) in benchmarks {
            let lists = TrainConfig::preset(name)?.data.split.classes;
            let lists = lists.context("no lists")?;
            let own = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
            assert_eq!(own(&lists.train), sorted(split.train()), "{name}");
            assert_eq!(own(&lists.validation), sorted(split.validation()), "{name}");
            assert_eq!(own(&lists.test), sorted(split.test()), "{name}");
        }
        Ok(())
    }

    #[test]
    fn the_presets_by_resnet12_differ_in_their_classes_alone() -> Result<()> {
        let [cifar_fs, fc100] = ["cifar-fs", "fc100"].map(|set| {
            let name = format!("{set}-resnet12");
            TrainConfig::preset(&name).map(|config| (config, TrainConfig::preset(set)))
        });
        let (cifar_fs, of_cifar_fs) = cifar_fs?;
        let (mut of_fc100, conv4) = fc100?;
        assert_eq!(cifar_fs.data, of_cifar_fs?.data);
        assert_eq!(of_fc100.data, conv4?.data);
        of_fc100.data = cifar_fs.data.clone();
        of_fc100.preset = cifar_fs.preset.clone();
        assert_eq!(of_fc100, cifar_fs);
        Ok(())
    }

    #[test]
    fn the_first_preset_for_a_set_is_the_one_it_is_trained_by() -> Result<()> {
        for (set, preset) in [
            ("cifar100", "default"),
            ("omniglot", "omniglot"),
            ("att-faces", "att-faces-small"),
        ] {
            assert_eq!(Preset::for_set(set)?.map(|p| p.name), Some(preset));
        }
        assert!(Preset::for_set("birds")?.is_none());
        let quick = Preset::named("quick")?;
        assert_eq!(quick.elsewhere("cifar100"), None);
        let hint = quick.elsewhere("photos").unwrap_or_default();
        assert!(hint.starts_with("made for cifar100;"), "{hint}");
        assert_eq!(Preset::named("pet-pairs")?.elsewhere("photos"), None);
        Ok(())
    }
}
