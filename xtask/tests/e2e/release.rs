//! `cargo xtask release`: planned, rehearsed, made against stand-ins and against registries of others, and refused.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use noetl_oci::Sha256;
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::registry::Registry;
use crate::support::{is_checkout, pinned, show, succeed, without_cargo_variables};

/// Tokens, which the stand-ins take as they are.
const TOKENS: [(&str, &str); 4] = [
    ("GITHUB_TOKEN", "of-a-test"),
    ("PYPI_TOKEN", "of-a-test"),
    ("NPM_TOKEN", "of-a-test"),
    ("CARGO_REGISTRY_TOKEN", "of-a-test"),
];

/// Returns `cargo xtask release` without the tokens of the machine, and without the identity of a workflow.
fn release(fixture: &Fixture, args: &[&str]) -> Command {
    let mut command = fixture.xtask(&[&["release"], args].concat());
    for name in [
        "GH_TOKEN",
        "NOETL_CHANNELS_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "GITHUB_ACTIONS",
    ] {
        command.env_remove(name);
    }
    for (name, _) in TOKENS {
        command.env_remove(name);
    }
    command
}

/// Commits as the user of the fixture.
fn identify(fixture: &Fixture) -> Option<()> {
    fixture.git(&["config", "user.name", "Test"])?;
    fixture.git(&["config", "user.email", "test@localhost"])?;
    Some(())
}

/// The stand-ins of a fixture, stopped when dropped.
struct Services {
    server: Child,
    /// Where they are, for `--remotes`.
    remotes: PathBuf,
}

impl Services {
    fn start(fixture: &Fixture) -> Self {
        let mut server = release(fixture, &["rehearse", "--serve"]);
        server.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = server.spawn().unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut text = String::new();
        for line in lines {
            text.push_str(&line.unwrap());
            if serde_json::from_str::<Value>(&text).is_ok() {
                break;
            }
        }
        let remotes = fixture.root().join("target/remotes.json");
        fs::write(&remotes, text).unwrap();
        Self { server, remotes }
    }

    fn to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.arg("--remotes").arg(&self.remotes).envs(TOKENS)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// pypiserver without passwords, stopped when dropped.
struct Index {
    server: Child,
    url: String,
}

impl Index {
    fn start(folder: &Path) -> Option<Self> {
        let port = free_port();
        let mut server = pinned("pypiserver", "pypi-server")?;
        let arguments = ["run", "-i", "127.0.0.1", "-P", ".", "-a", ".", "-p"];
        server.args(arguments).arg(port.to_string()).arg(folder);
        let server = server.stdout(Stdio::null()).stderr(Stdio::null());
        let server = server.spawn().unwrap();
        let index = Self {
            server,
            url: format!("http://127.0.0.1:{port}"),
        };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(index);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("pypiserver does not start");
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn a_release_is_rehearsed_with_stand_ins_and_with_registries_of_others() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    succeed(&mut fixture.xtask(&["--quiet", "dist", "--targets", "linux"]));
    let rehearsed: Value =
        serde_json::from_str(&succeed(&mut release(&fixture, &["rehearse", "--json"]))).unwrap();
    assert_eq!(rehearsed["plan"], rehearsed["transcript"]);
    let transcript = fs::read(rehearsed["file"].as_str().unwrap()).unwrap();
    assert_eq!(rehearsed["plan"], json!(Sha256::of(&transcript)));
    let lines = transcript.split(|byte| *byte == b'\n').count() - 1;
    assert_eq!(rehearsed["changes"], lines);
    let row = ["rehearse", "--faults", "--steps", "npm", "--json"];
    let cells: Vec<Value> = serde_json::from_str(&succeed(&mut release(&fixture, &row))).unwrap();
    assert_eq!(cells.len(), 13, "{cells:?}");

    let folder = tempfile::tempdir().unwrap();
    let (Some(index), Some(registry)) = (Index::start(folder.path()), Registry::start()) else {
        return;
    };
    let mut others = release(&fixture, &["rehearse", "--json", "--pypi", &index.url]);
    let others = succeed(others.args(["--registry", &registry.address]));
    let others: Value = serde_json::from_str(&others).unwrap();
    assert_eq!(others["plan"], rehearsed["plan"]);
    let wheels = fs::read_dir(folder.path()).unwrap();
    assert_eq!(wheels.count(), 3, "two wheels and the sources");
}

#[test]
fn the_next_version_is_committed_built_published_and_verified() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    if identify(&fixture).is_none() {
        return;
    }
    let services = Services::start(&fixture);
    let text = fs::read_to_string(&services.remotes).unwrap();
    let planned = succeed(services.to(&mut release(&fixture, &["minor", "--json"])));
    let planned: Value = serde_json::from_str(&planned).unwrap();
    assert_eq!(planned["preparation"]["version"], "1.3.0");
    assert_eq!(planned["problems"], json!([]));
    assert_eq!(fixture.git(&["status", "--porcelain"]).unwrap(), "");

    succeed(services.to(&mut release(&fixture, &["minor", "--execute"])));
    let said = fixture.git(&["log", "-1", "--format=%s"]).unwrap();
    assert_eq!(said, "Release 1.3.0\n");
    assert_eq!(
        fixture.git(&["tag", "--points-at", "HEAD"]).unwrap(),
        "v1.3.0\n"
    );
    let changelog = fixture.root().join("crates/noetlctl/CHANGELOG.md");
    let changelog = fs::read_to_string(changelog).unwrap();
    assert!(changelog.contains("## 1.3.0 (20"), "{changelog}");
    let mut verify = release(&fixture, &["verify", "v1.3.0", "--json", "--remotes"]);
    let checks = succeed(verify.arg(&services.remotes));
    let checks: Vec<Value> = serde_json::from_str(&checks).unwrap();
    let results = checks.iter().filter(|it| it["result"] == "passed");
    assert!(results.count() > 15, "{checks:?}");

    // Against registries that do not have it, each package is named.
    let empty = Services::start(&fixture);
    let place = |services: &Services| -> Value {
        serde_json::from_slice(&fs::read(&services.remotes).unwrap()).unwrap()
    };
    let mut mixed: Value = serde_json::from_str(&text).unwrap();
    for service in ["npm", "pypi-index"] {
        mixed["services"][service] = place(&empty)["services"][service].clone();
    }
    fs::write(&empty.remotes, mixed.to_string()).unwrap();
    let mut verify = release(&fixture, &["verify", "v1.3.0", "--remotes"]);
    let said = show(verify.arg(&empty.remotes));
    for missing in ["npm: noetl 1.3.0", "Python's index: noetlctl-1.3.0.tar.gz"] {
        assert!(
            said.contains(&format!("FAILED       {missing}: it is not there")),
            "{said}"
        );
    }
    assert!(
        said.ends_with("help: do not use it; tell the project what failed\n[exit 1]"),
        "{said}"
    );
    fs::write(&services.remotes, &text).unwrap();

    // A second dist of the same version with other bytes is in the way of nothing that is published.
    let readme = fixture.root().join("README.md");
    fs::write(&readme, "# Another\n").unwrap();
    fixture.commit("Another").unwrap();
    let said = show(services.to(&mut release(&fixture, &["1.3.0", "--execute"])));
    assert!(said.contains("has the tag v1.3.0 on "), "{said}");
    assert!(said.ends_with("nothing was published\n[exit 1]"), "{said}");
}

/// cargo itself says what a crate lacks, such as a version of one that it depends on.
#[test]
fn every_crate_of_this_repository_can_be_packed() {
    if !is_checkout() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let crates = [
        "noetl-api",
        "noetl-checkout",
        "noetl-engine",
        "noetl-gzip",
        "noetl-help",
        "noetl-oci",
        "noetl-server",
        "noetl-yaml",
        "noetlctl",
    ];
    let mut package = without_cargo_variables("cargo");
    package.args(["package", "--quiet", "--locked", "--offline", "--no-verify"]);
    package
        .args(["--allow-dirty", "--target-dir"])
        .arg(folder.path());
    for name in crates {
        package.args(["--package", name]);
    }
    succeed(&mut package);
    let packed = fs::read_dir(folder.path().join("package")).unwrap();
    let names = packed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".crate")).collect();
    names.sort();
    let version = env!("CARGO_PKG_VERSION");
    let expected = crates.map(|name| format!("{name}-{version}.crate"));
    assert_eq!(names, expected);
}

#[test]
fn everything_that_prevents_a_release_is_reported_at_once() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    if identify(&fixture).is_none() {
        return;
    }
    let changelog = fixture.root().join("crates/noetlctl/CHANGELOG.md");
    fs::write(&changelog, "# Changelog\n\n## Unreleased\n").unwrap();
    fixture.commit("docs: nothing is said").unwrap();
    fixture.git(&["tag", "v9.0.0"]).unwrap();
    let services = Services::start(&fixture);
    // The remote has a commit that this checkout lacks, and the tag elsewhere.
    let remote: Value = serde_json::from_slice(&fs::read(&services.remotes).unwrap()).unwrap();
    let other = fixture.another().unwrap();
    fs::write(other.root().join("README.md"), "# Of somebody else\n").unwrap();
    other.commit("Somebody else").unwrap();
    let git = remote["git"].as_str().unwrap();
    other
        .git(&[
            "push",
            "--quiet",
            "--force",
            git,
            "HEAD:refs/heads/main",
            "HEAD:refs/tags/v1.2.3",
        ])
        .unwrap();
    fs::write(fixture.root().join("README.md"), "# Edited\n").unwrap();
    let before = fixture.git(&["status", "--porcelain", "--branch"]).unwrap();

    let mut command = release(&fixture, &["--execute", "--dist", "nowhere"]);
    let command = command.arg("--remotes").arg(&services.remotes);
    let said = show(command.env("GITHUB_TOKEN", "expired").env("NPM_TOKEN", "x"));
    for expected in [
        "the tree differs from its commit",
        "the changelog says nothing about 1.2.3",
        "the commit has the tag v9.0.0, and Cargo.toml says 1.2.3",
        "has the tag v1.2.3 on ",
        "this checkout is behind main of ",
        "nowhere is not the dist of ",
        "there is no token for crates",
        "there is no token for pypi",
        "401 Bad credentials",
    ] {
        assert!(said.contains(expected), "{expected}:\n{said}");
    }
    assert!(!said.contains("no token for npm"), "{said}");
    assert!(said.contains("9 things prevent the release"), "{said}");
    assert_eq!(said.matches("    help: ").count(), 9, "{said}");
    assert!(!said.contains("expired-"), "{said}");
    assert_eq!(
        fixture.git(&["status", "--porcelain", "--branch"]).unwrap(),
        before
    );

    let said = show(&mut release(&fixture, &["next"]));
    assert!(
        said.contains("neither patch, minor, major nor a version") && said.ends_with("[exit 2]"),
        "{said}"
    );
    let mut file = fs::File::open(&services.remotes).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    fs::write(&services.remotes, text.replace("\"npm\"", "\"mpn\"")).unwrap();
    let said = show(services.to(&mut release(&fixture, &[])));
    assert!(
        said.contains("does not say where the services are"),
        "{said}"
    );
}

#[test]
fn a_token_that_may_not_write_is_told_before_anything_is_published() {
    let Some(fixture) = Fixture::new() else {
        return;
    };
    let services = Services::start(&fixture);
    let mut command = release(&fixture, &["--execute"]);
    let command = services.to(&mut command);
    let refused = show(command.env("NOETL_CHANNELS_TOKEN", "readonly"));
    for repository in ["noetl/homebrew-tap", "noetl/winget-pkgs"] {
        let expected = format!("the token may not write to {repository}");
        assert!(refused.contains(&expected), "{refused}");
    }
    assert!(
        !refused.contains("may not write to noetl/noetl"),
        "{refused}"
    );
    assert!(
        refused.ends_with("nothing was published\n[exit 1]"),
        "{refused}"
    );
}
