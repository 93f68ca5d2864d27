//! Texts that are paid for before they grow. minijinja counts the steps of an evaluation, one for 64 bytes that it makes;
//! its `join` counts the joiner alone and its `format` the template alone, so that a list that holds the same text many
//! times would give more than the memory of a machine.

use std::fmt::{self, Write as _};

use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};

use super::{bounds, concat};

/// Bytes of text for each step of evaluation, as minijinja counts them.
const BYTES_PER_STEP: usize = 64;

/// Adds the filters that pay for the texts that they make.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter("join", join_filter);
    environment.add_filter("format", format_filter);
    environment.add_filter(concat::FILTER, operand_text);
    for (name, filter) in [
        ("upper", Value::from_function(filters::upper)),
        ("lower", Value::from_function(filters::lower)),
        ("title", Value::from_function(filters::title)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("replace", Value::from_function(replace)),
        ("trim", Value::from_function(filters::trim)),
        ("split", Value::from_function(filters::split)),
        ("lines", Value::from_function(filters::lines)),
        ("string", Value::from_function(filters::string)),
        ("safe", Value::from_function(filters::safe)),
        ("escape", Value::from_function(filters::escape)),
        ("e", Value::from_function(filters::escape)),
        ("pprint", Value::from_function(filters::pprint)),
        ("indent", Value::from_function(filters::indent)),
    ] {
        let filter_with_paid_texts = move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
            let args = args.into_values();
            for argument in args
                .iter()
                .filter(|argument| argument.as_object().is_some())
            {
                display(state, argument)?;
            }
            if name == "indent" {
                let lines = args.first().and_then(Value::as_str).unwrap_or_default();
                let width = args.get(1).and_then(Value::as_usize).unwrap_or(4);
                pay(state, lines.lines().count().saturating_mul(width))?;
            }
            filter.call(state, &args)
        };
        environment.add_filter(name, filter_with_paid_texts);
    }
}

/// The filter of the operands of `~`.
fn operand_text(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if value.as_object().is_some() {
        return display(state, value).map(Value::from);
    }
    Ok(value.clone())
}

/// The filter `join(joiner="", attribute=None)`.
pub(super) fn join_filter(
    state: &State<'_, '_>,
    values: &Value,
    joiner: Option<&Value>,
    attribute: Option<&str>,
    options: Kwargs,
) -> Result<String, Error> {
    let attribute = match attribute {
        Some(attribute) => Some(attribute),
        None => options.get("attribute")?,
    };
    options.assert_all_used()?;
    let joiner = joiner.map(|joiner| display(state, joiner)).transpose()?;
    let joiner = joiner.unwrap_or_default();
    join(state, values, &joiner, attribute)
}

/// Returns the values, or the attribute of each, as one text.
pub(super) fn join(
    state: &State<'_, '_>,
    values: &Value,
    joiner: &str,
    attribute: Option<&str>,
) -> Result<String, Error> {
    let mut joined = PaidText::new(state);
    for (position, value) in values.try_iter()?.checked().enumerate() {
        let mut value = value?;
        for name in attribute.into_iter().flat_map(|path| path.split('.')) {
            value = value.get_attr(name)?;
        }
        let between = if position > 0 { joiner } else { "" };
        // An item without a text costs something as well.
        joined.unpaid += 16;
        joined.push(format_args!("{between}{value}"))?;
    }
    Ok(joined.text)
}

/// The filter `replace(from, to, count=None)`.
fn replace(
    state: &State<'_, '_>,
    text: &Value,
    from: &Value,
    to: &Value,
    count: Option<usize>,
) -> Result<String, Error> {
    let (text, from) = (display(state, text)?, display(state, from)?);
    let (to, count) = (display(state, to)?, count.unwrap_or(usize::MAX));
    let found = text.matches(&from).take(count).count();
    pay(
        state,
        text.len().saturating_add(found.saturating_mul(to.len())),
    )?;
    Ok(text.replacen(&from, &to, count))
}

/// Returns a value as text.
fn display(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    let mut text = PaidText::new(state);
    text.push(format_args!("{value}"))?;
    Ok(text.text)
}

/// Pays for a text of this length.
pub(super) fn pay(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    state.consume_fuel((bytes / BYTES_PER_STEP) as u64)
}

/// The filter `format`, as Python's `%`.
pub(super) fn format_filter(
    state: &mut State<'_, '_>,
    text: &Value,
    args: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    pay_for_format(
        state,
        text.as_str().unwrap_or_default(),
        args.iter().map(|argument| &**argument),
    )?;
    filters::format(state, text, args)
}

/// Pays for a text in which every placeholder is as long as the longest argument, or the greatest width.
pub(super) fn pay_for_format<'v>(
    state: &State<'_, '_>,
    text: &str,
    args: impl IntoIterator<Item = &'v Value>,
) -> Result<(), Error> {
    let mut longest = bounds::greatest_width(text)?;
    for argument in args {
        longest = longest.max(display(state, argument)?.len());
    }
    let placeholders = text.matches(['{', '%']).count();
    pay(state, text.len() + placeholders.saturating_mul(longest))
}

/// A text whose bytes are paid for with steps of evaluation.
struct PaidText<'s, 'a, 'e> {
    state: &'s State<'a, 'e>,
    text: String,
    unpaid: usize,
    failure: Option<Error>,
}

impl<'s, 'a, 'e> PaidText<'s, 'a, 'e> {
    fn new(state: &'s State<'a, 'e>) -> Self {
        Self {
            state,
            text: String::new(),
            unpaid: 0,
            failure: None,
        }
    }

    fn push(&mut self, part: fmt::Arguments<'_>) -> Result<(), Error> {
        self.write_fmt(part).map_err(|_| {
            let unwritable = || Error::new(ErrorKind::WriteFailure, "a value cannot be written");
            self.failure.take().unwrap_or_else(unwritable)
        })
    }
}

impl fmt::Write for PaidText<'_, '_, '_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.unpaid += part.len();
        let steps = (self.unpaid / BYTES_PER_STEP) as u64;
        self.unpaid %= BYTES_PER_STEP;
        self.state.consume_fuel(steps).map_err(|error| {
            self.failure = Some(error);
            fmt::Error
        })?;
        self.text.push_str(part);
        Ok(())
    }
}
