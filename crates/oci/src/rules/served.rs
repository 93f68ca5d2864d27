//! R1 to R12: what a registry serves for an image, and whether it is what was pushed. Checks use facts that a client
//! has collected, such as `registry::observe`.

use crate::annotation::DOCKER_REFERENCE_TYPE;
use crate::model::{Descriptor, ImageIndex, ImageManifest};
use crate::platform::Platform;
use crate::rules::catalogue::{R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12};
use crate::rules::findings::Findings;
use crate::tag::mismatch;

/// What a registry serves for an image and its repository.
#[derive(Debug, Clone, Default)]
pub struct RegistryFacts {
    /// `registry/repository`.
    pub repository: String,
    /// The digest of the index that was pushed, if that is known.
    pub pushed: Option<String>,
    /// The tags that should point to this image, the requested one first.
    pub tags: Vec<TagFact>,
    /// The index, if there is one.
    pub index: Option<ImageIndex>,
    /// The platform in the config of each child of the index, by the digest of the child.
    pub platforms: Vec<(String, Platform)>,
    /// The images, configs and layers of the index.
    pub parts: Vec<PartFact>,
    /// The attachments of the index and of its images.
    pub referrers: Vec<ReferrerFact>,
    /// Why a pull without credentials fails; `None` when it does not.
    pub anonymous: Option<String>,
    /// What clients with different `Accept` headers are served.
    pub served: Vec<ServedFact>,
    /// All tags of the repository.
    pub all_tags: Vec<String>,
    /// Other releases that cannot be pulled: the tag, and what is missing.
    pub lost_releases: Vec<(String, String)>,
    /// The digests of blobs that differ from what was pushed, each with the difference.
    pub changed: Vec<(String, String)>,
}

/// A tag, and the digests that a registry returns for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagFact {
    /// The tag.
    pub tag: String,
    /// `Docker-Content-Digest` in the answer to HEAD; `None` when there is no such tag.
    pub head: Option<String>,
    /// `Docker-Content-Digest` in the answer to GET, if it is sent.
    pub get: Option<String>,
    /// The digest of the bytes in the answer to GET; `None` when there is no such tag.
    pub computed: Option<String>,
    /// The version in the annotations of the image.
    pub version: Option<String>,
    /// The commit in the annotations of the image.
    pub revision: Option<String>,
}

/// An image, config or layer that a pull needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFact {
    /// Its name, such as `layer of linux/arm64`.
    pub name: String,
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// Its size in bytes, if the registry sends it; the outer `None` when it is missing.
    pub found: Option<Option<u64>>,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrerFact {
    /// The digest of the image whose referrers list it.
    pub listed_under: String,
    /// Its descriptor in the list of referrers.
    pub descriptor: Descriptor,
    /// Its manifest; `None` when it or its document is missing.
    pub manifest: Option<ImageManifest>,
    /// The hashes in its document; `None` when it contains none.
    pub about: Option<About>,
}

/// The hashes that a document contains, and the one that it should contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What the hashes are of: `image`, or `program` for an SBOM of a program.
    pub what: &'static str,
    /// The SHA-256 hashes in the document, in hex.
    pub named: Vec<String>,
    /// The SHA-256 that it should contain, in hex.
    pub expected: String,
}

/// What a client with a certain `Accept` header is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedFact {
    /// The media types that it accepts, in words.
    pub client: &'static str,
    /// Whether it accepts indexes, so that it must get the index.
    pub takes_index: bool,
    /// The status of the answer.
    pub status: u16,
    /// The digest of what it got; `None` when the answer is not 200.
    pub digest: Option<String>,
}

/// Adds a finding for each fact that breaks a rule.
pub fn check(facts: &RegistryFacts, findings: &mut Findings) {
    check_tags(facts, findings);
    check_parts(facts, findings);
    check_children(facts, findings);
    check_referrers(facts, findings);
    check_clients(facts, findings);
    check_repository(facts, findings);
}

impl RegistryFacts {
    /// Returns the digest of the requested image.
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

/// R1, R2 and R4: tags point to the right image.
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
                format!("HEAD returns {head}, GET returns {given}, and its bytes are {computed}");
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
            findings.add(&R4, name, format!("the image is labelled {other}"));
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

/// R3: images, configs and layers exist.
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

/// R5 and R9: the children of the index.
fn check_children(facts: &RegistryFacts, findings: &mut Findings) {
    let Some(index) = &facts.index else {
        return;
    };
    for child in &index.manifests {
        let is_unknown = child.platform.as_ref().is_some_and(Platform::is_unknown);
        if is_unknown || child.annotations.contains_key(DOCKER_REFERENCE_TYPE) {
            let message = "the index has a child that is not an image";
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

/// Returns the child that a client chooses: the first that matches (image-index.md). A child without a platform matches
/// all platforms, as in old clients.
fn choose<'a>(index: &'a ImageIndex, wanted: &Platform) -> Option<&'a Descriptor> {
    let fits = |child: &&Descriptor| child.platform.as_ref().is_none_or(|has| has.serves(wanted));
    index.manifests.iter().find(fits)
}

/// R6: attachments exist, and are about the image.
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

/// R7 and R8: what clients get.
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
                let message = format!("a client that accepts {client} gets {got} instead");
                findings.add(&R8, &facts.repository, message);
            }
            None if fact.takes_index => {
                let message = format!("a client that accepts {client} gets {}", fact.status);
                findings.add(&R8, &facts.repository, message);
            }
            // An error is correct for a client that does not accept indexes.
            _ => {}
        }
    }
}

/// Endings of the tags of single platforms.
const STAGING: [&str; 6] = [
    "-amd64",
    "-arm64",
    "-x86_64",
    "-aarch64",
    "-arm64v8",
    "-arm64-v8",
];

/// R10, R11 and R12: other tags, and changed blobs.
fn check_repository(facts: &RegistryFacts, findings: &mut Findings) {
    for tag in &facts.all_tags {
        if STAGING.iter().any(|ending| tag.ends_with(ending)) {
            let message =
                "a tag of one platform, which may be pulled on another platform or be deleted";
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
