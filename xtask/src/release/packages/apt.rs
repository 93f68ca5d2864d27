//! An apt repository as plain files, as the Debian repository format describes it: the debs, an index of them for each
//! architecture and suite, and a list of the indexes, which a key signs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use noetl_oci::Sha256;
use noetl_oci::gzip::gzip;

use crate::release::packages::deb;
use crate::release::packages::system::Packed;
use crate::release::target::Target;
use crate::release::version::Release;
use crate::release::workspace::PACKAGES;

/// The folder in dist/.
pub(crate) const FOLDER: &str = "apt";
/// The names that people have for the same packages: `stable`, and the releases of Ubuntu that NoETL's users name.
const SUITES: [&str; 3] = ["jammy", "noble", "stable"];
const COMPONENT: &str = "main";

/// Returns the path of a deb, below dist/.
pub(crate) fn path(release: &Release, target: &Target) -> String {
    format!(
        "{FOLDER}/pool/{COMPONENT}/{}",
        deb::file_name(release, target)
    )
}

/// Returns the indexes of a repository, by their paths below dist/.
///
/// # Errors
/// When a deb is damaged.
pub(crate) fn indexes(
    release: &Release,
    debs: &[Packed],
) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut stanzas = BTreeMap::new();
    for deb in debs {
        stanzas.insert(deb::architecture(deb.target), stanza(release, deb)?);
    }
    let mut files = BTreeMap::new();
    let source = format!(
        "Types: deb\nURIs: {PACKAGES}/{FOLDER}\nSuites: stable\nComponents: {COMPONENT}\n\
         Signed-By: /etc/apt/keyrings/noetl.asc\n"
    );
    files.insert(format!("{FOLDER}/noetl.sources"), source.into_bytes());
    for suite in SUITES {
        let mut listed = BTreeMap::new();
        for (architecture, stanza) in &stanzas {
            let folder = format!("{COMPONENT}/binary-{architecture}");
            let packed = gzip(stanza.as_bytes())?;
            for (name, bytes) in [
                ("Packages", stanza.clone().into_bytes()),
                ("Packages.gz", packed),
            ] {
                let hash = Sha256::of(&bytes);
                listed.insert(format!("{folder}/{name}"), (bytes.len(), hash));
                let below = format!("{FOLDER}/dists/{suite}/{folder}");
                files.insert(format!("{below}/by-hash/SHA256/{hash}"), bytes.clone());
                files.insert(format!("{below}/{name}"), bytes);
            }
        }
        let architectures: Vec<_> = stanzas.keys().copied().collect();
        let text = release_file(release, suite, &architectures.join(" "), &listed)?;
        files.insert(release_path(suite), text.into_bytes());
    }
    Ok(files)
}

/// Returns the paths of the lists that a key signs: unsigned, signed in one file, and the signature alone.
pub(crate) fn to_sign() -> [(String, String, String); 3] {
    SUITES.map(|suite| {
        let list = release_path(suite);
        let inline = format!("{FOLDER}/dists/{suite}/InRelease");
        let detached = format!("{list}.gpg");
        (list, inline, detached)
    })
}

/// Returns the path of the key, with which users verify the lists.
pub(crate) fn key_path() -> String {
    format!("{FOLDER}/noetl.asc")
}

fn release_path(suite: &str) -> String {
    format!("{FOLDER}/dists/{suite}/Release")
}

fn stanza(release: &Release, deb: &Packed) -> anyhow::Result<String> {
    let bytes = deb.blob.read()?;
    let package = deb::read(&bytes)?;
    let control = package
        .control
        .iter()
        .find(|entry| entry.path == "./control");
    let control = control
        .context("the deb has no control file")?
        .content
        .read()?;
    let control = String::from_utf8(control).context("the control file is not text")?;
    let path = path(release, deb.target);
    let below = path.trim_start_matches(FOLDER).trim_start_matches('/');
    let hash = Sha256::of(&bytes);
    Ok(format!(
        "{control}Filename: {below}\nSize: {}\nSHA256: {hash}\n",
        bytes.len()
    ))
}

fn release_file(
    release: &Release,
    suite: &str,
    architectures: &str,
    listed: &BTreeMap<String, (usize, Sha256)>,
) -> anyhow::Result<String> {
    let time = Timestamp::from_second(i64::try_from(release.commit_time)?)?;
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time)?;
    // The format has its own words for UTC; apt understands this one.
    let date = date.replace("GMT", "UTC");
    let mut text = format!(
        "Origin: NoETL\nLabel: NoETL\nSuite: {suite}\nCodename: {suite}\nDate: {date}\n\
         Architectures: {architectures}\nComponents: {COMPONENT}\nDescription: NoETL\nAcquire-By-Hash: yes\nSHA256:\n"
    );
    for (path, (size, hash)) in listed {
        writeln!(text, " {hash} {size} {path}")?;
    }
    Ok(text)
}
