//! The steps of a release, as values: from a verified dist and the answers of no remote.

use anyhow::Context as _;
use noetl_oci::{Blob, Reference};

use crate::publish::channels;
use crate::publish::inputs::{BRANCH, Inputs};
use crate::publish::items::github::{Draft, File};
use crate::publish::items::image::{Image, Tags};
use crate::publish::items::publication::{Latest, Publication};
use crate::publish::items::{git, npm, pypi};
use crate::publish::step::{Item, Kind, Step};
use crate::release::dist_manifest::Content;
use crate::release::packages::{archives, wheel};
use crate::release::workspace;

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
    let mut items: Vec<Box<dyn Item>> = Vec::new();
    if !inputs.is_nightly {
        items.push(Box::new(branch));
    }
    items.push(Box::new(git::Tag { name: tag, commit }));
    let mut steps = vec![Step {
        kind: Kind::Tag,
        items,
    }];
    let (draft, files, publication) = github(inputs)?;
    steps.extend([draft, files]);
    steps.extend(image(inputs, Tags::Fixed)?);
    if !inputs.is_nightly {
        steps.extend(registries(inputs)?);
    }
    steps.push(publication);
    if inputs.is_newest {
        steps.extend(channels::channels(inputs)?);
        let mut items: Vec<Box<dyn Item>> = Vec::new();
        items.extend(
            image(inputs, Tags::Moving)?
                .into_iter()
                .flat_map(|it| it.items),
        );
        items.push(Box::new(Latest {
            release: inputs.github(),
        }));
        steps.push(Step {
            kind: Kind::Latest,
            items,
        });
    }
    Ok(steps)
}

/// Returns the steps of the registries of packages.
fn registries(inputs: &Inputs<'_>) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    if !inputs.crates.is_empty() {
        let crates = inputs.crates.iter().cloned();
        let items = crates.map(|it| Box::new(it) as Box<dyn Item>);
        steps.push(Step {
            kind: Kind::Crates,
            items: items.collect(),
        });
    }
    steps.extend(packages(inputs)?);
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
        kind: Kind::Draft,
        items: vec![Box::new(draft)],
    };
    let uploads = Step {
        kind: Kind::Files,
        items,
    };
    let publication = Step {
        kind: Kind::Publish,
        items: vec![Box::new(Publication { release, files })],
    };
    Ok((draft, uploads, publication))
}

/// Returns the step of the image, if the dist has one.
fn image(inputs: &Inputs<'_>, tags_kind: Tags) -> anyhow::Result<Option<Step>> {
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
    let tags: Vec<&str> = match tags_kind {
        Tags::Fixed => vec![version, &release.tag],
        Tags::Moving => {
            let dots = version.match_indices('.').map(|(at, _)| &version[..at]);
            dots.chain(["latest"]).collect()
        }
    };
    let name = |tag: &str| Reference::join(&inputs.endpoints.registry, workspace::image(), tag);
    let item = Image {
        tar: inputs.folder.join(file),
        digest: image.index_digest.clone(),
        names: tags.into_iter().map(name).collect::<anyhow::Result<_>>()?,
        kind: tags_kind,
    };
    Ok(Some(Step {
        kind: Kind::Image,
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
    Ok([
        Step {
            kind: Kind::Npm,
            items: of_npm,
        },
        Step {
            kind: Kind::Pypi,
            items: of_pypi,
        },
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
