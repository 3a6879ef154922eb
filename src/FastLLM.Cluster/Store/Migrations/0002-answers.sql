-- Answers by key (the request) and scope (the first 8 bytes of the SHA-256 of the endpoint, whose text may be longer than an index allows).
create table fastllm.answers (
    key bytea not null,
    scope bigint not null,
    stored timestamptz not null,
    created bigint not null,
    status integer not null,
    endpoint bytea not null,
    model text not null,
    digest bytea not null,
    body bytea not null,
    primary key (key, scope));

-- Bodies are compressed before they come here.
alter table fastllm.answers alter column body set storage external;

-- For pruning by age: costs next to nothing, since rows come about in the order of this column.
create index answers_created on fastllm.answers using brin (created);

-- Who sends what now. Not logged: claims are renewed every few seconds, and end within seconds.
create unlogged table fastllm.claims (
    key bytea not null,
    scope bigint not null,
    token bigint not null,
    expires timestamptz not null,
    primary key (key, scope)) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
