//! Templates: Jinja2 as playbooks write it, evaluated by minijinja.
//!
//! A string that is exactly one `{{ expression }}` keeps the type of its value; every other template is
//! text. A name that is not defined is an error in both, and the error says where.

mod bounds;
mod check;
mod concat;
mod condition;
mod convert;
mod environment;
mod error;
mod filters;
mod names;
mod now;
mod paid_text;
mod render;
mod result;
mod source;
mod texts;
mod token;
mod truth;

pub(crate) use check::{check, check_condition};
pub(crate) use condition::{evaluation_names, holds};
pub(crate) use convert::{from_json, into_value, to_json};
pub(crate) use environment::{Scope, Style};
pub(crate) use error::unknown_name;
pub(crate) use names::{has_templates, is_template, required_names, required_paths};
pub use render::render_value;
pub(crate) use render::{render, render_shared, value};
pub(crate) use result::StepResult;
