"""Costs are the last line of each log that has one."""

from counterwarp.stats.cost import collect_costs, collect_jobs, collect_speeds


def test_logs_are_added_up_by_rule(tmp_path):
    (tmp_path / "sub-1").mkdir()
    line = (
        '2026-01-01 INFO cost {{"rule": "{}", "state": "finished", "place": "{}", "wall_s": {}, "cpu_s": {}, '
        '"peak_mb": {}}}\n'
    )
    (tmp_path / "sub-1" / "a_strip.log").write_text("begin\n" + line.format("strip", "node2 (cpu)", 4, 3, 100))
    (tmp_path / "sub-1" / "b_strip.log").write_text(
        line.format("strip", "old", 99, 99, 99) + line.format("strip", "node1 (cpu)", 6, 5, 300)
    )
    (tmp_path / "train.log").write_text(line.format("train", "node7 (gpu)", 60, 100, 900))
    (tmp_path / "unfinished.log").write_text("killed before its end\n")
    table = collect_costs(tmp_path)
    assert table["rule"].to_list() == ["train", "strip"]
    strip = table.iloc[1]
    assert (strip["jobs"], strip["cpu_s"], strip["wall_s"], strip["longest_s"], strip["peak_mb"]) == (2, 8, 10, 6, 300)
    assert table["places"].to_list() == ["node7 (gpu)", "node1 (cpu), node2 (cpu)"]


def test_each_job_says_where_and_when_it_ran_and_on_what(tmp_path):
    (tmp_path / "sub-1").mkdir()
    cost = 'INFO cost {{"rule": "{}", "state": "finished", "place": "{}", "wall_s": {}, "cpu_s": {}, "peak_mb": {}}}\n'
    device = "INFO networks run on NVIDIA A100-SXM4-40GB with 42.4 GB\n"
    (tmp_path / "train_seed-1.log").write_text(
        "2026-01-01 09:00:00,512 INFO train starts on node7 (gpu), process 5\n"
        f"2026-01-01 09:00:01,000 {device}2026-01-01 09:01:00,512 {cost.format('train', 'node7 (gpu)', 60, 50, 900)}"
    )
    (tmp_path / "sub-1" / "sub-1_strip.log").write_text(
        "2026-01-01 08:30:00,001 INFO strip starts on node1, process 9\n"
        f"2026-01-01 08:30:04,001 {cost.format('strip', 'node1', 4, 3, 100)}"
    )
    (tmp_path / "from_the_cache.log").write_text("")
    assert collect_jobs(tmp_path).values.tolist() == [
        ["train_seed-1", "train", "node7 (gpu)", "NVIDIA A100-SXM4-40GB", "2026-01-01 09:00:00", 60, 50, 900],
        ["sub-1_strip", "strip", "node1", "", "2026-01-01 08:30:00", 4, 3, 100],
    ]


def test_no_log_is_an_empty_table(tmp_path):
    assert len(collect_jobs(tmp_path)) == 0
    assert len(collect_costs(tmp_path)) == 0
    assert len(collect_speeds(tmp_path)) == 0


def test_speeds_are_per_scan_and_the_fastest_comes_first(tmp_path):
    for method, seconds in (("cycle", 3.8), ("backprop", 0.19)):
        line = f'2026-01-01 INFO speed {{"method": "{method}", "seed": "1", "scans": 76, "seconds": {seconds}}}\n'
        (tmp_path / f"explain_{method}.log").write_text("begin\n" + line)
    table = collect_speeds(tmp_path)
    assert table["method"].to_list() == ["backprop", "cycle"]
    assert table["ms_per_scan"].to_list() == [2.5, 50.0]
