//! Packages of package managers, installed by them and run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Dist, command, skipped, succeed, tool};

/// The wheels of a dist: target, and path.
fn wheels(dist: &Dist) -> Vec<(String, PathBuf)> {
    let artifacts = dist.manifest["artifacts"].as_array().unwrap();
    let wheels = artifacts.iter().filter_map(|artifact| {
        let target = artifact["content"]["wheel"]["target"].as_str()?;
        let path = dist.folder.join(artifact["name"].as_str().unwrap());
        Some((target.to_owned(), path))
    });
    wheels.collect()
}

/// Runs `program args` and checks that it prints the dist's version.
fn prints_version(dist: &Dist, command: &mut Command) {
    let version = dist.manifest["release"]["version"].as_str().unwrap();
    let said = succeed(command.arg("--version"));
    assert!(said.contains(version), "{said}");
}

fn venv(folder: &Path) -> Option<PathBuf> {
    // Debian has the pip of environments in a package of its own; the one of this machine installs into them.
    succeed(
        tool("python3")?
            .args(["-m", "venv", "--without-pip"])
            .arg(folder),
    );
    Some(folder.join("bin"))
}

/// pip of a new environment installs the wheel for this machine, and each way to start it works.
#[test]
#[cfg(target_os = "linux")]
fn pip_installs_a_wheel_that_runs() {
    let Some(dist) = Dist::find() else { return };
    let own = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let all = wheels(&dist);
    let Some((_, wheel)) = all.iter().find(|(target, _)| *target == own) else {
        panic!("a Linux dist has a wheel: {all:?}");
    };
    let folder = tempfile::tempdir().unwrap();
    // A path with spaces, and a `noetl` on PATH that must not be taken for the wheel's.
    let folder = folder.path().join("a b");
    let Some(bin) = venv(&folder.join("env")) else {
        return;
    };
    let pip = |words: &[&str]| {
        let mut pip = command("python3");
        pip.args(["-m", "pip", "--disable-pip-version-check", "--python"])
            .arg(bin.join("python"));
        succeed(
            pip.args(["install", "--quiet", "--no-index"])
                .args(words)
                .arg(wheel),
        );
    };
    // Not in the checkout, whose generated package `noetl` would be found first.
    let python = || {
        let mut python = command(bin.join("python"));
        python.current_dir(&folder);
        python
    };
    pip(&[]);
    prints_version(&dist, &mut command(bin.join("noetl")));
    prints_version(&dist, python().args(["-m", "noetl"]));
    let said = succeed(python().args(["-m", "noetl.server", "--help"]));
    for flag in ["--host", "--port", "--init-db"] {
        assert!(said.contains(flag), "{flag}: {said}");
    }
    let page = folder.join("env/share/man/man1/noetl.1");
    assert!(
        std::fs::read_to_string(page)
            .unwrap()
            .contains(".TH noetl 1")
    );
    // A checkout may lie anywhere.
    let anywhere = "import pathlib, noetl._launcher as it; it.PACKAGE = pathlib.Path('/noetl'); it.candidates()";
    succeed(python().args(["-c", anywhere]));
    // Elsewhere than in the environment.
    for (option, python_path) in [
        ("--target", "x"),
        ("--prefix", "y/lib/PYTHON/site-packages"),
    ] {
        let to = folder.join(python_path.split('/').next().unwrap());
        pip(&["--ignore-installed", option, to.to_str().unwrap()]);
        let version = "import sys; print(f'python{sys.version_info[0]}.{sys.version_info[1]}')";
        let version = succeed(python().args(["-c", version]));
        let python_path = folder.join(python_path.replace("PYTHON", version.trim()));
        let mut elsewhere = python();
        elsewhere
            .env("PYTHONPATH", python_path)
            .args(["-m", "noetl"]);
        // The one in the environment is out of the way.
        std::fs::rename(bin.join("noetl"), bin.join("noetl.away")).unwrap();
        prints_version(&dist, &mut elsewhere);
        std::fs::rename(bin.join("noetl.away"), bin.join("noetl")).unwrap();
    }
    std::fs::remove_file(bin.join("noetl")).unwrap();
    let said = python()
        .args(["-m", "noetl", "--version"])
        .output()
        .unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(
        said.contains("help: pip install --force-reinstall noetlctl"),
        "{said}"
    );
}

/// The npm packages of a dist: target, which `noetl` has none of, and path.
fn npm_packages(dist: &Dist) -> Vec<(Option<String>, PathBuf)> {
    let artifacts = dist.manifest["artifacts"].as_array().unwrap();
    let packages = artifacts
        .iter()
        .filter(|artifact| artifact["content"]["npm"].is_object());
    let packages = packages.map(|artifact| {
        let target = artifact["content"]["npm"]["target"].as_str();
        let path = dist.folder.join(artifact["name"].as_str().unwrap());
        (target.map(str::to_owned), path)
    });
    packages.collect()
}

/// npm installs `noetl` and the package of this platform without a registry, and the program runs, is stopped by a
/// signal, and hands on its exit code. Without the platform's package, the error says what to do.
#[test]
#[cfg(target_os = "linux")]
fn npm_installs_a_package_that_runs() {
    let Some(dist) = Dist::find() else { return };
    if tool("node").is_none() {
        return;
    }
    // It comes with Node; the pinned Node of xtask is not on PATH.
    let Ok(true) = command("npm")
        .arg("--version")
        .output()
        .map(|said| said.status.success())
    else {
        return skipped("npm is not on PATH");
    };
    let own = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let all = npm_packages(&dist);
    let find = |target: Option<&str>| {
        let mut all = all.iter();
        let found = all.find(|(of, _)| of.as_deref() == target);
        found
            .unwrap_or_else(|| panic!("{target:?}: {all:?}"))
            .1
            .clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let install = |name: &str, packages: &[PathBuf]| {
        let project = folder.path().join(name);
        std::fs::create_dir(&project).unwrap();
        std::fs::write(project.join("package.json"), "{\"private\": true}").unwrap();
        let mut npm = command("npm");
        npm.current_dir(&project)
            .args(["install", "--offline", "--no-audit", "--no-fund"]);
        succeed(
            npm.env("npm_config_cache", folder.path().join("cache"))
                .args(packages),
        );
        project.join("node_modules/.bin/noetl")
    };
    let noetl = install("a b", &[find(None), find(Some(&own))]);
    prints_version(&dist, &mut command(&noetl));
    let said = command(&noetl).arg("nonsense").output().unwrap();
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    let mut server = command(&noetl);
    server
        .args(["server", "start", "--port", "0", "--data-dir"])
        .arg(folder.path().join("data"));
    let mut server = server.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut lines = std::io::BufReader::new(server.stdout.take().unwrap());
    while !line.contains("http://") {
        line.clear();
        assert!(
            std::io::BufRead::read_line(&mut lines, &mut line).unwrap() > 0,
            "it ended"
        );
    }
    succeed(command("kill").arg(server.id().to_string()));
    drop(std::io::read_to_string(lines));
    assert_eq!(server.wait().unwrap().code(), Some(0), "a stop in order");
    let alone = install("alone", &[find(None)]);
    let said = command(&alone).arg("--version").output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(
        text.contains("is not installed\nhelp: npm install noetl"),
        "{text}"
    );
}

/// Each wheel is for a platform of its own, so that pip never has a choice.
#[test]
fn no_two_wheels_have_a_tag_in_common() {
    let Some(dist) = Dist::find() else { return };
    let mut tags: Vec<String> = Vec::new();
    for (target, path) in wheels(&dist) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let platforms = name.rsplit('-').next().unwrap();
        assert!(!platforms.is_empty(), "{target}");
        tags.extend(platforms.split('.').map(str::to_owned));
    }
    let count = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), count);
}

/// Python's own zip module reads the whole wheel, and RECORD lists its files.
#[test]
fn python_reads_every_wheel() {
    let Some(dist) = Dist::find() else { return };
    let program = "import sys, zipfile, hashlib, base64, csv, io
wheel = zipfile.ZipFile(sys.argv[1])
assert wheel.testzip() is None
names = wheel.namelist()
record = [name for name in names if name.endswith('.dist-info/RECORD')][0]
rows = list(csv.reader(io.StringIO(wheel.read(record).decode())))
assert [row[0] for row in rows] == names, 'RECORD lists other files'
for name, digest, size in rows:
    if name != record:
        data = wheel.read(name)
        own = 'sha256=' + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
        assert (own, str(len(data))) == (digest, size), name
print(len(names))";
    for (target, path) in wheels(&dist) {
        let Some(mut python) = tool("python3") else {
            return;
        };
        let said = succeed(python.args(["-c", program]).arg(&path));
        assert!(
            said.trim().parse::<usize>().unwrap() > 50,
            "{target}: {said}"
        );
    }
}
