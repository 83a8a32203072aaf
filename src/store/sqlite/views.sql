-- What a person reads. They hold nothing: each start of fusebox that knows others replaces them.

-- Of each key the register that was written last, whichever process wrote it.
CREATE VIEW v_registers AS
SELECT pipeline, key, strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') AS written, owner, json
FROM (
    SELECT *, row_number() OVER (
        PARTITION BY pipeline, key ORDER BY wrote_last DESC, at DESC, position DESC
    ) AS place
    FROM (
        SELECT *, max(at) OVER (PARTITION BY pipeline, owner) AS wrote_last FROM register
    )
)
WHERE place = 1;

-- What is wrong now, and which routes have taken the page.
CREATE VIEW v_incidents AS
WITH open AS (
    SELECT
        registers.pipeline,
        substr(registers.key, 11) AS guard,
        incident.value ->> '$.key' AS key,
        incident.value AS json
    FROM v_registers AS registers, json_each(registers.json, '$.open') AS incident
    WHERE registers.key GLOB 'incidents/*' AND incident.type = 'object'
)
SELECT
    open.pipeline,
    strftime('%Y-%m-%dT%H:%M:%SZ', open.json ->> '$.since' / 1000, 'unixepoch') AS since,
    open.json ->> '$.severity' AS severity,
    coalesce(
        (
            SELECT row.json ->> '$.notification.summary'
            FROM outbox AS row
            WHERE row.pipeline = open.pipeline AND row.incident = open.key
            ORDER BY row.at DESC
            LIMIT 1
        ),
        replace(open.json ->> '$.evidence.event', '_', ' ')
    ) AS summary,
    (
        SELECT group_concat(row.route || ' at ' || strftime('%Y-%m-%dT%H:%M:%SZ', row.json ->> '$.accepted_at' / 1000, 'unixepoch'), ', ')
        FROM outbox AS row
        WHERE row.pipeline = open.pipeline AND row.incident = open.key AND row.action = 'trigger'
    ) AS told,
    (
        SELECT group_concat(row.route || ' (tries: ' || row.attempts || ')', ', ')
        FROM outbox AS row
        WHERE row.pipeline = open.pipeline AND row.incident = open.key AND row.action = 'trigger'
            AND row.json ->> '$.accepted_at' IS NULL
    ) AS not_told,
    strftime('%Y-%m-%dT%H:%M:%SZ', open.json ->> '$.well_at' / 1000, 'unixepoch') AS last_well,
    open.guard,
    open.json ->> '$.version' AS version,
    open.key AS incident
FROM open
ORDER BY open.json ->> '$.since';

-- What is to be told and was not taken yet.
CREATE VIEW v_undelivered AS
SELECT
    pipeline,
    strftime('%Y-%m-%dT%H:%M:%SZ', json ->> '$.due_since' / 1000, 'unixepoch') AS due_since,
    route,
    action,
    json ->> '$.notification.severity' AS severity,
    json ->> '$.notification.summary' AS summary,
    state,
    attempts,
    last_error,
    strftime('%Y-%m-%dT%H:%M:%SZ', due_at / 1000, 'unixepoch') AS next_try,
    CASE json ->> '$.may_have_arrived' WHEN 1 THEN 'yes' ELSE 'no' END AS may_have_arrived,
    incident
FROM outbox
WHERE state IN ('due', 'given_up')
ORDER BY json ->> '$.due_since';

-- How far each rollout is.
CREATE VIEW v_rollout AS
SELECT
    pipeline,
    replace(replace(substr(key, 7), '%2F', '/'), '%25', '%') AS rollout,
    json ->> '$.trial.candidate' AS candidate,
    json ->> '$.trial.stable' AS stable,
    json ->> '$.trial.state' AS state,
    json ->> '$.trial.stage' + 1 AS stage,
    strftime('%Y-%m-%dT%H:%M:%SZ', json ->> '$.trial.started' / 1000, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%SZ', json ->> '$.trial.since' / 1000, 'unixepoch') AS stage_since,
    replace(json ->> '$.trial.last_reported_hold', '_', ' ') AS holds,
    json ->> '$.trial.not_cleared' AS not_cleared,
    strftime('%Y-%m-%dT%H:%M:%SZ', json ->> '$.trial.paused_at' / 1000, 'unixepoch') AS paused,
    (SELECT group_concat(type.value, ', ') FROM json_each(v_registers.json, '$.trial.excluded') AS type) AS excluded,
    json ->> '$.revision' AS revision,
    written
FROM v_registers
WHERE key GLOB 'guard/*' AND json_type(json, '$.trial.candidate') = 'text'
ORDER BY json ->> '$.trial.started';

-- What operators did, the latest first.
CREATE VIEW v_last_commands AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') AS at,
    pipeline,
    json ->> '$.event' AS command,
    json ->> '$.who' AS who,
    coalesce(json ->> '$.why', json ->> '$.note') AS why,
    CASE json ->> '$.event'
        WHEN 'incident_acknowledged' THEN
            'open since ' || strftime('%Y-%m-%dT%H:%M:%SZ', (json ->> '$.opened_at') / 1000, 'unixepoch')
        WHEN 'review_acknowledged' THEN 'a review is requested'
        WHEN 'rollout_forced' THEN
            'not ready: ' || (SELECT group_concat(gap.value, '; ') FROM json_each(fact.json, '$.gaps') AS gap)
        WHEN 'written_off' THEN 'open for ' || ((json ->> '$.open_for') / 1000) || ' s'
        ELSE json ->> '$.before'
    END AS before,
    CASE json ->> '$.event'
        WHEN 'incident_acknowledged' THEN 'closed'
        WHEN 'review_acknowledged' THEN 'acknowledged'
        WHEN 'rollout_forced' THEN 'begun'
        WHEN 'written_off' THEN 'written off'
        ELSE json ->> '$.after'
    END AS after,
    CASE json_type(json) WHEN 'object' THEN json_remove(json, '$.event', '$.who', '$.why', '$.note', '$.before', '$.after') ELSE json END AS details,
    id
FROM fact
WHERE kind = 'command'
ORDER BY position DESC;

-- Documents whose call has not ended, or that wait for a person.
CREATE VIEW v_open_documents AS
WITH ledger AS (
    SELECT pipeline, replace(replace(substr(key, 7), '%2F', '/'), '%25', '%') AS name, json, written
    FROM v_registers
    WHERE key GLOB 'guard/*' AND json_type(json, '$.open') = 'object'
        AND json_type(json, '$.watched_since') = 'integer'
),
document AS (
    SELECT
        ledger.pipeline,
        call.value ->> '$.since' AS since,
        'an end of its call' AS waits_for,
        call.value ->> '$.document_type' AS document_type,
        call.value ->> '$.document' AS document,
        call.key AS ticket,
        ledger.name AS ledger,
        ledger.written
    FROM ledger, json_each(ledger.json, '$.open') AS call
    WHERE call.type = 'object'
    UNION ALL
    SELECT
        ledger.pipeline,
        waiting.value ->> '$[2]',
        'a person',
        waiting.value ->> '$[0]',
        waiting.value ->> '$[1]',
        NULL,
        ledger.name,
        ledger.written
    FROM ledger, json_each(ledger.json, '$.review') AS waiting
    WHERE waiting.type = 'array'
)
SELECT
    pipeline,
    strftime('%Y-%m-%dT%H:%M:%SZ', since / 1000, 'unixepoch') AS since,
    waits_for,
    document_type,
    document,
    ticket,
    ledger,
    written
FROM document
ORDER BY document.since;
