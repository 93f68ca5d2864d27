//! C: how a container starts, and annotations and names of the image.

#![expect(missing_docs, reason = "the title of a rule describes it")]

use crate::rules::rule::{Accepted, Rule};

/// The rules of this family, in order.
pub const CONFIG: &[&Rule] = &[&C1, &C2, &C3, &C4, &C5, &C7, &C8, &C9, &C10];

pub static C1: Rule = Rule::error(
    "C1",
    "the entry point is the absolute path of a program, and the command contains only its arguments",
    "`docker run IMAGE --version` tries to start a program called --version",
)
.example(
    "the command begins with the program",
    &["C1"],
    Accepted::Yes,
);

pub static C2: Rule = Rule::error(
    "C2",
    "variables are set once, PATH is among them, and none is a secret",
    "the last of two values wins in one runtime, the first in another",
)
.example("PATH is set twice", &["C2"], Accepted::Yes);

pub static C3: Rule = Rule::warning(
    "C3",
    "the exposed port is the one that the program listens on",
    "`docker run -P` publishes a port on which the program does not listen",
)
.example("port 8081 is exposed", &["C3"], Accepted::Yes);

pub static C4: Rule = Rule::warning(
    "C4",
    "the stop signal is a signal",
    "`docker stop` fails, or kills after ten seconds",
)
.example("the stop signal is no signal", &["C4"], Accepted::Yes);

pub static C5: Rule = Rule::warning(
    "C5",
    "no health check, no volumes, no ONBUILD",
    "a health check that Kubernetes never runs; anonymous volumes that fill the disk",
)
.example("/data is a volume", &["C5"], Accepted::Yes);

pub static C7: Rule = Rule::error(
    "C7",
    "the index repeats what registries show: source, description, licence",
    "`No description provided`, and no link to the repository",
)
.example("the index does not say its source", &["C7"], Accepted::Yes);

pub static C8: Rule = Rule::error(
    "C8",
    "the creation time is the commit's, the same everywhere, and has passed",
    "two builds differ, or `Created 56 years ago`",
)
.example("arm64 was made later", &["C8"], Accepted::Yes);

pub static C9: Rule = Rule::error(
    "C9",
    "index.json gives every image its full name and its tag",
    "`ctr import` calls it import-2026-01-01, podman localhost/0.1.0",
)
.example(
    "the tag in index.json is not that of the name",
    &["C9"],
    Accepted::Yes,
);

pub static C10: Rule = Rule::error(
    "C10",
    "Docker's manifest.json names one platform's blobs under the image's names",
    "`docker load` on an amd64 machine gives the arm64 image",
)
.example(
    "manifest.json names both platforms alike",
    &["C10"],
    Accepted::Yes,
);
