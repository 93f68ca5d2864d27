//! The playbook model: one shape for every dialect of `noetl.io/v2`.
//!
//! The three dialects that people have on disk (case/when/then, conditional `next`, and router arcs with
//! pipelines) are read into the same types, so that nothing behind the parser knows which one it was.

mod parse;
mod tool;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub use tool::ToolKind;

use crate::problem::{Place, Problem, Problems};

/// A playbook that can run.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// The file or catalog path it was read from, for messages.
    pub file: String,
    /// `metadata.name`.
    pub name: String,
    /// The path under which a catalog keeps it: `metadata.path`, else its name.
    pub path: String,
    /// `metadata.description`.
    pub description: Option<String>,
    /// How it wants to be run.
    pub executor: Executor,
    /// Default values, which a payload overrides key by key.
    pub workload: Map<String, Json>,
    /// Names under `keychain`, each of which is a credential of the store.
    pub keychain: Vec<KeychainEntry>,
    /// The steps in the order of the file.
    pub steps: Vec<Step>,
    /// What looked wrong without keeping it from running.
    pub warnings: Vec<Problem>,
}

/// `executor`: what the playbook asks of the one who runs it.
#[derive(Debug, Clone, Default)]
pub struct Executor {
    /// `local`, `distributed` or `auto`, as written.
    pub profile: Option<String>,
    /// The step to begin with; else `start`, else the first.
    pub entry_step: Option<String>,
    /// A step that runs when everything else has ended, well or not.
    pub final_step: Option<String>,
    /// Whether a step after which no arc matches is an error.
    pub no_next_is_error: bool,
}

/// One entry of `keychain`.
#[derive(Debug, Clone)]
pub struct KeychainEntry {
    /// The name under `keychain.` in templates.
    pub name: String,
    /// The credential of the store that it stands for.
    pub credential: String,
}

/// A step of a workflow.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name, unique in the playbook.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it begins.
    pub place: Place,
    /// Guards of which the first that holds admits the step or refuses it.
    pub admit: Vec<Admission>,
    /// Names that the step's templates and tools see.
    pub args: Vec<Field>,
    /// Runs the tasks once for each item.
    pub repeat: Option<Loop>,
    /// The pipeline; none at all is a step that only routes.
    pub tasks: Vec<Task>,
    /// Assignments after the step succeeded.
    pub set: Vec<Assignment>,
    /// Rules over the step's events.
    pub cases: Vec<Case>,
    /// Where the result is saved after success.
    pub sink: Option<Task>,
    /// Where to go from here.
    pub next: Next,
}

/// A value with templates in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Field {
    /// The key it was written under.
    pub name: String,
    /// The value, whose strings may hold templates.
    pub value: Json,
    /// Where it is written.
    pub place: Place,
    /// Lines of the strings inside, by their path below the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, usize>,
    /// Names that its templates begin with, such as `workload`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roots: Vec<String>,
}

/// A condition of admission: `spec.policy.admit.rules`, or a step's `when`.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The condition; none holds always.
    pub when: Option<Field>,
    /// Whether the step runs when the condition holds.
    pub allow: bool,
}

/// `loop`.
#[derive(Debug, Clone)]
pub struct Loop {
    /// The collection.
    pub items: Field,
    /// The name of the current item.
    pub iterator: String,
    /// How many iterations may run at once, a template or a number; 1 is sequential.
    pub max_in_flight: Field,
}

/// A name to set in `ctx`, or in `iter` for a loop's body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// Which of the two.
    pub scope: Scope,
    /// The value; its name is the variable.
    pub field: Field,
}

/// Where a variable lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The whole execution: `ctx.name`, `vars.name`, `name`.
    Ctx,
    /// The current iteration: `iter.name`.
    Iter,
}

/// One tool call of a pipeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Its name in the pipeline.
    pub name: String,
    /// What it does.
    pub kind: ToolKind,
    /// The tool's own fields, with templates.
    pub config: Field,
    /// `args` or `input`, with templates.
    pub args: Vec<Field>,
    /// What to do with the outcome.
    pub rules: Vec<Rule>,
    /// How often a failed attempt is made again, whatever the rules say.
    pub retry: Option<Retry>,
    /// The most seconds one attempt may take.
    pub timeout: Option<f64>,
}

/// One of `spec.policy.rules`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// The condition; none is `else`.
    pub when: Option<Field>,
    /// What happens.
    pub action: RuleAction,
    /// Assignments that go with it.
    pub set: Vec<Assignment>,
}

/// `do:` of a policy rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub enum RuleAction {
    /// On to the next task.
    Continue,
    /// Once more.
    Retry(Retry),
    /// On to the named task.
    Jump {
        /// The task's name.
        to: String,
    },
    /// The pipeline ends here, well.
    Break,
    /// The pipeline ends here, as a failure.
    Fail,
}

/// How often and after what delay to try again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, the first one included.
    pub attempts: u32,
    /// Seconds before the second attempt.
    pub delay: f64,
    /// By what the delay grows.
    pub backoff: Backoff,
    /// The longest delay, in seconds.
    pub max_delay: f64,
}

/// How a retry's delay grows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// Always the same.
    None,
    /// Delay times the number of attempts made.
    Linear,
    /// Multiplied with every attempt.
    Factor(f64),
}

impl Retry {
    /// Seconds to wait after `attempt` attempts.
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

/// One of `case`.
#[derive(Debug, Clone)]
pub struct Case {
    /// The condition; none holds always.
    pub when: Option<Field>,
    /// What follows, in order.
    pub then: Vec<Action>,
}

/// What a case rule does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Goes to steps.
    Next(Vec<Arc>),
    /// Starts a step beside the workflow's own way.
    Call(Arc),
    /// Sets variables.
    Set(Vec<Assignment>),
    /// Replaces the step's result.
    Result(Field),
    /// Gathers a part of the response.
    Collect(Collect),
    /// Calls the tool again.
    Retry(Again),
    /// Saves a value.
    Sink(Box<Task>),
    /// Ends the step as a failure.
    Fail(Field),
}

/// `collect`: gathers pages or items.
#[derive(Debug, Clone)]
pub struct Collect {
    /// Path inside the response.
    pub path: Option<Field>,
    /// A template instead of a path.
    pub from: Option<Field>,
    /// The variable to gather in.
    pub into: Option<String>,
    /// Whether a new value replaces the old one.
    pub replace: bool,
}

/// `retry` of a case rule: a plain retry, or the next page.
#[derive(Debug, Clone)]
pub struct Again {
    /// How often and how soon.
    pub retry: Retry,
    /// Fields of the tool that differ in the next call, such as `params`.
    pub overrides: Vec<Field>,
    /// Whether it takes pages without saying how many at the most.
    pub unbounded: bool,
}

/// Where a step leads.
#[derive(Debug, Clone, Default)]
pub struct Next {
    /// Whether every arc that holds is taken, or only the first.
    pub inclusive: bool,
    /// The arcs in order.
    pub arcs: Vec<Arc>,
}

/// A way to another step.
#[derive(Debug, Clone)]
pub struct Arc {
    /// The target's name.
    pub step: String,
    /// The condition; none holds always.
    pub when: Option<Field>,
    /// Values for the target.
    pub args: Vec<Field>,
    /// Assignments on the way.
    pub set: Vec<Assignment>,
    /// Where the arc is written.
    pub place: Place,
}

impl Playbook {
    /// Reads a playbook and everything that is wrong with it.
    ///
    /// `file` names the text in messages.
    ///
    /// # Errors
    /// All problems at once, when one of them keeps the playbook from running. Names that no template
    /// can resolve are not among them: see [`Playbook::validate`].
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        match parse::playbook(file, text) {
            (Some(playbook), problems) if !problems.any_error() => Ok(playbook),
            (_, problems) => Err(problems),
        }
    }

    /// Every problem of a playbook that a person should know of before it runs: what [`Playbook::parse`]
    /// finds, unreachable steps, and names in templates that nothing defines.
    ///
    /// `payload` holds names that will be given when it runs.
    pub fn validate(file: &str, text: &str, payload: &Map<String, Json>) -> Problems {
        match parse::playbook(file, text) {
            (Some(playbook), _) => playbook.problems(payload),
            (None, problems) => problems,
        }
    }

    /// What [`Playbook::validate`] says of a playbook that was read already.
    pub fn problems(&self, payload: &Map<String, Json>) -> Problems {
        validate::problems(self, payload)
    }

    /// A YAML or JSON text as JSON, if it is a mapping.
    pub fn document(text: &str) -> Option<Map<String, Json>> {
        match crate::yaml::parse(text).ok()?.root.to_json() {
            Json::Object(document) => Some(document),
            _ => None,
        }
    }

    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The step that runs first: `executor.spec.entry_step`, else `start`, else the first one.
    pub fn entry(&self) -> &Step {
        self.executor
            .entry_step
            .as_deref()
            .and_then(|name| self.step(name))
            .or_else(|| self.step("start"))
            .unwrap_or(&self.steps[0])
    }
}
