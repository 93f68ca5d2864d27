//! Tests of what is refused before anything is sent, and of work that stops early.

use super::*;
use crate::fixtures;

#[test]
fn a_dirty_tree_is_published_on_this_machine_only() {
    let names = |name: &str| vec![name.parse::<Reference>().unwrap()];
    let clean = fixtures::release();
    let dirty = Release {
        commit: format!("{}-dirty", clean.commit),
        ..clean.clone()
    };
    assert!(preflight(&clean, &names("ghcr.io/noetl/noetl:1")).is_ok());
    assert!(preflight(&dirty, &names("127.0.0.1:5000/noetl:1")).is_ok());
    assert!(preflight(&dirty, &names("ghcr.io/noetl/noetl:1")).is_err());
}

#[test]
fn an_image_of_a_dirty_tree_stays_on_this_machine() {
    let mut content = Content {
        layout: &Layout::empty(),
        root: Descriptor::of(INDEX, b""),
        children: Vec::new(),
    };
    let mut manifest: ImageManifest = serde_json::from_value(serde_json::json!({
        "schemaVersion": 2, "config": {"mediaType": "x", "digest": "y", "size": 0}, "layers": [],
    }))
    .unwrap();
    manifest
        .annotations
        .insert(REVISION.to_owned(), "0123-dirty".to_owned());
    content
        .children
        .push((Descriptor::of(MANIFEST, b""), manifest));
    let name = |name: &str| name.parse::<Reference>().unwrap();
    assert!(
        content
            .refuse_dirty(&name("ghcr.io/noetl/noetl:1"))
            .is_err()
    );
    assert!(
        content
            .refuse_dirty(&name("127.0.0.1:5000/noetl:1"))
            .is_ok()
    );
    content.children[0].1.annotations.clear();
    assert!(content.refuse_dirty(&name("ghcr.io/noetl/noetl:1")).is_ok());
}

#[test]
fn the_first_error_stops_what_has_not_begun() {
    let items: Vec<u32> = (0..1000).collect();
    let done = AtomicUsize::new(0);
    let result = each(&items, |item| {
        ensure!(*item != 5, "five");
        done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    assert_eq!(result.unwrap_err().to_string(), "five");
    assert!(done.into_inner() < 1000);
    assert!(each(&items, |_| Ok(())).is_ok());
}
