//! A browser that is told what to do: WebDriver, as far as these tests need it, over the HTTP client that is here anyway.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How an element is called in answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long something may take to show itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session of a headless chromium.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
}

impl Browser {
    /// Starts chromedriver and a browser; in words, what is missing.
    pub(crate) fn start() -> Result<Self> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver cannot be started")?;
        let output = BufReader::new(driver.stdout.take().context("no output")?);
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            Some(port.trim_end_matches('.').to_string())
        });
        let port = port.context("chromedriver does not say its port")?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut browser = Self {
            driver,
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let made = browser
            .send("POST", "", wanted)
            .context("chromium cannot be started")?;
        let id = made["sessionId"].as_str().context("no session")?;
        browser.session = format!("{}/{id}", browser.session);
        Ok(browser)
    }

    fn send(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let address = format!("{}{path}", self.session);
        let answered = match method {
            "POST" => self.agent.post(&address).send(body.to_string()),
            "DELETE" => self.agent.delete(&address).call(),
            _ => self.agent.get(&address).call(),
        };
        let text = answered?.into_body().read_to_string()?;
        let mut answer: Value = serde_json::from_str(&text)?;
        let value = answer["value"].take();
        if let Some(error) = value["error"].as_str() {
            bail!(
                "{path}: {error}: {}",
                value["message"].as_str().unwrap_or_default()
            );
        }
        Ok(value)
    }

    pub(crate) fn open(&self, address: &str) -> Result<()> {
        self.send("POST", "/url", json!({"url": address}))
            .map(|_| ())
    }

    /// What a function of this body returns, or the promise that it returns.
    pub(crate) fn run(&self, script: &str) -> Result<Value> {
        self.send(
            "POST",
            "/execute/sync",
            json!({"script": script, "args": []}),
        )
    }

    /// A command of the browser's own protocol.
    pub(crate) fn command(&self, name: &str, parameters: Value) -> Result<Value> {
        self.send(
            "POST",
            "/goog/cdp/execute",
            json!({"cmd": name, "params": parameters}),
        )
    }

    fn element(&self, selector: &str) -> Result<String> {
        let found = self.send(
            "POST",
            "/element",
            json!({"using": "css selector", "value": selector}),
        )?;
        Ok(found[ELEMENT].as_str().context("no element")?.to_string())
    }

    pub(crate) fn click(&self, selector: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.send("POST", &format!("/element/{element}/click"), json!({}))
            .map(|_| ())
    }

    /// Types into an element; the path of a file into one that takes files.
    pub(crate) fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.send(
            "POST",
            &format!("/element/{element}/value"),
            json!({"text": text}),
        )
        .map(|_| ())
    }

    /// Waits until `selector` shows text with `part` in it; the text.
    pub(crate) fn wait(&self, selector: &str, part: &str) -> Result<String> {
        let script = format!(
            "return [...document.querySelectorAll({})].filter(e => e.offsetParent || e.tagName === 'BODY').map(e => e.textContent).join(' ')",
            json!(selector)
        );
        let begun = Instant::now();
        loop {
            let shown = self.run(&script)?;
            let shown = shown.as_str().unwrap_or_default();
            if !shown.is_empty() && shown.contains(part) {
                return Ok(shown.to_string());
            }
            if begun.elapsed() > PATIENCE {
                bail!(
                    "{selector} shows {shown:?}, where {part:?} was expected; the page: {}",
                    self.text()?
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn text(&self) -> Result<String> {
        Ok(self
            .run("return document.body.innerText")?
            .as_str()
            .unwrap_or_default()
            .to_string())
    }

    /// The width of a device, and whether it is dark.
    pub(crate) fn pretend(&self, width: u32, dark: bool) -> Result<()> {
        let phone = width < 500;
        let size = json!({"width": width, "height": 800, "deviceScaleFactor": if phone { 2 } else { 1 }, "mobile": phone});
        self.command("Emulation.setDeviceMetricsOverride", size)?;
        self.command(
            "Emulation.setTouchEmulationEnabled",
            json!({"enabled": phone}),
        )?;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.command("Emulation.setEmulatedMedia", json!({"features": features}))
            .map(|_| ())
    }

    /// A PNG of the whole page.
    pub(crate) fn photograph(&self) -> Result<Vec<u8>> {
        let size =
            self.run("const e = document.documentElement; return [e.clientWidth, e.scrollHeight]")?;
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let whole = json!({"captureBeyondViewport": true, "format": "png", "clip": clip});
        let shot = self.command("Page.captureScreenshot", whole)?;
        Ok(STANDARD.decode(shot["data"].as_str().unwrap_or_default())?)
    }

    /// What the browser complained of since it was asked last.
    pub(crate) fn complaints(&self) -> Result<Vec<String>> {
        let log = self.send("POST", "/se/log", json!({"type": "browser"}))?;
        let severe = log
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["level"] == "SEVERE");
        Ok(severe.map(|one| one["message"].to_string()).collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.send("DELETE", "", Value::Null).ok();
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}
