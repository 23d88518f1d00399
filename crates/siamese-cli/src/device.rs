//! Which device to compute on.

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use candle_core::Device;

/// What the user asked for: `auto`, `cpu`, `cuda` or `cuda:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    Auto,
    Cpu,
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |n: &str| n.parse().ok().map(Self::Cuda);
        match text {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(number),
        }
        .ok_or_else(|| format!("{text:?} is no device; use auto, cpu, cuda or cuda:N"))
    }
}

impl DeviceChoice {
    /// Opens the device for one of several processes of a machine: `auto` takes the GPU of its number, or the only one
    /// that it sees.
    pub(crate) fn open_as(self, process: usize) -> Result<Device> {
        match self {
            Self::Auto if process > 0 => {
                Device::cuda_if_available(process).or_else(|_| self.open())
            }
            _ => self.open(),
        }
    }

    /// Opens the device; `auto` takes the first GPU if this build and this machine have one.
    pub(crate) fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto => Ok(Device::cuda_if_available(0).unwrap_or(Device::Cpu)),
            Self::Cuda(_) if !cfg!(feature = "cuda") => {
                bail!("this build has no CUDA support; build it with --features cuda")
            }
            Self::Cuda(n) => Device::new_cuda(n).with_context(|| format!("opening cuda:{n}")),
        }
    }
}

/// A line on what is computed on.
pub(crate) fn describe(device: &Device) -> String {
    match device {
        Device::Cpu => format!("CPU, {} threads", rayon::current_num_threads()),
        other => format!("{:?}", other.location()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_parsed_and_others_refused_with_advice() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        for wrong in ["gpu", "cuda:", "cuda:x", ""] {
            let error = wrong.parse::<DeviceChoice>().unwrap_err();
            assert!(error.contains("cuda:N"), "{error}");
        }
    }
}
