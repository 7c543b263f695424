"""Costs are the last line of each log that has one."""

from counterwarp.stats.cost import collect_costs


def test_logs_are_added_up_by_rule(tmp_path):
    (tmp_path / "sub-1").mkdir()
    line = '2026-01-01 INFO cost {{"rule": "{}", "state": "finished", "wall_s": {}, "cpu_s": {}, "peak_mb": {}}}\n'
    (tmp_path / "sub-1" / "a_strip.log").write_text("begin\n" + line.format("strip", 4, 3, 100))
    (tmp_path / "sub-1" / "b_strip.log").write_text(line.format("strip", 99, 99, 99) + line.format("strip", 6, 5, 300))
    (tmp_path / "train.log").write_text(line.format("train", 60, 100, 900))
    (tmp_path / "unfinished.log").write_text("killed before its end\n")
    table = collect_costs(tmp_path)
    assert table["rule"].to_list() == ["train", "strip"]
    strip = table.iloc[1]
    assert (strip["jobs"], strip["cpu_s"], strip["wall_s"], strip["longest_s"], strip["peak_mb"]) == (2, 8, 10, 6, 300)


def test_no_log_is_an_empty_table(tmp_path):
    assert len(collect_costs(tmp_path)) == 0
