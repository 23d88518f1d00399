//! What was recognised, for a person.

use std::fmt;

use siamese_words::plural;

use super::listing::{LeftOut, Listing};
use crate::split::Part;

/// So many names are given where more were left out for the same reason.
pub(crate) const NAMED: usize = 3;

/// A [`Listing`] in a few lines; see [`Listing::describe`].
pub struct Description<'a>(&'a Listing);

impl Listing {
    /// What was recognised, in a few lines: images, classes, sizes, split, what was left out and why.
    pub fn describe(&self) -> Description<'_> {
        Description(self)
    }

    /// The reasons for what was left out, as a clause: "; 3 are text (a.txt, …)"; nothing where nothing was.
    pub(crate) fn reasons(&self) -> String {
        reasons(&self.left_out)
    }
}

/// See [`Listing::reasons`].
pub(crate) fn reasons(left_out: &[LeftOut]) -> String {
    let reasons = summary(left_out).into_iter();
    reasons.map(|reason| format!("; {reason}")).collect()
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listing = self.0;
        writeln!(f, "{}: {}, {}", listing.title, listing.kind, listing.origin)?;
        if let Some(reason) = &listing.fallback {
            writeln!(f, "  NOT THE WHOLE SET: {reason}")?;
        }
        writeln!(f, "  {}", counts(listing))?;
        writeln!(f, "  {}", sizes(listing))?;
        writeln!(f, "  {}", split(listing))?;
        match listing.verified {
            Some(true) => writeln!(f, "  its files are those that were published (md5)")?,
            Some(false) => writeln!(f, "  its files are NOT those that were published (md5)")?,
            None => {}
        }
        if let Some(licence) = &listing.licence {
            writeln!(f, "  licence: {licence}")?;
        }
        if let Some(citation) = &listing.citation {
            writeln!(f, "  cite: {citation}")?;
        }
        for reason in summary(&listing.left_out) {
            writeln!(f, "  left out: {reason}")?;
        }
        Ok(())
    }
}

fn counts(listing: &Listing) -> String {
    let images = grouped(listing.items.len());
    if let Some(pairs) = &listing.pairs {
        let same = pairs.iter().filter(|pair| pair.same).count();
        let (pairs, same, unlike) = (
            grouped(pairs.len()),
            grouped(same),
            grouped(pairs.len() - same),
        );
        return format!(
            "{pairs} {} of {images} {}, {same} of the same thing and {unlike} not",
            plural(listing.pairs.iter().flatten().count(), "pair"),
            plural(listing.items.len(), "picture")
        );
    }
    let mut per_class = vec![0usize; listing.classes.len()];
    listing
        .items
        .iter()
        .for_each(|item| per_class[item.label as usize] += 1);
    let (fewest, most) = (per_class.iter().min(), per_class.iter().max());
    let each = match (fewest.copied().unwrap_or(0), most.copied().unwrap_or(0)) {
        (fewest, most) if fewest == most => format!("{} of each", grouped(most)),
        (fewest, most) => format!("{} to {} of each", grouped(fewest), grouped(most)),
    };
    let mut line = format!(
        "{images} {} in {} {}, {each}",
        plural(listing.items.len(), "picture"),
        grouped(listing.classes.len()),
        plural(listing.classes.len(), "class")
    );
    for (names, what) in [
        (&listing.superclasses, "superclass"),
        (&listing.groups, "group"),
    ] {
        if !names.is_empty() {
            line += &format!(", {} {}", grouped(names.len()), plural(names.len(), what));
        }
    }
    line
}

fn sizes(listing: &Listing) -> String {
    let sizes = listing.sizes;
    let colour = if sizes.grey { "grey" } else { "colour" };
    let (height, width) = sizes.most_common;
    let looked_at = match sizes.looked_at {
        n if n == listing.items.len() => String::new(),
        n => format!(" ({} were looked at)", grouped(n)),
    };
    match sizes.alike {
        true => format!("{height}x{width} pixels, {colour}{looked_at}"),
        false => {
            let (h, w) = sizes.median;
            format!(
                "{colour}, of different sizes: {height}x{width} most often, {h}x{w} in the middle{looked_at}"
            )
        }
    }
}

fn split(listing: &Listing) -> String {
    let counted = Part::ALL.map(|part| (listing.count(part), part.to_string()));
    let named: Vec<String> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, part)| format!("{} {part}", grouped(*count)))
        .collect();
    let rest = listing
        .items
        .iter()
        .filter(|item| item.part.is_none())
        .count();
    match (named.is_empty(), rest) {
        (true, _) => "no split is given".into(),
        (false, 0) => format!("split as given: {}", named.join(", ")),
        (false, rest) => format!(
            "split as given: {}, {} in no part",
            named.join(", "),
            grouped(rest)
        ),
    }
}

/// One clause for each reason, in the order in which they came up.
pub(crate) fn summary(left_out: &[LeftOut]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for LeftOut { what, why, .. } in left_out {
        let place = *places.entry(why.as_str()).or_insert(reasons.len());
        if place == reasons.len() {
            reasons.push((why, Vec::new()));
        }
        reasons[place].1.push(what);
    }
    let clause = |(why, what): (&str, Vec<&str>)| {
        let named = what
            .iter()
            .take(NAMED)
            .map(|name| on_one_line(name))
            .collect::<Vec<_>>()
            .join(", ");
        let more = if what.len() > NAMED { ", …" } else { "" };
        format!("{} {why} ({named}{more})", grouped(what.len()))
    };
    reasons.into_iter().map(clause).collect()
}

/// A name whose line ends and other controls are escaped.
pub(crate) fn on_one_line(name: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    name.chars().map(escaped).collect()
}

/// 60000 as 60,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_counted_by_reason_and_named() {
        let left_out = ["a", "b", "c", "d"].map(|name| LeftOut::new(name, "text"));
        let mut all = left_out.to_vec();
        all.insert(1, LeftOut::new("e", "a PDF"));
        assert_eq!(summary(&all), ["4 text (a, b, c, …)", "1 a PDF (e)"]);
    }

    #[test]
    fn a_name_with_a_line_end_stays_on_its_line() {
        let left_out = [LeftOut::new("a\nb.jpg", "text")];
        assert_eq!(summary(&left_out), ["1 text (a\\nb.jpg)"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
