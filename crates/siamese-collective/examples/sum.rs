//! Adds numbers up over the processes that a launcher starts:
//!
//! ```sh
//! cargo build -p siamese-collective --example sum
//! torchrun --nproc-per-node 3 --no-python target/debug/examples/sum
//! ```

use siamese_collective::{Collective, Patience, Place, Ring};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(place) = Place::from_env()? else {
        println!("one process: its sum is its own");
        return Ok(());
    };
    let ring = Ring::join(&place, Patience::default())?;
    let mut values = [1.0, ring.rank() as f32];
    ring.sum(&mut values)?;
    let (rank, size) = (ring.rank(), ring.size());
    println!("process {rank} of {size}: {values:?}");
    Ok(())
}
