//! Which instruction set is in use, and running work with it.

use std::sync::OnceLock;

use super::portable::Portable;
use super::vector::{Kernel, Level, Simd};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

impl Level {
    /// The levels that this machine has, the widest last.
    pub(crate) fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Self::Avx2);
                if is_x86_feature_detected!("avx512f") {
                    levels.push(Self::Avx512);
                }
            }
        }
        levels
    }

    /// The level in use: the widest, or the one that `SIAMESE_SIMD` (`portable`, `avx2`, `avx512`)
    /// names, if the machine has it. Read once.
    pub(crate) fn current() -> Self {
        static LEVEL: OnceLock<Level> = OnceLock::new();
        *LEVEL.get_or_init(|| {
            let levels = Self::available();
            let wished = std::env::var("SIAMESE_SIMD").unwrap_or_default();
            let named = levels.iter().find(|l| l.name() == wished);
            *named.unwrap_or(&levels[levels.len() - 1])
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }

    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::Avx512::LANES,
        }
    }

    /// Runs `kernel` compiled for this level.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable => kernel.run(Portable),
            // SAFETY: levels other than `Portable` come from `available`, which checked the CPU.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::run(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512::run(kernel) },
        }
    }
}
