//! How much memory there is for data.

use std::fs;
use std::path::{Path, PathBuf};

/// The bytes that this process may still take, where the system tells: what Linux calls available, or
/// what the control groups that it is in leave of it.
pub(crate) fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_meminfo(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = folders(&groups).into_iter().filter_map(|folder| left_by(&folder));
    machine.into_iter().chain(groups).min()
}

fn of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The folders of the control groups of memory that a process is in, whose `/proc/self/cgroup` is
/// given, each with those above it: a group's limit holds for all below.
fn folders(groups: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                Path::new("/sys/fs/cgroup/memory")
            }
            _ => continue,
        };
        let own = root.join(path.trim_start_matches('/'));
        let above = own.ancestors().take_while(|folder| folder.starts_with(root));
        found.extend(above.map(Path::to_path_buf));
    }
    found
}

/// What a group leaves: its limit less what is in use, without the pages of files that can be had back.
fn left_by(folder: &Path) -> Option<u64> {
    let text = |file: &str| fs::read_to_string(folder.join(file)).ok();
    let number = |file: &str| text(file)?.trim().parse::<u64>().ok();
    let most = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let current = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let pages = text("memory.stat").and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("inactive_file "))?.trim().parse().ok()
    });
    Some(most.saturating_sub(current.saturating_sub(pages.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read() {
        let text = "MemTotal:       24000000 kB\nMemAvailable:    1000 kB\nBuffers: 1 kB\n";
        assert_eq!(of_meminfo(text), Some(1_024_000));
        assert_eq!(of_meminfo("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn the_groups_of_both_versions_are_found_with_those_above() {
        let found = folders("12:cpu:/a\n4:memory,hugetlb:/b\n0::/c/d\nodd\n");
        let expected = [
            "/sys/fs/cgroup/memory/b",
            "/sys/fs/cgroup/memory",
            "/sys/fs/cgroup/c/d",
            "/sys/fs/cgroup/c",
            "/sys/fs/cgroup",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn a_group_leaves_what_is_not_in_use() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text);
        assert_eq!(left_by(folder.path()), None);
        write("memory.max", "max\n").expect("a file");
        write("memory.current", "700\n").expect("a file");
        assert_eq!(left_by(folder.path()), None);
        write("memory.max", "1000\n").expect("a file");
        assert_eq!(left_by(folder.path()), Some(300));
        write("memory.stat", "anon 1\ninactive_file 200\n").expect("a file");
        assert_eq!(left_by(folder.path()), Some(500));
    }
}
