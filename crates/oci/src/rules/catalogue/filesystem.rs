//! F: what is in the layers, and how it is written.

#![expect(missing_docs, reason = "the title of a rule says what it is")]

use crate::rules::rule::{Accepted, Rule};

/// The rules of this family, in order.
pub const FILESYSTEM: &[&Rule] = &[
    &F1, &F2, &F3, &F4, &F5, &F6, &F7, &F8, &F9, &F10, &F11, &F12,
];

pub static F1: Rule = Rule::error(
    "F1",
    "nothing is setuid, setgid or writable for everyone but /tmp",
    "a flaw in the server becomes root",
)
.example("the program is setuid", &["F1"], Accepted::Yes);

pub static F2: Rule = Rule::error(
    "F2",
    "/tmp is there, and everyone may use it (01777)",
    "`mkdtemp: no such file or directory` in the first step that needs one",
)
.example("/tmp is for root alone", &["F2"], Accepted::Yes);

pub static F3: Rule = Rule::error(
    "F3",
    "SSL_CERT_FILE names a bundle of at least 100 whole certificates, ours being the pinned one",
    "`invalid peer certificate: UnknownIssuer`, from inside containers alone",
)
.example(
    "half of the certificates are missing",
    &["F3"],
    Accepted::Yes,
);

pub static F4: Rule = Rule::error(
    "F4",
    "passwd and group know the user, whose home and working folder are there",
    "HOME is unset, and what writes there fails",
)
.example("passwd knows root alone", &["F4"], Accepted::Yes);

pub static F5: Rule = Rule::error(
    "F5",
    "the user is a number, and not root",
    "CreateContainerConfigError: `cannot verify user is non-root`",
)
.example("the user is a name", &["F5"], Accepted::Yes);

pub static F6: Rule = Rule::error(
    "F6",
    "layers are ustar, sorted, folders before what is in them, each path once and inside",
    "runtimes unpack the same layer differently",
)
.example("/tmp comes before /etc", &["F6"], Accepted::Yes);

pub static F7: Rule = Rule::error(
    "F7",
    "every time is the commit's; owners are 0 or 65532, without names",
    "two builds differ, and the builder's name is in public",
)
.example("the program's time is another", &["F7"], Accepted::Yes);

pub static F8: Rule = Rule::error(
    "F8",
    "files, folders and symbolic links alone: no devices, hard links or extended attributes",
    "`operation not permitted` where images are unpacked without root",
)
.example("there is a device", &["F8"], Accepted::Yes);

pub static F9: Rule = Rule::error(
    "F9",
    "no keys, tokens, credentials, repositories or source maps",
    "a secret that anybody can pull, and that no later layer removes",
)
.example("npm's credentials are in the home", &["F9"], Accepted::Yes);

pub static F10: Rule = Rule::error(
    "F10",
    "layers without machine code are the same on every platform",
    "twice the storage, and two platforms that drift apart",
)
.example("arm64 has a base of its own", &["F10"], Accepted::Yes);

pub static F11: Rule = Rule::error(
    "F11",
    "symbolic links lead to something",
    "`no such file or directory` for a file that `ls` shows",
)
.example("a link leads nowhere", &["F11"], Accepted::Yes);

pub static F12: Rule = Rule::error(
    "F12",
    "a script that is the entry point has its interpreter in the image",
    "`exec /entrypoint.sh: no such file or directory`",
)
.example("the program is a shell script", &["F12"], Accepted::Yes);
