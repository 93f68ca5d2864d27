//! Values that are taken out of their rows, and put back.

use serde_json::{Value, json};

use super::*;
use crate::store::tests::new_store;

fn text_of(bytes: usize, seed: char) -> Value {
    Value::from(seed.to_string().repeat(bytes))
}

/// Values, with how many contents each has.
fn values() -> Vec<(Value, usize)> {
    let small = json!({"a": [1, 2.5, null, "ü\u{0}\"\\"], "b": {}});
    let items: Vec<Value> = (0..5).map(|_| text_of(LARGE, 'x')).collect();
    let many: Vec<Value> = (0..LARGE).map(Value::from).collect();
    vec![
        (small.clone(), 0),
        (Value::Null, 0),
        (text_of(LARGE - 2, 'x'), 0),
        (text_of(LARGE - 1, 'x'), 1),
        // Escapes count.
        (text_of(LARGE / 6 + 1, '\u{1}'), 1),
        (json!({"ä\"": items, "null": null, "small": small}), 5),
        (json!([many, [text_of(LARGE, 'é'), small]]), 2),
        (
            json!([{"deep": text_of(LARGE, 'y'), "many": (0..99_999).collect::<Vec<_>>()}]),
            2,
        ),
        // Many small values are one content, with the large one among them.
        (
            json!(
                (0..99_999)
                    .map(|n| if n == 9 {
                        text_of(LARGE, 'z')
                    } else {
                        json!(n)
                    })
                    .collect::<Vec<_>>()
            ),
            1,
        ),
    ]
}

#[test]
fn what_is_taken_out_and_put_back_is_the_same() {
    for (value, count) in values() {
        let extracted = Extracted::new(&value);
        assert_eq!(extracted.contents.len(), count);
        assert!(extracted.text.len() <= LARGE);
        let without: Value = serde_json::from_str(&extracted.text).unwrap();
        assert_eq!(without == value, count == 0);
        let places = extracted.contents.iter();
        let whole = splice(
            &extracted.text,
            places.map(|content| (content.offset, content.text.as_str())),
        );
        assert_eq!(whole, value.to_string());
    }
}

#[tokio::test]
async fn equal_contents_of_an_execution_are_stored_once() {
    let (_folder, store) = new_store().await;
    let value = json!([
        text_of(LARGE, 'é'),
        text_of(LARGE, 'é'),
        text_of(LARGE, 'b')
    ]);
    let extracted = Extracted::new(&value);
    let mut transaction = store.begin().await.unwrap();
    let mut stored = Vec::new();
    for execution in [1, 1, 2] {
        let references = extracted.store(&mut transaction, execution, Column::Result);
        stored.push(references.await.unwrap());
    }
    transaction.commit().await.unwrap();
    let kept = serde_json::to_string(&stored[0]).unwrap();
    let found = references(Some(&kept), Column::Result, &extracted.text).unwrap();
    assert_eq!(found, stored[0]);
    assert!(
        references(Some(&kept), Column::Meta, &extracted.text)
            .unwrap()
            .is_empty()
    );
    let mut connection = store.read().await.unwrap();
    let whole = Store::whole(&mut connection, 1, extracted.text.clone(), &found);
    assert_eq!(whole.await.unwrap(), value.to_string());
    let (bytes,): (i64,) = sqlx::query_as(
        "SELECT CAST(SUM(OCTET_LENGTH(text)) AS BIGINT) FROM content WHERE execution_id = 1",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let expected: usize = [&found[0], &found[2]].map(|one| one.bytes).iter().sum();
    assert_eq!(bytes, i64::try_from(expected).unwrap());
    let size = store
        .content_size(1, &found[0].hash)
        .await
        .unwrap()
        .unwrap();
    let mut text = String::new();
    for chunk in 0..size.0 {
        let chunk = store.content_chunk(1, &found[0].hash, chunk).await.unwrap();
        assert!(chunk.len() <= CHUNK);
        text += &chunk;
    }
    assert_eq!(text, value[0].to_string());
    assert_eq!(store.content_size(1, "unknown").await.unwrap(), None);
}

#[tokio::test]
async fn a_content_that_is_not_complete_and_a_wrong_place_are_refused() {
    let (_folder, store) = new_store().await;
    let extracted = Extracted::new(&text_of(LARGE, 'x'));
    let mut transaction = store.begin().await.unwrap();
    let stored = extracted.store(&mut transaction, 1, Column::Result);
    let mut stored = stored.await.unwrap();
    sqlx::query("DELETE FROM content WHERE chunk = 1")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let mut connection = store.read().await.unwrap();
    let whole = Store::whole(&mut connection, 1, extracted.text.clone(), &stored);
    assert!(matches!(whole.await, Err(StoreError::Corrupt { .. })));
    assert!(store.content_chunk(1, &stored[0].hash, 1).await.is_err());
    stored[0].offset = 1;
    for contents in [serde_json::to_string(&stored).unwrap(), "{}".to_owned()] {
        let refused = references(Some(&contents), Column::Result, &extracted.text);
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
    }
}
