//! Links on the default bridge, as the containers and `ps` see them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Daemon, eventually};
use script::{BOTH, daemon, words};

fn run(daemon: &Daemon, line: &str) -> String {
    daemon.sampan(&words(line))
}

fn address(daemon: &Daemon, name: &str) -> String {
    run(daemon, &format!("inspect -f {{{{.NetworkSettings.IPAddress}}}} {name}"))
}

/// The address that a name has in a container's file of hosts.
fn address_of(daemon: &Daemon, name: &str, seen_by: &str) -> Option<String> {
    let hosts = run(daemon, &format!("exec {seen_by} cat /etc/hosts"));
    let line = hosts.lines().find(|line| line.split_whitespace().nth(1) == Some(name))?;
    Some(line.split_whitespace().next().unwrap().to_owned())
}

#[track_caller]
fn refuses(daemon: &Daemon, line: &str, code: i32, want: &str) {
    for cli in BOTH {
        let output = daemon.run(cli, &words(line));
        assert!(output.code == code && output.stderr.contains(want), "{cli:?} {line}: {output:?}");
    }
}

#[test]
fn a_linked_container_is_known_by_its_alias() {
    let daemon = daemon();
    run(&daemon, "run -d --name db -h dbhost --expose 80-81 -e A=1 bb sleep 1000");
    let ip = address(&daemon, "db");
    for cli in BOTH {
        daemon.run(cli, &words("run -d --name web --link db:my-db --link db bb sleep 1000")).ok();
        let hosts = run(&daemon, "exec web cat /etc/hosts");
        assert!(hosts.contains(&format!("\n{ip}\tmy-db dbhost db\n{ip}\tdb dbhost\n")), "{cli:?}: {hosts}");
        for command in ["sh -c 'tr \"\\0\" \"\\n\" </proc/1/environ'", "env"] {
            let env = run(&daemon, &format!("exec web {command}"));
            for want in [
                format!("MY_DB_PORT=tcp://{ip}:80"),
                format!("MY_DB_PORT_81_TCP_ADDR={ip}"),
                "MY_DB_PORT_80_TCP_PORT_END=81".to_owned(),
                "MY_DB_NAME=/web/my-db".to_owned(),
                "DB_ENV_A=1".to_owned(),
            ] {
                assert!(env.lines().any(|line| line == want), "{cli:?} {command} {want}: {env}");
            }
        }
        let names = "ps --no-trunc --filter name=^/db$ --format {{.Names}}";
        assert_eq!(daemon.run(cli, &words(names)).ok(), "db,web/db,web/my-db");
        assert_eq!(daemon.run(cli, &words("ps --filter name=^/db$ --format {{.Names}}")).ok(), "db");
        let links = daemon.run(cli, &words("inspect -f '{{json .HostConfig.Links}}' web")).ok();
        assert_eq!(links, r#"["/db:/web/my-db","/db:/web/db"]"#);
        assert_eq!(daemon.run(cli, &words("inspect -f {{.Name}} web/my-db")).ok(), "/db");
        assert_eq!(daemon.run(cli, &words("exec web/my-db hostname")).ok(), "dbhost");
        daemon.run(cli, &words("rm -f web")).ok();
    }
    run(&daemon, "rm -f db");
    daemon.nothing_is_left();
}

#[test]
fn a_name_follows_its_container() {
    let mut daemon = daemon();
    run(&daemon, "run -d --name db bb sleep 1000");
    run(&daemon, "run -d --name web --link db:data bb sleep 1000");
    run(&daemon, "exec web sh -c 'echo 9.9.9.9 mine >>/etc/hosts'");
    let old = address(&daemon, "db");
    run(&daemon, "stop -t 0 db");
    run(&daemon, "run -d --name other bb sleep 1000");
    assert_eq!(address(&daemon, "other"), old);
    run(&daemon, "start db");
    let new = address(&daemon, "db");
    assert_ne!(new, old);
    eventually("the name has moved", || address_of(&daemon, "data", "web").as_deref() == Some(&new));
    assert_eq!(address_of(&daemon, "mine", "web").as_deref(), Some("9.9.9.9"));

    daemon.kill9();
    daemon.start_again();
    run(&daemon, "rename db base");
    assert_eq!(run(&daemon, "inspect -f '{{json .HostConfig.Links}}' web"), r#"["/base:/web/data"]"#);
    run(&daemon, "stop -t 0 base other");
    run(&daemon, "start base");
    eventually("the name has moved back", || address_of(&daemon, "data", "web").as_deref() == Some(&old));
    run(&daemon, "rm -f web other base");
    daemon.nothing_is_left();
}

/// A daemon may die before it has told of a new address; and who has spoilt its own file keeps nobody else from hearing.
#[test]
fn a_name_that_did_not_follow_does_so_with_the_next_daemon() {
    let mut daemon = daemon();
    run(&daemon, "run -d --name db bb sleep 1000");
    run(&daemon, "run -d --name spoilt --link db:data bb sleep 1000");
    run(&daemon, "run -d --name web --link db:data bb sleep 1000");
    let hosts = |name: &str| {
        format!("/proc/{}/root/etc/hosts", run(&daemon, &format!("inspect -f {{{{.State.Pid}}}} {name}")))
    };
    let (spoilt, file) = (hosts("spoilt"), hosts("web"));
    std::fs::File::options().write(true).open(spoilt).unwrap().set_len(1 << 40).unwrap();
    let ip = address(&daemon, "db");
    let text = std::fs::read_to_string(&file).unwrap();
    daemon.kill9();
    std::fs::write(&file, text.replace(&ip, "10.213.0.99")).unwrap();
    daemon.start_again();
    eventually("the name has moved", || address_of(&daemon, "data", "web").as_deref() == Some(&ip));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert_eq!(run(&daemon, "rm -l spoilt/data"), "spoilt/data");
    run(&daemon, "rm -f web spoilt db");
    daemon.nothing_is_left();
}

#[test]
fn a_link_is_removed() {
    let daemon = daemon();
    run(&daemon, "run -d --name db bb sleep 1000");
    for cli in BOTH {
        daemon.run(cli, &words("run -d --name web --link db:one --link db:two bb sleep 1000")).ok();
        assert_eq!(daemon.run(cli, &words("rm -l web/one")).ok(), "web/one");
        assert_eq!(run(&daemon, "inspect -f '{{json .HostConfig.Links}}' web"), r#"["/db:/web/two"]"#);
        assert_eq!(
            (address_of(&daemon, "one", "web"), address_of(&daemon, "two", "web").is_some()),
            (None, true)
        );
        refuses(&daemon, "rm -l web/one", 1, "No such container: web/one");
        refuses(&daemon, "rm -l web", 1, "Conflict, cannot remove the default link name of the container");
        daemon.run(cli, &words("rm -f web")).ok();
    }
    run(&daemon, "rm -f db");
    daemon.nothing_is_left();
}

#[test]
fn links_that_cannot_be_are_refused_as_docker_refuses_them() {
    let daemon = daemon();
    run(&daemon, "run -d --name db bb sleep 1000");
    run(&daemon, "run -d --name on-host --network host bb sleep 1000");
    run(&daemon, "run -d --name alone --network none bb sleep 1000");
    run(&daemon, "run -d --name within --network container:db bb sleep 1000");
    let undefined = "can't be used with links. This would result in undefined behavior";
    for (line, want) in [
        ("run --link nobody bb true", "could not get container for nobody: No such container: nobody"),
        ("run --link a:b:c bb true", "bad format for links: a:b:c"),
        (
            "run --network host --link db bb true",
            &format!("conflicting options: host type networking {undefined}"),
        ),
        (
            "run --network container:db --link db bb true",
            &format!("conflicting options: container type network {undefined}"),
        ),
        ("run --link on-host:x bb true", &format!("conflicting options: host type networking {undefined}")),
    ] {
        refuses(&daemon, line, 125, want);
    }
    refuses(&daemon, "run --rm --link alone:x bb true", 125, "not attached to default bridge network");
    let line = run(&daemon, "run --rm --link within:x bb grep -w x /etc/hosts");
    assert!(
        line.starts_with(&address(&daemon, "db")),
        "a container in another's network has the other's address: {line}"
    );
    run(&daemon, "create --name web --link db:x bb true");
    run(&daemon, "rm -f within");
    run(&daemon, "stop -t 0 db");
    refuses(&daemon, "start web", 1, "Cannot link to a non running container: /db AS /web/x");
    run(&daemon, "rm -f db");
    refuses(&daemon, "start web", 1, "Cannot link to a non running container: /db AS /web/x");
    run(&daemon, "rm -f web on-host alone");
    daemon.nothing_is_left();
}
