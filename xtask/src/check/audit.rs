//! What a repository's content means: what is missing, what must stay, what may go. Pure, over
//! [`crate::registry::audit`]'s walk.

use std::collections::{BTreeMap, BTreeSet};

use crate::registry::audit::{Audit, Document, Remark, Repository};
use crate::registry::referrers::fallback_subject;

/// The ways by which tags lead to each digest, such as `latest > linux/arm64/v8`.
type Ways = BTreeMap<String, Vec<String>>;

/// Judges a repository; `candidates` are digests that somebody would like to delete.
pub(crate) fn judge(name: &str, repository: &Repository, candidates: &[String]) -> Audit {
    let mut needed = Ways::new();
    for (tag, digest) in &repository.tags {
        // What is attached stays as long as what it is attached to.
        if fallback_subject(tag).is_none()
            && let Some(digest) = digest
        {
            follow(repository, digest, tag.clone(), &mut needed);
        }
    }
    let mut attachments: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (tag, digest) in &repository.tags {
        if let (Some(subject), Some(digest)) = (fallback_subject(tag), digest) {
            let way = format!("{tag}, what is attached to {subject}");
            if needed.contains_key(&subject) {
                follow(repository, digest, way, &mut needed);
            } else {
                attachments.insert(digest.clone(), (tag.clone(), subject));
            }
        }
    }
    let tagged: BTreeSet<_> = repository.tags.values().flatten().collect();
    let untagged = needed.iter().filter(|(digest, _)| {
        !tagged.contains(digest)
            && repository
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
        tags: repository.tags.len(),
        documents: repository.documents.len(),
        blobs: repository.blobs,
        dangling: dangling(repository, &needed),
        keep: keep.collect(),
        deletable: deletable(repository, &needed, &attachments, candidates),
    }
}

/// Marks everything below a document as led to by `way`.
fn follow(repository: &Repository, digest: &str, way: String, ways: &mut Ways) {
    let known = ways.entry(digest.to_owned()).or_default();
    if known.contains(&way) {
        return;
    }
    known.push(way.clone());
    let Some(Some(document)) = repository.documents.get(digest) else {
        return;
    };
    for (child, name) in &document.children {
        follow(repository, child, format!("{way} > {name}"), ways);
    }
    for referrer in &document.referrers {
        follow(repository, referrer, format!("{way} > attached"), ways);
    }
}

/// What tags lead to, and is not there.
fn dangling(repository: &Repository, needed: &Ways) -> Vec<Remark> {
    let mut dangling = Vec::new();
    for (tag, digest) in &repository.tags {
        if digest.is_none() {
            dangling.push(Remark {
                digest: tag.clone(),
                because: "the tag is listed and leads nowhere".to_owned(),
            });
        }
    }
    for (digest, ways) in needed {
        let Some(Some(document)) = repository.documents.get(digest) else {
            dangling.push(Remark {
                digest: digest.clone(),
                because: format!("missing: {}", ways.join(", ")),
            });
            continue;
        };
        for (blob, name) in &document.blobs {
            if repository.lost_blobs.contains(blob) {
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
    repository: &Repository,
    needed: &Ways,
    attachments: &BTreeMap<String, (String, String)>,
    candidates: &[String],
) -> Vec<Remark> {
    let mut deletable: Vec<Remark> = Vec::new();
    let mut add = |digest: &str, because: String| {
        let there = repository
            .documents
            .get(digest)
            .is_some_and(Option::is_some);
        let known = deletable.iter().any(|remark| remark.digest == digest);
        if there && !known && !needed.contains_key(digest) {
            let digest = digest.to_owned();
            deletable.push(Remark { digest, because });
        }
    };
    for candidate in candidates {
        add(candidate, "no tag leads to it".to_owned());
        for (child, name) in below(repository, candidate) {
            add(&child, format!("{name} of {candidate} alone"));
        }
    }
    for (digest, (tag, subject)) in attachments {
        let what = match repository.documents.get(subject) {
            Some(Some(_)) => "no tag leads to it",
            _ => "it is gone",
        };
        add(
            digest,
            format!("{tag} is attached to {subject}, and {what}"),
        );
        for (child, name) in below(repository, digest) {
            add(&child, format!("{name}, attached to {subject}"));
        }
    }
    deletable
}

/// Everything below a document, parents first.
fn below(repository: &Repository, digest: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut next = vec![digest.to_owned()];
    while let Some(digest) = next.pop() {
        let Some(Some(document)) = repository.documents.get(&digest) else {
            continue;
        };
        for (child, name) in leads(document) {
            if found.iter().all(|(known, _)| *known != child) {
                found.push((child.clone(), name));
                next.push(child);
            }
        }
    }
    found
}

fn leads(document: &Document) -> Vec<(String, String)> {
    let attached = document.referrers.iter();
    let attached = attached.map(|digest| (digest.clone(), "attachment".to_owned()));
    document.children.iter().cloned().chain(attached).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    fn digest(name: &str) -> String {
        Sha256::of(name.as_bytes()).oci()
    }

    fn document(children: &[&str], blobs: &[&str], referrers: &[&str]) -> Option<Document> {
        let pairs = |names: &[&str]| {
            names
                .iter()
                .map(|name| (digest(name), (*name).to_owned()))
                .collect()
        };
        Some(Document {
            children: pairs(children),
            blobs: pairs(blobs),
            referrers: referrers.iter().map(|name| digest(name)).collect(),
            subject: None,
        })
    }

    /// `latest` and `1` on one index with two images, and an index without a tag that shares one of them.
    fn repository() -> Repository {
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
        Repository {
            tags: BTreeMap::from([
                ("latest".to_owned(), Some(digest("index"))),
                ("1".to_owned(), Some(digest("index"))),
                (fallback, Some(digest("evidence"))),
            ]),
            documents: documents
                .into_iter()
                .map(|(name, document)| (digest(name), document))
                .collect(),
            lost_blobs: BTreeSet::new(),
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
        let audit = judge("r/x", &repository(), &[digest("old"), digest("arm64")]);
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
        let mut broken = repository();
        broken.documents.insert(digest("arm64"), None);
        broken.lost_blobs.insert(digest("config"));
        broken.tags.insert("empty".to_owned(), None);
        let audit = judge("r/x", &broken, &[]);
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
        let mut broken = repository();
        broken.documents.insert(digest("sbom"), None);
        assert_eq!(
            digests(&judge("r/x", &broken, &[]).dangling),
            [digest("sbom")]
        );
        broken = repository();
        broken.documents.insert(digest("signature"), None);
        assert_eq!(judge("r/x", &broken, &[]).dangling, []);
    }
}
