//! The names that templates use.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::environment::{STRICT, expression, template};
use super::source;
use super::token::{Segment, Token, TokenKind, after_path, code_tokens, segments, tokens};
use crate::field::Field;

/// Whether a string has anything to evaluate.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// Whether a value has a template somewhere in it.
pub(crate) fn has_templates(value: &Json) -> bool {
    match value {
        Json::String(text) => is_template(text),
        Json::Array(items) => items.iter().any(has_templates),
        Json::Object(entries) => entries.values().any(has_templates),
        _ => false,
    }
}

impl Field {
    /// Finds the names that the field's templates use, after its value changed.
    pub(crate) fn find_roots(&mut self) {
        let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
        collect(&self.value, &mut names, &mut paths);
        self.roots = names.into_iter().collect();
        self.paths = paths.into_iter().collect();
    }

    /// Whether the field's templates use all of a name's value, and not parts of it alone.
    pub(crate) fn uses_whole(&self, name: &str) -> bool {
        let mut paths = BTreeSet::new();
        collect(&self.value, &mut BTreeSet::new(), &mut paths);
        paths.iter().any(|path| path.len() == 1 && path[0] == name)
    }
}

fn collect(value: &Json, names: &mut BTreeSet<String>, paths: &mut BTreeSet<Vec<String>>) {
    match value {
        Json::String(text) => {
            if let Some(used) = used_names(text, false) {
                let written = written_names(text);
                // A name that minijinja alone has found is used in a way that is not known.
                let unknown = used.difference(&written.used);
                paths.extend(unknown.map(|name| vec![name.clone()]));
                paths.extend(written.paths);
                names.extend(used);
                names.extend(written.used);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, names, paths)),
        Json::Object(entries) => entries
            .values()
            .for_each(|item| collect(item, names, paths)),
        _ => {}
    }
}

/// Returns the names that a string's templates begin with, such as `workload` in `{{ workload.url }}`;
/// with `attributes` the whole paths as far as they are written out. `None` when it does not compile, which is reported
/// where it is checked.
fn used_names(text: &str, attributes: bool) -> Option<BTreeSet<String>> {
    if !is_template(text) {
        return Some(BTreeSet::new());
    }
    let source = source::prepare(text);
    let names = match source::single_expression(&source) {
        Some(code) => expression(&STRICT, code).map(|it| it.undeclared_variables(attributes)),
        None => template(&STRICT, &source).map(|it| it.undeclared_variables(attributes)),
    };
    Some(names.ok()?.into_iter().collect())
}

/// The names in the code of a template, by where they stand.
#[derive(Debug, Default)]
struct WrittenNames {
    /// Those that begin an expression.
    used: BTreeSet<String>,
    /// The same with the attributes that are written out after them.
    paths: BTreeSet<Vec<String>>,
    /// Those that the template itself gives a value: targets of `for`, `set` and `with`, macros and their parameters.
    assigned: BTreeSet<String>,
}

/// Words of the template language that are no names.
const KEYWORDS: &[&str] = &[
    "and",
    "autoescape",
    "block",
    "break",
    "call",
    "continue",
    "do",
    "elif",
    "else",
    "endautoescape",
    "endblock",
    "endcall",
    "endfilter",
    "endfor",
    "endif",
    "endmacro",
    "endraw",
    "endset",
    "endwith",
    "extends",
    "false",
    "False",
    "filter",
    "for",
    "from",
    "if",
    "import",
    "in",
    "include",
    "is",
    "macro",
    "none",
    "None",
    "not",
    "or",
    "raw",
    "recursive",
    "set",
    "true",
    "True",
    "with",
];

/// Finds names by the tokens around them. minijinja's own search passes over what is sliced, the right side of
/// `{% set x = x %}`, and the arguments of `{% filter %}`, so that what they name would be missing.
fn written_names(text: &str) -> WrittenNames {
    let mut names = WrittenNames::default();
    if !is_template(text) {
        return names;
    }
    for code in segments(text).filter_map(Segment::code) {
        let tokens: Vec<_> = tokens(code).collect();
        let word = |at: usize| tokens.get(at).map_or("", |token| token.text);
        let first = usize::from(matches!(word(0), "-" | "+"));
        let mut is_target = matches!(word(first), "for" | "macro");
        for (at, token) in tokens.iter().enumerate() {
            let text = token.text;
            // The targets of a loop end at `in`; those of a macro are all names of its line.
            is_target &= !(text == "in" && word(first) == "for");
            let begins = |character: char| character == '_' || character.is_alphabetic();
            let is_name = token.kind == TokenKind::Word
                && text.starts_with(begins)
                && !KEYWORDS.contains(&text);
            if !is_name {
                continue;
            }
            let before = if at == 0 { "" } else { word(at - 1) };
            let is_test = before == "is" || (before == "not" && at > 1 && word(at - 2) == "is");
            let is_filter = before == "|" || (before == "filter" && at == first + 1);
            if before == "." || is_test || is_filter {
                continue;
            }
            let is_given = word(at + 1) == "=" && word(at + 2) != "=";
            let is_set = word(first) == "set" && (at == first + 1 || word(at + 1) == ",");
            if is_target || is_set || (is_given && matches!(word(first), "set" | "with")) {
                names.assigned.insert(text.to_owned());
            } else if !is_given {
                names.used.insert(text.to_owned());
                names.paths.insert(path(&tokens[at..]));
            }
        }
    }
    names
}

/// Returns the name that tokens begin with, and the attributes after it: `a.b['c']`. A method is not part of it.
fn path(tokens: &[Token<'_>]) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = tokens;
    if let [name, after @ ..] = rest {
        path.push(name.text.to_owned());
        rest = after;
    }
    loop {
        rest = match rest {
            [dot, name, after @ ..] if dot.text == "." && name.kind == TokenKind::Word => {
                if after.first().is_some_and(|next| next.text == "(") {
                    return path;
                }
                path.push(name.text.to_owned());
                after
            }
            [open, key, close, after @ ..] if open.text == "[" && close.text == "]" => {
                match key.quoted_text() {
                    Some(text) if !text.contains('\\') => path.push(text.to_owned()),
                    _ => return path,
                }
                after
            }
            _ => return path,
        };
    }
}

/// Returns those names without which a text has no value: `is defined` and `default` need none.
pub(crate) fn required_roots(text: &str) -> BTreeSet<String> {
    let tokens = code_tokens(text);
    let Some(mut names) = used_names(text, false) else {
        return BTreeSet::new();
    };
    let written = written_names(text);
    names.extend(written.used.difference(&written.assigned).cloned());
    names.remove("loop");
    names.retain(|name| !source::is_optional(&tokens, name));
    names
}

/// Returns the paths below `root` that a text's templates use, such as `workload.db.host`, without those that need no
/// value. A method at the end of a path is left out.
pub(crate) fn required_paths(text: &str, root: &str) -> Vec<String> {
    let tokens = code_tokens(text);
    let paths = used_names(text, true).unwrap_or_default();
    let below = paths.iter().filter(|path| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.starts_with('.'))
    });
    below
        .filter_map(|path| {
            let is_method = after_path(&tokens, path)
                .any(|rest| rest.first().is_some_and(|next| next.text == "("));
            let path = match is_method {
                true => path.rsplit_once('.')?.0,
                false => path,
            };
            (!source::is_optional(&tokens, path)).then(|| path.to_owned())
        })
        .collect()
}

/// Returns the required names, and for `keychain` its required entries as `keychain.NAME`.
pub(crate) fn required_names(text: &str) -> BTreeSet<String> {
    let mut names = required_roots(text);
    if names.remove("keychain") {
        let tokens = code_tokens(text);
        let paths = used_names(text, true).unwrap_or_default();
        let entries = paths.iter().filter_map(|path| {
            let entry = path.strip_prefix("keychain.")?.split('.').next()?;
            let path = format!("keychain.{entry}");
            let is_method = after_path(&tokens, &path)
                .any(|rest| rest.first().is_some_and(|next| next.text == "("));
            (!is_method && !source::is_optional(&tokens, &path)).then_some(path)
        });
        names.extend(entries);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn roots(text: &str) -> Vec<String> {
        let mut names = BTreeSet::new();
        collect(&json!(text), &mut names, &mut BTreeSet::new());
        names.into_iter().collect()
    }

    #[test]
    fn the_parts_of_a_value_that_are_used_are_known() {
        for (text, expected) in [
            (
                "{{ v.a.b }} {{ v['c'].d | length }}",
                vec!["v.a.b", "v.c.d"],
            ),
            ("{{ v.a.get('x') }} {{ w.items() }}", vec!["v.a", "w"]),
            (
                "{{ v[k] }} {{ v.a[0] }} {{ v.b[:2] }}",
                vec!["k", "v", "v.a", "v.b"],
            ),
            ("{{ v }}{{ v.a }}", vec!["v", "v.a"]),
            (
                "{% for x in v.list %}{{ x.y }}{% endfor %}",
                vec!["v.list", "x.y"],
            ),
            ("{% set w = v %}{{ w.x }}", vec!["v", "w.x"]),
        ] {
            let mut paths = BTreeSet::new();
            collect(&json!(text), &mut BTreeSet::new(), &mut paths);
            let paths: Vec<_> = paths.iter().map(|path| path.join(".")).collect();
            assert_eq!(paths, expected, "{text}");
        }
    }

    /// `v` stands in each kind of expression and of statement.
    #[test]
    fn a_name_is_found_in_every_kind_of_expression() {
        for text in [
            "{{ v }}",
            "{{ v.a.b }}",
            "{{ v['a'][0] }}",
            "{{ v[:3] }}",
            "{{ v[1:] }}",
            "{{ v[::2] }}",
            "{{ v.items[1:2] }}",
            "{{ 'abc'[:v] }}",
            "{{ 'abc'[v:v:v] }}",
            "{{ (v | sort)[:1] }}",
            "{{ v | length }}",
            "{{ 'a' | replace(v, 'b') }}",
            "{{ 'a' | default(value=v) }}",
            "{{ v is defined }}",
            "{{ 1 is divisibleby(v) }}",
            "{{ 1 is not divisibleby(v) }}",
            "{{ -v }}",
            "{{ not v }}",
            "{{ v + 1 }}",
            "{{ 1 < v <= 3 }}",
            "{{ 1 in v }}",
            "{{ 'a' ~ v }}",
            "{{ v if true else 1 }}",
            "{{ 1 if v else 2 }}",
            "{{ 1 if false else v }}",
            "{{ [1, v] }}",
            "{{ (1, v) }}",
            "{{ {'a': v} }}",
            "{{ {v: 1} }}",
            "{{ range(v) }}",
            "{{ dict(a=v) }}",
            "{{ v() }}",
            "{{ v.get('a') }}",
            "{% for x in v %}{{ x }}{% endfor %}",
            "{% for x in v[:2] if x %}{{ x }}{% endfor %}",
            "{% for x in [1] if v %}{% endfor %}",
            "{% for x in [1] %}{{ v }}{% else %}{% endfor %}",
            "{% for x in [] %}{% else %}{{ v }}{% endfor %}",
            "{% if v %}a{% endif %}",
            "{% if 0 %}{% elif v %}{% endif %}",
            "{%- if 0 -%}{%- else -%}{{- v -}}{%- endif -%}",
            "{% set x = v %}{{ x }}",
            "{% set v = v + 1 %}{{ v }}",
            "{% set x %}{{ v }}{% endset %}{{ x }}",
            "{% with x = v %}{{ x }}{% endwith %}",
            "{% with v = v %}{{ v }}{% endwith %}",
            "{% filter replace(v, 'b') %}a{% endfilter %}",
            "text {{ 'a' }} and {{ v[0:1] }}",
        ] {
            assert!(
                roots(text).contains(&"v".to_owned()),
                "{text}: {:?}",
                roots(text)
            );
        }
    }

    #[test]
    fn attributes_filters_tests_arguments_and_text_are_no_names() {
        for text in [
            "v {{ a.v }}",
            "{{ a | v }}",
            "{{ a is v }}",
            "{{ a is not v }}",
            "{{ dict(v=1) }}",
            "{{ 'v' }}",
            "{{ a['v'] }}",
            "{# v #}",
            "{% raw %}{{ v }}{% endraw %}",
            "{% filter v %}a{% endfilter %}",
        ] {
            assert!(!roots(text).contains(&"v".to_owned()), "{text}");
        }
    }

    #[test]
    fn what_a_template_assigns_is_not_required() {
        for (text, expected) in [
            (
                "{% for x in items[:2] %}{{ x }}{{ loop.index }}{% endfor %}",
                "items",
            ),
            (
                "{% for k, v in items %}{{ k }}{{ v[1:] }}{% endfor %}",
                "items",
            ),
            ("{% set a = b[1:] %}{{ a }}", "b"),
            ("{% with a = b %}{{ a[:1] }}{% endwith %}", "b"),
            ("{{ items[:n] | default([]) }}", "items n"),
        ] {
            let found: Vec<_> = required_roots(text).into_iter().collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }
}
