//! A gallery: a store, and the copy in memory that is searched.

use std::borrow::Cow;
use std::collections::BTreeMap;

use siamese_core::metrics::retrieval::Neighbour;
use siamese_embed::Embedder;

use crate::about::{About, ModelAbout};
use crate::entry::{Added, Entry, Filter, Row};
use crate::error::{Error, Result};
use crate::packed::Packed;
use crate::place;
use crate::store::Store;
use crate::unknown::Limit;

/// Rows that are read from the store at once.
const PAGE: usize = 1024;
/// A gallery that has changed by one in so many entries fits its threshold for strangers anew.
const STALE: usize = 100;

/// Stored embeddings of one model's, to search and to identify by.
pub struct Gallery {
    place: String,
    about: About,
    pub(crate) store: Box<dyn Store>,
    pub(crate) packed: Packed,
    /// Fitted for the packed copy as it was, up to [`STALE`] changes ago.
    pub(crate) limit: Option<Limit>,
    /// Entries that came, changed or went since.
    changed: usize,
}

/// An entry that is near.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Its number in the gallery.
    pub id: i64,
    /// Its class.
    pub class: String,
    /// Its name.
    pub name: String,
    /// How far from the probe.
    pub distance: f32,
}

impl Gallery {
    /// Makes a gallery of this model's embeddings at `place`: a folder, which is made where it is not there, or with the
    /// feature `postgres` an address such as `postgres://user@host/database/people`.
    ///
    /// # Errors
    /// Where there is one already, or nothing can be written.
    pub fn create(place: &str, embedder: &Embedder) -> Result<Self> {
        Self::create_as(place, About::of(embedder)?)
    }

    /// As [`Self::create`], without the model at hand.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_as(place: &str, about: About) -> Result<Self> {
        let store = place::create(place, &about)?;
        Ok(Self::new(place, about, store))
    }

    /// The gallery at `place`.
    ///
    /// # Errors
    /// Where there is none, or it is of a newer format.
    pub fn open(place: &str) -> Result<Self> {
        let mut store = place::open(place)?;
        let about = store.about()?;
        Ok(Self::new(place, about, store))
    }

    fn new(place: &str, about: About, store: Box<dyn Store>) -> Self {
        let packed = Packed::new(about.model.dim, about.model.metric());
        Self {
            place: place.to_string(),
            about,
            store,
            packed,
            limit: None,
            changed: 0,
        }
    }

    /// Where it lies.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What it says of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Refuses another model than the gallery's.
    ///
    /// # Errors
    /// [`Error::OtherModel`] names both.
    pub fn check_model(&self, embedder: &Embedder) -> Result<()> {
        self.about.model.check(&ModelAbout::of(embedder)?)
    }

    /// Adds entries that were embedded by the gallery's model; all of them are on the disk when this returns, or none. Of a
    /// gallery that keeps a part of each embedding, whole ones are shortened.
    ///
    /// # Errors
    /// An embedding of another length or with a number that is not finite; what the store says.
    pub fn add_entries(&mut self, entries: &[Entry]) -> Result<Vec<Added>> {
        let model = &self.about.model;
        let kept = |entry: &Entry| Entry {
            embedding: model.kept(&entry.embedding).into_owned(),
            ..entry.clone()
        };
        let kept: Cow<[Entry]> = match model.whole {
            Some(_) => entries.iter().map(kept).collect(),
            None => entries.into(),
        };
        for entry in kept.iter() {
            model.check_embedding(&entry.name, &entry.embedding)?;
        }
        self.store.add(&kept)
    }

    /// Removes what the filter takes; how many entries there were.
    ///
    /// # Errors
    /// What the store says.
    pub fn remove(&mut self, filter: &Filter) -> Result<usize> {
        let mut ids = Vec::new();
        self.entries(filter, |row| {
            ids.push(row.id);
            Ok(())
        })?;
        self.store.remove(&ids)
    }

    /// Gives all entries of a class another, which may be there already; how many there were.
    ///
    /// # Errors
    /// No entry of that class; what the store says.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<usize> {
        match self.store.rename(from, to)? {
            0 => Err(Error::Invalid(format!(
                "{} has no entry of the class {from:?}; `siamese gallery list` shows those it has",
                self.place
            ))),
            renamed => Ok(renamed),
        }
    }

    /// Shows `see` every entry that the filter takes, by ascending number.
    ///
    /// # Errors
    /// What the store says, or `see`.
    pub fn entries(
        &mut self,
        filter: &Filter,
        mut see: impl FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.store.rows(filter, after, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.id;
            let whole = page.len() == PAGE;
            page.into_iter().try_for_each(&mut see)?;
            if !whole {
                return Ok(());
            }
        }
    }

    /// The first entries after the number `after` that the filter takes, at most `most`, by ascending number.
    ///
    /// # Errors
    /// What the store says.
    pub fn page(&mut self, filter: &Filter, after: i64, most: usize) -> Result<Vec<Row>> {
        self.store.rows(filter, after, most)
    }

    /// Shows `see` number, class and embedding (D) of every entry, from the copy in memory that is searched.
    ///
    /// # Errors
    /// What the store says.
    pub fn embeddings(&mut self, mut see: impl FnMut(i64, &str, &[f32])) -> Result<()> {
        self.refresh()?;
        let packed = &self.packed;
        for row in 0..packed.len() {
            let class = packed.class(packed.label_of(row));
            see(packed.id(row), class, packed.row(row));
        }
        Ok(())
    }

    /// How many entries each class has.
    ///
    /// # Errors
    /// What the store says.
    pub fn classes(&mut self) -> Result<BTreeMap<String, usize>> {
        self.store.classes()
    }

    /// Bytes on the disk.
    ///
    /// # Errors
    /// What the store says.
    pub fn size(&mut self) -> Result<u64> {
        self.store.size()
    }

    /// What is wrong with it, in words; source files are not looked for.
    ///
    /// # Errors
    /// What the store says.
    pub fn check(&mut self) -> Result<Vec<String>> {
        let mut wrong = self.store.check()?;
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        let model = self.about.model.clone();
        self.entries(&Filter::default(), |row| {
            let name = format!("{} (id {})", row.entry.name, row.id);
            if let Err(error) = model.check_embedding(&name, &row.entry.embedding) {
                wrong.push(error.to_string());
            }
            Ok(())
        })?;
        Ok(wrong)
    }

    /// Gives room that is not needed back to the disk.
    ///
    /// # Errors
    /// What the store says.
    pub fn compact(&mut self) -> Result<()> {
        self.store.compact()
    }

    /// The `k` nearest entries that the filter takes, nearest first; ties by number. Changes of other processes are
    /// seen.
    ///
    /// # Errors
    /// An embedding that cannot be the model's; what the store says.
    pub fn search(&mut self, probe: &[f32], k: usize, filter: &Filter) -> Result<Vec<Match>> {
        Ok(self
            .search_all(&[probe], k, filter)?
            .pop()
            .unwrap_or_default())
    }

    /// As [`Self::search`], of many probes at once.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn search_all(
        &mut self,
        probes: &[impl AsRef<[f32]>],
        k: usize,
        filter: &Filter,
    ) -> Result<Vec<Vec<Match>>> {
        let model = &self.about.model;
        let dim = model.dim;
        let mut kept = Vec::with_capacity(probes.len() * dim);
        for probe in probes {
            let probe = model.kept(probe.as_ref());
            model.check_embedding("the probe", &probe)?;
            kept.extend_from_slice(&probe);
        }
        let probes = &kept[..];
        self.refresh()?;
        let found = match filter.is_all() {
            true => self.packed.nearest(probes, k)?,
            false => {
                let rows = self.rows_of(filter)?;
                let search = |probe| self.packed.nearest_among(&rows, probe, k);
                probes.chunks(dim).map(search).collect()
            }
        };
        let matched = |found: Vec<Neighbour>| found.iter().map(|n| self.matched(n)).collect();
        Ok(found.into_iter().map(matched).collect())
    }

    /// Makes an index for [`Self::search_near`], where the store has such; it lives on through adds.
    ///
    /// # Errors
    /// A store that is searched exactly alone, or a model that compares by a learned head; what the store says.
    pub fn index(&mut self) -> Result<()> {
        self.about.model.check_has_index()?;
        self.store.index()
    }

    /// About the `k` nearest entries that the filter takes, by the store's own index: nothing of the gallery is held in
    /// memory. Their distances are exact, and one may be missing.
    ///
    /// # Errors
    /// As [`Self::index`] and [`Self::search`].
    pub fn search_near(&mut self, probe: &[f32], k: usize, filter: &Filter) -> Result<Vec<Match>> {
        let model = &self.about.model;
        let probe = &model.kept(probe)[..];
        model.check_embedding("the probe", probe)?;
        model.check_has_index()?;
        let distance = model.distance;
        let matched = |row: Row| Match {
            id: row.id,
            class: row.entry.class,
            name: row.entry.name,
            distance: distance.of(probe, &row.entry.embedding),
        };
        let found = self.store.near(distance, probe, k, filter)?;
        let mut found: Vec<Match> = found.into_iter().map(matched).collect();
        found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
        Ok(found)
    }

    /// The packed rows that the filter takes.
    fn rows_of(&mut self, filter: &Filter) -> Result<Vec<usize>> {
        if filter.data.is_empty() {
            // all that it asks for is in memory
            let packed = &self.packed;
            let taken = |row: &usize| {
                let class = packed.class(packed.label_of(*row));
                filter.takes(packed.id(*row), class, packed.name(*row))
            };
            return Ok((0..packed.len()).filter(taken).collect());
        }
        let mut ids = Vec::new();
        self.entries(filter, |row| {
            ids.push(row.id);
            Ok(())
        })?;
        // one that came between the two looks is not packed yet
        Ok(ids
            .iter()
            .filter_map(|id| self.packed.row_of(*id))
            .collect())
    }

    pub(crate) fn matched(&self, neighbour: &Neighbour) -> Match {
        let row = neighbour.index as usize;
        Match {
            id: self.packed.id(row),
            class: self.packed.class(self.packed.label_of(row)).to_string(),
            name: self.packed.name(row).to_string(),
            distance: neighbour.distance,
        }
    }

    /// Brings the copy in memory up to date.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let changes = self.store.changes(self.packed.revision)?;
        if Some(changes.revision) == self.packed.revision {
            return Ok(());
        }
        if changes.anew && self.packed.revision.is_some() {
            // it may have been embedded anew by another model
            let about = self.store.about()?;
            self.adopt(about);
        }
        self.changed += changes.came.len() + changes.went.len();
        let anew = changes.anew;
        self.packed.apply(changes)?;
        if anew || self.changed * STALE >= self.packed.len() {
            self.limit = None;
            self.changed = 0;
        }
        Ok(())
    }

    pub(crate) fn adopt(&mut self, about: About) {
        self.packed = Packed::new(about.model.dim, about.model.metric());
        self.about = about;
    }
}
