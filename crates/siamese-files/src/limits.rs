//! How much a file or a setting may ask of the machine: every limit, in one place.
//!
//! A few bytes can claim to be a billion pixels, rows or channels. What they claim is compared with these limits before
//! memory is asked for, and refused with the variable of the environment that raises the limit. [`ALL`] is the table
//! that the documentation shows.

/// The most that may be asked of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted, as in "pixels of a picture".
    pub what: &'static str,
    /// The most of it that is allowed where nothing else is said.
    pub default: u64,
    /// The environment variable that raises or lowers it.
    pub variable: &'static str,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $default:expr, $variable:literal, $what:literal;)*) => {
        $($(#[$doc])* pub const $name: Limit =
            Limit { what: $what, default: $default, variable: $variable };)*

        /// Every limit.
        pub const ALL: &[Limit] = &[$($name),*];
    };
}

limits! {
    /// By the size that its header declares; the largest phones take 200 million.
    PIXELS = 225_000_000, "SIAMESE_MAX_PIXELS", "pixels of a picture";
    /// Of an archive, an entry of one, an `.npz`, a table; what is smaller than [`FREELY`] is never refused.
    UNPACKED = 64 << 30, "SIAMESE_MAX_UNPACKED", "bytes that a file unpacks to";
    /// Pictures and embeddings hardly shrink; zeros do, a thousandfold. It counts beyond [`FREELY`] alone.
    RATIO = 200, "SIAMESE_MAX_RATIO", "bytes that a byte of a file unpacks to";
    /// Height or width.
    SIDE = 4_096, "SIAMESE_MAX_SIDE", "pixels along a side of the images that a tower takes";
    /// Of a convolution, and the length of an embedding.
    CHANNELS = 65_536, "SIAMESE_MAX_CHANNELS", "channels of a layer";
    /// Of a tower's body.
    LAYERS = 10_000, "SIAMESE_MAX_LAYERS", "layers of a tower";
    /// Of a tower, or of what its objective adds.
    PARAMETERS = 2_000_000_000, "SIAMESE_MAX_PARAMETERS", "parameters of a network";
    /// In one step of training, or one pass of a trained model.
    BATCH = 1_000_000, "SIAMESE_MAX_BATCH", "images of a batch";
    /// Of a run.
    EPOCHS = 1_000_000, "SIAMESE_MAX_EPOCHS", "epochs";
    /// Drawn or listed, to judge by.
    PAIRS = 100_000_000, "SIAMESE_MAX_PAIRS", "pairs";
    /// Of a judgement, or of an epoch of training.
    EPISODES = 1_000_000, "SIAMESE_MAX_EPISODES", "episodes";
}

/// So many bytes may be unpacked from a file of any size.
pub const FREELY: u64 = 256 << 20;

impl Limit {
    /// The limit as the environment has it.
    ///
    /// # Errors
    /// In words, if the variable is set to anything but a whole number above 0.
    pub fn get(&self) -> Result<u64, String> {
        match std::env::var_os(self.variable).filter(|value| !value.is_empty()) {
            None => Ok(self.default),
            Some(value) => self.told(&value.to_string_lossy()),
        }
    }

    fn told(&self, value: &str) -> Result<u64, String> {
        let number = value.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| {
            let (name, default) = (self.variable, self.default);
            format!(
                "{name} is {value:?}, where a whole number was expected, as in {name}={default}"
            )
        })
    }

    /// Checks what is asked for.
    ///
    /// ```
    /// use siamese_files::limits::CHANNELS;
    /// assert_eq!(CHANNELS.check(512), Ok(()));
    /// let refused = CHANNELS.check(1_000_000_000).unwrap_err();
    /// assert!(refused.contains("SIAMESE_MAX_CHANNELS=1000000000"));
    /// ```
    ///
    /// # Errors
    /// In words, if it is more than allowed: how much, of how much, and what to set.
    pub fn check(&self, asked: u64) -> Result<(), String> {
        let limit = self.get()?;
        if asked <= limit {
            return Ok(());
        }
        let Self { what, variable, .. } = self;
        Err(format!(
            "{asked} {what}, where at most {limit} are allowed; set {variable}={asked} to allow it"
        ))
    }

    /// As [`Limit::check`], of counts in memory.
    ///
    /// # Errors
    /// As there.
    pub fn check_len(&self, asked: usize) -> Result<(), String> {
        self.check(asked as u64)
    }
}

/// Checks that a file of `packed` bytes may become `unpacked`: by [`UNPACKED`], and beyond [`FREELY`] by [`RATIO`].
///
/// ```
/// use siamese_files::limits::check_growth;
/// assert_eq!(check_growth(1 << 20, 100 << 20), Ok(()));
/// assert!(check_growth(65 << 10, 3 << 30).unwrap_err().contains("SIAMESE_MAX_RATIO"));
/// ```
///
/// # Errors
/// In words, if that is more than allowed.
pub fn check_growth(packed: u64, unpacked: u64) -> Result<(), String> {
    if unpacked <= FREELY {
        return Ok(());
    }
    UNPACKED.check(unpacked)?;
    let ratio = RATIO.get()?;
    if unpacked <= packed.saturating_mul(ratio) {
        return Ok(());
    }
    let (name, needed) = (RATIO.variable, unpacked.div_ceil(packed.max(1)));
    Err(format!(
        "its {packed} bytes unpack to {unpacked}, more than {ratio} times as many; if you trust it, set {name}={needed}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_no_number_is_refused_by_name() {
        assert_eq!(PAIRS.told("5"), Ok(5));
        for wrong in ["0", "-1", " 5", "4e8", "all"] {
            let error = PAIRS.told(wrong).unwrap_err();
            assert!(
                error.starts_with("SIAMESE_MAX_PAIRS is") && error.contains(wrong),
                "{error}"
            );
        }
    }

    #[test]
    fn what_a_file_may_become_grows_with_it_and_ends() {
        assert_eq!(check_growth(0, FREELY), Ok(()));
        assert!(check_growth(0, FREELY + 1).is_err());
        assert_eq!(check_growth(10 << 20, 2_000 << 20), Ok(()));
        assert!(check_growth(10 << 20, 2_001 << 20).is_err());
        let error = check_growth(u64::MAX, UNPACKED.default + 1).unwrap_err();
        assert!(
            error.contains("SIAMESE_MAX_UNPACKED=68719476737"),
            "{error}"
        );
    }

    #[test]
    fn the_documentation_tells_every_limit_as_it_is() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/limits.md");
        let text = std::fs::read_to_string(page).unwrap();
        for Limit {
            what,
            default,
            variable,
        } in ALL
        {
            let row = format!("| `{variable}` | {what} | {default} |");
            assert!(text.contains(&row), "{row}");
        }
        let told = text.matches("| `SIAMESE_MAX_").count();
        assert_eq!(told, ALL.len());
    }

    #[test]
    fn every_limit_has_a_variable_of_its_own() {
        let mut names: Vec<_> = ALL.iter().map(|limit| limit.variable).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(names.iter().all(|name| name.starts_with("SIAMESE_MAX_")));
    }
}
