//! How the run was made: commands, configuration, machine, time.

use std::fmt::Write as _;

use serde_json::Value;

use super::shell::{Section, Stand};
use crate::data::RunReport;
use crate::text::{breakable, escape};

pub(super) fn reproduce(report: &RunReport) -> Option<Section> {
    if report.reproduce.is_empty() {
        return None;
    }
    let commands: Vec<String> = report.reproduce.iter().map(|line| escape(line)).collect();
    let body = format!(
        "<p class=\"lead\">The same seed gives the same batches, whatever the number of threads.</p>\n\
         <pre><code>{}</code></pre>\n",
        commands.join("\n")
    );
    Some(Section {
        id: "reproduce".into(),
        title: "Do it again".into(),
        teaser: String::new(),
        stand: Stand::Folded,
        body,
    })
}

pub(super) fn settings(report: &RunReport) -> Option<Section> {
    let mut groups: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for (title, rows) in [("Machine", &report.environment), ("Time", &report.timing)] {
        if !rows.is_empty() {
            groups.push((title.into(), rows.clone()));
        }
    }
    groups.extend(config_groups(&report.config));
    if groups.is_empty() {
        return None;
    }
    let mut body = String::from("<div class=\"settings\">\n");
    for (title, rows) in groups {
        let _ = write!(body, "<div><h3>{}</h3><dl>", breakable(&title));
        for (name, value) in rows {
            let _ = write!(
                body,
                "<dt>{}</dt><dd>{}</dd>",
                breakable(&name),
                breakable(&value)
            );
        }
        body.push_str("</dl></div>\n");
    }
    body.push_str("</div>\n");
    Some(Section {
        id: "settings".into(),
        title: "Configuration and machine".into(),
        teaser: String::new(),
        stand: Stand::Folded,
        body,
    })
}

/// The configuration by its objects: loose values first, then one group per object.
fn config_groups(config: &Value) -> Vec<(String, Vec<(String, String)>)> {
    let Value::Object(fields) = config else {
        let rows = flatten(config);
        return if rows.is_empty() {
            Vec::new()
        } else {
            vec![("Configuration".into(), rows)]
        };
    };
    let mut loose = Vec::new();
    let mut groups = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                groups.push((name.clone(), flatten(value)))
            }
            _ => loose.push((name.clone(), leaf(value))),
        }
    }
    if !loose.is_empty() {
        groups.insert(0, ("Configuration".into(), loose));
    }
    groups
}

/// All leaves of a JSON value, each under the dotted path that leads to it.
pub(crate) fn flatten(value: &Value) -> Vec<(String, String)> {
    fn walk(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                for (name, value) in fields {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    walk(&path, value, rows);
                }
            }
            Value::Null if path.is_empty() => {}
            _ => rows.push((path.to_string(), leaf(value))),
        }
    }
    let mut rows = Vec::new();
    walk("", value, &mut rows);
    rows
}

fn leaf(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(leaf).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
