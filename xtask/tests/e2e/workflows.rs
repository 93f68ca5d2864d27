//! The workflows: linters find nothing, and `ci generate --check` finds edits by hand.

use std::fs;

use crate::fixture::Fixture;
use crate::support::{pinned, root, show, succeed, xtask};

const WORKFLOW: &str = ".github/workflows/multi-arch.yml";

#[test]
fn linters_find_nothing() {
    if let Some(mut zizmor) = pinned("zizmor", "zizmor") {
        succeed(zizmor.args(["--offline", "--no-progress", ".github"]));
    }
    if let Some(mut yamllint) = pinned("yamllint", "yamllint") {
        succeed(yamllint.args(["--strict", ".github", ".yamllint"]));
    }
}

#[test]
fn an_edit_by_hand_is_shown_and_overwritten() {
    succeed(&mut xtask(&["ci", "generate", "--check"]));
    let Some(checkout) = Fixture::new() else {
        return;
    };
    succeed(&mut checkout.xtask(&["--quiet", "ci", "generate"]));
    let path = checkout.root().join(WORKFLOW);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, fs::read_to_string(root().join(WORKFLOW)).unwrap());
    fs::write(&path, text.replace("--shard 2/3", "--shard 2/3 --json")).unwrap();
    let said = show(&mut checkout.xtask(&["--quiet", "ci", "generate", "--check"]));
    let is = r#"is "      - run: cargo xtask ci-multiarch --shard 2/3 --json\n""#;
    let should_be = r#"should be "      - run: cargo xtask ci-multiarch --shard 2/3\n""#;
    assert!(said.contains(is) && said.contains(should_be), "{said}");
    assert!(
        said.ends_with("help: cargo xtask ci generate\n[exit 1]"),
        "{said}"
    );
    fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    let said = show(&mut checkout.xtask(&["--quiet", "ci", "generate", "--check"]));
    assert!(said.contains("multi-arch.yml"), "{said}");
    assert!(said.ends_with("[exit 1]"), "{said}");
    succeed(&mut checkout.xtask(&["--quiet", "ci", "generate"]));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}
