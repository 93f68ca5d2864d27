//! Documents: all commands in them exist and have the flags that are used.

use std::fs;

use crate::support::{Dist, command, root, succeed, xtask};

pub(crate) const DOCUMENTS: &[&str] = &[
    "README.md",
    ".github/CONTRIBUTING.md",
    "docker/multi-arch-builds.md",
    "crates/noetlctl/playbooks.md",
];

/// Returns the document and arguments of each call of `program` in code blocks and inline code.
fn commands(program: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let mut fenced = false;
        for line in text.lines() {
            fenced ^= line.starts_with("```");
            let pieces: Vec<&str> = if fenced {
                vec![line]
            } else {
                line.split('`').skip(1).step_by(2).collect()
            };
            for piece in pieces {
                // Drop a comment behind the command.
                let command = piece.split(" #").next().unwrap().trim();
                if let Some(rest) = command.strip_prefix(program) {
                    found.push(((*document).to_owned(), rest.trim().to_owned()));
                }
            }
        }
    }
    found
}

#[test]
fn every_xtask_command_in_a_document_exists() {
    let found = commands("cargo xtask ");
    assert!(found.len() > 10, "{found:?}");
    let mut missing = Vec::new();
    for (document, words) in found {
        let words: Vec<&str> = words.split_whitespace().collect();
        let is_name = |word: &&&str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let mut help_of: Vec<&str> = words.iter().take_while(is_name).copied().collect();
        // The second word may be an argument, as in `smoke dist`, or a subcommand, as in `image check`.
        let of = |words: &[&str]| succeed(&mut xtask(&[words, &["--help"]].concat()));
        help_of.truncate(2);
        let mut help = of(&help_of);
        if !help.contains(&format!("Usage: cargo xtask {}", help_of.join(" "))) {
            help_of.truncate(1);
            help = of(&help_of);
        }
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let flag = flag.split('=').next().unwrap();
            if !help.contains(flag) {
                let of = help_of.join(" ");
                missing.push(format!("{document}: `cargo xtask {of}` has no {flag}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_readme_lists_every_task() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = succeed(&mut xtask(&["--help"]));
    let tasks = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    for task in tasks
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|task| *task != "help")
    {
        assert!(
            readme.contains(&format!("| `{task}`")),
            "{task} is not in the README's table"
        );
    }
}

#[test]
fn every_noetl_command_in_a_document_exists() {
    let Some(dist) = Dist::find() else { return };
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let folder = tempfile::tempdir().unwrap();
    let Some(noetl) = dist
        .archive(&target)
        .and_then(|archive| archive.unpack(folder.path()))
    else {
        return;
    };
    let found = [commands("noetl "), commands("bin/noetl ")].concat();
    assert!(found.len() > 20, "{found:?}");
    let mut missing = Vec::new();
    for (document, words) in found {
        let words: Vec<&str> = words.split_whitespace().collect();
        let is_name = |word: &&&str| {
            word.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        let mut help_of: Vec<&str> = words.iter().take_while(is_name).copied().collect();
        help_of.truncate(2);
        // This fails when the subcommand does not exist.
        let help = succeed(command(&noetl).args(&help_of).arg("--help"));
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let flag = flag.split('=').next().unwrap();
            if !help.contains(flag) {
                let of = help_of.join(" ");
                missing.push(format!("{document}: `noetl {of}` has no {flag}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
