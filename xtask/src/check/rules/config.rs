//! C: how a container starts, and what the image says of itself.

use super::{Rule, rule, warning};

/// In the order of the list.
pub(super) const RULES: &[Rule] = &[
    rule(
        "C1",
        "the entry point is a program by absolute path; the command holds its arguments alone",
        "`docker run IMAGE --version` tries to start a program called --version",
    ),
    rule(
        "C2",
        "variables are set once, PATH is among them, and none is a secret",
        "the last of two values wins in one runtime, the first in another",
    ),
    warning(
        "C3",
        "the exposed port is the one that the program listens on",
        "`docker run -P` publishes a port where nobody answers",
    ),
    warning(
        "C4",
        "the stop signal is a signal",
        "`docker stop` fails, or kills after ten seconds",
    ),
    warning(
        "C5",
        "no health check, no volumes, no ONBUILD",
        "a health check that Kubernetes never runs; anonymous volumes that fill the disk",
    ),
    rule(
        "C6",
        "the labels are there and true: source, licence, version, revision",
        "a scanner blames the wrong version; a licence that is not one",
    ),
    rule(
        "C7",
        "the index repeats what registries show: source, description, licence",
        "`No description provided`, and no link to the repository",
    ),
    rule(
        "C8",
        "the creation time is the commit's, the same everywhere, and has passed",
        "two builds differ, or `Created 56 years ago`",
    ),
    rule(
        "C9",
        "index.json gives every image its full name and its tag",
        "`ctr import` calls it import-2026-01-01, podman localhost/0.1.0",
    ),
    rule(
        "C10",
        "Docker's manifest.json names one platform's blobs under the image's names",
        "`docker load` on an amd64 machine gives the arm64 image",
    ),
];
