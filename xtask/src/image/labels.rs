//! What the image says of itself, and which labels it must have.

use noetl_oci::Annotations;
use noetl_oci::annotation::{
    CREATED, DESCRIPTION, LICENSES, PREFIX, REVISION, SOURCE, TITLE, VENDOR, VERSION,
};

use crate::release::version::Release;

/// The labels that every image of NoETL has, without [`PREFIX`]; `base.name` and `base.digest` come with a base.
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

/// Returns the labels of the config, which are the annotations of index and manifests as well.
pub(crate) fn labels(release: &Release) -> Annotations {
    let other = |name: &str| format!("{PREFIX}{name}");
    let labels = [
        (other("authors"), "NoETL"),
        (CREATED.to_owned(), &release.created()),
        (
            DESCRIPTION.to_owned(),
            "Workflow automation from YAML playbooks: server, web page and command line in one binary",
        ),
        (other("documentation"), "https://noetl.io"),
        (LICENSES.to_owned(), "MIT"),
        (REVISION.to_owned(), &release.commit),
        (SOURCE.to_owned(), "https://github.com/noetl/noetl"),
        (TITLE.to_owned(), "noetl"),
        (other("url"), "https://noetl.io"),
        (VENDOR.to_owned(), "NoETL"),
        (VERSION.to_owned(), &release.version),
    ];
    let pairs = labels.into_iter();
    pairs.map(|(key, value)| (key, value.to_owned())).collect()
}
