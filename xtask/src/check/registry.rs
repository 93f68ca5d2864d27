//! The rules on what a registry serves, over facts that [`crate::registry::observe`] has gathered: nothing is asked here.

use crate::check::Findings;
use crate::oci::model::{Descriptor, ImageIndex, ImageManifest, PlatformFields};
use crate::registry::tags::is_immutable;

/// What a registry said about one image and its repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// `registry/repository`.
    pub repository: String,
    /// The digest that was pushed, when that is known.
    pub pushed: Option<String>,
    /// The tags that should be this image, the one asked for first.
    pub tags: Vec<TagFact>,
    /// The index, when there is one.
    pub index: Option<ImageIndex>,
    /// The platform that each child's own config names, by the child's digest.
    pub platforms: Vec<(String, PlatformFields)>,
    /// Every image, config and layer below the index.
    pub parts: Vec<PartFact>,
    /// What is attached to the index and to its images.
    pub referrers: Vec<ReferrerFact>,
    /// What a stranger's pull fails with.
    pub stranger: Option<String>,
    /// What clients are served who take only certain types.
    pub served: Vec<ServedFact>,
    /// All tags of the repository.
    pub all_tags: Vec<String>,
    /// Earlier releases that cannot be pulled: the tag, and what is missing.
    pub lost_releases: Vec<(String, String)>,
    /// Blobs that came back otherwise than they were pushed, with how.
    pub changed: Vec<(String, String)>,
}

/// One tag, asked for in three ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagFact {
    pub tag: String,
    /// `Docker-Content-Digest` of a HEAD; `None` when there is no such tag.
    pub head: Option<String>,
    /// The same of a GET, where it is given.
    pub get: Option<String>,
    /// SHA-256 of the bytes that the GET brought.
    pub computed: Option<String>,
    /// The version and the commit that the image says it is.
    pub version: Option<String>,
    pub revision: Option<String>,
}

/// Something that a pull needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartFact {
    /// `layer of linux/arm64`.
    pub name: String,
    pub descriptor: Descriptor,
    /// Whether it is there, and its length where the registry tells.
    pub found: Option<Option<u64>>,
}

/// Something attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferrerFact {
    /// The digest under which it is listed.
    pub listed_under: String,
    pub descriptor: Descriptor,
    /// Its manifest; `None` when it or its document is missing.
    pub manifest: Option<ImageManifest>,
    /// What its document says that it speaks of; `None` when it does not say.
    pub about: Option<About>,
}

/// The SHA-256 that a document names, and the one it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    /// What the hash is of: `image`, or `program` for an SBOM of one.
    pub what: &'static str,
    /// In hex.
    pub said: Vec<String>,
    /// In hex.
    pub expected: String,
}

/// What a client with a certain `Accept` is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServedFact {
    /// What it takes, in words.
    pub client: &'static str,
    /// Whether it takes indexes, so that it must be served.
    pub takes_index: bool,
    pub status: u16,
    /// SHA-256 of what it got.
    pub digest: Option<String>,
}

/// Judges the facts.
pub(crate) fn check(facts: &Facts, findings: &mut Findings) {
    tags(facts, findings);
    parts(facts, findings);
    children(facts, findings);
    referrers(facts, findings);
    clients(facts, findings);
    repository(facts, findings);
}

impl Facts {
    /// The digest of the image that was asked for.
    fn digest(&self) -> Option<&str> {
        let first = self.tags.first();
        self.pushed
            .as_deref()
            .or_else(|| first.and_then(|first| first.computed.as_deref()))
    }

    fn name(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository)
    }
}

/// R1, R2, R4.
fn tags(facts: &Facts, findings: &mut Findings) {
    let Some(digest) = facts.digest() else {
        return;
    };
    for fact in &facts.tags {
        let name = facts.name(&fact.tag);
        let Some(head) = &fact.head else {
            findings.add("R1", name, "there is no such tag");
            continue;
        };
        let computed = fact.computed.as_deref().unwrap_or("nothing");
        let given = fact.get.as_deref().unwrap_or(computed);
        if head != computed || given != computed {
            let message =
                format!("HEAD says {head}, GET says {given}, and its bytes are {computed}");
            findings.add("R1", &name, message);
        } else if facts.pushed.as_deref().is_some_and(|pushed| pushed != head) {
            findings.add(
                "R1",
                &name,
                format!("it is {head}, and {digest} was pushed"),
            );
        }
        if head != digest {
            let first = facts.tags.first().map_or("", |first| first.tag.as_str());
            let message = format!("it is {head}, while {first} of the same release is {digest}");
            findings.add("R2", &name, message);
        }
        if let Some(other) = renamed(fact) {
            findings.add("R4", name, format!("the image says that it is {other}"));
        }
    }
}

fn renamed(fact: &TagFact) -> Option<&str> {
    other_name(
        &fact.tag,
        fact.version.as_deref()?,
        fact.revision.as_deref()?,
    )
}

/// What an image with this version and of this commit calls itself, when an immutable tag says something else.
pub(crate) fn other_name<'a>(tag: &str, version: &'a str, revision: &'a str) -> Option<&'a str> {
    let agrees = |name: &str| {
        let tag = tag.strip_prefix('v').unwrap_or(tag);
        let tag = tag.strip_prefix("sha-").unwrap_or(tag);
        // A flavour may follow, and a commit may be shortened.
        let short = tag.split('-').next().unwrap_or(tag);
        tag == name
            || tag.starts_with(&format!("{name}-"))
            || (short.len() >= 7 && name.starts_with(short))
    };
    let revision = revision.trim_end_matches("-dirty");
    let says = if tag.contains('.') { version } else { revision };
    (is_immutable(tag) && !agrees(says)).then_some(says)
}

/// R3.
fn parts(facts: &Facts, findings: &mut Findings) {
    for part in &facts.parts {
        let Descriptor { digest, size, .. } = &part.descriptor;
        match part.found {
            None => findings.add("R3", digest, format!("the {} is missing", part.name)),
            Some(Some(length)) if length != *size => {
                let message = format!("the {} has {length} bytes instead of {size}", part.name);
                findings.add("R3", digest, message);
            }
            Some(_) => {}
        }
    }
}

/// The annotation by which buildx marks what is no image.
const BUILDX_TYPE: &str = "vnd.docker.reference.type";

/// R5, R9.
fn children(facts: &Facts, findings: &mut Findings) {
    let Some(index) = &facts.index else {
        return;
    };
    for child in &index.manifests {
        let platform = child.platform.as_ref();
        let unknown = platform.is_some_and(|it| it.os == "unknown" || it.architecture == "unknown");
        if unknown || child.annotations.contains_key(BUILDX_TYPE) {
            findings.add(
                "R5",
                &child.digest,
                "a child that is no image stands in the index",
            );
        }
    }
    let linux = |architecture: &'static str, variant| (architecture, "linux", variant);
    for wanted in [
        linux("amd64", None),
        linux("arm64", None),
        linux("arm64", Some("v8")),
    ] {
        let Some(child) = choose(index, wanted) else {
            continue;
        };
        let own = facts
            .platforms
            .iter()
            .find(|(digest, _)| *digest == child.digest);
        if let Some((_, platform)) = own
            && (platform.architecture.as_str(), platform.os.as_str()) != (wanted.0, wanted.1)
        {
            let message = format!("{} gets this image, which is for {platform}", shown(wanted));
            findings.add("R9", &child.digest, message);
        }
    }
    let plain = choose(index, linux("arm64", None)).map(|child| &child.digest);
    let v8 = choose(index, linux("arm64", Some("v8"))).map(|child| &child.digest);
    if plain != v8 {
        let message = "linux/arm64 and linux/arm64/v8, which are the same, get different images";
        findings.add("R9", "index", message);
    }
    for wanted in [linux("riscv64", None), ("amd64", "windows", None)] {
        if let Some(child) = choose(index, wanted) {
            findings.add(
                "R9",
                &child.digest,
                format!("{} gets this image", shown(wanted)),
            );
        }
    }
}

type Wanted = (&'static str, &'static str, Option<&'static str>);

fn shown((architecture, os, variant): Wanted) -> String {
    let variant = variant.map(|variant| format!("/{variant}"));
    format!("{os}/{architecture}{}", variant.unwrap_or_default())
}

/// The child that a client takes: the first that fits (image-index.md). arm64 without a variant is v8, as containerd
/// has it, and a child that names no platform fits everybody, as old clients have it.
fn choose(index: &ImageIndex, (architecture, os, variant): Wanted) -> Option<&Descriptor> {
    let normal = |variant: Option<&str>| match (architecture, variant) {
        ("arm64", None | Some("" | "v8" | "8")) => String::new(),
        (_, variant) => variant.unwrap_or_default().to_owned(),
    };
    index.manifests.iter().find(|child| {
        child.platform.as_ref().is_none_or(|platform| {
            (platform.architecture.as_str(), platform.os.as_str()) == (architecture, os)
                && normal(platform.variant.as_deref()) == normal(variant)
        })
    })
}

/// R6.
fn referrers(facts: &Facts, findings: &mut Findings) {
    for fact in &facts.referrers {
        let digest = &fact.descriptor.digest;
        let what = fact
            .descriptor
            .artifact_type
            .as_deref()
            .unwrap_or("an artifact");
        let Some(manifest) = &fact.manifest else {
            let message = format!("{what} attached to {} is missing", fact.listed_under);
            findings.add("R6", digest, message);
            continue;
        };
        let subject = manifest
            .subject
            .as_ref()
            .map(|subject| subject.digest.as_str());
        if subject != Some(&fact.listed_under) {
            let subject = subject.unwrap_or("nothing");
            let message = format!(
                "{what} is listed for {}, and its subject is {subject}",
                fact.listed_under
            );
            findings.add("R6", digest, message);
        }
        if let Some(About {
            what: of,
            said,
            expected,
        }) = &fact.about
            && !said.contains(expected)
        {
            let said = said.join(", ");
            let message = format!(
                "{what} is attached to {}, whose {of} is {expected}, and speaks of {said}",
                fact.listed_under
            );
            findings.add("R6", digest, message);
        }
    }
}

/// R7, R8.
fn clients(facts: &Facts, findings: &mut Findings) {
    if let Some(refusal) = &facts.stranger {
        findings.add("R7", &facts.repository, refusal);
    }
    let Some(digest) = facts.digest() else {
        return;
    };
    for fact in &facts.served {
        let client = fact.client;
        match &fact.digest {
            Some(got) if got != digest => {
                let message = format!("a client that takes {client} gets {got} instead");
                findings.add("R8", &facts.repository, message);
            }
            None if fact.takes_index => {
                let message = format!("a client that takes {client} gets {}", fact.status);
                findings.add("R8", &facts.repository, message);
            }
            // An old client that is told so by an error knows where it stands.
            _ => {}
        }
    }
}

/// What single platforms' tags end in.
const STAGING: [&str; 6] = [
    "-amd64",
    "-arm64",
    "-x86_64",
    "-aarch64",
    "-arm64v8",
    "-arm64-v8",
];

/// R10, R11, R12.
fn repository(facts: &Facts, findings: &mut Findings) {
    for tag in &facts.all_tags {
        if STAGING.iter().any(|ending| tag.ends_with(ending)) {
            let message = "a tag of one platform: people pull it on the other, or delete it";
            findings.add("R10", facts.name(tag), message);
        }
    }
    for (blob, how) in &facts.changed {
        findings.add("R11", blob, how);
    }
    for (tag, missing) in &facts.lost_releases {
        findings.add("R12", facts.name(tag), missing);
    }
}

#[cfg(test)]
mod tests;
