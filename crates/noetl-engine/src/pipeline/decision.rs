//! The decision after an attempt of a task: its retry and its policy rules.

use super::state::Pipeline;
use crate::command::Outcome;
use crate::playbook::{Rule, RuleAction, Task};
use crate::template;
use noetl_api::Failure;

/// What follows an attempt of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AfterAttempt {
    /// Another attempt.
    Retry {
        /// Seconds to wait before it.
        delay: f64,
    },
    /// No further attempt: the pipeline goes on or ends.
    Proceed(AfterTask),
}

/// What follows the last attempt of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AfterTask {
    /// The next task.
    Continue,
    /// The task of that name.
    Jump(String),
    /// The end of the pipeline, as a success.
    Break,
    /// The end of the pipeline, as a failure.
    Fail,
}

impl Pipeline<'_> {
    /// Decides what follows an attempt, and makes the assignments of the rule that holds.
    pub(super) fn decide(
        &mut self,
        task: &Task,
        outcome: &Outcome,
        attempt: u32,
    ) -> Result<AfterAttempt, Failure> {
        let failed = outcome.error.is_some();
        if !failed {
            self.assign_result(&task.set, outcome, attempt)?;
        }
        if let Some(retry) = &task.retry
            && failed
            && attempt < retry.attempts
        {
            let delay = retry.delay_after(attempt);
            return Ok(AfterAttempt::Retry { delay });
        }
        let Some(rule) = self.matching_rule(&task.rules, outcome, attempt)? else {
            // When no rule holds the pipeline goes on; a task without rules ends it by a failure.
            if failed && task.rules.is_empty() {
                return Ok(AfterAttempt::Proceed(AfterTask::Fail));
            }
            self.assign_failure(&task.set, outcome, attempt);
            return Ok(AfterAttempt::Proceed(AfterTask::Continue));
        };
        self.assign_all(&rule.set, outcome, attempt)?;
        let next = match &rule.action {
            RuleAction::Retry(retry) if attempt < retry.attempts => {
                let delay = retry.delay_after(attempt);
                return Ok(AfterAttempt::Retry { delay });
            }
            RuleAction::Retry(_) if failed => AfterTask::Fail,
            RuleAction::Retry(_) | RuleAction::Continue => AfterTask::Continue,
            RuleAction::Jump { to } => AfterTask::Jump(to.clone()),
            RuleAction::Break => AfterTask::Break,
            RuleAction::Fail => AfterTask::Fail,
        };
        if next != AfterTask::Fail {
            self.assign_failure(&task.set, outcome, attempt);
        }
        Ok(AfterAttempt::Proceed(next))
    }

    /// Returns the first rule that holds.
    fn matching_rule<'r>(
        &self,
        rules: &'r [Rule],
        outcome: &Outcome,
        attempt: u32,
    ) -> Result<Option<&'r Rule>, Failure> {
        if rules.is_empty() {
            return Ok(None);
        }
        let scope = self.scope_after(outcome, attempt);
        for rule in rules {
            let holds = match &rule.when {
                None => true,
                Some(when) => template::holds(when, &scope)?,
            };
            if holds {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }
}
