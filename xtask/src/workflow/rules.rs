//! What a workflow of ours may hold. Each finding has its line.

use crate::yaml::{self, Kind, Node, Style};

/// A line, from 1, and what is wrong there.
pub(crate) type Finding = (usize, String);

/// Commands that a workflow may run; all else belongs into xtask.
const COMMANDS: &[&str] = &["cargo xtask ", "rustup toolchain install"];

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
    if let Some((_, trigger)) = entries(on)
        .iter()
        .find(|(name, _)| name == "pull_request_target")
    {
        let line = trigger.line;
        findings.push((
            line,
            "pull_request_target runs a stranger's code with our rights".to_owned(),
        ));
    }
}

fn check_job(job: &Node, lines: &[&str], findings: &mut Vec<Finding>) {
    if job.get("timeout-minutes").is_none() {
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
    let publishes = publishes(job);
    for step in job.get("steps").map(Node::items).unwrap_or_default() {
        if let Some(command) = step.get("run") {
            check_command(command, findings);
        }
        if let Some(action) = step.get("uses") {
            check_action(action, step, lines, findings);
        }
        if publishes && let Some(line) = cache(step) {
            findings.push((
                line,
                "a cache in a job that publishes: anybody's bytes could ship".to_owned(),
            ));
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

/// The line of a step's cache.
fn cache(step: &Node) -> Option<usize> {
    let action = step.get("uses")?;
    if action.text()?.to_ascii_lowercase().contains("cache") {
        return Some(action.line);
    }
    let with = entries(step.get("with")).iter();
    let mut caches =
        with.filter(|(key, value)| key.starts_with("cache") && value.text() != Some("false"));
    caches.next().map(|(_, value)| value.line)
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
    if !known || *style == Style::Block || plain.contains([';', '|', '&', '$', '`', '>', '<', '\n'])
    {
        let first = text.lines().next().unwrap_or_default();
        findings.push((
            command.line,
            format!("`{first}` is logic; a workflow calls cargo xtask"),
        ));
    }
}

fn check_action(action: &Node, step: &Node, lines: &[&str], findings: &mut Vec<Finding>) {
    let name = action.text().unwrap_or_default();
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
            ("    runs-on: x\n", "    runs-on: x\n    secrets: inherit\n"),
        ] {
            assert_eq!(messages(&good.replace(old, new)).len(), 1, "{new}");
        }
        assert_eq!(messages("a: [").len(), 1);
    }
}
