//! The package repositories in dist/, which any web server can serve as they are: [`apt`] and [`dnf`].

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::release::packages::signer::Signer;
use crate::release::packages::system::Packed;
use crate::release::packages::{apt, dnf};
use crate::release::version::Release;

/// Files by their paths below dist/.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// Returns the lists of both repositories.
///
/// # Errors
/// When a package is damaged.
pub(crate) fn lists(release: &Release, debs: &[Packed], rpms: &[Packed]) -> anyhow::Result<Tree> {
    let mut lists = Tree::new();
    if !debs.is_empty() {
        lists.extend(apt::indexes(release, debs)?);
    }
    if !rpms.is_empty() {
        lists.extend(dnf::indexes(release, rpms)?);
    }
    Ok(lists)
}

/// Returns the signatures of the lists, and the key that verifies them.
///
/// # Errors
/// When GnuPG cannot sign.
pub(crate) fn sign(lists: &Tree, signer: &Signer<'_>) -> anyhow::Result<Tree> {
    let mut signatures = Tree::new();
    let text = |path: &String| {
        let text = lists.get(path).map(|bytes| std::str::from_utf8(bytes));
        text.transpose()
            .with_context(|| format!("{path} is not text"))
    };
    for (list, inline, detached) in apt::to_sign() {
        if let Some(text) = text(&list)? {
            signatures.insert(inline, signer.inline(text)?);
            signatures.insert(detached, signer.detached(text)?);
            signatures.insert(apt::key_path(), signer.public_key()?);
        }
    }
    let (list, signature) = dnf::to_sign();
    if let Some(text) = text(&list)? {
        signatures.insert(signature, signer.detached(text)?);
        signatures.insert(dnf::key_path(), signer.public_key()?);
    }
    Ok(signatures)
}

/// Returns the paths that [`sign`] makes.
pub(crate) fn signed_paths() -> Vec<String> {
    let of_apt = apt::to_sign()
        .into_iter()
        .flat_map(|(_, inline, detached)| [inline, detached]);
    of_apt
        .chain([apt::key_path(), dnf::to_sign().1, dnf::key_path()])
        .collect()
}

/// Returns the text in a file that [`Signer::inline`] made.
///
/// # Errors
/// When it is no such file.
pub(crate) fn signed_text(inline: &[u8]) -> anyhow::Result<String> {
    let text = std::str::from_utf8(inline).context("it is not text")?;
    let text = text.strip_prefix("-----BEGIN PGP SIGNED MESSAGE-----\n");
    let (_, text) = text
        .and_then(|it| it.split_once("\n\n"))
        .context("it is not signed")?;
    let text = text.split_once("\n-----BEGIN PGP SIGNATURE-----");
    let (text, _) = text.context("it has no signature")?;
    Ok(format!("{text}\n").replace("\n- -", "\n-"))
}
