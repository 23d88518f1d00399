//! Times forward passes and training steps, one line of standard input per round.
//!
//! Arguments: `cuda` for the first GPU; `f32` (default), `tf32` or `bf16`; `candle` for Candle's own operations.
//! A line is `NET MODE BATCH STEPS` (`conv4 train 128 3`); the answer is the least time of a step
//! in seconds and the peak memory so far in MiB. `benches/peer.py` speaks the same, so that
//! `cargo xtask bench train` can let the two take turns.

mod candle;
mod nets;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use candle_nn::loss;
use siamese_kernels::Precision;
use siamese_kernels::optim::{AdamW, AdamWConfig, Param};

use nets::{Net, Side};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let (mut device, mut side) = (Device::Cpu, Side::Ours(Precision::F32));
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "cuda" => device = Device::new_cuda(0)?,
            "candle" => side = Side::Candle,
            word => side = Side::Ours(word.parse().map_err(anyhow::Error::msg)?),
        }
    }
    let mut trained = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let [net, mode, batch, steps] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("expected NET MODE BATCH STEPS, got {line:?}");
        };
        let (batch, steps) = (batch.parse()?, steps.parse()?);
        if !trained.contains_key(net) {
            trained.insert(net.to_string(), Subject::new(net, &device, side)?);
        }
        let subject = trained.get_mut(net).context("just inserted")?;
        let seconds = subject.round(mode, batch, steps)?;
        println!("{seconds} {}", peak_mib());
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// A network and its optimizer.
struct Subject {
    net: Net,
    device: Device,
    optimizer: AdamW,
    /// Modes that have run before, and so need no step to warm up.
    warm: Vec<String>,
}

impl Subject {
    fn new(name: &str, device: &Device, side: Side) -> Result<Self> {
        let (net, vars) = Net::new(name, device, side)?;
        let vars = vars
            .data()
            .lock()
            .map_err(|_| anyhow::anyhow!("poisoned"))?;
        let trainable = vars.iter().filter(|(name, _)| !name.contains("running_"));
        let mut params: Vec<_> = trainable
            .map(|(name, var)| Param {
                decay: true,
                ..Param::new(name, var.clone())
            })
            .collect();
        params.sort_by(|a, b| a.name.cmp(&b.name));
        let optimizer = AdamW::new(params, AdamWConfig::default())?;
        Ok(Self {
            net,
            device: device.clone(),
            optimizer,
            warm: Vec::new(),
        })
    }

    /// The least time of one of `steps` steps, in seconds.
    fn round(&mut self, mode: &str, batch: usize, steps: usize) -> Result<f64> {
        let images = Tensor::randn(0f32, 1f32, (batch, 3, 32, 32), &self.device)?;
        let labels: Vec<u32> = (0..batch as u32).map(|i| i % 10).collect();
        let labels = Tensor::new(labels, &self.device)?;
        if !self.warm.iter().any(|warm| warm == mode) {
            self.step(mode, &images, &labels)?;
            self.warm.push(mode.into());
        }
        let mut least = f64::INFINITY;
        for _ in 0..steps {
            let start = Instant::now();
            self.step(mode, &images, &labels)?;
            least = least.min(start.elapsed().as_secs_f64());
        }
        Ok(least)
    }

    fn step(&mut self, mode: &str, images: &Tensor, labels: &Tensor) -> Result<()> {
        let result = match mode {
            "forward" => self.net.forward_t(images, false)?.detach().sum_all()?,
            "train" => {
                let logits = self.net.forward_t(images, true)?;
                let loss = loss::cross_entropy(&logits, labels)?;
                self.optimizer.step(&loss.backward()?, 1e-3, 1.0)?;
                loss
            }
            _ => bail!("mode {mode:?} is neither forward nor train"),
        };
        let value = result.to_scalar::<f32>()?;
        if !value.is_finite() {
            bail!("{mode} gave {value}");
        }
        Ok(())
    }
}

/// The most memory this process has held, in MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
