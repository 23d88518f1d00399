//! DINOv2 (Oquab et al. 2023, arXiv:2304.07193): a vision transformer that is used as it was published.

use std::fmt;

use candle_core::{Result, bail};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

use super::layers::{Layers, Shape};

/// A vision transformer of patches of 14×14 pixels, its tensors named as timm and its authors name them. It is not
/// trained here: its weights are [`pretrained`](super::TowerConfig::pretrained) and all of it is
/// [`frozen`](super::TowerConfig::frozen). Images are RGB and square, their side a multiple of 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DinoV2 {
    /// How wide and how deep it is.
    pub size: VitSize,
    /// Which of the last tokens are its features.
    #[serde(skip_serializing_if = "is_class")]
    pub tokens: Tokens,
    /// G: it has position embeddings for G×G patches, which are brought to the patches that an image has. As published,
    /// 37, for images of 518 pixels.
    #[serde(skip_serializing_if = "is_published")]
    pub positions: usize,
}

/// Width, depth and heads of a vision transformer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VitSize {
    /// 12 blocks of width 384, 6 heads: ViT-S.
    #[default]
    Small,
    /// 12 blocks of width 768, 12 heads: ViT-B.
    Base,
    /// 24 blocks of width 1024, 16 heads: ViT-L.
    Large,
    /// 2 blocks of width 32, 2 heads: no weights of it were published; it is what tests can afford.
    Tiny,
}

/// Which of a vision transformer's last tokens are its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// The class token: as many features as the transformer is wide.
    #[default]
    Class,
    /// The class token, and after it the mean of the patches' tokens: twice as many.
    ClassAndMean,
}

/// Side of a patch in pixels.
const PATCH: usize = 14;
/// Colours that it takes.
const COLOURS: usize = 3;
/// Patches along a side of the images that the published position embeddings are for.
const PUBLISHED: usize = 37;

fn is_class(tokens: &Tokens) -> bool {
    *tokens == Tokens::Class
}

fn is_published(positions: &usize) -> bool {
    *positions == PUBLISHED
}

impl Default for DinoV2 {
    /// ViT-S/14, its class token.
    fn default() -> Self {
        Self {
            size: VitSize::default(),
            tokens: Tokens::default(),
            positions: PUBLISHED,
        }
    }
}

impl VitSize {
    /// All there are.
    const ALL: [Self; 4] = [Self::Small, Self::Base, Self::Large, Self::Tiny];

    /// Width, blocks, heads.
    pub(super) fn dims(self) -> (usize, usize, usize) {
        match self {
            Self::Small => (384, 12, 6),
            Self::Base => (768, 12, 12),
            Self::Large => (1024, 24, 16),
            Self::Tiny => (32, 2, 2),
        }
    }

    fn of(width: usize, blocks: usize) -> Option<Self> {
        let is = |size: &Self| matches!(size.dims(), (w, b, _) if (w, b) == (width, blocks));
        Self::ALL.into_iter().find(is)
    }
}

impl DinoV2 {
    /// The transformer that tensors are of, by the shape of the one of each name; none where there is something that
    /// DINOv2 has not, such as register tokens.
    pub(super) fn of_tensors<'a>(dims: impl Fn(&str) -> Option<&'a [usize]>) -> Option<Self> {
        let &[width, COLOURS, PATCH, PATCH] = dims("patch_embed.proj.weight")? else {
            return None;
        };
        let block = |i: &usize| dims(&format!("blocks.{i}.ls1.gamma")).is_some();
        let &[1, tokens, _] = dims("pos_embed")? else {
            return None;
        };
        let positions = tokens.checked_sub(1)?.isqrt();
        let registers = ["reg_token", "register_tokens"];
        if positions * positions + 1 != tokens || registers.iter().any(|r| dims(r).is_some()) {
            return None;
        }
        Some(Self {
            size: VitSize::of(width, (0..).take_while(block).count())?,
            positions,
            ..Self::default()
        })
    }

    /// How many features it gives.
    pub(super) fn features(&self) -> usize {
        let (width, ..) = self.size.dims();
        match self.tokens {
            Tokens::Class => width,
            Tokens::ClassAndMean => 2 * width,
        }
    }

    /// Whether it has no use for a tensor of its files: the classifier of some, and what stood for hidden patches.
    pub(super) fn passes_over(name: &str) -> bool {
        name == "mask_token" || name.starts_with("head.")
    }

    pub(super) fn build(&self, layers: &mut Layers, vb: VarBuilder) -> Result<()> {
        let side = self.side(layers.shape)?;
        let mut weights = Vec::new();
        for (name, shape, init) in self.parameters() {
            let tensor = vb.get_with_hints(shape, &name, init)?;
            weights.push((name, tensor));
        }
        self.cost(side, layers);
        (layers.shape.channels, layers.shape.height) = (self.features(), 1);
        layers.shape.width = 1;
        run::add(*self, side, weights, layers)
    }

    /// Patches along a side of the image.
    fn side(&self, image: Shape) -> Result<usize> {
        let Shape {
            channels,
            height,
            width,
        } = image;
        if channels != COLOURS {
            bail!(
                "DINOv2 takes colour images: say data.colour = \"rgb\", got {channels} channel(s)"
            )
        }
        if height != width || height == 0 || !height.is_multiple_of(PATCH) {
            bail!(
                "DINOv2 takes square images whose side is a multiple of its patches' {PATCH} pixels, such as 224: set \
                 tower.input.height and tower.input.width, they are {height} and {width}"
            )
        }
        if self.positions == 0 {
            bail!("tower.body.positions must be at least 1")
        }
        Ok(height / PATCH)
    }

    /// Names, shapes, and how they are drawn anew.
    fn parameters(&self) -> Vec<(String, Vec<usize>, Init)> {
        let (width, blocks, _) = self.size.dims();
        let normal = Init::Randn {
            mean: 0.0,
            stdev: 0.02,
        };
        let (zero, one) = (Init::Const(0.0), Init::Const(1.0));
        let tokens = self.positions * self.positions + 1;
        let patch = vec![width, COLOURS, PATCH, PATCH];
        let mut all = vec![
            ("cls_token".to_string(), vec![1, 1, width], normal),
            ("pos_embed".into(), vec![1, tokens, width], normal),
            ("patch_embed.proj.weight".into(), patch, normal),
            ("patch_embed.proj.bias".into(), vec![width], zero),
            ("norm.weight".into(), vec![width], one),
            ("norm.bias".into(), vec![width], zero),
        ];
        for block in 0..blocks {
            for (name, inputs, outputs) in [
                ("attn.qkv", width, 3 * width),
                ("attn.proj", width, width),
                ("mlp.fc1", width, 4 * width),
                ("mlp.fc2", 4 * width, width),
            ] {
                let name = format!("blocks.{block}.{name}");
                all.push((format!("{name}.weight"), vec![outputs, inputs], normal));
                all.push((format!("{name}.bias"), vec![outputs], zero));
            }
            for name in ["norm1", "norm2"] {
                let name = format!("blocks.{block}.{name}");
                all.push((format!("{name}.weight"), vec![width], one));
                all.push((format!("{name}.bias"), vec![width], zero));
            }
            for name in ["ls1", "ls2"] {
                let name = format!("blocks.{block}.{name}.gamma");
                all.push((name, vec![width], one));
            }
        }
        all
    }

    fn cost(&self, side: usize, layers: &mut Layers) {
        let (width, blocks, heads) = self.size.dims();
        let patches = side * side;
        let tokens = patches + 1;
        let attention = 2 * tokens * tokens * width;
        let a_block = 12 * tokens * width * width + attention;
        let patch = patches * COLOURS * PATCH * PATCH * width;
        layers.cost.multiply_adds += (patch + blocks * a_block) as u64;
        let values = tokens * (14 * width) + 2 * heads * tokens * tokens;
        layers.cost.activations += (patches * width + blocks * values) as u64;
    }
}

impl fmt::Display for DinoV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = match self.size {
            VitSize::Small => "S",
            VitSize::Base => "B",
            VitSize::Large => "L",
            VitSize::Tiny => "tiny",
        };
        write!(f, "DINOv2's ViT-{size}/{PATCH}")?;
        match self.tokens {
            Tokens::Class => Ok(()),
            Tokens::ClassAndMean => write!(f, ", its class token and the mean of the others"),
        }
    }
}

#[cfg(feature = "transformers")]
#[path = "dino_v2_run.rs"]
pub(super) mod run;

#[cfg(not(feature = "transformers"))]
mod run {
    use candle_core::{Result, Tensor, bail};

    use super::DinoV2;
    use crate::tower::layers::Layers;

    pub(super) fn add(_: DinoV2, _: usize, _: Vec<(String, Tensor)>, _: &mut Layers) -> Result<()> {
        bail!(
            "DINOv2 is computed by candle-transformers, which this build is without: build it with the feature `transformers`"
        )
    }
}
