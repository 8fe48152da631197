//! Pulling from registries that behave and such that do not, with our command line and with Docker's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::registry::{self, Image, LayerBlob, Login, Registry};
use sampan_testkit::{Cli, Daemon, Session, eventually, programs, root_file_system, tar_of};
use std::fs;
use std::path::Path;

/// A daemon, and a registry in its network.
fn pair() -> (Daemon, Registry) {
    let daemon = Daemon::start(programs!());
    let registry = daemon.network().inside(Registry::start);
    (daemon, registry)
}

/// Bytes that do not get smaller when they are compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state)
    };
    std::iter::from_fn(next).flat_map(u64::to_le_bytes).take(length).collect()
}

/// Busybox, and above it a layer with a file of so many bytes.
fn image(length: usize) -> (Image, LayerBlob) {
    let large = LayerBlob::gzip(&tar_of("large", &noise(length)));
    let base = LayerBlob::gzip(&root_file_system());
    (Image::new(vec![base, large.clone()], &["sh", "-c", "wc -c </large"]), large)
}

/// What is below the data root of images that are not whole.
fn leftovers(daemon: &Daemon) -> Vec<String> {
    let names = |folder: &str| {
        let entries = fs::read_dir(daemon.data_root().join(folder)).unwrap().flatten();
        entries.map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy())).collect::<Vec<_>>()
    };
    ["blobs/sha256", "snapshots/overlay", "tmp"].map(names).concat()
}

/// How much of a blob is there for a later try.
fn kept(daemon: &Daemon, digest: &str) -> u64 {
    let path = daemon.data_root().join("ingest").join(&digest["sha256:".len()..]);
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[test]
fn an_image_is_pulled_and_runs() {
    let (daemon, registry) = pair();
    let (image, large) = image(300_000);
    let digest = registry.put_image("a/b", "1", &image);
    let name = format!("{}/a/b:1", registry.host());
    for cli in [Cli::Sampan, Cli::Docker] {
        let pulled = daemon.run(cli, &["pull", &name]).ok();
        let lines: Vec<&str> = pulled.lines().collect();
        assert_eq!(lines[0], "1: Pulling from a/b", "{pulled}");
        let short = &large.digest()["sha256:".len()..][..12];
        for state in ["Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"] {
            assert!(lines.contains(&format!("{short}: {state}").as_str()), "{pulled}");
        }
        let last =
            [format!("Digest: {digest}"), format!("Status: Downloaded newer image for {name}"), name.clone()];
        assert_eq!(lines[lines.len() - 3..], last, "{pulled}");
        let again = daemon.run(cli, &["pull", &name]).ok();
        assert!(again.contains(&format!("Status: Image is up to date for {name}")), "{again}");
        assert_eq!(daemon.run(cli, &["pull", "-q", &name]).ok(), name);
        assert_eq!(daemon.run(cli, &["run", "--rm", &name]).ok(), "300000");
        let inspected =
            daemon.run(cli, &["image", "inspect", "--format", "{{.Id}} {{.RepoDigests}}", &name]).ok();
        assert_eq!(inspected, format!("{} [{}/a/b@{digest}]", image.id(), registry.host()));
        let steps =
            daemon.run(cli, &["history", "--no-trunc", "--format", "{{.ID}} {{.CreatedBy}}", &name]).ok();
        assert_eq!(steps, format!("{} a test\n<missing> a test", image.id()));
        // By its digest it has no tag, and with its last name it goes.
        daemon.run(cli, &["rmi", &name]).ok();
        let by_digest = format!("{}/a/b@{digest}", registry.host());
        let pulled = daemon.run(cli, &["pull", &by_digest]).ok();
        assert!(
            pulled.starts_with(&format!("{}/a/b@{digest}: Pulling from a/b", registry.host()))
                || pulled.starts_with(&format!("{digest}: Pulling from a/b")),
            "{pulled}"
        );
        daemon.run(cli, &["rmi", &by_digest]).ok();
    }
}

#[test]
fn run_brings_a_missing_image() {
    let (daemon, registry) = pair();
    let (image, _) = image(1000);
    registry.put_image("a", "latest", &image);
    let name = format!("{}/a", registry.host());
    let outputs = [Cli::Sampan, Cli::Docker].map(|cli| {
        let never = daemon.run(cli, &["run", "--rm", "--pull", "never", &name]);
        assert!(never.code == 125 && never.stderr.contains("No such image"), "{never:?}");
        let quiet = daemon.run(cli, &["run", "--rm", "-q", &name]);
        assert_eq!((quiet.ok().as_str(), quiet.stderr.as_str()), ("1000", ""), "{quiet:?}");
        daemon.run(cli, &["rmi", &name]).ok();
        let output = daemon.run(cli, &["run", "--rm", &name]);
        assert_eq!(output.ok(), "1000");
        let always = daemon.run(cli, &["run", "--rm", "--pull", "always", &name]);
        assert!(always.stderr.contains("Image is up to date"), "{always:?}");
        let other = daemon.run(cli, &["create", "--pull", "never", "--platform", "linux/arm64", &name]);
        assert!(other.stderr.contains("does not match the specified platform (linux/arm64)"), "{other:?}");
        daemon.run(cli, &["rmi", &name]).ok();
        let mut lines: Vec<String> = output.stderr.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    });
    assert_eq!(outputs[0], outputs[1]);
    assert!(outputs[0].contains(&format!("Unable to find image '{name}:latest' locally")), "{outputs:?}");
    assert_eq!(daemon.run(Cli::Sampan, &["images", "-q"]).ok().lines().count(), 1);
}

#[test]
fn refusals_are_equal() {
    let (daemon, registry) = pair();
    let (image, _) = image(10);
    let manifest = registry.put_image("a", "1", &image);
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest, "size": 1,
            "platform": { "os": "linux", "architecture": "riscv64" },
        }],
    });
    registry.put_manifest("a", "2", "application/vnd.oci.image.index.v1+json", index.to_string().as_bytes());
    let host = registry.host();
    for (words, want) in [
        (vec![format!("{host}/a:none")], "manifest unknown: manifest unknown".to_owned()),
        (
            vec![format!("{host}/a:2")],
            "no matching manifest for linux/amd64 in the manifest list entries".to_owned(),
        ),
        (vec!["127.0.0.1:1/a".to_owned()], "dial tcp 127.0.0.1:1: connect: connection refused".to_owned()),
        (
            vec!["--platform".to_owned(), "nope".to_owned(), format!("{host}/a")],
            "unknown operating system".to_owned(),
        ),
        (vec!["UPPER".to_owned()], "must be lowercase".to_owned()),
    ] {
        let words: Vec<&str> = ["pull"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let [ours, dockers] = [Cli::Sampan, Cli::Docker].map(|cli| daemon.run(cli, &words));
        assert!(ours.code == 1 && ours.stderr.contains(&want), "{ours:?}");
        assert_eq!(ours.stderr, dockers.stderr);
    }
    assert_eq!(leftovers(&daemon).len(), empty_daemon());
}

/// What the built-in image has: its configuration, its layer, and that unpacked.
const fn empty_daemon() -> usize {
    3
}

#[test]
fn credentials_come_from_dockers_file() {
    let (daemon, registry) = pair();
    let (image, _) = image(10);
    registry.put_image("a", "1", &image);
    let login =
        Login { challenge: "Basic realm=x".into(), wanted: "Basic dTpw".into(), at_token: String::new() };
    registry.misbehave(|faults| faults.login = Some(login));
    let name = format!("{}/a:1", registry.host());
    let refused = daemon.run(Cli::Sampan, &["pull", &name]);
    assert!(refused.stderr.contains("no basic auth credentials"), "{refused:?}");
    let file = serde_json::json!({ "auths": { registry.host(): { "auth": "dTpw" } } });
    fs::write(daemon.scratch().join("config.json"), file.to_string()).unwrap();
    for cli in [Cli::Sampan, Cli::Docker] {
        daemon.run(cli, &["pull", &name]).ok();
        daemon.run(cli, &["rmi", &name]).ok();
    }
}

#[test]
fn what_is_refused_leaves_nothing() {
    let (daemon, registry) = pair();
    let base = LayerBlob::gzip(&root_file_system());
    let evil = LayerBlob::plain(&tar_of("../../escaped", b"x"));
    let good = LayerBlob::gzip(&tar_of("good", &noise(50_000)));
    registry.put_image("evil", "1", &Image::new(vec![base.clone(), evil.clone()], &["true"]));
    registry.put_image("wrong", "1", &Image::new(vec![base.clone(), good.clone()], &["true"]));
    let lying = LayerBlob { diff_id: evil.diff_id.clone(), ..good.clone() };
    registry.put_image("lying", "1", &Image::new(vec![base, lying], &["true"]));
    registry.misbehave(|faults| {
        let wrong = noise(good.blob.len());
        faults.instead.insert(good.digest(), wrong);
    });
    let pull = |name: &str, want: &str| {
        let refused = daemon.run(Cli::Sampan, &["pull", &format!("{}/{name}:1", registry.host())]);
        assert!(refused.code == 1 && refused.stderr.contains(want), "{refused:?}");
        assert_eq!(leftovers(&daemon).len(), empty_daemon(), "{name}");
    };
    pull("evil", "\"../../escaped\"");
    pull("wrong", &format!("filesystem layer verification failed for digest {}", good.digest()));
    registry.misbehave(|faults| faults.instead.clear());
    pull("lying", "the image's configuration says");
    assert!(!Path::new("/escaped").exists() && !daemon.data_root().join("escaped").exists());
}

#[test]
fn a_killed_daemons_pull_goes_on() {
    let (mut daemon, registry) = pair();
    let (image, large) = image(3_000_000);
    registry.put_image("a", "1", &image);
    let name = format!("{}/a:1", registry.host());
    let (digest, half) = (large.digest(), large.blob.len() / 2);
    registry.misbehave(|faults| faults.hold = Some((digest.clone(), half)));
    let waiting = Session::start(daemon.client(Cli::Sampan, &["pull", &name]));
    eventually("half of it is there", || kept(&daemon, &digest) == half as u64);
    daemon.kill9();
    drop(waiting);
    registry.misbehave(|faults| faults.hold = None);
    daemon.start_again();
    assert_eq!(leftovers(&daemon).len(), empty_daemon());
    assert_eq!(daemon.run(Cli::Docker, &["run", "--rm", &name]).ok(), "3000000");
    // Each byte came once.
    assert_eq!(registry.sent(&digest), large.blob.len() as u64);
    assert_eq!(kept(&daemon, &digest), 0);
}

#[test]
fn a_pull_ends_with_its_client() {
    let (daemon, registry) = pair();
    let (image, large) = image(3_000_000);
    registry.put_image("a", "1", &image);
    let name = format!("{}/a:1", registry.host());
    let (digest, half) = (large.digest(), large.blob.len() / 2);
    registry.misbehave(|faults| faults.hold = Some((digest.clone(), half)));
    for cli in [Cli::Sampan, Cli::Docker] {
        let waiting = Session::start(daemon.client(cli, &["pull", &name]));
        waiting.wait_for_text("Pulling fs layer");
        eventually("half of it is there", || kept(&daemon, &digest) == half as u64);
        drop(waiting);
        eventually("nothing of it is left", || leftovers(&daemon).len() == empty_daemon());
    }
    registry.misbehave(|faults| faults.hold = None);
    assert_eq!(daemon.sampan(&["run", "--rm", "-q", &name]), "3000000");
    assert_eq!(registry.sent(&digest), large.blob.len() as u64);
}

#[test]
fn two_pulls_share_what_they_can() {
    let (daemon, registry) = pair();
    let (image, large) = image(1_000_000);
    let own = LayerBlob::gzip(&tar_of("own", b"own"));
    registry.put_image("a", "1", &image);
    let base = LayerBlob::gzip(&root_file_system());
    registry.put_image("b", "1", &Image::new(vec![base.clone(), large.clone(), own], &["cat", "/own"]));
    let digest = large.digest();
    registry.misbehave(|faults| faults.hold = Some((digest.clone(), 1000)));
    let name = |image: &str| format!("{}/{image}:1", registry.host());
    let one = Session::start(daemon.client(Cli::Sampan, &["pull", &name("a")]));
    eventually("it is on its way", || registry.sent(&digest) == 1000);
    let other = Session::start(daemon.client(Cli::Docker, &["pull", &name("b")]));
    other.wait_for_text("Waiting");
    registry.misbehave(|faults| faults.hold = None);
    one.finish().ok();
    other.finish().ok();
    assert_eq!(registry.sent(&digest), large.blob.len() as u64);
    assert_eq!(registry.sent(&base.digest()), base.blob.len() as u64);
    assert_eq!(daemon.sampan(&["run", "--rm", &name("b")]), "own");
    // What another image needs stays.
    daemon.sampan(&["rmi", &name("a")]);
    assert_eq!(daemon.sampan(&["run", "--rm", &name("b")]), "own");
    assert!(daemon.sampan(&["image", "prune", "-a", "-f"]).contains(&format!("untagged: {}", name("b"))));
    assert_eq!(leftovers(&daemon), Vec::<String>::new());
}

#[test]
fn a_failed_step_leaves_nothing() {
    let (mut daemon, registry) = pair();
    let (image, _) = image(10_000);
    registry.put_image("a", "1", &image);
    let name = format!("{}/a:1", registry.host());
    for step in ["pull.manifest", "pull.config", "pull.layers"] {
        daemon.terminate();
        daemon.set("SAMPAN_FAIL_AFTER", step);
        daemon.start_again();
        assert_eq!(daemon.run(Cli::Sampan, &["pull", &name]).code, 1, "{step}");
        assert_eq!(leftovers(&daemon).len(), empty_daemon(), "{step}");
    }
    daemon.terminate();
    daemon.set("SAMPAN_FAIL_AFTER", "");
    for step in ["pull.manifest", "pull.config", "pull.layers", "pull.commit"] {
        daemon.set("SAMPAN_DIE_AFTER", step);
        daemon.start_again();
        let client = Session::start(daemon.client(Cli::Sampan, &["pull", &name]));
        daemon.wait();
        drop(client);
        daemon.set("SAMPAN_DIE_AFTER", "");
        daemon.start_again();
        let whole = step == "pull.commit";
        assert_eq!(leftovers(&daemon).len() == empty_daemon(), !whole, "{step}");
        if whole {
            assert_eq!(daemon.sampan(&["run", "--rm", "--pull", "never", &name]), "10000");
        }
        daemon.terminate();
    }
    daemon.start_again();
}

#[test]
fn from_debians_registry() {
    let daemon = Daemon::start(programs!());
    let _registry = registry::debians(&daemon);
    let (image, _) = image(5_000_000);
    daemon.network().inside(|| registry::push(registry::DEBIANS, "a/b", "1", &image));
    let name = format!("{}/a/b:1", registry::DEBIANS);
    for cli in [Cli::Sampan, Cli::Docker] {
        assert_eq!(daemon.run(cli, &["run", "--rm", &name]).ok(), "5000000");
        daemon.run(cli, &["rmi", &name]).ok();
    }
}
