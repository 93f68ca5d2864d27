//! `noetl self update`, with a mirror whose installer only writes down how it was called.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use noetl_oci::Sha256;

use crate::fake::{Answer, Fake};
use crate::support::{Home, show};

const INSTALLER: &str = "#!/bin/sh\necho \"$NOETL_DOWNLOAD_URL $*\" >\"$HOME/called\"\n";

/// A mirror with a release; the installer has this content.
fn mirror(version: &'static str, installer: &'static str) -> Fake {
    Fake::new(move |request| {
        let hash = Sha256::of(INSTALLER.as_bytes());
        let sums = format!(
            "{hash}  install.sh\n{hash}  noetl-v{version}-x86_64-unknown-linux-musl.tar.gz\n"
        );
        let path = request.line.trim_start_matches("GET ");
        match path.strip_suffix("/SHA256SUMS") {
            Some("/latest") => Answer::html(200, &sums),
            Some(folder) if folder == format!("/v{version}") => Answer::html(200, &sums),
            _ if path == format!("/v{version}/install.sh") => Answer::html(200, installer),
            _ => Answer::html(404, ""),
        }
    })
}

/// Copies the binary to a folder of this home. Returns its path.
fn copy(home: &Home, folder: &str) -> PathBuf {
    let folder = home.path().join(folder);
    fs::create_dir_all(&folder).unwrap();
    let copy = folder.join("noetl");
    // By another process: one that is started meanwhile by another test would keep a file open that this one writes, and a
    // file that is open for writing cannot be run.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_noetl"))
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    copy
}

fn update(home: &Home, program: &Path, mirror: &Fake, options: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(["self", "update"]).args(options);
    command.current_dir(home.path()).env("HOME", home.path());
    command
        .env("NOETL_DOWNLOAD_URL", format!("{}/", mirror.url))
        .env("no_proxy", "*");
    show(&command.output().unwrap())
}

#[test]
fn the_installer_of_the_newest_release_is_run() {
    let home = Home::new();
    let program = copy(&home, "a b");
    let mirror = mirror("99.0.0", INSTALLER);
    let called = home.path().join("called");
    let said = update(&home, &program, &mirror, &["--check"]);
    assert!(said.contains("noetl 99.0.0 is released"), "{said}");
    assert!(
        said.contains(": noetl self update") && !called.exists(),
        "{said}"
    );
    let said = update(&home, &program, &mirror, &[]);
    let folder = program.parent().unwrap().canonicalize().unwrap();
    let expected = format!(
        "{} --version 99.0.0 --to {}\n",
        mirror.url,
        folder.display()
    );
    assert_eq!(fs::read_to_string(&called).unwrap(), expected, "{said}");
    let said = update(&home, &program, &mirror, &["--version", "98.0.0"]);
    assert!(said.contains("404") && said.contains("help: "), "{said}");
}

#[test]
fn the_newest_release_is_asked_for_once_a_day() {
    let home = Home::new();
    let program = copy(&home, "bin");
    let version = |mirror: &str, set: &[(&str, &str)]| {
        let mut command = Command::new(&program);
        command
            .args(["version", "--check"])
            .env("HOME", home.path());
        command.env_remove("CI").env("no_proxy", "*");
        command.env("NOETL_DOWNLOAD_URL", mirror);
        command.envs(set.iter().copied());
        show(&command.output().unwrap())
    };
    let served = mirror("99.0.0", INSTALLER);
    let url = served.url.clone();
    for set in [("NOETL_NO_UPDATE_CHECK", "1"), ("CI", "true")] {
        let said = version("http://127.0.0.1:9", &[set]);
        let expected = format!("not asked: {} is set", set.0);
        assert!(said.contains(&expected), "{said}");
    }
    let said = version(&url, &[]);
    assert!(
        said.contains("noetl 99.0.0 is released: noetl self update"),
        "{said}"
    );
    assert_eq!(served.requests().len(), 1);
    let said = version(&url, &[]);
    assert!(said.contains("noetl 99.0.0 is released"), "{said}");
    assert_eq!(served.requests().len(), 0);
    let said = version("http://127.0.0.1:9", &[]);
    assert!(
        said.contains("cannot download") && said.contains("help: "),
        "{said}"
    );
    let path = home.path().join(".noetl/newest-release.json");
    let old = fs::read_to_string(&path).unwrap();
    let (start, rest) = old.split_once("\"asked\":").unwrap();
    let (_, rest) = rest.split_once(',').unwrap();
    fs::write(&path, format!("{start}\"asked\":1700000000,{rest}")).unwrap();
    version(&url, &[]);
    assert_eq!(served.requests().len(), 1);
    fs::write(&path, "damaged").unwrap();
    version(&url, &[]);
    assert_eq!(served.requests().len(), 1);
}

#[test]
fn an_installer_that_the_release_does_not_list_is_not_run() {
    let home = Home::new();
    let program = copy(&home, "bin");
    let mirror = mirror("99.0.0", "#!/bin/sh\ntouch \"$HOME/called\"\n");
    let said = update(&home, &program, &mirror, &[]);
    assert!(
        said.contains("has the SHA-256") && said.contains("help: "),
        "{said}"
    );
    assert!(!home.path().join("called").exists());
}

#[test]
fn a_package_manager_updates_what_it_has_installed() {
    let home = Home::new();
    let program = copy(&home, "Cellar/noetl/0.1.0/bin");
    let newer = mirror("99.0.0", INSTALLER);
    let said = update(&home, &program, &newer, &[]);
    assert!(said.contains("was installed by Homebrew"), "{said}");
    assert!(said.contains("help: brew upgrade noetl"), "{said}");
    let said = update(&home, &program, &newer, &["--check"]);
    assert!(said.contains(": brew upgrade noetl"), "{said}");
    assert!(!home.path().join("called").exists());
    let older = mirror("0.0.1", INSTALLER);
    let said = update(&home, &program, &older, &[]);
    assert!(
        said.contains("is newer than the newest release, 0.0.1"),
        "{said}"
    );
}
