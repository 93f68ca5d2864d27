//! The command line of xtask: help, exit codes, and plans in JSON and shell.

use serde_json::Value;

use crate::support::{show, succeed, xtask};

const TASKS: &[&str] = &[
    "setup", "ui", "build", "dist", "image", "verify", "deploy", "k8s", "release", "test", "ci",
    "doctor", "clean",
];

#[test]
fn every_task_has_help_beyond_its_flags() {
    let top = succeed(&mut xtask(&["--help"]));
    for task in TASKS {
        assert!(
            top.contains(&format!("\n  {task} ")),
            "{task} is not in\n{top}"
        );
        let help = succeed(&mut xtask(&[task, "--help"]));
        assert!(
            help.contains(&format!("Usage: cargo xtask {task}")),
            "{help}"
        );
        let after = help.split("Print help").nth(1).unwrap_or_default().trim();
        assert!(after.len() > 60, "{task} has no explanation:\n{help}");
    }
}

#[test]
fn exit_codes_distinguish_wrong_usage_from_failure() {
    assert!(show(&mut xtask(&["no-such-task"])).ends_with("[exit 2]"));
    let unknown = show(&mut xtask(&["build", "--targets", "sparc-sun-solaris"]));
    assert!(
        unknown.contains("known are host, linux, default, all") && unknown.ends_with("[exit 2]"),
        "{unknown}"
    );
    let precious = tempfile::tempdir().unwrap();
    std::fs::write(precious.path().join("thesis.txt"), "years of work").unwrap();
    let refused = show(xtask(&["dist", "--out"]).arg(precious.path()));
    assert!(
        refused.contains("is not a dist, and `dist` would replace it"),
        "{refused}"
    );
    assert!(precious.path().join("thesis.txt").exists());
    let broken = show(xtask(&["dist", "--plan"]).env("SOURCE_DATE_EPOCH", "yesterday"));
    assert!(
        broken.contains("help: unset it") && broken.ends_with("[exit 1]"),
        "{broken}"
    );
    let missing = show(&mut xtask(&["image", "check", "./missing.tar"]));
    assert!(
        missing.contains("./missing.tar is not an OCI image layout"),
        "{missing}"
    );
    let rule = show(&mut xtask(&["image", "check", "--explain", "Z9"]));
    assert!(
        rule.contains("error: there is no rule `Z9`\nhelp: cargo xtask image check --list"),
        "{rule}"
    );
    let nowhere = show(xtask(&["verify"]).arg("no/such/folder"));
    assert!(
        nowhere.contains("error: cannot list") && nowhere.ends_with("[exit 1]"),
        "{nowhere}"
    );
}

#[test]
fn a_plan_is_json_and_a_dry_run_is_shell() {
    for task in ["build", "dist", "image"] {
        let plan: Value = serde_json::from_str(&succeed(&mut xtask(&[task, "--plan"]))).unwrap();
        assert_eq!(
            plan["release"]["tag"],
            format!("v{}", env!("CARGO_PKG_VERSION")),
            "{task}"
        );
        let script = succeed(&mut xtask(&[task, "--dry-run"]));
        assert!(
            script.contains("cargo-zigbuild zigbuild --locked"),
            "{script}"
        );
        // `sh -n` only parses: every line must be a command or a comment.
        succeed(crate::support::command("sh").args(["-n", "-c", &script]));
    }
    let all: Value = serde_json::from_str(&succeed(&mut xtask(&[
        "dist",
        "--targets",
        "all",
        "--plan",
    ])))
    .unwrap();
    assert_eq!(all["packages"].as_array().unwrap().len(), 8);
    assert_eq!(all["image"]["platforms"].as_array().unwrap().len(), 2);
}

#[test]
fn every_rule_is_listed_and_explained() {
    let list = succeed(&mut xtask(&["image", "check", "--list"]));
    for id in list
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
    {
        let text = succeed(&mut xtask(&["image", "check", "--explain", id]));
        assert!(
            text.starts_with(id) && text.contains("without it: "),
            "{text}"
        );
    }
}
