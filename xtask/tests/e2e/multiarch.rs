//! `cargo xtask ci-multiarch --push` from clean checkouts of the fixture: to the engine's registry, and to
//! registries that reject the push.

use std::process::Command;

use serde_json::Value;

use crate::fixture::Fixture;
use crate::support::{engine, show, succeed, tool};

/// Returns a repository name that is unique to this test run.
fn repository(registry: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{registry}/multiarch-{}", now.unwrap().as_nanos())
}

fn push(fixture: &Fixture, registry: &str) -> Command {
    let words = ["--quiet", "ci-multiarch", "--targets", "linux", "--json"];
    let mut xtask = fixture.xtask(&words);
    xtask.args(["--push", "--registry", registry]);
    xtask
}

/// Pushes, which must succeed. Returns the JSON output.
fn pushed(fixture: &Fixture, registry: &str) -> Value {
    serde_json::from_str(&succeed(&mut push(fixture, registry))).unwrap()
}

fn served(repository: &str, tag: &str) -> Option<String> {
    let name = format!("{repository}/noetl:{tag}");
    let digest = succeed(tool("crane")?.args(["digest", "--insecure", &name]));
    Some(digest.trim().to_owned())
}

#[test]
fn a_commits_image_is_published_once_and_latest_follows() {
    let Some(registry) = engine() else { return };
    let Some(checkout) = Fixture::new() else {
        return;
    };
    let repository = repository(&registry);
    let Some(first) = checkout.git(&["rev-parse", "HEAD"]) else {
        return;
    };
    let first = first.trim();
    let made = pushed(&checkout, &repository);
    let digest = made["index_digest"].as_str().unwrap();
    for tag in [first, "latest"] {
        let Some(found) = served(&repository, tag) else {
            return;
        };
        assert_eq!(found, digest, "{tag}");
    }
    // A push from a clean clone of the same commit uploads nothing.
    let Some(again) = checkout.another() else {
        return;
    };
    succeed(&mut push(&again, &repository));
    let summary = again.root().join("target/xtask/summary/summary.md");
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(summary.contains("Pushed, 0.0 MB sent"), "{summary}");
    // A new commit, which has a release tag.
    std::fs::write(checkout.root().join("README.md"), "# Changed\n").unwrap();
    checkout.commit("Second");
    checkout.git(&["tag", "v1.2.3"]);
    let second = pushed(&checkout, &repository);
    let newer = second["index_digest"].as_str().unwrap();
    assert_ne!(newer, digest);
    for (tag, expected) in [
        ("latest", newer),
        ("v1.2.3", newer),
        ("1.2.3", newer),
        (first, digest),
    ] {
        assert_eq!(served(&repository, tag).as_deref(), Some(expected), "{tag}");
    }
}

#[test]
fn an_unreachable_registry_is_an_error_and_the_dist_is_kept() {
    let Some(checkout) = Fixture::new() else {
        return;
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let said = show(&mut push(&checkout, &address));
    assert!(said.contains(&address) && said.contains("help: "), "{said}");
    assert!(said.ends_with("[exit 1]"), "{said}");
    assert!(
        checkout.root().join("dist/SHA256SUMS").is_file(),
        "what was built is kept"
    );
}

/// When the push of a second commit fails, `latest` still points to the first one.
#[cfg(unix)]
#[test]
fn a_registry_that_rejects_a_push_keeps_latest() {
    use crate::registry::{Registry, request};
    use crate::registry_auth::{PASSWORDS, USER, auths, docker_config, passwords};

    let (Some(open), Some(checkout)) = (Registry::start(), Fixture::new()) else {
        return;
    };
    let made = pushed(&checkout, &open.address);
    let digest = made["index_digest"].as_str().unwrap();
    std::fs::write(checkout.root().join("README.md"), "# Changed\n").unwrap();
    checkout.commit("Second");
    let latest = |registry: &Registry| {
        request(&registry.address, "HEAD", "noetl/manifests/latest", None).digest
    };

    let read_only = "maintenance: {readonly: {enabled: true}}";
    let Some(read_only) = open.copy(read_only, "", |_| {}) else {
        return;
    };
    let said = show(&mut push(&checkout, &read_only.address));
    let named =
        said.contains(&read_only.address) && said.contains("405") && said.contains("help: ");
    assert!(named && said.ends_with("[exit 1]"), "{said}");
    assert_eq!(latest(&read_only).as_deref(), Some(digest), "{said}");

    let Some(guarded) = open.copy("", PASSWORDS, passwords) else {
        return;
    };
    let wrong = docker_config(&auths(&guarded.address, USER, "hunter2"));
    let said = show(push(&checkout, &guarded.address).env("DOCKER_CONFIG", wrong.path()));
    let refused = format!(
        "{} refuses user `{USER}` (credentials from ",
        guarded.address
    );
    assert!(
        said.contains(&refused) && !said.contains("hunter2"),
        "{said}"
    );
    assert!(
        said.contains("help: ") && said.ends_with("[exit 1]"),
        "{said}"
    );
    let Some(seen) = guarded.copy("", "", |_| {}) else {
        return;
    };
    assert_eq!(latest(&seen).as_deref(), Some(digest), "{said}");
    assert_eq!(latest(&open).as_deref(), Some(digest));
}
