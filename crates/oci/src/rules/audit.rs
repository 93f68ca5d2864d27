//! Decides from the content of a repository what is missing, what must be kept, and what can be deleted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::artifact::fallback_subject;

/// What is in a repository, as far as it can be reached from tags and known digests.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The digest that each tag points to; `None` when the tag is listed, but has no manifest.
    pub tags: BTreeMap<String, Option<String>>,
    /// The images, indexes and attachments by digest; `None` for those that are missing.
    pub documents: BTreeMap<String, Option<DocumentLinks>>,
    /// The digests of missing blobs.
    pub missing_blobs: BTreeSet<String>,
    /// The number of blobs, including missing ones.
    pub blobs: usize,
}

/// What an image, an index or an attachment refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentLinks {
    /// The digest and name of each child of an index, such as `linux/arm64/v8`.
    pub children: Vec<(String, String)>,
    /// The digest and name of each blob, such as `layer 2`; the lowest layer is 1.
    pub blobs: Vec<(String, String)>,
    /// The digests of its attachments.
    pub referrers: Vec<String>,
    /// The digest of the image that it is attached to.
    pub subject: Option<String>,
}

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// `registry/repository`.
    pub repository: String,
    /// The number of tags.
    pub tags: usize,
    /// The number of images, indexes and attachments.
    pub documents: usize,
    /// The number of blobs.
    pub blobs: usize,
    /// Digests that tags need and the registry does not have, and tags without a manifest.
    pub dangling: Vec<Remark>,
    /// Digests without a tag that tags need, and that must be kept.
    pub keep: Vec<Remark>,
    /// Digests that no tag needs, in the order in which they should be deleted.
    pub deletable: Vec<Remark>,
}

/// A digest and why it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The digest, or a tag without a manifest.
    pub digest: String,
    /// Why it is listed.
    pub because: String,
}

impl DocumentLinks {
    /// Reads what an image, index or attachment of OCI or Docker refers to. Invalid JSON refers to nothing.
    pub fn read(bytes: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let digest = |json: &Value| json["digest"].as_str().map(ToOwned::to_owned);
        let list = |name: &str| json[name].as_array().into_iter().flatten();
        let child = |child: &Value| Some((digest(child)?, platform(child)));
        let config = json.get("config").and_then(digest);
        let layers = list("layers").enumerate().filter_map(|(number, layer)| {
            // Layers with URLs are not stored in this registry.
            let elsewhere = layer["urls"]
                .as_array()
                .is_some_and(|urls| !urls.is_empty());
            let name = format!("layer {}", number + 1);
            (!elsewhere).then(|| Some((digest(layer)?, name)))?
        });
        let config = config
            .into_iter()
            .map(|digest| (digest, "config".to_owned()));
        Self {
            children: list("manifests").filter_map(child).collect(),
            blobs: config.chain(layers).collect(),
            referrers: Vec::new(),
            subject: json.get("subject").and_then(digest),
        }
    }
}

/// Returns the name of a child of an index: its platform, or else its artifact type.
fn platform(child: &Value) -> String {
    let platform = &child["platform"];
    let part = |name: &str| platform[name].as_str();
    let parts = [part("os"), part("architecture"), part("variant")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        let what = child["artifactType"].as_str();
        return what.unwrap_or("image").to_owned();
    }
    parts.join("/")
}

/// The routes from tags to each digest, such as `latest > linux/arm64/v8`.
type Routes = BTreeMap<String, Vec<String>>;

/// Returns the audit of the repository `name`, which is `registry/repository`. `candidates` are digests that the caller
/// would like to delete.
pub fn audit(name: &str, inventory: &Inventory, candidates: &[String]) -> Audit {
    let mut needed = Routes::new();
    for (tag, digest) in &inventory.tags {
        // Attachments are kept as long as their subject, see below.
        if fallback_subject(tag).is_none()
            && let Some(digest) = digest
        {
            mark_needed(inventory, digest, tag.clone(), &mut needed);
        }
    }
    let mut attachments: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (tag, digest) in &inventory.tags {
        if let (Some(subject), Some(digest)) = (fallback_subject(tag), digest) {
            let way = format!("{tag}, attached to {subject}");
            if needed.contains_key(&subject) {
                mark_needed(inventory, digest, way, &mut needed);
            } else {
                attachments.insert(digest.clone(), (tag.clone(), subject));
            }
        }
    }
    let tagged: BTreeSet<_> = inventory.tags.values().flatten().collect();
    let untagged = needed.iter().filter(|(digest, _)| {
        !tagged.contains(digest)
            && inventory
                .documents
                .get(*digest)
                .is_some_and(Option::is_some)
    });
    let keep = untagged.map(|(digest, ways)| Remark {
        digest: digest.clone(),
        because: ways.join(", "),
    });
    Audit {
        repository: name.to_owned(),
        tags: inventory.tags.len(),
        documents: inventory.documents.len(),
        blobs: inventory.blobs,
        dangling: dangling(inventory, &needed),
        keep: keep.collect(),
        deletable: deletable(inventory, &needed, &attachments, candidates),
    }
}

/// Adds the route `way` to a document, and longer routes to everything that it refers to.
fn mark_needed(inventory: &Inventory, digest: &str, way: String, ways: &mut Routes) {
    let known = ways.entry(digest.to_owned()).or_default();
    if known.contains(&way) {
        return;
    }
    known.push(way.clone());
    let Some(Some(document)) = inventory.documents.get(digest) else {
        return;
    };
    for (child, name) in &document.children {
        mark_needed(inventory, child, format!("{way} > {name}"), ways);
    }
    for referrer in &document.referrers {
        mark_needed(inventory, referrer, format!("{way} > attached"), ways);
    }
}

/// Returns tags without a manifest, and missing documents and blobs that tags need.
fn dangling(inventory: &Inventory, needed: &Routes) -> Vec<Remark> {
    let mut dangling = Vec::new();
    for (tag, digest) in &inventory.tags {
        if digest.is_none() {
            dangling.push(Remark {
                digest: tag.clone(),
                because: "the tag is listed, but has no manifest".to_owned(),
            });
        }
    }
    for (digest, ways) in needed {
        let Some(Some(document)) = inventory.documents.get(digest) else {
            dangling.push(Remark {
                digest: digest.clone(),
                because: format!("missing: {}", ways.join(", ")),
            });
            continue;
        };
        for (blob, name) in &document.blobs {
            if inventory.missing_blobs.contains(blob) {
                let ways = ways.iter().map(|way| format!("{way} > {name}"));
                dangling.push(Remark {
                    digest: blob.clone(),
                    because: format!("missing: {}", ways.collect::<Vec<_>>().join(", ")),
                });
            }
        }
    }
    dangling
}

/// Returns what no tag needs: candidates and their descendants, and attachments whose subject is not needed.
fn deletable(
    inventory: &Inventory,
    needed: &Routes,
    attachments: &BTreeMap<String, (String, String)>,
    candidates: &[String],
) -> Vec<Remark> {
    let mut deletable: Vec<Remark> = Vec::new();
    let mut add = |digest: &str, because: String| {
        let there = inventory.documents.get(digest).is_some_and(Option::is_some);
        let known = deletable.iter().any(|remark| remark.digest == digest);
        if there && !known && !needed.contains_key(digest) {
            let digest = digest.to_owned();
            deletable.push(Remark { digest, because });
        }
    };
    for candidate in candidates {
        add(candidate, "no tag leads to it".to_owned());
        for (child, name) in descendants(inventory, candidate) {
            add(&child, format!("only {candidate} needs it, as {name}"));
        }
    }
    for (digest, (tag, subject)) in attachments {
        let what = match inventory.documents.get(subject) {
            Some(Some(_)) => "no tag leads to that",
            _ => "that is missing",
        };
        add(
            digest,
            format!("{tag} is attached to {subject}, and {what}"),
        );
        for (child, name) in descendants(inventory, digest) {
            add(&child, format!("{name}, attached to {subject}"));
        }
    }
    deletable
}

/// Returns digest and name of all descendants of a document, parents first.
fn descendants(inventory: &Inventory, digest: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut next = vec![digest.to_owned()];
    while let Some(digest) = next.pop() {
        let Some(Some(document)) = inventory.documents.get(&digest) else {
            continue;
        };
        for (child, name) in children_and_referrers(document) {
            if found.iter().all(|(known, _)| *known != child) {
                found.push((child.clone(), name));
                next.push(child);
            }
        }
    }
    found
}

/// Returns digest and name of the children and attachments of a document.
fn children_and_referrers(document: &DocumentLinks) -> Vec<(String, String)> {
    let attached = document.referrers.iter();
    let attached = attached.map(|digest| (digest.clone(), "attachment".to_owned()));
    document.children.iter().cloned().chain(attached).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    fn digest(name: &str) -> String {
        Sha256::of(name.as_bytes()).digest()
    }

    fn document(children: &[&str], blobs: &[&str], referrers: &[&str]) -> Option<DocumentLinks> {
        let pairs = |names: &[&str]| {
            names
                .iter()
                .map(|name| (digest(name), (*name).to_owned()))
                .collect()
        };
        Some(DocumentLinks {
            children: pairs(children),
            blobs: pairs(blobs),
            referrers: referrers.iter().map(|name| digest(name)).collect(),
            subject: None,
        })
    }

    /// The tags `latest` and `1` of an index with two images, and an index without a tag that contains one of them.
    fn inventory() -> Inventory {
        let fallback = format!("sha256-{}", Sha256::of(b"gone"));
        let documents = [
            ("index", document(&["amd64", "arm64"], &[], &["sbom"])),
            ("amd64", document(&[], &["config", "layer"], &[])),
            ("arm64", document(&[], &["layer"], &[])),
            ("sbom", document(&[], &[], &[])),
            ("old", document(&["amd64", "riscv"], &[], &[])),
            ("riscv", document(&[], &["layer"], &[])),
            ("evidence", document(&["signature"], &[], &[])),
            ("signature", document(&[], &[], &[])),
            ("gone", None),
        ];
        Inventory {
            tags: BTreeMap::from([
                ("latest".to_owned(), Some(digest("index"))),
                ("1".to_owned(), Some(digest("index"))),
                (fallback, Some(digest("evidence"))),
            ]),
            documents: documents
                .into_iter()
                .map(|(name, document)| (digest(name), document))
                .collect(),
            missing_blobs: BTreeSet::new(),
            blobs: 2,
        }
    }

    fn digests(remarks: &[Remark]) -> Vec<&str> {
        remarks
            .iter()
            .map(|remark| remark.digest.as_str())
            .collect()
    }

    #[test]
    fn what_tags_need_is_kept_and_the_rest_can_be_deleted() {
        let audit = audit("r/x", &inventory(), &[digest("old"), digest("arm64")]);
        assert_eq!(audit.dangling, []);
        let mut keep = ["amd64", "arm64", "sbom"].map(digest);
        keep.sort();
        assert_eq!(digests(&audit.keep), keep);
        assert!(
            audit.keep[0].because.starts_with("1 > "),
            "{:?}",
            audit.keep
        );
        assert_eq!(
            digests(&audit.deletable),
            ["old", "riscv", "evidence", "signature"].map(digest)
        );
    }

    #[test]
    fn missing_digests_are_listed_with_all_routes_to_them() {
        let mut broken = inventory();
        broken.documents.insert(digest("arm64"), None);
        broken.missing_blobs.insert(digest("config"));
        broken.tags.insert("empty".to_owned(), None);
        let audit = audit("r/x", &broken, &[]);
        let reasons: Vec<_> = audit
            .dangling
            .iter()
            .map(|remark| remark.because.as_str())
            .collect();
        assert!(
            reasons.contains(&"the tag is listed, but has no manifest"),
            "{reasons:?}"
        );
        assert!(
            reasons.contains(&"missing: 1 > arm64, latest > arm64"),
            "{reasons:?}"
        );
        assert!(
            reasons.contains(&"missing: 1 > amd64 > config, latest > amd64 > config"),
            "{reasons:?}"
        );
        assert_eq!(reasons.len(), 3, "{reasons:?}");
    }

    #[test]
    fn missing_attachments_are_dangling_unless_their_subject_is_missing() {
        let mut broken = inventory();
        broken.documents.insert(digest("sbom"), None);
        assert_eq!(
            digests(&audit("r/x", &broken, &[]).dangling),
            [digest("sbom")]
        );
        broken = inventory();
        broken.documents.insert(digest("signature"), None);
        assert_eq!(audit("r/x", &broken, &[]).dangling, []);
    }
}
