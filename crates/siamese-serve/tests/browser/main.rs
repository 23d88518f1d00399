//! The page in a real browser: each of its jobs, by keyboard, on a phone and on a desk, light and dark, for everybody.
//!
//! Wanted are chromium, chromedriver, and axe-core at `SIAMESE_AXE` (`npm pack axe-core`; `.ci/run` sees to all three).
//! What is missing is named, and not asked for. `SIAMESE_SHOTS=FOLDER` keeps photographs.

mod driver;
mod standalone;
#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context, Result, ensure};
use driver::Browser;
use serde_json::{Value, json};
use siamese_serve::{Access, Config, Event, Review};
use support::{BLUE, RED, png, server_with_gallery};

/// Widths in pixels: a small phone, a tablet, a desk.
const WIDTHS: [u32; 3] = [360, 768, 1280];

struct Stage {
    browser: Browser,
    axe: Option<String>,
    folder: tempfile::TempDir,
}

impl Stage {
    /// `None` where there is no browser, which is told.
    fn set() -> Result<Option<Self>> {
        let browser = match Browser::start() {
            Ok(browser) => browser,
            Err(missing) => {
                say(&format!("the page was not tried in a browser: {missing:#}"));
                return Ok(None);
            }
        };
        let axe = std::env::var_os("SIAMESE_AXE")
            .map(std::fs::read_to_string)
            .transpose()?;
        if axe.is_none() {
            say("axe-core was not asked: SIAMESE_AXE does not say where its axe.min.js is");
        }
        let folder = tempfile::tempdir()?;
        Ok(Some(Self {
            browser,
            axe,
            folder,
        }))
    }

    /// The address of a server with an empty gallery, which runs as long as the tests do.
    fn serve(&self) -> Result<String> {
        let (told, listening) = channel();
        let server = server_with_gallery(self.folder.path(), Config::default(), tell(told))?;
        std::thread::spawn(move || server.run());
        Ok(format!("http://{}", listening.recv()?))
    }

    fn picture(&self, name: &str, colour: [u8; 3]) -> Result<String> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, png(colour)?)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Looks at what stands there: nothing serious for axe, nothing wider than the window, photographs.
    fn look(&self, name: &str) -> Result<()> {
        for (width, dark) in WIDTHS
            .into_iter()
            .flat_map(|width| [(width, false), (width, true)])
        {
            self.browser.pretend(width, dark)?;
            let wide = self
                .browser
                .run("return document.documentElement.scrollWidth - window.innerWidth")?;
            ensure!(
                wide.as_i64() <= Some(0),
                "{name} at {width}: {wide} pixels wider than the window"
            );
            self.ask_axe(&format!("{name} at {width}, dark: {dark}"))?;
            if let Some(shots) = std::env::var_os("SIAMESE_SHOTS") {
                let theme = if dark { "dark" } else { "light" };
                let file = PathBuf::from(shots).join(format!("{name}-{width}-{theme}.png"));
                std::fs::write(file, self.browser.photograph()?)?;
            }
        }
        self.browser.pretend(1280, false)
    }

    fn ask_axe(&self, name: &str) -> Result<()> {
        let Some(axe) = &self.axe else { return Ok(()) };
        let ask = "return axe.run().then(found => found.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')]))";
        let found = self.browser.run(&format!("{axe};\n{ask}"))?;
        let serious = |one: &&Value| matches!(one[0].as_str(), Some("serious" | "critical"));
        let serious: Vec<_> = found
            .as_array()
            .into_iter()
            .flatten()
            .filter(serious)
            .collect();
        ensure!(serious.is_empty(), "{name}: {}", json!(serious));
        Ok(())
    }
}

/// Says what is missing, where the harness would keep it to itself.
fn say(missing: &str) {
    writeln!(std::io::stderr(), "{missing}").ok();
}

/// Tells the address.
fn tell(told: Sender<SocketAddr>) -> impl Fn(Event) + Send + Sync {
    let told = Mutex::new(told);
    move |event| {
        if let (Event::Listening(address), Ok(told)) = (event, told.lock()) {
            told.send(address).ok();
        }
    }
}

#[test]
fn the_page_does_each_of_its_jobs() -> Result<()> {
    let Some(stage) = Stage::set()? else {
        return Ok(());
    };
    let browser = &stage.browser;
    let address = stage.serve()?;
    browser.open(&address)?;
    browser.wait("h1", "Do two pictures show the same?")?;
    stage.look("compare-empty")?;
    compares(&stage)?;
    enrols_and_browses(&stage)?;
    identifies(&stage)?;
    changes(&stage)?;
    goes_by_keyboard(browser)?;
    tries_the_api(&stage, &address)?;
    let outside = "return performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith(location.origin) && !n.startsWith('blob:') && !n.startsWith('data:'))";
    assert_eq!(browser.run(outside)?, json!([]), "no outside request");
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}

fn compares(stage: &Stage) -> Result<()> {
    let browser = &stage.browser;
    browser.type_into("#a", &stage.picture("one.png", RED)?)?;
    browser.type_into("#b", &stage.picture("other.png", BLUE)?)?;
    browser.wait("#compared .word", "Different")?;
    browser.wait("#compared .numbers", "threshold")?;
    browser.click(".explain")?;
    browser.wait("#explained h2", "Where they agree and differ")?;
    assert_eq!(
        browser.run("return document.querySelectorAll('#explained canvas').length")?,
        2
    );
    stage.look("compare")?;
    browser.click("#b-field .clear")?;
    browser.type_into("#b", &stage.picture("near.png", [198, 12, 11])?)?;
    browser.wait("#compared .word", "The same")?;
    let broken = stage.folder.path().join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\n")?;
    browser.type_into("#b", &broken.to_string_lossy())?;
    browser.wait("#compared [role=alert]", "Broken.png: it")?;
    browser.complaints()?; // the 400 is one
    Ok(())
}

fn enrols_and_browses(stage: &Stage) -> Result<()> {
    let browser = &stage.browser;
    browser.click("#gallery-tab")?;
    browser.wait("#classes", "Nothing is enrolled yet.")?;
    for (class, colour) in [("Anna", RED), ("Bert", BLUE)] {
        let pictures: Vec<String> = (0..3u8)
            .map(|i| {
                stage.picture(
                    &format!("{class}-{i}.png"),
                    colour.map(|value| value + 9 * i),
                )
            })
            .collect::<Result<_>>()?;
        browser.type_into("#enrol-class", class)?;
        browser.type_into("#enrol-images", &pictures.join("\n"))?;
        browser.click("#enrol .main")?;
        browser.wait("#class h3", class)?;
    }
    browser.wait("#info", "6 pictures of 2 classes")?;
    browser.wait("#map-note", "6 pictures")?;
    browser.click("#zoom-in")?;
    browser.click("#zoom-all")?;
    let drawn = "const map = document.getElementById('map'); return new Promise(done => setTimeout(() => \
        done(map.getContext('2d').getImageData(0, 0, map.width, map.height).data.some(value => value)), 300))";
    assert_eq!(browser.run(drawn)?, true, "the map is empty");
    stage.look("gallery")
}

fn identifies(stage: &Stage) -> Result<()> {
    let browser = &stage.browser;
    browser.click("#identify-tab")?;
    browser.type_into("#probe", &stage.picture("probe.png", [203, 13, 12])?)?;
    browser.wait("#identified .word", "Anna")?;
    stage.look("identify")?;
    browser.click("input[value=search] + span")?;
    browser.wait("#identified .matches", "Bert-2.png")?;
    browser.click("input[value=identify] + span")?;
    browser.type_into("#probe", &stage.picture("stranger.png", [10, 240, 30])?)?;
    browser.wait("#identified .word", "Unknown")?;
    browser.type_into(".here input", "Green")?;
    browser.click(".here button")?;
    browser.wait("#identified .good", "1 picture enrolled")?;
    Ok(())
}

fn changes(stage: &Stage) -> Result<()> {
    let browser = &stage.browser;
    browser.click("#gallery-tab")?;
    browser.wait("#info", "7 pictures of 3 classes")?;
    browser.click("[data-class=Bert]")?;
    browser.wait("#class h3", "Bert")?;
    browser.click("#class .head button")?;
    browser.type_into("#ask-text", "a")?;
    browser.click("#ask-yes")?;
    browser.wait("#class h3", "Berta")?;
    browser.click("#class .away")?;
    browser.click("#ask-yes")?;
    browser.wait("#info", "6 pictures of 3 classes")?;
    browser.click("#class .head button:last-child")?;
    browser.click("#ask-yes")?;
    browser.wait("#info", "4 pictures of 2 classes")?;
    Ok(())
}

fn goes_by_keyboard(browser: &Browser) -> Result<()> {
    const RIGHT: &str = "\u{e014}";
    browser.type_into("#gallery-tab", RIGHT)?;
    browser.wait("h1", "Do two pictures show the same?")?;
    let focused = browser.run("return document.activeElement.id")?;
    assert_eq!(focused, "compare-tab");
    browser.type_into("#compare-tab", RIGHT)?;
    browser.wait("h1", "Who or what is it?")?;
    Ok(())
}

fn tries_the_api(stage: &Stage, address: &str) -> Result<()> {
    let browser = &stage.browser;
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    browser.open(&format!("{address}/api"))?;
    browser.wait("#operations", "/api/v1/embed")?;
    stage.look("api")?;
    let health = "for (const s of document.querySelectorAll('summary')) if (s.textContent.includes('/health')) { s.click(); s.parentElement.querySelector('button').click(); }";
    browser.run(health)?;
    browser
        .wait("pre", "\"status\": \"ok\"")
        .context("trying the API")?;
    Ok(())
}

#[test]
fn a_folder_is_looked_through() -> Result<()> {
    let Some(stage) = Stage::set()? else {
        return Ok(());
    };
    let browser = &stage.browser;
    let root = stage.folder.path().join("faces");
    for (class, colour) in [("anna", RED), ("bert", BLUE)] {
        std::fs::create_dir_all(root.join(class))?;
        for i in 0..3u8 {
            let [r, g, b] = colour;
            stage.picture(&format!("faces/{class}/{i}.png"), [r, g + 20 * i, b])?;
        }
    }
    let (told, listening) = channel();
    let review = Review::new(&root, Config::default(), tell(told))?;
    std::thread::spawn(move || review.run());
    browser.open(&format!("http://{}", listening.recv()?))?;
    browser.wait("#tally", "6 pictures · 0 moves")?;
    browser.wait("#crops", "To be looked at first")?;
    stage.look("review")?;
    browser.click(".card:last-child .crop:last-child")?;
    browser
        .run("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'x', bubbles: true }))")?;
    browser.wait("#tally", "1 move")?;
    ensure!(
        stage
            .folder
            .path()
            .join("discarded/faces/bert/2.png")
            .is_file()
            && !root.join("bert/2.png").exists()
    );
    browser.click("#undo")?;
    browser.wait("#tally", "0 moves")?;
    ensure!(root.join("bert/2.png").is_file());
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_token_is_asked_for_or_taken_from_behind_the_address() -> Result<()> {
    let Some(stage) = Stage::set()? else {
        return Ok(());
    };
    let browser = &stage.browser;
    let config = Config {
        access: Access::Token("the-token-of-these-tests".into()),
        ..Config::default()
    };
    let (told, listening) = channel();
    let server = server_with_gallery(stage.folder.path(), config, tell(told))?;
    std::thread::spawn(move || server.run());
    let address = format!("http://{}", listening.recv()?);
    browser.open(&address)?;
    browser.wait("#token h2", "asks for a token")?;
    stage.ask_axe("the token's dialog")?;
    browser.type_into("#token-text", "the-token-of-these-tests")?;
    browser.click("#token .main")?;
    browser.click("#gallery-tab")?;
    browser.wait("#info", "0 pictures of 0 classes")?;
    browser.run("sessionStorage.clear()")?;
    browser.open(&format!("{address}/?again#token=the-token-of-these-tests"))?;
    browser.click("#gallery-tab")?;
    browser.wait("#info", "0 pictures of 0 classes")?;
    assert_eq!(
        browser.run("return location.href.includes('token')")?,
        false
    );
    Ok(())
}

#[test]
fn the_photographs_have_a_folder() {
    let shots = std::env::var_os("SIAMESE_SHOTS");
    assert!(
        shots.is_none_or(|folder| Path::new(&folder).is_dir()),
        "SIAMESE_SHOTS is no folder"
    );
}
