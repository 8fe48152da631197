//! What `ps` shows, and which containers its filters choose.

use super::super::sample::{self, exit, now};
use super::*;
use proptest::prelude::*;

fn all() -> Vec<Snapshot> {
    vec![
        sample::container("web", Phase::Running { pid: 7 }),
        sample::container("db", Phase::Exited(exit(3))),
        sample::container("new", Phase::Created),
    ]
}

fn chosen(everything: bool, limit: Option<usize>, filters: &str) -> Result<String, String> {
    let all = all();
    let filters = Filters::parse(filters).map_err(|error| error.to_string())?;
    let ancestors = [all[0].container.image.to_string()].into();
    let wanted = Wanted { all: everything, limit, filters, ancestors };
    let chosen = choose(&all, &wanted).map_err(|error| error.to_string())?;
    Ok(chosen.iter().map(|snapshot| snapshot.container.name.as_str()).collect::<Vec<_>>().join(" "))
}

#[test]
fn filters_choose() {
    for (everything, limit, filters, want) in [
        (false, None, "", "web"),
        (true, None, "", "web db new"),
        (false, Some(2), "", "web db"),
        (true, None, r#"{"name":["^/web$"]}"#, "web"),
        (true, None, r#"{"name":["e"]}"#, "web new"),
        (true, None, r#"{"name":["("]}"#, ""),
        (true, None, r#"{"id":["6464"]}"#, "db"),
        (false, None, r#"{"status":["exited","created"]}"#, "db new"),
        (false, None, r#"{"exited":["3"]}"#, "db"),
        (true, None, r#"{"label":["k=v"]}"#, "web db new"),
        (true, None, r#"{"label":["k=w"]}"#, ""),
        (true, None, r#"{"network":["bridge"],"ancestor":["i:1"]}"#, "web db new"),
        (true, None, r#"{"network":["host"]}"#, ""),
        (true, None, r#"{"before":["web"]}"#, ""),
        (true, None, r#"{"expose":["80"]}"#, "web"),
        (true, None, r#"{"expose":["82","70-79"]}"#, ""),
        (true, None, r#"{"expose":["80-90/udp"]}"#, "web"),
        (true, None, r#"{"publish":["8080/tcp"]}"#, "web"),
        (true, None, r#"{"publish":["80","8080/udp"]}"#, ""),
        (true, None, r#"{"publish":["80"],"expose":["80"]}"#, "web"),
        (true, None, r#"{"volume":["/nowhere"]}"#, ""),
        (true, None, r#"{"health":["none"],"is-task":["false"]}"#, "web db new"),
        (true, None, r#"{"health":["healthy"]}"#, ""),
        (true, None, r#"{"health":["starting","none"]}"#, "web db new"),
        (true, None, r#"{"is-task":["1"]}"#, ""),
    ] {
        assert_eq!(chosen(everything, limit, filters).as_deref(), Ok(want), "{filters}");
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (filters, text) in [
        (
            r#"{"status":["flying"]}"#,
            "invalid filter 'status=flying': invalid value for state (flying): must be one of created, running, paused, \
             restarting, removing, exited, dead",
        ),
        (r#"{"exited":["x"]}"#, "invalid filter 'exited=x'"),
        (r#"{"expose":["9-8"]}"#, "invalid filter 'expose=9-8'"),
        (r#"{"publish":["x"]}"#, "invalid filter 'publish=x'"),
        (r#"{"is-task":["x"]}"#, "invalid filter 'is-task=[x]'"),
        (
            r#"{"health":["fine"]}"#,
            "invalid filter 'health=fine': invalid value for health (fine): must be one of none, starting, healthy, \
             unhealthy",
        ),
        (r#"{"since":["nope"]}"#, "No such container: nope"),
        ("zzz", "invalid filter"),
    ] {
        assert_eq!(chosen(true, None, filters).unwrap_err(), text);
    }
}

#[test]
fn a_line_says_what_is_so() {
    for (phase, status) in [
        (Phase::Created, "Created"),
        (Phase::Running { pid: 1 }, "Up About a minute"),
        (Phase::Paused { pid: 1 }, "Up About a minute (Paused)"),
        (Phase::Restarting, "Restarting (1) 10 seconds ago"),
        (Phase::Exited(exit(137)), "Exited (137) 10 seconds ago"),
        (Phase::Removing, "Removal In Progress"),
        (Phase::Dead, "Dead"),
    ] {
        assert_eq!(summary(&sample::container("c", phase), now()).status, status);
    }
    let line = summary(&sample::container("c", Phase::Running { pid: 1 }), now());
    assert_eq!(
        (line.command.as_str(), line.names[0].as_str(), line.created),
        ("sh -c 'a b'", "/c", 1_000_000)
    );
    let ports: Vec<_> = line.ports.iter().map(|port| (port.private_port, port.public_port)).collect();
    assert_eq!(ports, [(80, Some(8080)), (81, None)]);
}

proptest! {
    #[test]
    fn any_pattern_is_survived(name in ".{0,20}", id in ".{0,20}") {
        let mut filters = Filters::default();
        filters.add("name", &name);
        filters.add("id", &id);
        prop_assert!(chosen(true, None, &filters.to_json()).is_ok());
    }
}
