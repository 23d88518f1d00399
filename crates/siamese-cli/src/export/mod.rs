//! `siamese export`: a model for other programs.

mod hub;
mod int8;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use candle_core::Device;
use clap::Args;
use siamese_core::{Body, Fit, ImageInput, Model};
use siamese_embed::load_model;

use crate::data::DataArguments;

const INT8: &str = "8 bits (with --onnx)";
const HUB: &str = "The hub's repository (with --hub)";

/// Arguments of `siamese export`.
#[derive(Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("form").required(true).multiple(true).args(["onnx", "timm", "page", "hub"]))]
pub(crate) struct Arguments {
    /// A run's folder or a model file
    model: PathBuf,
    /// Write ONNX: bytes of pictures in, embeddings out; a head that compares pairs goes to FILE.head.onnx
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// Write model.safetensors and config.json as timm and the hub take them (ResNets for photos)
    #[arg(long, value_name = "FOLDER")]
    timm: Option<PathBuf>,
    /// Write a page in one file that compares two pictures in a browser, without a server
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Write a folder for the Hugging Face hub: model, ONNX, and a card with the run's figures and nothing of this machine
    #[arg(long, value_name = "FOLDER")]
    hub: Option<PathBuf>,
    /// With 8 bits: a quarter of the size, and faster; how much worse it is is measured and told
    #[arg(long, help_heading = INT8, requires = "onnx")]
    int8: bool,
    /// Pictures like those that it will see, a subfolder for each class, which tell the ranges of 8 bits and judge them
    /// [default: those that the model's run held out]
    #[arg(long, help_heading = INT8, value_name = "DIR", requires = "int8")]
    calibrate: Option<PathBuf>,
    #[command(flatten, next_help_heading = INT8)]
    data: DataArguments,
    /// What that repository will be called
    #[arg(long, help_heading = HUB, value_name = "USER/NAME", requires = "hub", value_parser = hub::repository)]
    repo: Option<String>,
    /// The licence of its weights, as the hub names it: mit, apache-2.0, …
    #[arg(long, help_heading = HUB, value_name = "ID", requires = "hub", value_parser = hub::license)]
    license: Option<String>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let wasm = arguments.page.as_ref().map(|_| wasm()).transpose()?;
    let model = load_model(&arguments.model, &Device::Cpu)?;
    let tower = model.tower.config();
    if let (Some(_), Body::DinoV2(body)) = (&arguments.page, &tower.body) {
        bail!(
            "a page computes no {body}: its code is made small, without candle-transformers; `siamese serve` is a page that does"
        )
    }
    let input = &tower.input;
    if let Some(path) = &arguments.onnx {
        let cost = match arguments.int8 {
            true => {
                let place = (arguments.model.as_path(), &arguments.data);
                Some(int8::write(
                    &model,
                    place,
                    arguments.calibrate.as_ref(),
                    path,
                )?)
            }
            false => {
                siamese_onnx::export(&model, path)?;
                None
            }
        };
        let (shape, dim) = (shape(input), model.tower.config().embedding);
        say(
            path,
            &format!("image (batch, {shape}) of bytes → embedding (batch, {dim})"),
        )?;
        if let Some(cost) = cost {
            println!("{cost}");
        }
        let head = path.with_extension("head.onnx");
        if siamese_onnx::export_head(&model, &head)? {
            say(&head, &format!("a, b (batch, {dim}) → distance (batch, 1)"))?;
        }
    }
    if let Some(folder) = &arguments.timm {
        model.save_for_timm(folder)?;
        println!(
            "{}: timm.create_model(\"local-dir:{}\", pretrained=True)",
            folder.display(),
            folder.display()
        );
    }
    if let (Some(path), Some(wasm)) = (&arguments.page, wasm) {
        let name = arguments.model.file_name();
        let name = name.map_or("a model".into(), |name| name.to_string_lossy());
        let page = siamese_serve::standalone(&model, &name, wasm)?;
        siamese_files::write_bytes(path, page.as_bytes())
            .with_context(|| format!("writing {}", path.display()))?;
        say(path, "a page that compares two pictures in a browser")?;
    }
    if let Some(folder) = &arguments.hub {
        let told = (arguments.repo.as_deref(), arguments.license.as_deref());
        hub::write(&model, &arguments.model, folder, told)?;
        println!("{}: a folder for the hub", folder.display());
        println!("{}", hub::next(folder, told));
    }
    println!("{}", use_of(&model));
    Ok(ExitCode::SUCCESS)
}

/// What runs a model in a browser, where this build has it.
#[cfg(feature = "page")]
fn wasm() -> Result<&'static [u8]> {
    Ok(include_bytes!(env!(
        "SIAMESE_WASM",
        "the feature `page` is built by `cargo xtask page`"
    )))
}

#[cfg(not(feature = "page"))]
fn wasm() -> Result<&'static [u8]> {
    anyhow::bail!(
        "this build of siamese cannot write pages: it lacks the model's code as WebAssembly; build one that can, in the \
         sources, with `rustup target add wasm32-unknown-unknown && cargo xtask page`"
    )
}

fn shape(input: &ImageInput) -> String {
    format!("{}, {}, {}", input.height, input.width, input.channels())
}

fn say(path: &Path, what: &str) -> Result<()> {
    let bytes = path
        .metadata()
        .with_context(|| format!("reading {}", path.display()))?
        .len();
    println!("{}: {:.1} MB, {what}", path.display(), bytes as f64 / 1e6);
    Ok(())
}

/// What whoever runs it has to do before and after.
fn use_of(model: &Model) -> String {
    let input = &model.tower.config().input;
    let fit = match input.fit {
        Fit::Crop => "the middle cut out, the short side made to fit",
        Fit::Pad => "the long side made to fit, the rest filled",
        Fit::Stretch => "both sides made to fit",
    };
    let colour = if input.channels() == 1 { "grey" } else { "RGB" };
    let size = format!(
        "{colour} pictures of {}x{}, {fit}",
        input.height, input.width
    );
    match (&model.threshold, &model.head) {
        (None, _) => format!("It takes {size}; it has no threshold yet."),
        (Some(threshold), Some(_)) => format!(
            "It takes {size}; two are called the same where the head's distance is below {:.4}.",
            threshold.value
        ),
        (Some(threshold), None) => format!(
            "It takes {size}; two are called the same where their {} distance is below {:.4}.",
            model.distance, threshold.value
        ),
    }
}
