//! Arrays in PostgreSQL's text form: `{1,NULL,"a, b"}`, `{{1,2},{3,4}}`, `[0:1]={1,2}`.

use serde_json::Value as Json;

/// Returns an array as a list, with `element` for the text of each element. A text that is no array stays text.
///
/// The form is that of the manual's section 8.15.6: elements are quoted when they hold a delimiter, a quote, a
/// backslash or white space, or read `NULL`.
pub(super) fn parse(text: &str, element: impl Fn(&str) -> Json) -> Json {
    // Bounds that do not begin at 1 are written before the array.
    let body = match text.split_once('=') {
        Some((bounds, body)) if bounds.starts_with('[') => body,
        _ => text,
    };
    let mut characters = body.chars();
    let mut lists: Vec<Vec<Json>> = Vec::new();
    let (mut item, mut is_item) = (String::new(), false);
    while let Some(character) = characters.next() {
        match character {
            '{' => lists.push(Vec::new()),
            '"' => {
                is_item = true;
                let mut quoted = String::new();
                loop {
                    match characters.next() {
                        Some('\\') => quoted.extend(characters.next()),
                        Some('"') => break,
                        Some(character) => quoted.push(character),
                        None => return Json::from(text),
                    }
                }
                let Some(list) = lists.last_mut() else {
                    return Json::from(text);
                };
                list.push(element(&quoted));
            }
            ',' | '}' => {
                let Some(mut list) = lists.pop() else {
                    return Json::from(text);
                };
                if !item.is_empty() {
                    list.push(match item.as_str() {
                        "NULL" => Json::Null,
                        item => element(item),
                    });
                }
                item.clear();
                is_item = false;
                match (character, lists.last_mut()) {
                    (',', _) => lists.push(list),
                    (_, Some(outer)) => outer.push(Json::Array(list)),
                    (_, None) => return Json::Array(list),
                }
            }
            character if !is_item => item.push(character),
            _ => return Json::from(text),
        }
    }
    Json::from(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::parse;

    fn texts(text: &str) -> Json {
        parse(text, |text| Json::from(text))
    }

    #[test]
    fn arrays_are_lists() {
        let number = |text: &str| Json::from(text.parse::<i64>().ok());
        assert_eq!(parse("{1,NULL,3}", number), json!([1, null, 3]));
        assert_eq!(parse("{{1,2},{3,4}}", number), json!([[1, 2], [3, 4]]));
        assert_eq!(parse("[0:1]={1,2}", number), json!([1, 2]));
        assert_eq!(texts("{}"), json!([]));
        assert_eq!(
            texts("{a,\"b, c\",\"\",\"NULL\",\"say \\\"hi\\\" \\\\\",\"{x}\"}"),
            json!(["a", "b, c", "", "NULL", "say \"hi\" \\", "{x}"])
        );
    }

    #[test]
    fn a_text_that_is_no_array_stays_text() {
        for text in ["", "a", "}", "{a", "{\"a", "\"a\"", "a,b"] {
            assert_eq!(texts(text), json!(text));
        }
    }
}
