//! What a workflow of ours may hold. Each finding has its line.

use crate::yaml::{self, Kind, Node, Style};

/// A line, from 1, and what is wrong there.
pub(crate) type Finding = (usize, String);

/// Commands that a workflow may run; all else belongs into xtask.
const COMMANDS: &[&str] = &["cargo xtask ", "rustup toolchain install"];

/// The trigger that runs a stranger's code with our rights.
const TARGET: &str = "pull_request_target";

/// Scopes that a job may write to: the registry and the attestations that go with it.
const WRITABLE: &[&str] = &["packages", "id-token", "attestations"];

/// Holds a workflow against every rule.
pub(crate) fn check(text: &str) -> Vec<Finding> {
    let documents = match yaml::parse(text) {
        Ok(documents) => documents,
        Err(error) => return vec![(1, format!("{error:#}"))],
    };
    let [workflow] = documents.as_slice() else {
        return vec![(1, "it is not one YAML document".to_owned())];
    };
    let lines: Vec<_> = text.lines().collect();
    let mut findings = Vec::new();
    top(workflow, &mut findings);
    for (_, job) in entries(workflow.get("jobs")) {
        check_job(job, &lines, &mut findings);
    }
    findings.sort();
    findings
}

fn entries(node: Option<&Node>) -> &[(String, Node)] {
    match node.map(|node| &node.kind) {
        Some(Kind::Mapping(entries)) => entries,
        _ => &[],
    }
}

fn top(workflow: &Node, findings: &mut Vec<Finding>) {
    match workflow.get("permissions") {
        Some(node) if matches!(&node.kind, Kind::Mapping(entries) if entries.is_empty()) => {}
        Some(node) => findings.push((
            node.line,
            "permissions of all jobs; write `permissions: {}` here and give each job its own"
                .to_owned(),
        )),
        None => findings.push((
            1,
            "no `permissions: {}`: every job may do everything".to_owned(),
        )),
    }
    if workflow.get("concurrency").is_none() {
        findings.push((
            1,
            "no concurrency group: two pushes publish at once".to_owned(),
        ));
    }
    let on = workflow.get("on");
    let listed = on
        .into_iter()
        .chain(on.map(Node::items).unwrap_or_default());
    let listed = listed.filter(|node| node.text() == Some(TARGET));
    let named = entries(on).iter().filter(|(name, _)| name == TARGET);
    if let Some(trigger) = listed.chain(named.map(|(_, trigger)| trigger)).next() {
        findings.push((
            trigger.line,
            format!("{TARGET} runs a stranger's code with our rights"),
        ));
    }
    check_shell(workflow, findings);
}

/// A shell of one's own is a program beside xtask, and Windows' knows other signs than those looked for.
fn check_shell(node: &Node, findings: &mut Vec<Finding>) {
    let shells = [node.get("shell"), node.at("defaults.run.shell")];
    for shell in shells.into_iter().flatten() {
        let name = shell.text().unwrap_or_default();
        findings.push((
            shell.line,
            format!("the shell `{name}`; cargo xtask runs in any, so name none"),
        ));
    }
}

fn check_job(job: &Node, lines: &[&str], findings: &mut Vec<Finding>) {
    // Another workflow in place of steps: its own jobs have their times.
    if let Some(workflow) = job.get("uses") {
        check_action(workflow, job, lines, findings);
    } else if job.get("timeout-minutes").is_none() {
        findings.push((job.line, "no timeout-minutes".to_owned()));
    }
    match job.get("permissions") {
        None => findings.push((job.line, "no permissions of its own".to_owned())),
        Some(node) => check_permissions(node, findings),
    }
    if let Some(secrets) = job.get("secrets") {
        findings.push((
            secrets.line,
            "secrets handed on to another workflow".to_owned(),
        ));
    }
    check_shell(job, findings);
    let publishes = publishes(job);
    if publishes {
        findings.extend(cached_by_env(job));
    }
    for step in job.get("steps").map(Node::items).unwrap_or_default() {
        if let Some(command) = step.get("run") {
            check_command(command, findings);
        }
        if let Some(action) = step.get("uses") {
            check_action(action, step, lines, findings);
        }
        check_shell(step, findings);
        if publishes {
            findings.extend(cache(step).map(cached));
            findings.extend(cached_by_env(step));
        }
    }
}

fn check_permissions(node: &Node, findings: &mut Vec<Finding>) {
    if let Some(all) = node.text() {
        findings.push((
            node.line,
            format!("permissions: {all} is too broad; name each scope"),
        ));
    }
    for (scope, access) in entries(Some(node)) {
        if access.text() == Some("write") && !WRITABLE.contains(&scope.as_str()) {
            findings.push((
                access.line,
                format!("{scope}: write is more than any job of ours needs"),
            ));
        }
    }
}

/// Whether a job can change what others download.
fn publishes(job: &Node) -> bool {
    let writes = |(_, access): &(String, Node)| access.text() == Some("write");
    let pushes = |step: &Node| {
        let command = step.get("run").and_then(Node::text).unwrap_or_default();
        command.contains("--push") || command.contains("xtask release")
    };
    entries(job.get("permissions")).iter().any(writes)
        || job
            .get("steps")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .any(pushes)
}

fn cached(line: usize) -> Finding {
    let message = "a cache in a job that publishes: anybody's bytes could ship";
    (line, message.to_owned())
}

/// The line of a step's cache: an action that is one, or an input that asks for one.
fn cache(step: &Node) -> Option<usize> {
    let action = step.get("uses")?;
    if action.text()?.to_ascii_lowercase().contains("cache") {
        return Some(action.line);
    }
    let mut with = entries(step.get("with")).iter();
    with.find_map(asks_for_cache)
}

/// The findings of variables that turn a cache on, such as sccache's.
fn cached_by_env(node: &Node) -> Option<Finding> {
    let mut env = entries(node.get("env")).iter();
    env.find_map(asks_for_cache).map(cached)
}

/// The line of an input or variable that asks for a cache; their names know no case.
fn asks_for_cache((key, value): &(String, Node)) -> Option<usize> {
    let asks = ["cache", "_gha_"]
        .iter()
        .any(|part| key.to_ascii_lowercase().contains(part));
    let refused = value.boolean() == Some(false) || value.text() == Some("false");
    // Where a cache would lie is no cache.
    let place = ["dir", "path", "folder"]
        .iter()
        .any(|part| key.to_ascii_lowercase().contains(part));
    (asks && !refused && !place).then_some(value.line)
}

fn check_command(command: &Node, findings: &mut Vec<Finding>) {
    let Kind::Scalar(text, style) = &command.kind else {
        findings.push((command.line, "`run` is no text".to_owned()));
        return;
    };
    let text = text.trim();
    if text.contains("secrets.") {
        findings.push((
            command.line,
            "a secret in a command line; hand it over by env".to_owned(),
        ));
    } else if text.contains("${{") {
        findings.push((
            command.line,
            "an expression in a command line; hand it over by env".to_owned(),
        ));
    }
    let known = COMMANDS
        .iter()
        .any(|start| format!("{text} ").starts_with(start));
    let plain = text.replace("${{", "").replace("}}", "");
    let signs = [';', '|', '&', '$', '%', '`', '>', '<', '\n'];
    if !known || *style == Style::Block || plain.contains(signs) {
        let first = text.lines().next().unwrap_or_default();
        findings.push((
            command.line,
            format!("`{first}` is logic; a workflow calls cargo xtask"),
        ));
    }
}

fn check_action(action: &Node, step: &Node, lines: &[&str], findings: &mut Vec<Finding>) {
    let name = action.text().unwrap_or_default();
    // Of this very commit.
    if name.starts_with("./") {
        return;
    }
    let pin = name.split_once('@').map(|(_, pin)| pin).unwrap_or_default();
    if pin.len() != 40 || !pin.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        findings.push((action.line, format!("{name} is not pinned to a commit")));
    } else if !lines[action.line - 1].contains("# v") {
        findings.push((
            action.line,
            format!("{name}: say behind it which version that is: # v1.2.3"),
        ));
    }
    if name.starts_with("actions/checkout@")
        && step.at("with.persist-credentials").and_then(Node::text) != Some("false")
    {
        let message = "the checkout keeps a token for later steps; say persist-credentials: false";
        findings.push((action.line, message.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workflow with one job around `steps`, each line of which is indented already.
    fn workflow(permissions: &str, steps: &str) -> String {
        format!(
            "on: push\npermissions: {{}}\nconcurrency: ci\njobs:\n  a:\n    runs-on: x\n    timeout-minutes: 1\n    \
             permissions:\n      {permissions}\n    steps:\n{steps}"
        )
    }

    fn messages(text: &str) -> Vec<String> {
        let findings = check(text).into_iter();
        findings
            .map(|(line, message)| format!("{line}: {message}"))
            .collect()
    }

    const PIN: &str = "0123456789abcdef0123456789abcdef01234567 # v1";

    #[test]
    fn a_step_calls_xtask_and_nothing_else() {
        let one = |step: &str| messages(&workflow("contents: read", &format!("      - {step}\n")));
        assert_eq!(one("run: cargo xtask ci"), [""; 0]);
        assert_eq!(one("run: rustup toolchain install"), [""; 0]);
        for logic in [
            "run: make",
            "run: cargo xtask ci && echo done",
            "run: cargo xtask ci > log",
            "run: cargo xtasks",
            "run: cargo xtask image --tag %TAG%",
        ] {
            assert_eq!(one(logic).len(), 1, "{logic}");
            assert!(
                one(logic)[0].starts_with("11: "),
                "{logic}: {:?}",
                one(logic)
            );
        }
        let block = one("run: |\n          cargo xtask ci\n          cargo xtask dist");
        assert_eq!(
            block,
            ["12: `cargo xtask ci` is logic; a workflow calls cargo xtask"]
        );
        let secret = one("run: cargo xtask ci --token ${{ secrets.TOKEN }}");
        assert_eq!(
            secret,
            ["11: a secret in a command line; hand it over by env"]
        );
        assert_eq!(one("run: cargo xtask ci --job ${{ matrix.job }}").len(), 1);
        assert_eq!(one(&format!("uses: a/b@{PIN}")), [""; 0]);
        assert_eq!(
            one("uses: a/b@v1"),
            ["11: a/b@v1 is not pinned to a commit"]
        );
        assert_eq!(
            one(&format!("uses: a/b@{}", &PIN[..40])).len(),
            1,
            "which version?"
        );
        assert_eq!(one(&format!("uses: actions/checkout@{PIN}")).len(), 1);
    }

    #[test]
    fn rights_are_few_and_caches_stay_out_of_what_is_published() {
        let cached = format!("      - uses: actions/cache@{PIN}\n");
        assert_eq!(messages(&workflow("contents: read", &cached)), [""; 0]);
        assert_eq!(messages(&workflow("packages: write", &cached)).len(), 1);
        let setup = format!("      - uses: a/b@{PIN}\n        with: {{cache: npm}}\n");
        assert_eq!(messages(&workflow("packages: write", &setup)).len(), 1);
        for asked in [
            "enable-cache: true",
            "Cache-From: type=gha",
            "package-manager-cache: true",
        ] {
            let setup = setup.replace("cache: npm", asked);
            assert_eq!(
                messages(&workflow("packages: write", &setup)).len(),
                1,
                "{asked}"
            );
        }
        let refused = setup.replace("cache: npm", "package-manager-cache: false");
        assert_eq!(messages(&workflow("packages: write", &refused)), [""; 0]);
        let env = "      - run: cargo xtask ci\n        env: {SCCACHE_GHA_ENABLED: on}\n";
        assert_eq!(messages(&workflow("packages: write", env)).len(), 1);
        let pushed = format!("      - run: cargo xtask image --push\n{setup}");
        assert_eq!(messages(&workflow("contents: read", &pushed)).len(), 1);
        let steps = "      - run: cargo xtask ci\n";
        assert_eq!(messages(&workflow("contents: write", steps)).len(), 1);
        let good = workflow("contents: read", steps);
        assert_eq!(messages(&good), [""; 0]);
        for (old, new) in [
            ("permissions: {}", "permissions: write-all"),
            ("permissions: {}", "permissions: {contents: read}"),
            ("permissions: {}\n", ""),
            ("concurrency: ci\n", ""),
            ("    timeout-minutes: 1\n", ""),
            ("    permissions:\n      contents: read\n", ""),
            (
                "    permissions:\n      contents: read\n",
                "    permissions: write-all\n",
            ),
            ("on: push", "on: {pull_request_target: {branches: [main]}}"),
            ("on: push", "on: [push, pull_request_target]"),
            ("on: push", "on: pull_request_target"),
            (
                "on: push",
                "on: push\ndefaults: {run: {shell: 'sh -c {0}'}}",
            ),
            (
                "    runs-on: x\n",
                "    uses: a/b/.github/workflows/c.yml@main\n",
            ),
            ("    runs-on: x\n", "    runs-on: x\n    secrets: inherit\n"),
        ] {
            assert_eq!(messages(&good.replace(old, new)).len(), 1, "{new}");
        }
        assert_eq!(messages("a: [").len(), 1);
    }
}
