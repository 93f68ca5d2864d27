//! P: platforms, and the programs for them.

#![expect(missing_docs, reason = "the title of a rule describes it")]

use crate::rules::rule::{Accepted, Rule};

/// The rules of this family, in order.
pub const PLATFORM: &[&Rule] = &[
    &P1, &P2, &P3, &P4, &P5, &P6, &P7, &P8, &P9, &P11, &P12, &P15,
];

pub static P1: Rule = Rule::error(
    "P1",
    "the image is for exactly the declared platforms",
    "`no match for platform in manifest` on half of the nodes",
)
.example("arm64 is missing", &["P1"], Accepted::Yes);

pub static P2: Rule = Rule::error(
    "P2",
    "every child names its architecture and system",
    "ECR's pull-through cache fails",
)
.example("a child has no platform", &["P2", "P1"], Accepted::Yes);

pub static P3: Rule = Rule::error(
    "P3",
    "no platform is listed twice",
    "the second one is never used",
)
.example("amd64 is listed twice", &["P3"], Accepted::Yes);

pub static P4: Rule = Rule::error(
    "P4",
    "index and config agree on the platform",
    "containerd silently does not unpack the image",
)
.example("a config names another system", &["P4"], Accepted::Yes);

pub static P5: Rule = Rule::error(
    "P5",
    "arm64's variant is v8 or absent, in both places",
    "`linux/arm64/armv8` matches no node",
)
.example("arm64's variant is armv8", &["P5"], Accepted::Yes);

pub static P6: Rule = Rule::error(
    "P6",
    "the entry point is built for the platform",
    "`exec format error`",
)
.example("amd64 has arm64's program", &["P6"], Accepted::Yes);

pub static P7: Rule = Rule::error(
    "P7",
    "every ELF file is built for the platform",
    "a helper fails with `exec format error`",
)
.example("amd64 has a helper for arm64", &["P7"], Accepted::Yes);

pub static P8: Rule = Rule::error(
    "P8",
    "the entry point needs no loader and no libraries",
    "`exec /usr/bin/program: no such file or directory`",
)
.example("the program asks for a loader", &["P8"], Accepted::Yes);

pub static P9: Rule = Rule::error(
    "P9",
    "the entry point is a file that the configured user may run",
    "`permission denied` or `not found`",
)
.example("the user may not run the program", &["P9"], Accepted::Yes);

pub static P11: Rule = Rule::warning(
    "P11",
    "an arm64 program is aligned for pages of 64 KiB",
    "`exec format error` on kernels with large pages",
)
.example(
    "arm64's program is aligned to 4 KiB",
    &["P11"],
    Accepted::Yes,
);

pub static P12: Rule = Rule::warning(
    "P12",
    "no executable stack, relocations read-only, and the same on every platform",
    "one platform is easier to attack than the others",
)
.example("amd64's stack is executable", &["P12"], Accepted::Yes);

pub static P15: Rule = Rule::warning(
    "P15",
    "the program contains no path of the machine that built it",
    "private names are published, and two builds differ",
)
.example(
    "the program contains its builder's home folder",
    &["P15"],
    Accepted::Yes,
);
