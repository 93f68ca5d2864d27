//! What follows from what a repository holds: what is missing, what must stay, what can be deleted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::artifact::fallback_subject;

/// What is in a repository, as far as names lead.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Where each tag points to; `None` when it is listed and leads nowhere.
    pub tags: BTreeMap<String, Option<String>>,
    /// Images, indexes and attachments by digest; `None` for those that are missing.
    pub documents: BTreeMap<String, Option<DocumentLinks>>,
    /// Blobs that are missing.
    pub missing_blobs: BTreeSet<String>,
    /// How many blobs there are, those that are missing included.
    pub blobs: usize,
}

/// An image, an index or an attachment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentLinks {
    /// Digest and name of each document below it, such as `linux/arm64/v8`.
    pub children: Vec<(String, String)>,
    /// Digest and name of each blob, such as `layer 2`.
    pub blobs: Vec<(String, String)>,
    /// What is attached to it.
    pub referrers: Vec<String>,
    /// What it is attached to.
    pub subject: Option<String>,
}

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// `registry/repository`.
    pub repository: String,
    /// How many tags there are.
    pub tags: usize,
    /// How many images, indexes and attachments there are.
    pub documents: usize,
    /// How many blobs there are.
    pub blobs: usize,
    /// What tags lead to and the registry lacks.
    pub dangling: Vec<Remark>,
    /// Untagged digests that tags need.
    pub keep: Vec<Remark>,
    /// Digests that no tag needs, in the order in which to delete them.
    pub deletable: Vec<Remark>,
}

/// A digest and why it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The digest, or a tag that leads nowhere.
    pub digest: String,
    /// Why.
    pub because: String,
}

impl DocumentLinks {
    /// Reads an image, index or attachment, OCI's or Docker's, as far as it leads on.
    pub fn read(bytes: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let digest = |json: &Value| json["digest"].as_str().map(ToOwned::to_owned);
        let list = |name: &str| json[name].as_array().into_iter().flatten();
        let child = |child: &Value| Some((digest(child)?, platform(child)));
        let config = json.get("config").and_then(digest);
        let layers = list("layers").enumerate().filter_map(|(number, layer)| {
            // Layers that are elsewhere are not this registry's.
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

/// Returns the name of a child in its index: where it runs, or what it is.
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

/// The ways by which tags lead to each digest, such as `latest > linux/arm64/v8`.
type Routes = BTreeMap<String, Vec<String>>;

/// Judges a repository; `candidates` are digests that the caller would like to delete.
pub fn audit(name: &str, inventory: &Inventory, candidates: &[String]) -> Audit {
    let mut needed = Routes::new();
    for (tag, digest) in &inventory.tags {
        // What is attached stays as long as what it is attached to.
        if fallback_subject(tag).is_none()
            && let Some(digest) = digest
        {
            mark_needed(inventory, digest, tag.clone(), &mut needed);
        }
    }
    let mut attachments: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (tag, digest) in &inventory.tags {
        if let (Some(subject), Some(digest)) = (fallback_subject(tag), digest) {
            let way = format!("{tag}, what is attached to {subject}");
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

/// Marks everything below a document as led to by `way`.
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

/// What tags lead to, and is not there.
fn dangling(inventory: &Inventory, needed: &Routes) -> Vec<Remark> {
    let mut dangling = Vec::new();
    for (tag, digest) in &inventory.tags {
        if digest.is_none() {
            dangling.push(Remark {
                digest: tag.clone(),
                because: "the tag is listed and leads nowhere".to_owned(),
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

/// What no tag needs: candidates and what is below them alone, and attachments to what is gone.
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
            add(&child, format!("{name} of {candidate} alone"));
        }
    }
    for (digest, (tag, subject)) in attachments {
        let what = match inventory.documents.get(subject) {
            Some(Some(_)) => "no tag leads to it",
            _ => "it is gone",
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

/// Everything below a document, parents first.
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

    /// `latest` and `1` on one index with two images, and an index without a tag that shares one of them.
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
    fn what_tags_need_stays_and_the_rest_may_go() {
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
    fn what_is_missing_is_found_by_every_way_that_leads_there() {
        let mut broken = inventory();
        broken.documents.insert(digest("arm64"), None);
        broken.missing_blobs.insert(digest("config"));
        broken.tags.insert("empty".to_owned(), None);
        let audit = audit("r/x", &broken, &[]);
        let told: Vec<_> = audit
            .dangling
            .iter()
            .map(|remark| remark.because.as_str())
            .collect();
        assert!(
            told.contains(&"the tag is listed and leads nowhere"),
            "{told:?}"
        );
        assert!(
            told.contains(&"missing: 1 > arm64, latest > arm64"),
            "{told:?}"
        );
        assert!(
            told.contains(&"missing: 1 > amd64 > config, latest > amd64 > config"),
            "{told:?}"
        );
        assert_eq!(told.len(), 3, "{told:?}");
    }

    #[test]
    fn an_attachment_that_is_missing_dangles_and_one_to_something_that_is_gone_does_not() {
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
