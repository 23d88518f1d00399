//! `siamese serve` from the command line: the line that it prints, what it refuses, and how it ends.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use support::{picture, siamese, text, tiny_set, untrained_model};

/// A server that runs, and its address.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(folder: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = siamese(folder)
            .arg("serve")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://");
        let Some(address) = address.map(str::to_string) else {
            anyhow::bail!("{line:?}: {}", text(&child.wait_with_output()?));
        };
        Ok(Self { child, address })
    }

    /// Sends a request as it stands; the whole answer.
    fn send(&self, head: &str, body: &[u8]) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        let length = body.len();
        let rest = format!(
            "Host: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(format!("{head}\r\n{rest}").as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn form(field: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--line\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"x.png\"\r\n\r\n"
    );
    [head.as_bytes(), bytes, b"\r\n--line--\r\n"].concat()
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=line";

#[test]
fn a_model_is_served_with_a_new_gallery_and_then_by_the_gallery_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    let red = folder.path().join("red.png");
    picture(&red, [200, 10, 10])?;
    let body = form("image", &std::fs::read(red)?);
    let served = Served::start(folder.path(), &["model.safetensors", "--gallery", "people"])?;
    assert!(
        served
            .send("GET /api/v1/health HTTP/1.1", b"")?
            .contains("\"ok\"")
    );
    let answer = served.send(&format!("POST /api/v1/embed HTTP/1.1\r\n{FORM}"), &body)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(served);
    let served = Served::start(folder.path(), &["--gallery", "people"])?;
    let answer = served.send(&format!("POST /api/v1/identify HTTP/1.1\r\n{FORM}"), &body)?;
    assert!(answer.contains("\"matches\":[]"), "{answer}");
    Ok(())
}

#[test]
fn what_other_thresholds_would_have_cost_is_told_from_the_runs_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    tiny_set(folder.path())?;
    let trained = siamese(folder.path())
        .args(["train", "tiny.toml", "--name", "tiny"])
        .output()?;
    assert!(trained.status.success(), "{}", text(&trained));
    let served = Served::start(folder.path(), &["runs/tiny"])?;
    let answer = served.send("GET /api/v1/model HTTP/1.1", b"")?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
    let model: serde_json::Value = serde_json::from_str(body)?;
    let points = model["judged"]["points"].as_array().context("not judged")?;
    let rates: Vec<(f64, f64)> = points
        .iter()
        .filter_map(|point| Some((point["far"].as_f64()?, point["frr"].as_f64()?)))
        .collect();
    assert!(rates.len() > 2 && rates.len() == points.len());
    assert!(
        rates.is_sorted_by(|a, b| a.0 <= b.0 && a.1 >= b.1),
        "{rates:?}"
    );
    Ok(())
}

#[test]
fn what_would_be_open_to_others_or_cannot_be_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    let cases: [(&[&str], &str); 5] = [
        (&["model.safetensors", "--host", "0.0.0.0"], "--no-token"),
        (&["model.safetensors", "--token", "short"], "16 characters"),
        (
            &["model.safetensors", "--max-body", "0"],
            "would refuse everything",
        ),
        (&["--gallery", "none"], "none holds no gallery"),
        (&[], "MODEL"),
    ];
    for (arguments, part) in cases {
        let output = siamese(folder.path())
            .arg("serve")
            .args(arguments)
            .output()?;
        let said = text(&output);
        assert!(
            output.status.code() == Some(2) && said.contains(part),
            "{arguments:?}: {said}"
        );
    }
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    let served = Served::start(folder.path(), &["model.safetensors"])?;
    let (_, port) = served.address.rsplit_once(':').context("no port")?;
    let output = siamese(folder.path())
        .args(["serve", "model.safetensors", "--port", port])
        .output()?;
    let said = text(&output);
    assert!(
        output.status.code() == Some(2) && said.contains(&served.address),
        "{said}"
    );
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_server_that_is_asked_to_end_finishes_what_it_has_begun() -> Result<()> {
    let folder = tempfile::tempdir()?;
    untrained_model(&folder.path().join("model.safetensors"))?;
    let red = folder.path().join("red.png");
    picture(&red, [200, 10, 10])?;
    let body = form("image", &std::fs::read(red)?);
    for signal in ["-INT", "-TERM"] {
        let mut served = Served::start(folder.path(), &["model.safetensors"])?;
        // half of a request is here when the wish to end comes
        let mut stream = TcpStream::connect(&served.address)?;
        let (host, length) = (&served.address, body.len());
        let head = format!(
            "POST /api/v1/embed HTTP/1.1\r\nHost: {host}\r\n{FORM}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body[..20])?;
        std::thread::sleep(std::time::Duration::from_millis(200));
        let sent = Command::new("kill")
            .args([signal, &served.child.id().to_string()])
            .status()?;
        assert!(sent.success());
        std::thread::sleep(std::time::Duration::from_millis(100));
        stream.write_all(&body[20..])?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert!(answer.starts_with("HTTP/1.1 200"), "{signal}: {answer}");
        assert_eq!(served.child.wait()?.code(), Some(0));
        let address = &served.address;
        assert!(
            TcpStream::connect(address).is_err(),
            "nobody listens any more"
        );
    }
    Ok(())
}
