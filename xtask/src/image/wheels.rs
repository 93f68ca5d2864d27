//! Python packages for any platform: pip fetches the wheels and checks their hashes. They are unpacked here, since
//! files that pip installs depend on its version and on the Python of this machine.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use camino::Utf8PathBuf;
use noetl_help::Help as _;
use noetl_oci::tar::Entry;
use noetl_oci::{Platform, Sha256};

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, output, run, tools};
use crate::image::contents::PACKAGES;
use crate::image::flavours::Packages;
use crate::release::packages::zip;

/// The newest glibc 2.x that a wheel may need; every Debian and Ubuntu with Python 3.10 or newer has it.
const GLIBC_MINOR: u32 = 31;

/// Returns the command that fetches the wheels of all `packages` for one platform and one version of Python.
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
        .args(["-m", "pip", "download", "--quiet"])
        .arg("--disable-pip-version-check")
        .args(["--no-deps", "--only-binary=:all:", "--require-hashes"])
        .args(["--implementation", "cp", "--python-version", version])
        .args(tags.flat_map(|tag| ["--platform".to_owned(), tag]))
        .args(["--requirement", packages.path, "--dest", folder])
}

/// Returns the files of the packages. The wheels are fetched unless they are there already.
///
/// # Errors
/// When a package has no wheel for the platform, or a hash is another one.
pub(crate) fn entries(
    ctx: &Ctx,
    packages: &Packages,
    platform: &Platform,
    version: &str,
) -> anyhow::Result<Vec<Entry>> {
    let lock = Sha256::of(packages.requirements.as_bytes()).to_string();
    let name = format!("{}-{version}-{}", platform.architecture, &lock[..16]);
    let folder = ctx.state().join("wheels").join(name);
    if !folder.is_dir() {
        let title = format!("fetch Python packages for {platform} and Python {version}");
        output::step(ctx, &title, || {
            let unfinished = Utf8PathBuf::from(format!("{folder}.part"));
            files::remove(&unfinished)?;
            let python = tools::python()?;
            let download = plan_download(python, packages, platform, version, unfinished.as_str());
            run::run(ctx, &download)
                .with_context(|| format!("{} has no wheels for {platform} and Python {version}", packages.path))
                .help("check the network; a package without wheels cannot be in an image for every platform")?;
            files::swap_folder(&unfinished, &folder)
        })?;
    }
    let wheels = files::list(&folder)?.into_iter();
    let wheels = wheels.map(|name| Ok((name.clone(), files::read(&folder.join(name))?)));
    unpack(&wheels.collect::<anyhow::Result<Vec<_>>>()?)
}

/// Returns the files of wheels below [`PACKAGES`], as every installer lays them out, in path order with their folders.
///
/// Programs, headers and data outside of the packages are left out, since they would name a Python.
fn unpack(wheels: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<Entry>> {
    let mut entries = BTreeMap::new();
    for (name, wheel) in wheels {
        let files = zip::unpack(wheel).with_context(|| format!("{name} is not a wheel"))?;
        for file in files.into_iter().filter(|file| !file.path.ends_with('/')) {
            let Some(path) = installed(&file.path) else {
                continue;
            };
            let mut parts = path.split('/');
            let is_inside = parts.all(|part| !["", ".", ".."].contains(&part));
            ensure!(is_inside, "{name} holds `{path}`, outside of its folder");
            let is_executable = file.mode & 0o111 != 0;
            let mode = if is_executable { 0o755 } else { 0o644 };
            let path = format!("{}/{path}", PACKAGES.trim_start_matches('/'));
            for (end, _) in path.match_indices('/') {
                let folder = Entry::folder(&path[..end], 0o755);
                entries.insert(folder.path.clone(), folder);
            }
            let known = entries.insert(path.clone(), Entry::file(&path, mode, file.content));
            ensure!(known.is_none(), "two packages have {path}");
        }
    }
    Ok(entries.into_values().collect())
}

/// Returns the path below `site-packages` at which a file of a wheel is installed; `None` for files that belong
/// elsewhere (PEP 427).
fn installed(path: &str) -> Option<&str> {
    match path.split_once(".data/") {
        Some((distribution, rest)) if !distribution.contains('/') => {
            let (scheme, rest) = rest.split_once('/')?;
            ["purelib", "platlib"].contains(&scheme).then_some(rest)
        }
        _ => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::flavours;

    fn wheel(name: &str, files: &[(&str, u32)]) -> (String, Vec<u8>) {
        let files = files.iter();
        let entries: Vec<_> = files
            .map(|(path, mode)| Entry::file(path, *mode, path.as_bytes()))
            .collect();
        (name.to_owned(), zip::pack(&entries, 1_767_225_600).unwrap())
    }

    #[test]
    fn wheels_are_laid_out_as_by_installers() {
        let files = [
            ("one/lib.so", 0o755),
            ("one/__init__.py", 0o664),
            ("one-1.0.data/platlib/one/more.py", 0o600),
            ("one-1.0.data/scripts/one", 0o755),
            ("one-1.0.dist-info/RECORD", 0o644),
        ];
        let two = wheel("two.whl", &[("two.py", 0o644)]);
        let entries = unpack(&[wheel("one.whl", &files), two]).unwrap();
        let lines = entries
            .iter()
            .map(|it| format!("{:o} {}", it.mode, it.path));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
        755 opt/
        755 opt/noetl/
        755 opt/noetl/python/
        755 opt/noetl/python/one-1.0.dist-info/
        644 opt/noetl/python/one-1.0.dist-info/RECORD
        755 opt/noetl/python/one/
        644 opt/noetl/python/one/__init__.py
        755 opt/noetl/python/one/lib.so
        644 opt/noetl/python/one/more.py
        644 opt/noetl/python/two.py
        ");
        let tar = noetl_oci::tar::write::to_bytes(&entries, 0);
        assert!(tar.is_ok(), "folders come before their files");
    }

    #[test]
    fn duplicate_and_outside_paths_are_refused() {
        let twice = ["a.whl", "b.whl"].map(|name| wheel(name, &[("a.py", 0o644)]));
        assert!(unpack(&twice).is_err());
        for path in ["../a", "/a", "a//b"] {
            let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
            let exact = rawzip::path::EntryPath::verbatim(path.as_bytes());
            let (file, config) = archive.new_file(exact).start().unwrap();
            let (file, descriptor) = config.wrap(file).finish().unwrap();
            file.finish(descriptor).unwrap();
            let wheel = ("a.whl".to_owned(), archive.finish().unwrap());
            let error = unpack(&[wheel]).unwrap_err().to_string();
            assert!(error.contains("outside of its folder"), "{error}");
        }
    }

    #[test]
    fn pip_fetches_locked_wheels_of_the_platform_only() {
        let packages = flavours::find("python").unwrap().packages.as_ref().unwrap();
        let arm = "linux/arm64".parse().unwrap();
        let command = plan_download("python3", packages, &arm, "3.12", "wheels").to_string();
        for part in [
            "--only-binary=:all: --require-hashes",
            "--platform manylinux_2_28_aarch64",
        ] {
            assert!(command.contains(part), "{command}");
        }
        assert!(!command.contains("x86_64"), "{command}");
    }
}
