//! One file that compares two pictures in a browser, without a server: the page's own look, a model, and what runs it.

use std::io::Write;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use siamese_core::Model;

use crate::error::Error;

const STYLE: &str = include_str!("assets/style.css");
const ICON: &str = include_str!("assets/icon.svg");
const WORKER: &str = include_str!("assets/worker.js");
/// What the page's script is made of, each after what it imports.
const MODULES: [&str; 5] = [
    include_str!("assets/dom.js"),
    include_str!("assets/verdict.js"),
    include_str!("assets/field.js"),
    include_str!("assets/engine.js"),
    include_str!("assets/standalone.js"),
];

#[derive(Template)]
#[template(path = "standalone.html")]
struct Standalone<'a> {
    policy: &'a str,
    icon: &'a str,
    style: &'a str,
    script: &'a str,
    name: &'a str,
    data: &'a str,
    faces: bool,
    version: &'a str,
    /// Gzipped, in base64.
    wasm: &'a str,
    /// In base64.
    model: &'a str,
}

/// A page in one file that compares two pictures by `model`, which it calls `name`, wherever it lies: nothing is sent
/// or loaded. `wasm` is `siamese-wasm` compiled to WebAssembly, as `cargo xtask page` makes it.
///
/// # Errors
/// When the model is one that cannot be written to a file.
pub fn standalone(model: &Model, name: &str, wasm: &[u8]) -> Result<String, Error> {
    // what knows the classes trained on does not compare pictures
    let classes = None;
    let model = Model {
        classes,
        ..model.clone()
    };
    let script = script();
    let policy = policy(&script);
    let page = Standalone {
        policy: &policy,
        icon: &format!("data:image/svg+xml;base64,{}", STANDARD.encode(ICON)),
        style: STYLE,
        script: &script,
        name,
        data: &model.provenance.data,
        faces: model.faces.is_some(),
        version: env!("CARGO_PKG_VERSION"),
        wasm: &STANDARD.encode(gzipped(wasm).map_err(Error::Page)?),
        model: &STANDARD.encode(model.to_bytes()?),
    };
    page.render()
        .map_err(|error| Error::Page(std::io::Error::other(error)))
}

/// All modules as one: what they import stands before them. The worker's text is handed to it.
fn script() -> String {
    let worker = serde_json::Value::from(WORKER).to_string();
    let mut script = format!("const WORKER = {};\n", worker.replace("</", "<\\/"));
    let lines = MODULES.iter().flat_map(|module| module.lines());
    for line in lines.filter(|line| !line.starts_with("import ")) {
        script += line.strip_prefix("export ").unwrap_or(line);
        script.push('\n');
    }
    script
}

/// No script or style but these two by their digests, no request at all; pictures that the page itself made.
fn policy(script: &str) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src {} 'wasm-unsafe-eval'; style-src {}; img-src blob: data:; worker-src blob:; \
         base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types worker",
        hash(script),
        hash(STYLE)
    )
}

fn gzipped(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use siamese_core::candle::Device;
    use siamese_core::{Distance, Tower, TowerConfig};

    use super::*;

    fn page(name: &str) -> String {
        let tower = Tower::new(TowerConfig::system_c(), 1, &Device::Cpu).unwrap();
        let model = Model::new(tower, Distance::Cosine);
        standalone(&model, name, b"\0asm").unwrap()
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_the_policy_lets_nothing_in() {
        let page = page("birds");
        assert!(!page.contains("://"), "an address");
        for attribute in ["src=\"", "href=\""] {
            for value in page.split(attribute).skip(1) {
                assert!(value.starts_with("data:"), "{}", &value[..40]);
            }
        }
        assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
        assert!(!page.contains("unsafe-inline") && !page.contains("innerHTML"));
    }

    #[test]
    fn the_script_ends_where_the_page_means_it_to_and_imports_nothing() {
        let script = script();
        assert!(!script.contains("</script") && !script.contains("<!--"));
        for line in script.lines() {
            assert!(
                !line.starts_with("import ") && !line.starts_with("export "),
                "{line}"
            );
        }
        assert_eq!(page("a").matches("</script>").count(), 3);
    }

    #[test]
    fn every_import_of_a_module_stands_before_it() {
        let defined = |name: &str, text: &str| {
            ["const ", "function ", "class "]
                .iter()
                .any(|kind| text.contains(&format!("export {kind}{name}")))
        };
        for (at, module) in MODULES.iter().enumerate() {
            for line in module.lines().filter(|line| line.starts_with("import ")) {
                let names = line.split(['{', '}']).nth(1).unwrap();
                for name in names.split(',').map(str::trim) {
                    let before = MODULES[..at].iter().any(|text| defined(name, text));
                    assert!(before, "{name} of: {line}");
                }
            }
        }
    }

    #[test]
    fn a_name_is_text() {
        let page = page("<script>alert(1)</script>");
        assert!(!page.contains("<script>alert"), "the name is markup");
    }
}
