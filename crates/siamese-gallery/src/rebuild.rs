//! A gallery embedded anew, by another model, from the files that its pictures came from.

use siamese_data::{LeftOut, Pictures};
use siamese_embed::{Embedded, Embedder};

use crate::about::About;
use crate::entry::Filter;
use crate::error::{Error, Result};
use crate::gallery::Gallery;
use crate::store::Reembedded;

/// Rows of the store that change together in memory.
const TOGETHER: usize = 256;

/// How a gallery is embedded anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RebuildOptions {
    /// Whether entries are removed whose source cannot be read any more; else nothing changes where there is one.
    pub remove_missing: bool,
}

/// What became of the entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rebuilt {
    /// Embedded anew.
    pub entries: usize,
    /// Removed, and why.
    pub removed: Vec<LeftOut>,
    /// Whose file has changed since it was added.
    pub changed: Vec<String>,
}

impl Gallery {
    /// Embeds every entry anew from its source file. Readers see the old gallery until all of the new one is there.
    ///
    /// # Errors
    /// A source that is gone or cannot be read, unless such entries are to be removed; what the store says. Nothing is
    /// changed then.
    pub fn rebuild(
        &mut self,
        embedder: &Embedder,
        options: RebuildOptions,
        mut progress: impl FnMut(usize),
    ) -> Result<Rebuilt> {
        let mut about = About::of(embedder)?;
        if self.about().model.whole.is_some() {
            about = about.shortened(self.about().model.dim)?;
        }
        let mut sources: Vec<(i64, String, String, Option<String>)> = Vec::new();
        self.entries(&Filter::default(), |row| {
            let entry = row.entry;
            let source = entry.source.unwrap_or_default();
            sources.push((row.id, entry.name, source, entry.hash));
            Ok(())
        })?;
        let mut rebuilt = Rebuilt::default();
        let mut gone = Vec::new();
        let mut next: Vec<Vec<Reembedded>> = Vec::new();
        for (number, part) in sources.chunks(TOGETHER).enumerate() {
            let mut rows = Vec::with_capacity(part.len());
            let unread = embed(embedder, part, &mut rows, &mut rebuilt)?;
            for row in &mut rows {
                row.embedding = about.model.kept(&row.embedding).into_owned();
            }
            gone.extend(unread.iter().map(|(id, _)| *id));
            rebuilt
                .removed
                .extend(unread.into_iter().map(|(_, left)| left));
            rebuilt.entries += rows.len();
            next.push(rows);
            progress(number * TOGETHER + part.len());
        }
        if let Some(first) = rebuilt.removed.first().filter(|_| !options.remove_missing) {
            return Err(Error::Invalid(format!(
                "{} of {} entries cannot be embedded anew, such as {}: {}; bring their files back, or say \
                 --remove-missing to remove these entries. Nothing was changed",
                rebuilt.removed.len(),
                sources.len(),
                first.what,
                first.why
            )));
        }
        let mut parts = next.into_iter();
        self.store
            .rebuild(&about, &gone, &mut || Ok(parts.next()))?;
        self.adopt(about);
        Ok(rebuilt)
    }
}

/// Embeds some entries; those that cannot be read come back.
fn embed(
    embedder: &Embedder,
    part: &[(i64, String, String, Option<String>)],
    rows: &mut Vec<Reembedded>,
    rebuilt: &mut Rebuilt,
) -> Result<Vec<(i64, LeftOut)>> {
    let mut unread = Vec::new();
    let mut readable = Vec::new();
    for entry in part {
        let (id, name, source, _) = entry;
        let why = match source.as_str() {
            "" => "it came from no file of its own".to_string(),
            file => match std::fs::metadata(file) {
                Ok(_) => {
                    readable.push(entry);
                    continue;
                }
                Err(error) => error.to_string(),
            },
        };
        let what = name.clone();
        let picture = true;
        unread.push((*id, LeftOut { what, why, picture }));
    }
    let files: Vec<&str> = readable.iter().map(|entry| entry.2.as_str()).collect();
    let pictures = Pictures::files(&files);
    let take = |embedded: Embedded| -> Result<()> {
        let (id, name, _, hash) = readable[embedded.item];
        let new = embedded.picture.sha256;
        if hash.as_ref().is_some_and(|hash| *hash != new) {
            rebuilt.changed.push(name.clone());
        }
        rows.push(Reembedded {
            id: *id,
            hash: new,
            embedding: embedded.embedding,
        });
        Ok(())
    };
    for left in embedder.stream(&pictures, None, take)? {
        let entry = readable.iter().find(|entry| entry.2 == left.what);
        unread.extend(entry.map(|entry| (entry.0, left)));
    }
    Ok(unread)
}
