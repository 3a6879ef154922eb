using FastLLM.Benchmarks;
using FastLLM.Benchmarks.Answers;
using FastLLM.Benchmarks.Cluster;
using FastLLM.Benchmarks.ClusterLimits;
using FastLLM.Benchmarks.Crash;
using FastLLM.Benchmarks.Faults;
using FastLLM.Benchmarks.Load;
using FastLLM.Benchmarks.Load.Laws;
using FastLLM.Benchmarks.Micro;
using FastLLM.Benchmarks.Serving;
using FastLLM.Pipeline;

var flags = new Flags(args);
switch (args is [var command, ..] ? command : "")
{
    case "serve":
        return await ServeCommand.RunAsync(flags);
    case "load":
        return await LoadCommand.RunAsync(flags);
    case ManyInFlight.ChildCommand:
        return await ManyInFlight.RunChildAsync(flags);
    case JobRuns.ChildCommand:
        return await JobRuns.RunChildAsync(flags);
    case LawClient.ChildCommand:
        return await LawClient.RunChildAsync(flags);
    case "answers":
        return await AnswersCommand.RunAsync(flags);
    case SharedRows.ChildCommand:
        return await SharedRows.RunChildAsync(flags);
    case "cluster":
        return await ClusterCommand.RunAsync(flags);
    case "cluster-limits":
        return await ClusterLimitsCommand.RunAsync(flags);
    case "crash":
        return await CrashCommand.RunAsync(flags);
    case "faults":
        return await FaultsCommand.RunAsync(flags);
    case "alone":
        return await AloneCommand.RunAsync(flags);
    case "micro":
        return MicroCommand.Run(args[1..]);
    default:
        Console.Error.WriteLine("""
            serve [--latency MS] [--sigma X] [--seed N] [--rpm N] [--tpm N] [--throttle LAW]... [--throttle-at TIME=LAW]...
                [--throttle-retry-after RULE]               the simulated provider, until standard input ends
            load S13 [--only TEXT] [--no-peers] [--cli] [--throttle LAW]... [--ideal N] [--seconds S] [...]
                                                            laws of throttling: all, those whose name contains TEXT, or one of your own
            load S1|S2|S4|S5|S6|S7|S9|S10|S11|S12|S14|S15|all [--tiny] [--prebuilt] [--read-text] [--requests N] [--warmup N] [--pairs N] [--in-flight N] [--seconds S] [--report FILE]
            alone raw|sdk|fastllm [--rounds N] [...]        one candidate without another, to be profiled
            crash [--kills N] [--per-point N] [--point NAME] [--seed N] [--rows N] [--slots N] [--latency MS] [--durability power-loss|process-kill] [--no-cache] [--csv FILE]
            crash --processes N [--seed N] [...]            several processes on one cache, one of them killed
            faults [--csv FILE] [--case F04]                faults of servers and networks, and what comes of them
            answers --store CONNECTION [--rows N] [--bytes N] [--callers N]
                                                            the cache in PostgreSQL, in an empty database
            answers --store CONNECTION --processes N [--rows N] [--distinct N] [--in-flight N] [--latency MS] [--kills N] [--kill-after S]
                                                            processes with equal requests, and how often they are sent
            cluster-limits [--only configured,learned,learned-burst] [--plan 120:term,155:add,…,260:end] [--workers N] [--clocks] [--seconds]
                                                            limits that workers on PostgreSQL and RabbitMQ share; also --throttle LAW, --ideal N, --rpm N
            cluster [kills|equal|outages|latency|overhead|servers] [--rows N] [--workers N] [--latency MS] [--every S] [--distinct N] [--seconds S]
                                                            workers, PostgreSQL and RabbitMQ on this machine, and what they promise
            micro [--filter GLOB]                           the micro-benchmarks
            """);
        return 2;
}
