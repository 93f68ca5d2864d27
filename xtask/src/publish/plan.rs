//! The plan of a release: every change that its steps make, and what is at the remotes before.

use std::collections::BTreeSet;

use noetl_oci::Sha256;
use serde::Serialize;

use crate::publish::endpoints::Endpoints;
use crate::publish::request::Change;
use crate::publish::step::{Reach, State, Step};
use crate::release::version::Release;

/// The plan of a release, as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    /// Version, tag, commit and time.
    pub release: Release,
    /// Where it goes.
    pub remotes: Endpoints,
    /// The SHA-256 of the transcript of a run that finds nothing at the remotes.
    pub hash: Sha256,
    /// The steps in order.
    pub steps: Vec<StepPlan>,
}

/// A step of a plan.
#[derive(Debug, Serialize)]
pub(crate) struct StepPlan {
    pub id: &'static str,
    pub title: &'static str,
    pub reach: Reach,
    pub items: Vec<ItemPlan>,
}

/// An item of a plan.
#[derive(Debug, Serialize)]
pub(crate) struct ItemPlan {
    pub name: String,
    /// What is at the remote now; `None` when it was not asked or did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<State>,
    pub changes: Vec<Change>,
}

impl Plan {
    /// Returns the plan of these steps.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn new(
        release: &Release,
        endpoints: &Endpoints,
        steps: &[Step],
    ) -> anyhow::Result<Self> {
        let mut plans = Vec::new();
        for step in steps {
            let items = step.items.iter().map(|item| {
                Ok(ItemPlan {
                    name: item.name(),
                    now: None,
                    changes: item.changes()?,
                })
            });
            plans.push(StepPlan {
                id: step.kind.id(),
                title: step.kind.title(),
                reach: step.kind.reach(),
                items: items.collect::<anyhow::Result<_>>()?,
            });
        }
        let changes = plans
            .iter()
            .flat_map(|it| &it.items)
            .flat_map(|it| &it.changes);
        Ok(Self {
            release: release.clone(),
            remotes: endpoints.clone(),
            hash: hash(changes)?,
            steps: plans,
        })
    }
}

/// Returns the SHA-256 of a transcript: a line of JSON for each change.
///
/// # Errors
/// When a change cannot be written as JSON.
pub(crate) fn hash<'a>(changes: impl IntoIterator<Item = &'a Change>) -> anyhow::Result<Sha256> {
    let mut text = String::new();
    for change in changes {
        text.push_str(&serde_json::to_string(change)?);
        text.push('\n');
    }
    Ok(Sha256::of(text.as_bytes()))
}

/// Returns every change that the steps may make.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn allowed(steps: &[Step]) -> anyhow::Result<BTreeSet<Change>> {
    let mut allowed = BTreeSet::new();
    for item in steps.iter().flat_map(|step| &step.items) {
        allowed.extend(item.changes()?);
        allowed.extend(item.repairs()?);
    }
    Ok(allowed)
}
