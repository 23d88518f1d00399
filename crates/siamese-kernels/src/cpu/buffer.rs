//! Memory that is kept and used again.

use crate::pool::Pool;

/// Floats of a cache line.
const LINE: usize = 16;

/// Floats that begin on a cache line and grow on demand; what they hold after growing is unspecified.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// Makes it `len` floats long.
    pub(crate) fn resize(&mut self, len: usize) -> &mut [f32] {
        if self.data.len() < len + LINE {
            self.data = vec![0.; len + LINE];
            let past = self.data.as_ptr() as usize / size_of::<f32>() % LINE;
            self.start = (LINE - past) % LINE;
        }
        self.len = len;
        &mut self[..]
    }

    /// Makes it `len` zeros.
    pub(crate) fn zeros(&mut self, len: usize) -> &mut [f32] {
        let all = self.resize(len);
        all.fill(0.);
        all
    }
}

impl std::ops::Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}

/// What one thread needs while it works on a chunk.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Transformed or padded inputs.
    pub(crate) v: Buffer,
    /// Transformed outputs or their gradients.
    pub(crate) m: Buffer,
    /// Sums over a chunk: transformed weight gradients.
    pub(crate) du: Buffer,
    /// Values of a few images.
    pub(crate) images: Buffer,
    /// Outputs of a convolution run again.
    pub(crate) again: Buffer,
    /// Short sums.
    pub(crate) sums: Buffer,
}

/// The scratches of all threads.
pub(crate) type Scratches = Pool<Scratch>;
