-- The cluster: its id names the queues of the broker, so that clusters may share one.
create table fastllm.cluster (
    id text not null
);
insert into fastllm.cluster (id) values (left(replace(gen_random_uuid()::text, '-', ''), 12));

create table fastllm.jobs (
    id text primary key,
    name text not null,
    state text not null default 'running' check (state in ('running', 'paused', 'canceled', 'stopped', 'done')),
    created timestamptz not null default now(),
    finished timestamptz,
    options jsonb not null,
    rows bigint not null default 0,
    chunks integer not null default 0,
    -- Raised in the transaction that completes a chunk.
    chunks_done integer not null default 0,
    answered bigint not null default 0,
    failed bigint not null default 0,
    cached bigint not null default 0,
    shared bigint not null default 0,
    sends bigint not null default 0,
    prompt_tokens bigint not null default 0,
    completion_tokens bigint not null default 0,
    cost numeric not null default 0,
    reason text
);

-- A worker is alive until its lease ends; so are its chunks.
create table fastllm.workers (
    id text primary key,
    started timestamptz not null default now(),
    lease_until timestamptz not null,
    job text,
    in_flight integer not null default 0,
    rows bigint not null default 0,
    rows_per_second double precision not null default 0,
    bottleneck text
);

create table fastllm.chunks (
    job text not null references fastllm.jobs (id) on delete cascade,
    number integer not null,
    rows integer not null,
    state smallint not null default 0, -- 0 waiting, 1 working, 2 done
    token bigint not null default 0, -- raised by each worker that takes the chunk; with an older one, nothing is written
    crashes smallint not null default 0, -- workers that ended while they had it
    worker text,
    input bytea not null,
    output bytea,
    primary key (job, number)
);
-- Both are compressed already.
alter table fastllm.chunks alter column input set storage external;
alter table fastllm.chunks alter column output set storage external;
create index chunks_open on fastllm.chunks (job, number) where state < 2;
create index chunks_held on fastllm.chunks (worker) where state = 1;
