//! Every reader of what others made, with inputs that it reads.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Result, ensure};
use image::ImageFormat;
use siamese_core::Model;
use siamese_core::candle::Device;
use siamese_core::metrics::npz::read_npz;
use siamese_data::{
    HubOptions, Items, OpenOptions, Part, PictureLimits, Progress, check_split, decode,
    fetch_cifar100, open, probe, read_pairs,
};
use siamese_evaluate::read_lfw_pairs;
use siamese_train::{Layer, Preset, TrainConfig};

use crate::{runs, seeds};

/// A reader of one kind of file.
pub(crate) struct Parser {
    pub(crate) name: &'static str,
    pub(crate) seeds: fn() -> Result<Vec<Vec<u8>>>,
    /// What makes a file of a mutated seed: checksums, an archive around it.
    pub(crate) wrap: fn(Vec<u8>) -> Vec<u8>,
    /// What else must lie in the folder.
    pub(crate) prepare: fn(&Path) -> Result<()>,
    /// Reads an input, by way of a file in the folder where it must be one.
    pub(crate) run: fn(&Path, &[u8]) -> Result<()>,
}

pub(crate) fn parser(
    name: &'static str,
    seeds: fn() -> Result<Vec<Vec<u8>>>,
    run: fn(&Path, &[u8]) -> Result<()>,
) -> Parser {
    Parser {
        name,
        seeds,
        wrap: |bytes| bytes,
        prepare: |_| Ok(()),
        run,
    }
}

pub(crate) fn all() -> Vec<Parser> {
    let mut parsers = pictures();
    parsers.extend(sets());
    parsers.extend(lists());
    parsers.extend(models());
    parsers.extend(runs::runs());
    parsers
}

fn pictures() -> Vec<Parser> {
    vec![
        Parser {
            wrap: png_sums,
            ..parser("png", || seeds::picture(ImageFormat::Png), picture)
        },
        parser("jpeg", || seeds::picture(ImageFormat::Jpeg), picture),
        parser("gif", || seeds::picture(ImageFormat::Gif), picture),
        parser("bmp", || seeds::picture(ImageFormat::Bmp), picture),
        parser("webp", || seeds::picture(ImageFormat::WebP), picture),
        parser("tiff", || seeds::picture(ImageFormat::Tiff), picture),
        parser("pnm", || seeds::picture(ImageFormat::Pnm), picture),
        parser("heic", seeds::heic, picture),
    ]
}

fn sets() -> Vec<Parser> {
    vec![
        parser("parquet", seeds::parquet, |at, bytes| {
            set(at, "set.parquet", bytes)
        }),
        Parser {
            wrap: tar_sums,
            ..parser(
                "tar",
                || Ok(vec![seeds::tar(&seeds::classes())]),
                |at, bytes| set(at, "set.tar", bytes),
            )
        },
        Parser {
            wrap: |bytes| seeds::gzip(tar_sums(bytes)),
            ..parser(
                "tar.gz",
                || Ok(vec![seeds::tar(&seeds::classes())]),
                |at, bytes| set(at, "set.tar.gz", bytes),
            )
        },
        parser(
            "zip",
            || Ok(vec![seeds::zip(&seeds::classes())]),
            |at, bytes| set(at, "set.zip", bytes),
        ),
        Parser {
            wrap: tar_sums,
            ..parser(
                "webdataset",
                || Ok(vec![seeds::tar(&seeds::shard())]),
                |at, bytes| set(at, "train-000000.tar", bytes),
            )
        },
        parser(
            "omniglot",
            || Ok(vec![seeds::zip(&seeds::omniglot())]),
            |at, bytes| folder(at, "images_background.zip", bytes),
        ),
        Parser {
            prepare: |at| {
                Ok(fs::write(
                    at.join("train-labels-idx1-ubyte"),
                    seeds::idx_labels(),
                )?)
            },
            ..parser(
                "idx images",
                || Ok(vec![seeds::idx()]),
                |at, bytes| folder(at, "train-images-idx3-ubyte", bytes),
            )
        },
        Parser {
            wrap: seeds::gzip,
            prepare: |at| Ok(fs::write(at.join("train-images-idx3-ubyte"), seeds::idx())?),
            ..parser(
                "idx labels",
                || Ok(vec![seeds::idx_labels()]),
                |at, bytes| folder(at, "train-labels-idx1-ubyte.gz", bytes),
            )
        },
        Parser {
            prepare: |at| {
                fs::write(at.join("test.bin"), seeds::records())?;
                fs::write(at.join("fine_label_names.txt"), "apple\nbear\n")?;
                Ok(fs::write(at.join("coarse_label_names.txt"), "things\n")?)
            },
            ..parser(
                "cifar records",
                || Ok(vec![seeds::records()]),
                |at, bytes| folder(at, "train.bin", bytes),
            )
        },
        parser("hub answers", || Ok(vec![answer()]), hub),
    ]
}

const CSV: &[u8] =
    b"path,label,split\n0.png,cat,train\n1.png,dog,train\n2.png,cat,test\n3.png,dog,test\n";
const JSONL: &[u8] =
    b"{\"file_name\": \"0.png\", \"label\": \"cat\"}\n{\"file_name\": \"1.png\", \"label\": 2}\n\
    {\"file_name\": \"2.png\", \"label\": \"cat\"}\n{\"file_name\": \"3.png\", \"label\": 2}\n";
const JSON: &[u8] =
    b"[{\"path\": \"0.png\", \"label\": \"cat\"}, {\"path\": \"1.png\", \"label\": \"dog\"}]";
const PAIRS: &[u8] = b"path_a,path_b,same\n0.png,1.png,0\n0.png,2.png,1\n1.png,3.png,1\n";
const LFW: &[u8] = b"2\t1\nAnn\t1\t2\nAnn\t1\tBob\t1\nBob\t1\t2\nAnn\t2\tBob\t2\n";
const SPLIT: &[u8] = b"item,file,class,group,part\n0,a,x,,train\n1,b,x,,test\n2,c,y,,train\n";

fn lists() -> Vec<Parser> {
    let table = |name, seeds, run| Parser {
        prepare: photos,
        ..parser(name, seeds, run)
    };
    vec![
        table(
            "csv tables",
            || Ok(vec![CSV.to_vec(), PAIRS.to_vec()]),
            |at, bytes| set(at, "set.csv", bytes),
        ),
        table(
            "jsonl tables",
            || Ok(vec![JSONL.to_vec(), JSON.to_vec()]),
            |at, bytes| set(at, "set.jsonl", bytes),
        ),
        parser(
            "lists of pairs",
            || {
                Ok(vec![
                    PAIRS.to_vec(),
                    b"a.png b.png 1\nc.png a.png 0\n".to_vec(),
                ])
            },
            |at, bytes| {
                fs::write(at.join("pairs.txt"), bytes)?;
                read(read_pairs(&at.join("pairs.txt")))
            },
        ),
        parser(
            "lfw lists",
            || Ok(vec![LFW.to_vec()]),
            |at, bytes| {
                fs::write(at.join("pairs.txt"), bytes)?;
                read(read_lfw_pairs(&at.join("pairs.txt")))
            },
        ),
        parser("split.csv", || Ok(vec![SPLIT.to_vec()]), split),
        parser("configurations", configurations, |at, bytes| {
            let path = at.join("run.toml");
            fs::write(&path, bytes)?;
            let layer = Layer::read(&path)?;
            read(TrainConfig::from_layers([
                &Preset::named("quick")?.layer,
                &layer,
            ]))
        }),
    ]
}

fn models() -> Vec<Parser> {
    vec![
        Parser {
            wrap: seeds::npz,
            ..parser("npz", seeds::arrays, |at, bytes| {
                let path = at.join("e.npz");
                fs::write(&path, bytes)?;
                read(read_npz(&path))
            })
        },
        parser("models", seeds::models, |at, bytes| {
            let path = at.join("model.safetensors");
            fs::write(&path, bytes)?;
            read(Model::load(&path, &Device::Cpu))
        }),
    ]
}

/// Whether it was read, whatever was in it.
pub(crate) fn read<T, E: Into<anyhow::Error>>(found: Result<T, E>) -> Result<()> {
    found.map(drop).map_err(Into::into)
}

fn picture(_: &Path, bytes: &[u8]) -> Result<()> {
    let probed = probe(bytes);
    let picture = decode(bytes, &PictureLimits::default(), None)?;
    ensure!(probed.is_ok() && picture.height() > 0);
    Ok(())
}

fn options(at: &Path) -> OpenOptions {
    let nobody = HubOptions {
        offline: true,
        ..HubOptions::new("http://127.0.0.1:9", at)
    };
    OpenOptions {
        cache: Some(at.join("cache")),
        datasets: Some(at.join("none")),
        hub: nobody,
        progress: Progress::Silent,
        ..OpenOptions::default()
    }
}

/// A set in a file of that name.
fn set(at: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = at.join(name);
    fs::write(&path, bytes)?;
    pictures_of(at, &path)
}

/// A set in a folder with that file in it.
fn folder(at: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    fs::write(at.join(name), bytes)?;
    pictures_of(at, at)
}

/// Lists the set, and looks at a few of its pictures.
fn pictures_of(at: &Path, place: &Path) -> Result<()> {
    let listing = open(place, &options(at))?;
    let _ = listing.describe().to_string();
    let shown = (0..listing.items.len().min(4)).map(|item| listing.thumbnail(item, 8));
    // one that is damaged is left out, the set is read all the same
    shown.for_each(drop);
    Ok(())
}

fn photos(at: &Path) -> Result<()> {
    (0..4).try_for_each(|i| Ok(seeds::photo(i).save(at.join(format!("{i}.png")))?))
}

fn split(at: &Path, bytes: &[u8]) -> Result<()> {
    let path = at.join("split.csv");
    fs::write(&path, bytes)?;
    let classes = ["x", "y"].map(String::from);
    let names = ["a", "b", "c"].map(String::from);
    let items = Items {
        labels: &[0, 0, 1],
        classes: &classes,
        groups: None,
        published: None,
        pairs: None,
    };
    Ok(check_split(
        &path,
        &items,
        &names,
        &[Part::Train, Part::Test, Part::Train],
    )?)
}

fn configurations() -> Result<Vec<Vec<u8>>> {
    let config = TrainConfig::preset("system-c")?;
    let text = b"preset = 'quick'\nepochs = 3\n[tower.body]\nkind = 'stages'\nstages = [{ channels = 8, convolutions = 1 }]\n";
    let whole = Layer::of(&config)?.to_toml()?;
    Ok(vec![text.to_vec(), whole.into_bytes()])
}

pub(crate) fn record() -> Result<Vec<u8>> {
    let config = TrainConfig::preset("system-c")?;
    let record = serde_json::json!({
        "siamese": "0.1.0", "candle": "0.11.1", "device": "cpu", "platform": "x", "command": "siamese train x",
        "data": { "name": "a", "title": "A", "hub": null, "kind": "k", "origin": "o", "fingerprint": "f", "sample": false },
        "config": config,
    });
    Ok(record.to_string().into_bytes())
}

/// A hub's answer that tells of a file, and leads nowhere.
fn answer() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nX-Repo-Commit: aadb3af77e9048adbea6b47c21a81e47dd092ae5\r\nETag: \"0123456789abcdef0123456789abcdef\"\r\n\
      X-Linked-Size: 8\r\nContent-Range: bytes 0-7/8\r\nContent-Length: 8\r\nConnection: close\r\n\r\nPAR1PAR1"
        .to_vec()
}

/// A server that gives these bytes to whoever asks for anything; a fetch from it.
fn hub(at: &Path, bytes: &[u8]) -> Result<()> {
    static SERVER: OnceLock<(String, Arc<Mutex<Vec<u8>>>)> = OnceLock::new();
    let (endpoint, said) = SERVER.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let said = Arc::new(Mutex::new(Vec::new()));
        let saying = Arc::clone(&said);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // the request is of no matter
                let _ = stream.read(&mut [0; 4096]);
                let answer: Vec<u8> = saying.lock().unwrap().clone();
                let _ = stream.write_all(&answer);
            }
        });
        (endpoint, said)
    });
    *said.lock().unwrap() = bytes.to_vec();
    let cache = tempfile::tempdir_in(at)?;
    let hub = HubOptions {
        retries: 1,
        backoff: Duration::from_millis(1),
        read_timeout: Duration::from_millis(500),
        ..HubOptions::new(endpoint, cache.path())
    };
    let source = siamese_data::SourceChoice::Hub;
    read(fetch_cifar100(&OpenOptions {
        hub,
        source,
        ..options(at)
    }))
}

/// The sums of a PNG's chunks, taken anew.
fn png_sums(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = at.saturating_add(8).saturating_add(length);
        if end.saturating_add(4) > bytes.len() {
            break;
        }
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&sum.sum().to_be_bytes());
        at = end + 4;
    }
    bytes
}

/// The sums of a tar's headers, taken anew, where its first tells how long the entries are.
fn tar_sums(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + 512) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        if sum == 8 * u32::from(b' ') {
            header[148..156].fill(0);
            break;
        }
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = String::from_utf8_lossy(&header[124..135]).into_owned();
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        at = at
            .saturating_add(512)
            .saturating_add(size.next_multiple_of(512));
    }
    bytes
}
