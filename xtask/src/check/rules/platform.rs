//! P: platforms, and the programs for them.

use super::{Rule, rule, warning};

/// In the order of the list.
pub(super) const RULES: &[Rule] = &[
    rule(
        "P1",
        "exactly the declared platforms",
        "`no match for platform in manifest` on half of the nodes",
    ),
    rule(
        "P2",
        "every child says its architecture and system",
        "ECR's pull-through cache fails",
    ),
    rule("P3", "no platform twice", "the second one is never used"),
    rule(
        "P4",
        "index and config agree on the platform",
        "containerd silently does not unpack the image",
    ),
    rule(
        "P5",
        "arm64's variant is v8 or absent, in both places",
        "`linux/arm64/armv8` matches no node",
    ),
    rule(
        "P6",
        "the entry point is built for the platform",
        "`exec format error`",
    ),
    rule(
        "P7",
        "every ELF file is built for the platform",
        "a helper fails with `exec format error`",
    ),
    rule(
        "P8",
        "the entry point needs no loader and no libraries",
        "`exec /usr/bin/noetl: no such file or directory`",
    ),
    rule(
        "P9",
        "the entry point is a file that the configured user may run",
        "`permission denied` or `not found`",
    ),
    rule(
        "P10",
        "the program asks for no more than every such processor has",
        "`Illegal instruction` on an older machine, `exit code 132`",
    ),
    warning(
        "P11",
        "an arm64 program is aligned for pages of 64 KiB",
        "`exec format error` on kernels with large pages alone",
    ),
    warning(
        "P12",
        "no executable stack, relocations read-only, and the same on every platform",
        "one platform is easier to break into, and nobody notices",
    ),
    warning(
        "P13",
        "the program is stripped, of reasonable size, and carries its build stamp",
        "an image ten times as large, of which nobody knows what it is",
    ),
    rule(
        "P14",
        "the build stamps agree on version, commit and page, with each other and with the labels",
        "arm64 users run last week's commit under today's tag",
    ),
    warning(
        "P15",
        "no path of the machine it was built on",
        "private names in public, and two builds differ",
    ),
];
