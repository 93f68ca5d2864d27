//! Chooses the context of kubectl. A command that changes a cluster must not depend on which context happens
//! to be current: it runs in the context that is named, and only if that is the current one.

use anyhow::anyhow;
use noetl_help::Help as _;

use crate::cli::k8s::ClusterArgs;

/// The context of kind's cluster `noetl`, which is used when no context is named.
const DEFAULT: &str = "kind-noetl";

/// Returns the context to use, from the flags, the current context and all contexts that kubectl knows.
///
/// # Errors
/// Fails when kubectl does not know the context, and when another one is current and the flags do not allow
/// that.
pub(super) fn choose(
    args: &ClusterArgs,
    current: Option<&str>,
    known: &[&str],
) -> anyhow::Result<String> {
    let named = args.context.as_deref().unwrap_or(DEFAULT);
    if !known.contains(&named) {
        return Err(unknown(args.context.as_deref(), current, known));
    }
    if current == Some(named) || args.any_context {
        return Ok(named.to_owned());
    }
    let error = match current {
        Some(current) => anyhow!("the current context is {current}, not {named}"),
        None => anyhow!("no context of kubectl is current"),
    };
    Err(error.help(format!(
        "`kubectl config use-context {named}`, or add --context {named} --any-context"
    )))
}

fn unknown(named: Option<&str>, current: Option<&str>, known: &[&str]) -> anyhow::Error {
    match (named, current) {
        (_, None) if known.is_empty() => anyhow!("kubectl knows no cluster")
            .help("set KUBECONFIG, or create a cluster with `kind create cluster --name noetl`"),
        (None, Some(current)) => {
            anyhow!("the current context is {current}, and --context does not name it")
                .help(format!("name it: --context {current}"))
        }
        _ => anyhow!("there is no context {}", named.unwrap_or(DEFAULT))
            .help(format!("name one of {} with --context", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use noetl_help::Report;

    use super::*;

    fn choice(
        named: Option<&str>,
        any_context: bool,
        current: Option<&str>,
        known: &[&str],
    ) -> String {
        let args = ClusterArgs {
            context: named.map(str::to_owned),
            any_context,
        };
        match choose(&args, current, known) {
            Ok(context) => context,
            Err(error) => Report::of(&error).to_string(),
        }
    }

    #[test]
    fn only_the_named_context_is_used() {
        let known = ["kind-noetl", "production"];
        let choice = |named, any_context, current| choice(named, any_context, current, &known);
        assert_eq!(choice(None, false, Some("kind-noetl")), "kind-noetl");
        assert_eq!(
            choice(Some("production"), false, Some("production")),
            "production"
        );
        assert_eq!(
            choice(Some("production"), true, Some("kind-noetl")),
            "production"
        );
        assert_eq!(
            choice(Some("kind-noetl"), false, Some("production")),
            "error: the current context is production, not kind-noetl\n\
             help: `kubectl config use-context kind-noetl`, or add --context kind-noetl --any-context\n"
        );
        let unnamed = choice(None, false, Some("production"));
        assert!(unnamed.contains("use-context kind-noetl"), "{unnamed}");
        let unknown = choice(Some("typo"), true, None);
        assert!(
            unknown.contains("one of kind-noetl, production"),
            "{unknown}"
        );
    }

    #[test]
    fn a_single_context_of_another_name_must_be_named() {
        let foreign = choice(None, false, Some("gke"), &["gke"]);
        assert!(foreign.contains("name it: --context gke"), "{foreign}");
        let none = choice(None, false, None, &[]);
        assert!(none.contains("KUBECONFIG"), "{none}");
    }
}
