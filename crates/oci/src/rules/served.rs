//! R1 to R10 and R12: what a registry serves, judged over facts that a client has gathered. R11 compares it with what
//! was pushed.

use crate::annotation::DOCKER_REFERENCE_TYPE;
use crate::model::{Descriptor, ImageIndex, ImageManifest};
use crate::platform::Platform;
use crate::rules::catalogue::{R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12};
use crate::rules::findings::Findings;
use crate::tag::mismatch;

/// What a registry named of one image and its repository.
#[derive(Debug, Clone, Default)]
pub struct RegistryFacts {
    /// `registry/repository`.
    pub repository: String,
    /// The digest that was pushed, when that is known.
    pub pushed: Option<String>,
    /// The tags that should be this image, the one asked for first.
    pub tags: Vec<TagFact>,
    /// The index, when there is one.
    pub index: Option<ImageIndex>,
    /// The platform that each child's own config names, by the child's digest.
    pub platforms: Vec<(String, Platform)>,
    /// Every image, config and layer below the index.
    pub parts: Vec<PartFact>,
    /// What is attached to the index and to its images.
    pub referrers: Vec<ReferrerFact>,
    /// Why a pull without credentials fails; `None` when it does not.
    pub anonymous: Option<String>,
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
pub struct TagFact {
    /// The tag.
    pub tag: String,
    /// `Docker-Content-Digest` of a HEAD; `None` when there is no such tag.
    pub head: Option<String>,
    /// The same of a GET, where it is given.
    pub get: Option<String>,
    /// SHA-256 of the bytes that the GET brought.
    pub computed: Option<String>,
    /// The version that the image says it is.
    pub version: Option<String>,
    /// The commit that the image says it is of.
    pub revision: Option<String>,
}

/// Something that a pull needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFact {
    /// `layer of linux/arm64`.
    pub name: String,
    /// Its digest and size as its parent has it.
    pub descriptor: Descriptor,
    /// Whether it is there, and its length where the registry says it.
    pub found: Option<Option<u64>>,
}

/// Something attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrerFact {
    /// The digest under which it is listed.
    pub listed_under: String,
    /// The list's entry.
    pub descriptor: Descriptor,
    /// Its manifest; `None` when it or its document is missing.
    pub manifest: Option<ImageManifest>,
    /// What its document is about; `None` when it does not say.
    pub about: Option<About>,
}

/// The SHA-256 that a document names, and the one it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What the hash is of: `image`, or `program` for an SBOM of one.
    pub what: &'static str,
    /// In hex.
    pub named: Vec<String>,
    /// In hex.
    pub expected: String,
}

/// What a client with a certain `Accept` is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedFact {
    /// What it takes, for people.
    pub client: &'static str,
    /// Whether it takes indexes, so that it must be served.
    pub takes_index: bool,
    /// The status of the answer.
    pub status: u16,
    /// SHA-256 of what it got.
    pub digest: Option<String>,
}

/// Judges the facts.
pub fn check(facts: &RegistryFacts, findings: &mut Findings) {
    check_tags(facts, findings);
    check_parts(facts, findings);
    check_children(facts, findings);
    check_referrers(facts, findings);
    check_clients(facts, findings);
    check_repository(facts, findings);
}

impl RegistryFacts {
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
fn check_tags(facts: &RegistryFacts, findings: &mut Findings) {
    let Some(digest) = facts.digest() else {
        return;
    };
    for fact in &facts.tags {
        let name = facts.name(&fact.tag);
        let Some(head) = &fact.head else {
            findings.add(&R1, name, "there is no such tag");
            continue;
        };
        let computed = fact.computed.as_deref().unwrap_or("nothing");
        let given = fact.get.as_deref().unwrap_or(computed);
        if head != computed || given != computed {
            let message =
                format!("HEAD says {head}, GET says {given}, and its bytes are {computed}");
            findings.add(&R1, &name, message);
        } else if facts.pushed.as_deref().is_some_and(|pushed| pushed != head) {
            findings.add(&R1, &name, format!("it is {head}, and {digest} was pushed"));
        }
        if head != digest {
            let first = facts.tags.first().map_or("", |first| first.tag.as_str());
            let message = format!("it is {head}, while {first} of the same release is {digest}");
            findings.add(&R2, &name, message);
        }
        if let Some(other) = mismatch_of(fact) {
            findings.add(&R4, name, format!("the image says that it is {other}"));
        }
    }
}

fn mismatch_of(fact: &TagFact) -> Option<&str> {
    mismatch(
        &fact.tag,
        fact.version.as_deref()?,
        fact.revision.as_deref()?,
    )
}

/// R3.
fn check_parts(facts: &RegistryFacts, findings: &mut Findings) {
    for part in &facts.parts {
        let Descriptor { digest, size, .. } = &part.descriptor;
        match part.found {
            None => findings.add(&R3, digest, format!("the {} is missing", part.name)),
            Some(Some(length)) if length != *size => {
                let message = format!("the {} has {length} bytes instead of {size}", part.name);
                findings.add(&R3, digest, message);
            }
            Some(_) => {}
        }
    }
}

/// R5, R9.
fn check_children(facts: &RegistryFacts, findings: &mut Findings) {
    let Some(index) = &facts.index else {
        return;
    };
    for child in &index.manifests {
        let is_unknown = child.platform.as_ref().is_some_and(Platform::is_unknown);
        if is_unknown || child.annotations.contains_key(DOCKER_REFERENCE_TYPE) {
            let message = "a child that is not an image stands in the index";
            findings.add(&R5, &child.digest, message);
        }
    }
    let linux = |architecture, variant| Platform::new("linux", architecture, variant);
    let (arm64, arm64_v8) = (linux("arm64", None), linux("arm64", Some("v8")));
    for wanted in [&linux("amd64", None), &arm64, &arm64_v8] {
        let Some(child) = choose(index, wanted) else {
            continue;
        };
        let mut platforms = facts.platforms.iter();
        let own = platforms.find(|(digest, _)| *digest == child.digest);
        if let Some((_, platform)) = own
            && platform.without_variant() != wanted.without_variant()
        {
            let message = format!("{wanted} gets this image, which is for {platform}");
            findings.add(&R9, &child.digest, message);
        }
    }
    let digest = |wanted| choose(index, wanted).map(|child| &child.digest);
    if digest(&arm64) != digest(&arm64_v8) {
        let message = format!("{arm64} and {arm64_v8}, which are the same, get different images");
        findings.add(&R9, "index", message);
    }
    for wanted in [
        linux("riscv64", None),
        Platform::new("windows", "amd64", None),
    ] {
        if let Some(child) = choose(index, &wanted) {
            findings.add(&R9, &child.digest, format!("{wanted} gets this image"));
        }
    }
}

/// Returns the child that a client takes: the first that fits (image-index.md). A child that names no platform fits
/// all, as old clients have it.
fn choose<'a>(index: &'a ImageIndex, wanted: &Platform) -> Option<&'a Descriptor> {
    let fits = |child: &&Descriptor| child.platform.as_ref().is_none_or(|has| has.serves(wanted));
    index.manifests.iter().find(fits)
}

/// R6.
fn check_referrers(facts: &RegistryFacts, findings: &mut Findings) {
    for fact in &facts.referrers {
        let digest = &fact.descriptor.digest;
        let what = fact
            .descriptor
            .artifact_type
            .as_deref()
            .unwrap_or("an artifact");
        let Some(manifest) = &fact.manifest else {
            let message = format!("{what} attached to {} is missing", fact.listed_under);
            findings.add(&R6, digest, message);
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
            findings.add(&R6, digest, message);
        }
        if let Some(About {
            what: of,
            named,
            expected,
        }) = &fact.about
            && !named.contains(expected)
        {
            let named = named.join(", ");
            let message = format!(
                "{what} is attached to {}, whose {of} is {expected}, and is about {named}",
                fact.listed_under
            );
            findings.add(&R6, digest, message);
        }
    }
}

/// R7, R8.
fn check_clients(facts: &RegistryFacts, findings: &mut Findings) {
    if let Some(refusal) = &facts.anonymous {
        findings.add(&R7, &facts.repository, refusal);
    }
    let Some(digest) = facts.digest() else {
        return;
    };
    for fact in &facts.served {
        let client = fact.client;
        match &fact.digest {
            Some(got) if got != digest => {
                let message = format!("a client that takes {client} gets {got} instead");
                findings.add(&R8, &facts.repository, message);
            }
            None if fact.takes_index => {
                let message = format!("a client that takes {client} gets {}", fact.status);
                findings.add(&R8, &facts.repository, message);
            }
            // An old client gets an error, which says so.
            _ => {}
        }
    }
}

/// What tags of single platforms end in.
const STAGING: [&str; 6] = [
    "-amd64",
    "-arm64",
    "-x86_64",
    "-aarch64",
    "-arm64v8",
    "-arm64-v8",
];

/// R10, R11, R12.
fn check_repository(facts: &RegistryFacts, findings: &mut Findings) {
    for tag in &facts.all_tags {
        if STAGING.iter().any(|ending| tag.ends_with(ending)) {
            let message = "a tag of one platform: people pull it on the other, or delete it";
            findings.add(&R10, facts.name(tag), message);
        }
    }
    for (blob, how) in &facts.changed {
        findings.add(&R11, blob, how);
    }
    for (tag, missing) in &facts.lost_releases {
        findings.add(&R12, facts.name(tag), missing);
    }
}

#[cfg(test)]
mod tests;
