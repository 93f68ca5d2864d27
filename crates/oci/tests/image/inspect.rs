//! The columns and the sizes of a summary.

use noetl_oci::Image;
use noetl_oci::inspect::{PlatformSummary, Summary, format_size};

use crate::fixture::clean;

#[test]
fn columns_are_those_of_docker_plus_sizes_and_layers() {
    let image = Image::read(&clean()).unwrap();
    let summary = Summary::of(&image).unwrap();
    let more = |image: &PlatformSummary| format!("  More:      {}\n", image.digest);
    let found = summary.columns("x:1", more);
    let digests = [&image.root().unwrap().digest, &summary.manifests[0].digest];
    let head = format!(
        "Name:      x:1\nMediaType: application/vnd.oci.image.index.v1+json\nDigest:    {}\n\nManifests:\n  \
         Name:      x:1@{}\n  MediaType: application/vnd.oci.image.manifest.v1+json\n  \
         Platform:  linux/amd64\n  Size:      ",
        digests[0], digests[1]
    );
    assert!(found.starts_with(&head), "{found}");
    assert!(found.contains("\n  Platform:  linux/arm64/v8\n"), "{found}");
    assert_eq!(found.matches("  Layer:     ").count(), 4);
    assert_eq!(found.matches("  More:      sha256:").count(), 2);
}

#[test]
fn sizes_are_exact_and_rounded() {
    assert_eq!(format_size(1023), "1023 bytes");
    assert_eq!(format_size(1536), "1536 bytes (1.5 KiB)");
    assert_eq!(format_size(1_572_864), "1572864 bytes (1.5 MiB)");
}
