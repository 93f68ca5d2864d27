//! The steps of a release, as values: from a verified dist and the answers of no remote.
//!
//! First comes what can be undone, then what cannot, and last what points to it: package managers and `latest` lead to
//! files that are published.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use noetl_oci::{Blob, Reference, Sha256};
use serde::Serialize;

use crate::publish::endpoints::Endpoints;
use crate::publish::items::channels::{Files, PullRequest};
use crate::publish::items::crates::Crate;
use crate::publish::items::github::{Draft, File, Latest, Publication, Release as GithubRelease};
use crate::publish::items::image::{Image, Tags};
use crate::publish::items::{git, npm, pypi};
use crate::publish::request::Change;
use crate::publish::step::{Item, Reach, State, Step};
use crate::release::dist_manifest::{self, Content, DistManifest, SUMS_NAME};
use crate::release::packages::{archives, wheel};
use crate::release::verify::Verified;
use crate::release::version::Release;
use crate::release::workspace::REPOSITORY;

/// The name of the image.
const IMAGE: &str = "noetl";
/// The branch that releases are made from.
pub(crate) const BRANCH: &str = "main";

/// A repository from which a package manager reads.
struct Channel {
    id: &'static str,
    title: &'static str,
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
        "homebrew",
        "the Homebrew tap",
        "noetl/homebrew-tap",
        "recipes/homebrew/",
        "Formula/",
    ),
    Channel::new(
        "scoop",
        "the Scoop bucket",
        "noetl/scoop-bucket",
        "recipes/scoop/",
        "bucket/",
    ),
    Channel::new("apt", "the repository for apt", "noetl/apt", "apt/", ""),
    Channel::new("dnf", "the repository for dnf", "noetl/dnf", "dnf/", ""),
    Channel::new("nix", "the Nix flake", "noetl/nix", "recipes/nix/", ""),
    Channel::new(
        "aur",
        "the recipe for Arch Linux",
        "noetl/aur",
        "recipes/aur/",
        "",
    ),
];
/// Where winget's manifests are collected, and NoETL's fork of it.
const WINGET: (&str, &str, &str) = ("microsoft/winget-pkgs", "master", "noetl/winget-pkgs");

impl Channel {
    const fn new(
        id: &'static str,
        title: &'static str,
        repository: &'static str,
        from: &'static str,
        to: &'static str,
    ) -> Self {
        Self {
            id,
            title,
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

/// What the steps are made of.
pub(crate) struct Inputs<'a> {
    /// The dist, and where it is.
    pub dist: &'a Verified<DistManifest>,
    pub folder: &'a Utf8Path,
    /// Further files of the release, such as the signature of `SHA256SUMS`.
    pub extra: Vec<Utf8PathBuf>,
    /// The crates in the order of their dependence.
    pub crates: Vec<Crate>,
    /// The text of the release, in Markdown.
    pub notes: String,
    /// Whether no released version is newer, and it is no pre-release.
    pub is_newest: bool,
    /// The repository at GitHub.
    pub repository: String,
    pub endpoints: &'a Endpoints,
}

impl Inputs<'_> {
    fn manifest(&self) -> &DistManifest {
        self.dist.value()
    }

    fn release(&self) -> &Release {
        &self.manifest().release
    }

    fn github(&self) -> GithubRelease {
        GithubRelease {
            repository: self.repository.clone(),
            tag: self.release().tag.clone(),
        }
    }

    fn is_prerelease(&self) -> bool {
        self.release().version.contains('-')
    }

    /// Returns the files that people download from the release, by name.
    fn files(&self) -> anyhow::Result<BTreeMap<String, Blob>> {
        let listed = self
            .manifest()
            .artifacts
            .iter()
            .filter(|it| it.is_download());
        let names = listed
            .map(|it| it.name.as_str())
            .chain([dist_manifest::FILE_NAME, SUMS_NAME]);
        let mut paths: Vec<_> = names.map(|name| self.folder.join(name)).collect();
        paths.extend(self.extra.iter().cloned());
        let file = |path: Utf8PathBuf| {
            let name = path.file_name().unwrap_or_default().to_owned();
            Ok((name, Blob::of_file(&path)?))
        };
        paths.into_iter().map(file).collect()
    }
}

/// Returns the steps of a release.
///
/// # Errors
/// When a file of dist/ cannot be read.
pub(crate) fn steps(inputs: &Inputs<'_>) -> anyhow::Result<Vec<Step>> {
    let release = inputs.release();
    let (tag, commit) = (release.tag.clone(), release.commit.clone());
    let branch = git::Branch {
        name: BRANCH.to_owned(),
        commit: commit.clone(),
    };
    let mut steps = vec![Step {
        id: "tag",
        title: "push the commit and the tag",
        reach: Reach::Undoable,
        items: vec![Box::new(branch), Box::new(git::Tag { name: tag, commit })],
    }];
    let (draft, files, publication) = github(inputs)?;
    steps.extend([draft, files]);
    steps.extend(image(inputs, Tags::Fixed)?);
    if !inputs.crates.is_empty() {
        let crates = inputs.crates.iter().cloned();
        let items = crates.map(|it| Box::new(it) as Box<dyn Item>);
        steps.push(Step {
            id: "crates",
            title: "publish the crates",
            reach: Reach::Irrevocable,
            items: items.collect(),
        });
    }
    steps.extend(packages(inputs)?);
    steps.push(publication);
    if inputs.is_newest {
        steps.extend(channels(inputs)?);
        let mut items: Vec<Box<dyn Item>> = Vec::new();
        items.extend(
            image(inputs, Tags::Moving)?
                .into_iter()
                .flat_map(|it| it.items),
        );
        items.push(Box::new(Latest {
            release: inputs.github(),
        }));
        let title = "point `latest` to it";
        steps.push(Step {
            id: "latest",
            title,
            reach: Reach::Pointer,
            items,
        });
    }
    Ok(steps)
}

/// Returns the draft, its files and its publication.
fn github(inputs: &Inputs<'_>) -> anyhow::Result<(Step, Step, Step)> {
    let release = inputs.github();
    let draft = Draft {
        release: release.clone(),
        commit: inputs.release().commit.clone(),
        notes: inputs.notes.clone(),
        is_prerelease: inputs.is_prerelease(),
    };
    let mut items: Vec<Box<dyn Item>> = Vec::new();
    let mut files = Vec::new();
    for (name, content) in inputs.files()? {
        let sha256 = content.sha256()?;
        files.push((name.clone(), sha256));
        let release = release.clone();
        items.push(Box::new(File {
            release,
            name,
            content,
            sha256,
        }));
    }
    let draft = Step {
        id: "draft",
        title: "draft the release at GitHub",
        reach: Reach::Undoable,
        items: vec![Box::new(draft)],
    };
    let uploads = Step {
        id: "files",
        title: "upload the files of the release",
        reach: Reach::Undoable,
        items,
    };
    let publication = Step {
        id: "publish",
        title: "compare what GitHub has, and publish the draft",
        reach: Reach::Irrevocable,
        items: vec![Box::new(Publication { release, files })],
    };
    Ok((draft, uploads, publication))
}

/// Returns the step of the image, if the dist has one.
fn image(inputs: &Inputs<'_>, kind: Tags) -> anyhow::Result<Option<Step>> {
    let release = inputs.release();
    let mut artifacts = inputs.manifest().artifacts.iter();
    let found = artifacts.find_map(|it| match &it.content {
        Content::Image(image) => Some((&it.name, image)),
        _ => None,
    });
    let Some((file, image)) = found else {
        return Ok(None);
    };
    let version = release.version.as_str();
    let tags: Vec<&str> = match kind {
        Tags::Fixed => vec![version, &release.tag],
        Tags::Moving => {
            let dots = version.match_indices('.').map(|(at, _)| &version[..at]);
            dots.chain(["latest"]).collect()
        }
    };
    let name = |tag: &str| Reference::join(&inputs.endpoints.registry, IMAGE, tag);
    let item = Image {
        tar: inputs.folder.join(file),
        digest: image.index_digest.clone(),
        names: tags.into_iter().map(name).collect::<anyhow::Result<_>>()?,
        kind,
    };
    Ok(Some(Step {
        id: "image",
        title: "push the image",
        reach: Reach::Undoable,
        items: vec![Box::new(item)],
    }))
}

/// Returns the steps of npm and of Python's index; the package that others depend on comes last.
fn packages(inputs: &Inputs<'_>) -> anyhow::Result<[Step; 2]> {
    let mut of_npm: Vec<Box<dyn Item>> = Vec::new();
    let mut of_pypi: Vec<Box<dyn Item>> = Vec::new();
    let mut launcher = None;
    let metadata = metadata(inputs)?;
    for artifact in &inputs.manifest().artifacts {
        let content = || Blob::of_file(&inputs.folder.join(&artifact.name));
        match &artifact.content {
            Content::Npm(package) => {
                let item = npm_package(inputs, &package.package, content()?)?;
                match package.target {
                    Some(_) => of_npm.push(Box::new(item)),
                    None => launcher = Some(item),
                }
            }
            Content::Wheel(_) | Content::Sdist => of_pypi.push(Box::new(pypi::File {
                project: wheel::DISTRIBUTION.to_owned(),
                name: artifact.name.clone(),
                content: content()?,
                sha256: artifact.sha256,
                metadata: metadata.clone(),
            })),
            _ => {}
        }
    }
    of_npm.extend(launcher.map(|it| Box::new(it) as Box<dyn Item>));
    let step = |id, title, items| Step {
        id,
        title,
        reach: Reach::Irrevocable,
        items,
    };
    Ok([
        step("npm", "publish the packages of npm", of_npm),
        step(
            "pypi",
            "publish the wheels and the sources for Python",
            of_pypi,
        ),
    ])
}

/// Returns the core metadata of the Python packages, which all have the same.
fn metadata(inputs: &Inputs<'_>) -> anyhow::Result<String> {
    let mut artifacts = inputs.manifest().artifacts.iter();
    let sdist = artifacts.find(|it| it.content == Content::Sdist);
    let name = &sdist.context("dist/ has no source distribution")?.name;
    let bytes = Blob::of_file(&inputs.folder.join(name))?.read()?;
    file_in(&bytes, "PKG-INFO").with_context(|| format!("{name} has no metadata"))
}

fn npm_package(inputs: &Inputs<'_>, package: &str, content: Blob) -> anyhow::Result<npm::Package> {
    let bytes = content.read()?;
    let document = file_in(&bytes, "package.json")
        .and_then(|text| Ok(serde_json::from_str(&text)?))
        .with_context(|| format!("the package {package} has no package.json"))?;
    let (integrity, shasum) = npm::hashes(&bytes);
    Ok(npm::Package {
        name: package.to_owned(),
        version: inputs.release().version.clone(),
        tag: if inputs.is_prerelease() {
            "next"
        } else {
            "latest"
        },
        document,
        content,
        integrity,
        shasum,
    })
}

/// Returns the text of a file in the folder of a tar.gz.
fn file_in(bytes: &[u8], name: &str) -> anyhow::Result<String> {
    let entries = archives::untar_gz(bytes)?;
    let mut entries = entries.iter();
    let found = entries.find(|it| {
        it.path
            .split_once('/')
            .is_some_and(|(_, path)| path == name)
    });
    let bytes = found
        .with_context(|| format!("no {name}"))?
        .content
        .read()?;
    Ok(String::from_utf8(bytes)?)
}

/// Returns the steps of the package managers that dist/ has files for.
fn channels(inputs: &Inputs<'_>) -> anyhow::Result<Vec<Step>> {
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
    for channel in &CHANNELS {
        let files = Files {
            repository: channel.repository.to_owned(),
            branch: BRANCH.to_owned(),
            from: None,
            message: message.clone(),
            time: release.created(),
            files: below(channel.from, channel.to)?,
        };
        if !files.files.is_empty() {
            let (id, title) = (channel.id, channel.title);
            steps.push(Step {
                id,
                title,
                reach: Reach::Pointer,
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
            id: "winget",
            title: "the pull request for winget",
            reach: Reach::Pointer,
            items: vec![Box::new(files), Box::new(request)],
        });
    }
    Ok(steps)
}

/// The plan of a release, as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    /// Version, tag, commit and time.
    pub release: Release,
    /// Where it goes.
    pub remotes: Endpoints,
    /// The SHA-256 of the transcript of a run that finds nothing at the remotes.
    pub hash: Sha256,
    /// The steps in order.
    pub steps: Vec<StepPlan>,
}

/// A step of a plan.
#[derive(Debug, Serialize)]
pub(crate) struct StepPlan {
    pub id: &'static str,
    pub title: &'static str,
    pub reach: Reach,
    pub items: Vec<ItemPlan>,
}

/// An item of a plan.
#[derive(Debug, Serialize)]
pub(crate) struct ItemPlan {
    pub name: String,
    /// What is at the remote now; `None` when it was not asked or did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<State>,
    pub changes: Vec<Change>,
}

impl Plan {
    /// Returns the plan of these steps.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn new(
        release: &Release,
        endpoints: &Endpoints,
        steps: &[Step],
    ) -> anyhow::Result<Self> {
        let mut plans = Vec::new();
        for step in steps {
            let items = step.items.iter().map(|item| {
                Ok(ItemPlan {
                    name: item.name(),
                    now: None,
                    changes: item.changes()?,
                })
            });
            plans.push(StepPlan {
                id: step.id,
                title: step.title,
                reach: step.reach,
                items: items.collect::<anyhow::Result<_>>()?,
            });
        }
        let changes = plans
            .iter()
            .flat_map(|it| &it.items)
            .flat_map(|it| &it.changes);
        Ok(Self {
            release: release.clone(),
            remotes: endpoints.clone(),
            hash: hash(changes)?,
            steps: plans,
        })
    }
}

/// Returns the SHA-256 of a transcript: a line of JSON for each change.
///
/// # Errors
/// When a change cannot be written as JSON.
pub(crate) fn hash<'a>(changes: impl IntoIterator<Item = &'a Change>) -> anyhow::Result<Sha256> {
    let mut text = String::new();
    for change in changes {
        text.push_str(&serde_json::to_string(change)?);
        text.push('\n');
    }
    Ok(Sha256::of(text.as_bytes()))
}

/// Returns every change that the steps may make.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn allowed(steps: &[Step]) -> anyhow::Result<BTreeSet<Change>> {
    let mut allowed = BTreeSet::new();
    for item in steps.iter().flat_map(|step| &step.items) {
        allowed.extend(item.changes()?);
        allowed.extend(item.repairs()?);
    }
    Ok(allowed)
}
