//! F: what is in the layers, and how it is written.

#![expect(missing_docs, reason = "the title of a rule describes it")]

use crate::rules::rule::{Accepted, Rule};

/// The rules of this family, in order.
pub const FILESYSTEM: &[&Rule] = &[
    &F1, &F2, &F3, &F4, &F5, &F6, &F7, &F8, &F9, &F10, &F11, &F12,
];

pub static F1: Rule = Rule::error(
    "F1",
    "nothing is setuid or setgid, and only /tmp is writable for everyone",
    "a flaw in the server becomes root",
)
.example("the program is setuid", &["F1"], Accepted::Yes);

pub static F2: Rule = Rule::error(
    "F2",
    "there is a /tmp that everyone may use (01777)",
    "`mkdtemp: no such file or directory` in the first step that needs one",
)
.example("/tmp is for root only", &["F2"], Accepted::Yes);

pub static F3: Rule = Rule::error(
    "F3",
    "SSL_CERT_FILE names a bundle of at least 100 complete certificates, the pinned one in own images",
    "`invalid peer certificate: UnknownIssuer`, only inside containers",
)
.example(
    "half of the certificates are missing",
    &["F3"],
    Accepted::Yes,
);

pub static F4: Rule = Rule::error(
    "F4",
    "passwd and group list the user, and its home and working folder exist",
    "HOME is unset, and writing there fails",
)
.example("passwd lists only root", &["F4"], Accepted::Yes);

pub static F5: Rule = Rule::error(
    "F5",
    "the user is a number, and not root",
    "CreateContainerConfigError: `cannot verify user is non-root`",
)
.example("the user is a name", &["F5"], Accepted::Yes);

pub static F6: Rule = Rule::error(
    "F6",
    "layers are ustar and sorted; folders come before their files; each path is there once and stays inside",
    "runtimes unpack the same layer differently",
)
.example("/tmp comes before /etc", &["F6"], Accepted::Yes);

pub static F7: Rule = Rule::error(
    "F7",
    "every time is the commit's; owners are 0 or 65532, without names",
    "two builds differ, and the builder's name is published",
)
.example("the program's time is another", &["F7"], Accepted::Yes);

pub static F8: Rule = Rule::error(
    "F8",
    "only files, folders and symbolic links: no devices, hard links or extended attributes",
    "`operation not permitted` where images are unpacked without root",
)
.example("there is a device", &["F8"], Accepted::Yes);

pub static F9: Rule = Rule::error(
    "F9",
    "no keys, tokens, credentials, repositories or source maps",
    "everyone who pulls the image can read a secret, which no later layer removes",
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
    "symbolic links have a target",
    "`no such file or directory` for a file that `ls` shows",
)
.example("the target of a link is missing", &["F11"], Accepted::Yes);

pub static F12: Rule = Rule::error(
    "F12",
    "a script that is the entry point has its interpreter in the image",
    "`exec /entrypoint.sh: no such file or directory`",
)
.example("the program is a shell script", &["F12"], Accepted::Yes);
