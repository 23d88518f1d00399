//! How much memory there is to be had: what the machine has free, and what its cgroup and its limits leave of that.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory that is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    /// Bytes.
    pub(crate) bytes: u64,
    /// What the limit is.
    pub(crate) by: &'static str,
}

impl Room {
    /// What is to be had by this process now; `None` where the system does not tell (it is asked as Linux is).
    pub(crate) fn now() -> Option<Self> {
        Self::under(Path::new("/"))
    }

    /// The least of all, as the files under `root` tell them.
    fn under(root: &Path) -> Option<Self> {
        let rooms = [
            (free(root), "free on this machine"),
            (
                cgroup(root),
                "left by the memory limit of this container (cgroup)",
            ),
            (
                addresses(root),
                "left by the limit on address space (ulimit -v)",
            ),
        ];
        let known = rooms
            .into_iter()
            .filter_map(|(bytes, by)| Some(Self { bytes: bytes?, by }));
        known.min_by_key(|room| room.bytes)
    }
}

fn read(path: PathBuf) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The number in the line of `text` that begins with `name`.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn free(root: &Path) -> Option<u64> {
    let text = read(root.join("proc/meminfo"))?;
    Some(number(&text, "MemAvailable:")? << 10)
}

fn addresses(root: &Path) -> Option<u64> {
    let limits = read(root.join("proc/self/limits"))?;
    let limit = number(&limits, "Max address space")?; // "unlimited" is none
    let status = read(root.join("proc/self/status"))?;
    Some(limit.saturating_sub(number(&status, "VmSize:")? << 10))
}

/// What the limits of the process's cgroup and of those above it leave.
fn cgroup(root: &Path) -> Option<u64> {
    let groups = read(root.join("proc/self/cgroup"))?;
    let lefts = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let mount = match controllers {
            "" => root.join("sys/fs/cgroup"),
            _ if controllers.split(',').any(|c| c == "memory") => root.join("sys/fs/cgroup/memory"),
            _ => return None,
        };
        let place = mount.join(path.trim_start_matches('/'));
        let above = place
            .ancestors()
            .take_while(|folder| folder.starts_with(&mount));
        above.filter_map(left_in).min()
    });
    lefts.min()
}

/// What the limit of one cgroup leaves, of version 2 or 1; what is kept of files is given back when it is needed.
fn left_in(folder: &Path) -> Option<u64> {
    let file = |name: &str| read(folder.join(name));
    let (limit, used, kept) = match file("memory.max") {
        Some(limit) => (limit, file("memory.current")?, "inactive_file "),
        None => (
            file("memory.limit_in_bytes")?,
            file("memory.usage_in_bytes")?,
            "total_inactive_file ",
        ),
    };
    let limit: u64 = limit.trim().parse().ok()?; // "max" is none
    let used: u64 = used.trim().parse().ok()?;
    let kept = file("memory.stat").and_then(|text| number(&text, kept));
    Some(limit.saturating_sub(used.saturating_sub(kept.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files as a system shows them.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MACHINE: (&str, &str) = (
        "proc/meminfo",
        "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n",
    );

    #[test]
    fn the_least_of_machine_cgroup_and_limit_is_what_is_to_be_had() {
        let bytes =
            |files: &[(&str, &str)]| Room::under(system(files).path()).map(|room| room.bytes);
        assert_eq!(bytes(&[]), None);
        assert_eq!(bytes(&[MACHINE]), Some(8000 << 10));
        let version_2 = [
            MACHINE,
            ("proc/self/cgroup", "0::/user/job\n"),
            ("sys/fs/cgroup/user/job/memory.max", "max\n"),
            ("sys/fs/cgroup/user/job/memory.current", "10\n"),
            ("sys/fs/cgroup/user/memory.max", "5000\n"),
            ("sys/fs/cgroup/user/memory.current", "3000\n"),
            (
                "sys/fs/cgroup/user/memory.stat",
                "anon 9\ninactive_file 1000\n",
            ),
        ];
        assert_eq!(bytes(&version_2), Some(3000));
        let version_1 = [
            MACHINE,
            ("proc/self/cgroup", "5:cpu:/x\n4:memory:/job\n"),
            ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "7000\n"),
            ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "2000\n"),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "2000\n"),
        ];
        assert_eq!(bytes(&version_1), Some(5000));
        let limited = [
            MACHINE,
            (
                "proc/self/limits",
                "Max cpu time unlimited\nMax address space   20480   20480   bytes\n",
            ),
            ("proc/self/status", "VmPeak: 15 kB\nVmSize:\t      15 kB\n"),
        ];
        let room = Room::under(system(&limited).path()).unwrap();
        assert_eq!(room.bytes, 5 << 10);
        assert!(room.by.contains("ulimit -v"));
        let unlimited = [
            MACHINE,
            (
                "proc/self/limits",
                "Max address space   unlimited  unlimited  bytes\n",
            ),
        ];
        assert_eq!(bytes(&unlimited), Some(8000 << 10));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_system_tells() {
        assert!(Room::now().unwrap().bytes > 1 << 20);
    }
}
