//! The signature of `SHA256SUMS` by cosign, as a bundle that everybody can check.

use camino::Utf8PathBuf;
use noetl_help::Help as _;

use crate::host::command::CommandLine;
use crate::host::{files, run};
use crate::publish::items::github;
use crate::publish::journal::Journal;
use crate::publish::remotes::Remotes;
use crate::release::dist_manifest::SUMS_NAME;
use crate::tasks::release::{Dist, repository};

/// The name of the bundle among the files of a release.
pub(super) const BUNDLE: &str = "SHA256SUMS.sigstore.json";

/// Returns the bundle, if there is a key or the identity of a workflow to sign with. A signature that was uploaded before
/// is taken again, since two signatures of the same file differ.
///
/// # Errors
/// When cosign fails, or GitHub refuses.
pub(super) fn sums(
    remotes: &Remotes<'_>,
    journal: &Journal,
    key: Option<&str>,
    dist: &Dist,
) -> anyhow::Result<Vec<Utf8PathBuf>> {
    if key.is_none() && !remotes.has_identity() {
        return Ok(Vec::new());
    }
    let bundle = journal.folder().join(BUNDLE);
    if bundle.is_file() {
        return Ok(vec![bundle]);
    }
    let tag = dist.dist.value().release.tag.clone();
    let release = github::Release {
        repository: repository().to_owned(),
        tag,
    };
    if let Some(found) = release.find(remotes)? {
        let assets = release.assets(remotes, found.id)?;
        if let Some(asset) = assets.iter().find(|it| it.name == BUNDLE) {
            files::write(&bundle, release.download(remotes, asset)?)?;
            return Ok(vec![bundle]);
        }
    }
    let sums = dist.folder.join(SUMS_NAME);
    let part = journal.folder().join(format!("{BUNDLE}.part"));
    let mut command =
        CommandLine::new("cosign").args(["sign-blob", "--yes", "--bundle", part.as_str()]);
    if let Some(key) = key {
        command = command.args(["--key", key, "--tlog-upload=false"]);
    }
    run::run(remotes.ctx, &command.arg(sums.as_str()))
        .help("check the key and COSIGN_PASSWORD; `cosign sign-blob` says more")?;
    files::write(&bundle, files::read(&part)?)?;
    files::remove(&part)?;
    Ok(vec![bundle])
}
