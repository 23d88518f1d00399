//! The table of what was found in photos, and what is told of it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use siamese_faces::Face;
use siamese_words::counted;

/// The table of what was found.
pub(super) const TABLE: &str = "faces.csv";

/// A line of the table.
pub(super) struct Row {
    pub(super) picture: String,
    pub(super) class: String,
    /// Of how many faces in the picture this is which, counted from 1; 0 where there is none.
    pub(super) face: (usize, usize),
    pub(super) result: &'static str,
    pub(super) remarks: String,
    pub(super) written: String,
    /// The face, and by how many quarters the picture was turned.
    pub(super) found: Option<(Face, u8)>,
}

/// The columns of the table; coordinates are in pixels of the picture, upright.
const COLUMNS: [&str; 23] = [
    "picture",
    "class",
    "face",
    "faces",
    "result",
    "remarks",
    "written",
    "probability",
    "left",
    "top",
    "right",
    "bottom",
    "left_eye_x",
    "left_eye_y",
    "right_eye_x",
    "right_eye_y",
    "nose_x",
    "nose_y",
    "mouth_left_x",
    "mouth_left_y",
    "mouth_right_x",
    "mouth_right_y",
    "quarters_turned",
];

/// Writes the table into the folder of the faces.
pub(super) fn write(rows: &[Row], out: &Path) -> Result<()> {
    let path = out.join(TABLE);
    siamese_files::write_bytes(&path, &csv(rows)?)
        .with_context(|| format!("writing {}", path.display()))
}

fn csv(rows: &[Row]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for row in rows {
        writer.write_record(row.fields())?;
    }
    Ok(writer.into_inner()?)
}

/// Tells how many faces came out, and what became of the others.
pub(super) fn say(rows: &[Row], pictures: usize, out: &Path) {
    let written = rows.iter().filter(|row| row.result == "written").count();
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.result != "written") {
        *others.entry(row.result).or_default() += 1;
    }
    println!(
        "{} of {} in {}",
        counted(written, "face"),
        counted(pictures, "picture"),
        out.display()
    );
    for (result, count) in others {
        println!("  {count} × {result}");
    }
    for remark in ["small", "uncertain", "from the side"] {
        let count = rows
            .iter()
            .filter(|row| row.result == "written" && row.remarks.contains(remark))
            .count();
        if count > 0 {
            println!("  {count} of the written: {remark}");
        }
    }
    println!("  all of it: {}", out.join(TABLE).display());
}

impl Row {
    pub(super) fn without_face(picture: &str, class: &str, result: &'static str) -> Self {
        Self {
            picture: picture.into(),
            class: class.into(),
            face: (0, 0),
            result,
            remarks: String::new(),
            written: String::new(),
            found: None,
        }
    }

    /// As [`COLUMNS`]; what there is not is empty.
    fn fields(&self) -> Vec<String> {
        let own = [&self.picture, &self.class].map(String::clone);
        let numbers = [self.face.0, self.face.1].map(|n| n.to_string());
        let words = [self.result, &self.remarks, &self.written].map(String::from);
        let mut fields: Vec<String> = own.into_iter().chain(numbers).chain(words).collect();
        if let Some((face, quarters)) = &self.found {
            let bounds = &face.bounds;
            let edges = [bounds.left, bounds.top, bounds.right, bounds.bottom];
            let points = face.landmarks.iter().flat_map(|point| [point.x, point.y]);
            fields.push(face.probability.to_string());
            fields.extend(edges.into_iter().chain(points).map(|at| format!("{at:.2}")));
            fields.push(quarters.to_string());
        }
        fields.resize(COLUMNS.len(), String::new());
        fields
    }
}
