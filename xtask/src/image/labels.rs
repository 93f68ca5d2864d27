//! The labels of the image, and those that every image of NoETL must have.

use noetl_oci::Annotations;
use noetl_oci::annotation::PREFIX;

use crate::release::version::Release;
use crate::release::workspace::{HOMEPAGE, LICENSE, REPOSITORY};

/// The labels that every image of NoETL has, without [`PREFIX`]. An image on a base has `base.name` and `base.digest`
/// too.
pub(crate) const REQUIRED: &[&str] = &[
    "authors",
    "created",
    "description",
    "documentation",
    "licenses",
    "revision",
    "source",
    "title",
    "url",
    "vendor",
    "version",
];

/// Returns the labels of the config, which are the annotations of index and manifests too.
pub(crate) fn labels(release: &Release) -> Annotations {
    let description =
        "Workflow automation from YAML playbooks: server, web page and command line in one binary";
    let labels = [
        ("authors", "NoETL"),
        ("created", &release.created()),
        ("description", description),
        ("documentation", HOMEPAGE),
        ("licenses", LICENSE),
        ("revision", &release.commit),
        ("source", REPOSITORY),
        ("title", "noetl"),
        ("url", HOMEPAGE),
        ("vendor", "NoETL"),
        ("version", &release.version),
    ];
    let pair = |(key, value): (&str, &str)| (format!("{PREFIX}{key}"), value.to_owned());
    labels.map(pair).into()
}
