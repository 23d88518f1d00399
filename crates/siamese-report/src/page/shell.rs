//! The shell of a page: head, banners, navigation, footer.

use std::fmt::Write as _;

use crate::data::{Banner, Level};
use crate::text::escape;

/// What stands at the top of a page.
#[derive(Default)]
pub(crate) struct Head<'a> {
    pub(crate) kicker: &'a str,
    pub(crate) title: &'a str,
    pub(crate) data: &'a str,
    pub(crate) verdict: &'a str,
    pub(crate) banners: &'a [Banner],
}

/// A section of a page. `body` is HTML; everything else is text.
pub(crate) struct Section {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// Its name in the navigation.
    pub(crate) short: &'static str,
    pub(crate) body: String,
}

/// A whole page, from `<!doctype html>` to `</html>`.
pub(crate) fn page(head: &Head<'_>, sections: &[Section]) -> String {
    let mut html = String::with_capacity(1 << 16);
    let title = if head.title.is_empty() {
        "Unnamed run"
    } else {
        head.title
    };
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"siamese-report {}\">\n\
         <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<header>\n",
        env!("CARGO_PKG_VERSION"),
        escape(title),
        include_str!("style.css")
    );
    for (class, text) in [("kicker", head.kicker), ("", title), ("data", head.data)] {
        match class {
            "" => _ = writeln!(html, "<h1>{}</h1>", escape(text)),
            _ if text.is_empty() => {}
            _ => _ = writeln!(html, "<p class=\"{class}\">{}</p>", escape(text)),
        }
    }
    head.banners
        .iter()
        .for_each(|banner| html.push_str(&banner_html(banner)));
    if !head.verdict.is_empty() {
        let _ = writeln!(html, "<p class=\"verdict\">{}</p>", escape(head.verdict));
    }
    if sections.len() > 1 {
        html.push_str("<nav aria-label=\"Sections\">");
        for section in sections {
            let _ = write!(
                html,
                "<a href=\"#{}\">{}</a>",
                section.id,
                escape(section.short)
            );
        }
        html.push_str("</nav>\n");
    }
    html.push_str("</header>\n<main>\n");
    for Section {
        id, title, body, ..
    } in sections
    {
        let title = escape(title);
        let _ = writeln!(
            html,
            "<section id=\"{id}\">\n<h2>{title}</h2>\n{body}</section>"
        );
    }
    let _ = write!(
        html,
        "</main>\n<footer>Made by siamese {}. This page needs no other file, no network and no \
         script.</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    html
}

/// A chart with its caption; `note` may be empty.
pub(crate) fn figure(class: &str, title: &str, note: &str, svg: &str) -> String {
    let note = if note.is_empty() {
        String::new()
    } else {
        format!(" <span>{}</span>", escape(note))
    };
    format!(
        "<figure class=\"{class}\"><figcaption><b>{}</b>{note}</figcaption>{svg}</figure>\n",
        escape(title)
    )
}

fn banner_html(banner: &Banner) -> String {
    let (class, role) = match banner.level {
        Level::Note => ("note", "note"),
        Level::Warning => ("warning", "alert"),
        Level::Alarm => ("alarm", "alert"),
    };
    format!(
        "<div class=\"banner {class}\" role=\"{role}\"><strong>{}</strong><p>{}</p></div>\n",
        escape(&banner.title),
        escape(&banner.text)
    )
}
