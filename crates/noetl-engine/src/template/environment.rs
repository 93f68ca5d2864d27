//! The minijinja environments in which templates are compiled and evaluated.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{
    AutoEscape, Environment, Error, Expression, Output, State, Template, UndefinedBehavior, Value,
};

use super::{bounds, filters, paid_text};

/// The names that a template may use, with their values.
pub(crate) type Scope = BTreeMap<String, Value>;

/// Steps of evaluation that one template may take.
const FUEL: u64 = 1_500_000;

/// How values are written into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As JSON, for shells, SQL and bodies of requests: `true`, `null`, `{"a": 1}`.
    Json,
    /// As JSON, for arguments: one that is written as JSON, `{{ rows | tojson }}`, is the value itself.
    Data,
    /// As Python code: `True`, `None`, `{'a': 1}`.
    Python,
}

/// For templates: a name without a value is an error.
pub(super) static STRICT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::SemiStrict, Style::Json));
/// For Python code.
pub(super) static PYTHON: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::SemiStrict, Style::Python));
/// For conditions: a field that a value lacks is false.
pub(super) static LENIENT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::Chainable, Style::Json));

fn environment(undefined: UndefinedBehavior, style: Style) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(|state, value, method, args| {
        if let (Some(text), "format") = (value.as_str(), method) {
            paid_text::pay_for_format(state, text, args)?;
        }
        if let (Some(text), "join") = (value.as_str(), method) {
            let (values,): (&Value,) = minijinja::value::from_args(args)?;
            return paid_text::join(state, values, text, None).map(Value::from);
        }
        minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
    });
    environment.set_formatter(move |output, state, value| format(output, state, value, style));
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are valid"));
    // With `namespace` a loop can nest a value so deep that dropping it overflows the stack.
    environment.remove_global("namespace");
    filters::install(&mut environment);
    environment
}

fn format(
    output: &mut Output<'_>,
    _: &State<'_, '_>,
    value: &Value,
    style: Style,
) -> Result<(), Error> {
    if value.is_undefined() {
        // Where undefined is an error, only an `if` without `else` comes here: minijinja has refused all others.
        return Ok(());
    }
    if let Some(text) = value.as_str() {
        return Ok(output.write_str(text)?);
    }
    filters::refuse_reference(value)?;
    let text = match style {
        Style::Json | Style::Data => bounds::json(value)?.to_string(),
        Style::Python => filters::python_literal(&bounds::json(value)?),
    };
    Ok(output.write_str(&text)?)
}

/// Compiles an expression; fails when it is too long or not valid.
pub(super) fn expression<'e>(
    environment: &'e Environment<'_>,
    text: &'e str,
) -> Result<Expression<'e, 'e>, Error> {
    bounds::check_expression(text)?;
    environment.compile_expression(text)
}

/// Compiles a template; fails when it is too long or not valid.
pub(super) fn template<'e>(
    environment: &'e Environment<'_>,
    text: &'e str,
) -> Result<Template<'e, 'e>, Error> {
    bounds::check_template(text)?;
    environment.template_from_str(text)
}
