//! Enrolling: pictures become entries of the gallery.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use siamese_gallery::{Added, Entry};
use utoipa::ToSchema;

use super::gallery::class_name;
use crate::answer::Answer;
use crate::app::Shared;
use crate::form::Form;
use crate::pictures::{Seen, probes, seen};
use crate::problem::Problem;

/// A form with a class and pictures of it.
#[derive(ToSchema)]
#[allow(dead_code)] // it is only described
pub(crate) struct Pictures {
    class: String,
    /// Or several, each in a field of this name.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
}

/// What was enrolled.
#[derive(Serialize, ToSchema)]
pub(crate) struct Enrolled {
    entries: Vec<OneEnrolled>,
}

/// A picture that was enrolled, or was there already.
#[derive(Serialize, ToSchema)]
struct OneEnrolled {
    id: i64,
    class: String,
    name: String,
    /// Whether the same picture was there already: it stays as it was.
    known: bool,
    /// Why the picture is unlike all that the model was trained on, if it is.
    strange: Option<String>,
}

/// Enrols pictures of a class
#[utoipa::path(post, path = "/api/v1/gallery/entries", tag = "gallery",
    request_body(content = Pictures, content_type = "multipart/form-data"),
    responses((status = 200, body = Enrolled), (status = "4XX", body = crate::problem::Told, content_type = "application/problem+json")))]
pub(super) async fn enrol(State(app): State<Shared>, mut form: Form) -> Answer<Enrolled> {
    app.served()?;
    let class = form
        .text("class")
        .ok_or_else(|| Problem::bad("the form has no class"))?;
    let class = class_name(&class)?;
    let mut seen = seen(&app, form.all("image")?, true).await?;
    let crops = seen.iter_mut().map(|one| std::mem::take(&mut one.crops));
    let probes = probes(&app, crops.collect()).await?;
    let mut entries = Vec::new();
    let mut strange = Vec::new();
    for (Seen { name, read, .. }, found) in seen.into_iter().zip(probes) {
        // which of several is meant, nobody has said
        let Ok([probe]) = <[_; 1]>::try_from(found) else {
            return Err(Problem::bad(format!(
                "{name}: it shows none or several; enrol pictures of one"
            )));
        };
        entries.push(Entry::of(class.clone(), name, &read, probe.embedding));
        strange.push(probe.crop.strange.map(|strange| strange.to_string()));
    }
    let added = app.ask(move |gallery| {
        let added = gallery.add_entries(&entries)?;
        Ok(entries.into_iter().zip(added).collect::<Vec<_>>())
    });
    let enrolled = added.await?.into_iter().zip(strange);
    let entries = enrolled.map(|((entry, added), strange)| {
        let (id, class, name, known) = match added {
            Added::New(id) => (id, entry.class, entry.name, false),
            Added::Known { id, class, name } => (id, class, name, true),
        };
        OneEnrolled {
            id,
            class,
            name,
            known,
            strange,
        }
    });
    Ok(Json(Enrolled {
        entries: entries.collect(),
    }))
}
