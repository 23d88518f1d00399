//! Our side of `cargo xtask bench faces`: the faces in a picture, again and again.
//!
//! `faces_rate PIXELS HEIGHT WIDTH`, the pixels being bytes (H, W, 3); it says how many faces there are, and answers each line on
//! standard input, a number of looks, with the least time of one in seconds.

use std::error::Error;
use std::io::{BufRead, stdin};
use std::time::Instant;

use siamese_faces::{Detector, Rgb};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pixels, height, width] = &arguments[..] else {
        return Err("faces_rate PIXELS HEIGHT WIDTH".into());
    };
    let pixels = std::fs::read(pixels)?;
    let picture = Rgb::new(height.parse()?, width.parse()?, &pixels)?;
    let detector = Detector::new()?;
    println!("{}", detector.detect(&picture)?.len());
    for line in stdin().lock().lines() {
        let mut least = f64::INFINITY;
        for _ in 0..line?.parse::<usize>()? {
            let start = Instant::now();
            std::hint::black_box(detector.detect(&picture)?);
            least = least.min(start.elapsed().as_secs_f64());
        }
        println!("{least}");
    }
    Ok(())
}
