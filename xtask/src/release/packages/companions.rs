//! Companions of the binary: the files that every package has beside it. They are made once, by running `noetl`, and are
//! the same for all targets.

use anyhow::Context as _;
use camino::Utf8Path;
use noetl_oci::Sha256;
use serde::{Deserialize, Serialize};
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::{files, output, run};
use crate::release::cargo::{self, Binary};
use crate::release::target::{self, Target};
use crate::release::third_party;
use crate::release::version::Release;

/// The licences of what is compiled into the binary.
pub(crate) const THIRD_PARTY: &str = "THIRD-PARTY-LICENSES";
/// The completion script of each shell, as the shell's users call such files.
pub(crate) const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "completions/noetl.bash"),
    ("elvish", "completions/noetl.elv"),
    ("fish", "completions/noetl.fish"),
    ("powershell", "completions/_noetl.ps1"),
    ("zsh", "completions/_noetl"),
];
/// The files of the repository, and the names that packages have for them.
const OWN: &[(&str, &str)] = &[
    ("LICENSE", "LICENSE"),
    ("README.md", "README.md"),
    ("crates/noetlctl/CHANGELOG.md", "CHANGELOG.md"),
];

/// The Python files of the launcher package, in crates/noetlctl/python.
pub(crate) const LAUNCHER: &[&str] = &[
    "noetl/__init__.py",
    "noetl/__main__.py",
    "noetl/_launcher.py",
    "noetl/server.py",
];

/// A file beside the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Companion {
    /// The path in an archive, below its folder, such as `man/noetl.1`.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// What dist-manifest.json says of a companion.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Described {
    /// The path in an archive, below its folder.
    pub path: String,
    /// The SHA-256 of the content.
    pub sha256: Sha256,
}

impl Companion {
    pub(crate) fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            bytes: bytes.into(),
        }
    }

    pub(crate) fn describe(&self) -> Described {
        Described {
            path: self.path.clone(),
            sha256: Sha256::of(&self.bytes),
        }
    }
}

/// Makes the companions, in the order of their paths. One of the binaries is run for it, or one that is compiled when
/// none is for this machine.
///
/// # Errors
/// When `noetl` fails, or a licence is not found.
pub(crate) fn make(
    ctx: &Ctx,
    release: &Release,
    binaries: &[Binary],
) -> anyhow::Result<Vec<Companion>> {
    let host = target::select(&["host".to_owned()], &cargo::Host::read(ctx)?.triple);
    let host = host.ok().and_then(|found| found.first().copied());
    let own = binaries.iter().find(|built| Some(built.target) == host);
    let noetl = match own {
        // Those of other machines have lost their execute permission on the way.
        Some(built) => {
            let copy = ctx
                .state()
                .join(format!("companions-{}", built.target.binary_name()));
            files::copy_executable(&built.path, &copy)?;
            files::make_executable(&copy)?;
            copy
        }
        None => cargo::build_native(ctx, release, false)?,
    };
    let targets: Vec<&Target> = binaries.iter().map(|built| built.target).collect();
    output::step(ctx, "manual pages, completions, licences", || {
        let mut companions = texts_of(ctx, &noetl)?;
        for (source, path) in OWN {
            companions.push(Companion::new(*path, files::read(&ctx.root.join(source))?));
        }
        let licenses = third_party::licenses(ctx, &targets)?;
        companions.push(Companion::new(THIRD_PARTY, licenses));
        companions.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(companions)
    })
}

/// Returns the files of the Python package.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn launcher(ctx: &Ctx) -> anyhow::Result<Vec<Companion>> {
    let folder = ctx.root.join("crates/noetlctl/python");
    let file = |path: &&str| Ok(Companion::new(*path, files::read(&folder.join(path))?));
    LAUNCHER.iter().map(file).collect()
}

/// Returns what `noetl` says of itself.
fn texts_of(ctx: &Ctx, noetl: &Utf8Path) -> anyhow::Result<Vec<Companion>> {
    let mut companions = Vec::new();
    for (shell, path) in COMPLETIONS {
        let script = run::read(ctx, cmd!(ctx.shell, "{noetl} completions {shell}"))?;
        companions.push(Companion::new(*path, script));
    }
    let folder = ctx.state().join("man");
    files::remove(&folder)?;
    run::read(ctx, cmd!(ctx.shell, "{noetl} man --dir {folder}"))?;
    let cannot = || format!("cannot list {folder}");
    for page in folder.read_dir_utf8().with_context(cannot)? {
        let page = page.with_context(cannot)?;
        let path = format!("man/{}", page.file_name());
        companions.push(Companion::new(path, files::read(page.path())?));
    }
    Ok(companions)
}

/// Returns what is wrong with the companions of a package, each as a sentence.
pub(crate) fn problems(companions: &[Companion]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |path: &str, is_right: &dyn Fn(&str) -> bool| {
        let found = companions.iter().find(|companion| companion.path == path);
        let text = found.map(|companion| std::str::from_utf8(&companion.bytes));
        problems.extend(match text {
            None => Some(format!("{path} is missing")),
            Some(Ok(text)) if is_right(text) => None,
            Some(_) => Some(format!("{path} is not what its name says")),
        });
    };
    for (_, path) in OWN {
        expect(path, &|text| !text.trim().is_empty());
    }
    for (_, path) in COMPLETIONS {
        expect(path, &|text| text.contains("noetl"));
    }
    expect("man/noetl.1", &|text| text.contains(".TH noetl 1"));
    expect(THIRD_PARTY, &|text| third_party::check(text).is_ok());
    let known = |path: &str| {
        path.starts_with("man/noetl-")
            || path == "man/noetl.1"
            || path == THIRD_PARTY
            || OWN
                .iter()
                .chain(COMPLETIONS)
                .any(|(_, known)| *known == path)
    };
    let others = companions
        .iter()
        .filter(|companion| !known(&companion.path));
    problems.extend(others.map(|companion| format!("{} is not a companion", companion.path)));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// Returns the problems of the companions after a change.
    fn after(change: impl Fn(&mut Vec<Companion>)) -> String {
        let mut companions = fixtures::companions();
        change(&mut companions);
        problems(&companions).join("; ")
    }

    #[test]
    fn each_companion_is_there_and_is_what_its_name_says() {
        assert_eq!(after(|_| {}), "");
        for companion in fixtures::companions() {
            let path = &companion.path;
            let missing = after(|all| all.retain(|one| one.path != *path));
            assert_eq!(missing, format!("{path} is missing"));
            let empty = after(|all| {
                let mut all = all.iter_mut();
                all.find(|one| one.path == *path).unwrap().bytes.clear();
            });
            assert_eq!(empty, format!("{path} is not what its name says"));
        }
        let more = after(|all| all.push(Companion::new("notes", "x")));
        assert_eq!(more, "notes is not a companion");
        assert_eq!(
            after(|all| all.push(Companion::new("man/noetl-run.1", "x"))),
            ""
        );
    }
}
