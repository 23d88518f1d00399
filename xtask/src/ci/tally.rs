//! Counts tests from what `cargo test` prints.

use std::fmt;

/// The sum of the `test result:` lines seen so far.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) ignored: usize,
}

impl Tally {
    /// Adds `line` where it is a test binary's closing line; every other line is passed over.
    pub(super) fn observe(&mut self, line: &str) {
        let Some((_, counts)) = line
            .trim_start()
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split(';') {
            match count.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                Some((number, "ignored")) => self.ignored += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tests passed, {} failed, {} ignored",
            self.passed, self.failed, self.ignored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_lines_of_a_run_are_summed() {
        let output = "\
   Compiling xtask v0.1.0
running 2 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests siamese_core
test result: ok. 31 passed; 0 failed; 4 ignored; 0 measured; 0 filtered out; finished in 12.61s
test result: FAILED. 7 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.40s
";
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.observe(line));
        assert_eq!(
            tally,
            Tally {
                passed: 40,
                failed: 1,
                ignored: 4
            }
        );
        assert_eq!(tally.to_string(), "40 tests passed, 1 failed, 4 ignored");
    }

    #[test]
    fn what_only_looks_like_a_result_counts_for_nothing() {
        let mut tally = Tally::default();
        for line in [
            "",
            "test result: ok",
            "the test result: ok. 3 passed; 0 failed",
            "test result: ok. x passed;",
        ] {
            tally.observe(line);
        }
        assert_eq!(tally, Tally::default());
    }
}
