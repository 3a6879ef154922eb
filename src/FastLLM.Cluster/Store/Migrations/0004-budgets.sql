-- One budget over all workers: what is lent to them never exceeds it, whatever becomes of them.
create table fastllm.budgets (
    job text primary key references fastllm.jobs (id) on delete cascade,
    budget numeric(28, 12) not null check (budget >= 0),
    earlier numeric(28, 12) not null default 0, -- what the job had cost before it came here
    short_until timestamptz -- a request waits that the rest of the budget does not cover: until then, nobody borrows ahead
);

-- What a worker has borrowed for a job. It reports every second; what it does not report may have been paid.
create table fastllm.tranches (
    id bigint generated always as identity primary key,
    job text not null references fastllm.budgets (job) on delete cascade,
    worker text not null,
    serial bigint not null default 0, -- of its last report: an older one that comes late changes nothing
    lent numeric(28, 12) not null default 0,
    paid numeric(28, 12) not null default 0, -- a part of what is lent
    seen timestamptz not null default now()
);
create index tranches_job on fastllm.tranches (job);
