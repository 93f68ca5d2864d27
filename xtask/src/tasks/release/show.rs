//! The plan of a release, printed.

use serde::Serialize;

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::publish::inputs;
use crate::publish::journal::Journal;
use crate::publish::plan::Plan;
use crate::publish::remotes::Remotes;
use crate::publish::step::{Kind, Reach, State, Step};
use crate::release::version::Release;
use crate::tasks::dist::{self, Extras};
use crate::tasks::release::preflight::{self, Problem};
use crate::tasks::release::prepare::Preparation;
use crate::tasks::release::{Dist, MakeArgs, steps, verified};

/// Prints the plan.
pub(super) fn show(
    ctx: &Ctx,
    args: &MakeArgs,
    preparation: &Preparation,
    remotes: &Remotes<'_>,
    mut problems: Vec<Problem>,
) -> anyhow::Result<()> {
    let release = Release::read(ctx)?;
    // Only a dist of the commit that is released says which bytes go where.
    let folder = args.dist.clone().unwrap_or_else(|| ctx.root.join("dist"));
    let is_there = preparation.is_committed && preflight::is_of(&folder, &release)?;
    let mut plan = None;
    if is_there {
        let journal = Journal::open(ctx, &release.tag)?;
        let dist = Dist {
            dist: verified(ctx, &folder)?,
            folder,
        };
        let steps = steps(ctx, args, preparation, remotes, &journal, &dist)?;
        let mut made_plan = Plan::new(&release, remotes.endpoints(), &steps)?;
        problems.extend(observe(remotes, &steps, &mut made_plan));
        plan = Some(made_plan);
    }
    if args.json {
        let shown = Shown {
            preparation,
            problems: &problems,
            plan: plan.as_ref(),
        };
        return output::json(&shown);
    }
    output::print(&preparation.describe())?;
    match &plan {
        Some(plan) => print(plan)?,
        None => outline(ctx, preparation)?,
    }
    if problems.is_empty() {
        return output::line("\nNothing was changed. `--execute` makes the release.");
    }
    output::line("\nBefore it can be made:")?;
    for Problem { what, help } in &problems {
        output::line(format!("  {what}\n    help: {help}"))?;
    }
    output::line("\nNothing was changed.")
}

/// Prints what follows the commit, as far as it is known before its dist is built.
fn outline(ctx: &Ctx, preparation: &Preparation) -> anyhow::Result<()> {
    let plan = dist::plan_dist(ctx, &["default".to_owned()], &Extras::default())?;
    let folder = ctx.root.join("dist");
    let (from, to) = (
        preparation.current.to_string(),
        preparation.version.to_string(),
    );
    output::line("\nThen dist/ is built of that commit:")?;
    for path in dist::outputs(&plan, &folder) {
        let name = path
            .trim_start_matches(folder.as_str())
            .trim_start_matches('/');
        output::line(format!("   {}", name.replace(&from, &to)))?;
    }
    output::line("\nand published; with a dist/ of the commit, each change is listed here:")?;
    let is_nightly = inputs::is_nightly(&preparation.version);
    let is_made = |kind: &Kind| match kind.reach() {
        Reach::Pointer => preparation.is_newest,
        Reach::Irrevocable => !is_nightly || *kind == Kind::Publish,
        Reach::Undoable => true,
    };
    for kind in Kind::ALL.into_iter().filter(is_made) {
        output::line(format!(
            "   {} [{}] ({})",
            kind.title(),
            kind.id(),
            kind.reach()
        ))?;
    }
    Ok(())
}

/// A plan with what prevents it, as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    preparation: &'a Preparation,
    problems: &'a [Problem],
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a Plan>,
}

/// Asks the remotes what is there now. Those that do not answer are problems, each once.
fn observe(remotes: &Remotes<'_>, steps: &[Step], plan: &mut Plan) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for (step, planned) in steps.iter().zip(&mut plan.steps) {
        for (item, planned) in step.items.iter().zip(&mut planned.items) {
            match item.observe(remotes) {
                Ok(state) => {
                    if let State::Other(what) = &state {
                        problems.push(Problem::taken(&planned.name, what));
                    }
                    planned.now = Some(state);
                }
                Err(error) => {
                    let problem = Problem::of(&error);
                    // A service that does not answer is named once.
                    if problems.iter().all(|known| known.help != problem.help) {
                        problems.push(problem);
                    }
                    // The others of the step are at the same service.
                    break;
                }
            }
        }
    }
    problems
}

fn print(plan: &Plan) -> anyhow::Result<()> {
    for (number, step) in plan.steps.iter().enumerate() {
        output::line(format!(
            "\n{}. {} [{}] ({})",
            number + 1,
            step.title,
            step.id,
            step.reach
        ))?;
        for item in &step.items {
            let now = item
                .now
                .as_ref()
                .map_or("not asked".to_owned(), ToString::to_string);
            output::line(format!("   {}: {now}", item.name))?;
            for change in &item.changes {
                output::line(format!(
                    "      {} {}",
                    change.request,
                    &change.sha256.to_string()[..12]
                ))?;
            }
        }
    }
    output::line(format!("\nplan {}", plan.hash))
}
