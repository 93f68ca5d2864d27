//! Python packages for a platform that is not this machine's: pip finds the wheels and checks their hashes. They are
//! unpacked here, since what pip installs depends on pip and names this machine's Python.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use anyhow::{Context as _, ensure};
use camino::Utf8PathBuf;
use noetl_help::Help as _;
use noetl_oci::tar::Entry;
use noetl_oci::{Platform, Sha256};

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, output, run, tools};
use crate::image::flavours::Packages;

/// The newest glibc that a wheel may ask for; every Debian and Ubuntu with Python 3.10 or newer has it.
const GLIBC_MINOR: u32 = 31;

/// Returns the command that fetches wheels of all `packages` for one platform and one Python, and no others.
pub(crate) fn plan_download(
    python: &str,
    packages: &Packages,
    platform: &Platform,
    version: &str,
    folder: &str,
) -> CommandLine {
    let machine = match platform.architecture.as_str() {
        "arm64" => "aarch64",
        _ => "x86_64",
    };
    let glibcs = (17..=GLIBC_MINOR).rev();
    let tags = glibcs.map(|minor| format!("manylinux_2_{minor}_{machine}"));
    let tags = tags.chain([format!("manylinux2014_{machine}")]);
    CommandLine::new(python)
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--no-deps", "--only-binary=:all:", "--require-hashes"])
        .args(["--implementation", "cp", "--python-version", version])
        .args(tags.flat_map(|tag| ["--platform".to_owned(), tag]))
        .args(["--requirement", packages.path, "--dest", folder])
}

/// Fetches the wheels, unless they are there, and unpacks them below `into`.
///
/// # Errors
/// When a package has no wheel for the platform, or a hash is another one.
pub(crate) fn entries(
    ctx: &Ctx,
    packages: &Packages,
    platform: &Platform,
    version: &str,
    into: &str,
) -> anyhow::Result<Vec<Entry>> {
    let folder = folder(ctx, packages, platform, version);
    if !folder.is_dir() {
        let title = format!("fetch Python packages for {platform} and Python {version}");
        output::step(ctx, &title, || {
            let unfinished = Utf8PathBuf::from(format!("{folder}.part"));
            files::remove(&unfinished)?;
            let python = tools::python()?;
            run::run(ctx, &plan_download(python, packages, platform, version, unfinished.as_str()))
                .with_context(|| format!("{} has no wheels for {platform} and Python {version}", packages.path))
                .help("check the network; a package without wheels cannot be in an image for every platform")?;
            files::swap_folder(&unfinished, &folder)
        })?;
    }
    let wheels = files::list(&folder)?.into_iter();
    let wheels = wheels.map(|name| Ok((name.clone(), files::read(&folder.join(name))?)));
    unpack(&wheels.collect::<anyhow::Result<Vec<_>>>()?, into)
}

/// Returns the folder for a lock, a platform and a Python.
fn folder(ctx: &Ctx, packages: &Packages, platform: &Platform, version: &str) -> Utf8PathBuf {
    let lock = Sha256::of(packages.requirements.as_bytes()).to_string();
    let name = format!("{}-{version}-{}", platform.architecture, &lock[..16]);
    ctx.state().join("wheels").join(name)
}

/// Returns the files of wheels, as every installer lays them out, below `into`, in path order with their folders.
///
/// Programs, headers and data outside of the packages are left out: they would name a Python.
fn unpack(wheels: &[(String, Vec<u8>)], into: &str) -> anyhow::Result<Vec<Entry>> {
    let into = into.trim_matches('/');
    let mut entries = BTreeMap::new();
    for (name, wheel) in wheels {
        let mut wheel = zip::ZipArchive::new(Cursor::new(wheel))
            .with_context(|| format!("{name} is not a wheel"))?;
        for index in 0..wheel.len() {
            let mut file = wheel
                .by_index(index)
                .with_context(|| format!("{name} is damaged"))?;
            let path = file.name().context("a name is not UTF-8")?.into_owned();
            let Some(path) = installed(&path).filter(|_| file.is_file()) else {
                continue;
            };
            let inside = !path.starts_with('/')
                && path.split('/').all(|part| !["", ".", ".."].contains(&part));
            ensure!(
                inside,
                "{name} holds `{path}`, which is outside of its folder"
            );
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)
                .with_context(|| format!("{path} in {name} is damaged"))?;
            let mode = if file.unix_mode().unwrap_or_default() & 0o111 == 0 {
                0o644
            } else {
                0o755
            };
            let path = format!("{into}/{path}");
            for (end, _) in path.match_indices('/') {
                let folder = Entry::folder(&path[..end], 0o755);
                entries.insert(folder.path.clone(), folder);
            }
            let known = entries.insert(path.clone(), Entry::file(&path, mode, bytes));
            ensure!(known.is_none(), "two packages have {path}");
        }
    }
    Ok(entries.into_values().collect())
}

/// Returns where an installer puts a file of a wheel below `site-packages`, if it belongs there (PEP 427).
fn installed(path: &str) -> Option<String> {
    match path.split_once(".data/") {
        Some((distribution, rest)) if !distribution.contains('/') => {
            let (scheme, rest) = rest.split_once('/')?;
            ["purelib", "platlib"]
                .contains(&scheme)
                .then(|| rest.to_owned())
        }
        _ => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::image::flavours;

    fn wheel(files: &[(&str, u32)]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (path, mode) in files {
            archive
                .start_file(*path, SimpleFileOptions::default().unix_permissions(*mode))
                .unwrap();
            archive.write_all(path.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn wheels_are_laid_out_as_installers_do() {
        let one = wheel(&[
            ("one/lib.so", 0o755),
            ("one/__init__.py", 0o664),
            ("one-1.0.data/platlib/one/more.py", 0o600),
            ("one-1.0.data/scripts/one", 0o755),
            ("one-1.0.dist-info/RECORD", 0o644),
        ]);
        let two = wheel(&[("two.py", 0o644)]);
        let entries = unpack(
            &[("one.whl".into(), one), ("two.whl".into(), two)],
            "/opt/x",
        )
        .unwrap();
        let listed: Vec<_> = entries
            .iter()
            .map(|entry| format!("{:o} {}", entry.mode, entry.path))
            .collect();
        insta::assert_snapshot!(listed.join("\n"), @r"
        755 opt/
        755 opt/x/
        755 opt/x/one-1.0.dist-info/
        644 opt/x/one-1.0.dist-info/RECORD
        755 opt/x/one/
        644 opt/x/one/__init__.py
        755 opt/x/one/lib.so
        644 opt/x/one/more.py
        644 opt/x/two.py
        ");
        assert!(
            noetl_oci::tar::write::to_bytes(&entries, 0).is_ok(),
            "folders come first"
        );
    }

    #[test]
    fn what_would_overwrite_is_refused() {
        let wheel = |path: &str| (format!("{path}.whl"), wheel(&[(path, 0o644)]));
        assert!(unpack(&[wheel("a.py"), wheel("a.py")], "x").is_err());
        for path in ["../a", "/a", "a//b"] {
            assert!(unpack(&[wheel(path)], "x").is_err(), "{path}");
        }
    }

    #[test]
    fn pip_is_asked_for_the_platform_and_nothing_looser() {
        let packages = flavours::find("python").unwrap().packages.as_ref().unwrap();
        let arm = "linux/arm64".parse().unwrap();
        let command = plan_download("python3", packages, &arm, "3.12", "wheels").to_string();
        assert!(
            command.contains("--only-binary=:all: --require-hashes"),
            "{command}"
        );
        assert!(
            command.contains("--platform manylinux_2_28_aarch64"),
            "{command}"
        );
        assert!(!command.contains("x86_64"), "{command}");
    }
}
