//! Documents: every command that one names exists, with the flags it names.

use std::fs;

use crate::support::{root, succeed, xtask};

const DOCUMENTS: &[&str] = &[
    "README.md",
    ".github/CONTRIBUTING.md",
    "docker/multi-arch-builds.md",
];

/// Lines of fenced code blocks and inline code that call `program`.
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
                // A comment behind a command is for people.
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
    for (document, words) in found {
        let words: Vec<&str> = words.split_whitespace().collect();
        let is_name = |word: &&&str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let mut help_of: Vec<&str> = words.iter().take_while(is_name).copied().collect();
        // `smoke dist` has an argument where `image check` has a command of its own.
        let of = |words: &[&str]| succeed(&mut xtask(&[words, &["--help"]].concat()));
        help_of.truncate(2);
        let mut help = of(&help_of);
        if !help.contains(&format!("Usage: cargo xtask {}", help_of.join(" "))) {
            help_of.truncate(1);
            help = of(&help_of);
        }
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let flag = flag.split('=').next().unwrap();
            assert!(
                help.contains(flag),
                "{document}: `cargo xtask {}` has no {flag}",
                help_of.join(" ")
            );
        }
    }
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
