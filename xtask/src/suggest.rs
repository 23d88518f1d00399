//! "Did you mean": the nearest of the known names.

/// The name that `typed` begins, or else the one fewest edits away; none where nothing is near.
pub(crate) fn nearest<'a>(
    typed: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let names: Vec<&str> = names.into_iter().collect();
    let typed = typed.to_lowercase();
    let begun = names
        .iter()
        .find(|name| typed.len() >= 2 && name.starts_with(&typed));
    begun.copied().or_else(|| {
        names
            .into_iter()
            .map(|name| (edits(&typed, name), name))
            .filter(|&(edits, name)| {
                edits <= 2.max(name.chars().count() / 3) && edits < typed.chars().count()
            })
            .min_by_key(|&(edits, _)| edits)
            .map(|(_, name)| name)
    })
}

/// Optimal string alignment distance: insertions, deletions, replacements, and swaps of neighbours.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(table[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["train-cifar100", "fetch", "doctor", "ci", "bench"];

    #[test]
    fn edits_count_what_a_typist_does() {
        let cases = [
            ("", "ci", 2),
            ("ci", "ci", 0),
            ("ic", "ci", 1),
            ("docter", "doctor", 1),
            ("fecht", "fetch", 2),
        ];
        for (a, b, expected) in cases {
            assert_eq!(edits(a, b), expected, "{a} {b}");
            assert_eq!(edits(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_finds_the_name() {
        for (typed, meant) in [
            ("docter", "doctor"),
            ("Doctor", "doctor"),
            ("train", "train-cifar100"),
            ("train-cifar10", "train-cifar100"),
            ("train_cifar_100", "train-cifar100"),
            ("fecth", "fetch"),
            ("banch", "bench"),
            ("cii", "ci"),
        ] {
            assert_eq!(nearest(typed, NAMES), Some(meant), "{typed}");
        }
    }

    #[test]
    fn something_else_altogether_finds_nothing() {
        for typed in ["", "x", "serve", "publish-everything"] {
            assert_eq!(nearest(typed, NAMES), None, "{typed}");
        }
    }
}
