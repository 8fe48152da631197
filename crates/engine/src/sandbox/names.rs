//! The files that tell a container its names: `hostname`, `hosts` and `resolv.conf`.

use super::resolv::ResolvConf;
use crate::container::{Container, Endpoint, HostAddress, Linked, NetworkMode, linked};
use crate::engine::Engine;
use crate::{Error, Result};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// The servers that systemd-resolved asks itself.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";
/// A file of hosts is no larger, in bytes. What a container has made larger is not read: that would take as much memory.
const HOSTS_MAX: u64 = 1 << 20;
/// What stands in each file of hosts.
const EVERYWHERE: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
                          ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// The files' names and texts, as they are before the container has a place in its network.
pub(crate) fn names_files(engine: &Engine, container: &Container) -> [(&'static str, String); 3] {
    [
        ("hostname", format!("{}\n", container.hostname())),
        ("hosts", hosts(engine, container, &[])),
        ("resolv.conf", resolv_conf(engine, container)),
    ]
}

/// Writes the file of hosts of a container that has an address: with those that it is linked to, and itself.
pub(super) fn write_hosts(
    engine: &Engine,
    container: &Container,
    place: &Endpoint,
    file: &Path,
) -> Result<()> {
    let _nobody_moves = engine.network().naming();
    let linked = linked(engine, container)?;
    let own = format!("{}\t{}", place.address.address(), own_names(container));
    let lines: Vec<String> = linked.iter().map(Linked::line).chain([own]).collect();
    replace(file, hosts(engine, container, &lines).as_bytes())
}

/// Gives these names another address in the file of hosts of a container's bundle, or takes them away. What else a user has
/// written there stays.
pub(crate) fn move_hosts(
    engine: &Engine,
    bundle: &Path,
    names: &[String],
    address: Option<Ipv4Addr>,
) -> Result<()> {
    let _nobody_starts = engine.network().naming();
    move_in(&bundle.join("hosts"), names, address)
}

/// The container can write to the file: it need not be text, nor small.
fn move_in(file: &Path, names: &[String], address: Option<Ipv4Addr>) -> Result<()> {
    let text = match read_hosts(file) {
        // It does not run.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.map_err(Error::file("read", file))?,
    };
    let new = moved(&text, names, address);
    if new == text { Ok(()) } else { replace(file, &new) }
}

fn read_hosts(file: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = File::open(file)?.take(HOSTS_MAX + 1).read_to_end(&mut text)?;
    if read as u64 > HOSTS_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

fn moved(text: &[u8], names: &[String], address: Option<Ipv4Addr>) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.filter_map(|line| moved_line(line, names, address)).flatten().collect()
}

fn moved_line(bytes: &[u8], names: &[String], address: Option<Ipv4Addr>) -> Option<Vec<u8>> {
    let line = std::str::from_utf8(bytes).unwrap_or_default();
    let mut words = line.split_whitespace();
    let old = words.next().filter(|address| address.parse::<IpAddr>().is_ok());
    let name = words.next();
    match (old, name.is_some_and(|name| names.iter().any(|n| n == name)), address) {
        (Some(old), true, Some(new)) => Some(line.replacen(old, &new.to_string(), 1).into_bytes()),
        (Some(_), true, None) => None,
        _ => Some(bytes.to_owned()),
    }
}

/// Writes a file in place, as it may be mounted, and so that who reads it meanwhile never finds nothing.
fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
        file.write_all(text)?;
        file.set_len(text.len() as u64)
    };
    write().map_err(Error::file("write", path))
}

/// `/etc/hosts`, with these lines of the engine's at its end.
fn hosts(engine: &Engine, container: &Container, lines: &[String]) -> String {
    let host = &container.config.host;
    if host.network == NetworkMode::Host && host.extra_hosts.is_empty() {
        return read("/etc/hosts").unwrap_or_default();
    }
    let mut text = EVERYWHERE.to_owned();
    // Writing to a string cannot fail.
    for extra in &host.extra_hosts {
        for address in addresses(engine, extra.address) {
            let _ = writeln!(text, "{address}\t{}", extra.name);
        }
    }
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn own_names(container: &Container) -> String {
    let (name, domain) = (container.hostname(), &container.config.domainname);
    if domain.is_empty() { name } else { format!("{name}.{domain} {name}") }
}

fn addresses(engine: &Engine, of: HostAddress) -> Vec<IpAddr> {
    let told = &engine.options().host_gateways;
    match of {
        HostAddress::Ip(ip) => vec![ip],
        HostAddress::Gateway if told.is_empty() => vec![engine.network().link().1.address().into()],
        HostAddress::Gateway => told.clone(),
    }
}

fn resolv_conf(engine: &Engine, container: &Container) -> String {
    let own_network = container.config.host.network != NetworkMode::Host;
    let dns = container.config.host.dns.or(&engine.options().dns);
    let host = read("/etc/resolv.conf").unwrap_or_default();
    if !own_network && dns.is_empty() {
        return host;
    }
    let file = ResolvConf::of_host(&host, || read(RESOLVED));
    let file = if own_network { file.within_reach() } else { file };
    file.overridden(&dns).to_string()
}

/// Whatever else stands in a file of the host, its lines count: a remark in another encoding does not make it unreadable.
fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_move_and_nothing_else() {
        let text = "10.0.0.2\tdb 0a0a web\n# db\n10.0.0.3\tdb2\n\n1.2.3.4 mine db\n";
        let names = ["db".to_owned()];
        let to = Some(Ipv4Addr::new(10, 0, 0, 9));
        let moved = |to| String::from_utf8(moved(text.as_bytes(), &names, to)).unwrap();
        assert_eq!(moved(to), text.replacen("10.0.0.2", "10.0.0.9", 1));
        assert_eq!(moved(None), text.split_once('\n').unwrap().1);
    }

    #[test]
    fn a_remark_in_another_encoding_hides_no_server() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, b"# par d\xe9faut\nnameserver 10.0.0.1\n").unwrap();
        let host = ResolvConf::of_host(&read(file.path()).unwrap(), || None);
        assert_eq!(host.within_reach().to_string(), "nameserver 10.0.0.1\n");
        assert_eq!(read("/nowhere"), None);
    }

    #[test]
    fn a_file_that_is_no_text_keeps_its_bytes_and_a_large_one_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts");
        let (names, to) = (["db".to_owned()], Some(Ipv4Addr::new(10, 0, 0, 9)));
        assert!(move_in(&file, &names, to).is_ok(), "it does not run");
        std::fs::write(&file, b"\xff 1\n10.0.0.2 db\n\x00\xfe").unwrap();
        move_in(&file, &names, to).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"\xff 1\n10.0.0.9 db\n\x00\xfe");
        // Without a block on the disk.
        File::options().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
        assert!(move_in(&file, &names, to).is_err());
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 1 << 40);
    }
}
