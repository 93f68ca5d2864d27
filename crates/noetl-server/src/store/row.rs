//! Reads rows as structs. sqlx has a derive macro for that, which compiles sqlx once more, for the compiler itself.

/// Implements `FromRow` for a struct. `field` is read from the column of that name, `field = "column"` from another one,
/// and `field as String` is converted from text.
macro_rules! from_row {
    ($name:ident: $($field:ident $(= $column:literal)? $(as $text:ty)?),* $(,)?) => {
        impl sqlx::FromRow<'_, sqlx::any::AnyRow> for $name {
            fn from_row(row: &sqlx::any::AnyRow) -> sqlx::Result<Self> {
                Ok(Self {
                    $($field: $crate::store::row::from_row!(@ row $field $(= $column)? $(as $text)?),)*
                })
            }
        }
    };
    (@ $row:ident $field:ident) => {
        sqlx::Row::try_get($row, stringify!($field))?
    };
    (@ $row:ident $field:ident = $column:literal) => {
        sqlx::Row::try_get($row, $column)?
    };
    (@ $row:ident $field:ident as $text:ty) => {{
        let text: $text = sqlx::Row::try_get($row, stringify!($field))?;
        text.try_into().map_err(|error| sqlx::Error::ColumnDecode {
            index: stringify!($field).to_owned(),
            source: Box::new(error),
        })?
    }};
}

pub(super) use from_row;
