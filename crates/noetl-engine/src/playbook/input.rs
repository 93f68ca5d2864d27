//! The input of an execution: values as people write them for the playbook's workload.

use serde_json::{Map, Value as Json};

use super::json_schema::{Fault, Misfit, Schema, Type};
use super::model::Playbook;
use crate::{path, template};
use noetl_api::{Failure, Place, Problem, Problems, Severity};

impl Playbook {
    /// Adds values that are given as text, as by `--set KEY=VALUE`, to the input of an execution. A key may be a path,
    /// and begin with `workload.`.
    ///
    /// A value is text where `workload_schema` or else the workload's default says so; elsewhere it is JSON if it can be
    /// read as JSON, and text if not. A number that would lose digits, such as `1.10`, is text unless the default is a number.
    pub fn assign(&self, input: &mut Map<String, Json>, key: &str, value: &str) {
        let default = self.default_of(key);
        let is_text = self.declared_as_text(key).unwrap_or_else(|| {
            default
                .and_then(Json::as_str)
                .is_some_and(|text| !template::is_template(text))
        });
        let json = match serde_json::from_str::<Json>(value) {
            _ if is_text => None,
            Ok(Json::Number(number))
                if number.to_string() != value && !default.is_some_and(Json::is_number) =>
            {
                None
            }
            read => read.ok(),
        };
        input.insert(key.to_owned(), json.unwrap_or_else(|| value.into()));
    }

    /// Checks that a step whose result a caller asks for is one of the playbook.
    ///
    /// # Errors
    /// A failure of kind `playbook` when there is no such step.
    pub fn check_return_step(&self, step: Option<&str>) -> Result<(), Failure> {
        let Some(step) = step.filter(|step| self.step(step).is_none()) else {
            return Ok(());
        };
        let known: Vec<_> = self.steps.iter().map(|step| step.name.as_str()).collect();
        let message = format!(
            "`{}` has no step `{step}` whose result could be returned",
            self.path
        );
        Err(Failure::new("playbook", message).help(format!("its steps are {}", known.join(", "))))
    }

    /// Whether `workload_schema` names an entry of the workload; true without a schema.
    pub fn declares(&self, name: &str) -> bool {
        let schema = self.workload_schema.as_ref();
        schema.is_none_or(|schema| schema.property(name).is_some())
    }

    /// Returns why the workload of an execution does not fit `workload_schema`: its defaults under its input.
    pub(crate) fn misfits(&self, workload: &Map<String, Json>) -> Problems {
        let Some(schema) = &self.workload_schema else {
            return Problems::default();
        };
        let found = schema.misfits(&Json::Object(workload.clone()), "workload");
        let problems = found
            .into_iter()
            .map(|misfit| self.problem(Severity::Error, misfit));
        Problems(problems.collect())
    }

    /// Returns the defaults that `workload_schema` does not let pass, as warnings: an input may replace them. Those with
    /// templates have no value yet.
    pub(super) fn misfit_defaults(&self) -> Vec<Problem> {
        let properties = self.workload_schema.iter().flat_map(Schema::properties);
        let misfits = properties.flat_map(|(name, schema)| {
            let default = self.workload.get(name);
            let default = default.filter(|value| !template::has_templates(value));
            default.map_or_else(Vec::new, |value| {
                schema.misfits(value, &path::key("workload", name))
            })
        });
        misfits
            .map(|misfit| self.problem(Severity::Warning, misfit))
            .collect()
    }

    fn problem(&self, severity: Severity, misfit: Misfit) -> Problem {
        let key = misfit.path.strip_prefix("workload.");
        let name = key.unwrap_or_default();
        let help = match misfit.fault {
            _ if name.is_empty() => "see `workload_schema` in the playbook".to_owned(),
            _ if severity == Severity::Warning => {
                format!("change `{name}` in `workload`, or its schema")
            }
            Fault::Missing => {
                format!("give it with `--set {name}=…`, or a default in `workload`")
            }
            Fault::Unknown => "remove it".to_owned(),
            Fault::Value => format!("give another value, as with `--set {name}=…`"),
        };
        Problem {
            severity,
            place: Place {
                file: self.file.clone(),
                line: misfit.line,
                column: misfit.column,
                step: None,
                field: Some(misfit.path),
            },
            message: match severity {
                Severity::Warning => format!("the default {}", misfit.message),
                Severity::Error => misfit.message,
            },
            help: Some(match misfit.description {
                Some(description) => format!("{help} ({description})"),
                None => help,
            }),
        }
    }

    /// Whether the schema of the entry at a path says that it is text and nothing else; none when it says no type.
    fn declared_as_text(&self, key: &str) -> Option<bool> {
        let mut parts = self.strip_workload(key).split('.');
        let schema = self.workload_schema.as_ref()?;
        let schema = parts.try_fold(schema, Schema::property)?;
        Some(schema.types()? == [Type::String])
    }

    /// Returns the workload's default at a path.
    fn default_of(&self, key: &str) -> Option<&Json> {
        let key = self.strip_workload(key);
        self.workload.get(key).or_else(|| {
            let mut parts = key.split('.');
            let first = self.workload.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        })
    }

    /// Returns a key of an input without `workload.` before it, unless the workload has a key of that name itself.
    pub(crate) fn strip_workload<'k>(&self, key: &'k str) -> &'k str {
        match key.strip_prefix("workload.") {
            Some(rest) if !self.workload.contains_key("workload") => rest,
            _ => key,
        }
    }
}
