//! Brings every item of a release to its published state.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

use crate::host::output;
use crate::publish::http::Refused;
use crate::publish::journal::{Event, Journal};
use crate::publish::remotes::Remotes;
use crate::publish::step::{Item, Reach, State, Step, Undone};

/// How often a failed change is tried again.
const TRIES: u32 = 5;
/// The longest time that a service may ask to wait; registries of packages ask for some minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(900);
/// How long a service may take until it shows what it has accepted: indexes are built now and then.
const SETTLING: [u64; 8] = [1, 2, 4, 8, 15, 30, 60, 120];

/// Publishes all steps in order. What is there already is left as it is.
///
/// # Errors
/// When something else is where an item belongs, or a remote refuses or does not answer.
pub(crate) fn publish(
    remotes: &Remotes<'_>,
    journal: &Journal,
    steps: &[Step],
) -> anyhow::Result<()> {
    for step in steps {
        output::step(remotes.ctx, step.kind.title(), || {
            for item in &step.items {
                let settled = settle(remotes, journal, step, item.as_ref());
                if let Err(error) = settled {
                    journal.note(
                        step.kind.id(),
                        &item.name(),
                        Event::Failed(format!("{error:#}")),
                    )?;
                    return Err(error).with_context(|| {
                        format!("step {}: {} is not published", step.kind.id(), item.name())
                    });
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn settle(
    remotes: &Remotes<'_>,
    journal: &Journal,
    step: &Step,
    item: &dyn Item,
) -> anyhow::Result<()> {
    let name = item.name();
    let mut tries = 0;
    let mut is_begun = false;
    loop {
        let applied = observe_and_apply(remotes, item, || {
            if !is_begun {
                journal.note(step.kind.id(), &name, Event::Begun)?;
            }
            is_begun = true;
            Ok(())
        });
        let error = match applied {
            Ok(true) => {
                output::note(remotes.ctx, &format!("{name}: done"));
                return journal.note(step.kind.id(), &name, Event::Done);
            }
            Ok(false) => return confirm(remotes, journal, step, item),
            Err(error) => error,
        };
        // The answer to a change that was made may have been lost, or says that it was made before.
        if is_begun && matches!(item.observe(remotes), Ok(State::Done)) {
            continue;
        }
        let Some(wait) = wait(&error, tries) else {
            return Err(error);
        };
        tries += 1;
        let seconds = wait.as_secs_f64();
        output::note(remotes.ctx, &format!("{error:#}; again in {seconds:.1} s"));
        std::thread::sleep(wait);
    }
}

/// Returns whether an item was there; if not, applies it.
fn observe_and_apply(
    remotes: &Remotes<'_>,
    item: &dyn Item,
    begin: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    match item.observe(remotes)? {
        State::Done => Ok(true),
        State::Other(what) => Err(taken(item, &what)),
        State::Absent | State::Before(_) => {
            begin()?;
            item.apply(remotes)?;
            Ok(false)
        }
    }
}

fn taken(item: &dyn Item, what: &str) -> anyhow::Error {
    let name = item.name();
    let help =
        "a release overwrites nothing: release another version, or remove what is there by hand";
    anyhow!("something else is in the place of {name}: {what}").help(help)
}

/// Observes an item that was applied, until the remote shows it.
fn confirm(
    remotes: &Remotes<'_>,
    journal: &Journal,
    step: &Step,
    item: &dyn Item,
) -> anyhow::Result<()> {
    let name = item.name();
    let mut waits = SETTLING.iter();
    loop {
        let found = item.observe(remotes);
        if matches!(found, Ok(State::Done)) {
            output::note(remotes.ctx, &format!("{name}: published"));
            return journal.note(step.kind.id(), &name, Event::Done);
        }
        let Some(seconds) = waits.next() else {
            let found = found.map_or_else(|error| format!("{error:#}"), |it| it.to_string());
            return Err(anyhow!(
                "{name} was accepted, and the remote does not show it: {found}"
            ))
            .help("wait a while, then go on: cargo xtask release --resume");
        };
        std::thread::sleep(Duration::from_secs(*seconds));
    }
}

/// Returns how long to wait before another try; `None` when that cannot help.
fn wait(error: &anyhow::Error, tries: u32) -> Option<Duration> {
    let refused = noetl_help::find::<Refused>(error)?;
    if !refused.is_temporary() || tries >= TRIES {
        return None;
    }
    let own = Duration::from_millis(250 << tries);
    let wait = refused.retry_after.unwrap_or_default().max(own);
    (wait <= LONGEST_WAIT).then_some(wait)
}

/// Undoes what can be undone, the last step first. Returns what stays, each with its reason.
///
/// # Errors
/// When a remote refuses or does not answer.
pub(crate) fn abandon(
    remotes: &Remotes<'_>,
    journal: &Journal,
    steps: &[Step],
) -> anyhow::Result<Vec<String>> {
    let mut stays = Vec::new();
    for step in steps.iter().rev() {
        for item in step.items.iter().rev() {
            let name = item.name();
            match item
                .undo(remotes)
                .with_context(|| format!("cannot undo {name}"))?
            {
                Undone::Nothing => {}
                Undone::Removed => {
                    journal.note(step.kind.id(), &name, Event::Undone)?;
                    output::line(format!("undone: {name}"))?;
                }
                Undone::Stays(why) => stays.push(format!("{name}: {why}")),
            }
        }
    }
    Ok(stays)
}

/// Whether something has been published that cannot be undone.
///
/// # Errors
/// When a remote refuses or does not answer.
pub(crate) fn is_irrevocable(remotes: &Remotes<'_>, steps: &[Step]) -> anyhow::Result<bool> {
    for step in steps
        .iter()
        .filter(|step| step.kind.reach() == Reach::Irrevocable)
    {
        for item in &step.items {
            if item.observe(remotes)? == State::Done {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
