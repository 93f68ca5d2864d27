//! `noetl list …`: lists playbooks, credentials, executions and workers as tables.

use std::process::ExitCode;

use noetl_api::catalog::{CatalogEntries, CatalogListRequest};
use noetl_api::credential::{CredentialFilter, CredentialList};
use noetl_api::execution::{Execution, ExecutionListQuery};
use noetl_api::worker::WorkerList;
use serde::Serialize;

use crate::cli::client::RootArgs;
use crate::cli::list::{ListArgs, ListType};
use crate::client::Client;
use crate::output::{self, Screen, Table, cell, time};

/// How many executions are listed. This is the server's own default; a note follows when it may cut the list.
const LIMIT: u16 = 100;

pub(super) fn run(args: &ListArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let json = args.client.json;
    match args.kind {
        ListType::Playbook => playbooks(&client, true, json),
        ListType::Credential => credentials(&client, json),
        ListType::Execution => executions(&client, json),
        ListType::Worker => workers(&client, json),
    }
}

/// Lists playbooks. Their text is requested for JSON only.
pub(super) fn playbooks(client: &Client, latest: bool, json: bool) -> anyhow::Result<ExitCode> {
    let request = CatalogListRequest {
        resource_type: Some("Playbook".to_owned()),
        latest: Some(latest),
        content: Some(json),
        ..CatalogListRequest::default()
    };
    let list: CatalogEntries = client.post("/api/catalog/list", &request)?;
    if json {
        return print(&list);
    }
    let mut table = Table::new(["PATH", "VERSION", "REGISTERED", "DESCRIPTION"]).unwrapped(&[0]);
    for entry in &list.entries {
        table.row([
            cell(entry.path.as_str()),
            entry.version.to_string(),
            time(&entry.created_at),
            cell(entry.description.as_deref()),
        ]);
    }
    show(
        &table,
        list.entries.len(),
        "no playbooks; `noetl register playbook --file FILE` adds one",
    )
}

/// Lists credentials. The answer never contains their data.
pub(super) fn credentials(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let list: CredentialList = client.get("/api/credentials", &CredentialFilter::default())?;
    if json {
        return print(&list);
    }
    let mut table = Table::new(["NAME", "TYPE", "UPDATED", "DESCRIPTION"]).unwrapped(&[0]);
    for credential in &list.items {
        table.row([
            cell(credential.name.as_str()),
            cell(credential.kind.as_str()),
            time(&credential.updated_at),
            cell(credential.description.as_deref()),
        ]);
    }
    show(
        &table,
        list.items.len(),
        "no credentials; `noetl register credential --file FILE` adds one",
    )
}

fn executions(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let query = ExecutionListQuery {
        limit: Some(LIMIT.into()),
        ..ExecutionListQuery::default()
    };
    let list: Vec<Execution> = client.get("/api/executions", &query)?;
    if json {
        return print(&list);
    }
    let mut table = Table::new(["ID", "PLAYBOOK", "VERSION", "STATUS", "STARTED", "DURATION"])
        .unwrapped(&[0, 3]);
    for execution in &list {
        table.row([
            cell(execution.execution_id.as_str()),
            cell(execution.path.as_str()),
            execution.version.to_string(),
            execution.status.to_string(),
            time(&execution.start_time),
            output::duration(execution.duration_seconds),
        ]);
    }
    let code = show(
        &table,
        list.len(),
        "no executions; `noetl execute playbook PATH` starts one",
    )?;
    if list.len() == usize::from(LIMIT) {
        note!("only the newest {LIMIT} are listed");
    }
    Ok(code)
}

fn workers(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let list: WorkerList = client.get("/api/worker/pools", &())?;
    if json {
        return print(&list);
    }
    let mut table = Table::new([
        "NAME",
        "STATUS",
        "RUNNING",
        "CAPACITY",
        "HOST",
        "PID",
        "HEARTBEAT",
    ])
    .unwrapped(&[0]);
    for worker in &list.items {
        table.row([
            cell(worker.name.as_str()),
            worker.status.to_string(),
            worker.running.to_string(),
            worker.capacity.to_string(),
            cell(worker.hostname.as_deref()),
            cell(worker.pid.map(|pid| pid.to_string()).as_deref()),
            time(&worker.heartbeat),
        ]);
    }
    show(
        &table,
        list.items.len(),
        "no workers; `noetl worker start` starts one",
    )
}

fn print(answer: &impl Serialize) -> anyhow::Result<ExitCode> {
    output::json(answer)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a table, or a note when it has no rows.
fn show(table: &Table, rows: usize, empty: &str) -> anyhow::Result<ExitCode> {
    if rows == 0 {
        note!("{empty}");
    } else {
        output::text(&table.text(Screen::stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}
