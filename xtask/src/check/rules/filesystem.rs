//! F: what is in the layers, and how it is written.

use super::{Rule, rule};

/// In the order of the list.
pub(super) const RULES: &[Rule] = &[
    rule(
        "F1",
        "nothing is setuid, setgid or writable for everyone but /tmp",
        "a flaw in the server becomes root",
    ),
    rule(
        "F2",
        "/tmp is there, and everyone may use it (01777)",
        "`mkdtemp: no such file or directory` in the first step that needs one",
    ),
    rule(
        "F3",
        "SSL_CERT_FILE names a bundle of at least 100 whole certificates, ours being the pinned one",
        "`invalid peer certificate: UnknownIssuer`, from inside containers alone",
    ),
    rule(
        "F4",
        "passwd and group know the user, whose home and working folder are there",
        "HOME is unset, and what writes there fails",
    ),
    rule(
        "F5",
        "the user is a number, and not root",
        "CreateContainerConfigError: `cannot verify user is non-root`",
    ),
    rule(
        "F6",
        "layers are ustar, sorted, folders before what is in them, each path once and inside",
        "runtimes unpack the same layer differently",
    ),
    rule(
        "F7",
        "every time is the commit's; owners are 0 or 65532, without names",
        "two builds differ, and the builder's name is in public",
    ),
    rule(
        "F8",
        "files, folders and symbolic links alone: no devices, hard links or extended attributes",
        "`operation not permitted` where images are unpacked without root",
    ),
    rule(
        "F9",
        "no keys, tokens, credentials, repositories or source maps",
        "a secret that anybody can pull, and that no later layer removes",
    ),
    rule(
        "F10",
        "layers without machine code are the same on every platform",
        "twice the storage, and two platforms that drift apart",
    ),
    rule(
        "F11",
        "symbolic links lead to something",
        "`no such file or directory` for a file that `ls` shows",
    ),
    rule(
        "F12",
        "a script that is the entry point has its interpreter in the image",
        "`exec /entrypoint.sh: no such file or directory`",
    ),
];
