//! The input of an execution: values as people write them for the playbook's workload.

use serde_json::{Map, Value as Json};

use super::json_schema::{Fault, Misfit, Schema};
use super::model::Playbook;
use crate::template;
use noetl_api::{Failure, Place, Problem, Problems, Severity};

impl Playbook {
    /// Adds values that are given as text, as by `--set KEY=VALUE`, to the input of an execution. A key may be a path,
    /// and begin with `workload.`.
    ///
    /// A value is text where `workload_schema` wants text, or else where the workload's default is text; elsewhere it is
    /// JSON if it can be read as JSON, and text if not. A number that would lose digits, such as `1.10`, is text unless the default is a number.
    pub fn assign(&self, input: &mut Map<String, Json>, key: &str, value: &str) {
        let default = self.default_of(key);
        let is_text = self.is_text_by_schema(key, value).unwrap_or_else(|| {
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

    /// Whether `workload_schema` lets an execution have an entry of the workload, whatever its value; true without a schema.
    pub fn allows_entry(&self, name: &str) -> bool {
        let entry = Json::Object([(name.to_owned(), Json::Null)].into_iter().collect());
        let schema = self.workload_schema.as_ref();
        let misfits = schema.map_or_else(Vec::new, |schema| schema.misfits(&entry, ""));
        !misfits.iter().any(|misfit| misfit.fault == Fault::Unknown)
    }

    /// Returns why the workload of an execution does not fit `workload_schema`: its defaults under its input.
    pub(crate) fn misfits(&self, workload: &Map<String, Json>) -> Problems {
        if self.workload_schema.is_none() {
            return Problems::default();
        }
        let found = self.find_misfits(workload.clone()).into_iter();
        Problems(
            found
                .map(|misfit| self.problem(Severity::Error, misfit))
                .collect(),
        )
    }

    /// Returns the defaults that `workload_schema` does not let pass, as warnings: an input may replace them. Those with
    /// templates have no value yet, and what is missing may be given.
    pub(super) fn misfit_defaults(&self) -> Vec<Problem> {
        let mut workload = self.workload.clone();
        workload.retain(|_, value| !template::has_templates(value));
        let found = self.find_misfits(workload).into_iter();
        found
            .filter(|misfit| misfit.fault != Fault::Missing && misfit.path != "workload")
            .map(|misfit| self.problem(Severity::Warning, misfit))
            .collect()
    }

    fn find_misfits(&self, mut workload: Map<String, Json>) -> Vec<Misfit> {
        let Some(schema) = &self.workload_schema else {
            return Vec::new();
        };
        // An entry that the author has not written is none that the schema has to name.
        if self.has_spec && schema.property("spec").is_none() {
            workload.remove("spec");
        }
        schema.misfits(&Json::Object(workload), "workload")
    }

    fn problem(&self, severity: Severity, misfit: Misfit) -> Problem {
        // An item of a list is given with the list.
        let name = misfit.path.split('[').next().unwrap_or_default();
        let name = name.strip_prefix("workload.").unwrap_or_default();
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

    /// Whether text for the entry at a path is meant as text, by its schema: as JSON it would not fit. None when the schema
    /// tells nothing.
    fn is_text_by_schema(&self, key: &str, value: &str) -> Option<bool> {
        let mut parts = self.strip_workload(key).split('.');
        let schema = self.workload_schema.as_ref()?;
        let schema = parts.try_fold(schema, Schema::property)?;
        let (text, json) = (Json::from(value), serde_json::from_str(value).ok()?);
        let fits = |of: &dyn Fn(&Json) -> bool| match (of(&text), of(&json)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        };
        let has_type = |value: &Json| {
            let types = schema.types().unwrap_or_default();
            types.iter().any(|known| known.has(value))
        };
        fits(&|value| schema.fits(value)).or_else(|| fits(&has_type))
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
