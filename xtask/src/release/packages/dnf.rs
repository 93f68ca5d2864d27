//! A dnf repository as plain files, as createrepo_c writes it: the rpms, three lists of them in XML, and the list of
//! these lists.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use noetl_oci::Sha256;
use noetl_oci::gzip::gzip;
use noetl_oci::tar::Entry;

use crate::release::packages::rpm::{self, Dependency};
use crate::release::packages::system::{self, Packed};
use crate::release::target::Target;
use crate::release::version::Release;
use crate::release::workspace::{LICENSE, PACKAGES, REPOSITORY};

/// The folder in dist/.
pub(crate) const FOLDER: &str = "dnf";
const NAMESPACE: &str = "http://linux.duke.edu/metadata";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Returns the path of an rpm, below dist/.
pub(crate) fn path(release: &Release, target: &Target) -> String {
    format!("{FOLDER}/{}", rpm::file_name(release, target))
}

/// Returns the path of the list of lists, which a key signs, and of its signature.
pub(crate) fn to_sign() -> (String, String) {
    let list = format!("{FOLDER}/repodata/repomd.xml");
    let signature = format!("{list}.asc");
    (list, signature)
}

/// Returns the path of the key, with which users verify the list.
pub(crate) fn key_path() -> String {
    format!("{FOLDER}/repodata/repomd.xml.key")
}

/// Returns the lists of a repository, by their paths below dist/.
///
/// # Errors
/// When an rpm is damaged.
pub(crate) fn indexes(
    release: &Release,
    rpms: &[Packed],
) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut described = Vec::new();
    for rpm in rpms {
        described.push(Described::new(release, rpm)?);
    }
    described.sort_by_key(|it| rpm::architecture(it.target));
    let count = described.len();
    let list = |kind: &str, more: &str, entry: &dyn Fn(&Described) -> String| {
        let (root, space) = match kind {
            "primary" => ("metadata", "common"),
            "other" => ("otherdata", "other"),
            _ => (kind, kind),
        };
        let entries: String = described.iter().map(entry).collect();
        format!(
            "{DECLARATION}<{root} xmlns=\"{NAMESPACE}/{space}\"{more} packages=\"{count}\">\n{entries}</{root}>\n"
        )
    };
    let more = format!(" xmlns:rpm=\"{NAMESPACE}/rpm\"");
    let lists = [
        ("primary", list("primary", &more, &|it| it.primary(release))),
        ("filelists", list("filelists", "", &|it| it.files(release))),
        ("other", list("other", "", &|it| it.package(release, ""))),
    ];
    let mut files = BTreeMap::new();
    let time = release.commit_time;
    let mut repomd = format!(
        "{DECLARATION}<repomd xmlns=\"{NAMESPACE}/repo\" xmlns:rpm=\"{NAMESPACE}/rpm\">\n  <revision>{time}</revision>\n"
    );
    for (kind, text) in lists {
        let packed = gzip(text.as_bytes())?;
        let (hash, open) = (Sha256::of(&packed), Sha256::of(text.as_bytes()));
        let path = format!("repodata/{hash}-{kind}.xml.gz");
        write!(
            repomd,
            "  <data type=\"{kind}\">\n    <checksum type=\"sha256\">{hash}</checksum>\n    \
             <open-checksum type=\"sha256\">{open}</open-checksum>\n    <location href=\"{path}\"/>\n    \
             <timestamp>{time}</timestamp>\n    <size>{}</size>\n    <open-size>{}</open-size>\n  </data>\n",
            packed.len(),
            text.len(),
        )?;
        files.insert(format!("{FOLDER}/{path}"), packed);
    }
    repomd += "</repomd>\n";
    // The signed list of lists has the hash of every list, and these that of every package.
    let source = format!(
        "[noetl]\nname=NoETL\nbaseurl={PACKAGES}/{FOLDER}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=1\n\
         gpgkey={PACKAGES}/{}\n",
        key_path()
    );
    files.insert(format!("{FOLDER}/noetl.repo"), source.into_bytes());
    files.insert(to_sign().0, repomd.into_bytes());
    Ok(files)
}

/// What the lists say of an rpm.
#[derive(Debug)]
struct Described {
    target: &'static Target,
    hash: Sha256,
    size: usize,
    /// Where the header with the metadata begins and ends.
    header: (usize, usize),
    /// The length of the uncompressed files as cpio.
    archive_size: usize,
    entries: Vec<Entry>,
}

impl Described {
    fn new(release: &Release, rpm: &Packed) -> anyhow::Result<Self> {
        let bytes = rpm.blob.read()?;
        let parts = rpm::parts(&bytes)?;
        let entries = rpm::read(&bytes)?;
        Ok(Self {
            target: rpm.target,
            hash: Sha256::of(&bytes),
            size: bytes.len(),
            header: parts.header,
            archive_size: rpm::archive_size(&entries, release)?,
            entries,
        })
    }

    fn primary(&self, release: &Release) -> String {
        let time = release.commit_time;
        let installed: u64 = self.entries.iter().map(|it| it.content.length()).sum();
        let provided = rpm::provided(release, self.target);
        let required = rpm::required(release);
        let required = required.iter().filter(|it| !it.is_internal());
        let required = required
            .map(|it| entry(it, it.is_of_installation()))
            .collect();
        let lines = |kind: &str, mut lines: Vec<String>| {
            lines.dedup();
            format!("    <rpm:{kind}>\n{}    </rpm:{kind}>\n", lines.concat())
        };
        let is_main = |entry: &&Entry| {
            ["./etc/", "./usr/bin/"]
                .iter()
                .any(|it| entry.path.starts_with(it))
        };
        let files: String = self.entries.iter().filter(is_main).map(file).collect();
        format!(
            "<package type=\"rpm\">\n  <name>{}</name>\n  <arch>{}</arch>\n  {}\n  \
             <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>\n  <summary>{}</summary>\n  \
             <description>{}</description>\n  <packager>{}</packager>\n  <url>{REPOSITORY}</url>\n  \
             <time file=\"{time}\" build=\"{time}\"/>\n  \
             <size package=\"{}\" installed=\"{installed}\" archive=\"{}\"/>\n  <location href=\"{}\"/>\n  <format>\n    \
             <rpm:license>{LICENSE}</rpm:license>\n    <rpm:vendor>NoETL</rpm:vendor>\n    \
             <rpm:group>Applications/System</rpm:group>\n    <rpm:buildhost>localhost</rpm:buildhost>\n    <rpm:sourcerpm>{}</rpm:sourcerpm>\n    \
             <rpm:header-range start=\"{}\" end=\"{}\"/>\n{}{}{files}  </format>\n</package>\n",
            system::NAME,
            rpm::architecture(self.target),
            version(release),
            self.hash,
            escape(system::SUMMARY),
            escape(&system::DESCRIPTION.join("\n")),
            escape(system::MAINTAINER),
            self.size,
            self.archive_size,
            rpm::file_name(release, self.target),
            rpm::source(release),
            self.header.0,
            self.header.1,
            lines(
                "provides",
                provided.iter().map(|it| entry(it, false)).collect()
            ),
            lines("requires", required),
        )
    }

    fn files(&self, release: &Release) -> String {
        let files: String = self.entries.iter().map(file).collect();
        self.package(release, &files)
    }

    fn package(&self, release: &Release, content: &str) -> String {
        let (hash, name) = (self.hash, system::NAME);
        let (arch, version) = (rpm::architecture(self.target), version(release));
        format!(
            "<package pkgid=\"{hash}\" name=\"{name}\" arch=\"{arch}\">\n  {version}\n{content}</package>\n"
        )
    }
}

fn version(release: &Release) -> String {
    let (version, revision) = (system::version(release), rpm::REVISION);
    format!("<version epoch=\"0\" ver=\"{version}\" rel=\"{revision}\"/>")
}

/// Returns what a package provides or needs; `early` is whether it is needed while the package is installed.
fn entry(dependency: &Dependency, early: bool) -> String {
    let name = escape(&dependency.name);
    let version = dependency
        .version
        .split_once('-')
        .map(|(version, revision)| {
            format!(" flags=\"EQ\" epoch=\"0\" ver=\"{version}\" rel=\"{revision}\"")
        });
    let version = version.unwrap_or_default();
    let early = if early { " pre=\"1\"" } else { "" };
    format!("      <rpm:entry name=\"{name}\"{version}{early}/>\n")
}

fn file(entry: &Entry) -> String {
    let path = escape(entry.path.trim_start_matches('.'));
    match path.strip_suffix('/') {
        Some(folder) => format!("    <file type=\"dir\">{folder}</file>\n"),
        None => format!("    <file>{path}</file>\n"),
    }
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
