//! A GPU's stand-in in host memory.
//!
//! The kernels are those of `kernels.cu`, compiled by the system's C++ compiler; convolutions are
//! plain loops. Fresh memory is full of NaN, and what is written past its end is noticed.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use candle_core::{Result, bail};
use libloading::Library;

use super::device::{Arg, Convolution, Gpu, Grid, Memory, NULL, Pass, Place};
use crate::deliver::lock;
use crate::precision::Precision;

type Launch = unsafe extern "C" fn(*const c_char, *const u32, *const *const c_void) -> c_int;

/// The compiled kernels. They keep their threads in static memory: one launch at a time.
pub(crate) struct Twin {
    launch: Launch,
    _library: Library,
    turn: Mutex<()>,
}

impl Twin {
    /// Compiled once for all tests; `None`, with the reason printed, where there is no C++ compiler.
    pub(crate) fn open() -> Option<&'static Self> {
        static TWIN: OnceLock<Option<Twin>> = OnceLock::new();
        let open = || match Self::compile() {
            Ok(twin) => Some(twin),
            Err(why) => {
                eprintln!("skipped: the GPU kernels' twin wants a C++ compiler: {why}");
                None
            }
        };
        TWIN.get_or_init(open).as_ref()
    }

    fn compile() -> std::result::Result<Self, String> {
        let compiler = std::env::var("CXX").unwrap_or("c++".into());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu/twin/emulate.cpp");
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let library = folder.path().join("libtwin.so");
        let args = ["-std=c++17", "-O2", "-Wall", "-Werror", "-shared", "-fPIC"];
        let run = Command::new(&compiler)
            .args(args)
            .arg("-o")
            .args([&library, &source])
            .output();
        let run = run.map_err(|e| format!("{compiler}: {e}"))?;
        assert!(
            run.status.success(),
            "the kernels do not compile:\n{}",
            String::from_utf8_lossy(&run.stderr)
        );
        // SAFETY: the library is the one just made; its `launch` has this signature.
        unsafe {
            let library = Library::new(&library).map_err(|e| e.to_string())?;
            let launch = *library
                .get::<Launch>(b"launch\0")
                .map_err(|e| e.to_string())?;
            Ok(Self {
                launch,
                _library: library,
                turn: Mutex::new(()),
            })
        }
    }
}

/// Where an argument's bytes are.
fn bytes(arg: &Arg<'_>) -> *const c_void {
    match arg {
        Arg::Place(Some(place)) => (&raw const place.address).cast(),
        Arg::Place(None) => (&raw const NULL).cast(),
        Arg::Int(value) => (&raw const *value).cast(),
        Arg::Uint(value) => (&raw const *value).cast(),
        Arg::Long(value) => (&raw const *value).cast(),
        Arg::Float(value) => (&raw const *value).cast(),
        Arg::Window(value) => (&raw const *value).cast(),
    }
}

const GUARD: u64 = 0xA5A5_5A5A_A5A5_5A5A;

/// 8-byte words, the last a guard.
pub(crate) struct Words(Vec<u64>);

impl Words {
    pub(crate) fn of(values: &[f32]) -> Self {
        let memory = Self::new(4 * values.len());
        let to = memory.0.as_ptr().cast::<f32>().cast_mut();
        // SAFETY: the words hold as many values.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len()) };
        memory
    }

    pub(crate) fn new(bytes: usize) -> Self {
        let mut words = vec![u64::MAX; bytes.div_ceil(8)];
        words.push(GUARD);
        Self(words)
    }

    pub(crate) fn values(&self, n: usize) -> Vec<f32> {
        assert!(4 * n <= 8 * (self.0.len() - 1));
        // SAFETY: the words hold as many values.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<f32>(), n) }.to_vec()
    }
}

impl Memory for Words {
    fn place(&self) -> Place<'_> {
        Place::new(self.0.as_ptr() as u64)
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.0.last(), Some(&GUARD), "written past the end");
        }
    }
}

impl Gpu for Twin {
    type Memory = Words;

    fn allocate(&self, bytes: usize) -> Result<Words> {
        Ok(Words::new(bytes))
    }

    unsafe fn launch(&self, kernel: &str, grid: Grid, args: &[Arg<'_>]) -> Result<()> {
        let _turn = lock(&self.turn);
        let name = CString::new(kernel).map_err(candle_core::Error::wrap)?;
        let args: Vec<_> = args.iter().map(bytes).collect();
        let (blocks, threads) = (grid.blocks, grid.threads);
        let grid = [blocks.0, blocks.1, threads.0, threads.1];
        // SAFETY: the caller vouches for the arguments.
        match unsafe { (self.launch)(name.as_ptr(), grid.as_ptr(), args.as_ptr()) } {
            0 => Ok(()),
            1 => bail!("there is no kernel {kernel}"),
            2 => bail!("{kernel}: {threads:?} are too many threads"),
            _ => bail!("{kernel}: some threads of a block wait for others that have ended"),
        }
    }

    unsafe fn convolve(
        &self,
        c: &Convolution,
        pass: Pass,
        places: [Place<'_>; 3],
        add: bool,
    ) -> Result<()> {
        let (d, o) = (c.step.input, c.step.output);
        let lengths = [c.batch * d.len(), c.step.weights(), c.batch * o.len()];
        let written = match pass {
            Pass::InputGradient => 0,
            Pass::WeightGradient => 1,
            Pass::Forward => 2,
        };
        let mut values: [Vec<f64>; 3] = Default::default();
        for (i, (values, (place, n))) in values
            .iter_mut()
            .zip(places.into_iter().zip(lengths))
            .enumerate()
        {
            *values = match i == written && !add {
                true => vec![0.; n],
                // SAFETY: the caller vouches for the length.
                false => unsafe { read(c.precision, place, n) },
            };
        }
        taps(c, |x, w, y| match pass {
            Pass::InputGradient => values[0][x] += values[1][w] * values[2][y],
            Pass::WeightGradient => values[1][w] += values[0][x] * values[2][y],
            Pass::Forward => values[2][y] += values[0][x] * values[1][w],
        });
        // SAFETY: as above.
        unsafe { write(c.precision, places[written], &values[written]) };
        Ok(())
    }
}

/// Calls `f` with the places of image, weight (out, place, in) and output of every product.
fn taps(c: &Convolution, mut f: impl FnMut(usize, usize, usize)) {
    let (d, o, s) = (c.step.input, c.step.output, &c.step);
    let pixels = |h: usize, w: usize| (0..h).flat_map(move |y| (0..w).map(move |x| (y, x)));
    for b in 0..c.batch {
        for ((oy, ox), (ky, kx)) in
            pixels(o.h, o.w).flat_map(|o| pixels(s.kernel, s.kernel).map(move |k| (o, k)))
        {
            let (y, x) = (oy * s.stride + ky, ox * s.stride + kx);
            if y < s.padding || x < s.padding || y >= d.h + s.padding || x >= d.w + s.padding {
                continue;
            }
            let from = ((b * d.h + y - s.padding) * d.w + x - s.padding) * d.c;
            let to = ((b * o.h + oy) * o.w + ox) * o.c;
            for (out, inp) in pixels(o.c, d.c) {
                let weight = ((out * s.kernel + ky) * s.kernel + kx) * d.c + inp;
                f(from + inp, weight, to + out);
            }
        }
    }
}

unsafe fn read(precision: Precision, place: Place<'_>, n: usize) -> Vec<f64> {
    let address = place.address as usize;
    (0..n)
        .map(|i| {
            // SAFETY: the caller vouches for the length.
            unsafe {
                match precision {
                    Precision::Bf16 => {
                        let bits = *(address as *const u16).add(i);
                        f64::from(f32::from_bits(u32::from(bits) << 16))
                    }
                    _ => f64::from(*(address as *const f32).add(i)),
                }
            }
        })
        .collect()
}

unsafe fn write(precision: Precision, place: Place<'_>, values: &[f64]) {
    let address = place.address as usize;
    for (i, &value) in values.iter().enumerate() {
        // SAFETY: the caller vouches for the length.
        unsafe {
            match precision {
                Precision::Bf16 => *(address as *mut u16).add(i) = to_bf16(value as f32),
                _ => *(address as *mut f32).add(i) = value as f32,
            }
        }
    }
}

/// To nearest, ties to even.
fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}
