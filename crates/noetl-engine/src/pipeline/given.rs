//! What a pipeline is given: names, the keychain, and secrets in the place of references.

use serde_json::{Map, Value as Json};

use super::Run;
use crate::playbook::Task;
use crate::template::{Scope, StepResult, from_json, to_json};
use crate::tool::{Failure, Host as _, reference};

impl Run<'_> {
    /// Everything that the tasks' templates may ask for.
    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        let given = &self.given;
        for value in self.args.values_mut().chain(self.context.values_mut()) {
            reference::resolve(value, given, self.host).await?;
        }
        self.scope = self.names();
        self.keychain().await
    }

    /// The names of the context, results of steps wrapped as such.
    fn names(&self) -> Scope {
        let mut scope = Scope::new();
        for (name, value) in &self.context {
            let value = from_json(value);
            let value = match self.command.results.get(name) {
                Some(tasks) => StepResult::wrap(value, from_json(tasks)),
                None => value,
            };
            scope.insert(name.clone(), value);
        }
        let args = from_json(&Json::Object(self.args.clone()));
        scope.insert("args".to_owned(), args.clone());
        scope.insert("input".to_owned(), args);
        for (name, value) in &self.args {
            scope
                .entry(name.clone())
                .or_insert_with(|| from_json(value));
        }
        scope
    }

    /// `keychain.NAME`, for pipelines that ask for it.
    async fn keychain(&mut self) -> Result<(), Failure> {
        let tasks = &self.command.tasks;
        let mut roots = tasks
            .iter()
            .flat_map(Task::fields)
            .flat_map(|field| field.roots());
        if !roots.any(|root| root == "keychain") {
            return Ok(());
        }
        let mut keychain = Map::new();
        for (name, credential) in &self.command.keychain {
            let Some(found) = self.host.credential(credential).await? else {
                return Err(Failure::new(
                    "auth",
                    format!(
                        "there is no credential `{credential}`, which keychain.{name} stands for"
                    ),
                )
                .help("register it with `noetl register credential --file FILE`"));
            };
            keychain.insert(name.clone(), Json::Object(found.data));
        }
        self.scope
            .insert("keychain".to_owned(), from_json(&Json::Object(keychain)));
        Ok(())
    }

    /// Puts secrets in the place of references that rules of this pipeline assigned.
    pub(super) async fn open_assigned(&mut self) -> Result<(), Failure> {
        for (above, assigned) in [("ctx", &self.outcome.ctx), ("iter", &self.outcome.iter)] {
            let mut assigned = assigned.clone();
            assigned.retain(|_, value| !reference::all(value).is_empty());
            for (name, mut value) in assigned {
                reference::resolve(&mut value, &self.given, self.host).await?;
                let all = self.scope.get(above).map(to_json);
                if let Some(Json::Object(mut all)) = all {
                    all.insert(name.clone(), value.clone());
                    let all = from_json(&Json::Object(all));
                    self.scope.insert(above.to_owned(), all);
                }
                self.scope.insert(name, from_json(&value));
            }
        }
        Ok(())
    }
}
