//! What is at a path in a container (`X-Docker-Container-Path-Stat`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The header that carries a [`PathStat`], as JSON in base64.
pub const PATH_STAT: &str = "X-Docker-Container-Path-Stat";

/// The bits of Go's `fs.FileMode` beside the nine of permissions, and those of `st_mode` that they stand for.
const SPECIAL: [(u32, u32); 3] = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
const FOLDER: u32 = 1 << 31;
const LINK: u32 = 1 << 27;
const DEVICE: u32 = 1 << 26;
const PIPE: u32 = 1 << 25;
const SOCKET: u32 = 1 << 24;
const CHARACTER: u32 = 1 << 21;

/// What is at a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PathStat {
    /// As an archive has it.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Go's `fs.FileMode`.
    pub mode: u32,
    /// RFC 3339.
    pub mtime: String,
    /// Where a link leads in the end.
    pub link_target: String,
}

impl PathStat {
    /// The header's value.
    pub fn to_header(&self) -> String {
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads the header's value.
    pub fn from_header(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(&STANDARD.decode(value).ok()?).ok()
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.mode & FOLDER != 0
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode & LINK != 0
    }

    /// Whether it is neither a folder, a link nor a file.
    pub fn is_special(&self) -> bool {
        self.mode & (DEVICE | PIPE | SOCKET | CHARACTER) != 0
    }
}

/// `st_mode` (inode(7)) as Go's `fs.FileMode`.
pub fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170_000 {
        0o040_000 => FOLDER,
        0o120_000 => LINK,
        0o060_000 => DEVICE,
        0o020_000 => DEVICE | CHARACTER,
        0o010_000 => PIPE,
        0o140_000 => SOCKET,
        _ => 0,
    };
    let special: u32 = SPECIAL.iter().filter(|(bit, _)| mode & bit != 0).map(|(_, go)| go).sum();
    (mode & 0o777) | kind | special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos() {
        for (mode, want) in [
            (0o040_755, 2_147_484_141),
            (0o104_755, 8_389_101),
            (0o120_777, 134_218_239),
            (0o010_644, 33_554_852),
            (0o041_777, 2_148_532_735),
            (0o100_644, 420),
        ] {
            assert_eq!(go_mode(mode), want, "{mode:o}");
        }
    }

    #[test]
    fn a_header_reads_back() {
        let text = "eyJuYW1lIjoicGFzc3dkIiwic2l6ZSI6NjQsIm1vZGUiOjQyMCwibXRpbWUiOiIyMDI2LTExLTIxVDA3OjExOjIzWiIsImxpbmtUYXJnZXQiOiIifQ==";
        let stat = PathStat::from_header(text.as_bytes()).unwrap();
        assert_eq!((stat.name.as_str(), stat.size, stat.is_folder()), ("passwd", 64, false));
        assert_eq!(stat.to_header(), text);
        assert_eq!(PathStat::from_header(b"!"), None);
    }
}
