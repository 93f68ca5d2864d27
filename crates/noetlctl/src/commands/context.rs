//! `noetl context …`: adds, lists, chooses and deletes contexts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::ValueEnum as _;
use noetl_help::Help as _;
use serde::Serialize;

use crate::cli::context::{AddContextArgs, ContextCommand};
use crate::cli::run::Runtime;
use crate::client::url;
use crate::config::context_file::{Context, ContextFile};
use crate::output::{self, Screen, Table};

pub(super) fn run(command: &ContextCommand) -> anyhow::Result<ExitCode> {
    let mut file = ContextFile::read()?;
    match command {
        ContextCommand::Add(args) => add(&mut file, args)?,
        ContextCommand::List(args) if args.json => {
            let contexts = file.contexts().into_iter();
            let printed = contexts.map(|context| printed(&file, context));
            output::json(&printed.collect::<Vec<_>>())?;
        }
        ContextCommand::List(_) => list(&file)?,
        ContextCommand::Use(args) => {
            let context = find(&file, &args.name)?;
            file.set_current(Some(&args.name));
            file.write()?;
            output::text(&format!(
                "context {} is current: {}",
                args.name, context.server_url
            ))?;
        }
        ContextCommand::SetRuntime(args) => {
            let context = current(&file)?;
            file.set(&context.name, &[("runtime", name(args.runtime).as_str())]);
            file.write()?;
            output::text(&format!(
                "context {}: runtime {}",
                context.name,
                name(args.runtime)
            ))?;
        }
        ContextCommand::Delete(args) => delete(&mut file, &args.name)?,
        ContextCommand::Current(args) => {
            let context = current(&file)?;
            if args.json {
                output::json(&printed(&file, context))?;
            } else {
                output::text(&format!(
                    "{}: {}, runtime {}",
                    context.name, context.server_url, context.runtime
                ))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(file: &mut ContextFile, args: &AddContextArgs) -> anyhow::Result<()> {
    let url = args.server_url.trim_end_matches('/');
    url::check(url)?;
    let known = file.context(&args.name);
    let runtime = match (args.runtime, &known) {
        (Some(runtime), _) => name(runtime),
        (None, Some(known)) => known.runtime.clone(),
        (None, None) => name(Runtime::Auto),
    };
    let mut fields = vec![("server_url", url), ("runtime", &runtime)];
    // Absolute, since commands run in any folder.
    let token_file = args
        .token_file
        .as_deref()
        .map(std::path::absolute)
        .transpose()
        .context("cannot find the current folder")?
        .map(|path| path.display().to_string());
    fields.extend(token_file.as_deref().map(|path| ("token_file", path)));
    file.set(&args.name, &fields);
    if args.set_current || file.current().is_none() {
        file.set_current(Some(&args.name));
    }
    file.write()?;
    let current = if file.current_name() == Some(&args.name) {
        ", the current one"
    } else {
        ""
    };
    let done = if known.is_some() { "changed" } else { "added" };
    output::text(&format!("context {} {done}: {url}{current}", args.name))
}

fn delete(file: &mut ContextFile, name: &str) -> anyhow::Result<()> {
    find(file, name)?;
    file.remove(name);
    let was_current = file.current_name() == Some(name);
    if was_current {
        file.set_current(None);
    }
    file.write()?;
    output::text(&format!("context {name} deleted"))?;
    if was_current {
        note!("no context is current now; `noetl context use NAME` chooses one");
    }
    Ok(())
}

fn find(file: &ContextFile, name: &str) -> anyhow::Result<Context> {
    file.context(name)
        .ok_or_else(|| anyhow!("no such context: {name}"))
        .help("`noetl context list` lists the contexts")
}

fn current(file: &ContextFile) -> anyhow::Result<Context> {
    file.current()
        .ok_or_else(|| anyhow!("no context is current"))
        .help("`noetl context add NAME --server-url URL` adds one, `noetl context use NAME` chooses one")
}

fn list(file: &ContextFile) -> anyhow::Result<()> {
    let mut table = Table::new(["", "NAME", "SERVER", "RUNTIME"]).unwrapped(&[0, 1]);
    let contexts = file.contexts();
    for context in &contexts {
        let mark = if file.current_name() == Some(&context.name) {
            "*"
        } else {
            " "
        };
        table.row([
            mark.to_owned(),
            output::sanitize(&context.name),
            output::sanitize(&context.server_url),
            output::sanitize(&context.runtime),
        ]);
    }
    if contexts.is_empty() {
        note!("no contexts; `noetl context add NAME --server-url URL` adds one");
        return Ok(());
    }
    output::text(&table.text(Screen::stdout()))
}

/// A context as `--json` prints it: the fields that this version knows. The others may be secrets.
#[derive(Serialize)]
struct PrintedContext {
    name: String,
    server_url: String,
    runtime: String,
    token_file: Option<PathBuf>,
    current: bool,
}

fn printed(file: &ContextFile, context: Context) -> PrintedContext {
    PrintedContext {
        current: file.current_name() == Some(&context.name),
        name: context.name,
        server_url: context.server_url,
        runtime: context.runtime,
        token_file: context.token_file,
    }
}

fn name(runtime: Runtime) -> String {
    let value = runtime.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
