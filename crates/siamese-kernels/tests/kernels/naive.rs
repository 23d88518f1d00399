//! Every operation as the obvious loops, in f64: what the kernels must agree with.

/// Images or an OIHW kernel: four dimensions, the last runs fastest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Map {
    pub(crate) dims: [usize; 4],
    pub(crate) data: Vec<f64>,
}

impl Map {
    pub(crate) fn zeros(dims: [usize; 4]) -> Self {
        Self {
            dims,
            data: vec![0.0; dims.iter().product()],
        }
    }

    pub(crate) fn index(&self, [a, b, c, d]: [usize; 4]) -> usize {
        let [_, nb, nc, nd] = self.dims;
        ((a * nb + b) * nc + c) * nd + d
    }

    pub(crate) fn get(&self, at: [usize; 4]) -> f64 {
        self.data[self.index(at)]
    }

    pub(crate) fn add(&mut self, at: [usize; 4], value: f64) {
        let index = self.index(at);
        self.data[index] += value;
    }

    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            dims: self.dims,
            data: self.data.iter().map(|&v| f(v)).collect(),
        }
    }

    pub(crate) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!(self.dims, other.dims);
        let data = self
            .data
            .iter()
            .zip(&other.data)
            .map(|(&a, &b)| f(a, b))
            .collect();
        Self {
            dims: self.dims,
            data,
        }
    }

    /// Calls `f` with every index, in memory order.
    pub(crate) fn each(dims: [usize; 4], mut f: impl FnMut([usize; 4])) {
        for a in 0..dims[0] {
            for b in 0..dims[1] {
                for c in 0..dims[2] {
                    for d in 0..dims[3] {
                        f([a, b, c, d]);
                    }
                }
            }
        }
    }

    /// The values of one channel, over all images.
    pub(crate) fn channel(&self, channel: usize) -> impl Iterator<Item = f64> + '_ {
        let pixels = self.dims[2] * self.dims[3];
        let channels = self.dims[1];
        let in_channel = move |i: &usize| i / pixels % channels == channel;
        (0..self.data.len())
            .filter(in_channel)
            .map(|i| self.data[i])
    }
}

/// Where a window looks: kernel side, stride, padding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl Window {
    pub(crate) fn output(&self, side: usize) -> usize {
        (side + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// The pixel at `offset` in window `out`, unless it lies in the padding.
    fn pixel(&self, out: usize, offset: usize, side: usize) -> Option<usize> {
        let pixel = (out * self.stride + offset).checked_sub(self.padding)?;
        (pixel < side).then_some(pixel)
    }

    /// Calls `f(output index, ky, kx, y, x)` for every pixel that every window sees.
    fn each(&self, out: [usize; 4], sides: [usize; 2], mut f: impl FnMut([usize; 4], [usize; 4])) {
        Map::each(out, |at| {
            for ky in 0..self.kernel {
                for kx in 0..self.kernel {
                    let (y, x) = (
                        self.pixel(at[2], ky, sides[0]),
                        self.pixel(at[3], kx, sides[1]),
                    );
                    if let (Some(y), Some(x)) = (y, x) {
                        f(at, [ky, kx, y, x]);
                    }
                }
            }
        });
    }

    fn outputs(&self, x: &Map, channels: usize) -> [usize; 4] {
        let [batch, _, height, width] = x.dims;
        [batch, channels, self.output(height), self.output(width)]
    }
}

pub(crate) fn conv(x: &Map, weight: &Map, bias: Option<&[f64]>, window: Window) -> Map {
    let mut y = Map::zeros(window.outputs(x, weight.dims[0]));
    window.each(y.dims, [x.dims[2], x.dims[3]], |at, [ky, kx, iy, ix]| {
        let mut sum = 0.0;
        for c in 0..x.dims[1] {
            sum += x.get([at[0], c, iy, ix]) * weight.get([at[1], c, ky, kx]);
        }
        y.add(at, sum);
    });
    if let Some(bias) = bias {
        Map::each(y.dims, |at| y.add(at, bias[at[1]]));
    }
    y
}

/// Gradients to the input, the weight and the bias.
pub(crate) fn conv_backward(
    x: &Map,
    weight: &Map,
    window: Window,
    dy: &Map,
) -> (Map, Map, Vec<f64>) {
    let (mut dx, mut dw) = (Map::zeros(x.dims), Map::zeros(weight.dims));
    window.each(dy.dims, [x.dims[2], x.dims[3]], |at, [ky, kx, iy, ix]| {
        let upstream = dy.get(at);
        for c in 0..x.dims[1] {
            dx.add(
                [at[0], c, iy, ix],
                upstream * weight.get([at[1], c, ky, kx]),
            );
            dw.add([at[1], c, ky, kx], upstream * x.get([at[0], c, iy, ix]));
        }
    });
    let db = (0..dy.dims[1]).map(|c| dy.channel(c).sum()).collect();
    (dx, dw, db)
}

/// Mean and biased variance of every channel.
pub(crate) fn statistics(x: &Map) -> Vec<(f64, f64)> {
    let count = (x.data.len() / x.dims[1]) as f64;
    let of = |c| {
        let mean = x.channel(c).sum::<f64>() / count;
        (
            mean,
            x.channel(c).map(|v| (v - mean).powi(2)).sum::<f64>() / count,
        )
    };
    (0..x.dims[1]).map(of).collect()
}

/// `gamma · (x − mean) / √(var + eps) + beta`.
pub(crate) fn norm(x: &Map, stats: &[(f64, f64)], gamma: &[f64], beta: &[f64], eps: f64) -> Map {
    let mut y = Map::zeros(x.dims);
    Map::each(x.dims, |at| {
        let (mean, variance) = stats[at[1]];
        y.add(
            at,
            gamma[at[1]] * (x.get(at) - mean) / (variance + eps).sqrt() + beta[at[1]],
        );
    });
    y
}

/// Gradients to the input, gamma and beta; `batch` says whether the statistics came from `x`.
pub(crate) fn norm_backward(
    x: &Map,
    stats: &[(f64, f64)],
    gamma: &[f64],
    eps: f64,
    batch: bool,
    dy: &Map,
) -> (Map, Vec<f64>, Vec<f64>) {
    let channels = x.dims[1];
    let count = (x.data.len() / channels) as f64;
    let ones = vec![1.0; channels];
    let unit = norm(x, stats, &ones, &vec![0.0; channels], eps);
    let product = unit.zip(dy, |a, b| a * b);
    let dgamma: Vec<f64> = (0..channels).map(|c| product.channel(c).sum()).collect();
    let dbeta: Vec<f64> = (0..channels).map(|c| dy.channel(c).sum()).collect();
    let mut dx = Map::zeros(x.dims);
    Map::each(x.dims, |at| {
        let c = at[1];
        let through_statistics = match batch {
            true => (dbeta[c] + unit.get(at) * dgamma[c]) / count,
            false => 0.0,
        };
        let scale = gamma[c] / (stats[c].1 + eps).sqrt();
        dx.add(at, scale * (dy.get(at) - through_statistics));
    });
    (dx, dgamma, dbeta)
}

/// The maxima, and for each the index of its winner: the first in scan order.
///
/// The last number is the least gap between a winner and the runner-up of its window. Equal values
/// leave none: what made them equal in f64 (a ReLU, an overlapping pool before) does so in f32.
pub(crate) fn max_pool(x: &Map, window: Window) -> (Map, Vec<usize>, f64) {
    let mut y = Map::zeros(window.outputs(x, x.dims[1])).map(|_| f64::NEG_INFINITY);
    let mut second = y.clone();
    let mut winners = vec![usize::MAX; y.data.len()];
    window.each(y.dims, [x.dims[2], x.dims[3]], |at, [_, _, iy, ix]| {
        let (out, source) = (y.index(at), x.index([at[0], at[1], iy, ix]));
        let value = x.data[source];
        if value > y.data[out] || winners[out] == usize::MAX {
            second.data[out] = y.data[out];
            (y.data[out], winners[out]) = (value, source);
        } else {
            second.data[out] = second.data[out].max(value);
        }
    });
    let gap = y.zip(&second, |a, b| if a == b { f64::INFINITY } else { a - b });
    let gap = gap.data.into_iter().fold(f64::INFINITY, f64::min);
    (y, winners, gap)
}

pub(crate) fn max_pool_backward(dims: [usize; 4], winners: &[usize], dy: &Map) -> Map {
    let mut dx = Map::zeros(dims);
    for (&winner, &upstream) in winners.iter().zip(&dy.data) {
        dx.data[winner] += upstream;
    }
    dx
}

/// Means over windows; the padding counts as zeros.
pub(crate) fn avg_pool(x: &Map, window: Window) -> Map {
    let mut y = Map::zeros(window.outputs(x, x.dims[1]));
    let area = (window.kernel * window.kernel) as f64;
    window.each(y.dims, [x.dims[2], x.dims[3]], |at, [_, _, iy, ix]| {
        y.add(at, x.get([at[0], at[1], iy, ix]) / area);
    });
    y
}

pub(crate) fn avg_pool_backward(dims: [usize; 4], window: Window, dy: &Map) -> Map {
    let mut dx = Map::zeros(dims);
    let area = (window.kernel * window.kernel) as f64;
    window.each(dy.dims, [dims[2], dims[3]], |at, [_, _, iy, ix]| {
        dx.add([at[0], at[1], iy, ix], dy.get(at) / area);
    });
    dx
}

/// `(B, C, H, W)` → `(B, C, 1, 1)`.
pub(crate) fn global_avg_pool(x: &Map) -> Map {
    let [batch, channels, height, width] = x.dims;
    let mut y = Map::zeros([batch, channels, 1, 1]);
    Map::each(x.dims, |at| {
        y.add([at[0], at[1], 0, 0], x.get(at) / (height * width) as f64)
    });
    y
}
