//! What a tower expects of an image: its size, and how its bytes become numbers.

use candle_core::{Device, Result, Tensor, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How a picture of another shape becomes an image of the tower's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Its aspect kept, the short side made to fit, and the middle cut out.
    #[default]
    Crop,
    /// Its aspect kept, the long side made to fit, and the rest filled.
    Pad,
    /// Both sides made to fit, whatever its aspect was.
    Stretch,
}

impl Fit {
    /// What was done before a model file said what to do.
    fn unsaid() -> Self {
        Self::Stretch
    }
}

/// Size and normalisation of the images that a tower was made for.
///
/// It travels in the model file, so that training, command line and server prepare an image alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Mean of each channel, of values in 0..=1; its length is the number of channels.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, of values in 0..=1.
    pub std: Vec<f32>,
    /// How a picture of another shape is brought to this size; `stretch` where a file does not say.
    #[serde(default = "Fit::unsaid")]
    pub fit: Fit,
}

impl ImageInput {
    /// What system C takes: 32×32 RGB, mean and deviation of the images that it was trained on.
    pub fn system_c() -> Self {
        Self {
            height: 32,
            width: 32,
            mean: vec![0.5071, 0.4866, 0.4409],
            std: vec![0.2673, 0.2564, 0.2762],
            fit: Fit::default(),
        }
    }

    /// ImageNet as torchvision's models take it: 224×224 RGB, mean and deviation of its training images.
    pub fn imagenet() -> Self {
        Self {
            height: 224,
            width: 224,
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
            fit: Fit::default(),
        }
    }

    /// The input for images `(height, width)` like these, each `height · width · channels` bytes with the channels
    /// of a pixel side by side: mean and deviation are theirs, to four digits.
    ///
    /// A channel that never changes gets a deviation of one grey level. The sums are of whole numbers: the order of
    /// the images does not matter.
    ///
    /// ```
    /// use siamese_core::ImageInput;
    /// let input = ImageInput::of_images((1, 2), 1, [[0u8, 255], [255, 255]])?;
    /// assert_eq!((input.mean[0], input.std[0]), (0.75, 0.433));
    /// # Ok::<(), siamese_core::candle::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no image, or one is not of that many bytes.
    pub fn of_images<I: AsRef<[u8]>>(
        (height, width): (usize, usize),
        channels: usize,
        images: impl IntoIterator<Item = I>,
    ) -> Result<Self> {
        let mut counts = vec![[0u64; 256]; channels];
        for image in images {
            let image = image.as_ref();
            if image.is_empty() || image.len() != height * width * channels {
                bail!(
                    "an image has {} bytes, {height}x{width}x{channels} need {}",
                    image.len(),
                    height * width * channels
                )
            }
            for (i, &byte) in image.iter().enumerate() {
                counts[i % channels][usize::from(byte)] += 1;
            }
        }
        let moments: Vec<(f32, f32)> = counts.iter().map(mean_and_std).collect::<Result<_>>()?;
        let (mean, std) = moments.into_iter().unzip();
        let fit = Fit::default();
        let input = Self {
            height,
            width,
            mean,
            std,
            fit,
        };
        input.validate()?;
        Ok(input)
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels()
    }

    /// Images as bytes `(B, H, W, C)` → normalised f32 tensor `(B, C, H, W)`, stored channels-last.
    ///
    /// # Errors
    /// When `pixels` is empty or not a whole number of images of this size.
    pub fn to_tensor(&self, pixels: &[u8], device: &Device) -> Result<Tensor> {
        self.tensor(self.normalize(pixels)?, device)
    }

    /// The first half of [`Self::to_tensor`], on all cores and with no device: a background thread may do it.
    /// Bytes `(B, H, W, C)` → as many normalised values.
    ///
    /// # Errors
    /// When `pixels` is empty or not a whole number of images of this size.
    pub fn normalize(&self, pixels: &[u8]) -> Result<Vec<f32>> {
        self.validate()?;
        if pixels.is_empty() || !pixels.len().is_multiple_of(self.image_len()) {
            bail!(
                "{} bytes are not a whole number of {}x{}x{} images ({} bytes each)",
                pixels.len(),
                self.height,
                self.width,
                self.channels(),
                self.image_len()
            )
        }
        let table = self.table();
        let mut values = vec![0.0; pixels.len()];
        let images = pixels.par_chunks_exact(self.image_len());
        images
            .zip(values.par_chunks_exact_mut(self.image_len()))
            .for_each(|(bytes, values)| look_up(&table, bytes, values));
        Ok(values)
    }

    /// The second half of [`Self::to_tensor`]: normalised values `(B, H, W, C)` → `(B, C, H, W)`, stored channels-last.
    ///
    /// # Errors
    /// When `values` is not a whole number of images of this size.
    pub fn tensor(&self, values: Vec<f32>, device: &Device) -> Result<Tensor> {
        let shape = ((), self.height, self.width, self.channels());
        Tensor::from_vec(values, shape, device)?.permute((0, 3, 1, 2))
    }

    fn validate(&self) -> Result<()> {
        let pixels = self.height.checked_mul(self.width);
        let bytes = pixels.and_then(|pixels| pixels.checked_mul(self.channels()));
        if self.height == 0 || self.width == 0 || bytes.is_none() {
            bail!("there are no images of {}x{}", self.height, self.width)
        }
        if self.mean.is_empty() || self.mean.len() != self.std.len() {
            bail!(
                "an image input needs a mean and a deviation per channel, got {} and {}",
                self.mean.len(),
                self.std.len()
            )
        }
        if self.std.iter().any(|&s| !(s.is_finite() && s > 0.0)) {
            bail!("standard deviations must be positive, got {:?}", self.std)
        }
        Ok(())
    }

    /// For each channel, the normalised value of each of the 256 bytes.
    fn table(&self) -> Vec<[f32; 256]> {
        self.mean
            .iter()
            .zip(&self.std)
            .map(|(mean, std)| std::array::from_fn(|p| (p as f32 / 255.0 - mean) / std))
            .collect()
    }
}

/// The values of one image.
fn look_up(table: &[[f32; 256]], bytes: &[u8], values: &mut [f32]) {
    let pixels = bytes.chunks_exact(table.len());
    for (bytes, values) in pixels.zip(values.chunks_exact_mut(table.len())) {
        for ((value, channel), &byte) in values.iter_mut().zip(table).zip(bytes) {
            *value = channel[usize::from(byte)];
        }
    }
}

/// Of values in 0..=1 that occur so often as bytes, to four digits.
fn mean_and_std(counts: &[u64; 256]) -> Result<(f32, f32)> {
    let total = |power: u32| -> u64 {
        let terms = counts.iter().zip(0u64..);
        terms.map(|(count, byte)| count * byte.pow(power)).sum()
    };
    let n = total(0) as f64;
    if n == 0.0 {
        bail!("there is no image to take mean and deviation from")
    }
    let mean = total(1) as f64 / n;
    let variance = total(2) as f64 / n - mean * mean;
    let digits = |value: f64| ((value / 255.0 * 1e4).round() / 1e4) as f32;
    Ok((digits(mean), digits(variance.max(0.0).sqrt().max(1.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_by_three() -> ImageInput {
        ImageInput {
            height: 2,
            width: 3,
            mean: vec![0.0, 0.5],
            std: vec![1.0, 0.5],
            fit: Fit::Crop,
        }
    }

    #[test]
    fn bytes_keep_their_row_column_and_channel() -> Result<()> {
        let pixels: Vec<u8> = (0..24).map(|i| i * 10).collect();
        let tensor = two_by_three().to_tensor(&pixels, &Device::Cpu)?;
        assert_eq!(tensor.dims(), [2, 2, 2, 3]);
        for (b, y, x, c) in [(0, 0, 0, 0), (0, 1, 2, 1), (1, 0, 1, 0), (1, 1, 0, 1)] {
            let byte = pixels[((b * 2 + y) * 3 + x) * 2 + c] as f32 / 255.0;
            let expected = if c == 0 { byte } else { (byte - 0.5) / 0.5 };
            let got = tensor.get(b)?.get(c)?.get(y)?.get(x)?.to_scalar::<f32>()?;
            assert!((got - expected).abs() < 1e-6);
        }
        Ok(())
    }

    #[test]
    fn a_partial_image_is_an_error_that_names_the_sizes() {
        let error = two_by_three()
            .to_tensor(&[0; 13], &Device::Cpu)
            .unwrap_err();
        assert!(error.to_string().contains("13 bytes"), "{error}");
        assert!(two_by_three().to_tensor(&[], &Device::Cpu).is_err());
    }

    #[test]
    fn mean_and_deviation_are_those_of_a_naive_loop_for_each_channel() -> Result<()> {
        let byte = |i: usize, c: usize| ((i * (40 + 31 * c) + 7) % 251) as u8;
        let images: Vec<Vec<u8>> = (0..5)
            .map(|n| (0..6 * 3).map(|i| byte(n * 6 + i / 3, i % 3)).collect())
            .collect();
        let input = ImageInput::of_images((2, 3), 3, &images)?;
        for c in 0..3 {
            let values: Vec<f64> = images
                .concat()
                .chunks(3)
                .map(|pixel| f64::from(pixel[c]) / 255.0)
                .collect();
            let mean = values.iter().sum::<f64>() / 30.0;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 30.0;
            assert!((f64::from(input.mean[c]) - mean).abs() < 6e-5);
            assert!((f64::from(input.std[c]) - variance.sqrt()).abs() < 6e-5);
        }
        Ok(())
    }

    #[test]
    fn a_channel_that_never_changes_still_makes_finite_values() -> Result<()> {
        let input = ImageInput::of_images((1, 2), 2, [[9u8, 0, 9, 255]])?;
        assert!(
            input
                .normalize(&[9, 0, 10, 255])?
                .iter()
                .all(|v| v.is_finite())
        );
        assert!(ImageInput::of_images((1, 2), 2, [[0u8; 3]]).is_err());
        assert!(ImageInput::of_images((1, 2), 2, [[0u8; 0]; 0]).is_err());
        assert!(ImageInput::of_images((1, 2), 0, [[0u8; 0]; 1]).is_err());
        Ok(())
    }

    #[test]
    fn a_file_that_does_not_say_how_pictures_fit_means_stretched() -> serde_json::Result<()> {
        let old = r#"{"height":2,"width":3,"mean":[0.5],"std":[0.25]}"#;
        assert_eq!(serde_json::from_str::<ImageInput>(old)?.fit, Fit::Stretch);
        let new = serde_json::to_string(&two_by_three())?;
        assert_eq!(serde_json::from_str::<ImageInput>(&new)?, two_by_three());
        Ok(())
    }
}
