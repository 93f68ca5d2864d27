//! The source distribution for Python's package index: the sources of the commit, the built web page, and what pip needs
//! to compile them with cargo alone (PEP 517, PEP 625, PEP 643).

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::{Context as _, ensure};
use noetl_oci::tar::Entry;
use noetl_oci::{Blob, Sha256};

use crate::host::ctx::Ctx;
use crate::host::{files, git};
use crate::release::packages::companions::{Companion, THIRD_PARTY};
use crate::release::packages::{archives, wheel};
use crate::release::version::Release;
use crate::release::{checksums, page};

/// Where the web page is, below the folder of the archive.
const PAGE: &str = "ui-src/dist/";
/// The commit and its time, as `git archive` writes them.
const COMMIT: &str = ".git_archival.txt";
const METADATA: &str = "PKG-INFO";
const PROJECT: &str = "pyproject.toml";
const PROJECT_TEXT: &str = "# `cargo xtask dist` writes this file: pip compiles these sources with cargo.\n\
    [build-system]\nrequires = []\nbuild-backend = \"noetl_build\"\nbackend-path = [\"crates/noetlctl/python\"]\n";
/// The build backend, which pip runs.
const BACKEND: &str = "crates/noetlctl/python/noetl_build.py";

/// Files by their paths below the folder of the archive.
pub(crate) type Sources = BTreeMap<String, Blob>;

/// Returns the file name.
///
/// # Errors
/// When the version has no name in Python.
pub(crate) fn file_name(release: &Release) -> anyhow::Result<String> {
    Ok(format!("{}.tar.gz", stem(release)?))
}

fn stem(release: &Release) -> anyhow::Result<String> {
    Ok(format!("noetlctl-{}", wheel::pep440(&release.version)?))
}

/// Returns the sources of this checkout, with the web page of that hash.
///
/// # Errors
/// When a file cannot be read, or the page cannot be built to the same bytes.
pub(crate) fn sources(ctx: &Ctx, ui_sha256: Sha256) -> anyhow::Result<Sources> {
    let mut sources = Sources::new();
    for path in git::list(ctx, ".")? {
        let file = ctx.root.join(&path);
        sources.insert(path, Blob::of_file(&file)?);
    }
    let dist = ctx.root.join(PAGE);
    let is_there = dist.join("index.html").is_file();
    if !is_there || checksums::of_folder(&dist)? != ui_sha256 {
        let built = page::build(ctx)?;
        ensure!(
            built == ui_sha256,
            "the web page is {built}, and that in the binaries {ui_sha256}"
        );
    }
    for name in files::list(&dist)? {
        let file = dist.join(&name);
        sources.insert(format!("{PAGE}{name}"), Blob::of_file(&file)?);
    }
    Ok(sources)
}

/// Returns the entries of the archive: the sources, and the files that follow from the release.
///
/// # Errors
/// When a companion is missing, or a source cannot be read.
pub(crate) fn entries(
    release: &Release,
    sources: &Sources,
    companions: &[Companion],
) -> anyhow::Result<Vec<Entry>> {
    let mut files = sources.clone();
    for (path, text) in derived(release, companions)? {
        files.insert(path, text.into());
    }
    let entry = |(path, content): (String, Blob)| {
        let mut start = [0; 2];
        // A script; on Windows, files have no such mode.
        let is_script = content.length() > 1
            && content
                .open()
                .and_then(|mut file| Ok(file.read_exact(&mut start)?))
                .is_ok()
            && start == *b"#!";
        Entry::file(&path, if is_script { 0o755 } else { 0o644 }, content)
    };
    let entries: Vec<_> = files.into_iter().map(entry).collect();
    Ok(archives::in_folder(&stem(release)?, entries))
}

/// Returns the files that follow from the release and the companions.
fn derived(release: &Release, companions: &[Companion]) -> anyhow::Result<[(String, Vec<u8>); 4]> {
    let find = |path: &str| {
        let found = companions.iter().find(|companion| companion.path == path);
        found.with_context(|| format!("{path} is missing"))
    };
    let readme = std::str::from_utf8(&find("README.md")?.bytes)?;
    let commit = format!(
        "node: {}\nnode-date: {}\n",
        release.commit, release.commit_time
    );
    Ok([
        (COMMIT.to_owned(), commit.into_bytes()),
        (
            METADATA.to_owned(),
            wheel::metadata(release, readme)?.into_bytes(),
        ),
        (PROJECT.to_owned(), PROJECT_TEXT.into()),
        (THIRD_PARTY.to_owned(), find(THIRD_PARTY)?.bytes.clone()),
    ])
}

/// Returns what is wrong with a source distribution, each as a sentence.
///
/// # Errors
/// When it is damaged.
pub(crate) fn problems(
    release: &Release,
    ui_sha256: Sha256,
    companions: &[Companion],
    bytes: &[u8],
) -> anyhow::Result<Vec<String>> {
    let folder = format!("{}/", stem(release)?);
    let mut sources = Sources::new();
    for entry in archives::untar_gz(bytes)? {
        let path = entry.path.strip_prefix(&folder);
        let path = path.with_context(|| format!("{} is not in {folder}", entry.path))?;
        if !path.is_empty() && !path.ends_with('/') {
            sources.insert(path.to_owned(), entry.content);
        }
    }
    let mut problems = Vec::new();
    for (path, expected) in derived(release, companions)? {
        match sources.get(&path).map(Blob::read).transpose()? {
            Some(found) if found == expected => {}
            Some(_) => problems.push(format!("{path} is not that of this release")),
            None => problems.push(format!("{path} is missing")),
        }
    }
    for path in [BACKEND, "Cargo.toml", "Cargo.lock", "LICENSE"] {
        if !sources.contains_key(path) {
            problems.push(format!("{path} is missing"));
        }
    }
    let mut page = BTreeMap::new();
    for (path, content) in &sources {
        if let Some(name) = path.strip_prefix(PAGE) {
            page.insert(name.to_owned(), content.sha256()?);
        }
    }
    let page = Sha256::of(checksums::write(&page).as_bytes());
    if page != ui_sha256 {
        problems.push(format!(
            "its web page is {page}, and that of the binaries {ui_sha256}"
        ));
    }
    let expected = entries(release, &sources, companions)?;
    if problems.is_empty() && !archives::is_tar_gz_of(&expected, release.commit_time, bytes)? {
        problems.push(archives::REPACKED.to_owned());
    }
    Ok(problems)
}
