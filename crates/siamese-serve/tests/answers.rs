//! What the API answers, without a network.

mod support;

use anyhow::{Context, Result};
use serde_json::Value;
use siamese_embed::Embedder;
use siamese_serve::Config;
use support::{BLUE, Field, RED, delete, get, model, png, post, send, server, server_with_gallery};

#[tokio::test]
async fn an_embedding_is_the_librarys_and_a_picture_is_itself() -> Result<()> {
    let router = server(Config::default())?.router();
    let picture = png(RED)?;
    let answer = post(
        &router,
        "/api/v1/embed",
        &[("image", Some("a.png"), &picture)],
    )
    .await?
    .ok()?;
    assert_eq!(answer["file"], "a.png");
    let numbers: Vec<f32> = serde_json::from_value(answer["embeddings"][0]["embedding"].clone())?;
    assert_eq!(numbers, Embedder::new(model()?).bytes(&picture)?);
    let fields: [(&str, _, &[u8]); 2] = [
        ("a", Some("a.png"), &picture),
        ("b", Some("b.png"), &picture),
    ];
    let verdict = post(&router, "/api/v1/verify", &fields).await?.ok()?;
    assert_eq!(
        (&verdict["same"], verdict["distance"].as_f64()),
        (&true.into(), Some(0.0))
    );
    assert_eq!(
        (&verdict["first"], &verdict["second"]),
        (&"a.png".into(), &"b.png".into())
    );
    assert_eq!(verdict.get("explanation"), None);
    Ok(())
}

#[tokio::test]
async fn an_explanation_is_a_grid_over_each_picture() -> Result<()> {
    let router = server(Config::default())?.router();
    let (red, blue) = (png(RED)?, png(BLUE)?);
    let fields: [(&str, _, &[u8]); 2] = [("a", None, &red), ("b", None, &blue)];
    let verdict = post(&router, "/api/v1/verify?explain=true", &fields)
        .await?
        .ok()?;
    assert_eq!(verdict["same"], false);
    for one in verdict["explanation"].as_array().context("none")? {
        let cells = one["rows"]
            .as_u64()
            .zip(one["columns"].as_u64())
            .map(|(rows, columns)| rows * columns);
        assert_eq!(
            one["effect"].as_array().map(|effect| effect.len() as u64),
            cells
        );
        assert!(
            one["seen"]
                .as_str()
                .is_some_and(|seen| seen.starts_with("data:image/png;base64,"))
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_is_enrolled_is_found_renamed_shown_and_removed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let router = server_with_gallery(folder.path(), Config::default(), |_| {})?.router();
    for (class, colour) in [("red", RED), ("blue", BLUE)] {
        let picture = png(colour)?;
        let fields: [(&str, _, &[u8]); 2] = [
            ("class", None, class.as_bytes()),
            ("image", Some("../x.png"), &picture),
        ];
        let enrolled = post(&router, "/api/v1/gallery/entries", &fields)
            .await?
            .ok()?;
        assert_eq!(enrolled["entries"][0]["name"], "x.png");
        let again = post(&router, "/api/v1/gallery/entries", &fields)
            .await?
            .ok()?;
        assert_eq!(
            (
                &enrolled["entries"][0]["known"],
                &again["entries"][0]["known"]
            ),
            (&false.into(), &true.into())
        );
    }
    let probe = png([190, 14, 12])?;
    let fields: [(&str, _, &[u8]); 1] = [("image", None, &probe)];
    let found = post(&router, "/api/v1/identify", &fields).await?.ok()?;
    let answer = &found["answers"][0];
    assert_eq!(
        (&answer["class"], &answer["known"]),
        (&"red".into(), &true.into()),
        "{answer}"
    );
    assert_eq!(answer["matches"].as_array().map(Vec::len), Some(2));
    let strict = post(
        &router,
        "/api/v1/identify?threshold=0&together=mean&k=1",
        &fields,
    )
    .await?
    .ok()?;
    assert_eq!(
        (
            &strict["answers"][0]["known"],
            &strict["answers"][0]["class"]
        ),
        (&false.into(), &Value::Null)
    );
    let near = post(&router, "/api/v1/search?k=1&where=class%3Dblue", &fields)
        .await?
        .ok()?;
    assert_eq!(near["answers"][0]["matches"][0]["class"], "blue");

    let names = r#"{"from": "red", "to": "rouge"}"#;
    let json = [("content-type", "application/json")];
    let renamed = send(&router, ("POST", "/api/v1/gallery/rename"), &json, names)
        .await?
        .ok()?;
    assert_eq!(
        (&renamed["renamed"], &renamed["joined"]),
        (&1.into(), &false.into())
    );
    let page = get(&router, "/api/v1/gallery/entries?class=rouge")
        .await?
        .ok()?;
    let id = page["entries"][0]["id"].as_i64().context("no entry")?;
    let shown = get(&router, &format!("/api/v1/gallery/entries/{id}/thumbnail")).await?;
    assert_eq!(
        (shown.header("content-type"), &shown.body[..2]),
        ("image/jpeg", &[0xff, 0xd8][..])
    );
    let map = get(&router, "/api/v1/gallery/map").await?.ok()?;
    assert_eq!(map["points"].as_array().map(Vec::len), Some(2));

    let removed = delete(&router, &format!("/api/v1/gallery/entries/{id}"))
        .await?
        .ok()?;
    assert_eq!(removed["removed"], 1);
    delete(&router, &format!("/api/v1/gallery/entries/{id}"))
        .await?
        .problem(404)?;
    assert_eq!(
        delete(&router, "/api/v1/gallery/classes?class=blue")
            .await?
            .ok()?["removed"],
        1
    );
    let info = get(&router, "/api/v1/gallery").await?.ok()?;
    assert_eq!(
        (&info["entries"], &info["place"]),
        (&0.into(), &"people".into())
    );
    let none = post(&router, "/api/v1/identify", &fields).await?.ok()?;
    assert_eq!(none["answers"][0]["matches"], Value::Array(Vec::new()));
    Ok(())
}

#[tokio::test]
async fn pages_of_entries_follow_each_other() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let router = server_with_gallery(folder.path(), Config::default(), |_| {})?.router();
    let pictures = (0..5u8)
        .map(|i| png([i * 40, 10, 90]))
        .collect::<Result<Vec<_>>>()?;
    let mut fields: Vec<Field> = vec![("class", None, b"c")];
    fields.extend(pictures.iter().map(|picture| ("image", None, &picture[..])));
    post(&router, "/api/v1/gallery/entries", &fields)
        .await?
        .ok()?;
    let mut ids = Vec::new();
    let mut after = Some(0);
    while let Some(number) = after {
        let page = get(
            &router,
            &format!("/api/v1/gallery/entries?limit=2&after={number}"),
        )
        .await?
        .ok()?;
        let entries = page["entries"].as_array().context("none")?.iter();
        ids.extend(entries.filter_map(|entry| entry["id"].as_i64()));
        after = page["next"].as_i64();
    }
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    Ok(())
}

#[tokio::test]
async fn without_a_gallery_its_questions_say_how_to_get_one() -> Result<()> {
    let router = server(Config::default())?.router();
    let picture = png(RED)?;
    let said = post(&router, "/api/v1/identify", &[("image", None, &picture)])
        .await?
        .problem(404)?;
    assert!(said.contains("--gallery"), "{said}");
    get(&router, "/api/v1/gallery").await?.problem(404)?;
    Ok(())
}

#[tokio::test]
async fn the_page_the_description_and_the_counters_are_served() -> Result<()> {
    let router = server(Config::default())?.router();
    let page = get(&router, "/").await?;
    assert!(page.header("content-type").starts_with("text/html"));
    let text = String::from_utf8(page.body.clone())?;
    for asset in text
        .split("/assets/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        assert_eq!(
            get(&router, &format!("/assets/{asset}")).await?.status,
            200,
            "{asset}"
        );
    }
    assert!(
        !text.contains("<style") && !text.contains("style=") && !text.contains("onclick"),
        "a strict policy"
    );
    let described = get(&router, "/api/v1/openapi.json").await?.ok()?;
    let paths = described["paths"].as_object().context("none")?;
    for path in [
        "embed", "verify", "identify", "search", "gallery", "model", "health",
    ] {
        assert!(paths.contains_key(&format!("/api/v1/{path}")), "{path}");
    }
    assert_eq!(get(&router, "/api/v1/model").await?.ok()?["embedding"], 16);
    let counters = String::from_utf8(get(&router, "/metrics").await?.body)?;
    assert!(
        counters
            .contains("siamese_request_seconds_count{method=\"GET\",route=\"/\",status=\"200\"} 1"),
        "{counters}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_what_comes_at_once_each_gets_its_own() -> Result<()> {
    let router = server(Config::default())?.router();
    let library = Embedder::new(model()?);
    let asked = (0..6u8).map(|i| {
        let router = router.clone();
        tokio::spawn(async move {
            let picture = png([i * 40, 90, 10])?;
            let answer = post(&router, "/api/v1/embed", &[("image", None, &picture)])
                .await?
                .ok()?;
            let numbers = answer["embeddings"][0]["embedding"].clone();
            Ok::<_, anyhow::Error>((picture, serde_json::from_value::<Vec<f32>>(numbers)?))
        })
    });
    for asked in asked.collect::<Vec<_>>() {
        let (picture, numbers) = asked.await??;
        let own = library.bytes(&picture)?;
        let most = own
            .iter()
            .zip(&numbers)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(most < 1e-5, "{most}");
    }
    Ok(())
}
