//! All stand-ins together: their state, their addresses, and the fault that is to happen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::faults::{Armed, Moment};
use super::server::{self, Received, Reply};
use super::{git, github, packages, registry};
use crate::publish::endpoints::{Endpoints, Service};

/// What all services hold.
#[derive(Debug, Default)]
struct State {
    github: github::State,
    packages: packages::State,
    registry: registry::State,
    /// The fault that is to happen.
    armed: Option<Armed>,
    /// How many requests changed something, for each service.
    changes: BTreeMap<String, usize>,
    /// What was refused because it is there already.
    refusals: Vec<String>,
}

/// Everything that is published, to compare two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Published {
    pub github: serde_json::Value,
    pub packages: serde_json::Value,
    pub registry: serde_json::Value,
    pub git: String,
}

/// The stand-ins of one rehearsal.
#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    folder: Utf8PathBuf,
    /// Their addresses.
    pub endpoints: Endpoints,
}

impl World {
    /// Starts all stand-ins; their files are in `folder`, which is empty.
    ///
    /// # Errors
    /// When a folder cannot be made, git is missing, or there is no free port.
    pub(crate) fn start(folder: &Utf8Path, from: &Utf8Path) -> anyhow::Result<Self> {
        git::make(folder, from)?;
        let state = Arc::new(Mutex::new(State::default()));
        lock(&state).github.prepare();
        let serve = |name: &'static str, handle: fn(&mut State, &Utf8Path, &Received) -> Reply| {
            let (state, folder) = (Arc::clone(&state), folder.to_owned());
            server::start(Arc::new(move |request| {
                answer(&state, name, &request, |state| {
                    handle(state, &folder, &request)
                })
            }))
        };
        let github = serve("github", |state, _, request| {
            github::handle(&mut state.github, request)
        })?;
        let crates = serve("crates", |state, _, request| {
            packages::crates(&mut state.packages, request)
        })?;
        let npm = serve("npm", |state, _, request| {
            packages::npm(&mut state.packages, request)
        })?;
        let pypi = serve("pypi", |state, _, request| {
            packages::pypi(&mut state.packages, request)
        })?;
        let git = serve("git", |_, folder, request| git::handle(folder, request))?;
        let registry = serve("registry", |state, _, request| {
            registry::handle(&mut state.registry, request)
        })?;
        lock(&state).github.url = format!("http://{github}");
        let services = [
            (Service::Github, format!("http://{github}")),
            (Service::GithubUploads, format!("http://{github}")),
            (Service::Pypi, format!("http://{pypi}/legacy")),
            (Service::PypiIndex, format!("http://{pypi}")),
            (Service::Npm, format!("http://{npm}")),
            (Service::Crates, format!("http://{crates}")),
            (Service::CratesIndex, format!("http://{crates}/index")),
        ];
        let endpoints = Endpoints {
            git: format!("http://{git}/{}", git::NAME),
            registry: format!("{registry}/noetl"),
            services: services.into(),
        };
        Ok(Self {
            state,
            folder: folder.to_owned(),
            endpoints,
        })
    }

    /// Makes a fault happen once.
    pub(crate) fn arm(&self, armed: Option<Armed>) {
        lock(&self.state).armed = armed;
    }

    /// Whether the fault has happened.
    pub(crate) fn has_struck(&self) -> bool {
        lock(&self.state).armed.is_none()
    }

    /// Returns everything that is published.
    ///
    /// # Errors
    /// When git fails.
    pub(crate) fn published(&self) -> anyhow::Result<Published> {
        let state = lock(&self.state);
        Ok(Published {
            github: state.github.published(),
            packages: state.packages.published(),
            registry: state.registry.published(),
            git: git::references(&self.folder)?,
        })
    }

    /// Returns what was asked for a second time and refused, such as a version that exists.
    pub(crate) fn refusals(&self) -> Vec<String> {
        lock(&self.state).refusals.clone()
    }

    /// Returns how many requests changed something, for each service.
    pub(crate) fn changes(&self) -> BTreeMap<String, usize> {
        lock(&self.state).changes.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Handles a request, unless the fault happens before it; the answer is lost when the fault happens after it.
fn answer(
    state: &Mutex<State>,
    service: &str,
    request: &Received,
    handle: impl FnOnce(&mut State) -> Reply,
) -> Reply {
    let mut state = lock(state);
    let is_change = request.is_change();
    let before = if is_change {
        Moment::Before
    } else {
        Moment::Reading
    };
    let place = format!(
        "{service} {} {}{}",
        request.method,
        request.path,
        git::pushed(request)
    );
    let armed = state.armed.clone().filter(|it| place.contains(&it.at));
    if let Some(reply) = armed.as_ref().and_then(|it| it.strike(before)) {
        state.armed = None;
        return reply;
    }
    let reply = handle(&mut state);
    if is_change && reply.status < 300 {
        *state.changes.entry(service.to_owned()).or_default() += 1;
    }
    if is_change && matches!(reply.status, 400 | 409 | 422) {
        state.refusals.push(format!("{place}: {}", reply.status));
    }
    if is_change && let Some(lost) = armed.and_then(|it| it.strike(Moment::After)) {
        state.armed = None;
        return lost;
    }
    reply
}
