//! Probes beside the pictures of a gallery that are nearest to them, as a page.

use std::fmt::Write as _;
use std::path::Path;

use crate::data::Thumbnail;
use crate::error::{Result, write};
use crate::page::{Head, Section, Stand, page, picture};
use crate::text::{breakable, significant};

/// Everything that the page of `siamese search` or `siamese identify` shows.
///
/// ```
/// use siamese_report::{ContactSheet, SheetMatch, SheetProbe, Thumbnail};
///
/// let grey = |value| Thumbnail::new(2, 1, 1, vec![value; 2]);
/// let sheet = ContactSheet {
///     title: "people".into(),
///     probes: vec![SheetProbe {
///         picture: grey(10)?,
///         name: "probe.jpg".into(),
///         answer: "anna".into(),
///         nearest: vec![SheetMatch { picture: grey(11)?, class: "anna".into(), name: "1.jpg".into(), distance: 0.25 }],
///     }],
///     ..Default::default()
/// };
/// assert!(sheet.to_html().contains("probe.jpg"));
/// # Ok::<(), siamese_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContactSheet {
    /// The gallery; the page's title.
    pub title: String,
    /// What is in it, in a few words.
    pub data: String,
    /// What was found, in a line.
    pub verdict: String,
    /// The probes, in the order in which they are shown.
    pub probes: Vec<SheetProbe>,
}

/// A picture that was asked about.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SheetProbe {
    /// An empty one is shown as a question mark.
    pub picture: Thumbnail,
    /// Its file.
    pub name: String,
    /// What was answered; may be empty.
    pub answer: String,
    /// What is near, nearest first.
    pub nearest: Vec<SheetMatch>,
}

/// A picture of the gallery.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SheetMatch {
    /// An empty one is shown as a question mark.
    pub picture: Thumbnail,
    /// Its class.
    pub class: String,
    /// Its name.
    pub name: String,
    /// How far from the probe.
    pub distance: f64,
}

impl ContactSheet {
    /// The page as HTML that needs no other file, no network and no script.
    pub fn to_html(&self) -> String {
        let head = Head {
            kicker: "Siamese network · contact sheet",
            title: &self.title,
            data: &self.data,
            verdict: &self.verdict,
            banners: &[],
        };
        let rows: String = self.probes.iter().map(row).collect();
        let section = Section {
            id: "probes".into(),
            title: "Probes and what is nearest".into(),
            teaser: String::new(),
            stand: Stand::Open,
            body: format!(
                "<p class=\"lead\">First the probe, then the pictures nearest to it with their distances.</p>\n\
                 <div class=\"probes sheet\">\n{rows}</div>\n"
            ),
        };
        page(&head, &[section])
    }

    /// Writes the page; an older one is replaced only when the new one is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), self.to_html().as_bytes())
    }
}

fn row(probe: &SheetProbe) -> String {
    let answer = match probe.answer.as_str() {
        "" => String::new(),
        answer => format!("<b class=\"what\">{}</b>", breakable(answer)),
    };
    let mut html = format!(
        "<div class=\"probe\"><figure class=\"card\">{}<figcaption>{answer}<span class=\"file\">{}</span>\
         </figcaption></figure><div class=\"row\">",
        picture(&probe.picture, &probe.name),
        breakable(&probe.name)
    );
    for near in &probe.nearest {
        let _ = write!(
            html,
            "<figure class=\"card\">{}<figcaption><span class=\"how\">{}</span><span class=\"what\">{}</span>\
             <span class=\"file\">{}</span></figcaption></figure>",
            picture(&near.picture, &near.class),
            significant(near.distance, 3),
            breakable(&near.class),
            breakable(&near.name)
        );
    }
    html.push_str("</div></div>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_a_picture_that_is_missing_is_a_question_mark() {
        let sheet = ContactSheet {
            title: "<script>".into(),
            probes: vec![SheetProbe {
                name: "a_b.jpg".into(),
                answer: "unknown".into(),
                nearest: vec![SheetMatch {
                    class: "<b>".into(),
                    distance: 0.123_456,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let html = sheet.to_html();
        assert!(!html.contains("<script>") && html.contains("&lt;b&gt;"));
        assert!(html.contains("0.123<") && html.matches("picture missing").count() == 2);
    }
}
