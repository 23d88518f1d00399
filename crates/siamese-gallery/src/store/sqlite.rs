//! A folder with an SQLite database in it.
//!
//! Write-ahead log, `synchronous = FULL`: a transaction that has returned is on the disk, and readers, in whatever
//! process, are never in its way nor it in theirs. Writers take turns.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::{Changes, Reembedded, Revision, Store};
use crate::about::{About, FORMAT};
use crate::entry::{Added, Entry, Filter, Row, bytes_of, embedding_of};
use crate::error::{Error, Result};

/// The database within a gallery's folder.
const FILE: &str = "gallery.sqlite";
/// How long a writer waits for another.
const WAIT: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
CREATE TABLE settings (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  revision INTEGER NOT NULL,
  class TEXT NOT NULL,
  name TEXT NOT NULL,
  source TEXT,
  hash TEXT UNIQUE,
  time INTEGER NOT NULL,
  data TEXT NOT NULL,
  thumbnail BLOB,
  embedding BLOB NOT NULL
);
CREATE INDEX entries_class ON entries (class);
CREATE INDEX entries_revision ON entries (revision);
CREATE TABLE removed (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL);
CREATE INDEX removed_revision ON removed (revision);
INSERT INTO settings VALUES ('revision', 0), ('epoch', 0);
";

/// Columns of a row, in the order in which [`row_of`] reads them.
const COLUMNS: &str = "id, class, name, source, hash, time, data, thumbnail, embedding";

/// A gallery in a folder.
pub(crate) struct Sqlite {
    connection: Connection,
    place: String,
    folder: PathBuf,
}

impl Sqlite {
    /// Makes a gallery in `folder`, which is made where it is not there.
    pub(crate) fn create(folder: &Path, about: &About) -> Result<Self> {
        let place = folder.display().to_string();
        let file = folder.join(FILE);
        let io = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Io {
                action,
                path,
                source,
            }
        };
        std::fs::create_dir_all(folder).map_err(io("making", folder))?;
        if file.exists() {
            return Err(Error::Exists { place });
        }
        let mut store = Self::connect(folder)?;
        let text = serde_json::to_string(about).map_err(|e| Error::Invalid(e.to_string()))?;
        store
            .write(|transaction| {
                // of two that make it at once, the second finds it made
                transaction.execute_batch(SCHEMA)?;
                transaction.execute("INSERT INTO settings VALUES ('about', ?1)", [&text])?;
                Ok(())
            })
            .map_err(|error| match error {
                Error::Store { why, .. } if why.contains("already exists") => {
                    Error::Exists { place }
                }
                error => error,
            })?;
        Ok(store)
    }

    /// The gallery in `folder`.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let place = folder.display().to_string();
        if !folder.join(FILE).is_file() {
            return Err(Error::None { place });
        }
        Self::connect(folder)
    }

    fn connect(folder: &Path) -> Result<Self> {
        let place = folder.display().to_string();
        let opened = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(folder.join(FILE))?;
            connection.busy_timeout(WAIT)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "cache_size", -65_536)?;
            Ok(connection)
        };
        let connection = opened().map_err(|error| told(&place, error))?;
        let folder = folder.to_path_buf();
        Ok(Self {
            connection,
            place,
            folder,
        })
    }

    /// Runs `change` as one transaction, which waits for another writer's end before it begins.
    fn write<T>(&mut self, change: impl FnOnce(&Transaction) -> rusqlite::Result<T>) -> Result<T> {
        let written = || -> rusqlite::Result<T> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        written().map_err(|error| told(&self.place, error))
    }

    fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        ask(&self.connection).map_err(|error| told(&self.place, error))
    }
}

impl Store for Sqlite {
    fn about(&mut self) -> Result<About> {
        let text: Option<String> = self.read(|connection| {
            let ask = "SELECT value FROM settings WHERE key = 'about'";
            connection.query_row(ask, [], |row| row.get(0)).optional()
        })?;
        let place = self.place.clone();
        let Some(text) = text else {
            return Err(Error::None { place });
        };
        let damaged = |why: String| Error::Store {
            place: place.clone(),
            why,
        };
        let about: About = serde_json::from_str(&text)
            .map_err(|error| damaged(format!("what it says of itself cannot be read: {error}")))?;
        match about.format > FORMAT {
            true => Err(damaged(format!(
                "it is of format {}, this program reads up to {FORMAT}: use a newer one",
                about.format
            ))),
            false => Ok(about),
        }
    }

    fn add(&mut self, entries: &[Entry]) -> Result<Vec<Added>> {
        self.write(|transaction| {
            let revision = next_revision(transaction)?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO entries (revision, class, name, source, hash, time, data, thumbnail, embedding)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (hash) DO NOTHING RETURNING id",
            )?;
            let mut known =
                transaction.prepare_cached("SELECT id, class, name FROM entries WHERE hash = ?1")?;
            let add = |entry: &Entry| {
                let Entry {
                    class,
                    name,
                    source,
                    hash,
                    time,
                    data,
                    thumbnail,
                    embedding,
                } = entry;
                let (data, embedding) = (data.to_string(), bytes_of(embedding));
                let values = params![revision, class, name, source, hash, time, data, thumbnail, embedding];
                let id: Option<i64> = insert.query_row(values, |row| row.get(0)).optional()?;
                match id {
                    Some(id) => Ok(Added::New(id)),
                    None => known.query_row([hash], |row| {
                        Ok(Added::Known {
                            id: row.get(0)?,
                            class: row.get(1)?,
                            name: row.get(2)?,
                        })
                    }),
                }
            };
            entries.iter().map(add).collect()
        })
    }

    fn remove(&mut self, ids: &[i64]) -> Result<usize> {
        self.write(|transaction| remove(transaction, ids))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<usize> {
        self.write(|transaction| {
            let revision = next_revision(transaction)?;
            let change = "UPDATE entries SET class = ?1, revision = ?2 WHERE class = ?3";
            transaction.execute(change, params![to, revision, from])
        })
    }

    fn rows(&mut self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Row>> {
        self.read(|connection| {
            // said apart, so that the index of classes is used where there is a class
            let of_class = match filter.class {
                Some(_) => "class = ?2",
                None => "?2 IS NULL",
            };
            let mut ask = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM entries WHERE id > ?1 AND {of_class}
                 AND (?3 IS NULL OR name = ?3) AND (?4 IS NULL OR id = ?4) ORDER BY id"
            ))?;
            let found =
                ask.query_map(params![after, filter.class, filter.name, filter.id], row_of)?;
            let taken = found.filter(|row| {
                row.as_ref()
                    .map_or(true, |row| filter.takes_data(&row.entry.data))
            });
            taken.take(limit).collect()
        })
    }

    fn classes(&mut self) -> Result<BTreeMap<String, usize>> {
        self.read(|connection| {
            let mut ask =
                connection.prepare_cached("SELECT class, count(*) FROM entries GROUP BY class")?;
            let found =
                ask.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize)))?;
            found.collect()
        })
    }

    fn changes(&mut self, known: Option<Revision>) -> Result<Changes> {
        let place = &self.place;
        let mut found = || -> rusqlite::Result<Changes> {
            // one transaction, so that all of it is of one moment
            let transaction = self.connection.transaction()?;
            let revision = revision(&transaction)?;
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
            // left to itself SQLite reads the whole table to have few rows in order
            let by_revision = match changes.anew {
                true => "",
                false => "INDEXED BY entries_revision",
            };
            let mut ask = transaction.prepare_cached(&format!(
                "SELECT id, class, name, embedding FROM entries {by_revision} WHERE revision > ?1 ORDER BY id",
            ))?;
            let came = ask.query_map([since], |row| {
                let embedding = row.get_ref(3)?.as_blob()?;
                let embedding = embedding_of(embedding).ok_or_else(|| damaged(3))?;
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, embedding))
            })?;
            changes.came = came.collect::<rusqlite::Result<_>>()?;
            if !changes.anew {
                let mut ask =
                    transaction.prepare_cached("SELECT id FROM removed WHERE revision > ?1")?;
                let went = ask.query_map([since], |row| row.get(0))?;
                changes.went = went.collect::<rusqlite::Result<_>>()?;
            }
            Ok(changes)
        };
        found().map_err(|error| told(place, error))
    }

    fn rebuild(
        &mut self,
        about: &About,
        gone: &[i64],
        next: &mut dyn FnMut() -> Result<Option<Vec<Reembedded>>>,
    ) -> Result<()> {
        let text = serde_json::to_string(about).map_err(|e| Error::Invalid(e.to_string()))?;
        let mut failed = None;
        let written = self.write(|transaction| {
            let revision = new_epoch(transaction)?;
            remove(transaction, gone)?;
            let mut change = transaction.prepare_cached(
                "UPDATE entries SET embedding = ?1, hash = ?2, revision = ?3 WHERE id = ?4",
            )?;
            loop {
                match next() {
                    Ok(None) => break,
                    Ok(Some(rows)) => {
                        for row in rows {
                            let embedding = bytes_of(&row.embedding);
                            change.execute(params![embedding, row.hash, revision, row.id])?;
                        }
                    }
                    Err(error) => {
                        failed = Some(error);
                        return Err(rusqlite::Error::QueryReturnedNoRows);
                    }
                }
            }
            let change = "UPDATE settings SET value = ?1 WHERE key = 'about'";
            transaction.execute(change, [&text]).map(|_| ())
        });
        match failed {
            Some(error) => Err(error),
            None => written,
        }
    }

    fn check(&mut self) -> Result<Vec<String>> {
        let dim = self.about()?.model.dim;
        self.read(|connection| {
            let mut ask = connection.prepare("PRAGMA integrity_check(20)")?;
            let found = ask.query_map([], |row| row.get::<_, String>(0))?;
            let found: Vec<String> = found.collect::<rusqlite::Result<_>>()?;
            let mut wrong: Vec<String> = found.into_iter().filter(|line| line != "ok").collect();
            let mut ask =
                connection.prepare("SELECT id, name FROM entries WHERE length(embedding) <> ?1")?;
            let cut = ask.query_map([4 * dim as i64], |row| {
                let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
                Ok(format!(
                    "{name} (id {id}) has no embedding of {dim} numbers"
                ))
            })?;
            wrong.extend(cut.collect::<rusqlite::Result<Vec<_>>>()?);
            Ok(wrong)
        })
    }

    fn compact(&mut self) -> Result<()> {
        self.write(|transaction| {
            new_epoch(transaction)?;
            transaction.execute("DELETE FROM removed", []).map(|_| ())
        })?;
        self.read(|connection| connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"))
    }

    fn size(&mut self) -> Result<u64> {
        let names = ["", "-wal"].map(|end| self.folder.join(format!("{FILE}{end}")));
        let sizes = names.iter().filter_map(|file| file.metadata().ok());
        Ok(sizes.map(|found| found.len()).sum())
    }
}

fn row_of(row: &rusqlite::Row) -> rusqlite::Result<Row> {
    let data: String = row.get(6)?;
    let embedding = row.get_ref(8)?.as_blob()?;
    Ok(Row {
        id: row.get(0)?,
        entry: Entry {
            class: row.get(1)?,
            name: row.get(2)?,
            source: row.get(3)?,
            hash: row.get(4)?,
            time: row.get(5)?,
            data: serde_json::from_str(&data).map_err(|_| damaged(6))?,
            thumbnail: row.get(7)?,
            embedding: embedding_of(embedding).ok_or_else(|| damaged(8))?,
        },
    })
}

fn damaged(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "damaged".into(), rusqlite::types::Type::Blob)
}

fn revision(connection: &Connection) -> rusqlite::Result<Revision> {
    let number = |key: &str| {
        let ask = "SELECT value FROM settings WHERE key = ?1";
        connection.query_row(ask, [key], |row| row.get(0))
    };
    Ok(Revision {
        epoch: number("epoch")?,
        number: number("revision")?,
    })
}

fn next_revision(transaction: &Transaction) -> rusqlite::Result<i64> {
    let change = "UPDATE settings SET value = value + 1 WHERE key = 'revision' RETURNING value";
    transaction.query_row(change, [], |row| row.get(0))
}

fn new_epoch(transaction: &Transaction) -> rusqlite::Result<i64> {
    transaction.execute(
        "UPDATE settings SET value = value + 1 WHERE key = 'epoch'",
        [],
    )?;
    next_revision(transaction)
}

fn remove(transaction: &Transaction, ids: &[i64]) -> rusqlite::Result<usize> {
    let revision = next_revision(transaction)?;
    let mut delete = transaction.prepare_cached("DELETE FROM entries WHERE id = ?1")?;
    let mut note = transaction.prepare_cached("INSERT INTO removed VALUES (?1, ?2)")?;
    let mut removed = 0;
    for id in ids {
        if delete.execute([id])? > 0 {
            note.execute(params![id, revision])?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// What SQLite said, in a sentence that says what to do.
fn told(place: &str, error: rusqlite::Error) -> Error {
    let place = place.to_string();
    let why = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let seconds = WAIT.as_secs();
            return Error::Busy { place, seconds };
        }
        Some(ErrorCode::ReadOnly) => {
            "it is read-only: nothing was changed; give yourself the right to write there".into()
        }
        Some(ErrorCode::DiskFull) => {
            "the disk is full: what was acknowledged is kept, the rest was not added; make room and go on".into()
        }
        Some(ErrorCode::NotADatabase) => "its gallery.sqlite is no SQLite database".into(),
        Some(ErrorCode::DatabaseCorrupt) => format!(
            "its database is damaged ({error}): restore it from a copy, or export what can be read"
        ),
        _ => error.to_string(),
    };
    Error::Store { place, why }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
