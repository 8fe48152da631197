//! Which hierarchies are mounted where, from mountinfo (proc_pid_mountinfo(5)).

use super::CgroupError;
use std::path::PathBuf;

/// The hierarchies that this process sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The root of version 2.
    pub unified: Option<PathBuf>,
    /// The hierarchies of version 1.
    pub v1: Vec<Hierarchy>,
}

/// A folder in a version 1 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// The folder.
    pub folder: PathBuf,
    /// Its controllers, as mount(8) names them: `cpu`, `cpuacct`, or `name=systemd` for one without.
    pub controllers: Vec<String>,
}

/// Where version 2 is on hosts that have nothing else. A mount table is long where there are many containers.
const USUAL: &str = "/sys/fs/cgroup";
/// `CGROUP2_SUPER_MAGIC`.
const CGROUP2_MAGIC: i64 = 0x6367_7270;
/// Mount options that name no controller.
const OTHER_OPTIONS: [&str; 9] = [
    "rw",
    "ro",
    "none",
    "xattr",
    "noprefix",
    "clone_children",
    "cpuset_v2_mode",
    "favordynmods",
    "nofavordynmods",
];

impl Layout {
    /// Looks at `/sys/fs/cgroup`, and if that is not version 2, reads `/proc/self/mountinfo`.
    ///
    /// # Errors
    /// [`CgroupError::MountTable`], and [`CgroupError::NoneMounted`] if there is no hierarchy at all.
    pub fn detect() -> Result<Self, CgroupError> {
        if rustix::fs::statfs(USUAL).is_ok_and(|s| s.f_type == CGROUP2_MAGIC) {
            return Ok(Self { unified: Some(USUAL.into()), v1: Vec::new() });
        }
        let table = std::fs::read("/proc/self/mountinfo").map_err(CgroupError::MountTable)?;
        let layout = Self::parse(&table);
        if layout == Self::default() { Err(CgroupError::NoneMounted) } else { Ok(layout) }
    }

    /// Finds the hierarchies in a mount table. Of several mounts of one hierarchy the first counts. Other mounts can have
    /// names that are no UTF-8.
    pub fn parse(mountinfo: &[u8]) -> Self {
        let mountinfo = String::from_utf8_lossy(mountinfo);
        let mut layout = Self::default();
        let mut seen = Vec::new();
        for mount in mountinfo.lines().filter_map(Mount::parse) {
            if seen.contains(&mount.device) {
                continue;
            }
            match mount.kind {
                "cgroup2" => layout.unified = layout.unified.or(Some(mount.folder)),
                "cgroup" => {
                    let controllers = mount.options.split(',').filter(|o| is_controller(o));
                    layout.v1.push(Hierarchy {
                        folder: mount.folder,
                        controllers: controllers.map(str::to_owned).collect(),
                    });
                }
                _ => continue,
            }
            seen.push(mount.device);
        }
        layout
    }
}

fn is_controller(option: &str) -> bool {
    !OTHER_OPTIONS.contains(&option) && !option.starts_with("release_agent=")
}

/// The parts of a line that matter here.
struct Mount<'a> {
    device: &'a str,
    folder: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, source) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(2);
        let device = mount.next()?;
        let folder = unescape(mount.nth(1)?);
        let mut source = source.split(' ');
        let kind = source.next()?;
        Some(Self { device, folder, kind, options: source.nth(1)? })
    }
}

/// Undoes `\040` and the like.
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).filter(|d| *first == b'\\' && d.iter().all(|b| (b'0'..=b'7').contains(b)));
        match digits {
            Some(d) => {
                bytes.push(d.iter().fold(0u8, |n, b| n.wrapping_mul(8).wrapping_add(b - b'0')));
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(table: &str, unified: Option<&str>, v1: &[(&str, &[&str])]) {
        let v1 = v1.iter().map(|(folder, controllers)| Hierarchy {
            folder: folder.into(),
            controllers: controllers.iter().map(|c| (*c).to_owned()).collect(),
        });
        assert_eq!(
            Layout::parse(table.as_bytes()),
            Layout { unified: unified.map(Into::into), v1: v1.collect() }
        );
    }

    #[test]
    fn names_that_are_no_text() {
        let line = b"32 31 0:29 / /mnt/\xe9t\xe9 rw - ext4 /dev/sda rw\n\
            29 25 0:26 / /cg rw - cgroup2 cgroup2 rw\n";
        assert_eq!(Layout::parse(line).unified, Some("/cg".into()));
    }

    #[test]
    fn unified_only() {
        let table = "25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
                     29 25 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        check(table, Some("/sys/fs/cgroup"), &[]);
    }

    #[test]
    fn hybrid_and_mounted_twice() {
        let table = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                     32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                     40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n\
                     41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                     46 45 0:29 / /var/root/sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        check(
            table,
            Some("/sys/fs/cgroup/unified"),
            &[
                ("/sys/fs/cgroup/cpu,cpuacct", &["cpu", "cpuacct"]),
                ("/sys/fs/cgroup/systemd", &["name=systemd"]),
            ],
        );
    }

    #[test]
    fn escapes() {
        check("1 2 0:3 / /a\\040b\\134 rw - cgroup2 x rw", Some("/a b\\"), &[]);
        check("", None, &[]);
    }

    proptest! {
        #[test]
        fn any_table_is_read(table in "[ 0-9a-z:/,\\\\\n=-]{0,200}") {
            Layout::parse(table.as_bytes());
        }
    }
}
