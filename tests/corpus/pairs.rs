//! Files of pairs in every writing, with leaks and contradictions; LFW's among them.

use std::path::Path;

use anyhow::Result;
use image::ImageFormat;

use crate::entry::{Entry, Kind, entry};
use crate::made::{cats_and_dogs, encoded, half, jpeg, model, photo, write};
use crate::tables::utf_16;

const JUDGE: &str = "evaluate model.safetensors --folder set --pairs-file pairs.csv";
const LFW: &str = "evaluate model.safetensors --folder set --lfw pairs.txt";

pub(crate) fn entries() -> Vec<Entry> {
    [written(), refused(), leaks(), lfw()]
        .into_iter()
        .flatten()
        .collect()
}

/// Each of these is the same eight pairs.
fn written() -> Vec<Entry> {
    let read = |name, make| {
        entry(Kind::PairsFiles, name, make, JUDGE).says(&["8 pairs (4 like, 4 unlike)"])
    };
    vec![
        read("plain", |at| pairs(at, lines("1", "0"))),
        read("a heading of ours", |at| {
            pairs(at, "path_a,path_b,same?\n".to_owned() + &lines("1", "0"))
        }),
        read("a heading in other words", |at| {
            pairs(at, "Bild A,Bild B,gleich\n".to_owned() + &lines("1", "0"))
        }),
        read("semicolons", |at| {
            pairs(at, lines("1", "0").replace(',', ";"))
        }),
        read("tabs", |at| pairs(at, lines("1", "0").replace(',', "\t"))),
        read("spaces after commas", |at| {
            pairs(at, lines("1", "0").replace(',', ", "))
        }),
        read("genuine and forged", |at| {
            pairs(at, lines("genuine", "forged"))
        }),
        read("match and mismatch", |at| {
            pairs(at, lines("match", "mismatch"))
        }),
        read("true and false", |at| pairs(at, lines("True", "False"))),
        read("1 and -1", |at| pairs(at, lines("1", "-1"))),
        read("1.0 and 0.0", |at| pairs(at, lines("1.0", "0.0"))),
        read("the verdict first", |at| {
            pairs(
                at,
                each(|(a, b, like)| format!("{},{a},{b}\n", u8::from(like))),
            )
        }),
        read("an index column", |at| {
            let mut i = 0;
            let numbered = each(|(a, b, like)| {
                i += 1;
                format!("{},{a},{b},{}\n", i - 1, u8::from(like))
            });
            pairs(at, format!(",img1,img2,label\n{numbered}"))
        }),
        read("quoted fields", |at| {
            pairs(
                at,
                each(|(a, b, like)| format!("\"{a}\",\"{b}\",\"{}\"\n", u8::from(like))),
            )
        }),
        read("line ends of old Macs", |at| {
            pairs(at, lines("1", "0").replace('\n', "\r"))
        }),
        read("line ends of Windows", |at| {
            pairs(at, lines("1", "0").replace('\n', "\r\n"))
        }),
        read("a byte-order mark", |at| {
            pairs(at, format!("\u{feff}{}", lines("1", "0")))
        }),
        read("UTF-16", |at| {
            pairs(
                at,
                utf_16(&lines("1", "0").replace(',', "\t"), u16::to_le_bytes),
            )
        }),
        read("UTF-16 of the other order", |at| {
            pairs(at, utf_16(&lines("1", "0"), u16::to_be_bytes))
        }),
        read("backslashes", |at| {
            pairs(at, lines("1", "0").replace('/', "\\"))
        }),
        read("paths from here", |at| {
            pairs(at, lines("1", "0").replace("cat/", "./cat/"))
        }),
        read("empty lines between", |at| {
            pairs(at, lines("1", "0").replace('\n', "\n\n"))
        }),
        read("a remark before", |at| {
            pairs(at, format!("# made by hand\n{}", lines("1", "0")))
        }),
        read("names with a hash, a comma and quotes", |at| {
            write(at, "set/#1, \"best\".jpg", jpeg(0)?)?;
            pairs(
                at,
                lines("1", "0").replace("cat/0.jpg", "\"#1, \"\"best\"\".jpg\""),
            )
        }),
        entry(
            Kind::PairsFiles,
            "JSON lines",
            |at| {
                pairs(at, "")?;
                let line = |(a, b, like): (&str, &str, bool)| {
                    format!("{{\"a\": \"{a}\", \"b\": \"{b}\", \"same\": {like}}}\n")
                };
                write(at, "pairs.jsonl", each(line))
            },
            "evaluate model.safetensors --folder set --pairs-file pairs.jsonl",
        )
        .says(&["8 pairs (4 like, 4 unlike)"]),
        read("paths in full", |at| {
            let here = at.canonicalize()?;
            let full = format!("{}/set", here.display());
            pairs(
                at,
                each(|(a, b, like)| format!("{full}/{a},{full}/{b},{like}\n")),
            )
        }),
        read("other columns between", |at| {
            let line = |(a, b, like): (&str, &str, bool)| format!("{a},0.25,{b},{like},by hand\n");
            pairs(at, format!("path_a,score,path_b,same,who\n{}", each(line)))
        }),
        read("a leading hash", |at| {
            write(at, "set/#1.jpg", jpeg(0)?)?;
            pairs(at, lines("1", "0").replace("cat/0.jpg", "#1.jpg"))
        }),
    ]
}

fn refused() -> Vec<Entry> {
    let refused = |name, make, words| entry(Kind::PairsFiles, name, make, JUDGE).fails(words);
    vec![
        refused(
            "a verdict in no words",
            |at| pairs(at, lines("1", "perhaps")),
            &["pairs.csv:2", "perhaps", "1 or 0"],
        ),
        refused(
            "distances for verdicts",
            |at| pairs(at, lines("0.13", "0.87")),
            &["pairs.csv:1", "0.13"],
        ),
        refused(
            "a picture that is not there",
            |at| pairs(at, lines("1", "0") + "cat/absent.jpg,dog/1.jpg,0\n"),
            &["pairs.csv", "line 9: ", "absent.jpg"],
        ),
        refused(
            "paths from above the folder",
            |at| pairs(at, each(|(a, b, like)| format!("set/{a},set/{b},{like}\n"))),
            &["pairs.csv", "set/set/cat/0.jpg", "relative to set"],
        ),
        refused(
            "a line cut short",
            |at| pairs(at, lines("1", "0") + "cat/1.jpg,dog"),
            &["pairs.csv:9"],
        ),
        refused(
            "a column alone",
            |at| pairs(at, "cat/1.jpg\ncat/2.jpg\n"),
            &["pairs.csv"],
        ),
        refused("nothing", |at| pairs(at, ""), &["pairs.csv"]),
        refused(
            "like pairs alone",
            |at| pairs(at, lines("1", "1")),
            &["pairs.csv", "unlike"],
        ),
        refused(
            "a quote that does not end",
            |at| pairs(at, lines("1", "0") + "\"cat/1.jpg,dog/1.jpg,0\n"),
            &["pairs.csv"],
        ),
        refused(
            "no such file",
            |at| {
                cats_and_dogs(at)?;
                model(at)
            },
            &["pairs.csv"],
        ),
        refused(
            "a damaged picture",
            |at| {
                pairs(at, lines("1", "0"))?;
                write(at, "set/cat/1.jpg", half(&jpeg(1)?))
            },
            &["cat/1.jpg", "ends before the picture does"],
        ),
    ]
}

fn leaks() -> Vec<Entry> {
    use Kind::{FewPairs, Leaks, Swapped};
    vec![
        entry(Leaks, "a picture with itself", |at| pairs(at, lines("1", "0") + "cat/0.jpg,cat/0.jpg,1\n"), JUDGE)
            .says(&["8 pairs (4 like, 4 unlike)", "with itself"]),
        entry(Leaks, "a picture with its copy", |at| {
            write(at, "set/copy.jpg", jpeg(0)?)?;
            pairs(at, lines("1", "0") + "cat/0.jpg,copy.jpg,1\n")
        }, JUDGE)
        .says(&["8 pairs (4 like, 4 unlike)", "with itself"]),
        entry(Leaks, "a pair given twice", |at| pairs(at, lines("1", "0").repeat(2)), JUDGE)
            .says(&["8 pairs (4 like, 4 unlike)", "8 pairs given before"]),
        entry(Leaks, "a pair mirrored", |at| {
            pairs(at, lines("1", "0") + &each(|(a, b, like)| format!("{b},./{a},{}\n", u8::from(like))))
        }, JUDGE)
        .says(&["8 pairs (4 like, 4 unlike)", "mirrored"]),
        entry(Leaks, "a pair once like and once unlike", |at| pairs(at, lines("1", "0") + &lines("0", "0")), JUDGE)
            .fails(&["contradict", "pairs.csv"]),
        entry(Leaks, "the fitting pairs, written otherwise", |at| {
            write(at, "fit.csv", lines("1", "0").replace("cat/", "./cat/"))?;
            pairs(at, lines("1", "0"))
        }, "evaluate model.safetensors --folder set --pairs-file pairs.csv --threshold-at accuracy --fit-pairs fit.csv")
        .fails(&["fit.csv", "pairs.csv"]),
        entry(Swapped, "like and unlike swapped", |at| pairs(at, lines("0", "1")), "evaluate model.safetensors --folder set --pairs-file pairs.csv --swapped")
            .says(&["8 pairs (4 like, 4 unlike)"]),
        entry(FewPairs, "a rate that eight pairs cannot resolve", |at| {
            write(at, "fit.csv", "cat/0.jpg,cat/3.jpg,1\ndog/0.jpg,cat/3.jpg,0\n")?;
            pairs(at, lines("1", "0"))
        }, "evaluate model.safetensors --folder set --pairs-file pairs.csv --threshold-at far=0.001 --fit-pairs fit.csv")
        .fails(&["1 unlike pair", "are needed"]),
    ]
}

fn lfw() -> Vec<Entry> {
    let read = |name, make| entry(Kind::PairsFiles, name, make, LFW).says(&["2 folds"]);
    let refused = |name, make, words| entry(Kind::PairsFiles, name, make, LFW).fails(words);
    vec![
        read("LFW as published", |at| {
            people(at, ImageFormat::Jpeg, folds())
        }),
        read("LFW with a byte-order mark", |at| {
            people(at, ImageFormat::Jpeg, format!("\u{feff}{}", folds()))
        }),
        read("LFW as PNG", |at| people(at, ImageFormat::Png, folds())),
        read("LFW with line ends of Windows", |at| {
            people(at, ImageFormat::Jpeg, folds().replace('\n', "\r\n"))
        }),
        refused(
            "LFW cut short",
            |at| people(at, ImageFormat::Jpeg, "2\t2\nPerson_0\t1\t2\n".into()),
            &["pairs.txt"],
        ),
        refused(
            "LFW with a word for a number",
            |at| {
                people(
                    at,
                    ImageFormat::Jpeg,
                    folds().replacen("\t2\n", "\ttwo\n", 2),
                )
            },
            &["pairs.txt:1"],
        ),
        refused(
            "LFW without its pictures",
            |at| {
                cats_and_dogs(at)?;
                model(at)?;
                write(at, "pairs.txt", folds())
            },
            &["Person_0"],
        ),
    ]
}

/// Four like and four unlike pairs.
fn each(mut line: impl FnMut((&str, &str, bool)) -> String) -> String {
    let mut text = String::new();
    for (i, next) in [(0, 1), (2, 3)] {
        for (class, other) in [("cat", "dog"), ("dog", "cat")] {
            let [a, b, c] = [(class, i), (class, next), (other, next)]
                .map(|(class, i)| format!("{class}/{i}.jpg"));
            text += &line((&a, &b, true));
            text += &line((&a, &c, false));
        }
    }
    text
}

fn lines(like: &str, unlike: &str) -> String {
    each(|(a, b, same)| format!("{a},{b},{}\n", if same { like } else { unlike }))
}

fn pairs(at: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    cats_and_dogs(at)?;
    model(at)?;
    write(at, "pairs.csv", text)
}

/// Two folds of two like and two unlike pairs, divided by tabs.
fn folds() -> String {
    let mut text = String::from("2\t2\n");
    for fold in 0..2 {
        let (one, other) = (2 * fold, 2 * fold + 1);
        text += &format!("Person_{one}\t1\t2\nPerson_{other}\t1\t2\n");
        text +=
            &format!("Person_{one}\t1\tPerson_{other}\t2\nPerson_{one}\t2\tPerson_{other}\t1\n");
    }
    text
}

fn people(at: &Path, format: ImageFormat, list: String) -> Result<()> {
    let ending = format.extensions_str()[0];
    for person in 0..4 {
        for i in 1..3 {
            let name = format!("set/Person_{person}/Person_{person}_{i:04}.{ending}");
            write(at, name, encoded(photo(10 * person + i), format)?)?;
        }
    }
    model(at)?;
    write(at, "pairs.txt", list)
}
