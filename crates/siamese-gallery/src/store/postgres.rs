//! A gallery in PostgreSQL with pgvector: many writers, on another machine, more rows than memory.
//!
//! All of it is in the schema `siamese`: a row of `galleries` for each gallery, and two tables by its number. A writer
//! holds its gallery's row until it commits, so that revisions rise in the order in which others come to see them.

use std::collections::BTreeMap;

use pgvector::Vector;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use postgres::{Client, IsolationLevel, NoTls, Row as Found, Transaction};
use siamese_core::metrics::Distance;

use super::{Changes, Reembedded, Revision, Store};
use crate::about::{About, FORMAT};
use crate::entry::{Added, Entry, Filter, Row};
use crate::error::{Error, Result};

/// How long a writer waits for another, in seconds.
const WAIT: u64 = 30;
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

/// What a place says.
struct Address {
    /// For the client.
    url: String,
    /// For people.
    shown: String,
    gallery: String,
}

impl Address {
    /// `postgres://user:password@host:port/database/gallery`, or without a database the user's own.
    fn of(place: &str) -> Result<Self> {
        let wrong = || {
            Error::Invalid(
                "a gallery in PostgreSQL is named postgres://user:password@host:port/database/gallery".into(),
            )
        };
        let (scheme, rest) = place.split_once("://").ok_or_else(wrong)?;
        let (rest, query) = rest
            .split_once('?')
            .map_or((rest, None), |(r, q)| (r, Some(q)));
        let (host, path) = rest.split_once('/').ok_or_else(wrong)?;
        let (database, gallery) = path.rsplit_once('/').unwrap_or(("", path));
        if gallery.is_empty() {
            return Err(wrong());
        }
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let database = match database {
            "" => String::new(),
            database => format!("/{database}"),
        };
        let open = match host.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user, |(user, _)| user);
                format!("{user}@{host}")
            }
            None => host.to_string(),
        };
        Ok(Self {
            url: format!("{scheme}://{host}{database}{query}"),
            shown: format!("{scheme}://{open}{database}/{gallery}"),
            gallery: gallery.to_string(),
        })
    }

    fn connect(&self) -> Result<Client> {
        let connected = || -> Result<Client, postgres::Error> {
            let mut client = Client::connect(&self.url, NoTls)?;
            client.batch_execute(&format!(
                "SET lock_timeout = '{WAIT}s'; SET hnsw.iterative_scan = strict_order; SET client_min_messages = warning"
            ))?;
            Ok(client)
        };
        connected().map_err(|error| told(&self.shown, &error))
    }
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

/// The tables of a gallery.
struct Tables(i32);

impl Tables {
    fn next_revision(&self, transaction: &mut Transaction) -> Result<i64, postgres::Error> {
        let change =
            "UPDATE siamese.galleries SET revision = revision + 1 WHERE id = $1 RETURNING revision";
        Ok(transaction.query_one(change, &[&self.0])?.get(0))
    }

    fn new_epoch(&self, transaction: &mut Transaction) -> Result<i64, postgres::Error> {
        let change = "UPDATE siamese.galleries SET epoch = epoch + 1, revision = revision + 1 WHERE id = $1 RETURNING revision";
        Ok(transaction.query_one(change, &[&self.0])?.get(0))
    }

    fn remove(
        &self,
        transaction: &mut Transaction,
        ids: &[i64],
        revision: i64,
    ) -> Result<usize, postgres::Error> {
        let id = self.0;
        let change = format!(
            "WITH gone AS (DELETE FROM siamese.entries_{id} WHERE id = ANY($1) RETURNING id)
             INSERT INTO siamese.removed_{id} SELECT id, $2 FROM gone"
        );
        Ok(transaction.execute(&change, &[&ids, &revision])? as usize)
    }

    /// Copies the entries beside the table, under numbers that are theirs if they are new.
    fn copy(
        &self,
        transaction: &mut Transaction,
        entries: &[Entry],
        revision: i64,
    ) -> Result<Vec<i64>, postgres::Error> {
        let id = self.0;
        transaction.batch_execute(&format!(
            "CREATE TEMP TABLE incoming (LIKE siamese.entries_{id}) ON COMMIT DROP"
        ))?;
        let count = entries.len() as i64;
        let numbers = format!(
            "SELECT nextval(pg_get_serial_sequence('siamese.entries_{id}', 'id')) FROM generate_series(1, $1::bigint)"
        );
        let numbers = transaction.query(&numbers, &[&count])?;
        let numbers: Vec<i64> = numbers.iter().map(|row| row.get(0)).collect();
        let vector = transaction.prepare("SELECT embedding FROM incoming")?;
        let vector = vector.columns()[0].type_().clone();
        let columns = "id, revision, class, name, source, hash, time, data, thumbnail, embedding";
        let types = [
            Type::INT8,
            Type::INT8,
            Type::TEXT,
            Type::TEXT,
            Type::TEXT,
            Type::TEXT,
            Type::INT8,
            Type::TEXT,
            Type::BYTEA,
            vector,
        ];
        let copy = format!("COPY incoming ({columns}) FROM STDIN BINARY");
        let mut writer = BinaryCopyInWriter::new(transaction.copy_in(&copy)?, &types);
        for (number, entry) in numbers.iter().zip(entries) {
            let embedding = Vector::from(entry.embedding.clone());
            let data = entry.data.to_string();
            writer.write(&[
                number,
                &revision,
                &entry.class,
                &entry.name,
                &entry.source,
                &entry.hash,
                &entry.time,
                &data,
                &entry.thumbnail,
                &embedding,
            ])?;
        }
        writer.finish()?;
        let insert = format!(
            "INSERT INTO siamese.entries_{id} ({columns}) SELECT {columns} FROM incoming ORDER BY id ON CONFLICT (hash) DO NOTHING"
        );
        transaction.execute(&insert, &[])?;
        Ok(numbers)
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

/// What the server said, in a sentence that says what to do.
fn told(place: &str, error: &postgres::Error) -> Error {
    let place = place.to_string();
    let code = error.code();
    if code == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        let seconds = WAIT;
        return Error::Busy { place, seconds };
    }
    let said = match error.as_db_error() {
        Some(error) => error.message().to_string(),
        None => {
            let cause = std::error::Error::source(error);
            cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
        }
    };
    let why = match code {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => format!(
            "{said}; a reader needs USAGE on the schema siamese and SELECT on its tables, a writer INSERT, UPDATE and \
             DELETE besides, and who makes the first gallery CREATE on the database"
        ),
        Some(code) if *code == SqlState::DISK_FULL => {
            format!("{said}: nothing of it was added; make room and go on")
        }
        Some(code)
            if *code == SqlState::UNDEFINED_FILE || *code == SqlState::FEATURE_NOT_SUPPORTED =>
        {
            format!("{said}; the server needs the extension pgvector, 0.8 or newer")
        }
        _ => said,
    };
    Error::Store { place, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_a_gallery_in_a_database_and_its_password_is_not_shown() {
        let address =
            Address::of("postgres://me:secret@host:5433/pictures/people?connect_timeout=3")
                .unwrap();
        assert_eq!(
            address.url,
            "postgres://me:secret@host:5433/pictures?connect_timeout=3"
        );
        assert_eq!(address.shown, "postgres://me@host:5433/pictures/people");
        assert_eq!(address.gallery, "people");
        let address = Address::of("postgres://host/people").unwrap();
        assert_eq!(
            (address.url.as_str(), address.gallery.as_str()),
            ("postgres://host", "people")
        );
        for wrong in ["postgres://host", "postgres://host/", "postgres://host/db/"] {
            assert!(Address::of(wrong).is_err(), "{wrong}");
        }
    }
}
