//! The commit that a build is of: in git hooks, with any git configuration, and in a source archive.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::fixture::{Archived, Fixture};
use crate::support::{command, git, show, succeed, variable, xtask};

/// Returns the release that `build --plan` prints.
fn release(plan: &str) -> Value {
    let plan: Value = serde_json::from_str(plan).unwrap();
    plan["release"].clone()
}

/// Returns the files of the main checkout that a hook in a linked worktree must not change.
fn state(checkout: &Fixture) -> [Vec<u8>; 3] {
    let folder = checkout.root().join(".git");
    ["config", "HEAD", "index"].map(|name| fs::read(folder.join(name)).unwrap())
}

/// Commits in a linked worktree whose hook runs `script`. Returns the output of `script`.
#[cfg(unix)]
fn commit_with_hook(checkout: &Fixture, script: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let linked = checkout.root().with_file_name("linked");
    let path = linked.to_str().unwrap();
    checkout.git(&["worktree", "add", "--quiet", "-b", "side", path])?;
    let hook = checkout.root().join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let script = format!("#!/bin/sh\nset -e\n{script} >said 2>&1\n");
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let before = state(checkout);
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
    let words = ["commit", "--quiet", "--allow-empty", "--message", "Hooked"];
    let said = show(git(&linked)?.args(identity).args(words));
    let printed = fs::read_to_string(linked.join("said")).unwrap();
    assert!(said.ends_with("[exit 0]"), "{said}{printed}");
    assert!(state(checkout) == before, "the other checkout has changed");
    Some(printed)
}

#[cfg(unix)]
#[test]
fn a_hook_of_a_linked_worktree_plans_its_own_commit() {
    let Some(checkout) = Fixture::new() else {
        return;
    };
    fs::write(checkout.root().join("README.md"), "# Changed\n").unwrap();
    let script = format!("'{}' --quiet build --plan", env!("CARGO_BIN_EXE_xtask"));
    let Some(plan) = commit_with_hook(&checkout, &script) else {
        return;
    };
    let head = checkout.git(&["rev-parse", "main"]).unwrap();
    // The main checkout is changed. The worktree is dirty only because of the untracked file `said`.
    let expected = format!("{}-dirty", head.trim());
    assert_eq!(release(&plan)["commit"], expected.as_str());
}

/// The tests create git repositories, which must not be the repository of the hook.
#[cfg(unix)]
#[test]
fn tests_that_a_hook_runs_leave_its_repository_alone() {
    let Some(checkout) = Fixture::new() else {
        return;
    };
    let tests = std::env::current_exe().unwrap();
    let name = "checkouts::configuration_of_git_changes_nothing";
    let script = format!(
        "NOETL_TEST_REPORT= '{}' --exact {name}",
        tests.to_str().unwrap()
    );
    let Some(said) = commit_with_hook(&checkout, &script) else {
        return;
    };
    assert!(said.contains("1 passed"), "{said}");
}

#[cfg(unix)]
#[test]
fn configuration_of_git_changes_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(checkout) = Fixture::new() else {
        return;
    };
    let plan = || succeed(&mut checkout.xtask(&["--quiet", "build", "--plan"]));
    let Some(commit) = sign_head(&checkout) else {
        return;
    };
    let gpg = checkout.root().with_file_name("gpg");
    fs::write(&gpg, "#!/bin/sh\necho gpg: Good signature >&2\n").unwrap();
    fs::set_permissions(&gpg, fs::Permissions::from_mode(0o755)).unwrap();
    for (key, value) in [
        ("gpg.program", gpg.to_str().unwrap()),
        ("log.showSignature", "true"),
        ("color.ui", "always"),
        ("status.showUntrackedFiles", "no"),
        ("core.quotePath", "true"),
    ] {
        checkout.git(&["config", key, value]);
    }
    let mut plain = command("git");
    plain.current_dir(checkout.root());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
        plain.env_remove(name);
    }
    let plain = succeed(plain.args(["log", "-1", "--format=%H"]));
    assert!(
        plain.contains("gpg: "),
        "git must show the signature: {plain}"
    );
    assert_eq!(release(&plan())["commit"], commit.as_str());
    fs::write(checkout.root().join("ü"), "").unwrap();
    assert_eq!(release(&plan())["commit"], format!("{commit}-dirty"));
}

/// Adds a signature to the commit of HEAD. Returns the new commit.
fn sign_head(checkout: &Fixture) -> Option<String> {
    let text = checkout.git(&["cat-file", "commit", "HEAD"])?;
    let (head, message) = text.split_once("\n\n").unwrap();
    let signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----";
    let file = checkout.root().with_file_name("commit");
    fs::write(&file, format!("{head}\n{signature}\n\n{message}")).unwrap();
    let words = ["hash-object", "-t", "commit", "-w", file.to_str().unwrap()];
    let commit = checkout.git(&words)?.trim().to_owned();
    checkout.git(&["update-ref", "HEAD", &commit])?;
    Some(commit)
}

/// Returns a PATH with all programs of the current PATH except git.
#[cfg(unix)]
fn path_without_git(folder: &Path) -> String {
    fs::create_dir(folder).unwrap();
    let path = variable("PATH").unwrap();
    for entry in std::env::split_paths(&path).filter_map(|it| fs::read_dir(it).ok()) {
        for program in entry.map(|it| it.unwrap()) {
            let name = program.file_name();
            let link = folder.join(&name);
            if !name.to_string_lossy().starts_with("git") && !link.exists() {
                std::os::unix::fs::symlink(program.path(), link).unwrap();
            }
        }
    }
    folder.to_str().unwrap().to_owned()
}

/// Builds a dist from an archive's sources. Returns the commit in its manifest.
fn commit_of_dist(archived: &Archived, path: &str) -> Value {
    let words = ["dist", "--targets", "linux"];
    let said = show(archived.xtask(&words).env("PATH", path));
    assert!(said.ends_with("[exit 0]"), "{said}");
    assert!(said.contains("a source archive of commit"), "{said}");
    let manifest = fs::read(archived.root().join("dist/dist-manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["release"]["commit"].clone()
}

#[cfg(unix)]
#[test]
fn a_source_archive_has_its_own_commit_in_any_folder() {
    if variable("NOETL_TEST_DIST").is_none() {
        return crate::support::not_run("it compiles: `cargo xtask test` runs it");
    }
    let Some(checkout) = Fixture::new() else {
        return;
    };
    let Some(commit) = checkout.git(&["rev-parse", "HEAD"]) else {
        return;
    };
    let Some(outer) = Fixture::new() else { return };
    fs::write(outer.root().join("README.md"), "# Another repository\n").unwrap();
    outer.commit("Another");
    let work = tempfile::tempdir().unwrap();
    let outside = checkout.unpack_archive(work.path().join("outside"));
    let inside = checkout.unpack_archive(outer.root().join("inside"));
    let (Some(outside), Some(inside)) = (outside, inside) else {
        return;
    };
    let no_git = path_without_git(&work.path().join("bin"));
    assert_eq!(commit_of_dist(&outside, &no_git), commit.trim());
    let with_git = variable("PATH").unwrap();
    assert_eq!(commit_of_dist(&inside, &with_git), commit.trim());
    let files = ["SHA256SUMS", "dist-manifest.json"];
    for name in files {
        let bytes = |archived: &Archived| fs::read(archived.root().join("dist").join(name));
        assert!(
            bytes(&outside).unwrap() == bytes(&inside).unwrap(),
            "{name}"
        );
    }
    // A second run rebuilds nothing.
    let said = show(&mut inside.xtask(&["dist", "--targets", "linux"]));
    assert!(said.contains("is up to date"), "{said}");
}

#[test]
fn sources_without_a_commit_are_refused() {
    let Some(checkout) = Fixture::new() else {
        return;
    };
    fs::remove_dir_all(checkout.root().join(".git")).unwrap();
    let said = show(&mut checkout.xtask(&["build", "--plan"]));
    let expected = "is neither a git checkout nor a source archive";
    assert!(said.contains(expected) && said.contains("help: "), "{said}");
    assert!(said.ends_with("[exit 1]"), "{said}");
}

/// As in `cargo xtask … | head`.
#[test]
fn a_closed_output_is_no_error() {
    for words in [
        &["image", "check", "--list", "--markdown"][..],
        &["doctor", "--json"],
        &["build", "--help"],
    ] {
        let mut child = xtask(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{words:?}: {stderr}");
        assert!(
            !stderr.contains("panicked") && !stderr.contains("error"),
            "{stderr}"
        );
    }
}
