//! The package managers that read a release from repositories at GitHub, and what they get.

use std::collections::BTreeMap;

use noetl_oci::Blob;

use crate::publish::inputs::{BRANCH, Inputs};
use crate::publish::items::channels::{Files, PullRequest};
use crate::publish::step::{Kind, Step};
use crate::release::workspace::REPOSITORY;

/// A repository from which a package manager reads.
struct Channel {
    /// The step that writes to it.
    kind: Kind,
    /// The repository at GitHub.
    repository: &'static str,
    /// Where its files are in dist/.
    from: &'static str,
    /// Where they are in the repository.
    to: &'static str,
}

/// The repositories of NoETL itself.
const CHANNELS: [Channel; 6] = [
    Channel::new(
        Kind::Homebrew,
        "noetl/homebrew-tap",
        "recipes/homebrew/",
        "Formula/",
    ),
    Channel::new(
        Kind::Scoop,
        "noetl/scoop-bucket",
        "recipes/scoop/",
        "bucket/",
    ),
    Channel::new(Kind::Apt, "noetl/apt", "apt/", ""),
    Channel::new(Kind::Dnf, "noetl/dnf", "dnf/", ""),
    Channel::new(Kind::Nix, "noetl/nix", "recipes/nix/", ""),
    Channel::new(Kind::Aur, "noetl/aur", "recipes/aur/", ""),
];
/// Where winget's manifests are collected, and NoETL's fork of it.
const WINGET: (&str, &str, &str) = ("microsoft/winget-pkgs", "master", "noetl/winget-pkgs");

impl Channel {
    const fn new(
        kind: Kind,
        repository: &'static str,
        from: &'static str,
        to: &'static str,
    ) -> Self {
        Self {
            kind,
            repository,
            from,
            to,
        }
    }
}

/// Returns the repositories at GitHub that a release writes to besides its own.
pub(crate) fn channel_repositories() -> impl Iterator<Item = &'static str> {
    CHANNELS.iter().map(|it| it.repository).chain([WINGET.2])
}

/// Returns the steps of the package managers that dist/ has files for.
pub(super) fn channels(inputs: &Inputs<'_>) -> anyhow::Result<Vec<Step>> {
    let release = inputs.release();
    let below = |prefix: &str, to: &str| {
        let artifacts = inputs.manifest().artifacts.iter();
        let named = artifacts.filter_map(|it| Some((&it.name, it.name.strip_prefix(prefix)?)));
        let file = |(name, path): (&String, &str)| {
            Ok((
                format!("{to}{path}"),
                Blob::of_file(&inputs.folder.join(name))?,
            ))
        };
        named.map(file).collect::<anyhow::Result<BTreeMap<_, _>>>()
    };
    let message = format!("noetl {}", release.version);
    let mut steps = Vec::new();
    let unsigned: Vec<_> = inputs.unsigned().collect();
    let is_signed = |channel: &&Channel| !unsigned.contains(&channel.from.trim_end_matches('/'));
    for channel in CHANNELS.iter().filter(is_signed) {
        let files = Files {
            repository: channel.repository.to_owned(),
            branch: BRANCH.to_owned(),
            from: None,
            message: message.clone(),
            time: release.created(),
            files: below(channel.from, channel.to)?,
        };
        if !files.files.is_empty() {
            steps.push(Step {
                kind: channel.kind,
                items: vec![Box::new(files)],
            });
        }
    }
    let (collection, base, fork) = WINGET;
    let to = format!("manifests/n/NoETL/NoETL/{}/", release.version);
    let branch = format!("noetl-{}", release.version);
    let files = below("recipes/winget/", &to)?;
    if !files.is_empty() {
        let owner = fork.split('/').next().unwrap_or_default();
        let request = PullRequest {
            repository: collection.to_owned(),
            base: base.to_owned(),
            head: format!("{owner}:{branch}"),
            title: format!("New version: NoETL.NoETL version {}", release.version),
            body: format!("Release: {REPOSITORY}/releases/tag/{}", release.tag),
        };
        let files = Files {
            repository: fork.to_owned(),
            branch,
            from: Some((collection.to_owned(), base.to_owned())),
            message,
            time: release.created(),
            files,
        };
        steps.push(Step {
            kind: Kind::Winget,
            items: vec![Box::new(files), Box::new(request)],
        });
    }
    Ok(steps)
}
