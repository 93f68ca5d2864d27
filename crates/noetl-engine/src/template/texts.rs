//! Jinja2's filters over texts that minijinja lacks, and their arguments by position.

use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::filters as contrib;

use super::paid_text;

pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordwrap", wordwrap);
    environment.add_filter("wordcount", contrib::wordcount);
    environment.add_filter("striptags", |text: &Value| {
        contrib::striptags(text.to_string())
    });
    environment.add_filter("filesizeformat", contrib::filesizeformat);
    environment.add_filter("random", contrib::random);
}

/// The filter `center(width=80)`.
fn center(state: &State<'_, '_>, text: &Value, width: Option<usize>) -> Result<String, Error> {
    let (text, width) = (text.to_string(), width.unwrap_or(80));
    paid_text::pay(state, width)?;
    let missing = width.saturating_sub(text.chars().count());
    // As in Python: of an odd number of spaces the text has one more before it when the width is odd.
    let before = missing / 2 + (missing & width & 1);
    let after = missing - before;
    Ok(format!("{:before$}{text}{:after$}", "", ""))
}

/// The filter `truncate(length=255, killwords=False, end="...", leeway=5)`.
fn truncate(
    state: &mut State<'_, '_>,
    text: &Value,
    args: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let args = by_name(args, &["length", "killwords", "end", "leeway"])?;
    contrib::truncate(state, text, args)
}

/// The filter `wordwrap(width=79, break_long_words=True, wrapstring="\n", break_on_hyphens=True)`.
fn wordwrap(
    state: &mut State<'_, '_>,
    text: &Value,
    args: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let names = [
        "width",
        "break_long_words",
        "wrapstring",
        "break_on_hyphens",
    ];
    let args = by_name(args, &names)?;
    let between = args.peek::<Option<&str>>("wrapstring").ok().flatten();
    let (length, between) = (
        text.as_str().map_or(0, str::len),
        between.map_or(1, str::len),
    );
    paid_text::pay(state, length.saturating_mul(between + 1))?;
    contrib::wordwrap(text, args)
}

/// Returns arguments by name; those by position have the names in their order.
fn by_name(args: Rest<ValueOrKwargs>, names: &[&'static str]) -> Result<Kwargs, Error> {
    let mut named = Vec::new();
    for (position, value) in args.into_values().into_iter().enumerate() {
        if let Ok(given) = Kwargs::try_from(value.clone()) {
            for name in given.args() {
                named.push((name.to_owned(), given.get::<Value>(name)?));
            }
        } else if let Some(name) = names.get(position) {
            named.push(((*name).to_owned(), value));
        } else {
            return Err(Error::from(ErrorKind::TooManyArguments));
        }
    }
    Ok(named.into_iter().collect())
}
