//! Lists of executions, which read as much as they return however many executions there are.

use noetl_api::ExecutionStatus;

use super::catalog::like;
use super::conditions::Conditions;
use super::database::Store;
use super::error::StoreError;
use super::executions::ExecutionRow;
use super::row::from_row;

/// Which executions to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExecutionFilter {
    /// One of these; all when there are none.
    pub(crate) statuses: &'static [ExecutionStatus],
    pub(crate) path: Option<String>,
    pub(crate) catalog_id: Option<i64>,
    pub(crate) parent: Option<i64>,
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
}

/// The columns of a row in a list, which is small: a large result is named, and a long error is cut.
const LIST_COLUMNS: &str = "execution_id, catalog_id, path, version, status, target, parent_execution_id, \
    parent_call, current_step, progress, CASE WHEN OCTET_LENGTH(result) <= 2048 THEN result WHEN result IS NOT NULL \
    THEN '{\"omitted_bytes\":' || OCTET_LENGTH(result) || ',\"href\":\"/api/executions/' || execution_id || '/result\"}' END \
    AS result, CASE WHEN LENGTH(error) > 2048 THEN SUBSTR(error, 1, 2048) || ' …' ELSE error END AS error, \
    start_time, end_time, last_event_id, retried_id, first_id";

/// An execution in short.
#[derive(Debug)]
pub(crate) struct RunRow {
    pub(crate) execution_id: i64,
    pub(crate) path: String,
    pub(crate) status: ExecutionStatus,
    pub(crate) start_time: i64,
    pub(crate) end_time: Option<i64>,
}

from_row!(RunRow: execution_id, path, status as String, start_time, end_time);

/// The newest executions of each playbook, found by the index of paths: what is read grows with the playbooks, not with
/// their executions. PostgreSQL needs LATERAL for that, and SQLite has no LATERAL.
const NEWEST_OF_EACH: [&str; 2] = [
    "SELECT e.execution_id, e.path, e.status, e.start_time, e.end_time \
     FROM (SELECT DISTINCT path FROM catalog WHERE deleted_at IS NULL) AS known \
     JOIN execution e ON e.execution_id IN (SELECT x.execution_id FROM execution x WHERE x.path = known.path \
     ORDER BY x.start_time DESC, x.execution_id DESC LIMIT $1) \
     ORDER BY e.start_time DESC, e.execution_id DESC",
    "SELECT e.execution_id, e.path, e.status, e.start_time, e.end_time \
     FROM (SELECT DISTINCT path FROM catalog WHERE deleted_at IS NULL) AS known \
     CROSS JOIN LATERAL (SELECT * FROM execution x WHERE x.path = known.path \
     ORDER BY x.start_time DESC, x.execution_id DESC LIMIT $1) AS e \
     ORDER BY e.start_time DESC, e.execution_id DESC",
];

const NEWEST_FIRST: &str = "ORDER BY start_time DESC, execution_id DESC";

/// Executions that contain a text are counted up to this number: to count all of them, all would have to be read.
const MOST_COUNTED: i64 = 1000;

/// Up to so many paths that contain a text are looked up one by one. Of more paths, executions are found soon by reading
/// the newest.
const FEW_PATHS: usize = 250;

/// Each path of an execution once, by one step through the index for each, not for each execution.
const PATHS: &str = "WITH RECURSIVE paths(path) AS (SELECT MIN(path) FROM execution UNION ALL \
    SELECT (SELECT MIN(e.path) FROM execution e WHERE e.path > p.path) FROM paths p WHERE p.path IS NOT NULL) \
    SELECT path FROM paths WHERE lower(path) LIKE $1 ESCAPE '!' LIMIT $2";

impl ExecutionFilter {
    /// Returns a filter for executions with one of these statuses.
    pub(crate) fn of(statuses: &'static [ExecutionStatus]) -> Self {
        Self {
            statuses,
            ..Self::default()
        }
    }

    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        let statuses: Vec<_> = self
            .statuses
            .iter()
            .map(|status| conditions.value(status.as_str()))
            .collect();
        match statuses.as_slice() {
            [] => {}
            [status] => conditions.and_sql(format!("status = {status}")),
            several => conditions.and_sql(format!("status IN ({})", several.join(", "))),
        }
        if let Some(path) = &self.path {
            conditions.and("path = ?", path.as_str());
        }
        if let Some(catalog_id) = self.catalog_id {
            conditions.and("catalog_id = ?", catalog_id);
        }
        if let Some(parent) = self.parent {
            conditions.and("parent_execution_id = ?", parent);
        }
        if let Some(since) = self.since {
            conditions.and("start_time >= ?", since);
        }
        if let Some(until) = self.until {
            conditions.and("start_time < ?", until);
        }
        conditions
    }
}

impl Store {
    /// Lists executions, newest first. Large results are named, not included, and long errors are cut.
    pub(crate) async fn executions(
        &self,
        filter: &ExecutionFilter,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<ExecutionRow>, StoreError> {
        self.list(filter.conditions(), limit, offset).await
    }

    /// Lists the newest executions of each playbook of the catalog, newest first, at most `limit` of each.
    pub(crate) async fn newest_of_each(&self, limit: i64) -> Result<Vec<RunRow>, StoreError> {
        let [sqlite, postgres] = NEWEST_OF_EACH;
        let statement = if self.is_postgres() { postgres } else { sqlite };
        let rows = sqlx::query_as(statement).bind(limit);
        Ok(rows.fetch_all(self.reader()).await?)
    }

    /// Counts the executions that match.
    pub(crate) async fn count_executions(
        &self,
        filter: &ExecutionFilter,
    ) -> Result<i64, StoreError> {
        let conditions = filter.conditions();
        let statement = format!("SELECT COUNT(*) FROM execution {}", conditions.to_sql());
        let (count,): (i64,) =
            sqlx::query_as_with(sqlx::AssertSqlSafe(statement), conditions.arguments()?)
                .fetch_one(self.reader())
                .await?;
        Ok(count)
    }

    /// Lists the executions that match and whose path or error contains `text`, or whose id begins with it, as
    /// [`Self::executions`] does. Also returns their number, [`MOST_COUNTED`] for that many or more.
    pub(crate) async fn search_executions(
        &self,
        filter: &ExecutionFilter,
        text: &str,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<ExecutionRow>, i64), StoreError> {
        let newest = limit.saturating_add(offset).max(MOST_COUNTED);
        let ids = self.ids_with(filter, text, newest).await?;
        let count = i64::try_from(ids.len()).unwrap_or(MOST_COUNTED);
        let page: Vec<i64> = ids
            .into_iter()
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(limit).unwrap_or(0))
            .collect();
        let mut conditions = Conditions::default();
        let page: Vec<_> = page.iter().map(|id| conditions.value(*id)).collect();
        let rows = if page.is_empty() {
            Vec::new()
        } else {
            conditions.and_sql(format!("execution_id IN ({})", page.join(", ")));
            self.list(conditions, limit, 0).await?
        };
        Ok((rows, count.min(MOST_COUNTED)))
    }

    async fn list(
        &self,
        mut conditions: Conditions,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<ExecutionRow>, StoreError> {
        let (limit, offset) = (conditions.value(limit), conditions.value(offset));
        // The ids are in the indexes, so that the rows that are skipped are not read.
        let statement = format!(
            "SELECT {LIST_COLUMNS} FROM execution WHERE execution_id IN (SELECT execution_id FROM execution {} \
             {NEWEST_FIRST} LIMIT {limit} OFFSET {offset}) {NEWEST_FIRST}",
            conditions.to_sql()
        );
        let rows = sqlx::query_as_with(sqlx::AssertSqlSafe(statement), conditions.arguments()?)
            .fetch_all(self.reader())
            .await?;
        Ok(rows)
    }

    /// Returns the ids of the `newest` executions, newest first, that match and contain a text: in their error, in their
    /// path, or at the start of their id. Each of the three has an index.
    async fn ids_with(
        &self,
        filter: &ExecutionFilter,
        text: &str,
        newest: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let pattern = like(text);
        let paths: Vec<(String,)> = sqlx::query_as(PATHS)
            .bind(&pattern)
            .bind(FEW_PATHS as i64 + 1)
            .fetch_all(self.reader())
            .await?;
        let mut conditions = filter.conditions();
        let pattern = conditions.value(pattern.as_str());
        let mut found = vec![format!(
            "error IS NOT NULL AND lower(error) LIKE {pattern} ESCAPE '!'"
        )];
        if paths.len() > FEW_PATHS {
            found.push(format!("lower(path) LIKE {pattern} ESCAPE '!'"));
        } else if !paths.is_empty() {
            let paths = paths.iter();
            let paths: Vec<_> = paths
                .map(|(path,)| conditions.value(path.as_str()))
                .collect();
            found.push(format!("path IN ({})", paths.join(", ")));
        }
        let ranges = ids_that_begin_with(text).into_iter().map(|(first, last)| {
            let (first, last) = (conditions.value(first), conditions.value(last));
            format!("execution_id BETWEEN {first} AND {last}")
        });
        let ranges: Vec<_> = ranges.collect();
        if !ranges.is_empty() {
            found.push(format!("({})", ranges.join(" OR ")));
        }
        let newest = conditions.value(newest);
        let parts = found.iter().enumerate().map(|(number, condition)| {
            format!(
                "SELECT * FROM (SELECT execution_id, start_time FROM execution {} {NEWEST_FIRST} LIMIT {newest}) \
                 AS part_{number}",
                conditions.to_sql_with(condition)
            )
        });
        let parts = parts.collect::<Vec<_>>().join(" UNION ");
        let statement =
            format!("SELECT execution_id FROM ({parts}) AS found {NEWEST_FIRST} LIMIT {newest}");
        let ids: Vec<(i64,)> =
            sqlx::query_as_with(sqlx::AssertSqlSafe(statement), conditions.arguments()?)
                .fetch_all(self.reader())
                .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }
}

/// Returns the ranges of the positive ids whose decimal digits begin with a text.
fn ids_that_begin_with(text: &str) -> Vec<(i64, i64)> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(digits) = text.parse::<i64>().ok().filter(|_| all_digits) else {
        return Vec::new();
    };
    if digits == 0 || text.starts_with('0') {
        return Vec::new();
    }
    let widths = (0..=18).map_while(|places| 10_i64.checked_pow(places));
    widths
        .map_while(|width| {
            let first = digits.checked_mul(width)?;
            Some((first, first.saturating_add(width - 1)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_digits_of_an_id_are_ranges() {
        let has = |text: &str, id: i64| {
            let ranges = ids_that_begin_with(text);
            ranges
                .iter()
                .any(|(first, last)| (first..=last).contains(&&id))
        };
        let id = 768_906_449_458_823_168;
        for (text, found) in [
            ("7", true),
            ("768906449458823168", true),
            ("7689064494588231680", false),
            ("76890645", false),
            ("0768", false),
            ("", false),
            ("+7", false),
            ("7x", false),
            ("99999999999999999999", false),
        ] {
            assert_eq!(has(text, id), found, "{text}");
        }
        assert!(has("9223372036854775807", i64::MAX) && has("92", i64::MAX));
    }
}
