//! A gallery in PostgreSQL with pgvector: many writers, on another machine, more rows than memory.
//!
//! All of it is in the schema `siamese`: a row of `galleries` for each gallery, and two tables by its number. A writer
//! holds its gallery's row until it commits, so that revisions rise in the order in which others come to see them.

mod address;
mod tables;
mod told;

use std::collections::BTreeMap;

use pgvector::Vector;
use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, IsolationLevel, Row as Found, Transaction};
use siamese_core::metrics::Distance;

use self::address::Address;
use self::tables::Tables;
use self::told::told;
use super::{Changes, Reembedded, Revision, Store};
use crate::about::{About, FORMAT};
use crate::entry::{Added, Entry, Filter, Row};
use crate::error::{Error, Result};

/// The longest embedding that pgvector's HNSW takes.
const LONGEST: usize = 2000;

const SCHEMA: &str = "
CREATE SCHEMA IF NOT EXISTS siamese;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE IF NOT EXISTS siamese.galleries (
  id SERIAL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  about TEXT NOT NULL,
  revision BIGINT NOT NULL DEFAULT 0,
  epoch BIGINT NOT NULL DEFAULT 0
);
";

/// Columns of a row, in the order in which [`row_of`] reads them.
const COLUMNS: &str = "id, class, name, source, hash, time, data, thumbnail, embedding";

/// A gallery in a database.
pub(crate) struct Postgres {
    client: Client,
    /// Without a password.
    place: String,
    id: i32,
    name: String,
}

impl Postgres {
    /// Makes a gallery; the schema and the extension where they are not there yet.
    pub(crate) fn create(place: &str, about: &About) -> Result<Self> {
        let address = Address::of(place)?;
        let mut client = address.connect()?;
        let text = serde_json::to_string(about).map_err(|e| Error::Invalid(e.to_string()))?;
        let dim = about.model.dim;
        let mut made = || -> Result<Option<i32>, postgres::Error> {
            let mut transaction = client.transaction()?;
            // two that make the schema at once would be in each other's way
            transaction.batch_execute("SELECT pg_advisory_xact_lock(7236219431)")?;
            transaction.batch_execute(SCHEMA)?;
            let insert = "INSERT INTO siamese.galleries (name, about) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id";
            let Some(row) = transaction.query_opt(insert, &[&address.gallery, &text])? else {
                return Ok(None);
            };
            let id: i32 = row.get(0);
            transaction.batch_execute(&format!(
                "CREATE TABLE siamese.entries_{id} (
                   id BIGSERIAL PRIMARY KEY, revision BIGINT NOT NULL, class TEXT NOT NULL, name TEXT NOT NULL,
                   source TEXT, hash TEXT UNIQUE, time BIGINT NOT NULL, data TEXT NOT NULL, thumbnail BYTEA,
                   embedding vector({dim}) NOT NULL);
                 CREATE INDEX ON siamese.entries_{id} (class);
                 CREATE INDEX ON siamese.entries_{id} (revision);
                 CREATE TABLE siamese.removed_{id} (id BIGINT PRIMARY KEY, revision BIGINT NOT NULL);"
            ))?;
            transaction.commit()?;
            Ok(Some(id))
        };
        let id = made().map_err(|error| told(&address.shown, &error))?;
        let place = address.shown;
        let name = address.gallery;
        match id {
            Some(id) => Ok(Self {
                client,
                place,
                id,
                name,
            }),
            None => Err(Error::Exists { place }),
        }
    }

    /// The gallery at `place`.
    pub(crate) fn open(place: &str) -> Result<Self> {
        let address = Address::of(place)?;
        let mut client = address.connect()?;
        let ask = "SELECT id FROM siamese.galleries WHERE name = $1";
        let found = match client.query_opt(ask, &[&address.gallery]) {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => None,
            found => found.map_err(|error| told(&address.shown, &error))?,
        };
        let place = address.shown;
        match found {
            Some(row) => Ok(Self {
                client,
                place,
                id: row.get(0),
                name: address.gallery,
            }),
            None => Err(Error::None { place }),
        }
    }

    fn write<T>(
        &mut self,
        change: impl FnOnce(&mut Transaction, &Tables) -> Result<T, postgres::Error>,
    ) -> Result<T> {
        let tables = Tables(self.id);
        let written = || -> Result<T, postgres::Error> {
            let mut transaction = self.client.transaction()?;
            let value = change(&mut transaction, &tables)?;
            transaction.commit()?;
            Ok(value)
        };
        written().map_err(|error| told(&self.place, &error))
    }

    fn ask(&mut self, ask: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Found>> {
        let found = self.client.query(ask, values);
        found.map_err(|error| told(&self.place, &error))
    }
}

impl Store for Postgres {
    fn about(&mut self) -> Result<About> {
        let name = self.name.clone();
        let found = self.ask(
            "SELECT about FROM siamese.galleries WHERE name = $1",
            &[&name],
        )?;
        let place = self.place.clone();
        let Some(row) = found.first() else {
            return Err(Error::None { place });
        };
        let text: String = row.get(0);
        let about: About = serde_json::from_str(&text).map_err(|error| Error::Store {
            place: place.clone(),
            why: format!("what it says of itself cannot be read: {error}"),
        })?;
        match about.format > FORMAT {
            true => Err(Error::Store {
                place,
                why: format!(
                    "it is of format {}, this program reads up to {FORMAT}: use a newer one",
                    about.format
                ),
            }),
            false => Ok(about),
        }
    }

    fn add(&mut self, entries: &[Entry]) -> Result<Vec<Added>> {
        self.write(|transaction, tables| {
            let revision = tables.next_revision(transaction)?;
            let numbers = tables.copy(transaction, entries, revision)?;
            let known = format!(
                "SELECT i.id, e.id, e.class, e.name FROM incoming i JOIN siamese.entries_{} e ON e.hash = i.hash
                 WHERE e.id <> i.id",
                tables.0
            );
            let known = transaction.query(&known, &[])?;
            let known: BTreeMap<i64, Added> = known
                .iter()
                .map(|row| {
                    let (id, class, name) = (row.get(1), row.get(2), row.get(3));
                    (row.get(0), Added::Known { id, class, name })
                })
                .collect();
            let added = |id: &i64| known.get(id).cloned().unwrap_or(Added::New(*id));
            Ok(numbers.iter().map(added).collect())
        })
    }

    fn remove(&mut self, ids: &[i64]) -> Result<usize> {
        self.write(|transaction, tables| {
            let revision = tables.next_revision(transaction)?;
            tables.remove(transaction, ids, revision)
        })
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<usize> {
        self.write(|transaction, tables| {
            let revision = tables.next_revision(transaction)?;
            let change = format!(
                "UPDATE siamese.entries_{} SET class = $1, revision = $2 WHERE class = $3",
                tables.0
            );
            Ok(transaction.execute(&change, &[&to, &revision, &from])? as usize)
        })
    }

    fn rows(&mut self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Row>> {
        let ask = format!(
            "SELECT {COLUMNS} FROM siamese.entries_{} WHERE id > $1 AND ($2::text IS NULL OR class = $2)
             AND ($3::text IS NULL OR name = $3) AND ($4::bigint IS NULL OR id = $4) ORDER BY id LIMIT $5",
            self.id
        );
        let (mut taken, mut after) = (Vec::new(), after);
        // the free JSON is looked at here, as for the other store: pages may have to be read to fill one
        loop {
            let page = self.ask(
                &ask,
                &[
                    &after,
                    &filter.class,
                    &filter.name,
                    &filter.id,
                    &(limit as i64),
                ],
            )?;
            let whole = page.len() == limit;
            let place = self.place.clone();
            for found in &page {
                let row = row_of(found).map_err(|why| Error::Store {
                    place: place.clone(),
                    why,
                })?;
                after = row.id;
                if filter.takes_data(&row.entry.data) {
                    taken.push(row);
                }
                if taken.len() == limit {
                    return Ok(taken);
                }
            }
            if !whole {
                return Ok(taken);
            }
        }
    }

    fn classes(&mut self) -> Result<BTreeMap<String, usize>> {
        let ask = format!(
            "SELECT class, count(*) FROM siamese.entries_{} GROUP BY class",
            self.id
        );
        let found = self.ask(&ask, &[])?;
        let counted = |row: &Found| (row.get(0), row.get::<_, i64>(1) as usize);
        Ok(found.iter().map(counted).collect())
    }

    fn changes(&mut self, known: Option<Revision>) -> Result<Changes> {
        let id = self.id;
        let mut found = || -> Result<Changes, postgres::Error> {
            // one moment for all of it
            let mut transaction = self
                .client
                .build_transaction()
                .isolation_level(IsolationLevel::RepeatableRead)
                .read_only(true)
                .start()?;
            let ask = "SELECT epoch, revision FROM siamese.galleries WHERE id = $1";
            let row = transaction.query_one(ask, &[&id])?;
            let revision = Revision {
                epoch: row.get(0),
                number: row.get(1),
            };
            let since = known.filter(|known| known.epoch == revision.epoch);
            let mut changes = Changes {
                revision,
                anew: since.is_none(),
                ..Changes::default()
            };
            if since == Some(revision) {
                return Ok(changes);
            }
            let since = since.map_or(-1, |since| since.number);
            let ask = format!(
                "SELECT id, class, name, embedding FROM siamese.entries_{id} WHERE revision > $1 ORDER BY id"
            );
            for row in transaction.query(&ask, &[&since])? {
                let embedding: Vector = row.get(3);
                changes
                    .came
                    .push((row.get(0), row.get(1), row.get(2), embedding.to_vec()));
            }
            if !changes.anew {
                let ask = format!("SELECT id FROM siamese.removed_{id} WHERE revision > $1");
                let went = transaction.query(&ask, &[&since])?;
                changes.went = went.iter().map(|row| row.get(0)).collect();
            }
            Ok(changes)
        };
        found().map_err(|error| told(&self.place, &error))
    }

    fn rebuild(
        &mut self,
        about: &About,
        gone: &[i64],
        next: &mut dyn FnMut() -> Result<Option<Vec<Reembedded>>>,
    ) -> Result<()> {
        let text = serde_json::to_string(about).map_err(|e| Error::Invalid(e.to_string()))?;
        let mut parts = Vec::new();
        while let Some(part) = next()? {
            parts.push(part);
        }
        let dim = about.model.dim;
        self.write(|transaction, tables| {
            let id = tables.0;
            let revision = tables.new_epoch(transaction)?;
            tables.remove(transaction, gone, revision)?;
            // another length, perhaps; an index goes with its column
            transaction.batch_execute(&format!(
                "ALTER TABLE siamese.entries_{id} DROP COLUMN embedding;
                 ALTER TABLE siamese.entries_{id} ADD COLUMN embedding vector({dim})"
            ))?;
            let change = transaction.prepare(&format!(
                "UPDATE siamese.entries_{id} SET embedding = $1, hash = $2, revision = $3 WHERE id = $4"
            ))?;
            for row in parts.into_iter().flatten() {
                let embedding = Vector::from(row.embedding);
                transaction.execute(&change, &[&embedding, &row.hash, &revision, &row.id])?;
            }
            transaction.batch_execute(&format!(
                "ALTER TABLE siamese.entries_{id} ALTER COLUMN embedding SET NOT NULL"
            ))?;
            let change = "UPDATE siamese.galleries SET about = $1 WHERE id = $2";
            transaction.execute(change, &[&text, &id]).map(|_| ())
        })
    }

    fn check(&mut self) -> Result<Vec<String>> {
        // what a file system can damage is the server's to check; lengths are the column's own
        Ok(Vec::new())
    }

    fn compact(&mut self) -> Result<()> {
        self.write(|transaction, tables| {
            tables.new_epoch(transaction)?;
            let forget = format!("DELETE FROM siamese.removed_{}", tables.0);
            transaction.execute(&forget, &[]).map(|_| ())
        })?;
        let vacuum = format!("VACUUM ANALYZE siamese.entries_{}", self.id);
        let done = self.client.batch_execute(&vacuum);
        done.map_err(|error| told(&self.place, &error))
    }

    fn size(&mut self) -> Result<u64> {
        let id = self.id;
        let ask = format!(
            "SELECT pg_total_relation_size('siamese.entries_{id}') + pg_total_relation_size('siamese.removed_{id}')"
        );
        let found = self.ask(&ask, &[])?;
        Ok(found.first().map_or(0, |row| row.get::<_, i64>(0) as u64))
    }

    fn index(&mut self) -> Result<()> {
        let about = self.about()?;
        let dim = about.model.dim;
        if dim > LONGEST {
            let message = format!(
                "pgvector's HNSW takes up to {LONGEST} numbers, these embeddings have {dim}"
            );
            return Err(Error::Invalid(message));
        }
        let (class, _) = operator(about.model.distance);
        let id = self.id;
        let make = format!(
            "CREATE INDEX IF NOT EXISTS entries_{id}_near ON siamese.entries_{id} USING hnsw (embedding {class})"
        );
        let made = self.client.batch_execute(&make);
        made.map_err(|error| told(&self.place, &error))
    }

    fn near(
        &mut self,
        distance: Distance,
        probe: &[f32],
        k: usize,
        filter: &Filter,
    ) -> Result<Vec<Row>> {
        let (_, operator) = operator(distance);
        let mut ask = format!(
            "SELECT {COLUMNS} FROM siamese.entries_{} WHERE ($2::text IS NULL OR class = $2)
             AND ($3::text IS NULL OR name = $3) AND ($4::bigint IS NULL OR id = $4)",
            self.id
        );
        let (probe, k) = (Vector::from(probe.to_vec()), k as i64);
        let mut values: Vec<&(dyn ToSql + Sync)> =
            vec![&probe, &filter.class, &filter.name, &filter.id, &k];
        for (key, value) in &filter.data {
            let at = values.len();
            ask += &format!(" AND (data::jsonb ->> ${}) = ${}", at + 1, at + 2);
            values.extend([key as &(dyn ToSql + Sync), value]);
        }
        ask += &format!(" ORDER BY embedding {operator} $1 LIMIT $5");
        let found = self.ask(&ask, &values)?;
        let place = &self.place;
        let row = |found: &Found| {
            let place = place.clone();
            row_of(found).map_err(|why| Error::Store { place, why })
        };
        found.iter().map(row).collect()
    }
}

/// pgvector's operator class and operator of a distance.
fn operator(distance: Distance) -> (&'static str, &'static str) {
    match distance {
        Distance::Euclidean | Distance::SquaredEuclidean => ("vector_l2_ops", "<->"),
        Distance::Cosine => ("vector_cosine_ops", "<=>"),
        Distance::Manhattan => ("vector_l1_ops", "<+>"),
    }
}

fn row_of(row: &Found) -> Result<Row, String> {
    let data: String = row.get(6);
    let embedding: Vector = row.get(8);
    Ok(Row {
        id: row.get(0),
        entry: Entry {
            class: row.get(1),
            name: row.get(2),
            source: row.get(3),
            hash: row.get(4),
            time: row.get(5),
            data: serde_json::from_str(&data).map_err(|error| format!("free JSON: {error}"))?,
            thumbnail: row.get(7),
            embedding: embedding.to_vec(),
        },
    })
}
