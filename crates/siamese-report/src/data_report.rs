//! What is wrong with a data set, as a page with the pictures that it is about.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{Banner, Thumbnail};
use crate::error::{Result, write};
use crate::page::{Head, Section, breakable, page, picture};
use crate::text::{count, escape};

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
    /// The pictures, by what is wrong with them.
    pub groups: Vec<FindingGroup>,
}

/// Findings of one kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FindingGroup {
    /// What is wrong.
    pub title: String,
    /// Why that matters, or what to do.
    pub note: String,
    /// How many there are, of which `findings` are the first.
    pub total: usize,
    /// Those to be shown.
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
        let sections = [self.counts(), self.pictures()];
        page(&head, &sections.into_iter().flatten().collect::<Vec<_>>())
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
        let mut body = String::from("<div class=\"scroll\" tabindex=\"0\"><table><tbody>\n");
        for (what, number) in &self.counts {
            let _ = writeln!(
                body,
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td></tr>",
                escape(what).replace("  ", "\u{2003}"),
                count(*number as u64)
            );
        }
        body.push_str("</tbody></table></div>\n");
        Some(Section {
            id: "counts",
            title: "What was found",
            short: "Counts",
            body,
        })
    }

    fn pictures(&self) -> Option<Section> {
        let body: String = self
            .groups
            .iter()
            .filter(|group| group.total > 0)
            .map(group_html)
            .collect();
        (!body.is_empty()).then_some(Section {
            id: "pictures",
            title: "The pictures",
            short: "Pictures",
            body,
        })
    }
}

fn group_html(group: &FindingGroup) -> String {
    let (shown, total) = (group.findings.len(), count(group.total as u64));
    let how_many = if shown < group.total {
        format!("{shown} of {total} shown")
    } else {
        total
    };
    let mut html = format!(
        "<h3>{} <span class=\"interval\">· {how_many}</span></h3>\n",
        escape(&group.title)
    );
    if !group.note.is_empty() {
        let _ = writeln!(html, "<p class=\"lead\">{}</p>", escape(&group.note));
    }
    html.push_str("<div class=\"pairs findings\">\n");
    group
        .findings
        .iter()
        .for_each(|finding| html.push_str(&finding_html(finding)));
    html.push_str("</div>\n");
    html
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
        escape(&finding.note)
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
        assert_eq!(
            html.matches("<h3>").count(),
            1,
            "an empty group is left out"
        );
    }

    #[test]
    fn a_cut_list_says_so() {
        let with = |total| DataReport {
            groups: vec![group(total)],
            ..Default::default()
        };
        assert!(with(300).to_html().contains("· 1 of 300 shown"));
        assert!(!with(1).to_html().contains("shown"));
    }

    #[test]
    fn a_sound_set_is_a_page_without_pictures() {
        let html = DataReport::default().to_html();
        assert!(!html.contains("<section") && html.ends_with("</html>\n"));
    }
}
