//! The types of a pipeline: tasks, their policy rules and retries.

use serde::{Deserialize, Serialize};

use super::tool_kind::ToolKind;
use crate::field::Field;

/// One tool call of a pipeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Its name in the pipeline.
    pub name: String,
    /// The tool.
    pub kind: ToolKind,
    /// The tool's own fields, with templates.
    pub config: Field,
    /// `args` or `input`, with templates.
    pub args: Vec<Field>,
    /// Rules over the outcome of each attempt.
    pub rules: Vec<Rule>,
    /// Assignments after each attempt that succeeded, before the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Assignment>,
    /// How often a failed attempt is made again; counts before the rules.
    pub retry: Option<Retry>,
    /// The most seconds one attempt may take.
    pub timeout: Option<f64>,
}

/// One of `spec.policy.rules`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// The condition; none is `else`.
    pub when: Option<Field>,
    /// The action when it holds.
    pub action: RuleAction,
    /// Assignments when it holds.
    pub set: Vec<Assignment>,
}

/// `do:` of a policy rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub enum RuleAction {
    /// Goes to the next task.
    Continue,
    /// Makes another attempt.
    Retry(Retry),
    /// Goes to the named task.
    Jump {
        /// The task's name.
        to: String,
    },
    /// Ends the pipeline as a success.
    Break,
    /// Ends the pipeline as a failure.
    Fail,
}

/// How often and after what delay to try again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, the first one included.
    pub attempts: u32,
    /// Seconds before the second attempt.
    pub delay: f64,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The longest delay, in seconds.
    pub max_delay: f64,
}

/// How a retry's delay grows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// It stays the same.
    None,
    /// It is multiplied by the number of attempts made.
    Linear,
    /// It is multiplied by this factor after every attempt.
    Factor(f64),
}

impl Retry {
    /// Returns the seconds to wait after `attempt` attempts.
    pub fn delay_after(&self, attempt: u32) -> f64 {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let delay = match self.backoff {
            Backoff::None => self.delay,
            Backoff::Linear => self.delay * f64::from(attempt),
            Backoff::Factor(factor) => self.delay * factor.powi(exponent),
        };
        delay.clamp(0.0, self.max_delay)
    }
}

/// An assignment to a variable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// Where the variable lives.
    pub scope: VariableScope,
    /// The value; its name is the variable's.
    pub field: Field,
}

/// Where a variable lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VariableScope {
    /// The whole execution: `ctx.name`, `vars.name`, `name`.
    Ctx,
    /// The current iteration of a loop: `iter.name`.
    Iter,
}

impl Task {
    /// Returns the fields that are evaluated before the call.
    pub(super) fn call_fields(&self) -> impl Iterator<Item = &Field> {
        std::iter::once(&self.config).chain(&self.args)
    }

    /// Returns every field with templates.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        let rules = self.rules.iter().flat_map(|rule| {
            rule.when
                .iter()
                .chain(rule.set.iter().map(|assignment| &assignment.field))
        });
        let set = self.set.iter().map(|assignment| &assignment.field);
        std::iter::once(&self.config)
            .chain(&self.args)
            .chain(rules)
            .chain(set)
    }
}
