-- What the workers share of the limits of each model at each endpoint. All times are this server's.
create table fastllm.limits (
    endpoint text not null,
    model text not null,
    state text not null,
    primary key (endpoint, model)
);

-- What each worker has sent in the last minute, and what it may send: one row for each of its jobs, written about once a second.
create table fastllm.limit_shares (
    endpoint text not null,
    model text not null,
    member text not null,
    state text not null,
    primary key (endpoint, model, member),
    foreign key (endpoint, model) references fastllm.limits on delete cascade
) with (fillfactor = 50);
