//! The shell of a page: head, banners, what stands open, what is folded, footer.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::data::{Banner, Level};
use crate::text::{breakable, escape};

/// What stands at the top of a page.
#[derive(Default)]
pub(crate) struct Head<'a> {
    pub(crate) kicker: &'a str,
    pub(crate) title: &'a str,
    pub(crate) data: &'a str,
    pub(crate) verdict: &'a str,
    pub(crate) banners: &'a [Banner],
}

/// How a section stands on its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// First of all, without a heading.
    Lead,
    /// Under its heading.
    Open,
    /// Under its heading, to be unfolded.
    Folded,
}

/// A section of a page. `body` is HTML; everything else is text.
pub(crate) struct Section {
    pub(crate) id: String,
    pub(crate) title: String,
    /// What is in it, beside its heading; may be empty.
    pub(crate) teaser: String,
    pub(crate) stand: Stand,
    pub(crate) body: String,
}

/// A whole page, from `<!doctype html>` to `</html>`.
pub(crate) fn page(head: &Head<'_>, sections: &[Section]) -> String {
    let body: String = sections.iter().map(section_html).collect();
    let style = format!("\n{}{}", include_str!("style.css"), variables(&body));
    let mut html = String::with_capacity(body.len() + (1 << 16));
    let title = match head.title {
        "" => "Unnamed run",
        title => title,
    };
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"siamese-report {}\">\n\
         <title>{}</title>\n<style>{style}</style>\n</head>\n<body>\n<header>\n",
        policy(&style),
        env!("CARGO_PKG_VERSION"),
        escape(title),
    );
    line(&mut html, "p", "kicker", head.kicker);
    let _ = writeln!(html, "<h1>{}</h1>", breakable(title));
    line(&mut html, "p", "data", head.data);
    let banners = head.banners.iter().map(banner_html);
    html.extend(banners);
    line(&mut html, "p", "verdict", head.verdict);
    html.push_str("</header>\n<main>\n");
    html.push_str(&body);
    let _ = write!(
        html,
        "</main>\n<footer>Made by siamese {}. This page needs no other file, no network and no \
         script.</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    html
}

/// What a browser may do with the page: show it, its one style and the pictures that lie in it; no script, no network.
fn policy(style: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(style));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    )
}

/// Rules for the classes `hue-210` and `width-640` of `body`: a style in an attribute is none that a policy can allow.
fn variables(body: &str) -> String {
    let mut rules = BTreeSet::new();
    for name in ["hue", "width"] {
        let marker = format!("{name}-");
        for (at, _) in body.match_indices(&marker) {
            let rest = &body[at + marker.len()..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if (1..=6).contains(&digits) {
                let value = &rest[..digits];
                rules.insert(format!(".{marker}{value} {{ --{name}: {value}; }}\n"));
            }
        }
    }
    rules.into_iter().collect()
}

/// A line of text in an element of its own; nothing where there is none.
fn line(html: &mut String, element: &str, class: &str, text: &str) {
    if !text.is_empty() {
        let text = breakable(text);
        let _ = writeln!(html, "<{element} class=\"{class}\">{text}</{element}>");
    }
}

fn section_html(section: &Section) -> String {
    let Section { id, body, .. } = section;
    let title = format!("<h2>{}</h2>", breakable(&section.title));
    let teaser = match section.teaser.as_str() {
        "" => String::new(),
        teaser => format!(" <span class=\"teaser\">{}</span>", breakable(teaser)),
    };
    match section.stand {
        Stand::Lead => format!("<section id=\"{id}\">\n{body}</section>\n"),
        Stand::Open => format!(
            "<section id=\"{id}\">\n<div class=\"title\">{title}{teaser}</div>\n{body}</section>\n"
        ),
        Stand::Folded => format!(
            "<details class=\"fold\"><summary>{title}{teaser}</summary>\n\
             <section id=\"{id}\">\n{body}</section></details>\n"
        ),
    }
}

/// A chart with its caption; `note` may be empty.
pub(crate) fn figure(class: &str, title: &str, note: &str, svg: &str) -> String {
    let note = match note {
        "" => String::new(),
        note => format!(" <span>{}</span>", breakable(note)),
    };
    format!(
        "<figure class=\"{class}\"><figcaption><b>{}</b>{note}</figcaption>{svg}</figure>\n",
        escape(title)
    )
}

/// A table, or a drawing of its own width, that scrolls in its own box where the page is narrower.
pub(crate) fn scroll(html: &str) -> String {
    format!("<div class=\"scroll\" tabindex=\"0\">{html}</div>\n")
}

fn banner_html(banner: &Banner) -> String {
    let (class, role) = match banner.level {
        Level::Note => ("note", "note"),
        Level::Warning => ("warning", "alert"),
        Level::Alarm => ("alarm", "alert"),
    };
    format!(
        "<div class=\"banner {class}\" role=\"{role}\"><strong>{}</strong><p>{}</p></div>\n",
        breakable(&banner.title),
        breakable(&banner.text)
    )
}
