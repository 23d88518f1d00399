//! What is done to the tables of a gallery within a transaction.

use pgvector::Vector;
use postgres::Transaction;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;

use crate::entry::Entry;

/// The tables of a gallery.
pub(super) struct Tables(pub(super) i32);

impl Tables {
    pub(super) fn next_revision(
        &self,
        transaction: &mut Transaction,
    ) -> Result<i64, postgres::Error> {
        let change =
            "UPDATE siamese.galleries SET revision = revision + 1 WHERE id = $1 RETURNING revision";
        Ok(transaction.query_one(change, &[&self.0])?.get(0))
    }

    pub(super) fn new_epoch(&self, transaction: &mut Transaction) -> Result<i64, postgres::Error> {
        let change = "UPDATE siamese.galleries SET epoch = epoch + 1, revision = revision + 1 WHERE id = $1 RETURNING revision";
        Ok(transaction.query_one(change, &[&self.0])?.get(0))
    }

    pub(super) fn remove(
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
    pub(super) fn copy(
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
