//! What installed this binary: a package manager, which updates it, or nobody who does.

use std::path::Path;
use std::process::{Command, Stdio};

/// A package manager that owns the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) name: &'static str,
    /// The command that updates it.
    pub(super) update: String,
}

/// Parts of paths, with forward slashes, that only one package manager uses.
const FOLDERS: &[(&str, &str, &str)] = &[
    ("/Cellar/", "Homebrew", "brew upgrade noetl"),
    ("/nix/store/", "Nix", "nix profile upgrade noetl"),
    ("/node_modules/", "npm", "npm install --global noetl@latest"),
    ("/pipx/venvs/", "pipx", "pipx upgrade noetlctl"),
    ("/uv/tools/", "uv", "uv tool upgrade noetlctl"),
    ("/.cargo/bin/", "cargo", "cargo binstall --force noetlctl"),
    ("/scoop/apps/", "Scoop", "scoop update noetl"),
    ("/WinGet/Packages/", "winget", "winget upgrade NoETL.NoETL"),
];

/// Programs that know which package a file of the system belongs to.
const MANAGERS: &[(&[&str], &str, &str)] = &[
    (
        &["dpkg", "--search"],
        "apt",
        "apt-get install --only-upgrade noetl",
    ),
    (&["rpm", "--query", "--file"], "dnf", "dnf upgrade noetl"),
    (
        &["pacman", "--query", "--owns"],
        "pacman",
        "yay -S noetl-bin",
    ),
];

/// Returns the owner of a binary. `ask` runs a command with the path behind it, and tells whether it succeeded.
pub(super) fn find(program: &Path, ask: &dyn Fn(&[&str], &Path) -> bool) -> Option<Owner> {
    let owner = |name, update: &str| Owner {
        name,
        update: update.to_owned(),
    };
    let path = program.to_string_lossy().replace('\\', "/");
    let mut folders = FOLDERS.iter();
    if let Some((_, name, update)) = folders.find(|(part, ..)| path.contains(part)) {
        return Some(owner(name, update));
    }
    let folder = program.parent()?;
    if is_of_pip(folder) {
        return Some(owner("pip", "pip install --upgrade noetlctl"));
    }
    let is_checkout = ["../xtask/Cargo.toml", "../crates/noetlctl/Cargo.toml"];
    if is_checkout.iter().all(|path| folder.join(path).is_file()) {
        return Some(owner("cargo xtask setup", "git pull && cargo xtask setup"));
    }
    // Only there, so that other machines do not start three programs.
    if path.starts_with("/usr/bin/") || path.starts_with("/bin/") {
        let mut managers = MANAGERS.iter();
        let found = managers.find(|(words, ..)| ask(words, program));
        return found.map(|(_, name, update)| owner(name, update));
    }
    None
}

/// Whether the folder of scripts of a Python environment has the binary: its packages then list the distribution.
fn is_of_pip(scripts: &Path) -> bool {
    let Some(prefix) = scripts.parent() else {
        return false;
    };
    let list = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    // Windows has two of them: of an installation, and of a user.
    let mut packages = vec![
        prefix.join("Lib/site-packages"),
        prefix.join("site-packages"),
    ];
    // Fedora puts compiled packages into lib64.
    let libraries = ["lib", "lib64"].map(|lib| list(&prefix.join(lib)));
    for python in libraries.concat() {
        packages.extend([python.join("site-packages"), python.join("dist-packages")]);
    }
    let mut files = packages.iter().flat_map(|folder| list(folder));
    files.any(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("noetlctl-") && name.ends_with(".dist-info")
    })
}

/// Runs a command with a path behind it.
pub(super) fn ask(words: &[&str], path: &Path) -> bool {
    let Some((program, words)) = words.split_first() else {
        return false;
    };
    let mut command = Command::new(program);
    let command = command.args(words).arg(path).stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str) -> Option<&'static str> {
        let knows = |words: &[&str], _: &Path| words[0] == "rpm";
        find(Path::new(path), &knows).map(|owner| owner.name)
    }

    #[test]
    fn folders_tell_the_package_manager() {
        for (path, owner) in [
            (
                "/opt/homebrew/Cellar/noetl/1.2.3/bin/noetl",
                Some("Homebrew"),
            ),
            ("/nix/store/abc-noetl-1.2.3/bin/noetl", Some("Nix")),
            (
                "/usr/lib/node_modules/@noetl/cli-linux-x64/bin/noetl",
                Some("npm"),
            ),
            (
                "/home/me/.local/pipx/venvs/noetlctl/bin/noetl",
                Some("pipx"),
            ),
            (
                "/home/me/.local/share/uv/tools/noetlctl/bin/noetl",
                Some("uv"),
            ),
            ("/home/me/.cargo/bin/noetl", Some("cargo")),
            (
                r"C:\Users\me\scoop\apps\noetl\1.2.3\noetl.exe",
                Some("Scoop"),
            ),
            ("/usr/bin/noetl", Some("dnf")),
            ("/home/me/.local/bin/noetl", None),
            ("/usr/local/bin/noetl", None),
        ] {
            assert_eq!(name(path), owner, "{path}");
        }
    }

    #[test]
    fn an_environment_of_python_has_the_distribution() {
        for packages in [
            "lib/python3.12/site-packages",
            "lib64/python3.12/site-packages",
            "lib/python3/dist-packages",
            "site-packages",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let bin = folder.path().join("bin");
            let program = bin.join("noetl");
            let info = folder
                .path()
                .join(packages)
                .join("noetlctl-1.2.3.dist-info");
            std::fs::create_dir_all(&bin).unwrap();
            assert_eq!(find(&program, &|_, _| false), None);
            std::fs::create_dir_all(info).unwrap();
            assert_eq!(
                find(&program, &|_, _| false).unwrap().name,
                "pip",
                "{packages}"
            );
        }
    }

    #[test]
    fn a_checkout_of_noetl_is_none_of_another_project() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/noetl");
        for path in ["bin", "xtask", "crates/noetlctl"] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        for path in ["Cargo.toml", "xtask/Cargo.toml"] {
            std::fs::write(folder.path().join(path), "").unwrap();
        }
        assert_eq!(find(&program, &|_, _| false), None);
        std::fs::write(folder.path().join("crates/noetlctl/Cargo.toml"), "").unwrap();
        assert_eq!(
            find(&program, &|_, _| false).unwrap().name,
            "cargo xtask setup"
        );
    }
}
