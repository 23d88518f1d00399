//! DINOv2's ViT-S/14 beside timm's, on the weights that `tests/golden/dino_v2.py --full FOLDER` wrote:
//! `cargo run --release -p siamese-core --features transformers --example dino_v2_peer -- FOLDER [ROUNDS]` prints how far the
//! embeddings lie from timm's, and seconds for its batch of images, a round each.

use std::path::PathBuf;
use std::time::Instant;

use siamese_core::candle::{Device, Result, Tensor};
use siamese_core::{ImageInput, Pretrained, tensor_file};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("dino_v2_peer FOLDER [ROUNDS]")?);
    let rounds: usize = arguments.next().map_or(Ok(0), |n| n.parse())?;
    let (tensors, words) = tensor_file::read(&folder.join("model.safetensors"), &Device::Cpu)?;
    let file = Pretrained { tensors, words };
    let mut tower = file
        .model(ImageInput::imagenet(), "timm's", &Device::Cpu)?
        .tower;
    tower.prepack();
    let images = Tensor::read_npy(folder.join("images.npy"))?;
    let theirs = unit(&Tensor::read_npy(folder.join("embeddings.npy"))?)?;
    let ours = tower.embed(&images)?;
    let furthest = (&ours - &theirs)?.abs()?.flatten_all()?.max(0)?;
    let largest = theirs.abs()?.flatten_all()?.max(0)?;
    let cosine = (&ours * &theirs)?.sum(1)?.min(0)?;
    println!(
        "embeddings of length 1: at most {:.1e} from timm's (largest value {:.2}), least cosine {:.8}",
        furthest.to_scalar::<f32>()?,
        largest.to_scalar::<f32>()?,
        cosine.to_scalar::<f32>()?
    );
    for _ in 0..rounds {
        let start = Instant::now();
        tower.embed(&images)?;
        println!("{:.3}", start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Each row at length 1.
fn unit(rows: &Tensor) -> Result<Tensor> {
    rows.broadcast_div(&rows.sqr()?.sum_keepdim(1)?.sqrt()?)
}
