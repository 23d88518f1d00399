//! One line of the doctor's table, and the table itself.

use std::fmt::Write as _;

use crate::style::Style;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Status {
    Good,
    /// Missing or poor, and training still works.
    Lacking,
    /// Training cannot work.
    Bad,
}

/// What was looked for, what was found, and what to do about it.
pub(super) struct Finding {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) status: Status,
    pub(super) found: String,
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn new(
        section: &'static str,
        name: &'static str,
        status: Status,
        found: impl Into<String>,
    ) -> Self {
        Finding {
            section,
            name,
            status,
            found: found.into(),
            advice: None,
        }
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

pub(super) fn table(findings: &[Finding], style: Style) -> String {
    let width = findings
        .iter()
        .map(|finding| finding.name.len())
        .max()
        .unwrap_or(0)
        + 2;
    let mut text = String::new();
    let mut section = "";
    for finding in findings {
        if finding.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = finding.section;
            let _ = writeln!(text, "{gap}{}", style.bold(section));
        }
        let mark = match finding.status {
            Status::Good => style.green("✓"),
            Status::Lacking => style.yellow("–"),
            Status::Bad => style.red("✗"),
        };
        let _ = writeln!(text, "  {mark} {:<width$}{}", finding.name, finding.found);
        for line in finding.advice.iter().flat_map(|advice| advice.lines()) {
            let _ = writeln!(text, "    {:width$}{}", "", style.dim(&format!("→ {line}")));
        }
    }
    text
}

pub(super) fn json(findings: &[Finding]) -> String {
    let rows = findings.iter().map(|finding| {
        let status = match finding.status {
            Status::Good => "good",
            Status::Lacking => "lacking",
            Status::Bad => "bad",
        };
        let advice = finding.advice.as_deref().map_or("null".to_string(), quoted);
        format!(
            "  {{\"section\": {}, \"name\": {}, \"status\": \"{status}\", \"found\": {}, \"advice\": {advice}}}",
            quoted(finding.section),
            quoted(finding.name),
            quoted(&finding.found),
        )
    });
    format!("[\n{}\n]\n", rows.collect::<Vec<_>>().join(",\n"))
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => json += "\\\"",
            '\\' => json += "\\\\",
            c if c.is_control() => json += &format!("\\u{:04x}", u32::from(c)),
            c => json.push(c),
        }
    }
    json + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::plain;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::new("Machine", "CPU", Status::Good, "2 cores"),
            Finding::new("Machine", "free disk", Status::Lacking, "1.0 GB").advise("make room"),
            Finding::new("CUDA", "GPU", Status::Bad, "a \"quoted\" name\\\n"),
        ]
    }

    #[test]
    fn the_table_is_aligned_and_each_advice_stands_below_its_finding() {
        let expected = "\
Machine
  ✓ CPU        2 cores
  – free disk  1.0 GB
               → make room

CUDA
  ✗ GPU        a \"quoted\" name\\
";
        assert_eq!(table(&findings(), plain()).trim_end(), expected.trim_end());
    }

    #[test]
    fn json_escapes_what_must_be_escaped() {
        let json = json(&findings());
        assert!(
            json.contains(r#""found": "a \"quoted\" name\\\u000a""#),
            "{json}"
        );
        assert!(
            json.contains(r#""status": "lacking", "found": "1.0 GB", "advice": "make room"}"#),
            "{json}"
        );
        assert!(json.starts_with("[\n  {") && json.ends_with("}\n]\n"));
    }
}
