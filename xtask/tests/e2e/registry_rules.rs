//! The R rules and the audit, with faults in a real docker-registry.

use serde_json::{Value, json};

use crate::registry::{Registry, image, push, request, request_with_type, tag};
use crate::registry_proxy::{Action, Proxy};
use crate::support::{show, xtask};

fn check(address: &str, tag: &str) -> String {
    show(&mut xtask(&[
        "image",
        "check",
        &format!("{address}/noetl:{tag}"),
    ]))
}

fn audit(address: &str, more: &[&str]) -> String {
    show(xtask(&["image", "audit", &format!("{address}/noetl")]).args(more))
}

/// Pushes the dist's image under these tags. Returns the registry and the digests of the index and the arm64 image.
fn published(tags: &[&str]) -> Option<(Registry, String, String)> {
    let (tar, image) = image()?;
    let registry = Registry::start()?;
    let text = push(&tar, &registry.address, tags, &[]);
    assert!(text.ends_with("[exit 0]"), "{text}");
    let text_of = |value: &Value| value.as_str().unwrap().to_owned();
    Some((
        registry,
        text_of(&image["index_digest"]),
        text_of(&image["platforms"][1]["digest"]),
    ))
}

/// Stores an index. Returns its digest.
fn put(registry: &Registry, name: &str, document: &[u8]) -> String {
    let stored = request(
        &registry.address,
        "PUT",
        &format!("noetl/manifests/{name}"),
        Some(document),
    );
    assert_eq!(
        stored.status,
        201,
        "{}",
        String::from_utf8_lossy(&stored.body)
    );
    stored.digest.unwrap()
}

fn document(registry: &Registry, name: &str) -> Vec<u8> {
    request(
        &registry.address,
        "GET",
        &format!("noetl/manifests/{name}"),
        None,
    )
    .body
}

#[test]
fn a_deleted_image_of_an_index_is_found() {
    let Some((registry, index, child)) = published(&["0.1.0", "latest"]) else {
        return;
    };
    let clean = check(&registry.address, "latest");
    assert!(clean.ends_with("no rule is broken\n[exit 0]"), "{clean}");
    let clean = audit(&registry.address, &[]);
    assert!(
        clean.contains(&format!(
            "keep      {child} 0.1.0 > linux/arm64/v8, latest > linux/arm64/v8\n"
        )),
        "{clean}"
    );
    assert!(
        !clean.contains("dangling") && clean.ends_with("[exit 0]"),
        "{clean}"
    );

    assert_eq!(
        request(
            &registry.address,
            "DELETE",
            &format!("noetl/manifests/{child}"),
            None
        )
        .status,
        202
    );
    assert_eq!(
        tag(&registry.address, "noetl", "latest"),
        Some(index),
        "the tag is unchanged"
    );
    let broken = check(&registry.address, "latest");
    assert!(
        broken.contains(&format!(
            "error R3 {child}: the image for linux/arm64/v8 is missing"
        )),
        "{broken}"
    );
    assert!(broken.ends_with("[exit 1]"), "{broken}");
    let broken = audit(&registry.address, &[]);
    assert!(
        broken.contains(&format!(
            "dangling  {child} missing: 0.1.0 > linux/arm64/v8, latest"
        )),
        "{broken}"
    );
    assert!(
        broken.contains("help: push that release again") && broken.ends_with("[exit 1]"),
        "{broken}"
    );
    let json = show(&mut xtask(&[
        "--quiet",
        "image",
        "audit",
        "--json",
        &format!("{}/noetl", registry.address),
    ]));
    assert!(json.contains(&format!("\"digest\": \"{child}\"")), "{json}");
}

#[test]
fn misleading_tags_are_found() {
    let Some((registry, index, child)) = published(&["0.1.0"]) else {
        return;
    };
    let bytes = document(&registry, &index);
    put(&registry, "0.9.9", &bytes);
    let renamed = check(&registry.address, "0.9.9");
    assert!(
        renamed.contains("error R4 ") && renamed.contains("the image is labelled 0.1.0"),
        "{renamed}"
    );

    // `latest` has the same version and another index: the same images in reverse order.
    let mut other: Value = serde_json::from_slice(&bytes).unwrap();
    other["manifests"].as_array_mut().unwrap().reverse();
    let other = serde_json::to_vec(&other).unwrap();
    put(&registry, "latest", &other);
    let differing = check(&registry.address, "latest");
    assert!(
        differing.contains("error R2 ") && differing.contains("0.1.0: it is sha256:"),
        "{differing}"
    );

    let single = show(
        xtask(&["--quiet", "image", "check", "--json"])
            .arg(format!("{}/noetl:0.1.0", registry.address)),
    );
    assert!(
        single.starts_with('[') && !single.contains("\"R10\""),
        "{single}"
    );
    let manifest = document(&registry, &child);
    let path = "noetl/manifests/0.1.0-arm64";
    let stored = request_with_type(
        &registry.address,
        "PUT",
        path,
        Some(&manifest),
        "application/vnd.oci.image.manifest.v1+json",
    );
    assert_eq!(
        stored.status,
        201,
        "{}",
        String::from_utf8_lossy(&stored.body)
    );
    let staging = check(&registry.address, "0.1.0");
    assert!(
        staging.contains("warning R10 ") && staging.contains(":0.1.0-arm64: a tag of one platform"),
        "{staging}"
    );
}

#[test]
fn an_earlier_release_that_lost_an_image_is_found() {
    let Some((registry, index, child)) = published(&["0.1.0"]) else {
        return;
    };
    // 0.0.9 is another index, whose arm64 image is a copy that is then deleted.
    let mut copy = document(&registry, &child);
    copy.push(b'\n');
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let stored = request_with_type(
        &registry.address,
        "PUT",
        "noetl/manifests/copy",
        Some(&copy),
        manifest_type,
    );
    let lost = stored.digest.unwrap();
    let mut earlier: Value = serde_json::from_slice(&document(&registry, &index)).unwrap();
    earlier["manifests"][1]["digest"] = json!(lost);
    earlier["manifests"][1]["size"] = json!(copy.len());
    put(&registry, "0.0.9", &serde_json::to_vec(&earlier).unwrap());
    let fine = check(&registry.address, "0.1.0");
    assert!(!fine.contains("R12"), "{fine}");
    assert_eq!(
        request(
            &registry.address,
            "DELETE",
            &format!("noetl/manifests/{lost}"),
            None
        )
        .status,
        202
    );
    let found = check(&registry.address, "0.1.0");
    assert!(
        found.contains("warning R12 ")
            && found.contains(&format!(":0.0.9: its image {lost} is missing")),
        "{found}"
    );
}

#[test]
fn evidence_without_its_subject_is_found() {
    let Some((registry, index, child)) = published(&["0.1.0"]) else {
        return;
    };
    // The fallback tag of the index lists an image, which has no subject.
    let size = document(&registry, &child).len();
    let artifacts = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": child, "size": size, "artifactType": "text/plain"}
    ]});
    let fallback = index.replace(':', "-");
    put(
        &registry,
        &fallback,
        &serde_json::to_vec(&artifacts).unwrap(),
    );
    let found = check(&registry.address, "0.1.0");
    assert!(
        found.contains(&format!(
            "error R6 {child}: text/plain is listed for {index}, and its subject is nothing"
        )),
        "{found}"
    );
}

#[test]
fn an_index_that_is_changed_in_transit_is_found_after_the_push() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::start()) else {
        return;
    };
    push(&tar, &registry.address, &["0.1.0"], &["--no-check"]);
    let index = image["index_digest"].as_str().unwrap();
    let mut other = document(&registry, index);
    other.push(b'\n');
    let other = String::from_utf8(other).unwrap();
    let proxy = Proxy::start(&registry.address, move |seen| match seen.kind.as_str() {
        "GET tag" => Action::Answer(
            200,
            vec![(
                "content-type",
                "application/vnd.oci.image.index.v1+json".to_owned(),
            )],
            other.clone(),
        ),
        _ => Action::Pass,
    });
    let text = push(&tar, &proxy.address, &["0.1.0"], &[]);
    assert!(
        text.contains("error R1 ") && text.contains("error R11 ") && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[test]
fn audit_lists_only_untagged_images_as_deletable() {
    let Some((registry, index, child)) = published(&["0.1.0"]) else {
        return;
    };
    let mut older: Value = serde_json::from_slice(&document(&registry, &index)).unwrap();
    older["manifests"].as_array_mut().unwrap().truncate(1);
    let older = put(&registry, "latest", &serde_json::to_vec(&older).unwrap());
    put(&registry, "latest", &document(&registry, &index));
    let text = audit(
        &registry.address,
        &["--candidate", &older, "--candidate", &child],
    );
    assert!(
        text.contains(&format!("deletable {older} no tag leads to it")),
        "{text}"
    );
    assert!(
        text.contains(&format!("keep      {child} "))
            && !text.contains(&format!("deletable {child}")),
        "{text}"
    );
    assert!(text.ends_with("[exit 0]"), "{text}");
    // Deleting a deletable image breaks no rule.
    assert_eq!(
        request(
            &registry.address,
            "DELETE",
            &format!("noetl/manifests/{older}"),
            None
        )
        .status,
        202
    );
    assert!(check(&registry.address, "0.1.0").ends_with("[exit 0]"));
}
