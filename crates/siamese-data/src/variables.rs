//! Settings from the environment, each refused by its name where it cannot be what it should.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The environment, or a stand-in for it. What is empty or blank is not set.
pub(crate) struct Variables<'a>(pub(crate) &'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'_> {
    /// A word or two, without the blanks around it.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, String> {
        let Some(value) = (self.0)(name) else {
            return Ok(None);
        };
        let value = value
            .into_string()
            .map_err(|_| format!("{name} is not UTF-8"))?;
        Ok(Some(value.trim().to_string()).filter(|value| !value.is_empty()))
    }

    /// The first of these that is set, and its name.
    pub(crate) fn first<'n>(&self, names: &[&'n str]) -> Result<Option<(&'n str, String)>, String> {
        for name in names {
            if let Some(value) = self.text(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    /// A path, with `~`, `$NAME` and `${NAME}` put in, as Python's client does.
    pub(crate) fn path(&self, name: &str) -> Result<Option<PathBuf>, String> {
        match (self.0)(name) {
            Some(value) if value.to_str().is_none() => Ok(Some(value.into())),
            _ => match self.text(name)? {
                Some(value) => self.expanded(name, &value).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Several paths, divided as in `PATH`.
    pub(crate) fn paths(&self, name: &str) -> Result<Vec<PathBuf>, String> {
        let list = self.text(name)?.unwrap_or_default();
        let paths = std::env::split_paths(&list);
        let paths = paths.filter(|path| !path.as_os_str().is_empty());
        paths
            .map(|path| self.expanded(name, &path.to_string_lossy()))
            .collect()
    }

    fn expanded(&self, name: &str, value: &str) -> Result<PathBuf, String> {
        if value.chars().any(char::is_control) {
            return Err(format!(
                "{name} holds a line break or another control character"
            ));
        }
        let value = self.with_variables(name, value)?;
        let Some(rest) = value.strip_prefix('~') else {
            return Ok(value.into());
        };
        if !rest.is_empty() && !rest.starts_with(std::path::is_separator) {
            return Err(format!(
                "{name} is {value:?}: the home of another user is not looked up; write the whole path"
            ));
        }
        let home = self
            .home()
            .ok_or_else(|| format!("{name} is {value:?}, and no home folder is known; set HOME"))?;
        Ok(home.join(rest.trim_start_matches(std::path::is_separator)))
    }

    fn with_variables(&self, name: &str, value: &str) -> Result<String, String> {
        let mut parts = value.split('$');
        let mut text = parts.next().unwrap_or_default().to_string();
        for part in parts {
            let (variable, rest) = match part.strip_prefix('{').and_then(|p| p.split_once('}')) {
                Some(found) => found,
                None => {
                    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    part.split_at(part.find(|c| !letter(c)).unwrap_or(part.len()))
                }
            };
            let found = self.text(variable)?.ok_or_else(|| {
                format!("{name} is {value:?}, and {variable:?} is not set; write the whole path")
            })?;
            text += &found;
            text += rest;
        }
        Ok(text)
    }

    /// The user's home folder.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        (self.0)("HOME")
            .filter(|home| Path::new(home).is_absolute())
            .map(PathBuf::from)
            .or_else(std::env::home_dir)
    }

    /// Whether something is wanted.
    pub(crate) fn yes(&self, name: &str) -> Result<bool, String> {
        let value = self.text(name)?.unwrap_or_default();
        match value.to_uppercase().as_str() {
            "1" | "ON" | "YES" | "TRUE" => Ok(true),
            "" | "0" | "OFF" | "NO" | "FALSE" => Ok(false),
            _ => Err(format!("{name} is {value:?}; write 1 or 0")),
        }
    }

    /// A time of more than nothing and at most a day.
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<Duration>, String> {
        let Some(value) = self.text(name)? else {
            return Ok(None);
        };
        let seconds = value.parse().ok().filter(|s| *s > 0.0 && *s <= 86_400.0);
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        time.map(Some)
            .ok_or_else(|| format!("{name} is {value:?}; write a number of seconds, as 10"))
    }
}

/// The folder that a variable of the environment names, `~` put in; as it is written, if that cannot be done.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let look = |name: &str| std::env::var_os(name);
    let read = Variables(&look).path(name);
    read.unwrap_or_else(|_| look(name).map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(value: &str) -> Result<Option<PathBuf>, String> {
        let look = |name: &str| match name {
            "HF_HOME" => Some(value.into()),
            "HOME" => Some("/home/me".into()),
            "DISK" => Some("/disk".into()),
            _ => None,
        };
        Variables(&look).path("HF_HOME")
    }

    #[test]
    fn a_path_is_written_as_in_a_shell() {
        let expanded = |value| path(value).unwrap().unwrap();
        assert_eq!(expanded("~/hf"), Path::new("/home/me/hf"));
        assert_eq!(expanded(" ~ "), Path::new("/home/me"));
        assert_eq!(expanded("$DISK/hf"), Path::new("/disk/hf"));
        assert_eq!(expanded("${DISK}s/~"), Path::new("/disks/~"));
        assert_eq!(expanded("a~b"), Path::new("a~b"));
        assert_eq!(path("  "), Ok(None));
        for (value, told) in [
            ("~bob/hf", "another user"),
            ("$NONE/hf", "\"NONE\" is not set"),
        ] {
            let error = path(value).unwrap_err();
            assert!(
                error.starts_with("HF_HOME") && error.contains(told),
                "{error}"
            );
        }
        assert!(path("/a\nb").unwrap_err().contains("HF_HOME"));
    }

    #[test]
    fn times_and_switches_that_are_none_are_refused_by_name() {
        let of = |value: &'static str| move |_: &str| Some(value.into());
        let seconds = |value| Variables(&of(value)).seconds("HF_HUB_DOWNLOAD_TIMEOUT");
        assert_eq!(seconds(" 2.5 "), Ok(Some(Duration::from_millis(2500))));
        for value in ["ten", "0", "-1", "inf", "nan", "1e300", "10s"] {
            let error = seconds(value).unwrap_err();
            assert!(error.starts_with("HF_HUB_DOWNLOAD_TIMEOUT"), "{error}");
        }
        let yes = |value| Variables(&of(value)).yes("HF_HUB_OFFLINE");
        assert_eq!(
            (yes(" On"), yes("off"), yes("")),
            (Ok(true), Ok(false), Ok(false))
        );
        assert!(yes("maybe").unwrap_err().starts_with("HF_HUB_OFFLINE"));
    }
}
