//! Who a container's process is: `user[:group]` looked up in the container's own passwd(5) and group(5) files.

use crate::{Error, Result};
use sampan_spec::bundle::RootFs;
use sampan_store::lookup;

/// The largest id that Docker takes.
const ID_MAX: u32 = i32::MAX as u32;
/// A file with names is not read beyond this many bytes.
const FILE_MAX: u64 = 16 << 20;

/// A process's identity in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups, `gid` first as with Docker: a file that is closed to the group stays closed to the process.
    pub(crate) groups: Vec<u32>,
    /// The home folder; `/` for a user that the file does not list.
    pub(crate) home: String,
}

/// Looks a user up in a root file system. Empty is root.
pub(crate) fn resolve(root: &RootFs, typed: &str) -> Result<User> {
    let read = |path| -> Result<String> {
        let bytes = lookup::read_file(root, path, FILE_MAX)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    find(&read("/etc/passwd")?, &read("/etc/group")?, typed)
}

impl User {
    /// With these groups as well, by name or number.
    ///
    /// # Errors
    /// When a name is unknown.
    pub(crate) fn with_groups(mut self, root: &RootFs, wanted: &[String]) -> Result<Self> {
        if wanted.is_empty() {
            return Ok(self);
        }
        let bytes = lookup::read_file(root, "/etc/group", FILE_MAX)?.unwrap_or_default();
        let file = String::from_utf8_lossy(&bytes);
        for name in wanted {
            let gid = group_number(&file, name)?;
            if !self.groups.contains(&gid) {
                self.groups.push(gid);
            }
        }
        Ok(self)
    }
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn find(passwd: &str, group: &str, typed: &str) -> Result<User> {
    let (user, wanted_group) = match typed.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|g| !g.is_empty())),
        None => (typed, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number: Option<u32> = number(user)?;
    let account = accounts(passwd)
        .find(|a| a.name == user)
        .or_else(|| accounts(passwd).find(|a| Some(a.uid) == number));
    let (uid, gid, home, name) = match (account, number) {
        (Some(account), _) => (account.uid, account.gid, account.home, account.name),
        (None, Some(uid)) => (uid, 0, "/", ""),
        (None, None) => return Err(unknown("user", user)),
    };
    let (gid, others) = match wanted_group {
        Some(wanted) => (group_number(group, wanted)?, Vec::new()),
        None => (gid, memberships(group, name, gid)),
    };
    let groups = std::iter::once(gid).chain(others).collect();
    let home = if home.is_empty() { "/" } else { home };
    Ok(User { uid, gid, groups, home: home.to_owned() })
}

fn unknown(what: &str, name: &str) -> Error {
    Error::InvalidParameter(format!(
        "unable to find {what} {name}: no matching entries in {} file",
        match what {
            "user" => "passwd",
            _ => "group",
        }
    ))
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Account { name, uid, gid, home: fields.nth(1).unwrap_or("") })
    })
}

/// Names, numbers and members.
fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((name, fields.nth(1)?.parse().ok()?, fields.next().unwrap_or("")))
    })
}

fn group_number(group: &str, wanted: &str) -> Result<u32> {
    let by_name = groups(group).find(|(name, ..)| *name == wanted).map(|(_, gid, _)| gid);
    by_name.map_or_else(|| number(wanted), |gid| Ok(Some(gid)))?.ok_or_else(|| unknown("group", wanted))
}

/// A word as an id, if it is a number.
fn number(word: &str) -> Result<Option<u32>> {
    let sign = word.strip_prefix('-').unwrap_or(word);
    if sign.is_empty() || !sign.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match word.parse() {
        Ok(id @ 0..=ID_MAX) => Ok(Some(id)),
        _ => Err(Error::InvalidParameter(format!("uids and gids must be in range 0-{ID_MAX}"))),
    }
}

fn memberships(group: &str, user: &str, primary: u32) -> Vec<u32> {
    let member = |members: &str| !user.is_empty() && members.split(',').any(|m| m.trim() == user);
    let mine = groups(group).filter(|(_, gid, members)| *gid != primary && member(members));
    mine.map(|(_, gid, _)| gid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nbroken\nwww:x:33:34::/var/www:\n7:x:77:78::/seven:\n";
    const GROUP: &str = "root:x:0:\nweb:x:34:\naudio:x:29:x,www\nvideo:x:44:www, root\n";

    fn check(typed: &str, want: Option<(u32, u32, &[u32], &str)>) {
        let got = find(PASSWD, GROUP, typed).ok();
        let want =
            want.map(|(uid, gid, groups, home)| User { uid, gid, groups: groups.into(), home: home.into() });
        assert_eq!(got, want, "{typed:?}");
    }

    #[test]
    fn users_and_groups() {
        check("", Some((0, 0, &[0, 44], "/root")));
        check("root", Some((0, 0, &[0, 44], "/root")));
        check("www", Some((33, 34, &[34, 29, 44], "/var/www")));
        check("33", Some((33, 34, &[34, 29, 44], "/var/www")));
        check("www:audio", Some((33, 29, &[29], "/var/www")));
        check("www:5", Some((33, 5, &[5], "/var/www")));
        check("1000", Some((1000, 0, &[0], "/")));
        check("1000:web", Some((1000, 34, &[34], "/")));
        check("7", Some((77, 78, &[78], "/seven")));
        check("nobody", None);
        check("www:nope", None);
        check("-1", None);
        check("2147483648", None);
        check("www:4294967296", None);
        let text = find(PASSWD, GROUP, "99999999999").unwrap_err().to_string();
        assert_eq!(text, "uids and gids must be in range 0-2147483647");
    }
}
