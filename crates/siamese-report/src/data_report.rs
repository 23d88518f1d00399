//! What is wrong with a data set, as a page with the pictures that it is about.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{Banner, Thumbnail};
use crate::error::{Result, write};
use crate::page::{Head, KeyFigure, Section, Stand, key_figures, page, picture, scroll};
use crate::text::{breakable, count};

/// Kinds of findings that the page begins with.
const LEADING: usize = 3;
/// Findings of a kind that are not folded.
const FIRST: usize = 12;

/// Everything that the page of `siamese data check` can show.
///
/// ```
/// use siamese_report::{DataReport, Finding, FindingGroup, Thumbnail};
///
/// let grey = |value| Thumbnail::new(2, 1, 1, vec![value; 2]);
/// let twins = Finding {
///     pictures: vec![(grey(10)?, "train 3 · cup".into()), (grey(11)?, "test 9 · bowl".into())],
///     note: "correlation 0.98".into(),
/// };
/// let report = DataReport {
///     name: "cups".into(),
///     counts: vec![("test images much like a training image".into(), 1)],
///     groups: vec![FindingGroup { title: "Much alike".into(), total: 1, findings: vec![twins], ..Default::default() }],
///     ..Default::default()
/// };
/// assert!(report.to_html().contains("test 9 · bowl"));
/// # Ok::<(), siamese_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DataReport {
    /// Name of the data set; the page's title.
    pub name: String,
    /// Where it comes from, in a few words.
    pub data: String,
    /// One line that says whether it is sound.
    pub verdict: String,
    /// Warnings, shown before everything else.
    pub banners: Vec<Banner>,
    /// What was counted, and how many; two spaces before it set it in.
    pub counts: Vec<(String, usize)>,
    /// The pictures, by what is wrong with them, in the order in which they are shown.
    pub groups: Vec<FindingGroup>,
}

/// Whether findings make figures wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// They do: they are shown first, and large.
    #[default]
    Matters,
    /// They are worth knowing: they are folded into a line.
    Minor,
}

/// Findings of one kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FindingGroup {
    /// What is wrong.
    pub title: String,
    /// Why that matters, or what to do.
    pub note: String,
    /// Whether they make figures wrong.
    pub weight: Weight,
    /// How many there are, of which `findings` are the first.
    pub total: usize,
    /// Those to be shown; without a picture a finding is a line of a list.
    pub findings: Vec<Finding>,
}

/// One picture, or several that belong together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// Each picture with its name; an empty thumbnail is shown as a question mark.
    pub pictures: Vec<(Thumbnail, String)>,
    /// What was measured: "correlation 0.98".
    pub note: String,
}

impl DataReport {
    /// The page as HTML that needs no other file, no network and no script.
    pub fn to_html(&self) -> String {
        let head = Head {
            kicker: "Siamese network · data check",
            title: &self.name,
            data: &self.data,
            verdict: &self.verdict,
            banners: self.banners.as_slice(),
        };
        let found = |weight| {
            let groups = self.groups.iter().enumerate();
            groups.filter(move |(_, group)| group.total > 0 && group.weight == weight)
        };
        let matters: Vec<_> = found(Weight::Matters).collect();
        let mut sections: Vec<Section> = lead(&matters).into_iter().collect();
        sections.extend(matters.into_iter().map(section));
        sections.extend(found(Weight::Minor).map(section));
        sections.extend(self.counts());
        page(&head, &sections)
    }

    /// Writes the page; an older one is replaced only when the new one is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), self.to_html().as_bytes())
    }

    fn counts(&self) -> Option<Section> {
        if self.counts.is_empty() {
            return None;
        }
        let mut table = String::from("<table><tbody>\n");
        for (what, number) in &self.counts {
            let inset = what.len() - what.trim_start().len();
            let _ = writeln!(
                table,
                "<tr><th scope=\"row\">{}{}</th><td class=\"n\">{}</td></tr>",
                "\u{2003}".repeat(inset / 2),
                breakable(what.trim_start()),
                count(*number as u64)
            );
        }
        table.push_str("</tbody></table>");
        Some(Section {
            id: "counts".into(),
            title: "All that was counted".into(),
            teaser: String::new(),
            stand: Stand::Open,
            body: scroll(&table),
        })
    }
}

/// What was found that matters, in numbers.
fn lead(found: &[(usize, &FindingGroup)]) -> Option<Section> {
    let key = |(_, group): &(usize, &FindingGroup)| KeyFigure {
        label: group.title.clone(),
        value: count(group.total as u64),
        below: Vec::new(),
    };
    let figures: Vec<KeyFigure> = found.iter().take(LEADING).map(key).collect();
    (!figures.is_empty()).then(|| Section {
        id: "found".into(),
        title: "What was found".into(),
        teaser: String::new(),
        stand: Stand::Lead,
        body: key_figures(&figures),
    })
}

fn section((number, group): (usize, &FindingGroup)) -> Section {
    let (shown, total) = (group.findings.len(), count(group.total as u64));
    let how_many = match shown < group.total && group.has_pictures() {
        true => format!("{shown} of {total} shown"),
        false => total,
    };
    let note = match group.note.as_str() {
        "" => String::new(),
        note => format!("<p class=\"lead\">{}</p>\n", breakable(note)),
    };
    Section {
        id: format!("finding-{number}"),
        title: group.title.clone(),
        teaser: how_many,
        stand: match group.weight {
            Weight::Matters => Stand::Open,
            Weight::Minor => Stand::Folded,
        },
        body: note + &findings(group),
    }
}

impl FindingGroup {
    fn has_pictures(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| !finding.pictures.is_empty())
    }
}

/// The first findings, the rest to be unfolded.
fn findings(group: &FindingGroup) -> String {
    let (first, rest) = group.findings.split_at(group.findings.len().min(FIRST));
    let html = |findings: &[Finding]| match group.has_pictures() {
        true => {
            let cards: String = findings.iter().map(finding_html).collect();
            format!("<div class=\"pairs findings\">\n{cards}</div>\n")
        }
        false => {
            let line = |finding: &Finding| format!("<li>{}</li>", breakable(&finding.note));
            let lines: String = findings.iter().map(line).collect();
            format!("<ul class=\"names\">{lines}</ul>\n")
        }
    };
    match rest {
        [] => html(first),
        rest => format!(
            "{}<details><summary>{} more</summary>{}</details>\n",
            html(first),
            count(rest.len() as u64),
            html(rest)
        ),
    }
}

fn finding_html(finding: &Finding) -> String {
    let pictures = finding.pictures.iter();
    let (images, names): (String, String) = pictures
        .map(|(thumbnail, name)| {
            let name_html = format!("<span class=\"what\">{}</span>", breakable(name));
            (picture(thumbnail, name), name_html)
        })
        .unzip();
    let images = match images.as_str() {
        "" => String::new(),
        images => format!("<div class=\"images\">{images}</div>"),
    };
    format!(
        "<figure class=\"pair\">{images}<figcaption>{names}\
         <span class=\"how\">{}</span></figcaption></figure>\n",
        breakable(&finding.note)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(total: usize) -> FindingGroup {
        let picture = Thumbnail::new(2, 1, 1, vec![1, 2]).unwrap();
        FindingGroup {
            title: "Twins <b>".into(),
            note: "leaks & lies".into(),
            total,
            weight: Weight::Matters,
            findings: vec![Finding {
                pictures: vec![
                    (picture, "train 1 · <cup>".into()),
                    (Thumbnail::default(), "test 2 · big_bowl".into()),
                ],
                note: "correlation 0.95".into(),
            }],
        }
    }

    #[test]
    fn pictures_stand_beside_their_names_and_text_stays_text() {
        let report = DataReport {
            name: "<script>".into(),
            counts: vec![("  twins & more".into(), 12_345)],
            groups: vec![group(1), FindingGroup::default()],
            ..Default::default()
        };
        let html = report.to_html();
        assert!(!html.contains("<script>") && html.contains(">\u{2003}twins &amp; more"));
        assert!(html.contains("12\u{202f}345"));
        assert!(html.contains("train 1 · &lt;cup&gt;") && html.contains("big_<wbr>bowl"));
        assert!(html.contains("src=\"data:image/png") && html.contains("picture missing"));
        let sections = html.matches("<section id=\"finding-").count();
        assert_eq!(sections, 1, "an empty group is left out");
    }

    #[test]
    fn a_cut_list_says_so() {
        let with = |total| DataReport {
            groups: vec![group(total)],
            ..Default::default()
        };
        assert!(with(300).to_html().contains(">1 of 300 shown<"));
        assert!(!with(1).to_html().contains("shown<"));
    }

    #[test]
    fn a_sound_set_is_a_page_without_pictures() {
        let html = DataReport::default().to_html();
        assert!(!html.contains("<section") && html.ends_with("</html>\n"));
    }

    #[test]
    fn what_matters_stands_before_what_is_worth_knowing() {
        let minor = FindingGroup {
            title: "Of another size".into(),
            total: 532,
            weight: Weight::Minor,
            findings: vec![Finding {
                note: "640×480 · 532 pictures".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let html = DataReport {
            groups: vec![minor, group(1)],
            ..Default::default()
        }
        .to_html();
        let place = |text: &str| html.find(text).unwrap();
        assert!(place("Twins &lt;b&gt;</h2>") < place("Of another size</h2>"));
        let folded = "<details class=\"fold\"><summary><h2>Of another size</h2>";
        assert!(html.contains(folded) && html.contains("<li>640×480"));
        assert_eq!(html.matches("class=\"key-figure\"").count(), 1);
    }

    #[test]
    fn of_many_findings_the_first_stand_open() {
        let mut many = group(200);
        many.findings = vec![many.findings[0].clone(); 200];
        let html = DataReport {
            groups: vec![many],
            ..Default::default()
        }
        .to_html();
        let (open, folded) = html.split_once("<summary>188 more</summary>").unwrap();
        assert_eq!(open.matches("class=\"pair\"").count(), 12);
        assert_eq!(folded.matches("class=\"pair\"").count(), 188);
    }
}
