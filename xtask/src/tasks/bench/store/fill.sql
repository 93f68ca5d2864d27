-- Fills the tables of a store that a server has prepared: PLAYBOOKS playbooks, EXECUTIONS executions of the 30 days before
-- NOW (milliseconds since 1970), a tenth of them failed, and three events of each. SQLite and PostgreSQL read the same text.

WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < PLAYBOOKS - 1)
INSERT INTO catalog (catalog_id, path, version, kind, name, description, content, created_at)
SELECT 1000 + i, 'team-' || (i % 100) || '/flow-' || i, 1, 'Playbook', 'flow-' || i, 'Loads the table ' || i,
  'apiVersion: noetl.io/v2
kind: Playbook
metadata: {name: flow-' || i || ', path: team-' || (i % 100) || '/flow-' || i || '}
workflow:
- step: start
  tool: {kind: noop}
', NOW - 2592000000
FROM n;

-- Executions are spread over the playbooks by a prime number, so that neighbours in time are of different ones.
WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < EXECUTIONS - 1)
INSERT INTO execution (execution_id, catalog_id, path, version, status, payload, current_step, progress, result, error,
  start_time, end_time, last_event_id)
SELECT 1000000000000 + i * 10, 1000 + (i * 7919) % PLAYBOOKS,
  'team-' || ((i * 7919) % PLAYBOOKS % 100) || '/flow-' || ((i * 7919) % PLAYBOOKS), 1,
  CASE WHEN i % 10 = 0 THEN 'FAILED' WHEN i % 50 = 1 THEN 'CANCELLED' ELSE 'COMPLETED' END, '{}', 'start', 100,
  CASE WHEN i % 10 > 1 THEN '{"rows":' || i || '}' END,
  CASE WHEN i % 10 = 0 THEN 'step `start`, attempt 3: the connection to db-' || (i / 10 % 40) || ' was refused' END,
  NOW - 2592000000 + (2592000000 / EXECUTIONS) * i, NOW - 2592000000 + (2592000000 / EXECUTIONS) * i + 700,
  1000000000000 + i * 10 + 3
FROM n;

INSERT INTO event (execution_id, event_id, catalog_id, event_type, status, created_at)
SELECT execution_id, execution_id + 1, catalog_id, 'playbook.initialized', 'STARTED', start_time FROM execution;
INSERT INTO event (execution_id, event_id, catalog_id, event_type, node_id, node_name, status, context, result, meta,
  duration_ms, created_at)
SELECT execution_id, execution_id + 2, catalog_id, 'call.done', execution_id || ':start:1', 'start', 'COMPLETED',
  '{"attempt":1,"iteration":null,"input":{}}', '{}', '{"duration_ms":600}', 500 + execution_id % 200, end_time
FROM execution;
INSERT INTO event (execution_id, event_id, catalog_id, event_type, status, created_at)
SELECT execution_id, execution_id + 3, catalog_id, 'playbook.completed', 'COMPLETED', end_time FROM execution;
