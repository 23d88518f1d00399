//! What a tower expects of an image: its size, and how its bytes become numbers.

use candle_core::{Device, Result, Tensor, bail};
use serde::{Deserialize, Serialize};

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
}

impl ImageInput {
    /// CIFAR-100: 32×32 RGB, mean and deviation of its 50,000 training images.
    pub fn cifar100() -> Self {
        Self {
            height: 32,
            width: 32,
            mean: vec![0.5071, 0.4866, 0.4409],
            std: vec![0.2673, 0.2564, 0.2762],
        }
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
        let batch = pixels.len() / self.image_len();
        let table = self.table();
        let values: Vec<f32> = match table.as_slice() {
            [only] => pixels.iter().map(|&p| only[p as usize]).collect(),
            channels => pixels
                .chunks_exact(channels.len())
                .flat_map(|pixel| pixel.iter().zip(channels).map(|(&p, t)| t[p as usize]))
                .collect(),
        };
        let shape = (batch, self.height, self.width, self.channels());
        Tensor::from_vec(values, shape, device)?.permute((0, 3, 1, 2))
    }

    fn validate(&self) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn two_by_three() -> ImageInput {
        ImageInput {
            height: 2,
            width: 3,
            mean: vec![0.0, 0.5],
            std: vec![1.0, 0.5],
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
}
