//! The rules for mounts, without volumes being made.

use super::*;
use crate::container::{Config, Registry};
use crate::volume::Map;

fn bind(text: &str) -> Bind {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, options) = match parts[..] {
        [destination] => ("", destination, ""),
        [source, destination] => (source, destination, ""),
        [source, destination, options] => (source, destination, options),
        _ => panic!("{text}"),
    };
    let options =
        if options.is_empty() { Vec::new() } else { options.split(',').map(str::to_owned).collect() };
    Bind { source: source.into(), destination: destination.into(), options }
}

fn config(binds: &[&str], mounts: &[Mount], tmpfs: &[&str], volumes: &[&str]) -> Config {
    let mut config = Config::default();
    config.host.binds = binds.iter().map(|text| bind(text)).collect();
    config.host.mounts = mounts.to_vec();
    config.host.tmpfs = tmpfs.iter().map(|path| ((*path).to_owned(), String::new())).collect();
    config.volumes = volumes.iter().map(|path| (*path).to_owned()).collect();
    config
}

fn refusal(config: &Config) -> String {
    plan(&Registry::default(), config).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
}

/// A line for each mount point.
fn shown(config: &Config) -> Vec<String> {
    let planned = plan(&Registry::default(), config).unwrap();
    let line = |planned: &Planned| {
        let MountPoint { destination, mode, read_only, source } = &planned.point;
        let what = match source {
            MountSource::Bind { path, recursive, propagation, create } => {
                format!("bind {path} {propagation} recursive={recursive} create={create}")
            }
            MountSource::Volume { name, anonymous, subpath } => {
                format!("volume {name}/{subpath} anonymous={anonymous} copy={}", planned.copy)
            }
            MountSource::Tmpfs(options) => format!("tmpfs {}", options.size),
        };
        format!("{destination} '{mode}' {read_only:?} {what}")
    };
    planned.iter().map(line).collect()
}

#[test]
fn binds_are_understood_as_docker_does() {
    for (text, want) in [
        ("/tmp:/x", "/x '' No bind /tmp rprivate recursive=true create=true"),
        ("/tmp/:/x/:ro", "/x 'ro' Tree bind /tmp rprivate recursive=true create=true"),
        (
            "/a/../tmp:/x/../y:z,ro,rshared",
            "/y 'z,ro,rshared' Tree bind /tmp rshared recursive=true create=true",
        ),
        ("vol:/x", "/x 'z' No volume vol/ anonymous=false copy=true"),
        ("vol:/x:nocopy,ro", "/x 'nocopy,ro' Tree volume vol/ anonymous=false copy=false"),
        ("/x", "/x 'z' No volume / anonymous=true copy=true"),
    ] {
        assert_eq!(shown(&config(&[text], &[], &[], &[])), [want], "{text}");
    }
}

#[test]
fn binds_are_refused_as_docker_does() {
    let spec = |text: &str, why: &str| format!("invalid volume specification: '{text}'{why}");
    for (text, want) in [
        ("/tmp:/x:ro,rw", "invalid mode: ro,rw".to_owned()),
        ("/tmp:/x:shared,rslave", "invalid mode: shared,rslave".into()),
        ("/tmp:/x:bind", "invalid mode: bind".into()),
        ("/tmp:/x:RO", "invalid mode: RO".into()),
        ("/tmp:ro", spec("/tmp:ro", "")),
        ("vol:nocopy", spec("vol:nocopy", "")),
        (
            "/tmp:x",
            spec(
                "/tmp:x",
                ": invalid mount config for type \"bind\": invalid mount path: 'x' mount path must be absolute",
            ),
        ),
        (
            "tmp:/..",
            spec(
                "tmp:/..",
                ": invalid mount config for type \"volume\": invalid specification: destination can't be '/'",
            ),
        ),
        (
            "/tmp::ro",
            spec("/tmp::ro", ": invalid mount config for type \"bind\": field Target must not be empty"),
        ),
        (
            "/tmp:/x:nocopy",
            spec(
                "/tmp:/x:nocopy",
                ": invalid mount config for type \"bind\": field VolumeOptions must not be specified",
            ),
        ),
        (
            "vol:/x:rprivate",
            spec(
                "vol:/x:rprivate",
                ": invalid mount config for type \"volume\": field BindOptions must not be specified",
            ),
        ),
    ] {
        assert_eq!(refusal(&config(&[text], &[], &[], &[])), want, "{text}");
    }
}

fn mount(kind: MountKind, source: &str, target: &str) -> Mount {
    Mount { kind, source: source.into(), target: target.into(), ..Mount::default() }
}

#[test]
fn mounts_are_understood_as_docker_does() {
    let labels = Some(Map::from([("k".to_owned(), "v".to_owned())]));
    let options = VolumeOptions { no_copy: true, labels: labels.clone(), ..VolumeOptions::default() };
    let of = |options| Mount { volume: Some(options), ..mount(MountKind::Volume, "vol", "/v/") };
    assert_eq!(
        shown(&config(&[], &[of(options.clone())], &[], &[])),
        ["/v 'z' No volume vol/ anonymous=false copy=false"]
    );
    let planned = plan(&Registry::default(), &config(&[], &[of(options)], &[], &[])).unwrap();
    assert_eq!(planned[0].volume.as_ref().unwrap().labels, labels);
    let part = VolumeOptions { subpath: "a/b".into(), ..VolumeOptions::default() };
    assert_eq!(
        shown(&config(&[], &[of(part)], &[], &[])),
        ["/v 'z' No volume vol/a/b anonymous=false copy=false"]
    );
    let top = BindOptions { read_only_non_recursive: true, non_recursive: true, ..BindOptions::default() };
    let bound = Mount { bind: Some(top), read_only: true, ..mount(MountKind::Bind, "/tmp", "/b") };
    assert_eq!(
        shown(&config(&[], &[bound], &[], &[])),
        ["/b '' Top bind /tmp rprivate recursive=false create=false"]
    );
}

#[test]
fn mounts_are_refused_as_docker_does() {
    let check = |mount: Mount, want: &str| {
        let kind = mount.kind.name();
        let want = want
            .strip_prefix("! ")
            .map_or_else(|| format!("invalid mount config for type \"{kind}\": {want}"), str::to_owned);
        assert_eq!(refusal(&config(&[], &[mount], &[], &[])), want);
    };
    let bound = || mount(MountKind::Bind, "/tmp", "/x");
    let vol = || mount(MountKind::Volume, "vol", "/x");
    let memory = || mount(MountKind::Tmpfs, "", "/x");
    check(mount(MountKind::Bind, "", "/x"), "field Source must not be empty");
    check(mount(MountKind::Bind, "/tmp", ""), "field Target must not be empty");
    check(mount(MountKind::Bind, "/tmp", "/"), "invalid specification: destination can't be '/'");
    check(mount(MountKind::Bind, "tmp", "/x"), "invalid mount path: 'tmp' mount path must be absolute");
    check(mount(MountKind::Bind, "/nonexistent/x", "/x"), "bind source path does not exist: /nonexistent/x");
    let odd = BindOptions { propagation: "odd".into(), ..BindOptions::default() };
    check(Mount { bind: Some(odd), ..bound() }, "invalid propagation mode: odd");
    check(
        Mount { volume: Some(VolumeOptions::default()), ..bound() },
        "! VolumeOptions must not be specified on mount type \"bind\"",
    );
    check(
        Mount { read_only: true, source: String::new(), ..vol() },
        "must not set ReadOnly mode when using anonymous volumes",
    );
    for subpath in ["../a", "/a", "a/../.."] {
        let options = VolumeOptions { subpath: subpath.into(), ..VolumeOptions::default() };
        check(Mount { volume: Some(options), ..vol() }, "subpath must be a relative path within the volume");
    }
    check(Mount { source: "s".into(), ..memory() }, "field Source must not be specified");
    let options = |option: &[&str]| TmpfsOptions {
        options: Some(vec![option.iter().map(|word| (*word).to_owned()).collect()]),
        ..TmpfsOptions::default()
    };
    check(Mount { tmpfs: Some(options(&["size", "2m"])), ..memory() }, "invalid option: size");
    check(Mount { tmpfs: Some(options(&["a", "b", "c"])), ..memory() }, "invalid option array length");
}

#[test]
fn a_destination_is_used_once() {
    let both = config(&["/tmp:/x", "vol:/x/"], &[], &[], &[]);
    assert_eq!(refusal(&both), "Duplicate mount point: /x");
    let mounted = [mount(MountKind::Tmpfs, "", "/x")];
    assert_eq!(refusal(&config(&["/tmp:/x"], &mounted, &[], &[])), "Duplicate mount point: /x");
    assert_eq!(refusal(&config(&["/tmp:/x"], &[], &["/x/"], &[])), "Duplicate mount point: /x");
    assert_eq!(shown(&config(&[], &mounted, &["/x"], &[])).len(), 1);
    // What the user says goes before what the image says.
    let own = config(&["vol:/x"], &[], &["/t"], &["/x", "/t/", "/y", "/"]);
    assert_eq!(
        shown(&own),
        ["/x 'z' No volume vol/ anonymous=false copy=true", "/y '' No volume / anonymous=true copy=true"]
    );
}

#[test]
fn tmpfs_and_volumes_from_are_checked() {
    let mut odd = config(&[], &[], &["/x"], &[]);
    odd.host.tmpfs.insert("/y".into(), "size=1m,mode=700,exec,uid=5".into());
    assert_eq!(refusal(&odd), "");
    odd.host.tmpfs.insert("/y".into(), "bogus".into());
    assert_eq!(refusal(&odd), "invalid tmpfs option \"bogus\"");
    assert_eq!(
        refusal(&config(&[], &[], &["x"], &[])),
        "invalid mount path: 'x' mount path must be absolute"
    );
    let from = |container: &str, mode: &str| {
        let mut config = Config::default();
        config.host.volumes_from = vec![VolumesFrom { container: container.into(), mode: mode.into() }];
        refusal(&config)
    };
    assert_eq!(from("nobody", "ro"), "No such container: nobody");
    assert_eq!(from("", ""), "volumes-from specification cannot be an empty string");
    assert_eq!(from("a", "nocopy"), "invalid mode: nocopy");
    assert_eq!(from("a", "b:c"), "invalid mode: b:c");
}
