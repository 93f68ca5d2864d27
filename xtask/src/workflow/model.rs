//! A workflow as it is read back: jobs in the order they can run in, with their steps.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};

use crate::yaml::{self, Kind, Node};

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// Its key under `jobs`.
    pub name: String,
    /// The runner's label.
    pub runner: String,
    /// Jobs that come first.
    pub needs: Vec<String>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A command line.
    Run(String),
    /// An action, without its version, and what it is given.
    Uses(String, BTreeMap<String, String>),
}

/// Reads a workflow; its jobs come out in an order in which each follows those it needs.
///
/// # Errors
/// When it is not a workflow, or jobs wait for each other.
pub(crate) fn read(text: &str) -> anyhow::Result<Vec<Job>> {
    let documents = yaml::parse(text)?;
    let [workflow] = documents.as_slice() else {
        bail!("it is not one YAML document");
    };
    let Some(Kind::Mapping(entries)) = workflow.get("jobs").map(|jobs| &jobs.kind) else {
        bail!("it has no jobs");
    };
    let mut waiting = entries
        .iter()
        .map(|(name, node)| job(name, node).with_context(|| format!("job {name}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut ordered: Vec<Job> = Vec::new();
    while !waiting.is_empty() {
        let done = |name: &String| ordered.iter().any(|job| job.name == *name);
        let ready = waiting.iter().position(|job| job.needs.iter().all(done));
        let names: Vec<_> = waiting.iter().map(|job| job.name.as_str()).collect();
        let ready = ready.with_context(|| {
            format!(
                "{} wait for each other, or for a job that is not there",
                names.join(", ")
            )
        })?;
        ordered.push(waiting.remove(ready));
    }
    Ok(ordered)
}

fn job(name: &str, node: &Node) -> anyhow::Result<Job> {
    let text = |key: &str| node.get(key).and_then(Node::text).map(ToOwned::to_owned);
    let needs = match node.get("needs") {
        Some(needs) if needs.text().is_some() => vec![text("needs").unwrap_or_default()],
        Some(needs) => {
            let names = needs.items().iter().filter_map(Node::text);
            names.map(ToOwned::to_owned).collect()
        }
        None => Vec::new(),
    };
    let steps = node.get("steps").context("it has no steps")?.items();
    ensure!(!steps.is_empty(), "it has no steps");
    Ok(Job {
        name: name.to_owned(),
        runner: text("runs-on").context("it names no runner")?,
        needs,
        steps: steps.iter().map(step).collect::<anyhow::Result<_>>()?,
    })
}

fn step(node: &Node) -> anyhow::Result<Step> {
    if let Some(command) = node.get("run").and_then(Node::text) {
        return Ok(Step::Run(command.to_owned()));
    }
    let action = node.get("uses").and_then(Node::text);
    let action = action.with_context(|| format!("line {}: neither run nor uses", node.line))?;
    let action = action.split('@').next().unwrap_or_default().to_owned();
    let mut with = BTreeMap::new();
    if let Some(Kind::Mapping(entries)) = node.get("with").map(|with| &with.kind) {
        for (key, value) in entries {
            with.insert(key.clone(), value.text().unwrap_or_default().to_owned());
        }
    }
    Ok(Step::Uses(action, with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_come_after_those_they_need() {
        let text = "jobs:\n  last: {runs-on: x, needs: [one, two], steps: [{run: c}]}\n  \
                    two: {runs-on: x, needs: one, steps: [{uses: a/b@1, with: {name: n}}]}\n  \
                    one: {runs-on: x, steps: [{run: a}]}\n";
        let jobs = read(text).unwrap();
        let names: Vec<_> = jobs.iter().map(|job| job.name.as_str()).collect();
        assert_eq!(names, ["one", "two", "last"]);
        let with = BTreeMap::from([("name".to_owned(), "n".to_owned())]);
        assert_eq!(jobs[1].steps, [Step::Uses("a/b".to_owned(), with)]);
        for broken in [
            "jobs:\n  a: {runs-on: x, needs: a, steps: [{run: a}]}\n",
            "jobs:\n  a: {runs-on: x, steps: [{name: a}]}\n",
            "jobs:\n  a: {runs-on: x}\n",
            "on: push\n",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
