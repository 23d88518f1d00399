//! A form as browsers send files, read whole and no further than allowed.

use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use tokio::time::timeout;

use crate::app::Shared;
use crate::problem::Problem;

/// A name is cut after so many characters.
const LONGEST_NAME: usize = 200;
/// Fields that are no pictures.
const MOST_TEXTS: usize = 16;
/// Bytes of a field that is no picture.
const LONGEST_TEXT: usize = 4 << 10;

/// What a form holds.
#[derive(Default)]
pub(crate) struct Form {
    uploads: Vec<Upload>,
    texts: Vec<(String, String)>,
}

/// A file in a form.
pub(crate) struct Upload {
    field: String,
    /// What its sender calls it; never a path of this machine's.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl FromRequest<Shared> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let limits = &app.limits;
        let form = Multipart::from_request(request, app).await;
        let form = form.map_err(|why: MultipartRejection| {
            Problem::new(
                why.status(),
                format!("{}; send pictures as multipart/form-data", why.body_text()),
            )
        })?;
        match timeout(limits.time, read(form, limits.pictures)).await {
            Ok(form) => form,
            Err(_) => Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "the request did not arrive within {} s",
                    limits.time.as_secs()
                ),
            )),
        }
    }
}

async fn read(mut multipart: Multipart, most: usize) -> Result<Form, Problem> {
    let mut form = Form::default();
    while let Some(mut field) = multipart.next_field().await.map_err(refused)? {
        let name = field.name().unwrap_or_default().to_string();
        let file = field.file_name().map(shortened);
        let is_picture = file.is_some() || matches!(name.as_str(), "a" | "b" | "image");
        let (pictures, texts) = (form.uploads.len(), form.texts.len());
        if pictures == most && is_picture || texts == MOST_TEXTS {
            return Err(Problem::bad(format!(
                "the form has more than {most} pictures or {MOST_TEXTS} texts"
            )));
        }
        let bytes = whole(
            &mut field,
            if is_picture { usize::MAX } else { LONGEST_TEXT },
        )
        .await?;
        match is_picture {
            true => form.uploads.push(Upload {
                name: file.unwrap_or_else(|| name.clone()),
                field: name,
                bytes,
            }),
            false => form.texts.push((name, in_utf8(bytes)?)),
        }
    }
    Ok(form)
}

async fn whole(field: &mut Field<'_>, most: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(refused)? {
        if bytes.len() + chunk.len() > most {
            let name = field.name().unwrap_or_default();
            return Err(Problem::bad(format!(
                "the field {name:?} has more than {most} bytes"
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn in_utf8(bytes: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(bytes).map_err(|_| Problem::bad("a text of the form is no UTF-8"))
}

/// Without what would make it a path, or a command to a terminal.
fn shortened(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let legible = last
        .chars()
        .filter(|c| !c.is_control() && !siamese_files::is_illegible(*c));
    legible.take(LONGEST_NAME).collect()
}

fn refused(why: MultipartError) -> Problem {
    Problem::new(
        why.status(),
        format!("the form cannot be read: {}", why.body_text()),
    )
}

impl Form {
    /// The one picture in the field `field`.
    pub(crate) fn one(&mut self, field: &str) -> Result<Upload, Problem> {
        let mut all = self.all(field)?;
        match (all.pop(), all.len()) {
            (Some(upload), 0) => Ok(upload),
            (_, others) => Err(Problem::bad(format!(
                "the form has {} pictures called {field:?}, where one is wanted",
                others + 1
            ))),
        }
    }

    /// The pictures in the field `field`, one at least.
    pub(crate) fn all(&mut self, field: &str) -> Result<Vec<Upload>, Problem> {
        let all: Vec<Upload> = self
            .uploads
            .extract_if(.., |one| one.field == field)
            .collect();
        match all.is_empty() {
            true => Err(Problem::bad(format!(
                "the form has no picture called {field:?}"
            ))),
            false => Ok(all),
        }
    }

    /// The text in the field `field`.
    pub(crate) fn text(&mut self, field: &str) -> Option<String> {
        let at = self.texts.iter().position(|(name, _)| name == field)?;
        Some(self.texts.swap_remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_files_name_is_no_path_and_commands_no_terminal() {
        assert_eq!(shortened("../../etc/passwd"), "passwd");
        assert_eq!(shortened("C:\\photos\\a.jpg"), "a.jpg");
        assert_eq!(shortened("a\u{1b}[2Jb\n.png"), "a[2Jb.png");
        assert_eq!(shortened(&"x".repeat(5000)).len(), 200);
    }
}
