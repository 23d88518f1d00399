//! Tables of pictures and classes, as spreadsheets and people write them.

use std::path::Path;

use anyhow::Result;

use crate::entry::{Entry, Kind, entry};
use crate::made::{cats_and_dogs, classes, jpeg, write};

const CHECK: &str = "data check table.csv";

pub(crate) fn entries() -> Vec<Entry> {
    use Kind::PairsFiles;
    let read =
        |name, make| entry(PairsFiles, name, make, CHECK).says(&["8 pictures in", "2 classes"]);
    let said = |name, make, words| entry(PairsFiles, name, make, CHECK).says(words);
    let refused = |name, make, words| entry(PairsFiles, name, make, CHECK).fails(words);
    vec![
        read("plain", |at| table(at, rows(","))),
        read("no heading", |at| table(at, without_heading(&rows(",")))),
        read("a byte-order mark", |at| {
            table(at, format!("\u{feff}{}", rows(",")))
        }),
        read("UTF-16", |at| {
            table(at, utf_16(&rows("\t"), u16::to_le_bytes))
        }),
        read("UTF-16 of the other order", |at| {
            table(at, utf_16(&rows(","), u16::to_be_bytes))
        }),
        read("line ends of old Macs", |at| {
            table(at, rows(",").replace('\n', "\r"))
        }),
        read("line ends of Windows", |at| {
            table(at, rows(",").replace('\n', "\r\n"))
        }),
        read("semicolons", |at| table(at, rows(";"))),
        read("tabs", |at| table(at, rows("\t"))),
        read("backslashes", |at| table(at, rows(",").replace('/', "\\"))),
        read("quotes", |at| {
            table(
                at,
                rows("\",\"")
                    .replace('\n', "\"\n\"")
                    .trim_end_matches('"')
                    .replacen("path", "\"path", 1),
            )
        }),
        read("empty lines at the end", |at| {
            table(at, rows(",") + "\n\n\n")
        }),
        read("empty values at the end", |at| {
            table(at, rows(",") + ",\n,\n")
        }),
        read("an index column", |at| {
            let lines = rows(",");
            let mut lines = lines.lines();
            let mut text = format!(",{}\n", lines.next().unwrap_or_default());
            for (i, line) in lines.enumerate() {
                text += &format!("{i},{line}\n");
            }
            table(at, text)
        }),
        refused(
            "a heading in other words",
            |at| table(at, rows(",").replace("path,label", "Datei,Klasse")),
            &["table.csv", "Datei, Klasse", "--set data.columns.file"],
        ),
        entry(
            PairsFiles,
            "a heading in other words, told",
            |at| {
                classes(at, &["set/cat", "set/dog"], 12)?;
                let lines = (0..24).map(|i| (["cat", "dog"][i / 12], i % 12));
                let lines = lines.map(|(class, i)| format!("set/{class}/{i}.jpg;{class}\n"));
                write(
                    at,
                    "table.csv",
                    format!("Datei;Klasse\n{}", lines.collect::<String>()),
                )
            },
            "train table.csv --dry-run --tower conv4 --size 16 --epochs 1 \
             --set data.columns.file=Datei --set data.columns.label=Klasse",
        )
        .says(&["24 pictures in 2 classes"]),
        read("JSON lines", |at| {
            let line = |row: &str| {
                let (path, label) = row.split_once(',').unwrap_or_default();
                format!("{{\"path\": \"{path}\", \"label\": \"{label}\"}}\n")
            };
            table(
                at,
                without_heading(&rows(","))
                    .lines()
                    .map(line)
                    .collect::<String>(),
            )
        }),
        read("Excel's note on the divider", |at| {
            table(at, format!("sep=;\r\n{}", rows(";").replace('\n', "\r\n")))
        }),
        read("paths in full", |at| {
            let here = at.canonicalize()?;
            let full = format!("{}/set/", here.display());
            table(at, rows(",").replace("set/", &full))
        }),
        read("web addresses beside", |at| {
            let with = rows(",").replace("path,label", "url,path,label");
            table(at, with.replace("\nset", "\nhttps://example.org/1.jpg,set"))
        }),
        said(
            "a picture in two classes",
            |at| table(at, rows(",") + "set/cat/0.jpg,dog\n"),
            &["1 named before with another label (set/cat/0.jpg)"],
        ),
        said(
            "a picture given twice",
            |at| table(at, rows(",") + "set/cat/0.jpg,cat\n"),
            &["1 named twice (set/cat/0.jpg)"],
        ),
        refused(
            "lines of different lengths",
            |at| table(at, rows(",") + "set/cat/0.jpg,cat,fluffy\n"),
            &["table.csv", "line 10 has 3 values"],
        ),
        refused(
            "JSON that ends early",
            |at| {
                table(
                    at,
                    "{\"path\": \"set/cat/0.jpg\", \"label\": \"cat\"}\n{\"path\": \"set",
                )
            },
            &["table.csv", "line 2"],
        ),
        refused(
            "web addresses alone",
            |at| table(at, "url,label\nhttps://example.org/1.jpg,cat\n"),
            &["table.csv"],
        ),
        read("a table within the pictures' folder", |at| {
            cats_and_dogs(at)?;
            write(at, "table.csv", rows(","))?;
            Ok(())
        }),
        entry(
            PairsFiles,
            "a name with comma, quote and line end",
            |at| {
                cats_and_dogs(at)?;
                write(at, "set/a, \"b\".jpg", jpeg(9)?)?;
                write(
                    at,
                    "table.csv",
                    rows(",") + "\"set/a, \"\"b\"\".jpg\",cat\n",
                )
            },
            CHECK,
        )
        .says(&["9 pictures in"]),
        said(
            "a picture that is not there",
            |at| table(at, rows(",") + "set/cat/absent.jpg,cat\n"),
            &[
                "8 pictures in",
                "left out: 1 no such file (table.csv:10: set/cat/absent.jpg)",
            ],
        ),
        refused(
            "no picture that is there",
            |at| write(at, "table.csv", rows(",")),
            &["table.csv", "set/cat/0.jpg"],
        ),
        refused(
            "a column alone",
            |at| table(at, "path\nset/cat/0.jpg\nset/dog/0.jpg\n"),
            &["table.csv"],
        ),
        refused(
            "nothing",
            |at| write(at, "table.csv", ""),
            &["table.csv", "an empty file"],
        ),
        refused(
            "a heading alone",
            |at| write(at, "table.csv", "path,label\n"),
            &["table.csv"],
        ),
        said(
            "a label missing",
            |at| table(at, rows(",") + "set/cat/0.jpg,\n"),
            &["left out: 1 without a label (table.csv:10"],
        ),
        refused(
            "a quote that does not end",
            |at| table(at, rows(",") + "\"set/cat/0.jpg,cat\n"),
            &["table.csv"],
        ),
        refused(
            "no text",
            |at| write(at, "table.csv", [9, 1, 2, 3, 0, 255]),
            &["table.csv"],
        ),
        refused(
            "a spreadsheet",
            |at| write(at, "table.csv", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"),
            &["table.csv", "an old Office document"],
        ),
        refused(
            "letters of Latin-1",
            |at| {
                cats_and_dogs(at)?;
                write(
                    at,
                    "table.csv",
                    [rows(",").as_bytes(), b"set/cat/caf\xE9.jpg,cat\n"].concat(),
                )
            },
            &[
                "table.csv",
                "line 10 is not UTF-8",
                "write the file as UTF-8",
            ],
        ),
    ]
}

/// A path and a label for each of eight pictures.
fn rows(divider: &str) -> String {
    let mut text = format!("path{divider}label\n");
    for class in ["cat", "dog"] {
        for i in 0..4 {
            text += &format!("set/{class}/{i}.jpg{divider}{class}\n");
        }
    }
    text
}

fn without_heading(text: &str) -> String {
    let rows = text.lines().skip(1);
    rows.map(|row| format!("{row}\n")).collect()
}

/// Text in UTF-16, with its mark.
pub(crate) fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
    units.flat_map(bytes).collect()
}

fn table(at: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    cats_and_dogs(at)?;
    write(at, "table.csv", text)
}
