//! What a server does not do: every refusal is a status and a sentence.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use axum::body::Body;
use siamese_serve::{Access, Config, Event, Limits};
use support::{BOUNDARY, Field, RED, form, get, png, post, send, server, server_with_gallery};

const TOKEN: &str = "0123456789abcdef";

fn limited(limits: Limits) -> Config {
    Config {
        limits,
        ..Config::default()
    }
}

#[tokio::test]
async fn malformed_requests_are_told_what_is_wrong() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let router = server_with_gallery(folder.path(), Config::default(), |_| {})?.router();
    let picture = png(RED)?;
    let cut = &picture[..60];
    let cases: [(&str, Vec<Field>, &str); 9] = [
        ("embed", vec![], "no picture called \"image\""),
        (
            "embed",
            vec![("other", Some("a.png"), &picture)],
            "no picture called \"image\"",
        ),
        ("embed", vec![("image", None, b"GIF87a")], "image: "),
        ("embed", vec![("image", Some("a.png"), cut)], "a.png: it"),
        (
            "embed",
            vec![("image", None, &picture), ("image", None, &picture)],
            "2 pictures called",
        ),
        (
            "verify",
            vec![("a", None, &picture)],
            "no picture called \"b\"",
        ),
        (
            "identify?k=0",
            vec![("image", None, &picture)],
            "at least one",
        ),
        (
            "search?where=x",
            vec![("image", None, &picture)],
            "class=NAME",
        ),
        (
            "gallery/entries",
            vec![("class", None, b" "), ("image", None, &picture)],
            "name is empty",
        ),
    ];
    for (path, fields, part) in cases {
        let said = post(&router, &format!("/api/v1/{path}"), &fields)
            .await?
            .problem(400)?;
        assert!(said.contains(part), "{path}: {said}");
    }
    let k = post(
        &router,
        "/api/v1/identify?k=101",
        &[("image", None, &picture)],
    )
    .await?
    .problem(400)?;
    assert!(k.contains("at most 100"), "{k}");
    post(
        &router,
        "/api/v1/identify?other=1",
        &[("image", None, &picture)],
    )
    .await?
    .problem(400)?;
    Ok(())
}

#[tokio::test]
async fn the_frameworks_own_refusals_are_problems_too() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let router = server_with_gallery(folder.path(), Config::default(), |_| {})?.router();
    get(&router, "/etc/passwd").await?.problem(404)?;
    get(&router, "/assets/..%2f..%2fCargo.toml")
        .await?
        .problem(404)?;
    get(&router, "/api/v1/gallery/entries/x/thumbnail")
        .await?
        .problem(400)?;
    let refused = get(&router, "/api/v1/embed").await?;
    refused.problem(405)?;
    assert_eq!(refused.header("allow"), "POST");
    let json = [("content-type", "application/json")];
    for (body, status) in [
        ("{", 400),
        ("{}", 422),
        (r#"{"from": "a", "to": "b", "x": 1}"#, 422),
        (r#"{"from": "a", "to": "b"}"#, 404),
    ] {
        send(&router, ("POST", "/api/v1/gallery/rename"), &json, body)
            .await?
            .problem(status)?;
    }
    send(&router, ("POST", "/api/v1/gallery/rename"), &[], "{}")
        .await?
        .problem(415)?;
    send(&router, ("POST", "/api/v1/embed"), &json, "{}")
        .await?
        .problem(400)?;
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_decoded() -> Result<()> {
    let limits = Limits {
        body: 4000,
        pixels: 1000,
        pictures: 2,
        ..Limits::default()
    };
    let router = server(limited(limits))?.router();
    let picture = png(RED)?;
    let said = post(&router, "/api/v1/embed", &[("image", None, &picture)])
        .await?
        .problem(400)?;
    assert!(
        said.contains("30x40") && said.contains("1000") && !said.contains("SIAMESE"),
        "{said}"
    );
    post(&router, "/api/v1/embed", &[("image", None, &vec![0; 5000])])
        .await?
        .problem(413)?;
    let three = [("image", None, &picture[..]); 3];
    let said = post(&router, "/api/v1/embed", &three).await?.problem(400)?;
    assert!(said.contains("more than 2 pictures"), "{said}");
    post(
        &router,
        "/api/v1/embed",
        &[("text", None, &vec![b'x'; 9000][..])],
    )
    .await?
    .problem(413)?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() -> Result<()> {
    let limits = Limits {
        time: Duration::from_millis(50),
        ..Limits::default()
    };
    let router = server(limited(limits))?.router();
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let endless = Body::from_stream(Endless);
    let said = send(
        &router,
        ("POST", "/api/v1/embed"),
        &[("content-type", &kind)],
        endless,
    )
    .await?
    .problem(408)?;
    assert!(said.contains("did not arrive"), "{said}");
    Ok(())
}

/// A body of which nothing ever comes.
struct Endless;

impl futures_core::Stream for Endless {
    type Item = Result<Vec<u8>, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn more_than_can_be_done_is_503_with_a_time_to_come_back() -> Result<()> {
    let limits = Limits {
        queue: 1,
        ..Limits::default()
    };
    let router = server(limited(limits))?.router();
    let picture = png(RED)?;
    let fields: [(&str, _, &[u8]); 2] = [("a", None, &picture), ("b", None, &picture)];
    let refused = post(&router, "/api/v1/verify", &fields).await?;
    refused.problem(503)?;
    assert_eq!(refused.header("retry-after"), "1");
    post(&router, "/api/v1/embed", &[("image", None, &picture)])
        .await?
        .ok()?;
    Ok(())
}

#[tokio::test]
async fn another_sites_page_can_neither_post_nor_call_us_by_its_name() -> Result<()> {
    let router = server(Config::default())?.router();
    let body = || -> Result<Vec<u8>> { Ok(form(&[("image", None, &png(RED)?)])) };
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let embed = ("POST", "/api/v1/embed");
    for (name, value, status) in [
        ("origin", "https://evil.example", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("host", "evil.example", 421),
    ] {
        let headers = [("content-type", kind.as_str()), (name, value)];
        send(&router, embed, &headers, body()?)
            .await?
            .problem(status)?;
    }
    let own = [
        ("content-type", kind.as_str()),
        ("origin", "http://127.0.0.1:8000"),
        ("sec-fetch-site", "same-origin"),
    ];
    let answer = send(&router, embed, &own, body()?).await?;
    answer.ok()?;
    assert!(
        answer
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("access-control")),
        "CORS is off"
    );
    assert_eq!(
        send(
            &router,
            ("GET", "/api/v1/health"),
            &[("host", "evil.example")],
            Body::empty()
        )
        .await?
        .status,
        421
    );
    Ok(())
}

#[tokio::test]
async fn a_token_guards_all_that_tells_of_model_or_gallery() -> Result<()> {
    let config = Config {
        access: Access::Token(TOKEN.into()),
        ..Config::default()
    };
    let folder = tempfile::tempdir()?;
    let router = server_with_gallery(folder.path(), config, |_| {})?.router();
    for open in [
        "/",
        "/api",
        "/api/v1/health",
        "/api/v1/openapi.json",
        "/assets/main.js",
    ] {
        assert_eq!(get(&router, open).await?.status, 200, "{open}");
    }
    for closed in [
        "/api/v1/model",
        "/api/v1/gallery",
        "/api/v1/gallery/entries/1/thumbnail",
        "/metrics",
        "/none",
    ] {
        let refused = get(&router, closed).await?;
        refused.problem(401)?;
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("host", "models.example"),
    ];
    let answer = send(&router, ("GET", "/api/v1/model"), &headers, Body::empty()).await?;
    answer.ok()?;
    Ok(())
}

#[tokio::test]
async fn every_answer_is_numbered_guarded_and_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let told = move |event| seen.lock().unwrap().push(event);
    let router = server_with_gallery(folder.path(), Config::default(), told)?.router();
    let first = get(&router, "/?secret=1").await?;
    let second = get(&router, "/none").await?;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    for answer in [&first, &second] {
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'")
                && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let told: Vec<(String, u16, bool)> = events
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::Answered(one) => Some((
                one.path.clone(),
                one.status,
                one.id == first.header("x-request-id"),
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [("/".into(), 200, true), ("/none".into(), 404, false)]
    );
    Ok(())
}
